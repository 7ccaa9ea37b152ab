"""Maps: what is drawn, in which class, what they say in words, and where none may be drawn."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.layers import Layer, Spread
from hna.evidence.outlines import Outlines
from hna.measure.areas import Area
from hna.publish.atlas import LABELS, NOTHING, Atlas, Shade
from hna.publish.classes import MOST, Classes
from hna.publish.compose import make_content
from hna.publish.content import Content, Paragraph, Part, Pictures, Table
from hna.publish.drawing import standalone
from hna.publish.facts import facts_of
from hna.publish.maps import maps_of
from hna.publish.page import render_content
from hna.publish.report import Report
from hna.run import Request, assess
from tests.conftest import Workspace
from tests.publish.reports import DRAWS, FORMULA, SCRIPT

HALTON, SEFTON = "E06000006", "E08000014"


def part_of(content: Content, need: str) -> Part:
    return next(part for one in content.needs for part in one.parts if part.id == f"{need}-where")


def words(part: Part) -> str:
    return " ".join(block.text for block in part.blocks if isinstance(block, Paragraph))


def tables(part: Part) -> dict[str, Table]:
    return {block.id.rpartition("-")[2]: block for block in part.blocks if isinstance(block, Table)}


@pytest.fixture(scope="module")
def dementia(content: Content) -> Part:
    return part_of(content, "dementia")


def test_expected_need_and_coverage_are_drawn_twice_each(dementia: Part) -> None:
    maps = [block for block in dementia.blocks if isinstance(block, Pictures)]
    assert [len(one.pictures) for one in maps] == [2, 2]
    for one in maps:
        assert "Contains OS data © Crown copyright and database right" in one.note
        assert "Open Innovations" in one.note
        for picture in one.pictures:
            assert picture.svg.count("<title>") == 35
            assert {"Halton", "Sefton"} <= set(re.findall(r'class="name"[^>]*>(\w+)<', picture.svg))


def test_a_synthetic_map_says_that_it_shows_no_hot_spots(dementia: Part) -> None:
    said = words(dementia)
    assert "Given the characteristics of the local populations we would expect" in said
    assert "Differences between places come from age and sex alone" in said
    assert "It does not show hot spots, and must not be used to judge how a place performs (R401)." in said
    names = [row[0].text for row in tables(dementia)["need"].rows]
    assert names == sorted(names)
    assert len(names) == 35


def test_coverage_is_that_of_the_report(shipped: Report, dementia: Part) -> None:
    answer = next(one for one in shipped.answers if one.model.need == "dementia")
    facts = facts_of(answer)
    rows = {row[0].text: row for row in tables(dementia)["coverage"].rows}
    for place in facts.areas:
        value = facts.value(place.area, 2020, "coverage")
        assert value is not None
        assert value.estimate is not None
        assert rows[place.area.name][5].value == pytest.approx(100 * value.estimate)
        assert rows[place.area.name][1].text == "yes"
    assert "Numbers" not in words(dementia)
    assert "2 without a figure" in next(b for b in dementia.blocks[4:] if isinstance(b, Pictures)).note


def test_what_a_map_says_is_what_its_table_holds(dementia: Part) -> None:
    picture = next(block for block in dementia.blocks if isinstance(block, Pictures)).pictures[0]
    rows = {row[0].text: row for row in tables(dementia)["need"].rows}
    assert re.search(rf"Halton: {rows['Halton'][4].text}, in class {rows['Halton'][5].text} of \d, ", picture.alt)
    low = min(rows.values(), key=lambda row: row[4].value or 0)
    assert f"{low[0].text} has the lowest" in picture.alt
    assert f"<title>{low[0].text}: {low[4].text}</title>" in picture.svg
    assert f'aria-label="{picture.alt}"' in picture.svg


def test_one_rate_for_all_is_said_and_not_drawn(content: Content) -> None:
    part = part_of(content, "speech-language")
    assert not [block for block in part.blocks if isinstance(block, Pictures | Table)]
    assert "the share expected is the same everywhere" in words(part)


def test_outlines_stand_once_on_a_page(content: Content) -> None:
    page = render_content(content)
    assert page.count('class="outlines"') == len(content.outlines) == 1
    ids = re.findall(r'<path id="([oh]\d+)"', page)
    assert len(ids) == len(set(ids)) == 70
    assert set(re.findall(r'<use href="#([oh]\d+)"', page)) <= set(ids)
    assert len(content.outlines[0]) < 40_000


def test_a_map_stands_by_itself_in_a_document(dementia: Part) -> None:
    for block in dementia.blocks:
        for picture in block.pictures if isinstance(block, Pictures) else ():
            used = set(re.findall(r'<use href="#(\w+)"', picture.whole))
            assert used <= set(re.findall(r'<path id="(\w+)"', picture.whole))
            drawn = standalone(picture.whole)
            assert ".map .k1{fill:#" in drawn
            assert "var(" not in drawn


def test_areas_in_no_region_have_no_map_but_a_reason(own_content: Content) -> None:
    part = part_of(own_content, "register")
    assert "in no lookup that places them in a region" in words(part)
    assert own_content.outlines == ()


def test_wards_have_no_map_but_a_reason_unless_their_outlines_are_given(workspace: Workspace) -> None:
    wards = {"E05013169": "One", "E05013170": "Other"}
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows(areas=wards))
    workspace.model(known=[], missing_core_data=[{"item": "a count", "why": "none", "effect": "no gap"}])
    report = assess(Request(workspace=workspace.root, draws=DRAWS))
    assert "no outlines of areas as small as these" in words(part_of(make_content(report), "sleeplessness"))
    workspace.lookup(
        "ward-shapes", [{"area_code": code, "points": f"{3500 + n} 3800 1 0 0 1"} for n, code in enumerate(wards)]
    )
    report = assess(Request(workspace=workspace.root, draws=DRAWS))
    spread = report.answers[0].spread
    assert spread is not None
    assert spread.need is not None
    assert {area.code for area in spread.need.areas} == set(spread.outlines.rings) == set(wards)
    assert "the share expected is the same in every place" in words(part_of(make_content(report), "sleeplessness"))


def test_a_county_is_outlined_by_its_districts_and_england_is_drawn_whole() -> None:
    county, nation = (
        assess(Request(needs=("dementia",), areas=(name,), draws=DRAWS)).answers[0].spread
        for name in ("Lancashire", "England")
    )
    assert county is not None
    assert nation is not None
    assert county.places == ("North West",)
    assert len(county.marked["E10000017"]) == 12
    assert nation.need is not None
    assert len(nation.need.areas) == len(nation.outlines.rings) == 296
    assert nation.marked == {}


def test_under_disclosure_control_maps_are_of_printed_counts() -> None:
    report = assess(Request(needs=("dementia",), draws=DRAWS, disclosure="nhs_hes"))
    layer = report.answers[0].spread.coverage if report.answers[0].spread else None
    assert layer is not None
    # Rounded to 5, then multiplied by the model's factors: none of the publisher's own counts is left.
    counts = report.answers[0].known[0]
    printed = dict(zip(counts.area_code.tolist(), counts.count.tolist(), strict=True))
    assert all(printed[area.code] % 5 == 0 for area in layer.areas)
    assert "Counts are as protected for publication." in words(part_of(make_content(report), "dementia"))


def test_the_workbook_holds_the_numbers_unrounded(shipped: Report) -> None:
    held = [facts_of(answer) for answer in shipped.answers]
    rows = [row for row in maps_of(held).rows if row[0].text.startswith("Dementia")]
    assert {row[1].text for row in rows} == {"expected need", "coverage"}
    own = next(row for row in rows if row[3].text == HALTON and row[1].text == "expected need")
    spread = shipped.answers[0].spread
    assert spread is not None
    assert spread.need is not None
    at = [area.code for area in spread.need.areas].index(HALTON)
    assert own[7].value == spread.need.expected[at]
    assert own[5].text == "yes"
    assert own[9].text == "[x]"


def square(x: int, y: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    return (((x, y), (x + 10, y), (x + 10, y + 10), (x, y + 10)),)


def test_hostile_names_are_inert() -> None:
    area = Area("A", SCRIPT)
    layer = Layer(2023, (area, Area("B", FORMULA)), (("A",), ("B",)), np.ones(2), np.array([0.1, 0.2]))
    spread = Spread((SCRIPT,), {"A": ("A",)}, Outlines({"A": square(0, 0), "B": square(10, 0)}), layer)
    atlas = Atlas([spread])
    assert not atlas.has_hexagons
    drawn = atlas.choropleth(
        {"A": Shade(1, SCRIPT), "B": Shade(NOTHING, FORMULA)}, {area: ("A",)}, [(1, SCRIPT)], SCRIPT
    )
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") >= 3
    assert 'class="k0"' in drawn


def test_more_areas_than_can_be_named_are_outlined_only() -> None:
    codes = [f"A{n}" for n in range(LABELS + 1)]
    outlines = Outlines(
        {code: square(20 * n, 0) for n, code in enumerate(codes)}, {code: (n, 0) for n, code in enumerate(codes)}
    )
    atlas = Atlas([Spread(outlines=outlines)])
    shades = {code: Shade(1, code) for code in codes}
    for few in (codes, codes[:2]):
        for drawn in (
            draw(shades, {Area(code, code): (code,) for code in few}, [(1, "1 to 2")], "words")
            for draw in (atlas.choropleth, atlas.cartogram)
        ):
            assert drawn.count('class="own') == 2
            assert ('class="name"' in drawn) == (len(few) <= LABELS)


@given(st.lists(st.floats(0.01, 1000), min_size=1), st.sampled_from([0.01, 0.1, 1.0, 10.0, 100.0]))
def test_every_number_is_in_the_class_that_it_seems_to_be_in(values: list[float], step: float) -> None:
    classes = Classes.of(values, step)
    assert 1 <= classes.count <= MOST
    for value in values:
        number = classes.number(value)
        assert 1 <= number <= classes.count
        low, _, high = classes.words(number).replace(",", "").partition(" to ")
        assert float(low) - step / 2 - 1e-9 <= value <= float(high or low) + step / 2 + 1e-9
    assert len({classes.words(n) for n in range(1, classes.count + 1)}) == classes.count


def test_same_inputs_same_maps(shipped: Report, content: Content, tmp_path: Path) -> None:
    again = make_content(shipped)
    assert part_of(again, "dementia") == part_of(content, "dementia")
    assert again.outlines == content.outlines


def test_a_county_beside_an_authority_is_drawn_with_it() -> None:
    both = assess(Request(needs=("dementia",), areas=("Halton", "Lancashire"), draws=DRAWS)).answers[0]
    alone = assess(Request(needs=("dementia",), areas=("Lancashire",), draws=DRAWS)).answers[0]
    assert both.spread is not None
    assert set(both.spread.marked) == {HALTON, "E10000017"}
    keys = ["area_code", "year", "severity", "sex", "age_band", "quantity"]
    figures, same = (
        one.figures[(one.figures["area_code"] == "E10000017") & (one.figures["quantity"] == "need")].set_index(keys)
        for one in (both, alone)
    )
    np.testing.assert_allclose(figures["lower"], same.loc[figures.index, "lower"], rtol=1e-9)
