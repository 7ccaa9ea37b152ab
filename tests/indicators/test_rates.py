import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from hna.indicators import rates

LEVELS = (0.8, 0.95, 0.99, 0.998)


def test_wilson_fixtures():
    found = rates.proportion([65, 1], 100)
    np.testing.assert_allclose(found.lower, [0.5525444, 0.0017674], atol=5e-8)
    np.testing.assert_allclose(found.upper, [0.7363575, 0.0544862], atol=5e-8)
    found = rates.proportion(65, 100, level=0.998)
    np.testing.assert_allclose([found.lower, found.upper], [0.4954947, 0.7783541], atol=5e-8)


def test_count_fixtures():
    found = rates.count([65, 5, 1])
    np.testing.assert_allclose(found.lower, [50.16319, 1.623486, 0.0253178], rtol=1e-6)
    np.testing.assert_allclose(found.upper, [82.84914, 11.668332, 5.5716434], rtol=1e-7)
    found = rates.count(65, level=0.998)
    np.testing.assert_allclose([found.lower, found.upper], [42.88026, 94.00029], atol=5e-6)


def test_byar_lower_limit_uses_the_count_and_not_one_more():
    known_bad = 65 * (1 - 1 / (9 * 65) - 1.959964 / (3 * np.sqrt(66))) ** 3
    assert known_bad == pytest.approx(50.264, abs=5e-4)
    assert rates.count(65).lower == pytest.approx(50.163, abs=5e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_wilson_agrees_with_statsmodels(level):
    cases, n = np.array([0, 1, 9, 50, 99, 100]), 100
    lower, upper = proportion_confint(cases, n, 1 - level, method="wilson")
    found = rates.proportion(cases, n, level)
    np.testing.assert_allclose(found.lower, lower, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(found.upper, upper, rtol=1e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_counts_under_ten_are_exact(level):
    events, half = np.arange(10), (1 - level) / 2
    found = rates.count(events, level)
    np.testing.assert_allclose(found.upper, stats.chi2.ppf(1 - half, 2 * events + 2) / 2, rtol=1e-10)
    np.testing.assert_allclose(found.lower[1:], stats.chi2.ppf(half, 2 * events[1:]) / 2, rtol=1e-10)
    assert found.lower[0] == 0
    np.testing.assert_allclose(stats.poisson.sf(events[1:] - 1, found.lower[1:]), half, rtol=1e-9)


def test_byar_is_near_the_exact_limits_from_ten():
    events = np.arange(10, 500)
    found = rates.count(events)
    np.testing.assert_allclose(found.lower, stats.chi2.ppf(0.025, 2 * events) / 2, rtol=2e-3)
    np.testing.assert_allclose(found.upper, stats.chi2.ppf(0.975, 2 * events + 2) / 2, rtol=2e-3)


@pytest.mark.parametrize("level", LEVELS)
def test_mean_agrees_with_scipy(level):
    centre, sd, n = np.array([3.2, 80.0]), np.array([1.1, 12.0]), np.array([2, 350])
    lower, upper = stats.t.interval(level, n - 1, centre, sd / np.sqrt(n))
    found = rates.mean(centre, sd, n, level)
    np.testing.assert_allclose(found.value, centre)
    np.testing.assert_allclose(found.lower, lower, rtol=1e-10)
    np.testing.assert_allclose(found.upper, upper, rtol=1e-10)


@given(st.integers(0, 5000), st.integers(1, 5000), st.sampled_from(LEVELS))
def test_proportion_lies_between_its_limits_within_zero_and_one(cases, n, level):
    cases = min(cases, n)
    found = rates.proportion(cases, n, level)
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    mirror = rates.proportion(n - cases, n, level)
    assert mirror.upper == pytest.approx(1 - found.lower, abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 10**8), st.sampled_from([1, 1000, 100_000]))
def test_a_rate_is_its_count_rescaled(events, person_years, per):
    rate, count = rates.crude_rate(events, person_years, per), rates.count(events)
    for end, raw in zip(rate, count, strict=True):
        assert end == pytest.approx(raw / person_years * per, rel=1e-12)
    assert rate.lower <= rate.value <= rate.upper


@given(st.integers(0, 200))
def test_a_higher_level_is_wider(events):
    narrow, wide = rates.count(events, 0.95), rates.count(events, 0.998)
    assert wide.lower <= narrow.lower
    assert wide.upper > narrow.upper


def test_leading_axes_broadcast():
    found = rates.crude_rate(np.ones((3, 1, 4)), np.full((2, 4), 50.0), per=100)
    assert found.value.shape == found.lower.shape == found.upper.shape == (3, 2, 4)
    assert rates.crude_rate(0, 50).lower == 0
    assert rates.proportion(np.ones((3, 1)), np.full(4, 9.0)).upper.shape == (3, 4)
