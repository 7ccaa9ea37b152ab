"""People known to services: published counts, with hidden and rounded cells kept as intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, SourceError
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import FlowsSource, KnownSource
from hna.evidence.tables import Reader, read_columns, tiling_fault
from hna.measure.ages import AgeBand
from hna.measure.areas import Area, Gazetteer

COLUMNS = ("area_code", "area_name", "year", "sex", "age_from", "age_to", "count")
ALSO = ("severity", "service")


@dataclass(frozen=True, eq=False)
class Known:
    """Counts known to a service.

    Parameters
    ----------
    source : their record.
    area_code, area_name, year, sex, severity, service : label of each row.
    bands : age band of each row.
    count : shape (row,), people as printed; NaN where the publisher hid it.
    lower, upper : shape (row,), smallest and largest true count.
    origin : counts by practice that these were made from; None where they are as published.
    volumes : by area code and year, the cells counted and all of them added up, for seeing whether a service grew; NaN where
        one is hidden.
    """

    source: KnownSource
    area_code: NDArray[np.object_]
    area_name: NDArray[np.object_]
    year: NDArray[np.int64]
    sex: NDArray[np.object_]
    severity: NDArray[np.object_]
    service: NDArray[np.object_]
    bands: tuple[AgeBand, ...]
    count: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    origin: Origin | None = None
    volumes: Mapping[tuple[str, int], tuple[frozenset[object], float]] = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Known:
        """Some of the rows."""
        where = np.flatnonzero(rows) if rows.dtype == bool else rows
        labels = {
            name: getattr(self, name)[where]
            for name in (
                "area_code",
                "area_name",
                "year",
                "sex",
                "severity",
                "service",
                "count",
                "lower",
                "upper",
            )
        }
        origin = None if self.origin is None else replace(self.origin, share=self.origin.share[where])
        return replace(self, bands=tuple(self.bands[n] for n in where), origin=origin, **labels)

    def __len__(self) -> int:
        return len(self.count)

    def of_one_service(self) -> Known:
        """The same counts.

        Raises
        ------
        SourceError
            R611 if they are of several services, some of whose people may be the same.
        """
        services = sorted({str(one) for one in self.service})
        if len(services) > 1:
            remedy = "Give one service, or people counted once over all of them"
            what = f"{self.source.id} counts people by several services, and one person may be with two of them"
            raise SourceError(Fault(what, remedy, field="service", rows=services, code="R611"))
        return self

    def grown(self, area: str, year: int) -> float | None:
        """By what share the count of an area changed from the year before; None where that cannot be seen."""
        now, before = (self.volumes.get((area, one), (frozenset(), np.nan)) for one in (year, year - 1))
        if now[0] != before[0] or not now[1] >= 0 or not before[1] > 0:
            return None
        return now[1] / before[1] - 1

    def with_volumes(self) -> Known:
        """The same counts; those of periods with what all cells of each area and year add up to."""
        if not self.source.months:
            return self
        cells: dict[tuple[str, int], set[object]] = {}
        sums: dict[tuple[str, int], float] = {}
        labels = zip(self.sex, self.bands, self.severity, self.service, strict=True)
        for code, year, cell, count in zip(self.area_code, self.year, labels, self.count, strict=True):
            key = str(code), int(year)
            cells.setdefault(key, set()).add(cell)
            sums[key] = sums.get(key, 0.0) + float(count)
        return replace(self, volumes={key: (frozenset(held), sums[key]) for key, held in cells.items()})

    @property
    def cited(self) -> tuple[KnownSource | FlowsSource, ...]:
        """Every record the counts rest on."""
        return (self.source,) if self.origin is None else (self.source, self.origin.flows)

    @property
    def base(self) -> str:
        """Who is counted: where counts by practice were brought to areas of residence, residents."""
        return self.source.base if self.origin is None else "resident"

    @property
    def areas(self) -> Gazetteer:
        """Areas with a count."""
        pairs = dict(zip(self.area_code.tolist(), self.area_name.tolist(), strict=True))
        return Gazetteer(Area(code, name) for code, name in sorted(pairs.items()))

    @property
    def years(self) -> tuple[int, ...]:
        """Years with a count."""
        return tuple(sorted(set(self.year.tolist())))


@dataclass(frozen=True, eq=False)
class Origin:
    """Counts by practice, and the part of each that is of people living in an area.

    Parameters
    ----------
    counts : by practice.
    share : shape (row, row of `counts`), proportions.
    flows : where the patients of practices live.
    notes : what was done, in words.
    """

    counts: Known
    share: NDArray[np.float64]
    flows: FlowsSource
    notes: tuple[str, ...]


def read_known(shelf: Shelf, name: str, areas: Sequence[str] | None = None) -> Known:
    """Known counts from the shelf.

    A cell that holds the publisher's mark becomes the range that its record gives; a rounded cell becomes the counts
    that round to it.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    """
    known = shelf.once(("known", name), lambda: _read_known(shelf, name))
    if areas is None:
        return known
    wanted = {area.code for area in known.areas.find_all(areas)}
    return known.take(np.array([code in wanted for code in known.area_code]))


def _read_known(shelf: Shelf, name: str) -> Known:
    record = shelf.record(KnownSource, name)
    path = table_file(shelf.folder(KnownSource, name))
    table = read_columns(path, COLUMNS, ALSO)
    read = Reader(table, str(path))
    codes, names = read.text("area_code"), read.text("area_name")
    years = read.numbers("year", whole=True)
    sexes, bands = read.sexes(), read.bands()
    hidden = record.disclosure
    mark = hidden.suppressed if hidden else None
    raw = table["count"].astype(object).to_numpy()
    suppressed = np.array([mark is not None and str(value).strip() == mark for value in raw])
    shown = table.copy()
    shown["count"] = np.where(suppressed, "0", raw.astype(str))
    counter = Reader(shown, str(path), read.faults)
    count = counter.numbers("count", whole=True)
    marks = sorted(
        {text for text in map(str, raw) if text not in ("", mark) and (text[0] in "<≤" or not re.search(r"\d", text))}
    )
    if marks:
        remedy = "Declare it under disclosure (suppressed and range): a suppressed count is never a zero"
        read.faults.append(
            Fault(
                "marks in place of counts are not declared",
                remedy,
                file=str(path),
                field="count",
                rows=marks,
                code="R602",
            )
        )
    read.fault("a count is negative", "Counts start at 0", "count", count < 0)
    severity = (
        table["severity"].astype(object).to_numpy() if "severity" in table else np.full(len(table), "", dtype=object)
    )
    service = (
        table["service"].astype(object).to_numpy()
        if "service" in table
        else np.full(len(table), record.service, dtype=object)
    )
    read.unique(["area_code", "year", "sex", "age_from", "age_to", "severity", "service"], "cells")
    if not read.faults:
        _tile(read, codes, years, sexes, severity, service, bands)
    read.done()
    base = hidden.rounded_to if hidden and hidden.rounded_to else 1
    spread = (base - 1) // 2 if base % 2 else base // 2
    lowest, highest = hidden.range if hidden and hidden.range else (0, 0)
    # Where small counts are hidden, a printed count is above them, and a printed nought is nought.
    least = highest + 1 if mark is not None and lowest > 0 else 0
    floor = np.minimum(np.maximum(count - spread, np.where(count > 0, least, 0)), count)
    lower = np.where(suppressed, lowest, floor)
    upper = np.where(suppressed, highest, np.where((count == 0) & (least > 0), 0, count + spread))
    return Known(
        record, codes, names, years.astype(np.int64), sexes, severity, service, tuple(bands),
        np.where(suppressed, np.nan, count), lower.astype(float), upper.astype(float),
    ).with_volumes()  # fmt: skip


def _tile(
    read: Reader,
    codes: NDArray[np.object_],
    years: NDArray[np.float64],
    sexes: NDArray[np.object_],
    severity: NDArray[np.object_],
    service: NDArray[np.object_],
    bands: list[AgeBand],
) -> None:
    groups: dict[tuple[object, ...], list[AgeBand]] = {}
    for key, band in zip(zip(codes, years, sexes, severity, service, strict=True), bands, strict=True):
        groups.setdefault(key, []).append(band)
    wrong = [
        f"{key[0]}, {int(float(str(key[1])))}, {key[2]}: {found}"
        for key, held in groups.items()
        if (found := tiling_fault(held))
    ]
    if wrong:
        remedy = "Bands of one area, year and sex follow each other"
        read.faults.append(
            Fault("age bands overlap or leave a gap", remedy, file=read.file, field="age_from", rows=wrong)
        )
