"""Steps of a model file that carry a rate to a place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hna.evidence.record import Id, Record
from hna.model.spec_rate import LocalAdjustment, LogitSd


class Benchmark(Record):
    """A step that moves the rates of all places alike until the need of one area is a known total."""

    method: Literal["benchmark"]
    """The rates of a known total are kept, and the differences between places."""
    source: Id
    """A prevalence source whose rate is that of the area, or a complete count of people in need under data/known."""
    benchmark: Annotated[str, Field(min_length=1)]
    """Whose total it is: england, or the code of an area."""
    scale: Literal["odds", "proportional"] = "odds"
    """odds: the same shift of the logit everywhere, so that no rate leaves 0 to 1; proportional: the same factor."""
    population: Id | None = None
    """Who lived there. Null: the estimate nearest to the year of the total."""
    year: int | None = None
    """Year of the total. Null: the middle of the source's fieldwork, or the latest year of the count."""
    study: LogitSd | None = None
    """Error of the total beyond its printed interval. Null: by the source's risk of bias; nothing for a count (W421)."""
    survey: Id | None = None
    """Name of the survey that the total is read from, as `study` of a used source: one survey has one error. Null: its own."""
    same_definition: Annotated[str, Field(min_length=20)] | None = None
    """Why the total is of the need, where its condition, case definition or period is written in other words."""
    because: Annotated[str, Field(min_length=3)]
    """Why this total holds for this need and year."""


LocalStep = Annotated[LocalAdjustment | Benchmark, Field(discriminator="method")]
