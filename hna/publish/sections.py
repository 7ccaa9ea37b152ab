"""The section of one need: what is said, drawn and listed of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hna.publish import basis, wording
from hna.publish.assumptions import allowances, assumptions, steps
from hna.publish.atlas import Atlas
from hna.publish.charts import Mark, bars, fan, intervals, pyramid
from hna.publish.compared import apart, compared
from hna.publish.content import (
    Block,
    Cell,
    Column,
    Item,
    Items,
    Panel,
    Panels,
    Paragraph,
    Part,
    Picture,
    Pictures,
    Table,
)
from hna.publish.facts import AreaFacts, Cut, NeedFacts, facts_of, projected
from hna.publish.figures import ABSENT, cell, every_figure, ids, text
from hna.publish.headline import headline
from hna.publish.maps import where
from hna.publish.own_data import lead, shrinkage
from hna.publish.rounding import Value, say
from hna.publish.tables import shown
from hna.publish.trends import changing

Refs = Mapping[str, int]


def parts_of(facts: NeedFacts, refs: Refs, level: float, atlas: Atlas | None = None) -> tuple[Part, ...]:
    """The parts of a need's section, in reading order; a part with nothing to say, and maps without an atlas, are left out."""
    name = facts.model.need
    made: list[tuple[str, str, list[Block]]] = [
        ("findings", "What we found", [*_findings(facts, refs, level), _numbers(facts, refs), _interval_chart(facts, level)]),
        ("when", "How it may change", [*_when(facts, refs, level), *changing(facts, refs)]),
        ("severity", "How severe", list(_severity(facts, level))),
        ("who", "Who", list(_who(facts, level))),
        ("made", "What the gap is made of", list(_made_of(facts))),
        ("where", "Where", list(where(facts, refs, atlas)) if atlas else []),
        ("compared", "Whether estimate and count are of the same people", list(_ledgers(facts, refs))),
        ("beside", "How it compares", list(compared(facts, refs))),
        ("scenarios", "Whole runs side by side", list(_scenarios(facts, refs))),
        ("sure", "How sure, and what would change it", [*steps(facts, level), *shrinkage(facts)]),
        ("assumptions", "What was assumed, and why", list(assumptions(facts, refs))),
        ("evidence", "What the evidence is", [*basis.definition(facts), basis.evidence(facts, refs), *basis.fit(facts, refs)]),
        ("limits", "What these numbers cannot bear", list(basis.limits(facts))),
        ("missing", "Missing core data", list(basis.missing(facts))),
        ("practice", "National best practice", list(basis.practice(facts))),
        ("flags", "Warnings and notes", list(basis.flags(facts))),
        ("figures", "Every figure", list(every_figure(facts, refs))),
    ]  # fmt: skip
    return tuple(Part(f"{name}-{key}", heading, tuple(blocks)) for key, heading, blocks in made if blocks)


def _findings(facts: NeedFacts, refs: Refs, level: float) -> Iterator[Block]:
    panels = tuple(panel for place in facts.areas if (panel := _panel(facts, place, refs, level)) is not None)
    yield Panels(panels)
    if facts.model.denominator:
        stands = facts.model.denominator
        said = f"The people counted stand for {shown(stands.stands_for)}. {wording.sentence(stands.because)}"
        yield Paragraph(said, (), "note")


def _panel(facts: NeedFacts, place: AreaFacts, refs: Refs, level: float) -> Panel | None:
    need = facts.value(place.area, place.base_year, "need")
    if need is None:
        return None
    said = [
        Paragraph(lead(facts.answer, place.area, place.base_year, need, level), ids(facts, refs), "lead"),
    ]
    for found in place.comparisons:
        cited = tuple(refs[source.id] for source in found.sources if source.id in refs)
        said += [Paragraph(wording.recorded(found, place.base_year), cited), Paragraph(wording.gap(found))]
        if facts.model.target and "target_shortfall" in found.figures:
            said.append(Paragraph(wording.target(found, facts.model.target), (), "note"))
    verdicts = apart(facts, place.area)
    if verdicts:
        said.append(Paragraph(verdicts))
    for side in place.refused:
        cited = (refs[side.ledger.known],) if side.ledger.known in refs else ()
        said.append(Paragraph(wording.not_comparable(side, place.base_year), cited))
    if not place.comparisons:
        used = [use.source for use in facts.model.known]
        held = [facts.source_title(name) for name in used]
        said.append(
            Paragraph(wording.no_gap(facts.model.missing_core_data, place.refused, bool(used), held, place.hidden))
        )
    return Panel(wording.name_of(place.area), headline(place, need), tuple(said))


