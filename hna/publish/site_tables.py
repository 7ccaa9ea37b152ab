"""Tables of an assessment: priorities, outcomes in controlled wording, triangulation, registers and calendars."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from hna.assessment.framework import MissingRecord
from hna.assessment.record import Assessment
from hna.assessment.triangulate import Verdict
from hna.measure.ages import AgeBand
from hna.publish import wording
from hna.publish.content import Cell, Column, Table
from hna.publish.rounding import Value, plain, say, say_chance, say_percent
from hna.publish.sheets import HIDDEN
from hna.publish.site_content import ChanceCell, LinkCell, Rows, chapter_file, need_file, say_text
from hna.publish.tables import shown

_KINDS = ("region", "england", "statistical-neighbours")
_LEVEL_NAMES = {
    "T0": "none",
    "T1": "one approach",
    "T1c": "views only",
    "T2": "two approaches",
    "T3": "three approaches",
}


def standing_words(held: Assessment, need: str) -> str:
    """A need's standing in words."""
    found = held.priorities
    return {
        "robust": f"robust: among the first {found.top} in {say_chance(found.library.robust)} of draws or more",
        "sensitive": "sensitive to weights and to what is not known",
        "lower": "seldom among the first",
    }[found.standing[need]]


def level_words(level: str) -> str:
    """A level of triangulation in two words."""
    return f"{level}: {_LEVEL_NAMES[level]}"


def need_cell(held: Assessment, name: str) -> Cell:
    """A need's title, leading to its page; a topic's title."""
    title = shown(held.title(name))
    if name in held.answers:
        return LinkCell(title, None, need_file(name))
    return LinkCell(title, None, chapter_file(held.placed.topics[name][0]))


def chance_cell(chance: float) -> Cell:
    """A probability, printed and drawn."""
    return ChanceCell(say_chance(chance), float(chance))


def priorities(held: Assessment, refs: Sequence[int] = ()) -> Rows:
    """Needs in order, with how often each stands among the first."""
    found = held.priorities
    columns = (
        Column("Need"), Column(f"Chance of the first {found.top}", "per cent", True), Column("Standing"),
        Column("Mean rank", "", True), Column("Borne out by"), Column("Chapter"),
    )  # fmt: skip
    means = dict(zip(found.found.needs, found.found.expected.tolist(), strict=True))
    chapters = {chapter.spec.id: chapter.spec for chapter in held.chapters}
    rows = []
    for need in found.order:
        spec = chapters[held.placed.detail[need]]
        rows.append((
            need_cell(held, need), chance_cell(found.chance(need)), say_text(standing_words(held, need)),
            Cell(plain(means[need], 0.1), means[need]), say_text(level_words(held.verdicts[need].level)),
            LinkCell(shown(spec.title), None, chapter_file(spec.id)),
        ))  # fmt: skip
    weighed = (
        f"Weights agreed by {shown(found.weights.agreed_by)} on {wording.day(found.weights.agreed_on)}."
        if found.weights
        else "No weights have been agreed, so every weighting of the criteria is drawn alike."
    )
    named = wording.listed(criterion.title.lower() for criterion in found.criteria)
    note = (
        f"{weighed} Criteria: {named}. A need is robust where it stands among the first {found.top} in at least "
        f"{say_chance(found.library.robust)} of draws. What people agree or disagree on is shown beside the order and never "
        "multiplied into it."
    )
    return Rows("priorities", "Priorities, and how sure the order is", columns, tuple(rows), 1, note, tuple(refs))


def outcomes(held: Assessment, needs: Sequence[str], key: str = "outcomes") -> Rows:
    """Each need beside region, England and statistical neighbours, in the closed list of wording."""
    area = wording.name_of(held.area)
    named: dict[str, str] = {}
    rows = []
    for need in needs:
        table = held.comparisons[need].table
        here = table[table["area_code"] == held.area.code]
        quantity = "coverage" if (here["quantity"] == "coverage").any() else "prevalence"
        found = {str(row["comparator"]): row for row in here[here["quantity"] == quantity].to_dict("records")}
        if not found:
            continue
        first = next(iter(found.values()))
        what = "Share of people in need who are known" if quantity == "coverage" else "Expected prevalence"
        cells = [need_cell(held, need), say_text(f"{what}, {wording.dated(str(first['period']))}"), _share(first, "")]
        for kind in _KINDS:
            row = found.get(kind)
            if row is not None:
                named.setdefault(kind, str(row["comparator_name"]).partition(" (")[0])
            cells.append(say_text("") if row is None else _verdict(row))
        rows.append(tuple(cells))
    columns = (Column("Need"), Column("What is compared"), Column(area, "", True),
               *(Column(_first_capital(shown(named.get(kind, kind.replace("-", " "))))) for kind in _KINDS))  # fmt: skip
    note = (
        "Expected prevalence rests on the same published rates everywhere and is never tested: it says how the ages of the people "
        "differ, not how the place performs (R401). A difference between places is of comparative need. [x] means that there is no such "
        "comparator."
    )
    return Rows(key, f"{area} beside other places", columns, tuple(rows), 1, note, ())


