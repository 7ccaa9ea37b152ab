"""One chunk of areas: need formed year by year, read, added to the groups, and dropped."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hna.answers.blocks import Carrier
from hna.answers.cuts import Cut
from hna.answers.forming import Forming
from hna.answers.limits import GAP, gap_figures, limits
from hna.answers.nest import Part
from hna.answers.screen import shared_limits
from hna.errors import AxisError, Fault
from hna.evidence.population import PeopleFactors

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counts:
    """People known, for each place and year.

    Parameters
    ----------
    low, high : shape (place, year), least and most; NaN where no one has counted.
    printed : shape (place, year), whether the publisher prints the number (low and high are then the same).
    factor : shape (draw,), the measurement model's draws; None for a count taken as it is.
    middle : of the factor.
    """

    low: Array
    high: Array
    printed: NDArray[np.bool_]
    factor: Array | None = None
    middle: float = 1.0

    def __post_init__(self) -> None:
        wrong = (self.low > self.high) | (np.isnan(self.low) != np.isnan(self.high))
        if wrong.any():
            remedy = "The least number is at most the greatest, and both are there or neither"
            raise AxisError(Fault("bounds of people known are wrong", remedy, rows=np.argwhere(wrong)[:6].tolist()))

    @classmethod
    def exact(cls, count: Array) -> Counts:
        """Numbers as printed, shape (place, year); NaN where no one has counted."""
        return cls(count, count, np.isfinite(count))

    def rows(self, which: slice | NDArray[np.intp]) -> Counts:
        """Some places."""
        return Counts(self.low[which], self.high[which], self.printed[which], self.factor, self.middle)


@dataclass(frozen=True, eq=False)
class Work:
    """What every chunk needs: rates, years, subgroups and how they are read.

    Parameters
    ----------
    carrier : the rates.
    years, cuts, level, target : of the summary.
    shared : whether all areas have the same rates and no chance of their own.
    grid : sums over a chunk are rounded to a multiple of this many people, so that they add up to the same total in any
        order.
    keep : positions of the subgroups, one a severity, whose draws are returned.
    error : of the number of people; None where it is taken as exact.
    """

    carrier: Carrier
    years: tuple[int, ...]
    cuts: tuple[Cut, ...]
    level: float
    target: float | None
    shared: bool
    grid: float
    keep: tuple[int, ...]
    error: PeopleFactors | None = None


@dataclass(frozen=True, eq=False)
class Chunk:
    """Areas in a row: people of shape (area, year, cell), codes, counts, and their groups.

    Where the chance of who is there is added: in whole areas, shape (area, year), and in subgroups, shape (subgroup, area,
    year). Unused where rates are shared. Shares: of each cell's people by the ages that share an error, shape (group, area,
    year, cell); None where people are taken as exact.
    """

    start: int
    people: Array
    codes: tuple[str, ...]
    known: Counts | None
    part: Part | None
    few: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    small: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=bool))
    shares: Array | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """What a chunk gives: figures of its areas for each subgroup, and sums for groups, shape (group, subgroup, year, draw)."""

    start: int
    values: tuple[dict[str, Array], ...]
    draws: Array | None = None
    parents: NDArray[np.intp] | None = None
    sums: Array | None = None
    chunks: NDArray[np.intp] | None = None


def run_chunk(work: Work, chunk: Chunk) -> Found:
    """Need of a chunk of areas, read year by year."""
    running = in_years(work, chunk)
    while True:
        if (found := advance(running)) is not None:
            return found


def advance(running: Running) -> Found | None:
    """One more year of a chunk; what was found after the last."""
    try:
        next(running)
    except StopIteration as end:
        found: Found = end.value
        return found
    return None


def in_years(work: Work, chunk: Chunk) -> Running:
    """Need of a chunk of areas, a year at a time: several chunks can go through the years side by side."""
    carrier, years, cuts = work.carrier, work.years, work.cuts
    shape = (len(chunk.codes), len(years))
    values: tuple[dict[str, Array], ...] = tuple({} for _ in cuts)
    draws = np.empty((len(work.keep), *shape, carrier.rates.size)) if work.keep else None
    sums = None
    if chunk.part is not None:
        sums = np.empty((len(chunk.part.parents), len(cuts), len(years), carrier.rates.size))
    formed = _shared(work, chunk) if work.shared else _own(work, chunk)
    for y, n, blocks, figures in formed:
        for m, block in enumerate(() if blocks is None else blocks, start=n):
            if sums is not None and chunk.part is not None:
                sums[:, m, y] = chunk.part.sums(block, work.grid)
            if draws is not None and m in work.keep:
                draws[work.keep.index(m), :, y] = block
        for first, read in [(n, figures)] if blocks is None else _read(work, chunk, y, n, blocks, figures):
            for name, found in read.items():
                for m, here in enumerate(found.reshape(-1, shape[0]), start=first):
                    if name not in values[m]:
                        values[m][name] = np.full(shape, np.nan)
                    values[m][name][:, y] = here
        if n + (1 if blocks is None else len(blocks)) == len(cuts):
            yield
    if chunk.part is None:
        return Found(chunk.start, values, draws)
    return Found(chunk.start, values, draws, chunk.part.parents, sums, np.ones(len(chunk.part.parents), dtype=np.intp))


Running = Generator[None, None, Found]
Formed = Iterator[tuple[int, int, Array | None, dict[str, Array]]]
"""Year, first of some subgroups, their draws, and figures known without them; no draws where that is all."""


def _read(
    work: Work, chunk: Chunk, y: int, n: int, blocks: Array, told: dict[str, Array]
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Figures of some subgroups, and the first that they are of; only the total is compared with people known."""
    together = blocks
    if n == 0 and chunk.known is not None:
        which, held = slice(y, y + 1), chunk.known
        known = Counts(held.low[:, which], held.high[:, which], held.printed[:, which], held.factor, held.middle)
        yield 0, read_block(work, blocks[0], known, told)
        n, together = 1, blocks[1:]
    if len(together):
        yield n, read_block(work, together.reshape(-1, together.shape[-1]), None, told)


