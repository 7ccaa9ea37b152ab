"""Frameworks as data: the chapters of an assessment, what each must hold, and what stands where data are missing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from hna.errors import Fault, HnaError, SourceError
from hna.evidence.citation import Citation
from hna.evidence.record import Date, Id, Record, faults_of
from hna.evidence.shelf import Shelf
from hna.evidence.yaml_file import read_yaml

FOLDER = "data/frameworks"
DEFAULT_FRAMEWORK = "halton-children-2014"

GivenBy = Literal["population", "needs", "counts", "corporate", "findings", "analyst"]


class AssessmentError(HnaError, ValueError):
    """An assessment lacks what it must hold, or its parts contradict each other."""


class Absence(Record):
    """Why something that should stand here does not."""

    why: str
    """Why."""
    since: Date | None = None
    """Since when."""
    owner: str | None = None
    """Who could supply it."""
    effect: str
    """What the assessment cannot say without it."""


class Requirement(Record):
    """Something that a chapter must hold, or say that it lacks."""

    item: str
    """What."""
    given_by: GivenBy
    """What supplies it: the engine's population, needs, counts or findings, corporate evidence, or the analyst."""
    missing: Absence | None = None
    """Stands in its place where it is not there."""


class See(Record):
    """Needs that belong here too, and are counted and described in another chapter."""

    chapter: Id
    """Where they are described."""
    needs: Annotated[list[Id], Field(min_length=1)]
    """Names of models."""
    because: str
    """Why they belong here too."""


class Topic(Record):
    """Something the chapter is about that no model measures; views of it can be recorded."""

    id: Id
    """Short name."""
    title: str
    """Name for people."""


class ChapterSpec(Record):
    """A chapter of the framework."""

    id: Id
    """Short name."""
    number: Annotated[int, Field(ge=1)]
    """Place in the order."""
    title: str
    """Heading."""
    takes: list[Id] = []
    """Values of `chapter` in model files whose needs are described here."""
    needs: list[Id] = []
    """Needs described here whatever their model file says."""
    see: list[See] = []
    """Needs described in other chapters."""
    counts: list[Id] = []
    """Counts on the shelf that belong here without an estimate to set beside them."""
    topics: list[Topic] = []
    """What the chapter is about and no model measures."""
    requires: list[Requirement] = []
    """What it must hold."""


class NeedClass(Record):
    """A class of a taxonomy."""

    id: Id
    """Short name."""
    title: str
    """Name for people."""


class Classed(Record):
    """A need in one or more classes; it is still counted once."""

    need: Id
    """Name of the model."""
    classes: Annotated[list[Id], Field(min_length=1)]
    """Classes."""
    because: str
    """Why."""


class Taxonomy(Record):
    """Classes that cut across chapters."""

    id: Id
    """Short name."""
    title: str
    """Name for people."""
    classes: Annotated[list[NeedClass], Field(min_length=1)]
    """Its classes, in order."""
    needs: list[Classed] = []
    """Needs in them."""


class Framework(Record):
    """The chapters of an assessment, in order."""

    id: Id
    """Short name, the same as the file's."""
    title: str
    """Name for people."""
    scope: str
    """Whom it is about, as in the title of an assessment."""
    citation: Citation
    """Where the framework is set out."""
    notes: str | None = None
    """What a reader must know of it."""
    chapters: Annotated[list[ChapterSpec], Field(min_length=1)]
    """In order."""
    taxonomies: list[Taxonomy] = []
    """Classes across chapters."""

    def chapter(self, name: str) -> ChapterSpec:
        """A chapter by its short name."""
        return next(chapter for chapter in self.chapters if chapter.id == name)

    @property
    def words(self) -> str:
        """The reference, as a reader would find it."""
        cited = self.citation
        parts = [cited.authors, f"({cited.year})" if cited.year else None, cited.title, cited.container, cited.locator]
        return ". ".join(str(part).rstrip(".") for part in parts if part) + "."


@dataclass(frozen=True)
class MissingRecord:
    """Data that should stand in an assessment and do not.

    Parameters
    ----------
    item : what is missing.
    chapter : where it would stand.
    need : the need it is about; blank for the whole chapter.
    why, since, owner, effect : as the record says.
    """

    item: str
    chapter: str
    why: str
    effect: str
    need: str = ""
    since: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Placed:
    """Needs placed in the chapters of a framework.

    Parameters
    ----------
    framework : whose chapters.
    detail : by need, the one chapter that describes it.
    """

    framework: Framework
    detail: Mapping[str, str]

    def needs(self, chapter: str) -> tuple[str, ...]:
        """Needs described in a chapter."""
        return tuple(need for need, place in self.detail.items() if place == chapter)

    def links(self, chapter: str) -> tuple[tuple[str, str, str], ...]:
        """Needs described elsewhere that belong here too: need, the chapter that describes it, and why."""
        return tuple(
            (need, self.detail[need], see.because)
            for see in self.framework.chapter(chapter).see
            for need in see.needs
            if need in self.detail
        )

    def classes(self, need: str) -> tuple[tuple[str, str], ...]:
        """Taxonomy and class of a need, as titles."""
        return tuple(
            (taxonomy.title, held.title)
            for taxonomy in self.framework.taxonomies
            for classed in taxonomy.needs
            if classed.need == need
            for held in taxonomy.classes
            if held.id in classed.classes
        )

    @cached_property
    def topics(self) -> dict[str, tuple[str, str]]:
        """By topic, its chapter and title."""
        return {topic.id: (spec.id, topic.title) for spec in self.framework.chapters for topic in spec.topics}


