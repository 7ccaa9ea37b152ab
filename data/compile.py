# ruff: noqa: INP001
"""Compile the shipped figures from the publishers' files in ``../shared/data``: run again, the same bytes.

python data/compile.py [FOLDER OF PUBLISHERS' FILES]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from hna.evidence.layout_read import citation, publishers_file
from hna.evidence.layouts import LAYOUTS, write_source

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "shared" / "data"

REBASED = (
    "The step from mid-2020 to mid-2022 is partly re-basing to Census 2021, not change: do not read a trend across it."
)
EAST = "The East of England, printed EAST or East, has the name of ONS's register of regions."

QOF_PAGE = (
    "https://digital.nhs.uk/data-and-information/publications/statistical/"
    "quality-and-outcomes-framework-achievement-prevalence-and-exceptions-data/2019-20"
)
SNPP_PAGE = (
    "https://www.ons.gov.uk/peoplepopulationandcommunity/populationandmigration/populationprojections/bulletins/"
    "subnationalpopulationprojectionsforengland/2018based"
)
HEALTHY_PAGE = "https://commonslibrary.parliament.uk/constituency-data-how-healthy-is-your-area/"
COVID = (
    "The publisher asks for caution: the pandemic disturbed the last quarter of 2019-20, and with it the work of practices "
    "and these data."
)
NEIGHBOURS_2014 = (
    "Halton",
    "Darlington",
    "Hartlepool",
    "North East Lincolnshire",
    "Redcar and Cleveland",
    "Salford",
    "South Tyneside",
    "St. Helens",
    "Stockton-on-Tees",
    "Sunderland",
    "Tameside",
)

QOF = {
    "dementia": "DEM",
    "learning-disability": "LD",
    "hypertension": "HYP",
    "depression": "DEP",
    "epilepsy": "EP",
    "mental-health": "MH",
    "copd": "COPD",
    "asthma": "AST",
    "ckd": "CKD",
    "stroke": "STIA",
    "atrial-fibrillation": "AF",
    "diabetes": "DM",
}
BY_CCG = ("dementia", "learning-disability", "hypertension", "depression", "epilepsy", "mental-health")


def read_text(path: Path) -> pd.DataFrame:
    """A CSV's cells as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def regions(files: Path) -> dict[str, str]:
    """Names of the regions in ONS's register."""
    rows = read_text(files / "small_areas" / "lookup_ltla24_region24.csv")
    return dict(zip(rows["region24_code"], rows["region24_name"], strict=True))


def populations(files: Path) -> None:
    """Mid-year estimates and projections."""
    names = regions(files)
    workbooks = {
        "ons-mye-2020": ("ons-mye-xls", "ukpopestimatesmid2020on2021geography.xls", {}),
        "ons-mye-2022": ("ons-mye-tidy", "ons_mye_2020_2022_2023_england.csv.gz", {"year": 2022}),
        "ons-mye-2023": ("ons-mye-xlsx", "mye23tablesew.xlsx", {}),
    }
    notes = {
        "ons-mye-2020": "On authorities of April 2021. As first published in June 2021: not re-based to Census 2021. "
        + REBASED,
        "ons-mye-2022": (
            "On authorities of April 2023. As first published; ONS revised mid-2022 when it published mid-2023. Read from a "
            "tidy re-laying of the publisher's table, whose mid-2020 and mid-2023 figures equal the publisher's "
            "workbooks in every cell. " + REBASED
        ),
        "ons-mye-2023": "On authorities of April 2023. As first published on 15 July 2024. " + REBASED,
    }
    for id_, (layout, name, options) in workbooks.items():
        table, fields = LAYOUTS[layout].reading(files / "population" / name, **options)
        table["area_name"] = table["area_code"].map(names).fillna(table["area_name"])
        fields["notes"] = f"{notes[id_]} {fields['notes']}"
        fields["corrections"] = [*fields["corrections"], EAST]
        write_source(HERE / "population" / id_, table, fields, replace=True)
    name = "snpp2018_persons_5yr_england_las.csv.gz"
    table, fields = LAYOUTS["snpp-5yr-persons-csv"].reading(files / "projections" / name)
    table["area_name"] = table["area_code"].map(names).fillna(table["area_name"])
    fields["title"] = "ONS 2018-based subnational projections, principal, five-year bands, persons"
    fields["citation"] |= {
        "title": "Subnational population projections for England: 2018-based",
        "year": 2020,
        "url": SNPP_PAGE,
    }
    fields["citation"]["container"] = "Office for National Statistics, statistical bulletin, 24 March 2020"
    fields["citation"]["locator"] = "Principal projection, persons by five-year age group, mid-2018 to mid-2043"
    fields["notes"] = (
        "Persons only: by sex the projection is not held, so a split by sex needs a named bridge. On authorities of "
        "2018/19. Starts from mid-2018 estimates, not re-based to Census 2021: its mid-2023 differs from the estimate of "
        "mid-2023. Printed to one decimal. " + fields["notes"]
    )
    fields["corrections"] = [*fields["corrections"], EAST]
    write_source(HERE / "population" / "ons-snpp-2018", table, fields, replace=True)


