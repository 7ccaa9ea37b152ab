"""What a run leaves in its folder, beside the page and the workbook."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import json
import re
from pathlib import Path

import openpyxl

from hna.assessment.assess import assess_area
from hna.publish.outputs import describe, write_outputs
from hna.publish.report import Report
from hna.publish.site import finding_words, write_site
from tests.publish import reports


def test_codes_raised_by_comparisons_stand_in_the_record(shipped: Report) -> None:
    compared = {code for found in shipped.answers for flags in found.comparisons["flags"] for code in flags.split()}
    assert "R401" in compared
    assert compared <= set(describe(shipped)["flags"])  # type: ignore[call-overload]
    bare = dataclasses.replace(
        shipped,
        answers=tuple(dataclasses.replace(found, comparisons=found.comparisons[:0]) for found in shipped.answers),
    )
    assert "R401" not in bare.flags


def harmless(path: Path) -> None:
    """Nothing in a file is script, formula, another direction or an address that is not public."""
    turned = set("\u202e\u200b")
    if path.suffix == ".xlsx":
        for sheet in openpyxl.load_workbook(path).worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row):
                assert cell.data_type != "f"
                assert not turned & set(str(cell.value))
                assert cell.hyperlink is None or not cell.hyperlink.target
        return
    text = path.read_text(encoding="utf-8")
    assert not turned & set(text)
    if path.suffix == ".html":
        assert "<script>alert" not in text
        assert not re.search(r"(href|src)\s*=\s*[\"']?\s*(javascript|data):", text)
    elif path.suffix == ".json":
        json.loads(text)
    elif path.suffix == ".csv":
        rows = list(csv.reader(text.splitlines()))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert not [value for row in rows for value in row if value[:1] in ("=", "+", "@") or value[:2] == "-1+"]


def test_hostile_text_is_inert_in_every_output(hostile: Report, tmp_path: Path) -> None:
    files = write_outputs(hostile, tmp_path)
    assert len(files) == 10
    for path in files:
        harmless(path)


def test_hostile_text_is_inert_in_an_assessment(tmp_path: Path) -> None:
    reports.hostile(tmp_path / "space")
    held = assess_area(
        "N01", "older-people", draws=100, workspace=tmp_path / "space", on=dt.date(2026, 11, 22), words=finding_words
    )
    files = write_site(held, tmp_path / "site")
    assert {path.suffix for path in files} == {".html", ".xlsx", ".json"}
    for path in files:
        harmless(path)
