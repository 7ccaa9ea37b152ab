"""Counts over a map by nested Laplace with importance resampling: no sampler, exact in the end, and self-checking.

Given how much areas differ and how much of that is spatial, the areas' effects are near to Gaussian. Draws of that
Gaussian, over a set of those two numbers, are reweighted to the exact posterior; the Pareto k̂ of the weights says
whether they may be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit
from threadpoolctl import threadpool_limits

from hna.measure.draws import stream
from hna.model.laplace import Student, net, pareto_khat
from hna.model.rules import rules

Array = NDArray[np.float64]
Family = Literal["binomial", "poisson"]

_LOW, _HIGH = np.array([np.log(0.02), -6.0]), np.array([np.log(3.0), 6.0])
"""Where log σ and logit ρ are first looked for: all but a thousandth of their priors, and more."""
_HIGHEST = np.array([5.0, 30.0])
"""Beyond which neither is proposed; ρ within 0.01 of one has a sixteenth of its prior, so its limit lies far out."""
_NET = 40
_NEWTON = 25
_CLOSE = 0.05


@dataclass(frozen=True, eq=False)
class MapProblem:
    """Counts of areas with a linear predictor of covariates and spatially structured effects.

    ``η = D·b + σ(√(1 − ρ)·θ + √ρ·B·w)`` with θ and w independent standard normals, ``b ~ N(0, prior²)``,
    ``σ ~ HalfNormal(scale)``, ``ρ ~ Beta(mixing, mixing)``; ``cases ~ Binomial(size, expit η)`` or ``Poisson(size·exp η)``.

    Parameters
    ----------
    cases, size : shape (area,).
    family : binomial or poisson.
    design : shape (area, coefficient), a column of ones first.
    prior : shape (coefficient,), prior standard deviations.
    basis : B, shape (area, column), scaled.
    scale, mixing : of the priors of σ and ρ.
    """

    cases: Array
    size: Array
    family: Family
    design: Array
    prior: Array
    basis: Array
    scale: float
    mixing: float

    def log_likelihood(self, eta: Array) -> Array:
        """Of each area, shape (..., area), up to a constant."""
        if self.family == "binomial":
            found: Array = self.cases * eta - self.size * np.logaddexp(0.0, eta)
        else:
            found = self.cases * eta - self.size * np.exp(np.minimum(eta, 300.0))
        return found

    def slopes(self, eta: Array) -> tuple[Array, Array]:
        """First derivative of each area's log likelihood, and the second with its sign turned."""
        if self.family == "binomial":
            mu = expit(eta)
            return self.cases - self.size * mu, self.size * mu * (1 - mu)
        mean = self.size * np.exp(np.minimum(eta, 300.0))
        return self.cases - mean, mean

    def skew(self, eta: Array) -> Array:
        """Third derivative of each area's log likelihood."""
        if self.family == "binomial":
            mu = expit(eta)
            found: Array = -self.size * mu * (1 - mu) * (1 - 2 * mu)
        else:
            found = -self.size * np.exp(np.minimum(eta, 300.0))
        return found

    @property
    def start(self) -> Array:
        """Every area at the rate of all, shape (area,)."""
        share = (self.cases.sum() + 0.5) / (self.size.sum() + 1.0)
        return np.full(len(self.cases), np.log(share / (1 - share) if self.family == "binomial" else share))


@dataclass(frozen=True, eq=False)
class MapDraws:
    """Draws from the posterior of a map, and whether they may be trusted.

    Parameters
    ----------
    eta : shape (draw, area).
    sigma, share : shape (draw,).
    khat : Pareto shape of the importance weights; below `Rules.khat_below` they may be trusted.
    effective : number of equally weighted draws that the weights amount to.
    """

    eta: Array
    sigma: Array
    share: Array
    khat: float
    effective: float


@dataclass(frozen=True, eq=False)
class _Mode:
    """The Gaussian at the mode of η for one (σ, ρ): the mode is ``covariance @ pull``."""

    eta: Array
    pull: Array
    root_weight: Array
    factor: tuple[Array, bool]
    covariance: Array
    log: float

    @classmethod
    def find(cls, problem: MapProblem, covariance: Array, start: Array) -> _Mode:
        """By Newton's method; the way left over is made good by the weights.

        References
        ----------
        Rasmussen CE, Williams CKI. Gaussian processes for machine learning. MIT Press, 2006, algorithm 3.1.
        """
        eta, pull = start, np.zeros(len(start))
        done = False
        for step in range(_NEWTON + 1):
            slope, weight = problem.slopes(eta)
            root = np.sqrt(weight)
            inside = covariance * root[:, None] * root
            inside[np.diag_indices(len(root))] += 1.0
            factor = cho_factor(inside, lower=True, overwrite_a=True, check_finite=False)
            if done or step == _NEWTON:
                break
            aim = weight * eta + slope
            wanted = aim - root * cho_solve(factor, root * (covariance @ aim), check_finite=False)
            moved = covariance @ wanted
            change = float(np.abs(moved - eta).max())
            pace = min(1.0, 4.0 / max(change, 1e-12)) if step else 1.0
            pull, eta = (1 - pace) * pull + pace * wanted, (1 - pace) * eta + pace * moved
            if not step:
                # The start is no product of the covariance: only what has been reached is.
                pull, eta = wanted, moved
            done = change < _CLOSE
        log = float(problem.log_likelihood(eta).sum() - 0.5 * pull @ eta - np.log(np.diagonal(factor[0])).sum())
        return cls(eta, pull, root, factor, covariance, log)

    def drawn(self, problem: MapProblem, prior_draws: Array, noise: Array) -> tuple[Array, Array]:
        """Draws of η from the Gaussian, moved to where skewness puts its mean, and their log weights.

        Draws of the prior are conditioned on what was seen (Matheron's rule); the mean lies ``½·Σ·(ℓ‴∘diag Σ)`` from the
        mode, to first order.

        Parameters
        ----------
        prior_draws, noise : shape (draw, area), of η before anything is seen, and standard normals.

        Returns
        -------
        η of shape (draw, area), and log of exact joint density over that of the Gaussian, shape (draw,).
        """
        lower = solve_triangular(
            self.factor[0], self.root_weight[:, None] * self.covariance, lower=True, check_finite=False
        )
        pull = 0.5 * problem.skew(self.eta) * (np.diagonal(self.covariance) - (lower**2).sum(axis=0))
        shift = self.covariance @ pull - lower.T @ (lower @ pull)
        back = pull - self.root_weight**2 * shift
        seen = (prior_draws * self.root_weight + noise).T
        gain = cho_solve(self.factor, seen, check_finite=False).T * self.root_weight
        away = prior_draws - gain @ self.covariance
        eta = self.eta + shift + away
        log: Array = (
            problem.log_likelihood(eta).sum(axis=1)
            + 0.5 * (away**2) @ self.root_weight**2
            - away @ (self.pull + back)
            - (0.5 * self.eta + shift) @ self.pull
            - 0.5 * shift @ back
            - np.log(np.diagonal(self.factor[0])).sum()
        )
        return eta, log


