"""People living, or registered, in places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xarray as xr
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, SourceError
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import ErrorSource, PopulationSource
from hna.evidence.tables import Reader, read_columns, tiling_fault
from hna.measure.ages import AgeAxis, AgeBand, sum_bands
from hna.measure.areas import Area, Gazetteer

COLUMNS = ("area_code", "area_name", "year", "sex", "age_from", "age_to", "persons")


class PeopleFactors(Protocol):
    """What a population says of its own error."""

    @property
    def groups(self) -> AgeAxis:
        """Ages that share an error."""

    @property
    def citations(self) -> Sequence[ErrorSource]:
        """The table of errors that it rests on, if any."""

    def factors(self, code: str, year: int, seed: int, draws: int) -> NDArray[np.float64]:
        """Factors of mean one, shape (group, draw), or (1, draw) where all ages share one."""


@dataclass(frozen=True, eq=False)
class Population:
    """People by area, year, sex and age.

    Parameters
    ----------
    sources : records the counts rest on, the counted one first.
    areas : in the order asked for.
    years : ascending.
    sexes : ``female, male`` or ``persons``.
    ages : bands in order.
    people : shape (area, year, sex, age), whole people unless bridged or graduated.
    bridges : what was done to the published table, in words.
    flags : diagnostic codes.
    first_year : first year of the whole table, of which this may be a part.
    error : how far the numbers may be out; None where they are taken as exact.
    """

    sources: tuple[PopulationSource, ...]
    areas: tuple[Area, ...]
    years: tuple[int, ...]
    sexes: tuple[str, ...]
    ages: AgeAxis
    people: NDArray[np.float64]
    bridges: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    first_year: int | None = None
    error: PeopleFactors | None = None

    @property
    def base_year(self) -> int:
        """First year of the whole table: the year from which a projection starts."""
        return self.years[0] if self.first_year is None else self.first_year

    @property
    def source(self) -> PopulationSource:
        """The record of the table that was counted from."""
        return self.sources[0]

    @property
    def base(self) -> str:
        """Who is counted: resident, registered, household or school-roll."""
        return self.source.base

    @property
    def citations(self) -> tuple[PopulationSource | ErrorSource, ...]:
        """Every record the counts rest on, and that of their error."""
        return (*self.sources, *(self.error.citations if self.error else ()))

    def to_xarray(self) -> xr.DataArray:
        """People over area, year, sex, age, labelled by area code and age band."""
        coords = {
            "area": [area.code for area in self.areas],
            "year": list(self.years),
            "sex": list(self.sexes),
            "age": self.ages.labels,
        }
        return xr.DataArray(self.people, dims=("area", "year", "sex", "age"), coords=coords, name="population")

    def at(self, years: Sequence[int]) -> Population:
        """The same people in some of the years.

        Raises
        ------
        AxisError
            If a year is not there.
        """
        absent = [year for year in years if year not in self.years]
        if absent:
            remedy = f"It holds {years_in_words(self.years)}"
            code = "R512" if max(absent) > self.years[-1] else ""
            raise AxisError(Fault(f"years are not in {self.source.id}", remedy, field="year", rows=absent, code=code))
        keep = [self.years.index(year) for year in years]
        return replace(self, years=tuple(years), people=self.people[:, keep])

    def on(self, sexes: Sequence[str], ages: AgeAxis) -> Population:
        """People summed into some sexes and age bands, graduated by single year first where a band is crossed.

        Raises
        ------
        AxisError
            If a sex is asked for that is not there, or ages that are not there.
        """
        if tuple(sexes) == self.sexes:
            people = self.people
        elif tuple(sexes) == ("persons",):
            people = self.people.sum(axis=2, keepdims=True)
        elif len(sexes) == 1 and sexes[0] in self.sexes:
            people = self.people[:, :, [self.sexes.index(sexes[0])]]
        else:
            remedy = "Give a population by sex, or split it by a named bridge (split_sex)"
            raise AxisError(
                Fault(
                    f"{self.source.id} has {', '.join(self.sexes)}, not {', '.join(sexes)}",
                    remedy,
                    field="sex",
                )
            )
        fine, bridges = self.ages, self.bridges
        if ages.span not in fine.span:
            what = f"{self.source.id} has ages {fine.span.label}, and {ages.span.label} are asked for"
            raise AxisError(Fault(what, "Use a population that covers these ages", field="age", code="R201"))
        if not _sums(fine, ages):
            # scipy.interpolate costs as much as all the rest of a run's start-up, and few runs need it.
            from hna.measure.graduate import graduate_people

            people, fine = graduate_people(people, fine)
            bridges = (
                *bridges,
                "population graduated to single years within its bands, every band's total kept (PCHIP)",
            )
        return replace(self, sexes=tuple(sexes), ages=ages, people=sum_bands(people, fine, ages), bridges=bridges)


def _sums(fine: AgeAxis, coarse: AgeAxis) -> bool:
    starts = {band.low for band in fine.bands}
    ends = {band.end for band in fine.bands}
    return all(band.low in starts and band.end in ends for band in coarse.bands)


def years_in_words(years: Sequence[int]) -> str:
    """Runs of years, as ``2020, 2022 to 2043``."""
    runs: list[list[int]] = []
    for year in sorted(years):
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def areas_and_years(shelf: Shelf, name: str) -> tuple[Gazetteer, tuple[int, ...]]:
    """Areas and years that a population holds, without reading its people."""
    return shelf.once(("areas", name), lambda: _areas_and_years(shelf, name))


def _areas_and_years(shelf: Shelf, name: str) -> tuple[Gazetteer, tuple[int, ...]]:
    path = table_file(shelf.folder(PopulationSource, name))
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=["area_code", "area_name", "year"])
        pairs = table.group_by(["area_code", "area_name"]).aggregate([]).to_pylist()
        years = [int(year) for year in pc.unique(table["year"]).to_pylist()]
    else:
        frame = read_columns(path, COLUMNS)
        read = Reader(frame, str(path))
        years = [int(year) for year in np.unique(read.numbers("year", whole=True))] if not read.faults else []
        read.done()
        unique = frame[["area_code", "area_name"]].drop_duplicates()
        pairs = [{"area_code": code, "area_name": label} for code, label in unique.itertuples(index=False)]
    areas = [Area(str(pair["area_code"]), str(pair["area_name"])) for pair in pairs]
    return Gazetteer(sorted(areas, key=lambda area: area.code)), tuple(sorted(years))


def read_population(
    shelf: Shelf, name: str, areas: Sequence[str] | None = None, years: Sequence[int] | None = None
) -> Population:
    """A population from the shelf.

    Parameters
    ----------
    shelf : where to look.
    name : identifier.
    areas : names or codes; None for all.
    years : calendar years; None for all.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    AxisError
        An area or year that is not there.
    """
    chosen = None if areas is None else tuple(areas)
    when = None if years is None else tuple(years)
    return shelf.once(("people", name, chosen, when), lambda: _read_population(shelf, name, chosen, when))


def _read_population(
    shelf: Shelf, name: str, areas: tuple[str, ...] | None, years: tuple[int, ...] | None
) -> Population:
    record = shelf.record(PopulationSource, name)
    path = table_file(shelf.folder(PopulationSource, name))
    if path.suffix == ".parquet":
        gazetteer, held = areas_and_years(shelf, name)
        wanted = gazetteer.find_all(areas) if areas is not None else gazetteer.areas
        codes = [area.code for area in wanted]
        filters = None if areas is None else pc.field("area_code").isin(codes)
        if years is not None and all(year in held for year in years):
            chosen = pc.field("year").isin(list(years))
            filters = chosen if filters is None else filters & chosen
        table = pq.read_table(path, filters=filters).to_pandas()
        population = _dense(record, table, path)
    else:
        population = _dense(record, read_columns(path, COLUMNS), path)
        wanted = Gazetteer(population.areas).find_all(areas) if areas is not None else list(population.areas)
    where = {area.code: n for n, area in enumerate(population.areas)}
    rows = [where[area.code] for area in wanted]
    first = areas_and_years(shelf, name)[1][0]
    population = replace(population, areas=tuple(wanted), people=population.people[rows], first_year=first)
    if record.variant is not None:
        said = f"{name} is a variant of a projection ({record.variant}): what follows if that holds, and no limit of an interval"
        population = replace(population, bridges=(said,))
    return population if years is None else population.at(sorted(set(years)))


def _dense(record: PopulationSource, table: pd.DataFrame, path: Path) -> Population:
    read = Reader(table, str(path))
    (places, codes), (named, names) = read.labels("area_code"), read.labels("area_name")
    years = read.numbers("year", whole=True)
    sexes, (aged, bands) = read.sexes(), read.band_labels()
    people = read.numbers("persons", whole=True)
    read.fault("people are negative", "Counts start at 0", "persons", people < 0)
    if read.faults:
        read.unique(["area_code", "year", "sex", "age_from", "age_to"], "cells")
    read.done()
    all_years = np.sort(pd.unique(years.astype(int)))
    when = np.searchsorted(all_years, years)
    found = [sex for sex in ("female", "male", "persons") if (sexes == sex).any()]
    who = pd.Categorical(sexes, categories=found).codes
    cell = ((places * len(all_years) + when) * len(found) + who) * len(bands) + aged
    if len(pd.unique(cell)) < len(cell):
        read.unique(["area_code", "year", "sex", "age_from", "age_to"], "cells")
        read.done()
    pairs = pd.unique(places * len(names) + named)
    names_of = pd.DataFrame({"code": codes[pairs // len(names)], "name": names[pairs % len(names)]})
    twice = names_of[names_of.duplicated("code", keep=False)]
    if not twice.empty:
        rows = [f"{code}: {name}" for code, name in twice.itertuples(index=False)]
        remedy = "One code has one name in one table: are two vintages of areas mixed?"
        raise SourceError(
            Fault(
                "an area code has several names",
                remedy,
                file=str(path),
                field="area_name",
                rows=rows,
                code="W501",
            )
        )
    axis = _one_axis(read, codes[places], years, sexes, bands, aged)
    areas = [Area(str(code), str(name)) for code, name in sorted(names_of.itertuples(index=False))]
    if "persons" in found and len(found) > 1 and found != ["female", "male", "persons"]:
        remedy = "Give persons, or female and male"
        raise SourceError(Fault(f"the sexes are {', '.join(found)}", remedy, file=str(path), field="sex"))
    cube = np.full((len(areas), len(all_years), len(found), len(axis.bands)), np.nan)
    area_at = {area.code: n for n, area in enumerate(areas)}
    low_at = {band.low: n for n, band in enumerate(axis.bands)}
    area_of, band_of = np.array([area_at[str(code)] for code in codes]), np.array([low_at[band.low] for band in bands])
    cube[area_of[places], when, who, band_of[aged]] = people
    held = [int(year) for year in all_years]
    _complete(cube, areas, held, found, axis, path)
    if len(found) == 3:
        _persons_add_up(cube, areas, held, axis, path)
        cube, found = cube[:, :, :2], found[:2]
    return Population((record,), tuple(areas), tuple(held), tuple(found), axis, cube)


def _one_axis(
    read: Reader,
    codes: NDArray[np.object_],
    years: NDArray[np.float64],
    sexes: NDArray[np.object_],
    bands: list[AgeBand],
    aged: NDArray[np.intp],
) -> AgeAxis:
    unique = sorted(set(bands), key=lambda band: (band.low, band.end))
    wrong = tiling_fault(unique)
    if wrong:
        keys = pd.DataFrame({"code": codes, "year": years, "sex": sexes})
        groups: dict[tuple[str, float, str], list[int]] = {}
        for n, key in enumerate(keys.itertuples(index=False, name=None)):
            groups.setdefault(key, []).append(n)
        within = [
            f"{code}, {int(year)}, {sex}: {found}"
            for (code, year, sex), rows in groups.items()
            if (found := tiling_fault([bands[aged[n]] for n in rows]))
        ]
        remedy = "Bands follow each other, and are the same for every area, year and sex"
        read.faults.append(Fault(f"age bands {wrong}", remedy, file=read.file, field="age_from", rows=within))
    read.done()
    return AgeAxis(tuple(unique))


def _complete(
    cube: NDArray[np.float64],
    areas: list[Area],
    years: list[int],
    sexes: list[str],
    axis: AgeAxis,
    path: Path,
) -> None:
    gone = np.argwhere(np.isnan(cube))
    if len(gone):
        rows = [f"{areas[a]}, {years[y]}, {sexes[s]}, {axis.labels[b]}" for a, y, s, b in gone[:6]]
        rows += [rows[-1]] * (len(gone) - len(rows))
        codes: dict[str, list[str]] = {}
        for area in areas:
            codes.setdefault(area.name, []).append(area.code)
        twice = [f"{name}: {', '.join(held)}" for name, held in codes.items() if len(held) > 1]
        remedy = "Give every area the same years, sexes and ages; an empty cell is never a zero"
        faults = [Fault("cells are missing", remedy, file=str(path), field="persons", rows=rows)]
        if twice:
            remedy = "Give one area one code in all years: two vintages of areas are mixed"
            what = "areas of one name have several codes, not all in every year"
            faults.append(Fault(what, remedy, file=str(path), field="area_code", rows=twice, code="W501"))
        raise SourceError(faults)


def _persons_add_up(cube: NDArray[np.float64], areas: list[Area], years: list[int], axis: AgeAxis, path: Path) -> None:
    off = np.argwhere(cube[:, :, 0] + cube[:, :, 1] != cube[:, :, 2])
    if len(off):
        rows = [f"{areas[a]}, {years[y]}, {axis.labels[b]}" for a, y, b in off[:6]]
        raise SourceError(
            Fault("female and male do not add up to persons", "Mend the table", file=str(path), rows=rows)
        )
