"""Layouts of the Department for Education: plans by age, social care, the Interactive Tool, statistical neighbours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hna.errors import AxisError
from hna.evidence.layout_read import Checker, Reading, citation, in_order, publishers_file, read_csv
from hna.measure.ages import AgeBand

DFE = "Department for Education"
SUPPRESSED = "c"
"""Printed in place of a count that would identify someone."""

_NO_COUNT = {"z": "not applicable", "x": "not available", "u": "of low reliability"}
_PLACE = ["geographic_level", "country_code", "country_name", "region_code", "region_name"]
_AUTHORITY = ["old_la_code", "new_la_code", "la_name"]
_LEVELS = {
    "National": ("country_code", "country_name"),
    "Regional": ("region_code", "region_name"),
    "Local authority": ("new_la_code", "la_name"),
}
_ALL = AgeBand(0, None)


def read_ehcp(path: Path, year: int | None = None) -> Reading:
    """Education, health and care plans by age in January (SEN2): authorities, regions and England."""
    check = Checker(path, "SEN2 caseload by age")
    rows = read_csv(path, check, ["time_period", *_PLACE, *_AUTHORITY, "characteristic_age", "Total_ehc"])
    rows, year = _one_year(rows, year, check)
    rows = _places(rows, check)
    total = rows["characteristic_age"] == "Total"
    plain = {label: re.sub(r"^Age\s+", "", label) for label in rows.loc[~total, "characteristic_age"].unique()}
    bands = check.bands(plain.values(), "characteristic_age")
    ages = rows.loc[~total, "characteristic_age"].map(lambda label: bands[plain[label]])
    table, left_out = _counts(rows[~total], "Total_ehc", year, check, ages)
    printed, _ = _counts(rows[total], "Total_ehc", year, check, _ALL)
    _add_up(table, printed, check)
    fields = _fields(path, left_out) | {
        "title": f"Education, health and care plans by age, January {year}",
        "service": "education, health and care plans maintained by local authorities",
        "condition": "education, health and care plan",
        "case_definition": "an education, health and care plan that the authority maintained at the January census",
        "reference_date": f"{year}-01-31",
        "disclosure": None,
        "duplicates": "one plan a person, maintained by one authority",
        "covers": "people up to the oldest age printed whose plan the authority maintains, wherever they go to school",
        "citation": citation(
            DFE,
            year,
            f"Education, health and care plans, reporting year {year}",
            container="Explore education statistics",
            locator="SEN2 caseload by age group (sen2_age_caseload)",
        ),
    }
    fields["notes"] += f" The table names January {year}; the day of the month is not printed, so the last is recorded."
    return Reading(table, fields)


def read_cin(path: Path, year: int | None = None) -> Reading:
    """Children in need on 31 March by responsible authority, all ages together."""
    check = Checker(path, "Children in need (B1)")
    rows = read_csv(path, check, ["time_period", *_PLACE, *_AUTHORITY, "category", "At31_episodes"])
    rows, year = _one_year(rows, year, check)
    rows = _places(rows, check)
    rows = rows[rows["geographic_level"] == "Local authority"]
    table, left_out = _counts(rows, "At31_episodes", year, check, _ALL)
    fields = _fields(path, left_out) | {
        "title": f"Children in need on 31 March {year}",
        "service": "local authority children's social care",
        "condition": "child in need",
        "case_definition": "an episode of need (Children Act 1989) open on the day, including child protection plans, "
        "children looked after, care leavers and disabled children",
        "reference_date": f"{year}-03-31",
        "disclosure": {"suppressed": SUPPRESSED, "range": [1, 5], "rounded_to": None},
        "duplicates": "a child's episodes do not overlap within an authority; one open to two authorities is in both",
        "covers": "children the authority is responsible for, wherever they live, with unborn children and young "
        "people of 18 or over who still receive services; ages are not printed",
        "citation": citation(
            DFE,
            year,
            f"Children in need, reporting year {year}",
            container="Explore education statistics",
            locator="B1 Children in need, column At31_episodes",
        ),
    }
    fields["corrections"] = [
        *(fields["corrections"] or []),
        "Rows of regions and England, which are rounded to 10, are left out.",
    ]
    return Reading(table, fields)


def read_cla(path: Path, year: int | None = None) -> Reading:
    """Children looked after on 31 March by responsible authority."""
    check = Checker(path, "Children looked after, numbers and rates")
    rows = read_csv(path, check, ["time_period", *_PLACE, *_AUTHORITY, "population_type", "children_count"])
    rows, year = _one_year(rows, year, check)
    wanted = rows["population_type"] == "Children looked after on 31 March each year"
    if not wanted.any():
        found = sorted(rows["population_type"].unique())
        raise check.refuse("no row counts children looked after on 31 March", "Give the file as published", rows=found)
    rows = _places(rows[wanted], check)
    rows = rows[rows["geographic_level"] == "Local authority"]
    hidden = rows["children_count"] == SUPPRESSED
    table, left_out = _counts(rows[~hidden], "children_count", year, check, AgeBand(0, 17))
    if hidden.any():
        names = ", ".join(sorted(rows.loc[hidden, "la_name"]))
        left_out.append(f"Suppressed rows are left out, the range that c stands for not being printed: {names}.")
    fields = _fields(path, left_out) | {
        "title": f"Children looked after on 31 March {year}",
        "service": "local authority children's social care",
        "condition": "child looked after",
        "case_definition": "looked after by the authority on the day, series of short-term placements aside",
        "reference_date": f"{year}-03-31",
        "disclosure": None,
        "duplicates": "one authority looks after a child on a day",
        "covers": "children under 18 the authority is responsible for, wherever they are placed",
        "citation": citation(
            DFE,
            year,
            f"Children looked after in England including adoptions, reporting year {year}",
            container="Explore education statistics",
            locator="Number and rate of children looked after (cla_number_and_rate_per_10k_children)",
        ),
    }
    fields["corrections"] = [
        *(fields["corrections"] or []),
        "Rows of regions and England, which are rounded to 10, are left out.",
    ]
    return Reading(table, fields)


def read_lait(
    path: Path,
    measure: str | None = None,
    year: int | None = None,
    ages: str | None = None,
    codes: str | Path | None = None,
) -> Reading:
    """One counted measure of the Local Authority Interactive Tool in one year; a second DfE file gives area codes."""
    check = Checker(path, "Local Authority Interactive Tool")
    rows = read_csv(path, check, ["measure_code", "Measure", "period", "area", "LA Number", "value"])
    held = sorted(rows["measure_code"].unique())
    if measure not in held:
        what = "the file holds several measures" if measure is None else f"measure {measure!r} is not in the file"
        raise check.refuse(what, "Name a measure_code with the option measure", "measure_code", held)
    rows = rows[rows["measure_code"] == measure]
    found = sorted(rows["period"].unique())
    if year is None or str(year) not in found:
        what = "the measure has several periods" if year is None else f"{year} is not a period of the measure"
        raise check.refuse(what, "Name one with the option year", "period", found)
    rows = rows[rows["period"] == str(year)]
    if ages is None or codes is None:
        raise check.refuse(
            "ages and area codes are not in the file",
            "Name the ages (option ages) and a DfE file with old_la_code and new_la_code (option codes)",
        )
    band = _band(ages, check)
    by_number = _codes(Path(codes))
    by_name = _region_codes(Path(codes))
    number = rows["LA Number"].str.replace(r"\.0$", "", regex=True)
    code = number.map(by_number).where(number.isin(by_number), rows["area"].map(by_name))
    if code.isna().any():
        where = sorted(rows.loc[code.isna(), "area"])
        raise check.refuse("areas have no code", "Give a DfE file of the same year as option codes", "area", where)
    rows = rows.assign(geographic_level="Local authority", new_la_code=code, la_name=rows["area"])
    table, left_out = _counts(_named(rows), "value", year, check, band)
    name = rows["Measure"].iloc[0]
    fields = _fields(path, left_out) | {
        "title": f"{name}, {year}",
        "service": "local authority",
        "condition": name,
        "case_definition": name,
        "reference_date": f"{year}-12-31",
        "disclosure": None,
        "duplicates": None,
        "covers": None,
        "citation": citation(
            DFE, year, "Local Authority Interactive Tool", container=DFE, locator=f"{measure}: {name}"
        ),
    }
    fields["notes"] += f" Area codes are those of {Path(codes).name}."
    return Reading(table, fields)


def read_neighbours(path: Path, codes: str | Path | None = None, year: int | None = None) -> Reading:
    """Ten statistical neighbours of each authority, as GSS codes looked up in a second DfE file."""
    check = Checker(path, "DfE statistical neighbours, wide")
    columns = [f"SN_{n}" for n in range(1, 11)]
    rows = read_csv(path, check, ["old_la_code", "la_name", *columns])
    if codes is None:
        raise check.refuse(
            "the file holds DfE's own numbers of authorities",
            "Name a DfE file with old_la_code and new_la_code (option codes)",
        )
    check.unrepeated(rows, ["old_la_code"])
    vintage = year or _year_in(path.name, check)
    by_number = _codes(Path(codes))
    tall = rows.melt(["old_la_code"], columns, value_name="neighbour", ignore_index=False)
    used = pd.concat([tall["old_la_code"], tall["neighbour"]]).str.strip()
    if unknown := sorted(set(used) - set(by_number)):
        raise check.refuse(
            "authorities have no GSS code", "Give a DfE file of the same year (option codes)", rows=unknown
        )
    table = pd.DataFrame(
        {
            "child": tall["neighbour"].str.strip().map(by_number),
            "parent": tall["old_la_code"].str.strip().map(by_number),
            "vintage": vintage,
            "best_fit": False,
        }
    )
    check.unrepeated(table, ["child", "parent"])
    fields: dict[str, Any] = {
        "title": f"Statistical neighbours of every English authority, {vintage}",
        "kind": "areas",
        "citation": citation(DFE, vintage, f"Statistical neighbours model {vintage}", container=DFE),
        "read_from": "primary table",
        "notes": "A group, not a nesting: the parent is the authority compared, the children its ten neighbours, the "
        f"authority itself not among them. Their order and closeness are not kept. GSS codes are those of "
        f"{Path(codes).name}. " + publishers_file(path),
    }
    return Reading(table.sort_values(["child", "parent"], ignore_index=True), fields)


def _one_year(rows: pd.DataFrame, year: int | None, check: Checker) -> tuple[pd.DataFrame, int]:
    years = check.years(rows["time_period"], "time_period")
    chosen = int(years.max()) if year is None else year
    if chosen not in years:
        found = sorted(set(years.tolist()))
        raise check.refuse(f"year {chosen} is not in the file", "Name a year that it has", "time_period", found)
    return rows[years == chosen], chosen


def _places(rows: pd.DataFrame, check: Checker) -> pd.DataFrame:
    """Rows with the code and name of their own level; parts of London, printed beside it, are left out."""
    unknown = sorted(set(rows["geographic_level"]) - set(_LEVELS))
    if unknown:
        raise check.refuse("unknown geographic level", f"Levels are {', '.join(_LEVELS)}", "geographic_level", unknown)
    rows = rows.copy()
    for level, (code, name) in _LEVELS.items():
        at = rows["geographic_level"] == level
        rows.loc[at, "area_code"] = rows.loc[at, code].str.strip()
        rows.loc[at, "area_name"] = rows.loc[at, name].str.strip()
    part = (rows["geographic_level"] == "Regional") & ~rows["area_code"].str.startswith("E12")
    return rows[~part]


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(area_code=rows["new_la_code"], area_name=rows["la_name"])


def _counts(
    rows: pd.DataFrame, column: str, year: int, check: Checker, ages: AgeBand | pd.Series
) -> tuple[pd.DataFrame, list[str]]:
    """Counts as printed, suppression marks kept; rows without a count left out, and said so."""
    left_out = []
    for mark, meaning in _NO_COUNT.items():
        marked = rows[column].str.strip() == mark
        if marked.any():
            names = ", ".join(sorted(rows.loc[marked, "area_name"].unique()))
            left_out.append(f"Rows printed {mark} ({meaning}) are left out: {names}.")
            rows = rows[~marked]
    hidden = rows[column].str.strip() == SUPPRESSED
    counts = check.whole(rows[column].mask(hidden, "0"), column)
    bands = ages.loc[rows.index] if isinstance(ages, pd.Series) else pd.Series([ages] * len(rows), index=rows.index)
    table = pd.DataFrame(
        {
            "area_code": rows["area_code"],
            "area_name": rows["area_name"],
            "year": year,
            "sex": "persons",
            "age_from": bands.map(lambda band: band.low),
            "age_to": pd.array([band.high for band in bands], dtype="Int64"),
            "count": np.where(hidden, SUPPRESSED, counts.astype(str)),
        },
        index=rows.index,
    )
    check.unrepeated(table, ["area_code", "age_from"])
    check.stop()
    return in_order(table), left_out


def _add_up(table: pd.DataFrame, printed: pd.DataFrame, check: Checker) -> None:
    shown = table[~table["area_code"].isin(table.loc[table["count"] == SUPPRESSED, "area_code"])]
    parts = shown["count"].astype(float).groupby(shown["area_code"]).sum()
    whole = printed[printed["count"] != SUPPRESSED].set_index("area_code")["count"].astype(float)
    both = parts.index.intersection(whole.index)
    what = "ages do not add up to the total"
    check.adds_up(np.asarray(parts[both], float), np.asarray(whole[both], float), 0, what, both.tolist())
    check.stop()


def _fields(path: Path, left_out: list[str]) -> dict[str, Any]:
    return {
        "title": None,
        "kind": "known",
        "service": None,
        "condition": None,
        "case_definition": None,
        "count_kind": "people-point",
        "base": "resident",
        "reference_date": None,
        "disclosure": None,
        "duplicates": None,
        "covers": None,
        "citation": None,
        "read_from": "primary table",
        "notes": "Counted by the authority responsible, which is not always that of residence. "
        + publishers_file(path),
        "corrections": left_out or None,
    }


def _codes(path: Path) -> dict[str, str]:
    """DfE's numbers of authorities as GSS codes, the latest where they changed."""
    check = Checker(path, "DfE file with both kinds of code")
    rows = read_csv(path, check, ["time_period", "geographic_level", "old_la_code", "new_la_code"])
    rows = rows[rows["geographic_level"] == "Local authority"].sort_values("time_period", kind="stable")
    return dict(zip(rows["old_la_code"].str.strip(), rows["new_la_code"].str.strip(), strict=True))


def _region_codes(path: Path) -> dict[str, str]:
    check = Checker(path, "DfE file with both kinds of code")
    rows = read_csv(path, check, _PLACE)
    named = rows[rows["geographic_level"].isin(["National", "Regional"])]
    regional = named["geographic_level"] == "Regional"
    names = named["region_name"].where(regional, named["country_name"])
    codes = named["region_code"].where(regional, named["country_code"])
    return dict(zip(names, codes, strict=True))


def _band(text: str, check: Checker) -> AgeBand:
    try:
        return AgeBand.parse(text)
    except AxisError as error:
        raise check.refuse(error.faults[0].what, error.faults[0].remedy, "ages") from None


def _year_in(name: str, check: Checker) -> int:
    if not (found := re.search(r"(?<!\d)(20\d\d)(?!\d)", name)):
        raise check.refuse("the file does not say its year", "Name it with the option year")
    return int(found[1])
