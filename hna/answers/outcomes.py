"""The outcomes table of a needs assessment: indicator, value, and how the area is doing, in controlled words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

COLUMNS = (
    "indicator", "area_code", "area_name", "period", "value", "interval", "n", "region", "england",
    "statistical_neighbours", "how", "benchmark", "people", "method", "flags",
)  # fmt: skip
_KINDS = ("england", "region", "statistical-neighbours")
_KEY = ["indicator", "area_code", "area_name", "sex", "age_band"]


def outcomes(table: pd.DataFrame, titles: Mapping[str, str] = MappingProxyType({})) -> pd.DataFrame:
    """One row an indicator and area, as a joint strategic needs assessment prints it.

    Parameters
    ----------
    table : comparisons of needs (``comparisons.csv``), or of observed indicators (`compare_indicators`).
    titles : of needs, by identifier; a need without one is told by its identifier.

    Returns
    -------
    table with the columns `COLUMNS`
        The latest year of each indicator. ``value`` with ``interval``, ``n`` and ``period``; the value of each comparator;
        ``how``, the sentence on each comparator in the closed vocabulary; ``benchmark``, the first comparator that was
        tested; ``people``, the difference from it in people where it is significant. Text, ready to be read.
    """
    held = _alike(table, titles)
    if held.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    latest = held[held["year"] == held.groupby(_KEY, dropna=False)["year"].transform("max")]
    groups: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for record in latest.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        groups.setdefault(tuple(None if pd.isna(row[name]) else row[name] for name in _KEY), []).append(row)
    rows = [_row(dict(zip(_KEY, key, strict=True)), some) for key, some in groups.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _alike(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Comparisons of needs in the columns of indicators."""
    if "indicator" in table.columns:
        return table
    named = table["need"].map(lambda need: titles.get(need, need.replace("-", " ").capitalize()))
    names = named + ": " + table["quantity"].map(_QUANTITIES)
    return table.assign(indicator=names, value=table["estimate"], sex="persons", age_band="all")


_QUANTITIES = {
    "prevalence": "expected share of people with the need",
    "coverage": "share of the estimate known to services",
    "gap": "estimate less people known",
}


def _row(key: Mapping[str, Any], some: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    first = some[0]
    beside = {str(row["comparator"]): row for row in some}
    tested = [kind for kind in _KINDS if kind in beside and str(beside[kind]["verdict"]) not in _UNTESTED]
    benchmark = beside[tested[0]] if tested else None
    unit, decimals = str(first["unit"]), _decimals(first)
    sentences = list(dict.fromkeys(f"{beside[kind]['sentence']}." for kind in _KINDS if kind in beside))
    flags = sorted({code for row in some if not pd.isna(row["flags"]) for code in str(row["flags"]).split()})
    return {
        "indicator": _named(key), "area_code": key["area_code"], "area_name": key["area_name"], "period": first["period"],
        "value": printed(first["value"], unit, decimals), "interval": _interval(first, unit, decimals), "n": _count(first["n"]),
        **{
            kind.replace("-", "_"): printed(beside[kind]["comparator_value"], unit, decimals) if kind in beside else ""
            for kind in _KINDS
        },
        "how": " ".join(sentences) or f"{first['sentence']}.",
        "benchmark": "" if benchmark is None else str(benchmark["comparator_name"]),
        "people": _apart(benchmark), "method": first["method"] if benchmark is None else benchmark["method"],
        "flags": " ".join(flags),
    }  # fmt: skip


_UNTESTED = ("not_tested", "not_comparable")


def _named(key: Mapping[str, Any]) -> str:
    more = [
        str(key[name]) for name, all_of_them in (("sex", "persons"), ("age_band", "all")) if key[name] != all_of_them
    ]
    return ", ".join([str(key["indicator"]), *more])


def _apart(row: Any) -> str:
    """The difference in people beside every significant verdict: significant is not yet much."""
    if row is None or not str(row["verdict"]).startswith("sig_") or pd.isna(row["people"]):
        return ""
    people = float(row["people"])
    return f"{abs(people):,.0f} {'more' if people > 0 else 'fewer'} than at the level of {row['comparator_name']}"


def _decimals(row: Any) -> int:
    """Decimals of a per cent that its interval supports: one, and more where it is narrower than a point."""
    if row["unit"] != "proportion" or pd.isna(row["lower"]) or pd.isna(row["upper"]):
        return 1
    width = 100 * (float(row["upper"]) - float(row["lower"]))
    return 1 if width >= 1 else min(4, 1 - math.floor(math.log10(width))) if width > 0 else 1


def _interval(row: Any, unit: str, decimals: int) -> str:
    if pd.isna(row["lower"]) or pd.isna(row["upper"]):
        return ""
    return f"{100 * float(row['level']):g}% interval {printed(row['lower'], unit, decimals)} to {printed(row['upper'], unit, decimals)}"


def _count(number: Any) -> str:
    return "" if pd.isna(number) else f"{float(number):,.0f}"


def printed(number: Any, unit: str, decimals: int = 1) -> str:
    """A value in its unit, as in a table; empty where there is none.

    Parameters
    ----------
    number : a proportion, events per so many person-years, or people.
    unit : ``proportion``, ``people``, or ``per 100,000`` and the like.
    decimals : of a proportion, in per cent.
    """
    if number is None or pd.isna(number):
        return ""
    if unit == "proportion":
        return f"{100 * float(number):.{decimals}f}%"
    return f"{float(number):,.0f}" if unit == "people" else f"{float(number):,.1f} {unit}"
