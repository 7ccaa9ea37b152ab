"""Repeated sampling: studies drawn again and again from a known truth, read by the engine, and added up.

A design has many age bands, each with a true proportion and a sample; the target is the number of cases in a place with
equally many people in every band. The engine's own functions turn each simulated table into draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import betaincinv, expit, logit, ndtri

from hna.evidence.prevalence import Prevalence
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import AgeBand
from hna.model.distribution import sampling_of

PEOPLE = 1000.0
"""In every band."""
SCORE = float(ndtri(0.975))


@dataclass(frozen=True)
class Design:
    """True proportions rise geometrically over the bands.

    Parameters
    ----------
    low, high : proportions in the first and last band.
    bands : how many.
    sample : people examined in each.
    effect : design effect.
    """

    low: float
    high: float
    bands: int = 20
    sample: int = 150
    effect: float = 1.0

    @property
    def truth(self):
        return np.geomspace(self.low, self.high, self.bands)

    @property
    def effective(self):
        return round(self.sample / self.effect)

    @property
    def name(self):
        return f"p {self.low:.1%}-{self.high:.1%}, {self.bands} bands, n {self.sample}, design effect {self.effect:g}"

    def samples(self, replicates, seed):
        """Cases in every replicate and band, from as many people as the sample is worth."""
        generator = np.random.default_rng(seed)
        return generator.binomial(self.effective, self.truth, (replicates, self.bands))


def table(estimate, *, given, cases=None, sample=None, lower=None, upper=None, decimals=9, effect=None):
    """A prevalence table with one row a band, as it would be read from a file."""
    fields = {
        "id": "simulated", "kind": "prevalence", "condition": "x", "case_definition": "x", "measure": "point",
        "unit": "percent", "decimals": decimals,
        "uncertainty": {"given": given, "level": 0.95 if given == "interval" else None}, "severity": None,
        "study": dict.fromkeys(
            ("design", "frame", "fieldwork", "geography", "sample_size", "response_rate", "exclusions")
        ),
        "appraisal": {"tool": None, "overall": None, "notes": None}, "read_from": "primary table",
        "design_effect": effect,
        "citation": {"authors": "x", "year": 2024, "title": "x", "container": "x", "locator": None, "doi": None,
                     "url": None, "licence": "x"},
    }  # fmt: skip
    estimate = np.asarray(estimate, dtype=float)
    rows = len(estimate)

    def column(values):
        return np.full(rows, np.nan) if values is None else np.asarray(values, dtype=float)

    persons, blank = np.full(rows, "persons", dtype=object), np.full(rows, "", dtype=object)
    return Prevalence(
        PrevalenceSource.model_validate(fields), blank, persons, tuple(AgeBand(age, age) for age in range(rows)),
        estimate, column(lower), column(upper), column(cases), column(sample), np.full(rows, np.nan),
    )  # fmt: skip


def wilson(cases, sample):
    """Wilson's 95 % limits, as most statistical offices print them."""
    p, z = cases / sample, SCORE
    middle, half = p + z**2 / (2 * sample), z * np.sqrt(p * (1 - p) / sample + z**2 / (4 * sample**2))
    lower, upper = ((middle + sign * half) / (1 + z**2 / sample) for sign in (-1, 1))
    return np.where(cases == 0, 0.0, lower), np.where(cases == sample, 1.0, upper)


def engine(design, given="counts", decimals=1):
    """For each number of cases, the engine's reading of the printed row: a function of points to draws, and its mean."""
    cases = np.arange(design.effective + 1)
    exact = cases / design.effective
    if given == "counts":
        printed = table(exact, given="counts", cases=cases * design.effect, sample=np.full(len(cases), design.sample),
                        effect=design.effect)  # fmt: skip
    else:
        lower, upper = wilson(cases, design.effective)
        unit = 10.0**-decimals / 100
        values = [np.round(np.round(part / unit) * unit, 12) for part in (exact, lower, upper)]
        printed = table(values[0], given="interval", lower=values[1], upper=values[2], decimals=decimals)
    sampling = sampling_of(printed, 1.0)
    return sampling.mean, sampling.draw


def plug_in(design):
    exact = np.arange(design.effective + 1) / design.effective
    return exact, lambda row, points, _: np.full_like(points, exact[row])


def jeffreys_everywhere(design):
    cases, n = np.arange(design.effective + 1), design.effective
    return (cases + 0.5) / (n + 1), lambda row, points, _: betaincinv(row + 0.5, n - row + 0.5, points)


def uniform_prior_everywhere(design):
    cases, n = np.arange(design.effective + 1), design.effective
    return (cases + 1) / (n + 2), lambda row, points, _: betaincinv(row + 1.0, n - row + 1.0, points)


def median_matched(design):
    """A logit-normal on Wilson's limits whose median is the estimate: the usual careless reading of an interval."""
    cases, n = np.arange(design.effective + 1), design.effective
    lower, upper = wilson(cases, n)
    # Where nothing was seen, the middle of the limits in the logit stands for the estimate.
    lower = np.where(cases == 0, upper / 100, lower)
    middle = np.where(cases == 0, (logit(lower) + logit(upper)) / 2, logit(np.clip(cases / n, 1e-9, 1 - 1e-9)))
    spread = (logit(np.clip(upper, 0, 1 - 1e-9)) - logit(lower)) / (2 * SCORE)
    return cases / n, lambda row, points, _: expit(middle[row] + spread[row] * ndtri(points))


@dataclass(frozen=True)
class Totals:
    """Simulated totals, in people.

    Parameters
    ----------
    truth : cases that there are.
    headline : shape (replicate,), the plug-in.
    draws : shape (replicate, draw).
    """

    truth: float
    headline: np.ndarray
    draws: np.ndarray

    @property
    def bias(self):
        """Of the mean of the draws, as a share of the truth."""
        return float(self.draws.mean() / self.truth - 1)

    @property
    def coverage(self):
        """Share of replicates whose 95 % interval holds the truth."""
        low, high = np.quantile(self.draws, [0.025, 0.975], axis=1)
        return float(((low <= self.truth) & (self.truth <= high)).mean())

    @property
    def error(self):
        """Monte Carlo standard error of the coverage, were it 0.95."""
        return float(np.sqrt(0.95 * 0.05 / len(self.draws)))


def totals(design, reader=engine, replicates=1000, draws=500, seed=1, **options):
    """Totals over the bands, one table a replicate.

    Within a row of the table the points are a Latin hypercube, as the engine's are, permuted afresh for each replicate
    and band; the same points serve rows with the same number of cases before they are permuted, which changes nothing
    that is measured and saves a hundredfold of time.
    """
    cases = design.samples(replicates, seed)
    mean, draw = reader(design, **options)
    generator = np.random.default_rng((seed, 7))
    bank = {}
    for row in np.unique(cases):
        points = (generator.permutation(draws) + generator.random(draws)) / draws
        rounding = (generator.permutation(draws) + generator.random(draws)) / draws
        bank[row] = draw(int(row), points, rounding)
    rows = np.unique(cases)
    bank = np.stack([bank[row] for row in rows])
    at = np.searchsorted(rows, cases)
    drawn = np.zeros((replicates, draws))
    for band in range(design.bands):
        drawn += generator.permuted(bank[at[:, band]], axis=1)
    return Totals(PEOPLE * design.truth.sum(), PEOPLE * mean[cases].sum(axis=1), PEOPLE * drawn)


@cache
def published_table(reader_name, replicates=1000):
    """The design of the project's methods, section 1.2: 20 bands of 150 people, 0.5 to 4 %."""
    return totals(Design(0.005, 0.04), globals()[reader_name], replicates)
