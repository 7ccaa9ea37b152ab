"""Counts named in a model file, read and checked: what was counted where, who lives there, and who borders whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.borders import Pairs, borders_named, borders_seen
from hna.evidence.known import Known, read_known
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource, KnownSource, PrevalenceSource
from hna.evidence.survey import Measures, read_measures
from hna.measure.ages import AgeAxis
from hna.model.local import refuse_use
from hna.model.people_areas import UPPER, below
from hna.model.places import Ground, check_placed, ground_of
from hna.model.priors import Priors, read_priors
from hna.model.spatial import Map, check_counts, map_problem, neighbours
from hna.model.spatial_laplace import MapProblem
from hna.model.spec import Model
from hna.model.spec_places import MapUse

Array = NDArray[np.float64]

MAP_FIELD = "prevalence.map"


@dataclass(frozen=True, eq=False)
class AskedMap:
    """Counts of a map, read and checked, ready to be smoothed.

    Parameters
    ----------
    use : of the model file.
    source : of the counts.
    areas : codes, in order.
    sexes, ages : of the rates: those by which all areas are counted alike.
    cases, people : shape (area, sex, age).
    borders : who borders whom.
    ground : who lives where.
    problem : what is smoothed: numbers of all together, or ratios to those expected by sex and age.
    measures, drawn : sources of covariates and borders.
    """

    use: MapUse
    source: KnownSource
    areas: tuple[str, ...]
    sexes: tuple[str, ...]
    ages: AgeAxis
    cases: Array
    people: Array
    borders: Map
    ground: Ground
    problem: MapProblem
    measures: Measures | None
    drawn: tuple[AreasSource, ...]

    @property
    def cells(self) -> int:
        """Sexes and ages that are counted apart."""
        return int(self.cases[0].size)


def asked_map(model: Model, shelf: Shelf) -> AskedMap:
    """The counts of a model, read and checked, with the map that they lie on.

    Raises
    ------
    HnaError
        As `map_part`.
    """
    use = model.prevalence.map
    if use is None:
        raise ModelError(Fault("there are no counts", "Name them under prevalence.map", field=MAP_FIELD))
    check_placed(model, MAP_FIELD)
    if use.known in shelf.folders(PrevalenceSource) and use.known not in shelf.folders(KnownSource):
        refuse_use("smoothing")
    counts = read_known(shelf, use.known)
    _check_use(model, use, counts)
    held = _rows(model, use, counts)
    sexes, ages = _cells(model, held)
    areas = _places(shelf, held)
    check_counts(len(areas), "recorded")
    cases = _cases(held, areas, sexes, ages)
    ground = ground_of(
        shelf,
        areas,
        sexes,
        ages,
        use.year + 0.5,
        name=use.population,
        group=model.group,
        field=f"{MAP_FIELD}.population",
    )
    if ground.year != use.year:
        remedy = "Name a population of that year"
        what = f"{use.population} has no people of {use.year}"
        raise ModelError(Fault(what, remedy, field=f"{MAP_FIELD}.year"))
    people = np.stack([ground.people[code] for code in areas])
    more = [f"{code}: {cases[n].sum():,.0f} counted, {people[n].sum():,.0f} live there" for n, code in enumerate(areas)
            if (cases[n] > people[n]).any()]  # fmt: skip
    if more:
        remedy = "Do the count and the population cover one place, sex and age?"
        raise ModelError(
            Fault("more people are counted than live there", remedy, field=MAP_FIELD, rows=more, code="R624")
        )
    pairs, drawn = _borders(shelf, use, areas)
    borders = neighbours(areas, pairs)
    measures = read_measures(shelf, use.measures) if use.measures else None
    problem = _problem(use, cases, people, borders, measures, read_priors(shelf))
    return AskedMap(use, counts.source, areas, sexes, ages, cases, people, borders, ground, problem, measures, drawn)


def _check_use(model: Model, use: MapUse, counts: Known) -> None:
    faults = []
    if not counts.source.count_kind.startswith("people"):
        what = f"{use.known} counts {counts.source.count_kind}, not people"
        faults.append(Fault(what, "Use a count of people", field=f"{MAP_FIELD}.known", code="R604"))
    if any(one.source == use.known for one in model.known):
        remedy = "Compare a count with an estimate that does not rest on it, or leave it out of known"
        faults.append(Fault(f"{use.known} would be compared with a rate made of it", remedy, field="known"))
    if use.covariates and not use.measures:
        remedy = "Name the table that holds them under measures"
        faults.append(Fault("covariates stand in no table", remedy, field=f"{MAP_FIELD}.measures", rows=use.covariates))
    if faults:
        raise ModelError(faults)


def _rows(model: Model, use: MapUse, counts: Known) -> Known:
    """Rows of the year, of all severities together, of the model's ages and sex."""
    crossing = [band.label for band in dict.fromkeys(counts.bands) if band.meets(model.band) and band not in model.band]
    inside = np.array([band in model.band for band in counts.bands], dtype=bool)
    of_sex = np.ones(len(counts), dtype=bool) if model.sex == "persons" else counts.sex == model.sex
    held = counts.take(inside & of_sex & (counts.year == use.year) & (counts.severity == ""))
    if not len(held):
        what = f"{use.known} has no count of {model.sex} aged {model.ages} in {use.year}"
        remedy = "Name a year and ages that it has"
        raise ModelError(Fault(what, remedy, field=MAP_FIELD, rows=crossing))
    hidden = sorted(set(held.area_code[np.isnan(held.count)]))
    if hidden:
        remedy = "Use larger areas, or several years together, so that none is hidden"
        raise ModelError(
            Fault(f"{use.known} hides counts", remedy, field=f"{MAP_FIELD}.known", rows=hidden, code="R602")
        )
    return held


