"""Priorities under weights that are not certain: how often each need takes each rank, and what it takes to be first."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.assessment.framework import AssessmentError
from hna.errors import Fault
from hna.measure.draws import stream

Array = NDArray[np.float64]

BEST = 4.0
"""Highest score: scores run from 0 to 4 (methods §9.3)."""
_SUM = 1e-6


@dataclass(frozen=True, eq=False)
class Acceptability:
    """How often each need takes each rank.

    Parameters
    ----------
    needs : in the order of the rows.
    criteria : in the order of the weights.
    ranks : shape (need, rank), probability that a need takes a rank; needs that tie share the ranks evenly.
    central : shape (need, criterion), mean of the weights under which the need is first; NaN where it never is.
    first : shape (need,), probability of being first.
    value : shape (need, draw), weighted score from 0 to 4.
    """

    needs: tuple[str, ...]
    criteria: tuple[str, ...]
    ranks: Array
    central: Array
    first: Array
    value: Array

    def top(self, k: int) -> Array:
        """Probability of standing among the first k, shape (need,)."""
        found: Array = self.ranks[:, :k].sum(axis=1)
        return np.minimum(found, 1.0)

    @property
    def expected(self) -> Array:
        """Mean rank, from 1, shape (need,)."""
        found: Array = self.ranks @ np.arange(1, self.ranks.shape[1] + 1, dtype=float)
        return found

    def order(self, k: int) -> tuple[int, ...]:
        """Rows by chance of the first k places, then by mean rank, then by name."""
        chance, mean = np.round(self.top(k), 12), np.round(self.expected, 12)
        return tuple(sorted(range(len(self.needs)), key=lambda n: (-chance[n], mean[n], self.needs[n])))


def check_weights(weights: Mapping[str, float], correlated: Mapping[str, Sequence[str]], file: str = "") -> None:
    """Refuse weights that cannot be used, all faults at once.

    Parameters
    ----------
    weights : by criterion.
    correlated : every criterion that there is, and those it is never weighted with.
    file : for messages.

    Raises
    ------
    AssessmentError
        If a weight is negative or of no known criterion, they do not sum to 1, or two criteria that say the same thing twice
        both weigh.
    """
    faults = []
    unknown = [name for name in weights if name not in correlated]
    if unknown:
        remedy = f"The criteria are {', '.join(correlated)}"
        faults.append(Fault("criteria are unknown", remedy, file=file, field="weights", rows=unknown))
    wrong = [f"{name}: {value:g}" for name, value in weights.items() if not 0 <= value <= 1]
    if wrong:
        faults.append(Fault("weights are not shares", "Each is from 0 to 1", file=file, field="weights", rows=wrong))
    total = sum(weights.values())
    if abs(total - 1) > _SUM:
        remedy = "Weights sum to 1: share them out again"
        faults.append(Fault(f"weights sum to {total:g}", remedy, file=file, field="weights"))
    both = [
        f"{one} and {other}"
        for one, other in itertools.combinations(weights, 2)
        if weights[one] and weights[other] and (other in correlated.get(one, ()) or one in correlated.get(other, ()))
    ]
    if both:
        remedy = "They measure the same thing twice: keep one"
        faults.append(Fault("criteria are correlated by construction", remedy, file=file, field="weights", rows=both))
    if faults:
        raise AssessmentError(faults)


def drawn_weights(
    criteria: Sequence[str], agreed: Mapping[str, float] | None, concentration: float, seed: int, draws: int
) -> Array:
    """Weights drawn about those agreed, or every weighting alike where none was.

    Each criterion has a stream of its own, so that the order in which criteria are named moves nothing. A criterion of
    weight nought stays at nought in every draw.

    Returns
    -------
    array of shape (draw, criterion); each row sums to 1.

    References
    ----------
    Dirichlet by normalised gammas. Lahdelma R, Salminen P. SMAA-2. Oper Res 2001;49:444-454. doi 10.1287/opre.49.3.444.11220.
    """
    shape = {name: 1.0 if agreed is None else concentration * agreed.get(name, 0.0) for name in criteria}
    kind = "any" if agreed is None else "agreed"
    columns = [
        stream(seed, f"weight:{kind}:{name}").gamma(shape[name], size=draws) if shape[name] > 0 else np.zeros(draws)
        for name in criteria
    ]
    drawn = np.stack(columns, axis=1)
    total = drawn.sum(axis=1, keepdims=True)
    fixed = np.array([shape[name] for name in criteria])
    # A draw in which every gamma underflows falls back to the weights themselves.
    return np.where(total > 0, drawn / np.where(total > 0, total, 1.0), fixed / fixed.sum())


def unknown_scores(need: str, criterion: str, seed: int, draws: int) -> Array:
    """Scores of a need on a criterion of which nothing is known: anything from 0 to 4, alike."""
    return stream(seed, f"unknown:{criterion}:{need}").uniform(0.0, BEST, draws)


def acceptability(needs: Sequence[str], criteria: Sequence[str], scores: Array, weights: Array) -> Acceptability:
    """Stochastic multicriteria acceptability of a linear value model.

    Parameters
    ----------
    needs, criteria : labels.
    scores : shape (need, criterion, draw), each from 0 to 4.
    weights : shape (draw, criterion), each row summing to 1.

    Returns
    -------
    Acceptability; its probabilities sum to 1 over ranks for each need, and over needs for each rank.

    Raises
    ------
    AssessmentError
        If labels and shapes do not match, or a score is missing or out of range.

    References
    ----------
    Lahdelma R, Salminen P. SMAA-2: stochastic multicriteria acceptability analysis for group decision making. Oper Res
    2001;49:444-454. doi 10.1287/opre.49.3.444.11220.
    """
    size, wide = len(needs), len(criteria)
    if scores.shape[:2] != (size, wide) or weights.shape != (scores.shape[2], wide):
        what = f"scores have shape {scores.shape} and weights {weights.shape} for {size} needs and {wide} criteria"
        raise AssessmentError(Fault(what, "Give scores by need, criterion and draw, and weights by draw and criterion"))
    if not (np.isfinite(scores).all() and scores.min(initial=0) >= 0 and scores.max(initial=0) <= BEST):
        raise AssessmentError(Fault("a score is missing or out of range", "Scores run from 0 to 4"))
    value = np.einsum("ncd,dc->nd", scores, weights)
    # Sums of the same scores in another order differ in the last place: that is no difference.
    even = np.round(value, 9)
    ranks = np.zeros((size, size + 1))
    first = np.zeros(size)
    central = np.zeros((size, wide))
    draws = value.shape[1]
    for n in range(size):
        above = (even > even[n]).sum(axis=0)
        ties = (even == even[n]).sum(axis=0)
        share = 1.0 / ties
        np.add.at(ranks[n], above, share)
        np.add.at(ranks[n], above + ties, -share)
        leads = np.where(above == 0, share, 0.0)
        first[n] = leads.sum()
        central[n] = leads @ weights
    ranks = np.clip(np.cumsum(ranks, axis=1)[:, :size] / draws, 0.0, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        central = np.where(first[:, None] > 0, central / first[:, None], np.nan)
    return Acceptability(tuple(needs), tuple(criteria), ranks, central, first / draws, value)


def standing(chance: float, robust: float, open_from: float) -> str:
    """A need's standing: ``robust``, ``sensitive`` (to weights and to what is not known) or ``lower``."""
    return "robust" if chance >= robust else "sensitive" if chance >= open_from else "lower"
