"""Funnel limits round a target, and the overdispersion that widens them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammainccinv, gammaincinv, pdtrik

from hna.errors import Fault, QuantityError
from hna.indicators.checks import normal_quantile, note, numbers, one_of, positive, settle, tail, together
from hna.indicators.interval import FloatArray, Interval

KINDS = ("proportion", "rate", "ratio")


class FunnelLimits(Interval):
    """Limits round a target, which unpack into three; the first axis of ``lower`` and ``upper`` is the level.

    Attributes
    ----------
    overdispersed : the limits widened by the variance between areas, to be shown beside; None where none was given.
    """

    overdispersed: Interval | None


class Overdispersion(NamedTuple):
    """How much more the areas differ than chance makes them.

    Attributes
    ----------
    phi : mean of the squared winsorised z-scores; 1 if chance is all.
    tau_squared : variance between areas, in the squared unit of the values; 0 where chance explains all.
    z : each area's z-score, not winsorised.
    """

    phi: FloatArray
    tau_squared: FloatArray
    z: FloatArray


def funnel_limits(
    n: npt.ArrayLike,
    target: npt.ArrayLike,
    kind: str = "proportion",
    levels: Sequence[float] = (0.95, 0.998),
    *,
    per: float = 1,
    tau_squared: npt.ArrayLike | None = None,
    poisson: str = "test",
) -> FunnelLimits:
    """Return the limits within which an area of size n would lie if its true value were the target.

    In words: for proportions p₀ ± z √(p₀(1 − p₀)/n), cut at 0 and 1. For rates and ratios, the counts that the exact
    Poisson test would just not reject, P(X ≤ lower) = P(X ≥ upper) = (1 − level)/2 at mean n × target, over n: a count
    outside them has a probability of at most (1 − level)/2, and lies outside exactly where its exact interval excludes
    the target. Overdispersed limits are target ± z √(s² + τ²).

    Parameters
    ----------
    n : people (proportion), person-years (rate) or expected events (ratio), any shape.
    target : the value the areas are held against, in unit ``per``; broadcast against ``n``.
    kind : ``proportion``, ``rate`` or ``ratio``.
    levels : levels of the limits.
    per : unit of target and limits.
    tau_squared : variance between areas from `overdispersion`, in the squared unit; with it the widened limits are
        returned beside.
    poisson : ``test`` as above; ``interval`` for the limits many funnel plots draw, half the quantiles of χ² on 2E and
        on 2E + 2 degrees of freedom over E, which are the interval of a count of E and not its range of chance.

    Returns
    -------
    FunnelLimits
        ``value`` the target, in the broadcast shape; ``lower`` and ``upper`` of shape (level, ...).

    Raises
    ------
    QuantityError
        If a number is missing or not above 0, or a target proportion is not below 1.

    References
    ----------
    Spiegelhalter DJ (2005). Funnel plots for comparing institutional performance. Statistics in Medicine 24:1185-1202.
    doi:10.1002/sim.1970

    Seaton SE, Manktelow BN (2012). The probability of being identified as an outlier with commonly used funnel plot
    control limits for the standardised mortality ratio. BMC Medical Research Methodology 12:98.
    doi:10.1186/1471-2288-12-98
    """
    one_of("kind", kind, KINDS)
    one_of("poisson", poisson, ("test", "interval"))
    tails = [tail(level) for level in levels]
    size, aim, error = _sizes(n, target, kind, per)
    if kind == "proportion":
        sides = [_normal(aim, error, level, per) for level in levels]
    else:
        expected = size * aim / per
        counts = [_counts(expected, alpha, poisson) for alpha in tails]
        sides = [(low / size * per, high / size * per) for low, high in counts]
    made = FunnelLimits(aim, np.stack([low for low, _ in sides]), np.stack([high for _, high in sides]))
    made.overdispersed = None
    if tau_squared is not None:
        faults: list[Fault] = []
        between = numbers("tau_squared", tau_squared, faults)
        note(faults, "tau_squared", between < 0, "is negative", "It is a variance: 0 or more.", between)
        settle(faults)
        ceiling = per if kind == "proportion" else np.inf
        wide = [_normal(aim, np.sqrt(error**2 + between), level, ceiling) for level in levels]
        made.overdispersed = Interval(aim, np.stack([low for low, _ in wide]), np.stack([high for _, high in wide]))
    return made


def chance_error(n: npt.ArrayLike, target: npt.ArrayLike, kind: str = "proportion", *, per: float = 1) -> FloatArray:
    """Return the standard error that chance alone gives an area of size n whose true value is the target.

    Parameters
    ----------
    n, target, kind, per : as in `funnel_limits`.

    Returns
    -------
    array of the broadcast shape
        In the unit of the target: √(p₀(1 − p₀)/n), or √(target/n) for rates and ratios.

    Raises
    ------
    QuantityError
        As `funnel_limits`.
    """
    one_of("kind", kind, KINDS)
    return _sizes(n, target, kind, per)[2]


def overdispersion(
    values: npt.ArrayLike, target: npt.ArrayLike, se: npt.ArrayLike, winsorise: float = 0.1
) -> Overdispersion:
    """Return how far areas differ beyond chance, and the variance between them.

    In words: z = (y − target)/s is pulled in to its 10th and 90th percentile, φ is the mean of z², and where
    I φ > I − 1, τ² = (I φ − (I − 1)) / (Σw − Σw²/Σw) with w = 1/s².

    Parameters
    ----------
    values : indicator of each area, shape (..., area).
    target : the value they are held against, shape (...) with a last axis of length 1, or one number.
    se : what chance gives each, shape (..., area); see `chance_error`.
    winsorise : share of the areas pulled in at each end, from 0 to below a half.

    Returns
    -------
    Overdispersion
        ``phi`` and ``tau_squared`` of shape (...), ``z`` of shape (..., area).

    Raises
    ------
    QuantityError
        If a number is missing, a standard error is not above 0, there are fewer than two areas, or ``winsorise`` is
        outside [0, 0.5).

    References
    ----------
    Spiegelhalter DJ (2005). Handling over-dispersion of performance indicators. Quality and Safety in Health Care
    14:347-351. doi:10.1136/qshc.2005.013755
    """
    faults: list[Fault] = []
    seen = numbers("values", values, faults)
    aim = numbers("target", target, faults)
    error = positive("se", se, faults)
    if not 0 <= winsorise < 0.5:
        faults.append(Fault(f"{winsorise:g} is outside [0, 0.5)", "0.1 is usual.", field="winsorise"))
    together(values=seen, target=aim, se=error)
    settle(faults)
    z = np.asarray((seen - aim) / error)
    areas = z.shape[-1] if z.ndim else 1
    if areas < 2:
        raise QuantityError(Fault("has one area only", "Give every area of the funnel.", field="values"))
    low, high = np.quantile(z, [winsorise, 1 - winsorise], axis=-1, keepdims=True)
    phi = (np.clip(z, low, high) ** 2).mean(axis=-1)
    weight = np.broadcast_to(1 / error**2, z.shape)
    whole = weight.sum(axis=-1)
    excess = areas * phi - (areas - 1)
    between = np.maximum(excess, 0.0) / (whole - (weight**2).sum(axis=-1) / whole)
    return Overdispersion(np.asarray(phi), np.asarray(between), z)


def _sizes(n: npt.ArrayLike, target: npt.ArrayLike, kind: str, per: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return size and target broadcast, and the standard error of chance."""
    faults: list[Fault] = []
    size = positive("n", n, faults)
    aim = positive("target", target, faults)
    if kind == "proportion":
        remedy = f"A proportion lies below {per:g} here; say per=100 if the target is in per cent."
        note(faults, "target", aim >= per, "is not a proportion", remedy, aim)
    together(n=size, target=aim)
    settle(faults)
    size, aim = np.broadcast_arrays(size, aim)
    share = aim / per
    spread = share * (1 - share) if kind == "proportion" else share
    return size, aim + 0.0, np.asarray(np.sqrt(spread / size) * per)


def _normal(aim: FloatArray, error: FloatArray, level: float, ceiling: float) -> tuple[FloatArray, FloatArray]:
    """Return normal limits round the target, cut at 0 and the ceiling."""
    half = normal_quantile(level) * error
    return np.maximum(aim - half, 0.0), np.minimum(aim + half, ceiling)


def _counts(expected: FloatArray, alpha: float, poisson: str) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper count for a Poisson mean."""
    if poisson == "interval":
        return np.asarray(gammaincinv(expected, alpha)), np.asarray(gammainccinv(expected + 1, alpha))
    # P(X >= u) = alpha is P(X <= u - 1) = 1 - alpha; the distribution function is taken between whole counts by the
    # incomplete gamma function. Where even no events at all have a probability above alpha there is no lower limit.
    none = np.exp(-expected)
    low = np.where(none >= alpha, 0.0, pdtrik(alpha, np.where(none >= alpha, -np.log(alpha) + 1, expected)))
    certain = none >= 1 - alpha
    high = np.where(certain, 0.0, pdtrik(1 - alpha, np.where(certain, 1.0, expected))) + 1
    return np.asarray(low), np.asarray(high)
