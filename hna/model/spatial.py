"""Smooth local counts over a map (BYM2): only where there are counts of what happened, in enough areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from hna.errors import AxisError, Fault, ModelError, QuantityError
from hna.measure.draws import check_level
from hna.model.fit_sampler import Diagnostics, quietly, sample_model, until_passed
from hna.model.local import refuse_use
from hna.model.priors import Priors, shipped_priors
from hna.model.rules import rules
from hna.model.spatial_laplace import MapProblem, solve_map

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Map:
    """Areas and who borders whom, as a basis of scaled spatial effects.

    Parameters
    ----------
    areas : labels.
    component : shape (area,), which connected part of the map each lies in.
    islands : areas without neighbours.
    basis : shape (area, column): independent standard normal weights give effects with the precision of neighbours'
        differences, scaled so that the geometric mean of the variances is one in every connected part; an island's
        effect is one standard normal.
    joined : shape (area, area), 1 where two areas border each other.
    """

    areas: tuple[str, ...]
    component: NDArray[np.intp]
    islands: tuple[str, ...]
    basis: Array
    joined: Array


def neighbours(areas: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Map:
    """A map from pairs of areas that border each other.

    Within each connected part, effects are ``U·λ^(−½)·z`` with λ and U the positive eigenvalues and vectors of the graph's
    Laplacian, so that they sum to nothing there, divided by the root of the geometric mean of their variances.

    Parameters
    ----------
    areas : labels, each once.
    pairs : bordering areas, in either order.

    Raises
    ------
    AxisError
        If a pair names an area that is not there, or an area twice.

    References
    ----------
    Freni-Sterrantino A, Ventrucci M, Rue H. Spat Spatiotemporal Epidemiol 2018;26:25-34 (parts and islands).
    doi 10.1016/j.sste.2018.04.002.
    """
    at = {name: n for n, name in enumerate(areas)}
    unknown = sorted({name for pair in pairs for name in pair if name not in at})
    if unknown or len(at) != len(areas):
        raise AxisError(Fault("neighbours name areas that are not there, or areas are named twice", rows=unknown))
    joined = np.zeros((len(areas), len(areas)))
    for one, other in pairs:
        if one != other:
            joined[at[one], at[other]] = joined[at[other], at[one]] = 1.0
    component = _components(joined)
    blocks = []
    for part in range(int(component.max()) + 1):
        inside = np.flatnonzero(component == part)
        if len(inside) == 1:
            own = np.ones((1, 1))
        else:
            within = joined[np.ix_(inside, inside)]
            value, vector = np.linalg.eigh(np.diag(within.sum(axis=1)) - within)
            own = vector[:, 1:] / np.sqrt(value[1:])
            own = own / np.exp(0.5 * np.log((own**2).sum(axis=1)).mean())
        block = np.zeros((len(areas), own.shape[1]))
        block[inside] = own
        blocks.append(block)
    alone = tuple(areas[n] for n in np.flatnonzero(joined.sum(axis=1) == 0).tolist())
    return Map(tuple(areas), component, alone, np.column_stack(blocks), joined)


def _components(joined: Array) -> NDArray[np.intp]:
    found = np.full(len(joined), -1, dtype=np.intp)
    part = 0
    for start in range(len(joined)):
        if found[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            area = waiting.pop()
            if found[area] < 0:
                found[area] = part
                waiting += np.flatnonzero((joined[area] > 0) & (found < 0)).tolist()
        part += 1
    return found


@dataclass(frozen=True, eq=False)
class Smoothed:
    """Rates of every area, each leaning on its neighbours.

    Parameters
    ----------
    areas : labels.
    draws : shape (area, draw): proportions, or ratios to the expected under Poisson.
    sigma : shape (draw,), standard deviation of areas' effects on the linear scale.
    share : shape (draw,), ρ: how much of that variance is spatial.
    observed : shape (area,), the area's own rate or ratio.
    engine : laplace, nutpie or pymc.
    diagnostics : of the sampler; None under Laplace.
    khat, effective : of Laplace's importance weights (below `Rules.khat_below` they may be trusted), and how many draws they amount to.
    """

    areas: tuple[str, ...]
    draws: Array
    sigma: Array
    share: Array
    observed: Array
    engine: str
    diagnostics: Diagnostics | None
    khat: float
    effective: float

    @property
    def words(self) -> str:
        """One line on how far the fit may be trusted."""
        if self.diagnostics is not None:
            return self.diagnostics.words
        return f"nested Laplace with importance resampling: Pareto k̂ {self.khat:.2f}, effective draws {self.effective:,.0f}"

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """One row an area: estimate, lower, upper, observed."""
        check_level(level)
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=1)
        held = {"area": list(self.areas), "estimate": self.draws.mean(axis=1), "lower": low, "upper": high}
        return pd.DataFrame(held | {"observed": self.observed})


def check_counts(areas: int, kind: str) -> None:
    """Refuse a map that cannot be smoothed.

    Raises
    ------
    ModelError
        R431 for a synthetic estimate, which holds no local information; R432 for fewer areas than `Rules.map_areas`.
    """
    if kind == "synthetic":
        refuse_use("smoothing")
    fewest = rules().map_areas
    if areas < fewest:
        remedy = f"Use at least {fewest}, or each area's own rate with its interval"
        raise ModelError(Fault(f"{areas} areas are too few for a spatial model", remedy, code="R432"))


def smooth(
    cases: ArrayLike,
    size: ArrayLike,
    borders: Map,
    *,
    kind: Literal["recorded", "synthetic"],
    family: Literal["binomial", "poisson"] = "binomial",
    covariates: ArrayLike | None = None,
    method: Literal["auto", "laplace", "nutpie", "pymc"] = "auto",
    draws: int = 2000,
    tune: int = 1000,
    seed: int = 0,
    name: str = "smooth",
    priors: Priors | None = None,
) -> Smoothed:
    """Rates smoothed over a map.

    ``cases ~ Binomial(size, expit η)`` or ``Poisson(size·exp η)`` with size the expected number; ``η = α + Xβ +
    σ(√(1 − ρ)·θ + √ρ·φ)``, θ independent standard normals, φ the map's scaled spatial effects, ``σ ~ HalfNormal(s)``,
    ``ρ ~ Beta(a, a)`` with s and a of `Priors`: 1 and ½.

    Parameters
    ----------
    cases, size : shape (area,), in the order of the map.
    borders : from `neighbours`.
    kind : recorded, for counts of what happened or who is known; a synthetic estimate is refused.
    family : binomial or poisson.
    covariates : shape (area, covariate) or None; standardised here.
    method : laplace (nested, importance resampled), nutpie or pymc (NUTS); auto takes laplace where its Pareto k̂ is below
        `Rules.khat_below`, and nutpie where it is not.
    draws : posterior draws; NUTS runs four chains of half as many, and again with more until the diagnostics pass.
    tune, seed : of the sampler.
    name : of the stream of nested Laplace.
    priors : None for the shipped ones.

    Raises
    ------
    ModelError
        R431, R432 as in `check_counts`; R391 if the sampler's diagnostics fail; R392 if Laplace is insisted on
        and its k̂ is too high.

    References
    ----------
    Riebler A, Sorbye SH, Simpson D, Rue H. Stat Methods Med Res 2016;25:1145-1165. doi 10.1177/0962280216660421.
    """
    problem = map_problem(cases, size, borders, kind=kind, family=family, covariates=covariates, priors=priors)
    observed = problem.cases / problem.size
    if method in ("auto", "laplace"):
        held = solve_map(problem, draws, seed, name)
        if held.khat < rules().khat_below:
            rate = rate_of(held.eta, family)
            return Smoothed(
                borders.areas, rate, held.sigma, held.share, observed, "laplace", None, held.khat, held.effective
            )
        if method == "laplace":
            remedy = "Use method: auto, which falls back to NUTS"
            what = f"Pareto k̂ is {held.khat:.2f}: importance sampling may not be trusted"
            raise ModelError(Fault(what, remedy, code="R392"))
    engine = "pymc" if method == "pymc" else "nutpie"
    arrays, diagnostics = sampled_map(problem, engine, draws, tune, seed)
    diagnostics.require()
    return Smoothed(
        borders.areas, rate_of(arrays["eta"], family), arrays["sigma"], arrays["share"], observed, engine, diagnostics,
        float("nan"), diagnostics.bulk,
    )  # fmt: skip


def sampled_map(
    problem: MapProblem, engine: str, draws: int, tune: int, seed: int
) -> tuple[Mapping[str, Array], Diagnostics]:
    """Draws by NUTS as `sample_map` gives them, run again until diagnostics pass; three times at most."""

    def run(number: int, accept: float) -> tuple[Mapping[str, Array], Diagnostics]:
        return sample_map(problem, draws=number, tune=tune, seed=seed, sampler=engine, target_accept=accept)

    return until_passed(run, max(draws // 2, 1), require=False)


def map_problem(
    cases: ArrayLike,
    size: ArrayLike,
    borders: Map,
    *,
    kind: Literal["recorded", "synthetic"],
    family: Literal["binomial", "poisson"] = "binomial",
    covariates: ArrayLike | None = None,
    priors: Priors | None = None,
) -> MapProblem:
    """Counts of a map as a posterior to be solved, arguments as in `smooth`.

    Raises
    ------
    ModelError, QuantityError
        As `smooth`, before anything is solved.
    """
    y, n = np.asarray(cases, dtype=float), np.asarray(size, dtype=float)
    check_counts(len(borders.areas), kind)
    if y.shape != (len(borders.areas),) or n.shape != y.shape:
        raise QuantityError(f"cases have shape {y.shape} and sizes {n.shape}, for {len(borders.areas)} areas")
    if (n <= 0).any() or (y < 0).any() or (family == "binomial" and (y > n).any()):
        raise QuantityError("an area has no people, negative cases, or more cases than people")
    given = np.zeros((len(y), 0)) if covariates is None else np.asarray(covariates, dtype=float).reshape(len(y), -1)
    spread = given.std(axis=0)
    x = (given - given.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(y)), x])
    wide = priors or shipped_priors()
    prior = np.array([wide.map_intercept, *[wide.map_coefficient] * x.shape[1]])
    return MapProblem(y, n, family, design, prior, borders.basis, wide.map_effect, wide.map_share)


def rate_of(eta: Array, family: str) -> Array:
    """Rates or ratios, shape (area, draw), of linear predictors of shape (draw, area)."""
    rate: Array = expit(eta.T) if family == "binomial" else np.exp(eta.T)
    return rate


def sample_map(
    problem: MapProblem, *, draws: int, tune: int, seed: int, sampler: str, chains: int = 4, target_accept: float = 0.9
) -> tuple[Mapping[str, Array], Diagnostics]:
    """The same model by NUTS: arrays ``eta`` (draw, area), ``sigma`` and ``share`` (draw,)."""
    with quietly():
        import arviz as az
        import pymc as pm

    with pm.Model() as model:
        b = pm.Normal("b", 0.0, problem.prior, shape=len(problem.prior))
        sigma = pm.HalfNormal("sigma", problem.scale)
        share = pm.Beta("share", problem.mixing, problem.mixing)
        own = pm.Normal("own", 0.0, 1.0, shape=len(problem.cases))
        weight = pm.Normal("weight", 0.0, 1.0, shape=problem.basis.shape[1])
        effect = pm.math.sqrt(1 - share) * own + pm.math.sqrt(share) * pm.math.dot(problem.basis, weight)
        eta = pm.Deterministic("eta", pm.math.dot(problem.design, b) + sigma * effect)
        if problem.family == "binomial":
            pm.Binomial("cases", n=problem.size, logit_p=eta, observed=problem.cases)
        else:
            pm.Poisson("cases", mu=problem.size * pm.math.exp(eta), observed=problem.cases)
    return sample_model(
        pm, az, model, ("eta", "sigma", "share"), draws=draws, tune=tune, chains=chains, seed=seed, sampler=sampler,
        target_accept=target_accept,
    )  # fmt: skip
