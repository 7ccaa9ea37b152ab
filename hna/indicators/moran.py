"""Whether neighbouring areas are alike in what was observed of them: Moran's index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hna.errors import Fault
from hna.indicators.checks import note, numbers, only_observed, positive, same_groups, settle
from hna.indicators.interval import FloatArray

LEAST_AREAS = 30
"""Areas with a neighbour below which the index says nothing."""
LEAST_PERMUTATIONS = 99
_BLOCK = 4_000_000


class Moran(NamedTuple):
    """Moran's index of some areas.

    Attributes
    ----------
    value : about -1/(n - 1) where areas are as unlike their neighbours as any others, towards 1 where they are alike.
    expected : its mean under permutation, -1/(n - 1).
    p : chance of an index as far from its mean on either side, were the values shuffled over the areas.
    areas : how many areas have a neighbour, n.
    islands : areas without a neighbour, left out.
    """

    value: float
    expected: float
    p: float
    areas: int
    islands: tuple[str, ...]


def moran(
    values: npt.ArrayLike,
    areas: Sequence[str],
    borders: Iterable[tuple[str, str]],
    *,
    population: npt.ArrayLike | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> Moran:
    """Return Moran's index of what was observed in areas, with a permutation test.

    In words: I = (n/S₀) Σ w_ij z_i z_j / Σ z², z the values less their mean, and w the weights of areas that border each
    other, those of each area adding up to 1. With `population` the values are counts, and z are their rates less the
    overall rate, each over the standard deviation that chance and a spread between areas give it (the empirical Bayes
    index): otherwise small areas, whose rates vary most, decide it.

    Parameters
    ----------
    values : what was observed, shape (area,); counts where `population` is given.
    areas : label of each value, each once.
    borders : pairs of labels of areas that border each other, each pair once or twice.
    population : people, or person-years, that the counts are among, shape (area,).
    permutations : shuffles of the values over the areas.
    seed : of the shuffles.

    Returns
    -------
    Moran

    Raises
    ------
    QuantityError
        R881 for an estimate of need: its pattern is that of the people and ratios it was made of. R432 with fewer than 30 areas
        that have a neighbour. If a number is missing, a label stands twice or borders name another, all values are equal,
        or there are fewer than 99 permutations.

    References
    ----------
    Moran PAP (1950). Notes on continuous stochastic phenomena. Biometrika 37:17-23. doi:10.2307/2332142

    Assunção RM, Reis EA (1999). A new proposal to adjust Moran's I for population density. Statistics in Medicine
    18:2147-2162. doi:10.1002/(SICI)1097-0258(19990830)18:16<2147::AID-SIM179>3.0.CO;2-I
    """
    only_observed("R881", "its pattern on the map is that of what it was made from", values=values)
    faults: list[Fault] = []
    seen = numbers("values", values, faults)
    people = None if population is None else positive("population", population, faults)
    held = {"values": seen} if people is None else {"values": seen, "population": people}
    same_groups("values", **held, areas=np.zeros(len(areas)))
    if people is not None:
        note(faults, "values", seen < 0, "is negative", "With population the values are counts.", seen)
    place = {label: n for n, label in enumerate(areas)}
    pairs = {tuple(sorted(pair)) for pair in borders if pair[0] != pair[1]}
    if len(place) < len(areas):
        faults.append(Fault("an area stands twice", "Give each once.", field="areas"))
    strange = sorted({label for pair in pairs for label in pair} - set(place))
    if strange:
        faults.append(Fault("pairs name areas that have no value", "Leave them out.", field="borders", rows=strange))
    if permutations < LEAST_PERMUTATIONS:
        what = f"{permutations} permutations are too few"
        faults.append(Fault(what, f"Use {LEAST_PERMUTATIONS} or more; 999 is usual.", field="permutations"))
    settle(faults)
    ends = np.array([[place[a], place[b]] for a, b in sorted(pairs)], dtype=np.intp).reshape(-1, 2)
    joined = np.unique(ends)
    if len(joined) < LEAST_AREAS:
        what = f"{len(joined)} areas have a neighbour; the index needs {LEAST_AREAS}"
        settle([Fault(what, "Use smaller areas, or show the values alone.", field="areas", code="R432")])
    at = np.full(len(areas), -1)
    at[joined] = np.arange(len(joined))
    score = _scores(seen[joined], None if people is None else people[joined])
    spread = float((score**2).sum())
    if spread <= 1e-12 * max(float(np.abs(seen).max()), 1e-300) ** 2:
        settle([Fault("are all equal", "Nothing varies, so nothing can be alike.", field="values")])
    one, other = np.concatenate([at[ends], at[ends[:, ::-1]]]).T
    weight = 1 / np.bincount(one, minlength=len(joined))[one]
    value = float((weight * score[one] * score[other]).sum()) / spread
    generator = np.random.default_rng(seed)
    expected = -1 / (len(joined) - 1)
    beyond = 0
    for start in range(0, permutations, step := max(1, _BLOCK // len(one))):
        shuffled = generator.permuted(np.tile(score, (min(step, permutations - start), 1)), axis=1)
        found = (weight * shuffled[:, one] * shuffled[:, other]).sum(axis=1) / spread
        beyond += int((np.abs(found - expected) >= abs(value - expected) - 1e-12).sum())
    islands = tuple(label for n, label in enumerate(areas) if at[n] < 0)
    return Moran(value, expected, (1 + beyond) / (1 + permutations), len(joined), islands)


def _scores(seen: FloatArray, people: FloatArray | None) -> FloatArray:
    """Values less their mean; of counts, rates over the standard deviation that each would have."""
    if people is None:
        return np.asarray(seen - seen.mean())
    whole = seen.sum() / people.sum()
    rate = seen / people
    between = (people * (rate - whole) ** 2).sum() / people.sum() - whole / people.mean()
    variance = between + whole / people
    # Where chance alone would give a small area less than nothing, chance alone is its variance.
    variance = np.where(variance > 0, variance, whole / people)
    score = np.divide(rate - whole, np.sqrt(variance), out=np.zeros_like(rate), where=variance > 0)
    return np.asarray(score - score.mean())
