"""The model file: which evidence a need rests on, what is assumed, and what is printed beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from hna.errors import Fault, ModelError
from hna.evidence.record import Date, Id, Proportion, Record, faults_of
from hna.evidence.yaml_file import read_yaml
from hna.measure.ages import AgeBand
from hna.model.spec_local import LocalStep
from hna.model.spec_rate import POOLED, USED_BY, Ages, LocalAdjustment, Prevalence, Range, UsedSource

FACTORS = ("resident", "active", "ages", "distinct", "in_need", "extraction")


class Denominator(Record):
    """Whom the counted residents stand for, where the need is not theirs."""

    stands_for: str
    """The population that the rate is about."""
    because: str
    """Why one resident counted stands for one person, and where that fails."""


class Group(Record):
    """People among whom the need is, where they are not everybody living in an area."""

    kind: Literal["setting", "social", "condition"]
    """What makes them a group: where they live, what they live through, or a condition that they have."""
    group: Annotated[str, Field(min_length=3)]
    """Its name, as `group` of a population's record has it, such as people in prison."""
    because: str
    """Who counts them, and what a count must hold."""


class Factors(Record):
    """What turns a published count into people with the need, living here, on the day: each a range or a number."""

    resident: Range | Proportion | None = None
    """Share of those counted who live in the area."""
    active: Range | Proportion | None = None
    """Share of a period's people who have the need on one day."""
    duration: Range | Annotated[float, Field(gt=0)] | None = None
    """In place of active: how many months a person is with the service on average; active is then duration over duration and
    the months of the period, in a steady state in which nobody comes back."""
    ages: Range | Proportion | None = None
    """Share of those counted who are of the need's ages."""
    distinct: Range | Proportion | None = None
    """One less the share of duplicates."""
    in_need: Range | Proportion | None = None
    """Share of those counted who meet the case definition."""
    extraction: Range | Proportion | None = None
    """Share of services whose counts were collected; the count is divided by it."""
    because: str
    """Source and reason of each."""

    @model_validator(mode="after")
    def _possible(self) -> Factors:
        for name in FACTORS:
            value = getattr(self, name)
            low, high = value if isinstance(value, list) else (value, value)
            if low is not None and not (0 <= low <= high <= 1 and high > 0):
                raise ValueError(f"{name} is a share, or a range of shares, between 0 and 1")
        if isinstance(self.duration, list) and not 0 < self.duration[0] <= self.duration[1]:
            raise ValueError("duration is a number of months, or a range of such numbers")
        if self.active is not None and self.duration is not None:
            raise ValueError("active and duration say the same thing: give one")
        return self


class Bridge(Record):
    """What makes two different things comparable."""

    because: str
    """The transform, and why it holds."""
    citation: str
    """Where that was shown."""


class Residents(Record):
    """What brings counts by practice to the areas in which people live."""

    flows: Id
    """Where the patients of each practice live: a table under data/flows."""
    areas: Id | None = None
    """A lookup on the shelf by which the table's areas lie in those assessed. Null: the table has these."""
    because: Annotated[str, Field(min_length=3)]
    """Why the need is about as common among a practice's patients wherever they live."""


class KnownUse(Record):
    """A count of people known to services that the need is compared with."""

    source: Id
    """Identifier on the shelf."""
    factors: Factors | None = None
    """Measurement model of the count; null: every factor is 1, and the report says so."""
    bridges: dict[Literal["definition", "population base", "time basis", "severity"], Bridge] = {}
    """Differences in the alignment ledger that are bridged, each with its citation."""
    residents: Residents | None = None
    """For counts by practice: what brings them to areas of residence."""
    gap: Literal["signed", "conditioned"] = "signed"
    """signed: every draw is kept, also where more people are known than estimated. conditioned: draws of the estimate below the
    people known who have the need are left out, since nobody known is without it; needs factors.in_need."""
    apart: Annotated[str, Field(min_length=20)] | None = None
    """Why no gap is formed: the count is listed beside the estimate, and nothing is worked out from the two."""

    @model_validator(mode="after")
    def _compared_or_apart(self) -> KnownUse:
        if self.apart and (self.factors is not None or self.bridges or self.residents):
            raise ValueError("a count kept apart is not compared, so it has neither factors nor bridges nor residents")
        if self.gap == "conditioned" and (self.apart or self.factors is None or self.factors.in_need is None):
            raise ValueError(
                "a gap is conditioned on people known who have the need: give factors.in_need, the share of those counted who meet "
                "the case definition"
            )
        return self


class Overlap(Record):
    """People counted by two services."""

    services: Annotated[list[str], Field(min_length=2, max_length=2)]
    """The two, as named in `known`."""
    area: str | None = None
    """Area code; null where one area is run."""
    people: Annotated[int, Field(ge=0)]
    """People in both."""
    source: str
    """Where the overlap was measured."""


