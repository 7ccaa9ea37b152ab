"""A source's rate corrected for a test's errors, or carried to another definition: numbers, gates, and the model file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from hna.answers.sensitivity import sensitivity
from hna.answers.waterfall import waterfall
from hna.catalogue import bibtex
from hna.checks import check_shelf
from hna.errors import HnaError, ModelError, SourceError
from hna.evidence.crosswalk import read_pairs
from hna.evidence.population import read_population
from hna.measure.draws import normal, uniform
from hna.model.correction import WHOLE, Corrections
from hna.model.crosswalk import Accuracy, Crosswalk, TestErrors, crosswalk, rogan_gladen
from hna.model.distribution import fit_beta
from hna.model.meta import random_effects
from hna.model.pool import leave_one_out
from hna.model.pool_grid import solve
from hna.model.rates import make_rates
from hna.publish.page import render
from hna.run import Request, assess

YEARLY = "answers yes to three questions, past year"
PAIRS = [
    {"pair": f"town {n}", "both": 60 + 5 * n, "alternative_only": 40 + 8 * n, "reference_only": 4 + n, "neither": 900 + 30 * n}
    for n in range(5)
]  # fmt: skip
TEST = {
    "sensitivity": {"cases": 88, "sample": 100},
    "specificity": {"estimate": 0.97, "lower": 0.955, "upper": 0.98},
    "to": "answers yes to three questions",
    "because": "measured in the same county",
    "citation": "Tester 2019, J Sleep 3:1-9, Table 2",
}
WALK = {"source": "own-pairs", "because": "measured in the same county"}


def walk(beta: float, error: float, between: float) -> Corrections:
    return Corrections((("crosswalk", Crosswalk("w", beta, error, between, 2)),))


def errors(se: tuple[float, float], sp: tuple[float, float]) -> Corrections:
    return Corrections((("screening", TestErrors(Accuracy("se", *se), Accuracy("sp", *sp))),))


def sample(rate: float, size: float, draws: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import betaincinv

    points = uniform(1, "sampling", draws)
    return np.array([rate]), betaincinv(size * rate, size * (1 - rate), points)[None]


# ---- known answers


def test_rogan_gladen_in_closed_form() -> None:
    """With the variance by the delta method: ``[q(1 − q)/n + p²Var(Se) + (1 − p)²Var(Sp)]/(Se + Sp − 1)²``."""
    found, below = rogan_gladen(np.full(100, 0.1 * 0.8 + 0.9 * 0.1), np.full(100, 0.8), np.full(100, 0.9))
    assert np.allclose(found, 0.1)
    assert below == 0
    q, n, se, cases, sp, others = 0.2, 1500, 0.86, 250, 0.94, 900
    mean, drawn = errors((se, cases), (sp, others)).moved(*sample(q, n), WHOLE, 1, "s")
    gain, p = se + sp - 1, (q + sp - 1) / (se + sp - 1)
    delta = (q * (1 - q) / n + p**2 * se * (1 - se) / cases + (1 - p) ** 2 * sp * (1 - sp) / others) / gain**2
    assert mean[0] == pytest.approx(p)
    assert drawn.mean() == pytest.approx(p, abs=1e-6)
    assert drawn.std() == pytest.approx(np.sqrt(delta), rel=0.03)


@pytest.mark.parametrize(
    ("positive", "tested", "se", "sp", "printed"),
    [
        (23, 150, 0.96, 0.89, 0.051),  # brucellosis in a herd: manual of the R package epiR, epi.prev
        (125, 919, 0.909, 0.991, 0.1411),  # antibodies (IgG) in Gangelt, spring 2020: README of prevestim
    ],
)
def test_printed_examples(positive, tested, se, sp, printed) -> None:
    found, _ = rogan_gladen(np.full(1, positive / tested), np.full(1, se), np.full(1, sp))
    assert found[0] == pytest.approx(printed, abs=10.0 ** -len(f"{printed}"[2:]) / 2)


def test_a_printed_example_of_a_test_that_finds_too_few() -> None:
    """Helicobacter pylori in Australian children of 1-4 (same manual): 6 of 151 positive, where the test would make 11 so."""
    with pytest.raises(ModelError) as told:
        errors((0.964, np.inf), (0.927, np.inf)).moved(*sample(6 / 151, 151), WHOLE, 1, "s")
    assert told.value.codes == ("R322",)


@pytest.mark.parametrize(("q", "se", "sp"), [(0.2, 0.5, 0.5), (0.2, 0.4, 0.5), (0.05, 0.9, 0.9), (0.95, 0.9, 0.9)])
def test_rates_that_no_such_test_gives(q, se, sp) -> None:
    with pytest.raises(ModelError) as told:
        rogan_gladen(np.full(50, q), np.full(50, se), np.full(50, sp))
    assert told.value.codes == ("R322",)
    with pytest.raises(ModelError) as told:
        errors((se, 1e6), (sp, 1e6)).moved(*sample(q, 1e6), WHOLE, 1, "s")
    assert told.value.codes == ("R322",)


def test_one_cell_that_cannot_be_corrected_is_named() -> None:
    positive = np.stack([np.full(100, 0.3), np.where(np.arange(100) < 10, 0.01, 0.2)])
    with pytest.raises(ModelError, match="male 75\\+: 10%") as told:
        rogan_gladen(positive, np.full(100, 0.9), np.full(100, 0.95), ["male 65-74", "male 75+"])
    assert told.value.codes == ("R322",)
    assert rogan_gladen(positive[:, 6:], np.full(94, 0.9), np.full(94, 0.95))[1] == pytest.approx(4 / 94)


def test_pairs_of_a_two_by_two_table(small) -> None:
    """Worked by hand: p = 0.1, r = 0.06, j = 0.05, n = 1000, so d = 0.55434 and its variance 0.0111111 + 0.0177305 − 0.0173365."""
    small.crosswalk(rows=[{"pair": "a", "both": 50, "alternative_only": 50, "reference_only": 10, "neither": 890}])
    pairs = read_pairs(small.shelf, "own-pairs")
    assert pairs.difference[0] == pytest.approx(0.554311, abs=1e-6)
    assert pairs.variance[0] == pytest.approx(1 / 90 + 1 / 56.4 - 2 * 0.044 / (1000 * 0.09 * 0.0564), rel=1e-12)
    rows = [
        {
            "pair": "a",
            "alternative_cases": 100,
            "alternative_sample": 1000,
            "reference_cases": 60,
            "reference_sample": 1000,
        }
    ]
    small.crosswalk("margins", rows=rows, given="counts")
    apart = read_pairs(small.shelf, "margins")
    assert apart.difference[0] == pytest.approx(pairs.difference[0])
    assert apart.variance[0] == pytest.approx(1 / 90 + 1 / 56.4, rel=1e-12)
    sides = {"alternative": (10.0, np.sqrt(0.09 / 1000) * 100), "reference": (6.0, np.sqrt(0.0564 / 1000) * 100)}
    row = {"pair": "a"} | {
        f"{side}{end}": value for side, both in sides.items() for end, value in zip(("", "_error"), both, strict=True)
    }
    small.crosswalk("errors", rows=[row], given="standard-error", unit="percent")
    assert read_pairs(small.shelf, "errors").variance[0] == pytest.approx(apart.variance[0], rel=1e-9)
    limits = {
        f"{side}{end}": float(expit(logit(value / 100) + z * 1.959963984540054 * error / 100 / (value / 100 * (1 - value / 100))))
        for side, (value, error) in sides.items() for end, z in (("", 0), ("_lower", -1), ("_upper", 1))
    }  # fmt: skip
    small.crosswalk("limits", rows=[{"pair": "a"} | limits], given="interval", level=0.95)
    assert read_pairs(small.shelf, "limits").variance[0] == pytest.approx(apart.variance[0], rel=1e-9)


def test_definitions_that_agree_in_a_sample_are_not_taken_to_agree_exactly(small) -> None:
    same = {"pair": "a", "both": 20, "alternative_only": 0, "reference_only": 0, "neither": 80}
    small.crosswalk(rows=[same, {"pair": "b", "both": 200, "alternative_only": 0, "reference_only": 0, "neither": 800}])
    pairs = read_pairs(small.shelf, "own-pairs")
    assert pairs.difference == pytest.approx([0, 0])
    p = 20.5 / 101
    slope = 1 / (p * (1 - p))
    assert pairs.variance[0] == pytest.approx(slope**2 / 101 * (2 * p * (1 - p) - 2 * (20 / 101 - p**2)), rel=1e-12)
    assert pairs.variance[1] == pytest.approx(pairs.variance[0] / 100, rel=0.05)
    exact = {"pair": "a", "alternative": 10, "alternative_error": 0, "reference": 6, "reference_error": 0}
    small.crosswalk("exact", rows=[exact], given="standard-error", unit="percent")
    with pytest.raises(HnaError, match="no sampling error"):
        read_pairs(small.shelf, "exact")


def test_a_crosswalk_is_pooled_as_studies_are(small) -> None:
    small.crosswalk(rows=PAIRS)
    pairs = read_pairs(small.shelf, "own-pairs")
    found = crosswalk("w", pairs.difference, pairs.variance, 0.5)
    meta, posterior = (
        random_effects(pairs.difference, pairs.variance, "reml", "none"),
        solve(pairs.difference, pairs.variance, 0.5),
    )
    assert found.beta == meta.mean
    mean, spread = found.draw(1, 20_000)
    assert mean.std() == pytest.approx(posterior.moments(new=False)[1], rel=0.03)
    new = mean + spread * normal(1, "setting", 20_000)
    assert new.std() == pytest.approx(posterior.moments(new=True)[1], rel=0.05)
    assert np.hypot(found.error, found.own) == pytest.approx(posterior.moments(new=True)[1])


# ---- properties


@given(rate=st.floats(0.01, 0.6), size=st.floats(50, 5000))
def test_nothing_to_correct_changes_nothing(rate, size) -> None:
    mean, drawn = sample(rate, size, 500)
    for none in (walk(0.0, 0.0, 0.0), errors((1.0, np.inf), (1.0, np.inf))):
        moved = none.moved(mean, drawn, WHOLE, 1, "s")
        assert moved[0] == pytest.approx(mean, rel=1e-9)
        # The mean is kept, where a sample's own is a little off.
        assert moved[1] == pytest.approx(drawn, rel=1e-2)
        y, slope, own, shared = none.logits(rate, WHOLE)
        assert (y, slope, own) == pytest.approx((logit(rate), 1.0, 0.0), abs=1e-9)
        assert not any(shared.values())


@given(rate=st.floats(0.15, 0.5), size=st.floats(400, 3000), wider=st.sampled_from(["sampling", "first", "second"]))
def test_widening_any_input_never_narrows(rate, size, wider) -> None:
    def width(size: float, made: Corrections) -> float:
        _, drawn = made.moved(*sample(rate, size, 2000), WHOLE, 3, "s")
        return float(np.ptp(np.quantile(drawn, [0.025, 0.975])))

    more = size / 4 if wider == "sampling" else size
    for narrow, wide in (
        (walk(0.5, 0.1, 0.1), walk(0.5, 0.1 + 0.2 * (wider == "first"), 0.1 + 0.2 * (wider == "second"))),
        (errors((0.9, 400), (0.96, 900)), errors((0.9, 400 / (1 + 3 * (wider == "first"))), (0.96, 900 / (1 + 3 * (wider == "second"))))),
    ):  # fmt: skip
        assert width(more, wide) >= width(size, narrow) * (1 - 1e-3)


@given(q=st.floats(0.1, 0.6))
def test_derivatives_are_those_of_the_corrected_logit(q) -> None:
    step = TestErrors(Accuracy("se", 0.85, 300), Accuracy("sp", 0.95, 800))
    h = 1e-6
    numeric = (logit(step.point(expit(logit(q) + h))) - logit(step.point(expit(logit(q) - h)))) / (2 * h)
    assert float(step.slope(q)) == pytest.approx(float(numeric), rel=1e-4)
    for which, at in (("sensitivity", (0.85, 0.95)), ("specificity", (0.85, 0.95))):
        ends = []
        for side in (h, -h):
            se, sp = (at[0] + side, at[1]) if which == "sensitivity" else (at[0], at[1] + side)
            ends.append(logit((q + sp - 1) / (se + sp - 1)))
        error = getattr(step, which)
        assert float(step.loadings(q)[error.key]) == pytest.approx(
            (ends[0] - ends[1]) / (2 * h) * error.spread, rel=1e-4
        )


def test_studies_that_share_an_error_are_pooled_with_it() -> None:
    """Against generalised least squares with the whole covariance; an error that all share does not average out."""
    y, own = logit(np.array([0.05, 0.07, 0.06, 0.08])), np.array([0.02, 0.03, 0.01, 0.02])
    loading = np.array([[0.3], [0.3], [0.0], [0.1]])
    v = np.diag(own) + loading @ loading.T
    found = random_effects(y, v, "reml", "none")
    inverse = np.linalg.inv(v + found.tau2 * np.eye(4))
    assert found.mean == pytest.approx(float((inverse @ y).sum() / inverse.sum()))
    assert found.error == pytest.approx(float(inverse.sum() ** -0.5))
    assert random_effects(y, np.diag(own)).mean == pytest.approx(random_effects(y, own).mean)
    all_share = random_effects(y, np.diag(own) + 0.09, "reml", "none")
    alone = random_effects(y, own, "reml", "none")
    assert all_share.tau2 == pytest.approx(alone.tau2, abs=1e-8)
    assert all_share.error**2 == pytest.approx(alone.error**2 + 0.09)
    posterior = solve(y, v, 0.5)
    score = normal(1, "shared", 20_000)
    drawn = posterior.draw(uniform(1, "t", 20_000), normal(1, "m", 20_000), None, (loading, score[None]))
    plain = posterior.draw(uniform(1, "t", 20_000), normal(1, "m", 20_000), None)
    assert drawn.std() == pytest.approx(plain.std(), rel=0.02)
    assert np.corrcoef(drawn, score)[0, 1] > 0.4
    # What a study has in common with the rest sets it no further from them.
    apart = leave_one_out("abcd", y, np.diag(own) + 0.09)
    assert [row.conflict for row in apart] == pytest.approx(
        [row.conflict for row in leave_one_out("abcd", y, own)], rel=1e-6
    )


# ---- the model file


def written(small, combine: str = "single", *sources: dict | str, **more: object):
    """A workspace with a screened, a yearly and two plain surveys, and a model of some of them."""
    small.prevalence("screened", rows=small.rates_rows(scale=2.0), case_definition="scores 8 or more")
    small.prevalence("yearly", rows=small.rates_rows(scale=1.6), measure="period-12", case_definition=YEARLY)
    small.prevalence("plain", rows=small.rates_rows())
    small.prevalence("other", rows=small.rates_rows(scale=1.2))
    small.crosswalk(rows=PAIRS)
    small.population(rows=small.people_rows(size=400_000))
    errors = (
        {"study": 0.1, "because": "to see"}
        if combine in ("random-effects", "hierarchical-by-age")
        else dict(small.exact)
    )
    used = {"sources": list(sources), "combine": combine, "errors": errors} | more
    return small.model(prevalence=used)


SCREENED = {"source": "screened", "screening": TEST}
CARRIED = {"source": "yearly", "crosswalk": WALK}


def test_the_headline_is_the_corrected_rate_and_the_mean_of_the_draws(small) -> None:
    q = np.array([[8.0, 18.0], [6.0, 16.0]]) / 100
    rates = make_rates(written(small, "single", SCREENED), small.shelf, 2000, 1)
    assert rates.headline.values == pytest.approx((q + 0.97 - 1) / (0.88 + 0.97 - 1), rel=1e-9)
    assert rates.draws.mean("draw").values == pytest.approx(rates.headline.values, rel=1e-3)
    assert rates.universe.case_definition == TEST["to"]
    assert any("Tester 2019" in note for note in rates.notes)
    beta = random_effects(
        *(getattr(read_pairs(small.shelf, "own-pairs"), name) for name in ("difference", "variance"))
    ).mean
    rates = make_rates(written(small, "single", CARRIED), small.shelf, 2000, 1)
    printed = np.array([[6.4, 14.4], [4.8, 12.8]]) / 100
    assert rates.headline.values == pytest.approx(expit(logit(printed) - beta), rel=1e-9)
    assert rates.draws.mean("draw").values == pytest.approx(rates.headline.values, rel=1e-3)
    assert rates.universe.period == "point"
    assert {"yearly", "own-pairs"} <= {source.id for source in rates.citations}


def test_two_sources_of_one_crosswalk_share_its_error(small) -> None:
    """And two needs; but each survey has its own setting."""
    rows = [
        {"sex": "persons", "age_from": 65, "age_to": "", "estimate": 20.0, "cases": 2_000_000, "sample": 10_000_000}
    ]
    for name in ("big-one", "big-two"):
        small.prevalence(
            name, rows=rows, measure="period-12", case_definition=YEARLY, uncertainty={"given": "counts"}, decimals=9
        )
    pairs = [{"pair": "a", "both": 60, "alternative_only": 40, "reference_only": 5, "neither": 895}]
    small.crosswalk(rows=pairs)
    drawn = {}
    for between in (0.0, 0.3):
        for need, source in (("first-need", "big-one"), ("second-need", "big-two")):
            used = {"source": source, "crosswalk": WALK | {"between": between}}
            model = small.model(need, prevalence={"sources": [used], "errors": small.exact})
            drawn[need] = logit(make_rates(model, small.shelf, 2000, 1).draws.values.ravel())
        alike = np.corrcoef(drawn["first-need"], drawn["second-need"])[0, 1]
        assert alike > 0.999 if between == 0 else 0.4 < alike < 0.65


@pytest.mark.parametrize("combine", ["single", "mixture", "envelope", "random-effects"])
def test_corrected_and_plain_sources_are_combined(small, combine) -> None:
    sources = {"single": [CARRIED], "mixture": [CARRIED, "plain"], "envelope": ["plain", CARRIED]}
    used = sources.get(combine, [CARRIED, "plain", "other", SCREENED])
    model = written(small, combine, *used)
    rates = make_rates(model, small.shelf, 1000, 1)
    assert rates.universe.case_definition == "answers yes to three questions"
    # Without the crosswalk the definitions differ, and the gate is shut.
    bare = [one if isinstance(one, str) else one["source"] for one in used]
    if combine in ("mixture", "random-effects"):
        with pytest.raises(ModelError) as told:
            make_rates(written(small, combine, *bare), small.shelf, 100, 1)
        assert {"R171", "R301"} & set(told.value.codes)
    if combine == "envelope":
        assert [one.universe.period for one in (rates, *rates.scenarios)] == ["point", "point"]


def test_pooled_studies_hold_the_error_that_they_share(small) -> None:
    """With every study carried by one vague crosswalk, pooling takes nothing off its error."""
    pair = [{"pair": "a", "both": 3, "alternative_only": 5, "reference_only": 1, "neither": 91}]
    names = ("one", "two", "three", "four")
    for name in names:
        small.prevalence(name, rows=small.rates_rows(scale=1.6), measure="period-12", case_definition=YEARLY)
    small.crosswalk(rows=pair)
    used = [{"source": name, "crosswalk": WALK | {"between": 0.0}} for name in names]
    model = small.model(
        prevalence={"sources": used, "combine": "random-effects", "errors": {"study": 0.1, "because": "to see"}}
    )
    spread = make_rates(model, small.shelf, 4000, 1).draws.values.reshape(-1, 4000)
    vague = float(read_pairs(small.shelf, "own-pairs").variance[0]) ** 0.5
    assert logit(spread).std(axis=1).min() > vague
    single = small.model("alone", prevalence={"sources": used[:1], "errors": small.exact})
    alone = make_rates(single, small.shelf, 4000, 1).draws.values.reshape(-1, 4000)
    # The same draws of the crosswalk, in another need.
    assert np.corrcoef(logit(alone[0]), logit(spread[0]))[0, 1] > 0.6


def test_strata_of_those_found_by_a_test_are_refused(small) -> None:
    rows = [
        {"severity": name, "sex": "persons", "age_from": 65, "age_to": "", "estimate": 5.0, "lower": 4.0, "upper": 6.2}
        for name in ("mild", "severe")
    ]
    small.prevalence("screened", rows=rows, severity={"kind": "exclusive", "strata": ["mild", "severe"]})
    with pytest.raises(ModelError, match="divides by severity the people found by it"):
        make_rates(small.model(prevalence={"sources": [SCREENED], "errors": small.exact}), small.shelf, 50, 1)
    small.prevalence("screened", rows=small.rates_rows(scale=2.0))
    shares = [
        {"severity": name, "estimate": value, "sample": 400} for name, value in (("mild", 70.0), ("severe", 30.0))
    ]
    small.prevalence(
        "split",
        rows=shares,
        measure="proportion-of-cases",
        severity={"kind": "exclusive", "strata": ["mild", "severe"]},
        uncertainty={"given": "sample-size"},
    )
    model = small.model(prevalence={"sources": [SCREENED], "errors": small.exact, "severity": "split"})
    rates = make_rates(model, small.shelf, 200, 1)
    assert rates.draws.sel(severity=["mild", "severe"]).sum("severity").values == pytest.approx(
        rates.draws.sel(severity="").values
    )


def test_the_steps_are_shown_and_shared_out(small) -> None:
    model = written(small, "single", SCREENED)
    rates = make_rates(model, small.shelf, 4000, 1)
    people = read_population(small.shelf, "own-people")
    steps = {step.step: step for step in waterfall(rates, people, 0.95)}
    assert list(steps)[:3] == ["sampling", "screening", "study"]
    assert steps["sampling"].estimate > steps["screening"].estimate
    found = sensitivity(rates, small.shelf, people, people.areas[0].code, people.years[0])
    exact = found.table.set_index("group")["share"]
    assert steps["screening"].share == pytest.approx(exact["crosswalk"], abs=0.05)
    assert steps["sampling"].share == pytest.approx(exact["sampling"], abs=0.05)
    assert "from one way of finding cases to another" in found.sentence


def test_both_corrections_in_turn(small) -> None:
    """A test of the past year, and then from the past year to now: two steps, each beside what was there before it."""
    used = {"source": "screened", "screening": TEST | {"to": YEARLY}, "crosswalk": WALK}
    written(small, "single", CARRIED)
    small.prevalence(
        "screened", rows=small.rates_rows(scale=2.0), measure="period-12", case_definition="scores 8 or more"
    )
    rates = make_rates(small.model(prevalence={"sources": [used], "errors": small.exact}), small.shelf, 1000, 1)
    steps = waterfall(rates, read_population(small.shelf, "own-people"), 0.95)
    assert [step.step for step in steps][:3] == ["sampling", "screening", "crosswalk"]
    assert steps[0].estimate > steps[1].estimate > steps[2].estimate
    assert sum(step.share for step in steps) == pytest.approx(1)


def test_all_that_it_rests_on_is_cited_and_checked(small) -> None:
    written(small, "mixture", CARRIED, SCREENED)
    cited = bibtex(small.shelf, "sleeplessness")
    assert "@misc{own-pairs" in cited
    assert "Tester 2019" in cited
    found = check_shelf(small.shelf, 2026)
    assert not found.faults
    assert [line.part for line in found.evidence[0].studies] == ["rate", "rate", "crosswalk"]


def test_a_validation_study_on_the_shelf_gives_both(small) -> None:
    rows = [{"pair": "clinic", "both": 88, "alternative_only": 30, "reference_only": 12, "neither": 970}]
    small.crosswalk("validation", rows=rows, alternative={"case_definition": "scores 8 or more", "measure": "point"})
    read = {"source": "validation"}
    shelf = TEST | {"sensitivity": read, "specificity": read, "citation": None}
    counted = TEST | {"specificity": {"cases": 970, "sample": 1000}}
    one, two = (
        make_rates(written(small, "single", {"source": "screened", "screening": used}), small.shelf, 500, 1)
        for used in (shelf, counted)
    )
    assert one.headline.values == pytest.approx(two.headline.values)
    assert "validation" in {source.id for source in one.citations}


def test_the_share_known_of_a_multiplier_is_corrected(small) -> None:
    share = {"measure": "proportion-of-cases", "uncertainty": {"given": "counts"}}
    small.prevalence("share-known", [{"cases": 50, "sample": 200}], **share)
    small.known(rows=small.count_rows({"N01": 300}))
    small.population(rows=small.people_rows(size=400_000))
    use = {
        "known": "own-register",
        "population": "own-people",
        "area": "N01",
        "year": 2024,
        "because": "one definition",
    }
    source = {"source": "share-known", "screening": TEST}
    model = small.model(
        prevalence={"sources": [source], "combine": "multiplier", "multiplier": use, "errors": small.exact}
    )
    rates = make_rates(model, small.shelf, 4000, 1)
    share = (0.25 + 0.97 - 1) / (0.88 + 0.97 - 1)
    people = read_population(small.shelf, "own-people")
    old = float(people.people[0, 0][:, [band.low >= 65 for band in people.ages.bands]].sum())
    assert float(rates.headline.sum()) == pytest.approx(300 / (share * old))
    assert float(rates.draws.mean("draw").sum()) == pytest.approx(300 / (share * old), rel=1e-3)
    assert [step.step for step in waterfall(rates, people, 0.95)][:2] == ["sampling", "screening"]


def test_the_report_tells_each_correction_once(small) -> None:
    written(small, "mixture", CARRIED, SCREENED)
    request = Request(("sleeplessness",), ("N01",), population="own-people", draws=200, workspace=small.root)
    page = render(assess(request))
    assert page.count("Tester 2019") == 1
    assert "From one case definition to another" in page


# ---- refusals


def refused(small, code: str, match: str, *sources: dict | str, combine: str = "single") -> None:
    with pytest.raises(HnaError, match=match) as told:
        make_rates(written(small, combine, *sources), small.shelf, 200, 1)
    assert (code in told.value.codes) if code else True
    assert all(fault.remedy for fault in told.value.faults)
    if code:
        assert all(fault.file == "models/sleeplessness.yaml" for fault in told.value.faults)
        assert all(fault.field.startswith("prevalence.sources.") for fault in told.value.faults)


def test_crosswalks_that_do_not_fit_are_refused(small) -> None:
    refused(small, "R301", "different measures", {"source": "plain", "crosswalk": WALK})
    refused(small, "", "no crosswalk is called", {"source": "yearly", "crosswalk": WALK | {"source": "nowhere"}})
    small.crosswalk("lifelong", rows=PAIRS, alternative={"case_definition": YEARLY, "measure": "lifetime"})
    small.prevalence("ever", rows=small.rates_rows(), measure="lifetime", case_definition=YEARLY)
    refused(small, "R171", "lifetime", {"source": "ever", "crosswalk": WALK | {"source": "lifelong"}})
    small.crosswalk("few", rows=PAIRS[:2])
    refused(small, "R302", "two pairs of few", {"source": "yearly", "crosswalk": WALK | {"source": "few"}})
    refused(small, "R302", "5 pairs", {"source": "yearly", "crosswalk": WALK | {"between": 0.2}})
    with pytest.raises(ModelError) as told:
        crosswalk("none", [], [], 0.5)
    assert told.value.codes == ("R321",)


def test_the_words_may_differ_where_the_reason_is_said(small) -> None:
    small.prevalence(
        "worded", rows=small.rates_rows(scale=1.6), measure="period-12", case_definition="three questions, 12 months"
    )
    refused(small, "R301", "same_definition", {"source": "worded", "crosswalk": WALK})
    used = {"source": "worded", "crosswalk": WALK | {"same_definition": "the same three questions"}}
    assert make_rates(written(small, "single", used), small.shelf, 50, 1).universe.period == "point"


def test_pairs_of_different_studies_are_flagged(small) -> None:
    rows = [
        {
            "pair": f"{n}",
            "alternative_cases": 90 + n,
            "alternative_sample": 1000,
            "reference_cases": 60 + n,
            "reference_sample": 900,
        }
        for n in range(3)
    ]
    for matched, flagged in (("population", False), ("studies", True)):
        written(small, "single", CARRIED)
        small.crosswalk(rows=rows, given="counts", matched=matched)
        assert ("W321" in make_rates(small.shelf_model(), small.shelf, 50, 1).flags) is flagged


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sensitivity": {"cases": 88}}, "both of cases and sample"),
        ({"sensitivity": {"cases": 120, "sample": 100}}, "more cases than people"),
        ({"sensitivity": {}}, "give {cases, sample}"),
        ({"specificity": {"estimate": 0.97}}, "all of estimate, lower and upper"),
        ({"specificity": {"estimate": 0.9, "lower": 0.95, "upper": 0.99}}, "lower ≤ estimate ≤ upper"),
        ({"citation": None}, "need their source"),
        ({"because": None}, "because"),
        ({"to": None}, "to"),
    ],
)
def test_half_a_test_is_refused(small, change, match) -> None:
    with pytest.raises(HnaError, match=match):
        written(small, "single", {"source": "screened", "screening": TEST | change})


def test_a_test_that_says_nothing_is_refused(small) -> None:
    bad = TEST | {"sensitivity": {"cases": 40, "sample": 100}, "specificity": {"cases": 60, "sample": 100}}
    refused(small, "R322", "add up to", {"source": "screened", "screening": bad})
    low = TEST | {"specificity": {"cases": 930, "sample": 1000}}
    refused(small, "R322", "male 65-74", {"source": "screened", "screening": low})


@pytest.mark.parametrize(
    ("rows", "fields", "match"),
    [
        (PAIRS, {"citation": None}, "citation"),
        (PAIRS, {"matched": "population"}, "two-by-two table is of the same people"),
        (PAIRS, {"given": "interval"}, "needs its level"),
        (PAIRS, {"given": "counts"}, "columns are missing"),
        ([PAIRS[0], PAIRS[0]], {}, "stand more than once"),
        ([PAIRS[0] | {"both": -1}], {}, "is negative"),
        ([PAIRS[0] | {"both": 1.5}], {}, "is not a whole number"),
        ([PAIRS[0] | {"both": 0, "alternative_only": 0}], {}, "the alternative prevalence is none or all"),
        (PAIRS, {"sha256": "0" * 64}, "fingerprint"),
    ],
)
def test_a_table_of_pairs_is_checked(small, rows, fields, match) -> None:
    small.crosswalk(rows=rows, **fields)
    with pytest.raises(SourceError, match=match):
        read_pairs(small.shelf, "own-pairs")


def test_a_share_printed_with_limits_is_the_beta_nearest_to_them(small) -> None:
    rates = make_rates(written(small, "single", SCREENED), small.shelf, 50, 1)
    ((_, step),) = rates.parts[0].corrections.steps
    assert step.specificity.size == pytest.approx(fit_beta(0.97, 0.955, 0.98, 1.959963984540054))
    perfect = TEST | {"specificity": {"estimate": 1.0, "lower": 0.99, "upper": 1.0}}
    rates = make_rates(written(small, "single", {"source": "screened", "screening": perfect}), small.shelf, 50, 1)
    assert "W114" in rates.flags


POSITIVES = (
    "Screened positive on the Insomnia Scale",
    "positive screen for sleeplessness",
    "Screen-positive, no diagnosis made",
)
SEEN = (
    "Full assessment of children who screened positive",
    "screen positive, then interviewed",
    "Diagnosis by interview after screening",
)


@pytest.mark.parametrize(("definition", "told"), [*((one, True) for one in POSITIVES), *((one, False) for one in SEEN)])
def test_people_who_screened_positive_are_not_taken_for_people_with_the_need(small, definition, told) -> None:
    """Methods §12, 31: refused unless the test's errors are known, or positives are what is to be counted."""
    small.prevalence(rows=small.rates_rows(), case_definition=definition)
    small.model()
    if not told:
        assert make_rates(small.shelf_model(), small.shelf, 20).size == 20
        return
    with pytest.raises(HnaError, match="who screened positive") as raised:
        make_rates(small.shelf_model(), small.shelf, 20)
    assert raised.value.codes == ("R322",)
    test = {
        "sensitivity": {"cases": 88, "sample": 100}, "specificity": {"cases": 990, "sample": 1000}, "to": "diagnosis",
        "because": "a test", "citation": "A validation study",
    }  # fmt: skip
    errors = {"study": 0.0, "transport": 0.0, "staleness": 0.0, "because": "a test"}
    small.model(prevalence={"sources": [{"source": "own-study", "screening": test}], "errors": errors})
    assert make_rates(small.shelf_model(), small.shelf, 200).universe.case_definition == "diagnosis"
    small.prevalence(
        rows=small.rates_rows(), case_definition=definition, condition="a positive screen for sleeplessness"
    )
    small.model()
    assert make_rates(small.shelf_model(), small.shelf, 20).size == 20
