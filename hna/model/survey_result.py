"""Rates of a whole population from a fitted survey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.measure.draws import check_level
from hna.model.local import to_total_logit

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Poststratified:
    """Rates of a whole population, with partial pooling.

    Parameters
    ----------
    labels : of areas or groups.
    draws : shape (label, draw), proportions.
    people : shape (label,).
    direct : the survey's own share and its (effective) size, by label.
    own_data : share of an area's effect that its own sample settles, 0 for one not sampled: 1 − shrinkage.
    by : what the labels are.
    """

    labels: tuple[str, ...]
    draws: Array
    people: Array
    direct: Mapping[str, tuple[float, float]]
    own_data: Mapping[str, float]
    by: str

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """One row a label: estimate (posterior mean), lower, upper, direct, sample, own_data, people.

        Limits are equal-tailed, and draws that equal a limit count half, people being whole.

        References
        ----------
        Lancaster HO. J Am Stat Assoc 1961;56:223-234 (half of what is equal). doi 10.1080/01621459.1961.10482105.
        """
        check_level(level)
        low, high = np.array([_limits(row, [(1 - level) / 2, (1 + level) / 2]) for row in self.draws]).T
        nothing = (float("nan"), 0.0)
        direct = [self.direct.get(label, nothing) for label in self.labels]
        return pd.DataFrame(
            {
                self.by: list(self.labels),
                "estimate": self.draws.mean(axis=1),
                "lower": low,
                "upper": high,
                "direct": [share for share, _ in direct],
                "sample": [size for _, size in direct],
                "own_data": [self.own_data.get(label, 0.0) for label in self.labels],
                "people": self.people,
            }
        )

    def total(self) -> Array:
        """Draws of the rate among everybody, shape (draw,)."""
        rate: Array = self.people @ self.draws / self.people.sum()
        return rate

    def benchmarked(self, rate: float | Array) -> Poststratified:
        """The same areas moved alike on the logit scale until the whole has a known rate (a number, or draws of one).

        References
        ----------
        As `hna.model.local.to_total_logit`.
        """
        moved, _ = to_total_logit(self.draws, self.people, np.asarray(rate) * self.people.sum())
        return Poststratified(self.labels, moved, self.people, self.direct, self.own_data, self.by)


def _limits(drawn: Array, at: list[float]) -> Array:
    """Quantiles of draws of which many may be equal: straight between the middles of their steps."""
    value, count = np.unique(drawn, return_counts=True)
    found: Array = np.interp(at, (np.cumsum(count) - count / 2) / len(drawn), value)
    return found
