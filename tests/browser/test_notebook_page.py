"""A notebook as a page in headless Chromium: quiet, without network, within every width, readable by everybody, on paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hna.publish.notebook_page import page_of, render_index, render_notebook
from hna.publish.shown import show_lines, show_need, show_table
from tests.browser.conftest import barriers
from tests.browser.test_page import opened
from tests.publish import reports

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    report = reports.shipped()
    need = report.answers[0].model.need
    shown = [
        show_need(report, need, "findings", "when", "who", "compared", "beside", "sure", "assumptions", "evidence", "limits", "figures"),
        show_table(report.answers[0].figures.head(8), "Figures", {"area_name": "Area", "quantity": "What", "estimate": "Number"}),
        show_lines(["one line", ("a term", "what is said of it")]),
    ]  # fmt: skip
    prose = "# A title\n\nAn opening.\n\n## A part\n\nText with `code` and a [link](https://example.org).\n\n### A smaller part"
    cells: list[dict[str, object]] = [{"cell_type": "markdown", "source": prose}]
    for one in shown:
        data = json.loads(json.dumps(one._repr_mimebundle_()))
        cells.append(
            {"cell_type": "code", "source": "x = 1", "outputs": [{"output_type": "execute_result", "data": data}]}
        )
    cells.append(
        {
            "cell_type": "code",
            "source": "y",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "w" * 300}],
        }
    )
    page = page_of("own", cells)
    out = tmp_path_factory.mktemp("notebooks")
    (out / "own.html").write_text(render_notebook(page, ["own/report.html"]), encoding="utf-8")
    (out / "index.html").write_text(render_index([page]), encoding="utf-8")
    return [out / "own.html", out / "index.html"]


def test_it_asks_for_nothing_and_complains_of_nothing(chromium: Browser, pages: list[Path]) -> None:
    for file in pages:
        with opened(chromium, file) as (page, asked, said):
            page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
            assert asked == [file.as_uri()]
            assert said == []
            assert page.locator("h1").count() == 1


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (768, "light"), (1280, "dark")])
def test_everybody_can_read_it(chromium: Browser, pages: list[Path], width: int, scheme: str) -> None:
    for file in pages:
        with opened(chromium, file, width, color_scheme=scheme) as (page, _, _):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert barriers(page) == []


def test_charts_are_drawn_and_it_prints_without_code(chromium: Browser, pages: list[Path]) -> None:
    with opened(chromium, pages[0], width=688) as (page, _, _):
        assert page.locator("svg.chart").count() >= 2
        page.emulate_media(media="print")
        assert page.locator("details.code >> visible=true").count() == 0
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
