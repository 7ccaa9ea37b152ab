"""Blocks of a report as plain data and back, so that a notebook can hold what was shown and a page be made of it later."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from hna.publish.content import (
    Cell,
    Column,
    Figure,
    Footnote,
    Item,
    Items,
    Panel,
    Panels,
    Paragraph,
    Picture,
    Pictures,
    Table,
)
from hna.publish.site_content import ChanceCell, LinkCell, Notice, Rows, Step, Steps

_KINDS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        Cell, ChanceCell, Column, Figure, Footnote, Item, Items, Notice, Panel, Panels, Paragraph, Picture, Pictures, Rows, Table,
    )
}  # fmt: skip

_CITED = re.compile(r" \[(\d+)\]$")
"""A footnote named at the end of a term or a cell."""


def to_record(held: object) -> Any:
    """A block as lists, texts and numbers. What leads to another page of a site becomes plain text: that page is not there."""
    if isinstance(held, LinkCell):
        return to_record(Cell(held.text, held.value, held.limits))
    if isinstance(held, Steps):
        return to_record(Items(tuple(_item(step) for step in held.steps)))
    if is_dataclass(held) and not isinstance(held, type):
        return {"block": type(held).__name__} | {
            part.name: to_record(getattr(held, part.name)) for part in fields(held)
        }
    if isinstance(held, tuple | list):
        return [to_record(one) for one in held]
    if isinstance(held, float):
        return float(held) if math.isfinite(held) else None
    return held


def _item(step: Step) -> Item:
    return Item(step.text, step.title, "", step.refs)


def from_record(found: Any, numbers: Mapping[int, int], prefix: str) -> Any:
    """A block again.

    Parameters
    ----------
    found : from `to_record`.
    numbers : by footnote as it was shown, its number on the page that is made.
    prefix : set before the identifier of every table, so that a table shown twice has two.

    Raises
    ------
    KeyError, TypeError
        If the record is not one of `to_record`.
    """
    if isinstance(found, list):
        return tuple(from_record(one, numbers, prefix) for one in found)
    if isinstance(found, str):
        return _CITED.sub(lambda cited: f" [{numbers[int(cited[1])]}]" if int(cited[1]) in numbers else cited[0], found)
    if not isinstance(found, dict):
        return found
    held = {name: from_record(part, numbers, prefix) for name, part in found.items() if name != "block"}
    if "refs" in held:
        held["refs"] = tuple(numbers[n] for n in held["refs"] if n in numbers)
    if "id" in held:
        held["id"] = f"{prefix}-{held['id']}"
    return _KINDS[found["block"]](**held)


def footnotes_of(record: Any) -> Iterator[int]:
    """Numbers of the footnotes that a record rests on or names."""
    if isinstance(record, list):
        for one in record:
            yield from footnotes_of(one)
    elif isinstance(record, dict):
        yield from record.get("refs", ())
        for part in record.values():
            yield from footnotes_of(part)
    elif isinstance(record, str) and (cited := _CITED.search(record)):
        yield int(cited[1])
