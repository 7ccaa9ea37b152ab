"""What any floor may ask of a citation."""

from __future__ import annotations

from typing import Protocol


class Cited(Protocol):
    """A source that a number rests on."""

    @property
    def id(self) -> str:
        """Identifier on the shelf."""
        ...

    @property
    def words(self) -> str:
        """The reference as a reader would find it."""
        ...
