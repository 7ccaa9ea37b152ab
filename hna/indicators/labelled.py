"""The same indicators on labelled tables: labels match exactly, or the call raises.

A table has one row an area, or an area and group; what comes back has one row an area.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from hna.errors import AxisError, Fault
from hna.indicators.checks import settle
from hna.indicators.interval import FlaggedInterval, FloatArray, Interval
from hna.indicators.rates import crude_rate, proportion
from hna.indicators.standardise import direct, indirect
from hna.indicators.standards import Standard

__all__ = ["crude_rates", "directly_standardised", "group_arrays", "indirectly_standardised", "proportions"]


def group_arrays(
    table: pd.DataFrame,
    groups: Sequence[str],
    columns: Sequence[str],
    *,
    area: str = "area_code",
    group: str = "age_band",
) -> tuple[pd.Index[str], list[FloatArray]]:
    """Return the areas of a long table and an array of shape (area, group) for each column.

    Parameters
    ----------
    table : one row an area and group.
    groups : every group there must be, in order, such as the bands of a standard.
    columns : the columns to lay out.
    area, group : the columns that hold the labels.

    Returns
    -------
    areas, arrays
        Areas in order of appearance.

    Raises
    ------
    AxisError
        If a column is absent, an area and group stand twice, an area lacks a group, or a group is not one of
        ``groups``.
    """
    _has_columns(table, [area, group, *columns])
    faults: list[Fault] = []
    place = pd.Index(list(groups)).get_indexer(pd.Index(table[group].astype(str)))
    if (place < 0).any():
        rows = [str(label) for label in pd.unique(table.loc[place < 0, group])]
        remedy = f"Sum or split them into the groups of the standard: {', '.join(groups)}."
        faults.append(Fault("is not one of the groups", remedy, field=group, rows=rows))
    code, areas = pd.factorize(table[area])
    if (code < 0).any():
        faults.append(Fault("is empty in some rows", "Name the area of every row.", field=area))
    if faults:
        raise AxisError(faults)
    cell = code * len(groups) + place
    held = np.bincount(cell, minlength=len(areas) * len(groups))
    for wrong, what, remedy in (
        (held > 1, "stands more than once", "Keep one row for each area and group, or sum them."),
        (held < 1, "is missing", "Supply every group; write 0 events only where none were counted."),
    ):
        rows = [f"{areas[at // len(groups)]} {groups[at % len(groups)]}" for at in np.flatnonzero(wrong)[:1000]]
        if rows:
            faults.append(Fault(what, remedy, field=f"{area}, {group}", rows=rows))
    if faults:
        raise AxisError(faults)
    order = np.argsort(cell)
    shape = (len(areas), len(groups))
    arrays = [_column(table, name, [area, group])[order].reshape(shape) for name in columns]
    return pd.Index(areas, name=area), arrays


def directly_standardised(
    table: pd.DataFrame,
    standard: Standard,
    *,
    events: str = "events",
    population: str = "population",
    area: str = "area_code",
    group: str = "age_band",
    per: float = 100_000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return directly standardised rates of each area of a long table; see `hna.indicators.standardise.direct`.

    Parameters
    ----------
    table : one row an area and age band.
    standard : the standard population; the table has its bands, each once an area.
    events, population, area, group : the columns.
    per : unit of the rates.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    DataFrame
        Indexed by area: ``value, lower, upper, flags``.

    Raises
    ------
    AxisError
        If labels are wanting, unknown or doubled.
    QuantityError
        If a number is missing or negative, or a group has events and nobody in it.
    """
    areas, (happened, people) = group_arrays(table, standard.bands, [events, population], area=area, group=group)
    where = (people <= 0) & (happened > 0)
    if where.any():
        rows = [f"{areas[at[0]]} {standard.bands[at[1]]}" for at in np.argwhere(where)[:1000]]
        remedy = "Use a population of the same year and area as the events, or merge these groups."
        settle([Fault("is zero where there are events", remedy, field=population, rows=rows)])
    return _frame(direct(happened, people, standard.weights, per, level), areas)


