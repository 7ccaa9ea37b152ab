"""Local adjustment in a model file: a national rate carried to each place by who lives there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import Fault, ModelError
from hna.evidence.composition import Composition, composition_for
from hna.evidence.shelf import Shelf
from hna.evidence.source import CompositionSource, PrevalenceSource
from hna.measure.ages import AgeAxis
from hna.model.defaults import Defaults
from hna.model.local import NAME, NOT_FOR, Ratios, Scale, check_adjustments, check_settled, recentre
from hna.model.local_ratios import StepRatios, check_step, scale_of, step_ratios
from hna.model.spec import Model
from hna.model.spec_rate import LocalAdjustment

Array = NDArray[np.float64]

ENGLAND = "E92000001"
KEPT = 2**22
"""Numbers that are kept so as not to be formed again."""
_ROUNDS = 12
_CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class Local:
    """Rates of the levels of a factor, whose total over the benchmark is the national rate in every draw.

    Parameters
    ----------
    step : of the model file.
    composition : people of each area by the composition's own levels.
    sexes, ages : of the rate.
    levels : of the ratios.
    merge : shape (level of the composition, level), 1 where one lies in the other.
    share : shape (cell, level), of the benchmark's people; a cell is a sex and age.
    ratio : shape (cell, level), logarithm, of the headline.
    drawn : shape (cell, level, draw), logarithm; leant so that each level's mean is its headline.
    headline : shape (cell, level), proportions.
    cited : records it rests on.
    notes : what was done, in words.
    flags : diagnostic codes.
    """

    step: LocalAdjustment
    composition: Composition
    sexes: tuple[str, ...]
    ages: AgeAxis
    levels: tuple[str, ...]
    merge: Array
    share: Array
    ratio: Array
    drawn: Array
    headline: Array
    cited: tuple[PrevalenceSource | CompositionSource, ...]
    notes: tuple[str, ...]
    flags: tuple[str, ...]
    _made: dict[object, Array] = field(default_factory=dict, repr=False, init=False)

    @property
    def scale(self) -> Scale:
        """Odds or risk."""
        return scale_of(self.step)

    def shares(self, area: str) -> Array:
        """How people of an area are divided by level in each cell, shape (cell, level); the benchmark's where it has none."""
        people = self.composition.of(area, self.sexes, self.ages).reshape(len(self.share), -1) @ self.merge
        total = people.sum(axis=1, keepdims=True)
        found: Array = np.where(total > 0, people / np.where(total > 0, total, 1.0), self.share)
        return found

    def mean(self, area: str) -> Array:
        """Headline rates of an area, shape (cell,)."""
        found: Array = (self.shares(area) * self.headline).sum(axis=1)
        return found

    def by_level(self, national: Array, key: object) -> Array:
        """Draws of the rates of levels, shape (cell, level, draw), from those of the rate held in total (sex, age, draw).

        Parameters
        ----------
        key : of the year and errors that it holds, so that what all areas share is formed once.
        """
        made = self._made.get(key)
        if made is None:
            made = recentre(national.reshape(-1, national.shape[-1]), self.drawn, self.share, self.scale)
            if (len(self._made) + 1) * made.size > KEPT:
                self._made.clear()
            self._made[key] = made
        return made

    def place(self, area: str, national: Array, key: object, at: Callable[[int], Array]) -> Array:  # noqa: ARG002
        """Draws of the rate in an area before its own error.

        Parameters
        ----------
        area : code.
        national : shape (sex, age, draw), the rate held in total.
        key : as in `by_level`.
        at : the same rate in any year.

        Returns
        -------
        array of shape (sex, age, draw), proportions.
        """
        found: Array = np.einsum("cl,cld->cd", self.shares(area), self.by_level(national, key))
        return found.reshape(national.shape)

    def alone(self, area: str) -> bool:  # noqa: ARG002
        """Whether a place has no error of its own: never, here."""
        return False

    def without(self, *steps: str) -> Local:
        """The same without the error of some steps."""
        return (
            replace(self, drawn=np.repeat(self.ratio[..., None], self.drawn.shape[-1], axis=-1))
            if "local" in steps
            else self
        )

    @property
    def steps(self) -> dict[str, Local]:
        """Rates after each step, by the step's name in the waterfall."""
        return {"local": self}


