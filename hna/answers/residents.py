"""Counts by practice brought to the areas in which people live."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hna.errors import Fault, ModelError
from hna.evidence.flows import Flows, read_flows
from hna.evidence.known import Known, Origin, read_known
from hna.evidence.lookup import pairs_of
from hna.evidence.population import areas_and_years, read_population
from hna.evidence.record import Record
from hna.evidence.shelf import Shelf
from hna.evidence.source import PopulationSource
from hna.measure.areas import Area
from hna.model.defaults import read_standard
from hna.model.projection import registered_to_resident
from hna.model.spec import KnownUse, Residents

Array = NDArray[np.float64]

FILE = "data/standards/flows.yaml"
_FIELD = "known.residents"
_TOLD = 5


class _Covered(Record):
    value: float = Field(ge=0, le=1)
    because: str


class _Fields(Record):
    covered: _Covered


def read_counts(shelf: Shelf, use: KnownUse) -> Known:
    """Counts as a model uses them: as published, or brought from practices to the areas in which their patients live.

    Raises
    ------
    SourceError
        Every fault of the files at once.
    ModelError
        As in `to_residents`.
    """
    counts = read_known(shelf, use.source)
    return counts if use.residents is None else to_residents(counts, shelf, use.residents)


def to_residents(counts: Known, shelf: Shelf, bridge: Residents) -> Known:
    """People known, by area of residence: ``resident(j) = Σ_i registered(i) · T(i, j)``.

    T(i, j) is the share of practice i's patients who live in j. It rests on the need being as common among a practice's
    patients wherever they live (W521). A hidden or rounded count stays an interval, and is hidden or rounded once, for all areas.
    Areas of which the practices counted hold too few of the residents (`data/standards/flows.yaml`) have no count.

    Parameters
    ----------
    counts : by practice: the codes of practices stand as area codes.
    bridge : where their patients live.

    Raises
    ------
    ModelError
        R523 where counts are not by practice, or a practice is not in the flows.
    """
    flows = read_flows(shelf, bridge.flows)
    _check(counts, flows)
    areas, inside = _assessed(shelf, flows, bridge.areas)
    at = {practice: n for n, practice in enumerate(flows.practices)}
    mine = sorted({at[str(code)] for code in counts.area_code})
    patients = np.array([flows.people[np.ix_(mine, columns)].sum() for columns in inside])
    covered = _covered(shelf, flows, areas, patients)
    least = read_standard(shelf, FILE, _Fields).covered.value
    kept = [n for n in range(len(areas)) if not covered[n] < least]
    if not kept:
        rows = [f"{area}: {share:.0%}" for area, share in zip(areas, covered, strict=True)]
        remedy = "Count every practice at which these residents are registered"
        what = f"the practices in {counts.source.id} hold too few of the residents of any area"
        raise ModelError(Fault(what, remedy, field=_FIELD, rows=rows, code="R523"))
    shared, _ = registered_to_resident(np.eye(len(mine)), flows.people[mine])
    share = np.stack([shared[inside[n]].sum(axis=0) for n in kept])
    notes = _notes(counts, flows, areas, covered, least)
    return _by_area(counts, [areas[n] for n in kept], share, [flows.practices[n] for n in mine], flows, notes)


def _check(counts: Known, flows: Flows) -> None:
    faults = []
    if counts.source.base != flows.source.base:
        remedy = "Give counts by practice with base: registered, or leave residents out: these are of residents already"
        what = f"{counts.source.id} counts {counts.source.base} people, and {flows.source.id} says where {flows.source.base} people live"
        faults.append(Fault(what, remedy, field=_FIELD, code="R523"))
    absent = sorted({str(code) for code in counts.area_code} - set(flows.practices))
    if absent:
        remedy = "Add the patients of these practices, of the same date: nobody is left out unseen"
        what = f"practices in {counts.source.id} are not in {flows.source.id}"
        faults.append(Fault(what, remedy, field=_FIELD, rows=absent, code="R523"))
    cells: dict[str, set[tuple[object, ...]]] = {}
    for n, code in enumerate(counts.area_code.tolist()):
        cells.setdefault(code, set()).add(_cell(counts, n))
    common = max(cells.values(), key=len)
    uneven = sorted(code for code, held in cells.items() if held != common)
    if uneven:
        remedy = "Give every practice the same years, sexes, ages and strata; a count of nobody is 0"
        what = f"practices in {counts.source.id} do not have the same cells"
        faults.append(Fault(what, remedy, field=_FIELD, rows=uneven, code="R523"))
    if faults:
        raise ModelError(faults)


def _cell(counts: Known, n: int) -> tuple[object, ...]:
    return int(counts.year[n]), counts.sex[n], counts.bands[n], counts.severity[n], counts.service[n]


def _assessed(shelf: Shelf, flows: Flows, lookup: str | None) -> tuple[list[Area], list[list[int]]]:
    """Areas that a population on the shelf has, and the columns of the flows that make up each."""
    known: dict[str, str] = {}
    for name in shelf.folders(PopulationSource):
        known |= {area.code: area.name for area in areas_and_years(shelf, name)[0].areas}
    column = {area.code: n for n, area in enumerate(flows.areas)}
    inside: dict[str, list[int]] = {code: [n] for code, n in column.items() if code in known}
    if lookup is not None:
        for child, parent in pairs_of(shelf, lookup):
            if child in column and parent in known and parent not in column:
                inside.setdefault(parent, []).append(column[child])
    if not inside:
        rows = [str(area) for area in flows.areas]
        remedy = "Use codes of a population on the shelf, or name the lookup that leads to them under residents.areas"
        raise ModelError(
            Fault(f"areas in {flows.source.id} are in no population", remedy, field=_FIELD, rows=rows, code="R523")
        )
    areas = [Area(code, known[code]) for code in sorted(inside)]
    return areas, [inside[area.code] for area in areas]


def _covered(shelf: Shelf, flows: Flows, areas: list[Area], patients: Array) -> Array:
    """Patients of the practices counted over residents, by area; NaN where no population of all ages has it."""
    year = int(flows.source.reference_date[:4])
    folders = shelf.folders(PopulationSource)
    best: dict[str, tuple[tuple[bool, int], float]] = {}
    for record in shelf.records(PopulationSource):
        if record.base != "resident" or record.group is not None or record.basis == "projection":
            continue
        gazetteer, years = areas_and_years(shelf, record.id)
        here = [area.code for area in areas if area.code in gazetteer]
        nearest = min(years, key=lambda when: abs(when - year))
        if not here:
            continue
        found = read_population(shelf, record.id, here, [nearest])
        if found.ages.span.low > 0 or not np.isinf(found.ages.span.end):
            continue
        for area, total in zip(found.areas, found.people.sum(axis=(1, 2, 3)), strict=True):
            order = (not shelf.own(folders[record.id]), abs(nearest - year))
            if area.code not in best or order < best[area.code][0]:
                best[area.code] = (order, float(total))
    people = {code: total for code, (_, total) in best.items() if total > 0}
    return np.array([n / people.get(area.code, np.nan) for area, n in zip(areas, patients, strict=True)])


def _notes(counts: Known, flows: Flows, areas: list[Area], covered: Array, least: float) -> tuple[str, ...]:
    how = (
        f"{counts.source.id}: patients of each practice are counted where they live, by {flows.source.id} of "
        f"{flows.source.reference_date}, on the assumption that the need is as common among them wherever they live"
    )
    said = [how]
    ranked = sorted(
        (two for two in zip(areas, covered, strict=True) if np.isfinite(two[1])), key=lambda two: -float(two[1])
    )
    whole = [f"{area.name} {share:.0%}" for area, share in ranked if share >= least]
    part = [f"{area.name} {share:.0%}" for area, share in ranked if share < least]
    if whole:
        said.append(
            f"practices counted hold, of the residents of each area: {', '.join(whole[:_TOLD])}; the rest are in no interval unless "
            "factors.extraction allows for them"
        )
    if np.isnan(covered).any():
        said.append(
            "how many of the residents the practices hold is not checked where no population of all ages is on the shelf"
        )
    if part:
        said.append(f"areas of which they hold under {least:.0%} have no count from them: {', '.join(part[:_TOLD])}")
    return tuple(said)


def _by_area(
    counts: Known, areas: list[Area], share: Array, practices: list[str], flows: Flows, notes: tuple[str, ...]
) -> Known:
    """Counts of areas, one row an area and cell; `share` has shape (area, practice)."""
    row_of = {practice: n for n, practice in enumerate(practices)}
    cells: dict[tuple[object, ...], list[int]] = {}
    for n in range(len(counts)):
        cells.setdefault(_cell(counts, n), []).append(n)
    weights = np.zeros((len(areas) * len(cells), len(counts)))
    first = []
    for c, rows in enumerate(cells.values()):
        first += [rows[0]]
        by = [row_of[str(counts.area_code[n])] for n in rows]
        weights[np.ix_(np.arange(len(areas)) * len(cells) + c, np.array(rows))] = share[:, by]
    hidden = (weights[:, np.isnan(counts.count)] > 0).any(axis=1)
    total = weights @ np.nan_to_num(counts.count)
    labels = counts.take(np.tile(np.array(first, dtype=np.intp), len(areas)))
    codes = np.repeat(np.array([area.code for area in areas], dtype=object), len(cells))
    names = np.repeat(np.array([area.name for area in areas], dtype=object), len(cells))
    return Known(
        counts.source, codes, names, labels.year, labels.sex, labels.severity, labels.service, labels.bands,
        np.where(hidden, np.nan, total), weights @ counts.lower, weights @ counts.upper,
        Origin(counts, weights, flows.source, notes),
    ).with_volumes()  # fmt: skip
