"""The conductor: a model and the shelf become draws of the rate, and a record of what each step did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit, logit

from hna.errors import AxisError, Fault, ModelError, SourceError
from hna.evidence.population import areas_and_years, read_population
from hna.evidence.prevalence import Prevalence, read_prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import PopulationSource, PrevalenceSource
from hna.measure.ages import AgeAxis, AgeBand, common_refinement
from hna.measure.draws import DEFAULT_DRAWS, check_draws, normal, uniform
from hna.measure.estimate import Estimate, Universe
from hna.model.defaults import Defaults, read_defaults
from hna.model.spec import Model
from hna.model.strata import Layers, layers_of, split_by

Array = NDArray[np.float64]
TERMS = ("study", "staleness", "transport")
ENGLAND = "E92000001"


@dataclass(frozen=True, eq=False)
class Part:
    """One source's contribution: its layers, and the errors that no sampling interval holds.

    Parameters
    ----------
    layers : rates with sampling error, on the part's own ages.
    study, transport, staleness : standard deviations on the logit scale (staleness for each year).
    reasons : where each came from, in words.
    """

    layers: Layers
    study: float
    transport: float
    staleness: float
    reasons: dict[str, str]

    @property
    def source(self) -> PrevalenceSource:
        """Its record."""
        return self.layers.table.source


@dataclass(frozen=True, eq=False)
class Rates(Estimate):
    """Draws of a rate, with what is needed to carry it to a place and a year.

    ``draws`` hold sampling and study error: the rate where and when it was studied. `at` adds staleness and transport.

    Parameters
    ----------
    model : what it was made for.
    groups : parts whose ages follow each other; the parts within a group are alternatives, drawn with equal weight.
    strata : names of the exclusive strata of severity; empty if cases are not divided.
    layers : names of the layers, blank for all cases together.
    seed : of every stream.
    defaults : what was assumed.
    """

    model: Model = None  # type: ignore[assignment]
    groups: tuple[tuple[Part, ...], ...] = ()
    strata: tuple[str, ...] = ()
    layers: tuple[str, ...] = ("",)
    sexes: tuple[str, ...] = ("persons",)
    ages: AgeAxis = AgeAxis((AgeBand(0, None),))
    seed: int = 0
    defaults: Defaults = None  # type: ignore[assignment]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Draws."""
        return int(self.draws.sizes["draw"])

    @property
    def parts(self) -> list[Part]:
        """Every part."""
        return [part for group in self.groups for part in group]

    @property
    def severities(self) -> tuple[str, ...]:
        """Labels along severity: blank for all cases together, then strata."""
        return (*self.layers, *self.strata)

    @property
    def has_transport(self) -> bool:
        """Whether areas have rates of their own."""
        return any(part.transport > 0 for part in self.parts)

    @property
    def changes_by_year(self) -> bool:
        """Whether years have rates of their own."""
        return any(part.staleness > 0 and part.source.study.fieldwork for part in self.parts)

    def mean(self) -> Array:
        """Published rates, shape (severity, sex, age): all layers, then exclusive strata."""
        blocks = []
        for group in self.groups:
            means = [_spread(part.layers.mean, part, self.sexes) for part in group]
            top = np.mean(means, axis=0)
            if self.strata:
                shares = np.mean([_spread(_share_mean(part), part, self.sexes) for part in group], axis=0)
                top = np.concatenate([top, top[:1] * shares])
            blocks.append(top)
        return np.concatenate(blocks, axis=-1)

    def at(self, area: str, year: int, terms: Sequence[str] = TERMS) -> Array:
        """Draws of the rate in an area and year.

        ``logit p = logit(sampling draw) + study + staleness·(year − fieldwork) + transport(area)``, each error shared by
        every cell, and the whole moved by ``−½σ²(1 − 2p)`` so that the mean stays the published rate (methods §1.4).

        Parameters
        ----------
        area : code; it keys the transport error, so that the same area always gets the same draws.
        year : calendar year.
        terms : which errors to add to sampling.

        Returns
        -------
        array of shape (severity, sex, age, draw): layers, then exclusive strata; proportions.
        """
        blocks = []
        for group in self.groups:
            drawn = [_spread(self._layer_draws(part, area, year, terms), part, self.sexes) for part in group]
            top = drawn[0] if len(group) == 1 else self._mix(drawn, "mixture")
            if self.strata:
                shares = [_spread(_shares(part), part, self.sexes) for part in group]
                share = shares[0] if len(group) == 1 else self._mix(shares, "mixture")
                top = np.concatenate([top, top[:1] * share])
            blocks.append(top)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=2)

    def _layer_draws(self, part: Part, area: str, year: int, terms: Sequence[str]) -> Array:
        drawn = part.layers.draws
        noise, variance = np.zeros(self.size), 0.0
        name = part.source.id
        if "study" in terms and part.study > 0:
            noise = noise + part.study * normal(self.seed, f"study:{name}", self.size)
            variance += part.study**2
        middle = part.source.study.mid_fieldwork
        if "staleness" in terms and part.staleness > 0 and middle is not None:
            spread = part.staleness * abs(year + 0.5 - middle)
            noise = noise + spread * normal(self.seed, f"staleness:{name}", self.size)
            variance += spread**2
        if "transport" in terms and part.transport > 0:
            noise = noise + part.transport * normal(self.seed, f"transport:{name}:{area}", self.size)
            variance += part.transport**2
        if variance == 0.0:
            return drawn
        return shift_logit(drawn, noise, variance)

    def _mix(self, alternatives: list[Array], name: str) -> Array:
        points = uniform(self.seed, f"{name}:{self.model.need}", self.size)
        chosen = np.minimum((points * len(alternatives)).astype(int), len(alternatives) - 1)
        return np.choose(chosen, alternatives)


