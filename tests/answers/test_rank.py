"""Ranks: joint draws decide, ties share, and the error of a place decides whether a rank means anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hna.answers.gap import gap
from hna.answers.need import NeedEstimate, need
from hna.answers.rank import COLUMNS, p_higher, rank_areas, ranks, words
from hna.errors import QuantityError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.measure.draws import normal
from hna.model.rates import make_rates
from hna.model.spec import Model, read_model

SIZE = 20_000


def covers(transport: float, shared: bool = True) -> np.ndarray:
    """The methods' two districts, 66 and 59 per cent covered (§7.5)."""
    study = np.sqrt(0.1575**2 - 0.08**2)
    common = [study * normal(1, name, SIZE) for name in ("study", "study" if shared else "another")]
    own = [transport * normal(1, f"place {n}", SIZE) for n in (1, 2)]
    return np.stack([c * np.exp(a + b) for c, a, b in zip((0.664, 0.591), common, own, strict=True)])


def test_the_methods_example() -> None:
    assert p_higher(covers(0.08))[0, 1] == pytest.approx(0.84, abs=0.01)
    assert p_higher(covers(0.08, shared=False))[0, 1] == pytest.approx(0.70, abs=0.01)
    assert p_higher(covers(0.0))[0, 1] == 1.0
    found = ranks(covers(0.08))
    assert found.top == pytest.approx([0.84, 0.16], abs=0.01)
    assert (found.lower == 1).all()
    assert (found.upper == 2).all()
    sure = ranks(covers(0.0))
    assert list(sure.lower) == list(sure.upper) == [1, 2]


def test_ten_areas_that_do_not_differ_have_no_ranks() -> None:
    drawn = np.stack([normal(1, f"area {n}", 5000) for n in range(10)])
    found = ranks(drawn, top=3)
    assert found.top == pytest.approx(np.full(10, 0.3), abs=0.03)
    assert found.expected == pytest.approx(np.full(10, 5.5), abs=0.2)
    assert (found.lower <= 2).all()
    assert (found.upper >= 9).all()


def test_equal_areas_share_places() -> None:
    found = ranks([[3.0, 3.0], [3.0, 3.0], [1.0, 1.0]], top=1)
    assert list(found.middle) == [1.5, 1.5, 3.0]
    assert list(found.top) == [0.5, 0.5, 0.0]
    assert list(p_higher([[3.0], [3.0], [1.0]])[0]) == [0.5, 0.5, 1.0]


@given(
    arrays(float, st.tuples(st.integers(2, 6), st.integers(1, 20)), elements=st.integers(0, 4).map(float)), st.data()
)
def test_ranks_are_a_ranking(drawn: np.ndarray, data: st.DataObject) -> None:
    areas = drawn.shape[0]
    top = data.draw(st.integers(1, areas))
    found = ranks(drawn, top=top)
    assert found.top.sum() == pytest.approx(top)
    assert found.expected.sum() == pytest.approx(areas * (areas + 1) / 2)
    assert (found.lower <= found.middle).all()
    assert (found.middle <= found.upper).all()
    lowest = ranks(drawn, top=top, first="lowest")
    assert lowest.expected == pytest.approx(areas + 1 - found.expected)
    order = data.draw(st.permutations(range(areas)))
    np.testing.assert_array_equal(ranks(drawn[order], top=top).expected, found.expected[order])
    pairs = p_higher(drawn)
    assert pairs + pairs.T == pytest.approx(np.ones((areas, areas)))


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ([[1.0, 2.0]], {}, "shape"),
        ([1.0, 2.0], {}, "shape"),
        ([[1.0], [np.nan]], {}, "area 1"),
        ([[1.0], [2.0]], {"top": 3}, "top is 3"),
        ([[1.0], [2.0]], {"level": 95}, "level"),
    ],
)
def test_bad_input(values: object, options: dict[str, object], said: str) -> None:
    with pytest.raises(QuantityError, match=said):
        ranks(values, **options)  # type: ignore[arg-type]


# ---- of needs

MEMBERS = ("E06000006", "E08000014", "E06000001", "E08000012")


@pytest.fixture(scope="module")
def estimate() -> NeedEstimate:
    return _need(read_model(Shelf().model_file("dementia")))


def _need(model: Model) -> NeedEstimate:
    shelf = Shelf()
    return need(make_rates(model, shelf, 400, 1), read_population(shelf, "ons-mye-2020", MEMBERS))  # type: ignore[return-value]


def test_areas_are_ranked_with_intervals(estimate: NeedEstimate) -> None:
    found = gap(estimate, read_known(Shelf(), "qof-dementia-2019-20"))
    table = rank_areas(found, top=2)
    assert list(table.columns) == list(COLUMNS)
    assert set(table.area_code) == set(MEMBERS)
    assert list(table.expected_rank) == sorted(table.expected_rank)
    assert (table.rank_lower < table.rank_upper).any(), "the error of a place leaves the ranks unsure"
    assert table.p_top.sum() == pytest.approx(2)
    assert "W731" not in table["flags"][0], "the model gives the error of a place with its reason"
    said = words(table.to_dict("records")[0])
    assert "of 4 by coverage (" in said
    lowest = rank_areas(found, "gap", first="lowest")
    assert lowest.quantity[0] == "gap"


def test_an_assumed_error_of_places_is_flagged() -> None:
    model = read_model(Shelf().model_file("dementia"))
    fields = model.prevalence.model_dump() | {"errors": {"study": 0.2, "because": "so"}}
    found = rank_areas(_need(Model.model_validate(model.model_dump() | {"prevalence": fields})), "need")
    assert found["flags"].str.contains("W731").all()


def test_expected_prevalence_alone_has_no_ranks(estimate: NeedEstimate) -> None:
    with pytest.raises(QuantityError, match="R401"):
        rank_areas(estimate, "coverage")
    by_sex = need(estimate.rates, estimate.population, by=["area", "year", "sex"])
    with pytest.raises(QuantityError, match="one year"):
        rank_areas(by_sex, "need")  # type: ignore[arg-type]