def _first_capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _number(value: object) -> float | None:
    number = math.nan if value is None else float(str(value))
    return None if math.isnan(number) else number


def _share(row: dict[str, object] | dict[object, object], prefix: str) -> Cell:
    held = {str(key): value for key, value in row.items()}
    names = (
        ("estimate", "lower", "upper") if not prefix else ("comparator_value", "comparator_lower", "comparator_upper")
    )
    point, lower, upper = (_number(held[name]) for name in names)
    if point is not None and lower is None:
        return Cell(say_percent(point), point)
    value = Value(point, lower, upper, None, "proportion")
    return Cell(say(value).bare, value.estimate)


def _verdict(row: dict[str, object] | dict[object, object]) -> Cell:
    held = {str(key): value for key, value in row.items()}
    ours, theirs = _number(held["estimate"]), _number(held["comparator_value"])
    sentence = str(held["sentence"]).partition(" because ")[0]
    if held["verdict"] == "not_tested" and ours is not None and theirs is not None:
        if math.isclose(ours, theirs, rel_tol=1e-9):
            # One rate for all ages: the two are the same number, and only its last digit says above or below.
            sentence = "Not statistically comparable"
        elif say_percent(ours) == say_percent(theirs):
            # Above or below by less than is printed would contradict the two numbers that stand there.
            sentence = "Not statistically compared"
    return Cell(f"{_share(row, 'comparator').text}. {sentence}.")


def triangulation(held: Assessment, names: Sequence[str]) -> Rows:
    """What each approach says of each need, and what they say together."""
    columns = (
        Column("Need"), Column("Level"), Column("Epidemiological"), Column("Comparative"), Column("Corporate"),
        Column("Constituencies"), Column("Separate sources", "", True), Column("Pattern"),
    )  # fmt: skip
    rows = []
    total = len(held.vocabulary.constituencies)
    for name in names:
        found = held.verdicts[name]
        rows.append((
            need_cell(held, name), say_text(level_words(found.level)),
            *(say_text(_approach(found, approach)) for approach in ("epidemiological", "comparative", "corporate")),
            say_text(f"{len(found.breadth)} of {total}"), Cell(f"{len(found.sources)}", float(len(found.sources))),
            say_text(wording.listed(found.patterns) or "none"),
        ))  # fmt: skip
    note = (
        "Two findings that rest on the same data count once. A difference from other places that is not significant says nothing, "
        "and is silence."
    )
    return Rows("triangulation", "What the three approaches say together", columns, tuple(rows), 1, note, ())


def _approach(found: Verdict, approach: str) -> str:
    said = {item.direction for item in found.items if item.approach == approach}
    if not said:
        return "not asked" if approach == "corporate" and not found.asked else "silent"
    return wording.listed(sorted(f"need {word}" for word in said))


def evidence(held: Assessment, found: Verdict) -> Table:
    """Every finding about a need, so that a verdict can be traced to it."""
    columns = tuple(
        Column(name) for name in ("Finding", "Approach", "Kind of need", "Says", "Strength", "Rests on", "In words")
    )
    people = held.vocabulary.constituencies
    rows = tuple(
        (
            say_text(item.id),
            say_text(f"{item.approach}{f': {people[item.constituency].title.lower()}' if item.constituency else ''}"),
            say_text(item.need_type), say_text(f"need {item.direction}"),
            say_text(f"{item.strength}{f', {item.confidence} confidence' if item.confidence else ''}"),
            say_text(wording.listed(item.datasets) or "itself"), say_text(item.words),
        )
        for item in found.items
    )  # fmt: skip
    return Table(f"{found.need}-items", "Every finding", columns, rows, 1)


