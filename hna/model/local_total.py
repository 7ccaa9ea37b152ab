"""A known total that a rate is brought to: whose it is, of which year, and its own error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, ModelError
from hna.evidence.known import read_known
from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource, PopulationSource, PrevalenceSource
from hna.measure.ages import AgeAxis
from hna.measure.draws import normal
from hna.measure.estimate import Universe
from hna.model.defaults import Defaults
from hna.model.distribution import shift_logit
from hna.model.hidden_part import counted
from hna.model.rates_parts import ENGLAND
from hna.model.spec import Model
from hna.model.spec_local import Benchmark
from hna.model.strata import Layers, layers_of

Array = NDArray[np.float64]

_EXACT = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Total:
    """People in need in one area and year, as a source has them.

    Parameters
    ----------
    area : code.
    year : of the total.
    cells : for each number printed, the cells (sex and age) of the rate that it is the sum of; they do not overlap.
    people : shape (cell,), who lived there.
    point : shape (number,), people in need.
    drawn : shape (number, draw), with the total's own error.
    cited : records it rests on.
    notes : in words.
    flags : W421 where it was printed without error.
    """

    area: str
    year: int
    cells: tuple[NDArray[np.intp], ...]
    people: Array
    point: Array
    drawn: Array
    cited: tuple[PrevalenceSource | KnownSource | PopulationSource, ...]
    notes: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def still(self) -> Total:
        """The same total without its error."""
        return replace(self, drawn=np.repeat(self.point[:, None], self.drawn.shape[-1], axis=1))


def total_of(
    step: Benchmark,
    model: Model,
    shelf: Shelf,
    universe: Universe,
    sexes: Sequence[str],
    ages: AgeAxis,
    draws: int,
    seed: int,
    defaults: Defaults,
) -> Total:
    """The total that a step names.

    Parameters
    ----------
    universe : of the rate that is brought to it.
    sexes, ages : axes of that rate.

    Raises
    ------
    ModelError
        R301 for a total of another definition, R422 for margins that contradict each other, R423 for an area in no
        population of that year, R411 for a total that the rate rests on already.
    """
    where = ENGLAND if step.benchmark == "england" else step.benchmark
    _once(step, model)
    counts = step.source in shelf.folders(KnownSource) and step.source not in shelf.folders(PrevalenceSource)
    if counts:
        found = _of_count(step, model, shelf, universe, where, (sexes, ages), draws, seed)
    else:
        found = _of_rate(step, model, shelf, universe, where, (sexes, ages), draws, seed, defaults)
    living, said = found.living, found.said
    if "W421" in found.flags:
        said += "; printed without error, so national uncertainty is understated"
    note = (
        f"brought to a known total: {found.point.sum():,.0f} people in {living.areas[0].name} in {found.year} "
        f"({step.source}, among those of {living.source.id}, {living.years[0]}), held in every draw; {said}; other years keep "
        f"the change that it makes to rates in {found.year}; {step.because}"
    )
    people = living.on(sexes, ages).people[0, 0].ravel()
    return Total(
        where,
        found.year,
        found.cells,
        people,
        found.point,
        found.drawn,
        (found.source, *living.sources),
        (note,),
        found.flags,
    )


class _Printed(NamedTuple):
    """What a source says of the total; as in `Total`."""

    source: PrevalenceSource | KnownSource
    year: int
    living: Population
    cells: tuple[NDArray[np.intp], ...]
    point: Array
    drawn: Array
    flags: tuple[str, ...]
    said: str


def _of_rate(
    step: Benchmark, model: Model, shelf: Shelf, universe: Universe, where: str, axes: tuple[Sequence[str], AgeAxis],
    draws: int, seed: int, defaults: Defaults,
) -> _Printed:  # fmt: skip
    table = read_prevalence(shelf, step.source)
    source = table.source
    _check(step, source.condition, source.case_definition, source.measure, universe)
    if table.split_by or table.strata != [""]:
        what = f"{source.id} divides people or cases further"
        raise ModelError(Fault(what, "Name a source of all people and cases together", field="local.source"))
    middle = source.study.mid_fieldwork
    year = int(middle) if step.year is None and middle is not None else step.year
    if year is None:
        remedy = "Write the year of the total under local.year"
        raise ModelError(Fault(f"{source.id} gives no years of fieldwork", remedy, field="local.year"))
    _margins_agree(table)
    living = _living(step, model, shelf, where, year)
    layers, flags = _layers(table, model, draws, seed, defaults)
    study = defaults.study_error[source.appraisal.overall or "high"] if step.study is None else step.study
    drawn = _with_study(layers.draws[0], study, step.survey or source.id, seed)
    held = (model.sex,) if layers.sexes == ("persons",) else layers.sexes
    there = living.on(held, layers.ages).people[0, 0]
    cells, theirs = _groups(*axes, held, layers.ages)
    point, weighed = (there * layers.mean[0]).ravel(), (there[..., None] * drawn).reshape(there.size, -1)
    sums = np.stack([weighed[rows].sum(axis=0) for rows in theirs])
    said = _said(step, model, study) or "nothing is added to its error"
    judged = ("W131",) if step.study is None else ()
    return _Printed(
        source, year, living, cells, np.array([point[rows].sum() for rows in theirs]), sums, (*flags, *judged), said
    )


def _of_count(
    step: Benchmark, model: Model, shelf: Shelf, universe: Universe, where: str, axes: tuple[Sequence[str], AgeAxis],
    draws: int, seed: int,
) -> _Printed:  # fmt: skip
    counts = read_known(shelf, step.source)
    source = counts.source
    if not source.count_kind.startswith("people"):
        what = f"{source.id} counts {source.count_kind}, not people"
        raise ModelError(Fault(what, "Use a count of people", field="local.source", code="R604"))
    period = "point" if source.count_kind == "people-point" else source.count_kind.removeprefix("people-")
    _check(step, source.condition, source.case_definition, period, universe)
    here = counts.take(counts.area_code == where).of_one_service()
    if not len(here):
        raise ModelError(Fault(f"{source.id} has no count for {where}", "Name an area it has", field="local.benchmark"))
    year = step.year if step.year is not None else here.years[-1]
    living = _living(step, model, shelf, where, year)
    if source.base != living.base:
        what = f"{source.id} counts {source.base} people, and {living.source.id} {living.base} people"
        remedy = "Name a population of those counted under local.population, or another count"
        raise ModelError(Fault(what, remedy, field="local.source", code="R301"))
    number = counted(model, here, where, year, "local.source")
    sexes, ages = axes
    cells = (np.arange(len(sexes) * len(ages.bands)),)
    people = float(living.on(sexes, ages).people[0, 0].sum())
    if not 0 < number < people:
        what = f"{source.id} counts {number:,.0f} of {people:,.0f} people in {living.areas[0].name}"
        raise ModelError(Fault(what, "Mend the count or its population", field="local.source", code="R422"))
    drawn = people * _with_study(
        np.full((1, draws), number / people), step.study or 0.0, step.survey or source.id, seed
    )
    said = _said(step, model, step.study or 0.0)
    flags = () if said else ("W421",)
    return _Printed(
        source,
        year,
        living,
        cells,
        np.array([number]),
        drawn,
        flags,
        f"a count; {said}" if said else "a count, taken as exact",
    )


def _once(step: Benchmark, model: Model) -> None:
    """Refuse a total that the rate rests on already."""
    resting = {used.source for used in model.prevalence.sources}
    resting |= {one.known for one in (model.prevalence.multiplier, model.prevalence.lists) if one is not None}
    if step.source in resting:
        what = f"the rate rests on {step.source} already"
        raise ModelError(Fault(what, "Bring it to a total found otherwise", field="local.source", code="R411"))


def _check(step: Benchmark, condition: str, definition: str, period: str, universe: Universe) -> None:
    ours = {"condition": universe.condition, "case definition": universe.case_definition, "period": universe.period}
    theirs = {"condition": condition, "case definition": definition, "period": period}
    words = {
        name: (" ".join(str(text).casefold().split()), " ".join(theirs[name].casefold().split()))
        for name, text in ours.items()
    }
    rows = [f"{name}: need {ours[name]}; total {theirs[name]}" for name, (a, b) in words.items() if a != b]
    if rows and (not step.same_definition or words["period"][0] != words["period"][1]):
        remedy = "Use a total of the same definition; where only the words differ, say why under same_definition"
        what = f"{step.source} is not a total of this need"
        raise ModelError(Fault(what, remedy, field="local.source", rows=rows, code="R301"))


def _living(step: Benchmark, model: Model, shelf: Shelf, where: str, year: int) -> Population:
    """Who lived in the area in the year of the total, or in the nearest year that an estimate has: the analyst's own first."""
    folders = shelf.folders(PopulationSource)
    if step.population is not None:
        names = [step.population]
    else:
        names = [
            one.id
            for one in shelf.records(PopulationSource)
            if one.basis != "projection" and one.base == "resident" and (one.group or "") == model.group
        ]
    held = [
        (name in folders and not shelf.own(folders[name]), abs(when - year), -when, name)
        for name in names
        for gazetteer, years in [areas_and_years(shelf, name)]
        if any(area.code == where for area in gazetteer.areas)
        for when in years
    ]
    if not held:
        remedy = (
            "Write benchmark: england or a code of a population, or put a population that has it into data/population"
        )
        what = f"{where} is in no population ({', '.join(names) or 'none on the shelf'})"
        raise ModelError(Fault(what, remedy, field="local.benchmark", code="R423"))
    *_, latest, name = min(held)
    return read_population(shelf, name, [where], [-latest])