def _read_only(work: Work, chunk: Chunk, n: int) -> bool:
    """Whether nothing is asked of a subgroup's draws but their limits."""
    return chunk.part is None and n not in work.keep and (chunk.known is None or n > 0)


def _shared(work: Work, chunk: Chunk) -> Formed:
    """Blocks of areas with the same rates; mean and standard deviation from the moments of the rates."""
    block: Array | None = None
    for y, year in enumerate(work.years):
        people = np.ascontiguousarray(chunk.people[:, y])
        for n, cut in enumerate(work.cuts):
            shared = work.carrier.shared(year, cut.severity)
            held = people if cut.whole else people * cut.cells
            figures = shared_limits(held, shared, work.level) if _read_only(work, chunk, n) else None
            if figures is not None:
                yield y, n, None, figures
                continue
            block = np.matmul(held, shared.rate, out=block)
            yield y, n, block[None], shared.moments(held)


def _own(work: Work, chunk: Chunk) -> Formed:
    """Blocks of areas with errors of their own, or chance in small numbers."""
    forming = Forming(work.carrier, work.cuts, chunk.codes, work.error)
    for y, year in enumerate(work.years):
        people = np.ascontiguousarray(chunk.people[:, y])
        shares = None if chunk.shares is None else chunk.shares[:, :, y]
        if all(_read_only(work, chunk, n) for n in range(len(work.cuts))) and not chunk.small[:, :, y].any():
            screens = forming.screens(people, year, shares)
        else:
            screens = None
        if screens is not None:
            for n, screen in enumerate(screens):
                lower, upper = screen.limits(work.level)
                yield y, n, None, {"mean": screen.mean, "sd": screen.sd, "lower": lower, "upper": upper}
            continue
        for n, blocks in forming.blocks(people, year, chunk.few[:, y], shares):
            for m, block in enumerate(blocks, start=n):
                small = chunk.small[m, :, y] & ~chunk.few[:, y]
                if small.any():
                    forming.chance(block, m, people, small)
            yield y, n, blocks, {}


def read_block(
    work: Work,
    block: Array,
    known: Counts | None,
    told: Mapping[str, Array] = MappingProxyType({}),
) -> dict[str, Array]:
    """Everything kept of a block, which is overwritten.

    Parameters
    ----------
    work : how it is read.
    block : shape (row, draw), people.
    known : counts of the same rows, shape (place, year), row after row.
    told : what is known of each row already: its mean and standard deviation.

    Returns
    -------
    arrays of shape (row,) by name.
    """
    found = dict(told)
    if not found:
        mean = block.mean(axis=-1)
        square = np.einsum("rd,rd->r", block, block) / block.shape[-1]
        found = {"mean": mean, "sd": np.sqrt(np.maximum(square - mean**2, 0.0))}
    rows = np.zeros(len(block), dtype=bool) if known is None else np.isfinite(known.low).ravel()
    if known is not None and rows.any():
        of = block[rows]
        low, high, printed = (values.ravel()[rows] for values in (known.low, known.high, known.printed))
        figures = gap_figures(of, low, high, printed, known.factor, work.level, work.target)
        for name in GAP:
            if name in figures:
                found[name] = np.full(len(block), np.nan)
                found[name][rows] = figures[name]
    found["lower"], found["upper"] = limits(block, work.level)
    return found
