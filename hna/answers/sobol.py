"""Shares of a variance by groups of inputs: every input drawn twice, and one group at a time exchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, QuantityError

Array = NDArray[np.float64]
Sample = Literal["first", "second", "still"]
Choice = Mapping[str, Sample]


class Shares(NamedTuple):
    """Shares of the variance of a number, by group.

    Attributes
    ----------
    first : variance that would go if the group alone were known.
    total : variance that would stay if all but the group were known; more than ``first`` where groups act together.
    variance : of the number, in its unit squared.
    """

    first: dict[str, float]
    total: dict[str, float]
    variance: float


def sobol(value: Callable[[Choice], Array], groups: Sequence[str]) -> Shares:
    """First-order and total shares of a variance by groups of inputs, by pick-freeze.

    In words: draw every input twice. For each group make the number with that group from the first draw and all others
    from the second: its covariance with the number wholly of the first, over the variance, is the group's first-order
    share. Half the mean squared difference of the number wholly of the first and the number with only that group from the
    second is its total share. Both are formed in both directions and averaged; ``2 + 2g`` evaluations.

    Parameters
    ----------
    value : the number, shape (draw,), given for each group which sample it takes.
    groups : names; inputs of different groups are independent.

    Returns
    -------
    Shares
        Proportions. First-order shares add up to at most 1, total shares to at least 1, but for Monte Carlo error, which is
        about ``1/√draws``. All 0 where nothing varies.

    Raises
    ------
    QuantityError
        If a value is missing, or there is one draw only.

    References
    ----------
    Saltelli A, Annoni P, Azzini I et al (2010). Variance based sensitivity analysis of model output. Computer Physics
    Communications 181:259-270. doi:10.1016/j.cpc.2009.09.018

    Jansen MJW (1999). Analysis of variance designs for model output. Computer Physics Communications 117:35-43.
    doi:10.1016/S0010-4655(98)00154-4
    """
    wholly = {sample: _drawn(value, dict.fromkeys(groups, sample)) for sample in ("first", "second")}
    a, b = wholly["first"], wholly["second"]
    variance = float((a.var() + b.var()) / 2)
    first, total = {}, {}
    for group in groups:
        c = _drawn(value, {name: "first" if name == group else "second" for name in groups})
        d = _drawn(value, {name: "second" if name == group else "first" for name in groups})
        together = (_covariance(a, c) + _covariance(b, d)) / 2
        apart = float(((a - d) ** 2).mean() + ((b - c) ** 2).mean()) / 4
        first[group] = together / variance if variance > 0 else 0.0
        total[group] = apart / variance if variance > 0 else 0.0
    return Shares(first, total, variance)


def _drawn(value: Callable[[Choice], Array], choice: Choice) -> Array:
    found = np.asarray(value(choice), dtype=np.float64)
    if found.ndim != 1 or len(found) < 2 or not np.isfinite(found).all():
        remedy = "Give one finite number a draw, two draws or more"
        raise QuantityError(Fault(f"values of shape {found.shape} cannot be divided", remedy, field="value"))
    return found


def _covariance(x: Array, y: Array) -> float:
    return float(((x - x.mean()) * (y - y.mean())).mean())
