"""Numbers are printed as people say them, and no finer than their interval supports."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.publish.rounding import Value, plain, rounded, say, say_chance, step_of


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (Value(1408.9, 827.6, 2183.6), "about 1,400 (800 to 2,200)"),
        (Value(410.7, -109.5, 1100.2), "about 400 (−100 to 1,100)"),
        (Value(29_891.9, 23_300.3, 36_818.9), "about 30,000 (23,000 to 37,000)"),
        (Value(242.4, 147.9, 380.2), "about 240 (150 to 380)"),
        (Value(1018.0, 1018.0, 1018.0), "1,018"),
        (Value(None, 1.0, 7.0), "1 to 7"),
        (Value(0.3, 0.0, 2.0), "fewer than 1 (0 to 2)"),
        (Value(0.70991, 0.45750, 1.13515, unit="proportion"), "about 71% (46% to 114%)"),
        (Value(0.05568, 0.0333, 0.08795, unit="proportion"), "about 5.6% (3.3% to 8.8%)"),
    ],
)
def test_figures_are_said(value: Value, printed: str) -> None:
    assert say(value).words == printed


def test_nobody_reads_1237_people() -> None:
    assert say(Value(1237.0, 1100.0, 1380.0)).number == "1,240"


@given(
    st.floats(1, 1e7), st.floats(0.05, 0.95), st.floats(1.05, 3.0)
)  # fmt: skip
def test_rounding_moves_an_estimate_by_a_tenth_of_half_its_interval_at_most(
    point: float, below: float, above: float
) -> None:
    value = Value(point, point * below, point * above)
    step = step_of(value)
    half = value.half
    assert half is not None
    most = max(half / 10, 10.0 ** (math.floor(math.log10(point * above)) - 2) / 2)
    assert abs(rounded(point, step) - point) <= most * 1.000001
    assert rounded(value.lower or 0.0, step) <= rounded(point, step) <= rounded(value.upper or 0.0, step)


@given(st.floats(1, 1e7), st.floats(0.05, 0.95), st.floats(1.05, 3.0))
def test_at_most_three_significant_figures(point: float, below: float, above: float) -> None:
    said = say(Value(point, point * below, point * above))
    digits = said.number.replace(",", "").replace("−", "").strip("0")
    assert len(digits) <= 3


def test_a_small_negative_number_is_nought() -> None:
    assert plain(-0.2) == "0"
    assert plain(-110.0, 10.0) == "−110"


def test_a_chance_is_never_a_certainty() -> None:
    assert [say_chance(p) for p in (0.0, 0.076, 1.0, None)] == ["less than 1%", "8%", "more than 99%", "not known"]
