"""Worked examples of reading a printed estimate, from the project's methods, sections 1.2, 1.4, 7.3 and 7.4."""

import numpy as np
import pytest
from scipy.special import betaincinv, ndtri

from hna.answers.gap import figures, leverage
from hna.answers.known_people import KnownPeople
from hna.answers.services import union_bounds
from hna.measure.draws import normal, uniform
from hna.model.distribution import fit_beta, sampling_of
from hna.model.rates import shift_logit
from tests.calibration.designs import Design, engine, jeffreys_everywhere, table, totals

SCORE = float(ndtri(0.975))


@pytest.mark.parametrize(
    ("mean", "lower", "upper", "size", "limits"),
    [
        (1.2, 0.6, 2.3, 796, (0.57, 2.06)),  # men 65-69
        (17.1, 10.6, 26.4, 94, (10.23, 25.30)),  # men 90+; printed to a tenth
    ],
)
def test_a_beta_fitted_to_cfas_ii_limits(mean, lower, upper, size, limits):
    found = fit_beta(mean / 100, lower / 100, upper / 100, SCORE)
    assert found == pytest.approx(size, rel=0.01)
    ends = 100 * betaincinv(found * mean / 100, found * (1 - mean / 100), np.array([0.025, 0.975]))
    assert ends.tolist() == pytest.approx(limits, abs=0.01)


def test_autism_in_adults_2012_is_read_as_symmetrical_and_never_goes_negative():
    """Brugha: 9.8 per 1,000 (3.0 to 16.5). Normal draws would go below nothing in 0.2 % of cases."""
    found = sampling_of(table([0.0098], given="interval", lower=[0.003], upper=[0.0165], decimals=2), 1.5)
    error = (0.0165 - 0.003) / (2 * SCORE)
    assert found.family == ("Beta on symmetrical limits",)
    assert found.effective[0] == pytest.approx(0.0098 * 0.9902 / error**2 - 1, rel=1e-9)
    assert found.effective[0] == pytest.approx(817, abs=1)
    drawn = found.draw(0, uniform(1, "a", 100_000), uniform(1, "b", 100_000))
    assert drawn.min() > 0
    assert drawn.mean() == pytest.approx(0.0098, rel=1e-3)
    assert drawn.std() == pytest.approx(error, rel=0.01)
    naive = 0.0098 + error * normal(1, "c", 100_000)
    assert (naive < 0).mean() == pytest.approx(0.002, abs=0.0005)


def test_the_mean_matching_table_for_the_engine():
    """20 bands of 150 people, 0.5 to 4 %: +2.2 % and 0.957 printed. Bands here rise geometrically, which empties more
    cells, so 1.5 points of bias and 0.015 of coverage."""
    found = totals(Design(0.005, 0.04), engine, replicates=4000)
    assert found.bias == pytest.approx(0.022, abs=0.015)
    assert found.coverage == pytest.approx(0.957, abs=0.015)


def test_the_mean_matching_table_ranks_methods_as_printed():
    """Beta with Jeffreys for empty cells only +2.2 %, Jeffreys everywhere +16.5 %."""
    good, bad = (totals(Design(0.005, 0.04), reader) for reader in (engine, jeffreys_everywhere))
    assert bad.bias > 5 * good.bias > 0


@pytest.mark.parametrize(("spread", "inflation"), [(0.2, 0.02), (0.4, 0.08), (0.6, 0.20)])
def test_median_matched_noise_inflates_as_printed_and_ours_does_not(spread, inflation):
    """A median-matched logit-normal inflates a small rate by about exp(s²/2) − 1."""
    rate = np.full(50_000, 0.01)
    noise = spread * normal(1, "study:x", 50_000)
    careless = 1 / (1 + np.exp(-(np.log(0.01 / 0.99) + noise)))
    assert careless.mean() / 0.01 - 1 == pytest.approx(inflation, abs=0.012)
    assert shift_logit(rate, noise, spread**2).mean() / 0.01 - 1 == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("spread", [0.1, 0.3, 0.5])
def test_noise_on_the_logit_keeps_the_mean(rate, spread):
    """Methods 1.4 prints a residual under 0.25 % even at 0.5."""
    noise = spread * normal(1, "study:x", 200_000)
    assert shift_logit(np.full(200_000, rate), noise, spread**2).mean() == pytest.approx(rate, rel=0.005)


def test_rounding_to_a_tenth_of_a_per_cent_is_14_per_cent_of_0_2():
    """Methods 1.2, rule 6: a rounding SD of 0.029 points."""
    found = sampling_of(table([0.002], given="counts", sample=[1e9], decimals=1), 1.0)
    drawn = found.draw(0, uniform(1, "a", 50_000), uniform(1, "b", 50_000))
    assert found.half_rounding == pytest.approx(0.0005)
    assert 100 * drawn.std() == pytest.approx(0.029, abs=0.001)
    assert drawn.std() / 0.002 == pytest.approx(0.14, abs=0.01)


def _known(count, draws):
    same = np.full(draws, float(count))
    return KnownPeople(float(count), same, same, (float(count), float(count)))


def test_coverage_of_four_fifths_has_a_mean_of_0_83_and_is_reported_by_its_median():
    """Methods 7.3: with a coefficient of variation of 0.2, K/E[N] = 0.80 becomes E[K/N] = 0.83."""
    drawn = 1000 * (1 + 0.2 * normal(1, "need", 50_000))
    found = figures(1000.0, drawn, _known(800, 50_000), 0.95, None)["coverage"]
    assert (800 / drawn).mean() == pytest.approx(0.83, abs=0.01)
    assert found.estimate == pytest.approx(0.80, abs=0.001)


def test_leverage_at_two_thirds_coverage():
    """Methods 7.3: at 66 % coverage an error of 10 % in prevalence moves unmet need by 29 %."""
    assert 10 * leverage(1000.0, 660.0) == pytest.approx(29, abs=0.5)


@pytest.mark.parametrize(("undiagnosed", "share"), [(435_700, 0.485), (1_197_300, 0.721)])
def test_undiagnosed_autism_is_another_share_than_was_printed(undiagnosed, share):
    """O'Nions 2023: 463,500 diagnosed, 435,700 to 1,197,300 not. The abstract's lower "59 %" is not their quotient."""
    need = 463_500 + undiagnosed
    found = figures(float(need), np.full(10, float(need)), _known(463_500, 10), 0.95, None)
    assert found["gap"].estimate == undiagnosed
    assert 1 - found["coverage"].estimate == pytest.approx(share, abs=0.0005)
    assert abs(1 - found["coverage"].estimate - 0.59) > 0.1


def test_one_service_with_three_lists_and_their_overlaps():
    """Methods 6.3: 200, 150 and 90 are 200 to 440 people; with overlaps of 60, 20 and 15, 345 to 360."""
    counts = {"a": 200, "b": 150, "c": 90}
    assert union_bounds(counts) == pytest.approx((200, 440))
    pairs = {frozenset("ab"): 60.0, frozenset("ac"): 20.0, frozenset("bc"): 15.0}
    assert union_bounds(counts, pairs) == pytest.approx((345, 360))
