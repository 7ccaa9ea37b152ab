"""The workbook: a cover, contents, notes, and one table a sheet, for people and for machines."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from hna.publish.codes import CODES, in_words
from hna.publish.content import Cell, Column, Content, Sheet, Table
from hna.publish.tables import inert

# The moment in the file's properties is fixed, so that the same report gives the same bytes.
_CREATED = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
_LONGEST_CELL = 32_000
_LONGEST_TAB = 31
_WIDEST, _NARROWEST = 60, 12
_COVER, _FILL = 100, 0.95
"""Width of the cover, and the share of a column's width that letters of our type fill at most: its unit is a smaller type's."""
_TITLE_ROW, _ROW, _HIGHEST = 24, 16, 25
_FONT = {"font_name": "Arial", "font_size": 12}
_MARKS = "Marks in square brackets and codes are explained on the Notes worksheet."


def write_content(content: Content, path: Path) -> None:
    """Write a workbook from content already made."""
    book = xlsxwriter.Workbook(str(path))
    _Book(book, content).write()
    book.close()


def tabs(names: list[str]) -> list[str]:
    """Names for tabs: at most 31 characters, none of the signs that a spreadsheet refuses, no space, each once."""
    short = [re.sub(r"[\[\]:*?/\\'\s]+", "_", inert(name)).strip("_")[:_LONGEST_TAB] or "Sheet" for name in names]
    return _unlike(short, lambda name, n: f"{name[: _LONGEST_TAB - len(n) - 1]}_{n}")


def safe(text: str) -> str:
    """Text that no spreadsheet takes for anything else: no formula, no sign that turns its direction, never blank."""
    line = inert(text)
    if len(line) > _LONGEST_CELL:
        line = line[:_LONGEST_CELL] + "…"
    return line.strip() or "[x]"


def heading(column: Column) -> str:
    """What stands over a column: its name, and its unit where it has one."""
    return safe(f"{column.name} ({column.unit})" if column.unit else column.name)


@dataclass
class _Book:
    """A workbook as it is written."""

    book: xlsxwriter.Workbook
    content: Content
    safe: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        make = self.book.add_format
        self.title = make(_FONT | {"bold": True, "font_size": 16})
        self.subtitle = make(_FONT | {"bold": True, "font_size": 14})
        self.plain = make(_FONT)
        self.text = make(_FONT | {"text_wrap": True, "valign": "top"})
        self.link = make(_FONT | {"underline": True, "font_color": "#0B4F8A", "valign": "top"})
        edge = {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}
        self.head = make(_FONT | edge | {"indent": 1})
        self.cell = make(_FONT | {"text_wrap": True, "valign": "top", "indent": 1})
        self.numeric_head = make(_FONT | edge | {"align": "right"})
        right = _FONT | {"align": "right", "valign": "top"}
        self.numbers = {
            "people": make(right | {"num_format": "#,##0"}), "proportion": make(right | {"num_format": "0.0000"}),
            "probability": make(right | {"num_format": "0.0000"}), "": make(right),
        }  # fmt: skip

    def write(self) -> None:
        """Every sheet, and the file's properties."""
        content = self.content
        names = tabs([sheet.name for sheet in content.sheets])
        self._cover()
        listed = [("Notes", "Marks and codes used in this workbook")]
        listed += [(name, sheet.table.title) for name, sheet in zip(names, content.sheets, strict=True)]
        self._contents(listed)
        notes = Table("notes", "Notes", (Column("Mark or code"), Column("Meaning")), self._notes())
        lines = ["This worksheet contains one table: marks and codes used on the other worksheets."]
        self._table(self.book.add_worksheet("Notes"), notes, lines, [28, 110])
        for name, sheet in zip(names, content.sheets, strict=True):
            self._table(self.book.add_worksheet(name), sheet.table, self._lines(sheet))
        self.book.set_properties({
            "title": self._said(content.title), "subject": "Health needs assessment", "author": "hna", "company": "",
            "comments": self._said(content.banner or content.subtitle), "created": _CREATED,
        })  # fmt: skip
        self.book.set_custom_property("Language", "en-GB", "text")
        for sheet in self.book.worksheets():
            sheet.set_landscape()
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
            if content.banner:
                sheet.set_header(f"&C{content.banner}")

    def _said(self, text: str) -> str:
        found = self.safe.get(text)
        if found is None:
            found = self.safe[text] = safe(text)
        return found

    def _cover(self) -> None:
        sheet = self.book.add_worksheet("Cover")
        content = self.content
        sheet.set_column(0, 0, _COVER)
        sheet.set_default_row(_ROW)
        banner = [content.banner] if content.banner else []
        lines = [(content.title, self.title), ("Introductory information", self.subtitle)]
        lines += [(text, self.text) for text in (*banner, content.subtitle)]
        lines += [("About these data", self.subtitle), *((text, self.text) for text in content.about)]
        for row, (text, form) in enumerate(lines):
            said = self._said(text)
            sheet.write_string(row, 0, said, form)
            sheet.set_row(row, _TITLE_ROW if form is not self.text else _ROW * lines_of(said, _COVER))

    def _contents(self, listed: list[tuple[str, str]]) -> None:
        sheet = self.book.add_worksheet("Contents")
        columns = (Column("Worksheet"), Column("What is on it"))
        table = Table("contents", "Contents", columns, tuple((Cell(name), Cell(title)) for name, title in listed))
        lines = ["This worksheet contains one table: the other worksheets and what is on them."]
        first = self._table(sheet, table, lines, [28, 110])
        for row, (name, _) in enumerate(listed, start=first):
            sheet.write_url(row, 0, f"internal:'{name}'!A1", self.link, name)

    def _notes(self) -> tuple[tuple[Cell, ...], ...]:
        flags = next((sheet.table for sheet in self.content.sheets if sheet.table.id == "flags"), None)
        codes = sorted({row[0].text for row in flags.rows} if flags else CODES)
        rows = [*self.content.shorthand, *((code, in_words(code)) for code in codes)]
        return tuple((Cell(mark), Cell(text)) for mark, text in rows)

    def _lines(self, sheet: Sheet) -> list[str]:
        """What stands between a sheet's title and its table."""
        used = {cell.text for row in sheet.table.rows for cell in row if cell.value is None}
        legend = [f"{mark} = {meaning}" for mark, meaning in self.content.shorthand if mark in used]
        banner = [self.content.banner] if self.content.banner else []
        about = [f"Scope: {sheet.scope}"] if sheet.scope else []
        return [
            *banner, self.content.title, f"This worksheet contains one table. {_MARKS}", *legend, *about,
            f"Source: {sheet.source}",
        ]  # fmt: skip

    def _table(self, sheet: Worksheet, table: Table, lines: list[str], widths: list[int] | None = None) -> int:
        """Title, lines and one marked-up table; returns the first row of the table's body."""
        sheet.hide_gridlines(2)
        sheet.set_default_row(_ROW)
        sheet.write_string(0, 0, self._said(table.title), self.title)
        sheet.set_row(0, _TITLE_ROW)
        for row, line in enumerate(lines, start=1):
            sheet.write_string(row, 0, self._said(line), self.plain)
        top = len(lines) + 1
        heads = unique([heading(column) for column in table.columns])
        sheet.add_table(top, 0, top + max(len(table.rows), 1), len(heads) - 1, {
            "name": _named(table), "autofilter": False, "style": None,
            "columns": [
                {"header": head, "header_format": self.numeric_head if column.numeric else self.head}
                for head, column in zip(heads, table.columns, strict=True)
            ],
        })  # fmt: skip
        # Not every program makes a row as high as its wrapped text, so that its height is written.
        high: dict[int, int] = {}
        for n, column in enumerate(table.columns):
            cells = [row[n] for row in table.rows]
            longest = self._column(sheet, n, column, cells, top + 1)
            wide = widths[n] if widths else min(max(longest, len(heads[n]) // 2, _NARROWEST) + 3, _WIDEST)
            sheet.set_column(n, n, wide)
            high[top] = max(high.get(top, 1), lines_of(heads[n], wide))
            if longest > wide * _FILL:
                for row, cell in enumerate(cells, start=top + 1):
                    high[row] = max(high.get(row, 1), lines_of(cell.text, wide))
        for row, needed in high.items():
            if needed > 1:
                sheet.set_row(row, _ROW * needed)
        return top + 1

    def _column(self, sheet: Worksheet, n: int, column: Column, cells: list[Cell], top: int) -> int:
        """The cells of a column; returns the length of the longest."""
        number, text, said = self.numbers.get(column.unit, self.numbers[""]), self.cell, self._said
        form: Format = self.numbers[""] if column.numeric else text
        longest = 0
        for row, cell in enumerate(cells, start=top):
            if cell.value is None:
                words = said(cell.text)
                longest = max(longest, len(words))
                sheet.write_string(row, n, words, form)
            else:
                longest = max(longest, len(cell.text))
                sheet.write_number(row, n, cell.value, number)
        return longest


def lines_of(text: str, wide: float) -> int:
    """Lines that wrapped text takes in a column; a spreadsheet's row holds about 25 of our type at most."""
    if len(text) <= wide * _FILL:
        return 1
    return min(len(textwrap.wrap(text, max(int(wide * _FILL), 1))) or 1, _HIGHEST)


def _named(table: Table) -> str:
    return "table_" + re.sub(r"\W", "_", table.id)


def unique(heads: list[str]) -> list[str]:
    """Headings of a table, each once: a spreadsheet takes no two alike."""
    return _unlike(heads, lambda head, n: f"{head} {n}")


def _unlike(names: list[str], numbered: Callable[[str, str], str]) -> list[str]:
    """Names of which no two are alike to a spreadsheet, which takes no notice of capitals."""
    found: list[str] = []
    for name in names:
        n, unlike = 1, name
        while unlike.casefold() in {held.casefold() for held in found}:
            n += 1
            unlike = numbered(name, str(n))
        found.append(unlike)
    return found
