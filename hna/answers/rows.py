"""The rows of gap.csv: which subgroups there are, and how a figure of one is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hna.answers.gap import Figure
from hna.answers.need import Block
from hna.answers.realised import Scores, whole_people
from hna.measure.ages import AgeBand
from hna.measure.draws import normal
from hna.model.rates import Rates

Array = NDArray[np.float64]

COLUMNS = (
    "need", "severity", "area_code", "area_name", "year", "sex", "age_band", "quantity", "estimate", "lower", "upper",
    "level", "probability", "unit", "flags",
)  # fmt: skip
QUANTITIES = (
    "population", "need", "known", "gap", "gap_positive", "coverage", "prevalence", "p_known_exceeds_need",
    "target_shortfall",
)  # fmt: skip
UNITS = {"coverage": "proportion", "prevalence": "proportion", "p_known_exceeds_need": "probability"}


@dataclass(frozen=True)
class Cut:
    """A subgroup: its labels, and which cells it takes."""

    severity: str
    sex: str
    age: str
    band: AgeBand
    rows: tuple[slice | int, slice | int, slice | int]


def cuts_of(rates: Rates, by: Sequence[str]) -> Iterator[Cut]:
    """Every subgroup that is reported: severity always, sex and age where asked for."""
    whole = slice(None)
    sexes = rates.sexes if rates.sexes != ("persons",) else (rates.model.sex,)
    everyone = rates.model.sex
    single_sex = len(sexes) == 1
    for s, severity in enumerate(rates.severities):
        yield Cut(severity, everyone, "all", rates.ages.span, (s, whole, whole))
        if "sex" in by and not single_sex:
            for x, sex in enumerate(sexes):
                yield Cut(severity, sex, "all", rates.ages.span, (s, x, whole))
        if "age" in by and len(rates.ages.bands) > 1:
            for a, band in enumerate(rates.ages.bands):
                yield Cut(severity, everyone, band.label, band, (s, whole, a))
            if "sex" in by and not single_sex:
                for x, sex in enumerate(sexes):
                    for a, band in enumerate(rates.ages.bands):
                        yield Cut(severity, sex, band.label, band, (s, x, a))


def total(values: Array, cut: Cut, trailing: int) -> Array:
    """Cells of a subgroup added up; the last `trailing` dimensions are kept."""
    chosen = values[cut.rows]
    axes = tuple(range(chosen.ndim - trailing))
    summed: Array = chosen.sum(axis=axes)
    return summed


def people_in(block: Block, cut: Cut) -> float:
    """People of a subgroup, with the need or without."""
    return float(np.sum(block.people[cut.rows[1:]]))


def is_small(rates: Rates, block: Block, cut: Cut) -> bool:
    """Whether so few people are expected that the chance of who is actually there counts."""
    return block.realised or float(total(block.headline, cut, 0)) < rates.defaults.realised_below


def people_drawn(rates: Rates, block: Block, cut: Cut) -> Array:
    """Draws of the people of a subgroup, shape (draw,), with the chance of who is there where few are expected.

    A block with few people holds that chance already. In a larger one each small subgroup gets its own, keyed by need, area and
    subgroup and the same in every year; subgroups are then not tied to their total, whose chance is left out as small.
    """
    drawn = total(block.draws, cut, 1)
    if block.realised or not is_small(rates, block, cut):
        return drawn
    size = np.array([max(round(people_in(block, cut)), 1)], dtype=float)
    key = f"realised:{rates.model.need}:{cut.severity}:{cut.sex}:{cut.age}:{block.area.code}"
    found: Array = whole_people(drawn[None], size, _scores(rates.seed, key, len(drawn)))[0]
    return found


@lru_cache(maxsize=512)
def _scores(seed: int, key: str, draws: int) -> Scores:
    """The scores of one subgroup, kept while its years are gone through."""
    return Scores(normal(seed, key, draws)[None])


def row(
    rates: Rates, block: Block, cut: Cut, quantity: str, figure: Figure, level: float, flags: Sequence[str]
) -> dict[str, object]:
    """One figure as a row of gap.csv."""
    return {
        "need": rates.model.need,
        "severity": cut.severity,
        "area_code": block.area.code,
        "area_name": block.area.name,
        "year": block.year,
        "sex": cut.sex,
        "age_band": cut.age,
        "quantity": quantity,
        "estimate": figure.estimate,
        "lower": figure.lower,
        "upper": figure.upper,
        "level": level,
        "probability": figure.probability,
        "unit": UNITS.get(quantity, "people"),
        "flags": " ".join(flags),
    }
