"""The report as an accessible PDF (PDF/UA-1), set by typst from the same content as the page."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, assert_never

from hna.errors import Fault
from hna.publish.content import Content, Items, Paragraph, Picture, Table
from hna.publish.document import Element, Heading, flow, headed, small, widths
from hna.publish.drawing import CREATED, FONT, DocumentError, standalone, typesetter
from hna.publish.tables import shown

_UNSHOWN = re.compile(r"the text `\"(.+?)\"` could not be displayed")
_COMMON = re.compile(r"[^\x20-ɏͰ-ϿЀ-ӿ -⁰-⁞ -₿←-↕−-⋿]")
_TRIES = 20


def write_pdf(content: Content, path: Path) -> None:
    """Write report.pdf.

    Parameters
    ----------
    content : of the report. It is handed over as data: no text of it is ever read as markup.
    path : of the file.

    Raises
    ------
    DocumentError
        If typst is not installed, or refuses.
    """
    typst = typesetter()
    template = files("hna.publish").joinpath("templates", "report.typ").read_bytes()
    text = json.dumps(described(content), ensure_ascii=False)
    for _ in range(_TRIES):
        try:
            made: bytes = typst.compile(
                template,
                sys_inputs={"content": text},
                pdf_standards=["ua-1"],
                timestamp=CREATED,
                ignore_system_fonts=True,
            )
        except typst.TypstError as error:
            unshown = _UNSHOWN.search(str(error))
            if unshown is None:
                raise DocumentError(Fault(f"typst cannot set the report: {error}", "Report this fault")) from None
            text = _COMMON.sub(_named, text)
            for sign in unshown.group(1).encode().decode("unicode-escape" if "\\" in unshown.group(1) else "utf-8"):
                text = text.replace(sign, f"[U+{ord(sign):04X}]")
            continue
        path.write_bytes(made)
        return
    raise DocumentError(Fault("the report holds signs that no font at hand can show", "Read report.html instead"))


def _named(found: re.Match[str]) -> str:
    """A sign that the font does not hold, as its number: better seen than lost."""
    return f"[U+{ord(found.group()):04X}]"


def described(content: Content) -> dict[str, Any]:
    """The report as plain data for the template."""
    return {
        "title": shown(content.title), "banner": content.banner, "font": FONT,
        "flow": [_element(element) for element in flow(content)],
        "sources": [
            {"number": note.number, "text": shown(note.text), "url": note.url, "licence": shown(note.licence)}
            for note in content.sources
        ],
    }  # fmt: skip


def _element(found: Element) -> dict[str, Any]:
    if isinstance(found, Heading):
        return {"kind": "heading", "level": found.level, "text": shown(found.text)}
    if isinstance(found, Paragraph):
        return {"kind": "paragraph", "text": shown(found.text), "refs": found.refs, "style": found.kind}
    if isinstance(found, Items):
        items = [
            {"term": shown(one.term), "text": shown(one.text), "url": one.url, "refs": one.refs} for one in found.items
        ]
        return {"kind": "items", "items": items}
    if isinstance(found, Table):
        return _table(found)
    if isinstance(found, Picture):
        width = re.search(r'viewBox="0 0 ([\d.]+)', found.svg)
        return {
            "kind": "picture", "title": shown(found.title), "alt": shown(found.alt), "svg": standalone(found.whole),
            "width": float(width.group(1)) if width else 340.0,
        }  # fmt: skip
    assert_never(found)


def _table(found: Table) -> dict[str, Any]:
    rows = [[shown(cell.words) for cell in row] for row in found.rows]
    return {
        "kind": "table", "title": shown(found.title), "note": shown(found.note), "refs": found.refs,
        "head": [headed(column) for column in found.columns], "rows": rows, "widths": widths(found),
        "numeric": [column.numeric for column in found.columns],
        "size": "7.5pt" if small(found) else "9pt",
    }  # fmt: skip
