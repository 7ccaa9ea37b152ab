"""What an answer says, area by area: figures looked up once, never computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hna.answers.answer import Answer
from hna.answers.ledger import Ledger
from hna.answers.rows import QUANTITIES
from hna.evidence.known import Known
from hna.evidence.source import KnownSource, PrevalenceSource
from hna.measure.areas import Area
from hna.model.spec import KnownUse, Model
from hna.publish.rounding import Value

Key = tuple[str, int, str, str, str, str]
PROJECTED = "N511"
TOO_FEW = "W121"


@dataclass(frozen=True)
class Cut:
    """A subgroup: severity (blank for all), sex and age band."""

    severity: str
    sex: str
    age: str


@dataclass(frozen=True)
class Comparison:
    """Need and counts of one area and year that count the same people."""

    year: int
    ledgers: tuple[Ledger, ...]
    sources: tuple[KnownSource, ...]
    uses: tuple[KnownUse, ...]
    figures: dict[str, Value]
    leverage: float | None
    counted: tuple[float | None, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """Codes on the gap."""
        return self.figures["gap"].flags

    @property
    def apparent(self) -> bool:
        """Whether some of those counted may not have the need."""
        return "N701" in self.flags


@dataclass(frozen=True)
class Refused:
    """An estimate and a count that do not count the same people."""

    year: int
    ledger: Ledger
    source: KnownSource | None
    need: Value
    known: Value


@dataclass(frozen=True)
class AreaFacts:
    """Everything said of one need in one area."""

    area: Area
    years: tuple[int, ...]
    base_year: int
    comparisons: tuple[Comparison, ...]
    refused: tuple[Refused, ...]
    hidden: bool = False


@dataclass(frozen=True)
class NeedFacts:
    """Everything said of one need."""

    answer: Answer
    table: dict[Key, Value]
    areas: tuple[AreaFacts, ...]
    cuts: tuple[Cut, ...]
    flags: tuple[str, ...] = ()
    few: tuple[str, ...] = ()
    """Subgroups not shown by themselves: too few people were examined."""

    @property
    def model(self) -> Model:
        """The model file."""
        return self.answer.model

    @property
    def whole(self) -> Cut:
        """Everybody with the need."""
        return Cut(self.answer.rates.severities[0], self.model.sex, "all")

    def value(self, area: Area, year: int, quantity: str, cut: Cut | None = None) -> Value | None:
        """A figure, or None where there is none."""
        at = cut or self.whole
        severity = "" if quantity == "population" else at.severity
        return self.table.get((area.code, year, severity, at.sex, at.age, quantity))

    @property
    def prevalences(self) -> list[PrevalenceSource]:
        """Sources of prevalence and of severity, in order of use."""
        return [source for source in self.answer.citations if isinstance(source, PrevalenceSource)]

    def source_title(self, name: str) -> str:
        """What a source is called for people; its identifier where it has no title."""
        found = next((source for source in self.answer.citations if source.id == name), None)
        return str(getattr(found, "title", None) or name)

    @cached_property
    def beside(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of comparisons, by area code."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.answer.comparisons.to_dict("records"):
            found.setdefault(str(row["area_code"]), []).append({str(name): value for name, value in row.items()})
        return found

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata of severity, all cases together left out."""
        return tuple(name for name in self.answer.rates.severities if name)

    @property
    def overlapping(self) -> bool:
        """Whether strata may hold the same person twice."""
        return bool(self.strata) and not self.answer.rates.strata


def _number(value: object) -> float | None:
    return None if not isinstance(value, int | float) or math.isnan(value) else float(value)


