"""Two factors at once: only where people are divided by both, and the ratios were adjusted for each other."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest
from scipy.special import logit

from hna.catalogue import bibtex
from hna.errors import HnaError
from hna.evidence.composition import read_composition
from hna.evidence.shelf import Shelf
from hna.model.rates import make_rates
from tests.model.test_local_part import SOURCE, STEP, model, workspace

GROUPS = ("white", "other")
PLACES = ("E92000001", "X1", "X2")
BY_DEPRIVATION = STEP | {"adjusted_for": ["age", "ethnicity"]}
BY_GROUP = STEP | {"factor": "ethnicity", "source": "groups", "adjusted_for": ["age", "deprivation"]}
COMPOSITION = """id: both
kind: composition
factor: deprivation
levels: ["1", "2", "3", "4", "5"]
within: {factor: ethnicity, levels: [white, other]}
base: resident
citation: {authors: A, year: 2022, title: Made for a test, container: J, locator: null, doi: null, url: null, licence: none}
read_from: primary table
"""


def persons(area, sex, low, fifth, group):
    """People of two places that make up a country, divided unlike each other."""
    first = 100 * (fifth + 1) * (3 if group == "white" else 1) + low
    second = 120 * (6 - fifth) * (1 if group == "white" else 2) + (50 if sex == "male" else 0)
    return {"X1": first, "X2": second, "E92000001": first + second}[area]


def both(folder, ratio=("other,16,,300,1000", "white,16,,250,1000"), composition=COMPOSITION, drop=0):
    workspace(folder)
    place = folder / "prevalence_sources" / "groups"
    place.mkdir()
    (place / "source.yaml").write_text(SOURCE.format(name="groups", given="counts"))
    (place / "table.csv").write_text("\n".join(["ethnicity,age_from,age_to,cases,sample", *ratio]) + "\n")
    place = folder / "data" / "composition" / "both"
    place.mkdir(parents=True)
    (place / "source.yaml").write_text(composition)
    rows = [
        f"{area},{area},2020,{sex},{low},{high},{fifth},{group},{persons(area, sex, low, fifth, group)}"
        for area, sex, (low, high), fifth, group in itertools.product(
            PLACES, ("female", "male"), ((0, 15), (16, 44), (45, "")), range(1, 6), GROUPS
        )
    ]
    head = "area_code,area_name,year,sex,age_from,age_to,deprivation,ethnicity,persons"
    (place / "table.csv").write_text("\n".join([head, *rows[drop:]]) + "\n")
    return Shelf(folder)


def test_the_national_number_holds_and_both_ratios_are_kept(tmp_path):
    shelf = both(tmp_path)
    rates = make_rates(model(BY_DEPRIVATION, BY_GROUP), shelf, 200, 3)
    held = read_composition(shelf, "both")
    people = {area: held.of(area, rates.sexes, rates.ages).sum(axis=-1)[..., None] for area in PLACES}
    terms = ("study", "staleness")
    added = sum(rates.at(area, 2020, terms)[0] * people[area] for area in ("X1", "X2"))
    national = make_rates(model(), shelf, 200, 3).at("", 2020, terms)[0]
    assert np.abs(added / (national * people["E92000001"]) - 1).max() < 1e-9
    shape = (len(rates.local.headline), 5, 2)
    odds = logit(rates.local.headline).reshape(shape)
    apart = odds[..., 1] - odds[..., 0]
    np.testing.assert_allclose(apart, logit(0.3) - logit(0.25), rtol=1e-9)
    np.testing.assert_allclose(odds[:, 0] - odds[:, 4], logit(0.34) - logit(0.2), rtol=1e-9)
    assert rates.local.levels[:3] == ("1, white", "1, other", "2, white")
    assert any("deprivation (ratio) and ethnicity (groups)" in note for note in rates.notes)
    assert {source.id for source in rates.citations} == {"rate", "ratio", "groups", "both"}


def test_the_order_of_the_steps_does_not_matter(tmp_path):
    shelf = both(tmp_path)
    one, other = (
        make_rates(model(*steps), shelf, 50, 3) for steps in ((BY_DEPRIVATION, BY_GROUP), (BY_GROUP, BY_DEPRIVATION))
    )
    np.testing.assert_allclose(one.at("X1", 2020), other.at("X1", 2020), rtol=1e-9)


def test_a_ratio_of_one_leaves_the_other_factor_alone(tmp_path):
    shelf = both(tmp_path, ("other,16,,250000000,1000000000", "white,16,,250000000,1000000000"))
    rates = make_rates(model(BY_DEPRIVATION, BY_GROUP), shelf, 50, 3)
    by_level = rates.local.headline.reshape(-1, 5, 2)
    np.testing.assert_allclose(by_level[..., 0], by_level[..., 1], rtol=1e-9)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([STEP, BY_GROUP], "R411"),
        ([BY_DEPRIVATION, BY_GROUP | {"adjusted_for": ["age"]}], "R411"),
        ([BY_DEPRIVATION, BY_GROUP | {"benchmark": "X1"}], "different values of benchmark"),
        ([BY_DEPRIVATION, BY_GROUP | {"method": "relative-risk"}], "different values of method"),
        (
            [BY_DEPRIVATION | {"composition": "imd-2019-mid-2020"}, BY_GROUP | {"composition": "imd-2019-mid-2020"}],
            "not deprivation and",
        ),
    ],
)
def test_what_is_refused(tmp_path, steps, words):
    with pytest.raises(HnaError, match=words):
        make_rates(model(*steps), both(tmp_path), 50)


def test_without_people_by_both_it_is_refused(tmp_path):
    shelf = both(tmp_path)
    shutil.rmtree(tmp_path / "data" / "composition" / "both")
    with pytest.raises(HnaError, match="R415"):
        make_rates(model(BY_DEPRIVATION, BY_GROUP), shelf, 50)


def test_faults_of_a_table_by_both_are_told(tmp_path):
    with pytest.raises(HnaError, match="cells are missing"):
        read_composition(both(tmp_path / "a", drop=1), "both")
    wrong = COMPOSITION.replace("[white, other]", "[white, black]")
    with pytest.raises(HnaError, match="ethnicity is not declared"):
        read_composition(both(tmp_path / "b", composition=wrong), "both")
    twice = COMPOSITION.replace("factor: ethnicity", "factor: deprivation")
    with pytest.raises(HnaError, match="another factor"):
        read_composition(both(tmp_path / "c", composition=twice), "both")


def test_it_is_cited_and_one_factor_uses_its_own_table(tmp_path):
    shelf = both(tmp_path)
    assert make_rates(model(STEP), shelf, 20).local.composition.source.id == "imd-2019-mid-2020"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "obesity.yaml").write_text(
        "need: obesity\ntitle: Obesity\nchapter: adults\nages: 16+\nprevalence: {sources: [rate]}\nlocal:\n"
        + "".join(
            f"  - {{method: odds-ratio, factor: {one['factor']}, source: {one['source']}, benchmark: england, "
            f"adjusted_for: [{', '.join(one['adjusted_for'])}]}}\n"
            for one in (BY_DEPRIVATION, BY_GROUP)
        )
    )
    assert "@misc{both," in bibtex(shelf, "obesity")
