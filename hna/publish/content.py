"""What is read, typed: every sentence, number and picture of a report, before it becomes a page or a workbook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """A paragraph.

    Parameters
    ----------
    text : its sentences.
    refs : numbers of the footnotes it rests on.
    kind : blank, ``lead``, ``note`` or ``warning``.
    """

    text: str
    refs: tuple[int, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Item:
    """An entry of a list: a term if it has one, its text, a public address if there is one, and footnotes."""

    text: str
    term: str = ""
    url: str = ""
    refs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Column:
    """A column: its heading, its unit, and whether it holds numbers."""

    name: str
    unit: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell as it is read and as it is stored.

    Parameters
    ----------
    text : as printed.
    value : the number behind it; None where the text is all there is.
    limits : of its interval, as printed; blank where there is none.
    """

    text: str
    value: float | None = None
    limits: str = ""

    @property
    def words(self) -> str:
        """Text and limits together."""
        return f"{self.text} ({self.limits})" if self.limits else self.text


@dataclass(frozen=True)
class Table:
    """A table; the first `heads` columns name the rows.

    Parameters
    ----------
    id : unique within the report.
    title : caption.
    columns, rows : contents; no cell is blank.
    heads : how many columns head a row.
    note : printed under the caption.
    refs : footnotes.
    folded : whether the page keeps it closed until asked.
    filters : whether a reader may wish to sort and search it.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    heads: int = 1
    note: str = ""
    refs: tuple[int, ...] = ()
    folded: bool = False
    filters: bool = False


@dataclass(frozen=True)
class Picture:
    """A chart.

    Parameters
    ----------
    title : caption.
    alt : what it says in words.
    svg : how it is drawn.
    area : the one area that it is of, if it is.
    outlines : what the drawing refers to, to be printed once a page.
    """

    title: str
    alt: str
    svg: str
    area: str = ""
    outlines: str = ""

    @property
    def whole(self) -> str:
        """The drawing with what it refers to in it, to stand by itself."""
        head, close, rest = self.svg.partition(">")
        return f"{head}{close}{self.outlines}{rest}"


@dataclass(frozen=True)
class Pictures:
    """Charts shown together."""

    pictures: tuple[Picture, ...]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A headline figure: what it is, its number and interval, and anything that must be said with it."""

    label: str
    number: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """What is found in one place: its headline figures, and what is said of them."""

    title: str
    figures: tuple[Figure, ...]
    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True)
class Panels:
    """Places side by side."""

    panels: tuple[Panel, ...]


Block = Paragraph | Items | Table | Pictures | Panels


@dataclass(frozen=True)
class Part:
    """A headed part of a section."""

    id: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class SummaryRow:
    """One need in one area, as a commissioner reads it first."""

    area: str
    estimated: Figure
    known: Figure
    gap: Figure
    picture: Picture
    sure: str


@dataclass(frozen=True)
class Need:
    """A need: its lines in the summary, and its section.

    Parameters
    ----------
    id : of the model, used as the anchor.
    title : for people.
    sentence : what the report says of it, in one sentence.
    refs : footnotes of the sentence.
    rows : one an area.
    parts : the section.
    """

    id: str
    title: str
    sentence: str
    refs: tuple[int, ...]
    rows: tuple[SummaryRow, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Chapter:
    """Needs that are read together."""

    id: str
    title: str
    needs: tuple[Need, ...]


@dataclass(frozen=True)
class Footnote:
    """A source, numbered in order of first use."""

    number: int
    text: str
    url: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Sheet:
    """A sheet of the workbook: one table, its name on the tab, its source, and the notes that its headings carry."""

    name: str
    table: Table
    source: str
    scope: str = ""


@dataclass(frozen=True)
class Content:
    """A report, whole.

    Parameters
    ----------
    title : of the report.
    subtitle : needs, areas and years.
    banner : what must stand on every page and sheet, or blank.
    introduction : how to read the summary.
    chapters : needs in order.
    method : how the numbers were made.
    sources : footnotes.
    sheets : tables of the workbook.
    shorthand : marks used in tables, and what they mean.
    about : what the workbook's cover says of how the numbers were made.
    """

    title: str
    subtitle: str
    banner: str
    introduction: tuple[Block, ...]
    chapters: tuple[Chapter, ...]
    method: tuple[Part, ...]
    sources: tuple[Footnote, ...]
    sheets: tuple[Sheet, ...]
    shorthand: tuple[tuple[str, str], ...]
    about: tuple[str, ...]

    @property
    def outlines(self) -> tuple[str, ...]:
        """What charts refer to, each once."""
        parts = (part for need in self.needs for part in need.parts)
        return outlines_in(block for part in parts for block in part.blocks)

    @property
    def summary_columns(self) -> tuple[str, ...]:
        """Headings of the summary."""
        return "Area", "Estimated", "Known", "Gap", "The numbers drawn", "How sure"

    @property
    def needs(self) -> Iterator[Need]:
        """Every need, in order."""
        for chapter in self.chapters:
            yield from chapter.needs


def outlines_in(blocks: Iterable[object]) -> tuple[str, ...]:
    """What the charts among some blocks refer to, each once."""
    pictures = (one for block in blocks if isinstance(block, Pictures) for one in block.pictures)
    return tuple(dict.fromkeys(one.outlines for one in pictures if one.outlines))
