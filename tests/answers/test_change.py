"""Change: shares that add up, in any order, and the decompositions that were printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.change import COLUMNS, GROUPS, Snapshot, change, shapley
from hna.answers.known_people import KnownPeople
from hna.errors import AxisError, QuantityError
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.rates import make_rates
from hna.model.spec import read_model

HALTON, DRAWS = "E06000006", 300


def product(state: Mapping[str, Any]) -> float:
    return prod(state.values())


def total(state: Mapping[str, Any]) -> float:
    return float(np.sum(np.prod(list(state.values()), axis=0)))


# ---- printed decompositions; all but the first two from Das Gupta 1993, US Bureau of the Census P23-186


def test_two_factors() -> None:
    found = shapley(product, {"a": 0.6, "b": 0.5}, {"a": 0.3, "b": 0.45})
    assert -found["a"] == pytest.approx(0.1425, abs=1e-12)
    assert -found["b"] == pytest.approx(0.0225, abs=1e-12)


def test_dementia_between_two_studies() -> None:
    """664,000, 884,000 were the rate unchanged, 670,000 at the new one (methods §7.8): not +220 and −214, but +193 and −187."""
    found = shapley(product, {"people": 1.0, "rate": 664.0}, {"people": 884 / 664, "rate": 664 * 670 / 884})
    assert found["people"] == pytest.approx(193.4, abs=0.05)
    assert found["rate"] == pytest.approx(-187.4, abs=0.05)


def test_three_factors_austria_and_chile() -> None:
    austria = {"births": 51.78746, "women 15-49": 0.45919, "women": 0.52638}
    chile = {"births": 84.90502, "women 15-49": 0.75756, "women": 0.51065}
    found = shapley(product, austria, chile)
    assert list(found.values()) == pytest.approx([10.4340333, 10.5608476, -0.6670084], abs=5e-7)


def test_five_factors_south_korea() -> None:
    names = ("married", "noncontraception", "abortion", "lactation", "fecundity")
    before = dict(zip(names, (0.58, 0.76, 0.84, 0.66, 16.573), strict=True))
    after = dict(zip(names, (0.72, 0.97, 0.97, 0.56, 16.158), strict=True))
    found = shapley(product, before, after)
    printed = [1.0909785, 1.2298438, 0.7278399, -0.8398707, -0.1290187]
    assert list(found.values()) == pytest.approx(printed, abs=5e-7)


def test_vector_factors_taiwan() -> None:
    before = {
        "births": np.array([393, 407, 369, 274, 184, 90, 16.0]),
        "married": np.array([0.122, 0.622, 0.903, 0.930, 0.916, 0.873, 0.800]),
        "women": np.array([0.043, 0.041, 0.036, 0.032, 0.026, 0.020, 0.018]),
    }
    after = {
        "births": np.array([488, 452, 338, 156, 63, 22, 3.0]),
        "married": np.array([0.082, 0.527, 0.866, 0.941, 0.942, 0.923, 0.876]),
        "women": np.array([0.058, 0.038, 0.032, 0.030, 0.026, 0.023, 0.019]),
    }
    found = shapley(total, before, after)
    assert list(found.values()) == pytest.approx([-7.285632, -2.720633, -1.565181], abs=5e-7)


def test_a_ratio_of_sums_is_divided_too() -> None:
    """Illegitimacy ratio, United States 1963 and 1983: a function that is no product."""
    before = {
        "a": np.array([0.200, 0.163, 0.146, 0.154, 0.168, 0.169]),
        "b": np.array([0.866, 0.325, 0.119, 0.099, 0.099, 0.121]),
        "c": np.array([0.007, 0.021, 0.023, 0.015, 0.008, 0.002]),
        "d": np.array([0.454, 0.326, 0.195, 0.107, 0.051, 0.015]),
    }
    after = {
        "a": np.array([0.169, 0.195, 0.190, 0.174, 0.150, 0.122]),
        "b": np.array([0.931, 0.563, 0.311, 0.216, 0.199, 0.191]),
        "c": np.array([0.018, 0.026, 0.023, 0.016, 0.008, 0.002]),
        "d": np.array([0.380, 0.201, 0.149, 0.079, 0.025, 0.006]),
    }

    def share(s: Mapping[str, Any]) -> float:
        unmarried = (s["a"] * s["b"] * s["c"]).sum()
        return float(unmarried / (unmarried + (s["a"] * (1 - s["b"]) * s["d"]).sum()))

    found = shapley(share, before, after)
    assert list(found.values()) == pytest.approx([-0.00620498, 0.04866154, 0.02705922, 0.02470928], abs=5e-9)


# ---- properties

states = st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=6)


@given(states)
def test_shares_add_up_and_do_not_depend_on_order(pairs: list[tuple[float, float]]) -> None:
    before = {str(n): pair[0] for n, pair in enumerate(pairs)}
    after = {str(n): pair[1] for n, pair in enumerate(pairs)}
    found = shapley(product, before, after)
    whole = product(after) - product(before)
    assert sum(map(float, found.values())) == pytest.approx(whole, rel=1e-9, abs=1e-9 * product(before))
    backwards = shapley(product, dict(reversed(before.items())), dict(reversed(after.items())))
    for name, value in found.items():
        assert float(backwards[name]) == pytest.approx(float(value), rel=1e-9, abs=1e-12 * product(before))


def test_it_is_the_mean_over_all_orders() -> None:
    before, after = {"a": 2.0, "b": 3.0, "c": 5.0, "d": 1.0}, {"a": 1.0, "b": 4.0, "c": 7.0, "d": 1.5}

    def curved(s: Mapping[str, float]) -> float:
        return s["a"] ** 2 * s["b"] - s["c"] / s["d"] + s["a"] * s["d"]

    sums = dict.fromkeys(before, 0.0)
    orders = list(permutations(before))
    for order in orders:
        state = dict(before)
        for name in order:
            old = curved(state)
            state[name] = after[name]
            sums[name] += (curved(state) - old) / len(orders)
    assert {name: float(value) for name, value in shapley(curved, before, after).items()} == pytest.approx(sums)


def test_a_group_that_does_not_change_contributes_nothing() -> None:
    same = np.arange(3.0)
    found = shapley(lambda s: s["a"] * s["b"], {"a": same, "b": 1.0}, {"a": same, "b": 2.0})
    assert (found["a"] == 0).all()
    np.testing.assert_array_equal(found["b"], same)


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(QuantityError, match="differ"):
        shapley(product, {"a": 1.0}, {"b": 1.0})
    many = {str(n): 1.0 for n in range(9)}
    with pytest.raises(QuantityError, match="9 groups"):
        shapley(product, many, dict.fromkeys(many, 2.0))
    with pytest.raises(QuantityError, match="missing with a changed"):
        shapley(lambda s: np.nan if s["a"] > 1 else 1.0, {"a": 1.0}, {"a": 2.0})


# ---- of needs


@pytest.fixture(scope="module")
def sides() -> tuple[Snapshot, Snapshot]:
    shelf = Shelf()
    rates = make_rates(read_model(shelf.model_file("dementia")), shelf, DRAWS, 1)
    counts = [KnownPeople(n, np.full(DRAWS, n), np.full(DRAWS, n), (n, n)) for n in (1000.0, 1100.0)]
    return tuple(  # type: ignore[return-value]
        Snapshot(rates, read_population(shelf, name, [HALTON]), HALTON, year, known)
        for name, year, known in (("ons-mye-2020", 2020, counts[0]), ("ons-mye-2023", 2023, counts[1]))
    )


def test_need_is_more_people_and_older_people(sides: tuple[Snapshot, Snapshot]) -> None:
    before, after = sides
    table = change(before, after)
    assert list(table.columns) == list(COLUMNS)
    assert list(table.group) == [*GROUPS, "change"]
    rows = table.set_index("group")
    needs = []
    for side in sides:
        where = side.rates.ages.index_of(side.cells)
        needs.append(float((side.people * side.rates.mean()[0][:, where]).sum()))
    assert rows.estimate["change"] == pytest.approx(needs[1] - needs[0])
    assert rows.estimate.drop("change").sum() == pytest.approx(rows.estimate["change"])
    assert rows.estimate["population size"] > 0
    for still in ("evidence", "local adjustment", "service", "rate"):
        assert rows.estimate[still] == pytest.approx(0, abs=1e-9)
    assert (rows.lower <= rows.upper).all()


def test_an_error_shared_by_both_years_is_no_change(sides: tuple[Snapshot, Snapshot]) -> None:
    """Fresh draws a year would make the interval of the change wider than that of the need (methods §1.5)."""
    before, after = sides
    row = change(before, after).set_index("group").loc["change"]
    where = before.rates.ages.index_of(before.cells)
    need = np.tensordot(before.people, before.rates.at(HALTON, 2020)[0][:, where], axes=2)
    assert row.upper - row.lower < 0.25 * np.ptp(np.quantile(need, [0.025, 0.975]))


def test_a_revision_of_the_evidence_is_kept_apart(sides: tuple[Snapshot, Snapshot]) -> None:
    """Nobody's health changed: the study did. With people and count as they were, all of the change is the evidence."""
    before, _ = sides
    shelf = Shelf()
    model = read_model(shelf.model_file("dementia"))
    other = replace(before, rates=make_rates(model, shelf, DRAWS, 1))
    half = replace(before, rates=replace(other.rates, groups=_halved(other.rates.groups)))
    rows = change(before, half, "coverage").set_index("group")
    assert rows.estimate["evidence"] == pytest.approx(rows.estimate["change"])
    assert rows.estimate["evidence"] > 0, "the same register covers more of fewer people"
    assert rows.share["evidence"] == pytest.approx(1.0)
    nothing = change(before, other)
    assert nothing.estimate.to_numpy() == pytest.approx(np.zeros(len(nothing)), abs=1e-9)
    assert nothing.share.isna().all()


