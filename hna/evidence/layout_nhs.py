"""Layouts of the Quality and Outcomes Framework: registers by CCG, by ICB, and apportioned to authorities."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hna.errors import AxisError
from hna.evidence.layout_read import Checker, Reading, citation, in_order, publishers_file, read_csv
from hna.measure.ages import AgeBand

NHS_DIGITAL = "NHS Digital"
QOF_CONDITIONS = {
    "AF": "atrial fibrillation",
    "AST": "asthma",
    "CAN": "cancer",
    "CHD": "coronary heart disease",
    "CKD": "chronic kidney disease",
    "COPD": "COPD",
    "CVD-PP": "cardiovascular disease, primary prevention",
    "CVDPP": "cardiovascular disease, primary prevention",
    "DEM": "dementia",
    "DEP": "depression",
    "DM": "diabetes",
    "EP": "epilepsy",
    "HF": "heart failure",
    "HYP": "hypertension",
    "LD": "learning disability",
    "MH": "severe mental illness",
    "NDH": "non-diabetic hyperglycaemia",
    "OB": "obesity",
    "OST": "osteoporosis",
    "PAD": "peripheral arterial disease",
    "PC": "palliative care",
    "RA": "rheumatoid arthritis",
    "STIA": "stroke",
}
"""Codes of the registers, in the field's words."""


def read_qof_ccg(path: Path, register: str | None = None, year: int | None = None) -> Reading:
    """One QOF register by clinical commissioning group: patients of its practices on 31 March."""
    check = Checker(path, "QOF registers by CCG")
    rows = read_csv(path, check, ["year", "group", "ccg_ons", "ccg_name", "list_label", "list_size", "register"])
    rows, code, end = _one_register(rows, "group", register, year, check)
    labels = sorted(rows["list_label"].unique())
    if len(labels) != 1:
        raise check.refuse(
            "one register has several age restrictions", "Give the file as published", "list_label", labels
        )
    counts = check.whole(rows["register"], "register")
    lists = check.numbers(rows["list_size"], "list_size")
    if (over := counts > lists).any():
        where = [f"row {n}: {count:,}" for n, count in zip(rows.index[over], counts[over], strict=True)]
        check.fault("more people on the register than on the list", "Give the file as published", "register", where)
    band = _list_ages(labels[0], check)
    table = _known(rows["ccg_ons"], rows["ccg_name"], end, band, counts, check)
    fields = _fields(path, code, end, "registered", band)
    fields["citation"] = citation(
        NHS_DIGITAL,
        None,
        f"Quality and Outcomes Framework, {_span(end)}",
        container=NHS_DIGITAL,
        locator="Prevalence, CCG level",
    )
    return Reading(table, fields)


def read_qof_icb(path: Path, register: str | None = None, year: int | None = None, ages: str | None = None) -> Reading:
    """One QOF register by integrated care board and England."""
    check = Checker(path, "QOF registers by ICB")
    rows = read_csv(path, check, ["year", "code", "name", "type", "group", "register", "denominator"])
    rows, code, end = _one_register(rows, "group", register, year, check)
    counts = check.whole(rows["register"], "register")
    england = (rows["type"] == "National").to_numpy()
    if england.sum() == 1:
        check.adds_up(
            np.array([counts[~england].sum()], dtype=float),
            counts[england].astype(float),
            0,
            "boards do not add up",
            ["England"],
        )
    band = _stated_ages(ages, check)
    table = _known(rows["code"], rows["name"], end, band, counts, check)
    fields = _fields(path, code, end, "registered", band)
    fields["citation"] = citation(
        "NHS England",
        None,
        f"Quality and Outcomes Framework, {_span(end)}",
        container="NHS England",
        locator="Prevalence, ICB level",
    )
    fields["notes"] += " Areas carry the NHS's own codes, not those of ONS."
    return Reading(table, fields)


