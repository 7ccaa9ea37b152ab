"""Small areas nest, divide by deprivation and by sex, and every total is the published one."""

from __future__ import annotations

import gzip
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hna.answers.stream import summarise
from hna.answers.subgroups import deprivation, levels, read_nesting, split_small_areas
from hna.errors import AxisError
from hna.evidence.layouts import import_file
from hna.evidence.lookup import read_lookup
from hna.evidence.population import Population, read_population
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource, PopulationSource
from hna.measure.areas import Area

SMALL = "lsoa11_population_mid2020_persons_syoa_england.csv.gz"


@pytest.fixture(scope="module")
def england(shared, shipped_shelf):
    """Every small area of England in mid-2020: persons, and by sex."""
    rows = pd.read_csv(shared / "small_areas" / SMALL).sort_values("lsoa11_code")
    above = read_population(shipped_shelf, "ons-mye-2020")
    ages = [name for name in rows.columns if name[0].isdigit()]
    record = PopulationSource.model_construct(id="lsoa-2020", base="resident", basis="estimate")
    areas = tuple(Area(code, name) for code, name in zip(rows["lsoa11_code"], rows["lsoa11_name"], strict=True))
    people = rows[ages].to_numpy(dtype=float)[:, None, None, :]
    persons = Population((record,), areas, (2020,), ("persons",), above.ages, people)
    return (
        shipped_shelf,
        persons,
        above,
        split_small_areas(persons, above, read_nesting(shipped_shelf, "lsoa11-ltla22")),
    )


@pytest.mark.shared
def test_what_is_imported_is_what_is_split(england, shared, tmp_path):
    _, persons, _, _ = england
    rows = pd.read_csv(shared / "small_areas" / SMALL, dtype=str)
    file = tmp_path / "persons_mid2020.csv"
    rows[rows["ltla21_code"] == "E06000006"].to_csv(file, index=False)
    import_file("ons-lsoa-syoa", file, tmp_path / "own" / "data" / "population" / "halton-2020")
    read = read_population(Shelf(tmp_path / "own"), "halton-2020")
    at = {area.code: n for n, area in enumerate(persons.areas)}
    assert read.ages == persons.ages
    np.testing.assert_array_equal(read.people, persons.people[[at[area.code] for area in read.areas]])


@pytest.mark.shared
def test_small_areas_by_sex_are_the_published_authorities_in_every_cell(england):
    shelf, persons, above, split = england
    nesting = read_nesting(shelf, "lsoa11-ltla22")
    at = {area.code: n for n, area in enumerate(above.areas)}
    of = np.array([at[nesting.parents[area.code][0]] for area in persons.areas])
    sums = np.zeros_like(above.people)
    np.add.at(sums, of, split.people)
    used = np.unique(of)
    assert len(used) == 309
    np.testing.assert_array_equal(sums[used], above.people[used])
    np.testing.assert_array_equal(split.people.sum(axis=2), persons.people[:, :, 0])
    assert (split.people >= 0).all()
    assert "split by sex" in split.bridges[-1]


@pytest.mark.shared
def test_need_of_small_areas_adds_up_through_wards_tenths_and_regions(england, rates_for):
    shelf, _, above, split = england
    nesting = read_nesting(shelf, "lsoa11-ltla22", "ltla-utla-region-england")
    keep = [n for n, area in enumerate(split.areas) if "E12000001" in nesting.ancestors(area.code)]
    some = replace(split, areas=tuple(split.areas[n] for n in keep), people=split.people[keep])
    groups = levels(nesting, some.areas, ("authority", "region"), above.areas)
    groups.append(deprivation(shelf, some.areas, "imd-2019-lsoa11", 10))
    for transport in (0.0, 0.11):
        rates = rates_for("dementia", 100, transport=transport)
        found = summarise(rates, some, groups=groups, keep_draws=True)
        small, authorities, region, tenths = np.split(found.draws[0], [len(keep), len(keep) + 12, len(keep) + 13])
        assert len(tenths) == 10
        for parts in (small, authorities, tenths):
            np.testing.assert_allclose(parts.sum(axis=0), region[0], rtol=1e-9)
    assert found.places[-10].name == "Tenth 1 of 10 (most deprived), IMD 2019"
    assert str(found.places[len(keep) + 12]) == "North East (E12000001)"


