"""The door: the command line. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from hna.cli_shelf import Draws, Seed, Workspace, number, shelf, whole
from hna.errors import Fault, HnaError, ModelError

app = typer.Typer(
    name="hna",
    help="Health needs assessment: how many people in a place have a need, how many services know, and the gap.\n\n"
    "Start with hna run: it assesses the shipped needs for Halton and Sefton and leaves a report. "
    "hna init DIR makes a workspace for your own evidence.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Disclosure = Annotated[
    str,
    typer.Option(
        metavar="PRESET|none",
        help="Disclosure control: a preset, `default` for the rule of each kind of count, or none (not for publication).",
    ),
]
Ledger = Annotated[
    Path | None, typer.Option("--ledger", metavar="DIR", help="Folder that lists what was released before.")
]


def main() -> None:
    """Run the command line: exit 2 for bad input, 1 for a check that failed, never a traceback for a mistake."""
    try:
        _command()(standalone_mode=True)
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


def _command() -> Any:
    """The command line, its arguments by name alone: a type in Python's words tells an analyst nothing."""
    whole_line = typer.main.get_command(app)
    for one in getattr(whole_line, "commands", {}).values():
        for each in one.params:
            if each.param_type_name == "argument":
                each.display_type_rich = lambda **_: None
    return whole_line


def _error(text: str) -> None:
    typer.echo(f"hna: {text}", err=True)


def _say(error: HnaError) -> None:
    for fault in error.faults:
        _error(str(fault))


