"""An assessment, whole: what it is of, what was found, what it lacks."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

from hna.answers.answer import Answer
from hna.answers.comparison import Comparisons
from hna.assessment.completeness import Held, Met
from hna.assessment.corporate import Voice
from hna.assessment.framework import ChapterSpec, Framework, MissingRecord, Placed
from hna.assessment.programme import Programme
from hna.assessment.ranking import Priorities
from hna.assessment.standards import Kinds, Triangulation, Vocabulary
from hna.assessment.triangulate import Verdict
from hna.errors import Fault
from hna.evidence.population import Population
from hna.evidence.source import KnownSource
from hna.measure.areas import Area


@dataclass(frozen=True)
class Counted:
    """A count that stands in a chapter without an estimate beside it.

    Parameters
    ----------
    source : whose count.
    people : as the publisher's figures allow: the number, or None where it is hidden, with its bounds.
    """

    source: KnownSource
    people: float | None
    lower: float
    upper: float

    @property
    def hidden(self) -> bool:
        """Whether disclosure control hides it, so that nothing is said of how many they are."""
        return math.isinf(self.upper)


@dataclass(frozen=True, eq=False)
class ChapterState:
    """A chapter of an assessment.

    Parameters
    ----------
    spec : as the framework has it.
    needs : described here.
    links : needs described elsewhere: need, chapter, why.
    met : what it must hold, and whether it is there.
    counts : counts without an estimate.
    owner, who, when, review_due : as the programme says; None where it does not.
    """

    spec: ChapterSpec
    needs: tuple[str, ...]
    links: tuple[tuple[str, str, str], ...]
    met: tuple[Met, ...]
    counts: tuple[Counted, ...]
    owner: str | None
    who: str | None
    when: str | None
    review_due: str | None


@dataclass(frozen=True, eq=False)
class Assessment:
    """A needs assessment of one area.

    Parameters
    ----------
    area, framework, placed, kinds, triangulation, vocabulary : what it is of, and the words it is in.
    programme : what, who, when, owner and review.
    on : the day on which it was made.
    answers, comparisons : by need, in the framework's order.
    chapters : in order.
    held : by need, what its assessment holds.
    voices : corporate evidence.
    verdicts : by need and topic, what the approaches say together.
    priorities : needs in order, with how sure that is.
    population : people of the area in the base year.
    missing : everything that is missing, once.
    faults : R901, what is neither there nor recorded as missing.
    warnings : W903 and what else an owner must know.
    arguments, notes : of the run.
    """

    area: Area
    framework: Framework
    placed: Placed
    kinds: Kinds
    triangulation: Triangulation
    vocabulary: Vocabulary
    programme: Programme
    on: dt.date
    answers: Mapping[str, Answer]
    comparisons: Mapping[str, Comparisons]
    chapters: tuple[ChapterState, ...]
    held: Mapping[str, Held]
    voices: tuple[Voice, ...]
    verdicts: Mapping[str, Verdict]
    priorities: Priorities
    population: Population
    missing: tuple[MissingRecord, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    arguments: Mapping[str, object]
    notes: tuple[str, ...]

    def title(self, name: str) -> str:
        """Title of a need or a topic."""
        return self.answers[name].model.title if name in self.answers else self.placed.topics[name][1]

    @property
    def kind(self) -> str:
        """The kind of assessment that is claimed, for people."""
        return self.kinds.kind(self.programme.kind or "profile").title

    @property
    def refusals(self) -> tuple[Fault, ...]:
        """Gaps that were refused."""
        return tuple(fault for found in self.answers.values() for fault in found.refusals)
