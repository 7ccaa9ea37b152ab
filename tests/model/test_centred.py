"""One of many errors that add up to nothing: the same alone or among all, with the conditional distribution's own moments."""

from __future__ import annotations

import numpy as np
import pytest

from hna.measure.draws import stream
from hna.model.centred import centred, order_of

CODES = [f"E0{n % 4 + 6}{n:06d}" for n in range(12)]
SPREAD = np.random.default_rng(3).uniform(0.01, 0.1, 12)
WEIGHT = np.random.default_rng(4).dirichlet(np.ones(12))


def drawn(at, codes=CODES, spread=SPREAD, weight=WEIGHT, draws=20_000):
    return centred(at, spread, weight, order_of(codes), lambda n: stream(1, codes[n]).standard_normal(draws))


def test_weighted_errors_add_up_to_nothing_in_every_draw():
    found = np.stack([drawn(at)[0] for at in range(12)])
    assert np.abs(WEIGHT @ found).max() < 1e-15
    assert found.std(axis=1) == pytest.approx([np.sqrt(drawn(at)[1]) for at in range(12)], rel=0.03)


def test_variances_and_covariances_are_those_of_normals_given_their_sum():
    """Cov = diag(σ²) − σ²w·(σ²w)ᵀ/V, exactly, from the divisions' own coefficients."""
    basis = {code: n for n, code in enumerate(CODES)}
    unit = lambda n: np.eye(12)[basis[CODES[n]]]  # noqa: E731
    rows = [centred(at, SPREAD, WEIGHT, order_of(CODES), unit) for at in range(12)]
    loadings = np.stack([np.asarray(row[0]) for row in rows])
    moved = SPREAD**2 * WEIGHT
    expected = np.diag(SPREAD**2) - np.outer(moved, moved) / (WEIGHT @ moved)
    np.testing.assert_allclose(loadings @ loadings.T, expected, atol=1e-15)
    np.testing.assert_allclose([row[1] for row in rows], np.diag(expected), rtol=1e-12)


def test_a_change_of_the_list_leaves_most_of_every_draw():
    gone = [n for n in range(12) if n != 7]
    weight = WEIGHT[gone] / WEIGHT[gone].sum()
    found = [drawn(at, [CODES[n] for n in gone], SPREAD[gone], weight)[0] for at in range(11)]
    kept = [np.corrcoef(found[at], drawn(n)[0])[0, 1] for at, n in enumerate(gone)]
    assert np.median(kept) > 0.9


def test_nobody_and_no_error_are_no_error():
    assert drawn(0, spread=np.r_[0.0, SPREAD[1:]]) == (0.0, 0.0)
    weight = np.r_[WEIGHT[:11], 0.0]
    assert drawn(11, weight=weight) == (0.0, 0.0)
    assert np.abs(weight @ np.stack([drawn(at, weight=weight)[0] + np.zeros(20_000) for at in range(12)])).max() < 1e-15
