"""What is drawn on maps: expected need, and people known, in every authority around the areas assessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hna.evidence.outlines import Outlines
from hna.measure.areas import Area

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """Figures of many areas in one year; point values, since a map has no room for intervals.

    Parameters
    ----------
    year : of the people.
    areas : authorities, in order of their names.
    shapes : for each of them, the codes of the outlines that it covers: its own, or those of its districts.
    people : shape (area,), people of the ages and sex of the need.
    expected : shape (area,), published rate × people.
    known : for each area the people known to a service. Empty for a layer of need alone.
    coverage : for each area the median of known over need, draw by draw, as the report has it.
    source : id of the count; blank for a layer of need alone.
    """

    year: int
    areas: tuple[Area, ...]
    shapes: tuple[tuple[str, ...], ...]
    people: Array
    expected: Array
    known: tuple[float, ...] = ()
    coverage: tuple[float, ...] = ()
    source: str = ""


@dataclass(frozen=True, eq=False)
class Spread:
    """Where the need is expected and where it is known, around the areas assessed.

    Parameters
    ----------
    places : regions, or England, that are drawn, by name.
    marked : by code of an assessed area, the outlines that make it up; none for a region and England.
    outlines : what the authorities look like.
    need : expected need, or None where it is not drawn.
    coverage : expected need and people known, or None where they are not drawn.
    why_no_need, why_no_coverage : in words, where there is none; blank where nobody would look for one.
    """

    places: tuple[str, ...] = ()
    marked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outlines: Outlines = field(default_factory=Outlines)
    need: Layer | None = None
    coverage: Layer | None = None
    why_no_need: str = ""
    why_no_coverage: str = ""