def _numbers(facts: NeedFacts, refs: Refs) -> Table:
    columns = (
        Column("Area"), Column("Date"), Column("Population", "people", True), Column("Estimated", "people", True),
        Column("Prevalence", "per cent", True), Column("Known", "people", True), Column("Gap", "people", True),
        Column("Coverage", "per cent", True), Column("Chance known exceeds estimated", "per cent", True),
    )  # fmt: skip
    rows = []
    for place in facts.areas:
        years = sorted({place.base_year, *(found.year for found in place.comparisons)})
        for year in years:
            beside = next((found for found in place.comparisons if found.year == year), None)
            figures = beside.figures if beside else {}
            exceeds = figures.get("p_known_exceeds_need")
            rows.append((
                text(wording.name_of(place.area)), text(wording.middle(year)),
                *(cell(facts.value(place.area, year, quantity)) for quantity in ("population", "need", "prevalence")),
                *(cell(figures.get(quantity)) for quantity in ("known", "gap", "coverage")),
                Cell(ABSENT) if exceeds is None else Cell(wording.chance_of(exceeds), exceeds.estimate),
            ))  # fmt: skip
    return Table(
        f"{facts.model.need}-numbers", f"{shown(facts.model.title)}: estimated, known and the gap", columns, tuple(rows), 2,
        "Rounded to what the intervals support, so figures may not add up. A negative gap means that more people are known "
        f"than estimated. {ABSENT} means not available.", ids(facts, refs, known=True),
    )  # fmt: skip


def _mark(label: str, kind: str, value: Value) -> Mark:
    return Mark(label, say(value).bare, kind, value)


def _interval_chart(facts: NeedFacts, level: float) -> Pictures:
    held: list[tuple[int, str, str, Value]] = []
    for place in facts.areas:
        name = wording.name_of(place.area)
        for found in place.comparisons:
            labels = {"need": "estimated", "known": "known"} | ({} if "W723" in found.flags else {"gap": "gap"})
            held += [(found.year, f"{name} {label}", key, found.figures[key]) for key, label in labels.items()]
        value = facts.value(place.area, place.base_year, "need")
        if not place.comparisons and value is not None:
            held.append((place.base_year, f"{name} estimated", "need", value))
    years = sorted({year for year, *_ in held})
    marks = [
        _mark(label if len(years) == 1 else f"{label}, {year}", key, value) for year, label, key, value in held
    ]  # fmt: skip
    dates = wording.listed(wording.middle(year) for year in years)
    alt = f"Intervals, {dates}. " + ". ".join(f"{mark.label}: {mark.said}" for mark in marks) + "."
    title = f"{shown(facts.model.title)}, {dates}: each number with its {100 * level:g}% interval"
    note = "A filled dot is an estimate, a diamond a count of people known, a hollow square the gap between them."
    return Pictures((Picture(title, alt, intervals(marks, alt)),), note)


def _when(facts: NeedFacts, refs: Refs, level: float) -> Iterator[Block]:
    pictures, lines = [], []
    years: list[int] = []
    for place in facts.areas:
        found = list(projected(facts, place))
        if len(found) < 2:
            continue
        first, last = found[0], found[-1]
        people = [facts.value(place.area, year, "population") for year, _ in (first, last)]
        both = (people[0], people[1]) if people[0] and people[1] else None
        lines.append(wording.projection(place.area, first, last, both))
        name = wording.name_of(place.area)
        marks = [_mark(name, "need", value) for _, value in found]
        said = "; ".join(f"{year}: {mark.said}" for (year, _), mark in zip(found, marks, strict=True))
        alt = f"Line with a band. People with the need in {name} {wording.CONTINUE}. {said}."
        title = f"{name}: people, {wording.CONTINUE} ({100 * level:g}% interval)"
        pictures.append(Picture(title, alt, fan([year for year, _ in found], marks, alt), name))
        years = sorted({*years, *(year for year, _ in found)})
    if not lines:
        return
    rows = tuple(
        (text(wording.name_of(place.area)),
         *(cell(facts.value(place.area, year, "need") if year >= place.base_year else None) for year in years))
        for place in facts.areas
    )  # fmt: skip
    yield Paragraph(" ".join(lines))
    held = any(step.step == "population" for step in facts.answer.waterfall)
    yield Pictures(
        tuple(pictures),
        "The band is the uncertainty of the estimate, with how far population projections were out in the past."
        if held
        else "The band is the uncertainty of the estimate. It does not hold the error of the population projection.",
    )
    yield Table(
        f"{facts.model.need}-years", f"{shown(facts.model.title)}: people estimated by year, {wording.CONTINUE}",
        (Column("Area"), *(Column(wording.middle(year), "people", True) for year in years)), tuple(rows), 1, "",
        ids(facts, refs),
    )  # fmt: skip


