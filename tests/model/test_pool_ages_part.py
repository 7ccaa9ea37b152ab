"""Pooling by age from a model file: what runs, what is stored ahead, what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from hna.answers.sensitivity import sensitivity
from hna.answers.waterfall import waterfall
from hna.errors import HnaError
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.fit import fit_models
from hna.model.correction import WHOLE
from hna.model.defaults import read_defaults
from hna.model.fit_sampler import Diagnostics
from hna.model.fit_store import FOLDER, keep
from hna.model.pool_ages_part import curves_asked
from hna.model.rates import make_rates
from hna.model.rates_parts import make_part
from hna.model.rules import rules
from hna.model.spec import Model
from hna.model.spec_rate import Pooling

SOURCE = """id: {name}
kind: prevalence
condition: dementia
case_definition: clinical dementia
measure: point
unit: percent
decimals: 1
uncertainty: {{given: counts}}
severity: null
study: {{design: survey, frame: both, fieldwork: [2009, 2010], geography: England, sample_size: 9000, response_rate: 0.5,
        exclusions: null}}
appraisal: {{tool: hoy-2012, overall: low, notes: null}}
citation: {{authors: A, year: 2012, title: Made for a test, container: J, locator: null, doi: null, url: null, licence: none}}
read_from: primary table
"""
STUDIES = {
    "a": ["65,74,20,1000", "75,84,70,800", "85,,90,400"],
    "b": ["65,69,10,700", "70,79,40,900", "80,,120,700"],
    "c": ["65,79,60,1500", "80,89,80,500", "90,,60,180"],
}

BANDS = ("65,69", "70,74", "75,79", "80,84", "85,89", "90,")


@pytest.fixture
def shelf(tmp_path):
    for name, rows in STUDIES.items():
        folder = tmp_path / "prevalence_sources" / name
        folder.mkdir(parents=True)
        (folder / "source.yaml").write_text(SOURCE.format(name=name))
        (folder / "table.csv").write_text("\n".join(["age_from,age_to,cases,sample", *rows]) + "\n")
    return Shelf(tmp_path)


def model(sources=("a", "b", "c"), ages="65+", **prevalence):
    return Model.model_validate({
        "need": "dementia", "title": "Dementia", "chapter": "older-people", "ages": ages,
        "prevalence": {"sources": list(sources), "combine": "hierarchical-by-age", **prevalence},
    })  # fmt: skip


def asked(one, shelf, draws=300, seed=1):
    defaults = read_defaults(shelf)
    parts = [make_part(one, shelf, used, draws, seed, defaults) for used in one.prevalence.sources]
    return curves_asked(one, shelf, parts, draws, seed, defaults)[0]


def test_studies_of_other_bands_become_one_rate_by_age(shelf):
    rates = make_rates(model(), shelf, 1000, 1)
    assert rates.ages.labels == ["65-69", "70-74", "75-79", "80-84", "85-89", "90+"]
    mean = rates.mean()[0, 0]
    assert (np.diff(mean) > 0).all()
    assert mean[1] == pytest.approx(0.03, rel=0.5)
    assert rates.draws.values.reshape(len(mean), -1).mean(axis=-1) == pytest.approx(mean, rel=1e-6)
    assert not rates.has_transport
    assert {source.id for source in rates.citations} >= {"a", "b", "c"}
    assert any("Pareto k̂" in note for note in rates.notes)
    wide = np.log(np.quantile(rates.draws.values.reshape(len(mean), -1), [0.025, 0.975], axis=-1))
    assert (np.diff(wide, axis=0) > 0.3).all()


def test_ages_need_overlap_only_from_one_study_to_the_next(shelf):
    """65-74, 74-85 and 84 and over are one chain; without the middle study a difference of age is one of studies."""
    rows = {"young": ["65,74,30,1200"], "middle": ["74,85,75,800"], "old": ["84,,110,500"]}
    for name, held in rows.items():
        folder = shelf.workspace / "prevalence_sources" / name
        folder.mkdir()
        (folder / "source.yaml").write_text(SOURCE.format(name=name))
        (folder / "table.csv").write_text("\n".join(["age_from,age_to,cases,sample", *held]) + "\n")
    again = Shelf(shelf.workspace)
    rates = make_rates(model(("young", "middle", "old")), again, 300, 1)
    assert rates.ages.labels == ["65-73", "74-83", "84+"]
    with pytest.raises(HnaError, match="do not overlap") as told:
        make_rates(model(("young", "old")), again, 300, 1)
    assert "R301" in told.value.codes


def test_a_band_that_reaches_beyond_the_need_is_read_whole(shelf):
    """A rate of 65-74 is the mean of the curve over all of them, though people of 67 and over are asked for."""
    whole, cut = make_rates(model(), shelf, 1000, 1), make_rates(model(ages="67+"), shelf, 1000, 1)
    assert cut.ages.labels == ["67-69", *whole.ages.labels[1:]]
    assert whole.mean()[0, 0, 0] < cut.mean()[0, 0, 0] < whole.mean()[0, 0, 1]
    assert cut.mean()[0, 0, 1:] == pytest.approx(whole.mean()[0, 0, 1:], rel=0.02)
    assert asked(model(ages="67+"), shelf).reported == asked(model(), shelf).reported


def test_a_run_never_imports_a_sampler(shelf):
    done = subprocess.run([sys.executable, "-c", run_of(shelf, "None")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_sampler_is_asked_for_ahead(shelf):
    one = model(pool={"sampler": "nuts"})
    with pytest.raises(HnaError, match="hna fit dementia") as told:
        make_rates(one, shelf, 300, 1)
    assert told.value.codes == ("R393",)
    wanted = asked(one, shelf)
    curve = wanted.laplace(1, 300)
    arrays = {"curve": curve.curve, "setting": curve.setting, "tau": curve.tau}
    folder = shelf.workspace / FOLDER
    keep(folder, f"dementia-persons.{wanted.key}", arrays, {"passed": False, "words": "r̂ 1.3"})
    with pytest.raises(HnaError, match="failed its diagnostics") as told:
        make_rates(one, shelf, 300, 1)
    assert told.value.codes == ("R391",)
    keep(folder, f"dementia-persons.{wanted.key}", arrays, {"passed": True, "words": "r̂ 1.001"})
    stored = make_rates(one, shelf, 300, 1)
    assert np.allclose(stored.mean(), make_rates(model(), shelf, 300, 1).mean())
    with pytest.raises(HnaError, match="other inputs, seed or draws"):
        make_rates(one, shelf, 300, 2)
    priors = shelf.workspace / "data" / "standards" / "priors.yaml"
    priors.parent.mkdir(parents=True)
    priors.write_text('curve_bends: {value: 0.5, because: "for a test"}\n')
    with pytest.raises(HnaError, match="other inputs"):
        make_rates(one, Shelf(shelf.workspace), 300, 1)
    priors.unlink()
    table = shelf.workspace / "prevalence_sources" / "a" / "table.csv"
    table.write_text(table.read_text().replace("20,1000", "21,1000"))
    with pytest.raises(HnaError, match="other inputs"):
        make_rates(one, Shelf(shelf.workspace), 300, 1)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_stored_fit_shows_what_its_corrections_did(shelf, monkeypatch, trusted):
    """Rates before a correction are shown by nested Laplace: no fit of their own is asked for."""
    one = carried(shelf, "ab", pair="6,8,2,84")
    again = Shelf(shelf.workspace)
    quick = make_rates(one, again, 400, 1)
    asks = one.prevalence.model_copy(update={"pool": Pooling(sampler="nuts")})
    one = one.model_copy(update={"prevalence": asks})
    wanted = asked(one, again, draws=400)
    curve = wanted.laplace(1, 400)
    arrays = {"curve": curve.curve, "setting": curve.setting, "tau": curve.tau}
    keep(shelf.workspace / FOLDER, f"dementia-persons.{wanted.key}", arrays, {"passed": True, "words": "r̂ 1.001"})
    if not trusted:
        ours = replace(rules(), khat_below=-9.0)
        monkeypatch.setattr("hna.model.pool_ages_part.rules", lambda: ours)
    stored = make_rates(one, again, 400, 1)
    assert [step.step for step in stored.before] == ["crosswalk"]
    people = read_population(again, "ons-mye-2023", ["E06000006"])
    steps = {step.step: step for step in waterfall(stored, people, 0.95)}
    assert list(steps)[:2] == ["sampling", "crosswalk"]
    assert steps["sampling"].estimate > 1.1 * steps["crosswalk"].estimate, "the other definition finds more"
    exact = sensitivity(stored, again, people, "E06000006", 2023, realised=False).table.set_index("group")["share"]
    theirs = sensitivity(quick, again, people, "E06000006", 2023, realised=False).table.set_index("group")["share"]
    assert exact.to_dict() == pytest.approx(theirs.to_dict(), abs=0.1), "a fit is drawn a second time in another order"
    plain = {step.step: step for step in waterfall(quick, people, 0.95)}
    assert steps["crosswalk"].share == pytest.approx(plain["crosswalk"].share, abs=0.02)
    assert any("may not be trusted here" in note for note in stored.notes) is not trusted


def test_weights_that_may_not_be_trusted_ask_for_a_fit(shelf, monkeypatch):
    monkeypatch.setattr("hna.model.pool_ages.rules", lambda: replace(rules(), khat_below=-9.0))
    with pytest.raises(HnaError, match="hna fit dementia") as told:
        make_rates(model(), shelf, 300, 1)
    assert told.value.codes == ("R393",)
    wide = asked(model(), shelf).people.size
    diverges = Diagnostics(1.001, 900.0, 800.0, 0.02, 1, "nutpie")
    for found, passed in ((diverges, False), (replace(diverges, divergences=0), True)):
        arrays = {"curve": np.full((wide, 300), -2.0), "setting": np.zeros(300), "tau": np.full(300, 0.2)}
        monkeypatch.setattr("hna.model.pool_ages_nuts.fit_ages", lambda *_, out=(arrays, found): out)
        (stored,) = fit_models([model()], shelf, 300, 1)
        assert stored.passed is passed
        if passed:
            assert make_rates(model(), shelf, 300, 1).mean() == pytest.approx(1 / (1 + np.exp(2.0)))
        else:
            with pytest.raises(HnaError, match="divergences 1") as told:
                make_rates(model(), shelf, 300, 1)
            assert told.value.codes == ("R391",)


def test_a_run_with_a_stored_fit_pays_nothing_for_it(shelf):
    wanted = asked(model(pool={"sampler": "nuts"}), shelf)
    curve = wanted.laplace(1, 300)
    arrays = {"curve": curve.curve, "setting": curve.setting, "tau": curve.tau}
    record = {"passed": True, "words": "r̂ 1.001"}
    keep(shelf.workspace / FOLDER, f"dementia-persons.{wanted.key}", arrays, record)
    done = subprocess.run(
        [sys.executable, "-c", run_of(shelf, "{'sampler': 'nuts'}")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def run_of(shelf, pool: str) -> str:
    """A program that makes the model's rates and looks at what was imported for it."""
    # pytest is imported by the test module itself, and brings none of them.
    return (
        "import sys\nfrom pathlib import Path\nfrom hna.evidence.shelf import Shelf\nfrom hna.model.rates import make_rates\n"
        "sys.path.insert(0, 'tests/model')\nfrom test_pool_ages_part import model\n"
        f"make_rates(model(pool={pool}), Shelf(Path({str(shelf.workspace)!r})), 300, 1)\n"
        "assert not {'pymc', 'arviz', 'statsmodels', 'nutpie'} & set(sys.modules), sorted(sys.modules)\n"
    )


