import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hna.indicators import rates, standardise

EVENTS, POPULATION, WEIGHTS = (12, 30, 58), (8000, 9000, 5000), (27500, 40000, 32500)


def plain_direct(events, population, weights, z=1.959963984540054):
    """One area at a time, straight from the equations."""
    total, whole = sum(events), sum(weights)
    rate = sum(w * o / n for w, o, n in zip(weights, events, population, strict=True)) / whole
    variance = sum(w**2 * o / n**2 for w, o, n in zip(weights, events, population, strict=True)) / whole**2
    low = total * (1 - 1 / (9 * total) - z / (3 * total**0.5)) ** 3
    high = (total + 1) * (1 - 1 / (9 * (total + 1)) + z / (3 * (total + 1) ** 0.5)) ** 3
    scale = (variance / total) ** 0.5
    return rate, rate + scale * (low - total), rate + scale * (high - total)


def test_direct_fixtures():
    found = standardise.direct(EVENTS, POPULATION, WEIGHTS)
    np.testing.assert_allclose(found, [551.5833, 446.4007, 673.6402], atol=5e-5)
    np.testing.assert_allclose(found, np.array(plain_direct(EVENTS, POPULATION, WEIGHTS)) * 1e5, rtol=1e-12)
    found = standardise.direct(EVENTS, POPULATION, WEIGHTS, level=0.998)
    np.testing.assert_allclose(found[1:], [393.0223, 748.7871], atol=5e-5)
    assert found.flags == ""


def test_indirect_fixtures():
    found = standardise.indirect(EVENTS, POPULATION, (0.001, 0.0026, 0.015))
    np.testing.assert_allclose(found, [0.939850, 0.764681, 1.143120], atol=5e-7)
    assert sum(EVENTS) / found.value == pytest.approx(106.4, rel=1e-12)


def test_direct_over_many_areas_is_each_area_alone():
    rng = np.random.default_rng(3)
    population = rng.integers(500, 9000, (2, 40, 19)).astype(float)
    events = rng.poisson(population * 0.004)
    weights = rng.integers(1000, 8000, 19)
    found = standardise.direct(events, population, weights, per=1)
    assert found.value.shape == (2, 40)
    for area in np.ndindex(2, 40):
        alone = plain_direct(events[area], population[area], weights)
        np.testing.assert_allclose([end[area] for end in found], alone, rtol=1e-9)
    own = standardise.direct(events, population, np.broadcast_to(weights, events.shape), per=1)
    np.testing.assert_allclose(own, found, rtol=1e-12)


def test_a_whole_country_is_its_parts():
    rng = np.random.default_rng(17)
    population = rng.integers(0, 400, (9000, 19)).astype(float)
    events = rng.poisson(population * 0.01)
    weights = rng.integers(1000, 8000, 19)
    whole = standardise.direct(events, population, weights)
    part = standardise.direct(events[5000:5100], population[5000:5100], weights)
    np.testing.assert_array_equal([end[5000:5100] for end in whole], part)
    np.testing.assert_array_equal(whole.flags[5000:5100], part.flags)
    cube = standardise.direct(events.reshape(90, 100, 19), population.reshape(90, 100, 19), weights)
    np.testing.assert_array_equal(np.reshape(cube, (3, 9000)), whole)
    assert standardise.direct(np.empty((0, 19)), np.empty((0, 19)), weights).value.shape == (0,)


def test_under_ten_events_the_rate_is_withheld():
    found = standardise.direct([[3, 3, 3], [3, 3, 4]], POPULATION, WEIGHTS)
    assert np.isnan([end[0] for end in found]).all()
    assert np.isfinite([end[1] for end in found]).all()
    assert found.flags.tolist() == ["below-10-events", ""]
    assert np.isnan(standardise.direct([0, 0, 0], POPULATION, WEIGHTS).value)


def test_a_group_without_people_or_events_is_flagged():
    found = standardise.direct([[5, 10, 0], [1, 1, 0]], [[100, 200, 0], [100, 200, 0]], [1, 1, 2], per=1)
    assert found.value[0] == pytest.approx((5 / 100 + 10 / 200) / 4)
    assert found.flags.tolist() == ["empty-group", "below-10-events empty-group"]


