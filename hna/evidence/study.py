"""How a figure was found, how far it may be biased, and how well it fits an English authority today."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hna.evidence.record import Proportion, Record


class Uncertainty(Record):
    """What the source prints about its own sampling error."""

    given: Literal["interval", "counts", "standard-error", "sample-size", "none"]
    """Which columns of table.csv carry it."""
    level: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """Level of a printed interval, as a proportion."""

    @model_validator(mode="after")
    def _interval_has_level(self) -> Uncertainty:
        if self.given == "interval" and self.level is None:
            raise ValueError("an interval needs its level, such as level: 0.95")
        return self


class Severity(Record):
    """How the source divides cases."""

    kind: Literal["exclusive", "cumulative", "overlapping"]
    """Exclusive strata add up; cumulative ones nest (at least mild, at least moderate); overlapping ones never add up."""
    strata: Annotated[list[str], Field(min_length=1)]
    """Names in order, mildest first where they are ordered; the values of the table's severity column."""


class Study(Record):
    """How the figure was found."""

    design: str | None
    """survey, cohort, register, admin, consensus, model or review."""
    frame: Literal["household", "institution", "both", "registered_patients", "school_roll", "other"] | None
    """Whom the sampling frame could reach."""
    fieldwork: Annotated[list[int], Field(min_length=2, max_length=2)] | None
    """First and last year of fieldwork."""
    geography: str | None
    """Where."""
    sample_size: Annotated[int, Field(gt=0)] | None
    """People examined."""
    response_rate: Proportion | None
    """Share of those invited who took part."""
    exclusions: str | None
    """Who was left out."""

    @model_validator(mode="after")
    def _years_in_order(self) -> Study:
        if self.fieldwork and self.fieldwork[0] > self.fieldwork[1]:
            raise ValueError("fieldwork runs from the earlier year to the later")
        return self

    @property
    def mid_fieldwork(self) -> float | None:
        """Middle of the fieldwork, in years."""
        return None if self.fieldwork is None else sum(self.fieldwork) / 2 + 0.5


class Appraisal(Record):
    """How far the study may be biased."""

    tool: str | None
    """Checklist used, such as hoy-2012 or jbi-prevalence."""
    overall: Literal["low", "moderate", "high"] | None
    """Overall risk of bias."""
    notes: str | None
    """What was weak, item by item."""


class Fit(Record):
    """How well a study fits the use made of it in one respect, with the reason."""

    score: Annotated[int, Field(ge=1, le=5)]
    """1 hardly at all, 2 poorly, 3 fairly, 4 well, 5 fully."""
    because: Annotated[str, Field(min_length=3)]
    """Why."""


class Applicability(Record):
    """Whether a finding may be carried to an English authority today, judged in five respects."""

    population: Fit
    """The people studied, beside the people it is used for."""
    setting: Fit
    """Where people were reached: households, schools, institutions, registers."""
    time: Fit
    """How long ago."""
    definition: Fit
    """Whether a case found by the study is a person with the need."""
    service: Fit
    """Whether services then and there were like those now and here, where cases depend on them."""

    def poor(self, most: float) -> dict[str, Fit]:
        """Respects in which the study fits poorly, with a score of `most` or less: they are flagged W161."""
        held = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: fit for name, fit in held.items() if fit.score <= most}
