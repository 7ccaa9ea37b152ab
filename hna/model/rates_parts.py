"""One source of a model as a part of its rate: read, cut to the model's ages, and given its errors beyond sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, ModelError, SourceError
from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import CrosswalkSource, PopulationSource, PrevalenceSource
from hna.measure.ages import AgeAxis, AgeBand, common_refinement
from hna.measure.estimate import Estimate
from hna.model.age_pattern import patterned
from hna.model.correction import NO_CORRECTIONS, WHOLE, Correcting, Corrections, corrected, corrections_of, told_of
from hna.model.defaults import Defaults
from hna.model.pool import alike
from hna.model.rules import off_mean, rules
from hna.model.spec import Model
from hna.model.spec_rate import UsedSource
from hna.model.strata import Layers, layers_of, split_by

Array = NDArray[np.float64]
ENGLAND = "E92000001"


@dataclass(frozen=True, eq=False)
class Part:
    """One source's contribution: its layers, and the errors that no sampling interval holds.

    Parameters
    ----------
    layers : rates with sampling error, on the part's own ages.
    study, transport, staleness : standard deviations on the logit scale (staleness for each year).
    reasons : where each came from, in words.
    study_name : of the survey whose error this is, where several tables come from one; blank: the source's own.
    members : the studies that this part was pooled from; empty for one source.
    assumed_date : of a source without dates of fieldwork: its year of publication less the usual lag.
    corrections : for a test's errors, and to another case definition; they are in the layers, and in the record's
        definition, but not in its table.
    """

    layers: Layers
    study: float
    transport: float
    staleness: float
    reasons: dict[str, str]
    study_name: str = ""
    members: tuple[Part, ...] = ()
    assumed_date: float | None = None
    corrections: Corrections = NO_CORRECTIONS

    @property
    def cited(self) -> tuple[PrevalenceSource | CrosswalkSource, ...]:
        """Records that it rests on."""
        also = [one for one in (self.layers.divided_by, self.layers.shaped_by) if one is not None]
        return (self.source, *also, *self.corrections.cited)

    @property
    def studied(self) -> float | None:
        """Middle of the fieldwork, in years; where the source gives none, the date assumed from its publication."""
        middle = self.source.study.mid_fieldwork
        return middle if middle is not None else self.assumed_date

    @property
    def survey(self) -> str:
        """Key of the study error: tables of one survey share it."""
        return self.study_name or self.source.id

    @property
    def source(self) -> PrevalenceSource:
        """Its record."""
        return self.layers.table.source


def make_part(
    model: Model,
    shelf: Shelf,
    used: UsedSource,
    draws: int,
    seed: int,
    defaults: Defaults,
    how: Correcting = WHOLE,
) -> Part:
    """One source of a model, on the model's ages and sex, corrected as the model says, with its errors beyond sampling.

    Raises
    ------
    ModelError, SourceError, AxisError
        If the source is no prevalence, is split by a factor that nothing names, or lacks the ages asked for.
    """
    name, ages = used.source, used.ages
    table = read_prevalence(shelf, name)
    source = table.source
    if source.measure == "proportion-of-cases":
        remedy = "Name it under prevalence.severity, and give a prevalence under prevalence.sources"
        what = f"{name} is a share of those who have the need; it is no prevalence"
        raise ModelError(Fault(what, remedy, field="prevalence.sources", code="R751"))
    _no_unnamed_split(table)
    wanted = table.span if ages is None else AgeBand.parse(ages)
    if not wanted.meets(model.band):
        raise ModelError(
            Fault(
                f"{name} is used for ages {wanted.label}, outside the model's {model.ages}",
                "Nothing is extrapolated outside a source's ages",
                field="prevalence.sources",
                code="R201",
            )
        )
    wanted = _overlap(wanted, model.band)
    layers = layers_of(table, wanted, model.sex, draws, seed, defaults.design_effect, _judged(model))
    if used.pattern is not None:
        layers = patterned(layers, read_prevalence(shelf, used.pattern.source), reference(shelf))
    with told_of(model.need, name):
        corrections, record = corrections_of(used, source, shelf)
        layers = corrected(layers, corrections, how, seed, used.study or name)
    layers = replace(layers, table=replace(layers.table, source=record))
    layers = by_severity(model, shelf, layers, seed, defaults)
    if model.prevalence.ages == "graduate":
        layers = _graduated(layers, shelf)
    errors = model.prevalence.errors
    risk = source.appraisal.overall
    if errors.study is not None:
        study, why = errors.study, errors.because or ""
    elif risk is not None:
        study, why = defaults.study_error[risk], f"default for {risk} risk of bias"
    else:
        study, why = defaults.study_error["high"], "default for a study that was not appraised"
    reasons = {"study": why}
    transport = defaults.transport_error if errors.transport is None else errors.transport
    staleness = defaults.staleness_error if errors.staleness is None else errors.staleness
    reasons["transport"] = "default" if errors.transport is None else errors.because or ""
    reasons["staleness"] = "default" if errors.staleness is None else errors.because or ""
    year = source.citation.year
    assumed = None if year is None else year - defaults.publication_lag
    return Part(
        layers, study, transport, staleness, reasons, used.study or "", assumed_date=assumed, corrections=corrections
    )


def by_severity(model: Model, shelf: Shelf, layers: Layers, seed: int, defaults: Defaults) -> Layers:
    """Cases divided by the source that a model names for that; as they are, where it names none."""
    if not model.prevalence.severity:
        return layers
    splitter = read_prevalence(shelf, model.prevalence.severity)
    return split_by(layers, splitter, seed, defaults.design_effect, _judged(model))


def _judged(model: Model) -> tuple[float, float] | None:
    judged = model.prevalence.judged
    return None if judged is None else (judged.relative[0], judged.relative[1])


def _no_unnamed_split(table: Prevalence) -> None:
    if table.split_by:
        remedy = "Use a source for all groups together, or a local adjustment that names the factor"
        raise SourceError(Fault(f"{table.source.id} has rates by {', '.join(table.split_by)}", remedy))


def _overlap(a: AgeBand, b: AgeBand) -> AgeBand:
    end = min(a.end, b.end)
    return AgeBand(max(a.low, b.low), None if np.isinf(end) else int(end) - 1)


def _graduated(layers: Layers, shelf: Shelf) -> Layers:
    """Rates by single year of age, keeping each band's rate over England's population."""
    from hna.measure.graduate import graduate_rates

    england = reference(shelf)
    single = england.ages.within(layers.ages.span)
    sexes = layers.sexes
    people = england.on(sexes, single).people[0, -1]
    mean, drawn = (
        np.empty((*layers.mean.shape[:-1], len(single.bands), *extra)) for extra in ((), (layers.draws.shape[-1],))
    )
    for x in range(len(sexes)):
        mean[:, x] = graduate_rates(layers.mean[:, x], layers.ages, people[x], single)
        smooth = graduate_rates(np.moveaxis(layers.draws[:, x], -1, 1), layers.ages, people[x], single)
        drawn[:, x] = np.clip(np.moveaxis(smooth, 1, -1), 1e-15, 1 - 1e-15)
    where = layers.ages.index_of(single)
    note = f"rates graduated by single year of age (PCHIP), each band's rate kept over England in {england.source.id}"
    return replace(
        layers, ages=single, mean=mean, draws=drawn,
        share_mean=None if layers.share_mean is None else layers.share_mean[..., where],
        shares=None if layers.shares is None else layers.shares[:, :, where],
        notes=(*layers.notes, note),
    )  # fmt: skip


def reference(shelf: Shelf) -> Population:
    """England's people by single year of age, over which rates of bands are read.

    Raises
    ------
    ModelError
        If no estimate on the shelf holds them.
    """
    for record in shelf.records(PopulationSource):
        gazetteer, _ = areas_and_years(shelf, record.id)
        if record.basis == "estimate" and any(area.code == ENGLAND for area in gazetteer.areas):
            found = read_population(shelf, record.id, [ENGLAND])
            if found.ages.widest == 1:
                return found
    remedy = "Use ages: step, or put a mid-year estimate for England by single year on the shelf"
    raise ModelError(
        Fault(
            "rates cannot be read by single year of age without a reference population", remedy, field="prevalence.ages"
        )
    )


def one_condition(model: Model, parts: list[Part]) -> None:
    """Refuse sources of different things as one rate.

    Parameters
    ----------
    parts : alternatives under `mixture`; of ages that follow under `single`, which may differ in case definition.

    Raises
    ------
    ModelError
        R301 for different conditions or measures, and R171 where one is of a lifetime; under `mixture` R301 for case definitions
        too, and R303 for a source named twice, whose weight would be set by hand.
    """
    mixed, said = model.prevalence.combine == "mixture", model.prevalence.pool
    same = (said.same_definition if said else None) if mixed else "ages that follow may be defined apart"
    faults = list(alike([part.source for part in parts], same))
    names = [part.source.id for part in parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if mixed and twice:
        what = "a source is mixed with itself, which would weigh it by hand"
        faults.append(Fault(what, "Name each source once", field="prevalence.sources", rows=twice, code="R303"))
    if faults:
        raise ModelError(faults)


def group_parts(model: Model, parts: list[Part]) -> list[list[Part]]:
    """Parts stacked by age under `single`; alternatives under `mixture`."""
    if model.prevalence.combine == "mixture":
        if len(parts) < 2:
            raise ModelError(
                Fault("a mixture needs two sources or more", "Use combine: single", field="prevalence.combine")
            )
        return [parts]
    ordered = sorted(parts, key=lambda part: part.layers.ages.span.low)
    for before, after in pairwise(ordered):
        a, b = before.layers.ages.span, after.layers.ages.span
        if a.end != b.low:
            how = "overlap" if a.end > b.low else "leave a gap"
            what = f"{before.source.id} ({a.label}) and {after.source.id} ({b.label}) {how} in age"
            remedy = "Say which ages to take from each ({source: …, ages: …}), or use combine: mixture"
            raise ModelError(Fault(what, remedy, field="prevalence.sources"))
    return [[part] for part in ordered]


def same_ages(group: list[Part]) -> tuple[Part, ...]:
    """Alternatives on the ages and sexes that all of them can be read on."""
    if len(group) == 1:
        return (group[0],)
    axis = common_refinement([part.layers.ages for part in group])
    sexes = max((part.layers.sexes for part in group), key=len)
    even = []
    for part in group:
        old = part.layers
        where = old.ages.index_of(axis)
        times = len(sexes) // len(old.sexes)

        def spread(values: Array | None, at: NDArray[np.intp] = where, n: int = times) -> Array | None:
            return None if values is None else np.repeat(values, n, axis=1)[:, :, at]

        layers = replace(
            old, sexes=sexes, ages=axis, mean=np.repeat(old.mean, times, axis=1)[:, :, where],
            draws=np.repeat(old.draws, times, axis=1)[:, :, where], share_mean=spread(old.share_mean),
            shares=spread(old.shares),
        )  # fmt: skip
        even.append(replace(part, layers=layers))
    return tuple(even)


def share_mean(part: Part) -> Array:
    """Published division of cases into strata."""
    if part.layers.share_mean is None:
        raise ModelError(f"{part.source.id} does not divide cases into strata, and another source of the model does")
    return part.layers.share_mean


def share_draws(part: Part) -> Array:
    """Draws of the division of cases into strata."""
    if part.layers.shares is None:
        raise ModelError(f"{part.source.id} does not divide cases into strata, and another source of the model does")
    return part.layers.shares


def spread_over(values: Array, part: Part, sexes: Sequence[str]) -> Array:
    """Persons' rates used for each sex, where another part has rates by sex."""
    if part.layers.sexes == tuple(sexes):
        return values
    return np.repeat(values, len(sexes), axis=1)