def _severity(facts: NeedFacts, level: float) -> Iterator[Block]:
    if not facts.strata:
        return
    pictures = []
    for place in facts.areas:
        name = wording.name_of(place.area)
        held = [
            (each, facts.value(place.area, place.base_year, "need", Cut(each, facts.model.sex, "all")))
            for each in facts.strata
        ]
        marks = [_mark(shown(each).capitalize(), "need", value) for each, value in held if value is not None]
        alt = f"Bars. {name}, {wording.middle(place.base_year)}. " + "; ".join(
            f"{mark.label}: {mark.said}" for mark in marks
        )
        pictures.append(
            Picture(f"{name}, {wording.middle(place.base_year)}: people by severity", alt, bars(marks, alt), name)
        )
    yield Pictures(
        tuple(pictures), wording.NOT_ADDED if facts.overlapping else f"Lines show the {100 * level:g}% interval."
    )


def _who(facts: NeedFacts, level: float) -> Iterator[Block]:
    severity = facts.whole.severity
    ages = list(dict.fromkeys(c.age for c in facts.cuts if c.severity == severity and c.age != "all"))
    sexes = list(dict.fromkeys(c.sex for c in facts.cuts if c.severity == severity and c.sex != facts.model.sex))
    if not ages and not sexes:
        return
    pictures, lines = [], []
    for place in facts.areas:

        def of(sex: str, age: str, at: AreaFacts = place) -> Value | None:
            return facts.value(at.area, at.base_year, "need", Cut(severity, sex, age))

        name, when = wording.name_of(place.area), wording.middle(place.base_year)
        sides = [[of(sex, age) for age in ages] for sex in ("female", "male")]
        if ages and len(sexes) == 2 and all(value is not None for side in sides for value in side):
            women, men = ([_mark(f"{word}, {age}", "need", value) for age, value in zip(ages, side, strict=True) if value]
                          for word, side in zip(("Females", "Males"), sides, strict=True))  # fmt: skip
            alt = f"Pyramid of people with the need. {name}, {when}. " + "; ".join(
                f"{m.label}: {m.said}" for m in [*women, *men]
            )
            pictures.append(
                Picture(f"{name}, {when}: people by age and sex", alt, pyramid(ages, women, men, alt), name)
            )
        else:
            cuts = [(age, of(facts.model.sex, age)) for age in ages] or [
                (sex.capitalize() + "s", of(sex, "all")) for sex in sexes
            ]
            marks = [_mark(label, "need", value) for label, value in cuts if value is not None]
            if not marks:
                continue
            alt = f"Bars. {name}, {when}. " + "; ".join(f"{mark.label}: {mark.said}" for mark in marks)
            pictures.append(
                Picture(f"{name}, {when}: people by {'age' if ages else 'sex'}", alt, bars(marks, alt), name)
            )
        by_sex = [(sex, of(sex, "all")) for sex in sexes]
        if by_sex and all(value is not None for _, value in by_sex):
            said = wording.listed(f"{say(value).words} {sex}s" for sex, value in by_sex if value)
            lines.append(f"{name}: {said} in {when}.")
    if lines:
        yield Paragraph(" ".join(lines))
    if facts.few:
        said = f"Not shown alone, because too few people were examined: {wording.listed(facts.few)}. They are in the totals."
        yield Paragraph(said, (), "note")
    if not pictures:
        return
    yield Pictures(
        tuple(pictures),
        f"Lines show the {100 * level:g}% interval. Age bands are those of the evidence and differ in width.",
    )


def _made_of(facts: NeedFacts) -> Iterator[Block]:
    """Those estimated, divided into known and not known; what is not said of care is said not to be."""
    pictures, apparent = [], False
    for place in facts.areas:
        for found in place.comparisons:
            known, gap = found.figures["known"], found.figures["gap"]
            if "W723" in found.flags or known.estimate is None or gap.estimate is None:
                continue
            name, then = wording.name_of(place.area), wording.middle(found.year)
            marks = [_mark("Known", "known", known), _mark("Not known to this service", "gap", gap)]
            alt = f"Bars. {name}, {then}. " + "; ".join(f"{mark.label}: {mark.said}" for mark in marks) + "."
            pictures.append(Picture(f"{name}, {then}: those estimated, known or not", alt, bars(marks, alt), name))
            apparent = apparent or found.apparent
    if not pictures:
        return
    yield Pictures(tuple(pictures))
    yield Items((
        Item(wording.APPARENT_PART if apparent else wording.KNOWN_PART, "Known"), Item(wording.HIDDEN_PART, "Not known to this service"),
        Item(wording.CONTACT_PART, "In contact, and not helped enough"),
    ))  # fmt: skip


