"""The gap: signed, with hidden and rounded counts as intervals, a measurement model, and its warnings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.gap import figures, flags_of, gap, leverage
from hna.answers.known_people import KnownPeople, known_people, rows_for, union_known
from hna.answers.ledger import months_apart
from hna.answers.need import need
from hna.errors import AlignmentError, AxisError, HnaError, QuantityError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.measure.ages import AgeBand
from hna.model.defaults import read_defaults
from hna.model.rates import make_rates
from hna.model.spec import Factors, KnownUse

DRAWS = 4000


def _need(small, draws=DRAWS, **options):
    rates = make_rates(small.model(**options), small.shelf, draws, 1)
    return need(rates, read_population(small.shelf, "own-people"))


def _counts(small, counts, **fields):
    small.known(rows=small.count_rows(counts), **fields)
    return read_known(small.shelf, "own-register")


def _everybody(held):
    return np.ones(len(held), dtype=bool)


USE = KnownUse(source="own-register")


def test_a_plain_count_has_no_sampling_error(small):
    found = known_people(_counts(small, {"N01": 300, "S02": 410}), np.array([True, True]), USE, 1, DRAWS)
    assert found.point == 710
    assert set(found.low) == set(found.high) == {710.0}
    assert found.printed == (710, 710)


@pytest.mark.parametrize(("base", "spread"), [(5, 2), (10, 5), (3, 1), (7, 3)])
def test_a_rounded_count_is_uniform_over_what_rounds_to_it(small, base, spread):
    held = _counts(small, {"N01": 30 * base, "S02": 40 * base},
                   disclosure={"suppressed": None, "range": None, "rounded_to": base})  # fmt: skip
    found = known_people(held, np.array([True, False]), USE, 1, DRAWS)
    possible = set(range(30 * base - spread, 30 * base + spread + 1))
    assert set(found.low.astype(int)) == possible
    assert found.low.mean() == pytest.approx(30 * base, abs=0.3)
    assert found.low.std() == pytest.approx(np.std(sorted(possible)), rel=0.05)
    assert (found.low == found.high).all()


def test_rounding_of_one_cell_says_nothing_of_another(small):
    held = _counts(small, {"N01": 300, "S02": 300}, disclosure={"suppressed": None, "range": None, "rounded_to": 5})
    one, two = (known_people(held, np.array(rows), USE, 1, DRAWS).low for rows in ([True, False], [False, True]))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.06


def test_a_rounded_count_is_never_below_nothing(small):
    held = _counts(small, {"N01": 0, "S02": 5}, disclosure={"suppressed": None, "range": None, "rounded_to": 5})
    assert held.lower.tolist() == [0, 3]


def test_a_printed_nought_where_small_counts_are_hidden_is_none(small):
    held = _counts(small, {"N01": 0, "S02": 10}, disclosure={"suppressed": "*", "range": [1, 7], "rounded_to": 5})
    assert held.upper[0] == 0


def test_hidden_counts_add_up_their_bounds(small):
    held = _counts(small, {"N01": "*", "S02": "*"}, disclosure={"suppressed": "*", "range": [1, 7], "rounded_to": None})
    found = known_people(held, _everybody(held), USE, 1, DRAWS)
    assert found.point is None
    assert found.printed == (2, 14)
    assert (found.low.max(), found.high.min()) == (2, 14)
    assert found.middle == 8


RANGES = {"in_need": [0.8, 1.0], "distinct": [0.9, 0.98], "extraction": [0.95, 0.99]}


@pytest.mark.parametrize("name", RANGES)
def test_a_factor_is_triangular_on_its_range(small, name):
    use = KnownUse(source="own-register", factors=Factors(**{name: RANGES[name], "because": "a study"}))
    held = _counts(small, {"N01": 1000, "S02": 1})
    found = known_people(held, np.array([True, False]), use, 1, 20_000)
    low, high = RANGES[name]
    share = 1000 / found.low if name == "extraction" else found.low / 1000
    assert low < share.min() < share.max() < high
    assert share.mean() == pytest.approx((low + high) / 2, rel=1e-3)
    assert share.std() == pytest.approx((high - low) / np.sqrt(24), rel=0.01)
    middle = (low + high) / 2
    assert found.point == pytest.approx(1000 / middle if name == "extraction" else 1000 * middle)


def test_factors_multiply_and_are_the_same_in_every_area(small):
    use = KnownUse(source="own-register", factors=Factors(**RANGES, because="a study"))
    held = _counts(small, {"N01": 1000, "S02": 500})
    one, two = (known_people(held, np.array(rows), use, 1, DRAWS).low for rows in ([True, False], [False, True]))
    np.testing.assert_allclose(one, 2 * two)
    assert known_people(held, np.array([True, False]), use, 1, DRAWS).point == pytest.approx(1000 * 0.9 * 0.94 / 0.97)


def test_a_factor_of_one_number_is_that_number(small):
    use = KnownUse(source="own-register", factors=Factors(in_need=0.9, because="a study"))
    found = known_people(_counts(small, {"N01": 1000, "S02": 1}), np.array([True, False]), use, 1, DRAWS)
    np.testing.assert_allclose(found.low, 900)


def test_the_gap_of_each_area_is_its_need_less_its_count(small):
    estimated = _need(small)
    table = gap(estimated, _counts(small, {"N01": 300, "S02": 410})).interval().set_index(["area", "quantity"])
    for code, count in (("N01", 300), ("S02", 410)):
        point = estimated.headline.sel(area=code, year=2024).item()
        assert table.loc[(code, "gap"), "estimate"] == pytest.approx(point - count)
        assert table.loc[(code, "known"), "lower"] == count
        assert table.loc[(code, "coverage"), "estimate"] == pytest.approx(count / point, rel=0.02)


def test_an_area_without_a_count_has_no_gap_and_none_at_all_is_an_error(small):
    found = gap(_need(small), _counts(small, {"N01": 300}))
    assert set(found.interval().area) == {"N01"}
    small.known("elsewhere", rows=small.count_rows({"X99": 300}))
    with pytest.raises(AxisError, match="no count for these areas"):
        gap(_need(small), read_known(small.shelf, "elsewhere"))


def test_a_gap_needs_area_and_year(small):
    rates = make_rates(small.model(), small.shelf, 50, 1)
    whole = need(rates, read_population(small.shelf, "own-people"), ["area"])
    with pytest.raises(AxisError, match="area and year"):
        gap(whole, read_known(small.shelf, "own-register"))


def test_the_year_nearest_to_the_need_is_counted(small):
    rows = [
        row for year, count in ((2020, 100), (2023, 250), (2027, 400)) for row in small.count_rows({"N01": count}, year)
    ]
    small.known(rows=rows, reference_date="2023-06-30")
    table = gap(_need(small), read_known(small.shelf, "own-register")).interval()
    assert table[table.quantity == "known"].estimate.item() == 250


@pytest.mark.parametrize(
    ("counts", "expected"), [({"N01": 300, "S02": 5000}, set()), ({"N01": 5000, "S02": 300}, {"W723"})]
)
def test_each_area_is_flagged_by_its_own_need(small, counts, expected):
    """The second area is much larger: a count that is plenty for the first is little for it."""
    rows = [row | {"persons": row["persons"] * (20 if row["area_code"] == "S02" else 1)} for row in small.people_rows()]
    small.population(rows=rows)
    found = gap(_need(small), _counts(small, counts))
    assert {"W722", "W723"} & set(found.flags) == expected


@pytest.mark.parametrize(
    ("date", "months", "flagged"),
    [("2024-06-30", 0, False), ("2023-07-01", 12, False), ("2023-05-31", 13, True), ("2026-01-01", 18, True)],
)
def test_counts_more_than_a_year_away_are_flagged(small, date, months, flagged):
    assert months_apart(date, 2024) == pytest.approx(months, abs=0.2)
    found = gap(_need(small), _counts(small, {"N01": 300, "S02": 410}, reference_date=date))
    assert ("W605" in found.flags) == flagged


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        (None, {"N701", "W601"}),
        ({"distinct": 0.95}, {"N701"}),
        ({"in_need": [0.8, 1.0]}, set()),
    ],
)
def test_a_count_without_a_measurement_model_is_only_an_apparent_gap(small, factors, expected):
    use = KnownUse(source="own-register", factors=Factors(**factors, because="a study") if factors else None)
    found = gap(_need(small), _counts(small, {"N01": 300, "S02": 410}), use)
    assert {"N701", "W601"} & set(found.flags) == expected


@given(st.floats(0.01, 3), st.integers(0, 2**32 - 1))
def test_the_warning_is_that_of_the_chance(small, ratio, seed):
    draws = np.random.default_rng(seed).normal(1000, 150, 2000)
    same = np.full(2000, 1000 * ratio)
    found = figures(1000.0, draws, KnownPeople(same[0], same, same, (same[0], same[0])), 0.95, None)
    chance = float((same > draws).mean())
    raised = {"W722", "W723"} & set(flags_of(found, USE, 0, read_defaults(small.shelf)))
    assert raised == ({"W723"} if chance > 0.5 else {"W722"} if chance > 0.2 else set())


@pytest.mark.parametrize(
    ("need_", "known", "expected"), [(1000, 660, 1 / 0.34), (1000, 0, 1), (1000, 1000, None), (1000, 1200, None)]
)
def test_leverage(need_, known, expected):
    assert leverage(need_, known) == (None if expected is None else pytest.approx(expected))


def test_a_target_shortfall_is_of_the_share_that_should_be_known(small):
    estimated = _need(small, target={"coverage": 0.6, "source": "a standard of 2020"})
    table = gap(estimated, _counts(small, {"N01": 300, "S02": 410})).interval().set_index(["area", "quantity"])
    point = estimated.headline.sel(area="N01", year=2024).item()
    row = table.loc[("N01", "target_shortfall")]
    assert row.estimate == pytest.approx(0.6 * point - 300)
    drawn = estimated.draws.sel(area="N01", year=2024).values
    assert row.probability == pytest.approx(float((0.6 * drawn > 300).mean()))


def test_rows_of_persons_are_not_added_to_those_of_women_and_men(small):
    both = [
        row | {"sex": sex, "count": row["count"] // parts}
        for row in small.count_rows({"N01": 300})
        for sex, parts in (("female", 2), ("male", 2), ("persons", 1))
    ]
    small.known(rows=both)
    held = read_known(small.shelf, "own-register")
    rows = rows_for(held, AgeBand(65, None), "persons", bridged=False)
    assert held.count[rows].tolist() == [300]
    assert held.sex[rows_for(held, AgeBand(65, None), "female", bridged=False)].tolist() == ["female"]


def test_strata_are_not_added_to_their_total(small):
    rows = [row | {"severity": name} for name in ("", "mild", "severe") for row in small.count_rows({"N01": 300})]
    small.known(rows=rows)
    held = read_known(small.shelf, "own-register")
    assert rows_for(held, AgeBand(65, None), "persons", bridged=False).sum() == 1
    assert rows_for(held, AgeBand(65, None), "persons", bridged=False, severity="mild").sum() == 1


def test_ages_outside_the_need_are_left_out_of_the_count(small):
    rows = [row | {"age_to": 64, "count": 999} for row in small.count_rows({"N01": 1}, low=0)]
    small.known(rows=rows + small.count_rows({"N01": 300}))
    table = gap(_need(small), read_known(small.shelf, "own-register")).interval()
    assert table[table.quantity == "known"].estimate.item() == 300


def test_ages_that_cross_the_need_are_refused(small):
    rows = [row | {"age_to": 69} for row in small.count_rows({"N01": 100}, low=60)]
    small.known(rows=rows + small.count_rows({"N01": 300}, low=70))
    with pytest.raises(AlignmentError, match="age range"):
        gap(_need(small), read_known(small.shelf, "own-register"))


def _fixed(low, high=None):
    least, most = np.full(10, float(low)), np.full(10, float(low if high is None else high))
    return KnownPeople(low if high is None else None, least, most, (low, low if high is None else high))


def test_services_whose_overlap_is_unknown_are_bounded_and_have_no_point():
    found = union_known({"a": _fixed(200), "b": _fixed(150), "c": _fixed(90)}, {})
    assert found.point is None
    assert found.printed == pytest.approx((200, 440))


def test_services_that_are_wholly_linked_have_a_point():
    found = union_known({"a": _fixed(200), "b": _fixed(150)}, {frozenset("ab"): 60.0})
    assert found.point == pytest.approx(290)


def test_a_hidden_count_widens_the_union():
    found = union_known({"a": _fixed(200), "b": _fixed(1, 7)}, {})
    assert found.printed == pytest.approx((200, 207))


def test_a_factor_does_not_make_a_measured_overlap_impossible():
    shares = np.linspace(0.5, 0.9, 10)
    doubtful = KnownPeople(70.0, 100 * shares, 100 * shares, (100.0, 100.0))
    found = union_known({"a": doubtful, "b": _fixed(80)}, {frozenset("ab"): 60.0})
    assert found.printed[0] <= found.printed[1]


def test_all_areas_that_do_not_align_are_told_at_once(small):
    with pytest.raises(HnaError) as caught:
        gap(_need(small), _counts(small, {"N01": 300, "S02": 410}, base="registered"))
    assert {"Northmere", "Southmere"} <= {
        name for name in small.areas.values() if any(name in str(fault) for fault in caught.value.faults)
    }  # fmt: skip


def test_the_gap_of_a_hidden_count_prints_no_estimate(small):
    held = _counts(small, {"N01": "*", "S02": 410}, disclosure={"suppressed": "*", "range": [1, 7], "rounded_to": None})
    table = gap(_need(small), held).net.interval().set_index("area")
    assert np.isnan(table.estimate["N01"])


def test_gaps_of_several_areas_are_added_up_draw_by_draw(small):
    found = gap(_need(small), _counts(small, {"N01": 300, "S02": 410}))
    together = found.net.sum("area")
    np.testing.assert_allclose(together.draws.values, found.net.draws.sum("area").values)
    (row,) = together.interval().to_dict("records")
    parts = found.net.interval()
    assert row["estimate"] == pytest.approx(parts["estimate"].sum())
    # Limits are of the sum, never the sum of limits: each place differs on its own.
    assert row["upper"] - row["lower"] < (parts["upper"] - parts["lower"]).sum()


def test_gaps_with_a_hidden_count_are_not_added_up(small):
    hidden = {"suppressed": "*", "range": [1, 7], "rounded_to": None}
    found = gap(_need(small), _counts(small, {"N01": "*", "S02": 410}, disclosure=hidden))
    with pytest.raises(QuantityError, match="Leave its area out"):
        found.net.sum("area")
