"""Disclosure control: suppression, rounding, and an attacker that must find nothing, before anything is rendered.

A gap gives its count away (estimate less gap is the count), and so do coverage, probabilities, sums and differences. So the
counts are protected first, and everything that rests on them is computed again from what is printed of them: page,
workbook and tables are renderings of protected figures, and a reader can learn no more from them than from the counts as
printed. Those are attacked by integer programming, with everything published before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from hna.answers.answer import Answer
from hna.answers.comparators import Surroundings
from hna.errors import Fault
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.measure.areas import Nesting
from hna.publish.disclosure_audit import suppress
from hna.publish.disclosure_cells import Cell, Release, families
from hna.publish.disclosure_check import leaks
from hna.publish.disclosure_ledger import PublicationLedger
from hna.publish.disclosure_presets import DEFAULT, NONE, DisclosureError, Presets, Rule, read_presets
from hna.publish.disclosure_prints import Print, alone, elsewhere, prints_of
from hna.publish.disclosure_protect import Protector
from hna.publish.report import Report

_APART = ""
"""Key of the rules of counts that belong to no need."""
_REVISED = "counts released earlier were revised since: the earlier figures are no longer set against these"


class Protected(NamedTuple):
    """A report that may be published, and counts that stand beside it, as they are printed."""

    report: Report
    counts: tuple[Known, ...]


def protect(
    report: Report,
    preset: str = DEFAULT,
    ledger: PublicationLedger | None = None,
    *,
    shelf: Shelf | None = None,
    populations: Mapping[str, Sequence[Population]] | None = None,
    nesting: Nesting | None = None,
) -> Report:
    """A report that may be published: see `protected`, of which this is the report."""
    return protected(report, preset, ledger, shelf=shelf, populations=populations, nesting=nesting).report


def protected(
    report: Report,
    preset: str = DEFAULT,
    ledger: PublicationLedger | None = None,
    *,
    shelf: Shelf | None = None,
    populations: Mapping[str, Sequence[Population]] | None = None,
    nesting: Nesting | None = None,
    counts: Sequence[Known] = (),
) -> Protected:
    """A report that may be published, and counts beside it.

    Counts of small numbers are hidden, others rounded, and what rests on them computed again or withheld. Counts that
    their publisher has hidden or rounded stay as published. Draws, and fingerprints of tables of counts, are withheld.

    Parameters
    ----------
    report : every answer, on the counts as they are.
    preset : a rule by name; ``default`` for the one that goes with each kind of count; ``none`` for no protection.
    ledger : everything released before; the cells of this report are staged in it, to be recorded once it is written.
        Without one a report may show areas of one level and one banding of ages only (W1002), and comparators are made of
        areas of that level.
    shelf : rules and lookups of areas; None for those shipped.
    populations : people by need, from which the need is drawn again. Without them limits and probabilities of what rests
        on protected counts are withheld.
    nesting : which areas lie in which; None for the lookups on the shelf.
    counts : counts that are printed by themselves, each of one area and date; everybody counted is printed.

    Raises
    ------
    DisclosureError
        R1001 for a sensitive topic without a rule made for it, R1003 if a count of few people could be worked out, W1002
        if there is more than one geography or banding and no ledger.
    """
    shelf = shelf or Shelf()
    presets = read_presets(shelf)
    presets.check(preset)
    if preset == NONE:
        return Protected(report, tuple(counts))
    rules = _rules(report, presets, preset, counts)
    apart = [alone(one, rules[_APART][one.source.id]) for one in counts]
    prints = [list(prints_of(found, rules[found.model.need])) for found in report.answers]
    others = [list(elsewhere(found, rules[found.model.need])) for found in report.answers]
    everything = [one for some in (*prints, apart, *others) for one in some]
    registers = {one.cell.register for one in everything if one.rule}
    if nesting is None:
        nesting = _nesting(shelf, {one.area for one in everything if one.rule})
    if ledger is None:
        _single([*prints, apart], registers, nesting)
        others = [_beside(own, rest, nesting) for own, rest in zip(prints, others, strict=True)]
        everything = [one for some in (*prints, apart, *others) for one in some]
    releases = _primary(report, everything, registers)
    rule_of = {one.cell.register: one.rule for one in everything if one.rule}
    safe, notes = _protected(releases, rule_of, ledger, nesting)
    answers = []
    for found, own, rest in zip(report.answers, prints, others, strict=True):
        people = (populations or {}).get(found.model.need, ())
        answers.append(Protector(found, own, rest, safe, people, ledger is not None).answer())
    faults = [leak for found in answers for leak in leaks(found)]
    if faults:
        raise DisclosureError(
            Fault("figures give away counts that are not printed", "Report this fault", rows=faults, code="R1003")
        )
    if ledger is not None:
        ledger.stage(safe[cell] for cell in sorted(safe) if cell.register in registers and not safe[cell].public)
    used = dict.fromkeys(rule.name for rule in rule_of.values() if rule)
    arguments = dict(report.arguments)
    if used:
        arguments |= {"disclosure": " and ".join(used), "keep_draws": False}
    elif arguments.get("disclosure") == NONE:
        arguments["disclosure"] = preset
    told = replace(report, answers=tuple(answers), arguments=arguments, notes=(*report.notes, *notes))
    return Protected(told, tuple(one.known(safe[one.cell]) for one in apart))


def _rules(report: Report, presets: Presets, preset: str, apart: Sequence[Known]) -> dict[str, dict[str, Rule | None]]:
    """The rule of every source of counts, by need; None where the publisher's own protection stands."""
    faults: dict[str, Fault] = {}
    rules: dict[str, dict[str, Rule | None]] = {}
    for found in report.answers:
        own: dict[str, Rule | None] = {}
        used = {ledger.known for ledger in found.ledgers}
        for counts in found.known:
            source = counts.source
            own[source.id] = None if source.disclosure is not None else presets.rule(preset, source)
            fault = presets.refusal(preset, source, found.model)
            if fault is not None and source.disclosure is None and source.id in used:
                faults[str(fault)] = fault
        rules[found.model.need] = own
    rules[_APART] = {}
    for source in (held.source for held in apart):
        rules[_APART][source.id] = None if source.disclosure is not None else presets.rule(preset, source)
        fault = presets.refusal(preset, source)
        if fault is not None and source.disclosure is None:
            faults[str(fault)] = fault
    if faults:
        raise DisclosureError(faults.values())
    return rules


