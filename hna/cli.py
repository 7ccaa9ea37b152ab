"""The door: the command line. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from hna.errors import Fault, HnaError, ModelError

app = typer.Typer(
    name="hna",
    help="Health needs assessment: how many people in a place have a need, how many services know, and the gap.\n\n"
    "Start with [bold]hna run[/bold]: it assesses the shipped needs for Halton and Sefton and leaves a report. "
    "[bold]hna init DIR[/bold] makes a workspace for your own evidence.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

Workspace = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", metavar="DIR", help="Folder with your own models/, prevalence_sources/, data/; read first."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def main() -> None:
    """Run the command line: exit 2 for bad input, 1 for a check that failed, never a traceback for a mistake."""
    try:
        app(standalone_mode=True)
    except HnaError as error:
        _say(error)
        raise SystemExit(2) from None
    except MemoryError:
        _error("not enough memory. Ask for fewer draws, areas or years.")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        _error("interrupted; nothing was replaced.")
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


def _error(text: str) -> None:
    typer.echo(f"hna: {text}", err=True)


def _say(error: HnaError) -> None:
    for fault in error.faults:
        _error(str(fault))


def _years(year: list[int] | None, years: str | None) -> tuple[int, ...] | None:
    if years is None:
        return tuple(year) if year else None
    if year:
        raise ModelError(Fault("--year and --years are both given", "Give one of them", field="--years"))
    first, dash, last = years.partition("-")
    if not (dash and first.strip().isdigit() and last.strip().isdigit() and int(first) <= int(last)):
        raise ModelError(Fault(f"{years!r} is not a run of years", "Write it as 2023-2030", field="--years"))
    return tuple(range(int(first), int(last) + 1))


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on a terminal, nothing where the output is piped."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show


@app.command()
def run(
    needs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NEED]...", help="Needs to assess, by model name; all if none is named."),
    ] = None,
    area: Annotated[
        list[str] | None,
        typer.Option(
            "--area", "-a", metavar="CODE|NAME", help="Area; repeat for several. [default: Halton and Sefton]"
        ),
    ] = None,
    population: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The only population to use. [default: latest estimate, and projections]"),
    ] = None,
    year: Annotated[
        list[int] | None,
        typer.Option(
            "--year",
            metavar="YEAR",
            help="Year; repeat for several. [default: latest estimate and every fifth projected year]",
        ),
    ] = None,
    years: Annotated[str | None, typer.Option("--years", metavar="A-B", help="Every year from A to B.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="sex,age", help="Subgroups to report: sex, age, both or none. Severity is always reported."
        ),
    ] = "sex,age",
    draws: Annotated[int, typer.Option(metavar="N", help="Draws of the simulation.")] = 5000,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed: the same seed gives the same bytes.")] = 1,
    level: Annotated[float, typer.Option(metavar="P", help="Confidence level of every interval.")] = 0.95,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for report.html, report.xlsx, gap.csv, run.json.")
    ] = Path("hna-report"),
    workspace: Workspace = None,
    disclosure: Annotated[
        str,
        typer.Option(
            metavar="PRESET|none",
            help="Disclosure control: a preset, `default` for the rule of each kind of count, or none (not for publication).",
        ),
    ] = "none",
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler to run on; the outputs are the same."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="DIR", help="Folder that lists what was released before.")
    ] = None,
    keep_draws: Annotated[bool, typer.Option("--keep-draws", help="Also write draws.nc.")] = False,
) -> None:
    """Estimate need, set it beside the numbers known to services, and write the report.

    Ends with one sentence for each need and area. Exit 2 if anything asked for could not be given.
    """
    import gc

    from hna.answers.distributed import connect
    from hna.publish.sentences import headline_sentences
    from hna.run import Request, run

    # Nothing here makes reference cycles worth collecting, and a large frozen model costs time at every pass.
    gc.freeze()
    subgroups = tuple(part.strip() for part in by.split(",") if part.strip() and part.strip() != "none")
    request = Request(
        tuple(needs or ()), tuple(area or ()), population, _years(year, years), subgroups, draws, seed, level, workspace,
        disclosure, keep_draws, ledger,
    )  # fmt: skip
    with _progress() as progress:
        report, files = run(request, out, progress, connect(scheduler) if scheduler else None)
    for sentence in headline_sentences(report):
        typer.echo(sentence)
    for note in report.notes:
        typer.echo(f"Note: {note}.")
    for fault in report.refusals:
        _error(str(fault))
    if files:
        typer.echo(f"\nReport: {out / 'report.html'}")
    else:
        _error(f"{out} holds a report without refusals and was left as it was. Mend the model, or give another --out.")
    if report.refusals:
        raise typer.Exit(2)


@app.command()
def compare(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV of counts: indicator, polarity, kind, area_code, "
            "area_name, year, numerator, denominator, and optionally sex, age_from, age_to, per.",
        ),
    ],
    area: Annotated[
        list[str] | None,
        typer.Option("--area", "-a", metavar="CODE|NAME", help="Area of the file; repeat for several. [default: all]"),
    ] = None,
    level: Annotated[float, typer.Option(metavar="P", help="Confidence level of every interval and test.")] = 0.95,
    hidden: Annotated[
        str | None, typer.Option(metavar="A-B", help="Smallest and largest count that a blank one can be, such as 1-7.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for comparisons.csv and outcomes.csv.")
    ] = Path("hna-compare"),
    workspace: Workspace = None,
) -> None:
    """Set observed counts beside region, England and statistical neighbours, in controlled words."""
    from hna.compare import compare, sentences, write_comparisons

    table = compare(file, tuple(area or ()), level=level, suppressed=_range(hidden), workspace=workspace)
    files = write_comparisons(table, out)
    for sentence in sentences(table):
        typer.echo(sentence)
    typer.echo("\n" + "\n".join(str(written) for written in files))


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, dash, high = text.partition("-")
    if not (dash and low.strip().isdigit() and high.strip().isdigit() and int(low) <= int(high)):
        raise ModelError(Fault(f"{text!r} is not a range of counts", "Write it as 1-7", field="--hidden"))
    return float(low), float(high)


@app.command()
def check(
    workspace: Annotated[
        Path | None, typer.Argument(metavar="[WORKSPACE]", help="Folder to check; the shipped shelf if none is given.")
    ] = None,
    fix_fingerprints: Annotated[
        bool, typer.Option("--fix-fingerprints", help="Record the fingerprint of every table of the workspace.")
    ] = False,
) -> None:
    """Read every source and model, and tell all faults at once. Exit 1 if there are any."""
    from hna.checks import check_shelf, record_fingerprints
    from hna.evidence.shelf import Shelf, shipped

    if fix_fingerprints:
        for name in record_fingerprints(workspace or shipped()):
            typer.echo(f"Recorded: {name}")
    found = check_shelf(Shelf(workspace))
    for warning in found.warnings:
        _error(f"warning: {warning}")
    for fault in found.faults:
        _error(str(fault))
    typer.echo(
        f"{found.sources} sources, {found.models} models: {len(found.faults) or 'no'} fault{'' if len(found.faults) == 1 else 's'}."
    )
    if found.faults:
        raise typer.Exit(1)


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


@app.command()
def sources(workspace: Workspace = None, as_json: AsJson = False) -> None:
    """List every source on the shelf."""
    from hna.catalogue import list_sources
    from hna.evidence.shelf import Shelf

    _table(list_sources(Shelf(workspace)), as_json)


@app.command()
def models(workspace: Workspace = None, as_json: AsJson = False) -> None:
    """List every need that can be assessed."""
    from hna.catalogue import list_models
    from hna.evidence.shelf import Shelf

    _table(list_models(Shelf(workspace)), as_json)


@app.command()
def areas(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only areas whose name or code holds this.")
    ] = None,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """List the areas that can be assessed, and the populations that count them."""
    from hna.catalogue import list_areas
    from hna.evidence.shelf import Shelf

    _table(list_areas(Shelf(workspace), name), as_json)


@app.command(name="import")
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
    """Turn a publisher's own file into our table and its source.yaml. Importing twice gives the same bytes."""
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


@app.command()
def cite(
    need: Annotated[str, typer.Argument(metavar="NEED", help="Name of a model.")],
    workspace: Workspace = None,
) -> None:
    """Print BibTeX of everything an answer rests on."""
    from hna.catalogue import bibtex
    from hna.evidence.shelf import Shelf

    typer.echo(bibtex(Shelf(workspace), need))


@app.command()
def schema(what: Annotated[str, typer.Argument(metavar="model|source", help="Which file.")]) -> None:
    """Print the JSON Schema of a model or source file, for editors."""
    from hna.catalogue import schemas

    found = schemas()
    if what not in found:
        raise ModelError(Fault(f"there is no schema of {what!r}", f"Ask for {' or '.join(found)}"))
    typer.echo(json.dumps(found[what], indent=2, ensure_ascii=False))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it must be new or empty.")],
) -> None:
    """Make a workspace that runs: one source, population, known count and model of your own to edit."""
    from hna.workspace import make_workspace

    for path in make_workspace(folder):
        typer.echo(f"Written: {path}")
    typer.echo(f"\nNow: hna run --workspace {folder}")


if __name__ == "__main__":
    main()
