"""How often the 95 % interval of a corrected rate holds the truth: test, validation study and pairs drawn again and again.

Small by default (300 replicates of 500 draws; Monte Carlo standard error of a coverage 0.013, so the band 0.93 to 0.97 is widened
by two of these on either side). In full with HNA_CALIBRATION=full: 4,000 replicates of 1,000 draws (standard error 0.003),
results written to correction_results.json beside this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betaincinv, expit, logit

from hna.errors import ModelError
from hna.measure.draws import uniform
from hna.model.correction import WHOLE, Corrections
from hna.model.crosswalk import Accuracy, TestErrors, crosswalk

pytestmark = pytest.mark.calibration

FULL = os.environ.get("HNA_CALIBRATION") == "full"
REPLICATES, DRAWS = (4000, 1000) if FULL else (300, 500)
SEED = 20_261_122
BAND = (0.93, 0.97)
SLACK = 2 * (0.95 * 0.05 / REPLICATES) ** 0.5
RESULTS = Path(__file__).with_name("correction_results.json")


def held(truth: float, mean: float, size: float, made: Corrections, seed: int) -> bool:
    drawn = betaincinv(size * mean, size * (1 - mean), uniform(seed, "sampling", DRAWS))[None]
    _, moved = made.moved(np.array([mean]), drawn, WHOLE, seed, "survey")
    low, high = np.quantile(moved, [0.025, 0.975])
    return bool(low <= truth <= high)


def accuracy(name: str, cases: int, sample: int) -> Accuracy:
    if 0 < cases < sample:
        return Accuracy(name, cases / sample, sample)
    return Accuracy(name, (cases + 0.5) / (sample + 1), sample + 1)


def kept(name: str, coverage: float, refused: int = 0) -> None:
    if FULL:
        found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        results = found.get("results", {}) | {name: {"coverage": round(coverage, 4), "refused": refused}}
        command = "HNA_CALIBRATION=full python -m pytest tests/calibration/test_correction.py"
        record = {"command": command, "seed": SEED, "replicates": REPLICATES, "draws": DRAWS, "band": BAND}
        RESULTS.write_text(json.dumps(record | {"results": dict(sorted(results.items()))}, indent=1) + "\n")


@pytest.mark.parametrize(
    ("truth", "sample", "sensitivity", "cases", "specificity", "others"),
    [(0.1, 1000, 0.85, 100, 0.95, 300), (0.2, 500, 0.9, 80, 0.9, 150), (0.03, 3000, 0.85, 100, 0.99, 800)],
)
def test_a_rate_corrected_for_a_test(truth, sample, sensitivity, cases, specificity, others):
    rng = np.random.default_rng(SEED)
    inside, refused = [], 0
    for n in range(REPLICATES):
        positive = rng.binomial(sample, truth * sensitivity + (1 - truth) * (1 - specificity))
        found = (
            accuracy(name, rng.binomial(size, share), size)
            for name, share, size in (("se", sensitivity, cases), ("sp", specificity, others))
        )
        try:
            inside.append(held(truth, positive / sample, sample, Corrections((("screening", TestErrors(*found)),)), n))
        except ModelError:
            refused += 1
    coverage = float(np.mean(inside))
    kept(f"test, p {truth:g}, Se {sensitivity:g} of {cases}, Sp {specificity:g} of {others}", coverage, refused)
    assert refused < 0.05 * REPLICATES
    assert BAND[0] - SLACK <= coverage <= BAND[1] + SLACK


@pytest.mark.parametrize(("pairs", "between"), [(5, 0.3), (12, 0.2), (3, None), (6, None)])
def test_a_rate_carried_by_pairs(pairs, between):
    """With the spread between settings fixed; and, as its prior has it, drawn anew each time (None)."""
    rng = np.random.default_rng(SEED)
    inside = []
    for n in range(REPLICATES):
        spread = abs(rng.normal(0, 0.5)) if between is None else between
        beta = rng.normal(0.5, 0.3)
        d, v = [], []
        for _ in range(pairs):
            reference = expit(logit(0.15) + rng.normal(0, 0.3))
            alternative = expit(logit(reference) + beta + rng.normal(0, spread))
            both = min(reference, alternative) * 0.85
            both = max(both, reference + alternative - 1)
            cells = np.array([both, alternative - both, reference - both, 1 - alternative - reference + both])
            j, a, b, _rest = rng.multinomial(600, cells) / 600
            p, r = j + a, j + b
            d.append(logit(p) - logit(r))
            v.append((1 / (p * (1 - p)) + 1 / (r * (1 - r)) - 2 * (j - p * r) / (p * (1 - p) * r * (1 - r))) / 600)
        alternative = expit(logit(0.1) + beta + rng.normal(0, spread))
        found = rng.binomial(2000, alternative) / 2000
        made = Corrections((("crosswalk", crosswalk("pairs", d, v, 0.5)),))
        inside.append(held(0.1, found, 2000, made, n))
    coverage = float(np.mean(inside))
    kept(f"{pairs} pairs, spread {'by its prior' if between is None else between}", coverage)
    assert BAND[0] - SLACK <= coverage <= BAND[1] + SLACK
