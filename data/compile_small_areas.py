# ruff: noqa: INP001
"""Compile small areas' deprivation and authorities from the publishers' files: run again, the same bytes.

Run as ``python data/compile_small_areas.py [FOLDER OF PUBLISHERS' FILES]``; the folder is ``../shared/data`` unless named.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pandas as pd

from hna.errors import SourceError
from hna.evidence.layout_read import citation, publishers_file
from hna.evidence.layouts import write_source

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "shared" / "data"
TENTHS = "Tenths of England's small areas, 1 the most deprived. Their ranks, scores and domains are not kept."
PORTAL = "Open Geography portal"


def ship(to: Path, name: str, table: pd.DataFrame, **fields: object) -> None:
    """One shipped lookup, sorted."""
    if table.duplicated("child").any():
        raise SourceError(f"{name}: a small area is there twice")
    table = table.sort_values(["child", "parent"], ignore_index=True)[["child", "parent", "vintage", "best_fit"]]
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
    })  # fmt: skip
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
            locator="Index of Multiple Deprivation, decile of each LSOA",
        ),
        read_from="secondary table",
        notes=f"A group, not a nesting. {TENTHS} {publishers_file(files / 'small_areas' / name)}",
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


def everything(files: Path = FILES, to: Path = HERE) -> None:
    """Every table."""
    deprivation(files, to, 2019, "lsoa11", 32_844)
    deprivation(files, to, 2025, "lsoa21", 33_755)
    authorities(files, to)


if __name__ == "__main__":
    everything(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
