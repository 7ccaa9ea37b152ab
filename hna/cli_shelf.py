"""Commands about the shelf: what is on it, whether it holds, how to add to it."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hna.errors import Fault, ModelError

if TYPE_CHECKING:
    from hna.checks import EvidenceLine, StudyLine

shelf = typer.Typer()

Workspace = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", metavar="DIR", help="Folder with your own models/, prevalence_sources/, data/; read first."
    ),
]
_PARTS = {
    "pattern": " (shape by age)",
    "severity": " (split by severity)",
    "crosswalk": " (corrects a rate)",
    "answers": " (answers in places)",
}


def whole(text: str | int) -> int:
    """A whole number as people write it on a command line, refused in words for people."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number. Write digits alone") from None


def number(text: str | float) -> float:
    """A number as people write it on a command line, refused in words for people."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number. Write digits, with a point for decimals") from None


Draws = Annotated[int, typer.Option(parser=whole, metavar="N", help="Random draws behind every interval.")]
Seed = Annotated[int, typer.Option(parser=whole, metavar="N", help="Seed: the same seed gives the same bytes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _table(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        typer.echo("Nothing.")
        return
    names = list(rows[0])
    texts = [[str(row[name] if row[name] is not None else "") for name in names] for row in rows]
    limits = {"title": 60, "condition": 40, "source": 60, "sources": 60}
    texts = [[_short(cell, limits.get(name, 200)) for name, cell in zip(names, row, strict=True)] for row in texts]
    widths = [max(len(name), *(len(row[n]) for row in texts)) for n, name in enumerate(names)]
    for row in [names, ["-" * width for width in widths], *texts]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


@shelf.command()
def check(
    workspace: Annotated[
        Path | None, typer.Argument(metavar="WORKSPACE", help="Folder to check; the shipped shelf if none is given.")
    ] = None,
    fix_fingerprints: Annotated[
        bool, typer.Option("--fix-fingerprints", help="Record the fingerprint of every table of the workspace.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every source, model and framework; tell all faults.

    Prints the evidence behind each need. In a workspace also its corporate evidence, programme, weights and scores. Exit 1 at a fault.
    """
    from dataclasses import asdict

    from hna.checks import check_shelf, record_fingerprints
    from hna.evidence.shelf import Shelf, shipped

    if fix_fingerprints:
        for name in record_fingerprints(workspace or shipped()):
            typer.echo(f"Recorded: {name}", err=as_json)
    found = check_shelf(Shelf(workspace))
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for fault in found.faults:
        typer.echo(str(fault), err=True)
    if as_json:
        held = {
            "sources": found.sources, "models": found.models, "frameworks": found.frameworks, "faults": list(map(str, found.faults)),
            "warnings": found.warnings, "evidence": [asdict(line) for line in found.evidence],
        }  # fmt: skip
        typer.echo(json.dumps(held, indent=2, ensure_ascii=False))
    else:
        width = min(max(shutil.get_terminal_size((100, 24)).columns, 80), 120)
        for text in _evidence(found.evidence, width):
            typer.echo(text)
        counts = {"source": found.sources, "model": found.models, "framework": found.frameworks}
        counted = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        faults = len(found.faults)
        typer.echo(f"{counted}: {faults or 'no'} fault{'' if faults == 1 else 's'}.")
    if found.faults:
        raise typer.Exit(1)


def _evidence(lines: Sequence[EvidenceLine], width: int) -> Iterator[str]:
    """The evidence table in a given width: under each need its sources, then who is known, then what is missing."""
    if not lines:
        return
    heads = ("Need and its sources", "Fieldwork", "Years ago", "Risk of bias")
    wide = (width - sum(map(len, heads[1:])) - 2 * len(heads[1:]), *map(len, heads[1:]))
    yield _cells(heads, wide)
    yield _cells(["-" * one for one in wide], wide)
    for line in lines:
        yield from textwrap.wrap(f"{line.need}: {line.title}", width, subsequent_indent="  ")
        for study in line.studies:
            for part in _study(study, wide[0]):
                yield _cells(part, wide)
        for head, held, none in (
            ("known", line.known, "no count is paired"),
            ("missing", line.missing, "nothing is recorded"),
        ):
            text = f"  {head}:".ljust(12) + ("; ".join(held) or none)
            yield from textwrap.wrap(text, width, subsequent_indent=" " * 12, break_on_hyphens=False)
        yield ""