def _nesting(shelf: Shelf, areas: set[str]) -> Nesting:
    """Which of some areas lie in which, with all that lie beside them."""
    if len(areas) < 2:
        return Nesting({})
    around = Surroundings(shelf)
    merged: dict[str, tuple[str, ...]] = {}
    for code in sorted({area[:3]: area for area in sorted(areas, reverse=True)}.values()):
        for child, parents in around.nesting(code).parents.items():
            merged[child] = tuple(dict.fromkeys((*merged.get(child, ()), *parents)))
    return Nesting(merged)


def _single(prints: Sequence[Sequence[Print]], registers: set[str], nesting: Nesting) -> None:
    """Refuse more than one geography or banding where nobody knows what was released before."""
    held: dict[str, list[Cell]] = {}
    for one in (one for some in prints for one in some if one.cell.register in registers):
        held.setdefault(one.cell.register, []).append(one.cell)
    wrong = []
    for register, cells in held.items():
        areas = sorted({cell.area for cell in cells})
        wrong += [f"{area} lies in {above}" for area in areas for above in nesting.ancestors(area) if above in areas]
        wrong += [f"{said} ({register})" for said in _crossing({(cell.low, cell.end) for cell in cells})]
    if wrong:
        what = "without a ledger of what was released, areas of one level and one banding of ages can be published"
        remedy = "Name the folder of the ledger, or print one of these only"
        raise DisclosureError(Fault(what, remedy, rows=list(dict.fromkeys(wrong)), code="W1002"))


def _beside(own: Sequence[Print], others: Sequence[Print], nesting: Nesting) -> list[Print]:
    """Counts of other areas that neither hold nor lie in those of the report: comparisons read no second level of area."""
    areas = {one.area for one in own if one.rule}
    above = {code for area in areas for code in nesting.ancestors(area)}
    return [one for one in others if one.area not in above and not areas.intersection(nesting.ancestors(one.area))]


