"""The conductor: a model and the shelf become draws of the rate, and a record of what each step did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import DEFAULT_DRAWS, check_draws, normal, uniform
from hna.measure.estimate import Cited, Estimate, Universe
from hna.model.defaults import Defaults, read_defaults
from hna.model.distribution import shift_logit
from hna.model.hidden_lists import listed_parts
from hna.model.hidden_part import multiplied_part
from hna.model.local_steps import Carried, carried
from hna.model.pool_ages_part import pooled_by_age_part
from hna.model.pool_part import pooled_part
from hna.model.rates_parts import (
    ENGLAND,
    Part,
    beside,
    check_mean,
    group_parts,
    make_part,
    one_condition,
    same_ages,
    share_draws,
    share_mean,
    spread_over,
)
from hna.model.spec import Model
from hna.model.trend_part import NAME as TREND
from hna.model.trend_part import RateTrend, trend_part

__all__ = ["ENGLAND", "TERMS", "Part", "Rates", "make_rates", "shift_logit"]

Array = NDArray[np.float64]
_ALL_AGES = AgeAxis((AgeBand(0, None),))
TERMS = ("study", "staleness", "transport")


@dataclass(frozen=True, eq=False)
class Rates(Estimate):
    """Draws of a rate, with what is needed to carry it to a place and a year.

    ``draws`` hold sampling and study error: the rate where and when it was studied. `at` adds staleness and transport.

    Parameters
    ----------
    model : what it was made for.
    groups : parts whose ages follow each other; the parts within a group are alternatives, drawn with equal weight.
    strata : names of the exclusive strata of severity; empty if cases are not divided.
    layers : names of the layers, blank for all cases together.
    seed : of every stream.
    defaults : what was assumed.
    scenarios : the same need resting on each further source alone, where the model asks for an envelope; the rates
        themselves then rest on the first source named.
    local : what carries the rate to a place by who lives there; None where every place has the same rate.
    trend : how the rate changes from year to year; None for the constant rate, which is the headline.
    scenario : which scenario this is: the id of the source it rests on, or `trend`; blank for the headline.
    """

    model: Model = None  # type: ignore[assignment]
    groups: tuple[tuple[Part, ...], ...] = ()
    strata: tuple[str, ...] = ()
    layers: tuple[str, ...] = ("",)
    sexes: tuple[str, ...] = ("persons",)
    ages: AgeAxis = _ALL_AGES
    seed: int = 0
    defaults: Defaults = None  # type: ignore[assignment]
    notes: tuple[str, ...] = ()
    scenarios: tuple[Rates, ...] = ()
    local: Carried | None = None
    trend: RateTrend | None = None
    scenario: str = ""

    @property
    def size(self) -> int:
        """Draws."""
        return int(self.draws.sizes["draw"])

    @property
    def parts(self) -> list[Part]:
        """Every part; of a pooled one, the studies that it was pooled from."""
        return [study for group in self.groups for part in group for study in part.members or (part,)]

    @property
    def severities(self) -> tuple[str, ...]:
        """Labels along severity: blank for all cases together, then strata."""
        return (*self.layers, *self.strata)

    @property
    def has_transport(self) -> bool:
        """Whether areas have errors of their own."""
        return any(part.transport > 0 for part in self.parts)

    @property
    def by_area(self) -> bool:
        """Whether areas have rates of their own."""
        return self.has_transport or self.local is not None

    @property
    def changes_by_year(self) -> bool:
        """Whether years have rates of their own."""
        timed = any(part.staleness > 0 and part.studied is not None for part in self.parts)
        return timed or self.trend is not None

    def mean(self, area: str = "", year: int | None = None) -> Array:
        """Published rates, shape (severity, sex, age): all layers, then exclusive strata.

        Parameters
        ----------
        area : code of the place to which the rate is carried; blank for the rate as published.
        year : of a rate that changes; None for the rate as published.
        """
        found = self._constant(area)
        return found if self.trend is None or year is None else self.trend.moved(found, year, len(self.layers))

    def _constant(self, area: str) -> Array:
        published = self._published()
        if self.local is None or not area:
            return published
        here = self.local.mean(area).reshape(1, *published.shape[1:])
        return np.concatenate([here, here * published[1:] / published[:1]])

    def _published(self) -> Array:
        blocks = []
        for group in self.groups:
            means = [spread_over(part.layers.mean, part, self.sexes) for part in group]
            top = np.mean(means, axis=0)
            if self.strata:
                shares = np.mean([spread_over(share_mean(part), part, self.sexes) for part in group], axis=0)
                top = np.concatenate([top, top[:1] * shares])
            blocks.append(top)
        return np.concatenate(blocks, axis=-1)

    def at(self, area: str, year: int, terms: Sequence[str] = TERMS, errors_of: str | None = None) -> Array:
        """Draws of the rate in an area and year.

        ``logit p = logit(sampling draw) + study + staleness·(year − fieldwork) + transport(area)``, each error shared by
        every cell, and the whole moved by ``−½σ²(1 − 2p)`` so that the mean stays the published rate (methods §1.4).

        Parameters
        ----------
        area : code; it keys the transport error, so that the same area always gets the same draws. Blank: the rate as
            published, not carried to any place.
        year : calendar year.
        terms : which errors to add to sampling.
        errors_of : code of a larger area whose transport error this one shares; None for its own.

        Returns
        -------
        array of shape (severity, sex, age, draw): layers, then exclusive strata; proportions. With a local adjustment
            the transport error comes after it, so that the national total holds before it in every draw. A trend comes last.
        """
        found = self._at(area, year, terms, errors_of)
        return found if self.trend is None else self.trend.moved(found, year, len(self.layers))

    def _at(self, area: str, year: int, terms: Sequence[str], errors_of: str | None) -> Array:
        if self.local is None or not area:
            return self._drawn(errors_of or area, year, terms)
        before = tuple(term for term in terms if term != "transport")
        national = self._drawn("", year, before)
        key = (year if self.changes_by_year else 0, before)
        here = self.local.place(area, national[0], key, lambda when: self._drawn("", when, before)[0])
        if "transport" in terms and self.has_transport and not self.local.alone(errors_of or area):
            here = self.moved(here, errors_of or area)
        if len(national) == 1:
            return here[None]
        return np.concatenate([here[None], here[None] * national[1:] / national[:1]])

    def moved(self, rate: Array, area: str) -> Array:
        """Rates, shape (sex, age, draw), with a place's own error."""
        blocks, start = [], 0
        for group in self.groups:
            ages = slice(start, start + len(group[0].layers.ages.bands))
            start = ages.stop
            noise = [part.transport * self._transport(part, area) for part in group]
            spread = [np.full(self.size, part.transport**2) for part in group]
            mixed = (noise[0], spread[0]) if len(group) == 1 else (self._mix(noise), self._mix(spread))
            blocks.append(shift_logit(rate[:, ages], *mixed))
        return np.concatenate(blocks, axis=1)

    def _transport(self, part: Part, area: str) -> Array:
        return normal(self.seed, f"transport:{part.source.id}:{area}", self.size)

    def _drawn(self, area: str, year: int, terms: Sequence[str]) -> Array:
        blocks = []
        for group in self.groups:
            drawn = [spread_over(self._layer_draws(part, area, year, terms), part, self.sexes) for part in group]
            top = drawn[0] if len(group) == 1 else self._mix(drawn)
            if self.strata:
                shares = [spread_over(share_draws(part), part, self.sexes) for part in group]
                share = shares[0] if len(group) == 1 else self._mix(shares)
                top = np.concatenate([top, top[:1] * share])
            blocks.append(top)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=2)

    def _layer_draws(self, part: Part, area: str, year: int, terms: Sequence[str]) -> Array:
        drawn = part.layers.draws
        noise, variance = np.zeros(self.size), 0.0
        name = part.source.id
        if "study" in terms and part.study > 0:
            noise = noise + part.study * normal(self.seed, f"study:{part.survey}", self.size)
            variance += part.study**2
        middle = part.studied
        if "staleness" in terms and part.staleness > 0 and middle is not None:
            spread = part.staleness * abs(year + 0.5 - middle)
            noise = noise + spread * normal(self.seed, f"staleness:{name}", self.size)
            variance += spread**2
        if "transport" in terms and part.transport > 0:
            noise = noise + part.transport * self._transport(part, area)
            variance += part.transport**2
        if variance == 0.0:
            return drawn
        return shift_logit(drawn, noise, variance)

    def _mix(self, alternatives: list[Array]) -> Array:
        points = uniform(self.seed, f"mixture:{self.model.need}", self.size)
        chosen = np.minimum((points * len(alternatives)).astype(int), len(alternatives) - 1)
        mixed: Array = np.choose(chosen, alternatives)
        return mixed


