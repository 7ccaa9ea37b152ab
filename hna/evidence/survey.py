"""A survey's table of people in places, checked against its record; and measures of whole areas that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hna.errors import Fault, SourceError
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import MeasuresSource, SurveySource
from hna.evidence.tables import Reader, read_columns, tiling_fault
from hna.measure.ages import AgeBand

REQUIRED = ("area_code", "cases")
ALSO = ("area_name", "sex", "age_from", "age_to", "sample", "weight")
SPLIT = ("deprivation", "ethnicity")
AREA, SEX, AGE = "area", "sex", "age"
"""Names of the columns that every survey's table is given, as a formula has them."""
TAKEN = frozenset((*REQUIRED, *ALSO, *SPLIT, AREA, AGE))


@dataclass(frozen=True, eq=False)
class Survey:
    """A survey, one row a person or a cell.

    Parameters
    ----------
    source : its record.
    table : columns area (code), sex, age (label of the band), cases, sample, weight where there is one, deprivation and
        ethnicity where there are such, and the further ones that the record names; numbers where every value is one.
    bands : age band of each row; all ages where the table has none.
    aged : whether the table has ages.
    names : of areas by code, where the table has names.
    """

    source: SurveySource
    table: pd.DataFrame
    bands: tuple[AgeBand, ...]
    aged: bool
    names: dict[str, str]

    @property
    def areas(self) -> tuple[str, ...]:
        """Codes of areas in which somebody was asked."""
        return tuple(sorted(set(self.table[AREA])))

    def take(self, rows: np.ndarray) -> Survey:
        """Some of the rows, by a mask of shape (row,)."""
        where = np.flatnonzero(rows)
        bands = tuple(self.bands[n] for n in where)
        return Survey(self.source, self.table.iloc[where].reset_index(drop=True), bands, self.aged, self.names)


def read_survey(shelf: Shelf, name: str) -> Survey:
    """A survey from the shelf.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    """
    return shelf.once(("survey", name), lambda: _read_survey(shelf, name))


def _read_survey(shelf: Shelf, name: str) -> Survey:
    folder = shelf.folder(SurveySource, name)
    record = shelf.record(SurveySource, name)
    _check_names(record.columns, str(folder / "source.yaml"))
    path = table_file(folder)
    raw = read_columns(path, [*REQUIRED, *record.columns], [*ALSO, *SPLIT])
    read = Reader(raw, str(path))
    area = read.text("area_code")
    sexes, bands = read.sexes(), read.bands()
    cases = read.numbers("cases")
    sample = read.numbers("sample") if "sample" in raw else np.ones(len(raw))
    held: dict[str, object] = {
        AREA: area, SEX: sexes, AGE: [band.label for band in bands], "cases": cases, "sample": sample,
    }  # fmt: skip
    read.fault("a count is negative", "Counts start at 0", "cases", cases < 0)
    read.fault("nobody was asked", "Leave the row out", "sample", sample <= 0)
    if "sample" in raw:
        read.fault("there are more cases than people asked", "Mend cases or sample", "cases", cases > sample)
    else:
        remedy = "Without a column sample a row is one person: write 1 for a case and 0 for none, or add sample"
        read.fault("is neither 0 nor 1", remedy, "cases", ~np.isin(cases, (0, 1)) & (cases >= 0))
    if "weight" in raw:
        weight = read.numbers("weight")
        held["weight"] = weight
        remedy = "A weight is how many people one answer stands for: leave out the rows of those who stand for nobody"
        read.fault("a weight is not positive", remedy, "weight", weight <= 0)
        if not record.weights:
            what = "the table has weights, and the record does not say what they make up for"
            read.faults.append(Fault(what, "Say it under weights", file=str(folder / "source.yaml"), field="weights"))
    if "deprivation" in raw:
        held["deprivation"] = _levels(read, record, str(folder / "source.yaml"))
    if "ethnicity" in raw:
        held["ethnicity"] = read.text("ethnicity")
    held |= {column: _column(read, column) for column in record.columns}
    mixed = len({str(sex) == "persons" for sex in sexes}) > 1
    read.fault("some rows are of persons and some of one sex", "Write the sex of everybody, or of nobody", SEX,
               np.full(len(raw), mixed) & (sexes == "persons"))  # fmt: skip
    wrong = tiling_fault(sorted(set(bands), key=lambda band: (band.low, band.end))) if bands else ""
    if wrong:
        remedy = "Give the same bands in every area; people of ages in two bands cannot be told apart"
        read.faults.append(Fault(f"age bands {wrong}", remedy, file=str(path), field="age_from"))
    named = {}
    if "area_name" in raw:
        named = dict(zip(area.tolist(), raw["area_name"].astype(str).tolist(), strict=True))
    read.done()
    return Survey(record, pd.DataFrame(held), tuple(bands), "age_from" in raw, named)


