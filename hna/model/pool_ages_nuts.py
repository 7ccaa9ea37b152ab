"""The curve by age with a sampler, for where nested Laplace may not be trusted; the one place here that needs PyMC."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hna.measure.draws import normal, stream
from hna.model.fit_sampler import Diagnostics, quietly, sample_model, until_passed
from hna.model.pool_ages import AgeProblem
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
    """
    with quietly():
        import arviz as az
        import pymc as pm

    wide = problem.basis.shape[1]
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", sigma=scale)
        bend = pm.HalfNormal("bend", sigma=1.0)
        score = pm.Normal("score", 0.0, 1.0, shape=wide)
        fixed = problem.spread(np.zeros(2))[:2]
        spread = pm.math.concatenate([fixed, bend * np.ones(max(wide - 2, 0))])[:wide]
        b = pm.Deterministic("b", score * spread)
        rate = pm.math.sigmoid(pm.math.dot(problem.basis, b))
        mean = pm.Deterministic(_BAND_RATES, pm.math.logit(pm.math.dot(problem.weight, rate)))
        # Studies' errors are integrated out: each study's covariance is a diagonal and one rank more.
        of_study = np.equal.outer(np.arange(len(problem.own)), problem.at).astype(float)
        away, total = problem.y - mean, of_study @ (1 / problem.v)
        shared = tau**2 + problem.own**2
        lean = pm.math.dot(of_study, away / problem.v)
        square = (away**2 / problem.v).sum() - (shared * lean**2 / (1 + shared * total)).sum()
        pm.Potential("y", -0.5 * (square + pm.math.log(1 + shared * total).sum()))
    return sample_model(
        pm, az, model, ("b", "tau", _BAND_RATES), draws=draws, tune=tune, chains=chains, seed=seed, sampler=sampler,
        target_accept=target_accept, told=("tau", _BAND_RATES),
    )  # fmt: skip


def fit_ages(asked: Asked, draws: int, seed: int, sampler: str = "nutpie") -> tuple[dict[str, Array], Diagnostics]:
    """The arrays that `hna fit` stores for one curve: ``curve`` (age, draw), ``setting`` and ``tau`` (draw,).

    Raises
    ------
    ModelError
        R301 if hardly any curve is monotone. Whether the diagnostics passed is the caller's to ask.
    """
    studies = sorted({one.study for one in asked.reported})
    problem = AgeProblem.of(asked.reported, studies, asked.oldest, asked.people, asked.own)
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
