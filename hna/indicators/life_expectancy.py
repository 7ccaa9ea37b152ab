"""Life expectancy from abridged period life tables, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hna.errors import Fault, QuantityError
from hna.indicators.checks import nonnegative, normal_quantile, same_groups, settle, tail
from hna.indicators.interval import FlaggedInterval, FloatArray, Interval, join_flags

__all__ = ["Interval", "abridged_bands", "life_expectancy"]

FEW_PEOPLE = "too-few-person-years"
EMPTY_BAND = "empty-band"
NO_LAST_DEATHS = "no-deaths-in-last-band"
MORE_DEATHS = "more-deaths-than-person-years"
WIDE = "interval-too-wide"
NOBODY_LEFT = "nobody-survives-to-this-age"


def abridged_bands(last: int = 90) -> list[int]:
    """Return the first ages of the bands of an abridged life table: 0, 1, 5, 10, … ``last``."""
    return [0, 1, *range(5, last + 1, 5)]


def life_expectancy(
    deaths: npt.ArrayLike,
    population: npt.ArrayLike,
    starts: Sequence[int] | None = None,
    level: float = 0.95,
    *,
    infant_share: float = 0.1,
    minimum_person_years: float = 5_000,
    widest: float = 20,
) -> FlaggedInterval:
    """Return life expectancy at the start of every age band, by Chiang's method with Silcocks' last band.

    In words: the chance of dying in a band of n years is q = nM / (1 + n(1 − a)M), from its death rate M and the share
    a of the band that those who die live (a half; a tenth in the first year). Of l survivors d die, and they live
    L = n(l' + a d) years in the band, l' being those left; in the last, open band L = l/M; e = ΣL/l over the bands from
    the age on. The variance is Σ l²((1 − a)n + e')² var(q) + l²/(D M²) of the last band, over l² at the age, where
    var(q) = q²(1 − q)/D and D are the deaths.

    Parameters
    ----------
    deaths : deaths in the period, shape (..., band).
    population : person-years lived in the period (for three years of deaths, three mid-year populations added), shape
        (..., band).
    starts : first age of each band, the last one open; left out, 20 bands are 0, 1, 5, 10, … 90, and 19 are
        0, 5, 10, … 90.
    level : confidence level, strictly between 0 and 1.
    infant_share : a in a first band of one year.
    minimum_person_years : areas with fewer in all are refused.
    widest : values whose 95 % interval is wider than this many years are withheld; their limits are given.

    Returns
    -------
    FlaggedInterval
        Shape (..., band), in years: the expectation at birth is ``[..., 0]``. A refused area has NaN throughout and the
        reason in its flags: ``too-few-person-years``, ``empty-band``, ``no-deaths-in-last-band`` or
        ``more-deaths-than-person-years``; ``interval-too-wide`` and ``nobody-survives-to-this-age`` stand at single
        ages.

    Raises
    ------
    QuantityError
        If a number is missing or negative, or the bands are not those of ``starts``.

    References
    ----------
    Chiang CL (1968). Introduction to Stochastic Processes in Biostatistics, pages 189-214. New York: Wiley.

    Silcocks PBS, Jenner DA, Reza R (2001). Life expectancy as a summary of mortality in a population: statistical
    considerations and suitability for use by health authorities. Journal of Epidemiology and Community Health 55:38-43.
    doi:10.1136/jech.55.1.38

    Eayres D, Williams ES (2004). Evaluation of methodologies for small area life expectancy estimation. Journal of
    Epidemiology and Community Health 58:243-249. doi:10.1136/jech.2003.009654
    """
    tail(level)
    faults: list[Fault] = []
    died = nonnegative("deaths", deaths, faults)
    lived = nonnegative("population", population, faults)
    bands = same_groups("population", deaths=died, population=lived)
    ages = _ages(starts, bands, faults)
    settle(faults)
    died, lived = np.broadcast_arrays(died, lived)
    few_people = np.asarray(lived.sum(axis=-1, keepdims=True) < minimum_person_years)
    empty = np.asarray((lived <= 0).any(axis=-1, keepdims=True))
    no_last = np.asarray(died[..., -1:] <= 0)
    too_many = np.asarray(((died > lived) & (lived > 0)).any(axis=-1, keepdims=True))
    refused = few_people | empty | no_last | too_many
    value, variance, gone = _table(np.where(refused, 1.0, died), np.where(refused, 2.0, lived), ages, infant_share)
    spread = np.sqrt(variance)
    half = normal_quantile(level) * spread
    wide = (2 * normal_quantile(0.95) * spread > widest) & ~refused & ~gone
    absent = refused | gone
    return FlaggedInterval(
        np.where(absent | wide, np.nan, value),
        np.where(absent, np.nan, value - half),
        np.where(absent, np.nan, value + half),
        join_flags(
            died.shape,
            (FEW_PEOPLE, few_people),
            (EMPTY_BAND, empty),
            (NO_LAST_DEATHS, no_last),
            (MORE_DEATHS, too_many),
            (WIDE, wide),
            (NOBODY_LEFT, gone & ~refused),
        ),
    )


def _ages(starts: Sequence[int] | None, bands: int, faults: list[Fault]) -> FloatArray:
    """Return the first age of each band, given or usual."""
    usual = {len(known): known for known in (abridged_bands(), list(range(0, 91, 5)))}
    if starts is None:
        if bands not in usual:
            remedy = "Say the first age of each in starts."
            raise QuantityError([*faults, Fault(f"has {bands} bands", remedy, field="deaths")])
        starts = usual[bands]
    ages = np.asarray(starts, dtype=np.float64)
    if ages.shape != (bands,):
        what = f"has {ages.size} ages for {bands} bands"
        faults.append(Fault(what, "Give one first age for every band.", field="starts"))
    elif bands < 2 or not (np.diff(ages) > 0).all() or ages[0] < 0:
        remedy = "Order the bands from the youngest, each once."
        faults.append(Fault("do not rise", remedy, field="starts", rows=list(starts)))
    return ages


def _table(
    died: FloatArray, lived: FloatArray, ages: FloatArray, infant_share: float
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return the expectation at each age, its variance, and where nobody is left."""
    width = np.diff(ages)
    share = np.where((ages[:-1] == 0) & (width == 1), infant_share, 0.5)
    rate = died / lived
    dying = np.minimum(width * rate[..., :-1] / (1 + width * (1 - share) * rate[..., :-1]), 1.0)
    alive = np.concatenate([np.ones_like(rate[..., :1]), np.cumprod(1 - dying, axis=-1)], axis=-1)
    deaths = alive[..., :-1] - alive[..., 1:]
    years = np.concatenate([width * (alive[..., 1:] + share * deaths), alive[..., -1:] / rate[..., -1:]], axis=-1)
    ahead = _from_here(years)
    gone = alive <= 0
    survivors = np.where(gone, 1.0, alive)
    value = ahead / survivors
    happened = died[..., :-1]
    spread = dying**2 * (1 - dying) / np.where(happened > 0, happened, 1.0)
    parts = alive[..., :-1] ** 2 * ((1 - share) * width + value[..., 1:]) ** 2 * spread
    last = alive[..., -1:] ** 2 / (died[..., -1:] * rate[..., -1:] ** 2)
    variance = _from_here(np.concatenate([parts, last], axis=-1)) / survivors**2
    return value, variance, gone


def _from_here(parts: FloatArray) -> FloatArray:
    """Return the sum of each entry and all after it."""
    return np.flip(np.cumsum(np.flip(parts, axis=-1), axis=-1), axis=-1)
