# ruff: noqa: INP001
"""Compile what services count without counting people in need: assessments, referrals, plans. The same bytes each time.

Run as ``python data/compile_services.py [FOLDER OF PUBLISHERS' FILES]``; the folder is ``../shared/data`` unless named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from hna.errors import SourceError
from hna.evidence.layout_read import citation, publishers_file
from hna.evidence.layouts import LAYOUTS, write_source

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "shared" / "data"
COLUMNS = ["area_code", "area_name", "year", "sex", "age_from", "age_to", "count"]
DFE = "Department for Education"

FACTORS = {
    "young-carer": ("Young_Carer", "young carer", "the child's being a young carer"),
    "domestic-abuse-parent": ("Domestic_Abuse_parent", "domestic abuse of a parent", "domestic abuse of a parent or carer"),
    "drug-misuse-parent": ("Drug_Misuse_parent", "drug misuse of a parent", "drug misuse by a parent or carer"),
    "alcohol-misuse-parent": ("Alcohol_Misuse_parent", "alcohol misuse of a parent", "alcohol misuse by a parent or carer"),
    "mental-health-parent": ("Mental_Health_parent", "mental ill-health of a parent", "mental ill-health of a parent or carer"),
}  # fmt: skip
"""Factors at the end of an assessment: the publisher's column, its condition, and it in words."""

SUB_BOARDS = {"01F": ("E06000006", "Halton"), "01T": ("E08000014", "Sefton"), "01V": ("E08000014", "Sefton")}
"""NHS sub-boards that were the CCGs of Halton, South Sefton, and Southport and Formby, and their authorities."""
REFERRALS = {"ASD16b": (0, 17), "ASD16d": (18, None)}
"""Metrics of patients with an open suspected-autism referral, and their ages."""


def text(path: Path) -> pd.DataFrame:
    """A CSV's cells as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def ship(to: Path, name: str, table: pd.DataFrame, **fields: object) -> None:
    """One shipped table of counts, sorted."""
    table = table.sort_values(COLUMNS[:5], ignore_index=True)[COLUMNS]
    table["age_to"] = table["age_to"].astype("Int64")
    write_source(to / "known" / name, table, {"kind": "known", **fields}, replace=True)


def factors(files: Path, to: Path) -> None:
    """Assessments of children's social care in 2024-25 by factor identified."""
    path = files / "known" / "c3_factors_identified_at_end_of_assessment_2018_to_2025.csv"
    rows = text(path)
    rows = rows[(rows["time_period"] == "2025") & (rows["geographic_level"] == "Local authority")]
    if len(rows) != 153 or rows["new_la_code"].duplicated().any():
        raise SourceError(f"{path.name}: 153 authorities were expected, once each")
    for name, (column, condition, words) in FACTORS.items():
        shown = rows[column].str.fullmatch(r"\d+")
        if set(rows.loc[~shown, column]) - {"c"}:
            raise SourceError(f"{path.name}: {column} holds another mark than c")
        kept = rows[shown]
        table = pd.DataFrame({
            "area_code": kept["new_la_code"], "area_name": kept["la_name"].str.strip(), "year": 2025, "sex": "persons",
            "age_from": 0, "age_to": None, "count": kept[column].astype(int),
        })  # fmt: skip
        hidden = sorted(rows.loc[~shown, "la_name"])
        ship(
            to, f"dfe-factor-{name}-2025", table,
            title=f"Assessments of children in which {words} was identified, year to 31 March 2025",
            service="assessments by children's social care", condition=condition,
            case_definition=f"an assessment completed in the year at whose end {words} was recorded as a factor",
            count_kind="episodes", base="resident", reference_date="2025-03-31", disclosure=None,
            duplicates="a child assessed twice in the year is counted twice, and an assessment may have several factors",
            covers="children assessed by the authority in the year; ages are not printed",
            citation=citation(
                DFE, 2025, "Children in need, reporting year 2025", container="Explore education statistics",
                locator=f"C3 Factors identified at the end of assessment, column {column}",
            ),
            read_from="primary table",
            notes="Assessments, not children, and not every child who lives with it: a factor is recorded where an assessment "
            f"was made and a worker saw it. {publishers_file(path)}",
            corrections=[
                "Rows of regions and England, which are rounded to 10, are left out.",
                *([f"Printed c and left out: {', '.join(hidden)}."] if hidden else []),
            ],
        )  # fmt: skip


