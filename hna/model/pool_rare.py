"""Studies of one cell in some of which nobody, or everybody, was found: pooled by their counts, exactly, on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, expit, logit, ndtr, ndtri

from hna.errors import Fault, ModelError
from hna.model.pool import LeftOut, percent, refuse_conflict
from hna.model.pool_standards import PoolStandards

Array = NDArray[np.float64]

_TAUS, _REACH = 49, 6.0
_BELOW, _ABOVE, _STEP = 8.0, 5.0, 0.05
"""Logits below and above that of all studies together on which the mean is looked for, and the step of the grid."""
_PARTS = 5
_WIDE = 8.0
"""As much further on which a study's own rate may lie."""


@dataclass(frozen=True)
class Counted:
    """What one study of a cell found.

    Parameters
    ----------
    name : of the study.
    cases, size : effective numbers; need not be whole.
    own : standard deviation of an error of its own on the logit scale, beside the spread between settings.
    """

    name: str
    cases: float
    size: float
    own: float

    def likelihood(self, eta: Array) -> Array:
        """Of the cells of a grid of logits, up to a factor: the mean over each."""
        inside = eta[:, None] + _STEP * (np.arange(_PARTS) + 0.5 - _PARTS / 2) / _PARTS
        log = self.cases * inside - self.size * np.logaddexp(0.0, inside)
        found: Array = np.exp(log - log.max()).mean(axis=1)
        return found

    def below(self, eta: Array) -> Array:
        """Chance of fewer cases, and half of that of as many, at each logit."""
        p = expit(eta)
        fewer = np.zeros_like(p) if self.cases <= 0 else 1 - betainc(self.cases, self.size - self.cases + 1, p)
        as_many = np.ones_like(p) if self.cases >= self.size else 1 - betainc(self.cases + 1, self.size - self.cases, p)
        found: Array = (fewer + as_many) / 2
        return found


@dataclass(frozen=True, eq=False)
class Rare:
    """Studies of one cell, pooled by their counts.

    Parameters
    ----------
    studies : three or more.
    scale : of the half-normal prior of τ.
    tau, mu : shapes (point,) and (value,), grids of the between-study standard deviation and of the mean of settings.
    weight : shape (point, value), posterior probability, sums to one.
    left_out : the table of leaving one out.
    flags : W331 where a study is in tension with the others.
    """

    studies: tuple[Counted, ...]
    scale: float
    tau: Array
    mu: Array
    weight: Array
    left_out: tuple[LeftOut, ...]
    flags: tuple[str, ...]

    @property
    def rate(self) -> float:
        """The pooled rate, as a proportion: of the mean on the logit scale."""
        return float(expit(self.weight.sum(axis=0) @ self.mu))

    @property
    def words(self) -> str:
        """One sentence for the report."""
        none = [one.name for one in self.studies if one.cases in (0.0, one.size)]
        low, high = expit(_quantile(self.mu, self.weight.sum(axis=0), np.array([0.025, 0.975])))
        new = _new(self.mu, self.tau, self.weight)
        least, most = expit(_quantile(self.mu, new, np.array([0.025, 0.975])))
        tau = float(self.weight.sum(axis=1) @ self.tau)
        return (
            f"{len(self.studies)} studies pooled by their counts (binomial–normal, exact), since {' and '.join(none)} found nobody or "
            f"everybody: mean {percent(self.rate)} ({percent(low, 2)} to {percent(high, 2)}), between-study SD {tau:.2f}; a new "
            f"setting {percent(least, 2)} to {percent(most, 2)} (half-normal prior of scale {self.scale:g}), which is what is carried "
            "to a place, moved to have the pooled rate as its mean"
        )

    @property
    def extremes(self) -> str:
        """The lowest and highest rate with one study left out, and the study furthest from the others, in words."""
        low, high = min(self.left_out, key=lambda row: row.mean), max(self.left_out, key=lambda row: row.mean)
        far = max(self.left_out, key=lambda row: row.conflict)
        return (
            f"leaving one study out moves the pooled rate from {percent(expit(low.mean))} (without {low.study}) to "
            f"{percent(expit(high.mean))} (without {high.study}); furthest from what the others predict is {far.study}, by "
            f"{far.conflict:.1f} standard deviations"
        )

    def draw(self, tau_points: Array, mean_scores: Array, setting_scores: Array) -> Array:
        """Draws of a new setting's logit, shape (draw,), from the streams of `Posterior.draw`."""
        by_tau = self.weight.sum(axis=1)
        cumulative = np.cumsum(by_tau) - by_tau / 2
        tau = np.interp(tau_points, cumulative, self.tau)
        at = np.clip(np.searchsorted(np.cumsum(by_tau), tau_points), 0, len(self.tau) - 1)
        mu = np.empty_like(tau)
        points = ndtr(mean_scores)
        for n in np.unique(at):
            mu[at == n] = _quantile(self.mu, self.weight[n], points[at == n])
        found: Array = mu + tau * setting_scores
        return found


