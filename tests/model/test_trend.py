"""A rate that changes from year to year: a whole run beside the constant one, and in no interval."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hna.answers.need import need
from hna.answers.sensitivity import sensitivity
from hna.answers.stream import summarise
from hna.answers.waterfall import waterfall
from hna.errors import HnaError
from hna.evidence.population import read_population
from hna.model.rates import make_rates
from hna.model.spec import read_model
from hna.model.spec_trend import Trend
from hna.model.trend_part import RateTrend
from hna.run import Request, run
from tests.model.test_local_part import STEP, model, workspace
from tests.model.test_local_steps import HALTON, HELD, with_total

PRINTED = {"yearly": -0.02, "citation": "A. Analyst 2024, Table 3", "because": "a test"}
SDQ, DAWBA = "SDQ probable disorder", "DAWBA and clinical rating"


def changing(small, trend, **fields):
    prevalence = {"sources": ["own-study"], "errors": small.exact, "trend": trend}
    return small.model(prevalence=prevalence, **fields)


def surveys(small, *changed):
    """Two surveys of the need, five years apart."""
    for n, fields in enumerate(changed or ({}, {})):
        study = {
            "design": "survey", "frame": "both", "fieldwork": [2015 + 5 * n] * 2, "geography": "Mereshire",
            "sample_size": 2000, "response_rate": 0.6, "exclusions": None,
        }  # fmt: skip
        small.prevalence(f"survey-{n}", rows=small.rates_rows(scale=1.0 if n else 1.2), study=study, **fields)
    return {"sources": ["survey-0", "survey-1"], "because": "a test"}


@given(st.floats(-0.1, 0.1), st.integers(1, 30), st.integers(1, 30), st.sampled_from(["rate", "odds"]))
def test_years_follow_each_other(yearly, first, second, of):
    rates = np.array([[[0.001, 0.002]]])
    moving = RateTrend(yearly, np.nan, np.nan, of, np.array([2020.5, 2020.5]), "")
    whole = moving.moved(rates, 2020 + first + second, 1)
    later = RateTrend(yearly, np.nan, np.nan, of, np.array([2020.5 + first] * 2), "")
    np.testing.assert_allclose(
        later.moved(moving.moved(rates, 2020 + first, 1), 2020 + first + second, 1), whole, rtol=1e-12
    )
    np.testing.assert_allclose(moving.moved(rates, 2020, 1), rates, rtol=1e-14)
    back = RateTrend(-yearly / (1 + yearly), np.nan, np.nan, of, np.array([2020.5, 2020.5]), "")
    np.testing.assert_allclose(back.moved(whole, 2020 + first + second, 1), rates, rtol=1e-9)


def test_the_headline_is_the_constant_rate_and_the_trend_a_run_beside_it(small):
    small.population(rows=small.people_rows(years=(2024, 2034), size=400_000))
    people = read_population(small.shelf, "own-people")
    plain = make_rates(changing(small, None), small.shelf, 200, 1)
    rates = make_rates(changing(small, PRINTED), small.shelf, 200, 1)
    (beside,) = rates.scenarios
    assert beside.scenario == "trend"
    assert "W302" in rates.flags
    assert np.array_equal(need(rates, people).draws, need(plain, people).draws), "no draw of the headline moves"
    times = need(beside, people).headline / need(rates, people).headline
    np.testing.assert_allclose(times.sel(year=2024), 0.98**2, rtol=1e-12)
    np.testing.assert_allclose(times.sel(year=2034), 0.98**12, rtol=1e-12)
    drawn = need(beside, people).draws / need(rates, people).draws
    np.testing.assert_allclose(drawn.sel(year=2034), 0.98**12, rtol=1e-9)
    streamed = summarise(beside, people)
    np.testing.assert_allclose(streamed.values["estimate"][0], need(beside, people).headline, rtol=1e-12)
    steps = waterfall(beside, people.at([2034]), 0.95)
    assert steps[-1].estimate == pytest.approx(need(beside, people).headline.sel(area="N01", year=2034).item())


def test_the_change_between_two_surveys_is_that_of_their_odds(small):
    surveys(small)
    rates = make_rates(changing(small, surveys(small)), small.shelf, 500, 1)
    (beside,) = rates.scenarios
    assert beside.trend.of == "odds"
    assert beside.trend.yearly == pytest.approx((1 / 1.2) ** 0.2 - 1, abs=0.005)
    assert beside.trend.lower < beside.trend.yearly < beside.trend.upper
    assert {source.id for source in beside.citations} >= {"survey-0", "survey-1"}
    assert any("95% interval" in note and "does not hold" in note for note in beside.notes)
    later = make_rates(changing(small, surveys(small) | {"since": 2030}), small.shelf, 50, 1).scenarios[0]
    np.testing.assert_allclose(later.mean("", 2030), rates.mean(), rtol=1e-12)


def test_the_interval_of_a_changing_rate_is_divided(small):
    rates = make_rates(changing(small, PRINTED), small.shelf, 300, 1).scenarios[0]
    people = read_population(small.shelf, "own-people")
    found = sensitivity(rates, small.shelf, people, "N01", 2024, realised=False)
    assert found.estimate == pytest.approx(need(rates, people).headline.sel(area="N01").item(), rel=1e-9)


def test_it_goes_with_a_local_step(tmp_path):
    shelf = workspace(tmp_path)
    rates = make_rates(model(STEP, trend=PRINTED | {"since": 2020}), shelf, 100, 3)
    beside = rates.scenarios[0]
    np.testing.assert_allclose(beside.mean("E06000006", 2030) / rates.mean("E06000006"), 0.98**10, rtol=1e-12)
    np.testing.assert_allclose(beside.at("E06000006", 2030) / rates.at("E06000006", 2030), 0.98**10, rtol=1e-9)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (({"case_definition": DAWBA}, {"case_definition": SDQ}), "R301"),
        (({}, {"condition": "insomnia"}), "R301"),
        (({"measure": "period-12"}, {}), "R301"),
    ],
)
def test_a_break_in_method_is_no_trend(small, changed, words):
    with pytest.raises(HnaError, match=words):
        make_rates(changing(small, surveys(small, *changed)), small.shelf, 50, 1)


def test_surveys_in_the_wrong_order_or_without_dates_are_refused(small):
    found = surveys(small)
    with pytest.raises(HnaError, match="R302"):
        make_rates(changing(small, found | {"sources": found["sources"][::-1]}), small.shelf, 50, 1)
    with pytest.raises(HnaError, match="nowhere"):
        make_rates(changing(small, found | {"sources": ["survey-0", "nowhere"]}), small.shelf, 50, 1)
    rates = make_rates(changing(small, PRINTED | {"yearly": 0.4}), small.shelf, 50, 1).scenarios[0]
    with pytest.raises(HnaError, match="R414"):
        rates.at("N01", 2043)


def test_strata_keep_their_shares_and_add_up(shipped_shelf):
    shipped = read_model(shipped_shelf.model_file("dementia"))
    beside = make_rates(shipped, shipped_shelf, 50, 1).scenarios[0]
    for rates in (beside.mean("", 2043), beside.at("E06000006", 2043)):
        np.testing.assert_allclose(rates[1:].sum(axis=0), rates[0], rtol=1e-9)
    assert beside.trend.yearly == pytest.approx((0.065 / 0.935 / (0.083 / 0.917)) ** (1 / 18) - 1, rel=1e-9)
    assert np.isnan(beside.trend.lower)


@pytest.mark.parametrize(
    "wrong",
    [
        {"because": "x"},
        {"yearly": -0.01, "because": "a test"},
        {"yearly": -1.2, "citation": "A. Analyst 2024", "because": "a test"},
        {"sources": ["a", "b"], "yearly": -0.01, "citation": "A. Analyst 2024", "because": "a test"},
        {"sources": ["a"], "because": "a test"},
        {"sources": ["a", "b"], "of": "odds", "because": "a test"},
    ],
)
def test_a_trend_has_one_origin_with_its_citation(wrong):
    with pytest.raises(ValidationError):
        Trend.model_validate(wrong)


def test_a_run_writes_it_where_machines_read(small, tmp_path):
    small.population(rows=small.people_rows(years=(2024, 2034)))
    changing(small, PRINTED, known=[{"source": "own-register"}])
    report, _ = run(Request(("sleeplessness",), draws=100, workspace=small.root, years=(2024, 2034)), tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out" / "scenarios.csv")
    assert list(rows.columns[:2]) == ["need", "scenario"]
    headline = pd.read_csv(tmp_path / "out" / "gap.csv")
    assert set(headline.columns) == set(rows.columns) - {"scenario"}
    keys = ["area_code", "year"]
    at = [table[(table.quantity == "need") & (table.sex == "persons") & (table.age_band == "all")].set_index(keys).estimate
          for table in (rows, headline)]  # fmt: skip
    assert (at[0] / at[1]).to_numpy() == pytest.approx([0.98**2, 0.98**12] * 2)
    assert {"gap", "coverage"} <= set(rows.quantity)
    told = json.loads((tmp_path / "out" / "run.json").read_text())["scenarios"]["sleeplessness"]
    assert [(one["scenario"], one["yearly"], one["of"]) for one in told] == [("trend", -0.02, "rate")]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "if the rate falls by 2.0% a year" in page
    assert report.answers[0].scenarios


@pytest.mark.parametrize("of", ["rate", "odds"])
def test_a_known_total_holds_in_its_own_year(tmp_path, of):
    shelf = with_total(tmp_path)
    rates = make_rates(model(STEP, HELD, trend=PRINTED | {"of": of}), shelf, 100, 3)
    beside, year = rates.scenarios[0], rates.local.total.year
    np.testing.assert_allclose(beside.at(HALTON, year), rates.at(HALTON, year), rtol=1e-12)
    np.testing.assert_allclose(beside.mean(HALTON, year), rates.mean(HALTON), rtol=1e-12)
    assert beside.mean(HALTON, year + 5).max() < rates.mean(HALTON).max()
    people = read_population(shelf, "ons-mye-2020", [HALTON], [year])
    found, constant = (sensitivity(one, shelf, people, HALTON, year, realised=False) for one in (beside, rates))
    assert found.estimate == pytest.approx(constant.estimate, rel=1e-9)
    assert found.upper == pytest.approx(constant.upper, rel=1e-9)
    same = make_rates(model(STEP, HELD, trend=PRINTED | {"since": year}), shelf, 20, 3).scenarios[0]
    np.testing.assert_allclose(same.mean(HALTON, 2030), 0.98 ** (2030 - year) * rates.mean(HALTON), rtol=1e-12)
    with pytest.raises(HnaError, match="R411"):
        make_rates(model(STEP, HELD, trend=PRINTED | {"since": year - 3}), shelf, 20, 3)


@pytest.mark.parametrize(
    ("of", "words"), [("rate", "the rate falls by 2.0% a year"), ("odds", "the odds fall by 2.0% a year")]
)
def test_the_note_is_made_of_sentences(small, of, words):
    rates = make_rates(changing(small, PRINTED | {"of": of, "because": "It went on."}), small.shelf, 50, 1)
    (note,) = [one for one in rates.notes if "scenario" in one]
    assert f"{words} from" in note
    assert note.endswith("printed without its error. It went on.")
