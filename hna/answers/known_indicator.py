"""A shipped count of people known to services as an observed indicator, to be set beside neighbours by Halton's rules."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from hna.answers.indicator_file import Indicators, Observed, Series
from hna.errors import AxisError, Fault
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.indicators.benchmark import POLARITIES
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.areas import Area, Gazetteer


def people_of(population: Population, ages: str) -> pd.DataFrame:
    """People of some ages, both sexes together: one row an area and year, with columns area_code, area_name, year, estimate.

    Raises
    ------
    AxisError
        If an age band of the population crosses them.
    """
    held = population.on(("persons",), AgeAxis((AgeBand.parse(ages),)))
    rows = [
        (area.code, area.name, year, float(held.people[a, y].sum()))
        for a, area in enumerate(held.areas)
        for y, year in enumerate(held.years)
    ]
    return pd.DataFrame(rows, columns=["area_code", "area_name", "year", "estimate"])


def known_indicator(
    counts: Known, population: Population, ages: str, polarity: str = "none", without: Collection[str] = ()
) -> Indicators:
    """Counts of one service among the people of some ages, area by area.

    Parameters
    ----------
    counts : of one year, each person in one row; a hidden count is missing, never 0.
    population : of the same areas; of its years the latest is used.
    ages : whom the count is set among, such as ``0-17``.
    polarity : low-is-good, high-is-good or none.
    without : names or codes of areas to be treated as having no count.

    Raises
    ------
    AxisError
        If the counts are of several years, the polarity is unknown, an age band of the population crosses `ages`, or an
        area has no people.
    """
    counts.of_one_service()
    years = sorted({int(year) for year in counts.year})
    if len(years) != 1 or polarity not in POLARITIES:
        what = f"{counts.source.id} has counts of {len(years)} years, polarity {polarity!r}"
        raise AxisError(Fault(what, f"Take one year, and one of {', '.join(POLARITIES)}", field="year"))
    living = people_of(population.at([max(population.years)]), ages)
    among = dict(zip(living["area_code"].tolist(), living["estimate"].tolist(), strict=True))
    seen: dict[str, float] = {}
    names: dict[str, str] = {}
    labels = counts.area_code.tolist(), counts.area_name.tolist(), counts.count.tolist()
    for code, name, count in zip(*labels, strict=True):
        names[code] = name
        seen[code] = seen.get(code, 0.0) + count
    stray = [f"{names[code]} ({code})" for code in seen if code not in among]
    if stray:
        remedy = "Use a population of the same areas"
        raise AxisError(Fault(f"{population.source.id} has no people of these areas", remedy, rows=stray))
    absent = {code for code, name in names.items() if code in without or name in without}
    unknown = [one for one in without if one not in names and one not in names.values()]
    if unknown:
        raise AxisError(Fault(f"{counts.source.id} has no such areas", "Name areas that it has", rows=unknown))
    series = Series(counts.source.condition, polarity, "proportion", 1.0, "persons", AgeBand.parse(ages).label)
    held = {code: Observed(np.nan if code in absent else count, among[code]) for code, count in seen.items()}
    areas = Gazetteer(Area(code, name) for code, name in names.items())
    return Indicators(areas, {(series, years[0]): held})
