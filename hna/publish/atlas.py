"""Maps as small static SVG: outlines and hexagons stand once on a page, and every map refers to them.

Shades run from class 1 to class 5 and carry their numbers in hexagons and legend, dashed edges are for no figure, and areas assessed
are outlined and named, so that nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from itertools import pairwise
from typing import NamedTuple

from hna.answers.layers import Spread
from hna.measure.areas import Area
from hna.publish.charts import WIDTH, cut, digits, label, svg
from hna.publish.tables import shown

TALLEST = 440.0
LABELS = 6
"""Areas assessed that are named on a map; of more, only the outlines are drawn."""
NOTHING = 0
"""Class of what has no figure."""
SHADES = {1: (3,), 2: (2, 4), 3: (1, 3, 4), 4: (1, 2, 3, 4), 5: (1, 2, 3, 4, 5)}
"""Shade of each class, by how many classes there are."""
_PAD = 8.0
_LEGEND, _ROW = 128.0, 20.0
_LETTER = 7.0
_LINE = 15.0
_LARGEST_HEXAGON, _SMALLEST_NUMBERED = 34.0, 15.0
_NEAR, _FAR = 6.0, 15.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shade:
    """How one outline is drawn: its class, and what it says when pointed at."""

    number: int
    said: str


class _Place(NamedTuple):
    """One drawing of an area: its path, and the box that it fills."""

    path: str
    box: Box


class Atlas:
    """One frame for every map of a report.

    Parameters
    ----------
    spreads : what is drawn for each need.
    """

    def __init__(self, spreads: Iterable[Spread | None]) -> None:
        held = [one.outlines for one in spreads if one is not None]
        rings = {code: found for one in held for code, found in one.rings.items()}
        hexagons = {code: found for one in held for code, found in one.hexagons.items()}
        self._at = {code: n for n, code in enumerate(sorted(rings))}
        self._shapes, self._tall = _shapes(rings)
        self._hexagons, self._high, self._across = _hexagons(hexagons)

    @property
    def has_hexagons(self) -> bool:
        """Whether every outline has a hexagon."""
        return bool(self._hexagons) and self._hexagons.keys() == self._shapes.keys()

    @cached_property
    def outlines(self) -> str:
        """Every path that the maps refer to, to be printed once a page."""
        paths = [f'<path id="o{self._at[code]}" d="{place.path}"/>' for code, place in sorted(self._shapes.items())]
        paths += [f'<path id="h{self._at[code]}" d="{place.path}"/>' for code, place in sorted(self._hexagons.items())]
        return f"<defs>{''.join(paths)}</defs>"

    def choropleth(
        self,
        shades: Mapping[str, Shade],
        marked: Mapping[Area, Sequence[str]],
        legend: Sequence[tuple[int, str]],
        alt: str,
    ) -> str:
        """Areas in their true shapes.

        Parameters
        ----------
        shades : by code of the outline.
        marked : outlines of each area assessed.
        legend : number and words of each class.
        alt : what the map says.
        """
        return self._map("o", self._shapes, self._tall, shades, marked, legend, alt)

    def cartogram(
        self,
        shades: Mapping[str, Shade],
        marked: Mapping[Area, Sequence[str]],
        legend: Sequence[tuple[int, str]],
        alt: str,
    ) -> str:
        """One hexagon an area, with the number of its class in it; parameters as of `choropleth`."""
        return self._map("h", self._hexagons, self._high, shades, marked, legend, alt)

    def _map(
        self,
        kind: str,
        places: Mapping[str, _Place],
        tall: float,
        shades: Mapping[str, Shade],
        marked: Mapping[Area, Sequence[str]],
        legend: Sequence[tuple[int, str]],
        alt: str,
    ) -> str:
        shade_of = {NOTHING: 0, **dict(enumerate(SHADES[max(1, *(number for number, _ in legend))], start=1))}
        numbered = kind == "h" and self._across >= _SMALLEST_NUMBERED
        body = []
        for number in sorted({shade.number for shade in shades.values()}):
            group = []
            for code, shade in shades.items():
                if shade.number == number and code in places:
                    title = f"<title>{escape(shown(shade.said))}</title>"
                    group.append(f'<use href="#{kind}{self._at[code]}">{title}</use>')
                    if numbered and number != NOTHING:
                        x, y = _middle(places[code].box)
                        group.append(label(x, y + 4, str(number), "", "middle"))
            body.append(f'<g class="k{shade_of[number]}">{"".join(group)}</g>')
        own = [code for codes in marked.values() for code in codes if code in places]
        uses = "".join(f'<use href="#{kind}{self._at[code]}"/>' for code in own)
        body += [f'<g class="own {cls}">{uses}</g>' for cls in ("halo", "edge") if uses]
        boxes = {
            area: _around([places[code].box for code in codes if code in places]) for area, codes in marked.items()
        }
        if len(boxes) <= LABELS:
            others = [place.box for place in places.values()]
            body += _names({area: box for area, box in boxes.items() if box is not None}, others, tall)
        beside = min((place.box[0] for place in places.values()), default=0.0) >= _LEGEND
        high = _ROW * len(legend)
        top = tall - high - _PAD if beside else tall + _PAD
        for n, (number, words) in enumerate(legend):
            y = top + _ROW * n
            body.append(
                f'<g class="k{shade_of[number]} swatch">'
                f'<rect x="{digits(_PAD)}" y="{digits(y)}" width="24" height="16"/>'
            )
            if number != NOTHING:
                body.append(label(_PAD + 12, y + 12, str(number), "", "middle"))
            body += ["</g>", label(_PAD + 32, y + 12, cut(words, _LEGEND - 36 if beside else WIDTH - 48))]
        return svg(WIDTH, tall if beside else top + high + 2, alt, body, "map")


def _shapes(rings: Mapping[str, Sequence[Sequence[tuple[int, int]]]]) -> tuple[dict[str, _Place], float]:
    """Outlines in the frame, and how tall it is."""
    corners = [point for found in rings.values() for ring in found for point in ring]
    if not corners:
        return {}, 0.0
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    bottom, top = min(y for _, y in corners), max(y for _, y in corners)
    scale = min((WIDTH - 2 * _PAD) / (right - left or 1), (TALLEST - 2 * _PAD) / (top - bottom or 1))
    aside = _aside(scale * (right - left))

    def framed(point: tuple[int, int]) -> tuple[int, int]:
        """In tenths of a unit of the drawing."""
        return round(10 * (aside + scale * (point[0] - left))), round(10 * (_PAD + scale * (top - point[1])))

    found = {code: _place([[framed(point) for point in ring] for ring in some]) for code, some in rings.items()}
    return found, scale * (top - bottom) + 2 * _PAD


def _hexagons(held: Mapping[str, tuple[int, int]]) -> tuple[dict[str, _Place], float, float]:
    """Hexagons in the frame, how tall it is, and how wide each is."""
    if not held:
        return {}, 0.0, 0.0
    middles = {code: (column + 0.5 * (row % 2), row * math.sqrt(3) / 2) for code, (column, row) in held.items()}
    left, right = min(x for x, _ in middles.values()), max(x for x, _ in middles.values())
    bottom, top = min(y for _, y in middles.values()), max(y for _, y in middles.values())
    side = 1 / math.sqrt(3)
    across = min(
        _LARGEST_HEXAGON, (WIDTH - 2 * _PAD) / (right - left + 1), (TALLEST - 2 * _PAD) / (top - bottom + 2 * side)
    )
    aside = _aside(across * (right - left + 1)) + across / 2
    found = {}
    for code, (x, y) in middles.items():
        cx, cy = aside + across * (x - left), _PAD + across * (top - y + side)
        corners = [
            (round(10 * (cx + across * dx)), round(10 * (cy + across * side * dy)))
            for dx, dy in ((0, -1), (0.5, -0.5), (0.5, 0.5), (0, 1), (-0.5, 0.5), (-0.5, -0.5))
        ]
        found[code] = _place([corners])
    return found, across * (top - bottom + 2 * side) + 2 * _PAD, across


def _aside(wide: float) -> float:
    """Where a map of some width begins: with the legend beside it if there is room, and room for names."""
    return (WIDTH + _LEGEND - wide) / 2 if wide + _LEGEND + 2 * _PAD <= WIDTH else (WIDTH - wide) / 2


def _place(rings: Sequence[Sequence[tuple[int, int]]]) -> _Place:
    """Rings in tenths of a unit, as a path of steps; rings that shrink to nothing are left out, the largest excepted."""
    parts = []
    for n, ring in enumerate(rings):
        corners = [point for at, point in enumerate(ring) if point != ring[at - 1]]
        if len(corners) > 2 or n == 0:
            first = corners[0] if corners else ring[0]
            steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(corners)]
            parts.append(f"M{_tenth(first[0])} {_tenth(first[1])}l" + "".join(_step(*step) for step in steps) + "z")
    xs, ys = [x / 10 for x, _ in rings[0]], [y / 10 for _, y in rings[0]]
    return _Place("".join(parts), (min(xs), min(ys), max(xs), max(ys)))


def _step(x: int, y: int) -> str:
    along, down = _tenth(x), _tenth(y)
    return f" {along}{'' if down.startswith('-') else ' '}{down}"


def _tenth(number: int) -> str:
    text = f"{number / 10:g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _around(boxes: Sequence[Box]) -> Box | None:
    if not boxes:
        return None
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def _names(boxes: Mapping[Area, Box], others: Sequence[Box], tall: float) -> list[str]:
    """Names beside the areas, where they lie on as little as they can and never on each other."""
    found: list[str] = []
    taken: list[Box] = list(boxes.values())
    for area, box in boxes.items():
        text = cut(area.name, 120)
        long = len(text) * _LETTER
        x, y = _middle(box)
        sides = (
            (box[2] + _NEAR, y + _NEAR), (box[0] - _NEAR - long, y + _NEAR), (x - long / 2, box[1] - _NEAR),
            (x - long / 2, box[3] + _FAR),
        )  # fmt: skip
        spots = [
            (left, low - _LINE + _NEAR, left + long, low) for left, low in sides
            if left >= 1 and left + long <= WIDTH - 1 and low >= _LINE and low <= tall
        ]  # fmt: skip
        free = [spot for spot in spots if not any(_meet(spot, other) for other in taken)]
        if free:
            spot = min(free, key=lambda one: sum(_meet(one, other) for other in others))
            taken.append(spot)
            found.append(label(spot[0], spot[3], text, "name"))
    return found


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
