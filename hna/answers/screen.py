"""Limits of many rows, exactly, from a screen of their draws in single precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.answers.terms import Shared, Single

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Exact = Callable[[Places, Places], Array]

UNIT = 2.0**-24
"""Largest relative error of one operation in single precision."""
FEWEST = 400
"""Fewer draws than this are not worth a screen."""
_TRIED = 8
_SPREADS = 5
_SPARE = 4
_SAMPLE = 2**12
_MARGINS = (0, 3)
_TILE = 2**15
_LEAST, _LOW = np.uint32(0x7FFFFFFF), np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Screen:
    """Draws of some rows about their mean, nearly; and what they are exactly, wherever that is asked.

    Parameters
    ----------
    away : shape (row, draw), draw less mean, in single precision.
    mean, sd : shape (row,).
    slack : shape (row,), error of `away` that does not grow with the draw, at most.
    relative : error of `away` as a part of mean plus `away`, at most.
    exact : what some draws of some rows are, both given as positions of the same shape.
    """

    away: Single
    mean: Array
    sd: Array
    slack: Array
    relative: float
    exact: Exact

    @classmethod
    def of(cls, block: Single, relative: float, exact: Exact) -> Screen:
        """From draws that are nearly known, which are overwritten.

        Parameters
        ----------
        block : shape (row, draw), all at least nought.
        relative : error of each draw as a part of it, at most.
        exact : as above.
        """
        mean = block.mean(axis=-1)
        block -= mean[:, None]
        sd = np.sqrt(np.einsum("rd,rd->r", block, block) / block.shape[-1])
        return cls(block, mean.astype(float), sd.astype(float), 2 * UNIT * mean.astype(float), relative + UNIT, exact)

    def limits(self, level: float) -> tuple[Array, Array]:
        """Lower and upper limit of each row, as ``np.quantile`` gives them for the exact draws.

        Draws beyond a bound are put in order as the screen has them. Where the order statistics on either side of a limit stand
        further from their neighbours than twice the screen's error, they are the exact ones, and only those few draws are worked
        out; where they do not, neighbours are worked out too, and in the last resort the row.
        """
        last = self.away.shape[1] - 1
        at = ((1 - level) / 2 * last, (1 + level) / 2 * last)
        below = [int(np.floor(place)) for place in at]
        sides = (below[0], last - below[1] - 1)
        if max(sides) + 2 > last // 3:
            rows = self._whole(np.arange(len(self.away)))
            return _between(rows, at[0]), _between(rows, at[1])
        found = []
        for upper, (first, bound) in enumerate(zip(sides, self._bounds(sides), strict=True)):
            pair, short = self._pair(bool(upper), first, bound)
            if len(short):
                ordered = self._whole(short)
                pair[short] = ordered[:, [below[upper], below[upper] + 1]]
            found.append(pair[:, 0] + (pair[:, 1] - pair[:, 0]) * (at[upper] - below[upper]))
        return found[0], found[1]

    def _whole(self, rows: Places) -> Array:
        """All draws of some rows, worked out and in order."""
        draws = self.away.shape[1]
        found = np.empty((len(rows), draws))
        step = max(_TILE // draws, 1)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            row = np.repeat(some, draws)
            found[start : start + step] = self.exact(row, np.tile(np.arange(draws), len(some))).reshape(-1, draws)
        found.sort(axis=-1)
        return found

    def _pair(self, upper: bool, first: int, bound: Single) -> tuple[Array, Places]:
        """The two order statistics about a limit, ascending, shape (row, 2); and the rows in which they are not settled.

        Parameters
        ----------
        upper : whether the limit is the upper one.
        first : how many draws are further out than both.
        bound : shape (row,), about beyond which they lie.
        """
        away = self.away
        keys, held = _outermost(away, away > bound[:, None] if upper else away < bound[:, None], np.abs(bound), first)
        size = _size(keys)
        most = size[:, 0] if upper else 0.0
        error = 2 * (self.slack + self.relative * (self.mean + most) + UNIT * size[:, first])
        pair = np.empty((len(away), 2))
        left = np.flatnonzero(held >= first + 2)
        short = np.flatnonzero(held < first + 2)
        for margin in _MARGINS:
            out, into = max(first - margin, 0), first + 2 + margin
            inner = size[left, min(into, size.shape[1] - 1)]
            clear = (size[left, first + 1] - inner > error[left]) & (held[left] >= into)
            if out:
                clear &= size[left, out - 1] - size[left, first] > error[left]
            here = left[clear]
            if len(here):
                draws = (keys[here, out:into] & _LOW).astype(np.intp)
                row = np.repeat(here, into - out)
                values = np.sort(self.exact(row, draws.ravel()).reshape(draws.shape), axis=-1)
                start = into - first - 2 if upper else first - out
                pair[here] = values[:, start : start + 2]
            left = left[~clear]
        return pair, np.sort(np.concatenate([short, left]))

    def _bounds(self, sides: tuple[int, int]) -> tuple[Single, Single]:
        """About where a few more draws lie beyond than are needed, from some rows of every draw; shape (row,) each."""
        rows, draws = self.away.shape
        at = np.arange(max(_SAMPLE // draws, 1) * draws)
        row = (at + at // draws) % rows
        some, spread = self.away[row, at % draws], self.sd[row]
        sample = np.sort(np.divide(some, spread, out=np.zeros_like(some), where=spread > 0, casting="same_kind"))
        shares = [(first + 2 + _SPREADS * np.sqrt(first + 2)) / draws for first in sides]
        low = min(float(sample[int(shares[0] * len(sample))]), 0.0)
        high = max(float(sample[-1 - int(shares[1] * len(sample))]), 0.0)
        return (self.sd * low).astype(np.float32), (self.sd * high).astype(np.float32)


def shared_limits(people: Array, shared: Shared, level: float) -> dict[str, Array] | None:
    """Mean, standard deviation and limits of need where all areas have the same rates, exactly.

    Draws far out in one area are far out in most, since the rates are the same. All are formed in single precision; only
    those which are so far out in any area are formed exactly and put in order. That none is missed is seen row by row, and
    rows in which that is not sure are formed whole.

    Parameters
    ----------
    people : shape (area, cell).
    shared : the rates.
    level : of the limits.

    Returns
    -------
    arrays of shape (area,), people; None where there are too few draws, or they differ too much between areas, for this to
    be worth while.
    """
    draws = shared.rate.shape[1]
    last = draws - 1
    at = ((1 - level) / 2 * last, (1 + level) / 2 * last)
    low, high = (int(np.floor(place)) for place in at)
    if draws < FEWEST or len(people) < _TRIED or max(low, last - high) > last // 4:
        return None
    found = shared.moments(people)
    mean, sd = found["mean"], found["sd"]
    scaled = np.divide(people, sd[:, None], out=np.zeros_like(people), where=sd[:, None] > 0)
    away = scaled.astype(np.float32) @ shared.away
    slack = float((scaled @ shared.furthest).max()) * (people.shape[1] + 3) * UNIT
    some = np.sort(away[:: max(len(people) // _TRIED, 1)], axis=-1)
    least, most = float(some[:, low + 1 + _SPARE].max()), float(some[:, high - _SPARE].min())
    below = np.flatnonzero(away.min(axis=0) < least + slack)
    above = np.flatnonzero(away.max(axis=0) > most - slack)
    if len(below) + len(above) > draws // 3:
        return None
    first, final = (people @ shared.rate[:, chosen] for chosen in (below, above))
    first.sort(axis=-1)
    final.sort(axis=-1)
    found["lower"], inside = _between(first, at[0]), first[:, low + 1] <= mean + (least - slack) * sd
    found["upper"] = _between(final, at[1], draws - len(above))
    inside &= final[:, high - last - 1] >= mean + (most + slack) * sd
    short = np.flatnonzero(~inside)
    if len(short):
        whole = np.sort(people[short] @ shared.rate, axis=-1)
        found["lower"][short], found["upper"][short] = _between(whole, at[0]), _between(whole, at[1])
    return found


def _between(ordered: Array, place: float, start: int = 0) -> Array:
    below = int(np.floor(place)) - start
    above = min(below + 1, ordered.shape[1] - 1)
    found: Array = ordered[:, below] + (ordered[:, above] - ordered[:, below]) * (place - start - below)
    return found


def _outermost(
    away: Single, mask: NDArray[np.bool_], bound: Single, first: int
) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Draws beyond a bound, outermost first, filled up with the bound; and how many they are.

    Each is a whole number: its size turned about in the upper half, its position in the lower, so that one sort orders both.
    """
    rows, draws = away.shape
    places = np.flatnonzero(mask)
    starts = np.searchsorted(places, np.arange(rows + 1) * draws)
    counts = np.diff(starts)
    width = max(int(counts.max(initial=0)), first + 2) + 1
    found = np.empty((rows, width), dtype=np.uint64)
    found[:] = (_turned(bound) | _LOW)[:, None]
    # From a position among all draws to one within its row, and from its rank among those taken to a place in `found`.
    places_in = np.repeat(np.arange(rows) * draws, counts)
    to = np.repeat(np.arange(rows) * width - starts[:-1], counts)
    to += np.arange(len(places))
    keys = _turned(away.ravel()[places])
    places -= places_in
    keys |= places.view(np.uint64)
    found.ravel()[to] = keys
    found.sort(axis=-1)
    return found, counts


def _turned(values: Single) -> NDArray[np.uint64]:
    bits = np.bitwise_and(np.invert(values.view(np.uint32)), _LEAST).astype(np.uint64)
    bits <<= _HALF
    return bits


def _size(keys: NDArray[np.uint64]) -> Array:
    bits = np.bitwise_and(np.invert((keys >> _HALF).astype(np.uint32)), _LEAST)
    return bits.view(np.float32).astype(float)
