"""The conductor: a model and the shelf become draws of the rate, and a record of what each step did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis
from hna.measure.draws import DEFAULT_DRAWS, check_draws
from hna.measure.estimate import Cited, Universe
from hna.model.age_pattern import refuse_flat
from hna.model.correction import WHOLE, Correcting, before_each
from hna.model.defaults import Defaults, read_defaults
from hna.model.distribution import shift_logit
from hna.model.hidden_lists import listed_parts
from hna.model.hidden_part import multiplied_part
from hna.model.local_steps import carried
from hna.model.map_part import map_part
from hna.model.places import Places
from hna.model.pool_ages_part import SHOWN, pooled_by_age_part
from hna.model.pool_part import pooled_part
from hna.model.rate_draws import TERMS, Before, Rates
from hna.model.rates_parts import (
    ENGLAND,
    Part,
    beside,
    check_mean,
    flags_of,
    group_parts,
    make_part,
    one_condition,
    reference,
    same_ages,
    wide,
)
from hna.model.spec import Model
from hna.model.survey_part import survey_part
from hna.model.trend_part import NAME as TREND
from hna.model.trend_part import trend_part

__all__ = ["ENGLAND", "TERMS", "Part", "Rates", "make_rates", "shift_logit"]

Array = NDArray[np.float64]


def make_rates(
    model: Model,
    shelf: Shelf,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    how: Correcting = WHOLE,
    *,
    beside: bool = False,
) -> Rates:
    """The rate that a model states, as draws.

    Parameters
    ----------
    model : the model file.
    shelf : where its sources are.
    draws : how many.
    seed : of every stream.
    how : which corrections of its sources move it.
    beside : whether it is a whole run beside another, where one rate for all ages is told and not refused.

    Returns
    -------
    Rates over severity, sex, age, draw; proportions.

    Raises
    ------
    ModelError, SourceError, AxisError
        What is wrong with the model or its sources.
    """
    check_draws(draws)
    found = _constant(model, shelf, draws, seed, how)
    if not beside:
        _refuse_flat(found, shelf)
    if model.prevalence.trend is None:
        return found
    changing = trend_part(model, shelf, found.groups, found.local, draws, seed, found.defaults)
    cited = tuple({source.id: source for source in (*found.citations, *changing.cited)}.values())
    flags = tuple(sorted({*found.flags, "W302"}))
    notes = (*found.notes, changing.note)
    before = tuple(Before(name, replace(a, trend=changing), replace(b, trend=changing)) for name, a, b in found.before)
    moving = replace(
        found, trend=changing, scenario=TREND, scenarios=(), notes=notes, citations=cited, flags=flags, before=before
    )
    notes = (*found.notes, f"beside it, {changing.note}")
    return replace(found, scenarios=(*found.scenarios, moving), notes=notes, citations=cited, flags=flags)


def _refuse_flat(found: Rates, shelf: Shelf) -> None:
    """Refuse one rate for many ages where the shelf shows how steep they are; ages of a group are not those of everybody."""
    parts = [part for group in found.groups for part in group]
    alone = len(parts) == 1 and len(found.ages.bands) == 1 and found.model.prevalence.combine in ("single", "envelope")
    if alone and wide(found.ages) and not found.model.population:
        refuse_flat(found.model.need, parts[0].layers, shelf, reference(shelf))


def _constant(model: Model, shelf: Shelf, draws: int, seed: int, how: Correcting) -> Rates:
    if model.prevalence.combine == "envelope":
        return _envelope(model, shelf, draws, seed, how)
    found = _combined(model, shelf, draws, seed, how)
    ways = before_each(model.prevalence.sources) if how.whole else []
    before = [Before(name, *(_combined(model, shelf, draws, seed, one) for one in two)) for name, *two in ways]
    doubted = any(SHOWN in note for one in before for each in (one.shown, one.still) for note in each.notes)
    if doubted:
        said = "what the corrections did is shown by nested Laplace, which may not be trusted here: the rate does not rest on it"
        found = replace(found, notes=(*found.notes, said))
    found = replace(found, before=tuple(before))
    if model.local:
        rivals = tuple(carry(one, shelf) for one in found.scenarios)
        found = replace(carry(found, shelf), scenarios=rivals)
    # Of a mixture each source is shown alone as well: an average over sources must not hide that they disagree.
    mixed = model.prevalence.sources if model.prevalence.combine == "mixture" else []
    return _side_by_side(found, _each(model.alone([*mixed, *model.prevalence.beside]), shelf, draws, seed, how))


def _combined(model: Model, shelf: Shelf, draws: int, seed: int, how: Correcting) -> Rates:
    defaults = read_defaults(shelf)
    combine = model.prevalence.combine
    also: tuple[Cited, ...] = ()
    rivals: tuple[Part, ...] = ()
    places: Places | None = None
    if combine in _FOUND:
        part, places, also = _FOUND[combine](model, shelf, draws, seed, defaults)
        groups: list[tuple[Part, ...]] = [(part,)]
    elif combine == "multiplier":
        part, also = multiplied_part(model, shelf, draws, seed, defaults, how)
        groups = [(part,)]
    elif combine == "capture-recapture":
        (part, *others), also = listed_parts(model, shelf, draws, seed, defaults)
        groups, rivals = [(part,)], tuple(others)
    else:
        parts = [make_part(model, shelf, used, draws, seed, defaults, how) for used in model.prevalence.sources]
        if combine in _POOLED:
            groups = [(_POOLED[combine](model, shelf, parts, draws, seed, defaults, how),)]
        else:
            one_condition(model, parts)
            groups = [same_ages(group) for group in group_parts(model, parts)]
    found = _assembled(model, groups, draws, seed, defaults)
    scenarios = tuple(
        replace(_assembled(model, [(one,)], draws, seed, defaults), scenario=f"lists-{n}")
        for n, one in enumerate(rivals, 2)
    )
    said = tuple(f"by another model of the lists: {note}" for one in rivals for note in one.layers.notes[:1])
    return replace(
        found, citations=(*found.citations, *also), scenarios=scenarios, notes=(*found.notes, *said),
        flags=tuple(sorted({*found.flags, *(["W301"] if rivals else [])})), local=places,
    )  # fmt: skip


_FOUND = {"survey": survey_part, "map": map_part}
_POOLED = {"random-effects": pooled_part, "hierarchical-by-age": pooled_by_age_part}


def _assembled(model: Model, groups: list[tuple[Part, ...]], draws: int, seed: int, defaults: Defaults) -> Rates:
    parts = [study for group in groups for part in group for study in part.members or (part,)]
    axis = AgeAxis(tuple(band for group in groups for band in group[0].layers.ages.bands))
    if axis.span != model.band:
        what = f"the sources cover ages {axis.span.label}, and the model asks for {model.band.label}"
        raise AxisError(Fault(what, "Nothing is extrapolated outside a source's ages", field="ages", code="R201"))
    top = [part for group in groups for part in group]
    sexes = max((part.layers.sexes for part in top), key=len)
    strata = parts[0].layers.strata
    names = parts[0].layers.names
    if any(part.layers.strata != strata or part.layers.names != names for part in parts):
        raise ModelError(
            Fault(
                "the sources divide cases differently", "Use sources with the same strata", field="prevalence.sources"
            )
        )
    first = parts[0].source
    universe = Universe(
        first.condition, "; ".join(dict.fromkeys(part.source.case_definition for part in parts)), model.band, model.sex,
        period=first.measure, stands_for=model.denominator.stands_for if model.denominator else None,
    )  # fmt: skip
    blank = xr.DataArray(0.0)
    held = [*parts, *(part for group in groups for part in group if part.members)]
    notes = tuple(dict.fromkeys(f"{part.source.id}: {note}" for part in held for note in part.layers.notes))
    bare = Rates(
        blank, blank.expand_dims(draw=draws), "prevalence", "proportion", universe, (), (), model=model,
        groups=tuple(groups), strata=strata, layers=names, sexes=sexes, ages=axis, seed=seed, defaults=defaults, notes=notes,
    )  # fmt: skip
    return _labelled(bare, parts, held)


def carry(national: Rates, shelf: Shelf) -> Rates:
    """The rate, and what carries it to places by the local steps of its model.

    Parameters
    ----------
    national : before any local step.
    shelf : where the steps' sources are.

    Raises
    ------
    ModelError
        What the steps refuse, or rates by overlapping severity.
    """
    if national.layers != ("",):
        what = "rates by overlapping severity cannot be carried to a place"
        raise ModelError(Fault(what, "Use rates of all cases together, or no local step", field="local"))
    mean, drawn = national.mean()[0], national.at("", 0, terms=())[0]
    sexes = (national.model.sex,) if national.sexes == ("persons",) else national.sexes
    local = carried(
        national.model, shelf, national.universe, sexes, national.ages, mean, drawn, national.seed, national.defaults
    )
    cited = {source.id: source for source in (*national.citations, *local.cited)}
    return replace(
        national, local=local, citations=tuple(cited.values()), notes=(*national.notes, *local.notes),
        flags=tuple(sorted({*national.flags, *local.flags})),
    )  # fmt: skip


def _labelled(bare: Rates, parts: list[Part], held: list[Part]) -> Rates:
    dims = ("severity", "sex", "age")
    coords = {"severity": list(bare.severities), "sex": list(bare.sexes), "age": bare.ages.labels}
    headline = xr.DataArray(bare.mean(), dims=dims, coords=coords)
    drawn = xr.DataArray(bare.at("", 0, terms=("study",)), dims=(*dims, "draw"), coords=coords)
    if len(bare.severities) == 1:
        headline, drawn = headline.isel(severity=0, drop=True), drawn.isel(severity=0, drop=True)
    citations = {cited.id: cited for part in parts for cited in part.cited}
    found = Rates(
        headline, drawn, "prevalence", "proportion", bare.universe, tuple(citations.values()), flags_of(bare.model, parts, held, bare.ages),
        model=bare.model, groups=bare.groups, strata=bare.strata, layers=bare.layers, sexes=bare.sexes, ages=bare.ages,
        seed=bare.seed, defaults=bare.defaults, notes=bare.notes,
    )  # fmt: skip
    check_mean(found)
    return found


def _envelope(model: Model, shelf: Shelf, draws: int, seed: int, how: Correcting) -> Rates:
    """Each source alone, a whole run: never averaged. The first named is the one returned; it carries the others."""
    alone = model.alone(model.prevalence.named)
    if len(alone) < 2:
        remedy = "Use combine: single"
        raise ModelError(Fault("an envelope needs two sources or more", remedy, field="prevalence.combine"))
    first, *others = _each(alone, shelf, draws, seed, how)
    said = f"each source is run alone and none averaged; these figures rest on {first.parts[0].source.label}"
    return _side_by_side(replace(first, model=model, scenario=""), others, said)


def _each(alone: list[Model], shelf: Shelf, draws: int, seed: int, how: Correcting) -> list[Rates]:
    return [
        replace(make_rates(one, shelf, draws, seed, how, beside=True), scenario=one.prevalence.sources[0].source)
        for one in alone
    ]


def _side_by_side(first: Rates, alone: list[Rates], *said: str) -> Rates:
    """Rates with whole runs beside them, each resting on one source, and how far from the rates each is."""
    if not alone:
        return first
    told = [beside(one.parts[0].source.label, first, one) for one in alone]
    cited = {source.id: source for one in (first, *alone) for source in one.citations}
    flags = {flag for one in (first, *alone) for flag in one.flags}
    return replace(
        first, scenarios=(*first.scenarios, *alone), notes=(*first.notes, *said, *told),
        flags=tuple(sorted({*flags, "W301"})), citations=tuple(cited.values()),
    )  # fmt: skip
