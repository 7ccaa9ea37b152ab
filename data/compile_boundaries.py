# ruff: noqa: INP001
"""Compile outlines and hexagons of authorities from the publishers' files: run again, the same bytes.

Run as ``python data/compile_boundaries.py [FOLDER OF PUBLISHERS' FILES]``; the folder is ``../shared/data`` unless named.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from hna.errors import SourceError
from hna.evidence.layout_read import citation, publishers_file
from hna.evidence.layouts import write_source

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "shared" / "data"
Point = tuple[float, float]
Line = tuple[Point, ...]

EARTH, SCALE, ORIGIN, FALSE = 6_371_000.0, 0.9996012717, (-2.0, 49.0), (400_000.0, -100_000.0)
"""Radius in metres; the scale, true origin in degrees and false origin in metres of the National Grid."""
UNIT = 100.0
"""Metres: what coordinates are rounded to."""
NEAR = 300.0
"""Metres: a point no farther than this from the line drawn without it is left out."""
SMALL = 500_000.0
"""Square metres: islands and holes under this are left out, an authority's largest part excepted."""


def projected(longitude: float, latitude: float) -> Point:
    """Metres east and north, by the transverse Mercator projection of a sphere.

    Snyder (1987), Map projections: a working manual, US Geological Survey Professional Paper 1395, equations 8-1 and 8-3,
    https://doi.org/10.3133/pp1395, with the origins and the scale of the National Grid. For drawing, not for measuring.
    """
    east, north = math.radians(longitude - ORIGIN[0]), math.radians(latitude)
    b = math.cos(north) * math.sin(east)
    x = 0.5 * EARTH * SCALE * math.log((1 + b) / (1 - b))
    y = EARTH * SCALE * (math.atan2(math.tan(north), math.cos(east)) - math.radians(ORIGIN[1]))
    return x + FALSE[0], y + FALSE[1]


def rings_of(geometry: dict[str, object]) -> Iterator[Line]:
    """Every ring of a geometry, its last point not repeated."""
    held = geometry["coordinates"]
    parts = held if geometry["type"] == "MultiPolygon" else [held]
    for part in parts:  # type: ignore[attr-defined]
        for ring in part:
            points = [tuple(point) for point in ring]
            yield tuple(points[:-1] if points[0] == points[-1] else points)


def area(ring: Sequence[Point]) -> float:
    """Area within a ring."""
    closed = [*ring, ring[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed))) / 2


