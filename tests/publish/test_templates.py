"""One content model: templates lay out what is said, and neither say nor compute anything themselves."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

TEMPLATES = sorted(
    path.name for path in files("hna.publish").joinpath("templates").iterdir() if path.name.endswith(".j2")
)
COMPUTES = re.compile(r"\s[*/%]\s|\s-\s|\d\s\+|\+\s\d|\|\s*(round|int|float|sum|format|abs|max|min)\b")
GEOMETRY = '<rect class="part" width='
"""Widths of bars are drawn from the number that stands beside them."""


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_number_is_computed_in_a_template(name: str) -> None:
    text = files("hna.publish").joinpath("templates", name).read_text(encoding="utf-8")
    found = re.findall(r"\{\{(.*?)\}\}|\{%(.*?)%\}", text.replace(GEOMETRY, "\n" + GEOMETRY))
    drawn = {part for line in text.splitlines() if GEOMETRY in line for part in re.findall(r"\{\{(.*?)\}\}", line)}
    said = [part for pair in found for part in pair if part and part not in drawn]
    assert [part for part in said if COMPUTES.search(part)] == []


def test_the_pdf_s_template_computes_layout_only() -> None:
    text = files("hna.publish").joinpath("templates", "report.typ").read_text(encoding="utf-8")
    assert re.findall(r"calc\.\w+", text) == ["calc.min"]
    assert "it.width" in text.partition("calc.min")[2][:20]


def test_arithmetic_would_be_found() -> None:
    assert COMPUTES.search(" row.value * 100 ")
    assert COMPUTES.search(" value | round(1) ")
    assert COMPUTES.search(" a - b ")
    assert not COMPUTES.search(" need.title ")
    assert not COMPUTES.search(" found.columns | length ")
