"""What the method decides, read from the shelf: kinds of assessment, words of evidence, thresholds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hna.evidence.record import Id, Proportion, Record
from hna.evidence.shelf import Shelf
from hna.model.defaults import read_standard

FOLDER = "data/frameworks/standards"
NeedType = Literal["normative", "felt", "expressed", "comparative"]
CONTENTS = (
    "population", "comparators", "appraised-source", "known-count", "signed-gap", "two-sources", "local-adjustment", "overlap",
    "sensitivity", "corporate-evidence", "best-practice", "priorities",
)  # fmt: skip


class KindSpec(Record):
    """A kind of assessment and what it must hold."""

    id: Literal["profile", "rapid", "in-depth"]
    """Short name."""
    title: str
    """Name for people."""
    contents: list[str]
    """What it must hold for each need."""


class Kinds(Record):
    """Kinds of assessment, from the lightest to the deepest."""

    because: str
    """Who decided."""
    contents: dict[str, str]
    """Everything that a kind may ask for, in words."""
    kinds: Annotated[list[KindSpec], Field(min_length=1)]
    """In order."""

    @model_validator(mode="after")
    def _known(self) -> Kinds:
        wrong = [name for name in self.contents if name not in CONTENTS]
        wrong += [name for kind in self.kinds for name in kind.contents if name not in self.contents]
        if wrong:
            raise ValueError(f"contents are unknown: {', '.join(dict.fromkeys(wrong))}")
        return self

    def kind(self, name: str) -> KindSpec:
        """A kind by its short name."""
        return next(kind for kind in self.kinds if kind.id == name)


class _Value(Record):
    value: Proportion
    because: str


class Triangulation(Record):
    """When a finding says that need is there, and what the codes mean."""

    likely: _Value
    """Chance of a gap that is a strong finding."""
    unlikely: _Value
    """Chance of no gap that speaks against one."""
    convergence: dict[Literal["agreement", "partial agreement", "silence", "dissonance"], str]
    """Codes, in words."""
    levels: dict[Literal["T0", "T1", "T1c", "T2", "T3"], str]
    """Levels, in words."""


class Constituency(Record):
    """Those who speak."""

    title: str
    """Name for people."""
    need_type: NeedType
    """Bradshaw's kind of need that they speak of unless the file says otherwise."""


class Vocabulary(Record):
    """Words of a file of corporate evidence."""

    because: str
    """Where they come from."""
    constituencies: dict[str, Constituency]
    """Those who speak."""
    directions: dict[Literal["present", "greater", "less"], str]
    """What is said."""
    strengths: list[str]
    """How strongly."""
    confidence: list[str]
    """How far it can be relied on."""
    need_types: dict[NeedType, str]
    """Bradshaw's kinds of need, in words."""
    name_columns: list[str]
    """Columns that would hold who somebody is."""
    personal_titles: list[str]
    """Titles of persons."""
    body_words: list[str]
    """Words by which a body or a role is told from a person."""


class Anchored(Record):
    """A criterion, with what each score means in writing."""

    id: Id
    """Short name."""
    title: str
    """Name for people."""
    question: str
    """What is asked."""
    scored_by: Literal["numbers", "growth", "reach", "voices", "analyst"]
    """The engine's numbers, growth, reach or voices; or the analyst."""
    scores_from: Annotated[list[float], Field(min_length=4, max_length=4)] | None = None
    """Values from which scores 1, 2, 3 and 4 are given, where the engine scores."""
    falling: bool = False
    """Whether smaller values score higher."""
    anchors: Annotated[list[str], Field(min_length=5, max_length=5)]
    """What scores 0, 1, 2, 3 and 4 mean."""
    because: str
    """Why these anchors."""
    not_with: list[Id] = []
    """Criteria correlated with this one by construction: never weighted together."""

    @model_validator(mode="after")
    def _scored(self) -> Anchored:
        if any(not anchor.strip() for anchor in self.anchors):
            raise ValueError("every score from 0 to 4 has a written anchor")
        if (self.scored_by != "analyst") != (self.scores_from is not None):
            raise ValueError(
                "a criterion that the engine scores gives `scores_from`, the values from which it scores; no other does"
            )
        if self.scores_from is not None and sorted(self.scores_from, reverse=self.falling) != list(self.scores_from):
            raise ValueError("the values in `scores_from` are in the order of the scores")
        return self


class Criteria(Record):
    """The library of criteria, and how priorities are told."""

    criteria: Annotated[list[Anchored], Field(min_length=1)]
    """In order."""
    top: Annotated[int, Field(ge=1)]
    """How many needs are named first."""
    share: Proportion
    """Of all needs, at most this share is named first."""
    robust: Proportion
    """Chance of standing among them from which a priority is robust."""
    open: Proportion
    """Chance from which it is sensitive to weights."""
    concentration: Annotated[float, Field(gt=0)]
    """How closely drawn weights keep to those agreed."""
    horizon: Annotated[int, Field(ge=1)]
    """Years ahead over which growth is taken."""
    because: str
    """Why these settings."""

    @model_validator(mode="after")
    def _named_once(self) -> Criteria:
        ids = [criterion.id for criterion in self.criteria]
        if len(set(ids)) != len(ids):
            raise ValueError("criteria are named twice")
        return self


def read_kinds(shelf: Shelf) -> Kinds:
    """Kinds of assessment, the analyst's own first."""
    return read_standard(shelf, f"{FOLDER}/kinds.yaml", Kinds)


def read_triangulation(shelf: Shelf) -> Triangulation:
    """Thresholds and words of triangulation, the analyst's own first."""
    return read_standard(shelf, f"{FOLDER}/triangulation.yaml", Triangulation)


def read_vocabulary(shelf: Shelf) -> Vocabulary:
    """Words of corporate evidence, the analyst's own first."""
    return read_standard(shelf, f"{FOLDER}/corporate.yaml", Vocabulary)


def read_criteria(shelf: Shelf) -> Criteria:
    """The library of criteria, the analyst's own first.

    Raises
    ------
    SourceError
        If a criterion has no written anchors, or its values are out of order: every fault at once.
    """
    return read_standard(shelf, f"{FOLDER}/criteria.yaml", Criteria)
