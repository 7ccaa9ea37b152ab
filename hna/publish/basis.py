"""What the numbers of a need rest on: its evidence, how far that fits, limits, what is missing, and best practice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hna.publish import wording
from hna.publish.codes import in_words
from hna.publish.content import Block, Cell, Column, Item, Items, Paragraph, Table
from hna.publish.facts import NeedFacts
from hna.publish.figures import ABSENT, ids, text
from hna.publish.links import public
from hna.publish.tables import shown

Refs = Mapping[str, int]


def definition(facts: NeedFacts) -> Iterator[Block]:
    """Who counts as having the need, and among whom."""
    universe = facts.answer.rates.universe
    yield Items((
        Item(wording.sentence(universe.case_definition), "Who counts as having the need"),
        Item(wording.sentence(f"{universe.words}, {wording.measure(universe.period)}"), "Among whom"),
    ))  # fmt: skip


def evidence(facts: NeedFacts, refs: Refs) -> Table:
    """The studies: who was examined, when, where, and how far to trust them."""
    names = (
        "Source",
        "Fieldwork",
        "Where",
        "People examined",
        "Took part",
        "Frame",
        "Risk of bias",
        "Left out",
        "Read from",
    )
    rows = []
    for source in facts.prevalences:
        study = source.study
        fieldwork = " to ".join(dict.fromkeys(map(str, study.fieldwork))) if study.fieldwork else None
        part = None if study.response_rate is None else f"{100 * study.response_rate:.0f}%"
        size = None if study.sample_size is None else f"{study.sample_size:,}"
        number = f" [{refs[source.id]}]" if source.id in refs else ""
        frame = study.frame.replace("_", " ") if study.frame else None
        found = (f"{source.citation.short}{number}", fieldwork, study.geography, size, part, frame,
                 source.appraisal.overall, study.exclusions, source.read_from)  # fmt: skip
        rows.append(tuple(text(each) for each in found))
    return Table(
        f"{facts.model.need}-evidence", f"{shown(facts.model.title)}: the studies", tuple(Column(name) for name in names),
        tuple(rows), 1, f"{ABSENT} means that the source does not say.", ids(facts, refs),
    )  # fmt: skip


def fit(facts: NeedFacts, refs: Refs) -> Iterator[Block]:
    """How well each study fits an English authority today, by judgement."""
    judged = [(source, source.applicability) for source in facts.prevalences if source.applicability is not None]
    if not judged:
        return
    rows = []
    for source, applicability in judged:
        number = f" [{refs[source.id]}]" if source.id in refs else ""
        for respect in type(applicability).model_fields:
            fit = getattr(applicability, respect)
            rows.append((text(f"{source.citation.short}{number}"), text(respect), Cell(f"{fit.score} of 5", fit.score),
                         text(wording.sentence(fit.because))))  # fmt: skip
    columns = (Column("Source"), Column("Respect"), Column("Fit", "", True), Column("Why"))
    yield Table(
        f"{facts.model.need}-fit", f"{shown(facts.model.title)}: how well the studies fit an English authority today", columns,
        tuple(rows), 2, "By judgement: 5 fully, 1 hardly at all.", folded=True,
    )  # fmt: skip


def limits(facts: NeedFacts) -> Iterator[Block]:
    """What the numbers must not be used for."""
    if facts.model.limits:
        yield Paragraph(wording.sentence(facts.model.limits))
    if facts.answer.rates.found_in_places:
        yield Paragraph(
            "The rate of each place rests on what was found there as far as that goes, and is drawn to what was found in other "
            "places where it does not go far. Such rates lie closer together than the truth does, so that their extremes are no "
            "ranking.", (), "note"
        )  # fmt: skip
    elif not facts.model.factors:
        yield Paragraph(
            "The rates are applied by age and sex as published. They are not adjusted for deprivation, ethnic group or anything "
            "else in which this place may differ, so the estimates are not a measure of how the place performs and do not show "
            "hot spots.", (), "note"
        )  # fmt: skip


def missing(facts: NeedFacts) -> Iterator[Block]:
    """Core data that is not to hand, and what cannot be said without it."""
    records = facts.model.missing_core_data
    if not records:
        return
    names = ("What is missing", "Why", "Who could supply it", "What cannot be said without it")
    rows = tuple(tuple(text(part) for part in (each.item, each.why, each.owner, each.effect)) for each in records)
    yield Table(
        f"{facts.model.need}-missing", f"{shown(facts.model.title)}: missing core data", tuple(map(Column, names)), rows
    )


def practice(facts: NeedFacts) -> Iterator[Block]:
    """National best practice."""
    held = facts.model.best_practice
    if held:
        yield Items(tuple(
            Item(f"{shown(each.ref)} ({each.year}){', looked up ' + wording.day(each.checked_on) if each.checked_on else ''}. "
                 f"{wording.sentence(each.title or '')}".strip(), shown(each.body), public(each.url))
            for each in held
        ))  # fmt: skip


def flags(facts: NeedFacts) -> Iterator[Block]:
    """Every diagnostic code raised, in words."""
    codes = dict.fromkeys(facts.flags)
    codes |= dict.fromkeys(entry.code for ledger in facts.answer.ledgers for entry in ledger.differences if entry.code)
    if codes:
        yield Items(tuple(Item(in_words(code), code) for code in sorted(codes)))
