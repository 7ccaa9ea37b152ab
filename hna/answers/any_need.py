"""People with at least one of several needs: bounds, since how needs coincide is seldom known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.need import NeedEstimate
from hna.errors import AxisError, Fault, QuantityError
from hna.measure.ages import AgeBand
from hna.measure.draws import check_level

Array = NDArray[np.float64]


def any_need(needs: Sequence[NeedEstimate], level: float = 0.95) -> pd.DataFrame:
    """Fewest and most people who have at least one of several needs, by area and year.

    Needs are never added up as if nobody had two of them (R761). In each draw the fewest are the largest of the needs
    (everybody with a rarer need also has the commonest), and the most are their sum, or everybody where the needs share
    one population: Fréchet's bounds. Needs whose ages do not meet cannot coincide, so bounds of such groups are added.

    Parameters
    ----------
    needs : two or more, each by area and year over the same areas, years and draws; from `hna.need`.
    level : of the interval: its lower limit is a quantile of the lower bound's draws, its upper one of the upper's.

    Returns
    -------
    table with columns ``area, year, fewest, most, lower, upper`` in people; fewest and most are the bounds at the
    headline figures.

    Raises
    ------
    AxisError
        If the needs are of different areas, years, draws, population bases, or not by area and year; R742 if they were drawn
        with different seeds.
    QuantityError
        If a need is named twice or fewer than two are given.

    References
    ----------
    Fréchet M. Généralisation du théorème des probabilités totales. Fundam Math 1935;25:379-387.
    doi 10.4064/fm-25-1-379-387.
    """
    check_level(level)
    _check(needs)
    first = needs[0].headline.transpose("area", "year")
    fewest, most = np.zeros(first.shape), np.zeros(first.shape)
    draws = needs[0].draws.sizes["draw"]
    low, high = (np.zeros((*first.shape, draws)) for _ in range(2))
    for group in _meeting(needs):
        points = np.stack([one.headline.transpose("area", "year").values for one in group])
        drawn = np.stack([one.draws.transpose("area", "year", "draw").values for one in group])
        cap = _everybody(group)
        fewest += points.max(axis=0)
        most += np.minimum(points.sum(axis=0), cap)
        low += drawn.max(axis=0)
        high += np.minimum(drawn.sum(axis=0), cap[..., None])
    limits = np.quantile(low, (1 - level) / 2, axis=-1), np.quantile(high, (1 + level) / 2, axis=-1)
    index = pd.MultiIndex.from_product([first["area"].values.tolist(), first["year"].values.tolist()])
    columns = {"fewest": fewest, "most": most, "lower": limits[0], "upper": limits[1]}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index)
    return table.rename_axis(["area", "year"]).reset_index()


def _check(needs: Sequence[NeedEstimate]) -> None:
    names = [one.rates.model.need for one in needs]
    if len(names) < 2 or len(set(names)) < len(names):
        raise QuantityError(Fault("bounds need two needs or more, each once", "Name different needs", rows=names))
    first = needs[0]
    for one in needs:
        if set(one.headline.dims) != {"area", "year"}:
            raise AxisError(Fault("needs are bounded by area and year", 'Ask for by=["area", "year"]'))
        here = {dim: one.draws[dim].values.tolist() for dim in ("area", "year")}
        there = {dim: first.draws[dim].values.tolist() for dim in ("area", "year")}
        if here != there or one.draws.sizes["draw"] != first.draws.sizes["draw"]:
            rows = [f"{one.rates.model.need}: {here}", f"{first.rates.model.need}: {there}"]
            raise AxisError(
                Fault("the needs are of different areas, years or draws", "Ask for the same of each", rows=rows)
            )
        if one.rates.seed != first.rates.seed:
            rows = [f"{each.rates.model.need}: seed {each.rates.seed}" for each in (one, first)]
            what = "the needs were drawn apart, so errors that they share would be taken as independent"
            raise AxisError(Fault(what, "Make their rates with one seed", field="seed", rows=rows, code="R742"))
        if one.population.base != first.population.base:
            rows = [
                f"{one.rates.model.need}: {one.population.base}",
                f"{first.rates.model.need}: {first.population.base}",
            ]
            raise AxisError(Fault("the needs are of different population bases", "Use one population", rows=rows))


def _meeting(needs: Sequence[NeedEstimate]) -> list[list[NeedEstimate]]:
    """Needs whose people may coincide, together; sexes are not told apart, which leaves the bounds true."""
    groups: list[list[NeedEstimate]] = []
    span: AgeBand | None = None
    for one in sorted(needs, key=lambda held: held.universe.ages.low):
        ages = one.universe.ages
        if span is None or ages.low >= span.end:
            groups.append([])
            span = ages
        groups[-1].append(one)
        span = ages if ages.end > span.end else span
    return groups


def _everybody(group: Sequence[NeedEstimate]) -> Array:
    """The most people there can be with a need of a group, shape (area, year)."""
    people = [one.population.people.sum(axis=(2, 3)) for one in group]
    if len({(one.universe.ages, one.universe.sex) for one in group}) == 1:
        return np.asarray(people[0], dtype=float)
    return np.asarray(np.sum(people, axis=0), dtype=float)
