"""Carry a national rate to a place by who lives there, so that the national total still holds in every draw.

Without local outcome data the result is a synthetic estimate: what would be expected of a population so composed. It
describes composition, never performance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri

from hna.errors import Fault, ModelError, QuantityError
from hna.measure.draws import normal
from hna.model.rules import rules

Array = NDArray[np.float64]
Scale = Literal["odds", "risk"]

NAME = "synthetic estimate"
NOT_FOR = {
    "performance": "judging how well a local service or authority does",
    "significance": "testing whether a place differs from England",
    "monitoring": "following change that an intervention brought about",
    "hot-spots": "mapping hot spots",
    "smoothing": "smoothing on a map (it holds no local information to smooth)",
}
_HALVINGS = 80
_STEPS = 60
_SETTLED = 1e-13
_REACH = 60.0


def refuse_use(use: str) -> None:
    """Refuse to use a synthetic estimate for what it cannot bear.

    Parameters
    ----------
    use : one of the keys of `NOT_FOR`.

    Raises
    ------
    ModelError
        R401, or R431 for smoothing.
    """
    if use in NOT_FOR:
        code = "R431" if use == "smoothing" else "R401"
        remedy = "Use local outcome data for that; read this as what the composition of the place leads one to expect"
        raise ModelError(Fault(f"a {NAME} is not for {NOT_FOR[use]}", remedy, code=code))


@dataclass(frozen=True)
class Ratios:
    """Published relative risks or odds ratios of a need by the levels of one factor.

    Parameters
    ----------
    source : identifier, which keys the streams.
    factor : such as deprivation or ethnicity.
    levels : names; the level compared with has ratio 1 and no error.
    ratio : shape (level,), positive.
    error : shape (level,), standard error of each log ratio.
    scale : odds or risk.
    adjusted_for : what the ratios were adjusted for; age must be among them, or they are age-specific.
    """

    source: str
    factor: str
    levels: tuple[str, ...]
    ratio: tuple[float, ...]
    error: tuple[float, ...]
    scale: Scale = "odds"
    adjusted_for: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not len(self.levels) == len(self.ratio) == len(self.error):
            raise QuantityError(f"{self.source} has {len(self.levels)} levels, {len(self.ratio)} ratios")
        if min(self.ratio) <= 0 or min(self.error) < 0:
            raise QuantityError(Fault("a ratio is not positive, or an error is negative", file=self.source))

    @classmethod
    def printed(
        cls,
        source: str,
        factor: str,
        rows: Sequence[tuple[str, float, float | None, float | None]],
        scale: Scale = "odds",
        adjusted_for: Sequence[str] = (),
        level: float = 0.95,
    ) -> Ratios:
        """Ratios with printed limits; the error of the log is the width of its limits over twice the normal score.

        ``s = (log upper − log lower)/(2z)``.

        Parameters
        ----------
        rows : (level, ratio, lower, upper); limits None for the level compared with.
        level : of the limits.
        """
        score = float(ndtri(0.5 + level / 2))
        errors = [
            0.0 if low is None or high is None else float(np.log(high / low)) / (2 * score) for _, _, low, high in rows
        ]
        names = tuple(name for name, *_ in rows)
        return cls(source, factor, names, tuple(row[1] for row in rows), tuple(errors), scale, frozenset(adjusted_for))

    def draw(self, seed: int, draws: int) -> Array:
        """Draws of the log ratio, shape (level, draw): one stream a level, shared by all areas, ages and needs."""
        noise = [
            error * normal(seed, f"ratio:{self.source}:{self.factor}:{name}", draws) if error > 0 else np.zeros(draws)
            for name, error in zip(self.levels, self.error, strict=True)
        ]
        found: Array = np.log(np.array(self.ratio))[:, None] + np.stack(noise)
        return found


def check_adjustments(ratios: Sequence[Ratios], already: Sequence[str] = ()) -> None:
    """Refuse ratios that would be counted twice.

    Parameters
    ----------
    ratios : of each factor used.
    already : factors for which the rate was adjusted to this place before.

    Raises
    ------
    ModelError
        R411 for a factor used twice, for a rate adjusted already, and for factors whose ratios were not adjusted for
        each other; R413 for ratios that were not adjusted for age.
    """
    faults = []
    names = [one.factor for one in ratios]
    for name in sorted({name for name in names if names.count(name) > 1 or name in already}):
        remedy = "Use each factor once: a published local rate already holds it"
        faults.append(Fault(f"{name} would be adjusted for twice", remedy, field="local", code="R411"))
    for n, one in enumerate(ratios):
        if "age" not in one.adjusted_for:
            remedy = "Use ratios adjusted for age, or ratios of one age band"
            faults.append(
                Fault(f"ratios in {one.source} were not adjusted for age", remedy, field="local", code="R413")
            )
        for other in ratios[n + 1 :]:
            if one.factor != other.factor and not (
                other.factor in one.adjusted_for and one.factor in other.adjusted_for
            ):
                remedy = "Use ratios adjusted for each other, or a joint table of both"
                what = f"ratios by {one.factor} and by {other.factor} were not adjusted for each other"
                faults.append(Fault(what, remedy, field="local", code="R411"))
    if faults:
        raise ModelError(faults)


def recentre(rate: ArrayLike, log_ratio: ArrayLike, reference: ArrayLike | None, scale: Scale = "odds") -> Array:
    """Rates by level of a factor whose total over a reference population is that of the rate, in every draw.

    Odds: ``p(g, f) = expit(logit p(g) + ln OR(f) + κ(g))`` with κ found by Newton's method so that
    ``Σ_f P(g, f)·p(g, f) = p(g)·Σ_f P(g, f)``. Risk: ``p(g, f) = p(g)·RR(f)/c(g)`` with
    ``c(g) = Σ_f P(g, f)·RR(f)/Σ_f P(g, f)``.

    Parameters
    ----------
    rate : shape (cell, draw), proportions; a cell is an age and sex.
    log_ratio : shape (level, draw), or (cell, level, draw) where it differs by cell.
    reference : shape (cell, level), people of the population that the rate is about (its country and year).
    scale : odds (stays inside 0 and 1) or risk.

    Returns
    -------
    array of shape (cell, level, draw), proportions. A constant ratio gives the rate back.

    Raises
    ------
    ModelError
        R412 without a reference population; R414 if a relative risk takes a rate above one.
    QuantityError
        If shapes do not fit, or a cell has nobody in it.

    References
    ----------
    Twigg L, Moon G, Jones K. Soc Sci Med 2000;50:1109-1120 (synthetic estimation). doi 10.1016/S0277-9536(99)00359-7.
    """
    if reference is None:
        remedy = "Give the people by level of the country and year in which the rate was found"
        raise ModelError(Fault("a relative risk has no reference population", remedy, field="local", code="R412"))
    p = np.asarray(rate, dtype=float)
    people = np.asarray(reference, dtype=float)
    ratio = np.asarray(log_ratio, dtype=float)
    ratio = ratio[None] if ratio.ndim == 2 else ratio
    if p.ndim != 2 or people.ndim != 2 or ratio.ndim != 3 or len(people) != len(p) or people.shape[1] != ratio.shape[1]:
        shapes = f"rate {p.shape}, log ratio {np.shape(log_ratio)}, reference {people.shape}"
        raise QuantityError(f"shapes do not fit: {shapes}; (cell, draw), (level, draw) and (cell, level) are needed")
    total = people.sum(axis=1)
    if (people < 0).any() or (total <= 0).any():
        remedy = "Every cell needs people in the reference population"
        raise QuantityError(Fault("the reference population is empty or negative", remedy))
    share = (people / total[:, None])[:, :, None]
    if scale == "risk":
        relative = np.exp(ratio - ratio.max(axis=1, keepdims=True))
        found: Array = p[:, None, :] * relative / (share * relative).sum(axis=1, keepdims=True)
        if (found >= 1).any():
            remedy = "Use scale odds, which stays below one"
            raise ModelError(Fault("a relative risk takes a rate above one", remedy, field="local", code="R414"))
        return found
    if (p <= 0).any() or (p >= 1).any():
        raise QuantityError("a rate of 0 or 1 has no odds")
    # On the logit scale the total is nearly straight in κ, so Newton's steps settle at once.
    target = logit(p)
    base = target[:, None, :] + ratio - (share * ratio).sum(axis=1, keepdims=True)
    shift = np.zeros_like(p)
    for _ in range(_STEPS):
        kept: Array = expit(base + shift[:, None, :])
        total_now = (share * kept).sum(axis=1)
        slope = (share * kept * (1 - kept)).sum(axis=1)
        step = (target - logit(total_now)) * total_now * (1 - total_now) / slope
        shift = shift + step
        if np.abs(step).max() < _SETTLED:
            break
    kept = expit(base + shift[:, None, :])
    # What is left is a rounding error; one multiplication puts the total where it belongs.
    exact: Array = kept * (p / (share * kept).sum(axis=1))[:, None, :]
    return exact


def check_settled(away: Array, what: str) -> None:
    """Refuse draws that cannot be moved to have their headline as their mean.

    Parameters
    ----------
    away : headline less mean of draws, logit or logarithm, after the last step towards it.
    what : whose draws, for the message.

    Raises
    ------
    ModelError
        R141 where they are more than half a per cent apart.
    """
    if not np.abs(away).max() <= rules().mean_within:
        told = f"draws of {what} do not have the published rate as their mean"
        raise ModelError(Fault(told, "Are the limits that they are drawn within too wide?", field="local", code="R141"))


def expected(rate: ArrayLike, people: ArrayLike) -> Array:
    """People expected in each area, given who lives there.

    Parameters
    ----------
    rate : shape (cell, level, draw), from `recentre`.
    people : shape (area, cell, level).

    Returns
    -------
    array of shape (area, draw): a synthetic estimate. Over the reference population itself it is the national number.
    """
    p, living = np.asarray(rate, dtype=float), np.asarray(people, dtype=float)
    if living.ndim != 3 or living.shape[1:] != p.shape[:2]:
        raise QuantityError(f"people have shape {living.shape}, rates {p.shape}: (area, cell, level) is needed")
    found: Array = living.reshape(len(living), -1) @ p.reshape(-1, p.shape[-1])
    return found


def to_total(counts: ArrayLike, total: ArrayLike) -> tuple[Array, tuple[str, ...]]:
    """Areas' numbers scaled to a known total, draw by draw: ``N(a)·T/Σ_a N(a)``.

    Parameters
    ----------
    counts : shape (area, draw).
    total : a number, or shape (draw,) where the total has an error of its own.

    Returns
    -------
    array of shape (area, draw), and flags: W421 where a fixed total is put on numbers that are uncertain, which takes
    the national uncertainty away.
    """
    held, target = np.asarray(counts, dtype=float), np.asarray(total, dtype=float)
    summed = held.sum(axis=0)
    if (summed <= 0).any() or (target <= 0).any():
        raise QuantityError("a total is not positive: nothing can be scaled to it")
    return held * (target / summed), _fixed(target, summed)


def to_total_logit(rate: ArrayLike, people: ArrayLike, total: ArrayLike) -> tuple[Array, tuple[str, ...]]:
    """Rates moved on the logit scale, alike in all cells, until they give a known total: no rate leaves (0, 1).

    ``expit(logit p + δ)`` with δ of `shift_to`.

    Parameters
    ----------
    rate : shape (cell, draw), proportions; a cell is an area, age and sex.
    people : shape (cell,).
    total : a number, or shape (draw,).

    Returns
    -------
    array of shape (cell, draw), proportions, and flags as in `to_total`.

    References
    ----------
    Datta GS, Ghosh M, Steorts R, Maples J. Test 2011;20:574-588 (benchmarking). doi 10.1007/s11749-010-0218-y.
    """
    p, living = np.asarray(rate, dtype=float), np.asarray(people, dtype=float)
    target = np.broadcast_to(np.asarray(total, dtype=float), p.shape[1:])
    moved: Array = expit(logit(p) + shift_to(p, living, target))
    # What is left is a rounding error; one multiplication puts the total where it belongs.
    moved *= target / (living @ moved)
    return moved, _fixed(np.asarray(total, dtype=float), living @ p)


def shift_to(rate: ArrayLike, people: ArrayLike, total: ArrayLike) -> Array:
    """The shift on the logit scale, alike in all cells, after which rates give a known total.

    δ with ``Σ people·expit(logit p + δ) = total``, by bisection: the sum rises with δ.

    Parameters
    ----------
    rate : shape (cell, draw), proportions.
    people : shape (cell,).
    total : shape (draw,), between nobody and everybody.

    Returns
    -------
    array of shape (draw,), logit; 0 where the total holds already.

    Raises
    ------
    QuantityError
        If a total is not between nobody and everybody.
    """
    eta, living, target = (
        logit(np.asarray(rate, dtype=float)),
        np.asarray(people, dtype=float),
        np.asarray(total, dtype=float),
    )
    everybody = living.sum()
    if not ((target > 0) & (target < everybody)).all():
        raise QuantityError(Fault("a total is not between nobody and everybody", "Mend the total or the people"))
    wanted = logit(target / everybody)
    # On the logit scale the total is nearly straight in the shift: Newton's steps settle at once, and halving is the net.
    low, high = np.full(target.shape, -_REACH), np.full(target.shape, _REACH)
    shift = np.zeros(target.shape)
    for _ in range(_HALVINGS):
        moved = expit(eta + shift)
        share = living @ moved / everybody
        away = wanted - logit(share)
        low, high = np.where(away > 0, shift, low), np.where(away < 0, shift, high)
        slope = (living @ (moved * (1 - moved))) / everybody / (share * (1 - share))
        step = np.where(np.abs(away) < _SETTLED, 0.0, away / slope)
        if not step.any():
            break
        ahead = shift + step
        shift = np.where((ahead > low) & (ahead < high), ahead, np.where(step == 0, shift, (low + high) / 2))
    return shift


def _fixed(target: Array, summed: Array) -> tuple[str, ...]:
    return ("W421",) if np.ptp(target) == 0 and summed.size > 1 and np.ptp(summed) > 0 else ()
