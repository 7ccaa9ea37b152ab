"""Studies that report different age bands, pooled into one curve by age: each band's rate is the curve's mean over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from hna.errors import Fault, ModelError, QuantityError
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import normal, stream
from hna.model.laplace import Student, heavy, net, pareto_khat
from hna.model.priors import Priors, shipped_priors
from hna.model.rules import rules

Array = NDArray[np.float64]

_BEND = 8
_ROUNDS, _NEAR = 25, 1e-3
_POINTS = 300
FIRST_LOOK = np.log(0.02) + (np.log(3.0) - np.log(0.02)) * net(96, 2)
"""Logs of τ and of the bends' standard deviation where the posterior is first looked for, shape (set, 2)."""


@dataclass(frozen=True)
class Reported:
    """One rate of one study.

    Parameters
    ----------
    study : whose; a study's own error is shared by all its bands.
    band : ages; an open band ends at the oldest age of the curve.
    estimate, variance : logit scale.
    """

    study: str
    band: AgeBand
    estimate: float
    variance: float


@dataclass(frozen=True, eq=False)
class AgeCurve:
    """A pooled rate by single year of age.

    Parameters
    ----------
    ages : shape (age,), single years.
    curve : shape (age, draw), logit of the mean of settings.
    setting : shape (draw,), a new setting's own error, shared by all ages: what is carried to a place.
    tau : shape (draw,), between-study standard deviation.
    people : shape (age,), the reference population over which bands are read.
    khat, effective : whether the draws may be trusted (k̂ below `Rules.khat_below`), and how many they amount to.
    """

    ages: NDArray[np.intp]
    curve: Array
    setting: Array
    tau: Array
    people: Array
    khat: float
    effective: float

    def rates(self, axis: AgeAxis, *, new: bool = True) -> Array:
        """Draws of the rate in age bands, shape (band, draw): the people-weighted mean of the curve over each.

        Parameters
        ----------
        axis : bands inside the curve's ages.
        new : in a new setting; else the mean of settings.

        Raises
        ------
        ModelError
            R201 for ages outside the studies.
        """
        rate = expit(self.curve + (self.setting if new else 0.0))
        found = np.empty((len(axis.bands), rate.shape[1]))
        for n, band in enumerate(axis.bands):
            inside = (self.ages >= band.low) & (self.ages < band.end)
            if band.low < self.ages[0] or (band.high is not None and band.high > self.ages[-1]) or not inside.any():
                remedy = "Nothing is extrapolated outside the studies' ages"
                raise ModelError(Fault(f"ages {band.label} are outside the pooled curve", remedy, code="R201"))
            found[n] = self.people[inside] @ rate[inside] / self.people[inside].sum()
        return found


