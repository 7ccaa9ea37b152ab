"""Need within an authority: in its small areas, and by how deprived they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hna.answers.small_areas import FIFTHS, SMALL
from hna.answers.stream import summarise
from hna.answers.subgroups import deprivation, levels, read_nesting, split_small_areas
from hna.errors import AxisError, Fault
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.model.rates import Rates

KINDS = (SMALL, FIFTHS, "authority")
"""As `hna run --by` names them."""


def need_within(
    rates: Rates,
    area: str,
    *,
    persons: str,
    by_sex: str = "ons-mye-2020",
    lookup: str = "lsoa11-ltla22",
    deprived: str = "imd-2019-lsoa11",
    level: float = 0.95,
    workspace: Path | None = None,
) -> pd.DataFrame:
    """Expected need in the small areas of an authority, by national fifth of deprivation, and in all of it.

    The same rates by age and sex are applied everywhere: small areas differ only in how many people of which ages live
    there. Persons of small areas are divided by the sex ratio of their authority at each age.

    Parameters
    ----------
    rates : from `hna.rates`.
    area : name or code of the authority.
    persons : population of small areas, persons only, all small areas of the authority.
    by_sex : population of authorities of the same release, by sex and single year of age.
    lookup : in which authority each small area lies.
    deprived : national tenth of deprivation of each small area.
    level : of the limits.
    workspace : folder read before the shipped shelf.

    Returns
    -------
    table in the columns of gap.csv, with ``kind`` (`KINDS`) before them. Every figure of a kind adds up to the authority's.

    Raises
    ------
    AxisError
        If the authority is not there, or none of its small areas is.

    Notes
    -----
    A synthetic estimate: what would be expected of people of these ages. It must not be read as a map of where more
    people than expected have the need (methods §4.1).
    """
    shelf = Shelf(workspace)
    above = read_population(shelf, by_sex, [area])
    place = above.areas[0]
    nesting = read_nesting(shelf, lookup)
    held = read_population(shelf, persons)
    inside = [n for n, one in enumerate(held.areas) if place.code in nesting.ancestors(one.code)]
    if not inside:
        remedy = "Import its small areas: hna import ons-lsoa-syoa FILE --to DIR"
        raise AxisError(Fault(f"{persons} holds no small area of {place}", remedy, field="persons"))
    here = replace(held, areas=tuple(held.areas[n] for n in inside), people=held.people[inside])
    split = split_small_areas(here, above, nesting)
    groups = [deprivation(shelf, split.areas, deprived), *levels(nesting, split.areas, ("authority",), above.areas)]
    found = summarise(rates, split, groups=groups, level=level)
    sizes = (len(split.areas), *(len(group.areas) for group in groups))
    kinds = dict(zip((one.code for one in found.places), np.repeat(KINDS, sizes), strict=True))
    table = found.frame()
    table.insert(0, "kind", table["area_code"].map(kinds))
    return table
