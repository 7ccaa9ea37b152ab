"""Random-effects meta-analysis in closed form: between-study variance, pooled mean, its interval, a new setting's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from hna.errors import Fault, ModelError, QuantityError
from hna.measure.draws import check_level

Array = NDArray[np.float64]
Method = Literal["fixed", "dersimonian-laird", "paule-mandel", "reml"]
Adjustment = Literal["none", "plain", "modified"]

_STEPS = 200
_TOLERANCE = 1e-13


@dataclass(frozen=True)
class Meta:
    """A pooled mean and what it rests on.

    Parameters
    ----------
    method : estimator of the between-study variance.
    adjustment : none (normal limits), plain or modified Knapp–Hartung.
    studies : k.
    mean : weighted mean, on the scale of the estimates.
    error : standard error ``1/√Σw`` before any adjustment.
    tau2 : between-study variance.
    spread : ``q = Σw(y − μ)²/(k − 1)``, one if studies differ as much as the weights say.
    heterogeneity : Cochran's Q, with weights 1/v.
    """

    method: Method
    adjustment: Adjustment
    studies: int
    mean: float
    error: float
    tau2: float
    spread: float
    heterogeneity: float

    @property
    def adjusted(self) -> float:
        """Standard error after the adjustment: ``error·√q``, or ``error·√max(1, q)`` if modified."""
        if self.adjustment == "none":
            return self.error
        return float(self.error * np.sqrt(self.spread if self.adjustment == "plain" else max(1.0, self.spread)))

    @property
    def i_squared(self) -> float:
        """Share of the variation between estimates beyond chance: ``max(0, 1 − (k − 1)/Q)``."""
        return max(0.0, 1 - (self.studies - 1) / self.heterogeneity) if self.heterogeneity > 0 else 0.0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Limits of the mean of such studies: normal without adjustment, else t with k − 1 degrees of freedom."""
        check_level(level)
        tail = 0.5 + level / 2
        score = ndtri(tail) if self.adjustment == "none" else stdtrit(self.studies - 1, tail)
        return self.mean - float(score) * self.adjusted, self.mean + float(score) * self.adjusted

    def prediction(self, level: float = 0.95) -> tuple[float, float]:
        """Limits for a new setting: ``μ ± t(k − 2)·√(τ² + error²)``.

        Raises
        ------
        ModelError
            R302 for two studies: no degrees of freedom are left.

        References
        ----------
        Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159.
        doi 10.1111/j.1467-985X.2008.00552.x.
        """
        check_level(level)
        _enough(self.studies, 3, "a prediction interval")
        half = float(stdtrit(self.studies - 2, 0.5 + level / 2) * np.sqrt(self.tau2 + self.error**2))
        return self.mean - half, self.mean + half


def random_effects(
    estimates: ArrayLike,
    variances: ArrayLike,
    method: Method = "reml",
    adjustment: Adjustment = "modified",
) -> Meta:
    """Several studies' estimates of one thing, pooled.

    Each estimate is normal around its study's truth with a known variance v, and the truths are normal around a mean
    with variance τ²: weights are ``1/(v + τ²)``. Modified Knapp–Hartung scales the standard error by √max(1, q) and
    uses t with k − 1 degrees of freedom.

    Parameters
    ----------
    estimates : shape (study,), on a scale on which they are near to normal, such as the logit of a proportion.
    variances : shape (study,), of the same estimates, positive; or their covariance, shape (study, study), where studies
        share an error.
    method : fixed (τ² = 0), dersimonian-laird, paule-mandel, or reml.
    adjustment : none, plain or modified Knapp–Hartung.

    Raises
    ------
    QuantityError
        If shapes differ, a value is missing or a variance is not positive.
    ModelError
        R302 if Knapp–Hartung is asked of two studies, whose interval would have one degree of freedom.

    References
    ----------
    DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188. doi 10.1016/0197-2456(86)90046-2.
    Paule RC, Mandel J. J Res Natl Bur Stand 1982;87:377-385. doi 10.6028/jres.087.022.
    Viechtbauer W. J Educ Behav Stat 2005;30:261-293 (REML). doi 10.3102/10769986030003261.
    Knapp G, Hartung J. Stat Med 2003;22:2693-2710. doi 10.1002/sim.1482.
    Rover C, Knapp G, Friede T. BMC Med Res Methodol 2015;15:99 (modified). doi 10.1186/s12874-015-0091-1.
    """
    y, v = checked(estimates, variances)
    if adjustment != "none":
        _enough(len(y), 3, "a Knapp–Hartung interval")
    y, v, x, _ = turned(y, v)
    tau2 = between_variance(y, v, method, x)
    weight = 1 / (v + tau2)
    mean, total = weighted(y, weight, x)
    free = max(len(y) - 1, 1)
    fixed = 1 / v
    centre, _ = weighted(y, fixed, x)
    return Meta(
        method, adjustment, len(y), mean, float(1 / np.sqrt(total)), tau2,
        float((weight * (y - mean * x) ** 2).sum() / free), float((fixed * (y - centre * x) ** 2).sum()),
    )  # fmt: skip


