"""Summaries of need and gap for many places and years, and their tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.chunks import Counts, Found
from hna.answers.cuts import Cut
from hna.answers.limits import NEED
from hna.answers.need import flags_in
from hna.answers.rows import COLUMNS, UNITS
from hna.evidence.population import Population
from hna.measure.areas import Area
from hna.model.rates import Rates
from hna.model.reliability import TOO_FEW, examined

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Summary:
    """What is said of need in every place and year.

    Parameters
    ----------
    rates : what it rests on.
    population : of the lowest level; its record and bridges.
    places : areas, then groups.
    cuts : subgroups, the total first.
    level : of the limits.
    known : counts it was compared with.
    values : by the names of `hna.answers.limits.NEED` and, of the total, `GAP`: shape (subgroup, place, year).
    draws : shape (severity, place, year, draw), of the places kept.
    kept : their positions in it, by code.
    """

    rates: Rates
    population: Population
    places: tuple[Area, ...]
    years: tuple[int, ...]
    cuts: tuple[Cut, ...]
    level: float
    known: Counts | None
    values: dict[str, Array]
    draws: Array
    kept: dict[str, int]

    @classmethod
    def empty(
        cls,
        rates: Rates,
        population: Population,
        banded: Population,
        places: Sequence[Area],
        cuts: Sequence[Cut],
        level: float,
        known: Counts | None,
        names: Sequence[str],
        kept: dict[str, int],
    ) -> Summary:
        """Room for every figure."""
        shape = (len(cuts), len(places), len(population.years))
        gap = (1, *shape[1:])
        values = {name: np.full(shape if name in NEED else gap, np.nan) for name in names}
        severities = sum(cut.whole for cut in cuts)
        draws = np.empty((severities, len(kept), shape[2], rates.size))
        few = Population(
            population.sources,
            (),
            population.years,
            banded.sexes,
            banded.ages,
            np.empty(0),
            banded.bridges,
            banded.flags,
        )
        return cls(rates, few, tuple(places), population.years, tuple(cuts), level, known, values, draws, kept)

    def of(self, places: Sequence[int]) -> Summary:
        """The figures of some places."""
        chosen = np.asarray(places, dtype=np.intp)
        known = self.known
        if known is not None:
            known = replace(known, low=known.low[chosen], high=known.high[chosen], printed=known.printed[chosen])
        values = {name: held[:, chosen] for name, held in self.values.items()}
        return replace(self, places=tuple(self.places[n] for n in chosen), known=known, values=values)

    def put(self, start: int, headline: Array, people: Array, few: NDArray[np.bool_]) -> None:
        """Headlines, people, and where chance is included."""
        stop = start + headline.shape[1]
        self.values["people"][:, start:stop] = people
        self.values["estimate"][:, start:stop] = headline
        self.values["realised"][:, start:stop] = few

    def fill(self, cut: int, rows: slice | NDArray[np.intp], found: Mapping[str, Array]) -> None:
        """Figures of some places."""
        for name, values in found.items():
            self.values[name][cut, rows] = values

    def keep(self, severity: int, place: int, draws: Array) -> None:
        """Draws of a place, shape (year, draw), if they are kept."""
        at = self.kept.get(self.places[place].code)
        if at is not None:
            self.draws[severity, at] = draws

    def take(self, found: Found) -> None:
        """Figures of a chunk."""
        for n, values in enumerate(found.values):
            width = next(iter(values.values())).shape[0]
            self.fill(n, slice(found.start, found.start + width), values)
        if found.draws is not None:
            self.draws[:, found.start : found.start + found.draws.shape[1]] = found.draws

    def frame(self, flags: Mapping[int, Sequence[str]] | None = None) -> pd.DataFrame:
        """Every figure as a row, in the columns of gap.csv.

        Parameters
        ----------
        flags : codes for each year; None for those of the rates, the population and the age of the evidence.

        Returns
        -------
        table in the order of place, year, severity, subgroup, quantity.
        """
        parts = list(self._parts(flags))
        return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})

    def _parts(self, flags: Mapping[int, Sequence[str]] | None) -> Iterator[dict[str, NDArray[Any]]]:
        """Columns of one subgroup and quantity at a time."""
        every = flags or {year: sorted(flags_in(self.rates, self.population, [year])) for year in self.years}
        few = examined(self.rates)
        for n, cut in enumerate(self.cuts):
            alone = few.too_few(cut.severity, cut.cells)
            codes = {year: sorted({*held, TOO_FEW}) for year, held in every.items()} if alone else every
            held = {name: values[n] for name, values in self.values.items() if n < len(values)}
            same = held["estimate"]
            people = held["people"]
            realised = held["realised"].astype(bool)
            if cut.severity == 0:
                whole = replace(cut, label="")
                yield self._rows(whole, "population", people, people, people, None)
            yield self._rows(cut, "need", same, held["lower"], held["upper"], None, (codes, realised))
            there = people > 0
            safe = np.where(there, people, 1.0)
            share, low, high = (held[name] / safe for name in ("estimate", "lower", "upper"))
            yield self._rows(cut, "prevalence", share, low, high, None, (codes, realised), there)
            if n or self.known is None:
                continue
            counted = np.isfinite(self.known.low)
            point = np.where(self.known.printed, self.known.low * self.known.middle, np.nan)
            sure = np.isfinite(point)
            yield self._rows(
                cut, "known", point, held["known_lower"], held["known_upper"], None, (codes, realised), counted
            )
            for name, middle in (
                ("gap", same - point),
                ("coverage", np.where(sure, held["coverage"], np.nan)),
                ("p_known_exceeds_need", np.where(sure, held["exceed_lower"], np.nan)),
                ("target_shortfall", self._short(same, point)),
            ):
                part = {"p_known_exceeds_need": "exceed", "target_shortfall": "shortfall"}.get(name, name)
                if name == "target_shortfall" and self.rates.model.target is None:
                    continue
                chance = held.get(f"{part}_probability")
                low, high = held[f"{part}_lower"], held[f"{part}_upper"]
                yield self._rows(cut, name, middle, low, high, chance, (codes, realised), counted)

    def _short(self, need: Array, point: Array) -> Array:
        target = self.rates.model.target
        return need * np.nan if target is None else target.coverage * need - point

    def _rows(
        self,
        cut: Cut,
        quantity: str,
        estimate: Array,
        lower: Array,
        upper: Array,
        chance: Array | None,
        flags: tuple[Mapping[int, Sequence[str]], NDArray[np.bool_]] | None = None,
        which: NDArray[np.bool_] | None = None,
    ) -> dict[str, NDArray[Any]]:
        rows = np.ones(estimate.shape, dtype=bool) if which is None else which
        place, year = np.nonzero(rows)
        told = np.full(len(place), "", dtype=object)
        if flags is not None:
            codes, realised = flags
            plain = np.array([" ".join(codes[year]) for year in self.years], dtype=object)
            chanced = np.array([" ".join(sorted({*codes[year], "N461"})) for year in self.years], dtype=object)
            told = np.where(realised[rows], chanced[year], plain[year])
        columns: dict[str, object] = {
            "need": self.rates.model.need,
            "severity": cut.label,
            "area_code": np.array([area.code for area in self.places], dtype=object)[place],
            "area_name": np.array([area.name for area in self.places], dtype=object)[place],
            "year": np.array(self.years)[year],
            "sex": cut.sex,
            "age_band": cut.age,
            "quantity": quantity,
            "estimate": estimate[rows],
            "lower": lower[rows],
            "upper": upper[rows],
            "level": self.level,
            "probability": np.nan if chance is None else chance[rows],
            "unit": UNITS.get(quantity, "people"),
            "flags": told,
        }
        return {
            name: held if isinstance(held, np.ndarray)
            else np.full(len(place), held, dtype=object if isinstance(held, str) else float)
            for name, held in columns.items()
        }  # fmt: skip
