"""What a notebook shows: the report's own sentences, tables and charts, so that a reader without Python can follow.

A notebook asks `hna` and shows the answer with the functions here. In Jupyter each is drawn where it stands; ``hna
notebooks`` sets the same into a page with the report's style.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from hna.answers.answer import Answer
from hna.assessment.record import Assessment
from hna.errors import Fault, HnaError
from hna.publish import site_tables as tables
from hna.publish import wording
from hna.publish.block_record import footnotes_of, from_record, to_record
from hna.publish.content import Block, Cell, Column, Footnote, Item, Items, Panels, Paragraph, Pictures, Table
from hna.publish.facts import facts_of
from hna.publish.figures import ABSENT, cell
from hna.publish.gather import gather
from hna.publish.links import address, licence, reference
from hna.publish.report import Report
from hna.publish.rounding import Value, plain, say_percent
from hna.publish.sections import parts_of
from hna.publish.site_content import Notice, SiteBlock
from hna.publish.site_page import render_blocks
from hna.publish.site_pages import beside, disagreements, emergence
from hna.publish.site_registers import contents_table, trail_table
from hna.publish.tables import shown

MIME = "application/vnd.hna.blocks+json"

Only = Literal["sentences", "tables", "charts"]
_ONLY: Mapping[Only, tuple[type, ...]] = {
    "sentences": (Panels, Paragraph, Items), "tables": (Table,), "charts": (Pictures,),
}  # fmt: skip
What = Literal[
    "contents", "counts", "disagreements", "emergence", "findings", "missing", "outcomes", "pairs", "people", "priorities",
    "reviews", "scores", "state", "trail", "triangulation", "voices",
]  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """Blocks of a report with the sources that they rest on, drawn by Jupyter and by ``hna notebooks``.

    Parameters
    ----------
    blocks : in reading order.
    sources : by the numbers that the blocks carry.
    """

    blocks: tuple[SiteBlock, ...]
    sources: tuple[Footnote, ...] = ()

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        record = {"blocks": to_record(self.blocks), "sources": to_record(self.sources)}
        plain_blocks = from_record(record["blocks"], {}, "here")
        return {MIME: record, "text/html": render_blocks(plain_blocks), "text/plain": "\n".join(self.lines())}

    def lines(self) -> Iterator[str]:
        """The same as plain lines."""
        for block in self.blocks:
            if isinstance(block, Paragraph):
                yield block.text
            elif isinstance(block, Table):
                yield block.title
                yield from ("  ".join(one.words for one in row) for row in block.rows)
            elif isinstance(block, Items):
                yield from (f"{item.term}: {item.text}" if item.term else item.text for item in block.items)
            elif isinstance(block, Panels):
                yield from (part.text for panel in block.panels for part in panel.paragraphs)
            elif isinstance(block, Pictures):
                yield from (picture.alt for picture in block.pictures)
            elif isinstance(block, Notice):
                yield from (block.heading, *block.lines)


def show_need(report: Report, need: str, *parts: str, only: Sequence[Only] | Only = ()) -> Shown:
    """Parts of a need's section of the report.

    Parameters
    ----------
    report : from `hna.run`.
    need : name of the model.
    parts : any of findings, when, severity, who, compared, beside, sure, assumptions, evidence, limits, missing, practice,
        flags, figures; those that have nothing to say are left out.
    only : sentences, tables or charts; empty for all.

    Raises
    ------
    HnaError
        If the report holds no such need, or a part has no such name.
    """
    found = next((one for one in report.answers if one.model.need == need), None)
    if found is None:
        held = ", ".join(one.model.need for one in report.answers)
        raise HnaError(Fault(f"the report holds no need {need!r}", f"It holds {held}"))
    refs = {source.id: n for n, source in enumerate(report.citations, start=1)}
    made = {part.id.removeprefix(f"{need}-"): part.blocks for part in parts_of(facts_of(found), refs, report.level)}
    wrong = [name for name in parts if name not in _PARTS]
    if wrong:
        raise HnaError(Fault("parts of a need are unknown", f"They are {', '.join(_PARTS)}", rows=wrong))
    kinds = tuple(kind for name in ([only] if isinstance(only, str) else only) for kind in _ONLY[name])
    blocks = tuple(block for name in parts for block in made.get(name, ()) if not kinds or isinstance(block, kinds))
    notes = [Footnote(refs[one.id], reference(one), address(one), licence(one)) for one in report.citations]
    used = set(footnotes_of(to_record(blocks)))
    none = (Paragraph("Nothing is recorded.", (), "note"),)
    return Shown(blocks or none, tuple(note for note in notes if note.number in used))


def show_gather(report: Report) -> Shown:
    """The GATHER checklist of a report, filled in: the annex of every in-depth assessment."""
    return Shown(gather([facts_of(found) for found in report.answers], report.citations, report.level).blocks)


_PARTS = (
    "findings", "when", "severity", "who", "compared", "beside", "sure", "assumptions", "evidence", "limits", "missing",
    "practice", "flags", "figures",
)  # fmt: skip


def show_assessment(held: Assessment, *parts: What, need: str = "", needs: Sequence[str] = ()) -> Shown:
    """Parts of a needs assessment: its priorities, its verdicts, its registers.

    Parameters
    ----------
    held : from `hna.assessment.assess.assess_area`.
    parts : any of priorities, trail, emergence, triangulation, outcomes, voices, disagreements, missing, reviews, contents,
        state, counts, people; and of one need pairs, findings, scores.
    need : which, for the parts that are of one.
    needs : which, for the outcomes; empty for all.
    """
    return Shown(tuple(block for part in parts for block in _assessed(held, part, need, list(needs or held.answers))))


def _assessed(held: Assessment, part: What, need: str, needs: Sequence[str]) -> Iterator[SiteBlock]:
    if part in ("pairs", "findings", "scores") and need not in held.answers:
        raise HnaError(Fault(f"{part!r} is of one need", f"Name it: {', '.join(held.answers)}", field="need"))
    if part == "emergence":
        yield Paragraph(emergence(held), (), "lead")
    elif part == "state":
        if held.warnings:
            yield Notice("warning", "Overdue", tuple(map(str, held.warnings)))
        if held.faults:
            yield Notice("warning", "Incomplete", tuple(map(str, held.faults)))
    elif part == "voices":
        said = tables.voices(held, [*held.answers, *held.placed.topics], "corporate")
        yield said or Paragraph("No corporate evidence has been given, and none has been made up.", (), "note")
    elif part == "disagreements":
        yield from disagreements(held)
    elif part == "counts":
        for chapter in held.chapters:
            table = tables.counts(held, chapter.spec.id, ())
            if table is not None:
                yield table
    else:
        made: dict[str, Callable[[], SiteBlock]] = {
            "contents": lambda: contents_table(held), "findings": lambda: tables.evidence(held, held.verdicts[need]),
            "missing": lambda: tables.register(held, held.missing), "outcomes": lambda: beside(held, needs),
            "pairs": lambda: tables.pairs(held.verdicts[need]), "people": lambda: tables.people(held),
            "priorities": lambda: tables.priorities(held), "reviews": lambda: tables.calendar(held),
            "scores": lambda: tables.scores(held, need), "trail": lambda: trail_table(held),
            "triangulation": lambda: tables.triangulation(held, list(held.verdicts)),
        }  # fmt: skip
        yield made[part]()


def show_table(
    found: pd.DataFrame,
    title: str,
    columns: Mapping[str, str],
    *,
    heads: int = 1,
    unit: str = "people",
    note: str = "",
    words: Mapping[str, str] | None = None,
) -> Shown:
    """A table of figures as a reader expects it: rounded to what the intervals support, each number with its interval.

    Parameters
    ----------
    found : figures, such as rows of gap.csv (`Answer.figures`) or ``Estimate.interval()``.
    title : what it shows.
    columns : by column of `found`, its heading. ``estimate`` is printed with ``lower`` and ``upper`` where they are there.
    heads : how many of the columns name the rows.
    unit : people, proportion or probability, where `found` has no column ``unit``.
    note : printed under the title.
    words : by text in a cell, what stands in its place.
    """
    swap = dict(words or {})
    numeric = ("estimate", "lower", "upper", "probability")
    heading = tuple(
        Column(name, "", column in numeric or pd.api.types.is_float_dtype(found[column]))
        for column, name in columns.items()
    )
    rows = tuple(
        tuple(_cell(row, column, unit, swap) for column in columns) for row in found.to_dict("records")
    )  # fmt: skip
    if not rows:
        return Shown((Paragraph(f"{title}: nothing.", (), "note"),))
    return Shown((Table(_slug(title), shown(title), heading, rows, heads, note),))


def show_across(
    found: pd.DataFrame,
    title: str,
    heads: Mapping[str, str],
    across: str,
    columns: Mapping[str, str],
    *,
    note: str = "",
    words: Mapping[str, str] | None = None,
) -> Shown:
    """A table with one row for each place, group or year, and a column for each quantity or need.

    Parameters
    ----------
    found : figures, such as rows of gap.csv.
    title : what it shows.
    heads : by column that names a row, its heading.
    across : column whose values become columns, such as ``quantity``.
    columns : by value, its heading; others are left out.
    note : printed under the title.
    words : by text in a head, what stands in its place.

    Raises
    ------
    HnaError
        If two figures would stand in one cell.
    """
    swap = dict(words or {})
    rows: dict[tuple[str, ...], dict[str, Cell]] = {}
    for row in found.to_dict("records"):
        key = tuple(_cell(row, name, "people", swap).text for name in heads)
        cells, name = rows.setdefault(key, {}), str(row[across])
        if name in cells:
            remedy = "Narrow the figures, or name what tells them apart among the heads"
            raise HnaError(Fault(f"two figures stand for {name}", remedy, rows=[", ".join(key)]))
        cells[name] = _cell(row, "estimate", "people", swap)
    heading = (*(Column(text) for text in heads.values()), *(Column(text, "", True) for text in columns.values()))
    body = tuple((*map(Cell, key), *(cells.get(name, Cell(ABSENT)) for name in columns)) for key, cells in rows.items())
    if not body:
        return Shown((Paragraph(f"{title}: nothing.", (), "note"),))
    return Shown((Table(_slug(title), shown(title), heading, body, len(heads), note),))


def _cell(row: Mapping[Any, Any], column: str, unit: str, swap: Mapping[str, str]) -> Cell:
    value = row[column]
    if column == "estimate":
        return cell(
            Value(
                _number(value), _number(row.get("lower")), _number(row.get("upper")), None, str(row.get("unit", unit))
            )
        )
    if column == "year":
        return Cell(wording.middle(int(value)))
    if isinstance(value, float):
        number = _number(value)
        if number is None:
            return Cell(ABSENT)
        share = column == "probability" or row.get("unit", unit) != "people"
        return Cell(say_percent(number) if share else plain(number, 1.0 if abs(number) >= 100 else 0.1), number)
    said = swap.get(str(value), str(value))
    return Cell(shown(said) if said else swap.get("", ABSENT))


def _number(value: object) -> float | None:
    number = math.nan if value is None else float(str(value))
    return None if math.isnan(number) else number


def _slug(title: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in title.lower()).split())[:60]


def show_lines(lines: Iterable[str | tuple[str, str]]) -> Shown:
    """A list; an entry of two texts is a term and what is said of it."""
    found = tuple(
        Item(shown(line)) if isinstance(line, str) else Item(wording.sentence(line[1]), shown(line[0]))
        for line in lines
    )
    return Shown((Items(found) if found else Paragraph("Nothing is recorded.", (), "note"),))


def show_together(*parts: Shown) -> Shown:
    """Several of these as one; footnotes of one report only."""
    notes = {note.number: note for part in parts for note in part.sources}
    blocks: tuple[SiteBlock | Block, ...] = tuple(block for part in parts for block in part.blocks)
    return Shown(blocks, tuple(notes[n] for n in sorted(notes)))


def figures_of(answers: Iterable[Answer], query: str) -> pd.DataFrame:
    """Rows of gap.csv of several answers, with the title of each need beside them."""
    held = [one.figures.query(query).assign(title=one.model.title) for one in answers]
    return pd.concat(held, ignore_index=True)


def labelled(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """Tables one below the other, each named in a column.

    Parameters
    ----------
    tables : by the name of each, such as a need.
    name : of the column.
    """
    held = pd.concat([table.assign(**{name: label}) for label, table in tables.items()], ignore_index=True)
    # A table without strata has all of them together, which is written as no text.
    texts = [column for column in held if not pd.api.types.is_numeric_dtype(held[column])]
    return held.fillna(dict.fromkeys(texts, ""))


__all__ = [
    "MIME",
    "Shown",
    "figures_of",
    "show_across",
    "show_assessment",
    "show_gather",
    "show_lines",
    "show_need",
    "show_table",
    "show_together",
]
