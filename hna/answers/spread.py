"""Where need is expected: the assessed areas among the authorities of their region, on the rates that all of them share.

A map of expected need shows who lives where. It holds nothing local but that, so no area on it is tested, ranked or called
a hot spot (R401). People known are counted place by place, and a map of coverage may differ for local reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hna.answers.answer import Answer
from hna.answers.comparators import ENGLAND, REGION, Surroundings
from hna.answers.counted import Counted
from hna.answers.gap import use_of
from hna.answers.layers import Layer, Spread
from hna.answers.ledger import bridged
from hna.answers.paired import People
from hna.answers.subgroups import LEVELS
from hna.errors import HnaError
from hna.evidence.outlines import Outlines, read_outlines
from hna.evidence.population import Population, areas_and_years, read_population
from hna.evidence.shelf import Shelf
from hna.measure.areas import Area

AUTHORITIES = LEVELS["authority"]
FEWEST = 2
"""Fewer authorities than this make no map: there is nothing to see one beside."""
_SAME = 1e-9
"""Shares that differ by less, one to the other, differ in the last digits of a division only."""


def spread(
    found: Answer, populations: Sequence[Population], gap_year: Mapping[tuple[str, str], int], shelf: Shelf
) -> Spread:
    """Expected need, and coverage where there are counts, in every authority of the regions that hold the areas assessed.

    Parameters
    ----------
    found : the answer to one need; of a protected answer the counts are those printed.
    populations : the people it was made from.
    gap_year : for each source of counts and area code, the year of need that it is compared with.
    shelf : where the authorities' people, the lookups and the outlines are.

    Returns
    -------
    Spread
        With the reason in words where something cannot be drawn.

    Raises
    ------
    SourceError
        If outlines or a lookup on the shelf are wrong.
    """
    return _Spreader(found, populations, gap_year, shelf).spread()


def _kind(code: str) -> object:
    """Areas of one kind are drawn together: authorities of every kind, or wards, or small areas."""
    return AUTHORITIES if code.startswith(AUTHORITIES) else code[:3]


@dataclass(frozen=True, eq=False)
class _Spreader:
    found: Answer
    populations: Sequence[Population]
    gap_year: Mapping[tuple[str, str], int]
    shelf: Shelf

    @cached_property
    def around(self) -> Surroundings:
        return Surroundings(self.shelf)

    @cached_property
    def areas(self) -> list[Area]:
        return list({area.code: area for population in self.populations for area in population.areas}.values())

    @cached_property
    def outlines(self) -> Outlines:
        return read_outlines(self.shelf)

    @cached_property
    def wholes(self) -> dict[str, str]:
        """Region or nation that is drawn for each assessed area that lies in one."""
        found = {}
        for area in self.areas:
            region = self.around.of(area.code, ("region",))
            if area.code.startswith((REGION, ENGLAND)):
                found[area.code] = area.code
            elif region:
                found[area.code] = region[0].code
        return found

    def spread(self) -> Spread:
        if self.found.model.population:
            return Spread(why_no_need=f"nobody on the shelf counts {self.found.model.group} in the authorities around")
        own = {area.code: self._own(area.code) for area in self.areas if area.code in self.wholes}
        drawn = {code for code, whole in self.wholes.items() if own[code] or code == whole}
        if not drawn:
            return Spread(why_no_need=self._why())
        wholes = dict.fromkeys(whole for code, whole in self.wholes.items() if code in drawn)
        kinds = {_kind(one) for code in drawn for one in own[code]} if set(drawn) - set(wholes) else {AUTHORITIES}
        codes = {
            one for code in drawn for one in self.around.inside(self.wholes[code], code) & self.outlines.rings.keys()
            if _kind(one) in kinds
        }  # fmt: skip
        marked = {code: own[code] for code in own if code in drawn and code != self.wholes[code]}
        names = tuple(self.around.names().get(one, one) for one in wholes)
        need, why_no_need = self._need(codes)
        coverage, why_no_coverage = self._coverage(codes)
        outlines = self.outlines.of(codes) if need or coverage else Outlines()
        return Spread(names, marked, outlines, need, coverage, why_no_need, why_no_coverage)

    def _own(self, code: str) -> tuple[str, ...]:
        """Outlines that make up an area: its own, or those of its districts."""
        if code in self.outlines.rings:
            return (code,)
        inside = self.around.inside(code, code) & self.outlines.rings.keys()
        return tuple(sorted(one for one in inside if one.startswith(AUTHORITIES)))

    def _why(self) -> str:
        if not self.wholes:
            return "the areas assessed are in no lookup that places them in a region of England"
        return "no outlines of areas as small as these are on the shelf"

    def _need(self, codes: set[str]) -> tuple[Layer | None, str]:
        """Expected need by the latest estimate of people that holds an area drawn."""
        having = [one for one in self.populations if any(area.code in self.wholes for area in one.areas)]
        counted = [one for one in having if one.source.basis != "projection"]
        latest = max(counted, key=lambda one: one.years[-1], default=having[0])
        year = latest.years[-1] if counted else latest.years[0]
        layer, why = self._layer(latest, year, codes)
        if layer is not None and np.ptp(layer.expected / layer.people) <= _SAME * np.max(layer.expected / layer.people):
            return None, "one published rate holds at all of these ages, so the share expected is the same everywhere"
        return layer, why

    def _coverage(self, codes: set[str]) -> tuple[Layer | None, str]:
        """People known over expected need, by the one service that counts them in an assessed area."""
        table = self.found.figures
        table = table[(table["quantity"] == "coverage") & (table["age_band"] == "all")]
        covered = set(zip(table["area_code"], table["year"].astype(int), strict=True))
        for area in self.areas:
            names = {
                name for (name, code), year in self.gap_year.items() if code == area.code and (code, year) in covered
            }
            aligned = [one for one in self.found.ledgers if one.area == area and one.known in names and one.aligned]
            if area.code not in self.wholes or not aligned:
                continue
            if len({one.known for one in aligned}) > 1:
                return None, "several services count them, and may count the same people"
            name = aligned[0].known
            year = self.gap_year[name, area.code]
            people = next(one for one in self.populations if area in one.areas and year in one.years)
            counts = next(one for one in self.found.known if one.source.id == name)
            use = use_of(self.found.model, name)
            counted = Counted(counts, area, year, use, self.found.rates, any(map(bridged, aligned)))
            if area.code in counts.area_code:
                return self._layer(people, year, codes, counted)
        return None, ""

    def _layer(
        self, population: Population, year: int, codes: set[str], counted: Counted | None = None
    ) -> tuple[Layer | None, str]:
        name = population.source.id
        held = {area.code: area for area in areas_and_years(self.shelf, name)[0].areas}
        counts = held.keys() if counted is None else held.keys() & counted.held
        units: dict[str, list[str]] = {}
        nesting = self.around.nesting(next(iter(self.wholes)))
        for code in sorted(codes):
            above = [one for one in nesting.ancestors(code) if not one.startswith((REGION, ENGLAND))]
            unit = next((one for one in (code, *above) if one in counts), None)
            if unit is not None:
                units.setdefault(unit, []).append(code)
        if len(units) < FEWEST:
            what = f"the people of {name}" if counted is None else f"{name} on the shelf has a count"
            of = f"{len(units)} of the {len(codes)} authorities"
            return None, f"{what} are of {of} only" if counted is None else f"{what} in {of} only"
        areas = sorted((held[code] for code in units), key=lambda area: (area.name, area.code))
        try:
            people = People(self.found.rates, read_population(self.shelf, name, sorted(units), [year]))
            layer = Layer(
                year, tuple(areas), tuple(tuple(units[area.code]) for area in areas),
                np.array([float(people.total([area.code]).sum()) for area in areas]),
                np.array([people.headline([area.code]) for area in areas]),
            )  # fmt: skip
            return (layer if counted is None else self._counted(layer, people, counted)), ""
        except HnaError as error:
            return None, error.faults[0].what

    def _counted(self, layer: Layer, people: People, counted: Counted) -> Layer:
        """A layer with the people known to one service, and coverage as the report has it."""
        table = self.found.figures
        table = table[(table["quantity"] == "coverage") & (table["age_band"] == "all") & (table["year"] == layer.year)]
        table = table[(table["severity"] == self.found.rates.severities[0]) & (table["sex"] == self.found.model.sex)]
        reported = dict(zip(table["area_code"], table["estimate"].astype(float), strict=True))
        known, coverage = [], []
        for area in layer.areas:
            here = counted.known([area.code])
            known.append(here.middle)
            own = reported.get(area.code, np.nan)
            if np.isnan(own):
                own = float(np.median(here.low / np.maximum(people.there([area.code], area.code), 1.0)))
            coverage.append(own)
        return replace(layer, known=tuple(known), coverage=tuple(coverage), source=counted.counts.source.id)
