"""The gap between estimated need and people known to services: met, unmet, coverage, and how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hna.answers.known_people import KnownPeople, known_people, rows_for
from hna.answers.ledger import CONFLICT, Entry, Ledger, align, bridged, months_apart, nearest
from hna.answers.need import NeedEstimate
from hna.errors import AlignmentError, AxisError, Fault, QuantityError
from hna.evidence.known import Known
from hna.measure.draws import check_level, uniform
from hna.measure.estimate import Cited, Estimate
from hna.model.defaults import Defaults
from hna.model.rules import rules
from hna.model.spec import KnownUse, Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """One printed number: an estimate (None where hidden), its limits, and a probability where it has one."""

    estimate: float | None
    lower: float | None
    upper: float | None
    probability: float | None = None


def not_below(need_draws: Array, known: KnownPeople) -> NDArray[np.bool_]:
    """Draws in which those known, or the fewest that they may be, are no more than the need, shape (draw,)."""
    found: NDArray[np.bool_] = need_draws >= known.low
    return found


def figures(
    need_point: float,
    need_draws: Array,
    known: KnownPeople,
    level: float,
    target: float | None,
    keep: NDArray[np.bool_] | None = None,
) -> dict[str, Figure]:
    """Everything said of one need and one count, taken draw by draw and summarised last.

    In every draw ``gap = N − K``, ``coverage = K/N`` and ``target_shortfall = t·N − K``.

    Parameters
    ----------
    need_point : published rate × people.
    need_draws : shape (draw,), people.
    known : people known.
    level : confidence level.
    target : share of people in need who should be known.
    keep : draws to which a conditioned gap is kept, shape (draw,); its estimate is then their mean. None for all.

    Returns
    -------
    figures for ``known, gap, coverage, p_known_exceeds_need`` and, with a target, ``target_shortfall``. The gap is need
    less known and keeps its sign, its probability that of a gap above zero (the least that hidden counts allow);
    coverage is known over need (of at least one person), its estimate the median of the draws. The chance that known people
    exceed the need is that of all draws, kept or not.
    """
    if keep is not None:
        whole = figures(need_point, need_draws, known, level, target)
        left = replace(known, low=known.low[keep], high=known.high[keep])
        found = figures(float(need_draws[keep].mean()), need_draws[keep], left, level, target)
        return found | {name: whole[name] for name in ("known", "p_known_exceeds_need")}
    at = [(1 - level) / 2, (1 + level) / 2]
    point = known.point
    exact = point is not None and known.printed[0] == known.printed[1] and np.ptp(known.low) == 0
    if exact:
        of_known = Figure(point, point, point)
    elif point is not None:
        of_known = Figure(point, float(np.quantile(known.low, at[0])), float(np.quantile(known.high, at[1])))
    else:
        of_known = Figure(None, float(known.low.min()), float(known.high.max()))
    safe = np.maximum(need_draws, 1.0)

    def spread(lowest: Array, highest: Array, estimate: float | None, positive: bool = False) -> Figure:
        lower, upper = float(np.quantile(lowest, at[0])), float(np.quantile(highest, at[1]))
        # Where only bounds are known, the chance at the bound that makes it least.
        return Figure(estimate, lower, upper, float((lowest > 0).mean()) if positive else None)

    found = {"known": of_known}
    gap_point = None if point is None else need_point - point
    found["gap"] = spread(need_draws - known.high, need_draws - known.low, gap_point, positive=True)
    ratio = (known.low / safe, known.high / safe)
    middle = None if point is None else float(np.median(ratio[0]))
    found["coverage"] = spread(*ratio, middle)
    exceed = float((known.low > need_draws).mean()), float((known.high > need_draws).mean())
    found["p_known_exceeds_need"] = (
        Figure(exceed[0], exceed[0], exceed[1]) if point is not None else Figure(None, exceed[0], exceed[1])
    )
    if target is not None:
        short = None if point is None else target * need_point - point
        found["target_shortfall"] = spread(
            target * need_draws - known.high, target * need_draws - known.low, short, positive=True
        )
    return found


def leverage(need: float, known: float) -> float | None:
    """How many per cent the gap changes for each per cent of error in the estimate: 1 / (1 − coverage).

    None where known people are as many as the estimate, or more.
    """
    return need / (need - known) if need > known else None


def flags_of(found: dict[str, Figure], use: KnownUse, months: float, defaults: Defaults) -> list[str]:
    """Diagnostic codes that a gap carries."""
    flags = []
    factors = use.factors
    if factors is None or factors.in_need is None:
        flags.append("N701")
    if factors is None:
        flags.append("W601")
    if months > defaults.reference_lag_months:
        flags.append("W605")
    if use.residents is not None:
        flags.append("W521")
    if use.gap == "conditioned":
        flags.append("N721")
    if found["known"].estimate is None:
        flags.append("N602")
    chance = found["p_known_exceeds_need"]
    most = chance.upper if chance.upper is not None else 0.0
    if most > rules().known_above:
        flags.append("W723")
    elif most > rules().known_near:
        flags.append("W722")
    return flags


@dataclass(frozen=True, eq=False)
class NetGap(Estimate):
    """Need less known; where a count is hidden its draws spread over the range, and no estimate is printed.

    Parameters
    ----------
    bounds : for each hidden area and year, draws of need less the most and the fewest who may be known.
    """

    bounds: dict[tuple[str, int], tuple[Array, Array]] = field(default_factory=dict)

    def interval(self, level: float = 0.95) -> pd.DataFrame:
        """A table of every area and year with its estimate, missing where a count is hidden, and limits."""
        table = super().interval(level)
        for n, (area, year) in enumerate(zip(table["area"], table["year"], strict=True)):
            if (area, year) in self.bounds:
                lowest, highest = self.bounds[area, year]
                ends = np.quantile(lowest, (1 - level) / 2), np.quantile(highest, (1 + level) / 2)
                table.loc[n, ["estimate", "lower", "upper"]] = [np.nan, *ends]
        return table

    def sum(self, over: str | Sequence[str]) -> Estimate:  # type: ignore[override]
        """The gap of several areas or years together, draw by draw.

        Raises
        ------
        QuantityError
            If a count among them is hidden: its draws spread over a range, and their sum would look surer than it is.
        """
        if self.bounds:
            hidden = [f"{area}, {year}" for area, year in self.bounds]
            raise QuantityError(
                Fault("a count is hidden, so the gaps are not added up", "Leave its area out", rows=hidden)
            )
        parts = {
            name: getattr(self, name)
            for name in ("headline", "draws", "quantity", "unit", "universe", "citations", "flags")
        }
        return Estimate(**parts).sum(over)


@dataclass(frozen=True, eq=False)
class Gap:
    """Need less known, for each area and year that has both.

    Parameters
    ----------
    need : people in need, over area and year.
    counts : the published counts.
    known : people known, for each area and year.
    ledgers : one an area.
    net : need less known.
    coverage : known over need.
    target : share that should be known.
    conditioned : whether draws of the need below the people known are left out.
    """

    need: NeedEstimate
    counts: Known
    known: dict[tuple[str, int], KnownPeople]
    ledgers: tuple[Ledger, ...]
    net: Estimate
    coverage: Estimate
    target: float | None = None
    conditioned: bool = False

    @property
    def ledger(self) -> pd.DataFrame:
        """What was aligned, and how: one row an item."""
        rows = [
            {"area": ledger.area.code, "known": ledger.known, "item": entry.item, "need_side": entry.need,
             "known_side": entry.known, "verdict": entry.verdict, "how": entry.how}
            for ledger in self.ledgers for entry in ledger.entries
        ]  # fmt: skip
        return pd.DataFrame(rows)

    @property
    def citations(self) -> tuple[Cited, ...]:
        """Every source it rests on."""
        return self.net.citations

    @property
    def flags(self) -> tuple[str, ...]:
        """Diagnostic codes."""
        return self.net.flags

    def to_xarray(self) -> xr.DataArray:
        """Draws of the gap."""
        return self.net.to_xarray()

    def interval(self, level: float = 0.95) -> pd.DataFrame:
        """A table of need, known, gap, coverage and P(known > need) for each area and year.

        Returns
        -------
        table with columns ``area, year, quantity, estimate, lower, upper, probability``; the estimate is missing where
        a count is hidden.
        """
        check_level(level)
        rows = []
        need = self.need.interval(level).set_index(["area", "year"]).to_dict("index")
        for (area, year), known in self.known.items():
            point = self.need.headline.sel(area=area, year=year).item()
            draws = self.need.draws.sel(area=area, year=year).values
            found = figures(
                point, draws, known, level, self.target, not_below(draws, known) if self.conditioned else None
            )
            of_need = need[area, year]
            first = Figure(of_need["estimate"], of_need["lower"], of_need["upper"])
            for quantity, figure in {"need": first, **found}.items():
                rows.append({"area": area, "year": year, "quantity": quantity, **vars(figure)})
        return pd.DataFrame(rows)


def gap(need: NeedEstimate, known: Known, use: KnownUse | None = None) -> Gap:
    """Need less the people known to a service, area by area.

    The count of the year nearest to each year of the need is used, once: for the year of the need nearest to the count.

    Parameters
    ----------
    need : from `hna.need`, by area and year.
    known : from `hna.known`.
    use : factors and bridges; None for those that the model gives this source, or none.

    Returns
    -------
    Gap with its ledger.

    Raises
    ------
    AlignmentError
        R711 if the two do not count the same people; R721 if the gap is conditioned and nearly every draw of the need lies
        below the people known.
    AxisError
        If need is not by area and year, or no area has both.
    """
    if set(need.headline.dims) != {"area", "year"}:
        raise AxisError(Fault("a gap is formed from need by area and year", 'Ask for by=["area", "year"]'))
    model = need.rates.model
    use = use or use_of(model, known.source.id)
    size, seed = need.rates.size, need.rates.seed
    people: dict[tuple[str, int], KnownPeople] = {}
    ledgers, flags = [], dict.fromkeys(need.flags)
    faults: list[Fault] = []
    for area in need.population.areas:
        held = known.take(known.area_code == area.code)
        if not len(held):
            continue
        year, latest = nearest(need.population.years, held.years)
        held = held.take(held.year == latest)
        ledger = replace(
            align(need.universe, need.rates.severities[1:], held, use, area, need.population.base, year,
                  need.rates.defaults.steady_volume),
            need=model.need,
        )  # fmt: skip
        if not ledger.aligned:
            faults.append(ledger.refusal())
            continue
        ledgers.append(ledger)
        rows = rows_for(held, need.universe.ages, need.universe.sex, bridged(ledger))
        counted = known_people(held, rows, use, seed, size)
        ledger = conditioning(ledger, use, need.draws.sel(area=area.code, year=year).values, counted)
        ledgers[-1] = ledger
        if not ledger.aligned:
            faults.append(ledger.refusal())
        people[area.code, year] = counted
    if faults:
        raise AlignmentError(faults)
    if not people:
        remedy = "Use counts for the same areas, by code"
        raise AxisError(Fault(f"{known.source.id} has no count for these areas", remedy, rows=need.population.areas))
    return _assembled(need, known, use, people, ledgers, flags)


def conditioning(ledger: Ledger, use: KnownUse, need_draws: Array, known: KnownPeople) -> Ledger:
    """The ledger of a conditioned gap: which draws are kept, or that nearly none are and the evidence is in conflict (R721)."""
    if use.gap != "conditioned":
        return ledger
    if float(not_below(need_draws, known).mean()) < rules().conditioned_least:
        entry = Entry(CONFLICT, "the estimate", "more than nearly every draw of it", "different", code="R721")
    else:
        how = (
            "conditioned: draws of the estimate below the people known are left out, by the chance that these exceed it"
        )
        entry = Entry(CONFLICT, "the estimate", "no more than it", "bridged", how)
    return replace(ledger, entries=(*ledger.entries, entry))


def use_of(model: Model, name: str) -> KnownUse:
    """How a model uses a count; plainly, if it does not name it."""
    return next((use for use in model.known if use.source == name), KnownUse(source=name))


def _refilled(keep: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which draw stands in each place, as many as before: kept ones their own, so that areas stay paired; the next kept one elsewhere."""
    where = np.flatnonzero(keep)
    after = np.searchsorted(where, np.arange(len(keep)))
    return np.asarray(where[after % len(where)])


