"""A published estimate becomes a distribution whose mean is that estimate.

Cells that will be summed must be mean-matched: errors that lean the same way in every cell do not average out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtr, ndtri

from hna.errors import Fault, SourceError
from hna.evidence.prevalence import Prevalence
from hna.model.rules import rules

Array = NDArray[np.float64]

_LARGEST = 1e9
_GRID = 2001


@dataclass(frozen=True)
class Sampling:
    """Sampling distributions of the rows of a table.

    Parameters
    ----------
    mean : shape (row,), the published proportions.
    effective : shape (row,), prior sample size of a Beta with that mean; NaN where the limits are irregular.
    low, high : shape (row,), standard deviations below and above on the logit scale, for irregular limits; else NaN.
    half_rounding : half the last printed digit, as a proportion.
    family : how each row was read, in words.
    flags : diagnostic codes.
    """

    mean: Array
    effective: Array
    low: Array
    high: Array
    half_rounding: float
    family: tuple[str, ...]
    flags: tuple[str, ...]

    def draw(self, row: int, points: Array, rounding: Array) -> Array:
        """Draws of one row.

        The printed figure is the true one to within half its last digit, so the mean itself is moved by a uniform of
        that width first; what comes back has the published mean.

        ``Beta(n·p, n·(1 − p))`` with p the mean and n its effective size; or logit p plus a normal score times the standard deviation of
        its side, shifted.

        Parameters
        ----------
        row : which.
        points : shape (draw,), uniforms on (0, 1) for sampling.
        rounding : shape (draw,), uniforms on (0, 1) for rounding.

        Returns
        -------
        array of shape (draw,), proportions strictly inside (0, 1).
        """
        mean = float(self.mean[row])
        half = min(self.half_rounding, mean, 1 - mean)
        centre = np.clip(mean + half * (2 * rounding - 1), 1e-12, 1 - 1e-12)
        if np.isfinite(self.effective[row]):
            size = float(self.effective[row])
            drawn = centre if np.isinf(size) else betaincinv(size * centre, size * (1 - centre), points)
        else:
            drawn = expit(logit(centre) + self._shift(row) + self._two_piece(row, points))
        inside: Array = np.clip(drawn, 1e-15, 1 - 1e-15)
        return inside

    def _two_piece(self, row: int, points: Array) -> Array:
        scores = ndtri(points)
        spread: Array = np.where(scores < 0, self.low[row], self.high[row]) * scores
        return spread

    def _shift(self, row: int) -> float:
        points = (np.arange(_GRID) + 0.5) / _GRID
        return _mean_keeping_shift(float(self.mean[row]), self._two_piece(row, points))


def _mean_keeping_shift(mean: float, noise: Array) -> float:
    """Logit shift after which noise around a proportion has that proportion as its mean."""
    at = float(logit(mean))
    low, high = -20.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        if float(expit(at + middle + noise).mean()) < mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def sampling_of(table: Prevalence, design_effect: float, judged: tuple[float, float] | None = None) -> Sampling:
    """The sampling distribution of every row of a table, by the rules of methods §1.2 in order.

    Counts give a Beta with the published mean and the effective sample size. Printed limits are recognised as
    symmetrical (Wald), or symmetrical on the logit scale, and a Beta with the published mean is fitted; limits that
    are neither give a two-piece logit-normal, shifted so that its mean is the estimate.

    Parameters
    ----------
    table : the published table.
    design_effect : assumed where the source prints only a sample size and none of its own.
    judged : lower and upper limit as multiples of the estimate, where the source prints no uncertainty.

    Raises
    ------
    SourceError
        R113 if the source prints only points and no range is judged.

    References
    ----------
    Brown LD, Cai TT, DasGupta A. Stat Sci 2001;16:101-133 (cells with no case, or only cases). doi 10.1214/ss/1009213286.
    """
    source = table.source
    size = len(table.estimate)
    nothing = np.full(size, np.nan)
    given = source.uncertainty.given
    flags: list[str] = []
    effect = source.design_effect
    if given in ("counts", "sample-size"):
        if given == "sample-size" and effect is None:
            effect = design_effect
            flags.append("W112")
        effective = table.sample / (effect or 1.0)
        mean, effective, extreme = _extremes(table.estimate, effective)
        flags += ["W114"] if extreme.any() else []
        families = tuple("Beta on counts" if given == "counts" else "Beta on the sample size" for _ in range(size))
        return Sampling(mean, effective, nothing, nothing, _half(table, extreme), families, tuple(flags))
    if given == "none":
        if judged is None:
            raise SourceError(
                Fault(
                    f"{source.id} prints a point and no uncertainty: no interval can be made from it",
                    "Give prevalence.judged: {relative: [lower, upper], because: …} in the model file, or another source",
                    file=source.id,
                    field="uncertainty.given",
                    code="R113",
                )
            )
        score = ndtri(0.975)
        mean = np.clip(table.estimate, 1e-9, 1 - 1e-9)
        # Multiples of the estimate, not of its odds; never beyond half way from the estimate to everybody.
        low = (logit(mean) - logit(mean * judged[0])) / score
        high = (logit(np.minimum(mean * judged[1], (1 + mean) / 2)) - logit(mean)) / score
        families = tuple("range given by judgement" for _ in range(size))
        return Sampling(mean, nothing, low, high, _half(table), families, ("W131",))
    if given == "standard-error":
        mean = table.estimate
        effective, fits = _wald(mean, table.standard_error)
        if not fits.all():
            rows = [f"row {n + 2}" for n in np.flatnonzero(~fits)]
            raise SourceError(Fault("a standard error is too large for its proportion", file=source.id, rows=rows))
        return Sampling(mean, effective, nothing, nothing, _half(table), ("Beta on the standard error",) * size, ())
    return _from_limits(table)


def _half(table: Prevalence, extreme: NDArray[np.bool_] | None = None) -> float:
    """Half the last printed digit, as a proportion."""
    if extreme is not None and table.source.uncertainty.given == "counts" and np.isfinite(table.cases).all():
        return 0.0
    return 0.5 * 10.0**-table.source.decimals / table.source.scale


def _extremes(estimate: Array, effective: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Mean and size of a Beta, Jeffreys' for the cells with no case or only cases."""
    extreme = (estimate <= 0) | (estimate >= 1)
    jeffreys = (estimate * effective + 0.5) / (effective + 1)
    return np.where(extreme, jeffreys, estimate), np.where(extreme, effective + 1, effective), extreme


