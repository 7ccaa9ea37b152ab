"""Counts in a model file, smoothed over a map: what comes of them, and what is refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from hna.answers.waterfall import waterfall
from hna.catalogue import bibtex
from hna.checks import check_shelf
from hna.errors import HnaError
from hna.evidence.borders import borders_seen
from hna.evidence.outlines import read_outlines
from hna.evidence.population import areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.face import run
from hna.fit import fit_models
from hna.model.fit_store import FOLDER, keep
from hna.model.map_asked import asked_map
from hna.model.map_part import _key, _level, map_task
from hna.model.rates import make_rates
from hna.model.spatial import smooth
from hna.model.spec_rate import Judged
from hna.run import Request, assess

WIDE, HIGH = 8, 5
PLACES = [f"P{n:02d}" for n in range(WIDE * HIGH)]


def grid():
    """Pairs of places of a grid that lie side by side."""
    beside = [(n, n + 1) for n in range(WIDE * HIGH) if (n + 1) % WIDE]
    return beside + [(n, n + WIDE) for n in range(WIDE * (HIGH - 1))]


def made_up(workspace, *, bands=(("persons", 18, ""),), places=PLACES, pairs=None, counts=None, **use):
    """Counts of 40 places on a grid that are alike where they lie together, and the model that goes with them."""
    rng = np.random.default_rng(3)
    column, row = np.arange(len(PLACES)) % WIDE, np.arange(len(PLACES)) // WIDE
    rate = 0.02 * np.exp(0.5 * np.sin(column / 2) + 0.4 * np.cos(row) + rng.normal(0, 0.15, len(PLACES)))
    people, counted = [], []
    for n, place in enumerate(PLACES):
        for b, (sex, low, high) in enumerate(bands):
            living = int(rng.integers(600, 2500))
            cell = {
                "area_code": place,
                "area_name": place.lower(),
                "year": 2023,
                "sex": sex,
                "age_from": low,
                "age_to": high,
            }
            people.append(cell | {"persons": living})
            counted.append(cell | {"count": int(rng.binomial(living, rate[n] * (1 + b)))})
    counted = [one for one in counted if one["area_code"] in places]
    workspace.population(rows=people)
    workspace.known(rows=counts(counted) if counts else counted)
    pairs = grid() if pairs is None else pairs
    workspace.lookup("grid-borders", [
        {"child": PLACES[a], "parent": PLACES[b], "vintage": 2023, "best_fit": "false"} for a, b in pairs
    ])  # fmt: skip
    none = {"study": 0.0, "staleness": 0.0, "because": "none, to see one thing"}
    held = {
        "known": "own-register",
        "population": "own-people",
        "year": 2023,
        "borders": "grid-borders",
        "because": "a test",
    }
    workspace.model(ages="18+", prevalence={"combine": "map", "sources": [], "errors": none, "map": held | use})
    return rate, counted


def test_every_place_leans_on_those_around_it(workspace):
    rate, counted = made_up(workspace)
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 2000, 1)
    asked = asked_map(workspace.shelf_model(), workspace.shelf)
    theirs = smooth(asked.cases.sum(axis=(1, 2)), asked.people.sum(axis=(1, 2)), asked.borders, kind="recorded", seed=9)
    ours = np.array([rates.mean(place)[0, 0, 0] for place in PLACES])
    assert ours == pytest.approx(theirs.draws.mean(axis=1), rel=0.03)
    drawn = np.stack([rates.at(place, 2023)[0, 0, 0] for place in PLACES])
    assert drawn.std(axis=1) == pytest.approx(theirs.draws.std(axis=1), rel=0.15)
    raw = np.array([one["count"] for one in counted]) / asked.people[:, 0, 0]
    assert np.abs(ours - rate).mean() < 0.85 * np.abs(raw - rate).mean()
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    assert 0.88 <= ((low <= rate) & (rate <= high)).mean() <= 1
    told = rates.local.told("P11")
    assert told.own == pytest.approx(raw[11])
    assert 0 < told.shrinkage < 1
    assert not rates.has_transport
    assert {"own-register", "own-people", "grid-borders"} <= {source.id for source in rates.citations}
    steps = waterfall(rates, read_population(workspace.shelf, "own-people"), 0.95)
    assert [step.step for step in steps][:4] == ["sampling", "study", "staleness", "local"]
    assert "what the counts say of this place" in steps[3].what


def test_counts_by_sex_and_age_are_smoothed_as_ratios(workspace):
    made_up(workspace, bands=[(sex, *band) for sex in ("female", "male") for band in ((18, 64), (65, ""))])
    rates = make_rates(workspace.shelf_model(), workspace.shelf, 1000, 1)
    assert rates.draws.sizes == {"sex": 2, "age": 2, "draw": 1000}
    one, other = rates.mean("P03")[0], rates.mean("P30")[0]
    assert one / other == pytest.approx(np.full((2, 2), (one / other)[0, 0]), rel=0.01)
    asked = asked_map(workspace.shelf_model(), workspace.shelf)
    whole = sum(
        (rates.at(place, 2023)[0] * asked.people[n][..., None]).sum(axis=(0, 1)) for n, place in enumerate(PLACES)
    )
    assert whole.mean() == pytest.approx(asked.cases.sum(), rel=0.01)
    assert whole.std() == pytest.approx(np.sqrt(asked.cases.sum()), rel=0.2)


def test_few_counted_of_a_sex_and_age_are_not_made_more(workspace):
    made_up(workspace, bands=[(sex, *band) for sex in ("female", "male") for band in ((18, 64), (65, ""))])
    asked = asked_map(workspace.shelf_model(), workspace.shelf)
    cases = np.zeros_like(asked.cases)
    cases[0] = [[0, 3], [40, 400]]
    level = _level(replace(asked, cases=cases), 1, 4000)
    found = (level.mean(axis=-1) * asked.people.sum(axis=0)).ravel()
    assert found[1:] == pytest.approx([3, 40, 400], rel=0.02)
    assert 0 < found[0] < 1


def test_cases_are_divided_within_a_judged_range(workspace):
    made_up(workspace)
    workspace.prevalence(
        "split",
        rows=[{"severity": name, "estimate": value} for name, value in (("mild", 70.0), ("severe", 30.0))],
        measure="proportion-of-cases",
        uncertainty={"given": "none"},
        severity={"kind": "exclusive", "strata": ["mild", "severe"]},
    )
    model = workspace.shelf_model()
    judged = Judged(relative=[0.8, 1.2], because="a test")
    prevalence = model.prevalence.model_copy(update={"severity": "split", "judged": judged})
    rates = make_rates(model.model_copy(update={"prevalence": prevalence}), workspace.shelf, 400, 1)
    assert rates.mean("P11")[1:, 0, 0] / rates.mean("P11")[0, 0, 0] == pytest.approx([0.7, 0.3])
    assert rates.at("P11", 2023)[1:].sum(axis=0) == pytest.approx(rates.at("P11", 2023)[0])
    bare = model.prevalence.model_copy(update={"judged": judged})
    with pytest.raises(HnaError, match="judged"):
        make_rates(model.model_copy(update={"prevalence": bare}), workspace.shelf, 400, 1)


def test_a_run_writes_what_each_rate_rests_on(workspace, tmp_path):
    made_up(workspace)
    assert not check_shelf(workspace.shelf).faults
    assert "@misc{own-register" in bibtex(workspace.shelf, "sleeplessness")
    run("sleeplessness", workspace=workspace.root, out=tmp_path / "out", draws=400, areas=["P01", "P12"])
    told = json.loads((tmp_path / "out" / "run.json").read_text())["assumed"]["sleeplessness"]["places"]
    assert set(told) == {"P01", "P12"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "From counts in p01 and in the places around it" in page
    assert "People counted among" in page
    assert "synthetic" not in page


def test_a_sampler_is_asked_for_ahead(workspace):
    made_up(workspace, sampler="nuts")
    model, shelf = workspace.shelf_model(), workspace.shelf
    with pytest.raises(HnaError, match="hna fit sleeplessness") as told:
        make_rates(model, shelf, 300, 1)
    assert told.value.codes == ("R393",)
    task = map_task(model, shelf, 300, 1)
    eta = np.full((300, len(PLACES)), -4.0) + np.random.default_rng(1).normal(0, 0.1, (300, len(PLACES)))
    arrays = {"eta": eta, "sigma": np.full(300, 0.3)}
    for passed, code in ((False, "R391"), (True, "")):
        keep(workspace.root / FOLDER, f"sleeplessness-map.{task.key}", arrays, {"passed": passed, "words": "r̂ 1"})
        if code:
            with pytest.raises(HnaError) as told:
                make_rates(model, shelf, 300, 1)
            assert told.value.codes == (code,)
    assert make_rates(model, shelf, 300, 1).mean("P00")[0, 0, 0] == pytest.approx(0.018, rel=0.05)
    workspace.standard("priors", map_share=0.7)
    with pytest.raises(HnaError, match="other inputs"):
        make_rates(model, Shelf(workspace.root), 300, 1)


def test_a_fit_is_known_by_borders_and_not_by_eigenvectors(workspace):
    """Whose signs and last digits change with the machine and with its threads: a run would not find what was fitted."""
    made_up(workspace)
    asked = asked_map(workspace.shelf_model(), workspace.shelf)
    turned = replace(asked, problem=replace(asked.problem, basis=-asked.problem.basis))
    assert _key(turned, 300, 1) == _key(asked, 300, 1)
    apart = replace(asked, borders=replace(asked.borders, joined=np.zeros_like(asked.borders.joined)))
    assert _key(apart, 300, 1) != _key(asked, 300, 1)


def test_fit_leaves_to_the_run_what_the_run_can_do(workspace):
    made_up(workspace)
    (found,) = fit_models([workspace.shelf_model()], workspace.shelf, 300, 1)
    assert (found.what, found.passed) == ("map", True)
    assert "left to the run" in found.words


def _hidden(rows):
    return [row | ({"count": "*"} if n == 3 else {}) for n, row in enumerate(rows)]


REFUSED = [
    ({"places": PLACES[:29]}, "R432", "29 areas are too few"),
    ({"known": "modelled"}, "R431", "a synthetic estimate is not for smoothing"),
    ({"year": 2022}, "", "has no count"),
    ({"population": "nowhere"}, "", "nowhere"),
    ({"pairs": []}, "", "no rows|file is empty"),
    ({"borders": "own-lookup"}, "", "no areas? is called"),
    ({"borders": None}, "", "no outline on the shelf"),
    ({"covariates": ["x"]}, "", "covariates stand in no table"),
    ({"counts": lambda rows: [*rows[1:], rows[0] | {"count": 99999}]}, "R624", "more people are counted than live"),
    ({"counts": lambda rows: [row | {"age_from": 20} for row in rows]}, "R201", "do not add up"),
]


@pytest.mark.parametrize(
    ("change", "code", "said"), REFUSED, ids=[f"{next(iter(one[0]))}-{n}" for n, one in enumerate(REFUSED)]
)
def test_what_a_model_may_not_say(workspace, change, code, said):
    made_up(workspace, **change)
    workspace.prevalence("modelled", rows=workspace.rates_rows())
    with pytest.raises(HnaError, match=said) as told:
        make_rates(workspace.shelf_model(), workspace.shelf, 300, 1)
    assert told.value.codes == ((code,) if code else ())
    assert all(fault.remedy for fault in told.value.faults)


def test_hidden_counts_and_a_comparison_with_itself_are_refused(workspace):
    made_up(workspace)
    table = workspace.root / "data" / "known" / "own-register" / "table.csv"
    held = workspace.shelf_model().prevalence.model_dump()
    workspace.model(ages="18+", prevalence=held, known=[{"source": "own-register"}])
    with pytest.raises(HnaError, match="compared with a rate made of it"):
        make_rates(workspace.shelf_model(), workspace.shelf, 300, 1)
    lines = table.read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    workspace.known(rows=_hidden(rows), disclosure={"suppressed": "*", "range": [1, 7], "rounded_to": None})
    workspace.model(ages="18+", prevalence=held)
    with pytest.raises(HnaError, match="hides counts") as told:
        make_rates(workspace.shelf_model(), Shelf(workspace.root), 300, 1)
    assert told.value.codes == ("R602",)


def test_english_authorities_without_a_count_are_left_out_of_comparisons(workspace, shipped_shelf):
    shapes = read_outlines(shipped_shelf).rings
    held = [area for area in areas_and_years(shipped_shelf, "ons-mye-2023")[0].areas if area.code in shapes][:40]
    rows = [
        {"area_code": area.code, "area_name": area.name, "year": 2023, "sex": "persons", "age_from": 18, "age_to": "",
         "count": 900 + 20 * n} for n, area in enumerate(held)
    ]  # fmt: skip
    workspace.known(rows=rows)
    use = {"known": "own-register", "population": "ons-mye-2023", "year": 2023, "because": "a test"}
    workspace.model(ages="18+", prevalence={"combine": "map", "sources": [], "map": use}, compare={"areas": ["region"]})
    found = assess(
        Request(("sleeplessness",), ("E06000006",), years=(2023,), draws=300, workspace=workspace.root)
    ).answers[0]
    assert "ltla24-shapes" in {source.id for source in found.citations}
    assert any(
        note.startswith("Halton (E06000006) is not set beside North West, since own-register") for note in found.notes
    )
    need = found.figures[(found.figures["quantity"] == "need") & (found.figures["age_band"] == "all")]
    assert float(need["estimate"].iloc[0]) > 500


def test_english_authorities_border_by_their_outlines(shipped_shelf):
    codes = ["E06000006", "E08000012", "E08000013", "E06000007", "E06000046"]
    pairs, sources = borders_seen(shipped_shelf, codes)
    assert pairs == (
        ("E06000006", "E06000007"), ("E06000006", "E08000012"), ("E06000006", "E08000013"), ("E06000007", "E08000013"),
    )  # fmt: skip
    assert [source.id for source in sources] == ["ltla24-shapes"]


@pytest.mark.calibration
@pytest.mark.skipif(
    os.environ.get("HNA_CALIBRATION") != "full", reason="compiles and runs a sampler: HNA_CALIBRATION=full"
)
@pytest.mark.parametrize("by", ["all together", "sex and age"])
def test_a_map_that_was_sampled_is_that_of_the_run(workspace, by):
    """`hna fit` by nutpie, few draws asked for, and the run that uses it: the same rates as by nested Laplace."""
    pytest.importorskip("nutpie")
    bands = [(sex, *band) for sex in ("female", "male") for band in ((18, 64), (65, ""))]
    made_up(workspace, **({"bands": bands} if by == "sex and age" else {}))
    quick = make_rates(workspace.shelf_model(), workspace.shelf, 4000, 1)
    made_up(workspace, sampler="nuts", **({"bands": bands} if by == "sex and age" else {}))
    (fitted,) = fit_models([workspace.shelf_model()], workspace.shelf, 400, 1)
    assert fitted.passed, fitted.words
    sampled = make_rates(workspace.shelf_model(), workspace.shelf, 400, 1)
    for place in PLACES:
        one, other = (logit(rates.at(place, 2023)[0, 0, 0]) for rates in (sampled, quick))
        assert abs(one.mean() - other.mean()) < 0.25 * other.std()
        assert one.std() == pytest.approx(other.std(), rel=0.25)
