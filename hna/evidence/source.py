"""The record of one published table: who found what, among whom, and how it was read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from hna.errors import Fault, SourceError
from hna.evidence.citation import Citation, ReadFrom
from hna.evidence.record import Date, Id, Record, faults_of
from hna.evidence.study import Applicability, Appraisal, Severity, Study, Uncertainty
from hna.evidence.yaml_file import read_yaml

_PERIOD = r"^(point|lifetime|proportion-of-cases|period-[1-9]\d*)$"
_COUNT_KIND = r"^(people-point|people-period-[1-9]\d*|episodes|referrals)$"


class Disclosure(Record):
    """How the publisher hid or rounded counts."""

    suppressed: str | None
    """Mark printed in place of a small count."""
    range: Annotated[list[int], Field(min_length=2, max_length=2)] | None
    """Smallest and largest count that the mark may stand for."""
    rounded_to: Annotated[int, Field(gt=1)] | None
    """Base to which other counts were rounded."""

    @model_validator(mode="after")
    def _mark_has_range(self) -> Disclosure:
        if (self.suppressed is None) != (self.range is None):
            raise ValueError("a suppression mark and its range are given together")
        if self.range and not 0 <= self.range[0] <= self.range[1]:
            raise ValueError("the range of a suppressed count runs from its smallest to its largest value")
        return self


class _Source(Record):
    id: Id
    """Same as the folder's name."""
    citation: Citation
    """Where the figures were printed; without one nothing is loaded."""
    read_from: ReadFrom
    """What was read to make the table."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Fingerprint of the table; `hna check --fix-fingerprints` writes it."""
    title: str | None = None
    """Short name for people."""
    notes: str | None = None
    """What a reader must know."""
    corrections: list[str] | None = None
    """What was changed from the printed figure, and why."""

    @property
    def label(self) -> str:
        """Its title, or else its identifier."""
        return self.title or self.id

    @property
    def words(self) -> str:
        """The reference, as a reader would find it."""
        cited = self.citation
        found = f"doi {cited.doi}" if cited.doi else cited.url
        return f"{self.cited_as} {found}." if found else self.cited_as

    @property
    def cited_as(self) -> str:
        """The reference without its DOI or address, for where a link stands beside it."""
        cited = self.citation
        year = f"({cited.year})" if cited.year else None
        parts = [
            part.rstrip(".") for part in (cited.authors, year, cited.title, cited.container, cited.locator) if part
        ]
        return " ".join(part if part.endswith(("?", "!")) else f"{part}." for part in parts)


class PrevalenceSource(_Source):
    """A published table of prevalence."""

    kind: Literal["prevalence"]
    """What the table holds."""
    condition: str
    """The need, in the field's words."""
    case_definition: str
    """Instrument and threshold that make a case."""
    measure: Annotated[str, Field(pattern=_PERIOD)]
    """point, period-<months>, lifetime, or proportion-of-cases (a split of cases by severity)."""
    unit: Literal["percent", "per-1000", "proportion"]
    """How table.csv is written."""
    decimals: Annotated[int, Field(ge=0, le=9)]
    """Decimals printed, in that unit."""
    uncertainty: Uncertainty
    """What the source prints about its sampling error."""
    severity: Severity | None
    """How cases are divided, or null."""
    study: Study
    """How the figure was found."""
    appraisal: Appraisal
    """How far it may be biased."""
    design_effect: Annotated[float, Field(ge=1)] | None = None
    """Variance relative to a simple random sample of the same size."""
    applicability: Applicability | None = None
    """Population, setting, time, definition, service system: 1 to 5, each with its reason."""
    unused: str | None = None
    """Why no shipped model uses this source."""

    @property
    def scale(self) -> float:
        """Divisor from the table's unit to a proportion."""
        return {"percent": 100.0, "per-1000": 1000.0, "proportion": 1.0}[self.unit]


