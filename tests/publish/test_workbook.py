"""The workbook follows the government's guidance on spreadsheets, and is inert to hostile text."""

import hashlib
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from hna.publish.compose import make_content
from hna.publish.content import Content
from hna.publish.report import Report
from hna.publish.tables import figures
from hna.publish.workbook import safe, tabs, write_content


def opened(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(path)


def tables(book: openpyxl.Workbook) -> list[tuple[Worksheet, tuple[tuple[object, ...], ...]]]:
    return [
        (sheet, tuple(tuple(cell.value for cell in row) for row in sheet[table.ref]))
        for sheet in book.worksheets
        for table in sheet.tables.values()
    ]


@pytest.fixture
def written(content: Content, book: Path) -> openpyxl.Workbook:
    write_content(content, book)
    return opened(book)


def test_order_of_sheets(written: openpyxl.Workbook) -> None:
    assert written.sheetnames[:4] == ["Cover", "Contents", "Notes", "Summary"]
    assert written.sheetnames[-1] == "Sources"
    assert all(len(name) <= 31 and " " not in name for name in written.sheetnames)


def test_one_marked_up_table_a_sheet_with_no_blank_or_merged_cell(written: openpyxl.Workbook) -> None:
    held = tables(written)
    assert len(held) == len(written.sheetnames) - 1
    for sheet, rows in held:
        assert len(sheet.tables) == 1
        assert not sheet.merged_cells.ranges
        blank = [(n, m) for n, row in enumerate(rows) for m, value in enumerate(row) if value is None or value == ""]
        assert not blank, f"{sheet.title}: {blank[:3]}"
        assert len(set(rows[0])) == len(rows[0])


def test_every_sheet_has_title_source_units_and_banner(written: openpyxl.Workbook, content: Content) -> None:
    for sheet in written.worksheets[3:]:
        words = [str(sheet.cell(row, 1).value) for row in range(1, 10)]
        assert words[0]
        assert content.banner in words
        assert any(word.startswith("Source: ") for word in words)
        assert any("Notes worksheet" in word for word in words)
        assert content.banner in str(sheet.oddHeader.center.text)
    heads = [cell.value for cell in next(iter(written["Summary"].iter_rows(min_row=8, max_row=8)))]
    assert "Estimated (people)" in heads


def test_shorthand_is_explained(written: openpyxl.Workbook) -> None:
    notes = {row[0] for _, rows in tables(written) for row in rows[1:] if rows[0][0] == "Mark or code"}
    for sheet, rows in tables(written):
        marks = {
            value
            for row in rows
            for value in row
            if isinstance(value, str) and value.startswith("[") and value.endswith("]")
        }
        assert marks <= notes | {"[x]"}, sheet.title


def test_numbers_are_numbers(written: openpyxl.Workbook, shipped: Report) -> None:
    rows = {sheet.title: rows for sheet, rows in tables(written)}["Summary"]
    at = rows[0].index("Estimated (people)")
    stored = {value for row in rows[1:] for value in [row[at]]}
    assert all(isinstance(value, int | float) for value in stored)
    table = figures(shipped)
    exact = set(table[(table["quantity"] == "need") & (table["year"] == 2023)]["estimate"].tolist())
    assert all(any(abs(value - found) < 1e-9 for found in exact) for value in stored)


def test_contents_lead_to_sheets(written: openpyxl.Workbook) -> None:
    links = [cell.hyperlink.location for row in written["Contents"].iter_rows() for cell in row if cell.hyperlink]
    assert len(links) >= len(written.sheetnames) - 3


def test_same_inputs_same_bytes(content: Content, tmp_path: Path) -> None:
    write_content(content, tmp_path / "a.xlsx")
    time.sleep(1.1)
    write_content(content, tmp_path / "b.xlsx")
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a.xlsx", "b.xlsx")}
    assert len(digests) == 1


def test_a_hidden_count_is_marked(own: Report, book: Path) -> None:
    write_content(make_content(own), book)
    rows = {sheet.title: rows for sheet, rows in tables(opened(book))}["Gap"]
    known = rows[0].index("Known (people)")
    assert "[c]" in [row[known] for row in rows[1:]]


def test_hostile_text_is_inert(hostile: Report, book: Path) -> None:
    write_content(make_content(hostile), book)
    for sheet in opened(book).worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if isinstance(cell.value, str) and not (cell.hyperlink and sheet.title == "Contents"):
                    assert not cell.value.startswith(("=", "+", "-", "@"))
                assert cell.hyperlink is None or not cell.hyperlink.target
    with zipfile.ZipFile(book) as held:
        assert not [name for name in held.namelist() if "external" in name.lower() or "macro" in name.lower()]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "===", "北京", "", "[a](b)", "$$x$$", "a" * 40_000])
def test_safe_text_never_fails_the_workbook(text: str) -> None:
    found = safe(text)
    assert found
    assert not found.startswith(("=", "+", "-", "@"))
    assert len(found) < 32_767


def test_tabs_are_short_unique_and_allowed() -> None:
    found = tabs(["a" * 40, "a" * 50, "x/y:z", "X/Y:Z", ""])
    assert len({name.casefold() for name in found}) == 5
    assert all(0 < len(name) <= 31 and not set(name) & set("[]:*?/\\'") for name in found)
