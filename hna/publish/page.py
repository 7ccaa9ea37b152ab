"""The page: one self-contained file, whole without script, safe with any text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hna.publish.compose import make_content
from hna.publish.content import Content, Items, Panels, Paragraph, Pictures, Table
from hna.publish.report import Report
from hna.publish.tables import shown

_FOLDER = "templates"


def render(report: Report) -> str:
    """The page as HTML."""
    return render_content(make_content(report))


def render_content(content: Content) -> str:
    """The page as HTML, from content already made."""
    style, script = _squeezed(_read("page.css")), _read("page.js").strip()
    policy = "; ".join((
        "default-src 'none'", f"style-src {_hash(style)}", f"script-src {_hash(script)}", "base-uri 'none'", "form-action 'none'",
    ))  # fmt: skip
    return (
        _environment().get_template("page.html.j2").render(content=content, style=style, script=script, policy=policy)
    )


def _read(name: str) -> str:
    return files("hna.publish").joinpath(_FOLDER, name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, finalize=_safe, trim_blocks=False,
        auto_reload=False,
    )  # fmt: skip
    environment.filters["drawn"] = Markup
    environment.tests |= {kind.__name__.lower(): _test(kind) for kind in (Items, Panels, Paragraph, Pictures, Table)}
    return environment


def _test(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _safe(value: object) -> object:
    """Text without signs that cannot be seen or that turn its direction; our own markup as it is."""
    return shown(value) if type(value) is str else value


def _squeezed(style: str) -> str:
    return re.sub(r"\s*\n\s*", "", style).strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
