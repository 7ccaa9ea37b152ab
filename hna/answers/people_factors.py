"""The error of the number of people, brought to the ages and sexes of a rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hna.evidence.population import PeopleFactors, Population
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.rates import Rates

Array = NDArray[np.float64]


def group_shares(population: Population, banded: Population) -> Array:
    """How the people of each band are divided among the ages that share an error.

    Parameters
    ----------
    population : with its error, in ages as fine as it has.
    banded : the same people in the bands of a rate.

    Returns
    -------
    array of shape (group, area, year, sex, age), sums to one over groups. A band that lies across groups is divided by its
    people where the population is fine enough, else by its years of age.
    """
    if population.error is None:
        return np.ones((1, *banded.people.shape))
    groups, bands = population.error.groups.bands, banded.ages.bands
    cuts = sorted({one.low for one in (*bands, *(group for group in groups if group.low > bands[0].low))})
    cuts = [low for low in cuts if low < bands[-1].end]
    fine = [AgeBand(low, after - 1) for low, after in pairwise(cuts)]
    fine.append(AgeBand(cuts[-1], bands[-1].high))
    of_band = np.array([next(n for n, band in enumerate(bands) if one in band) for one in fine])
    of_group = np.array([next(n for n, group in enumerate(groups) if one in group) for one in fine])
    starts = {band.low for band in population.ages.bands}
    if {one.low for one in fine} <= starts:
        bare = replace(population, error=None)
        people = bare.on(banded.sexes, AgeAxis(tuple(fine))).people
    else:
        years = np.array([min(one.end, one.low + 1 if np.isinf(one.end) else one.end) - one.low for one in fine])
        people = np.broadcast_to(years.astype(float), (*banded.people.shape[:-1], len(fine)))
    found = np.zeros((len(groups), *banded.people.shape))
    for n, (band, group) in enumerate(zip(of_band, of_group, strict=True)):
        found[group, ..., band] += people[..., n]
    total = found.sum(axis=0)
    evenly = np.zeros_like(found)
    for band, group in zip(of_band, of_group, strict=True):
        evenly[group, ..., band] = 1.0
    evenly /= evenly.sum(axis=0)
    shares: Array = np.where(total > 0, found / np.where(total > 0, total, 1.0), evenly)
    return shares


def factors_of(error: PeopleFactors, codes: Sequence[str], year: int, seed: int, draws: int) -> Array:
    """Factors of the people of several areas in a year, shape (area, group, draw), or (area, 1, draw) where all share one."""
    found = [error.factors(code, year, seed, draws) for code in codes]
    most = max(len(one) for one in found)
    return np.stack([np.broadcast_to(one, (most, draws)) for one in found])


def cell_factors(rates: Rates, population: Population, shares: Array, code: str, year: int) -> Array | None:
    """Factors of the people of one area and year, shape (sex, age, draw); None where they are taken as exact.

    Parameters
    ----------
    shares : shape (group, sex, age), from `group_shares`.
    """
    if population.error is None:
        return None
    factors = population.error.factors(code, year, rates.seed, rates.size)
    if len(factors) == 1:
        return np.broadcast_to(factors[0], (*shares.shape[1:], rates.size))
    found: Array = np.tensordot(np.moveaxis(shares, 0, -1), factors, axes=1)
    return found
