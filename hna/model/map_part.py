"""Counts of places in a model file: smoothed over the map, they give every place a rate (BYM2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, logit

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.prevalence import Prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource, MeasuresSource, PopulationSource, PrevalenceSource
from hna.evidence.study import Appraisal, Study, Uncertainty
from hna.measure.draws import uniform
from hna.model.defaults import Defaults
from hna.model.fit_sampler import Diagnostics
from hna.model.fit_store import LEAST, TUNE, Task, cut, fingerprint, usable
from hna.model.map_asked import MAP_FIELD, AskedMap, asked_map
from hna.model.places import Places, Told, part_of
from hna.model.rates_parts import Part, by_severity
from hna.model.rules import rules
from hna.model.spatial import rate_of, sampled_map
from hna.model.spatial_laplace import solve_map
from hna.model.spec import Model
from hna.model.strata import Layers

Array = NDArray[np.float64]

_FEWEST = 1000
"""Draws that are made even where fewer are asked for: Pareto k̂ cannot be told from a handful."""
_JEFFREYS = 0.5
_LISTED = 8
_FORM = 1
"""Number of the model's form, part of the fingerprint of a stored fit."""


@dataclass(frozen=True, eq=False)
class MapPlaces(Places):
    """Rates of places from smoothed counts.

    Parameters
    ----------
    asked : what was smoothed.
    smooth : shape (area, draw), the smoothed rate of all together, or ratio to the expected.
    level : shape (sex, age, draw), rates of all areas together, which ratios multiply; ones where rates were smoothed.
    settled : shape (area,), share of the area's effect that its own count settles.
    """

    asked: AskedMap
    smooth: Array
    level: Array
    settled: Array

    def _own(self, places: Sequence[str]) -> Array:
        at = [self._at(place) for place in places]
        found: Array = self.smooth[at][:, None, None, :] * self.level
        if (found >= 1).any():
            remedy = "Give counts of all ages together, which are smoothed as shares"
            what = "smoothed ratios take a rate above one"
            raise ModelError(
                Fault(what, remedy, field=MAP_FIELD, rows=[places[n] for n in np.nonzero(found >= 1)[0][:5]])
            )
        return found

    def _at(self, place: str) -> int:
        if place not in self.asked.areas:
            remedy = "Ask for one of the areas counted, or for a larger one that they make up"
            what = (
                f"{self.asked.source.id} has no count of {place}, and a map says nothing of places that are not on it"
            )
            raise AxisError(Fault(what, remedy, field="area"))
        return self.asked.areas.index(place)

    def told(self, area: str) -> Told:
        """People counted among, the place's own rate, and how far it is drawn to the places around."""
        shared = self.shared_told(area)
        if shared is not None:
            return shared
        n = self._at(area)
        people = float(self.asked.people[n].sum())
        return Told(people, float(self.asked.cases[n].sum()) / people, 1.0 - float(self.settled[n]))


def map_part(
    model: Model, shelf: Shelf, draws: int, seed: int, defaults: Defaults
) -> tuple[Part, Places, tuple[AreasSource | MeasuresSource | PopulationSource, ...]]:
    """The rate of every place on a map, from counts there and around it (`hna.model.spatial.smooth`).

    Counts of all together are smoothed as shares: ``cases ~ Binomial(people, π(place))``, and every age has the place's rate.
    Counts by sex or age are smoothed as ratios: ``cases ~ Poisson(expected·ρ(place))``, expected by the rates of all areas together,
    and ``π(place, sex, age) = π(sex, age)·ρ(place)``. The rates of all areas together have the error of their counts, the
    total held in every draw, since it is in ρ already.

    Returns
    -------
    part for all places together, the rates of places, and further sources.

    Raises
    ------
    ModelError
        R432 for fewer areas than `Rules.map_areas`; R431 for estimates in place of counts; R602 for hidden counts; R604 for
        episodes; R311, R411 as for a survey; R393, R391 where a sampler's draws are needed and there are none, or they
        failed.

    References
    ----------
    As `hna.model.spatial.smooth`.
    """
    asked = asked_map(model, shelf)
    smooth, sigma, words = _smoothed(model, shelf, asked, draws, seed)
    level, settled = _level(asked, seed, draws), _settled(asked, smooth, sigma)
    places = MapPlaces(asked.sexes, asked.ages, asked.ground, asked, smooth, level, settled)
    whole = places.whole()[None]
    notes = _notes(asked, places, sigma, words)
    layers = Layers(_record(asked, model), ("",), asked.sexes, asked.ages, whole.mean(axis=-1), whole, notes=notes)
    layers = by_severity(model, shelf, layers, seed, defaults)
    measures = () if asked.measures is None else (asked.measures.source,)
    also = (*measures, *asked.drawn, asked.ground.source)
    return part_of(model, layers, None, defaults, asked.source.id), places, also


def map_task(model: Model, shelf: Shelf, draws: int, seed: int) -> Task:
    """What `hna fit` does for the map of a model."""
    asked = asked_map(model, shelf)

    def sampled(sampler: str) -> tuple[Mapping[str, Array], Diagnostics]:
        engine = "pymc" if sampler == "pymc" else "nutpie"
        arrays, diagnostics = sampled_map(asked.problem, engine, max(draws, LEAST), TUNE, seed)
        return {name: cut(arrays[name], draws) for name in ("eta", "sigma")}, diagnostics

    def quick() -> float:
        held = solve_map(asked.problem, max(draws, _FEWEST), seed, asked.source.id)
        _check_khat(held.khat)
        return held.khat

    return Task("map", _key(asked, draws, seed), asked.use.sampler == "nuts", quick, sampled)


