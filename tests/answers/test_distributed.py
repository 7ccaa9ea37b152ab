"""The same blocks on two workers: the same bytes, whatever the tasks, and whoever is lost."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest

from hna.answers import distributed as on_cluster
from hna.answers.nest import Grouping
from hna.answers.stream import summarise
from hna.errors import HnaError
from hna.measure.areas import Area
from hna.model.rates import Rates
from hna.run import Request, run

pytest.importorskip("distributed", reason="the extra `distributed` is not installed")


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process with one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as workers,
            Client(workers, set_as_default=False) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def work(dementia: Rates, small_areas):
    """Rates, 96 areas in two years, and groups that cross each other."""
    population = small_areas(96)
    wards = Grouping(tuple(Area(f"W{n}", f"Ward {n}") for n in range(12)), np.arange(96), np.arange(96) // 8)
    tenths = Grouping(tuple(Area(f"D{n}", f"Tenth {n}") for n in range(10)), np.arange(96), np.arange(96) % 10)
    return dementia, population, [wards, tenths]


def _bytes(summary) -> bytes:
    return summary.frame().to_csv(index=False, lineterminator="\n").encode()


@pytest.mark.parametrize("each", [1, 5])
@pytest.mark.filterwarnings("ignore")
def test_two_workers_give_the_bytes_of_one_process(cluster, work, each):
    rates, population, groups = work
    alone = summarise(rates, population, groups=groups, chunk=8, threads=1)
    threads = summarise(rates, population, groups=groups, chunk=8, threads=3)
    apart = summarise(rates, population, groups=groups, chunk=8, runner=on_cluster.on(cluster, each))
    assert _bytes(alone) == _bytes(threads) == _bytes(apart)


def _slow(work, chunks):
    time.sleep(0.3)
    return on_cluster._merged([on_cluster.run_chunk(work, chunk) for chunk in chunks])


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_loses_nothing(cluster, work, monkeypatch):
    rates, population, groups = work
    alone = summarise(rates, population, groups=groups, chunk=8, threads=1)
    monkeypatch.setattr(on_cluster, "_run", _slow)
    pids = list(cluster.run(os.getpid).values())
    killer = threading.Timer(0.7, os.kill, (pids[0], signal.SIGKILL))
    killer.start()
    apart = summarise(rates, population, groups=groups, chunk=8, runner=on_cluster.on(cluster, 1))
    killer.join()
    cluster.wait_for_workers(2, timeout=30)
    assert pids[0] not in cluster.run(os.getpid).values()
    assert _bytes(alone) == _bytes(apart)


@pytest.mark.filterwarnings("ignore")
def test_items_come_back_in_order(cluster):
    assert list(on_cluster.each_in_order(cluster, abs, [-3, 2, -1])) == [3, 2, 1]


def test_without_the_extra_the_message_says_what_to_install(monkeypatch, work):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(HnaError, match=r'pip install "hna\[distributed\]"'):
        on_cluster.connect("tcp://127.0.0.1:1")


def test_no_scheduler_is_said_without_a_client_that_complains_later(monkeypatch):
    module = importlib.import_module("distributed")

    def nobody(*_, **__):
        raise AssertionError("a client was made")

    monkeypatch.setattr(module, "Client", nobody)
    with pytest.raises(HnaError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        on_cluster.connect("tcp://127.0.0.1:9")


@pytest.mark.parametrize("address", ["nonsense", "", ":", "tcp://", "127.0.0.1:x"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(HnaError, match="is not the address of a scheduler"):
        on_cluster.connect(address)


def test_sums_over_groups_do_not_depend_on_the_order(work):
    rates, population, groups = work
    backwards = replace(population, areas=population.areas[::-1], people=population.people[::-1])
    turned = [Grouping(group.areas, group.child, group.parent[::-1]) for group in groups]
    first = summarise(rates, population, groups=groups, chunk=8)
    second = summarise(rates, backwards, groups=turned, chunk=8)
    rows = slice(96, None)
    for name in ("lower", "upper", "sd"):
        np.testing.assert_allclose(first.values[name][0, rows], second.values[name][0, rows], rtol=1e-10)


@pytest.mark.filterwarnings("ignore")
def test_a_whole_run_on_two_workers_leaves_the_same_files(cluster, small, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    small.model("again", known=[{"source": "own-register"}])
    run(Request(draws=80, workspace=small.root), here)
    run(Request(draws=80, workspace=small.root), there, client=cluster)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {
        path.name: path.read_bytes() for path in there.iterdir()
    }


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_small_areas_on_two_workers_leave_the_same_files(cluster, halton_small_areas, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    asked = Request(
        ("dementia",), ("Halton",), by=("small-area", "deprivation-quintile"), draws=80, workspace=halton_small_areas
    )
    run(asked, here)
    run(asked, there, client=cluster)
    assert (here / "gap.csv").read_bytes() == (there / "gap.csv").read_bytes()
