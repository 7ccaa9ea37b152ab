"""The slope and relative index of inequality, and the concentration index, over quantiles of deprivation.

Quantiles lie on the last axis, ordered from most to least deprived; leading axes broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from hna.errors import Fault, QuantityError
from hna.indicators.checks import (
    nonnegative,
    normal_quantile,
    note,
    numbers,
    one_of,
    only_observed,
    positive,
    same_groups,
    settle,
    tail,
)
from hna.indicators.interval import FloatArray, Interval

KINDS = ("rate", "proportion", "mean")
_DRAWS_HELD = 400_000
OF_ESTIMATES = "R821", "its slope would be the relative risks that were put in"

Function = Callable[[FloatArray], FloatArray]


class Scale(NamedTuple):
    """The scale on which the value of a quantile has a normal error: log for rates, logit for proportions."""

    to: Function
    back: Function
    slope: Function
    """Derivative of ``to``."""


def _same(values: FloatArray) -> FloatArray:
    """Return the values as they are."""
    return values


SCALES = {
    "rate": Scale(np.log, np.exp, lambda values: 1 / values),
    "proportion": Scale(logit, expit, lambda values: 1 / (values * (1 - values))),
    "mean": Scale(_same, _same, np.ones_like),
}


class SlopeIndex(Interval):
    """The slope index of inequality with its limits; unpacks into three.

    Attributes
    ----------
    rii : the relative index with its limits.
    intercept : the fitted value at the most deprived end.
    sii_error, rii_error : Monte Carlo standard errors of the lower and upper limit, shape (2, ...).
    analytic, rii_analytic : the same intervals by the delta method, to hold the simulated ones against.
    """

    rii: Interval
    intercept: FloatArray
    sii_error: FloatArray
    rii_error: FloatArray
    analytic: Interval
    rii_analytic: Interval

    @property
    def sii(self) -> Interval:
        """The slope index alone."""
        return Interval(*self)


def ridit(population: FloatArray) -> FloatArray:
    """Return the relative rank of each quantile: the share of people before it, and half its own.

    References
    ----------
    Bross IDJ. How to use ridit analysis. Biometrics 1958;14:18-38. doi 10.2307/2527727.
    """
    share = population / population.sum(axis=-1, keepdims=True)
    return np.asarray(share.cumsum(axis=-1) - share / 2)


def slope_index(
    values: npt.ArrayLike,
    population: npt.ArrayLike,
    *,
    kind: str,
    se: npt.ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 100_000,
    seed: int = 0,
    limits: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    limits_level: float = 0.95,
    per: float = 1,
    transform: bool = False,
    minimum_quantiles: int = 5,
) -> SlopeIndex:
    """Return the slope index of inequality, and the relative index, with simulated intervals.

    In words: regress the value y on the relative rank b, weighted by the share a of the population,
    y√a = β₀√a + β₁b√a. SII = β₁ is the difference between the least and the most deprived end of the line, RII =
    (β₀ + β₁)/β₀ their ratio; both are of the least deprived relative to the most, so an indicator that is worse in
    deprived places, where low is good, has a negative SII and an RII below 1. Limits are quantiles of the indices over
    normal draws of the values: on the log scale for rates, the logit scale for proportions, as they are for means.

    Parameters
    ----------
    values : indicator of each quantile, most deprived first, shape (..., quantile), unit ``per``.
    population : people in each quantile, shape (..., quantile).
    kind : ``rate``, ``proportion`` or ``mean``.
    se : standard errors of the values, same shape and unit. Left out, they are the Poisson ones of events =
        value × population / per for rates, the binomial ones for proportions, and for means, which carry no count, the
        limits are NaN.
    level : confidence level, strictly between 0 and 1.
    draws : number of simulated sets of values; the same draws serve every area.
    seed : seed of the draws.
    limits : lower and upper limits of the values, in place of ``se``; their errors are taken on the kind's scale.
    limits_level : level of ``limits``.
    per : unit of the values; 100,000 for rates per 100,000.
    transform : fit the line itself on the log or logit scale, and carry its ends back.
    minimum_quantiles : fewer quantiles are refused.

    Returns
    -------
    SlopeIndex
        Shape (...), unit of the values for the SII; no unit for the RII.

    Raises
    ------
    QuantityError
        If a number is missing, a quantile is empty, there are too few quantiles, or a value has no
        logarithm or logit where one is needed; R821 for an estimate of need, whose slope measures the relative risks that
        were put in. Arrays taken out of an estimate look like any others: do not.

    References
    ----------
    Mackenbach JP, Kunst AE (1997). Measuring the magnitude of socio-economic inequalities in health. Social Science
    and Medicine 44:757-771. doi:10.1016/S0277-9536(96)00073-1
    """
    only_observed(*OF_ESTIMATES, values=values)
    alpha = tail(level)
    one_of("kind", kind, KINDS)
    if draws < 1000:
        raise QuantityError(Fault(f"{draws} draws are too few", "Use at least 1,000; 100,000 is usual.", field="draws"))
    scale = SCALES[kind]
    unit = per if kind == "proportion" else 1.0
    observed, people, centre, error = _on_scale(
        values, population, kind, se, limits, limits_level, per, minimum_quantiles
    )
    share = people / people.sum(axis=-1, keepdims=True)
    rank = ridit(people)
    # Both coefficients are linear in the values, so one set of weights does for every draw.
    rank_mean = (share * rank).sum(axis=-1, keepdims=True)
    away = rank - rank_mean
    to_slope = share * away / (share * away**2).sum(axis=-1, keepdims=True)
    to_start = share - to_slope * rank_mean
    fit_back = scale.back if transform else _same
    fitted = centre if transform else observed
    start, slope = (to_start * fitted).sum(axis=-1), (to_slope * fitted).sum(axis=-1)
    sii, rii = _indices(start, slope, fit_back)
    ends, errors = _simulate(centre, error, to_start, to_slope, scale, transform, draws, seed, alpha)
    made = SlopeIndex(sii * unit, ends[0, 0] * unit, ends[1, 0] * unit)
    made.rii = Interval(rii, ends[0, 1], ends[1, 1])
    made.intercept = fit_back(start) * unit
    made.sii_error, made.rii_error = errors[:, 0] * unit, errors[:, 1]
    fit_error = error if transform else error / scale.slope(observed)
    fit_scale = scale if transform else SCALES["mean"]
    analytic, made.rii_analytic = _delta(start, slope, to_start, to_slope, fit_error, fit_scale, level)
    made.analytic = Interval(*(end * unit for end in analytic))
    return made


def _indices(start: FloatArray, slope: FloatArray, back: Function) -> tuple[FloatArray, FloatArray]:
    """Return slope and relative index from the two ends of the line."""
    most, least = back(start), back(start + slope)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(least - most), np.asarray(least / most)


def _on_scale(
    values: npt.ArrayLike,
    population: npt.ArrayLike,
    kind: str,
    se: npt.ArrayLike | None,
    limits: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    limits_level: float,
    per: float,
    minimum_quantiles: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return values, population, values on the kind's scale and their standard errors there, checked and broadcast."""
    faults: list[Fault] = []
    observed = numbers("values", values, faults)
    people = positive("population", population, faults)
    same_groups("values", values=observed, population=people)
    if observed.shape[-1] < minimum_quantiles:
        what = f"has {observed.shape[-1]} quantiles; a line needs at least {minimum_quantiles}"
        faults.append(Fault(what, "Use fifths or tenths, national or local as you declare.", field="values"))
    top = {"rate": np.inf, "proportion": per, "mean": np.inf}[kind]
    if kind != "mean":
        outside = (observed <= 0) | (observed >= top)
        scale_name = "logarithm" if kind == "rate" else "logit"
        remedy = "Merge quantiles, or give kind='mean' with standard errors."
        note(faults, "values", outside, f"has no {scale_name}, as a {kind} needs", remedy, observed)
    settle(faults)
    scale = SCALES[kind]
    unit = per if kind == "proportion" else 1.0
    centre = scale.to(observed / unit)
    if limits is not None and se is not None:
        settle([Fault("is given beside se", "Give one of the two.", field="limits")])
    if limits is not None:
        ends = [numbers(name, end, faults) for name, end in zip(("lower limits", "upper limits"), limits, strict=True)]
        same_groups("values", values=observed, lower=ends[0], upper=ends[1])
        if kind != "mean":
            for name, end in zip(("lower limits", "upper limits"), ends, strict=True):
                note(faults, name, (end <= 0) | (end >= top), f"has no {scale_name}", "Give se in its place.", end)
        note(faults, "limits", ends[0] > ends[1], "has lower limits above the upper ones", "Swap them.")
        settle(faults)
        error = (scale.to(ends[1] / unit) - scale.to(ends[0] / unit)) / (2 * normal_quantile(limits_level))
    elif se is not None:
        given = nonnegative("se", se, faults)
        same_groups("values", values=observed, se=given)
        settle(faults)
        error = given / unit * scale.slope(observed / unit)
    elif kind == "rate":
        error = 1 / np.sqrt(observed * people / per)
    elif kind == "proportion":
        error = 1 / np.sqrt(people * (observed / unit) * (1 - observed / unit))
    else:
        error = np.full(observed.shape, np.nan)
    together = np.broadcast_arrays(observed / unit, people, centre, error)
    return together[0], together[1], together[2], together[3]


