"""Several studies of one thing become one rate: who may be pooled, how, and what a new setting should expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from hna.errors import Fault, ModelError
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import AgeBand
from hna.model.fit_sampler import Diagnostics, quietly, sample_model
from hna.model.meta import Meta, checked, random_effects
from hna.model.pool_grid import Posterior, solve
from hna.model.pool_standards import PoolStandards

Array = NDArray[np.float64]

NOT_STUDIES = ("consensus", "model", "review")
_FIELD = "prevalence.sources"


@dataclass(frozen=True)
class LeftOut:
    """The pooled rate without one study, and how far that study is from it.

    Parameters
    ----------
    study : what was left out.
    mean, lower, upper : of the others, on the logit scale, 95 %.
    conflict : ``|y − m|/√(v + s²)``, with m and s² of a new setting as the others predict it.
    """

    study: str
    mean: float
    lower: float
    upper: float
    conflict: float


@dataclass(frozen=True, eq=False)
class Pooled:
    """Studies of one cell, combined.

    Parameters
    ----------
    names : of the studies.
    estimates, variances : shape (study,), logit scale; the covariance, shape (study, study), where studies share an error.
    rung : single, mixture or random effects: what the number of studies can bear.
    meta : closed form; None for fewer than three studies.
    posterior : exact posterior; None for fewer than three studies.
    left_out : the table of leaving one out; empty for one study.
    flags : W331 where a study is in tension with the others.
    vacuous : whether the classical prediction interval says nothing.
    wider : the posterior under the wider prior of the between-study standard deviation, to see how much hangs on it.
    """

    names: tuple[str, ...]
    estimates: Array
    variances: Array
    rung: str
    meta: Meta | None
    posterior: Posterior | None
    left_out: tuple[LeftOut, ...]
    flags: tuple[str, ...]
    vacuous: bool
    wider: Posterior | None = None

    @property
    def rate(self) -> float:
        """The pooled rate, as a proportion: of the mean on the logit scale."""
        if self.meta is None:
            raise ModelError(Fault(_no_mean(self.names), "Use combine: mixture or envelope", field=_FIELD, code="R302"))
        return float(expit(self.meta.mean))

    @property
    def words(self) -> str:
        """One sentence for the report."""
        if self.meta is None or self.posterior is None:
            return f"{len(self.names)} studies: no pooled interval; {self.rung}"
        low, high = expit(self.posterior.quantile([0.025, 0.975], new=True))
        prior = f"half-normal prior of scale {self.posterior.scale:g}"
        if self.wider is not None:
            p, q = expit(self.wider.quantile([0.025, 0.975], new=True))
            prior += f"; of scale {self.wider.scale:g} it would be {percent(p, 2)} to {percent(q, 2)}"
        mean_low, mean_high = expit(np.array(self.meta.interval()))
        tau = np.sqrt(self.meta.tau2)
        said = (
            f"{len(self.names)} studies pooled on the logit scale (REML, modified Knapp–Hartung): mean "
            f"{percent(self.rate)} ({percent(mean_low, 2)} to {percent(mean_high, 2)}), "
            f"between-study SD {tau:.2f}, I² {self.meta.i_squared:.0%}; "
            f"a new setting {percent(low, 2)} to {percent(high, 2)} ({prior}), which is what "
            "is carried to a place, moved to have the pooled rate as its mean"
        )
        if self.vacuous:
            p, q = expit(np.array(self.meta.prediction()))
            said += f"; the classical prediction interval, {percent(p, 2)} to {percent(q, 2)}, says nothing with so few studies"
        return said

    @property
    def extremes(self) -> str:
        """The lowest and highest rate with one study left out and the study furthest from the others, in words.

        Where one is in tension with the others (W331), every row of the table of leaving one out.
        """
        low = min(self.left_out, key=lambda row: row.mean)
        high = max(self.left_out, key=lambda row: row.mean)
        far = max(self.left_out, key=lambda row: row.conflict)
        said = (
            f"leaving one study out moves the pooled rate from {percent(expit(low.mean))} (without {low.study}) to "
            f"{percent(expit(high.mean))} (without {high.study}); furthest from what the others predict is {far.study}, by "
            f"{far.conflict:.1f} standard deviations"
        )
        if not self.flags:
            return said
        rows = [
            f"without {row.study} {percent(expit(row.mean))} ({percent(expit(row.lower), 2)} to "
            f"{percent(expit(row.upper), 2)}), which is "
            f"{row.conflict:.1f} from the others"
            for row in self.left_out
        ]
        return f"{said}. In tension: {'; '.join(rows)}"


def percent(rate: float, figures: int = 3) -> str:
    """A proportion as a percentage with so many significant figures: ``0.45%``, ``10.7%``."""
    size = 100 * float(rate)
    places = figures - 1 - int(np.floor(np.log10(size))) if size > 0 else 0
    return f"{size:.{max(places, 0)}f}%"


def gate(
    sources: Sequence[PrevalenceSource], spans: Sequence[AgeBand], same: str | None = None, chained: bool = False
) -> tuple[Fault, ...]:
    """Why sources may not be pooled: every difference, or nothing.

    Poolable means the same condition, measure and period, a case definition of one class, ages that overlap, and a
    study that was appraised and counted people itself. A review, model or consensus is no study.

    Parameters
    ----------
    sources : records.
    spans : ages used of each.
    same : why different case definitions are of one class; None if nobody said so.
    chained : whether it is enough that ages overlap from one study to the next, as where a curve by age joins them.

    Returns
    -------
    faults with codes R301 (what differs), R303 (not a study, or one study twice) and R304 (not appraised); and R171
    where a lifetime prevalence stands beside another.
    """
    faults = list(alike(sources, same))
    if not (_chain(spans) if chained else max(span.low for span in spans) < min(span.end for span in spans)):
        ages = {source.id: span.label for source, span in zip(sources, spans, strict=True)}
        faults.append(_differs("ages that do not overlap", ages, "Use combine: single for ages that follow", "R301"))
    for source in sources:
        if source.study.design in NOT_STUDIES:
            what = f"{source.id} is a {source.study.design}, no study of its own"
            faults.append(Fault(what, "Pool the studies it rests on, or use it alone", field=_FIELD, code="R303"))
        if source.appraisal.overall is None:
            remedy = "Appraise it first: its risk of bias sets how much it can weigh"
            faults.append(Fault(f"{source.id} was not appraised", remedy, field=_FIELD, code="R304"))
    return tuple(faults)


def alike(sources: Sequence[PrevalenceSource], same: str | None = None) -> Iterator[Fault]:
    """What sources of one rate measure differently: condition, measure (and R171 where one is of a lifetime), case definition.

    Parameters
    ----------
    same : why different case definitions are of one class; None if nobody said so.
    """
    for field, words in (("condition", "conditions"), ("measure", "measures")):
        held = {source.id: str(getattr(source, field)) for source in sources}
        if len(set(held.values())) > 1:
            remedy = "Different things are not averaged: put each in a model of its own, or run each alone (envelope)"
            yield _differs(words, held, remedy, "R301")
            if field == "measure" and "lifetime" in held.values():
                remedy = "No transform turns a lifetime prevalence into people who have the need now"
                yield _differs(words, held, remedy, "R171")
    definitions = {source.id: " ".join(source.case_definition.split()) for source in sources}
    if len(set(definitions.values())) > 1 and not same:
        remedy = (
            "Say under prevalence.pool.same_definition why they are one class, bridge them by a crosswalk from matched "
            "pairs, or run each alone (envelope)"
        )
        yield _differs("case definitions", definitions, remedy, "R301")


def _chain(spans: Sequence[AgeBand]) -> bool:
    """Whether spans overlap from one to the next: else a difference of age is a difference of studies."""
    first, *rest = sorted(spans, key=lambda span: span.low)
    reach = first.end
    for span in rest:
        if span.low >= reach:
            return False
        reach = max(reach, span.end)
    return True


def _differs(words: str, held: Mapping[str, str], remedy: str, code: str) -> Fault:
    rows = [f"{name}: {value}" for name, value in held.items()]
    return Fault(f"the sources have different {words}", remedy, field=_FIELD, rows=rows, code=code)


def conflict(first: tuple[float, float], second: tuple[float, float]) -> float:
    """How far two normal statements are apart: ``c = |m₁ − m₂|/√(s₁² + s₂²)``.

    Parameters
    ----------
    first, second : mean and standard deviation, logit scale.

    References
    ----------
    Presanis AM, Ohlssen D, Spiegelhalter DJ, De Angelis D. Stat Sci 2013;28:376-397. doi 10.1214/13-STS426.
    """
    apart = float(np.hypot(first[1], second[1]))
    return abs(first[0] - second[0]) / apart if apart > 0 else float(np.inf if first[0] != second[0] else 0.0)


def leave_one_out(names: Sequence[str], estimates: ArrayLike, variances: ArrayLike) -> tuple[LeftOut, ...]:
    """The pooled mean without each study in turn, and each study's conflict with the rest.

    What the rest say of a new setting is normal with mean μ and variance ``τ² + error²`` (τ² by REML): a study among
    widely differing ones is in conflict only beyond that spread.

    Parameters
    ----------
    names : of the studies.
    estimates, variances : shape (study,), logit scale, two or more; or their covariance, shape (study, study), where they
        share an error: what a study has in common with the rest sets it no further from them.

    References
    ----------
    As `conflict`.
    """
    y, v = checked(estimates, variances)
    rows = []
    for n, name in enumerate(names):
        rest = np.flatnonzero(np.arange(len(y)) != n)
        others = v[rest] if v.ndim == 1 else v[np.ix_(rest, rest)]
        found = random_effects(y[rest], others, "reml", "modified" if len(rest) > 2 else "none")
        new = found.tau2 + found.error**2
        lower, upper = found.interval()
        if v.ndim == 1:
            far = conflict((float(y[n]), float(v[n]) ** 0.5), (found.mean, float(np.sqrt(new))))
        else:
            apart = float(v[n, n] + new - 2 * _weights(others, found.tau2) @ v[rest, n])
            far = conflict((float(y[n]), 0.0), (found.mean, float(np.sqrt(apart))))
        rows.append(LeftOut(name, found.mean, lower, upper, far))
    return tuple(rows)


def _weights(covariance: Array, tau2: float) -> Array:
    """Of studies in their pooled mean, shape (study,)."""
    found = np.linalg.solve(covariance + tau2 * np.eye(len(covariance)), np.ones(len(covariance)))
    return np.asarray(found / found.sum(), dtype=float)


def refuse_conflict(table: Sequence[LeftOut], standards: PoolStandards) -> tuple[str, ...]:
    """W331 where a study is in tension with the others; R332 if one conflicts with them too much to be pooled.

    Parameters
    ----------
    table : of leaving one out.
    standards : thresholds.
    """
    far = [row for row in table if row.conflict > standards.conflict_refuse]
    if far:
        rows = [f"{row.study}: {row.conflict:.1f} standard deviations from the others" for row in far]
        remedy = "Use combine: mixture or envelope, and say what differs; precision cannot settle a conflict"
        raise ModelError(Fault("the studies conflict", remedy, field=_FIELD, rows=rows, code="R332"))
    return ("W331",) if any(row.conflict > standards.conflict_warn for row in table) else ()


def pool(names: Sequence[str], estimates: ArrayLike, variances: ArrayLike, standards: PoolStandards) -> Pooled:
    """Studies of one cell, by the rung of the ladder that their number can bear.

    One study stands alone. Two have no pooled interval, since Knapp–Hartung would have one degree of freedom: they are
    mixed with equal weight, and shown each alone. Three or more are pooled by random effects (REML, modified
    Knapp–Hartung); what is carried to a place is the Bayesian prediction for a new setting, with τ half-normal, since
    the classical one with t(k − 2) is often vacuous.

    Parameters
    ----------
    names : of the studies.
    estimates, variances : shape (study,), logit scale; or the covariance, shape (study, study), where studies share an error.
    standards : priors and thresholds.

    Raises
    ------
    ModelError
        R332 if a study conflicts with the others too much to be weighted by precision.

    References
    ----------
    Friede T, Rover C, Wandel S, Neuenschwander B. Res Synth Methods 2017;8:79-91 (few studies). doi 10.1002/jrsm.1217.
    """
    y, v = checked(estimates, variances)
    labels = tuple(names)
    if len(labels) != len(y):
        raise ModelError(f"{len(labels)} names are given for {len(y)} studies")
    if len(y) == 1:
        return Pooled(labels, y, v, "single", None, None, (), (), vacuous=False)
    table = leave_one_out(labels, y, v)
    flags = refuse_conflict(table, standards)
    if len(y) == 2:
        return Pooled(labels, y, v, "mixture and envelope", None, None, table, flags, vacuous=False)
    meta = random_effects(y, v, "reml", "modified")
    low, high = meta.prediction()
    vacuous = bool(high - low > np.log(standards.vacuous_odds_ratio))
    return Pooled(
        labels,
        y,
        v,
        "random effects",
        meta,
        solve(y, v, standards.between_study_scale),
        table,
        flags,
        vacuous,
        solve(y, v, standards.sensitivity_scale),
    )


def _no_mean(names: Sequence[str]) -> str:
    return f"{len(names)} studies have no pooled mean" if len(names) > 1 else "one study has no pooled mean"


def sample(
    estimates: ArrayLike,
    variances: ArrayLike,
    scale: float,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 0,
    sampler: str = "nutpie",
    target_accept: float = 0.9,
) -> tuple[Mapping[str, Array], Diagnostics]:
    """The same normal–normal model by Markov chain Monte Carlo, for comparison with the exact grid.

    Studies' own values are integrated out: ``y ~ N(μ, √(v + τ²))``, μ flat, ``τ ~ HalfNormal(scale)``; ``new`` is
    ``μ + τ·z`` with ``z ~ N(0, 1)``.

    Parameters
    ----------
    estimates, variances : shape (study,).
    scale : of the prior of τ.
    draws, tune, chains, seed, target_accept : of the sampler.
    sampler : nutpie, or pymc.

    Returns
    -------
    arrays of shape (draw,) named ``mu, tau, new``, chains one after another; and the sampler's diagnostics.

    References
    ----------
    As `hna.model.pool_grid.solve`.
    """
    with quietly():
        import arviz as az
        import pymc as pm

    y, v = checked(estimates, variances)
    with pm.Model() as model:
        mu = pm.Flat("mu", initval=float(np.average(y, weights=1 / v)))
        tau = pm.HalfNormal("tau", sigma=scale)
        pm.Normal("y", mu=mu, sigma=pm.math.sqrt(v + tau**2), observed=y)
        score = pm.Normal("score", 0.0, 1.0)
        pm.Deterministic("new", mu + tau * score)
    names = ("mu", "tau", "new")
    return sample_model(
        pm,
        az,
        model,
        names,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        sampler=sampler,
        target_accept=target_accept,
    )
