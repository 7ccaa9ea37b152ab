"""Need: rates applied to people, one block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hna.answers.people_factors import cell_factors, group_shares
from hna.answers.realised import Scores, divided, whole_people
from hna.errors import AxisError, Fault, ModelError
from hna.evidence.population import Population
from hna.measure.areas import Area
from hna.measure.draws import normals
from hna.measure.estimate import Estimate
from hna.model.projection import horizon_flags
from hna.model.rates import Rates
from hna.model.reliability import TOO_FEW, examined
from hna.model.rules import off_mean

Array = NDArray[np.float64]
DIMENSIONS = ("area", "year", "severity", "sex", "age")


@dataclass(frozen=True, eq=False)
class Block:
    """People in need in one area and year.

    Parameters
    ----------
    area, year : where and when.
    people : shape (sex, age), in the rates' bands.
    headline : shape (severity, sex, age), published rate × people.
    draws : shape (severity, sex, age, draw).
    realised : whether the chance of who is actually there is included.
    """

    area: Area
    year: int
    people: Array
    headline: Array
    draws: Array
    realised: bool


def people_in_bands(rates: Rates, population: Population) -> Population:
    """People summed into the rates' own sexes and bands.

    Raises
    ------
    AxisError
        R522 if the population counts another group of people than the need is among, or households alone where people of
        communal establishments are in the rate.
    """
    ours, theirs = rates.model.group, population.source.group or ""
    if ours != theirs:
        what = f"{rates.model.need} is a need of {ours or 'everybody'}, and {population.source.id} counts {theirs or 'everybody'}"
        remedy = f"Give a population with group: {ours}" if ours else "Give a population of everybody living there"
        raise AxisError(Fault(what, remedy, field="population", code="R522"))
    added = [used.source for used in rates.model.prevalence.sources if used.communal and not used.communal.left_out]
    if added and population.base == "household":
        what = f"the rate of {rates.model.need} holds people of communal establishments, and {population.source.id} leaves them out"
        remedy = "Give a population of everybody, or take communal out of the model file"
        raise AxisError(Fault(what, remedy, field="population", rows=added, code="R522"))
    if population.sexes == _sexes(rates) and population.ages == rates.ages:
        return population
    return population.on(_sexes(rates), rates.ages)


def _sexes(rates: Rates) -> tuple[str, ...]:
    if rates.sexes == ("persons",) and rates.model.sex != "persons":
        return (rates.model.sex,)
    return rates.sexes


def blocks(rates: Rates, population: Population, errors_of: Mapping[str, str] | None = None) -> Iterator[Block]:
    """Need in each area and year in turn; each block may be summarised and dropped.

    Parameters
    ----------
    rates : from `make_rates`.
    population : people, in any sexes and bands that add up to the rates'.
    errors_of : for some area codes, the code of the larger area whose transport error they share.

    Raises
    ------
    AxisError
        If the population lacks ages or sexes that the rates need.
    """
    banded = people_in_bands(rates, population)
    shares = group_shares(population, banded)
    published = None if rates.local or rates.trend else rates.mean()
    shared: dict[int, Array] = {}
    for a, area in enumerate(banded.areas):
        for y, year in enumerate(banded.years):
            people = banded.people[a, y]
            if rates.by_area:
                rate = rate_in(rates, area.code, year, errors_of or {})
            else:
                key = year if rates.changes_by_year else 0
                if key not in shared:
                    shared[key] = rates.at("", year)
                rate = shared[key]
            mean = rates.mean(area.code, year) if published is None else published
            headline = mean * people
            draws = rate * people[None, :, :, None]
            moved = cell_factors(rates, population, shares[:, a, y], area.code, year)
            if moved is not None:
                draws *= moved
            check_mean(headline, draws, rates, area, year)
            total = _total(headline, rates)
            few = bool(total < rates.defaults.realised_below)
            if few:
                draws = realise(draws, people, rates, area.code)
            yield Block(area, year, people, headline, draws, few)


def rate_in(rates: Rates, code: str, year: int, errors_of: Mapping[str, str]) -> Array:
    """Draws of the rate in an area, shape (severity, sex, age, draw), whose transport error may be a larger area's."""
    if rates.local is None:
        return rates.at(errors_of.get(code, code), year)
    return rates.at(code, year, errors_of=errors_of.get(code))


