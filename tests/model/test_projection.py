"""The population's own error: as wide as was measured, coherent, and the same whatever else is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from hna.errors import ModelError, QuantityError
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.projection import (
    ErrorTable,
    horizon_flags,
    population_draws,
    read_population_error,
    registered_to_resident,
    trend,
)

ERROR = read_population_error(Shelf())
AGES = AgeAxis((AgeBand(0, 4), AgeBand(5, 17), AgeBand(18, 64), AgeBand(65, None)))
AREAS = ["A", "B", "C"]
YEARS = [2018, 2023, 2028]
PEOPLE = np.random.default_rng(1).integers(2000, 90_000, (3, 3, 4)).astype(float)


def drawn(areas=AREAS, people=PEOPLE, years=YEARS, **more):
    options = {"base_year": 2018, "census": 2011, "seed": 1, "draws": 4000} | more
    return population_draws(people, AGES, areas, years, ERROR, **options)


def test_the_published_number_is_the_mean():
    assert drawn().mean(axis=-1) == pytest.approx(PEOPLE, rel=5e-3)


def test_spread_is_what_was_measured():
    """A shire district ten years ahead: half of all errors within 3 %; a London borough, 7 % (before the rest is added)."""
    for kind, median in (("shire-district", 0.03), ("london-borough", 0.07)):
        assert ERROR.area(kind, 0, 10) == pytest.approx(median / 0.6745, rel=0.02)
    assert ERROR.area("shire-district", 8, 0) == pytest.approx(0.017, abs=5e-4)
    wide = drawn().sum(axis=2)
    spread = wide.std(axis=-1) / wide.mean(axis=-1)
    assert (np.diff(spread, axis=1) > 0).all()


def test_sums_hold_in_every_draw():
    found = drawn(whole=True)
    country = found.sum(axis=0)
    shares = country / PEOPLE.sum(axis=0)[..., None]
    alone = population_draws(
        PEOPLE.sum(axis=0)[None],
        AGES,
        ["England"],
        YEARS,
        ERROR,
        base_year=2018,
        census=2011,
        seed=1,
        draws=4000,
        whole=True,
    )
    assert np.allclose(country, alone[0], rtol=1e-9)
    assert shares[0] == pytest.approx(1.0)
    assert shares[2].std() < 0.06
    assert found[0, 2].std(axis=-1) / found[0, 2].mean(axis=-1) == pytest.approx(
        drawn()[0, 2].std(axis=-1) / PEOPLE[0, 2], rel=0.5
    )


def test_an_area_is_the_same_whatever_else_is_asked_for():
    assert np.array_equal(drawn()[1], drawn(["B"], PEOPLE[1:2])[0])
    ages = drawn()[0, 0]
    assert np.corrcoef(ages[0], ages[3])[0, 1] > 0.99
    both = drawn()[0, :, 2]
    assert np.corrcoef(both[1], both[2])[0, 1] > 0.6


def test_a_measured_table_takes_the_place_of_the_defaults():
    table = ErrorTable("own", (5, 10), {"new-town": (0.05, 0.12)}, {"new-town": (0.0, 0.02)})
    error = type(ERROR)(**{**ERROR.__dict__, "table": table})
    assert error.area("new-town", 0, 10) == pytest.approx(np.hypot(0.12 / 0.6745, error.at_census), rel=1e-3)
    found = population_draws(
        PEOPLE, AGES, AREAS, YEARS, error, base_year=2018, census=2011, kinds=["new-town"] * 3, draws=4000
    )
    assert found[:, 2].mean() < PEOPLE[:, 2].mean() * 0.99
    for kind, horizon, code in (("new-town", 11, "R512"), ("village", 5, "R513")):
        with pytest.raises(ModelError) as told:
            table.spread(kind, horizon)
        assert told.value.codes == (code,)


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
    with pytest.raises(QuantityError):
        drawn(people=PEOPLE[:2])
