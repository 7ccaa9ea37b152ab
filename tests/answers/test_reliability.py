"""Groups that rest on too few people examined: flagged in every table, left out of the report, in the totals all the same."""

import numpy as np
import pytest

from hna.answers.need import need
from hna.evidence.population import read_population
from hna.model.distribution import below_standard
from hna.model.rates import make_rates
from hna.model.reliability import examined
from hna.run import Request, assess, run

ALL = {"given": "counts"}


def _rows(*cells):
    """Cases and people examined by sex and band."""
    places = [("female", 65, 74), ("female", 75, ""), ("male", 65, 74), ("male", 75, "")]
    return [
        {"sex": sex, "age_from": low, "age_to": high, "cases": cases, "sample": sample}
        for (sex, low, high), (cases, sample) in zip(places, cells, strict=True)
    ]


PLENTY = (90, 900), (180, 900), (80, 900), (170, 900)
ONE_SHORT = (90, 900), (180, 900), (80, 900), (6, 29)
ALL_SHORT = ((3, 20),) * 4


def _answer(small, cells, **more):
    small.prevalence(rows=_rows(*cells), uncertainty=ALL, **more)
    return assess(Request(workspace=small.root, draws=200)).answers[0]


def _flagged(answer, quantity="need"):
    here = answer.figures.query("area_code == 'N01' and quantity == @quantity")
    return {(row.sex, row.age_band) for row in here.itertuples() if "W121" in row.flags.split()}


@pytest.mark.parametrize(
    ("share", "people", "below"),
    [
        (0.5, 29, True),  # too few, however sure
        (0.01, 29, True),
        (0.5, 50, False),  # 0.29 is not yet wide
        (0.5, 41, True),
        (0.001, 900, False),  # narrow, however wide beside the share
        (0.03, 100, True),  # 0.079, 2.6 times the share
        (0.10, 100, False),  # 0.127, 1.27 times the share
        (0.0, 200, False),  # up to 0.018
        (0.0, 40, False),  # up to 0.088, and no share to set it beside
    ],
)
def test_the_standard(share, people, below):
    assert below_standard(share, people) is below


def test_a_group_of_few_is_flagged_and_its_total_is_not(small):
    answer = _answer(small, ONE_SHORT)
    short = {("male", "75+")}
    assert _flagged(answer) == _flagged(answer, "prevalence") == short
    assert not _flagged(answer, "population")
    told = answer.figures.query("area_code == 'N01' and quantity == 'need'").set_index(["sex", "age_band"])["estimate"]
    parts = sum(told[sex, age] for sex in ("female", "male") for age in ("65-74", "75+"))
    assert parts == pytest.approx(told["persons", "all"])


def test_nobody_is_flagged_where_enough_were_examined(small):
    assert not _flagged(_answer(small, PLENTY))
    small.prevalence(rows=small.rates_rows())
    assert not _flagged(assess(Request(workspace=small.root, draws=200)).answers[0])


def test_small_groups_together_are_judged_by_all_their_people(small):
    """Twenty in each cell are forty of a sex or an age, and eighty altogether."""
    found = _flagged(_answer(small, ALL_SHORT))
    assert {("female", "65-74"), ("male", "75+")} <= found
    assert ("persons", "all") not in found
    assert ("female", "all") in found  # 6 of 40: 0.24 wide beside 0.15


def test_a_design_effect_leaves_fewer_people(small):
    assert not _flagged(_answer(small, ((12, 60),) * 4, design_effect=1.0)) & {("male", "75+")}
    assert ("male", "75+") in _flagged(_answer(small, ((12, 60),) * 4, design_effect=2.5))


def test_a_whole_need_below_standard_is_told_with_its_flag(small):
    small.prevalence(rows=[{"age_from": 65, "age_to": "", "cases": 2, "sample": 20}], uncertainty=ALL)
    answer = assess(Request(workspace=small.root, draws=200)).answers[0]
    for quantity in ("need", "prevalence", "gap", "coverage"):
        assert ("persons", "all") in _flagged(answer, quantity)
    assert ("persons", "all") not in _flagged(answer, "known")


def test_a_judged_range_is_no_number_of_people(small):
    rows = [{"age_from": 65, "age_to": "", "estimate": 9.0}]
    small.prevalence(rows=rows, uncertainty={"given": "none"})
    judged = {"relative": [0.3, 3.0], "because": "two of us"}
    model = small.model(prevalence={"sources": ["own-study"], "judged": judged, "errors": small.exact})
    seen = examined(make_rates(model, small.shelf, 100, 1))
    assert not seen.too_few(0, np.ones((1, 1)))


def test_a_share_of_severity_that_rests_on_few_is_flagged(small):
    rows = [{"severity": "mild", "cases": 15, "sample": 25}, {"severity": "severe", "cases": 10, "sample": 25}]
    small.prevalence(
        "split", rows=rows, uncertainty=ALL, measure="proportion-of-cases",
        severity={"kind": "exclusive", "strata": ["mild", "severe"]},
    )  # fmt: skip
    small.prevalence(rows=_rows(*PLENTY), uncertainty=ALL)
    small.model(prevalence={"sources": ["own-study"], "severity": "split", "errors": small.exact})
    figures = assess(Request(workspace=small.root, draws=200)).answers[0].figures
    told = figures.query("area_code == 'N01' and quantity == 'need'")
    assert {row.severity for row in told.itertuples() if "W121" in row.flags.split()} == {"mild", "severe"}


@pytest.mark.parametrize(("by", "told"), [((), False), (("sex",), False), (("age",), True), (("sex", "age"), True)])
def test_python_tells_it_of_the_groups_that_are_asked_for(small, by, told):
    cells = (90, 900), (3, 20), (80, 900), (3, 20)  # 75+: 40 people, 0.24 wide beside 0.15
    small.prevalence(rows=_rows(*cells), uncertainty=ALL)
    rates = make_rates(small.shelf_model(), small.shelf, 100, 1)
    found = need(rates, read_population(small.shelf, "own-people"), ["area", "year", *by])
    assert ("W121" in found.flags) is told


def test_the_report_leaves_the_group_out_and_says_so(small, tmp_path):
    small.prevalence(rows=_rows(*ONE_SHORT), uncertainty=ALL)
    run(Request(workspace=small.root, draws=100), tmp_path / "few")
    page = (tmp_path / "few" / "report.html").read_text(encoding="utf-8")
    assert "Not shown alone, because too few people were examined: males 75+." in page
    assert "W121" in page
    small.prevalence(rows=_rows(*PLENTY), uncertainty=ALL)
    run(Request(workspace=small.root, draws=100), tmp_path / "plenty")
    assert "Not shown alone" not in (tmp_path / "plenty" / "report.html").read_text(encoding="utf-8")
