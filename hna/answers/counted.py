"""One service's counts of every area, as they are set beside those of one area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hna.answers.known_people import KnownPeople, known_people, rows_for
from hna.answers.ledger import nearest
from hna.evidence.known import Known
from hna.measure.areas import Area
from hna.model.rates import Rates
from hna.model.spec import KnownUse


@dataclass(frozen=True, eq=False)
class Counted:
    """Counts in the year that an area's own count is of.

    Parameters
    ----------
    counts : of every area and year.
    area, year : of the need that the count is compared with.
    use : how the model uses the count.
    rates : of the need.
    bridged : whether the count's own ages are taken whole, to be cut by a factor.
    """

    counts: Known
    area: Area
    year: int
    use: KnownUse
    rates: Rates
    bridged: bool

    @cached_property
    def printed(self) -> Known:
        """The counts of every area in the year that the area's own is of."""
        own = self.counts.take(self.counts.area_code == self.area.code)
        when = nearest([self.year], own.years)[1]
        return self.counts.take(self.counts.year == when)

    @cached_property
    def held(self) -> set[str]:
        """Areas whose counts are all printed, for the same ages, sexes and strata as the area's own."""
        cells: dict[str, set[tuple[object, ...]]] = {}
        hidden = set()
        held = self.printed
        for n, code in enumerate(held.area_code.tolist()):
            cells.setdefault(code, set()).add((held.sex[n], held.bands[n], held.severity[n], held.service[n]))
            if np.isnan(held.count[n]):
                hidden.add(code)
        same = cells[self.area.code]
        return {code for code, own in cells.items() if own == same and code not in hidden}

    def known(self, codes: Sequence[str], draws: int | None = None) -> KnownPeople:
        """People known in some areas together, with the measurement model of the count: one factor for all of them.

        Parameters
        ----------
        codes : of the areas.
        draws : how many; None for as many as the rates have.
        """
        rates = self.rates
        held = self.printed.take(np.isin(self.printed.area_code.astype(str), list(codes)))
        rows = rows_for(held, rates.model.band, rates.model.sex, bridged=self.bridged)
        return known_people(held, rows, self.use, rates.seed, draws or rates.size)
