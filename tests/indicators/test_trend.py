import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from hna.errors import QuantityError
from hna.indicators import rates, trend

CASES, PEOPLE, YEARS = [100, 110, 125, 128, 140], [1000, 1010, 1020, 1015, 1030], range(2015, 2020)


def test_fixture():
    found = trend.chi_squared_trend(CASES, PEOPLE, YEARS)
    assert found.statistic == pytest.approx(7.673427, abs=5e-7)
    assert found.p == pytest.approx(0.0056040, abs=5e-8)
    assert found.direction == 1
    assert found.years == (2015, 2019)


def test_the_last_five_points_are_tested():
    longer = trend.chi_squared_trend([900, 5, *CASES], [1000, 1000, *PEOPLE], range(2013, 2020))
    np.testing.assert_allclose(longer.statistic, trend.chi_squared_trend(CASES, PEOPLE, YEARS).statistic)


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(100, 5000)), min_size=5, max_size=5), st.integers(-50, 50))
def test_years_may_start_anywhere_and_run_back(points, shift):
    cases, people = (np.array(column) for column in zip(*points, strict=True))
    found = trend.chi_squared_trend(cases, people, np.arange(5))
    moved = trend.chi_squared_trend(cases, people, np.arange(5) + 2000 + shift)
    back = trend.chi_squared_trend(cases[::-1], people[::-1], np.arange(5))
    assert moved.statistic == pytest.approx(found.statistic, rel=1e-6, abs=1e-9)
    assert back.slope == pytest.approx(-found.slope, rel=1e-6, abs=1e-12)


def test_rates_agree_with_the_poisson_score_test():
    cases, years = np.array(CASES), np.arange(5) - 2.0
    design, exposure = sm.add_constant(years), np.array(PEOPLE)
    null = sm.GLM(cases, np.ones((5, 1)), family=sm.families.Poisson(), exposure=exposure).fit()
    score = design.T @ (cases - null.mu)
    information = design.T @ (null.mu[:, np.newaxis] * design)
    statistic = score @ np.linalg.solve(information, score)
    found = trend.chi_squared_trend(CASES, PEOPLE, YEARS, kind="rate")
    assert found.statistic == pytest.approx(statistic, rel=1e-8)


def test_weighted_trend_is_the_weighted_regression():
    values, se = np.array([80.1, 80.4, 80.2, 80.9, 81.3]), np.array([0.2, 0.3, 0.2, 0.25, 0.2])
    fit = sm.WLS(values, sm.add_constant(np.arange(5.0)), weights=1 / se**2).fit(cov_type="fixed scale")
    found = trend.weighted_trend(values, se, YEARS)
    assert found.slope == pytest.approx(fit.params[1], rel=1e-10)
    assert found.statistic == pytest.approx((fit.params[1] / fit.bse[1]) ** 2, rel=1e-8)


def test_no_trend_is_found_at_its_level():
    rng = np.random.default_rng(7)
    found = trend.chi_squared_trend(rng.binomial(PEOPLE, 0.1, (40_000, 5)), PEOPLE, YEARS)
    assert np.mean(found.direction != 0) == pytest.approx(0.05, abs=0.005)


def test_rolling_averages_find_trends_that_are_not_there():
    """The negative control behind R851."""
    rng = np.random.default_rng(7)
    yearly = rng.binomial(1000, 0.1, (20_000, 7))
    rolling = yearly[:, :-2] + yearly[:, 1:-1] + yearly[:, 2:]
    found = trend.chi_squared_trend(rolling, np.full(5, 3000), YEARS)
    assert np.mean(found.direction != 0) > 0.09


def test_nothing_ever_happens_is_no_trend():
    found = trend.chi_squared_trend([0] * 5, PEOPLE, YEARS)
    assert (found.statistic, found.p, found.direction) == (0, 1, 0)


@pytest.mark.parametrize(
    ("years", "more", "message", "codes"),
    [
        (YEARS, {"span": 3}, "periods of 3 years overlap", ("R851",)),
        ([2015, 2016, 2016, 2017, 2018], {}, "2016 then 2016", ("R851",)),
        ([2015, 2016, 2018, 2019, 2020], {}, "2016 then 2018", ()),
        ([2015.0, 2015.25, 2015.5, 2015.75, 2016], {}, "do not follow", ("R851",)),
        (YEARS, {"points": 6}, "has 5 points where 6 are needed", ()),
        (YEARS, {"kind": "mean"}, "'mean' is not offered", ()),
    ],
)
def test_the_publishers_conditions(years, more, message, codes):
    with pytest.raises(QuantityError, match=message) as caught:
        trend.chi_squared_trend(CASES, PEOPLE, years, **more)
    assert caught.value.codes == codes


def test_four_points_are_too_few():
    with pytest.raises(QuantityError, match="has 4 points where 5 are needed"):
        trend.weighted_trend(CASES[:4], [1] * 4, range(4))


def test_percentage_change():
    first, last = rates.crude_rate([100, 100, 50], 10_000), rates.crude_rate([120, 100, 0], 10_000)
    found = trend.percentage_change(first, last)
    np.testing.assert_allclose(found.value, [20, 0, -100], atol=1e-9)
    assert found.lower[0] < 0 < found.upper[0]
    assert found.lower[2] == -100
    log_error = np.sqrt(1 / 100 + 1 / 120)
    assert found.upper[0] == pytest.approx(100 * (1.2 * np.exp(1.96 * log_error) - 1), rel=0.05)
    with pytest.raises(QuantityError, match="not above 0"):
        trend.percentage_change(last, first)
