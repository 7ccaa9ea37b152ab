"""What an area is set beside: its region, England and its statistical neighbours, and which counts may be pooled."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hna.errors import Fault, SourceError
from hna.evidence.lookup import read_lookup
from hna.evidence.outlines import BORDERS, DRAWN
from hna.evidence.population import areas_and_years
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import AreasSource, PopulationSource
from hna.measure.areas import Area, Nesting

Kind = Literal["region", "england", "statistical-neighbours"]
KINDS: tuple[Kind, ...] = ("region", "england", "statistical-neighbours")
_WORDS = {"england": "nation", "statistical-neighbours": "statistical neighbours"}
_NAMED = 5
ENGLAND = "E92000001"
REGION = "E12"
GROUPS = "neighbours"
"""A lookup whose id ends in this word is of groups: its parent is the area compared, its children its group."""


@dataclass(frozen=True)
class Comparator:
    """What an area is set beside.

    Parameters
    ----------
    kind : region, england or statistical-neighbours.
    code : of the region or England; of the lookup, for neighbours.
    name : as in a sentence.
    label : as in a table, with the lookup that gave a group.
    group : codes of the neighbours as listed; empty for a region and England.
    includes_self : whether the area is one of its own group, as in Halton's of 2014.
    """

    kind: Kind
    code: str
    name: str
    label: str
    group: tuple[str, ...] = ()
    includes_self: bool = True


@dataclass(frozen=True)
class Pool:
    """Whose counts make up a comparator.

    Parameters
    ----------
    comparator : what they make up.
    members : codes whose counts are added; or the comparator's own code, where the source prints its total.
    missing : listed neighbours without a count, removed from numerator and denominator.
    """

    comparator: Comparator
    members: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def own_total(self) -> bool:
        """Whether the publisher's own total stands for the sum of the members."""
        return self.members == (self.comparator.code,)


class _Lookup(NamedTuple):
    """Parents of each child, and the vintages named."""

    parents: dict[str, list[str]]
    vintages: tuple[str, ...]

    def vintage(self, name: str) -> str:
        """The one vintage of a group."""
        if len(self.vintages) != 1:
            remedy = "Put each vintage in a lookup of its own: boundaries change"
            raise SourceError(
                Fault("a group of neighbours has several vintages", remedy, file=name, rows=self.vintages)
            )
        return self.vintages[0]


def _read(shelf: Shelf, name: str) -> _Lookup:
    table = read_lookup(shelf, name)
    found: dict[str, list[str]] = {}
    for child, parent in zip(table["child"], table["parent"], strict=True):
        found.setdefault(child, []).append(parent)
    return _Lookup(found, tuple(sorted(set(table["vintage"]))))


