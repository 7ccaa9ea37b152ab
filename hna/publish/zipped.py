"""Zip files written alike every time: office documents are such files, and stamp the moment into each part."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

_MOMENT = (2000, 1, 1, 0, 0, 0)


def settle(path: Path, change: Callable[[str, bytes], bytes] = lambda _, part: part) -> None:
    """Write a zip file again with the moment of every part fixed, in the order that it has.

    Parameters
    ----------
    path : of the file.
    change : makes each part from its name and bytes, where something in it must not differ either.
    """
    with zipfile.ZipFile(path) as held:
        parts = [(one, change(one.filename, held.read(one))) for one in held.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as fresh:
        for one, part in parts:
            entry = zipfile.ZipInfo(one.filename, _MOMENT)
            entry.compress_type, entry.external_attr = one.compress_type, one.external_attr
            fresh.writestr(entry, part)
