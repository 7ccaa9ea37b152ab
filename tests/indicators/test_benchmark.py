import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from hna.errors import QuantityError
from hna.indicators import benchmark, rates


@pytest.mark.parametrize(
    ("polarity", "words"),
    [
        ("low-is-good", ["sig_better", "ns_lower", "similar", "ns_higher", "sig_worse"]),
        ("high-is-good", ["sig_worse", "ns_lower", "similar", "ns_higher", "sig_better"]),
        ("none", ["sig_lower", "ns_lower", "similar", "ns_higher", "sig_higher"]),
    ],
)
def test_compare_speaks_the_closed_vocabulary(polarity, words):
    value = np.array([5.0, 9.5, 10, 10.5, 15])
    found = benchmark.compare(value, value - 1, value + 1, 10, polarity)
    assert found.tolist() == words
    assert set(words) <= set(benchmark.VERDICTS)


def test_touching_the_benchmark_is_not_significant():
    assert benchmark.compare(11, 10, 12, 10) == "ns_higher"
    assert benchmark.compare(9, 8, 10, 10) == "ns_lower"


def test_what_cannot_be_compared_is_said():
    found = benchmark.compare([np.nan, 5, 5], [np.nan, np.nan, 4], [np.nan, np.nan, 6], [10, 10, np.nan])
    assert found.tolist() == ["not_comparable", "not_tested", "not_comparable"]


def test_comparator_with_its_own_variance():
    value, other = np.array([10.0, 10, 10]), np.array([12.5, 13.0, 14.1])
    given = (value, value - 2, value + 2, other)
    ends = {"benchmark_lower": other - 2, "benchmark_upper": other + 2}
    # One value against a fixed one, two uncertain ones, and the overlap of their intervals: 2, 2√2 and 4 apart.
    assert benchmark.compare(*given, "none").tolist() == ["sig_lower"] * 3
    assert benchmark.compare(*given, "none", **ends).tolist() == ["ns_lower", "sig_lower", "sig_lower"]
    legacy = benchmark.compare(*given, "none", method="legacy-overlap", **ends)
    assert legacy.tolist() == ["ns_lower", "ns_lower", "sig_lower"]
    assert benchmark.compare(*given, "none", method="interval", **ends).tolist() == ["sig_lower"] * 3


def test_compare_refuses():
    with pytest.raises(QuantityError, match="'bad' is not offered"):
        benchmark.compare(1, 0, 2, 1, "bad")
    with pytest.raises(QuantityError, match="needs the limits"):
        benchmark.compare(1, 0, 2, 1, method="difference")
    with pytest.raises(QuantityError, match="one limit only"):
        benchmark.compare(1, 0, 2, 1, benchmark_lower=0)
    with pytest.raises(QuantityError, match="between its limits"):
        benchmark.compare(1, 2, 3, 1)


@given(st.floats(-1e3, 1e3), st.floats(0.01, 50), st.floats(-1e3, 1e3), st.floats(0.01, 50))
def test_the_verdict_is_that_of_the_interval_of_the_difference(value, arm, other, other_arm):
    word = str(
        benchmark.compare(
            value, value - arm, value + arm, other, "none",
            benchmark_lower=other - other_arm, benchmark_upper=other + other_arm,
        )
    )  # fmt: skip
    apart = benchmark.difference(
        benchmark.Interval(value, value - arm, value + arm),
        benchmark.Interval(other, other - other_arm, other + other_arm),
    )
    assert word.startswith("sig") == bool(apart.lower > 0 or apart.upper < 0)
    z = benchmark.difference_test(value, arm, other, other_arm).z
    if abs(abs(z) - 1) > 1e-6:
        assert word.startswith("sig") == (abs(z) > 1)


