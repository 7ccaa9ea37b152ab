"""A report becomes content: chapters of needs, method, sources and the workbook's tables."""

from __future__ import annotations

from importlib.metadata import version

from hna.publish import wording
from hna.publish.atlas import Atlas
from hna.publish.compared import signals_of
from hna.publish.content import (
    Block,
    Chapter,
    Content,
    Footnote,
    Item,
    Items,
    Need,
    Paragraph,
    Part,
)
from hna.publish.facts import NeedFacts, facts_of
from hna.publish.gather import gather
from hna.publish.headline import summary_row
from hna.publish.links import address, licence, reference
from hna.publish.report import Report
from hna.publish.sections import parts_of
from hna.publish.sheets import sheets_of
from hna.publish.tables import shown

SHORTHAND = (
    ("[x]", "not available: there is no such figure, or the source does not say"),
    ("[c]", "confidential: small counts are hidden, by the publisher or for this report"),
    ("[low]", "not nought, but rounds to nought"),
)
_CHAPTERS = (
    "maternal-health", "early-years", "school-age", "education-and-employment", "safeguarding",
    "disability-and-complex-needs", "children-in-care", "adults", "older-people",
)  # fmt: skip


def make_content(report: Report) -> Content:
    """Everything that is read of a report."""
    refs = {source.id: n for n, source in enumerate(report.citations, start=1)}
    held = [facts_of(answer) for answer in report.answers]
    atlas = Atlas(answer.spread for answer in report.answers)
    chapters: dict[str, list[Need]] = {}
    for facts in held:
        chapters.setdefault(facts.model.chapter, []).append(_need(facts, refs, report.level, atlas))
    needs = [need for found in chapters.values() for need in found]
    order = sorted(chapters, key=lambda name: (_CHAPTERS.index(name) if name in _CHAPTERS else len(_CHAPTERS), name))
    sources = tuple(
        Footnote(refs[source.id], reference(source), address(source), licence(source)) for source in report.citations
    )
    places = list(dict.fromkeys(place.area for facts in held for place in facts.areas))
    names = wording.listed(map(wording.name_of, places)) if len(places) <= 6 else f"{len(places)} areas"
    years = sorted({place.base_year for facts in held for place in facts.areas})
    count = f"{len(held)} need{'s' if len(held) > 1 else ''}"
    dated = wording.listed(wording.middle(year) for year in years)
    return Content(
        f"Health needs assessment: {names}",
        f"{count} in {names}, {dated}: how many people are estimated to have each need, how many are known to services, and the gap.",
        wording.banner_of(report.arguments), _introduction(report),
        tuple(Chapter(name, _title(name), tuple(chapters[name])) for name in order),
        (*_method(report), gather(held, report.citations, report.level)), sources,
        sheets_of(held, needs, sources, report.level), SHORTHAND, _about(report),
    )  # fmt: skip


def _title(chapter: str) -> str:
    return chapter.replace("-", " ").capitalize()


def _basis(report: Report) -> str:
    """What the estimates of a report rest on."""
    ways = {answer.model.prevalence.combine for answer in report.answers}
    said = {
        "survey": "a survey's answers say of people like those who live here",
        "map": "counts here and around say, smoothed",
    }
    found = [said[way] for way in sorted(ways & said.keys())]
    if ways - said.keys():
        found.insert(0, "research says of people of the same ages and sex, applied to the people who live here")
    return ", or ".join(found)


def _introduction(report: Report) -> tuple[Block, ...]:
    level = f"{100 * report.level:g}%"
    return (
        Paragraph(
            "Each line gives three numbers for one place: how many people we would expect to have the need, how many services "
            f"know, and the difference. After each number stands its {level} interval: the true number is likely to lie in it, "
            "if what is assumed holds.", (), "lead",
        ),
        Items((
            Item(f"what {_basis(report)}. It is not a count of them.", "Estimated"),
            Item("people whom a named service had on its list on a named day.", "Known"),
            Item("estimated less known. It is stated only where both speak of the same people. It is not a waiting list: some "
                 "people whom services do not know do not want or need help.", "Gap"),
        )),
        Paragraph("Needs must not be added up: one person may have several.", (), "note"),
    )  # fmt: skip


