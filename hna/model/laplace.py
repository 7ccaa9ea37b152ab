"""Nested Laplace with importance resampling for binomial cells in many areas: fast, exact in the end, and self-checking.

Areas' own effects are integrated by the trapezoid rule, which is all but exact for smooth one-dimensional densities;
what is left (coefficients and effects of small groups) is near to Gaussian given the standard deviations. Draws of that
approximation are reweighted to the exact posterior, and the Pareto k̂ of the weights says whether they may be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaincinv, ndtri

from hna.errors import QuantityError
from hna.measure.draws import stream
from hna.model.rules import rules

Array = NDArray[np.float64]
Ints = NDArray[np.intp]

_STEP, _REACH = 0.75, 5.25
_NEWTON = 12
_NET = 48
_LOW, _HIGH = np.log(0.02), np.log(4.0)
_FREEDOM = 7.0
_TAILS = 15.0
_PILOTS = (4, 4)
"""Draws a set of standard deviations in the rounds that only look where the posterior is."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Binomial counts with a linear predictor, small groups and one large group, the areas.

    ``y ~ Binomial(n, expit(A·b + σ₀·z[area]))``, ``b ~ N(0, s²)`` with s given for coefficients and σ_g for the columns
    of small group g, ``z ~ N(0, 1)``, ``p(σ) ∝ σ^power·exp(−½(σ/scale)²)``: half-normal for power 0, Rayleigh for power 1.

    Parameters
    ----------
    cases, size : shape (cell,); need not be whole (effective numbers).
    design : shape (cell, column), coefficients first, then columns of small groups.
    group : shape (column,), 0 for coefficients, else 1 + the small group's position.
    prior : shape (column,), prior standard deviation of coefficients; ignored for groups.
    area : shape (cell,), position of each cell's area.
    areas : how many areas there are with cells.
    scale, power : of the priors, one for each σ: areas first.
    """

    cases: Array
    size: Array
    design: Array
    group: Ints
    prior: Array
    area: Ints
    areas: int
    scale: Array
    power: Array


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws from the posterior, and whether they may be trusted.

    Parameters
    ----------
    columns : shape (draw, column), b.
    areas : shape (draw, area), σ₀·z.
    sigma : shape (draw, σ), areas' first.
    khat : Pareto shape of the importance weights.
    effective : number of equally weighted draws the weights amount to.
    """

    columns: Array
    areas: Array
    sigma: Array
    khat: float
    effective: float

    @property
    def trusted(self) -> bool:
        """Whether k̂ is below `Rules.khat_below`."""
        return self.khat < rules().khat_below


