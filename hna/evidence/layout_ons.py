"""Layouts of the Office for National Statistics: mid-year estimates, projections, small areas, Nomis extracts."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.evidence.layout_read import (
    MAX_BYTES,
    Checker,
    Reading,
    citation,
    in_order,
    open_workbook,
    parse_csv,
    people_table,
    publishers_file,
    read_bytes,
    read_csv,
    tidy_name,
    whole_people,
)
from hna.measure.ages import AgeAxis, AgeBand

ONS = "Office for National Statistics"
_SHEETS = {"persons": "MYE2 - Persons", "female": "MYE2 - Females", "male": "MYE2 - Males"}
_ENGLISH = r"E\d{8}"
_AUTHORITY = ("E06", "E07", "E08", "E09")
_ALL = AgeBand(0, None)
NOMIS_OLDEST = "90"
"""Label under which Nomis prints everyone of that age and over."""


def read_mye_workbook(path: Path) -> Reading:
    """Mid-year estimates from ONS's workbook: sheets MYE2 by single year, females and males."""
    check = Checker(path, "ONS mid-year estimates workbook")
    book = open_workbook(path, check, list(_SHEETS.values()))
    places: dict[str, pd.DataFrame] = {}
    values: dict[str, NDArray[np.int64]] = {}
    axes: dict[str, AgeAxis] = {}
    years: set[int] = set()
    for sex, sheet in _SHEETS.items():
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        title = " ".join(map(str, rows[0])) if rows else ""
        years |= {int(found) for found in re.findall(r"mid-(\d{4})", title)}
        places[sex], axes[sex], values[sex] = _mye_sheet(rows, sheet, check)
    if len(years) != 1:
        raise check.refuse(
            f"titles of the sheets name years {sorted(years)}", "Each title ends with mid-YYYY, the same year"
        )
    year = years.pop()
    first = places["persons"]
    for sex in ("female", "male"):
        if axes[sex] != axes["persons"] or not places[sex]["area_code"].equals(first["area_code"]):
            check.fault("areas or ages differ from the persons sheet", "Give the workbook as published", _SHEETS[sex])
    check.stop()
    off = np.abs(values["female"] + values["male"] - values["persons"]).max(axis=1)
    what = "females and males do not add up to persons (largest difference at one age)"
    check.adds_up(off.astype(float), np.zeros(len(off)), 0, what, first["area_name"].tolist())
    _authorities_add_up(first["area_code"], values["persons"], check)
    check.stop()
    table = pd.concat(
        [people_table(places[sex].assign(year=year, sex=sex), axes[sex], values[sex]) for sex in ("female", "male")]
    )
    cover = _cover(book) if "Cover sheet" in book.sheet_names else {}
    title = cover.get("title") or f"Mid-year population estimates, mid-{year}"
    fields = {
        "title": f"ONS mid-{year} population by single year of age and sex",
        "kind": "population",
        "base": "resident",
        "basis": "estimate",
        "citation": citation(
            ONS,
            cover.get("year"),
            title,
            container=f"{ONS}{', published ' + cover['date'] if 'date' in cover else ''}",
            locator=f"Sheets {_SHEETS['female']} and {_SHEETS['male']}",
        ),
        "read_from": "primary table",
        "notes": publishers_file(path),
        "corrections": ["Areas outside England are left out; names printed in capitals are in title case."],
    }
    return Reading(in_order(table), fields)


