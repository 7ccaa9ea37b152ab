"""Effective draws a second of what is reported, of every way of solving the Bayesian models, in one run.

Run as ``python benchmarks/bayes.py [--quick] [--only MODEL ...] [--json FILE]``. Each sampler is run once to warm its
compile cache and once to be timed; a result whose diagnostics fail (r̂ < 1.01, bulk and tail effective draws > 400, no
divergences) is run again with twice the draws and shorter steps, and its time counted. The effective draws of a sampler
are the fewest of any reported quantity, those of nested Laplace the number that its weights amount to. ``hna`` is what the
program itself does: the quick way where its Pareto k̂ is below 0.7, nutpie where it is not.

Seconds are told twice: on the clock, and of processors (all threads, and child processes, in which PyMC runs its chains).
Where other work shares the machine only the latter mean much. Read the ratios: machines differ. ``--json`` adds the models
measured to what the file holds; those of the repository are in ``benchmarks/results/bayes.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from hna.measure.ages import AgeBand
from hna.measure.draws import normal, uniform
from hna.model.fit_sampler import Diagnostics
from hna.model.laplace import Problem, solve
from hna.model.pool import sample
from hna.model.pool_ages import AgeProblem, Reported, solve_ages
from hna.model.pool_ages_nuts import sample_ages
from hna.model.pool_grid import solve as solve_pool
from hna.model.rules import rules
from hna.model.spatial import neighbours, sample_map
from hna.model.spatial_laplace import MapProblem, solve_map
from hna.model.survey import sample_problem

Row = dict[str, object]
Rows = dict[str, Row]
Sampler = Callable[[int, int, float, str], tuple[object, Diagnostics]]
SEED, MOST = 1, 3


def studies(k: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and variances of some studies."""
    rng = np.random.default_rng(1)
    v = rng.uniform(0.005, 0.1, k)
    return rng.normal(-3, np.sqrt(v + 0.3**2)), v


def by_age() -> AgeProblem:
    """Five studies of a rate that rises with age, in bands of their own."""
    rng = np.random.default_rng(1)
    ages = np.arange(65, 105)
    truth = -3.6 + 0.1 * (ages - 65) - 0.0006 * (ages - 65) ** 2
    cuts = ([65, 70, 75, 80, 85, 90], [65, 75, 85], [65, 80], [70, 80, 90], [65, 70, 75, 80, 85])
    held = []
    for n, lows in enumerate(cuts):
        own = rng.normal(0, 0.25)
        for low, after in zip(lows, [*lows[1:], None], strict=True):
            inside = (ages >= low) & (ages < (after or 200))
            y = logit(expit(truth[inside]).mean()) + own + rng.normal(0, 0.1)
            held.append(Reported(f"s{n}", AgeBand(low, None if after is None else after - 1), float(y), 0.01))
    return AgeProblem.of(held, sorted({one.study for one in held}), 104, None)


def survey(areas: int = 70, cells: int = 700) -> Problem:
    """A survey of some areas in nine regions, with two coefficients and an area covariate, summed into cells."""
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
    design, scale, power = np.column_stack([fixed, np.eye(9)[region]]), np.array([0.5, 1.0]), np.array([1.0, 0.0])
    return Problem(cases, size, design, group, prior, area, areas, scale, power)


def counted(rows: int = 15, columns: int = 20) -> MapProblem:
    """Counts of a lattice of 300 areas."""
    names = [f"{r}-{c}" for r in range(rows) for c in range(columns)]
    pairs = [(f"{r}-{c}", f"{r}-{c + 1}") for r in range(rows) for c in range(columns - 1)]
    pairs += [(f"{r}-{c}", f"{r + 1}-{c}") for r in range(rows - 1) for c in range(columns)]
    borders = neighbours(names, pairs)
    rng = np.random.default_rng(1)
    own, far = rng.standard_normal(len(names)), rng.standard_normal(borders.basis.shape[1])
    eta = -2 + 0.5 * (np.sqrt(0.3) * own + np.sqrt(0.7) * borders.basis @ far)
    size = rng.integers(30, 300, len(names)).astype(float)
    cases = rng.binomial(size.astype(int), expit(eta)).astype(float)
    return MapProblem(cases, size, "binomial", np.ones((len(names), 1)), np.array([5.0]), borders.basis, 1.0, 0.5)


def sampled(run: Sampler, name: str, draws: int) -> Row:
    """A sampler, warm, until its diagnostics pass; PyMC at its own step size, nutpie as the program uses it."""
    accept = 0.8 if name == "pymc" else 0.9
    run(50, 50, accept, name)
    spent, found, runs = np.zeros(2), None, 0
    while runs < MOST and not (found and found.passed):
        runs += 1
        start = clocks()
        _, found = run(draws, 1000, accept, name)
        spent += clocks() - start
        draws, accept = 2 * draws, 1 - (1 - accept) / 2
    assert found is not None  # noqa: S101
    says = found.words if found.passed else f"FAILS: {found.words}"
    return _row(spent, min(found.bulk, found.tail), says) | {"runs": runs, "passed": found.passed}