def frameworks(shelf: Shelf) -> dict[str, Path]:
    """File of each framework, the workspace's hiding the shipped one of the same name."""
    found: dict[str, Path] = {}
    for root in reversed(shelf.roots):
        found |= {file.stem: file for file in sorted((root / FOLDER).glob("*.yaml"))}
    return dict(sorted(found.items()))


def read_framework(shelf: Shelf, name: str) -> Framework:
    """A framework on the shelf.

    Raises
    ------
    SourceError
        If there is none of that name, or every fault of its file at once: chapters numbered or named twice, needs
        described in two chapters, links to a chapter that is not there or that go round in a circle, unknown classes.
    """
    files = frameworks(shelf)
    if name not in files:
        near = difflib.get_close_matches(name, files, 5, 0.4) or list(files)
        raise SourceError(Fault(f"no framework is called {name!r}", "These are on the shelf", rows=near))
    return read_framework_file(files[name])


def read_framework_file(path: Path) -> Framework:
    """The framework in a YAML file; raises as `read_framework` does."""
    fields, lines = read_yaml(path)
    try:
        found = Framework.model_validate(fields)
    except ValidationError as error:
        raise SourceError(faults_of(error, str(path), lines)) from None
    faults = list(_faults(found, str(path)))
    if found.id != path.stem:
        what = f"id is {found.id!r} in a file named {path.name!r}"
        faults.append(Fault(what, "Give the file and the framework the same name", file=str(path), field="id"))
    if faults:
        raise SourceError(faults)
    return found


def _faults(framework: Framework, file: str) -> Iterator[Fault]:
    ids = [chapter.id for chapter in framework.chapters]
    numbers = [str(chapter.number) for chapter in framework.chapters]
    for what, held in (("chapters are named twice", ids), ("chapters are numbered twice", numbers)):
        twice = sorted({one for one in held if held.count(one) > 1})
        if twice:
            yield Fault(what, "Give each its own", file=file, field="chapters", rows=twice)
    topics = [topic.id for chapter in framework.chapters for topic in chapter.topics]
    for what, words in (
        ("needs are described in two chapters", [need for chapter in framework.chapters for need in chapter.needs]),
        ("words are taken by two chapters", [word for chapter in framework.chapters for word in chapter.takes]),
        ("topics stand in two chapters", topics),
    ):
        twice = sorted({one for one in words if words.count(one) > 1})
        if twice:
            remedy = "A need is described and counted in one chapter; link to it from the others with `see`"
            yield Fault(what, remedy, file=file, field="chapters", rows=twice)
    for chapter in framework.chapters:
        for see in chapter.see:
            if see.chapter not in ids:
                near = difflib.get_close_matches(see.chapter, ids, 1, 0.4)
                what = f"links to a chapter {see.chapter!r} that is not there"
                remedy = f"Did you mean {near[0]}?" if near else f"The chapters are {', '.join(ids)}"
                yield Fault(what, remedy, file=file, field=f"chapters.{chapter.id}.see")
    yield from _circles(framework, file)
    for taxonomy in framework.taxonomies:
        named = [one.id for one in taxonomy.classes]
        wrong = [f"{one.need}: {name}" for one in taxonomy.needs for name in one.classes if name not in named]
        if wrong:
            remedy = f"The classes are {', '.join(named)}"
            yield Fault("classes are unknown", remedy, file=file, field=f"taxonomies.{taxonomy.id}", rows=wrong)


def _circles(framework: Framework, file: str) -> Iterator[Fault]:
    """Links that come back to the chapter from which they started."""
    onward = {
        (chapter.id, need): see.chapter for chapter in framework.chapters for see in chapter.see for need in see.needs
    }
    told: set[frozenset[str]] = set()
    for start, need in onward:
        path, here = [start], start
        while (here, need) in onward:
            here = onward[here, need]
            if here in path:
                circle = [*path[path.index(here) :], here]
                if frozenset((*circle, need)) not in told:
                    told.add(frozenset((*circle, need)))
                    remedy = "One chapter describes the need: remove its link onward"
                    rows = [" → ".join(circle)]
                    yield Fault(f"links for {need} go round in a circle", remedy, file=file, field="see", rows=rows)
                break
            path.append(here)


def place(framework: Framework, chapters: Mapping[str, str]) -> Placed:
    """Put each need in the one chapter that describes it; needs of no chapter are left out.

    Parameters
    ----------
    framework : whose chapters.
    chapters : by need, the `chapter` of its model file.

    Raises
    ------
    AssessmentError
        If a link leads to a chapter that does not describe the need.
    """
    explicit = {need: chapter.id for chapter in framework.chapters for need in chapter.needs}
    taken = {word: chapter.id for chapter in framework.chapters for word in chapter.takes}
    detail = {
        need: explicit.get(need) or taken[word] for need, word in chapters.items() if need in explicit or word in taken
    }
    order = {chapter.id: chapter.number for chapter in framework.chapters}
    detail = dict(sorted(detail.items(), key=lambda pair: order[pair[1]]))
    faults = [
        Fault(
            f"{chapter.title} says that {need} is described in {see.chapter}, but it is described in {detail[need]}",
            "Mend the link", file=framework.id, field=f"chapters.{chapter.id}.see",
        )
        for chapter in framework.chapters for see in chapter.see for need in see.needs
        if need in detail and detail[need] != see.chapter
    ]  # fmt: skip
    if faults:
        raise AssessmentError(faults)
    return Placed(framework, detail)


def check_needs(placed: Placed, known: Sequence[str]) -> list[str]:
    """Names in a framework that no model on the shelf has."""
    named = {need for chapter in placed.framework.chapters for see in chapter.see for need in see.needs}
    named |= {need for chapter in placed.framework.chapters for need in chapter.needs}
    named |= {one.need for taxonomy in placed.framework.taxonomies for one in taxonomy.needs}
    return sorted(named - set(known))
