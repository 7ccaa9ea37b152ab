"""Severity: exclusive strata add up, cumulative ones are differenced, overlapping ones are never added."""

import numpy as np
import pytest

from hna.answers.need import need
from hna.errors import HnaError, ModelError, SourceError
from hna.evidence.population import read_population
from hna.model.rates import make_rates

COUNTS = {"given": "counts"}


def _rows(cells, sample=1000, **more):
    """Rows of cases by stratum for persons of 65 and over, one band or several."""
    return [
        {"severity": name, "sex": "persons", "age_from": low, "age_to": high, "cases": cases, "sample": sample} | more
        for name, values in cells.items()
        for (low, high), cases in zip(((65, 74), (75, "")), values, strict=True)
    ]


def _rates(workspace, kind, cells, draws=2000, errors=None, strata=None, **options):
    names = strata or [name for name in cells if name]
    workspace.prevalence(
        "strata", rows=_rows(cells, **options), uncertainty=COUNTS, severity={"kind": kind, "strata": names}
    )
    workspace.population(rows=workspace.people_rows(size=400_000))
    model = workspace.model(prevalence={"sources": ["strata"], "errors": errors or workspace.exact})
    return make_rates(model, workspace.shelf, draws, 1)


def _values(rates, name):
    return rates.draws.sel(severity=name).transpose("sex", "age", "draw").values[0]


def test_exclusive_strata_add_up_in_every_draw_and_keep_their_means(workspace):
    cells = {"": (40, 120), "mild": (30, 70), "severe": (10, 50)}
    rates = _rates(workspace, "exclusive", cells)
    np.testing.assert_allclose(_values(rates, "mild") + _values(rates, "severe"), _values(rates, ""), rtol=1e-12)
    for name, values in cells.items():
        np.testing.assert_allclose(_values(rates, name).mean(axis=-1), np.array(values) / 1000, rtol=0.02)
        np.testing.assert_allclose(rates.headline.sel(severity=name).values[0], np.array(values) / 1000)


def test_exclusive_strata_without_a_total_are_added_up_to_one(workspace):
    rates = _rates(workspace, "exclusive", {"mild": (30, 70), "severe": (10, 50)})
    assert rates.severities == ("", "mild", "severe")
    np.testing.assert_allclose(rates.headline.sel(severity="").values[0], [0.04, 0.12])


def test_the_share_of_a_stratum_is_as_sure_as_its_cases(workspace):
    """Shares given a case are a Dirichlet on the cases: 30 of 40 has a variance of 0.75 x 0.25 / 41."""
    rates = _rates(workspace, "exclusive", {"": (40, 120), "mild": (30, 70), "severe": (10, 50)}, draws=20_000)
    share = _values(rates, "mild")[0] / _values(rates, "")[0]
    assert share.var() == pytest.approx(0.75 * 0.25 / 41, rel=0.03)


def test_cumulative_strata_are_differenced(workspace):
    rates = _rates(workspace, "cumulative", {"at least mild": (40, 120), "at least severe": (10, 50)})
    np.testing.assert_allclose(rates.headline.sel(severity="at least mild").values[0], [0.03, 0.07])
    np.testing.assert_allclose(rates.headline.sel(severity="at least severe").values[0], [0.01, 0.05])
    parts = _values(rates, "at least mild") + _values(rates, "at least severe")
    np.testing.assert_allclose(parts, _values(rates, ""), rtol=1e-12)
    assert (_values(rates, "at least mild") >= 0).all()


def test_cumulative_strata_that_rise_are_refused(workspace):
    with pytest.raises(ModelError) as caught:
        _rates(workspace, "cumulative", {"at least mild": (40, 120), "at least severe": (10, 130)})
    assert caught.value.codes == ("R151",)
    assert "75+" in str(caught.value)


def test_overlapping_strata_stay_apart(workspace):
    rates = _rates(workspace, "overlapping", {"": (100, 100), "sad": (80, 70), "anxious": (60, 90)})
    assert rates.strata == ()
    assert rates.layers == ("", "sad", "anxious")
    assert "R152" not in rates.flags
    found = need(rates, read_population(workspace.shelf, "own-people"), ["area", "year", "severity"])
    with pytest.raises(HnaError, match="R152"):
        found.sum("severity")


def test_overlapping_strata_without_a_total_are_flagged(workspace):
    assert "R152" in _rates(workspace, "overlapping", {"sad": (80, 70), "anxious": (60, 90)}).flags


def test_overlapping_strata_without_a_total_have_no_need_of_all_severities(workspace):
    rates = _rates(workspace, "overlapping", {"sad": (80, 70), "anxious": (60, 90)})
    with pytest.raises(HnaError, match="R152"):
        need(rates, read_population(workspace.shelf, "own-people"))


