"""Every shipped table of people, known counts and areas: its record, its bytes, its sums."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from hna.evidence.source import AreasSource, KnownSource, PopulationSource, fingerprint, read_record
from hna.measure.ages import AgeAxis, AgeBand

SHIPPED = Path(__file__).parents[2] / "data"
FOLDERS = {
    path.parent.name: path.parent
    for kind in ("population", "known", "areas")
    for path in sorted(SHIPPED.glob(f"{kind}/*/source.yaml"))
}
AUTHORITIES = ("E06", "E07", "E08", "E09")
ENGLAND, HALTON, SEFTON = "E92000001", "E06000006", "E08000014"
LARGEST_CSV, LARGEST = 1_000_000, 3_000_000
CONDITIONS = {
    "dementia",
    "learning disability",
    "hypertension",
    "depression",
    "epilepsy",
    "COPD",
    "asthma",
    "chronic kidney disease",
    "stroke",
    "atrial fibrillation",
    "diabetes",
    "severe mental illness",
    "education, health and care plan",
    "child in need",
    "child looked after",
    "heart failure",
    "child protection plan",
    "young carer",
    "domestic abuse of a parent",
    "drug misuse of a parent",
    "alcohol misuse of a parent",
    "mental ill-health of a parent",
    "referral for suspected autism",
}
KINDS = {"dfe-factor": "episodes", "nhs-autism": "people-period-1"}


@cache
def table(name: str) -> pd.DataFrame:
    folder = FOLDERS[name]
    if (folder / "table.parquet").is_file():
        return pd.read_parquet(folder / "table.parquet")
    whole = {"age_to": "Int64", "count": str, "area_code": str}
    return pd.read_csv(folder / "table.csv", dtype=whole, keep_default_na=False, na_values={"age_to": [""]})


def people(name: str, code: str, year: int | None = None) -> int:
    rows = table(name)
    rows = rows[rows["area_code"] == code]
    return int((rows if year is None else rows[rows["year"] == year])["persons"].sum())


def names(kind: str) -> list[str]:
    return [name for name, folder in FOLDERS.items() if folder.parent.name == kind]


def test_what_the_design_names_is_there() -> None:
    wanted = {"ons-mye-2020", "ons-mye-2022", "ons-mye-2023", "ons-snpp-2018", "qof-dementia-2019-20"}
    assert wanted | {"ltla-utla-region-england", "halton-2014-neighbours", "dfe-2025-neighbours"} <= set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_record_validates_and_its_fingerprint_is_that_of_the_table(name: str) -> None:
    record = read_record(FOLDERS[name] / "source.yaml")
    tables = sorted(FOLDERS[name].glob("table.*"))
    assert len(tables) == 1
    assert record.sha256 == fingerprint(tables[0])
    assert record.citation.authors
    assert record.citation.licence in {"OGL-3.0", "Open Parliament Licence 3.0", "MIT", "facts cited"}
    assert "sha256" in str(record.notes)
    kind = {"population": PopulationSource, "known": KnownSource, "areas": AreasSource}
    assert isinstance(record, kind[FOLDERS[name].parent.name])


@pytest.mark.parametrize("name", FOLDERS)
def test_a_table_is_small_sorted_and_without_repeats(name: str) -> None:
    file = next(FOLDERS[name].glob("table.*"))
    assert file.stat().st_size < (LARGEST_CSV if file.suffix == ".csv" else LARGEST)
    content = file.read_bytes()
    if file.suffix == ".csv":
        assert b"\r" not in content
        assert content.decode("utf-8").endswith("\n")
    rows = table(name)
    wanted = ("child", "parent", "vintage", "area_code", "area_name", "year", "sex", "age_from")
    keys = [key for key in wanted if key in rows]
    if name.endswith("-shapes"):
        assert rows["area_code"].is_monotonic_increasing
        assert not rows.duplicated().any()
        return
    assert rows[keys].equals(rows[keys].sort_values(keys, ignore_index=True))
    assert not rows.duplicated(keys).any()


@pytest.mark.parametrize("name", [*names("population"), *names("known")])
def test_people_are_whole_and_ages_tile(name: str) -> None:
    rows = table(name)
    figure = "persons" if "persons" in rows else "count"
    assert list(rows) == ["area_code", "area_name", "year", "sex", "age_from", "age_to", figure]
    assert set(rows["sex"]) in ({"female", "male"}, {"persons"})
    assert rows["area_name"].str.strip().ne("").all()
    assert (rows["area_name"] == rows["area_name"].str.strip()).all()
    assert not rows["area_name"].str.isupper().any()
    assert rows.groupby("area_code")["area_name"].nunique().max() == 1
    assert rows[figure].astype(str).str.fullmatch(r"\d+").all()
    bands = rows[["age_from", "age_to"]].drop_duplicates()
    axis = AgeAxis.of([AgeBand.of(int(a), None if pd.isna(b) else int(b)) for a, b in bands.itertuples(index=False)])
    cells = rows.groupby(["area_code", "year", "sex"]).size()
    assert set(cells) == {len(axis.bands)}
    if figure == "persons":
        assert axis.span == AgeBand(0, None)


@pytest.mark.parametrize("name", names("known"))
def test_a_known_count_has_a_plain_condition_and_no_undeclared_mark(name: str) -> None:
    record = read_record(FOLDERS[name] / "source.yaml")
    assert isinstance(record, KnownSource)
    assert record.condition in CONDITIONS
    assert record.count_kind == next((kind for start, kind in KINDS.items() if name.startswith(start)), "people-point")
    assert set(table(name)["year"]) == {int(record.reference_date[:4])}
    assert record.base == ("registered" if name.endswith("-ccg") or name.startswith("nhs-autism") else "resident")


@pytest.mark.parametrize(
    ("year", "england", "halton", "sefton", "authorities"),
    [
        (2020, 56_550_138, 129_759, 275_899, 309),
        (2022, 57_106_398, 128_964, 281_027, 296),
        (2023, 57_690_323, 129_587, 282_745, 296),
    ],
)
def test_estimates_are_those_that_were_printed(
    year: int, england: int, halton: int, sefton: int, authorities: int
) -> None:
    name = f"ons-mye-{year}"
    assert [people(name, code) for code in (ENGLAND, HALTON, SEFTON)] == [england, halton, sefton]
    rows = table(name)
    assert set(rows["year"]) == {year}
    assert rows["age_from"].max() == 90
    local = rows[rows["area_code"].str.startswith(AUTHORITIES)]
    region = rows[rows["area_code"].str.startswith("E12")]
    assert local["area_code"].nunique() == authorities
    assert region["area_code"].nunique() == 9
    nation = rows[rows["area_code"] == ENGLAND].set_index(["sex", "age_from"])["persons"]
    for part in (local, region):
        assert part.groupby(["sex", "age_from"])["persons"].sum().equals(nation)


def test_the_projection_runs_from_2018_to_2043() -> None:
    rows = table("ons-snpp-2018")
    assert sorted(rows["year"].unique()) == list(range(2018, 2044))
    assert rows["area_code"].nunique() == 369
    assert people("ons-snpp-2018", HALTON, 2018) == 128_432
    assert people("ons-snpp-2018", HALTON, 2043) == 137_380
    assert rows["age_from"].drop_duplicates().tolist() == list(range(0, 91, 5))


def test_projected_authorities_sum_to_england_within_rounding() -> None:
    rows = table("ons-snpp-2018")
    local = rows[rows["area_code"].str.startswith(AUTHORITIES)].groupby("year")["persons"].sum()
    nation = rows[rows["area_code"] == ENGLAND].groupby("year")["persons"].sum()
    assert (local - nation).abs().max() <= 0.5 * 326


def test_registers_are_those_that_were_printed() -> None:
    def count(name: str, code: str) -> int:
        rows = table(name).set_index("area_code")["count"].astype(int)
        return int(rows[code])

    halton_ccg = "E38000068"
    assert count("qof-dementia-2019-20-ccg", halton_ccg) == 999
    assert count("qof-learning-disability-2019-20-ccg", halton_ccg) == 742
    assert count("qof-dementia-2019-20", HALTON) == 1_018
    assert table("qof-dementia-2019-20-ccg")["count"].astype(int).sum() == 474_537
    ages = {name: int(table(f"qof-{name}-2019-20")["age_from"].min()) for name in ("diabetes", "ckd", "dementia")}
    assert ages == {"diabetes": 17, "ckd": 18, "dementia": 0}


def test_children_are_those_that_were_printed() -> None:
    plans = table("dfe-ehcp-2022").assign(count=lambda rows: rows["count"].astype(int))
    totals = plans.groupby("area_code")["count"].sum()
    assert totals[ENGLAND] == 473_255
    assert totals[totals.index.str.startswith(("E06", "E08", "E09", "E10"))].sum() == 473_255
    assert totals[totals.index.str.startswith("E12")].sum() == 473_255
    assert totals[HALTON] == 1_189
    latest = table("dfe-ehcp-2025-halton-sefton").set_index("area_code")["count"].astype(int)
    assert [latest[code] for code in (HALTON, SEFTON, ENGLAND)] == [1_712, 3_736, 638_745]
    in_need = table("dfe-children-in-need-2025").set_index("area_code")["count"].astype(int)
    assert in_need[HALTON] == 1_201
    assert round(in_need.sum(), -1) == 402_400
    plans_2025 = table("dfe-child-protection-plans-2025-halton-sefton").set_index("area_code")["count"].astype(int)
    assert [plans_2025[code] for code in (HALTON, SEFTON)] == [153, 392]
    carers = table("dfe-factor-young-carer-2025").set_index("area_code")["count"].astype(int)
    assert [carers[code] for code in (HALTON, SEFTON)] == [81, 128]
    looked_after = table("dfe-looked-after-children-2025").set_index("area_code")["count"].astype(int)
    assert looked_after[HALTON] == 367


def test_authorities_nest_in_regions_and_england() -> None:
    rows = table("ltla-utla-region-england")
    parents = rows.groupby("child")["parent"].agg(set).to_dict()

    def above(code: str) -> set[str]:
        return set().union(*({parent} | above(parent) for parent in parents.get(code, set())))

    estimate = table("ons-mye-2023")
    local = [code for code in estimate["area_code"].unique() if code.startswith((*AUTHORITIES, "E10"))]
    for code in local:
        regions = [parent for parent in above(code) if parent.startswith("E12")]
        assert len(regions) == 1, code
        assert ENGLAND in above(code)
    assert above(HALTON) == {"E12000002", ENGLAND}
    people_of = estimate.groupby("area_code")["persons"].sum()
    for region in (code for code in people_of.index if code.startswith("E12")):
        inside = [code for code in local if region in above(code) and code.startswith(AUTHORITIES)]
        assert people_of[inside].sum() == people_of[region]
    for county in (code for code in people_of.index if code.startswith("E10")):
        inside = [code for code in local if county in above(code)]
        assert people_of[inside].sum() == people_of[county]
    earlier = [code for code in table("ons-mye-2020")["area_code"].unique() if code.startswith(AUTHORITIES)]
    assert all(ENGLAND in above(code) for code in earlier)
    assert not table("ltla-utla-region-england")["best_fit"].astype(str).eq("true").any()


def test_small_areas_nest_in_wards_and_authorities() -> None:
    rows = table("lsoa21-ward24-ltla24")
    assert not rows["child"].duplicated().any()
    small = rows[rows["child"].str.startswith("E01")]
    wards = rows[rows["child"].str.startswith("E05")]
    assert len(small) == 33_755
    assert small["best_fit"].all()
    assert not wards["best_fit"].any()
    assert set(small["parent"]) == set(wards["child"])
    assert set(wards["parent"]) == {code for code in table("ons-mye-2023")["area_code"] if code.startswith(AUTHORITIES)}


def test_neighbours_are_groups_of_known_authorities() -> None:
    known = set(table("ons-mye-2023")["area_code"])
    halton = table("halton-2014-neighbours")
    assert set(halton["parent"]) == {HALTON}
    assert len(halton) == 11
    assert HALTON in set(halton["child"])
    groups = table("dfe-2025-neighbours")
    assert set(groups.groupby("parent").size()) == {10}
    assert groups["parent"].nunique() == 153
    assert (groups["parent"] != groups["child"]).all()
    assert set(groups["child"]) | set(groups["parent"]) | set(halton["child"]) <= known


def test_the_page_of_shipped_data_names_every_table() -> None:
    page = (SHIPPED.parent / "docs" / "shipped-data.md").read_text(encoding="utf-8")
    assert [name for name in FOLDERS if f"`{name}`" not in page] == []
