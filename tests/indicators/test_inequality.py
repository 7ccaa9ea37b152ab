import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from hna.errors import QuantityError
from hna.indicators import inequality

PEOPLE = np.array([12, 11, 10, 9, 8]) * 1000
CASES = np.array([1440, 1100, 850, 675, 520])


def test_slope_fixture():
    found = inequality.slope_index(CASES / PEOPLE, PEOPLE, kind="proportion", draws=2000)
    assert found.value == pytest.approx(-0.0686842, abs=5e-8)
    assert found.intercept == pytest.approx(0.1260421, abs=5e-8)
    assert found.rii.value == pytest.approx(0.4550693, abs=5e-8)


@pytest.mark.parametrize("kind", ["rate", "proportion", "mean"])
@pytest.mark.parametrize("transform", [False, True])
def test_line_is_the_weighted_regression(kind, transform):
    values = CASES / PEOPLE
    forward, back = {
        "rate": (np.log, np.exp),
        "proportion": (lambda p: np.log(p / (1 - p)), lambda x: 1 / (1 + np.exp(-x))),
        "mean": (np.asarray, np.asarray),
    }[kind]
    if not transform:
        forward = back = np.asarray
    design = sm.add_constant(inequality.ridit(PEOPLE.astype(float)))
    start, slope = sm.WLS(forward(values), design, weights=PEOPLE).fit().params
    found = inequality.slope_index(values, PEOPLE, kind=kind, transform=transform, draws=1000, se=values / 50)
    assert found.value == pytest.approx(back(start + slope) - back(start), rel=1e-9)
    assert found.rii.value == pytest.approx(back(start + slope) / back(start), rel=1e-9)
    assert found.intercept == pytest.approx(back(start), rel=1e-9)


def test_means_without_errors_have_no_limits():
    found = inequality.slope_index(CASES / PEOPLE, PEOPLE, kind="mean", draws=1000)
    assert found.value == pytest.approx(-0.0686842, abs=5e-8)
    assert np.isnan([found.lower, found.upper, found.rii.lower, found.analytic.upper]).all()


def test_unit_of_the_values_carries_through():
    share = inequality.slope_index(CASES / PEOPLE, PEOPLE, kind="proportion", draws=5000)
    percent = inequality.slope_index(CASES / PEOPLE * 100, PEOPLE, kind="proportion", per=100, draws=5000)
    np.testing.assert_allclose(percent, np.array(share) * 100, rtol=1e-9)
    np.testing.assert_allclose(percent.analytic, np.array(share.analytic) * 100, rtol=1e-9)
    np.testing.assert_allclose(percent.rii, share.rii, rtol=1e-9)
    one = inequality.slope_index(CASES / PEOPLE, PEOPLE, kind="rate", draws=5000)
    per = inequality.slope_index(CASES / PEOPLE * 1e5, PEOPLE, kind="rate", per=1e5, draws=5000)
    np.testing.assert_allclose(per, np.array(one) * 1e5, rtol=1e-9)


@pytest.mark.parametrize("kind", ["rate", "proportion"])
@pytest.mark.parametrize("transform", [False, True])
def test_simulated_limits_meet_the_analytic_ones(kind, transform):
    found = inequality.slope_index(CASES / PEOPLE, PEOPLE, kind=kind, transform=transform)
    width = found.upper - found.lower
    assert abs(found.lower - found.analytic.lower) < 0.02 * width
    assert abs(found.upper - found.analytic.upper) < 0.02 * width
    width = found.rii.upper - found.rii.lower
    assert abs(found.rii.lower - found.rii_analytic.lower) < 0.02 * width
    assert abs(found.rii.upper - found.rii_analytic.upper) < 0.02 * width


def test_means_have_an_exact_answer_and_the_error_of_simulation_is_reported():
    values, se = np.array([70.1, 72.5, 74.0, 75.2, 77.9]), np.full(5, 0.4)
    exact = inequality.slope_index(values, PEOPLE, kind="mean", se=se, draws=1000).analytic
    ends = []
    for seed in range(200):
        found = inequality.slope_index(values, PEOPLE, kind="mean", se=se, draws=4000, seed=seed)
        ends.append([found.lower, found.upper])
    spread = np.std(ends, axis=0)
    np.testing.assert_allclose(np.mean(ends, axis=0), [exact.lower, exact.upper], atol=0.01)
    assert np.mean(found.sii_error) == pytest.approx(np.mean(spread), rel=0.35)


def test_areas_do_not_disturb_each_other():
    values = np.stack([CASES / PEOPLE, CASES[::-1] / PEOPLE, CASES / PEOPLE * 2])
    together = inequality.slope_index(values, PEOPLE, kind="rate", draws=3000, seed=4)
    for place, alone in enumerate(values):
        one = inequality.slope_index(alone, PEOPLE, kind="rate", draws=3000, seed=4)
        np.testing.assert_allclose([end[place] for end in together], one, rtol=1e-9)
    assert together.rii.value.shape == (3,)
    assert together.sii_error.shape == (2, 3)
    assert together.sii.lower is together.lower


