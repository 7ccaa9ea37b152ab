"""A file of observed counts becomes a table of comparisons and the outcomes table of a needs assessment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from hna.answers.comparators import KINDS, Kind
from hna.answers.indicator_file import compare_indicators, read_indicators
from hna.answers.outcomes import outcomes
from hna.errors import Fault, QuantityError
from hna.evidence.shelf import Shelf
from hna.publish.folder import check_folder, staged
from hna.publish.tables import write_table

FILES = ("comparisons.csv", "outcomes.csv")


def compare(
    file: Path | str,
    areas: Sequence[str] = (),
    *,
    against: Sequence[Kind] = KINDS,
    level: float = 0.95,
    suppressed: tuple[float, float] | None = None,
    neighbours: str | None = None,
    workspace: Path | None = None,
) -> pd.DataFrame:
    """Each area of an analyst's file beside its region, England and statistical neighbours.

    Parameters
    ----------
    file : CSV in the columns of `hna.answers.indicator_file.read_indicators`.
    areas : names or codes in the file; empty for every area but regions and England.
    against : region, england, statistical-neighbours.
    level : confidence level of intervals and tests.
    suppressed : smallest and largest count that a hidden one can be.
    neighbours : group of statistical neighbours, such as ``halton-2014-neighbours``; None for the analyst's own, or the latest.
    workspace : folder whose lookups are read before the shipped ones.

    Returns
    -------
    table with the columns `hna.answers.indicator_file.COLUMNS`.

    Raises
    ------
    HnaError
        Everything wrong with the file at once, or with the request.
    """
    unknown = [kind for kind in against if kind not in KINDS]
    if unknown:
        raise QuantityError(
            Fault("comparators are unknown", f"Use {', '.join(KINDS)}", field="--against", rows=unknown)
        )
    return compare_indicators(
        read_indicators(Path(file)), Shelf(workspace), areas, against, level, suppressed, neighbours
    )


def write_comparisons(table: pd.DataFrame, out: Path) -> list[Path]:
    """Write comparisons.csv and outcomes.csv to a folder, both or neither.

    Returns
    -------
    the files.

    Raises
    ------
    OutputError
        If the folder cannot be written; what stood there still stands.
    """
    check_folder(out)
    with staged(out) as stage:
        for name, held in zip(FILES, (table, outcomes(table)), strict=True):
            write_table(held, stage / name)
        for name in FILES:
            (stage / name).replace(out / name)
    return [out / name for name in FILES]


def sentences(table: pd.DataFrame) -> Iterator[str]:
    """How each area is doing, one line an indicator and area.

    Parameters
    ----------
    table : from `compare`.
    """
    for row in outcomes(table).to_dict("records"):
        value = f"{row['value']} ({row['interval']}), n = {row['n']}" if row["value"] else "no value"
        apart = f" {row['people']}." if row["people"] else ""
        yield f"{row['indicator']}, {row['area_name']}, {row['period']}: {value}. {row['how']}{apart}"
