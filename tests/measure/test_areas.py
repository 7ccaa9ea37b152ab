import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.errors import AxisError
from hna.measure.areas import Area, Gazetteer, Nesting

HALTON, SEFTON = Area("E06000006", "Halton"), Area("E08000014", "Sefton")
STHELENS, KING = Area("E08000013", "St. Helens"), Area("E09000020", "Kensington and Chelsea")
NEWCASTLES = [Area("E08000021", "Newcastle"), Area("E07000195", "Newcastle")]
PLACES = Gazetteer([HALTON, SEFTON, STHELENS, KING, *NEWCASTLES])


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("E06000006", HALTON),
        ("e06000006", HALTON),
        (" Halton ", HALTON),
        ("HALTON", HALTON),
        ("St Helens", STHELENS),
        ("st. helens", STHELENS),
        ("St-Helens", STHELENS),
        ("Kensington & Chelsea", KING),
        ("kensington  and chelsea", KING),
    ],
)
def test_an_area_is_found_by_name_or_code(text, area):
    assert PLACES.find(text) == area


@pytest.mark.parametrize(
    ("text", "near"),
    [("Haltn", "Halton (E06000006)"), ("Seftn", "Sefton (E08000014)"), ("Chelsea", "Kensington and Chelsea")],
)
def test_a_misspelt_name_lists_the_nearest(text, near):
    with pytest.raises(AxisError) as caught:
        PLACES.find(text)
    assert near in str(caught.value)
    assert repr(text) in str(caught.value)


def test_a_name_like_no_other_is_told_where_to_look():
    with pytest.raises(AxisError, match="hna areas"):
        PLACES.find("Zzyzx")


def test_an_ambiguous_name_lists_every_area_of_that_name_and_asks_for_the_code():
    with pytest.raises(AxisError) as caught:
        PLACES.find("newcastle")
    said = str(caught.value)
    assert "2 areas" in said
    assert "Give the code" in said
    assert all(area.code in said for area in NEWCASTLES)
    assert PLACES.find("E07000195") == NEWCASTLES[1]


@pytest.mark.parametrize("text", ["", "   "])
def test_a_blank_name_is_no_area(text):
    with pytest.raises(AxisError):
        PLACES.find(text)


def test_areas_come_in_the_order_asked_for_and_once():
    assert PLACES.find_all(["Sefton", "E06000006", "sefton", "Halton"]) == [SEFTON, HALTON]


def test_every_unknown_area_is_told_at_once():
    with pytest.raises(AxisError) as caught:
        PLACES.find_all(["Haltn", "Sefton", "Seftn"])
    assert len(caught.value.faults) == 2


@given(st.lists(st.tuples(st.sampled_from("ABCDEFG"), st.sampled_from(["x", "y", "z"])), min_size=1, max_size=10))
def test_a_code_keeps_its_first_name(pairs):
    places = Gazetteer(Area(code, name) for code, name in pairs)
    first = dict(reversed([(code, name) for code, name in pairs]))
    assert {area.code: area.name for area in places.areas} == first
    assert all(places.find(code).code == code for code in first)


def test_nesting_runs_from_near_to_far():
    nesting = Nesting({"lsoa": ("ward",), "ward": ("la",), "la": ("region",), "region": ("england",)})
    assert nesting.ancestors("lsoa") == ["ward", "la", "region", "england"]
    assert nesting.ancestors("england") == []
    assert nesting.children("la") == ["ward"]


def test_areas_that_lie_in_each_other_are_refused():
    with pytest.raises(AxisError, match="circle"):
        Nesting({"a": ("b",), "b": ("a",)}).ancestors("a")
