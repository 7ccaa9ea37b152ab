"""Several studies of one thing: closed forms against published numbers, the gate, the ladder, and the model file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from hna.errors import HnaError, ModelError, QuantityError
from hna.evidence.shelf import Shelf
from hna.measure.draws import normal, uniform
from hna.model.meta import random_effects
from hna.model.pool import conflict, leave_one_out, percent, pool, sample
from hna.model.pool_grid import mean_kept, solve
from hna.model.pool_standards import read_pool_standards
from hna.model.rates import make_rates

# Trials of BCG against tuberculosis: cases and the rest, vaccinated then not (Colditz 1994, JAMA 271:698-702).
BCG = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
        (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
        (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
    ],
    dtype=float,
)  # fmt: skip
STANDARDS = read_pool_standards(Shelf())


def bcg() -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = BCG.T
    return np.log(a / (a + b)) - np.log(c / (c + d)), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


@pytest.mark.parametrize(
    ("method", "adjustment", "mean", "error", "tau2", "limits"),
    [
        ("dersimonian-laird", "none", -0.7141, 0.1787, 0.3088, (-1.0644, -0.3638)),
        ("dersimonian-laird", "plain", -0.7141, 0.1807, 0.3088, (-1.1078, -0.3204)),
        ("reml", "none", -0.7145, 0.1798, 0.3132, (-1.0669, -0.3622)),
        ("paule-mandel", "none", -0.7150, 0.1809, 0.3181, (-1.0695, -0.3604)),
    ],
)
def test_bcg_to_four_decimals(method, adjustment, mean, error, tau2, limits):
    found = random_effects(*bcg(), method, adjustment)
    assert (round(found.mean, 4), round(found.adjusted, 4), round(found.tau2, 4)) == (mean, error, tau2)
    assert tuple(round(limit, 4) for limit in found.interval()) == limits


def test_bcg_prediction_interval():
    found = random_effects(*bcg(), "reml", "none")
    assert tuple(round(limit, 3) for limit in found.prediction()) == (-2.008, 0.579)


def test_statsmodels_agrees():
    combine_effects = pytest.importorskip("statsmodels.stats.meta_analysis").combine_effects
    y, v = bcg()
    for method, theirs in (("dersimonian-laird", "chi2"), ("paule-mandel", "iterated")):
        oracle = combine_effects(y, v, method_re=theirs, use_t=True, alpha=0.05, atol=1e-13, maxiter=200)
        found = random_effects(y, v, method, "plain")
        assert found.mean == pytest.approx(oracle.mean_effect_re, abs=1e-8)
        assert found.tau2 == pytest.approx(oracle.tau2, abs=1e-8)
        assert found.adjusted == pytest.approx(oracle.sd_eff_w_re_hksj, abs=1e-8)


@given(st.lists(st.tuples(st.floats(-4, 0), st.floats(0.01, 1)), min_size=3, max_size=8))
def test_estimators_solve_their_equations(studies):
    y, v = (np.array(values) for values in zip(*studies, strict=True))
    for method in ("dersimonian-laird", "paule-mandel", "reml"):
        found = random_effects(y, v, method, "modified")
        assert found.tau2 >= 0
        assert found.adjusted >= found.error * (1 - 1e-12)
        assert min(y) - 1e-9 <= found.mean <= max(y) + 1e-9
    pm = random_effects(y, v, "paule-mandel", "none")
    if pm.tau2 > 1e-6:
        w = 1 / (v + pm.tau2)
        assert (w * (y - pm.mean) ** 2).sum() == pytest.approx(len(y) - 1, rel=1e-6)
    turned = random_effects(y[::-1], v[::-1], "reml", "modified")
    assert turned.mean == pytest.approx(random_effects(y, v, "reml", "modified").mean, abs=1e-7)


def test_modified_never_narrows_and_plain_may():
    y, v = logit(np.array([0.012, 0.0121, 0.0119])), np.full(3, 0.04)
    plain, modified = random_effects(y, v, "reml", "plain"), random_effects(y, v, "reml", "modified")
    assert plain.adjusted < plain.error == modified.adjusted


def test_two_studies_are_refused_by_knapp_hartung():
    with pytest.raises(ModelError) as told:
        random_effects(logit(np.array([0.012, 0.018])), [0.01, 0.01], "reml", "modified")
    assert told.value.codes == ("R302",)


def test_three_studies_as_the_methods_page_has_them():
    p = np.array([0.012, 0.018, 0.009])
    found = pool(["a", "b", "c"], logit(p), 1 / (3200 * p * (1 - p)), STANDARDS)
    assert found.vacuous
    assert found.posterior is not None
    assert expit(found.posterior.quantile([0.025, 0.975], new=False)) == pytest.approx([0.0071, 0.0221], abs=6e-5)
    assert expit(found.posterior.quantile([0.025, 0.975], new=True)) == pytest.approx([0.0042, 0.0373], abs=6e-5)
    wider = solve(found.estimates, found.variances, STANDARDS.sensitivity_scale).quantile([0.025, 0.975], new=True)
    low, high = (percent(limit, 2) for limit in expit(wider))
    assert f"of scale 1 it would be {low} to {high}" in found.words
    assert wider[0] < found.posterior.quantile(0.025, new=True) < found.posterior.quantile(0.975, new=True) < wider[1]
    assert expit(np.array(found.meta.prediction())) == pytest.approx([0.0001, 0.60], abs=0.011)


def test_the_ladder():
    y, v = logit(np.array([0.012, 0.014, 0.013, 0.015, 0.012])), np.full(5, 0.02)
    rungs = [pool("abcde"[:k], y[:k], v[:k], STANDARDS).rung for k in range(1, 6)]
    assert rungs == ["single", "mixture and envelope", "random effects", "random effects", "random effects"]
    with pytest.raises(ModelError, match="no pooled mean"):
        _ = pool("ab", y[:2], v[:2], STANDARDS).rate


def test_a_grid_is_exact():
    """Moments, quantiles and draws of the grid agree with integration over a much finer one."""
    y, v = bcg()
    found = solve(y, v, 0.5)
    tau = np.linspace(0, 5, 200_001)[1:]
    w = 1 / (v + tau[:, None] ** 2)
    centre, variance = (w * y).sum(1) / w.sum(1), 1 / w.sum(1)
    log = 0.5 * np.log(w).sum(1) + 0.5 * np.log(variance) - 0.5 * (w * (y - centre[:, None]) ** 2).sum(1)
    weight = np.exp(log - log.max() - 2 * tau**2)
    weight /= weight.sum()
    mean = weight @ centre
    assert found.mean == pytest.approx(mean, abs=1e-6)
    assert found.moments(new=True)[1] == pytest.approx(
        np.sqrt(weight @ (variance + tau**2 + (centre - mean) ** 2)), abs=1e-5
    )
    drawn = found.draw(uniform(1, "tau", 40_000), normal(1, "mean", 40_000), normal(1, "new", 40_000))
    assert np.quantile(drawn, [0.025, 0.5, 0.975]) == pytest.approx(
        found.quantile([0.025, 0.5, 0.975], new=True), abs=0.02
    )


def test_pymc_agrees_with_the_grid():
    """The distribution functions of the mean, the spread and a new setting, within the sampler's own error."""
    for name in ("pymc", "nutpie"):
        pytest.importorskip(name)
    y, v = np.array([-2.9, -2.4, -3.3, -2.8, -2.1]), np.array([0.02, 0.05, 0.03, 0.01, 0.08])
    arrays, found = sample(y, v, 0.5, draws=1500, seed=1, target_accept=0.95)
    assert found.passed, found.words
    exact, at = solve(y, v, 0.5), np.array([0.025, 0.25, 0.5, 0.75, 0.975])
    error = np.sqrt(at * (1 - at) / min(found.bulk, found.tail))
    for name, quantiles in (
        ("mu", exact.quantile(at, new=False)),
        ("tau", exact.tau_quantile(at)),
        ("new", exact.quantile(at, new=True)),
    ):
        apart = np.abs((arrays[name][:, None] < quantiles).mean(axis=0) - at)
        assert (apart < 4 * error).all(), (name, apart / error)


