"""How a used source's rate is corrected in a model file: a test's errors, another case definition, people not reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from hna.evidence.record import Id, Proportion, Record

Said = Annotated[str, Field(min_length=3)]


class Share(Record):
    """A share and its sampling error: counted, printed with limits, or read from a validation study on the shelf."""

    cases: Annotated[int, Field(ge=0)] | None = None
    """People whom the test put right."""
    sample: Annotated[int, Field(gt=0)] | None = None
    """People examined: with the need for sensitivity, without it for specificity."""
    estimate: Proportion | None = None
    """As printed, a proportion."""
    lower: Proportion | None = None
    """Lower limit."""
    upper: Proportion | None = None
    """Upper limit."""
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of the limits, as a proportion."""
    source: Id | None = None
    """A crosswalk under data/crosswalks that counts the same people by both definitions (given: two-by-two)."""
    pair: str | None = None
    """Which of its rows; null: the only one."""

    @model_validator(mode="after")
    def _one_form(self) -> Share:
        counts, limits = (self.cases, self.sample), (self.estimate, self.lower, self.upper)
        given = [any(one is not None for one in form) for form in (counts, limits, (self.source,))]
        if sum(given) != 1 or (self.pair is not None and self.source is None):
            raise ValueError("give {cases, sample}, or {estimate, lower, upper}, or {source}")
        if (given[0] and None in counts) or (given[1] and None in limits):
            raise ValueError("a share needs both of cases and sample, or all of estimate, lower and upper")
        if self.cases is not None and self.sample is not None and self.cases > self.sample:
            raise ValueError("there are more cases than people examined")
        if self.estimate is not None and not (self.lower or 0.0) <= self.estimate <= (self.upper or 0.0):
            raise ValueError("lower ≤ estimate ≤ upper")
        return self


class Screening(Record):
    """The errors of a test by which a source found its cases: the rate is that of those who have the need."""

    sensitivity: Share
    """Share of people with the need whom the test finds."""
    specificity: Share
    """Share of people without the need whom the test passes."""
    to: Said
    """The case definition against which both were measured: what the corrected rate is of."""
    because: Said
    """Why they hold for the people of this source."""
    citation: Said | None = None
    """Where they were measured; required unless both are read from the shelf."""

    @model_validator(mode="after")
    def _cited(self) -> Screening:
        if self.citation is None and None in (self.sensitivity.source, self.specificity.source):
            raise ValueError('sensitivity and specificity need their source: write citation: "…"')
        return self


class CrosswalkUse(Record):
    """Matched pairs that carry a source's rate from its case definition to another."""

    source: Id
    """Pairs on the shelf, under data/crosswalks."""
    because: Said
    """Why the difference between the definitions holds for the people of this source."""
    same_definition: Said | None = None
    """Why the source's case definition is the pairs' alternative, though not in the same words."""
    between: Annotated[float, Field(ge=0, le=2)] | None = None
    """For fewer than three pairs, which cannot show it: how far the difference varies between settings, a judged standard
    deviation on the logit scale."""


class CommunalUse(Record):
    """People of communal establishments (care homes, prisons, halls), whom a study of households did not reach."""

    share: Annotated[list[Proportion], Field(min_length=2, max_length=2)]
    """Of the people of the rate's ages, how many live in one: least and most, as proportions."""
    relative: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)]
    """Their prevalence as a multiple of that of households: least and most."""
    left_out: bool = False
    """Leave them out all the same. Refused (R522) where they could be more of the need than `communal_left_out` allows."""
    because: Said
    """Why both hold for these ages and places."""
    citation: Said
    """Where they were printed."""

    @model_validator(mode="after")
    def _ranges(self) -> CommunalUse:
        if self.share[0] > self.share[1] or self.relative[0] > self.relative[1] or self.share[1] >= 1:
            raise ValueError("share and relative run from least to most, and some people live in households")
        return self
