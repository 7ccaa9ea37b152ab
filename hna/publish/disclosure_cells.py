"""Counts as sets of people: what is printed of each, and which sums and differences of them a reader can form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hna.measure.ages import OLDEST
from hna.measure.areas import Nesting

Array = NDArray[np.float64]
PERSONS = "persons"
_REST = "rest of"
_AUTHORITIES = ("E06", "E07", "E08", "E09", "E10")
"""Codes of English authorities of every kind: together they make up a region. Other areas do so with their own kind."""


@dataclass(frozen=True, order=True)
class Cell:
    """People counted by one register on one date, in one area and subgroup.

    Parameters
    ----------
    register : what is counted, of whom, and when.
    area : code.
    sex : persons, female or male.
    severity : blank for all.
    low, end : ages, the end not included.
    """

    register: str
    area: str
    sex: str
    severity: str
    low: int
    end: int

    def holds(self, other: Cell, nesting: Nesting) -> bool:
        """Whether everyone in another cell is in this one."""
        return (
            self.register == other.register
            and self.sex in (PERSONS, other.sex)
            and self.severity in ("", other.severity)
            and self.low <= other.low
            and other.end <= self.end
            and (self.area == other.area or self.area in nesting.ancestors(other.area))
        )

    def __str__(self) -> str:
        ages = f"{self.low}+" if self.end >= OLDEST else f"{self.low}-{self.end - 1}"
        said = [self.area, self.sex, ages, *([self.severity] if self.severity else [])]
        return f"{', '.join(said)} ({self.register})"


@dataclass(frozen=True)
class Release:
    """What is printed of a cell.

    Parameters
    ----------
    cell : the people.
    lower, upper : the counts that the print allows, to a reader who knows the rule; nought and infinity if hidden.
    hidden : whether the count is withheld.
    small : whether it is hidden for its own sake, and not to protect another.
    largest : the largest count that the rule hides.
    public : whether it has been published already, so that it cannot be withheld any more.
    truth : the count, where it is to hand.
    """

    cell: Cell
    lower: float
    upper: float
    hidden: bool = False
    small: bool = False
    largest: int = 0
    public: bool = False
    truth: float | None = None

    def withheld(self) -> Release:
        """The same cell, hidden to protect another."""
        return replace(self, lower=0.0, upper=np.inf, hidden=True)


@dataclass(frozen=True, eq=False)
class System:
    """Everything that a reader knows of one family of cells, as linear relations between the smallest groups.

    Parameters
    ----------
    releases : what is printed.
    rows : shape (release, group), 1 where a group is in a cell.
    equal : shape (relation, group), which add to nought: an area is its parts and the rest.
    cells : groups of people that nobody printed, which a reader could work out.
    implied : shape (cell, group).
    """

    releases: tuple[Release, ...]
    rows: Array
    equal: Array
    cells: tuple[str, ...]
    implied: Array


def families(releases: Iterable[Release], nesting: Nesting) -> Iterator[list[Release]]:
    """Releases that bear on each other: of one register, in areas that lie in each other."""
    registers: dict[str, list[Release]] = {}
    for release in sorted(releases, key=lambda one: one.cell):
        registers.setdefault(release.cell.register, []).append(release)
    for held in registers.values():
        areas = sorted({release.cell.area for release in held})
        root = {area: area for area in areas}

        def top(area: str, root: dict[str, str] = root) -> str:
            while root[area] != area:
                area = root[area]
            return area

        for area in areas:
            for above in nesting.ancestors(area):
                if above in root:
                    one, other = sorted((top(area), top(above)))
                    root[other] = one
        groups: dict[str, list[Release]] = {}
        for release in held:
            groups.setdefault(top(release.cell.area), []).append(release)
        yield from groups.values()


def system_of(releases: Sequence[Release], nesting: Nesting) -> System:
    """The relations of one family.

    The smallest groups are area × sex × severity × age between all limits of age that are printed. Persons are female
    and male, all is its strata, an area is its parts of one kind: with a rest wherever the counts to hand show one, and
    for areas also where not all parts that the lookup lists are printed.

    Parameters
    ----------
    releases : of one family.
    nesting : which areas lie in which.
    """
    truth = {release.cell: release.truth for release in releases if release.truth is not None}
    held = [release.cell for release in releases]
    sexes = _parts({cell.sex for cell in held}, PERSONS, truth, "sex")
    severities = _parts({cell.severity for cell in held}, "", truth, "severity")
    limits = sorted({edge for cell in held for edge in (cell.low, cell.end)})
    bins = list(pairwise(limits))
    areas = sorted({cell.area for cell in held})
    relations = _relations(areas, nesting, truth)
    places = [*areas, *(f"{_REST} {parent}: {kind}" for parent, kind, _, rest in relations if rest)]
    shape = (len(places), len(sexes), len(severities), len(bins))

    def taken(place: str, sex: str, severity: str, low: int, end: int) -> Array:
        found = np.zeros(shape)
        x = [n for n, name in enumerate(sexes) if sex in (PERSONS, name)]
        s = [n for n, name in enumerate(severities) if severity in ("", name)]
        a = [n for n, (start, stop) in enumerate(bins) if low <= start and stop <= end]
        found[np.ix_([places.index(place)], x, s, a)] = 1
        return found.ravel()

    rows = np.array([taken(cell.area, cell.sex, cell.severity, cell.low, cell.end) for cell in held])
    equal = []
    for parent, kind, children, rest in relations:
        whole = np.zeros(len(places))
        whole[places.index(parent)] = -1
        parts = [*children, *([f"{_REST} {parent}: {kind}"] if rest else [])]
        whole[[places.index(part) for part in parts]] = 1
        inner = int(np.prod(shape[1:]))
        equal.append(np.kron(whole, np.eye(inner)))
    printed = {tuple(row) for row in rows}
    implied: dict[tuple[float, ...], str] = {}

    def imply(name: str, row: Array) -> None:
        key = tuple(row)
        if row.any() and key not in printed:
            implied.setdefault(key, name)

    for place in places:
        for sex in dict.fromkeys((PERSONS, *sexes)):
            for severity in dict.fromkeys(("", *severities)):
                for low, end in [*bins, (limits[0], limits[-1])]:
                    imply(_said(place, sex, severity, low, end), taken(place, sex, severity, low, end))
    for a, b in _differences(releases, nesting):
        imply(f"{held[a]} less {held[b]}", rows[a] - rows[b])
    return System(
        tuple(releases), rows, np.vstack(equal) if equal else np.zeros((0, rows.shape[1])), tuple(implied.values()),
        np.array(list(implied)) if implied else np.zeros((0, rows.shape[1])),
    )  # fmt: skip


def _said(place: str, sex: str, severity: str, low: int, end: int) -> str:
    return ", ".join(
        [place, sex, f"{low}+" if end >= OLDEST else f"{low}-{end - 1}", *([severity] if severity else [])]
    )


def _parts(names: set[str], whole: str, truth: dict[Cell, float], field: str) -> list[str]:
    """The finest names of a dimension; the rest too, where the counts do not add up to their whole."""
    fine = sorted(names - {whole})
    if field == "sex" and fine:
        fine = ["female", "male"]
    if not fine:
        return [whole]
    for cell, count in truth.items():
        if getattr(cell, field) != whole:
            continue
        parts = [truth.get(_with(cell, field, name)) for name in fine]
        known = [part for part in parts if part is not None]
        if len(known) == len(fine) and sum(known) < count:
            return [*fine, _REST]
    return fine


def _with(cell: Cell, field: str, name: str) -> Cell:
    return replace(cell, sex=name) if field == "sex" else replace(cell, severity=name)


def _relations(
    areas: Sequence[str], nesting: Nesting, truth: dict[Cell, float]
) -> list[tuple[str, str, list[str], bool]]:
    """Each area with the parts of it that are printed, one kind of area at a time, and whether there is a rest."""
    above = {area: nesting.ancestors(area) for area in areas}
    found = []
    for parent in areas:
        inside = [area for area in areas if parent in above[area]]
        direct = [area for area in inside if not any(other in above[area] for other in inside)]
        kinds: dict[str, list[str]] = {}
        for area in direct:
            kinds.setdefault(kind_of(area), []).append(area)
        for kind, children in sorted(kinds.items()):
            listed = {child for child in nesting.children(parent) if kind_of(child) == kind}
            whole = bool(listed) and listed <= set(children)
            agrees = None
            for cell, count in truth.items():
                parts = [truth.get(replace(cell, area=child)) for child in children] if cell.area == parent else []
                known = [part for part in parts if part is not None]
                if parts and len(known) == len(parts):
                    agrees = sum(known) == count if agrees is None else agrees and sum(known) == count
                    if sum(known) > count:
                        break
            else:
                found.append((parent, kind, children, not (whole if agrees is None else agrees)))
    return found


def kind_of(area: str) -> str:
    """What sort of area a code is of: areas of one sort lie beside each other."""
    return _AUTHORITIES[0] if area.startswith(_AUTHORITIES) else area[:3]


def _differences(releases: Sequence[Release], nesting: Nesting) -> Iterator[tuple[int, int]]:
    """Pairs of cells, one inside the other, that may differ by few people."""
    largest = max((release.largest for release in releases), default=0)
    low = np.array([release.lower if release.truth is None else release.truth for release in releases])
    high = np.array([release.upper if release.truth is None else release.truth for release in releases])
    known = np.array([release.truth is not None or not release.hidden for release in releases])
    least, most = low[:, None] - high[None, :], high[:, None] - low[None, :]
    close = (least <= largest) & (most >= 1) & known[:, None] & known[None, :]
    for a, b in zip(*np.nonzero(close), strict=True):
        if a != b and releases[a].cell.holds(releases[b].cell, nesting):
            yield int(a), int(b)
