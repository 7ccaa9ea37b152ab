"""What is measured, one function a case; each runs in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import xarray as xr
from measure import THREADS, in_turn, limit, memory_above, seconds
from workspace import AUTHORITIES, LSOAS, SEXES, people_of, rates_of, write_need

from hna.answers.blocks import Carrier, hold_blas
from hna.answers.nest import Grouping
from hna.answers.stream import summarise
from hna.evidence.population import Population
from hna.measure.areas import Area
from hna.measure.draws import normal
from hna.model.rates import Rates

Row = dict[str, object]
ROOT = Path(__file__).parent.parent
YEARS, DRAWS = 26, 1_000
HEAVY = {
    "scipy.stats", "statsmodels", "pymc", "arviz", "distributed", "dask", "matplotlib", "altair", "xlsxwriter", "docx", "typst"
}  # fmt: skip


def _needs(*chosen: tuple[str, float, float], draws: int = DRAWS) -> list[Rates]:
    folder = Path(tempfile.mkdtemp())
    for name, level, transport in chosen:
        write_need(folder, name, level, transport)
    return [rates_of(folder, name, draws) for name, _, _ in chosen]


def _everyone(rates: Rates) -> Rates:
    """The same rates with expected people everywhere: no chance in small numbers."""
    return replace(rates, defaults=replace(rates.defaults, realised_below=0.0))


def _against_limit(
    name: str, work: Callable[[], object], people: Population, draws: int, *, times: float = 1, **more: object
) -> Row:
    hold_blas()
    cells = people.people.reshape(*people.people.shape[:2], -1)
    small = replace(people, areas=people.areas[:64], people=people.people[:64])
    summarise(_everyone(_needs(("warm", 8.0, 0.0), draws=50)[0]), small)
    peak, above = memory_above(work)
    some = cells[: max(len(cells) // 16, 512)]
    kinds = ("sort", "partition", "known bound")
    turns = in_turn(*(limit(some, draws, kind) for kind in kinds), work)
    turns[:, :3] *= times * len(cells) / len(some)
    least = turns[:, :2].min(axis=1)
    ratio, cpu = np.median(turns[:, 3] / least, axis=0)
    floor, floor_cpu = np.median(turns[:, 3] / turns[:, 2], axis=0)
    return {
        "name": name, "seconds": float(turns[:, 3, 0].min()), "peak_mb": peak, "above_input_mb": above,
        "limit_seconds": float(least[:, 0].min()), "ratio": float(ratio), "cpu_ratio": float(cpu),
        "known_bound_ratio": float(floor), "known_bound_cpu_ratio": float(floor_cpu), "turns": len(turns),
        "limit_measured_on": len(some), **more,
    }  # fmt: skip


def _england(quick: bool) -> Population:
    return people_of(LSOAS // 24 if quick else LSOAS, YEARS, 1_700)


def _nested(population: Population) -> list[Grouping]:
    """Wards of five areas, authorities of 22 wards, nine regions, England, and tenths."""
    child = np.arange(len(population.areas))
    ward, authority = child // 5, child // 110
    region = authority * 9 // (authority.max() + 1)
    return [
        Grouping(tuple(Area(f"{kind}{n}", f"{kind}{n}") for n in range(of.max() + 1)), child, of)
        for kind, of in (("W", ward), ("A", authority), ("R", region), ("E", child * 0), ("D", child % 10))
    ]


def england_shared(quick: bool) -> list[Row]:
    """(a) England's small areas, one rate for all: limits of need in every area and year."""
    people, (rates,) = _england(quick), _needs(("shared", 8.0, 0.0))
    rates = _everyone(rates)
    groups = _nested(people)
    first = _against_limit("a. England, shared rates", lambda: summarise(rates, people), people, DRAWS)
    second = _against_limit(
        "a. England, shared rates, 5 levels of groups",
        lambda: summarise(rates, people, groups=groups),
        people,
        DRAWS,
    )
    return [first, second, *_two_threads(rates, people), _serial_part(lambda: summarise(rates, people, threads=2))]


