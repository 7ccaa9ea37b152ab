"""The headline figures of a need in a place: estimated, known, gap, and how sure."""

from __future__ import annotations

from hna.publish import wording
from hna.publish.charts import Mark, small
from hna.publish.content import Figure, Picture, SummaryRow
from hna.publish.facts import AreaFacts, NeedFacts
from hna.publish.rounding import Value, say, say_chance


def headline(place: AreaFacts, need: Value) -> tuple[Figure, Figure, Figure]:
    """What is estimated, known and the gap, in figures that people can say."""
    estimated = _figure("Estimated", need, wording.middle(place.base_year))
    if place.comparisons:
        found = place.comparisons[-1]
        then = wording.middle(found.year)
        day = wording.listed(dict.fromkeys(wording.day(source.reference_date) for source in found.sources))
        known = _figure("Known", found.figures["known"], day)
        if "W723" in found.flags:
            return (
                estimated,
                known,
                Figure("Gap", "not supported", "", "numbers known are close to the estimate or above it"),
            )
        label = "Apparent gap" if found.apparent else "Gap"
        against = f"against {say(found.figures['need']).number} estimated for {then}"
        return estimated, known, _figure(label, found.figures["gap"], against)
    if place.refused:
        side = place.refused[-1]
        said = say(side.known)
        unit = wording.unit_of(side.source)
        number = said.number or said.interval
        counted = f"{number} {unit}" if number and unit != "people" else number or "hidden"
        known = Figure("Known", counted, "", "not comparable with the estimate")
        return estimated, known, Figure("Gap", "not stated")
    if place.hidden:
        return estimated, Figure("Known", "hidden", "", "to protect people"), Figure("Gap", "not stated")
    return estimated, Figure("Known", "not known", "", "no count to set beside it"), Figure("Gap", "not stated")


def summary_row(facts: NeedFacts, place: AreaFacts) -> SummaryRow | None:
    """The line of the summary for one place; None where nothing is estimated."""
    need = facts.value(place.area, place.base_year, "need")
    if need is None:
        return None
    shown, when = need, wording.middle(place.base_year)
    marks = []
    if place.comparisons:
        found = place.comparisons[-1]
        shown, when = found.figures["need"], wording.middle(found.year)
        known = found.figures["known"]
        day = wording.listed(dict.fromkeys(wording.day(source.reference_date) for source in found.sources))
        marks.append(Mark(f"Known, {day}", say(known).bare, "known", known))
    marks.insert(0, Mark(f"Estimated, {when}", say(shown).bare, "need", shown))
    name = wording.name_of(place.area)
    alt = f"{name}. {'. '.join(f'{mark.label}: {mark.said}' for mark in marks)}."
    picture = Picture(f"{name}: the numbers drawn", alt, small(marks, alt))
    return SummaryRow(name, *headline(place, need), picture, _sure(facts, place, need))


def _figure(label: str, value: Value, note: str) -> Figure:
    said = say(value)
    if not said.number:
        return Figure(label, said.interval, "", f"{note}; a range, because small counts are hidden")
    return Figure(label, said.number, said.interval, note)


def _sure(facts: NeedFacts, place: AreaFacts, need: Value) -> str:
    parts = []
    if need.estimate and need.lower is not None and need.upper is not None:
        parts.append(f"Could be {wording.either_way(need)}")
    for found in place.comparisons[-1:]:
        chance = found.figures["gap"].probability
        if chance is not None:
            parts.append(f"{say_chance(chance)} likely that more have the need than are known")
    if facts.prevalences:
        parts.append(wording.evidence(facts.prevalences[0]))
    return "; ".join(parts) + "."
