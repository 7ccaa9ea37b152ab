"""Smoothing over a map: scaled in every connected part, islands kept, and refused where it would add nothing."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from hna.errors import AxisError, ModelError
from hna.model.fit_sampler import Diagnostics
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


@pytest.mark.calibration
@pytest.mark.skipif(not FULL, reason="compiles and runs a sampler: HNA_CALIBRATION=full")
def test_a_smooth_map_is_recovered():
    areas, pairs = grid(8, 8)
    borders = neighbours(areas, pairs)
    rng = np.random.default_rng(1)
    truth = expit(-2 + 0.6 * borders.basis @ rng.standard_normal(borders.basis.shape[1]))
    size = rng.integers(30, 300, len(areas)).astype(float)
    cases = rng.binomial(size.astype(int), truth)
    found = smooth(cases, size, borders, kind="recorded", draws=2000, tune=1500, seed=1)
    table = found.table()
    assert np.abs(table["estimate"] - truth).mean() < 0.8 * np.abs(table["observed"] - truth).mean()
    assert ((table["lower"] <= truth) & (truth <= table["upper"])).mean() >= 0.88
