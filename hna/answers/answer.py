"""One need answered: every figure, the ledger, and what each step did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.gap_rows import GapRows
from hna.answers.layers import Spread
from hna.answers.ledger import Ledger
from hna.answers.memory import MEMORY
from hna.answers.need import Block, blocks, flags_in
from hna.answers.rows import COLUMNS, QUANTITIES
from hna.answers.small_areas import SHOWN, SmallAreas
from hna.answers.stream import Runner, summarise
from hna.answers.summary import Summary
from hna.answers.waterfall import WaterfallStep, waterfall
from hna.errors import Fault
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.measure.areas import Area
from hna.measure.estimate import Cited
from hna.model.people_error import words
from hna.model.rates import Rates
from hna.model.spec import Model

Array = NDArray[np.float64]

Draws = dict[tuple[str, int, str], Array]


_ROWS = 2000


class Streamed(NamedTuple):
    """Figures of many places, held as arrays, and the codes of each year."""

    summary: Summary
    told: Mapping[int, Sequence[str]]

    def frames(self) -> Iterator[pd.DataFrame]:
        """The rows of gap.csv, some places at a time."""
        rates, places = self.summary.rates, len(self.summary.places)
        for start in range(0, places, _ROWS):
            yield _ordered(rates, [self.summary.of(range(start, min(start + _ROWS, places))).frame(self.told)])


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
    sums : by area code and year, draws of need that are a sum over small areas and that counts are set beside, (severity, draw).
    more : figures of many small areas, which go to gap.csv and to no page.
    comparisons : one row an area, quantity and comparator, in the columns of comparisons.csv.
    scenarios : where the model asks for an envelope, the whole run again on each further source alone.
    spread : expected need and people known in the authorities around, to be drawn; None where it was not asked for.
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
    sums: Mapping[tuple[str, int], Array] = field(default_factory=dict)
    more: tuple[Streamed, ...] = ()
    spread: Spread | None = None

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
    small: SmallAreas | None = None,
    memory: int = MEMORY,
    runner: Runner | None = None,
) -> Answer:
    """Everything said of one need: draws are formed, read and dropped block by block.

    Parameters
    ----------
    rates : from `make_rates`.
    populations : people, each for its own years (and areas).
    known : counts, in the order of the model file.
    by : subgroups to report: any of sex, age. Severity is always reported.
    level : confidence level.
    gap_year : for each source of counts and area code, the year of need that it is compared with.
    keep_draws : whether to keep the draws of need.
    small : small areas assessed besides, and what they add up to.
    memory : bytes that blocks may use.
    runner : runs the blocks of small areas elsewhere.

    Raises
    ------
    QuantityError
        If that would not fit, before it starts.
    """
    tables: list[pd.DataFrame] = []
    ledgers: list[Ledger] = []
    refusals: list[Fault] = []
    leverages: dict[str, float] = {}
    notes: dict[str, None] = dict.fromkeys(rates.notes)
    kept: Draws = {}
    cited: dict[str, Cited] = {source.id: source for source in rates.citations}
    more: list[Streamed] = []
    sums: dict[tuple[str, int], Array] = {}
    parts: list[Population | None] = [*populations, *([None] if small else [])]
    for part in parts:
        groups = () if part or not small else small.groups
        below = part or (small.population if small else populations[0])
        notes |= dict.fromkeys(below.bridges)
        cited |= {source.id: source for source in below.citations}
        told = {year: sorted(flags_in(rates, below, [year])) for year in below.years}
        mixed = ["W501"] if _mixed(below, populations) else []
        series = {year: sorted({*flags, *mixed}) for year, flags in told.items()}
        asked = small.asked if small and not part else ()
        found = summarise(
            rates, below, by=("severity", *by), level=level, keep_draws=keep_draws, groups=groups, memory=memory,
            errors_of=small.errors_of if small and not part else None, keep=[area.code for area in asked],
            runner=None if part else runner,
        )  # fmt: skip
        first = 0 if part or (small and small.each) else len(below.areas)
        shown = first if len(below.areas) <= SHOWN else len(below.areas)
        tables.append(found.of(range(shown, len(found.places))).frame(series))
        if first < shown:
            more.append(Streamed(found.of(range(first, shown)), series))
        for (s, severity), (code, n), (y, year) in product(
            enumerate(rates.severities), found.kept.items(), enumerate(below.years)
        ):
            if keep_draws:
                kept[severity, year, code] = found.draws[s, n, y]
        population = part or (small.above() if small else below)
        for counts, block in _counted_blocks(rates, population, known, gap_year, found if asked else None):
            cited |= {source.id: source for one in counts for source in one.cited}
            notes |= dict.fromkeys(note for one in counts if one.origin for note in one.origin.notes)
            if asked:
                key = block.area.code, block.year
                sums[key] = found.draws[:, found.kept[key[0]], found.years.index(key[1])].copy()
            flags = sorted({*told[block.year], "N461"}) if block.realised else told[block.year]
            gaps = GapRows(rates, block, counts, by, level, flags, population.base)
            tables.append(pd.DataFrame(gaps.rows, columns=list(COLUMNS)))
            ledgers.extend(gaps.ledgers)
            refusals.extend(gaps.refusals)
            if gaps.leverage is not None:
                leverages[block.area.code] = gaps.leverage
    uncertain = words([*populations, *([small.population] if small else [])])
    notes |= dict.fromkeys([uncertain] if uncertain else [])
    one = populations[0] if populations else population
    steps = waterfall(rates, one, level)
    return Answer(
        rates, _ordered(rates, tables), tuple(ledgers), steps,
        (one.areas[0], one.years[0]), leverages, tuple(refusals), tuple(cited.values()), tuple(notes), tuple(known), kept,
        sums=sums, more=tuple(more),
    )  # fmt: skip


def _ordered(rates: Rates, tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows by area, year, severity and quantity."""
    table = pd.concat([one for one in tables if len(one)], ignore_index=True)
    table = table.astype(dict.fromkeys(("estimate", "lower", "upper", "probability"), float))  # None is missing
    order = {quantity: n for n, quantity in enumerate(QUANTITIES)}
    severity_at = {name: n for n, name in enumerate(rates.severities)}
    keys = table.assign(
        # The tenth tenth comes after the ninth, not after the first.
        _a=table["area_code"].str.replace(r"-D(\d)$", r"-D0\1", regex=True),
        _q=table["quantity"].map(order),
        _s=table["severity"].map(severity_at),
        _n=np.arange(len(table)),
    )
    placed = keys.sort_values(["_a", "year", "_s", "_q", "_n"], kind="stable")
    return placed[list(COLUMNS)].reset_index(drop=True)