def pareto_khat(log_weights: Array) -> tuple[Array, float]:
    """Log weights with their upper tail smoothed, and the tail's Pareto shape.

    Parameters
    ----------
    log_weights : shape (draw,).

    Returns
    -------
    normalised log weights, and k̂ (infinite where there are too few draws to tell).

    References
    ----------
    Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. Pareto smoothed importance sampling. J Mach Learn Res 2024;25(72).
    Zhang J, Stephens MA. Technometrics 2009;51:316-325 (the fit). doi 10.1198/tech.2009.08017.
    """
    log = log_weights - log_weights.max()
    count = len(log)
    tail = int(min(0.2 * count, 3 * np.sqrt(count)))
    if tail < 5:
        return log - np.logaddexp.reduce(log), float("inf")
    order = np.argsort(log)
    cutoff = log[order[-tail - 1]]
    exceed = np.exp(log[order[-tail:]]) - np.exp(cutoff)
    if exceed[-1] <= 0 or np.ptp(exceed) == 0:
        return log - np.logaddexp.reduce(log), 0.0
    shape, sigma = _fit_pareto(exceed)
    at = (np.arange(tail) + 0.5) / tail
    smooth = sigma * np.expm1(-shape * np.log1p(-at)) / shape if shape != 0 else -sigma * np.log1p(-at)
    log = log.copy()
    log[order[-tail:]] = np.minimum(np.log(smooth + np.exp(cutoff)), 0.0)
    return log - np.logaddexp.reduce(log), float(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Draws of a standard multivariate t (last axis), near to normal but with tails that no posterior here outruns.

    Its log density with ν degrees of freedom in d dimensions is ``−½(ν + d)·log(1 + x′x/ν)``.

    Returns
    -------
    draws of the shape given, and their log density up to a constant, without the last axis.
    """
    noise = rng.standard_normal(shape)
    drawn = noise / np.sqrt(rng.chisquare(_TAILS, shape[:-1]) / _TAILS)[..., None]
    return drawn, -0.5 * (_TAILS + shape[-1]) * np.log1p((drawn**2).sum(axis=-1) / _TAILS)


def _fit_pareto(exceed: Array) -> tuple[float, float]:
    count = len(exceed)
    points = 30 + int(np.sqrt(count))
    rate = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    rate = rate / (3 * exceed[int(count / 4 + 0.5) - 1]) + 1 / exceed[-1]
    shapes = np.log1p(-rate[:, None] * exceed).mean(axis=1)
    profile = count * (np.log(-(rate / shapes)) - shapes - 1)
    weight = 1 / np.exp(profile - profile[:, None]).sum(axis=1)
    keep = weight >= 10 * np.finfo(float).eps
    best = float((rate[keep] * weight[keep]).sum() / weight[keep].sum())
    shape = float(np.log1p(-best * exceed).mean())
    sigma = -shape / best
    return (count * shape + 10 * 0.5) / (count + 10), sigma


def solve(problem: Problem, draws: int, seed: int, name: str, points: int = 300) -> Draws:
    """Draws from the posterior of a problem.

    First the standard deviations are looked at on a wide net of log σ; then `points` of them are proposed from a
    Student t fitted there, each with the Gaussian at the mode of b; then all draws are reweighted with the exact
    joint density, smoothed (PSIS), and resampled. Two small rounds before the last move both proposals to where the
    weights say the posterior is: the mode of b and z together lies beside the mean of b, most of all its intercept.

    Parameters
    ----------
    draws : how many, after resampling.
    seed, name : of the streams.
    points : sets of standard deviations in the second round.

    References
    ----------
    Rue H, Martino S, Chopin N. J R Stat Soc B 2009;71:319-392. doi 10.1111/j.1467-9868.2008.00700.x.
    Vehtari et al 2024, as in `pareto_khat`. Cappe O, Guillin A, Marin JM, Robert CP. Population Monte Carlo. J Comput
    Graph Stat 2004;13:907-929 (proposals moved round by round). doi 10.1198/106186004X12803.
    """
    if not len(problem.cases) or (problem.cases > problem.size + 1e-9).any() or (problem.cases < 0).any():
        raise QuantityError("cells have more cases than people, fewer than none, or there are no cells")
    if (np.diff(problem.area) < 0).any():
        raise QuantityError("cells are not sorted by area")
    rng = stream(seed, f"laplace:{name}")
    count = len(problem.scale)
    theta = _LOW + (_HIGH - _LOW) * net(_NET * count, count)
    log_q = np.zeros(len(theta))
    start = np.zeros(problem.design.shape[1])
    for number, widen in ((_NET * count, 2.0), (points, 1.3)):
        mode = _mode(problem, theta, start)
        start = mode.b[int(np.argmax(mode.log - log_q))]
        proposal = Student.around(theta, mode.log - log_q, widen)
        theta = proposal.draw(number, rng)
        log_q = proposal.log(theta)
    wide = problem.design.shape[1]
    lean = np.zeros(wide)
    last = max(1, -(-2 * draws // points))
    for number, each in enumerate((*_PILOTS, last)):
        mode = _mode(problem, theta, start)
        noise, log_noise = heavy(rng, (points, each, wide))
        # The root is of the precision, so that b = mode + (root transposed)⁻¹ · (lean + noise).
        moved = np.linalg.solve(np.swapaxes(mode.root, 1, 2), np.swapaxes(lean + noise, 1, 2))
        columns = mode.b[:, None, :] + np.swapaxes(moved, 1, 2)
        log_b = log_noise + np.log(np.diagonal(mode.root, axis1=1, axis2=2)).sum(axis=1)[:, None]
        log_joint, centre, log_mass = _joint(problem, theta, columns, mode)
        smoothed, khat = pareto_khat((log_joint - log_q[:, None] - log_b).ravel())
        weight = np.exp(smoothed)
        effective = float(1 / (weight**2).sum())
        if number < len(_PILOTS):
            # Of few draws' worth the mean is not taken whole: its own error would lead away.
            lean = lean + weight @ noise.reshape(-1, wide) * effective / (effective + wide)
            proposal = Student.around(theta, np.log(weight.reshape(points, each).sum(axis=1) + 1e-300), 1.3)
            theta = proposal.draw(points, rng)
            log_q = proposal.log(theta)
    chosen = rng.permutation(np.searchsorted(np.cumsum(weight)[:-1], (np.arange(draws) + rng.random()) / draws))
    at = chosen // each
    flat = (points * each, problem.areas)
    z = _area_draws(centre.reshape(flat)[chosen], mode.width[at], log_mass.reshape(*flat, -1)[chosen], rng)
    sigma = np.exp(theta[at])
    found = columns.reshape(points * each, -1)[chosen]
    return Draws(found, sigma[:, :1] * z, sigma, khat, effective)


@dataclass(frozen=True, eq=False)
class _Mode:
    """Joint mode of b and z for each set of standard deviations; shapes (set, ...)."""

    b: Array
    z: Array
    width: Array
    root: Array
    gain: Array
    log: Array


@dataclass(frozen=True, eq=False)
class Student:
    """A multivariate t with seven degrees of freedom, from which sets of standard deviations are proposed."""

    centre: Array
    root: Array

    @classmethod
    def around(cls, theta: Array, log: Array, widen: float) -> Student:
        """The t fitted to weighted points."""
        weight = np.exp(log - log.max())
        weight /= weight.sum()
        centre = weight @ theta
        apart = theta - centre
        spread = (apart * weight[:, None]).T @ apart + 0.05**2 * np.eye(theta.shape[1])
        return cls(centre, np.linalg.cholesky(widen * spread))

    def draw(self, number: int, rng: np.random.Generator, highest: float | Array = 5.0) -> Array:
        """Points spread evenly over the t, shifted at random; none above `highest`, where no posterior reaches."""
        count = len(self.centre)
        even = np.clip((net(number, count + 1) + rng.random(count + 1)) % 1, 1e-9, 1 - 1e-9)
        chi = 2 * gammaincinv(_FREEDOM / 2, even[:, count]) / _FREEDOM
        drawn: Array = self.centre + (ndtri(even[:, :count]) @ self.root.T) / np.sqrt(chi)[:, None]
        return np.clip(drawn, self.centre - 12, highest)

    def log(self, theta: Array) -> Array:
        """Log density at points, shape (set,), up to a constant."""
        away = np.linalg.solve(self.root, (theta - self.centre).T)
        count = len(self.centre)
        density: Array = -0.5 * (_FREEDOM + count) * np.log1p((away**2).sum(axis=0) / _FREEDOM)
        return density


def net(number: int, count: int) -> Array:
    """Evenly spread points of the unit cube: an additive recurrence in powers of the generalised golden ratio.

    Point k is ``½ + k·(g⁻¹, …, g⁻ᵈ)`` modulo one, with g the positive root of ``g^(d + 1) = g + 1``.
    """
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (count + 1))
    step = ratio ** -np.arange(1.0, count + 1)
    points: Array = (0.5 + np.arange(1, number + 1)[:, None] * step) % 1
    return points


def _spread(problem: Problem, theta: Array) -> Array:
    """Prior standard deviation of each column, shape (set, column)."""
    sigma = np.concatenate([np.ones((len(theta), 1)), np.exp(theta[:, 1:])], axis=1)
    found: Array = np.where(problem.group == 0, problem.prior, sigma[:, problem.group])
    return found


def _log_prior(problem: Problem, theta: Array) -> Array:
    density: Array = ((1 + problem.power) * theta - 0.5 * (np.exp(theta) / problem.scale) ** 2).sum(axis=1)
    return density


def _mode(problem: Problem, theta: Array, start: Array) -> _Mode:
    """Newton's method on b and z together; z is eliminated, since each area touches only its own."""
    design, size, cases = problem.design, problem.size, problem.cases
    sets, wide = len(theta), design.shape[1]
    first = np.searchsorted(problem.area, np.arange(problem.areas))
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    sd, sigma = _spread(problem, theta), np.exp(theta[:, :1])
    b, z = np.repeat(start[None], sets, axis=0), np.zeros((sets, problem.areas))
    blocks = [slice(low, high) for low, high in pairwise([*first.tolist(), len(design)])]
    diagonal = np.arange(wide)
    done = False
    for step in range(_NEWTON + 1):
        eta = b @ design.T + (sigma * z)[:, problem.area]
        mu = expit(eta)
        weight, residual = size * mu * (1 - mu), cases - size * mu
        own = 1 + sigma**2 * np.add.reduceat(weight, first, axis=1)
        cross = sigma[:, :, None] * np.stack([weight[:, rows] @ design[rows] for rows in blocks], axis=1)
        gain = cross / own[:, :, None]
        schur = (weight @ outer).reshape(sets, wide, wide) - np.swapaxes(cross, 1, 2) @ gain
        schur[:, diagonal, diagonal] += 1 / sd**2
        if done or step == _NEWTON:
            break
        slope_z = sigma * np.add.reduceat(residual, first, axis=1) - z
        slope_b = residual @ design - b / sd**2 - (np.swapaxes(gain, 1, 2) @ slope_z[:, :, None])[:, :, 0]
        move_b = np.linalg.solve(schur, slope_b[:, :, None])[:, :, 0]
        move_z = slope_z / own - (gain @ move_b[:, :, None])[:, :, 0]
        change = np.abs(move_b @ design.T + (sigma * move_z)[:, problem.area]).max(axis=1)
        pace = np.minimum(1.0, 3.0 / np.maximum(change, 1e-12))[:, None]
        b, z = b + pace * move_b, z + pace * move_z
        # Weights make good what is left of the way: the density used is that of the point reached.
        done = bool(change.max() < 0.02)
    root = np.linalg.cholesky(schur)
    log = (
        (cases * eta - size * np.logaddexp(0, eta)).sum(axis=1)
        - 0.5 * ((b / sd) ** 2 + 2 * np.log(sd)).sum(axis=1)
        - 0.5 * (z**2).sum(axis=1)
        - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        - 0.5 * np.log(own).sum(axis=1)
        + _log_prior(problem, theta)
    )
    return _Mode(b, z, 1 / np.sqrt(own), root, gain, log)


def _joint(problem: Problem, theta: Array, columns: Array, mode: _Mode) -> tuple[Array, Array, Array]:
    """Log joint density of (θ, b) and the counts, areas integrated out.

    Returns
    -------
    log density, shape (set, each); centre of each area's nodes, shape (set, each, area); log mass of each node, shape
    (set, each, area, node), up to a constant.
    """
    nodes = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    sets, each, _ = columns.shape
    first = np.searchsorted(problem.area, np.arange(problem.areas))
    log_mass = np.empty((sets, each, problem.areas, len(nodes)))
    centre = mode.z[:, None, :] - (columns - mode.b[:, None, :]) @ np.swapaxes(mode.gain, 1, 2)
    for m in range(sets):
        sigma = np.exp(theta[m, 0])
        z = centre[m][:, :, None] + mode.width[m][:, None] * nodes
        base = columns[m] @ problem.design.T + sigma * centre[m][:, problem.area]
        lift = (sigma * mode.width[m])[:, None] * nodes
        odds = np.exp(np.clip(base, -300, 300))[:, :, None] * np.exp(lift)[problem.area]
        fit = problem.cases[:, None] * (base[:, :, None] + lift[problem.area]) - problem.size[:, None] * np.log1p(odds)
        log_mass[m] = np.add.reduceat(fit, first, axis=1) - 0.5 * z**2
    top = log_mass.max(axis=3)
    integral = top + np.log(np.exp(log_mass - top[..., None]).sum(axis=3)) + np.log(mode.width)[:, None, :]
    sd = _spread(problem, theta)[:, None, :]
    log = integral.sum(axis=2) - 0.5 * ((columns / sd) ** 2 + 2 * np.log(sd)).sum(axis=2)
    return log + _log_prior(problem, theta)[:, None], centre, log_mass


def _area_draws(centre: Array, width: Array, log_mass: Array, rng: np.random.Generator) -> Array:
    """Draws of each area: a node by its mass, a triangular step within, and the mean and variance put back in place."""
    nodes = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    mass = np.exp(log_mass - log_mass.max(axis=2, keepdims=True))
    cumulative = np.cumsum(mass, axis=2)
    picked = (cumulative < rng.random((*centre.shape, 1)) * cumulative[:, :, -1:]).sum(axis=2)
    total = cumulative[:, :, -1]
    mean = (mass @ nodes) / total
    variance = np.maximum((mass @ nodes**2) / total - mean**2, 1e-12)
    jitter = _STEP * (rng.random(centre.shape) - rng.random(centre.shape))
    at = mean + (nodes[picked] + jitter - mean) * np.sqrt(variance / (variance + _STEP**2 / 6))
    found: Array = centre + width * at
    return found