def pool_counts(studies: Sequence[Counted], standards: PoolStandards) -> Rare:
    """Studies' counts pooled by the binomial–normal model, exact to a grid: no half case is added to a study that found none.

    ``x ~ Binomial(n, expit(θ)), θ ~ N(μ, τ² + σ²)``, μ flat, τ half-normal, σ each study's own error. Each study's rate is summed
    over, and the posterior of (τ, μ) held on a grid. A study's conflict with the others is the normal score of the chance of as few
    cases as it found (half of those as many), as the others predict a new setting of its size.

    Parameters
    ----------
    studies : three or more of one cell.
    standards : priors and thresholds.

    Raises
    ------
    ModelError
        R302 if nobody was found in any study, or everybody in all; R332 if the studies conflict.

    References
    ----------
    Hamza TH, van Houwelingen HC, Stijnen T. J Clin Epidemiol 2008;61:41-51 (binomial–normal pooling of proportions).
    doi 10.1016/j.jclinepi.2007.03.016.
    """
    held = tuple(studies)
    cases, size = sum(one.cases for one in held), sum(one.size for one in held)
    if not 0 < cases < size:
        remedy = "Take wider bands of ages, or a study that found some"
        what = f"{'nobody' if cases <= 0 else 'everybody'} was found by all studies of a cell"
        raise ModelError(Fault(what, remedy, field="prevalence.sources", code="R302"))
    centre = float(logit(cases / size))
    mu = centre + np.arange(-_BELOW, _ABOVE + _STEP / 2, _STEP)
    eta = centre + np.arange(-_BELOW - _WIDE, _ABOVE + _WIDE + _STEP / 2, _STEP)
    tau = _REACH * standards.between_study_scale * np.linspace(0.0, 1.0, _TAUS) ** 2
    prior = -0.5 * (tau / standards.between_study_scale) ** 2 + np.log(np.gradient(tau) * _ends(_TAUS))
    spreads = {one.own: np.stack([_spread(mu, eta, float(np.hypot(t, one.own))) for t in tau]) for one in held}
    each = np.stack([np.log(np.maximum(spreads[one.own] @ one.likelihood(eta), 1e-300)) for one in held])
    whole = each.sum(axis=0) + prior[:, None]
    rows = []
    for n, one in enumerate(held):
        weight = _normed(whole - each[n])
        low, high = _quantile(mu, weight.sum(axis=0), np.array([0.025, 0.975]))
        new = np.einsum("tm,tme->e", weight, spreads[one.own])
        chance = float(np.clip(new @ one.below(eta) / new.sum(), 1e-12, 1 - 1e-12))
        rows.append(
            LeftOut(one.name, float(weight.sum(axis=0) @ mu), float(low), float(high), abs(float(ndtri(chance))))
        )
    flags = refuse_conflict(rows, standards)
    return Rare(held, standards.between_study_scale, tau, mu, _normed(whole), tuple(rows), flags)


def _spread(mu: Array, eta: Array, sd: float) -> Array:
    """Probability of each logit given each mean, shape (value, logit): a normal's, by the cell of the grid."""
    edges = np.append(eta - _STEP / 2, eta[-1] + _STEP / 2)
    found: Array = np.diff(ndtr((edges - mu[:, None]) / max(sd, 1e-6)), axis=1)
    return found


def _new(mu: Array, tau: Array, weight: Array) -> Array:
    """Probability of a new setting's logit on the grid of the mean."""
    found: Array = np.stack([weight[n] @ _spread(mu, mu, float(t)) for n, t in enumerate(tau)]).sum(axis=0)
    return found


def _normed(log: Array) -> Array:
    found: Array = np.exp(log - log.max())
    found /= found.sum()
    return found


def _ends(count: int) -> Array:
    """Halves at the ends of a grid."""
    found = np.ones(count)
    found[[0, -1]] = 0.5
    return found


def _quantile(grid: Array, weight: Array, at: Array) -> Array:
    share = weight / weight.sum()
    found: Array = np.interp(at, np.cumsum(share) - share / 2, grid)
    return found
