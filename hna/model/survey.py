"""Multilevel regression and poststratification: a survey and a count of everybody give rates for every area.

``fit(sample, "ill ~ sex + rw(age) + (1 | region) + (1 | district)").poststratify(frame)``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from hna.errors import Fault, ModelError
from hna.measure.draws import check_level, stream
from hna.model.fit_sampler import Diagnostics, quietly, sample_model, until_passed
from hna.model.fit_store import fingerprint, keep, recall
from hna.model.laplace import Draws, Problem, solve
from hna.model.survey_cells import Cells, cells, complete, labels, people_in
from hna.model.survey_formula import Coding, Formula
from hna.model.survey_result import Poststratified

__all__ = ["Fit", "Poststratified", "Spec", "fit", "mapped", "sample_problem"]

Array = NDArray[np.float64]
Method = Literal["auto", "laplace", "nutpie", "pymc"]

_MODEL = 2
"""Number of the model's form, part of the fingerprint of a stored fit."""
_BLOCK = 2**21


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
    coefficient, intercept : prior standard deviations, logit scale, of standardised coefficients and the intercept.
    group : scale of the half-normal priors of groups' standard deviations.
    between : scale (and mode) of the Rayleigh prior of the areas' standard deviation: areas differ, so none is pooled
        away entirely where a small survey cannot tell.
    """

    formula: str
    area: str = ""
    weights: str = ""
    coefficient: float = 2.5
    intercept: float = 5.0
    group: float = 1.0
    between: float = 0.5


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted survey model.

    Parameters
    ----------
    spec, coding : what was fitted, and how columns were read.
    area : name of the area column.
    cells : what was fitted, shape (cell,); effective numbers under weights.
    posterior : draws of columns, areas' effects and standard deviations.
    columns : what the posterior's columns belong to: name and position of the first of each block.
    engine : laplace, nutpie or pymc.
    diagnostics : of the sampler; None under Laplace, whose k̂ is in `posterior`.
    """

    spec: Spec
    coding: Coding
    area: str
    cells: Cells
    posterior: Draws
    columns: dict[str, slice]
    engine: str
    diagnostics: Diagnostics | None
    seed: int

    @property
    def words(self) -> str:
        """One line on how far the fit may be trusted."""
        if self.diagnostics is not None:
            return self.diagnostics.words
        held = self.posterior
        return f"nested Laplace with importance resampling: Pareto k̂ {held.khat:.2f}, effective draws {held.effective:,.0f}"

    def coefficients(self, level: float = 0.95) -> pd.DataFrame:
        """Mean and limits of every coefficient (of standardised covariates) and standard deviation, logit scale."""
        check_level(level)
        names = [*self.coding.names, *(f"sd {name}" for name in (self.area, *list(self.columns)[1:]))]
        drawn = np.column_stack([self.posterior.columns[:, self.columns[""]], self.posterior.sigma])
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return pd.DataFrame({"term": names, "mean": drawn.mean(axis=0), "lower": low, "upper": high})

    def rates(self, frame: pd.DataFrame) -> Array:
        """Draws of the rate in each row of a frame, shape (row, draw); areas and groups not sampled are drawn anew."""
        complete(frame, self.coding.formula.columns, "frame")
        held = self.posterior
        eta = held.columns[:, self.columns[""]] @ self.coding.fixed(frame).T
        for number, (name, where) in enumerate(list(self.columns.items())[1:], start=1):
            if name in self.coding.formula.walks:
                basis, left = self.coding.walk(frame, name)
                eta = (
                    eta
                    + held.columns[:, where] @ basis.T
                    + left * self._anew(frame, name, held.sigma[:, number], left > 0)
                )
            else:
                eta = eta + self._effects(frame, name, held.columns[:, where], held.sigma[:, number])
        eta = eta + self._effects(frame, self.area, held.areas, held.sigma[:, 0])
        rate: Array = expit(eta.T)
        return rate

    def _effects(self, frame: pd.DataFrame, name: str, known: Array, sigma: Array) -> Array:
        at = self.coding.positions(frame, name, known=False)
        # A level that was not sampled: what the others say of one more.
        return np.where(at < 0, self._anew(frame, name, sigma, at < 0), known[:, np.maximum(at, 0)])

    def _anew(self, frame: pd.DataFrame, name: str, sigma: Array, rows: NDArray[np.bool_]) -> Array:
        """An effect of its own for each level that stands in some rows, shape (draw, row); nothing in the others."""
        text = labels(frame, name)
        found = np.zeros((len(sigma), len(text)))
        for level in sorted(set(text[rows])):
            score = stream(self.seed, f"unsampled:{name}:{level}").standard_normal(len(sigma))
            found[:, text == level] = (sigma * score)[:, None]
        return found

    def poststratify(
        self,
        frame: pd.DataFrame,
        people: str | None = "people",
        by: str | Sequence[str] | None = None,
        *,
        realised: bool = True,
    ) -> Poststratified:
        """Rates by area (or anything else in the frame): fitted rates weighted by the people who live there.

        ``rate(area) = Σ_cell people · π(cell) / Σ_cell people``, in every draw.

        Parameters
        ----------
        frame : one row a cell of the population, with the formula's columns and how many people it holds; every area
            wanted, sampled or not. A row a person, with no column of people, also serves.
        people : column of people; None: every row is one person.
        by : columns to give rates by; None for the area.
        realised : whether the draws are of the share among the very people who live there (binomial around the rate),
            or of the rate that such people have; the former is what a count would find, and matters where few live.

        Returns
        -------
        rates with draws of shape (label, draw), labels in the order of text; `Poststratified.table` has a row a label.

        Raises
        ------
        SourceError
            If a column is absent or has gaps, an area or level is written differently from the sample's, a category has
            levels that the sample has not, a walk has some beyond the sample's, or people are negative.
        """
        names = [by] if isinstance(by, str) else list(by or self.area.split(":"))
        columns = list(dict.fromkeys([*self.coding.formula.columns, *names]))
        complete(frame, columns, "frame")
        count = people_in(frame, people, columns)
        at = pd.factorize(pd.MultiIndex.from_arrays([labels(frame, name) for name in columns]), sort=True)[0]
        _, first = np.unique(at, return_index=True)
        weight = np.bincount(at, count)
        whole, weight = frame[columns].iloc[first[weight > 0]], weight[weight > 0]
        for name in self.coding.levels:
            if name in self.coding.formula.walks:
                self.coding.walk(whole[[name]].drop_duplicates(), name)
            else:
                self.coding.positions(whole, name, known=name not in self.coding.formula.groups)
        groups, at = np.unique(labels(whole, ":".join(names)).astype(str), return_inverse=True)
        draws = len(self.posterior.columns)
        total, chance = np.zeros((2, len(groups), draws))
        rows = max(_BLOCK // draws, 1)
        for start in range(0, len(whole), rows):
            part = slice(start, start + rows)
            rate = self.rates(whole.iloc[part])
            np.add.at(total, at[part], rate * weight[part, None])
            np.add.at(chance, at[part], rate * (1 - rate) * weight[part, None])
        size = np.asarray(np.bincount(at, weight), dtype=float)
        share = total / size[:, None]
        if realised:
            share = self._realised(groups, share, size, chance / size[:, None])
        sampled = set(names) <= set(self.cells.table)
        own = self._own_data() if names == self.area.split(":") else {}
        return Poststratified(
            tuple(groups.tolist()), share, size, self._direct(names) if sampled else {}, own, ":".join(names)
        )

    def _realised(self, groups: NDArray[np.str_], share: Array, size: Array, chance: Array) -> Array:
        """Shares among people who are there: binomial, its deviation cut to that of people of differing chances."""
        there = np.maximum(np.rint(size), 1).astype(int)
        found = np.empty_like(share)
        for n, name in enumerate(groups.tolist()):
            rate = np.clip(share[n], 1e-12, 1 - 1e-12)
            counted = stream(self.seed, f"realised:survey:{name}").binomial(there[n], rate) / there[n]
            found[n] = rate + (counted - rate) * np.sqrt(np.minimum(chance[n] / (rate * (1 - rate)), 1.0))
        return np.clip(found, 0.0, 1.0)

    def _direct(self, names: Sequence[str]) -> dict[str, tuple[float, float]]:
        keys, at = np.unique(labels(self.cells.table, ":".join(names)).astype(str), return_inverse=True)
        cases, size = np.bincount(at, self.cells.cases), np.bincount(at, self.cells.size)
        return dict(zip(keys.tolist(), zip((cases / size).tolist(), size.tolist(), strict=True), strict=True))

    def _own_data(self) -> dict[str, float]:
        prior = float((self.posterior.sigma[:, 0] ** 2).mean())
        spread = self.posterior.areas.var(axis=0)
        share = np.clip(1 - spread / prior, 0.0, 1.0)
        return dict(zip(self.coding.levels[self.area], share.tolist(), strict=True))


def fit(
    sample: pd.DataFrame,
    spec: str | Spec,
    *,
    method: Method = "auto",
    draws: int = 2000,
    tune: int = 1000,
    seed: int = 0,
    store: Path | None = None,
) -> Fit:
    """A multilevel logistic model of a survey.

    Rows are summed into cells first; ``cases ~ Binomial(size, π)``, ``logit π = Xβ + Σ group effects + area effect``,
    effects normal with half-normal standard deviations (areas': Rayleigh, whose density is nothing at nothing, so that
    areas of a small survey are not all pooled into one), walks a random walk over ordered levels.

    Parameters
    ----------
    sample : one row a person (outcome 0 or 1), or one row a cell (``cases / size``); text or number columns.
    spec : the formula, or a `Spec`.
    method : laplace (nested, importance resampled), nutpie or pymc (NUTS); auto takes laplace where its Pareto k̂ is below
        0.7, and nutpie where it is not.
    draws : posterior draws; NUTS runs four chains of half as many.
    tune, seed : of the sampler.
    store : folder in which fits are kept; the same cells, spec, method, draws and seed are then fitted once.

    Raises
    ------
    ModelError
        If the formula cannot be read, Laplace is insisted on and k̂ is too high (R392), or the sampler's diagnostics
        fail (R391).
    SourceError
        If the sample does not fit the formula.

    References
    ----------
    Gelman A, Little TC. Surv Methodol 1997;23:127-135. Park DK, Gelman A, Bafumi J. Polit Anal 2004;12:375-385.
    doi 10.1093/pan/mph024. Chung Y, Rabe-Hesketh S, Dorie V, Gelman A, Liu J. Psychometrika 2013;78:685-709 (priors
    that are nothing at nothing). doi 10.1007/s11336-013-9328-2.
    """
    chosen = Spec(spec) if isinstance(spec, str) else spec
    formula = Formula.read(chosen.formula)
    area = mapped(formula, sample, chosen.area)
    summed = cells(sample, formula.columns, (formula.cases, formula.size), area, chosen.weights)
    coding = Coding.learn(formula, summed.table)
    summed = summed.sorted_by(coding.positions(summed.table, area, known=True))
    problem, columns = _problem(summed, coding, area, chosen)
    key = fingerprint(summed.table, summed.cases, summed.size, asdict(chosen), _MODEL, method, draws, tune, seed)
    found = _recalled(store, key)
    if found is None:
        found = _run(problem, formula, method, draws, tune, seed)
        _kept(store, key, *found)
    held, engine, diagnostics = found
    return Fit(chosen, coding, area, summed, held, columns, engine, diagnostics, seed)


def mapped(formula: Formula, sample: pd.DataFrame, named: str) -> str:
    """The group that was named, or that of one column with most levels, the last of several."""
    single = [named] if named else [name for name in formula.groups if ":" not in name or name in sample]
    if not single or single[0] not in formula.groups:
        remedy = "Name the areas that are to be estimated, as (1 | area) or in Spec(area=…)"
        raise ModelError(Fault(f"the formula has no (1 | {named or 'area'})", remedy, field="formula"))
    if not named:
        complete(sample, single, "sample")
    return max(reversed(single), key=lambda name: 0 if named else len(set(labels(sample, name))))


def _recalled(store: Path | None, key: str) -> tuple[Draws, str, Diagnostics | None] | None:
    """A stored fit, if its inputs are the same; refused if its diagnostics fail."""
    held = recall(store, key) if store is not None else None
    if held is None:
        return None
    arrays, record = held
    diagnostics = None
    if record["diagnostics"]:
        diagnostics = Diagnostics(**record["diagnostics"])  # type: ignore[arg-type]
        diagnostics.require()
    numbers = [float(str(record[name])) for name in ("khat", "effective")]
    return Draws(arrays["columns"], arrays["areas"], arrays["sigma"], *numbers), str(record["engine"]), diagnostics


def _kept(store: Path | None, key: str, held: Draws, engine: str, diagnostics: Diagnostics | None) -> None:
    if store is not None:
        record = {
            "engine": engine,
            "khat": str(held.khat),
            "effective": held.effective,
            "diagnostics": asdict(diagnostics) if diagnostics else None,
        }
        keep(store, key, {"columns": held.columns, "areas": held.areas, "sigma": held.sigma}, record)


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
    prior = np.full(design.shape[1], spec.coefficient)
    prior[0] = spec.intercept
    scale, power = np.full(len(blocks), spec.group), np.zeros(len(blocks))
    scale[0], power[0] = spec.between, 1.0
    return Problem(
        summed.cases, summed.size, design, np.concatenate(group), prior, coding.positions(summed.table, area, known=True),
        len(coding.levels[area]), scale, power,
    ), columns  # fmt: skip


def _run(
    problem: Problem, formula: Formula, method: Method, draws: int, tune: int, seed: int
) -> tuple[Draws, str, Diagnostics | None]:
    if method in ("auto", "laplace"):
        held = solve(problem, draws, seed, f"survey:{formula.cases}")
        if held.trusted:
            return held, "laplace", None
        if method == "laplace":
            remedy = "Use method: auto, which falls back to NUTS"
            raise ModelError(
                Fault(f"Pareto k̂ is {held.khat:.2f}: importance sampling may not be trusted", remedy, code="R392")
            )
    engine = "pymc" if method == "pymc" else "nutpie"

    def run(number: int, accept: float) -> tuple[Mapping[str, Array], Diagnostics]:
        return sample_problem(problem, draws=number, tune=tune, seed=seed, sampler=engine, target_accept=accept)

    arrays, diagnostics = until_passed(run, max(draws // 2, 1))
    return Draws(arrays["b"], arrays["u"], arrays["sigma"], float("nan"), diagnostics.bulk), engine, diagnostics


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
