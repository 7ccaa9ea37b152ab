"""People of communal establishments, whom a study of households did not reach: added with a rate of their own, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import expit, logit

from hna.answers.need import need
from hna.answers.sensitivity import sensitivity
from hna.answers.waterfall import waterfall
from hna.catalogue import bibtex
from hna.errors import AxisError, ModelError
from hna.evidence.population import read_population
from hna.model.communal import Communal
from hna.model.rates import make_rates
from hna.model.spec_correction import CommunalUse

HOMES = {
    "share": [0.02, 0.04], "relative": [5, 9], "because": "counted in the census of the county",
    "citation": "Teller 2021, J Sleep 5:1-9, Table 4",
}  # fmt: skip


def households(small, **communal: Any):
    """The study is of households, and the model adds those whom it did not reach."""
    from tests.conftest import STUDY

    small.prevalence(rows=small.rates_rows(), study=STUDY | {"frame": "household"})
    used = {"source": "own-study", "communal": HOMES | communal}
    return small.model(prevalence={"sources": [used], "errors": dict(small.exact)})


def test_the_rate_of_everybody_is_that_of_households_and_of_the_others_by_their_share(small) -> None:
    rates = make_rates(households(small), small.shelf, 4000, 1)
    printed = np.array([[4.0, 9.0], [3.0, 8.0]]) / 100
    assert rates.headline.values == pytest.approx(printed * (0.97 + 0.03 * 7), rel=1e-9)
    assert rates.draws.mean("draw").values == pytest.approx(rates.headline.values, rel=1e-3)
    assert any("communal establishments added" in note and "Teller 2021" in note for note in rates.notes)
    assert "W522" not in rates.flags
    assert "Teller 2021" in bibtex(small.shelf, "sleeplessness")


@given(rate=st.floats(0.001, 0.4), share=st.floats(0.001, 0.1), relative=st.floats(0.2, 2.0))
def test_derivatives_are_those_of_the_logit_of_the_rate_of_everybody(rate, share, relative) -> None:
    step, h = Communal("x", (share, share * 1.5), (relative, relative * 1.5)), 1e-6

    def at(s: float, r: float) -> float:
        return float(logit(rate * (1 + s * (r - 1))))

    numeric = (logit(step.point(expit(logit(rate) + h))) - logit(step.point(expit(logit(rate) - h)))) / (2 * h)
    assert float(step.slope(rate)) == pytest.approx(float(numeric), rel=1e-4)
    s, r = share * 1.25, relative * 1.25
    wanted = {
        "communal-share:x": (at(s + h, r) - at(s - h, r)) / (2 * h) * share * 0.5 / np.sqrt(12),
        "communal-relative:x": (at(s, r + h) - at(s, r - h)) / (2 * h) * relative * 0.5 / np.sqrt(12),
    }
    found = step.loadings(rate)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(wanted, rel=1e-3, abs=1e-9)
    scores = step.scores(1, 1000)
    assert all(abs(one.mean()) < 1e-2 and one.std() == pytest.approx(1, abs=1e-2) for one in scores.values())


@pytest.mark.parametrize("same", [{"relative": [1, 1]}, {"share": [0, 0]}])
def test_nobody_else_or_people_like_the_others_change_nothing(small, same) -> None:
    plain = make_rates(small.model(), small.shelf, 500, 1)
    with_them = make_rates(households(small, **same), small.shelf, 500, 1)
    # The draws are moved to have the headline as their mean, which they had to within chance.
    np.testing.assert_allclose(with_them.draws.values, plain.draws.values, rtol=1e-3)


def test_wider_ranges_widen_and_two_needs_share_them(small) -> None:
    spread = []
    for relative in ([7, 7], [5, 9], [1, 13]):
        rates = make_rates(households(small, relative=relative), small.shelf, 4000, 1)
        spread.append(rates.draws.std("draw").values)
    assert (spread[0] < spread[1]).all()
    assert (spread[1] < spread[2]).all()
    step = Communal("x", (0.02, 0.04), (1.0, 13.0))
    drawn = [step.drawn(np.full((1, 500), rate), 1, survey)[0] for rate, survey in ((0.05, "a"), (0.2, "b"))]
    assert np.corrcoef(*drawn)[0, 1] > 0.999


def test_it_is_a_step_of_its_own(small) -> None:
    rates = make_rates(households(small), small.shelf, 4000, 1)
    people = read_population(small.shelf, "own-people")
    steps = {step.step: step for step in waterfall(rates, people, 0.95)}
    assert list(steps)[:2] == ["sampling", "communal"]
    assert steps["communal"].estimate == pytest.approx(steps["sampling"].estimate * 1.18)
    exact = sensitivity(rates, small.shelf, people, people.areas[0].code, people.years[0]).table.set_index("group")[
        "share"
    ]
    assert steps["communal"].share == pytest.approx(exact["crosswalk"], abs=0.05)


def test_too_much_left_out_is_refused_and_little_is_flagged(small) -> None:
    with pytest.raises(ModelError, match="could move the need by 24%") as told:
        make_rates(households(small, left_out=True), small.shelf, 500, 1)
    assert told.value.codes == ("R522",)
    few = make_rates(households(small, left_out=True, share=[0.001, 0.004]), small.shelf, 500, 1)
    assert "W522" in few.flags
    assert few.headline.values == pytest.approx(np.array([[4.0, 9.0], [3.0, 8.0]]) / 100)


def test_what_was_reached_is_not_added_again(small) -> None:
    model = small.model(
        prevalence={"sources": [{"source": "own-study", "communal": HOMES}], "errors": dict(small.exact)}
    )
    with pytest.raises(ModelError, match="not of households alone") as told:
        make_rates(model, small.shelf, 500, 1)
    assert told.value.codes == ("R411",)


def test_a_population_of_households_has_no_room_for_them(small) -> None:
    rates = make_rates(households(small), small.shelf, 500, 1)
    small.population("own-households", rows=small.people_rows(), base="household")
    with pytest.raises(AxisError, match="leaves them out") as told:
        need(rates, read_population(small.shelf, "own-households"))
    assert told.value.codes == ("R522",)


def test_a_rate_above_one_is_refused(small) -> None:
    with pytest.raises(ModelError, match="above one") as told:
        make_rates(households(small, share=[0.3, 0.4], relative=[30, 40]), small.shelf, 500, 1)
    assert told.value.codes == ("R414",)


@pytest.mark.parametrize("wrong", [{"share": [0.4, 0.2]}, {"relative": [3, 2]}, {"share": [0.5, 1.0]}])
def test_ranges_run_from_least_to_most(wrong) -> None:
    with pytest.raises(ValidationError, match="least to most"):
        CommunalUse.model_validate(HOMES | wrong)
