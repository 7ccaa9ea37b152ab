"""What an indicator function returns: a value and its limits."""

from __future__ import annotations

from typing import NamedTuple, NoReturn, Self

import numpy as np
import numpy.typing as npt

from hna.errors import Fault, QuantityError

FloatArray = npt.NDArray[np.float64]
TextArray = npt.NDArray[np.str_]


class Interval(NamedTuple):
    """A value with its lower and upper limit, arrays of one shape.

    NaN in ``value`` means the value is withheld; the reason stands in the flags of the result that carries them.
    Two intervals are not added: the sum's limits are not the sums of theirs (R741).
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray

    def __add__(self, other: object) -> NoReturn:
        """Refuse: for a tuple, + would put one after the other; for an interval it would add limits."""
        what = "limits of intervals are not added: the interval of a sum is narrower, or wider where errors are shared"
        remedy = "Add the counts and make the interval of their sum, or add draws (Estimate.sum) and take limits last"
        raise QuantityError(Fault(what, remedy, code="R741"))

    def __radd__(self, other: object) -> NoReturn:
        """Refuse, as `sum` of intervals begins with 0 + the first."""
        self.__add__(other)


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
    held = np.zeros(shape, dtype=np.int64)
    for bit, (_, mask) in enumerate(flagged):
        held |= np.asarray(mask).astype(np.int64) << bit
    # One text for each combination that occurs: whole-country tables have few, and mostly none.
    names = [""] * (1 << len(flagged))
    for combination in np.flatnonzero(np.bincount(held.ravel())):
        names[combination] = " ".join(flag for bit, (flag, _) in enumerate(flagged) if combination >> bit & 1)
    return np.asarray(np.array(names)[held])
