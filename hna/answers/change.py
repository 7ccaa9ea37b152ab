"""Why did the number change? Shares of a change that add up to it, in whatever order they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hna.answers.known_people import KnownPeople
from hna.errors import AxisError, Fault, QuantityError
from hna.evidence.population import Population
from hna.measure.ages import AgeAxis
from hna.measure.draws import check_level
from hna.model.rates import Rates

Array = NDArray[np.float64]
State = TypeVar("State")
Quantity = Literal["need", "known", "gap", "coverage"]

MOST_GROUPS = 8
GROUPS = {
    "population size": "more or fewer people",
    "age-sex structure": "older or younger people, women or men, among them",
    "rate": "the rate itself, as the years since fieldwork allow for",
    "evidence": "a revision of the evidence or the method: nobody's health changed",
    "local adjustment": "how the rate is carried to the place",
    "service": "people known to services",
}
"""What a change is divided into, in words."""
COLUMNS = ("group", "words", "estimate", "lower", "upper", "share")


def shapley(
    value: Callable[[Mapping[str, State]], ArrayLike], before: Mapping[str, State], after: Mapping[str, State]
) -> dict[str, Array]:
    """What each group of inputs contributes to a change, exactly and whatever their order.

    In words: a group's contribution is its effect when it changes from before to after, averaged over every order in
    which the groups could change; groups that change before it stand at after, the others at before. It is computed from
    all 2^g combinations, weighted by ``s!(g − 1 − s)!/g!`` for s groups changed before. For products of factors it is Das
    Gupta's decomposition.

    Parameters
    ----------
    value : the number (any shape, such as one a draw) from a state of every group.
    before, after : state of each group; the same groups, eight at most.

    Returns
    -------
    dict of arrays
        One a group, in the unit of ``value``; they add up to ``value(after) − value(before)`` to rounding. A group whose
        states are the same object contributes exactly 0.

    Raises
    ------
    QuantityError
        If the groups differ, there are more than eight or none, or a value is missing.

    References
    ----------
    Shapley LS (1953). A value for n-person games. In: Contributions to the Theory of Games II, 307-317.
    doi:10.1515/9781400881970-018

    Das Gupta P (1993). Standardization and decomposition of rates: a user's manual. US Bureau of the Census, P23-186.
    """
    if set(before) != set(after):
        rows = sorted(set(before) ^ set(after))
        raise QuantityError(Fault("the groups differ before and after", "Give both states of each group", rows=rows))
    if not 1 <= len(before) <= MOST_GROUPS:
        remedy = f"Join groups until there are from 1 to {MOST_GROUPS}"
        raise QuantityError(Fault(f"there are {len(before)} groups", remedy, field="before"))
    names = list(before)
    moving = [name for name in names if before[name] is not after[name]]
    seen: dict[frozenset[str], Array] = {}
    for size in range(len(moving) + 1):
        for changed in combinations(moving, size):
            state = {name: (after if name in changed else before)[name] for name in names}
            found = np.asarray(value(state), dtype=np.float64)
            if not np.isfinite(found).all():
                said = ", ".join(changed) or "nothing"
                remedy = "Every combination of before and after must have a value"
                raise QuantityError(Fault(f"the value is missing with {said} changed", remedy, field="value"))
            seen[frozenset(changed)] = found
    nothing = np.zeros_like(seen[frozenset()])
    return {name: _share(name, moving, seen) if name in moving else nothing.copy() for name in names}


def _share(name: str, moving: Sequence[str], seen: Mapping[frozenset[str], Array]) -> Array:
    others = [other for other in moving if other != name]
    total = np.zeros_like(seen[frozenset()])
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(moving))
        for chosen in combinations(others, size):
            total = total + weight * (seen[frozenset((*chosen, name))] - seen[frozenset(chosen)])
    return total


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One number's inputs in one year of one run.

    Parameters
    ----------
    rates : the evidence.
    population : people; the area must be in it. Its ages and sexes may be finer than the rates'.
    area : code.
    year : of the people and of the rate.
    known : people known, where a gap or coverage is asked for.
    adjustment : factors that carry the rate to the place, by the population's sex and age, shape (sex, age) or
        (sex, age, draw); None for none.
    """

    rates: Rates
    population: Population
    area: str
    year: int
    known: KnownPeople | None = None
    adjustment: Array | None = None

    @property
    def people(self) -> Array:
        """People of the rates' ages, shape (sex, age) of the population's cells."""
        codes = [area.code for area in self.population.areas]
        if self.area not in codes:
            raise AxisError(Fault(f"{self.area} is not in {self.population.source.id}", rows=codes, field="area"))
        held = self.population.at([self.year]).people[codes.index(self.area), 0]
        inside = [n for n, band in enumerate(self.population.ages.bands) if band in self.rates.ages.span]
        wanted = self.rates.universe.sex
        if wanted != "persons" and wanted in self.population.sexes:
            held = held[[self.population.sexes.index(wanted)]]
        return np.asarray(held[:, inside])

    @property
    def cells(self) -> AgeAxis:
        """The population's bands within the rates' ages."""
        inside = tuple(band for band in self.population.ages.bands if band in self.rates.ages.span)
        return AgeAxis(inside or self.population.ages.bands)