def lookups(files: Path) -> None:
    """Authorities in counties, regions and England; groups of statistical neighbours."""
    small = files / "small_areas"
    upper = read_text(small / "lookup_ltla23_utla23.csv")
    region = read_text(small / "lookup_ltla24_region24.csv")
    upper = upper[upper["ltla23_code"].str.startswith("E") & (upper["ltla23_code"] != upper["utla23_code"])]
    in_region = region.set_index("ltla24_code")["region24_code"]
    counties = (
        upper.assign(region=upper["ltla23_code"].map(in_region))
        .groupby("utla23_code")["region"]
        .agg(["nunique", "first"])
    )
    if (counties["nunique"] != 1).any():
        raise ValueError("a county lies in more than one region")
    parts = [
        pd.DataFrame({"child": upper["ltla23_code"], "parent": upper["utla23_code"], "vintage": 2023}),
        pd.DataFrame({"child": region["ltla24_code"], "parent": region["region24_code"], "vintage": 2024}),
        pd.DataFrame({"child": counties.index, "parent": counties["first"], "vintage": 2024}),
        pd.DataFrame({"child": sorted(set(region["region24_code"])), "parent": "E92000001", "vintage": 2024}),
    ]
    areas(
        "ltla-utla-region-england",
        pd.concat(parts),
        title="Authorities of England in their counties, regions and the nation",
        cited=citation(
            "Office for National Statistics",
            None,
            "Local authority districts to counties and unitary authorities "
            "(April 2023), and to regions (April 2024): lookups",
            container="Open Geography portal",
        ),
        notes="Lower tier to upper tier of 2023; lower tier to region, and region to England, of 2024. An authority that is its "
        "own upper tier has no row for that. Metropolitan counties (E11) and authorities abolished before 2023 are not "
        "in it. "
        + " ".join(publishers_file(small / f) for f in ("lookup_ltla23_utla23.csv", "lookup_ltla24_region24.csv")),
        corrections=[
            "County to region is not printed: it follows from the county's districts, which all lie in one region."
        ],
    )


def halton(files: Path) -> None:
    """The neighbours of Halton's assessment of 2014, Halton among them."""
    name = "ons_mye_2020_2022_2023_england.csv.gz"
    rows = read_text(files / "population" / name)
    codes = {
        year: rows[rows["year"] == year].drop_duplicates("area_code").set_index("area_name")["area_code"]
        for year in ("2020", "2023")
    }
    found = {year: [codes[year][neighbour] for neighbour in NEIGHBOURS_2014] for year in codes}
    if found["2020"] != found["2023"]:
        raise ValueError("a neighbour's code changed between 2020 and 2023")
    areas(
        "halton-2014-neighbours",
        pd.DataFrame({"child": found["2023"], "parent": codes["2023"]["Halton"], "vintage": 2014}),
        title="Halton's statistical neighbours, 2014 (eleven with Halton)",
        cited=citation(
            "Halton Borough Council",
            2014,
            "Joint Strategic Needs Assessment: children",
            container="Halton Borough Council",
            licence="facts cited",
        ),
        notes="The group that Halton's 2014 assessment of children compared itself with; it holds Halton itself. DfE's model of "
        f"2025 gives Halton another group. Codes were looked up by name: the same in mid-2020 and mid-2023. {publishers_file(files / 'population' / name)}",
        corrections=None,
    )


def areas(
    id_: str,
    table: pd.DataFrame,
    *,
    title: str,
    cited: dict[str, Any],
    notes: str,
    corrections: list[str] | None,
    read_from: str = "secondary table",
) -> None:
    """One lookup, sorted."""
    table = table.assign(best_fit="false").sort_values(["child", "parent"], ignore_index=True)
    fields = {
        "title": title,
        "kind": "areas",
        "citation": cited,
        "read_from": read_from,
        "notes": notes,
        "corrections": corrections,
    }
    write_source(HERE / "areas" / id_, table[["child", "parent", "vintage", "best_fit"]], fields, replace=True)


def registers(files: Path) -> None:
    """QOF registers of 31 March 2020, by CCG as registered and by authority as apportioned."""
    by_ccg = files / "known" / "qof_2018_19_2019_20_ccg_registers.csv"
    by_authority = files / "known" / "hocl_qof_2019_20_lad_modelled.csv"
    for name, code in QOF.items():
        table, fields = LAYOUTS["qof-ccg"].reading(by_ccg, register=code, year=2020)
        low = int(table["age_from"].iloc[0])
        ages = f"{low}+" if low else "all"
        fields["notes"] = (
            f"Ages ({ages}) are those of the list size that NHS Digital prints for the register. Areas are the 135 CCGs of "
            f"2019-20 publication, by ONS code. {COVID} {fields['notes']}"
        )
        fields["citation"] |= {"year": 2020, "url": QOF_PAGE}
        if name in BY_CCG:
            write_source(HERE / "known" / f"qof-{name}-2019-20-ccg", table, fields, replace=True)
        table, fields = LAYOUTS["qof-lad-hocl"].reading(by_authority, register=code, year=2020, ages=ages)
        fields["notes"] = (
            f"Ages ({ages}) are those of the list size that NHS Digital prints for the register. On authorities of April 2020, "
            "before Northamptonshire, Cumbria, North Yorkshire and Somerset were re-organised. No region or England row is "
            f"printed. {COVID} {fields['notes']}"
        )
        fields["citation"] |= {"title": "Constituency data: how healthy is your area?", "url": HEALTHY_PAGE}
        fields["citation"]["locator"] = (
            "Modelled estimates from the Quality and Outcomes Framework 2019/20, by local authority"
        )
        write_source(HERE / "known" / f"qof-{name}-2019-20", table, fields, replace=True)


def main(files: Path) -> None:
    """Every shipped table."""
    populations(files)
    lookups(files)
    halton(files)
    registers(files)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