def _counted_blocks(
    rates: Rates,
    population: Population,
    known: Sequence[Known],
    gap_year: Mapping[tuple[str, str], int],
    summed: Summary | None = None,
) -> Iterator[tuple[list[Known], Block]]:
    """Need of each area and year that counts are set beside, and those counts.

    Need that is a sum over small areas keeps the draws of that sum: its cells are in the proportions of the area's own.
    """
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
                block = next(blocks(rates, alone))
                if summed is not None:
                    block = as_sum(block, summed.draws[:, summed.kept[area.code], y])
                yield here, block


def as_sum(block: Block, drawn: Array) -> Block:
    """Need of an area with the draws of a sum over its small areas, shape (severity, draw), in its own proportions by cell."""
    sums = block.draws.sum(axis=(1, 2), keepdims=True)
    share = np.divide(drawn[:, None, None], sums, out=np.zeros_like(sums), where=sums > 0)
    return replace(block, draws=block.draws * share, realised=True)


def _counted(counts: Known, code: str, year: int) -> int:
    years = counts.take(counts.area_code == code).years
    return min(years, key=lambda counted: (abs(counted - year), -counted))


def _mixed(population: Population, others: Sequence[Population]) -> bool:
    """Whether years of these areas stand in one series with another release's, and are not the latest estimate."""
    areas = {area.code for area in population.areas}
    beside = [one for one in others if areas & {area.code for area in one.areas}]
    latest = max(beside, key=lambda one: (one.source.basis != "projection", one.years[-1]), default=population)
    return population.source.id != latest.source.id
