"""Every file of an assessment read, and all its faults told at once, before anything is estimated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from hna.assessment.corporate import corporate_files, read_corporate
from hna.assessment.framework import Framework, Placed, check_needs, frameworks, read_framework
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
from hna.assessment.standards import read_criteria, read_kinds, read_triangulation, read_vocabulary
from hna.errors import Fault, HnaError
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource

Result = TypeVar("Result")


@dataclass
class Checked:
    """What a check of the files of an assessment found.

    Parameters
    ----------
    frameworks : how many were read.
    faults : what is wrong.
    warnings : reviews that are past (W903).
    """

    frameworks: int = 0
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def read(self, read: Callable[[], Result]) -> Result | None:
        """What a file holds, or None with its faults kept."""
        try:
            return read()
        except HnaError as error:
            self.faults.extend(error.faults)
            return None


def check_assessment(shelf: Shelf, on: dt.date) -> Checked:
    """Faults of frameworks and standards, and of a workspace's corporate evidence, programme, weights and scores.

    With a workspace, its own frameworks are checked; without, those that are shipped.

    Parameters
    ----------
    shelf : what to check.
    on : the day: nothing may lie after it, and reviews are due or past by it.
    """
    found = Checked()
    criteria = found.read(partial(read_criteria, shelf))
    vocabulary = found.read(partial(read_vocabulary, shelf))
    for read in (read_kinds, read_triangulation):
        found.read(partial(read, shelf))
    needs = list(shelf.models())
    held: dict[str, Framework] = {}
    for name, file in frameworks(shelf).items():
        framework = found.read(partial(read_framework, shelf, name))
        if framework is not None:
            held[name] = framework
            found.frameworks += shelf.workspace is None or shelf.own(file)
    topics = [topic for one in held.values() for topic in Placed(one, {}).topics]
    chapters = list(dict.fromkeys(chapter.id for one in held.values() for chapter in one.chapters))
    run = Programme()
    if (path := own_file(shelf, PROGRAMME)) is not None:
        run = found.read(partial(read_programme, path, chapters, needs, on)) or run
    spoken = corporate_files([] if shelf.workspace is None else [shelf.workspace])
    if vocabulary is not None:
        for said in spoken:
            found.read(partial(read_corporate, said, [*needs, *topics], vocabulary, on))
    if criteria is not None:
        weights = None
        if (path := own_file(shelf, WEIGHTS)) is not None:
            weights = found.read(partial(read_weights, path, criteria))
        if (path := own_file(shelf, SCORES)) is not None and (weights is not None or own_file(shelf, WEIGHTS) is None):
            found.read(partial(read_scores, path, criteria, needs, weights))
    for name, file in frameworks(shelf).items():
        if name in held and (shelf.workspace is None or shelf.own(file)):
            found.faults += _of_framework(shelf, held[name], str(file), needs, run, bool(spoken))
    titles = {chapter.id: f"chapter {chapter.title}" for one in held.values() for chapter in one.chapters}
    found.warnings += overdue(run, titles, on)
    return found


def _of_framework(
    shelf: Shelf, framework: Framework, file: str, needs: list[str], run: Programme, spoken: bool
) -> Iterator[Fault]:
    unknown = check_needs(Placed(framework, {}), needs)
    if unknown:
        yield Fault(
            "needs are on no shelf", "`hna models` lists those there are", file=file, field="needs", rows=unknown
        )
    known = shelf.folders(KnownSource)
    counts = [name for chapter in framework.chapters for name in chapter.counts if name not in known]
    if counts:
        yield Fault(
            "counts are on no shelf", "`hna sources` lists those there are", file=file, field="counts", rows=counts
        )
    for chapter in framework.chapters:
        entry = run.of(chapter.id)
        told = {one.item for one in entry.supplied} if entry else set()
        told |= {one.item for one in run.missing if one.chapter == chapter.id}
        for required in chapter.requires:
            there = {"analyst": False, "corporate": spoken, "counts": bool(chapter.counts)}.get(required.given_by, True)
            if not there and required.missing is None and required.item not in told:
                what = f"{required.item} is required, is given by nobody, and no record says why it is missing"
                remedy = "Write `missing:` with why and effect, or supply it in data/assessment/programme.yaml"
                yield Fault(what, remedy, file=file, field=f"chapters.{chapter.id}.requires", code="R901")
