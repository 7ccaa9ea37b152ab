"""Variants of a projection, years of two releases, years beyond a source, and people of households."""

from __future__ import annotations

import pytest

import hna
from hna.errors import AxisError, SourceError
from hna.evidence.population import read_population
from hna.run import Request, assess

FUTURE = range(2024, 2041)


@pytest.fixture
def place(small):
    small.prevalence(rows=small.rates_rows(), study=HOUSEHOLD)
    small.model()
    small.population(rows=small.people_rows())
    small.population("own-future", small.people_rows(years=FUTURE), basis="projection")
    more = [row | {"persons": 2 * row["persons"]} for row in small.people_rows(years=FUTURE)]
    small.population("own-future-high", more, basis="projection", variant="high migration")
    return small


HOUSEHOLD = {
    "design": "survey", "frame": "household", "fieldwork": [2022, 2022], "geography": "Mereshire", "sample_size": 2000,
    "response_rate": 0.6, "exclusions": None,
}  # fmt: skip


def figures(place, **asked):
    report = assess(Request(areas=("Northmere",), by=(), draws=500, workspace=place.root, **asked))
    table = report.answers[0].figures
    return report, table[table["quantity"] == "need"].set_index("year")


def test_a_variant_is_a_run_of_its_own_and_named(place):
    principal, usual = figures(place)
    assert "high migration" not in str(principal.answers[0].notes)
    variant, high = figures(place, population="own-future-high", years=(2029,))
    assert high.loc[2029, "estimate"] == pytest.approx(2 * usual.loc[2029, "estimate"])
    assert usual.loc[2029, "upper"] < high.loc[2029, "estimate"]
    assert "a variant of a projection (high migration)" in " ".join(variant.answers[0].notes)
    said = hna.population("own-future-high", "Northmere", 2030, place.root).bridges
    assert "no limit of an interval" in said[0]


def test_a_variant_is_of_a_projection(place):
    place.population("odd", place.people_rows(), variant="high")
    with pytest.raises(SourceError, match="a variant is of a projection"):
        read_population(place.shelf, "odd")


def test_years_of_two_releases_are_flagged_and_far_ones(place):
    _, need = figures(place, years=(2024, 2029, 2039))
    flags = {year: set(text.split()) for year, text in need["flags"].items()}
    assert "W501" not in flags[2024]
    assert {"W501", "N511"} <= flags[2029]
    assert "W511" not in flags[2029]
    assert {"W501", "N511", "W511"} <= flags[2039]
    _, alone = figures(place, years=(2029, 2039), population="own-future")
    assert "W501" not in " ".join(alone["flags"])


def test_python_flags_what_a_run_flags(place):
    rates = hna.rates("sleeplessness", draws=500, workspace=place.root)

    def flags(years):
        return set(hna.need(rates, hna.population("own-future", "Northmere", years, place.root)).flags)

    assert {"N511", "W511"} <= flags(2039)
    assert "N511" in flags(2029)
    assert "W511" not in flags(2029)


def test_a_year_beyond_the_people_is_refused(place):
    with pytest.raises(AxisError) as told:
        figures(place, years=(2050,))
    assert told.value.codes == ("R512",)
    with pytest.raises(AxisError) as told:
        hna.population("own-future", "Northmere", 2050, place.root)
    assert told.value.codes == ("R512",)


def test_a_study_of_households_fits_people_of_households(place):
    place.population("own-households", place.people_rows(), base="household")
    _, everybody = figures(place, population="own-people")
    _, households = figures(place, population="own-households")
    assert "W522" in everybody["flags"].iloc[0]
    assert "W522" not in households["flags"].iloc[0]
