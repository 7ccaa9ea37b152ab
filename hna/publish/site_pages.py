"""The pages of a site: key findings first, then chapters, registers and method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hna.answers.answer import Answer
from hna.assessment.record import Assessment, ChapterState
from hna.measure.areas import Area
from hna.publish import site_tables as tables
from hna.publish import wording
from hna.publish.content import Block, Column, Content, Item, Items, Need, Paragraph, Table
from hna.publish.facts import facts_of
from hna.publish.links import public
from hna.publish.own_data import lead
from hna.publish.rounding import plain, say_chance
from hna.publish.site_content import (
    INDEX,
    METHOD,
    MISSING,
    REVIEWS,
    WORKBOOK,
    Notice,
    SiteBlock,
    SitePage,
    SitePart,
    Step,
    Steps,
    Summary,
    chapter_file,
    missing_notice,
    need_file,
    say_text,
)
from hna.publish.site_registers import method_blocks, method_page, missing_page, reviews_page
from hna.publish.tables import shown

Refs = Mapping[str, int]


def finding_words(found: Answer, area: Area) -> Mapping[str, str]:
    """What the estimate and the gap of a need say, in the report's own sentences."""
    facts = facts_of(found)
    here = next(one for one in facts.areas if one.area.code == area.code)
    need = facts.value(here.area, here.base_year, "need")
    level = float(found.figures["level"].iloc[0])
    said = "" if need is None else lead(found, here.area, here.base_year, need, level)
    if not here.comparisons:
        return {"estimate": said, "gap": said}
    compared = here.comparisons[-1]
    return {"estimate": said, "gap": f"{wording.recorded(compared)} {wording.gap(compared)}"}


def index_page(held: Assessment, needs: Mapping[str, Need]) -> SitePage:
    """Key findings and priorities, the outcomes in controlled wording, and where to read on."""
    area, scope = wording.name_of(held.area), held.framework.scope
    notices = tuple(_state_of(held))
    parts = [SitePart("state", "State of this assessment", notices)] if notices else []
    first = held.priorities.order[: held.priorities.top]
    findings = tuple(Step(needs[need].title, need_file(need), _finding(held, need), needs[need].refs) for need in first)
    parts += [
        SitePart("findings", "Key findings", (
            Paragraph(_opening(held), (), "lead"), Steps(findings, numbered=True), Paragraph(emergence(held)),
            Paragraph("Needs must not be added up: one person may have several, and some needs are kinds of another.", (), "note"),
        )),
        SitePart("order", "Priorities", (tables.priorities(held), Paragraph(_how_weighed(held), (), "note"))),
        SitePart("beside", "Outcomes beside other places", (beside(held, list(held.answers)),)),
        SitePart("together", "What the three approaches say", (tables.triangulation(held, list(held.verdicts)),)),
        SitePart("chapters", "Chapters", (Steps(tuple(_chapter_step(held, one) for one in held.chapters)),)),
        SitePart("more", "Registers, method and sources", (Steps((
            Step("Missing core data", MISSING, f"{len(held.missing)} records of what is not to hand, and what cannot be said without it."),
            Step("Review calendar", REVIEWS, "What, who, when, owner, and when each part is due to be looked at again."),
            Step("Method", METHOD, "How numbers, verdicts and priorities were made, with the audit trail."),
            Step("The same as one workbook", WORKBOOK, "Every table of this site, numbers unrounded."),
        )),)),
    ]  # fmt: skip
    owner = (
        f"Owner: {shown(held.programme.owner)}."
        if held.programme.owner
        else "No owner is recorded, and no review is planned."
    )
    made = f"{held.kind}, {wording.day(held.on.isoformat())}. {len(held.answers)} needs, framework: {held.framework.title}. {owner}"
    return SitePage(INDEX, "Key findings", f"Needs assessment: {scope} in {area}", made, tuple(parts))


def beside(held: Assessment, needs: Sequence[str], key: str = "outcomes") -> SiteBlock:
    """The outcomes table, or a line that says why there is none."""
    found = tables.outcomes(held, needs, key)
    if found.rows:
        return found
    area = wording.name_of(held.area)
    return Paragraph(
        f"Nothing on the shelf stands beside {area}: it has no region, nation or statistical neighbours there.",
        (),
        "note",
    )


def _opening(held: Assessment) -> str:
    robust = [need for need in held.priorities.order if held.priorities.standing[need] == "robust"]
    top = held.priorities.top
    if robust:
        named = wording.listed(shown(held.title(need)) for need in robust)
        often = say_chance(held.priorities.library.robust)
        return f"Robust priorities, which stand among the first {top} in {often} of draws or more: {named}."
    return (
        f"No need is a robust priority: none stands among the first {top} in at least {say_chance(held.priorities.library.robust)} of "
        "draws. Those that come nearest are listed, with the chance of each."
    )


