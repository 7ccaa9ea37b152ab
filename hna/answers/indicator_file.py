"""An analyst's file of observed counts, each area beside its region, England and statistical neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.comparators import KINDS, Kind, Pool, Surroundings
from hna.answers.comparison import WHOLE
from hna.errors import Fault, SourceError
from hna.evidence.shelf import Shelf
from hna.evidence.tables import Reader, read_columns
from hna.indicators.benchmark import (
    POLARITIES,
    Contrast,
    neighbour_average,
    people_apart,
    proportions_test,
    rates_test,
    sentence,
    verdict,
)
from hna.indicators.interval import Interval
from hna.indicators.rates import crude_rate, proportion
from hna.measure.ages import AgeBand
from hna.measure.areas import Area, Gazetteer
from hna.measure.draws import check_level
from hna.model.rules import missing_share, rules

Array = NDArray[np.float64]

REQUIRED = ("indicator", "polarity", "kind", "area_code", "area_name", "year", "numerator", "denominator")
OPTIONAL = ("sex", "age_from", "age_to", "per")
KINDS_OF_VALUE = ("proportion", "rate")
PER = 100_000
"""Person-years that a rate is printed for, unless the file has a column `per`."""
COLUMNS = (
    "indicator", "area_code", "area_name", "year", "sex", "age_band", "value", "lower", "upper", "numerator", "n", "unit",
    "comparator", "comparator_name", "comparator_value", "comparator_lower", "comparator_upper", "bound_lower",
    "bound_upper", "difference", "difference_lower", "difference_upper", "people", "p_value", "members", "missing",
    "period", "polarity", "verdict", "sentence", "method", "level", "flags",
)  # fmt: skip
METHODS = {
    "proportion": "Wilson intervals; difference by Newcombe, pooled score test; the area taken out of the comparator",
    "rate": "Byar intervals, exact below 10 events; pooled score test; the area taken out of the comparator",
}
_RATES = ("value", "rate", "percent", "percentage", "proportion", "indicator_value")


class Observed(NamedTuple):
    """One count and what it is among; NaN where it is not available."""

    cases: float
    people: float

    @property
    def known(self) -> bool:
        """Whether both are there."""
        return bool(np.isfinite(self.cases) and np.isfinite(self.people))


class Series(NamedTuple):
    """What makes up one indicator: one value an area and year."""

    indicator: str
    polarity: str
    kind: Literal["proportion", "rate"]
    per: float
    sex: str
    age_band: str


@dataclass(frozen=True, eq=False)
class Indicators:
    """Observed counts of some indicators.

    Parameters
    ----------
    areas : every area of the file.
    held : for each indicator and year, the count of each area.
    """

    areas: Gazetteer
    held: dict[tuple[Series, int], dict[str, Observed]]


def read_indicators(path: Path) -> Indicators:
    """An analyst's CSV of observed counts, checked.

    Columns, one row an indicator, area and year (and sex and age band): ``indicator`` its name; ``polarity`` low-is-good,
    high-is-good or none; ``kind`` proportion (people among people) or rate (events in person-years); ``area_code,
    area_name, year``; ``numerator`` the count; ``denominator`` people or person-years. Optional: ``sex, age_from, age_to``
    (blank age_to = open-ended), ``per`` (person-years a rate is printed for; 100,000). Both numbers may be blank where a
    count is hidden or missing: it is then missing, never 0.

    Raises
    ------
    SourceError
        Every fault of the file at once: other columns, unknown words, negative or broken counts, more cases than people,
        repeated cells, one indicator with several kinds or polarities; R863 for a file of rates without counts.
    """
    try:
        table = read_columns(path, REQUIRED, OPTIONAL)
    except SourceError as error:
        raise SourceError([_no_rates(fault) for fault in error.faults]) from None
    read = Reader(table, str(path))
    names, codes, labels = (read.text(column) for column in ("indicator", "area_code", "area_name"))
    for column, words in (("polarity", POLARITIES), ("kind", KINDS_OF_VALUE)):
        bad = np.array([value not in words for value in read.text(column)])
        read.fault("is not offered", f"Write one of {', '.join(words)}", column, bad)
        _one_each(read, names, column)
    years = read.numbers("year", whole=True)
    cases, people = read.numbers("numerator", blank=True), read.numbers("denominator", blank=True)
    per = read.numbers("per") if "per" in table else np.full(len(table), np.nan)
    kinds = table["kind"].astype(object).to_numpy()
    _count_faults(read, kinds, cases, people, per)
    sexes, bands = read.sexes(), read.bands()
    read.unique(["indicator", "area_code", "year", "sex", "age_from", "age_to"], "cells")
    _names_of(read, codes, labels)
    read.done()
    return _gathered(table, names, codes, labels, years, cases, people, per, kinds, sexes, bands)


def _no_rates(fault: Fault) -> Fault:
    extra = {str(row).casefold() for row in fault.rows}
    if extra & {*_RATES, "numerator", "denominator"}:
        remedy = (
            f"{fault.remedy}. Values without their counts cannot be pooled: compare them with published figures only"
        )
        return Fault(fault.what, remedy, fault.file, fault.field, fault.rows, "R863")
    return fault


def _one_each(read: Reader, names: NDArray[np.object_], column: str) -> None:
    held = pd.DataFrame({"name": names, "value": read.table[column].astype(str)}).drop_duplicates()
    twice = sorted(set(held.loc[held["name"].duplicated(), "name"].astype(str)))
    bad = np.isin(names.astype(str), twice)
    read.fault(f"an indicator has several values of {column}", "One indicator has one", column, bad)


def _count_faults(read: Reader, kinds: NDArray[np.object_], cases: Array, people: Array, per: Array) -> None:
    half = np.isnan(cases) != np.isnan(people)
    hidden = np.isnan(cases) & ~np.isnan(people)
    read.fault(
        "has a count without what it is among", "Give both, or leave the count blank too", "denominator", half & ~hidden
    )
    read.fault("is negative", "A count cannot be below 0", "numerator", cases < 0)
    broken = np.isfinite(cases) & (cases >= 0) & (cases != np.floor(cases))
    read.fault(
        "is not a whole number: is it a rate?", "Give counts; rates cannot be pooled", "numerator", broken, "R863"
    )
    read.fault("is not above 0", "Nothing can be said of nobody: leave the row out", "denominator", people <= 0)
    more = (kinds == "proportion") & (cases > people) & (people > 0)
    remedy = "A part cannot exceed its whole: both must count the same people, or the kind is rate"
    read.fault("has more cases than people", remedy, "numerator", more)
    read.fault("is not above 0", "Write the person-years that the rate is printed for", "per", per <= 0)
    told = (kinds == "proportion") & np.isfinite(per) & (per != 1)
    read.fault("is for rates", "Leave it out for proportions: they are printed in per cent", "per", told)


def _names_of(read: Reader, codes: NDArray[np.object_], labels: NDArray[np.object_]) -> None:
    held = pd.DataFrame({"code": codes, "name": labels}).drop_duplicates()
    twice = set(held.loc[held["code"].duplicated(keep=False), "code"])
    bad = np.array([code in twice for code in codes])
    read.fault("an area code has several names", "Are two vintages of areas mixed?", "area_name", bad)


def _gathered(
    table: pd.DataFrame,
    names: NDArray[np.object_],
    codes: NDArray[np.object_],
    labels: NDArray[np.object_],
    years: Array,
    cases: Array,
    people: Array,
    per: Array,
    kinds: NDArray[np.object_],
    sexes: NDArray[np.object_],
    bands: list[AgeBand],
) -> Indicators:
    polarity = table["polarity"].astype(str).to_numpy()
    held: dict[tuple[Series, int], dict[str, Observed]] = {}
    for n, code in enumerate(codes.tolist()):
        printed = 1.0 if kinds[n] == "proportion" else (float(per[n]) if np.isfinite(per[n]) else float(PER))
        series = Series(str(names[n]), str(polarity[n]), kinds[n], printed, str(sexes[n]), bands[n].label)
        held.setdefault((series, int(years[n])), {})[code] = Observed(float(cases[n]), float(people[n]))
    return Indicators(Gazetteer(Area(*pair) for pair in dict(zip(codes, labels, strict=True)).items()), held)


def compare_indicators(
    found: Indicators,
    shelf: Shelf,
    areas: Sequence[str] = (),
    kinds: Sequence[Kind] = KINDS,
    level: float = 0.95,
    suppressed: tuple[float, float] | None = None,
    group: str | None = None,
) -> pd.DataFrame:
    """Each area's observed values beside those of its region, England and statistical neighbours.

    In words: the comparator is Σ counts / Σ denominators, the area among them where it is part of them. The test is against
    the others; since ``p_a − p_G = (1 − w)(p_a − p_rest)`` with w the area's share of the denominators, the difference
    printed is the tested one times ``1 − w``.

    Parameters
    ----------
    found : from `read_indicators`.
    shelf : its lookups say what an area is set beside.
    areas : names or codes in the file; empty for every area but regions and England.
    kinds : region, england, statistical-neighbours.
    level : confidence level of intervals and tests.
    suppressed : smallest and largest count that a hidden one can be, for the bounds of an average with members missing.
    group : statistical neighbours to use; None for the analyst's own, or the latest.

    Returns
    -------
    table with the columns `COLUMNS`
        One row an indicator, year, area and comparator; proportions, or events per ``per`` person-years.

    Raises
    ------
    AxisError
        If an area is not in the file.
    QuantityError
        If the level is not a proportion.
    """
    check_level(level)
    around = Surroundings(shelf, group)
    wanted = found.areas.find_all(areas) if areas else [one for one in found.areas.areas if one.code[:3] not in _ABOVE]
    rows = [
        row
        for (series, year), counts in found.held.items()
        for area in wanted
        if area.code in counts
        for row in _rows(series, year, counts, area, around, kinds, level, suppressed)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


_ABOVE = ("E12", "E92")


def _rows(
    series: Series,
    year: int,
    counts: dict[str, Observed],
    area: Area,
    around: Surroundings,
    kinds: Sequence[Kind],
    level: float,
    suppressed: tuple[float, float] | None,
) -> Iterator[dict[str, object]]:
    own = counts[area.code]
    shared: dict[str, object] = {
        "indicator": series.indicator, "area_code": area.code, "area_name": area.name, "year": year, "sex": series.sex,
        "age_band": series.age_band, "numerator": own.cases if own.known else None, "n": own.people, "period": str(year),
        "unit": "proportion" if series.kind == "proportion" else f"per {series.per:,.0f}", "polarity": series.polarity,
        "level": level, "method": METHODS[series.kind],
    }  # fmt: skip
    if own.known:
        shared |= dict(zip(("value", "lower", "upper"), map(float, _interval(series, own, level)), strict=True))
    held = {code for code, one in counts.items() if one.known}
    beside_whom = around.of(area.code, kinds)
    if not beside_whom:
        yield shared | {"verdict": "not_comparable", "sentence": sentence("not_comparable", ""), "method": "not tested"}
    for comparator in beside_whom:
        pool = around.pool(comparator, area.code, held)
        missing, flags = _missing(around, pool, area.code, held)
        if not pool.own_total and not comparator.group and missing and comparator.code in held:
            pool, missing, flags = Pool(comparator, (comparator.code,)), 0, ""
        beside: dict[str, object] = {
            "comparator": comparator.kind, "comparator_name": comparator.label, "members": len(pool.members),
            "missing": missing, "flags": flags,
        }  # fmt: skip
        within = around.within(area.code, pool.members)
        compared = _compared(series, counts, area.code, pool, within, level) if own.known and flags != "R862" else None
        if compared is None:
            said = sentence("not_comparable", comparator.name)
            yield shared | beside | {"verdict": "not_comparable", "sentence": said, "method": "not tested"}
            continue
        yield shared | beside | compared | _bounds(series, counts, pool, suppressed)


def _missing(around: Surroundings, pool: Pool, area: str, held: set[str]) -> tuple[int, str]:
    """How many members have no count, and the flag that follows by Halton's rule."""
    if pool.own_total:
        return 0, ""
    if pool.comparator.group:
        count = len(pool.missing)
        if count > rules().neighbours_missing or len(pool.members) < 2 - (area not in pool.members):
            return count, "R862"
        return count, "W861" if count else ""
    every = around.authorities(pool.comparator, area)
    count = sum(not around.reached(code, area, held) for code in every)
    if len(pool.members) < 2 or (every and count / len(every) > missing_share()):
        return count, "R862"
    return count, "W861" if not every or 1 - count / len(every) < WHOLE else ""


