"""Seconds and memory of one thing at a time, and the limit of this machine for the same work."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
THREADS = os.cpu_count() or 1
STATUS = Path("/proc/self/status")


def seconds(*things: Callable[[], object], repeat: int = 3) -> list[float]:
    """Best time of each of several things, done in turn so that a busy moment hits them all."""
    best = [np.inf] * len(things)
    for _ in range(repeat):
        for n, thing in enumerate(things):
            start = time.perf_counter()
            thing()
            best[n] = min(best[n], time.perf_counter() - start)
    return best


def in_turn(*things: Callable[[], object], turns: int = 3) -> Array:
    """Wall and processor seconds, shape (turn, thing, 2): things are done in turn, so that a busy moment hits them all.

    Ratios are best taken turn by turn. Processor time hardly minds what else the machine does.
    """
    found = np.empty((turns, len(things), 2))
    for turn in range(turns):
        for n, thing in enumerate(things):
            wall, processor = time.perf_counter(), time.process_time()
            thing()
            found[turn, n] = time.perf_counter() - wall, time.process_time() - processor
    return found


def memory_above(thing: Callable[[], object]) -> tuple[float, float]:
    """Peak memory of the process while a thing is done, and how much of it came on top; megabytes."""
    before = _status("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    thing()
    peak = _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return peak, max(peak - before, 0.0)


def _status(field: str) -> float:
    if not STATUS.is_file():
        return 0.0
    line = next((line for line in STATUS.read_text().splitlines() if line.startswith(field)), "x 0")
    return int(line.split()[1]) / 1e3


def limit(people: Array, draws: int, selection: str, rows: int = 256, threads: int = THREADS) -> Callable[[], None]:
    """The bare work: each block copied, multiplied, put in order once, and read.

    Parameters
    ----------
    people : shape (area, year, cell).
    draws : how many.
    selection : sort or partition every draw; or, where each limit's place is known beforehand, the draws beyond it alone:
        no exact selection can do less than compare every draw and order the few beyond.
    rows : areas a block.
    threads : at once.
    """
    areas, years, cells = people.shape
    rates = np.random.default_rng(0).random((cells, draws))
    place = 0.025 * (draws - 1)
    held = [int(place), int(place) + 1, int(draws - 1 - place), int(draws - 1 - place) + 1]
    rows = int(np.clip(2**18 // draws, 8, rows))

    def one(start: int) -> None:
        block = np.empty((rows, draws))
        out = np.empty((4, rows))
        for year in range(years):
            here = np.ascontiguousarray(people[start : start + rows, year])
            found = block[: len(here)]
            np.matmul(here, rates, out=found)
            if selection == "known bound":
                few = int(place) + 2
                np.count_nonzero(found < found[:, :1], axis=-1)
                np.count_nonzero(found > found[:, -1:], axis=-1)
                found[:, :few].sort(axis=-1)
                found[:, -few:].sort(axis=-1)
            elif selection == "sort":
                found.sort(axis=-1)
            else:
                found.partition(held, axis=-1)
            out[:, : len(here)] = found[:, held].T

    def all_of_it() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(0, areas, rows)))

    return all_of_it
