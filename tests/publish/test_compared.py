"""How areas compare: tables, sentences, the number of tests, and the sheet."""

import dataclasses
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from hna.answers.comparison import Signals, signals
from hna.publish.compared import apart, compared
from hna.publish.compose import make_content
from hna.publish.content import Content, Panels, Paragraph, Part, Table
from hna.publish.facts import NeedFacts, facts_of
from hna.publish.page import render
from hna.publish.report import Report
from hna.publish.tables import comparisons
from hna.publish.wording import signals as said_of
from hna.publish.workbook import write_content

DEMENTIA = "dementia"


def part_of(content: Content, need: str) -> Part | None:
    found = next(each for each in content.needs if each.id == need)
    return next((part for part in found.parts if part.id == f"{need}-beside"), None)


def with_rows(report: Report, **columns: Any) -> NeedFacts:
    """Dementia, its comparisons changed."""
    found = next(each for each in report.answers if each.model.need == DEMENTIA)
    return facts_of(dataclasses.replace(found, comparisons=found.comparisons.assign(**columns)))


def paragraphs(facts: NeedFacts) -> list[str]:
    return [block.text for block in compared(facts, {}) if isinstance(block, Paragraph)]


def test_one_table_an_area_after_the_ledgers(content: Content, shipped: Report) -> None:
    part = part_of(content, DEMENTIA)
    assert part is not None
    assert part.heading == "How it compares"
    ids = [each.id for each in next(need for need in content.needs if need.id == DEMENTIA).parts]
    assert ids.index(f"{DEMENTIA}-beside") == ids.index(f"{DEMENTIA}-compared") + 1
    held = [block for block in part.blocks if isinstance(block, Table)]
    assert [table.title for table in held] == [f"Dementia: how {name} compares" for name in ("Halton", "Sefton")]
    assert all(table.refs for table in held)
    found = next(each for each in shipped.answers if each.model.need == DEMENTIA).comparisons
    assert sum(len(table.rows) for table in held) == len(found)


def test_controlled_sentences_stand_as_they_are_and_what_is_untested_is_said_once(
    content: Content, shipped: Report
) -> None:
    part = part_of(content, DEMENTIA)
    assert part is not None
    held = [block for block in part.blocks if isinstance(block, Table)]
    printed = {row[5].text for table in held for row in table.rows}
    found = next(each for each in shipped.answers if each.model.need == DEMENTIA).comparisons
    tested = found[found["verdict"] != "not_tested"]
    assert printed == {*tested["sentence"], "Not tested"}
    notes = [block.text for block in part.blocks if isinstance(block, Paragraph)]
    assert sum("R401" in text for text in notes) == 1
    assert any(text.startswith("Expected prevalence: not statistically compared because it rests on") for text in notes)


def test_values_are_those_of_the_table(content: Content, shipped: Report) -> None:
    part = part_of(content, DEMENTIA)
    assert part is not None
    table = next(block for block in part.blocks if isinstance(block, Table))
    found = next(each for each in shipped.answers if each.model.need == DEMENTIA).comparisons
    row = found[
        (found["area_name"] == "Halton") & (found["quantity"] == "coverage") & (found["comparator"] == "england")
    ].iloc[0]
    line = next(line for line in table.rows if [cell.text for cell in line[:2]] == ["Coverage", "England"])
    assert [line[n].value for n in (2, 3, 4, 6)] == [
        row[name] for name in ("estimate", "comparator_value", "difference", "n")
    ]
    assert all(" to " in line[n].limits for n in (2, 3, 4))
    assert line[4].text.endswith((" points", " point"))
    assert "Period of coverage and gap: known 31 March 2020, need mid-2020." in table.note


def test_no_part_without_comparisons(own_content: Content) -> None:
    assert part_of(own_content, "nobody") is None


def test_nothing_where_a_report_has_none(shipped: Report) -> None:
    bare = dataclasses.replace(
        shipped, answers=tuple(dataclasses.replace(each, comparisons=pd.DataFrame()) for each in shipped.answers)
    )
    made = make_content(bare)
    assert all(part_of(made, need.id) is None for need in made.needs)
    assert "Comparisons" not in [sheet.name for sheet in made.sheets]
    assert "tests of an area's coverage" not in " ".join(made.about)