def _need(facts: NeedFacts, refs: dict[str, int], level: float, atlas: Atlas) -> Need:
    compared = [(place.area, found) for place in facts.areas for found in place.comparisons]
    refused = [side for place in facts.areas for side in place.refused]
    names = [facts.source_title(use.source) for use in facts.model.known]
    hidden = any(place.hidden for place in facts.areas)
    reason = wording.no_gap(facts.model.missing_core_data, refused, bool(names), names, hidden)
    universe = facts.answer.rates.universe
    opening = wording.sentence(f"{universe.words}")
    sentence = f"{opening} {wording.verdict(compared, refused, reason)}"
    cited = tuple(refs[source.id] for source in facts.prevalences if source.id in refs)
    rows = tuple(row for place in facts.areas if (row := summary_row(facts, place)) is not None)
    title = wording.shortened(facts.model.title, 120)
    return Need(facts.model.need, title, sentence, cited, rows, parts_of(facts, refs, level, atlas))


_MADE = """\
Published rates by age and sex are multiplied by the number of people of that age and sex who live in each area. The headline \
number is published rate × people. The interval comes from drawing every uncertain input many times over, the same draw serving \
every area and year, and holds the middle {level} of the results. Limits are never added up.
Known people are published counts. Where the publisher rounds or hides a count, the range that it may stand for is carried to the \
end. What turns a count into people who live here and have the need is a stated allowance with its reason.
A gap is formed, draw by draw, only if estimate and count are of the same condition, severity, ages, sex, place, kind of \
population, date and unit, or a difference is bridged by a step with a citation. A gap keeps its sign."""


def _made(report: Report) -> list[str]:
    said = signals_of(report)
    return [*_MADE.format(level=f"{100 * report.level:g}%").splitlines(), *([said] if said else [])]


_WORDS = (
    ("Rate", "the share of people who have the need; odds are those who have it for each one who has not."),
    ("Logit scale", "the logarithm of the odds. Errors are added on it, so that no share falls below nothing or rises above everybody."),
    ("Beta", "a spread of values for a share, fitted to what the source prints: its counts, its sample or its limits."),
    ("Studies pooled", "a surer one weighs more. REML finds how far they differ, modified Knapp–Hartung the interval of their mean."),
    ("Between-study SD, I²", "how far studies differ beyond chance, on the logit scale; and that as a share of all their differences."),
    ("A new setting", "what one more place would have. It is wider than the interval of the mean, and is what is carried to a place."),
    ("Nested Laplace, Pareto k̂", "a quick calculation, and its own test: below 0.7 it may be trusted, and no result above that is used."),
    ("Stratum", "a part of those with the need, such as a grade of severity."),
)  # fmt: skip


def _settings(report: Report) -> tuple[tuple[str, str], ...]:
    return (
        ("hna", version("hna")), ("Seed", f"{report.arguments['seed']}"), ("Draws", f"{report.arguments['draws']}"),
        ("Level of intervals", f"{100 * report.level:g}%"), ("Disclosure control", f"{report.arguments.get('disclosure')}"),
    )  # fmt: skip


def _about(report: Report) -> tuple[str, ...]:
    return (*_made(report), *(f"{name}: {value}" for name, value in _settings(report)))


def _method(report: Report) -> tuple[Part, ...]:
    settings = tuple(Item(shown(value), name) for name, value in _settings(report))
    notes = tuple(Paragraph(wording.sentence(note), (), "note") for note in report.notes)
    return (
        Part("method-how", "How the numbers were made", (*(Paragraph(text) for text in _made(report)), *notes)),
        Part("method-words", "Words used for how a rate was made", (Items(tuple(Item(text, word) for word, text in _WORDS)),)),
        Part("method-run", "How to make them again", (
            Paragraph("The same inputs and seed give the same report, byte for byte. run.json lists the fingerprint of every input."),
            Items(settings),
        )),
        Part("method-marks", "Marks used in tables", (Items(tuple(Item(text, mark) for mark, text in SHORTHAND)),)),
    )  # fmt: skip
