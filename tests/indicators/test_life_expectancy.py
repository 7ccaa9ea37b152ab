from itertools import pairwise

import numpy as np
import pytest

from hna.errors import QuantityError
from hna.indicators.life_expectancy import abridged_bands, life_expectancy

# A made-up population with death rates that rise by a tenth a year of age, and are high in the first.
AGES = np.array(abridged_bands())
PEOPLE = np.round(np.array([1.2, 4.9, *[6.4 - 0.3 * band for band in range(18)]]) * 5000)
DEATHS = np.round(PEOPLE * np.where(AGES == 0, 0.004, 5e-5 * np.exp(0.09 * (AGES + 2.5))))


def plain_table(deaths, people):
    """Chiang's table band by band, for 100,000 born."""
    starts = abridged_bands()
    widths = [b - a for a, b in pairwise(starts)]
    shares = [0.1] + [0.5] * 18
    alive, lived = [100_000.0], []
    for d, p, n, a in zip(deaths[:-1], people[:-1], widths, shares, strict=True):
        rate = d / p
        q = n * rate / (1 + n * (1 - a) * rate)
        dying = alive[-1] * q
        alive.append(alive[-1] - dying)
        lived.append(n * (alive[-1] + a * dying))
    lived.append(alive[-1] / (deaths[-1] / people[-1]))
    return [sum(lived[i:]) / alive[i] for i in range(20)]


def test_table_is_chiangs():
    found = life_expectancy(DEATHS, PEOPLE)
    np.testing.assert_allclose(found.value, plain_table(DEATHS, PEOPLE), rtol=1e-12)
    assert found.value[-1] == pytest.approx(PEOPLE[-1] / DEATHS[-1])
    assert (found.flags == "").all()


def test_areas_are_independent_and_order_is_kept():
    deaths = np.stack([DEATHS, DEATHS * 1.2, DEATHS * 0.8])
    found = life_expectancy(deaths[:, np.newaxis], np.stack([PEOPLE, PEOPLE * 2]))
    assert found.value.shape == (3, 2, 20)
    for i in range(3):
        np.testing.assert_allclose(found.value[i, 0], plain_table(deaths[i], PEOPLE), rtol=1e-12)
    assert found.value[1, 0, 0] < found.value[0, 0, 0] < found.value[2, 0, 0]


def test_interval_covers_at_its_level():
    rng = np.random.default_rng(6)
    truth = life_expectancy(DEATHS, PEOPLE).value
    small = PEOPLE / 20
    drawn = rng.poisson(DEATHS / 20, (20_000, 20))
    found = life_expectancy(np.minimum(drawn, small), small)
    kept = ~np.isnan(found.value[:, 0])
    assert kept.mean() > 0.999
    for age in (0, 14):
        covered = (found.lower[kept, age] < truth[age]) & (truth[age] < found.upper[kept, age])
        assert 0.93 < covered.mean() < 0.965


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (lambda d, n: (d / 200, n / 200), "too-few-person-years"),
        (lambda d, n: (np.where(np.arange(20) == 3, 0, d), np.where(np.arange(20) == 3, 0, n)), "empty-band"),
        (lambda d, n: (np.where(np.arange(20) == 19, 0, d), n), "no-deaths-in-last-band"),
        (lambda d, n: (np.where(np.arange(20) == 5, n + 1, d), n), "more-deaths-than-person-years"),
    ],
)
def test_the_field_refuses(change, flag):
    deaths, people = change(DEATHS, PEOPLE)
    found = life_expectancy([deaths, DEATHS], [people, PEOPLE])
    assert np.isnan(found.value[0]).all()
    assert np.isnan(found.upper[0]).all()
    assert (found.flags[0] == flag).all()
    assert np.isfinite(found.value[1]).all()


def test_no_deaths_in_an_earlier_band_is_no_fault():
    found = life_expectancy(np.where(np.arange(20) == 3, 0, DEATHS), PEOPLE)
    assert np.isfinite(found.value).all()


def test_a_very_wide_interval_withholds_the_value_and_keeps_the_limits():
    people = PEOPLE / PEOPLE.sum() * 6000
    deaths = np.zeros(20)
    deaths[[0, 5, 19]] = 1
    found = life_expectancy(deaths, people)
    wide = found.flags == "interval-too-wide"
    assert wide.any()
    assert np.isnan(found.value[wide]).all()
    assert (found.upper[wide] - found.lower[wide] > 20).all()


def test_where_everyone_dies_nothing_follows():
    deaths = np.where(np.arange(20) == 10, PEOPLE * 0.9, DEATHS)
    found = life_expectancy(deaths, PEOPLE)
    assert np.isfinite(found.value[:11]).all()
    assert (found.flags[11:] == "nobody-survives-to-this-age").all()


def test_bad_bands():
    with pytest.raises(QuantityError, match="18 bands"):
        life_expectancy(DEATHS[:18], PEOPLE[:18])
    with pytest.raises(QuantityError, match="do not rise"):
        life_expectancy(DEATHS[:3], PEOPLE[:3], starts=[0, 5, 5])
    with pytest.raises(QuantityError, match="is negative"):
        life_expectancy(-DEATHS, PEOPLE)
    assert life_expectancy(DEATHS[1:], PEOPLE[1:]).value.shape == (19,)
