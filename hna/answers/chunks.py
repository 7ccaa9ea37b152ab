"""One chunk of areas: need formed year by year, read, added to the groups, and dropped."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.answers.blocks import Carrier
from hna.answers.limits import GAP, gap_figures, limits
from hna.answers.need import realise
from hna.answers.nest import Part
from hna.answers.realised import Method, Scores, whole_people
from hna.errors import AxisError, Fault
from hna.measure.draws import normal, stream
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
    method : how chance in small numbers is drawn.
    shared : whether all areas have the same rates and no chance of their own.
    grid : sums over a chunk are rounded to a multiple of this many people, so that they add up to the same total in any
        order.
    keep : whether draws of the total are returned.
    """

    carrier: Carrier
    years: tuple[int, ...]
    cuts: tuple[Cut, ...]
    level: float
    target: float | None
    method: Method
    shared: bool
    grid: float
    keep: bool


@dataclass(frozen=True, eq=False)
class Chunk:
    """Areas in a row: people of shape (area, year, cell), codes, counts, and their groups."""

    start: int
    people: Array
    codes: tuple[str, ...]
    known: Counts | None
    part: Part | None


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
    draws = np.empty((*shape, carrier.rates.size)) if work.keep else None
    sums = None
    if chunk.part is not None:
        sums = np.empty((len(chunk.part.parents), len(cuts), len(years), carrier.rates.size))
    formed = _shared(work, chunk) if work.shared else _own(work, chunk)
    for y, n, block, moments in formed:
        if sums is not None and chunk.part is not None:
            sums[:, n, y] = _rounded(chunk.part.second @ (chunk.part.first @ block), work.grid)
        if draws is not None and n == 0:
            draws[:, y] = block
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
    carrier, rates = work.carrier, work.carrier.rates
    errors = carrier.errors(chunk.codes)
    codes = chunk.codes if rates.local is not None else ("",)
    layers = np.stack([rates.mean(code)[: len(rates.layers)].reshape(len(rates.layers), -1) for code in codes])
    scores: dict[str, Scores] = {}
    for y, year in enumerate(work.years):
        people = np.ascontiguousarray(chunk.people[:, y])
        largest = np.einsum("alc,ac->al", np.broadcast_to(layers, (len(people), *layers.shape[1:])), people).max(axis=1)
        few = largest < rates.defaults.realised_below
        size = np.maximum(np.round(people.sum(axis=1)), 1.0)
        split = few.any() and not all(cut.whole and cut.severity < len(rates.layers) for cut in work.cuts)
        cells = _in_cells(work, chunk, people, year, few) if split else {}
        for n, cut in enumerate(work.cuts):
            held = people if cut.whole else people * cut.cells
            block = carrier.expected(held, year, cut.severity, errors)
            if split:
                for row, drawn in cells.items():
                    block[row] = drawn[n]
            elif few.any():
                name = rates.layers[cut.severity]
                if work.method == "inverse" and name not in scores:
                    scores[name] = Scores(
                        np.stack([normal(rates.seed, _key(rates, name, code), rates.size) for code in chunk.codes])
                    )
                _chance(work, chunk.codes, block, size, few, name, scores.get(name))
            yield y, n, block, None


def _key(rates: Rates, layer: str, code: str) -> str:
    return f"realised:{rates.model.need}:{layer}:{code}"


def _chance(
    work: Work,
    codes: Sequence[str],
    block: Array,
    size: Array,
    few: NDArray[np.bool_],
    layer: str,
    scores: Scores | None,
) -> None:
    if scores is not None:
        if few.all():
            block[...] = whole_people(block, size, scores)
        else:
            block[few] = whole_people(block[few], size[few], scores[few])
        return
    rates = work.carrier.rates
    for row in np.flatnonzero(few).tolist():
        chances = np.clip(block[row] / size[row], 0, 1)
        block[row] = stream(rates.seed, _key(rates, layer, codes[row])).binomial(int(size[row]), chances)


def _in_cells(work: Work, chunk: Chunk, people: Array, year: int, few: NDArray[np.bool_]) -> dict[int, list[Array]]:
    """Areas whose whole people are divided among cells and strata: as `realise` does it, one area at a time."""
    rates = work.carrier.rates
    found = {}
    for row in np.flatnonzero(few).tolist():
        here = people[row].reshape(len(rates.sexes), -1)
        rate = work.carrier.rate(chunk.codes[row], year)
        drawn = realise(rate * here[None, :, :, None], here, rates, chunk.codes[row], work.method)
        flat = drawn.reshape(drawn.shape[0], -1, drawn.shape[-1])
        found[row] = [cut.cells @ flat[cut.severity] for cut in work.cuts]
    return found


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
