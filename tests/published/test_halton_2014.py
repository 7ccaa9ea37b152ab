"""Halton's method of 2014 on real figures: what it printed, what it is, and the numbers of docs/halton-2014.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hna
from hna.answers.indicator_file import compare_indicators
from hna.answers.known_indicator import known_indicator, people_of
from hna.assessment.framework import read_framework
from hna.errors import AxisError, HnaError, QuantityError, SourceError
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf, shipped
from hna.indicators.neighbours import neighbour_average

DOCS = (Path(__file__).parents[2] / "docs/halton-2014.md").read_text(encoding="utf-8")
GROUP = "halton-2014-neighbours"
NAMES = ("Halton", "Darlington", "Hartlepool", "North East Lincolnshire", "Redcar and Cleveland", "Salford", "South Tyneside",
         "St. Helens", "Stockton-on-Tees", "Sunderland", "Tameside")  # fmt: skip


@pytest.fixture(scope="module")
def people() -> Population:
    return hna.population("ons-mye-2023")


@pytest.fixture(scope="module")
def looked_after() -> Known:
    return hna.known("dfe-looked-after-children-2025")


@pytest.fixture(scope="module")
def eleven(looked_after: Known, people: Population) -> pd.DataFrame:
    under_18 = people_of(people, "0-17").set_index("area_name")["estimate"]
    counts = pd.Series(looked_after.count, index=looked_after.area_name)
    return pd.DataFrame({"cases": counts[list(NAMES)].astype(float), "people": under_18[list(NAMES)]})


def line(start: str) -> list[float]:
    """Numbers of the row of docs/halton-2014.md that starts so."""
    (found,) = [row for row in DOCS.splitlines() if row.startswith(f"| {start} |")]
    return [
        float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", found.removeprefix(f"| {start}"))
    ]


def beside(
    looked_after: Known, people: Population, without: tuple[str, ...] = (), group: str | None = GROUP
) -> pd.Series:
    held = known_indicator(looked_after, people, "0-17", without=without)
    (row,) = compare_indicators(held, Shelf(), ["Halton"], ["statistical-neighbours"], group=group).to_dict("records")
    return pd.Series(row)


def test_the_neighbours_are_those_that_halton_named() -> None:
    group = pd.read_csv(shipped() / "data/areas" / GROUP / "table.csv")
    names = hna.population("ons-mye-2020").areas
    held = {area.name for area in names if area.code in set(group["child"])}
    assert held == set(NAMES)


def test_the_average_is_of_counts_and_holds_halton(
    eleven: pd.DataFrame, looked_after: Known, people: Population
) -> None:
    found = beside(looked_after, people)
    pooled = eleven["cases"].sum() / eleven["people"].sum()
    assert found["comparator_value"] == pytest.approx(pooled, rel=1e-12)
    assert line("average of the eleven") == [pytest.approx(100 * pooled, abs=5e-4)]
    mean_of_rates = (eleven["cases"] / eleven["people"]).mean()
    assert line("mean of the eleven rates, which is not used") == [pytest.approx(100 * mean_of_rates, abs=5e-4)]
    assert line("Halton") == [pytest.approx(100 * found[name], abs=5e-4) for name in ("value", "lower", "upper")]
    assert found["members"] == 11


def test_halton_is_taken_out_of_the_average_for_the_test(
    eleven: pd.DataFrame, looked_after: Known, people: Population
) -> None:
    found = beside(looked_after, people)
    rest = eleven.drop("Halton").sum()
    share = eleven.loc["Halton", "people"] / eleven["people"].sum()
    apart = found["value"] - rest["cases"] / rest["people"]
    assert found["difference"] == pytest.approx((1 - share) * apart, rel=1e-9)
    assert found["difference"] == pytest.approx(found["value"] - found["comparator_value"], rel=1e-9)
    assert line("difference, Halton less the average, tested against the other ten") == [
        pytest.approx(100 * found["difference"], abs=5e-4)
    ]
    assert found["sentence"] == "Significantly higher than the statistical neighbours average"


def test_one_or_two_missing_are_flagged_and_three_refused(looked_after: Known, people: Population) -> None:
    two = beside(looked_after, people, ("Salford", "Tameside"))
    assert (two["flags"], two["missing"], two["members"]) == ("W861", 2, 9)
    assert line("Salford and Tameside withheld")[0] == pytest.approx(100 * two["comparator_value"], abs=5e-4)
    three = beside(looked_after, people, ("Salford", "Tameside", "St. Helens"))
    assert three["flags"] == "R862"
    assert np.isnan(three["comparator_value"])
    assert three["sentence"] == "Not statistically comparable"
    with pytest.raises(QuantityError, match="R863"):
        neighbour_average([80.0, 90.0], None)


@pytest.mark.shared
def test_rates_of_admission_have_no_counts_behind_them(shared: Path) -> None:
    table = pd.read_csv(shared / "known/lait_needs_measures_halton_sefton_neighbours.csv.gz")
    rates = table.query("measure_code == 'CMH_0-17yrs' and period == '2024'")["value"].dropna()
    with pytest.raises(QuantityError, match="R863"):
        neighbour_average(rates.to_numpy(), np.full(len(rates), 100_000.0))


def test_another_group_is_chosen_by_name(looked_after: Known, people: Population) -> None:
    latest = beside(looked_after, people, group=None)
    assert latest["comparator_name"] == "statistical neighbours (dfe-2025-neighbours)"
    assert line("average of the ten neighbours of 2025 (DfE), Halton not among them")[0] == pytest.approx(
        100 * latest["comparator_value"], abs=5e-4
    )
    with pytest.raises(SourceError, match="halton-2014-neighbours"):
        beside(looked_after, people, group="halton-2015")


def test_what_was_printed_in_2013_and_what_it_is() -> None:
    share = 0.096
    halton = {year: hna.population(f"ons-mye-{year}", areas=["Halton"]) for year in (2020, 2023)}
    assert line("printed in 2013, ages 0 to 15") == [24_000, 9.6, 2_500]
    assert line("the product itself") == [24_000, 9.6, pytest.approx(24_000 * share)]
    assert 2_500 - 24_000 * share == pytest.approx(196)
    assert "So 196 of 2,500" in DOCS
    for year in halton:
        (young,) = people_of(halton[year], "0-15")["estimate"]
        assert line(f"ages 0 to 15, mid-{year}") == [young, 9.6, pytest.approx(young * share, abs=0.5)]
    (school,) = people_of(halton[2023], "5-16")["estimate"]
    assert line("ages 5 to 16, mid-2023") == [school, 9.6, pytest.approx(school * share, abs=0.5)]
    assert f"the ages are {(young - school) * share:.0f} more" in DOCS
    model = hna.load_model("child-mental-disorder")
    need = hna.need(hna.rates(model, draws=50), halton[2023], by=["area", "year", "severity"]).interval()
    (ours,) = need.query("severity == ''")["estimate"]
    by_cell = line("ages 5 to 16, mid-2023, by age and sex as the survey printed them")
    assert by_cell == [school, pytest.approx(100 * ours / school, abs=0.05), pytest.approx(ours, abs=0.5)]
    assert ours - school * share == pytest.approx(8, abs=0.5)
    assert "age and sex move it by 8" in DOCS


def test_a_rate_is_never_carried_outside_its_ages() -> None:
    model = hna.load_model("child-mental-disorder").model_copy(update={"ages": "0-15"})
    with pytest.raises(HnaError, match="R201"):
        hna.rates(model, draws=10)


def test_the_ten_chapters_and_six_classes() -> None:
    held = read_framework(Shelf(), "halton-children-2014")
    assert [chapter.number for chapter in held.chapters] == list(range(1, 11))
    assert [chapter.title for chapter in held.chapters] == [
        "Background, methods and key findings", "Population and socio-economic profile", "Maternal health", "Early years, 0 to 4",
        "School age, 5 to 18", "Educational attainment and employment", "Safeguarding",
        "Children with disabilities and complex needs, including learning disability and autism", "Children in care",
        "Engagement and user views",
    ]  # fmt: skip
    assert [one.title for one in held.taxonomies[0].classes] == [
        "Protection from maltreatment", "Protection from impairment to health or development", "Safe and effective care",
        "Safe environment", "Complex and multiple needs", "Safeguarding processes and targeted provision",
    ]  # fmt: skip


def test_counts_of_several_years_or_areas_without_people_are_refused(looked_after: Known) -> None:
    with pytest.raises(AxisError, match="no people of these areas"):
        known_indicator(looked_after, hna.population("ons-mye-2023", areas=["Halton"]), "0-17")
    with pytest.raises(AxisError, match="no such areas"):
        known_indicator(looked_after, hna.population("ons-mye-2023"), "0-17", without=["Nowhere"])