def check_mean(rates: Estimate) -> None:
    """The mean of the draws is the published rate (`hna.model.rules.off_mean`).

    Raises
    ------
    ModelError
        R141, with the first cells that are off.
    """
    drawn = rates.draws.transpose(..., "draw").values
    headline = rates.headline.values
    off = off_mean(drawn.mean(axis=-1), drawn.std(axis=-1), drawn.shape[-1], headline)
    if off.any():
        rows = [
            f"published {headline[tuple(at)]:.5g}, mean of draws {drawn[tuple(at)].mean():.5g}"
            for at in np.argwhere(off)[:5]
        ]
        raise ModelError(
            Fault(
                "draws do not have the published rate as their mean",
                f"Are the error terms too wide, or the draws ({drawn.shape[-1]}) too few?",
                rows=rows,
                code="R141",
            )
        )


def wide(ages: AgeAxis) -> bool:
    """Whether a rate stands for so many ages that it misses what changes with age."""
    return ages.widest > rules().wide_band or (len(ages.bands) == 1 and ages.bands[0].high is None)


def flags_of(model: Model, parts: Sequence[Part], held: Sequence[Part], ages: AgeAxis) -> tuple[str, ...]:
    """Diagnostic codes of a rate.

    Parameters
    ----------
    parts : studies that it rests on.
    held : the same, and what they were pooled to.
    ages : of the rate.
    """
    flags = dict.fromkeys(flag for part in held for flag in part.layers.flags)
    if any("default" in reason for part in parts for reason in part.reasons.values()):
        flags["W131"] = None
    if any(part.source.applicability and part.source.applicability.poor(rules().poor_fit) for part in held):
        flags["W161"] = None
    if any(part.layers.table.sex_missing for part in parts):
        flags["W103"] = None
    if any(part.source.study.frame == "household" for part in parts):
        flags["W522"] = None
    if wide(ages):
        flags["W202"] = None
    if not model.best_practice:
        flags["W902"] = None
    return tuple(sorted(flags))


def beside(name: str, first: Estimate, other: Estimate) -> str:
    """How far another source's rates are from those of the first, in words."""
    if first.headline.shape != other.headline.shape or (first.headline.values <= 0).any():
        return f"{name} alone has rates of other ages or sexes, so that no one ratio compares them"
    times = other.headline.values / first.headline.values
    low, high = float(times.min()), float(times.max())
    return (
        f"{name} alone gives {low:.2f} times these rates"
        if high - low < 0.005
        else (f"{name} alone gives {low:.2f} to {high:.2f} times these rates, by age and sex")
    )