@pytest.mark.shared
def test_a_missing_small_area_is_told(england):
    shelf, persons, above, _ = england
    short = replace(persons, areas=persons.areas[1:], people=persons.people[1:])
    with pytest.raises(AxisError, match="do not add up to ons-mye-2020"):
        split_small_areas(short, above, read_nesting(shelf, "lsoa11-ltla22"))


def test_every_small_area_of_2021_has_a_ward_a_region_and_a_fifth(shipped_shelf):
    nesting = read_nesting(shipped_shelf, "lsoa21-ward24-ltla24", "ltla-utla-region-england")
    areas = [Area(code, code) for code in sorted(nesting.parents) if code.startswith("E01")]
    found = levels(nesting, areas)
    assert [len(group.areas) for group in found] == [6784, 296, 9, 1]
    fifths = deprivation(shipped_shelf, areas, "imd-2025-lsoa21", 5)
    assert [area.code for area in fifths.areas] == [f"IMD2025-Q{n}" for n in range(1, 6)]
    assert set(np.bincount(fifths.parent)) == {6751}


def test_areas_of_another_vintage_are_refused(shipped_shelf):
    with pytest.raises(AxisError, match="no rank of deprivation"):
        deprivation(shipped_shelf, [Area("E99", "Nowhere")], "imd-2025-lsoa21")
    with pytest.raises(AxisError, match="Ask for 5 or 10"):
        deprivation(shipped_shelf, [], "imd-2025-lsoa21", 4)
    with pytest.raises(AxisError, match="not in one ward each"):
        levels(read_nesting(shipped_shelf, "lsoa11-ltla22"), [Area("E01000001", "City")], ("ward",))
    with pytest.raises(AxisError, match="Use ward"):
        levels(read_nesting(shipped_shelf, "lsoa11-ltla22"), [], ("parish",))


@pytest.mark.shared
def test_compiled_deprivation_is_the_publishers(shared, shipped_shelf):
    with gzip.open(shared / "small_areas" / "imd2019_lsoa11_england.csv.gz", "rt") as rows:
        header = next(rows).split(",")
        code, tenth = header.index("lsoa11_code"), header.index("IMD_decile")
        printed = {cells[code]: f"IMD2019-D{cells[tenth]}" for cells in (row.split(",") for row in rows)}
    held = read_nesting(shipped_shelf, "imd-2019-lsoa11").parents
    assert {child: parents[0] for child, parents in held.items()} == printed
    ranks = read_lookup(shipped_shelf, "imd-2019-lsoa11").set_index("child")["rank"].astype(int)
    assert ranks["E01000001"] == 29_199
    assert (ranks.min(), ranks.max()) == (1, 32_844)


@pytest.mark.shared
def test_lookups_of_small_areas_are_compiled_to_the_bytes_shipped(shared, shipped_shelf, tmp_path):
    code = Path(__file__).parents[2] / "data" / "compile_small_areas.py"
    made = runpy.run_path(str(code))
    made["deprivation"](shared, tmp_path, 2019, "lsoa11", 32_844)
    made["deprivation"](shared, tmp_path, 2025, "lsoa21", 33_755)
    made["authorities"](shared, tmp_path)
    made["wards"](shared, tmp_path)
    for name in ("imd-2019-lsoa11", "imd-2025-lsoa21", "lsoa11-ltla22", "lsoa11-ward24"):
        shipped = shipped_shelf.folder(AreasSource, name)
        assert {path.name: path.read_bytes() for path in (tmp_path / "areas" / name).iterdir()} == {
            path.name: path.read_bytes() for path in shipped.iterdir()
        }
