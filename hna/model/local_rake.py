"""Raking: a table scaled in turn to each of several known margins until all of them hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hna.errors import Fault, ModelError, QuantityError

Array = NDArray[np.float64]

_ROUNDS = 10_000
_CLOSE = 1e-10
_CONSISTENT = 1e-8


@dataclass(frozen=True, eq=False)
class Raked:
    """A table that meets its margins.

    Parameters
    ----------
    values : of the shape of the table.
    rounds : how often all margins were gone through.
    error : largest relative difference from a margin.
    zeros : cells that were zero in the table and stay so.
    """

    values: Array
    rounds: int
    error: float
    zeros: int


def rake(
    table: ArrayLike, margins: Mapping[Sequence[int], ArrayLike] | Sequence[tuple[Sequence[int], ArrayLike]]
) -> Raked:
    """A table scaled to margins by iterative proportional fitting; its odds ratios are kept.

    Parameters
    ----------
    table : any shape, never negative; a last axis of draws may be raked along by keeping it in every margin.
    margins : pairs of the axes that a margin keeps, in rising order, and its values over them.

    Raises
    ------
    ModelError
        R422 if margins disagree about a total, or cannot be met (a margin asks for people where the table has none).
    QuantityError
        If a value is negative or a margin has the wrong shape.

    References
    ----------
    Deming WE, Stephan FF. Ann Math Stat 1940;11:427-444. doi 10.1214/aoms/1177731829.
    """
    values = np.array(table, dtype=float)
    pairs = list(margins.items()) if isinstance(margins, Mapping) else list(margins)
    held = [(tuple(axes), np.asarray(target, dtype=float)) for axes, target in pairs]
    _check(values, held)
    zeros = int((values == 0).sum())
    error, rounds = np.inf, 0
    for rounds in range(1, _ROUNDS + 1):
        for axes, target in held:
            summed = _sum(values, axes)
            factor = np.divide(target, summed, out=np.zeros_like(target), where=summed > 0)
            values = values * np.expand_dims(factor, _others(values.ndim, axes))
        error = max(_off(_sum(values, axes), target) for axes, target in held)
        if error < _CLOSE:
            return Raked(values, rounds, error, zeros)
    remedy = "Are there cells of zero where the margins need people?"
    raise ModelError(Fault(f"raking stops {error:.1e} away from its margins", remedy, code="R422"))


def _check(values: Array, held: list[tuple[tuple[int, ...], Array]]) -> None:
    if (values < 0).any() or not np.isfinite(values).all():
        raise QuantityError("a table to be raked has a negative or missing value")
    for axes, target in held:
        if target.shape != tuple(values.shape[axis] for axis in axes) or (target < 0).any():
            raise QuantityError(f"a margin over axes {axes} has shape {target.shape}, or is negative")
        if ((target > 0) & (_sum(values, axes) == 0)).any():
            what = f"the margin over axes {axes} asks for people where the table has none"
            raise ModelError(Fault(what, "A zero stays zero: give the cell a seed", code="R422"))
    for n, (axes, target) in enumerate(held):
        for others, other in held[n + 1 :]:
            shared = tuple(axis for axis in axes if axis in others)
            a = target.sum(axis=tuple(axes.index(axis) for axis in axes if axis not in shared))
            b = other.sum(axis=tuple(others.index(axis) for axis in others if axis not in shared))
            if _off(np.asarray(a), np.asarray(b)) > _CONSISTENT:
                what = f"margins over axes {axes} and {others} disagree about what they share"
                raise ModelError(Fault(what, "Scale one to the other first, and say which", code="R422"))


def _others(dimensions: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in range(dimensions) if axis not in axes)


def _sum(values: Array, axes: tuple[int, ...]) -> Array:
    summed: Array = values.sum(axis=_others(values.ndim, axes))
    return summed


def _off(found: Array, target: Array) -> float:
    return float((np.abs(found - target) / np.maximum(np.abs(target), 1e-300))[target != 0].max(initial=0.0))
