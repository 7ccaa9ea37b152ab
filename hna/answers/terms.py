"""One group's rates in one year, laid out to be multiplied, and the errors that areas have of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hna.answers.expansion import Expansion
from hna.measure.draws import uniform
from hna.model.rates import Part, Rates

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Floats = TypeVar("Floats", bound=NDArray[np.floating[Any]])


@dataclass(frozen=True, eq=False)
class Group:
    """Parts of a rate whose ages follow those of another group.

    Parameters
    ----------
    parts : alternatives.
    cells : which of the flat (sex, age) cells are theirs.
    chosen : shape (draw,), which alternative each draw takes; None if there is one.
    """

    parts: tuple[Part, ...]
    cells: NDArray[np.intp]
    chosen: NDArray[np.intp] | None

    def pick(self, values: Sequence[Array]) -> Array:
        """Each draw's own alternative."""
        return values[0] if self.chosen is None else np.choose(self.chosen, values)

    @property
    def widest(self) -> float:
        """Largest standard deviation of an area's own error."""
        return max(part.transport for part in self.parts)


@dataclass(frozen=True, eq=False)
class Shared:
    """Rates that all areas share, and their moments.

    Parameters
    ----------
    rate : shape (cell, draw).
    mean, covariance : over draws, shapes (cell,) and (cell, cell).
    away : shape (cell, draw), rate less mean in single precision.
    furthest : shape (cell,), its largest size.
    """

    rate: Array
    mean: Array
    covariance: Array
    away: Single
    furthest: Array

    @classmethod
    def of(cls, rate: Array) -> Shared:
        """From draws of a rate."""
        mean = rate.mean(axis=1)
        away = rate - mean[:, None]
        single = away.astype(np.float32)
        furthest = np.maximum(single.max(axis=1), -single.min(axis=1)).astype(float)
        return cls(rate, mean, away @ away.T / rate.shape[1], single, furthest)

    def moments(self, people: Array) -> dict[str, Array]:
        """Mean and standard deviation of need, shape (area,), from people of shape (area, cell)."""
        variance = np.einsum("ac,ac->a", people @ self.covariance, people)
        return {"mean": people @ self.mean, "sd": np.sqrt(np.maximum(variance, 0.0))}


@dataclass(frozen=True, eq=False)
class Terms:
    """One group's rates in one year, ready to be multiplied.

    Parameters
    ----------
    coefficients : shape (power, severity, cell, draw); one power where areas have no error of their own. Empty if no
        expansion is short enough.
    singles : the powers after them, in single precision.
    expansion : what the powers are of; None for none.
    odds : shape (layer, cell, draw), before an area's own error; None where areas have none.
    shares : shape (stratum, cell, draw), of the first layer.
    shared : by severity, rates of all groups together, where all areas share them.
    """

    coefficients: Array
    singles: Single = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    expansion: Expansion | None = None
    odds: Array | None = None
    shares: Array | None = None
    shared: dict[int, Shared] = field(default_factory=dict)

    @property
    def products(self) -> int:
        """Matrix products that a block needs."""
        return len(self.coefficients) + len(self.singles)

    def moved(self, severity: int, at: NDArray[np.intp] | slice, h: Array) -> Array:
        """Rates of some draws with an area's own error, shape (cell, draw), without any expansion."""
        if self.odds is None:
            raise ValueError("these rates are shared by all areas")
        layers = len(self.odds)
        odds = self.odds[severity if severity < layers else 0][:, at]
        rate: Array = odds / (odds + np.exp(-h))
        if severity >= layers and self.shares is not None:
            rate *= self.shares[severity - layers][:, at]
        return rate


class Errors:
    """Errors that some areas have of their own, for each group of a rate.

    Parameters
    ----------
    own : for each group, shape (area, draw), logit scale; None where areas have none.
    reach : for each group, the largest that an expansion spans.
    codes : of the areas.
    """

    def __init__(self, own: Sequence[Array | None], reach: Sequence[float], codes: Sequence[str]) -> None:
        self.codes = tuple(codes)
        self.own = tuple(own)
        self.beyond = [
            None if h is None else np.nonzero(np.abs(h) > limit) for h, limit in zip(own, reach, strict=True)
        ]
        self._placed: dict[int, tuple[Expansion, Array, Single, Array | None]] = {}
        self._roughly: dict[int, tuple[Expansion, Single, Single | None]] = {}

    def placed(self, group: int, found: Expansion) -> tuple[Array, Single, Array | None]:
        """The variable of an expansion, twice, and its weight; the same in most years."""
        held = self._placed.get(group)
        own = self.own[group]
        if own is None:
            raise ValueError("these areas have no errors of their own")
        if held is None or held[0] is not found:
            variable, weight = found.place(own)
            held = (found, variable, variable.astype(np.float32), weight)
            self._placed[group] = held
        return held[1:]

    def roughly(self, group: int, found: Expansion) -> tuple[Single, Single | None]:
        """The variable of an expansion and its weight, in single precision."""
        held = self._roughly.get(group)
        own = self.own[group]
        if own is None:
            raise ValueError("these areas have no errors of their own")
        if held is None or held[0] is not found:
            variable, weight = found.place(own)
            held = (found, variable.astype(np.float32), None if weight is None else weight.astype(np.float32))
            self._roughly[group] = held
        return held[1:]


def horner(
    people: Floats, powers: Floats, variable: Floats, out: Floats, room: Floats, beyond: Single | None = None
) -> None:
    """A polynomial's value, shape (area, draw): the sum over powers of people times its coefficients times the variable to it.

    Parameters
    ----------
    people : shape (area, cell).
    powers : shape (power, cell, draw).
    variable : shape (area, draw).
    out, room : shape (area, draw), for the value and for work.
    beyond : what higher powers than those given come to, divided by the highest that is given.
    """
    np.matmul(people, powers[-1], out=out)
    if beyond is not None:
        np.add(out, beyond, out=out)
    for power in powers[-2::-1]:
        np.multiply(out, variable, out=out)
        np.add(out, np.matmul(people, power, out=room), out=out)


def groups_of(rates: Rates) -> list[Group]:
    """The parts of a rate, by the ages they cover."""
    ages = len(rates.ages.bands)
    flat = np.arange(len(rates.sexes) * ages).reshape(len(rates.sexes), ages)
    found, start = [], 0
    for parts in rates.groups:
        width = len(parts[0].layers.ages.bands)
        chosen = None
        if len(parts) > 1:
            points = uniform(rates.seed, f"mixture:{rates.model.need}", rates.size)
            chosen = np.minimum((points * len(parts)).astype(int), len(parts) - 1)
        found.append(Group(parts, flat[:, start : start + width].ravel(), chosen))
        start += width
    return found
