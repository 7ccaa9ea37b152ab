"""Directly and indirectly standardised rates.

Groups (age bands, or age by sex) lie on the last axis; leading axes broadcast.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammainccinv, gammaincinv

from hna.errors import Fault
from hna.indicators.checks import (
    events_in_nobody,
    nonnegative,
    note,
    one_of,
    positive,
    same_groups,
    settle,
    tail,
    together,
)
from hna.indicators.interval import FlaggedInterval, FloatArray, Interval, join_flags
from hna.indicators.rates import byar_limits, poisson_limits

__all__ = ["Interval", "direct", "event_variance", "indirect", "indirect_rate"]

FEW_EVENTS = "below-10-events"
EMPTY_GROUP = "empty-group"
NOT_INDEPENDENT = "W811"
ONLY_WITH_REFERENCE = "W812"
_BLOCK = 65_536


def direct(
    events: npt.ArrayLike,
    population: npt.ArrayLike,
    weights: npt.ArrayLike,
    per: float = 100_000,
    level: float = 0.95,
    *,
    variance: npt.ArrayLike | None = None,
    independent: bool = True,
    minimum_events: float = 10,
    method: str = "dobson",
) -> FlaggedInterval:
    """Return directly standardised rates with Dobson's interval around Byar's limits of the total count.

    In words: the rate the standard population would have, were each of its groups to have the group's rate here,
    DSR = Σ w O/n ÷ Σ w, with variance V = Σ w² var(O)/n² ÷ (Σ w)². The limits move Byar's limits of the total
    number of events O onto the scale of the rate: DSR + √(V / var(O)) (Byar − O), var(O) being O.

    Parameters
    ----------
    events : number of events, shape (..., group).
    population : people, or person-years, shape (..., group).
    weights : the standard population, shape (group,) or (..., group).
    per : unit of the result.
    level : confidence level, strictly between 0 and 1.
    variance : variance of the events of each group, shape (..., group), where one person can have several
        (see `event_variance`). Left out, events are Poisson: the variance is the number of events.
    independent : say False where one person can have several events; without ``variance`` the result is then
        flagged W811, for its interval is too narrow.
    minimum_events : under this total the rate is withheld.
    method : ``dobson``, or ``fay-feuer`` for the gamma interval, wider, which keeps its level where the age structure
        is very unlike the standard: the quantiles of gamma distributions with the mean and variance of the rate below,
        and those plus one event in the group of greatest weight above.

    Returns
    -------
    FlaggedInterval
        Shape (...); unit events per ``per``. Under ``minimum_events`` all three are NaN and the flag is
        ``below-10-events``. A group in which nobody lives and nothing happened adds nothing to the rate; the flag is
        ``empty-group``.

    Raises
    ------
    QuantityError
        If a number is missing or negative, a group has events and nobody in it, or the groups are not those of the
        standard.

    References
    ----------
    Dobson AJ, Kuulasmaa K, Eberle E, Scherer J (1991). Confidence intervals for weighted sums of Poisson parameters.
    Statistics in Medicine 10:457-462. doi:10.1002/sim.4780100317

    Fay MP, Feuer EJ (1997). Confidence intervals for directly standardized rates: a method based on the gamma
    distribution. Statistics in Medicine 16:791-801.
    doi:10.1002/(SICI)1097-0258(19970415)16:7<791::AID-SIM500>3.0.CO;2-#

    Morris JK, Tan J, Fryers P, Bestwick J (2018). Evaluation of stability of directly standardized rates for sparse
    data using simulation methods. Population Health Metrics 16:19. doi:10.1186/s12963-018-0177-1
    """
    tail(level)
    one_of("method", method, ("dobson", "fay-feuer"))
    faults: list[Fault] = []
    happened = nonnegative("events", events, faults)
    people = nonnegative("population", population, faults)
    standard = nonnegative("weights", weights, faults)
    spread = None if variance is None else nonnegative("variance", variance, faults)
    same_groups("weights", events=happened, population=people, weights=standard)
    if spread is not None:
        same_groups("weights", weights=standard, variance=spread, events=happened, population=people)
    events_in_nobody(happened, people, faults)
    whole = standard.sum(axis=-1, keepdims=True)
    note(faults, "weights", whole <= 0, "sum to 0", "Give the standard population, one number a group.")
    settle(faults)
    share = standard / whole
    rate, uncertain, heaviest = _by_blocks(share, people, happened, happened if spread is None else spread, method)
    # Sums and not matrix products throughout: on a busy machine the threads of the latter wait for each other.
    total = np.broadcast_to(np.einsum("...g->...", happened), rate.shape)
    few = total < minimum_events
    if method == "dobson":
        safe = np.where(few, 1.0, total)
        lower, upper = byar_limits(safe, level)
        scale = np.sqrt(uncertain / safe)
        lower, upper = rate + scale * (lower - total), rate + scale * (upper - total)
    else:
        lower, upper = _gamma_limits(rate, uncertain, heaviest, level)
    withheld = np.where(few, np.nan, per)
    flags = [(FEW_EVENTS, few)]
    if not people.min(initial=1.0) > 0:
        flags.append((EMPTY_GROUP, (people == 0).any(axis=-1)))
    if not independent and spread is None:
        flags.append((NOT_INDEPENDENT, np.asarray(True)))
    return FlaggedInterval(
        rate * withheld,
        lower * withheld,
        upper * withheld,
        join_flags(rate.shape, *flags),
    )


def _by_blocks(
    share: FloatArray, people: FloatArray, happened: FloatArray, spread: FloatArray, method: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what `_sums` does, taking a table of many areas in blocks that stay in the processor's cache."""
    if not (share.ndim == 1 and people.ndim > 1 and people.shape == happened.shape == spread.shape):
        return _sums(share, people, happened, spread, method)
    step = max(1, _BLOCK * len(people) // max(people.size, 1))
    parts = [
        _sums(share, people[first : first + step], happened[first : first + step], spread[first : first + step], method)
        for first in range(0, max(len(people), 1), step)
    ]
    rate, uncertain, heaviest = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rate, uncertain, heaviest


def _sums(
    share: FloatArray, people: FloatArray, happened: FloatArray, spread: FloatArray, method: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the rate, its variance, and the greatest weight one event can carry (0 where it is not asked for)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # One division serves all three: the weight that one event in the group carries.
        unit = share / people
    if not people.min(initial=1.0) > 0:
        unit[np.broadcast_to(people == 0, unit.shape)] = 0.0
    rate = np.asarray(np.einsum("...g,...g->...", unit, happened))
    heaviest = unit.max(axis=-1) if method == "fay-feuer" else np.zeros_like(rate)
    np.multiply(unit, unit, out=unit)
    return rate, np.asarray(np.einsum("...g,...g->...", unit, spread)), heaviest


def _gamma_limits(
    rate: FloatArray, variance: FloatArray, heaviest: FloatArray, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return Fay and Feuer's limits; the lower one is 0 where nothing happened."""
    alpha = tail(level)
    some = rate > 0
    mean, spread = np.where(some, rate, 1.0), np.where(some, variance, 1.0)
    lower = np.where(some, gammaincinv(mean**2 / spread, alpha) * spread / mean, 0.0)
    mean, spread = rate + heaviest, variance + heaviest**2
    return lower, np.asarray(gammainccinv(mean**2 / spread, alpha) * spread / mean)


def event_variance(people: npt.ArrayLike, events_each: npt.ArrayLike) -> FloatArray:
    """Return the variance of the number of events where people can have several: Σ f² n_f.

    In words: people with f events each arrive as a Poisson count n_f, so their f n_f events have variance f² n_f.

    Parameters
    ----------
    people : people who had each number of events, shape (..., group, frequency).
    events_each : the numbers of events, shape (frequency,).

    Returns
    -------
    array of shape (..., group)
        Events squared; pass it to `direct` as ``variance``, with Σ f n_f as ``events``.

    Raises
    ------
    QuantityError
        If a number is missing or negative, or the frequencies do not match.

    References
    ----------
    Glynn RJ, Buring JE (1996). Ways of measuring rates of recurrent events. BMJ 312:364-367.
    doi:10.1136/bmj.312.7027.364
    """
    faults: list[Fault] = []
    who = nonnegative("people", people, faults)
    times = positive("events_each", events_each, faults)
    same_groups("events_each", people=who, events_each=times)
    settle(faults)
    return np.asarray((who * times**2).sum(axis=-1))


def indirect(
    events: npt.ArrayLike,
    population: npt.ArrayLike,
    reference_rates: npt.ArrayLike | None = None,
    level: float = 0.95,
    *,
    reference_events: npt.ArrayLike | None = None,
    reference_population: npt.ArrayLike | None = None,
    per: float = 1,
) -> FlaggedInterval:
    """Return indirectly standardised ratios, observed over expected events, with their interval.

    In words: O/E with E = Σ n × reference rate, and Byar's (from 10 events) or exact limits of O over E. Ratios of
    two areas are not comparable with each other, only with the reference: each weighs the groups by its own people.

    Parameters
    ----------
    events : number of events, shape (..., group); a last axis of length 1 holds the total of all groups.
    population : people, or person-years, shape (..., group).
    reference_rates : events a person in the reference population, shape (group,) or (..., group).
    level : confidence level, strictly between 0 and 1.
    reference_events, reference_population : the reference's own counts, in place of its rates.
    per : unit of the result; 100 writes the reference as 100.

    Returns
    -------
    FlaggedInterval
        Shape (...); a ratio times ``per``. ``flags`` holds W812 where there are several, that may look comparable.

    Raises
    ------
    QuantityError
        If a number is missing or negative, a group has events and nobody in it, the groups are not those of the
        reference, nothing is expected, or the reference is given twice or not at all.

    References
    ----------
    Breslow NE, Day NE (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort Studies,
    chapter 2. Lyon: IARC Scientific Publications 82.
    """
    tail(level)
    faults: list[Fault] = []
    happened = nonnegative("events", events, faults)
    people = nonnegative("population", population, faults)
    rates, name = _reference(reference_rates, reference_events, reference_population, faults)
    if happened.ndim and happened.shape[-1] == 1 != rates.shape[-1]:
        same_groups(name, population=people, **{name: rates})
        together(events=happened, population=people)
    else:
        same_groups(name, events=happened, population=people, **{name: rates})
        events_in_nobody(happened, people, faults)
    settle(faults)
    expected = np.asarray((people * rates).sum(axis=-1))
    remedy = "Check the units of the reference rates: events a person, not per 100,000."
    note(faults, "population", expected <= 0, "nothing is expected", remedy)
    settle(faults)
    observed = happened.sum(axis=-1)
    lower, upper = poisson_limits(np.asarray(observed), level)
    scale = per / expected
    value, low, high = (np.asarray(end * scale) for end in (observed, lower, upper))
    several = np.full(value.shape, value.size > 1)
    return FlaggedInterval(value, low, high, join_flags(value.shape, (ONLY_WITH_REFERENCE, several)))


def indirect_rate(
    events: npt.ArrayLike,
    population: npt.ArrayLike,
    reference_events: npt.ArrayLike,
    reference_population: npt.ArrayLike,
    per: float = 100_000,
    level: float = 0.95,
) -> FlaggedInterval:
    """Return indirectly standardised rates: the ratio of `indirect` times the reference's crude rate.

    Parameters
    ----------
    events : number of events, shape (..., group); a last axis of length 1 holds the total of all groups.
    population : people, or person-years, shape (..., group).
    reference_events, reference_population : the reference's counts, shape (group,) or (..., group).
    per : unit of the result.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    FlaggedInterval
        Shape (...); unit events per ``per``; W812 as in `indirect`.

    Raises
    ------
    QuantityError
        As `indirect`.

    References
    ----------
    See `indirect`.
    """
    ratio = indirect(
        events,
        population,
        level=level,
        reference_events=reference_events,
        reference_population=reference_population,
    )
    crude = np.sum(reference_events, axis=-1) / np.sum(reference_population, axis=-1) * per
    return FlaggedInterval(ratio.value * crude, ratio.lower * crude, ratio.upper * crude, ratio.flags)


def _reference(
    rates: npt.ArrayLike | None,
    events: npt.ArrayLike | None,
    population: npt.ArrayLike | None,
    faults: list[Fault],
) -> tuple[FloatArray, str]:
    """Return the reference rates, given or derived, and the name of the argument that says which groups there are."""
    if (rates is None) == (events is None or population is None):
        remedy = "Give reference_rates, or reference_events together with reference_population."
        settle([Fault("the reference is given twice or not at all", remedy, field="reference_rates")])
    if rates is not None:
        return nonnegative("reference_rates", rates, faults), "reference_rates"
    assert events is not None and population is not None  # noqa: S101, PT018 - settled above; for the type checker
    happened = nonnegative("reference_events", events, faults)
    people = positive("reference_population", population, faults)
    same_groups("reference_population", reference_events=happened, reference_population=people)
    settle(faults)
    return happened / people, "reference_population"
