"""How a model file makes rates that are found in each place: from a survey's answers there, or from counts there."""

from __future__ import annotations

from typing import Literal

from hna.evidence.record import Id, Record


class SurveyUse(Record):
    """A survey of people in places, from which every place gets a rate (multilevel regression and poststratification)."""

    sample: Id
    """A survey under data/surveys."""
    formula: str
    """As in `cases / sample ~ sex + rw(age) + deprivation + (1 | area)`; the columns are those of the survey and of the measures."""
    because: str
    """Why these terms, and why answers given in one place bear on another."""
    weighted: bool = True
    """Whether the survey's weights are used, where it has any."""
    measures: Id | None = None
    """Measures of whole areas that the formula names, under data/measures."""
    composition: Id | None = None
    """People of each area by deprivation or ethnicity, where the formula names one. Null: the only one by that factor."""
    population: Id | None = None
    """Whose people weigh areas together where a larger area is asked for. Null: the estimate that holds the survey's areas."""
    sampler: Literal["laplace", "nuts"] = "laplace"
    """Nested Laplace, or draws of a sampler that `hna fit` makes ahead."""


class MapUse(Record):
    """Counts of what happened in thirty areas or more, smoothed over the map (BYM2)."""

    known: Id
    """A known source of people: what is smoothed is a count, never an estimate."""
    population: Id
    """Who lived there."""
    year: int
    """Year of both."""
    because: str
    """Why the count is of the need, and why places that border each other are alike in it."""
    borders: Id | None = None
    """Pairs of areas that border each other: a lookup under data/areas whose name ends in -borders. Null: by their outlines."""
    measures: Id | None = None
    """Measures of whole areas that rates go with, under data/measures."""
    covariates: list[str] = []
    """Its columns that are used, all numbers."""
    sampler: Literal["laplace", "nuts"] = "laplace"
    """Nested Laplace, or draws of a sampler that `hna fit` makes ahead."""
