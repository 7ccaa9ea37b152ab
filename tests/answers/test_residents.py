"""Counts by practice brought to where the patients live: what adds up, what stays hidden, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hna
from hna.answers.known_people import known_people
from hna.answers.residents import read_counts
from hna.checks import check_shelf
from hna.errors import HnaError
from hna.evidence.known import read_known
from hna.model.spec import KnownUse
from hna.run import Request, run
from tests.conftest import CITATION, _write

BRIDGE = {"flows": "own-flows", "because": "no known difference within a practice"}
PEOPLE = {("P1", "N01"): 30_000, ("P1", "S02"): 10_000, ("P2", "N01"): 5_000, ("P2", "S02"): 45_000,
          ("P3", "N01"): 25_000, ("P3", "elsewhere"): 5_000}  # fmt: skip
COUNTS = {"P1": 160, "P2": 300, "P3": 120}


def flows(small, people=PEOPLE, **fields):
    record = {
        "id": "own-flows", "kind": "flows", "reference_date": "2024-07-01", "citation": CITATION,
        "read_from": "primary table",
    }  # fmt: skip
    rows = [
        {"practice_code": practice, "area_code": area, "area_name": small.areas.get(area, area), "persons": persons}
        for (practice, area), persons in people.items()
    ]
    _write(small.root / "data" / "flows" / "own-flows", record | fields, rows)


@pytest.fixture
def practices(small):
    """A register by practice, the flows of its patients, and people of all ages in two areas."""
    small.known("by-practice", rows=small.count_rows(COUNTS), base="registered")
    flows(small)
    small.model(known=[{"source": "by-practice", "residents": BRIDGE}])
    return small


def use(**more):
    return KnownUse.model_validate({"source": "by-practice", "residents": BRIDGE | more})


def test_practices_are_divided_as_their_patients_are(practices):
    found = read_counts(practices.shelf, use())
    by_area = dict(zip(found.area_code.tolist(), found.count.tolist(), strict=True))
    assert by_area == pytest.approx({"N01": 160 * 0.75 + 300 * 0.1 + 120 * 5 / 6, "S02": 160 * 0.25 + 300 * 0.9})
    assert (found.base, found.source.base) == ("resident", "registered")
    assert [source.id for source in found.cited] == ["by-practice", "own-flows"]
    assert any("elsewhere" not in note and "wherever they live" in note for note in found.origin.notes)


def test_the_gap_stands_only_with_the_bridge(practices, tmp_path):
    report, _ = run(Request(("sleeplessness",), draws=200, workspace=practices.root), tmp_path / "with")
    rows = pd.read_csv(tmp_path / "with" / "gap.csv").set_index(["area_code", "quantity", "sex", "age_band"])
    assert rows.loc[("N01", "known", "persons", "all"), "estimate"] == pytest.approx(250)
    gap = rows.loc[("N01", "gap", "persons", "all")]
    assert np.isfinite(gap["estimate"])
    assert "W521" in gap["flags"].split()
    assert not report.refusals
    (entry,) = {
        entry for ledger in report.answers[0].ledgers for entry in ledger.entries if entry.item == "population base"
    }
    assert (entry.verdict, entry.known) == ("bridged", "registered")
    assert "own-flows" in entry.how
    assert BRIDGE["because"] in entry.how
    assert "own-flows" in {source.id for source in report.citations}
    practices.known("by-practice", rows=practices.count_rows({"N01": 250, "S02": 310}), base="registered")
    practices.model(known=[{"source": "by-practice"}])
    refused, _ = run(Request(("sleeplessness",), draws=200, workspace=practices.root), tmp_path / "without")
    assert any("R711" in str(fault) and "known.residents" in str(fault) for fault in refused.refusals)


def test_the_public_face_takes_the_bridge_too(practices):
    model = practices.shelf_model()
    counts = hna.known("by-practice", ["Northmere"], practices.root, use=model.known[0])
    need = hna.need(
        hna.rates(model, draws=100, workspace=practices.root), hna.population("own-people", workspace=practices.root)
    )
    found = hna.gap(need, counts)
    assert (found.ledger.query("item == 'population base'").verdict == "bridged").all()
    assert "W521" in found.flags


def test_hidden_and_rounded_counts_stay_so_through_it(practices):
    hidden = {"suppressed": "*", "range": [1, 7], "rounded_to": 5}
    practices.known(
        "by-practice", rows=practices.count_rows(COUNTS | {"P2": "*"}), base="registered", disclosure=hidden
    )
    found = read_counts(practices.shelf, use())
    assert np.isnan(found.count).all()
    north = found.take(found.area_code == "N01")
    assert north.lower[0] == pytest.approx(0.75 * 158 + 0.1 * 1 + 5 / 6 * 118)
    assert north.upper[0] == pytest.approx(0.75 * 162 + 0.1 * 7 + 5 / 6 * 122)
    people = [known_people(found, found.area_code == code, use(), 1, 2000) for code in ("N01", "S02")]
    assert people[0].point is None
    assert people[0].printed == pytest.approx((north.lower[0], north.upper[0]))
    practices.known("by-practice", rows=practices.count_rows(COUNTS), base="registered", disclosure=hidden)
    found = read_counts(practices.shelf, use())
    drawn = [known_people(found, found.area_code == code, use(), 1, 2000).low for code in ("N01", "S02")]
    whole = read_known(practices.shelf, "by-practice")
    each = [known_people(whole, whole.area_code == code, KnownUse(source="x"), 1, 2000).low for code in COUNTS]
    np.testing.assert_allclose(drawn[0], 0.75 * each[0] + 0.1 * each[1] + 5 / 6 * each[2], rtol=1e-12)
    np.testing.assert_allclose(sum(drawn), each[0] + each[1] + 5 / 6 * each[2], rtol=1e-12)


@settings(max_examples=5)
@given(st.lists(st.lists(st.integers(0, 500), min_size=2, max_size=2), min_size=3, max_size=3),
       st.lists(st.integers(0, 90), min_size=3, max_size=3))  # fmt: skip
def test_nobody_is_lost_and_nobody_counted_twice(practices, people, counts):
    if min(sum(row) for row in people) == 0:
        people = [[one + 1 for one in row] for row in people]
    table = {
        (f"P{n + 1}", area): row[a] + 20_000 for n, row in enumerate(people) for a, area in enumerate(("N01", "S02"))
    }
    flows(practices, table)
    practices.known(
        "by-practice", rows=practices.count_rows({f"P{n + 1}": one for n, one in enumerate(counts)}), base="registered"
    )
    found = read_counts(practices.shelf, use())
    assert found.count.sum() == pytest.approx(sum(counts), abs=1e-9)


def test_small_areas_are_added_up_by_a_lookup(practices):
    fine = {(practice, f"{area}-{n}"): persons // 2 for (practice, area), persons in PEOPLE.items() for n in range(2)}
    flows(practices, fine)
    with pytest.raises(HnaError, match=r"residents\.areas"):
        read_counts(practices.shelf, use())
    practices.lookup("own-lookup", [
        {"child": f"{area}-{n}", "parent": area, "vintage": 2024, "best_fit": 0} for area in practices.areas for n in range(2)
    ])  # fmt: skip
    found = read_counts(practices.shelf, use(areas="own-lookup"))
    assert dict(zip(found.area_code.tolist(), found.count.tolist(), strict=True)) == pytest.approx(
        {"N01": 250, "S02": 310}
    )


def test_an_area_whose_practices_are_not_all_counted_has_no_count(practices):
    practices.known("by-practice", rows=practices.count_rows({"P1": 160, "P3": 120}), base="registered")
    found = read_counts(practices.shelf, use())
    assert set(found.area_code) == {"N01"}
    assert any("Southmere" in note and "have no count" in note for note in found.origin.notes)
    practices.known("by-practice", rows=practices.count_rows({"P2": 160}), base="registered")
    flows(practices, {pair: persons // 10 for pair, persons in PEOPLE.items()})
    with pytest.raises(HnaError, match="R523"):
        read_counts(practices.shelf, use())


def test_what_is_not_all_there_is_refused(practices):
    practices.known("by-practice", rows=practices.count_rows(COUNTS | {"P9": 1}), base="registered")
    with pytest.raises(HnaError, match=r"R523.*P9"):
        read_counts(practices.shelf, use())
    practices.known("by-practice", rows=practices.count_rows(COUNTS), base="resident")
    with pytest.raises(HnaError, match="R523"):
        read_counts(practices.shelf, use())
    uneven = [*practices.count_rows(COUNTS), *practices.count_rows({"P1": 5}, year=2023)]
    practices.known("by-practice", rows=uneven, base="registered")
    with pytest.raises(HnaError, match="same cells"):
        read_counts(practices.shelf, use())
    with pytest.raises(HnaError, match="nowhere"):
        read_counts(practices.shelf, use(flows="nowhere"))


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ({**PEOPLE, ("P4", "N01"): -1}, "negative"),
        ({**PEOPLE, ("P4", "N01"): 0}, "nobody"),
        ({**PEOPLE, ("P4", ""): 5}, "blank"),
        ({**PEOPLE, ("P4", "N01"): "*"}, "not a number"),
    ],
)
def test_faults_of_a_table_are_told(practices, people, words):
    flows(practices, people)
    with pytest.raises(HnaError, match=words):
        read_counts(practices.shelf, use())


def test_check_reads_it(practices):
    assert not check_shelf(practices.shelf).faults
    flows(practices, {**PEOPLE, ("P4", "N01"): -1})
    assert any("negative" in str(fault) for fault in check_shelf(practices.shelf).faults)