def test_errors_can_come_from_limits():
    rate = CASES / PEOPLE
    error = 1 / np.sqrt(CASES)
    limits = (rate * np.exp(-1.959963984540054 * error), rate * np.exp(1.959963984540054 * error))
    by_limits = inequality.slope_index(rate, PEOPLE, kind="rate", limits=limits, draws=2000)
    by_counts = inequality.slope_index(rate, PEOPLE, kind="rate", draws=2000)
    np.testing.assert_allclose(by_limits, by_counts, rtol=1e-8)


def test_slope_covers_at_its_level():
    rng = np.random.default_rng(8)
    rank = inequality.ridit(PEOPLE.astype(float))
    truth = 0.12 - 0.07 * rank
    cases = rng.binomial(PEOPLE, truth, (400, 5))
    found = inequality.slope_index(cases / PEOPLE, PEOPLE, kind="proportion", draws=4000)
    covered = ((found.lower < -0.07) & (found.upper > -0.07)).mean()
    assert 0.92 < covered < 0.98


@pytest.mark.parametrize(
    ("values", "people", "more", "message"),
    [
        (CASES[:4] / PEOPLE[:4], PEOPLE[:4], {}, "4 quantiles"),
        (CASES / PEOPLE, [1, 1, 0, 1, 1], {}, "group 2 = 0"),
        ([0.1, 0.2, 0, 0.1, 0.1], PEOPLE, {}, "has no logarithm"),
        (CASES / PEOPLE, PEOPLE, {"kind": "odds"}, "'odds' is not offered"),
        (CASES / PEOPLE, PEOPLE, {"draws": 10}, "too few"),
        (CASES, PEOPLE, {"kind": "proportion"}, "has no logit"),
    ],
)
def test_slope_refuses(values, people, more, message):
    with pytest.raises(QuantityError, match=message):
        inequality.slope_index(values, people, **{"kind": "rate", **more})


def test_deprivation_gap():
    values = np.array([[30.0, 25, 22, 18, 20], [12, 12, 12, 12, 12]])
    found = inequality.deprivation_gap(values, values - 2, values + 3)
    np.testing.assert_allclose(found.absolute.value, [10, 0])
    np.testing.assert_allclose(found.relative.value, [1.5, 1])
    np.testing.assert_allclose(found.range, [12, 0])
    np.testing.assert_allclose(found.absolute.upper, [10 + np.hypot(3, 2), np.hypot(3, 2)])
    np.testing.assert_allclose(found.absolute.lower, [10 - np.hypot(2, 3), -np.hypot(2, 3)])
    assert (found.relative.lower < found.relative.value).all()


def test_population_quantiles_hold_equal_numbers():
    rng = np.random.default_rng(5)
    score, people = rng.normal(size=2000), rng.integers(1000, 3000, 2000)
    placed = inequality.population_quantiles(score, people, 10)
    held = np.bincount(placed, weights=people)[1:]
    np.testing.assert_allclose(held, people.sum() / 10, rtol=0.01)
    assert score[placed == 1].min() > score[placed == 2].max()
    shuffled = rng.permutation(2000)
    np.testing.assert_array_equal(
        inequality.population_quantiles(score[shuffled], people[shuffled], 10), placed[shuffled]
    )


def test_population_quantiles_within_areas():
    score = [9, 8, 1, 2, 5, 5]
    within = ["a", "a", "a", "b", "b", "b"]
    placed = inequality.population_quantiles(score, [1] * 6, 2, within=within)
    np.testing.assert_array_equal(placed, [1, 2, 2, 2, 1, 1])
    with pytest.raises(QuantityError, match=r"fewer than 3 distinct values \[b\]"):
        inequality.population_quantiles(score, [1] * 6, 3, within=within)


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(1, 5000)), min_size=2, max_size=10))
def test_concentration_index_is_bounded_and_turns_with_the_order(groups):
    values, people = (np.array(column) for column in zip(*groups, strict=True))
    found = inequality.concentration_index(values, people)
    assert -1 <= found.value <= 1
    turned = inequality.concentration_index(values[::-1], people[::-1])
    assert turned.value == pytest.approx(-found.value, abs=1e-9)
    assert inequality.concentration_index(np.ones(len(people)), people).value == pytest.approx(0, abs=1e-12)


def test_concentration_index_covers_at_its_level():
    rng = np.random.default_rng(2)
    truth = np.array([0.12, 0.1, 0.085, 0.075, 0.065])
    cases = rng.binomial(PEOPLE, truth, (4000, 5))
    seen = cases / PEOPLE
    found = inequality.concentration_index(seen, PEOPLE, np.sqrt(seen * (1 - seen) / PEOPLE))
    target = inequality.concentration_index(truth, PEOPLE).value
    assert target < 0
    assert 0.935 < ((found.lower < target) & (target < found.upper)).mean() < 0.965
