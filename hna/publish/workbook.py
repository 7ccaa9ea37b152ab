"""The workbook: a cover, contents, notes, and one table a sheet, for people and for machines."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from pathlib import Path

import gptables
import pandas as pd

from hna.publish.codes import CODES, in_words
from hna.publish.compose import make_content
from hna.publish.content import Cell, Content, Sheet, Table
from hna.publish.report import Report
from hna.publish.tables import inert

# The moment in the file's properties is fixed, so that the same report gives the same bytes.
_CREATED = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
_LONGEST_CELL = 32_000
_LONGEST_TAB = 31
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_WIDEST, _WRAPPED = 60, 9


def write_workbook(report: Report, path: Path) -> None:
    """Write report.xlsx."""
    write_content(make_content(report), path)


def write_content(content: Content, path: Path) -> None:
    """Write a workbook from content already made."""
    names = tabs([sheet.name for sheet in content.sheets])
    sheets = {name: _sheet(content, sheet) for name, sheet in zip(names, content.sheets, strict=True)}
    with warnings.catch_warnings():
        # gptables asks pandas to replace in place, which pandas 3 warns of.
        warnings.simplefilter("ignore")
        book = gptables.produce_workbook(
            str(path), sheets=sheets, cover=_cover(content), notes_table=_notes(content), auto_width=False,
            contentsheet_options={"instructions": "This worksheet contains one table: the other worksheets and what is on them."},
            notesheet_options={"instructions": "This worksheet contains one table: marks and codes used on the other worksheets."},
            workbook_options=_OPTIONS,
        )  # fmt: skip
        _finish(book, content, dict(zip(names, content.sheets, strict=True)))
        book.close()


def tabs(names: list[str]) -> list[str]:
    """Names for tabs: at most 31 characters, none of the signs that a spreadsheet refuses, each once."""
    found: list[str] = []
    for name in names:
        short = re.sub(r"[\[\]:*?/\\']", " ", inert(name)).strip()[:_LONGEST_TAB] or "Sheet"
        n, unique = 1, short
        while unique.casefold() in {held.casefold() for held in found}:
            n += 1
            unique = f"{short[: _LONGEST_TAB - len(str(n)) - 1]} {n}"
        found.append(unique)
    return found


def safe(text: str) -> str:
    """Text that neither a spreadsheet nor gptables takes for anything else: no formula, no link, no note, never blank."""
    line = inert(text).replace("$$", "$ $").replace("](", "] (")
    if len(line) > _LONGEST_CELL:
        line = line[:_LONGEST_CELL] + "…"
    return line if re.search(r"[a-zA-Z0-9]", line) else f"text: {line}" if line else "[x]"


def _stored(cell: Cell) -> float | int | str:
    if cell.value is None:
        return safe(cell.text)
    return int(cell.value) if float(cell.value).is_integer() else cell.value


def _frame(table: Table) -> pd.DataFrame:
    names = [f"{column.name} ({column.unit})" if column.unit else column.name for column in table.columns]
    rows = [[_stored(cell) for cell in row] for row in table.rows]
    return pd.DataFrame(rows, columns=[safe(name) for name in names], dtype=object)


def _sheet(content: Content, sheet: Sheet) -> gptables.GPTable:
    wide = [n for n, column in enumerate(sheet.table.columns) if column.numeric]
    people = [n for n in wide if sheet.table.columns[n].unit == "people"]
    shares = [n for n in wide if sheet.table.columns[n].unit in ("proportion", "probability")]
    formats = [
        {"column": {"columns": columns, "format": {"num_format": form}}}
        for columns, form in ((people, "#,##0"), (shares, "0.0000"))
        if columns
    ]
    used = {cell.text for row in sheet.table.rows for cell in row if cell.value is None}
    legend = [f"{mark} = {meaning}" for mark, meaning in content.shorthand if mark in used]
    banner = [content.banner] if content.banner else []
    return gptables.GPTable(
        _frame(sheet.table), f"table_{sheet.table.id.replace('-', '_')}", safe(sheet.table.title),
        scope=f"Scope: {safe(sheet.scope)}", source=f"Source: {safe(sheet.source)}",
        subtitles=[*banner, safe(content.title)], legend=legend, index_columns={2: 0}, additional_formatting=formats,
        instructions="This worksheet contains one table. Marks in square brackets and codes are explained on the Notes worksheet.",
    )  # fmt: skip


def _cover(content: Content) -> gptables.Cover:
    banner = [content.banner] if content.banner else []
    return gptables.Cover(
        title=safe(content.title),
        intro=[*banner, safe(content.subtitle)],
        about=[safe(text) for text in content.about],
        width=100,
    )


def _notes(content: Content) -> pd.DataFrame:
    rows = [(mark, meaning) for mark, meaning in content.shorthand]
    flags = next((sheet.table for sheet in content.sheets if sheet.table.id == "flags"), None)
    codes = sorted({row[0].text for row in flags.rows} if flags else CODES)
    rows += [(code, in_words(code)) for code in codes]
    return pd.DataFrame([(safe(mark), safe(text)) for mark, text in rows], columns=["Mark or code", "Meaning"])


def _finish(book: gptables.GPWorkbook, content: Content, sheets: dict[str, Sheet]) -> None:
    """Properties, widths, wrapped text, frozen headings and the banner on every printed page."""
    book.set_properties({
        "title": safe(content.title), "subject": "Health needs assessment", "author": "hna", "company": "",
        "comments": safe(content.banner or content.subtitle), "created": _CREATED,
    })  # fmt: skip
    for sheet in book.worksheets():
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        if content.banner:
            sheet.set_header(f"&C{content.banner}")
        held = sheets.get(sheet.get_name())
        if held is None:
            sheet.set_column(0, 0, 100 if sheet.get_name() == "Cover" else 28)
            if sheet.get_name() != "Cover":
                sheet.set_column(1, 1, 110)
            continue
        for n, column in enumerate(held.table.columns):
            longest = max((len(row[n].text) for row in held.table.rows), default=0)
            sheet.set_column(n, n, min(max(longest, len(column.name) // 2, _WRAPPED) + 3, _WIDEST))
