"""Open a publisher's file and check it, gathering every fault before anything is refused."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from python_calamine import CalamineError, CalamineWorkbook

from hna.errors import AxisError, Fault, SourceError
from hna.evidence.source import fingerprint
from hna.measure.ages import AgeAxis, AgeBand

MAX_BYTES = 500_000_000
"""Largest file read, after decompression."""

SEXES = {"females": "female", "males": "male", "persons": "persons"}
PEOPLE = ["area_code", "area_name", "year", "sex", "age_from", "age_to"]
_GZIP = b"\x1f\x8b"


class Reading(NamedTuple):
    """A publisher's file in our columns, and what its ``source.yaml`` says of it."""

    table: pd.DataFrame
    fields: dict[str, Any]


class Checker:
    """Faults of one file, told together.

    Parameters
    ----------
    path : the publisher's file.
    layout : the layout's title, for the remedy.
    """

    def __init__(self, path: Path, layout: str) -> None:
        self.path = path
        self.layout = layout
        self.faults: list[Fault] = []

    def fault(self, what: str, remedy: str, field: str = "", rows: Sequence[object] = ()) -> None:
        """Note one fault."""
        self.faults.append(Fault(what, remedy, file=self.path.name, field=field, rows=rows))

    def stop(self) -> None:
        """Raise if anything is wrong so far."""
        if self.faults:
            raise SourceError(self.faults)

    def refuse(self, what: str, remedy: str, field: str = "", rows: Sequence[object] = ()) -> SourceError:
        """The error to raise for a fault after which nothing more can be read."""
        self.fault(what, remedy, field, rows)
        return SourceError(self.faults)

    def columns(self, found: Iterable[str], wanted: Sequence[str]) -> None:
        """Refuse a file that lacks a column."""
        found = list(found)
        if missing := [name for name in wanted if name not in found]:
            names = ", ".join(missing)
            shown = ", ".join(found[:12]) + (", …" if len(found) > 12 else "")
            remedy = f"{self.layout} has {', '.join(wanted)}; this file has {shown}. Give the file as published"
            what = f"columns are missing: {names}" if len(missing) > 1 else f"column is missing: {names}"
            raise self.refuse(what, remedy)

    def numbers(self, cells: pd.Series, field: str) -> NDArray[np.float64]:
        """Counts of people, as printed; text, blanks and negative numbers are faults."""
        if isinstance(cells.dtype, pd.StringDtype):
            text = cells.fillna("").str.strip()
        else:
            text = cells.map(lambda cell: "" if cell is None else str(cell).strip())
        bad = ~text.str.fullmatch(r"-?\d+(\.\d+)?").to_numpy(dtype=bool)
        values = pd.to_numeric(text.mask(bad), errors="coerce").to_numpy(dtype=np.float64)
        where = [f"row {n}: {cell!r}" for n, cell in text[bad].items()]
        if where:
            self.fault(
                "text or a blank stands where a number belongs", "Write plain digits, as published", field, where
            )
        if (negative := ~bad & (values < 0)).any():
            where = [f"row {n}: {cell}" for n, cell in text[negative].items()]
            self.fault("negative people", "Give the file as published", field, where)
        return values

    def whole(self, cells: pd.Series, field: str) -> NDArray[np.int64]:
        """Whole numbers of people."""
        values = self.numbers(cells, field)
        self.stop()
        if (part := values != np.floor(values)).any():
            where = [f"row {n}: {cell}" for n, cell in cells[part].items()]
            self.fault("people are counted whole in this layout", "Give the file as published", field, where)
            self.stop()
        return values.astype(np.int64)

    def years(self, cells: pd.Series, field: str) -> NDArray[np.int64]:
        """Calendar years of four digits."""
        bad = ~cells.str.fullmatch(r"\d{4}")
        if bad.any():
            rows = [f"row {n}: {cell!r}" for n, cell in cells[bad].items()]
            self.fault("not a year", "Write years as four digits", field, rows)
        self.stop()
        return np.asarray(cells.astype(np.int64), dtype=np.int64)

    def sexes(self, cells: pd.Series, field: str) -> pd.Series:
        """Publishers' words for sex in ours."""
        sex = cells.str.strip().str.casefold().map(SEXES)
        if sex.isna().any():
            rows = sorted(cells[sex.isna()].unique())
            self.fault("unknown sex", f"{self.layout} has {', '.join(SEXES)}", field, rows)
        self.stop()
        return sex

    def bands(self, labels: Iterable[object], field: str) -> dict[object, AgeBand]:
        """The band that each label names; mangled bands are refused with their likely original."""
        bands: dict[object, AgeBand] = {}
        for label in labels:
            try:
                bands[label] = AgeBand.parse(_label(label))
            except AxisError as error:
                self.faults += [
                    Fault(f.what, f.remedy, file=self.path.name, field=field, rows=f.rows, code=f.code)
                    for f in error.faults
                ]
        self.stop()
        return bands

    def axis(self, bands: Iterable[AgeBand], field: str) -> AgeAxis:
        """Bands in order from birth to open-ended, neither gapped nor overlapping."""
        try:
            axis = AgeAxis.of(tuple(bands))
        except AxisError as error:
            first = error.faults[0]
            raise self.refuse(first.what, "Give the file as published", field, first.rows) from None
        if axis.span != AgeBand(0, None):
            raise self.refuse(f"ages run over {axis.span.label}, not all ages", "Give the whole file", field)
        return axis

    def unrepeated(self, table: pd.DataFrame, keys: Sequence[str]) -> None:
        """Refuse rows that say the same thing twice."""
        again = table.duplicated(list(keys), keep=False)
        if again.any():
            rows = [f"row {n}: {', '.join(map(str, row))}" for n, *row in table.loc[again, list(keys)].itertuples()]
            self.fault("rows repeat", "Give the file as published", ", ".join(keys), rows)
            self.stop()

    def adds_up(
        self, parts: NDArray[np.float64], whole: NDArray[np.float64], slack: float, what: str, labels: Sequence[str]
    ) -> None:
        """Refuse totals further from the sum of their parts than rounding allows."""
        off = np.abs(parts - whole) > slack + 1e-6
        if off.any():
            rows = [f"{labels[n]}: {parts[n]:,.10g} against {whole[n]:,.10g}" for n in np.flatnonzero(off).tolist()]
            self.fault(what, "The file is damaged or cut short: fetch it again", "", rows)