def test_difference_tests_agree_with_statsmodels():
    found = benchmark.proportions_test([65, 30], [100, 200], [50, 45], [100, 210])
    for place, (x, n, y, m) in enumerate([(65, 100, 50, 100), (30, 200, 45, 210)]):
        z, p = proportions_ztest([x, y], [n, m])
        lower, upper = confint_proportions_2indep(x, n, y, m, method="newcomb", compare="diff")
        assert found.z[place] == pytest.approx(z, rel=1e-10)
        assert found.p[place] == pytest.approx(p, rel=1e-8)
        np.testing.assert_allclose([found.lower[place], found.upper[place]], [lower, upper], rtol=1e-9)
    assert benchmark.verdict(found).tolist() == ["sig_worse", "ns_lower"]
    assert benchmark.verdict(found, "high-is-good").tolist() == ["sig_better", "ns_lower"]
    same = benchmark.proportions_test(0, 10, 0, 20)
    assert (same.z, same.p, benchmark.verdict(same)) == (0, 1, "similar")
    rate = benchmark.rates_test(120, 1e5, 90, 1e5)
    assert rate.z == pytest.approx(30 / np.sqrt(210))
    assert rate.p == pytest.approx(2 * stats.norm.sf(30 / np.sqrt(210)))


def test_ratio_of_two_rates():
    found = benchmark.ratio(rates.crude_rate([200, 0], 1e5), rates.crude_rate([100, 100], 1e5))
    np.testing.assert_allclose(found.value, [2, 0])
    assert found.lower[0] == pytest.approx(2 * np.exp(-1.96 * np.sqrt(1 / 200 + 1 / 100)), rel=0.02)
    assert found.lower[1] == 0
    assert found.upper[1] == pytest.approx(0.0369, abs=1e-3)


def test_sentences():
    assert benchmark.sentence("sig_worse", "England") == "Significantly worse than the England average"
    assert benchmark.sentence("ns_lower", "England") == "Lower than England, but not statistically significantly"
    told = benchmark.sentence("not_tested", "England", above=True, reason="the count is suppressed")
    assert told == "Above England; not statistically compared because the count is suppressed"
    with pytest.raises(QuantityError) as caught:
        benchmark.sentence("worse", "England")
    assert caught.value.codes == ("R871",)
    with pytest.raises(QuantityError, match="without side or reason"):
        benchmark.sentence("not_tested", "England")


def test_a_difference_is_also_people():
    np.testing.assert_allclose(benchmark.people_apart([12, 8], 10, [50_000, 20_000], per=1000), [100, -40])


