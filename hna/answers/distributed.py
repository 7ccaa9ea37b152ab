"""The same blocks on a Dask cluster: one task is many chunks, and any number of workers gives the same bytes."""

from __future__ import annotations

import importlib
import itertools
import pickle
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from hna.answers.blocks import hold_blas
from hna.answers.chunks import Chunk, Found, Work, run_chunk
from hna.errors import Fault, HnaError

A = TypeVar("A")
B = TypeVar("B")

EACH = 8
"""Chunks a task."""
_ADDRESS = re.compile(r"([a-z]+://)?\[?(?P<host>[^\s/]+?)\]?:(?P<port>\d{1,5})")
ANSWERED = 10
"""Seconds within which a scheduler answers."""
AHEAD = 4
"""Tasks that are sent to each thread of the cluster before the first is done."""


def connect(address: str) -> Any:
    """A client of the scheduler at an address such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    HnaError
        If the extra is not installed, or nobody answers.
    """
    distributed = _distributed()
    place = _ADDRESS.fullmatch(address.strip())
    if place is None:
        remedy = "Give the address that `dask scheduler` prints, such as tcp://127.0.0.1:8786"
        raise HnaError(Fault(f"{address!r} is not the address of a scheduler", remedy, field="--scheduler"))
    try:
        # A client that was never answered complains again when it is dropped, so somebody must be there first.
        socket.create_connection((place["host"], int(place["port"])), ANSWERED).close()
        return distributed.Client(place[0], timeout=ANSWERED, set_as_default=False)
    except (OSError, ValueError, TimeoutError, OverflowError) as error:
        remedy = "Start one with `dask scheduler`, and workers with `dask worker ADDRESS`; give the address it prints"
        raise HnaError(Fault(f"no scheduler answers at {address} ({error})", remedy, field="--scheduler")) from None


def on(client: Any, each: int = EACH) -> Callable[[Work, Iterable[Chunk]], Iterator[Found]]:
    """A runner for `hna.answers.stream.summarise` on a cluster.

    A task holds all it needs, so that one lost with its worker is done again elsewhere. Sums over groups are of whole
    multiples of a small part of a person, so that they are the same in any order.

    Parameters
    ----------
    client : of ``dask.distributed``.
    each : chunks a task.
    """

    def run(work: Work, chunks: Iterable[Chunk]) -> Iterator[Found]:
        held = client.submit(_unpacked, pickle.dumps(work), pure=True)
        source = iter(chunks)
        batches = iter(lambda: tuple(itertools.islice(source, each)), ())
        for found in _in_any_order(client, _run, (held,), batches):
            yield from found

    return run


def each_in_order(client: Any, do: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """What a function gives for each item, in the order of the items, done on a cluster."""
    futures = [client.submit(do, item, pure=False) for item in items]
    for future in futures:
        yield future.result()
        future.release()


def _in_any_order(client: Any, do: Callable[..., B], shared: tuple[Any, ...], items: Iterator[Any]) -> Iterator[B]:
    distributed = _distributed()
    ahead = AHEAD * max(sum(client.nthreads().values()), 1)
    done = distributed.as_completed(loop=client.loop)
    waiting = 0
    for item in itertools.islice(items, ahead):
        done.add(client.submit(do, *shared, item, pure=False))
        waiting += 1
    while waiting:
        future = next(done)
        waiting -= 1
        result = future.result()
        future.release()
        for item in itertools.islice(items, 1):
            done.add(client.submit(do, *shared, item, pure=False))
            waiting += 1
        yield result


def _unpacked(packed: bytes) -> Work:
    hold_blas()
    work: Work = pickle.loads(packed)  # noqa: S301
    return work


def _run(work: Work, chunks: tuple[Chunk, ...]) -> list[Found]:
    hold_blas()
    return _merged([run_chunk(work, chunk) for chunk in chunks])


def _merged(found: list[Found]) -> list[Found]:
    """Sums of several chunks as one, on the last of them."""
    held = [(one.parents, one.sums, one.chunks) for one in found]
    some = [(p, s, c) for p, s, c in held if p is not None and s is not None and c is not None]
    if len(some) < 2:
        return found
    parents = np.unique(np.concatenate([p for p, _, _ in some]))
    sums = np.zeros((len(parents), *some[0][1].shape[1:]))
    chunks = np.zeros(len(parents), dtype=np.intp)
    for p, s, c in some:
        at = np.searchsorted(parents, p)
        sums[at] += s
        chunks[at] += c
    bare = [replace(one, parents=None, sums=None, chunks=None) for one in found]
    return [*bare[:-1], replace(bare[-1], parents=parents, sums=sums, chunks=chunks)]


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        remedy = 'Install it with: pip install "hna[distributed]"'
        raise HnaError(Fault("Dask distributed is not installed", remedy, field="--scheduler")) from None
