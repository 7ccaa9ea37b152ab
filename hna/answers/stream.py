"""Need and gap for many areas and years in bounded memory: each block is formed, read exactly and dropped."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hna.answers.blocks import Carrier, hold_blas
from hna.answers.chunks import Chunk, Counts, Found, Work, advance, in_years, read_block, run_chunk
from hna.answers.cuts import Cut, cuts_of
from hna.answers.limits import GAP, NEED
from hna.answers.memory import MEMORY, check_memory
from hna.answers.need import people_in_bands
from hna.answers.nest import Grouping, Nest
from hna.answers.people_factors import group_shares
from hna.answers.summary import Summary
from hna.errors import AxisError, Fault, ModelError
from hna.evidence.population import Population
from hna.measure.draws import check_level
from hna.model.rates import Rates
from hna.model.rules import off_mean

Array = NDArray[np.float64]

Runner = Callable[[Work, Iterable[Chunk]], Iterator[Found]]
CHUNK = 512
"""Most areas in a chunk; with many draws fewer, so that a block stays in a processor's cache."""
BLOCK = 2**19
"""Numbers in a block of one year, about."""
_MANY = 16
_NOBODY = 1e-9
"""People: what rounding leaves where there are none."""


@dataclass
class _Parents:
    """Sums of children's draws, kept until the last child has come."""

    work: Work
    waiting: dict[int, int]
    known: Counts | None
    held: dict[int, Array] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, parents: NDArray[np.intp], sums: Array, times: NDArray[np.intp]) -> list[tuple[int, Array]]:
        """Those that are now whole."""
        whole = []
        with self.lock:
            for parent, more, chunks in zip(parents.tolist(), sums, times.tolist(), strict=True):
                before = self.held.pop(parent, None)
                total = more if before is None else np.add(before, more, out=before)
                self.waiting[parent] -= chunks
                if not self.waiting[parent]:
                    whole.append((parent, total))
                else:
                    self.held[parent] = total.copy() if before is None else total
        return whole