def _finding(held: Assessment, need: str) -> str:
    said = next((item.words for item in held.verdicts[need].items if item.approach == "epidemiological"), "")
    chance = say_chance(held.priorities.chance(need))
    return f"{said} Chance of standing among the first {held.priorities.top}: {chance}."


def emergence(held: Assessment) -> str:
    """Which needs emerge from more than one source: Halton's statement of triangulation."""
    more = [name for name, found in held.verdicts.items() if found.emerges]
    contested = [name for name, found in held.verdicts.items() if "contested" in found.patterns]
    asked = any(found.asked for found in held.verdicts.values())
    text = (
        f"The most important needs emerge from more than one source: {wording.listed(shown(held.title(name)) for name in more)}."
        if more
        else "No need emerges from more than one source yet."
    )
    if not asked:
        text += " No corporate evidence has been given, so nothing is said of what professionals, users, carers or the public think."
    if contested:
        named = wording.listed(shown(held.title(name)) for name in contested)
        text += f" The approaches contradict each other on {named}: that is told, and never averaged."
    return text


def _how_weighed(held: Assessment) -> str:
    left = wording.listed(criterion.title.lower() for criterion in held.priorities.left_out)
    return (
        f"Left out, because nothing is known of them or no weight was given: {left}."
        if left
        else "Every criterion weighs."
    )


def _state_of(held: Assessment) -> Iterator[Notice]:
    if held.warnings:
        yield Notice("warning", "Overdue", tuple(str(fault) for fault in held.warnings))
    if held.faults:
        yield Notice("warning", "Incomplete", tuple(str(fault) for fault in held.faults))


def _chapter_step(held: Assessment, chapter: ChapterState) -> Step:
    lacks = sum(record.chapter == chapter.spec.id for record in held.missing)
    count = len(chapter.needs)
    parts = [f"{count} need{'s' if count != 1 else ''}"] if count else []
    parts += [f"{lacks} record{'s' if lacks != 1 else ''} of missing data"] if lacks else []
    text = wording.sentence(", ".join(parts)) if parts else ""
    return Step(f"{chapter.spec.number}. {chapter.spec.title}", chapter_file(chapter.spec.id), text)


def chapter_page(held: Assessment, chapter: ChapterState, needs: Mapping[str, Need], refs: Refs) -> SitePage:
    """One chapter: what it must hold, its needs, and what is described elsewhere."""
    spec = chapter.spec
    parts = [SitePart("holds", "What this chapter holds", tuple(_requirements(held, chapter, refs)))]
    if chapter.needs:
        summary = Summary("needs", spec.title, tuple(needs[need] for need in chapter.needs))
        said = _voiced(held, chapter, refs)
        blocks: tuple[SiteBlock, ...] = (summary, beside(held, chapter.needs, f"{spec.id}-outcomes"), *said)
        parts.append(SitePart("needs-here", "Needs", blocks))
        provided = tables.services(held, chapter.needs, f"{spec.id}-services")
        if provided is not None:
            parts.append(SitePart("services", "Current services", (provided,)))
        guidance = tuple(_guidance(held, chapter))
        blank = Paragraph("No national guidance is listed for these needs (W902).", (), "note")
        parts.append(SitePart("practice", "National best practice", (Items(guidance) if guidance else blank,)))
    elif spec.topics:
        spoken = _voiced(held, chapter, refs)
        if spoken:
            parts.append(SitePart("voices", "What people say", spoken))
    if chapter.links:
        titles = {one.spec.id: one.spec.title for one in held.chapters}
        steps = tuple(
            Step(held.title(need), need_file(need), f"Described in {titles[there]}. {wording.sentence(why)}")
            for need, there, why in chapter.links
        )
        text = "These needs belong here too. Each is counted once, and described in another chapter."
        parts.append(SitePart("elsewhere", "Described elsewhere", (Paragraph(text), Steps(steps))))
    parts += _classes(held, chapter)
    records = [record for record in held.missing if record.chapter == spec.id and record.need in chapter.needs]
    if records:
        parts.append(SitePart("missing", "Missing core data", (tables.register(held, records, f"{spec.id}-missing"),)))
    owner = f"Owner: {shown(chapter.owner)}." if chapter.owner else "No owner is recorded."
    due = f"Review due {wording.day(chapter.review_due)}." if chapter.review_due else "No review is planned."
    return SitePage(
        chapter_file(spec.id),
        f"{spec.number}. {spec.title}",
        f"Chapter {spec.number}. {spec.title}",
        f"{owner} {due}",
        tuple(parts),
    )


