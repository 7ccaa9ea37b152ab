"""What each step did to an estimate and to its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hna.answers.need import blocks
from hna.evidence.population import Population
from hna.model.rates import TERMS, Rates


@dataclass(frozen=True)
class WaterfallStep:
    """What one step did to the estimate of one area and year."""

    step: str
    what: str
    estimate: float
    lower: float
    upper: float


_STEP_WORDS = {
    "sampling": "the study's own sampling error and rounding",
    "study": "error shared by the whole study: who did not take part, the instrument, the frame",
    "staleness": "years between fieldwork and the year asked for",
    "transport": "difference between this place and where the study was done",
    "realised": "who is actually there: chance in a small number",
}


def waterfall(rates: Rates, population: Population, level: float) -> tuple[WaterfallStep, ...]:
    """What each step did to the estimate and its interval, in the first area and year of a population."""
    first = replace(population, areas=population.areas[:1], people=population.people[:1]).at(population.years[:1])
    block = next(iter(blocks(rates, first)))
    people = block.people[:, :, None]
    at = [(1 - level) / 2, (1 + level) / 2]
    point = float(block.headline[0].sum())
    steps = []
    for n, name in enumerate(("sampling", *TERMS)):
        drawn = (rates.at(block.area.code, block.year, terms=TERMS[:n])[0] * people).sum(axis=(0, 1))
        lower, upper = np.quantile(drawn, at)
        steps.append(WaterfallStep(name, _STEP_WORDS[name], point, float(lower), float(upper)))
    if block.realised:
        lower, upper = np.quantile(block.draws[0].sum(axis=(0, 1)), at)
        steps.append(WaterfallStep("realised", _STEP_WORDS["realised"], point, float(lower), float(upper)))
    return tuple(steps)
