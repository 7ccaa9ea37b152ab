"""The headline sentence of each need in each area, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator

from hna.publish import wording
from hna.publish.facts import facts_of
from hna.publish.own_data import lead
from hna.publish.report import Report
from hna.publish.rounding import Value, say
from hna.publish.tables import shown


def headline_sentences(report: Report) -> Iterator[str]:
    """One line a need and area: what would be expected, what was recorded, and the gap."""
    for found in report.answers:
        facts = facts_of(found)
        for place in facts.areas:
            need = facts.value(place.area, place.base_year, "need")
            if need is None:
                continue
            said = [lead(found, place.area, place.base_year, need, report.level)]
            for compared in place.comparisons:
                said += [wording.recorded(compared, place.base_year), wording.gap(compared)]
            said += [wording.not_comparable(side, place.base_year) for side in place.refused]
            yield f"{shown(found.model.title)}. {' '.join(said)}"


def step_lines(report: Report) -> Iterator[str]:
    """What each step did to the estimate and its interval, for each need in its first area and year."""
    for found in report.answers:
        area, year = found.waterfall_for
        yield f"{shown(found.model.title)}, {wording.name_of(area)}, {wording.middle(year)}: what each step did"
        for step in found.waterfall:
            said = say(Value(step.estimate, step.lower, step.upper))
            yield f"  {said.number:>12}  {said.interval:<28} after {shown(step.what)}"