class PopulationSource(_Source):
    """People living, or registered, in places."""

    kind: Literal["population"]
    """What the table holds."""
    base: Literal["resident", "registered", "household", "school-roll"]
    """Who is counted."""
    basis: Literal["estimate", "projection", "census"]
    """How the count came about."""
    variant: Annotated[str, Field(min_length=3)] | None = None
    """Of a projection that is not the principal one, what it assumes: it is used only where it is named, and is no limit."""
    group: Annotated[str, Field(min_length=3)] | None = None
    """Whom it counts, where not everybody there: those in a setting or with an experience, such as people in prison."""

    @model_validator(mode="after")
    def _of_a_projection(self) -> PopulationSource:
        if self.variant is not None and self.basis != "projection":
            raise ValueError("a variant is of a projection")
        return self


class KnownSource(_Source):
    """People known to a service."""

    kind: Literal["known"]
    """What the table holds."""
    service: str
    """The service or register."""
    condition: str
    """What it records."""
    case_definition: str
    """Codes or rule by which a person enters the record."""
    count_kind: Annotated[str, Field(pattern=_COUNT_KIND)]
    """people-point, people-period-<months>, episodes or referrals."""
    base: Literal["resident", "registered", "household", "school-roll"]
    """Who could be counted."""
    reference_date: Date
    """Day of the count, or last day of the period."""
    disclosure: Disclosure | None
    """How small counts were hidden or rounded, or null."""
    duplicates: str | None
    """Whether one person may be counted twice."""
    covers: str | None
    """Share of services or people that the record reaches."""

    @property
    def months(self) -> int:
        """Length of the period counted; 0 for people on a day, and for what is no count of people."""
        return int(self.count_kind.rpartition("-")[2]) if self.count_kind.startswith("people-period") else 0


class ErrorSource(_Source):
    """How far numbers of people have been out when they were checked."""

    kind: Literal["population-error"]
    """What the table holds."""
    of: Annotated[list[Id], Field(min_length=1)]
    """Populations that it speaks of, by id."""


class AreasSource(_Source):
    """Areas and the areas they lie in, or groups of areas."""

    kind: Literal["areas"]
    """What the table holds."""


class Within(Record):
    """A second factor by which the people of each level are divided."""

    factor: Literal["deprivation", "ethnicity"]
    """The name of the table's column."""
    levels: Annotated[list[str], Field(min_length=2)]
    """Values of that column in order; the most deprived first."""


class CompositionSource(_Source):
    """People of places divided by the levels of a factor, such as fifths of deprivation or ethnic groups."""

    kind: Literal["composition"]
    """What the table holds."""
    factor: Literal["deprivation", "ethnicity"]
    """What people are divided by; the name of the table's column."""
    levels: Annotated[list[str], Field(min_length=2)]
    """Values of that column in order; the most deprived first."""
    base: Literal["resident", "registered", "household", "school-roll"]
    """Who is counted."""
    within: Within | None = None
    """A second factor: the table then has both columns, and divides people by both together."""
    small_areas: Id | None = None
    """A lookup on the shelf whose parents end in `-D<level>`: each of its small areas is of one level throughout."""

    @model_validator(mode="after")
    def _distinct(self) -> CompositionSource:
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("levels are named once each")
        if self.within is not None and (self.within.factor == self.factor or self.small_areas is not None):
            raise ValueError("within names another factor, and goes without small_areas")
        return self

    @property
    def factors(self) -> tuple[str, ...]:
        """What people are divided by, in the order in which levels are counted through."""
        return (self.factor,) if self.within is None else (self.factor, self.within.factor)

    def levels_of(self, factor: str) -> list[str]:
        """The levels of one of them."""
        return self.within.levels if self.within is not None and self.within.factor == factor else self.levels


class Definition(Record):
    """How people who have the need are told from those who have not."""

    case_definition: str
    """Instrument and threshold that make a case."""
    measure: Annotated[str, Field(pattern=_PERIOD)]
    """point, period-<months>, lifetime, or proportion-of-cases."""


