"""Who should be reached, by where the line of severity is drawn, and what share of them a service reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.answers.need import NeedEstimate
from hna.errors import Fault, QuantityError
from hna.evidence.known import Known
from hna.measure.draws import check_level

Array = NDArray[np.float64]

COLUMNS = ("threshold", "area", "year", "quantity", "estimate", "lower", "upper", "unit")


def by_threshold(
    need: NeedEstimate, mildest_first: Sequence[str], treated: Known | None = None, level: float = 0.95
) -> pd.DataFrame:
    """People at or above each severity, and the share of them that are treated, draw by draw.

    In words: everybody of a stratum and of all those above it, added up within each draw; coverage is the number treated
    over that, its headline the median of the draws. The service is the same in every line: only the line moves.

    Parameters
    ----------
    need : over area, year and severity, of strata that exclude each other.
    mildest_first : the strata in order.
    treated : people treated, one count an area, of every severity together; None where there is none.
    level : of the limits.

    Returns
    -------
    table with the columns `COLUMNS`, the lowest line first: ``need`` in people and, where there is a count, ``coverage``.

    Raises
    ------
    QuantityError
        If the strata are not those of the need, or do not make up the whole (they overlap); R602 where a count is hidden.
    """
    check_level(level)
    held = [str(name) for name in need.draws.coords["severity"].values] if "severity" in need.draws.dims else []
    if not mildest_first or sorted(name for name in held if name) != sorted(mildest_first):
        what = f"strata {', '.join(mildest_first)} are not those of {need.rates.model.need}"
        remedy = f"It has {', '.join(name for name in held if name) or 'none'}: ask for need by area, year and severity"
        raise QuantityError(Fault(what, remedy, field="severity"))
    parts = need.headline.sel(severity=list(mildest_first)).sum("severity")
    if "" in held and not np.allclose(parts, need.headline.sel(severity="")):
        what = f"strata of {need.rates.model.need} do not make up the whole: they overlap"
        raise QuantityError(Fault(what, "A line can be drawn only where each person is in one stratum", code="R152"))
    return pd.DataFrame(list(_rows(need, list(mildest_first), treated, level)), columns=list(COLUMNS))


def _rows(need: NeedEstimate, order: list[str], treated: Known | None, level: float) -> Iterator[tuple[object, ...]]:
    ends = [(1 - level) / 2, (1 + level) / 2]
    for n, name in enumerate(order):
        line = f"{name} and above" if n < len(order) - 1 else f"{name} only"
        above = order[n:]
        headline = need.headline.sel(severity=above).sum("severity")
        draws = need.draws.sel(severity=above).sum("severity")
        for area in headline.coords["area"].values.tolist():
            for year in headline.coords["year"].values.tolist():
                here: Array = draws.sel(area=area, year=year).values
                lower, upper = np.quantile(here, ends)
                point = float(headline.sel(area=area, year=year))
                yield line, area, year, "need", point, float(lower), float(upper), "people"
                if treated is not None:
                    share = _treated(treated, area) / np.maximum(here, 1e-9)
                    low, middle, high = np.quantile(share, [ends[0], 0.5, ends[1]])
                    yield line, area, year, "coverage", float(middle), float(low), float(high), "proportion"


def _treated(treated: Known, area: str) -> float:
    rows = treated.take(treated.area_code == area)
    rows = rows.take(rows.year == max(rows.years)) if len(rows) else rows
    if not len(rows) or np.isnan(rows.count).any():
        what = f"{treated.source.id} has no count of everybody treated in {area}"
        raise QuantityError(Fault(what, "Use an area whose count is published", field="count", code="R602"))
    return float(rows.of_one_service().count.sum())