def test_repeat_events_widen_the_interval():
    people = np.array([[8, 2, 0], [20, 2, 2], [40, 6, 2]])
    times = np.array([1, 2, 3])
    variance = standardise.event_variance(people, times)
    np.testing.assert_allclose(variance, [8 + 8, 20 + 8 + 18, 40 + 24 + 18])
    events = people @ times
    np.testing.assert_array_equal(events, EVENTS)
    single = standardise.direct(EVENTS, POPULATION, WEIGHTS)
    repeated = standardise.direct(events, POPULATION, WEIGHTS, variance=variance)
    assert repeated.value == single.value
    share = np.array(WEIGHTS) / sum(WEIGHTS)
    rate_variance = (share**2 * variance / np.array(POPULATION) ** 2).sum()
    byar = rates.count(100)
    np.testing.assert_allclose(
        repeated.upper, single.value + 1e5 * np.sqrt(rate_variance / 100) * (byar.upper - 100), rtol=1e-12
    )
    assert repeated.lower < single.lower
    assert standardise.direct(EVENTS, POPULATION, WEIGHTS, independent=False).flags == "W811"
    assert standardise.direct(events, POPULATION, WEIGHTS, variance=variance, independent=False).flags == ""


def test_reference_rates_given_and_derived_agree():
    events, population = np.array([40, 90, 200]), np.array([40000, 35000, 14000])
    given_rates = standardise.indirect(EVENTS, POPULATION, events / population)
    derived = standardise.indirect(EVENTS, POPULATION, reference_events=events, reference_population=population)
    np.testing.assert_allclose(derived, given_rates, rtol=1e-12)
    total = standardise.indirect([100], POPULATION, events / population)
    np.testing.assert_allclose(total, given_rates, rtol=1e-12)
    rate = standardise.indirect_rate(EVENTS, POPULATION, events, population)
    np.testing.assert_allclose(rate, np.array(derived) * 330 / 89000 * 1e5, rtol=1e-12)


def test_ratios_under_ten_events_are_exact():
    found = standardise.indirect([[0, 0, 0], [1, 2, 2]], POPULATION, (0.001, 0.0026, 0.015))
    exact = rates.count([0, 5])
    np.testing.assert_allclose(found.lower * 106.4, exact.lower, rtol=1e-12)
    np.testing.assert_allclose(found.upper * 106.4, exact.upper, rtol=1e-12)


@given(
    st.lists(st.tuples(st.integers(4, 400), st.integers(500, 50_000), st.integers(1, 9000)), min_size=3, max_size=19)
)
def test_direct_properties(groups):
    events, population, weights = (np.array(column) for column in zip(*groups, strict=True))
    found = standardise.direct(events, population, weights)
    assert found.lower < found.value < found.upper
    order = np.argsort(population)
    np.testing.assert_allclose(standardise.direct(events[order], population[order], weights[order]), found, rtol=1e-9)
    np.testing.assert_allclose(standardise.direct(events, population, weights * 7), found, rtol=1e-9)
    own = standardise.direct(events, population, population)
    assert own.value == pytest.approx(events.sum() / population.sum() * 1e5, rel=1e-9)
    crude = rates.crude_rate(events.sum(), population.sum())
    np.testing.assert_allclose(own, crude, rtol=1e-8)


def test_fay_feuer_is_garwood_where_the_standard_is_the_population():
    found = standardise.direct(EVENTS, POPULATION, POPULATION, per=1, method="fay-feuer", level=0.998)
    exact = stats.chi2.ppf([0.001], 200) / 2, stats.chi2.ppf([0.999], 202) / 2
    np.testing.assert_allclose([found.lower, found.upper], np.ravel(exact) / sum(POPULATION), rtol=1e-9)


def test_fay_feuer_keeps_its_level_where_weights_are_very_unlike():
    rng = np.random.default_rng(21)
    population, truth, weights = np.array([50_000, 150.0]), np.array([0.0006, 0.02]), np.array([1.0, 1.0])
    events = rng.poisson(population * truth, (20_000, 2))
    covered = {}
    for method in ("dobson", "fay-feuer"):
        found = standardise.direct(events, population, weights, per=1, minimum_events=1, method=method)
        covered[method] = ((found.lower < 0.0103) & (found.upper > 0.0103)).mean()
    assert covered["fay-feuer"] >= 0.95
    assert covered["dobson"] < covered["fay-feuer"]


def test_flags_survive_copies():
    found = standardise.direct([1, 2, 3], POPULATION, WEIGHTS)
    value, _, _ = found
    again = pickle.loads(pickle.dumps(found))  # noqa: S301
    assert np.isnan(value)
    assert again.flags == found.flags == "below-10-events"


def test_interval_covers_at_its_level():
    rng = np.random.default_rng(11)
    population = np.array([4000, 9000, 5000, 2000.0])
    truth = np.array([0.001, 0.002, 0.008, 0.02])
    weights = np.array([3, 3, 2, 1.0])
    events = rng.poisson(population * truth, (20_000, 4))
    found = standardise.direct(events, population, weights, per=1)
    target = (weights * truth).sum() / weights.sum()
    assert 0.945 < ((found.lower < target) & (target < found.upper)).mean() < 0.965
