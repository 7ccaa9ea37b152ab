"""Two places on the same draws: what they share cancels, what may differ between them stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hna.answers.need import people_in_bands
from hna.answers.people_factors import factors_of, group_shares
from hna.evidence.population import Population
from hna.indicators.benchmark import Contrast, verdict
from hna.indicators.interval import Interval
from hna.measure.draws import check_level, normal, stream
from hna.model.rates import Rates

Array = NDArray[np.float64]


class Paired(NamedTuple):
    """One number less another, on the same draws.

    Attributes
    ----------
    lower, upper : limits of the difference.
    p_least, p_most : chance that it is above 0, at the two bounds of a count that is hidden; equal where none is.
    """

    lower: float
    upper: float
    p_least: float
    p_most: float


def paired(low: Array, high: Array, level: float) -> Paired:
    """A difference from its draws, between two bounds.

    In words: in each draw both numbers are made from the same rate, the same years since the fieldwork and the same
    measurement of the count, each place with an error of its own; the interval is the quantiles of the differences.

    Parameters
    ----------
    low, high : shape (draw,), smallest and largest difference that the counts allow.
    level : confidence level.

    Raises
    ------
    QuantityError
        If the level is no proportion.
    """
    check_level(level)
    at = (1 - level) / 2
    tied = [float((ends == 0).mean() / 2) for ends in (low, high)]
    return Paired(
        float(np.quantile(low, at)), float(np.quantile(high, 1 - at)),
        float((low > 0).mean()) + tied[0], float((high > 0).mean()) + tied[1],
    )  # fmt: skip


def word_of(difference: float, found: Paired, polarity: str, level: float) -> str:
    """The verdict on a paired difference, in the closed vocabulary.

    Significant where the chance that the area is higher is under half of ``1 − level`` or over one less that, at both
    bounds of a hidden count.
    """
    chance = min(max(0.5, found.p_least), found.p_most)
    interval = Interval(np.asarray(difference), np.asarray(found.lower), np.asarray(found.upper))
    return str(verdict(Contrast.of(interval, np.asarray(ndtri(chance))), polarity, level))


def assumed(rates: Rates) -> set[str]:
    """W731 where the error of a place was assumed, and not given with its reason."""
    return (
        {"W731"}
        if not rates.found_in_places
        and any(part.transport == 0 or part.reasons["transport"].startswith("default") for part in rates.parts)
        else set()
    )


def expected_by_area(rates: Rates, codes: Sequence[str], people: Array, year: int) -> Array:
    """Expected people in need in each of several areas, all severities, on the draws of `Rates.at`.

    In words: with o the odds of the rate before the error of a place and h that error, the rate there is
    ``o / (o + e^−h)``, so that the shared part is formed once.

    Parameters
    ----------
    rates : from `make_rates`.
    codes : of the areas.
    people : shape (area, sex, age), in the rates' sexes and bands.
    year : calendar year.

    Returns
    -------
    array of shape (area, draw), people.
    """
    if not rates.by_area:
        return np.tensordot(people, rates.at("", year)[0], axes=2)
    first = np.tensordot(people[0], rates.at(codes[0], year)[0], axes=2)
    shared = _shared_odds(rates, year)
    if shared is not None:
        found = np.stack([_at_place(shared, rates, code, here) for code, here in zip(codes, people, strict=True)])
        # A rate that is carried to a place in another way is formed place by place instead.
        if np.allclose(found[0], first, rtol=1e-9, atol=0):
            return found
    rest = [
        np.tensordot(here, rates.at(code, year)[0], axes=2) for code, here in zip(codes[1:], people[1:], strict=True)
    ]
    return np.stack([first, *rest])


class _Odds(NamedTuple):
    """Odds of one source's rate before the error of a place, shape (cell, draw), and where its ages lie."""

    odds: Array
    ages: slice
    key: str
    transport: float


