"""The workbook of an assessment: its own tables first, then those of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hna.assessment.record import Assessment
from hna.publish import site_tables as tables
from hna.publish import wording
from hna.publish.content import Cell, Column, Content, Footnote, Need, Sheet, Table
from hna.publish.sheets import sheets_of, words
from hna.publish.site_content import Site
from hna.publish.tables import shown

_OURS = ("Missing data", "Sources")


def workbook_content(held: Assessment, content: Content, site: Site) -> Content:
    """Content of one workbook: the assessment's tables, then every table of the report."""
    sources = site.sources
    last = f" to {sources[-1].number}" if len(sources) > 1 else ""
    source = f"hna, from the references numbered 1{last} on the Sources worksheet"
    ours = [Sheet(name, table, source, scope) for name, table, scope in _tables(held) if table.rows]
    theirs = [sheet for sheet in content.sheets if sheet.name not in _OURS]
    listed = [sheet for sheet in _sources(content.sheets, sources) if sheet.name == "Sources"]
    return replace(
        content, title=site.title, subtitle=site.pages[0].subtitle, sources=sources, sheets=(*ours, *theirs, *listed)
    )


def _sources(sheets: Sequence[Sheet], sources: Sequence[Footnote]) -> list[Sheet]:
    """The sources worksheet of the report, made again with ours at its end."""
    needs: Sequence[Need] = ()
    made = sheets_of([], needs, sources, 0.95)
    return list(made) or [sheet for sheet in sheets if sheet.name == "Sources"]


def _tables(held: Assessment) -> list[tuple[str, Table, str]]:
    every = list(held.answers)
    found = [
        ("Priorities", tables.priorities(held), "needs in order"),
        ("Rank chances", _ranks(held), "chance that a need takes each rank"),
        ("Central weights", _central(held), "mean weights under which a need is first"),
        ("Scores", _scores(held), "each need on each criterion that weighs"),
        ("Criteria", _criteria(held), "written anchors of every criterion in the library"),
        ("Audit trail", _trail(held), "who decided what, when and why"),
        ("Outcomes", tables.outcomes(held, every), "beside region, England and statistical neighbours"),
        ("Triangulation", tables.triangulation(held, list(held.verdicts)), "three approaches"),
        ("Findings", _findings(held), "every finding that a verdict rests on"),
        ("Chapters", _chapters(held), "needs by chapter"),
        ("Missing core data", tables.register(held, held.missing), "what is not to hand"),
        ("Reviews", tables.calendar(held), "what, who, when and review"),
    ]
    provided = tables.services(held, every, "services")
    if provided is not None:
        found.append(("Services", provided, "services that there are now, and those that keep a count"))
    said = tables.voices(held, [*every, *held.placed.topics], "corporate")
    if said is not None:
        found.append(("Corporate evidence", said, "what people say"))
    return found


def _title(held: Assessment, need: str) -> Cell:
    return words(shown(held.title(need)))


def _ranks(held: Assessment) -> Table:
    found = held.priorities.found
    columns = (Column("Need"), *(Column(f"Rank {n + 1}", "probability", True) for n in range(len(found.needs))))
    at = {need: n for n, need in enumerate(found.needs)}
    rows = tuple(
        (_title(held, need), *(Cell(f"{chance:.4f}", float(chance)) for chance in found.ranks[at[need]]))
        for need in held.priorities.order
    )
    return Table("ranks", "How often each need takes each rank", columns, rows, 1)


def _central(held: Assessment) -> Table:
    found = held.priorities.found
    columns = (Column("Need"), Column("Chance of being first", "probability", True),
               *(Column(f"Weight of: {one.title.lower()}", "proportion", True) for one in held.priorities.criteria))  # fmt: skip
    rows = []
    for n, need in enumerate(found.needs):
        if found.first[n] > 0:
            weights = (Cell(f"{weight:.4f}", float(weight)) for weight in found.central[n])
            rows.append((_title(held, need), Cell(f"{found.first[n]:.4f}", float(found.first[n])), *weights))
    return Table("central", "Weights under which a need is first", columns, tuple(rows), 1)


def _scores(held: Assessment) -> Table:
    columns = (
        Column("Need"), Column("Criterion"), Column("Median", "", True), Column("Lower 2.5% point", "", True),
        Column("Upper 97.5% point", "", True), Column("Given by"), Column("What it means"),
    )  # fmt: skip
    titles: Mapping[str, str] = {one.id: one.title for one in held.priorities.criteria}
    rows = tuple(
        (
            _title(held, one.need), words(titles[one.criterion]), Cell(f"{one.median:.3g}", one.median), Cell(f"{one.low:.3g}", one.low),
            Cell(f"{one.high:.3g}", one.high), words(one.given_by), words(one.because),
        )
        for one in held.priorities.scores
    )  # fmt: skip
    return Table("scores", "Scores of each need", columns, rows, 2)


def _criteria(held: Assessment) -> Table:
    weights = held.priorities.weights.weights if held.priorities.weights else {}
    used = {one.id for one in held.priorities.criteria}
    scores = [Column(f"Score {n}") for n in range(5)]
    columns = (Column("Criterion"), Column("Used"), Column("Weight"), Column("Asked"), *scores, Column("Why"))
    rows = tuple(
        (
            words(one.title), words("yes" if one.id in used else "no"),
            words(f"{weights[one.id]:g}" if one.id in weights else "not agreed"), words(one.question),
            *(words(anchor) for anchor in one.anchors), words(one.because),
        )
        for one in held.priorities.library.criteria
    )  # fmt: skip
    return Table("criteria", "Criteria and anchors", columns, rows, 1)


def _trail(held: Assessment) -> Table:
    rows = tuple((words(one.when), words(one.who), words(one.what), words(one.why)) for one in held.priorities.trail)
    return Table("trail", "Audit trail", tuple(map(Column, ("When", "Who", "What", "Why"))), rows, 1)


def _findings(held: Assessment) -> Table:
    first = next(iter(held.verdicts.values()))
    columns = (Column("Need"), Column("Level"), *tables.evidence(held, first).columns)
    rows = tuple(
        (_title(held, name), words(found.level), *row)
        for name, found in held.verdicts.items()
        for row in tables.evidence(held, found).rows
    )
    return Table("findings", "Every finding", columns, rows, 1)


def _chapters(held: Assessment) -> Table:
    columns = (
        Column("Chapter"),
        Column("Need"),
        Column("Described"),
        Column("Classes"),
        Column("Sentence of its chapter"),
    )
    rows = []
    for chapter in held.chapters:
        title = f"{chapter.spec.number}. {chapter.spec.title}"
        for need in chapter.needs:
            said = wording.listed(name for _, name in held.placed.classes(need))
            rows.append(
                (
                    words(title),
                    _title(held, need),
                    words("here, and counted here"),
                    words(said or "none"),
                    words("none"),
                )
            )
        for need, there, why in chapter.links:
            rows.append((words(title), _title(held, need), words(f"in {there}"), words("none"), words(why)))
    return Table("chapters", "Needs by chapter", columns, tuple(rows), 2)
