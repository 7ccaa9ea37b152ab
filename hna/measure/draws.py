"""Random draws keyed by what they stand for, never by the order in which they are asked for."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hna.errors import Fault, QuantityError

DEFAULT_DRAWS = 5000
"""Draws unless asked otherwise: Monte Carlo error of a 95 % limit is then about 2 % of the half-width (methods §1.5)."""


def stream(seed: int, component: str) -> np.random.Generator:
    """A generator that depends on the seed and the name of the component alone.

    Parameters
    ----------
    seed : any whole number from 0.
    component : what the randomness stands for, such as ``study:cfas-ii-dementia``.

    References
    ----------
    Salmon JK et al. Parallel random numbers: as easy as 1, 2, 3. SC 2011. doi 10.1145/2063384.2063405 (Philox).
    """
    if seed < 0:
        raise QuantityError(Fault(f"seed is {seed}", "Give a whole number from 0", field="seed"))
    digest = hashlib.sha256(f"{seed}\x1f{component}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def uniform(seed: int, component: str, draws: int) -> NDArray[np.float64]:
    """One stratified uniform a draw: a Latin hypercube, since each component is permuted by its own stream.

    Parameters
    ----------
    seed, component : as in `stream`.
    draws : how many, from 1.

    Returns
    -------
    array of shape (draw,), strictly between 0 and 1, with exactly one value in each interval of width 1/draws.

    References
    ----------
    McKay MD, Beckman RJ, Conover WJ. Technometrics 1979;21:239-245. doi 10.1080/00401706.1979.10489755.
    """
    check_draws(draws)
    generator = stream(seed, component)
    points: NDArray[np.float64] = generator.permutation(draws) + generator.random(draws)
    points /= draws
    np.maximum(points, 0.5 / draws * 1e-6, out=points)
    return np.minimum(points, 1 - 1e-12, out=points)


def normal(seed: int, component: str, draws: int) -> NDArray[np.float64]:
    """One stratified standard normal a draw, shape (draw,)."""
    scores: NDArray[np.float64] = ndtri(uniform(seed, component, draws))
    return scores


def check_draws(draws: int) -> None:
    """Refuse a number of draws that is no number of draws."""
    if isinstance(draws, bool) or int(draws) != draws or draws < 1:
        remedy = f"Ask for at least 1; {DEFAULT_DRAWS:,} is usual"
        raise QuantityError(Fault(f"draws is {draws}", remedy, field="draws"))


def check_level(level: float) -> None:
    """Refuse a confidence level that is not a proportion."""
    if not 0 < level < 1:
        remedy = "Give a proportion such as 0.95"
        raise QuantityError(Fault(f"level is {level}", remedy, field="level"))
