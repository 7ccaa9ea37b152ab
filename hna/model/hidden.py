"""Count people whom no list holds: overlapping lists, and a known number divided by the share that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaln, ndtri

from hna.errors import Fault, ModelError, QuantityError
from hna.measure.draws import check_level, normal, uniform
from hna.model.rules import rules

Array = NDArray[np.float64]
Cell = tuple[int, ...]

MOST_LISTS = 5
"""Lists beyond which models are too many to fit them all."""
_LARGEST_ERROR = 5.0
"""Standard error of the logarithm of those on no list from which the counts do not settle it at all."""
_ROUNDS, _SETTLED, _FARTHEST = 200, 1e-10, 40.0


@dataclass(frozen=True)
class Unseen:
    """A number of people of whom some are on no list.

    Parameters
    ----------
    model : how the lists are taken to depend on each other.
    observed : people on any list.
    unseen : estimated number on none.
    variance : of that estimate.
    aic : Akaike's criterion; NaN for two lists.
    """

    model: str
    observed: int
    unseen: float
    variance: float
    aic: float = float("nan")

    @property
    def total(self) -> float:
        """Everybody."""
        return self.observed + self.unseen

    @property
    def _sigma(self) -> float:
        return float(np.sqrt(np.log1p(self.variance / self.unseen**2))) if self.unseen > 0 else 0.0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Limits that never fall below those observed: log-normal on the unseen, ``f/C`` to ``f·C``."""
        check_level(level)
        factor = float(np.exp(ndtri(0.5 + level / 2) * self._sigma))
        return self.observed + self.unseen / factor, self.observed + self.unseen * factor

    def draw(self, seed: int, name: str, draws: int) -> Array:
        """Draws of the total, shape (draw,), with the estimate as their mean."""
        score = normal(seed, f"unseen:{name}", draws)
        found: Array = self.observed + self.unseen * np.exp(self._sigma * score - 0.5 * self._sigma**2)
        return found


def two_lists(first: int, second: int, both: int) -> Unseen:
    """Everybody, from two lists and those on both: Chapman's ``(n₁ + 1)(n₂ + 1)/(m + 1) − 1``.

    Needs lists that are independent, a closed population, perfect matching and equal chances: none can be tested with
    two lists (W621).

    Parameters
    ----------
    first, second : people on each list.
    both : people on both.

    References
    ----------
    Chapman DG. Univ Calif Publ Stat 1951;1:131-160. Seber GAF. Biometrics 1970;26:695 (variance). doi 10.2307/2528716.
    Chao A. Biometrics 1987;43:783-791 (log-normal limits). doi 10.2307/2531532.
    """
    if not 0 <= both <= min(first, second):
        raise QuantityError(f"{both} people are on both lists, of {first} and {second}")
    estimate = (first + 1) * (second + 1) / (both + 1) - 1
    variance = (first + 1) * (second + 1) * (first - both) * (second - both) / ((both + 1) ** 2 * (both + 2))
    observed = first + second - both
    return Unseen("two lists, independent", observed, max(estimate - observed, 0.0), variance)


@dataclass(frozen=True)
class Envelope:
    """Every model of the lists that the counts support about as well as the best.

    Parameters
    ----------
    near : models within `Rules.aic_within` of the best AIC, best first.
    others : how many models fitted worse.
    failed : models that could not be estimated from these counts.
    flags : W621 always: without evidence from outside, none of them is the central one.
    """

    near: tuple[Unseen, ...]
    others: int
    failed: tuple[str, ...]
    flags: tuple[str, ...] = ("W621",)

    def span(self, level: float = 0.95) -> tuple[float, float]:
        """Lowest lower and highest upper limit of any."""
        limits = [model.interval(level) for model in self.near]
        return min(low for low, _ in limits), max(high for _, high in limits)

    @property
    def words(self) -> str:
        """One sentence for the report."""
        totals = [model.total for model in self.near]
        low, high = self.span()
        return (
            f"{len(self.near)} of {len(self.near) + self.others} models fit about as well: {min(totals):,.0f} to "
            f"{max(totals):,.0f} people ({low:,.0f} to {high:,.0f} with sampling error); overlap of lists alone cannot "
            "choose between them"
        )


