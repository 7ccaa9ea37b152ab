"""The ratios of one local step: rates by the levels of a factor, as logarithms, in every cell of a rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.composition import Composition
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.draws import uniform
from hna.model.defaults import Defaults
from hna.model.distribution import sampling_of
from hna.model.local import Scale
from hna.model.rules import rules
from hna.model.spec_rate import LocalAdjustment

Array = NDArray[np.float64]


def scale_of(step: LocalAdjustment) -> Scale:
    """The scale of a step's ratios."""
    return "odds" if step.method == "odds-ratio" else "risk"


@dataclass(frozen=True, eq=False)
class StepRatios:
    """Ratios of the levels of one factor.

    Parameters
    ----------
    step : of the model file.
    source : of the rates by level.
    levels : in order.
    merge : shape (level of the composition, level), 1 where one lies in the other.
    ratio : shape (cell, level), logarithm, of the headline; a cell is a sex and age.
    drawn : shape (cell, level, draw), logarithm.
    notes : in words.
    flags : diagnostic codes.
    """

    step: LocalAdjustment
    source: PrevalenceSource
    levels: tuple[str, ...]
    merge: Array
    ratio: Array
    drawn: Array
    notes: tuple[str, ...]
    flags: tuple[str, ...]


def step_ratios(
    step: LocalAdjustment,
    shelf: Shelf,
    composition: Composition,
    sexes: Sequence[str],
    ages: AgeAxis,
    draws: int,
    seed: int,
    defaults: Defaults,
) -> StepRatios:
    """The ratios of a step's source on the cells of a rate; one draw of them serves every area, age and year.

    Raises
    ------
    SourceError
        R113 for rates by level without uncertainty.
    AxisError
        If levels or ages do not fit the composition or the rate.
    """
    table = read_prevalence(shelf, step.source)
    levels, merge = _levels(step, table, composition)
    judged = step.judged
    span = None if judged is None else (judged.relative[0], judged.relative[1])
    sampling = sampling_of(table, defaults.design_effect, span)
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
    notes = []
    if step.between:
        notes.append(f"{step.source} prints {len(rows[0])} of {len(levels)} levels; those between are straight in rank")
    notes += [f"{step.source}: {one}" for one in dict.fromkeys(sampling.family)]
    notes += [step.because] if step.because else []
    flags = {*sampling.flags, *(("W131",) if step.between or judged else ())}
    return StepRatios(step, table.source, levels, merge, ratio, away, tuple(notes), tuple(sorted(flags)))


def check_step(step: LocalAdjustment, shelf: Shelf, condition: str, ages: AgeBand) -> None:
    """Refuse a step whose source cannot give its ratios.

    Parameters
    ----------
    condition : that the rate is of.
    ages : of the need.

    Raises
    ------
    ModelError
        R412 without a benchmark; R413 for ratios neither by age nor adjusted for it, since levels may differ in age and not in
        risk within a wide band; or a source by other groups, by severity, or of another condition.
    """
    faults, table = [], read_prevalence(shelf, step.source)
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
    wide = [] if "age" in step.adjusted_for else _wide(table.bands, ages)
    if wide:
        years = f"{rules().wide_band:g}"
        remedy = f"Name rates by age in bands of {years} years or fewer, or state adjusted_for: [age] where the source says so"
        what = f"rates by {step.factor} in {step.source} are of people of very different ages together and not adjusted for age"
        faults.append(Fault(what, remedy, field="local.adjusted_for", rows=wide, code="R413"))
    if table.source.condition != condition and not step.because:
        remedy = "Name rates of the same condition, or say under because why these ratios hold for it"
        what = f"{step.source} is about {table.source.condition}, and the model about {condition}"
        faults.append(Fault(what, remedy, field="local.source"))
    if faults:
        raise ModelError(faults)


def _wide(bands: Sequence[AgeBand], ages: AgeBand) -> list[str]:
    """Bands within which people's ages differ much, of those that a need uses; an open one is the top of narrow ones below it."""
    used = sorted({band for band in bands if band.meets(ages)}, key=lambda band: band.low)
    by_age = any(band.high is not None for band in bands)
    return [
        band.label
        for band in used
        if (band.end - band.low > rules().wide_band if band.high is not None else not by_age)
    ]


def _levels(step: LocalAdjustment, table: Prevalence, composition: Composition) -> tuple[tuple[str, ...], Array]:
    """Levels of the ratios in order, and which of them each level of the composition lies in."""
    held = list(dict.fromkeys(str(one) for one in table.split[step.factor]))
    named = composition.source.levels_of(step.factor)
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
    # Ratios of one band serve every cell that it reaches into; of several, the one that holds the cell.
    only = len(set(table.bands)) == 1
    there = [band in one or (only and band.meets(one)) for one in table.bands]
    found = {str(level[n]): n for n in range(len(level)) if table.sex[n] == held and there[n]}
    if not found:
        remedy = "Nothing is extrapolated outside a source's ages: name rates by level for these ages, or for a band that reaches into them"
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