def test_the_shift_keeps_the_rate():
    y, v = logit(np.array([0.05, 0.08, 0.12, 0.07])), np.full(4, 0.01)
    found = solve(y, v, 0.5)
    drawn = found.draw(uniform(1, "tau", 5000), normal(1, "mean", 5000), normal(1, "new", 5000))
    for rate in (0.02, 0.08, 0.4):
        assert mean_kept(drawn, rate).mean() == pytest.approx(rate, rel=1e-12)


def test_conflict_and_leaving_out():
    assert conflict((0.0, 3.0), (10.0, 4.0)) == 2.0
    y, v = np.array([-4.0, -4.1, -3.9, -4.05]), np.full(4, 0.01)
    table = leave_one_out("abcd", y, v)
    assert table[0].mean == pytest.approx(random_effects(y[1:], v[1:]).mean)
    with pytest.raises(ModelError) as told:
        pool("abcde", [*y, -1.0], [*v, 0.01], STANDARDS)
    assert told.value.codes == ("R332",)
    tense = pool("abcde", [*y, -3.68], [*v, 0.01], STANDARDS)
    assert tense.flags == ("W331",)


def test_wrong_numbers_are_told():
    for y, v in (([1.0, np.nan], [1, 1]), ([1, 2], [0, 1]), ([1, 2, 3], [1, 1])):
        with pytest.raises(QuantityError):
            random_effects(y, v, "reml", "none")