def _assembled(
    need: NeedEstimate,
    known: Known,
    use: KnownUse,
    people: dict[tuple[str, int], KnownPeople],
    ledgers: list[Ledger],
    flags: dict[str, None],
) -> Gap:
    areas = [code for code, _ in people]
    years = sorted({year for _, year in people})
    if len(years) > 1:
        raise AxisError(
            Fault("counts of different areas are nearest to different years", "Ask for one year of need", rows=years)
        )
    point = need.headline.sel(area=areas, year=years).transpose("area", "year")
    drawn = need.draws.sel(area=areas, year=years).transpose("area", "year", "draw").copy()
    size = need.rates.size
    middle = np.array([[person.middle] for person in people.values()])
    within = uniform(need.rates.seed, f"hidden:{known.source.id}", size)
    spread = np.stack([person.low + (person.high - person.low) * within for person in people.values()])
    counts = xr.DataArray(spread[:, None, :], dims=("area", "year", "draw"), coords={"area": areas, "year": years})
    for (area, year), person in people.items():
        months = months_apart(known.source.reference_date, year)
        place = {"area": area, "year": year}
        found = figures(point.sel(place).item(), drawn.sel(place).values, person, 0.95, None)
        if use.gap == "conditioned":
            kept = _refilled(not_below(drawn.sel(place).values, person))
            row = areas.index(area)
            drawn[row, 0], counts[row, 0] = drawn.values[row, 0, kept], counts.values[row, 0, kept]
        flags |= dict.fromkeys(flags_of(found, use, months, need.rates.defaults))
    flags |= dict.fromkeys(code for ledger in ledgers for code in ledger.assumed)
    if len(set(known.service.tolist())) > 1:
        flags["W601"] = None
    citations = (*need.citations, *known.cited)
    codes = tuple(sorted(flags))
    bounds = {
        (area, year): (
            drawn.sel(area=area, year=year).values - one.high,
            drawn.sel(area=area, year=year).values - one.low,
        )
        for (area, year), one in people.items()
        if one.point is None and use.gap == "signed"
    }
    gaps = drawn - counts
    mean = gaps.mean("draw") if use.gap == "conditioned" else point - middle
    net = NetGap(mean, gaps, "gap", "people", need.universe, citations, codes, bounds=bounds)
    ratio = counts / drawn.clip(min=1.0)
    coverage = Estimate(ratio.median("draw"), ratio, "coverage", "proportion", need.universe, citations, codes)
    target = need.rates.model.target.coverage if need.rates.model.target else None
    return Gap(need, known, people, tuple(ledgers), net, coverage, target, use.gap == "conditioned")
