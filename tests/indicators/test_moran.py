"""Moran's index: by its definition, what shuffling says of it, and what it is refused on."""

from itertools import product

import numpy as np
import pytest

from hna.errors import QuantityError
from hna.indicators.moran import moran

SIDE = 7
AREAS = [f"{row}{column}" for row, column in product(range(SIDE), repeat=2)]
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
QUEEN = [
    (f"{row}{column}", f"{row + down}{column + right}")
    for row, column in product(range(SIDE), repeat=2)
    for down, right in STEPS
    if 0 <= row + down < SIDE and 0 <= column + right < SIDE
]


def weights(areas=AREAS, borders=QUEEN):
    """The row-standardised matrix, cell by cell."""
    beside = np.zeros((len(areas), len(areas)))
    for one, other in borders:
        beside[areas.index(one), areas.index(other)] = beside[areas.index(other), areas.index(one)] = 1
    return beside / beside.sum(axis=1, keepdims=True)


def by_definition(values, matrix):
    z = values - values.mean()
    return len(z) / matrix.sum() * (matrix * np.outer(z, z)).sum() / (z**2).sum()


def test_the_index_is_its_definition():
    values = np.random.default_rng(4).normal(size=len(AREAS))
    found = moran(values, AREAS, QUEEN)
    assert found.value == pytest.approx(by_definition(values, weights()), rel=1e-12)
    assert (found.expected, found.areas, found.islands) == (-1 / 48, 49, ())
    assert moran(3 + 2 * values, AREAS, [pair[::-1] for pair in QUEEN] + QUEEN).value == pytest.approx(found.value)


def test_a_slope_is_found_and_a_shuffled_one_is_not():
    slope = np.repeat(np.arange(SIDE), SIDE).astype(float)
    found = moran(slope, AREAS, QUEEN)
    assert found.value > 0.7
    assert found.p == 1 / 1000
    alternating = np.indices((SIDE, SIDE)).sum(axis=0).ravel() % 2.0
    rook = [pair for pair in QUEEN if pair[0][0] == pair[1][0] or pair[0][1] == pair[1][1]]
    assert moran(alternating, AREAS, rook).value == pytest.approx(-1, abs=0.01)
    assert moran(alternating, AREAS, rook).p == 1 / 1000


def test_chance_alone_is_found_one_time_in_twenty():
    generator = np.random.default_rng(11)
    said = [moran(generator.normal(size=49), AREAS, QUEEN, permutations=99, seed=n).p for n in range(600)]
    assert np.mean(np.array(said) <= 0.05) == pytest.approx(0.05, abs=0.027)


def test_rates_are_weighed_by_how_sure_they_are():
    """By the equations of Assunção and Reis, one area at a time."""
    generator = np.random.default_rng(2)
    people = generator.integers(500, 90_000, 49).astype(float)
    cases = generator.poisson(people * 0.004 * np.exp(0.3 * generator.normal(size=49))).astype(float)
    whole = cases.sum() / people.sum()
    spread = sum(n * (x / n - whole) ** 2 for x, n in zip(cases, people, strict=True)) / people.sum()
    between = spread - whole / people.mean()
    z = np.array([(x / n - whole) / np.sqrt(between + whole / n) for x, n in zip(cases, people, strict=True)])
    found = moran(cases, AREAS, QUEEN, population=people)
    assert found.value == pytest.approx(by_definition(z, weights()), rel=1e-12)
    assert found.value != pytest.approx(moran(cases / people, AREAS, QUEEN).value, rel=1e-3)


def test_islands_are_left_out_and_named():
    values = np.random.default_rng(4).normal(size=50)
    found = moran(values, [*AREAS, "Scilly"], QUEEN)
    assert (found.islands, found.areas) == (("Scilly",), 49)
    assert found.value == pytest.approx(moran(values[:49], AREAS, QUEEN).value)


def test_the_same_shuffles_give_the_same_chance():
    values = np.random.default_rng(9).normal(size=49)
    assert moran(values, AREAS, QUEEN, seed=3) == moran(values, AREAS, QUEEN, seed=3)
    assert moran(values, AREAS, QUEEN, seed=3).p != moran(values, AREAS, QUEEN, seed=4).p


@pytest.mark.parametrize(
    ("areas", "borders", "change", "match"),
    [
        (AREAS, QUEEN[:20], {}, "R432"),
        ([*AREAS[:-1], "00"], [], {}, "stands twice"),
        (AREAS, [*QUEEN, ("00", "elsewhere")], {}, "elsewhere"),
        (AREAS, QUEEN, {"permutations": 10}, "too few"),
        (AREAS, QUEEN, {"population": np.zeros(49)}, "not above 0"),
    ],
)
def test_what_cannot_be_said_is_refused(areas, borders, change, match):
    with pytest.raises(QuantityError, match=match):
        moran(np.arange(49.0), areas, borders, **change)
    with pytest.raises(QuantityError, match="all equal"):
        moran(np.full(49, 0.1), AREAS, QUEEN)
