"""Draws of need of some areas in one year: exactly, or nearly where that is enough to read their limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hna.answers.blocks import Carrier
from hna.answers.cuts import Cut
from hna.answers.need import realise, realise_totals, realised_key, scores_of
from hna.answers.people_factors import factors_of
from hna.answers.realised import Scores, whole_people
from hna.answers.screen import UNIT, Places, Screen
from hna.answers.terms import Errors, Single
from hna.evidence.population import PeopleFactors
from hna.measure.draws import normals

Array = NDArray[np.float64]


class Forming:
    """Forms blocks of some areas, and keeps what is the same in every year.

    Parameters
    ----------
    carrier : the rates.
    cuts : subgroups.
    codes : of the areas.
    error : of the number of people; None where it is taken as exact.
    """

    def __init__(
        self, carrier: Carrier, cuts: Sequence[Cut], codes: tuple[str, ...], error: PeopleFactors | None
    ) -> None:
        self.carrier, self.rates, self.cuts, self.codes, self.error = carrier, carrier.rates, cuts, codes, error
        self.errors = carrier.errors(codes) if carrier.plain else None
        self.scores: dict[str, Scores] = {}
        self.own: dict[tuple[int, int], Array] = {}
        self.whole = all(cut.whole for cut in cuts)

    def blocks(
        self, people: Array, year: int, few: NDArray[np.bool_], shares: Array | None
    ) -> Iterator[tuple[int, Array]]:
        """Draws of the subgroups from one on, shape (subgroup, area, draw), whole people where few are expected."""
        factors = self._factors(year)
        if self.errors is None or (few.any() and not self.whole):
            yield 0, self._one_by_one(people, year, few, shares, factors)
            return
        if not few.any():
            for n, cut in enumerate(self.cuts):
                held = people if cut.whole else people * cut.cells
                yield n, self._expected(held, year, cut.severity, self.errors, shares, factors)[None]
            return
        each = [self._expected(people, year, cut.severity, self.errors, shares, factors) for cut in self.cuts]
        drawn = each[0][None] if len(each) == 1 else np.stack(each)
        size = np.maximum(np.round(people.sum(axis=1)), 1.0)
        if not self.scores:
            self.scores |= scores_of(self.rates, self.codes)
        if few.all():
            yield 0, realise_totals(drawn, size, self.rates, self.codes, self.scores)
            return
        rows = np.flatnonzero(few)
        some = {name: scores[rows] for name, scores in self.scores.items()}
        codes = [self.codes[n] for n in rows.tolist()]
        drawn[:, rows] = realise_totals(drawn[:, rows], size[rows], self.rates, codes, some)
        yield 0, drawn

    def screens(self, people: Array, year: int, shares: Array | None) -> Iterator[Screen] | None:
        """Draws of each subgroup nearly, where that is enough to tell which are to be worked out; else None."""
        if self.errors is None or not self.carrier.screens(year):
            return None
        return self._screened(people, year, shares, self.errors)

    def _screened(self, people: Array, year: int, shares: Array | None, errors: Errors) -> Iterator[Screen]:
        factors = self._factors(year)
        for cut in self.cuts:
            held = people if cut.whole else people * cut.cells

            def exact(rows: Places, draws: Places, held: Array = held, severity: int = cut.severity) -> Array:
                there = held[rows]
                if factors is not None and shares is not None:
                    there *= _of_cells(shares, factors, rows, draws)
                return self.carrier.exactly(there, year, severity, errors, rows, draws)

            block: Single | None = None
            error = 0.0
            parts = _parts(held, shares, factors)
            for factor, of in parts:
                part, rounding = self.carrier.nearly(of, year, cut.severity, errors)
                if factor is not None:
                    part *= factor.astype(np.float32)
                block = part if block is None else np.add(block, part, out=block)
                error = max(error, rounding + (len(parts) + 3) * UNIT)
            if block is None:
                block = np.zeros((len(held), self.rates.size), dtype=np.float32)
            yield Screen.of(block, error, exact)

    def _factors(self, year: int) -> Array | None:
        """Of the people of each area, shape (area, group or 1, draw)."""
        if self.error is None:
            return None
        return factors_of(self.error, self.codes, year, self.rates.seed, self.rates.size)

    def _expected(
        self, people: Array, year: int, severity: int, errors: Errors, shares: Array | None, factors: Array | None
    ) -> Array:
        """Expected people in need; ages that share an error are formed by themselves and moved together."""
        total: Array | None = None
        for factor, held in _parts(people, shares, factors):
            part: Array = self.carrier.expected(held, year, severity, errors)
            if factor is not None:
                part *= factor
            total = part if total is None else np.add(total, part, out=total)
        return np.zeros((len(people), self.rates.size)) if total is None else total

    def _one_by_one(
        self, people: Array, year: int, few: NDArray[np.bool_], shares: Array | None, factors: Array | None
    ) -> Array:
        """Rates of each area in turn, its few people divided among cells as `realise` does it; shape as in `blocks`."""
        found = np.empty((len(self.cuts), len(people), self.rates.size))
        cells = np.stack([cut.cells for cut in self.cuts])
        of = np.array([cut.severity for cut in self.cuts])
        for row, code in enumerate(self.codes):
            rate = self.carrier.rate(code, year)
            if factors is not None and shares is not None:
                split = np.ones((rate.shape[1] * rate.shape[2], 1)) if factors.shape[1] == 1 else shares[:, row].T
                rate = rate * (split @ factors[row]).reshape(rate.shape[1:])
            flat = rate.reshape(rate.shape[0], -1, rate.shape[-1])
            here = people[row]
            if few[row]:
                shaped = here.reshape(rate.shape[1:3])
                whole = realise(rate * shaped[None, :, :, None], shaped, self.rates, code).reshape(flat.shape)
                # Whole people add up exactly, in whatever order.
                for severity in set(of.tolist()):
                    found[of == severity, row] = cells[of == severity] @ whole[severity]
                continue
            for n, cut in enumerate(self.cuts):
                np.matmul(here * cut.cells, flat[cut.severity], out=found[n, row])
        return found

    def chance(self, block: Array, n: int, people: Array, rows: NDArray[np.bool_]) -> None:
        """A small subgroup of a larger area gets a chance of its own, as `hna.answers.rows.people_drawn` gives it."""
        cut = self.cuts[n]
        here = np.flatnonzero(rows).tolist()
        new = [row for row in here if (n, row) not in self.own]
        keys = [realised_key(self.rates, f"{cut.label}:{cut.sex}:{cut.age}", self.codes[row]) for row in new]
        drawn = normals(self.rates.seed, keys, self.rates.size)
        self.own |= {(n, row): scores for row, scores in zip(new, drawn, strict=True)}
        size = np.maximum(np.round(people[here] @ cut.cells), 1.0)
        block[here] = whole_people(block[here], size, Scores(np.stack([self.own[n, row] for row in here])))


def _parts(people: Array, shares: Array | None, factors: Array | None) -> list[tuple[Array | None, Array]]:
    """People by the ages that share an error, with its factors, shape (area, draw); None where they are exact."""
    if factors is None or shares is None:
        return [(None, people)]
    if factors.shape[1] == 1:
        return [(factors[:, 0], people)]
    each = [(factors[:, g], people * shares[g]) for g in range(factors.shape[1])]
    return [(factor, held) for factor, held in each if held.any()]


def _of_cells(shares: Array, factors: Array, rows: Places, draws: Places) -> Array:
    """Factors of some draws in each cell, shape (pair, cell) or (pair, 1)."""
    here = factors[rows, :, draws]
    if factors.shape[1] == 1:
        return here
    found: Array = np.einsum("gnc,ng->nc", shares[:, rows], here)
    return found