def _away(point: Point, start: Point, end: Point) -> float:
    """How far a point is from a straight line between two others."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    long = dx * dx + dy * dy
    along = 0.0 if not long else max(0.0, min(1.0, ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / long))
    return math.hypot(point[0] - start[0] - along * dx, point[1] - start[1] - along * dy)


def thinned(line: Line) -> Line:
    """A line without the points that it hardly turns at (Douglas and Peucker 1973, https://doi.org/10.3138/FM57-6770-U75U-7727)."""
    keep = {0, len(line) - 1}
    front = [(0, len(line) - 1)]
    while front:
        first, last = front.pop()
        found = [(_away(line[n], line[first], line[last]), -n) for n in range(first + 1, last)]
        most, at = max(found, default=(0.0, 0))
        if most > NEAR:
            keep.add(-at)
            front += [(first, -at), (-at, last)]
    return tuple(line[n] for n in sorted(keep))


class Borders:
    """Lines between the points where borders meet, each thinned once, so that neighbours still touch."""

    def __init__(self, rings: Sequence[Line]) -> None:
        beside: dict[Point, set[Point]] = {}
        for ring in rings:
            for a, b in pairwise([*ring, ring[0]]):
                beside.setdefault(a, set()).add(b)
                beside.setdefault(b, set()).add(a)
        self.ends = {point for point, found in beside.items() if len(found) != 2}
        self.thin: dict[Line, Line] = {}

    def ring(self, ring: Line) -> Line:
        """A ring of thinned lines."""
        at = [n for n, point in enumerate(ring) if point in self.ends]
        if len(at) < 2:
            start = at[0] if at else ring.index(min(ring))
            far = max(range(len(ring)), key=lambda n: (math.dist(ring[n], ring[start]), ring[n]))
            at = sorted((start, far))
        found: list[Point] = []
        for first, last in pairwise([*at, at[0] + len(ring)]):
            line = tuple(ring[n % len(ring)] for n in range(first, last + 1))
            found += self.line(line)[:-1]
        return tuple(found)

    def line(self, line: Line) -> Line:
        """One line, the same from either side."""
        forth = min(line, line[::-1])
        if forth not in self.thin:
            self.thin[forth] = thinned(forth)
        return self.thin[forth] if line == forth else self.thin[forth][::-1]


def written(ring: Sequence[tuple[int, int]]) -> str:
    """East and north of the first point, then how far east and north each next one lies, in units of 100 m."""
    steps = ((b[0] - a[0], b[1] - a[1]) for a, b in pairwise(ring))
    return " ".join(f"{x} {y}" for x, y in (ring[0], *steps))


def rounded(ring: Line) -> list[tuple[int, int]]:
    """A ring in whole units, points that fall together once."""
    whole = [(round(x / UNIT), round(y / UNIT)) for x, y in ring]
    return [point for n, point in enumerate(whole) if point != whole[n - 1]]


def outlines(files: Path, to: Path) -> None:
    """Outlines of the authorities of 2024, small enough for a page."""
    file = files / "boundaries" / "lad_may_2024_england_simplified.geojson"
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    held = {
        one["properties"]["LAD24CD"]: [tuple(projected(*point) for point in ring) for ring in rings_of(one["geometry"])]
        for one in features
    }
    if len(held) != len(features):
        raise SourceError("an authority is there twice")
    borders = Borders([ring for rings in held.values() for ring in rings])
    rows = []
    for code, rings in sorted(held.items()):
        largest = max(rings, key=area)
        for ring in sorted(rings, key=area, reverse=True):
            points = rounded(borders.ring(ring))
            if (ring is largest or area(ring) >= SMALL) and len(points) > 2 and area(points):
                rows.append({"area_code": code, "points": written(points)})
    if {row["area_code"] for row in rows} != set(held):
        raise SourceError("an authority has no outline")
    write_source(
        to / "areas" / "ltla24-shapes", pd.DataFrame(rows), {
            "kind": "areas",
            "title": "Outlines of the authorities of England, 2024, simplified for drawing",
            "citation": citation(
                "Office for National Statistics", 2024, "Local authority districts (May 2024) boundaries",
                container="Open Geography portal", locator="Contains OS data © Crown copyright and database right",
            ),
            "read_from": "secondary table",
            "notes": "One row a ring: east and north of its first point, then the steps to the next ones, in units of 100 m from "
            "the origin of the National Grid. The projection is that of a sphere: for drawing, not for measuring. "
            f"{publishers_file(file)}",
            "corrections": [
                f"Left out: points within {NEAR:.0f} m of the line drawn without them, on both sides of a border alike.",
                f"Left out: islands and holes under {SMALL / 1e6:.1f} square kilometres.",
            ],
        }, replace=True,
    )  # fmt: skip


def hexagons(files: Path, to: Path) -> None:
    """One hexagon an authority."""
    file = files / "boundaries" / "uk-local-authority-districts-2023.hexjson"
    found = json.loads(file.read_text(encoding="utf-8"))
    if found["layout"] != "odd-r":
        raise SourceError("hexagons are not laid out in rows of which the odd ones are pushed right")
    rows = [
        {"area_code": code, "column": one["q"], "row": one["r"]}
        for code, one in sorted(found["hexes"].items()) if code.startswith("E")
    ]  # fmt: skip
    if len({(row["column"], row["row"]) for row in rows}) != len(rows):
        raise SourceError("two authorities have the same hexagon")
    write_source(
        to / "areas" / "ltla23-hexagons", pd.DataFrame(rows), {
            "kind": "areas",
            "title": "A hexagon for each authority of England, 2023",
            "citation": citation(
                "Open Innovations", 2023, "UK local authority districts 2023, HexJSON", container="Open Innovations", licence="MIT",
            ),
            "read_from": "secondary table",
            "notes": "Rows are numbered upwards; those with odd numbers are pushed half a hexagon right. Authorities of England "
            f"only. {publishers_file(file)}",
        }, replace=True,
    )  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FILES
    outlines(folder, HERE)
    hexagons(folder, HERE)
