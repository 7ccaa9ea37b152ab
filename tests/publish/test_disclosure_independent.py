"""An optimiser formulated apart from the engine's: people one by one as whole numbers, prints as sums over them.

Three wards make up an authority; last year children to 16 were printed, this year children to 17. The unknowns are people by
ward, sex and year of age limit; nothing of the engine's own system of relations is used.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from hna.measure.areas import Nesting
from hna.publish.disclosure_audit import Attacker, suppress
from hna.publish.disclosure_cells import Cell, Release, system_of
from hna.publish.disclosure_presets import DisclosureError, Rule
from tests.publish.test_disclosure_audit import DFE, HES, ONS, release

AUTHORITY, WARDS = "E06000001", ("E05000001", "E05000002", "E05000003")
INSIDE = Nesting(dict.fromkeys(WARDS, (AUTHORITY,)))
PEOPLE = list(product(WARDS, ("female", "male"), ((0, 17), (17, 18))))
MOST = 500.0


def cell(area: str, sex: str, end: int) -> Cell:
    return Cell("care", area, sex, "", 0, end)


def members(of: Cell) -> np.ndarray:
    return np.array([
        of.area in (AUTHORITY, ward) and of.sex in ("persons", sex) and of.low <= low and end <= of.end
        for ward, sex, (low, end) in PEOPLE
    ], dtype=float)  # fmt: skip


def bounds(releases: list[Release], group: np.ndarray) -> tuple[float, float] | None:
    """The least and the most that a group can be; None where no people at all agree with the prints."""
    rows, low, high = [], [], []
    for one in releases:
        rows.append(members(one.cell))
        low.append(1.0 if one.small else one.lower)
        high.append(float(one.largest) if one.small else min(one.upper, MOST))
    found = []
    for sign in (1, -1):
        solved = milp(
            sign * group, constraints=LinearConstraint(np.array(rows), low, high), integrality=np.ones(len(group)),
            bounds=Bounds(0, MOST),
        )  # fmt: skip
        if solved.x is None:
            return None
        found.append(sign * round(solved.fun))
    return float(found[0]), float(found[1])


def table(counts: list[int], rule: Rule) -> list[Release]:
    """What is printed this year, and last year's authority to 16, which is out already."""
    people = np.array(counts, dtype=float)
    held = [cell(area, sex, 18) for area in (AUTHORITY, *WARDS) for sex in ("persons", "female", "male")]
    now = [release(of, float(members(of) @ people), rule) for of in sorted(held)]
    before = release(cell(AUTHORITY, "persons", 17), float(members(cell(AUTHORITY, "persons", 17)) @ people), rule)
    return [
        *now,
        Release(before.cell, before.lower, before.upper, before.hidden, before.small, before.largest, public=True),
    ]


cases = st.tuples(st.lists(st.integers(0, 14), min_size=12, max_size=12), st.sampled_from([HES, DFE, ONS]))


@given(cases)
@settings(max_examples=15)
def test_an_independent_optimiser_agrees(case: tuple[list[int], Rule]) -> None:
    releases = table(*case)
    attacker = Attacker(system_of(releases, INSIDE), marks=True)
    for n, one in enumerate(releases):
        bound = attacker.bound(attacker.system.rows[n])
        apart = bounds(releases, members(one.cell))
        assert apart is not None
        assert (bound.least, min(bound.most, MOST)) == apart, one.cell


@given(cases)
@settings(max_examples=12)
def test_what_is_released_is_possible_and_pins_nobody_down(case: tuple[list[int], Rule]) -> None:
    counts, rule = case
    try:
        safe = suppress(table(counts, rule), rule, INSIDE)
    except DisclosureError:
        return  # Refused: nothing is published.
    people = np.array(counts, dtype=float)
    for one in safe:
        if one.hidden and one.truth is not None:
            found = bounds(safe, members(one.cell))
            assert found is not None, "the release contradicts itself"
            assert found[0] <= members(one.cell) @ people <= found[1]
            assert found[1] > found[0]
    # Children of 17, by this year's release less last year's.
    found = bounds(safe, members(cell(AUTHORITY, "persons", 18)) - members(cell(AUTHORITY, "persons", 17)))
    assert found is not None
    truth = people[[n for n, (_, _, ages) in enumerate(PEOPLE) if ages == (17, 18)]].sum()
    if 1 <= truth <= rule.threshold:
        assert found[1] > found[0]


def test_planted_counts_are_had_before_and_not_after() -> None:
    """Ward less wards, girls less persons, and a year of age between two releases, printed as they are."""
    counts = [40, 1, 35, 0, 50, 1, 44, 0, 2, 0, 37, 0]
    people = np.array(counts, dtype=float)
    plain = [
        Release(one.cell, *(2 * [float(members(one.cell) @ people)]), truth=float(members(one.cell) @ people), public=one.public)
        for one in table(counts, ONS)
    ]  # fmt: skip
    seventeen = members(cell(AUTHORITY, "persons", 18)) - members(cell(AUTHORITY, "persons", 17))
    planted = members(cell(WARDS[2], "female", 18))
    assert bounds(plain, seventeen) == (2, 2)
    assert bounds(plain, planted) == (2, 2)
    without = [one for one in plain if one.cell != cell(WARDS[2], "female", 18)]
    assert bounds(without, planted) == (2, 2)
    safe = suppress(table(counts, HES), HES, INSIDE)
    for group in (seventeen, planted):
        found = bounds(safe, group)
        assert found is not None
        assert found[1] - found[0] >= 2
