"""An area against its statistical neighbours, pooled from counts.

The members of the group lie on the last axis; leading axes broadcast.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hna.errors import Fault, QuantityError
from hna.indicators.checks import nonnegative, note, numbers, one_of, places, positive, same_groups, settle, tail
from hna.indicators.contrast import Contrast, proportions_test, rates_test
from hna.indicators.interval import FloatArray, Interval, TextArray, join_flags

UNDER_CALCULATION = "W861"
NOT_CALCULATED = "R862"
RATES_ONLY = "R863"
RECOVERED = "W864"


class NeighbourAverage(Interval):
    """The pooled value of a group, which unpacks into three.

    ``lower`` and ``upper`` are not a confidence interval: they are the values the group would have if every missing
    count were as small, or as large, as it can be.

    Attributes
    ----------
    missing : number of members whose count is not available.
    flags : ``W861`` where one or more are missing, ``R862`` where too many are, ``W864`` where a count was worked out from
        a rate.
    """

    missing: npt.NDArray[np.int64]
    flags: TextArray


def neighbour_average(
    counts: npt.ArrayLike,
    denominators: npt.ArrayLike | None,
    max_missing: int = 2,
    *,
    per: float = 1,
    suppressed: tuple[float, float] | None = (1, 7),
    too_many: str = "raise",
    recovered: npt.ArrayLike = False,
) -> NeighbourAverage:
    """Return the average of a group of statistical neighbours, Σx/Σn over the members whose counts are known.

    In words: pool the counts, never average the rates. A member whose count or denominator is missing leaves both sums,
    and the value is flagged W861, possible under-calculation. With more than ``max_missing`` missing there is no value
    (R862). The area itself belongs among the members where its group includes it, for display; test with
    `leave_one_out`.

    Parameters
    ----------
    counts : numbers of people or events, whole numbers, shape (..., member); NaN where a count is not available.
    denominators : the people they are among, shape (..., member); NaN where not available.
    max_missing : as many members may be missing; 2 is Halton's rule for a group of eleven.
    per : unit of the result.
    suppressed : smallest and largest count that a missing one can be, for the bounds; None where it can be anything.
    too_many : ``raise``, or ``flag`` to give NaN with the flag R862 where groups have more missing members.
    recovered : which counts were worked out from printed rates by `recover_counts`, shape (..., member).

    Returns
    -------
    NeighbourAverage
        Shape (...). ``lower`` and ``upper`` bound the value with the missing members included; they equal it where none
        is missing, and are NaN where a missing member has no denominator or ``suppressed`` is None.

    Raises
    ------
    QuantityError
        R863 if only rates are given; R862 if more than ``max_missing`` members are missing; or if a count is negative,
        or a denominator is 0.
    """
    one_of("too_many", too_many, ("raise", "flag"))
    if denominators is None:
        remedy = "Supply counts and denominators, or compare with the region and England only."
        what = "a neighbour average cannot be formed from rates alone"
        raise QuantityError(Fault(what, remedy, field="denominators", code=RATES_ONLY))
    faults: list[Fault] = []
    seen = nonnegative("counts", counts, faults, missing=True)
    people = positive("denominators", denominators, faults, missing=True)
    same_groups("denominators", counts=seen, denominators=people)
    partial = np.isfinite(seen) & (seen != np.round(seen))
    if partial.any():
        remedy = "Supply counts; see recover_counts, or compare with the region and England only."
        rows = places(partial, seen)
        faults.append(Fault("holds parts of people: these look like rates", remedy, "", "counts", rows, RATES_ONLY))
    settle(faults)
    seen, people = np.broadcast_arrays(seen, people)
    absent = np.isnan(seen) | np.isnan(people)
    missing = absent.sum(axis=-1)
    refused = (missing > max_missing) | (missing == seen.shape[-1])
    if refused.any() and too_many == "raise":
        remedy = "Obtain the counts of these members, or compare with the region and England only."
        worst = int(np.max(missing))
        what = f"{worst} of {seen.shape[-1]} members have no count or denominator; {max_missing} may be missing"
        rows = places(absent & refused[..., np.newaxis])
        raise QuantityError(Fault(what, remedy, field="counts", rows=rows, code=NOT_CALCULATED))
    known = np.where(absent, 0.0, seen).sum(axis=-1)
    among = np.where(absent, 0.0, people).sum(axis=-1)
    value = known / np.where(refused, 1.0, among)
    low, high = (np.nan, np.nan) if suppressed is None else suppressed
    # A count that is known stays itself even where its denominator is not; such a group has no bounds.
    everyone = people.sum(axis=-1)
    ends = [np.where(np.isnan(seen), end, seen).sum(axis=-1) / everyone for end in (low, high)]
    scale = np.where(refused, np.nan, per)
    whole = missing == 0
    made = NeighbourAverage(
        np.asarray(value * scale),
        np.asarray(np.where(whole, value, ends[0]) * scale),
        np.asarray(np.where(whole, value, ends[1]) * scale),
    )
    made.missing = np.asarray(missing)
    from_rates = (np.broadcast_to(np.asarray(recovered, dtype=bool), absent.shape) & ~absent).any(axis=-1)
    made.flags = join_flags(
        value.shape, (UNDER_CALCULATION, (missing > 0) & ~refused), (NOT_CALCULATED, np.asarray(refused)),
        (RECOVERED, from_rates & ~refused),
    )  # fmt: skip
    return made


def leave_one_out(
    counts: npt.ArrayLike,
    denominators: npt.ArrayLike,
    kind: str = "proportion",
    per: float = 1,
    level: float = 0.95,
) -> Contrast:
    """Return each member against the pool of the others, with the test of no difference.

    In words: a member is part of the average it is shown against, p_a − p_G = (1 − w)(p_a − p_rest) with w its share of
    the denominators, so the two are not independent. Testing against the rest is exact; treating the average as
    independent understates the difference.

    Parameters
    ----------
    counts, denominators : as in `neighbour_average`; members with NaN are left out of the pool and have NaN results.
    kind : ``proportion``, or ``rate`` for events over person-years.
    per : unit of the differences.
    level : confidence level, strictly between 0 and 1.

    Returns
    -------
    Contrast
        Shape (..., member): the member's value minus that of the others.

    Raises
    ------
    QuantityError
        If a number is negative, a denominator is 0, cases exceed people, or fewer than two members have counts.
    """
    tail(level)
    one_of("kind", kind, ("proportion", "rate"))
    faults: list[Fault] = []
    seen = nonnegative("counts", counts, faults, missing=True)
    people = positive("denominators", denominators, faults, missing=True)
    same_groups("denominators", counts=seen, denominators=people)
    seen, people = np.broadcast_arrays(seen, people)
    absent = np.isnan(seen) | np.isnan(people)
    alone = (~absent).sum(axis=-1) < 2
    note(faults, "counts", np.asarray(alone), "has fewer than two members with counts", "Supply more members.")
    if kind == "proportion":
        note(faults, "counts", seen > people, "has more cases than people", "Correct these members.", seen)
    settle(faults)
    own = np.where(absent, 0.0, seen)
    size = np.where(absent, 0.0, people)
    rest, rest_size = own.sum(axis=-1, keepdims=True) - own, size.sum(axis=-1, keepdims=True) - size
    size = np.where(absent, 1.0, size)
    if kind == "proportion":
        found = proportions_test(own, size, rest, rest_size, level)
        unit = per
    else:
        found = rates_test(own, size, rest, rest_size, per, level)
        unit = 1.0
    blank = np.where(absent, np.nan, 1.0)
    return Contrast.of(Interval(*(end * unit * blank for end in found)), found.z * blank)


def recover_counts(rates: npt.ArrayLike, denominators: npt.ArrayLike, per: float, decimals: int) -> FloatArray:
    """Return the whole counts behind published crude rates, where each rate has only one.

    Never from standardised rates. Tell `neighbour_average` which counts they are, and its flags hold W864.

    Parameters
    ----------
    rates : crude rates as printed, any shape.
    denominators : the exact published denominators, broadcast against ``rates``.
    per : unit of the rates.
    decimals : decimals they are printed with.

    Returns
    -------
    array of the broadcast shape
        Counts.

    Raises
    ------
    QuantityError
        R863 where no whole count, or more than one, rounds to the printed rate.
    """
    faults: list[Fault] = []
    printed = nonnegative("rates", rates, faults)
    people = positive("denominators", denominators, faults)
    settle(faults)
    printed, people = np.broadcast_arrays(printed, people)
    half = 0.5 * 10.0**-decimals
    slack = 1e-9 * (1 + printed)
    first = np.ceil((printed - half - slack) * people / per).clip(0)
    last = np.floor((printed + half + slack) * people / per)
    unclear = first != last
    if unclear.any():
        remedy = "Obtain the counts, or compare with the region and England only."
        what = "does not belong to one whole count"
        raise QuantityError(Fault(what, remedy, "", "rates", places(unclear, printed), RATES_ONLY))
    return numbers("counts", first, faults)