def _mye_sheet(rows: list[Any], sheet: str, check: Checker) -> tuple[pd.DataFrame, AgeAxis, NDArray[np.int64]]:
    at = next((n for n, row in enumerate(rows[:40]) if str(row[0]).strip() == "Code"), None)
    if at is None:
        raise check.refuse("no heading row starts with Code", "Give the workbook as published", sheet)
    heading = [str(int(cell)) if isinstance(cell, float) else str(cell).strip() for cell in rows[at]]
    check.columns(heading, ["Code", "Name", "Geography", "All ages"])
    if again := sorted({name for name in heading if name and heading.count(name) > 1}):
        raise check.refuse("columns repeat", "Give the workbook as published", sheet, again)
    cells = pd.DataFrame(rows[at + 1 :], columns=heading)
    cells.index = pd.RangeIndex(at + 2, at + 2 + len(cells))
    cells = cells[cells["Code"].astype(str).str.fullmatch(_ENGLISH)]
    if cells.empty:
        raise check.refuse("no row has an English area code", "Give the workbook as published", sheet)
    labels = [name for name in heading if name not in ("Code", "Name", "Geography", "All ages", "")]
    bands = check.bands(labels, sheet)
    axis = check.axis(bands.values(), sheet)
    order = sorted(labels, key=lambda label: bands[label].low)
    people = np.column_stack([check.numbers(cells[label], f"{sheet}, age {label}") for label in order])
    total = check.numbers(cells["All ages"], f"{sheet}, All ages")
    check.stop()
    if (people != np.floor(people)).any():
        check.fault("people are counted whole in this layout", "Give the workbook as published", sheet)
    places = pd.DataFrame({"area_code": cells["Code"], "area_name": cells["Name"].map(tidy_name)})
    check.unrepeated(places, ["area_code"])
    check.adds_up(
        people.sum(axis=1), total, 0, f"{sheet}: ages do not add up to All ages", places["area_name"].tolist()
    )
    check.stop()
    by_code = np.argsort(places["area_code"].to_numpy(dtype=str), kind="stable")
    return places.iloc[by_code].reset_index(drop=True), axis, people[by_code].astype(np.int64)


def _cover(book: Any) -> dict[str, Any]:
    text = [" ".join(map(str, row)).strip() for row in book.get_sheet_by_name("Cover sheet").to_python()]
    cover: dict[str, Any] = {"title": text[0]} if text else {}
    if found := re.search(r"originally published at .*?(\d{1,2} [A-Z][a-z]+ (\d{4}))", " ".join(text)):
        cover |= {"date": found[1], "year": int(found[2])}
    return cover


def _authorities_add_up(codes: pd.Series, people: NDArray[Any], check: Checker) -> None:
    england = codes.str.startswith("E92").to_numpy()
    if england.any():
        parts = people[codes.str.startswith(_AUTHORITY).to_numpy()].sum()
        whole = people[england].sum()
        check.adds_up(
            np.array([float(parts)]), np.array([float(whole)]), 0, "authorities do not add up to England", ["England"]
        )


def read_mye_tidy(path: Path, year: int | None = None) -> Reading:
    """Mid-year estimates re-laid as ``year,area_code,area_name,geography,sex,age,population``; one year of them."""
    check = Checker(path, "Mid-year estimates, tidy")
    rows = read_csv(path, check, ["year", "area_code", "area_name", "sex", "age", "population"])
    year = _one_year(rows, year, check)
    rows = rows[rows["year"] == str(year)]
    table = _tidy(rows, check, names=("area_code", "area_name", "year", "sex", "age", "population"), rounded=False)
    fields = {
        "title": f"ONS mid-{year} population by single year of age and sex",
        "kind": "population",
        "base": "resident",
        "basis": "estimate",
        "citation": citation(
            ONS, None, f"Mid-year population estimates, mid-{year}", container=ONS, locator="Table MYE2"
        ),
        "read_from": "secondary table",
        "notes": publishers_file(path),
        "corrections": ["Names printed in capitals are in title case."],
    }
    return Reading(table, fields)


def _one_year(rows: pd.DataFrame, year: int | None, check: Checker) -> int:
    found = sorted(set(check.years(rows["year"], "year").tolist()))
    if year is None and len(found) == 1:
        return int(found[0])
    if year is None or year not in found:
        what = "the file holds several years" if year is None else f"year {year} is not in the file"
        raise check.refuse(what, "Name one with the option year", "year", found)
    return year


def read_snpp_5yr(path: Path) -> Reading:
    """Projections re-laid by five-year band, persons, fractional people made whole."""
    check = Checker(path, "Projection by five-year band")
    rows = read_csv(path, check, ["projection", "area_code", "area_name", "sex", "age_group", "year", "population"])
    named = sorted(rows["projection"].unique())
    if len(named) != 1:
        raise check.refuse("several projections are in one file", "Keep one of them", "projection", named)
    table = _tidy(rows, check, names=("area_code", "area_name", "year", "sex", "age_group", "population"))
    fields = _projection_fields(path, f"Subnational population projections for England: {named[0]}", rows["population"])
    fields["read_from"] = "secondary table"
    return Reading(table, fields)


