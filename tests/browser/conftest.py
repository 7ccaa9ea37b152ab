"""A page on disk, and headless Chromium to open it in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from hna.publish.page import render
from tests.publish import reports

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def barriers(page: Page) -> list[str]:
    """What axe finds that keeps somebody from reading a page (WCAG 2.2 AA and its own good practice): rule and element."""
    # Folds are opened; the later rows of a long table are like the earlier ones, and take most of the time.
    page.evaluate(
        """() => { document.querySelectorAll('details').forEach(fold => { fold.open = true; });
          document.querySelectorAll('table:not(.summary) tbody tr:nth-child(n+6)').forEach(row => row.remove()); }"""
    )
    page.wait_for_timeout(100)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]})
    return [
        f"{each['id']}: {node['html'][:120]}" for each in found.response["violations"] for node in each["nodes"][:3]
    ]


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(render(reports.shipped()).encode())
    return path


@pytest.fixture(scope="session")
def hostile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile-page")
    path = folder / "report.html"
    path.write_bytes(render(reports.hostile(folder)).encode())
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        pytest.skip("no Chromium is installed: the page cannot be opened")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
