"""Is this place different, and can we say so? Tests against a benchmark, and the words that may follow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hna.errors import Fault, QuantityError
from hna.indicators.checks import nonnegative, numbers, one_of, only_observed, settle, tail, together
from hna.indicators.contrast import (
    Contrast,
    difference,
    difference_test,
    proportions_test,
    rates_test,
    ratio,
)
from hna.indicators.funnel import FunnelLimits, Overdispersion, chance_error, funnel_limits, overdispersion
from hna.indicators.interval import FloatArray, Interval, TextArray
from hna.indicators.neighbours import NeighbourAverage, leave_one_out, neighbour_average, recover_counts

__all__ = [
    "METHODS",
    "POLARITIES",
    "VERDICTS",
    "Contrast",
    "Discoveries",
    "FunnelLimits",
    "Interval",
    "NeighbourAverage",
    "Overdispersion",
    "benjamini_hochberg",
    "chance_error",
    "compare",
    "difference",
    "difference_test",
    "expected_false_signals",
    "funnel_limits",
    "leave_one_out",
    "neighbour_average",
    "overdispersion",
    "people_apart",
    "proportions_test",
    "rates_test",
    "ratio",
    "recover_counts",
    "sentence",
    "verdict",
]

POLARITIES = ("low-is-good", "high-is-good", "none")
METHODS = ("interval", "difference", "legacy-overlap")
VERDICTS = {
    "sig_worse": "Significantly worse than the {benchmark} average",
    "sig_better": "Significantly better than the {benchmark} average",
    "sig_higher": "Significantly higher than the {benchmark} average",
    "sig_lower": "Significantly lower than the {benchmark} average",
    "ns_higher": "Higher than {benchmark}, but not statistically significantly",
    "ns_lower": "Lower than {benchmark}, but not statistically significantly",
    "similar": "Similar to {benchmark}",
    "not_tested": "{side} {benchmark}; not statistically compared because {reason}",
    "not_comparable": "Not statistically comparable",
}


class Discoveries(NamedTuple):
    """Which of several tests stand when all are looked at together.

    Attributes
    ----------
    adjusted : the probabilities adjusted for the number of tests.
    found : where the adjusted probability is at most the rate asked for.
    """

    adjusted: FloatArray
    found: npt.NDArray[np.bool_]


def compare(
    value: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    benchmark: npt.ArrayLike,
    polarity: str = "low-is-good",
    *,
    benchmark_lower: npt.ArrayLike | None = None,
    benchmark_upper: npt.ArrayLike | None = None,
    method: str | None = None,
) -> TextArray:
    """Return the verdict on each value against a benchmark, in the closed vocabulary `VERDICTS`.

    In words: against a benchmark without limits, as the field does for England, a value differs significantly where
    its interval excludes the benchmark. Against one with limits, the recommended method, it does where the interval of
    the difference excludes 0, the arms of both intervals being added in squares.

    Parameters
    ----------
    value, lower, upper : the indicator and its limits, any shape; all three NaN where it is withheld, limits NaN
        where there are none.
    benchmark : value of England, the region or the neighbours, of the same definition and period; broadcasts.
    polarity : ``low-is-good``, ``high-is-good`` or ``none``; it belongs to the indicator.
    benchmark_lower, benchmark_upper : limits of the benchmark, of the same level.
    method : ``interval`` (default without limits of the benchmark), ``difference`` (default with them), or
        ``legacy-overlap``, which asks whether the intervals overlap and finds too little: between equal standard errors
        its real error rate is 0.0056 where 0.05 is meant.

    Returns
    -------
    array of text, the broadcast shape
        ``sig_worse``, ``sig_better``, or ``sig_higher``, ``sig_lower`` without polarity; ``ns_higher``, ``ns_lower``,
        or ``similar`` where value and benchmark are equal; ``not_tested`` where there are no limits;
        ``not_comparable`` where there is no value or benchmark.

    Raises
    ------
    QuantityError
        If a polarity or method is not offered, a benchmark has one limit only, or a value does not lie between its
        limits; R401 for an estimate of need.

    References
    ----------
    See `hna.indicators.contrast.difference`.
    """
    only_observed("R401", "testing it against a benchmark would test the assumptions", value=value, benchmark=benchmark)
    one_of("polarity", polarity, POLARITIES)
    limits = _benchmark_limits(benchmark_lower, benchmark_upper)
    method = method or ("interval" if limits is None else "difference")
    one_of("method", method, METHODS)
    faults: list[Fault] = []
    names = ("value", "lower", "upper", "benchmark", "benchmark_lower", "benchmark_upper")
    given = dict(zip(names, (value, lower, upper, benchmark, *(limits or ())), strict=False))
    arrays = {name: numbers(name, array, faults, missing=True) for name, array in given.items()}
    shape = together(**arrays)
    settle(faults)
    seen = {name: np.broadcast_to(array, shape) for name, array in arrays.items()}
    _between(seen["value"], seen["lower"], seen["upper"], "value")
    if limits is None:
        if method != "interval":
            remedy = "Give benchmark_lower and benchmark_upper."
            raise QuantityError(Fault(f"{method} needs the limits of the benchmark", remedy, field="method"))
        low, high = seen["lower"] - seen["benchmark"], seen["upper"] - seen["benchmark"]
    else:
        _between(seen["benchmark"], seen["benchmark_lower"], seen["benchmark_upper"], "benchmark")
        low, high = _against(seen, method)
    apart = seen["value"] - seen["benchmark"]
    return _words(apart, low > 0, high < 0, np.isnan(low) | np.isnan(high), polarity)


def verdict(contrast: Contrast, polarity: str = "low-is-good", level: float = 0.95) -> TextArray:
    """Return the verdict on a tested difference, from its probability.

    Parameters
    ----------
    contrast : value minus benchmark with its test, of any shape.
    polarity : as in `compare`.
    level : the difference is significant where p < 1 − level.

    Returns
    -------
    array of text
        As `compare`.

    Raises
    ------
    QuantityError
        If the polarity is not offered or the level is not between 0 and 1.
    """
    one_of("polarity", polarity, POLARITIES)
    significant = contrast.p < 2 * tail(level)
    apart = np.asarray(contrast.value)
    above, below = significant & (contrast.z > 0), significant & (contrast.z < 0)
    return _words(apart, above, below, np.isnan(contrast.p), polarity)


def sentence(word: str, benchmark: str, *, above: bool | None = None, reason: str = "") -> str:
    """Return the printed sentence of one verdict.

    Parameters
    ----------
    word : a key of `VERDICTS`.
    benchmark : name of the benchmark, such as England.
    above, reason : for ``not_tested``: on which side of the benchmark the value lies, and why there was no test.

    Returns
    -------
    str
        Without a full stop.

    Raises
    ------
    QuantityError
        R871 if the word is not of the vocabulary; or a ``not_tested`` comes without side or reason.
    """
    if word not in VERDICTS:
        remedy = f"Compare first, and use one of: {', '.join(VERDICTS)}."
        raise QuantityError(Fault(f"{word!r} is not a verdict of a test", remedy, field="word", code="R871"))
    if word == "not_tested" and (above is None or not reason):
        remedy = "Say whether it lies above, and why it was not tested."
        raise QuantityError(Fault("not_tested comes without side or reason", remedy, field="reason"))
    side = "Above" if above else "Below"
    return VERDICTS[word].format(benchmark=benchmark, side=side, reason=reason)


def people_apart(
    value: npt.ArrayLike, benchmark: npt.ArrayLike, population: npt.ArrayLike, per: float = 1
) -> FloatArray:
    """Return how many people the difference from a benchmark is, to be printed beside every significant one.

    Parameters
    ----------
    value, benchmark : in unit ``per``; they broadcast.
    population : the people the value is among.
    per : unit of value and benchmark.

    Returns
    -------
    array of the broadcast shape
        People; below 0 where the value is below the benchmark.

    Raises
    ------
    QuantityError
        If a number is missing, or the population is negative.
    """
    faults: list[Fault] = []
    seen, other = numbers("value", value, faults), numbers("benchmark", benchmark, faults)
    people = nonnegative("population", population, faults)
    together(value=seen, benchmark=other, population=people)
    settle(faults)
    return np.asarray((seen - other) * people / per)


def expected_false_signals(areas: int, level: float = 0.95) -> float:
    """Return how many of so many areas, none of them different, a test of this level is expected to call different.

    Parameters
    ----------
    areas : number of areas compared.
    level : confidence level, strictly between 0 and 1.

    Raises
    ------
    QuantityError
        If the level is not between 0 and 1.
    """
    return areas * 2 * tail(level)


def benjamini_hochberg(p: npt.ArrayLike, rate: float = 0.05) -> Discoveries:
    """Return which tests of a family stand if at most ``rate`` of the findings, on average, are to be false.

    In words: order the m probabilities; the i-th smallest becomes the least of p m/i over it and all larger ones.

    Parameters
    ----------
    p : two-sided probabilities, one family on the last axis, shape (..., test).
    rate : accepted share of false findings among the findings.

    Returns
    -------
    Discoveries
        Arrays of the shape of ``p``.

    Raises
    ------
    QuantityError
        If a probability is missing or outside [0, 1], or the rate is outside (0, 1).

    References
    ----------
    Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and powerful approach to multiple
    testing. Journal of the Royal Statistical Society B 57:289-300. doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    tail(rate)
    faults: list[Fault] = []
    chance = np.atleast_1d(numbers("p", p, faults))
    if ((chance < 0) | (chance > 1)).any():
        faults.append(Fault("is outside [0, 1]", "Give probabilities.", field="p"))
    settle(faults)
    tests = chance.shape[-1]
    order = np.argsort(chance, axis=-1, kind="stable")
    scaled = np.take_along_axis(chance, order, axis=-1) * tests / np.arange(1, tests + 1)
    least = np.flip(np.minimum.accumulate(np.flip(scaled, axis=-1), axis=-1), axis=-1)
    adjusted = np.empty_like(chance)
    np.put_along_axis(adjusted, order, np.minimum(least, 1.0), axis=-1)
    return Discoveries(adjusted, adjusted <= rate)