@dataclass(frozen=True)
class _Timing:
    year: int
    area: str


def change(before: Snapshot, after: Snapshot, quantity: Quantity = "need", level: float = 0.95) -> pd.DataFrame:
    """Why a number changed between two years or two runs, draw by draw.

    In words: need is people × the share of them in each sex and age × the rate there × local adjustment; the gap is need
    less people known, coverage their ratio. Each of these is one group of `shapley`. The evidence is the study and its
    errors; the rate is the same evidence read in another year. Both sides are drawn on the same streams, so an error they
    share does not look like change. Expected people: the chance of who is actually there is left out.

    Parameters
    ----------
    before, after : the two sides; the same ages and sexes.
    quantity : need, known, gap or coverage.
    level : of the intervals.

    Returns
    -------
    table with the columns `COLUMNS`
        One row a group, then ``change``, their sum. ``estimate`` from headlines (coverage: known ÷ headline need);
        ``share`` of the change, empty where the interval of the change holds 0.

    Raises
    ------
    AxisError
        If the two sides have other ages, sexes or numbers of draws, or the population's bands cross the rates'.
    QuantityError
        If people known are needed and absent, or only bounds of them are known.
    """
    check_level(level)
    _comparable(before, after, quantity)
    states = [_states(side) for side in (before, after)]
    for group, (old, new) in {name: (states[0][name], states[1][name]) for name in states[0]}.items():
        if _same(old, new):
            states[1][group] = states[0][group]
    found = shapley(lambda state: _value(state, quantity), states[0], states[1])
    total = sum(found.values(), np.zeros_like(next(iter(found.values()))))
    rows = [_summary(name, GROUPS[name], values, level) for name, values in found.items()]
    rows.append(_summary("change", "all together", total, level))
    sure = rows[-1]["lower"] > 0 or rows[-1]["upper"] < 0
    whole = float(total[0])
    for row in rows:
        row["share"] = row["estimate"] / whole if sure and whole != 0 else None
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _summary(name: str, said: str, values: Array, level: float) -> dict[str, Any]:
    lower, upper = np.quantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
    return {"group": name, "words": said, "estimate": float(values[0]), "lower": float(lower), "upper": float(upper)}


