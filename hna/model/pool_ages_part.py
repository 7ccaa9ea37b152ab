"""Pooling by age in a model file: studies of any bands become one curve, carried to a place as a new setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.correction import WHOLE, Correcting
from hna.model.defaults import Defaults
from hna.model.distribution import sampling_of
from hna.model.fit_store import fingerprint, usable
from hna.model.pool_ages import AgeCurve, AgeProblem, Reported, pool_ages
from hna.model.pool_ages_lean import LeftOutOfCurve, leant, left_out
from hna.model.pool_grid import mean_kept
from hna.model.pool_part import as_one, check_pool, logit_variance, pooled_source
from hna.model.pool_standards import PoolStandards, read_pool_standards
from hna.model.priors import Priors, read_priors
from hna.model.rates_parts import Part, reference
from hna.model.rules import rules
from hna.model.spec import Model
from hna.model.strata import Layers

Array = NDArray[np.float64]

_FIELD = "prevalence.sources"
SHOWN = "nested Laplace, which is shown beside the result though it may not be trusted"
"""In notes of a curve before a correction."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One curve to be fitted.

    Parameters
    ----------
    sex : whose.
    reported : rates of the studies.
    own : study error of each.
    people : shape (age,), England's, over which bands are read.
    oldest : age at which an open band ends.
    scale : of the prior of the between-study standard deviation.
    priors : of the curve.
    monotone : whether the curve only rises or only falls.
    name : of the streams; one for both sexes, so that the new setting is the same.
    key : fingerprint of all of these, of draws and of the seed.
    errors : names of the errors that rates share, those of their corrections.
    shared : shape (rate, error), what one standard deviation of each does to a rate's logit.
    """

    sex: str
    reported: tuple[Reported, ...]
    own: dict[str, float]
    people: Array
    oldest: int
    scale: float
    priors: Priors
    monotone: bool
    name: str
    key: str
    errors: tuple[str, ...]
    shared: Array

    @property
    def studies(self) -> list[str]:
        """In the order of `problem`."""
        return sorted({one.study for one in self.reported})

    @property
    def problem(self) -> AgeProblem:
        """What is known of the curve."""
        return AgeProblem.of(self.reported, self.studies, self.oldest, self.people, self.own, self.shared, self.priors)

    def laplace(self, seed: int, draws: int, *, shown: bool = False) -> AgeCurve:
        """The curve by nested Laplace; R391 if its weights may not be trusted, unless it is only shown beside a result."""
        return pool_ages(
            self.reported, self.scale, oldest=self.oldest, people=self.people, own=self.own, shared=self.shared,
            monotone=self.monotone, seed=seed, name=self.name, draws=draws, priors=self.priors, shown=shown,
        )  # fmt: skip


def curves_asked(
    model: Model, shelf: Shelf, parts: list[Part], draws: int, seed: int, defaults: Defaults, how: Correcting = WHOLE
) -> tuple[Asked, ...]:
    """What has to be fitted for a model, one curve a sex.

    Raises
    ------
    ModelError
        R301 to R304 from the gate; R302 for fewer than two studies; R311 if a transport error is stated as well.
    """
    check_pool(model, parts, same_ages=False)
    judged = model.prevalence.judged
    span = None if judged is None else (judged.relative[0], judged.relative[1])
    standards, priors = read_pool_standards(shelf), read_priors(shelf)
    england = reference(shelf)
    monotone = model.prevalence.pool is not None and model.prevalence.pool.monotone
    found = []
    for sex in parts[0].layers.sexes:
        reported, moved, own = [], list[dict[str, float]](), {part.survey: part.study for part in parts}
        for part in parts:
            table = part.layers.table
            sampling = sampling_of(table, defaults.design_effect, span)
            for row in table.rows("", sex).tolist():
                band = table.bands[row]
                # A band that reaches beyond the need's ages is read whole, and the curve is used within them.
                if band.meets(part.layers.ages.span):
                    y, slope, setting, errors = part.corrections.logits(float(sampling.mean[row]), how)
                    reported.append(Reported(part.survey, band, y, slope**2 * logit_variance(sampling, row)))
                    moved.append(errors)
                    if setting:
                        own[part.survey] = float(np.sqrt(part.study**2 + setting))
        _covered(model, sex, reported)
        low = min(one.band.low for one in reported)
        oldest = int(england.ages.bands[-1].low)
        high = max(oldest if one.band.high is None else one.band.high for one in reported)
        wanted = (model.sex,) if sex == "persons" else (sex,)
        single = AgeAxis(
            tuple(AgeBand(age, None if age == oldest else age) for age in range(low, min(high, oldest) + 1))
        )
        people = england.on(wanted, single).people[0, -1, 0]
        name = model.need
        told = [[one.study, one.band.label, one.estimate, one.variance] for one in reported]
        sources = tuple(dict.fromkeys(error for one in moved for error in one))
        shared = np.array([[one.get(error, 0.0) for error in sources] for one in moved]).reshape(len(moved), -1)
        also = [sources, shared] if sources else []
        scale, prior = standards.between_study_scale, priors.of("curve")
        key = fingerprint(told, own, people, oldest, scale, prior, monotone, name, sex, seed, draws, *also)
        found.append(
            Asked(sex, tuple(reported), own, people, oldest, scale, priors, monotone, name, key, sources, shared)
        )
    return tuple(found)


def pooled_by_age_part(
    model: Model, shelf: Shelf, parts: list[Part], draws: int, seed: int, defaults: Defaults, how: Correcting = WHOLE
) -> Part:
    """The studies of a model pooled to a curve by age, as a part whose draws are those of a new setting.

    Each reported band is read as the mean of the curve over England's people of those ages; a study's error is shared by
    its bands. The headline is the posterior mean of the average setting; the draws are those of a new setting, moved so
    that their mean is the headline. The spread between settings takes the place of the transport error. Errors of a
    correction that rates share are in their covariance, so that a study weighs less the less sure its correction is; and the
    curve moves with those errors' own draws, as everything else does that they touch.

    Nested Laplace is run here. Where it may not be trusted, or the model asks for a sampler, the fit that ``hna fit`` has
    stored for exactly these inputs is used.

    Raises
    ------
    ModelError
        As `curves_asked`; R332 if a study conflicts with the others; R393 where a stored fit is needed and there is none;
        R391 where its diagnostics failed.
    """
    asked = curves_asked(model, shelf, parts, draws, seed, defaults, how)
    scores = {name: score for part in parts for name, score in part.corrections.scores(seed, draws, how).items()}
    axis = _axis(model, asked)
    mean = np.empty((1, len(asked), len(axis.bands)))
    drawn = np.empty((*mean.shape, draws))
    notes, flags = [], set[str]()
    for x, one in enumerate(asked):
        curve, said = _curve(model, shelf, one, draws, seed, how)
        mean[0, x] = curve.rates(axis, new=False).mean(axis=1)
        problem = one.problem
        if one.errors:
            known = np.stack([scores[error] for error in one.errors])
            curve = replace(curve, curve=leant(problem, one.scale, curve.curve, known, monotone=one.monotone))
        for a, rate in enumerate(curve.rates(axis)):
            drawn[0, x, a] = mean_kept(logit(rate), float(mean[0, x, a]))
        notes.append(
            f"{one.sex}: {len(one.reported)} rates of {len(parts)} studies pooled to a curve by age, each band read as the "
            f"curve's mean over it; between-study SD {np.median(curve.tau):.2f} (logit, median); {said}"
        )
        if how.whole:
            leaving, raised = _leaving(left_out(problem, one.scale, one.studies), read_pool_standards(shelf))
            notes.append(f"{one.sex}: {leaving}")
            flags |= raised
    sexes = parts[0].layers.sexes
    layers = Layers(
        replace(parts[0].layers.table, source=pooled_source(model, parts)), ("",), sexes, axis, mean, drawn,
        notes=tuple(notes), flags=tuple(sorted(flags)),
    )  # fmt: skip
    return as_one(parts, layers, f"pool:{model.need}")


def _leaving(rows: Sequence[LeftOutOfCurve], standards: PoolStandards) -> tuple[str, set[str]]:
    """What leaving one study out does, in words, and W331 for one in tension with the others; R332 if it conflicts."""
    beyond = [row for row in rows if row.conflict > standards.conflict_refuse]
    if beyond:
        told = [f"{row.study}: {row.conflict:.1f} standard deviations from the others" for row in beyond]
        remedy = "Use combine: mixture or envelope, and say what differs; precision cannot settle a conflict"
        raise ModelError(Fault("the studies conflict", remedy, field=_FIELD, rows=told, code="R332"))
    low, high = min(rows, key=lambda row: row.times), max(rows, key=lambda row: row.times)
    far = max(rows, key=lambda row: row.conflict)
    said = (
        f"leaving one study out gives {low.times:.2f} (without {low.study}) to {high.times:.2f} times (without {high.study}) the "
        f"pooled rate; furthest from what the others predict is {far.study}, by {far.conflict:.1f} standard deviations"
    )
    return said, {"W331"} if far.conflict > standards.conflict_warn else set()


def _curve(model: Model, shelf: Shelf, asked: Asked, draws: int, seed: int, how: Correcting) -> tuple[AgeCurve, str]:
    if not how.whole:
        # Rates before a correction are a step beside the result, and not sampled for it.
        curve = asked.laplace(seed, draws, shown=True)
        return curve, f"{SHOWN if curve.khat >= rules().khat_below else 'nested Laplace'}, Pareto k̂ {curve.khat:.2f}"
    wanted = model.prevalence.pool.sampler if model.prevalence.pool else "laplace"
    if wanted == "laplace":
        try:
            curve = asked.laplace(seed, draws)
        except ModelError as error:
            if "R391" not in error.codes:
                raise
        else:
            return curve, f"nested Laplace, Pareto k̂ {curve.khat:.2f}"
    arrays, words = usable(shelf.roots, f"{model.need}-{asked.sex}", asked.key)
    ages = np.arange(asked.people.size) + min(one.band.low for one in asked.reported)
    curve = AgeCurve(ages, arrays["curve"], arrays["setting"], arrays["tau"], asked.people, float("nan"), float(draws))
    return curve, words


def _covered(model: Model, sex: str, reported: list[Reported]) -> None:
    """Every age of the model is in a band of some study: the curve joins what was seen, and no more."""
    held = sorted({one.band for one in reported}, key=lambda band: (band.low, band.end))
    reach, gaps = float(model.band.low), []
    for band in held:
        if band.low > reach:
            gaps.append(AgeBand(int(reach), band.low - 1).label)
        reach = max(reach, band.end)
    if reach < model.band.end:
        gaps.append(AgeBand(int(reach), model.band.high).label)
    if gaps:
        what = f"no study has rates for {sex} of these ages"
        raise AxisError(
            Fault(what, "Nothing is extrapolated outside the sources' ages", field=_FIELD, rows=gaps, code="R201")
        )


def _axis(model: Model, asked: tuple[Asked, ...]) -> AgeAxis:
    """Bands from one age at which any study's band begins to the next."""
    lows = sorted({max(one.band.low, model.band.low) for curve in asked for one in curve.reported})
    ends = [*(low - 1 for low in lows[1:]), model.band.high]
    return AgeAxis(tuple(AgeBand(low, end) for low, end in zip(lows, ends, strict=True)))
