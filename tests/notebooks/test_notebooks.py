"""Every notebook runs from top to bottom in a clean kernel, holds no arithmetic, and becomes a page."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import pytest

from hna.notebooks import run_notebook
from hna.publish.notebook_page import page_of, render_notebook
from hna.publish.shown import MIME

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
ARITHMETIC = {"sum", "round", "max", "min", "abs", "pow", "divmod", "eval", "exec"}
OF_TABLES = {
    "add", "sub", "mul", "div", "truediv", "floordiv", "mod", "pow", "mean", "median", "std", "var", "cumsum", "cumprod", "diff",
    "pct_change", "quantile", "apply", "agg", "aggregate", "transform", "eval", "dot", "round", "pivot_table", "groupby",
}  # fmt: skip


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_a_notebook_runs_in_a_clean_kernel_and_can_be_read(path: Path, tmp_path: Path) -> None:
    cells = run_notebook(path, tmp_path / "out", draws=200)
    assert (tmp_path / "out" / "report.html").is_file()
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    shown = [output for output in outputs if MIME in output.get("data", {})]
    assert len(shown) >= 6
    # A reader without Python sees sentences, tables and charts: never a table as a program prints it, nor a warning.
    for output in outputs:
        if MIME not in output.get("data", {}):
            text = output.get("text") or output["data"]["text/plain"]
            assert "dtype" not in text
            assert "Warning" not in text
            assert "<hna" not in text
    text = render_notebook(page_of(path.stem, cells))
    assert "default-src 'none'" in text.replace("&#39;", "'")
    assert not re.search(r"<(link|img|iframe|object|script)\b", text)
    assert len(re.findall(r'id="([^"]+)"', text)) == len(set(re.findall(r'id="([^"]+)"', text)))
    for target in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{target}"' in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_arithmetic(path: Path) -> None:
    for source in code_of(path):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.BinOp | ast.AugAssign | ast.UnaryOp) or isinstance(
                getattr(node, "op", None), ast.Not
            ), ast.unparse(node)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ARITHMETIC, ast.unparse(node)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in OF_TABLES, ast.unparse(node)
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {one.name.split(".")[0] for one in node.names} | {
                    (getattr(node, "module", "") or "").split(".")[0]
                }
                assert not names & {"numpy", "pandas", "scipy", "math", "statistics"}, ast.unparse(node)


def test_the_rule_against_arithmetic_can_fail(tmp_path: Path) -> None:
    for bad in ("x = 2 * 3", "import numpy as np", "t.mean()", "sum(x)", "x += 1"):
        path = tmp_path / "bad.py"
        path.write_text(f"# %%\n{bad}\n")
        with pytest.raises(AssertionError):
            test_a_notebook_holds_no_arithmetic(path)