def _layers(
    table: Prevalence, model: Model, draws: int, seed: int, defaults: Defaults
) -> tuple[Layers, tuple[str, ...]]:
    crossed = [band.label for band in dict.fromkeys(table.bands) if band.meets(model.band) and band not in model.band]
    if crossed:
        remedy = "Name a total of these ages alone: a total is not cut"
        what = f"{table.source.id} has a total that reaches outside ages {model.ages}"
        raise ModelError(Fault(what, remedy, field="local.source", rows=crossed, code="R201"))
    bare = table.source.uncertainty.given == "none"
    judged = _EXACT if bare else None
    layers = layers_of(table, model.band, model.sex, draws, seed, defaults.design_effect, judged)
    flags = {*layers.flags, "W421"} - {"W131"} if bare else set(layers.flags)
    return layers, tuple(sorted(flags))


def _said(step: Benchmark, model: Model, study: float) -> str:
    """The error of a total beyond what is printed, in words; blank where there is none."""
    if not study:
        return ""
    survey = step.survey or step.source
    ours = {used.study or used.source for used in model.prevalence.sources}
    same = f", the same as that of the rate, which is of one survey with it ({survey})" if survey in ours else ""
    return f"its error beyond the printed interval is {study:g} on the logit scale{same}"


def _with_study(drawn: Array, study: float, survey: str, seed: int) -> Array:
    """Draws of a total with the error of its survey: the same as that of every rate read from it."""
    if not study:
        return drawn
    return shift_logit(drawn, study * normal(seed, f"study:{survey}", drawn.shape[-1]), study**2)


