"""The page of one need: what the approaches say, where it stands, then the report's own section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hna.assessment.record import Assessment
from hna.assessment.triangulate import Verdict
from hna.publish import site_tables as tables
from hna.publish import wording
from hna.publish.content import Cell, Column, Need, Paragraph, Table
from hna.publish.rounding import plain, say_chance
from hna.publish.site_content import (
    Notice,
    SiteBlock,
    SitePage,
    SitePart,
    Step,
    Steps,
    Summary,
    chapter_file,
    need_file,
)
from hna.publish.site_pages import central_words
from hna.publish.tables import shown

_PATTERNS = {
    "hidden need": "Numbers say that the need is there and greater than elsewhere, and nobody who was asked speaks of it: a hidden need.",
    "voiced but unmeasured": "People speak strongly of it, and nothing on the shelf measures it: voiced but unmeasured.",
    "contested": "The findings contradict each other. They are set out below and are not averaged.",
}


def need_page(held: Assessment, need: Need, refs: Mapping[str, int]) -> SitePage:
    """One need."""
    verdict = held.verdicts[need.id]
    summary = Summary("numbers", "Estimated, known and the gap", (need,))
    kinds = Paragraph("What is estimated is normative need, and what is known is expressed need.", (), "note")
    parts = [
        SitePart("here", "In short", (*_state(held, need.id), summary, kinds)),
        SitePart("together", "What the three approaches say", tuple(_together(held, verdict, refs))),
        SitePart("place", "Where it stands among the priorities", tuple(_place(held, need.id))),
    ]
    outcomes = tables.outcomes(held, [need.id], f"{need.id}-outcomes")
    if outcomes.rows:
        parts.append(SitePart("beside", "Beside other places", (outcomes,)))
    provided = tables.services(held, [need.id], f"{need.id}-services")
    if provided is not None:
        parts.append(SitePart("services", "Current services", (provided,)))
    parts += [SitePart(part.id, part.heading, part.blocks) for part in need.parts]
    if not held.answers[need.id].model.best_practice:
        said = ("Nothing from NICE or another national body is listed in the model file (W902).",)
        parts.append(SitePart("practice", "National best practice", (Notice("missing", "No national guidance", said),)))
    parts.append(SitePart("where", "Chapter", (Steps(tuple(_chapters(held, need.id))),)))
    return SitePage(need_file(need.id), need.title, need.title, need.sentence, tuple(parts))


def _state(held: Assessment, need: str) -> Iterator[SiteBlock]:
    one = held.held[need]
    kind = held.kinds.kind(one.claimed).title.lower()
    reached = held.kinds.kind(one.reached).title.lower() if one.reached else "none"
    yield Paragraph(
        f"Kind of assessment claimed: {kind}. Deepest kind whose contents are all here: {reached}.", (), "note"
    )
    if one.lacking:
        lines = tuple(wording.sentence(held.kinds.contents[name]) for name in one.lacking)
        yield Notice("missing", f"This {kind} lacks", lines)
    classes = held.placed.classes(need)
    if classes:
        said = wording.listed(f"{taxonomy.lower()}: {name.lower()}" for taxonomy, name in classes)
        yield Paragraph(f"Classes: {said}. Counted once.", (), "note")


def _together(held: Assessment, found: Verdict, refs: Mapping[str, int]) -> Iterator[SiteBlock]:
    named = wording.listed(found.approaches) or "no approach"
    level = held.triangulation.levels[found.level]
    yield Paragraph(f"{found.level}: {level}. The need is borne out by: {named}.", (), "lead")
    for pattern in found.patterns:
        yield Notice("warning", pattern.capitalize(), (_PATTERNS[pattern],))
    if not found.asked:
        yield Paragraph(
            "No corporate evidence was gathered, so that nobody speaks of the need says nothing.", (), "note"
        )
    yield tables.pairs(found)
    yield tables.evidence(held, found)
    cited = tuple(refs[f"voice:{item.id}"] for item in found.items if f"voice:{item.id}" in refs)
    voices = tables.voices(held, [found.need], f"{found.need}-voices", cited)
    if voices is not None:
        yield voices


def _place(held: Assessment, need: str) -> Iterator[SiteBlock]:
    found = held.priorities
    standing = wording.sentence(tables.standing_words(held, need))
    yield Paragraph(
        f"Chance of standing among the first {found.top}: {say_chance(found.chance(need))}. {standing}", (), "lead"
    )
    yield Paragraph(central_words(held, need))
    row = found.found.needs.index(need)
    ranks = found.found.ranks[row].tolist()
    even = found.even.ranks[row].tolist()
    shown_ranks = [n for n, pair in enumerate(zip(ranks, even, strict=True)) if max(pair) >= 0.01]
    columns = (
        Column("Rank"), Column("Chance under these weights", "per cent", True), Column("Under every weighting alike", "per cent", True),
    )  # fmt: skip
    rows = tuple(
        (Cell(plain(n + 1), float(n + 1)), tables.chance_cell(ranks[n]), Cell(say_chance(even[n]), even[n]))
        for n in shown_ranks
    )
    note = "Ranks taken in fewer than 1% of draws are left out."
    yield Table(f"{need}-ranks", "How often it takes each rank", columns, rows, 1, note, (), True)
    yield tables.scores(held, need)


def _chapters(held: Assessment, need: str) -> Iterator[Step]:
    for chapter in held.chapters:
        title = f"{chapter.spec.number}. {shown(chapter.spec.title)}"
        if need in chapter.needs:
            yield Step(title, chapter_file(chapter.spec.id), "Described and counted here.")
        for other, _, why in chapter.links:
            if other == need:
                yield Step(title, chapter_file(chapter.spec.id), f"Belongs here too. {wording.sentence(why)}")
