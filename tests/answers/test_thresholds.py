"""The line of severity: strata added up within each draw, and the share that a service reaches above it."""

from __future__ import annotations

import numpy as np
import pytest

import hna
from hna.answers.thresholds import by_threshold
from hna.errors import QuantityError
from hna.evidence.known import Known

ORDER = ("mild", "moderate", "severe")


@pytest.fixture(scope="module")
def need():
    people = hna.population("ons-mye-2023", areas=["Halton", "Sefton"])
    return hna.need(hna.rates("alcohol-dependence", draws=400), people, by=["area", "year", "severity"])


def treated(need, count: float) -> Known:
    held = hna.known("qof-dementia-2019-20", areas=["Halton", "Sefton"])
    held.count[:] = count
    return held


def test_each_line_holds_the_strata_above_it(need) -> None:
    table = by_threshold(need, ORDER)
    assert table["threshold"].unique().tolist() == ["mild and above", "moderate and above", "severe only"]
    whole = need.interval().query("severity == ''").set_index("area")["estimate"]
    lowest = table.query("threshold == 'mild and above'").set_index("area")["estimate"]
    np.testing.assert_allclose(lowest.sort_index(), whole.sort_index())
    for _, held in table.groupby("area"):
        assert held["estimate"].is_monotonic_decreasing
        assert held["upper"].is_monotonic_decreasing
    # Limits are of the sum, never the sum of limits.
    parts = need.interval().query("severity in ['moderate', 'severe'] and area == 'E06000006'")
    (upper,) = table.query("threshold == 'moderate and above' and area == 'E06000006'")["upper"]
    assert upper < parts["upper"].sum()


def test_coverage_rises_as_the_line_does(need) -> None:
    table = by_threshold(need, ORDER, treated(need, 120.0)).query("quantity == 'coverage' and area == 'E06000006'")
    assert table["estimate"].is_monotonic_increasing
    draws = need.draws.sel(severity="severe", area="E06000006", year=2023).values
    (found,) = table.query("threshold == 'severe only'")["estimate"]
    assert found == pytest.approx(np.median(120 / draws))
    assert set(table["unit"]) == {"proportion"}


def test_strata_that_overlap_have_no_line() -> None:
    people = hna.population("ons-mye-2023", areas=["Halton"])
    need = hna.need(hna.rates("child-mental-disorder", draws=20), people, by=["area", "year", "severity"])
    with pytest.raises(QuantityError, match="R152"):
        by_threshold(need, ["emotional", "conduct", "hyperkinetic", "less common"])


def test_bad_requests(need) -> None:
    with pytest.raises(QuantityError, match="It has mild, moderate, severe"):
        by_threshold(need, ["mild", "severe"])
    with pytest.raises(QuantityError, match="ask for need by area, year and severity"):
        by_threshold(hna.need(need.rates, need.population, by=["area", "year"]), ORDER)
    with pytest.raises(QuantityError, match="R602"):
        by_threshold(need, ORDER, treated(need, np.nan))
