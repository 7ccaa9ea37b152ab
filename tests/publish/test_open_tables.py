"""The open tables, their metadata and the data dictionary: every column described, in order, and as described."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hna.answers.breakdown import COLUMNS, need_by_subgroup
from hna.answers.comparison import COLUMNS as COMPARISON_COLUMNS
from hna.answers.outcomes import COLUMNS as OUTCOME_COLUMNS
from hna.answers.rows import COLUMNS as FIGURE_COLUMNS
from hna.answers.rows import QUANTITIES, UNITS
from hna.publish import schema
from hna.publish.csvw import DICTIONARY, METADATA
from hna.publish.outputs import write_outputs
from hna.publish.report import Report
from hna.publish.tables import figures, open_tables

NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
KINDS = {"number": NUMBER, "integer": re.compile(r"-?\d+"), "gYear": re.compile(r"\d{4}")}


def read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as stream:
        found = csv.DictReader(stream)
        rows = list(found)
        return list(found.fieldnames or ()), rows


def faults(folder: Path) -> list[str]:
    """What is wrong with tables, by their CSV on the Web metadata, read as the recommendation says and with nothing of ours."""
    found: list[str] = []
    for table in json.loads((folder / METADATA).read_text(encoding="utf-8"))["tables"]:
        header, rows = read(folder / table["url"])
        columns = table["tableSchema"]["columns"]
        if [name not in column["titles"] for name, column in zip(header, columns, strict=False)].count(True) or len(
            header
        ) != len(columns):
            found.append(f"{table['url']}: headings {header}")
            continue
        for column in columns:
            kind: Any = column["datatype"]
            values = [row[column["name"]] for row in rows]
            if column.get("required") and "" in values:
                found.append(f"{table['url']}: {column['name']} is empty")
            pattern = re.compile(kind["format"]) if isinstance(kind, dict) else KINDS.get(kind, re.compile(r"(?s).*"))
            split = [
                part for value in values if value for part in (value.split(" ") if "separator" in column else [value])
            ]
            found += [
                f"{table['url']}: {column['name']} holds {value!r}" for value in split if not pattern.fullmatch(value)
            ]
        key = table["tableSchema"].get("primaryKey")
        if key and len({tuple(row[name] for name in key) for row in rows}) < len(rows):
            found.append(f"{table['url']}: {key} is no key")
    return found


@pytest.fixture(scope="module")
def folder(shipped: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tables")
    write_outputs(shipped, out)
    return out


def test_the_metadata_describe_the_tables(folder: Path) -> None:
    assert faults(folder) == []
    held = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    order = ["gap.csv", "need_by_subgroup.csv", "comparisons.csv", "outcomes.csv", "scenarios.csv"]
    assert [table["url"] for table in held["tables"]] == order
    assert {path.name for path in folder.glob("*.csv")} == set(order)
    assert all(table["tableSchema"]["primaryKey"] for table in held["tables"])
    assert held["dc:license"]["@id"].startswith("https://www.nationalarchives.gov.uk/")
    assert "not for publication" in held["dc:accessRights"]
    assert {source["dc:identifier"] for source in held["dc:source"]} >= {"cfas-ii-dementia", "qof-dementia-2019-20"}


@pytest.mark.parametrize(
    ("line", "old", "new", "said"),
    [
        (3, '"male"', '"boys"', "sex holds"),
        (0, "area_code", "area", "headings"),
        (3, ",2023,", ",in 2023,", "year holds"),
        (3, '"E06000006"', "", "area_code is empty"),
    ],
)
def test_a_table_that_is_not_as_described_is_found(
    folder: Path, tmp_path: Path, line: int, old: str, new: str, said: str
) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lines = (folder / "need_by_subgroup.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    (tmp_path / "need_by_subgroup.csv").write_text("".join(lines), encoding="utf-8")
    assert [fault for fault in faults(tmp_path) if said in fault]


def test_a_row_that_stands_twice_is_found(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lines = (folder / "gap.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "gap.csv").write_text("".join([*lines, lines[1]]), encoding="utf-8")
    assert any("is no key" in fault for fault in faults(tmp_path))


@pytest.mark.parametrize("name", ["own", "hostile"])
def test_other_reports_are_as_described(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    write_outputs(request.getfixturevalue(name), tmp_path)
    assert faults(tmp_path) == []
    for path in tmp_path.glob("*.csv"):
        _, rows = read(path)
        for row in rows:
            assert not any(str(value).startswith(("=", "+", "@", "\t")) for value in row.values())
            assert not any(sign in str(value) for value in row.values() for sign in ("\u202e", "\u200b"))
    text = (tmp_path / DICTIONARY).read_text(encoding="utf-8")
    assert "<script>alert" not in text


def test_columns_are_those_that_the_engine_writes() -> None:
    assert schema.GAP.columns == FIGURE_COLUMNS
    assert schema.SUBGROUPS.columns == COLUMNS
    assert schema.COMPARISONS.columns == COMPARISON_COLUMNS
    assert schema.OUTCOMES.columns == OUTCOME_COLUMNS
    assert set(schema.QUANTITIES) == set(QUANTITIES)
    assert set(schema.UNITS) == {"people", *UNITS.values()}
    for each in schema.SCHEMAS:
        assert set(each.key) <= set(each.columns)
        assert all(field.about.endswith(".") and field.title for field in each.fields)


def test_the_dictionary_names_every_column_value_and_code(folder: Path) -> None:
    text = (folder / DICTIONARY).read_text(encoding="utf-8")
    for each in schema.SCHEMAS:
        assert f"Columns of {each.file}" in text
        assert all(f'<th scope="row">{field.name}</th>' in text for field in each.fields)
        assert all(f'<th scope="row">{value}</th>' in text for field in each.fields for value in field.values)
    assert '<th scope="row">W723</th>' in text
    assert 'lang="en-GB"' in text


def test_need_by_subgroup_adds_up(shipped: Report) -> None:
    held = open_tables(shipped)[schema.SUBGROUPS]
    assert set(held["quantity"]) == {"population", "need", "prevalence"}
    assert set(held["year"]) == {2023}
    need = held[(held["quantity"] == "need") & (held["severity"] == "")]
    for _, one in need[need["need"] == "dementia"].groupby("area_code"):
        total = one[(one["sex"] == "persons") & (one["age_band"] == "all")]["estimate"].item()
        parts = {
            "sex": one[(one["sex"] != "persons") & (one["age_band"] == "all")],
            "age": one[(one["sex"] == "persons") & (one["age_band"] != "all")],
            "both": one[(one["sex"] != "persons") & (one["age_band"] != "all")],
        }
        for part in parts.values():
            assert len(part) > 1
            assert part["estimate"].sum() == pytest.approx(total, rel=1e-12)
            assert part["share"].sum() == pytest.approx(1)
    whole = figures(shipped)
    keys = list(schema.SUBGROUPS.key)
    both = held.merge(whole, on=keys, how="left", suffixes=("", "_gap"))
    assert both["estimate"].tolist() == both["estimate_gap"].tolist()
    assert len(both) == len(held)


def test_years_asked_for_are_all_there() -> None:
    rows = [
        {"need": "x", "severity": "", "area_code": "A", "area_name": "A", "year": year, "sex": "female", "age_band": band,
         "quantity": quantity, "estimate": size, "lower": size, "upper": size, "level": 0.95, "probability": None, "unit": "people",
         "flags": "N511" if year > 2023 else ""}
        for year in (2023, 2028)
        for band, size in (("all", 40.0), ("0-9", 10.0), ("10-19", 30.0))
        for quantity in ("population", "need", "known")
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    assert set(need_by_subgroup(table)["year"]) == {2023}
    assert set(need_by_subgroup(table, (2023, 2028))["year"]) == {2023, 2028}
    assert set(need_by_subgroup(table[table["year"] > 2023])["year"]) == {2028}
    assert need_by_subgroup(table)["share"].tolist() == [1, 1, 0.25, 0.25, 0.75, 0.75]
    assert "known" not in set(need_by_subgroup(table)["quantity"])
    assert need_by_subgroup(table[:0]).columns.tolist() == list(COLUMNS)