def make_rates(model: Model, shelf: Shelf, draws: int = DEFAULT_DRAWS, seed: int = 0) -> Rates:
    """The rate that a model states, as draws.

    Parameters
    ----------
    model : the model file.
    shelf : where its sources are.
    draws : how many.
    seed : of every stream.

    Returns
    -------
    Rates over severity, sex, age, draw; proportions.

    Raises
    ------
    ModelError, SourceError, AxisError
        What is wrong with the model or its sources.
    """
    check_draws(draws)
    found = _constant(model, shelf, draws, seed)
    if model.prevalence.trend is None:
        return found
    changing = trend_part(model, shelf, found.groups, draws, seed, found.defaults)
    cited = tuple({source.id: source for source in (*found.citations, *changing.cited)}.values())
    flags = tuple(sorted({*found.flags, "W302"}))
    notes = (*found.notes, changing.note)
    moving = replace(found, trend=changing, scenario=TREND, scenarios=(), notes=notes, citations=cited, flags=flags)
    notes = (*found.notes, f"beside it, {changing.note}")
    return replace(found, scenarios=(*found.scenarios, moving), notes=notes, citations=cited, flags=flags)


def _constant(model: Model, shelf: Shelf, draws: int, seed: int) -> Rates:
    if model.prevalence.combine == "envelope":
        return _envelope(model, shelf, draws, seed)
    defaults = read_defaults(shelf)
    combine = model.prevalence.combine
    also: tuple[Cited, ...] = ()
    beside: tuple[Part, ...] = ()
    if combine == "multiplier":
        part, also = multiplied_part(model, shelf, draws, seed, defaults)
        groups: list[tuple[Part, ...]] = [(part,)]
    elif combine == "capture-recapture":
        (part, *others), also = listed_parts(model, shelf, draws, seed, defaults)
        groups, beside = [(part,)], tuple(others)
    else:
        parts = [make_part(model, shelf, used, draws, seed, defaults) for used in model.prevalence.sources]
        if combine in _POOLED:
            groups = [(_POOLED[combine](model, shelf, parts, draws, seed, defaults),)]
        else:
            one_condition(parts)
            groups = [same_ages(group) for group in group_parts(model, parts)]
    found = _assembled(model, groups, draws, seed, defaults)
    scenarios = tuple(
        replace(_assembled(model, [(one,)], draws, seed, defaults), scenario=f"lists-{n}")
        for n, one in enumerate(beside, 2)
    )
    said = tuple(f"by another model of the lists: {note}" for one in beside for note in one.layers.notes[:1])
    found = replace(
        found, citations=(*found.citations, *also), scenarios=scenarios, notes=(*found.notes, *said),
        flags=tuple(sorted({*found.flags, *(["W301"] if beside else [])})),
    )  # fmt: skip
    return _carried(found, shelf) if model.local else found


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


