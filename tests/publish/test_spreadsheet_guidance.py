"""The workbooks of real runs against the government's guidance on statistics in spreadsheets, item by item.

The guidance is the Analysis Function's "Releasing statistics in spreadsheets" and its checklist of the basics. Where an
item is about judgement (are the words plain?) it is not here.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from hna.assessment.assess import assess_area
from hna.publish.compose import SHORTHAND, make_content
from hna.publish.ods import PROGRAMS
from hna.publish.site import finding_words, write_site
from hna.publish.workbook import write_content
from hna.run import Request, assess

FRONT = ("Cover", "Contents", "Notes")
MARK = re.compile(r"\[[a-z]+\]")
CODE = re.compile(r"[WNR]\d{3,4}")
SMALLEST_TYPE = 12


@pytest.fixture(scope="session", params=["every shipped need", "a needs assessment"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    if request.param == "every shipped need":
        write_content(make_content(assess(Request(draws=60))), folder / "report.xlsx")
        return folder / "report.xlsx"
    held = assess_area(
        "Halton", needs=("learning-disability",), draws=60, on=dt.date(2026, 11, 22), words=finding_words
    )
    write_site(held, folder)
    return folder / "assessment.xlsx"


@pytest.fixture(scope="session")
def book(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(path)


def body(sheet: Worksheet) -> list[list[object]]:
    """The marked-up table of a sheet, its headings first."""
    table = next(iter(sheet.tables.values()))
    return [[cell.value for cell in row] for row in sheet[table.ref]]


def texts(sheet: Worksheet) -> Iterator[str]:
    for row in sheet.iter_rows(values_only=True):
        yield from (value for value in row if isinstance(value, str))


def test_it_opens_with_a_cover_a_table_of_contents_and_notes(book: openpyxl.Workbook) -> None:
    assert tuple(book.sheetnames[:3]) == FRONT
    assert book.active.title == "Cover"
    listed = [row[0] for row in body(book["Contents"])[1:]]
    assert listed == book.sheetnames[2:]
    links = [cell.hyperlink.location for row in book["Contents"].iter_rows() for cell in row if cell.hyperlink]
    assert links == [f"'{name}'!A1" for name in listed]


def test_every_sheet_has_a_short_unique_name_without_spaces(book: openpyxl.Workbook) -> None:
    names = book.sheetnames
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"\w{1,31}", name) for name in names)


def test_the_title_is_in_the_first_cell_and_nothing_stands_before_it(book: openpyxl.Workbook) -> None:
    for sheet in book.worksheets:
        assert isinstance(sheet["A1"].value, str)
        assert sheet["A1"].font.b
        assert sheet["A1"].font.sz > SMALLEST_TYPE


def test_one_marked_up_table_with_one_row_of_headings(book: openpyxl.Workbook) -> None:
    named = []
    for sheet in book.worksheets[1:]:
        assert len(sheet.tables) == 1
        table = next(iter(sheet.tables.values()))
        assert table.headerRowCount == 1
        assert table.ref.startswith("A")
        named.append(table.name)
        heads = [str(head) for head in body(sheet)[0]]
        assert len({head.casefold() for head in heads}) == len(heads)
        assert all(heads)
        # The number of tables is said before the table.
        assert any("This worksheet contains one table" in text for text in list(texts(sheet))[:8])
    assert len(set(named)) == len(named)
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in named)


def test_no_cell_row_or_column_is_blank_merged_or_hidden(book: openpyxl.Workbook) -> None:
    for sheet in book.worksheets[1:]:
        table = next(iter(sheet.tables.values()))
        top = sheet[table.ref][0][0].row
        assert all(sheet.cell(row, 1).value not in (None, "") for row in range(1, top))
        assert [value for row in body(sheet) for value in row if value is None or str(value).strip() == ""] == []
        assert sheet.max_row == top + len(body(sheet)) - 1
        assert not sheet.merged_cells.ranges
        assert not [name for name, row in sheet.row_dimensions.items() if row.hidden]
        assert not [name for name, column in sheet.column_dimensions.items() if column.hidden]
        assert sheet.sheet_state == "visible"


def test_nothing_is_frozen_filtered_protected_drawn_or_computed(book: openpyxl.Workbook, path: Path) -> None:
    for sheet in book.worksheets:
        assert sheet.freeze_panes is None
        assert sheet.auto_filter.ref is None
        assert all(table.autoFilter is None for table in sheet.tables.values())
        assert not sheet.protection.sheet
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    with zipfile.ZipFile(path) as held:
        assert not [name for name in held.namelist() if re.search(r"drawing|media|vba|external|comment", name)]


def test_shorthand_and_codes_are_explained(book: openpyxl.Workbook) -> None:
    explained = {str(row[0]) for row in body(book["Notes"])[1:]}
    assert {mark for mark, _ in SHORTHAND} <= explained
    assert all(str(row[1]).endswith((".", "say", "report", "nought")) for row in body(book["Notes"])[1:])
    for sheet in book.worksheets[3:]:
        rows = body(sheet)[1:]
        used = {value for row in rows for value in row if isinstance(value, str) and MARK.fullmatch(value)}
        assert used <= explained
        top = sheet[next(iter(sheet.tables.values())).ref][0][0].row
        above = " ".join(str(sheet.cell(row, 1).value) for row in range(1, top))
        assert all(f"{mark} = " in above for mark in used)
        heads = [str(head) for head in body(sheet)[0]]
        if "Flags" in heads:
            at = heads.index("Flags")
            assert {code for row in rows for code in CODE.findall(str(row[at]))} <= explained


def test_numbers_are_numbers_and_units_stand_in_the_headings(book: openpyxl.Workbook) -> None:
    printed = re.compile(r"[-−]?[\d,]+(\.\d+)?%?")
    for sheet in book.worksheets[3:]:
        heads, *rows = body(sheet)
        for n, head in enumerate(heads):
            values = [row[n] for row in rows]
            if str(head).endswith(("(people)", "(proportion)", "(probability)")):
                wrong = [
                    value for value in values if not isinstance(value, int | float) and not MARK.fullmatch(str(value))
                ]
                assert wrong == [], f"{sheet.title}, {head}"
            if any(isinstance(value, int | float) for value in values):
                assert not [value for value in values if isinstance(value, str) and printed.fullmatch(value)]


def test_every_table_has_its_source(book: openpyxl.Workbook) -> None:
    for sheet in book.worksheets[3:]:
        assert any(text.startswith("Source: ") for text in list(texts(sheet))[:12])


def test_type_is_large_plain_and_wrapped(book: openpyxl.Workbook) -> None:
    for sheet in book.worksheets:
        cells = [cell for row in sheet.iter_rows(max_row=40) for cell in row if cell.value is not None]
        assert {cell.font.name for cell in cells} == {"Arial"}
        assert min(cell.font.sz for cell in cells) >= SMALLEST_TYPE
        assert not [cell for cell in cells if cell.font.vertAlign or cell.fill.fgColor.rgb not in ("00000000", None)]
    for sheet in book.worksheets[3:]:
        for cell in next(iter(sheet[next(iter(sheet.tables.values())).ref])):
            assert cell.alignment.wrap_text


def test_the_file_says_what_it_is(book: openpyxl.Workbook, path: Path) -> None:
    assert "needs assessment" in str(book.properties.title).casefold()
    assert book.properties.creator == "hna"
    assert book.properties.subject == "Health needs assessment"
    with zipfile.ZipFile(path) as held:
        custom = ET.fromstring(held.read("docProps/custom.xml"))  # noqa: S314
    assert "en-GB" in "".join(custom.itertext())


def test_each_sheet_warns_where_nothing_was_protected(book: openpyxl.Workbook) -> None:
    for sheet in book.worksheets:
        assert "not for publication" in str(sheet.oddHeader.center.text)
    for sheet in (book["Cover"], *book.worksheets[3:]):
        assert any("not for publication" in text for text in list(texts(sheet))[:4])


@pytest.mark.skipif(
    not any(map(shutil.which, PROGRAMS)), reason="LibreOffice is not here: nothing converts the workbook"
)
def test_libreoffice_converts_it_without_a_warning(path: Path, book: openpyxl.Workbook, tmp_path: Path) -> None:
    program = next(filter(None, map(shutil.which, PROGRAMS)))
    command = [
        program, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML",
        "--outdir", str(tmp_path), str(path),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    said = [line for line in ran.stderr.splitlines() if line and "javaldx" not in line]
    assert said == []
    again = openpyxl.load_workbook(tmp_path / path.name)
    assert again.sheetnames == book.sheetnames
    for sheet in book.worksheets[3:5]:
        there = [[cell.value for cell in row] for row in again[sheet.title][next(iter(sheet.tables.values())).ref]]
        assert len(there) == len(body(sheet))
        for mine, theirs in zip(body(sheet), there, strict=True):
            assert [type(value) in (int, float) for value in mine] == [type(value) in (int, float) for value in theirs]
