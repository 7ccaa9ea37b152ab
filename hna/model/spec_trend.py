"""How a model file says that a rate may change: a scenario beside the constant rate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hna.evidence.record import Id, Record


class Trend(Record):
    """A rate that changes by one factor a year: a whole run beside that of the constant rate, never part of its interval."""

    sources: Annotated[list[Id], Field(min_length=2, max_length=2)] | None = None
    """The earlier and the later survey of one series: the change between them, in odds."""
    yearly: Annotated[float, Field(gt=-0.5, lt=0.5)] | None = None
    """Or a change that was printed, relative, a year: -0.012 for 1.2 % fewer."""
    of: Literal["rate", "odds"] = "rate"
    """What a printed change is of."""
    citation: Annotated[str, Field(min_length=10)] | None = None
    """Where a printed change was printed."""
    since: Annotated[int, Field(ge=1900, le=2200)] | None = None
    """Year from whose middle the change runs. Null: the middle of the fieldwork of the rate's own source, or the year of the
    known total that it is brought to."""
    because: Annotated[str, Field(min_length=3)]
    """Why the change may go on."""

    @model_validator(mode="after")
    def _one_origin(self) -> Trend:
        if (self.sources is None) == (self.yearly is None):
            raise ValueError("a trend has sources (two surveys) or yearly (a printed change), one of them")
        if self.yearly is not None and not self.citation:
            raise ValueError("a printed change needs its citation")
        if self.sources is not None and (self.citation or self.of != "rate"):
            raise ValueError("between two surveys the change is of odds and cited by them: leave out of and citation")
        return self
