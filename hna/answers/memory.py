"""What a stream of need needs of memory: refused before it starts where there is too little, used for speed where there is some."""

from __future__ import annotations

import numpy as np

from hna.answers.chunks import Work
from hna.answers.limits import GAP, NEED
from hna.answers.nest import Nest
from hna.errors import Fault, QuantityError

MEMORY = 4_000_000_000
"""Bytes above the input that a stream may use, unless asked otherwise."""
SPARE = 128_000_000
"""Most bytes used for nothing but speed."""
_STATE, _SCORES = 4, 5
"""Numbers a draw that an area keeps from year to year: its error, placed; and its scores."""


def check_memory(
    work: Work,
    nest: Nest,
    places: int,
    cuts: int,
    width: int,
    threads: int,
    memory: int,
    gap: bool,
    few: bool,
    kept: int,
    numbers: float,
) -> int:
    """Refuse what would not fit, before it starts; else let what is left hold rates of several years.

    Returns
    -------
    how many chunks may go through the years side by side; nought where rates of all years can be held instead.
    """
    rates, years, shared = work.carrier.rates, len(work.years), work.shared
    row = 8 * rates.size
    fields = len(NEED) + (len(GAP) if gap else 0)
    parts = {
        "summaries": 8 * fields * places * years * cuts,
        "blocks": threads * row * width * (6 + (cuts if cuts > 1 else 0)),
        "rates of a year": int(row * len(rates.severities) * work.carrier.cells * numbers),
        "groups still open": 0 if shared else row * years * cuts * (nest.most_open() + 2 * threads * nest.widest()),
    }
    if kept:
        parts["draws kept"] = row * kept * years * len(rates.severities)
    if shared and nest.parents:
        parts["people of groups"] = 16 * nest.parents * years * work.carrier.cells
    total = sum(parts.values())
    if total > memory:
        largest = max(parts, key=lambda name: parts[name])
        fewer = max(int(rates.size * (memory / total) * 0.9), 1)
        remedies = {
            "draws kept": "Ask for summaries without draws, which need no room for them; or for fewer areas or years",
            "groups still open": "Put areas in the order of their groups, ask for fewer years at a time, or for fewer groups",
        }
        remedy = f"{remedies.get(largest, 'Ask for fewer subgroups or years')}; or {fewer:,} draws, or memory={total:,}"
        rows = [f"{name}: {in_bytes(size)}" for name, size in sorted(parts.items(), key=lambda item: -item[1])]
        what = f"this needs {in_bytes(total)} of memory, and {in_bytes(memory)} are allowed"
        raise QuantityError(Fault(what, remedy, field="memory", rows=rows))
    if not rates.changes_by_year:
        return 0
    each = parts["rates of a year"]
    spare = min((memory - total) // 2, SPARE)
    held = int(np.clip(spare // max(each, 1), 1, years))
    work.carrier.cache = held
    if shared or held >= years:
        return 0
    work.carrier.cache = min(held, threads + 1)
    state = width * row * (_STATE + (_SCORES if few else 0))
    return int((spare - work.carrier.cache * each) // state)


def in_bytes(size: float) -> str:
    """A size in words."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
