"""What each step did to an estimate and to its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hna.answers.need import blocks, people_in_bands
from hna.answers.people_factors import cell_factors, group_shares
from hna.evidence.population import Population
from hna.model.rates import TERMS, Rates

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WaterfallStep:
    """What one step did to the estimate of one area and year.

    Parameters
    ----------
    step, what : its name, and in words.
    estimate, lower, upper : after this step and all before it.
    share : of the variance of the number after all steps, the part that would go if this step's error alone were not
        there; as parts of one whole, so that it does not depend on the order of the steps.
    """

    step: str
    what: str
    estimate: float
    lower: float
    upper: float
    share: float = 0.0


_COMBINED_WORDS = {
    "mixture": "sampling error of the studies, and which of them is right",
    "random-effects": "sampling and study errors of the studies pooled, and how much they differ",
    "hierarchical-by-age": "sampling and study errors of the studies pooled by age, and how much they differ",
    "capture-recapture": "chance in how the lists overlap",
    "multiplier": "sampling error of the share of all who are known",
    "survey": "chance in who was asked, in all areas that were asked together",
    "map": "chance in the counts of all areas together",
}
_PLACE_WORDS = {
    "survey": "what the survey says of this place: answers given here, who lives here, and places like it",
    "map": "what the counts say of this place: its own, and those of the places around it",
}
_STEP_WORDS = {
    "sampling": "the study's own sampling error and rounding",
    "screening": "errors of the test: from those who test positive to those who have the need",
    "crosswalk": "another case definition, by the difference that pairs of measurements show",
    "communal": "people of communal establishments, whom the study did not reach",
    "study": "error shared by the whole study: who did not take part, the instrument, the frame",
    "staleness": "years between fieldwork and the year asked for",
    "local": "who lives here: a synthetic estimate from the composition of the place",
    "benchmark": "a known total to which all places are brought",
    "transport": "difference between this place and where the study was done",
    "population": "error of the number of people itself",
    "realised": "who is actually there: chance in a small number",
}


def waterfall(rates: Rates, population: Population, level: float) -> tuple[WaterfallStep, ...]:
    """What each step did to the estimate and its interval, in the first area and year of a population.

    The share of an error added on the logit scale, of the ratios of a local step and of a known total is the variance of the
    whole less its variance without that error; that of sampling is its own variance once carried to the place, and that of
    any other step what it adds. `hna.answers.sensitivity` divides the variance exactly, at the cost of drawing every input
    twice.
    """
    first = replace(population, areas=population.areas[:1], people=population.people[:1]).at(population.years[:1])
    block = next(iter(blocks(rates, first)))
    people = block.people[:, :, None]
    at = [(1 - level) / 2, (1 + level) / 2]
    point = float(block.headline[0].sum())
    here = block.area.code
    steps: list[WaterfallStep] = []
    spread: list[float] = []

    def need(of: Rates, where: str, terms: Sequence[str]) -> Array:
        found: Array = (of.at(where, block.year, terms=terms)[0] * people).sum(axis=(0, 1))
        return found

    def add(name: str, of: Rates, where: str, terms: tuple[str, ...]) -> None:
        drawn = need(of, where, terms)
        lower, upper = np.quantile(drawn, at)
        spread.append(float(drawn.var()))
        middle = float((of.mean(where, block.year)[0] * block.people).sum())
        steps.append(WaterfallStep(name, words[name], middle, float(lower), float(upper)))

    combined = _COMBINED_WORDS.get(rates.model.prevalence.combine)
    words = _STEP_WORDS | ({"sampling": combined} if combined else {})
    if rates.found_in_places:
        words |= {"local": _PLACE_WORDS[rates.model.prevalence.combine]}
    before = here if rates.local is None else ""
    shared = TERMS[:-1]
    # Each correction of the sources beside what was there before it.
    names = ["sampling", *(one.step for one in rates.before)]
    for name, shown in zip(names, [*(one.shown for one in rates.before), rates], strict=True):
        add(name, shown, before, ())
    for n, name in enumerate(shared):
        add(name, rates, before, shared[: n + 1])
    local = rates.local.steps if rates.local else {}
    for name, one in local.items():
        add(name, replace(rates, local=one), here, shared)
    if not rates.found_in_places:  # how places differ is in the rate of each
        add("transport", rates, here, TERMS)
    # Without one error, by what is left.
    alone = {}
    for name in shared:
        alone[name] = spread[-1] - float(need(rates, here, tuple(term for term in TERMS if term != name)).var())
    if rates.found_in_places:
        # What all places share is carried by the rate of all together; the rest is the place's own.
        own, together = float(need(rates, here, ()).var()), spread[0] * (point / steps[0].estimate) ** 2
        alone |= {"sampling": min(own, together), "local": max(own - together, 0.0)}
        local = {}
    for name in local if rates.local else ():
        left = replace(rates, local=rates.local.without(name))  # type: ignore[union-attr]
        alone[name] = spread[-1] - float(need(left, here, TERMS).var())
    if (rates.local is not None or rates.before) and not rates.found_in_places:
        # Of a rate still to be corrected, as if the corrections after it were known; carried to the place, likewise.
        held = [*(one.still for one in rates.before), rates]
        bare = [replace(one, local=None if rates.local is None else rates.local.without(*local)) for one in held]
        variances = [float(need(one, here, ()).var()) for one in bare]
        alone |= dict(zip(names, np.diff(variances, prepend=0.0).tolist(), strict=True))
    first_shares = group_shares(first, people_in_bands(rates, first))[:, 0, 0]
    moved = cell_factors(rates, first, first_shares, here, block.year)
    if moved is not None:
        drawn = (rates.at(here, block.year)[0] * people * moved).sum(axis=(0, 1))
        lower, upper = np.quantile(drawn, at)
        spread.append(float(drawn.var()))
        steps.append(WaterfallStep("population", words["population"], point, float(lower), float(upper)))
    if block.realised:
        drawn = block.draws[0].sum(axis=(0, 1))
        lower, upper = np.quantile(drawn, at)
        spread.append(float(drawn.var()))
        steps.append(WaterfallStep("realised", _STEP_WORDS["realised"], point, float(lower), float(upper)))
    parts = [alone.get(step.step, spread[n] - (spread[n - 1] if n else 0.0)) for n, step in enumerate(steps)]
    whole = sum(max(part, 0.0) for part in parts) or 1.0
    return tuple(replace(step, share=max(part, 0.0) / whole) for step, part in zip(steps, parts, strict=True))
