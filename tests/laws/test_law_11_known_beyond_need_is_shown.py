"""Law 11. Known > need is shown, never clipped; the net gap and the sum of positive strata are printed side by side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.gap import figures
from hna.answers.known_people import KnownPeople
from hna.run import Request, assess


def _known(small, counts):
    rows = [
        {"area_code": "N01", "area_name": "Northmere", "year": 2024, "sex": sex, "age_from": low,
         "age_to": "" if low == 75 else 74, "count": counts[sex, low]}
        for sex in ("female", "male") for low in (65, 75)
    ]  # fmt: skip
    small.known(rows=rows)
    report = assess(Request(workspace=small.root, areas=("N01",), draws=4000))
    return report.answers[0]


def _rows(answer):
    whole = answer.figures.query("sex == 'persons' and age_band == 'all' and severity == ''")
    return whole.set_index("quantity")


@given(st.floats(0.1, 10), st.integers(0, 2**32 - 1))
def test_the_gap_keeps_its_sign_in_every_draw(ratio, seed):
    draws = 1000 * np.random.default_rng(seed).lognormal(0, 0.3, 2000)
    same = np.full(2000, 1000 * ratio)
    found = figures(1000.0, draws, KnownPeople(same[0], same, same, (same[0], same[0])), 0.95, None)
    assert found["gap"].estimate == pytest.approx(1000 - same[0])
    assert found["gap"].lower == pytest.approx(np.quantile(draws, 0.025) - same[0])
    assert found["coverage"].estimate == pytest.approx(same[0] / np.median(draws), rel=1e-3)


def test_more_known_than_estimated_is_a_negative_gap_and_a_coverage_above_one(small):
    answer = _known(small, dict.fromkeys([("female", 65), ("female", 75), ("male", 65), ("male", 75)], 900))
    rows = _rows(answer)
    assert rows.estimate["gap"] < 0
    assert rows.upper["gap"] < 0
    assert rows.estimate["coverage"] > 1
    assert rows.estimate["p_known_exceeds_need"] == 1
    assert rows.probability["gap"] == 0
    assert rows.estimate["gap_positive"] == 0
    assert "W723" in rows.loc["gap", "flags"].split()


def test_a_surplus_in_one_cell_does_not_hide_a_gap_in_another(small):
    answer = _known(small, {("female", 65): 0, ("female", 75): 0, ("male", 65): 4000, ("male", 75): 4000})
    rows = _rows(answer)
    cells = answer.figures.query("quantity == 'gap' and sex != 'persons' and age_band != 'all'")
    assert rows.estimate["gap"] < 0 < rows.estimate["gap_positive"]
    assert len(cells) == 4
    positive = cells[cells.estimate > 0].estimate.sum()
    assert rows.estimate["gap_positive"] == pytest.approx(positive)
    assert rows.estimate["gap"] == pytest.approx(cells.estimate.sum())


def test_both_are_printed_where_every_cell_has_a_gap(small):
    answer = _known(small, dict.fromkeys([("female", 65), ("female", 75), ("male", 65), ("male", 75)], 1))
    rows = _rows(answer)
    assert rows.estimate["gap_positive"] == pytest.approx(rows.estimate["gap"])
    assert rows.lower["gap_positive"] == pytest.approx(rows.lower["gap"])


@pytest.mark.parametrize(("share", "flag"), [(0.6, None), (0.93, "W722"), (1.1, "W723")])
def test_the_chance_that_known_exceeds_need_is_flagged(small, share, flag):
    small.model(
        prevalence={"sources": ["own-study"], "errors": small.exact | {"study": 0.08}},
        known=[{"source": "own-register"}],
    )
    total = assess(Request(workspace=small.root, areas=("N01",), draws=50)).answers[0]
    point = _rows(total).estimate["need"]
    small.known(rows=small.count_rows({"N01": round(point * share), "S02": 1}))
    rows = _rows(assess(Request(workspace=small.root, areas=("N01",), draws=4000)).answers[0])
    raised = set(rows.loc["gap", "flags"].split()) & {"W722", "W723"}
    assert raised == ({flag} if flag else set())
    chance = rows.estimate["p_known_exceeds_need"]
    assert {None: chance <= 0.2, "W722": 0.2 < chance <= 0.5, "W723": chance > 0.5}[flag]
