"""The last look at a protected answer: what any figure says of a count is what is printed of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hna.answers.answer import Answer
from hna.publish.disclosure_protect import DERIVED, HIDDEN, ROUNDED

CONDITIONED = "N721"
_NUMBERS = ("estimate", "lower", "upper", "probability")


def leaks(found: Answer) -> Iterator[str]:
    """Figures that say more of a protected count than what is printed of it.

    The count is worked out from each figure (estimate less gap, target less shortfall, estimate less estimate over
    leverage) and must come to the printed count; beside a hidden count there must be no figure at all.

    Parameters
    ----------
    found : a protected answer.
    """
    groups: dict[tuple[object, ...], dict[str, dict[str, Any]]] = {}
    for row in found.figures.to_dict("records"):
        key = tuple(row[name] for name in ("area_code", "year", "severity", "sex", "age_band"))
        if "R711" not in str(row["flags"]).split():
            groups.setdefault(key, {})[str(row["quantity"])] = {str(name): value for name, value in row.items()}
    whole = ("", found.model.sex, "all")
    for key, rows in groups.items():
        known = rows.get("known")
        if known is None:
            continue
        codes = str(known["flags"]).split()
        place = f"{found.model.need}, {', '.join(str(part) for part in key if part != '')}"
        if HIDDEN in codes:
            shown = [name for name in DERIVED if name in rows and any(_there(rows[name][part]) for part in _NUMBERS)]
            if key[2:] == whole and str(key[0]) in found.leverages and _only(found, str(key[0])):
                shown.append("leverage")
            yield from (f"{place}: {name} beside a hidden count" for name in shown)
        elif ROUNDED in codes and "need" in rows and _there(known["estimate"]):
            yield from (
                f"{place}: {name} gives {count:,.2f} and {known['estimate']:,.2f} is printed"
                for name, count in _worked_out(found, rows, key)
                if not np.isclose(count, known["estimate"], rtol=1e-9, atol=1e-6)
            )


def _only(found: Answer, area: str) -> bool:
    """Whether an area has one count only, so that its leverage is of that."""
    years = {year for code, year in zip(found.figures["area_code"], found.figures["year"], strict=True) if code == area}
    return len(years) == 1


def _worked_out(found: Answer, rows: dict[str, dict[str, Any]], key: tuple[object, ...]) -> Iterator[tuple[str, float]]:
    """The count, as each figure gives it away."""
    need = float(rows["need"]["estimate"])
    # A conditioned gap is the mean of some draws of the need less the count that is printed: no estimate less gap gives that back.
    signed = CONDITIONED not in str(rows.get("gap", {}).get("flags", "")).split()
    if signed and "gap" in rows and _there(rows["gap"]["estimate"]):
        yield "estimate less gap", need - float(rows["gap"]["estimate"])
    target = found.model.target
    if signed and target is not None and "target_shortfall" in rows and _there(rows["target_shortfall"]["estimate"]):
        yield "target less shortfall", target.coverage * need - float(rows["target_shortfall"]["estimate"])
    area = str(key[0])
    if key[2:] == ("", found.model.sex, "all") and area in found.leverages and _only(found, area):
        yield "leverage", need - need / found.leverages[area]


def _there(value: object) -> bool:
    return value is not None and not np.isnan(float(str(value)))
