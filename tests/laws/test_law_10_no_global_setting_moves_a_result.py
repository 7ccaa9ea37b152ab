"""Law 10. No global setting moves a result; seed, draws and level are arguments, printed in the output."""

import contextlib
import json
import random

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hna.run import Request, assess, run

ARGUMENTS = {"draws": 120, "seed": 5, "level": 0.9}


@contextlib.contextmanager
def _numpy_seeded():
    np.random.seed(99)  # noqa: NPY002
    random.seed(99)
    yield


@contextlib.contextmanager
def _elsewhere(tmp_path):
    with contextlib.chdir(tmp_path):
        yield


SETTINGS = {
    "numpy's and Python's seeds": lambda _: _numpy_seeded(),
    "numpy's printing": lambda _: np.printoptions(precision=2, suppress=True),
    "numpy's error state": lambda _: np.errstate(divide="ignore", invalid="ignore"),
    "an outer join": lambda _: xr.set_options(arithmetic_join="outer", keep_attrs=True),
    "a left join": lambda _: xr.set_options(arithmetic_join="left"),
    "bottleneck off": lambda _: xr.set_options(use_bottleneck=False, use_numbagg=False),
    "pandas' display": lambda _: pd.option_context("display.precision", 1, "display.max_rows", 2),
    "another folder": _elsewhere,
}


@pytest.fixture
def plain(small):
    return assess(Request(workspace=small.root, **ARGUMENTS)).answers[0].figures


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_session_changes_no_number(small, plain, tmp_path, name):
    with SETTINGS[name](tmp_path):
        found = assess(Request(workspace=small.root, **ARGUMENTS)).answers[0].figures
    pd.testing.assert_frame_equal(found, plain, check_exact=True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TZ", "Pacific/Auckland"), ("LC_ALL", "de_DE.UTF-8"), ("PYTHONHASHSEED", "7"), ("COLUMNS", "20")],
)
def test_a_variable_of_the_environment_changes_no_number(small, plain, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    found = assess(Request(workspace=small.root, **ARGUMENTS)).answers[0].figures
    pd.testing.assert_frame_equal(found, plain, check_exact=True)


def test_a_run_leaves_no_setting_behind(small):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assess(Request(workspace=small.root, **ARGUMENTS))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_seed_draws_and_level_are_printed(small, tmp_path):
    run(Request(workspace=small.root, **ARGUMENTS), tmp_path / "out")
    said = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert {name: said[name] for name in ARGUMENTS} == ARGUMENTS
    assert set(pd.read_csv(tmp_path / "out" / "gap.csv").level) == {0.9}


def test_a_higher_level_gives_a_wider_interval(small):
    widths = []
    for level in (0.5, 0.8, 0.95, 0.998):
        table = assess(Request(workspace=small.root, draws=2000, level=level)).answers[0].figures
        row = table[(table.quantity == "need") & (table.age_band == "all") & (table.sex == "persons")].iloc[0]
        widths.append(row.upper - row.lower)
    assert widths == sorted(set(widths))
