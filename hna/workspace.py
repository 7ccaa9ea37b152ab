"""A workspace that runs: one source, population, count and model for an analyst to edit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from hna.errors import Fault, SourceError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import PrevalenceSource, Source, fingerprint
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.spec import read_model

EXAMPLE_NEED = "dementia"
EXAMPLE_POPULATION = "ons-mye-2020"
EXAMPLE_AREA = "Halton"
_ORIGIN = "An example to edit: copied from {} on the shipped shelf. Put your own figures and citation in its place."


def make_workspace(folder: Path) -> list[Path]:
    """Files of a new workspace that runs as it stands.

    Raises
    ------
    SourceError
        If the folder is a file, holds anything, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SourceError(Fault("is not an empty folder", "Name a new folder", file=str(folder)))
    shelf = Shelf()
    model = read_model(shelf.model_file(EXAMPLE_NEED))
    source, register = model.prevalence.sources[0].source, model.known[0]
    try:
        written = [
            *_copy_prevalence(shelf, source, folder),
            *_copy_population(shelf, folder, model.band),
            *_copy_known(shelf, register.source, folder),
        ]
        fields = model.model_dump(mode="json", exclude_defaults=True)
        fields |= {"need": "my-dementia", "title": "Dementia (your own model)"}
        fields["prevalence"]["sources"] = ["my-study"]
        fields["known"][0]["source"] = "my-register"
        fields["prevalence"].pop("severity", None)
        fields["prevalence"].pop("judged", None)
        path = folder / "models" / "my-dementia.yaml"
        written.append(_write(path, _yaml(fields)))
        readme = (
            "# A workspace\n\nEdit these files, then run `hna check .` and `hna run --workspace .` here.\n\n"
            "- `models/`: one need a file. `hna schema model` lists its fields.\n"
            "- `prevalence_sources/<id>/`: one published table and its citation.\n"
            "- `data/population/<id>/`, `data/known/<id>/`: people living here, people known to services.\n\n"
            "After changing a table, `hna check . --fix-fingerprints` records it.\n"
        )
        written.append(_write(folder / "README.md", readme))
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise SourceError(Fault(what, "Name another folder", file=str(folder))) from None
    return written


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def _yaml(fields: dict[str, Any]) -> str:
    writer = YAML()
    writer.width = 120
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(fields, stream)
    return stream.getvalue()


def _source(record: Source, name: str, origin: str, table: Path) -> str:
    fields = record.model_dump(mode="json", exclude={"sha256", "notes", "unused"})
    fields = {key: value for key, value in fields.items() if value is not None or key in ("severity", "disclosure")}
    for key in ("duplicates", "covers"):
        if key in type(record).model_fields:
            fields[key] = getattr(record, key)
    notes = _ORIGIN.format(origin) + (f" {record.notes}" if record.notes else "")
    return _yaml({**fields, "id": name, "notes": notes, "sha256": fingerprint(table)})


def _copy_prevalence(shelf: Shelf, name: str, folder: Path) -> list[Path]:
    place = folder / "prevalence_sources" / "my-study"
    record = shelf.record(PrevalenceSource, name)
    table = _write(place / "table.csv", table_file(shelf.folder(PrevalenceSource, name)).read_text(encoding="utf-8"))
    return [_write(place / "source.yaml", _source(record, "my-study", name, table)), table]


def _copy_population(shelf: Shelf, folder: Path, ages: AgeBand) -> list[Path]:
    held = read_population(shelf, EXAMPLE_POPULATION, [EXAMPLE_AREA])
    starts = [*range(ages.low, held.ages.span.low if held.ages.bands[-1].high else held.ages.bands[-1].low, 5)]
    top = held.ages.bands[-1].low
    bands = [AgeBand(low, low + 4) for low in starts if low + 4 < top] + [AgeBand(top, None)]
    banded = held.on(held.sexes, AgeAxis(tuple(bands)))
    rows = [
        {"area_code": area.code, "area_name": area.name, "year": year, "sex": sex, "age_from": band.low,
         "age_to": "" if band.high is None else band.high, "persons": int(banded.people[a, y, x, b])}
        for a, area in enumerate(banded.areas) for y, year in enumerate(banded.years)
        for x, sex in enumerate(banded.sexes) for b, band in enumerate(bands)
    ]  # fmt: skip
    place = folder / "data" / "population" / "my-population"
    table = _write(place / "table.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    return [_write(place / "source.yaml", _source(held.source, "my-population", EXAMPLE_POPULATION, table)), table]


def _copy_known(shelf: Shelf, name: str, folder: Path) -> list[Path]:
    held = read_known(shelf, name, [EXAMPLE_AREA])
    rows = [
        {"area_code": held.area_code[n], "area_name": held.area_name[n], "year": int(held.year[n]), "sex": held.sex[n],
         "age_from": held.bands[n].low, "age_to": "" if held.bands[n].high is None else held.bands[n].high,
         "count": held.source.disclosure.suppressed if np.isnan(held.count[n]) and held.source.disclosure else int(held.count[n])}
        for n in range(len(held))
    ]  # fmt: skip
    place = folder / "data" / "known" / "my-register"
    table = _write(place / "table.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    return [_write(place / "source.yaml", _source(held.source, "my-register", name, table)), table]
