"""Simulation-based calibration: truths drawn from the prior rank uniformly among draws of the posterior.

Each model's parameters and what is reported of it (people in need N, and the gap U to those known) are ranked among 99 draws;
in full, among 999. The ranks must fill twenty bins evenly (χ²) and their distribution function must stay inside the band
that uniform ranks leave one time in a thousand (DKW).

Some dozens of simulations by default; a thousand (in full: ``HNA_CALIBRATION=full python -m pytest
tests/calibration/test_sbc.py``) with the samplers, which writes counts, seed and p-value to ``sbc_results.json``.

Talts S, Betancourt M, Simpson D, Vehtari A, Gelman A. arXiv 1804.06788.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import chi2

from hna.measure.ages import AgeAxis, AgeBand
from hna.model.fit_sampler import until_passed
from hna.model.laplace import Problem, solve
from hna.model.pool import sample
from hna.model.pool_ages import AgeProblem, Reported, solve_ages
from hna.model.pool_ages_nuts import sample_ages
from hna.model.pool_grid import solve as solve_pool
from hna.model.priors import shipped_priors
from hna.model.rules import rules
from hna.model.spatial import neighbours
from hna.model.spatial_laplace import MapProblem, solve_map
from hna.model.survey import sample_problem

pytestmark = pytest.mark.calibration
FULL = os.environ.get("HNA_CALIBRATION") == "full"
BINS, DRAWS = 20, 999 if FULL else 99
RESULTS = Path(__file__).with_name("sbc_results.json")
AGREEMENT = Path(__file__).with_name("agreement_results.json")
on_demand = pytest.mark.skipif(not FULL, reason="compiles and runs a sampler: HNA_CALIBRATION=full")


def uniform_enough(ranks: np.ndarray, model: str, name: str, seed: int) -> None:
    """Ranks 0 to `DRAWS` fall evenly; refused at one in a thousand. In full, the counts are kept."""
    many = len(ranks)
    bins = BINS if many >= 5 * BINS else 10
    counts = np.bincount((ranks * bins) // (DRAWS + 1), minlength=bins)
    even = many / bins
    statistic = float(((counts - even) ** 2 / even).sum())
    at = np.arange(1, DRAWS + 2) / (DRAWS + 1)
    reached = np.searchsorted(np.sort(ranks), np.arange(DRAWS + 1), side="right") / many
    apart, band = float(np.abs(reached - at).max()), float(np.sqrt(np.log(2 / 0.001) / (2 * many)))
    if FULL:
        held = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
        held.setdefault(model, {})[name] = {
            "seed": seed, "simulations": many, "draws": DRAWS, "ranks": " ".join(map(str, counts.tolist())),
            "chi2": round(statistic, 2), "p": round(float(chi2.sf(statistic, bins - 1)), 4),
            "ecdf_apart": round(apart, 4), "ecdf_band": round(band, 4),
        }  # fmt: skip
        RESULTS.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert statistic < chi2.ppf(0.999, bins - 1), f"{name}: {counts}"
    assert apart < band, f"{name}: {apart}"


def below(drawn: np.ndarray, truth: float) -> int:
    """Rank of a truth among `DRAWS` draws, taken evenly from all."""
    return int((drawn[np.linspace(0, len(drawn) - 1, DRAWS).astype(int)] < truth).sum())


def need_and_gap(rng: np.random.Generator, rates: np.ndarray, truth: np.ndarray) -> tuple[dict, dict]:
    """People in need in cells of known people, shape (cell, draw), and the gap to those known, of whom a share is in need."""
    people = np.linspace(2000.0, 6000.0, len(truth))
    known, ppv = 0.3 * people.sum() * 0.05, rng.uniform(0.8, 1.0, rates.shape[1])
    need, true_need = people @ rates, float(people @ truth)
    drawn = {"need": need, "gap": need - known * ppv}
    return drawn, {"need": true_need, "gap": true_need - known * rng.uniform(0.8, 1.0)}


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
    for _ in range(1000 if FULL else 200):
        y, v, truth = studies(rng, scale)
        found = solve_pool(y, v, scale)
        points = rng.random(DRAWS), rng.standard_normal(DRAWS), rng.standard_normal(DRAWS)
        drawn = {
            "mu": found.draw(points[0], points[1], None),
            "tau": found.tau_quantile(points[0]),
            "new": found.draw(*points),
        }
        # What is reported: two bands, the second at twice the odds.
        lift = np.array([[0.0], [np.log(2)]])
        more, true = need_and_gap(rng, expit(drawn["new"] + lift), expit(truth["new"] + lift[:, 0]))
        drawn, truth = drawn | more, truth | true
        for name, values in drawn.items():
            ranks[name].append(below(values, truth[name]))
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
    return problem, {"b": b[1], "sigma": sigma[0], "u": u[9], "rate": rate[:30]}


def reported(problem: Problem, columns: np.ndarray, areas: np.ndarray, sigma: np.ndarray) -> dict[str, np.ndarray]:
    rate = expit(columns @ problem.design.T + areas[:, problem.area])
    return {"b": columns[:, 1], "sigma": sigma[:, 0], "u": areas[:, 9], "rate": rate[:, :30]}


def test_surveys_by_nested_laplace():
    seed = 20261122
    rng = np.random.default_rng(seed)
    ranks: dict[str, list[int]] = {name: [] for name in ("b", "sigma", "u", "need", "gap")}
    trusted = 0
    for n in range(1000 if FULL else 60):
        problem, truth = survey(rng)
        found = solve(problem, max(400, DRAWS), n, "sbc", points=100)
        trusted += found.trusted
        drawn = reported(problem, found.columns, found.areas, found.sigma)
        more, true = need_and_gap(rng, drawn.pop("rate").T, truth.pop("rate"))
        for name, values in (drawn | more).items():
            ranks[name].append(below(values, (truth | true)[name]))
    assert trusted >= 0.95 * len(ranks["b"])
    for name, values in ranks.items():
        uniform_enough(np.array(values), "survey by nested Laplace", name, seed)


AGES = AgeAxis((AgeBand(40, 59), AgeBand(60, 74), AgeBand(75, None)))
CUTS = ([40, 50, 60, 70, 80], [40, 60, 80], [40, 55, 70], [50, 65], [60, 70, 80, 90])


def curve(rng: np.random.Generator):
    """Three to five studies of one curve by age, from the prior; the level and slope are kept to rates that occur."""
    count = int(rng.integers(3, 6))
    held = []
    for n, lows in enumerate(CUTS[:count]):
        for low, after in zip(lows, [*lows[1:], None], strict=True):
            held.append(
                Reported(f"s{n}", AgeBand(low, None if after is None else after - 1), 0.0, rng.uniform(0.01, 0.1))
            )
    studies = sorted({one.study for one in held})
    own = dict.fromkeys(studies[:2], 0.3)
    problem = replace(AgeProblem.of(held, studies, 95, None, own), level=1.5, slope=1.0)
    tau, bend = abs(rng.normal(0, 0.5)), abs(rng.normal(0, 1.0))
    b = rng.normal(0, [1.5, 1.0, *[bend] * (problem.basis.shape[1] - 2)])
    log_odds = problem.basis @ b
    error = rng.normal(0, np.hypot(tau, problem.own))[problem.at] + rng.normal(0, np.sqrt(problem.v))
    setting = rng.normal(0, tau)
    inside = np.array([(problem.ages >= band.low) & (problem.ages < band.end) for band in AGES.bands]).astype(float)
    mean = inside / inside.sum(axis=1, keepdims=True)
    truth = {"level": b[0], "tau": tau, "at 70": log_odds[30], "rate": mean @ expit(log_odds + setting)}
    return replace(problem, y=logit(problem.weight @ expit(log_odds)) + error), mean, truth


def test_curves_by_age():
    seed = 20261123
    rng = np.random.default_rng(seed)
    ranks: dict[str, list[int]] = {name: [] for name in ("level", "tau", "at 70", "need", "gap")}
    trusted = 0
    for n in range(1000 if FULL else 40):
        problem, mean, truth = curve(rng)
        found = solve_ages(problem, 0.5, max(400, DRAWS), n, "sbc", points=100)
        trusted += found.khat < rules().khat_below
        log_odds = found.columns @ problem.basis.T
        setting = found.tau * rng.standard_normal(len(found.tau))
        drawn = {"level": found.columns[:, 0], "tau": found.tau, "at 70": log_odds[:, 30]}
        more, true = need_and_gap(rng, mean @ expit(log_odds + setting[:, None]).T, truth.pop("rate"))
        for name, values in (drawn | more).items():
            ranks[name].append(below(values, (truth | true)[name]))
    assert trusted >= 0.95 * len(ranks["level"])
    for name, values in ranks.items():
        uniform_enough(np.array(values), "pooling by age by nested Laplace", name, seed)


def counted_map(rng: np.random.Generator):
    """Counts over a lattice of 36 areas with four joined far away and two islands, from the prior."""
    names = [f"{r}-{c}" for r in range(6) for c in range(6)]
    pairs = [(f"{r}-{c}", f"{r}-{c + 1}") for r in range(6) for c in range(5)]
    pairs += [(f"{r}-{c}", f"{r + 1}-{c}") for r in range(5) for c in range(6)]
    far = [f"far-{n}" for n in range(4)]
    borders = neighbours([*names, *far, "isle-a", "isle-b"], [*pairs, *pairwise(far)])
    areas = len(borders.areas)
    prior = np.array([1.0, 0.5])
    design = np.column_stack([np.ones(areas), rng.standard_normal(areas)])
    sigma, share, b = abs(rng.normal(0, 1.0)), rng.beta(0.5, 0.5), rng.normal(0, prior)
    own, weight = rng.standard_normal(areas), rng.standard_normal(borders.basis.shape[1])
    eta = design @ b + sigma * (np.sqrt(1 - share) * own + np.sqrt(share) * borders.basis @ weight)
    size = rng.integers(10, 200, areas).astype(float)
    cases = rng.binomial(size.astype(int), expit(eta)).astype(float)
    truth = {"sigma": sigma, "share": share, "eta": eta[0], "island": eta[-1], "rate": expit(eta[:12])}
    return MapProblem(cases, size, "binomial", design, prior, borders.basis, 1.0, 0.5), truth


def test_maps_by_nested_laplace():
    seed = 20261124
    rng = np.random.default_rng(seed)
    ranks: dict[str, list[int]] = {name: [] for name in ("sigma", "share", "eta", "island", "need", "gap")}
    trusted = 0
    for n in range(1000 if FULL else 40):
        problem, truth = counted_map(rng)
        found = solve_map(problem, max(400, DRAWS), n, "sbc", points=60, each=40)
        trusted += found.khat < rules().khat_below
        drawn = {"sigma": found.sigma, "share": found.share, "eta": found.eta[:, 0], "island": found.eta[:, -1]}
        more, true = need_and_gap(rng, expit(found.eta[:, :12]).T, truth.pop("rate"))
        for name, values in (drawn | more).items():
            ranks[name].append(below(values, (truth | true)[name]))
    assert trusted >= 0.95 * len(ranks["sigma"])
    for name, values in ranks.items():
        uniform_enough(np.array(values), "map by nested Laplace", name, seed)


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
        if name == "rate":
            continue
        assert values.mean() == pytest.approx(theirs[name].mean(), abs=0.08 * theirs[name].std())
        assert values.std() == pytest.approx(theirs[name].std(), rel=0.08)


@on_demand
@pytest.mark.parametrize(("sampler", "seed", "wide"), [("nutpie", 5, True), ("nutpie", 5, False), ("nutpie", 7, True)])
def test_samplers_agree_on_a_curve_by_age(sampler, seed, wide):
    """The curve at every age, a new setting's, and τ: means and SDs within four Monte Carlo errors; what is found is kept.

    With the priors of level and slope that are used (wide), and with those of the ranks above.
    """
    problem, _, _ = curve(np.random.default_rng(seed))
    if wide:
        problem = replace(problem, level=shipped_priors().curve_level, slope=shipped_priors().curve_slope)
    # Steps as short as those of `hna fit`.
    held, diagnostics = until_passed(
        lambda number, accept: sample_ages(
            problem, 0.5, draws=number, seed=seed, sampler=sampler, target_accept=1 - (1 - accept) / 8
        ),
        2000,
        require=False,
    )
    found = solve_ages(problem, 0.5, 8000, seed, "x")
    apart = {}
    for name, tau, b in (("quick", found.tau, found.columns), (sampler, held["tau"], held["b"])):
        log_odds = b @ problem.basis.T
        new = log_odds + (tau * np.random.default_rng(1).standard_normal(len(tau)))[:, None]
        apart[name] = np.column_stack([tau, log_odds, new])
    spread = apart["quick"].std(axis=0)
    mean = float(np.abs((apart[sampler].mean(axis=0) - apart["quick"].mean(axis=0)) / spread).max())
    sd = float(np.abs(apart[sampler].std(axis=0) / spread - 1).max())
    least = min(diagnostics.bulk, diagnostics.tail), min(found.effective, 8000.0)
    limit = 4 * float(np.sqrt(sum(1 / one for one in least)))
    told = json.loads(AGREEMENT.read_text(encoding="utf-8")) if AGREEMENT.is_file() else {}
    told[f"curve by age, {sampler}, seed {seed}, {'priors as used' if wide else 'priors of the ranks'}"] = {
        "seed": seed, "khat": round(found.khat, 2), "sampler": diagnostics.words, "passed": diagnostics.passed,
        "means_apart_in_sd": round(mean, 4), "sds_apart": round(sd, 4), "four_errors": round(limit, 4),
    }  # fmt: skip
    AGREEMENT.write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    assert diagnostics.passed, diagnostics.words
    assert found.khat < rules().khat_below
    assert mean < limit
    assert sd < limit
