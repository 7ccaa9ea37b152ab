"""Law 13. Same inputs, same seed, same bytes; writes are atomic; a failed run leaves the last good output untouched."""

import subprocess
import sys

import pytest

from hna.errors import HnaError
from hna.publish import outputs
from hna.run import Request, assess, run

TABLES = ("gap.csv", "run.json")


def _files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def good(small, tmp_path):
    out = tmp_path / "out"
    run(Request(workspace=small.root, draws=100), out)
    return out


def test_two_runs_give_the_same_bytes(small, good, tmp_path):
    run(Request(workspace=small.root, draws=100), tmp_path / "again")
    first, second = _files(good), _files(tmp_path / "again")
    assert sorted(first) == sorted(second)
    assert {name for name in first if first[name] != second[name]} == set()


def test_another_process_gives_the_same_tables(small, good, tmp_path):
    code = (
        "import sys; from pathlib import Path; from hna.run import Request, run; "
        "run(Request(workspace=Path(sys.argv[1]), draws=100), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(small.root), str(tmp_path / "again")], check=True)
    for name in TABLES:
        assert (tmp_path / "again" / name).read_bytes() == (good / name).read_bytes()


def test_a_run_replaces_only_by_a_run(small, good):
    before = _files(good)
    run(Request(workspace=small.root, draws=100, seed=2), good)
    after = _files(good)
    assert sorted(after) == sorted(before)
    assert all(after[name] != before[name] for name in TABLES)


@pytest.mark.parametrize("needs", [("dementia",), ("dementia", "hypertension")])
def test_the_order_of_areas_does_not_matter(needs):
    one, two = (
        assess(Request(needs=needs, areas=areas, years=(2020, 2023), draws=60)).answers
        for areas in (("Halton", "Sefton", "England"), ("England", "Sefton", "Halton"))
    )
    for first, second in zip(one, two, strict=True):
        keys = ["area_code", "year", "severity", "quantity", "sex", "age_band"]
        a, b = (found.figures.sort_values(keys, kind="stable").reset_index(drop=True) for found in (first, second))
        assert a.equals(b)


def test_an_area_alone_has_the_numbers_that_it_has_among_others(small):
    small.population(rows=small.people_rows(years=(2024, 2029)))
    both = assess(Request(workspace=small.root, draws=80)).answers[0].figures
    alone = assess(Request(workspace=small.root, areas=("S02",), years=(2029,), draws=80)).answers[0].figures
    part = both.query("area_code == 'S02' and year == 2029 and quantity in ['need', 'population', 'prevalence']")
    alone = alone.query("quantity in ['need', 'population', 'prevalence']")
    assert part.reset_index(drop=True).equals(alone.reset_index(drop=True))


def test_bad_input_leaves_the_last_good_output(small, good):
    before = _files(good)
    small.prevalence(rows=[row | {"estimate": "many"} for row in small.rates_rows()])
    with pytest.raises(HnaError):
        run(Request(workspace=small.root, draws=100), good)
    assert _files(good) == before


def test_a_refused_gap_does_not_replace_a_good_report(small, good):
    before = _files(good)
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), base="registered")
    report, written = run(Request(workspace=small.root, draws=100), good)
    assert report.refusals
    assert written == []
    assert _files(good) == before


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError("disk is full"), MemoryError])
@pytest.mark.parametrize("writer", ["render_content", "write_content", "write_table"])
def test_a_run_cut_short_while_writing_leaves_the_last_good_output(small, good, monkeypatch, fault, writer):
    before = _files(good)

    def cut_short(*_):
        raise fault

    monkeypatch.setattr(outputs, writer, cut_short)
    with pytest.raises((KeyboardInterrupt, HnaError, MemoryError)):
        run(Request(workspace=small.root, draws=100, seed=3), good)
    assert _files(good) == before


def test_nothing_is_left_behind_by_a_first_run_that_fails(small, tmp_path, monkeypatch):
    def cut_short(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write_table", cut_short)
    out = tmp_path / "new"
    with pytest.raises(KeyboardInterrupt):
        run(Request(workspace=small.root, draws=100), out)
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize("where", ["a file", "under a file"])
def test_a_file_in_the_way_is_refused_before_anything_is_computed(small, tmp_path, monkeypatch, where):
    place = tmp_path / "report"
    place.write_text("mine", encoding="utf-8")
    monkeypatch.setattr("hna.run.assess", lambda *_: pytest.fail("computed first"))
    with pytest.raises(HnaError, match="file"):
        run(Request(workspace=small.root), place if where == "a file" else place / "out")
    assert place.read_text(encoding="utf-8") == "mine"
