"""How far people have been out: as was measured, by an analyst's own table where there is one, flagged far ahead."""

from __future__ import annotations

import numpy as np
import pytest

from hna.errors import QuantityError
from hna.evidence.shelf import Shelf
from hna.model.projection import horizon_flags, read_population_error, registered_to_resident, trend

ERROR = read_population_error(Shelf())


def test_spread_is_what_was_measured():
    """A shire district ten years ahead: half of all errors within 3 %; a London borough, 7 % (before the rest is added)."""
    for code, median in (("E07000004", 0.03), ("E09000030", 0.07), ("E06000006", 0.03)):
        ahead = np.sqrt(ERROR.area(code, 0, 10) ** 2 - ERROR.at_census**2)
        assert ahead == pytest.approx(median / 0.6745, rel=0.02)
    assert ERROR.area("E07000004", 8, 0) == pytest.approx(0.017, abs=5e-4)


def test_ages_born_after_the_base_are_further_out():
    country, own = ERROR.ages("E06000006", 7, 10)
    assert country[0] == pytest.approx(ERROR.unborn)  # 0-4: all born since
    assert ERROR.born < country[1] < ERROR.unborn  # 5-19: some of them
    assert country[-1] == pytest.approx(ERROR.born)
    assert own[2] == pytest.approx(ERROR.young)  # 20-34: students and young workers
    assert own[-1] == pytest.approx(ERROR.age)
    now = ERROR.ages("E06000006", 2, 0)
    assert not now[0].any()
    assert not now[1].any()


def test_far_years_are_flagged():
    assert horizon_flags([2018], 2018, 10) == ()
    assert horizon_flags([2018, 2027], 2018, 10) == ("N511",)
    assert horizon_flags([2043], 2018, 10) == ("N511", "W511")


def test_registered_people_become_residents():
    found, flags = registered_to_resident(np.array([100.0, 50.0]), np.array([[3.0, 1.0], [0.0, 2.0]]))
    assert found.tolist() == [75, 75]
    assert flags == ("W521",)
    many, _ = registered_to_resident(np.ones((2, 4)), np.array([[3.0, 1.0], [0.0, 2.0]]))
    assert many.sum(axis=0) == pytest.approx(2.0)
    with pytest.raises(QuantityError):
        registered_to_resident([1.0, 1.0], [[1.0, 0.0], [0.0, 0.0]])


def test_a_trend_is_a_scenario():
    rate = np.array([0.05, 0.2])
    assert trend(rate, 0.0, 10) == pytest.approx(rate, rel=1e-12)
    later = trend(rate, -0.012, 20)
    assert later / (1 - later) == pytest.approx(rate / (1 - rate) * 0.988**20)
