"""Studies in some of which nobody was found: pooled by their counts, exactly, with no half case added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit, ndtri
from scipy.stats import binom, norm

from hna.errors import HnaError
from hna.evidence.shelf import Shelf
from hna.model.pool import pool
from hna.model.pool_rare import Counted, pool_counts
from hna.model.pool_standards import read_pool_standards
from hna.model.rates import make_rates

STANDARDS = read_pool_standards(Shelf())


def moments(found):
    by_mu, by_tau = found.weight.sum(axis=0), found.weight.sum(axis=1)
    mean = float(by_mu @ found.mu)
    return mean, float(np.sqrt(by_mu @ (found.mu - mean) ** 2)), float(by_tau @ found.tau)


def test_many_cases_are_pooled_as_by_the_normal_model():
    cases, size = np.array([600, 400, 550, 450]), np.array([10000, 10000, 9000, 10000])
    found = pool_counts([Counted(name, *one, 0.1) for name, *one in zip("abcd", cases, size, strict=True)], STANDARDS)
    p = cases / size
    theirs = pool(list("abcd"), logit(p), 1 / (size * p * (1 - p)) + 0.01, STANDARDS).posterior
    mean, spread, tau = moments(found)
    assert mean == pytest.approx(theirs.mean, abs=0.01)
    assert spread == pytest.approx(theirs.moments(new=False)[1], rel=0.03)
    assert tau == pytest.approx(float(theirs.weight @ theirs.tau), rel=0.03)


def test_the_posterior_is_that_of_the_binomial_and_the_normal():
    """Against Monte Carlo: draws from wide priors of τ and μ, weighed by the chance of the counts."""
    counts = [(0, 200), (4, 1000), (3, 500), (6, 1500)]
    found = pool_counts([Counted(f"s{n}", *one, 0.2) for n, one in enumerate(counts)], STANDARDS)
    rng = np.random.default_rng(1)
    draws = 400_000
    tau, mu = np.abs(rng.normal(0, STANDARDS.between_study_scale, draws)), rng.uniform(-9, -2, draws)
    log = np.zeros(draws)
    for cases, size in counts:  # each study's rate summed over by twenty points of its normal
        at = ndtri((np.arange(20) + 0.5) / 20)
        theta = mu[:, None] + np.hypot(tau, 0.2)[:, None] * at
        log += np.log(binom.pmf(cases, size, expit(theta)).mean(axis=1))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    mean, spread, middle = moments(found)
    assert mean == pytest.approx(weight @ mu, abs=0.02)
    assert spread == pytest.approx(np.sqrt(weight @ (mu - weight @ mu) ** 2), rel=0.03)
    assert middle == pytest.approx(weight @ tau, rel=0.03)
    points = norm.cdf(rng.normal(size=(3, 40_000)))
    drawn = found.draw(points[0], ndtri(points[1]), ndtri(points[2]))
    whole = np.sqrt(weight @ (mu - weight @ mu) ** 2 + weight @ tau**2)
    assert [drawn.mean(), drawn.std()] == pytest.approx([mean, whole], abs=0.02)


def test_no_half_case_is_added():
    """A study of 200 without a case leaves three that agree where they are; half a case would lift a small study fourfold."""
    rest = [Counted(name, 2, 2000, 0.1) for name in "bcd"]
    found = pool_counts([Counted("a", 0, 100, 0.1), *rest], STANDARDS)
    assert found.rate < 0.001
    assert found.flags == ()
    assert found.left_out[0].conflict < 1


def test_what_the_counts_cannot_say_is_refused():
    with pytest.raises(HnaError, match="nobody was found by all") as told:
        pool_counts([Counted(name, 0, 100, 0.1) for name in "abc"], STANDARDS)
    assert told.value.codes == ("R302",)
    far = [Counted("a", 0, 4000, 0.05), *(Counted(name, 800, 4000, 0.05) for name in "bcde")]
    with pytest.raises(HnaError, match="a: ") as told:
        pool_counts(far, STANDARDS)
    assert told.value.codes == ("R332",)
    assert pool_counts(far, replace(STANDARDS, conflict_refuse=np.inf)).flags == ("W331",)


def test_a_model_pools_the_cell_in_which_a_study_found_nobody_by_counts(small):
    for n, cases in enumerate((0, 9, 12)):
        rows = [
            {"age_from": 65, "age_to": 74, "cases": cases, "sample": 1500},
            {"age_from": 75, "age_to": "", "cases": 60 + 10 * n, "sample": 1000},
        ]
        small.prevalence(f"study-{n}", rows=rows, uncertainty={"given": "counts"}, unit="proportion", decimals=4)
    small.model(prevalence={"sources": [f"study-{n}" for n in range(3)], "combine": "random-effects"})
    rates = make_rates(small.shelf_model(), small.shelf, 2000, 1)
    notes = " ".join(rates.notes)
    assert "65-74: 3 studies pooled by their counts" in notes
    assert "study-0 found nobody or everybody" in notes
    assert "75+: 3 studies pooled on the logit scale" in notes
    young = rates.mean()[0, 0, 0]
    assert 0.002 < young < 0.007
    assert rates.draws.isel(age=0).mean().item() == pytest.approx(young, rel=1e-6)
