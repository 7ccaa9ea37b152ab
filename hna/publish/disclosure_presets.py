"""Publishers' rules of disclosure control, as data: what is hidden, what is rounded, what is too sensitive for either."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from hna.errors import Fault, HnaError, SourceError
from hna.evidence.citation import Citation
from hna.evidence.record import Id, Record, faults_of
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource
from hna.evidence.yaml_file import read_yaml
from hna.model.spec import Model

FILE = "data/standards/disclosure.yaml"
NONE, DEFAULT = "none", "default"
_AnyFields = TypeVar("_AnyFields", bound=Record)


class DisclosureError(HnaError):
    """The report cannot be published as it stands, because counts of few people could be worked out from it."""


class Preset(Record):
    """One publisher's rule."""

    title: str
    """Whose rule it is."""
    rule: str
    """The rule in one or two sentences."""
    hides: Annotated[list[int], Field(min_length=2, max_length=2)]
    """Smallest and largest count that is hidden."""
    rounds_to: Annotated[int, Field(gt=1)] | None
    """Base to which other counts are rounded, or null."""
    national_exempt: bool
    """Whether counts of a whole nation are printed as they are."""
    topics: list[Id]
    """Sensitive topics for which this rule was made; empty for a general rule."""
    citation: Citation
    """Where the rule is published."""
    unverified: list[str]
    """Clauses that nobody has yet read in the publisher's own words."""

    @model_validator(mode="after")
    def _hides_from_one(self) -> Preset:
        if not 1 == self.hides[0] <= self.hides[1]:
            raise ValueError("hidden counts run from 1: a nought is shown as a nought")
        return self


class _Value(Record):
    value: Annotated[int, Field(ge=1)]
    because: str


class _Beyond(Record):
    width_multiple: _Value
    values: _Value
    need_multiple: _Value
    population_below: _Value


class _Kind(Record):
    kind: str
    preset: str
    words: list[str]
    because: str


class _Topic(Record):
    topic: Id
    words: Annotated[list[str], Field(min_length=1)]
    because: str


class _Local(Record):
    presets: dict[str, Preset]


class _Fields(_Local):
    beyond: _Beyond
    kinds: Annotated[list[_Kind], Field(min_length=1)]
    topics: list[_Topic]