def _blocks(size: int, each: int) -> Iterator[slice]:
    """Return slices of areas whose draws fit in memory together."""
    step = max(1, _DRAWS_HELD // each)
    return (slice(start, start + step) for start in range(0, size, step))


def _simulate(
    centre: FloatArray,
    error: FloatArray,
    to_start: FloatArray,
    to_slope: FloatArray,
    scale: Scale,
    transform: bool,
    draws: int,
    seed: int,
    alpha: float,
) -> tuple[FloatArray, FloatArray]:
    """Return limits and their Monte Carlo standard errors, shape (limit, index, ...)."""
    shape, quantiles = centre.shape[:-1], centre.shape[-1]
    flat = [
        np.broadcast_to(array, centre.shape).reshape(-1, quantiles) for array in (centre, error, to_start, to_slope)
    ]
    areas = len(flat[0])
    noise = np.random.default_rng(seed).standard_normal((quantiles, draws))
    # The standard error of a simulated quantile: half the distance between the quantiles one binomial
    # standard error of its rank to either side.
    step = np.sqrt(alpha * (1 - alpha) / draws)
    wanted = np.array([alpha, 1 - alpha, alpha - step, alpha + step, 1 - alpha - step, 1 - alpha + step])
    found = np.empty((6, 2, areas))
    for block in _blocks(areas, draws):
        start = np.zeros((len(flat[0][block]), draws))
        slope = np.zeros_like(start)
        for quantile in range(quantiles):
            middle, spread, start_by, slope_by = (array[block, quantile, np.newaxis] for array in flat)
            values = spread * noise[quantile]
            values += middle
            if not transform:
                values = scale.back(values)
            start += start_by * values
            values *= slope_by
            slope += values
        for place, index in enumerate(_indices(start, slope, scale.back if transform else _same)):
            found[:, place, block] = np.quantile(index, np.clip(wanted, 0, 1), axis=-1)
    found = found.reshape(6, 2, *shape)
    return found[:2], np.stack([found[3] - found[2], found[5] - found[4]]) / 2


def _delta(
    start: FloatArray,
    slope: FloatArray,
    to_start: FloatArray,
    to_slope: FloatArray,
    error: FloatArray,
    scale: Scale,
    level: float,
) -> tuple[Interval, Interval]:
    """Return both indices with delta-method intervals, the ratio's on the log scale."""
    z = normal_quantile(level)
    most, least = scale.back(start), scale.back(start + slope)
    by_most = to_start / scale.slope(most)[..., np.newaxis]
    by_least = (to_start + to_slope) / scale.slope(least)[..., np.newaxis]
    half = z * np.sqrt((((by_least - by_most) * error) ** 2).sum(axis=-1))
    sii = Interval(least - most, least - most - half, least - most + half)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = least / most
        relative = by_least / least[..., np.newaxis] - by_most / most[..., np.newaxis]
        factor = np.exp(z * np.sqrt(((relative * error) ** 2).sum(axis=-1)))
        return sii, Interval(ratio, ratio / factor, ratio * factor)