def facts_of(answer: Answer) -> NeedFacts:
    """The figures of an answer, by area."""
    table: dict[Key, Value] = {}
    refused: dict[tuple[str, int], list[Value]] = {}
    years: dict[str, dict[int, bool]] = {}
    names: dict[str, str] = {}
    cuts: dict[Cut, None] = {}
    split: dict[str, tuple[str, ...]] = {}
    few: dict[str, None] = {}
    figures = answer.figures
    columns = [figures[name].tolist() for name in figures.columns]
    for row in zip(*columns, strict=True):
        (_, severity, code, name, year, sex, age, quantity, estimate, lower, upper, _, probability, unit, flags) = row
        codes = split.setdefault(flags, tuple(flags.split()))
        value = Value(_number(estimate), _number(lower), _number(upper), _number(probability), str(unit), codes)
        names[code] = name
        if quantity == "known" and "R711" in codes:
            refused.setdefault((code, year), []).append(value)
            continue
        table[code, year, severity, sex, age, quantity] = value
        if TOO_FEW in codes and (sex, age) != (answer.model.sex, "all"):
            few[age if sex == answer.model.sex else f"{sex}s" if age == "all" else f"{sex}s {age}"] = None
            del table[code, year, severity, sex, age, quantity]
        if quantity == "need":
            cuts[Cut(severity, sex, age)] = None
            years.setdefault(code, {}).setdefault(year, PROJECTED in codes)
    areas = tuple(_area(answer, table, refused, Area(code, names[code]), years[code]) for code in years)
    if not answer.comparisons.empty:
        split |= {str(flags): tuple(str(flags).split()) for flags in answer.comparisons["flags"]}
    raised = tuple(sorted({code for codes in split.values() for code in codes}))
    return NeedFacts(answer, table, areas, tuple(cuts), raised, tuple(few))


def _area(
    answer: Answer,
    table: dict[Key, Value],
    refused: dict[tuple[str, int], list[Value]],
    area: Area,
    years: dict[int, bool],
) -> AreaFacts:
    counted = [year for year, projected in years.items() if not projected]
    base = max(counted) if counted else min(years)
    known = {counts.source.id: counts for counts in answer.known}
    uses = {use.source: use for use in answer.model.known}
    ledgers = [ledger for ledger in answer.ledgers if ledger.area.code == area.code]
    severity, sex = answer.rates.severities[0], answer.model.sex
    comparisons: list[Comparison] = []
    sides: list[Refused] = []
    hidden = False
    for year in sorted(years):
        here = [ledger for ledger in ledgers if _year_of(ledger) == year]
        aligned = tuple(ledger for ledger in here if ledger.aligned)
        at = (area.code, year, severity, sex, "all")
        whole = {quantity: table[(*at, quantity)] for quantity in QUANTITIES if (*at, quantity) in table}
        withheld = "gap" in whole and "N1004" in whole["gap"].flags
        hidden = hidden or withheld
        if aligned and "gap" in whole and not withheld:
            held = [known[ledger.known] for ledger in aligned]
            comparisons.append(
                Comparison(
                    year,
                    aligned,
                    tuple(counts.source for counts in held),
                    tuple(uses[ledger.known] for ledger in aligned),
                    whole,
                    answer.leverages.get(area.code),
                    tuple(_counted(counts, area, year) for counts in held),
                )
            )
        beside = iter(refused.get((area.code, year), []))
        for ledger in here:
            value = None if ledger.aligned else next(beside, None)
            if value is not None:
                source = known[ledger.known].source if ledger.known in known else None
                sides.append(Refused(year, ledger, source, whole["need"], value))
    return AreaFacts(area, tuple(sorted(years)), base, tuple(comparisons), tuple(sides), hidden)


def _year_of(ledger: Ledger) -> int:
    """The year of need that a ledger aligns to."""
    said = next(entry.need for entry in ledger.entries if entry.item == "reference date")
    return int(said.removeprefix("mid-"))


def _counted(counts: Known, area: Area, year: int) -> float | None:
    """What the publisher printed for an area, where it is one number for persons of all the ages that it counts."""
    here = counts.take(counts.area_code == area.code)
    if not len(here):
        return None
    nearest = min(here.years, key=lambda found: (abs(found - year), -found))
    here = here.take(here.year == nearest)
    if len(here) != 1 or math.isnan(float(here.count[0])):
        return None
    return float(here.count[0])


def projected(facts: NeedFacts, place: AreaFacts) -> Iterator[tuple[int, Value]]:
    """Need of the latest estimate and of each year after it."""
    for year in place.years:
        value = facts.value(place.area, year, "need")
        if value is not None and year >= place.base_year:
            yield year, value