def test_a_verdict_is_a_finding_only_where_tested_and_significant(shipped: Report) -> None:
    calm = with_rows(shipped, verdict="ns_higher")
    assert all(not apart(calm, place.area) for place in calm.areas)
    loud = with_rows(
        shipped, verdict="sig_better", sentence="Significantly better than the England average",
        difference=0.25, difference_lower=0.1, difference_upper=0.4,
    )  # fmt: skip
    text = apart(loud, loud.areas[0].area)
    assert text.startswith(
        "Coverage compared: Significantly better than the England average, by 25 (10 to 40) percentage points."
    )
    assert text.count("Significantly") == 3
    low = with_rows(
        shipped, verdict="sig_worse", sentence="Significantly worse than the England average",
        difference=-0.25, difference_lower=-0.4, difference_upper=-0.1,
    )  # fmt: skip
    assert "by 25 (10 to 40) percentage points" in apart(low, low.areas[0].area)


def test_a_significant_finding_stands_in_its_panel(shipped: Report) -> None:
    answers = tuple(
        dataclasses.replace(
            each, comparisons=each.comparisons.assign(verdict="sig_better", sentence="Significantly better")
        )
        for each in shipped.answers
        if each.model.need == DEMENTIA
    )
    made = make_content(dataclasses.replace(shipped, answers=answers))
    panels = [block for need in made.needs for part in need.parts for block in part.blocks if isinstance(block, Panels)]
    texts = [each.text for each in panels[0].panels[0].paragraphs]
    assert any(text.startswith("Coverage compared: Significantly better") for text in texts)


def test_what_is_missing_is_said(shipped: Report) -> None:
    said = paragraphs(
        with_rows(shipped, verdict="not_comparable", flags="R862", sentence="Not statistically comparable")
    )
    assert any(text.startswith("Too many of these authorities") and text.endswith("for Sefton.") for text in said)
    assert not any("test" in text for text in said)
    said = paragraphs(with_rows(shipped, missing=2))
    assert "2 of the statistical neighbours of Halton have no count (W861)." in said


def test_absent_numbers_are_marked(shipped: Report) -> None:
    facts = with_rows(shipped, comparator_value=None, comparator_lower=None, comparator_upper=None, n=None)
    table = next(block for block in compared(facts, {}) if isinstance(block, Table))
    assert {row[n].text for row in table.rows for n in (3, 6)} == {"[x]"}
    assert "[x] means not available." in table.note


def test_the_number_of_tests_is_said(content: Content, shipped: Report) -> None:
    found = signals(comparisons(shipped), shipped.level)
    method = next(part for part in content.method if part.id == "method-how")
    text = " ".join(block.text for block in method.blocks if isinstance(block, Paragraph))
    assert said_of(found, shipped.level) in text
    assert "1 test of" in said_of(Signals(1, 1, 0.05), 0.95)
    assert "12 tests" in said_of(Signals(12, 3, 0.6), 0.95)
    assert "3 are significant, and 0.6 would be expected" in said_of(Signals(12, 3, 0.6), 0.95)


def test_the_sheet_holds_the_rows_as_numbers(content: Content, shipped: Report, book: Path) -> None:
    write_content(content, book)
    opened = openpyxl.load_workbook(book)
    assert "Comparisons" in [str(row[0].value) for row in opened["Contents"].iter_rows()]
    sheet = opened["Comparisons"]
    table = next(iter(sheet.tables.values()))
    heads, *rows = ([cell.value for cell in row] for row in sheet[table.ref])
    whole = comparisons(shipped)
    assert len(rows) == len(whole)
    for name, column in (("Value", "estimate"), ("Difference", "difference"), ("n (people)", "n")):
        printed = [row[heads.index(name)] for row in rows]
        assert printed == pytest.approx(whole[column].tolist())
    chances = [row[heads.index("Chance that the area is higher (probability)")] for row in rows]
    assert [chance == "[x]" for chance in chances] == whole["p_higher"].isna().tolist()
    assert [row[heads.index("Sentence")] for row in rows] == whole["sentence"].tolist()


def test_codes_of_comparisons_are_explained(content: Content) -> None:
    flags = next(sheet.table for sheet in content.sheets if sheet.name == "Flags")
    assert "R401" in [row[0].text for row in flags.rows]


def test_the_same_page_twice(shipped: Report) -> None:
    assert render(shipped) == render(shipped)