def pairs(found: Verdict) -> Table:
    """How every two approaches converge."""
    columns = tuple(Column(name) for name in ("Approaches", "Convergence", "Data that both rest on"))
    rows = tuple(
        (
            say_text(f"{pair.first} and {pair.second}"),
            say_text(pair.code),
            say_text(wording.listed(pair.shared) or "none"),
        )
        for pair in found.pairs
    )
    return Table(f"{found.need}-pairs", "How the approaches converge", columns, rows, 1)


def scores(held: Assessment, need: str) -> Table:
    """A need's score on every criterion that weighs."""
    found = held.priorities
    titles = {criterion.id: criterion.title for criterion in found.criteria}
    columns = (Column("Criterion"), Column("Score, 0 to 4", "", True), Column("Given by"), Column("What it means"))
    rows = tuple(
        (say_text(titles[cell.criterion]), Cell(_span(cell.median, cell.low, cell.high), cell.median), say_text(cell.given_by),
         say_text(cell.because))
        for cell in found.scores if cell.need == need
    )  # fmt: skip
    return Table(f"{need}-scores", "Scores", columns, rows, 1)


def _span(median: float, low: float, high: float) -> str:
    return plain(median, 0.1) if low == high else f"{plain(median, 0.1)} ({plain(low, 0.1)} to {plain(high, 0.1)})"


def register(held: Assessment, records: Sequence[MissingRecord], key: str = "missing") -> Rows:
    """The register of missing core data."""
    columns = tuple(
        Column(name)
        for name in (
            "What is missing",
            "Chapter",
            "Need",
            "Why",
            "Since",
            "Who could supply it",
            "What cannot be said without it",
        )
    )
    titles = {chapter.spec.id: chapter.spec.title for chapter in held.chapters}
    rows = tuple(
        (
            say_text(one.item), LinkCell(shown(titles[one.chapter]), None, chapter_file(one.chapter)),
            need_cell(held, one.need) if one.need else say_text("the whole chapter"), say_text(one.why),
            say_text(wording.day(one.since) if one.since else ""), say_text(one.owner), say_text(one.effect),
        )
        for one in records
    )  # fmt: skip
    return Rows(key, "Register of missing core data", columns, rows, 1, "[x] means that it is not recorded.")


def calendar(held: Assessment) -> Rows:
    """What, who, when, owner and review of every chapter and need, the soonest review first."""
    columns = tuple(Column(name) for name in ("What", "Kind", "Who", "Assessed", "Owner", "Review due", "State"))
    run = held.programme
    entries: list[tuple[Cell, str, str | None, str | None, str | None, str | None]] = [
        (say_text("The whole assessment"), held.kind, run.who, run.when, run.owner, run.review_due)
    ]
    for chapter in held.chapters:
        cell = LinkCell(
            f"Chapter {chapter.spec.number}. {shown(chapter.spec.title)}", None, chapter_file(chapter.spec.id)
        )
        entries.append((cell, "", chapter.who, chapter.when, chapter.owner, chapter.review_due))
    for need, one in held.held.items():
        own = run.of(need)
        if own is not None:
            kind = held.kinds.kind(one.claimed).title
            entries.append((need_cell(held, need), kind, own.who, own.when, own.owner, own.review_due))
    entries.sort(key=lambda entry: entry[5] or "9999")
    rows = tuple(
        (cell, say_text(kind), say_text(who), say_text(when and wording.day(when)), say_text(owner),
         say_text(due and wording.day(due)), say_text(_state(due, held.on)))
        for cell, kind, who, when, owner, due in entries
    )  # fmt: skip
    note = f"As of {wording.day(held.on.isoformat())}. [x] means that nobody has recorded it."
    return Rows("reviews", "Review calendar", columns, rows, 1, note)


def _state(due: str | None, on: dt.date) -> str:
    if due is None:
        return "no review is planned"
    return "overdue (W903)" if dt.date.fromisoformat(due) < on else "to come"


def counts(held: Assessment, chapter: str, refs: Sequence[int]) -> Table | None:
    """People whom services know, where there is no estimate to set beside them."""
    state = next(one for one in held.chapters if one.spec.id == chapter)
    if not state.counts:
        return None
    columns = (Column("Service"), Column("What is counted"), Column("Date"), Column("Known (expressed)", "", True))
    rows = tuple(
        (
            say_text(one.source.service), say_text(f"{one.source.condition}: {one.source.case_definition}"),
            say_text(wording.day(one.source.reference_date)),
            Cell(HIDDEN) if one.hidden else Cell(say(Value(one.people, one.lower, one.upper)).bare, one.people),
        )
        for one in state.counts
    )  # fmt: skip
    note = "Counts only: no prevalence is set beside them, so no gap is stated."
    if any(one.hidden for one in state.counts):
        note = f"{note} {HIDDEN} means that the count is small and hidden."
    return Table(f"{chapter}-counts", "Known to services", columns, rows, 1, note, tuple(refs))


