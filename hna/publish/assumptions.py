"""What was assumed and why, and what each step did to the interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from hna.answers.waterfall import WaterfallStep
from hna.evidence.source import PrevalenceSource
from hna.model.spec import FACTORS, KnownUse
from hna.publish import wording
from hna.publish.content import Block, Cell, Column, Item, Items, Paragraph, Table
from hna.publish.facts import NeedFacts
from hna.publish.rounding import Value, plain, say, say_percent
from hna.publish.tables import shown

_Z = 1.959963984540054
_SAID_APART = 6
"""Places of which each is told by itself; of more, the summary tells the same."""
_NAMED = re.compile(r"[\w.]+(?:-[\w.]+)+")
_FACTORS = {
    "resident": "live in the area",
    "active": "have the need on one day of the period",
    "ages": "are of the need's ages",
    "distinct": "are counted once",
    "in_need": "meet the case definition",
    "extraction": "were reached by the collection (the count is divided by this)",
}
_COMBINED = {
    "mixture": "The sources are alternatives of equal weight.",
    "random-effects": "The sources are pooled, and the interval also holds how much the studies differ.",
    "hierarchical-by-age": "The sources are pooled to one curve by age, and the interval also holds how much they differ.",
    "envelope": "Each source is run alone and none is averaged. The figures rest on the first named.",
}
_CORRECTED = {
    "screening": "Those who test positive, and those who have the need",
    "crosswalk": "From one case definition to another",
    "communal": "People of communal establishments added to a rate of households",
}
_TERMS = {
    "study": ("Error shared by the whole study", "who did not take part, the instrument and the frame"),
    "transport": ("Difference of this place from where the study was done", "one for each area, the same in all years"),
    "staleness": ("Age of the evidence", "for each year since fieldwork"),
}


def steps(facts: NeedFacts, level: float) -> Iterator[Block]:
    """What each step did to the interval, how wide it is, and how far error in the prevalence moves the gap."""
    area, year = facts.answer.waterfall_for
    name = wording.name_of(area)
    held = facts.answer.waterfall
    found = [(place.area, facts.value(place.area, place.base_year, "need")) for place in facts.areas]
    needs = [(where, need) for where, need in found if need is not None]
    if len(needs) > _SAID_APART:
        yield Paragraph(f"How far the {say_percent(level)} interval of each place reaches is told in the summary.")
    else:
        for where, need in needs:
            yield Paragraph(f"{wording.name_of(where)}: {_lower(wording.sureness(need, level))}")
    made = made_of(held)
    if made:
        yield Paragraph(f"What the interval is made of ({name}, {wording.middle(year)}): {made}.")
    rows = []
    before: WaterfallStep | None = None
    for step in held:
        said = say(Value(step.estimate, step.lower, step.upper))
        width = step.upper - step.lower
        more = "start" if before is None else _wider(width - (before.upper - before.lower), width)
        share = Cell(f"{100 * step.share:.0f}%", step.share)
        rows.append((
            Cell(wording.sentence(step.what)), Cell(said.number, None), Cell(said.interval, None), Cell(more), share
        ))  # fmt: skip
        before = step
    columns = (
        Column("After allowing for"),
        Column("Estimate", "people", True),
        Column(f"{100 * level:g}% interval", "people", True),
        Column("Change in width", "people", True),
        Column("Share of the variance", "per cent", True),
    )
    title = f"{shown(facts.model.title)}: what each step did to the interval ({name}, {wording.middle(year)})"
    note = "Steps are added in this order. The shares do not depend on it: each is what would go if that error alone were not there."
    yield Table(f"{facts.model.need}-steps", title, columns, tuple(rows), 1, note)
    moved = [
        (Cell(wording.name_of(place.area)), Cell(f"{plain(10 * found.leverage)}%", found.leverage))
        for place in facts.areas for found in place.comparisons if found.leverage
    ]  # fmt: skip
    if moved:
        yield Table(
            f"{facts.model.need}-leverage", f"{shown(facts.model.title)}: if the prevalence were 10% out, the gap would change by",
            (Column("Area"), Column("Change in the gap", "per cent", True)), tuple(moved), 1,
            "The nearer the numbers known are to the estimate, the more an error in the prevalence moves the gap.",
        )  # fmt: skip


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _wider(extra: float, width: float) -> str:
    step = max(1.0, 10.0 ** math.floor(math.log10(max(width, 1.0) / 10)))
    if abs(extra) < step / 2:
        return "no change"
    return f"{plain(abs(extra), step)} {'narrower' if extra < 0 else 'wider'}"


def made_of(held: Sequence[WaterfallStep]) -> str:
    """The sources of an interval's variance in words, largest first, those of one per cent and more."""
    largest = sorted((step for step in held if step.share >= 0.01), key=lambda step: -step.share)
    return "; ".join(f"{100 * step.share:.0f}% {shown(step.what).partition(':')[0]}" for step in largest)


