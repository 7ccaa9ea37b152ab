"""Notebooks as pages: safe with any text, the same bytes twice, and clear about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hna.errors import HnaError
from hna.publish.block_record import footnotes_of, from_record, to_record
from hna.publish.content import Cell, Column, Footnote, Item, Items, Paragraph, Table
from hna.publish.notebook_page import page_of, render_index, render_notebook
from hna.publish.shown import MIME, Shown, show_across, show_lines, show_table
from hna.publish.site_content import ChanceCell, LinkCell, Step, Steps
from tests.cli.test_bad_input import call
from tests.publish.reports import SCRIPT

pd = pytest.importorskip("pandas")


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def shown(*blocks: Any, sources: tuple[Footnote, ...] = ()) -> dict[str, Any]:
    data = Shown(tuple(blocks), sources)._repr_mimebundle_()
    return {"output_type": "execute_result", "data": json.loads(json.dumps(data))}


def prose(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": text}


def test_hostile_text_is_inert() -> None:
    table = Table("t", SCRIPT, (Column(SCRIPT),), ((Cell(SCRIPT),),))
    frame = pd.DataFrame({"a": [SCRIPT], "b": [1.0]})
    cells = [
        prose(
            f"# {SCRIPT}\n\n{SCRIPT}\n\n[a](javascript:alert(1)) ![p](https://example.org/p.png)\n\n|a|b|\n|--:|:-:|\n|1|2|"
        ),
        code(
            SCRIPT,
            shown(table, Paragraph(SCRIPT)),
            {"output_type": "stream", "name": "stdout", "text": f"\x1b[31m{SCRIPT}\n  two"},
        ),
        code(
            "x",
            {"output_type": "execute_result", "data": {"text/html": frame.to_html(escape=False), "text/plain": "x"}},
        ),
        code("x", {"output_type": "display_data", "data": {"text/html": f"<b>{SCRIPT}</b>", "text/plain": SCRIPT}}),
    ]
    page = page_of("own", cells)
    text = render_notebook(page, ["own/report.html"])
    for found in (text, render_index([page])):
        assert "<script" not in found
        assert "javascript:" not in found.replace("(javascript:alert(1))", "")
        assert "<img" not in found
        assert " style=" not in found
        assert "\x1b" not in found
    assert "  two" in text
    assert 'href="own/report.html"' in text


def test_blocks_come_back_as_they_were() -> None:
    table = Table(
        "t",
        "Title [3]",
        (Column("A"), Column("B", "people", True)),
        ((Cell("x [3]"), ChanceCell("5%", 0.05)),),
        refs=(3,),
    )
    record = json.loads(json.dumps(to_record((table, Items((Item("text", "term", "", (3,)),))))))
    found = from_record(record, {3: 1}, "cell-1")
    assert found[0].id == "cell-1-t"
    assert found[0].refs == (1,)
    assert found[0].rows[0][0].text == "x [1]"
    assert isinstance(found[0].rows[0][1], ChanceCell)
    assert found[1].items[0].refs == (1,)
    assert set(footnotes_of(record)) == {3}


def test_what_leads_to_another_page_becomes_text() -> None:
    record = to_record(
        (Table("t", "T", (Column("A"),), ((LinkCell("here", None, "x.html"),),)), Steps((Step("a", "b.html", "c"),)))
    )
    table, items = from_record(record, {}, "p")
    assert type(table.rows[0][0]) is Cell
    assert (items.items[0].term, items.items[0].text) == ("a", "c")


def test_footnotes_are_numbered_once_for_the_page() -> None:
    first = Footnote(7, "Green 2005", "https://example.org/a", "OGL")
    second = Footnote(2, "Sadler 2018")
    cells = [
        code("a", shown(Paragraph("one", (7,)), sources=(first,))),
        code("b", shown(Paragraph("two", (2, 7)), sources=(second, first))),
    ]
    page = page_of("own", cells)
    assert [(note.number, note.text) for note in page.sources] == [(1, "Green 2005"), (2, "Sadler 2018")]
    assert page.told[3].blocks[0].refs == (2, 1)  # type: ignore[union-attr]


def test_a_table_of_pandas_is_set_as_ours() -> None:
    frame = pd.DataFrame({"area": ["Halton", "Sefton"], "n": [1.0, 2.5]})
    page = page_of(
        "own", [code("t", {"output_type": "execute_result", "data": {"text/html": frame.to_html(), "text/plain": ""}})]
    )
    (table,) = page.told[1].blocks
    assert isinstance(table, Table)
    assert [column.name for column in table.columns] == ["area", "n"]
    assert [column.numeric for column in table.columns] == [False, True]


def test_figures_are_shown_as_people_say_them() -> None:
    frame = pd.DataFrame({
        "area_name": ["Halton"] * 2, "quantity": ["need", "coverage"], "year": 2023, "estimate": [1340.117, 0.6], "lower": [848.0, 0.4],
        "upper": [2016.8, 0.9], "unit": ["people", "proportion"], "probability": [float("nan"), 0.5],
    })  # fmt: skip
    (table,) = show_table(frame, "T", {"area_name": "Area", "year": "Date", "estimate": "N", "probability": "P"}).blocks
    assert isinstance(table, Table)
    assert [[cell.words for cell in row] for row in table.rows] == [
        ["Halton", "mid-2023", "1,300 (800 to 2,000)", "[x]"], ["Halton", "mid-2023", "60% (40% to 90%)", "50%"],
    ]  # fmt: skip
    (table,) = show_across(
        frame, "T", {"area_name": "Area"}, "quantity", {"need": "N", "coverage": "C", "gap": "G"}
    ).blocks
    assert isinstance(table, Table)
    assert [cell.text for cell in table.rows[0]] == ["Halton", "1,300", "60%", "[x]"]
    with pytest.raises(HnaError, match="two figures stand for need"):
        show_across(frame.assign(quantity="need"), "T", {"area_name": "Area"}, "quantity", {"need": "N"})
    (nothing,) = show_table(frame.head(0), "T", {"estimate": "N"}).blocks
    assert isinstance(nothing, Paragraph)
    assert isinstance(show_lines([]).blocks[0], Paragraph)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "notebooks").mkdir()
    return tmp_path


GOOD = "# %% [markdown]\n# # Own\n#\n# What it says.\n\n# %%\nfrom hna.publish.shown import show_lines\nshow_lines(['a line'])\n"


@pytest.mark.filterwarnings("default")
def test_the_command_writes_pages_the_same_twice(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / "notebooks/own.py").write_text(GOOD)
    out = own / "pages"
    for _ in range(2):
        status, said, _ = call(
            capsys, monkeypatch, "notebooks", "own", "--workspace", str(own), "--out", str(out), "--draws", "50"
        )
        assert status == 0
        assert "index.html" in said
        text = (out / "own.html").read_bytes()
        assert b"a line" in text
    assert (out / "own.html").read_bytes() == text
    assert "What it says." in (out / "index.html").read_text()
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


@pytest.mark.filterwarnings("default")
def test_a_cell_that_fails_is_named_and_the_last_page_stands(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / "notebooks/own.py").write_text(GOOD)
    out = own / "pages"
    words = ("notebooks", "own", "--workspace", str(own), "--out", str(out), "--draws", "50")
    assert call(capsys, monkeypatch, *words)[0] == 0
    before = (out / "own.html").read_bytes()
    (own / "notebooks/own.py").write_text(GOOD + "\n# %%\nimport hna\nhna.load_model('no-such-need')\n")
    status, _, wrong = call(capsys, monkeypatch, *words)
    assert status == 2
    assert "code cell 2 failed" in wrong
    assert "no-such-need" in wrong
    assert "Traceback" not in wrong
    assert (out / "own.html").read_bytes() == before


def test_bad_requests(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status, _, wrong = call(capsys, monkeypatch, "notebooks", "dementia_seftn", "--out", str(tmp_path / "o"))
    assert status == 2
    assert "dementia_sefton" in wrong
    (tmp_path / "file").write_text("x")
    assert call(capsys, monkeypatch, "notebooks", "--out", str(tmp_path / "file"))[0] == 2
    assert call(capsys, monkeypatch, "notebooks", "--draws", "0", "--out", str(tmp_path / "o"))[0] == 2
    status, said, _ = call(capsys, monkeypatch, "notebooks", "--list")
    assert status == 0
    assert "halton_2014_method" in said


def test_what_is_not_installed_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nbclient", None)
    status, _, wrong = call(capsys, monkeypatch, "notebooks", "dementia_sefton", "--out", str(tmp_path / "o"))
    assert status == 2
    assert 'pip install "hna[notebooks]"' in wrong


def test_mime_is_ours() -> None:
    assert MIME.endswith("+json")
