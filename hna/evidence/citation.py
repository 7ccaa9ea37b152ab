"""Where a figure was printed, and what was read."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from hna.evidence.record import Record

ReadFrom = Literal["primary table", "primary abstract", "secondary table", "secondary text"]


class Citation(Record):
    """Where a figure was printed."""

    authors: str | None
    """Authors or the publishing body, as printed."""
    year: int | None
    """Year of publication."""
    title: str
    """Title of the publication or release."""
    container: str | None
    """Journal, volume and pages, or the publisher and series."""
    locator: str | None
    """Table, page or sheet within the publication."""
    doi: str | None
    """Digital object identifier without a resolver, as 10.1016/…"""
    url: str | None
    """Public address, where there is no DOI."""
    licence: str
    """Terms on which the figures may be used, such as OGL-3.0."""

    @model_validator(mode="after")
    def _can_be_found(self) -> Citation:
        if not (self.title.strip() and self.licence.strip()):
            raise ValueError("a citation has a title and a licence")
        if not any((self.authors, self.doi, self.url, self.container)):
            raise ValueError("a citation names its authors, container, doi or url, so that it can be found")
        if self.doi is not None and not self.doi.startswith("10."):
            raise ValueError("a doi starts with '10.' and carries no resolver address")
        return self

    @property
    def short(self) -> str:
        """Authors and year, as in a footnote."""
        authors = self.authors or self.container or self.title
        return f"{authors} ({self.year})" if self.year else authors