def _wald(mean: Array, error: Array) -> tuple[Array, NDArray[np.bool_]]:
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(error > 0, mean * (1 - mean) / error**2 - 1, np.inf)
    fits = size > 0
    return np.where(fits, np.minimum(size, _LARGEST), np.nan), fits


def _from_limits(table: Prevalence) -> Sampling:
    source = table.source
    unit = 10.0**-source.decimals / source.scale
    score = float(ndtri(0.5 + (source.uncertainty.level or 0.95) / 2))
    mean, lower, upper = table.estimate.copy(), table.lower, table.upper
    size = len(mean)
    effective, low, high = (np.full(size, np.nan) for _ in range(3))
    families, flags = [""] * size, set[str]()
    for row in range(size):
        p, bottom, top = float(mean[row]), float(lower[row]), float(upper[row])
        if p <= 0 or p >= 1:
            bound = top if p <= 0 else 1 - bottom
            n = jeffreys_size(max(bound, unit / 2), 0.5 + (source.uncertainty.level or 0.95) / 2)
            mean[row] = 0.5 / (n + 1) if p <= 0 else 1 - 0.5 / (n + 1)
            effective[row] = n + 1
            families[row] = "Beta on a one-sided limit"
            flags.add("W114")
            continue
        wald = abs((top - p) - (p - bottom)) <= 2 * unit
        floor, ceiling = max(bottom, unit / 4), min(top, 1 - unit / 4)
        down, up = float(logit(p) - logit(floor)), float(logit(ceiling) - logit(p))
        down, up = (max(side, float(unit / 4 / (p * (1 - p)))) for side in (down, up))
        logit_like = bottom > 0 and top < 1 and abs(np.log(up / down)) <= np.log(rules().logit_like)
        if logit_like:
            effective[row] = fit_beta(p, floor, ceiling, score)
            families[row] = "Beta on limits symmetrical in the logit"
        elif wald:
            fitted, fits = _wald(np.array([p]), np.array([(top - bottom) / (2 * score)]))
            if fits[0] and fitted[0] * min(p, 1 - p) > 0:
                effective[row] = fitted[0]
                families[row] = "Beta on symmetrical limits"
        if not families[row]:
            low[row], high[row] = down / score, up / score
            families[row] = "two-piece logit-normal on irregular limits"
            flags.add("W111")
    return Sampling(mean, effective, low, high, 0.5 * unit, tuple(families), tuple(sorted(flags)))


