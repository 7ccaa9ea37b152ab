"""Numbers that people can say: rounded to what their interval supports."""

from __future__ import annotations

import math
from dataclasses import dataclass

_MOST_FIGURES = 3


@dataclass(frozen=True)
class Value:
    """One figure as it stands in gap.csv.

    Parameters
    ----------
    estimate : None where only a range is known.
    lower, upper : its limits.
    probability : that it is above nought, where it has one.
    unit : people, proportion or probability.
    flags : diagnostic codes.
    """

    estimate: float | None
    lower: float | None
    upper: float | None
    probability: float | None = None
    unit: str = "people"
    flags: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether it is a count without any uncertainty."""
        return self.estimate is not None and self.lower == self.upper == self.estimate

    @property
    def half(self) -> float | None:
        """Half the width of its interval."""
        return None if self.lower is None or self.upper is None else (self.upper - self.lower) / 2


def step_of(value: Value, smallest: float = 0.0) -> float:
    """The power of ten to which a figure and its limits are rounded.

    The largest that is at most a fifth of half the interval, so that rounding moves nothing by more than a tenth of it;
    never more than three significant figures, and never so coarse that a positive estimate has none.

    Parameters
    ----------
    value : the figure, in the unit in which it will be printed.
    smallest : the finest step allowed, 1 for people.
    """
    parts = [abs(part) for part in (value.estimate, value.lower, value.upper) if part]
    if not parts:
        return max(smallest, 1.0)
    finest = 10.0 ** (math.floor(math.log10(max(parts))) - _MOST_FIGURES + 1)
    half = value.half
    step = finest if not half else max(10.0 ** math.floor(math.log10(half / 5)), finest)
    if value.estimate and value.estimate > 0 and (value.lower is None or value.lower >= 0):
        step = min(step, 10.0 ** math.floor(math.log10(value.estimate)))
    return max(step, smallest)


def rounded(number: float, step: float) -> float:
    """A number at the nearest multiple of a step, halves away from nought."""
    return math.copysign(math.floor(abs(number) / step + 0.5) * step, number)


def plain(number: float, step: float = 1.0) -> str:
    """Digits with thousands separated and a true minus sign."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    found = rounded(number, step)
    text = f"{abs(found):,.{decimals}f}"
    nought = not float(text.replace(",", ""))
    return f"−{text}" if found < 0 and not nought else text


@dataclass(frozen=True)
class Said:
    """A figure in print: the number, its limits, and its unit."""

    number: str
    lower: str = ""
    upper: str = ""
    exact: bool = False

    @property
    def interval(self) -> str:
        """``830 to 2,200``, or nothing for an exact count."""
        return f"{self.lower} to {self.upper}" if self.lower and self.lower != self.upper else ""

    @property
    def words(self) -> str:
        """``about 1,400 (830 to 2,200)``."""
        if not self.number:
            return self.interval
        about = "" if self.exact or self.number.startswith("fewer") else "about "
        return f"{about}{self.number} ({self.interval})" if self.interval else f"{about}{self.number}"

    @property
    def bare(self) -> str:
        """``1,400 (830 to 2,200)``."""
        if not self.number:
            return self.interval
        return f"{self.number} ({self.interval})" if self.interval else self.number


def say(value: Value) -> Said:
    """A figure as people can say it: people as whole numbers, proportions in per cent."""
    return say_share(value) if value.unit in ("proportion", "probability") else say_people(value)


def say_people(value: Value) -> Said:
    """People; an exact count is printed as it was published."""
    if value.exact and value.estimate is not None:
        return Said(plain(value.estimate), exact=True)
    step = step_of(value, smallest=1.0)
    number = "" if value.estimate is None else plain(value.estimate, step)
    if value.estimate is not None and 0 < value.estimate < 0.5:
        number = "fewer than 1"
    return _said(number, value, step, "")


def say_share(value: Value) -> Said:
    """A share, in per cent."""
    estimate, lower, upper = (
        None if part is None else part * 100 for part in (value.estimate, value.lower, value.upper)
    )
    scaled = Value(estimate, lower, upper)
    step = step_of(scaled)
    number = "" if scaled.estimate is None else f"{plain(scaled.estimate, step)}%"
    return _said(number, scaled, step, "%")


def _said(number: str, value: Value, step: float, sign: str) -> Said:
    if value.lower is None or value.upper is None:
        return Said(number)
    return Said(number, f"{plain(value.lower, step)}{sign}", f"{plain(value.upper, step)}{sign}")


def say_chance(probability: float | None) -> str:
    """A probability in whole per cent, never as a certainty."""
    if probability is None:
        return "not known"
    if probability < 0.01:
        return "less than 1%"
    if probability > 0.99:
        return "more than 99%"
    return f"{plain(probability * 100)}%"


def say_percent(share: float) -> str:
    """A share in per cent, to two figures."""
    percent = share * 100
    if not percent:
        return "0%"
    return f"{plain(percent, min(1.0, 10.0 ** (math.floor(math.log10(abs(percent))) - 1)))}%"
