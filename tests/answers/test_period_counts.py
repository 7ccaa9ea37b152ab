"""A period's people brought to a day: by a share or a length of stay, flagged as a steady state, refused where there was none."""

import numpy as np
import pytest

from hna.answers.known_people import known_people
from hna.errors import HnaError
from hna.evidence.known import read_known
from hna.model.spec import Factors, KnownUse
from hna.run import Request, assess

ACTIVE = {"active": [0.5, 0.7], "because": "mean length of stay"}
STAY = {"duration": [4, 8], "because": "mean length of stay, in months"}


def _assessed(small, counts, factors=STAY, kind="people-period-12", **more):
    rows = [row for year, held in counts.items() for row in small.count_rows(held, year=year)]
    small.known(rows=rows, count_kind=kind, **more)
    small.model(known=[{"source": "own-register", "factors": factors}])
    (answer,) = assess(Request(workspace=small.root, draws=200)).answers
    return answer


def _flags(answer, quantity="gap"):
    held = answer.figures.query(
        "quantity == @quantity and area_code == 'N01' and sex == 'persons' and age_band == 'all'"
    )
    return set(held["flags"].iloc[0].split())


@pytest.mark.parametrize(("months", "stay", "share"), [(12, 6.0, 1 / 3), (12, 24.0, 2 / 3), (6, 6.0, 1 / 2)])
def test_a_length_of_stay_gives_the_share_there_on_a_day(small, months, stay, share):
    """D/(D + T): half a year in a year's people is a third of them, two years two thirds (methods §1.8)."""
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), count_kind=f"people-period-{months}")
    use = KnownUse(source="own-register", factors=Factors(duration=stay, because="a study"))
    found = known_people(read_known(small.shelf, "own-register"), np.array([True, False]), use, 1, 50)
    assert found.point == pytest.approx(300 * share)
    np.testing.assert_allclose(found.low, 300 * share)


def test_a_range_of_stays_is_drawn(small):
    small.known(rows=small.count_rows({"N01": 300, "S02": 410}), count_kind="people-period-12")
    use = KnownUse(source="own-register", factors=Factors(**STAY))
    found = known_people(read_known(small.shelf, "own-register"), np.array([True, False]), use, 1, 5000)
    assert found.point == pytest.approx(300 * 6 / 18)
    assert 300 * 4 / 16 < found.low.min() < found.low.max() < 300 * 8 / 20


@pytest.mark.parametrize("factors", [ACTIVE, STAY])
@pytest.mark.parametrize(
    "counts", [{2024: {"N01": 300, "S02": 410}}, {2023: {"N01": 260, "S02": 390}, 2024: {"N01": 300, "S02": 410}}]
)
def test_a_steady_state_is_told_with_the_number(small, factors, counts):
    answer = _assessed(small, counts, factors)
    assert "W603" in _flags(answer)
    assert "W603" in _flags(answer, "known")
    assert "W603" not in _flags(answer, "need")
    (entry,) = [entry for entry in answer.ledgers[0].entries if entry.item == "time basis"]
    assert ("year before to see it by" if len(counts) == 1 else "within 20% of the year before") in entry.how


@pytest.mark.parametrize("before", [230, 400])
def test_a_service_that_grew_or_shrank_by_a_fifth_has_no_steady_state(small, before):
    answer = _assessed(small, {2023: {"N01": before, "S02": 400}, 2024: {"N01": 300, "S02": 410}})
    ours = answer.figures.query("area_code == 'N01'")
    assert "gap" not in set(ours["quantity"])
    assert {"R711", "W603"} <= _flags(answer, "known")
    assert "gap" in set(answer.figures.query("area_code == 'S02'")["quantity"])
    (fault,) = answer.refusals
    assert "changed by more than 20% from the year before" in str(fault)
    assert "W603" in str(fault)


def test_a_hidden_count_of_the_year_before_shows_nothing(small):
    hidden = {"suppressed": "*", "range": [1, 7], "rounded_to": None}
    answer = _assessed(small, {2023: {"N01": "*", "S02": 400}, 2024: {"N01": 300, "S02": 410}}, disclosure=hidden)
    assert "W603" in _flags(answer)


def test_people_on_a_day_need_no_steady_state(small):
    for factors in ({"in_need": 0.9, "because": "an audit"}, STAY):
        answer = _assessed(
            small, {2023: {"N01": 100, "S02": 100}, 2024: {"N01": 300, "S02": 410}}, factors, "people-point"
        )
        assert "W603" not in answer.flags


@pytest.mark.parametrize(
    ("factors", "match"),
    [
        ({**STAY, "active": 0.5}, "give one"),
        ({"duration": [0, 8], "because": "x"}, "number of months"),
        ({"duration": [8, 4], "because": "x"}, "number of months"),
    ],
)
def test_a_stay_that_cannot_be_is_refused(small, factors, match):
    with pytest.raises(HnaError, match=match):
        small.model(known=[{"source": "own-register", "factors": factors}])
