"""The model file: which evidence a need rests on, what is assumed, and what is printed beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from hna.errors import Fault, ModelError
from hna.evidence.source import Date, Id, Proportion, Record, faults_of
from hna.evidence.yaml_file import read_yaml
from hna.measure.ages import AgeBand

ERROR_TERMS = ("study", "transport", "staleness")
FACTORS = ("resident", "active", "ages", "distinct", "in_need", "extraction")

Range = Annotated[list[float], Field(min_length=2, max_length=2)]
LogitSd = Annotated[float, Field(ge=0, le=2)]


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Ages = Annotated[str, BeforeValidator(_text)]


class ErrorTerms(Record):
    """Errors that no sampling interval holds, as standard deviations on the logit scale."""

    study: LogitSd | None = None
    """Shared by all ages, areas and years: non-response, instrument, frame. Null: by risk of bias."""
    transport: LogitSd | None = None
    """One for each area, the same in all years. Null: the default."""
    staleness: Annotated[float, Field(ge=0, le=0.2)] | None = None
    """For each year between fieldwork and the year asked for. Null: the default."""
    because: str | None = None
    """Why these values."""

    @model_validator(mode="after")
    def _reasoned(self) -> ErrorTerms:
        if not self.because and any(getattr(self, term) is not None for term in ERROR_TERMS):
            raise ValueError('error terms need their reason: write because: "…"')
        return self


class Judged(Record):
    """An interval given by judgement where the source prints none."""

    relative: Range
    """Lower and upper limit as multiples of the estimate, read as a 95 % interval shared by all cells."""
    because: str
    """Who judged, and on what."""

    @model_validator(mode="after")
    def _around_one(self) -> Judged:
        if not 0 < self.relative[0] < 1 < self.relative[1]:
            raise ValueError("a judged range runs from below 1 to above 1, such as [0.8, 1.25]")
        return self


class UsedSource(Record):
    """A source, and the ages for which it is used."""

    source: Id
    """Identifier on the shelf."""
    ages: Ages | None = None
    """Ages taken from it; null: all that it has."""
    study: Id | None = None
    """Name of the survey, where several tables come from one: they then share its study error. Null: its own."""
    adjusted_for: list[Id] = []
    """Factors for which its rate was already adjusted to the place, such as deprivation: they are not adjusted for again."""


class Pooling(Record):
    """What several studies need to be pooled."""

    same_definition: str
    """Why the sources' case definitions are of one class, though not in the same words."""


class Multiplier(Record):
    """A count of people known, to be divided by the share of all with the need who are known."""

    known: Id
    """A known source of people."""
    population: Id
    """Who lived there."""
    area: str
    """Code of the area of both."""
    year: int
    """Year of both."""
    because: str
    """Why the count and the share are of one definition, period and place, and the count holds each person once."""


def _used(value: object) -> object:
    return {"source": value} if isinstance(value, str) else value


class Prevalence(Record):
    """How a rate is made from sources."""

    sources: Annotated[list[Annotated[UsedSource, BeforeValidator(_used)]], Field(min_length=1)]
    """Sources on the shelf; several under `single` must cover different ages."""
    combine: Literal["single", "mixture", "random-effects", "envelope", "multiplier"] = "single"
    """single: one source an age; mixture: two or more, weighted equally; random-effects: three or more, pooled; envelope:
    each alone; multiplier: people known over the share of all that they are."""
    multiplier: Multiplier | None = None
    """Under multiplier: the count and whom it was made among; the one source is the share known."""
    pool: Pooling | None = None
    """Under random-effects: why sources that describe cases differently are of one class."""
    errors: ErrorTerms = ErrorTerms()
    """Errors beyond sampling."""
    ages: Literal["step", "graduate"] = "step"
    """Rates constant within a band, or smoothed by age keeping every band's total."""
    judged: Judged | None = None
    """Range for a source that prints no uncertainty."""
    severity: Id | None = None
    """A proportion-of-cases source that splits cases into strata."""


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
        return self


class Bridge(Record):
    """What makes two different things comparable."""

    because: str
    """The transform, and why it holds."""
    citation: str
    """Where that was shown."""


class KnownUse(Record):
    """A count of people known to services that the need is compared with."""

    source: Id
    """Identifier on the shelf."""
    factors: Factors | None = None
    """Measurement model of the count; null: every factor is 1, and the report says so."""
    bridges: dict[Literal["definition", "population base", "time basis", "severity"], Bridge] = {}
    """Differences in the alignment ledger that are bridged, each with its citation."""
    apart: Annotated[str, Field(min_length=20)] | None = None
    """Why no gap is formed: the count is listed beside the estimate, and nothing is worked out from the two."""

    @model_validator(mode="after")
    def _compared_or_apart(self) -> KnownUse:
        if self.apart and (self.factors is not None or self.bridges):
            raise ValueError("a count kept apart is not compared, so it has neither factors nor bridges")
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
    """Who set it, where."""


class Compare(Record):
    """What each area is set beside."""

    areas: list[Literal["region", "england", "statistical-neighbours"]] = [
        "region",
        "england",
        "statistical-neighbours",
    ]
    """Comparators."""


class LocalAdjustment(Record):
    """A step that carries the rate to a place by who lives there: a synthetic estimate."""

    method: Literal["relative-risk", "odds-ratio"]
    """How the levels of the factor differ: in odds, which never leave 0 to 1, or in risk."""
    factor: Literal["deprivation", "ethnicity"]
    """What people are divided by."""
    source: Id
    """A prevalence source with a column of that name: the rates of its levels are the ratios."""
    benchmark: str | None = None
    """Whose total is held: england, or the code of the area in which the rate was found. Null: refused (R412)."""
    composition: Id | None = None
    """People of each area by the levels, under data/composition. Null: the only one by this factor."""
    adjusted_for: list[Literal["age", "sex", "deprivation", "ethnicity"]] = []
    """What the source's rates by level were adjusted for. Age must be among them unless they are by age."""
    between: Literal["straight"] | None = None
    """For a source that prints only some levels: logarithms of the ratios straight in rank between them."""
    judged: Judged | None = None
    """Range of the rate of each level, where the source prints no uncertainty."""
    because: str | None = None
    """Why these ratios hold for this need and place."""


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
    local: list[LocalAdjustment] = []
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
        for used in self.prevalence.sources:
            if used.ages is not None:
                AgeBand.parse(used.ages)
        return self

    @property
    def group(self) -> str:
        """Whom the need is among; blank for everybody."""
        return self.population.group if self.population else ""

    @property
    def band(self) -> AgeBand:
        """Ages assessed."""
        return AgeBand.parse(self.ages)

    def with_sources(self, *sources: str) -> Model:
        """The same model resting on other sources: a study switch."""
        prevalence = self.prevalence.model_dump() | {"sources": list(sources)}
        if len(sources) == 1:
            prevalence["combine"] = "single"
        return Model.model_validate(self.model_dump() | {"prevalence": prevalence})

    def alone(self) -> list[Model]:
        """The same model resting on each of its sources alone: the scenarios of an envelope, in the order named."""
        prevalence = self.prevalence.model_dump() | {"combine": "single"}
        return [
            Model.model_validate(self.model_dump() | {"prevalence": prevalence | {"sources": [used.model_dump()]}})
            for used in self.prevalence.sources
        ]


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
