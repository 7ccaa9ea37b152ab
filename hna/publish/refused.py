"""Needs that cannot be answered among others that can: which faults refuse one alone, and how that is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hna.errors import Fault
from hna.model.spec import Model
from hna.publish.codes import in_words


@dataclass(frozen=True)
class Refused:
    """A need that is not answered.

    Parameters
    ----------
    model : of the need.
    faults : why.
    """

    model: Model
    faults: tuple[Fault, ...]

    @property
    def alone(self) -> bool:
        """Whether all are refusals of this need (methods' R codes): none is a fault of a table, on which others may rest too."""
        own = ("", f"models/{self.model.need}.yaml")
        return all(fault.code.startswith("R") and fault.file in own for fault in self.faults)

    @property
    def note(self) -> str:
        """One sentence for the report, without figures."""
        codes = dict.fromkeys(fault.code for fault in self.faults)
        return (
            f"{self.model.title} is not assessed: {'; '.join(f'{code} {in_words(code)}'.rstrip('.') for code in codes)}"
        )

    @property
    def bare(self) -> Refused:
        """The same without figures, which may be of few people."""
        remedy = "Run it without disclosure control to read of what, and do not publish that"
        told = (replace(fault, what=in_words(fault.code).rstrip("."), remedy=remedy, rows=()) for fault in self.faults)
        return replace(self, faults=tuple(told))


def every_fault(refused: Iterable[Refused]) -> list[Fault]:
    """Each fault once; one that names no file and no rows, with the needs that it stops."""
    faults: dict[str, Fault] = {}
    needs: dict[str, list[str]] = {}
    for one in refused:
        for fault in one.faults:
            faults[str(fault)] = fault
            needs.setdefault(str(fault), []).append(one.model.need)
    return [fault if fault.file or fault.rows else replace(fault, rows=needs[said]) for said, fault in faults.items()]
