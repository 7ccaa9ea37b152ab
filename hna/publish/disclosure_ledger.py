"""The publication ledger: every cell released so far, so that a later release cannot undo an earlier one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from hna.errors import Fault
from hna.publish.disclosure_cells import Cell, Release
from hna.publish.disclosure_presets import NONE, DisclosureError

FILE = "released.jsonl"


def ledger_in(folder: Path | None, preset: str) -> PublicationLedger | None:
    """The ledger of a folder; None where none is asked for.

    Raises
    ------
    DisclosureError
        If nothing is protected, so that nothing could be recorded.
    """
    if folder is None:
        return None
    if preset == NONE:
        remedy = "Give --disclosure with a preset, or leave --ledger out"
        raise DisclosureError(
            Fault("a ledger lists what was released under a rule, and none is given", remedy, field="--ledger")
        )
    return PublicationLedger(folder)


@dataclass
class PublicationLedger:
    """Cells released, in a folder that the analyst keeps.

    It holds what was printed, never a count that was not; it does say which hidden counts were small.

    Parameters
    ----------
    folder : where `released.jsonl` lies; made when something is first recorded.

    Raises
    ------
    DisclosureError
        If the file cannot be read.
    """

    folder: Path
    released: list[Release] = field(init=False)
    _staged: list[Release] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.released = list(self._read())

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE

    def _read(self) -> Iterable[Release]:
        if not self.path.is_file():
            return
        for n, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                yield _release(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                remedy = "Restore the file from a copy: without it an earlier release may be undone"
                fault = Fault(f"not a released cell: {error}", remedy, file=f"{self.path}:{n}", code="R1004")
                raise DisclosureError(fault) from None

    def stage(self, releases: Iterable[Release]) -> None:
        """Cells that a report will release; nothing is written before `record`."""
        held = {(one.cell, one.lower, one.upper, one.hidden, one.small) for one in self.released}
        new = [one for one in releases if (one.cell, one.lower, one.upper, one.hidden, one.small) not in held]
        self._staged = sorted(new, key=lambda one: one.cell)

    def record(self) -> int:
        """Add the staged cells to the file, once the report has been written.

        Returns
        -------
        number of cells added.
        """
        staged, self._staged = self._staged, []
        if not staged:
            return 0
        self.folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(_line(release), ensure_ascii=False, sort_keys=True) + "\n" for release in staged)
        with self.path.open("ab") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        self.released += staged
        return len(staged)


def _line(release: Release) -> dict[str, object]:
    upper = None if np.isinf(release.upper) else release.upper
    return {
        **asdict(release.cell), "lower": release.lower, "upper": upper, "hidden": release.hidden, "small": release.small,
        "largest": release.largest,
    }  # fmt: skip


def _release(line: dict[str, object]) -> Release:
    cell = Cell(
        str(line["register"]), str(line["area"]), str(line["sex"]), str(line["severity"]), int(str(line["low"])),
        int(str(line["end"])),
    )  # fmt: skip
    upper = np.inf if line["upper"] is None else float(str(line["upper"]))
    return Release(
        cell,
        float(str(line["lower"])),
        upper,
        bool(line["hidden"]),
        bool(line["small"]),
        int(str(line["largest"])),
        True,
    )