def read_nomis_syoa(path: Path) -> Reading:
    """A Nomis extract of a projection by sex and single year of age; its oldest age is open-ended."""
    check = Checker(path, "Nomis extract by single year of age")
    rows = read_csv(path, check, ["area_code", "area_name", "year", "sex", "age", "population"])
    rows["age"] = rows["age"].str.strip().replace(NOMIS_OLDEST, f"{NOMIS_OLDEST}+")
    table = _tidy(rows, check, names=("area_code", "area_name", "year", "sex", "age", "population"))
    fields = _projection_fields(path, "Subnational population projections, extract from Nomis", rows["population"])
    if f"{NOMIS_OLDEST}+" in set(rows["age"]):
        fields["corrections"] += [f"The oldest age, printed {NOMIS_OLDEST}, is read as {NOMIS_OLDEST} and over."]
    return Reading(table, fields)


def read_snpp_csv(path: Path) -> Reading:
    """ONS's own projection CSV, or the zip of its females, males and persons CSVs."""
    check = Checker(path, "ONS subnational projection CSV")
    wanted = ["AREA_CODE", "AREA_NAME", "COMPONENT", "SEX", "AGE_GROUP"]
    content = read_bytes(path, check)
    if content.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as folder:
                if sum(part.file_size for part in folder.infolist()) > MAX_BYTES:
                    raise check.refuse(
                        f"the zip holds more than {MAX_BYTES // 1_000_000} MB", "Is this the right file?"
                    )
                files = {
                    name: folder.read(name) for name in sorted(folder.namelist()) if name.casefold().endswith(".csv")
                }
        except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError) as error:
            raise check.refuse(f"the zip is damaged ({error})", "Fetch it again") from None
        if not files:
            raise check.refuse("the zip holds no CSV", "Give the zip or CSV as published")
        parts = [parse_csv(text, check, wanted) for text in files.values()]
        if len({tuple(part.columns) for part in parts}) > 1:
            raise check.refuse("the CSVs of the zip have different columns", "Give one release", rows=sorted(files))
        rows = pd.concat(parts, ignore_index=True)
    else:
        rows = parse_csv(content, check, wanted)
    is_people = rows["COMPONENT"].str.strip().str.casefold() == "population"
    others = rows.loc[~is_people, "COMPONENT"].value_counts()
    rows = rows[is_people]
    if rows.empty:
        raise check.refuse(
            "no row is of component Population", "Give the population file", "COMPONENT", sorted(others.index)
        )
    years = [name for name in rows.columns if name not in wanted]
    if not years or (odd := [name for name in years if not re.fullmatch(r"\d{4}", name)]):
        raise check.refuse(
            "columns after AGE_GROUP are not years", "Give the file as published", "heading", odd if years else ()
        )
    tall = rows.melt(wanted, years, "year", "population", ignore_index=False)
    table = _tidy(tall, check, names=("AREA_CODE", "AREA_NAME", "year", "SEX", "AGE_GROUP", "population"))
    fields = _projection_fields(
        path, f"Subnational population projections for England, {years[0]} to {years[-1]}", tall["population"]
    )
    if len(others):
        told = ", ".join(f"{name} ({count:,})" for name, count in sorted(others.items()))
        fields["corrections"] += [f"Rows of other components were left out: {told}."]
    return Reading(table, fields)


def _projection_fields(path: Path, title: str, printed: pd.Series) -> dict[str, Any]:
    rounded = (
        "Fractional people were made whole by largest remainder within each area, year and sex, keeping the printed "
        "total of all ages to the nearest person; sums over areas can differ from a printed total by rounding."
    )
    return {
        "title": title,
        "kind": "population",
        "base": "resident",
        "basis": "projection",
        "citation": citation(ONS, None, title, container=ONS),
        "read_from": "primary table",
        "notes": publishers_file(path),
        "corrections": [rounded] if _decimals(printed) else [],
    }


