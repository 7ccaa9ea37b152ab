"""The folder that outputs are written to: refused before anything is computed, and never left with half of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hna.errors import Fault, HnaError

_STAGE = ".hna-writing-"
_REMEDY = "Give another folder with --out"


class OutputError(HnaError):
    """The outputs cannot be written where they were asked for."""


def check_folder(out: Path) -> None:
    """Refuse a place that cannot be the folder of outputs, before anything is computed."""
    nearest = next(parent for parent in (out, *out.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        what = "is a file, not a folder" if nearest == out else f"lies under {nearest.name}, which is a file"
        raise OutputError(Fault(what, _REMEDY, file=str(out), field="--out"))
    try:
        with tempfile.TemporaryDirectory(prefix=_STAGE, dir=nearest):
            pass
    except OSError as error:
        what = f"cannot be written to: {error.strerror}"
        raise OutputError(Fault(what, _REMEDY, file=str(out), field="--out")) from None


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder inside `out` in which files are made, to be moved there once all are whole; gone at the end.

    Raises
    ------
    OutputError
        If something cannot be written.
    """
    stage: Path | None = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{_STAGE}*"):
            shutil.rmtree(left, ignore_errors=True)
        stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=out))
        yield stage
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise OutputError(
            Fault(what, f"Nothing was replaced; {_REMEDY.lower()}", file=str(out), field="--out")
        ) from None
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
