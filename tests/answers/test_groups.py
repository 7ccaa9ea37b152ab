"""Needs among a group of people rather than everybody, and counts that a model keeps apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hna.answers.need import need
from hna.answers.plan import plan, populations_on
from hna.errors import AxisError, ModelError, SourceError
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.model.rates import make_rates
from hna.model.spec import read_model
from hna.run import Request, assess

CITATION = """citation: {authors: A body, year: 2024, title: People held, container: A body, locator: null, doi: null,
  url: null, licence: facts cited}
read_from: primary table
"""
SOURCE = f"""id: study
kind: prevalence
condition: psychosis
case_definition: an interview
measure: point
unit: percent
decimals: 1
uncertainty: {{given: interval, level: 0.95}}
severity: null
study: {{design: survey, frame: institution, fieldwork: [2020, 2020], geography: England, sample_size: 900, response_rate: null,
  exclusions: null}}
appraisal: {{tool: hoy-2012, overall: moderate, notes: x}}
{CITATION}"""
MODEL = """need: psychosis-here
title: Psychosis in prison
chapter: settings-and-groups
ages: 18+
prevalence:
  sources: [study]
  errors: {study: 0.1, transport: 0.1, staleness: 0.01, because: for the test}
"""
IN_PRISON = """population: {kind: setting, group: people in prison, because: Prisons publish how many people they hold.}
"""
KNOWN = f"""id: seen
kind: known
service: in-reach teams
condition: psychosis
case_definition: seen
count_kind: episodes
base: resident
reference_date: '2024-06-30'
disclosure: null
duplicates: null
covers: null
{CITATION}"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    write("prevalence_sources/study/source.yaml", SOURCE)
    write("prevalence_sources/study/table.csv", "age_from,age_to,estimate,lower,upper\n18,,4.0,3.0,5.0\n")
    write("models/psychosis-here.yaml", MODEL + IN_PRISON)
    record = "id: held\nkind: population\nbase: resident\nbasis: estimate\ngroup: people in prison\n" + CITATION
    write("data/population/held/source.yaml", record)
    rows = "area_code,area_name,year,sex,age_from,age_to,persons\nP01,A prison,2024,persons,18,,1000\n"
    write("data/population/held/table.csv", rows)
    return tmp_path


def seen(workspace: Path, use: str) -> None:
    folder = workspace / "data/known/seen"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text(KNOWN, encoding="utf-8")
    table = "area_code,area_name,year,sex,age_from,age_to,count\nP01,A prison,2024,persons,18,,70\n"
    (folder / "table.csv").write_text(table, encoding="utf-8")
    (workspace / "models/psychosis-here.yaml").write_text(MODEL + IN_PRISON + use, encoding="utf-8")


def test_a_need_of_a_group_is_estimated_among_its_own_people_and_no_others(workspace: Path) -> None:
    (found,) = assess(Request(workspace=workspace, draws=200)).answers
    figures = found.figures.set_index("quantity")
    assert set(found.figures["area_code"]) == {"P01"}
    assert figures.loc["population", "estimate"] == 1000
    assert figures.loc["need", "estimate"] == pytest.approx(40)
    assert found.comparisons.empty  # neither region nor England counts this group


def test_a_group_is_never_taken_for_everybody(workspace: Path) -> None:
    shelf = Shelf(workspace)
    assert "held" not in {one.record.id for one in populations_on(shelf)}
    assert [one.record.id for one in populations_on(shelf, group="people in prison")] == ["held"]
    assert "ons-mye-2023" in {one.record.id for one, _, _ in plan(shelf, ["Halton"]).counted}
    model = read_model(shelf.model_file("psychosis-here"))
    rates = make_rates(model, shelf, 50)
    with pytest.raises(AxisError, match=r"R522.*counts everybody"):
        need(rates, read_population(shelf, "ons-mye-2023", ["Halton"]))
    everybody = make_rates(model.model_copy(update={"population": None}), shelf, 50)
    with pytest.raises(AxisError, match="counts people in prison"):
        need(everybody, read_population(shelf, "held", ["P01"]))


def test_without_a_count_of_the_group_its_need_says_what_to_write(workspace: Path) -> None:
    for file in (workspace / "data/population/held").iterdir():
        file.unlink()
    (workspace / "data/population/held").rmdir()
    with pytest.raises(ModelError) as raised:
        assess(Request(workspace=workspace, draws=50))
    said = str(raised.value)
    assert "no population on the shelf counts them" in said
    assert "group: people in prison" in said
    assert "Prisons publish how many people they hold" in said


def test_a_place_where_the_group_is_not_counted_is_told_of(workspace: Path) -> None:
    with pytest.raises(ModelError, match="no population on the shelf counts them here"):
        assess(Request(workspace=workspace, areas=("Halton",), draws=50))


def test_a_count_kept_apart_is_listed_and_nothing_is_refused(workspace: Path) -> None:
    seen(
        workspace,
        'known: [{source: seen, apart: "Contacts in a year, some of one person, are not people with psychosis."}]\n',
    )
    (found,) = assess(Request(workspace=workspace, draws=200)).answers
    assert found.refusals == ()
    assert {"gap", "coverage"}.isdisjoint(found.figures["quantity"])
    known = found.figures[found.figures["quantity"] == "known"].iloc[0]
    assert known["estimate"] == 70
    assert "R711" in known["flags"].split()
    (ledger,) = found.ledgers
    assert not ledger.aligned
    assert ledger.apart.startswith("Contacts in a year")


def test_a_count_of_the_same_people_may_be_kept_apart_too(workspace: Path) -> None:
    seen(workspace, 'known: [{source: seen, apart: "Counted only where a team was at work; not a list of people."}]\n')
    record = workspace / "data/known/seen/source.yaml"
    record.write_text(record.read_text().replace("episodes", "people-point"), encoding="utf-8")
    (found,) = assess(Request(workspace=workspace, draws=200)).answers
    assert not found.ledgers[0].aligned
    assert "gap" not in set(found.figures["quantity"])


def test_without_that_word_such_a_count_is_refused_as_before(workspace: Path) -> None:
    seen(workspace, "known: [{source: seen}]\n")
    (found,) = assess(Request(workspace=workspace, draws=200)).answers
    assert re.search("R604", str(found.refusals[0]))


def test_what_is_kept_apart_is_not_bridged(workspace: Path) -> None:
    seen(workspace, 'known: [{source: seen, apart: "Contacts are not people.", factors: {in_need: 0.9, because: x}}]\n')
    with pytest.raises((ModelError, SourceError), match="neither factors nor bridges"):
        assess(Request(workspace=workspace, draws=50))
