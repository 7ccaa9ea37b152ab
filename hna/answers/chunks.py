"""One chunk of areas: need formed year by year, read, added to the groups, and dropped."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hna.answers.blocks import Carrier
from hna.answers.limits import GAP, gap_figures, limits
from hna.answers.need import realise, realise_totals, realised_key, scores_of
from hna.answers.nest import Part
from hna.answers.people_factors import factors_of
from hna.answers.realised import Scores, whole_people
from hna.answers.terms import Errors
from hna.errors import AxisError, Fault
from hna.evidence.population import PeopleFactors
from hna.measure.draws import normal
from hna.model.rates import Rates

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cut:
    """A subgroup: its labels, its stratum, and which of the flat (sex, age) cells it takes (1 or 0)."""

    label: str
    sex: str
    age: str
    severity: int
    cells: Array

    @property
    def whole(self) -> bool:
        """Whether it takes every cell."""
        return bool(self.cells.all())


def cuts_of(rates: Rates, by: Sequence[str]) -> tuple[Cut, ...]:
    """The total, then every subgroup asked for."""
    sexes = rates.sexes if rates.sexes != ("persons",) else (rates.model.sex,)
    bands = rates.ages.bands
    everyone = np.ones((len(sexes), len(bands)))
    single = rates.model.prevalence.ages == "graduate"
    found = []
    for s, severity in enumerate(rates.severities if "severity" in by else rates.severities[:1]):
        choices: list[tuple[str, str, Array]] = [(rates.model.sex, "all", everyone)]
        if "sex" in by and len(sexes) > 1:
            choices += [(sex, "all", everyone * (np.arange(len(sexes)) == x)[:, None]) for x, sex in enumerate(sexes)]
        # Single years from graduated rates are right in total and wrong one by one: they are never published.
        if "age" in by and len(bands) > 1 and not single:
            choices += [
                (sex, band.label, cells * (np.arange(len(bands)) == a))
                for sex, _, cells in tuple(choices)
                for a, band in enumerate(bands)
            ]
        found += [Cut(severity, sex, age, s, cells.ravel().astype(float)) for sex, age, cells in choices]
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Counts:
    """People known, for each place and year.

    Parameters
    ----------
    low, high : shape (place, year), least and most; NaN where no one has counted.
    printed : shape (place, year), whether the publisher prints the number (low and high are then the same).
    factor : shape (draw,), the measurement model's draws; None for a count taken as it is.
    middle : of the factor.
    """

    low: Array
    high: Array
    printed: NDArray[np.bool_]
    factor: Array | None = None
    middle: float = 1.0

    def __post_init__(self) -> None:
        wrong = (self.low > self.high) | (np.isnan(self.low) != np.isnan(self.high))
        if wrong.any():
            remedy = "The least number is at most the greatest, and both are there or neither"
            raise AxisError(Fault("bounds of people known are wrong", remedy, rows=np.argwhere(wrong)[:6].tolist()))

    @classmethod
    def exact(cls, count: Array) -> Counts:
        """Numbers as printed, shape (place, year); NaN where no one has counted."""
        return cls(count, count, np.isfinite(count))

    def rows(self, which: slice) -> Counts:
        """Some places."""
        return Counts(self.low[which], self.high[which], self.printed[which], self.factor, self.middle)


@dataclass(frozen=True, eq=False)
class Work:
    """What every chunk needs: rates, years, subgroups and how they are read.

    Parameters
    ----------
    carrier : the rates.
    years, cuts, level, target : of the summary.
    shared : whether all areas have the same rates and no chance of their own.
    grid : sums over a chunk are rounded to a multiple of this many people, so that they add up to the same total in any
        order.
    keep : positions of the subgroups, one a severity, whose draws are returned.
    error : of the number of people; None where it is taken as exact.
    """

    carrier: Carrier
    years: tuple[int, ...]
    cuts: tuple[Cut, ...]
    level: float
    target: float | None
    shared: bool
    grid: float
    keep: tuple[int, ...]
    error: PeopleFactors | None = None


@dataclass(frozen=True, eq=False)
class Chunk:
    """Areas in a row: people of shape (area, year, cell), codes, counts, and their groups.

    Where the chance of who is there is added: in whole areas, shape (area, year), and in subgroups, shape (subgroup, area,
    year). Unused where rates are shared. Shares: of each cell's people by the ages that share an error, shape (group, area,
    year, cell); None where people are taken as exact.
    """

    start: int
    people: Array
    codes: tuple[str, ...]
    known: Counts | None
    part: Part | None
    few: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    small: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=bool))
    shares: Array | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """What a chunk gives: figures of its areas for each subgroup, and sums for groups, shape (group, subgroup, year, draw)."""

    start: int
    values: tuple[dict[str, Array], ...]
    draws: Array | None = None
    parents: NDArray[np.intp] | None = None
    sums: Array | None = None
    chunks: NDArray[np.intp] | None = None


def run_chunk(work: Work, chunk: Chunk) -> Found:
    """Need of a chunk of areas, read year by year."""
    running = in_years(work, chunk)
    while True:
        if (found := advance(running)) is not None:
            return found


def advance(running: Running) -> Found | None:
    """One more year of a chunk; what was found after the last."""
    try:
        next(running)
    except StopIteration as end:
        found: Found = end.value
        return found
    return None


def in_years(work: Work, chunk: Chunk) -> Running:
    """Need of a chunk of areas, a year at a time: several chunks can go through the years side by side."""
    carrier, years, cuts = work.carrier, work.years, work.cuts
    shape = (len(chunk.codes), len(years))
    values: tuple[dict[str, Array], ...] = tuple({} for _ in cuts)
    draws = np.empty((len(work.keep), *shape, carrier.rates.size)) if work.keep else None
    sums = None
    if chunk.part is not None:
        sums = np.empty((len(chunk.part.parents), len(cuts), len(years), carrier.rates.size))
    formed = _shared(work, chunk) if work.shared else _own(work, chunk)
    for y, n, block, moments in formed:
        if sums is not None and chunk.part is not None:
            sums[:, n, y] = _rounded(chunk.part.second @ (chunk.part.first @ block), work.grid)
        if draws is not None and n in work.keep:
            draws[work.keep.index(n), :, y] = block
        known = None
        if chunk.known is not None and n == 0:
            which = slice(y, y + 1)
            held = chunk.known
            known = Counts(held.low[:, which], held.high[:, which], held.printed[:, which], held.factor, held.middle)
        found = read_block(work, block, known, moments=moments)
        for name, figures in found.items():
            values[n].setdefault(name, np.full(shape, np.nan))[:, y] = figures
        if n == len(cuts) - 1:
            yield
    if chunk.part is None:
        return Found(chunk.start, values, draws)
    return Found(chunk.start, values, draws, chunk.part.parents, sums, np.ones(len(chunk.part.parents), dtype=np.intp))


Running = Generator[None, None, Found]
Formed = Iterator[tuple[int, int, Array, tuple[Array, Array] | None]]


def _shared(work: Work, chunk: Chunk) -> Formed:
    """Blocks of areas with the same rates; mean and standard deviation from the moments of the rates."""
    block: Array | None = None
    for y, year in enumerate(work.years):
        people = np.ascontiguousarray(chunk.people[:, y])
        for n, cut in enumerate(work.cuts):
            shared = work.carrier.shared(year, cut.severity)
            held = people if cut.whole else people * cut.cells
            variance = np.einsum("ac,ac->a", held @ shared.covariance, held)
            block = np.matmul(held, shared.rate, out=block)
            yield y, n, block, (held @ shared.mean, np.sqrt(np.maximum(variance, 0.0)))


def _own(work: Work, chunk: Chunk) -> Formed:
    """Blocks of areas with errors of their own, or chance in small numbers."""
    forming = _Forming(work, chunk)
    for y, year in enumerate(work.years):
        people = np.ascontiguousarray(chunk.people[:, y])
        shares = None if chunk.shares is None else chunk.shares[:, :, y]
        for n, block in enumerate(forming.blocks(people, year, chunk.few[:, y], shares)):
            small = chunk.small[n, :, y] & ~chunk.few[:, y]
            if small.any():
                forming.chance(block, n, people, small)
            yield y, n, block, None


class _Forming:
    """Forms blocks of some areas, and keeps what is the same in every year."""

    def __init__(self, work: Work, chunk: Chunk) -> None:
        self.work, self.codes = work, chunk.codes
        self.carrier, self.rates = work.carrier, work.carrier.rates
        self.errors = self.carrier.errors(chunk.codes) if self.carrier.plain else None
        self.scores: dict[str, Scores] = {}
        self.own: dict[tuple[int, int], Array] = {}
        self.whole = all(cut.whole for cut in work.cuts)

    def blocks(self, people: Array, year: int, few: NDArray[np.bool_], shares: Array | None) -> Iterator[Array]:
        """Draws of each subgroup, shape (area, draw), whole people where few are expected."""
        factors = self._factors(year)
        if self.errors is None or (few.any() and not self.whole):
            yield from self._one_by_one(people, year, few, shares, factors)
            return
        if not few.any():
            for cut in self.work.cuts:
                held = people if cut.whole else people * cut.cells
                yield self._expected(held, year, cut.severity, self.errors, shares, factors)
            return
        drawn = np.stack([
            self._expected(people, year, cut.severity, self.errors, shares, factors) for cut in self.work.cuts
        ])  # fmt: skip
        size = np.maximum(np.round(people.sum(axis=1)), 1.0)
        rows = slice(None) if few.all() else np.flatnonzero(few)
        if not self.scores:
            self.scores |= scores_of(self.rates, self.codes)
        some = {name: scores[rows] for name, scores in self.scores.items()}
        codes = self.codes if few.all() else [self.codes[n] for n in np.flatnonzero(few)]
        drawn[:, rows] = realise_totals(drawn[:, rows], size[rows], self.rates, codes, some)
        yield from drawn

    def _factors(self, year: int) -> Array | None:
        """Of the people of each area, shape (area, group or 1, draw)."""
        error = self.work.error
        if error is None:
            return None
        return factors_of(error, self.codes, year, self.rates.seed, self.rates.size)

    def _expected(
        self, people: Array, year: int, severity: int, errors: Errors, shares: Array | None, factors: Array | None
    ) -> Array:
        """Expected people in need; ages that share an error are formed by themselves and moved together."""
        if factors is None or shares is None:
            return self.carrier.expected(people, year, severity, errors)
        if factors.shape[1] == 1:
            whole: Array = self.carrier.expected(people, year, severity, errors)
            whole *= factors[:, 0]
            return whole
        total = np.zeros((len(people), factors.shape[-1]))
        for g in range(factors.shape[1]):
            held = people * shares[g]
            if held.any():
                total += factors[:, g] * self.carrier.expected(held, year, severity, errors)
        return total

    def _one_by_one(
        self, people: Array, year: int, few: NDArray[np.bool_], shares: Array | None, factors: Array | None
    ) -> Iterator[Array]:
        """Rates of each area in turn, its few people divided among cells as `realise` does it."""
        cuts = self.work.cuts
        found = np.empty((len(cuts), len(people), self.rates.size))
        for row, code in enumerate(self.codes):
            rate = self.carrier.rate(code, year)
            if factors is not None and shares is not None:
                split = np.ones((rate.shape[1] * rate.shape[2], 1)) if factors.shape[1] == 1 else shares[:, row].T
                rate = rate * (split @ factors[row]).reshape(rate.shape[1:])
            flat = rate.reshape(rate.shape[0], -1, rate.shape[-1])
            here = people[row]
            if few[row]:
                shaped = here.reshape(rate.shape[1:3])
                flat = realise(rate * shaped[None, :, :, None], shaped, self.rates, code).reshape(flat.shape)
                here = np.ones_like(here)
            for n, cut in enumerate(cuts):
                np.matmul(here * cut.cells, flat[cut.severity], out=found[n, row])
        yield from found

    def chance(self, block: Array, n: int, people: Array, rows: NDArray[np.bool_]) -> None:
        """A small subgroup of a larger area gets a chance of its own, as `hna.answers.rows.people_drawn` gives it."""
        cut = self.work.cuts[n]
        here = np.flatnonzero(rows).tolist()
        for row in here:
            if (n, row) not in self.own:
                key = realised_key(self.rates, f"{cut.label}:{cut.sex}:{cut.age}", self.codes[row])
                self.own[n, row] = normal(self.rates.seed, key, self.rates.size)
        size = np.maximum(np.round(people[here] @ cut.cells), 1.0)
        block[here] = whole_people(block[here], size, Scores(np.stack([self.own[n, row] for row in here])))


def _rounded(sums: Array, grid: float) -> Array:
    shift = 1.5 * 2.0**52 * grid
    found: Array = (sums + shift) - shift
    return found


def read_block(
    work: Work,
    block: Array,
    known: Counts | None,
    *,
    moments: tuple[Array, Array] | None = None,
) -> dict[str, Array]:
    """Everything kept of a block, which is overwritten.

    Parameters
    ----------
    work : how it is read.
    block : shape (row, draw), people.
    known : counts of the same rows, shape (row, 1), or (1, row) for the years of one place.
    moments : mean and standard deviation of each row, if they are known already.

    Returns
    -------
    arrays of shape (row,) by name.
    """
    if moments is None:
        mean = block.mean(axis=-1)
        square = np.einsum("rd,rd->r", block, block) / block.shape[-1]
        moments = (mean, np.sqrt(np.maximum(square - mean**2, 0.0)))
    found = {"mean": moments[0], "sd": moments[1]}
    rows = np.zeros(len(block), dtype=bool) if known is None else np.isfinite(known.low).ravel()
    if known is not None and rows.any():
        of = block[rows]
        low, high, printed = (values.ravel()[rows] for values in (known.low, known.high, known.printed))
        figures = gap_figures(of, low, high, printed, known.factor, work.level, work.target)
        for name in GAP:
            if name in figures:
                found[name] = np.full(len(block), np.nan)
                found[name][rows] = figures[name]
    found["lower"], found["upper"] = limits(block, work.level)
    return found