def _two_threads(rates: Rates, people: Population) -> list[Row]:
    """How much faster two threads are than one; and, on the same machine, at the bare limit, which holds no lock."""
    cells = people.people.reshape(*people.people.shape[:2], -1)[:1024]
    turns = in_turn(
        lambda: summarise(rates, people, threads=1), lambda: summarise(rates, people, threads=2),
        limit(cells, DRAWS, "sort", threads=1), limit(cells, DRAWS, "sort", threads=2),
        turns=5,
    )[..., 0]  # fmt: skip
    names = ("times faster with two threads than one", "the same of the bare limit")
    return [
        {"name": name, "seconds": float(two.min()), "limit_seconds": float(one.min()) / 2,
         "ratio": float(np.median(one / two)), "times_faster": True}
        for name, one, two in zip(names, turns.T[::2], turns.T[1::2], strict=True)
    ]  # fmt: skip


def _serial_part(work: Callable[[], object]) -> Row:
    """How much faster two threads can make a thing whose main thread does only what is not divided: Amdahl's bound.

    In processor time, so that other work on the machine does not hide it.
    """
    main, everything = time.thread_time(), time.process_time()
    work()
    alone, spent = time.thread_time() - main, time.process_time() - everything
    return {"name": "times faster, as the part in one thread allows", "seconds": spent, "limit_seconds": alone,
            "ratio": spent / (alone + (spent - alone) / 2), "times_faster": True}  # fmt: skip


def england_own(quick: bool) -> list[Row]:
    """(a) England's small areas, each with its own transport error."""
    people, (rates,) = _england(quick), _needs(("own", 8.0, 0.1))
    expected = _everyone(rates)
    powers = Carrier(expected).powers(people.years[0])
    threads = _two_threads(expected, people) if quick else []
    first = _against_limit(
        "a. England, transport error", lambda: summarise(expected, people), people, DRAWS, products=powers
    )
    second = _against_limit(
        "a. England, transport error, realised",
        lambda: summarise(rates, people), people, DRAWS,
    )  # fmt: skip
    for row in threads:
        row["name"] = f"transport error: {row['name']}"
    return [first, second, *threads]


def england_groups(quick: bool) -> list[Row]:
    """(a) England's small areas with transport error, realised, and groups through their draws."""
    people, (rates,) = _england(quick), _needs(("own", 8.0, 0.1))
    groups = _nested(people)
    return [
        _against_limit(
            "a. England, transport error, realised, 5 levels of groups",
            lambda: summarise(rates, people, groups=groups), people, DRAWS,
        )
    ]  # fmt: skip


def authorities(quick: bool) -> list[Row]:
    """(b) Authorities, 26 years, 5,000 draws, 8 needs."""
    areas, draws, needs, years = AUTHORITIES, 5_000, 1 if quick else 8, YEARS
    people = people_of(areas, years, 180_000)
    found = []
    for kind, transport in (("shared rates", 0.0), ("transport error", 0.1)):
        held = _needs(*((f"need-{n}", 3.0 + n, transport) for n in range(needs)), draws=draws)

        def every(held: list[Rates] = held) -> None:
            for rates in held:
                summarise(rates, people)

        name = f"b. {areas} authorities, {years} years, {draws:,} draws, {needs} needs, {kind}"
        found.append(_against_limit(name, every, people, draws, times=needs))
    return found


