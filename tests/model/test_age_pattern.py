"""One rate for all ages: refused where the shelf shows how steep the ages are, or divided by such a pattern."""

import numpy as np
import pytest

from hna.answers.need import need
from hna.errors import HnaError
from hna.evidence.population import read_population
from hna.model.rates import make_rates
from hna.model.rates_parts import reference
from hna.run import Request, assess

ONE = [{"age_from": 65, "age_to": "", "estimate": 7.0, "lower": 6.0, "upper": 8.1}]
BECAUSE = "the same need, measured by age elsewhere"


def _steep(small, older=9.0, name="by-age", **fields):
    rows = [
        {"sex": sex, "age_from": low, "age_to": high, "estimate": rate * (1.2 if sex == "female" else 1.0)}
        for sex in ("female", "male")
        for low, high, rate in ((65, 69, 2.5), (70, 74, 3.5), (75, "", older))
    ]
    small.prevalence(name, rows=rows, uncertainty={"given": "none"}, **fields)


def _model(small, pattern=None, **more):
    small.prevalence(rows=ONE)
    used = {"source": "own-study"} | ({"pattern": {"source": pattern, "because": BECAUSE}} if pattern else {})
    return small.model(prevalence={"sources": [used], "errors": small.exact} | more)


def test_one_rate_for_all_ages_is_refused_where_it_is_known_to_be_steep(small):
    _steep(small)
    _model(small)
    with pytest.raises(HnaError, match="own-study is one rate for all ages 65") as caught:
        assess(Request(workspace=small.root, draws=100))
    assert "R203" in caught.value.codes
    assert "by-age" in str(caught.value)
    assert "pattern" in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [{"older": 5.0}, {"condition": "falls"}, {"measure": "period-12"}],
    ids=["not steep", "other need", "other period"],
)
def test_a_flat_or_another_pattern_refuses_nothing(small, fields):
    _steep(small, **fields)
    rates = make_rates(_model(small), small.shelf, 100, 1)
    assert "W202" in rates.flags


def test_two_bands_say_too_little(small):
    small.prevalence("by-age", rows=small.rates_rows())
    assert "W202" in make_rates(_model(small), small.shelf, 100, 1).flags


def test_rates_by_age_need_no_other(small):
    _steep(small)
    assert make_rates(small.model(), small.shelf, 100, 1).ages.labels == ["65-74", "75+"]


def test_one_rate_beside_others_is_told_and_not_refused(small):
    _steep(small)
    small.prevalence("flat", rows=ONE)
    model = small.model(prevalence={"sources": ["own-study"], "beside": ["flat"], "errors": small.exact})
    assert "W202" in make_rates(model, small.shelf, 100, 1).scenarios[0].flags


def test_a_pattern_keeps_the_rate_over_england_and_its_shape(small):
    _steep(small)
    flat = make_rates(_model(small, "by-age"), small.shelf, 500, 1)
    small.prevalence("alone", rows=ONE, condition="restlessness")
    plain = make_rates(small.model(prevalence={"sources": ["alone"], "errors": small.exact}), small.shelf, 500, 1)
    england = reference(small.shelf)
    people = england.on(("female", "male"), flat.ages).people[0, -1]
    assert (flat.headline.values * people.sum(axis=0)).sum() / people.sum() == pytest.approx(0.07)
    drawn = (flat.draws.values * people.sum(axis=0)[:, None]).sum(axis=(0, 1)) / people.sum()
    assert drawn.std() == pytest.approx(plain.draws.values.std(), rel=0.05)
    shape = (np.array([[3.0, 4.2, 10.8], [2.5, 3.5, 9.0]]) * people).sum(axis=0) / people.sum(axis=0)
    np.testing.assert_allclose(np.ravel(flat.headline.values) / np.ravel(flat.headline.values)[0], shape / shape[0])
    assert "by-age" in {source.id for source in flat.citations}
    assert "W202" not in flat.flags or flat.ages.widest > 10
    assert any("divided among ages by the pattern of by-age" in note for note in flat.notes)


def test_older_places_have_more_by_the_pattern_than_by_one_rate(small):
    """The error that R203 is about: the same people, older, and the same one rate."""
    _steep(small)
    rates = make_rates(_model(small, "by-age"), small.shelf, 100, 1)
    rows = [
        {
            "area_code": code,
            "area_name": code,
            "year": 2024,
            "sex": sex,
            "age_from": low,
            "age_to": high,
            "persons": persons,
        }
        for code, counts in {"N01": (600, 300, 100), "S02": (50, 50, 900)}.items()
        for sex in ("female", "male")
        for (low, high), persons in zip(((65, 69), (70, 74), (75, "")), counts, strict=True)
    ]
    small.population(rows=rows)
    found = need(rates, read_population(small.shelf, "own-people")).headline
    assert found.sel(area="S02").item() > 2 * found.sel(area="N01").item()


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"condition": "falls"}, "is of falls"),
        ({"measure": "lifetime"}, "lifetime"),
        ({"name": "elsewhere"}, "elsewhere|by-age"),
    ],
)
def test_a_pattern_of_something_else_is_refused(small, fields, match):
    _steep(small, **fields)
    with pytest.raises(HnaError, match=match):
        make_rates(_model(small, "by-age"), small.shelf, 100, 1)


def test_a_pattern_has_no_use_where_rates_are_by_age(small):
    _steep(small)
    used = [{"source": "own-study", "pattern": {"source": "by-age", "because": BECAUSE}}]
    with pytest.raises(HnaError, match="by age or by severity already"):
        make_rates(small.model(prevalence={"sources": used, "errors": small.exact}), small.shelf, 100, 1)


def test_a_pattern_that_takes_a_rate_above_one_is_refused(small):
    _steep(small, older=80.0)
    small.prevalence(rows=[{"age_from": 65, "age_to": "", "estimate": 70.0, "lower": 66.0, "upper": 74.0}])
    used = [{"source": "own-study", "pattern": {"source": "by-age", "because": BECAUSE}}]
    with pytest.raises(HnaError, match="above one"):
        make_rates(small.model(prevalence={"sources": used, "errors": small.exact}), small.shelf, 100, 1)
