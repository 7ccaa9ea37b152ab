"""A survey in a model file: every place gets a rate, as `survey.fit` has it; what is refused, and what is said of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from hna.answers.sensitivity import sensitivity
from hna.answers.waterfall import waterfall
from hna.catalogue import bibtex
from hna.checks import check_shelf
from hna.errors import HnaError
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.face import run
from hna.fit import fit_models
from hna.model.fit_store import FOLDER, keep
from hna.model.rates import make_rates
from hna.model.survey import Spec, fit
from hna.model.survey_asked import asked_survey
from hna.model.survey_part import survey_task

FORMULA = "cases / sample ~ sex + rw(age) + measure + (1 | area)"
BANDS = {"16-44": (16, 44), "45-64": (45, 64), "65+": (65, "")}
TOWNS = [f"T{n:02d}" for n in range(24)]
LAST = 20
"""Towns from here on were not asked."""


def made_up(workspace, *, levels: int = 0, **model):
    """Answers of 20 of 24 towns, people of all, and a measure of each; the model that goes with them."""
    rng = np.random.default_rng(5)
    measure, effect = rng.normal(size=24), rng.normal(0, 0.4, 24)
    answers, people, measures = [], [], []
    for t, town in enumerate(TOWNS):
        measures.append({"area_code": town, "measure": round(measure[t], 4)})
        for x, sex in enumerate(("female", "male")):
            for b, (low, high) in enumerate(BANDS.values()):
                cell = {"area_code": town, "area_name": town.lower(), "sex": sex, "age_from": low, "age_to": high}
                people.append(cell | {"year": 2022, "persons": int(rng.integers(800, 4000))})
                chance = 1 / (1 + np.exp(1.6 - 0.3 * x - 0.3 * b - 0.4 * measure[t] - effect[t]))
                for level in range(1, levels + 1) if levels else [0]:
                    asked = int(rng.integers(4, 12))
                    found = {"cases": int(rng.binomial(asked, chance)), "sample": asked}
                    answers.append(cell | found | ({"deprivation": level} if levels else {}))
    answers = [row for row in answers if row["area_code"] in TOWNS[:LAST]]
    workspace.measures(rows=measures, measure="a measure of the town")
    workspace.survey(rows=answers, **({"deprivation_levels": levels} if levels else {}))
    workspace.population(rows=people)
    workspace.model(ages="16+", prevalence=prevalence(**model))
    return pd.DataFrame(answers), pd.DataFrame(people), pd.DataFrame(measures)


def prevalence(errors=None, **use):
    survey = {"sample": "own-survey", "measures": "own-measures", "formula": FORMULA, "because": "made up for a test"}
    none = {"study": 0.0, "staleness": 0.0, "because": "none, to see one thing"}
    return {"combine": "survey", "sources": [], "errors": errors or none, "survey": survey | use}


def frames(answers, people, measures):
    """The same tables as `survey.fit` takes them."""

    def named(table):
        age = [
            f"{low}+" if high == "" else f"{low}-{high}"
            for low, high in zip(table["age_from"], table["age_to"], strict=True)
        ]
        joined = table.assign(age=age, area=table["area_code"]).merge(measures, on="area_code")
        return joined.rename(columns={"persons": "people"})

    return named(answers), named(people)


def test_every_place_has_the_rate_of_the_survey(workspace):
    sample, frame = frames(*made_up(workspace))
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 2000, 3)
    by_hand = fit(sample, Spec(FORMULA, area="area"), draws=2000, seed=4).poststratify(frame, realised=False)
    living = read_population(workspace.shelf, "own-people").on(("female", "male"), rates.ages)
    for n, town in enumerate(by_hand.labels):
        people = living.people[n, 0]
        drawn = (rates.at(town, 2022)[0] * people[..., None]).sum(axis=(0, 1)) / people.sum()
        theirs = by_hand.draws[n]
        assert drawn.mean() == pytest.approx(theirs.mean(), abs=5 * theirs.std() / np.sqrt(1000))
        assert drawn.std() == pytest.approx(theirs.std(), rel=0.15)
        assert float((rates.mean(town)[0] * people).sum() / people.sum()) == pytest.approx(drawn.mean())
    told = [rates.local.told(town) for town in TOWNS]
    assert all(0 < one.shrinkage < 1 and one.people > 0 for one in told[:LAST])
    assert all((one.people, one.own, one.shrinkage) == (0, None, 1.0) for one in told[LAST:])
    assert "N441" in rates.flags
    assert "N401" not in rates.flags
    assert {"own-survey", "own-measures", "own-people"} <= {source.id for source in rates.citations}
    assert any("4 of 24 areas" in note for note in rates.notes)


def test_the_errors_of_the_study_are_added_and_none_of_place(workspace):
    made_up(workspace, errors={"study": 0.3, "staleness": 0.05, "because": "test"})
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 4000, 3)
    assert not rates.has_transport
    alone, whole = (rates.at("T03", 2032, terms) for terms in ((), ("study", "staleness", "transport")))
    spread = [np.log(rate / (1 - rate)).std(axis=-1) for rate in (alone, whole)]
    expected = np.sqrt(spread[0] ** 2 + 0.3**2 + (0.05 * 10) ** 2)
    assert spread[1] == pytest.approx(expected, rel=0.05)
    assert whole.mean(axis=-1) == pytest.approx(rates.mean("T03"), rel=0.01)
    assert not np.allclose(rates.at("T03", 2022), rates.at("T04", 2022))
    steps = waterfall(rates, read_population(workspace.shelf, "own-people"), 0.95)
    assert [step.step for step in steps][:4] == ["sampling", "study", "staleness", "local"]
    assert "transport" not in [step.step for step in steps]
    assert "what the survey says of this place" in steps[3].what


def test_the_interval_of_a_place_is_divided(workspace):
    made_up(workspace, errors={"study": 0.2, "staleness": 0.02, "because": "test"})
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 1000, 3)
    people = read_population(workspace.shelf, "own-people")
    found = sensitivity(rates, workspace.shelf, people, "T03", 2022, realised=False)
    assert set(found.table["group"]) == {"sampling", "study", "staleness"}
    alone = rates.in_place("T03")
    assert alone.headline.values == pytest.approx(rates.mean("T03")[0])
    assert np.array_equal(alone.at("", 2022), rates.at("T03", 2022))
    assert alone.draws.values == pytest.approx(rates.at("T03", 0, ("study",))[0])
    need = (rates.at("T03", 2022)[0] * people.on(rates.sexes, rates.ages).people[3, 0][..., None]).sum(axis=(0, 1))
    assert (found.lower, found.upper) == pytest.approx(np.quantile(need, [0.025, 0.975]), rel=0.02)


def test_a_trend_moves_the_rate_of_every_place_beside_the_headline(workspace):
    made_up(workspace)
    trend = {"yearly": -0.02, "of": "odds", "citation": "made up for a test", "because": "to see it move"}
    workspace.model(ages="16+", prevalence=prevalence() | {"trend": trend})
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 300, 3)
    (moving,) = rates.scenarios
    for town in ("T05", "T22"):
        here, there = rates.mean(town, 2032), moving.mean(town, 2032)
        assert np.log(there / (1 - there)) - np.log(here / (1 - here)) == pytest.approx(10 * np.log(0.98), rel=0.02)


def test_people_by_deprivation_weigh_the_answers(workspace):
    made_up(workspace, levels=2, measures=None, formula="cases / sample ~ sex + deprivation + (1 | area)")
    with pytest.raises(HnaError, match="T00"):
        make_rates(workspace.shelf_model(), workspace.shelf, 500, 3)
    folder = workspace.root / "data" / "composition" / "own"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text(
        "id: own\nkind: composition\nfactor: deprivation\nlevels: ['1', '2', '3', '4']\nbase: resident\nread_from: primary table\n"
        "citation: {authors: A, year: 2024, title: T, container: C, locator: null, doi: null, url: null, licence: own work}\n"
    )
    rows = [
        f"{town},{town},2022,{sex},16,,{level},{100 if town == 'T01' and level > 2 else 0 if town == 'T01' else 50}"
        for town in TOWNS for sex in ("female", "male") for level in (1, 2, 3, 4)
    ]  # fmt: skip
    (folder / "table.csv").write_text(
        "\n".join(["area_code,area_name,year,sex,age_from,age_to,deprivation,persons", *rows]) + "\n"
    )
    rates = make_rates(workspace.shelf_model(), Shelf(workspace.root), 500, 3)
    share = rates.local.asked.shares("T01")
    assert share.shape == (2, 1, 2)
    assert share[..., 1] == pytest.approx(1)
    assert rates.local.asked.shares("T02") == pytest.approx(0.5)
    frame = pd.DataFrame({"area": "T01", "sex": ["female", "male"], "age": "16+", "deprivation": 2})
    assert rates.local.fit.rates(frame) == pytest.approx(rates.at("T01", 2022)[0, :, 0])


def test_a_larger_area_is_the_sum_of_its_places(workspace):
    made_up(workspace)
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 300, 3)
    ground = rates.local.ground
    ground.below["R1"] = ["T00", "T21"]
    ground.people["R1"] = ground.people["T00"] + ground.people["T21"]
    both = [rates.at(town, 2022)[0] * ground.people[town][..., None] for town in ("T00", "T21")]
    assert rates.at("R1", 2022)[0] * ground.people["R1"][..., None] == pytest.approx(sum(both))
    assert rates.local.told("R1").shrinkage is None
    with pytest.raises(HnaError, match="E06000006 is no area of own-people"):
        rates.at("E06000006", 2022)


def test_a_run_says_what_each_rate_rests_on(workspace, tmp_path):
    made_up(workspace)
    found = check_shelf(workspace.shelf)
    assert not found.faults
    assert [study.part for study in found.evidence[0].studies] == ["answers"]
    assert "@misc{own-measures" in bibtex(workspace.shelf, "sleeplessness")
    code = (
        "import sys\nfrom pathlib import Path\nfrom hna.run import Request, run\n"
        f"run(Request(('sleeplessness',), draws=400, workspace=Path({str(workspace.root)!r}), areas=('T01', 'T22')), "
        f"Path({str(tmp_path / 'out')!r}))\n"
        "assert not {'pymc', 'arviz', 'statsmodels', 'nutpie'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out" / "run.json").read_text())["assumed"]["sleeplessness"]["places"]
    assert told["T22"] == {"people": 0.0, "shrinkage": 1.0}
    assert 0 < told["T01"]["shrinkage"] < 1
    page = (tmp_path / "out" / "report.html").read_text()
    for said in ("From answers given in t01 and in places like it", "Nobody was asked in t22", "Shrinkage is how much"):
        assert said in page
    assert "Given the characteristics of the local population" not in page
    assert "synthetic estimate" not in page


def test_a_sampler_is_asked_for_ahead(workspace):
    made_up(workspace, sampler="nuts")
    model, shelf = workspace.shelf_model(), workspace.shelf
    with pytest.raises(HnaError, match="hna fit sleeplessness") as told:
        make_rates(model, shelf, 300, 1)
    assert told.value.codes == ("R393",)
    assert any("hna fit sleeplessness" in said for said in check_shelf(shelf).warnings)
    task = survey_task(model, shelf, 300, 1)
    assert task.ahead
    assert task.quick() < 0.7
    held, _, _ = asked_survey(model, shelf).ready.run("laplace", 300, 0, 1)
    arrays = {"columns": held.columns, "areas": held.areas, "sigma": held.sigma}
    name = f"sleeplessness-survey.{task.key}"
    keep(workspace.root / FOLDER, name, arrays, {"passed": False, "words": "r̂ 1.3"})
    with pytest.raises(HnaError, match="failed its diagnostics") as told:
        make_rates(model, shelf, 300, 1)
    assert told.value.codes == ("R391",)
    keep(workspace.root / FOLDER, name, arrays, {"passed": True, "words": "r̂ 1.001"})
    rates = make_rates(model, shelf, 300, 1)
    assert any("r̂ 1.001" in note for note in rates.notes)
    assert np.array_equal(rates.local.fit.posterior.areas, held.areas)
    with pytest.raises(HnaError, match="other inputs, seed or draws"):
        make_rates(model, shelf, 300, 2)
    workspace.standard("priors", survey_areas=0.6)
    with pytest.raises(HnaError, match="other inputs"):
        make_rates(model, Shelf(workspace.root), 300, 1)
    workspace.standard("priors", survey_areas=0.5)
    make_rates(model, Shelf(workspace.root), 300, 1)
    table = workspace.root / "data" / "surveys" / "own-survey" / "table.csv"
    table.write_text(table.read_text().replace("female", "male", 1))
    with pytest.raises(HnaError, match="other inputs"):
        make_rates(model, Shelf(workspace.root), 300, 1)


def test_fit_leaves_to_the_run_what_the_run_can_do(workspace):
    made_up(workspace)
    (found,) = fit_models([workspace.shelf_model()], workspace.shelf, 300, 1)
    assert found.passed
    assert found.what == "survey"
    assert "left to the run" in found.words
    assert not (workspace.root / FOLDER).exists()


@pytest.mark.skipif(
    os.environ.get("HNA_CALIBRATION") != "full", reason="compiles and runs a sampler: HNA_CALIBRATION=full"
)
def test_what_a_sampler_stores_agrees_with_the_quick_way(workspace):
    made_up(workspace, sampler="nuts")
    model, shelf = workspace.shelf_model(), workspace.shelf
    (found,) = fit_models([model], shelf, 2000, 1)
    assert found.passed, found.words
    (again,) = fit_models([model], shelf, 2000, 1)
    assert again.words.startswith("stored already")
    stored = make_rates(model, shelf, 2000, 1)
    workspace.model(ages="16+", prevalence=prevalence())
    quick = make_rates(workspace.shelf_model(), workspace.shelf, 2000, 1)
    for town in ("T01", "T05", "T22"):
        one, other = stored.at(town, 2022), quick.at(town, 2022)
        assert one.mean(axis=-1) == pytest.approx(other.mean(axis=-1), rel=0.05)
        assert one.std(axis=-1) == pytest.approx(other.std(axis=-1), rel=0.12)


REFUSED = [
    (("errors", {"transport": 0.2, "because": "x"}), "R311", "already hold how places differ"),
    (("formula", "cases / sample ~ educ + (1 | area)"), "", "columns that nothing holds"),
    (("formula", "cases / sample ~ sex"), "", r"no \(1 \| area\)"),
    (("formula", "ill ~ sex + (1 | area)"), "", "the outcome is ill"),
    (("formula", "cases / sample ~ sex * age"), "", "no term of a formula"),
    (("formula", "cases / sample ~ ethnicity + deprivation + (1 | area)"), "R415", "deprivation and ethnicity"),
    (("measures", "nowhere"), "", "nowhere"),
    (("population", "ons-mye-2023"), "", "areas with data are in no population"),
    (("sample", "nowhere"), "", "no surveys? is called|nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "said"), REFUSED, ids=[f"{one[0][0]}-{n}" for n, one in enumerate(REFUSED)])
def test_what_a_model_may_not_say(workspace, change, code, said):
    made_up(workspace, **{change[0]: change[1]})
    with pytest.raises(HnaError, match=said) as told:
        make_rates(workspace.shelf_model(), workspace.shelf, 300, 1)
    assert told.value.codes == ((code,) if code else ())
    assert all(fault.remedy for fault in told.value.faults)


def test_a_survey_that_would_not_be_used_is_told(workspace):
    made_up(workspace)
    model = workspace.shelf_model()
    with pytest.raises(HnaError, match="survey would not be used: write combine: survey"):
        workspace.model(ages="16+", prevalence=prevalence() | {"combine": "single", "sources": ["own-study"]})
    assert model.with_sources("own-study").prevalence.survey is None


def test_no_local_step_and_no_ages_beyond_those_asked(workspace):
    made_up(workspace)
    step = {"method": "odds-ratio", "factor": "deprivation", "source": "any", "benchmark": "england"}
    workspace.model(ages="16+", prevalence=prevalence(), local=[step])
    with pytest.raises(HnaError) as told:
        make_rates(workspace.shelf_model(), workspace.shelf, 300, 1)
    assert told.value.codes == ("R411",)
    workspace.model(ages="18+", prevalence=prevalence())
    with pytest.raises(HnaError, match="do not add up to ages 18") as told:
        make_rates(workspace.shelf_model(), workspace.shelf, 300, 1)
    assert told.value.codes == ("R201",)


BAD = [
    ({"cases": -1}, "a count is negative"),
    ({"cases": 99}, "more cases than people asked"),
    ({"sample": 0, "cases": 0}, "nobody was asked"),
    ({"weight": -2}, "a weight is not positive"),
    ({"sex": "persons"}, "some of one sex"),
    ({"area_code": ""}, "is blank"),
    ({"age_to": 50}, "age bands"),
    ({"deprivation": 9}, "how many levels"),
    ({"strata": "a"}, "unknown columns"),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[str(next(iter(one[0]))) + str(n) for n, one in enumerate(BAD)])
def test_every_fault_of_a_survey_is_told_with_file_and_remedy(workspace, change, said):
    answers, _, _ = made_up(workspace)
    rows = answers.to_dict("records")
    fill = {name: 1 for name in change if name not in answers}
    workspace.survey(rows=[row | fill for row in rows[:-1]] + [rows[-1] | change])
    found = check_shelf(workspace.shelf)
    told = [fault for fault in found.faults if said in fault.what]
    assert told, [str(fault) for fault in found.faults]
    assert all(fault.file.endswith((".csv", ".yaml")) and fault.remedy for fault in told)


def test_a_column_that_differs_within_an_area_is_refused(workspace):
    answers, _, _ = made_up(workspace, formula="cases / sample ~ (1 | stratum) + (1 | area)", measures=None)
    rows = answers.to_dict("records")
    same = [row | {"stratum": int(row["area_code"][1:]) % 4} for row in rows]
    workspace.survey(rows=same, columns={"stratum": "of sampling"})
    rates = make_rates(workspace.shelf_model(), Shelf(workspace.root), 300, 1)
    with pytest.raises(HnaError, match="nothing says what stratum is in T22"):
        rates.at("T22", 2022)
    workspace.survey(rows=[row | {"stratum": n % 4} for n, row in enumerate(rows)], columns={"stratum": "of sampling"})
    with pytest.raises(HnaError, match="people of one area differ"):
        make_rates(workspace.shelf_model(), Shelf(workspace.root), 300, 1)


@pytest.mark.shared
def test_a_published_population_of_districts(shared, workspace, tmp_path):
    """Poverty in 94 districts (emdi's synthetic EU-SILC), by `hna run`: a sample of 1,945 against all 25,000."""
    everybody = pd.read_csv(shared / "microdata" / "emdi_eusilcA_pop.csv.gz")
    sample = pd.read_csv(shared / "microdata" / "emdi_eusilcA_smp.csv")
    line = 0.6 * everybody["eqIncome"].median()
    truth = (everybody["eqIncome"] < line).groupby(everybody["district"]).mean()
    means = ["cash", "age_ben", "self_empl", "cap_inv", "tax_adj", "fam_allow", "rent", "unempl_ben", "eqsize"]
    areas = everybody.groupby("district")[means].mean().join(everybody.groupby("district")["state"].first())
    workspace.measures(
        rows=areas.rename_axis("area_code").reset_index().to_dict("records"), **{one: one for one in areas}
    )
    poor = (sample["eqIncome"] < line).astype(int)
    asked = zip(sample["district"], sample["gender"], poor, sample["weight"].round(4), strict=True)
    names = ("area_code", "sex", "cases", "weight")
    workspace.survey(rows=[dict(zip(names, row, strict=True)) for row in asked], weights="districts sampled unevenly")
    living = everybody.groupby(["district", "gender"]).size().reset_index(name="persons")
    living = living.rename(columns={"district": "area_code", "gender": "sex"})
    living = living.assign(area_name=living["area_code"], year=2022, age_from=0, age_to="")
    workspace.population(rows=living.to_dict("records"), basis="census")
    formula = f"cases / sample ~ sex + {' + '.join(means)} + (1 | state) + (1 | area)"
    workspace.model(ages="0+", prevalence=prevalence(formula=formula), compare={"areas": []})
    report = run("sleeplessness", workspace=workspace.root, out=tmp_path / "out", draws=2000)
    table = report.answers[0].figures
    table = table[(table["quantity"] == "prevalence") & (table["sex"] == "persons")].set_index("area_code")
    true = truth[table.index]
    direct = poor.groupby(sample["district"]).mean().reindex(table.index)
    sampled, error = direct.notna(), (table["estimate"] - true).abs()
    assert (len(table), int(sampled.sum())) == (94, 70)
    assert error[sampled].mean() < 0.7 * (direct - true).abs()[sampled].mean()
    # People are whole, so a limit may be the truth itself (nobody, in four districts): such a district is half inside.
    inside = (
        true.between(table["lower"], table["upper"]) * 1.0 + true.between(table["lower"], table["upper"], "neither")
    ) / 2
    assert 0.90 <= inside.mean() <= 0.98
    assert inside[~sampled].mean() >= 0.85
