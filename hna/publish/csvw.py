"""What the open tables hold, for machines (CSV on the Web metadata) and for people (the data dictionary)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import pandas as pd

from hna.publish import wording
from hna.publish.codes import CODES, in_words, kind_of
from hna.publish.content import Cell, Column, Paragraph, Table
from hna.publish.links import address, licence
from hna.publish.report import Report
from hna.publish.schema import CODES as CODE_LIST
from hna.publish.schema import COUNT, NUMBER, TEXT, YEAR, Field, TableSchema
from hna.publish.site_content import Site, SitePage, SitePart
from hna.publish.site_page import render_page
from hna.publish.tables import json_text, shown

METADATA = "csv-metadata.json"
"""Where a reader of CSV on the Web looks for it beside a table."""
DICTIONARY = "data-dictionary.html"
_OGL = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
_KINDS = {
    TEXT: "text", NUMBER: "number", COUNT: "whole number", YEAR: "year", CODE_LIST: "codes, a space between them",
}  # fmt: skip
Tables = Mapping[TableSchema, pd.DataFrame]


def metadata(report: Report, tables: Tables) -> str:
    """CSV on the Web metadata of a folder of tables, as JSON.

    Parameters
    ----------
    report : that the tables are of.
    tables : each with its schema. A key is stated only where it tells all rows apart: counts of several services that are
        listed beside an estimate and not compared with it may share one.

    References
    ----------
    Metadata Vocabulary for Tabular Data, W3C Recommendation 17 December 2015.
    """
    banner = wording.banner_of(report.arguments)
    held = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "dc:title": "Health needs assessment: tables",
        "dc:description": "Estimated need, people known to services and the gap, with intervals and diagnostic codes.",
        "dc:creator": f"hna {version('hna')}",
        "dc:language": "en-GB",
        "dc:accessRights": banner or "Protected by disclosure control: see run.json.",
        **_rights(report),
        "dc:source": [
            {"dc:identifier": source.id, "dc:bibliographicCitation": shown(source.words), **_at(address(source))}
            for source in report.citations
        ],
        "dialect": {"encoding": "utf-8", "delimiter": ",", "quoteChar": '"', "doubleQuote": True, "header": True,
                    "headerRowCount": 1, "lineTerminators": ["\n"], "skipBlankRows": False, "trim": False},
        "tables": [_table(schema, table) for schema, table in tables.items()],
    }  # fmt: skip
    return json_text(held)


def _rights(report: Report) -> dict[str, object]:
    terms = sorted({licence(source) for source in report.citations} - {""})
    rights = f"Figures keep the terms of their publishers: {'; '.join(terms)}." if terms else ""
    open_licence: dict[str, object] = (
        {"dc:license": {"@id": _OGL}} if any(term.startswith("OGL") for term in terms) else {}
    )
    return {"dc:rights": rights, **open_licence} if rights else {}


def _at(url: str) -> dict[str, object]:
    return {"dc:references": {"@id": url}} if url else {}


def _table(schema: TableSchema, table: pd.DataFrame) -> dict[str, object]:
    columns: dict[str, object] = {"columns": [_column(each) for each in schema.fields]}
    if len(table) and not table.duplicated(list(schema.key)).any():
        columns["primaryKey"] = list(schema.key)
    return {
        "url": schema.file, "dc:title": schema.title, "dc:description": schema.about,
        "tableSchema": columns,
    }  # fmt: skip


def _column(found: Field) -> dict[str, object]:
    held: dict[str, object] = {"name": found.name, "titles": list(dict.fromkeys((found.name, found.title)))}
    held["dc:description"] = found.about
    if found.kind == CODE_LIST:
        held |= {"datatype": TEXT, "separator": " "}
    elif found.values:
        held["datatype"] = {"base": TEXT, "format": "|".join(found.values)}
    else:
        held["datatype"] = found.kind
    if found.unit:
        held["schema:unitText"] = found.unit
    if found.property:
        held["propertyUrl"] = found.property
    return held | ({"required": True} if found.required else {"null": ""})


def dictionary(report: Report, tables: Tables) -> str:
    """The data dictionary as a page: every column of every table, every value of a closed list, every code."""
    banner = wording.banner_of(report.arguments)
    parts = [SitePart(_id(schema), schema.file, tuple(_described(schema))) for schema in tables]
    parts.append(SitePart("codes", "Diagnostic codes", (_codes(),)))
    said = (
        "What every column of the tables beside this page holds. The same is said for machines in csv-metadata.json (CSV on the Web). "
        "Text is UTF-8, the first line holds the headings, and an empty cell means that there is no value."
    )  # fmt: skip
    page = SitePage(DICTIONARY, "Data dictionary", "Data dictionary", said, tuple(parts))
    menu = (("Data dictionary", DICTIONARY), ("Report", "report.html"))
    return render_page(Site("Health needs assessment", banner, (page,), menu, (), ()), page)


def _id(schema: TableSchema) -> str:
    return schema.file.partition(".")[0].replace("_", "-")


def _described(schema: TableSchema) -> list[Paragraph | Table]:
    columns = tuple(map(Column, ("Column", "In words", "What it holds", "Type", "Unit", "Empty cells")))
    lines = tuple(
        tuple(map(Cell, (each.name, each.title, each.about, _KINDS[each.kind], each.unit or _unit(each),
                         "never" if each.required else "possible")))
        for each in schema.fields
    )  # fmt: skip
    found: list[Paragraph | Table] = [
        Paragraph(f"{schema.title}. {schema.about}"),
        Table(f"{_id(schema)}-columns", f"Columns of {schema.file}", columns, lines),
    ]
    values = [(each.name, value, said) for each in schema.fields for value, said in each.values.items()]
    if values:
        heads = tuple(map(Column, ("Column", "Value", "Meaning")))
        found.append(
            Table(f"{_id(schema)}-values", f"Values in {schema.file}", heads, tuple(_cells(*row) for row in values), 2)
        )
    return found


def _unit(found: Field) -> str:
    return "as in the column unit" if found.kind == NUMBER else "none"


def _cells(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))


def _codes(named: Sequence[str] = tuple(sorted(CODES))) -> Table:
    rows = tuple(_cells(code, kind_of(code), in_words(code)) for code in named)
    return Table("codes-all", "Every code", tuple(map(Column, ("Code", "Kind", "In words"))), rows)
