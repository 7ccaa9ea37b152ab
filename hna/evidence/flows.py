"""Where the people on each register live: patients of practices, by area of residence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import FlowsSource
from hna.evidence.tables import Reader, read_columns
from hna.measure.areas import Area

COLUMNS = ("practice_code", "area_code", "area_name", "persons")
ALSO = ("practice_name",)


@dataclass(frozen=True, eq=False)
class Flows:
    """People registered with each practice who live in each area.

    Parameters
    ----------
    source : their record.
    practices : codes of practices, or of other bodies that register.
    areas : where people live.
    people : shape (practice, area); 0 where the table has no row.
    """

    source: FlowsSource
    practices: tuple[str, ...]
    areas: tuple[Area, ...]
    people: NDArray[np.float64]


def read_flows(shelf: Shelf, name: str) -> Flows:
    """A table of flows from the shelf.

    A pair of practice and area without a row is taken to have nobody, as publishers leave such pairs out.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    """
    return shelf.once(("flows", name), lambda: _read(shelf, name))


def _read(shelf: Shelf, name: str) -> Flows:
    record = shelf.record(FlowsSource, name)
    path = table_file(shelf.folder(FlowsSource, name))
    read = Reader(read_columns(path, COLUMNS, ALSO), str(path))
    (body, practices), (place, codes) = read.labels("practice_code"), read.labels("area_code")
    names = read.text("area_name")
    people = read.numbers("persons", whole=True)
    read.fault("people are negative", "Counts start at 0", "persons", people < 0)
    read.unique(["practice_code", "area_code"], "pairs of practice and area")
    read.done()
    held = np.zeros((len(practices), len(codes)))
    held[body, place] = people
    empty = held.sum(axis=1) == 0
    read.fault("a practice has nobody in it", "Leave it out", "persons", empty[body])
    read.done()
    named = dict(zip(place.tolist(), names.tolist(), strict=True))
    areas = tuple(Area(str(code), str(named[n])) for n, code in enumerate(codes))
    return Flows(record, tuple(str(code) for code in practices), areas, held)
