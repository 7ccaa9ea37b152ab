"""How far the number of people itself may be out, as factors of mean one by area, year and age: nested exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.evidence.source import ErrorSource, PopulationSource
from hna.measure.ages import AgeAxis
from hna.model.centred import centred, order_of
from hna.model.error_table import error_table_for
from hna.model.people_areas import UPPER, authorities_of, below, lowest
from hna.model.projection import PopulationError, path_of, read_population_error

Array = NDArray[np.float64]

_ROUNDED = 1e-3
"""Authorities add up to a country within this part of it: projections are printed rounded."""
_KEPT = 256_000_000
"""Most bytes of factors, and of scores, that are kept for the next need."""
_NUMBER = 8


@dataclass(frozen=True, eq=False)
class PeopleError:
    """Errors of one population, for every area and year that it may be asked for.

    ``P(area, year, age) = P̂ · exp(ε(area, year) + ω(age, year) + ν(area, age, year) − ½ their variances)``: ω is the country's,
    drawn first; ε of an area and ν of its groups of ages add up to nothing over the authorities of the country, weighted by
    their people; each leans on the year before by the same share, from the census on. Estimates have one factor for all ages.
    A larger area is the sum of its authorities in every draw, and a small area has its authority's factors.

    Parameters
    ----------
    error : standard deviations.
    base_year : from which a projection starts; the first year of a count.
    basis : ``estimate``, ``projection``, or ``count`` for what is out by a table alone.
    years : of `living`.
    authorities : of the lowest tier, in order.
    living : their people by group of ages, shape (year, authority, group).
    parts : by larger area, the positions of its authorities.
    whole : whether the authorities make up a country.
    inside : by small area, its authority.
    """

    error: PopulationError
    base_year: int
    basis: str
    years: tuple[int, ...] = ()
    authorities: tuple[str, ...] = ()
    living: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))
    parts: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)
    whole: bool = False
    inside: Mapping[str, str] = field(default_factory=dict)
    _made: dict[tuple[object, ...], Array] = field(default_factory=dict, repr=False)
    _scores: dict[tuple[object, ...], Array] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker is sent: not what was drawn."""
        return self.__dict__ | {"_made": {}, "_scores": {}}

    @property
    def groups(self) -> AgeAxis:
        """Ages that share an error."""
        return self.error.groups

    @property
    def citations(self) -> tuple[ErrorSource, ...]:
        """The table of errors, where there is one."""
        return () if self.error.table is None else (self.error.table.source,)

    def factors(self, code: str, year: int, seed: int, draws: int) -> Array:
        """Factors of the people of an area in a year, mean one.

        Parameters
        ----------
        code, year : where and when.
        seed, draws : of the run; streams are keyed by area, so that it has the same draws in every need and whatever else
            is asked for.

        Returns
        -------
        array of shape (group, draw), or (1, draw) where all ages share one.
        """
        code = self.inside.get(code, code)
        key = (code, year, seed, draws)
        found = self._made.get(key)
        if found is None:
            found = self._summed(code, year, seed, draws) if code in self.parts else self._own(code, year, seed, draws)
            _keep(self._made, key, found)
        return found

    def sd(self, code: str, year: int) -> float:
        """Standard deviation of the logarithm of an authority's total, or of the authority's that a small area lies in."""
        return self.error.area(self.inside.get(code, code), *self.when(year))

    def start(self, year: int) -> int:
        """The year from which errors build up: a census, or the first year of a count."""
        if self.basis == "count":
            return self.base_year
        last = min(year, self.base_year) if self.basis == "projection" else year
        return max([census for census in self.error.censuses if census <= last], default=last)

    def when(self, year: int) -> tuple[float, float]:
        """Years from the census to what was estimated, and years projected from there."""
        if self.basis == "count":
            return 0.0, 0.0
        if self.basis == "estimate":
            return float(year - self.start(year)), 0.0
        return float(min(year, self.base_year) - self.start(year)), float(max(year - self.base_year, 0))

    def _own(self, code: str, year: int, seed: int, draws: int) -> Array:
        when = self.when(year)
        country, own = self.error.ages(code, *when)
        totals = self._of_all(year, "", lambda one: self.error.area(one, *when))
        moved = self._deviation(code, "", self.sd(code, year), totals, year, seed, draws)
        if self.error.estimated and self.basis != "count":
            moved = moved + self._shift("population:national", self.error.estimated, year, seed, draws)
        if not (country.any() or own.any()):
            same: Array = np.exp(moved)[None]
            return same
        found = []
        for g, label in enumerate(self.groups.labels):
            ages = self._of_all(year, label, lambda one, at=g: float(self.error.ages(one, *when)[1][at]))  # type: ignore[misc]
            shared = self._shift(f"population:national:{label}", float(country[g]), year, seed, draws)
            found.append(moved + shared + self._deviation(code, label, float(own[g]), ages, year, seed, draws))
        every: Array = np.exp(np.stack(found))
        return every

    def _of_all(self, year: int, label: str, spread: Callable[[str], float]) -> tuple[Array, Array] | None:
        """Spread and weight of every authority of the country; None where it is not there as a whole."""
        if not self.whole or year not in self.years:
            return None
        key = ("spread", year, label)
        held = self._scores.get(key)
        if held is None:
            living = self.living[self.years.index(year)]
            people = living[:, self.groups.labels.index(label)] if label else living.sum(axis=1)
            held = self._scores[key] = np.stack([[spread(one) for one in self.authorities], people / people.sum()])
        return held[0], held[1]

    def _deviation(
        self, code: str, label: str, spread: float, of_all: tuple[Array, Array] | None, year: int, seed: int, draws: int
    ) -> Array:
        """The error of an authority beside its country's, less half its variance."""
        name = f":{label}" if label else ""
        at = self._at.get(code)
        if of_all is None or at is None:
            return self._shift(f"population:{code}{name}", spread, year, seed, draws)
        codes = self.authorities

        def score(before: int) -> Array:
            return self._path(f"population:before:{codes[before]}{name}", year, seed, draws)

        moved, variance = centred(at, *of_all, self._order, score)
        found: Array = moved - 0.5 * variance + np.zeros(draws)
        return found

    def _shift(self, component: str, spread: float, year: int, seed: int, draws: int) -> Array:
        if not spread:
            return np.zeros(draws)
        found: Array = spread * self._path(component, year, seed, draws) - 0.5 * spread**2
        return found

    def _path(self, component: str, year: int, seed: int, draws: int) -> Array:
        first = self.start(year)
        key = (component, first, year, seed, draws)
        score = self._scores.get(key)
        if score is None:
            score = path_of(f"{component}:{first}", first, year, self.error.persistence, seed, draws)
            _keep(self._scores, key, score)
        return score

    @cached_property
    def _at(self) -> dict[str, int]:
        return {code: n for n, code in enumerate(self.authorities)}

    @cached_property
    def _order(self) -> NDArray[np.uint64]:
        return order_of(self.authorities)

    def _summed(self, code: str, year: int, seed: int, draws: int) -> Array:
        inside = self.parts[code]
        people = self.living[self.years.index(year)][inside]
        total = people.sum(axis=0)[:, None]
        found = np.zeros((people.shape[1], draws))
        for n, here in zip(inside, people, strict=True):
            found += here[:, None] * self._own(self.authorities[n], year, seed, draws)
        mean: Array = np.where(total > 0, found / np.where(total > 0, total, 1.0), 1.0)
        return mean