def pool_ages(
    reported: Sequence[Reported],
    scale: float,
    *,
    oldest: int = 104,
    people: ArrayLike | None = None,
    own: Mapping[str, float] | None = None,
    shared: ArrayLike | None = None,
    monotone: bool = False,
    seed: int = 0,
    name: str = "",
    draws: int = 2000,
    priors: Priors | None = None,
    shown: bool = False,
) -> AgeCurve:
    """A smooth curve by age through the bands of several studies.

    ``y(k, b) ~ N(logit of the mean over b of expit f(x) + u(k), v)``, ``u(k) ~ N(0, τ²)`` one for all bands of a study,
    ``τ ~ HalfNormal(scale)``; errors that rates share (`shared`) are in the covariance of y; f is a level, a slope and bends
    with the precision of second differences, of standard deviation ``σ ~ HalfNormal(Priors.curve_bends)``. Studies' errors are integrated
    out; the rest is drawn from a t at its mode for each of a set of (τ, σ) and reweighted to the exact posterior.

    Parameters
    ----------
    reported : rates of two studies or more.
    scale : of the prior of τ (`PoolStandards.between_study_scale`).
    oldest : age at which an open band ends.
    people : shape (age,), people by single year from the youngest age reported to the oldest; None for equal numbers.
    own : by study, standard deviation of an error of its own beside τ, such as its risk of bias; shared by its bands.
    shared : shape (rate, error), what one standard deviation of each error that rates share does to them, such as that of
        a crosswalk; None for none.
    monotone : keep only curves that rise (or only fall) with age.
    seed, name, draws : of the streams ``pool:<name>``.
    priors : of the curve; None for the shipped ones.
    shown : give the curve whatever its weights: for a step beside a result, which never rests on it.

    Raises
    ------
    ModelError
        R302 for fewer than two studies; R391 if the weights may not be trusted; R301 if hardly any curve is monotone.

    References
    ----------
    Flaxman AD, Vos T, Murray CJL, eds. An integrative metaregression framework for descriptive epidemiology. Seattle:
    University of Washington Press, 2015 (integrating a curve over each reported band).
    """
    studies = sorted({one.study for one in reported})
    if len(studies) < 2:
        remedy = "Use combine: single, with rates graduated by age"
        raise ModelError(Fault("pooling by age needs two studies or more", remedy, code="R302"))
    problem = AgeProblem.of(reported, studies, oldest, people, own, shared, priors)
    found = solve_ages(problem, scale, draws, seed, name, monotone=monotone)
    if not shown and not found.khat < rules().khat_below:
        remedy = (
            "Ask for pool: {sampler: nuts} and run `hna fit`; are there enough bands, and does any contradict the rest?"
        )
        what = f"Pareto k̂ is {found.khat:.2f}: the pooled curve may not be trusted"
        raise ModelError(Fault(what, remedy, code="R391"))
    setting = found.tau * normal(seed, f"pool:{name}", draws)
    curve = (found.columns @ problem.basis.T).T
    return AgeCurve(problem.ages, curve, setting, found.tau, problem.people, found.khat, found.effective)


@dataclass(frozen=True, eq=False)
class AgeDraws:
    """Draws of a curve, and whether they may be trusted.

    Parameters
    ----------
    columns : shape (draw, column), coefficients.
    tau : shape (draw,).
    khat, effective : of the importance weights, as in `AgeCurve`.
    """

    columns: Array
    tau: Array
    khat: float
    effective: float