def _benchmark_limits(
    lower: npt.ArrayLike | None, upper: npt.ArrayLike | None
) -> tuple[npt.ArrayLike, npt.ArrayLike] | None:
    """Return both limits of the benchmark, or None where neither is given."""
    if lower is None and upper is None:
        return None
    if lower is None or upper is None:
        raise QuantityError(Fault("has one limit only", "Give both limits, or none.", field="benchmark"))
    return lower, upper


def _between(value: FloatArray, lower: FloatArray, upper: FloatArray, field: str) -> None:
    """Raise where a value does not lie between its limits."""
    if ((value < lower) | (value > upper)).any():
        remedy = "Check the order of the limits, and that all are in one unit."
        raise QuantityError(Fault("does not lie between its limits", remedy, field=field))


def _against(seen: dict[str, FloatArray], method: str) -> tuple[FloatArray, FloatArray]:
    """Return the limits that must exclude 0 for a difference from a benchmark with limits."""
    if method == "legacy-overlap":
        return seen["lower"] - seen["benchmark_upper"], seen["upper"] - seen["benchmark_lower"]
    if method == "interval":
        return seen["lower"] - seen["benchmark"], seen["upper"] - seen["benchmark"]
    apart = seen["value"] - seen["benchmark"]
    below = np.hypot(seen["value"] - seen["lower"], seen["benchmark_upper"] - seen["benchmark"])
    above = np.hypot(seen["upper"] - seen["value"], seen["benchmark"] - seen["benchmark_lower"])
    return apart - below, apart + above


def _words(
    apart: FloatArray,
    above: npt.NDArray[np.bool_],
    below: npt.NDArray[np.bool_],
    untested: npt.NDArray[np.bool_],
    polarity: str,
) -> TextArray:
    """Return the verdicts of a difference and its significance above and below."""
    up, down = {
        "low-is-good": ("sig_worse", "sig_better"),
        "high-is-good": ("sig_better", "sig_worse"),
        "none": ("sig_higher", "sig_lower"),
    }[polarity]
    conditions = [np.isnan(apart), untested, above, below, apart > 0, apart < 0]
    chosen = np.select(conditions, ["not_comparable", "not_tested", up, down, "ns_higher", "ns_lower"], "similar")
    return np.asarray(chosen, dtype=np.str_)
