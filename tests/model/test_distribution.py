"""How a printed row becomes draws: the rules of methods 1.2 in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaincinv, logit, ndtri

from hna.errors import SourceError
from hna.measure.draws import uniform
from hna.model.distribution import fit_beta, sampling_of
from tests.calibration.designs import table, wilson

SIZE = 20_000
SCORE = float(ndtri(0.975))


def _drawn(sampling, row=0):
    return sampling.draw(row, uniform(1, f"sampling:{row}", SIZE), uniform(1, f"rounding:{row}", SIZE))


def test_rule_1_counts_win_over_printed_limits():
    both = table([0.2], given="counts", cases=[40], sample=[200], lower=[0.01], upper=[0.9])
    found = sampling_of(both, 1.5)
    assert found.family == ("Beta on counts",)
    assert found.effective[0] == 200
    assert stats.kstest(_drawn(found), stats.beta(40, 160).cdf).pvalue > 0.5
    assert found.flags == ()


@pytest.mark.parametrize("effect", [1.0, 1.5, 4.0])
def test_rule_1_a_design_effect_shrinks_the_sample(effect):
    found = sampling_of(table([0.2], given="counts", cases=[40], sample=[200], effect=effect), 9.0)
    assert found.effective[0] == pytest.approx(200 / effect)
    assert _drawn(found).std() == pytest.approx(np.sqrt(0.16 / (200 / effect + 1)), rel=0.01)


def test_rule_2_limits_that_fit_both_shapes_are_read_on_the_logit():
    found = sampling_of(table([0.5], given="interval", lower=[0.45], upper=[0.55], decimals=1), 1.5)
    assert found.family == ("Beta on limits symmetrical in the logit",)


@pytest.mark.parametrize(("p", "n"), [(0.05, 400), (0.2, 150), (0.6, 80)])
def test_rule_2_wilsons_limits_are_logit_like(p, n):
    lower, upper = wilson(np.array([p * n]), n)
    found = sampling_of(table([p], given="interval", lower=lower, upper=upper), 1.5)
    assert found.family == ("Beta on limits symmetrical in the logit",)
    assert found.flags == ()
    assert _drawn(found).mean() == pytest.approx(p, rel=1e-3)


def test_rule_2_symmetrical_limits_give_the_beta_of_their_standard_error():
    found = sampling_of(table([0.02], given="interval", lower=[0.005], upper=[0.035], decimals=1), 1.5)
    assert found.family == ("Beta on symmetrical limits",)
    error = 0.03 / (2 * SCORE)
    assert found.effective[0] == pytest.approx(0.02 * 0.98 / error**2 - 1)


def test_rule_2_other_limits_are_irregular_flagged_and_keep_the_mean():
    found = sampling_of(table([0.1], given="interval", lower=[0.09], upper=[0.2], decimals=1), 1.5)
    assert found.family == ("two-piece logit-normal on irregular limits",)
    assert found.flags == ("W111",)
    drawn = _drawn(found)
    assert drawn.mean() == pytest.approx(0.1, rel=1e-3)
    # The shape is the printed one, moved so that the mean is the estimate.
    low, middle, high = logit(np.quantile(drawn, [0.025, 0.5, 0.975]))
    assert middle - low == pytest.approx(logit(0.1) - logit(0.09), rel=0.05)
    assert high - middle == pytest.approx(logit(0.2) - logit(0.1), rel=0.05)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_rule_2_the_reported_level_is_used(level):
    n, score = 300, float(ndtri(0.5 + level / 2))
    half = score * np.sqrt(0.3 * 0.7 / n)
    made = table([0.3], given="interval", lower=[0.3 - half], upper=[0.3 + half])
    source = made.source.model_copy(update={"uncertainty": made.source.uncertainty.model_copy(update={"level": level})})
    found = sampling_of(type(made)(source, *(getattr(made, name) for name in list(made.__dataclass_fields__)[1:])), 1.5)
    assert found.effective[0] == pytest.approx(n, rel=0.05)


def test_rule_3_a_standard_error_is_read_as_symmetrical_limits():
    made = table([0.3], given="standard-error")
    made.standard_error[0] = 0.02
    found = sampling_of(made, 1.5)
    assert found.effective[0] == pytest.approx(0.21 / 0.0004 - 1)
    assert _drawn(found).std() == pytest.approx(0.02, rel=0.01)


def test_rule_3_a_standard_error_too_wide_for_its_proportion_is_refused():
    made = table([0.3], given="standard-error")
    made.standard_error[0] = 0.5
    with pytest.raises(SourceError, match="too large for its proportion"):
        sampling_of(made, 1.5)


def test_rule_4_a_bare_sample_gets_the_assumed_design_effect_and_a_flag():
    assumed = sampling_of(table([0.2], given="sample-size", sample=[300]), 1.5)
    stated = sampling_of(table([0.2], given="sample-size", sample=[300], effect=2.0), 1.5)
    assert (assumed.effective[0], assumed.flags) == (200, ("W112",))
    assert (stated.effective[0], stated.flags) == (150, ())


def test_rule_5_a_bare_point_is_refused():
    with pytest.raises(SourceError) as caught:
        sampling_of(table([0.2], given="none"), 1.5)
    assert caught.value.codes == ("R113",)
    assert "judged" in str(caught.value)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.283, 0.55])
@pytest.mark.parametrize("relative", [(0.9, 1.11), (0.85, 1.18), (0.7, 1.4)])
def test_rule_5_a_judged_range_is_a_range_of_multiples_of_the_estimate(p, relative):
    found = sampling_of(table([p], given="none"), 1.5, relative)
    assert found.flags == ("W131",)
    drawn = _drawn(found)
    assert drawn.mean() == pytest.approx(p, rel=2e-3)
    low, high = np.quantile(drawn, [0.025, 0.975]) / p
    # Keeping the mean moves both limits a little.
    assert (low, high) == (pytest.approx(relative[0], abs=0.035), pytest.approx(relative[1], abs=0.035))


@pytest.mark.parametrize("p", [0.8, 0.95, 0.999])
def test_rule_5_a_judged_range_never_leaves_the_proportions(p):
    drawn = _drawn(sampling_of(table([p], given="none"), 1.5, (0.8, 1.5)))
    assert drawn.max() < 1
    assert drawn.mean() == pytest.approx(p, rel=2e-3)


def test_rule_5_a_lopsided_judged_range_is_moved_to_keep_the_mean():
    """As the methods prescribe: the estimate stays the mean, so both limits of a lopsided range move up."""
    drawn = _drawn(sampling_of(table([0.0217], given="none"), 1.5, (0.3, 1.2)))
    assert drawn.mean() == pytest.approx(0.0217, rel=2e-3)
    low, high = np.quantile(drawn, [0.025, 0.975]) / 0.0217
    assert high / low == pytest.approx(1.2 / 0.3, rel=0.05)
    assert high > 1.2


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_rule_6_rounding_adds_the_variance_of_half_a_digit(decimals):
    found = sampling_of(table([0.1], given="sample-size", sample=[1e13], decimals=decimals, effect=1), 1.5)
    half = 0.5 * 10.0**-decimals / 100
    drawn = _drawn(found)
    assert drawn.std() == pytest.approx(half / np.sqrt(3), rel=0.01)
    assert abs(drawn - 0.1).max() < half * 1.01
    assert drawn.mean() == pytest.approx(0.1, rel=1e-4)


def test_rule_6_exact_counts_carry_no_rounding():
    assert sampling_of(table([0.1], given="counts", cases=[10], sample=[100], decimals=0), 1.5).half_rounding == 0


@pytest.mark.parametrize("p", [0.001, 0.999])
def test_rule_6_rounding_never_moves_a_small_rate_below_nothing(p):
    """0.1 % printed in whole per cents: the half digit is cut to what keeps the mean."""
    drawn = _drawn(sampling_of(table([p], given="sample-size", sample=[500], decimals=0, effect=1), 1.5))
    assert ((drawn > 0) & (drawn < 1)).all()
    assert min(drawn.mean(), 1 - drawn.mean()) == pytest.approx(0.001, rel=0.03)


@pytest.mark.parametrize(("p", "lower", "upper"), [(0.0, 0.0, 0.0125), (1.0, 0.9875, 1.0)])
def test_rule_7_a_one_sided_limit_gives_a_jeffreys_beta(p, lower, upper):
    """n = 200: Jeffreys' upper limit 1.25 %, mean 0.25 %."""
    found = sampling_of(table([p], given="interval", lower=[lower], upper=[upper], decimals=2), 1.5)
    assert found.effective[0] == pytest.approx(201, rel=0.02)
    assert min(found.mean[0], 1 - found.mean[0]) == pytest.approx(0.0025, rel=0.02)
    assert found.flags == ("W114",)


