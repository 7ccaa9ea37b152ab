"""One need answered: every figure, the ledger, and what each step did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.gap_rows import GapRows
from hna.answers.ledger import Ledger
from hna.answers.need import Block, age_of_evidence, blocks
from hna.answers.rows import COLUMNS, QUANTITIES
from hna.answers.stream import summarise
from hna.answers.waterfall import WaterfallStep, waterfall
from hna.errors import Fault
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.measure.areas import Area
from hna.measure.estimate import Cited
from hna.model.rates import Rates
from hna.model.spec import Model

Array = NDArray[np.float64]

Draws = dict[tuple[str, int, str], Array]


@dataclass(frozen=True, eq=False)
class Answer:
    """A need, answered for areas and years.

    Parameters
    ----------
    rates : what it rests on.
    figures : one row a figure, in the columns of gap.csv.
    ledgers : one for each count and area.
    waterfall : what each step did, in the first area and year.
    waterfall_for : that area and year.
    leverages : by area code: per cent by which the gap moves for 1 % of error in the estimate.
    refusals : gaps that were refused, each with its two numbers side by side.
    citations : every source.
    notes : bridges and assumptions, in words.
    draws : need by severity, year and area, if kept.
    comparisons : one row an area, quantity and comparator, in the columns of comparisons.csv.
    scenarios : where the model asks for an envelope, the whole run again on each further source alone.
    """

    rates: Rates
    figures: pd.DataFrame
    ledgers: tuple[Ledger, ...]
    waterfall: tuple[WaterfallStep, ...]
    waterfall_for: tuple[Area, int]
    leverages: Mapping[str, float]
    refusals: tuple[Fault, ...]
    citations: tuple[Cited, ...]
    notes: tuple[str, ...]
    known: tuple[Known, ...] = ()
    draws: Draws = field(default_factory=dict)
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)
    scenarios: tuple[Answer, ...] = ()

    @property
    def model(self) -> Model:
        """The model file."""
        return self.rates.model

    @property
    def flags(self) -> tuple[str, ...]:
        """Every diagnostic code raised, by figures and by comparisons."""
        tables = [table for table in (self.figures, self.comparisons) if "flags" in table]
        return tuple(sorted({code for table in tables for flags in table["flags"] for code in str(flags).split()}))


def answer(
    rates: Rates,
    populations: Sequence[Population],
    known: Sequence[Known],
    by: Sequence[str],
    level: float,
    gap_year: Mapping[tuple[str, str], int],
    keep_draws: bool = False,
) -> Answer:
    """Everything said of one need, one area and year at a time; no block is kept.

    Parameters
    ----------
    rates : from `make_rates`.
    populations : people, each for its own years (and areas).
    known : counts, in the order of the model file.
    by : subgroups to report: any of sex, age. Severity is always reported.
    level : confidence level.
    gap_year : for each source of counts and area code, the year of need that it is compared with.
    keep_draws : whether to keep the draws of need.
    """
    tables: list[pd.DataFrame] = []
    ledgers: list[Ledger] = []
    refusals: list[Fault] = []
    leverages: dict[str, float] = {}
    notes: dict[str, None] = dict.fromkeys(rates.notes)
    kept: Draws = {}
    cited: dict[str, Cited] = {source.id: source for source in rates.citations}
    for population in populations:
        notes |= dict.fromkeys(population.bridges)
        cited |= {source.id: source for source in population.citations}
        told = {year: need_flags(rates, population, year) for year in population.years}
        found = summarise(rates, population, by=("severity", *by), level=level, keep_draws=keep_draws)
        tables.append(found.frame(told))
        for (s, severity), (a, area), (y, year) in product(
            enumerate(rates.severities), enumerate(population.areas), enumerate(population.years)
        ):
            if keep_draws:
                kept[severity, year, area.code] = found.draws[s, a, y]
        for counts, block in _counted_blocks(rates, population, known, gap_year):
            cited |= {one.source.id: one.source for one in counts}
            flags = sorted({*told[block.year], "N461"}) if block.realised else told[block.year]
            gaps = GapRows(rates, block, counts, by, level, flags, population.base)
            tables.append(pd.DataFrame(gaps.rows, columns=list(COLUMNS)))
            ledgers.extend(gaps.ledgers)
            refusals.extend(gaps.refusals)
            if gaps.leverage is not None:
                leverages[block.area.code] = gaps.leverage
    first = populations[0]
    steps = waterfall(rates, first, level)
    return Answer(
        rates, _ordered(rates, tables), tuple(ledgers), steps,
        (first.areas[0], first.years[0]), leverages, tuple(refusals), tuple(cited.values()), tuple(notes), tuple(known), kept,
    )  # fmt: skip


def _ordered(rates: Rates, tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows by area, year, severity and quantity."""
    table = pd.concat([one for one in tables if len(one)], ignore_index=True)
    table = table.astype(dict.fromkeys(("estimate", "lower", "upper", "probability"), float))  # None is missing
    order = {quantity: n for n, quantity in enumerate(QUANTITIES)}
    severity_at = {name: n for n, name in enumerate(rates.severities)}
    keys = table.assign(
        _q=table["quantity"].map(order), _s=table["severity"].map(severity_at), _n=np.arange(len(table))
    )
    placed = keys.sort_values(["area_code", "year", "_s", "_q", "_n"], kind="stable")
    return placed[list(COLUMNS)].reset_index(drop=True)


def _counted_blocks(
    rates: Rates, population: Population, known: Sequence[Known], gap_year: Mapping[tuple[str, str], int]
) -> Iterator[tuple[list[Known], Block]]:
    """Need of each area and year that counts are set beside, and those counts."""
    for a, area in enumerate(population.areas):
        for y, year in enumerate(population.years):
            here = [
                counts.take((counts.area_code == area.code) & (counts.year == _counted(counts, area.code, year)))
                for counts in known
                if gap_year.get((counts.source.id, area.code)) == year
            ]
            if here:
                people = population.people[a : a + 1, y : y + 1]
                alone = replace(population, areas=(area,), years=(year,), people=people)
                yield here, next(blocks(rates, alone))


def _counted(counts: Known, code: str, year: int) -> int:
    years = counts.take(counts.area_code == code).years
    return min(years, key=lambda counted: (abs(counted - year), -counted))


def need_flags(rates: Rates, population: Population, year: int) -> list[str]:
    """Codes that every figure of need in a year carries."""
    flags = {*rates.flags, *population.flags, *age_of_evidence(rates, year)}
    if population.source.basis == "projection":
        flags.add("N511")
        if year - population.base_year > rates.defaults.long_projection:
            flags.add("W511")
    return sorted(flags)
