"""The workbook."""

from pathlib import Path
from hna.publish.report import Report


def write_workbook(report: Report, path: Path) -> None:
    """Write it."""
    path.write_bytes(b"")
