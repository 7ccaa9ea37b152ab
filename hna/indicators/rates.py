"""Proportions, crude rates, counts and means, each with the interval English public health prints.

Arrays broadcast; the results have the broadcast shape.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammainccinv, gammaincinv, stdtrit

from hna.errors import Fault
from hna.indicators.checks import (
    events_in_nobody,
    nonnegative,
    normal_quantile,
    note,
    numbers,
    positive,
    settle,
    tail,
    together,
)
from hna.indicators.interval import FloatArray, Interval

__all__ = ["Interval", "byar_limits", "count", "crude_rate", "mean", "poisson_limits", "proportion"]


def proportion(cases: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95, per: float = 1) -> Interval:
    """Return proportions with Wilson's score interval.

    In words: the limits are the two proportions that a score test of this level would just not reject,
    (2x + z² ∓ z √(z² + 4x(1 − x/n))) / (2(n + z²)).

    Parameters
    ----------
    cases : people with the attribute, any shape.
    n : people asked, broadcast against ``cases``.
    level : confidence level, strictly between 0 and 1.
    per : unit of the result; 100 gives per cent.

    Returns
    -------
    Interval
        Shape of ``cases`` and ``n`` broadcast; unit ``per``.

    Raises
    ------
    QuantityError
        If a number is missing, negative, ``n`` is 0, or there are more cases than people.

    References
    ----------
    Wilson EB (1927). Probable inference, the law of succession, and statistical inference. Journal of the American
    Statistical Association 22:209-212. doi:10.1080/01621459.1927.10502953
    """
    z = normal_quantile(level)
    faults: list[Fault] = []
    cases = nonnegative("cases", cases, faults)
    n = positive("n", n, faults)
    together(cases=cases, n=n)
    events_in_nobody(cases, n, faults, field="n")
    cases, n = np.broadcast_arrays(cases, n)
    remedy = "A part cannot exceed its whole: check that both count the same people."
    note(faults, "cases", (cases > n) & (n > 0), "has more cases than people", remedy, cases)
    settle(faults)
    share = cases / n
    spread = z * np.sqrt(z * z + 4 * cases * (1 - share))
    below = 2 * (n + z * z)
    # None and all are limits of themselves; rounding must not part them.
    lower = np.where(cases == 0, 0.0, (2 * cases + z * z - spread) / below)
    upper = np.where(cases == n, 1.0, (2 * cases + z * z + spread) / below)
    return Interval(share * per, lower * per, upper * per)


def byar_limits(events: FloatArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return Byar's approximate limits of a Poisson count; ``events`` must be above 0.

    In words: the cube of a normal interval on the cube-root scale,
    O(1 − 1/(9O) − z/(3√O))³ below and (O+1)(1 − 1/(9(O+1)) + z/(3√(O+1)))³ above.

    References
    ----------
    Breslow NE, Day NE (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort Studies,
    page 69. Lyon: IARC Scientific Publications 82.
    """
    z = normal_quantile(level)
    above = events + 1
    root_lower = 1 - 1 / (9 * events) - z / (3 * np.sqrt(events))
    root_upper = 1 - 1 / (9 * above) + z / (3 * np.sqrt(above))
    # Multiplied out: array powers are slow on whole-country tables.
    return events * root_lower * root_lower * root_lower, above * root_upper * root_upper * root_upper


def poisson_limits(events: FloatArray, level: float = 0.95, exact_below: float = 10) -> tuple[FloatArray, FloatArray]:
    """Return the limits of Poisson counts: Byar's from ``exact_below``, exact under it; 0 events have lower limit 0.

    In words: the exact limits are the two means under which a count at least, or at most, as large as the one
    observed would have probability (1 − level)/2: half the quantiles of χ² on 2O and on 2O + 2 degrees of freedom.

    References
    ----------
    Garwood F (1936). Fiducial limits for the Poisson distribution. Biometrika 28:437-442.
    doi:10.1093/biomet/28.3-4.437
    """
    alpha = tail(level)
    small = events < exact_below
    lower, upper = map(np.array, byar_limits(np.where(small, exact_below, events), level))
    if small.any():
        few = events[small]
        lower[small] = np.where(few > 0, gammaincinv(np.where(few > 0, few, 1.0), alpha), 0.0)
        upper[small] = gammainccinv(few + 1, alpha)
    return lower, upper


def count(events: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Return counts with the limits of the Poisson mean behind them: Byar's from 10, exact below.

    Only for the comparison of underlying rates: a count of people known on a date has no sampling error.

    Parameters
    ----------
    events : number of events, any shape.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Interval
        Shape of ``events``; unit events.

    Raises
    ------
    QuantityError
        If a number is missing or negative.

    References
    ----------
    See `byar_limits` and `poisson_limits`.
    """
    tail(level)
    faults: list[Fault] = []
    observed = nonnegative("events", events, faults)
    settle(faults)
    return Interval(observed.copy(), *poisson_limits(observed, level))


def crude_rate(
    events: npt.ArrayLike, person_years: npt.ArrayLike, per: float = 100_000, level: float = 0.95
) -> Interval:
    """Return crude rates: events over person-years, with Byar's limits from 10 events and exact ones below.

    Parameters
    ----------
    events : number of events, any shape; may exceed the person-years where people can have several.
    person_years : population at risk times years, broadcast against ``events``.
    per : unit of the result; 100,000 gives events per 100,000 person-years.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Interval
        Shape of ``events`` and ``person_years`` broadcast; unit events per ``per`` person-years.

    Raises
    ------
    QuantityError
        If a number is missing or negative, or person-years are 0.

    References
    ----------
    See `byar_limits` and `poisson_limits`.
    """
    tail(level)
    faults: list[Fault] = []
    observed = nonnegative("events", events, faults)
    exposure = positive("person_years", person_years, faults)
    together(events=observed, person_years=exposure)
    events_in_nobody(observed, exposure, faults, field="person_years")
    settle(faults)
    lower, upper = poisson_limits(observed, level)
    scale = per / exposure
    return Interval(observed * scale, lower * scale, upper * scale)


def mean(values_mean: npt.ArrayLike, sd: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Return means with Student's t interval on n − 1 degrees of freedom: mean ± t · sd / √n.

    Parameters
    ----------
    values_mean : means of the measured values, any shape.
    sd : their standard deviations, in the same unit, with n − 1 below.
    n : the numbers of values; at least 2.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Interval
        The broadcast shape; unit of ``values_mean``.

    Raises
    ------
    QuantityError
        If a number is missing, a standard deviation is negative, or ``n`` is below 2.

    References
    ----------
    Student (1908). The probable error of a mean. Biometrika 6:1-25. doi:10.1093/biomet/6.1.1
    """
    alpha = tail(level)
    faults: list[Fault] = []
    centre = numbers("values_mean", values_mean, faults)
    spread = nonnegative("sd", sd, faults)
    size = positive("n", n, faults)
    note(
        faults,
        "n",
        (size > 0) & (size < 2),
        "is below 2",
        "One value has no spread: give its limits yourself.",
        size,
    )
    together(values_mean=centre, sd=spread, n=size)
    settle(faults)
    half = -stdtrit(size - 1, alpha) * spread / np.sqrt(size)
    centre, half = np.broadcast_arrays(centre, half)
    return Interval(centre + 0.0, centre - half, centre + half)
