"""The rate of a need as draws: as published, and carried to an area and a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hna.errors import ModelError
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import normal, uniform
from hna.measure.estimate import Estimate
from hna.model.defaults import Defaults
from hna.model.distribution import shift_logit
from hna.model.local_steps import Carried
from hna.model.places import Places
from hna.model.rates_parts import Part, share_draws, share_mean, spread_over
from hna.model.spec import Model
from hna.model.trend_part import RateTrend

Array = NDArray[np.float64]
_ALL_AGES = AgeAxis((AgeBand(0, None),))
TERMS = ("study", "staleness", "transport")


class Before(NamedTuple):
    """The rate before one of its corrections.

    Attributes
    ----------
    step : screening, crosswalk or communal.
    shown : without it and what comes after it.
    still : with it and what comes after it, as if they were known without error.
    """

    step: str
    shown: Rates
    still: Rates


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
    scenarios : whole runs beside it: the same need on each further source of an envelope, or on a source beside, alone.
    local : what carries the rate to a place by who lives there, or rates that are found in each place; None where every
        place has the same rate.
    trend : how the rate changes from year to year; None for the constant rate, which is the headline.
    scenario : which scenario this is: the id of the source it rests on, or `trend`; blank for the headline.
    before : the rate before each correction of its sources, for showing what that did.
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
    local: Carried | Places | None = None
    trend: RateTrend | None = None
    scenario: str = ""
    before: tuple[Before, ...] = ()

    @cached_property
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
    def found_in_places(self) -> bool:
        """Whether places have rates that were found there, by answers or counts, and not carried there."""
        return isinstance(self.local, Places)

    @property
    def by_area(self) -> bool:
        """Whether areas have rates of their own."""
        return self.has_transport or self.local is not None

    @cached_property
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

    def in_place(self, area: str) -> Rates:
        """The rates that were found in one place, as rates that belong to no other."""
        if not isinstance(self.local, Places):
            raise ModelError(f"rates of {self.model.need} are not found in places")
        alone = replace(self, groups=((self._part_in(self.local, area),),), local=None)
        headline = self.headline.copy(data=alone.mean().reshape(self.headline.shape))
        studied = replace(alone, trend=None).at("", 0, terms=("study",))
        drawn = self.draws.copy(data=studied.reshape(self.draws.shape))
        return replace(alone, headline=headline, draws=drawn)

    def _part_in(self, places: Places, area: str) -> Part:
        part = self.groups[0][0]
        mean = places.mean(area).reshape(part.layers.mean.shape)
        return replace(part, layers=replace(part.layers, mean=mean, draws=places.draws(area)[None]))

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

        References
        ----------
        Turner RM, Spiegelhalter DJ, Smith GCS, Thompson SG. J R Stat Soc A 2009;172:21-47 (errors of a study added to its sampling
        error). doi 10.1111/j.1467-985X.2008.00547.x.
        """
        found = self._at(area, year, terms, errors_of)
        return found if self.trend is None else self.trend.moved(found, year, len(self.layers))

    def _at(self, area: str, year: int, terms: Sequence[str], errors_of: str | None) -> Array:
        if self.local is None or not area:
            return self._drawn(errors_of or area, year, terms)
        if isinstance(self.local, Places):
            alone = ((self._part_in(self.local, area),),)
            return replace(self, groups=alone, local=None, trend=None).at("", year, terms)
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
