"""Fitted draws kept beside what they were fitted to, so that nothing slow is done twice."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault, ModelError, SourceError
from hna.model.fit_sampler import Diagnostics

Array = NDArray[np.float64]

FORM = 1
"""Number of the form in which fits are kept: a new one makes old fits unread."""


LEAST, TUNE = 2000, 1000
"""Draws that a sampler is asked for even where fewer are kept, since its diagnostics cannot be told from a handful; and those
of each chain before them, in which it finds its steps."""
FOLDER = "fits"
"""Of a workspace, or of the shipped shelf."""


@dataclass(frozen=True)
class Task:
    """One thing of a model that may be slow to fit.

    Parameters
    ----------
    what : in one word; the fit is stored as ``<need>-<what>``.
    key : fingerprint of all that it rests on, of draws and of the seed.
    ahead : whether the model asks for a sampler, however good the quick approximation.
    quick : gives the quick approximation's Pareto k̂, or raises R391 or R392 where it may not be trusted.
    sample : called with the sampler's name, gives draws by name and diagnostics, passed or not.
    """

    what: str
    key: str
    ahead: bool
    quick: Callable[[], float]
    sample: Callable[[str], tuple[Mapping[str, Array], Diagnostics]]


def cut(drawn: Array, draws: int) -> Array:
    """So many draws of those that a sampler made, evenly from all of its chains; the first axis is of draws."""
    found: Array = drawn[np.floor(np.linspace(0, len(drawn), draws, endpoint=False)).astype(int)]
    return found


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


def usable(roots: Sequence[Path], name: str, key: str) -> tuple[dict[str, Array], str]:
    """The stored fit of exactly these inputs, whose diagnostics passed, and what they were in words.

    Parameters
    ----------
    roots : folders that may hold ``fits/``, in the order in which they are read.
    name : of what was fitted; the file is ``fits/<name>.<key>.npz``.
    key : from `fingerprint`.

    Raises
    ------
    ModelError
        R393 where there is no fit, or only of other inputs; R391 where its diagnostics failed.
    SourceError
        If the file is damaged.
    """
    for root in roots:
        held = recall(root / FOLDER, f"{name}.{key}")
        if held is None:
            continue
        arrays, record = held
        if record.get("passed") is not True:
            remedy = "Run `hna fit` again, simplify the model, or look for a cell that the data do not inform"
            what = f"the stored fit of {name} failed its diagnostics ({record.get('words', 'none recorded')})"
            raise ModelError(Fault(what, remedy, code="R391"))
        return arrays, str(record.get("words", ""))
    old = any(path.name.startswith(f"{name}.") for root in roots for path in (root / FOLDER).glob("*.npz"))
    need, _, what = name.rpartition("-")
    need = need or name
    said = (
        f"the draws made ahead for {need} ({what}) are of other inputs, seed or draws"
        if old
        else f"{need} ({what}) needs draws made ahead: its model file asks for a sampler, or the quick approximation may not be trusted"
    )
    remedy = f"Run `hna fit {need}` first, with the --seed, --draws and --workspace of the run"
    raise ModelError(Fault(said, remedy, file=f"models/{need}.yaml", field="prevalence", code="R393"))


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