class Surroundings:
    """Comparators of any area, from the lookups on a shelf.

    Parameters
    ----------
    shelf : its ``data/areas``, the analyst's own first.
    group : the only group of statistical neighbours to use; None for the analyst's own, or the latest.

    Raises
    ------
    SourceError
        If there is no such group on the shelf.
    """

    def __init__(self, shelf: Shelf, group: str | None = None) -> None:
        self._shelf = shelf
        self._group = group
        if group is not None and group not in self._names(True):
            held = self._names(True)
            raise SourceError(Fault(f"no group of neighbours is called {group!r}", "These are on the shelf", rows=held))

    def _lookup(self, name: str) -> _Lookup:
        """One lookup, read once a shelf."""
        return self._shelf.once(("lookup", name), lambda: _read(self._shelf, name))

    def _names(self, groups: bool) -> list[str]:
        """Lookups of groups, or of nestings, small ones first."""
        folders = self._shelf.folders(AreasSource)
        lookups = [name for name in folders if not name.endswith((*DRAWN, BORDERS))]
        chosen = [name for name in lookups if name.endswith(GROUPS) == groups]
        return sorted(chosen, key=lambda name: (table_file(folders[name]).stat().st_size, name))

    def nesting(self, code: str) -> Nesting:
        """Which areas lie in which: as many lookups as it takes to place an area in England."""
        return self._placed(code)[0]

    def _placed(self, code: str) -> tuple[Nesting, tuple[str, ...]]:
        return self._shelf.once(("nesting", code), lambda: self._nesting(code))

    def _nesting(self, code: str) -> tuple[Nesting, tuple[str, ...]]:
        names = tuple(self._names(False))
        used: tuple[str, ...] = ()
        for n in range(len(names)):
            used = names[: n + 1]
            if ENGLAND in self._merged(used).ancestors(code):
                break
        return self._merged(used), used

    def _merged(self, names: tuple[str, ...]) -> Nesting:
        """Several lookups as one, formed once a shelf."""

        def merge() -> Nesting:
            if not names:
                return Nesting({})
            merged = dict(self._merged(names[:-1]).parents)
            for child, parents in self._lookup(names[-1]).parents.items():
                merged[child] = tuple(dict.fromkeys((*merged.get(child, ()), *parents)))
            return Nesting(merged)

        return self._shelf.once(("merged", names), merge)

    def sources(self, code: str, kinds: Sequence[Kind] = KINDS) -> list[AreasSource]:
        """The lookups that say what an area is set beside."""
        groups = [one.code for one in self.of(code, kinds) if one.group]
        return [self._shelf.record(AreasSource, name) for name in (*self._placed(code)[1], *groups)]

    def names(self) -> dict[str, str]:
        """Names of areas, as the populations on the shelf print them."""

        def read() -> dict[str, str]:
            found: dict[str, str] = {}
            for name in self._shelf.folders(PopulationSource):
                for area in areas_and_years(self._shelf, name)[0].areas:
                    found.setdefault(area.code, area.name)
            return found

        return self._shelf.once(("area names",), read)

    def of(self, code: str, kinds: Sequence[Kind] = KINDS) -> list[Comparator]:
        """Comparators of an area, of the kinds asked for, those there are.

        Parameters
        ----------
        code : of the area.
        kinds : region, england, statistical-neighbours.

        Returns
        -------
        list of Comparator
            In the order asked for. Of several groups of neighbours that name the area the analyst's own comes first,
            then the latest.
        """
        key = ("comparators", code, tuple(kinds), self._group)
        return self._shelf.once(key, lambda: self._of(code, kinds))

    def _of(self, code: str, kinds: Sequence[Kind]) -> list[Comparator]:
        above = self.nesting(code).ancestors(code)
        found = []
        for kind in kinds:
            if kind == "statistical-neighbours":
                found.extend(list(self.groups(code))[:1])
                continue
            wanted = [one for one in above if (one == ENGLAND if kind == "england" else one.startswith(REGION))]
            found.extend(
                Comparator(kind, one, self.names().get(one, one), self.names().get(one, one)) for one in wanted[:1]
            )
        return found

    def groups(self, code: str) -> Iterator[Comparator]:
        """Every group of statistical neighbours of an area: the analyst's own first, then by vintage, latest first."""
        folders = self._shelf.folders(AreasSource)
        order = {name: (self._shelf.own(folders[name]), self._lookup(name).vintage(name)) for name in self._names(True)}
        if self._group is not None:
            order = {self._group: order[self._group]}
        for name in sorted(order, key=lambda one: order[one], reverse=True):
            group = tuple(child for child, parents in self._lookup(name).parents.items() if code in parents)
            if group:
                label = f"statistical neighbours ({name})"
                yield Comparator("statistical-neighbours", name, "statistical neighbours", label, group, code in group)

    def around(self, codes: Collection[str], kinds: Sequence[Kind] = KINDS) -> set[str]:
        """Some areas with every region, nation, neighbour and neighbour's district that they are set beside."""
        found = set(codes)
        for code in codes:
            for comparator in self.of(code, kinds):
                found.add(comparator.code)
                for one in comparator.group:
                    found.update((one, *self.nesting(code).children(one)))
        return found

    def pool(self, comparator: Comparator, area: str, held: Collection[str]) -> Pool:
        """Whose counts make up a comparator, among the areas that have one.

        A region and England are the sum of the authorities under them, each counted once (a county or its districts, never
        both); where the source has fewer than two of them and prints the total itself, that total. A neighbour without a
        count of its own is the sum of its districts if all of them have one.

        Parameters
        ----------
        comparator : from `of`.
        area : code of the area compared.
        held : codes with a count (and people).
        """
        nesting = self.nesting(area)
        if comparator.kind == "statistical-neighbours":
            members: list[str] = []
            missing: list[str] = []
            for code in comparator.group:
                parts = (code,) if code in held else self._parts(nesting, code, held)
                members.extend(parts)
                missing.extend(() if parts else (code,))
            return Pool(comparator, tuple(dict.fromkeys(members)), tuple(missing))
        above = set(nesting.ancestors(area))
        inside = self._under(nesting, comparator.code)
        candidates = {code for code in inside if code in held and code not in above and not code.startswith(REGION)}
        members = [code for code in sorted(candidates) if not candidates.intersection(nesting.ancestors(code))]
        if len(members) < 2 and comparator.code in held:
            return Pool(comparator, (comparator.code,))
        return Pool(comparator, tuple(members))

    def inside(self, code: str, area: str) -> set[str]:
        """Every area that lies in one, near or far, by the lookups that place another in England."""
        return self._under(self.nesting(area), code)

    def within(self, area: str, members: Sequence[str]) -> set[str]:
        """The members of a pool that are the area itself or lie in it: what is taken out for the test."""
        return {code for code in members if code == area or area in self.nesting(area).ancestors(code)}

    def authorities(self, comparator: Comparator, area: str) -> list[str]:
        """Authorities under a region or England in the latest estimate of people on the shelf, each place once."""
        latest = ("", 0)
        for name in self._shelf.folders(PopulationSource):
            gazetteer, years = areas_and_years(self._shelf, name)
            if self._shelf.record(PopulationSource, name).basis == "estimate" and comparator.code in gazetteer:
                latest = max(latest, (name, years[-1]), key=lambda one: one[1])
        if not latest[0]:
            return []
        held = {one.code for one in areas_and_years(self._shelf, latest[0])[0].areas} - {comparator.code}
        return list(self.pool(comparator, area, held).members)

    def reached(self, code: str, area: str, held: Collection[str]) -> bool:
        """Whether the people of an authority are in a pool: by itself, by all of its districts, or by what it lies in."""
        nesting = self.nesting(area)
        above = [one for one in nesting.ancestors(code) if not one.startswith((REGION, ENGLAND))]
        return code in held or bool(self._parts(nesting, code, held)) or any(one in held for one in above)

    def _under(self, nesting: Nesting, code: str) -> set[str]:
        """Every area that lies in one, near or far."""
        below: dict[str, list[str]] = {}
        for child, parents in nesting.parents.items():
            for parent in parents:
                below.setdefault(parent, []).append(child)
        found: set[str] = set()
        front = [code]
        while front:
            for child in below.get(front.pop(), ()):
                if child not in found:
                    found.add(child)
                    front.append(child)
        return found

    @staticmethod
    def _parts(nesting: Nesting, code: str, held: Collection[str]) -> tuple[str, ...]:
        """Areas directly in one, if all of them are held."""
        children = nesting.children(code)
        return tuple(children) if children and all(child in held for child in children) else ()


def unplaced(lacking: Mapping[tuple[str, ...], Sequence[Area]]) -> Iterator[str]:
    """Areas that nothing stands beside, in words: those that lack the same kinds of comparator together."""
    for absent, areas in lacking.items():
        *first, last = (_WORDS.get(kind, kind) for kind in absent)
        kinds = f"{', '.join(first)} or {last}" if first else last
        if len(areas) == 1:
            yield f"{areas[0]} is in no lookup that gives its {kinds}"
            continue
        named = ", ".join(map(str, areas[:_NAMED]))
        more = f" and {len(areas) - _NAMED} more" if len(areas) > _NAMED else ""
        yield f"{len(areas)} areas are in no lookup that gives their {kinds}: {named}{more}"