def assumptions(facts: NeedFacts, refs: Mapping[str, int]) -> Iterator[Block]:
    """Every assumption with its reason, judgement named as such."""
    said_of: dict[str, list[str]] = {}
    for part in facts.answer.rates.parts:
        for said in _errors(facts, {name: getattr(part, name) for name in _TERMS}, part.reasons):
            said_of.setdefault(said, []).append(_cited(part.source, refs))
    items = [Item(said, f"Errors beyond sampling, {'; '.join(sources)}") for said, sources in said_of.items()]
    corrected = [(part, name, said) for part in facts.answer.rates.parts for name, said in part.corrections.said]
    for part, name, said in corrected:
        numbers = "".join(f" [{refs[one.id]}]" for one in part.cited if one.id in refs)
        items.append(Item(noted(said, facts, refs), f"{_CORRECTED[name]}, {part.source.citation.short}{numbers}"))
    judged = facts.model.prevalence.judged
    if judged:
        low, high = judged.relative
        items.append(Item(
            f"The source prints no interval. By judgement the true value lies between {say_percent(low)} and {say_percent(high)} "
            f"of it. {wording.sentence(judged.because)}", "Range given by judgement"
        ))  # fmt: skip
    combined = _COMBINED.get(facts.model.prevalence.combine)
    if combined and len(facts.model.prevalence.sources) > 1:
        items.append(Item(combined, "Several sources"))
    if facts.model.prevalence.ages == "graduate":
        items.append(Item("Rates are smoothed by single year of age; every band keeps its total.", "Ages"))
    else:
        items.append(Item("Rates are constant within each published age band.", "Ages"))
    told = {f"{part.source.id}: {said}" for part, _, said in corrected}
    notes = [note for note in facts.answer.notes if note not in told]
    made = set(facts.answer.rates.notes)
    for title, held in (
        ("How the rate was made", [note for note in notes if note in made]),
        ("People and places", [note for note in notes if note not in made]),
    ):
        if held:
            items.append(Item(" ".join(noted(note, facts, refs) for note in held), title))
    items.append(Item(
        "Today's age-specific rates are kept for every later year. Only the number and the ages of people change.", "Projection"
    ))  # fmt: skip
    yield Items(tuple(items))


def _cited(source: PrevalenceSource, refs: Mapping[str, int]) -> str:
    return f"{source.citation.short}{f' [{refs[source.id]}]' if source.id in refs else ''}"


def noted(note: str, facts: NeedFacts, refs: Mapping[str, int]) -> str:
    """A note as a sentence, with the numbers of the list of sources in place of names on the shelf."""
    surveys = {part.survey: refs[part.source.id] for part in facts.answer.rates.parts if part.source.id in refs}
    numbers = {**surveys, **refs}
    line = note.removeprefix(f"pool-{facts.model.need}: ")
    return wording.sentence(
        _NAMED.sub(lambda found: f"source [{numbers[found[0]]}]" if found[0] in numbers else found[0], line)
    )


def _errors(facts: NeedFacts, sizes: Mapping[str, float], because: Mapping[str, str]) -> Iterator[str]:
    """What is assumed of errors beyond sampling: a sentence and its reason, those with one reason together."""
    defaults = facts.answer.rates.defaults.because
    reasons: dict[str, list[str]] = {}
    for name, (title, what) in _TERMS.items():
        size = sizes[name]
        factor = math.exp(_Z * size)
        per = " for each year since fieldwork" if name == "staleness" else f": {what}"
        odds = f"{factor:.3f}" if name == "staleness" else f"{factor:.2f}"
        said = (
            f"{title}{per}: standard deviation {size:g} on the logit scale, so the odds may be {odds} times too high or too low (95%)"
            if size
            else f"{title}: none is added"
        )
        why = because[name]
        if why.startswith("default"):
            why = f"By {why}: {defaults.get(f'{name}_error', '')}"
        reasons.setdefault(why, []).append(said)
    for why, lines in reasons.items():
        yield f"{'. '.join(lines)}. {wording.sentence(why)}"


def allowances(facts: NeedFacts, refs: Mapping[str, int]) -> Iterator[Block]:
    """What was allowed for in turning a published count into people who live here and have the need."""
    items = []
    named = {ledger.known for ledger in facts.answer.ledgers if ledger.aligned}
    for use in facts.model.known:
        if use.source in named:
            items += list(_allowed(facts, use, refs))
    if items:
        yield Paragraph("What is allowed for in the numbers known:")
        yield Items(tuple(items))


def _allowed(facts: NeedFacts, use: KnownUse, refs: Mapping[str, int]) -> Iterator[Item]:
    title = f"{facts.source_title(use.source)}{f' [{refs[use.source]}]' if use.source in refs else ''}"
    if use.factors is None:
        yield Item("The count is taken as printed: everyone counted is taken to live here and to have the need.", title)
        return
    said = []
    for name in FACTORS:
        value = getattr(use.factors, name)
        if value is not None:
            low, high = value if isinstance(value, list) else (value, value)
            share = f"{100 * low:g}%" if low == high else f"{100 * low:g}% to {100 * high:g}%"
            said.append(f"{share} {_FACTORS[name]}")
    yield Item(f"Of those counted, {wording.listed(said)}. {wording.sentence(use.factors.because)}", title)
    for item, bridge in use.bridges.items():
        yield Item(
            f"Difference of {item}: {wording.sentence(bridge.because)} {wording.sentence(bridge.citation)}", title
        )