def _label(label: object) -> str:
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).strip()


def read_bytes(path: Path, check: Checker) -> bytes:
    """The bytes of a file, decompressed if it is gzip."""
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == _GZIP
        with gzip.open(path) if zipped else path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise check.refuse(f"the compressed file is cut short or damaged ({error})", "Fetch it again") from None
    except OSError as error:
        raise check.refuse(f"cannot be read: {error.strerror or error}", "Check the path") from None
    if len(content) > MAX_BYTES:
        raise check.refuse(f"the file holds more than {MAX_BYTES // 1_000_000} MB", "Is this the right file?")
    if not content.strip():
        raise check.refuse("the file is empty", "Fetch it again")
    return content


def read_csv(path: Path, check: Checker, wanted: Sequence[str]) -> pd.DataFrame:
    """A CSV as text, row numbers as a spreadsheet shows them; wanted columns are there."""
    return parse_csv(read_bytes(path, check), check, wanted)


def parse_csv(content: bytes, check: Checker, wanted: Sequence[str]) -> pd.DataFrame:
    """The cells of a CSV as text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise check.refuse(f"byte {error.start} is not UTF-8 text", "Give the CSV as published") from None
    if "\0" in text:
        raise check.refuse("not a text file", "Give the CSV as published")
    try:
        rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise check.refuse(f"not readable as a CSV: {str(error).strip()}", "Give the CSV as published") from None
    if not isinstance(rows.index, pd.RangeIndex):
        raise check.refuse("not readable as a CSV: rows have more cells than the heading", "Give the CSV as published")
    check.columns(rows.columns, wanted)
    if rows.empty:
        raise check.refuse("the file has a heading and no rows", "Fetch it again")
    rows.index = pd.RangeIndex(2, len(rows) + 2)
    short = rows.isna().any(axis=1)
    if short.any():
        raise check.refuse("rows are cut short", "Fetch it again", rows=[f"row {n}" for n in rows.index[short]])
    return rows


def open_workbook(path: Path, check: Checker, wanted: Sequence[str]) -> CalamineWorkbook:
    """A workbook that has the sheets of its layout."""
    content = read_bytes(path, check)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    except CalamineError as error:
        raise check.refuse(f"not readable as a workbook ({error})", "Give the workbook as published") from None
    names = [str(name) for name in book.sheet_names]
    if missing := [name for name in wanted if name not in names]:
        remedy = f"{check.layout} has {', '.join(wanted)}; this workbook has {', '.join(names)}"
        raise check.refuse(f"sheets are missing: {', '.join(missing)}", remedy)
    return book


def whole_people(values: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.int64]:
    """Fractional people made whole by largest remainder, each row keeping its printed total.

    Parameters
    ----------
    values : shape (row, age), people as printed.
    totals : shape (row,), the printed total of each row.

    Returns
    -------
    array of shape (row, age); each cell within one of the printed figure.
    """
    floors = np.floor(values + 1e-9)
    remainder = np.round(values - floors, 6)
    short = np.floor(totals + 0.5) - floors.sum(axis=-1)
    extra = np.clip(short, 0, (remainder > 0).sum(axis=-1)).astype(np.int64)
    rank = np.argsort(np.argsort(-remainder, axis=-1, kind="stable"), axis=-1, kind="stable")
    whole: NDArray[np.int64] = (floors + (rank < extra[..., None])).astype(np.int64)
    return whole


def people_table(
    places: pd.DataFrame, axis: AgeAxis, values: NDArray[np.int64], column: str = "persons"
) -> pd.DataFrame:
    """A tidy table from one row a place, year and sex.

    Parameters
    ----------
    places : columns area_code, area_name, year, sex.
    axis : bands of the last dimension.
    values : shape (place, age).
    """
    keys = ["area_code", "area_name", "year", "sex"]
    ordered = places[keys].reset_index(drop=True).sort_values(keys, kind="stable", na_position="last")
    bands = len(axis.bands)
    table = ordered.take(np.repeat(np.arange(len(ordered)), bands)).reset_index(drop=True)
    table["age_from"] = np.tile([band.low for band in axis.bands], len(places))
    table["age_to"] = pd.array([band.high for band in axis.bands], dtype="Int64").take(
        np.tile(np.arange(bands), len(places))
    )
    table[column] = values[ordered.index].reshape(-1)
    return table


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by their labels."""
    keys = [name for name in (*PEOPLE, "severity", "service") if name in table]
    return table.sort_values(keys, kind="stable", na_position="last", ignore_index=True)


def tidy_name(name: object) -> str:
    """A name without stray spaces; one in capitals becomes title case."""
    text = " ".join(str(name).split())
    return text.title().replace(" And ", " and ").replace(" Of ", " of ") if text.isupper() else text


def publishers_file(path: Path) -> str:
    """The sentence that names the publisher's file and its fingerprint."""
    return f"Publisher's file: {path.name}, sha256 {fingerprint(path)}."


def citation(authors: str, year: int | None, title: str, **others: str | None) -> dict[str, Any]:
    """A citation with every key, null where the source says nothing."""
    keys = ("container", "locator", "doi", "url")
    return {
        "authors": authors,
        "year": year,
        "title": title,
        **{key: others.get(key) for key in keys},
        "licence": others.get("licence") or "OGL-3.0",
    }
