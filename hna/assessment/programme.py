"""What is assessed, by whom, when, and when it is due again; weights that were agreed, and scores given after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from hna.assessment.framework import AssessmentError
from hna.assessment.priorities import BEST, check_weights
from hna.assessment.standards import CONTENTS, Criteria
from hna.errors import Fault, SourceError
from hna.evidence.record import Date, Id, Record, faults_of
from hna.evidence.shelf import Shelf
from hna.evidence.tables import Reader, read_columns
from hna.evidence.yaml_file import read_yaml

FOLDER = "data/assessment"
PROGRAMME, WEIGHTS, SCORES = "programme.yaml", "weights.yaml", "scores.csv"
SCORE_COLUMNS = ("need", "criterion", "low", "high", "because", "scored_on", "scored_by")

KindName = Literal["profile", "rapid", "in-depth"]


class Lacking(Record):
    """Data that should be in the assessment and are not, as an analyst records it."""

    item: str
    """What is missing."""
    chapter: Id | None = None
    """Chapter in which it would stand."""
    need: Id | None = None
    """Need that it is about."""
    content: str | None = None
    """Which of the contents of the kind of assessment it stands for."""
    why: str
    """Why it is missing."""
    since: Date | None = None
    """Since when."""
    owner: str | None = None
    """Who could supply it."""
    effect: str
    """What cannot be said without it."""

    @model_validator(mode="after")
    def _placed(self) -> Lacking:
        if self.chapter is None and self.need is None:
            raise ValueError("a record of missing data names its chapter or its need")
        if self.content is not None and self.content not in CONTENTS:
            raise ValueError(f"content is not one of {', '.join(CONTENTS)}")
        return self


class Considered(Record):
    """Something that was looked into, with what came of it."""

    need: Id
    """Name of the model."""
    content: str
    """Which of the contents of the kind of assessment."""
    because: str
    """What was done, and where it is written down."""


class Service(Record):
    """A service that there is now for a need."""

    need: Id
    """Name of the model."""
    service: Annotated[str, Field(min_length=2)]
    """What it is."""
    provider: str | None = None
    """Body that provides it."""
    reaches: str | None = None
    """For whom, and how many."""
    source: str | None = None
    """Where it is written down."""
    checked_on: Date
    """When it was last found to be so."""


class Supplied(Record):
    """Something that stands in another document."""

    item: str
    """As the framework requires it."""
    where: str
    """What it says in short, and where it stands."""


class Owned(Record):
    """A chapter or need with its owner and review."""

    id: Id
    """Short name of the chapter, or of the need."""
    kind: KindName | None = None
    """Kind of assessment; null: that of the whole."""
    who: str | None = None
    """Who assesses."""
    when: Date | None = None
    """When it was last assessed."""
    owner: str | None = None
    """Role or body that answers for it."""
    review_due: Date | None = None
    """When it is to be looked at again."""
    supplied: list[Supplied] = []
    """Of what the framework requires, what stands in another document."""

    @model_validator(mode="after")
    def _in_order(self) -> Owned:
        if self.when and self.review_due and self.review_due <= self.when:
            raise ValueError(
                f"the review is due on {self.review_due}, which is not after the assessment of {self.when}"
            )
        return self


class Programme(Record):
    """What, who, when and review schedule of an assessment."""

    what: str | None = None
    """What is assessed, and why now."""
    who: str | None = None
    """Who assesses: roles and bodies, no persons."""
    when: Date | None = None
    """When it was assessed."""
    review_due: Date | None = None
    """When it is to be looked at again."""
    owner: str | None = None
    """Role or body that answers for it."""
    kind: KindName | None = None
    """Kind of assessment that is claimed; null: a profile."""
    chapters: list[Owned] = []
    """Chapters with an owner or review of their own."""
    needs: list[Owned] = []
    """Needs with a kind, owner or review of their own."""
    missing: list[Lacking] = []
    """Missing core data."""
    considered: list[Considered] = []
    """What was looked into."""
    services: list[Service] = []
    """Services that there are now."""

    @model_validator(mode="after")
    def _in_order(self) -> Programme:
        if self.when and self.review_due and self.review_due <= self.when:
            raise ValueError(
                f"the review is due on {self.review_due}, which is not after the assessment of {self.when}"
            )
        for held in (self.chapters, self.needs):
            ids = [one.id for one in held]
            if len(set(ids)) < len(ids):
                raise ValueError("a chapter or need stands twice")
        return self

    def of(self, name: str) -> Owned | None:
        """The entry of a chapter or need."""
        return next((one for one in (*self.chapters, *self.needs) if one.id == name), None)


class Weights(Record):
    """Weights of criteria, agreed before any score was shown."""

    agreed_on: Date
    """When."""
    agreed_by: Annotated[str, Field(min_length=3)]
    """By which body."""
    because: str
    """How they were agreed."""
    weights: Annotated[dict[str, float], Field(min_length=1)]
    """By criterion; they sum to 1."""
    top: Annotated[int, Field(ge=1)] | None = None
    """How many needs are named first; null: as the library of criteria says."""


@dataclass(frozen=True)
class Score:
    """A score that an analyst gave: a range of 0 to 4, its reason, and when."""

    need: str
    criterion: str
    low: float
    high: float
    because: str
    scored_on: str
    scored_by: str


def own_file(shelf: Shelf, name: str) -> Path | None:
    """A file of the assessment in the analyst's workspace, if it is there."""
    if shelf.workspace is None:
        return None
    path = shelf.workspace / FOLDER / name
    return path if path.is_file() else None


