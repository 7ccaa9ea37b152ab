"""Outlines of areas, and the hexagons that stand for them: for drawing maps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import AreasSource
from hna.evidence.tables import Reader, read_columns

SHAPES, HEXAGONS = "-shapes", "-hexagons"
DRAWN = (SHAPES, HEXAGONS)
"""Folders of ``data/areas`` whose ids end so hold what is drawn, not which area lies in which."""
BORDERS = "-borders"
"""Folders whose ids end so hold pairs of areas that border each other."""
Ring = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Outlines:
    """What some areas look like on a map.

    Parameters
    ----------
    rings : by area code: east and north of each corner, in one unit of length for all, the largest ring first.
    hexagons : by area code: column and row; rows are numbered upwards, the odd ones pushed half a hexagon right.
    sources : where they are from.
    """

    rings: Mapping[str, tuple[Ring, ...]] = field(default_factory=dict)
    hexagons: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sources: tuple[AreasSource, ...] = ()

    def of(self, codes: Collection[str]) -> Outlines:
        """Those of some areas."""
        rings = {code: self.rings[code] for code in sorted(codes) if code in self.rings}
        hexagons = {code: self.hexagons[code] for code in rings if code in self.hexagons}
        return Outlines(rings, hexagons, self.sources)


def read_outlines(shelf: Shelf) -> Outlines:
    """Every outline and hexagon on the shelf, an analyst's own in place of a shipped one of the same area.

    Raises
    ------
    SourceError
        Every fault of a file at once.
    """
    return shelf.once(("outlines",), lambda: _read(shelf))


def _read(shelf: Shelf) -> Outlines:
    folders = shelf.folders(AreasSource)
    names = sorted((name for name in folders if name.endswith(DRAWN)), key=lambda name: shelf.own(folders[name]))
    rings: dict[str, tuple[Ring, ...]] = {}
    hexagons: dict[str, tuple[int, int]] = {}
    for name in names:
        if name.endswith(SHAPES):
            rings |= read_rings(shelf, name)
        else:
            hexagons |= read_hexagons(shelf, name)
    return Outlines(rings, hexagons, tuple(shelf.record(AreasSource, name) for name in names))


def read_rings(shelf: Shelf, name: str) -> dict[str, tuple[Ring, ...]]:
    """Outlines of one source: a row a ring, its first corner and then the steps from each corner to the next."""
    read = _reader(shelf, name, ("area_code", "points"))
    codes = read.text("area_code")
    steps = [_steps(text) for text in read.table["points"].astype(str)]
    remedy = "Write whole numbers: east and north of the first corner, then the step east and north to each next one"
    read.fault("is not a ring of three corners or more", remedy, "points", np.array([one is None for one in steps]))
    read.done()
    found: dict[str, list[Ring]] = {}
    for code, one in zip(codes.tolist(), steps, strict=True):
        corners = np.cumsum(np.asarray(one), axis=0)
        found.setdefault(code, []).append(tuple((int(x), int(y)) for x, y in corners))
    return {code: tuple(sorted(some, key=_area, reverse=True)) for code, some in found.items()}


def read_hexagons(shelf: Shelf, name: str) -> dict[str, tuple[int, int]]:
    """Hexagons of one source: a row an area."""
    read = _reader(shelf, name, ("area_code", "column", "row"))
    codes, columns, rows = read.text("area_code"), read.numbers("column", whole=True), read.numbers("row", whole=True)
    read.unique(["area_code"], "areas")
    read.unique(["column", "row"], "hexagons")
    read.done()
    return {code: (int(x), int(y)) for code, x, y in zip(codes.tolist(), columns, rows, strict=True)}


def _reader(shelf: Shelf, name: str, columns: tuple[str, ...]) -> Reader:
    shelf.record(AreasSource, name)
    path = table_file(shelf.folder(AreasSource, name))
    table: pd.DataFrame = read_columns(path, columns)
    return Reader(table, str(path))


def _steps(text: str) -> list[tuple[int, int]] | None:
    """Pairs of whole numbers, or None where they make no ring."""
    try:
        numbers = [int(part) for part in text.split()]
    except ValueError:
        return None
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    return None if len(numbers) % 2 or len(pairs) < 3 else pairs


def _area(ring: Iterable[tuple[int, int]]) -> float:
    x, y = np.array(list(ring), dtype=float).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