# --- the model file -------------------------------------------------------------------------------------------------


def three(workspace, **changed):
    """Three studies of one thing, alike in everything but their rates."""
    for n, scale in enumerate((0.8, 1.0, 1.3)):
        workspace.prevalence(f"study-{n}", workspace.rates_rows(scale=scale), **changed.get(f"study-{n}", {}))
    workspace.population(rows=workspace.people_rows())
    errors = {"staleness": 0.0, "because": "none, to see one thing"}
    prevalence = {"sources": ["study-0", "study-1", "study-2"], "combine": "random-effects", "errors": errors}
    return workspace.model(prevalence=prevalence | changed.get("prevalence", {}))


def test_random_effects_run_from_a_model_file(workspace):
    rates = make_rates(three(workspace), workspace.shelf, 4000, 1)
    low = min(one.headline.values[0, 0] for one in envelope(workspace))
    high = max(one.headline.values[0, 0] for one in envelope(workspace))
    assert low < rates.headline.values[0, 0] < high
    assert np.allclose(rates.draws.mean("draw"), rates.headline, rtol=1e-9)
    assert [part.source.id for part in rates.parts] == ["study-0", "study-1", "study-2"]
    assert {source.id for source in rates.citations} == {"study-0", "study-1", "study-2"}
    assert not rates.has_transport
    assert any("between-study" in note for note in rates.notes)
    assert any("leaving one study out" in note for note in rates.notes)
    cells = rates.draws.values.reshape(-1, 4000)
    assert np.corrcoef(cells)[0, 1] > 0.7


def envelope(workspace):
    model = three(workspace, prevalence={"combine": "envelope"})
    rates = make_rates(model, workspace.shelf, 500, 1)
    return (rates, *rates.scenarios)


def test_an_envelope_is_whole_runs_side_by_side(workspace):
    found = envelope(workspace)
    assert [one.parts[0].source.id for one in found] == ["study-0", "study-1", "study-2"]
    assert "W301" in found[0].flags
    alone = make_rates(found[0].model.with_sources("study-1"), workspace.shelf, 500, 1)
    assert np.array_equal(alone.draws, found[1].draws)


