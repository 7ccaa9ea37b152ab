"""What a site holds, typed: pages of parts, tables whose cells lead elsewhere, and notices that stand where data are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hna.assessment.framework import MissingRecord
from hna.publish import wording
from hna.publish.content import Block, Cell, Footnote, Items, Need, Panels, Paragraph, Table, outlines_in
from hna.publish.tables import shown

INDEX, MISSING, REVIEWS, METHOD, SOURCES = "index.html", "missing.html", "reviews.html", "method.html", "sources.html"
WORKBOOK, RECORD = "assessment.xlsx", "assessment.json"
NOT_SAID = "[x]"


@dataclass(frozen=True)
class LinkCell(Cell):
    """A cell that leads to another page of the site."""

    href: str = ""


@dataclass(frozen=True)
class ChanceCell(Cell):
    """A probability, printed and drawn."""


@dataclass(frozen=True)
class Rows(Table):
    """A table whose cells may lead elsewhere."""


@dataclass(frozen=True)
class Step:
    """An entry of a list that leads to another page: what is there, and what is said of it."""

    title: str
    href: str
    text: str = ""
    refs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Steps:
    """A list of entries that lead to other pages."""

    steps: tuple[Step, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Notice:
    """What must be seen where it stands: missing core data, an overdue review, something incomplete.

    Parameters
    ----------
    kind : ``missing`` or ``warning``.
    heading : what it is.
    lines : its text.
    """

    kind: str
    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """The lines of the report's summary for some needs, each leading to its page."""

    id: str
    caption: str
    needs: tuple[Need, ...]


SiteBlock = Block | Steps | Notice | Summary


@dataclass(frozen=True)
class SitePart:
    """A headed part of a page."""

    id: str
    heading: str
    blocks: tuple[SiteBlock, ...]


@dataclass(frozen=True)
class SitePage:
    """A page of the site.

    Parameters
    ----------
    file : its name.
    title : in a word or two, for the list of pages.
    heading, subtitle : at its head.
    parts : in order.
    """

    file: str
    title: str
    heading: str
    subtitle: str
    parts: tuple[SitePart, ...]

    @property
    def outlines(self) -> tuple[str, ...]:
        """What charts refer to, each once."""
        return outlines_in(block for part in self.parts for block in part.blocks)


@dataclass(frozen=True)
class Site:
    """A site, whole.

    Parameters
    ----------
    title : of the assessment.
    banner : what must stand on every page, or blank.
    pages : in order, the key findings first.
    menu : pages that every page leads to: title and file.
    sources : footnotes, numbered alike on every page.
    columns : headings of the summary.
    """

    title: str
    banner: str
    pages: tuple[SitePage, ...]
    menu: tuple[tuple[str, str], ...]
    sources: tuple[Footnote, ...]
    columns: tuple[str, ...]

    def cited(self, page: SitePage) -> list[Footnote]:
        """Sources on which a page rests."""
        known = {note.number: note for note in self.sources}
        if page.file == SOURCES:
            return []
        numbers = sorted({number for part in page.parts for number in refs_in(part.blocks)})
        return [known[number] for number in numbers if number in known]


def refs_in(blocks: Iterable[SiteBlock]) -> Iterator[int]:
    """Numbers of the footnotes on which blocks rest."""
    for block in blocks:
        if isinstance(block, Paragraph | Table):
            yield from block.refs
        elif isinstance(block, Items):
            for item in block.items:
                yield from item.refs
        elif isinstance(block, Steps):
            for step in block.steps:
                yield from step.refs
        elif isinstance(block, Panels):
            for panel in block.panels:
                for paragraph in panel.paragraphs:
                    yield from paragraph.refs
        elif isinstance(block, Summary):
            for need in block.needs:
                yield from need.refs


def need_file(need: str) -> str:
    """Page of a need."""
    return f"need-{need}.html"


def chapter_file(chapter: str) -> str:
    """Page of a chapter."""
    return f"chapter-{chapter}.html"


def say_text(words: object) -> Cell:
    """Words in a cell, or the mark for absence."""
    return Cell(shown(str(words)) if words not in (None, "") else NOT_SAID)


def missing_notice(record: MissingRecord) -> Notice:
    """Missing core data, where the data would stand."""
    lines = [f"Why: {wording.sentence(record.why)}", f"Without it: {wording.sentence(record.effect)}"]
    if record.owner:
        lines.append(f"Who could supply it: {wording.sentence(record.owner)}")
    if record.since:
        lines.append(f"Missing since {wording.day(record.since)}.")
    return Notice("missing", f"Missing core data: {shown(record.item)}", tuple(lines))
