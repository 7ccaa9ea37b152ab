"""Change detectors: the headline figures of every shipped need in Halton. A difference is looked at, then recorded.

To record: ``HNA_GOLDEN=write python -m pytest tests/golden`` and review the diff of ``halton.csv``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from hna.model.spec import read_model
from hna.run import Request, assess

FILE = Path(__file__).parent / "halton.csv"
KEYS = ["need", "severity", "year", "quantity"]
NUMBERS = ["estimate", "lower", "upper"]


def figures() -> pd.DataFrame:
    report = assess(Request(areas=("Halton",), draws=500, by=()))
    table = pd.concat([found.figures for found in report.answers], ignore_index=True)
    kept = table[table["quantity"].isin(["need", "known", "gap", "coverage"]) & (table["year"] <= 2023)]
    rounded = kept[NUMBERS].apply(lambda column: column.map(lambda value: float(f"{value:.5g}"), na_action="ignore"))
    return pd.concat([kept[KEYS], rounded], axis=1).sort_values(KEYS).reset_index(drop=True)


def test_no_headline_moves_unseen() -> None:
    ours = figures()
    if os.environ.get("HNA_GOLDEN") == "write":
        ours.to_csv(FILE, index=False, lineterminator="\n")
        pytest.skip("recorded: review the diff of halton.csv")
    recorded = pd.read_csv(FILE, keep_default_na=True).assign(
        severity=lambda table: table["severity"].map(lambda text: "" if pd.isna(text) else text)
    )
    pd.testing.assert_frame_equal(ours, recorded, rtol=1e-3, check_dtype=False)


def test_every_need_is_recorded(repository: Path) -> None:
    models = [read_model(path) for path in (repository / "models").glob("*.yaml")]
    needs = {model.need for model in models if not model.population}
    assert set(pd.read_csv(FILE)["need"]) == needs
