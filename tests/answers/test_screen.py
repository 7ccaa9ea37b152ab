"""Limits read from a screen in single precision are those of the exact draws, however the screen errs within its bound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers import screen as screens
from hna.answers.need import need
from hna.answers.screen import Screen, shared_limits
from hna.answers.stream import summarise
from hna.answers.terms import Shared
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import normal

LEVELS = st.sampled_from([0.5, 0.8, 0.95, 0.998])
DRAWS = st.sampled_from([400, 999, 1000, 3000])


@dataclass(frozen=True)
class _Moved:
    """People in two groups of ages, each with a factor of mean one for each area."""

    groups: AgeAxis
    several: bool

    def factors(self, code, year, seed, draws):
        keys = [f"moved:{code}:{year}:{n}" for n in range(2 if self.several else 1)]
        return np.stack([np.exp(0.05 * normal(seed, key, draws) - 0.05**2 / 2) for key in keys])


def _block(kind, generator, draws):
    block = generator.lognormal(3, 0.4, (9, 1)) * generator.lognormal(0, 0.3, (9, draws))
    if kind == "ties":
        block = np.round(block)
    elif kind == "constant":
        block[:] = block[:, :1]
    elif kind == "empty":
        block[::2] = 0.0
    elif kind == "a few far out":
        block[:, :5] *= 50
    return block


def _told(block, error, generator):
    """A screen whose every draw is off by up to the error that it states."""
    wrong = block * (1 + error * generator.choice([-1.0, 1.0], block.shape) * generator.random(block.shape) ** 0.2)
    return wrong.astype(np.float32)


@given(
    seed=st.integers(0, 10_000),
    draws=DRAWS,
    level=LEVELS,
    error=st.sampled_from([1e-7, 1e-5, 1e-3, 0.05]),
    kind=st.sampled_from(["plain", "ties", "constant", "empty", "a few far out"]),
)
def test_limits_are_those_of_the_exact_draws_whatever_the_screen_errs(seed, draws, level, error, kind):
    generator = np.random.default_rng(seed)
    block = _block(kind, generator, draws)
    screen = Screen.of(_told(block, error, generator), error + screens.UNIT, lambda rows, at: block[rows, at])
    wanted = np.quantile(block, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    np.testing.assert_allclose(screen.limits(level), wanted, rtol=1e-13)


def test_a_screen_that_understates_its_error_is_caught():
    generator = np.random.default_rng(1)
    block = _block("plain", generator, 1000)
    screen = Screen.of(_told(block, 0.05, generator), 1e-7, lambda rows, at: block[rows, at])
    wanted = np.quantile(block, [0.025, 0.975], axis=-1)
    assert np.abs(np.array(screen.limits(0.95)) / wanted - 1).max() > 1e-6


def test_hardly_any_draws_are_worked_out():
    asked = []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        block = generator.lognormal(3, 0.4, (100, 1)) * generator.lognormal(0, 0.3, (100, 5000))

        def exact(rows, draws, block=block):
            asked.append(rows.size / block.size)
            return block[rows, draws]

        screen = Screen.of(_told(block, 3e-6, generator), 3e-6 + screens.UNIT, exact)
        np.testing.assert_allclose(screen.limits(0.95), np.quantile(block, [0.025, 0.975], axis=-1), rtol=1e-13)
    assert sum(asked) / 6 < 0.006


@given(seed=st.integers(0, 10_000), draws=DRAWS, level=LEVELS, unlike=st.sampled_from([0.0, 0.3, 3.0]))
def test_limits_of_shared_rates_are_those_of_the_exact_draws(seed, draws, level, unlike):
    generator = np.random.default_rng(seed)
    rate = 0.05 * generator.lognormal(0, 0.2, (6, draws)) * generator.lognormal(0, 0.15, draws)
    people = 300 * generator.lognormal(0, 0.3 + unlike, (40, 6))
    people[::7] = 0.0
    found = shared_limits(people, Shared.of(rate), level)
    if found is None:
        return
    drawn = people @ rate
    wanted = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    np.testing.assert_allclose([found["lower"], found["upper"]], wanted, rtol=1e-12)
    np.testing.assert_allclose(found["mean"], drawn.mean(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(found["sd"], drawn.std(axis=-1), rtol=1e-6, atol=1e-9)


def test_like_areas_are_read_from_few_draws_and_unlike_areas_are_not():
    generator = np.random.default_rng(1)
    rate = 0.05 * generator.lognormal(0, 0.2, (6, 1000)) * generator.lognormal(0, 0.3, 1000)
    like, unlike = 300 * generator.lognormal(0, 0.2, (40, 6)), np.kron(np.ones((7, 1)), np.eye(6)) * 300.0
    assert shared_limits(like, Shared.of(rate), 0.95) is not None
    alone = 0.05 * generator.lognormal(0, 0.4, (6, 1000))
    assert shared_limits(unlike, Shared.of(alone), 0.95) is None


@pytest.mark.parametrize("name", ["dementia", "hypertension", "adhd", "alcohol-dependence", "perinatal-depression"])
@pytest.mark.parametrize("people", ["exact", "one factor", "factors by age"])
def test_a_stream_without_draws_has_the_limits_of_need(rates_for, small_areas, name, people):
    rates, population = rates_for(name, draws=1000), small_areas(12, 400_000)
    by = ("severity", "sex")
    if people != "exact":
        error = _Moved(AgeAxis((AgeBand(0, 74), AgeBand(75, None))), people == "factors by age")
        population = replace(population, error=error)
    found = summarise(rates, population, by=by, threads=2)
    kept = summarise(rates, population, by=by, keep_draws=True)
    for told in ("lower", "upper"):
        np.testing.assert_allclose(found.values[told], kept.values[told], rtol=1e-9, err_msg=told)
    np.testing.assert_allclose(found.values["mean"], kept.values["mean"], rtol=1e-6)
    np.testing.assert_allclose(found.values["sd"], kept.values["sd"], rtol=1e-5)
    if people == "exact":
        drawn = need(rates, population).draws.transpose("area", "year", "draw").values
        np.testing.assert_allclose(found.values["lower"][0], np.quantile(drawn, 0.025, axis=-1), rtol=1e-9)


def test_the_screen_is_used(rates_for, small_areas, monkeypatch):
    seen = []
    held = Screen.limits
    monkeypatch.setattr(Screen, "limits", lambda self, level: seen.append(1) or held(self, level))
    rates, population = rates_for("dementia", draws=1000), small_areas(12, 400_000)
    summarise(rates, population, threads=1)
    assert seen
    seen.clear()
    few = replace(population, people=population.people / 1000)
    summarise(rates, few, threads=1)
    assert not seen
