"""Which people are counted for which years: chosen openly, from what the shelf holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hna.errors import AxisError, Fault
from hna.evidence.known import Known
from hna.evidence.population import Population, areas_and_years, read_population, years_in_words
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource, PopulationSource
from hna.evidence.split_sex import split_sex
from hna.measure.areas import Area, Gazetteer
from hna.model.people_error import with_error
from hna.model.rates import Rates

PROJECTED_STEP = 5
"""Projected years shown unless others are asked for: every fifth, counted from the base year."""


@dataclass(frozen=True)
class Held:
    """A population on the shelf, and what it holds."""

    record: PopulationSource
    areas: Gazetteer
    years: tuple[int, ...]
    own: bool


@dataclass(frozen=True)
class Plan:
    """Areas, and the years of each population that are used.

    Parameters
    ----------
    areas : in the order asked for.
    counted : populations with their years and areas.
    explicit : whether the analyst chose the years.
    notes : areas that a population does not hold, in words.
    group : whom the populations count; blank for everybody.
    """

    areas: tuple[Area, ...]
    counted: tuple[tuple[Held, tuple[int, ...], tuple[Area, ...]], ...]
    explicit: bool
    notes: tuple[str, ...] = ()
    group: str = ""

    @property
    def years(self) -> tuple[int, ...]:
        """Every year of need."""
        return tuple(sorted({year for _, years, _ in self.counted for year in years}))


def populations_on(shelf: Shelf, name: str | None = None, group: str = "") -> list[Held]:
    """Every population on the shelf that counts a group (blank: everybody), or the one named; no variant that is not named."""
    folders = shelf.folders(PopulationSource)
    names = [name] if name is not None else list(folders)
    held = []
    for known in names:
        record = shelf.record(PopulationSource, known)
        if name is None and ((record.group or "") != group or record.variant is not None):
            continue
        areas, years = areas_and_years(shelf, known)
        held.append(Held(record, areas, years, shelf.own(folders[known])))
    return held


def counting(held: Sequence[Held], area: Area) -> list[Held]:
    """The populations that count an area: the analyst's own if there are any, else those shipped."""
    having = [one for one in held if area.code in one.areas]
    return [one for one in having if one.own] or having


def plan(
    shelf: Shelf,
    areas: Sequence[str],
    population: str | None = None,
    years: Sequence[int] | None = None,
    group: str = "",
) -> Plan:
    """Which population serves which years.

    Parameters
    ----------
    shelf : where the populations are.
    areas : names or codes; empty for every area of the analyst's own populations.
    population : the only one to use; None to choose.
    years : the years asked for; None for the latest estimate and, from projections, every fifth year after it.
    group : whom the populations count; blank for everybody.

    Raises
    ------
    AxisError
        An unknown area, or a year that no population holds.
    """
    held = populations_on(shelf, population, group)
    own = [one for one in held if one.own] or held
    wanted = _find(held, areas) if areas else Gazetteer(area for one in own for area in one.areas.areas).areas
    if years is not None:
        return replace(_asked_for(held, wanted, sorted(set(years))), group=group)
    counted: dict[str, tuple[Held, tuple[int, ...], list[Area]]] = {}
    notes = []
    for area in wanted:
        having = counting(held, area)
        has = [one for one in having if one.record.basis != "projection"]
        projected = [one for one in having if one.record.basis == "projection"]
        base = max(has, key=lambda one: one.years[-1], default=None)
        if base is not None:
            shown = base.years[-1:] if not base.own else base.years
            counted.setdefault(base.record.id, (base, shown, []))[2].append(area)
        for one in projected:
            first = base.years[-1] if base is not None else None
            chosen = tuple(
                year for year in one.years if (first is None or (year > first and (year - first) % PROJECTED_STEP == 0))
            )
            if first is None and len(chosen) > PROJECTED_STEP:
                chosen = tuple(year for year in one.years if (one.years[-1] - year) % PROJECTED_STEP == 0)
            if chosen:
                counted.setdefault(one.record.id, (one, chosen, []))[2].append(area)
        if (
            not projected
            and not (base is not None and base.own)
            and any(one.record.basis == "projection" for one in held)
        ):
            notes.append(f"{area} is in no projection on the shelf, so it is assessed without one")
    return Plan(
        tuple(wanted), tuple((one, shown, tuple(some)) for one, shown, some in counted.values()), False, tuple(notes),
        group,
    )  # fmt: skip


def _find(held: Sequence[Held], texts: Sequence[str]) -> list[Area]:
    """Areas by name or code, an analyst's own before a shipped one of the same name."""
    own = Gazetteer(area for one in held if one.own for area in one.areas.areas)
    everywhere = Gazetteer(area for one in held for area in one.areas.areas)
    return own.find_all(texts, everywhere)


