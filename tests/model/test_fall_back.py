"""Where importance weights may not be trusted (Pareto k̂ of 0.7 or more) a sampler takes over; where it fails, nothing is given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from hna.errors import ModelError
from hna.model import spatial, survey, survey_prepare
from hna.model.fit_sampler import Diagnostics, until_passed
from hna.model.laplace import Draws

PASSES = Diagnostics(1.002, 900.0, 800.0, 0.02, 0, "nutpie")
DIVERGES = replace(PASSES, divergences=1)
RNG = np.random.default_rng(1)
SAMPLE = pd.DataFrame({"town": np.repeat(list("abcdef"), 20), "ill": RNG.integers(0, 2, 120)})
ROWS, COLUMNS = 5, 7
NAMES = [f"{r}-{c}" for r in range(ROWS) for c in range(COLUMNS)]
BORDERS = spatial.neighbours(NAMES, [(f"{r}-{c}", f"{r}-{c + 1}") for r in range(ROWS) for c in range(COLUMNS - 1)])
SIZE = np.full(len(NAMES), 100.0)
CASES = RNG.binomial(100, expit(RNG.normal(-2, 0.3, len(NAMES)))).astype(float)


def asked_survey(monkeypatch, khat: float, found: Diagnostics):
    """A survey fitted with weights of that k̂, by a sampler that finds that."""
    calls = []

    def laplace(problem, draws, *rest):
        one = np.zeros(draws)
        return Draws(one[:, None], np.zeros((draws, 6)), one[:, None] + 0.5, khat, 100.0)

    def sampler(problem, *, draws, **rest):
        calls.append((draws, rest["sampler"], rest["target_accept"]))
        many = 4 * draws
        return {"b": np.zeros((many, 1)), "u": np.zeros((many, 6)), "sigma": np.full((many, 1), 0.5)}, found

    monkeypatch.setattr(survey_prepare, "solve", laplace)
    monkeypatch.setattr(survey_prepare, "sample_problem", sampler)
    return survey.fit(SAMPLE, "ill ~ (1 | town)", draws=400), calls


def asked_map(monkeypatch, khat: float, found: Diagnostics):
    """A map smoothed likewise; the weights are made as they are, and only their k̂ is another."""
    calls = []
    solve = spatial.solve_map

    def sampler(problem, *, draws, **rest):
        calls.append((draws, rest["sampler"], rest["target_accept"]))
        one = np.full(4 * draws, 0.5)
        return {"eta": np.full((4 * draws, len(NAMES)), -2.0), "sigma": one, "share": one}, found

    monkeypatch.setattr(spatial, "solve_map", lambda *given: replace(solve(*given), khat=khat))
    monkeypatch.setattr(spatial, "sample_map", sampler)
    return spatial.smooth(CASES, SIZE, BORDERS, kind="recorded", draws=400), calls


@pytest.mark.parametrize("asked", [asked_survey, asked_map])
def test_the_sampler_takes_over_at_khat_of_seven_tenths(monkeypatch, asked):
    for khat, engine, times in ((0.69, "laplace", 0), (0.7, "nutpie", 1), (np.inf, "nutpie", 1)):
        with monkeypatch.context() as inside:
            found, calls = asked(inside, khat, PASSES)
        assert (found.engine, len(calls)) == (engine, times)
        assert ("k̂" in found.words) == (engine == "laplace")
        assert calls in ([], [(200, "nutpie", 0.9)])


@pytest.mark.parametrize("asked", [asked_survey, asked_map])
@pytest.mark.parametrize("found", [DIVERGES, replace(PASSES, rhat=1.02), replace(PASSES, tail=390.0)])
def test_a_sampler_that_fails_gives_nothing(monkeypatch, asked, found):
    with pytest.raises(ModelError, match="diagnostics fail") as told:
        asked(monkeypatch, 0.9, found)
    assert told.value.codes == ("R391",)


def test_a_sampler_is_asked_again_with_more_draws_and_shorter_steps():
    held, calls = [DIVERGES, replace(PASSES, bulk=200.0), PASSES], []

    def run(draws: int, accept: float):
        calls.append((draws, accept))
        return {"x": np.zeros(draws)}, held[len(calls) - 1]

    arrays, found = until_passed(run, 500)
    assert found.passed
    assert len(arrays["x"]) == 2000
    assert [draws for draws, _ in calls] == [500, 1000, 2000]
    assert np.allclose([accept for _, accept in calls], [0.9, 0.95, 0.975])
