"""Rates that were found in places: what the estimate of each rests on, and how far it is drawn to what others say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hna.answers.answer import Answer
from hna.measure.areas import Area
from hna.model.places import Places, Told
from hna.publish import wording
from hna.publish.content import Block, Cell, Column, Paragraph, Table
from hna.publish.facts import NeedFacts
from hna.publish.rounding import Value, plain
from hna.publish.tables import shown


def lead(answer: Answer, area: Area, year: int, need: Value, level: float) -> str:
    """The sentence with which an estimate opens, by what its rate rests on."""
    told = told_of(answer, area)
    universe = answer.rates.universe
    if told is None:
        return wording.expected(area, universe, year, need, level)
    answers = answer.model.prevalence.combine == "survey"
    return wording.found(area, universe, year, need, level, answers=answers, here=told.people > 0)


def told_of(answer: Answer, area: Area) -> Told | None:
    """What the rate of an area rests on, where rates were found in places."""
    local = answer.rates.local
    return local.told(area.code) if isinstance(local, Places) else None


def shrinkage(facts: NeedFacts) -> Iterator[Block]:
    """What the rate of each assessed area rests on, where rates were found in places."""
    told = [(place.area, told_of(facts.answer, place.area)) for place in facts.areas]
    answers = facts.model.prevalence.combine == "survey"
    rows = [
        (
            Cell(wording.name_of(area)), Cell(plain(one.people), one.people) if one.people else Cell("none"),
            Cell("sum of its places") if one.shrinkage is None else Cell(f"{100 * one.shrinkage:.0f}%", one.shrinkage),
        )
        for area, one in told if one is not None
    ]  # fmt: skip
    if not rows:
        return
    whom = "Answers given here" if answers else "People counted among"
    columns = (Column("Area"), Column(whom, "people", True), Column("Shrinkage", "per cent", True))
    note = (
        "Shrinkage is how much of the difference of a place from places like it is drawn from them: 0% where its own data "
        "settle it, 100% where it has none."
    )
    title = f"{shown(facts.model.title)}: what the rate of each place rests on"
    yield Table(f"{facts.model.need}-shrinkage", title, columns, tuple(rows), 1, note, folded=len(rows) > _FOLDED)
    alone = [wording.name_of(area) for area, one in told if one is not None and not one.people]
    if alone:
        yield Paragraph(f"No data of their own, predicted from the others: {wording.listed(alone)}.", (), "note")


_FOLDED = 12


def record(answer: Answer) -> dict[str, Any]:
    """The same for run.json, by area code; empty where rates were not found in places."""
    codes = dict(zip(answer.figures["area_code"], answer.figures["area_name"], strict=True))
    told = {code: told_of(answer, Area(str(code), str(name))) for code, name in codes.items()}
    return {
        str(code): {"people": one.people, "shrinkage": one.shrinkage} for code, one in told.items() if one is not None
    }
