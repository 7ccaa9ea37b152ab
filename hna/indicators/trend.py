"""Has it changed? The chi-squared marker of recent trend, and the percentage change.

Years lie on the last axis; leading axes broadcast.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from hna.errors import Fault, QuantityError
from hna.indicators.checks import nonnegative, note, numbers, one_of, positive, same_groups, settle, tail
from hna.indicators.contrast import ratio
from hna.indicators.interval import FloatArray, Interval

__all__ = ["Interval", "Trend", "chi_squared_trend", "percentage_change", "weighted_trend"]


class Trend(NamedTuple):
    """A marker of trend, not an analysis of it.

    Attributes
    ----------
    statistic : χ² on one degree of freedom.
    p : its probability if nothing changes.
    slope : change a year.
    direction : 1 where it rises significantly, −1 where it falls, 0 otherwise.
    years : first and last year tested.
    """

    statistic: FloatArray
    p: FloatArray
    slope: FloatArray
    direction: npt.NDArray[np.int64]
    years: tuple[int, int]


def chi_squared_trend(
    cases: npt.ArrayLike,
    n: npt.ArrayLike,
    years: npt.ArrayLike,
    *,
    kind: str = "proportion",
    span: int = 1,
    points: int = 5,
    level: float = 0.95,
) -> Trend:
    """Return the chi-squared test for trend of proportions, or of crude rates, over the most recent years.

    In words: T = Σt(x − n P̄) with P̄ the value of all years together; χ² = T²/V on one degree of freedom, where
    V = P̄(1 − P̄)(Σnt² − (Σnt)²/Σn), without the factor 1 − P̄ for rates.

    Parameters
    ----------
    cases : cases or events of each year, shape (..., year).
    n : people, or person-years, shape (..., year).
    years : the year of each point, shape (year,), one after the other.
    kind : ``proportion`` or ``rate``.
    span : years of data in each point; more than 1 means rolling periods, which overlap.
    points : the latest so many are tested, and no fewer will do.
    level : for ``direction``.

    Returns
    -------
    Trend
        Arrays of shape (...); slope in cases a person a year, the regression weighted by n.

    Raises
    ------
    QuantityError
        R851 if periods overlap; or if there are too few points, a year is absent or repeated, a number is missing or
        negative, a denominator is 0, or there are more cases than people.

    References
    ----------
    Armitage P (1955). Tests for linear trends in proportions and frequencies. Biometrics 11:375-386.
    doi:10.2307/3001775
    """
    tail(level)
    one_of("kind", kind, ("proportion", "rate"))
    faults: list[Fault] = []
    seen = nonnegative("cases", cases, faults)
    people = positive("n", n, faults)
    when = numbers("years", years, faults)
    same_groups("years", cases=seen, n=people, years=when)
    if kind == "proportion":
        seen, people = np.broadcast_arrays(seen, people)
        remedy = "Check that both count the same people, or say kind='rate'."
        note(faults, "cases", (seen > people) & (people > 0), "has more cases than people", remedy, seen)
    when = _latest(when, span, points, faults)
    settle(faults)
    seen, people = np.broadcast_arrays(seen[..., -points:], people[..., -points:])
    whole = people.sum(axis=-1, keepdims=True)
    overall = seen.sum(axis=-1, keepdims=True) / whole
    away = when - (people * when).sum(axis=-1, keepdims=True) / whole
    lean = (away * (seen - people * overall)).sum(axis=-1)
    spread = (people * away**2).sum(axis=-1)
    share = overall[..., 0]
    variance = spread * (share * (1 - share) if kind == "proportion" else share)
    return _trend(lean, variance, lean / spread, when, level)


def weighted_trend(
    values: npt.ArrayLike,
    se: npt.ArrayLike,
    years: npt.ArrayLike,
    *,
    span: int = 1,
    points: int = 5,
    level: float = 0.95,
) -> Trend:
    """Return the same marker for any other indicator with standard errors: weighted regression on the year.

    In words: the slope with weights w = 1/se², χ² = (Σw(t − t̄)(y − ȳ))² / Σw(t − t̄)² on one degree of freedom.

    Parameters
    ----------
    values : indicator of each year, shape (..., year).
    se : their standard errors, shape (..., year).
    years, span, points, level : as in `chi_squared_trend`.

    Returns
    -------
    Trend
        Arrays of shape (...); slope in the unit of the values a year.

    Raises
    ------
    QuantityError
        R851 if periods overlap; or if there are too few points, a year is absent or repeated, a number is missing, or
        a standard error is not above 0.

    References
    ----------
    Office for Health Improvement and Disparities. Fingertips public health technical guidance: trend markers.
    """
    tail(level)
    faults: list[Fault] = []
    seen = numbers("values", values, faults)
    error = positive("se", se, faults)
    when = numbers("years", years, faults)
    same_groups("years", values=seen, se=error, years=when)
    when = _latest(when, span, points, faults)
    settle(faults)
    seen, error = np.broadcast_arrays(seen[..., -points:], error[..., -points:])
    weight = 1 / error**2
    away = when - (weight * when).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    lean, spread = (weight * away * seen).sum(axis=-1), (weight * away**2).sum(axis=-1)
    return _trend(lean, spread, lean / spread, when, level)


def percentage_change(first: Interval, last: Interval) -> Interval:
    """Return the change from one independent period to another, in per cent of the first, with its interval.

    In words: 100 (last / first − 1), the interval from the two intervals on the log scale.

    Parameters
    ----------
    first, last : values above 0 with limits of one level; they broadcast.

    Returns
    -------
    Interval
        The broadcast shape, in per cent.

    Raises
    ------
    QuantityError
        As `hna.indicators.contrast.ratio`.

    References
    ----------
    See `hna.indicators.contrast.ratio`.
    """
    return Interval(*(100 * (np.asarray(end) - 1) for end in ratio(last, first)))


def _latest(years: FloatArray, span: int, points: int, faults: list[Fault]) -> FloatArray:
    """Return the years tested, after the publisher's conditions."""
    settle(faults)
    if years.ndim != 1:
        raise QuantityError(Fault("differ between areas", "Give one list of years for all.", field="years"))
    if span > 1:
        remedy = "Use single years; rolling periods share their data, which looks like a trend."
        faults.append(Fault(f"periods of {span} years overlap", remedy, field="span", code="R851"))
    if points < 3:
        faults.append(Fault(f"{points} points show no trend", "Use 5 or more.", field="points"))
    if years.size < points:
        what = f"has {years.size} points where {points} are needed"
        faults.append(Fault(what, "Wait for more years; a shorter series has no marker.", field="years"))
    steps = np.diff(years)
    if (steps < 1).any():
        overlap = [f"{int(a)} then {int(b)}" for a, b in pairwise(years) if b - a < 1]
        remedy = "Give each year once, in order."
        faults.append(Fault("do not follow one another", remedy, field="years", rows=overlap, code="R851"))
    latest = years[-points:]
    breaks = [f"{int(a)} then {int(b)}" for a, b in pairwise(latest) if b - a > 1]
    if breaks:
        remedy = "Supply the years between, or test the years after the break."
        faults.append(Fault("have a break", remedy, field="years", rows=breaks))
    return latest


def _trend(lean: FloatArray, variance: FloatArray, slope: FloatArray, years: FloatArray, level: float) -> Trend:
    """Return the marker from the score, its variance and the slope."""
    lean, variance = np.asarray(lean), np.asarray(variance)
    # Nobody, or everybody, in every year: nothing has changed.
    statistic = np.divide(lean**2, variance, out=np.zeros(variance.shape), where=variance > 0)
    p = np.asarray(chdtrc(1, statistic))
    direction = np.where(p < 2 * tail(level), np.sign(lean), 0).astype(np.int64)
    return Trend(statistic, p, np.asarray(slope), direction, (int(years[0]), int(years[-1])))