def _tidy(
    rows: pd.DataFrame, check: Checker, names: tuple[str, str, str, str, str, str], *, rounded: bool = True
) -> pd.DataFrame:
    """One row a cell: checked, totals held against their parts, people made whole."""
    code, name, year, sex, age, people = names
    ages = check.bands(rows[age].unique(), age)
    axis = check.axis((band for band in ages.values() if band != _ALL), age)
    tall = pd.DataFrame(
        {
            "area_code": rows[code].str.strip(),
            "area_name": rows[name].map({raw: tidy_name(raw) for raw in rows[name].unique()}),
            "year": check.years(rows[year], year),
            "sex": check.sexes(rows[sex], sex),
            "age": rows[age].map({label: band.label for label, band in ages.items()}),
            "value": check.numbers(rows[people], people),
        },
        index=rows.index,
    )
    if (blank := tall["area_code"] == "").any():
        check.fault("area code is blank", "Give the file as published", code, [f"row {n}" for n in tall.index[blank]])
    check.stop()
    keys = ["area_code", "year", "sex"]
    check.unrepeated(tall, [*keys, "age"])
    grid = tall.set_index([*keys, "age"])["value"].unstack("age")
    printed = grid.pop(_ALL.label) if _ALL.label in grid else None
    grid = grid[axis.labels]
    if grid.isna().to_numpy().any():
        gaps = grid[grid.isna().any(axis=1)]
        rows_short = [f"{at}: {', '.join(row.index[row.isna()][:3])}" for at, row in gaps.head(6).iterrows()]
        raise check.refuse("ages are missing for some areas", "The file is cut short: fetch it again", age, rows_short)
    levels = [len(grid.index.unique(key)) for key in keys]
    if len(grid) != np.prod(levels):
        per_area = grid.groupby(level="area_code").size()
        short = sorted(per_area[per_area < per_area.max()].index) or sorted(grid.index.unique("sex"))
        raise check.refuse("some areas lack a year or a sex", "The file is cut short: fetch it again", code, short)
    values = grid.to_numpy(dtype=np.float64)
    total = values.sum(axis=1) if printed is None else printed.to_numpy(dtype=np.float64)
    places = grid.index.to_frame(index=False)
    labels = [" ".join(map(str, row)) for row in places.itertuples(index=False)]
    if printed is not None:
        if np.isnan(total).any():
            raise check.refuse("the total is missing for some areas", "The file is cut short: fetch it again", age)
        slack = _rounding(rows[people], values.shape[1]) if rounded else 0.0
        check.adds_up(values.sum(axis=1), total, slack, "ages do not add up to All ages", labels)
        check.stop()
    whole = whole_people(values, total)
    known = tall.drop_duplicates("area_code").set_index("area_code")["area_name"]
    places["area_name"] = places["area_code"].map(known)
    kept = _without_persons(places, values, _rounding(rows[people], 2) if rounded else 0.0, check)
    return people_table(places[kept], axis, whole[kept])


def _decimals(printed: pd.Series) -> int:
    """Decimals printed, trailing zeros aside."""
    longest = printed.str.strip().str.extract(r"\.(\d*?)0*$")[0].str.len().max()
    return 0 if pd.isna(longest) else int(longest)


def _rounding(printed: pd.Series, parts: int) -> float:
    """How far a printed total may be from the sum of its separately rounded parts."""
    return float((parts + 1) * 0.5 * 10.0 ** -_decimals(printed))


def _without_persons(
    places: pd.DataFrame, values: NDArray[np.float64], slack: float, check: Checker
) -> NDArray[np.bool_]:
    """Rows kept where both sexes are there: persons are their sum, held against it and left out."""
    sexes = set(places["sex"])
    if sexes != {"female", "male", "persons"}:
        return np.ones(len(places), dtype=bool)
    by_sex = {sex: values[(places["sex"] == sex).to_numpy()] for sex in sorted(sexes)}
    shape = {part.shape for part in by_sex.values()}
    where = places[places["sex"] == "persons"]
    labels = [f"{code} {year}" for code, year in zip(where["area_code"], where["year"], strict=True)]
    if len(shape) > 1:
        raise check.refuse("the sexes have different areas or years", "Give the files of one release")
    worst = np.abs(by_sex["female"] + by_sex["male"] - by_sex["persons"]).max(axis=1)
    check.adds_up(worst, np.zeros(len(worst)), slack, "females and males do not add up to persons", labels)
    check.stop()
    return (places["sex"] != "persons").to_numpy()
