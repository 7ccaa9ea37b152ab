"""Which groups rest on too few people examined to be reported by themselves, though they may enter a total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.model.distribution import below_standard
from hna.model.rate_draws import Rates
from hna.model.rates_parts import Part

Array = NDArray[np.float64]

TOO_FEW = "W121"


@dataclass(frozen=True, eq=False)
class Examined:
    """What a rate was seen among, cell by cell.

    Parameters
    ----------
    people : shape (severity, sex, age), effective numbers examined; infinite where a rate is no proportion of people examined, such
        as one judged, pooled or fitted.
    share : shape (severity, sex, age), the proportion found.
    row : shape (severity, sex, age), which printed proportion a cell repeats: its people were examined once.
    strata : positions along severity of strata whose share of cases rests on too few.
    """

    people: Array
    share: Array
    row: NDArray[np.intp]
    strata: frozenset[int]

    def too_few(self, severity: int, cells: NDArray[np.bool_] | Array) -> bool:
        """Whether some cells of a stratum together do not meet the standard, `cells` of shape (sex, age) or flat."""
        if severity in self.strata:
            return True
        chosen = np.asarray(cells, dtype=bool).reshape(self.people.shape[1:])
        _, first = np.unique(self.row[severity][chosen], return_index=True)
        people, share = self.people[severity][chosen][first], self.share[severity][chosen][first]
        if not np.isfinite(people).all():
            return False
        total = float(people.sum())
        return below_standard(float((people * share).sum() / total), total)


def examined(rates: Rates) -> Examined:
    """What each cell of a rate was seen among."""
    shape = (len(rates.severities), len(rates.sexes), len(rates.ages.bands))
    people, share, row = np.full(shape, np.inf), np.zeros(shape), np.arange(np.prod(shape)).reshape(shape)
    start = offset = 0
    for group in rates.groups if not rates.found_in_places else ():
        width = len(group[0].layers.ages.bands)
        held = [_of_part(part, rates.sexes) for part in group]
        at = np.s_[:, :, start : start + width]
        people[at] = np.sum([one[0] for one in held], axis=0)
        with np.errstate(invalid="ignore"):
            weighed = np.sum([one[0] * one[1] for one in held], axis=0) / people[at]
        share[at] = np.where(np.isfinite(people[at]), weighed, 0.0)
        row[at] = held[0][2] + offset
        offset += int(held[0][2].max()) + 1
        start += width
    few = {name for part in rates.parts for name in part.layers.few_strata}
    strata = frozenset(s for s, name in enumerate(rates.severities) if name in few)
    return Examined(people, share, row.astype(np.intp), strata)


def _of_part(part: Part, sexes: Sequence[str]) -> tuple[Array, Array, NDArray[np.intp]]:
    """People examined, the share found, and its printed row: layers first, then strata, shape (severity, sex, age)."""
    layers = part.layers
    shape = (len(layers.names) + len(layers.strata), len(sexes), len(layers.ages.bands))
    people, share, row = np.full(shape, np.inf), np.zeros(shape), np.arange(np.prod(shape)).reshape(shape)
    if layers.examined is None or part.members:
        return people, share, row
    table = layers.table
    for s, name in enumerate((*layers.names, *layers.strata)):
        for x, sex in enumerate(sexes):
            own = sex if len(table.rows(name, sex)) else next(iter(layers.sexes))
            rows = table.rows(name, own)
            if not len(rows):  # strata by another source, which has its own list of those that rest on too few
                continue
            at = rows[table.axis(name, own).index_of(layers.ages)]
            people[s, x], share[s, x], row[s, x] = layers.examined[at], table.estimate[at], at
    return people, share, row.astype(np.intp)