def test_fit_leaves_to_the_run_what_the_run_can_do(shelf):
    found = list(fit_models([model()], shelf, 300, 1))
    assert [one.passed for one in found] == [True]
    assert "left to the run" in found[0].words
    assert not (shelf.workspace / FOLDER).exists()


@pytest.mark.calibration
@pytest.mark.skipif(
    os.environ.get("HNA_CALIBRATION") != "full", reason="compiles and runs a sampler: HNA_CALIBRATION=full"
)
def test_fit_stores_what_a_run_uses(shelf):
    pytest.importorskip("nutpie")
    one = model(pool={"sampler": "nuts"})
    (first,) = fit_models([one], shelf, 300, 1)
    assert first.passed
    assert "r̂" in first.words
    (second,) = fit_models([one], shelf, 300, 1)
    assert "stored already" in second.words
    sampled, quick = make_rates(one, shelf, 300, 1), make_rates(model(), shelf, 300, 1)
    assert sampled.mean() == pytest.approx(quick.mean(), rel=0.08)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sources": ("a",)}, "R302"),
        ({"sources": ({"source": "a", "study": "x"}, {"source": "b", "study": "x"})}, "R303"),
        ({"errors": {"transport": 0.2, "because": "x"}}, "R311"),
        ({"sources": ({"source": "a", "ages": "65-74"}, {"source": "c", "ages": "80+"})}, "R301"),
        ({"ages": "60+"}, "R201"),
    ],
)
def test_what_cannot_be_pooled(shelf, changed, code):
    with pytest.raises(HnaError) as told:
        make_rates(model(**changed), shelf, 100, 1)
    assert code in told.value.codes


