"""From one way of finding cases to another: screening tests, and definitions measured on the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from hna.errors import Fault, ModelError, QuantityError
from hna.measure.draws import normal
from hna.model.meta import random_effects

Array = NDArray[np.float64]

TOO_OFTEN = 0.05
"""Share of draws with fewer positives than false positives alone from which a correction is refused (methods §3.4)."""


def rogan_gladen(positive: ArrayLike, sensitivity: ArrayLike, specificity: ArrayLike) -> tuple[Array, float]:
    """True prevalence from the share positive on a test: ``p = (q + Sp − 1)/(Se + Sp − 1)``.

    Parameters
    ----------
    positive : shape (..., draw), share positive.
    sensitivity, specificity : shape (draw,), draws of each.

    Returns
    -------
    array like `positive`, and the share of draws in which fewer were positive than false positives alone would be;
    those are 0.

    Raises
    ------
    ModelError
        R322 if sensitivity + specificity is one or less in any draw (the test says nothing), or if over one draw in
        twenty would be below zero.

    References
    ----------
    Rogan WJ, Gladen B. Am J Epidemiol 1978;107:71-76. doi 10.1093/oxfordjournals.aje.a112510.
    """
    q, se, sp = (np.asarray(values, dtype=float) for values in (positive, sensitivity, specificity))
    for name, values in (("share positive", q), ("sensitivity", se), ("specificity", sp)):
        if not ((values >= 0) & (values <= 1)).all():
            raise QuantityError(f"{name} is outside 0 to 1")
    gain = se + sp - 1
    if (gain <= 0).any():
        remedy = "Such a test says nothing about who is a case: use another source"
        what = f"sensitivity and specificity add up to {float((se + sp).min()):.3g}, not to more than one"
        raise ModelError(Fault(what, remedy, code="R322"))
    below = float((q < 1 - sp).mean())
    if below > TOO_OFTEN:
        remedy = "The specificity cannot be that low in this population: find one measured here"
        what = f"in {below:.0%} of draws fewer are positive than false positives alone would be"
        raise ModelError(Fault(what, remedy, code="R322"))
    found: Array = np.clip((q + sp - 1) / gain, 0.0, 1.0)
    return found, below


@dataclass(frozen=True)
class Crosswalk:
    """The difference between an alternative and the reference definition, on the logit scale.

    Parameters
    ----------
    name : keys the stream.
    beta : mean of alternative less reference.
    error : its standard error.
    between : standard deviation between pairs.
    pairs : how many.
    """

    name: str
    beta: float
    error: float
    between: float
    pairs: int

    def draw(self, seed: int, draws: int) -> Array:
        """Draws of the difference, shape (draw,): one, shared by every estimate that it touches."""
        score: Array = normal(seed, f"crosswalk:{self.name}", draws)
        difference: Array = self.beta + np.hypot(self.error, self.between) * score
        return difference

    def apply(self, rate: ArrayLike, seed: int) -> Array:
        """Rates of the alternative definition as rates of the reference: ``logit p − β``.

        Parameters
        ----------
        rate : shape (..., draw), proportions inside (0, 1).
        """
        p = np.asarray(rate, dtype=float)
        moved: Array = expit(logit(p) - self.draw(seed, p.shape[-1]))
        return moved


def crosswalk(
    name: str,
    alternative: Sequence[float],
    alternative_error: Sequence[float],
    reference: Sequence[float],
    reference_error: Sequence[float],
    *,
    matched: bool,
) -> Crosswalk:
    """A crosswalk from pairs of prevalences by two definitions, measured on the same people.

    Each pair gives ``d = logit p(alt) − logit p(ref)`` with variance by the delta method, ``s²/(p(1 − p))²`` each; pairs
    are pooled by random effects (REML). What is adjusted takes on the variance of β and that between pairs.

    Parameters
    ----------
    alternative, reference : shape (pair,), proportions.
    alternative_error, reference_error : shape (pair,), standard errors.
    matched : whether both were measured on the same people or population.

    Raises
    ------
    ModelError
        R321 without matched pairs: the difference between studies would be taken for that between definitions.

    References
    ----------
    Zheng P, Barber R, Sorensen RJD, Murray CJL, Aravkin AY. J Comput Graph Stat 2021;30:544-556.
    doi 10.1080/10618600.2020.1868303.
    """
    if not matched or not len(alternative):
        remedy = "Use pairs measured on the same people, or run each definition alone (envelope)"
        raise ModelError(Fault("a crosswalk rests on no matched pairs", remedy, code="R321"))
    a, b = np.asarray(alternative, dtype=float), np.asarray(reference, dtype=float)
    if not (((a > 0) & (a < 1)).all() and ((b > 0) & (b < 1)).all()):
        raise QuantityError("a prevalence of 0 or 1 has no logit")
    spread = [np.asarray(e, dtype=float) / (p * (1 - p)) for e, p in ((alternative_error, a), (reference_error, b))]
    found = random_effects(logit(a) - logit(b), spread[0] ** 2 + spread[1] ** 2, "reml", "none")
    return Crosswalk(name, found.mean, found.error, float(np.sqrt(found.tau2)), len(a))