def several_lists(counts: Mapping[Cell, int], names: Sequence[str]) -> Envelope:
    """Everybody, from three lists or more: all hierarchical log-linear models, those that fit shown as an envelope.

    The counts of every pattern are Poisson with a log-linear mean in the lists and their interactions; the intercept is
    the log of those on no list. Its variance is ``f²·var(intercept) + f``. All models with every list's main effect are
    fitted: all interactions for up to four lists, pairs for five.

    Parameters
    ----------
    counts : people by pattern, such as ``(1, 0, 1)`` for the first and third list; patterns left out are 0, and nobody
        has the pattern of no list.
    names : of the lists.

    Raises
    ------
    ModelError
        R623 for fewer than three lists or more than five, or if no model can be estimated.

    References
    ----------
    Fienberg SE. Biometrika 1972;59:591-603. doi 10.1093/biomet/59.3.591.
    Jones HE, Hickman M, Welton NJ, et al. Am J Epidemiol 2014;179:57-65 (why an envelope). doi 10.1093/aje/kwt214.
    """
    lists = len(names)
    if not 3 <= lists <= MOST_LISTS:
        remedy = f"Use two_lists for two; leave lists out above {MOST_LISTS}"
        raise ModelError(Fault(f"{lists} lists are given", remedy, code="R623"))
    cells = [cell for n in range(1, 2**lists) if (cell := tuple((n >> at) & 1 for at in range(lists)))]
    wrong = [cell for cell in counts if cell not in cells or counts[cell] < 0]
    if wrong:
        raise QuantityError(Fault("a pattern of lists is unknown, or its count negative", rows=wrong))
    y = np.array([counts.get(cell, 0) for cell in cells], dtype=float)
    patterns = np.array(cells, dtype=float)
    models, failed = [], []
    for terms in _hierarchical(lists):
        label = _label(terms, names)
        found = _fit(y, patterns, terms, label)
        if found is None:
            failed.append(label)
        else:
            models.append(found)
    if not models:
        raise ModelError(
            Fault("no model of the lists can be estimated", "Too few people are on two lists", code="R623")
        )
    models.sort(key=lambda model: model.aic)
    near = tuple(model for model in models if model.aic <= models[0].aic + rules().aic_within)
    return Envelope(near, len(models) - len(near), tuple(failed))


def _hierarchical(lists: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every set of interactions that holds all interactions within each of its own, the full one left out."""
    orders = [2] if lists == MOST_LISTS else list(range(2, lists))
    terms = [term for order in orders for term in combinations(range(lists), order)]
    for size in range(len(terms) + 1):
        for chosen in combinations(terms, size):
            held = set(chosen)
            inside = (pair for term in chosen if len(term) > 2 for pair in combinations(term, len(term) - 1))
            if all(pair in held for pair in inside):
                yield chosen


def _label(terms: tuple[tuple[int, ...], ...], names: Sequence[str]) -> str:
    return " + ".join("×".join(names[at] for at in term) for term in terms) or "independent"


def _fit(y: Array, patterns: Array, terms: tuple[tuple[int, ...], ...], label: str) -> Unseen | None:
    design = np.column_stack([np.ones(len(y)), patterns, *(patterns[:, list(term)].prod(axis=1) for term in terms)])
    if design.shape[1] > len(y):
        return None
    # Poisson regression by iteratively reweighted least squares, from the counts themselves.
    eta = np.log(y + 0.5)
    for _ in range(_ROUNDS):
        mu = np.exp(eta)
        weighted = design * mu[:, None]
        try:
            b = np.linalg.solve(design.T @ weighted, weighted.T @ (eta + (y - mu) / mu))
        except np.linalg.LinAlgError:
            return None
        before, eta = eta, design @ b
        if not np.isfinite(eta).all() or np.abs(eta).max() > _FARTHEST:
            return None
        if np.abs(eta - before).max() < _SETTLED:
            break
    else:
        return None
    mu = np.exp(eta)
    error = float(np.sqrt(np.linalg.inv(design.T @ (design * mu[:, None]))[0, 0]))
    if not error < _LARGEST_ERROR:
        return None
    unseen = float(np.exp(b[0]))
    aic = 2 * design.shape[1] - 2 * float((y * eta - mu - gammaln(y + 1)).sum())
    return Unseen(label, int(y.sum()), unseen, unseen**2 * error**2 + unseen, aic)


@dataclass(frozen=True, eq=False)
class Multiplied:
    """A known number divided by the share that is known.

    Parameters
    ----------
    point : plug-in estimate, people.
    draws : shape (draw,); their mean lies above the point, since a quotient is skewed.
    """

    point: float
    draws: Array

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Equal-tailed limits."""
        check_level(level)
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def multiplier(known: float, positive: float, sample: float, seed: int, name: str, draws: int) -> Multiplied:
    """Everybody, from a count and a survey of how many of them that count reaches: ``N = K/p``, ``p ~ Beta(x, n − x)``.

    The count and the survey must use one definition, period and area; the survey must reach those who attend and those
    who do not; the count must hold each person once.

    Parameters
    ----------
    known : people counted, K; a census count without sampling error.
    positive, sample : effective numbers x of n asked who say that they were counted; the Beta's mean is x/n.
    seed, name, draws : of the stream.

    Raises
    ------
    QuantityError
        If nobody, or fewer than nobody, was counted or asked.

    References
    ----------
    Sample size calculations for population size estimation studies using multiplier methods. JMIR Public Health Surveill
    2017;3(3):e59. doi 10.2196/publichealth.7909.
    """
    if not (known > 0 and 0 < positive < sample):
        raise QuantityError(Fault("a multiplier needs a count above 0 and a share between 0 and 1", field=name))
    share = betaincinv(positive, sample - positive, uniform(seed, f"multiplier:{name}", draws))
    return Multiplied(known * sample / positive, known / share)
