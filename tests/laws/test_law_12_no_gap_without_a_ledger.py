"""Law 12. No gap without an alignment ledger: what differs is bridged by a named transform, or the gap is refused."""

import pytest

from hna.answers.gap import gap
from hna.answers.need import need
from hna.answers.residents import read_counts
from hna.errors import AlignmentError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.model.rates import make_rates
from hna.model.spec import KnownUse
from hna.run import Request, assess
from tests.answers.test_residents import flows

ITEMS = {
    "definition", "severity", "age range", "sex", "geography", "population base", "time basis", "reference date",
    "unit",
}  # fmt: skip
BRIDGE = {"because": "both count the same people, as was shown", "citation": "Council paper 8"}

MISMATCHES = {
    "another condition": ({"condition": "falls"}, {}, "definition", "R711"),
    "all ages": ({}, {"low": 0}, "age range", "R711"),
    "fewer ages": ({}, {"low": 75}, "age range", "R711"),
    "registered": ({"base": "registered"}, {}, "population base", "R711"),
    "a year's people": ({"count_kind": "people-period-12"}, {}, "time basis", "R711"),
    "episodes": ({"count_kind": "episodes"}, {}, "unit", "R604"),
    "referrals": ({"count_kind": "referrals"}, {}, "unit", "R604"),
    "one severity": ({}, {"severity": "severe"}, "severity", "R711"),
    "women only": ({}, {"sex": "female"}, "sex", "R711"),
}
BRIDGES = {
    "another condition": {"bridges": {"definition": BRIDGE}},
    "all ages": {"factors": {"ages": [0.9, 0.95], "because": "register by age"}},
    "registered": {"factors": {"resident": [0.96, 0.99], "because": "practice by area file"}},
    "a year's people": {"factors": {"active": [0.5, 0.7], "because": "mean length of stay"}},
    "one severity": {"bridges": {"severity": BRIDGE}},
}


def _gap(small, name, use=None, prevalence=None):
    fields, rows, _, _ = MISMATCHES[name]
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}, **rows), **fields)
    rates = make_rates(prevalence or small.model(), small.shelf, 100, 1)
    found = need(rates, read_population(small.shelf, "own-people"))
    counts = read_known(small.shelf, "own-register")
    return gap(found, counts, None if use is None else KnownUse(source="own-register", **use))


def test_a_gap_that_is_formed_has_every_item_in_its_ledger(small):
    rates = make_rates(small.model(), small.shelf, 100, 1)
    found = gap(need(rates, read_population(small.shelf, "own-people")), read_known(small.shelf, "own-register"))
    ledger = found.ledger
    for area in small.areas:
        here = ledger[ledger.area == area]
        assert set(here["item"]) == ITEMS
        assert set(here["verdict"]) == {"equal"}


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_difference_refuses_the_gap_and_says_which(small, name):
    _, _, item, code = MISMATCHES[name]
    with pytest.raises(AlignmentError) as caught:
        _gap(small, name)
    said = str(caught.value)
    assert "R711" in said
    assert code in said
    assert item in said
    assert "own-register" in said
    assert all(fault.remedy for fault in caught.value.faults)


@pytest.mark.parametrize("name", BRIDGES)
def test_a_named_and_cited_bridge_lifts_the_refusal(small, name):
    found = _gap(small, name, BRIDGES[name])
    _, _, item, _ = MISMATCHES[name]
    bridged = found.ledger.query("verdict == 'bridged'")
    assert set(bridged["item"]) == {item}
    assert bridged.how.str.len().min() > 5


@pytest.mark.parametrize("name", ["episodes", "referrals"])
def test_episodes_are_people_by_no_bridge_on_offer(small, name):
    with pytest.raises(AlignmentError, match="R604"):
        _gap(small, name, {"bridges": {"time basis": BRIDGE}, "factors": {"active": 0.5, "because": "hope"}})


@pytest.mark.parametrize(
    "use", [None, {"bridges": {"time basis": BRIDGE}}, {"factors": {"active": 0.5, "because": "x"}}]
)
@pytest.mark.parametrize("kind", ["people-point", "people-period-12"])
def test_a_lifetime_prevalence_meets_no_count(small, use, kind):
    small.prevalence(rows=small.rates_rows(), measure="lifetime")
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), count_kind=kind)
    rates = make_rates(small.model(), small.shelf, 100, 1)
    found = need(rates, read_population(small.shelf, "own-people"))
    with pytest.raises(AlignmentError, match="R171"):
        gap(found, read_known(small.shelf, "own-register"), use and KnownUse(source="own-register", **use))


def test_a_year_of_people_meets_a_year_of_prevalence(small):
    small.prevalence(rows=small.rates_rows(), measure="period-12")
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), count_kind="people-period-12")
    rates = make_rates(small.model(), small.shelf, 100, 1)
    found = gap(need(rates, read_population(small.shelf, "own-people")), read_known(small.shelf, "own-register"))
    assert set(found.ledger["verdict"]) == {"equal"}


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_run_lists_the_two_numbers_side_by_side_and_forms_no_gap(small, name):
    fields, rows, _, code = MISMATCHES[name]
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}, **rows), **fields)
    (answer,) = assess(Request(workspace=small.root, draws=100)).answers
    quantities = set(answer.figures.quantity)
    assert {"need", "known"} <= quantities
    assert not {"gap", "coverage", "gap_positive", "p_known_exceeds_need"} & quantities
    known = answer.figures.query("quantity == 'known' and area_code == 'N01'").iloc[0]
    assert known.estimate == 300
    assert code in known["flags"].split()
    assert len(answer.refusals) == 2
    assert all("not comparable" in str(fault) and "known" in str(fault) for fault in answer.refusals)


def test_counts_of_another_day_are_bridged_openly_and_flagged(small):
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), reference_date="2022-03-31")
    (answer,) = assess(Request(workspace=small.root, draws=100)).answers
    entry = next(entry for entry in answer.ledgers[0].entries if entry.item == "reference date")
    assert entry.verdict == "bridged"
    assert "27 months" in entry.how
    assert "W605" in answer.flags


def test_practices_meet_residents_only_where_their_patients_were_followed_home(small):
    """The same count of the same area code: refused as registered, aligned once patients are counted where they live."""
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), base="registered")
    flows(small, {("N01", "N01"): 60_000, ("S02", "S02"): 60_000})
    found = need(make_rates(small.shelf_model(), small.shelf, 50, 1), read_population(small.shelf, "own-people"))
    counts = read_known(small.shelf, "own-register")
    with pytest.raises(AlignmentError, match="R711"):
        gap(found, counts)
    use = KnownUse.model_validate({"source": "own-register", "residents": {"flows": "own-flows", "because": "a test"}})
    with pytest.raises(AlignmentError, match="R711"):
        gap(found, counts, use)
    formed = gap(found, read_counts(small.shelf, use), use)
    entries = formed.ledger.query("item == 'population base'")
    assert entries[["need_side", "known_side", "verdict"]].drop_duplicates().values.tolist() == [
        ["resident", "registered", "bridged"]
    ]
    assert "W521" in formed.flags
