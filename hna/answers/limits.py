"""What is read from a block of draws before it is dropped: limits, and every figure of a gap, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEED = ("people", "estimate", "mean", "sd", "lower", "upper", "realised")
"""What is kept of need, for each place and year."""
GAP = (
    "known_lower", "known_upper",
    "gap_lower", "gap_upper", "gap_probability",
    "coverage", "coverage_lower", "coverage_upper",
    "exceed_lower", "exceed_upper",
    "shortfall_lower", "shortfall_upper", "shortfall_probability",
)  # fmt: skip
"""What is kept of a gap besides."""
_ONE = 1.0
_EACH, _SPREADS = 5, 3


def read_sorted(ordered: Array, at: Sequence[float], draws: int | None = None, start: int = 0) -> Array:
    """Quantiles of rows in order, as ``np.quantile`` reads them (linear between order statistics).

    Parameters
    ----------
    ordered : shape (row, draw), each row ascending: all draws, or those from `start` on.
    at : probabilities.
    draws : how many there are in all; None for those given.
    start : rank of the first that is given.

    Returns
    -------
    array of shape (probability, row), in the unit of the draws.
    """
    last = (draws or ordered.shape[-1]) - 1
    found = np.empty((len(at), ordered.shape[0]))
    for n, probability in enumerate(at):
        place = probability * last
        below = int(np.floor(place))
        above = min(below + 1, last)
        low, high = ordered[:, below - start], ordered[:, above - start]
        found[n] = low + (high - low) * (place - below)
    return found


def limits(block: Array, level: float) -> tuple[Array, Array]:
    """Lower and upper limit of each row, exactly as ``np.quantile`` gives them; the block may be overwritten.

    A sample of each row says about where a limit lies; only the draws beyond that are put in order. Whether they are enough
    is counted, and rows where they are not are sorted whole.

    Parameters
    ----------
    block : shape (row, draw), people; the order of draws says nothing of their size.
    level : confidence level.
    """
    draws = block.shape[-1]
    alpha = (1 - level) / 2
    edge = int(np.floor(alpha * (draws - 1))) + 2
    sample = np.sort(block[:, ::_EACH], axis=-1)
    size = sample.shape[1]
    reach = int(alpha * size + _SPREADS * np.sqrt(alpha * (1 - alpha) * size)) + 1
    if reach > size // 3:
        block.sort(axis=-1)
        lower, upper = read_sorted(block, (alpha, 1 - alpha))
        return lower, upper
    low, high = sample[:, reach, None], sample[:, size - 1 - reach, None]
    first, fewer = _beyond(block, block < low, low, edge)
    last, more = _beyond(block, block > high, high, edge)
    lower = read_sorted(first, (alpha,), draws)[0]
    upper = read_sorted(last, (1 - alpha,), draws, draws - last.shape[1])[0]
    # Draws equal to the bound count too: few people are whole numbers.
    short = np.flatnonzero((fewer < edge) | (more < edge))
    if len(short):
        here = block[short]
        some = np.minimum((here <= low[short]).sum(axis=-1), (here >= high[short]).sum(axis=-1)) < edge
        short = short[some]
        lower[short], upper[short] = read_sorted(np.sort(here[some], axis=-1), (alpha, 1 - alpha))
    return lower, upper


def _beyond(block: Array, mask: NDArray[np.bool_], bound: Array, least: int) -> tuple[Array, NDArray[np.intp]]:
    """Draws of each row that lie beyond its bound, ascending and filled up with the bound; and how many they are."""
    places = np.flatnonzero(mask)
    starts = np.searchsorted(places, np.arange(len(block) + 1) * block.shape[1])
    counts = np.diff(starts)
    found = np.empty((len(block), max(int(counts.max(initial=0)), least)))
    found[:] = bound
    found[np.arange(found.shape[1]) < counts[:, None]] = block.ravel()[places]
    found.sort(axis=-1)
    return found, counts


def gap_figures(
    block: Array,
    low: Array,
    high: Array,
    printed: NDArray[np.bool_],
    factor: Array | None,
    level: float,
    target: float | None,
) -> dict[str, Array]:
    """Everything said of need and known, row by row: as `hna.answers.gap.figures` says it of one.

    Parameters
    ----------
    block : shape (row, draw), people in need; sorted in place where `factor` is None.
    low, high : shape (row,), least and most people known.
    printed : shape (row,), whether the number itself is printed; else its limits are its bounds.
    factor : shape (draw,), measurement model of the count; None for a count taken as it is.
    level : confidence level.
    target : share of people in need who should be known.

    Returns
    -------
    arrays of shape (row,) named as in `GAP`; coverage is the median of the draws. Where only bounds are known, the
    probability of a gap is the one at the bound that makes it least.
    """
    alpha = (1 - level) / 2
    at = (alpha, 1 - alpha)
    found: dict[str, Array] = {}
    if factor is None:
        block.sort(axis=-1)
        lower, upper = read_sorted(block, at)
        found["known_lower"], found["known_upper"] = low, high
        found["gap_lower"], found["gap_upper"] = lower - high, upper - low
        found["gap_probability"] = (block > high[:, None]).mean(axis=-1)
        inverse = 1 / np.maximum(block[:, ::-1], _ONE)
        small, middle, large = read_sorted(inverse, (alpha, 0.5, 1 - alpha))
        found["coverage"], found["coverage_lower"], found["coverage_upper"] = low * middle, low * small, high * large
        found["exceed_lower"] = (block < low[:, None]).mean(axis=-1)
        found["exceed_upper"] = (block < high[:, None]).mean(axis=-1)
        if target is not None:
            found["shortfall_lower"], found["shortfall_upper"] = target * lower - high, target * upper - low
            found["shortfall_probability"] = (target * block > high[:, None]).mean(axis=-1)
        return found
    least, greatest = low[:, None] * factor, high[:, None] * factor
    exact = bool(np.array_equal(low, high))
    safe = np.maximum(block, _ONE)
    found["known_lower"] = np.where(printed, read_sorted(np.sort(least, axis=-1), at[:1])[0], least.min(axis=-1))
    found["known_upper"] = np.where(printed, read_sorted(np.sort(greatest, axis=-1), at[1:])[0], greatest.max(axis=-1))
    found["exceed_lower"], found["exceed_upper"] = (least > block).mean(axis=-1), (greatest > block).mean(axis=-1)
    found["gap_lower"], found["gap_upper"], found["gap_probability"] = _spread(block, least, greatest, at, exact)
    ratio = np.sort(least / safe, axis=-1)
    found["coverage_lower"], found["coverage"] = read_sorted(ratio, (alpha, 0.5))
    ratio = ratio if exact else np.sort(greatest / safe, axis=-1)
    found["coverage_upper"] = read_sorted(ratio, (1 - alpha,))[0]
    if target is not None:
        short = _spread(target * block, least, greatest, at, exact)
        found["shortfall_lower"], found["shortfall_upper"], found["shortfall_probability"] = short
    return found


def _spread(
    wanted: Array, least: Array, greatest: Array, at: tuple[float, float], exact: bool
) -> tuple[Array, Array, Array]:
    lowest = np.sort(wanted - greatest, axis=-1)
    highest = lowest if exact else np.sort(wanted - least, axis=-1)
    return read_sorted(lowest, at[:1])[0], read_sorted(highest, at[1:])[0], (lowest > 0).mean(axis=-1)
