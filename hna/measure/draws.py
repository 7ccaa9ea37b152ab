"""Random draws keyed by what they stand for, never by the order in which they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hna.errors import Fault, QuantityError

DEFAULT_DRAWS = 5000
"""Draws unless asked otherwise: Monte Carlo error of a 95 % limit is then about 2 % of the half-width (methods §1.5)."""
_NOTHING = np.zeros(4, dtype=np.uint64)


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
    return np.random.Generator(np.random.Philox(key=_key(seed, component)))


def _key(seed: int, component: str) -> NDArray[np.uint64]:
    if seed < 0:
        raise QuantityError(Fault(f"seed is {seed}", "Give a whole number from 0", field="seed"))
    digest = hashlib.sha256(f"{seed}\x1f{component}".encode()).digest()
    return np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)


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
    return _inside(points, draws)


def _inside(points: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    points /= draws
    return np.clip(points, 0.5 / draws * 1e-6, 1 - 1e-12, out=points)


def normal(seed: int, component: str, draws: int) -> NDArray[np.float64]:
    """One stratified standard normal a draw, shape (draw,).

    ``Φ⁻¹(u)`` of the uniforms u.

    References
    ----------
    As `uniform`.
    """
    scores: NDArray[np.float64] = ndtri(uniform(seed, component, draws))
    return scores


def normals(seed: int, components: Sequence[str], draws: int) -> NDArray[np.float64]:
    """What `normal` gives for each of several components, shape (component, draw), at about half the time."""
    check_draws(draws)
    points = np.empty((len(components), draws))
    order = np.empty(draws, dtype=np.int64)
    first = np.arange(draws)
    bits = np.random.Philox(key=0)
    generator = np.random.Generator(bits)
    for n, component in enumerate(components):
        bits.state = {
            "bit_generator": "Philox", "state": {"counter": _NOTHING, "key": _key(seed, component)},
            "buffer": _NOTHING, "buffer_pos": len(_NOTHING), "has_uint32": 0, "uinteger": 0,
        }  # fmt: skip
        order[:] = first
        generator.shuffle(order)
        generator.random(out=points[n])
        points[n] += order
    scores: NDArray[np.float64] = ndtri(_inside(points, draws), out=points)
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
        raise QuantityError(Fault(f"level is {level:g}", remedy, field="level"))
