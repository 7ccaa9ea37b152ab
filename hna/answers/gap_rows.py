"""Rows of gap.csv that set a need beside its counts: the ledger first, figures only where it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hna.answers.gap import Figure, conditioning, figures, flags_of, leverage, not_below
from hna.answers.known_people import KnownPeople, known_people, rows_beside, rows_for, union_known
from hna.answers.ledger import Ledger, align, bridged, months_apart, tiles
from hna.answers.need import Block
from hna.answers.rows import Cut, is_small, people_drawn, row, total
from hna.errors import Fault
from hna.evidence.known import Known
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.rates import Rates
from hna.model.reliability import TOO_FEW, examined
from hna.model.spec import KnownUse


class GapRows:
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
        self.assumed: dict[str, None] = {}
        self.examined = examined(rates)
        self.keep: NDArray[np.bool_] | None = None
        model = rates.model
        uses = {use.source: use for use in model.known}
        self.universe = rates.universe
        aligned: list[tuple[Known, KnownUse, bool]] = []
        for counts in known:
            use = uses[counts.source.id]
            ledger = replace(
                align(rates.universe, rates.severities[1:], counts, use, block.area, base, block.year,
                      rates.defaults.steady_volume),
                need=model.need,
            )  # fmt: skip
            if ledger.aligned and use.gap == "conditioned":
                ledger = self._conditioned(ledger, counts, use)
            self.ledgers.append(ledger)
            if ledger.aligned:
                aligned.append((counts, use, bridged(ledger)))
                self.assumed |= dict.fromkeys(ledger.assumed)
            else:
                self._refuse(ledger, counts, use)
        if aligned:
            self._whole(aligned)
        if len(aligned) == 1 and not aligned[0][2]:
            self._subgroups(*aligned[0][:2], by)

    def _conditioned(self, ledger: Ledger, counts: Known, use: KnownUse) -> Ledger:
        """Draws of everybody's need not below everybody known: all subgroups keep the same ones, so that they add up."""
        model = self.rates.model
        whole = self._cut(self.rates.severities[0], model.sex, None)
        people = self._people(counts, use, rows_for(counts, model.band, model.sex, bridged(ledger)))
        drawn = people_drawn(self.rates, self.block, whole)
        self.keep = not_below(drawn, people)
        return conditioning(ledger, use, drawn, people)

    def _people(self, counts: Known, use: KnownUse, rows: NDArray[np.bool_]) -> KnownPeople:
        return known_people(counts, rows, use, self.rates.seed, self.rates.size)

    def _cut(self, severity: str, sex: str, band: AgeBand | None) -> Cut:
        s = self.rates.severities.index(severity)
        sexes = self.rates.sexes
        x: slice | int = sexes.index(sex) if sex in sexes and len(sexes) > 1 else slice(None)
        ages: slice = slice(None)
        if band is not None:
            inside = [n for n, own in enumerate(self.rates.ages.bands) if own in band]
            ages = slice(inside[0], inside[-1] + 1)
        label = "all" if band is None else band.label
        return Cut(severity, sex, label, band or self.rates.ages.span, (s, x, ages))

    def _refuse(self, ledger: Ledger, counts: Known, use: KnownUse) -> None:
        whole = self._cut(self.rates.severities[0], self.rates.model.sex, None)
        point = float(total(self.block.headline, whole, 0))
        rows = rows_beside(counts, self.rates.model.band)
        people = known_people(counts, rows, KnownUse(source=use.source), self.rates.seed, 1)
        figure = Figure(people.point, *people.printed)
        codes = ["R711", *(entry.code for entry in ledger.differences if entry.code)]
        said = (
            f"{people.point:,.0f}"
            if people.point is not None
            else f"{people.printed[0]:,.0f} to {people.printed[1]:,.0f}"
        )
        if not ledger.apart:  # the model says so itself: nothing was asked for that is refused
            self.refusals.append(
                ledger.refusal(f"; side by side, not comparable: estimated {point:,.0f}, known {said}")
            )
        cut = replace(whole, severity="")
        self.rows.append(row(self.rates, self.block, cut, "known", figure, self.level, sorted(set(codes))))

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
        need = float(total(block.headline, whole, 0))
        if people.point is not None:
            self.leverage = leverage(need, people.point)
        if len(aligned) == 1 and not aligned[0][2]:
            counts, use = aligned[0][:2]
            cells = self._cells(counts)
        else:
            counts, use, cells = aligned[0][0], aligned[0][1], []
        self._positive(whole, counts, use, cells, people, flags)

    def _pair(self, cut: Cut, people: KnownPeople, counts: Known, use: KnownUse, more: Sequence[str] = ()) -> list[str]:
        point = float(total(self.block.headline, cut, 0))
        drawn = people_drawn(self.rates, self.block, cut)
        target = self.rates.model.target
        found = figures(point, drawn, people, self.level, target.coverage if target else None, self.keep)
        months = months_apart(counts.source.reference_date, self.block.year)
        shared = ["W601"] if len(set(counts.service.tolist())) > 1 else []
        added = [*flags_of(found, use, months, self.rates.defaults), *self.assumed, *shared]
        if (
            shared and not np.isnan(counts.count).any()
        ):  # a range because services may share people, not because a count is hidden
            added.remove("N602")
        small = {"N461"} if is_small(self.rates, self.block, cut) else set()
        cells = np.zeros((len(self.rates.sexes), len(self.rates.ages.bands)))
        cells[cut.rows[1:]] = 1
        alone = {TOO_FEW} if self.examined.too_few(self.rates.severities.index(cut.severity), cells) else set()
        flags = sorted({*self.flags, *added, *more, *small, *alone})
        for quantity, figure in found.items():
            carried = flags if quantity != "known" else sorted({*added, *more} - {"W722", "W723"})
            self.rows.append(row(self.rates, self.block, cut, quantity, figure, self.level, carried))
        return flags

    def _cells(self, counts: Known) -> list[tuple[Cut, NDArray[np.bool_]]]:
        """The finest cells that both sides have: strata, then sexes, then bands."""
        rates = self.rates
        held = set(counts.severity.tolist()) - {""}
        severities = [name for name in rates.strata if name in held] if held and set(rates.strata) == held else [""]
        sexes = (
            ["female", "male"]
            if {"female", "male"} <= set(counts.sex.tolist()) and len(rates.sexes) == 2
            else [rates.model.sex]
        )
        bands = shared_bands(rates.ages, counts, rates.model.band)
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
        whole: Cut,
        counts: Known,
        use: KnownUse,
        cells: list[tuple[Cut, NDArray[np.bool_]]],
        people: KnownPeople,
        flags: list[str],
    ) -> None:
        """The gap added up over the cells in which the estimate exceeds the count: signed draws, never clipped ones."""
        held = [(cut, self._people(counts, use, rows)) for cut, rows in cells] or [(whole, people)]
        low, high = (np.zeros(self.rates.size if self.keep is None else self.keep.sum()) for _ in range(2))
        point_gap: float | None = 0.0
        for cut, counted in held:
            known, point = counted, float(total(self.block.headline, cut, 0))
            drawn = total(self.block.draws, cut, 1)
            if self.keep is not None:
                drawn, known = drawn[self.keep], replace(known, low=known.low[self.keep], high=known.high[self.keep])
                point = float(drawn.mean())
            if point <= known.middle:
                continue
            low, high = low + drawn - known.high, high + drawn - known.low
            point_gap = None if point_gap is None or known.point is None else point_gap + point - known.point
        at = [(1 - self.level) / 2, (1 + self.level) / 2]
        figure = Figure(point_gap, float(np.quantile(low, at[0])), float(np.quantile(high, at[1])))
        self.rows.append(row(self.rates, self.block, whole, "gap_positive", figure, self.level, flags))

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
            shared = shared_bands(rates.ages, counts, rates.model.band)
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


def shared_bands(ages: AgeAxis, counts: Known, span: AgeBand) -> list[AgeBand]:
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
