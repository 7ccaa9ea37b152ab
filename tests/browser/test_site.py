"""The site in headless Chromium: quiet, without network, within every width, whole without script, on paper."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hna.assessment.assess import assess_area
from hna.evidence.shelf import shipped
from hna.publish.site import finding_words, write_site
from tests.browser.conftest import barriers
from tests.browser.test_page import opened
from tests.conftest import Workspace
from tests.publish.reports import SCRIPT

pytestmark = pytest.mark.browser

NEEDS = ("learning-disability", "speech-language", "children-of-dependent-drinkers")
EXAMPLE = shipped() / "data/corporate/example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    # With the example of corporate evidence every kind of block is there: voices, notices, services, an audit trail.
    held = assess_area(
        "Halton", needs=(*NEEDS, "child-mental-disorder"), draws=200, on=dt.date(2027, 11, 22), words=finding_words,
        corporate=[EXAMPLE / "evidence.csv"], programme=EXAMPLE / "programme.yaml", weights=EXAMPLE / "weights.yaml",
        scores=EXAMPLE / "scores.csv",
    )  # fmt: skip
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


KINDS = (
    "index", "need-learning-disability", "need-speech-language", "chapter-background", "chapter-safeguarding", "chapter-engagement",
    "missing", "reviews", "method", "sources",
)  # fmt: skip
"""A page of every kind, with every kind of block on one of them."""


@pytest.mark.parametrize("name", KINDS)
def test_nothing_keeps_anybody_from_reading_it(chromium: Browser, site: Path, name: str) -> None:
    with opened(chromium, site / f"{name}.html") as (page, _, _):
        assert barriers(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_nor_when_narrow_or_dark(chromium: Browser, site: Path, width: int, scheme: str) -> None:
    for name in ("index", "need-learning-disability", "reviews"):
        with opened(chromium, site / f"{name}.html", width, color_scheme=scheme) as (page, _, _):
            assert barriers(page) == [], name


def test_every_link_can_be_followed(chromium: Browser, site: Path) -> None:
    with opened(chromium, site / "index.html", java_script_enabled=False) as (page, _, _):
        found = page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href)")
        for address in sorted({link for link in found if link.startswith("file:") and ".html" in link}):
            page.goto(address)
            assert page.locator("h1").count() == 1
            if "#" in address:
                assert page.locator(f"[id='{address.partition('#')[2]}']").count() == 1


def test_text_of_an_analyst_neither_runs_nor_breaks_a_page(
    chromium: Browser, workspace: Workspace, tmp_path: Path
) -> None:
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows(areas={"N01": SCRIPT, "S02": "South"}))
    workspace.known(rows=workspace.count_rows({"N01": 300}))
    workspace.model(known=[{"source": "own-register"}], title=SCRIPT, limits=SCRIPT)
    held = assess_area("N01", "older-people", draws=50, workspace=workspace.root, words=finding_words)
    for file in write_site(held, tmp_path / "site"):
        if file.suffix == ".html":
            with opened(chromium, file, 320) as (page, asked, said):
                assert asked == [file.as_uri()]
                assert said == []
                assert page.evaluate("document.documentElement.scrollWidth") <= 320, file.name