def read_qof_lad(path: Path, register: str | None = None, year: int | None = None, ages: str | None = None) -> Reading:
    """One QOF register apportioned by residence to English authorities: the House of Commons Library's model."""
    check = Checker(path, "QOF registers by authority, House of Commons Library")
    rows = read_csv(path, check, ["lad_code", "lad_name", "group_code", "register", "list"])
    end = year or _year_in(path.name, check)
    rows, code, _ = _one_register(rows.assign(year=_span(end)), "group_code", register, end, check)
    abroad = ~rows["lad_code"].str.startswith("E")
    left_out = int(abroad.sum())
    rows = rows[~abroad]
    printed = check.numbers(rows["register"], "register")
    check.stop()
    band = _stated_ages(ages, check)
    counts = np.floor(printed + 0.5).astype(np.int64)
    table = _known(rows["lad_code"], rows["lad_name"], end, band, counts, check)
    fields = _fields(path, code, end, "resident", band)
    fields["citation"] = citation(
        "House of Commons Library",
        None,
        f"Modelled estimates from the Quality and Outcomes Framework {_span(end)}, by local authority",
        container="House of Commons Library",
        licence="Open Parliament Licence 3.0",
    )
    fields["title"] += ", apportioned to authorities by residence"
    fields["notes"] += (
        " A modelled bridge from registered to resident, not a count: practices' registers joined to the small areas "
        "where the practices' patients live, and summed to authorities."
    )
    fields["corrections"] = [
        "Apportioned registers are printed with fractions; each is rounded to the nearest whole person.",
        f"{left_out} authorities outside England, which hold only the patients of English practices, are left out.",
    ]
    return Reading(table, fields)


def _one_register(
    rows: pd.DataFrame, column: str, register: str | None, year: int | None, check: Checker
) -> tuple[pd.DataFrame, str, int]:
    codes = sorted(rows[column].unique())
    if register is None or register.upper() not in codes:
        what = "the file holds several registers" if register is None else f"register {register!r} is not in the file"
        raise check.refuse(what, f"Name one with the option register: {', '.join(codes)}", column)
    code = register.upper()
    rows = rows[rows[column] == code]
    ends = {label: _year_end(label, check) for label in rows["year"].unique()}
    check.stop()
    latest = max(ends.values())
    if year is not None and year not in ends.values():
        found = sorted(ends.values())
        raise check.refuse(f"no register on 31 March {year}", "Name the year in which the QOF year ends", "year", found)
    end = year or latest
    return rows[rows["year"].map(ends) == end], code, end


def _year_end(label: str, check: Checker) -> int:
    if not (found := re.fullmatch(r"(\d{4})[-/](\d{2})", label)):
        check.fault(f"{label!r} is not a financial year", "Years are written 2019-20", "year")
        return 0
    return int(found[1]) + 1


def _year_in(name: str, check: Checker) -> int:
    if not (found := re.search(r"(\d{4})[-_](\d{2})(?!\d)", name)):
        raise check.refuse(
            "the file does not say its year", "Name it with the option year, as the year in which the QOF year ends"
        )
    return int(found[1]) + 1


def _span(end: int) -> str:
    return f"{end - 1}-{end % 100:02d}"


def _list_ages(label: str, check: Checker) -> AgeBand:
    found = re.fullmatch(r"List size(?: ages (.+))?", label.strip())
    if not found:
        raise check.refuse(
            f"{label!r} does not name the ages of the list",
            "Labels are 'List size' or 'List size ages 17+'",
            "list_label",
        )
    return AgeBand(0, None) if found[1] is None else _band(found[1], check)


def _stated_ages(ages: str | None, check: Checker) -> AgeBand:
    if ages is None:
        raise check.refuse(
            "the file does not say which ages the register counts",
            "Name them with the option ages, such as all or 17+",
            "ages",
        )
    return _band(ages, check)


def _band(text: str, check: Checker) -> AgeBand:
    try:
        return AgeBand.parse(text)
    except AxisError as error:
        raise check.refuse(error.faults[0].what, error.faults[0].remedy, "ages") from None


def _known(codes: pd.Series, names: pd.Series, year: int, band: AgeBand, counts: Any, check: Checker) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "area_code": codes.str.strip(),
            "area_name": names.str.strip(),
            "year": year,
            "sex": "persons",
            "age_from": band.low,
            "age_to": pd.array([band.high] * len(codes), dtype="Int64"),
            "count": counts,
        }
    )
    check.unrepeated(table, ["area_code"])
    check.stop()
    return in_order(table)


def _fields(path: Path, code: str, end: int, base: str, band: AgeBand) -> dict[str, Any]:
    condition = QOF_CONDITIONS.get(code, code)
    return {
        "title": f"QOF {condition} register, {_span(end)}",
        "kind": "known",
        "service": "general practice (Quality and Outcomes Framework register)",
        "condition": condition,
        "case_definition": f"recorded on a practice's QOF register {code} ({condition})",
        "count_kind": "people-point",
        "base": base,
        "reference_date": f"{end}-03-31",
        "disclosure": None,
        "duplicates": "a person is registered with one practice at a time",
        "covers": f"patients {band.words} of practices that took part in the framework",
        "read_from": "secondary table",
        "notes": publishers_file(path),
    }