def check_mean(headline: Array, draws: Array, rates: Rates, area: Area, year: int) -> None:
    """The mean of the draws is the headline (`hna.model.rules.off_mean`).

    Raises
    ------
    ModelError
        R141 if it is not: the error terms are too wide for a mean to be kept.
    """
    drawn, point = draws[0].sum(axis=(0, 1)), float(headline[0].sum())
    if off_mean(float(drawn.mean()), float(drawn.std()), len(drawn), point):
        what = f"draws of {rates.model.need} in {area}, {year}, have the mean {drawn.mean():.5g} and the estimate is {point:.5g}"
        remedy = "Error terms this wide cannot keep the mean: use narrower ones, with their reason"
        raise ModelError(Fault(what, remedy, field="prevalence.errors", code="R141"))


def _total(headline: Array, rates: Rates) -> float:
    layers = headline[: len(rates.layers)].sum(axis=(1, 2))
    return float(layers.max())


def realise(draws: Array, people: Array, rates: Rates, area: str) -> Array:
    """Expected people become people who are there: whole in total, and divided among strata and cells by chance.

    The total of each layer is the quantile, at one score an area and draw, of a binomial with the population as its size
    and the expected number as its mean. It is divided among strata, and each among its cells, by multinomials with
    the expected shares, so that they add up in every draw. Streams are keyed by need and area, the same in every year.

    Parameters
    ----------
    draws : shape (severity, sex, age, draw), expected people.
    people : shape (sex, age).
    rates, area : key the streams.
    """
    flat = draws.reshape(draws.shape[0], -1, draws.shape[-1])
    size = np.array([max(round(float(people.sum())), 1.0)])
    there = realise_totals(flat.sum(axis=1)[:, None], size, rates, [area])[:, 0]
    found = np.empty_like(flat)
    composite = 1 if rates.strata else 0
    for s in range(composite, len(flat)):
        key = f"realised-cells:{rates.model.need}:{rates.severities[s]}:{area}"
        found[s] = divided(there[s], flat[s], rates.seed, key)
    if composite:
        found[0] = found[len(rates.layers) :].sum(axis=0)
    return found.reshape(draws.shape)


def realise_totals(
    expected: Array, size: Array, rates: Rates, areas: Sequence[str], scores: Mapping[str, Scores] | None = None
) -> Array:
    """Totals by severity of people who are there, of some areas.

    Parameters
    ----------
    expected : shape (severity, area, draw), people, which are overwritten; strata may be left out.
    size : shape (area,), how many people live there, at least 1.
    rates, areas : key the streams.
    scores : from `scores_of`, where they are kept from year to year.

    Returns
    -------
    `expected`: whole people; exclusive strata add up to the first.
    """
    held = scores or scores_of(rates, areas)
    for layer, name in enumerate(rates.layers[: len(expected)]):
        whole_people(expected[layer], size, held[name], out=expected[layer])
    if len(expected) > len(rates.layers):
        for n, area in enumerate(areas):
            key = f"realised-strata:{rates.model.need}:{area}"
            strata = expected[len(rates.layers) :, n]
            strata[:] = divided(expected[0, n], strata, rates.seed, key)
    return expected


def scores_of(rates: Rates, areas: Sequence[str]) -> dict[str, Scores]:
    """One score an area and draw for each layer: where in its distribution the number of people there lies."""
    return {
        name: Scores(normals(rates.seed, [realised_key(rates, name, area) for area in areas], rates.size))
        for name in rates.layers
    }


def realised_key(rates: Rates, cut: str, area: str) -> str:
    """What the stream of who is there stands for: a need, a layer or subgroup of it, and an area."""
    return f"realised:{rates.model.need}:{cut}:{area}"