def _halved(groups: Any) -> Any:
    return tuple(
        tuple(
            replace(part, layers=replace(part.layers, mean=part.layers.mean / 2, draws=part.layers.draws / 2))
            for part in group
        )
        for group in groups
    )


def test_gap_and_coverage_add_up(sides: tuple[Snapshot, Snapshot]) -> None:
    before, after = sides
    need, gap = change(before, after).set_index("group"), change(before, after, "gap").set_index("group")
    assert gap.estimate["service"] == pytest.approx(-100)
    assert gap.estimate["change"] == pytest.approx(need.estimate["change"] - 100)
    cover = change(before, after, "coverage").set_index("group")
    assert cover.estimate.drop("change").sum() == pytest.approx(cover.estimate["change"])
    assert cover.estimate["service"] > 0 > cover.estimate["population size"]
    known = change(before, after, "known").set_index("group")
    assert known.estimate[["service", "change"]].to_numpy() == pytest.approx(np.array([100.0, 100.0]))


def test_local_adjustment_is_a_group_of_its_own(sides: tuple[Snapshot, Snapshot]) -> None:
    before, _ = sides
    factor = np.full(before.people.shape, 1.1)
    rows = change(before, replace(before, adjustment=factor)).set_index("group")
    assert rows.estimate["local adjustment"] == pytest.approx(rows.estimate["change"])
    drawn = np.full((*before.people.shape, DRAWS), 1.1)
    again = change(before, replace(before, adjustment=drawn)).set_index("group")
    assert again.estimate["change"] == pytest.approx(rows.estimate["change"])
    with pytest.raises(AxisError, match="adjustment has 7 draws"):
        change(before, replace(before, adjustment=drawn[..., :7]))


def test_sides_that_do_not_fit_are_told_at_once(sides: tuple[Snapshot, Snapshot]) -> None:
    before, after = sides
    shelf = Shelf()
    other = make_rates(read_model(shelf.model_file("adhd")), shelf, 50, 2)
    with pytest.raises(AxisError) as caught:
        change(before, replace(after, rates=other))
    said = str(caught.value)
    for what in ("ages", "condition", "draws", "seed"):
        assert f"{what} differ before and after" in said
    with pytest.raises(QuantityError, match="gap needs people known"):
        change(before, replace(after, known=None), "gap")
    hidden = KnownPeople(None, np.zeros(DRAWS), np.ones(DRAWS), (1.0, 7.0))
    with pytest.raises(QuantityError, match="bounds"):
        change(before, replace(after, known=hidden), "gap")
    with pytest.raises(AxisError, match="is not in ons-mye-2023"):
        change(before, replace(after, area="E06000001"))
    wide = AgeAxis((AgeBand(0, 59), AgeBand(60, None)))
    coarse = replace(after.population, ages=wide, people=after.population.people[..., :2])
    with pytest.raises(AxisError, match="do not make up 65"):
        change(before, replace(after, population=coarse))
