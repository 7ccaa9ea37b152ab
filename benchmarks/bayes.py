"""Effective draws a second of what is reported, of every way of solving the Bayesian models, in one run.

Run as ``python benchmarks/bayes.py [--quick] [--json FILE]``. Each sampler is run once to warm its compile cache and once
to be timed; a result whose diagnostics fail is run again with twice the draws, and its time counted. Read the ratios.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import expit

from hna.measure.draws import normal, uniform
from hna.model.fit_sampler import Diagnostics
from hna.model.laplace import Problem, solve
from hna.model.pool import sample
from hna.model.pool_grid import solve as solve_pool
from hna.model.survey import sample_problem

ENOUGH = 400


def studies(k: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and variances of some studies."""
    rng = np.random.default_rng(1)
    v = rng.uniform(0.005, 0.1, k)
    return rng.normal(-3, np.sqrt(v + 0.3**2)), v


def survey(areas: int = 70, cells: int = 700) -> Problem:
    """A survey of some areas in nine regions, with two coefficients and an area covariate."""
    rng = np.random.default_rng(2)
    area = np.unique(np.sort(rng.integers(0, areas, cells)), return_inverse=True)[1]
    areas = int(area.max()) + 1
    region = rng.integers(0, 9, areas)[area]
    fixed = np.column_stack([np.ones(cells), rng.integers(0, 2, (cells, 2)), rng.normal(size=areas)[area]])
    eta = fixed @ [-1.5, 0.4, -0.3, 0.5] + 0.4 * rng.normal(size=9)[region] + 0.6 * rng.normal(size=areas)[area]
    size = rng.integers(1, 6, cells).astype(float)
    cases = rng.binomial(size.astype(int), expit(eta)).astype(float)
    group = np.array([0] * 4 + [1] * 9)
    prior = np.array([5.0, 2.5, 2.5, 2.5] + [1.0] * 9)
    return Problem(
        cases, size, np.column_stack([fixed, np.eye(9)[region]]), group, prior, area, areas, np.ones(2), np.zeros(2)
    )


def sampled(run: Callable[[int], tuple[object, Diagnostics]], draws: int) -> dict[str, object]:
    """A sampler, warm, until its diagnostics pass."""
    run(50)
    spent, found = 0.0, None
    for _ in range(3):
        start = time.perf_counter()
        _, found = run(draws)
        spent += time.perf_counter() - start
        if found.rhat < 1.01 and min(found.bulk, found.tail) > ENOUGH:
            break
        draws *= 2
    assert found is not None  # noqa: S101
    effective = min(found.bulk, found.tail)
    return {"seconds": spent, "effective": effective, "a second": effective / spent, "says": found.words}


def direct(run: Callable[[], tuple[float, str]]) -> dict[str, object]:
    """A direct method: best of three."""
    spent, effective, says = np.inf, 0.0, ""
    for _ in range(3):
        start = time.perf_counter()
        effective, says = run()
        spent = min(spent, time.perf_counter() - start)
    return {"seconds": spent, "effective": effective, "a second": effective / spent, "says": says}


def pooling(draws: int) -> dict[str, dict[str, object]]:
    """Random effects of twelve studies."""
    y, v = studies()

    def grid() -> tuple[float, str]:
        found = solve_pool(y, v, 0.5)
        found.draw(uniform(1, "a", 4000), normal(1, "b", 4000), normal(1, "c", 4000))
        return 4000.0, "exact on a grid of τ"

    rows = {"exact grid": direct(grid)}
    for name in ("nutpie", "pymc"):
        rows[name] = sampled(lambda n, name=name: sample(y, v, 0.5, draws=n, seed=1, sampler=name), draws)
    return rows


def mrp(draws: int) -> dict[str, dict[str, object]]:
    """Multilevel regression of a survey."""
    problem = survey()

    def laplace() -> tuple[float, str]:
        found = solve(problem, 2000, 1, "x")
        return min(found.effective, 2000.0), f"Pareto k̂ {found.khat:.2f}"

    rows = {"nested Laplace": direct(laplace)}
    for name in ("nutpie", "pymc"):
        rows[name] = sampled(
            lambda n, name=name: sample_problem(problem, draws=n, tune=1000, seed=1, sampler=name), draws
        )
    return rows


def main() -> None:
    """Measure, print, write."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--quick", action="store_true", help="fewer draws")
    reading.add_argument("--json", type=Path, help="file to write")
    asked = reading.parse_args()
    draws = 500 if asked.quick else 1500
    held = {"pooling": pooling(draws), "survey": mrp(draws)}
    for model, rows in held.items():
        default = float(rows["pymc"]["a second"])  # type: ignore[arg-type]
        print(f"{model:20} {'seconds':>9} {'effective':>10} {'a second':>10} {'× default':>10}")
        for name, row in rows.items():
            rate = float(row["a second"])  # type: ignore[arg-type]
            print(
                f"  {name:18} {row['seconds']:9.2f} {row['effective']:10.0f} {rate:10.0f} {rate / default:10.1f}  {row['says']}"
            )
    if asked.json:
        asked.json.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
