"""`hna check` reads every file of an assessment, and tells all that is wrong at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hna.assessment.check import check_assessment
from hna.evidence.shelf import Shelf, shipped
from tests.cli.test_bad_input import call
from tests.conftest import Workspace

ON = dt.date(2026, 11, 22)
EXAMPLE = shipped() / "data/corporate/example"
HEAD = """\
id: own
title: Our own
scope: everybody
citation: {authors: A, year: 2020, title: T, container: C, locator: null, doi: null, url: null, licence: own work}
chapters:
- {id: one, number: 1, title: One, takes: [older-people], needs: [%s], counts: [%s], requires: [{item: Attainment, given_by: analyst%s}]}
"""


def own(root: Path, need: str = "", count: str = "", missing: str = "") -> Shelf:
    folder = root / "data/frameworks"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.yaml").write_text(HEAD % (need, count, missing))
    return Shelf(root)


def test_what_is_shipped_holds_together(shipped_shelf: Shelf) -> None:
    found = check_assessment(shipped_shelf, ON)
    assert found.faults == []
    assert found.warnings == []
    assert found.frameworks >= 5


def test_an_empty_required_item_without_a_record_fails(tmp_path: Path) -> None:
    (fault,) = check_assessment(own(tmp_path), ON).faults
    assert fault.code == "R901"
    assert "Attainment is required" in str(fault)
    assert (
        check_assessment(own(tmp_path, missing=", missing: {why: none held, effect: nothing is said}"), ON).faults == []
    )


@pytest.mark.parametrize("entry", [
    "chapters:\n- {id: one, supplied: [{item: Attainment, where: In the school report}]}\n",
    "missing:\n- {item: Attainment, chapter: one, why: none held, effect: nothing is said}\n",
])  # fmt: skip
def test_the_programme_may_supply_it_or_say_why_not(tmp_path: Path, entry: str) -> None:
    shelf = own(tmp_path)
    (tmp_path / "data/assessment").mkdir()
    (tmp_path / "data/assessment/programme.yaml").write_text(entry)
    assert check_assessment(shelf, ON).faults == []


def test_names_that_nothing_on_the_shelf_has(tmp_path: Path) -> None:
    found = check_assessment(own(tmp_path, "no-such-need", "no-such-count", ", missing: {why: a, effect: b}"), ON)
    said = " ".join(map(str, found.faults))
    assert "no-such-need" in said
    assert "no-such-count" in said


def test_every_file_of_a_workspace_is_told_at_once(
    small: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small.root
    own(root)
    for folder in ("data/corporate", "data/assessment"):
        (root / folder).mkdir(parents=True)
    (root / "data/corporate/views.csv").write_text("need,name\nx,Jo Smith\n")
    (root / "data/assessment/programme.yaml").write_text(
        "when: 2024-01-01\nreview_due: 2025-01-01\nneeds: [{id: unheard-of}]\n"
    )
    (root / "data/assessment/weights.yaml").write_text(
        "agreed_on: 2026-02-01\nagreed_by: board\nbecause: x\nweights: {numbers: 2}\n"
    )
    status, _, wrong = call(capsys, monkeypatch, "check", str(root))
    assert status == 1
    for said in ("who somebody is", "'unheard-of' is not in the framework", "weights sum to 2", "R901"):
        assert said in wrong
    assert "Traceback" not in wrong


def test_a_review_in_the_past_is_a_warning(
    small: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (small.root / "data/assessment").mkdir(parents=True)
    (small.root / "data/assessment/programme.yaml").write_text("when: 2024-01-01\nreview_due: 2025-01-01\n")
    status, _, wrong = call(capsys, monkeypatch, "check", str(small.root))
    assert status == 0
    assert "W903" in wrong


def test_the_example_files_pass(tmp_path: Path) -> None:
    for name, folder in (("evidence.csv", "corporate"), ("programme.yaml", "assessment"), ("weights.yaml", "assessment"),
                         ("scores.csv", "assessment")):  # fmt: skip
        (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / folder / name).write_bytes((EXAMPLE / name).read_bytes())
    assert check_assessment(Shelf(tmp_path), ON).faults == []
