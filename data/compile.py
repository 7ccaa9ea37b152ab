# ruff: noqa: INP001
"""Compile the shipped figures from the publishers' files: run again, the same bytes.

Run as ``python data/compile.py [FOLDER OF PUBLISHERS' FILES]``; the folder is ``../shared/data`` unless named.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from hna.errors import SourceError
from hna.evidence.layout_read import Reading, citation, publishers_file
from hna.evidence.layouts import LAYOUTS, Option, write_source

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "shared" / "data"

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
    "heart-failure": "HF",
}
BY_CCG = ("dementia", "learning-disability", "hypertension", "depression", "epilepsy", "mental-health")
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

EAST = "The East of England, printed EAST or East, has the name of ONS's register of regions."
REBASED = (
    "The step from mid-2020 to mid-2022 is partly re-basing to Census 2021, not change: do not read a trend across it."
)
COVID = (
    "The publisher asks for caution: the pandemic disturbed the work of practices in the last quarter of 2019-20, and "
    "with it these data."
)
QOF_PAGE = (
    "https://digital.nhs.uk/data-and-information/publications/statistical/"
    "quality-and-outcomes-framework-achievement-prevalence-and-exceptions-data/2019-20"
)
SNPP_PAGE = (
    "https://www.ons.gov.uk/peoplepopulationandcommunity/populationandmigration/populationprojections/bulletins/"
    "subnationalpopulationprojectionsforengland/2018based"
)
HEALTHY_PAGE = "https://commonslibrary.parliament.uk/constituency-data-how-healthy-is-your-area/"
EHCP_PAGE = "https://explore-education-statistics.service.gov.uk/find-statistics/education-health-and-care-plans/2022"
OLD_COUNTIES = "On authorities of 2022, when Cumbria, North Yorkshire and Somerset were counties: mid-2023 lacks them."


class Compiler:
    """The publishers' files, and what is made of them.

    Parameters
    ----------
    files : folder of the publishers' files.
    to : folder to write population/, known/ and areas/ in.
    """

    def __init__(self, files: Path, to: Path = HERE) -> None:
        self.files = files
        self.to = to
        rows = self.text("small_areas/lookup_ltla24_region24.csv")
        self.regions = dict(zip(rows["region24_code"], rows["region24_name"], strict=True))

    def text(self, name: str) -> pd.DataFrame:
        """A CSV's cells as text."""
        return pd.read_csv(self.files / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")

    def read(self, layout: str, name: str, **options: Option) -> Reading:
        """A publisher's file through its layout, regions named as ONS's register names them."""
        reading = LAYOUTS[layout].reading(self.files / name, **options)
        if "area_code" in reading.table:
            names = reading.table["area_code"].map(self.regions)
            reading.table["area_name"] = names.fillna(reading.table["area_name"])
        return reading

    def ship(self, kind: str, name: str, table: pd.DataFrame, fields: dict[str, Any]) -> None:
        """One shipped table."""
        write_source(self.to / kind / name, table, fields, replace=True)

    def ship_areas(self, name: str, table: pd.DataFrame, **fields: object) -> None:
        """One shipped lookup, sorted."""
        table = table if "best_fit" in table else table.assign(best_fit=False)
        table = table.sort_values(["child", "parent", "vintage"], ignore_index=True)
        self.ship("areas", name, table[["child", "parent", "vintage", "best_fit"]], {"kind": "areas", **fields})

    def everything(self) -> None:
        """Every shipped table."""
        self.estimates()
        self.projections()
        self.registers()
        self.children()
        self.nesting()
        self.neighbours()

    def estimates(self) -> None:
        """Mid-year estimates."""
        made = {
            2020: ("ons-mye-xls", "population/ukpopestimatesmid2020on2021geography.xls"),
            2022: ("ons-mye-tidy", "population/ons_mye_2020_2022_2023_england.csv.gz"),
            2023: ("ons-mye-xlsx", "population/mye23tablesew.xlsx"),
        }
        notes = {
            2020: "On authorities of April 2021. As first published: not re-based to Census 2021.",
            2022: "On authorities of April 2023. As first published; ONS revised mid-2022 when it published mid-2023. "
            "Read from a tidy re-laying of the publisher's table, whose mid-2020 and mid-2023 figures equal the "
            "publisher's workbooks in every cell.",
            2023: "On authorities of April 2023. As first published.",
        }
        for year, (layout, name) in made.items():
            table, fields = self.read(layout, name, **({"year": year} if layout == "ons-mye-tidy" else {}))
            fields["notes"] = f"{notes[year]} {REBASED} {fields['notes']}"
            fields["corrections"] = [*fields["corrections"], EAST]
            self.ship("population", f"ons-mye-{year}", table, fields)

    def projections(self) -> None:
        """Subnational projections."""
        name = "projections/snpp2018_persons_5yr_england_las.csv.gz"
        table, fields = self.read("snpp-5yr-persons-csv", name)
        fields["title"] = "ONS 2018-based subnational projections, principal, five-year bands, persons"
        fields["citation"] |= {
            "year": 2020,
            "title": "Subnational population projections for England: 2018-based",
            "container": "Office for National Statistics, statistical bulletin, 24 March 2020",
            "locator": "Principal projection, persons by five-year age group, mid-2018 to mid-2043",
            "url": SNPP_PAGE,
        }
        fields["notes"] = (
            "Persons only: the projection by sex is not held, so a split by sex needs a named bridge. On authorities "
            "of 2018/19. It starts from mid-2018, not re-based to Census 2021, so its mid-2023 differs from the "
            f"estimate of mid-2023. Printed to one decimal. {fields['notes']}"
        )
        fields["corrections"] = [*fields["corrections"], EAST]
        self.ship("population", "ons-snpp-2018", table, fields)

    def registers(self) -> None:
        """QOF registers of 31 March 2020, by CCG as registered and by authority as apportioned."""
        for name, code in QOF.items():
            table, fields = self.read(
                "qof-ccg", "known/qof_2018_19_2019_20_ccg_registers.csv", register=code, year=2020
            )
            low = int(table["age_from"].iloc[0])
            ages = f"{low}+" if low else "all"
            printed = f"Ages ({ages}) are those of the list size that NHS Digital prints for the register."
            fields["notes"] = f"{printed} Areas are the CCGs of the 2019-20 release. {COVID} {fields['notes']}"
            fields["citation"] |= {"year": 2020, "url": QOF_PAGE}
            if name in BY_CCG:
                self.ship("known", f"qof-{name}-2019-20-ccg", table, fields)
            table, fields = self.read(
                "qof-lad-hocl", "known/hocl_qof_2019_20_lad_modelled.csv", register=code, year=2020, ages=ages
            )
            fields["notes"] = (
                f"{printed} On authorities of April 2020, before Northamptonshire, Cumbria, North Yorkshire and "
                f"Somerset were re-organised. No region or England row is printed. {COVID} {fields['notes']}"
            )
            fields["citation"] |= {
                "title": "Constituency data: how healthy is your area?",
                "locator": "Modelled estimates from the Quality and Outcomes Framework 2019/20, by local authority",
                "url": HEALTHY_PAGE,
            }
            self.ship("known", f"qof-{name}-2019-20", table, fields)

    def children(self) -> None:
        """What DfE counts of children."""
        plans, fields = self.read("dfe-ehcp", "known/sen2_age_caseload.csv.gz", year=2022)
        fields["notes"] = f"{OLD_COUNTIES} The publisher neither suppresses nor rounds this table. {fields['notes']}"
        fields["citation"]["url"] = EHCP_PAGE
        self.ship("known", "dfe-ehcp-2022", plans, fields)

        codes = self.files / "known" / "b1_children_in_need_2013_to_2025.csv"
        lait = "known/lait_needs_measures_halton_sefton_neighbours.csv.gz"
        options: dict[str, Option] = {"measure": "SEN_CASES_JAN", "ages": "0-25", "codes": codes}
        earlier = self.read("dfe-lait", lait, year=2022, **options).table.set_index("area_code")["count"].astype(int)
        summed = plans["count"].astype(int).groupby(plans["area_code"]).sum()
        if not earlier.equals(summed[earlier.index].rename("count")):
            raise SourceError("SEN_CASES_JAN of 2022 is not the number of plans of January 2022")
        table, now = self.read("dfe-lait", lait, year=2025, **options)
        now |= {
            "title": "Education, health and care plans, January 2025: Halton, Sefton and neighbours",
            **{key: fields[key] for key in ("service", "condition", "case_definition", "duplicates")},
            "covers": "people aged 0 to 25 whose plan the authority maintains, wherever they go to school",
            "reference_date": "2025-01-31",
        }
        now["notes"] = (
            "Total number of cases as at January; that these are plans was verified: the tool's figures for January "
            "2022 equal the plans of the SEN2 table in every area held. Ages are not printed: 0 to 25 are those of the "
            "SEN2 table. The day is not printed: the last of January is recorded. "
            f"Only the areas named are held. {now['notes']}"
        )
        self.ship("known", "dfe-ehcp-2025-halton-sefton", table, now)

        table, fields = self.read("dfe-cin", "known/b1_children_in_need_2013_to_2025.csv", year=2025)
        fields["notes"] = (
            "The publisher's headline number of children in need is this column. Numbers from 1 to 5 are replaced by "
            f"c, and others where that protects them; no authority's figure of 2025 is replaced. {fields['notes']}"
        )
        self.ship("known", "dfe-children-in-need-2025", table, fields)
        self.ship("known", "dfe-looked-after-children-2025", *self.read(
            "dfe-cla", "known/cla_number_and_rate_per_10k_children.csv", year=2025
        ))  # fmt: skip

    def nesting(self) -> None:
        """Authorities in counties, regions and England."""
        names = (
            "small_areas/lookup_ltla23_utla23.csv",
            "small_areas/lookup_ltla24_region24.csv",
            "small_areas/lookup_lsoa11_lsoa21_ltla22.csv.gz",
            "small_areas/lookup_lsoa21_ward24_ltla24.csv.gz",
        )
        upper, region = (self.text(name) for name in names[:2])
        upper = upper[upper["ltla23_code"].str.startswith("E") & (upper["ltla23_code"] != upper["utla23_code"])]
        in_region = region.set_index("ltla24_code")["region24_code"]
        county = upper.assign(region=upper["ltla23_code"].map(in_region)).groupby("utla23_code")["region"]
        if county.nunique().gt(1).any():
            raise SourceError("a county lies in more than one region")
        abolished = self.abolished(in_region)
        parts = (
            (upper["ltla23_code"], upper["utla23_code"], 2023),
            (region["ltla24_code"], region["region24_code"], 2024),
            (county.first().index, county.first(), 2024),
            (sorted(self.regions), "E92000001", 2024),
            (abolished.index, abolished, 2022),
        )
        table = pd.concat([pd.DataFrame({"child": c, "parent": p, "vintage": v}) for c, p, v in parts])
        self.ship_areas(
            "ltla-utla-region-england",
            table,
            title="Authorities of England in their counties, regions and the nation",
            citation=citation(
                "Office for National Statistics",
                None,
                "Local authority districts to counties and unitary authorities (2023), and to regions (2024): lookups",
                container="Open Geography portal",
            ),
            read_from="secondary table",
            notes="Lower tier to upper tier of 2023; lower tier to region, and region to England, of 2024. An "
            "authority that is its own upper tier has no row for that. Metropolitan counties (E11) and authorities "
            "abolished before 2022 are not in it. " + " ".join(publishers_file(self.files / name) for name in names),
            corrections=[
                "County to region is not printed: it follows from a county's districts, all in one region.",
                "The region of a district abolished in April 2023 is not printed: it follows from its LSOAs.",
            ],
        )
        name = "small_areas/lookup_lsoa21_ward24_ltla24.csv.gz"
        rows = self.text(name)
        ward = rows.drop_duplicates(["ward24_code", "ltla24_code"])
        small = pd.DataFrame({"child": rows["lsoa21_code"], "parent": rows["ward24_code"], "best_fit": True})
        large = pd.DataFrame({"child": ward["ward24_code"], "parent": ward["ltla24_code"], "best_fit": False})
        self.ship_areas(
            "lsoa21-ward24-ltla24",
            pd.concat([small, large]).assign(vintage=2024),
            title="Small areas (LSOA 2021) in wards and authorities of 2024",
            citation=citation(
                "Office for National Statistics",
                None,
                "LSOA (2021) to electoral ward (2024) to local authority district (2024): best-fit lookup",
                container="Open Geography portal",
            ),
            read_from="secondary table",
            notes="Small areas are fitted to wards as best they can be; wards nest in authorities. "
            + publishers_file(self.files / name),
        )

    def abolished(self, in_region: pd.Series) -> pd.Series:
        """Region of each district abolished in April 2023, through its small areas."""
        small = self.text("small_areas/lookup_lsoa21_ward24_ltla24.csv.gz").set_index("lsoa21_code")["ltla24_code"]
        rows = self.text("small_areas/lookup_lsoa11_lsoa21_ltla22.csv.gz")
        gone = rows[rows["ltla22_code"].str.startswith("E") & ~rows["ltla22_code"].isin(in_region.index)]
        region = gone["lsoa21_code"].map(small).map(in_region).groupby(gone["ltla22_code"])
        if region.nunique().ne(1).any():
            raise SourceError("an abolished district lies in more than one region")
        return region.first()

    def neighbours(self) -> None:
        """Groups of statistical neighbours."""
        codes = self.files / "known" / "b1_children_in_need_2013_to_2025.csv"
        self.ship("areas", "dfe-2025-neighbours", *self.read(
            "dfe-neighbours", "known/sn_model_2025_wide.csv", codes=codes, year=2025
        ))  # fmt: skip
        name = "population/ons_mye_2020_2022_2023_england.csv.gz"
        rows = self.text(name)
        by_name = {
            year: rows[rows["year"] == year].drop_duplicates("area_code").set_index("area_name")["area_code"]
            for year in ("2020", "2023")
        }
        found = {year: [by_name[year][neighbour] for neighbour in NEIGHBOURS_2014] for year in by_name}
        if found["2020"] != found["2023"]:
            raise SourceError("the code of a neighbour changed between 2020 and 2023")
        self.ship_areas(
            "halton-2014-neighbours",
            pd.DataFrame({"child": found["2023"], "parent": by_name["2023"]["Halton"], "vintage": 2014}),
            title="Halton's statistical neighbours of 2014, eleven with Halton",
            citation=citation(
                "Halton Borough Council",
                2014,
                "Children's Joint Strategic Needs Assessment",
                container="Halton Borough Council",
                licence="facts cited",
            ),
            read_from="secondary text",
            notes="A group, not a nesting: the parent is the authority compared, the children its group, Halton itself "
            "among them. DfE's model of 2025 gives Halton another group. Codes were looked up by name, and are the "
            f"same in mid-2020 and mid-2023. {publishers_file(self.files / name)}",
        )


if __name__ == "__main__":
    Compiler(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES).everything()
