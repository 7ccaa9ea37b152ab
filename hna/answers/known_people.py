"""How many people services know, as draws between bounds: rounding, hiding, measurement and overlap allowed for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.answers.services import union_bounds
from hna.evidence.known import Known
from hna.evidence.source import KnownSource
from hna.measure.ages import AgeBand
from hna.measure.draws import stream, uniform
from hna.model.spec import FACTORS, Factors, KnownUse

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownPeople:
    """People known, between two bounds that differ where a count is hidden or services overlap.

    Parameters
    ----------
    point : the number, or None where only bounds are known.
    low, high : shape (draw,), people.
    printed : smallest and largest count that the publisher's figures allow.
    """

    point: float | None
    low: Array
    high: Array
    printed: tuple[float, float]

    @property
    def middle(self) -> float:
        """The number, or the middle of its bounds: for drawing, never for printing."""
        return self.point if self.point is not None else float((self.low.mean() + self.high.mean()) / 2)


def known_people(known: Known, rows: NDArray[np.bool_], use: KnownUse, seed: int, draws: int) -> KnownPeople:
    """The people in some rows of a table of counts, with its measurement model.

    A rounded cell is uniform over the counts that round to it; a hidden cell stays between its bounds. Each factor of
    the measurement model is triangular on its range, one stream each, the same for every area and year. Of a period's people
    the share ``D/(D + T)`` is there on a day, D the months a person stays (`duration`) and T those of the period.

    Counts of several services are never added up as if nobody used two of them (R611): the people are between the largest and the sum.

    Parameters
    ----------
    known : the counts.
    rows : which to add up.
    use : the model's factors.
    seed, draws : of the streams.
    """
    services = dict.fromkeys(known.service[np.flatnonzero(rows)].tolist())
    if len(services) > 1:
        each = {one: known_people(known, rows & (known.service == one), use, seed, draws) for one in services}
        return union_known(each, {})
    low, high = np.zeros(draws), np.zeros(draws)
    point: float | None = 0.0
    printed = [0.0, 0.0]
    counts, weights = known, np.asarray(rows, dtype=float)
    if known.origin is not None:  # a practice's rounding and hiding are its own, wherever its patients live
        counts, weights = known.origin.counts, known.origin.share[np.flatnonzero(rows)].sum(axis=0)
    for n in np.flatnonzero(weights):
        part = float(weights[n])
        least, most, count = counts.lower[n], counts.upper[n], counts.count[n]
        printed[0] += part * least
        printed[1] += part * most
        if np.isnan(count):
            point = None
            low, high = low + part * least, high + part * most
            continue
        point = None if point is None else point + part * float(count)
        cell: Array | float = float(count)
        if most > least:
            key = (
                f"{counts.source.id}:{counts.area_code[n]}:{counts.year[n]}:{counts.sex[n]}:{counts.bands[n].label}:"
                f"{counts.severity[n]}"
            )
            cell = stream(seed, f"rounding:{key}").integers(int(least), int(most) + 1, draws).astype(float)
        low, high = low + part * cell, high + part * cell
    factor, middle = _factor(use.factors, known.source, seed, draws)
    return KnownPeople(None if point is None else point * middle, low * factor, high * factor, (printed[0], printed[1]))


def _factor(factors: Factors | None, source: KnownSource, seed: int, draws: int) -> tuple[Array, float]:
    product, middle = np.ones(draws), 1.0
    if factors is None:
        return product, middle
    for factor in (*FACTORS, "duration"):
        value = getattr(factors, factor)
        if value is None:
            continue
        least, most = value if isinstance(value, list) else (value, value)
        centre = (least + most) / 2
        points = uniform(seed, f"factor:{source.id}:{factor}", draws)
        half = (most - least) / 2
        drawn = np.where(points < 0.5, least + half * np.sqrt(2 * points), most - half * np.sqrt(2 * (1 - points)))
        if factor == "duration":
            months = source.months
            product, middle = product * drawn / (drawn + months), middle * centre / (centre + months)
        elif factor == "extraction":
            product, middle = product / drawn, middle / centre
        else:
            product, middle = product * drawn, middle * centre
    return product, middle


def rows_for(known: Known, span: AgeBand, sex: str, bridged: bool, severity: str | None = None) -> NDArray[np.bool_]:
    """Rows that add up to the people of an age span and sex.

    Parameters
    ----------
    known : counts of one area and year.
    span : ages of the need.
    sex : of the need.
    bridged : whether the count's own ages are taken whole, to be cut by a factor.
    severity : one stratum; None for all.
    """
    held = set(known.sex.tolist())
    wanted = {sex} if sex in held else {"female", "male"}
    rows = np.array([name in wanted for name in known.sex])
    if not bridged:
        rows &= np.array([band in span for band in known.bands])
    if severity is not None:
        rows &= known.severity == severity
    elif (known.severity == "").any() and (known.severity != "").any():
        rows &= known.severity == ""
    return rows


def rows_beside(known: Known, span: AgeBand) -> NDArray[np.bool_]:
    """Rows listed beside a need of an age span and not compared with it: persons where given, of ages that it touches.

    Parameters
    ----------
    known : counts of one area and year.
    span : ages of the need; where no count touches it, all ages are taken.
    """
    rows = np.array([band.meets(span) for band in known.bands])
    rows = rows if rows.any() else np.ones(len(known), dtype=bool)
    return rows & (known.sex == "persons") if "persons" in set(known.sex[rows].tolist()) else rows


def union_known(
    services: dict[str, KnownPeople], overlaps: dict[frozenset[str], float], cap: float | None = None
) -> KnownPeople:
    """Distinct people known to any of several services, between the bounds that their overlap allows.

    Without a measured overlap the bounds are taken draw by draw: at least the largest service, at most their sum. With
    one, they are those of `union_bounds` at the 95 % limits of each count. An overlap was measured among people counted; of
    those in need, as few may be in both as each service's factors allow, and as many as were measured.

    Parameters
    ----------
    services : people known to each.
    overlaps : people counted by both of two.
    cap : most people there could be.

    Raises
    ------
    QuantityError
        R612 if no people fit the counts and overlaps.

    References
    ----------
    As `hna.answers.services.union_bounds`.
    """
    held = list(services.values())
    if not overlaps:
        low = np.max([people.low for people in held], axis=0)
        high = np.sum([people.high for people in held], axis=0)
        if cap is not None:
            low, high = np.minimum(low, cap), np.minimum(high, cap)
        return KnownPeople(None, low, high, (float(low.min()), float(high.max())))
    ends = [
        {name: float(np.quantile(getattr(people, side), at)) for name, people in services.items()}
        for side, at in (("low", 0.025), ("high", 0.975))
    ]
    found = []
    for counts in ends:
        shed = {name: max(services[name].printed[1] - counts[name], 0.0) for name in services}
        allowed = {
            pair: (max(people - sum(shed[name] for name in pair), 0.0), min(people, *(counts[name] for name in pair)))
            for pair, people in overlaps.items()
            if pair <= set(services)
        }
        found.append(union_bounds(counts, allowed, cap))
    least, most = found[0].lower, found[1].upper
    size = len(held[0].low)
    return KnownPeople(least if least == most else None, np.full(size, least), np.full(size, most), (least, most))
