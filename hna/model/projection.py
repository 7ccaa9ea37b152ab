"""How far estimates and projections of people have been out: the standards, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hna.errors import Fault, QuantityError
from hna.evidence.record import Record
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import stream
from hna.model.defaults import read_standard
from hna.model.error_table import ErrorTable

Array = NDArray[np.float64]

FILE = "data/standards/population-error.yaml"
_TEN = 10.0
_EVERYONE = AgeAxis((AgeBand(0, None),))


class _Estimate(Record):
    at_census: float = Field(ge=0)
    per_year: float = Field(ge=0)
    because: str
    source: str = ""


class _ByAge(Record):
    default: float = Field(ge=0)
    young_adults: float = Field(ge=0, alias="young-adults")
    ages: list[int] = Field(min_length=2, max_length=2)
    because: str


class _National(Record):
    estimated: float = Field(ge=0)
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
    authorities: list[str] = Field(min_length=1)
    inside: list[str]


@dataclass(frozen=True)
class PopulationError:
    """Standard deviations of the logarithm of a population, and where they are from.

    Parameters
    ----------
    at_census, per_year : of a mid-year estimate.
    ten_years : of an area's projection ten years ahead, by type of area, with ``default``.
    estimated : of the country's estimate; 0 where nobody has printed one.
    born, unborn : of a national age group ten years ahead, alive at the base or not.
    age, young : of one group of ages in one area ten years ahead; the latter within `young_ages` and for ages not yet born.
    persistence : of an area's error from year to year.
    because : reasons, by field.
    cited : in a few words, where errors of estimates and of projections were printed.
    censuses : years from which estimates start.
    kinds : type of area by the first letters of its code.
    groups : ages that share an error.
    authorities : first letters of the codes of the lowest tier of authorities.
    inside : first letters of the codes of areas that lie in an authority and have its error.
    table : measured errors, which take the place of the standards.
    """

    at_census: float
    per_year: float
    ten_years: Mapping[str, float]
    estimated: float
    born: float
    unborn: float
    age: float
    young: float
    young_ages: tuple[int, int]
    persistence: float
    because: Mapping[str, str]
    cited: tuple[str, str] = ("", "")
    censuses: tuple[int, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    groups: AgeAxis = _EVERYONE
    authorities: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    table: ErrorTable | None = None

    @property
    def types(self) -> list[str]:
        """Types of area."""
        return sorted({*self.kinds.values(), *self.ten_years})

    def kind(self, code: str) -> str:
        """Type of an area."""
        return next((kind for start, kind in self.kinds.items() if code.startswith(start)), "default")

    def area(self, code: str, since: float, ahead: float) -> float:
        """SD of the logarithm of an authority's total.

        ``√(σ₀² + σ(h)²)``, with σ₀ growing straight with the years since the census and ``σ(h) = σ₁₀·h/10``, unless a table
        measures it. Straight between the horizons of a table, from σ₀ where it does not begin at 0.

        Parameters
        ----------
        code : of the area.
        since : years from the census to the estimate, or to the base of the projection.
        ahead : years from the base of the projection; 0 for what was estimated or counted.

        Raises
        ------
        ModelError
            R512 beyond the last horizon of a table; R513 for a type of area that it does not have.
        """
        kind = self.kind(code)
        base = self.at_census + self.per_year * max(since, 0.0)
        if self.table is not None:
            start = base if ahead > 0 else self.at_census
            return self.table.spread((code, kind, "default"), ahead if ahead > 0 else since, start)
        ten = self.ten_years.get(kind, self.ten_years["default"])
        return float(np.hypot(base, ten * max(ahead, 0.0) / _TEN))

    def ages(self, code: str, since: float, ahead: float) -> tuple[Array, Array]:
        """SD of the logarithm of each group of ages besides its area's, shape (group,): the country's, and one area's own.

        Ages reached from births after the base, and those of students and young workers, are further out. Where a table
        measures a group of ages, its area's own part is what is left of that.
        """
        low = np.array([band.low for band in self.groups.bands], dtype=float)
        high = np.array([band.end for band in self.groups.bands])
        with np.errstate(invalid="ignore"):
            unborn = np.where(np.isinf(high), 0.0, np.clip((max(ahead, 0) - low) / (high - low), 0, 1))
        young = (low >= self.young_ages[0] // 5 * 5) & (high <= self.young_ages[1] + 1)
        ten = max(ahead, 0.0) / _TEN
        national: Array = np.sqrt(unborn * self.unborn**2 + (1 - unborn) * self.born**2) * ten
        usual = np.where(young, self.young, self.age)
        own: Array = np.sqrt(unborn * self.young**2 + (1 - unborn) * usual**2) * ten
        if self.table is not None and self.table.by_age:
            names = (code, self.kind(code), "default")
            start = self.at_census + self.per_year * max(since, 0.0) if ahead > 0 else self.at_census
            when = ahead if ahead > 0 else since
            whole = np.array([self.table.spread(names, when, start, band) for band in self.groups.bands])
            own = np.sqrt(np.maximum(whole**2 - self.area(code, since, ahead) ** 2 - national**2, 0.0))
        return national, own


def read_population_error(shelf: Shelf) -> PopulationError:
    """The standards on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    held = read_standard(shelf, FILE, _Fields)
    words = {name: str(value) for name, value in held.projection_error.items() if name in ("because", "source")}
    ten = {name: float(value) for name, value in held.projection_error.items() if name not in words}
    said = ("estimate_error", "national_error", "age_error", "persistence")
    return PopulationError(
        at_census=held.estimate_error.at_census, per_year=held.estimate_error.per_year, ten_years=ten,
        estimated=held.national_error.estimated, born=held.national_error.born, unborn=held.national_error.unborn,
        age=held.age_error.default, young=held.age_error.young_adults,
        young_ages=(held.age_error.ages[0], held.age_error.ages[1]), persistence=held.persistence.value,
        because={name: getattr(held, name).because for name in said} | {"projection_error": words.get("because", "")},
        cited=(held.estimate_error.source, words.get("source", "")), censuses=tuple(held.censuses), kinds=held.kinds,
        groups=AgeAxis(tuple(
            AgeBand(low, None if after is None else after - 1)
            for low, after in zip(held.age_groups, [*held.age_groups[1:], None], strict=True)
        )),
        authorities=tuple(held.authorities), inside=tuple(held.inside),
    )  # fmt: skip


def path_of(component: str, first: int, year: int, persistence: float, seed: int, draws: int) -> Array:
    """Standard normal score of one year, correlated with every other by ``persistence^gap``; shape (draw,).

    The path starts in the first year and is drawn in order from one stream, so that a year has the same score whatever other
    years are asked for.

    ``z(t) = ρ·z(t − 1) + √(1 − ρ²)·e(t)`` with ρ the persistence.
    """
    fresh = stream(seed, component).standard_normal((max(year - first, 0) + 1, draws))
    path: Array = fresh[0]
    for more in fresh[1:]:
        path = persistence * path + np.sqrt(1 - persistence**2) * more
    return path


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