def services(held: Assessment, needs: Sequence[str], key: str) -> Rows | None:
    """Services that there are now, as an analyst lists them, and those that keep a count of people; None where there are none."""
    columns = tuple(map(Column, ("Need", "Service", "Provider", "Whom it reaches", "As of", "From")))
    rows = [
        (need_cell(held, one.need), say_text(one.service), say_text(one.provider), say_text(one.reaches),
         say_text(wording.day(one.checked_on)), say_text(one.source))
        for one in held.programme.services if one.need in needs
    ]  # fmt: skip
    for need in needs:
        for counts in held.answers[need].known:
            source = counts.source
            rows.append((
                need_cell(held, need), say_text(source.service), say_text(""), say_text(f"keeps a count of: {source.case_definition}"),
                say_text(wording.day(source.reference_date)), say_text(source.title or source.citation.short),
            ))  # fmt: skip
    note = "What a service is like, and whether it works, is not judged here. [x] means that it is not recorded."
    return Rows(key, "Services", columns, tuple(rows), 1, note, ()) if rows else None


def voices(held: Assessment, names: Sequence[str], key: str, refs: Sequence[int] = ()) -> Rows | None:
    """What was said, by whom, how, when, and how far it can be relied on."""
    chosen = [voice for voice in held.voices if voice.need in names]
    if not chosen:
        return None
    columns = (
        Column("Need"), Column("Who"), Column("How and when"), Column("How many", "people", True), Column("What they said"),
        Column("Says"), Column("Kind of need"), Column("Strength and confidence"), Column("Coded by"),
    )  # fmt: skip
    people = held.vocabulary.constituencies
    rows = []
    for voice in chosen:
        coded = voice.coder
        if voice.second_coder:
            apart = f"disagrees: need {voice.second_direction}" if voice.disputed else "agrees"
            coded = f"{voice.coder}; {voice.second_coder} {apart}"
        rows.append((
            need_cell(held, voice.need),
            say_text(people[voice.constituency].title if voice.constituency else f"{voice.approach} indicator"),
            say_text(f"{voice.method}, {wording.day(voice.date)}; for {voice.commissioned_by}"
                     f"{f'; {voice.recruitment}' if voice.recruitment else ''}"),
            Cell(f"{voice.n:,}", float(voice.n)), say_text(voice.finding), say_text(f"need {voice.direction}"),
            say_text(voice.need_type), say_text(f"{voice.strength}; {voice.confidence} confidence"), say_text(coded),
        ))  # fmt: skip
    return Rows(key, "Corporate evidence", columns, tuple(rows), 1, "", tuple(refs))


def people(held: Assessment) -> Table:
    """People of the area by age and sex."""
    found = held.population
    a = found.areas.index(held.area)
    year = found.years[0]
    columns = (Column("Ages"), *(Column(f"{sex.capitalize()}s" if sex != "persons" else "Persons", "people", True)
                                 for sex in found.sexes), Column("All", "people", True))  # fmt: skip
    rows = []
    for label, low, high in _bands(found.ages.bands):
        sums = [float(found.people[a, 0, x, low:high].sum()) for x in range(len(found.sexes))]
        rows.append((say_text(label), *(Cell(plain(one), one) for one in sums), Cell(plain(sum(sums)), sum(sums))))
    title = f"People of {wording.name_of(held.area)} by age and sex, {wording.middle(year)}"
    return Table("people", title, columns, tuple(rows), 1, f"{shown(found.source.label)}.")


def _bands(bands: Sequence[AgeBand]) -> list[tuple[str, int, int]]:
    """Bands of five years where ages are single, otherwise the population's own."""
    last = len(bands) - 1
    if any(band.high != band.low for band in bands[:last]):
        return [(band.label, n, n + 1) for n, band in enumerate(bands)]
    found = []
    for n in range(0, last, 5):
        end = min(n + 5, last)
        found.append((AgeBand(bands[n].low, bands[end - 1].high).label, n, end))
    return [*found, (bands[last].label, last, last + 1)]
