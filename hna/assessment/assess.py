"""A needs assessment of one area: the engine's answers, set in chapters, brought together and put in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from hna.answers.answer import Answer, answer
from hna.answers.beside import beside
from hna.answers.comparison import Comparisons
from hna.answers.known_people import known_people
from hna.answers.plan import Plan, check_codes, gap_years, people_for, plan
from hna.answers.residents import read_counts
from hna.assessment.completeness import check_chapter, check_contents, held_of, met_of, missing_of
from hna.assessment.corporate import Voice, corporate_files, read_corporate
from hna.assessment.findings import own_items, voiced_items
from hna.assessment.framework import (
    DEFAULT_FRAMEWORK,
    AssessmentError,
    ChapterSpec,
    Framework,
    MissingRecord,
    Placed,
    place,
    read_framework,
)
from hna.assessment.guard import Guard, Guarded, unguarded
from hna.assessment.programme import (
    PROGRAMME,
    SCORES,
    WEIGHTS,
    Programme,
    overdue,
    own_file,
    read_programme,
    read_scores,
    read_weights,
)
from hna.assessment.ranking import prioritise
from hna.assessment.record import Assessment, ChapterState, Counted
from hna.assessment.standards import (
    Triangulation,
    read_criteria,
    read_kinds,
    read_triangulation,
    read_vocabulary,
)
from hna.assessment.triangulate import EvidenceItem, Verdict, triangulate
from hna.errors import Fault, HnaError, ModelError
from hna.evidence.known import Known, read_known
from hna.evidence.population import Population, read_population
from hna.evidence.shelf import Shelf
from hna.measure.areas import Area
from hna.measure.draws import DEFAULT_DRAWS, check_draws, check_level
from hna.model.rates import make_rates
from hna.model.spec import KnownUse, Model, read_model

Progress = Callable[[str, int, int], None]
Words = Callable[[Answer, Area], Mapping[str, str]]
DEFAULT_AREA = "Halton"
SUBGROUPS = ("sex", "age")
Result = TypeVar("Result")


class _Answered(NamedTuple):
    """An answer, the people it was made from, and the year that each count is compared with."""

    answer: Answer
    people: list[Population]
    pairs: dict[tuple[str, str], int]


def _plain_words(found: Answer, area: Area) -> Mapping[str, str]:
    said = f"{found.model.title}: see the figures for {area.name}."
    return {"estimate": said, "gap": said}


def assess_area(
    area: str = DEFAULT_AREA,
    framework: str = DEFAULT_FRAMEWORK,
    *,
    needs: Sequence[str] = (),
    corporate: Sequence[Path] = (),
    programme: Path | None = None,
    weights: Path | None = None,
    scores: Path | None = None,
    population: str | None = None,
    years: Sequence[int] | None = None,
    by: Sequence[str] = SUBGROUPS,
    draws: int = DEFAULT_DRAWS,
    seed: int = 1,
    level: float = 0.95,
    workspace: Path | None = None,
    on: dt.date | None = None,
    words: Words = _plain_words,
    guard: Guard = unguarded,
    progress: Progress | None = None,
) -> Assessment:
    """A needs assessment of one area, nothing written.

    Parameters
    ----------
    area : name or code.
    framework : name on the shelf.
    needs : names of models; empty for the analyst's own, or all shipped, that the framework has a chapter for.
    corporate : files of corporate evidence beside those of the workspace's ``data/corporate``.
    programme, weights, scores : files; None for those in the workspace's ``data/assessment``, if they are there.
    population, years, by, draws, seed, level, workspace : as of ``hna run``.
    on : the day on which the assessment is made: reviews are due or past by it. None for today.
    words : how a finding is said, from the answer; the site gives the report's own sentences.
    guard : protects counts before anything is made of them; by default nothing is protected.
    progress : called with what is being done, how many steps are done, and how many there are.

    Raises
    ------
    HnaError
        What is wrong with files or arguments, all at once. What the assessment lacks is not an error: it is in `faults`.
    """
    check_draws(draws)
    check_level(level)
    shelf = Shelf(workspace)
    day = on or dt.datetime.now(tz=dt.UTC).date()
    spec = read_framework(shelf, framework)
    models, placed, left = _models(shelf, spec, needs)
    criteria, vocabulary, standard, kinds = (
        read_criteria(shelf), read_vocabulary(shelf), read_triangulation(shelf), read_kinds(shelf),
    )  # fmt: skip
    topics = placed.topics
    named = [*models, *topics]
    chosen = plan(shelf, [area], population, years)
    place_ = chosen.areas[0]
    faults: list[Fault] = []
    voices: list[Voice] = []
    for file in _files(shelf, corporate):
        voices += _gather(faults, partial(read_corporate, file, named, vocabulary, day)) or []
    run = Programme()
    if (path := programme or own_file(shelf, PROGRAMME)) is not None:
        ids = [one.id for one in spec.chapters]
        run = _gather(faults, partial(read_programme, path, ids, list(models), day)) or run
    agreed, given = None, []
    if (path := weights or own_file(shelf, WEIGHTS)) is not None:
        agreed = _gather(faults, partial(read_weights, path, criteria))
    if (path := scores or own_file(shelf, SCORES)) is not None and not faults:
        given = _gather(faults, partial(read_scores, path, criteria, list(models), agreed)) or []
    if faults:
        raise AssessmentError(faults)
    answered = _answered(models, shelf, chosen, population, by, draws, seed, level, progress)
    listed = {name: _here(shelf, name, place_) for one in spec.chapters for name in one.counts}
    answers, comparisons, counts, guarded = _guarded(answered, listed, guard, shelf, level)
    items = [*_items(answers, comparisons, place_, words, standard), *voiced_items(voices)]
    asked = any(voice.approach == "corporate" for voice in voices)
    spoken = {item.need for item in items}
    verdicts = {name: triangulate(name, items, asked) for name in named if name in models or name in spoken}
    priorities = prioritise(answers, place_, verdicts, asked, criteria, agreed, given, seed)
    held = {
        need: held_of(found, comparisons[need], place_, kinds, run, voices, agreed is not None)
        for need, found in answers.items()
    }
    records = {
        need: list(missing_of(found, comparisons[need], place_, placed.detail[need], run))
        for need, found in answers.items()
    }
    chapters = tuple(_chapter(one, placed, run, counts, voices, list(answers), left) for one in spec.chapters)
    lacking = [fault for need, one in held.items() for fault in check_contents(one, models[need], kinds, records[need])]
    lacking += [fault for one in chapters for fault in check_chapter(one.spec, one.met, spec)]
    titles = {one.id: f"chapter {one.number}, {one.title}" for one in spec.chapters}
    titles |= {need: model.title for need, model in models.items()}
    held_population, years_, areas_ = chosen.counted[0]
    people = read_population(shelf, held_population.record.id, [one.code for one in areas_], years_[:1])
    return Assessment(
        place_, spec, placed, kinds, standard, vocabulary, run, day, answers, comparisons, chapters, held,
        tuple(voices), verdicts, priorities, people, tuple(_missing(chapters, records, verdicts, placed)), tuple(lacking),
        tuple(overdue(run, titles, day)),
        {"area": place_.code, "framework": framework, "needs": list(models), "population": population,
         "years": None if years is None else list(years), "by": list(by), "draws": draws, "seed": seed, "level": level,
         "workspace": None if workspace is None else workspace.as_posix(), "on": day.isoformat(), "disclosure": guarded.disclosure},
        (*chosen.notes, *guarded.notes),
    )  # fmt: skip


def _files(shelf: Shelf, corporate: Sequence[Path]) -> list[Path]:
    roots = [] if shelf.workspace is None else [shelf.workspace]
    return list(dict.fromkeys((*corporate_files(roots), *corporate)))


def _gather(faults: list[Fault], read: Callable[[], Result]) -> Result | None:
    """What a file holds, or None with its faults kept, so that all files are told at once."""
    try:
        return read()
    except HnaError as error:
        faults.extend(error.faults)
        return None


def _models(shelf: Shelf, framework: Framework, needs: Sequence[str]) -> tuple[dict[str, Model], Placed, set[str]]:
    faults: list[Fault] = []
    models: dict[str, Model] = {}
    files = shelf.models()
    own = [name for name, file in files.items() if shelf.own(file)]
    for name in dict.fromkeys(needs) or own or files:
        try:
            model = read_model(shelf.model_file(name))
            if not model.population or name in needs:  # a group's need is no need of everybody in the area
                models[name] = model
        except HnaError as error:
            faults.extend(error.faults)
    if faults:
        raise ModelError(faults)
    placed = place(framework, {name: model.chapter for name, model in models.items()})
    stray = [name for name in needs if name not in placed.detail]
    if stray or not placed.detail:
        what = "needs fall in no chapter of the framework" if stray else "no need falls in a chapter of the framework"
        remedy = "Take the chapter's word into `takes` of a chapter, or choose another framework"
        raise AssessmentError(Fault(what, remedy, file=framework.id, rows=stray))
    rest = {name: read_model(file).chapter for name, file in files.items() if name not in models}
    return {name: models[name] for name in placed.detail}, placed, set(place(framework, rest).detail.values())


def _answered(
    models: Mapping[str, Model],
    shelf: Shelf,
    chosen: Plan,
    population: str | None,
    by: Sequence[str],
    draws: int,
    seed: int,
    level: float,
    progress: Progress | None,
) -> dict[str, _Answered]:
    answered: dict[str, _Answered] = {}
    faults: dict[str, Fault] = {}
    for n, (name, model) in enumerate(models.items()):
        if progress:
            progress(model.title, n, len(models))
        try:
            known = [read_counts(shelf, use) for use in model.known]
            wrong = [fault for counts in known for fault in check_codes(shelf, counts, chosen.areas)]
            if wrong:
                raise ModelError(wrong)
            rates = make_rates(model, shelf, draws, seed)
            pairs, extended = gap_years(shelf, chosen, known, population)
            people = people_for(shelf, extended, rates)
            found = answer(rates, people, known, by, level, pairs, keep_draws=True)
            answered[name] = _Answered(found, people, pairs)
        except HnaError as error:
            faults |= {str(fault): fault for fault in error.faults}
    if faults:
        raise ModelError(faults.values())
    return answered


def _guarded(
    answered: Mapping[str, _Answered], listed: Mapping[str, Known], guard: Guard, shelf: Shelf, level: float
) -> tuple[dict[str, Answer], dict[str, Comparisons], dict[str, Known], Guarded]:
    """Answers and counts as they may be published, and how each area compares on them.

    Draws of need are kept: they hold no count, and what is made of them is made with counts as they are printed.
    """
    there = {name: counts for name, counts in listed.items() if len(counts)}
    people = {need: one.people for need, one in answered.items()}
    found = guard([one.answer for one in answered.values()], people, list(there.values()), shelf)
    answers, comparisons = {}, {}
    for (need, one), safe in zip(answered.items(), found.answers, strict=True):
        made = answers[need] = beside(replace(safe, draws=one.answer.draws), one.people, one.pairs, shelf, level)
        comparisons[need] = Comparisons(made.comparisons, made.notes[len(safe.notes) :])
    return answers, comparisons, {**listed, **dict(zip(there, found.counts, strict=True))}, found


def _items(
    answers: Mapping[str, Answer],
    comparisons: Mapping[str, Comparisons],
    area: Area,
    words: Words,
    standard: Triangulation,
) -> Iterator[EvidenceItem]:
    for need, found in answers.items():
        yield from own_items(found, comparisons[need], area, words(found, area), standard)


def _chapter(
    spec: ChapterSpec,
    placed: Placed,
    programme: Programme,
    counts: Mapping[str, Known],
    voices: Sequence[Voice],
    answered: Sequence[str],
    left: Collection[str],
) -> ChapterState:
    held = [counts[name] for name in spec.counts if len(counts[name])]
    own = programme.of(spec.id)
    return ChapterState(
        spec, placed.needs(spec.id), placed.links(spec.id), tuple(met_of(spec, placed, programme, held, voices, answered, spec.id in left)),
        tuple(_counted(one) for one in held), (own.owner if own else None) or programme.owner,
        (own.who if own else None) or programme.who, (own.when if own else None) or programme.when,
        (own.review_due if own else None) or programme.review_due,
    )  # fmt: skip


def _here(shelf: Shelf, name: str, area: Area) -> Known:
    counts = read_known(shelf, name)
    here = counts.take(counts.area_code == area.code)
    return here.take(here.year == max(here.years)) if len(here) else here


def _counted(counts: Known) -> Counted:
    rows = np.ones(len(counts), dtype=bool)
    for labels, whole in ((counts.sex, "persons"), (counts.severity, "")):
        if (labels == whole).any():
            rows &= labels == whole
    people = known_people(counts, rows, KnownUse(source=counts.source.id), 1, 1)
    return Counted(counts.source, people.point, *people.printed)


def _missing(
    chapters: Sequence[ChapterState],
    records: Mapping[str, Sequence[tuple[str, MissingRecord]]],
    verdicts: Mapping[str, Verdict],
    placed: Placed,
) -> Iterator[MissingRecord]:
    seen: set[MissingRecord] = set()
    for chapter in chapters:
        held = [one.missing for one in chapter.met if one.missing is not None]
        held += [record for need in chapter.needs for _, record in records.get(need, ())]
        for name, verdict in verdicts.items():
            if "voiced but unmeasured" in verdict.patterns and placed.topics.get(name, ("",))[0] == chapter.spec.id:
                why = "People speak of it, and no prevalence or count of it is on the shelf."
                effect = "How many people have the need cannot be said."
                held.append(
                    MissingRecord(f"A measure of: {placed.topics[name][1]}", chapter.spec.id, why, effect, name)
                )
        for record in held:
            if record not in seen:
                seen.add(record)
                yield record
