"""How far the number of people itself may be out, as factors of mean one by area, year and age: nested exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import AreasSource
from hna.evidence.tables import read_columns
from hna.measure.ages import AgeAxis, sum_bands
from hna.model.projection import PopulationError, path_of, read_population_error

Array = NDArray[np.float64]

_LOOKUP = ("child", "parent", "vintage", "best_fit")
_TEN = 10.0


@dataclass(frozen=True, eq=False)
class PeopleError:
    """Errors of one population, for every area and year that it may be asked for.

    ``P(area, year, age) = P̂ · exp(ε(area, year) + ω(age, year) + ν(area, age, year) − ½ their variances)``, as in
    `hna.model.projection`: ε is the area's, ω the country's, ν a group of ages in one area; each leans on the year before
    by the same share, from the census on. Estimates have ε alone. A larger area is the sum of its authorities in every draw.

    Parameters
    ----------
    error : standard deviations.
    groups : ages that share an error.
    base_year : from which a projection starts; years up to it are estimated.
    census : from which the estimates start.
    projected : whether years after the base are projected.
    parts : by larger area, the authorities that it is made of.
    living : people of those authorities by group, shape (year, group), by code.
    years : of `living`.
    """

    error: PopulationError
    groups: AgeAxis
    base_year: int
    census: int
    projected: bool
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    living: Mapping[str, Array] = field(default_factory=dict)
    years: tuple[int, ...] = ()
    _made: dict[tuple[str, int, int, int], Array] = field(default_factory=dict, repr=False)

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
        key = (code, year, seed, draws)
        if key not in self._made:
            inside = self.parts.get(code, ())
            self._made[key] = self._summed(inside, year, seed, draws) if inside else self._own(code, year, seed, draws)
        return self._made[key]

    def sd(self, code: str, year: int) -> float:
        """Standard deviation of the logarithm of an authority's total."""
        ahead = max(year - self.base_year, 0) if self.projected else 0
        since = min(year, self.base_year) - self.census if self.projected else year - self.census
        return self.error.area(self.error.kind(code), since, ahead)

    def words(self, codes: Sequence[str], years: Sequence[int]) -> str:
        """One sentence, for the first and last year; blank where no authority is named."""
        if not codes:
            return ""
        first, last = (max(self.sd(code, year) for code in codes) for year in (years[0], years[-1]))
        later = "" if years[-1] == years[0] else f", and {100 * last:.1f} % in {years[-1]}"
        return (
            f"the number of people is uncertain itself: a standard deviation of {100 * first:.1f} % in mid-{years[0]}{later} "
            "for an authority, by past errors; intervals include it"
        )

    def _own(self, code: str, year: int, seed: int, draws: int) -> Array:
        ahead = max(year - self.base_year, 0) if self.projected else 0
        whole = self._moved(f"population:{code}:{self.census}", np.array([self.sd(code, year)]), year, seed, draws)
        if not ahead:
            same: Array = np.exp(whole)
            return same
        low = np.array([band.low for band in self.groups.bands], dtype=float)
        high = np.array([band.end for band in self.groups.bands])
        with np.errstate(invalid="ignore"):
            unborn = np.where(np.isinf(high), 0.0, np.clip((ahead - low) / (high - low), 0, 1))
        young = (low >= self.error.young_ages[0] // 5 * 5) & (high <= self.error.young_ages[1] + 1)
        national = np.sqrt(unborn * self.error.unborn**2 + (1 - unborn) * self.error.born**2) * ahead / _TEN
        usual = np.where(young, self.error.young, self.error.age)
        own = np.sqrt(unborn * self.error.young**2 + (1 - unborn) * usual**2) * ahead / _TEN
        moved = [
            whole[0]
            + self._moved(f"population:national:{label}:{self.census}", national[g : g + 1], year, seed, draws)[0]
            + self._moved(f"population:{code}:{label}:{self.census}", own[g : g + 1], year, seed, draws)[0]
            for g, label in enumerate(self.groups.labels)
        ]
        found: Array = np.exp(np.stack(moved))
        return found

    def _moved(self, component: str, spread: Array, year: int, seed: int, draws: int) -> Array:
        score = path_of(component, self.census, year, self.error.persistence, seed, draws)
        found: Array = spread[:, None] * score - 0.5 * spread[:, None] ** 2
        return found

    def _summed(self, inside: Sequence[str], year: int, seed: int, draws: int) -> Array:
        at = self.years.index(year)
        people = np.stack([self.living[code][at] for code in inside])
        total = people.sum(axis=0)[:, None]
        found = np.zeros((people.shape[1], draws))
        for code, here in zip(inside, people, strict=True):
            found += here[:, None] * self._own(code, year, seed, draws)
        mean: Array = np.where(total > 0, found / np.where(total > 0, total, 1.0), 1.0)
        return mean


def with_error(shelf: Shelf, population: Population) -> Population:
    """A population that carries its own error: residents estimated or projected; others are returned as they are.

    So are small areas, whose errors nobody has measured: errors of an authority do not divide among them independently.

    Parameters
    ----------
    shelf : where the standards, the authorities of larger areas and their people are.
    population : any areas and years.
    """
    source = population.source
    if source.base != "resident" or source.basis == "census":
        return population
    error = shelf.once("population-error", lambda: read_population_error(shelf))
    if any(area.code.startswith(error.exact) for area in population.areas):
        return population
    years = population.years
    parts = {area.code: inside for area in population.areas if (inside := _parts(shelf, source.id, area.code))}
    key = ("people-error", source.id, years, tuple(parts))
    made = shelf.once(key, lambda: _made(shelf, population, error, parts))
    said = made.words([area.code for area in population.areas if area.code not in parts], years)
    return replace(population, error=made, bridges=(*population.bridges, *([said] if said else [])))


def _made(
    shelf: Shelf, population: Population, error: PopulationError, parts: Mapping[str, tuple[str, ...]]
) -> PeopleError:
    projected = population.source.basis == "projection"
    base = population.base_year if projected else max(population.years)
    census = max([year for year in error.censuses if year <= min(base, *population.years)], default=base)
    codes = sorted({code for inside in parts.values() for code in inside})
    living: dict[str, Array] = {}
    if codes:
        held = read_population(shelf, population.source.id, codes, population.years)
        by_group = sum_bands(held.people.sum(axis=2), held.ages, error.groups)
        living = dict(zip([area.code for area in held.areas], by_group, strict=True))
    return PeopleError(error, error.groups, base, census, projected, parts, living, population.years)


def _parts(shelf: Shelf, population: str, code: str) -> tuple[str, ...]:
    """Authorities of the lowest tier that a larger area is made of and that the population holds."""
    below = shelf.once("areas-below", lambda: _below(shelf))
    held = areas_and_years(shelf, population)[0]
    reached, lowest = [code], []
    while reached:
        one = reached.pop()
        children = [child for child in below.get(one, ()) if child in held]
        reached += children
        if not children and one != code:
            lowest.append(one)
    return tuple(sorted(set(lowest)))


def _below(shelf: Shelf) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in shelf.folders(AreasSource):
        if name.startswith("ltla-utla"):
            table = read_columns(table_file(shelf.folder(AreasSource, name)), _LOOKUP)
            for child, parent in zip(table["child"].astype(str), table["parent"].astype(str), strict=True):
                found.setdefault(parent, []).append(child)
    return found
