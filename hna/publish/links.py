"""Public addresses, and nothing else, become links."""

from __future__ import annotations

import re

from hna.evidence.source import KINDS
from hna.measure.estimate import Cited
from hna.publish.tables import shown

_PUBLIC = re.compile(r"https?://[^\s\"'<>\\]+")
RECORDS = tuple(KINDS.values())


def public(url: str | None) -> str:
    """The address if it is a public one, else nothing: no script, file or relative address is ever a link."""
    line = shown(url or "")
    return line if _PUBLIC.fullmatch(line) else ""


def address(source: object) -> str:
    """Where a source is found: its DOI, else its address."""
    if not isinstance(source, RECORDS):
        return ""
    cited = source.citation
    return public(f"https://doi.org/{cited.doi}" if cited.doi else cited.url)


def reference(source: Cited) -> str:
    """What a source is, its address left to the link that stands behind it."""
    return shown(source.cited_as if isinstance(source, RECORDS) and address(source) else source.words)


def licence(source: object) -> str:
    """Terms on which a source may be used."""
    return shown(source.citation.licence) if isinstance(source, RECORDS) else ""