def against(quick: bool) -> list[Row]:
    """The same numbers the way they are usually made, on less."""
    hold_blas()
    areas = 1_000
    people, (rates,) = people_of(areas, YEARS, 1_700), _needs(("shared", 8.0, 0.0))
    rates = _everyone(rates)
    few = 20 if quick else 60
    tiny = 8 if quick else 20
    part = replace(people, areas=people.areas[:few], people=people.people[:few])
    found = summarise(rates, part, keep_draws=True)
    by_year = xr.DataArray(
        np.stack([rates.at("", year)[0] for year in people.years]), dims=("year", "sex", "age", "draw"),
        coords={"year": list(people.years), "sex": list(SEXES), "age": people.ages.labels},
    )  # fmt: skip
    counts = people.to_xarray()
    long = counts.to_dataframe("people").reset_index()
    some = 2

    def pandas_draws() -> pd.DataFrame:
        parts = []
        for draw in range(some):
            rate = by_year.isel(draw=draw).to_dataframe("rate").reset_index()
            both = long.merge(rate, on=["year", "sex", "age"])
            need = (both["people"] * both["rate"]).groupby([both["area"], both["year"]]).sum()
            parts.append(need.rename(draw))
        return pd.concat(parts, axis=1)

    told = pandas_draws().to_numpy().reshape(areas, YEARS, some)
    _same(told[:few], found.draws[0, :, :, :some])
    less = counts.isel(area=slice(few))

    def dotted() -> xr.DataArray:
        return xr.dot(less, by_year, dim=["sex", "age"]).quantile([0.025, 0.975], dim="draw")

    _same(dotted().transpose("quantile", "area", "year").values[1], found.values["upper"][0, :few])
    wide = counts.isel(area=slice(tiny))

    def broadcast() -> xr.DataArray:
        return (wide * by_year).sum(["sex", "age"])

    _, wide_above = memory_above(broadcast)
    _same(broadcast().transpose("area", "year", "draw").values, found.draws[0, :tiny])
    one = people_of(tiny, YEARS, 1_700)
    _, ours_above = memory_above(lambda: summarise(rates, one, threads=1))
    turns = in_turn(
        lambda: summarise(rates, people), pandas_draws, dotted, broadcast, lambda: summarise(rates, people, threads=1),
        turns=3 if quick else 5,
    )  # fmt: skip
    # Processor time is compared with that of one thread: two threads on a busy machine wait for each other's memory.
    turns[:, 0, 1] = turns[:, 4, 1]
    turns = turns[:, :4]
    scale = np.array([1 / DRAWS, few / areas, tiny / areas])
    each = np.array([1 / some, 1.0, 1.0])
    slower = np.median(turns[:, 1:] * each[:, None] / (turns[:, :1] * scale[:, None]), axis=0)
    best = turns.min(axis=0)[:, 0]
    names = ("pandas merge and group by, a draw", "xr.dot then quantile", "xarray broadcast and sum")
    rows: list[Row] = [
        {"name": f"times slower: {name}", "seconds": float(best[n + 1] * each[n]), "limit_seconds": float(best[0] * scale[n]),
         "ratio": float(slower[n, 0]), "cpu_ratio": float(slower[n, 1]), "times_slower": True}
        for n, name in enumerate(names)
    ]  # fmt: skip
    larger: Row = {
        "name": "times the memory: xarray broadcast and sum", "seconds": float(best[3]), "peak_mb": wide_above,
        "limit_seconds": float(best[0] * scale[2]),
        "ratio": wide_above / max(ours_above, 1.0), "above_input_mb": ours_above, "times_larger": True,
    }  # fmt: skip
    return [*rows, larger]