def plans(files: Path, to: Path) -> None:
    """Children with a child protection plan on 31 March 2025, in the areas of the interactive tool."""
    known = files / "known"
    table, fields = LAYOUTS["dfe-lait"].reading(
        known / "lait_needs_measures_halton_sefton_neighbours.csv.gz", measure="CPP_Num", ages="all", year=2025,
        codes=known / "b1_children_in_need_2013_to_2025.csv",
    )  # fmt: skip
    table = table[~table["area_code"].str.startswith(("E12", "E92"))]
    fields |= {
        "title": "Children with a child protection plan on 31 March 2025: Halton, Sefton and neighbours",
        "service": "local authority children's social care",
        "condition": "child protection plan",
        "case_definition": "a child protection plan in force on the day",
        "reference_date": "2025-03-31",
        "duplicates": "a child has one plan at a time",
        "covers": "children the authority is responsible for, with unborn children; ages are not printed",
    }
    fields["notes"] = (
        "Those children are among the children in need. Only the areas named are held; the day is that of the "
        f"children in need census. {fields['notes']}"
    )
    fields["corrections"] = ["Rows of regions and England, which are rounded to 10, are left out."]
    fields.pop("kind", None)
    ship(to, "dfe-child-protection-plans-2025-halton-sefton", table, **fields)


def referrals(files: Path, to: Path) -> None:
    """Patients waiting after a referral for suspected autism, July 2022, in Halton and Sefton."""
    path = files / "known" / "nhs_autism_stats_subicb_jul_sep_2022.csv.gz"
    rows = text(path)
    rows = rows[
        (rows["REPORTING_PERIOD_END"] == "31/07/2022")
        & (rows["BREAKDOWN"] == "CCG or Sub ICB Location - GP Practice or Residence")
        & rows["PRIMARY_LEVEL"].isin(SUB_BOARDS)
        & rows["METRIC"].isin(REFERRALS)
    ]
    if len(rows) != len(SUB_BOARDS) * len(REFERRALS) or not rows["METRIC_VALUE"].str.fullmatch(r"\d+").all():
        raise SourceError(f"{path.name}: a figure of a sub-board is hidden, absent or there twice")
    found = rows.assign(
        place=rows["PRIMARY_LEVEL"].map(SUB_BOARDS), ages=rows["METRIC"].map(REFERRALS), value=rows["METRIC_VALUE"].astype(int)
    )  # fmt: skip
    summed = found.groupby(["place", "METRIC"])["value"].sum()
    table = pd.DataFrame([
        {"area_code": place[0], "area_name": place[1], "year": 2022, "sex": "persons", "age_from": REFERRALS[metric][0],
         "age_to": REFERRALS[metric][1], "count": int(count)}
        for (place, metric), count in summed.items()
    ])  # fmt: skip
    ship(
        to, "nhs-autism-referrals-2022-halton-sefton", table,
        title="Patients with an open referral for suspected autism, July 2022: Halton and Sefton",
        service="mental health, learning disability and autism services (Mental Health Services Data Set)",
        condition="referral for suspected autism",
        case_definition="a referral for suspected autism open at some time in July 2022",
        count_kind="people-period-1", base="registered", reference_date="2022-07-31",
        disclosure={"suppressed": None, "range": None, "rounded_to": 10},
        duplicates="a patient with two open referrals is counted once in a sub-board",
        covers="services that send the data set; community paediatrics, which sees most children, largely does not",
        citation=citation(
            "NHS Digital", 2022, "Autism Statistics, July to September 2022", container="NHS Digital",
            locator="Metrics ASD16b and ASD16d by sub-board",
        ),
        read_from="primary table",
        notes="People waiting or being assessed, not people with autism: many will not be diagnosed, and those diagnosed "
        "before are not there. By general practice where it is known, else by residence. Sub-boards 01F (Halton), 01T (South "
        f"Sefton) and 01V (Southport and Formby) were CCGs within the two authorities. {publishers_file(path)}",
        corrections=[
            "July: in August and September a sub-board's figure for children is hidden.",
            "Two sub-boards, each rounded to 5, are added for Sefton; both places are recorded as rounded to 10, for that.",
        ],
    )  # fmt: skip


def everything(files: Path = FILES, to: Path = HERE) -> None:
    """Every table."""
    factors(files, to)
    plans(files, to)
    referrals(files, to)


if __name__ == "__main__":
    everything(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
