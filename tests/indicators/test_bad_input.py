import numpy as np
import pytest

from hna.errors import HnaError, QuantityError
from hna.indicators import benchmark, rates, standardise

EVENTS, POPULATION, WEIGHTS = (12, 30, 58), (8000, 9000, 5000), (27500, 40000, 32500)
RATES = (0.001, 0.0026, 0.015)

BAD = [
    (lambda: rates.count([4, -2, 3]), "events: is negative [group 1 = -2]"),
    (lambda: rates.crude_rate([4, 3], [10, -1]), "person_years: is not above 0 [group 1 = -1]"),
    (lambda: rates.crude_rate([[4, 3]], [10, 0]), "person_years: is zero where there are events [area 0, group 1 = 3]"),
    (lambda: rates.proportion([4, 30], [10, 20]), "cases: has more cases than people [group 1 = 30]"),
    (lambda: rates.proportion([4, 0], [10, 0]), "n: is not above 0 [group 1 = 0]"),
    (lambda: rates.proportion([4, np.nan], 10), "cases: has missing values (NaN) [group 1]"),
    (lambda: rates.proportion([4, np.inf], 10), "cases: is infinite [group 1]"),
    (lambda: rates.proportion([4, "*"], 10), "cases: holds something that is not a number"),
    (lambda: rates.proportion([1, 2], [10, 10, 10]), "do not fit together [cases (2,); n (3,)]"),
    (lambda: rates.mean(3, 1, 1), "n: is below 2 [the value = 1]"),
    (lambda: rates.mean(3, -1, 5), "sd: is negative"),
    (lambda: rates.count(np.ma.masked_equal([1, 5], 5)), "events: has missing values (NaN) [group 1]"),
    (lambda: standardise.direct(EVENTS[:2], POPULATION, WEIGHTS), "2 groups where weights has 3 [missing: group 2]"),
    (lambda: standardise.direct((*EVENTS, 1), POPULATION, WEIGHTS), "[surplus: group 3]"),
    (lambda: standardise.direct([100], POPULATION, WEIGHTS), "[missing: group 1; missing: group 2]"),
    (lambda: standardise.direct(EVENTS, (8, 0, 5), WEIGHTS), "is zero where there are events [group 1 = 30]"),
    (lambda: standardise.direct((12, -1, 9), POPULATION, WEIGHTS), "events: is negative [group 1 = -1]"),
    (lambda: standardise.direct(EVENTS, (8, np.nan, 5), WEIGHTS), "population: has missing values (NaN) [group 1]"),
    (lambda: standardise.direct(EVENTS, POPULATION, (0, 0, 0)), "weights: sum to 0"),
    (lambda: standardise.direct(5, 10, 3), "events: has no group axis"),
    (lambda: standardise.direct([EVENTS] * 2, [POPULATION] * 3, WEIGHTS), "do not fit together"),
    (lambda: standardise.indirect(EVENTS, POPULATION), "the reference is given twice or not at all"),
    (lambda: standardise.indirect(EVENTS, POPULATION, RATES, reference_events=1, reference_population=1), "twice"),
    (lambda: standardise.indirect(EVENTS, POPULATION, (0, 0, 0)), "population: nothing is expected"),
    (lambda: standardise.indirect(EVENTS, POPULATION, RATES[:2]), "[surplus: group 2]"),
    (lambda: standardise.indirect(EVENTS, (0, 9, 5), RATES), "is zero where there are events [group 0 = 12]"),
    (lambda: benchmark.neighbour_average([1, -2, 3], [10, 10, 10]), "counts: is negative [group 1 = -2]"),
    (lambda: benchmark.benjamini_hochberg([0.5, 1.5]), "p: is outside [0, 1]"),
    (lambda: benchmark.difference_test(1, 0, 1, 0), "se: and other_se are both 0"),
    (lambda: benchmark.overdispersion([1.0], 1, 1), "values: has one area only"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message[:60] for _, message in BAD])
def test_bad_input_names_what_and_where(call, message):
    with pytest.raises(QuantityError) as caught:
        call()
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert all(fault.remedy for fault in caught.value.faults)


@pytest.mark.parametrize(
    "call",
    [
        lambda level: rates.proportion(1, 2, level),
        lambda level: rates.count(5, level),
        lambda level: rates.crude_rate(5, 10, level=level),
        lambda level: rates.mean(5, 1, 10, level),
        lambda level: standardise.direct(EVENTS, POPULATION, WEIGHTS, level=level),
        lambda level: standardise.indirect(EVENTS, POPULATION, RATES, level),
        lambda level: benchmark.leave_one_out([1, 2], [10, 10], level=level),
        lambda level: benchmark.expected_false_signals(150, level),
    ],
)
@pytest.mark.parametrize("level", [95, 99.8, 0, 1, -0.5, 100, np.nan, "0.95", True])
def test_a_level_is_a_proportion(call, level):
    with pytest.raises(QuantityError, match="level: ") as caught:
        call(level)
    if level in (95, 99.8):
        assert f"It looks like a percentage: write {level / 100:g}." in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(HnaError) as caught:
        standardise.direct((-1, np.nan, 4), (8000, 9000, 0), WEIGHTS)
    assert {fault.field for fault in caught.value.faults} == {"events", "population"}
    assert len(caught.value.faults) == 3
