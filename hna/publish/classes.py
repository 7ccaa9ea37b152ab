"""Classes of a map: at most five, of one width, with round limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hna.publish.rounding import plain

MOST = 5


@dataclass(frozen=True)
class Classes:
    """Classes of numbers that are rounded first, so that a printed number is in the class that it seems to be in.

    Parameters
    ----------
    step : to which numbers are rounded.
    width : of a class, in steps.
    first : the lowest class, counted in widths from nought.
    count : how many classes there are.
    """

    step: float
    width: int
    first: int
    count: int

    @classmethod
    def of(cls, values: Sequence[float], step: float) -> Classes:
        """The narrowest classes of 1, 2 or 5 times a power of ten steps of which at most five hold everything."""
        whole = [_whole(value, step) for value in values]
        power = 1
        while True:
            for width in (power, 2 * power, 5 * power):
                first, last = min(whole) // width, max(whole) // width
                if last - first < MOST:
                    return cls(step, width, first, last - first + 1)
            power *= 10

    def number(self, value: float) -> int:
        """Class of a number, 1 the lowest."""
        return _whole(value, self.step) // self.width - self.first + 1

    def words(self, number: int, sign: str = "") -> str:
        """Smallest and largest rounded number of a class."""
        low = (self.first + number - 1) * self.width
        ends = [f"{plain(end * self.step, self.step)}{sign}" for end in dict.fromkeys((low, low + self.width - 1))]
        return " to ".join(ends)


def _whole(value: float, step: float) -> int:
    return math.floor(value / step + 0.5)