def _counted(definitions: Sequence[str]) -> str:
    held = dict.fromkeys(map(wording.sentence, definitions))
    return next(iter(held)) if len(held) == 1 else f"{len(held)} definitions, told under What the evidence is."


def _scenarios(facts: NeedFacts, refs: Refs) -> Iterator[Block]:
    """Whole runs side by side, one a source: sources that differ in kind are never averaged."""
    alone = [facts, *(facts_of(run) for run in facts.answer.scenarios if run.rates.trend is None)]
    if len(alone) < 2:
        return
    rows = []
    for place in facts.areas:
        years = [found.year for found in place.comparisons] or [place.base_year]
        for one in alone:
            sources = [part.source for part in one.answer.rates.parts]
            named = "; ".join(
                f"{source.citation.short}{f' [{refs[source.id]}]' if source.id in refs else ''}" for source in sources
            )
            rows.append((
                text(wording.name_of(place.area)), text(f"{len(sources)} together: {named}" if len(sources) > 1 else named),
                text(_counted([source.case_definition for source in sources])), text(wording.middle(years[-1])),
                *(cell(one.value(place.area, years[-1], quantity)) for quantity in ("need", "prevalence", "known", "gap")),
            ))  # fmt: skip
    columns = (
        Column("Area"), Column("Source"), Column("What it counts"), Column("Date"), Column("Estimated", "people", True),
        Column("Prevalence", "per cent", True), Column("Known", "people", True), Column("Gap", "people", True),
    )  # fmt: skip
    yield Table(
        f"{facts.model.need}-scenarios", f"{shown(facts.model.title)}: whole runs side by side", columns,
        tuple(rows), 1, f"Runs are not averaged together. All other figures rest on the first named. {ABSENT} means not available.",
        ids(facts, refs),
    )  # fmt: skip


def _ledgers(facts: NeedFacts, refs: Refs) -> Iterator[Block]:
    ledgers = facts.answer.ledgers
    if not ledgers:
        return
    columns = tuple(Column(name) for name in ("What must be the same", "Estimate", "Count", "Verdict", "How"))
    verdicts = {"equal": "the same", "bridged": "different, bridged", "different": "different: no gap is stated"}
    seen: dict[tuple[object, ...], list[str]] = {}
    for ledger in ledgers:
        # One ledger says the same for every area but the area itself.
        key = (ledger.known, tuple(entry for entry in ledger.entries if entry.item != "geography"))
        seen.setdefault(key, []).append(wording.name_of(ledger.area))
    for n, ((known, entries), areas) in enumerate(seen.items()):
        rows = tuple(
            tuple(text(part) for part in (
                entry.item, wording.aligned(entry.item, entry.need), wording.aligned(entry.item, entry.known),
                verdicts[entry.verdict], _how(entry.how, entry.verdict),
            ))
            for entry in entries  # type: ignore[attr-defined]
        )  # fmt: skip
        rows += ((text("geography"), text("the area"), text("the area"), text("the same"), text("same area code")),)
        title = f"Estimate against {shown(facts.source_title(str(known)))} in {wording.listed(areas)}"
        number = (refs[str(known)],) if str(known) in refs else ()
        yield Table(f"{facts.model.need}-ledger-{n + 1}", title, columns, rows, 1, "", number)
    yield from allowances(facts, refs)
    for place in facts.areas:
        for beside in place.comparisons:
            positive = beside.figures.get("gap_positive")
            net = beside.figures["gap"]
            if positive is not None and positive.estimate is not None and positive.estimate != net.estimate:
                yield Paragraph(
                    f"{wording.name_of(place.area)}: added up over only those groups in which the estimate exceeds the count, "
                    f"the gap is {say(positive).words}; taken whole it is {say(net).words}.", (), "note"
                )  # fmt: skip


def _how(how: str, verdict: str) -> str:
    """How a difference was bridged; a factor's reason is given once, with the other allowances."""
    if how.startswith("factor "):
        return "a share allowed for, below"
    return how or ("not bridged" if verdict == "different" else "no step needed")