def solve_ages(
    problem: AgeProblem,
    scale: float,
    draws: int,
    seed: int,
    name: str,
    *,
    monotone: bool = False,
    points: int = _POINTS,
) -> AgeDraws:
    """Draws of the curve of `pool_ages` by nested Laplace with importance resampling.

    Parameters
    ----------
    problem, scale : what is known, and the scale of the prior of τ.
    draws : how many, after resampling.
    seed, name : of the stream ``pool-ages:<name>``.
    monotone : keep only curves that rise (or only fall); R301 if hardly any does.
    points : sets of standard deviations.

    References
    ----------
    Rue H, Martino S, Chopin N. J R Stat Soc B 2009;71:319-392. doi 10.1111/j.1467-9868.2008.00700.x.
    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. J Mach Learn Res 2024;25(72).
    """
    rng = stream(seed, f"pool-ages:{name}")
    prior = np.array([scale, problem.bends])
    theta = FIRST_LOOK
    log_q = np.zeros(len(theta))
    log = problem.mode(theta, prior)[2]
    for number, widen in ((len(theta), 2.0), (points, 1.3), (3 * points, 1.5)):
        proposal = Student.around(theta, log - log_q, widen)
        theta = proposal.draw(number, rng)
        log_q = proposal.log(theta)
        b, root, log = problem.mode(theta, prior)
        if number < points:
            continue
        noise, log_noise = heavy(rng, (number, max(1, -(-2 * draws // number)), b.shape[1]))
        moved = np.linalg.solve(np.swapaxes(root, 1, 2), np.swapaxes(noise, 1, 2))
        columns = b[:, None, :] + np.swapaxes(moved, 1, 2)
        log_b = log_noise + np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)[:, None]
        log_weight = (problem.log_joint(columns, theta, prior) - log_q[:, None] - log_b).ravel()
        held = columns.reshape(len(log_weight), -1)
        kept = problem.monotone(held @ problem.basis.T) if monotone else np.arange(len(held))
        smoothed, khat = pareto_khat(log_weight[kept])
        # The weights differ between sets of standard deviations above all: more sets, placed by these, before giving up.
        if khat < rules().khat_below:
            break
    share = np.exp(smoothed)
    picked = np.searchsorted(np.cumsum(share)[:-1], (np.arange(draws) + rng.random()) / draws)
    chosen = kept[rng.permutation(picked)]
    tau = np.repeat(np.exp(theta[:, 0]), noise.shape[1])[chosen]
    return AgeDraws(held[chosen], tau, khat, float(1 / (share**2).sum()))


@dataclass(frozen=True, eq=False)
class AgeProblem:
    """Estimates y of bands, each a weighted mean over ages, with a study's error shared by its bands.

    ``y ~ N(logit(W·expit(B·b)), diag v + LL′ + (τ² + own²) within each study)``, W the weights over ages, B the basis, L what rates share.

    Parameters
    ----------
    y : shape (row,), logit scale.
    v : shape (row,), sampling variance.
    own : shape (study,), standard deviation of each study's own error beside τ.
    at : shape (row,), position of each row's study.
    weight : shape (row, age), sums to one over ages.
    ages : shape (age,).
    people : shape (age,).
    basis : shape (age, column).
    shared : shape (row, error), what one standard deviation of each error that rows share does to them.
    level, slope : prior standard deviations of the curve's level, and of its slope from end to end, logit scale.
    bends : scale of the half-normal prior of the bends' standard deviation.
    """

    y: Array
    v: Array
    own: Array
    at: NDArray[np.intp]
    weight: Array
    ages: NDArray[np.intp]
    people: Array
    basis: Array
    shared: Array
    level: float
    slope: float
    bends: float

    @classmethod
    def of(
        cls,
        reported: Sequence[Reported],
        studies: list[str],
        oldest: int,
        people: ArrayLike | None,
        own: Mapping[str, float] | None = None,
        shared: ArrayLike | None = None,
        priors: Priors | None = None,
    ) -> AgeProblem:
        """The problem of some rates; parameters as in `pool_ages`."""
        low = min(one.band.low for one in reported)
        high = max(oldest if one.band.high is None else one.band.high for one in reported)
        ages = np.arange(low, high + 1)
        living = np.ones(len(ages)) if people is None else np.asarray(people, dtype=float)
        y, v = (np.array([getattr(one, key) for one in reported], dtype=float) for key in ("estimate", "variance"))
        if living.shape != ages.shape or (living <= 0).any() or (v <= 0).any() or not np.isfinite(y).all():
            what = f"people are needed by single year from {low} to {high}, and every rate with a positive variance"
            raise QuantityError(what)
        inside = np.array([(ages >= one.band.low) & (ages < one.band.end) for one in reported])
        weight = inside * living
        at = np.array([studies.index(one.study) for one in reported])
        wide = priors or shipped_priors()
        spread = np.array([(own or {}).get(one, 0.0) for one in studies])
        return cls(
            y, v, spread, at, weight / weight.sum(axis=1, keepdims=True), ages, living,
            _basis(len(ages)), np.zeros((len(y), 0)) if shared is None else np.asarray(shared, dtype=float),
            wide.curve_level, wide.curve_slope, wide.curve_bends,
        )  # fmt: skip

    def only(self, rows: NDArray[np.intp]) -> AgeProblem:
        """The problem of some of the rows."""
        return replace(
            self, y=self.y[rows], v=self.v[rows], at=self.at[rows], weight=self.weight[rows], shared=self.shared[rows]
        )

    def covariance(self, tau: Array) -> Array:
        """Of the estimates, studies' and shared errors integrated out; shape (set, row, row) for τ of shape (set,)."""
        same = self.at[:, None] == self.at
        found: Array = (
            np.diag(self.v) + self.shared @ self.shared.T + same * (tau[:, None, None] ** 2 + self.own[self.at] ** 2)
        )
        return found

    def spread(self, theta: Array) -> Array:
        """Prior standard deviation of each coefficient, shape (..., column) for θ of shape (..., 2)."""
        wide = self.basis.shape[1]
        given = np.array([self.level, self.slope, *[0.0] * wide])[:wide]
        found: Array = np.where(np.arange(wide) < 2, given, np.exp(theta[..., 1:]))
        return found

    def monotone(self, curves: Array) -> NDArray[np.intp]:
        """Which draws of shape (draw, age) only rise, or only fall; R301 if hardly any does."""
        step = np.diff(curves, axis=1)
        rises, falls = (step >= 0).all(axis=1), (step <= 0).all(axis=1)
        kept = np.flatnonzero(rises if rises.sum() >= falls.sum() else falls)
        if len(kept) < rules().monotone_least * len(curves):
            remedy = "The studies do not rise or fall throughout: leave monotone out"
            raise ModelError(Fault("hardly any curve through the studies is monotone", remedy, code="R301"))
        return kept

    def mode(self, theta: Array, prior: Array) -> tuple[Array, Array, Array]:
        """Modes of the coefficients by Gauss–Newton, roots of the precision there, and the log of what each leaves.

        Parameters
        ----------
        theta : shape (set, 2), logs of τ and of the bends' standard deviation.
        prior : shape (2,), scales of their half-normal priors.

        Returns
        -------
        arrays of shape (set, column), (set, column, column) and (set,).
        """
        inverse = np.linalg.inv(self.covariance(np.exp(theta[:, 0])))
        precision = 1 / self.spread(theta) ** 2
        b: Array = np.zeros(precision.shape)
        b[:, 0] = float(np.average(self.y, weights=1 / self.v))
        diagonal = np.arange(b.shape[1])
        hessian = np.zeros((len(b), b.shape[1], b.shape[1]))
        for _ in range(_ROUNDS):
            rate = expit(b @ self.basis.T)
            mean = rate @ self.weight.T
            slope = (self.weight * (rate * (1 - rate))[:, None, :]) @ self.basis / (mean * (1 - mean))[:, :, None]
            turned = np.swapaxes(slope, 1, 2) @ inverse
            hessian = turned @ slope
            hessian[:, diagonal, diagonal] += precision
            pull = (turned @ (self.y - logit(mean))[:, :, None])[:, :, 0] - b * precision
            move = np.linalg.solve(hessian, pull[:, :, None])[:, :, 0]
            b = b + move * np.minimum(1.0, 2.0 / np.maximum(np.abs(move @ self.basis.T).max(axis=1), 1e-12))[:, None]
            if np.abs(move).max() < _NEAR:
                break
        root = np.asarray(np.linalg.cholesky(hessian), dtype=float)
        log = self.log_joint(b[:, None, :], theta, prior)[:, 0]
        return b, root, log - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)

    def log_joint(self, b: Array, theta: Array, prior: Array) -> Array:
        """Log density of estimates, coefficients and log standard deviations, shape (set, draw); b (set, draw, column)."""
        root = np.asarray(np.linalg.cholesky(self.covariance(np.exp(theta[:, 0]))), dtype=float)
        mean = np.clip(expit(b @ self.basis.T) @ self.weight.T, 1e-300, 1 - 1e-16)
        away = np.linalg.solve(root, np.swapaxes(self.y - logit(mean), 1, 2))
        sd = self.spread(theta)
        whole = (
            (theta - 0.5 * (np.exp(theta) / prior) ** 2).sum(axis=1)
            - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
            - np.log(sd).sum(axis=1)
        )
        density: Array = whole[:, None] - 0.5 * (away**2).sum(axis=1) - 0.5 * ((b / sd[:, None, :]) ** 2).sum(axis=2)
        return density


def _basis(count: int) -> Array:
    """A level, a slope from −1 to 1, and the smoothest bends of second differences, scaled; shape (age, column)."""
    if count < 3:
        return np.ones((count, 1)) if count == 1 else np.column_stack([np.ones(2), [-1.0, 1.0]])
    step = np.diff(np.eye(count), 2, axis=0)
    value, vector = np.linalg.eigh(step.T @ step)
    bend = vector[:, 2 : 2 + _BEND] / np.sqrt(value[2 : 2 + _BEND])
    bend = bend / np.exp(0.5 * np.log(np.maximum((bend**2).sum(axis=1), 1e-12)).mean())
    return np.column_stack([np.ones(count), np.linspace(-1, 1, count), bend])
