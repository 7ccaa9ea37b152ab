"""Open tables: tidy, one row a figure, never a formula."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from hna.answers.comparison import COLUMNS as COMPARISON_COLUMNS
from hna.answers.rows import COLUMNS
from hna.publish.report import Report

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBERS = ("estimate", "lower", "upper", "level", "probability")


def shown(text: str) -> str:
    """Text on one line, without signs that cannot be seen or that turn its direction."""
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line
    return "".join(sign for sign in line if sign.isprintable() and sign not in _BIDIRECTIONAL)


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula, and no page for a direction or a line of its own."""
    plain = "".join(sign for sign in text if sign.isprintable() and sign not in _BIDIRECTIONAL)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


_BIDIRECTIONAL = frozenset(map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)))


def figures(report: Report) -> pd.DataFrame:
    """Every figure of a report, in the columns of gap.csv."""
    return pd.concat([found.figures for found in report.answers], ignore_index=True)[list(COLUMNS)]


def comparisons(report: Report) -> pd.DataFrame:
    """Every comparison of a report, in the columns of comparisons.csv."""
    held = [found.comparisons for found in report.answers if not found.comparisons.empty]
    return pd.concat(held, ignore_index=True) if held else pd.DataFrame(columns=list(COMPARISON_COLUMNS))


def write_comparisons(report: Report, path: Path) -> None:
    """Write comparisons.csv: UTF-8, one row an area, quantity and comparator, numbers unrounded."""
    write_table(comparisons(report), path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write any table as CSV: an empty cell where there is no number, and no formula."""
    arrays: dict[str, pa.Array] = {}
    for name in map(str, table.columns):
        held = table[name].dropna()
        if len(held) and all(isinstance(value, int) for value in held):
            arrays[name] = pa.array(table[name].astype("Int64"))
        elif len(held) and all(isinstance(value, int | float) for value in held):
            arrays[name] = pa.array(pd.to_numeric(table[name]).to_numpy(float), from_pandas=True)
        else:
            texts = ["" if pd.isna(value) else inert(str(value)) for value in table[name]]
            arrays[name] = pa.array([text or None for text in texts], pa.string())
    with path.open("wb") as stream:
        stream.write((",".join(map(str, table.columns)) + "\n").encode())
        pa_csv.write_csv(pa.table(arrays), stream, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))


def write_figures(report: Report, path: Path) -> None:
    """Write gap.csv: UTF-8, one row a figure, numbers unrounded, an empty cell where there is no number."""
    table = figures(report)
    arrays: dict[str, pa.Array] = {}
    for name in COLUMNS:
        if name in _NUMBERS:
            arrays[name] = pa.array(pd.to_numeric(table[name]).to_numpy(float), from_pandas=True)
        elif name == "year":
            arrays[name] = pa.array(table[name].to_numpy(int))
        else:
            arrays[name] = pa.array([inert(str(text)) or None for text in table[name]], pa.string())
    with path.open("wb") as stream:
        stream.write((",".join(COLUMNS) + "\n").encode())
        pa_csv.write_csv(pa.table(arrays), stream, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))
