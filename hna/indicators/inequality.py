"""Inequality between deprived and less deprived places: slope, gap, quantiles, concentration.

Quantiles lie on the last axis, ordered from most to least deprived; leading axes broadcast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hna.errors import Fault, QuantityError
from hna.indicators.checks import (
    nonnegative,
    normal_quantile,
    note,
    numbers,
    only_observed,
    positive,
    same_groups,
    settle,
    tail,
)
from hna.indicators.contrast import difference, ratio
from hna.indicators.interval import FloatArray, Interval
from hna.indicators.slope import OF_ESTIMATES, SlopeIndex, ridit, slope_index

__all__ = [
    "DeprivationGap",
    "Interval",
    "SlopeIndex",
    "concentration_index",
    "deprivation_gap",
    "population_quantiles",
    "ridit",
    "slope_index",
]


class DeprivationGap(NamedTuple):
    """The distance between most and least deprived.

    Attributes
    ----------
    absolute : most minus least deprived, with limits; unit of the values.
    relative : most over least deprived, with limits; no unit.
    range : the largest value of any quantile minus the smallest.
    """

    absolute: Interval
    relative: Interval
    range: FloatArray


def deprivation_gap(values: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike) -> DeprivationGap:
    """Return the gap between the most and the least deprived quantile, and the range over all.

    In words: absolute gap = first − last, relative gap = first / last, each with an interval from the two intervals;
    the range takes every quantile and has no interval, since the largest of several is always too large.

    Parameters
    ----------
    values, lower, upper : the indicator of each quantile and its limits, most deprived first, shape (..., quantile).

    Returns
    -------
    DeprivationGap
        Arrays of shape (...), at the level of the limits.

    Raises
    ------
    QuantityError
        R821 for an estimate of need; if a number is missing, there are fewer than two quantiles, limits do not lie about
        their value, or a negative value or a zero in the least deprived quantile leaves no ratio.

    References
    ----------
    See `hna.indicators.contrast.difference`.
    """
    only_observed(*OF_ESTIMATES, values=values)
    faults: list[Fault] = []
    given = Interval(
        numbers("values", values, faults), numbers("lower", lower, faults), numbers("upper", upper, faults)
    )
    groups = same_groups("values", values=given.value, lower=given.lower, upper=given.upper)
    if groups < 2:
        faults.append(Fault("has one quantile only", "A gap needs two.", field="values"))
    settle(faults)
    most, least = (Interval(*(end[..., place] for end in given)) for place in (0, -1))
    return DeprivationGap(
        difference(most, least), ratio(most, least), given.value.max(axis=-1) - given.value.min(axis=-1)
    )


def population_quantiles(
    score: npt.ArrayLike,
    population: npt.ArrayLike,
    quantiles: int = 5,
    *,
    within: npt.ArrayLike | None = None,
) -> npt.NDArray[np.int64]:
    """Return each area's quantile of deprivation, every quantile holding about as many people.

    In words: order the areas from the highest score down, and place each by the share of people before it and half
    its own. Areas with equal scores are placed together, so the order of the rows decides nothing.

    Parameters
    ----------
    score : deprivation of each area, the highest most deprived, shape (area,).
    population : people in each area, shape (area,); an area of none is placed by its score.
    quantiles : how many; 5 for fifths.
    within : label of the larger area each lies in, shape (area,); quantiles are then local to it.

    Returns
    -------
    array of int, shape (area,)
        1 for the most deprived.

    Raises
    ------
    QuantityError
        If a number is missing or negative, a larger area has nobody in it, there are fewer than two quantiles, or
        fewer distinct scores than quantiles.
    """
    faults: list[Fault] = []
    scores = numbers("score", score, faults)
    people = nonnegative("population", population, faults)
    if quantiles < 2:
        faults.append(Fault(f"{quantiles} is too few", "Ask for at least two.", field="quantiles"))
    places = np.zeros(scores.shape, dtype=np.int64)
    labels = np.array(["all"])
    if within is not None:
        labels, places = np.unique(np.asarray(within), return_inverse=True)
    if not scores.ndim == people.ndim == places.ndim == 1 or len({scores.size, people.size, places.size}) > 1:
        settle([*faults, Fault("score, population and within do not fit together", "Give one number an area.")])
    settle(faults)
    order = np.lexsort((-scores, places))
    sorted_place, sorted_score, sorted_people = places[order], scores[order], people[order]
    new_tie = np.r_[True, (np.diff(sorted_place) != 0) | (np.diff(sorted_score) != 0)]
    tie = np.cumsum(new_tie) - 1
    tie_people = np.bincount(tie, weights=sorted_people)
    tie_place = sorted_place[new_tie]
    local = np.bincount(tie_place, weights=tie_people, minlength=labels.size)
    empty = [str(label) for label in labels[local <= 0]]
    few = [str(label) for label in labels[np.bincount(tie_place, minlength=labels.size) < quantiles]]
    if empty:
        faults.append(Fault("is 0 in the whole of an area", "Leave it out.", field="population", rows=empty))
    if few:
        remedy = "Use fewer quantiles, smaller areas or national quantiles."
        faults.append(Fault(f"has fewer than {quantiles} distinct values", remedy, field="score", rows=few))
    settle(faults)
    before = np.cumsum(tie_people) - tie_people
    first = np.r_[True, np.diff(tie_place) != 0]
    middle = before - before[first][tie_place] + tie_people / 2
    share = middle / local[tie_place]
    quantile = np.minimum((share * quantiles).astype(np.int64), quantiles - 1) + 1
    placed = np.empty(scores.shape, dtype=np.int64)
    placed[order] = quantile[tie]
    return placed


def concentration_index(
    values: npt.ArrayLike, population: npt.ArrayLike, se: npt.ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the concentration index: how far a need is concentrated among deprived people.

    In words: C = (2/μ) Σ a y b − 1 with shares a of the population, values y with mean μ, and relative ranks b from the
    most deprived. It runs from −1, all the need among the most deprived, over 0, to 1.

    Parameters
    ----------
    values : need per person in each quantile, most deprived first, shape (..., quantile); none negative.
    population : people in each quantile, shape (..., quantile).
    se : standard errors of the values; left out, the limits are NaN.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Interval
        Shape (...), no unit; limits by the delta method over the errors of the values.

    Raises
    ------
    QuantityError
        R821 for an estimate of need; if a number is missing or negative, a quantile is empty, there are fewer than two,
        or nobody has the need.

    References
    ----------
    Kakwani N, Wagstaff A, van Doorslaer E (1997). Socioeconomic inequalities in health: measurement, computation, and
    statistical inference. Journal of Econometrics 77:87-103. doi:10.1016/S0304-4076(96)01807-6
    """
    only_observed(*OF_ESTIMATES, values=values)
    tail(level)
    faults: list[Fault] = []
    need = nonnegative("values", values, faults)
    people = positive("population", population, faults)
    error = None if se is None else nonnegative("se", se, faults)
    if same_groups("values", values=need, population=people) < 2:
        raise QuantityError([*faults, Fault("has one quantile only", "Give at least two.", field="values")])
    settle(faults)
    share = people / people.sum(axis=-1, keepdims=True)
    overall = (share * need).sum(axis=-1, keepdims=True)
    note(faults, "values", overall <= 0, "is 0 everywhere", "Nothing is concentrated where nobody has the need.")
    settle(faults)
    rank = ridit(people)
    index = 2 * (share * need * rank).sum(axis=-1, keepdims=True) / overall - 1
    if error is None:
        unknown = np.full(index[..., 0].shape, np.nan)
        return Interval(index[..., 0], unknown, unknown.copy())
    same_groups("values", values=need, se=error)
    by_value = share * (2 * rank - 1 - index) / overall
    half = normal_quantile(level) * np.sqrt(((by_value * error) ** 2).sum(axis=-1))
    return Interval(index[..., 0], index[..., 0] - half, index[..., 0] + half)
