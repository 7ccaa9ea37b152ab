"""The error of the population itself: mid-year estimates and projections, coherent over areas, ages and years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hna.errors import Fault, ModelError, QuantityError
from hna.evidence.record import Record
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import stream
from hna.model.defaults import read_standard

Array = NDArray[np.float64]

FILE = "data/standards/population-error.yaml"
_TEN = 10.0
_EVERYONE = AgeAxis((AgeBand(0, None),))
_MEDIAN = 0.6744897501960817


class _Estimate(Record):
    at_census: float = Field(ge=0)
    per_year: float = Field(ge=0)
    because: str


class _ByAge(Record):
    default: float = Field(ge=0)
    young_adults: float = Field(ge=0, alias="young-adults")
    ages: list[int] = Field(min_length=2, max_length=2)
    because: str


class _National(Record):
    born: float = Field(ge=0)
    unborn: float = Field(ge=0)
    because: str


class _Share(Record):
    value: float = Field(ge=0, lt=1)
    because: str


class _Fields(Record):
    estimate_error: _Estimate
    projection_error: dict[str, float | str]
    national_error: _National
    age_error: _ByAge
    persistence: _Share
    censuses: list[int] = Field(min_length=1)
    kinds: dict[str, str]
    age_groups: list[int] = Field(min_length=2)
    exact: list[str]


@dataclass(frozen=True)
class ErrorTable:
    """How far past projections were out, as published: it takes the place of the defaults.

    Parameters
    ----------
    source : who measured it; keys nothing, printed.
    horizons : years ahead, rising.
    median : median absolute percentage error at each, as a proportion, by type of area.
    bias : mean percentage error (projected less counted) at each, as a proportion, by type of area; may be empty.
    """

    source: str
    horizons: tuple[int, ...]
    median: Mapping[str, tuple[float, ...]]
    bias: Mapping[str, tuple[float, ...]]

    def spread(self, kind: str, horizon: float) -> float:
        """SD of the logarithm: the median absolute error over 0.6745, straight between horizons, from 0 at 0.

        Raises
        ------
        ModelError
            R512 beyond the last horizon; R513 for a type of area that the table does not have.
        """
        return self._at(self.median, kind, horizon) / _MEDIAN

    def lean(self, kind: str, horizon: float) -> float:
        """Mean error of the logarithm; 0 where none is given. Past errors predict precision well, direction hardly."""
        return self._at(self.bias, kind, horizon) if self.bias else 0.0

    def _at(self, held: Mapping[str, tuple[float, ...]], kind: str, horizon: float) -> float:
        if kind not in held:
            raise ModelError(Fault(f"{self.source} has no areas of type {kind!r}", rows=sorted(held), code="R513"))
        if horizon > self.horizons[-1]:
            what = f"{horizon:g} years ahead lies beyond {self.source}, which goes to {self.horizons[-1]}"
            raise ModelError(Fault(what, "Use a nearer year", field="years", code="R512"))
        return float(np.interp(horizon, (0, *self.horizons), (0.0, *held[kind])))


@dataclass(frozen=True)
class PopulationError:
    """Standard deviations of the logarithm of a population, and their reasons.

    Parameters
    ----------
    at_census, per_year : of a mid-year estimate.
    ten_years : of an area's projection ten years ahead, by type of area, with ``default``.
    born, unborn : of a national age group ten years ahead, alive at the base or not.
    age, young : of one band in one area ten years ahead; the latter within `young_ages` and for ages not yet born.
    persistence : of an area's error from year to year.
    because : reasons, by field.
    censuses : years from which estimates start.
    kinds : type of area by the first letters of its code.
    groups : ages that share an error.
    exact : first letters of the codes of areas whose people are taken as exact.
    table : measured errors, used in place of `ten_years`.
    """

    at_census: float
    per_year: float
    ten_years: Mapping[str, float]
    born: float
    unborn: float
    age: float
    young: float
    young_ages: tuple[int, int]
    persistence: float
    because: Mapping[str, str]
    censuses: tuple[int, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    groups: AgeAxis = _EVERYONE
    exact: tuple[str, ...] = ()
    table: ErrorTable | None = None

    def kind(self, code: str) -> str:
        """Type of an area."""
        return next((kind for start, kind in self.kinds.items() if code.startswith(start)), "default")

    def area(self, kind: str, since_census: float, horizon: float) -> float:
        """SD of an area's total: ``√(σ₀² + σ(h)²)``, with ``σ(h) = σ₁₀·h/10`` unless a table measures it."""
        base = self.at_census + self.per_year * max(since_census, 0.0)
        if horizon <= 0:
            return base
        if self.table is not None:
            return float(np.hypot(base, self.table.spread(kind, horizon)))
        ten = self.ten_years.get(kind, self.ten_years["default"])
        return float(np.hypot(base, ten * horizon / _TEN))


