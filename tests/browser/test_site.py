"""The site in headless Chromium: quiet, without network, within every width, whole without script, on paper."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hna.assessment.assess import assess_area
from hna.publish.site import finding_words, write_site
from tests.browser.test_page import opened

pytestmark = pytest.mark.browser

NEEDS = ("learning-disability", "speech-language", "children-of-dependent-drinkers")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    held = assess_area("Halton", needs=NEEDS, draws=200, on=dt.date(2026, 11, 22), words=finding_words)
    write_site(held, out)
    return out


def test_no_page_asks_for_anything_or_complains(chromium: Browser, site: Path) -> None:
    for file in sorted(site.glob("*.html")):
        with opened(chromium, file) as (page, asked, said):
            assert asked == [file.as_uri()]
            assert said == []
            assert page.locator("h1").count() == 1


@pytest.mark.parametrize("width", [320, 1280])
def test_no_sideways_scroll(chromium: Browser, site: Path, width: int) -> None:
    for name in ("index", "need-learning-disability", "chapter-safeguarding", "missing", "method", "reviews"):
        with opened(chromium, site / f"{name}.html", width) as (page, _, _):
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_read_from_the_first_page_to_a_source(chromium: Browser, site: Path) -> None:
    with opened(chromium, site / "index.html", java_script_enabled=False) as (page, _, _):
        page.locator("#findings a").first.click()
        assert "/need-" in page.url
        page.locator("#sources a").first.click()
        assert "/sources.html#source-" in page.url
        page.get_by_role("link", name="Key findings", exact=True).click()
        assert page.url.endswith("index.html")


def test_headings_do_not_skip(chromium: Browser, site: Path) -> None:
    for file in sorted(site.glob("*.html")):
        with opened(chromium, file) as (page, _, _):
            found = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])")
            assert all(after - before <= 1 for before, after in pairwise(found)), file.name


def test_prints_with_nothing_cut(chromium: Browser, site: Path) -> None:
    for name in ("index", "need-learning-disability"):
        with opened(chromium, site / f"{name}.html", width=688) as (page, _, _):
            page.emulate_media(media="print")
            wide = (
                "[...document.querySelectorAll('table, svg')].filter(e => e.getBoundingClientRect().right > 690).length"
            )
            assert page.evaluate(wide) == 0
            assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