def local_part(
    model: Model,
    shelf: Shelf,
    condition: str,
    sexes: Sequence[str],
    ages: AgeAxis,
    mean: Array,
    national: Array,
    seed: int,
    defaults: Defaults,
) -> Local:
    """The local step of a model, ready for any area.

    ``p(g, f) = p(g)·RR(f)/c(g)``, or the same in odds, re-centred in every cell g of age and sex over the people of the
    benchmark, in every draw. An area's rate is that of its people: ``p(a, g) = Σ_f share(a, g, f)·p(g, f)``. The ratios
    are those of the source's own rates by level; one draw of them serves every area, age and year.

    Parameters
    ----------
    model : with one local step or more, by different factors; several are one step by all of them together.
    condition : that the rate is of.
    sexes, ages : axes of the rate.
    mean : shape (sex, age), published rate.
    national : shape (sex, age, draw), with sampling error.

    Raises
    ------
    ModelError
        R411 for a double adjustment; R415 where nothing divides people by all factors together; as in `check_step` and `step_ratios`.
    """
    steps = _steps(model)
    step, factors = steps[0], [one.factor for one in steps]
    draws = national.shape[-1]
    for one in steps:
        check_step(one, shelf, condition, model.band)
    composition = composition_for(shelf, factors, step.composition)
    made = [step_ratios(one, shelf, composition, sexes, ages, draws, seed, defaults) for one in steps]
    levels, merge, ratio, away = _together(made, composition.source.factors)
    benchmark = ENGLAND if step.benchmark == "england" else str(step.benchmark)
    people = composition.of(benchmark, sexes, ages).reshape(len(ratio), -1) @ merge
    if (people.sum(axis=1) <= 0).any():
        rows_empty = [
            band.label for band, row in zip([*ages.bands] * len(sexes), people, strict=True) if row.sum() <= 0
        ]
        raise ModelError(Fault(f"nobody of these ages lives in {benchmark}", field="local.benchmark", rows=rows_empty))
    share = people / people.sum(axis=1, keepdims=True)
    scale = scale_of(step)
    headline = recentre(mean.reshape(-1, 1), ratio[..., None], share, scale)[..., 0]
    flat = national.reshape(-1, draws)
    # The draws of the national rate have its headline as their mean but for Monte Carlo error, which stays.
    kept = headline * (flat.mean(axis=1) / mean.ravel())[:, None]
    away = _leant(flat, away, share, kept, scale)
    flags = {"N401", *(flag for one in made for flag in one.flags)}
    said = " and ".join(f"{one.step.factor} ({one.step.source})" for one in made)
    where = "England" if benchmark == ENGLAND else benchmark
    known = f"{' and '.join(factors)} {'is' if len(factors) == 1 else 'are'}"
    low, high = headline.min(axis=1) / headline.mean(axis=1), headline.max(axis=1) / headline.mean(axis=1)
    notes = [
        (
            f"a {NAME}: the rate is carried to each place by {said}, the total of {where} held in "
            f"every draw; people by level are those of {composition.source.id} ({composition.year}); rates "
            f"of levels run from {float(low.min()):.2f} to {float(high.max()):.2f} times their average"
        ),
        f"{known} all that this {NAME} knows of the place: it is not for {', '.join(NOT_FOR.values())}",
    ]
    notes += [note for one in made for note in one.notes]
    return Local(
        step, composition, tuple(sexes), ages, levels, merge, share, ratio, away, headline,
        (*(one.source for one in made), composition.source), tuple(notes), tuple(sorted(flags)),
    )  # fmt: skip


def _steps(model: Model) -> list[LocalAdjustment]:
    """The steps by a factor; one twice, and several that were not adjusted for each other, are refused."""
    steps = model.factors
    said = [
        Ratios(step.source, step.factor, ("",), (1.0,), (0.0,), scale_of(step), frozenset({*step.adjusted_for, "age"}))
        for step in steps
    ]
    already = {factor for used in model.prevalence.sources for factor in used.adjusted_for}
    check_adjustments(said, sorted(already))
    for name in ("method", "benchmark", "composition"):
        held = {getattr(step, name) for step in steps}
        if len(held) > 1:
            rows = [f"{step.factor}: {getattr(step, name)}" for step in steps]
            what = f"factors that are adjusted for together have different values of {name}"
            raise ModelError(Fault(what, "Write both alike", field=f"local.{name}", rows=rows))
    return steps


def _together(made: Sequence[StepRatios], factors: Sequence[str]) -> tuple[tuple[str, ...], Array, Array, Array]:
    """Levels of all factors together, in the order of the composition: names, merge, log ratios and their draws.

    Ratios adjusted for each other multiply: their logarithms add up.
    """
    first, *rest = [next(one for one in made if one.step.factor == factor) for factor in factors]
    levels, merge, ratio, drawn = first.levels, first.merge, first.ratio, first.drawn
    for one in rest:
        levels = tuple(f"{a}, {b}" for a in levels for b in one.levels)
        merge = np.asarray(np.kron(merge, one.merge), dtype=np.float64)
        ratio = (ratio[:, :, None] + one.ratio[:, None]).reshape(len(ratio), -1)
        drawn = (drawn[:, :, None] + one.drawn[:, None]).reshape(*ratio.shape, -1)
    return levels, merge, ratio, drawn


def _leant(rate: Array, drawn: Array, share: Array, headline: Array, scale: Scale) -> Array:
    """Log ratios moved alike in all draws until each level's mean rate is its headline."""
    log = logit if scale == "odds" else np.log
    for _ in range(_ROUNDS):
        mean = recentre(rate, drawn, share, scale).mean(axis=-1)
        away = log(headline) - log(mean)
        if np.abs(away).max() < _CLOSE:
            break
        drawn = drawn + away[..., None]
    else:
        check_settled(away, "rates by level")
    return drawn
