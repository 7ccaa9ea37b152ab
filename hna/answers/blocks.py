"""Rates laid out for matrix products: what is shared by all areas, and what each has of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from hna.answers.expansion import REACH, ROUGHLY, TOLERANCE, Course, expansion
from hna.answers.need import rate_in
from hna.answers.screen import FEWEST, UNIT
from hna.answers.terms import Errors, Group, Shared, Single, Terms, groups_of, horner
from hna.measure.draws import normals
from hna.model.rates import Rates

Array = NDArray[np.float64]
_TILE = 2**16
_TRIED = 200
DIRECT = 4
"""So many areas or fewer are each asked for; the rates of more are carried to all at once."""
_LEAST = -25.0
_Key = tuple[int, bool]


class Carrier:
    """Rates that can be carried to many areas at once.

    ``need = Σ_groups weight(h) · Σ_n (people · c_n) t(h)^n``: one matrix product a power, and one for rates that all areas
    share. Draws whose h lies beyond `REACH` are summed directly. For the error see `Expansion`; it is nought for shared
    rates.

    Parameters
    ----------
    rates : from `make_rates`.
    errors_of : for some area codes, the code of the area whose transport error they share. None of them: every area has
        its own, as in `Rates.at`.
    cache : years whose coefficients are kept; others are made anew when they are wanted.
    years : ascending; those that will be asked for.
    """

    def __init__(
        self,
        rates: Rates,
        errors_of: Mapping[str, str] | None = None,
        cache: int = 1,
        years: Sequence[int] = (),
    ) -> None:
        self.rates = rates
        self.errors_of = dict(errors_of or {})
        self.cache = max(cache, 1)
        self.groups = groups_of(rates)
        self.cells = len(rates.sexes) * len(rates.ages.bands)
        self.own = any(group.widest > 0 for group in self.groups)
        self.plain = True
        self.years = tuple(years)
        self._terms: dict[_Key, list[Terms]] = {}
        self._locks: dict[_Key, threading.Lock] = {}
        self._guard = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        held = ("rates", "errors_of", "cache", "years", "plain")
        return {name: getattr(self, name) for name in held}

    def __setstate__(self, state: dict[str, object]) -> None:
        plain = state.pop("plain")
        self.__init__(**state)  # type: ignore[misc]
        self.plain = bool(plain)

    def check(self, codes: Sequence[str], year: int, roughly: bool = False) -> None:
        """Find out whether areas differ by their transport error alone; if not, each area is asked for (slower).

        They do not where rates say so themselves; and the first and the last area are tried, so that nothing is missed unseen.

        Parameters
        ----------
        codes : of the areas.
        year : in which to try.
        roughly : whether terms in single precision will be wanted.
        """
        own = type(self.rates).at is not Rates.at or self.rates.local is not None or len(codes) <= DIRECT
        own = own or self.rates.trend is not None
        self.plain = not own and all(self._agrees(code, year, roughly) for code in (codes[0], codes[-1]))

    def _agrees(self, code: str, year: int, roughly: bool) -> bool:
        whole, errors = _flat(self.rate(code, year)), self.errors([code])
        draws = np.arange(0, self.rates.size, max(self.rates.size // _TRIED, 1))
        ones, rows = np.ones((len(draws), self.cells)), np.zeros(len(draws), dtype=np.intp)
        ours = [self.exactly(ones, year, s, errors, rows, draws, roughly) for s in range(len(whole))]
        return bool(np.allclose(ours, whole[..., draws].sum(axis=1), rtol=1e-7, atol=0))

    @cached_property
    def _course(self) -> Course:
        return Course(self.rates, self.years)

    @cached_property
    def _sampling(self) -> Array | None:
        return _flat(self.rates.at("", 0, terms=())) if self.own else None

    def powers(self, year: int, roughly: bool = False) -> int:
        """Matrix products that a block of a year needs."""
        return 1 if not self.plain else max(terms.products for terms in self.terms(year, roughly))

    def terms(self, year: int, roughly: bool = False) -> list[Terms]:
        """Each group's coefficients in a year; roughly: in single precision throughout."""
        key = (year if self.rates.changes_by_year else 0, roughly)
        held = self._terms.get(key)
        if held is not None:
            return held
        lock = self._lock(key)
        if not lock.acquire(blocking=False):
            self._meanwhile(key)
            lock.acquire()
        try:
            return self._terms.get(key) or self._keep(key)
        finally:
            lock.release()

    def _lock(self, key: _Key) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _keep(self, key: _Key) -> list[Terms]:
        made = self._make(*key)
        with self._guard:
            while len(self._terms) >= self.cache:
                self._terms.pop(next(iter(self._terms)))
            self._terms[key] = made
        return made

    def _meanwhile(self, key: _Key) -> None:
        """Make the next year's terms while another thread makes these."""
        after = (next((year for year in self.years if year > key[0]), key[0]), key[1])
        if self.cache < 2 or after == key:
            return
        lock = self._lock(after)
        if lock.acquire(blocking=False):
            try:
                if after not in self._terms:
                    self._keep(after)
            finally:
                lock.release()

    def _make(self, year: int, roughly: bool = False) -> list[Terms]:
        odds, shares = self._course.odds(year)
        made = []
        for group, least in zip(self.groups, self._least, strict=True):
            here = np.ascontiguousarray(odds[:, group.cells])
            part = None if shares is None else np.ascontiguousarray(shares[:, group.cells])
            if least is None:
                made.append(Terms(_rate(here, part)[None]))
            else:
                # expit(η + h) = o / (o + e^-h), with the shift that keeps the mean inside o.
                here *= least
                made.append(self._expanded(group, here, part, ROUGHLY if roughly else TOLERANCE))
        return made

    @cached_property
    def _least(self) -> list[Array | None]:
        """Of each group that areas have errors in: what the odds are multiplied by, so that the mean is kept."""
        found: list[Array | None] = []
        for group in self.groups:
            if group.widest == 0 or self._sampling is None:
                found.append(None)
                continue
            spread = group.pick([np.full(self.rates.size, part.transport) for part in group.parts])
            sampling = self._sampling[: len(self.rates.layers), group.cells]
            found.append(np.exp(-0.5 * spread**2 * (1 - 2 * sampling)))
        return found

    def _expanded(self, group: Group, odds: Array, shares: Array | None, tolerance: float) -> Terms:
        layers, cells, draws = odds.shape
        # Limits on a coarse scale, so that most years have the same expansion; small rates are all alike.
        least, most = min(_LEAST, float(np.log(odds.min()))), np.ceil(2 * np.log(odds.max())) / 2
        found = expansion(group.widest, least, float(most), tolerance)
        severities = layers + (0 if shares is None else len(shares))
        if found is None:
            return Terms(np.empty((0, severities, cells, draws)), expansion=None, odds=odds, shares=shares)
        split = found.doubles if tolerance == TOLERANCE else 0
        doubles = np.empty((split, severities, cells, draws))
        singles = np.empty((len(found.nodes) - split, severities, cells, draws), dtype=np.float32)
        away = np.exp(-found.nodes)[:, None]
        powers = found.powers / found.weight(found.nodes)
        nodes = np.empty((len(away), draws))
        for layer in range(layers):
            for cell in range(cells):
                np.add(odds[layer, cell], away, out=nodes)
                np.divide(odds[layer, cell], nodes, out=nodes)
                doubles[:, layer, cell] = powers[:split] @ nodes
                singles[:, layer, cell] = powers[split:] @ nodes
        if shares is not None:
            np.multiply(doubles[:, :1], shares, out=doubles[:, layers:])
            np.multiply(singles[:, :1], shares, out=singles[:, layers:], casting="same_kind")
        return Terms(doubles, singles, found, odds, shares)

    def shared(self, year: int, severity: int) -> Shared:
        """Rates that all areas share."""
        terms = self.terms(year)
        with self._guard:
            held = terms[0].shared.get(severity)
        if held is None:
            rate: Array = terms[0].coefficients[0, severity]
            if len(terms) > 1:
                rate = np.empty((self.cells, self.rates.size))
                for group, one in zip(self.groups, terms, strict=True):
                    rate[group.cells] = one.coefficients[0, severity]
            held = Shared.of(rate)
            with self._guard:
                terms[0].shared[severity] = held
        return held

    def errors(self, codes: Sequence[str]) -> Errors:
        """The errors that areas have of their own: the draws of `Rates.at`."""
        rates, size = self.rates, self.rates.size
        own = [self.errors_of.get(code, code) for code in codes]
        keys = list(dict.fromkeys(own))
        row = {key: n for n, key in enumerate(keys)}
        found: list[Array | None] = []
        for group in self.groups:
            if group.widest == 0:
                found.append(None)
                continue
            drawn = group.pick([
                part.transport * normals(rates.seed, [f"transport:{part.source.id}:{key}" for key in keys], size)
                if part.transport > 0
                else np.zeros((len(keys), size))
                for part in group.parts
            ])  # fmt: skip
            found.append(drawn if keys == own else drawn[[row[key] for key in own]])
        return Errors(found, [REACH * group.widest for group in self.groups], codes)

    def expected(self, people: Array, year: int, severity: int, errors: Errors) -> Array:
        """Expected people in need.

        Parameters
        ----------
        people : shape (area, cell), in the rates' sexes and bands; cells that are left out hold nought.
        year : calendar year.
        severity : position along the rates' severities.
        errors : from `errors`, for the same areas.

        Returns
        -------
        array of shape (area, draw), people.
        """
        if not self.plain:
            rates = (self.rate(code, year)[severity].reshape(self.cells, -1) for code in errors.codes)
            return np.stack([here @ rate for here, rate in zip(people, rates, strict=True)])
        total = np.zeros((len(people), self.rates.size)) if len(self.groups) != 1 else None
        for g, (group, terms) in enumerate(zip(self.groups, self.terms(year), strict=True)):
            held = people if len(group.cells) == self.cells else np.ascontiguousarray(people[:, group.cells])
            part = self._part(held, terms, severity, errors, g)
            if total is None:
                return part
            total += part
        return np.zeros((len(people), self.rates.size)) if total is None else total

    def _part(self, people: Array, terms: Terms, severity: int, errors: Errors, group: int) -> Array:
        own, beyond = errors.own[group], errors.beyond[group]
        if own is None or beyond is None:
            shared: Array = people @ terms.coefficients[0, severity]
            return shared
        if terms.expansion is None:
            return np.stack([here @ terms.moved(severity, slice(None), h) for here, h in zip(people, own, strict=True)])
        variable, single, weight = errors.placed(group, terms.expansion)
        powers, singles = terms.coefficients[:, severity], terms.singles[:, severity]
        part = np.empty((len(people), powers.shape[-1]))
        few = people.astype(np.float32)
        step = max(_TILE // self.rates.size, 8)
        room = np.empty((min(step, len(people)), part.shape[1]))
        rest = np.empty((2, *room.shape), dtype=np.float32)
        for start in range(0, len(people), step):
            tile = slice(start, start + step)
            here, out, more = people[tile], part[tile], None
            if len(singles):
                more, spare = rest[:, : len(here)]
                horner(few[tile], singles, single[tile], more, spare)
                more *= single[tile]
            horner(here, powers, variable[tile], out, room[: len(here)], more)
            if weight is not None:
                out *= weight[tile]
        rows, draws = beyond
        part[beyond] = np.einsum("nc,cn->n", people[rows], terms.moved(severity, draws, own[beyond]))
        return part

    def screens(self, year: int) -> bool:
        """Whether need of many areas can be told nearly, in single precision, before any of it is worked out."""
        if not self.plain or self.rates.size < FEWEST:
            return False
        return all(
            group.widest == 0 or terms.expansion is not None
            for group, terms in zip(self.groups, self.terms(year, roughly=True), strict=True)
        )

    def nearly(self, people: Array, year: int, severity: int, errors: Errors) -> tuple[Single, float]:
        """Expected people in need in single precision, shape (area, draw), and its largest relative error."""
        total: Single | None = None
        error = 0.0
        single = people.astype(np.float32)
        for g, (group, terms) in enumerate(zip(self.groups, self.terms(year, roughly=True), strict=True)):
            held = single if len(group.cells) == self.cells else np.ascontiguousarray(single[:, group.cells])
            own, beyond = errors.own[g], errors.beyond[g]
            if own is None or beyond is None or terms.expansion is None:
                part = held @ terms.coefficients[0, severity].astype(np.float32)
                error = max(error, (self.cells + 3) * UNIT)
            else:
                variable, weight = errors.roughly(g, terms.expansion)
                powers = terms.singles[:, severity]
                part, room = np.empty((2, *own.shape), dtype=np.float32)
                horner(held, powers, variable, part, room)
                if weight is not None:
                    part *= weight
                rows, draws = beyond
                part[beyond] = np.einsum(
                    "nc,cn->n", people[rows][:, group.cells], terms.moved(severity, draws, own[beyond])
                )
                rounding = (self.cells + 3 * len(powers) + 6) * terms.expansion.growth * UNIT
                error = max(error, terms.expansion.error + rounding)
            total = part if total is None else np.add(total, part, out=total)
        if total is None:
            return np.zeros((len(people), self.rates.size), dtype=np.float32), 0.0
        return total, error + len(self.groups) * UNIT

    def exactly(
        self,
        people: Array,
        year: int,
        severity: int,
        errors: Errors,
        rows: NDArray[np.intp],
        draws: NDArray[np.intp],
        roughly: bool = True,
    ) -> Array:
        """Expected people in some draws, without any expansion.

        Parameters
        ----------
        people : shape (pair, cell).
        year, severity, errors : as in `expected`.
        rows, draws : shape (pair,), which of the areas that `errors` is of, and which draw.
        roughly : which of the terms are there.
        """
        total = np.zeros(len(rows))
        for group, terms, own in zip(self.groups, self.terms(year, roughly), errors.own, strict=True):
            if own is None:
                rate = terms.coefficients[0, severity][:, draws]
            else:
                rate = terms.moved(severity, draws, own[rows, draws])
            total += np.einsum("nc,cn->n", people[:, group.cells], rate)
        return total

    def rate(self, code: str, year: int) -> Array:
        """Draws of the rate in one area, shape (severity, sex, age, draw), without any expansion."""
        return rate_in(self.rates, code, year, self.errors_of)


def _rate(odds: Array, shares: Array | None) -> Array:
    top: Array = odds / (1 + odds)
    return top if shares is None else np.concatenate([top, top[:1] * shares])


def _flat(values: Array) -> Array:
    return values.reshape(values.shape[0], -1, values.shape[-1])


_held = threading.Lock()
_HOLDS: list[object] = []


def hold_blas() -> None:
    """Matrix products on one thread each, from now on in this process: threads work on blocks instead."""
    with _held:
        if not _HOLDS:
            _HOLDS.append(threadpoolctl.threadpool_limits(limits=1, user_api="blas"))
