"""Ranks of areas, from draws of all of them together, and never without their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from hna.answers.gap import Gap
from hna.answers.need import NeedEstimate
from hna.answers.paired import assumed
from hna.errors import Fault, QuantityError
from hna.measure.draws import check_level

Array = NDArray[np.float64]
First = Literal["highest", "lowest"]

COLUMNS = (
    "area_code", "area_name", "quantity", "estimate", "lower", "upper", "rank", "rank_lower", "rank_upper",
    "expected_rank", "top", "p_top", "areas", "level", "flags",
)  # fmt: skip


class Ranks(NamedTuple):
    """Where each area stands, arrays of shape (area,).

    Attributes
    ----------
    middle : median of the ranks over the draws, 1 first.
    lower, upper : limits of the rank: whole ranks that some draws hold, or halves where areas are equal.
    expected : mean rank.
    top : chance of being among the first so many.
    """

    middle: Array
    lower: Array
    upper: Array
    expected: Array
    top: Array


def ranks(values: ArrayLike, *, top: int = 1, first: First = "highest", level: float = 0.95) -> Ranks:
    """Ranks of areas with intervals, from joint draws.

    In words: rank the areas within each draw, equal ones sharing the mean of their places, then summarise the ranks. Of
    equal areas at the edge of the first ``top`` each has an equal chance of being in.

    Parameters
    ----------
    values : shape (area, draw), drawn together: column i is one state of the world for all areas.
    top : how many places count as the top.
    first : whether the highest or the lowest value is rank 1.
    level : confidence level of the interval of the rank.

    Returns
    -------
    Ranks
        Interval limits are order statistics of the ranks, so every limit is a rank that was held. P(top) sums to ``top``.

    Raises
    ------
    QuantityError
        If there are fewer than two areas, a draw is missing, or ``top`` is not between 1 and their number.

    References
    ----------
    Goldstein H, Spiegelhalter DJ (1996). League tables and their limitations: statistical issues in comparisons of
    institutional performance. Journal of the Royal Statistical Society A 159:385-443. doi:10.2307/2983325
    """
    check_level(level)
    drawn = _checked(values)
    areas = drawn.shape[0]
    if not 1 <= top <= areas:
        raise QuantityError(Fault(f"top is {top} of {areas} areas", f"Give a number from 1 to {areas}", field="top"))
    signed = -drawn if first == "highest" else drawn
    least, greatest = rankdata(signed, "min", axis=0), rankdata(signed, "max", axis=0)
    shared = (least + greatest) / 2
    tied = greatest - least + 1
    inside = np.clip((top - least + 1) / tied, 0.0, 1.0)
    at = [(1 - level) / 2, 0.5, (1 + level) / 2]
    lower, middle, upper = (np.quantile(shared, q, axis=1, method="inverted_cdf") for q in at)
    return Ranks(middle, lower, upper, shared.mean(axis=1), inside.mean(axis=1))


def p_higher(values: ArrayLike) -> Array:
    """Chance that each area is above each other one, from joint draws; equal draws count half.

    Parameters
    ----------
    values : shape (area, draw).

    Returns
    -------
    array of shape (area, area)
        P(row > column); ½ on the diagonal; each pair sums to 1.

    Raises
    ------
    QuantityError
        If a draw is missing or there are fewer than two areas.

    References
    ----------
    As `ranks`.
    """
    drawn = _checked(values)
    found = np.stack([(row > drawn).mean(axis=1) + (row == drawn).mean(axis=1) / 2 for row in drawn])
    return np.asarray(found)


def rank_areas(
    found: Gap | NeedEstimate,
    of: Literal["coverage", "gap", "need"] = "coverage",
    *,
    top: int = 1,
    first: First = "highest",
    level: float = 0.95,
) -> pd.DataFrame:
    """Areas in order of their expected rank, each with its estimate, its rank, their intervals and P(top).

    Areas share the study, the years since and the measurement of the count, so those errors move no rank; what a place
    may differ by does. Where that error is assumed, the ranks rest on the assumption: W731.

    Parameters
    ----------
    found : from `hna.gap` or `hna.need`, for several areas and one year.
    of : what to rank by: coverage or gap (of a gap), or need, in people.
    top, first, level : as in `ranks`.

    Returns
    -------
    table with the columns `COLUMNS`, one row an area; proportions for coverage, else people.

    Raises
    ------
    QuantityError
        R401 if expected prevalence alone would be ranked, which shows age and sex and no more; or if there are several
        years, fewer than two areas, or a count is hidden.

    References
    ----------
    As `ranks`.
    """
    if not isinstance(found, Gap) and of != "need":
        remedy = 'Rank by of="need" (people expected), or rank a gap, which holds a local count'
        raise QuantityError(Fault(f"{of} needs people known to services", remedy, field="of", code="R401"))
    need = found.need if isinstance(found, Gap) else found
    if isinstance(found, Gap):
        _printed(found)
    estimate = (
        need if of == "need" or not isinstance(found, Gap) else (found.coverage if of == "coverage" else found.net)
    )
    if set(estimate.headline.dims) != {"area", "year"} or estimate.headline.sizes["year"] != 1:
        remedy = 'Ask for need by=["area", "year"] in one year'
        raise QuantityError(Fault("areas are ranked in one year", remedy, field="year"))
    drawn = estimate.draws.isel(year=0).transpose("area", "draw").values
    held = ranks(drawn, top=top, first=first, level=level)
    names = {area.code: area.name for area in need.population.areas}
    codes = [str(code) for code in estimate.headline["area"].values]
    flags = sorted({*estimate.flags, *assumed(need.rates)})
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
    table = pd.DataFrame({
        "area_code": codes, "area_name": [names[code] for code in codes], "quantity": of,
        "estimate": estimate.headline.isel(year=0).values, "lower": lower, "upper": upper, "rank": held.middle,
        "rank_lower": held.lower, "rank_upper": held.upper, "expected_rank": held.expected, "top": top, "p_top": held.top,
        "areas": len(codes), "level": level, "flags": " ".join(flags),
    })  # fmt: skip
    return table.sort_values(["expected_rank", "area_code"], kind="stable").reset_index(drop=True)[list(COLUMNS)]


def words(row: Mapping[str, Any]) -> str:
    """The rank of one area in a sentence, with its interval.

    Parameters
    ----------
    row : of `rank_areas`, such as one of its records.
    """
    return (
        f"{row['area_name']} is ranked {row['rank']:g} of {row['areas']} by {row['quantity']} "
        f"({row['rank_lower']:g} to {row['rank_upper']:g})"
    )


def _checked(values: ArrayLike) -> Array:
    drawn = np.asarray(values, dtype=np.float64)
    if drawn.ndim != 2 or drawn.shape[0] < 2 or not drawn.shape[1]:
        raise QuantityError(Fault(f"draws have shape {drawn.shape}", "Give draws of two areas or more, (area, draw)"))
    if not np.isfinite(drawn).all():
        rows = [f"area {n}" for n in np.flatnonzero(~np.isfinite(drawn).all(axis=1))]
        raise QuantityError(Fault("draws are missing", "Leave areas without an estimate out of the ranking", rows=rows))
    return drawn


def _printed(found: Gap) -> None:
    hidden = sorted(code for (code, _), people in found.known.items() if people.point is None)
    if hidden:
        remedy = "Leave these areas out: a hidden count has no rank"
        raise QuantityError(Fault("counts are hidden or only bounded", remedy, field="known", rows=hidden))
