"""How often each rule finds a difference where there is none.

The last three are documented negative examples: rules in use whose real error rate is not the one meant.
"""

import numpy as np
import pytest

from hna.indicators import benchmark, rates

DRAWS = 200_000
Z = 1.959963984540054


def found_by(method, rng):
    value, other = rng.normal(size=(2, DRAWS))
    words = benchmark.compare(
        value, value - Z, value + Z, other, "none", benchmark_lower=other - Z, benchmark_upper=other + Z, method=method
    )
    return np.mean(np.char.startswith(words, "sig"))


def test_difference_test_has_its_nominal_level():
    rng = np.random.default_rng(1)
    assert found_by("difference", rng) == pytest.approx(0.05, abs=0.002)
    value, other = rng.normal(size=(2, DRAWS)) * [[1], [3]]
    test = benchmark.difference_test(value, 1, other, 3)
    assert np.mean(test.p < 0.05) == pytest.approx(0.05, abs=0.002)


def test_difference_tests_of_counts_are_near_their_nominal_level():
    rng = np.random.default_rng(2)
    cases, other = rng.binomial(400, 0.2, DRAWS), rng.binomial(900, 0.2, DRAWS)
    assert np.mean(benchmark.proportions_test(cases, 400, other, 900).p < 0.05) == pytest.approx(0.05, abs=0.004)
    events, other = rng.poisson(60, DRAWS), rng.poisson(180, DRAWS)
    assert np.mean(benchmark.rates_test(events, 1e4, other, 3e4).p < 0.05) == pytest.approx(0.05, abs=0.004)
    apart = benchmark.difference(rates.crude_rate(events, 1e4), rates.crude_rate(other, 3e4))
    assert np.mean((apart.lower > 0) | (apart.upper < 0)) == pytest.approx(0.05, abs=0.01)


def test_interval_against_a_fixed_benchmark_has_its_nominal_level():
    value = np.random.default_rng(3).normal(size=DRAWS)
    words = benchmark.compare(value, value - Z, value + Z, 0, "none")
    assert np.mean(np.char.startswith(words, "sig")) == pytest.approx(0.05, abs=0.002)


def test_false_signals_among_many_areas_are_those_expected():
    rng = np.random.default_rng(4)
    value = rng.normal(size=(2000, 150))
    words = benchmark.compare(value, value - Z, value + Z, 0, "none")
    signals = np.char.startswith(words, "sig").sum(axis=1).mean()
    assert signals == pytest.approx(benchmark.expected_false_signals(150), abs=0.3)
    p = benchmark.difference_test(value, 1, 0, 0).p
    assert benchmark.benjamini_hochberg(p).found.any(axis=1).mean() == pytest.approx(0.05, abs=0.015)


def test_negative_overlap_rule_finds_too_little():
    assert found_by("legacy-overlap", np.random.default_rng(5)) == pytest.approx(0.0056, abs=0.0006)


def test_negative_naive_neighbours_test_finds_too_little():
    rng = np.random.default_rng(6)
    people = np.array([4000, *[1000] * 10])
    cases = rng.binomial(people, 0.1, (40_000, 11))
    exact = benchmark.leave_one_out(cases, people).p[:, 0]
    naive = benchmark.proportions_test(cases[:, 0], people[0], cases.sum(axis=1), people.sum()).p
    assert np.mean(exact < 0.05) == pytest.approx(0.05, abs=0.005)
    assert np.mean(naive < 0.05) < 0.025


def test_negative_best_five_of_similar_ten_finds_too_much():
    rng = np.random.default_rng(7)
    area, similar = rng.normal(size=DRAWS), rng.normal(size=(DRAWS, 10))
    best = np.sort(similar, axis=1)[:, :5].mean(axis=1)
    words = benchmark.compare(area, area - Z, area + Z, best, "low-is-good")
    assert np.mean(words == "sig_worse") == pytest.approx(0.12, abs=0.01)
