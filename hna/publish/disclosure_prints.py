"""Which counts a report prints, and of whom: every figure that rests on a count that its publisher did not protect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hna.answers.answer import Answer
from hna.answers.known_people import rows_beside, rows_for
from hna.answers.ledger import Ledger, bridged, nearest
from hna.evidence.known import Known
from hna.evidence.source import Disclosure, KnownSource
from hna.measure.ages import OLDEST, AgeBand
from hna.model.spec import KnownUse
from hna.publish.disclosure_cells import PERSONS, Cell, Release, kind_of
from hna.publish.disclosure_presets import Rule

MARK = "[c]"
REGION = "E12"
NATIONS = ("E92", "W92", "S92", "N92", "K02", "K03", "K04")
Place = tuple[str, int]
Subgroup = tuple[str, str, str]
"""Severity, sex and age band, as in gap.csv."""


@dataclass(frozen=True, eq=False)
class Print:
    """One count of one service, as one figure prints it.

    Parameters
    ----------
    need, area, year : of the figure.
    subgroup : of the figure; of a refused gap, everybody.
    counts : the rows that are added up.
    use : how the model uses them.
    cell : the people.
    rule : what is done to it; None where the publisher's own protection stands.
    aligned : whether a gap is formed.
    """

    need: str
    area: str
    year: int
    subgroup: Subgroup
    counts: Known
    use: KnownUse
    cell: Cell
    rule: Rule | None
    aligned: bool

    @property
    def truth(self) -> float:
        """The count."""
        return float(self.counts.count.sum())

    @property
    def exempt(self) -> bool:
        """Whether it is of a whole nation, and the rule leaves those alone."""
        return self.rule is not None and self.rule.national_exempt and self.area.startswith(NATIONS)

    def primary(self, population: float | None) -> Release:
        """What the rule makes of it by itself: hidden, rounded, or as it is."""
        rule, count = self.rule, self.truth
        if rule is None:
            return Release(self.cell, float(self.counts.lower.sum()), float(self.counts.upper.sum()), public=True)
        found = Release(self.cell, count, count, largest=rule.threshold, truth=count)
        if self.exempt or count == 0:
            return found
        if rule.small(count):
            return replace(found.withheld(), small=True)
        if population is not None and (population < rule.population_below or population - count <= rule.threshold):
            return found.withheld()
        lower, upper = rule.range_of(rule.rounded(count))
        return replace(found, lower=lower, upper=upper)

    def known(self, release: Release) -> Known:
        """The count as it is printed, as a table of one row."""
        counts, rule = self.counts, self.rule
        if rule is None:
            return counts
        one = counts.take(np.array([0]))
        printed = np.nan if release.hidden else self.truth if self.exempt else rule.rounded(self.truth)
        return replace(
            one,
            source=protected_source(counts.source, rule),
            sex=np.array([self.cell.sex], dtype=object),
            severity=np.array([self.cell.severity], dtype=object),
            bands=(AgeBand(self.cell.low, None if self.cell.end >= OLDEST else self.cell.end - 1),),
            count=np.array([printed]),
            lower=np.array([release.lower]),
            upper=np.array([release.upper]),
            origin=None,
        )


def protected_source(source: KnownSource, rule: Rule) -> KnownSource:
    """The record of a protected count. Its fingerprint would let small counts be found by trial, and is left out."""
    base = None if rule.base == 1 else rule.base
    hidden = Disclosure(suppressed=MARK, range=[1, rule.threshold], rounded_to=base)
    return source.model_copy(update={"disclosure": hidden, "sha256": None})


def register_of(source: KnownSource, year: int) -> str:
    """What is counted, of whom and when: the same for every table of the same thing, whatever its id."""
    parts = (source.service, source.condition, source.count_kind, source.base, str(year))
    return " | ".join(" ".join(part.casefold().split()) for part in parts)


def year_of(ledger: Ledger) -> int:
    """The year of need that a ledger aligns to."""
    said = next(entry.need for entry in ledger.entries if entry.item == "reference date")
    return int(said.removeprefix("mid-"))


def counted_in(counts: Known, area: str, year: int) -> Known:
    """The counts of an area, in the year nearest to one."""
    here = counts.take(counts.area_code == area)
    if not len(here):
        return here
    return here.take(here.year == nearest([year], here.years)[1])


def prints_of(found: Answer, rules: dict[str, Rule | None]) -> Iterator[Print]:
    """Every count that an answer prints.

    Parameters
    ----------
    found : the answer.
    rules : by source; None where the publisher's own protection stands.
    """
    subgroups: dict[Place, list[Subgroup]] = {}
    of_known = found.figures[found.figures["quantity"] == "known"]
    columns = ("area_code", "year", "severity", "sex", "age_band", "flags")
    for code, year, severity, sex, age, flags in zip(*(of_known[name] for name in columns), strict=True):
        if "R711" not in str(flags).split():
            subgroups.setdefault((code, int(year)), []).append((severity, sex, age))
    by_id = {counts.source.id: counts for counts in found.known}
    uses = {use.source: use for use in found.model.known}
    for ledger in found.ledgers:
        year, area = year_of(ledger), ledger.area.code
        here = counted_in(by_id[ledger.known], area, year)
        use, rule = uses[ledger.known], rules[ledger.known]
        if not ledger.aligned:
            yield refused(found, here, area, year, rule)
            continue
        for subgroup in subgroups.get((area, year), []):
            yield _aligned(found, here, use, area, year, subgroup, rule, bridged(ledger))


def _aligned(
    found: Answer,
    here: Known,
    use: KnownUse,
    area: str,
    year: int,
    subgroup: Subgroup,
    rule: Rule | None,
    over: bool,
) -> Print:
    severity, sex, age = subgroup
    band = found.model.band if age == "all" else AgeBand.parse(age)
    rows = rows_for(here, band, sex, over, severity or None)
    held = here.take(rows)
    span = _span(held) if over else band
    cell = Cell(
        register_of(here.source, int(here.year[0])), area, sex, severity, span.low, OLDEST if span.high is None else span.high + 1
    )  # fmt: skip
    return Print(found.model.need, area, year, subgroup, held, use, cell, rule, aligned=True)


def refused(found: Answer, here: Known, area: str, year: int, rule: Rule | None) -> Print:
    """The count that is listed beside an estimate, and not compared with it."""
    held = here.take(rows_beside(here, found.model.band))
    sexes = set(held.sex.tolist())
    span = _span(held)
    sex = PERSONS if len(sexes) > 1 or PERSONS in sexes else next(iter(sexes))
    cell = Cell(
        register_of(here.source, int(here.year[0])), area, sex, "", span.low, OLDEST if span.high is None else span.high + 1
    )  # fmt: skip
    whole = ("", found.model.sex, "all")
    return Print(found.model.need, area, year, whole, held, KnownUse(source=here.source.id), cell, rule, aligned=False)


def alone(counts: Known, rule: Rule | None) -> Print:
    """A count that is printed by itself: everybody that a source counts in one area."""
    rows = np.ones(len(counts), dtype=bool)
    for labels, whole in ((counts.sex, PERSONS), (counts.severity, "")):
        if (labels == whole).any():
            rows &= labels == whole
    held = counts.take(rows)
    span, year, area = _span(held), int(held.year[0]), str(held.area_code[0])
    sexes = set(held.sex.tolist())
    sex = PERSONS if len(sexes) > 1 else str(next(iter(sexes)))
    end = OLDEST if span.high is None else span.high + 1
    cell = Cell(register_of(held.source, year), area, sex, "", span.low, end)
    use = KnownUse(source=held.source.id)
    return Print("", area, year, ("", sex, "all"), held, use, cell, rule, aligned=False)


def elsewhere(found: Answer, rules: dict[str, Rule | None]) -> Iterator[Print]:
    """Counts of other areas, which comparisons add up: everybody counted, where the same subgroups are held as here.

    Those are areas of the same kinds as the report's, regions and nations; no others are used, so no others are printed.
    """
    for counts in found.known:
        rule = rules[counts.source.id]
        ledgers = [ledger for ledger in found.ledgers if ledger.known == counts.source.id and ledger.aligned]
        if rule is None or not ledgers:
            continue
        own = {ledger.area.code for ledger in ledgers}
        use = next(use for use in found.model.known if use.source == counts.source.id)
        for year in dict.fromkeys(map(year_of, ledgers)):
            here = [counted_in(counts, ledger.area.code, year) for ledger in ledgers if year_of(ledger) == year]
            when, shapes = int(here[0].year[0]), {_shape(one) for one in here}
            at_that_time = counts.take(counts.year == when)
            kinds = {*map(kind_of, own), REGION, *NATIONS}
            for code in sorted(set(at_that_time.area_code.tolist()) - own):
                if kind_of(code) not in kinds:
                    continue
                one = at_that_time.take(at_that_time.area_code == code)
                if _shape(one) in shapes:
                    whole = ("", found.model.sex, "all")
                    yield _aligned(found, one, use, code, year, whole, rule, any(map(bridged, ledgers)))


def _shape(counts: Known) -> frozenset[tuple[object, ...]]:
    return frozenset(zip(counts.sex, counts.bands, counts.severity, counts.service, strict=True))


def _span(counts: Known) -> AgeBand:
    top = max(counts.bands, key=lambda band: band.end)
    return AgeBand(min(band.low for band in counts.bands), top.high)


def together(tables: Sequence[Known]) -> Known:
    """Tables of one source, one under another, each row once."""
    rows = {(one.area_code[0], int(one.year[0])): one for one in tables}
    held = [rows[key] for key in sorted(rows)]
    return replace(
        held[0],
        bands=tuple(one.bands[0] for one in held),
        area_code=np.concatenate([one.area_code for one in held]),
        area_name=np.concatenate([one.area_name for one in held]),
        year=np.concatenate([one.year for one in held]),
        sex=np.concatenate([one.sex for one in held]),
        severity=np.concatenate([one.severity for one in held]),
        service=np.concatenate([one.service for one in held]),
        count=np.concatenate([one.count for one in held]),
        lower=np.concatenate([one.lower for one in held]),
        upper=np.concatenate([one.upper for one in held]),
    )
