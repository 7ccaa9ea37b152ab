"""Frameworks: what is shipped holds together, and what is wrong is told in full."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hna.assessment.framework import (
    AssessmentError,
    check_needs,
    frameworks,
    place,
    read_framework,
    read_framework_file,
)
from hna.assessment.programme import Programme, overdue, read_programme, read_scores, read_weights
from hna.assessment.standards import read_criteria, read_kinds, read_triangulation, read_vocabulary
from hna.errors import SourceError
from hna.evidence.known import read_known
from hna.evidence.shelf import Shelf
from hna.model.spec import read_model

ON = dt.date(2026, 11, 22)
HEAD = """\
id: own
title: Our own
scope: everybody
citation: {authors: A, year: 2020, title: T, container: C, locator: null, doi: null, url: null, licence: own work}
chapters:
"""


def own(tmp_path: Path, chapters: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(HEAD + chapters, encoding="utf-8")
    return path


def chapters_of(shelf: Shelf) -> dict[str, str]:
    return {name: read_model(file).chapter for name, file in shelf.models().items()}


def test_every_shipped_need_has_one_chapter_in_some_framework(shipped_shelf: Shelf) -> None:
    chapters = chapters_of(shipped_shelf)
    placed = {name: place(read_framework(shipped_shelf, name), chapters) for name in frameworks(shipped_shelf)}
    assert set(chapters) == {need for one in placed.values() for need in one.detail}
    for one in placed.values():
        assert check_needs(one, list(chapters)) == []
        for spec in one.framework.chapters:
            for name in spec.counts:
                assert len(read_known(shipped_shelf, name))


def test_halton_has_its_ten_chapters_and_six_classes(shipped_shelf: Shelf) -> None:
    halton = read_framework(shipped_shelf, "halton-children-2014")
    assert [chapter.number for chapter in halton.chapters] == list(range(1, 11))
    assert len(halton.taxonomies[0].classes) == 6
    placed = place(halton, chapters_of(shipped_shelf))
    assert placed.classes("children-of-dependent-drinkers") == (
        ("Safeguarding", "Protection from impairment to health or development"), ("Safeguarding", "Safe and effective care"),
    )  # fmt: skip
    assert sum("children-of-dependent-drinkers" in placed.needs(chapter.id) for chapter in halton.chapters) == 1


def test_seftons_groups_of_data_sets_are_chapters_and_hold_every_need(shipped_shelf: Shelf) -> None:
    held = read_framework(shipped_shelf, "sefton-core-data-sets")
    assert [chapter.title for chapter in held.chapters][1:-1] == [
        "Population", "Social and place", "Lifestyle", "Determinants of health", "Epidemiology", "Service access and utilisation",
    ]  # fmt: skip
    assert "decisions of this project" in (held.notes or "")
    words = {name: read_model(file).chapter for name, file in shipped_shelf.models().items()}
    assert set(place(held, words).detail) == set(words)
    for name in next(chapter for chapter in held.chapters if chapter.id == "service-access-and-utilisation").counts:
        read_known(shipped_shelf, name)


def test_a_requirement_of_a_shipped_framework_is_given_or_says_why_not(shipped_shelf: Shelf) -> None:
    for name in frameworks(shipped_shelf):
        for chapter in read_framework(shipped_shelf, name).chapters:
            for one in chapter.requires:
                assert one.missing or one.given_by in ("needs", "population", "findings")


def test_a_chapter_that_links_in_a_circle(tmp_path: Path) -> None:
    path = own(tmp_path, """\
- {id: one, number: 1, title: One, see: [{chapter: two, needs: [dementia], because: it is}]}
- {id: two, number: 2, title: Two, see: [{chapter: three, needs: [dementia], because: it is}]}
- {id: three, number: 3, title: Three, see: [{chapter: one, needs: [dementia], because: it is}]}
""")  # fmt: skip
    with pytest.raises(SourceError, match="links for dementia go round in a circle") as raised:
        read_framework_file(path)
    assert len(raised.value.faults) == 1
    assert "one → two → three → one" in str(raised.value)


def test_all_faults_at_once(tmp_path: Path) -> None:
    path = own(tmp_path, """\
- {id: one, number: 1, title: One, needs: [dementia], see: [{chapter: tow, needs: [frailty], because: it is}]}
- {id: two, number: 1, title: Two, needs: [dementia]}
taxonomies:
- {id: t, title: T, classes: [{id: a, title: A}], needs: [{need: dementia, classes: [b], because: it is}]}
""")  # fmt: skip
    with pytest.raises(SourceError) as raised:
        read_framework_file(path)
    said = str(raised.value)
    for what in ("numbered twice", "described in two chapters", "Did you mean two?", "classes are unknown"):
        assert what in said


def test_a_link_to_a_chapter_that_does_not_describe_the_need(tmp_path: Path) -> None:
    path = own(tmp_path, """\
