"""The tables of the workbook: one a kind, every need in each, numbers unrounded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hna.publish import wording
from hna.publish.codes import in_words, kind_of
from hna.publish.content import Cell, Column, Footnote, Items, Need, Sheet, Table
from hna.publish.facts import Cut, NeedFacts
from hna.publish.maps import maps_of
from hna.publish.rounding import Value
from hna.publish.tables import shown

ABSENT, HIDDEN, LOW = "[x]", "[c]", "[low]"


def sheets_of(
    held: Sequence[NeedFacts], needs: Sequence[Need], sources: Sequence[Footnote], level: float
) -> tuple[Sheet, ...]:
    """The sheets of the workbook, those without rows left out."""
    limits = f"{100 * level:g}%"
    named = {facts.model.need: shown(facts.model.title) for facts in held}
    tables: list[tuple[str, Table, str]] = [
        ("Summary", _summary(held, limits), "one row a need and area"),
        ("By year", _by_year(held, limits), "everybody with the need, by severity and year"),
        ("By subgroup", _by_subgroup(held, limits), "by severity, sex and age, for the latest estimate of population"),
        ("Gap", _gap(held, limits), "estimate against count, by severity, sex and age where both sides have them"),
        ("Comparisons", _comparisons(held, limits), "one row a need, area, quantity and comparator"),
        ("Maps", maps_of(held), "one row a need and authority of the regions drawn; single values without intervals"),
        ("Same people", _joined(needs, named, "-ledger-", "Whether estimate and count are of the same people"), "alignment ledger"),
        ("Steps", _joined(needs, named, "-steps", "What each step did to the interval"), "first area, latest year of estimate"),
        ("Assumptions", _listed(needs, named, "-assumptions", "What was assumed, and why"), "errors, judged ranges, methods"),
        ("Studies", _joined(needs, named, "-evidence", "The studies that the estimates rest on"), "studies of prevalence and severity"),
        ("Missing data", _joined(needs, named, "-missing", "Missing core data"), "what is not to hand, and what cannot be said without it"),
        ("Best practice", _listed(needs, named, "-practice", "National best practice"), "national guidance"),
        ("Limits", _limits(held), "printed in every report"),
        ("Flags", _flags(held), "diagnostic codes raised in this report"),
        ("Sources", _sources(sources), "everything that the report rests on"),
    ]  # fmt: skip
    last = f" to {sources[-1].number}" if len(sources) > 1 else ""
    source = f"hna, from the references numbered 1{last} on the Sources worksheet"
    return tuple(Sheet(name, table, source, scope) for name, table, scope in tables if table.rows)


def number(value: float | None, hidden: bool = False, people: bool = False) -> Cell:
    """A number as stored, or the shorthand for why there is none."""
    if value is None:
        return Cell(HIDDEN if hidden else ABSENT)
    if people and 0 < abs(value) < 0.5:
        return Cell(LOW)
    return Cell(f"{value:,.6g}", float(value))


def triple(value: Value | None) -> tuple[Cell, Cell, Cell]:
    """Estimate, lower and upper limit of a figure."""
    if value is None:
        return number(None), number(None), number(None)
    people = value.unit == "people"
    withheld = "N1004" in value.flags
    hidden = value.estimate is None and (value.lower is not None or withheld)
    return (
        number(value.estimate, hidden, people),
        number(value.lower, withheld, people),
        number(value.upper, withheld, people),
    )


def words(text: object) -> Cell:
    """Text, or the mark for absence."""
    return Cell(shown(str(text)) or ABSENT)


def _three(name: str, unit: str, limits: str) -> tuple[Column, Column, Column]:
    return (
        Column(name, unit, True), Column(f"{name}, lower {limits} limit", unit, True),
        Column(f"{name}, upper {limits} limit", unit, True),
    )  # fmt: skip


def _chance(value: Value | None) -> Cell:
    return number(None) if value is None else number(value.estimate, hidden=True)


def _summary(held: Sequence[NeedFacts], limits: str) -> Table:
    columns = (
        Column("Need"), Column("Area"), Column("Area code"), Column("Year of estimate", "", True), *_three("Estimated", "people", limits),
        Column("Date of count"), *_three("Estimated at the count", "people", limits), *_three("Known", "people", limits),
        *_three("Gap", "people", limits), *_three("Coverage", "proportion", limits),
        Column("Chance of a gap", "probability", True), Column("Chance that known exceeds estimated", "probability", True),
    )  # fmt: skip
    rows = []
    for facts in held:
        for place in facts.areas:
            compared = place.comparisons[-1] if place.comparisons else None
            figures = compared.figures if compared else {}
            dates = (
                wording.listed(dict.fromkeys(source.reference_date for source in compared.sources))
                if compared
                else ABSENT
            )
            gap = figures.get("gap")
            rows.append((
                words(facts.model.title), words(wording.name_of(place.area)), words(place.area.code), number(place.base_year),
                *triple(facts.value(place.area, place.base_year, "need")), words(dates), *triple(figures.get("need")),
                *triple(figures.get("known")), *triple(gap), *triple(figures.get("coverage")),
                number(gap.probability if gap else None, hidden=gap is not None), _chance(figures.get("p_known_exceeds_need")),
            ))  # fmt: skip
    return Table("summary", "Estimated need, people known to services and the gap", columns, tuple(rows), 3)


def _places(facts: NeedFacts, cuts: Sequence[Cut], base_only: bool) -> Iterator[tuple[Cell, ...]]:
    for place in facts.areas:
        years = (place.base_year,) if base_only else place.years
        for year in years:
            for cut in cuts:
                need = facts.value(place.area, year, "need", cut)
                if need is None:
                    continue
                people = facts.value(place.area, year, "population", cut)
                yield (
                    words(facts.model.title), words(cut.severity or "all"), words(wording.name_of(place.area)),
                    words(place.area.code), number(year), words(cut.sex), words(cut.age),
                    number(people.estimate if people else None), *triple(need),
                    *triple(facts.value(place.area, year, "prevalence", cut)), words(" ".join(need.flags) or "none"),
                )  # fmt: skip


def _columns(limits: str) -> tuple[Column, ...]:
    return (
        *(Column(name) for name in ("Need", "Severity", "Area", "Area code")), Column("Year", "", True), Column("Sex"), Column("Ages"),
        Column("Population", "people", True), *_three("Estimated", "people", limits), *_three("Prevalence", "proportion", limits),
        Column("Flags"),
    )  # fmt: skip


def _by_year(held: Sequence[NeedFacts], limits: str) -> Table:
    rows = [
        row for facts in held
        for row in _places(facts, [cut for cut in facts.cuts if cut.age == "all" and cut.sex == facts.model.sex], False)
    ]  # fmt: skip
    title = f"People estimated to have each need, by year, {wording.CONTINUE}"
    return Table("by-year", title, _columns(limits), tuple(rows), 7)


def _by_subgroup(held: Sequence[NeedFacts], limits: str) -> Table:
    rows = [
        row for facts in held
        for row in _places(facts, [cut for cut in facts.cuts if cut.age != "all" or cut.sex != facts.model.sex], True)
    ]  # fmt: skip
    return Table("by-subgroup", "People estimated to have each need, by sex and age", _columns(limits), tuple(rows), 7)


def _gap(held: Sequence[NeedFacts], limits: str) -> Table:
    columns = (
        *(Column(name) for name in ("Need", "Severity", "Area", "Area code")), Column("Year", "", True), Column("Sex"), Column("Ages"),
        *_three("Estimated", "people", limits), *_three("Known", "people", limits), *_three("Gap", "people", limits),
        *_three("Gap added up where positive", "people", limits), *_three("Coverage", "proportion", limits),
        Column("Chance of a gap", "probability", True), Column("Chance that known exceeds estimated", "probability", True),
        Column("Flags"),
    )  # fmt: skip
    rows = []
    for facts in held:
        for place in facts.areas:
            for compared in place.comparisons:
                for cut in facts.cuts:
                    found = {
                        name: facts.value(place.area, compared.year, name, cut)
                        for name in ("need", "known", "gap", "gap_positive", "coverage", "p_known_exceeds_need")
                    }
                    gap = found["gap"]
                    if gap is None:
                        continue
                    rows.append((
                        words(facts.model.title), words(cut.severity or "all"), words(wording.name_of(place.area)),
                        words(place.area.code), number(compared.year), words(cut.sex), words(cut.age),
                        *(part for name in ("need", "known", "gap", "gap_positive", "coverage") for part in triple(found[name])),
                        number(gap.probability, hidden=True), _chance(found["p_known_exceeds_need"]), words(" ".join(gap.flags)),
                    ))  # fmt: skip
    return Table("gap", "The gap between estimated need and people known to services", columns, tuple(rows), 7)


def _comparisons(held: Sequence[NeedFacts], limits: str) -> Table:
    """The rows of comparisons.csv; a value's unit stands in its row, since shares and people are in one column."""
    columns = (
        *(Column(name) for name in ("Need", "Severity", "Area", "Area code")), Column("Year", "", True),
        *(Column(name) for name in ("What is compared", "Comparator", "Name of comparator", "Unit")),
        *_three("Value", "", limits), *_three("Comparator's value", "", limits), *_three("Difference", "", limits),
        Column("Difference", "people", True), Column("Chance that the area is higher", "probability", True), Column("n", "people", True),
        Column("Authorities pooled", "", True), Column("Neighbours without a count", "", True),
        Column("Share of people in the authorities pooled", "proportion", True), Column("Period"), Column("Which way is good"),
        Column("Verdict"), Column("Sentence"), Column("Method"), Column("Level", "", True), Column("Flags"),
    )  # fmt: skip
    rows = []
    for facts in held:
        for row in facts.answer.comparisons.to_dict("records"):
            unit = str(row["unit"])
            three = (
                ("estimate", "lower", "upper"), ("comparator_value", "comparator_lower", "comparator_upper"),
                ("difference", "difference_lower", "difference_upper"),
            )  # fmt: skip
            rows.append((
                words(facts.model.title), words(row["severity"] or "all"), words(wording.shortened(str(row["area_name"]))),
                words(row["area_code"]), number(row["year"]),
                *(words(row[name]) for name in ("quantity", "comparator", "comparator_name", "unit")),
                *(part for names in three for part in triple(_value(row, names, unit))),
                *(number(_held(row, name)) for name in ("people", "p_higher", "n", "members", "missing", "covered")),
                *(words(row[name]) for name in ("period", "polarity", "verdict", "sentence", "method")),
                number(_held(row, "level")), words(row["flags"] or "none"),
            ))  # fmt: skip
    return Table("comparisons", "How each area compares", columns, tuple(rows), 8)


