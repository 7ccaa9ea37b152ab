"""One of many errors whose weighted sum is nothing in every draw, drawn without drawing the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def order_of(names: Sequence[str]) -> NDArray[np.uint64]:
    """Which member a range of members is divided before: the one of the highest number. From the names alone.

    Two lists that share most members then share most divisions, and so most of their draws.
    """
    digests = (hashlib.sha256(name.encode()).digest()[:8] for name in names)
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)


def centred(
    at: int, spread: Array, weight: Array, order: NDArray[np.uint64], score: Callable[[int], Array]
) -> tuple[Array | float, float]:
    """The error of one member, given that the weighted errors of all add up to nothing.

    Normal errors of standard deviations σ, independent but for Σ w·x = 0: the sum over a range of members is divided between
    its halves, S_left | S ~ N(S·V_left/V, V_left·V_right/V) with V = Σ (w·σ)² of each, from all members (S = 0) down to one
    (x = S/w). Every division has a score of its own, so that a member takes about 2·ln(members) of them and is the same
    whichever others are asked for.

    Parameters
    ----------
    at : position of the member.
    spread, weight : shape (member,), standard deviations and weights, from 0.
    order : shape (member,), from `order_of`.
    score : standard normal scores, shape (draw,), of the division before a member.

    Returns
    -------
    errors, shape (draw,), and their variance: σ²·(1 − w²σ²/V), as one linear condition takes away.

    References
    ----------
    Rue H, Held L. Gaussian Markov random fields. Chapman & Hall/CRC, 2005 (conditioning on a linear sum). doi 10.1201/9780203492024.
    """
    if weight[at] <= 0 or spread[at] <= 0:
        return 0.0, 0.0
    upto = np.concatenate([[0.0], np.cumsum((weight * spread) ** 2)])
    low, high = 0, len(weight)
    summed: Array | float = 0.0
    variance = 0.0
    while high - low > 1:
        middle = low + 1 + int(np.argmax(order[low + 1 : high]))
        left, right = upto[middle] - upto[low], upto[high] - upto[middle]
        here = left if at < middle else right
        side = 1.0 if at < middle else -1.0
        step = left * right / (left + right)
        summed = summed * (here / (left + right))
        if step > 0:
            summed = summed + side * np.sqrt(step) * score(middle)
        variance = variance * (here / (left + right)) ** 2 + step
        low, high = (low, middle) if at < middle else (middle, high)
    return summed / weight[at], float(variance / weight[at] ** 2)
