"""A needs assessment is protected whole: pages, workbook and record are functions of the printed counts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hna.assessment.assess import assess_area
from hna.checks import record_fingerprints
from hna.cli import app
from hna.evidence.shelf import Shelf
from hna.publish.disclosure_assessment import guard
from hna.publish.disclosure_ledger import PublicationLedger
from hna.publish.disclosure_presets import DisclosureError
from hna.publish.site import finding_words, write_site
from hna.publish.wording import UNPROTECTED
from hna.run import Request, run
from tests.conftest import Workspace
from tests.publish.test_disclosure_files import HALTON, KNOWSLEY, SEFTON, register

FRAMEWORK = """\
id: own
title: Own
scope: everybody
citation: {authors: null, year: null, title: Our chapters, container: council, locator: null, doi: null, url: null, licence: own work}
notes: For a test.
chapters:
- {id: findings, number: 1, title: Findings, requires: [{item: Key findings, given_by: findings}]}
- id: later-life
  number: 2
  title: Later life
  takes: [older-people]
  counts: [falls]
  requires:
  - {item: Needs of later life, given_by: needs}
- {id: lists, number: 3, title: Lists, counts: [falls], requires: [{item: People on lists, given_by: counts}]}
"""


def space(root: Path, shelf: Shelf, counts: Mapping[str, object], falls: int, **fields: object) -> Workspace:
    """A register with an estimate beside it, and a list of people without one."""
    found = Workspace(root)
    register(found, shelf, counts)
    rows = [
        {"area_code": HALTON, "area_name": "Halton", "year": 2023, "sex": sex, "age_from": 65, "age_to": "", "count": count}
        for sex, count in (("persons", falls), ("female", falls))
    ]  # fmt: skip
    found.known(
        "falls",
        rows=rows,
        **({"condition": "falls", "reference_date": "2023-06-30", "service": "the falls service"} | fields),
    )
    record_fingerprints(root)
    path = root / "data" / "frameworks" / "own.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FRAMEWORK, encoding="utf-8")
    return found


def left(held: Workspace, out: Path, preset: str, ledger: PublicationLedger | None = None) -> dict[str, bytes]:
    found = assess_area(
        "Halton", "own", draws=200, workspace=held.root, on=dt.date(2026, 11, 22), words=finding_words,
        population="ons-mye-2023", years=(2023,), guard=guard(preset, ledger),
    )  # fmt: skip
    write_site(found, out)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (({HALTON: 413, SEFTON: 3, KNOWSLEY: 2}, 222), ({HALTON: 417, SEFTON: 6, KNOWSLEY: 7}, 219)),
        (({HALTON: 2, SEFTON: 900, KNOWSLEY: 2}, 3), ({HALTON: 7, SEFTON: 899, KNOWSLEY: 2}, 6)),
    ],
    ids=["rounded", "hidden"],
)
def test_counts_that_print_alike_leave_the_same_bytes(
    tmp_path: Path,
    shipped_shelf: Shelf,
    first: tuple[dict[str, object], int],
    second: tuple[dict[str, object], int],
) -> None:
    sides = []
    for preset in ("none", "nhs_hes"):
        found = []
        for n, (counts, falls) in enumerate((first, second)):
            held = space(tmp_path / "space", shipped_shelf, counts, falls)
            found.append(left(held, tmp_path / f"{preset}-{n}", preset))
        sides.append(found)
    open_, protected = sides
    different = {name for name in open_[0] if open_[0][name] != open_[1][name]}
    assert different >= {"chapter-lists.html", "need-memory.html", "assessment.xlsx", "assessment.json"}
    assert {name for name in protected[0] if protected[0][name] != protected[1][name]} == set()


def test_a_hidden_gap_is_missing_and_no_evidence(tmp_path: Path, shipped_shelf: Shelf) -> None:
    held = space(tmp_path / "space", shipped_shelf, {HALTON: 2}, 3)
    found = left(held, tmp_path / "out", "nhs_hes")
    assert b"hidden for disclosure control (N1004)" in found["missing.html"]
    assert b"[c]" in found["chapter-lists.html"]
    record = json.loads(found["assessment.json"])
    assert record["run"]["arguments"]["disclosure"] == "nhs_hes"
    assert record["triangulation"]["memory"]["items"] == ["memory: estimate"]
    pages = [name for name in found if name.endswith(".html")]
    assert not [name for name in pages if UNPROTECTED.encode() in found[name]]
    plain = left(held, tmp_path / "plain", "none")
    assert not [name for name in pages if UNPROTECTED.encode() not in plain[name]]


def test_a_sensitive_list_is_refused(tmp_path: Path, shipped_shelf: Shelf) -> None:
    held = space(tmp_path / "space", shipped_shelf, {}, 222, condition="self-harm")
    with pytest.raises(DisclosureError, match="R1001"):
        left(held, tmp_path / "out", "nhs_hes")
    assert not (tmp_path / "out").exists()


def test_two_bandings_of_one_register_need_a_ledger(tmp_path: Path, shipped_shelf: Shelf) -> None:
    """The list and the register are one: all ages in the chapter, 65 and over in the need."""
    same = {"condition": "dementia", "service": "the memory service"}
    held = space(tmp_path / "space", shipped_shelf, {HALTON: 413}, 416, **same)
    path = held.root / "data" / "known" / "falls" / "table.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",65,", ",0,"), encoding="utf-8")
    record_fingerprints(held.root)
    with pytest.raises(DisclosureError, match="W1002"):
        left(held, tmp_path / "out", "nhs_hes")
    ledger = PublicationLedger(tmp_path / "ledger")
    found = left(held, tmp_path / "out", "nhs_hes", ledger)
    # 416 less 413: three people of 0-64, whom rounding to 415 and 415 does not show.
    assert b"415" in found["chapter-lists.html"]
    assert ledger.record()


def test_the_command_takes_a_rule_and_a_ledger(tmp_path: Path, shipped_shelf: Shelf) -> None:
    held = space(tmp_path / "space", shipped_shelf, {HALTON: 413}, 222)
    asked = [
        "assess",
        "Halton",
        "-f",
        "own",
        "--draws",
        "100",
        "--workspace",
        str(held.root),
        "--out",
        str(tmp_path / "out"),
    ]
    ran = CliRunner().invoke(app, [*asked, "--disclosure", "nhs_hes", "--ledger", str(tmp_path / "ledger")])
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "ledger" / "released.jsonl").is_file()
    wrong = CliRunner().invoke(app, [*asked, "--disclosure", "secret"])
    assert isinstance(wrong.exception, DisclosureError)
    assert "unknown" in str(wrong.exception)


def test_a_report_and_an_assessment_are_releases_of_one_ledger(tmp_path: Path, shipped_shelf: Shelf) -> None:
    """What the report printed is known when the assessment is made: the same count is no news, a finer one is looked at."""
    held = space(tmp_path / "space", shipped_shelf, {HALTON: 413}, 222)
    folder = tmp_path / "ledger"
    request = Request(
        areas=("Halton",), years=(2023,), draws=100, workspace=held.root, disclosure="nhs_hes", population="ons-mye-2023",
        ledger=folder,
    )  # fmt: skip
    run(request, tmp_path / "report")
    before = {line for line in (folder / "released.jsonl").read_text(encoding="utf-8").splitlines() if HALTON in line}
    assert len(before) == 1
    ledger = PublicationLedger(folder)
    found = left(held, tmp_path / "site", "nhs_hes", ledger)
    assert b"W1002" not in found["need-memory.html"]
    ledger.record()
    after = {line for line in (folder / "released.jsonl").read_text(encoding="utf-8").splitlines() if HALTON in line}
    assert before < after
    assert all("falls" in line for line in after - before)
