"""What is to be read: the answers to one request, before they become a page, a workbook and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hna.answers.answer import Answer
from hna.errors import Fault
from hna.measure.estimate import Cited


@dataclass(frozen=True, eq=False)
class Report:
    """The answers to a request.

    Parameters
    ----------
    answers : one a need.
    arguments : what was asked for, as written to run.json.
    notes : what holds for the whole run, in words.
    refused : why needs that were asked for are not answered.
    """

    answers: tuple[Answer, ...]
    arguments: Mapping[str, object]
    notes: tuple[str, ...] = ()
    refused: tuple[Fault, ...] = ()

    @property
    def level(self) -> float:
        """Confidence level of every interval."""
        return float(str(self.arguments["level"]))

    @property
    def citations(self) -> tuple[Cited, ...]:
        """Every source, once, in order of use."""
        return tuple({source.id: source for found in self.answers for source in found.citations}.values())

    @property
    def refusals(self) -> tuple[Fault, ...]:
        """Gaps that were refused, and needs."""
        return (*(fault for found in self.answers for fault in found.refusals), *self.refused)

    @property
    def flags(self) -> tuple[str, ...]:
        """Every diagnostic code raised."""
        return tuple(sorted({code for found in self.answers for code in found.flags}))
