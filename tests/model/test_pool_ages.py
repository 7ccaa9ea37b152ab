"""A curve by age through studies that report different bands."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from hna.errors import ModelError
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.pool_ages import Reported, pool_ages
from hna.model.pool_grid import solve

AGES = np.arange(65, 105)
TRUTH = -3.6 + 0.1 * (AGES - 65) - 0.0006 * (AGES - 65) ** 2


def rate(band: AgeBand) -> float:
    inside = np.array([AgeBand(age, age) in band for age in AGES.tolist()])
    return float(expit(TRUTH[inside]).mean())


def studies(seed: int = 1, tau: float = 0.25) -> list[Reported]:
    rng = np.random.default_rng(seed)
    cuts = ([65, 70, 75, 80, 85, 90], [65, 75, 85], [65, 80], [70, 80, 90], [65, 70, 75, 80, 85])
    found = []
    for n, lows in enumerate(cuts):
        own = rng.normal(0, tau)
        for low, after in zip(lows, [*lows[1:], None], strict=True):
            band = AgeBand(low, None if after is None else after - 1)
            found.append(Reported(f"s{n}", band, logit(rate(band)) + own + rng.normal(0, 0.1), 0.01))
    return found


@pytest.fixture(scope="module")
def curve():
    return pool_ages(studies(), 0.5, seed=1, name="x")


def test_the_curve_is_found(curve):
    assert curve.khat < 0.7
    inside = []
    for band in (AgeBand(65, 69), AgeBand(72, 77), AgeBand(80, 84), AgeBand(90, None)):
        drawn = curve.rates(AgeAxis((band,)), new=False)[0]
        low, high = np.quantile(drawn, [0.025, 0.975])
        inside.append(low <= rate(band) <= high)
        assert np.median(drawn) == pytest.approx(rate(band), rel=0.4)
    assert sum(inside) >= 3
    axis = AgeAxis((AgeBand(65, 74), AgeBand(75, None)))
    new, mean = curve.rates(axis), curve.rates(axis, new=False)
    assert (new.std(axis=1) > mean.std(axis=1)).all()
    assert np.corrcoef(logit(new))[0, 1] > 0.7


def test_nothing_is_extrapolated(curve):
    with pytest.raises(ModelError) as told:
        curve.rates(AgeAxis((AgeBand(60, 69),)))
    assert told.value.codes == ("R201",)


def test_one_band_for_all_is_plain_pooling():
    """Where every study reports the same single year, the answer is that of the exact grid."""
    y, v = np.array([-2.9, -2.6, -3.1, -2.8, -2.5]), np.array([0.02, 0.01, 0.03, 0.02, 0.015])
    band = AgeBand(70, 70)
    held = [Reported(f"s{n}", band, one, var) for n, (one, var) in enumerate(zip(y, v, strict=True))]
    found = pool_ages(held, 0.5, seed=2, draws=4000)
    exact = solve(y, v, 0.5)
    for new in (False, True):
        drawn = logit(found.rates(AgeAxis((band,)), new=new)[0])
        mean, spread = exact.moments(new=new)
        assert drawn.mean() == pytest.approx(mean, abs=0.1 * spread)
        assert drawn.std() == pytest.approx(spread, rel=0.12)


def test_rising_curves_only():
    found = pool_ages(studies(), 0.5, seed=1, monotone=True)
    assert (np.diff(found.curve, axis=0) >= 0).all()
    up_and_down = [
        Reported(name, AgeBand(low, low + 9), value, 0.001)
        for name in ("a", "b")
        for low, value in ((20, -4.0), (30, -1.0), (40, -4.0), (50, -1.0))
    ]
    with pytest.raises(ModelError) as told:
        pool_ages(up_and_down, 0.5, monotone=True)
    assert told.value.codes == ("R301",)


def test_one_study_is_not_pooled():
    with pytest.raises(ModelError) as told:
        pool_ages([one for one in studies() if one.study == "s0"], 0.5)
    assert told.value.codes == ("R302",)
