"""One need answered: every figure, the ledger, and what each step did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.gap import (
    Figure,
    KnownPeople,
    bridged,
    figures,
    flags_of,
    known_people,
    leverage,
    rows_for,
    union_known,
)
from hna.answers.ledger import Ledger, align, months_apart, tiles
from hna.answers.need import Block, age_of_evidence, blocks
from hna.errors import Fault
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.areas import Area
from hna.measure.estimate import Cited
from hna.model.rates import TERMS, Rates
from hna.model.spec import KnownUse, Model

Array = NDArray[np.float64]

COLUMNS = (
    "need", "severity", "area_code", "area_name", "year", "sex", "age_band", "quantity", "estimate", "lower", "upper",
    "level", "probability", "unit", "flags",
)  # fmt: skip
QUANTITIES = (
    "population", "need", "known", "gap", "gap_positive", "coverage", "prevalence", "p_known_exceeds_need",
    "target_shortfall",
)  # fmt: skip
UNITS = {"coverage": "proportion", "prevalence": "proportion", "p_known_exceeds_need": "probability"}
Draws = dict[tuple[str, int, str], Array]


@dataclass(frozen=True)
class WaterfallStep:
    """What one step did to the estimate of one area and year."""

    step: str
    what: str
    estimate: float
    lower: float
    upper: float


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

    @property
    def model(self) -> Model:
        """The model file."""
        return self.rates.model

    @property
    def flags(self) -> tuple[str, ...]:
        """Every diagnostic code raised."""
        return tuple(sorted({code for flags in self.figures["flags"] for code in str(flags).split()}))


@dataclass(frozen=True)
class _Cut:
    """A subgroup: its labels, and which cells it takes."""

    severity: str
    sex: str
    age: str
    band: AgeBand
    rows: tuple[slice | int, slice | int, slice | int]


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
    model = rates.model
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
                found = _Paired(rates, block, here, by, level, flags, population.base)
                rows.extend(found.rows)
                ledgers.extend(found.ledgers)
                refusals.extend(found.refusals)
                if found.leverage is not None:
                    leverages[block.area.code] = found.leverage
    if model.prevalence.severity:
        notes[f"severity from {model.prevalence.severity}"] = None
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
        if block.year - _base_year(population) > rates.defaults.long_projection:
            flags.add("W511")
    return sorted(flags)


def _base_year(population: Population) -> int:
    """Year on which a projection starts, as far as the table tells."""
    found = [
        int(part) for part in population.source.id.replace("_", "-").split("-") if part.isdigit() and len(part) == 4
    ]
    return found[-1] if found else population.years[0]


def _cuts(rates: Rates, by: Sequence[str]) -> Iterator[_Cut]:
    whole = slice(None)
    sexes = rates.sexes if rates.sexes != ("persons",) else (rates.model.sex,)
    everyone = rates.model.sex
    single_sex = len(sexes) == 1
    for s, severity in enumerate(rates.severities):
        yield _Cut(severity, everyone, "all", rates.ages.span, (s, whole, whole))
        if "sex" in by and not single_sex:
            for x, sex in enumerate(sexes):
                yield _Cut(severity, sex, "all", rates.ages.span, (s, x, whole))
        if "age" in by and len(rates.ages.bands) > 1:
            for a, band in enumerate(rates.ages.bands):
                yield _Cut(severity, everyone, band.label, band, (s, whole, a))
            if "sex" in by and not single_sex:
                for x, sex in enumerate(sexes):
                    for a, band in enumerate(rates.ages.bands):
                        yield _Cut(severity, sex, band.label, band, (s, x, a))


def _sum(values: Array, cut: _Cut, trailing: int) -> Array:
    chosen = values[cut.rows]
    axes = tuple(range(chosen.ndim - trailing))
    summed: Array = chosen.sum(axis=axes)
    return summed


def _need_rows(
    rates: Rates, block: Block, by: Sequence[str], level: float, flags: list[str]
) -> Iterator[dict[str, object]]:
    cuts = [cut for cut in _cuts(rates, by) if _printed(rates, cut)]
    drawn = np.stack([_sum(block.draws, cut, 1) for cut in cuts])
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    for n, cut in enumerate(cuts):
        point = float(_sum(block.headline, cut, 0))
        people = float(_sum(block.people, replace(cut, rows=cut.rows[1:]), 0))  # type: ignore[arg-type]
        if cut.severity == rates.severities[0]:
            yield _row(rates, block, replace(cut, severity=""), "population", Figure(people, people, people), level, [])
        figure = Figure(point, float(lower[n]), float(upper[n]))
        yield _row(rates, block, cut, "need", figure, level, flags)
        if people > 0:
            share = Figure(point / people, float(lower[n]) / people, float(upper[n]) / people)
            yield _row(rates, block, cut, "prevalence", share, level, flags)


def _printed(rates: Rates, cut: _Cut) -> bool:
    # Single years from graduated rates are right in total and wrong one by one: they are never published (methods §2).
    return cut.age == "all" or rates.model.prevalence.ages != "graduate"


def _row(
    rates: Rates, block: Block, cut: _Cut, quantity: str, figure: Figure, level: float, flags: Sequence[str]
) -> dict[str, object]:
    return {
        "need": rates.model.need,
        "severity": cut.severity,
        "area_code": block.area.code,
        "area_name": block.area.name,
        "year": block.year,
        "sex": cut.sex,
        "age_band": cut.age,
        "quantity": quantity,
        "estimate": figure.estimate,
        "lower": figure.lower,
        "upper": figure.upper,
        "level": level,
        "probability": figure.probability,
        "unit": UNITS.get(quantity, "people"),
        "flags": " ".join(flags),
    }


class _Paired:
    """Need and counts of one area and year: the ledger first, and figures only where it holds."""

    def __init__(
        self,
        rates: Rates,
        block: Block,
        known: list[Known],
        by: Sequence[str],
        level: float,
        flags: list[str],
        base: str,
    ) -> None:
        self.rates, self.block, self.level, self.flags = rates, block, level, flags
        self.rows: list[dict[str, object]] = []
        self.ledgers: list[Ledger] = []
        self.refusals: list[Fault] = []
        self.leverage: float | None = None
        model = rates.model
        uses = {use.source: use for use in model.known}
        self.universe = rates.universe
        aligned: list[tuple[Known, KnownUse, bool]] = []
        for counts in known:
            use = uses[counts.source.id]
            ledger = replace(
                align(rates.universe, rates.severities[1:], counts, use, block.area, base, block.year), need=model.need
            )
            self.ledgers.append(ledger)
            if ledger.aligned:
                aligned.append((counts, use, bridged(ledger)))
            else:
                self._refuse(ledger, counts, use)
        if aligned:
            self._whole(aligned)
        if len(aligned) == 1 and not aligned[0][2]:
            self._subgroups(*aligned[0][:2], by)

    def _people(self, counts: Known, use: KnownUse, rows: NDArray[np.bool_]) -> KnownPeople:
        return known_people(counts, rows, use, self.rates.seed, self.rates.size)

    def _cut(self, severity: str, sex: str, band: AgeBand | None) -> _Cut:
        s = self.rates.severities.index(severity)
        sexes = self.rates.sexes
        x: slice | int = sexes.index(sex) if sex in sexes and len(sexes) > 1 else slice(None)
        ages: slice = slice(None)
        if band is not None:
            inside = [n for n, own in enumerate(self.rates.ages.bands) if own in band]
            ages = slice(inside[0], inside[-1] + 1)
        label = "all" if band is None else band.label
        return _Cut(severity, sex, label, band or self.rates.ages.span, (s, x, ages))

    def _refuse(self, ledger: Ledger, counts: Known, use: KnownUse) -> None:
        whole = self._cut(self.rates.severities[0], self.rates.model.sex, None)
        point = float(_sum(self.block.headline, whole, 0))
        rows = np.ones(len(counts), dtype=bool)
        if "persons" in set(counts.sex.tolist()):
            rows = counts.sex == "persons"
        people = known_people(counts, rows, KnownUse(source=use.source), self.rates.seed, 1)
        figure = Figure(people.point, *people.printed)
        codes = ["R711", *(entry.code for entry in ledger.differences if entry.code)]
        said = (
            f"{people.point:,.0f}"
            if people.point is not None
            else f"{people.printed[0]:,.0f} to {people.printed[1]:,.0f}"
        )
        self.refusals.append(ledger.refusal(f"; side by side, not comparable: estimated {point:,.0f}, known {said}"))
        cut = replace(whole, severity="")
        self.rows.append(_row(self.rates, self.block, cut, "known", figure, self.level, sorted(set(codes))))

    def _whole(self, aligned: list[tuple[Known, KnownUse, bool]]) -> None:
        rates, block = self.rates, self.block
        whole = self._cut(rates.severities[0], rates.model.sex, None)
        if whole.severity:
            return
        held = {
            counts.source.id: self._people(counts, use, rows_for(counts, rates.model.band, rates.model.sex, over))
            for counts, use, over in aligned
        }
        overlaps = {
            frozenset(overlap.services): float(overlap.people)
            for overlap in rates.model.overlaps
            if overlap.area in (None, block.area.code)
        }
        people = next(iter(held.values())) if len(held) == 1 else union_known(held, overlaps)
        flags = self._pair(whole, people, aligned[0][0], aligned[0][1], more=["W601"] if len(held) > 1 else [])
        need = float(_sum(block.headline, whole, 0))
        if people.point is not None:
            self.leverage = leverage(need, people.point)
        if len(aligned) == 1 and not aligned[0][2]:
            counts, use = aligned[0][:2]
            cells = self._cells(counts)
        else:
            counts, use, cells = aligned[0][0], aligned[0][1], []
        self._positive(whole, counts, use, cells, people, flags)

    def _pair(
        self, cut: _Cut, people: KnownPeople, counts: Known, use: KnownUse, more: Sequence[str] = ()
    ) -> list[str]:
        point = float(_sum(self.block.headline, cut, 0))
        drawn = _sum(self.block.draws, cut, 1)
        target = self.rates.model.target
        found = figures(point, drawn, people, self.level, target.coverage if target else None)
        months = months_apart(counts.source.reference_date, self.block.year)
        added = flags_of(found, use, months, self.rates.defaults)
        flags = sorted({*self.flags, *added, *more})
        for quantity, figure in found.items():
            carried = flags if quantity != "known" else sorted({*added, *more} - {"W722", "W723"})
            self.rows.append(_row(self.rates, self.block, cut, quantity, figure, self.level, carried))
        return flags

    def _cells(self, counts: Known) -> list[tuple[_Cut, NDArray[np.bool_]]]:
        """The finest cells that both sides have: strata, then sexes, then bands."""
        rates = self.rates
        held = set(counts.severity.tolist()) - {""}
        severities = [name for name in rates.strata if name in held] if held and set(rates.strata) == held else [""]
        sexes = (
            ["female", "male"]
            if {"female", "male"} <= set(counts.sex.tolist()) and len(rates.sexes) == 2
            else [rates.model.sex]
        )
        bands = _shared_bands(rates.ages, counts, rates.model.band)
        cells = []
        for severity in severities:
            for sex in sexes:
                for band in bands:
                    rows = rows_for(counts, band, sex, bridged=False, severity=severity or None)
                    if tiles(counts.take(rows), band, sex) or sex == "persons":
                        cells.append((self._cut(severity or rates.severities[0], sex, band), rows))
        return cells

    def _positive(
        self,
        whole: _Cut,
        counts: Known,
        use: KnownUse,
        cells: list[tuple[_Cut, NDArray[np.bool_]]],
        people: KnownPeople,
        flags: list[str],
    ) -> None:
        """The gap added up over the cells in which the estimate exceeds the count: signed draws, never clipped ones."""
        held = [(cut, self._people(counts, use, rows)) for cut, rows in cells] or [(whole, people)]
        low, high = np.zeros(self.rates.size), np.zeros(self.rates.size)
        total: float | None = 0.0
        for cut, known in held:
            point = float(_sum(self.block.headline, cut, 0))
            if point <= known.middle:
                continue
            drawn = _sum(self.block.draws, cut, 1)
            low, high = low + drawn - known.high, high + drawn - known.low
            total = None if total is None or known.point is None else total + point - known.point
        at = [(1 - self.level) / 2, (1 + self.level) / 2]
        figure = Figure(total, float(np.quantile(low, at[0])), float(np.quantile(high, at[1])))
        self.rows.append(_row(self.rates, self.block, whole, "gap_positive", figure, self.level, flags))

    def _subgroups(self, counts: Known, use: KnownUse, by: Sequence[str]) -> None:
        rates = self.rates
        whole_sex = rates.model.sex
        held = set(counts.severity.tolist()) - {""}
        severities = (
            ["", *(name for name in rates.strata if name in held)] if set(rates.strata) == held and held else [""]
        )
        two = {"female", "male"} <= set(counts.sex.tolist()) and len(rates.sexes) == 2
        sexes = [whole_sex, *(("female", "male") if "sex" in by and two else ())]
        bands: list[AgeBand | None] = [None]
        if "age" in by and rates.model.prevalence.ages == "step":
            shared = _shared_bands(rates.ages, counts, rates.model.band)
            bands += shared if len(shared) > 1 else []
        if rates.severities[0] != "":
            return
        for severity in severities:
            for sex in sexes:
                for band in bands:
                    if (severity, sex, band) == ("", whole_sex, None):
                        continue
                    rows = rows_for(counts, band or rates.model.band, sex, bridged=False, severity=severity or None)
                    if rows.any():
                        self._pair(self._cut(severity, sex, band), self._people(counts, use, rows), counts, use)


def _shared_bands(ages: AgeAxis, counts: Known, span: AgeBand) -> list[AgeBand]:
    """The finest bands whose limits are limits on both sides."""
    ours = {band.low for band in ages.bands}
    by_sex: dict[str, set[int]] = {}
    for band, sex in zip(counts.bands, counts.sex, strict=True):
        if band in span:
            by_sex.setdefault(str(sex), set()).add(band.low)
    lows = sorted(set.intersection(ours, *by_sex.values())) if by_sex else []
    if not lows or lows[0] != span.low:
        return [span]
    ends = [*(low - 1 for low in lows[1:]), span.high]
    return [AgeBand(low, end) for low, end in zip(lows, ends, strict=True)]


_STEP_WORDS = {
    "sampling": "the study's own sampling error and rounding",
    "study": "error shared by the whole study: who did not take part, the instrument, the frame",
    "staleness": "years between fieldwork and the year asked for",
    "transport": "difference between this place and where the study was done",
    "realised": "who is actually there: chance in a small number",
}


def waterfall(rates: Rates, population: Population, level: float) -> tuple[WaterfallStep, ...]:
    """What each step did to the estimate and its interval, in the first area and year of a population."""
    first = replace(population, areas=population.areas[:1], people=population.people[:1]).at(population.years[:1])
    block = next(iter(blocks(rates, first)))
    people = block.people[:, :, None]
    at = [(1 - level) / 2, (1 + level) / 2]
    point = float(block.headline[0].sum())
    steps = []
    for n, name in enumerate(("sampling", *TERMS)):
        drawn = (rates.at(block.area.code, block.year, terms=TERMS[:n])[0] * people).sum(axis=(0, 1))
        lower, upper = np.quantile(drawn, at)
        steps.append(WaterfallStep(name, _STEP_WORDS[name], point, float(lower), float(upper)))
    if block.realised:
        lower, upper = np.quantile(block.draws[0].sum(axis=(0, 1)), at)
        steps.append(WaterfallStep("realised", _STEP_WORDS["realised"], point, float(lower), float(upper)))
    return tuple(steps)