def _bytes(gigabytes: float) -> int:
    if not 0 < gigabytes < 1e6:
        raise ModelError(Fault(f"--memory is {gigabytes:g}", "Give gigabytes, such as 4", field="--memory"))
    return int(gigabytes * 1_000_000_000)


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
        typer.Argument(metavar="NEED", help="Needs to assess, by model name; all if none is named."),
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
            parser=whole,
            metavar="YEAR",
            help="Year; repeat for several. [default: latest estimate and every fifth projected year]",
        ),
    ] = None,
    years: Annotated[str | None, typer.Option("--years", metavar="A-B", help="Every year from A to B.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="sex,age",
            help="Subgroups to report: sex, age, both or none; severity is always reported. With small areas in the workspace also "
            "small-area, ward, authority, region, england, deprivation-quintile, deprivation-decile, or a lookup of "
            "data/areas: sums of them.",
        ),
    ] = "sex,age",
    draws: Draws = 5000,
    seed: Seed = 1,
    level: Annotated[
        float, typer.Option(parser=number, metavar="P", help="Confidence level of every interval.")
    ] = 0.95,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder for report.html, report.xlsx, the open tables and run.json."
        ),
    ] = Path("hna-report"),
    workspace: Workspace = None,
    disclosure: Disclosure = "none",
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler to run on; the outputs are the same."),
    ] = None,
    ledger: Ledger = None,
    keep_draws: Annotated[bool, typer.Option("--keep-draws", help="Also write draws.nc.")] = False,
    word: Annotated[bool, typer.Option("--word", help="Also write report.docx (extra: documents).")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also write report.pdf, PDF/UA-1 (extra: documents).")] = False,
    ods: Annotated[
        bool, typer.Option("--ods", help="Also write report.ods, the workbook in the open format (needs LibreOffice).")
    ] = False,
    memory: Annotated[
        float,
        typer.Option(
            parser=number, metavar="GB", help="Memory that draws may use; what would need more is refused at once."
        ),
    ] = 4,
) -> None:
    """Estimate need and its gap to the numbers known to services.

    Writes the report. Ends with one sentence for each need and area. Exit 2 if anything asked for could not be given.
    """
    import gc

    from hna.answers.distributed import connect
    from hna.publish.sentences import headline_sentences, step_lines
    from hna.publish.trends import trend_lines
    from hna.run import Request, run

    # Nothing here makes reference cycles worth collecting, and a large frozen model costs time at every pass.
    gc.freeze()
    subgroups = tuple(part.strip() for part in by.split(",") if part.strip() and part.strip() != "none")
    request = Request(
        tuple(needs or ()), tuple(area or ()), population, _years(year, years), subgroups, draws, seed, level, workspace,
        disclosure, keep_draws, ledger, tuple(name for name, asked in (("word", word), ("pdf", pdf), ("ods", ods)) if asked),
        _bytes(memory),
    )  # fmt: skip
    try:
        with _progress() as progress:
            report, files = run(request, out, progress, None if scheduler is None else connect(scheduler))
    except HnaError as error:
        _say(error)
        if workspace and any(fault.file.startswith(f"{workspace}/") for fault in error.faults):
            _error(f"`hna check {workspace}` tells every fault of the workspace at once.")
        raise typer.Exit(2) from None
    for sentence in headline_sentences(report):
        typer.echo(sentence)
    for line in trend_lines(report):
        typer.echo(line)
    for line in step_lines(report) if needs and disclosure == "none" else ():
        typer.echo(line)
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
    level: Annotated[
        float, typer.Option(parser=number, metavar="P", help="Confidence level of every interval and test.")
    ] = 0.95,
    hidden: Annotated[
        str | None, typer.Option(metavar="A-B", help="Smallest and largest count that a blank one can be, such as 1-7.")
    ] = None,
    neighbours: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Group of statistical neighbours, such as halton-2014-neighbours. [default: latest]"
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for comparisons.csv and outcomes.csv.")
    ] = Path("hna-compare"),
    workspace: Workspace = None,
) -> None:
    """Compare observed counts with region, England and neighbours.

    Neighbours are statistical ones. Each comparison ends in controlled words.
    """
    from hna.compare import compare, sentences, write_comparisons

    table = compare(
        file, tuple(area or ()), level=level, suppressed=_range(hidden), neighbours=neighbours, workspace=workspace
    )
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
def assess(
    area: Annotated[str, typer.Argument(metavar="AREA", help="Name or code of the area.")] = "Halton",
    framework: Annotated[
        str,
        typer.Option(
            "--framework",
            "-f",
            metavar="ID",
            help="Chapters: halton-children-2014, adults, older-people, life-course, sefton-core-data-sets, or your own.",
        ),
    ] = "halton-children-2014",
    need: Annotated[list[str] | None, typer.Option(metavar="NEED", help="Only this need; repeat for several.")] = None,
    corporate: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Corporate evidence (CSV or YAML); repeat for several.")
    ] = None,
    programme: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What, who, when, owner and review (YAML).")
    ] = None,
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Weights that were agreed (YAML).")] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Scores given after the weights were agreed (CSV).")
    ] = None,
    population: Annotated[str | None, typer.Option(metavar="ID", help="The only population to use.")] = None,
    draws: Draws = 5000,
    seed: Seed = 1,
    level: Annotated[
        float, typer.Option(parser=number, metavar="P", help="Confidence level of every interval.")
    ] = 0.95,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Day of the assessment. [default: today]")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the site and workbook.")] = Path(
        "hna-assessment"
    ),
    workspace: Workspace = None,
    disclosure: Disclosure = "none",
    ledger: Ledger = None,
) -> None:
    """Assess an area in the chapters of a framework.

    Three approaches, priorities, what is missing. Leaves a site and a workbook.
    Exit 1 if a chapter or need lacks what it must hold and no record says why; the site is
    written and says so.
    """
    import datetime as dt
    import gc

    from hna.assessment.assess import assess_area
    from hna.evidence.shelf import Shelf
    from hna.publish.disclosure_assessment import guard
    from hna.publish.disclosure_ledger import ledger_in
    from hna.publish.disclosure_presets import read_presets
    from hna.publish.folder import check_folder
    from hna.publish.site import finding_words, write_site
    from hna.publish.site_tables import level_words

    gc.freeze()
    check_folder(out)
    read_presets(Shelf(workspace)).check(disclosure)
    released = ledger_in(ledger, disclosure)
    try:
        day = None if on is None else dt.date.fromisoformat(on)
    except ValueError:
        raise ModelError(Fault(f"{on!r} is not a date", "Write it as 2026-03-31", field="--on")) from None
    with _progress() as progress:
        held = assess_area(
            area, framework, needs=tuple(need or ()), corporate=tuple(corporate or ()), programme=programme, weights=weights,
            scores=scores, population=population, draws=draws, seed=seed, level=level, workspace=workspace, on=day,
            words=finding_words, guard=guard(disclosure, released), progress=progress,
        )  # fmt: skip
        files = write_site(held, out)
        if released is not None:
            released.record()
    top = held.priorities.top
    for name in held.priorities.order[:top]:
        chance = f"{held.priorities.chance(name):.0%} chance of being among the first {top}"
        typer.echo(f"{held.title(name)}: {chance}; {level_words(held.verdicts[name].level)}.")
    for note in held.notes:
        typer.echo(f"Note: {note}.")
    for fault in (*held.warnings, *held.faults):
        _error(str(fault))
    typer.echo(f"\n{len(held.missing)} records of missing core data. Assessment: {files[0]}")
    if held.faults:
        raise typer.Exit(1)


app.add_typer(shelf)


if __name__ == "__main__":
    main()
