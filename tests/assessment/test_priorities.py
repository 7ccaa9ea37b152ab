"""Priorities: probabilities, ties, order, and weights that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hna.assessment.framework import AssessmentError
from hna.assessment.priorities import (
    acceptability,
    check_weights,
    drawn_weights,
    standing,
    unknown_scores,
)

DRAWS = 60
CRITERIA = ("numbers", "severity", "reach")
SCORES = hnp.arrays(
    float, st.tuples(st.integers(1, 7), st.just(3), st.just(DRAWS)), elements=st.integers(0, 4).map(float)
)


def weights(agreed: dict[str, float] | None = None, draws: int = DRAWS, seed: int = 1) -> np.ndarray:
    return drawn_weights(CRITERIA, agreed, 50, seed, draws)


def named(count: int) -> tuple[str, ...]:
    return tuple(f"need-{n}" for n in range(count))


@given(SCORES)
def test_probabilities_sum_to_one_over_ranks_and_over_needs(scores: np.ndarray) -> None:
    found = acceptability(named(len(scores)), CRITERIA, scores, weights())
    np.testing.assert_allclose(found.ranks.sum(axis=0), 1, atol=1e-9)
    np.testing.assert_allclose(found.ranks.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(found.first.sum(), 1, atol=1e-9)
    np.testing.assert_allclose(found.first, found.ranks[:, 0], atol=1e-9)
    np.testing.assert_allclose(found.top(len(scores)), 1, atol=1e-9)


@given(SCORES, st.randoms(use_true_random=False))
def test_permuting_needs_permutes_ranks(scores: np.ndarray, random: object) -> None:
    order = list(range(len(scores)))
    random.shuffle(order)  # type: ignore[attr-defined]
    names = named(len(scores))
    one = acceptability(names, CRITERIA, scores, weights())
    other = acceptability([names[n] for n in order], CRITERIA, scores[order], weights())
    np.testing.assert_allclose(other.ranks, one.ranks[order], atol=1e-12)
    assert [other.needs[n] for n in other.order(2)] == [one.needs[n] for n in one.order(2)]


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_criteria_moves_nothing(scores: np.ndarray, random: object) -> None:
    order = list(range(3))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = acceptability(named(len(scores)), CRITERIA, scores, weights())
    turned = drawn_weights([CRITERIA[n] for n in order], None, 50, 1, DRAWS)
    other = acceptability(named(len(scores)), [CRITERIA[n] for n in order], scores[:, order], turned)
    np.testing.assert_allclose(other.ranks, one.ranks, atol=1e-9)


@given(SCORES, st.sampled_from(CRITERIA))
def test_weights_on_one_criterion_give_its_order(scores: np.ndarray, only: str) -> None:
    found = acceptability(named(len(scores)), CRITERIA, scores, weights({only: 1.0}))
    held = scores[:, CRITERIA.index(only)]
    for n in range(len(scores)):
        above = (held > held[n]).sum(axis=0)
        ties = (held == held[n]).sum(axis=0)
        expected = sum(
            (np.arange(len(scores)) >= a) & (np.arange(len(scores)) < a + t) for a, t in zip(above, ties, strict=True)
        )
        assert ((found.ranks[n] > 1e-12) == (expected > 0)).all()


@given(SCORES, st.integers(0, 6))
def test_identical_needs_share_ranks(scores: np.ndarray, which: int) -> None:
    twin = np.concatenate([scores, scores[[which % len(scores)]]])
    found = acceptability(named(len(twin)), CRITERIA, twin, weights())
    np.testing.assert_allclose(found.ranks[-1], found.ranks[which % len(scores)], atol=1e-12)


def test_a_need_that_leads_on_all_is_always_first_and_its_weights_are_central() -> None:
    scores = np.ones((3, 3, DRAWS))
    scores[1] = 4
    found = acceptability(named(3), CRITERIA, scores, weights())
    assert found.first.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.central[1], weights().mean(axis=0))
    assert np.isnan(found.central[0]).all()
    assert found.order(1)[0] == 1


def test_central_weights_favour_the_criterion_on_which_a_need_leads() -> None:
    scores = np.zeros((2, 3, 4000))
    scores[0, 0], scores[1, 1] = 4, 4
    found = acceptability(named(2), CRITERIA, scores, weights(draws=4000))
    assert found.central[0, 0] > found.central[0, 1] + 0.2
    assert found.central[1, 1] > found.central[1, 0] + 0.2


def test_drawn_weights_keep_to_those_agreed() -> None:
    agreed = {"numbers": 0.5, "severity": 0.3, "reach": 0.2}
    found = weights(agreed, 4000)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.mean(axis=0), list(agreed.values()), atol=0.01)
    np.testing.assert_allclose(weights(None, 4000).mean(axis=0), 1 / 3, atol=0.02)
    assert (weights({"numbers": 1.0})[:, 1:] == 0).all()
    np.testing.assert_array_equal(weights(agreed, 50), weights(agreed, 50))


def test_what_is_not_known_may_be_anything() -> None:
    found = unknown_scores("dementia", "severity", 1, 4000)
    assert abs(found.mean() - 2) < 0.1
    assert found.min() >= 0
    assert found.max() <= 4
    np.testing.assert_array_equal(found, unknown_scores("dementia", "severity", 1, 4000))


def test_weights_that_cannot_be_used_are_told_at_once() -> None:
    with pytest.raises(AssessmentError) as raised:
        check_weights({"numbers": 0.6, "severity": -0.1, "luck": 0.2}, {"numbers": (), "severity": ()}, "weights.yaml")
    said = str(raised.value)
    assert "luck" in said
    assert "severity: -0.1" in said
    assert "weights sum to 0.7" in said
    assert said.count("weights.yaml") == 3


def test_correlated_criteria_are_not_weighted_together() -> None:
    known = {"numbers": ["burden"], "burden": [], "severity": []}
    with pytest.raises(AssessmentError, match="numbers and burden"):
        check_weights({"numbers": 0.5, "burden": 0.5}, known)
    check_weights({"numbers": 0.5, "severity": 0.5, "burden": 0.0}, known)


def test_missing_scores_are_refused() -> None:
    scores = np.full((2, 3, DRAWS), np.nan)
    with pytest.raises(AssessmentError, match="missing or out of range"):
        acceptability(named(2), CRITERIA, scores, weights())
    with pytest.raises(AssessmentError, match="shape"):
        acceptability(named(3), CRITERIA, np.zeros((2, 3, DRAWS)), weights())


@pytest.mark.parametrize(
    ("chance", "said"), [(0.8, "robust"), (0.79, "sensitive"), (0.2, "sensitive"), (0.19, "lower")]
)
def test_standing(chance: float, said: str) -> None:
    assert standing(chance, 0.8, 0.2) == said
