"""The table of a crosswalk: prevalence by two case definitions in matched pairs, checked against its record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, ndtri

from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import CrosswalkSource
from hna.evidence.tables import Reader, read_columns

Array = NDArray[np.float64]

SIDES = ("alternative", "reference")
COLUMNS = {
    "two-by-two": ("both", "alternative_only", "reference_only", "neither"),
    "counts": tuple(f"{side}_{what}" for side in SIDES for what in ("cases", "sample")),
    "interval": tuple(f"{side}{what}" for side in SIDES for what in ("", "_lower", "_upper")),
    "standard-error": tuple(f"{side}{what}" for side in SIDES for what in ("", "_error")),
}
_SCALE = {"percent": 100.0, "per-1000": 1000.0, "proportion": 1.0}
_NO_LOGIT = "Leave the pair out, or join it with another: a prevalence of none or of all has no logit"
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class Pairs:
    """Prevalence of the same people, or of one population, by two definitions.

    Parameters
    ----------
    source : its record.
    names : shape (pair,), labels.
    alternative, reference : shape (pair,), proportions.
    difference, variance : shape (pair,), logit of the alternative less that of the reference, and its sampling variance.
    people : shape (pair, 4), people by both, by the alternative only, by the reference only, by neither; None where
        only the two margins are printed.
    """

    source: CrosswalkSource
    names: tuple[str, ...]
    alternative: Array
    reference: Array
    difference: Array
    variance: Array
    people: Array | None


def read_pairs(shelf: Shelf, name: str) -> Pairs:
    """A crosswalk's pairs from the shelf.

    With people counted by both definitions, n of them, a share p by the alternative, r by the reference and j by both, the
    difference of the logits has by the delta method the variance ``1/(n·p(1 − p)) + 1/(n·r(1 − r)) − 2(j − p·r)/(n·p(1 −
    p)·r(1 − r))``. Where only margins are printed the last term is not known and left out: with people who are cases by
    both it is above nought, so that the variance errs on the large side. Where nobody is a case by one definition alone, the
    variance is that with half a person by each alone.

    Raises
    ------
    SourceError
        Names every fault of the table at once.

    References
    ----------
    Anscombe FJ. Biometrika 1956;43:461-464 (half a person). doi 10.1093/biomet/43.3-4.461.
    """
    record = shelf.record(CrosswalkSource, name)
    return shelf.once(("pairs", name), lambda: _checked(record, table_file(shelf.folder(CrosswalkSource, name))))


def _checked(record: CrosswalkSource, path: Path) -> Pairs:
    columns = COLUMNS[record.given]
    table = read_columns(path, ["pair", *columns])
    read = Reader(table, str(path))
    names = read.text("pair")
    read.unique(["pair"], "pairs")
    counted = record.given in ("two-by-two", "counts")
    scale = 1.0 if counted else _SCALE[record.unit]
    held = {name: read.numbers(name, whole=counted) / scale for name in columns}
    for name, values in held.items():
        read.fault("is negative", "Write 0 or more", name, values < 0)
    if not counted:
        remedy = f"unit is {record.unit}: write values from 0 to {scale:g}, or mend the unit"
        for name in columns:
            read.fault(f"is outside 0 to {scale:g}", remedy, name, held[name] > 1, "R102")
    read.done()
    rates = [_rate(record, held, side) for side in SIDES]
    for side, rate in zip(SIDES, rates, strict=True):
        column = columns[0] if record.given == "two-by-two" else next(one for one in columns if one.startswith(side))
        read.fault(f"the {side} prevalence is none or all", _NO_LOGIT, column, ~((rate > 0) & (rate < 1)), "R102")
    read.done()
    variance = _variance(record, held, rates, read)
    read.done()
    people = np.stack([held[name] for name in columns], axis=1) if record.given == "two-by-two" else None
    difference = logit(rates[0]) - logit(rates[1])
    return Pairs(record, tuple(str(one) for one in names), rates[0], rates[1], difference, variance, people)


def _rate(record: CrosswalkSource, held: dict[str, Array], side: str) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        if record.given == "two-by-two":
            found = (held["both"] + held[f"{side}_only"]) / sum(held.values())
        elif record.given == "counts":
            found = held[f"{side}_cases"] / held[f"{side}_sample"]
        else:
            found = held[side]
    return np.asarray(found, dtype=float)


def _variance(record: CrosswalkSource, held: dict[str, Array], rates: list[Array], read: Reader) -> Array:
    """Sampling variance of each difference of logits."""
    p, r = rates
    if record.given == "two-by-two":
        apart = [held[f"{side}_only"] for side in SIDES]
        # Definitions that agree throughout a sample need not agree throughout: half a person by each alone.
        half = np.where(sum(apart) > 0, 0.0, _HALF)
        n = np.asarray(sum(held.values()) + 2 * half, dtype=float)
        p, r = ((held["both"] + one + half) / n for one in apart)
        shared = 2 * (held["both"] / n - p * r) / (n * p * (1 - p) * r * (1 - r))
        return np.asarray(1 / (n * p * (1 - p)) + 1 / (n * r * (1 - r)) - shared, dtype=float)
    total = np.zeros(len(p))
    for side, rate in zip(SIDES, rates, strict=True):
        if record.given == "counts":
            total += 1 / (held[f"{side}_sample"] * rate * (1 - rate))
        elif record.given == "standard-error":
            total += (held[f"{side}_error"] / (rate * (1 - rate))) ** 2
        else:
            low, high = held[f"{side}_lower"], held[f"{side}_upper"]
            wrong = ~((low > 0) & (low <= rate) & (rate <= high) & (high < 1))
            read.fault(
                "the estimate is not between its limits",
                "Write 0 < lower ≤ estimate ≤ upper < all",
                side,
                wrong,
                "R101",
            )
            if not wrong.any():
                score = float(ndtri(0.5 + (record.level or 0.0) / 2))
                total += ((logit(high) - logit(low)) / (2 * score)) ** 2
    exact = total <= 0
    remedy = (
        "Give limits or errors with the digits that they were printed with, or leave the pair out: no survey is exact"
    )
    read.fault("a pair has no sampling error", remedy, SIDES[0], exact)
    return np.asarray(total, dtype=float)
