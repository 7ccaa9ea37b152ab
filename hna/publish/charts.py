"""Charts as small static SVG: the same bytes for the same numbers, readable without script, in light and dark.

Shapes tell apart what colours do: a filled dot is an estimate, a diamond a count, a hollow square a gap. Every mark
carries its value as a title, and every chart says in words what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from hna.publish.rounding import Value, plain
from hna.publish.tables import shown

WIDTH = 340.0
_TEXT = 6.1
_ROW = 40.0


@dataclass(frozen=True)
class Mark:
    """One interval to draw: its label, its value in words, its kind and its number."""

    label: str
    said: str
    kind: str
    value: Value


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    left: float
    right: float

    def __call__(self, number: float) -> float:
        span = self.high - self.low or 1.0
        return self.left + (min(max(number, self.low), self.high) - self.low) / span * (self.right - self.left)


def digits(number: float) -> str:
    """A coordinate, to a tenth."""
    return f"{round(number, 1) + 0.0:.6g}"


def cut(text: str, width: float) -> str:
    """Text cut to about a width, in the drawing's units."""
    line = shown(text)
    most = max(3, int(width / _TEXT))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers between two limits, a few steps of 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= most)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(number: float, all_ticks: Sequence[float]) -> str:
    """A tick's label, with as many decimals as the step asks for."""
    step = abs(all_ticks[1] - all_ticks[0]) if len(all_ticks) > 1 else abs(number) or 1.0
    return plain(number, min(1.0, 10.0 ** math.floor(math.log10(step) + 1e-9)))


def svg(width: float, height: float, alt: str, body: Sequence[str], name: str) -> str:
    """A drawing, with what it says in words."""
    return (
        f'<svg class="chart {name}" role="img" aria-label="{escape(shown(alt), quote=True)}" '
        f'viewBox="0 0 {digits(width)} {digits(height)}" width="{digits(width)}" height="{digits(height)}">{"".join(body)}</svg>'
    )


def label(x: float, y: float, text: str, cls: str = "", anchor: str = "start") -> str:
    """Text at a place."""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    named = f' class="{cls}"' if cls else ""
    return f'<text x="{digits(x)}" y="{digits(y)}"{named}{place}>{escape(shown(text))}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    return f'<line x1="{digits(x1)}" y1="{digits(y1)}" x2="{digits(x2)}" y2="{digits(y2)}" class="{cls}"/>'


def _axis(scale: _Scale, top: float, bottom: float) -> list[str]:
    marks = ticks(scale.low, scale.high)
    found = []
    for at in marks:
        cls = "zero" if at == 0 else "grid"
        found.append(_line(scale(at), top, scale(at), bottom, cls))
        x = scale(at)
        anchor = "start" if x < scale.left + 8 else "end" if x > scale.right - 8 else "middle"
        found.append(label(x, bottom + 14, tick_text(at, marks), "tick", anchor))
    return found


def _point(x: float, y: float, kind: str, title: str) -> str:
    inside = f"<title>{escape(shown(title))}</title>"
    if kind == "known":
        points = f"{digits(x)},{digits(y - 6)} {digits(x + 6)},{digits(y)} {digits(x)},{digits(y + 6)} {digits(x - 6)},{digits(y)}"
        return f'<polygon points="{points}" class="known">{inside}</polygon>'
    if kind == "gap":
        return f'<rect x="{digits(x - 5)}" y="{digits(y - 5)}" width="10" height="10" class="gap">{inside}</rect>'
    return f'<circle cx="{digits(x)}" cy="{digits(y)}" r="5.5" class="need">{inside}</circle>'


def _interval(scale: _Scale, y: float, mark: Mark) -> list[str]:
    value, found = mark.value, []
    if value.lower is not None and value.upper is not None and value.upper > value.lower:
        low, high = scale(value.lower), scale(value.upper)
        found.append(_line(low, y, high, y, f"whisker {mark.kind}"))
        found += [_line(x, y - 4, x, y + 4, f"whisker {mark.kind}") for x in (low, high)]
    if value.estimate is not None:
        found.append(_point(scale(value.estimate), y, mark.kind, f"{mark.label}: {mark.said}"))
    return found


def _span(values: Sequence[Value]) -> tuple[float, float]:
    parts = [part for value in values for part in (value.estimate, value.lower, value.upper) if part is not None]
    low, high = min([0.0, *parts]), max([0.0, *parts])
    return low, high if high > low else low + 1.0


def small(marks: Sequence[Mark], alt: str) -> str:
    """A small picture of a few intervals, one under another, from nought."""
    width, left, right = 150.0, 7.0, 143.0
    low, high = _span([mark.value for mark in marks])
    scale = _Scale(low, high, left, right)
    height = 14.0 * len(marks) + 4
    body = [_line(scale(0), 1, scale(0), height - 1, "zero")]
    for n, mark in enumerate(marks):
        body += _interval(scale, 9 + 14.0 * n, mark)
    return svg(width, height, alt, body, "small")


def intervals(marks: Sequence[Mark], alt: str) -> str:
    """Intervals one under another, each under its label, on one scale that takes in nought."""
    return _listed(marks, alt, "intervals", _interval)


