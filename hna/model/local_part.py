"""Local adjustment in a model file: a national rate carried to each place by who lives there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.composition import Composition, composition_for
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import CompositionSource, PrevalenceSource
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import uniform
from hna.model.defaults import Defaults
from hna.model.distribution import sampling_of
from hna.model.local import NAME, NOT_FOR, Ratios, Scale, check_adjustments, recentre
from hna.model.spec import Model
from hna.model.spec_rate import LocalAdjustment

Array = NDArray[np.float64]

ENGLAND = "E92000001"
_ROUNDS = 12
_CLOSE = 1e-6
_NARROW = 10


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


def scale_of(step: LocalAdjustment) -> Scale:
    """The scale of a step's ratios."""
    return "odds" if step.method == "odds-ratio" else "risk"


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
    model : with one local step.
    condition : that the rate is of.
    sexes, ages : axes of the rate.
    mean : shape (sex, age), published rate.
    national : shape (sex, age, draw), with sampling error.

    Raises
    ------
    ModelError
        R411 for a double adjustment; R412 without a benchmark; R413 for ratios of all ages together that were not
        adjusted for age; R113 for rates by level without uncertainty.
    """
    step = _one_step(model)
    table = read_prevalence(shelf, step.source)
    _check(step, table, condition)
    composition = composition_for(shelf, step.factor, step.composition)
    levels, merge = _levels(step, table, composition)
    judged = step.judged
    span = None if judged is None else (judged.relative[0], judged.relative[1])
    sampling = sampling_of(table, defaults.design_effect, span)
    draws = national.shape[-1]
    rows = [_row(table, step, sex, band) for sex in sexes for band in ages.bands]
    unique = sorted({row for cell in rows for row in cell.values()})
    key = f"ratio:{step.source}"
    log = logit if step.method == "odds-ratio" else np.log
    point = {row: float(log(sampling.mean[row])) for row in unique}
    drawn = {
        row: log(
            sampling.draw(row, uniform(seed, f"{key}:{row}", draws), uniform(seed, f"{key}:{row}:rounding", draws))
        )
        for row in unique
    }
    ratio = np.stack([_along(levels, {one: point[row] for one, row in cell.items()}) for cell in rows])
    made: dict[tuple[int, ...], Array] = {}
    for cell in rows:
        made.setdefault(tuple(cell.values()), _along(levels, {one: drawn[row] for one, row in cell.items()}))
    away = np.stack([made[tuple(cell.values())] for cell in rows])
    benchmark = ENGLAND if step.benchmark == "england" else str(step.benchmark)
    people = composition.of(benchmark, sexes, ages).reshape(len(rows), -1) @ merge
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
    flags = {"N401", *sampling.flags, *(("W131",) if step.between or judged else ())}
    low, high = headline.min(axis=1) / headline.mean(axis=1), headline.max(axis=1) / headline.mean(axis=1)
    notes = [
        (
            f"a {NAME}: the rate is carried to each place by {step.factor} ({step.source}), the total of {benchmark} held in "
            f"every draw; people by level are those of {composition.source.id} ({composition.year}); rates "
            f"of levels run from {float(low.min()):.2f} to {float(high.max()):.2f} times their average"
        ),
        f"{step.factor} is all that this {NAME} knows of the place: it is not for {', '.join(NOT_FOR.values())}",
    ]
    if step.between:
        notes.append(f"{step.source} prints {len(rows[0])} of {len(levels)} levels; those between are straight in rank")
    notes += [f"{step.source}: {one}" for one in dict.fromkeys(sampling.family)]
    notes += [step.because] if step.because else []
    return Local(
        step, composition, tuple(sexes), ages, levels, merge, share, ratio, away, headline,
        (table.source, composition.source), tuple(notes), tuple(sorted(flags)),
    )  # fmt: skip


def _one_step(model: Model) -> LocalAdjustment:
    """The only step; several factors, or one twice, are refused."""
    said = [
        Ratios(step.source, step.factor, ("",), (1.0,), (0.0,), scale_of(step), frozenset({*step.adjusted_for, "age"}))
        for step in model.factors
    ]
    already = {factor for used in model.prevalence.sources for factor in used.adjusted_for}
    check_adjustments(said, sorted(already))
    if len(model.factors) > 1:
        remedy = "Use the one that differs more between places, or a source and a composition by both together"
        what = f"people by {' and '.join(step.factor for step in model.factors)} together are not on the shelf"
        raise ModelError(Fault(what, remedy, field="local", code="R415"))
    return model.factors[0]


def _check(step: LocalAdjustment, table: Prevalence, condition: str) -> None:
    faults = []
    if step.benchmark is None:
        remedy = "Write benchmark: england, or the code of the area in which the rate was found"
        what = "a relative risk has no reference population"
        faults.append(Fault(what, remedy, field="local.benchmark", code="R412"))
    if table.split_by != (step.factor,):
        held = ", ".join(table.split_by) or "no groups"
        remedy = f"Name a source whose table.csv has a column {step.factor}, and no other groups"
        faults.append(Fault(f"{step.source} has rates by {held}", remedy, field="local.source"))
    elif table.strata != [""]:
        faults.append(
            Fault(f"{step.source} divides cases by severity", "Name rates of all cases", field="local.source")
        )
    wide = max((band.end - band.low for band in table.bands), default=np.inf)
    if "age" not in step.adjusted_for and (wide > _NARROW and len(set(table.bands)) == 1):
        remedy = "Name rates by age, or state adjusted_for: [age] where the source says so"
        what = f"rates by {step.factor} in {step.source} are of all ages together and not adjusted for age"
        faults.append(Fault(what, remedy, field="local.adjusted_for", code="R413"))
    if table.source.condition != condition and not step.because:
        remedy = "Name rates of the same condition, or say under because why these ratios hold for it"
        what = f"{step.source} is about {table.source.condition}, and the model about {condition}"
        faults.append(Fault(what, remedy, field="local.source"))
    if faults:
        raise ModelError(faults)


def _levels(step: LocalAdjustment, table: Prevalence, composition: Composition) -> tuple[tuple[str, ...], Array]:
    """Levels of the ratios in order, and which of them each level of the composition lies in."""
    held = list(dict.fromkeys(str(one) for one in table.split[step.factor]))
    named = composition.source.levels
    if step.factor == "ethnicity":
        if set(held) != set(named):
            rows = [f"{step.source}: {', '.join(held)}", f"{composition.source.id}: {', '.join(named)}"]
            raise AxisError(Fault("ethnic groups do not match exactly", "Name both alike", field="local", rows=rows))
        return tuple(named), np.eye(len(named))
    if not all(one.isdecimal() and int(one) >= 1 for one in held):
        remedy = "Number the levels from 1, the most deprived, as in fifths 1 to 5 or tenths 1 to 10"
        raise AxisError(Fault(f"levels of deprivation in {step.source} are no ranks", remedy, rows=held))
    count = max(int(one) for one in held)
    if len(named) % count or count < 2:
        what = f"{step.source} has {count} levels of deprivation and {composition.source.id} has {len(named)}"
        raise AxisError(Fault(what, "The finer must add up to the coarser", field="local.source"))
    levels = tuple(str(n) for n in range(1, count + 1))
    missing = [one for one in levels if one not in held]
    if missing and (step.between is None or "1" in missing):
        remedy = "Give every level; or, with the most and the least deprived printed, write between: straight"
        raise AxisError(Fault(f"{step.source} lacks levels of deprivation", remedy, field="local", rows=missing))
    merge = np.repeat(np.eye(count), len(named) // count, axis=0)
    return levels, merge


def _row(table: Prevalence, step: LocalAdjustment, sex: str, band: AgeBand) -> dict[str, int]:
    """The row of each printed level for a cell: of its sex, or of persons; of the band that holds its ages."""
    held = sex if (table.sex == sex).any() else "persons"
    level = table.split[step.factor]
    only = len(set(table.bands)) == 1
    found = {str(level[n]): n for n in range(len(level)) if table.sex[n] == held and (only or band in table.bands[n])}
    if not found:
        remedy = (
            "Nothing is extrapolated outside a source's ages: name rates by level for these ages, or for all together"
        )
        what = f"{step.source} has no rates by {step.factor} for {held} aged {band.label}"
        raise AxisError(Fault(what, remedy, field="local.source", code="R201"))
    return found


def _along(levels: tuple[str, ...], held: dict[str, Array] | dict[str, float]) -> Array:
    """Values at every level, straight in rank between those that are there; shape (level, ...)."""
    at = [n for n, one in enumerate(levels) if one in held]
    values = np.stack([np.asarray(held[levels[n]]) for n in at])
    found = np.empty((len(levels), *values.shape[1:]))
    for n in range(len(levels)):
        right = min(int(np.searchsorted(at, n)), len(at) - 1)
        left = right if at[right] == n or right == 0 else right - 1
        weight = 0.0 if left == right else (n - at[left]) / (at[right] - at[left])
        found[n] = (1 - weight) * values[left] + weight * values[right]
    return found


def _leant(rate: Array, drawn: Array, share: Array, headline: Array, scale: Scale) -> Array:
    """Log ratios moved alike in all draws until each level's mean rate is its headline."""
    log = logit if scale == "odds" else np.log
    for _ in range(_ROUNDS):
        mean = recentre(rate, drawn, share, scale).mean(axis=-1)
        away = log(headline) - log(mean)
        if np.abs(away).max() < _CLOSE:
            break
        drawn = drawn + away[..., None]
    return drawn