def _crossing(bands: set[tuple[int, int]]) -> list[str]:
    """Bands of age that are neither apart nor made up of each other, so that a difference of them is a group of its own."""
    found = []
    for low, end in sorted(bands):
        said = f"{low}-{end - 1}"
        found += [f"{said} and {a}-{b - 1}" for a, b in sorted(bands) if low < a < end < b]
        inner = [(a, b) for a, b in bands if low <= a and b <= end and (a, b) != (low, end)]
        largest = sorted(
            one for one in inner if not any(a <= one[0] and one[1] <= b and (a, b) != one for a, b in inner)
        )
        edges = [low, *(edge for one in largest for edge in one), end]
        if largest and edges[::2] != edges[1::2]:
            found.append(f"{said} and {', '.join(f'{a}-{b - 1}' for a, b in largest)}")
    return found


def _primary(report: Report, everything: Iterable[Print], registers: set[str]) -> dict[Cell, Release]:
    """What each rule makes of each count by itself."""
    people: dict[tuple[object, ...], float] = {}
    for found in report.answers:
        table = found.figures[found.figures["quantity"] == "population"]
        for row in table.to_dict("records"):
            people[found.model.need, row["area_code"], int(row["year"]), row["sex"], row["age_band"]] = row["estimate"]
    releases: dict[Cell, Release] = {}
    faults = []
    for one in everything:
        if one.cell.register not in registers:
            releases.setdefault(one.cell, one.primary(None))
            continue
        _, sex, age = one.subgroup
        key = (one.need, one.area, one.year, sex, age)
        own_ages = one.aligned and (one.cell.low, one.cell.end) == _ages(report, one)
        new = one.primary(people.get(key) if own_ages else None)
        old = releases.get(one.cell)
        if old is not None and old.truth is not None and new.truth is not None and old.truth != new.truth:
            faults.append(f"{one.cell}: {one.counts.source.id} and another source")
        releases[one.cell] = new if old is None or new.hidden else old
    if faults:
        what = "two sources count the same people differently, and the difference would be published"
        raise DisclosureError(Fault(what, "Use one of them, or mend the records", rows=faults, code="R1003"))
    return releases


def _ages(report: Report, one: Print) -> tuple[int, int]:
    """Ages that a figure speaks of."""
    found: Answer = next(found for found in report.answers if found.model.need == one.need)
    if one.subgroup[2] != "all":
        return one.cell.low, one.cell.end
    band = found.model.band
    return band.low, one.cell.end if band.high is None else band.high + 1


def _protected(
    releases: Mapping[Cell, Release],
    rule_of: Mapping[str, Rule | None],
    ledger: PublicationLedger | None,
    nesting: Nesting,
) -> tuple[dict[Cell, Release], list[str]]:
    """What is printed of each cell, so that nobody can be found out, with what was printed before."""
    before = [one for one in (ledger.released if ledger else []) if one.cell.register in rule_of]
    notes: dict[str, None] = {}
    kept = []
    for one in before:
        truth = releases[one.cell].truth if one.cell in releases else None
        if truth is not None and not one.hidden and not one.lower <= truth <= one.upper:
            notes[_REVISED] = None
        else:
            kept.append(one)
    known = {one.cell: one for one in kept if not one.hidden}
    said = {one.cell for one in kept}
    system: list[Release] = list(kept)
    for cell, one in releases.items():
        already = known.get(cell)
        if already is None and (cell not in said or not one.hidden):
            system.append(one)
        elif already is not None and not one.hidden and (one.lower > already.lower or one.upper < already.upper):
            # A finer print of what was printed before is news.
            system.append(one)
    safe = dict(releases)
    for family in families(system, nesting):
        rule = rule_of.get(family[0].cell.register)
        if rule is None:
            continue
        try:
            found = suppress(family, rule, nesting)
        except ValueError:
            notes[_REVISED] = None
            found = suppress([one for one in family if one.cell in releases and not one.public], rule, nesting)
        for one in found:
            if not one.public:
                safe[one.cell] = one
    return safe, list(notes)
