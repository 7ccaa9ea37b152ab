"""Read a table strictly: exact columns, exact kinds, every fault told at once."""

from __future__ import annotations

import difflib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hna.errors import AxisError, Fault, SourceError
from hna.evidence.yaml_file import read_text
from hna.measure.ages import AgeBand
from hna.measure.axes import SEXES

MAX_BYTES = 1_000_000_000
_PARTED = {";": "semicolons", "\t": "tabs"}


def read_columns(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV or Parquet table whose columns are the required ones and some of the optional.

    CSV cells come as text, exactly as written. Parquet cells come as stored.

    Raises
    ------
    SourceError
        If the file is missing, empty, truncated, not UTF-8, too large, or has other columns.
    """
    table = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    columns = [str(name) for name in table.columns]
    faults = []
    parted = next((name for sign, name in _PARTED.items() if len(columns) == 1 and sign in columns[0]), None)
    if parted and len(required) > 1:
        remedy = "Save the table as comma-separated values"
        raise SourceError(Fault(f"fields are divided by {parted}, not by commas", remedy, file=str(path)))
    missing = [name for name in required if name not in columns]
    extra = [name for name in columns if name not in required and name not in optional]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    expected = ", ".join(required) + (f" (and optionally {', '.join(optional)})" if optional else "")
    if missing:
        faults.append(Fault("columns are missing", f"The columns are {expected}", file=str(path), rows=missing))
    if extra:
        rows = [_with_nearest(name, [*required, *optional]) for name in extra]
        faults.append(Fault("unknown columns", f"The columns are {expected}", file=str(path), rows=rows))
    if repeated:
        faults.append(Fault("columns are repeated", f"The columns are {expected}", file=str(path), rows=repeated))
    if faults:
        raise SourceError(faults)
    if table.empty:
        raise SourceError(Fault("the table has no rows", "Add one row a cell", file=str(path)))
    return table


def _with_nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 2)
    return f"{name}: is it {' or '.join(near)}?" if near else name


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pq.read_table(path).to_pandas()
    except OSError as error:
        raise SourceError(
            Fault(f"cannot be read: {error.strerror or error}", "Check the path", file=str(path))
        ) from None
    except pa.ArrowException:
        remedy = "Write it again: it may be truncated"
        raise SourceError(Fault("the file is not readable as Parquet", remedy, file=str(path))) from None
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    text = read_text(path, MAX_BYTES)
    if not text.strip():
        raise SourceError(Fault("the file is empty", "Write a header line, then one row a cell", file=str(path)))
    if "\x00" in text:
        raise SourceError(
            Fault("the file holds null characters", "Save it as CSV (UTF-8), not as a workbook", file=str(path))
        )
    try:
        table = pd.read_csv(
            io.StringIO(text),
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            header=None,
            skip_blank_lines=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        what = str(error).replace("Error tokenizing data. C error: ", "").strip()
        remedy = "Every row has as many fields as the header; quote text that holds a comma"
        raise SourceError(Fault(f"not readable as CSV: {what}", remedy, file=str(path))) from None
    short = table.isna().any(axis=1)
    if short.any():
        rows = [f"line {n + 1}" for n in np.flatnonzero(short.to_numpy())]
        remedy = "The file may be truncated: every row has as many fields as the header"
        raise SourceError(Fault("rows have fewer fields than the header", remedy, file=str(path), rows=rows))
    header = [name.strip() for name in table.iloc[0]]
    table = table.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(header)
    stripped: pd.DataFrame = table.apply(lambda column: column.str.strip())
    return stripped


@dataclass
class Reader:
    """Turn the text of a table into numbers and labels, gathering faults.

    Parameters
    ----------
    table : as `read_columns` gives it.
    file : name for messages.
    """

    table: pd.DataFrame
    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, what: str, remedy: str, column: str, bad: np.ndarray, code: str = "") -> None:
        """Note the rows that are wrong, if any."""
        rows = [self.row(n) for n in np.flatnonzero(bad)[:6]]
        if rows:
            rows += [rows[-1]] * (int(bad.sum()) - len(rows))
            self.faults.append(Fault(what, remedy, file=self.file, field=column, rows=rows, code=code))

    def row(self, n: int) -> str:
        """A row as the analyst sees it."""
        cells = ", ".join("" if pd.isna(value) else str(value) for value in self.table.iloc[n])
        return f"row {n + 2}: {cells}"

    def text(self, column: str) -> np.ndarray:
        """A column of labels that are not blank."""
        codes, labels = self.labels(column)
        found: np.ndarray = labels[codes]
        return found

    def labels(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """A column of labels that are not blank: the position of each row's label, and the labels."""
        codes, values = pd.factorize(self.table[column], use_na_sentinel=False)
        labels = np.array([str(value) for value in values], dtype=object)
        blank = np.array([label.strip() == "" for label in labels], dtype=bool)
        self.fault("is blank", "Fill it in", column, blank[codes])
        return codes, labels

    def numbers(self, column: str, *, blank: bool = False, whole: bool = False) -> np.ndarray:
        """A column of finite numbers; a blank becomes NaN where blanks are allowed."""
        raw = self.table[column]
        if raw.dtype.kind in "iuf":
            values = raw.to_numpy(dtype=float, na_value=math.nan)
            empty = np.isnan(values)
            bad = np.isinf(values)
        else:
            texts = raw.astype(object).to_numpy()
            empty = np.array([str(text) == "" or pd.isna(text) for text in texts])
            values = np.array([math.nan if gone else _number(text) for text, gone in zip(texts, empty, strict=True)])
            bad = ~empty & ~np.isfinite(values)
        self.fault("is not a number", "Write digits, with a point for decimals and no thousands mark", column, bad)
        if not blank:
            self.fault("is blank", "An empty cell is never a zero: fill it in or leave the row out", column, empty)
        if whole:
            broken = np.isfinite(values) & (values != np.floor(values))
            self.fault("is not a whole number", "People are counted whole", column, broken)
        return values

    def sexes(self) -> np.ndarray:
        """The sex column, persons where there is none."""
        if "sex" not in self.table:
            return np.full(len(self.table), "persons", dtype=object)
        codes, labels = self.labels("sex")
        bad = np.array([label not in SEXES for label in labels], dtype=bool)
        self.fault("is not a sex that can be read", f"Write {', '.join(SEXES)}", "sex", bad[codes])
        found: np.ndarray = labels[codes]
        return found

    def bands(self) -> list[AgeBand]:
        """The age bands, all ages where there are no columns for them."""
        codes, bands = self.band_labels()
        return [bands[code] for code in codes]

    def band_labels(self) -> tuple[np.ndarray, list[AgeBand]]:
        """The position of each row's age band, and the bands."""
        if "age_from" not in self.table:
            return np.zeros(len(self.table), dtype=int), [AgeBand(0, None)]
        limits = [name for name in ("age_from", "age_to") if name in self.table]
        parts = [pd.factorize(self.table[name], use_na_sentinel=False)[0] for name in limits]
        key = parts[0] * (int(parts[-1].max(initial=0)) + 1) + parts[-1]
        codes = pd.factorize(key)[0]
        one_each = Reader(self.table[~pd.Series(key).duplicated().to_numpy()], self.file)
        bands = one_each.bands_of_rows()
        if one_each.faults:  # told with every row that is wrong
            return np.arange(len(self.table)), self.bands_of_rows()
        return codes, bands

    def bands_of_rows(self) -> list[AgeBand]:
        """The age band of each row, read one by one."""
        lows, highs = self._ages("age_from"), self._ages("age_to") if "age_to" in self.table else None
        if "age_to" not in self.table:
            self.faults.append(
                Fault("columns are missing", "age_to goes with age_from", file=self.file, rows=["age_to"])
            )
        bands, bad = [], np.zeros(len(self.table), dtype=bool)
        for n, low in enumerate(lows):
            high = None if highs is None else highs[n]
            try:
                bands.append(AgeBand.of(0 if low is None else low, high))
            except AxisError:
                bands.append(AgeBand(0, None))
                bad[n] = True
        self.fault(
            "ages do not make a band",
            "age_from is at most age_to; leave age_to blank for an open band",
            "age_to",
            bad,
            "R104",
        )
        return bands

    def _ages(self, column: str) -> list[int | None]:
        raw = self.table[column]
        blank = column == "age_to"
        if raw.dtype.kind in "iuf":
            return [None if np.isnan(v) else int(v) for v in self.numbers(column, blank=blank, whole=True)]
        found: list[int | None] = []
        bad = np.zeros(len(raw), dtype=bool)
        said = ""
        for n, value in enumerate(raw.astype(object).to_numpy()):
            text = "" if pd.isna(value) else str(value)
            if text == "" and blank:
                found.append(None)
                continue
            number = _number(text)
            if text and math.isfinite(number) and number == int(number) and number >= 0:
                found.append(int(number))
                continue
            found.append(None)
            bad[n] = True
            if not said:
                try:
                    AgeBand.parse(text)
                except AxisError as error:
                    said = error.faults[0].what
        what = said or "is not an age in whole years"
        self.fault(what, "Write the first and last age in two columns, as whole years", column, bad, "R104")
        return found

    def unique(self, keys: Sequence[str], described: str) -> None:
        """Note rows that repeat a cell."""
        present = [key for key in keys if key in self.table]
        cells = self.table[present] if present else pd.DataFrame({"all": [0] * len(self.table)})
        bad = cells.duplicated(keep=False).to_numpy()
        self.fault(f"{described} stand more than once", "Keep one row a cell", ", ".join(present), bad)

    def done(self) -> None:
        """Raise everything found.

        Raises
        ------
        SourceError
            With all faults at once.
        """
        if self.faults:
            raise SourceError(self.faults)


def _number(text: object) -> float:
    try:
        value = str(text)
        return math.nan if "_" in value or value.lower().strip("+-") in ("nan", "inf", "infinity") else float(value)
    except ValueError:
        return math.nan


def tiling_fault(bands: Sequence[AgeBand]) -> str:
    """What is wrong with bands that should follow each other, or nothing."""
    ordered = sorted(bands, key=lambda band: (band.low, band.end))
    for before, after in pairwise(ordered):
        if before.end > after.low:
            return f"{before.label} and {after.label} overlap"
        if before.end < after.low:
            return f"gap between {before.label} and {after.label}"
    return ""