def shift_logit(rate: Array, noise: Array, variance: float) -> Array:
    """Rates moved by noise on the logit scale, means kept.

    Parameters
    ----------
    rate : shape (..., draw), proportions inside (0, 1).
    noise : shape (draw,), normal with mean 0.
    variance : of the noise.

    Returns
    -------
    array like `rate`; its mean differs from that of `rate` by under 0.5 % for a standard deviation up to 0.5.
    """
    moved: Array = expit(logit(rate) + noise - 0.5 * variance * (1 - 2 * rate))
    return moved


def _share_mean(part: Part) -> Array:
    if part.layers.share_mean is None:
        raise ModelError(f"{part.source.id} does not divide cases into strata, and another source of the model does")
    return part.layers.share_mean


def _shares(part: Part) -> Array:
    if part.layers.shares is None:
        raise ModelError(f"{part.source.id} does not divide cases into strata, and another source of the model does")
    return part.layers.shares


def _spread(values: Array, part: Part, sexes: Sequence[str]) -> Array:
    """Persons' rates used for each sex, where another part has rates by sex."""
    if part.layers.sexes == tuple(sexes):
        return values
    return np.repeat(values, len(sexes), axis=1)


def make_rates(model: Model, shelf: Shelf, draws: int = DEFAULT_DRAWS, seed: int = 0) -> Rates:
    """The rate that a model states, as draws.

    Parameters
    ----------
    model : the model file.
    shelf : where its sources are.
    draws : how many.
    seed : of every stream.

    Returns
    -------
    Rates over severity, sex, age, draw; proportions.

    Raises
    ------
    ModelError, SourceError, AxisError
        What is wrong with the model or its sources.
    """
    check_draws(draws)
    if model.local:
        raise ModelError(_not_here("local", "local adjustment"))
    if model.prevalence.combine in ("random-effects", "envelope"):
        raise ModelError(_not_here("prevalence.combine", model.prevalence.combine))
    defaults = read_defaults(shelf)
    parts = [_part(model, shelf, used.source, used.ages, draws, seed, defaults) for used in model.prevalence.sources]
    _one_condition(parts)
    groups = _group(model, parts)
    groups = [_same_ages(group) for group in groups]
    axis = AgeAxis(tuple(band for group in groups for band in group[0].layers.ages.bands))
    if axis.span != model.band:
        what = f"the sources cover ages {axis.span.label}, and the model asks for {model.band.label}"
        raise AxisError(Fault(what, "Nothing is extrapolated outside a source's ages", field="ages", code="R201"))
    sexes = max((part.layers.sexes for part in parts), key=len)
    strata = parts[0].layers.strata
    names = parts[0].layers.names
    if any(part.layers.strata != strata or part.layers.names != names for part in parts):
        raise ModelError(
            Fault(
                "the sources divide cases differently", "Use sources with the same strata", field="prevalence.sources"
            )
        )
    first = parts[0].source
    universe = Universe(
        first.condition, "; ".join(dict.fromkeys(part.source.case_definition for part in parts)), model.band, model.sex,
        period=first.measure, stands_for=model.denominator.stands_for if model.denominator else None,
    )  # fmt: skip
    blank = xr.DataArray(0.0)
    notes = tuple(dict.fromkeys(f"{part.source.id}: {note}" for part in parts for note in part.layers.notes))
    bare = Rates(
        blank, blank.expand_dims(draw=draws), "prevalence", "proportion", universe, (), (), model=model,
        groups=tuple(groups), strata=strata, layers=names, sexes=sexes, ages=axis, seed=seed, defaults=defaults, notes=notes,
    )  # fmt: skip
    return _labelled(bare, parts)


