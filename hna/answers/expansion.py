"""Rates moved along the logit scale, cheaply and within a bound: by an area's own error, and from year to year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hna.model.rates import Rates

Array = NDArray[np.float64]
TOLERANCE = 1e-9
"""Largest relative error of a rate that is interpolated in an area's own error."""
ROUGHLY = 3e-6
"""The same where it only says which draws are to be worked out exactly."""
REACH = 3.25
"""Standard deviations of an area's own error that an expansion spans; the draws beyond, one in 870, are summed directly."""
NODES = range(3, 20)
ABOUT = (0.5, 0.25, 0.75, 0.0)
"""Parts of the greatest odds about which an expansion is tried."""
SINGLE = 2.0**-22
"""Relative error of a product and sum in single precision: some times its unit of 2⁻²⁴."""
_WORTH = 6


@dataclass(frozen=True, eq=False)
class Expansion:
    """A polynomial in an area's own error that stands for ``expit(η + h)``.

    ``expit(η + h) ≈ weight(h) · Σ_n c_n(η) t(h)^n``, exact at Chebyshev nodes of t on [-1, 1]. Either t is linear in h and
    the weight 1, or weight and t are linear in ``e^h / (1 + ō e^h)``, which is exact where the odds e^η are ō and suits odds
    about it: whichever needs fewest nodes.

    Parameters
    ----------
    nodes : shape (node,), values of h.
    powers : shape (power, node), from values at the nodes to coefficients.
    centre, half : of h or of the weight.
    odds : ō; None where t is linear in h.
    error : largest relative error for h within `REACH` standard deviations, over the range of η it was made for.
    doubles : powers from this one on are so small that single precision holds them to a quarter of `TOLERANCE`.
    growth : sum of the sizes of the powers as a multiple of the whole, at most: what rounding grows by.
    """

    nodes: Array
    powers: Array
    centre: float
    half: float
    odds: float | None
    error: float = 0.0
    doubles: int = 0
    growth: float = 1.0

    def weight(self, h: Array) -> Array:
        """What the polynomial is multiplied by; 1 where t is linear in h."""
        return np.ones_like(h) if self.odds is None else 1 / (np.exp(-h) + self.odds)

    def place(self, h: Array) -> tuple[Array, Array | None]:
        """The polynomial's variable and weight (None for 1) for each error."""
        if self.odds is None:
            return (h - self.centre) / self.half, None
        weight = self.weight(h)
        return (weight - self.centre) / self.half, weight

    def coefficients(self, eta: Array) -> Array:
        """Of each power, shape (eta, power)."""
        held = expit(eta[:, None] + self.nodes) / self.weight(self.nodes)
        found: Array = held @ self.powers.T
        return found

    def values(self, eta: Array, h: Array) -> Array:
        """The polynomial, shape (eta, h)."""
        t, weight = self.place(h)
        found: Array = self.coefficients(eta) @ t[None, :] ** np.arange(len(self.nodes))[:, None]
        return found if weight is None else found * weight


def _grid(least: float, most: float) -> Array:
    """Values of η: every eighth from -9 up, where the curve bends, and the least."""
    start = max(least, -9.0)
    return np.concatenate([[least], np.linspace(start, most, int(8 * max(most - start, 1)) + 2)])


@lru_cache(maxsize=64)
def expansion(sigma: float, least: float, most: float, tolerance: float = TOLERANCE) -> Expansion | None:
    """The shortest expansion within a tolerance, or None if none of up to 19 nodes is.

    Parameters
    ----------
    sigma : standard deviation of an area's own error, logit scale.
    least, most : range of η, logit scale.
    tolerance : largest relative error.

    Returns
    -------
    Expansion whose error was evaluated at every eighth of η and 161 points of h.
    """
    eta, h = _grid(least, most), np.linspace(-REACH * sigma, REACH * sigma, 161)
    truth = expit(eta[:, None] + h)
    for count in NODES:
        t = np.cos(np.pi * (np.arange(count) + 0.5) / count)
        powers = np.linalg.inv(t[:, None] ** np.arange(count))
        for odds in (*(share * np.exp(most) for share in ABOUT), None):
            ends = h[[0, -1]] if odds is None else 1 / (np.exp(-h[[0, -1]]) + odds)
            centre, half = float(ends.mean()), float(np.ptp(ends) / 2)
            nodes = centre + half * t if odds is None else -np.log(1 / (centre + half * t) - odds)
            found = Expansion(nodes, powers, centre, half, odds)
            error = float(np.abs(found.values(eta, h) / truth - 1).max())
            if error <= tolerance:
                doubles, growth = _precision(found.coefficients(eta))
                if tolerance == TOLERANCE or np.isfinite(growth):
                    return replace(found, error=error, doubles=doubles, growth=growth)
    return None


