"""A survey read by its formula, as counts in cells and the posterior that they have: ready to be fitted in any way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault, ModelError
from hna.measure.draws import check_draws
from hna.model.fit_sampler import Diagnostics, quietly, sample_model, until_passed
from hna.model.fit_store import fingerprint
from hna.model.laplace import Draws, Problem, solve
from hna.model.priors import Priors, shipped_priors
from hna.model.survey_cells import Cells, cells, complete, labels
from hna.model.survey_formula import Coding, Formula

Array = NDArray[np.float64]
Method = Literal["auto", "laplace", "nutpie", "pymc"]

_MODEL = 3
"""Number of the model's form, part of the fingerprint of a stored fit."""


@dataclass(frozen=True)
class Spec:
    """What is fitted.

    Parameters
    ----------
    formula : ``outcome ~ covariate + (1 | group) + rw(age) + (1 | area)``; the outcome is a 0/1 column or ``cases / size``.
        Numbers are standardised, text becomes categories, and so do numbers inside ``C(…)``; ``(1 | a:b)`` crosses two
        columns; a name with blanks goes between back-ticks.
    area : the grouping that is mapped; blank: the ``(1 | …)`` of one column that has most levels in the sample.
    weights : column of design weights, or blank.
    priors : None for the shipped ones.
    """

    formula: str
    area: str = ""
    weights: str = ""
    priors: Priors | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A survey summed into cells and coded, ready to be fitted; as in `Fit`, and the posterior's `problem`."""

    spec: Spec
    coding: Coding
    area: str
    cells: Cells
    problem: Problem
    columns: dict[str, slice]

    def fingerprint(self, *more: object) -> str:
        """Of everything that a fit rests on, and of how it is made."""
        spec = self.spec
        priors = (spec.priors or shipped_priors()).of("survey")
        held = self.cells
        read = [
            self.coding.levels,
            self.coding.centre,
        ]  # a column of "7" and one of 7 are written alike, and coded apart
        asked = [spec.formula, spec.area, spec.weights]
        return fingerprint(held.table, held.cases, held.size, read, asked, priors, _MODEL, *more)

    def run(
        self, method: Method, draws: int, tune: int, seed: int, name: str = ""
    ) -> tuple[Draws, str, Diagnostics | None]:
        """Draws of the posterior, the engine, and a sampler's diagnostics.

        Parameters
        ----------
        method, draws, tune, seed : as in `fit`.
        name : of the stream of nested Laplace; blank for the outcome's.

        Raises
        ------
        ModelError
            R391, R392 as in `fit`.
        """
        check_draws(draws)
        if method not in get_args(Method):
            remedy = f"It is one of: {', '.join(get_args(Method))}"
            raise ModelError(Fault(f"{method!r} is no method of fitting", remedy, field="method"))
        if method in ("auto", "laplace"):
            held = solve(self.problem, draws, seed, f"survey:{name or self.coding.formula.cases}")
            if held.trusted:
                return held, "laplace", None
            if method == "laplace":
                remedy = "Use method: auto, which falls back to NUTS"
                raise ModelError(
                    Fault(f"Pareto k̂ is {held.khat:.2f}: importance sampling may not be trusted", remedy, code="R392")
                )
        engine = "pymc" if method == "pymc" else "nutpie"
        held, diagnostics = self.sampled(engine, draws, tune, seed)
        diagnostics.require()
        return held, engine, diagnostics

    def sampled(self, engine: str, draws: int, tune: int, seed: int) -> tuple[Draws, Diagnostics]:
        """Draws by NUTS, and diagnostics that may have failed."""

        def run(number: int, accept: float) -> tuple[Mapping[str, Array], Diagnostics]:
            return sample_problem(
                self.problem, draws=number, tune=tune, seed=seed, sampler=engine, target_accept=accept
            )

        arrays, diagnostics = until_passed(run, max(draws // 2, 1), require=False)
        return Draws(arrays["b"], arrays["u"], arrays["sigma"], float("nan"), diagnostics.bulk), diagnostics


def prepare(sample: pd.DataFrame, spec: str | Spec) -> Prepared:
    """A survey ready to be fitted.

    Raises
    ------
    ModelError, SourceError
        As `fit`, before anything is fitted.
    """
    chosen = Spec(spec) if isinstance(spec, str) else spec
    formula = Formula.read(chosen.formula)
    area = mapped(formula, sample, chosen.area)
    summed = cells(sample, formula.columns, (formula.cases, formula.size), area, chosen.weights)
    coding = Coding.learn(formula, summed.table)
    summed = summed.sorted_by(coding.positions(summed.table, area, known=True))
    problem, columns = _problem(summed, coding, area, chosen)
    return Prepared(chosen, coding, area, summed, problem, columns)


def mapped(formula: Formula, sample: pd.DataFrame, named: str) -> str:
    """The group that was named, or that of one column with most levels, the last of several."""
    single = [named] if named else [name for name in formula.groups if ":" not in name or name in sample]
    if not single or single[0] not in formula.groups:
        remedy = "Name the areas that are to be estimated, as (1 | area) or in Spec(area=…)"
        raise ModelError(Fault(f"the formula has no (1 | {named or 'area'})", remedy, field="formula"))
    if not named:
        complete(sample, single, "sample")
    return max(reversed(single), key=lambda name: 0 if named else len(set(labels(sample, name))))


def _problem(summed: Cells, coding: Coding, area: str, spec: Spec) -> tuple[Problem, dict[str, slice]]:
    blocks, group = [coding.fixed(summed.table)], [np.zeros(len(coding.names), dtype=np.intp)]
    columns = {"": slice(0, len(coding.names))}
    for name in (*coding.formula.walks, *(one for one in coding.formula.groups if one != area)):
        if name in coding.formula.walks:
            block = coding.walk(summed.table, name)[0]
        else:
            block = np.eye(len(coding.levels[name]))[coding.positions(summed.table, name, known=True)]
        start = sum(one.shape[1] for one in blocks)
        columns[name] = slice(start, start + block.shape[1])
        group.append(np.full(block.shape[1], len(blocks), dtype=np.intp))
        blocks.append(block)
    design = np.column_stack(blocks)
    priors = spec.priors or shipped_priors()
    prior = np.full(design.shape[1], priors.survey_coefficient)
    prior[0] = priors.survey_intercept
    scale, power = np.full(len(blocks), priors.survey_groups), np.zeros(len(blocks))
    # The areas' prior is a Rayleigh: areas differ, so none is pooled away entirely where a small survey cannot tell.
    scale[0], power[0] = priors.survey_areas, 1.0
    return Problem(
        summed.cases, summed.size, design, np.concatenate(group), prior, coding.positions(summed.table, area, known=True),
        len(coding.levels[area]), scale, power,
    ), columns  # fmt: skip


def sample_problem(
    problem: Problem, *, draws: int, tune: int, seed: int, sampler: str, chains: int = 4, target_accept: float = 0.9
) -> tuple[Mapping[str, Array], Diagnostics]:
    """The same model by NUTS, non-centred: arrays ``b`` (draw, column), ``u`` (draw, area), ``sigma`` (draw, σ)."""
    with quietly():
        import arviz as az
        import pymc as pm

    sizes = problem.size
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", sigma=problem.scale, shape=len(problem.scale))
        score = pm.Normal("score", 0.0, 1.0, shape=problem.design.shape[1])
        spread = pm.math.concatenate([np.ones(1), sigma[1:]])[problem.group]
        b = pm.Deterministic("b", score * pm.math.where(problem.group == 0, problem.prior, spread))
        z = pm.Normal("z", 0.0, 1.0, shape=problem.areas)
        u = pm.Deterministic("u", sigma[0] * z)
        eta = pm.math.dot(problem.design, b) + u[problem.area]
        # Effective numbers under weights are not whole, so the binomial is written out.
        pm.Potential("power", (problem.power * pm.math.log(sigma)).sum())
        pm.Potential("cases", (problem.cases * eta - sizes * pm.math.log1pexp(eta)).sum())
    return sample_model(
        pm, az, model, ("b", "u", "sigma"), draws=draws, tune=tune, chains=chains, seed=seed, sampler=sampler,
        target_accept=target_accept,
    )  # fmt: skip
