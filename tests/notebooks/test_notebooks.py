"""Every notebook runs from top to bottom in a clean kernel."""

from __future__ import annotations

import os
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_a_notebook_runs_in_a_clean_kernel(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HNA_NOTEBOOK_DRAWS", "200")
    monkeypatch.setenv("HNA_NOTEBOOK_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = jupytext.read(path)
    NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.get("outputs")]
    assert len(shown) >= 3
    assert (tmp_path / "out" / "report.html").is_file()


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_arithmetic(path: Path) -> None:
    code = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    for source in code:
        assert "numpy" not in source
        assert " * " not in source
        assert " / " not in source