def need(rates: Rates, population: Population, by: Sequence[str] = ("area", "year")) -> Estimate:
    """People in need, as draws.

    Parameters
    ----------
    rates : from `hna.rates`.
    population : from `hna.population`.
    by : which of area, year, severity, sex, age to keep; the others are summed (severity: all cases together).

    Returns
    -------
    Estimate in people over `by` and draw.

    Raises
    ------
    AxisError
        If `by` names an unknown dimension, or the population does not fit the rates.
    """
    unknown = [dim for dim in by if dim not in DIMENSIONS]
    if unknown:
        raise AxisError(Fault("need cannot be given by these", f"Use {', '.join(DIMENSIONS)}", rows=unknown))
    if "severity" not in by and rates.layers[0]:
        what = f"strata of {rates.model.need} overlap and no total is printed, so there is no need of all severities"
        raise ModelError(Fault(what, 'Ask for need by severity: by=["area", "year", "severity"]', code="R152"))
    banded = people_in_bands(rates, population)
    severities = rates.severities if "severity" in by else rates.severities[:1]
    sums = tuple(axis for axis, dim in ((1, "sex"), (2, "age")) if dim not in by)
    headline: list[Array] = []
    draws: list[Array] = []
    realised = False
    for block in blocks(rates, population):
        keep = len(severities)
        headline.append(block.headline[:keep].sum(axis=sums))
        draws.append(block.draws[:keep].sum(axis=sums))
        realised = realised or block.realised
    inner = tuple(dim for dim in ("severity", "sex", "age") if dim in by or dim == "severity")
    coords = {
        "area": [area.code for area in banded.areas],
        "year": list(banded.years),
        "severity": list(severities),
        "sex": list(banded.sexes),
        "age": rates.ages.labels,
    }
    shape = (len(banded.areas), len(banded.years))
    dims = ("area", "year", *inner)
    labels = {dim: coords[dim] for dim in dims}
    point = xr.DataArray(np.stack(headline).reshape(*shape, *headline[0].shape), dims=dims, coords=labels)
    drawn = xr.DataArray(np.stack(draws).reshape(*shape, *draws[0].shape), dims=(*dims, "draw"), coords=labels)
    if "severity" not in by:
        point, drawn = point.isel(severity=0, drop=True), drawn.isel(severity=0, drop=True)
    gone = [dim for dim in ("area", "year") if dim not in by]
    if gone:
        point, drawn = point.sum(gone), drawn.sum(gone)
    flags = {*flags_in(rates, banded, banded.years), *(["N461"] if realised else [])}
    flags |= {TOO_FEW} if _alone(rates, len(severities), by) else set()
    return NeedEstimate(
        point, drawn, "need", "people", rates.universe, (*rates.citations, *banded.citations), tuple(sorted(flags)),
        rates=rates, population=banded,
    )  # fmt: skip


def _alone(rates: Rates, severities: int, by: Sequence[str]) -> bool:
    """Whether one of the groups that are told rests on too few people to be told by itself."""
    sexes, ages = np.indices((len(rates.sexes), len(rates.ages.bands)))
    told = sexes * ages.size * ("sex" in by) + ages * ("age" in by)
    seen = examined(rates)
    return any(seen.too_few(s, told == group) for s in range(severities) for group in np.unique(told))


@dataclass(frozen=True, eq=False)
class NeedEstimate(Estimate):
    """People in need, with the rates and people they were made from."""

    rates: Rates = None  # type: ignore[assignment]
    population: Population = None  # type: ignore[assignment]


def flags_in(rates: Rates, population: Population, years: Sequence[int]) -> set[str]:
    """Codes that need in some years carries: of the rate, of the people, of how old one and how far ahead the other is."""
    flags = {*rates.flags, *population.flags}
    if population.base == "household":
        flags -= {"W522"}  # a study of households, on the people of households
    if population.source.basis == "projection":
        flags |= {*horizon_flags(years, population.base_year, rates.defaults.long_projection)}
    middles = [part.studied for part in rates.parts]
    old = any(middle is not None and max(years) - middle > rates.defaults.old_evidence for middle in middles)
    return flags | ({"W162"} if old else set())
