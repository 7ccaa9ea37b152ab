"""Three approaches brought together: what agrees, what is silent, what contradicts, and how far a need is borne out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

Approach = Literal["epidemiological", "comparative", "corporate"]
Direction = Literal["present", "greater", "less"]
Code = Literal["agreement", "partial agreement", "silence", "dissonance"]
Level = Literal["T0", "T1", "T1c", "T2", "T3"]
Pattern = Literal["hidden need", "voiced but unmeasured", "contested"]

APPROACHES: tuple[Approach, ...] = ("epidemiological", "comparative", "corporate")


@dataclass(frozen=True)
class EvidenceItem:
    """One finding about one need.

    Parameters
    ----------
    id : by which a verdict names it.
    need : model or topic.
    approach : epidemiological, comparative or corporate.
    direction : the need is present, greater or less than supposed.
    strength : strong, moderate or weak.
    confidence : high, moderate, low or very-low; blank where it was not judged.
    need_type : Bradshaw's kind of need.
    words : the finding, as a sentence.
    datasets : what it rests on; findings that share one count once. Populations are denominators and are not named.
    constituency : who speaks, if anybody.
    """

    id: str
    need: str
    approach: Approach
    direction: Direction
    strength: str
    need_type: str
    words: str
    datasets: tuple[str, ...] = ()
    confidence: str = ""
    constituency: str = ""

    @property
    def affirms(self) -> bool:
        """Whether it says that the need is there."""
        return self.direction != "less"


@dataclass(frozen=True)
class Pair:
    """What two approaches make of each other.

    Parameters
    ----------
    first, second : the approaches.
    code : of convergence.
    shared : datasets on which both rest.
    items : identifiers of the findings compared.
    """

    first: Approach
    second: Approach
    code: Code
    shared: tuple[str, ...]
    items: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """Findings that rest on the same data, and so count once, under the approach first recorded."""

    approach: Approach
    items: tuple[str, ...]
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What the three approaches together say of a need.

    Parameters
    ----------
    need : model or topic.
    level : T0 to T3; shown beside magnitude and uncertainty, never multiplied into them.
    approaches : those that say the need is there and rest on a source of their own.
    pairs : every two approaches.
    patterns : hidden need, voiced but unmeasured, contested.
    breadth : constituencies that say the need is there.
    sources : separate sources that say so.
    items : every finding.
    asked : whether the corporate approach was taken at all.
    """

    need: str
    level: Level
    approaches: tuple[Approach, ...]
    pairs: tuple[Pair, ...]
    patterns: tuple[Pattern, ...]
    breadth: tuple[str, ...]
    sources: tuple[Source, ...]
    items: tuple[EvidenceItem, ...]
    asked: bool

    @property
    def emerges(self) -> bool:
        """Whether the need emerges from more than one source."""
        return self.level in ("T2", "T3")


def sources_of(items: Sequence[EvidenceItem]) -> tuple[Source, ...]:
    """Findings grouped by the data they rest on: two that share a dataset, near or far, are of one source.

    A finding that names no dataset is a source of its own.
    """
    groups: list[tuple[set[str], list[EvidenceItem]]] = []
    for item in items:
        names = set(item.datasets) or {f"finding:{item.id}"}
        joined = [group for group in groups if group[0] & names]
        apart = [group for group in groups if not group[0] & names]
        before = [one for _, found in joined for one in found]
        merged = (names.union(*(found for found, _ in joined)), [*before, item])
        at = groups.index(joined[0]) if joined else len(apart)
        groups = [*apart[:at], merged, *apart[at:]]
    order = {item.id: n for n, item in enumerate(items)}
    found = []
    for names, held in groups:
        members = sorted(held, key=lambda item: order[item.id])
        told = tuple(sorted(name for name in names if not name.startswith("finding:")))
        found.append(Source(members[0].approach, tuple(item.id for item in members), told))
    return tuple(found)


def code_of(first: Iterable[EvidenceItem], second: Iterable[EvidenceItem]) -> Code:
    """How the findings of two approaches, or two coders, converge.

    Silence is neither agreement nor dissonance: it is given only where one of them says nothing. Any contradiction between
    them is dissonance; findings that differ only in how great the need is agree in part.
    """
    left, right = {item.direction for item in first}, {item.direction for item in second}
    if not left or not right:
        return "silence"
    if {item == "less" for item in left | right} == {True, False}:
        return "dissonance"
    return "agreement" if left == right else "partial agreement"


def triangulate(need: str, items: Sequence[EvidenceItem], asked: bool) -> Verdict:
    """What the findings about a need say together.

    The level is the number of approaches that say the need is there, each resting on a source of its own: findings of one
    dataset count once, under the approach first recorded. An item added to a dataset already named therefore never raises
    the level. Several constituencies make the corporate approach broader, not the level higher.

    Parameters
    ----------
    need : model or topic.
    items : findings, in the order in which they were recorded; those of other needs are left out.
    asked : whether the corporate approach was taken for the assessment at all. Where nobody was asked, that nobody speaks of
        a need says nothing of it.

    References
    ----------
    Farmer T et al. Developing and implementing a triangulation protocol for qualitative health research. Qual Health Res
    2006;16:377-394. Bradshaw J. A taxonomy of social need. 1972.
    """
    held = tuple(item for item in items if item.need == need)
    by = {name: tuple(item for item in held if item.approach == name) for name in APPROACHES}
    affirming = [item for item in held if item.affirms]
    sources = sources_of(affirming)
    speaking = {source.approach for source in sources}
    approaches = tuple(name for name in APPROACHES if name in speaking)
    pairs = tuple(
        Pair(
            first, second, code_of(by[first], by[second]), _shared(by[first], by[second]),
            tuple(item.id for item in (*by[first], *by[second])),
        )
        for first, second in combinations(APPROACHES, 2)
    )  # fmt: skip
    spoken = tuple(dict.fromkeys(item.constituency for item in by["corporate"] if item.affirms and item.constituency))
    return Verdict(
        need, _level(approaches, affirming), approaches, pairs, tuple(_patterns(by, held, asked)), spoken, sources, held, asked
    )  # fmt: skip


def _shared(first: Iterable[EvidenceItem], second: Iterable[EvidenceItem]) -> tuple[str, ...]:
    left, right = ({name for item in held for name in item.datasets} for held in (first, second))
    return tuple(sorted(left & right))


def _level(approaches: Sequence[Approach], affirming: Sequence[EvidenceItem]) -> Level:
    if len(approaches) == 1 and all(item.approach == "corporate" for item in affirming):
        return "T1c"
    levels: tuple[Level, ...] = ("T0", "T1", "T2", "T3")
    return levels[len(approaches)]


def _patterns(
    by: dict[Approach, tuple[EvidenceItem, ...]], held: Sequence[EvidenceItem], asked: bool
) -> Iterable[Pattern]:
    strong = {name: any(item.affirms and item.strength == "strong" for item in found) for name, found in by.items()}
    contested = {item.direction == "less" for item in held} == {True, False}
    if strong["epidemiological"] and strong["comparative"] and not by["corporate"] and asked:
        yield "hidden need"
    if strong["corporate"] and not by["epidemiological"]:
        yield "voiced but unmeasured"
    if contested:
        yield "contested"