def _shared_odds(rates: Rates, year: int) -> list[_Odds] | None:
    if any(len(group) != 1 for group in rates.groups):
        return None
    before = rates.at("", year, terms=("study", "staleness"))[0]
    sampled = rates.at("", year, terms=())[0]
    found, start = [], 0
    for (part,) in rates.groups:
        ages = slice(start, start + len(part.layers.ages.bands))
        start = ages.stop
        rate, drawn = before[:, ages], sampled[:, ages]
        odds = rate / (1 - rate) * np.exp(-0.5 * part.transport**2 * (1 - 2 * drawn))
        key = f"transport:{part.source.id}"
        found.append(_Odds(odds.reshape(-1, odds.shape[-1]), ages, key, part.transport))
    return found


def _at_place(shared: list[_Odds], rates: Rates, code: str, people: Array) -> Array:
    total = np.zeros(rates.size)
    for odds, ages, key, transport in shared:
        inverse = np.exp(-transport * normal(rates.seed, f"{key}:{code}", rates.size)) if transport > 0 else 1.0
        rate = odds + inverse
        np.divide(odds, rate, out=rate)
        total += people[:, ages].ravel() @ rate
    return total


class People:
    """People of many areas in one year, and their expected need, formed once.

    Parameters
    ----------
    rates : from `make_rates`.
    everyone : a population of one year.
    """

    def __init__(self, rates: Rates, everyone: Population) -> None:
        self.rates, self.year = rates, everyone.years[0]
        banded = people_in_bands(rates, everyone)
        self.at = {area.code: n for n, area in enumerate(banded.areas)}
        self._everyone, self._shares = everyone, group_shares(everyone, banded)[:, :, 0]
        self.people = banded.people[:, 0]
        self._drawn: dict[str, Array] = {}

    def total(self, codes: Sequence[str]) -> Array:
        """People of some areas together, shape (sex, age)."""
        total: Array = self.people[[self.at[code] for code in codes]].sum(axis=0)
        return total

    def headline(self, codes: Sequence[str]) -> float:
        """Published rate × people."""
        if self.rates.local is None:
            return float((self.rates.mean("", self.year)[0] * self.total(codes)).sum())
        return float(sum((self.rates.mean(code, self.year)[0] * self.people[self.at[code]]).sum() for code in codes))

    def draws(self, codes: Sequence[str]) -> Array:
        """Expected people in need in some areas together, shape (draw,)."""
        new = [code for code in codes if code not in self._drawn]
        if new:
            made = self._expected(new)
            self._drawn |= dict(zip(new, made, strict=True))
        return np.sum([self._drawn[code] for code in codes], axis=0) if codes else np.zeros(self.rates.size)

    def _expected(self, codes: Sequence[str]) -> Array:
        rows = [self.at[code] for code in codes]
        error = self._everyone.error
        if error is None:
            return expected_by_area(self.rates, codes, self.people[rows], self.year)
        factors = factors_of(error, codes, self.year, self.rates.seed, self.rates.size)
        if factors.shape[1] == 1:
            return expected_by_area(self.rates, codes, self.people[rows], self.year) * factors[:, 0]
        held = [self.people[rows] * self._shares[g, rows] for g in range(factors.shape[1])]
        found: Array = np.sum(
            [factors[:, g] * expected_by_area(self.rates, codes, here, self.year) for g, here in enumerate(held)],
            axis=0,
        )
        return found

    def there(self, codes: Sequence[str], key: str) -> Array:
        """People in need in some areas together; whole people by chance where they are few, as for the area itself."""
        drawn = self.draws(codes)
        if not codes or self.headline(codes) >= self.rates.defaults.realised_below:
            return drawn
        size = max(round(float(self.total(codes).sum())), 1)
        generator = stream(self.rates.seed, f"realised:{self.rates.model.need}:pool:{key}")
        return generator.binomial(size, np.clip(drawn / size, 0, 1)).astype(float)
