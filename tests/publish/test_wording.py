"""What a report says, in the closed sentences."""

import re
from pathlib import Path

import pytest

from hna.publish.codes import CODES, codes_page, in_words
from hna.publish.content import Content, Need, Panels
from hna.publish.facts import facts_of
from hna.publish.report import Report
from hna.publish.rounding import Value
from hna.publish.wording import (
    NO_SUPPORT,
    UNPROTECTED,
    aligned,
    change,
    either_way,
    listed,
    measure,
    recorded,
    sentence,
    shortened,
)  # fmt: skip


def said(content: Content, need: str, panel: int = 0) -> str:
    found = next(each for each in content.needs if each.id == need)
    panels = next(block for part in found.parts for block in part.blocks if isinstance(block, Panels))
    return " ".join(paragraph.text for paragraph in panels.panels[panel].paragraphs)


def need_of(content: Content, name: str) -> Need:
    return next(each for each in content.needs if each.id == name)


def test_an_estimate_is_said_as_what_would_be_expected(content: Content) -> None:
    text = said(content, "dementia")
    assert text.startswith(
        "Given the characteristics of the local population of Halton we would expect about 1,400 people aged 65 and over to meet "
        "the definition of dementia in mid-2023, 95% interval "
    )


def test_a_gap_is_said_with_its_chance_and_leverage(content: Content) -> None:
    text = said(content, "dementia")
    assert re.search(
        r"About 930 \([\d,]+ to [\d,]+\) of them were recorded by general practice .* on 31 March 2020", text
    )
    assert re.search(
        r"The gap is about [−\d,]+ \([−\d,]+ to [\d,]+\) people; the chance that numbers known exceed the estimate is \d+%",
        text,
    )
    assert re.search(r"A 10% error in the prevalence would change the gap by \d+%", text)
    assert "The target is that 66.7% of them should be known" in text


def test_no_gap_gives_its_reason(content: Content, own_content: Content) -> None:
    assert "No gap is stated, because this is not to hand: Children aged 5 to 16" in said(
        content, "child-mental-disorder"
    )
    assert "No gap is stated, because this is not to hand: People known to the sleep service." in said(
        own_content, "nobody"
    )


def test_two_numbers_that_are_not_comparable_stand_side_by_side(own_content: Content) -> None:
    text = said(own_content, "younger")
    assert "900 people were recorded by the sleep service on 30 June 2024. The two are not comparable" in text
    assert "age range (estimate: 65+; count: all ages)" in text
    assert "No gap is stated, because the count to hand (younger) does not count the same people" in text
    row = need_of(own_content, "younger").rows[0]
    assert row.known.note == "not comparable with the estimate"
    assert row.gap.number == "not stated"


def test_more_known_than_estimated_is_not_called_a_gap(own_content: Content) -> None:
    text = said(own_content, "overfull")
    assert NO_SUPPORT in text
    assert "gap is about" not in text
    assert need_of(own_content, "overfull").rows[0].gap.number == "not supported"


def test_a_hidden_count_is_a_range(own_content: Content) -> None:
    text = said(own_content, "hidden")
    assert "Between 1 and 7 people, a range because small counts are hidden" in text
    assert "gap lies between" in text
    figure = need_of(own_content, "hidden").rows[0].known
    assert figure.number == "1 to 7"
    assert "small counts are hidden" in figure.note


def test_a_count_not_known_to_be_in_need_gives_an_apparent_gap(own_content: Content) -> None:
    assert "The apparent gap is about" in said(own_content, "register")
    assert " of them were recorded" not in said(own_content, "register")
    assert need_of(own_content, "register").rows[0].gap.label == "Apparent gap"


def test_projections_say_their_condition(content: Content) -> None:
    part = next(part for part in need_of(content, "dementia").parts if part.id == "dementia-when")
    text = " ".join(block.text for block in part.blocks if hasattr(block, "text"))
    assert "if today's age-specific rates continue, about" in text
    assert re.search(r"\d+% more; the population of these ages is projected to be \d+% more", text)


def test_unprotected_is_said(content: Content) -> None:
    assert content.banner == UNPROTECTED


def test_every_code_raised_has_its_words(content: Content, own_content: Content) -> None:
    for each in (content, own_content):
        flags = next(sheet.table for sheet in each.sheets if sheet.name == "Flags")
        assert all(row[0].text in CODES for row in flags.rows)


def test_every_code_in_the_engine_has_its_words(repository: Path) -> None:
    used = set()
    for path in (repository / "hna").rglob("*.py"):
        used |= set(re.findall(r'"([WNR]\d{3,4})"', path.read_text(encoding="utf-8")))
    assert used <= set(CODES), sorted(used - set(CODES))


def test_an_unknown_code_does_no_harm() -> None:
    assert in_words("W999").endswith("see the methods.")


def test_the_documented_codes_are_these(repository: Path) -> None:
    assert (repository / "docs" / "codes.md").read_text(encoding="utf-8") == codes_page()


@pytest.mark.parametrize(
    ("before", "after", "words"), [(100, 164, "64% more"), (100, 95, "5% fewer"), (1000, 1001, "about the same")]
)
def test_change(before: float, after: float, words: str) -> None:
    assert change(before, after) == words


def test_small_parts() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert measure("period-12") == "at any time in 12 months"
    assert measure("point") == "at one time"
    assert sentence("no gap is stated") == "No gap is stated."
    assert len(shortened("Mere" * 2500)) == 80


@pytest.mark.parametrize(("item", "said", "words"), [
    ("time basis", "people-point", "on one day"),
    ("time basis", "point", "at one time"),
    ("time basis", "people-period-12", "at any time in 12 months"),
    ("time basis", "episodes", "episodes in a period"),
    ("reference date", "2020-03-31", "31 March 2020"),
    ("reference date", "mid-2020", "mid-2020"),
    ("age range", "all", "all ages"),
    ("age range", "65+", "65+"),
    ("sex", "persons", "persons"),
])  # fmt: skip
def test_codes_and_dates_of_the_ledger_are_read_in_words(item: str, said: str, words: str) -> None:
    assert aligned(item, said) == words


def test_the_estimate_is_not_said_twice_where_the_count_is_of_its_year(own: Report) -> None:
    for facts in map(facts_of, own.answers):
        for place in facts.areas:
            for found in place.comparisons:
                again = "the year compared with the count" in recorded(found, place.base_year)
                assert again == (found.year != place.base_year)
                assert "the year compared with the count" in recorded(found)


def test_how_far_an_interval_reaches_is_told_each_way() -> None:
    assert either_way(Value(100.0, 60.0, 170.0)) == "40% lower or 70% higher"
    assert either_way(Value(None, 60.0, 170.0)) == ""


def test_a_reference_stands_once_beside_its_link(content: Content) -> None:
    assert all(note.url not in note.text and "doi 10." not in note.text for note in content.sources if note.url)
    assert not [note.text for note in content.sources if "?." in note.text or ".." in note.text]
