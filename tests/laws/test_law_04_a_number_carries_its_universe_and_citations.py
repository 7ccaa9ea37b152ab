"""Law 4. A number carries its quantity, universe and citations."""

import pytest

from hna.answers.gap import gap
from hna.answers.need import need
from hna.errors import AlignmentError, QuantityError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.source import fingerprint
from hna.measure.ages import AgeBand
from hna.model.rates import make_rates
from hna.run import Request, assess


@pytest.fixture
def estimated(small):
    rates = make_rates(small.model(), small.shelf, 50, 1)
    return rates, need(rates, read_population(small.shelf, "own-people"))


def _ids(estimate):
    return {source.id for source in estimate.citations}


def test_each_step_adds_the_sources_that_it_rests_on(small, estimated):
    rates, found = estimated
    net = gap(found, read_known(small.shelf, "own-register"))
    assert _ids(rates) == {"own-study"}
    assert _ids(found) == {"own-study", "own-people"}
    assert _ids(net) == _ids(net.coverage) == _ids(net.net) == {"own-study", "own-people", "own-register"}
    assert all("A. Analyst" in source.words for source in net.citations)


def test_what_is_counted_and_among_whom_travels_with_the_number(small, estimated):
    rates, found = estimated
    net = gap(found, read_known(small.shelf, "own-register"))
    kinds = [(one.quantity, one.unit) for one in (rates, found, net.net, net.coverage)]
    assert kinds == [
        ("prevalence", "proportion"),
        ("need", "people"),
        ("gap", "people"),
        ("coverage", "proportion"),
    ]
    for one in (rates, found, net.net, net.coverage, found.sum("area")):
        assert one.universe.condition == "sleeplessness"
        assert one.universe.ages == AgeBand(65, None)
        assert one.universe.period == "point"


def test_adding_up_keeps_the_envelope(estimated):
    _, found = estimated
    total = found.sum(["area", "year"])
    assert (total.citations, total.universe, total.flags) == (found.citations, found.universe, found.flags)
    assert total.headline.item() == pytest.approx(float(found.headline.sum()))


def test_proportions_are_not_added_up(estimated):
    rates, _ = estimated
    with pytest.raises(QuantityError, match="only people can be added up"):
        rates.sum("age")


def test_a_need_of_some_ages_does_not_meet_a_register_of_all(small, estimated):
    _, found = estimated
    small.known("everybody", rows=small.count_rows({"N01": 300, "S02": 410}, low=0))
    with pytest.raises(AlignmentError) as caught:
        gap(found, read_known(small.shelf, "everybody"))
    assert "R711" in caught.value.codes
    assert "need 65+, known all" in str(caught.value)


def test_every_figure_of_a_run_can_be_traced_to_its_sources(small):
    (answer,) = assess(Request(workspace=small.root, draws=50)).answers
    assert _ids(answer) == {"own-study", "own-people", "own-register"}
    tables = {path.parent.name: fingerprint(path) for path in small.root.rglob("table.csv")}
    assert {source.id: source.sha256 for source in answer.citations} == tables


def test_shipped_answers_cite_what_the_papers_are_called():
    report = assess(Request(needs=("dementia",), areas=("Halton",), years=(2020,), draws=50))
    words = " ".join(source.words for source in report.citations)
    for part in ("10.1016/S0140-6736(13)61570-6", "Office for National Statistics", "House of Commons Library"):
        assert part in words
