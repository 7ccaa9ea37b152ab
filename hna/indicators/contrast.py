"""Two values against each other: difference, ratio, and the test of no difference.

The interval of a difference is formed from the two intervals, so limits that lie unevenly about their value keep their
shape; whether two intervals overlap is not a test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from hna.errors import Fault
from hna.indicators.checks import (
    events_in_nobody,
    nonnegative,
    normal_quantile,
    note,
    numbers,
    positive,
    settle,
    together,
)
from hna.indicators.interval import FloatArray, Interval
from hna.indicators.rates import poisson_limits, proportion


class Contrast(Interval):
    """A difference with its limits, which unpacks into three, and the test that it is 0.

    Attributes
    ----------
    z : the test statistic, standard normal where there is no difference.
    p : its two-sided probability.
    """

    z: FloatArray
    p: FloatArray

    @classmethod
    def of(cls, interval: Interval, z: FloatArray) -> Contrast:
        """Return the contrast with this interval and test statistic."""
        made = cls(*interval)
        made.z = np.asarray(z)
        made.p = np.asarray(2 * ndtr(-np.abs(z)))
        return made


def difference(value: Interval, other: Interval) -> Interval:
    """Return ``value`` − ``other`` with an interval at the level both intervals have.

    In words: each limit of the difference lies as far out as the two limits that pull it that way, added in squares:
    L = d − √((a − l_a)² + (u_b − b)²) and U = d + √((u_a − a)² + (b − l_b)²).

    Parameters
    ----------
    value, other : values with limits of one level and unit; they broadcast and must be independent.

    Returns
    -------
    Interval
        The broadcast shape, in the unit of the values. No difference is rejected where the interval excludes 0.

    Raises
    ------
    QuantityError
        If a number is missing, or limits do not lie about their value.

    References
    ----------
    Zou GY, Donner A (2008). Construction of confidence limits about effect measures: a general approach. Statistics in
    Medicine 27:1693-1702. doi:10.1002/sim.3095

    Schenker N, Gentleman JF (2001). On judging the significance of differences by examining the overlap between
    confidence intervals. The American Statistician 55:182-186. doi:10.1198/000313001317097960
    """
    first, second = _pair(value, other)
    return _difference(first, second)


def _difference(first: Interval, second: Interval) -> Interval:
    """Return the difference with the arms of both intervals added in squares."""
    apart = first.value - second.value
    below = np.hypot(first.value - first.lower, second.upper - second.value)
    above = np.hypot(first.upper - first.value, second.value - second.lower)
    return Interval(apart, apart - below, apart + above)


def ratio(value: Interval, other: Interval) -> Interval:
    """Return ``value`` / ``other`` with an interval at the level both intervals have: `difference` on the log scale.

    Parameters
    ----------
    value, other : values above 0 with limits of one level; they broadcast and must be independent.

    Returns
    -------
    Interval
        The broadcast shape, no unit. No difference is rejected where the interval excludes 1. A lower limit of 0 of
        ``other`` leaves the upper limit infinite.

    Raises
    ------
    QuantityError
        If a number is missing or negative, a value of ``other`` is 0, or limits do not lie about their value.

    References
    ----------
    See `difference`.
    """
    first, second = _pair(value, other)
    faults: list[Fault] = []
    for name, interval in (("value", first), ("other", second)):
        note(faults, name, interval.lower < 0, "has a limit below 0", "Take the difference.", interval.lower)
    note(faults, "other", second.value <= 0, "is not above 0", "Take the difference.", second.value)
    settle(faults)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [Interval(*(np.log(end) for end in interval)) for interval in (first, second)]
        made = Interval(*(np.exp(end) for end in _difference(*logs)))
    # No events above: the ratio is 0, and its upper limit is that of the count over the other value.
    nothing = first.value == 0
    return Interval(
        np.where(nothing, 0.0, made.value),
        np.where(nothing, 0.0, made.lower),
        np.where(nothing, first.upper / second.value, made.upper),
    )


def _pair(value: Interval, other: Interval) -> tuple[Interval, Interval]:
    """Return both intervals, checked."""
    faults: list[Fault] = []
    first = Interval(
        *(numbers(f"value.{name}", end, faults) for name, end in zip(Interval._fields, value, strict=True))
    )
    second = Interval(
        *(numbers(f"other.{name}", end, faults) for name, end in zip(Interval._fields, other, strict=True))
    )
    together(value=first.value, lower=first.lower, upper=first.upper, other=second.value)
    for name, interval in (("value", first), ("other", second)):
        wrong = (interval.lower > interval.value) | (interval.upper < interval.value)
        note(faults, name, wrong, "does not lie between its limits", "Check their order and unit.", interval.value)
    settle(faults)
    return first, second


def difference_test(
    value: npt.ArrayLike,
    se: npt.ArrayLike,
    other: npt.ArrayLike,
    other_se: npt.ArrayLike,
    level: float = 0.95,
) -> Contrast:
    """Return the difference of two independent estimates with the test that it is 0.

    In words: z = (a − b) / √(se_a² + se_b²).

    Parameters
    ----------
    value, other : the estimates, in one unit; they broadcast.
    se, other_se : their standard errors; not both 0.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Contrast
        The broadcast shape.

    Raises
    ------
    QuantityError
        If a number is missing, a standard error is negative, or both are 0.

    References
    ----------
    See `difference`.
    """
    z_level = normal_quantile(level)
    faults: list[Fault] = []
    a, b = numbers("value", value, faults), numbers("other", other, faults)
    se_a, se_b = nonnegative("se", se, faults), nonnegative("other_se", other_se, faults)
    together(value=a, se=se_a, other=b, other_se=se_b)
    spread = np.hypot(se_a, se_b)
    note(faults, "se", spread == 0, "and other_se are both 0", "Give the sampling error of at least one.")
    settle(faults)
    apart = a - b
    return Contrast.of(Interval(apart, apart - z_level * spread, apart + z_level * spread), apart / spread)


def proportions_test(
    cases: npt.ArrayLike,
    n: npt.ArrayLike,
    other_cases: npt.ArrayLike,
    other_n: npt.ArrayLike,
    level: float = 0.95,
) -> Contrast:
    """Return the difference of two independent proportions with the test that it is 0.

    In words: Newcombe's interval, which adds the arms of the two Wilson intervals in squares; the test has the variance
    of one proportion common to both, z = (p_a − p_b) / √(p̄(1 − p̄)(1/n_a + 1/n_b)).

    Parameters
    ----------
    cases, n, other_cases, other_n : people with the attribute and people in all, of each; they broadcast.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Contrast
        The broadcast shape; z is 0 where nobody, or everybody, has the attribute in both.

    Raises
    ------
    QuantityError
        As `hna.indicators.rates.proportion`.

    References
    ----------
    Newcombe RG (1998). Interval estimation for the difference between independent proportions: comparison of eleven
    methods. Statistics in Medicine 17:873-890.
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    first, second = proportion(cases, n, level), proportion(other_cases, other_n, level)
    x_a, n_a, x_b, n_b = (np.asarray(given, dtype=np.float64) for given in (cases, n, other_cases, other_n))
    together(cases=x_a, n=n_a, other_cases=x_b, other_n=n_b)
    common = (x_a + x_b) / (n_a + n_b)
    spread = np.sqrt(common * (1 - common) * (1 / n_a + 1 / n_b))
    apart = first.value - second.value
    z = np.divide(apart, spread, out=np.zeros(np.shape(spread)), where=spread > 0)
    return Contrast.of(_difference(first, second), z)