def _study(study: StudyLine, width: int) -> Iterator[tuple[str, str, str, str]]:
    """A source with its fieldwork, age and risk of bias; a name that is too long goes on below."""
    name = f"{study.id}{_PARTS.get(study.part, '')}"
    first, *rest = textwrap.wrap(name, width, initial_indent="  ", subsequent_indent="    ")
    if study.part == "crosswalk":
        yield first, "", "", ""
        return
    years = "-".join(map(str, dict.fromkeys(study.fieldwork or ("not known",))))
    yield first, years, "not known" if study.age is None else f"{study.age:.0f}".rjust(9), study.bias or "not appraised"
    for text in rest:
        yield text, "", "", ""


def _cells(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(wide) for text, wide in zip(texts, widths, strict=True)).rstrip()


@shelf.command()
def sources(workspace: Workspace = None, as_json: AsJson = False) -> None:
    """List every source on the shelf."""
    from hna.catalogue import list_sources
    from hna.evidence.shelf import Shelf

    _table(list_sources(Shelf(workspace)), as_json)


@shelf.command()
def models(workspace: Workspace = None, as_json: AsJson = False) -> None:
    """List every need that can be assessed."""
    from hna.catalogue import list_models
    from hna.evidence.shelf import Shelf

    _table(list_models(Shelf(workspace)), as_json)


@shelf.command()
def areas(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only areas whose name or code holds this.")
    ] = None,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """List the areas that can be assessed, and their populations."""
    from hna.catalogue import list_areas
    from hna.evidence.shelf import Shelf

    _table(list_areas(Shelf(workspace), name), as_json)


@shelf.command(name="import")
def import_(
    layout: Annotated[str, typer.Argument(metavar="LAYOUT", help="Layout of the publisher's file; `list` lists them.")],
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The publisher's file, as published.")] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Folder of the new source, such as data/population/my-source."),
    ] = None,
    register: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which register, for layouts that hold several.")
    ] = None,
    year: Annotated[
        str | None, typer.Option(metavar="YEAR", help="Which year, where the file holds several or prints none.")
    ] = None,
    ages: Annotated[
        str | None, typer.Option(metavar="BAND", help="Ages counted, such as 18+, where the file does not print them.")
    ] = None,
    measure: Annotated[
        str | None, typer.Option(metavar="CODE", help="Which measure, for layouts that hold several.")
    ] = None,
    codes: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A publisher's file with area codes, for layouts that print names."),
    ] = None,
) -> None:
    """Turn a publisher's own file into our table and source.yaml.

    Importing twice gives the same bytes.
    """
    from hna.evidence.layouts import LAYOUTS, import_file

    if layout == "list":
        rows = [
            {
                "layout": name,
                "kind": known.kind,
                "title": known.title,
                "options": " ".join(f"--{one}" for one in known.options),
            }
            for name, known in LAYOUTS.items()
        ]
        _table(rows, False)
        return
    if layout not in LAYOUTS:
        raise ModelError(
            Fault(f"no layout is called {layout!r}", f"The layouts are {', '.join(LAYOUTS)}", field="LAYOUT")
        )
    if file is None or to is None:
        raise ModelError(
            Fault("a file and --to DIR are needed", "hna import LAYOUT FILE --to data/population/my-source")
        )
    options = {"register": register, "year": year, "ages": ages, "measure": measure, "codes": codes}
    given = {name: value for name, value in options.items() if value is not None}
    typer.echo(f"Written: {import_file(layout, file, to, **given)}")