def bars(marks: Sequence[Mark], alt: str) -> str:
    """Bars from nought, each under its label, with the interval drawn over the end."""
    return _listed(marks, alt, "bars", _bar)


def _listed(marks: Sequence[Mark], alt: str, kind: str, drawn: Callable[[_Scale, float, Mark], list[str]]) -> str:
    """Marks one under another, each under its label."""
    low, high = _span([mark.value for mark in marks])
    scale = _Scale(low, high, 10.0, WIDTH - 10)
    bottom = _ROW * len(marks) + 4
    body = _axis(scale, 4, bottom)
    for n, mark in enumerate(marks):
        top = _ROW * n + 14
        body.append(label(10, top + 1, cut(f"{mark.label}: {mark.said}", WIDTH - 12)))
        body += drawn(scale, top + 14, mark)
    return svg(WIDTH, bottom + 20, alt, body, kind)


def _bar(scale: _Scale, middle: float, mark: Mark) -> list[str]:
    body = []
    if mark.value.estimate is not None:
        width = scale(mark.value.estimate) - scale(0)
        title = f"<title>{escape(shown(f'{mark.label}: {mark.said}'))}</title>"
        body.append(
            f'<rect x="{digits(scale(0))}" y="{digits(middle - 7)}" width="{digits(width)}" height="14" class="bar need">{title}</rect>'
        )
    whiskers = Mark(mark.label, mark.said, "over", Value(None, mark.value.lower, mark.value.upper))
    return body + _interval(scale, middle, whiskers)


def fan(years: Sequence[int], marks: Sequence[Mark], alt: str) -> str:
    """A line through years with its interval as a band; the part that is projected is dashed."""
    height, left, right, bottom, top = 210.0, 48.0, WIDTH - 16, 180.0, 14.0
    across = _Scale(years[0], years[-1], left, right)
    low, high = _span([mark.value for mark in marks])
    up = _Scale(low, high, bottom, top)
    body = []
    heights = ticks(low, high)
    for at in heights:
        body.append(_line(left, up(at), right, up(at), "zero" if at == 0 else "grid"))
        body.append(label(left - 6, up(at) + 4, tick_text(at, heights), "tick", "end"))
    upper = [(across(year), up(mark.value.upper or 0.0)) for year, mark in zip(years, marks, strict=True)]
    lower = [(across(year), up(mark.value.lower or 0.0)) for year, mark in zip(years, marks, strict=True)]
    outline = " ".join(f"{digits(x)},{digits(y)}" for x, y in [*upper, *reversed(lower)])
    body.append(f'<polygon points="{outline}" class="band"/>')
    centre = " ".join(
        f"{digits(across(year))},{digits(up(mark.value.estimate or 0.0))}"
        for year, mark in zip(years, marks, strict=True)
    )
    body.append(f'<polyline points="{centre}" class="path"/>')
    for n, (year, mark) in enumerate(zip(years, marks, strict=True)):
        body.append(_point(across(year), up(mark.value.estimate or 0.0), "need", f"{year}: {mark.said}"))
        anchor = "end" if n == len(years) - 1 and n else "middle"
        body.append(label(across(year) + (8 if anchor == "end" else 0), bottom + 16, str(year), "tick", anchor))
    return svg(WIDTH, height, alt, body, "fan")


def pyramid(bands: Sequence[str], females: Sequence[Mark], males: Sequence[Mark], alt: str) -> str:
    """Need by age and sex: females to the left, males to the right, oldest at the top, intervals over the ends."""
    row, top, gutter = 20.0, 22.0, 54.0
    half = (WIDTH - gutter) / 2 - 6
    _, high = _span([mark.value for mark in [*females, *males]])
    bottom = top + row * len(bands)
    left = _Scale(0, high, 6 + half, 6)
    right = _Scale(0, high, 6 + half + gutter, WIDTH - 6)
    body = [label(6, 13, "Females"), label(WIDTH - 6, 13, "Males", "", "end")]
    marks = [at for at in ticks(0, high, 2) if at]
    for scale in (left, right):
        for at in [0.0, *marks]:
            body.append(_line(scale(at), top, scale(at), bottom, "zero" if at == 0 else "grid"))
            edge = "start" if scale(at) < 14 else "end" if scale(at) > WIDTH - 14 else "middle"
            body.append(label(scale(at), bottom + 14, tick_text(at, marks or [0.0]), "tick", edge))
    for n, band in enumerate(reversed(bands)):
        y = top + row * n + row / 2
        body.append(label(WIDTH / 2, y + 4, cut(band, gutter), "tick", "middle"))
        for scale, side, cls in ((left, females, "female"), (right, males, "male")):
            mark = side[len(bands) - 1 - n]
            end = scale(mark.value.estimate or 0.0)
            start, width = min(end, scale(0)), abs(end - scale(0))
            title = f"<title>{escape(shown(f'{mark.label}: {mark.said}'))}</title>"
            body.append(
                f'<rect x="{digits(start)}" y="{digits(y - 7)}" width="{digits(width)}" height="14" class="bar {cls}">{title}</rect>'
            )
            if mark.value.lower is not None and mark.value.upper is not None:
                body.append(_line(scale(mark.value.lower), y, scale(mark.value.upper), y, "whisker over"))
    return svg(WIDTH, bottom + 20, alt, body, "pyramid")
