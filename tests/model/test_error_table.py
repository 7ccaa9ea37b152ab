"""An analyst's own table of errors takes the place of the standards, end to end, and its source is told."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hna
from hna.catalogue import bibtex
from hna.checks import check_shelf
from hna.errors import ModelError, SourceError
from hna.evidence.population import read_population
from hna.model.people_error import with_error

HALF, EIGHTY = 0.6744897501960817, 1.2815515655446004
ROWS = [
    {"area_type": "default", "horizon": 10, "age_from": 0, "age_to": "", "median_ape": 2.0, "p80_ape": 5.0, "bias": 1.5},
    {"area_type": "default", "horizon": 5, "age_from": 0, "age_to": "", "median_ape": 1.0, "p80_ape": "", "bias": 0.5},
    {"area_type": "S02", "horizon": 10, "age_from": 0, "age_to": "", "median_ape": 6.0, "p80_ape": "", "bias": ""},
]  # fmt: skip


def table(small, rows=ROWS, of=("own-future",)):
    small.population_error(rows, of)


def future(small, **fields):
    small.population("own-future", small.people_rows(years=range(2020, 2031)), **({"basis": "projection"} | fields))


def people(small, name="own-future", years=(2020, 2025, 2030)):
    return with_error(small.shelf, read_population(small.shelf, name, None, years))


def test_spreads_are_the_wider_of_the_two_and_straight_between_horizons(small):
    future(small)
    table(small)
    error = people(small).error
    assert error.sd("N01", 2025) == pytest.approx(0.01 / HALF)
    assert error.sd("N01", 2030) == pytest.approx(0.05 / EIGHTY)
    assert error.sd("N01", 2028) == pytest.approx(np.interp(8, [5, 10], [0.01 / HALF, 0.05 / EIGHTY]))
    assert error.sd("S02", 2030) == pytest.approx(0.06 / HALF)
    drawn = np.log(error.factors("N01", 2030, 1, 20_000))
    assert drawn.std(axis=1)[-1] == pytest.approx(np.sqrt(error.sd("N01", 2030) ** 2 + 0.01**2 + 0.03**2), rel=0.05)


def test_ages_that_were_measured_have_what_was_measured(small):
    future(small)
    ages = [
        {"area_type": "default", "horizon": 10, "age_from": low, "age_to": high, "median_ape": size}
        for low, high, size in ((0, "", 2.0), (0, 19, 8.0), (20, 64, 3.0), (65, "", 5.0))
    ]
    table(small, ages)
    error = people(small).error
    assert error.groups.labels == ["0-19", "20-64", "65+"]
    drawn = np.log(error.factors("N01", 2030, 1, 20_000)).std(axis=1)
    assert drawn == pytest.approx([0.08 / HALF, 0.03 / HALF, 0.05 / HALF], rel=0.05)


def test_a_run_holds_the_table_and_tells_where_it_is_from(small, tmp_path):
    small.prevalence(rows=small.rates_rows())
    small.model()
    future(small)
    plain = hna.run(areas=["Northmere"], years=[2030], by=(), draws=2000, out=tmp_path / "plain", workspace=small.root)
    table(small, [{**ROWS[0], "median_ape": 30.0}])
    report = hna.run(areas=["Northmere"], years=[2030], by=(), draws=2000, out=tmp_path / "out", workspace=small.root)
    wide, narrow = (one.answers[0].figures.set_index("quantity").loc["need"] for one in (report, plain))
    assert wide["estimate"] == narrow["estimate"]
    assert np.log(wide["upper"] / wide["lower"]) > np.log(narrow["upper"] / narrow["lower"]) + 0.5
    told = " ".join(report.answers[0].notes)
    assert "Figures of our own" in told
    assert "+1.5% out on average in the past, which is not taken off" in told
    assert "own-errors" in json.dumps(json.loads((tmp_path / "out" / "run.json").read_text()))
    assert "Figures of our own" in (tmp_path / "out" / "report.html").read_text()
    assert "own-errors" in bibtex(small.shelf, "sleeplessness")
    assert not check_shelf(small.shelf).faults


@pytest.mark.parametrize("fields", [{"base": "registered"}, {"basis": "census"}, {"base": "household"}])
def test_a_count_is_exact_unless_a_table_speaks_of_it(small, fields):
    future(small, **({"basis": "estimate"} | fields))
    assert people(small).error is None
    table(small, [{**ROWS[0], "horizon": 0, "p80_ape": ""}])
    error = people(small).error
    assert [error.sd("N01", year) for year in (2020, 2030)] == [0.02 / HALF] * 2
    paths = [np.log(error.factors("N01", year, 1, 20_000))[0] for year in (2020, 2025)]
    assert np.corrcoef(paths)[0, 1] == pytest.approx(0.95**5, abs=0.02)


def test_a_year_or_area_that_was_not_measured_is_refused(small):
    future(small)
    table(small, [{**ROWS[1]}])
    with pytest.raises(ModelError, match="10 years lie beyond own-errors, which goes to 5") as told:
        people(small)
    assert told.value.codes == ("R512",)
    table(small, [ROWS[2]])
    with pytest.raises(ModelError, match="no areas like N01") as told:
        people(small)
    assert told.value.codes == ("R513",)


@pytest.mark.parametrize(
    ("rows", "of", "said"),
    [
        ([{**ROWS[0], "median_ape": -1}], ("own-future",), "is negative"),
        ([{**ROWS[0], "median_ape": "", "p80_ape": ""}], ("own-future",), "neither error is given"),
        ([{**ROWS[0], "area_type": "hamlet"}], ("own-future",), "is no type of area"),
        ([{**ROWS[0], "age_from": 5}], ("own-future",), "do not run from 0"),
        ([ROWS[0], ROWS[0]], ("own-future",), "stand more than once"),
        (ROWS, ("own-future", "nobody"), "no population is called this"),
    ],
)
def test_faults_are_told(small, rows, of, said):
    future(small)
    table(small, rows, of)
    with pytest.raises(SourceError, match=said):
        people(small)
