"""Charts that stand by themselves: with the page's own style in them, and as pixels for documents that take no SVG."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from hna.errors import Fault, HnaError

CREATED = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""The moment in a document's properties is fixed, so that the same report gives the same bytes."""
FONT = "Libertinus Serif"
"""Carried by typst, so that a document looks the same on every machine."""
_PIXELS_PER_INCH = 160
_PAGES = """\
#let held = json(bytes(sys.inputs.content))
#set page(width: auto, height: auto, margin: 4pt)
#for svg in held [#page(image(bytes(svg), format: "svg"))]
"""


class DocumentError(HnaError):
    """A document was asked for that cannot be written here."""


def typesetter() -> Any:
    """The typst module.

    Raises
    ------
    DocumentError
        If it is not installed; says how to install it.
    """
    try:
        import typst
    except ImportError:
        raise missing("typst", "--pdf and the charts of --word") from None
    return typst


def missing(name: str, needed_for: str) -> DocumentError:
    """That an optional library is not there, and how to install it."""
    remedy = "Install the documents extra: pip install 'hna[documents]'"
    return DocumentError(Fault(f"{name} is not installed, and {needed_for} need it", remedy))


def standalone(svg: str) -> str:
    """A chart of the page as a drawing of its own: in the page's light colours, in a font that travels with it."""
    inside = f'<svg xmlns="http://www.w3.org/2000/svg" {svg.removeprefix("<svg ")}'
    head, close, rest = inside.partition(">")
    return f"{head}{close}<style>{_style()}</style>{rest}"


@lru_cache(maxsize=1)
def _style() -> str:
    """The page's rules for charts, its variables filled in."""
    page = files("hna.publish").joinpath("templates", "page.css").read_text(encoding="utf-8")
    light = re.search(r":root\{([^}]*)\}", page)
    named = dict(re.findall(r"--([\w-]+):([^;]+)", light.group(1) if light else ""))
    # Rules inside @media are for screens in the dark and for paper; the first of each is the one that is meant.
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", page)
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}", plain)
    kept = "".join(f"{which.strip()}{{{what}}}" for which, what in rules if re.search(r"\.(chart|map)\b", which))
    filled = re.sub(r"var\(--([\w-]+)\)", lambda found: named.get(found.group(1), "#000"), kept)
    return re.sub(r"font:([\d.]+px)[^;}]*", rf'font-size:\1;font-family:"{FONT}"', filled)


def pixels(drawings: Sequence[str]) -> list[bytes]:
    """Charts as PNG, in order."""
    if not drawings:
        return []
    content = json.dumps([standalone(svg) for svg in drawings])
    found = typesetter().compile(
        _PAGES.encode(), format="png", ppi=_PIXELS_PER_INCH, sys_inputs={"content": content}, ignore_system_fonts=True
    )
    return [found] if isinstance(found, bytes) else list(found)
