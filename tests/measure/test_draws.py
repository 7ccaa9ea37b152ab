import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hna.errors import QuantityError
from hna.measure.draws import check_draws, check_level, normal, normals, stream, uniform


def test_a_stream_is_the_same_on_every_machine():
    """Held still: another algorithm or another key would move every published interval."""
    assert stream(1, "study:cfas-ii-dementia").bit_generator.random_raw(3).tolist() == EXPECTED


EXPECTED = [11_659_540_510_126_813_880, 13_240_339_665_080_944_770, 5_963_934_020_045_145_989]


@given(st.integers(1, 400), st.integers(0, 1000))
def test_stratified_points_lie_one_in_each_interval(draws, seed):
    points = uniform(seed, "x", draws)
    assert np.sort(np.floor(points * draws)).astype(int).tolist() == list(range(draws))


def test_points_are_spread_within_their_interval():
    points = uniform(1, "x", 10_000)
    inside = points * 10_000 % 1
    assert stats.kstest(inside, "uniform").pvalue > 0.001


def test_the_mean_of_a_hypercube_is_far_surer_than_chance():
    means = [uniform(seed, "x", 1000).mean() for seed in range(50)]
    assert np.std(means) < 0.01 * np.sqrt(1 / 12 / 1000)


def test_normal_scores_are_normal_and_finite():
    scores = normal(1, "x", 20_000)
    assert np.isfinite(scores).all()
    assert scores.mean() == pytest.approx(0, abs=1e-4)
    assert scores.std() == pytest.approx(1, abs=1e-3)
    assert stats.kstest(scores, "norm").pvalue > 0.5


@pytest.mark.parametrize("draws", [1, 2, 399, 1000])
def test_many_components_at_once_are_those_one_by_one(draws):
    names = [f"area:{n}" for n in range(7)]
    np.testing.assert_array_equal(normals(3, names, draws), [normal(3, name, draws) for name in names])
    assert normals(3, [], draws).shape == (0, draws)


def test_two_components_are_not_paired_by_their_strata():
    a, b = uniform(1, "a", 5000), uniform(1, "b", 5000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(5000)


@pytest.mark.parametrize("draws", [0, -1, 1.5, True, False])
def test_a_number_of_draws_that_is_none_is_refused(draws):
    with pytest.raises(QuantityError, match="draws is"):
        check_draws(draws)


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, float("nan")])
def test_a_level_that_is_no_proportion_is_refused(level):
    with pytest.raises(QuantityError, match="level is"):
        check_level(level)


def test_a_negative_seed_is_refused():
    with pytest.raises(QuantityError, match="seed is -1"):
        stream(-1, "x")


def test_one_draw_is_enough_to_run():
    assert 0 < uniform(1, "x", 1)[0] < 1
