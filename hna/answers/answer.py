"""One need answered: every figure, the ledger, and what each step did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.gap import Figure
from hna.answers.gap_rows import GapRows
from hna.answers.ledger import Ledger
from hna.answers.need import Block, age_of_evidence, blocks
from hna.answers.rows import COLUMNS, QUANTITIES, Cut, cuts_of, is_small, people_drawn, people_in, row, total
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
    rows: list[dict[str, object]] = []
    ledgers: list[Ledger] = []
    refusals: list[Fault] = []
    leverages: dict[str, float] = {}
    notes: dict[str, None] = dict.fromkeys(rates.notes)
    kept: Draws = {}
    cited: dict[str, Cited] = {source.id: source for source in rates.citations}
    for population in populations:
        notes |= dict.fromkeys(population.bridges)
        cited |= {source.id: source for source in population.citations}
        for block in blocks(rates, population):
            flags = _need_flags(rates, population, block)
            rows.extend(_need_rows(rates, block, by, level, flags))
            if keep_draws:
                for s, severity in enumerate(rates.severities):
                    kept[severity, block.year, block.area.code] = block.draws[s].sum(axis=(0, 1))
            here = [
                counts.take((counts.area_code == block.area.code) & (counts.year == _counted(counts, block)))
                for counts in known
                if gap_year.get((counts.source.id, block.area.code)) == block.year
            ]
            if here:
                cited |= {counts.source.id: counts.source for counts in here}
                found = GapRows(rates, block, here, by, level, flags, population.base)
                rows.extend(found.rows)
                ledgers.extend(found.ledgers)
                refusals.extend(found.refusals)
                if found.leverage is not None:
                    leverages[block.area.code] = found.leverage
    first = populations[0]
    steps = waterfall(rates, first, level)
    order = {quantity: n for n, quantity in enumerate(QUANTITIES)}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    severity_at = {name: n for n, name in enumerate(rates.severities)}
    table = table.assign(
        _q=table["quantity"].map(order), _s=table["severity"].map(severity_at), _n=np.arange(len(table))
    ).sort_values(["area_code", "year", "_s", "_q", "_n"], kind="stable")
    return Answer(
        rates, table.drop(columns=["_q", "_s", "_n"]).reset_index(drop=True), tuple(ledgers), steps,
        (first.areas[0], first.years[0]), leverages, tuple(refusals), tuple(cited.values()), tuple(notes), tuple(known), kept,
    )  # fmt: skip


def _counted(counts: Known, block: Block) -> int:
    years = counts.take(counts.area_code == block.area.code).years
    return min(years, key=lambda year: (abs(year - block.year), -year))


def _need_flags(rates: Rates, population: Population, block: Block) -> list[str]:
    flags = {*rates.flags, *population.flags, *age_of_evidence(rates, block.year)}
    if block.realised:
        flags.add("N461")
    if population.source.basis == "projection":
        flags.add("N511")
        if block.year - population.base_year > rates.defaults.long_projection:
            flags.add("W511")
    return sorted(flags)


def _need_rows(
    rates: Rates, block: Block, by: Sequence[str], level: float, flags: list[str]
) -> Iterator[dict[str, object]]:
    cuts = [cut for cut in cuts_of(rates, by) if _printed(rates, cut)]
    drawn = np.stack([people_drawn(rates, block, cut) for cut in cuts])
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    for n, cut in enumerate(cuts):
        point = float(total(block.headline, cut, 0))
        people = people_in(block, cut)
        carried = sorted({*flags, "N461"}) if is_small(rates, block, cut) else flags
        if cut.severity == rates.severities[0]:
            yield row(rates, block, replace(cut, severity=""), "population", Figure(people, people, people), level, [])
        figure = Figure(point, float(lower[n]), float(upper[n]))
        yield row(rates, block, cut, "need", figure, level, carried)
        if people > 0:
            share = Figure(point / people, float(lower[n]) / people, float(upper[n]) / people)
            yield row(rates, block, cut, "prevalence", share, level, carried)


def _printed(rates: Rates, cut: Cut) -> bool:
    # Single years from graduated rates are right in total and wrong one by one: they are never published (methods §2).
    return cut.age == "all" or rates.model.prevalence.ages != "graduate"
