"""A page of the site as HTML: whole without script, offline, safe with any text, in the report's own style."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hna.publish.content import Items, Panels, Paragraph, Pictures, Table
from hna.publish.site_content import ChanceCell, LinkCell, Notice, Rows, Site, SiteBlock, SitePage, Steps, Summary
from hna.publish.tables import printable, shown

_KINDS = (ChanceCell, Items, LinkCell, Notice, Panels, Paragraph, Pictures, Rows, Steps, Summary, Table)


def render_page(site: Site, page: SitePage) -> str:
    """One page as HTML."""
    style, script = style_of("page.css", "site.css"), _file("page.js").strip()
    return (
        environment()
        .get_template("site.html.j2")
        .render(
            site=site, columns=site.columns, page=page, cited=site.cited(page), style=style, script=script,
            policy=policy_of(style, script),
        )
    )  # fmt: skip


def render_blocks(blocks: Sequence[SiteBlock]) -> str:
    """Blocks as a fragment of HTML, without style."""
    return environment().get_template("blocks").render(held=blocks, columns=())


def policy_of(style: str, script: str = "") -> str:
    """A policy that lets a page use its own style and script, and fetch nothing."""
    runs = _hash(script) if script else "'none'"
    return "; ".join((
        "default-src 'none'", f"style-src {_hash(style)}", f"script-src {runs}", "base-uri 'none'", "form-action 'none'",
    ))  # fmt: skip


@lru_cache(maxsize=4)
def style_of(*names: str) -> str:
    """Style sheets as one, without line breaks."""
    return re.sub(r"\s*\n\s*", "", "".join(map(_file, names))).strip()


def _file(name: str) -> str:
    return files("hna.publish").joinpath("templates", name).read_text(encoding="utf-8")


def _read(name: str) -> str:
    """A template; ``macros`` are those of the report's page, its headings two steps below; ``pieces`` those of the site."""
    if name == "macros":
        return _file("page.html.j2").partition("<!DOCTYPE html>")[0].replace("<h5>", "<h3>").replace("</h5>", "</h3>")
    if name == "pieces":
        return _file("site.html.j2").partition("<!DOCTYPE html>")[0]
    if name == "blocks":
        return '{%- from "pieces" import pieces with context -%}{{ pieces(held) }}'
    return _file(name)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates, with tests for the kinds of block, and all text made safe."""
    made = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, finalize=_safe, auto_reload=False
    )
    made.filters |= {"drawn": Markup, "lines": _lines}
    made.tests |= {kind.__name__.lower(): _test(kind) for kind in _KINDS}
    return made


def _test(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _safe(value: object) -> object:
    """Text without signs that cannot be seen or that turn its direction; our own markup as it is."""
    return shown(value) if type(value) is str else value


def _lines(text: str) -> Markup:
    """Lines of text kept apart, with their indents."""
    return Markup("\n").join(printable(line.expandtabs(4)) for line in text.splitlines())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
