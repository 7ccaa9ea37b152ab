"""What each step did, and what share of the variance is its own."""

import pytest

import hna
from hna.answers.sensitivity import sensitivity
from hna.answers.waterfall import waterfall
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.model.rates import make_rates

HALTON = "E06000006"
STEPS = ("sampling", "study", "staleness", "transport")


@pytest.mark.parametrize("name", ["dementia", "common-mental-disorder", "autism-adults"])
def test_shares_agree_with_the_exact_division_of_the_variance(name):
    rates, people = hna.rates(name), hna.population("ons-mye-2023", areas=["Halton"])
    ours = {step.step: step.share for step in waterfall(rates, people, 0.95)}
    exact = sensitivity(rates, Shelf(), people, HALTON, 2023).table.set_index("group")["share"]
    assert sum(ours.values()) == pytest.approx(1)
    for step in STEPS:
        assert ours[step] == pytest.approx(exact[step], abs=0.04), step


def test_a_step_without_error_has_no_share(small):
    small.prevalence(rows=small.rates_rows())
    small.population(rows=small.people_rows(size=400_000))
    small.model(prevalence={"sources": ["own-study"], "errors": dict(small.exact) | {"study": 0.3}})
    rates = make_rates(small.shelf_model(), small.shelf, 2000, 1)
    found = {step.step: step.share for step in waterfall(rates, read_population(small.shelf, "own-people"), 0.95)}
    assert found["transport"] == pytest.approx(0)
    assert found["staleness"] == pytest.approx(0)
    assert found["study"] > 0.8
