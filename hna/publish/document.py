"""A report as one run of headings, text, tables and pictures: what Word and PDF documents are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from hna.publish.content import (
    Block,
    Cell,
    Chapter,
    Column,
    Content,
    Figure,
    Item,
    Items,
    Need,
    Panels,
    Paragraph,
    Picture,
    Pictures,
    Table,
)
from hna.publish.tables import shown

LISTED = "-figures"
"""Ending of the part that lists every figure of a need: pages of it are for the workbook and the open tables."""
_MANY, _WORD, _PADDING = 6, 18, 3
_MORE = 0.7
"""Power of a column's longest text by which what is left of the line is shared out."""
_LINE = {False: 88, True: 120}
"""Letters in a line of A4, in the type of most tables and in small type."""
_ELSEWHERE = "Every figure of every need, with every subgroup and year, stands in report.xlsx and in gap.csv."


@dataclass(frozen=True)
class Heading:
    """A heading: its level, from 1, and its text."""

    level: int
    text: str


Element = Heading | Paragraph | Items | Table | Picture


def flow(content: Content) -> Iterator[Element]:
    """Everything that is read of a report, in order; the title stands for itself.

    Parameters
    ----------
    content : from which the page and the workbook are made as well.
    """
    yield Paragraph(content.subtitle, (), "lead")
    yield Heading(1, "Summary")
    yield from _blocks(content.introduction, 2)
    yield Paragraph(_ELSEWHERE, (), "note")
    for chapter in content.chapters:
        yield _summary(chapter, content.summary_columns)
    for chapter in content.chapters:
        yield Heading(1, chapter.title)
        for need in chapter.needs:
            yield from _need(need)
    yield Heading(1, "Method")
    for part in content.method:
        yield Heading(2, part.heading)
        yield from _blocks(part.blocks, 3)
    yield Heading(1, "Sources")


def _summary(chapter: Chapter, names: tuple[str, ...]) -> Table:
    """The lines of a chapter's needs; what the page draws beside them stands in each need's section."""
    rows = tuple(
        (Cell(need.title), Cell(row.area), *(Cell(_said(each)) for each in (row.estimated, row.known, row.gap)), Cell(row.sure))
        for need in chapter.needs
        for row in need.rows
    )  # fmt: skip
    columns = tuple(Column(name) for name in ("Need", *names[:4], names[-1]))
    return Table(f"{chapter.id}-summary", f"Summary: {chapter.title}", columns, rows, 2)


def _said(figure: Figure) -> str:
    number = f"{figure.number} ({figure.interval})" if figure.interval else figure.number
    return ", ".join(part for part in (number, figure.note) if part)


def _need(need: Need) -> Iterator[Element]:
    yield Heading(2, need.title)
    yield Paragraph(need.sentence, need.refs, "lead")
    for part in need.parts:
        if not part.id.endswith(LISTED):
            yield Heading(3, part.heading)
            yield from _blocks(part.blocks, 4)


def _blocks(blocks: Iterable[Block], level: int) -> Iterator[Element]:
    for block in blocks:
        if isinstance(block, Panels):
            for panel in block.panels:
                yield Heading(level, panel.title)
                yield Items(tuple(Item(_said(each), each.label) for each in panel.figures))
                yield from panel.paragraphs
        elif isinstance(block, Pictures):
            yield from block.pictures
            if block.note:
                yield Paragraph(block.note, (), "note")
        elif isinstance(block, Table):
            if block.rows:
                yield block
        elif isinstance(block, Paragraph | Items):
            yield block
        else:
            assert_never(block)


def headed(column: Column) -> str:
    """A heading with its unit."""
    return shown(f"{column.name} ({column.unit})" if column.unit else column.name)


def small(found: Table) -> bool:
    """Whether a table has so many columns that it is set in small type."""
    return len(found.columns) > _MANY


def widths(found: Table) -> list[float]:
    """Widths of a table's columns, as shares: each has room for its longest word, and what is left goes to longer text."""
    least, wish = [], []
    for n, column in enumerate(found.columns):
        texts = [headed(column), *(row[n].words for row in found.rows)]
        least.append(min(max(len(part) for text in texts for part in text.split() or [""]), _WORD) + _PADDING)
        wish.append(max(len(text) for text in texts) ** _MORE)
    left = max(_LINE[small(found)] - sum(least), 0)
    return [own + left * more / sum(wish) for own, more in zip(least, wish, strict=True)]
