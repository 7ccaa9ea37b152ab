"""A page of the site as HTML: whole without script, offline, safe with any text, in the report's own style."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hna.publish.content import Items, Panels, Paragraph, Pictures, Table
from hna.publish.site_content import ChanceCell, LinkCell, Notice, Rows, Site, SitePage, Steps, Summary
from hna.publish.tables import shown

_KINDS = (ChanceCell, Items, LinkCell, Notice, Panels, Paragraph, Pictures, Rows, Steps, Summary, Table)


def render_page(site: Site, page: SitePage) -> str:
    """One page as HTML."""
    style, script = _style(), _file("page.js").strip()
    policy = "; ".join((
        "default-src 'none'", f"style-src {_hash(style)}", f"script-src {_hash(script)}", "base-uri 'none'", "form-action 'none'",
    ))  # fmt: skip
    return (
        _environment()
        .get_template("site.html.j2")
        .render(site=site, page=page, cited=site.cited(page), style=style, script=script, policy=policy)
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return re.sub(r"\s*\n\s*", "", _file("page.css") + _file("site.css")).strip()


def _file(name: str) -> str:
    return files("hna.publish").joinpath("templates", name).read_text(encoding="utf-8")


def _read(name: str) -> str:
    """A template; ``macros`` are those of the report's page, its headings one step below ours."""
    if name != "macros":
        return _file(name)
    return _file("page.html.j2").partition("<!DOCTYPE html>")[0].replace("<h5>", "<h3>").replace("</h5>", "</h3>")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, finalize=_safe, auto_reload=False
    )
    environment.filters["drawn"] = Markup
    environment.tests |= {kind.__name__.lower(): _test(kind) for kind in _KINDS}
    return environment


def _test(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _safe(value: object) -> object:
    """Text without signs that cannot be seen or that turn its direction; our own markup as it is."""
    return shown(value) if type(value) is str else value


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