@pytest.mark.parametrize("kind", ["exclusive", "cumulative"])
def test_strata_that_leave_out_half_of_the_cases_are_not_stretched(workspace, kind):
    cells = {"": (100, 100), "moderate": (30, 30), "severe": (20, 20)}
    try:
        rates = _rates(workspace, kind, cells)
    except HnaError:
        return
    printed = 0.03 if kind == "exclusive" else 0.01
    assert rates.headline.sel(severity="moderate").values.max() == pytest.approx(printed)


def test_strata_that_differ_from_the_total_by_rounding_share_the_total(workspace):
    rates = _rates(workspace, "exclusive", {"": (100, 120), "mild": (60, 70), "severe": (41, 50)})
    parts = rates.headline.sel(severity=["mild", "severe"]).sum("severity")
    np.testing.assert_allclose(parts, rates.headline.sel(severity="", drop=True).transpose(*parts.dims))


def test_a_cell_without_cases_is_divided_as_the_others_are(workspace):
    rates = _rates(workspace, "exclusive", {"": (0, 120), "mild": (0, 90), "severe": (0, 30)})
    share = rates.headline.sel(severity="mild") / rates.headline.sel(severity="", drop=True)
    np.testing.assert_allclose(share.values[0], [0.75, 0.75])
    assert "W114" in rates.flags


@pytest.mark.parametrize("kind", ["exclusive", "cumulative"])
def test_one_irregular_stratum_does_not_spoil_the_total(workspace, kind):
    rows = [
        {"severity": name, "sex": "persons", "age_from": 65, "age_to": "", "estimate": p, "lower": low, "upper": high}
        for name, (p, low, high) in {"mild": (4.0, 2.9, 5.5), "severe": (2.0, 1.9, 6.0)}.items()
    ]
    workspace.prevalence("mixed", rows=rows, severity={"kind": kind, "strata": ["mild", "severe"]})
    rates = make_rates(
        workspace.model(prevalence={"sources": ["mixed"], "errors": workspace.exact}), workspace.shelf, 2000, 1
    )
    total = 0.06 if kind == "exclusive" else 0.04
    assert float(rates.headline.sel(severity="").item()) == pytest.approx(total)
    assert float(rates.draws.sel(severity="").mean()) == pytest.approx(total, rel=0.01)
    assert "W111" in rates.flags


def test_exclusive_strata_that_exceed_everybody_are_refused(workspace):
    with pytest.raises(ModelError) as caught:
        _rates(workspace, "exclusive", {"mild": (600, 70), "severe": (500, 50)})
    assert caught.value.codes == ("R152",)


SPLIT = {
    "measure": "proportion-of-cases",
    "uncertainty": COUNTS,
    "severity": {"kind": "exclusive", "strata": ["mild", "severe"]},
    "decimals": 0,
}


def _split(small, mild=150, severe=50, **fields):
    rows = [
        {"severity": name, "sex": "persons", "age_from": 65, "age_to": "", "cases": cases, "sample": 200}
        for name, cases in (("mild", mild), ("severe", severe))
    ]
    small.prevalence("split", rows=rows, **(SPLIT | fields))
    model = small.model(prevalence={"sources": ["own-study"], "severity": "split", "errors": small.exact})
    return make_rates(model, small.shelf, 5000, 1)


def test_another_source_divides_cases_alike_in_every_cell_and_draw(small):
    rates = _split(small)
    share = rates.draws.sel(severity="mild") / rates.draws.sel(severity="", drop=True)
    flat = share.transpose("draw", ...).values.reshape(5000, -1)
    np.testing.assert_allclose(flat, flat[:, :1].repeat(flat.shape[1], axis=1))
    assert flat[:, 0].mean() == pytest.approx(0.75, abs=0.002)
    assert flat[:, 0].std() == pytest.approx(np.sqrt(0.75 * 0.25 / 201), rel=0.05)


def test_shares_that_do_not_make_a_whole_are_refused(small):
    with pytest.raises(ModelError) as caught:
        _split(small, mild=150, severe=30)
    assert caught.value.codes == ("R152",)


@pytest.mark.parametrize(
    "fields", [{"measure": "point"}, {"severity": {"kind": "overlapping", "strata": ["mild", "severe"]}}]
)
def test_a_source_that_does_not_divide_cases_is_refused_as_a_divider(small, fields):
    with pytest.raises(ModelError, match="does not divide cases"):
        _split(small, **fields)


def test_a_divider_of_cases_is_no_prevalence(small):
    _split(small)
    model = small.model(prevalence={"sources": ["split"], "errors": small.exact})
    with pytest.raises(ModelError, match="no prevalence"):
        make_rates(model, small.shelf, 10, 1)


def test_a_point_without_uncertainty_is_refused_before_anything_is_drawn(small):
    small.prevalence("point", rows=[{"sex": "persons", "age_from": 65, "age_to": "", "estimate": 5}],
                     uncertainty={"given": "none"})  # fmt: skip
    model = small.model(prevalence={"sources": ["point"], "errors": small.exact})
    with pytest.raises(SourceError, match="R113"):
        make_rates(model, small.shelf, 10, 1)