def _keep(held: dict[tuple[object, ...], Array], key: tuple[object, ...], made: Array) -> None:
    """Kept for the next need; all is dropped where it would be too much, and drawn again the same."""
    if (len(held) + 1) * made.size * _NUMBER > _KEPT:
        held.clear()
    held[key] = made


def with_error(shelf: Shelf, population: Population) -> Population:
    """A population that carries its own error: residents estimated or projected, and whatever a table on the shelf speaks of.

    Small areas and wards have the error of their authority, so that they add up to it in every draw; one whose authority is
    not known is taken as exact. A census, a registered list, a school roll and a count of one group of people are taken as
    exact unless a table of errors names them: nobody has printed theirs for every area.

    Parameters
    ----------
    shelf : where the standards, tables of errors, the authorities of larger areas and their people are.
    population : any areas and years.

    Raises
    ------
    ModelError
        R512, R513 if a table of errors does not reach an area or year asked for.
    """
    source = population.source
    standards = shelf.once("population-error", lambda: read_population_error(shelf))
    small = [area.code for area in population.areas if area.code.startswith(standards.inside)]
    like, above = authorities_of(shelf, population, small, standards.inside) if small else (source, {})
    if len(above) < len(small):
        said = f"{source.id} is taken as exact: the authorities of its areas are not on the shelf"
        return replace(population, bridges=(*population.bridges, said))
    made = shelf.once(("people-error", like.id), lambda: _made(shelf, like, standards))
    if made is None:
        return population
    found = replace(population, error=replace(made, inside=above) if above else made)
    words([found])  # a table that does not reach these areas and years refuses here, before anything is drawn
    return found


