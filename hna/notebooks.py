"""Notebooks run from top to bottom, and set as pages with the report's style."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hna.errors import Fault, HnaError, ModelError
from hna.evidence.shelf import Shelf
from hna.measure.draws import DEFAULT_DRAWS, check_draws
from hna.publish.folder import check_folder, staged

FOLDER = "notebooks"
NEEDS = 'pip install "hna[notebooks]"'
SECONDS = 900

Progress = Callable[[str, int, int], None]


def notebooks(shelf: Shelf) -> dict[str, Path]:
    """File of each notebook, the workspace's hiding the shipped one of the same name."""
    found: dict[str, Path] = {}
    for root in reversed(shelf.roots):
        found |= {file.stem: file for file in sorted((root / FOLDER).glob("*.py"))}
    return dict(sorted(found.items()))


def chosen(shelf: Shelf, names: Sequence[str]) -> dict[str, Path]:
    """The notebooks named, or all.

    Raises
    ------
    ModelError
        If there is none of a name: the nearest are told.
    """
    files = notebooks(shelf)
    faults = []
    for name in names:
        if name not in files:
            near = difflib.get_close_matches(name, files, 5, 0.4) or list(files)
            faults.append(Fault(f"no notebook is called {name!r}", "These are on the shelf", rows=near))
    if faults:
        raise ModelError(faults)
    return {name: files[name] for name in dict.fromkeys(names)} if names else files


def write_notebooks(
    names: Sequence[str],
    out: Path,
    *,
    draws: int = DEFAULT_DRAWS,
    workspace: Path | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Run notebooks and write each as a page, with what it made beside it, and a page that lists them.

    Parameters
    ----------
    names : of the notebooks; empty for all.
    out : folder; a page of an earlier run is replaced only once the new one is whole.
    draws : of the simulation, where a notebook asks for them.
    workspace : folder whose ``notebooks/`` is read first.
    progress : called with what is being run, how many are done, and how many there are.

    Returns
    -------
    the pages, the list first.

    Raises
    ------
    HnaError
        If a notebook is not there, what runs notebooks is not installed, or a cell fails: which, and with what message.
    """
    check_draws(draws)
    check_folder(out)
    shelf = Shelf(workspace)
    files = chosen(shelf, names)
    try:
        import nbclient  # noqa: F401

        from hna.publish.notebook_page import page_of, render_index, render_notebook
    except ImportError as error:
        raise HnaError(Fault(f"notebooks need {error.name}, which is not installed", f"Install it: {NEEDS}")) from None

    with staged(out) as stage:
        for n, (name, path) in enumerate(files.items()):
            if progress:
                progress(name, n, len(files))
            made = stage / name
            page = page_of(name, run_notebook(path, made, draws))
            linked = [file.relative_to(stage).as_posix() for file in _entrances(made)]
            (stage / f"{name}.html").write_text(render_notebook(page, linked), encoding="utf-8", newline="\n")
        there = {
            each: path for each, path in notebooks(shelf).items() if each in files or (out / f"{each}.html").is_file()
        }
        listed = [page_of(each, _read(path).cells) for each, path in there.items()]
        (stage / "index.html").write_text(render_index(listed), encoding="utf-8", newline="\n")
        for item in sorted(stage.iterdir()):
            place = out / item.name
            if place.is_dir():
                shutil.rmtree(place)
            item.replace(place)
    return [out / "index.html", *(out / f"{name}.html" for name in files)]


def _entrances(folder: Path) -> list[Path]:
    """What a reader would open first of what a notebook wrote."""
    names = ("report.html", "report.xlsx", "assessment/index.html", "assessment/assessment.xlsx")
    return [folder / name for name in names if (folder / name).is_file()]


def run_notebook(path: Path, out: Path, draws: int = DEFAULT_DRAWS) -> list[Mapping[str, Any]]:
    """Cells of a notebook after it ran from top to bottom in a clean kernel.

    Parameters
    ----------
    path : a percent-format script, as jupytext reads it.
    out : folder for what it writes, told to it as ``HNA_NOTEBOOK_OUT``.
    draws : told to it as ``HNA_NOTEBOOK_DRAWS``.

    Raises
    ------
    HnaError
        If what runs notebooks is not installed, or a cell fails.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = _read(path)
    package = str(Path(__file__).parent.parent)
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    told = {
        "HNA_NOTEBOOK_OUT": str(out.absolute()), "HNA_NOTEBOOK_DRAWS": str(draws), "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONWARNINGS": "ignore", "MPLBACKEND": "agg",
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hna-notebooks-") as folder:
        client = NotebookClient(
            notebook, timeout=SECONDS, startup_timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],
        )  # fmt: skip
        try:
            client.execute(env=os.environ | told)
        except CellExecutionError as error:
            raise HnaError(_failed(path, notebook.cells, f"{error.ename}: {error.evalue}")) from None
        except (CellTimeoutError, DeadKernelError) as error:
            raise HnaError(_failed(path, notebook.cells, str(error).splitlines()[0])) from None
    return list(notebook.cells)


def _read(path: Path) -> Any:
    import jupytext

    return jupytext.read(path)


def _failed(path: Path, cells: Sequence[Mapping[str, Any]], said: str) -> Fault:
    """Which cell failed: the first whose output is an error, or the last that ran."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    at = next(
        (n for n, cell in enumerate(code, start=1) for output in cell.get("outputs", ()) if output["output_type"] == "error"),
        sum(cell.get("execution_count") is not None for cell in code),
    )  # fmt: skip
    first = next((line.strip() for line in str(code[at - 1]["source"]).splitlines() if line.strip()), "")
    lines = [line for line in said.splitlines() if line.strip()][:3]
    what = f"code cell {at} failed: {' '.join(lines)}"
    return Fault(what, "Mend the cell, then run it again", file=str(path), rows=[first] if first else [])
