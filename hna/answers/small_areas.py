"""A run over small areas: which of them, in what they lie, and whose error they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hna.answers.nest import Grouping
from hna.answers.plan import Held, Plan, populations_on
from hna.answers.subgroups import LEVELS, deprivation, gathered, levels, read_nesting, split_small_areas
from hna.errors import AxisError, Fault
from hna.evidence.population import Population, read_population
from hna.evidence.shelf import Shelf
from hna.measure.areas import Area, Nesting
from hna.model.people_error import with_error

SMALL = "small-area"
FIFTHS, TENTHS = "deprivation-quintile", "deprivation-decile"
BY = (SMALL, *LEVELS, FIFTHS, TENTHS)
"""What a need can be reported by besides sex and age: small areas, and sums of them."""
VINTAGES = (("lsoa11-ltla22", "imd-2019-lsoa11"), ("lsoa21-ward24-ltla24", "imd-2025-lsoa21"))
"""For each vintage of small areas, what they lie in and how deprived they are."""
WARDS = {"lsoa11-ltla22": "lsoa11-ward24"}
"""Lookups of wards, of vintages whose own has none."""
FIRST_OF_2021 = 2021
"""From this year on estimates are published for the small areas of 2021."""
UPPER = "ltla-utla-region-england"
SHOWN = 400
"""Most areas of one level on a page and in a workbook; the figures of more go to gap.csv alone."""


@dataclass(frozen=True, eq=False)
class SmallAreas:
    """Small areas and what they add up to.

    Parameters
    ----------
    population : of the small areas, by sex.
    groups : larger areas that are sums of them: those asked for first.
    asked : codes of the larger areas asked for.
    errors_of : for each small area, the authority whose transport error it shares.
    each : whether small areas are reported themselves.
    notes : what was left out, in words.
    """

    population: Population
    groups: tuple[Grouping, ...]
    asked: tuple[Area, ...]
    errors_of: dict[str, str]
    each: bool
    notes: tuple[str, ...]

    def above(self) -> Population:
        """People of the larger areas asked for, the sums of their small areas; of small areas if those were asked for."""
        if not self.asked:
            return self.population
        below, group = self.population, self.groups[0]
        people = np.zeros((len(self.asked), *below.people.shape[1:]))
        np.add.at(people, group.parent, below.people[group.child])
        return replace(below, areas=self.asked, people=people)


def is_small(area: Area) -> bool:
    """Whether a code is that of an English small area (LSOA)."""
    return area.code.startswith("E01")


def small_areas(
    shelf: Shelf, areas: Sequence[Area], by: Sequence[str], years: Sequence[int] | None, population: str | None
) -> SmallAreas:
    """The small areas of some areas, ready to be assessed.

    They are divided by sex so that they add up to their authorities' published figures, and they share their
    authority's transport error: nothing is known of how small areas of one authority differ from each other, and with errors
    of their own an authority's would be averaged away.

    Parameters
    ----------
    shelf : where people and lookups are.
    areas : asked for: small areas, or larger ones that hold them.
    by : sums to report: of `BY`, and lookups on the shelf.
    years : of the population; None for all.
    population : of small areas; None for the latest that holds them.

    Raises
    ------
    AxisError
        If no population of small areas is on the shelf, or it holds none of an area asked for.
    """
    held, lookup, deprived = _population(shelf, population)
    nesting = read_nesting(shelf, lookup, *([WARDS[lookup]] if lookup in WARDS else ()), UPPER)
    small, larger = [area for area in areas if is_small(area)], tuple(area for area in areas if not is_small(area))
    everywhere = {code: nesting.ancestors(code) for code in nesting.parents if is_small(Area(code, code))}
    size = Counter(up for held_by in everywhere.values() for up in held_by)
    above = {area.code: everywhere[area.code] for area in held.areas.areas}
    wanted = {area.code for area in small}
    inside = [code for code, up in above.items() if code in wanted or any(area.code in up for area in larger)]
    there = Counter(up for held_by in above.values() for up in held_by)
    short = [
        f"{area}: {there[area.code]:,} of {size[area.code]:,}"
        for area in larger if not there[area.code] or there[area.code] < size[area.code]
    ]  # fmt: skip
    if short:
        remedy = "Import all small areas of these, or ask for areas of its own vintage; `hna areas` lists them"
        raise AxisError(
            Fault(f"{held.record.id} does not hold the small areas of these", remedy, field="area", rows=short)
        )
    authority = {code: next(one for one in above[code] if one.startswith(LEVELS["authority"])) for code in above}
    needed = {authority[code] for code in inside}
    chosen = [year for year in held.years if years is None or year in years]
    if not chosen:
        remedy = f"Ask for {', '.join(map(str, held.years))}, or name no year"
        raise AxisError(
            Fault(f"{held.record.id} has none of these years", remedy, field="year", rows=list(years or ()))
        )
    persons = read_population(shelf, held.record.id, [code for code in above if authority[code] in needed], chosen)
    people = _by_sex(shelf, persons, nesting)
    at = {area.code: n for n, area in enumerate(people.areas)}
    rows = sorted(at[code] for code in inside)
    kept = tuple(people.areas[n] for n in rows)
    if len(rows) < len(people.areas):
        people = replace(people, areas=kept, people=people.people[rows])
    groups = [_holding(kept, larger, above)] if larger else []
    notes: list[str] = []
    names = [area for one in populations_on(shelf) if not one.own for area in one.areas.areas]
    sums = [level for level in LEVELS if level in by]
    if not larger and not set(by) - {SMALL} and len(kept) > SHOWN:
        sums = ["authority", "region", "england"]  # a page needs something to show
    for level in sums:
        found = levels(nesting, kept, (level,), names)[0]
        group, partial = _whole(found, size, {area.code for area in larger})
        groups += [group] if group.areas else []
        notes += _left_out(f"level {level}", partial)
    for lookup in (name for name in by if name not in BY):
        group, partial = gathered(shelf, lookup, everywhere, kept, names)
        groups += [group] if group.areas else []
        notes += _left_out(lookup, partial)
    for parts in (part for part, name in ((5, FIFTHS), (10, TENTHS)) if name in by):
        groups.append(_crossed(deprivation(shelf, kept, deprived, 5 if parts == 5 else 10), kept, larger, above))
    people = with_error(shelf, people)
    each = SMALL in by or bool(small)
    errors = {area.code: authority[area.code] for area in kept}
    return SmallAreas(people, tuple(groups), larger, errors, each, tuple(notes))


def _population(shelf: Shelf, name: str | None) -> tuple[Held, str, str]:
    """The population of small areas to use, what they lie in, and how deprived they are."""
    lookups = {lookup: read_nesting(shelf, lookup).parents for lookup, _ in VINTAGES}
    held = [one for one in populations_on(shelf, name) if any(map(is_small, one.areas.areas))]
    if not held:
        what = "no population of small areas is on the shelf" if name is None else f"{name} is not of small areas"
        remedy = "Import one: hna import ons-lsoa-syoa FILE --to WORKSPACE/data/population/NAME, then give --workspace"
        raise AxisError(Fault(what, remedy, field="--by"))
    one = max(held, key=lambda one: (one.own, one.years[-1], one.record.id))
    absent = {lookup: [area for area in one.areas.areas if area.code not in lookups[lookup]] for lookup, _ in VINTAGES}
    fitting = [vintage for vintage in VINTAGES if not absent[vintage[0]]]
    if not fitting:
        nearest = min(absent, key=lambda lookup: len(absent[lookup]))
        what = (
            f"{one.record.id} holds areas that are in no lookup of small areas: nearest is {nearest}, which lacks these"
        )
        remedy = "Take them out, or give small areas of England of one vintage, 2011 or 2021, without the sums of them"
        raise AxisError(Fault(what, remedy, field="area", rows=absent[nearest]))
    # Codes of small areas that did not change are of both vintages.
    return one, *fitting[-1 if one.years[-1] >= FIRST_OF_2021 else 0]


def _by_sex(shelf: Shelf, persons: Population, nesting: Nesting) -> Population:
    """Persons of small areas by sex: split by the estimate of their authorities that they add up to."""
    if persons.sexes != ("persons",):
        return persons
    refused: list[Fault] = []
    for one in populations_on(shelf):
        if (
            one.record.basis == "projection"
            or not set(persons.years) <= set(one.years)
            or any(map(is_small, one.areas.areas[:1]))
        ):
            continue
        codes = {up for area in persons.areas for up in nesting.ancestors(area.code) if up in one.areas}
        authorities = sorted(code for code in codes if code.startswith(LEVELS["authority"]))
        by_sex = read_population(shelf, one.record.id, authorities, persons.years)
        if by_sex.sexes != ("female", "male"):
            continue
        try:
            return split_small_areas(persons, by_sex, nesting)
        except AxisError as error:
            refused.extend(error.faults)
    if refused:
        raise AxisError(refused)
    remedy = "Add the authorities' estimate of the same year by sex, or small areas by sex"
    what = (
        f"{persons.source.id} counts persons, and no estimate of their authorities of {persons.years} is on the shelf"
    )
    raise AxisError(Fault(what, remedy, field="sex"))


def _holding(areas: Sequence[Area], larger: Sequence[Area], above: dict[str, list[str]]) -> Grouping:
    pairs = [
        (n, parent) for n, area in enumerate(areas) for parent, one in enumerate(larger) if one.code in above[area.code]
    ]
    both = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return Grouping(tuple(larger), both[:, 0], both[:, 1])


def _whole(group: Grouping, size: Mapping[str, int], besides: set[str]) -> tuple[Grouping, int]:
    """The areas of a level all of whose small areas are there, and how many are not whole."""
    counts = np.bincount(group.parent, minlength=len(group.areas))
    whole = [n for n, area in enumerate(group.areas) if counts[n] == size[area.code]]
    kept = [n for n in whole if group.areas[n].code not in besides]
    at = np.full(len(group.areas), -1)
    at[kept] = np.arange(len(kept))
    inside = at[group.parent] >= 0
    found = Grouping(tuple(group.areas[n] for n in kept), group.child[inside], at[group.parent[inside]])
    return found, len(group.areas) - len(whole)


def _left_out(level: str, partial: int) -> list[str]:
    if not partial:
        return []
    which = f"{partial:,} areas of {level} are" if partial > 1 else f"One area of {level} is"
    return [f"{which} not shown, because not all small areas in it were asked for"]


def _crossed(group: Grouping, areas: Sequence[Area], larger: Sequence[Area], above: dict[str, list[str]]) -> Grouping:
    """Parts of each larger area, or of all small areas together where none was asked for."""
    if not larger:
        return group
    of = dict(zip(group.child.tolist(), group.parent.tolist(), strict=True))
    named: dict[tuple[int, int], list[int]] = {}
    for n, area in enumerate(areas):
        for parent, one in enumerate(larger):
            if one.code in above[area.code]:
                named.setdefault((parent, of[n]), []).append(n)
    order = sorted(named)
    places = tuple(
        Area(
            f"{larger[parent].code}-{group.areas[part].code}",
            f"{larger[parent].name}, {group.areas[part].name[0].lower()}{group.areas[part].name[1:]}",
        )
        for parent, part in order
    )
    child = np.concatenate([named[pair] for pair in order]).astype(np.intp)
    at = np.repeat(np.arange(len(order)), [len(named[pair]) for pair in order])
    return Grouping(places, child, at)


def besides(plan_: Plan) -> Plan:
    """What is counted besides small areas: larger areas, in populations of their own."""
    larger = [(one, years, tuple(area for area in areas if not is_small(area))) for one, years, areas in plan_.counted]
    return replace(plan_, counted=tuple(part for part in larger if part[2]))


def other_years(populations: Sequence[Population], small: SmallAreas) -> list[Population]:
    """Populations of larger areas, without the years in which those are sums of their small areas."""
    left = [(one, [year for year in one.years if year not in small.population.years]) for one in populations]
    return [one.at(years) for one, years in left if years]
