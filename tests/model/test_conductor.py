"""The conductor: a model and the shelf become draws."""

import numpy as np
import pytest

from hna.answers.need import need
from hna.errors import AxisError, HnaError, ModelError, SourceError
from hna.evidence.population import read_population
from hna.model.rates import make_rates


def _model(small, **terms):
    errors = dict(small.exact) | terms
    return small.model(prevalence={"sources": ["own-study"], "errors": errors})


def _people(small, **options):
    small.population(rows=small.people_rows(size=400_000, **options))
    return read_population(small.shelf, "own-people")


def test_default_errors_follow_the_risk_of_bias_and_are_flagged(small):
    small.model(prevalence={"sources": ["own-study"]})
    for risk, spread in (("low", 0.10), ("moderate", 0.20), ("high", 0.35)):
        small.prevalence(rows=small.rates_rows(), appraisal={"tool": "x", "overall": risk, "notes": None})
        rates = make_rates(small.shelf_model(), small.shelf, 50, 1)
        assert [part.study for part in rates.parts] == [spread]
        assert "W131" in rates.flags
    assert "W131" not in make_rates(_model(small), small.shelf, 50, 1).flags


def test_household_surveys_single_rates_and_missing_guidance_are_flagged(small):
    study = {"design": "survey", "frame": "household", "fieldwork": [2010, 2010], "geography": "x", "sample_size": None,
             "response_rate": None, "exclusions": None}  # fmt: skip
    rows = [{"sex": "persons", "age_from": 65, "age_to": "", "estimate": 5.0, "lower": 4.0, "upper": 6.2}]
    small.prevalence(rows=rows, study=study)
    rates = make_rates(_model(small), small.shelf, 50, 1)
    assert {"W522", "W202", "W902"} <= set(rates.flags)
    found = need(rates, _people(small))
    assert "W162" in found.flags


def test_a_source_that_fits_poorly_in_one_respect_is_flagged(small):
    fits = {
        name: {"score": 4, "because": "like here"}
        for name in ("population", "setting", "time", "definition", "service")
    }
    for score, flagged in ((3, False), (2, True), (1, True)):
        judged = fits | {"definition": {"score": score, "because": "a narrower category"}}
        small.prevalence(rows=small.rates_rows(), applicability=judged)
        assert ("W161" in make_rates(_model(small), small.shelf, 20, 1).flags) is flagged


@pytest.mark.parametrize("bad", [{"score": 6, "because": "x y z"}, {"score": 0, "because": "x y z"}, {"score": 3}, 3])
def test_applicability_is_one_to_five_with_a_reason(small, bad):
    fits = {name: {"score": 4, "because": "like here"} for name in ("population", "setting", "time", "service")}
    small.prevalence(rows=small.rates_rows(), applicability=fits | {"definition": bad})
    with pytest.raises(SourceError, match="definition"):
        make_rates(_model(small), small.shelf, 20, 1)


def test_mixtures_draw_each_source_half_of_the_time(small):
    small.prevalence("lower", rows=small.rates_rows(scale=0.2))
    used = {"sources": ["own-study", "lower"], "combine": "mixture", "errors": small.exact}
    rates = make_rates(small.model(prevalence=used), small.shelf, 4000, 1)
    one = make_rates(_model(small), small.shelf, 4000, 1)
    np.testing.assert_allclose(rates.headline.values, 0.6 * one.headline.values, rtol=0.05)
    same = (rates.draws.transpose("draw", ...).values == one.draws.transpose("draw", ...).values).all(axis=(1, 2))
    assert same.mean() == pytest.approx(0.5, abs=1e-3)
    assert rates.draws.mean("draw").values == pytest.approx(rates.headline.values, rel=0.02)


def test_sources_of_different_measures_or_conditions_are_not_combined(small):
    small.prevalence("lower", rows=small.rates_rows(), measure="period-12")
    small.prevalence("falls", rows=small.rates_rows(), condition="falls")
    small.prevalence("ever", rows=small.rates_rows(), measure="lifetime")
    small.prevalence("by-watch", rows=small.rates_rows(), case_definition="sleeps under five hours by a watch")
    small.prevalence("again", rows=small.rates_rows())
    for other, *codes in (
        ("lower", "R301"), ("falls", "R301"), ("ever", "R301", "R171"), ("by-watch", "R301"), ("own-study", "R303"),
    ):  # fmt: skip
        used = {"sources": ["own-study", other], "combine": "mixture", "errors": small.exact}
        with pytest.raises(ModelError) as caught:
            make_rates(small.model(prevalence=used), small.shelf, 20, 1)
        assert caught.value.codes == tuple(codes)
    said = {"pool": {"same_definition": "both ask for the same hours"}}
    used = {"sources": ["own-study", "by-watch"], "combine": "mixture", "errors": small.exact}
    make_rates(small.model(prevalence=used | said), small.shelf, 20, 1)


