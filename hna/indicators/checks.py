"""What an indicator accepts: numbers that are there, not negative, in groups that match.

Every check adds to one list of faults, so that a call tells all that is wrong with its arguments at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from hna.errors import Fault, QuantityError
from hna.indicators.interval import FloatArray
from hna.measure.estimate import Estimate

Mask = npt.NDArray[np.bool_]


def settle(faults: Sequence[Fault]) -> None:
    """Raise all the faults found, if there are any.

    Raises
    ------
    QuantityError
        If ``faults`` is not empty.
    """
    if faults:
        raise QuantityError(faults)


def tail(level: float) -> float:
    """Return the probability in one tail outside an interval of this level.

    Raises
    ------
    QuantityError
        If ``level`` is not a number strictly between 0 and 1, or is a percentage.
    """
    if isinstance(level, bool) or not isinstance(level, int | float | np.integer | np.floating):
        raise QuantityError(Fault(f"{level!r} is not a number", "Write a level such as 0.95.", field="level"))
    if not 0 < level < 1:
        if 1 < level < 100:
            remedy = f"It looks like a percentage: write {level / 100:g}."
        else:
            remedy = "Write a level between 0 and 1, such as 0.95."
        raise QuantityError(Fault(f"{level:g} is outside (0, 1)", remedy, field="level"))
    return (1.0 - float(level)) / 2


def normal_quantile(level: float) -> float:
    """Return z, the standard normal quantile that leaves half of 1 - level above it."""
    return -float(ndtri(tail(level)))


def places(mask: Mask, values: FloatArray | None = None, labels: Sequence[object] | None = None) -> list[str]:
    """Return the places where ``mask`` holds, as the analyst would index them, with their values."""
    named = []
    for index in map(tuple, np.argwhere(mask)[:1000]):
        if not index:
            where = "the value"
        elif labels is not None:
            where = str(labels[index[-1]]) if len(index) == 1 else f"{index[:-1]}, {labels[index[-1]]}"
        elif len(index) == 1:
            where = f"group {index[0]}"
        else:
            where = f"area {', '.join(map(str, index[:-1]))}, group {index[-1]}"
        named.append(where if values is None else f"{where} = {values[index]:g}")
    return named


def note(faults: list[Fault], field: str, mask: Mask, what: str, remedy: str, values: FloatArray | None = None) -> None:
    """Add a fault for the places where ``mask`` holds, if it holds anywhere. Positions count from 0."""
    if mask.any():
        shown = None if values is None else np.broadcast_to(values, mask.shape)
        faults.append(Fault(what, remedy, field=field, rows=places(mask, shown)))


def only_observed(code: str, what: str, **arrays: object) -> None:
    """Refuse estimates of need where only what was observed has a meaning.

    Parameters
    ----------
    code : of the refusal.
    what : what the result would be if it were computed.
    arrays : arguments by name.

    Raises
    ------
    QuantityError
        If one of them is an `Estimate`: it says what is expected of people so composed, not what is there.
    """
    faults = [
        Fault(f"is an estimate of {given.quantity}, expected from rates and people: {what}",
              "Give what was observed, such as people known to services or events counted", field=name, code=code)
        for name, given in arrays.items() if isinstance(given, Estimate)
    ]  # fmt: skip
    settle(faults)


def numbers(field: str, given: npt.ArrayLike, faults: list[Fault], *, missing: bool = False) -> FloatArray:
    """Return ``given`` as an array of floats; every entry must be a finite number.

    Parameters
    ----------
    field : the name of the argument, for the message.
    given : what the caller passed.
    faults : the list to add to.
    missing : let NaN through, as the mark of a number that is not available.
    """
    try:
        if isinstance(given, np.ma.MaskedArray):
            given = np.ma.filled(given.astype(np.float64), np.nan)
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        faults.append(Fault("holds something that is not a number", "Give whole or decimal numbers only.", field=field))
        raise QuantityError(faults) from None
    if not array.size:
        return array
    # min and max carry NaN and infinity out, so a clean array needs two passes and no mask.
    if not (np.isfinite(array.min()) and np.isfinite(array.max())):
        absent = np.isnan(array)
        if not missing:
            remedy = "An empty cell is not a zero: supply the number, or leave the group out of every argument."
            note(faults, field, absent, "has missing values (NaN)", remedy)
        note(faults, field, np.isinf(array), "is infinite", "Supply the number.")
    return array


def nonnegative(field: str, given: npt.ArrayLike, faults: list[Fault], *, missing: bool = False) -> FloatArray:
    """Return ``given`` as an array of finite numbers, none below 0."""
    array = numbers(field, given, faults, missing=missing)
    if array.size and not array.min() >= 0:
        note(faults, field, array < 0, "is negative", "A count cannot be below 0: correct these groups.", array)
    return array


def positive(field: str, given: npt.ArrayLike, faults: list[Fault], *, missing: bool = False) -> FloatArray:
    """Return ``given`` as an array of finite numbers, all above 0."""
    array = numbers(field, given, faults, missing=missing)
    if array.size and not array.min() > 0:
        remedy = "Nothing can be said of nobody: correct these groups, or leave them out of every argument."
        note(faults, field, array <= 0, "is not above 0", remedy, array)
    return array


def events_in_nobody(
    events: FloatArray, population: FloatArray, faults: list[Fault], field: str = "population"
) -> None:
    """Note the groups that hold events and no people."""
    if population.size and not population.min() > 0:
        events, population = np.broadcast_arrays(events, population)
        mask = (population <= 0) & (events > 0)
        remedy = "Use a population of the same year and area as the events, or merge these groups."
        note(faults, field, mask, "is zero where there are events", remedy, events)


def together(**arrays: FloatArray) -> tuple[int, ...]:
    """Return the shape all the arrays broadcast to.

    Raises
    ------
    QuantityError
        If they do not broadcast.
    """
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = [f"{name} {array.shape}" for name, array in arrays.items()]
        remedy = "Give every argument the same areas in the same order."
        raise QuantityError(Fault("the arguments do not fit together", remedy, rows=shapes)) from None


def same_groups(standard: str, **arrays: FloatArray) -> int:
    """Return the number of groups, the length every last axis must share with the argument named ``standard``.

    Raises
    ------
    QuantityError
        If an array has no group axis, or has another number of groups.
    """
    faults = [
        Fault("has no group axis", "Give one number a group, groups on the last axis.", field=name)
        for name, array in arrays.items()
        if array.ndim == 0
    ]
    settle(faults)
    wanted: int = arrays[standard].shape[-1]
    for name, array in arrays.items():
        groups = array.shape[-1]
        if groups != wanted:
            low, high = sorted((groups, wanted))
            side = "missing" if groups < wanted else "surplus"
            faults.append(
                Fault(
                    f"has {groups} groups where {standard} has {wanted}",
                    f"Give one number for every group of {standard}, in its order; write 0 where nothing happened.",
                    field=name,
                    rows=[f"{side}: group {place}" for place in range(low, high)],
                )
            )
    settle(faults)
    together(**arrays)
    return wanted


def one_of(field: str, given: str, allowed: Sequence[str]) -> None:
    """Raise unless ``given`` is one of the allowed words.

    Raises
    ------
    QuantityError
        If it is not.
    """
    if given not in allowed:
        raise QuantityError(Fault(f"{given!r} is not offered", f"Write one of: {', '.join(allowed)}.", field=field))
