"""Figures in cells, and the tables that hold every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hna.publish import wording
from hna.publish.content import Block, Cell, Column, Table
from hna.publish.facts import NeedFacts
from hna.publish.rounding import Value, plain, say, say_chance
from hna.publish.tables import shown

ABSENT = "[x]"
Refs = Mapping[str, int]


def cell(value: Value | None) -> Cell:
    """A figure with its interval, rounded; the mark for absence where there is none."""
    if value is None:
        return Cell(ABSENT)
    said = say(value)
    return Cell(said.number, value.estimate, said.interval) if said.number else Cell(said.interval)


def text(words: object) -> Cell:
    """Words in a cell, or the mark for absence."""
    return Cell(shown(str(words)) if words not in (None, "") else ABSENT)


def ids(facts: NeedFacts, refs: Refs, known: bool = False) -> tuple[int, ...]:
    """Footnotes of a need's studies, and of its counts where they are known."""
    held = [source.id for source in facts.prevalences]
    if known:
        held += [counts.source.id for counts in facts.answer.known]
    return tuple(refs[name] for name in held if name in refs)


def every_figure(facts: NeedFacts, refs: Refs) -> Iterator[Block]:
    """Every estimate by area, severity, sex, age and year, and every gap by subgroup."""
    whole = {facts.whole}
    for cuts, key, title in (
        ([each for each in facts.cuts if each in whole or each.age == "all"], "all", "by year, severity and sex"),
        ([each for each in facts.cuts if each.age != "all"], "ages", "by year, severity, sex and age"),
    ):
        if not cuts:
            continue
        years = sorted({year for place in facts.areas for year in place.years})
        columns = (*(Column(name) for name in ("Area", "Severity", "Sex", "Ages")),
                   *(Column(wording.middle(year), "people", True) for year in years))  # fmt: skip
        rows = tuple(
            (text(wording.name_of(place.area)), text(each.severity or "all"), text(each.sex), text(each.age),
             *(_whole(facts.value(place.area, year, "need", each)) for year in years))
            for place in facts.areas for each in cuts
        )  # fmt: skip
        yield Table(
            f"{facts.model.need}-all-{key}", f"{shown(facts.model.title)}: people estimated {title}", columns, rows, 4,
            "To the nearest person, so that they can be checked; gap.csv and the workbook hold them unrounded.",
            ids(facts, refs), folded=True, filters=True,
        )  # fmt: skip
    yield from _subgroup_gaps(facts, refs)


def _whole(value: Value | None) -> Cell:
    if value is None or value.lower is None or value.upper is None:
        return Cell(ABSENT)
    limits = f"{plain(value.lower)} to {plain(value.upper)}"
    return Cell(limits) if value.estimate is None else Cell(plain(value.estimate), value.estimate, limits)


def _subgroup_gaps(facts: NeedFacts, refs: Refs) -> Iterator[Block]:
    cuts = [each for each in facts.cuts if each != facts.whole]
    rows: list[Sequence[Cell]] = []
    for place in facts.areas:
        for compared in place.comparisons:
            for each in cuts:
                gap = facts.value(place.area, compared.year, "gap", each)
                if gap is not None:
                    found = [
                        facts.value(place.area, compared.year, name, each)
                        for name in ("need", "known", "gap", "coverage")
                    ]
                    rows.append((
                        text(wording.name_of(place.area)), text(wording.middle(compared.year)), text(each.severity or "all"),
                        text(each.sex), text(each.age), *(cell(value) for value in found), text(say_chance(gap.probability)),
                    ))  # fmt: skip
    if rows:
        names = ("Area", "Date", "Severity", "Sex", "Ages")
        columns = (*map(Column, names), *(Column(name, unit, True) for name, unit in (
            ("Estimated", "people"), ("Known", "people"), ("Gap", "people"), ("Coverage", "per cent"),
            ("Chance of a gap", "per cent"))))  # fmt: skip
        yield Table(
            f"{facts.model.need}-gaps", f"{shown(facts.model.title)}: the gap by subgroup", columns,
            tuple(tuple(row) for row in rows), 5, "", ids(facts, refs, known=True), folded=True, filters=True,
        )  # fmt: skip