def read_programme(path: Path, chapters: Sequence[str], needs: Sequence[str], on: dt.date) -> Programme:
    """The programme of an assessment.

    Raises
    ------
    SourceError
        Every fault of the file at once: unknown fields, chapters and needs, dates that are none, that lie ahead, or a review
        that is due before the assessment.
    """
    fields, lines = read_yaml(path)
    try:
        found = Programme.model_validate(fields)
    except ValidationError as error:
        raise SourceError(faults_of(error, str(path), lines)) from None
    faults = []
    named = [("chapters", one.id, chapters) for one in found.chapters]
    named += [("needs", one.id, needs) for one in found.needs]
    named += [("missing", one.chapter, chapters) for one in found.missing if one.chapter]
    named += [("missing", one.need, needs) for one in found.missing if one.need]
    named += [("considered", one.need, needs) for one in found.considered]
    named += [("services", one.need, needs) for one in found.services]
    for field, name, known in named:
        if name not in known:
            what = f"{name!r} is not in the framework"
            faults.append(Fault(what, f"It has {', '.join(known)}", file=str(path), field=field))
    faults += [
        Fault(f"content {one.content!r} is unknown", f"It is one of {', '.join(CONTENTS)}", file=str(path), field="considered")
        for one in found.considered if one.content not in CONTENTS
    ]  # fmt: skip
    dates = [
        ("when", "was assessed", day) for day in (found.when, *(one.when for one in (*found.chapters, *found.needs)))
    ]
    dates += [("services", f"{one.service} was checked", one.checked_on) for one in found.services]
    faults += [
        Fault(f"{what} on {day}, which lies ahead", "Mend the date", file=str(path), field=field)
        for field, what, day in dates
        if day and dt.date.fromisoformat(day) > on
    ]
    if faults:
        raise SourceError(faults)
    return found


def read_weights(path: Path, criteria: Criteria) -> Weights:
    """Weights that were agreed.

    Raises
    ------
    SourceError, AssessmentError
        If fields are wrong, or weights do not sum to 1 or weigh the same thing twice.
    """
    fields, lines = read_yaml(path)
    try:
        found = Weights.model_validate(fields)
    except ValidationError as error:
        raise SourceError(faults_of(error, str(path), lines)) from None
    check_weights(found.weights, {one.id: one.not_with for one in criteria.criteria}, str(path))
    return found


def read_scores(path: Path, criteria: Criteria, needs: Sequence[str], weights: Weights | None) -> list[Score]:
    """Scores that an analyst gave, after the weights were agreed.

    Raises
    ------
    SourceError, AssessmentError
        Every fault at once: unknown needs or criteria, criteria that the engine scores, scores out of range, scores given
        before the weights were agreed.
    """
    table = read_columns(path, SCORE_COLUMNS)
    read = Reader(table, str(path))
    named, chosen = read.text("need"), read.text("criterion")
    low, high = read.numbers("low"), read.numbers("high")
    because, days, who = read.text("because"), read.text("scored_on"), read.text("scored_by")
    library = {one.id: one for one in criteria.criteria}
    read.fault("the need is unknown", "The framework has it not", "need", _where(name not in needs for name in named))
    read.fault(
        "the criterion is unknown", f"The criteria are {', '.join(library)}", "criterion", _where(name not in library for name in chosen)
    )  # fmt: skip
    read.fault(
        "the engine scores this itself", "Take the row out", "criterion",
        _where(name in library and library[name].scored_by != "analyst" for name in chosen),
    )  # fmt: skip
    read.fault("a score is not from 0 to 4, low before high", "Scores run from 0 to 4", "low",
               _where(not 0 <= one <= other <= BEST for one, other in zip(low, high, strict=True)))  # fmt: skip
    read.fault("is not a date", "Write it as 2026-03-31", "scored_on", _where(not _is_date(day) for day in days))
    read.unique(["need", "criterion"], "scores")
    if weights is None:
        read.faults.append(
            Fault(
                "scores were given, and no weights were agreed",
                f"Agree the weights first, in {FOLDER}/{WEIGHTS}: weights agreed with the scores in sight decide nothing",
                file=str(path),
            )
        )
    else:
        read.fault(
            f"scores were given before the weights were agreed on {weights.agreed_on}", "Score again", "scored_on",
            _where(_is_date(day) and day < weights.agreed_on for day in days),
        )  # fmt: skip
    if read.faults:
        raise AssessmentError(read.faults)
    rows = zip(named, chosen, low, high, because, days, who, strict=True)
    return [Score(str(a), str(b), float(c), float(d), str(e), str(f), str(g)) for a, b, c, d, e, f, g in rows]


def _where(flags: Iterable[bool]) -> NDArray[np.bool_]:
    return np.array([bool(flag) for flag in flags])


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def overdue(programme: Programme, titles: Mapping[str, str], on: dt.date) -> list[Fault]:
    """W903 for every review that is past."""
    held = [("the assessment", programme.review_due, programme.owner)]
    held += [(titles.get(one.id, one.id), one.review_due, one.owner) for one in (*programme.chapters, *programme.needs)]
    return [
        Fault(
            f"the review of {name} was due on {due}", f"{owner or 'Its owner'} reviews it, or records a new date",
            field="review_due", code="W903",
        )
        for name, due, owner in held if due and dt.date.fromisoformat(due) < on
    ]  # fmt: skip
