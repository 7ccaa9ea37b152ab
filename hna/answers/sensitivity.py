"""Which input is the interval made of? Shares of the variance by group, one input at a time, and leverage, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from hna.answers.gap import leverage
from hna.answers.known_people import known_people
from hna.answers.need import people_in_bands
from hna.answers.people_factors import cell_factors, group_shares
from hna.answers.second_sample import two_samples
from hna.answers.sobol import Choice, Sample, sobol
from hna.errors import AxisError, Fault, QuantityError
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.measure.draws import check_level, normal, uniform
from hna.model.correction import STEPS, Correcting
from hna.model.local_steps import Benchmarked, Carried
from hna.model.rates import Rates, make_rates
from hna.model.rates_parts import Part
from hna.model.spec import KnownUse

Array = NDArray[np.float64]
Quantity = Literal["need", "gap", "coverage"]

GROUPS = {
    "sampling": "sampling error of the study",
    "crosswalk": "the step from one way of finding cases to another",
    "source": "which of the sources is right",
    "study": "the study",
    "staleness": "the years since fieldwork",
    "local": "local adjustment",
    "benchmark": "the known total",
    "transport": "this place",
    "population": "the population",
    "known": "how the count was made",
    "realised": "chance in who is actually there",
}
"""Groups of inputs, in the words of the sentence."""
COLUMNS = ("group", "words", "first", "total", "share", "lower", "upper")


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What the interval of one number is made of.

    Parameters
    ----------
    quantity : need, gap or coverage.
    estimate, lower, upper : the number with all of its inputs at work.
    table : one row a group, largest share first, in `COLUMNS`: its first-order and total share of the variance, its
        share of the sum of the totals, and the limits of the number when only that group varies.
    elasticity : by what per cent the number moves for one per cent of error in the estimate of need; None where people
        known are as many as the estimate.
    level : of the limits.
    """

    quantity: Quantity
    estimate: float
    lower: float
    upper: float
    table: pd.DataFrame
    elasticity: float | None
    level: float

    @property
    def sentence(self) -> str:
        """Largest share first: ``62 % of the interval is the study, 27 % this place, …``."""
        return sentence(dict(zip(self.table["group"], self.table["share"], strict=True)))


def sentence(shares: Mapping[str, float]) -> str:
    """Shares of the variance in words, largest first, those of half a per cent and more.

    Parameters
    ----------
    shares : by group, proportions of one whole.

    Returns
    -------
    str
        Without a full stop.
    """
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    told = [(round(100 * share), GROUPS.get(name, name)) for name, share in ordered if round(100 * share) >= 1]
    if not told:
        return "No part of the interval is uncertain"
    head, *rest = told
    return ", ".join([f"{head[0]} % of the interval is {head[1]}", *(f"{share} % {name}" for share, name in rest)])


def sensitivity(
    rates: Rates,
    shelf: Shelf,
    population: Population,
    area: str,
    year: int,
    *,
    known: Known | None = None,
    use: KnownUse | None = None,
    quantity: Quantity = "need",
    population_error: float | None = None,
    realised: bool | None = None,
    level: float = 0.95,
) -> Sensitivity:
    """What the interval of need, gap or coverage in one area is made of.

    Parameters
    ----------
    rates : from `make_rates`; the first sample of its errors.
    shelf : to draw the second sample of the same model.
    population : people; the area and year must be in it.
    area : code.
    year : of the people and the rate.
    known : rows of a count of people known in the area that make up the need's people, where gap or coverage is asked for.
    use : the model's measurement of that count.
    quantity : need, gap or coverage.
    population_error : relative standard deviation of the number of people; None for the error that the population carries.
    realised : whether the chance of who is actually there is a group; None for as in `hna.need`.
    level : of the limits.

    Returns
    -------
    Sensitivity
        Its draws are those of `hna.need` but for the last step, which is normal here.

    Raises
    ------
    AxisError
        If the area or year is not in the population.
    QuantityError
        If gap or coverage is asked for without people known.

    References
    ----------
    As `hna.answers.sobol.sobol`.
    """
    check_level(level)
    inputs = _Inputs(rates, shelf, population, area, year, known, use, population_error, realised)
    if quantity != "need" and known is None:
        raise QuantityError(Fault(f"{quantity} needs people known", "Give known", field="known"))
    at = [(1 - level) / 2, (1 + level) / 2]
    groups = inputs.groups(quantity)
    shares = sobol(lambda choice: inputs.value(choice, quantity), groups)
    whole = sum(shares.total.values())
    rows = []
    for group in groups:
        alone = inputs.value({name: "first" if name == group else "still" for name in groups}, quantity)
        lower, upper = np.quantile(alone, at)
        share = shares.total[group] / whole if whole > 0 else 0.0
        rows.append((group, GROUPS[group], shares.first[group], shares.total[group], share, float(lower), float(upper)))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("share", ascending=False, kind="stable")
    still = float(inputs.value(dict.fromkeys(groups, "still"), quantity)[0])
    lower, upper = np.quantile(inputs.value(dict.fromkeys(groups, "first"), quantity), at)
    power = 1.0 if quantity == "need" else (-1.0 if quantity == "coverage" else leverage(inputs.point, inputs.counted))
    return Sensitivity(quantity, still, float(lower), float(upper), table.reset_index(drop=True), power, level)


