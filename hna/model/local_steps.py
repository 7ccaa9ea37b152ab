"""The steps of a model file that carry a rate to places, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from hna.errors import Fault, ModelError
from hna.evidence.shelf import Shelf
from hna.evidence.source import Source
from hna.measure.ages import AgeAxis
from hna.measure.estimate import Universe
from hna.model.defaults import Defaults
from hna.model.local import check_settled, shift_to
from hna.model.local_part import KEPT, Local, local_part
from hna.model.local_total import Total, total_of
from hna.model.spec import Model
from hna.model.spec_local import Benchmark

Array = NDArray[np.float64]

_ROUNDS = 20
_CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class Benchmarked:
    """Rates moved alike in all places until the need of one area is a known total, in every draw.

    Parameters
    ----------
    step : of the model file.
    inner : what carried the rate to places before; None where every place had the same.
    total : what is held.
    headline : shape (cell, level), proportions after the step; a cell is a sex and age.
    lean : shape (cell, level), logit (odds) or logarithm (proportional): what makes each cell's mean its headline.
    notes, flags, cited : of this step and those before it.
    """

    step: Benchmark
    inner: Local | None
    total: Total
    headline: Array
    lean: Array
    notes: tuple[str, ...]
    flags: tuple[str, ...]
    cited: tuple[Source, ...]
    _shift: dict[object, Array] = field(default_factory=dict, repr=False, init=False)
    _made: dict[object, Array] = field(default_factory=dict, repr=False, init=False)

    def shares(self, area: str) -> Array:
        """How people of an area are divided by level in each cell, shape (cell, level)."""
        return self.inner.shares(area) if self.inner else np.ones((len(self.headline), 1))

    def mean(self, area: str) -> Array:
        """Headline rates of an area, shape (cell,)."""
        found: Array = (self.shares(area) * self.headline).sum(axis=1)
        return found

    def place(self, area: str, national: Array, key: tuple[int, object], at: Callable[[int], Array]) -> Array:
        """Draws of the rate in an area before its own error, shape (sex, age, draw); as in `Local.place`.

        The shift is that of the year of the total and of the same errors; other years keep it.
        """
        made = self._made.get(key)
        if made is None:
            made = self._moved(national, key, at)
            if (len(self._made) + 1) * made.size > KEPT:
                self._made.clear()
            self._made[key] = made
        found: Array = np.einsum("cl,cld->cd", self.shares(area), made)
        return found.reshape(national.shape)

    def _moved(self, national: Array, key: tuple[int, object], at: Callable[[int], Array]) -> Array:
        then = (self.total.year if key[0] else 0, key[1])
        shift = self._shift.get(key[1])
        if shift is None:
            base = self._levels(at(self.total.year), then)
            shift = self._shift[key[1]] = shifts(base, self.lean, self.weights, self.total, self.step.scale)
        moved = move(self._levels(national, key), self.lean, shift, self.total, self.step.scale)
        if key == then:
            return moved
        # Errors that grow with the years since the total lean a mean: each cell is put back on its headline.
        return leant(moved, self.headline * (self.total.drawn.mean() / self.total.point.mean()))

    def _levels(self, national: Array, key: object) -> Array:
        if self.inner is None:
            flat: Array = national.reshape(-1, 1, national.shape[-1])
            return flat
        return self.inner.by_level(national, key)

    @property
    def weights(self) -> Array:
        """People of the area whose total is held, shape (cell, level)."""
        return self.total.people[:, None] * self.shares(self.total.area)

    def alone(self, area: str) -> bool:
        """Whether a place has no error of its own: that whose total is known."""
        return area == self.total.area

    def without(self, *steps: str) -> Benchmarked:
        """The same without the error of some steps."""
        inner = self.inner.without(*steps) if self.inner else None
        return self.of(inner, self.total.still if "benchmark" in steps else self.total)

    def of(self, inner: Local | None, total: Total) -> Benchmarked:
        """The same step on other draws."""
        return replace(self, inner=inner, total=total)

    @property
    def steps(self) -> dict[str, Local | Benchmarked]:
        """Rates after each step, by the step's name in the waterfall."""
        return {**(self.inner.steps if self.inner else {}), "benchmark": self}


Carried = Local | Benchmarked


def shifts(levels: Array, lean: Array, weights: Array, total: Total, scale: str) -> Array:
    """The shift (odds) or factor (proportional) of each number of a total, shape (number, draw).

    Odds: δ with ``Σ w·expit(logit p + lean + δ) = T`` in every draw. Proportional: ``r = T/Σ w·p·exp(lean)``.

    Parameters
    ----------
    levels : shape (cell, level, draw), proportions.
    lean : shape (cell, level).
    weights : shape (cell, level), people.
    """
    found = []
    for rows, target in zip(total.cells, total.drawn, strict=True):
        living = weights[rows].ravel()
        rate = _led(levels[rows], lean[rows], scale).reshape(len(living), -1)
        _possible(target, living, total)
        found.append(shift_to(rate, living, target) if scale == "odds" else target / (living @ rate))
    return np.stack(found)