def _carried(national: Rates, shelf: Shelf) -> Rates:
    """The rate, and what carries it to places."""
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
    citations = {part.source.id: part.source for part in parts}
    splitter = bare.model.prevalence.severity
    flags = dict.fromkeys(flag for part in held for flag in part.layers.flags)
    if any("default" in reason for part in parts for reason in part.reasons.values()):
        flags["W131"] = None
    if any(part.source.applicability and part.source.applicability.poor for part in held):
        flags["W161"] = None
    if any(part.source.study.frame == "household" for part in parts):
        flags["W522"] = None
    if bare.ages.widest > 10 or (len(bare.ages.bands) == 1 and bare.ages.bands[0].high is None):
        flags["W202"] = None
    if not bare.model.best_practice:
        flags["W902"] = None
    found = Rates(
        headline, drawn, "prevalence", "proportion", bare.universe, tuple(citations.values()), tuple(sorted(flags)),
        model=bare.model, groups=bare.groups, strata=bare.strata, layers=bare.layers, sexes=bare.sexes, ages=bare.ages,
        seed=bare.seed, defaults=bare.defaults,
        notes=(*bare.notes, *((f"severity: {splitter}",) if splitter else ())),
    )  # fmt: skip
    check_mean(found)
    return found


def _envelope(model: Model, shelf: Shelf, draws: int, seed: int) -> Rates:
    """Each source alone, a whole run: never averaged. The first named is the one returned; it carries the others."""
    alone = model.alone()
    if len(alone) < 2:
        remedy = "Use combine: single"
        raise ModelError(Fault("an envelope needs two sources or more", remedy, field="prevalence.combine"))
    first, *others = [
        replace(make_rates(one, shelf, draws, seed), scenario=one.prevalence.sources[0].source) for one in alone
    ]
    names = [made.parts[0].source.title or made.parts[0].source.id for made in (first, *others)]
    said = [f"each source is run alone and none averaged; these figures rest on {names[0]}"]
    said += [beside(name, first, other) for name, other in zip(names[1:], others, strict=True)]
    flags = dict.fromkeys(flag for one in (first, *others) for flag in one.flags)
    citations = {source.id: source for one in (first, *others) for source in one.citations}
    return replace(
        first, model=model, scenario="", scenarios=tuple(others), notes=(*first.notes, *said),
        flags=tuple(sorted({*flags, "W301"})), citations=tuple(citations.values()),
    )  # fmt: skip
