"""Counts of several services in one table are never added up as if nobody used two of them."""

import pytest

from hna.answers.gap import gap
from hna.answers.known_indicator import known_indicator
from hna.answers.need import need
from hna.errors import HnaError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.model.rates import make_rates
from hna.run import Request, assess


def _two(small, **more):
    counts = {"clinic": {"N01": 300, "S02": 410}, "helpline": {"N01": 200, "S02": 210}}
    small.known(
        rows=[row | {"service": name} for name, held in counts.items() for row in small.count_rows(held)], **more
    )


def test_people_of_two_services_lie_between_the_largest_and_the_sum(small):
    _two(small)
    figures = assess(Request(workspace=small.root, draws=100)).answers[0].figures
    known = figures.query("quantity == 'known' and area_code == 'N01'").iloc[0]
    assert (known.lower, known.upper) == (300, 500)
    assert known.isna().estimate
    assert "W601" in known["flags"].split()
    assert "N602" not in known["flags"].split()
    assert figures.query("quantity == 'gap' and area_code == 'N01'").iloc[0].isna().estimate


def test_python_bounds_them_too(small):
    _two(small)
    rates = make_rates(small.shelf_model(), small.shelf, 100, 1)
    found = gap(need(rates, read_population(small.shelf, "own-people")), read_known(small.shelf, "own-register"))
    table = found.interval().set_index(["area", "quantity"])
    assert tuple(table.loc[("N01", "known"), ["lower", "upper"]]) == (300, 500)
    assert "W601" in found.flags


def test_one_service_is_a_number(small):
    small.known(rows=[row | {"service": "clinic"} for row in small.count_rows({"N01": 300, "S02": 410})])
    figures = assess(Request(workspace=small.root, draws=100)).answers[0].figures
    assert figures.query("quantity == 'known' and area_code == 'N01'").iloc[0].estimate == 300


def test_where_one_number_is_needed_two_services_are_refused(small):
    _two(small)
    counts = read_known(small.shelf, "own-register")
    with pytest.raises(HnaError, match="clinic; helpline") as caught:
        known_indicator(counts, read_population(small.shelf, "own-people"), "65+")
    assert caught.value.codes == ("R611",)
    total = {"method": "benchmark", "source": "own-register", "benchmark": "N01", "because": "the whole service",
             "same_definition": "the same three questions, in the words of the service"}  # fmt: skip
    with pytest.raises(HnaError) as refused:
        make_rates(small.model(local=[total], known=[]), small.shelf, 100, 1)
    assert "R611" in refused.value.codes