def _labelled(bare: Rates, parts: list[Part]) -> Rates:
    dims = ("severity", "sex", "age")
    coords = {"severity": list(bare.severities), "sex": list(bare.sexes), "age": bare.ages.labels}
    headline = xr.DataArray(bare.mean(), dims=dims, coords=coords)
    drawn = xr.DataArray(bare.at("", 0, terms=("study",)), dims=(*dims, "draw"), coords=coords)
    if len(bare.severities) == 1:
        headline, drawn = headline.isel(severity=0, drop=True), drawn.isel(severity=0, drop=True)
    citations = {part.source.id: part.source for part in parts}
    splitter = bare.model.prevalence.severity
    flags = dict.fromkeys(flag for part in parts for flag in part.layers.flags)
    if any("default" in reason for part in parts for reason in part.reasons.values()):
        flags["W131"] = None
    if any(part.source.study.frame == "household" for part in parts):
        flags["W522"] = None
    if bare.ages.widest > 10 or (len(bare.ages.bands) == 1 and bare.ages.bands[0].high is None):
        flags["W202"] = None
    if not bare.model.best_practice:
        flags["W902"] = None
    found = Rates(
        headline, drawn, "prevalence", "proportion", bare.universe, tuple(citations.values()), tuple(sorted(flags)),
        model=bare.model, groups=bare.groups, strata=bare.strata, layers=bare.layers, sexes=bare.sexes, ages=bare.ages,
        seed=bare.seed, defaults=bare.defaults,
        notes=(*bare.notes, *((f"severity: {splitter}",) if splitter else ())),
    )  # fmt: skip
    _check_mean(found)
    return found


def _check_mean(rates: Rates) -> None:
    """The mean of the draws is the published rate, to within Monte Carlo error or half a per cent (R141)."""
    drawn = rates.draws.transpose(..., "draw").values
    headline = rates.headline.values
    error = 4 * drawn.std(axis=-1) / np.sqrt(drawn.shape[-1])
    off = np.abs(drawn.mean(axis=-1) - headline) > np.maximum(error, 0.005 * headline)
    if off.any():
        rows = [
            f"published {headline[tuple(at)]:.5g}, mean of draws {drawn[tuple(at)].mean():.5g}"
            for at in np.argwhere(off)[:5]
        ]
        raise ModelError(
            Fault(
                "draws do not have the published rate as their mean",
                "Are the error terms too wide?",
                rows=rows,
                code="R141",
            )
        )


def _not_here(field: str, what: str) -> Fault:
    remedy = "Use combine: single or mixture, and no local step"
    return Fault(f"{what} cannot be run by this version", remedy, field=field)


def _part(model: Model, shelf: Shelf, name: str, ages: str | None, draws: int, seed: int, defaults: Defaults) -> Part:
    table = read_prevalence(shelf, name)
    source = table.source
    if source.measure == "proportion-of-cases":
        remedy = "Name it under prevalence.severity, and give a prevalence under prevalence.sources"
        raise ModelError(Fault(f"{name} divides cases; it is no prevalence", remedy, field="prevalence.sources"))
    _no_unnamed_split(table)
    wanted = model.band if ages is None else AgeBand.parse(ages)
    if ages is not None and not wanted.meets(model.band):
        raise ModelError(
            Fault(f"{name} is used for ages {ages}, outside the model's {model.ages}", field="prevalence.sources")
        )
    if ages is not None:
        wanted = _overlap(wanted, model.band)
    judged = model.prevalence.judged
    span = None if judged is None else (judged.relative[0], judged.relative[1])
    layers = layers_of(table, wanted, model.sex, draws, seed, defaults.design_effect, span)
    if model.prevalence.severity:
        splitter = read_prevalence(shelf, model.prevalence.severity)
        layers = split_by(layers, splitter, seed, defaults.design_effect, span)
    if model.prevalence.ages == "graduate":
        layers = _graduated(layers, shelf)
    errors = model.prevalence.errors
    risk = source.appraisal.overall
    if errors.study is not None:
        study, why = errors.study, errors.because or ""
    elif risk is not None:
        study, why = defaults.study[risk], f"default for {risk} risk of bias"
    else:
        study, why = defaults.study["high"], "default for a study that was not appraised"
    reasons = {"study": why}
    transport = defaults.transport if errors.transport is None else errors.transport
    staleness = defaults.staleness if errors.staleness is None else errors.staleness
    reasons["transport"] = "default" if errors.transport is None else errors.because or ""
    reasons["staleness"] = "default" if errors.staleness is None else errors.because or ""
    return Part(layers, study, transport, staleness, reasons)


def _no_unnamed_split(table: Prevalence) -> None:
    if table.split_by:
        remedy = "Use a source for all groups together, or a local adjustment that names the factor"
        raise SourceError(Fault(f"{table.source.id} has rates by {', '.join(table.split_by)}", remedy))