def _cells(model: Model, held: Known) -> tuple[tuple[str, ...], AgeAxis]:
    """Sexes and ages by which all are counted; refused where they do not add up to the model's."""
    sexes = tuple(sex for sex in ("female", "male", "persons") if (held.sex == sex).any())
    bands = sorted(set(held.bands), key=lambda band: (band.low, band.end))
    tiles = bands[0].low == model.band.low and bands[-1].end == model.band.end
    if not tiles or any(a.end != b.low for a, b in pairwise(bands)):
        remedy = "Assess ages that the counts add up to"
        what = f"ages of {held.source.id} do not add up to {model.band.label}"
        raise AxisError(Fault(what, remedy, field="ages", rows=[band.label for band in bands], code="R201"))
    wanted = [("female", "male"), ("persons",)] if model.sex == "persons" else [(model.sex,)]
    if sexes not in wanted:
        remedy = "Give every area counts of both sexes, or of persons"
        raise ModelError(Fault(f"{held.source.id} counts {', '.join(sexes)}", remedy, field=MAP_FIELD))
    return sexes, AgeAxis(tuple(bands))


def _places(shelf: Shelf, held: Known) -> tuple[str, ...]:
    """Areas counted, without those that others counted make up."""
    codes = set(held.area_code.tolist())
    inside = below(shelf, UPPER)
    wide = set()
    for code in codes:
        reached = list(inside.get(code, ()))
        while reached and code not in wide:
            one = reached.pop()
            reached += inside.get(one, ())
            if one in codes:
                wide.add(code)
    return tuple(sorted(codes - wide))


def _cases(held: Known, areas: Sequence[str], sexes: Sequence[str], ages: AgeAxis) -> Array:
    """Counts, shape (area, sex, age)."""
    found = np.full((len(areas), len(sexes), len(ages.bands)), np.nan)
    at = {code: n for n, code in enumerate(areas)}
    rows = zip(
        held.area_code.tolist(), held.sex.tolist(), held.bands, held.count.tolist(), held.service.tolist(), strict=True
    )
    services: dict[tuple[int, int, int], str] = {}
    for code, sex, band, count, service in rows:
        if code not in at:
            continue
        cell = (at[code], sexes.index(sex), ages.bands.index(band))
        if cell in services:
            remedy = "Counts of several services may hold the same people: name a source of one"
            what = f"{held.source.id} counts people by several services"
            raise ModelError(Fault(what, remedy, field=MAP_FIELD, rows=[services[cell], service], code="R611"))
        services[cell] = service
        found[cell] = count
    lacking = [areas[n] for n in np.flatnonzero(np.isnan(found).any(axis=(1, 2))).tolist()]
    if lacking:
        remedy = "Give every area each sex and age, 0 where nobody was counted"
        raise ModelError(Fault("areas lack counts of some sex or age", remedy, field=MAP_FIELD, rows=lacking))
    return found


def _borders(shelf: Shelf, use: MapUse, areas: Sequence[str]) -> tuple[Pairs, tuple[AreasSource, ...]]:
    if use.borders is None:
        return borders_seen(shelf, areas)
    pairs, source = borders_named(shelf, use.borders, areas)
    return pairs, (source,)


def _problem(
    use: MapUse, cases: Array, people: Array, borders: Map, measures: Measures | None, priors: Priors
) -> MapProblem:
    covariates = None
    if use.covariates and measures is not None:
        unknown = [name for name in use.covariates if name not in measures.table]
        words = [
            name for name in use.covariates if name not in unknown and measures.table[name].dtype.kind not in "iuf"
        ]
        if unknown or words:
            remedy = f"Columns of numbers in {measures.source.id}: {', '.join(map(str, measures.table.select_dtypes('number')))}"
            what = "covariates of a map are no columns of numbers"
            raise ModelError(Fault(what, remedy, field=f"{MAP_FIELD}.covariates", rows=[*unknown, *words]))
        covariates = measures.of(borders.areas, use.covariates, f"{MAP_FIELD}.measures").to_numpy(dtype=float)
    if cases[0].size == 1:
        return map_problem(
            cases[:, 0, 0], people[:, 0, 0], borders, kind="recorded", covariates=covariates, priors=priors
        )
    rate = cases.sum(axis=0) / people.sum(axis=0)
    expected = (people * rate).sum(axis=(1, 2))
    return map_problem(
        cases.sum(axis=(1, 2)),
        expected,
        borders,
        kind="recorded",
        family="poisson",
        covariates=covariates,
        priors=priors,
    )
