"""People with any of several needs are bounded, never added up."""

import numpy as np
import pytest

import hna
from hna.answers.need import need
from hna.errors import AxisError, QuantityError
from hna.evidence.population import read_population
from hna.model.rates import make_rates

DRAWS = 200


@pytest.fixture(scope="module")
def people():
    return hna.population("ons-mye-2023", areas=["Halton", "Sefton"])


@pytest.fixture(scope="module")
def needs(people):
    names = ("dementia", "frailty", "child-mental-disorder")
    return {name: hna.need(hna.rates(name, draws=DRAWS), people) for name in names}


def test_needs_that_may_coincide_are_bounded_by_the_largest_and_the_sum(needs):
    found = hna.any_need([needs["dementia"], needs["frailty"]])
    points = [needs[name].headline.values.ravel() for name in ("dementia", "frailty")]
    np.testing.assert_allclose(found["fewest"], np.maximum(*points))
    np.testing.assert_allclose(found["most"], np.add(*points))
    assert found.columns.tolist() == ["area", "year", "fewest", "most", "lower", "upper"]
    assert (found["lower"] < found["fewest"]).all()
    assert (found["upper"] > found["most"]).all()


def test_needs_of_ages_that_never_meet_are_added(needs):
    found = hna.any_need([needs["dementia"], needs["child-mental-disorder"]])
    both = needs["dementia"].headline.values + needs["child-mental-disorder"].headline.values
    np.testing.assert_allclose(found["fewest"], both.ravel())
    np.testing.assert_allclose(found["most"], both.ravel())


def test_nobody_is_counted_who_does_not_live_there(small):
    rows = [{"sex": "persons", "age_from": 65, "age_to": "", "estimate": 70.0, "lower": 68.0, "upper": 72.0}]
    small.population(rows=small.people_rows(size=1000))
    people = read_population(small.shelf, "own-people")
    made = []
    for name in ("first", "second"):
        small.prevalence(name, rows=rows)
        small.model(need=name, prevalence={"sources": [name], "errors": small.exact})
        made.append(need(make_rates(small.shelf_model(name), small.shelf, DRAWS, 1), people))
    found = hna.any_need(made)
    everybody = made[0].population.people.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found["most"], everybody)
    np.testing.assert_allclose(found["upper"], everybody)
    np.testing.assert_allclose(found["fewest"], 0.7 * everybody)


@pytest.mark.parametrize(("pick", "error"), [(("dementia",), QuantityError), (("dementia", "dementia"), QuantityError)])
def test_fewer_than_two_needs_are_refused(needs, pick, error):
    with pytest.raises(error, match="two needs"):
        hna.any_need([needs[name] for name in pick])


def test_needs_of_different_areas_are_refused(needs, people):
    elsewhere = hna.need(hna.rates("frailty", draws=DRAWS), hna.population("ons-mye-2023", areas=["Halton"]))
    with pytest.raises(AxisError, match="different areas"):
        hna.any_need([needs["dementia"], elsewhere])
    by_sex = hna.need(hna.rates("frailty", draws=DRAWS), people, by=["area", "year", "sex"])
    with pytest.raises(AxisError, match="by area and year"):
        hna.any_need([needs["dementia"], by_sex])