def test_leaving_one_study_out_is_told(shelf):
    notes = make_rates(model(), shelf, 200, 1).notes
    assert any(
        "leaving one study out gives" in note and "furthest from what the others predict" in note for note in notes
    )


def test_a_study_in_conflict_with_the_others_is_refused(shelf):
    folder = shelf.workspace / "prevalence_sources" / "c"
    (folder / "table.csv").write_text("age_from,age_to,cases,sample\n65,79,900,1500\n80,89,450,500\n90,,170,180\n")
    for name, rows in (("d", ["65,74,20,1000", "75,,160,1200"]), ("e", ["65,,170,2100"]), ("f", ["65,,180,2200"])):
        (shelf.workspace / "prevalence_sources" / name).mkdir()
        (shelf.workspace / "prevalence_sources" / name / "source.yaml").write_text(SOURCE.format(name=name))
        text = "\n".join(["age_from,age_to,cases,sample", *rows]) + "\n"
        (shelf.workspace / "prevalence_sources" / name / "table.csv").write_text(text)
    with pytest.raises(HnaError, match=r"c: \d\d") as told:
        make_rates(model(("a", "b", "c", "d", "e", "f")), Shelf(shelf.workspace), 200, 1)
    assert told.value.codes == ("R332",)


def carried(shelf, names, between=0.0, pair="3,4,4,89", sources="abc"):
    """The same studies, of which some are carried to their own definition by a vague crosswalk."""
    folder = shelf.workspace / "data" / "crosswalks" / "pairs"
    folder.mkdir(parents=True, exist_ok=True)
    citation = SOURCE[SOURCE.index("citation:") : SOURCE.index("read_from")].format()
    (folder / "source.yaml").write_text(
        "id: pairs\nkind: crosswalk\ncondition: dementia\nalternative: {case_definition: clinical dementia, measure: point}\n"
        "reference: {case_definition: clinical dementia, measure: point}\nmatched: people\ngiven: two-by-two\n"
        f"{citation}read_from: primary table\n"
    )
    (folder / "table.csv").write_text(f"pair,both,alternative_only,reference_only,neither\nx,{pair}\n")
    walk = {"source": "pairs", "because": "a test", "between": between}
    return model([{"source": name, "crosswalk": walk} if name in names else name for name in sources])


