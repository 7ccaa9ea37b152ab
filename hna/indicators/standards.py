"""Standard populations: cited tables of weights, read from a folder."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ruamel.yaml import YAML

from hna.errors import Fault, SourceError
from hna.indicators.interval import FloatArray

_REQUIRED = ("id", "kind", "citation", "read_from")
_COLUMNS = ["age_from", "age_to", "weight"]


class Standard(NamedTuple):
    """A standard population.

    Attributes
    ----------
    name : the source's id.
    bands : its age bands, written ``65-69`` and ``90+``.
    weights : people in each, in the order of ``bands``.
    citation : where it was published.
    """

    name: str
    bands: tuple[str, ...]
    weights: FloatArray
    citation: dict[str, object]


def read_standard(folder: Path | str) -> Standard:
    """Return the standard population in a folder that holds ``source.yaml`` and ``table.csv``.

    Parameters
    ----------
    folder : such as ``data/standards/esp-2013``; ``table.csv`` has the columns ``age_from, age_to, weight``, the last
        ``age_to`` blank.

    Returns
    -------
    Standard
        Bands rising from the youngest without gap or overlap.

    Raises
    ------
    SourceError
        If a file or the citation is missing, the table's fingerprint is not the one recorded, or a band or weight is
        wrong; all faults are told at once.
    """
    folder = Path(folder)
    source, table = folder / "source.yaml", folder / "table.csv"
    absent = [
        Fault("is not there", "A standard population is a folder of both files.", file=path.name)
        for path in (source, table)
        if not path.is_file()
    ]
    if absent:
        raise SourceError(absent)
    faults: list[Fault] = []
    record = YAML(typ="safe").load(source.read_text(encoding="utf-8"))
    record = record if isinstance(record, dict) else {}
    faults += [
        Fault("is missing", "No citation, no load: fill it in.", file=source.name, field=field)
        for field in _REQUIRED
        if not record.get(field)
    ]
    printed = table.read_bytes()
    if record.get("sha256") not in (None, hashlib.sha256(printed).hexdigest()):
        remedy = "Check the change against the citation, then record the new fingerprint."
        faults.append(Fault("is not the fingerprint of table.csv", remedy, file=source.name, field="sha256"))
    bands, weights = _bands(printed.decode("utf-8-sig"), faults)
    if faults:
        raise SourceError(faults)
    return Standard(str(record["id"]), tuple(bands), np.array(weights), dict(record["citation"]))


def _bands(text: str, faults: list[Fault]) -> tuple[list[str], list[float]]:
    """Return the bands and weights of a table, adding its faults to the list."""
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or list(rows[0]) != _COLUMNS:
        remedy = f"Write the columns {', '.join(_COLUMNS)}."
        faults.append(Fault("has other columns, or no rows", remedy, file="table.csv"))
        return [], []
    bands, weights, next_age = [], [], None
    for line, row in enumerate(rows, start=2):
        try:
            first, weight = int(row["age_from"]), float(row["weight"])
            last = int(row["age_to"]) if row["age_to"] else None
        except (TypeError, ValueError):
            faults.append(
                Fault("is not in whole years and a number", "Correct it.", "table.csv", rows=[f"line {line}"])
            )
            continue
        label = f"{first}+" if last is None else str(first) if last == first else f"{first}-{last}"
        if next_age is not None and first != next_age:
            remedy = "Each band starts where the one before ends."
            faults.append(Fault("leaves a gap or overlaps the band before", remedy, "table.csv", rows=[label]))
        if not 0 < weight < float("inf"):
            faults.append(Fault("has a weight that is not above 0", "Correct it.", "table.csv", "weight", [label]))
        if last is None and line != len(rows) + 1:
            faults.append(Fault("is open-ended before the last row", "Say where it ends.", "table.csv", rows=[label]))
        next_age = None if last is None else last + 1
        bands.append(label)
        weights.append(weight)
    return bands, weights
