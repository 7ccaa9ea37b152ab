"""The normal–normal model of several studies, solved on a grid of the between-study standard deviation: no sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from hna.errors import Fault, QuantityError
from hna.model.meta import checked, turned

Array = NDArray[np.float64]

_POINTS = 401
_REACH = 6.0
_HALVINGS = 80


@dataclass(frozen=True, eq=False)
class Posterior:
    """What studies and a prior say of the mean, the spread between settings, and a new setting.

    Parameters
    ----------
    estimates, variances : shape (study,); of studies that share an error, turned to be independent.
    scale : of the half-normal prior of τ.
    tau : shape (point,), grid of the between-study standard deviation.
    weight : shape (point,), posterior probability of each, sums to one.
    centre, variance : shape (point,), mean and variance of μ given each τ.
    of : shape (study,), what each estimate is of μ: one, unless it was turned.
    turn : shape (study, study), by which the studies were turned.

    References
    ----------
    As `solve`.
    """

    estimates: Array
    variances: Array
    scale: float
    tau: Array
    weight: Array
    centre: Array
    variance: Array
    of: Array
    turn: Array

    @property
    def mean(self) -> float:
        """Posterior mean of μ."""
        return float(self.weight @ self.centre)

    def moments(self, *, new: bool) -> tuple[float, float]:
        """Mean and standard deviation of a new setting's value, or of μ."""
        within = self.variance + (self.tau**2 if new else 0.0)
        mean = self.mean
        return mean, float(np.sqrt(self.weight @ (within + (self.centre - mean) ** 2)))

    def quantile(self, at: ArrayLike, *, new: bool) -> Array:
        """Quantiles of a new setting's value, or of μ, by bisection on the mixture's distribution function.

        Parameters
        ----------
        at : shape (quantile,), probabilities.
        new : the value in a setting that was not studied; else the mean of settings.
        """
        p = np.atleast_1d(np.asarray(at, dtype=float))
        spread = np.sqrt(self.variance + (self.tau**2 if new else 0.0))
        low = np.full(p.shape, float((self.centre - 40 * spread).min()))
        high = np.full(p.shape, float((self.centre + 40 * spread).max()))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = ndtr((middle[:, None] - self.centre) / spread) @ self.weight < p
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        found: Array = (low + high) / 2
        return found

    def tau_quantile(self, at: ArrayLike) -> Array:
        """Quantiles of τ: the grid's distribution function, straight between points."""
        half = self.weight / 2
        cumulative = np.cumsum(self.weight) - half
        found: Array = np.interp(np.asarray(at, dtype=float), cumulative, self.tau)
        return found

    def draw(
        self,
        tau_points: Array,
        mean_scores: Array,
        setting_scores: Array | None,
        shared: tuple[Array, Array] | None = None,
    ) -> Array:
        """Draws of a new setting's value, or of μ where no setting's scores are given.

        τ is read from the grid, then ``μ = centre(τ) + √variance(τ)·z`` with both taken at that very τ, then
        ``θ = μ + τ·z′``. Of ``√variance(τ)·z`` the part that comes from errors shared between studies is made of those
        errors' own draws, so that whatever else they move, moves with it.

        Parameters
        ----------
        tau_points : shape (draw,), uniforms on (0, 1).
        mean_scores, setting_scores : shape (draw,), standard normals.
        shared : what one standard deviation of each shared error does to each study, shape (study, error), as it is in
            the covariance of the studies; and draws of the errors, shape (error, draw), in standard deviations.

        Returns
        -------
        array of shape (draw,), on the scale of the estimates.
        """
        tau = self.tau_quantile(tau_points)
        centre, variance = _given(self.estimates, self.variances, self.of, tau)
        own: Array = np.sqrt(variance) * mean_scores
        if shared is not None:
            loading, scores = shared
            weight = self.of / (self.variances + tau[:, None] ** 2) * variance[:, None]
            lean = weight @ (self.turn.T @ loading)
            left = np.maximum(variance - (lean**2).sum(axis=1), 0.0)
            own = np.sqrt(left) * mean_scores + (lean * scores.T).sum(axis=1)
        drawn: Array = centre + own
        return drawn if setting_scores is None else drawn + tau * setting_scores


def mean_kept(drawn: Array, proportion: float) -> Array:
    """Draws on the logit scale as proportions, moved by one shift so that their mean is a given proportion.

    ``expit(x + δ)`` with δ such that their mean is p, by bisection.

    Parameters
    ----------
    drawn : shape (draw,), logit scale.
    proportion : inside (0, 1).
    """
    low, high = -20.0, 20.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(expit(drawn + middle).mean()) < proportion else (low, middle)
    kept: Array = np.clip(expit(drawn + (low + high) / 2), 1e-15, 1 - 1e-15)
    return kept


def _given(y: Array, v: Array, x: Array, tau: Array) -> tuple[Array, Array]:
    """Mean and variance of μ for each τ, flat prior of μ; shapes (point,)."""
    w = 1 / (v + tau[:, None] ** 2)
    total = (w * x**2).sum(axis=1)
    return (w * x * y).sum(axis=1) / total, 1 / total


def solve(estimates: ArrayLike, variances: ArrayLike, scale: float) -> Posterior:
    """The posterior of studies' estimates ``y ~ N(θ, v), θ ~ N(μ, τ²)``, μ flat and τ half-normal.

    For each τ on a grid from 0 to six prior scales, the likelihood with μ
    integrated out is ``−½Σln(v + τ²) + ½lnV − ½Σw(y − μ̂)²`` with w = 1/(v + τ²) and V = 1/Σw.

    Parameters
    ----------
    estimates, variances : shape (study,), two studies or more; or the covariance of studies that share an error, shape
        (study, study).
    scale : of the half-normal prior of τ, on the scale of the estimates.

    Raises
    ------
    QuantityError
        If an estimate is missing, a variance or the scale is not positive, or there is one study.

    References
    ----------
    Rover C. Bayesian random-effects meta-analysis using the bayesmeta R package. J Stat Softw 2020;93(6).
    doi 10.18637/jss.v093.i06.
    """
    y, v = checked(estimates, variances)
    if len(y) < 2 or not scale > 0:
        raise QuantityError(
            Fault("pooling needs two studies or more, and a positive prior scale", "Use combine: single")
        )
    y, v, x, turn = turned(y, v)
    # Finer where τ is small: the square of an even grid.
    tau = _REACH * scale * np.linspace(0.0, 1.0, _POINTS) ** 2
    cell = np.gradient(tau)
    cell[0], cell[-1] = tau[1] / 2, (tau[-1] - tau[-2]) / 2
    centre, variance = _given(y, v, x, tau)
    w = 1 / (v + tau[:, None] ** 2)
    log = (
        0.5 * np.log(w).sum(axis=1)
        + 0.5 * np.log(variance)
        - 0.5 * (w * (y - centre[:, None] * x) ** 2).sum(axis=1)
        - 0.5 * (tau / scale) ** 2
    )
    weight = np.exp(log - log.max()) * cell
    return Posterior(y, v, scale, tau, weight / weight.sum(), centre, variance, x, turn)