def move(levels: Array, lean: Array, shift: Array, total: Total, scale: str) -> Array:
    """Rates after the shift of `shifts`, shape (cell, level, draw).

    Raises
    ------
    ModelError
        R414 if a factor takes a rate above one.
    """
    moved = _led(levels, lean, scale)
    for rows, here in zip(total.cells, shift, strict=True):
        moved[rows] = expit(logit(moved[rows]) + here) if scale == "odds" else moved[rows] * here
    if (moved >= 1).any():
        remedy = "Use scale: odds, which stays below one"
        raise ModelError(Fault("a known total takes a rate above one", remedy, field="local.scale", code="R414"))
    return moved


def leant(rates: Array, headline: Array) -> Array:
    """Rates moved by one logit a cell and level, alike in all draws, until their means are the headline."""
    for _ in range(_ROUNDS):
        away = logit(headline) - logit(rates.mean(axis=-1))
        if np.abs(away).max() < _CLOSE:
            break
        rates = expit(logit(rates) + away[..., None])
    else:
        check_settled(away, "rates brought to a total of another year")
    return rates


def _led(levels: Array, lean: Array, scale: str) -> Array:
    led: Array = expit(logit(levels) + lean[..., None]) if scale == "odds" else levels * np.exp(lean)[..., None]
    return led


def _possible(target: Array, living: Array, total: Total) -> None:
    if (target <= 0).any() or (target >= living.sum()).any():
        what = f"a total of {target.mean():,.0f} in {total.area} is not between nobody and the {living.sum():,.0f} people there"
        raise ModelError(Fault(what, "Mend the total or its population", field="local.source", code="R422"))


def carried(
    model: Model,
    shelf: Shelf,
    universe: Universe,
    sexes: Sequence[str],
    ages: AgeAxis,
    mean: Array,
    national: Array,
    seed: int,
    defaults: Defaults,
) -> Carried:
    """What carries the rate of a model to any area: its steps, in the order of the model file.

    Parameters
    ----------
    model : with one local step or more.
    universe : of the rate.
    sexes, ages : its axes.
    mean : shape (sex, age), published rate.
    national : shape (sex, age, draw), with sampling error.

    Raises
    ------
    ModelError
        R411 for two totals; what each step refuses.
    """
    totals = [step for step in model.local if isinstance(step, Benchmark)]
    if len(totals) > 1:
        rows = [f"{step.source} in {step.benchmark}" for step in totals]
        remedy = "Keep one: rates brought to the second no longer meet the first"
        raise ModelError(Fault("two totals are to be held at once", remedy, field="local", rows=rows, code="R411"))
    if totals and not isinstance(model.local[-1], Benchmark):
        remedy = "Write the benchmark last, so that what is held is what comes out"
        raise ModelError(Fault("a step follows the benchmark", remedy, field="local"))
    inner = None
    if len(model.local) > len(totals):
        inner = local_part(model, shelf, universe.condition, sexes, ages, mean, national, seed, defaults)
    if not totals:
        if inner is None:
            raise ModelError(Fault("there is no local step", "Write one", field="local"))
        return inner
    total = total_of(totals[0], model, shelf, universe, sexes, ages, national.shape[-1], seed, defaults)
    return _benchmarked(totals[0], inner, total, mean, national)


def _benchmarked(step: Benchmark, inner: Local | None, total: Total, mean: Array, national: Array) -> Benchmarked:
    flat = national.reshape(-1, 1, national.shape[-1])
    levels = inner.by_level(national, None) if inner else flat
    point = inner.headline if inner else mean.reshape(-1, 1)
    weights = total.people[:, None] * (inner.shares(total.area) if inner else np.ones((len(point), 1)))
    plain = np.zeros(point.shape)
    known = replace(total, drawn=total.point[:, None])
    headline = move(
        point[..., None], plain, shifts(point[..., None], plain, weights, known, step.scale), total, step.scale
    )[..., 0]
    # The draws of the total have its headline as their mean but for Monte Carlo error, which stays.
    kept = headline.copy()
    for rows, drawn, value in zip(total.cells, total.drawn, total.point, strict=True):
        kept[rows] *= drawn.mean() / value
    log = logit if step.scale == "odds" else np.log
    lean = plain
    for _ in range(_ROUNDS):
        moved = move(levels, lean, shifts(levels, lean, weights, total, step.scale), total, step.scale)
        away = log(kept) - log(moved.mean(axis=-1))
        if np.abs(away).max() < _CLOSE:
            break
        lean = lean + away
    else:
        check_settled(away, "rates brought to a total")
    notes, flags = (*(inner.notes if inner else ()), *total.notes), {*(inner.flags if inner else ()), *total.flags}
    cited = {one.id: one for one in (*(inner.cited if inner else ()), *total.cited)}
    return Benchmarked(step, inner, total, headline, lean, notes, tuple(sorted(flags)), tuple(cited.values()))