def test_an_error_that_all_studies_share_moves_the_whole_curve(shelf):
    plain = make_rates(model(), shelf, 4000, 1)
    same = make_rates(carried(shelf, "abc", pair="100000,0,0,900000"), Shelf(shelf.workspace), 4000, 1)
    assert same.draws.values == pytest.approx(plain.draws.values, rel=1e-3)
    assert [one.step for one in same.before] == ["crosswalk"]
    shared = make_rates(carried(shelf, "abc"), Shelf(shelf.workspace), 4000, 1)
    beta = shared.parts[0].corrections.steps[0][1]
    spread, still = (np.log(one.draws / (1 - one.draws)).std("draw").values for one in (shared, plain))
    assert spread**2 == pytest.approx(still**2 + beta.error**2, rel=0.1)
    # Of one study's error only what the curve leans on it.
    one = make_rates(carried(shelf, "a"), Shelf(shelf.workspace), 4000, 1)
    alone = np.log(one.draws / (1 - one.draws)).std("draw").values
    assert (alone < 0.8 * spread).all()


def test_the_error_of_a_correction_weighs_as_it_does_in_random_effects(shelf):
    """Four large studies that differ in level alone: pooled by age or cell by cell by random effects, they weigh alike."""
    for name, level in {"a": 90, "b": 60, "c": 66, "d": 54}.items():
        folder = shelf.workspace / "prevalence_sources" / name
        folder.mkdir(exist_ok=True)
        (folder / "source.yaml").write_text(SOURCE.format(name=name))
        bands = "".join(f"{band},{level},1000\n" for band in BANDS)
        (folder / "table.csv").write_text(f"age_from,age_to,cases,sample\n{bands}")
    found = {}
    for walked in ("", "a", "ab"):
        one = carried(shelf, walked, sources="abcd")
        for combine in ("hierarchical-by-age", "random-effects"):
            prevalence = one.prevalence.model_copy(update={"combine": combine, "pool": None})
            rates = make_rates(one.model_copy(update={"prevalence": prevalence}), Shelf(shelf.workspace), 4000, 1)
            drawn = np.log(rates.draws / (1 - rates.draws)).isel(age=1).values.ravel()
            part = rates.parts[0].corrections
            scores = next(iter(part.scores(1, 4000, WHOLE).values())) if walked else np.zeros(4000)
            moves = float(np.mean((drawn - drawn.mean()) * scores))
            found[walked, combine] = rates.mean()[0, 0, 1], float(drawn.std()), moves
    for walked in ("", "a", "ab"):
        curve, cell = found[walked, "hierarchical-by-age"], found[walked, "random-effects"]
        # A curve's headline is the mean over what may be so, a cell's the rate at its likeliest logit.
        assert curve[0] == pytest.approx(cell[0], rel=0.05)
        # A cell has the sampling error of its own band; a curve that of all bands of a study.
        assert curve[1] == pytest.approx(cell[1], rel=0.15)
        assert curve[2] == pytest.approx(cell[2], abs=0.01)
    weighed, sure = found["a", "hierarchical-by-age"][0], found["", "hierarchical-by-age"][0]
    others = make_rates(model("bcd"), Shelf(shelf.workspace), 4000, 1).mean()[0, 0, 1]
    assert abs(weighed - others) < 0.5 * abs(sure - others), "a study whose correction is vague weighs little"