def read_population_error(shelf: Shelf) -> PopulationError:
    """The standards on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    held = read_standard(shelf, FILE, _Fields)
    ten = {name: float(value) for name, value in held.projection_error.items() if name != "because"}
    said = ("estimate_error", "national_error", "age_error", "persistence")
    reasons = {name: getattr(held, name).because for name in said}
    return PopulationError(
        held.estimate_error.at_census, held.estimate_error.per_year, ten, held.national_error.born,
        held.national_error.unborn, held.age_error.default, held.age_error.young_adults,
        (held.age_error.ages[0], held.age_error.ages[1]), held.persistence.value,
        reasons | {"projection_error": str(held.projection_error.get("because", ""))}, tuple(held.censuses), held.kinds,
        AgeAxis(tuple(
            AgeBand(low, None if after is None else after - 1)
            for low, after in zip(held.age_groups, [*held.age_groups[1:], None], strict=True)
        )), tuple(held.exact),
    )  # fmt: skip


def population_draws(
    people: ArrayLike,
    ages: AgeAxis,
    areas: Sequence[str],
    years: Sequence[int],
    error: PopulationError,
    *,
    base_year: int,
    census: int,
    kinds: Sequence[str] | None = None,
    whole: bool = False,
    seed: int = 0,
    draws: int = 1000,
) -> Array:
    """Draws of a population whose errors fit together.

    ``P(area, year, age) = P̂ · exp(ε(area, year) + ω(age, year) + ν(area, age, year) − ½ their variances)``. ε is the area's
    own, an AR(1) in years whose spread grows with the horizon; ω is national and shared by all areas; ν is one band in one
    area, and grows with the horizon likewise. Each leans on its value the year before. Where the areas make up the whole
    country, ε and ν only share each band out among them, and the country has the error ω alone.

    Parameters
    ----------
    people : shape (area, year, age), published numbers of all the areas of the whole, or of some of it.
    ages : bands.
    areas : codes; they key the streams, so that an area's errors are the same whatever else is asked for.
    years : rising.
    base_year : the last year that was estimated and not projected.
    census : year of the census that the estimates start from.
    kinds : type of each area, as in the standards; None for the default.
    whole : whether the areas make up the country.
    seed, draws : of the streams.

    Returns
    -------
    array of shape (area, year, age, draw), people. Bands, areas and years are summed by adding draws, so that totals hold in
    every one.

    Raises
    ------
    QuantityError
        If shapes do not fit.

    References
    ----------
    Rayer S, Smith SK, Tayman J. Popul Res Policy Rev 2009;28:773-793 (what past errors tell). doi 10.1007/s11113-009-9129-z.
    """
    published = np.asarray(people, dtype=float)
    if published.shape != (len(areas), len(years), len(ages.bands)):
        raise QuantityError(f"people have shape {published.shape}, not (area, year, age)")
    types = list(kinds or ["default"] * len(areas))
    national = np.empty((len(years), len(ages.bands), draws))
    own = np.empty((*published.shape, draws))
    ahead = np.array([max(year - base_year, 0) / _TEN for year in years])
    for a, code in enumerate(areas):
        spread = np.array([error.area(types[a], year - census, year - base_year) for year in years])
        lean = np.array([_lean(error, types[a], year - base_year) for year in years])
        path = _paths(f"population:{code}", census, years, error.persistence, seed, draws)
        own[a] = (_centred(spread, path) - lean[:, None])[:, None, :]
    for b, band in enumerate(ages.bands):
        label = ages.labels[b]
        unborn = np.array([band.low < year - base_year for year in years])
        young = band.low <= error.young_ages[1] and band.end > error.young_ages[0]
        path = _paths(f"population:national:{label}", census, years, error.persistence, seed, draws)
        national[:, b] = _centred(np.where(unborn, error.unborn, error.born) * ahead, path)
        spread = np.where(unborn | young, error.young, error.age) * ahead
        for a, code in enumerate(areas if spread.any() else ()):
            own[a, :, b] += _centred(
                spread, _paths(f"population:{code}:{label}", census, years, error.persistence, seed, draws)
            )
    drawn: Array = published[..., None] * np.exp(own)
    if whole:
        target, summed = published.sum(axis=0)[..., None], drawn.sum(axis=0)
        drawn *= np.divide(target, summed, out=np.ones_like(summed), where=summed > 0)
    return drawn * np.exp(national)


def _lean(error: PopulationError, kind: str, horizon: float) -> float:
    return error.table.lean(kind, horizon) if error.table is not None and horizon > 0 else 0.0


def path_of(component: str, first: int, year: int, persistence: float, seed: int, draws: int) -> Array:
    """Standard normal score of one year, correlated with every other by ``persistence^gap``; shape (draw,).

    The path starts in the first year and is drawn in order from one stream, so that a year has the same score whatever other
    years are asked for.
    """
    fresh = stream(seed, component).standard_normal((max(year - first, 0) + 1, draws))
    path: Array = fresh[0]
    for more in fresh[1:]:
        path = persistence * path + np.sqrt(1 - persistence**2) * more
    return path


def _paths(component: str, first: int, years: Sequence[int], persistence: float, seed: int, draws: int) -> Array:
    return np.stack([path_of(component, first, year, persistence, seed, draws) for year in years])


def _centred(spread: Array, path: Array) -> Array:
    """Errors of a logarithm whose exponential has mean one."""
    moved: Array = spread[:, None] * path - 0.5 * spread[:, None] ** 2
    return moved


def horizon_flags(years: Sequence[int], base_year: int, long: float) -> tuple[str, ...]:
    """N511 where a year is projected at all, W511 where it lies further ahead than projections have kept."""
    ahead = max(years) - base_year
    return (*(["N511"] if ahead > 0 else []), *(["W511"] if ahead > long else []))


def registered_to_resident(registered: ArrayLike, flows: ArrayLike) -> tuple[Array, tuple[str, ...]]:
    """Numbers registered with practices as numbers resident in areas.

    ``resident(j) = Σ_i registered(i) · T(i, j)`` with ``T(i, j)`` the share of practice i's patients who live in j. Rests on
    the need being as common among a practice's patients wherever they live (W521).

    Parameters
    ----------
    registered : shape (practice, ...), people with the need.
    flows : shape (practice, area), patients of each practice living in each area; those elsewhere in a column of their own.

    Returns
    -------
    array of shape (area, ...), people, summing to those registered; and the flag W521.
    """
    counts, patients = np.asarray(registered, dtype=float), np.asarray(flows, dtype=float)
    if patients.ndim != 2 or len(patients) != len(counts) or (patients < 0).any():
        raise QuantityError("flows are of shape (practice, area), one row a practice, none negative")
    total = patients.sum(axis=1)
    empty = np.flatnonzero(total <= 0)
    if len(empty):
        raise QuantityError(Fault("a practice has no patients in the flows", "Leave it out", rows=empty.tolist()))
    found: Array = np.tensordot((patients / total[:, None]).T, counts, axes=1)
    return found, ("W521",)


def trend(rate: ArrayLike, yearly: float, years_ahead: ArrayLike) -> Array:
    """A scenario: odds of the need changing by a constant factor a year, such as −0.012 for 1.2 % fewer.

    Never an interval: run it beside the constant rate, and print its source.

    Parameters
    ----------
    rate : shape (..., draw), proportions.
    yearly : relative change of the odds a year.
    years_ahead : from the year of the rate; a number, or one for each cell.
    """
    p = np.asarray(rate, dtype=float)
    odds = p / (1 - p) * (1 + yearly) ** np.asarray(years_ahead)
    moved: Array = odds / (1 + odds)
    return moved
