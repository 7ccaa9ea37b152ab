"""People counted for both sexes together, divided by sex as another count divides them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hna.errors import AxisError, Fault
from hna.evidence.population import Population, years_in_words


def split_sex(persons: Population, by_sex: Population) -> Population:
    """Persons split into female and male by another population's sex ratio in each age band.

    Each area's share of females in a band is that of the same area and band in `by_sex` (its year nearest to each
    year asked for). Persons are kept exactly.

    Parameters
    ----------
    persons : shape (area, year, persons, age).
    by_sex : the same areas with female and male, in ages that add up to the same bands.

    Raises
    ------
    AxisError
        If an area is absent from `by_sex`, or its ages do not add up to the bands.
    """
    absent = [
        area for area in persons.areas if area not in by_sex.areas and area.code not in {a.code for a in by_sex.areas}
    ]
    if absent:
        remedy = f"{by_sex.source.id} does not have these areas (another vintage?): give a population by sex"
        raise AxisError(Fault("persons cannot be split by sex", remedy, field="area", rows=absent))
    shares = by_sex.on(("female", "male"), persons.ages)
    at = {area.code: n for n, area in enumerate(shares.areas)}
    rows = [at[area.code] for area in persons.areas]
    nearest = [min(range(len(shares.years)), key=lambda n, y=year: abs(shares.years[n] - y)) for year in persons.years]  # type: ignore[misc]
    counts = shares.people[rows][:, nearest]
    totals = counts.sum(axis=2)
    female = np.divide(counts[:, :, 0], totals, out=np.full_like(totals, 0.5), where=totals > 0)
    people = np.stack([persons.people[:, :, 0] * female, persons.people[:, :, 0] * (1 - female)], axis=2)
    ratio_years = sorted({shares.years[n] for n in nearest})
    said = (
        f"{persons.source.id} is published for persons: split by sex with each area's sex ratio by age band in "
        f"{by_sex.source.id} ({years_in_words(ratio_years)})"
    )
    return replace(
        persons,
        sources=(*persons.sources, *by_sex.sources),
        sexes=("female", "male"),
        people=people,
        bridges=(*persons.bridges, said),
    )