def solve_map(problem: MapProblem, draws: int, seed: int, name: str, points: int = 80, each: int = 50) -> MapDraws:
    """Draws from the posterior of counts over a map.

    σ and ρ are looked at on a wide net, then proposed from a Student t fitted there, each with the Gaussian at the mode
    of η; all draws are reweighted with the exact joint density, smoothed (PSIS), and resampled.

    Parameters
    ----------
    draws : how many, after resampling.
    seed, name : of the stream ``map:<name>``.
    points, each : sets of (σ, ρ), and draws of η for each.

    References
    ----------
    Rue H, Martino S, Chopin N. J R Stat Soc B 2009;71:319-392. doi 10.1111/j.1467-9868.2008.00700.x.
    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. J Mach Learn Res 2024;25(72).
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _solve_map(problem, draws, stream(seed, f"map:{name}"), points, each)


def _solve_map(problem: MapProblem, draws: int, rng: np.random.Generator, points: int, each: int) -> MapDraws:
    spatial = problem.basis @ problem.basis.T
    fixed = (problem.design * problem.prior**2) @ problem.design.T

    def covariance(theta: Array) -> Array:
        variance, share = np.exp(2 * theta[0]), expit(theta[1])
        found: Array = variance * share * spatial + fixed
        found[np.diag_indices(len(found))] += variance * (1 - share)
        return found

    theta = _LOW + (_HIGH - _LOW) * net(_NET, 2)
    log_q, reached = np.zeros(_NET), problem.start[None]
    known = np.zeros((1, 2))
    areas = len(problem.cases)
    log = np.empty(0)
    for number, many, widen in ((_NET, 0, 1.0), (_NET, 0, 2.0), (points, each, 1.3), (4 * points, -(-each // 2), 1.5)):
        if len(log):
            proposal = Student.around(theta, log - log_q, widen)
            theta = proposal.draw(number, rng, _HIGHEST)
            log_q = proposal.log(theta)
        log, weight, eta = np.empty(number), np.empty((number, many)), np.empty((number, many, areas))
        for n, one in enumerate(theta):
            nearest = int(((known - one) ** 2).sum(axis=1).argmin())
            mode = _Mode.find(problem, covariance(one), reached[nearest])
            known, reached = np.vstack([known, one]), np.vstack([reached, mode.eta])
            log[n] = mode.log
            if many:
                eta[n], weight[n] = mode.drawn(problem, *_prior_draws(problem, one, many, rng))
        prior = _log_prior(problem, theta)
        log += prior
        if not many:
            continue
        smoothed, khat = pareto_khat((weight + (prior - log_q)[:, None]).ravel())
        # The weights differ between sets of (σ, ρ) above all: more sets, placed by these, before giving up.
        if khat < rules().khat_below:
            break
    share = np.exp(smoothed)
    chosen = rng.permutation(np.searchsorted(np.cumsum(share)[:-1], (np.arange(draws) + rng.random()) / draws))
    picked = theta[chosen // many]
    return MapDraws(
        eta.reshape(-1, areas)[chosen], np.exp(picked[:, 0]), expit(picked[:, 1]), khat, float(1 / (share**2).sum())
    )


def _prior_draws(problem: MapProblem, theta: Array, many: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws of η before anything is seen, and standard normals, both of shape (draw, area)."""
    areas, columns = problem.basis.shape
    sigma, share = np.exp(theta[0]), expit(theta[1])
    coefficients = problem.prior * rng.standard_normal((many, len(problem.prior)))
    own, far = rng.standard_normal((many, areas)), rng.standard_normal((many, columns))
    effect = sigma * (np.sqrt(1 - share) * own + np.sqrt(share) * far @ problem.basis.T)
    return coefficients @ problem.design.T + effect, rng.standard_normal((many, areas))


def _log_prior(problem: MapProblem, theta: Array) -> Array:
    """Of log σ and logit ρ, shape (set,), up to a constant."""
    spread = theta[:, 0] - 0.5 * (np.exp(theta[:, 0]) / problem.scale) ** 2
    found: Array = spread - problem.mixing * (np.logaddexp(0.0, theta[:, 1]) + np.logaddexp(0.0, -theta[:, 1]))
    return found
