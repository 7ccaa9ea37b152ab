# ruff: noqa: INP001
"""Compile small areas' deprivation and authorities from the publishers' files: run again, the same bytes.

Run as ``python data/compile_small_areas.py [FOLDER OF PUBLISHERS' FILES]``; the folder is ``../shared/data`` unless named.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from hna.errors import SourceError
from hna.evidence.layout_read import citation, publishers_file
from hna.evidence.layouts import write_source
from hna.evidence.lookup import LOOKUP, RANK, read_lookup
from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.evidence.source import PopulationSource

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "shared" / "data"
TENTHS = "Tenths of England's small areas, and the rank of each, 1 the most deprived. Scores and domains are not kept."
PORTAL = "Open Geography portal"
SHARED = "Small areas' estimates are for persons: the women and girls of an authority at each age are shared out among"
MADE = "Authorities of 2023 on, and those abolished before 2020, are made of small areas, by"


def ship(to: Path, name: str, table: pd.DataFrame, **fields: object) -> None:
    """One shipped lookup, sorted."""
    if table.duplicated("child").any():
        raise SourceError(f"{name}: a small area is there twice")
    table = table.sort_values(["child", "parent"], ignore_index=True)[[*LOOKUP, *({RANK} & set(table))]]
    write_source(to / "areas" / name, table, {"kind": "areas", **fields}, replace=True)


def deprivation(files: Path, to: Path, release: int, small: str, areas: int) -> None:
    """National tenths of deprivation of one release."""
    name = f"imd{release}_{small}_england.csv.gz"
    rows = pd.read_csv(files / "small_areas" / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    tenth = pd.to_numeric(rows["IMD_decile"])
    rank = pd.to_numeric(rows["IMD_rank"])
    if len(rows) != areas or not (tenth == (rank * 10 / areas).apply(math.ceil)).all():
        raise SourceError(f"{name}: tenths do not follow the ranks of {areas} areas")
    table = pd.DataFrame({
        "child": rows[f"{small}_code"],
        "parent": f"IMD{release}-D" + tenth.astype(int).astype(str),
        "vintage": release,
        "best_fit": False,
        RANK: rank.astype(int),
    })  # fmt: skip
    tied = int(rank.duplicated(keep=False).sum())
    shared = f" {tied} areas share a rank with another." if tied else ""
    ministry = "Ministry of Housing, Communities and Local Government"
    ship(
        to,
        f"imd-{release}-{small}",
        table,
        title=f"National tenths of deprivation of small areas, Index of Multiple Deprivation {release}",
        citation=citation(
            ministry,
            release,
            f"English Indices of Deprivation {release}",
            container=ministry,
            locator="Index of Multiple Deprivation, decile and rank of each LSOA",
        ),
        read_from="secondary table",
        notes=f"A group, not a nesting. {TENTHS}{shared} {publishers_file(files / 'small_areas' / name)}",
    )


def authorities(files: Path, to: Path) -> None:
    """Small areas of 2011 in authorities of 2022."""
    name = "lookup_lsoa11_lsoa21_ltla22.csv.gz"
    rows = pd.read_csv(files / "small_areas" / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    rows = rows[rows["lsoa11_code"].str.startswith("E")].drop_duplicates(["lsoa11_code", "ltla22_code"])
    table = pd.DataFrame({
        "child": rows["lsoa11_code"], "parent": rows["ltla22_code"], "vintage": 2022, "best_fit": False
    })  # fmt: skip
    twice = table[table.duplicated("child", keep=False)]
    whole = table.drop(twice.index)
    people = "lsoa11_population_mid2020_persons_syoa_england.csv.gz"
    held = pd.read_csv(files / "small_areas" / people, dtype=str, usecols=["lsoa11_code", "ltla21_code"])
    of = held.set_index("lsoa11_code")["ltla21_code"]
    settled = pd.DataFrame({"child": sorted(set(twice["child"]))})
    settled = settled.assign(parent=settled["child"].map(of), vintage=2022, best_fit=False)
    table = pd.concat([whole, settled], ignore_index=True)
    if (
        not table.set_index("child")["parent"]
        .sort_index()
        .equals(of.sort_index().rename_axis("child").rename("parent"))
    ):
        raise SourceError(f"{name}: authorities differ from those of the estimates")
    moved = (
        f"{len(settled)} small areas of 2011 whose successors of 2021 lie in two authorities are in the authority that the "
        "estimates of mid-2020 print for them."
    )
    ship(
        to,
        "lsoa11-ltla22",
        table,
        title="Small areas (LSOA 2011) in authorities of 2022",
        citation=citation(
            "Office for National Statistics",
            None,
            "LSOA (2011) to LSOA (2021) to local authority district (2022): lookup",
            container=PORTAL,
        ),
        read_from="secondary table",
        notes="Authorities of April 2021 and 2022 are the same. "
        + " ".join(publishers_file(files / "small_areas" / one) for one in (name, people)),
        corrections=[moved] if len(settled) else None,
    )


def wards(files: Path, to: Path) -> None:
    """Small areas of 2011 in wards of 2024, by the small areas of 2021 that followed them."""
    names = ("lookup_lsoa11_lsoa21_ltla22.csv.gz", "lookup_lsoa21_ward24_ltla24.csv.gz")
    later, ward = (
        pd.read_csv(files / "small_areas" / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        for name in names
    )
    later = later[later["lsoa11_code"].str.startswith("E")]
    rows = later.merge(ward, on="lsoa21_code", validate="many_to_one")
    if len(rows) != len(later):
        raise SourceError(f"{names[1]}: a small area of 2021 is in no ward")
    count = rows.groupby(["lsoa11_code", "ward24_code"]).size().rename("count").reset_index()
    most = count.sort_values(["lsoa11_code", "count", "ward24_code"], ascending=[True, False, True])
    several = most.loc[most.duplicated("lsoa11_code"), "lsoa11_code"].nunique()
    best = most.drop_duplicates("lsoa11_code")
    moved = (
        f"{several} small areas of 2011 were followed by small areas in several wards: each is in the ward of most of "
        "them, or in the first by code where as many are in each."
    )
    ship(
        to,
        "lsoa11-ward24",
        pd.DataFrame({"child": best["lsoa11_code"], "parent": best["ward24_code"], "vintage": 2024, "best_fit": True}),
        title="Small areas (LSOA 2011) in wards of 2024",
        citation=citation(
            "Office for National Statistics",
            None,
            "LSOA (2011) to LSOA (2021), and LSOA (2021) to electoral ward (2024): best-fit lookups",
            container=PORTAL,
        ),
        read_from="secondary table",
        notes="Small areas are fitted to wards as best they can be, through the small areas of 2021 that followed them. "
        + " ".join(publishers_file(files / "small_areas" / name) for name in names),
        corrections=[moved],
    )


RENAMED = {  # upper tiers and old authorities that no lookup holds, by their parts of 2020 or by districts' names
    "E10000006": ("Allerdale", "Barrow-in-Furness", "Carlisle", "Copeland", "Eden", "South Lakeland"),
    "E10000023": ("Craven", "Hambleton", "Harrogate", "Richmondshire", "Ryedale", "Scarborough", "Selby"),
    "E10000027": ("Mendip", "Sedgemoor", "South Somerset", "Taunton Deane", "West Somerset"),
    "E10000002": ("Aylesbury Vale", "Chiltern", "South Bucks", "Wycombe"),
    "E10000009": (
        "Christchurch", "East Dorset", "North Dorset", "Purbeck", "West Dorset", "Weymouth and Portland"
    ),
    "E10000021": (
        "Corby", "Daventry", "East Northamptonshire", "Kettering", "Northampton", "South Northamptonshire",
        "Wellingborough",
    ),
    "E11000001": (
        "Bolton", "Bury", "Manchester", "Oldham", "Rochdale", "Salford", "Stockport", "Tameside", "Trafford", "Wigan"
    ),
    "E11000002": ("Knowsley", "Liverpool", "St. Helens", "Sefton", "Wirral"),
    "E11000003": ("Barnsley", "Doncaster", "Rotherham", "Sheffield"),
    "E11000005": ("Birmingham", "Coventry", "Dudley", "Sandwell", "Solihull", "Walsall", "Wolverhampton"),
    "E11000006": ("Bradford", "Calderdale", "Kirklees", "Leeds", "Wakefield"),
    "E11000007": ("Gateshead", "Newcastle upon Tyne", "North Tyneside", "South Tyneside", "Sunderland"),
}  # fmt: skip


def composition(files: Path, to: Path) -> None:
    """People of each authority, county and region by single year of age and national tenth of deprivation, mid-2020."""
    small = files / "small_areas"
    used = [
        small / "lsoa11_population_mid2020_persons_syoa_england.csv.gz",
        small / "imd2019_lsoa11_england.csv.gz",
        small / "lookup_lsoa11_lsoa21_ltla22.csv.gz",
        small / "lookup_lsoa21_ward24_ltla24.csv.gz",
    ]
    people, indices, to_21, to_24 = (
        pd.read_csv(path, encoding="utf-8-sig", dtype={"IMD_decile": str}, low_memory=False) for path in used
    )
    ages = [str(age) for age in range(90)] + ["90+"]
    tenth = indices.set_index("lsoa11_code")["IMD_decile"]
    people = people.assign(tenth=people["lsoa11_code"].map(tenth), district=people["lsoa11_name"].str[:-5])
    if people["tenth"].isna().any():
        raise SourceError("a small area has no tenth of deprivation")
    later = to_21.merge(to_24, on="lsoa21_code").sort_values("lsoa21_code")
    ltla_24 = later.drop_duplicates("lsoa11_code").set_index("lsoa11_code")["ltla24_code"]
    # An authority that is still there keeps the small areas that the estimates print for it.
    still = people["ltla21_code"].isin(set(to_24["ltla24_code"]))
    people = people.assign(ltla24=people["ltla21_code"].where(still, people["lsoa11_code"].map(ltla_24)))
    shelf = Shelf()
    nest = read_lookup(shelf, "ltla-utla-region-england")
    up = nest.groupby("child")["parent"].agg(set).to_dict()
    named: dict[str, str] = {}
    for known in shelf.folders(PopulationSource):
        named |= {area.code: area.name for area in areas_and_years(shelf, known)[0].areas}
    held: dict[str, pd.DataFrame] = {}
    for column in ("ltla24", "ltla21_code"):
        for code, rows in people.groupby(column):
            held[str(code)] = rows
            for parent in up.get(str(code), ()):
                if column == "ltla21_code" or not parent.startswith("E12"):
                    held[parent] = pd.concat([held[parent], rows]) if parent in held else rows
    held["E92000001"] = people
    of_name = {str(name): rows for name, rows in people.groupby("district")}
    for code, name in named.items():
        if code in RENAMED:
            held[code] = pd.concat([of_name[part] for part in RENAMED[code]])
        elif code not in held and name in of_name:
            held[code] = of_name[name]
    if absent := sorted(set(named) - set(held)):
        raise SourceError(f"no composition for {absent}")
    female = women(people, ages, read_population(shelf, "ons-mye-2020"))
    rows_of = {str(code): n for n, code in enumerate(people["lsoa11_code"])}
    counts = {"female": female, "male": people[ages].to_numpy() - female}
    tenths = people["tenth"].astype(int).to_numpy() - 1
    codes = sorted(set(named) & set(held))
    cells = np.zeros((len(codes), 2, len(ages), 10), dtype=int)
    for n, code in enumerate(codes):
        rows = np.array([rows_of[one] for one in held[code]["lsoa11_code"].drop_duplicates()])
        for s, values in enumerate(counts.values()):
            summed = np.zeros((10, len(ages)), dtype=int)
            np.add.at(summed, tenths[rows], values[rows])
            cells[n, s] = summed.T
    where = np.indices(cells.shape).reshape(4, -1)
    low = where[2]
    table = pd.DataFrame({
        "area_code": np.array(codes)[where[0]], "area_name": np.array([named[code] for code in codes])[where[0]],
        "year": 2020, "sex": np.array(list(counts))[where[1]], "age_from": low,
        "age_to": pd.array(np.where(low < 90, low, -1), dtype="Int64"), "deprivation": (where[3] + 1).astype(str),
        "persons": cells.ravel(),
    })  # fmt: skip
    table["age_to"] = table["age_to"].mask(table["age_to"] < 0)
    _check_composition(table, shelf)
    write_source(
        to / "composition" / "imd-2019-mid-2020",
        table,
        {
            "kind": "composition", "factor": "deprivation", "levels": [str(n) for n in range(1, 11)],
            "base": "resident", "small_areas": "imd-2019-lsoa11",
            "title": "People by single year of age and national tenth of deprivation (IMD 2019), mid-2020",
            "citation": citation(
                "Office for National Statistics; Ministry of Housing, Communities and Local Government", 2021,
                "Small area population estimates, mid-2020; English Indices of Deprivation 2019",
                container="Office for National Statistics; Ministry of Housing, Communities and Local Government",
                locator="Persons by single year of age in each LSOA; Index of Multiple Deprivation, decile of each LSOA",
            ),
            "read_from": "secondary table",
            "notes": "Small areas' estimates added up by the tenth of deprivation of each small area, 1 the most deprived; not "
            "re-based to Census 2021. Ages and sexes of every authority, county and region of mid-2020 add up to the "
            "published estimate. "
            + " ".join(publishers_file(path) for path in used),
            "corrections": [
                f"{SHARED} its small areas as its people are, made whole by largest remainder.",
                f"{MADE} the lookup to 2024 (best fit) or the district in the small area's name.",
            ],
        },
        replace=True,
    )  # fmt: skip


def women(people: pd.DataFrame, ages: list[str], estimate: Population) -> np.ndarray:
    """Female people of each small area and age: an authority's shared out by people, made whole by largest remainder."""
    found = np.zeros((len(people), len(ages)), dtype=int)
    at = {area.code: n for n, area in enumerate(estimate.areas)}
    for code, rows in people.reset_index(drop=True).groupby("ltla21_code").groups.items():
        held = people[ages].to_numpy()[rows]
        wanted = estimate.people[at[str(code)], 0, estimate.sexes.index("female")].astype(int)
        exact = held * (wanted / np.maximum(held.sum(axis=0), 1))
        whole = np.floor(exact).astype(int)
        order = np.argsort(np.argsort(-(exact - whole), axis=0, kind="stable"), axis=0, kind="stable")
        found[rows] = whole + (order < wanted - whole.sum(axis=0))
    if (found < 0).any() or (found > people[ages].to_numpy()).any():
        raise SourceError("more women than people in a small area")
    return found


def _check_composition(table: pd.DataFrame, shelf: Shelf) -> None:
    """Every area of the estimates of mid-2020 adds up to them, by sex and age."""
    found = table.groupby(["area_code", "sex", "age_from"])["persons"].sum()
    published = read_population(shelf, "ons-mye-2020")
    for n, area in enumerate(published.areas):
        wanted = published.people[n, 0]
        if not (found[area.code].to_numpy() == wanted.ravel()).all():
            raise SourceError(f"people of {area} by deprivation do not add up to the estimate of mid-2020")


def everything(files: Path = FILES, to: Path = HERE) -> None:
    """Every table."""
    deprivation(files, to, 2019, "lsoa11", 32_844)
    deprivation(files, to, 2025, "lsoa21", 33_755)
    authorities(files, to)
    wards(files, to)
    composition(files, to)


if __name__ == "__main__":
    everything(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