def _asked_for(held: list[Held], wanted: list[Area], years: Sequence[int]) -> Plan:
    counted: dict[tuple[str, tuple[Area, ...]], tuple[Held, list[int], tuple[Area, ...]]] = {}
    faults = []
    for area in wanted:
        absent = []
        for year in years:
            having = [one for one in counting(held, area) if year in one.years]
            if not having:
                absent.append(year)
                continue
            best = min(having, key=lambda one: (one.record.basis == "projection", -one.years[-1]))
            counted.setdefault((best.record.id, (area,)), (best, [], (area,)))[1].append(year)
        if absent:
            has = sorted({known for one in counting(held, area) for known in one.years})
            remedy = f"Ask for {years_in_words(has)}"
            code = "R512" if has and max(absent) > has[-1] else ""
            faults.append(Fault(f"years are in no population of {area}", remedy, field="year", rows=absent, code=code))
    if faults:
        raise AxisError(faults)
    merged: dict[tuple[str, tuple[int, ...]], tuple[Held, list[Area]]] = {}
    for one, some, alone in counted.values():
        merged.setdefault((one.record.id, tuple(some)), (one, []))[1].extend(alone)
    return Plan(tuple(wanted), tuple((one, key[1], tuple(areas)) for key, (one, areas) in merged.items()), True)


def gap_years(
    shelf: Shelf, plan_: Plan, known: Sequence[Known], population: str | None
) -> tuple[dict[tuple[str, str], int], Plan]:
    """For each count and area the year of need that it is compared with, and the plan with those years added.

    A count is compared with the people of its own year where an estimate of them is on the shelf and the analyst did
    not choose years or a population; otherwise with the nearest year asked for.
    """
    pairs: dict[tuple[str, str], int] = {}
    counted = {(one.record.id, years, areas): one for one, years, areas in plan_.counted}
    extra: dict[tuple[str, int], tuple[Held, list[Area]]] = {}
    free = not plan_.explicit and population is None
    held = populations_on(shelf, group=plan_.group) if free else []
    for counts in known:
        for area in plan_.areas:
            years = counts.take(counts.area_code == area.code).years
            if not years:
                continue
            ours = sorted({year for (_, some, areas) in counted for year in some if area in areas})
            if not ours:
                continue
            latest = years[-1]
            if free and latest not in ours:
                having = [
                    one for one in counting(held, area) if latest in one.years and one.record.basis != "projection"
                ]
                if having:
                    place = extra.setdefault((having[0].record.id, latest), (having[0], []))
                    if area not in place[1]:
                        place[1].append(area)
                    pairs[counts.source.id, area.code] = latest
                    continue
            pairs[counts.source.id, area.code] = min(
                ((year, counted_) for year in ours for counted_ in years),
                key=lambda two: (abs(two[0] - two[1]), -two[1]),
            )[0]
    added = tuple((one, (year,), tuple(areas)) for (_, year), (one, areas) in sorted(extra.items()))
    return pairs, replace(plan_, counted=(*plan_.counted, *added))


def people_for(shelf: Shelf, plan_: Plan, rates: Rates) -> list[Population]:
    """The people that a rate needs, persons split by sex by a recorded bridge where the rate is by sex."""
    found = []
    for one, years, areas in plan_.counted:
        population = read_population(shelf, one.record.id, [area.code for area in areas], years)
        if population.sexes == ("persons",) and rates.sexes != ("persons",):
            population = _split(shelf, population, plan_.group)
        found.append(with_error(shelf, population))
    return found


def _split(shelf: Shelf, persons: Population, group: str) -> Population:
    having = [
        one
        for one in populations_on(shelf, group=group)
        if one.record.basis != "projection" and all(area.code in one.areas for area in persons.areas)
    ]
    for one in sorted(having, key=lambda one: abs(one.years[-1] - persons.years[0])):
        by_sex = read_population(shelf, one.record.id, [area.code for area in persons.areas])
        if by_sex.sexes == ("female", "male"):
            return split_sex(persons, by_sex)
    remedy = "Give a population by sex, or an estimate by sex of the same areas to split it by"
    raise AxisError(
        Fault(f"{persons.source.id} counts persons, and the rate is by sex", remedy, field="sex", rows=persons.areas)
    )


def check_codes(shelf: Shelf, known: Known, areas: Sequence[Area]) -> list[Fault]:
    """Faults of area codes in counts: another vintage's code for an area asked for, or a code that no population has.

    Parameters
    ----------
    shelf : where the populations are.
    known : counts.
    areas : asked for.
    """
    faults = []
    named = {area.name.casefold(): area for area in known.areas.areas}
    mixed = [
        f"{area.name}: {area.code} among people, {other.code} among counts"
        for area in areas
        if area.code not in known.areas and (other := named.get(area.name.casefold())) is not None
    ]
    where = f"data/known/{known.source.id}"
    if mixed:
        remedy = "Use counts and people of one vintage of areas"
        faults.append(
            Fault("areas have another code than in the population", remedy, where, "area_code", mixed, "W501")
        )
    if shelf.own(shelf.folder(KnownSource, known.source.id)):
        everywhere = [areas_and_years(shelf, name)[0] for name in shelf.folders(PopulationSource)]
        unknown = [str(area) for area in known.areas.areas if not any(area.code in held for held in everywhere)]
        if unknown:
            remedy = "Mend the codes, or add a population that counts these areas"
            faults.append(Fault("areas are in no population", remedy, where, "area_code", unknown))
    return faults