def _comparable(before: Snapshot, after: Snapshot, quantity: Quantity) -> None:
    faults = []
    for what, old, new, code in (
        ("area", before.area, after.area, ""),
        ("ages", before.rates.ages.span.label, after.rates.ages.span.label, ""),
        ("sex", before.rates.universe.sex, after.rates.universe.sex, ""),
        ("condition", before.rates.universe.condition, after.rates.universe.condition, ""),
        ("cells of the population", before.cells.labels, after.cells.labels, ""),
        ("sexes of the population", before.population.sexes, after.population.sexes, ""),
        ("draws", before.rates.size, after.rates.size, "R742"),
        ("seed", before.rates.seed, after.rates.seed, "R742"),
    ):
        if old != new:
            rows = [f"before {old}", f"after {new}"]
            remedy = "Run both sides alike" + (": errors that they share would be taken as independent" if code else "")
            faults.append(Fault(f"{what} differ before and after", remedy, field=what, rows=rows, code=code))
    for side in (before, after):
        span, sexes = side.rates.ages.span, side.population.sexes
        if not side.cells.bands or side.cells.span != span:
            remedy = "Give people in bands that end where the rates' ages end, such as single years"
            rows = side.population.ages.labels
            faults.append(Fault(f"the population's bands do not make up {span.label}", remedy, rows=rows, code="R201"))
        elif side.people.sum() <= 0:
            faults.append(Fault("there is nobody of these ages", "Use an area with people", field="population"))
        if len(side.rates.sexes) > 1 and sexes != side.rates.sexes:
            faults.append(Fault("the rates are by sex and the population is not", "Give people by sex", rows=sexes))
    if faults:
        raise AxisError(faults)
    absent = [name for name, side in (("before", before), ("after", after)) if side.known is None]
    if quantity != "need" and absent:
        raise QuantityError(Fault(f"{quantity} needs people known", "Give known on both sides", rows=absent))
    hidden = [
        name
        for name, side in (("before", before), ("after", after))
        if side.known is not None and side.known.point is None
    ]
    if quantity != "need" and hidden:
        remedy = "A hidden count has no change that can be divided: ask for need"
        raise QuantityError(Fault("only bounds of people known are there", remedy, field="known", rows=hidden))


def _states(side: Snapshot) -> dict[str, Any]:
    people = side.people
    total = float(people.sum())
    known = side.known
    return {
        "population size": total,
        "age-sex structure": people / total,
        "rate": _Timing(side.year, side.area),
        "evidence": (side.rates, side.cells),
        "local adjustment": side.adjustment,
        "service": None if known is None else np.concatenate([[known.point or 0.0], known.low]),
    }


def _same(old: object, new: object) -> bool:
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return np.array_equal(old, new)  # type: ignore[arg-type]
    if isinstance(old, tuple) and isinstance(new, tuple):
        return old[0] is new[0]
    return bool(old == new)


def _value(state: Mapping[str, Any], quantity: Quantity) -> Array:
    """The number with its headline first, then its draws."""
    known: Array = state["service"]
    if quantity == "known":
        return known
    timing: _Timing = state["rate"]
    rates: Rates = state["evidence"][0]
    cells: AgeAxis = state["evidence"][1]
    share = np.asarray(state["age-sex structure"])
    where = rates.ages.index_of(cells)
    drawn = rates.at(timing.area, timing.year)[0][:, where]
    rate = np.concatenate([rates.mean(timing.area, timing.year)[0][:, where][..., None], drawn], axis=-1)
    if rate.shape[0] != share.shape[0]:
        rate = np.repeat(rate, share.shape[0], axis=0) if rate.shape[0] == 1 else rate
    if state["local adjustment"] is not None:
        rate = rate * _with_headline(np.asarray(state["local adjustment"]), rate.shape[-1])
    need = float(state["population size"]) * np.tensordot(share, rate, axes=2)
    if quantity == "need":
        return np.asarray(need)
    return np.asarray(need - known if quantity == "gap" else known / need)


def _with_headline(adjustment: Array, width: int) -> Array:
    if adjustment.ndim == 2:
        return adjustment[..., None]
    if adjustment.shape[-1] != width - 1:
        what = f"the adjustment has {adjustment.shape[-1]} draws, the rate {width - 1}"
        raise AxisError(Fault(what, "Draw both alike", field="adjustment"))
    return np.concatenate([adjustment.mean(axis=-1, keepdims=True), adjustment], axis=-1)
