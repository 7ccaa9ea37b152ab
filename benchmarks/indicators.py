"""Directly standardised rates of a whole country, beside a group-by-apply and beside the bare sum of the input.

    python benchmarks/indicators.py [--areas 33755] [--repeat 7] [--json FILE]

Every way is checked to give the same rates and limits before it is timed. The least of several turns is printed: a busy
machine only ever adds. The group-by-apply has one turn, and is timed on fewer areas unless --whole is given.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from measure import seconds
from numpy.typing import NDArray
from scipy.special import ndtri

from hna.evidence.shelf import shipped
from hna.indicators.labelled import directly_standardised
from hna.indicators.standardise import direct
from hna.indicators.standards import Standard, read_standard

Array = NDArray[np.float64]
AREAS, SAMPLE = 33_755, 1_000
LIMITS = {"times as fast as group-by-apply": (100, "least"), "times the sum of the input": (40, "most")}


def country(areas: int, standard: Standard) -> tuple[Array, Array]:
    """Events and people by area and band: more events at later ages, some bands without any."""
    random = np.random.default_rng(1)
    people = random.integers(20, 200, (areas, len(standard.bands))).astype(float)
    ages = np.arange(len(standard.bands))
    return random.binomial(people.astype(int), 0.005 + 0.002 * ages).astype(float), people


def one_area(group: pd.DataFrame) -> pd.Series:
    """A directly standardised rate of one area with Dobson's interval, as a script with group-by-apply has it."""
    events, people, weight = group["events"], group["population"], group["weight"]
    total, z = events.sum(), -float(ndtri(0.025))
    rate = (weight * events / people).sum() / weight.sum()
    if total < 10:
        return pd.Series({"value": np.nan, "lower": np.nan, "upper": np.nan})
    spread = np.sqrt((weight**2 * events / people**2).sum() / weight.sum() ** 2 / total)
    low = total * (1 - 1 / (9 * total) - z / (3 * np.sqrt(total))) ** 3
    high = (total + 1) * (1 - 1 / (9 * (total + 1)) + z / (3 * np.sqrt(total + 1))) ** 3
    limits = {"lower": rate + spread * (low - total), "upper": rate + spread * (high - total)}
    return 100_000 * pd.Series({"value": rate, **limits})


def long_table(events: Array, people: Array, standard: Standard) -> pd.DataFrame:
    """One row an area and band."""
    areas, bands = events.shape
    codes = [f"E01{n:06d}" for n in range(areas)]
    return pd.DataFrame({
        "area_code": np.repeat(codes, bands), "age_band": np.tile(list(standard.bands), areas), "events": events.ravel(),
        "population": people.ravel(), "weight": np.tile(standard.weights, areas),
    })  # fmt: skip


def apply(table: pd.DataFrame) -> pd.DataFrame:
    """What people use instead."""
    return table.groupby("area_code", sort=False)[["events", "population", "weight"]].apply(one_area)


def once(thing: Callable[[], object]) -> float:
    """Seconds of one turn."""
    start = time.perf_counter()
    thing()
    return time.perf_counter() - start


def main() -> None:
    """Print the times, and fail if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--areas", type=int, default=AREAS)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--whole", action="store_true", help="group-by-apply of every area, not of a sample")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    standard = read_standard(shipped() / "data/standards/esp-2013")
    events, people = country(given.areas, standard)
    table = long_table(events, people, standard)
    sample = given.areas if given.whole else min(SAMPLE, given.areas)
    few = table.iloc[: sample * len(standard.bands)]
    ours = direct(events, people, standard.weights)
    theirs = apply(few)
    for name in ("value", "lower", "upper"):
        np.testing.assert_allclose(getattr(ours, name)[:sample], theirs[name], rtol=1e-9)
    vectorised, summed = seconds(
        lambda: direct(events, people, standard.weights), lambda: (events.sum(), people.sum()), repeat=given.repeat
    )
    labelled = min(once(lambda: directly_standardised(table, standard)) for _ in range(3))
    slow = once(lambda: apply(few)) * given.areas / sample
    found = {
        "areas": given.areas, "bands": len(standard.bands), "seconds": vectorised, "labelled_seconds": labelled,
        "groupby_apply_seconds": slow, "groupby_areas_timed": sample, "sum_of_input_seconds": summed,
        "times as fast as group-by-apply": slow / vectorised, "times the sum of the input": vectorised / summed,
    }  # fmt: skip
    print(f"{given.areas:,} areas x {len(standard.bands)} bands, rates with 95 % intervals")
    print(f"  one call on arrays      {1000 * vectorised:10.1f} ms")
    print(f"  labelled, with checks   {1000 * labelled:10.1f} ms")
    print(f"  group-by-apply          {1000 * slow:10.0f} ms (from {sample:,} areas)")
    print(f"  sum of the input        {1000 * summed:10.2f} ms")
    missed = []
    for name, (limit, side) in LIMITS.items():
        met = found[name] >= limit if side == "least" else found[name] <= limit
        missed += [] if met else [name]
        print(f"  {name}: {found[name]:,.0f} (at {side} {limit}){'' if met else '  MISSED'}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