def _overlap(a: AgeBand, b: AgeBand) -> AgeBand:
    end = min(a.end, b.end)
    return AgeBand(max(a.low, b.low), None if np.isinf(end) else int(end) - 1)


def _graduated(layers: Layers, shelf: Shelf) -> Layers:
    """Rates by single year of age, keeping each band's rate over England's population."""
    from hna.measure.graduate import graduate_rates

    reference = _england(shelf)
    single = reference.ages.within(layers.ages.span)
    sexes = layers.sexes
    people = reference.on(sexes, single).people[0, -1]
    mean, drawn = (
        np.empty((*layers.mean.shape[:-1], len(single.bands), *extra)) for extra in ((), (layers.draws.shape[-1],))
    )
    for x in range(len(sexes)):
        mean[:, x] = graduate_rates(layers.mean[:, x], layers.ages, people[x], single)
        smooth = graduate_rates(np.moveaxis(layers.draws[:, x], -1, 1), layers.ages, people[x], single)
        drawn[:, x] = np.clip(np.moveaxis(smooth, 1, -1), 1e-15, 1 - 1e-15)
    where = layers.ages.index_of(single)
    note = f"rates graduated by single year of age (PCHIP), each band's rate kept over England in {reference.source.id}"
    return Layers(
        layers.table, layers.names, sexes, single, mean, drawn, layers.strata,
        None if layers.share_mean is None else layers.share_mean[..., where],
        None if layers.shares is None else layers.shares[:, :, where],
        (*layers.notes, note), layers.flags,
    )  # fmt: skip


def _england(shelf: Shelf):  # type: ignore[no-untyped-def]
    for record in shelf.records(PopulationSource):
        gazetteer, _ = areas_and_years(shelf, record.id)
        if record.basis == "estimate" and any(area.code == ENGLAND for area in gazetteer.areas):
            found = read_population(shelf, record.id, [ENGLAND])
            if found.ages.widest == 1:
                return found
    remedy = "Use ages: step, or put a mid-year estimate for England by single year on the shelf"
    raise ModelError(Fault("rates cannot be graduated without a reference population", remedy, field="prevalence.ages"))


def _one_condition(parts: list[Part]) -> None:
    for field in ("condition", "measure"):
        held = {part.source.id: getattr(part.source, field) for part in parts}
        if len(set(held.values())) > 1:
            rows = [f"{name}: {value}" for name, value in held.items()]
            code = "R171" if field == "measure" else ""
            remedy = "Put each in a model of its own: different things are not combined"
            raise ModelError(
                Fault(
                    f"the sources have different values of {field}",
                    remedy,
                    field="prevalence.sources",
                    rows=rows,
                    code=code,
                )
            )


def _group(model: Model, parts: list[Part]) -> list[list[Part]]:
    """Parts stacked by age under `single`; alternatives under `mixture`."""
    if model.prevalence.combine == "mixture":
        if len(parts) < 2:
            raise ModelError(
                Fault("a mixture needs two sources or more", "Use combine: single", field="prevalence.combine")
            )
        return [parts]
    ordered = sorted(parts, key=lambda part: part.layers.ages.span.low)
    for before, after in zip(ordered, ordered[1:], strict=False):
        a, b = before.layers.ages.span, after.layers.ages.span
        if a.end != b.low:
            what = f"{before.source.id} ({a.label}) and {after.source.id} ({b.label}) {'overlap' if a.end > b.low else 'leave a gap'} in age"
            remedy = "Say which ages to take from each ({source: …, ages: …}), or use combine: mixture"
            raise ModelError(Fault(what, remedy, field="prevalence.sources"))
    return [[part] for part in ordered]


def _same_ages(group: list[Part]) -> tuple[Part, ...]:
    if len(group) == 1:
        return (group[0],)
    axis = common_refinement([part.layers.ages for part in group])
    sexes = max((part.layers.sexes for part in group), key=len)
    even = []
    for part in group:
        old = part.layers
        where = old.ages.index_of(axis)
        times = len(sexes) // len(old.sexes)

        def spread(values: Array | None, at: NDArray[np.intp] = where, n: int = times) -> Array | None:
            return None if values is None else np.repeat(values, n, axis=1)[:, :, at]

        layers = Layers(
            old.table, old.names, sexes, axis, np.repeat(old.mean, times, axis=1)[:, :, where],
            np.repeat(old.draws, times, axis=1)[:, :, where], old.strata, spread(old.share_mean), spread(old.shares),
            old.notes, old.flags,
        )  # fmt: skip
        even.append(Part(layers, part.study, part.transport, part.staleness, part.reasons))
    return tuple(even)
