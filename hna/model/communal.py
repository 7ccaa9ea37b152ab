"""People of communal establishments, whom a study of households did not reach, with a rate of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hna.errors import Fault, ModelError
from hna.measure.draws import uniform

Array = NDArray[np.float64]
Ends = tuple[float, float]


@dataclass(frozen=True)
class Communal:
    """A rate of households carried to everybody: ``p·(1 + s·(r − 1))`` with share s and relative prevalence r.

    Both are drawn evenly between their ends, once for all cells, areas and needs that name the same citation.

    Parameters
    ----------
    key : of the streams.
    share : of the people of the rate's ages who live in a communal establishment, least and most; proportions.
    relative : their prevalence as a multiple of that of households, least and most.
    flags : diagnostic codes.
    """

    key: str
    share: Ends
    relative: Ends
    flags: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was done."""
        share, relative = self.share, self.relative
        return (
            f"people of communal establishments added: {share[0]:.1%} to {share[1]:.1%} of people, {relative[0]:g} to "
            f"{relative[1]:g} times the prevalence of households"
        )

    @property
    def most(self) -> float:
        """The largest part of the need that leaving them out could miss, or add, as a proportion."""
        parts = [s * (r - 1) / (1 + s * (r - 1)) for s, r in product(self.share, self.relative)]
        return max(abs(part) for part in parts)

    @property
    def own(self) -> float:
        """Standard deviation of what varies between settings: none is known."""
        return 0.0

    @property
    def factor(self) -> float:
        """What the rate of households is multiplied by, at the middle of both."""
        return float(1 + np.mean(self.share) * (np.mean(self.relative) - 1))

    def point(self, rate: ArrayLike) -> Array:
        """Rates of everybody, inside (0, 1)."""
        return self._inside(np.asarray(rate, dtype=float) * self.factor)

    def drawn(self, rate: Array, seed: int, survey: str, cells: Sequence[str] = ()) -> Array:  # noqa: ARG002
        """Draws for everybody, shape (..., draw)."""
        share, relative = (self._draw(name, seed, rate.shape[-1]) for name in ("share", "relative"))
        return self._inside(rate * (1 + share * (relative - 1)))

    def slope(self, rate: ArrayLike) -> Array:
        """Derivative of the logit of the rate of everybody by that of households: ``(1 − p)/(1 − f·p)``."""
        return np.asarray((1 - np.asarray(rate, dtype=float)) / (1 - self.point(rate)), dtype=float)

    def loadings(self, rate: ArrayLike) -> dict[str, Array]:
        """What one standard deviation of each does to the logit of the rate of everybody, by stream."""
        scale = 1 / (self.factor * (1 - self.point(rate)))
        return {
            self._stream("share"): scale * (np.mean(self.relative) - 1) * _spread(self.share),
            self._stream("relative"): scale * np.mean(self.share) * _spread(self.relative),
        }

    def scores(self, seed: int, draws: int) -> dict[str, Array]:
        """Draws of each in standard deviations, by stream."""
        return {
            self._stream(name): (uniform(seed, self._stream(name), draws) - 0.5) * np.sqrt(12.0)
            for name in ("share", "relative")
        }

    def _stream(self, name: str) -> str:
        return f"communal-{name}:{self.key}"

    def _draw(self, name: str, seed: int, draws: int) -> Array:
        low, high = self.share if name == "share" else self.relative
        return low + (high - low) * uniform(seed, self._stream(name), draws)

    @staticmethod
    def _inside(rate: Array) -> Array:
        if rate.max(initial=0.0) >= 1:
            remedy = "Give a rate of everybody, or a smaller multiple"
            raise ModelError(Fault("communal establishments take the rate above one", remedy, code="R414"))
        return rate


def _spread(ends: Ends) -> float:
    return float((ends[1] - ends[0]) / np.sqrt(12.0))
