"""A multiplier in a model file: people known to a service, and the share of all that they are, as a rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import Fault, ModelError
from hna.evidence.known import Known, read_known
from hna.evidence.population import read_population
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource, PopulationSource
from hna.measure.ages import AgeAxis
from hna.measure.draws import uniform
from hna.model.correction import WHOLE, Correcting, corrections_of, told_of
from hna.model.defaults import Defaults
from hna.model.distribution import sampling_of
from hna.model.pool_grid import mean_kept
from hna.model.rates_parts import Part
from hna.model.spec import Model
from hna.model.strata import Layers

Array = NDArray[np.float64]

_FIELD = "prevalence.multiplier"


def multiplied_part(
    model: Model, shelf: Shelf, draws: int, seed: int, defaults: Defaults, how: Correcting = WHOLE
) -> tuple[Part, tuple[KnownSource | PopulationSource, ...]]:
    """The rate ``K/(p·P)``: people known K, over the share p of all with the need who are known, over people P.

    K is a census count of one area and year, p is drawn from its published sampling distribution, and P is counted among
    the same area, year, ages and sex. The headline is the plug-in quotient; the draws are moved on the logit scale so
    that their mean is the headline, since a quotient is skewed.

    Returns
    -------
    part with one cell, and the further sources that it rests on.

    Raises
    ------
    ModelError
        R624 where the count and the share are not of one condition, the share is not one, or the rate would exceed one;
        R604 where the count is not of people; R602 where the publisher hid it.

    References
    ----------
    As `hna.model.hidden.multiplier`.
    """
    use = model.prevalence.multiplier
    if use is None or len(model.prevalence.sources) != 1:
        remedy = "Name one source, the share known, under prevalence.sources, and the count under prevalence.multiplier"
        raise ModelError(Fault("a multiplier needs one share and one count", remedy, field=_FIELD))
    used = model.prevalence.sources[0]
    table = read_prevalence(shelf, used.source)
    counts = read_known(shelf, use.known, [use.area])
    _check(table, counts)
    known = counted(model, counts, use.area, use.year, _FIELD)
    axis = AgeAxis((model.band,))
    living = read_population(shelf, use.population, [use.area], [use.year])
    people = float(living.on((model.sex,), axis).people.sum())
    judged = model.prevalence.judged
    span = None if judged is None else (judged.relative[0], judged.relative[1])
    sampling = sampling_of(table, defaults.design_effect, span)
    with told_of(model.need, used.source):
        corrections, source = corrections_of(used, table.source, shelf)
    cell = f"multiplier:{source.id}"
    share = sampling.draw(0, uniform(seed, f"sampling:{cell}", draws), uniform(seed, f"rounding:{cell}", draws))
    with told_of(model.need, used.source):
        mean, drawn = corrections.moved(sampling.mean[:1], share[None], how, seed, used.study or source.id)
    point, share = float(mean[0]), drawn[0]
    rate = known / (point * people)
    if not 0 < rate < 1:
        what = f"{known:,.0f} people over a share of {point:.3g} are more than the {people:,.0f} who live there"
        raise ModelError(Fault(what, "Do the count, the share and the population cover one place?", code="R624"))
    kept = mean_kept(logit(np.clip(known / (share * people), 1e-12, 1 - 1e-9)), rate)
    record = source.model_copy(
        update={
            "measure": "point" if counts.source.count_kind == "people-point" else counts.source.count_kind[7:],
            "case_definition": f"{source.case_definition}; counted: {counts.source.case_definition}",
            "severity": None,
        }
    )
    note = (
        f"{known:,.0f} people known ({use.known}, {use.year}) over the share {point:.3g} of all who are, among "
        f"{people:,.0f} people ({use.population}); {use.because}"
    )
    notes = (note, *dict.fromkeys(sampling.family), *corrections.notes)
    flags = (*sampling.flags, *corrections.flags)
    part = one_cell(model, replace(table, source=record), rate, kept, notes, flags, defaults)
    return replace(part, corrections=corrections), (counts.source, living.source)


def _check(table: Prevalence, counts: Known) -> None:
    source, faults = table.source, []
    if source.measure != "proportion-of-cases" or len(table.estimate) != 1:
        remedy = "A source with measure: proportion-of-cases and one row, the share of all with the need who are known"
        faults.append(Fault(f"{source.id} is not one share of cases", remedy, field=_FIELD, code="R624"))
    if source.condition != counts.source.condition:
        rows = [f"{source.id}: {source.condition}", f"{counts.source.id}: {counts.source.condition}"]
        remedy = "The count and the share must be of the same people"
        faults.append(
            Fault("the count and the share are of different conditions", remedy, field=_FIELD, rows=rows, code="R624")
        )
    if not counts.source.count_kind.startswith("people"):
        what = f"{counts.source.id} counts {counts.source.count_kind}, not people"
        faults.append(Fault(what, "Use a count of people", field=_FIELD, code="R604"))
    if faults:
        raise ModelError(faults)


def counted(model: Model, counts: Known, area: str, year: int, field: str) -> float:
    """People of the model's ages and sex in some rows of a table of counts.

    Raises
    ------
    ModelError
        If the rows do not add up to those people; R602 where the publisher hid a count.
    """
    inside = np.array([band in model.band for band in counts.bands], dtype=bool) & (counts.year == year)
    held = counts.take(inside & (counts.severity == ""))
    wanted = (
        [model.sex] if (held.sex == model.sex).any() else ["female", "male"] if model.sex == "persons" else [model.sex]
    )
    held = held.take(np.isin(held.sex.astype(str), wanted))
    bands = sorted(set(held.bands), key=lambda band: band.low)
    tiles = bool(bands) and bands[0].low == model.band.low and bands[-1].end == model.band.end
    if not tiles or any(a.end != b.low for a, b in pairwise(bands)):
        what = f"{counts.source.id} has no count of {model.sex} aged {model.ages} in {area} in {year}"
        raise ModelError(Fault(what, "Name an area, year and ages that it has", field=field))
    if np.isnan(held.count).any():
        raise ModelError(Fault(f"{counts.source.id} hides the count", "Use a larger area", field=field, code="R602"))
    return float(held.of_one_service().count.sum())


def one_cell(
    model: Model,
    table: Prevalence,
    rate: float,
    drawn: Array,
    notes: Sequence[str],
    flags: Sequence[str],
    defaults: Defaults,
    study_name: str = "",
) -> Part:
    """A rate for all ages of a model together, as a part with its errors beyond sampling.

    Parameters
    ----------
    table : whose record says what the rate is about.
    rate, drawn : headline, and draws of shape (draw,).
    study_name : of the survey whose error this is; blank for the first source's.
    """
    shape = (1, 1, 1)
    layers = Layers(
        table, ("",), (model.sex,), AgeAxis((model.band,)), np.full(shape, rate), drawn.reshape(*shape, -1),
        notes=tuple(notes), flags=tuple(flags),
    )  # fmt: skip
    errors, risk = model.prevalence.errors, table.source.appraisal.overall
    study = defaults.study_error[risk or "high"] if errors.study is None else errors.study
    why = f"default for {risk} risk of bias" if risk else "default for a study that was not appraised"
    said = errors.because or ""
    return Part(
        layers, study, defaults.transport_error if errors.transport is None else errors.transport,
        defaults.staleness_error if errors.staleness is None else errors.staleness,
        {
            "study": why if errors.study is None else said,
            "transport": "default" if errors.transport is None else said,
            "staleness": "default" if errors.staleness is None else said,
        },
        study_name or (model.prevalence.sources[0].study or "" if model.prevalence.sources else ""),
    )  # fmt: skip
