"""Smoothing over a map: scaled in every connected part, islands kept, and refused where it would add nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from hna.errors import AxisError, ModelError
from hna.model.fit_sampler import Diagnostics
from hna.model.rules import rules
from hna.model.spatial import neighbours, smooth

FULL = os.environ.get("HNA_CALIBRATION") == "full"


def grid(rows: int, columns: int, islands: int = 2):
    names = [f"{r}-{c}" for r in range(rows) for c in range(columns)]
    right = [(f"{r}-{c}", f"{r}-{c + 1}") for r in range(rows) for c in range(columns - 1)]
    down = [(f"{r}-{c}", f"{r + 1}-{c}") for r in range(rows - 1) for c in range(columns)]
    far = [f"far-{n}" for n in range(4)]
    return [*names, *far, *(f"isle-{n}" for n in range(islands))], [*right, *down, *pairwise(far)]


def test_every_connected_part_is_scaled():
    areas, pairs = grid(5, 6)
    found = neighbours(areas, pairs)
    assert found.islands == ("isle-0", "isle-1")
    assert len(np.unique(found.component)) == 4
    variance = (found.basis**2).sum(axis=1)
    for part in np.unique(found.component):
        inside = found.component == part
        assert np.exp(np.log(variance[inside]).mean()) == pytest.approx(1)
        if inside.sum() > 1:
            assert np.abs(found.basis[inside].sum(axis=0)).max() < 1e-9
    covariance = found.basis @ found.basis.T
    assert covariance[0, 1] > covariance[0, 29]


def test_unknown_areas_are_told():
    with pytest.raises(AxisError):
        neighbours(["a", "b"], [("a", "z")])


@pytest.mark.parametrize(("rows", "kind", "code"), [(1, "recorded", "R432"), (5, "synthetic", "R431")])
def test_what_cannot_be_smoothed_is_refused(rows, kind, code):
    areas, pairs = grid(rows, 6 if rows > 1 else 3)
    borders = neighbours(areas, pairs)
    assert rows > 1 or len(areas) == 9
    with pytest.raises(ModelError) as told:
        smooth(np.ones(len(areas)), np.full(len(areas), 10.0), borders, kind=kind)
    assert told.value.codes == (code,)


def test_a_fit_with_divergences_is_refused():
    good = Diagnostics(1.002, 900, 800, 0.02, 0, "nutpie")
    good.require()
    for bad in (
        Diagnostics(1.002, 900, 800, 0.02, 3, "nutpie"),
        Diagnostics(1.02, 900, 800, 0.02, 0, "nutpie"),
        Diagnostics(1.002, 900, 300, 0.02, 0, "nutpie"),
    ):
        with pytest.raises(ModelError) as told:
            bad.require()
        assert told.value.codes == ("R391",)


def counted(family: str = "binomial", low: int = 30, high: int = 300):
    areas, pairs = grid(8, 8)
    borders = neighbours(areas, pairs)
    rng = np.random.default_rng(1)
    eta = -2 + 0.6 * borders.basis @ rng.standard_normal(borders.basis.shape[1])
    size = rng.integers(low, high, len(areas)).astype(float)
    if family == "binomial":
        return borders, expit(eta), rng.binomial(size.astype(int), expit(eta)), size
    return borders, np.exp(eta), rng.poisson(size * np.exp(eta)), size


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_smooth_map_is_recovered(family):
    borders, truth, cases, size = counted(family)
    found = smooth(cases, size, borders, kind="recorded", family=family, seed=1)
    assert (found.engine, found.diagnostics) == ("laplace", None)
    assert found.khat < 0.7
    assert "k̂" in found.words
    table = found.table()
    assert np.abs(table["estimate"] - truth).mean() < 0.9 * np.abs(table["observed"] - truth).mean()
    assert ((table["lower"] <= truth) & (truth <= table["upper"])).mean() >= 0.88
    again = smooth(cases, size, borders, kind="recorded", family=family, seed=1)
    assert np.array_equal(again.draws, found.draws)


def test_a_measure_of_the_area_explains_what_it_can():
    borders, _, cases, size = counted()
    observed = np.log((cases + 0.5) / (size - cases + 0.5))
    plain, told = (
        smooth(cases, size, borders, kind="recorded", covariates=given, seed=1) for given in (None, observed[:, None])
    )
    assert told.sigma.mean() < 0.5 * plain.sigma.mean()


def test_laplace_insisted_on_is_refused_where_it_may_not_be_trusted(monkeypatch):
    borders, _, cases, size = counted()
    monkeypatch.setattr("hna.model.spatial.rules", lambda: replace(rules(), khat_below=-1.0))
    with pytest.raises(ModelError) as told:
        smooth(cases, size, borders, kind="recorded", method="laplace")
    assert told.value.codes == ("R392",)


@pytest.mark.calibration
@pytest.mark.skipif(not FULL, reason="compiles and runs a sampler: HNA_CALIBRATION=full")
@pytest.mark.parametrize(("family", "low", "high"), [("binomial", 30, 300), ("binomial", 3, 20), ("poisson", 30, 300)])
def test_laplace_and_the_sampler_agree_on_a_map(family, low, high):
    borders, _, cases, size = counted(family, low, high)
    mine = smooth(cases, size, borders, kind="recorded", family=family, method="laplace", draws=4000, seed=1)
    theirs = smooth(
        cases, size, borders, kind="recorded", family=family, method="nutpie", draws=8000, tune=1500, seed=1
    )
    assert theirs.diagnostics is not None
    spread = theirs.draws.std(axis=1)
    assert np.abs(mine.draws.mean(axis=1) - theirs.draws.mean(axis=1)).max() < 0.15 * spread.max()
    assert np.median(mine.draws.std(axis=1) / spread) == pytest.approx(1, abs=0.03)
    assert mine.sigma.mean() == pytest.approx(theirs.sigma.mean(), abs=0.12 * theirs.sigma.std())
    assert mine.share.mean() == pytest.approx(theirs.share.mean(), abs=0.12 * theirs.share.std())