def _groups(
    sexes: Sequence[str], ages: AgeAxis, held: Sequence[str], printed: AgeAxis
) -> tuple[tuple[NDArray[np.intp], ...], tuple[NDArray[np.intp], ...]]:
    """The finest cells that both axes add up to: for each, its cells in the rate, and in what was printed."""
    lows = sorted({band.low for band in ages.bands} & {band.low for band in printed.bands})
    both = len(sexes) == 2 and len(held) == 2
    found: list[list[NDArray[np.intp]]] = []
    for axis, count in ((ages, len(sexes)), (printed, len(held))):
        flat = np.arange(count * len(axis.bands)).reshape(count, -1)
        at = np.searchsorted(lows, [band.low for band in axis.bands], side="right") - 1
        rows = [flat[[x]] for x in range(count)] if both else [flat]
        found.append([one[:, at == n].ravel() for one in rows for n in range(len(lows))])
    return tuple(found[0]), tuple(found[1])


def _margins_agree(table: Prevalence) -> None:
    """Refuse rates of persons that do not lie between those of female and male: no people could give all three."""
    if set(table.sexes) != {"female", "male", "persons"}:
        return
    rows = []
    for n in table.rows("", "persons"):
        band = table.bands[n]
        parts = [m for sex in ("female", "male") for m in table.rows("", sex) if table.bands[m] in band]
        slack = 10.0**-table.source.decimals / table.source.scale
        low, high = (table.estimate[parts].min() - slack, table.estimate[parts].max() + slack) if parts else (0.0, 1.0)
        if not low <= table.estimate[n] <= high:
            held = f"{table.estimate[parts].min():.4g} to {table.estimate[parts].max():.4g}"
            rows.append(f"{band.label}: persons {table.estimate[n]:.4g}, female and male {held}")
    if rows:
        remedy = "Mend the table, or leave out the rows that are not to be held"
        what = f"{table.source.id} prints rates of persons that contradict those of female and male"
        raise ModelError(Fault(what, remedy, field="local.source", rows=rows, code="R422"))