class Target(Record):
    """The share of people in need who should be known."""

    coverage: Annotated[float, Field(gt=0, le=1)]
    """As a proportion."""
    source: Annotated[str, Field(min_length=3)]
    """Who set it, where, and when."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_source(cls, given: Any) -> Any:
        if isinstance(given, dict) and not str(given.get("source") or "").strip():
            raise ValueError("R751 a share that should be known needs its source: who set it, where, and when")
        return given


class Compare(Record):
    """What each area is set beside."""

    areas: list[Literal["region", "england", "statistical-neighbours"]] = [
        "region",
        "england",
        "statistical-neighbours",
    ]
    """Comparators."""


class BestPractice(Record):
    """National guidance on the need."""

    body: str
    """Who wrote it."""
    ref: str
    """Its reference."""
    year: int
    """Year of publication or last update."""
    url: str | None = None
    """Public address."""
    title: str | None = None
    """Its title."""
    checked_on: Date | None = None
    """When it was last looked up."""


class MissingCoreData(Record):
    """Data that an assessment of this need should rest on, and that is not there."""

    item: str
    """What is missing."""
    why: str
    """Why."""
    since: Date | None = None
    """Since when."""
    owner: str | None = None
    """Who could supply it."""
    effect: str
    """What the assessment cannot say without it."""


class Model(Record):
    """One need, as its model file states it."""

    need: Id
    """Short name, the same as the file's."""
    title: str
    """Name for people."""
    chapter: Id
    """Chapter of the assessment, in kebab-case."""
    ages: Ages
    """Ages assessed, such as 65+ or 5-15."""
    sex: Literal["persons", "female", "male"] = "persons"
    """Who can have the need."""
    prevalence: Prevalence
    """How the rate is made."""
    population: Group | None = None
    """Among whom, where not everybody; the need is assessed where the shelf holds a population of that group."""
    denominator: Denominator | None = None
    """Whom the counted residents stand for, where not themselves."""
    local: list[LocalStep] = []
    """Steps that carry the rate to a place."""
    known: list[KnownUse] = []
    """People known to services."""
    overlaps: list[Overlap] = []
    """People counted by two of the services."""
    target: Target | None = None
    """Share that should be known."""
    compare: Compare = Compare()
    """Comparators."""
    limits: str | None = None
    """What the numbers cannot bear; printed in every report."""
    best_practice: list[BestPractice] = []
    """National guidance."""
    missing_core_data: list[MissingCoreData] = []
    """What is not there, shown where it would stand."""

    @model_validator(mode="after")
    def _ages_parse(self) -> Model:
        AgeBand.parse(self.ages)
        for used in self.prevalence.named:
            if used.ages is not None:
                AgeBand.parse(used.ages)
        compared = [use for use in self.known if not use.apart]
        if len(compared) > 1 and any(use.gap == "conditioned" for use in compared):
            raise ValueError("a gap is conditioned on one count: keep the others apart, or leave the gap signed")
        return self

    @property
    def group(self) -> str:
        """Whom the need is among; blank for everybody."""
        return self.population.group if self.population else ""

    @property
    def factors(self) -> list[LocalAdjustment]:
        """Local steps by who lives in a place."""
        return [step for step in self.local if isinstance(step, LocalAdjustment)]

    @property
    def band(self) -> AgeBand:
        """Ages assessed."""
        return AgeBand.parse(self.ages)

    def with_sources(self, *sources: str) -> Model:
        """The same model resting on other sources: a study switch."""
        prevalence = self.prevalence.model_dump() | {"sources": list(sources), "beside": []}
        if len(sources) == 1 or self.prevalence.combine in ("survey", "map", "multiplier", "capture-recapture"):
            prevalence |= dict.fromkeys(USED_BY) | {"combine": "single"}
            prevalence |= self._unpooled(prevalence)
        return Model.model_validate(self.model_dump() | {"prevalence": prevalence})

    def alone(self, sources: Sequence[UsedSource]) -> list[Model]:
        """The same model resting on each of some sources alone: the scenarios beside it, in the order named."""
        left = dict.fromkeys(("trend", *USED_BY))
        prevalence = self.prevalence.model_dump() | left | {"combine": "single", "beside": []}
        prevalence |= self._unpooled(prevalence)
        return [
            Model.model_validate(self.model_dump() | {"prevalence": prevalence | {"sources": [used.model_dump()]}})
            for used in sources
        ]

    def _unpooled(self, prevalence: dict[str, Any]) -> dict[str, Any]:
        """Errors of one study alone: the spread between those pooled stood for the difference between places, and one has none."""
        return {"errors": prevalence["errors"] | {"transport": None}} if self.prevalence.combine in POOLED else {}


def read_model(path: Path) -> Model:
    """The model in a YAML file.

    Raises
    ------
    ModelError
        Names every fault of the file at once.
    """
    fields, lines = read_yaml(path)
    try:
        model = Model.model_validate(fields)
    except ValidationError as error:
        raise ModelError(faults_of(error, str(path), lines)) from None
    if model.need != path.stem:
        remedy = "Give the file and the need the same name"
        raise ModelError(
            Fault(f"need is {model.need!r} in a file named {path.name!r}", remedy, file=str(path), field="need")
        )
    return model


def json_schema(record: type[BaseModel]) -> dict[str, object]:
    """JSON Schema of a record, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **record.model_json_schema()}