def test_a_source_beside_pooled_studies_is_a_run_of_its_own(workspace):
    """Another quantity never moves the pooled rate; alone it is carried to a place with the usual difference between places."""
    workspace.prevalence("recorded", workspace.rates_rows(scale=2.0), case_definition="recorded by practices")
    plain = make_rates(three(workspace), workspace.shelf, 300, 1)
    found = make_rates(three(workspace, prevalence={"beside": ["recorded"]}), workspace.shelf, 300, 1)
    assert np.array_equal(found.draws, plain.draws)
    (alone,) = found.scenarios
    assert [part.source.id for part in alone.parts] == ["recorded"]
    assert alone.has_transport
    assert not found.has_transport
    assert alone.scenarios == ()
    assert "W301" in found.flags
    assert "W301" not in plain.flags
    assert any("alone gives" in note for note in found.notes)
    assert "recorded" in {source.id for source in found.citations}
    assert [used.source for used in found.model.prevalence.named] == ["study-0", "study-1", "study-2", "recorded"]
    switched = found.model.with_sources("study-1")
    assert switched.prevalence.beside == []
    assert make_rates(switched, workspace.shelf, 50, 1).has_transport


def test_the_order_of_studies_does_not_matter(workspace):
    model = three(workspace)
    turned = model.with_sources("study-2", "study-0", "study-1")
    a, b = (make_rates(one, workspace.shelf, 200, 1) for one in (model, turned))
    assert np.allclose(a.headline, b.headline, rtol=1e-9)
    assert np.allclose(a.draws, b.draws, rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"study-1": {"measure": "lifetime"}}, "R171"),
        ({"study-1": {"measure": "period-12"}}, "R301"),
        ({"study-1": {"condition": "wakefulness"}}, "R301"),
        ({"study-1": {"case_definition": "scores above 9 on a questionnaire"}}, "R301"),
        ({"study-1": {"appraisal": {"tool": None, "overall": None, "notes": None}}}, "R304"),
        ({"prevalence": {"errors": {"transport": 0.2, "because": "habit"}}}, "R311"),
        ({"prevalence": {"sources": ["study-0", "study-1"]}}, "R302"),
        ({"prevalence": {"sources": ["study-0", {"source": "study-1", "study": "s"}, {"source": "study-2", "study": "s"}]}},
         "R303"),
    ],
)  # fmt: skip
def test_what_is_not_poolable_is_refused(workspace, changed, code):
    model = three(workspace, **changed)
    with pytest.raises(HnaError) as told:
        make_rates(model, workspace.shelf, 100, 1)
    assert code in told.value.codes


def test_definitions_said_to_be_one_class_are_pooled(workspace):
    changed = {
        "study-1": {"case_definition": "scores above 9 on a questionnaire"},
        "prevalence": {"pool": {"same_definition": "the questionnaire was calibrated on the three questions"}},
    }
    assert make_rates(three(workspace, **changed), workspace.shelf, 100, 1).headline.size == 4


def test_two_tables_of_one_survey_share_its_error(small):
    small.prevalence("other-table", small.rates_rows(), condition="sleeplessness")
    errors = {"study": 0.3, "transport": 0.0, "staleness": 0.0, "because": "to see it"}

    def noise(source: str, study: str | None) -> np.ndarray:
        used = {"source": source} | ({"study": study} if study else {})
        rates = make_rates(
            small.model(f"need-{source}", prevalence={"sources": [used], "errors": errors}), small.shelf, 500, 1
        )
        return logit(rates.at("", 0, terms=("study",))) - logit(rates.at("", 0, terms=()))

    one, other = noise("own-study", "survey-2022"), noise("other-table", "survey-2022")
    assert np.corrcoef(one[0, 0, 0], other[0, 0, 0])[0, 1] > 0.999
    assert abs(np.corrcoef(noise("own-study", None)[0, 0, 0], noise("other-table", None)[0, 0, 0])[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("rate", "figures", "words"),
    [(0.1065, 3, "10.7%"), (0.00453, 3, "0.453%"), (0.20204, 2, "20%"), (0.0000123, 2, "0.0012%"), (0.0, 2, "0%")],
)
def test_rates_in_words_have_as_many_figures_whatever_their_size(rate, figures, words):
    assert percent(rate, figures) == words
