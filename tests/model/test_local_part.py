"""A local step in a model file: what it holds, what it moves, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from hna.answers.need import need
from hna.answers.stream import summarise
from hna.errors import HnaError
from hna.evidence.composition import composition_for, read_composition
from hna.evidence.population import areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.model.rates import make_rates
from hna.model.spec import Model

SOURCE = """id: {name}
kind: prevalence
condition: obesity
case_definition: body mass index of 30 or more
measure: point
unit: percent
decimals: 1
uncertainty: {{given: {given}}}
severity: null
study: {{design: survey, frame: both, fieldwork: [2019, 2020], geography: England, sample_size: 9000, response_rate: 0.5,
        exclusions: null}}
appraisal: {{tool: hoy-2012, overall: low, notes: null}}
citation: {{authors: A, year: 2022, title: Made for a test, container: J, locator: null, doi: null, url: null, licence: none}}
read_from: primary table
"""
RATE = ["sex,age_from,age_to,cases,sample", "female,16,44,300,1500", "female,45,,600,2000", "male,16,44,250,1400",
        "male,45,,550,1900"]  # fmt: skip
FIFTHS = [f"{n + 1},16,,{cases},1000" for n, cases in enumerate((340, 300, 260, 230, 200))]
STEP = {
    "method": "odds-ratio",
    "factor": "deprivation",
    "source": "ratio",
    "benchmark": "england",
    "adjusted_for": ["age"],
}
PLACES = ("E06000006", "E08000014", "E92000001", "E12000002")


def workspace(folder, ratio=FIFTHS, head="deprivation,age_from,age_to,cases,sample", given="counts"):
    for name, rows in (("rate", RATE), ("ratio", [head, *ratio])):
        place = folder / "prevalence_sources" / name
        place.mkdir(parents=True)
        (place / "source.yaml").write_text(SOURCE.format(name=name, given="counts" if name == "rate" else given))
        (place / "table.csv").write_text("\n".join(rows) + "\n")
    return Shelf(folder)


def model(*steps, **prevalence):
    return Model.model_validate({
        "need": "obesity", "title": "Obesity", "chapter": "adults", "ages": "16+", "local": list(steps),
        "prevalence": {
            "sources": ["rate"], "errors": {"study": 0.1, "transport": 0.1, "staleness": 0.02, "because": "test"},
            **prevalence,
        },
    })  # fmt: skip


@pytest.fixture
def shelf(tmp_path):
    return workspace(tmp_path)


@pytest.mark.parametrize("method", ["odds-ratio", "relative-risk"])
def test_the_national_number_holds_in_every_draw(shelf, method):
    rates = make_rates(model(STEP | {"method": method}), shelf, 200, 3)
    national = make_rates(model(), shelf, 200, 3)
    codes = [area.code for area in areas_and_years(shelf, "ons-mye-2020")[0].areas]
    lower = [code for code in codes if code[:3] in ("E06", "E07", "E08", "E09")]
    people = read_population(shelf, "ons-mye-2020", lower).on(rates.sexes, rates.ages).people[:, 0]
    terms = ("study", "staleness")
    held = sum(rates.at(code, 2020, terms)[0] * here[..., None] for code, here in zip(lower, people, strict=True))
    whole = national.at("", 2020, terms)[0] * people.sum(axis=0)[..., None]
    assert len(lower) == 309
    assert np.abs(held / whole - 1).max() < 1e-9
    assert np.abs(rates.at("E92000001", 2020, terms) / national.at("", 2020, terms) - 1).max() < 1e-12
    assert rates.at("E06000006", 2020)[0].mean() > national.at("", 2020)[0].mean() * 1.05


def test_levels_keep_their_means_and_a_constant_ratio_changes_nothing(tmp_path, shelf):
    rates = make_rates(model(STEP), shelf, 4000, 3)
    for code in PLACES:
        drawn, point = rates.at(code, 2023)[0].mean(axis=-1), rates.mean(code)[0]
        assert np.abs(drawn / point - 1).max() < 0.005
    same = workspace(tmp_path / "same", [f"{n},16,,250000,1000000" for n in range(1, 6)])
    flat, plain = make_rates(model(STEP), same, 300, 3), make_rates(model(), same, 300, 3)
    assert np.abs(flat.mean("E06000006") / plain.mean() - 1).max() < 1e-9
    # The ratios' own sampling error is left, and it is small.
    assert np.abs(flat.at("E06000006", 2023) / plain.at("E06000006", 2023) - 1).max() < 0.02


def test_need_is_the_same_alone_streamed_and_added_up(shelf):
    rates = make_rates(model(STEP), shelf, 300, 3)
    people = read_population(shelf, "ons-mye-2023", PLACES)
    whole = need(rates, people)
    alone = need(rates, read_population(shelf, "ons-mye-2023", PLACES[:1]))
    assert np.array_equal(whole.draws.sel(area=PLACES[0]).values, alone.draws.sel(area=PLACES[0]).values)
    streamed = summarise(rates, people)
    for name, at in (("lower", 0.025), ("upper", 0.975)):
        expected = np.quantile(whole.draws.transpose("area", "year", "draw").values, at, axis=-1)
        assert np.allclose(streamed.values[name][0], expected, rtol=1e-9)
    assert np.allclose(streamed.values["estimate"][0], whole.headline.values, rtol=1e-12)


def test_a_small_area_is_of_one_level(shelf):
    rates = make_rates(model(STEP), shelf, 50, 3)
    composition = composition_for(shelf, "deprivation")
    deprived = next(
        code for code, people in composition.people.items() if code.startswith("E01") and people[0, 0, 0] == 1
    )
    assert np.allclose(rates.mean(deprived)[0].ravel(), rates.local.headline[:, 0])


def test_ends_alone_are_joined_only_where_the_model_says_so(tmp_path):
    shelf = workspace(tmp_path, [FIFTHS[0], FIFTHS[4]])
    with pytest.raises(HnaError, match="lacks levels"):
        make_rates(model(STEP), shelf, 50)
    rates = make_rates(model(STEP | {"between": "straight"}), shelf, 50)
    steps = np.diff(np.log(rates.local.headline / (1 - rates.local.headline)), axis=1)
    assert np.allclose(steps, steps[:, :1])
    assert "W131" in rates.flags


def test_it_is_said_to_be_synthetic(shelf):
    rates = make_rates(model(STEP), shelf, 50)
    assert "N401" in rates.flags
    assert any("synthetic estimate" in note and "total of England" in note for note in rates.notes)
    assert {source.id for source in rates.citations} == {"rate", "ratio", "imd-2019-mid-2020"}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([STEP | {"benchmark": None}], "R412"),
        ([STEP, STEP], "R411"),
        ([STEP | {"adjusted_for": []}], "R413"),
        ([STEP, STEP | {"factor": "ethnicity"}], "R411"),
        ([STEP | {"source": "rate"}], "has rates by no groups"),
        ([STEP | {"factor": "ethnicity"}], "column ethnicity"),
        ([STEP | {"composition": "nowhere"}], "nowhere"),
    ],
)
def test_what_is_refused(shelf, steps, words):
    with pytest.raises(HnaError, match=words):
        make_rates(model(*steps), shelf, 50)


def test_a_rate_already_adjusted_is_not_adjusted_again(shelf):
    with pytest.raises(HnaError, match="R411"):
        make_rates(model(STEP, sources=[{"source": "rate", "adjusted_for": ["deprivation"]}]), shelf, 50)


def test_a_place_without_a_composition_is_refused(shelf):
    with pytest.raises(HnaError, match="R415"):
        make_rates(model(STEP), shelf, 50).at("X1", 2023)


NARROW = [f"{low},{low + 9}" for low in range(15, 85, 10)]


@pytest.mark.parametrize(
    ("bands", "wide"),
    [
        (["16,44", "45,"], "16-44"),
        (["16,24", "25,44", "45,54", "55,64", "65,74", "75,"], "25-44"),
        (["0,24", *NARROW[1:], "85,"], None),
        ([*NARROW, "85,"], None),
        (["16,"], r"16\+"),
        (["16,64", "65,"], "16-64"),
    ],
)
def test_ratios_are_by_age_or_adjusted_for_it(tmp_path, bands, wide):
    """A band of many ages holds a difference of age between levels; one that no one of the need is in says nothing."""
    rows = [row.replace("16,", band, 1) for band in bands for row in FIFTHS]
    shelf = workspace(tmp_path, rows)
    (tmp_path / "prevalence_sources" / "rate" / "table.csv").write_text(
        "age_from,age_to,cases,sample\n25,34,60,400\n35,44,90,400\n"
    )
    one = model(STEP | {"adjusted_for": []}).model_copy(update={"ages": "25-44"})
    if wide is None:
        assert make_rates(one, shelf, 30).local is not None
        return
    with pytest.raises(HnaError, match=wide) as told:
        make_rates(one, shelf, 30)
    assert told.value.codes == ("R413",)


def test_points_alone_need_a_judged_range(tmp_path):
    rows = [f"{n + 1},16,,{value}" for n, value in enumerate((34, 30, 26, 23, 20))]
    shelf = workspace(tmp_path, rows, "deprivation,age_from,age_to,estimate", "none")
    with pytest.raises(HnaError, match="R113"):
        make_rates(model(STEP), shelf, 50)
    judged = {"relative": [0.85, 1.15], "because": "test"}
    assert make_rates(model(STEP | {"judged": judged}), shelf, 50).local is not None


def test_ages_and_sexes_of_the_composition_are_those_of_the_estimate():
    shelf = Shelf()
    composition = read_composition(shelf, "imd-2019-mid-2020")
    published = read_population(shelf, "ons-mye-2020")
    for n, area in enumerate(published.areas):
        assert np.array_equal(composition.people[area.code].sum(axis=-1), published.people[n, 0])
    lower = [code for code in composition.people if code[:3] in ("E06", "E07", "E08", "E09")]
    held = [code for code in lower if code in {area.code for area in published.areas}]
    assert np.array_equal(sum(composition.people[code] for code in held), composition.people["E92000001"])


def test_ratios_are_not_carried_beyond_their_ages(tmp_path):
    older = [row.replace(",16,,", ",65,,") for row in FIFTHS]
    with pytest.raises(HnaError, match="no rates by deprivation for persons aged 16-44") as told:
        make_rates(model(STEP), workspace(tmp_path / "older", older), 20, 3)
    assert told.value.codes == ("R201",)
    adults = [row.replace(",16,,", ",18,,") for row in FIFTHS]
    plain, wider = (
        make_rates(model(STEP), workspace(tmp_path / name, rows), 20, 3)
        for name, rows in (("same", FIFTHS), ("adults", adults))
    )
    np.testing.assert_allclose(wider.local.headline, plain.local.headline)
