"""Small-area estimates of the Office for National Statistics, persons by single year of age."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from hna.evidence.layout_ons import ONS
from hna.evidence.layout_read import Checker, Reading, citation, people_table, publishers_file, read_csv

_LSOA, _ENGLISH = r"[EW]01\d{6}", r"E\d{8}"
_TOTAL = "total_population"


def read_lsoa_syoa(path: Path) -> Reading:
    """One row an LSOA, of 2011 or of 2021, one column an age; persons. The year is in the file's name."""
    check = Checker(path, "LSOA estimates by single year of age")
    rows = read_csv(path, check, [_TOTAL])
    vintage = "21" if "lsoa21_code" in rows.columns else "11"
    code, name = f"lsoa{vintage}_code", f"lsoa{vintage}_name"
    check.columns(rows.columns, [code, name, _TOTAL])
    labels = [label for label in rows.columns if not label.endswith(("_code", "_name")) and label != _TOTAL]
    bands = check.bands(labels, "age columns")
    axis = check.axis(bands.values(), "age columns")
    order = sorted(labels, key=lambda label: bands[label].low)
    codes = rows[code].str.strip()
    odd = codes[~codes.str.fullmatch(_LSOA)]
    if len(odd):
        remedy = "They are E01 or W01 and six digits, as published"
        check.fault("not codes of LSOAs", remedy, code, [f"row {at}: {text!r}" for at, text in odd.items()])
    english = codes.str.fullmatch(_ENGLISH)
    if not len(odd) and not english.any():
        raise check.refuse("no row is an English LSOA", "Give the estimates of England", code)
    rows = rows.assign(**{code: codes})[english]
    check.unrepeated(rows, [code])
    people = np.column_stack([check.numbers(rows[label], f"age {label}") for label in order])
    total = check.numbers(rows[_TOTAL], _TOTAL)
    check.stop()
    parts = [
        f"row {rows.index[row]}, age {order[at]}: {people[row, at]:g}" for row, at in np.argwhere(people % 1 > 0)[:6]
    ]
    if parts:
        check.fault("people are counted whole in this layout", "Give the file as published", "age columns", parts)
    check.adds_up(people.sum(axis=1), total, 0, "ages do not add up to the total", rows[code].tolist())
    check.stop()
    if not (found := re.search(r"mid-?(\d{4})", path.name)):
        raise check.refuse("the file does not say its year", "Keep mid2020, or the year it is, in the name of the file")
    year = int(found[1])
    places = pd.DataFrame({"area_code": rows[code], "area_name": rows[name], "year": year, "sex": "persons"})
    fields = {
        "title": f"ONS mid-{year} population of LSOAs (20{vintage}) by single year of age",
        "kind": "population",
        "base": "resident",
        "basis": "estimate",
        "citation": citation(
            ONS, None, f"Lower layer Super Output Area population estimates, mid-{year}", container=ONS
        ),
        "read_from": "secondary table",
        "notes": publishers_file(path),
    }
    if not english.all():
        fields["corrections"] = ["LSOAs outside England are left out."]
    return Reading(people_table(places, axis, people.astype(np.int64)), fields)
