"""Small areas: what they lie in, how deprived they are, and how their people divide by sex."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hna.answers.nest import Grouping
from hna.errors import AxisError, Fault
from hna.evidence.lookup import pairs_of
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource
from hna.measure.areas import Area, Nesting

TENTHS, FIFTHS = 10, 5
LEVELS = {"ward": ("E05",), "authority": ("E06", "E07", "E08", "E09"), "region": ("E12",), "england": ("E92",)}
"""First letters of the codes of each level."""
GRAIN = 2.0**-20
"""Part of a person that small areas are divided into, so that sums over them are exact."""


def read_nesting(shelf: Shelf, *names: str) -> Nesting:
    """Which areas lie in which, from lookups on the shelf.

    Parameters
    ----------
    shelf : where to look.
    names : of lookups in ``data/areas``; an area that is in several lies in all their parents.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        shelf.record(AreasSource, name)
        for child, parent in pairs_of(shelf, name):
            found[child] = tuple(dict.fromkeys((*found.get(child, ()), parent)))
    return Nesting(found)


def levels(
    nesting: Nesting,
    areas: Sequence[Area],
    wanted: Sequence[str] = ("ward", "authority", "region", "england"),
    names: Sequence[Area] = (),
) -> list[Grouping]:
    """The larger areas that hold some areas, one grouping a level.

    Parameters
    ----------
    nesting : from `read_nesting`.
    areas : of the lowest level.
    wanted : of ward, authority, region, england.
    names : areas whose names are known; others are called by their code.

    Raises
    ------
    AxisError
        If an area is in no area, or in two, of a level that others are in: totals would not add up.
    """
    unknown = [level for level in wanted if level not in LEVELS]
    if unknown:
        raise AxisError(Fault("levels of area are unknown", f"Use {', '.join(LEVELS)}", rows=unknown))
    called = {area.code: area.name for area in names}
    above = {area.code: nesting.ancestors(area.code) for area in areas}
    found = []
    for level in wanted:
        held = {code: [one for one in up if one.startswith(LEVELS[level])] for code, up in above.items()}
        odd = [str(area) for area in areas if len(held[area.code]) != 1]
        if odd:
            remedy = "Use a lookup of the areas' own vintage, or leave the level out"
            raise AxisError(Fault(f"areas are not in one {level} each", remedy, field="area", rows=odd, code="W501"))
        found.append(Grouping.of(areas, held, called))
    return found


def gathered(
    shelf: Shelf, lookup: str, small: Mapping[str, Sequence[str]], areas: Sequence[Area], names: Sequence[Area] = ()
) -> tuple[Grouping, int]:
    """Small areas gathered into the groups of any lookup: localities, primary care networks, a group of neighbours.

    Parameters
    ----------
    shelf : where to look.
    lookup : of ``data/areas``; its children are small areas or larger ones, and one may lie in several groups.
    small : every small area that there is, and what holds it.
    areas : small areas to gather, some of `small`.
    names : areas whose names are known; other groups are called by their code.

    Returns
    -------
    the groups all of whose small areas are there, and how many others hold some. A group whose code is an area's has the
    lookup's name before it.

    Raises
    ------
    AxisError
        If the lookup holds none of the areas.
    """
    parents = read_nesting(shelf, lookup).parents
    held = {code: [up for one in (code, *above) for up in parents.get(one, ())] for code, above in small.items()}
    there = {area.code: list(dict.fromkeys(held[area.code])) for area in areas}
    if not any(there.values()):
        remedy = "Its children are the small areas asked for, or what they lie in, of one vintage"
        raise AxisError(Fault(f"{lookup} groups none of the areas asked for", remedy, field="--by"))
    known = {*small, *(up for above in small.values() for up in above)}
    lost = {up for child, ups in parents.items() if child not in known for up in ups}
    size = Counter(up for ups in held.values() for up in dict.fromkeys(ups))
    count = Counter(up for ups in there.values() for up in ups)
    whole = {up for up, n in count.items() if n == size[up] and up not in lost}
    called = {area.code: area.name for area in names}
    group = Grouping.of(areas, {code: [up for up in ups if up in whole] for code, ups in there.items()}, called)
    own = tuple(
        Area(f"{lookup}-{area.code}", f"{area.name} ({lookup})") if area.code in known else area for area in group.areas
    )
    return replace(group, areas=own), len(count) - len(whole)


