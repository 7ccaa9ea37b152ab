"""Groups of areas: which area is in which, and how sums over a chunk of areas are formed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hna.errors import AxisError, Fault
from hna.measure.areas import Area

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Larger areas, or groups, and the areas they hold.

    Parameters
    ----------
    areas : the parents.
    child, parent : shape (pair,): positions among the population's areas, and among `areas`. An area may be in several
        parents, or in none.
    """

    areas: tuple[Area, ...]
    child: NDArray[np.intp]
    parent: NDArray[np.intp]

    @classmethod
    def of(cls, population: Sequence[Area], held_by: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> Grouping:
        """A grouping from a lookup.

        Parameters
        ----------
        population : areas of the lowest level.
        held_by : for each of their codes, the codes of the groups it is in.
        names : of the groups; a code without a name is its own.
        """
        codes = list(dict.fromkeys(code for area in population for code in held_by.get(area.code, ())))
        at = {code: n for n, code in enumerate(sorted(codes))}
        pairs = [
            (n, at[code]) for n, area in enumerate(population) for code in dict.fromkeys(held_by.get(area.code, ()))
        ]
        both = np.array(pairs, dtype=np.intp).reshape(-1, 2)
        return cls(tuple(Area(code, names.get(code, code)) for code in at), both[:, 0], both[:, 1])


@dataclass(frozen=True, eq=False)
class Part:
    """A chunk's areas in their groups: areas that are in the same groups are added up first.

    Parameters
    ----------
    first : which areas are added up; None where each is in groups of its own, in the order of the areas.
    second : which of those sums each group holds.
    parents : positions of the groups.
    """

    first: csr_array | None
    second: csr_array
    parents: NDArray[np.intp]

    def sums(self, draws: Array, grid: float) -> Array:
        """Sums over each group, shape (group, draw), rounded to a multiple of `grid` so that adding them is exact."""
        of = draws if self.first is None else self.first @ draws
        found: Array = self.second @ of
        shift = 1.5 * 2.0**52 * grid
        found += shift
        found -= shift
        return found


@dataclass(frozen=True, eq=False)
class Nest:
    """All groups at once, and which chunk holds children of which."""

    parents: int
    matrix: csr_array
    width: int

    @classmethod
    def of(cls, groups: Sequence[tuple[NDArray[np.intp], NDArray[np.intp], int]], areas: int, width: int) -> Nest:
        """Groups stacked.

        Raises
        ------
        AxisError
            If a pair points outside the areas or groups, or is there twice.
        """
        rows, columns, parents = [], [], 0
        for child, parent, count in groups:
            if len(child) and (child.min() < 0 or child.max() >= areas or parent.min() < 0 or parent.max() >= count):
                raise AxisError(Fault("a group holds an area that is not there", "Make it with Grouping.of"))
            rows.append(parent + parents)
            columns.append(child)
            parents += count
        row = np.concatenate([np.empty(0, dtype=np.intp), *rows])
        column = np.concatenate([np.empty(0, dtype=np.intp), *columns])
        matrix = csr_array((np.ones(len(row)), (row, column)), shape=(parents, areas))
        if matrix.nnz and matrix.data.max() > 1:
            raise AxisError(Fault("an area is in the same group twice", "Give each pair once"))
        return cls(parents, matrix, width)

    def _touches(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        pairs = self.matrix.tocoo()
        both = np.unique(np.stack([pairs.row, pairs.col // self.width]), axis=1)
        return both[0].astype(np.intp), both[1].astype(np.intp)

    def chunks_of_parent(self) -> dict[int, int]:
        """How many chunks hold children of each group."""
        parent, _ = self._touches()
        return dict(zip(*(values.tolist() for values in np.unique(parent, return_counts=True)), strict=True))

    def widest(self) -> int:
        """Most groups of one chunk."""
        _, chunk = self._touches()
        return int(np.bincount(chunk).max(initial=0))

    def most_open(self) -> int:
        """Most groups begun and not ended at any time."""
        parent, chunk = self._touches()
        if not len(parent):
            return 0
        change = np.zeros(int(chunk.max()) + 2, dtype=int)
        for one in np.split(chunk, np.flatnonzero(np.diff(parent)) + 1):
            change[one.min()] += 1
            change[one.max() + 1] -= 1
        return int(np.cumsum(change).max())

    def part(self, start: int, stop: int) -> Part | None:
        """The groups of some areas."""
        here = self.matrix[:, start:stop].tocsc()
        parents = np.unique(here.indices).astype(np.intp)
        if not len(parents):
            return None
        at = {int(parent): n for n, parent in enumerate(parents)}
        atoms: dict[tuple[int, ...], int] = {}
        of = np.full(stop - start, -1)
        for n in range(stop - start):
            held = tuple(sorted(at[int(p)] for p in here.indices[here.indptr[n] : here.indptr[n + 1]]))
            if held:
                of[n] = atoms.setdefault(held, len(atoms))
        inside = np.flatnonzero(of >= 0)
        first = None
        if len(atoms) < stop - start:
            first = csr_array((np.ones(len(inside)), (of[inside], inside)), shape=(len(atoms), stop - start))
        pairs = [(parent, atom) for held, atom in atoms.items() for parent in held]
        both = np.array(pairs).T
        second = csr_array((np.ones(len(pairs)), (both[0], both[1])), shape=(len(parents), len(atoms)))
        return Part(first, second, parents)
