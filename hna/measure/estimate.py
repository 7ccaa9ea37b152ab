"""A number with what it counts, among whom, and on whose word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

import numpy as np
import pandas as pd
import xarray as xr

from hna.errors import AxisError, Fault, QuantityError
from hna.measure.ages import AgeBand
from hna.measure.axes import canonical, match
from hna.measure.draws import check_level

Unit = Literal["people", "proportion", "probability"]


class Cited(Protocol):
    """A source that a number rests on."""

    @property
    def id(self) -> str:
        """Identifier on the shelf."""

    @property
    def words(self) -> str:
        """The reference, as a reader would find it."""


@dataclass(frozen=True)
class Universe:
    """Who could be counted."""

    condition: str
    case_definition: str
    ages: AgeBand
    sex: str = "persons"
    base: str = "resident"
    period: str = "point"
    stands_for: str | None = None

    @property
    def words(self) -> str:
        """As in a sentence."""
        people = {"persons": "people", "female": "females", "male": "males"}[self.sex]
        return self.stands_for or f"{people} {self.ages.words}"


@dataclass(frozen=True, eq=False)
class Estimate:
    """An uncertain number over labelled cells.

    Parameters
    ----------
    headline : the plug-in value, over any of severity, area, year, sex, age.
    draws : the same cells with a further dimension ``draw``; summaries are taken over it last.
    quantity : what is counted, in one word of the field.
    unit : people, proportion or probability.
    universe : who could be counted.
    citations : every source the number rests on.
    flags : diagnostic codes that travel with it.

    Raises
    ------
    QuantityError
        If any value is missing: an empty cell is never a zero, and never a NaN.
    """

    headline: xr.DataArray
    draws: xr.DataArray
    quantity: str
    unit: Unit
    universe: Universe
    citations: tuple[Cited, ...] = ()
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if set(self.draws.dims) != {*self.headline.dims, "draw"}:
            raise AxisError(f"draws lie over {list(self.draws.dims)}, the headline over {list(self.headline.dims)}")
        match(self.headline, self.draws)
        for name, array in (("headline", self.headline), ("draws", self.draws)):
            if not np.isfinite(array.values).all():
                missing = np.argwhere(~np.isfinite(array.values))[:5].tolist()
                remedy = "Fill or leave out the cell by a named act, before an Estimate is made"
                raise QuantityError(
                    Fault(f"{name} of {self.quantity} has missing or infinite values", remedy, rows=missing)
                )

    def interval(self, level: float = 0.95) -> pd.DataFrame:
        """A table of every cell with its estimate and equal-tailed limits.

        Parameters
        ----------
        level : confidence level as a proportion.

        Returns
        -------
        table with one column a dimension, then ``estimate, lower, upper`` in the estimate's unit.
        """
        check_level(level)
        headline = canonical(self.headline)
        limits = self.draws.quantile([(1 - level) / 2, (1 + level) / 2], dim="draw")
        lower, upper = (limits.isel(quantile=n, drop=True).transpose(*headline.dims) for n in (0, 1))
        if not headline.dims:
            return pd.DataFrame({"estimate": [headline.item()], "lower": [lower.item()], "upper": [upper.item()]})
        index = pd.MultiIndex.from_product(
            [headline.coords[dim].values.tolist() for dim in headline.dims],
            names=[str(dim) for dim in headline.dims],
        )
        cells = {
            "estimate": headline.values.ravel(),
            "lower": lower.values.ravel(),
            "upper": upper.values.ravel(),
        }
        return pd.DataFrame(cells, index=index).reset_index()

    def to_xarray(self) -> xr.DataArray:
        """The draws, dimensions in canonical order, named after the quantity."""
        return canonical(self.draws).rename(self.quantity)

    def sum(self, over: str | Sequence[str]) -> Self:
        """The total over some dimensions, draw by draw.

        Raises
        ------
        QuantityError
            If the number is not a count of people, or the sum is over severity, whose strata may overlap.
        """
        dims = [over] if isinstance(over, str) else list(over)
        if self.unit != "people":
            raise QuantityError(f"{self.quantity} is a {self.unit}: only people can be added up")
        if "severity" in dims:
            raise QuantityError(
                Fault("strata of severity are not added up here", "Ask for need without severity", code="R152")
            )
        return replace(self, headline=self.headline.sum(dims), draws=self.draws.sum(dims))
