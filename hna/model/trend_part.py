"""A trend in a model file: what it makes of a rate in any year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import Fault, ModelError
from hna.evidence.prevalence import read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import AgeBand
from hna.model.defaults import Defaults
from hna.model.local_steps import Benchmarked, Carried
from hna.model.places import Places
from hna.model.projection import trend
from hna.model.rate_trend import YearlyChange, yearly_change
from hna.model.rates_parts import Part, reference
from hna.model.spec import Model
from hna.model.strata import Layers, layers_of

Array = NDArray[np.float64]

NAME = "trend"
_FIELD = "prevalence.trend"
_MIDDLE = 0.5
_EXACT = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class RateTrend:
    """A constant relative change a year.

    Parameters
    ----------
    yearly : relative change a year: −0.012 for 1.2 % fewer.
    lower, upper : its limits, NaN where none are printed.
    of : rate or odds.
    since : shape (age,), the year (with its fraction) from which the change runs, by the rate's own ages.
    note : in words, with its source.
    cited : surveys it was found between.
    """

    yearly: float
    lower: float
    upper: float
    of: str
    since: Array
    note: str
    cited: tuple[PrevalenceSource, ...] = ()

    def moved(self, rates: Array, year: int, layers: int) -> Array:
        """Rates in the middle of a year, shape (severity, sex, age) and perhaps draws.

        Parameters
        ----------
        layers : how many of the severities come before exclusive strata, whose shares of the first stay as they are.

        Raises
        ------
        ModelError
            R414 if a change of the rate takes it above one.
        """
        ahead = (year + _MIDDLE - self.since).reshape(-1, *([1] * (rates.ndim - 3)))
        top = rates[:layers]
        found: Array = (
            trend(top, self.yearly, ahead) if self.of == "odds" else np.asarray(top * (1 + self.yearly) ** ahead)
        )
        if (found >= 1).any():
            what = f"a change of {self.yearly:+.1%} a year takes a rate above one in {year}"
            raise ModelError(Fault(what, "Write of: odds", field=f"{_FIELD}.of", code="R414"))
        return found if len(rates) == layers else np.concatenate([found, found[:1] * rates[layers:] / rates[:1]])

    @property
    def words(self) -> str:
        """The change, as in a sentence."""
        return _words(self.of, self.yearly)


def trend_part(
    model: Model,
    shelf: Shelf,
    groups: Sequence[tuple[Part, ...]],
    local: Carried | Places | None,
    draws: int,
    seed: int,
    defaults: Defaults,
) -> RateTrend:
    """The trend that a model names.

    A rate that is brought to a known total changes from the year of the total on: what came before is in the total.

    Parameters
    ----------
    groups : parts of the rate, whose fieldwork it changes from.
    local : what carries the rate to places.

    Raises
    ------
    ModelError
        R301 across a break in method; R302 where surveys or the rate have no dates to count years from; R411 for a change
        that runs from another year than that of a known total.
    """
    step = model.prevalence.trend
    if step is None:
        raise ModelError(Fault("there is no trend", "Write one", field=_FIELD))
    since = _since(_from_total(step.since, local), groups)
    cited: tuple[PrevalenceSource, ...] = ()
    when = f"from {since.min():.0f}" if np.ptp(since) == 0 else f"from {since.min():.0f} to {since.max():.0f}, by age"
    if step.yearly is not None:
        said = f"as printed ({step.citation})"
        change = YearlyChange(step.yearly, np.nan, np.nan, ("", ""))
    else:
        first, later = step.sources or ("", "")
        tables = [read_prevalence(shelf, name) for name in (first, later)]
        _same_condition([table.source for table in tables], groups)
        span = _shared([table.span for table in tables], model.band)
        made = [_log_odds(shelf, name, model, span, draws, seed, defaults) for name in (first, later)]
        change = yearly_change([table.source for table in tables], [one[0] for one in made], [one[1] for one in made])
        cited = tuple(table.source for table in tables)
        said = f"the change among people aged {span.label} between {first} and {later}"
    limits = (
        "printed without its error"
        if np.isnan(change.lower)
        else f"95% interval {_signed(change.lower)} to {_signed(change.upper)}, which this run does not hold"
    )
    of = step.of if step.yearly is not None else "odds"
    note = f"a scenario, in no interval: {_words(of, change.yearly)} {when}, {said}, {limits}. {step.because}"
    return RateTrend(change.yearly, change.lower, change.upper, of, since, note, cited)


def _from_total(since: int | None, local: Carried | Places | None) -> int | None:
    """The year from which a change runs: that of a known total, where the rate is brought to one."""
    if not isinstance(local, Benchmarked):
        return since
    held = local.total.year
    if since not in (None, held):
        what = f"a change from {since} on would move the total of {held} that the rates are brought to"
        remedy = f"Leave since out, or write {held}: the change up to then is in the total"
        raise ModelError(Fault(what, remedy, field=f"{_FIELD}.since", code="R411"))
    return held


def _signed(change: float) -> str:
    return f"{'−' if change < 0 else '+'}{abs(change):.1%}"


def _words(of: str, yearly: float) -> str:
    way = ("fall" if yearly < 0 else "rise") + ("s" if of == "rate" else "")
    return f"the {of} {way} by {abs(100 * yearly):.1f}% a year"


def _since(year: int | None, groups: Sequence[tuple[Part, ...]]) -> Array:
    """From when the change runs, shape (age,)."""
    found = []
    for group in groups:
        parts = [study for part in group for study in part.members or (part,)]
        dates = [part.studied for part in parts if part.studied is not None]
        if year is None and len(dates) < len(parts):
            remedy = "Write the year from which the change runs under since"
            raise ModelError(Fault("a source of the rate has no date", remedy, field=_FIELD, code="R302"))
        middle = year + _MIDDLE if year is not None else float(np.mean(dates))
        found.append(np.full(len(group[0].layers.ages.bands), middle))
    return np.concatenate(found)


def _same_condition(sources: Sequence[PrevalenceSource], groups: Sequence[tuple[Part, ...]]) -> None:
    ours = groups[0][0].source.condition
    rows = [f"{source.id}: {source.condition}" for source in sources if source.condition != ours]
    if rows:
        remedy = "Name surveys of the same condition"
        what = f"the change is of something else than the need ({ours})"
        raise ModelError(Fault(what, remedy, field=_FIELD, rows=rows, code="R301"))


def _shared(spans: Sequence[AgeBand], wanted: AgeBand) -> AgeBand:
    """Ages that both surveys and the model have."""
    low, end = max(one.low for one in (*spans, wanted)), min(one.end for one in (*spans, wanted))
    if low >= end:
        rows = [one.label for one in (*spans, wanted)]
        remedy = "Name surveys of the same ages, among those assessed"
        raise ModelError(Fault("the surveys and the model share no ages", remedy, field=_FIELD, rows=rows, code="R302"))
    return AgeBand(low, None if np.isinf(end) else int(end) - 1)


def _log_odds(
    shelf: Shelf, name: str, model: Model, span: AgeBand, draws: int, seed: int, defaults: Defaults
) -> tuple[float, float]:
    """Logit of a survey's rate among England's people of some ages, and its standard error (NaN where none is printed)."""
    table = read_prevalence(shelf, name)
    bare = table.source.uncertainty.given == "none"
    layers = layers_of(table, span, model.sex, draws, seed, defaults.design_effect, _EXACT if bare else None)
    weights = _weights(shelf, layers, model.sex)
    mean = float((layers.mean[0] * weights).sum())
    drawn = (layers.draws[0] * weights[..., None]).sum(axis=(0, 1))
    return float(logit(mean)), float("nan") if bare else float(logit(drawn).std())


def _weights(shelf: Shelf, layers: Layers, sex: str) -> Array:
    """Shares of England's people, shape (sex, age)."""
    if layers.mean[0].size == 1:
        return np.ones(layers.mean[0].shape)
    held = (sex,) if layers.sexes == ("persons",) else layers.sexes
    people = reference(shelf).on(held, layers.ages).people[0, -1]
    found: Array = people / people.sum()
    return found
