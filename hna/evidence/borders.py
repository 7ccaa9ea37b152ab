"""Which areas border each other: by pairs on the shelf, or by the outlines that they share."""

from __future__ import annotations

from collections.abc import Sequence

from hna.errors import Fault, SourceError
from hna.evidence.lookup import LOOKUP
from hna.evidence.outlines import BORDERS, SHAPES, read_outlines
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import AreasSource
from hna.evidence.tables import Reader, read_columns

Pairs = tuple[tuple[str, str], ...]

_SHARED = 2
"""Corners that two outlines have in common where the areas border each other: one is a point, two are a line."""


def borders_named(shelf: Shelf, name: str, areas: Sequence[str]) -> tuple[Pairs, AreasSource]:
    """Pairs of bordering areas in a lookup, those of some areas.

    Parameters
    ----------
    name : of a folder of ``data/areas`` that ends in ``-borders``; `child` and `parent` are two areas that border each other.
    areas : codes; pairs with others are left out.

    Raises
    ------
    SourceError
        If it is no such lookup, or has none of the areas.
    """
    source = shelf.record(AreasSource, name)
    path = table_file(shelf.folder(AreasSource, name))
    if not name.endswith(BORDERS):
        remedy = f"Borders stand in a folder of data/areas whose name ends in {BORDERS}"
        raise SourceError(Fault(f"{name} says what lies in what, not what borders what", remedy, file=str(path)))
    read = Reader(read_columns(path, LOOKUP), str(path))
    pairs = zip(read.text("child").tolist(), read.text("parent").tolist(), strict=True)
    read.done()
    held = set(areas)
    found = tuple(sorted({(min(pair), max(pair)) for pair in pairs if held.issuperset(pair) and pair[0] != pair[1]}))
    if not found:
        remedy = "Write the codes of areas as the counts have them, each pair once"
        raise SourceError(Fault("no two of the areas counted border each other", remedy, file=str(path), rows=areas))
    return found, source


def borders_seen(shelf: Shelf, areas: Sequence[str]) -> tuple[Pairs, tuple[AreasSource, ...]]:
    """Pairs of areas whose outlines have a line in common.

    Raises
    ------
    SourceError
        If an area has no outline on the shelf.
    """
    outlines = read_outlines(shelf)
    absent = [code for code in areas if code not in outlines.rings]
    if absent:
        remedy = (
            f"Name a lookup of pairs under borders (data/areas, its name ending in {BORDERS}), or add their outlines"
        )
        raise SourceError(Fault("areas have no outline on the shelf, so nobody can say what they border", remedy,
                                field="prevalence.map.borders", rows=absent))  # fmt: skip
    at: dict[tuple[int, int], set[str]] = {}
    for code in areas:
        for ring in outlines.rings[code]:
            for corner in ring:
                at.setdefault(corner, set()).add(code)
    shared: dict[tuple[str, str], int] = {}
    for together in at.values():
        named = sorted(together)
        for n, one in enumerate(named):
            for other in named[n + 1 :]:
                shared[one, other] = shared.get((one, other), 0) + 1
    found = tuple(sorted(pair for pair, corners in shared.items() if corners >= _SHARED))
    return found, tuple(source for source in outlines.sources if source.id.endswith(SHAPES))