@pytest.mark.parametrize(("cases", "mean"), [(0, 0.5 / 101), (100, 100.5 / 101)])
def test_rule_8_no_case_or_only_cases_get_half_a_case_and_a_flag(cases, mean):
    found = sampling_of(table([cases / 100, 0.5], given="counts", cases=[cases, 50], sample=[100, 100]), 1.5)
    assert found.mean.tolist() == pytest.approx([mean, 0.5])
    assert found.effective.tolist() == [101, 100]
    assert found.flags == ("W114",)
    assert _drawn(found).mean() == pytest.approx(mean, rel=0.02)


@given(st.floats(0.002, 0.6), st.floats(20, 20_000))
def test_every_reading_keeps_the_mean_inside_the_proportions(p, n):
    half = SCORE * np.sqrt(p * (1 - p) / n)
    made = [
        table([p], given="sample-size", sample=[n], effect=1),
        table([p], given="interval", lower=[max(p - half, 0)], upper=[min(p + half, 1)]),
        table([p], given="interval", lower=[p / 1.2], upper=[min(p * 1.9, 1 - (1 - p) / 2)]),
        table([p], given="none"),
    ]
    points, rounding = uniform(1, "a", 4000), uniform(1, "b", 4000)
    for one in made:
        drawn = sampling_of(one, 1.0, (0.8, 1.25)).draw(0, points, rounding)
        assert ((drawn > 0) & (drawn < 1)).all()
        assert drawn.mean() == pytest.approx(p, rel=0.02)


@given(st.floats(0.005, 0.95), st.floats(1.2, 5.0))
def test_a_fitted_beta_returns_the_size_that_made_its_limits(p, decades):
    size = 10**decades / min(p, 1 - p)
    lower, upper = betaincinv(size * p, size * (1 - p), np.array([0.025, 0.975]))
    assert fit_beta(p, float(lower), float(upper), SCORE) == pytest.approx(size, rel=0.01)


def test_narrower_limits_are_worth_more_people():
    sizes = [fit_beta(0.1, 0.1 - half, 0.1 + half, SCORE) for half in (0.05, 0.03, 0.01)]
    assert sizes == sorted(sizes)
