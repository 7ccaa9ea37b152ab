"""Every figure of a gap, streamed, is that of `figures`; limits are exact quantiles whatever the order of draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.chunks import Counts
from hna.answers.gap import figures
from hna.answers.known_people import KnownPeople
from hna.answers.limits import GAP, NEED, limits
from hna.answers.need import need
from hna.answers.stream import summarise
from hna.errors import AxisError

AREAS, YEARS = 7, 2


def _known(kind, draws):
    generator = np.random.default_rng(3)
    low = generator.uniform(200, 900, (AREAS, YEARS)).round()
    low[2, 1] = np.nan
    high = low + 40 if kind.startswith("hidden") else low
    factor = generator.uniform(0.8, 1.1, draws) if kind.endswith("factor") else None
    return Counts(low, high, np.isfinite(low) & (low == high), factor, 1.0 if factor is None else 0.95)


@pytest.mark.parametrize("size", [1700, 60_000])
@pytest.mark.parametrize("transport", [0.0, 0.11])
def test_subgroups_read_together_are_those_read_alone(rates_for, small_areas, transport, size):
    rates, population = rates_for("dementia", transport=transport), small_areas(AREAS, size)
    both = summarise(rates, population, by=("severity", "sex", "age"), known=_known("hidden", rates.size))
    gap = summarise(rates, population, known=_known("hidden", rates.size))
    alone = summarise(rates, population, by=("severity", "sex", "age"))
    assert len(both.cuts) > 3
    for name in GAP:
        if name in both.values:
            np.testing.assert_allclose(both.values[name][0], gap.values[name][0], rtol=1e-12, err_msg=name)
    for name in NEED:
        np.testing.assert_allclose(both.values[name], alone.values[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", ["exact", "hidden", "exact-factor", "hidden-factor"])
@pytest.mark.parametrize("transport", [0.0, 0.11])
def test_a_streamed_gap_is_the_gap(rates_for, small_areas, kind, transport):
    rates, population = rates_for("dementia", transport=transport), small_areas(AREAS, 60_000)
    counts = _known(kind, rates.size)
    found = summarise(rates, population, known=counts)
    table = found.frame().set_index(["area_code", "year", "quantity"])
    whole = need(rates, population)
    target = rates.model.target.coverage
    factor = np.ones(rates.size) if counts.factor is None else counts.factor
    for a, area in enumerate(population.areas):
        for y, year in enumerate(population.years):
            if np.isnan(counts.low[a, y]):
                assert (area.code, year, "gap") not in table.index
                continue
            low, high = counts.low[a, y], counts.high[a, y]
            people = KnownPeople(
                low * counts.middle if counts.printed[a, y] else None, low * factor, high * factor, (low, high)
            )
            drawn = whole.draws.sel(area=area.code, year=year).values
            wanted = figures(whole.headline.sel(area=area.code, year=year).item(), drawn, people, 0.95, target)
            for quantity, figure in wanted.items():
                row = table.loc[(area.code, year, quantity)]
                for name in ("estimate", "lower", "upper", "probability"):
                    value = getattr(figure, name)
                    if value is None:
                        assert np.isnan(row[name]), (quantity, name)
                    else:
                        assert row[name] == pytest.approx(value, rel=1e-8, abs=1e-9), (quantity, name)


def test_counts_of_another_shape_or_upside_down_are_refused(dementia, small_areas):
    with pytest.raises(AxisError, match="one row for each area and then each group"):
        summarise(dementia, small_areas(3), known=Counts.exact(np.ones((2, 2))))
    with pytest.raises(AxisError, match="bounds of people known"):
        Counts(np.full((1, 1), 3.0), np.full((1, 1), 2.0), np.zeros((1, 1), dtype=bool))


@given(
    seed=st.integers(0, 10_000),
    draws=st.sampled_from([1, 2, 7, 40, 399, 1000, 3000]),
    level=st.sampled_from([0.5, 0.8, 0.95, 0.998]),
    kind=st.sampled_from(["plain", "whole people", "few people", "in order", "a wave"]),
)
def test_limits_are_exact_quantiles(seed, draws, level, kind):
    generator = np.random.default_rng(seed)
    block = generator.lognormal(3, 0.4, (9, draws))
    if kind == "in order":
        block.sort(axis=-1)
    elif kind == "a wave":  # the sample misleads: it holds the smallest draws only
        block[:, ::8] = generator.random((9, len(range(0, draws, 8))))
    elif kind != "plain":
        block = np.floor(block / (1 if kind == "whole people" else 15))
    wanted = np.quantile(block, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    lower, upper = limits(block.copy(), level)
    np.testing.assert_allclose(lower, wanted[0], rtol=1e-13)
    np.testing.assert_allclose(upper, wanted[1], rtol=1e-13)