def fit_beta(mean: float, lower: float, upper: float, score: float) -> float:
    """Prior sample size of the Beta with a given mean whose quantiles are nearest to two limits on the logit scale.

    Minimises the sum over both limits of the squared difference between the logit of the Beta's quantile and the
    logit of the limit; the mean is held.

    Parameters
    ----------
    mean, lower, upper : proportions.
    score : standard normal score of the upper limit, 1.96 for 95 %.

    References
    ----------
    Ferrari SLP, Cribari-Neto F. Beta regression for modelling rates and proportions (mean–precision form).
    J Appl Stat 2004;31:799-815. doi 10.1080/0266476042000214501.
    """
    tail = float(ndtr(score))
    target = logit(np.array([lower, upper]))

    def loss(size: float) -> float:
        found = betaincinv(size * mean, size * (1 - mean), np.array([1 - tail, tail]))
        return float(((logit(np.clip(found, 1e-300, 1 - 1e-16)) - target) ** 2).sum())

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(1.0), np.log(_LARGEST)
    grid = np.linspace(low, high, 80)
    best = int(np.argmin([loss(float(np.exp(x))) for x in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(float(np.exp(left))), loss(float(np.exp(right)))
    while high - low > 1e-7:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(float(np.exp(left)))
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(float(np.exp(right)))
    return float(np.exp((low + high) / 2))


def jeffreys_size(bound: float, tail: float) -> float:
    """Sample size n at which Beta(½, n + ½) has a given upper limit.

    Where nobody was a case, the Beta is that of Jeffreys' prior: n with ``F⁻¹(tail; ½, n + ½) = bound``.

    References
    ----------
    Brown LD, Cai TT, DasGupta A. Stat Sci 2001;16:101-133. doi 10.1214/ss/1009213286.
    """
    low, high = 0.0, np.log(_LARGEST)
    for _ in range(80):
        middle = (low + high) / 2
        if betaincinv(0.5, np.exp(middle) + 0.5, tail) > bound:
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def below_standard(share: float, people: float) -> bool:
    """Whether a proportion rests on too few people to be shown by itself.

    In words: too few effective people; or an interval (Korn and Graubard's, exact on the effective number) that is wide;
    or one that is neither wide nor narrow, and wide beside the proportion.

    Parameters
    ----------
    share : the proportion.
    people : effective number examined.

    References
    ----------
    Parker JD, Talih M, Malec DJ, et al. National Center for Health Statistics data presentation standards for
    proportions. Vital Health Stat 2(175). 2017.

    Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data. Survey Methodology 1998;24:193-201.
    """
    standard = rules()
    if people < standard.alone_effective:
        return True
    cases = share * people
    lower = float(betaincinv(cases, people - cases + 1, 0.025)) if cases > 0 else 0.0
    upper = float(betaincinv(cases + 1, people - cases, 0.975)) if cases < people else 1.0
    width = upper - lower
    if width >= standard.alone_wide or width <= standard.alone_narrow:
        return width >= standard.alone_wide
    return share > 0 and width / share > standard.alone_relative


def shift_logit(rate: Array, noise: Array, variance: float | Array) -> Array:
    """Rates moved by noise on the logit scale, means kept.

    ``logit p + e − ½σ²(1 − 2p)``: the mean of expit, expanded to the second order around p, is p.

    Parameters
    ----------
    rate : shape (..., draw), proportions inside (0, 1).
    noise : shape (draw,), normal with mean 0.
    variance : of the noise, or of each draw's.

    Returns
    -------
    array like `rate`; its mean differs from that of `rate` by under 0.5 % for a standard deviation up to 0.5.
    """
    moved: Array = expit(logit(rate) + noise - 0.5 * variance * (1 - 2 * rate))
    return moved
