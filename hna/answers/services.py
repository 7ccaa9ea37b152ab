"""How many distinct people several services know, from what is known of their overlap."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from hna.errors import Fault, QuantityError

_MOST_SERVICES = 12


class Bounds(NamedTuple):
    """Fewest and most people that could be meant."""

    lower: float
    upper: float


def union_bounds(
    counts: Mapping[str, float],
    overlaps: Mapping[frozenset[str], float | tuple[float, float]] | None = None,
    cap: float | None = None,
) -> Bounds:
    """Bounds on the number of distinct people known to any of several services.

    Minimises and maximises the sum of the people in every combination of services, subject to each service's count,
    the overlaps that were measured, and the number in need as a cap: Boole's, Bonferroni's and Fréchet's inequalities
    are special cases. Independence of services is never assumed.

    Parameters
    ----------
    counts : people known to each service.
    overlaps : people known to both of two services, or fewest and most of them.
    cap : most people there could be.

    Returns
    -------
    Bounds in people.

    Raises
    ------
    QuantityError
        R612 if no membership of the services fits the counts and overlaps.

    References
    ----------
    Hailperin T. Best possible inequalities for the probability of a logical function of events.
    Am Math Mon 1965;72:343-359. doi 10.1080/00029890.1965.11970533.
    """
    # scipy.optimize is slow to import, and only several services at once need it.
    from scipy.optimize import linprog

    names = list(counts)
    if len(names) > _MOST_SERVICES:
        raise QuantityError(f"{len(names)} services are too many to bound at once: merge some first")
    cells = [frozenset(chosen) for size in range(1, len(names) + 1) for chosen in combinations(names, size)]
    rows = [[1.0 if name in cell else 0.0 for cell in cells] for name in names]
    totals = [float(counts[name]) for name in names]
    below: list[list[float]] = []
    most: list[float] = []
    for pair, people in (overlaps or {}).items():
        unknown = sorted(pair - set(names))
        if unknown:
            raise QuantityError(Fault("an overlap names services without a count", rows=unknown, code="R612"))
        both = [1.0 if pair <= cell else 0.0 for cell in cells]
        if isinstance(people, tuple):
            below += [both, [-one for one in both]]
            most += [people[1], -people[0]]
        else:
            rows.append(both)
            totals.append(float(people))
    if cap is not None:
        below.append([1.0] * len(cells))
        most.append(cap)
    limits = {"A_ub": below, "b_ub": most} if below else {}
    found = []
    for sign in (1.0, -1.0):
        answer = linprog(sign * np.ones(len(cells)), A_eq=rows, b_eq=totals, bounds=(0, None), method="highs", **limits)
        if not answer.success:
            said = ", ".join(f"{name} {people:g}" for name, people in counts.items())
            remedy = "An overlap is at most the smaller of its two counts; check that all are of the same area and date"
            raise QuantityError(Fault(f"no people fit the counts and overlaps ({said})", remedy, code="R612"))
        found.append(sign * float(answer.fun))
    return Bounds(*found)
