"""Every command, as an analyst types it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from hna.answers.rows import COLUMNS
from hna.checks import check_shelf
from hna.evidence.shelf import Shelf
from tests.cli.test_bad_input import call
from tests.conftest import Workspace


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "hna", "--help"], capture_output=True, text=True, check=True
    )
    for command in (
        "run",
        "assess",
        "check",
        "notebooks",
        "sources",
        "models",
        "areas",
        "import",
        "cite",
        "schema",
        "init",
    ):
        assert f" {command} " in found.stdout
    loaded = {line.rpartition("|")[2].strip() for line in found.stderr.splitlines() if line.startswith("import time:")}
    assert "hna" in loaded
    assert not loaded & {"numpy", "pandas", "xarray", "scipy", "pydantic", "pymc", "statsmodels", "arviz", "nutpie"}


@pytest.mark.parametrize(
    "module", ["hna", "hna.run", "hna.model.survey", "hna.model.spatial", "hna.model.pool", "hna.model.hidden"]
)
def test_samplers_are_imported_only_by_who_samples(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "print(sorted({'pymc', 'statsmodels', 'arviz', 'nutpie', 'pytensor', 'scipy.stats', 'scipy.optimize'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_costs_at_most_twenty_bare_starts_of_python() -> None:
    help_, bare = ["-m", "hna", "--help"], ["-I", "-c", "pass"]
    _timed(help_)
    pairs = [(_timed(help_), _timed(bare)) for _ in range(5)]
    assert min(one for one, _ in pairs) <= 20 * min(other for _, other in pairs)


def _timed(arguments: list[str]) -> float:
    """Processor time of a child, which says more than the clock on a machine with other work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_stranger_makes_a_workspace_and_runs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, out = tmp_path / "here", tmp_path / "out"
    assert call(capsys, monkeypatch, "init", str(here))[0] == 0
    assert call(capsys, monkeypatch, "check", str(here))[0] == 0
    status, said, wrong = call(capsys, monkeypatch, "run", "--workspace", str(here), "-o", str(out), "--draws", "200")
    assert (status, wrong) == (0, "")
    assert "Halton" in said
    assert {"report.html", "report.xlsx", "gap.csv", "run.json"} <= {file.name for file in out.iterdir()}
    table = pd.read_csv(out / "gap.csv")
    assert tuple(table.columns) == COLUMNS
    whole = table[table["severity"].isna() & (table["sex"] == "persons") & (table["age_band"] == "all")]
    assert {
        "population",
        "need",
        "known",
        "gap",
        "gap_positive",
        "coverage",
        "prevalence",
        "p_known_exceeds_need",
        "target_shortfall",
    } == set(whole["quantity"])
    assert call(capsys, monkeypatch, "init", str(here))[0] == 2


