"""The curve by age with a sampler, for where nested Laplace may not be trusted; the one place here that needs PyMC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hna.measure.draws import normal, stream
from hna.model.fit_sampler import Diagnostics, quietly, sample_model, until_passed
from hna.model.pool_ages import FIRST_LOOK, AgeProblem
from hna.model.pool_ages_part import Asked

Array = NDArray[np.float64]

_BAND_RATES = "bands"


def sample_ages(
    problem: AgeProblem,
    scale: float,
    *,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 0,
    sampler: str = "nutpie",
    target_accept: float = 0.9,
) -> tuple[Mapping[str, Array], Diagnostics]:
    """Draws of the curve of `hna.model.pool_ages`, by NUTS.

    Parameters
    ----------
    problem : estimates and the curve's basis.
    scale : of the half-normal prior of τ.
    draws, tune, chains, seed, sampler, target_accept : of the sampler.

    Returns
    -------
    ``b`` of shape (draw, column), ``tau`` of shape (draw,), ``bands`` of shape (draw, row): logit of the mean of settings
    over each reported band; and diagnostics over the last two, which are what is reported.

    References
    ----------
    As `hna.model.pool_ages.pool_ages`.
    """
    with quietly():
        import arviz as az
        import pymc as pm

    model = age_model(pm, problem, scale)
    return sample_model(
        pm, az, model, ("b", "tau", _BAND_RATES), draws=draws, tune=tune, chains=chains, seed=seed, sampler=sampler,
        target_accept=target_accept, told=("tau", _BAND_RATES),
    )  # fmt: skip


def age_model(pm: Any, problem: AgeProblem, scale: float) -> Any:
    """The PyMC model: τ, the bends' SD (``wave``) and coefficients, by way of what `_Aim` says of them.

    Parameters
    ----------
    pm : the PyMC module.
    problem, scale : as in `sample_ages`.
    """
    aim = _Aim.of(problem, scale)
    of_study = np.equal.outer(np.arange(len(problem.own)), problem.at).astype(float)
    total = of_study @ (1 / problem.v)
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", sigma=scale)
        # Half-normal as well, but on a scale without the far tail of small logarithms, from which steps overshoot.
        wave = pm.Flat("wave")
        bend = pm.Deterministic("bend", aim.bend * pm.math.log1pexp(wave))
        z = pm.Flat("z", shape=problem.basis.shape[1])
        shared = tau**2 + problem.own**2
        stretch = (aim.level * (1 / (shared + 1 / total)).sum()) ** -0.5
        root = pm.math.sqrt(1 + aim.gain * bend**2)
        score = bend * aim.pull / root**2 + z[aim.given :] / root
        bends = pm.math.dot(aim.turn, bend * score)
        straight = z[: aim.given] * pm.math.concatenate([[stretch], np.ones(aim.given - 1)])
        straight = aim.centre - pm.math.dot(aim.lean, bends) + pm.math.dot(aim.root, straight)
        b = pm.Deterministic("b", pm.math.concatenate([straight, bends]))
        prior = (
            (bend / problem.bends) ** 2
            + (score**2).sum()
            + ((straight / problem.spread(np.zeros(2))[: aim.given]) ** 2).sum()
        )
        moved = pm.math.log(stretch) - pm.math.log(root).sum() - pm.math.log1pexp(-wave)
        pm.Potential("prior", moved - 0.5 * prior)
        rate = pm.math.sigmoid(pm.math.dot(problem.basis, b))
        mean = pm.Deterministic(_BAND_RATES, pm.math.logit(pm.math.dot(problem.weight, rate)))
        # Studies' errors are integrated out: each study's covariance is a diagonal and one rank more.
        away = problem.y - mean
        if problem.shared.shape[1]:
            away -= pm.math.dot(problem.shared, pm.Normal("shared", shape=problem.shared.shape[1]))
        lean = pm.math.dot(of_study, away / problem.v)
        square = (away**2 / problem.v).sum() - (shared * lean**2 / (1 + shared * total)).sum()
        pm.Potential("y", -0.5 * (square + pm.math.log(1 + shared * total).sum()))
    return model


@dataclass(frozen=True, eq=False)
class _Aim:
    """Where coefficients are likely to be given τ and the bends' SD, so that a sampler's steps suit every value of these.

    In the Gaussian at the mode the bends, turned to the axes of what the estimates say of them, are independent with
    precision ``gain + 1/bend²`` and mean ``pull/(gain + 1/bend²)``; level and slope depend on them in a line; and the
    level is known the less, the more studies differ. The sampler moves in standard normals of that. The prior and the
    volume of the change are put back exactly: the way through the posterior is another, the posterior is the same.

    Parameters
    ----------
    given : how many columns have a given prior standard deviation: level and slope.
    centre, lean, root : level and slope are ``centre − lean·bends + root·z``, shapes (given,), (given, bend), (given, given).
    turn : shape (bend, bend), from the axes to the bends.
    gain, pull : shape (bend,), precision of the estimates along each axis, and that times where they lie.
    level : variance of the studies' mean at the τ of the mode.
    bend : bends' standard deviation at which the estimates begin to tell on it; at most that of its prior.

    References
    ----------
    Papaspiliopoulos O, Roberts GO, Skold M. Stat Sci 2007;22:59-73 (parametrisations between centred and not).
    doi 10.1214/088342307000000014.
    """

    given: int
    centre: Array
    lean: Array
    root: Array
    turn: Array
    gain: Array
    pull: Array
    level: float
    bend: float

    @classmethod
    def of(cls, problem: AgeProblem, scale: float) -> _Aim:
        """From the Gaussian at the mode of coefficients, at the likeliest of some standard deviations."""
        theta = FIRST_LOOK
        mode, roots, log = problem.mode(theta, np.array([scale, problem.bends]))
        best = int(log.argmax())
        precision = 1 / problem.spread(theta[best]) ** 2
        given = min(2, len(precision))
        whole = roots[best] @ roots[best].T
        pulled = whole @ mode[best]
        inverse = np.linalg.inv(whole[:given, :given])
        centre, lean = inverse @ pulled[:given], inverse @ whole[:given, given:]
        said = whole[given:, given:] - np.diag(precision[given:]) - whole[given:, :given] @ lean
        gain, turn = np.linalg.eigh(said)
        pull = turn.T @ (pulled[given:] - whole[given:, :given] @ centre)
        apart = np.exp(2 * theta[best, 0]) + problem.own**2 + 1 / np.bincount(problem.at, 1 / problem.v)
        return cls(
            given, centre, lean, np.linalg.cholesky(inverse), turn, np.maximum(gain, 0.0), pull,
            float(1 / (1 / apart).sum()), float(max(gain.max(initial=0.0), problem.bends**-2) ** -0.5),
        )  # fmt: skip


def fit_ages(asked: Asked, draws: int, seed: int, sampler: str = "nutpie") -> tuple[dict[str, Array], Diagnostics]:
    """The arrays that `hna fit` stores for one curve: ``curve`` (age, draw), ``setting`` and ``tau`` (draw,).

    Raises
    ------
    ModelError
        R301 if hardly any curve is monotone. Whether the diagnostics passed is the caller's to ask.
    """
    problem = asked.problem
    held, diagnostics = until_passed(
        lambda number, accept: sample_ages(
            problem, asked.scale, draws=number, seed=seed, sampler=sampler, target_accept=1 - (1 - accept) / 8
        ),
        max(-(-draws // 4), 1000),
        require=False,
    )
    curves = held["b"] @ problem.basis.T
    kept = problem.monotone(curves) if asked.monotone else np.arange(len(curves))
    rng = stream(seed, f"fit:{asked.name}:{asked.sex}")
    chosen = kept[rng.permutation(np.linspace(0, len(kept) - 1, draws).round().astype(int))]
    tau = held["tau"][chosen]
    return {
        "curve": curves[chosen].T,
        "tau": tau,
        "setting": tau * normal(seed, f"pool:{asked.name}", draws),
    }, diagnostics