@shelf.command()
def cite(
    need: Annotated[str, typer.Argument(metavar="NEED", help="Name of a model.")],
    workspace: Workspace = None,
) -> None:
    """Print BibTeX of everything an answer rests on."""
    from hna.catalogue import bibtex
    from hna.evidence.shelf import Shelf

    typer.echo(bibtex(Shelf(workspace), need))


@shelf.command()
def schema(what: Annotated[str, typer.Argument(metavar="model|source", help="Which file.")]) -> None:
    """Print the JSON Schema of a model or source file, for editors."""
    from hna.catalogue import schemas

    found = schemas()
    if what not in found:
        raise ModelError(Fault(f"there is no schema of {what!r}", f"Ask for {' or '.join(found)}"))
    typer.echo(json.dumps(found[what], indent=2, ensure_ascii=False))


@shelf.command()
def notebooks(
    name: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Notebooks to render; all if none is named.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the pages.")] = Path(
        "hna-notebooks"
    ),
    draws: Draws = 5000,
    workspace: Workspace = None,
    listed: Annotated[bool, typer.Option("--list", help="Only list the notebooks.")] = False,
) -> None:
    """Run the in-depth assessments in notebooks/.

    Sets them as pages to read without Python.
    """
    from hna.evidence.shelf import Shelf
    from hna.notebooks import notebooks as found
    from hna.notebooks import write_notebooks

    if listed:
        for each, path in found(Shelf(workspace)).items():
            typer.echo(f"{each}  {path}")
        return
    files = write_notebooks(
        tuple(name or ()), out, draws=draws, workspace=workspace,
        progress=lambda each, done, count: typer.echo(f"{each} ({done + 1} of {count})", err=True),
    )  # fmt: skip
    typer.echo(f"Notebooks: {files[0]}")


@shelf.command()
def fit(
    needs: Annotated[
        list[str] | None, typer.Argument(metavar="NEED", help="Needs to fit; all if none is named.")
    ] = None,
    draws: Annotated[int, typer.Option(parser=whole, metavar="N", help="Draws, as the run will ask for.")] = 5000,
    seed: Annotated[int, typer.Option(parser=whole, metavar="N", help="Seed, as the run will ask for.")] = 1,
    sampler: Annotated[str, typer.Option(metavar="nutpie|pymc", help="Sampler.")] = "nutpie",
    again: Annotated[bool, typer.Option("--again", help="Fit even what is stored.")] = False,
    workspace: Workspace = None,
) -> None:
    """Fit ahead what is too slow for a run, and store the draws.

    They are stored with fingerprint and diagnostics.

    Of the needs that pool studies by age, or rest on a survey or a map of counts, those are fitted that ask for a sampler
    or whose quick approximation may not be trusted; the others have nothing to fit.

    `hna run` uses what is stored as long as nothing has changed. Exit 1 if diagnostics fail.
    """
    from hna.evidence.shelf import Shelf
    from hna.fit import fit_models
    from hna.measure.draws import check_draws
    from hna.run import chosen_models

    check_draws(draws)
    if sampler not in ("nutpie", "pymc"):
        raise ModelError(Fault(f"there is no sampler {sampler!r}", "Use nutpie or pymc", field="--sampler"))
    held = Shelf(workspace)
    failed = False
    for found in fit_models(chosen_models(held, needs or ()), held, draws, seed, sampler, again):
        name = f"{found.need}, {found.what}" if found.what else found.need
        typer.echo(f"{name}: {found.words}{'' if found.passed else ' — not usable'}")
        failed = failed or not found.passed
    if failed:
        raise typer.Exit(1)


@shelf.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it must be new or empty.")],
) -> None:
    """Make a workspace of your own that runs at once.

    One source, population, known count and model to edit.
    """
    from hna.workspace import make_workspace

    for path in make_workspace(folder):
        typer.echo(f"Written: {path}")
    typer.echo(f"\nNow: hna run --workspace {folder}")