class CrosswalkSource(_Source):
    """Prevalence by two case definitions, measured in pairs: what carries a rate from one to the other."""

    kind: Literal["crosswalk"]
    """What the table holds."""
    condition: str
    """The need, in the field's words."""
    alternative: Definition
    """The definition that rates are carried from, such as a screening test or a year's recall."""
    reference: Definition
    """The definition that they are carried to."""
    matched: Literal["people", "population", "studies"]
    """Who is in a pair: the same people by both; people of one population and time; or people of different studies, whose
    difference is also that of the studies (W321)."""
    given: Literal["two-by-two", "counts", "interval", "standard-error"]
    """Which columns of table.csv carry the pairs and their sampling errors."""
    level: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """Level of printed intervals, as a proportion."""
    unit: Literal["percent", "per-1000", "proportion"] = "proportion"
    """How prevalences in table.csv are written, where it holds no counts."""

    @model_validator(mode="after")
    def _fits_together(self) -> CrosswalkSource:
        if self.given == "interval" and self.level is None:
            raise ValueError("an interval needs its level, such as level: 0.95")
        if self.given == "two-by-two" and self.matched != "people":
            raise ValueError("a two-by-two table is of the same people: write matched: people")
        return self


class FlowsSource(_Source):
    """Where the patients of each practice, or the people on any register, live."""

    kind: Literal["flows"]
    """What the table holds."""
    base: Literal["registered", "school-roll"] = "registered"
    """Who is counted: those on a practice's list, or on a school's roll."""
    reference_date: Date
    """Day of the count."""


class SurveySource(_Source):
    """Answers of people in places, one row a person or a cell, from which rates for every place are made."""

    kind: Literal["survey"]
    """What the table holds."""
    condition: str
    """The need, in the field's words."""
    case_definition: str
    """Answers and threshold that make a case."""
    measure: Annotated[str, Field(pattern=r"^(point|lifetime|period-[1-9]\d*)$")]
    """point, period-<months> or lifetime."""
    study: Study
    """How people were chosen and asked."""
    appraisal: Appraisal
    """How far it may be biased."""
    weights: str | None = None
    """What the column `weight` makes up for; required where there is one."""
    deprivation_levels: Annotated[int, Field(ge=2, le=20)] | None = None
    """How many levels the column `deprivation` numbers, from 1, the most deprived; required where there is one."""
    columns: dict[str, str] = {}
    """Further columns of the table, such as strata or a region, and what each is."""
    applicability: Applicability | None = None
    """Population, setting, time, definition, service system: 1 to 5, each with its reason."""
    unused: str | None = None
    """Why no model uses this survey."""


class MeasuresSource(_Source):
    """What is known of whole areas, such as a share of households without a car, one row an area."""

    kind: Literal["measures"]
    """What the table holds."""
    columns: Annotated[dict[str, str], Field(min_length=1)]
    """Columns of the table beside area_code and area_name, and what each is."""


Source = (
    PrevalenceSource
    | PopulationSource
    | KnownSource
    | AreasSource
    | CompositionSource
    | CrosswalkSource
    | FlowsSource
    | ErrorSource
    | SurveySource
    | MeasuresSource
)
KINDS: dict[str, type[Source]] = {
    "prevalence": PrevalenceSource,
    "population": PopulationSource,
    "population-error": ErrorSource,
    "known": KnownSource,
    "areas": AreasSource,
    "composition": CompositionSource,
    "crosswalk": CrosswalkSource,
    "flows": FlowsSource,
    "survey": SurveySource,
    "measures": MeasuresSource,
}


def read_record(path: Path) -> Source:
    """The record in a ``source.yaml``.

    Raises
    ------
    SourceError
        Names every fault of the file at once.
    """
    fields, lines = read_yaml(path)
    kind = fields.get("kind")
    if kind not in KINDS:
        raise SourceError(
            Fault(
                f"kind is {kind!r}" if kind is not None else "required field is missing",
                f"Write one of {', '.join(KINDS)}",
                file=str(path),
                field="kind",
            )
        )
    try:
        record = KINDS[kind].model_validate(fields)
    except ValidationError as error:
        raise SourceError(faults_of(error, str(path), lines)) from None
    if record.id != path.parent.name:
        raise SourceError(
            Fault(
                f"id is {record.id!r} in a folder named {path.parent.name!r}",
                "Give the folder and the id the same name",
                file=str(path),
                field="id",
            )
        )
    return record


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
