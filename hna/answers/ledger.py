"""The alignment ledger: whether an estimate and a count speak of the same people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hna.errors import Fault
from hna.evidence.known import Known
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.areas import Area
from hna.measure.estimate import Universe
from hna.model.spec import Factors, KnownUse

Verdict = Literal["equal", "bridged", "different"]
APART = "what is counted"
CONFLICT = "how many"


@dataclass(frozen=True)
class Entry:
    """One thing that must be the same on both sides."""

    item: str
    need: str
    known: str
    verdict: Verdict
    how: str = ""
    code: str = ""


@dataclass(frozen=True)
class Ledger:
    """Everything that must be the same, for one need and one count in one area."""

    need: str
    known: str
    area: Area
    entries: tuple[Entry, ...]

    @property
    def aligned(self) -> bool:
        """Whether a gap may be formed."""
        return all(entry.verdict != "different" for entry in self.entries)

    @property
    def apart(self) -> str:
        """Why the model keeps the count apart; empty where it does not."""
        return next((entry.how for entry in self.entries if entry.item == APART), "")

    @property
    def assumed(self) -> list[str]:
        """Codes of what its bridges assume."""
        return [entry.code for entry in self.entries if entry.verdict == "bridged" and entry.code]

    @property
    def differences(self) -> list[Entry]:
        """What differs and is not bridged."""
        return [entry for entry in self.entries if entry.verdict == "different"]

    def refusal(self, beside: str = "") -> Fault:
        """Why there is no gap, and what would lift the refusal."""
        rows = [f"{entry.item}: need {entry.need}, known {entry.known}" for entry in self.differences]
        codes = list(dict.fromkeys(["R711", *(entry.code for entry in self.differences if entry.code)]))
        more = f" ({', '.join(codes[1:])})" if codes[1:] else ""
        what = f"no gap between {self.need} and {self.known} in {self.area}{more}: they do not count the same people"
        remedies = [_REMEDIES[entry.item] for entry in self.differences if entry.item in _REMEDIES]
        remedy = "; ".join(dict.fromkeys(remedies)) or "Use a count that matches"
        return Fault(
            f"{what}{beside}", remedy, file=f"models/{self.need}.yaml", field="known", rows=rows, code=codes[0]
        )


_REMEDIES = {
    CONFLICT: "The estimate and the count contradict each other: check the definition, residence, duplicates, factors.in_need and "
    "the age of the rate, or leave the gap signed",
    APART: "The model keeps this count apart: compare another, or take `apart` out and bridge what differs",
    "definition": "Bridge it in the model (known.bridges.definition, with its citation), or use a count of the same condition",
    "age range": "Use a count of the same ages, or give factors.ages (share of those counted who are of the need's ages) with its source",
    "sex": "Use a count of the same sexes",
    "population base": "Use a count of residents, bring counts by practice to residents (known.residents), or give factors.resident or "
    "known.bridges['population base'] with its source",
    "time basis": "Use a count of people on a day, or give factors.active, factors.duration or known.bridges['time basis'], with source; "
    "a service that grew or shrank by more than the standard allows in the year has no steady state to bring its period to a day by",
    "unit": "Use a count of people: episodes and referrals are not people",
    "severity": "Use a count of the same severities, or bridge it (known.bridges.severity, with its citation)",
}


def align(
    universe: Universe,
    strata: tuple[str, ...],
    known: Known,
    use: KnownUse,
    area: Area,
    base: str,
    year: int,
    steady: float,
) -> Ledger:
    """The ledger of a need and a count.

    Parameters
    ----------
    universe : of the need.
    strata : names of the need's strata of severity.
    known : counts of the area, in one year.
    use : how the model uses them.
    area : where.
    base : population base of the need's people.
    year : of the need.
    steady : share by which a service's count may change in a year where a steady state is assumed of it.
    """
    source = known.source
    entries = [
        _entry(
            "definition", universe.condition, source.condition, _same_words(universe.condition, source.condition), use
        ),
        _severity(strata, known, use),
        _ages(universe.ages, known, use),
        _sex(universe.sex, known),
        Entry("geography", str(area), str(area), "equal", "same area code"),
        _base(base, known, use),
        _time(universe.period, known, use, steady),
        _date(source.reference_date, year),
        _unit(source.count_kind),
    ]
    if use.apart:
        entries.append(Entry(APART, universe.condition, source.condition, "different", use.apart))
    return Ledger("", source.id, area, tuple(entries))


def _same_words(a: str, b: str) -> bool:
    return " ".join(a.casefold().replace("-", " ").split()) == " ".join(b.casefold().replace("-", " ").split())


def _entry(item: str, need: str, known: str, same: bool, use: KnownUse, code: str = "") -> Entry:
    if same:
        return Entry(item, need, known, "equal")
    bridge = use.bridges.get(item)  # type: ignore[call-overload]
    if bridge is not None:
        return Entry(item, need, known, "bridged", f"{bridge.because} ({bridge.citation})")
    return Entry(item, need, known, "different", code=code)


def _severity(strata: tuple[str, ...], known: Known, use: KnownUse) -> Entry:
    held = sorted({str(name) for name in known.severity} - {""})
    need = "all severities" if not strata else f"all ({', '.join(strata)})"
    if not held:
        return Entry("severity", need, "all severities", "equal")
    return _entry("severity", need, ", ".join(held), set(held) == set(strata), use)


def tiles(known: Known, span: AgeBand, sex: str) -> bool:
    """Whether rows of one sex make up a span of ages exactly."""
    bands = {band for band, held in zip(known.bands, known.sex, strict=True) if held == sex and band in span}
    if not bands:
        return False
    axis = AgeAxis.of(list(bands))
    return axis.span == span


def _ages(span: AgeBand, known: Known, use: KnownUse) -> Entry:
    low = min(band.low for band in known.bands)
    top = max(known.bands, key=lambda band: band.end)
    held = AgeBand(low, top.high)
    sexes = sorted(set(known.sex.tolist()))
    if all(tiles(known, span, str(sex)) for sex in sexes):
        return Entry("age range", span.label, span.label, "equal")
    if use.factors is not None and use.factors.ages is not None and span in held:
        return Entry(
            "age range", span.label, held.label, "bridged", f"factor ages {use.factors.ages}: {use.factors.because}"
        )
    return Entry("age range", span.label, held.label, "different")


def _sex(sex: str, known: Known) -> Entry:
    held = set(known.sex.tolist())
    whole = sex in held or (sex == "persons" and {"female", "male"} <= held)
    return Entry("sex", sex, ", ".join(sorted(str(name) for name in held)), "equal" if whole else "different")


def _base(need: str, counts: Known, use: KnownUse) -> Entry:
    known = counts.base
    if counts.origin is not None and need == known:
        how = f"{'; '.join(counts.origin.notes)}{f'; {use.residents.because}' if use.residents else ''}"
        return Entry("population base", need, counts.source.base, "bridged", how)
    if need != known and use.factors is not None and use.factors.resident is not None:
        how = f"factor resident {use.factors.resident}: {use.factors.because}"
        return Entry("population base", need, known, "bridged", how)
    return _entry("population base", need, known, need == known, use)


def _time(period: str, known: Known, use: KnownUse, steady: float) -> Entry:
    kind = known.source.count_kind
    same = {"point": "people-point"}.get(period, f"people-{period}") == kind
    if period == "lifetime":
        # Nothing turns a lifetime prevalence into people who have the need now.
        return Entry("time basis", period, kind, "different", code="R171")
    factors = use.factors
    if not same and known.source.months and factors and (factors.active, factors.duration) != (None, None):
        return _steady(period, known, factors, steady)
    if not kind.startswith("people"):
        return Entry("time basis", period, kind, "different", code="R604")
    return _entry("time basis", period, kind, same, use)


def _steady(period: str, known: Known, factors: Factors, steady: float) -> Entry:
    """A period's people brought to a day, which holds while as many come as leave (W603)."""
    kind = known.source.count_kind
    name = "active" if factors.active is not None else "duration"
    how = f"factor {name} {getattr(factors, name)}: {factors.because}"
    grown = [known.grown(area.code, year) for area in known.areas.areas for year in known.years]
    changed = max((abs(one) for one in grown if one is not None), default=None)
    if changed is not None and changed > steady:
        said = f"{kind}, which changed by more than {steady:.0%} from the year before"
        return Entry("time basis", period, said, "different", code="W603")
    seen = "no count of the year before to see it by" if changed is None else f"within {steady:.0%} of the year before"
    return Entry("time basis", period, kind, "bridged", f"{how}; a steady state is assumed, {seen}", "W603")


