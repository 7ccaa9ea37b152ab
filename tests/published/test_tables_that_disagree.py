"""Printed tables read as an analyst would give them: those that add up are taken, those that do not are refused."""

import csv

import pytest

from hna.errors import SourceError
from hna.evidence.population import read_population

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def recorded(shared):
    with (shared / "evidence" / "published_results.csv").open(encoding="utf-8", newline="") as stream:
        return {row["record_id"]: row for row in csv.DictReader(stream)}


def _rows(recorded, prefix, year):
    found = [row for name, row in recorded.items() if name.startswith(prefix)]
    return [
        {"area_code": "P01", "area_name": row["area"], "year": year, "sex": row["sex"].casefold().removesuffix("s")
         if row["sex"] != "Persons" else "persons", "age_from": int(float(row["age_lo"])),
         "age_to": "" if row["age_hi"] in ("", "None") else int(float(row["age_hi"])),
         "persons": round(float(row["published_value"]))}
        for row in found
    ]  # fmt: skip


@pytest.mark.parametrize("year", [2012, 2017, 2022, 2027, 2032, 2037])
def test_women_and_men_in_medway_add_up(workspace, recorded, year):
    rows = [
        row
        for sex in ("Female", "Male", "Persons")
        for row in _rows(recorded, f"medway_dem_{sex}_{year}", year)
    ]  # fmt: skip
    assert len(rows) == 3
    workspace.population("medway", rows=rows)
    found = read_population(workspace.shelf, "medway")
    assert found.people.sum() == float(recorded[f"medway_dem_Persons_{year}"]["published_value"])


def test_women_and_men_of_16_to_19_in_knowsley_add_up(workspace, recorded):
    workspace.population("knowsley", rows=_rows(recorded, "knowsley_neurotic_16_19_", 2014))
    assert read_population(workspace.shelf, "knowsley").people.ravel().tolist() == [750, 350]


def test_two_bands_of_alzheimer_europe_do_not_add_up_and_are_refused(workspace, recorded):
    """United Kingdom 2012: at 30-59 persons are one short of men and women, at 65-69 one over."""
    rows = _rows(recorded, "alzeur_uk2012_", 2012)
    assert len(rows) == 27
    workspace.population("alzeur", rows=rows)
    with pytest.raises(SourceError, match="do not add up to persons") as caught:
        read_population(workspace.shelf, "alzeur")
    (fault,) = caught.value.faults
    assert [str(row).rpartition(", ")[2] for row in fault.rows] == ["30-59", "65-69"]


@pytest.mark.parametrize(
    ("sex", "total", "off"), [("Male", 360_581, 1), ("Female", 677_210, 1), ("Persons", 1_037_791, 2)]
)
def test_bands_of_alzheimer_europe_miss_their_printed_totals(workspace, recorded, sex, total, off):
    rows = [row for row in _rows(recorded, "alzeur_uk2012_", 2012) if row["sex"] == sex.casefold()]
    workspace.population("alzeur", rows=rows)
    assert read_population(workspace.shelf, "alzeur").people.sum() - total == off
