"""Rates that places have of their own: found there, and not carried there from elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.population import areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.evidence.source import PopulationSource
from hna.measure.ages import AgeAxis
from hna.model.defaults import Defaults
from hna.model.people_areas import UPPER, below
from hna.model.rates_parts import Part
from hna.model.spec import Model
from hna.model.strata import Layers

Array = NDArray[np.float64]

_KEPT = 2**23
"""Numbers that are kept so as not to be formed again."""
_AT_ONCE = 16
"""Places whose rates are formed together."""
_ROUNDED = 1e-3
"""Places add up to a larger area within this part of its people: numbers may be printed rounded."""


@dataclass(frozen=True)
class Told:
    """What a place's own rate rests on.

    Parameters
    ----------
    people : asked there (effective number under weights) or counted among there; 0 where nobody was.
    own : the place's own share, without what other places say; None where there is none.
    shrinkage : how much of its difference from other places is drawn from them: 0 its own data settle it, 1 nobody was asked.
        None for a larger area, which is the sum of places.
    """

    people: float
    own: float | None
    shrinkage: float | None


@dataclass(frozen=True, eq=False)
class Ground:
    """Who lives where, so that larger areas are the sum of places.

    Parameters
    ----------
    source : whose people they are.
    year : of them.
    found : codes of the places that have data of their own.
    below : which areas lie directly in one.
    people : by code, shape (sex, age).
    names : of areas by code.
    """

    source: PopulationSource
    year: int
    found: frozenset[str]
    below: Mapping[str, Sequence[str]]
    people: Mapping[str, Array]
    names: Mapping[str, str]

    def parts(self, code: str) -> tuple[str, ...]:
        """Places that a larger area is made of, those with data of their own not divided further; none for a place itself.

        Raises
        ------
        AxisError
            If nobody counts the area, its places do not add up to it, or it lies in a place whose data are of the whole.
        """
        if code in self.found:
            return ()
        reached, lowest = [code], set()
        while reached:
            one = reached.pop()
            children = [] if one in self.found else [child for child in self.below.get(one, ()) if child in self.people]
            reached += children
            if not children and one != code:
                lowest.add(one)
        if not lowest:
            self._check_place(code)
        elif code in self.people:
            self._check_whole(code, sum(float(self.people[one].sum()) for one in lowest))
        return tuple(sorted(lowest))

    def _check_whole(self, code: str, living: float) -> None:
        """Refuse a larger area of which the places hold only a part."""
        whole = float(self.people[code].sum())
        if abs(living - whole) > _ROUNDED * whole:
            what = f"the places in {code} hold {living:,.0f} of its {whole:,.0f} people"
            remedy = f"Add the places that are missing to {self.source.id}, or mend the lookups under data/areas"
            raise AxisError(Fault(what, remedy, field="area"))

    def _check_place(self, code: str) -> None:
        above = sorted(one for one in self.found if code in self.below.get(one, ()))
        remedy = f"Ask for one of the areas of {self.source.id}, or name another population in the model file"
        if above:
            what = f"{code} lies in {above[0]}, whose data are of the whole: nothing is known of how its parts differ"
            raise AxisError(Fault(what, f"Ask for {above[0]}", field="area"))
        if code not in self.people:
            what = f"{code} is no area of {self.source.id}, so that nobody can say who lives there"
            raise AxisError(Fault(what, remedy, field="area"))

    @property
    def places(self) -> tuple[str, ...]:
        """Every place: areas that hold no others, and those with data of their own."""
        inside = {child for one in self.found for child in self.below.get(one, ())}
        wide = {one for one in self.people if any(child in self.people for child in self.below.get(one, ()))}
        return tuple(sorted(self.found | (set(self.people) - wide - inside)))

    def shares(self, codes: Sequence[str]) -> Array:
        """Share that each of some places has of their people, shape (place, sex, age); even where nobody lives."""
        people = np.stack([self.people[code] for code in codes])
        total = people.sum(axis=0)
        found: Array = np.where(total > 0, people / np.where(total > 0, total, 1.0), 1 / len(codes))
        return found


def ground_of(
    shelf: Shelf,
    found: Sequence[str],
    sexes: Sequence[str],
    ages: AgeAxis,
    near: float | None,
    *,
    name: str | None = None,
    group: str = "",
    field: str = "",
) -> Ground:
    """Who lives in the places that have data, and in all others of the same population.

    Parameters
    ----------
    shelf : where populations and lookups are.
    found : codes of the places that have data.
    sexes, ages : of the rates.
    near : year to which the people's should be nearest; None for the latest.
    name : of the population; None for the first estimate that counts all the places, the analyst's own first.
    group : whom it counts; blank for everybody.
    field : of the model file, for messages.

    Raises
    ------
    ModelError
        If places are in no population.
    """
    folders = shelf.folders(PopulationSource)
    chosen, lacking = _population(shelf, found, name, group)
    if lacking:
        remedy = f"Mend the codes, or add these areas to {chosen}" if chosen else "Add a population that counts them"
        raise ModelError(Fault("areas with data are in no population", remedy, field=field, rows=lacking))
    gazetteer, years = areas_and_years(shelf, chosen)
    year = min(years, key=lambda one: (abs(one + 0.5 - near), one)) if near is not None else years[-1]
    held = read_population(shelf, chosen, [area.code for area in gazetteer.areas], [year]).on(sexes, ages)
    people = {area.code: held.people[a, 0] for a, area in enumerate(held.areas)}
    empty = [code for code in found if people[code].sum() <= 0]
    if empty:
        remedy = "Give a population of these ages and sex"
        what = f"nobody of the need's ages and sex lives in places with data, by {chosen}"
        raise ModelError(Fault(what, remedy, str(folders[chosen]), field, empty))
    names = {area.code: area.name for area in gazetteer.areas}
    return Ground(held.source, year, frozenset(found), below(shelf, UPPER), people, names)


def _population(shelf: Shelf, found: Sequence[str], name: str | None, group: str) -> tuple[str, list[str]]:
    """A population, and which of the places it does not count."""
    folders = shelf.folders(PopulationSource)
    if name is not None:
        shelf.record(PopulationSource, name)
        names = [name]
    else:
        records = [shelf.record(PopulationSource, one) for one in folders]
        fitting = [one.id for one in records if one.basis != "projection" and (one.group or "") == group]
        names = sorted(fitting, key=lambda one: (not shelf.own(folders[one]), -areas_and_years(shelf, one)[1][-1]))
    best: tuple[str, list[str]] = ("", list(found))
    for one in names:
        lacking = [code for code in found if code not in areas_and_years(shelf, one)[0]]
        if not lacking:
            return one, []
        if not best[0] or len(lacking) < len(best[1]):
            best = (one, lacking)
    return best


@dataclass(frozen=True, eq=False)
class Places(ABC):
    """Rates of places, each from its own data and from what other places say.

    Parameters
    ----------
    sexes, ages : of the rates.
    ground : who lives where.
    """

    sexes: tuple[str, ...]
    ages: AgeAxis
    ground: Ground
    _drawn: dict[str, Array] = field(default_factory=dict, repr=False, kw_only=True)
    _means: dict[str, Array] = field(default_factory=dict, repr=False, kw_only=True)

    @abstractmethod
    def _own(self, places: Sequence[str]) -> Array:
        """Draws of the rates in places that are no sums of others, shape (place, sex, age, draw), proportions."""

    @abstractmethod
    def told(self, area: str) -> Told:
        """What the rate of an area rests on."""

    def draws(self, area: str) -> Array:
        """Draws of the rate in an area, shape (sex, age, draw), proportions; a larger area's is that of its people together.

        Raises
        ------
        AxisError
            If the area is not among those that rates can be found for.
        """
        made = self._drawn.get(area)
        if made is None:
            parts = self.ground.parts(area)
            made = self._together(parts) if parts else self._own([area])[0]
            if (len(self._drawn) + 1) * made.size > _KEPT:
                self._drawn.clear()
            self._drawn[area] = made
        return made

    @property
    def steps(self) -> dict[str, Places]:
        """Rates after each step, by the step's name in the waterfall."""
        return {"local": self}

    def without(self, *_steps: str) -> Places:
        """The same: no part of its error comes from elsewhere."""
        return self

    def alone(self, _area: str) -> bool:
        """That a place has no further error of its own."""
        return True

    def mean(self, area: str) -> Array:
        """Headline rates of an area, the means of its draws, shape (cell,); a cell is a sex and age."""
        if area not in self._means:
            self._means[area] = self.draws(area).mean(axis=-1).ravel()
        return self._means[area]

    def whole(self) -> Array:
        """Draws of the rate in all places with data of their own together, shape (sex, age, draw)."""
        return self._together(sorted(self.ground.found))

    def _together(self, codes: Sequence[str]) -> Array:
        """Rates of some places weighed by their people, some places at a time."""
        share = self.ground.shares(codes)[..., None]
        found = np.zeros(1)
        for start in range(0, len(codes), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            found = found + (share[some] * self._own(codes[some])).sum(axis=0)
        return found

    def shared_told(self, area: str) -> Told | None:
        """What a larger area rests on: people of all its places; None for a place itself."""
        parts = self.ground.parts(area)
        return Told(sum(self.told(one).people for one in parts), None, None) if parts else None


def check_placed(model: Model, field: str) -> None:
    """Refuse what does not go with rates that are found in each place.

    Raises
    ------
    ModelError
        R311 for a transport error; R411 for a local step; sources beside, graduated ages, and judged ranges.
    """
    held, faults = model.prevalence, []
    if held.errors.transport:
        what = "the rates already hold how places differ"
        remedy = "Leave out prevalence.errors.transport"
        faults.append(Fault(what, remedy, field="prevalence.errors.transport", code="R311"))
    if model.local:
        what = "each place has a rate of its own, in which who lives there is held already"
        faults.append(Fault(what, "Leave out local; name deprivation or ethnicity in the formula of a survey instead",
                            field="local", code="R411"))  # fmt: skip
    if held.sources:
        remedy = f"Write sources: [], and name what it rests on under {field}"
        faults.append(Fault(f"combine: {held.combine} rests on no sources beside", remedy, field="prevalence.sources"))
    if held.ages == "graduate":
        remedy = "Use ages: step; rw(age) in a survey's formula smooths by age"
        faults.append(Fault("rates found in each place cannot be graduated", remedy, field="prevalence.ages"))
    if held.judged is not None and not held.severity:
        remedy = "Leave out judged: it would serve a source named under severity alone"
        faults.append(Fault("the interval comes from the answers or counts", remedy, field="prevalence.judged"))
    if faults:
        raise ModelError(faults)


def part_of(model: Model, layers: Layers, risk: str | None, defaults: Defaults, study_name: str) -> Part:
    """The rate of all places together as a part, with the errors that no answer or count holds, and no transport error.

    Parameters
    ----------
    layers : of all places together.
    risk : of bias; None where nobody appraised it.
    study_name : whose error the study error is.
    """
    errors = model.prevalence.errors
    study = defaults.study_error[risk or "high"] if errors.study is None else errors.study
    default = f"default for {risk} risk of bias" if risk else "default for a study that was not appraised"
    said = errors.because or ""
    reasons = {
        "study": default if errors.study is None else said,
        "transport": "how places differ is in the rate of each",
        "staleness": "default" if errors.staleness is None else said,
    }
    year = layers.table.source.citation.year
    return Part(
        layers, study, 0.0, defaults.staleness_error if errors.staleness is None else errors.staleness, reasons, study_name,
        assumed_date=None if year is None else year - defaults.publication_lag,
    )  # fmt: skip
