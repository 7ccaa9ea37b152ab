"""Word, PDF and the open spreadsheet: the page's own content, accessible, inert, and the same bytes each time."""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hna.errors import HnaError
from hna.publish import outputs
from hna.publish.compose import make_content
from hna.publish.content import Content, Items, Paragraph, Picture, Table
from hna.publish.document import LISTED, Heading, flow, headed, widths
from hna.publish.drawing import pixels, standalone
from hna.publish.ods import PROGRAMS, write_ods
from hna.publish.outputs import check_formats
from hna.publish.pdf import described, write_pdf
from hna.publish.report import Report
from hna.publish.tables import shown
from hna.publish.word import write_word
from hna.publish.workbook import write_content
from hna.run import Request, run
from tests.conftest import Workspace
from tests.publish.reports import FORMULA, SCRIPT

docx = pytest.importorskip("docx", reason="the documents extra is not installed")
pytest.importorskip("typst", reason="the documents extra is not installed")
calc = pytest.mark.skipif(not any(map(shutil.which, PROGRAMS)), reason="LibreOffice is not here: --ods cannot be tried")
Writer = Callable[[Content, Path], None]
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PROPERTIES = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr"


@pytest.fixture(scope="module")
def word(content: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("word") / "report.docx"
    write_word(content, path)
    return path


@pytest.fixture(scope="module")
def pdf(content: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    write_pdf(content, path)
    return path


def words_of(path: Path) -> str:
    """Text of a PDF, as pdftotext reads it."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not here: the text of a PDF cannot be read")
    ran = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True)
    return " ".join(ran.stdout.split())


def body(path: Path) -> ET.Element:
    with zipfile.ZipFile(path) as held:
        return ET.fromstring(held.read("word/document.xml"))  # noqa: S314


def test_documents_hold_the_page_s_own_content(content: Content) -> None:
    elements = list(flow(content))
    texts = {one.text for one in elements if isinstance(one, Paragraph | Heading)}
    tables = {one.id for one in elements if isinstance(one, Table)}
    pictures = [one for one in elements if isinstance(one, Picture)]
    for need in content.needs:
        assert {need.title, need.sentence} <= texts
        for part in need.parts:
            if part.id.endswith(LISTED):
                assert part.heading not in texts
                continue
            assert part.heading in texts
            assert {block.id for block in part.blocks if isinstance(block, Table) and block.rows} <= tables
            assert {block.text for block in part.blocks if isinstance(block, Paragraph)} <= texts
    assert pictures
    assert all(one.alt for one in pictures)
    assert any(isinstance(one, Items) for one in elements)
    levels = [one.level for one in elements if isinstance(one, Heading)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_word_has_tables_whose_headings_repeat(word: Path, content: Content) -> None:
    written = docx.Document(str(word))
    tables = [one for one in flow(content) if isinstance(one, Table)]
    assert len(written.tables) == len(tables)
    root = body(word)
    found = list(root.iter(f"{W}tbl"))
    for made, table in zip(found, tables, strict=True):
        rows = made.findall(f"{W}tr")
        texts = [["".join(t.text or "" for t in cell.iter(f"{W}t")) for cell in row.findall(f"{W}tc")] for row in rows]
        assert texts[0] == [headed(column) for column in table.columns]
        assert texts[1:] == [[shown(cell.words) for cell in row] for row in table.rows]
        assert rows[0].find(f"{W}trPr/{W}tblHeader") is not None
        assert all(row.find(f"{W}trPr/{W}cantSplit") is not None for row in rows)
        assert made.find(f"{W}tblPr/{W}tblCaption").get(f"{W}val") == shown(table.title)  # type: ignore[union-attr]
        assert not list(made.iter(f"{W}vMerge")) + list(made.iter(f"{W}gridSpan"))


def test_word_is_headed_named_and_in_english(word: Path, content: Content) -> None:
    written = docx.Document(str(word))
    held = written.core_properties
    assert (held.title, held.language, held.author) == (shown(content.title), "en-GB", "hna")
    assert held.created == held.modified
    named = [(one.style.name, one.text) for one in written.paragraphs if one.style.name.startswith("Heading")]
    assert named == [(f"Heading {one.level}", shown(one.text)) for one in flow(content) if isinstance(one, Heading)]
    languages = {one.get(f"{W}val") for one in written.styles.element.iter(f"{W}lang")}
    assert languages == {"en-GB"}
    section = written.sections[0]
    assert content.banner
    assert content.banner in section.header.paragraphs[0].text
    assert content.banner in section.footer.paragraphs[0].text
    assert any(one.text == content.banner for one in written.paragraphs)


def test_every_chart_in_word_says_what_it_shows(word: Path, content: Content) -> None:
    said = [one.get("descr") for one in body(word).iter(PROPERTIES)]
    assert said == [shown(one.alt) for one in flow(content) if isinstance(one, Picture)]


def test_charts_stand_by_themselves(content: Content) -> None:
    drawings = [one.svg for one in flow(content) if isinstance(one, Picture)][:3]
    for svg in drawings:
        alone = standalone(svg)
        assert "var(" not in alone
        assert "@media" not in alone
        assert ET.fromstring(alone).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314
        assert ".chart" in alone
    made = pixels(drawings)
    assert len(made) == 3
    assert all(one.startswith(b"\x89PNG") for one in made)
    assert pixels([]) == []


def test_the_pdf_is_accessible(pdf: Path, content: Content) -> None:
    held = pdf.read_bytes()
    assert held.startswith(b"%PDF-")
    # typst refuses to write what is not PDF/UA-1: tagged, titled, with a language and words for every picture.
    assert b"pdfuaid:part" in held
    assert b"en-GB" in held
    text = words_of(pdf)
    assert shown(content.title) in text
    for need in content.needs:
        assert need.title in text
    assert content.banner.partition(".")[0] in text


def test_the_pdf_has_every_number_of_the_summary(pdf: Path, content: Content) -> None:
    text = words_of(pdf)
    for need in content.needs:
        for row in need.rows:
            assert row.estimated.number in text
    assert "[x]" in text


def test_the_pdf_warns_on_every_page(pdf: Path, content: Content) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not here: the text of a PDF cannot be read")
    ran = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    pages = ran.stdout.rstrip("\f").split("\f")
    assert len(pages) > 5
    assert all("not for publication" in page for page in pages)


@pytest.mark.parametrize(
    ("write", "name"), [(write_word, "report.docx"), (write_pdf, "report.pdf")], ids=["word", "pdf"]
)
def test_same_content_same_bytes(write: Writer, name: str, own_content: Content, tmp_path: Path) -> None:
    write(own_content, tmp_path / f"a-{name}")
    time.sleep(1.1)
    write(own_content, tmp_path / f"b-{name}")
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert len(digests) == 1


def test_hostile_text_is_inert(hostile: Report, tmp_path: Path) -> None:
    content = make_content(hostile)
    write_word(content, tmp_path / "report.docx")
    write_pdf(content, tmp_path / "report.pdf")
    root = body(tmp_path / "report.docx")
    assert not list(root.iter(f"{W}instrText")) + list(root.iter(f"{W}fldSimple")) + list(root.iter(f"{W}hyperlink"))
    text = "".join(t.text or "" for t in root.iter(f"{W}t"))
    assert SCRIPT in text
    assert FORMULA in text
    assert not set("\u202e\u200b") & set(text)
    with zipfile.ZipFile(tmp_path / "report.docx") as held:
        assert not [name for name in held.namelist() if "vba" in name.lower() or "embed" in name.lower()]
        relations = held.read("word/_rels/document.xml.rels").decode()
    assert "javascript" not in relations
    made = (tmp_path / "report.pdf").read_bytes()
    assert b"/JavaScript" not in made
    assert b"javascript:" not in made
    assert not re.search(rb"/URI \((?!https?:)", made)
    said = words_of(tmp_path / "report.pdf")
    assert "alert(1)" in said
    assert "[U+5317]" in said


def test_text_is_handed_to_the_typesetter_as_data(own_content: Content) -> None:
    held = described(own_content)
    assert {one["kind"] for one in held["flow"]} == {"heading", "paragraph", "items", "table", "picture"}
    for one in held["flow"]:
        if one["kind"] == "table":
            assert len({len(one["head"]), len(one["widths"]), len(one["numeric"]), *map(len, one["rows"])}) == 1


def test_a_column_has_room_for_its_longest_word(content: Content) -> None:
    for one in flow(content):
        if isinstance(one, Table):
            assert all(share > 3 for share in widths(one))


@calc
def test_the_open_spreadsheet_holds_the_workbook(own_content: Content, tmp_path: Path) -> None:
    write_content(own_content, tmp_path / "report.xlsx")
    write_ods(tmp_path / "report.xlsx", tmp_path / "a.ods")
    write_ods(tmp_path / "report.xlsx", tmp_path / "b.ods")
    assert (tmp_path / "a.ods").read_bytes() == (tmp_path / "b.ods").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.ods") as held:
        assert held.namelist()[0] == "mimetype"
        assert held.read("mimetype") == b"application/vnd.oasis.opendocument.spreadsheet"
        text = held.read("content.xml").decode()
    for sheet in own_content.sheets:
        assert f'table:name="{sheet.name.replace(" ", "_")}"' in text
    assert 'office:value-type="float"' in text
    assert "table:formula" not in text


@pytest.mark.parametrize(("name", "module"), [("word", "docx"), ("word", "typst"), ("pdf", "typst")])
def test_a_missing_extra_is_said_before_anything_is_computed(
    name: str, module: str, small: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("hna.run.assess", lambda *_: pytest.fail("computed first"))
    with pytest.raises(HnaError, match=r"hna\[documents\]"):
        run(Request(workspace=small.root, formats=(name,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_libreoffice_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(HnaError, match="LibreOffice is not on this computer"):
        check_formats(["ods"])
    with pytest.raises(HnaError, match="format is unknown"):
        check_formats(["rtf"])
    check_formats([])


def test_documents_of_an_earlier_run_do_not_outlive_it(small: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(Request(workspace=small.root, draws=100, formats=("word", "pdf")), out)
    assert {"report.docx", "report.pdf"} <= {path.name for path in out.iterdir()}
    run(Request(workspace=small.root, draws=100), out)
    assert not {"report.docx", "report.pdf"} & {path.name for path in out.iterdir()}
    assert set(outputs.FORMATS) == {"word", "pdf", "ods"}


def test_a_plain_run_imports_none_of_it(small: Workspace, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hna.run import Request, run; "
        "run(Request(workspace=Path(sys.argv[1]), draws=100), Path(sys.argv[2])); "
        "print([name for name in ('docx', 'typst', 'lxml', 'scipy.stats', 'statsmodels') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(small.root), str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