class _Inputs:
    """Two samples of every input of one area's number, put together as asked."""

    def __init__(
        self,
        rates: Rates,
        shelf: Shelf,
        population: Population,
        area: str,
        year: int,
        known: Known | None,
        use: KnownUse | None,
        population_error: float | None,
        realised: bool | None,
    ) -> None:
        seed = int.from_bytes(hashlib.sha256(f"{rates.seed}:second sample".encode()).digest()[:6], "big")
        self.seeds = {"first": rates.seed, "second": seed}
        rates, second = two_samples(rates, shelf, seed, area)
        self.samples = {"first": rates, "second": second}
        # A change from year to year comes after every step that carries the rate to a place.
        self.trend, published, rates = rates.trend, rates, replace(rates, trend=None)
        self.rates, self.area, self.year, self.shelf = rates, area, year, shelf
        codes = [held.code for held in population.areas]
        if area not in codes:
            raise AxisError(Fault(f"{area} is not in {population.source.id}", "Name an area it holds", field="area"))
        at = codes.index(area)
        here = replace(population, areas=population.areas[at : at + 1], people=population.people[at : at + 1])
        self.here = here.at([year])
        banded = people_in_bands(rates, self.here)
        self.people: Array = banded.people[0, 0]
        self.shares = group_shares(self.here, banded)[:, 0, 0]
        self.point = float((published.mean(area, year)[0] * self.people).sum())
        few = self.point < rates.defaults.realised_below
        self.realised = few if realised is None else realised
        self.spread = population_error
        self.known, self.use = known, use or (None if known is None else KnownUse(source=known.source.id))
        self.counted = 0.0 if known is None else self._known("still")[0]
        self._steps: dict[tuple[int, int, str, str, str, str, int], Array] = {}
        self._corrected: dict[tuple[str, str], Rates] = {}

    def groups(self, quantity: Quantity) -> list[str]:
        """Groups that vary."""
        rates = self.rates
        parts = [part for group in rates.groups for part in group]
        timed = any(part.staleness > 0 and part.studied is not None for part in parts)
        held = {
            "sampling": True,
            "crosswalk": bool(rates.before),
            "source": any(len(group) > 1 for group in self.rates.groups),
            "study": any(part.study > 0 for part in parts),
            "staleness": timed,
            "local": rates.local is not None and "local" in rates.local.steps,
            "benchmark": rates.local is not None and "benchmark" in rates.local.steps,
            "transport": rates.has_transport and not (rates.local is not None and rates.local.alone(self.area)),
            "population": bool(self.spread) if self.spread is not None else self.here.error is not None,
            "known": quantity != "need" and bool(np.ptp(self._known("first")) > 0),
            "realised": self.realised,
        }
        return [name for name in GROUPS if held[name]]

    def value(self, choice: Choice, quantity: Quantity) -> Array:
        """The number, shape (draw,)."""
        sample, moved = choice.get("population", "still"), None
        if sample != "still" and self.spread is None:
            seeded = replace(self.rates, seed=self.seeds[sample])
            moved = cell_factors(seeded, self.here, self.shares, self.area, self.year)
        rate = self._rate(choice)
        need = np.tensordot(self.people, rate if moved is None else rate * moved, axes=2)
        if sample != "still" and self.spread is not None:
            score = normal(self.seeds[sample], f"population:{self.area}", self.rates.size)
            need = need * np.exp(self.spread * score - self.spread**2 / 2)
        sample = choice.get("realised", "still")
        if sample != "still":
            score = normal(self.seeds[sample], f"realised:{self.rates.model.need}:{self.area}", self.rates.size)
            need = need + score * np.sqrt(need * np.clip(1 - need / self.people.sum(), 0, 1))
        if quantity == "need":
            return np.asarray(need)
        known = self._known(choice.get("known", "still"))
        return np.asarray(need - known if quantity == "gap" else known / np.maximum(need, 1e-9))

    def _known(self, sample: Sample) -> Array:
        """People known; a hidden count lies anywhere between its bounds."""
        if self.known is None or self.use is None:
            return np.zeros(self.rates.size)
        rows = np.ones(len(self.known), dtype=bool)
        seed = self.seeds["first" if sample == "still" else sample]
        people = known_people(self.known, rows, self.use, seed, self.rates.size)
        if sample == "still":
            return np.full(self.rates.size, people.middle)
        return people.low + (people.high - people.low) * uniform(seed, "hidden", self.rates.size)

    def _rate(self, choice: Choice) -> Array:
        """All cases together in the area and year, shape (sex, age, draw)."""
        found = self._constant(choice)
        return found if self.trend is None else self.trend.moved(found[None], self.year, 1)[0]

    def _constant(self, choice: Choice) -> Array:
        """The same before any change from year to year."""
        rates, sample = self.rates, choice.get("transport", "still")
        if rates.local is None:
            return self._shared(choice, self.year, ("study", "staleness", "transport"))
        terms = ("study", "staleness")
        national = self._shared(choice, self.year, terms)
        when = self.year if rates.changes_by_year else 0
        found = self._local(choice).place(
            self.area, national, (when, None), lambda year: self._shared(choice, year, terms)
        )
        if sample != "still" and rates.has_transport and not rates.local.alone(self.area):
            found = replace(rates, seed=self.seeds[sample]).moved(found, self.area)
        return found

    def _local(self, choice: Choice) -> Carried:
        """What carries the rate to the area, each step's error from its own sample; its shifts are found anew."""
        held = {name: choice.get(name, "still") for name in ("local", "benchmark")}
        drawn = {name: self.samples["first" if sample == "still" else sample].local for name, sample in held.items()}
        inner, outer = drawn["local"], drawn["benchmark"]
        if isinstance(inner, Benchmarked) and isinstance(outer, Benchmarked):
            # Copies keep nothing of what other choices formed.
            found: Carried = outer.of(replace(inner.inner) if inner.inner else None, outer.total)
        elif isinstance(inner, Carried):
            found = inner
        else:
            raise QuantityError("these rates have no local step")
        return replace(found.without(*(name for name, sample in held.items() if sample == "still")))

    def _shared(self, choice: Choice, year: int, terms: Sequence[str]) -> Array:
        """All cases together before any local step, shape (sex, age, draw)."""
        blocks = []
        for g, group in enumerate(self.rates.groups):
            drawn = [self._part(g, n, choice, year, terms) for n in range(len(group))]
            blocks.append(drawn[0] if len(drawn) == 1 else self._mixed(drawn, choice.get("source", "still")))
        return np.concatenate(blocks, axis=1)

    def _mixed(self, drawn: list[Array], sample: Sample) -> Array:
        if sample == "still":
            return np.asarray(np.mean(drawn, axis=0))
        points = uniform(self.seeds[sample], f"source:{self.rates.model.need}", self.rates.size)
        chosen = np.minimum((points * len(drawn)).astype(int), len(drawn) - 1)
        return np.asarray(np.choose(chosen, drawn))

    def _part(self, g: int, n: int, choice: Choice, year: int, terms: Sequence[str]) -> Array:
        """One source's rate: its sampling draws, moved by each error on the logit scale (`Rates.at`)."""
        sampling, corrected = choice.get("sampling", "still"), choice.get("crosswalk", "still")
        part = self.rates.groups[g][n]
        errors = [(term, choice.get(term, "still")) for term in terms if _has(part, term)]
        moving = [(term, sample) for term, sample in errors if sample != "still"]
        if sampling == corrected == "still" and not moving:
            alone = replace(self.rates, groups=((part,),), strata=(), local=None)
            mean = alone.mean("", year)[0]
            return np.broadcast_to(mean[..., None], (*mean.shape, self.rates.size))
        carrier: Sample = "first" if sampling == "still" else sampling
        bare = logit(self._step(g, n, carrier, corrected, "first", "", year))
        base = bare
        if sampling == "still":
            base = logit(self._part(g, n, {}, year, terms))
            if corrected != "still":
                base = base + bare - logit(self._step(g, n, carrier, "still", "first", "", year))
        for term, sample in moving:
            base = base + logit(self._step(g, n, carrier, corrected, sample, term, year)) - bare
        return np.asarray(expit(base))

    def _step(self, g: int, n: int, sampling: Sample, corrected: Sample, error: Sample, term: str, year: int) -> Array:
        """One source's rate with one error, each from its own sample; kept, since most evaluations share it."""
        key = (g, n, sampling, corrected, error, term, year)
        if key not in self._steps:
            part = self._sampled(sampling, corrected).groups[g][n]
            alone = replace(self.rates, groups=((part,),), strata=(), local=None, seed=self.seeds[error])
            self._steps[key] = alone.at(self.area, year, (term,) if term else ())[0]
        return self._steps[key]

    def _sampled(self, sampling: Sample, corrected: Sample) -> Rates:
        """The rate with sampling errors of one sample and those of its sources' corrections from another."""
        if not self.rates.before:
            return self.samples[sampling]
        if (sampling, corrected) not in self._corrected:
            how = Correcting(STEPS, ()) if corrected == "still" else Correcting(seed=self.seeds[corrected])
            model = self.rates.model.model_copy(update={"local": []})
            found = make_rates(model, self.shelf, self.rates.size, self.seeds[sampling], how)
            self._corrected[sampling, corrected] = found
        return self._corrected[sampling, corrected]


def _has(part: Part, term: str) -> bool:
    return bool(getattr(part, term) > 0)
