"""The site on disk: every link leads somewhere, no number is lost, the same bytes each time."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest

from hna.assessment.assess import assess_area
from hna.assessment.record import Assessment
from hna.errors import HnaError
from hna.evidence.shelf import Shelf
from hna.evidence.shelf import shipped as shelf_root
from hna.model.spec import read_model
from hna.publish.folder import OutputError
from hna.publish.site import finding_words, make_site, write_site
from hna.publish.site_page import render_page
from tests.conftest import Workspace
from tests.publish.reports import SCRIPT

ON = dt.date(2026, 11, 22)
EXAMPLE = shelf_root() / "data/corporate/example"
NEEDS = ("learning-disability", "speech-language", "children-of-dependent-drinkers")


class Page(HTMLParser):
    """Links and ids of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs) if tag else {}
        if held.get("id"):
            self.ids.append(str(held["id"]))
        for name in ("href", "src"):
            if held.get(name):
                self.links.append(str(held[name]))


@pytest.fixture(scope="module")
def held() -> Assessment:
    return assess_area("Halton", needs=NEEDS, draws=200, on=ON, words=finding_words)


@pytest.fixture(scope="module")
def folder(held: Assessment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    write_site(held, out)
    return out


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, Page]:
    return {path.name: Page(path) for path in sorted(folder.glob("*.html"))}


def test_every_chapter_and_need_has_a_page(held: Assessment, pages: dict[str, Page]) -> None:
    assert {f"need-{need}.html" for need in held.answers} <= set(pages)
    assert {f"chapter-{chapter.spec.id}.html" for chapter in held.chapters} <= set(pages)