@dataclass(frozen=True)
class Rule:
    """What is done to one count.

    Parameters
    ----------
    name : of the preset.
    threshold : largest count that is hidden.
    base : to which others are rounded; 1 for none.
    national_exempt : whether counts of a whole nation are printed as they are.
    width : range that must stay open for a hidden count to a reader who does not know what the mark means; None where
        counts are rounded.
    values : counts that must stay possible to a reader who does.
    need_base : to which the estimate beside a rounded count is rounded.
    population_below : a count in a smaller group is hidden.
    """

    name: str
    threshold: int
    base: int
    national_exempt: bool
    width: int | None
    values: int
    need_base: int
    population_below: int

    def small(self, count: float) -> bool:
        """Whether a count is hidden for its own sake."""
        return 1 <= count <= self.threshold

    def rounded(self, count: float) -> float:
        """A count as printed: to the nearest multiple of the base, halves up."""
        return float((int(count) + self.base // 2) // self.base * self.base)

    def range_of(self, printed: float) -> tuple[float, float]:
        """The counts that are printed so, to a reader who knows the rule."""
        if printed == 0:
            return 0.0, 0.0
        below, above = self.base // 2, (self.base - 1) // 2
        return max(printed - below, float(self.threshold + 1)), printed + above


@dataclass(frozen=True)
class Presets:
    """Every rule on the shelf."""

    rules: dict[str, Preset]
    beyond: _Beyond
    kinds: tuple[_Kind, ...]
    topics: tuple[_Topic, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What may be asked for."""
        return (*self.rules, DEFAULT, NONE)

    def check(self, name: str) -> None:
        """Refuse a preset that is not there.

        Raises
        ------
        DisclosureError
            Lists those that are.
        """
        if name not in self.names:
            remedy = f"Use one of {', '.join(self.names)}"
            raise DisclosureError(Fault(f"disclosure preset {name!r} is unknown", remedy, field="--disclosure"))

    def kind_of(self, source: KnownSource) -> str:
        """The preset for a count when none is named."""
        said = _words_of(source.service, source.condition, source.title, source.citation.authors)
        return next((kind.preset for kind in self.kinds if _any(kind.words, said)), self.kinds[-1].preset)

    def rule(self, name: str, source: KnownSource) -> Rule:
        """What is done to a count, under a preset or the default for its kind."""
        chosen = self.kind_of(source) if name == DEFAULT else name
        preset = self.rules[chosen]
        beyond, largest = self.beyond, preset.hides[1]
        return Rule(
            chosen, largest, preset.rounds_to or 1, preset.national_exempt,
            None if preset.rounds_to else beyond.width_multiple.value * largest,
            min(beyond.values.value, largest),
            beyond.need_multiple.value * preset.rounds_to if preset.rounds_to else 1,
            beyond.population_below.value,
        )  # fmt: skip

    def refusal(self, name: str, source: KnownSource, model: Model | None = None) -> Fault | None:
        """R1001 where a count is of a sensitive topic and the rule was not made for it, or is no stricter than usual."""
        said = _words_of(*((model.need, model.title) if model else ()), source.service, source.condition, source.title)
        usual = self.rule(DEFAULT, source)
        rule = self.rule(name, source)
        made_for = self.rules[rule.name].topics
        stricter = (
            rule.threshold >= usual.threshold
            and rule.base >= usual.base
            and (rule.threshold, rule.base) != (usual.threshold, usual.base)
            and not rule.national_exempt
        )
        for topic in self.topics:
            if _any(topic.words, said) and not (topic.topic in made_for and stricter):
                why = "is no stricter than usual" if topic.topic in made_for else "was not made for it"
                return Fault(
                    f"{source.id} counts {topic.topic}, and preset {rule.name} {why}",
                    f"Agree a stricter local rule, write it in the workspace's {FILE} with topics: [{topic.topic}] "
                    "and name it with --disclosure",
                    file=f"models/{model.need}.yaml" if model else f"data/known/{source.id}",
                    field="known" if model else "",
                    code="R1001",
                )
        return None


def _words_of(*texts: str | None) -> str:
    return " ".join(re.sub(r"[^\w']+", " ", text.casefold().replace("’", "'")) for text in texts if text)


def _any(words: list[str], said: str) -> bool:
    return any(re.search(rf"\b{re.escape(_words_of(word).strip())}\b", said) for word in words)


def read_presets(shelf: Shelf) -> Presets:
    """The rules on the shelf: those shipped, and the workspace's own beside them.

    Raises
    ------
    SourceError
        If a file is wrong, or a workspace gives a shipped rule another meaning.
    """
    found: Presets = shelf.once(("disclosure",), lambda: _read(shelf))
    return found


def _read(shelf: Shelf) -> Presets:
    shipped = shelf.roots[-1] / FILE
    fields = _checked(_Fields, str(shipped), *read_yaml(shipped))
    rules = dict(fields.presets)
    for root in shelf.roots[:-1]:
        path = root / FILE
        if not path.is_file():
            continue
        own = _checked(_Local, str(path), *read_yaml(path)).presets
        taken = [name for name in own if name in rules or name in (NONE, DEFAULT)]
        if taken:
            remedy = "Give the local rule a name of its own"
            raise SourceError(
                Fault("shipped presets are not redefined", remedy, file=str(path), field="presets", rows=taken)
            )
        rules |= own
    return Presets(rules, fields.beyond, tuple(fields.kinds), tuple(fields.topics))


def _checked(
    kind: type[_AnyFields], file: str, values: dict[str, Any], lines: dict[tuple[str | int, ...], int]
) -> _AnyFields:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SourceError(faults_of(error, file, lines)) from None
