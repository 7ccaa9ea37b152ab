"""Errors of past estimates and projections as an analyst has them measured: a table with its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, ModelError, SourceError
from hna.evidence.population import areas_and_years
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import ErrorSource, PopulationSource
from hna.evidence.tables import Reader, read_columns, tiling_fault
from hna.measure.ages import AgeAxis, AgeBand

Array = NDArray[np.float64]
Curve = tuple[Array, Array]

COLUMNS = ("area_type", "horizon", "age_from", "age_to", "median_ape")
OPTIONAL = ("p80_ape", "bias")
EVERYONE = AgeBand(0, None)
DEFAULT = "default"
_PER_CENT = 100.0
_MEDIAN, _EIGHTY = 0.6744897501960817, 1.2815515655446004
"""Half, and four fifths, of the absolute values of a standard normal lie below."""


@dataclass(frozen=True, eq=False)
class ErrorTable:
    """How far past numbers of people were out, as published.

    Parameters
    ----------
    source : who measured it.
    spreads : SD of the logarithm by type of area (a code, a type of the standards, or ``default``) and ages: horizons in
        years, rising, and the SD at each.
    bias : mean error, published less counted, as a proportion, likewise; where it is given.
    """

    source: ErrorSource
    spreads: Mapping[tuple[str, AgeBand], Curve]
    bias: Mapping[tuple[str, AgeBand], Curve]

    @property
    def by_age(self) -> bool:
        """Whether groups of ages are measured, besides everybody."""
        return any(band != EVERYONE for _, band in self.spreads)

    @property
    def groups(self) -> AgeAxis | None:
        """Ages that were measured; None where only everybody was."""
        found = sorted({band for _, band in self.spreads if band != EVERYONE}, key=lambda band: band.low)
        return AgeAxis(tuple(found)) if found else None

    def spread(self, names: Sequence[str], horizon: float, start: float, ages: AgeBand = EVERYONE) -> float:
        """SD of the logarithm, straight between horizons.

        Parameters
        ----------
        names : of the area: its code, its type, ``default``; the first that the table has.
        horizon : years ahead of the base of a projection, since the census of an estimate, 0 of a count.
        start : SD at 0, where the table does not begin there.
        ages : which.

        Raises
        ------
        ModelError
            R512 beyond the last horizon; R513 for a type of area that the table does not have.
        """
        held = next((self.spreads[name, ages] for name in names if (name, ages) in self.spreads), None)
        if held is None:
            rows = sorted({name for name, _ in self.spreads})
            what = f"{self.source.id} has no areas like {names[0]} (type {names[1]})"
            remedy = f"Add rows with area_type {names[0]}, {names[1]} or {DEFAULT}"
            raise ModelError(Fault(what, remedy, field="area_type", rows=rows, code="R513"))
        years, values = held
        if horizon > years[-1]:
            what = f"{horizon:g} years lie beyond {self.source.id}, which goes to {years[-1]:g}"
            raise ModelError(Fault(what, "Use a nearer year, or add a horizon", field="years", code="R512"))
        if years[0] > 0:
            years, values = np.r_[0.0, years], np.r_[start, values]
        return float(np.interp(horizon, years, values))

    def lean(self, names: Sequence[str], horizon: float) -> float | None:
        """Mean error of everybody at a horizon, published less counted; None where the table does not say."""
        held = next((self.bias[name, EVERYONE] for name in names if (name, EVERYONE) in self.bias), None)
        return None if held is None else float(np.interp(horizon, *held))


def error_table_for(shelf: Shelf, population: str, kinds: Sequence[str]) -> ErrorTable | None:
    """The table on the shelf that speaks of a population, the analyst's before a shipped one; None where there is none.

    Parameters
    ----------
    shelf : where tables are.
    population : identifier.
    kinds : types of area of the standards.

    Raises
    ------
    SourceError
        If two tables speak of it, or every fault of the one.
    """
    folders = shelf.folders(ErrorSource)
    naming = [name for name in folders if population in shelf.record(ErrorSource, name).of]
    naming = [name for name in naming if shelf.own(folders[name])] or naming
    if len(naming) > 1:
        remedy = "Name a population under `of` in one of them"
        raise SourceError(Fault(f"two tables of errors speak of {population}", remedy, field="of", rows=naming))
    if not naming:
        return None
    return shelf.once(("error-table", naming[0]), lambda: read_error_table(shelf, naming[0], kinds))


def read_error_table(shelf: Shelf, name: str, kinds: Sequence[str]) -> ErrorTable:
    """A table of errors, in per cent: the SD of each row is the wider of median/0.6745 and 80th percentile/1.2816.

    Parameters
    ----------
    shelf : where it is.
    name : identifier.
    kinds : types of area of the standards.

    Raises
    ------
    SourceError
        Every fault of the file at once.
    """
    record = shelf.record(ErrorSource, name)
    path = table_file(shelf.folder(ErrorSource, name))
    table = read_columns(path, COLUMNS, OPTIONAL)
    read = Reader(table, str(path))
    places, horizons, bands = read.text("area_type"), read.numbers("horizon"), read.bands()
    absent = np.full(len(table), np.nan)
    median = read.numbers("median_ape", blank=True)
    eighty = read.numbers("p80_ape", blank=True) if "p80_ape" in table else absent
    bias = read.numbers("bias", blank=True) if "bias" in table else absent
    below = "Write the size of the error in per cent, from 0"
    for column, values in (("horizon", horizons), ("median_ape", median), ("p80_ape", eighty)):
        read.fault("is negative", below, column, values < 0)
    neither = np.isnan(median) & np.isnan(eighty)
    read.fault("neither error is given", "Give median_ape, p80_ape or both", "median_ape", neither)
    held = shelf.folders(PopulationSource)
    absent_from = [one for one in record.of if one not in held]
    if absent_from:
        remedy = "Name populations of data/population"
        fault = Fault(
            "no population is called this", remedy, file=str(path.parent / "source.yaml"), field="of", rows=absent_from
        )
        read.faults.append(fault)
    known = {*kinds, DEFAULT} | {
        area.code for one in record.of if one in held for area in areas_and_years(shelf, one)[0].areas
    }  # fmt: skip
    strange = np.array([place not in known for place in places])
    remedy = f"Write {', '.join(sorted({*kinds, DEFAULT}))}, or the code of an area of {', '.join(record.of)}"
    read.fault("is no type of area", remedy, "area_type", strange)
    read.unique(["area_type", "horizon", "age_from", "age_to"], "errors")
    read.done()
    measured = sorted({band for band in bands if band != EVERYONE}, key=lambda band: band.low)
    wrong = tiling_fault(measured)
    if measured and (wrong or measured[0].low > 0 or measured[-1].high is not None):
        what = f"age bands {wrong or 'do not run from 0 to an open last band'}"
        raise SourceError(Fault(what, "Bands follow each other from 0", file=str(path), field="age_from"))
    sd = np.fmax(median / _MEDIAN, eighty / _EIGHTY) / _PER_CENT
    spreads = _curves(places, bands, horizons, sd)
    lacking = [
        f"{place}, {band.label}" for place in dict.fromkeys(places) for band in (EVERYONE, *measured)
        if (place, band) not in spreads
    ]  # fmt: skip
    if lacking:
        remedy = "Give each type of area all ages together (age_from 0, age_to blank) and every band of ages"
        raise SourceError(Fault("errors are missing", remedy, file=str(path), field="age_from", rows=lacking))
    told = np.isfinite(bias)
    chosen = [band for band, here in zip(bands, told, strict=True) if here]
    return ErrorTable(record, spreads, _curves(places[told], chosen, horizons[told], bias[told] / _PER_CENT))


def _curves(
    places: NDArray[np.object_], bands: Sequence[AgeBand], horizons: Array, values: Array
) -> dict[tuple[str, AgeBand], Curve]:
    rows: dict[tuple[str, AgeBand], list[tuple[float, float]]] = {}
    for place, band, horizon, value in zip(places, bands, horizons, values, strict=True):
        rows.setdefault((str(place), band), []).append((float(horizon), float(value)))
    return {
        key: (np.array([at for at, _ in sorted(held)]), np.array([v for _, v in sorted(held)]))
        for key, held in rows.items()
    }