def months_apart(reference_date: str, year: int) -> float:
    """Months between a count and the middle of a year."""
    day = dt.date.fromisoformat(reference_date)
    return abs((dt.date(year, 6, 30) - day).days) / (365.25 / 12)


def _date(reference_date: str, year: int) -> Entry:
    apart = months_apart(reference_date, year)
    months = f"{apart:.0f} month{'' if round(apart) == 1 else 's'}"
    return Entry(
        "reference date",
        f"mid-{year}",
        reference_date,
        "equal" if apart < 1 else "bridged",
        f"{months} apart, taken as they are",
    )


def _unit(kind: str) -> Entry:
    unit = "people" if kind.startswith("people") else kind
    return Entry("unit", "people", unit, "equal" if unit == "people" else "different", code="R604")


def bridged(ledger: Ledger) -> bool:
    """Whether the ages of a count are bridged by a factor."""
    return any(entry.item == "age range" and entry.verdict == "bridged" for entry in ledger.entries)


def nearest(need_years: Sequence[int], known_years: Sequence[int]) -> tuple[int, int]:
    """The year of need and the year of a count that are nearest, later counts first."""
    return min(
        ((year, counted) for counted in sorted(known_years, reverse=True) for year in need_years),
        key=lambda pair: abs(pair[0] - pair[1]),
    )
