"""Reports with planted small counts: a reader works them out before protection, and works out none after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hna.answers.gap import figures
from hna.answers.known_people import KnownPeople
from hna.answers.plan import gap_years, people_for, plan
from hna.errors import SourceError
from hna.evidence.known import read_known
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource
from hna.measure.areas import Nesting
from hna.publish.disclosure import protect
from hna.publish.disclosure_check import leaks
from hna.publish.disclosure_ledger import PublicationLedger
from hna.publish.disclosure_presets import DisclosureError, read_presets
from hna.publish.report import Report
from hna.run import Request, assess
from tests.conftest import CITATION, Workspace

DRAWS = 200
WHOLE = ("", "persons", "all")
AREAS = {"E06000001": "Northmere", "E05000001": "Up", "E05000002": "Down", "E05000003": "Out"}
WARDS = Nesting({code: ("E06000001",) for code in AREAS if code.startswith("E05")})
DERIVED = ("known", "gap", "gap_positive", "coverage", "p_known_exceeds_need", "target_shortfall")
UNROUNDED = "ons_births_deaths"
APART = Nesting({})


def people_of(space: Workspace, report: Report) -> dict[str, list[Population]]:
    """The people that a run counts, by need."""
    shelf = space.shelf
    found = {}
    for answer in report.answers:
        chosen = plan(shelf, report.arguments["areas"], None, report.arguments["years"])  # type: ignore[arg-type]
        known = [read_known(shelf, use.source) for use in answer.model.known]
        found[answer.model.need] = people_for(shelf, gap_years(shelf, chosen, known, None)[1], answer.rates)
    return found


def run(space: Workspace, **fields: object) -> tuple[Report, dict[str, list[Population]]]:
    report = assess(Request(workspace=space.root, draws=DRAWS, **fields))  # type: ignore[arg-type]
    return report, people_of(space, report)


def guard(
    space: Workspace,
    report: Report,
    people: dict[str, list[Population]],
    preset: str = "nhs_hes",
    nesting: Nesting = APART,
    ledger: PublicationLedger | None = None,
) -> Report:
    return protect(report, preset, ledger, shelf=space.shelf, populations=people, nesting=nesting)


def rows_of(report: Report, area: str, subgroup: tuple[str, str, str] = WHOLE, n: int = 0) -> dict[str, pd.Series]:
    table = report.answers[n].figures
    severity, sex, age = subgroup
    here = table[
        (table.area_code == area) & (table.severity == severity) & (table.sex == sex) & (table.age_band == age)
    ]
    return {row["quantity"]: row for _, row in here.iterrows() if "R711" not in row["flags"]}


def attack(before: Report, report: Report, area: str, subgroup: tuple[str, str, str] = WHOLE) -> Iterator[float]:
    """What each figure gives away of a count to a reader who has the engine, its seed and the draws of need."""
    rows, target = rows_of(report, area, subgroup), report.answers[0].model.target
    need = float(rows["need"]["estimate"])
    yield float(rows["known"]["estimate"])
    yield need - float(rows["gap"]["estimate"])
    yield float(rows["coverage"]["upper"]) * float(rows["need"]["lower"])
    if target is not None:
        yield target.coverage * need - float(rows["target_shortfall"]["estimate"])
    if area in report.answers[0].leverages and subgroup == WHOLE:
        yield need - need / report.answers[0].leverages[area]
    drawn = next((drawn for (_, _, code), drawn in before.answers[0].draws.items() if code == area), None)
    if drawn is None or subgroup != WHOLE:
        return
    point = float(rows_of(before, area)["need"]["estimate"])
    for count in range(60):
        guess = KnownPeople(float(count), np.full(DRAWS, count), np.full(DRAWS, count), (count, count))
        found = figures(point, drawn, guess, 0.95, target.coverage if target else None)
        same = [
            np.isclose(float(getattr(found[name], part)), float(rows[name][part]), rtol=1e-9)
            for name, part in (("gap", "lower"), ("gap", "upper"), ("coverage", "estimate"), ("coverage", "lower"))
        ]
        if all(same) and found["p_known_exceeds_need"].estimate == rows["p_known_exceeds_need"]["estimate"]:
            yield float(count)


@pytest.fixture
def planted(small: Workspace) -> Workspace:
    """One area with three people known, another with 22."""
    small.known(rows=small.count_rows({"N01": 3, "S02": 22}))
    small.model(known=[{"source": "own-register"}], target={"coverage": 0.6, "source": "the council"})
    return small


def test_every_figure_gives_a_small_count_away_before_and_none_after(planted: Workspace) -> None:
    report, people = run(planted, keep_draws=True)
    found = list(attack(report, report, "N01"))
    assert len(found) == 6
    assert np.allclose(found[:2] + found[3:], 3)
    after = guard(planted, report, people)
    assert all(np.isnan(value) for value in attack(report, after, "N01"))
    for quantity in DERIVED:
        row = rows_of(after, "N01")[quantity]
        assert pd.isna([row["estimate"], row["lower"], row["upper"], row["probability"]]).all()
        assert {"N1004", "W1002"} <= set(row["flags"].split())
        assert not {"W722", "W723"} & set(row["flags"].split())
    assert "N01" not in after.answers[0].leverages
    assert not after.answers[0].draws
    assert after.arguments["keep_draws"] is False
    assert after.arguments["disclosure"] == "nhs_hes"


def test_what_rests_on_a_rounded_count_is_that_of_the_rounded_count(planted: Workspace) -> None:
    report, people = run(planted, keep_draws=True)
    after = guard(planted, report, people)
    rows = rows_of(after, "S02")
    assert [rows["known"][part] for part in ("estimate", "lower", "upper")] == [20, 18, 22]
    assert rows["need"]["estimate"] % 10 == 0
    assert rows["need"]["estimate"] - rows["gap"]["estimate"] == 20
    assert after.answers[0].leverages["S02"] == rows["need"]["estimate"] / rows["gap"]["estimate"]
    recovered = [value for value in attack(report, after, "S02") if np.isclose(value, 22, atol=0.01)]
    assert not recovered
    planted.known(rows=planted.count_rows({"N01": 3, "S02": 20}))
    again, _ = run(planted)
    other = guard(planted, again, people)
    pd.testing.assert_frame_equal(after.answers[0].figures, other.answers[0].figures)


def test_reports_of_counts_that_print_alike_are_alike(planted: Workspace) -> None:
    """Whatever is published is a function of the printed counts: nothing else can be learnt from it."""
    tables = []
    for small, large in ((1, 18), (3, 20), (7, 22)):
        planted.known(rows=planted.count_rows({"N01": small, "S02": large}))
        after = guard(planted, *run(planted))
        found = after.answers[0]
        said = json.dumps([
            [str(fault) for fault in after.refusals], list(after.notes), list(found.notes), list(after.flags),
            dict(found.leverages), str(after.arguments),
            [(str(k.source), k.count.tolist(), k.lower.tolist(), k.upper.tolist()) for k in found.known],
            [str(source) for source in found.citations], found.model.model_dump(mode="json"),
        ])  # fmt: skip
        tables.append((found.figures, said))
    for table, said in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0][0])
        assert said == tables[0][1]


def test_protection_is_idempotent_and_nought_stays_nought(planted: Workspace) -> None:
    planted.known(rows=planted.count_rows({"N01": 0, "S02": 5}))
    report, people = run(planted)
    once = guard(planted, report, people)
    assert rows_of(once, "N01")["known"]["estimate"] == 0
    assert rows_of(once, "N01")["gap"]["estimate"] == rows_of(once, "N01")["need"]["estimate"]
    twice = guard(planted, once, people)
    pd.testing.assert_frame_equal(once.answers[0].figures, twice.answers[0].figures)
    assert once.arguments == twice.arguments
    assert once.answers[0].notes == twice.answers[0].notes


def test_none_is_no_protection(planted: Workspace) -> None:
    report, _ = run(planted)
    assert protect(report, "none") is report
    with pytest.raises(DisclosureError, match="unknown"):
        protect(report, "secret")


def test_without_the_people_nothing_is_said_of_how_sure(planted: Workspace) -> None:
    report, _ = run(planted)
    after = protect(report, "nhs_hes", shelf=planted.shelf, nesting=APART)
    gap = rows_of(after, "S02")["gap"]
    assert gap["estimate"] == rows_of(after, "S02")["need"]["estimate"] - 20
    assert pd.isna([gap["lower"], gap["upper"], gap["probability"]]).all()


def test_a_publisher_s_own_protection_stands(small: Workspace) -> None:
    hidden = {"suppressed": "*", "range": [1, 7], "rounded_to": None}
    small.known(rows=small.count_rows({"N01": "*", "S02": 22}), disclosure=hidden)
    report, people = run(small)
    after = guard(small, report, people)
    pd.testing.assert_frame_equal(after.answers[0].figures, report.answers[0].figures)


def by_sex_and_age(space: Workspace, counts: tuple[int, int, int, int], code: str = "N01") -> list[dict[str, object]]:
    cells = [(sex, low, high) for sex in ("female", "male") for low, high in ((65, 74), (75, ""))]
    return [
        {
            "area_code": code,
            "area_name": code,
            "year": 2024,
            "sex": sex,
            "age_from": low,
            "age_to": high,
            "count": count,
        }
        for (sex, low, high), count in zip(cells, counts, strict=True)
    ]


@pytest.mark.parametrize("preset", ["nhs_hes", "dfe", "lt5", UNROUNDED])
def test_subgroups_and_their_totals(small: Workspace, preset: str) -> None:
    small.known(rows=by_sex_and_age(small, (2, 20, 12, 15)))
    report, people = run(small, areas=("N01",))
    after = guard(small, report, people, preset)
    assert np.isnan(rows_of(after, "N01", ("", "female", "65-74"))["known"]["estimate"])
    shown = {
        (row["sex"], row["age_band"]): row["estimate"]
        for _, row in after.answers[0].figures.iterrows() if row["quantity"] == "known" and not pd.isna(row["estimate"])
    }  # fmt: skip
    female, rest = shown.get(("female", "all")), shown.get(("female", "75+"))
    if preset == UNROUNDED:
        assert None in (female, rest)
    else:
        assert (female, rest) == (20, 20)
    assert not list(leaks(after.answers[0]))


def test_the_gap_added_up_is_withheld_with_its_parts(small: Workspace) -> None:
    small.known(rows=by_sex_and_age(small, (2, 20, 12, 15)))
    report, people = run(small, areas=("N01",))
    assert np.isnan(rows_of(guard(small, report, people), "N01")["gap_positive"]["estimate"])
    small.known(rows=by_sex_and_age(small, (11, 20, 12, 15)))
    report, people = run(small, areas=("N01",))
    positive = rows_of(guard(small, report, people), "N01")["gap_positive"]
    assert positive["estimate"] % 5 == 0
    assert positive["lower"] < positive["estimate"] < positive["upper"]


def wards(
    space: Workspace, counts: dict[str, int], printed: tuple[str, ...]
) -> tuple[Report, dict[str, list[Population]]]:
    space.population(rows=space.people_rows(areas=AREAS))
    space.known(rows=[row | {"area_name": AREAS[str(row["area_code"])]} for row in space.count_rows(counts)])
    return run(space, areas=printed)


COUNTS = {"E06000001": 99, "E05000001": 40, "E05000002": 57, "E05000003": 2}


def test_an_authority_less_its_wards(small: Workspace, tmp_path: Path) -> None:
    report, people = wards(small, COUNTS, tuple(AREAS))
    known = {area: float(rows_of(report, area)["known"]["estimate"]) for area in AREAS}
    assert known["E06000001"] - known["E05000001"] - known["E05000002"] == 2
    with pytest.raises(DisclosureError, match="W1002"):
        guard(small, report, people, UNROUNDED, nesting=WARDS)
    after = guard(small, report, people, UNROUNDED, nesting=WARDS, ledger=PublicationLedger(tmp_path / "ledger"))
    known = {area: float(rows_of(after, area)["known"]["estimate"]) for area in AREAS}
    assert np.isnan(known["E05000003"])
    assert np.isnan(sum(known[area] for area in tuple(AREAS)[:3]))


def test_this_release_and_an_earlier_one(small: Workspace, tmp_path: Path) -> None:
    """The wards last year, the authority this year: the ward that is left out is what is left."""
    ledger = PublicationLedger(tmp_path / "ledger")
    first, people = wards(small, COUNTS, ("E05000001", "E05000002"))
    out = guard(small, first, people, UNROUNDED, nesting=WARDS, ledger=ledger)
    assert rows_of(out, "E05000001")["known"]["estimate"] == 40
    assert not ledger.path.exists()
    assert ledger.record() == 3
    text = ledger.path.read_text(encoding="utf-8")
    assert "truth" not in text
    second, whole = wards(small, COUNTS, ("E06000001",))
    alone = guard(small, second, whole, UNROUNDED, nesting=WARDS)
    assert rows_of(alone, "E06000001")["known"]["estimate"] == 99
    again = PublicationLedger(tmp_path / "ledger")
    assert len(again.released) == 3
    after = guard(small, second, whole, UNROUNDED, nesting=WARDS, ledger=again)
    assert np.isnan(rows_of(after, "E06000001")["known"]["estimate"])
    repeated = guard(small, first, people, UNROUNDED, nesting=WARDS, ledger=again)
    pd.testing.assert_frame_equal(repeated.answers[0].figures, out.answers[0].figures)


def two_bandings(space: Workspace) -> None:
    bands = ((0, 17), (18, 18), (19, 64), (65, None))
    ages = ((0, 17), (18, 18))
    rates = [row | {"age_from": low, "age_to": high} for low, high in ages for row in space.rates_rows()[::2]]
    space.prevalence(rows=rates)
    space.population(rows=space.people_rows(bands=bands, size=60_000))
    who = {"area_code": "N01", "area_name": "N", "year": 2024, "sex": "persons"}
    counts = zip(ages, (60, 2), strict=True)
    space.known(rows=[who | {"age_from": low, "age_to": high, "count": count} for (low, high), count in counts])
    (space.root / "models" / "sleeplessness.yaml").unlink()
    space.model("children", ages="0-17", known=[{"source": "own-register"}])
    space.model("young-people", ages="0-18", known=[{"source": "own-register"}])


def test_children_to_17_and_to_18(small: Workspace, tmp_path: Path) -> None:
    two_bandings(small)
    report, people = run(small, areas=("N01",), by=())
    known = [float(rows_of(report, "N01", n=n)["known"]["estimate"]) for n in (0, 1)]
    assert known[1] - known[0] == 2
    with pytest.raises(DisclosureError, match="W1002"):
        guard(small, report, people, UNROUNDED)
    after = guard(small, report, people, UNROUNDED, ledger=PublicationLedger(tmp_path))
    known = [float(rows_of(after, "N01", n=n)["known"]["estimate"]) for n in (0, 1)]
    assert np.isnan(known[1] - known[0])
    rounded = guard(small, report, people, "nhs_hes", ledger=PublicationLedger(tmp_path))
    assert [float(rows_of(rounded, "N01", n=n)["known"]["estimate"]) for n in (0, 1)] == [60, 60]


def test_a_year_later_the_other_banding(small: Workspace, tmp_path: Path) -> None:
    two_bandings(small)
    ledger = PublicationLedger(tmp_path)
    first, people = run(small, areas=("N01",), by=(), needs=("children",))
    guard(small, first, people, UNROUNDED, ledger=ledger)
    ledger.record()
    second, people = run(small, areas=("N01",), by=(), needs=("young-people",))
    after = guard(small, second, people, UNROUNDED, ledger=PublicationLedger(tmp_path))
    assert np.isnan(rows_of(after, "N01")["known"]["estimate"])


def test_a_revised_count_is_not_set_against_the_earlier_one(small: Workspace, tmp_path: Path) -> None:
    ledger = PublicationLedger(tmp_path)
    report, people = run(small)
    guard(small, report, people, ledger=ledger)
    assert ledger.record() == 2
    small.known(rows=small.count_rows({"N01": 340, "S02": 410}))
    after = guard(small, *run(small), ledger=PublicationLedger(tmp_path))
    assert rows_of(after, "N01")["known"]["estimate"] == 340
    assert any("revised" in note for note in after.notes)


def test_a_spoilt_ledger_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "released.jsonl").write_text('{"area": "N01"}\n', encoding="utf-8")
    with pytest.raises(DisclosureError, match="R1004"):
        PublicationLedger(tmp_path)


def test_a_refused_gap_lists_the_protected_count(small: Workspace) -> None:
    small.known(rows=small.count_rows({"N01": 3, "S02": 22}), condition="snoring")
    report, people = run(small)
    assert "known 3" in str(report.refusals[0])
    after = guard(small, report, people)
    assert "known hidden" in str(after.refusals[0])
    assert "known 20" in str(after.refusals[1])
    table = after.answers[0].figures
    assert table[table.quantity == "known"]["estimate"].isna().tolist() == [True, False]


def test_two_services_and_what_they_share(small: Workspace) -> None:
    small.known(rows=small.count_rows({"N01": 31}))
    small.known("clinic", rows=small.count_rows({"N01": 23}), service="clinic")
    uses = [{"source": "own-register"}, {"source": "clinic"}]
    overlap = [{"services": ["own-register", "clinic"], "people": 4, "source": "audit"}]
    small.model(known=uses, overlaps=overlap)
    report, people = run(small, areas=("N01",))
    after = guard(small, report, people)
    known = rows_of(after, "N01")["known"]
    assert np.isnan(known["estimate"])
    assert (known["lower"], known["upper"]) == (28, 59)
    assert not after.answers[0].model.overlaps
    small.known("clinic", rows=small.count_rows({"N01": 3}), service="clinic")
    small.model(known=uses)
    after = guard(small, *run(small, areas=("N01",)))
    assert np.isnan(rows_of(after, "N01")["known"]["lower"])


def test_fingerprints_of_counts_are_withheld(small: Workspace) -> None:
    report, people = run(small)
    after = guard(small, report, people)
    held = {source.id: getattr(source, "sha256", None) for source in after.citations}
    assert held["own-register"] is None
    assert len(after.answers[0].known[0]) == 2
    assert after.answers[0].known[0].count.tolist() == [300, 410]


def test_small_groups_of_people_are_hidden_whatever_the_count(small: Workspace) -> None:
    small.population(rows=small.people_rows(size=100))
    small.known(rows=small.count_rows({"N01": 30, "S02": 0}))
    after = guard(small, *run(small))
    assert np.isnan(rows_of(after, "N01")["known"]["estimate"])
    assert rows_of(after, "S02")["known"]["estimate"] == 0


def test_a_tampered_figure_is_found(planted: Workspace) -> None:
    after = guard(planted, *run(planted)).answers[0]
    assert not list(leaks(after))
    for area, value in (("N01", 3.0), ("S02", 22.0)):
        table = after.figures.copy()
        at = (table.area_code == area) & (table.quantity == "gap")
        need = float(table[(table.area_code == area) & (table.quantity == "need")]["estimate"].iloc[0])
        table.loc[at, "estimate"] = need - value
        assert list(leaks(replace(after, figures=table)))


def local(space: Workspace, **fields: object) -> None:
    shipped = read_presets(Shelf()).rules["nhs_hes"].model_dump()
    preset = shipped | {
        "hides": [1, 9],
        "rounds_to": 10,
        "national_exempt": False,
        "topics": ["self-harm"],
        "citation": CITATION,
    }
    folder = space.root / "data" / "standards"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "disclosure.yaml").write_text(json.dumps({"presets": {"ours": preset | fields}}), encoding="utf-8")


def test_a_sensitive_topic_needs_a_rule_of_its_own(small: Workspace) -> None:
    small.known(rows=small.count_rows({"N01": 30, "S02": 44}), service="the self-harm clinic")
    report, people = run(small)
    with pytest.raises(DisclosureError, match=r"R1001.*self-harm"):
        guard(small, report, people, "default")
    local(small, hides=[1, 7], rounds_to=5)
    with pytest.raises(DisclosureError, match="no stricter"):
        guard(small, report, people, "ours")
    local(small)
    after = guard(small, report, people, "ours")
    assert [rows_of(after, area)["known"]["estimate"] for area in ("N01", "S02")] == [30, 40]


def test_a_shipped_rule_is_not_redefined(small: Workspace) -> None:
    local(small)
    path = small.root / "data" / "standards" / "disclosure.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace('"ours"', '"nhs_hes"'), encoding="utf-8")
    with pytest.raises(SourceError, match="not redefined"):
        read_presets(small.shelf)


def test_the_default_goes_with_the_kind_of_count(small: Workspace) -> None:
    presets = read_presets(Shelf())
    shelf = Shelf()
    names = ("qof-dementia-2019-20", "dfe-looked-after-children-2025")
    kinds = {name: presets.kind_of(shelf.record(KnownSource, name)) for name in names}
    assert list(kinds.values()) == ["nhs_hes", "dfe"]
    for preset in presets.rules.values():
        assert preset.citation.title
        assert preset.hides[0] == 1
