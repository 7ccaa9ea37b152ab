"""Indicators are of what was observed: estimates of need are refused, limits are not added, and ratios stay apart."""

import numpy as np
import pytest

import hna
from hna.answers.need import need
from hna.errors import AxisError, QuantityError
from hna.evidence.population import read_population
from hna.indicators import benchmark, inequality, rates, standardise
from hna.indicators.moran import moran
from hna.model.rates import make_rates


@pytest.fixture
def estimated(small):
    return need(make_rates(small.shelf_model(), small.shelf, 100, 1), read_population(small.shelf, "own-people"))


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("R821", lambda given: inequality.slope_index(given, [9.0] * 5, kind="rate")),
        ("R821", lambda given: inequality.deprivation_gap(given, [1.0] * 5, [3.0] * 5)),
        ("R821", lambda given: inequality.concentration_index(given, [9.0] * 5)),
        ("R881", lambda given: moran(given, ["A"], [])),
        ("R401", lambda given: benchmark.compare(given, [1.0], [3.0], [2.0])),
    ],
)
def test_an_estimate_of_need_is_not_tested_mapped_or_ranked_by_deprivation(estimated, code, call):
    with pytest.raises(QuantityError, match="estimate of need") as caught:
        call(estimated)
    assert caught.value.codes == (code,)


def test_what_was_observed_is_taken():
    values = [50.0, 45, 40, 33, 30]
    assert inequality.slope_index(values, [900.0] * 5, kind="rate", per=1000, draws=2000).sii.value < 0
    assert inequality.deprivation_gap(values, np.subtract(values, 5), np.add(values, 5)).absolute.value == 20


def test_limits_are_never_added():
    one, other = rates.proportion(65, 100), rates.proportion(30, 90)
    for add in (lambda: one + other, lambda: sum([one, other]), lambda: standardise.Interval(*one) + other):
        with pytest.raises(QuantityError, match="draws") as caught:
            add()
        assert caught.value.codes == ("R741",)
    value, lower, upper = rates.proportion(95, 190)
    assert lower < value < upper


def test_needs_drawn_apart_are_not_set_against_each_other(small):
    people = read_population(small.shelf, "own-people")
    small.prevalence("second", rows=small.rates_rows())
    small.model(need="second", prevalence={"sources": ["second"], "errors": small.exact})
    made = {
        (name, seed): need(make_rates(small.shelf_model(name), small.shelf, 100, seed), people)
        for name in ("sleeplessness", "second")
        for seed in (1, 2)
    }
    with pytest.raises(AxisError, match="drawn apart") as caught:
        hna.any_need([made["sleeplessness", 1], made["second", 2]])
    assert caught.value.codes == ("R742",)
    assert len(hna.any_need([made["sleeplessness", 1], made["second", 1]])) == 2


def test_ratios_of_several_areas_say_that_they_are_not_compared():
    events, people = np.array([[12, 30, 58], [9, 25, 70]]), np.array([[8000, 9000, 5000]] * 2)
    reference = (0.001, 0.0026, 0.015)
    assert standardise.indirect(events, people, reference).flags.tolist() == ["W812", "W812"]
    several = standardise.indirect_rate(events, people, [10, 26, 150], [10_000] * 3)
    assert several.flags.tolist() == ["W812", "W812"]
    assert standardise.indirect(events[0], people[0], reference).flags == ""


def test_counts_worked_out_from_rates_are_told():
    counts, people = np.array([50.0, 61, 44]), np.array([1000.0, 1500, 900])
    back = benchmark.recover_counts(np.round(counts / people * 1000, 2), people, 1000, 2)
    assert benchmark.neighbour_average(back, people, recovered=[True, False, False]).flags == "W864"
    assert benchmark.neighbour_average(back, people).flags == ""
    back[0] = np.nan
    assert benchmark.neighbour_average(back, people, recovered=[True, False, False]).flags == "W861"
    assert benchmark.neighbour_average(back, people, recovered=True).flags == "W861 W864"
