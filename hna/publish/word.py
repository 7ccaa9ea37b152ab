"""The report as a Word document: headings, tables whose headings repeat, and charts with their words, from the same content."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, assert_never
from xml.sax.saxutils import escape

from hna.publish.content import Content, Item, Items, Paragraph, Picture, Table
from hna.publish.document import Element, Heading, flow, headed, small, widths
from hna.publish.drawing import CREATED, missing, pixels, typesetter
from hna.publish.tables import shown
from hna.publish.zipped import settle

_NS = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_BODY = 9638
"""Width between the margins, in twentieths of a point: A4 less 20 mm on either side."""
_BANNER, _INK = 8, "1B1F24"
_SMALL, _RIGHT = '<w:sz w:val="16"/>', '<w:jc w:val="right"/>'
_MARGIN, _WIDE, _HIGH = 20, 210, 297
_FULL = 340.0
"""Width of a chart on the page, in its own units; wider ones take the whole line."""
_CHART, _LINE = 110, 170
_SIGNS = re.compile(r"[^\t\n\r\x20-퟿-�\U00010000-\U0010ffff]")


def write_word(content: Content, path: Path) -> None:
    """Write report.docx.

    Parameters
    ----------
    content : of the report.
    path : of the file.

    Raises
    ------
    DocumentError
        If python-docx is not installed, or typst, which turns the charts into pixels.
    """
    docx = docx_library()
    document = docx.Document()
    _Writer(document, content).write()
    document.save(path)
    settle(path)


def docx_library() -> Any:
    """The python-docx module.

    Raises
    ------
    DocumentError
        If it, or typst for the charts, is not installed; says how to install them.
    """
    try:
        import docx
    except ImportError:
        raise missing("python-docx", "--word") from None
    typesetter()
    return docx


def plain(text: str) -> str:
    """Text that XML can hold, on one line, without signs that cannot be seen."""
    return _SIGNS.sub("", shown(text))


class _Writer:
    """A document as it is written."""

    def __init__(self, document: Any, content: Content) -> None:
        from docx.oxml import parse_xml
        from docx.oxml.ns import qn
        from docx.shared import Mm, Pt, RGBColor

        self.ink = RGBColor.from_string(_INK)
        self.parse, self.qn, self.mm, self.pt = parse_xml, qn, Mm, Pt
        self.document, self.content = document, content
        self.body = document.element.body

    def write(self) -> None:
        """Everything, in order."""
        content = self.content
        self._set_up()
        self._text("Title", content.title)
        if content.banner:
            self._text("Intense Quote", content.banner)
        elements = list(flow(content))
        drawn = iter(pixels([one.whole for one in elements if isinstance(one, Picture)]))
        for one in elements:
            self._element(one, drawn)
        for note in content.sources:
            said = " ".join(filter(None, (note.text, note.url, note.licence and f"Terms of use: {note.licence}.")))
            self._text("Normal", f"{note.number}. {said}")

    def _set_up(self) -> None:
        """Page, language, properties, and the banner at the head and foot of every page."""
        held, section = self.document.core_properties, self.document.sections[0]
        held.title, held.author, held.language = plain(self.content.title)[:255], "hna", "en-GB"
        held.subject, held.comments, held.last_modified_by = "Health needs assessment", "", "hna"
        held.created = held.modified = CREATED.replace(tzinfo=None)
        section.page_width, section.page_height = self.mm(_WIDE), self.mm(_HIGH)
        section.left_margin = section.right_margin = self.mm(_MARGIN)
        section.top_margin = section.bottom_margin = self.mm(_MARGIN + _BANNER)
        for language in self.document.styles.element.iter(self.qn("w:lang")):
            language.set(self.qn("w:val"), "en-GB")
        self.document.styles["Normal"].font.size = self.pt(11)
        for name in ("Normal", "Title", "Caption", "Intense Quote", *(f"Heading {level}" for level in range(1, 5))):
            style = self.document.styles[name]
            style.font.name, style.font.color.rgb = "Arial", self.ink
            for fonts in style.element.iter(self.qn("w:rFonts")):
                for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
                    fonts.attrib.pop(self.qn(f"w:{theme}"), None)
        section.header.paragraphs[0].text = self.content.banner
        foot = section.footer.paragraphs[0]
        foot.text = f"{self.content.banner} Page ".lstrip()
        foot.add_run().element.addnext(
            self.parse(f'<w:fldSimple {_NS} w:instr="PAGE"><w:r><w:t>1</w:t></w:r></w:fldSimple>')
        )

    def _element(self, found: Element, drawn: Iterable[bytes]) -> None:
        if isinstance(found, Heading):
            self._text(f"Heading {found.level}", found.text)
        elif isinstance(found, Paragraph):
            self._text("Normal", found.text, found.refs, bold=found.kind == "warning")
        elif isinstance(found, Items):
            for item in found.items:
                self._item(item)
        elif isinstance(found, Table):
            self._text("Caption", found.title, found.refs, keep=True)
            if found.note:
                self._text("Normal", found.note, keep=True)
            self._append(_table(found))
            self._text("Normal", "")
        elif isinstance(found, Picture):
            self._picture(found, next(iter(drawn)))
        else:
            assert_never(found)

    def _append(self, xml: str) -> None:
        self.body.insert(len(self.body) - 1, self.parse(xml))

    def _text(self, style: str, text: str, refs: Sequence[int] = (), *, bold: bool = False, keep: bool = False) -> None:
        named = self.document.styles[style].style_id
        more = "<w:keepNext/>" if keep else ""
        self._append(
            f'<w:p {_NS}><w:pPr><w:pStyle w:val="{named}"/>{more}</w:pPr>{_run(text, bold=bold)}{_notes(refs)}</w:p>'
        )

    def _item(self, item: Item) -> None:
        named = self.document.styles["List Bullet"].style_id
        term = _run(f"{item.term}: ", bold=True) if item.term else ""
        said = f"{item.text} {item.url}" if item.url else item.text
        self._append(
            f'<w:p {_NS}><w:pPr><w:pStyle w:val="{named}"/></w:pPr>{term}{_run(said)}{_notes(item.refs)}</w:p>'
        )

    def _picture(self, found: Picture, png: bytes) -> None:
        width = re.search(r'viewBox="0 0 ([\d.]+)', found.svg)
        share = float(width.group(1)) / _FULL if width else 1.0
        self.document.add_picture(io.BytesIO(png), width=self.mm(min(_CHART * share, _LINE)))
        about = next(self.body[-2].iter(self.qn("wp:docPr")))
        about.set("descr", plain(found.alt))
        about.set("title", plain(found.title))
        self._text("Caption", found.title)


def _run(text: str, *, bold: bool = False, little: bool = False) -> str:
    """A run of text; its spaces are kept."""
    form = f"{'<w:b/>' if bold else ''}{_SMALL if little else ''}"
    return f'<w:r><w:rPr>{form}</w:rPr><w:t xml:space="preserve">{escape(_kept(text))}</w:t></w:r>'


def _kept(text: str) -> str:
    """Made safe, with one space at either end where there was one."""
    line = plain(text)
    return f"{' ' if text[:1] == ' ' else ''}{line}{' ' if line and text[-1:] == ' ' else ''}"


def _notes(refs: Sequence[int]) -> str:
    if not refs:
        return ""
    said = ", ".join(map(str, refs))
    return f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{said}</w:t></w:r>'


def _table(found: Table) -> str:
    """A table: its first row repeats on every page, and no row breaks across two."""
    shares = widths(found)
    sizes = [round(_BODY * share / sum(shares)) for share in shares]
    line = '<w:{} w:val="single" w:sz="4" w:space="0" w:color="A0A0A0"/>'
    edges = "".join(line.format(side) for side in ("top", "bottom", "insideH"))
    about = f'<w:tblCaption w:val="{_attribute(found.title)}"/><w:tblDescription w:val="{_attribute(found.note or found.title)}"/>'
    grid = "".join(f'<w:gridCol w:w="{size}"/>' for size in sizes)
    rows = [_row([headed(column) for column in found.columns], found, sizes, head=True)]
    rows += [_row([cell.words for cell in row], found, sizes) for row in found.rows]
    return (
        f'<w:tbl {_NS}><w:tblPr><w:tblW w:w="{_BODY}" w:type="dxa"/><w:tblBorders>{edges}</w:tblBorders><w:tblLayout w:type="fixed"/>'
        f'<w:tblLook w:val="0020" w:firstRow="1" w:lastRow="0" w:firstColumn="0" w:lastColumn="0" w:noHBand="1" w:noVBand="1"/>'
        f"{about}</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def _attribute(text: str) -> str:
    return escape(plain(text), {'"': "&quot;"})


def _row(texts: Sequence[str], found: Table, sizes: Sequence[int], head: bool = False) -> str:
    cells = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{size}" w:type="dxa"/></w:tcPr><w:p><w:pPr><w:spacing w:before="20" w:after="20"/>'
        f"{_RIGHT if column.numeric else ''}</w:pPr>{_run(text, bold=head, little=small(found))}</w:p></w:tc>"
        for text, column, size in zip(texts, found.columns, sizes, strict=True)
    )
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if head else ''}</w:trPr>{cells}</w:tr>"
