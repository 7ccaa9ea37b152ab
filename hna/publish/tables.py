"""Open tables: tidy, one row a figure, never a formula."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from hna.answers.breakdown import need_by_subgroup
from hna.answers.comparison import COLUMNS as COMPARISON_COLUMNS
from hna.answers.outcomes import outcomes
from hna.answers.rows import COLUMNS
from hna.publish.report import Report
from hna.publish.schema import COMPARISONS, GAP, OUTCOMES, SCENARIOS, SUBGROUPS, TableSchema

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@lru_cache(maxsize=65_536)
def shown(text: str) -> str:
    """Text on one line, without signs that cannot be seen or that turn its direction."""
    line = " ".join(text.split())
    return line if line.isascii() and line.isprintable() else printable(line)


def printable(line: str) -> str:
    """A line with its spaces as they are, without signs that cannot be seen or that turn its direction."""
    return "".join(sign for sign in line if sign.isprintable() and sign not in _BIDIRECTIONAL)


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula, and no page for a direction or a line of its own."""
    plain = text if text.isascii() and text.isprintable() else printable(text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


_BIDIRECTIONAL = frozenset(map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)))


_TURNING = re.compile(f"[{''.join(sorted(_BIDIRECTIONAL))}]")


def json_text(record: object) -> str:
    """A record as JSON, for people too: what cannot be seen or turns the direction of text is written as its number."""
    text = json.dumps(record, indent=2, ensure_ascii=False)
    return _TURNING.sub(lambda sign: f"\\u{ord(sign.group()):04x}", text) + "\n"


def figures(report: Report) -> pd.DataFrame:
    """Every figure of a report, in the columns of gap.csv."""
    return pd.concat([found.figures for found in report.answers], ignore_index=True)[list(COLUMNS)]


def comparisons(report: Report) -> pd.DataFrame:
    """Every comparison of a report, in the columns of comparisons.csv."""
    held = [found.comparisons for found in report.answers if not found.comparisons.empty]
    return pd.concat(held, ignore_index=True) if held else pd.DataFrame(columns=list(COMPARISON_COLUMNS))


def scenarios(report: Report) -> pd.DataFrame:
    """Every figure of the runs beside the headline, in the columns of scenarios.csv."""
    held = [run.figures.assign(scenario=run.rates.scenario) for found in report.answers for run in found.scenarios]
    columns = list(SCENARIOS.columns)
    return pd.concat(held, ignore_index=True)[columns] if held else pd.DataFrame(columns=columns)


def open_tables(report: Report) -> dict[TableSchema, pd.DataFrame]:
    """Every open table of a report, with what its columns hold."""
    whole, beside = figures(report), comparisons(report)
    years = report.arguments.get("years")
    asked = tuple(years) if isinstance(years, list | tuple) else ()
    return {
        GAP: whole,
        SUBGROUPS: need_by_subgroup(whole, asked),
        COMPARISONS: beside,
        OUTCOMES: outcomes(beside, {one.model.need: one.model.title for one in report.answers}),
        SCENARIOS: scenarios(report),
    }


def write_table(table: pd.DataFrame, path: Path, more: Iterable[pd.DataFrame] = ()) -> None:
    """Write any table as CSV, and more of its rows after it: an empty cell where there is no number, and no formula."""
    with path.open("wb") as stream:
        stream.write((",".join(map(str, table.columns)) + "\n").encode())
        for part in chain((table,), more):
            arrays = {str(name): _column(part[name]) for name in part.columns}
            options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
            pa_csv.write_csv(pa.table(arrays), stream, options)


def streamed(report: Report) -> Iterator[pd.DataFrame]:
    """Rows of gap.csv of small areas too many for a page, some at a time."""
    for found in report.answers:
        for part in found.more:
            yield from part.frames()


def _column(values: pd.Series) -> pa.Array:
    """A column as it is written: whole numbers, numbers, or text that is safe to open."""
    if values.dtype.kind in "if":
        return pa.array(values.to_numpy(), from_pandas=True)
    held = [None if absent else value for value, absent in zip(values.tolist(), values.isna(), strict=True)]
    kinds = {type(value) for value in held} - {type(None)}
    if kinds and all(issubclass(kind, int) for kind in kinds):
        return pa.array(held, pa.int64())
    if kinds and all(issubclass(kind, int | float) for kind in kinds):
        return pa.array([None if value is None else float(value) for value in held], pa.float64())
    said = {value: inert(str(value)) or None for value in dict.fromkeys(held) if value is not None}
    return pa.array([said.get(value) for value in held], pa.string())