def words(populations: Sequence[Population]) -> str:
    """One sentence: how far the areas' authorities may be out in each population's first and last year, and who measured it.

    Parameters
    ----------
    populations : as `with_error` gives them.

    Returns
    -------
    str
        Blank where all are taken as exact.
    """
    sizes: dict[int, str] = {}
    cited: dict[str, None] = {}
    leaning: dict[str, None] = {}
    inside = False
    for one in populations:
        error = one.error
        if not isinstance(error, PeopleError):
            continue
        named = [error.inside.get(area.code, area.code) for area in one.areas]
        made_of = [error.authorities[n] for code in named for n in error.parts.get(code, ())]
        codes = list(dict.fromkeys([*(code for code in named if code not in error.parts), *made_of]))
        for year in (one.years[-1], one.years[0]):
            spreads = sorted({round(100 * error.sd(code, year), 1) for code in codes})
            sizes[year] = f"{spreads[0]}%" if len(spreads) == 1 else f"{spreads[0]} to {spreads[-1]}%"
        table = error.error.table
        held = [table.source.words] if table else [text for text in _cited(error, one.years) if text]
        cited |= dict.fromkeys(text.rstrip(".") for text in held)
        leaning |= dict.fromkeys([_leaning(error, codes, one.years[-1])])
        inside = inside or bool(error.inside)
    if not sizes:
        return ""
    *first, last = [f"{sizes[year]} in mid-{year}" for year in sorted(sizes)]
    told = f"{', '.join(first)} and {last}" if first else last
    by = f" ({'; '.join(cited)})" if cited else ""
    return (
        f"the number of people is uncertain itself: by past errors, a standard deviation for {'its' if inside else 'an'} "
        f"authority of {told}; intervals include it{by}{''.join(leaning)}"
    )


def _cited(error: PeopleError, years: Sequence[int]) -> tuple[str, ...]:
    estimates, projections = error.error.cited
    return (estimates, projections) if error.basis == "projection" and years[-1] > error.base_year else (estimates,)


def _leaning(error: PeopleError, codes: Sequence[str], year: int) -> str:
    """Past bias, which is told and not taken off: errors of the past foretell how wide the next will be, not which way."""
    held = error.error
    if held.table is None:
        return ""
    when = error.when(year)
    found = {held.table.lean((code, held.kind(code), "default"), when[1] or when[0]) for code in codes}
    told = sorted(one for one in found if one is not None)
    if not told:
        return ""
    size = f"{100 * told[0]:+.1f}%" if len(told) == 1 else f"{100 * told[0]:+.1f} to {100 * told[-1]:+.1f}%"
    return f"; numbers like these were {size} out on average in the past, which is not taken off"


def _made(shelf: Shelf, source: PopulationSource, standards: PopulationError) -> PeopleError | None:
    """Errors of a whole population; None where it is taken as exact."""
    estimated = source.base == "resident" and source.basis != "census" and source.group is None
    table = error_table_for(shelf, source.id, standards.types)
    if table is None and not estimated:
        return None
    error = replace(standards, table=table, groups=(table and table.groups) or standards.groups)
    gazetteer, years = areas_and_years(shelf, source.id)
    basis = source.basis if estimated else "count"
    held = {area.code for area in gazetteer.areas}
    larger_areas = {code: inside for code, inside in below(shelf, UPPER).items() if code in held}
    made_of = {code: lowest(code, larger_areas, held) for code in larger_areas}
    larger = {code: inside for code, inside in made_of.items() if inside}
    authorities = sorted({code for code in held if code.startswith(standards.authorities)} - larger.keys())
    if not authorities:
        return PeopleError(error, years[0], basis)
    children = {child for inside in larger_areas.values() for child in inside}
    country = next((code for code in sorted(larger) if code not in children), None)
    people = read_population(shelf, source.id, [*authorities, *([country] if country else [])], years)
    living = np.moveaxis(people.people.sum(axis=2) @ _divided(people.ages, error.groups), 1, 0)
    whole = country is not None and bool(
        (np.abs(living[:, :-1].sum(axis=1) - living[:, -1]) <= _ROUNDED * living[:, -1]).all()
    )
    if country and whole:
        larger[country] = authorities
    at = {code: n for n, code in enumerate(authorities)}
    parts = {code: np.array([at[one] for one in inside], dtype=np.intp) for code, inside in larger.items()}
    return PeopleError(
        error, years[0], basis, years, tuple(authorities), living[:, : len(authorities)], parts, whole
    )  # fmt: skip


def _divided(ages: AgeAxis, groups: AgeAxis) -> Array:
    """How each band of ages is divided among groups, by years of age where it lies across them: shape (age, group)."""
    top = max(ages.bands[-1].low, groups.bands[-1].low) + 1
    low, high = np.array([(band.low, min(band.end, top)) for band in ages.bands]).T[..., None]
    first, last = np.array([(band.low, min(band.end, top)) for band in groups.bands]).T
    years = np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None)
    found: Array = years / np.maximum(years.sum(axis=1, keepdims=True), 1)
    return found
