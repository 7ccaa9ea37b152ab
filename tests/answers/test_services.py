"""How many distinct people several services know: linear programming over every combination of services."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.services import union_bounds
from hna.errors import QuantityError

MEMBERSHIPS = st.integers(2, 5).flatmap(
    lambda services: st.lists(st.integers(0, 40), min_size=2**services - 1, max_size=2**services - 1)
)
"""How many people are in each combination of services."""


def _counted(members):
    services = int(np.log2(len(members) + 1))
    names = "abcde"[:services]
    cells = {
        frozenset(name for n, name in enumerate(names) if number >> n & 1): people
        for number, people in enumerate(members, start=1)
    }
    counts = {name: sum(people for cell, people in cells.items() if name in cell) for name in names}
    overlaps = {
        frozenset(pair): float(sum(people for cell, people in cells.items() if set(pair) <= cell))
        for pair in itertools.combinations(names, 2)
    }
    return sum(members), counts, overlaps


@given(MEMBERSHIPS)
def test_the_bounds_hold_the_truth_and_tighten_as_overlaps_are_added(members):
    truth, counts, overlaps = _counted(members)
    low, high = union_bounds(counts)
    assert (low, high) == (pytest.approx(max(counts.values())), pytest.approx(sum(counts.values())))
    for used in range(len(overlaps) + 1):
        held = dict(itertools.islice(overlaps.items(), used))
        bounds = union_bounds(counts, held)
        assert bounds.lower - 1e-6 <= truth <= bounds.upper + 1e-6
        assert bounds.lower >= low - 1e-6
        assert bounds.upper <= high + 1e-6
        low, high = bounds
    if len(counts) == 2:
        assert low == pytest.approx(high) == pytest.approx(truth)


@given(MEMBERSHIPS, st.integers(0, 60))
def test_a_cap_lowers_the_upper_bound_and_never_below_the_truth(members, above):
    truth, counts, overlaps = _counted(members)
    found = union_bounds(counts, overlaps, cap=truth + above)
    assert found.upper <= truth + above + 1e-6
    assert found.lower - 1e-6 <= truth <= found.upper + 1e-6


@given(MEMBERSHIPS, st.randoms())
def test_the_order_of_services_does_not_matter(members, random):
    _, counts, overlaps = _counted(members)
    names = list(counts)
    random.shuffle(names)
    assert union_bounds({name: counts[name] for name in names}, overlaps) == pytest.approx(
        union_bounds(counts, overlaps)
    )


@pytest.mark.parametrize(
    ("counts", "overlaps", "cap"),
    [
        ({"a": 10, "b": 5}, {frozenset("ab"): 6.0}, None),
        ({"a": 10, "b": 5}, {}, 9),
        ({"a": 10, "b": 10, "c": 10}, {frozenset("ab"): 10.0, frozenset("bc"): 10.0, frozenset("ac"): 0.0}, None),
        ({"a": 10, "b": 5}, {frozenset("ax"): 1.0}, None),
    ],
)
def test_overlaps_that_cannot_be_are_refused(counts, overlaps, cap):
    with pytest.raises(QuantityError) as caught:
        union_bounds(counts, overlaps, cap)
    assert caught.value.codes == ("R612",)


def test_too_many_services_are_refused():
    with pytest.raises(QuantityError, match="too many"):
        union_bounds({f"s{n}": 10.0 for n in range(13)})


def test_one_service_knows_whom_it_knows():
    assert union_bounds({"a": 10.0}) == (10, 10)
