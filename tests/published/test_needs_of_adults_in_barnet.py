"""PANSI's twenty numbers for Barnet: four conditions in five years from two populations a year.

Neither rates nor populations are printed beside them. Rates of the national survey of 2000 that the numbers imply, and
populations in whole hundreds as projections were then, give every number to the nearest person; four equations for two
unknowns in each year, so that method and rates are confirmed.
"""

import csv

import pytest

from hna.answers.need import need
from hna.evidence.population import read_population
from hna.model.rates import make_rates

RATES = {"neurotic": (13.5, 19.4), "personality": (5.4, 3.4), "psychotic": (0.6, 0.5), "depression": (2.3, 2.8)}
"""Men, women, per cent."""
PEOPLE = {
    2008: (104_000, 108_000),
    2010: (105_900, 110_000),
    2015: (109_200, 113_500),
    2020: (111_900, 117_100),
    2025: (115_100, 120_000),
}
PRINTED = {
    "neurotic": (34_992, 35_636, 36_761, 37_824, 38_818),
    "personality": (9_288, 9_459, 9_756, 10_024, 10_295),
    "psychotic": (1_164, 1_185, 1_223, 1_257, 1_291),
    "depression": (5_416, 5_516, 5_690, 5_852, 6_007),
}


@pytest.fixture
def barnet(workspace):
    rows = [
        {"area_code": "E09000003", "area_name": "Barnet", "year": year, "sex": sex, "age_from": 18, "age_to": 64,
         "persons": people}
        for year, both in PEOPLE.items() for sex, people in zip(("male", "female"), both, strict=True)
    ]  # fmt: skip
    workspace.population("projected", rows=rows, basis="projection")
    return workspace


@pytest.mark.parametrize("condition", RATES)
def test_every_number_comes_out_to_the_nearest_person(barnet, condition):
    rows = [
        {"sex": sex, "age_from": 18, "age_to": 64, "estimate": rate}
        for sex, rate in zip(("male", "female"), RATES[condition], strict=True)
    ]
    barnet.prevalence(condition, rows=rows, uncertainty={"given": "none"}, condition=condition)
    judged = {"relative": [0.9, 1.1], "because": "only the point is used"}
    model = barnet.model(condition, ages="18-64", prevalence={"sources": [condition], "judged": judged})
    found = need(make_rates(model, barnet.shelf, 20, 1), read_population(barnet.shelf, "projected"))
    for year, printed in zip(PEOPLE, PRINTED[condition], strict=True):
        assert found.headline.sel(area="E09000003", year=year).item() == pytest.approx(printed, abs=0.5)


def test_the_projection_fell_short_of_the_later_estimate(shipped_shelf):
    """229,000 people of 18 to 64 were projected for 2020; ONS later estimated 246,148: 7 % more."""
    people = read_population(shipped_shelf, "ons-mye-2020", ["Barnet"])
    held = people.ages.within(people.ages.span)
    adults = sum(
        people.people[0, 0, :, n].sum() for n, band in enumerate(held.bands) if 18 <= band.low <= 64
    )  # fmt: skip
    assert adults == 246_148
    assert adults / sum(PEOPLE[2020]) == pytest.approx(1.07, abs=0.01)


@pytest.mark.shared
def test_the_numbers_are_those_recorded(shared):
    with (shared / "evidence" / "published_results.csv").open(encoding="utf-8", newline="") as stream:
        recorded = {row["record_id"]: float(row["published_value"]) for row in csv.DictReader(stream)}
    for condition, numbers in PRINTED.items():
        assert [recorded[f"pansi_barnet_{condition}_{year}"] for year in PEOPLE] == list(numbers)


@pytest.mark.shared
def test_learning_disability_is_one_share_of_the_same_people(shared, barnet):
    """2.44 % in every year (2.439 to 2.443), the populations being those that the other conditions imply."""
    with (shared / "evidence" / "published_results.csv").open(encoding="utf-8", newline="") as stream:
        recorded = {row["record_id"]: float(row["published_value"]) for row in csv.DictReader(stream)}
    people = read_population(barnet.shelf, "projected").people.sum(axis=(0, 2, 3))
    shares = [
        100 * recorded[f"pansi_barnet_learning_{year}"] / total for year, total in zip(PEOPLE, people, strict=True)
    ]
    assert shares == pytest.approx([2.44] * 5, abs=0.005)
