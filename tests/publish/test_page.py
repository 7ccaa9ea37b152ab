"""The page: whole, self-contained, inert to hostile text, the same bytes for the same inputs."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from hna.publish.compose import make_content
from hna.publish.content import Content, Pictures
from hna.publish.page import render, render_content
from hna.publish.report import Report
from tests.publish.reports import LONG

VOID = {"meta", "link", "br", "hr", "img", "input", "col"}
SHAPES = {"line", "circle", "rect", "polygon", "polyline"}


class Reader(HTMLParser):
    """Tags and their attributes; unclosed tags are a fault."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def page(content: Content) -> str:
    return render_content(content)


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def test_nothing_is_fetched(page: str, read: Reader) -> None:
    assert not [
        tag for tag, _ in read.found if tag in {"link", "img", "iframe", "object", "embed", "video", "audio", "image"}
    ]
    assert all(str(attrs["href"]).startswith("#") for attrs in read.all("use"))
    assert not [attrs for tag, attrs in read.found if "src" in attrs or "srcset" in attrs]
    style = re.findall(r"<style>(.*?)</style>", page, re.S)[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "@font-face" not in style


def test_the_policy_is_strict(page: str, read: Reader) -> None:
    policy = next(
        str(attrs["content"]) for attrs in read.all("meta") if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not [attrs for _, attrs in read.found if "style" in attrs or any(name.startswith("on") for name in attrs)]


def test_structure(read: Reader) -> None:
    assert read.all("html") == [{"lang": "en-GB"}]
    assert len(read.all("h1")) == 1
    ids = [attrs["id"] for _, attrs in read.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {str(attrs["href"])[1:] for attrs in read.all("a") if str(attrs["href"]).startswith("#")}
    assert targets <= set(ids)
    levels = [int(tag[1]) for tag, _ in read.found if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(read.all("table")) == len(read.all("caption"))
    assert all(attrs.get("scope") for attrs in read.all("th"))


def test_every_chart_says_what_it_shows(content: Content, read: Reader) -> None:
    charts = [attrs for attrs in read.all("svg") if attrs.get("aria-hidden") != "true"]
    assert len(charts) > 10
    assert all(attrs["role"] == "img" and len(str(attrs["aria-label"])) > 20 for attrs in charts)
    for need in content.needs:
        for part in need.parts:
            for block in part.blocks:
                if isinstance(block, Pictures):
                    for picture in block.pictures:
                        assert re.search(r"\d", picture.alt)
                        assert any(f"<{shape}" in picture.svg for shape in SHAPES)


def test_sources_are_numbered_footnotes(content: Content, page: str) -> None:
    numbers = [note.number for note in content.sources]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(f'id="source-{number}"' in page for number in numbers)


def test_the_banner_stands_only_where_nothing_was_protected(shipped: Report) -> None:
    protected = replace(shipped, arguments=dict(shipped.arguments) | {"disclosure": "nhs_hes"})
    assert "not for publication" not in render(protected)
    assert render(shipped).count("not for publication") == 2


def test_same_inputs_same_bytes(shipped: Report, page: str) -> None:
    assert render(shipped) == page


def test_it_is_small(page: str) -> None:
    assert len(page.encode()) < 1_000_000


def test_hostile_text_is_inert(hostile: Report) -> None:
    page = render(hostile)
    read = Reader(page)
    assert len(read.all("script")) == 1
    assert "<script>alert" not in page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", page)
    assert not [attrs for attrs in read.all("a") if str(attrs.get("href", "")).lower().startswith("javascript")]
    content = make_content(hostile)
    assert max(len(row.area) for need in content.needs for row in need.rows) <= 80
    assert all(LONG not in part.heading for need in content.needs for part in need.parts)


def test_every_kind_of_count_is_drawn(own: Report) -> None:
    Reader(render(own))
