"""An assessment, whole: chapters, verdicts, order and what it lacks, on the engine's own draws."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from hna.assessment.assess import assess_area
from hna.assessment.findings import gapped, known_draws, need_draws, whole_rows
from hna.assessment.framework import AssessmentError
from hna.assessment.record import Assessment
from hna.errors import AxisError, HnaError, SourceError
from hna.evidence.shelf import shipped
from tests.conftest import Workspace

ON = dt.date(2026, 11, 22)
EXAMPLE = shipped() / "data/corporate/example"
NEEDS = ("learning-disability", "speech-language", "child-mental-disorder")


@pytest.fixture(scope="module")
def halton() -> Assessment:
    return assess_area("Halton", needs=NEEDS, draws=300, on=ON)


@pytest.fixture(scope="module")
def voiced() -> Assessment:
    return assess_area(
        "Halton", needs=NEEDS, draws=300, on=ON, corporate=[EXAMPLE / "evidence.csv"], programme=EXAMPLE / "programme.yaml",
        weights=EXAMPLE / "weights.yaml", scores=EXAMPLE / "scores.csv",
    )  # fmt: skip


def test_a_place_nobody_prepared_anything_for_says_what_it_lacks(halton: Assessment) -> None:
    assert halton.faults == ()
    assert {record.chapter for record in halton.missing} >= {"population", "engagement", "children-in-care"}
    assert all(record.why and record.effect for record in halton.missing)
    assert {found.level for found in halton.verdicts.values()} == {"T1"}
    assert not any(found.asked or found.patterns for found in halton.verdicts.values())
    assert halton.priorities.weights is None
    assert {one.id for one in halton.priorities.criteria} == {"numbers", "reach", "growth"}
    assert "No weights were agreed" in halton.priorities.trail[0].what


def test_each_need_is_counted_in_one_chapter(halton: Assessment) -> None:
    described = [need for chapter in halton.chapters for need in chapter.needs]
    assert sorted(described) == sorted(NEEDS)
    early = next(chapter for chapter in halton.chapters if chapter.spec.id == "early-years")
    assert ("learning-disability", "disability-and-complex-needs") in {link[:2] for link in early.links}


def test_what_a_gap_rests_on_is_named(halton: Assessment) -> None:
    (item,) = halton.verdicts["learning-disability"].items
    assert item.datasets == ("emerson-2012-learning-disability", "qof-learning-disability-2019-20")
    assert (item.direction, item.need_type) == ("greater", "normative")


def test_scores_use_the_draws_of_the_gap(halton: Assessment) -> None:
    found = halton.answers["learning-disability"]
    held = gapped(found, halton.area)
    assert held is not None
    need = need_draws(found, halton.area, held.year)
    assert need is not None
    known = known_draws(found, halton.area, held)
    (row,) = whole_rows(found, halton.area, "coverage")
    np.testing.assert_allclose(np.median(known.low / np.maximum(need, 1)), row["estimate"])
    (row,) = whole_rows(found, halton.area, "gap")
    np.testing.assert_allclose(np.quantile(need - known.high, 0.025), row["lower"])


def test_three_approaches_come_together(voiced: Assessment) -> None:
    assert voiced.verdicts["speech-language"].level == "T2"
    assert voiced.verdicts["speech-language"].breadth == ("professionals", "carers")
    assert voiced.verdicts["learning-disability"].patterns == ("contested",)
    topic = voiced.verdicts["educational-attainment"]
    assert (topic.level, topic.patterns) == ("T1c", ("voiced but unmeasured",))
    assert any(record.need == "educational-attainment" for record in voiced.missing)


def test_reviews_and_kinds(voiced: Assessment) -> None:
    assert [fault.code for fault in voiced.warnings] == ["W903"]
    held = voiced.held["speech-language"]
    assert held.claimed == "rapid"
    assert "known-count" in held.lacking
    assert voiced.faults == ()


def test_agreed_weights_lead(voiced: Assessment) -> None:
    found = voiced.priorities
    assert {one.id for one in found.criteria} == {"numbers", "reach", "growth", "voices", "severity"}
    np.testing.assert_allclose(found.found.ranks.sum(axis=1), 1)
    said = {(cell.need, cell.criterion): cell.given_by for cell in found.scores}
    assert said["speech-language", "severity"] == "analyst"
    assert said["learning-disability", "severity"] == "not known"
    assert [entry.when for entry in found.trail] == ["2026-02-01", "2026-02-10", "2026-02-10", "at this run"]


def test_the_same_seed_gives_the_same_order(halton: Assessment) -> None:
    again = assess_area("Halton", needs=tuple(reversed(NEEDS)), draws=300, on=ON)
    assert again.priorities.order == halton.priorities.order
    assert [again.priorities.chance(n) for n in NEEDS] == [halton.priorities.chance(n) for n in NEEDS]


def test_an_in_depth_claim_that_holds_too_little(tmp_path: Path) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text("kind: in-depth\n")
    found = assess_area("Halton", needs=("learning-disability",), draws=100, on=ON, programme=path)
    assert {fault.code for fault in found.faults} == {"R901"}
    assert any("lacks two or more sources" in str(fault) for fault in found.faults)
    path.write_text(
        "kind: in-depth\nconsidered:\n"
        + "".join(f"- {{need: learning-disability, content: {name}, because: looked into}}\n"
                  for name in ("two-sources", "local-adjustment", "corporate-evidence", "priorities"))
    )  # fmt: skip
    assert assess_area("Halton", needs=("learning-disability",), draws=100, on=ON, programme=path).faults == ()


def test_an_empty_chapter_without_a_record_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data/frameworks"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(
        "id: own\ntitle: Our own\nscope: children\n"
        "citation: {authors: A, year: 2020, title: T, container: C, locator: null, doi: null, url: null, licence: own work}\n"
        "chapters:\n- {id: one, number: 1, title: One, takes: [early-years]}\n"
        "- {id: two, number: 2, title: Two, requires: [{item: Views, given_by: corporate}]}\n"
    )
    found = assess_area("Halton", "own", needs=("speech-language",), draws=100, on=ON, workspace=tmp_path)
    assert "R901 own: chapter 2, Two: views is empty, and no record says why" in str(found.faults[0])


def test_an_own_area_and_model(small: Workspace) -> None:
    found = assess_area("Northmere", "older-people", draws=100, on=ON, workspace=small.root)
    assert list(found.answers) == ["sleeplessness"]
    assert any(record.item == "Comparators" for record in found.missing)
    assert found.faults == ()
    assert found.priorities.standing["sleeplessness"] == "robust"


def test_bad_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "views.csv").write_text("name\nx\n")
    (tmp_path / "weights.yaml").write_text(
        "agreed_on: 2026-02-01\nagreed_by: board\nbecause: x\nweights: {numbers: 2}\n"
    )
    with pytest.raises(HnaError) as raised:
        assess_area(
            "Halton", needs=NEEDS, draws=100, corporate=[tmp_path / "views.csv"], weights=tmp_path / "weights.yaml"
        )
    said = str(raised.value)
    assert "who somebody is" in said
    assert "weights sum to 2" in said


def test_bad_arguments() -> None:
    with pytest.raises(AxisError):
        assess_area("Nowhere at all", draws=10)
    with pytest.raises(SourceError):
        assess_area("Halton", "no-such-framework", draws=10)
    with pytest.raises(AssessmentError, match="fall in no chapter"):
        assess_area("Halton", needs=("dementia",), draws=10)