def checked(estimates: ArrayLike, variances: ArrayLike) -> tuple[Array, Array]:
    """Estimates of shape (study,) and their variances, or covariance, as arrays; a `QuantityError` if they cannot be."""
    y, v = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    if y.ndim != 1 or v.shape not in (y.shape, y.shape * 2) or not len(y):
        raise QuantityError(f"estimates have shape {y.shape} and variances {v.shape}: give one of each a study")
    own = v if v.ndim == 1 else np.diag(v)
    if not np.isfinite(y).all() or not np.isfinite(v).all() or (own <= 0).any():
        remedy = "Leave out a study that has no estimate with a variance; a prevalence of 0 or 1 has no logit"
        raise QuantityError(Fault("an estimate is missing, or a variance is not positive", remedy))
    return y, v


def turned(y: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    """Studies that share errors as as many independent ones.

    With the covariance ``UΛU′``, adding τ² to every study adds it to every λ: ``U′y`` are independent, with variances
    ``λ + τ²`` and means ``U′1·μ``.

    Parameters
    ----------
    y : shape (study,).
    v : variances, shape (study,), or covariance, shape (study, study).

    Returns
    -------
    estimates and their variances; what each is of the mean, one where studies are independent; and U, of shape (study,
    study).

    Raises
    ------
    QuantityError
        If the covariance is not positive definite.
    """
    if v.ndim == 1:
        return y, v, np.ones(len(y)), np.eye(len(y))
    value, vector = np.linalg.eigh(v)
    if value[0] <= 0:
        raise QuantityError("the covariance of the studies is not positive definite")
    return vector.T @ y, value, vector.sum(axis=0), vector


def weighted(y: Array, weight: Array, x: Array) -> tuple[float, float]:
    """The weighted mean ``Σwxy/Σwx²``, and ``Σwx²``."""
    total = float((weight * x**2).sum())
    return float((weight * x * y).sum()) / total, total


def between_variance(y: Array, v: Array, method: Method, x: Array | None = None) -> float:
    """Between-study variance τ², never below zero.

    Parameters
    ----------
    y, v : shape (study,), estimates and their variances.
    method : dersimonian-laird (moments with weights 1/v), paule-mandel (the τ² at which Σ(y − μ)²/(v + τ²) = k − 1),
        or reml (restricted maximum likelihood, by Fisher scoring).
    x : shape (study,), what each is of the mean (`turned`); None for one.

    References
    ----------
    As `random_effects`.
    """
    free = len(y) - 1
    if method == "fixed" or free < 1:
        return 0.0
    of = np.ones(len(y)) if x is None else x
    if method == "dersimonian-laird":
        w = 1 / v
        mean, total = weighted(y, w, of)
        q = (w * (y - mean * of) ** 2).sum()
        return max(0.0, float((q - free) / (w.sum() - (w**2 * of**2).sum() / total)))
    return _paule_mandel(y, v, of) if method == "paule-mandel" else _reml(y, v, of)


def _generalised_q(y: Array, v: Array, x: Array, tau2: float) -> float:
    w = 1 / (v + tau2)
    return float((w * (y - x * weighted(y, w, x)[0]) ** 2).sum())


def _paule_mandel(y: Array, v: Array, x: Array) -> float:
    free = len(y) - 1
    if _generalised_q(y, v, x, 0.0) <= free:
        return 0.0
    low, high = 0.0, float(np.ptp(y)) ** 2 + float(v.max())
    while _generalised_q(y, v, x, high) > free:
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _generalised_q(y, v, x, middle) > free else (low, middle)
    return (low + high) / 2


def _reml(y: Array, v: Array, x: Array) -> float:
    """Root of the restricted score by Fisher scoring; zero where the score there is negative."""

    def score(tau2: float) -> tuple[float, float]:
        w = 1 / (v + tau2)
        mean, total = weighted(y, w, x)
        residual = y - mean * x
        trace = w.sum() - (w**2 * x**2).sum() / total
        information = (w**2).sum() - 2 * (w**3 * x**2).sum() / total + ((w**2 * x**2).sum() / total) ** 2
        return float(((w * residual) ** 2).sum() - trace), float(information)

    tau2 = max(between_variance(y, v, "dersimonian-laird", x), 1e-8)
    for _ in range(_STEPS):
        slope, information = score(tau2)
        new = tau2 + slope / information
        if new <= 0:
            if score(0.0)[0] <= 0:
                return 0.0
            new = tau2 / 2
        if abs(new - tau2) < _TOLERANCE * (1 + tau2):
            return float(new)
        tau2 = new
    return float(tau2)


def _enough(studies: int, needed: int, what: str) -> None:
    if studies < needed:
        remedy = "Use combine: mixture, which keeps both studies' distributions, or envelope, which shows each alone"
        count = "one study" if studies == 1 else f"{studies} studies"
        raise ModelError(Fault(f"{what} is asked of {count}", remedy, field="prevalence.combine", code="R302"))
