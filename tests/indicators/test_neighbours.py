import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.errors import QuantityError
from hna.indicators import benchmark

COUNTS = np.array([50, 61, 44, 40, 30, 20, 12, 23, 37, 41, 52.0])
PEOPLE = np.array([1000, 1500, 900, 1100, 800, 640, 300, 500, 1000, 900, 1200.0])


def test_pooled_from_counts_and_never_from_rates():
    found = benchmark.neighbour_average(COUNTS, PEOPLE, per=1000)
    assert found.value == pytest.approx(COUNTS.sum() / PEOPLE.sum() * 1000)
    assert found.value != pytest.approx((COUNTS / PEOPLE).mean() * 1000, rel=1e-3)
    assert found.lower == found.value == found.upper
    assert (found.flags, found.missing) == ("", 0)


@pytest.mark.parametrize("missing", [1, 2])
def test_one_or_two_missing_are_flagged_with_bounds(missing):
    counts = COUNTS.copy()
    counts[:missing] = np.nan
    value, lower, upper = found = benchmark.neighbour_average(counts, PEOPLE)
    assert value == pytest.approx(COUNTS[missing:].sum() / PEOPLE[missing:].sum())
    assert lower == pytest.approx((COUNTS[missing:].sum() + missing) / PEOPLE.sum())
    assert upper == pytest.approx((COUNTS[missing:].sum() + 7 * missing) / PEOPLE.sum())
    assert (found.flags, found.missing) == ("W861", missing)
    unknown = benchmark.neighbour_average(counts, PEOPLE, suppressed=None)
    assert unknown.value == value
    assert np.isnan([unknown.lower, unknown.upper]).all()


def test_a_missing_denominator_leaves_no_bounds():
    people = PEOPLE.copy()
    people[4] = np.nan
    found = benchmark.neighbour_average(COUNTS, people)
    keep = np.arange(11) != 4
    assert found.value == pytest.approx(COUNTS[keep].sum() / PEOPLE[keep].sum())
    assert np.isnan([found.lower, found.upper]).all()
    assert found.flags == "W861"


def test_three_missing_are_refused_by_name_of_the_rule():
    counts = np.where(np.isin(np.arange(11), [2, 5, 9]), np.nan, COUNTS)
    with pytest.raises(QuantityError, match=r"3 of 11 .*group 2; group 5; group 9") as caught:
        benchmark.neighbour_average(counts, PEOPLE)
    assert caught.value.codes == ("R862",)
    found = benchmark.neighbour_average(np.stack([counts, COUNTS]), PEOPLE, too_many="flag")
    assert np.isnan(found.value[0])
    assert found.flags.tolist() == ["R862", ""]
    assert benchmark.neighbour_average(counts, PEOPLE, max_missing=3).flags == "W861"
    with pytest.raises(QuantityError, match="2 of 2"):
        benchmark.neighbour_average([np.nan, np.nan], [10, 10])


def test_rates_alone_are_refused():
    for counts, people in ((COUNTS, None), (COUNTS / PEOPLE, PEOPLE)):
        with pytest.raises(QuantityError, match="region and England only") as caught:
            benchmark.neighbour_average(counts, people)
        assert caught.value.codes == ("R863",)


def test_counts_come_back_from_rates_only_where_each_has_one():
    printed = np.round(COUNTS / PEOPLE * 1000, 2)
    np.testing.assert_array_equal(benchmark.recover_counts(printed, PEOPLE, 1000, 2), COUNTS)
    with pytest.raises(QuantityError, match="does not belong to one whole count") as caught:
        benchmark.recover_counts([51.3], [400_000], 1000, 1)
    assert caught.value.codes == ("R863",)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(100, 9000)), min_size=2, max_size=12), st.sampled_from([1, 1000])
)
def test_leave_one_out_identity(members, per):
    counts, people = (np.array(column, dtype=float) for column in zip(*members, strict=True))
    found = benchmark.leave_one_out(counts, people, per=per)
    average = benchmark.neighbour_average(counts, people, per=per).value
    share = people / people.sum()
    np.testing.assert_allclose(counts / people * per - average, (1 - share) * found.value, rtol=1e-9, atol=1e-9 * per)


def test_leave_one_out_skips_what_is_missing():
    counts = COUNTS.copy()
    counts[3] = np.nan
    found = benchmark.leave_one_out(counts, PEOPLE, kind="rate", per=1000)
    keep = np.arange(11) != 3
    alone = benchmark.leave_one_out(COUNTS[keep], PEOPLE[keep], kind="rate", per=1000)
    np.testing.assert_allclose(found.z[keep], alone.z)
    np.testing.assert_allclose(found.lower[keep], alone.lower)
    assert np.isnan([found.value[3], found.p[3]]).all()
    assert benchmark.verdict(found)[3] == "not_comparable"
    with pytest.raises(QuantityError, match="fewer than two members"):
        benchmark.leave_one_out([1, np.nan], [10, 10])
