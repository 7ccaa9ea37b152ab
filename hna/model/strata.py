"""One source's table on the model's ages: layers of probability, and how cases divide into strata of severity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

from hna.errors import Fault, ModelError
from hna.evidence.prevalence import Prevalence
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import AgeAxis, AgeBand, common_refinement
from hna.measure.draws import uniform
from hna.model.distribution import Sampling, below_standard, fit_beta, sampling_of

Array = NDArray[np.float64]

_SCORE_95 = float(ndtri(0.975))


@dataclass(frozen=True, eq=False)
class Layers:
    """A source's rates before any error beyond sampling.

    Parameters
    ----------
    table : the published table.
    names : layers, blank for all cases together; further names are overlapping strata, never added up.
    sexes, ages : axes.
    mean : shape (layer, sex, age), published proportions.
    draws : shape (layer, sex, age, draw).
    strata : names of exclusive strata, mildest first; empty if cases are not divided.
    share_mean : shape (stratum, sex, age), sums to one over strata.
    shares : shape (stratum, sex, age, draw), sums to one over strata in every draw.
    notes : what was done, in words.
    flags : diagnostic codes.
    divided_by : the record of another source whose shares divide the cases; None if its own or none do.
    examined : shape (row of the table,), effective numbers examined; None where the rates are no proportions of people examined.
    shaped_by : the record of the source whose pattern divides one rate among ages; None if none does.
    few_strata : strata whose share of cases, by another source, rests on too few to be reported by itself.
    """

    table: Prevalence
    names: tuple[str, ...]
    sexes: tuple[str, ...]
    ages: AgeAxis
    mean: Array
    draws: Array
    strata: tuple[str, ...] = ()
    share_mean: Array | None = None
    shares: Array | None = None
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    divided_by: PrevalenceSource | None = None
    examined: Array | None = None
    few_strata: tuple[str, ...] = ()
    shaped_by: PrevalenceSource | None = None


def layers_of(
    table: Prevalence,
    ages: AgeBand,
    sex: str,
    draws: int,
    seed: int,
    design_effect: float,
    judged: tuple[float, float] | None,
) -> Layers:
    """A source's rates on the ages and sex of a model, with their sampling error.

    Exclusive strata are drawn as a total and its division, so that they add up in every draw: a Beta for all cases and
    a Dirichlet for their shares. Cumulative strata are differenced first. Overlapping strata stay layers of their own.

    Parameters
    ----------
    table : published table.
    ages, sex : of the model.
    draws, seed : how many, and the seed of every stream.
    design_effect, judged : as in `sampling_of`.

    Raises
    ------
    AxisError
        R201 if ages outside the source are asked for.
    ModelError
        R151 if cumulative strata rise with severity.
    """
    sexes = _sexes(table, sex)
    sampling = sampling_of(table, design_effect, judged)
    kind = table.source.severity.kind if table.source.severity else None
    divided = kind in ("exclusive", "cumulative")
    names = tuple(table.strata) if kind == "overlapping" else ("",)
    total_printed = "" in table.strata
    axes = [table.axis(s, x).within(ages) for s in table.strata for x in sexes if len(table.rows(s, x))]
    axis = common_refinement(axes)
    if divided and not total_printed:
        table, sampling = _with_total(table, sampling, sexes, kind == "cumulative")
    mean = np.empty((len(names), len(sexes), len(axis.bands)))
    drawn = np.empty((*mean.shape, draws))
    for layer, name in enumerate(names):
        for at, held in enumerate(sexes):
            _fill(table, sampling, name, held, axis, mean[layer, at], drawn[layer, at], seed)
    notes = tuple(dict.fromkeys(sampling.family))
    flags = sampling.flags + (("R152",) if kind == "overlapping" and not total_printed else ())
    layers = Layers(
        table, names, sexes, axis, mean, drawn, notes=notes, flags=flags, examined=_examined(table, sampling)
    )
    return _divided(layers, sampling, kind == "cumulative", seed) if divided else layers


def _examined(table: Prevalence, sampling: Sampling) -> Array | None:
    """Effective numbers behind each row; of irregular limits those whose error on the logit scale is theirs. None for judged ranges."""
    if table.source.uncertainty.given == "none":
        return None
    error = (sampling.low + sampling.high) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        behind = 1 / (sampling.mean * (1 - sampling.mean) * error**2)
    return np.where(np.isfinite(sampling.effective), sampling.effective, behind)


def _sexes(table: Prevalence, sex: str) -> tuple[str, ...]:
    held = table.sexes
    if sex != "persons":
        if sex in held:
            return (sex,)
        if "persons" in held:
            return ("persons",)
        raise ModelError(
            Fault(f"{table.source.id} has {', '.join(held)}, not {sex}", "Use another source", field="sex")
        )
    if "female" in held and "male" in held:
        return ("female", "male")
    if "persons" in held:
        return ("persons",)
    remedy = f"Write sex: {held[0]} in the model, or add a source for the other sex"
    raise ModelError(Fault(f"{table.source.id} has rates for {held[0]} only", remedy, field="sex"))


def _fill(
    table: Prevalence,
    sampling: Sampling,
    severity: str,
    sex: str,
    axis: AgeAxis,
    mean: Array,
    drawn: Array,
    seed: int,
) -> None:
    own = table.axis(severity, sex)
    rows = table.rows(severity, sex)
    where = own.index_of(axis)
    source, draws = table.source.id, drawn.shape[-1]
    judged = table.source.uncertainty.given == "none"
    made: dict[int, Array] = {}
    for at, band in enumerate(where.tolist()):
        row = int(rows[band])
        if row not in made:
            cell = f"{source}:{severity}:{sex}:{own.labels[band]}"
            # What somebody judged is wrong in the same direction everywhere; sampling error is not.
            points = uniform(seed, f"judged:{source}" if judged else f"sampling:{cell}", draws)
            made[row] = sampling.draw(row, points, uniform(seed, f"rounding:{cell}", draws))
        mean[at] = sampling.mean[row]
        drawn[at] = made[row]


def _with_total(
    table: Prevalence, sampling: Sampling, sexes: tuple[str, ...], cumulative: bool
) -> tuple[Prevalence, Sampling]:
    """The same table with rows for all cases together, where the source prints only strata."""
    strata = table.strata
    more: dict[str, list[object]] = {
        name: [] for name in ("sex", "band", "mean", "size", "low", "high", "cases", "sample")
    }
    for sex in sexes:
        parts = [table.rows(name, sex) for name in strata]
        if len({tuple(table.bands[n] for n in rows) for rows in parts}) != 1:
            raise ModelError(
                Fault(f"strata of {table.source.id} have different ages", "Give each stratum the same bands")
            )
        for cells in zip(*parts, strict=True):
            cell = list(cells)
            top = cell[:1] if cumulative else cell
            total = float(sampling.mean[top].sum())
            if not 0 < total < 1:
                raise ModelError(
                    Fault(f"strata of {table.source.id} add up to {total:.3g}", "Are they overlapping?", code="R152")
                )
            more["sex"].append(sex)
            more["band"].append(table.bands[cell[0]])
            more["mean"].append(total)
            irregular = bool(np.isnan(sampling.effective[cell]).all())
            more["size"].append(np.nan if irregular else min(_size(sampling, row) for row in cell))
            more["low"].append(float(np.max(sampling.low[cell])))
            more["high"].append(float(np.max(sampling.high[cell])))
    extra = len(more["sex"])
    nothing = np.full(extra, np.nan)

    def longer(values: Array, added: object) -> Array:
        return np.concatenate([values, np.asarray(added, dtype=float)])

    longer_table = Prevalence(
        table.source,
        np.concatenate([table.severity, np.full(extra, "", dtype=object)]),
        np.concatenate([table.sex, np.array(more["sex"], dtype=object)]),
        (*table.bands, *(band for band in more["band"] if isinstance(band, AgeBand))),
        longer(table.estimate, more["mean"]),
        longer(table.lower, nothing),
        longer(table.upper, nothing),
        longer(table.cases, nothing),
        longer(table.sample, nothing),
        longer(table.standard_error, nothing),
    )
    return longer_table, Sampling(
        longer(sampling.mean, more["mean"]),
        longer(sampling.effective, more["size"]),
        longer(sampling.low, more["low"]),
        longer(sampling.high, more["high"]),
        sampling.half_rounding,
        (*sampling.family, *("sum of its strata",) * extra),
        sampling.flags,
    )


def _divided(layers: Layers, sampling: Sampling, cumulative: bool, seed: int) -> Layers:
    table = layers.table
    strata = [name for name in table.strata if name]
    shape = (len(strata), len(layers.sexes), len(layers.ages.bands))
    level = np.empty(shape)
    size = np.empty(shape)
    for s, name in enumerate(strata):
        for x, sex in enumerate(layers.sexes):
            rows = table.rows(name, sex)[table.axis(name, sex).index_of(layers.ages)]
            level[s, x] = table.estimate[rows]
            for a, row in enumerate(rows.tolist()):
                size[s, x, a] = _size(sampling, row)
    if cumulative:
        falling = level - np.concatenate([level[1:], np.zeros((1, *shape[1:]))])
        if (falling < 0).any():
            s, x, a = (int(n) for n in np.argwhere(falling < 0)[0])
            rows_ = [f"{strata[s]}, {layers.sexes[x]}, {layers.ages.labels[a]}"]
            remedy = "Cumulative strata are listed mildest first, and fall with severity"
            raise ModelError(Fault(f"strata of {table.source.id} rise with severity", remedy, rows=rows_, code="R151"))
        level = falling
    _check_sum(layers, level, strata)
    # A cell without cases is divided as the study's cases are.
    alike = np.broadcast_to(level.sum(axis=(1, 2), keepdims=True) / max(float(level.sum()), 1e-300), shape).copy()
    share = np.divide(level, level.sum(axis=0), out=alike, where=level.sum(axis=0) > 0)
    cases = np.maximum(size.min(axis=0) * layers.mean[0], 1.0)
    shares = dirichlet(share, cases, seed, f"severity:{table.source.id}", strata, layers, layers.draws.shape[-1])
    said = (*layers.notes, "strata drawn as shares of all cases, so that they add up in every draw")
    return replace(layers, strata=tuple(strata), share_mean=share, shares=shares, notes=said)


def _check_sum(layers: Layers, level: Array, strata: list[str]) -> None:
    """Refuse strata that do not add up to the printed total, rounding allowed for."""
    source = layers.table.source
    half = 0.5 * 10.0**-source.decimals / source.scale
    total = level.sum(axis=0)
    off = (np.abs(total - layers.mean[0]) > half * (len(strata) + 1) + 1e-12) & (total > 0)
    if off.any():
        rows = [
            f"{layers.sexes[x]}, {layers.ages.labels[a]}: {total[x, a]:.4g} against {layers.mean[0, x, a]:.4g}"
            for x, a in np.argwhere(off).tolist()
        ]
        remedy = "Exclusive strata add up to all cases, and the mildest cumulative one is all cases: are some left out?"
        raise ModelError(Fault(f"strata of {source.id} do not add up to the printed total", remedy, rows=rows))


def _size(sampling: Sampling, row: int) -> float:
    """Effective sample size of a row; of the Beta nearest to it where it has none."""
    if np.isfinite(sampling.effective[row]):
        return float(sampling.effective[row])
    mean = float(sampling.mean[row])
    odds = mean / (1 - mean)
    low = odds * np.exp(-_SCORE_95 * sampling.low[row])
    high = odds * np.exp(_SCORE_95 * sampling.high[row])
    return fit_beta(mean, low / (1 + low), high / (1 + high), _SCORE_95)


def dirichlet(
    share: Array, size: Array, seed: int, component: str, strata: list[str], layers: Layers, draws: int
) -> Array:
    """Draws of shares that add up to one, with the given mean.

    Each is a gamma variate divided by their sum; every gamma has a stratified stream of its own.

    Parameters
    ----------
    share : shape (stratum, sex, age), sums to one.
    size : shape (sex, age), total of the Dirichlet's parameters.

    References
    ----------
    Devroye L. Non-uniform random variate generation. Springer, 1986 (gammas over their sum). doi 10.1007/978-1-4613-8643-8.
    """
    drawn = np.empty((*share.shape, draws))
    for s, name in enumerate(strata):
        for x, sex in enumerate(layers.sexes):
            for a, band in enumerate(layers.ages.labels):
                points = uniform(seed, f"{component}:{name}:{sex}:{band}", draws)
                drawn[s, x, a] = gammaincinv(np.maximum(share[s, x, a] * size[x, a], 1e-9), points)
    total: Array = drawn / drawn.sum(axis=0)
    return total


def split_by(
    layers: Layers,
    table: Prevalence,
    seed: int,
    design_effect: float,
    judged: tuple[float, float] | None,
) -> Layers:
    """Cases divided by another source's shares (a proportion-of-cases source).

    Parameters
    ----------
    layers : rates for all cases together.
    table : shares, one row a stratum, for all cells or by sex and age.

    Raises
    ------
    ModelError
        If the source is not a division of cases, or its shares do not add up to one.
    """
    source = table.source
    if source.measure != "proportion-of-cases" or source.severity is None or source.severity.kind != "exclusive":
        remedy = "prevalence.severity names a source with measure: proportion-of-cases and exclusive strata"
        raise ModelError(Fault(f"{source.id} does not divide cases into strata", remedy, field="prevalence.severity"))
    strata = [name for name in table.strata if name]
    sampling = sampling_of(table, design_effect, judged)
    shape = (len(strata), len(layers.sexes), len(layers.ages.bands))
    share, size = np.empty(shape), np.empty(shape)
    for s, name in enumerate(strata):
        for x, sex in enumerate(layers.sexes):
            held = sex if len(table.rows(name, sex)) else "persons"
            rows = table.rows(name, held)[table.axis(name, held).index_of(layers.ages)]
            share[s, x] = table.estimate[rows]
            size[s, x] = [_size(sampling, int(row)) for row in rows]
    total = share.sum(axis=0)
    half = 0.5 * 10.0**-source.decimals / source.scale
    if (np.abs(total - 1) > 2 * half * len(strata) + 1e-12).any():
        remedy = "Exclusive shares of cases add up to one"
        raise ModelError(Fault(f"shares in {source.id} add up to {float(total.flat[0]):.4g}", remedy, code="R152"))
    share = share / total
    # One division for all cells: the same stream, so that it does not average out over ages.
    one = Layers(
        table, layers.names, ("persons",), AgeAxis((layers.ages.span,)), layers.mean[:, :1, :1], layers.draws[:, :1, :1]
    )
    constant = bool((np.ptp(share.reshape(len(strata), -1), axis=1) == 0).all())
    draws = layers.draws.shape[-1]
    if constant:
        drawn = dirichlet(share[:, :1, :1], size.min(axis=0)[:1, :1], seed, f"severity:{source.id}", strata, one, draws)
        shares = np.broadcast_to(drawn, (*shape, draws))
    else:
        shares = dirichlet(share, size.min(axis=0), seed, f"severity:{source.id}", strata, layers, draws)
    note = f"cases divided into {', '.join(strata)} by {source.id}"
    flags = tuple(dict.fromkeys((*layers.flags, *sampling.flags)))
    few = () if source.uncertainty.given == "none" else tuple(
        name for s, name in enumerate(strata)
        if any(below_standard(float(p), float(n)) for p, n in zip(share[s].flat, size[s].flat, strict=True))
    )  # fmt: skip
    return replace(
        layers, strata=tuple(strata), share_mean=share, shares=np.asarray(shares), notes=(*layers.notes, note), flags=flags,
        divided_by=source, few_strata=few,
    )  # fmt: skip