def _same(theirs: np.ndarray, ours: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def scaling(quick: bool) -> list[Row]:
    """Whether time grows in proportion to areas, draws, years and needs: processor time of one thread, a line fitted."""
    hold_blas()
    base = 1_024 if quick else 2_048
    most = people_of(4 * base, 24, 1_700)

    def cut(areas: int, years: int) -> Population:
        return replace(most, areas=most.areas[:areas], years=most.years[:years], people=most.people[:areas, :years])

    by_draws = {draws: _everyone(_needs(("shared", 8.0, 0.0), draws=draws)[0]) for draws in (500, 1_000, 2_000, 4_000)}
    rates = by_draws[1_000]
    steps: Mapping[str, dict[int, Callable[[], object]]] = {
        "areas": {n: lambda n=n: summarise(rates, cut(n, 8), threads=1) for n in (base // 2, base, 2 * base, 4 * base)},
        "years": {n: lambda n=n: summarise(rates, cut(base, n), threads=1) for n in (3, 6, 12, 24)},
        "draws": {n: lambda n=n: summarise(by_draws[n], cut(base, 4), threads=1) for n in by_draws},
        "needs": {n: lambda n=n: [summarise(rates, cut(base, 4), threads=1) for _ in range(n)] for n in (1, 2, 4, 8)},
    }
    found: list[Row] = []
    for name, sizes in steps.items():
        times = in_turn(*sizes.values(), turns=5)[..., 1].min(axis=0)
        counts = np.array(list(sizes), dtype=float)
        slope, fixed = np.polyfit(counts, times, 1, w=1 / times)
        power, _ = np.polyfit(np.log(counts), np.log(np.maximum(times - max(fixed, 0.0), 1e-9)), 1)
        off = float(np.abs(fixed + slope * counts - times).max() / times.max())
        found.append({
            "name": f"time less a fixed cost grows as {name} to the power", "seconds": float(times[-1]),
            "limit_seconds": float(fixed + slope * counts[-1]), "ratio": float(power), "sizes": list(sizes), "times": times.tolist(),
            "fixed_seconds": float(fixed), "off_a_straight_line": off, "power": True,
        })  # fmt: skip
    return found


def keyed(quick: bool) -> list[Row]:
    """What the errors of areas cost: one keyed stream an area."""
    count = 500 if quick else 3_000

    def streams() -> None:
        for n in range(count):
            normal(1, f"transport:shared:{n}", DRAWS)

    def bare() -> None:
        generator = np.random.default_rng(1)
        for _ in range(count):
            generator.standard_normal(DRAWS)

    ours, least = seconds(streams, bare)
    return [{"name": "keyed stratified normals, an area of 1,000 draws", "seconds": ours / count,
             "limit_seconds": least / count, "ratio": ours / least}]  # fmt: skip


def start_up(quick: bool) -> list[Row]:
    """`hna --help` beside bare Python."""

    def call(*words: str) -> None:
        subprocess.run([sys.executable, *words], check=True, capture_output=True)

    bare, ours, run = seconds(
        lambda: call("-c", "pass"), lambda: call("-m", "hna", "--help"), lambda: call("-c", "import hna.run"),
        repeat=3 if quick else 10,
    )  # fmt: skip
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, hna.run; print(*sorted({HEAVY} & set(sys.modules)))"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    return [
        {"name": "hna --help", "seconds": ours, "limit_seconds": bare, "ratio": ours / bare},
        {"name": "import hna.run", "seconds": run, "limit_seconds": bare, "ratio": run / bare, "heavy": loaded},
    ]


def default_run(quick: bool) -> list[Row]:
    """(c) `hna run` as it comes: beside imports, reading the shelf, bare products and one pass, and writing its bytes."""
    out = Path(tempfile.mkdtemp()) / "report"
    words = [sys.executable, "-m", "hna", "run", *(("dementia", "--draws", "500") if quick else ()), "--out", str(out)]
    script = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], capture_output=True).returncode; "
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3)"
    )
    told: list[str] = []

    def run() -> None:
        told[:] = subprocess.run(
            [sys.executable, "-c", script, *words], check=True, capture_output=True, text=True
        ).stdout.split()

    (ours,) = seconds(run, repeat=1 if quick else 2)
    if told[0] not in ("0", "1") or not (out / "gap.csv").is_file():
        return [{"name": "c. hna run", "seconds": ours, "limit_seconds": None, "ratio": None, "note": "did not finish"}]
    figures = pd.read_csv(out / "gap.csv")
    draws = 500 if quick else 5_000
    rows = int((figures["quantity"] == "need").sum())
    content = [(path.name, path.read_bytes()) for path in out.iterdir() if path.is_file()]
    people = people_of(max(rows // YEARS, 1), YEARS, 100_000).people
    bare = limit(people.reshape(*people.shape[:2], -1), draws, "sort")
    again = Path(tempfile.mkdtemp())

    def least() -> None:
        subprocess.run([sys.executable, "-c", "import hna.run, hna.cli"], check=True)
        for table in (ROOT / "data").rglob("table.parquet"):
            pq.read_table(table)
        for file in chain(
            (ROOT / "models").rglob("*"), (ROOT / "prevalence_sources").rglob("*"), (ROOT / "data").rglob("*")
        ):
            if file.is_file():
                file.read_bytes()
        bare()
        for name, held in content:
            (again / name).write_bytes(held)

    hold_blas()
    (limited,) = seconds(least, repeat=2)
    return [{"name": "c. hna run" + (" dementia" if quick else ""), "seconds": ours, "peak_mb": float(told[1]),
             "limit_seconds": limited, "ratio": ours / limited, "rows_of_need": rows, "threads": THREADS}]  # fmt: skip


CASES: dict[str, Callable[[bool], list[Row]]] = {
    case.__name__: case
    for case in (
        england_shared, england_own, england_groups, authorities, against, scaling, keyed, start_up,
        default_run,
    )
}  # fmt: skip
