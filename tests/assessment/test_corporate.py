"""Corporate evidence: read as written, without names of people, and every fault told at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hna.assessment.corporate import corporate_files, read_corporate
from hna.assessment.standards import Vocabulary, read_vocabulary
from hna.errors import SourceError
from hna.evidence.shelf import Shelf

NEEDS = ["dementia", "frailty"]
ON = dt.date(2026, 11, 22)
HEAD = "need,constituency,method,date,n,commissioned_by,finding,direction,strength,confidence,coder"
ROW = "dementia,carers,survey,2026-01-31,40,Mere Borough Council,They wait too long.,greater,strong,moderate,coder-1"


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return read_vocabulary(Shelf())


def write(tmp_path: Path, *rows: str, head: str = HEAD) -> Path:
    path = tmp_path / "views.csv"
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


def said_of(path: Path, words: Vocabulary) -> str:
    with pytest.raises(SourceError) as raised:
        read_corporate(path, NEEDS, words, ON)
    return str(raised.value)


def test_a_finding_is_read(tmp_path: Path, words: Vocabulary) -> None:
    (found,) = read_corporate(write(tmp_path, ROW), NEEDS, words, ON)
    assert (found.need, found.n, found.direction, found.need_type) == ("dementia", 40, "greater", "felt")
    assert not found.disputed


def test_the_same_as_yaml(tmp_path: Path, words: Vocabulary) -> None:
    names, values = HEAD.split(","), ROW.split(",")
    path = tmp_path / "views.yaml"
    lines = [f"  {name}: {value}" for name, value in zip(names, values, strict=True)]
    path.write_text("findings:\n-" + "\n".join(lines)[1:] + "\n  datasets: [a, b]\n")
    (found,) = read_corporate(path, NEEDS, words, ON)
    assert (found.datasets, found.n) == (("a", "b"), 40)


def test_all_faults_at_once(tmp_path: Path, words: Vocabulary) -> None:
    said = said_of(
        write(
            tmp_path,
            "dementai,,,2026-13-01,some,Mere Borough Council,x,worse,loud,sure,coder-1",
            "dementia,carers,survey,2027-01-01,0,Mere Borough Council,x,less,weak,low,coder-1",
        ),
        words,
    )
    for what in ("the need is unknown", "nearest: dementia", "the constituency is missing", "is not a date", "lies ahead",
                 "is not a number of people", "is not one of the words", "method: is blank"):  # fmt: skip
        assert what in said


@pytest.mark.parametrize("column", ["name", "Respondent", "NHS number", "email"])
def test_a_column_that_would_hold_who_somebody_is(tmp_path: Path, words: Vocabulary, column: str) -> None:
    assert "columns would hold who somebody is" in said_of(write(tmp_path, f"{ROW},x", head=f"{HEAD},{column}"), words)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("coder-1", "Jane Smith"), ("Mere Borough Council", "Jane Smith"), ("They wait too long.", "Mrs Smith waits too long."),
        ("They wait too long.", "Write to a@b.org"), ("survey", "interview by Dr Patel"), ("They wait too long.", "943 476 5919"),
    ],
)  # fmt: skip
def test_personal_names_are_refused(tmp_path: Path, words: Vocabulary, old: str, new: str) -> None:
    said = said_of(write(tmp_path, ROW.replace(old, new)), words)
    assert "person" in said


@pytest.mark.parametrize("body", ["Healthwatch Mere", "NHS Mere ICB", "Mere council", "Voices of Carers"])
def test_bodies_are_not_persons(tmp_path: Path, words: Vocabulary, body: str) -> None:
    assert read_corporate(write(tmp_path, ROW.replace("Mere Borough Council", body)), NEEDS, words, ON)


def test_a_missing_constituency_column(tmp_path: Path, words: Vocabulary) -> None:
    head = HEAD.replace("constituency,", "")
    said = said_of(write(tmp_path, ROW.replace("carers,", ""), head=head), words)
    assert "constituency: the constituency is missing. Say who speaks: professionals" in said


def test_an_indicator_names_its_dataset(tmp_path: Path, words: Vocabulary) -> None:
    row = ROW.replace("carers", "") + ",comparative"
    said = said_of(write(tmp_path, row, head=f"{HEAD},approach"), words)
    assert "an indicator names no dataset" in said
    row += ",admissions"
    (found,) = read_corporate(write(tmp_path, row, head=f"{HEAD},approach,datasets"), NEEDS, words, ON)
    assert (found.approach, found.datasets, found.need_type) == ("comparative", ("admissions",), "comparative")


def test_two_coders_disagree(tmp_path: Path, words: Vocabulary) -> None:
    head = f"{HEAD},second_coder,second_direction"
    (found,) = read_corporate(write(tmp_path, f"{ROW},coder-2,less", head=head), NEEDS, words, ON)
    assert found.disputed
    assert "a second coder and a second direction go together" in said_of(
        write(tmp_path, f"{ROW},coder-2,", head=head), words
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no finding"), (HEAD, "no finding"), (f"{HEAD}\na,b", "fields"), (f"{HEAD},need\n{ROW},x", "repeated"),
        (f"{HEAD},mood\n{ROW},x", "unknown"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table(tmp_path: Path, words: Vocabulary, text: str, what: str) -> None:
    path = tmp_path / "views.csv"
    path.write_text(text)
    assert what in said_of(path, words)


def test_the_example_is_in_the_form_and_is_never_read(words: Vocabulary) -> None:
    shelf = Shelf()
    example = shelf.roots[0] / "data/corporate/example/evidence.csv"
    found = read_corporate(example, [*shelf.models(), "educational-attainment"], words, ON)
    assert len(found) == 5
    assert all(voice.finding.startswith("Example only") for voice in found)
    assert corporate_files(shelf.roots) == []
