"""The registers of a site: missing data, reviews, and the method with its audit trail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hna.assessment.completeness import Held
from hna.assessment.record import Assessment
from hna.publish import site_tables as tables
from hna.publish import wording
from hna.publish.content import Block, Cell, Column, Content, Item, Items, Paragraph, Table
from hna.publish.site_content import METHOD, MISSING, REVIEWS, Notice, Rows, SiteBlock, SitePage, SitePart, say_text


def method_blocks(held: Assessment) -> Iterator[Block]:
    """How to read the assessment: the three approaches, and Bradshaw's kinds of need on its figures."""
    kinds = held.vocabulary.need_types
    yield Paragraph(
        "The epidemiological approach estimates how many people have a need and how many services know. The comparative approach sets the "
        "place beside others. The corporate approach gathers what professionals, users, carers and the public say. The most important "
        "needs emerge from more than one source."
    )
    yield Items(tuple(
        Item(f"{wording.sentence(kinds[name])} {text}", name.capitalize())  # type: ignore[index]
        for name, text in (
            ("normative", "Every estimate is of normative need."), ("expressed", "Every count of people known is of expressed need."),
            ("comparative", "Every difference from other places is of comparative need."),
            ("felt", "It enters only by corporate evidence."),
        )
    ))  # fmt: skip


def missing_page(held: Assessment) -> SitePage:
    """The register of missing core data."""
    blocks: tuple[SiteBlock, ...] = (tables.register(held, held.missing),)
    if not held.missing:
        blocks = (Paragraph("Nothing is recorded as missing."),)
    text = f"{len(held.missing)} records: what is not to hand, why, who could supply it, and what cannot be said without it."
    return SitePage(MISSING, "Missing data", "Missing core data", text, (SitePart("register", "Register", blocks),))


def reviews_page(held: Assessment) -> SitePage:
    """The review calendar."""
    past = tuple(Notice("warning", "Overdue", (str(fault),)) for fault in held.warnings)
    said = (
        wording.sentence(held.programme.what)
        if held.programme.what
        else "Nobody has recorded what is assessed, by whom, or when."
    )
    part = SitePart("calendar", "Calendar", (*past, tables.calendar(held)))
    kinds = SitePart("kinds", "Kind of assessment", (contents_table(held),))
    return SitePage(REVIEWS, "Reviews", "Review calendar", said, (part, kinds))


def contents_table(held: Assessment) -> Table:
    """How deep each need's assessment is, and what each kind of assessment would ask for further."""
    columns = (
        Column("Need"),
        Column("Claimed"),
        Column("Reached"),
        *(Column(f"{kind.title} lacks") for kind in held.kinds.kinds),
    )
    rows = tuple(
        (
            tables.need_cell(held, need), say_text(held.kinds.kind(one.claimed).title),
            say_text(held.kinds.kind(one.reached).title if one.reached else "none"),
            *(say_text(wording.sentence("; ".join(_wanting(held, one, kind.contents)) or "nothing")) for kind in held.kinds.kinds),
        )
        for need, one in held.held.items()
    )  # fmt: skip
    note = wording.sentence(held.kinds.because)
    return Rows("contents", "What each need's assessment holds and lacks", columns, rows, 1, note)


def _wanting(held: Assessment, one: Held, contents: Sequence[str]) -> Iterator[str]:
    """What is neither there nor was looked into, in words."""
    for name in contents:
        if not one.has[name] and name not in one.considered:
            words = held.kinds.contents[name]
            yield f"{words[0].lower()}{words[1:]}"


def trail_table(held: Assessment) -> Table:
    """The audit trail of the priorities."""
    rows = tuple(tuple(map(say_text, (one.when, one.who, one.what, one.why))) for one in held.priorities.trail)
    return Table("trail", "Audit trail", tuple(map(Column, ("When", "Who", "What", "Why"))), rows, 1)


def method_page(held: Assessment, content: Content) -> SitePage:
    """How numbers, verdicts and priorities were made, and the audit trail."""
    found = held.priorities
    columns = (
        Column("Criterion"),
        Column("Weight", "", True),
        Column("Asked"),
        *(Column(f"Score {n}") for n in range(5)),
        Column("Why these"),
    )
    weights = found.weights.weights if found.weights else {}
    rows = tuple(
        (
            say_text(one.title), Cell(f"{weights[one.id]:g}", weights[one.id]) if one.id in weights else say_text("any"),
            say_text(one.question), *(say_text(anchor) for anchor in one.anchors), say_text(one.because),
        )
        for one in found.criteria
    )  # fmt: skip
    levels = Items(tuple(Item(wording.sentence(text), name) for name, text in held.triangulation.levels.items()))
    codes = Items(
        tuple(Item(wording.sentence(text), name.capitalize()) for name, text in held.triangulation.convergence.items())
    )
    framework = [Paragraph(f"{held.framework.title}. {wording.sentence(held.framework.notes or '')}".strip())]
    parts = (
        SitePart("framework", "Framework", (*framework, *method_blocks(held))),
        *(SitePart(part.id, part.heading, part.blocks) for part in content.method),
        SitePart("triangulation-method", "How the approaches are brought together", (
            Paragraph("For each need every two approaches are coded:"), codes,
            Paragraph(
                "The level of a need is the number of approaches that say it is there, each resting on a source of its own. Findings of "
                "one dataset count once, under the approach first recorded. The level stands beside the numbers and is never multiplied "
                "into them."
            ), levels,
        )),
        SitePart("priorities-method", "How priorities are made", (
            Paragraph(
                "Each need is scored from 0 to 4 on each criterion by a written anchor; the engine scores from the same draws as the "
                "estimates. Weights are drawn about those agreed, and each draw puts the needs in order. What is not known may take any "
                "score. A priority is robust if it survives."
            ),
            Table("criteria", "Criteria and anchors", columns, rows, 1, wording.sentence(found.library.because)),
            trail_table(held),
        )),
    )  # fmt: skip
    return SitePage(METHOD, "Method", "Method", "How numbers, verdicts and priorities were made.", parts)
