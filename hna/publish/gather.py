"""The GATHER checklist, filled in from a run: what a reader of health estimates must be told, and where it is told.

The eighteen items are in our own words.

References
----------
Stevens GA, Alkema L, Black RE et al. Guidelines for Accurate and Transparent Health Estimates Reporting: the GATHER
statement. Lancet 2016;388:e19-23. doi 10.1016/S0140-6736(16)30388-9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

from hna.evidence.source import AreasSource, KnownSource, PopulationSource, PrevalenceSource
from hna.measure.estimate import Cited
from hna.model.rules import rules
from hna.publish import wording
from hna.publish.content import Cell, Column, Paragraph, Part, Table
from hna.publish.facts import NeedFacts
from hna.publish.figures import text

DONE, PARTLY, NOT = "yes", "in part", "no"
_LEFT_OUT = (
    "error of the population figures", "the choice of case definition", "how needs coincide in one person",
    "change in age-specific rates after the years of fieldwork beyond the staleness allowed for",
)  # fmt: skip


def gather(held: Sequence[NeedFacts], citations: Sequence[Cited], level: float) -> Part:
    """The checklist as a part of a report.

    Parameters
    ----------
    held : the facts of every need.
    citations : every source of the run.
    level : of the intervals.

    Returns
    -------
    Part
        One table: eighteen rows of the item, whether it is met, and how or where.
    """
    rows = tuple(
        (Cell(str(number), number), text(asked), text(met), text(said))
        for number, (asked, met, said) in enumerate(_items(held, citations, level), start=1)
    )
    columns = (Column("Item"), Column("What a reader must be told"), Column("Told"), Column("How, or where"))
    note = "Stevens GA and others, Lancet 2016;388:e19-23, doi 10.1016/S0140-6736(16)30388-9. The items are in our own words."
    table = Table("gather", "GATHER checklist, filled in from this run", columns, rows, 1, note)
    said = Paragraph(
        "GATHER is the standard by which published health estimates are reported. Items that nobody has told this run are marked "
        "as not told: whoever publishes the report must add them."
    )
    return Part("method-gather", "GATHER checklist", (said, table))


def _items(held: Sequence[NeedFacts], citations: Sequence[Cited], level: float) -> list[tuple[str, str, str]]:
    studies = [source for source in citations if isinstance(source, PrevalenceSource)]
    read: Counter[str] = Counter(source.read_from for source in studies)
    bias: Counter[str] = Counter(source.appraisal.overall or "not appraised" for source in studies)
    poor = sum(1 for source in studies if source.applicability and source.applicability.poor(rules().poor_fit))
    others = [
        f"{_count(citations, kind)} {name}"
        for kind, name in (
            (PopulationSource, "of population"),
            (KnownSource, "of people known"),
            (AreasSource, "of areas"),
        )
        if any(isinstance(source, kind) for source in citations)
    ]
    ways = Counter(facts.model.prevalence.combine for facts in held)
    pooled = sum(number for way, number in ways.items() if way != "single")
    steps = dict.fromkeys(step.what.partition(":")[0] for facts in held for step in facts.answer.waterfall)
    among = {step.step for facts in held for step in facts.answer.waterfall}
    left = [each for each in _LEFT_OUT if not (each.startswith("error of the population") and "population" in among)]
    compared = sum(1 for facts in held if not facts.answer.comparisons.empty)
    missing = sum(len(facts.model.missing_core_data) for facts in held)
    limited = sum(1 for facts in held if facts.model.limits)
    places = list(dict.fromkeys(wording.name_of(place.area) for facts in held for place in facts.areas))
    where = wording.listed(places) if len(places) <= 6 else f"{len(places)} areas"
    years = sorted({year for facts in held for place in facts.areas for year in place.years})
    span = wording.middle(years[0]) if len(years) == 1 else f"{wording.middle(years[0])} to {wording.middle(years[-1])}"
    return [
        ("What is estimated, among whom, where and when", DONE,
         f"{_many(len(held), 'need', 'needs')} in {where}, {span}. Each section gives the case definition, ages and sex."),
        ("Who paid for the work", NOT, "Nobody has told this run."),
        ("How data were found and reached", PARTLY,
         (f"{_many(len(studies), 'study', 'studies')}, by what was read: {_told(read)}. "
          "Each record says what was read. The search was not systematic.")),
        ("What was taken and what was left out", PARTLY,
         "Each source used is listed under its need; those turned away are listed, with the reason, where the evidence is kept."),
        ("The main features of every study", DONE,
         "Under each need: place, years of fieldwork, people examined, response, frame, who was left out, and how well it fits."),
        ("Data that may well be biased", DONE,
         f"Risk of bias by study: {_told(bias)}. {_many(poor, 'fits', 'fit')} poorly in some respect (W161)."),
        ("Other data used", DONE, f"Tables: {wording.listed(others)}. All are in the list of sources."),
        ("Inputs in a form that can be used again", DONE,
         "Every table used is a CSV or Parquet file with its record; run.json gives the fingerprint of each."),
        ("The method at a glance", DONE, "How the numbers were made, above."),
        ("Every step of the analysis", DONE,
         "Under each need: what was assumed and why, and what each step did. Formulas stand in the documentation of the functions."),
        ("How models were compared and chosen", PARTLY,
         f"{_many(ways['single'], 'need rests', 'needs rest')} on one source for each age, chosen by hand; {pooled} on several."),
        ("How well the model performs, and how far results depend on choices", PARTLY,
         "Under each need: shares of the variance, and the effect of error in the prevalence. No local survey was at hand to test by."),
        ("How uncertainty was worked out, and what it leaves out", DONE,
         f"Held: {'; '.join(steps)}. Left out: {'; '.join(left)}."),
        ("Where the program can be had", DONE, f"hna {version('hna')}, MIT licence; run.json gives versions, seed and arguments."),
        ("Results in a form that can be used again", DONE, "gap.csv, comparisons.csv and the workbook hold every figure."),
        ("A measure of uncertainty for every estimate", DONE, f"{100 * level:g}% intervals throughout."),
        ("Results set beside other evidence, and changes explained", PARTLY if compared else NOT,
         (f"{_many(compared, 'need stands', 'needs stand')} beside region, England or neighbours. "
          "Earlier assessments are not set beside this one.")),
        ("What limits the estimates", DONE if limited == len(held) else PARTLY,
         (f"{_many(limited, 'need says what its', 'needs say what their')} numbers cannot bear. "
          f"{_many(missing, 'record', 'records')} of missing core data.")),
    ]  # fmt: skip


def _count(citations: Sequence[Cited], kind: type) -> int:
    return sum(1 for source in citations if isinstance(source, kind))


def _told(counts: Counter[str]) -> str:
    return wording.listed(f"{name} {number}" for name, number in sorted(counts.items())) or "none"


def _many(number: int, one: str, several: str) -> str:
    return f"{number} {wording.verb(number, one, several)}"
