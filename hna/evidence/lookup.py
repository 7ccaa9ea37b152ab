"""Lookups of areas: which lies in which, or which belongs to which group."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import AreasSource
from hna.evidence.tables import read_columns

LOOKUP = ("child", "parent", "vintage", "best_fit")
"""Columns of a lookup."""
RANK = "rank"
"""Optional column: where a child stands in what its parents are parts of, from 1."""


def read_lookup(shelf: Shelf, name: str) -> pd.DataFrame:
    """The rows of a lookup in ``data/areas``, as text.

    With the rank of each child where the lookup is made of ranks, such as that of deprivation.
    """
    return read_columns(table_file(shelf.folder(AreasSource, name)), LOOKUP, (RANK,)).astype(str)


def pairs_of(shelf: Shelf, name: str) -> Iterator[tuple[str, str]]:
    """Child and parent of each row of a lookup."""
    table = read_lookup(shelf, name)
    return zip(table["child"], table["parent"], strict=True)
