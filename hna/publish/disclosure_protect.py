"""An answer on protected counts: whatever rests on a count is computed again from what is printed of it, or withheld."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.answer import Answer, as_sum
from hna.answers.gap import Figure, figures, flags_of, leverage, not_below
from hna.answers.known_people import KnownPeople, known_people, union_known
from hna.answers.need import Block, blocks
from hna.errors import Fault
from hna.evidence.population import Population
from hna.evidence.source import KnownSource
from hna.measure.ages import AgeBand
from hna.model.rates import Rates
from hna.model.spec import KnownUse
from hna.publish.disclosure_cells import PERSONS, Cell, Release
from hna.publish.disclosure_prints import Place, Print, Subgroup, protected_source, together, year_of

Array = NDArray[np.float64]
HIDDEN, ROUNDED, NO_LEDGER = "N1004", "N1005", "W1002"
DERIVED = ("known", "gap", "gap_positive", "coverage", "p_known_exceeds_need", "target_shortfall")
_CLOSE = ("W722", "W723")
_EMPTY = Figure(None, None, None)


class Protector:
    """One answer, rewritten.

    Parameters
    ----------
    found : the answer.
    prints : every count that it prints.
    others : counts of other areas, which comparisons add up.
    releases : what is printed of each cell.
    populations : people, to draw the need again; empty where they are not to hand.
    ledgered : whether earlier releases were looked at.
    """

    def __init__(
        self,
        found: Answer,
        prints: Sequence[Print],
        others: Sequence[Print],
        releases: Mapping[Cell, Release],
        populations: Sequence[Population],
        ledgered: bool,
    ) -> None:
        self.found, self.releases, self.populations = found, releases, populations
        self.prints, self.others = prints, others
        self.level = float(found.figures["level"].iloc[0]) if len(found.figures) else 0.95
        self.more = set() if ledgered else {NO_LEDGER}
        self.rows: list[dict[str, Any]] = [dict(row) for row in found.figures.to_dict("records")]  # type: ignore[arg-type]
        self.at: dict[tuple[Place, Subgroup, str], dict[str, Any]] = {}
        self.beside: dict[Place, list[dict[str, Any]]] = {}
        for row in self.rows:
            place, subgroup = (row["area_code"], int(row["year"])), (row["severity"], row["sex"], row["age_band"])
            if row["quantity"] == "known" and "R711" in str(row["flags"]).split():
                self.beside.setdefault(place, []).append(row)
            else:
                self.at[place, subgroup, row["quantity"]] = row
        self._blocks: dict[Place, Block | None] = {}

    def answer(self) -> Answer:
        """The answer as it may be published."""
        leverages = dict(self.found.leverages)
        groups: dict[tuple[Place, Subgroup], list[Print]] = {}
        for one in self.prints:
            if one.aligned:
                groups.setdefault(((one.area, one.year), one.subgroup), []).append(one)
        touched = {place for (place, _), parts in groups.items() if any(part.rule for part in parts)}
        for (place, subgroup), parts in groups.items():
            if place in touched:
                self._subgroup(place, subgroup, parts, leverages)
        for place in touched:
            self._positive(place, {group: parts for (where, group), parts in groups.items() if where == place})
        refusals = self._refusals()
        protected = {one.counts.source.id: one.rule for one in self.prints if one.rule}
        cited = tuple(
            protected_source(source, protected[source.id])
            if isinstance(source, KnownSource) and source.id in protected
            else source
            for source in self.found.citations
        )
        return replace(
            self.found,
            rates=self._rates(bool(protected)),
            figures=pd.DataFrame(self.rows, columns=list(self.found.figures.columns)),
            leverages=leverages,
            refusals=refusals,
            citations=cited,
            notes=(*self.found.notes, *self._notes(protected)),
            known=self._known(protected),
            draws={} if protected else self.found.draws,
        )

    def _rates(self, protected: bool) -> Rates:
        """Overlaps of services are counts too, and stand in the model that run.json prints."""
        rates = self.found.rates
        if not protected or not rates.model.overlaps:
            return rates
        return replace(rates, model=rates.model.model_copy(update={"overlaps": []}))

    def _notes(self, protected: Mapping[str, Any]) -> list[str]:
        said = [
            f"counts of {name} are protected by the rule {rule.name}: small ones are hidden, "
            f"{'the others are rounded to ' + str(rule.base) if rule.base > 1 else 'the others are printed as they are'}, "
            "and what rests on them is computed from what is printed; figures may not sum"
            for name, rule in protected.items()
        ]
        if protected and self.found.model.overlaps:
            said.append("how many people use two services at once is withheld, so the bounds of those known are wider")
        return said

    def _known(self, protected: Mapping[str, Any]) -> tuple[Any, ...]:
        """Tables of counts as printed: one row an area, everybody counted."""
        tables = []
        for counts in self.found.known:
            name = counts.source.id
            if name not in protected:
                tables.append(counts)
                continue
            whole = [
                one.known(self.releases[one.cell])
                for one in (*self.prints, *self.others)
                if one.counts.source.id == name and one.subgroup[0] == "" and one.subgroup[2] == "all"
                and one.subgroup[1] == self.found.model.sex
            ]  # fmt: skip
            tables.append(together(whole) if whole else counts.take(np.zeros(0, dtype=np.intp)))
        return tuple(tables)

    def _people(self, parts: Sequence[Print]) -> KnownPeople | None:
        """Those known, as printed; None where any of the counts is hidden."""
        rates = self.found.rates
        held: dict[str, KnownPeople] = {}
        for part in parts:
            release = self.releases[part.cell]
            if part.rule and release.hidden:
                return None
            counts = part.known(release)
            held[part.counts.source.id] = known_people(
                counts, np.ones(len(counts), dtype=bool), part.use, rates.seed, rates.size
            )
        return next(iter(held.values())) if len(held) == 1 else union_known(held, {})

    def _subgroup(self, place: Place, subgroup: Subgroup, parts: Sequence[Print], leverages: dict[str, float]) -> None:
        people = self._people(parts)
        whole = subgroup == ("", self.found.model.sex, "all")
        if whole:
            leverages.pop(place[0], None)
        if people is None:
            for quantity in DERIVED:
                self._write(place, subgroup, quantity, _EMPTY, {HIDDEN})
            return
        base = max((part.rule.need_base for part in parts if part.rule and not part.exempt), default=1)
        point, drawn = self._need(place, subgroup, base)
        target = self.found.model.target
        conditioned = any(part.use.gap == "conditioned" for part in parts)
        found = self._figures(point, drawn, people, target.coverage if target else None, conditioned)
        codes = {ROUNDED} if base > 1 else set()
        codes |= set(_CLOSE).intersection(flags_of(found, parts[0].use, 0, self.found.rates.defaults))
        for quantity, figure in found.items():
            self._write(place, subgroup, quantity, figure, codes - (set(_CLOSE) if quantity == "known" else set()))
        if whole and people.point is not None and point is not None:
            times = leverage(point, people.point)
            if times is not None:
                leverages[place[0]] = times

    def _figures(
        self, point: float | None, drawn: Array | None, people: KnownPeople, target: float | None, conditioned: bool
    ) -> dict[str, Figure]:
        if point is not None and drawn is not None:
            # Of a subgroup its own draws are kept: which ones everybody's count would keep is not to be worked out from it.
            keep = not_below(drawn, people) if conditioned else None
            return figures(point, drawn, people, self.level, target, keep if keep is not None and keep.any() else None)
        # Without the draws of need nothing is said of how sure the gap is: it would need the count that is not printed.
        known = people.point
        at = [(1 - self.level) / 2, (1 + self.level) / 2]
        limits = float(np.quantile(people.low, at[0])), float(np.quantile(people.high, at[1]))
        found = dict.fromkeys(("gap", "coverage", "p_known_exceeds_need"), _EMPTY)
        if point is not None and known is not None:
            found["gap"] = Figure(point - known, None, None)
            found["coverage"] = Figure(known / max(point, 1.0), None, None)
            if target is not None:
                found["target_shortfall"] = Figure(target * point - known, None, None)
        return {"known": Figure(known, *limits), **found}

    def _need(self, place: Place, subgroup: Subgroup, base: int) -> tuple[float | None, Array | None]:
        """The estimate beside a count, rounded with it, and its draws."""
        block = self._block(place)
        row = self.at.get((place, subgroup, "need"))
        point: float | None = None
        drawn: Array | None = None
        if block is not None:
            index = _index(self.found.rates, subgroup)
            point, drawn = float(block.headline[index].sum()), block.draws[index].reshape(-1, self.found.rates.size)
            drawn = drawn.sum(axis=0)
        elif row is not None:
            point = float(row["estimate"])
        if row is not None and base > 1:
            for name in ("estimate", "lower", "upper"):
                row[name] = _nearest(float(row[name]), base)
            row["flags"] = _codes(row["flags"], {ROUNDED})
        return (None if point is None else _nearest(point, base)), drawn

    def _block(self, place: Place) -> Block | None:
        if place not in self._blocks:
            code, year = place
            self._blocks[place] = None
            for population in self.populations:
                codes = [area.code for area in population.areas]
                if code in codes and year in population.years:
                    n = codes.index(code)
                    alone = replace(population, areas=(population.areas[n],), people=population.people[[n]]).at([year])
                    block = next(iter(blocks(self.found.rates, alone)))
                    drawn = self.found.sums.get(place)
                    self._blocks[place] = block if drawn is None else as_sum(block, drawn)
                    break
        return self._blocks[place]

    def _positive(self, place: Place, groups: Mapping[Subgroup, list[Print]]) -> None:
        """The gap added up where it is positive, over the finest subgroups that are printed."""
        everybody = ("", self.found.model.sex, "all")
        if everybody not in groups or (place, everybody, "gap_positive") not in self.at:
            return
        finest = [group for group in groups if not any(_inside(other, group) for other in groups if other != group)]
        total: float | None = 0.0
        low, high = np.zeros(self.found.rates.size), np.zeros(self.found.rates.size)
        codes: set[str] = set()
        for group in finest:
            people = self._people(groups[group])
            if people is None:
                self._write(place, everybody, "gap_positive", _EMPTY, {HIDDEN})
                return
            base = max((part.rule.need_base for part in groups[group] if part.rule and not part.exempt), default=1)
            codes |= {ROUNDED} if base > 1 else set()
            point, drawn = self._need(place, group, base)
            if point is None or point <= people.middle:
                continue
            total = None if total is None or people.point is None else total + point - people.point
            if drawn is not None:
                low, high = low + drawn - people.high, high + drawn - people.low
        at = [(1 - self.level) / 2, (1 + self.level) / 2]
        drawn_limits = (float(np.quantile(low, at[0])), float(np.quantile(high, at[1])))
        limits = (None, None) if self._block(place) is None else drawn_limits
        self._write(place, everybody, "gap_positive", Figure(total, *limits), codes)

    def _write(self, place: Place, subgroup: Subgroup, quantity: str, figure: Figure, codes: set[str]) -> None:
        row = self.at.get((place, subgroup, quantity))
        if row is None:
            return
        row |= {
            "estimate": figure.estimate, "lower": figure.lower, "upper": figure.upper, "probability": figure.probability,
            "flags": _codes(row["flags"], codes | self.more),
        }  # fmt: skip

    def _refusals(self) -> tuple[Fault, ...]:
        """Refusals with their two numbers, the count as it is printed."""
        ledgers = [ledger for ledger in self.found.ledgers if not ledger.aligned]
        prints = [one for one in self.prints if not one.aligned]
        taken: dict[Place, int] = {}
        told = []
        faults = iter(self.found.refusals)
        for ledger, one in zip(ledgers, prints, strict=True):
            fault = None if ledger.apart else next(faults)
            place = (ledger.area.code, year_of(ledger))
            n = taken.get(place, 0)
            taken[place] = n + 1
            if one.rule is None:
                told += [fault] if fault else []
                continue
            release = self.releases[one.cell]
            counts = one.known(release)
            plain = known_people(counts, np.ones(1, dtype=bool), KnownUse(source=one.use.source), 0, 1)
            figure = _EMPTY if release.hidden else Figure(plain.point, release.lower, release.upper)
            row = self.beside[place][n]
            row |= {"estimate": figure.estimate, "lower": figure.lower, "upper": figure.upper}
            row["flags"] = _codes(row["flags"], {HIDDEN if release.hidden else ROUNDED} | self.more)
            if fault is None:
                continue
            need = self.at[place, ("", self.found.model.sex, "all"), "need"]["estimate"]
            known = "hidden" if figure.estimate is None else f"{figure.estimate:,.0f}"
            told.append(ledger.refusal(f"; side by side, not comparable: estimated {need:,.0f}, known {known}"))
        return tuple(told)


def _nearest(value: float, base: int) -> float:
    """An estimate at the nearest multiple of a base; left alone where that would be nought."""
    if base <= 1:
        return value
    found = float(np.floor(value / base + 0.5) * base)
    return found or value


def _codes(flags: object, added: set[str]) -> str:
    kept = {*str(flags).split()} - set(_CLOSE)
    return " ".join(sorted(kept | added))


def _inside(one: Subgroup, other: Subgroup) -> bool:
    """Whether a subgroup is part of another."""
    return other[0] in ("", one[0]) and other[1] in (PERSONS, one[1]) and (other[2] in ("all", one[2]))


def _index(rates: Rates, subgroup: Subgroup) -> tuple[slice | int, slice | int, slice | int]:
    severity, sex, age = subgroup
    x: slice | int = rates.sexes.index(sex) if sex in rates.sexes and len(rates.sexes) > 1 else slice(None)
    ages = slice(None)
    if age != "all":
        band = AgeBand.parse(age)
        inside = [n for n, own in enumerate(rates.ages.bands) if own in band]
        ages = slice(inside[0], inside[-1] + 1)
    return rates.severities.index(severity), x, ages
