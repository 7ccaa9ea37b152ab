"""The page."""

from hna.publish.report import Report


def render(report: Report) -> str:
    """The page as HTML."""
    return "<!doctype html>"
