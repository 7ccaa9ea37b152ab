"""A changing rate beside the constant one: the same years, two whole runs, neither in the other's interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hna.publish import wording
from hna.publish.assumptions import noted
from hna.publish.content import Block, Column, Paragraph, Table
from hna.publish.facts import NeedFacts, facts_of, projected
from hna.publish.figures import cell, ids, text
from hna.publish.report import Report
from hna.publish.rounding import say
from hna.publish.tables import shown


def _run(facts: NeedFacts) -> tuple[NeedFacts, str] | None:
    """The run with a changing rate, and how it changes."""
    for run in facts.answer.scenarios:
        if run.rates.trend is not None:
            return facts_of(run), run.rates.trend.words
    return None


def changing(facts: NeedFacts, refs: Mapping[str, int]) -> Iterator[Block]:
    """People estimated by year at the constant rate and at the changing one, side by side."""
    found = _run(facts)
    if found is None:
        return
    other, change = found
    years = sorted({year for place in facts.areas for year, _ in projected(facts, place)})
    rows = tuple(
        (text(wording.name_of(place.area)), text(said), *(cell(one.value(place.area, year, "need")) for year in years))
        for place in facts.areas
        for one, said in ((facts, wording.CONTINUE), (other, f"if {change}"))
    )
    note = other.answer.rates.trend.note if other.answer.rates.trend else ""
    yield Paragraph(noted(note, facts, refs))
    yield Table(
        f"{facts.model.need}-trend", f"{shown(facts.model.title)}: people estimated by year, at a constant and at a changing rate",
        (Column("Area"), Column("Run"), *(Column(wording.middle(year), "people", True) for year in years)), rows, 1,
        "Two whole runs. All other figures rest on the constant rate, and neither interval holds the other.", ids(other, refs),
    )  # fmt: skip


def trend_lines(report: Report) -> Iterator[str]:
    """One line a need and area with a changing rate: the last year, at both rates."""
    for found in report.answers:
        facts = facts_of(found)
        run = _run(facts)
        if run is None:
            continue
        other, change = run
        for place in facts.areas:
            held = list(projected(facts, place))
            there = other.value(place.area, held[-1][0], "need") if held else None
            if there is None:
                continue
            year, now = held[-1]
            name, when, then = wording.name_of(place.area), wording.middle(year), say(there)
            yield (
                f"{shown(found.model.title)}, {name}, {when}: {say(now).number} {wording.CONTINUE}; if {change}, "
                f"{then.number} ({then.interval}), a scenario and no part of the interval."
            )
