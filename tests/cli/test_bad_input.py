"""Bad input: each fault told with its file and remedy, exit 2, and the last good output untouched."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from hna.cli import main
from hna.run import Request, run
from tests.conftest import Workspace

Break = Callable[[Workspace], None]


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the command line."""
    monkeypatch.setattr(sys, "argv", ["hna", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return int(stopped.value.code or 0), said.out, said.err


def edit(path: str, old: str, new: str) -> Break:
    def change(workspace: Workspace) -> None:
        file = workspace.root / path
        text = file.read_text(encoding="utf-8")
        found = re.sub(old, new, text, count=1, flags=re.MULTILINE)
        assert found != text, f"{old} is not in {path}"
        file.write_text(found, encoding="utf-8")

    return change


def write(path: str, content: bytes) -> Break:
    return lambda workspace: (workspace.root / path).write_bytes(content) and None  # type: ignore[return-value]


def gone(path: str) -> Break:
    return lambda workspace: (workspace.root / path).unlink()


def huge(path: str, size: int) -> Break:
    return lambda workspace: os.truncate(workspace.root / path, size)


RATES = "prevalence_sources/own-study/table.csv"
STUDY = "prevalence_sources/own-study/source.yaml"
PEOPLE = "data/population/own-people/table.csv"
COUNTS = "data/known/own-register/table.csv"
REGISTER = "data/known/own-register/source.yaml"
MODEL = "models/sleeplessness.yaml"

FAULTS: dict[str, tuple[Break, str]] = {
    "missing table": (gone(RATES), "there is no table"),
    "missing source": (gone(STUDY), "own-study"),
    "empty table": (write(RATES, b""), "empty"),
    "empty model": (write(MODEL, b"\n"), "empty"),
    "header only": (write(RATES, b"sex,age_from,age_to,estimate,lower,upper\n"), "no rows"),
    "truncated table": (
        lambda w: (w.root / RATES).write_text((w.root / RATES).read_text()[:-6]),
        r"fewer fields|blank|not a number",
    ),
    "not UTF-8": (write(RATES, b"sex,age_from\n\xff\xfe\xfa,65\n"), "UTF-8"),
    "not UTF-8 model": (write(MODEL, b"need: \xff\n"), "UTF-8"),
    "nulls": (write(RATES, b"sex,age_from\x00\n"), "null characters"),
    "enormous record": (huge(STUDY, 3_000_000), "limit"),
    "enormous table": (huge(RATES, 1_200_000_000), "limit"),
    "ragged table": (edit(RATES, r"^(female,65.*)$", r"\1,9"), "as many fields"),
    "duplicate key": (edit(STUDY, r"^kind: prevalence", "kind: prevalence\nkind: prevalence"), "duplicate|once"),
    "unknown key": (edit(STUDY, r"^kind: prevalence", "kind: prevalence\ncolour: red"), "colour"),
    "unknown key in model": (edit(MODEL, r"^need:", "nede: x\nneed:"), "nede"),
    "wrong type": (edit(STUDY, r"decimals: 1", "decimals: one"), "decimals"),
    "tag": (edit(STUDY, r"title: Figures of our own", "title: !!python/name:os.system x"), "tag"),
    "local tag": (edit(STUDY, r"title: Figures of our own", "title: !secret x"), "tag"),
    "broken YAML": (edit(STUDY, r"kind: prevalence", "kind: [prevalence"), "YAML"),
    "a list": (write(MODEL, b"- need\n"), "mapping"),
    "no citation": (edit(STUDY, r"title: Figures of our own", "titel: Figures"), "title"),
    "missing column": (
        lambda w: (w.root / RATES).write_text(re.sub(r",upper", ",uper", (w.root / RATES).read_text())),
        "upper",
    ),
    "extra column": (edit(COUNTS, r"^area_code", "colour,area_code"), "colour"),
    "text in numbers": (edit(RATES, r"4\.0", "four"), "not a number"),
    "NaN": (edit(RATES, r"4\.0", "NaN"), "not a number"),
    "infinite": (edit(PEOPLE, r",(\d+)$", ",inf"), "not a number"),
    "negative people": (edit(PEOPLE, r",(\d+)$", ",-5"), "negative"),
    "fractional people": (edit(PEOPLE, r",(\d+)$", ",10.5"), "whole"),
    "negative count": (edit(COUNTS, r",300$", ",-3"), "negative"),
    "fractional count": (edit(COUNTS, r",300$", ",300.5"), "whole"),
    "an undeclared mark": (edit(COUNTS, r",300$", ",*"), "suppressed|declared"),
    "blank people": (edit(PEOPLE, r",(\d+)$", ","), "blank"),
    "percent as proportion": (edit(STUDY, r"unit: percent", "unit: proportion"), "R102"),
    "lower above estimate": (edit(RATES, r"4\.0,2\.9", "4.0,4.9"), "R101"),
    "more cases than sample": (
        lambda w: w.prevalence(
            uncertainty={"given": "counts"},
            rows=[{"sex": "persons", "age_from": 65, "age_to": "", "estimate": 5, "cases": 50, "sample": 40}],
        ),
        "more cases",
    ),
    "cases disagree": (
        lambda w: w.prevalence(
            uncertainty={"given": "counts"},
            rows=[{"sex": "persons", "age_from": 65, "age_to": "", "estimate": 5, "cases": 20, "sample": 40}],
        ),
        "R102",
    ),
    "overlapping bands": (edit(RATES, r"75,", "74,"), "overlap"),
    "gapped bands": (edit(RATES, r"75,", "77,"), "gap"),
    "mangled band": (edit(RATES, r"^female,65,74", "female,05-Sep,74"), "5-9"),
    "band upside down": (edit(RATES, r"65,74", "74,65"), "R104"),
    "repeated row": (edit(RATES, r"^(female,65.*)$", r"\1\n\1"), "more than once"),
    "repeated population row": (edit(PEOPLE, r"^(N01.*)$", r"\1\n\1"), "more than once"),
    "missing population cell": (edit(PEOPLE, r"^N01.*\n", ""), "missing"),
    "unknown sex": (edit(PEOPLE, r",female,", ",girls,"), "girls"),
    "unknown sex in rates": (edit(RATES, r"^female", "F"), "not a sex"),
    "two names of one area": (edit(PEOPLE, r"N01,Northmere", "N01,Northmoor"), "several names"),
    "two vintages of people and counts": (edit(COUNTS, r"^N01", "N99"), "W501"),
    "two vintages in a population": (
        lambda w: (w.root / PEOPLE).write_text(
            (w.root / PEOPLE).read_text()
            + (w.root / PEOPLE).read_text().split("\n", 1)[1].replace("N01", "N09").replace(",2024,", ",2025,")
        ),
        "vintage",
    ),
    "a count for an unknown area": (edit(COUNTS, r"^N01,Northmere", "X01,Eastmere"), "in no population"),
    "fingerprint": (edit(STUDY, r"^kind: prevalence", f"kind: prevalence\nsha256: {'a' * 64}"), "fingerprint"),
    "no uncertainty": (edit(STUDY, r"given: interval\n  level: 0.95", "given: none"), "R113"),
    "lifetime against a caseload": (edit(STUDY, r"measure: point", "measure: lifetime"), "R171"),
    "different ages": (edit(COUNTS, r",65,,300", ",60,,300"), "R711.*age range"),
    "registered against resident": (edit(REGISTER, r"base: resident", "base: registered"), "R711.*population base"),
    "episodes": (edit(REGISTER, r"count_kind: people-point", "count_kind: episodes"), "R711.*episodes"),
    "another condition": (edit(REGISTER, r"condition: sleeplessness", "condition: insomnia"), "R711.*definition"),
    "a year's people against a day's": (
        edit(REGISTER, r"count_kind: people-point", "count_kind: people-period-12"),
        "R711.*time basis",
    ),
    "ages outside the source": (edit(MODEL, r"ages: 65\+", "ages: 60+"), "R201"),
    "ages unreadable": (edit(MODEL, r"ages: 65\+", "ages: Oct-14"), "R104"),
    "unknown source": (edit(MODEL, r"own-study", "own-studdy"), "own-study"),
    "need is not the file": (edit(MODEL, r"need: sleeplessness", "need: sleep"), "same name"),
    "errors without a reason": (edit(MODEL, r"    because: none, to see one thing\n", ""), "because"),
    "a workbook for a table": (write(RATES, b"PK\x03\x04\x14\x00\xff"), "is a workbook.*CSV UTF-8"),
    "semicolons": (lambda w: (w.root / RATES).write_text((w.root / RATES).read_text().replace(",", ";")), "semicolons"),
    "a workbook beside the record": (
        lambda w: (w.root / RATES).rename((w.root / RATES).with_suffix(".xlsx")),
        r"no table \[table\.xlsx\]",
    ),
    "a misspelt column": (
        lambda w: (w.root / RATES).write_text((w.root / RATES).read_text().replace("age_from", "age_form")),
        "age_form: is it age_from",
    ),
    "a model that ends in .yml": (
        lambda w: (w.root / MODEL).rename((w.root / MODEL).with_suffix(".yml")),
        r"sleeplessness\.yml.*ends in \.yaml",
    ),
    "a record that ends in .yml": (
        lambda w: (w.root / "data/population/own-people/source.yaml").rename(
            w.root / "data/population/own-people/source.yml"
        ),
        r"own-people.*there is no source\.yaml",
    ),
    "tabs in YAML": (edit(MODEL, r"^  sources", "\tsources"), "spaces.*no tabs"),
    "a colon in YAML": (edit(MODEL, r"^title: .*", "title: Sleep: ours"), "quotes around text that holds a colon"),
    "a percentage in YAML": (edit(MODEL, r"study: [\d.]+", "study: 20%"), "'20%' is not a number"),
    "a chapter in words": (edit(MODEL, r"^chapter: .*", "chapter: Older People"), "small letters.*older-people"),
    "a kind of count": (
        edit(REGISTER, r"count_kind: people-point", "count_kind: people"),
        "people-point, people-period-12",
    ),
    "a date as people write it": (edit(REGISTER, r"^reference_date: .*", "reference_date: 30/06/2024"), "2020-03-31"),
    "an unknown count": (
        edit(MODEL, r"source: own-register", "source: own-registr"),
        "no count of people known.*own-register",
    ),
    "fewer than": (edit(COUNTS, r",300$", ",<5"), r"R602.*<5.*suppressed"),
    "bad target": (edit(MODEL, r"^limits:", "target: {coverage: 66.7, source: ambition}\nlimits:"), "coverage"),
}


@pytest.fixture(scope="module")
def good_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run in which nothing is wrong."""
    root = tmp_path_factory.mktemp("good")
    (root / "workspace").mkdir()
    workspace = Workspace(root / "workspace")
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows())
    workspace.known(rows=workspace.count_rows({"N01": 300, "S02": 410}))
    workspace.model(known=[{"source": "own-register"}])
    run(Request(draws=50, workspace=workspace.root), root / "out")
    return root / "out"


@pytest.fixture
def good(good_report: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good_report, tmp_path / "out"))


def prints(out: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_told_and_nothing_is_lost(
    name: str, small: Workspace, good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints(good)
    change, words = FAULTS[name]
    change(small)
    status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(good), "--draws", "50")
    assert status == 2, said
    assert re.search(words, said, re.DOTALL), said
    assert "Traceback" not in said
    assert "np." not in said
    assert len(said) < 4000, "a message of one fault is short"
    assert prints(good) == before


ARGUMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    "zero draws": (("--draws", "0"), "draws is 0"),
    "negative draws": (("--draws", "-5"), "draws is -5"),
    "level as per cent": (("--level", "95"), "level is 95"),
    "negative seed": (("--seed", "-1"), "seed is -1"),
    "unknown area": (("--area", "Northmeer"), "Northmere"),
    "a year that is not there": (("--year", "1999"), "1999.*2024"),
    "years upside down": (("--years", "2030-2024"), "run of years"),
    "years in words": (("--years", "soon"), "run of years"),
    "unknown subgroup": (("--by", "height"), "height"),
    "unknown population": (("--population", "own-peeple"), "own-people"),
    "unknown need": (("sleepyness",), "sleeplessness"),
    "unknown preset": (("--disclosure", "secret"), "secret"),
    "unknown workspace": (("-w", "nowhere"), "nowhere"),
    "unknown option": (("--colour",), "colour"),
    "thousands in draws": (("--draws", "5,000"), "'5,000' is not a whole number"),
    "a financial year": (("--year", "2023/24"), "'2023/24' is not a whole number"),
    "a unit in memory": (("--memory", "4GB"), "'4GB' is not a number"),
    "a ledger of nothing": (("--ledger", "released"), "--disclosure with a preset"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_mean_nothing(
    name: str, small: Workspace, good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints(good)
    words, message = ARGUMENTS[name]
    status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(good), "--draws", "50", *words)
    assert status == 2
    assert re.search(message, said, re.DOTALL), said
    assert prints(good) == before


def test_all_faults_are_told_at_once(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(RATES, r"4\.0", "four")(small)
    edit(RATES, r"^male,75", "males,75")(small)
    edit(COUNTS, r",300$", ",-3")(small)
    status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(tmp_path / "x"))
    assert status == 2
    assert all(word in said for word in ("four", "males", "negative"))


def test_a_fault_of_a_workspace_ends_with_how_to_see_them_all(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(MODEL, r"ages: 65\+", "ages: Oct-14")(small)
    edit(RATES, r"4\.0", "four")(small)
    _, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(tmp_path / "x"))
    assert said.endswith(f"`hna check {small.root}` tells every fault of the workspace at once.\n")
    status, _, told = call(capsys, monkeypatch, "check", str(small.root))
    assert status == 1
    assert "R104" in told
    assert "four" in told


def test_needs_that_one_fault_stops_are_named(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small.population(rows=small.people_rows(bands=((65, 74), (75, None))))
    needs = ("child-mental-disorder", "youth-self-harm")
    status, _, said = call(
        capsys, monkeypatch, "run", *needs, "-w", str(small.root), "-o", str(tmp_path / "x"), "--draws", "50"
    )
    assert status == 2
    assert all(need in said for need in needs)


def test_help_names_arguments_without_types(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("run", "compare", "assess", "check", "import"):
        status, said, _ = call(capsys, monkeypatch, command, "--help")
        assert status == 0
        assert not re.search(r"<\w+(\[\w+\])?>", said)


def test_at_most_five_rows_are_shown(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small.root / PEOPLE
    file.write_text(re.sub(r"(?m)^([NS]0.*),\d+$", r"\1,-1", file.read_text()))
    _, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(tmp_path / "x"))
    assert said.count("row ") == 5
    assert "and 15 more" in said


def test_a_refused_gap_lists_both_numbers_and_is_written_where_no_good_report_stands(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(REGISTER, r"base: resident", "base: registered")(small)
    out = tmp_path / "new"
    status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(out), "--draws", "50")
    assert status == 2
    assert "side by side, not comparable" in said
    table = pd.read_csv(out / "gap.csv")
    known = table[table["quantity"] == "known"]
    assert known["estimate"].tolist() == [300, 410]
    assert known["flags"].tolist() == ["R711", "R711"]
    assert {"need", "known"} <= set(table["quantity"])
    assert not {"gap", "coverage", "gap_positive"} & set(table["quantity"])


def test_a_need_that_is_refused_leaves_the_others_answered(
    small: Workspace, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal is of one need: the others are answered, the status is 2, and a good report is not replaced."""
    before = prints(good)
    small.model("restlessness", ages="60+")
    said = ""
    for out, more in ((tmp_path / "new", ()), (good, ()), (tmp_path / "safe", ("--disclosure", "default"))):
        words = ("run", "-w", str(small.root), "-o", str(out), "--draws", "50", *more)
        status, told, said = call(capsys, monkeypatch, *words)
        assert status == 2
        assert "R201 models/restlessness.yaml" in said
        assert "Sleeplessness. " in told
        assert "Restlessness is not assessed: R201" in told
    assert prints(good) == before
    assert "Run it without disclosure control" in said
    new = tmp_path / "new"
    assert set(pd.read_csv(new / "gap.csv")["need"]) == {"sleeplessness"}
    assert "R201 models/restlessness.yaml" in (new / "run.json").read_text()
    assert "Restlessness is not assessed" in (new / "report.html").read_text()
    status, _, said = call(capsys, monkeypatch, "run", "restlessness", "-w", str(small.root), "-o", str(tmp_path / "x"))
    assert status == 2
    assert "R201" in said
    assert not (tmp_path / "x").exists(), "nothing could be answered"
    edit(RATES, r"4\.0", "four")(small)
    status, told, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(tmp_path / "y"))
    assert (status, told) == (2, ""), "a fault of a table stops the run"
    assert "four" in said
    assert not (tmp_path / "y").exists()


def test_output_that_is_a_file(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "file"
    out.write_text("mine")
    for place in (out, out / "below"):
        status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(place))
        assert status == 2
        assert "is a file" in said
    assert out.read_text() == "mine"


def test_output_that_cannot_be_written(
    small: Workspace, good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prints(good)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hna.publish.outputs.write_table", full)
    status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(good), "--draws", "60")
    assert status == 2
    assert "No space left" in said
    assert prints(good) == before


def test_an_interrupted_run_leaves_the_last_good_output(small: Workspace, good: Path) -> None:
    before = prints(good)
    words = [sys.executable, "-m", "hna", "run", "-w", str(small.root), "-o", str(good), "--draws", "200000"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        time.sleep(1.5)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode != 0
    assert b"Traceback" not in said
    assert prints(good) == before


def test_hostile_text_stays_text(
    small: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small.root / PEOPLE
    file.write_text(file.read_text().replace("Northmere", "=cmd()<script>alert(1)</script>\u202e"))
    out = tmp_path / "hostile"
    status, _, said = call(capsys, monkeypatch, "run", "-w", str(small.root), "-o", str(out), "--draws", "50")
    assert status == 0, said
    assert pd.read_csv(out / "gap.csv")["area_name"].str.startswith("'=cmd()").any()
    page = (out / "report.html").read_text()
    assert "<script>alert(1)" not in page
    assert "\u202e" not in page