def summarise(
    rates: Rates,
    population: Population,
    *,
    by: Sequence[str] = (),
    groups: Sequence[Grouping] = (),
    known: Counts | None = None,
    errors_of: Mapping[str, str] | None = None,
    level: float = 0.95,
    memory: int = MEMORY,
    threads: int | None = None,
    keep_draws: bool = False,
    keep: Collection[str] = (),
    chunk: int | None = None,
    runner: Runner | None = None,
) -> Summary:
    """Need, and the gap to people known, for every area, year and group, without holding their draws.

    People are summed into the rates' bands; need of a block of areas in one year is a matrix product, read and dropped.
    The draws are those of `hna.need`: the same area has the same draws alone or among all, in any chunk and any order.
    Groups keep the correlation of their areas draw by draw: where all areas share their rates, through the sum of their
    people, which is the same; where areas have errors of their own, or chance in small numbers, through the sum of their
    draws. Quantiles are those of the draws, exactly.

    Parameters
    ----------
    rates : from `hna.rates`.
    population : people, in any sexes and bands that add up to the rates'.
    by : subgroups besides the total: any of severity, sex, age.
    groups : larger areas; their rows follow the population's.
    known : counts of people known in all places (areas, then groups), compared with the total.
    errors_of : for some area codes, the code of the larger area whose transport error they share. The error of a rate in
        an authority is then not averaged away over its small areas.
    level : of the limits.
    memory : bytes above the input that may be used.
    threads : at once; None for every processor.
    keep_draws : whether to return draws too, of all severities of all places, which need memory for all of them.
    keep : codes of groups whose draws alone are returned.
    chunk : areas a chunk; None to choose. Sums over groups differ in the last digits between chunk sizes.
    runner : runs chunks elsewhere; see `hna.answers.distributed`.

    Returns
    -------
    Summary over subgroup, place, year; people.

    Raises
    ------
    QuantityError
        If the work would need more than `memory`, before it starts: with the size, and what to ask for instead.
    AxisError
        If the population lacks ages or sexes that the rates need, or `by` is unknown.
    ModelError
        R141 if errors are too wide for draws to keep the estimate as their mean; R152 if strata overlap without a total.

    Notes
    -----
    Against the sum of `Rates.at` over cells, draws of areas with errors of their own differ by at most 1e-9 relative
    whatever that error (`hna.answers.expansion.TOLERANCE`); shared rates by rounding alone.
    """
    check_level(level)
    unknown = [name for name in by if name not in ("severity", "sex", "age")]
    if unknown:
        raise AxisError(Fault("need cannot be summarised by these", "Use severity, sex, age", rows=unknown))
    if "severity" not in by and rates.layers[0]:
        what = f"strata of {rates.model.need} overlap and no total is printed, so there is no need of all severities"
        raise ModelError(Fault(what, "Ask for need by severity as well", code="R152"))
    first = people_in_bands(rates, replace(population, areas=population.areas[:1], people=population.people[:1]))
    cuts = cuts_of(rates, by)
    places = (*population.areas, *(area for group in groups for area in group.areas))
    if known is not None and known.low.shape != (len(places), len(population.years)):
        what = f"counts have shape {known.low.shape}, need has {(len(places), len(population.years))}"
        raise AxisError(Fault(what, "Give one row for each area and then each group, one column a year", field="known"))
    width = chunk or _chunk(rates, cuts, by, len(population.areas), bool(groups))
    threads = threads or os.cpu_count() or 1
    carrier = Carrier(rates, errors_of, years=population.years)
    headline, people, few, small = _headlines(rates, population, cuts)
    # Where nothing is asked of draws but their limits, most are formed in single precision alone.
    roughly = not (groups or known is not None or keep_draws or small.any())
    carrier.check([area.code for area in population.areas], population.years[0], roughly)
    shared = carrier.plain and not carrier.own and not small.any() and population.error is None
    wholes = tuple(n for n, cut in enumerate(cuts) if cut.whole)
    fewest = float(headline[0].sum(axis=0).max(initial=1.0))
    grid = 2.0 ** (np.ceil(np.log2(max(fewest, 1.0) * 8)) - 52)
    work = Work(
        carrier, population.years, cuts, level, rates.model.target.coverage if rates.model.target else None,
        shared, float(grid), wholes if keep_draws else (), population.error,
    )  # fmt: skip
    kept = sum(keep_draws or place.code in keep for place in places)
    pairs = [(group.child, group.parent, len(group.areas)) for group in groups]
    nest = Nest.of(pairs, len(population.areas), width)
    # Numbers of eight bytes that a year's rates take, of each draw and cell.
    powers = carrier.powers(population.years[0], roughly)
    numbers = powers / 2 + 2 if roughly else powers + 3
    abreast = check_memory(
        work, nest, len(places), len(cuts), width, threads, memory, known is not None, bool(few.any()), kept, numbers
    )
    hold_blas()
    result = Summary.empty(
        rates,
        population,
        first,
        places,
        cuts,
        level,
        known,
        (*NEED, *(GAP if known else ())),
        {place.code: n for n, place in enumerate(place for place in places if keep_draws or place.code in keep)},
    )
    result.put(0, headline, people, small)
    parents = _Parents(work, nest.chunks_of_parent(), known)
    offset = len(population.areas)

    def cut(start: int) -> Chunk:
        stop = min(start + width, offset)
        held = None if known is None else known.rows(slice(start, stop))
        codes = tuple(area.code for area in population.areas[start:stop])
        chance = (few[start:stop], small[:, start:stop])
        part = None if shared else nest.part(start, stop)
        people = _banded(rates, population, start, stop)
        return Chunk(start, people, codes, held, part, *chance, _shares(rates, population, start, stop))

    together = max(BLOCK // (rates.size * len(population.years)), 1)

    def close(whole: Sequence[tuple[int, Array]]) -> None:
        for start in range(0, len(whole), together):
            some = whole[start : start + together]
            rows = offset + np.array([parent for parent, _ in some])
            for n in range(len(cuts)):
                draws = np.stack([sums[n] for _, sums in some])
                if n in wholes:
                    for row, one in zip(rows.tolist(), draws, strict=True):
                        result.keep(wholes.index(n), row, one)
                here = known.rows(rows) if known is not None and n == 0 else None
                found = read_block(work, draws.reshape(-1, rates.size), here)
                result.fill(n, rows, {name: values.reshape(len(some), -1) for name, values in found.items()})

    def take(found: Found) -> None:
        result.take(found)
        if found.parents is not None and found.sums is not None and found.chunks is not None:
            close(parents.add(found.parents, found.sums, found.chunks))

    starts = range(0, offset, width)
    if runner is not None:
        for found in runner(work, map(cut, starts)):
            take(found)
    elif abreast > threads:
        for wave in range(0, len(starts), abreast):
            _abreast(work, [cut(start) for start in starts[wave : wave + abreast]], take, threads)
    else:
        _in_threads(lambda start: take(run_chunk(work, cut(start))), starts, threads)
    _check_mean(result, offset)
    _totals(result, nest, headline, people, small, offset)
    if shared and nest.parents:
        summed = _people_of(nest, rates, population)

        def upper(start: int) -> None:
            stop = min(start + width, nest.parents)
            rows = slice(offset + start, offset + stop)
            codes = tuple(area.code for area in places[rows])
            here = None if known is None else known.rows(rows)
            result.take(run_chunk(work, Chunk(offset + start, summed[start:stop], codes, here, None)))

        _in_threads(upper, range(0, nest.parents, width), threads)
    return result


def _abreast(work: Work, chunks: Sequence[Chunk], take: Callable[[Found], None], threads: int) -> None:
    """Some chunks through the years side by side, so that a year's rates are made once and dropped."""
    waiting = deque(in_years(work, chunk) for chunk in chunks)

    def one_after_another(_: int) -> None:
        while True:
            try:
                running = waiting.popleft()
            except IndexError:  # the rest are under way in other threads
                return
            try:
                found = advance(running)
            except BaseException:
                waiting.clear()
                raise
            if found is None:
                waiting.append(running)
            else:
                take(found)

    _in_threads(one_after_another, range(threads), threads)


def _in_threads(do: Callable[[int], None], starts: Sequence[int], threads: int) -> None:
    if threads == 1:
        for start in starts:
            do(start)
        return
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(do, start) for start in starts]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _chunk(rates: Rates, cuts: Sequence[Cut], by: Sequence[str], areas: int, groups: bool) -> int:
    held = len(cuts) if by else 1
    # Sums over a chunk take room beside it.
    width = int(np.clip(BLOCK // (rates.size * held), 8, CHUNK // 2 if groups else CHUNK))
    # So that a few chunks go evenly into two threads or four; never by how many there are, since sums depend on it.
    chunks = -(-areas // width)
    return width if chunks < 2 or chunks > _MANY else -(-areas // (4 * -(-chunks // 4)))


def _banded(rates: Rates, population: Population, start: int, stop: int) -> Array:
    some = replace(population, areas=population.areas[start:stop], people=population.people[start:stop])
    people = people_in_bands(rates, some).people
    return people.reshape(*people.shape[:2], -1)


def _shares(rates: Rates, population: Population, start: int, stop: int) -> Array | None:
    """Of each cell's people by the ages that share an error, shape (group, area, year, cell)."""
    if population.error is None:
        return None
    some = replace(population, areas=population.areas[start:stop], people=population.people[start:stop])
    found = group_shares(some, people_in_bands(rates, some))
    return found.reshape(*found.shape[:3], -1)


def _headlines(
    rates: Rates, population: Population, cuts: Sequence[Cut]
) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Published rate × people, people, and where chance is added in whole areas and in small subgroups of others."""
    shape = (len(population.areas), len(population.years))
    found = np.empty((2 * len(cuts) + len(rates.layers), *shape))
    step = 4096 if rates.local is None else 1
    whens = [slice(y, y + 1) for y in range(shape[1])] if rates.trend else [slice(None)]
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        here, code = (
            _banded(rates, population, start, stop),
            "" if rates.local is None else population.areas[start].code,
        )
        for when in whens:
            mean = rates.mean(code, population.years[when][0])
            mean = mean.reshape(mean.shape[0], -1)
            rows = [mean[cut.severity] * cut.cells for cut in cuts]
            weights = np.stack([*rows, *(cut.cells for cut in cuts), *mean[: len(rates.layers)]])
            found[:, start:stop, when] = np.moveaxis(here[:, when] @ weights.T, -1, 0)
    below = rates.defaults.realised_below
    few = found[2 * len(cuts) :].max(axis=0) < below
    return found[: len(cuts)], found[len(cuts) : 2 * len(cuts)], few, few | (found[: len(cuts)] < below)


def _totals(result: Summary, nest: Nest, headline: Array, people: Array, few: NDArray[np.bool_], offset: int) -> None:
    if nest.parents:
        upper, counted, chance = (
            np.stack([nest.matrix @ one for one in values * 1.0]) for values in (headline, people, few)
        )
        result.put(offset, upper, counted, chance > 0)


def _check_mean(result: Summary, areas: int) -> None:
    """The mean of the draws is the headline (`hna.model.rules.off_mean`)."""
    held = {name: result.values[name][0, :areas] for name in ("estimate", "mean", "sd")}
    rates = result.rates
    beyond = np.abs(held["mean"] - held["estimate"]) > _NOBODY
    off = np.argwhere(beyond & off_mean(held["mean"], held["sd"], rates.size, held["estimate"]))
    if len(off):
        rows = [
            f"{result.places[a]}, {result.years[y]}: mean {held['mean'][a, y]:.5g}, estimate {held['estimate'][a, y]:.5g}"
            for a, y in off[:6]
        ]
        remedy = "Error terms this wide cannot keep the mean: use narrower ones, with their reason"
        what = f"draws of {rates.model.need} do not have the estimate as their mean"
        raise ModelError(Fault(what, remedy, field="prevalence.errors", rows=rows, code="R141"))


def _people_of(nest: Nest, rates: Rates, population: Population) -> Array:
    """People of each group, shape (group, year, cell)."""
    total: Array | None = None
    for start in range(0, len(population.areas), 4096):
        stop = min(start + 4096, len(population.areas))
        people = _banded(rates, population, start, stop)
        more = nest.matrix[:, start:stop] @ people.reshape(stop - start, -1)
        total = more if total is None else np.add(total, more, out=total)
    if total is None:
        return np.zeros((nest.parents, len(population.years), 0))
    return total.reshape(nest.parents, len(population.years), -1)