def _value(row: Mapping[Any, Any], names: tuple[str, str, str], unit: str) -> Value:
    estimate, lower, upper = (_held(row, name) for name in names)
    return Value(estimate, lower, upper, unit=unit)


def _held(row: Mapping[Any, Any], name: str) -> float | None:
    value = row[name]
    return None if not isinstance(value, int | float) or math.isnan(value) else float(value)


def _joined(needs: Sequence[Need], named: dict[str, str], key: str, title: str) -> Table:
    """The tables of one kind, one under another, with the need and the table's own title in front."""
    columns: tuple[Column, ...] = ()
    rows: list[tuple[Cell, ...]] = []
    for need in needs:
        for part in need.parts:
            for block in part.blocks:
                if isinstance(block, Table) and block.id.startswith(f"{need.id}{key}"):
                    columns = columns or (
                        Column("Need"),
                        Column("Table"),
                        *(Column(column.name) for column in block.columns),
                    )
                    rows += [
                        (words(named[need.id]), words(block.title), *(Cell(cell.words) for cell in row))
                        for row in block.rows
                    ]
    return Table(key.strip("-"), title, columns, tuple(rows), 2)


def _listed(needs: Sequence[Need], named: dict[str, str], key: str, title: str) -> Table:
    """The lists of one kind: need, term, text and address."""
    rows = [
        (words(named[need.id]), words(item.term), words(item.text), words(item.url))
        for need in needs for part in need.parts if part.id == f"{need.id}{key}"
        for block in part.blocks if isinstance(block, Items) for item in block.items
    ]  # fmt: skip
    columns = tuple(Column(name) for name in ("Need", "What", "In words", "Address"))
    return Table(key.strip("-"), title, columns, tuple(rows), 2)


def _limits(held: Sequence[NeedFacts]) -> Table:
    rows = tuple((words(facts.model.title), words(facts.model.limits)) for facts in held if facts.model.limits)
    return Table("limits", "What these numbers cannot bear", (Column("Need"), Column("Limits")), rows)


def _flags(held: Sequence[NeedFacts]) -> Table:
    codes = sorted({code for facts in held for code in facts.flags})
    rows = tuple(
        (words(code), words(kind_of(code)), words(in_words(code)),
         words("; ".join(shown(facts.model.title) for facts in held if code in facts.flags)))
        for code in codes
    )  # fmt: skip
    return Table("flags", "Warnings and notes", tuple(map(Column, ("Code", "Kind", "In words", "Needs"))), rows)


def _sources(sources: Sequence[Footnote]) -> Table:
    rows = tuple(
        (Cell(str(note.number), float(note.number)), words(note.text), words(note.licence), words(note.url))
        for note in sources
    )
    columns = (Column("Number", "", True), Column("Reference"), Column("Terms of use"), Column("Address"))
    return Table("sources", "Sources", columns, rows)