def _levels(read: Reader, record: SurveySource, file: str) -> np.ndarray:
    values = read.numbers("deprivation", whole=True)
    most = record.deprivation_levels
    if most is None:
        remedy = "Say how many levels it numbers, such as deprivation_levels: 5, from 1, the most deprived"
        what = "the table has a column deprivation, and the record does not say how many levels there are"
        read.faults.append(Fault(what, remedy, file=file, field="deprivation_levels"))
        return values
    remedy = f"Number the levels from 1, the most deprived, to {most}"
    read.fault("is no level of deprivation", remedy, "deprivation", (values < 1) | (values > most))
    return values


def _column(read: Reader, column: str) -> np.ndarray:
    """A column as numbers where every value is one, else as text; a blank is a fault either way."""
    text = read.text(column)
    values = np.asarray(pd.to_numeric(pd.Series(text, dtype=object), errors="coerce"), dtype=float)
    return values if np.isfinite(values).all() else text


def _check_names(columns: dict[str, str], file: str) -> None:
    wrong = [name for name in columns if not name.isidentifier()]
    taken = [name for name in columns if name in TAKEN]
    faults = []
    if wrong:
        faults.append(Fault("names cannot stand in a formula", "Use letters, digits and _", file, "columns", wrong))
    if taken:
        remedy = "These mean the same in every table and are not described; give other columns other names"
        faults.append(Fault("columns have names that are taken", remedy, file, "columns", taken))
    if faults:
        raise SourceError(faults)


@dataclass(frozen=True, eq=False)
class Measures:
    """What is known of whole areas.

    Parameters
    ----------
    source : its record.
    table : indexed by area code, one column a measure; numbers where every value is one.
    """

    source: MeasuresSource
    table: pd.DataFrame

    def of(self, areas: Sequence[str], columns: Sequence[str], field: str) -> pd.DataFrame:
        """Some columns of some areas, in the order asked for.

        Raises
        ------
        SourceError
            If the table has not all of them.
        """
        absent = [area for area in areas if area not in self.table.index]
        if absent:
            remedy = "Give every area a row"
            what = f"{self.source.id} has no measures of some areas"
            raise SourceError(Fault(what, remedy, f"data/measures/{self.source.id}/table.csv", field, absent))
        return self.table.loc[list(areas), list(columns)]


def read_measures(shelf: Shelf, name: str) -> Measures:
    """Measures of areas from the shelf.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    """

    def read_once() -> Measures:
        folder = shelf.folder(MeasuresSource, name)
        record = shelf.record(MeasuresSource, name)
        _check_names(record.columns, str(folder / "source.yaml"))
        path = table_file(folder)
        read = Reader(read_columns(path, ["area_code", *record.columns], ["area_name"]), str(path))
        codes = read.text("area_code")
        held = {column: _column(read, column) for column in record.columns}
        read.unique(["area_code"], "areas")
        read.done()
        return Measures(record, pd.DataFrame(held, index=pd.Index(codes.astype(str), name="area_code")))

    return shelf.once(("measures", name), read_once)
