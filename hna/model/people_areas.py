"""Which authorities larger areas are made of, and small areas lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hna.evidence.lookup import pairs_of
from hna.evidence.population import Population, areas_and_years
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource, PopulationSource

UPPER, SMALL = "ltla-utla", "lsoa"
"""First letters of the lookups of authorities, and of small areas."""


def lowest(code: str, below: Mapping[str, Sequence[str]], held: set[str]) -> list[str]:
    """Authorities of the lowest tier that a larger area is made of and that the population holds."""
    reached, found = [code], set()
    while reached:
        one = reached.pop()
        children = [child for child in below.get(one, ()) if child in held]
        reached += children
        if not children and one != code:
            found.add(one)
    return sorted(found)


def below(shelf: Shelf, lookups: str) -> dict[str, list[str]]:
    """What each larger area of some lookups holds."""
    return shelf.once(("areas-below", lookups), lambda: _read(shelf, lookups))


def _read(shelf: Shelf, lookups: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in shelf.folders(AreasSource):
        if name.startswith(lookups):
            for child, parent in pairs_of(shelf, name):
                found.setdefault(parent, []).append(child)
    return found


def authorities_of(
    shelf: Shelf, population: Population, small: Sequence[str], inside: tuple[str, ...]
) -> tuple[PopulationSource, dict[str, str]]:
    """The population of the authorities that small areas lie in, of the same kind and years, and the authority of each.

    The small areas' own source where no such population is on the shelf; no authority where no lookup knows one.
    """
    above: dict[str, list[str]] = {}
    for parent, children in below(shelf, SMALL).items():
        for child in children:
            above.setdefault(child, []).append(parent)
    reached = {code: above.get(code, []) for code in small}
    upper = {code: [up for one in held for up in _climbed(one, above, inside)] for code, held in reached.items()}
    ours = population.source
    for name in shelf.folders(PopulationSource):
        record = shelf.record(PopulationSource, name)
        areas, years = areas_and_years(shelf, name)
        if (record.base, record.basis, record.group) == (ours.base, ours.basis, ours.group) and set(
            population.years
        ) <= set(years):
            found = {code: next((up for up in held if up in areas), "") for code, held in upper.items()}
            if all(found.values()):
                return record, found
    return ours, {code: held[0] for code, held in upper.items() if held}


def _climbed(code: str, above: Mapping[str, Sequence[str]], inside: tuple[str, ...]) -> list[str]:
    """The authorities above an area, itself where it is one."""
    return (
        [up for one in above.get(code, ()) for up in _climbed(one, above, inside)]
        if code.startswith(inside)
        else [code]
    )