- {id: one, number: 1, title: One, takes: [older-people]}
- {id: two, number: 2, title: Two, see: [{chapter: three, needs: [dementia], because: it is}]}
- {id: three, number: 3, title: Three}
""")  # fmt: skip
    with pytest.raises(AssessmentError, match="described in one"):
        place(read_framework_file(path), {"dementia": "older-people"})


def test_an_unknown_framework_lists_those_there_are(shipped_shelf: Shelf) -> None:
    with pytest.raises(SourceError, match="halton-children-2014"):
        read_framework(shipped_shelf, "halton-2014")


def test_standards_are_read(shipped_shelf: Shelf) -> None:
    assert [kind.id for kind in read_kinds(shipped_shelf).kinds] == ["profile", "rapid", "in-depth"]
    assert len(read_vocabulary(shipped_shelf).constituencies) == 8
    assert read_triangulation(shipped_shelf).likely.value == 0.8
    assert all(len(one.anchors) == 5 for one in read_criteria(shipped_shelf).criteria)


def test_a_criterion_without_anchors(tmp_path: Path) -> None:
    place_ = tmp_path / "data/frameworks/standards"
    place_.mkdir(parents=True)
    text = "top: 5\nshare: 0.5\nrobust: 0.8\nopen: 0.2\nconcentration: 50\nhorizon: 10\nbecause: x\ncriteria:\n"
    text += '- {id: a, title: A, question: Q, scored_by: analyst, because: b, anchors: ["", x, x, x, x]}\n'
    text += "- {id: b, title: B, question: Q, scored_by: analyst, because: b}\n"
    (place_ / "criteria.yaml").write_text(text)
    with pytest.raises(SourceError) as raised:
        read_criteria(Shelf(tmp_path))
    said = str(raised.value)
    assert "every score from 0 to 4 has a written anchor" in said
    assert "criteria.1.anchors: required field is missing" in said


def test_the_example_files_are_in_the_form_they_show(shipped_shelf: Shelf) -> None:
    example = shipped_shelf.roots[0] / "data/corporate/example"
    criteria = read_criteria(shipped_shelf)
    needs = list(shipped_shelf.models())
    chapters = [one.id for one in read_framework(shipped_shelf, "halton-children-2014").chapters]
    run = read_programme(example / "programme.yaml", chapters, needs, ON)
    assert [fault.codes if hasattr(fault, "codes") else fault.code for fault in overdue(run, {}, ON)] == ["W903"]
    weights = read_weights(example / "weights.yaml", criteria)
    assert len(read_scores(example / "scores.csv", criteria, needs, weights)) == 2


def test_a_programme_tells_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text(
        "when: 2030-01-01\nchapters: [{id: nowhere}]\nneeds: [{id: nothing}]\nconsidered: [{need: a, content: luck, because: x}]\n"
    )
    with pytest.raises(SourceError) as raised:
        read_programme(path, ["one"], ["a"], ON)
    said = str(raised.value)
    for what in (
        "'nowhere' is not in the framework",
        "'nothing' is not in the framework",
        "lies ahead",
        "content 'luck' is unknown",
    ):
        assert what in said


def test_a_review_before_its_assessment(tmp_path: Path) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text("when: 2026-01-01\nreview_due: 2025-01-01\n")
    with pytest.raises(SourceError, match="not after the assessment"):
        read_programme(path, [], [], ON)


def test_a_review_in_the_past_is_told() -> None:
    run = Programme(review_due="2025-01-01", owner="Public health")
    (fault,) = overdue(run, {}, ON)
    assert fault.code == "W903"
    assert "was due on 2025-01-01. Public health reviews it" in str(fault)


def test_scores_before_weights(tmp_path: Path, shipped_shelf: Shelf) -> None:
    criteria = read_criteria(shipped_shelf)
    head = "need,criterion,low,high,because,scored_on,scored_by\n"
    scores = tmp_path / "scores.csv"
    scores.write_text(head + "a,severity,1,2,why,2026-01-01,panel\n")
    with pytest.raises(AssessmentError, match="no weights were agreed"):
        read_scores(scores, criteria, ["a"], None)
    weights = tmp_path / "weights.yaml"
    weights.write_text("agreed_on: 2026-02-01\nagreed_by: the board\nbecause: x\nweights: {severity: 1.0}\n")
    scores.write_text(
        head + "b,severity,1,2,why,2026-01-01,panel\na,numbers,3,2,why,soon,panel\na,luck,1,9,why,2026-03-01,panel\n"
    )
    with pytest.raises(AssessmentError) as raised:
        read_scores(scores, criteria, ["a"], read_weights(weights, criteria))
    said = str(raised.value)
    for what in ("the need is unknown", "the criterion is unknown", "the engine scores this itself", "not from 0 to 4",
                 "is not a date", "before the weights were agreed on 2026-02-01"):  # fmt: skip
        assert what in said


def test_weights_that_do_not_sum(tmp_path: Path, shipped_shelf: Shelf) -> None:
    path = tmp_path / "weights.yaml"
    path.write_text("agreed_on: 2026-02-01\nagreed_by: the board\nbecause: x\nweights: {severity: 0.5, numbers: 0.4}\n")
    with pytest.raises(AssessmentError, match=r"weights sum to 0\.9"):
        read_weights(path, read_criteria(shipped_shelf))
