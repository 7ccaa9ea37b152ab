"""The checklist says what this run told its reader, and what it did not."""

from dataclasses import replace

import pytest

from hna.publish.content import Table
from hna.publish.facts import facts_of
from hna.publish.gather import gather
from tests.publish import reports


@pytest.fixture(scope="module")
def report():
    return reports.shipped()


def _rows(report):
    part = gather([facts_of(answer) for answer in report.answers], report.citations, report.level)
    (table,) = [block for block in part.blocks if isinstance(block, Table)]
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_all_eighteen_items_are_answered(report):
    rows = _rows(report)
    assert list(rows) == [str(number) for number in range(1, 19)]
    assert {told for _, told, _ in rows.values()} <= {"yes", "in part", "no"}
    assert all(said.endswith(".") for *_, said in rows.values())


def test_what_nobody_told_is_said_not_to_be_told(report):
    assert _rows(report)["2"][1] == "no"


def test_answers_follow_the_run(report):
    whole, alone = _rows(report), _rows(replace(report, answers=report.answers[:1]))
    assert whole["1"][2].startswith("3 needs in Halton and Sefton")
    assert alone["1"][2].startswith("1 need in Halton and Sefton")
    assert alone["11"][2].startswith("1 need rests on one source")
    assert "error shared by the whole study" in whole["13"][2]
    assert "95% intervals" in whole["16"][2]
    bare = replace(
        report, answers=tuple(replace(each, comparisons=each.comparisons.iloc[:0]) for each in report.answers)
    )
    assert _rows(bare)["17"][1] == "no"