def test_many_areas():
    assert benchmark.expected_false_signals(150) == pytest.approx(7.5)
    assert benchmark.expected_false_signals(150, 0.998) == pytest.approx(0.3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_agrees_with_statsmodels(p):
    found = benchmark.benjamini_hochberg(p)
    reject, adjusted, *_ = multipletests(p, 0.05, method="fdr_bh")
    np.testing.assert_allclose(found.adjusted, adjusted, rtol=1e-9, atol=1e-300)
    np.testing.assert_array_equal(found.found, found.adjusted <= 0.05)
    assert found.found.sum() == reject.sum()


def test_proportion_funnel_fixture():
    # Printed to five figures as 0.80642; the limits to six belong to 0.8064245.
    found = benchmark.funnel_limits(1000, 0.8064245, levels=(0.95,))
    np.testing.assert_allclose([found.lower[0], found.upper[0]], [0.781936, 0.830913], atol=6e-7)


def test_proportion_funnel_is_where_wilson_touches_the_target():
    n, target = 1000, 0.3
    found = benchmark.funnel_limits(n, target)
    for place, level in enumerate((0.95, 0.998)):
        assert rates.proportion(found.upper[place] * n, n, level).lower == pytest.approx(target, rel=1e-9)
        assert rates.proportion(found.lower[place] * n, n, level).upper == pytest.approx(target, rel=1e-9)


@pytest.mark.parametrize("kind", ["rate", "ratio"])
@pytest.mark.parametrize("level", [0.95, 0.998])
def test_poisson_funnel_flags_what_the_exact_test_rejects(kind, level):
    expected = np.array([0.5, 2.0, 8.3, 40.7, 300.0])
    n, target = (expected * 1000, 1e-3) if kind == "rate" else (expected, 1.0)
    found = benchmark.funnel_limits(n, target, kind, levels=(level,))
    low, high = found.lower[0] * n, found.upper[0] * n
    half = (1 - level) / 2
    for mean, a, b in zip(expected, low, high, strict=True):
        assert stats.poisson.cdf(np.ceil(a) - 1, mean) <= half + 1e-12
        assert stats.poisson.sf(np.floor(b), mean) <= half + 1e-12
        assert stats.poisson.cdf(np.floor(a) + 1, mean) > half
    old = benchmark.funnel_limits(n, target, kind, levels=(level,), poisson="interval")
    np.testing.assert_allclose(old.lower[0] * n, stats.chi2.ppf(half, 2 * expected) / 2, rtol=1e-9)
    np.testing.assert_allclose(old.upper[0] * n, stats.chi2.ppf(1 - half, 2 * expected + 2) / 2, rtol=1e-9)


def test_funnel_shapes_and_refusals():
    found = benchmark.funnel_limits(np.full((3, 4), 100), 50, "proportion", per=100, tau_squared=4)
    assert found.value.shape == (3, 4)
    assert found.lower.shape == found.overdispersed.upper.shape == (2, 3, 4)
    assert (found.overdispersed.upper > found.upper).all()
    with pytest.raises(QuantityError, match="is not a proportion"):
        benchmark.funnel_limits(100, 50)
    with pytest.raises(QuantityError, match=r"percentage: write 0\.95"):
        benchmark.funnel_limits(100, 0.5, levels=(95,))


def plain_overdispersion(values, target, se):
    z = sorted((values - target) / se)
    low, high = np.quantile(z, 0.1), np.quantile(z, 0.9)
    phi = sum(min(max(one, low), high) ** 2 for one in z) / len(z)
    w = 1 / se**2
    excess = len(z) * phi - (len(z) - 1)
    return phi, max(excess, 0) / (w.sum() - (w**2).sum() / w.sum())


def test_overdispersion_step_by_step():
    rng = np.random.default_rng(12)
    n = rng.integers(200, 2000, 20)
    cases = rng.binomial(n, np.clip(rng.normal(0.2, 0.02, 20), 0, 1))
    target = cases.sum() / n.sum()
    se = benchmark.chance_error(n, target)
    found = benchmark.overdispersion(cases / n, target, se)
    np.testing.assert_allclose((found.phi, found.tau_squared), plain_overdispersion(cases / n, target, se), rtol=1e-10)
    assert found.z.shape == (20,)


def test_overdispersion_is_found_where_it_is_and_not_where_it_is_not():
    rng = np.random.default_rng(13)
    n = rng.integers(2000, 9000, 150)
    se = benchmark.chance_error(n, 0.2)
    # Pulling in the tails takes a third off the mean square of chance alone.
    cut = stats.norm.ppf(0.9)
    winsorised = 0.8 - 2 * cut * stats.norm.pdf(cut) + 0.2 * cut**2
    chance = benchmark.overdispersion(rng.binomial(n, 0.2, (500, 150)) / n, 0.2, se)
    assert chance.phi.mean() == pytest.approx(winsorised, abs=0.01)
    assert np.median(chance.tau_squared) == 0
    truth = rng.normal(0.2, 0.02, (500, 150))
    spread = benchmark.overdispersion(rng.binomial(n, truth) / n, 0.2, se)
    whole = benchmark.overdispersion(rng.binomial(n, truth) / n, 0.2, se, winsorise=0)
    assert np.sqrt(whole.tau_squared.mean()) == pytest.approx(0.02, rel=0.03)
    assert 0.01 < np.sqrt(spread.tau_squared.mean()) < 0.02