def _requirements(held: Assessment, chapter: ChapterState, refs: Refs) -> Iterator[SiteBlock]:
    given = {one.item: one.given_by for one in chapter.spec.requires}
    for met in chapter.met:
        if met.missing is not None:
            yield missing_notice(met.missing)
            continue
        if not met.there:
            yield Notice("warning", f"Empty: {met.item}", ("Nothing is here, and no record says why (R901).",))
            continue
        by = given.get(met.item)
        if met.where:
            yield Paragraph(f"{met.item}: {wording.sentence(met.where)}")
        elif by == "findings":
            yield Steps((Step("Key findings and priorities", INDEX, "They stand on the first page."),))
            yield from method_blocks(held)
        elif by == "population":
            yield tables.people(held)
        elif by == "corporate":
            block = tables.voices(held, [*held.answers, *held.placed.topics], "corporate", _voice_refs(held, refs))
            if block is not None:
                yield block
            yield from disagreements(held)
            yield tables.triangulation(held, list(held.verdicts))
        elif by == "counts":
            cited = tuple(refs[one.source.id] for one in chapter.counts if one.source.id in refs)
            table = tables.counts(held, chapter.spec.id, cited)
            if table is not None:
                yield table
        elif by == "needs":
            said = wording.listed(shown(held.title(need)) for need in chapter.needs)
            yield Paragraph(f"{met.item}: {said}.")
    shown_already = any(one.given_by == "counts" for one in chapter.spec.requires)
    if chapter.counts and not shown_already:
        cited = tuple(refs[one.source.id] for one in chapter.counts if one.source.id in refs)
        table = tables.counts(held, chapter.spec.id, cited)
        if table is not None:
            yield table


def _voice_refs(held: Assessment, refs: Refs) -> tuple[int, ...]:
    return tuple(dict.fromkeys(refs[f"voice:{voice.id}"] for voice in held.voices if f"voice:{voice.id}" in refs))


def _voiced(held: Assessment, chapter: ChapterState, refs: Refs) -> tuple[SiteBlock, ...]:
    names = [*chapter.needs, *(topic.id for topic in chapter.spec.topics)]
    table = tables.voices(held, names, f"{chapter.spec.id}-voices", _voice_refs(held, refs))
    return () if table is None else (table,)


def disagreements(held: Assessment) -> Iterator[Block]:
    """Findings on which two coders disagree, logged."""
    apart = [voice for voice in held.voices if voice.disputed]
    both = [voice for voice in held.voices if voice.second_coder]
    if both:
        agreed = len(both) - len(apart)
        count = f"{len(both)} finding{'s' if len(both) > 1 else ''}"
        said = f"Two coders read {count} and agreed on {agreed}. The first coder's reading stands."
        yield Paragraph(said, (), "note")
    if apart:
        yield Items(tuple(
            Item(f"{voice.coder}: need {voice.direction}; {voice.second_coder}: need {voice.second_direction}.", voice.id)
            for voice in apart
        ))  # fmt: skip


def _guidance(held: Assessment, chapter: ChapterState) -> Iterator[Item]:
    seen = set()
    for need in chapter.needs:
        for each in held.answers[need].model.best_practice:
            if (each.body, each.ref) in seen:
                continue
            seen.add((each.body, each.ref))
            looked = f", looked up {wording.day(each.checked_on)}" if each.checked_on else ""
            said = f"{shown(each.ref)} ({each.year}){looked}. {wording.sentence(each.title or '')}".strip()
            yield Item(said, shown(each.body), public(each.url))


def _classes(held: Assessment, chapter: ChapterState) -> list[SitePart]:
    """Classes of a taxonomy named after the chapter: each need listed in every class it is in, and counted once."""
    parts = []
    for taxonomy in held.framework.taxonomies:
        if taxonomy.id != chapter.spec.id:
            continue
        columns = (Column("Class"), Column("Needs in it"))
        rows = []
        for one in taxonomy.classes:
            inside = [
                held.title(each.need) for each in taxonomy.needs if one.id in each.classes and each.need in held.answers
            ]
            rows.append(
                (say_text(one.title), say_text(wording.listed(map(shown, inside)) or "no need that is estimated"))
            )
        note = "A need may stand in several classes. It is counted once, and described in one chapter."
        table = Table(f"{taxonomy.id}-classes", taxonomy.title, columns, tuple(rows), 1, note)
        parts.append(SitePart("classes", f"Classes of {taxonomy.title.lower()}", (table,)))
    return parts


def central_words(held: Assessment, need: str) -> str:
    """The weights under which a need is first."""
    found = held.priorities.found
    row = found.needs.index(need)
    if not found.first[row] > 0:
        return "It is first under no weighting that was drawn."
    said = wording.listed(
        f"{criterion.title.lower()} {plain(100 * weight)}%"
        for criterion, weight in zip(held.priorities.criteria, found.central[row].tolist(), strict=True)
    )
    return f"It is first in {say_chance(float(found.first[row]))} of draws; on average the weights are then: {said}."


def pages(held: Assessment, content: Content, needs: Mapping[str, Need], refs: Refs) -> Sequence[SitePage]:
    """Every page but those of needs and sources, in order."""
    return [
        index_page(held, needs),
        *(chapter_page(held, chapter, needs, refs) for chapter in held.chapters),
        missing_page(held),
        reviews_page(held),
        method_page(held, content),
    ]
