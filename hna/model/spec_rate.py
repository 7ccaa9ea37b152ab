"""How a model file makes a rate: its sources, how they are combined, and how the rate is carried to a place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from hna.evidence.record import Id, Record
from hna.model.spec_correction import CommunalUse, CrosswalkUse, Screening
from hna.model.spec_places import MapUse, SurveyUse
from hna.model.spec_trend import Trend

ERROR_TERMS = ("study", "transport", "staleness")
POOLED = ("random-effects", "hierarchical-by-age")
USED_BY: dict[str, tuple[str, ...]] = {
    "survey": ("survey",),
    "map": ("map",),
    "multiplier": ("multiplier",),
    "lists": ("capture-recapture",),
    "pool": (*POOLED, "mixture"),
}
"""Fields that only some ways of combining use."""

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
    """Lower and upper limit as multiples of the estimate, read as a 95 % interval shared by all cells; where a
    curve by age is pooled, each band has its own."""
    because: str
    """Who judged, and on what."""

    @model_validator(mode="after")
    def _around_one(self) -> Judged:
        if not 0 < self.relative[0] < 1 < self.relative[1]:
            raise ValueError("a judged range runs from below 1 to above 1, such as [0.8, 1.25]")
        return self


class Pattern(Record):
    """What divides one rate among ages."""

    source: Id
    """A source of the same need with rates by age: only their shape is used, not their level."""
    because: Annotated[str, Field(min_length=20)]
    """Why that shape holds for the source's rate."""


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
    pattern: Pattern | None = None
    """Where it is one rate for many ages: the source whose shape by age divides it, the rate over England's people kept."""
    screening: Screening | None = None
    """Where its cases are those who test positive: the test's errors, for which the rate is corrected."""
    crosswalk: CrosswalkUse | None = None
    """Matched pairs that carry its rate to another case definition; after `screening`, where both are given."""
    communal: CommunalUse | None = None
    """Where it is of households: people of communal establishments, with a rate of their own; after the others."""

    @property
    def corrected_by(self) -> tuple[str, ...]:
        """Crosswalks on the shelf that its corrections are read from."""
        shares = (self.screening.sensitivity, self.screening.specificity) if self.screening else ()
        named = [one.source for one in (*shares, self.crosswalk) if one is not None and one.source is not None]
        return tuple(dict.fromkeys(named))


class Pooling(Record):
    """What several studies need to be pooled."""

    same_definition: str | None = None
    """Why the sources' case definitions are of one class, though not in the same words."""
    monotone: bool = False
    """Under hierarchical-by-age: keep only curves that rise, or only fall, with age."""
    sampler: Literal["laplace", "nuts"] = "laplace"
    """Under hierarchical-by-age: nested Laplace, or draws of a sampler that `hna fit` makes ahead."""


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


class Lists(Record):
    """Overlapping lists of people, from which those on none of them are estimated."""

    known: Id
    """A known source whose column `service` names the lists that people are on, and no others, joined by +."""
    population: Id
    """Who lived there."""
    area: str
    """Code of the area of both."""
    year: int
    """Year of both."""
    because: str
    """Why the lists are of one definition, place and period, matched without error, in a closed population."""
    validated: str | None = None
    """Evidence from outside that bears the number out, with its citation. Null: W621."""


def _used(value: object) -> object:
    return {"source": value} if isinstance(value, str) else value


class Prevalence(Record):
    """How a rate is made from sources."""

    combine: Literal[
        "single", "mixture", "random-effects", "hierarchical-by-age", "envelope", "multiplier", "capture-recapture",
        "survey", "map",
    ] = "single"  # fmt: skip
    """single: one source an age; mixture: two or more, weighted equally, each alone beside; random-effects: three or more, pooled;
    hierarchical-by-age: two or more of any bands, pooled to a curve; envelope: each alone; multiplier: people known over
    the share of all that they are; capture-recapture: people on overlapping lists and on none; survey: answers of people in
    places, for every place; map: counts of places, smoothed over the map."""
    sources: list[Annotated[UsedSource, BeforeValidator(_used)]]
    """Sources on the shelf; several under `single` must cover different ages. None under capture-recapture, survey and map."""
    beside: list[Annotated[UsedSource, BeforeValidator(_used)]] = []
    """Sources that are whole runs beside these, never combined with them: another definition, or what services record."""
    multiplier: Multiplier | None = None
    """Under multiplier: the count and whom it was made among; the one source is the share known."""
    lists: Lists | None = None
    """Under capture-recapture: the lists and whom they were made among."""
    survey: SurveyUse | None = None
    """Under survey: the answers, and the formula."""
    map: MapUse | None = None
    """Under map: the counts, who lives there, and who borders whom."""
    pool: Pooling | None = None
    """Under random-effects, hierarchical-by-age and mixture: why sources that describe cases differently are of one class."""
    errors: ErrorTerms = ErrorTerms()
    """Errors beyond sampling."""
    ages: Literal["step", "graduate"] = "step"
    """Rates constant within a band, or smoothed by age keeping every band's total."""
    judged: Judged | None = None
    """Range for a source that prints no uncertainty."""
    severity: Id | None = None
    """A proportion-of-cases source that splits cases into strata."""
    trend: Trend | None = None
    """How the rate may change from year to year: a scenario beside the constant rate."""

    @field_validator("sources")
    @classmethod
    def _rests_on_something(cls, sources: list[UsedSource], others: ValidationInfo) -> list[UsedSource]:
        if not sources and others.data.get("combine") not in ("capture-recapture", "survey", "map"):
            raise ValueError("name one source or more")
        return sources

    @model_validator(mode="after")
    def _found_as_said(self) -> Prevalence:
        for name, ways in USED_BY.items():
            if getattr(self, name) is not None and self.combine not in ways:
                raise ValueError(f"{name} would not be used: write combine: {' or '.join(ways)}, or leave it out")
        by_age = self.pool is not None and (self.pool.monotone or self.pool.sampler != "laplace")
        if by_age and self.combine != "hierarchical-by-age":
            raise ValueError(
                "pool.monotone and pool.sampler would not be used: write combine: hierarchical-by-age, or leave them out"
            )
        if self.severity and self.combine in ("multiplier", "capture-recapture"):
            raise ValueError(f"severity would not be used under combine: {self.combine}: leave it out")
        return self

    @property
    def named(self) -> list[UsedSource]:
        """Every source of a rate: those it is made from, and those beside it."""
        return [*self.sources, *self.beside]


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
