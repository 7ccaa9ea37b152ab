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

from hna.errors import Fault, ModelError, SourceError
from hna.measure.draws import check_level, stream
from hna.model.fit_sampler import Diagnostics, quietly, sample_model, until_passed
from hna.model.fit_store import fingerprint, keep, recall
from hna.model.laplace import Draws, Problem, solve
from hna.model.survey_formula import Coding, Formula, cells, labels
from hna.model.survey_result import Poststratified

__all__ = ["Fit", "Poststratified", "Spec", "fit", "sample_problem"]

Array = NDArray[np.float64]
Method = Literal["auto", "laplace", "nutpie", "pymc"]


@dataclass(frozen=True)
class Spec:
    """What is fitted.

    Parameters
    ----------
    formula : ``outcome ~ covariate + (1 | group) + rw(age) + (1 | area)``; the outcome is a 0/1 column or ``cases / size``.
        Numbers are standardised, text becomes categories; ``(1 | a:b)`` crosses two columns.
    area : the grouping that is mapped; blank: the last ``(1 | …)`` of the formula.
    weights : column of design weights, or blank.
    coefficient, intercept : prior standard deviations, logit scale, of standardised coefficients and the intercept.
    group : scale of the half-normal priors of groups' standard deviations.
    """

    formula: str
    area: str = ""
    weights: str = ""
    coefficient: float = 2.5
    intercept: float = 5.0
    group: float = 1.0


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted survey model.

    Parameters
    ----------
    spec, coding : what was fitted, and how columns were read.
    area : name of the area column.
    cells : one row a cell, with ``cases`` and ``size`` (effective, under weights).
    posterior : draws of columns, areas' effects and standard deviations.
    columns : what the posterior's columns belong to: name and position of the first of each block.
    effect : design effect of the weights.
    engine : laplace, nutpie or pymc.
    diagnostics : of the sampler; None under Laplace, whose k̂ is in `posterior`.
    """

    spec: Spec
    coding: Coding
    area: str
    cells: pd.DataFrame
    posterior: Draws
    columns: dict[str, slice]
    effect: float
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
        drawn = np.column_stack([self.posterior.columns[:, self.columns["fixed"]], self.posterior.sigma])
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return pd.DataFrame({"term": names, "mean": drawn.mean(axis=0), "lower": low, "upper": high})

    def rates(self, frame: pd.DataFrame) -> Array:
        """Draws of the rate in each row of a frame, shape (row, draw); areas and groups not sampled are drawn anew."""
        missing = [name for name in self.coding.formula.columns if name not in frame]
        if missing:
            raise SourceError(
                Fault("columns are not in the frame", "Give the frame what the formula names", rows=missing)
            )
        if frame[list(self.coding.formula.columns)].isna().to_numpy().any():
            raise SourceError(Fault("the frame has empty cells", "An empty cell is never a zero"))
        held = self.posterior
        eta = held.columns[:, self.columns["fixed"]] @ self.coding.fixed(frame).T
        for number, (name, where) in enumerate(list(self.columns.items())[1:], start=1):
            if name in self.coding.formula.walks:
                eta = eta + held.columns[:, where] @ self.coding.walk(frame, name).T
            else:
                eta = eta + self._effects(frame, name, held.columns[:, where], held.sigma[:, number])
        eta = eta + self._effects(frame, self.area, held.areas, held.sigma[:, 0])
        rate: Array = expit(eta.T)
        return rate

    def _effects(self, frame: pd.DataFrame, name: str, known: Array, sigma: Array) -> Array:
        at = self.coding.positions(frame, name, known=False)
        text = np.array(labels(frame, name), dtype=object)
        found = known[:, np.maximum(at, 0)]
        for level in sorted(set(text[at < 0])):
            # A level that was not sampled: what the others say of one more.
            score = stream(self.seed, f"unsampled:{name}:{level}").standard_normal(len(sigma))
            found[:, text == level] = (sigma * score)[:, None]
        return found

    def poststratify(
        self,
        frame: pd.DataFrame,
        people: str = "people",
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
        people : column of people.
        by : columns to give rates by; None for the area.
        realised : whether the draws are of the share among the very people who live there (binomial around the rate),
            or of the rate that such people have; the former is what a count would find, and matters where few live.
        """
        names = [by] if isinstance(by, str) else list(by or [self.area])
        table = frame.copy()
        if people not in table:
            table[people] = 1.0
        columns = list(dict.fromkeys([*self.coding.formula.columns, *names]))
        absent = [name for name in columns if name not in table]
        if absent:
            raise SourceError(
                Fault("columns are not in the frame", "Give the frame what the formula names", rows=absent)
            )
        if table[people].isna().any() or (table[people] < 0).any():
            raise SourceError(Fault("people are missing or negative in the frame", field=people))
        whole = table.groupby(columns, observed=True, sort=True)[people].sum().reset_index()
        whole = whole[whole[people] > 0]
        rate = self.rates(whole)
        weight = whole[people].to_numpy(dtype=float)
        keys = whole[names].astype(str).agg(":".join, axis=1)
        groups, at = np.unique(keys.to_numpy(dtype=object).astype(str), return_inverse=True)
        total = np.zeros((len(groups), rate.shape[1]))
        np.add.at(total, at, rate * weight[:, None])
        size = np.asarray(np.bincount(at, weight), dtype=float)
        share = total / size[:, None]
        if realised:
            chance = np.zeros_like(total)
            np.add.at(chance, at, rate * (1 - rate) * weight[:, None])
            share = self._realised(groups, share, size, chance / size[:, None])
        direct = self._direct(names) if set(names) <= set(self.cells) else {}
        own = self._own_data() if names == [self.area] else {}
        return Poststratified(tuple(groups.tolist()), share, size, direct, own, ":".join(names))

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
        keys = self.cells[list(names)].astype(str).agg(":".join, axis=1)
        summed = self.cells[["cases", "size"]].groupby(keys.to_numpy()).sum()
        return {str(key): (row["cases"] / row["size"], row["size"]) for key, row in summed.iterrows()}

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
    effects normal with half-normal standard deviations, walks a random walk over ordered levels.

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
    doi 10.1093/pan/mph024.
    """
    chosen = Spec(spec) if isinstance(spec, str) else spec
    formula = Formula.read(chosen.formula)
    area = chosen.area or (formula.groups[-1] if formula.groups else "")
    if not area:
        raise ModelError(
            Fault("the formula has no (1 | area)", "Name the areas that are to be estimated", field="formula")
        )
    summed, effect = cells(sample, formula, chosen.weights)
    coding = Coding.learn(formula, summed, area)
    at = coding.positions(summed, area, known=True)
    order = np.argsort(at, kind="stable")
    summed, at = summed.iloc[order].reset_index(drop=True), at[order]
    problem, columns = _problem(summed, at, coding, area, chosen)
    key = fingerprint(summed, asdict(chosen), method, draws, tune, seed)
    found = _recalled(store, key)
    if found is None:
        found = _run(problem, formula, method, draws, tune, seed)
        _kept(store, key, *found)
    held, engine, diagnostics = found
    return Fit(chosen, coding, area, summed, held, columns, effect, engine, diagnostics, seed)


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


def _problem(
    summed: pd.DataFrame, at: NDArray[np.intp], coding: Coding, area: str, spec: Spec
) -> tuple[Problem, dict[str, slice]]:
    blocks, group = [coding.fixed(summed)], [np.zeros(len(coding.names), dtype=np.intp)]
    columns = {"fixed": slice(0, len(coding.names))}
    for name in (*coding.formula.walks, *(one for one in coding.formula.groups if one != area)):
        if name in coding.formula.walks:
            block = coding.walk(summed, name)
        else:
            block = np.eye(len(coding.levels[name]))[coding.positions(summed, name, known=True)]
        start = sum(one.shape[1] for one in blocks)
        columns[name] = slice(start, start + block.shape[1])
        group.append(np.full(block.shape[1], len(blocks), dtype=np.intp))
        blocks.append(block)
    design = np.column_stack(blocks)
    prior = np.full(design.shape[1], spec.coefficient)
    prior[0] = spec.intercept
    return Problem(
        summed["cases"].to_numpy(), summed["size"].to_numpy(), design, np.concatenate(group), prior, at,
        len(coding.levels[area]), np.full(len(blocks), spec.group),
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
        pm.Potential("cases", (problem.cases * eta - sizes * pm.math.log1pexp(eta)).sum())
    return sample_model(
        pm, az, model, ("b", "u", "sigma"), draws=draws, tune=tune, chains=chains, seed=seed, sampler=sampler,
        target_accept=target_accept,
    )  # fmt: skip
