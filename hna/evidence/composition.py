"""Who lives in a place by the levels of a factor: how deprived the areas are in which its people live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, SourceError
from hna.evidence.lookup import pairs_of
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import AreasSource, CompositionSource
from hna.evidence.tables import Reader, read_columns, tiling_fault
from hna.measure.ages import AgeAxis

Array = NDArray[np.float64]

COLUMNS = ("area_code", "area_name", "year", "sex", "age_from", "age_to", "persons")
_LEVEL = "-D"


@dataclass(frozen=True, eq=False)
class Composition:
    """People of each area by age and level of a factor, in one year.

    Parameters
    ----------
    source : its record.
    year : of the counts.
    ages : bands.
    sexes : female and male, or persons.
    people : by area code, shape (sex, age, level); with two factors, every level of the second within the first's first.
    """

    source: CompositionSource
    year: int
    ages: AgeAxis
    sexes: tuple[str, ...]
    people: dict[str, Array]

    def of(self, area: str, sexes: Sequence[str], ages: AgeAxis) -> Array:
        """People of an area, shape (sex, age, level); each sex alike where the table is for persons.

        Raises
        ------
        AxisError
            R415 if the area is not there; R201 if the bands cross those of the table.
        """
        if area not in self.people:
            remedy = "Put its people by level into data/composition of a workspace, or assess an authority, region or England"
            what = (
                f"{self.source.id} does not say how people in {area} are divided by {' and '.join(self.source.factors)}"
            )
            raise AxisError(Fault(what, remedy, field="local", code="R415"))
        starts, ends = {band.low for band in self.ages.bands}, {band.end for band in self.ages.bands}
        crossed = [band.label for band in ages.bands if band.low not in starts or band.end not in ends]
        if crossed:
            remedy = "Use bands that its own add up to"
            what = f"{self.source.id} has no people of these ages"
            raise AxisError(Fault(what, remedy, field="ages", rows=crossed, code="R201"))
        held = self.people[area]
        if tuple(sexes) != self.sexes:
            chosen = [self.sexes.index(sex) if sex in self.sexes else None for sex in sexes]
            held = np.stack([held.sum(axis=0) if one is None else held[one] for one in chosen])
        inside = [[n for n, fine in enumerate(self.ages.bands) if fine in band] for band in ages.bands]
        return np.stack([held[:, rows].sum(axis=1) for rows in inside], axis=1)


def composition_for(shelf: Shelf, factors: str | Sequence[str], name: str | None = None) -> Composition:
    """The composition that a model names, or the only one by some factors together; the analyst's own before those shipped.

    Raises
    ------
    SourceError
        If there is none, or several to choose from.
    """
    named = (factors,) if isinstance(factors, str) else tuple(factors)
    factor, wanted = " and ".join(named), set(named)
    if name is not None:
        found = read_composition(shelf, name)
        if set(found.source.factors) != wanted:
            what = f"{name} divides people by {' and '.join(found.source.factors)}, not {factor}"
            raise SourceError(Fault(what, "Name another composition", field="local.composition"))
        return found
    folders = shelf.folders(CompositionSource)
    held = [one for one in folders if set(shelf.record(CompositionSource, one).factors) == wanted]
    held = [one for one in held if shelf.own(folders[one])] or held
    if not held and len(wanted) > 1:
        remedy = "Use the one that differs more between places, or put people by both together into data/composition (within)"
        raise SourceError(
            Fault(f"people by {factor} together are not on the shelf", remedy, field="local", code="R415")
        )
    if not held:
        remedy = "Put people by area, age and level into data/composition/<id>/ of a workspace (docs/models.md)"
        raise SourceError(Fault(f"nothing on the shelf divides people by {factor}", remedy, field="local", code="R412"))
    if len(held) > 1:
        raise SourceError(
            Fault(f"several tables divide people by {factor}", "Name one", field="local.composition", rows=held)
        )
    return read_composition(shelf, held[0])


def read_composition(shelf: Shelf, name: str) -> Composition:
    """A composition from the shelf.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    """
    return shelf.once(("composition", name), lambda: _read(shelf, name))


def _read(shelf: Shelf, name: str) -> Composition:
    record = shelf.record(CompositionSource, name)
    path = table_file(shelf.folder(CompositionSource, name))
    table = read_columns(path, [*COLUMNS, *record.factors])
    read = Reader(table, str(path))
    years, people = read.numbers("year", whole=True), read.numbers("persons", whole=True)
    read.fault("people are negative", "Counts start at 0", "persons", people < 0)
    # Labels repeat in every cell: each is looked at once.
    area, codes = pd.factorize(table["area_code"])
    at_level, size = np.zeros(len(table), dtype=int), 1
    for factor in record.factors:
        named = record.levels_of(factor)
        level, levels = pd.factorize(table[factor])
        place = np.array([named.index(str(one)) if str(one) in named else -1 for one in levels])
        remedy = f"Write one of {', '.join(named)}, or mend `levels` in source.yaml"
        read.fault(f"{factor} is not declared", remedy, factor, (place < 0)[level])
        at_level, size = at_level * len(named) + place[level], size * len(named)
    sex, sexes = pd.factorize(table["sex"], sort=True)
    if sorted(sexes) not in (["persons"], ["female", "male"]):
        read.fault(
            "the sexes are not persons, or female and male", "Give one or the other", "sex", np.ones(1, dtype=bool)
        )
    read.fault("is blank", "Fill it in", "area_code", np.array([not str(code).strip() for code in codes])[area])
    read.done()
    held = np.unique(years)
    if len(held) != 1:
        raise SourceError(
            Fault("there are several years", "One table holds one year", file=str(path), rows=held[:5].tolist())
        )
    band = table.groupby(["age_from", "age_to"], dropna=False, sort=False).ngroup().to_numpy()
    once = Reader(table.iloc[np.unique(band, return_index=True)[1]].reset_index(drop=True), str(path))
    bands = once.bands()
    once.done()
    unique = sorted(bands, key=lambda one: (one.low, one.end))
    wrong = tiling_fault(unique)
    if wrong:
        raise SourceError(Fault(f"age bands {wrong}", "Bands follow each other", file=str(path), field="age_from"))
    at_age = np.array([unique.index(one) for one in bands])[band]
    shape = (len(codes), len(sexes), len(unique), size)
    cell = np.ravel_multi_index((area, sex, at_age, at_level), shape)
    counted = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    wrong_cells = np.argwhere(counted != 1)
    if len(wrong_cells):
        rows = [
            f"{codes[a]}, {sexes[s]}, {unique[b].label}, {_named(record, int(f))}" for a, s, b, f in wrong_cells[:6]
        ]
        remedy = "Give every area each sex, age and level once; write 0 where nobody lives"
        raise SourceError(Fault("cells are missing or repeated", remedy, file=str(path), field="persons", rows=rows))
    cube = np.zeros(shape)
    cube.ravel()[cell] = people
    found = dict(zip([str(code) for code in codes], cube, strict=True))
    if record.small_areas is not None:
        found |= _small(shelf, record, (len(sexes), len(unique)))
    return Composition(record, int(held[0]), AgeAxis(tuple(unique)), tuple(str(one) for one in sexes), found)


def _named(record: CompositionSource, level: int) -> str:
    """A level of all factors together, in words."""
    sizes = [len(record.levels_of(factor)) for factor in record.factors]
    return ", ".join(
        record.levels_of(factor)[int(n)]
        for factor, n in zip(record.factors, np.unravel_index(level, sizes), strict=True)
    )


def _small(shelf: Shelf, record: CompositionSource, cells: tuple[int, int]) -> dict[str, Array]:
    """Small areas of one level throughout: one person in each age there, of whom only the share is used."""
    lookup = shelf.record(AreasSource, record.small_areas or "")
    alone = {
        f"{_LEVEL}{one}": np.tile(np.eye(len(record.levels))[n], (*cells, 1)) for n, one in enumerate(record.levels)
    }
    found = {}
    for child, parent in pairs_of(shelf, lookup.id):
        end = parent[parent.rfind(_LEVEL) :]
        if end in alone:
            found[child] = alone[end]
    return found
