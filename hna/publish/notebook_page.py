"""An executed notebook as one page in the report's style: read without Python, offline, safe with any text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from hna.publish.block_record import from_record
from hna.publish.content import Cell, Column, Footnote, Table
from hna.publish.figures import ABSENT
from hna.publish.shown import MIME
from hna.publish.site_content import SiteBlock
from hna.publish.site_page import environment, policy_of, style_of
from hna.publish.tables import printable, shown

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Told:
    """Something on the page: prose, the question put to `hna`, or its answer.

    Parameters
    ----------
    kind : ``prose``, ``code``, ``blocks`` or ``text``.
    markup : of prose, made by us.
    text : of code and of plain answers.
    blocks : of an answer that `hna` drew.
    """

    kind: str
    markup: str = ""
    text: str = ""
    blocks: tuple[SiteBlock, ...] = ()


@dataclass(frozen=True)
class NotebookPage:
    """A notebook as it is read.

    Parameters
    ----------
    name : of the file, without its ending.
    title, opening : its first heading, and its first paragraph as plain text.
    headings : anchor and text of each section.
    told : in order.
    sources : everything that its answers rest on, numbered in order of use.
    """

    name: str
    title: str
    opening: str
    headings: tuple[tuple[str, str], ...]
    told: tuple[Told, ...]
    sources: tuple[Footnote, ...]


def page_of(name: str, cells: Sequence[Mapping[str, Any]]) -> NotebookPage:
    """An executed notebook's cells as a page.

    Parameters
    ----------
    name : of the file, without its ending.
    cells : as nbformat has them: ``cell_type``, ``source`` and, for code, ``outputs``.
    """
    made = _Maker()
    for n, cell in enumerate(cells, start=1):
        if cell["cell_type"] == "markdown":
            made.prose(str(cell["source"]))
        elif cell["cell_type"] == "code":
            made.told.append(Told("code", text=_clean(str(cell["source"]))))
            for m, output in enumerate(cell.get("outputs", ()), start=1):
                made.answer(output, f"cell-{n}-{m}")
    title = made.title or name.replace("_", " ").capitalize()
    return NotebookPage(name, title, made.opening, tuple(made.headings), tuple(made.told), tuple(made.sources.values()))


def render_notebook(page: NotebookPage, files: Sequence[str] = ()) -> str:
    """The page as HTML.

    Parameters
    ----------
    page : from `page_of`.
    files : addresses, relative to the page, of what the notebook wrote.
    """
    style = style_of("page.css", "site.css", "notebook.css")
    template = environment().get_template("notebook.html.j2")
    return template.render(page=page, files=files, columns=(), style=style, policy=policy_of(style))


def render_index(pages: Sequence[NotebookPage]) -> str:
    """The list of notebooks as HTML."""
    style = style_of("page.css", "site.css", "notebook.css")
    template = environment().get_template("notebooks.html.j2")
    return template.render(pages=pages, style=style, policy=policy_of(style))


class _Maker:
    """Cells become what is told; footnotes are numbered once for the whole page."""

    def __init__(self) -> None:
        self.title = self.opening = ""
        self.anchors = 0
        self.headings: list[tuple[str, str]] = []
        self.told: list[Told] = []
        self.sources: dict[str, Footnote] = {}
        # Raw HTML is text, and nothing is fetched: a picture in the prose would be.
        self.markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

    def prose(self, text: str) -> None:
        tokens = self.markdown.parse(text)
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            token.attrs.pop("style", None)
            inside = "" if following is None else _words(following)
            if token.type == "heading_open" and token.tag == "h1" and not self.title:
                self.title = inside
                token.hidden = True
            elif token.type == "heading_open":
                self.anchors += 1
                anchor = f"part-{self.anchors}"
                token.attrSet("id", anchor)
                if token.tag == "h2":
                    self.headings.append((anchor, inside))
            elif token.type == "paragraph_open" and not self.opening:
                self.opening = inside
        kept = _without_title(tokens)
        if kept:
            self.told.append(
                Told("prose", _shown_markup(self.markdown.renderer.render(kept, self.markdown.options, {})))
            )

    def answer(self, output: Mapping[str, Any], prefix: str) -> None:
        if output["output_type"] == "stream":
            self._text(str(output["text"]))
            return
        data = output.get("data", {})
        if MIME in data:
            numbers = {}
            for note in from_record(data[MIME]["sources"], {}, prefix):
                held = self.sources.setdefault(
                    note.text, Footnote(len(self.sources) + 1, note.text, note.url, note.licence)
                )
                numbers[note.number] = held.number
            self.told.append(Told("blocks", blocks=from_record(data[MIME]["blocks"], numbers, prefix)))
        elif (table := _table_of(str(data.get("text/html", "")), prefix)) is not None:
            self.told.append(Told("blocks", blocks=(table,)))
        elif "text/plain" in data:
            self._text(str(data["text/plain"]))

    def _text(self, text: str) -> None:
        said = _clean(text).strip("\n")
        if said:
            self.told.append(Told("text", text=said))


def _clean(text: str) -> str:
    """Text of several lines without the colours of a terminal."""
    return _COLOUR.sub("", text)


def _shown_markup(markup: str) -> str:
    """Our own markup without signs that cannot be seen or that turn the direction of text."""
    return "\n".join(map(printable, markup.splitlines()))


def _words(token: Token) -> str:
    return shown("".join(part.content if part.type != "softbreak" else " " for part in token.children or ()))


def _without_title(tokens: Sequence[Token]) -> list[Token]:
    """Tokens but those of the title, which stands at the head of the page."""
    kept: list[Token] = []
    inside = False
    for token in tokens:
        if token.type == "heading_open" and token.hidden:
            inside = True
        if not inside:
            kept.append(token)
        if token.type == "heading_close" and inside:
            inside = False
    return kept


class _TableReader(HTMLParser):
    """Cells of the first table; all else of the markup is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, bool]]] = []
        self.heads = 0
        self._cell: list[str] | None = None
        self._done = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if self._done:
            return
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self.rows:
            self.rows[-1].append((shown(" ".join("".join(self._cell).split())), tag == "th"))
            self._cell = None
        elif tag == "thead":
            self.heads = len(self.rows)
        elif tag == "table":
            self._done = True

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def _table_of(markup: str, prefix: str) -> Table | None:
    """A table in somebody's markup, its text only; None where there is none that can be read."""
    if "<table" not in markup:
        return None
    reader = _TableReader()
    reader.feed(markup)
    if reader.heads != 1 or len(reader.rows) < 2:
        return None
    header, *rows = reader.rows
    if not header or any(len(row) != len(header) for row in rows):
        return None
    # The first column of a table of pandas is its index; rows named by a number alone say nothing.
    drop = 1 if not header[0][0] and all(text.isdecimal() for (text, _), *_ in rows) else 0
    if len(header) <= drop:
        return None
    columns = tuple(Column(text or "Row", "", _numeric([row[n][0] for row in rows]))
                    for n, (text, _) in enumerate(header) if n >= drop)  # fmt: skip
    cells = tuple(tuple(Cell(text or ABSENT) for text, _ in row[drop:]) for row in rows)
    return Table(f"{prefix}-table", "Table", columns, cells, 1)


def _numeric(texts: Sequence[str]) -> bool:
    return all(re.fullmatch(r"-?[\d,]*\.?\d+(e[+-]?\d+)?|NaN", text) for text in texts)


__all__ = ["NotebookPage", "page_of", "render_index", "render_notebook"]
