"""The open engine for health needs assessment: estimated need, people known to services, and the gap between them.

Names are loaded when first used, so that ``import hna`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hna.errors import AlignmentError, AxisError, HnaError, ModelError, QuantityError, SourceError
    from hna.face import any_need, gap, known, load_model, need, population, rates, report, run

__all__ = [
    "AlignmentError",
    "AxisError",
    "HnaError",
    "ModelError",
    "QuantityError",
    "SourceError",
    "any_need",
    "gap",
    "known",
    "load_model",
    "need",
    "population",
    "rates",
    "report",
    "run",
]

_FLOORS = ("answers", "evidence", "indicators", "measure", "model", "publish")
_INDICATORS = ("benchmark", "inequality", "life_expectancy", "moran", "rates", "standardise", "trend")


def __getattr__(name: str) -> Any:
    if name == "indicators":
        for module in _INDICATORS:
            importlib.import_module(f"hna.indicators.{module}")
    if name in _FLOORS:
        return importlib.import_module(f"hna.{name}")
    if name.endswith("Error") and name in __all__:
        return getattr(importlib.import_module("hna.errors"), name)
    if name in __all__:
        return getattr(importlib.import_module("hna.face"), name)
    raise AttributeError(f"module 'hna' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_FLOORS})