def rates_test(
    events: npt.ArrayLike,
    person_years: npt.ArrayLike,
    other_events: npt.ArrayLike,
    other_person_years: npt.ArrayLike,
    per: float = 100_000,
    level: float = 0.95,
) -> Contrast:
    """Return the difference of two independent crude rates with the test that it is 0.

    In words: the arms of the two Poisson intervals added in squares; the test has the variance of one rate common to
    both, z = (r_a − r_b) / √(r̄(1/t_a + 1/t_b)).

    Parameters
    ----------
    events, person_years, other_events, other_person_years : counts and exposure of each; they broadcast.
    per : unit of the difference.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Contrast
        The broadcast shape; unit events per ``per``; z is 0 where there are no events in both.

    Raises
    ------
    QuantityError
        If a number is missing or negative, or person-years are 0.

    References
    ----------
    Ng HKT, Tang ML (2005). Testing the equality of two Poisson means using the rate ratio. Statistics in Medicine
    24:955-965. doi:10.1002/sim.1949
    """
    normal_quantile(level)
    faults: list[Fault] = []
    x_a, x_b = nonnegative("events", events, faults), nonnegative("other_events", other_events, faults)
    t_a = positive("person_years", person_years, faults)
    t_b = positive("other_person_years", other_person_years, faults)
    together(events=x_a, person_years=t_a, other_events=x_b, other_person_years=t_b)
    events_in_nobody(x_a, t_a, faults, field="person_years")
    events_in_nobody(x_b, t_b, faults, field="other_person_years")
    settle(faults)
    sides = [
        Interval(*(np.asarray(end / time * per) for end in (count, *poisson_limits(count, level))))
        for count, time in ((x_a, t_a), (x_b, t_b))
    ]
    spread = np.sqrt((x_a + x_b) / (t_a + t_b) * (1 / t_a + 1 / t_b)) * per
    apart = sides[0].value - sides[1].value
    z = np.divide(apart, spread, out=np.zeros(np.shape(spread)), where=spread > 0)
    return Contrast.of(_difference(*sides), z)
