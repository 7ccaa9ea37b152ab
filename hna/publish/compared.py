"""How each area compares: its values beside region, England and statistical neighbours, in controlled words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hna.answers.comparison import WHOLE, signals
from hna.evidence.source import AreasSource
from hna.measure.areas import Area
from hna.publish import wording
from hna.publish.content import Block, Cell, Column, Paragraph, Table
from hna.publish.facts import NeedFacts
from hna.publish.figures import ABSENT, ids, text
from hna.publish.report import Report
from hna.publish.rounding import Value, plain, rounded, say_percent, step_of
from hna.publish.tables import comparisons, shown

Row = Mapping[str, Any]
QUANTITIES = {"coverage": "Coverage", "gap": "Gap", "prevalence": "Expected prevalence"}
UNTESTED = "Not tested"
_FOLDED = 4
_REASON = "not statistically compared because "


def compared(facts: NeedFacts, refs: Mapping[str, int]) -> Iterator[Block]:
    """One table an area, and once for the need what was not tested and what a comparator leaves out."""
    rows = [row for place in facts.areas for row in _rows(facts, place.area)]
    if not rows:
        return
    tested = any(_tested(row) for row in rows)
    yield Paragraph(
        "Each value stands beside that of the region, of England and of the statistical neighbours where there is one. The area "
        f"is part of its region and of England as they are shown{', and is taken out of them for the test' if tested else ''}."
    )
    lookups = [source.id for source in facts.answer.citations if isinstance(source, AreasSource)]
    cited = (*ids(facts, refs, known=True), *(refs[name] for name in lookups if name in refs))
    for n, place in enumerate(facts.areas, start=1):
        own = _rows(facts, place.area)
        if own:
            name = wording.name_of(place.area)
            yield Table(
                f"{facts.model.need}-beside-{n}", f"{shown(facts.model.title)}: how {name} compares", _columns(own[0]),
                tuple(_line(row) for row in own), 2, _note(own), cited, folded=len(facts.areas) > _FOLDED,
            )  # fmt: skip
    for said in (*_untested(rows), *_short(rows)):
        yield Paragraph(said, (), "note")


def apart(facts: NeedFacts, area: Area) -> str:
    """The verdicts on an area's coverage that were tested and found significant, with how far it is apart; or nothing."""
    said, name = [], ""
    for row in _rows(facts, area):
        if row["quantity"] == "coverage" and str(row["verdict"]).startswith("sig_"):
            name = _named(row)
            value = _scaled(row, "difference", "difference_lower", "difference_upper")
            step = step_of(value)
            far = sorted(abs(end) for end in (value.lower, value.upper) if end is not None)
            limits = " to ".join(plain(end, step) for end in far)
            size = plain(abs(value.estimate or 0.0), step)
            said.append(f"{shown(str(row['sentence']))}, by {size} ({limits}) percentage points.")
    return f"{name} compared: {' '.join(said)}" if said else ""


def signals_of(report: Report) -> str:
    """How many tests a report holds, how many are significant, and how many would be by chance; nothing without tests."""
    if all(found.comparisons.empty for found in report.answers):
        return ""
    found = signals(comparisons(report), report.level)
    return wording.signals(found, report.level) if found.tested else ""


def _rows(facts: NeedFacts, area: Area) -> list[Row]:
    """An area's rows: coverage first, as it is tested; comparators in their own order."""
    order = list(QUANTITIES)
    return sorted(facts.beside.get(area.code, []), key=lambda row: order.index(str(row["quantity"])))


def _columns(row: Row) -> tuple[Column, ...]:
    level = f"{100 * float(row['level']):g}%"
    return (
        Column("What is compared"), Column("With"), Column("Here", f"{level} interval", True),
        Column("Comparator", f"{level} interval", True), Column("Difference", f"{level} interval", True),
        Column("How the area is doing"), Column("n", "people", True),
    )  # fmt: skip


def _line(row: Row) -> tuple[Cell, ...]:
    here = _scaled(row, "estimate", "lower", "upper")
    beside = _scaled(row, "comparator_value", "comparator_lower", "comparator_upper")
    difference = _scaled(row, "difference", "difference_lower", "difference_upper")
    # What has no limits of its own is printed no finer than the area's value.
    step = step_of(here, _finest(row))
    share = row["unit"] == "proportion"
    sign = "%" if share else ""
    n = _number(row["n"])
    how = UNTESTED if row["verdict"] == "not_tested" else str(row["sentence"])
    return (
        text(_named(row) if share else f"{_named(row)} (people)"), text(_beside(row)), _cell(row, "estimate", here, step, sign, sign),
        _cell(row, "comparator_value", beside, _step(row, beside, step), sign, sign),
        _cell(row, "difference", difference, _step(row, difference, step), " points" if share else "", ""), text(how),
        Cell(ABSENT) if n is None else Cell(plain(rounded(n, _people(n)), _people(n)), n),
    )  # fmt: skip


