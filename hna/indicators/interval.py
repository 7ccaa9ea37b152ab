"""What an indicator function returns: a value and its limits."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
TextArray = npt.NDArray[np.str_]


class Interval(NamedTuple):
    """A value with its lower and upper limit, arrays of one shape.

    NaN in ``value`` means the value is withheld; the reason stands in the flags of the result that carries them.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray


class FlaggedInterval(Interval):
    """An `Interval` that still unpacks into three, with one text of space-separated flags a value."""

    flags: TextArray

    def __new__(cls, value: FloatArray, lower: FloatArray, upper: FloatArray, flags: TextArray | None = None) -> Self:
        """Make an interval with flags, or with empty ones."""
        made = super().__new__(cls, value, lower, upper)
        made.flags = np.full(np.shape(value), "") if flags is None else flags
        return made


def join_flags(shape: tuple[int, ...], *flagged: tuple[str, npt.NDArray[np.bool_]]) -> TextArray:
    """Return the flags that hold at each place, space-separated.

    Parameters
    ----------
    shape : shape of the result.
    flagged : pairs of a flag and the mask of the places where it holds; masks broadcast to ``shape``.
    """
    flags: TextArray = np.full(shape, "", dtype=f"<U{max(1, sum(len(flag) + 1 for flag, _ in flagged))}")
    for flag, mask in flagged:
        places = np.broadcast_to(mask, shape)
        if places.any():
            flags[places] = np.strings.strip(np.strings.add(flags[places], f" {flag}"))
    return flags
