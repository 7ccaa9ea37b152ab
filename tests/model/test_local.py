"""Local adjustment holds the national number in every draw; benchmarking, raking and their refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.errors import ModelError, QuantityError
from hna.model.local import (
    Ratios,
    check_adjustments,
    expected,
    recentre,
    refuse_use,
    to_total,
    to_total_logit,
)
from hna.model.local_rake import rake

AGE = frozenset({"age"})


def place(seed: int = 0, cells: int = 6, levels: int = 5, areas: int = 12, draws: int = 200):
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 900, (areas, cells, levels)).astype(float)
    rate = rng.beta(2, 20, (cells, draws))
    ratio = np.log(np.linspace(2.5, 1, levels))[:, None] + rng.normal(0, 0.2, (levels, draws))
    return people, rate, ratio


@pytest.mark.parametrize("scale", ["odds", "risk"])
@given(seed=st.integers(0, 1000))
def test_the_national_total_holds_in_every_draw(scale, seed):
    people, rate, ratio = place(seed, draws=20)
    if scale == "risk":
        rate = rate / 5
    reference = people.sum(axis=0) + 1
    people[0] += 1
    local = recentre(rate, ratio, reference, scale)
    national = (reference.sum(axis=1) @ rate)[None]
    assert np.abs(expected(local, people).sum(axis=0) / national - 1).max() < 1e-9
    by_cell = np.einsum("gf,gfd->gd", reference, local) / reference.sum(axis=1)[:, None]
    assert np.abs(by_cell / rate - 1).max() < 1e-9
    assert ((local > 0) & (local < 1)).all()


@pytest.mark.parametrize("scale", ["odds", "risk"])
def test_a_constant_ratio_changes_nothing(scale):
    people, rate, ratio = place()
    same = np.broadcast_to(ratio[:1] * 0 + np.log(3), ratio.shape)
    local = recentre(rate, same, people.sum(axis=0), scale)
    assert np.abs(local / rate[:, None, :] - 1).max() < 1e-12


def test_more_deprived_places_expect_more():
    people, rate, ratio = place()
    local = recentre(rate, ratio, people.sum(axis=0))
    poor, rich = np.zeros((2, *people.shape[1:]))
    poor[:, 0], rich[:, -1] = 100.0, 100.0
    both = expected(local, np.stack([poor, rich])).mean(axis=1)
    assert both[0] > 1.5 * both[1]
    assert np.allclose(
        local[:, 0] / (1 - local[:, 0]) / (local[:, -1] / (1 - local[:, -1])), np.exp(ratio[0] - ratio[-1])
    )


def test_what_a_ratio_needs():
    people, rate, ratio = place()
    with pytest.raises(ModelError) as told:
        recentre(rate, ratio, None)
    assert told.value.codes == ("R412",)
    with pytest.raises(QuantityError):
        recentre(rate, ratio, people.sum(axis=0) * 0)
    with pytest.raises(QuantityError):
        recentre(rate, ratio[:2], people.sum(axis=0))
    with pytest.raises(ModelError) as told:
        recentre(np.full_like(rate, 0.8), ratio, people.sum(axis=0), "risk")
    assert told.value.codes == ("R414",)


def test_printed_ratios_become_draws():
    rows = [("1", 2.0, 1.6, 2.5), ("5", 1.0, None, None)]
    ratios = Ratios.printed("study", "deprivation", rows, adjusted_for=["age", "sex"])
    drawn = ratios.draw(1, 4000)
    assert np.exp(np.quantile(drawn[0], [0.025, 0.5, 0.975])) == pytest.approx([1.6, 2.0, 2.5], rel=0.01)
    assert not drawn[1].any()
    assert np.array_equal(drawn, ratios.draw(1, 4000))


def test_double_adjustment_is_refused():
    a = Ratios("s", "deprivation", ("1", "5"), (2.0, 1.0), (0.1, 0.0), adjusted_for=AGE)
    b = Ratios("t", "ethnicity", ("x", "y"), (2.0, 1.0), (0.1, 0.0), adjusted_for=AGE)
    for ratios, already in (([a, a], []), ([a], ["deprivation"]), ([a, b], [])):
        with pytest.raises(ModelError) as told:
            check_adjustments(ratios, already)
        assert "R411" in told.value.codes
    with pytest.raises(ModelError) as told:
        check_adjustments([Ratios("s", "deprivation", ("1",), (2.0,), (0.1,))])
    assert told.value.codes == ("R413",)
    mutual = [
        Ratios(one.source, one.factor, one.levels, one.ratio, one.error, adjusted_for=AGE | {other.factor})
        for one, other in ((a, b), (b, a))
    ]
    check_adjustments(mutual)


def test_a_synthetic_estimate_is_not_for_everything():
    for use, code in (("performance", "R401"), ("smoothing", "R431")):
        with pytest.raises(ModelError) as told:
            refuse_use(use)
        assert told.value.codes == (code,)


def test_known_totals_are_met():
    people, rate, ratio = place()
    counts = expected(recentre(rate, ratio, people.sum(axis=0)), people)
    rng = np.random.default_rng(1)
    total = rng.normal(5000, 100, 200)
    scaled, flags = to_total(counts, total)
    assert np.abs(scaled.sum(axis=0) / total - 1).max() < 1e-12
    assert flags == ()
    assert to_total(counts, 5000.0)[1] == ("W421",)
    again, _ = to_total(scaled, total)
    assert np.allclose(again, scaled, rtol=1e-12)
    living = people.sum(axis=(0, 2))
    shifted, flags = to_total_logit(rate, living, total)
    assert np.abs(living @ shifted / total - 1).max() < 1e-9
    assert ((shifted > 0) & (shifted < 1)).all()
    with pytest.raises(QuantityError):
        to_total_logit(rate, living, living.sum() + 1)


def test_raking_meets_every_margin_and_keeps_odds_ratios():
    rng = np.random.default_rng(2)
    table = rng.uniform(1, 10, (4, 3, 2))
    truth = table * rng.uniform(0.5, 2, (4, 1, 1)) * rng.uniform(0.5, 2, (1, 3, 2))
    margins = [((0,), truth.sum(axis=(1, 2))), ((1, 2), truth.sum(axis=0))]
    found = rake(table, margins)
    assert found.error < 1e-8
    assert np.allclose(found.values, truth, rtol=1e-7)
    assert np.allclose(rake(found.values, margins).values, found.values, rtol=1e-9)


def test_raking_refuses_what_cannot_be():
    table = np.ones((2, 2))
    for margins in (
        [((0,), [1.0, 2.0]), ((1,), [2.0, 2.0])],
        [((0,), [0.0, 2.0]), ((1,), [2.0, 2.0])],
    ):
        with pytest.raises(ModelError) as told:
            rake(table, margins)
        assert told.value.codes == ("R422",)
    with pytest.raises(ModelError) as told:
        rake(np.array([[1.0, 0.0], [1.0, 0.0]]), [((1,), [1.0, 1.0])])
    assert told.value.codes == ("R422",)
    assert rake(np.array([[1.0, 0.0], [1.0, 1.0]]), [((0,), [1.0, 2.0])]).zeros == 1