def _cell(row: Row, name: str, value: Value, step: float, sign: str, of_limits: str) -> Cell:
    limits = ""
    if value.lower is not None and value.upper is not None and value.lower != value.upper:
        limits = f"{plain(value.lower, step)}{of_limits} to {plain(value.upper, step)}{of_limits}"
    if value.estimate is None:
        return Cell(limits or ABSENT)
    said = plain(value.estimate, step)
    of_one = sign.removesuffix("s") if said.removeprefix("−") == "1" else sign
    return Cell(f"{said}{of_one}", _number(row[name]), limits)


def _scaled(row: Row, name: str, low: str, high: str) -> Value:
    """A value as it is printed: per cent, or people."""
    scale = 100.0 if row["unit"] == "proportion" else 1.0
    estimate, lower, upper = (_number(row[each]) for each in (name, low, high))
    parts = [None if part is None else part * scale for part in (estimate, lower, upper)]
    return Value(parts[0], parts[1], parts[2])


def _number(value: object) -> float | None:
    return None if not isinstance(value, int | float) or math.isnan(value) else float(value)


def _finest(row: Row) -> float:
    return 0.0 if row["unit"] == "proportion" else 1.0


def _step(row: Row, value: Value, otherwise: float) -> float:
    return otherwise if value.half is None else step_of(value, _finest(row))


def _people(n: float) -> float:
    """Three figures of a number of people."""
    return step_of(Value(n, None, None), 1.0)


def _named(row: Row) -> str:
    """Coverage and gap are apparent where not everyone counted need have the need."""
    name = QUANTITIES[str(row["quantity"])]
    apparent = row["quantity"] != "prevalence" and "N701" in str(row["flags"]).split()
    return f"Apparent {name.lower()}" if apparent else name


def _beside(row: Row) -> str:
    return "Statistical neighbours" if row["comparator"] == "statistical-neighbours" else str(row["comparator_name"])


def _period(row: Row) -> str:
    return wording.dated(str(row["period"]))


def _tested(row: Row) -> bool:
    return not str(row["verdict"]).startswith("not_")


def _note(rows: list[Row]) -> str:
    said = ["Rounded to what the intervals support, so figures may not add up."]
    if any(row["unit"] == "proportion" for row in rows):
        said.append("Points are percentage points.")
    if any(row["quantity"] == "gap" for row in rows):
        said.append("The comparator of the gap is the gap that there would be here at the comparator's coverage.")
    if any(_tested(row) for row in rows):
        protected = any("N1005" in str(row["flags"]).split() for row in rows)
        said.append(f"Verdicts rest on {'counts as they are printed' if protected else 'unrounded numbers'}.")
    tested = dict.fromkeys(str(row["method"]) for row in rows if _tested(row))
    said += [wording.sentence(f"Method: {method}") for method in tested]
    periods: dict[str, dict[str, None]] = {}
    for row in rows:
        periods.setdefault(_period(row), {})[_named(row)] = None
    said += [f"Period of {_together(names)}: {shown(period)}." for period, names in periods.items()]
    marked = any(_number(row[name]) is None for row in rows for name in ("comparator_value", "difference", "n"))
    return " ".join([*said, *([f"{ABSENT} means not available."] if marked else [])])


def _together(names: Iterable[str]) -> str:
    return wording.listed(name.lower() for name in names)


def _untested(rows: list[Row]) -> Iterator[str]:
    """Once for the need: what was not tested, and why."""
    why: dict[str, dict[str, None]] = {}
    for row in rows:
        if row["verdict"] == "not_tested":
            reason = str(row["sentence"]).partition(_REASON)[2]
            why.setdefault(reason, {})[_named(row)] = None
    for reason, names in why.items():
        said = _together(names)
        yield f"{said[0].upper()}{said[1:]}: {_REASON}{shown(reason)}."
    few = dict.fromkeys(
        f"{_beside(row)} for {wording.shortened(str(row['area_name']))}"
        for row in rows
        if row["verdict"] == "not_comparable" and "R862" in str(row["flags"]).split()
    )
    if few:
        yield f"Too many of these authorities have no figure for their average to be stated (R862): {'; '.join(few)}."


def _short(rows: list[Row]) -> Iterator[str]:
    """Once for the need: comparators of which some authorities have no count."""
    held = [row for row in rows if row["quantity"] == "coverage" and row["verdict"] != "not_comparable"]
    said = []
    for row in held:
        covered, missing = _number(row["covered"]), int(_number(row["missing"]) or 0)
        if missing:
            area = wording.shortened(str(row["area_name"]))
            said.append(
                f"{missing} of the statistical neighbours of {area} {'has' if missing == 1 else 'have'} no count"
            )
        elif covered is not None and covered < WHOLE:
            share = say_percent(min(covered, 0.99))
            said.append(
                f"the value of {_beside(row)} is that of the authorities with a count, where {share} of its people live"
            )
    yield from (f"{wording.sentence(each)[:-1]} (W861)." for each in dict.fromkeys(said))