def direct(run: Callable[[], tuple[float, float]]) -> Row:
    """A direct method, best of three: its effective draws, and k̂ (negative infinity for an exact answer)."""
    spent, effective, khat = np.full(2, np.inf), 0.0, 0.0
    for _ in range(3):
        start = clocks()
        effective, khat = run()
        spent = np.minimum(spent, clocks() - start)
    says = "exact on a grid" if khat == -np.inf else f"Pareto k̂ {khat:.2f}"
    return _row(spent, effective, says) | {"passed": bool(khat < rules().khat_below)}


def clocks() -> np.ndarray:
    """Seconds on the clock, and of processors by this process and the children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return np.array([time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)])


def _row(spent: np.ndarray, effective: float, says: str) -> Row:
    rates = effective / np.maximum(spent, 1e-4)
    return {
        "seconds": float(spent[0]), "processor seconds": float(spent[1]), "effective": float(effective),
        "a second": float(rates[0]), "a processor second": float(rates[1]), "says": says,
    }  # fmt: skip


def pooling() -> tuple[Callable[[], tuple[float, float]], Sampler]:
    """Random effects of twelve studies."""
    y, v = studies()

    def grid() -> tuple[float, float]:
        found = solve_pool(y, v, 0.5)
        found.draw(uniform(1, "a", 4000), normal(1, "b", 4000), normal(1, "c", 4000))
        return 4000.0, -np.inf

    return grid, lambda n, tune, accept, name: sample(
        y, v, 0.5, draws=n, tune=tune, seed=SEED, sampler=name, target_accept=accept
    )


def ages() -> tuple[Callable[[], tuple[float, float]], Sampler]:
    """A curve by age through five studies."""
    problem = by_age()

    def laplace() -> tuple[float, float]:
        found = solve_ages(problem, 0.5, 2000, 1, "x")
        return min(found.effective, 2000.0), found.khat

    return laplace, lambda n, tune, accept, name: sample_ages(
        problem, 0.5, draws=n, tune=tune, seed=SEED, sampler=name, target_accept=accept
    )


def mrp() -> tuple[Callable[[], tuple[float, float]], Sampler]:
    """Multilevel regression of a survey, in cells."""
    problem = survey()

    def laplace() -> tuple[float, float]:
        found = solve(problem, 2000, 1, "x")
        return min(found.effective, 2000.0), found.khat

    return laplace, lambda n, tune, accept, name: sample_problem(
        problem, draws=n, tune=tune, seed=SEED, sampler=name, target_accept=accept
    )


def smoothing() -> tuple[Callable[[], tuple[float, float]], Sampler]:
    """BYM2 over 300 areas."""
    problem = counted()

    def laplace() -> tuple[float, float]:
        found = solve_map(problem, 2000, 1, "x")
        return min(found.effective, 2000.0), found.khat

    return laplace, lambda n, tune, accept, name: sample_map(
        problem, draws=n, tune=tune, seed=SEED, sampler=name, target_accept=accept
    )


MODELS = {"pooling": pooling, "pooling by age": ages, "survey": mrp, "map": smoothing}


def measured(model: str, draws: int) -> Rows:
    """Every way of one model; ``hna`` is the way that the program takes."""
    quick, slow = MODELS[model]()
    rows = {"quick": direct(quick)}
    rows |= {name: sampled(slow, name, draws) for name in ("nutpie", "pymc")}
    rows = {"hna": rows["quick" if rows["quick"]["passed"] else "nutpie"], **rows}
    for row in rows.values():
        for each in ("a second", "a processor second"):
            row[f"times default, {each}"] = row[each] / rows["pymc"][each]  # type: ignore[operator]
    return rows


def show(model: str, rows: Mapping[str, Row]) -> None:
    """Print one model."""
    print(f"{model:16} {'seconds':>9} {'processor':>10} {'effective':>10} {'× default':>10} {'in processor':>13}")
    for name, row in rows.items():
        print(
            f"  {name:14} {row['seconds']:9.2f} {row['processor seconds']:10.2f} {row['effective']:10.0f} "
            f"{row['times default, a second']:10.1f} {row['times default, a processor second']:13.1f}  {row['says']}",
            flush=True,
        )


def main() -> None:
    """Measure, print, write."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--quick", action="store_true", help="fewer draws")
    reading.add_argument("--only", nargs="*", choices=list(MODELS), default=list(MODELS), help="models to measure")
    reading.add_argument("--json", type=Path, help="file to write")
    asked = reading.parse_args()
    held = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json and asked.json.is_file() else {}
    for model in asked.only:
        rows = measured(model, 500 if asked.quick else 1500)
        show(model, rows)
        held[model] = {
            "command": f"python benchmarks/bayes.py{' --quick' * asked.quick} --only {model!r}", "seed": SEED,
            "processors": os.cpu_count(), **{name: version(name) for name in ("pymc", "nutpie", "numpy")}, "ways": rows,
        }  # fmt: skip
        if asked.json:
            asked.json.parent.mkdir(parents=True, exist_ok=True)
            asked.json.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
