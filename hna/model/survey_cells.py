"""Tables of people read for a survey model: labels and numbers whatever their type, and rows summed into cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault, SourceError

Array = NDArray[np.float64]
Labels = NDArray[np.object_]


def labels(table: pd.DataFrame, name: str) -> Labels:
    """Labels of a column, or of several crossed (``a:b``), as text, shape (row,).

    A whole number is the same label whether it was read as ``7``, ``7.0`` or ``"7"``; blanks around text go.
    """
    held = [_text(table[part]) for part in ([name] if name in table else name.split(":"))]
    if len(held) == 1:
        return held[0]
    return np.array([":".join(parts) for parts in zip(*held, strict=True)], dtype=object)


def _text(column: pd.Series) -> Labels:
    codes, kinds = pd.factorize(column.astype(object), use_na_sentinel=True)
    return np.array([*(_label(kind) for kind in kinds), ""], dtype=object)[codes]


def _label(value: object) -> str:
    if isinstance(value, float | np.floating) and math.isfinite(value) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def numbers(table: pd.DataFrame, name: str, where: str) -> Array:
    """A column as numbers, shape (row,).

    Raises
    ------
    SourceError
        If a value is no finite number.
    """
    found = np.asarray(pd.to_numeric(table[name].astype(object), errors="coerce"), dtype=float)
    wrong = ~np.isfinite(found)
    if wrong.any():
        rows = sorted({str(value) for value in table[name][wrong]})
        what = f"{name} is not a finite number in {wrong.sum():,} rows of the {where}"
        raise SourceError(Fault(what, "A column is a number in both tables, or text in both", field=name, rows=rows))
    return found


def complete(table: pd.DataFrame, needed: Sequence[str], where: str) -> None:
    """Refuse a table without rows, without a column, with two columns of one name, or with gaps in one.

    Raises
    ------
    SourceError
        Naming the columns.
    """
    absent = [name for name in needed if name not in table]
    if absent:
        remedy = f"The {where} has: {', '.join(map(str, table.columns))}"
        raise SourceError(Fault(f"columns of the formula are not in the {where}", remedy, rows=absent))
    if not len(table):
        raise SourceError(Fault(f"the {where} has no rows"))
    twice = [name for name in needed if (table.columns == name).sum() > 1]
    if twice:
        raise SourceError(Fault(f"the {where} has two columns of one name", "Keep one of them", rows=twice))
    gaps = [(name, int(table[name].isna().sum())) for name in needed]
    rows = [f"{name}: {count:,} of {len(table):,} rows" for name, count in gaps if count]
    if rows:
        remedy = "An empty cell is never a zero: fill it from its source, or leave the rows out by a named act"
        raise SourceError(Fault(f"the {where} has empty cells", remedy, rows=rows))


@dataclass(frozen=True, eq=False)
class Cells:
    """A survey's rows summed into cells.

    Parameters
    ----------
    table : one row a cell, the formula's columns.
    cases, size : shape (cell,); effective numbers under weights.
    effect : design effect of the weights, 1 without.
    found, asked : shape (cell,), people: cases, and all who were asked.
    """

    table: pd.DataFrame
    cases: Array
    size: Array
    effect: float
    found: Array
    asked: Array

    def sorted_by(self, key: NDArray[np.intp]) -> Cells:
        """The same cells in the order of a key of shape (cell,)."""
        order = np.argsort(key, kind="stable")
        return Cells(
            self.table.iloc[order].reset_index(drop=True), self.cases[order], self.size[order], self.effect,
            self.found[order], self.asked[order],
        )  # fmt: skip

    def among(self, frame: pd.DataFrame, people: Array) -> tuple[Array, Array]:
        """Cases found, and people asked, in each cell of a frame; nobody where more were asked than live there.

        Parameters
        ----------
        frame : one row a cell of this table's columns.
        people : shape (row,).

        Returns
        -------
        two arrays of shape (row,).
        """
        ours, theirs = (
            pd.MultiIndex.from_arrays([labels(table, str(name)) for name in self.table])
            for table in (self.table, frame)
        )
        at = ours.get_indexer(theirs)
        known = (at >= 0) & (self.asked[at] <= people)
        return np.where(known, self.found[at], 0.0), np.where(known, self.asked[at], 0.0)


def cells(table: pd.DataFrame, columns: Sequence[str], outcome: tuple[str, str], area: str, weights: str = "") -> Cells:
    """A survey's rows summed into cells of everything the formula names.

    With weights, the likelihood is weighted (a pseudo-likelihood), and the weights of each area are scaled so that they
    add up to the number of people whom they are worth, ``(Σw)²/Σw²`` (Kish): an area's weighted share is kept, and what
    the weights cost in precision is paid area by area.

    Parameters
    ----------
    table : one row a person with a 0/1 outcome, or a row a cell with cases and size.
    columns : that make a cell.
    outcome : columns of cases and size; the latter blank for a 0/1 outcome.
    area : column, or columns crossed by a colon, of areas.
    weights : column of design weights (of a person), or blank.

    Raises
    ------
    SourceError
        If a column is absent or has gaps, the outcome is not 0 or 1 (or cases exceed size), a weight is not positive.

    References
    ----------
    Asparouhov T. Commun Stat Theory Methods 2006;35:439-460 (scaling weights in clusters).
    doi 10.1080/03610920500476598. Kish L. J Off Stat 1992;8:183-200.
    """
    case_name, size_name = outcome
    complete(table, [*columns, *(name for name in (case_name, size_name, weights) if name)], "sample")
    case = numbers(table, case_name, "sample")
    size = numbers(table, size_name, "sample") if size_name else np.ones(len(table))
    if not size_name and not np.isin(case, (0, 1)).all():
        remedy = "Code it 0 and 1, or write cases / size for rows that count several people"
        raise SourceError(Fault(f"{case_name} is not 0 or 1 in every row", remedy, field=case_name))
    if (case < 0).any() or (case > size).any():
        raise SourceError(Fault("cases are negative or exceed their size", field=case_name))
    weight = numbers(table, weights, "sample") if weights else np.ones(len(table))
    if (weight <= 0).any():
        remedy = "Leave out by a named act those who stand for nobody"
        raise SourceError(Fault("a weight is not positive", remedy, field=weights))
    asked = size > 0
    if not asked.any():
        raise SourceError(Fault("nobody was asked: every size is 0", field=size_name))
    table, case, size, weight = table[asked], case[asked], size[asked], weight[asked]
    areas = pd.factorize(labels(table, area))[0]
    total, square = (np.bincount(areas, size * weight**power) for power in (1, 2))
    worth = weight * (total / square)[areas]
    key = pd.DataFrame({number: labels(table, name) for number, name in enumerate(columns)})
    at = key.groupby(list(key), sort=True).ngroup().to_numpy()
    _, first = np.unique(at, return_index=True)
    effective = np.bincount(at, worth * size)
    found, everybody = (np.asarray(np.bincount(at, values), dtype=float) for values in (case, size))
    return Cells(
        table[list(columns)].iloc[first].reset_index(drop=True), np.minimum(np.bincount(at, worth * case), effective),
        np.asarray(effective, dtype=float), float(size.sum() / effective.sum()), found, everybody,
    )  # fmt: skip


def people_in(frame: pd.DataFrame, people: str | None, columns: Sequence[str]) -> Array:
    """How many people each row of a frame holds, shape (row,).

    Parameters
    ----------
    people : column; where it is not there (or None), every row is one person.
    columns : that make a cell; a table with a row for each of them, and numbers of people in some other column, is of cells,
        and is not taken for persons.

    Raises
    ------
    SourceError
        If numbers are missing, negative or all nothing, or it is unclear which column holds them.
    """
    if people is not None and people in frame:
        complete(frame, [people], "frame")
        found = numbers(frame, people, "frame")
        if (found < 0).any() or not found.sum() > 0:
            raise SourceError(Fault("people are negative in the frame, or there are none", field=people))
        return found
    if people not in (None, "people"):
        raise SourceError(Fault(f"the frame has no column {people}", f"It has: {', '.join(map(str, frame.columns))}"))
    likely = [str(name) for name in frame if name not in columns and _counts(frame[name])]
    if people is not None and likely and not frame.duplicated(list(columns)).any():
        remedy = f"Say people={likely[0]!r}, or people=None if every row is one person"
        raise SourceError(Fault("the frame has no column people, and rows that look like cells", remedy, rows=likely))
    return np.ones(len(frame))


def _counts(column: pd.Series) -> bool:
    """Whether a column holds numbers from nothing up, such as people are counted or weighed in."""
    kind = column.dtype
    numeric = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
    return numeric and bool((column >= 0).all())