def test_every_link_leads_somewhere(folder: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        for link in page.links:
            if link.startswith(("https://", "http://")):
                continue
            file, _, part = link.partition("#")
            assert (folder / (file or name)).is_file(), (name, link)
            if part:
                assert part in pages[file or name].ids, (name, link)


def test_nothing_is_fetched(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert "default-src 'none'" in unescape(page.text)
        assert not re.search(r"<(link|img|iframe|object|source)\b", page.text)
        assert " style=" not in page.text
        assert not re.search(r"<[^>]*\son\w+=", page.text)


def test_key_findings_and_priorities_come_first(pages: dict[str, Page]) -> None:
    text = pages["index.html"].text
    order = [text.index(f'id="{name}-heading"') for name in ("findings", "order", "beside", "together", "chapters")]
    assert order == sorted(order)
    assert "The apparent gap is about" in text
    assert "Given the characteristics of the local population of Halton" in pages["need-speech-language.html"].text
    assert "Not statistically comparable" in text
    assert "but not statistically significantly" in text


def test_missing_data_stand_where_the_data_would(held: Assessment, pages: dict[str, Page]) -> None:
    assert "Missing core data: Views of service users" in pages["chapter-engagement.html"].text
    assert "Missing core data: Health needs of children in care" in pages["chapter-children-in-care.html"].text
    for record in held.missing:
        assert record.item.split(",")[0] in pages["missing.html"].text.replace("&#39;", "'")


def test_counts_without_an_estimate_stand_in_their_chapter(held: Assessment, pages: dict[str, Page]) -> None:
    care = next(chapter for chapter in held.chapters if chapter.spec.id == "children-in-care")
    assert f"{care.counts[0].people:,.0f}" in pages["chapter-children-in-care.html"].text


def test_the_workbook_holds_it_all(folder: Path, held: Assessment) -> None:
    book = openpyxl.load_workbook(folder / "assessment.xlsx", read_only=True)
    names = set(book.sheetnames)
    book.close()
    assert {"Priorities", "Rank_chances", "Scores", "Criteria", "Audit_trail", "Outcomes", "Triangulation", "Findings", "Chapters",
            "Missing_core_data", "Reviews", "Summary", "Gap", "Sources"} <= names  # fmt: skip


def test_the_record_traces_every_verdict(folder: Path, held: Assessment) -> None:
    found = json.loads((folder / "assessment.json").read_text())
    assert found["triangulation"]["learning-disability"]["items"] == ["learning-disability: gap"]
    assert [one["need"] for one in found["priorities"]["needs"]] == list(held.priorities.order)
    assert all(source["sha256"] for source in found["run"]["inputs"])


def test_the_same_bytes_and_old_pages_go(held: Assessment, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "need-gone.html").write_text("old")
    write_site(held, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sum(map(len, before.values())) < 10_000_000


def test_thirty_needs_are_written_within_a_minute_and_ten_megabytes(tmp_path: Path) -> None:
    shelf = Shelf(None)
    placed = [name for name, file in shelf.models().items() if read_model(file).chapter != "settings-and-groups"]
    held = assess_area("Cornwall", "life-course", needs=placed[:30], draws=100, on=ON, words=finding_words)
    assert len(held.answers) == 30
    assert held.faults == ()
    started = time.process_time()
    files = write_site(held, tmp_path / "site")
    assert time.process_time() - started < 60
    assert sum(path.stat().st_size for path in files) < 10_000_000


def test_a_place_with_nothing_to_stand_beside_says_so() -> None:
    held = assess_area("England", "adults", needs=("loneliness", "psychosis"), draws=50, on=ON, words=finding_words)
    site, _ = make_site(held)
    text = {page.file: render_page(site, page) for page in site.pages}
    assert "Nothing on the shelf stands beside England" in text["index.html"]
    assert "Nothing on the shelf stands beside England" in text["chapter-mental-health.html"]


def test_services_stand_on_the_page_of_their_need_and_their_absence_in_the_chapter(tmp_path: Path) -> None:
    run = tmp_path / "programme.yaml"
    run.write_text(
        "services:\n- {need: speech-language, service: Speech therapy, provider: NHS trust, reaches: 40 children, "
        "source: Service plan, checked_on: 2026-01-05}\n"
    )
    held = assess_area(
        "Halton", needs=("speech-language", "learning-disability"), draws=50, on=ON, words=finding_words, programme=run
    )
    site, book = make_site(held)
    text = {page.file: render_page(site, page) for page in site.pages}
    assert "Speech therapy" in text["need-speech-language.html"]
    assert "5 January 2026" in text["chapter-early-years.html"]
    assert "keeps a count of" in text["need-learning-disability.html"]
    assert "Missing core data: Current services" in text["chapter-disability-and-complex-needs.html"]
    assert "Missing core data: Current services" not in text["chapter-early-years.html"]
    assert "Services" in {sheet.name for sheet in book.sheets}
    run.write_text("services:\n- {need: nothing, service: Some, checked_on: 2030-01-05}\n")
    with pytest.raises(HnaError) as raised:
        assess_area("Halton", needs=("speech-language",), draws=50, on=ON, programme=run)
    assert "'nothing' is not in the framework" in str(raised.value)
    assert "lies ahead" in str(raised.value)


def test_a_need_without_guidance_says_so(tmp_path: Path, workspace: Workspace) -> None:
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows())
    workspace.model()
    held = assess_area("N01", "older-people", draws=50, on=ON, workspace=workspace.root, words=finding_words)
    site, _ = make_site(held)
    (page,) = [render_page(site, page) for page in site.pages if page.file == "need-sleeplessness.html"]
    assert "(W902)" in page


def test_a_file_in_the_way(held: Assessment, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError):
        write_site(held, tmp_path / "out")


def test_views_overdue_reviews_and_gaps_in_the_claim_are_shown(tmp_path: Path) -> None:
    run = tmp_path / "programme.yaml"
    run.write_text("kind: in-depth\nwhen: 2024-01-01\nreview_due: 2025-01-01\nowner: public health\n")
    held = assess_area(
        "Halton", needs=("learning-disability", "speech-language", "child-mental-disorder"), draws=100, on=ON, words=finding_words,
        corporate=[EXAMPLE / "evidence.csv"], programme=run,
    )  # fmt: skip
    text = {page.file: render_page(make_site(held)[0], page) for page in make_site(held)[0].pages}
    assert "W903 review_due: the review of the assessment was due on 2025-01-01" in text["index.html"]
    assert "R901" in text["index.html"]
    assert "overdue (W903)" in text["reviews.html"]
    assert "Example only: put in its place" in text["chapter-engagement.html"]
    assert "agreed on 0" in text["chapter-engagement.html"]
    assert "Contested" in text["need-learning-disability.html"]
    assert "The approaches contradict each other on Learning disability in children" in text["index.html"]


def test_text_of_an_analyst_does_no_harm(workspace: Workspace) -> None:
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows(areas={"N01": SCRIPT, "S02": "South"}))
    workspace.known(rows=workspace.count_rows({"N01": 300}))
    workspace.model(known=[{"source": "own-register"}], title=SCRIPT, limits=SCRIPT)
    held = assess_area("N01", "older-people", draws=50, on=ON, workspace=workspace.root, words=finding_words)
    site, _ = make_site(held)
    for page in site.pages:
        text = render_page(site, page)
        assert SCRIPT not in text
