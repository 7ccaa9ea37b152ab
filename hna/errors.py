"""Errors an analyst can act on: each says what is wrong, where, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ROWS_SHOWN = 5


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one place in a file or an argument.

    Parameters
    ----------
    what : the fault, in one sentence without a full stop.
    remedy : what to do about it.
    file, field : where it is, as the analyst would find it.
    rows : the offending rows or labels; at most five are printed.
    code : the diagnostic code of the method it breaks (``R171``), if it has one.
    """

    what: str
    remedy: str = ""
    file: str = ""
    field: str = ""
    rows: Sequence[object] = ()
    code: str = ""

    def __str__(self) -> str:
        field = "" if self.what.startswith(f"{self.field} is ") else self.field
        place = ", ".join(part for part in (self.file, field) if part)
        text = f"{place}: {self.what}" if place else self.what
        if self.code:
            text = f"{self.code} {text}"
        if self.rows:
            shown = "; ".join(str(row) for row in self.rows[:_ROWS_SHOWN])
            more = len(self.rows) - _ROWS_SHOWN
            text += f" [{shown}{f'; and {more} more' if more > 0 else ''}]"
        return f"{text}. {self.remedy}" if self.remedy else f"{text}."


class HnaError(Exception):
    """Base of every error raised for something an analyst can mend.

    Parameters
    ----------
    faults : one sentence, one `Fault`, or all the faults found at once.
    """

    def __init__(self, faults: str | Fault | Iterable[Fault]) -> None:
        if isinstance(faults, str):
            faults = Fault(faults.rstrip("."))
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[HnaError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)

    @property
    def codes(self) -> tuple[str, ...]:
        """The diagnostic codes of the faults, each once, in order."""
        return tuple(dict.fromkeys(fault.code for fault in self.faults if fault.code))


class AxisError(HnaError, ValueError):
    """Labels of two arrays do not match, or a label is not on the axis."""


class QuantityError(HnaError, ValueError):
    """A number is not what it must be: missing, negative, out of range, or of another kind."""


class SourceError(HnaError, ValueError):
    """A file of evidence cannot be used as it stands."""


class ModelError(HnaError, ValueError):
    """A model file asks for something that is not defined."""


class AlignmentError(HnaError, ValueError):
    """Two numbers do not count the same thing, so no difference is formed."""