def test_areas_in_no_shipped_file_and_every_quantity(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = (
        "run",
        "sleeplessness",
        "--area",
        "Northmere",
        "--area",
        "S02",
        "--workspace",
        str(small.root),
        "--out",
        str(out),
    )
    status, _, wrong = call(capsys, monkeypatch, *words, "--draws", "400")
    assert (status, wrong) == (0, "")
    table = pd.read_csv(out / "gap.csv")
    whole = table[table["severity"].isna() & (table["sex"] == "persons") & (table["age_band"] == "all")]
    wide = whole.pivot(index="area_code", columns="quantity", values="estimate")
    assert (wide["known"] == [300, 410]).all()
    assert (wide["gap"] - (wide["need"] - wide["known"])).abs().max() < 1e-9
    assert (wide["prevalence"] - wide["need"] / wide["population"]).abs().max() < 1e-12
    gap = whole[whole["quantity"] == "gap"]
    assert gap["probability"].between(0, 1).all()
    assert whole[~whole["quantity"].isin(["gap", "target_shortfall"])]["probability"].isna().all()
    assert (table["level"] == 0.95).all()
    units = table.groupby("quantity")["unit"].unique().map(list).to_dict()
    assert units["coverage"] == ["proportion"]
    assert units["p_known_exceeds_need"] == ["probability"]
    assert units["need"] == ["people"]


def test_a_suppressed_count_stays_a_range(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small.known(
        rows=small.count_rows({"N01": "*", "S02": 410}),
        disclosure={"suppressed": "*", "range": [1, 7], "rounded_to": 5},
    )
    out = tmp_path / "out"
    status, _, wrong = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(out), "--draws", "400")
    assert (status, wrong) == (0, "")
    table = pd.read_csv(out / "gap.csv")
    rows = table[(table["area_code"] == "N01") & (table["sex"] == "persons") & (table["age_band"] == "all")].set_index(
        "quantity"
    )
    assert pd.isna(rows.loc["known", "estimate"])
    assert (rows.loc["known", "lower"], rows.loc["known", "upper"]) == (1, 7)
    assert pd.isna(rows.loc["gap", "estimate"])
    assert rows.loc["gap", "upper"] == pytest.approx(rows.loc["need", "upper"] - 1, abs=1.5)
    assert rows.loc["gap", "lower"] == pytest.approx(rows.loc["need", "lower"] - 7, abs=1.5)
    rounded = table[
        (table["area_code"] == "S02")
        & (table["quantity"] == "known")
        & (table["age_band"] == "all")
        & (table["sex"] == "persons")
    ]
    assert rounded[["estimate", "lower", "upper"]].to_numpy().tolist() == [[410, 408, 412]]


def test_listings_as_tables_and_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for command, word in (("sources", "cfas-ii-dementia"), ("models", "dementia")):
        status, said, _ = call(capsys, monkeypatch, command)
        assert status == 0
        assert word in said
        status, said, _ = call(capsys, monkeypatch, command, "--json")
        assert any(word in row.values() for row in json.loads(said))
    status, said, _ = call(capsys, monkeypatch, "areas", "halton")
    assert "E06000006" in said


def test_cite_and_schema(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, _ = call(capsys, monkeypatch, "cite", "dementia")
    assert status == 0
    assert "10.1016/S0140-6736(13)61570-6" in said
    assert said.count("@") >= 4
    status, said, _ = call(capsys, monkeypatch, "schema", "model")
    assert json.loads(said)["additionalProperties"] is False
    status, said, _ = call(capsys, monkeypatch, "schema", "source")
    assert "prevalence" in said
    assert call(capsys, monkeypatch, "schema", "x")[0] == 2


def test_check_fails_with_one_and_tells_all(
    small: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said, _ = call(capsys, monkeypatch, "check", str(small.root), "--fix-fingerprints")
    assert status == 0
    assert "own-study" in said
    table = small.root / "prevalence_sources/own-study/table.csv"
    table.write_text(table.read_text().replace("4.0", "four"))
    status, _, wrong = call(capsys, monkeypatch, "check", str(small.root))
    assert status == 1
    assert "fingerprint" in wrong
    status, _, wrong = call(capsys, monkeypatch, "check", str(small.root), "--fix-fingerprints")
    assert status == 1
    assert "four" in wrong


@pytest.mark.parametrize("columns", ["40", "80", "100", "300"])
def test_check_prints_the_evidence_behind_each_need(
    columns: str, small: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    status, said, _ = call(capsys, monkeypatch, "check", str(small.root))
    assert status == 0
    lines = said.splitlines()
    assert max(map(len, lines)) <= min(max(int(columns), 80), 120)
    at = next(n for n, line in enumerate(lines) if line.startswith("sleeplessness: "))
    assert lines[at + 1].split()[:2] == ["own-study", "2022"]
    assert lines[at + 2] == "  known:    own-register"
    assert "No national guidance listed" in lines[at + 3]
    assert lines[-1] == "3 sources, 1 model, 0 frameworks: no faults."


def test_check_names_the_model_of_a_fault(
    small: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small.model(prevalence={"sources": ["own-study"], "combine": "mixture", "errors": small.exact})
    status, _, wrong = call(capsys, monkeypatch, "check", str(small.root))
    assert status == 1
    assert "models/sleeplessness.yaml, prevalence" in wrong
    status, _, wrong = call(
        capsys, monkeypatch, "run", "-w", str(small.root), "--draws", "50", "--out", str(small.root / "out")
    )
    assert status == 2
    assert "models/sleeplessness.yaml, prevalence" in wrong


def test_check_as_json(small: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, _ = call(capsys, monkeypatch, "check", str(small.root), "--json")
    assert status == 0
    found = json.loads(said)
    (line,) = found["evidence"]
    assert (line["need"], line["known"], found["faults"]) == ("sleeplessness", ["own-register"], [])
    assert line["studies"][0]["fieldwork"] == [2022, 2022]
    model = small.root / "models/sleeplessness.yaml"
    model.write_text(model.read_text() + "wrong: 1\n")
    status, said, _ = call(capsys, monkeypatch, "check", str(small.root), "--json")
    assert status == 1
    assert "wrong" in json.loads(said)["faults"][0]


def test_every_shipped_need_has_its_line_of_evidence(shipped_shelf: Shelf) -> None:
    found = check_shelf(shipped_shelf, 2026)
    assert found.faults == []
    assert [line.need for line in found.evidence] == sorted(shipped_shelf.models())
    assert all(line.studies and (line.known or line.missing) for line in found.evidence)
    assert all(study.bias for line in found.evidence for study in line.studies)
    (survey, _) = next(line for line in found.evidence if line.need == "dementia").studies
    assert (survey.fieldwork, survey.age, survey.bias) == ((2008, 2011), 16.5, "moderate")


def test_import_twice_gives_the_same_bytes(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shared / "projections" / "nomis_snpp_sex_syoa_hartlepool_darlington_durham.csv"
    written = []
    for _ in range(2):
        place = tmp_path / "data" / "population" / "north-east"
        status, _, wrong = call(capsys, monkeypatch, "import", "nomis-syoa", str(file), "--to", str(place))
        assert (status, wrong) == (0, "")
        written.append({path.name: path.read_bytes() for path in place.iterdir()})
    assert written[0] == written[1]
    status, _, wrong = call(capsys, monkeypatch, "import", "no-such", str(file), "--to", str(tmp_path / "x"))
    assert status == 2
    assert "nomis-syoa" in wrong


def test_the_public_face(small: Workspace, tmp_path: Path) -> None:
    import hna

    model = hna.load_model("sleeplessness", workspace=small.root)
    rates = hna.rates(model, draws=300, seed=1, workspace=small.root)
    assert set(rates.to_xarray().dims) == {"draw", "sex", "age"}
    population = hna.population("own-people", areas=["Northmere", "S02"], workspace=small.root)
    need = hna.need(rates, population, by=["area", "year"])
    assert set(need.to_xarray().dims) == {"draw", "area", "year"}
    assert list(need.interval(level=0.9).columns) == ["area", "year", "estimate", "lower", "upper"]
    gap = hna.gap(need, hna.known("own-register", workspace=small.root))
    assert set(gap.ledger["verdict"]) <= {"equal", "bridged"}
    assert {source.id for source in gap.coverage.citations} == {"own-study", "own-people", "own-register"}
    assert gap.to_xarray().sizes["draw"] == 300
    assert gap.interval()["quantity"].unique().tolist() == ["need", "known", "gap", "coverage", "p_known_exceeds_need"]
    files = hna.report([gap], tmp_path / "out")
    assert {file.name for file in files} == {
        "report.html",
        "report.xlsx",
        "gap.csv",
        "need_by_subgroup.csv",
        "comparisons.csv",
        "outcomes.csv",
        "scenarios.csv",
        "csv-metadata.json",
        "data-dictionary.html",
        "run.json",
    }
    report = hna.run("sleeplessness", workspace=small.root, out=tmp_path / "again", draws=300)
    ours = report.answers[0].figures.query("quantity == 'gap' and age_band == 'all' and sex == 'persons'")
    assert ours["estimate"].tolist() == pytest.approx(gap.net.headline.values.ravel().tolist())
    assert hna.indicators.rates.proportion(65, 100).lower == pytest.approx(0.5525444, abs=1e-7)


def test_an_assessment_in_chapters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "assessment"
    words = (
        "assess",
        "Halton",
        "--need",
        "learning-disability",
        "--draws",
        "100",
        "--on",
        "2026-11-21",
        "-o",
        str(out),
    )
    status, said, wrong = call(capsys, monkeypatch, *words)
    assert status in (0, 1), wrong
    assert "Assessment:" in said
    assert (out / "index.html").is_file()
    assert "Traceback" not in wrong
    status, _, wrong = call(capsys, monkeypatch, "assess", "Haltn", "-o", str(out))
    assert status == 2
    assert "Halton" in wrong
    status, _, wrong = call(capsys, monkeypatch, "assess", "Halton", "--on", "soon", "-o", str(out))
    assert status == 2
    assert "soon" in wrong
