"""The attacker: the least and the most that a count can be, given everything published; and what must be hidden so that it is safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault
from hna.measure.areas import Nesting
from hna.publish.disclosure_cells import Release, System, families, system_of
from hna.publish.disclosure_presets import DisclosureError, Rule

Array = NDArray[np.float64]
_CLOSE = 1e-6
_EXACT_ROUNDS, _NODES = 20, 2000
"""Effort, not evidence: beyond it what is hidden is safe, and may not be the cheapest. Counted, so that runs repeat."""


@dataclass(frozen=True)
class Bound:
    """The counts that are possible for a group, and the prints that say so.

    Parameters
    ----------
    least, most : whole people.
    proof : positions of the releases that the bounds follow from.
    """

    least: float
    most: float
    proof: frozenset[int]


class Attacker:
    """A reader who knows every print, every rule and every sum.

    Parameters
    ----------
    system : what is printed of one family.
    marks : whether the reader also knows which counts are hidden for their own sake, and what the rule hides.

    Raises
    ------
    ValueError
        If the prints contradict each other.
    """

    def __init__(self, system: System, marks: bool) -> None:
        self.system = system
        self.lower = np.array([release.lower for release in system.releases])
        self.upper = np.array([release.upper for release in system.releases])
        if marks:
            for n, release in enumerate(system.releases):
                if release.small:
                    self.lower[n], self.upper[n] = 1.0, float(release.largest)
        self._upper_rows = np.isfinite(self.upper)
        self._lower_rows = self.lower > 0
        above, below = system.rows[self._upper_rows], -system.rows[self._lower_rows]
        self._a = np.vstack([above, below])
        self._b = np.concatenate([self.upper[self._upper_rows], -self.lower[self._lower_rows]])
        self._which = np.concatenate([np.flatnonzero(self._upper_rows), np.flatnonzero(self._lower_rows)])
        self.witnesses: list[Array] = []

    def possible(self) -> bool:
        """Whether any counts at all agree with the prints."""
        return self._solve(np.zeros(self.system.rows.shape[1])) is not None

    def bound(self, group: Array) -> Bound:
        """The least and the most of a group, exactly: over whole numbers of people.

        Parameters
        ----------
        group : shape (smallest group,), 1 where it is in the group, −1 where it is taken away.
        """
        least, why = self._extreme(group)
        most, also = self._extreme(-group)
        return Bound(least, -most, why | also)

    def _extreme(self, objective: Array) -> tuple[float, frozenset[int]]:
        found = self._solve(objective)
        if found is None:
            raise ValueError("what is published contradicts itself")
        value, point, proof = found
        if value == -np.inf or point is None:
            return -np.inf, frozenset()
        if np.abs(point - point.round()).max(initial=0.0) <= _CLOSE:
            self.witnesses.append(point.round())
            return float(np.round(value)), proof
        from scipy.optimize import Bounds, LinearConstraint, milp

        # Some vertices of large tables are fractions; people are not.
        whole = milp(
            objective,
            constraints=[
                LinearConstraint(self.system.rows, self.lower, self.upper),
                *([LinearConstraint(self.system.equal, 0, 0)] if len(self.system.equal) else []),
            ],
            integrality=np.ones(len(objective)),
            bounds=Bounds(0, np.inf),
        )
        if whole.x is None:
            return float(np.ceil(value - _CLOSE)), proof
        self.witnesses.append(whole.x.round())
        everything = frozenset(int(n) for n in self._which)
        exact = float(np.round(whole.fun))
        return exact, proof if exact <= np.ceil(value - _CLOSE) else everything

    def _solve(self, objective: Array) -> tuple[float, Array | None, frozenset[int]] | None:
        # scipy.optimize is slow to import, and only a run that protects counts needs it.
        from scipy.optimize import linprog

        equal = self.system.equal if len(self.system.equal) else None
        found = linprog(
            objective, self._a if len(self._a) else None, self._b if len(self._b) else None, equal,
            None if equal is None else np.zeros(len(equal)), bounds=(0, None), method="highs-ds",
        )  # fmt: skip
        if found.status == 2:
            return None
        if found.status == 3:
            return -np.inf, None, frozenset()
        if found.status != 0:
            # HiGHS may not tell the unbounded from the infeasible in presolve.
            checked = linprog(np.zeros(len(objective)), self._a if len(self._a) else None, self._b if len(self._b) else None,
                              equal, None if equal is None else np.zeros(len(equal)), bounds=(0, None))  # fmt: skip
            return None if checked.status == 2 else (-np.inf, None, frozenset())
        used = np.abs(found.ineqlin.marginals) > _CLOSE if len(self._a) else np.zeros(0, dtype=bool)
        return float(found.fun), found.x, frozenset(int(n) for n in self._which[used])


@dataclass(frozen=True)
class Breach:
    """A count that could be worked out.

    Parameters
    ----------
    group : whose.
    bound : the counts that remain possible.
    """

    group: str
    bound: Bound

    def __str__(self) -> str:
        if self.bound.least == self.bound.most:
            return f"{self.group}: exactly {self.bound.least:.0f}"
        return f"{self.group}: {self.bound.least:.0f} to {self.bound.most:.0f}"


def breaches(system: System, rule: Rule) -> list[Breach]:
    """Every count of few people that the prints narrow too far.

    A hidden count is safe if a reader who knows what the mark means must still reckon with as many values as the rule asks
    for; and, where nothing is rounded, if one who does not must reckon with a range as wide as the rule asks for that is
    not all of small counts. A group that nobody printed is safe unless it is known to be of few people, or narrowed to
    fewer values than the rule asks for, some of them small.

    Parameters
    ----------
    system : what is printed of one family.
    rule : of the family.
    """
    hidden = [n for n, release in enumerate(system.releases) if release.hidden]
    small = [n for n in hidden if system.releases[n].small]
    noughts = [n for n, release in enumerate(system.releases) if release.upper == 0]
    everybody = Attacker(replace(system, releases=tuple(
        one if n in (*small, *noughts) else replace(one, lower=0.0, upper=np.inf) for n, one in enumerate(system.releases)
    )), marks=True)  # fmt: skip

    def told(bound: Bound) -> bool:
        few = bound.most - bound.least + 1 < rule.values
        return few and bound.least <= rule.threshold and bound.most >= 1

    def all_small(bound: Bound) -> bool:
        return bound.least >= 1 and bound.most <= rule.threshold

    def open_to(bound: Bound) -> bool:
        return bound.most - bound.least + 1 >= rule.values and not all_small(bound)

    names = [str(release.cell) for release in system.releases]
    empty = system.rows[noughts].any(axis=0)
    unseen = [(name, group) for name, group in zip(system.cells, system.implied, strict=True) if (group * ~empty).any()]
    knowing = Attacker(system, marks=True)

    def by_marks(group: Array, bound: Bound) -> bool:
        """Whether marks and noughts alone say as much: no other print could be withheld to help."""
        plain = everybody.bound(group)
        if plain.least == plain.most:
            return rule.width is not None
        narrowed = told(bound) and (bound.least == bound.most or not told(plain))
        return not narrowed and (all_small(plain) or not all_small(bound))

    # A hidden count is known to be small by its mark: no more is asked of it than that it stays open.
    found = _search(knowing, [(names[n], system.rows[n]) for n in hidden], told, open_for(rule), by_marks)
    found += _search(knowing, unseen, lambda at: told(at) or all_small(at), open_to, by_marks)
    width = rule.width
    if width is not None:

        def wide(bound: Bound) -> bool:
            return not all_small(bound) and bound.most - bound.least >= width

        found += _search(
            Attacker(system, marks=False), [(names[n], system.rows[n]) for n in small], lambda at: not wide(at), wide,
            lambda *_: False,
        )  # fmt: skip
    return found


def open_for(rule: Rule) -> Callable[[Bound], bool]:
    """Whether as many counts remain possible as a rule asks for."""
    return lambda bound: bound.most - bound.least + 1 >= rule.values


def _search(
    attacker: Attacker,
    groups: list[tuple[str, Array]],
    unsafe: Callable[[Bound], bool],
    enough: Callable[[Bound], bool],
    allowed: Callable[[Array, Bound], bool],
) -> list[Breach]:
    """The groups that are unsafe and not allowed; `enough` says of a range that no wider one is unsafe."""
    found: list[Breach] = []
    if not groups:
        return found
    matrix = np.array([group for _, group in groups])
    least = np.full(len(groups), np.inf)
    most = np.full(len(groups), -np.inf)
    seen = 0
    for n, (name, group) in enumerate(groups):
        for point in attacker.witnesses[seen:]:
            values = matrix @ point
            least, most = np.minimum(least, values), np.maximum(most, values)
        seen = len(attacker.witnesses)
        # Counts that agree with the prints and differ enough in this group are proof enough that it is safe.
        if most[n] > least[n] and enough(Bound(float(least[n]), float(most[n]), frozenset())):
            continue
        bound = attacker.bound(group)
        if unsafe(bound) and not allowed(group, bound):
            found.append(Breach(name, bound))
    return found


def suppress(releases: Sequence[Release], rule: Rule, nesting: Nesting) -> list[Release]:
    """What to print of one family so that no count of few people can be worked out, hiding as few people as possible.

    Every breach is proved by some prints; unless one of them is hidden it stands. The cheapest set that hits all proofs
    found so far is an integer programme; it is solved again until the attacker finds nothing, and is then the cheapest of
    all that are safe. In the hardest tables what was hidden is kept from some round on: safe, and not always the cheapest.

    Parameters
    ----------
    releases : of one family, primary suppression and rounding done.
    rule : of the family.
    nesting : which areas lie in which.

    Returns
    -------
    the releases, some of them withheld.

    Raises
    ------
    DisclosureError
        R1003 if what is published already gives a count away, or no suppression protects it.
    """
    system = system_of(releases, nesting)
    free = [
        n
        for n, release in enumerate(releases)
        if not release.hidden and not release.public and (release.lower > 0 or release.upper > 0)
    ]
    cost = np.array([1.0 + (releases[n].truth or releases[n].upper) for n in free])
    cuts: list[frozenset[int]] = []
    kept: frozenset[int] = frozenset()
    current = list(releases)
    for turn in count():
        found = breaches(replace(system, releases=tuple(current)), rule)
        if not found:
            break
        new = [breach.bound.proof & set(free) for breach in found]
        hopeless = [str(breach) for breach, cut in zip(found, new, strict=True) if not cut]
        if hopeless:
            remedy = (
                "Print fewer subgroups or areas: what is published already, or cannot be withheld, gives these away"
            )
            raise DisclosureError(
                Fault("counts of few people could be worked out", remedy, rows=hopeless, code="R1003")
            )
        cuts = list(dict.fromkeys([*cuts, *new]))
        withheld = _cheapest([cut for cut in cuts if not cut & kept], free, cost) | kept
        if turn >= _EXACT_ROUNDS:
            kept = withheld
        current = [release.withheld() if n in withheld else release for n, release in enumerate(releases)]
    return current


def _cheapest(cuts: Sequence[frozenset[int]], free: Sequence[int], cost: Array) -> frozenset[int]:
    """The cheapest cells that hit every cut; greedily where the integer programme takes too long."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    hits = np.array([[n in cut for n in free] for cut in cuts], dtype=float).reshape(len(cuts), len(free))
    chosen = milp(
        cost, constraints=LinearConstraint(hits, 1, np.inf), integrality=np.ones(len(free)), bounds=Bounds(0, 1),
        options={"node_limit": _NODES},
    )  # fmt: skip
    if chosen.x is not None and (hits @ chosen.x.round() >= 1).all():
        return frozenset(n for n, taken in zip(free, chosen.x, strict=True) if taken > 0.5)
    found: set[int] = set()
    left = hits
    while len(left):
        best = int(np.argmin(np.where(left.sum(axis=0) > 0, cost / np.maximum(left.sum(axis=0), 1), np.inf)))
        found.add(free[best])
        left = left[left[:, best] == 0]
    return frozenset(found)


def audit(releases: Sequence[Release], rule_of: Callable[[str], Rule], nesting: Nesting) -> list[Breach]:
    """Every count of few people that can be worked out from some releases.

    Parameters
    ----------
    releases : everything printed, now and before.
    rule_of : the rule of a register.
    nesting : which areas lie in which.
    """
    return [
        breach
        for family in families(releases, nesting)
        for breach in breaches(system_of(family, nesting), rule_of(family[0].cell.register))
    ]
