"""Is this place different? Coverage, gap and expected prevalence beside region, England and statistical neighbours.

An estimate is compared with an estimate on the same draws of everything the two share, so that what is wrong with the
rate everywhere cancels, and what may differ between places stays. Only what holds a local count is tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.answer import Answer
from hna.answers.comparators import Comparator, Pool, Surroundings, unplaced
from hna.answers.counted import Counted
from hna.answers.gap import use_of
from hna.answers.known_people import KnownPeople
from hna.answers.ledger import bridged
from hna.answers.need import blocks
from hna.answers.paired import Paired, People, assumed, paired, word_of
from hna.errors import AxisError
from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.indicators.benchmark import expected_false_signals, sentence
from hna.measure.areas import Area
from hna.measure.draws import check_level
from hna.measure.estimate import Cited
from hna.model.rules import missing_share, rules

Array = NDArray[np.float64]

COLUMNS = (
    "need", "severity", "area_code", "area_name", "year", "quantity", "estimate", "lower", "upper", "comparator",
    "comparator_name", "comparator_value", "comparator_lower", "comparator_upper", "difference", "difference_lower",
    "difference_upper", "people", "p_higher", "n", "members", "missing", "covered", "period", "polarity", "unit",
    "verdict", "sentence", "method", "level", "flags",
)  # fmt: skip
"""Of comparisons.csv, documented in docs/decisions."""
QUANTITIES = ("prevalence", "coverage", "gap")
PAIRED = "paired draws of the shared rate, the area itself taken out of the comparator"
UNTESTED = "not tested"
WHOLE = 0.9999
"""From this share of the people on, a region or England counts as whole: lookups and populations may differ by rounding."""

_SYNTHETIC = "it rests on the same published rates applied to each population"
_FOUND = "it leans on what was found in other places"
_NO_TRANSPORT = "the model allows places no error of their own"
_FEW_DRAWS = "there are too few draws"
_TINY = 1e-9
_ROUNDING = 1e-12


class Signals(NamedTuple):
    """How many of a table's tests were significant, and how many would be if no area differed."""

    tested: int
    significant: int
    expected: float


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Every comparison of one need.

    Parameters
    ----------
    table : one row an area, quantity and comparator, in `COLUMNS`.
    notes : areas and comparators for which there is none, in words.
    citations : the lookups that say what an area is set beside.
    """

    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    citations: tuple[Cited, ...] = ()


def compare_areas(
    found: Answer,
    populations: Sequence[Population],
    gap_year: Mapping[tuple[str, str], int],
    shelf: Shelf,
    level: float = 0.95,
) -> Comparisons:
    """Each assessed area beside what the model's ``compare.areas`` names.

    For each area one year: that of its count where it has one, else the first assessed. Coverage is people known over
    estimated need, the comparator's pooled from the counts of its authorities; the gap is set beside the gap that the
    area would have at the comparator's coverage, in people; expected prevalence is shown and never tested (R401).

    The comparator is printed with the area in it where it is part of it. The test is against the rest: because
    ``c_a − c_G = (1 − N_a/N_G)(c_a − c_rest)`` in every draw, the two differences have the same sign in every draw.

    Parameters
    ----------
    found : the answer to one need.
    populations : the people it was made from.
    gap_year : for each source of counts and area code, the year of need that it is compared with.
    shelf : where the comparators' people and the lookups are.
    level : confidence level of intervals and tests.

    Returns
    -------
    Comparisons
        Proportions, and people for the gap; draws are summarised last.

    Raises
    ------
    SourceError
        If a lookup is wrong.
    """
    maker = _Maker(found, populations, gap_year, shelf, level)
    rows = [row for area in _areas(populations) for row in maker.rows(area)]
    codes = dict.fromkeys(str(row["area_code"]) for row in rows)
    cited = {one.id: one for code in codes for one in maker.around.sources(code, found.model.compare.areas)}
    return Comparisons(
        pd.DataFrame(rows, columns=list(COLUMNS)),
        (*unplaced(maker.unplaced), *dict.fromkeys(maker.notes)),
        tuple(cited.values()),
    )


def signals(table: pd.DataFrame, level: float) -> Signals:
    """How many rows were tested and found significant, and how many would be if nothing differed (methods §8.3)."""
    words = table["verdict"].astype(str)
    tested = table[~words.isin(["not_tested", "not_comparable"])].drop_duplicates(["need", "area_code", "comparator"])
    significant = int(tested["verdict"].astype(str).str.startswith("sig_").sum())
    return Signals(len(tested), significant, expected_false_signals(len(tested), level))


def _areas(populations: Sequence[Population]) -> list[Area]:
    return list({area.code: area for population in populations for area in population.areas}.values())


class _Maker:
    """The rows of one need, area by area."""

    def __init__(
        self,
        found: Answer,
        populations: Sequence[Population],
        gap_year: Mapping[tuple[str, str], int],
        shelf: Shelf,
        level: float,
    ) -> None:
        check_level(level)
        self.found, self.populations, self.gap_year, self.level = found, populations, gap_year, level
        self.rates, self.shelf = found.rates, shelf
        self.around = Surroundings(shelf)
        self.notes: list[str] = []
        self.unplaced: dict[tuple[str, ...], list[Area]] = {}
        self._people: dict[tuple[str, int], People] = {}
        model = found.model
        of_all = (found.figures["sex"] == model.sex) & (found.figures["age_band"] == "all")
        table = found.figures[of_all & (found.figures["severity"] == self.rates.severities[0])]
        keys = zip(table["area_code"], table["year"], table["quantity"], strict=True)
        self.figures = dict(zip(keys, table.to_dict("records"), strict=True))

    def people(self, population: Population, year: int) -> People:
        """Everyone that the population holds where a count is pooled; else only those who are set beside an area."""
        name = population.source.id
        if (name, year) not in self._people:
            counted = year in self.gap_year.values()
            codes = (
                None if counted else sorted(self._wanted & {a.code for a in areas_and_years(self.shelf, name)[0].areas})
            )
            self._people[name, year] = People(
                self.rates, replace(read_population(self.shelf, name, codes, [year]), error=population.error)
            )
        return self._people[name, year]

    @cached_property
    def _wanted(self) -> set[str]:
        return self.around.around([area.code for area in _areas(self.populations)], self.found.model.compare.areas)

    def rows(self, area: Area) -> Iterator[dict[str, object]]:
        sources = {name: year for (name, code), year in self.gap_year.items() if code == area.code}
        years = [year for population in self.populations if area in population.areas for year in population.years]
        if not years:
            return
        year = next(iter(sources.values())) if sources else min(years)
        population = next((one for one in self.populations if area in one.areas and year in one.years), None)
        if population is None or (area.code, year, "prevalence") not in self.figures:
            return
        kinds = self.found.model.compare.areas
        comparators = self.around.of(area.code, kinds)
        absent = [kind for kind in kinds if kind not in {one.kind for one in comparators}]
        if absent and not area.code.startswith("E92"):
            self.unplaced.setdefault(tuple(absent), []).append(area)
        try:
            people = self.people(population, year)
        except AxisError as error:
            self.notes.append(f"{area}: no comparator, since {error.faults[0].what}")
            return
        if area.code not in people.at:
            return
        local = self._local(area, year, sources, population)
        for comparator in comparators:
            try:
                rows = list(self._prevalence(area, year, people, comparator))
                rows += [] if local is None else local.rows(people, comparator)
            except AxisError as error:  # rates found in places are not found everywhere
                self.notes.append(f"{area} is not set beside {comparator.name}, since {error.faults[0].what}")
                continue
            yield from rows

    def _local(self, area: Area, year: int, sources: Mapping[str, int], population: Population) -> _Local | None:
        """The area's own count, where there is one and it is aligned."""
        if (area.code, year, "coverage") not in self.figures:
            return None
        named = [name for name, when in sources.items() if when == year]
        if len(named) != 1:
            self.notes.append(
                f"{area}: coverage by several services is not compared, since they may count the same people"
            )
            return None
        counts = next(counts for counts in self.found.known if counts.source.id == named[0])
        at = replace(population, areas=(area,), people=population.people[[population.areas.index(area)]]).at([year])
        drawn = next(iter(blocks(self.rates, at))).draws[0].sum(axis=(0, 1))
        whole = any(bridged(one) for one in self.found.ledgers if one.area == area and one.known == named[0])
        counted = Counted(counts, area, year, use_of(self.found.model, named[0]), self.rates, whole)
        return _Local(self, area, year, counted, np.maximum(drawn, _TINY))

    def row(
        self, area: Area, year: int, quantity: str, pool: Comparator, more: Mapping[str, object]
    ) -> dict[str, object]:
        """A row with what every row has."""
        figure = self.figures[area.code, year, quantity]
        return {
            "need": self.found.model.need, "severity": figure["severity"], "area_code": area.code,
            "area_name": area.name, "year": year, "quantity": quantity, "estimate": figure["estimate"],
            "lower": figure["lower"], "upper": figure["upper"], "comparator": pool.kind, "comparator_name": pool.label,
            "unit": figure["unit"], "level": self.level, **more,
        }  # fmt: skip

    def _prevalence(self, area: Area, year: int, people: People, comparator: Comparator) -> Iterator[dict[str, object]]:
        """Expected prevalence side by side, not tested: it holds nothing local (R401), or leans on other places."""
        pool = Pool(comparator, (comparator.code,)) if comparator.code in people.at else None
        if pool is None and comparator.kind == "statistical-neighbours":
            pool = self.around.pool(comparator, area.code, people.at)
        if pool is None or len(pool.missing) > rules().neighbours_missing or not pool.members:
            return
        figure = self.figures[area.code, year, "prevalence"]
        n = float(people.total([area.code]).sum())
        value = people.headline(pool.members) / float(people.total(pool.members).sum())
        difference = float(figure["estimate"]) - value
        flags = {*str(figure["flags"]).split(), *(["W861"] if pool.missing else [])}
        reason = _FOUND
        if not self.rates.found_in_places:
            flags, reason = flags | {"R401"}, f"{_SYNTHETIC} (R401)"
        # One rate for all ages is the same everywhere: the last digit of a division is no difference.
        word = "not_comparable" if abs(difference) <= 1e-12 * value else "not_tested"
        yield self.row(area, year, "prevalence", comparator, {
            "comparator_value": value, "difference": difference, "people": difference * n, "n": n,
            "members": len(pool.members) if comparator.group else None, "missing": len(pool.missing), "covered": None,
            "period": f"mid-{year}", "polarity": "none", "verdict": word,
            "sentence": sentence(word, comparator.name, above=difference > 0, reason=reason),
            "method": UNTESTED, "flags": " ".join(sorted(flags)),
        })  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Local:
    """One area's count and need, to be set beside comparators."""

    maker: _Maker
    area: Area
    year: int
    counted: Counted
    need: Array

    def rows(self, people: People, comparator: Comparator) -> Iterator[dict[str, object]]:
        """Coverage and gap beside one comparator."""
        around, code = self.maker.around, self.area.code
        pool = around.pool(comparator, code, self.counted.held & people.at.keys())
        # The publisher's own total has no authorities to be pooled from; its people have.
        among = around.pool(comparator, code, people.at.keys() - {comparator.code}) if pool.own_total else pool
        covered = self._covered(among, people)
        short = len(pool.missing) > rules().neighbours_missing or (
            covered is not None and covered < 1 - missing_share()
        )
        shared: dict[str, object] = {
            "members": len(among.members), "missing": len(pool.missing), "covered": covered,
            "n": self.figure("need")["estimate"], "method": UNTESTED,
            "period": f"known {self.counted.counts.source.reference_date}, need mid-{self.year}",
        }  # fmt: skip
        within = around.within(code, among.members)
        rest = [one for one in among.members if one not in within]
        hidden = self.figure("coverage")["estimate"] is None or np.isnan(self.figure("coverage")["estimate"])
        if short or not rest or hidden:
            flags = {"R862"} if short or not rest else set()
            yield from self._not_comparable(comparator, shared, flags)
            return
        flags = {"W861"} if pool.missing or covered is None or covered < WHOLE else set()
        yield from self._compared(people, pool, rest, bool(within) or pool.own_total, shared, flags)

    def figure(self, quantity: str) -> Mapping[Any, Any]:
        """One of the area's own figures."""
        return self.maker.figures[self.area.code, self.year, quantity]

    def _covered(self, among: Pool, people: People) -> float | None:
        """Share of a region's or England's people who live in the authorities pooled; None where that is not known."""
        code = among.comparator.code
        if among.comparator.group or code not in people.at:
            return None if not among.comparator.group else 1.0
        return float(people.total(among.members).sum() / people.total([code]).sum())

    def _not_comparable(
        self, comparator: Comparator, shared: Mapping[str, object], flags: set[str]
    ) -> Iterator[dict[str, object]]:
        for quantity in ("coverage", "gap"):
            codes = flags.union(str(self.figure(quantity)["flags"]).split())
            yield self.maker.row(self.area, self.year, quantity, comparator, {
                **shared, "polarity": self._polarity(quantity), "verdict": "not_comparable",
                "sentence": sentence("not_comparable", comparator.name), "flags": " ".join(sorted(codes)),
            })  # fmt: skip

    def _polarity(self, quantity: str) -> str:
        """More coverage is good where the model states a share that should be known, and not otherwise."""
        if self.maker.found.model.target is None:
            return "none"
        return "high-is-good" if quantity == "coverage" else "low-is-good"

    def _compared(
        self, people: People, pool: Pool, rest: list[str], inside: bool, shared: Mapping[str, object], flags: set[str]
    ) -> Iterator[dict[str, object]]:
        level, own, code = self.maker.level, self.counted.known([self.area.code]), self.area.code
        need = people.there(rest, f"{pool.comparator.code}:{code}") + (self.need if inside else 0.0)
        if pool.own_total:
            known = self.counted.known(pool.members)
        else:
            others = self.counted.known(rest)
            known = _plus(others, own) if inside else others
        need_point = people.headline(rest) + (people.headline([code]) if inside else 0.0)
        flags = flags | assumed(self.maker.rates)
        middle = float(np.median(known.middle / need if known.point is None else known.low / need))
        low, high = known.low / need, known.high / need
        least, most = own.low / self.need - high, own.high / self.need - low
        mine, at = float(self.figure("need")["estimate"]), [(1 - level) / 2, (1 + level) / 2]
        ends = (float(np.quantile(low, at[0])), float(np.quantile(high, at[1])))
        estimate = float(self.figure("coverage")["estimate"])
        yield self._row("coverage", pool.comparator, shared, flags, paired(least, most, level), estimate - middle,
                        (estimate - middle) * mine, (middle, *ends))  # fmt: skip
        # The gap there would be here at the comparator's coverage: who lives here is the same on both sides.
        expected = mine * (1 - (known.middle / need_point))
        gaps = (float(np.quantile(self.need * (1 - high), at[0])), float(np.quantile(self.need * (1 - low), at[1])))
        gap = float(self.figure("gap")["estimate"]) - expected
        if abs(gap) <= _ROUNDING * mine:  # two sums of the same people
            gap = 0.0
        apart = paired(-self.need * most, -self.need * least, level)
        yield self._row("gap", pool.comparator, shared, flags, apart, gap, gap, (expected, *gaps))

    def _row(
        self,
        quantity: str,
        comparator: Comparator,
        shared: Mapping[str, object],
        flags: set[str],
        found: Paired,
        difference: float,
        people: float,
        beside: tuple[float, float, float],
    ) -> dict[str, object]:
        rates, level, polarity = self.maker.rates, self.maker.level, self._polarity(quantity)
        why = "" if rates.has_transport or rates.found_in_places else _NO_TRANSPORT
        why = why or ("" if rates.size * (1 - level) / 2 >= 1 else _FEW_DRAWS)
        word = "not_tested" if why else word_of(difference, found, polarity, level)
        codes = flags.union(str(self.figure(quantity)["flags"]).split())
        return self.maker.row(self.area, self.year, quantity, comparator, {
            **shared, "polarity": polarity, "comparator_value": beside[0], "comparator_lower": beside[1],
            "comparator_upper": beside[2], "difference": difference, "difference_lower": found.lower,
            "difference_upper": found.upper, "people": people, "p_higher": (found.p_least + found.p_most) / 2,
            "verdict": word, "sentence": sentence(word, comparator.name, above=difference > 0, reason=why),
            "method": UNTESTED if why else PAIRED, "flags": " ".join(sorted(codes)),
        })  # fmt: skip


def _plus(some: KnownPeople, more: KnownPeople) -> KnownPeople:
    point = None if some.point is None or more.point is None else some.point + more.point
    printed = (some.printed[0] + more.printed[0], some.printed[1] + more.printed[1])
    return KnownPeople(point, some.low + more.low, some.high + more.high, printed)
