"""Simulation-based calibration: truths drawn from the prior rank uniformly among draws of the posterior.

A few hundred simulations by default; a thousand, and the samplers, with HNA_CALIBRATION=full.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2

from hna.model.laplace import Problem, solve
from hna.model.pool import sample
from hna.model.pool_grid import solve as solve_pool
from hna.model.survey import sample_problem

pytestmark = pytest.mark.calibration
FULL = os.environ.get("HNA_CALIBRATION") == "full"
BINS, DRAWS = 10, 99
RESULTS = Path(__file__).with_name("sbc_results.json")
on_demand = pytest.mark.skipif(not FULL, reason="compiles and runs a sampler: HNA_CALIBRATION=full")


def uniform_enough(ranks: np.ndarray, model: str, name: str, seed: int, draws: int = DRAWS) -> None:
    """Ranks 0 to `draws` fall evenly in bins; refused at one in a thousand. In full, the counts are kept."""
    counts = np.bincount((ranks * BINS) // (draws + 1), minlength=BINS)
    even = len(ranks) / BINS
    statistic = ((counts - even) ** 2 / even).sum()
    if FULL:
        held = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
        held.setdefault(model, {})[name] = {
            "seed": seed, "simulations": len(ranks), "ranks": counts.tolist(), "chi2": round(float(statistic), 2),
            "p": round(float(chi2.sf(statistic, BINS - 1)), 4),
        }  # fmt: skip
        RESULTS.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert statistic < chi2.ppf(0.999, BINS - 1), f"{name}: {counts}"


def studies(rng: np.random.Generator, scale: float):
    """Studies of one thing, from the prior: between-study SD, true mean (any will do: it is flat), a new setting."""
    k = int(rng.integers(3, 9))
    tau, mu = abs(rng.normal(0, scale)), rng.normal(-3, 1)
    v = rng.uniform(0.005, 0.2, k)
    y = rng.normal(mu, np.sqrt(v + tau**2))
    return y, v, {"mu": mu, "tau": tau, "new": rng.normal(mu, tau)}


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_pooling_on_the_grid(scale):
    seed = 20261121
    rng = np.random.default_rng(seed)
    ranks: dict[str, list[int]] = {name: [] for name in ("mu", "tau", "new", "need", "gap")}
    for _ in range(1000 if FULL else 300):
        y, v, truth = studies(rng, scale)
        found = solve_pool(y, v, scale)
        points = rng.random(DRAWS), rng.standard_normal(DRAWS), rng.standard_normal(DRAWS)
        drawn = {
            "mu": found.draw(points[0], points[1], None),
            "tau": found.tau_quantile(points[0]),
            "new": found.draw(*points),
        }
        # What is reported: people in need among two bands of 10,000 and 4,000, the second at twice the odds; and the gap.
        known, ppv = 300.0, rng.uniform(0.8, 1.0, DRAWS)
        bands = np.array([[10_000.0], [4_000.0]])
        lift = np.array([[0.0], [np.log(2)]])
        drawn["need"] = (bands * expit(drawn["new"] + lift)).sum(axis=0)
        truth["need"] = float((bands[:, 0] * expit(truth["new"] + lift[:, 0])).sum())
        drawn["gap"] = drawn["need"] - known * ppv
        truth["gap"] = truth["need"] - known * rng.uniform(0.8, 1.0)
        for name, values in drawn.items():
            ranks[name].append(int((values < truth[name]).sum()))
    for name, values in ranks.items():
        uniform_enough(np.array(values), f"pooling, prior scale {scale}", name, seed)


def survey(rng: np.random.Generator):
    """A small survey from the prior: ten areas, two of them hardly asked, a coefficient and four groups."""
    area = np.repeat(np.arange(10), 6)
    x = rng.integers(0, 2, 60).astype(float)
    group = rng.integers(0, 4, 60)
    design = np.column_stack([np.ones(60), x, np.eye(4)[group]])
    prior = np.array([1.0, 0.7, 1, 1, 1, 1])
    sigma = np.abs(rng.normal(0, [0.8, 0.8]))
    b = np.concatenate([rng.normal(0, prior[:2]), rng.normal(0, sigma[1], 4)])
    u = rng.normal(0, sigma[0], 10)
    size = rng.integers(1, 20, 60).astype(float)
    size[area >= 8] = 1
    cases = rng.binomial(size.astype(int), expit(design @ b + u[area])).astype(float)
    spread = np.array([0, 0, 1, 1, 1, 1])
    problem = Problem(cases, size, design, spread, prior, area, 10, np.array([0.8, 0.8]), np.zeros(2))
    rate = expit(design @ b + u[area])
    return problem, {"b": b[1], "sigma": sigma[0], "u": u[9], "need": float(rate[:30].sum())}


def reported(problem: Problem, columns: np.ndarray, areas: np.ndarray, sigma: np.ndarray) -> dict[str, np.ndarray]:
    rate = expit(columns @ problem.design.T + areas[:, problem.area])
    return {"b": columns[:, 1], "sigma": sigma[:, 0], "u": areas[:, 9], "need": rate[:, :30].sum(axis=1)}


def test_surveys_by_nested_laplace():
    seed = 20261122
    rng = np.random.default_rng(seed)
    ranks: dict[str, list[int]] = {name: [] for name in ("b", "sigma", "u", "need")}
    trusted = 0
    for n in range(1000 if FULL else 100):
        problem, truth = survey(rng)
        found = solve(problem, 400, n, "sbc", points=100)
        trusted += found.trusted
        thin = np.linspace(0, 399, DRAWS).astype(int)
        for name, values in reported(problem, found.columns, found.areas, found.sigma).items():
            ranks[name].append(int((values[thin] < truth[name]).sum()))
    assert trusted >= 0.95 * len(ranks["b"])
    for name, values in ranks.items():
        uniform_enough(np.array(values), "survey by nested Laplace", name, seed)


@on_demand
def test_samplers_agree_with_the_grid_and_with_laplace():
    rng = np.random.default_rng(3)
    y, v, _ = studies(rng, 0.5)
    arrays, diagnostics = sample(y, v, 0.5, seed=1, draws=4000)
    exact = solve_pool(y, v, 0.5)
    assert diagnostics.rhat < 1.01
    for name, new in (("mu", False), ("new", True)):
        mean, spread = exact.moments(new=new)
        assert arrays[name].mean() == pytest.approx(mean, abs=0.06 * spread)
        assert arrays[name].std() == pytest.approx(spread, rel=0.06)
    problem, _ = survey(rng)
    held, diagnostics = sample_problem(problem, draws=2000, tune=1000, seed=1, sampler="nutpie")
    assert diagnostics.rhat < 1.01
    found = solve(problem, 4000, 1, "x")
    mine = reported(problem, found.columns, found.areas, found.sigma)
    theirs = reported(problem, held["b"], held["u"], held["sigma"])
    for name, values in mine.items():
        assert values.mean() == pytest.approx(theirs[name].mean(), abs=0.08 * theirs[name].std())
        assert values.std() == pytest.approx(theirs[name].std(), rel=0.08)
