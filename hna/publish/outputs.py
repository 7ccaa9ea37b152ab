"""The folder of outputs: written whole, or not at all."""

from __future__ import annotations

import gc
import json
import platform
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import numpy as np
import xarray as xr

from hna.errors import Fault, HnaError
from hna.publish import own_data
from hna.publish.compose import make_content
from hna.publish.content import Content
from hna.publish.csvw import DICTIONARY, METADATA, dictionary, metadata
from hna.publish.drawing import typesetter
from hna.publish.folder import OutputError, staged
from hna.publish.ods import converter, write_ods
from hna.publish.page import render_content
from hna.publish.pdf import write_pdf
from hna.publish.report import Report
from hna.publish.schema import GAP
from hna.publish.tables import json_text, open_tables, streamed, write_table
from hna.publish.word import docx_library, write_word
from hna.publish.workbook import write_content

LIBRARIES = ("numpy", "pandas", "scipy", "xarray")
FORMATS = {"word": "report.docx", "pdf": "report.pdf", "ods": "report.ods"}
"""Documents that are written if they are asked for, by name."""
_NEEDED: Mapping[str, Callable[[], object]] = {"word": docx_library, "pdf": typesetter, "ods": converter}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for reference cycles: a report is hundreds of thousands of small objects and no cycle of them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def write_outputs(report: Report, out: Path) -> list[Path]:
    """Write every output to a folder, replacing those of an earlier run only once all are complete.

    A report in which a gap or a need was refused does not replace one in which none was.

    Returns
    -------
    the files, or nothing where an earlier good report was left to stand.

    Raises
    ------
    OutputError
        If the folder cannot be written; what stood there still stands.
    """
    if report.refusals and _is_good(out / "run.json"):
        return []
    content, tables = make_content(report), open_tables(report)
    writers: dict[str, Callable[[Path], None]] = {
        "report.html": lambda path: _text(path, render_content(content)),
        "report.xlsx": lambda path: write_content(content, path),
        **{schema.file: partial(write_table, table) for schema, table in tables.items()},
        GAP.file: lambda path: write_table(tables[GAP], path, streamed(report)),
        METADATA: lambda path: _text(path, metadata(report, tables)),
        DICTIONARY: lambda path: _text(path, dictionary(report, tables)),
        "run.json": lambda path: _text(path, json_text(describe(report))),
    }
    if report.arguments.get("keep_draws"):
        writers["draws.nc"] = lambda path: write_draws(report, path)
    asked = report.arguments.get("formats")
    for name in asked if isinstance(asked, list | tuple) else ():
        writers[FORMATS[name]] = partial(_document, name, content)
    with staged(out) as stage:
        for name, write in writers.items():
            write(stage / name)
        with _undisturbed():
            for name in writers:
                (stage / name).replace(out / name)
            for name in ("draws.nc", *FORMATS.values()):
                if name not in writers:
                    (out / name).unlink(missing_ok=True)
    return [out / name for name in writers]


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats that cannot be written here, before anything is computed.

    Raises
    ------
    HnaError
        If a format is unknown, or what it needs is not installed; says what to install.
    """
    faults = [
        Fault("format is unknown", f"Use {', '.join(FORMATS)}", rows=[name]) for name in formats if name not in FORMATS
    ]
    for name in FORMATS:
        try:
            if name in formats:
                _NEEDED[name]()
        except HnaError as error:
            faults.extend(error.faults)
    if faults:
        raise OutputError(faults)


def _document(name: str, content: Content, path: Path) -> None:
    """One document, from the content that the page is made from."""
    if name == "word":
        write_word(content, path)
    elif name == "pdf":
        write_pdf(content, path)
    else:
        write_ods(path.with_name("report.xlsx"), path)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold an interruption back while files are put in place."""
    held: list[tuple[int, FrameType | None]] = []
    kept = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            kept[number] = signal.signal(number, lambda n, frame: held.append((n, frame)))
        except ValueError:  # not the main thread: nothing to hold back
            continue
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    for raised, _ in held:
        signal.raise_signal(raised)


def _text(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _is_good(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("refusals") == []


def describe(report: Report) -> dict[str, object]:
    """What run.json says: versions, arguments, every input with its fingerprint and citation, flags, refusals."""
    sources = [
        {"id": source.id, "sha256": getattr(source, "sha256", None), "citation": source.words}
        for source in report.citations
    ]
    models = [found.model.model_dump(mode="json", exclude_defaults=True) for found in report.answers]
    return {
        "hna": version("hna"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "seed": report.arguments["seed"],
        "draws": report.arguments["draws"],
        "level": report.level,
        "arguments": dict(report.arguments),
        "models": models,
        "inputs": sources,
        "assumed": _assumed(report),
        "scenarios": _scenarios(report),
        "notes": list(report.notes),
        "flags": list(report.flags),
        "refusals": [str(fault) for fault in report.refusals],
    }


def _assumed(report: Report) -> dict[str, object]:
    return {
        found.model.need: {
            "errors": {
                part.source.id: {
                    "study": part.study,
                    "transport": part.transport,
                    "staleness": part.staleness,
                    **{f"{name}_because": why for name, why in part.reasons.items()},
                }
                for part in found.rates.parts
            },
            "notes": list(found.notes),
            **({"places": places} if (places := own_data.record(found)) else {}),
        }
        for found in report.answers
    }


def _scenarios(report: Report) -> dict[str, object]:
    """Runs beside the headline, whose figures are in scenarios.csv: what each rests on."""
    return {
        found.model.need: [
            {
                "scenario": run.rates.scenario,
                "sources": [part.source.id for part in run.rates.parts],
                **({"yearly": run.rates.trend.yearly, "of": run.rates.trend.of} if run.rates.trend else {}),
                "notes": list(run.notes),
                "flags": list(run.flags),
            }
            for run in found.scenarios
        ]
        for found in report.answers
        if found.scenarios
    }


def write_draws(report: Report, path: Path) -> None:
    """Write draws.nc: need over need, severity, area, year, draw, in people; NaN where a need has no such cell."""
    arrays = {}
    for found in report.answers:
        severities = list(dict.fromkeys(key[0] for key in found.draws))
        years = sorted({key[1] for key in found.draws})
        areas = list(dict.fromkeys(key[2] for key in found.draws))
        cube = np.full((len(severities), len(areas), len(years), found.rates.size), np.nan)
        for (severity, year, area), drawn in found.draws.items():
            cube[severities.index(severity), areas.index(area), years.index(year)] = drawn
        name = found.model.need
        dims = (*(f"{name}_{dim}" for dim in ("severity", "area", "year")), "draw")
        labels = {dims[0]: [text or "all" for text in severities], dims[1]: areas, dims[2]: years}
        arrays[name] = xr.DataArray(cube, dims=dims, coords=labels, attrs={"units": "people"})
    xr.Dataset(arrays).to_netcdf(path, engine="h5netcdf")
