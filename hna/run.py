"""A workspace and a request become a folder of outputs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from hna.answers.answer import Answer, answer
from hna.answers.beside import beside
from hna.answers.distributed import each_in_order, on
from hna.answers.memory import MEMORY, in_bytes
from hna.answers.plan import Held, Plan, check_codes, gap_years, people_for, plan, populations_on
from hna.answers.residents import read_counts
from hna.answers.small_areas import BY, SmallAreas, besides, is_small, other_years, small_areas
from hna.answers.stream import Runner
from hna.errors import AxisError, Fault, HnaError, ModelError, QuantityError
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource
from hna.measure.draws import DEFAULT_DRAWS, check_draws, check_level
from hna.model.rates import make_rates
from hna.model.spec import Model, read_model
from hna.publish.disclosure import protect
from hna.publish.disclosure_ledger import PublicationLedger, ledger_in
from hna.publish.disclosure_presets import NONE, read_presets
from hna.publish.folder import check_folder
from hna.publish.outputs import check_formats, write_outputs
from hna.publish.refused import Refused, every_fault
from hna.publish.report import Report

DEFAULT_AREAS = ("Halton", "Sefton")
DEFAULT_SEED = 1
SEX_SPLIT, AGE_LAST, STEP_BANDS = ("female", "male"), 90, 20
COPIES = 16
"""Arrays of the size of a rate that are alive at once while it is made and applied, at the most."""
SUBGROUPS = ("sex", "age")
"""Of people; the sums of small areas that can be asked for besides are `hna.answers.small_areas.BY` and lookups."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Parameters
    ----------
    needs : model names; empty for all.
    areas : names or codes; empty for Halton and Sefton, or the areas of the analyst's own populations.
    population : the only population to use; None to choose from the shelf.
    years : None for the latest estimate and every fifth projected year.
    by : subgroups reported: any of sex, age; and small areas or sums of them, of `hna.answers.small_areas.BY` or a
        lookup of data/areas.
    draws, seed, level : of the simulation.
    workspace : the analyst's folder.
    disclosure : preset, or none.
    keep_draws : whether to write draws.nc.
    ledger : folder that lists what was released before.
    formats : documents to write as well: any of word, pdf, ods.
    memory : bytes that draws may use; more is refused before it starts.
    """

    needs: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    population: str | None = None
    years: tuple[int, ...] | None = None
    by: tuple[str, ...] = SUBGROUPS
    draws: int = DEFAULT_DRAWS
    seed: int = DEFAULT_SEED
    level: float = 0.95
    workspace: Path | None = None
    disclosure: str = "none"
    keep_draws: bool = False
    ledger: Path | None = None
    formats: tuple[str, ...] = ()
    memory: int = MEMORY

    def arguments(self) -> dict[str, object]:
        """As written to run.json."""
        found = asdict(self)
        places = {"workspace": self.workspace, "ledger": self.ledger}
        del found["memory"]  # changes nothing that is written
        return found | {name: None if path is None else path.as_posix() for name, path in places.items()}


class Answered(NamedTuple):
    """An answer, the people it was made from, and for each source of counts and area the year that it is compared with."""

    answer: Answer
    people: list[Population]
    pairs: dict[tuple[str, str], int]


def check_request(request: Request) -> None:
    """Refuse arguments that mean nothing, all at once."""
    faults: list[Fault] = []
    try:
        check_draws(request.draws)
    except HnaError as error:
        faults.extend(error.faults)
    try:
        check_level(request.level)
    except HnaError as error:
        faults.extend(error.faults)
    if request.seed < 0:
        faults.append(Fault(f"seed is {request.seed}", "Give a whole number from 0", field="--seed"))
    shelf = Shelf(request.workspace)
    unknown = [name for name in request.by if name not in (*SUBGROUPS, *BY, *shelf.folders(AreasSource))]
    if unknown:
        remedy = f"Use {', '.join((*SUBGROUPS, *BY))}, or a lookup of data/areas"
        faults.append(Fault("subgroups are unknown", remedy, field="--by", rows=unknown))
    try:
        read_presets(shelf).check(request.disclosure)
    except HnaError as error:
        faults.extend(error.faults)
    if faults:
        raise AxisError(faults)


def chosen_models(shelf: Shelf, needs: Sequence[str]) -> list[Model]:
    """The models asked for: by name, else the analyst's own if there are any, else those shipped.

    Raises
    ------
    HnaError
        All faults of all files at once.
    """
    files = shelf.models()
    own = [name for name, file in files.items() if shelf.own(file)]
    names = list(dict.fromkeys(needs)) or own or list(files)
    if not names:
        raise ModelError(Fault("there is no model", "Write one in models/; `hna init DIR` makes an example"))
    faults: list[Fault] = []
    models = []
    for name in names:
        try:
            models.append(read_model(shelf.model_file(name)))
        except HnaError as error:
            faults.extend(error.faults)
    if faults:
        raise ModelError(faults)
    return models


def assess(
    request: Request, progress: Progress | None = None, ledger: PublicationLedger | None = None, client: Any = None
) -> Report:
    """The answers to a request, protected as it asks, nothing written.

    Parameters
    ----------
    request : what is asked for.
    progress : as in `run`.
    ledger : what was released before.
    client : of a Dask cluster, which then answers the needs; None for this process. The answers are the same.

    Raises
    ------
    HnaError
        What is wrong with the request or with files, all at once; or why every need is refused. A refusal of one need among
        others is in the report.
    """
    check_request(request)
    shelf = Shelf(request.workspace)
    models = chosen_models(shelf, request.needs)
    models, notes, refused = _countable(models, request, shelf)
    _check_size(request, models)
    plans = {group: _planned(group, request, shelf) for group in dict.fromkeys(model.group for model in models)}
    answered: list[Answered] = []
    small = _small(request, plans, shelf)
    here = client is None or small is not None
    runner = on(client) if client is not None and small is not None else None
    attempt = partial(_attempt, request=request, plans=plans, shelf=shelf if here else None, small=small, runner=runner)
    attempts = map(attempt, models) if here else each_in_order(client, attempt, models)
    for n, model in enumerate(models):
        if progress:
            progress(model.title, n, len(models))
        found = next(attempts)
        if isinstance(found, Answered):
            answered.append(found)
        else:
            refused.append(Refused(model, found.faults))
    if not answered or not all(one.alone for one in refused):
        raise ModelError(every_fault(refused))
    notes += [one.note for one in refused]
    notes += [note for chosen in plans.values() for note in chosen.notes]
    notes += small.notes if small else ()
    told = every_fault(refused if request.disclosure == NONE else [one.bare for one in refused])
    report = Report(tuple(one.answer for one in answered), request.arguments(), tuple(notes), tuple(told))
    if request.disclosure == NONE:
        return report
    above = [small.above()] if small else []
    people = {one.answer.model.need: [*one.people, *(above if not one.answer.model.group else [])] for one in answered}
    report = protect(report, request.disclosure, ledger, shelf=shelf, populations=people)
    compared = [
        beside(found, one.people, one.pairs, shelf, request.level) if one.people else found
        for found, one in zip(report.answers, answered, strict=True)
    ]
    return replace(report, answers=tuple(compared))


def _check_size(request: Request, models: Sequence[Model]) -> None:
    """Refuse draws of a rate that would not fit, before they are made."""
    for model in models:
        years = (model.band.high or AGE_LAST) - model.band.low + 1
        cells = len(SEX_SPLIT) * (years if model.prevalence.ages == "graduate" else min(years, STEP_BANDS))
        each = 8 * cells * COPIES
        if each * request.draws > request.memory:
            needed, allowed = in_bytes(each * request.draws), in_bytes(request.memory)
            what = f"{request.draws:,} draws of {model.title} need about {needed} of memory, and {allowed} are allowed"
            remedy = f"Ask for {request.memory // each:,} draws or fewer, or allow more memory"
            raise QuantityError(Fault(what, remedy, field="--draws"))


def _countable(models: list[Model], request: Request, shelf: Shelf) -> tuple[list[Model], list[str], list[Refused]]:
    """The models whose people are counted on the shelf; of shipped ones that nobody named, a note for the rest."""
    kept: list[Model] = []
    waiting: dict[str, list[str]] = {}
    refused: list[Refused] = []
    for model in models:
        if not model.population or _counting(model.group, request, shelf):
            kept.append(model)
            continue
        what = f"{model.title} is not assessed: it is a need among {model.group}, and no population on the shelf counts them here"
        if model.need not in request.needs and not shelf.own(shelf.model_file(model.need)):
            waiting.setdefault(model.group, []).append(model.title)
            continue
        remedy = f"Write data/population/<id>/ in a workspace, its source.yaml with group: {model.group}. {model.population.because}"
        file = f"models/{model.need}.yaml"
        refused.append(Refused(model, (Fault(what, remedy, file=file, field="population", code="R522"),)))
    if not kept and refused:
        raise ModelError(every_fault(refused))
    no_count = "Not assessed, because no population on the shelf counts"
    return kept, [f"{no_count} {group} here: {'; '.join(titles)}" for group, titles in waiting.items()], refused


def _counting(group: str, request: Request, shelf: Shelf) -> list[Held]:
    """Populations that count a group where it is asked for."""
    return [
        one
        for one in populations_on(shelf, group=group)
        if request.population in (None, one.record.id)
        and (not request.areas or any(one.areas.has(area) for area in request.areas))
    ]


def _planned(group: str, request: Request, shelf: Shelf) -> Plan:
    """The plan for needs of everybody, or of one group: its own areas where none are asked for."""
    if group:
        having = _counting(group, request, shelf)
        here = [area for area in request.areas if any(one.areas.has(area) for one in having)]
        return plan(shelf, here, request.population, request.years, group)
    own = any(one.own for one in populations_on(shelf, request.population))
    areas = request.areas or (() if own else DEFAULT_AREAS)
    return plan(shelf, areas, request.population, request.years)


def _small(request: Request, plans: Mapping[str, Plan], shelf: Shelf) -> SmallAreas | None:
    """Small areas, where they or sums of them are asked for."""
    wanted = [name for name in request.by if name not in SUBGROUPS]
    areas = plans[""].areas if "" in plans else ()
    if not areas or not (wanted or any(map(is_small, areas))):
        return None
    own = request.population if any(map(is_small, areas)) else None
    return small_areas(shelf, areas, wanted, request.years, own)


def _attempt(
    model: Model,
    request: Request,
    plans: Mapping[str, Plan],
    shelf: Shelf | None,
    small: SmallAreas | None = None,
    runner: Runner | None = None,
) -> Answered | HnaError:
    try:
        with_small = small if not model.group else None
        return _answer(model, shelf or Shelf(request.workspace), request, plans[model.group], with_small, runner)
    except HnaError as error:
        return error


def _answer(
    model: Model, shelf: Shelf, request: Request, chosen: Plan, small: SmallAreas | None, runner: Runner | None
) -> Answered:
    faults: list[Fault] = []
    known = []
    for use in model.known:
        try:
            known.append(read_counts(shelf, use))
            faults.extend(check_codes(shelf, known[-1], chosen.areas))
        except HnaError as error:
            faults.extend(error.faults)
    try:
        rates = make_rates(model, shelf, request.draws, request.seed)
    except HnaError as error:
        faults.extend(error.faults)
    if faults:
        file = f"models/{model.need}.yaml"
        raise ModelError([fault if fault.file else replace(fault, file=file) for fault in faults])
    pairs, extended = gap_years(shelf, chosen, known, request.population)
    planned = besides(extended) if small else extended
    people = people_for(shelf, planned, rates)
    by = [name for name in request.by if name in SUBGROUPS]
    found = answer(
        rates, other_years(people, small) if small else people, known, by, request.level, pairs,
        request.keep_draws, small, request.memory, runner,
    )  # fmt: skip
    # Where counts are to be protected, comparisons are made of what is printed of them, and scenarios without them.
    bare = request.disclosure == NONE
    counts, counted = (known, pairs) if bare else ([], {})
    whole = people or ([small.above()] if small else [])
    # A run by sex beside one of persons needs a population by sex: projections may have none.
    scenarios = [
        answer(
            one,
            whole if one.sexes == rates.sexes else people_for(shelf, planned, one) or whole,
            counts,
            (),
            request.level,
            counted,
        )
        for one in rates.scenarios
    ]
    found = replace(found, scenarios=tuple(scenarios))
    if bare and people:
        found = beside(found, people, pairs, shelf, request.level)
    return Answered(found, people, pairs)


def run(request: Request, out: Path, progress: Progress | None = None, client: Any = None) -> tuple[Report, list[Path]]:
    """The answers to a request, written to a folder.

    A gap that is refused is listed with its two numbers side by side; a need that is refused is named with the reason, and the
    others are answered. A folder that holds a report without refusals is then left as it was.

    Parameters
    ----------
    request : what is asked for.
    out : folder for the outputs; made if it is not there.
    progress : called with what is being done, how many steps are done, and how many there are.
    client : of a Dask cluster; None for this process.

    Returns
    -------
    the report, and the files written.

    Raises
    ------
    HnaError
        What is wrong with the request or with files, or why every need is refused; nothing is written then.
    """
    check_folder(out)
    check_formats(request.formats)
    ledger = ledger_in(request.ledger, request.disclosure)
    report = assess(request, progress, ledger, client)
    if progress:
        progress("Writing the report", len(report.answers), len(report.answers))
    files = write_outputs(report, out)
    if files and ledger is not None:
        ledger.record()
    return report, files


class _Callable(ModuleType):
    """`hna.run` is this module and, as the public face has it, a function: calling the module runs it."""

    def __call__(self, *arguments: Any, **options: Any) -> Report:
        """The report that `hna.face.run` writes."""
        return importlib.import_module("hna.face").run(*arguments, **options)  # type: ignore[no-any-return]


sys.modules[__name__].__class__ = _Callable
