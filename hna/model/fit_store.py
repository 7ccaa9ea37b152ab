"""Fitted draws kept beside what they were fitted to, so that nothing slow is done twice."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault, SourceError

Array = NDArray[np.float64]

FORM = 1
"""Number of the form in which fits are kept: a new one makes old fits unread."""


def fingerprint(*parts: object) -> str:
    """SHA-256 of what a fit rests on: tables by their values, the rest by its JSON.

    Parameters
    ----------
    parts : tables (pandas), arrays (numpy), and anything JSON can write.
    """
    digest = hashlib.sha256(f"fit-{FORM}".encode())
    for part in parts:
        digest.update(b"\x1f")
        if isinstance(part, pd.DataFrame):
            digest.update(part.to_csv(index=False, lineterminator="\n", float_format="%.17g").encode())
        elif isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def keep(folder: Path, key: str, arrays: Mapping[str, Array], record: Mapping[str, object]) -> Path:
    """Write a fit: all of it, or nothing.

    Parameters
    ----------
    folder : where fits are kept; made if it is not there.
    key : from `fingerprint`.
    arrays : draws by name.
    record : diagnostics and whatever else is printed, as JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    text = np.frombuffer(json.dumps(dict(record), sort_keys=True).encode(), dtype=np.uint8)
    np.savez_compressed(held, allow_pickle=False, record=text, **dict(arrays))
    path = folder / f"{key}.npz"
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    with os.fdopen(handle, "wb") as stream:
        stream.write(held.getvalue())
    Path(name).replace(path)
    return path


def recall(folder: Path, key: str) -> tuple[dict[str, Array], dict[str, object]] | None:
    """The fit of exactly these inputs, or None if there is none.

    Raises
    ------
    SourceError
        If the file is damaged.
    """
    path = folder / f"{key}.npz"
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files if name != "record"}
            record = json.loads(held["record"].tobytes())
    except (OSError, ValueError, KeyError) as error:
        remedy = "Remove the file and fit again"
        raise SourceError(Fault("a stored fit cannot be read", remedy, file=str(path))) from error
    return arrays, record
