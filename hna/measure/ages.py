"""Age bands: parse them strictly, nest them, sum fine into coarse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hna.errors import AxisError, Fault

OLDEST = 150
"""No one is older: bound on ages read from files, not a fact about people."""

_MONTHS = {
    m: n
    for n, m in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)
}
_BAND = re.compile(r"^(\d{1,3})\s*(?:-|–|to)\s*(\d{1,3})$", re.IGNORECASE)
_OPEN = re.compile(r"^(\d{1,3})\s*(?:\+|plus|(?:and|&)\s+over)$", re.IGNORECASE)
_UNDER = re.compile(r"^under\s+(\d{1,3})$", re.IGNORECASE)
_MANGLED = re.compile(r"^(?:(\d{1,2})[-/ ]([a-z]{3})[a-z]*|([a-z]{3})[a-z]*[-/ ](\d{1,2}))$", re.IGNORECASE)


@dataclass(frozen=True)
class AgeBand:
    """Completed years of age from `low` to `high`, both included; `high` None is open-ended."""

    low: int
    high: int | None

    @classmethod
    def parse(cls, text: object) -> AgeBand:
        """The band that a label names: ``65-69``, ``90+``, ``90 and over``, ``under 5``, ``7``, ``all``.

        Raises
        ------
        AxisError
            R104 if the label is no band, with the likely original if a spreadsheet turned it into a date.
        """
        label = str(text).strip()
        if label.casefold() in ("all", "all ages"):
            return cls(0, None)
        if found := _OPEN.match(label):
            return cls.of(int(found[1]), None)
        if found := _BAND.match(label):
            return cls.of(int(found[1]), int(found[2]))
        if found := _UNDER.match(label):
            return cls.of(0, int(found[1]) - 1)
        if label.isdecimal() and len(label) <= len(str(OLDEST)):
            return cls.of(int(label), int(label))
        raise AxisError(_unreadable(label))

    @classmethod
    def of(cls, low: int, high: int | None) -> AgeBand:
        """A band with limits that make sense."""
        if not 0 <= low <= OLDEST or (high is not None and not low <= high <= OLDEST):
            raise AxisError(
                Fault(
                    f"ages from {low} to {high} are not a band",
                    f"Ages run upwards from 0 to at most {OLDEST}",
                    code="R104",
                )
            )
        return cls(low, high)

    @property
    def label(self) -> str:
        """``65-69``, ``90+``, ``7``, or ``all``."""
        if self.high is None:
            return "all" if self.low == 0 else f"{self.low}+"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"

    @property
    def end(self) -> float:
        """First age above the band, infinite if open-ended."""
        return np.inf if self.high is None else self.high + 1

    @property
    def words(self) -> str:
        """As in a sentence: ``aged 65 and over``."""
        if self.high is None:
            return "of all ages" if self.low == 0 else f"aged {self.low} and over"
        if self.low == self.high:
            return "aged under 1" if self.low == 0 else f"aged {self.low}"
        return f"aged {self.low} to {self.high}"

    def __contains__(self, other: object) -> bool:
        """Whether another band lies wholly inside this one."""
        return isinstance(other, AgeBand) and self.low <= other.low and other.end <= self.end

    def meets(self, other: AgeBand) -> bool:
        """Whether any age is in both."""
        return self.low < other.end and other.low < self.end


def _unreadable(label: str) -> Fault:
    remedy = "Write bands as 65-69, 90+ or a single year"
    if found := _MANGLED.match(label):
        day, month = (found[1], found[2]) if found[1] else (found[4], found[3])
        number = _MONTHS.get(month.casefold())
        if number is not None:
            low, high = sorted((int(day), number))
            likely = f"{low}-{high}" if low < high else label
            what = f"age band {label!r} is a date that a spreadsheet made, likely from {likely!r}"
            return Fault(what, "Mend the file: format the column as text before typing bands", code="R104")
    return Fault(f"{label!r} is not an age band", remedy, code="R104")


@dataclass(frozen=True)
class AgeAxis:
    """Bands in order, without gap or overlap.

    Parameters
    ----------
    bands : at least one band, ascending.

    Raises
    ------
    AxisError
        If bands overlap, repeat or leave a gap.
    """

    bands: tuple[AgeBand, ...]

    def __post_init__(self) -> None:
        if not self.bands:
            raise AxisError("an age axis needs at least one band")
        wrong = [f"{a.label} then {b.label}" for a, b in pairwise(self.bands) if a.end != b.low]
        if wrong:
            overlap = any(a.end > b.low for a, b in pairwise(self.bands))
            what = "age bands overlap or repeat" if overlap else "age bands leave a gap"
            raise AxisError(Fault(what, "Each band starts where the one before ends", rows=wrong))

    @classmethod
    def of(cls, bands: Sequence[AgeBand]) -> AgeAxis:
        """The axis of these bands, put in order."""
        return cls(tuple(sorted(bands, key=lambda band: (band.low, band.end))))

    @property
    def labels(self) -> list[str]:
        """Labels in order."""
        return [band.label for band in self.bands]

    @property
    def span(self) -> AgeBand:
        """All ages of the axis."""
        return AgeBand(self.bands[0].low, self.bands[-1].high)

    @property
    def widest(self) -> float:
        """Years in the widest closed band."""
        return max((band.end - band.low for band in self.bands if band.high is not None), default=0.0)

    def within(self, span: AgeBand) -> AgeAxis:
        """The bands cut to a span, which may cut through a band.

        Raises
        ------
        AxisError
            R201 if the span reaches outside the axis: nothing is extrapolated.
        """
        if span not in self.span:
            what = f"ages {span.label} are asked for, and the source has {self.span.label}"
            raise AxisError(
                Fault(what, "Ask for ages that the source covers, or add a source that covers them", code="R201")
            )
        kept = []
        for band in self.bands:
            if band.meets(span):
                end = min(band.end, span.end)
                kept.append(AgeBand(max(band.low, span.low), None if np.isinf(end) else int(end) - 1))
        return AgeAxis(tuple(kept))

    def index_of(self, fine: AgeAxis) -> NDArray[np.intp]:
        """For each band of a finer axis, the position of the band here that holds it.

        Raises
        ------
        AxisError
            If a fine band crosses a limit or lies outside.
        """
        found: list[int] = []
        crossing: list[str] = []
        for band in fine.bands:
            inside = [n for n, wide in enumerate(self.bands) if band in wide]
            found.append(inside[0] if inside else -1)
            if not inside:
                crossing.append(band.label)
        if crossing:
            what = f"bands {fine.span.label} do not nest in {', '.join(self.labels)}"
            raise AxisError(Fault(what, "Use single years of age, or bands that end where these end", rows=crossing))
        return np.array(found)


def common_refinement(axes: Sequence[AgeAxis]) -> AgeAxis:
    """The coarsest axis that nests in each of several axes over the same ages."""
    spans = {axis.span for axis in axes}
    if len(spans) > 1:
        raise AxisError(Fault("age axes cover different ages", rows=sorted(span.label for span in spans)))
    lows = sorted({band.low for axis in axes for band in axis.bands})
    last = axes[0].span.high
    return AgeAxis((*(AgeBand(a, b - 1) for a, b in pairwise(lows)), AgeBand(lows[-1], last)))


def sum_bands(people: NDArray[np.float64], fine: AgeAxis, coarse: AgeAxis) -> NDArray[np.float64]:
    """People summed into coarser bands; fine bands outside the coarse axis are left out.

    Parameters
    ----------
    people : shape (..., age) on the fine axis.
    fine, coarse : axes; each coarse band must be a whole number of fine bands.

    Returns
    -------
    array of shape (..., age) on the coarse axis, in people.

    Raises
    ------
    AxisError
        If a coarse band starts or ends inside a fine one, or reaches outside the fine axis.
    """
    starts = [band.low for band in fine.bands]
    crossed = [
        wide.label
        for wide in coarse.bands
        if wide.low not in starts or not any(band.end == wide.end for band in fine.bands)
    ]
    if crossed:
        what = f"bands {', '.join(fine.labels[:3])} … {fine.labels[-1]} cannot be summed into these"
        raise AxisError(Fault(what, "Graduate the population first, or ask for ages it has", rows=crossed))
    first = starts.index(coarse.bands[0].low)
    edges = [starts.index(band.low) - first for band in coarse.bands]
    last = next(n for n, band in enumerate(fine.bands) if band.end == coarse.bands[-1].end)
    return np.add.reduceat(people[..., first : last + 1], edges, axis=-1)