def test_each_source_of_a_mixture_is_a_whole_run_beside_it(small):
    small.prevalence("lower", rows=small.rates_rows(scale=0.2))
    used = {"sources": ["own-study", "lower"], "combine": "mixture", "errors": small.exact}
    rates = make_rates(small.model(prevalence=used), small.shelf, 100, 1)
    assert [one.scenario for one in rates.scenarios] == ["own-study", "lower"]
    alone = make_rates(_model(small), small.shelf, 100, 1)
    np.testing.assert_array_equal(rates.scenarios[0].draws.values, alone.draws.values)
    assert "W301" in rates.flags


@pytest.mark.parametrize("field", [{"monotone": True}, {"sampler": "nuts"}])
def test_what_only_a_curve_by_age_uses_is_refused_elsewhere(small, field):
    used = {"sources": ["own-study", "lower", "third"], "combine": "random-effects", "pool": field}
    with pytest.raises(ModelError, match="would not be used: write combine: hierarchical-by-age"):
        small.model(prevalence=used)


@pytest.mark.parametrize(
    ("ages", "said"), [(("65-74", "75-84"), "cover ages"), (("65-74", "70+"), "overlap"), (("65-69", "75+"), "gap")]
)
def test_ages_that_do_not_make_up_the_models_are_refused(small, ages, said):
    small.prevalence("again", rows=small.rates_rows())
    used = [{"source": name, "ages": band} for name, band in zip(("own-study", "again"), ages, strict=True)]
    with pytest.raises((ModelError, AxisError), match=said):
        make_rates(small.model(prevalence={"sources": used, "errors": small.exact}), small.shelf, 20, 1)


def test_sources_named_without_ages_give_all_that_they_have(small):
    rows = small.rates_rows()
    small.prevalence("young", rows=[row for row in rows if row["age_from"] == 65])
    small.prevalence("old", rows=[row for row in rows if row["age_from"] == 75])
    model = small.model(prevalence={"sources": ["young", "old"], "errors": small.exact})
    assert make_rates(model, small.shelf, 20, 1).ages.labels == ["65-74", "75+"]


def test_a_study_switch_changes_only_the_sources(small):
    small.prevalence("higher", rows=small.rates_rows(scale=2.0))
    model = _model(small)
    switched = model.with_sources("higher")
    assert switched.model_dump(exclude={"prevalence"}) == model.model_dump(exclude={"prevalence"})
    one, two = (make_rates(found, small.shelf, 50, 1) for found in (model, switched))
    np.testing.assert_allclose(two.headline, 2 * one.headline)


@pytest.mark.parametrize("sex", ["female", "male"])
def test_a_need_of_one_sex_takes_that_sex(small, sex):
    model = small.model(sex=sex, prevalence={"sources": ["own-study"], "errors": small.exact})
    rates = make_rates(model, small.shelf, 50, 1)
    people = _people(small)
    found = need(rates, people)
    whole = need(make_rates(_model(small), small.shelf, 50, 1), people, ["area", "year", "sex"])
    np.testing.assert_allclose(found.draws, whole.draws.sel(sex=sex, drop=True))


def test_persons_rates_serve_a_population_by_sex(small):
    small.prevalence(
        rows=[{"sex": "persons", "age_from": 65, "age_to": "", "estimate": 5.0, "lower": 4.0, "upper": 6.2}]
    )
    people = _people(small)
    found = need(make_rates(_model(small), small.shelf, 50, 1), people)
    old = [n for n, band in enumerate(people.ages.bands) if band.low >= 65]
    np.testing.assert_allclose(found.headline.values[:, 0], 0.05 * people.people[:, 0][..., old].sum(axis=(1, 2)))


@pytest.mark.parametrize("terms", [{"transport": 1.5}, {"staleness": 0.1}], ids=["transport", "staleness"])
def test_errors_too_wide_to_keep_the_mean_are_refused(small, terms):
    """Allowed by the model file (up to 2, and 0.2 a year), and 9 to 24 % off the headline by 2043."""
    small.population(rows=small.people_rows(years=(2043,), size=400_000))
    people = read_population(small.shelf, "own-people")
    try:
        found = need(make_rates(_model(small, **terms), small.shelf, 4000, 1), people)
    except HnaError as error:
        assert "R141" in error.codes  # noqa: PT017
        return
    point = found.headline.values
    assert found.draws.mean("draw").values == pytest.approx(point, rel=0.03)


def test_a_study_without_a_date_is_not_surer_than_one_with_a_date(small):
    dated = make_rates(_model(small, staleness=0.02), small.shelf, 2000, 1)
    study = dict.fromkeys(
        ("design", "frame", "fieldwork", "geography", "sample_size", "response_rate", "exclusions")
    )  # fmt: skip
    small.prevalence(rows=small.rates_rows(), study=study)
    undated = make_rates(_model(small, staleness=0.02), small.shelf, 2000, 1)
    assert undated.at("N01", 2040).std() >= dated.at("N01", 2040).std() * 0.99


def test_notes_and_reasons_travel_with_the_rate(small):
    rates = make_rates(_model(small, study=0.1), small.shelf, 20, 1)
    assert any("logit" in note for note in rates.notes)
    assert rates.parts[0].reasons["study"] == "none, to see one thing"
    assert rates.universe.condition == "sleeplessness"