def indirectly_standardised(
    table: pd.DataFrame,
    reference: pd.Series[float],
    *,
    events: str = "events",
    population: str = "population",
    area: str = "area_code",
    group: str = "age_band",
    per: float = 1,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return indirectly standardised ratios of each area of a long table; see `hna.indicators.standardise.indirect`.

    Parameters
    ----------
    table : one row an area and age band.
    reference : events a person in the reference population, indexed by age band.
    events, population, area, group, per, level : as in `directly_standardised`.

    Returns
    -------
    DataFrame
        Indexed by area: ``value, lower, upper``.

    Raises
    ------
    AxisError
        If labels are wanting, unknown or doubled.
    QuantityError
        As `hna.indicators.standardise.indirect`.
    """
    _once(reference.index, "reference")
    bands = [str(band) for band in reference.index]
    areas, (happened, people) = group_arrays(table, bands, [events, population], area=area, group=group)
    return _frame(indirect(happened, people, reference.to_numpy(np.float64), level, per=per), areas)


def crude_rates(
    table: pd.DataFrame,
    *,
    events: str = "events",
    person_years: str = "person_years",
    area: str = "area_code",
    per: float = 100_000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return crude rates of each row of a table with one row an area; see `hna.indicators.rates.crude_rate`.

    Parameters
    ----------
    table : one row an area.
    events, person_years, area : the columns.
    per : unit of the rates.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    DataFrame
        Indexed by area: ``value, lower, upper``.

    Raises
    ------
    AxisError
        If a column is absent or an area stands twice.
    QuantityError
        As `hna.indicators.rates.crude_rate`.
    """
    areas, happened, exposure = _one_row_an_area(table, area, events, person_years)
    return _frame(crude_rate(happened, exposure, per, level), areas)


def proportions(
    table: pd.DataFrame,
    *,
    cases: str = "cases",
    n: str = "n",
    area: str = "area_code",
    per: float = 1,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the proportion of each row of a table with one row an area; see `hna.indicators.rates.proportion`.

    Parameters
    ----------
    table : one row an area.
    cases, n, area : the columns.
    per : unit of the proportions.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    DataFrame
        Indexed by area: ``value, lower, upper``.

    Raises
    ------
    AxisError
        If a column is absent or an area stands twice.
    QuantityError
        As `hna.indicators.rates.proportion`.
    """
    areas, with_it, people = _one_row_an_area(table, area, cases, n)
    more = with_it > people
    if more.any():
        rows = [f"{label} {a:g} of {b:g}" for label, a, b in zip(areas[more], with_it[more], people[more], strict=True)]
        remedy = "A part cannot exceed its whole: check that both count the same people."
        settle([Fault("has more cases than people", remedy, field=cases, rows=rows)])
    return _frame(proportion(with_it, people, level, per), areas)


def _one_row_an_area(
    table: pd.DataFrame, area: str, top: str, below: str
) -> tuple[pd.Index[str], FloatArray, FloatArray]:
    """Return the areas and two columns of a table with one row an area."""
    _has_columns(table, [area, top, below])
    areas = pd.Index(table[area], name=area)
    _once(areas, area)
    return areas, _column(table, top, [area]), _column(table, below, [area])


def _has_columns(table: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Raise unless the table has the columns."""
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        there = ", ".join(map(str, table.columns))
        raise AxisError(Fault("the table has no such column", f"It has: {there}.", rows=absent))


def _once(labels: pd.Index[str], field: Hashable) -> None:
    """Raise if a label stands more than once."""
    if labels.has_duplicates:
        rows = [str(label) for label in labels[labels.duplicated()].unique()]
        raise AxisError(
            Fault("stands more than once", "Keep one row for each, or sum them.", field=str(field), rows=rows)
        )


def _column(table: pd.DataFrame, name: str, labels: list[str]) -> FloatArray:
    """Return a column as floats, none missing or negative, faults named by their labels."""
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    faults = []
    for wrong, what, remedy in (
        (
            ~np.isfinite(values),
            "is missing or not a number",
            "An empty or suppressed cell is not a zero: supply the number.",
        ),
        (values < 0, "is negative", "A count cannot be below 0: correct it."),
    ):
        if wrong.any():
            rows = table.loc[wrong, labels].astype(str).agg(" ".join, axis=1).tolist()
            faults.append(Fault(what, remedy, field=name, rows=rows))
    settle(faults)
    return values


def _frame(found: Interval, areas: pd.Index[str]) -> pd.DataFrame:
    """Return an interval as a table indexed by area."""
    columns: dict[str, object] = dict(zip(Interval._fields, found, strict=True))
    if isinstance(found, FlaggedInterval):
        columns["flags"] = found.flags
    return pd.DataFrame(columns, index=areas)