def _precision(coefficients: Array) -> tuple[int, float]:
    """How many powers need double precision, since what the others add is a small part of the whole; and all their sizes."""
    sizes = np.abs(coefficients)
    least = 2 * sizes[:, :1] - sizes.sum(axis=1, keepdims=True)
    if (least <= 0).any():
        return coefficients.shape[1], np.inf
    rest = np.cumsum(sizes[:, ::-1], axis=1)[:, ::-1] / least
    small = (rest * SINGLE <= TOLERANCE / 4).all(axis=0)
    return int(np.argmax(small)) if small.any() else coefficients.shape[1], float(rest[:, 0].max())


class Course:
    """A rate with study error and staleness, before an area's own error, in any of some years.

    On the logit scale the rate is a polynomial of the second degree in the years since fieldwork, draw by draw, before it and
    after it. It is drawn through three years; where fieldwork lies within the years, or rates say for themselves what they
    are in a year, `Rates.at` is asked for each.

    Parameters
    ----------
    rates : from `make_rates`.
    years : ascending; those that may be asked for.
    """

    def __init__(self, rates: Rates, years: Sequence[int] = ()) -> None:
        self.rates = rates
        self._through: tuple[Array, Array, Array] | None = None
        self._shares: Array | None = None
        self._from, self._to = (years[0], years[-1]) if len(years) else (0, 0)
        if not rates.changes_by_year or len(years) < _WORTH or not self._smooth():
            return
        middle = years[len(years) // 2]
        start, half, end = (self._logs(year) for year in (self._from, middle, self._to))
        t = self._place(middle)
        second = ((half - start) / t - (end - start)) / (t - 1)
        self._through = (start, end - start - second, second)
        if rates.strata:
            base = self._plain(self._from)
            layers = len(rates.layers)
            self._shares = np.divide(base[layers:], base[:1], out=np.zeros_like(base[layers:]), where=base[:1] > 0)

    def _smooth(self) -> bool:
        studied = [part.studied for group in self.rates.groups for part in group]
        within = (self._from < middle < self._to + 1 for middle in studied if middle is not None)
        return type(self.rates).at is Rates.at and not any(within)

    def _plain(self, year: int) -> Array:
        found = self.rates.at("", year, terms=("study", "staleness"))
        return found.reshape(found.shape[0], -1, found.shape[-1])

    def _logs(self, year: int) -> Array:
        top = self._plain(year)[: len(self.rates.layers)]
        logs: Array = np.log(top / (1 - top))
        return logs

    def _place(self, year: int) -> float:
        return (year - self._from) / (self._to - self._from)

    def at(self, year: int) -> Array:
        """Draws of the rate, shape (severity, cell, draw)."""
        if self._through is None:
            return self._plain(year)
        top, shares = self.odds(year)
        top /= 1 + top
        return top if shares is None else np.concatenate([top, top[:1] * shares])

    def odds(self, year: int) -> tuple[Array, Array | None]:
        """Draws of the odds, shape (layer, cell, draw), and of the strata's shares of the first layer."""
        if self._through is not None:
            start, first, second = self._through
            t = self._place(year)
            curve = second * t
            curve += first
            curve *= t
            curve += start
            return np.exp(curve, out=curve), self._shares
        base = self._plain(year)
        layers = len(self.rates.layers)
        top, shares = base[:layers] / (1 - base[:layers]), None
        if self.rates.strata:
            shares = np.divide(base[layers:], base[:1], out=np.zeros_like(base[layers:]), where=base[:1] > 0)
        return top, shares