def _interval(series: Series, seen: Observed, level: float) -> Interval:
    if series.kind == "proportion":
        return proportion(seen.cases, seen.people, level)
    return crude_rate(seen.cases, seen.people, series.per, level)


def _compared(
    series: Series, counts: dict[str, Observed], code: str, pool: Pool, within: set[str], level: float
) -> dict[str, object] | None:
    """The pooled comparator and the test against the rest of it; None where there is no rest."""
    own, others = counts[code], [counts[one] for one in pool.members if one not in within]
    rest = Observed(sum(one.cases for one in others), sum(one.people for one in others))
    inside = pool.own_total or bool(within)
    if pool.own_total:
        rest = Observed(rest.cases - own.cases, rest.people - own.people)
    whole = Observed(rest.cases + own.cases, rest.people + own.people) if inside else rest
    if rest.people <= 0 or rest.cases < 0 or (series.kind == "proportion" and rest.cases > rest.people):
        return None
    if series.kind == "proportion":
        test = proportions_test(own.cases, own.people, rest.cases, rest.people, level)
    else:
        test = rates_test(own.cases, own.people, rest.cases, rest.people, series.per, level)
    apart = 1 - own.people / whole.people if inside else 1.0
    pooled = _interval(series, whole, level)
    value = float(_interval(series, own, level).value)
    shown = Contrast.of(Interval(*(end * apart for end in test)), test.z)
    word = str(verdict(shown, series.polarity, level))
    return {
        "comparator_value": float(pooled.value), "comparator_lower": float(pooled.lower),
        "comparator_upper": float(pooled.upper), "difference": float(shown.value), "difference_lower": float(shown.lower),
        "difference_upper": float(shown.upper), "p_value": float(shown.p), "verdict": word,
        "people": float(people_apart(value, pooled.value, own.people, series.per)),
        "sentence": sentence(word, pool.comparator.name),
    }  # fmt: skip


def _bounds(
    series: Series, counts: dict[str, Observed], pool: Pool, suppressed: tuple[float, float] | None
) -> dict[str, object]:
    """What a group's average would be were every missing count as small, or as large, as it can be."""
    if not pool.missing:
        return {}
    listed = [counts.get(code, Observed(np.nan, np.nan)) for code in (*pool.members, *pool.missing)]
    cases, people = (np.array(column) for column in zip(*listed, strict=True))
    found = neighbour_average(cases, people, rules().neighbours_missing, per=series.per, suppressed=suppressed)
    ends = (float(found.lower), float(found.upper))
    return {} if np.isnan(ends).any() else dict(zip(("bound_lower", "bound_upper"), ends, strict=True))
