"""The subgroups in which need is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.model.rates import Rates

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cut:
    """A subgroup: its labels, its stratum, and which of the flat (sex, age) cells it takes (1 or 0)."""

    label: str
    sex: str
    age: str
    severity: int
    cells: Array

    @property
    def whole(self) -> bool:
        """Whether it takes every cell."""
        return bool(self.cells.all())


def cuts_of(rates: Rates, by: Sequence[str]) -> tuple[Cut, ...]:
    """The total, then every subgroup asked for."""
    sexes = rates.sexes if rates.sexes != ("persons",) else (rates.model.sex,)
    bands = rates.ages.bands
    everyone = np.ones((len(sexes), len(bands)))
    single = rates.model.prevalence.ages == "graduate"
    found = []
    for s, severity in enumerate(rates.severities if "severity" in by else rates.severities[:1]):
        choices: list[tuple[str, str, Array]] = [(rates.model.sex, "all", everyone)]
        if "sex" in by and len(sexes) > 1:
            choices += [(sex, "all", everyone * (np.arange(len(sexes)) == x)[:, None]) for x, sex in enumerate(sexes)]
        # Single years from graduated rates are right in total and wrong one by one: they are never published.
        if "age" in by and len(bands) > 1 and not single:
            choices += [
                (sex, band.label, cells * (np.arange(len(bands)) == a))
                for sex, _, cells in tuple(choices)
                for a, band in enumerate(bands)
            ]
        found += [Cut(severity, sex, age, s, cells.ravel().astype(float)) for sex, age, cells in choices]
    return tuple(found)
