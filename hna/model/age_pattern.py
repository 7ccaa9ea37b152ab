"""One rate for many ages: refused where the shelf shows how steep the ages are, or divided by such a pattern."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, ModelError
from hna.evidence.population import Population
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.rules import rules
from hna.model.strata import Layers

Array = NDArray[np.float64]


def axis_within(table: Prevalence, span: AgeBand) -> AgeAxis | None:
    """The table's own bands inside a span of ages, if they make it up and there are several; by the first sex."""
    inside = [band for band in table.axis("", table.sexes[0]).bands if band in span]
    if len(inside) < 2:
        return None
    axis = AgeAxis.of(inside)
    return axis if axis.span == span else None


def persons_pattern(table: Prevalence, axis: AgeAxis, people: Array) -> Array:
    """Rates by age of both sexes together, each weighed by its people, shape (age,).

    Parameters
    ----------
    people : shape (sex, age), female then male.
    """
    if "persons" in table.sexes:
        return _rates(table, "persons", axis)
    by_sex = np.stack([_rates(table, sex, axis) for sex in ("female", "male")])
    return np.asarray((by_sex * people).sum(axis=0) / people.sum(axis=0))


def _rates(table: Prevalence, sex: str, axis: AgeAxis) -> Array:
    return table.estimate[table.rows("", sex)[table.axis("", sex).index_of(axis)]]


def _usable(table: Prevalence) -> bool:
    """Whether it has rates of all cases by age, for persons or both sexes on the same bands."""
    if table.split_by or "" not in table.strata:
        return False
    held = {sex for sex in table.sexes if len(table.rows("", sex))}
    if "persons" in held:
        return held == {"persons"}
    return held == {"female", "male"} and table.axis("", "female") == table.axis("", "male")


def steep(
    shelf: Shelf, source: PrevalenceSource, span: AgeBand, england: Population
) -> tuple[PrevalenceSource, float] | None:
    """The source on the shelf that shows the steepest change with age of the same need within some ages, and how steep it is.

    Returns
    -------
    its record and the largest ratio of two neighbouring bands of persons; None if none exceeds `Rules.steep`.
    """
    found: tuple[PrevalenceSource, float] | None = None
    words = _words(source.condition)
    for name, folder in shelf.folders(PrevalenceSource).items():
        # Most records are of other needs: reading their words takes a hundredth of the time of checking them.
        if words not in _words((folder / "source.yaml").read_text(encoding="utf-8")):
            continue
        record = shelf.record(PrevalenceSource, name)
        same = record.condition.casefold() == source.condition.casefold() and record.measure == source.measure
        if not same or record.id == source.id:
            continue
        table = read_prevalence(shelf, record.id)
        axis = axis_within(table, span) if _usable(table) else None
        if axis is None or len(axis.bands) < rules().steep_bands:
            continue
        rates = persons_pattern(table, axis, england.on(("female", "male"), axis).people[0, -1])
        if (rates <= 0).any():
            continue
        ratio = max(max(a / b, b / a) for a, b in pairwise(rates.tolist()))
        if ratio > rules().steep and (found is None or ratio > found[1]):
            found = record, ratio
    return found


def _words(text: str) -> str:
    return " ".join(text.casefold().split())


def refuse_flat(model_need: str, layers: Layers, shelf: Shelf, england: Population) -> None:
    """Refuse one rate for all ages of a need where another source shows that it changes steeply with age (R203).

    Raises
    ------
    ModelError
        R203, naming that source.
    """
    (band,) = layers.ages.bands
    source = layers.table.source
    shown = steep(shelf, source, band, england)
    if shown is None:
        return
    what = (
        f"{source.id} is one rate for all ages {band.label}, and {shown[0].id} shows that it changes up to {shown[1]:.1f} times from one "
        "band of ages to the next: people of other ages than the study's would be given its rate"
    )
    remedy = (
        f"Use rates by age, or divide this one by a pattern: sources: [{{source: {source.id}, pattern: {{source: {shown[0].id}, "
        "because: …}}]"
    )
    raise ModelError(Fault(what, remedy, file=f"models/{model_need}.yaml", field="prevalence.sources", code="R203"))


def patterned(layers: Layers, pattern: Prevalence, england: Population) -> Layers:
    """One rate for all ages divided among the ages of a pattern: ``p_b = p · s_b · ΣP / ΣP·s`` over England's people P.

    The rate over England's people of all the ages stays the printed one in every draw; the pattern's own error is not known here
    and is not in the interval.

    Parameters
    ----------
    layers : of one band, all cases together.
    pattern : rates by age of the same need, by the same sexes or of persons.
    england : whose people weigh the ages.

    Raises
    ------
    ModelError
        If the rate is by age already or by overlapping severity, the pattern is of something else or does not make up its ages, or
        a rate would be above one.
    """
    source, by = layers.table.source, pattern.source
    faults = []
    if len(layers.ages.bands) > 1 or layers.names != ("",) or layers.strata:
        faults.append(f"{source.id} is by age or by severity already, and has no use for a pattern")
    if by.condition.casefold() != source.condition.casefold() or by.measure != source.measure:
        faults.append(
            f"{by.id} is of {by.condition} ({by.measure}), and {source.id} of {source.condition} ({source.measure})"
        )
    axis = axis_within(pattern, layers.ages.span) if _usable(pattern) else None
    if axis is None:
        faults.append(f"{by.id} has no bands of all cases that make up ages {layers.ages.span.label}")
    if faults or axis is None:
        remedy = (
            "Name a source of the same need with rates by age, of persons or of both sexes, that make up these ages"
        )
        raise ModelError([Fault(one, remedy, field="prevalence.sources.pattern") for one in faults])
    people = england.on(("female", "male"), axis).people[0, -1]
    several = set(pattern.sexes) == {"female", "male"}
    by_sex = several and layers.sexes != ("persons",)
    shape = [
        _rates(pattern, sex, axis) if by_sex else persons_pattern(pattern, axis, people) for sex in layers.sexes
    ]  # fmt: skip
    weight = [people[("female", "male").index(sex)] if sex != "persons" else people.sum(axis=0) for sex in layers.sexes]
    times = np.stack([s * p.sum() / (s * p).sum() for s, p in zip(shape, weight, strict=True)])
    mean, draws = layers.mean * times, layers.draws * times[..., None]
    if (draws >= 1).any():
        remedy = "Use rates by age that were measured"
        raise ModelError(
            Fault(f"the pattern of {by.id} takes a rate above one", remedy, field="prevalence.sources.pattern")
        )
    note = (
        f"divided among ages by the pattern of {by.id}, its rate over England's people in {england.source.id} kept; the pattern's error "
        "is not in the interval"
    )
    return replace(layers, ages=axis, mean=mean, draws=draws, notes=(*layers.notes, note), shaped_by=by)