def deprivation(shelf: Shelf, areas: Sequence[Area], lookup: str, parts: Literal[5, 10] = 5) -> Grouping:
    """Small areas by national fifth or tenth of deprivation.

    Parameters
    ----------
    shelf : where to look.
    areas : small areas.
    lookup : ``imd-2019-lsoa11`` or ``imd-2025-lsoa21``.
    parts : 5 or 10; the first is the most deprived.

    Raises
    ------
    AxisError
        If an area is not in the lookup: the shares of the parts would be wrong.
    """
    if parts not in (FIFTHS, TENTHS):
        raise AxisError(Fault(f"small areas are not divided into {parts}", "Ask for 5 or 10 parts", field="parts"))
    tenths = read_nesting(shelf, lookup).parents
    absent = [str(area) for area in areas if area.code not in tenths]
    if absent:
        remedy = f"Use the lookup of the areas' own vintage: {lookup} has others"
        raise AxisError(Fault("areas have no rank of deprivation", remedy, field="area", rows=absent, code="W501"))
    release = lookup.split("-")[1]
    kind, word = ("D", "tenth") if parts == TENTHS else ("Q", "fifth")
    held: dict[int, None] = {}
    places = np.empty(len(areas), dtype=np.intp)
    for n, area in enumerate(areas):
        tenth = int(tenths[area.code][0].rpartition("-D")[2])
        places[n] = (tenth - 1) * parts // TENTHS
        held[int(places[n])] = None
    order = sorted(held)
    ends = {0: " (most deprived)", parts - 1: " (least deprived)"}
    named = tuple(
        Area(f"IMD{release}-{kind}{n + 1}", f"{word.capitalize()} {n + 1} of {parts}{ends.get(n, '')}, IMD {release}")
        for n in order
    )
    return Grouping(named, np.arange(len(areas)), np.searchsorted(order, places))


def split_small_areas(persons: Population, by_sex: Population, nesting: Nesting) -> Population:
    """Persons of small areas split into female and male, so that they add up to their authority's figures exactly.

    Each small area's share of females at an age is its authority's. Persons are kept; the sum over the small areas of an
    authority is its published count of females and of males at every age, to the last digit: people are divided into
    parts of 2⁻²⁰, and what is left over by rounding goes to the largest remainders.

    Parameters
    ----------
    persons : shape (area, year, persons, age).
    by_sex : their authorities by female and male at the same ages, in the same years.
    nesting : in which authority each small area lies.

    Returns
    -------
    Population over the small areas, female and male; fractions of people.

    Raises
    ------
    AxisError
        If an area lies in no authority of `by_sex`, an authority is not there in full, or persons do not add up to it.
    """
    if persons.sexes != ("persons",) or by_sex.sexes != ("female", "male") or persons.ages != by_sex.ages:
        what = "persons of small areas and people of authorities by sex are needed, at the same ages"
        raise AxisError(Fault(what, "Use the estimates of one year, both by single year of age", field="sex"))
    above = by_sex.at(persons.years)
    at = {area.code: n for n, area in enumerate(above.areas)}
    parents = [
        [at[one] for one in nesting.ancestors(area.code) if one in at and _authority(one)] for area in persons.areas
    ]
    odd = [str(area) for area, held in zip(persons.areas, parents, strict=True) if len(held) != 1]
    if odd:
        remedy = f"Use a lookup and estimates of one vintage: {by_sex.source.id} lacks the authorities of these"
        raise AxisError(Fault("areas are not in one authority each", remedy, field="area", rows=odd, code="W501"))
    of = np.array([held[0] for held in parents])
    counts = persons.people[:, :, 0]
    used = np.unique(of)
    _add_up(counts, of, used, persons, above)
    female = np.empty_like(counts)
    for parent in used:
        rows = np.flatnonzero(of == parent)
        female[rows] = _apportion(counts[rows], above.people[parent, :, 0], above.people[parent].sum(axis=1))
    said = (
        f"{persons.source.id} is published for persons: split by sex with each authority's sex ratio at each age in "
        f"{by_sex.source.id}, small areas adding up to its females and males"
    )
    return replace(
        persons,
        sources=(*persons.sources, *by_sex.sources),
        sexes=("female", "male"),
        people=np.stack([female, counts - female], axis=2),
        bridges=(*persons.bridges, said),
    )


def _authority(code: str) -> bool:
    return code.startswith(LEVELS["authority"])


def _add_up(
    counts: NDArray[np.float64], of: NDArray[np.intp], used: NDArray[np.intp], persons: Population, above: Population
) -> None:
    sums = np.zeros((len(above.areas), *counts.shape[1:]))
    np.add.at(sums, of, counts)
    off = np.argwhere(sums[used] != above.people[used].sum(axis=2))
    if len(off):
        rows = [f"{above.areas[used[a]]}, {persons.years[y]}, {persons.ages.labels[b]}" for a, y, b in off[:6]]
        remedy = "Use estimates of the same release, and every small area of each authority"
        what = f"small areas of {persons.source.id} do not add up to {above.source.id}"
        raise AxisError(Fault(what, remedy, field="persons", rows=rows))


def _apportion(
    counts: NDArray[np.float64], female: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Females of each small area, shape (area, year, age), adding up to `female` exactly."""
    share = np.divide(female, total, out=np.zeros_like(female), where=total > 0)
    exact = counts / GRAIN * share
    whole = np.floor(exact)
    left = np.rint(female / GRAIN - whole.sum(axis=0)).astype(int)
    rank = np.argsort(np.argsort(-(exact - whole), axis=0, kind="stable"), axis=0, kind="stable")
    shared: NDArray[np.float64] = np.minimum((whole + (rank < left)) * GRAIN, counts)
    return shared
