"""Multilevel regression and poststratification: a survey and a count of everybody give rates for every area.

``fit(sample, "ill ~ sex + rw(age) + (1 | region) + (1 | district)").poststratify(frame)``
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from hna.measure.draws import check_level, stream
from hna.model.fit_sampler import Diagnostics
from hna.model.fit_store import keep, recall
from hna.model.laplace import Draws
from hna.model.survey_cells import Cells, complete, labels, people_in
from hna.model.survey_formula import Coding
from hna.model.survey_prepare import Method, Prepared, Spec, mapped, prepare, sample_problem
from hna.model.survey_result import Poststratified

__all__ = ["Fit", "Poststratified", "Spec", "fit", "mapped", "sample_problem"]

Array = NDArray[np.float64]
_BLOCK = 2**21


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
    seed, name : of the streams from which levels that were not sampled are drawn.
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
    name: str = ""

    @classmethod
    def of(
        cls, ready: Prepared, held: Draws, engine: str, diagnostics: Diagnostics | None, seed: int, name: str = ""
    ) -> Fit:
        """The fit of a prepared survey with draws of its posterior."""
        key = f"{name}:" if name else ""
        return cls(
            ready.spec, ready.coding, ready.area, ready.cells, held, ready.columns, engine, diagnostics, seed, key
        )

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
            score = stream(self.seed, f"unsampled:{self.name}{name}:{level}").standard_normal(len(sigma))
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

        ``rate(area) = Σ_cell people · π(cell) / Σ_cell people``, in every draw. Of the share among the very people who
        live there, those who were asked are known: only the rest are drawn.

        Parameters
        ----------
        frame : one row a cell of the population, with the formula's columns and how many people it holds; every area
            wanted, sampled or not. A row a person, with no column of people, also serves.
        people : column of people; None: every row is one person.
        by : columns to give rates by; None for the area.
        realised : whether the draws are of the share among the very people who live there (those asked, and a binomial
            number of the others), or of the rate that such people have; the former is what a count would find, and
            matters where few live. Answers are told apart by the formula's columns: all are drawn where `by` names others, or
            with weights.

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
        weight = np.asarray(np.bincount(at, count), dtype=float)
        whole, weight = frame[columns].iloc[first[weight > 0]], weight[weight > 0]
        for name in self.coding.levels:
            if name in self.coding.formula.walks:
                self.coding.walk(whole[[name]].drop_duplicates(), name)
            else:
                self.coding.positions(whole, name, known=name not in self.coding.formula.groups)
        groups, at = np.unique(labels(whole, ":".join(names)).astype(str), return_inverse=True)
        size = np.asarray(np.bincount(at, weight), dtype=float)
        found = np.zeros(len(groups))
        # Where the ill were likelier to be asked, which is what weights are for, the others are not like everybody.
        if realised and not self.spec.weights and len(columns) == len(self.coding.formula.columns):
            cases, asked = self.cells.among(whole[list(self.coding.formula.columns)], weight)
            found = np.asarray(np.bincount(at, cases), dtype=float)
            weight = weight - asked
        draws = len(self.posterior.columns)
        total, chance = np.zeros((2, len(groups), draws))
        rows = max(_BLOCK // draws, 1)
        for start in range(0, len(whole), rows):
            part = slice(start, start + rows)
            rate = self.rates(whole.iloc[part])
            np.add.at(total, at[part], rate * weight[part, None])
            np.add.at(chance, at[part], rate * (1 - rate) * weight[part, None])
        left = np.asarray(np.bincount(at, weight), dtype=float)
        share = total / np.maximum(left, 1e-12)[:, None]
        if realised:
            others = self._realised(groups, share, left, chance / np.maximum(left, 1e-12)[:, None])
            share = (found[:, None] + left[:, None] * others) / size[:, None]
        sampled = set(names) <= set(self.cells.table)
        own = self.own_data() if names == self.area.split(":") else {}
        return Poststratified(
            tuple(groups.tolist()), share, size, self.direct(names) if sampled else {}, own, ":".join(names)
        )

    def _realised(self, groups: NDArray[np.str_], share: Array, size: Array, chance: Array) -> Array:
        """Shares among people who are there: whole people, with the mean and variance of people of differing chances.

        Their number is binomial in ``n′`` with chance ``p′``, ``n′p′ = N·mean(π)`` and ``n′p′(1 − p′) = Σπ(1 − π)``: a place
        where nobody may have it keeps that chance.
        """
        there = np.maximum(np.rint(size), 1)
        found = np.empty_like(share)
        for n, name in enumerate(groups.tolist()):
            mean = there[n] * np.clip(share[n], 1e-12, 1 - 1e-12)
            each = np.clip(1 - chance[n] * there[n] / mean, 1e-12, 1.0)
            among = np.clip(np.rint(mean / each), np.ceil(mean), there[n]).astype(int)
            found[n] = stream(self.seed, f"realised:survey:{name}").binomial(among, mean / among) / there[n]
        return found

    def direct(self, names: Sequence[str]) -> dict[str, tuple[float, float]]:
        """The survey's own share and its effective size, by label of some columns crossed."""
        keys, at = np.unique(labels(self.cells.table, ":".join(names)).astype(str), return_inverse=True)
        cases, size = np.bincount(at, self.cells.cases), np.bincount(at, self.cells.size)
        return dict(zip(keys.tolist(), zip((cases / size).tolist(), size.tolist(), strict=True), strict=True))

    def own_data(self) -> dict[str, float]:
        """Share of each sampled area's effect that its own answers settle: ``1 − var(effect)/E σ²``, one less shrinkage.

        References
        ----------
        Gelman A, Pardoe I. Technometrics 2006;48:241-251 (the pooling factor, here of one area).
        doi 10.1198/004017005000000517.
        """
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
        `Rules.khat_below`, and nutpie where it is not.
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
    ready = prepare(sample, spec)
    key = ready.fingerprint(method, draws, tune, seed)
    found = _recalled(store, key)
    if found is None:
        found = ready.run(method, draws, tune, seed)
        _kept(store, key, *found)
    return Fit.of(ready, *found, seed)


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