def _key(asked: AskedMap, draws: int, seed: int) -> str:
    held = asked.problem
    # Of the borders, not of the basis made from them: eigenvectors depend on the machine and on how many threads it gives.
    return fingerprint(
        held.cases,
        held.size,
        held.design,
        asked.borders.joined,
        held.prior,
        [held.scale, held.mixing],
        held.family,
        _FORM,
        draws,
        seed,
    )


def _check_khat(khat: float) -> None:
    if khat >= rules().khat_below:
        remedy = "Run `hna fit`"
        what = f"Pareto k̂ is {khat:.2f}: importance sampling may not be trusted"
        raise ModelError(Fault(what, remedy, code="R392"))


def _smoothed(model: Model, shelf: Shelf, asked: AskedMap, draws: int, seed: int) -> tuple[Array, Array, str]:
    """Smoothed rates or ratios, shape (area, draw), areas' standard deviation, shape (draw,), and how they were found."""
    if asked.use.sampler == "laplace":
        held = solve_map(asked.problem, max(draws, _FEWEST), seed, asked.source.id)
        if held.khat < rules().khat_below:
            words = f"nested Laplace, Pareto k̂ {held.khat:.2f}, effective draws {held.effective:,.0f}"
            return rate_of(held.eta[:draws], asked.problem.family), held.sigma[:draws], words
    arrays, words = usable(shelf.roots, f"{model.need}-map", _key(asked, draws, seed))
    return rate_of(arrays["eta"], asked.problem.family), arrays["sigma"], words


def _settled(asked: AskedMap, smooth: Array, sigma: Array) -> Array:
    """``1 − var(effect)/E σ²`` of each area, its effect what is left of all areas' mean."""
    eta = logit(smooth) if asked.problem.family == "binomial" else np.log(smooth)
    effect = eta - eta.mean(axis=0)
    found: Array = np.clip(1 - effect.var(axis=1) / float((sigma**2).mean()), 0.0, 1.0)
    return found


def _level(asked: AskedMap, seed: int, draws: int) -> Array:
    """Rates of all areas together by sex and age that ratios multiply, shape (sex, age, draw)."""
    shape = asked.cases.shape[1:]
    if asked.cells == 1:
        return np.ones((*shape, draws))
    cases, people = asked.cases.sum(axis=0), asked.people.sum(axis=0)
    # Means are the counts' own: only where nobody, or everybody, was counted is a little added.
    added = np.where((cases > 0) & (cases < people), 0.0, _JEFFREYS)
    drawn = np.empty((*shape, draws))
    for x, sex in enumerate(asked.sexes):
        for a, band in enumerate(asked.ages.labels):
            points = uniform(seed, f"map:{asked.source.id}:{sex}:{band}", draws)
            drawn[x, a] = betaincinv(cases[x, a] + added[x, a], people[x, a] - cases[x, a] + added[x, a], points)
    total: Array = (drawn * people[..., None]).sum(axis=(0, 1))
    found: Array = drawn * (cases.sum() / total)
    return found


def _record(asked: AskedMap, model: Model) -> Prevalence:
    """The counts as a prevalence record, so that condition, definition, date and citation are carried on."""
    source = asked.source
    kind = source.count_kind
    cases, size = float(asked.cases.sum()), float(asked.people.sum())
    record = PrevalenceSource(
        id=source.id, kind="prevalence", condition=source.condition, case_definition=source.case_definition,
        measure="point" if kind == "people-point" else kind.removeprefix("people-"), unit="proportion", decimals=9,
        uncertainty=Uncertainty(given="counts"), severity=None, citation=source.citation, read_from=source.read_from,
        study=Study(
            design="admin", frame="other", fieldwork=[asked.use.year, asked.use.year], geography=None, sample_size=None,
            response_rate=None, exclusions=None,
        ),
        appraisal=Appraisal(tool=None, overall=None, notes=None), sha256=source.sha256, title=source.title,
    )  # fmt: skip
    blank, nothing = np.full(1, np.nan), np.array([""], dtype=object)
    sex = np.array([model.sex], dtype=object)
    held, people = np.array([cases]), np.array([size])
    return Prevalence(record, nothing, sex, (asked.ages.span,), held / people, blank, blank, held, people, blank)


def _notes(asked: AskedMap, places: MapPlaces, sigma: Array, words: str) -> tuple[str, ...]:
    how = "as shares" if asked.cells == 1 else "as ratios to those expected by sex and age"
    parts = len(set(asked.borders.component.tolist()))
    settled = places.settled
    counted = (
        f"{asked.cases.sum():,.0f} people counted in {len(asked.areas)} areas ({asked.source.id}, {asked.use.year}), smoothed "
        f"over the map {how} ({words}); {asked.use.because}"
    )
    drawn = (
        f"areas differ by a standard deviation of {np.median(sigma):.2f} (median, on the scale of the model); their own counts "
        f"settle from {settled.min():.0%} to {settled.max():.0%} of an area's difference (median {np.median(settled):.0%}), and "
        "the rest is drawn from those around (shrinkage)"
    )
    notes = [counted, drawn]
    alone = asked.borders.islands
    if alone:
        named = ", ".join(asked.ground.names.get(code, code) for code in alone[:_LISTED])
        more = f" and {len(alone) - _LISTED} more" if len(alone) > _LISTED else ""
        notes.append(f"{len(alone)} areas border no other: {named}{more}")
    if parts > 1 + len(alone):
        notes.append(f"the map falls into {parts - len(alone)} parts and {len(alone)} areas alone")
    if asked.cells == 1 and len(asked.ages.bands) == 1:
        notes.append(
            f"one rate for everybody {asked.ages.span.words} in each place, since the counts are of all together"
        )
    if asked.source.disclosure and asked.source.disclosure.rounded_to:
        notes.append(f"counts are rounded to {asked.source.disclosure.rounded_to}, and taken as printed")
    return tuple(notes)
