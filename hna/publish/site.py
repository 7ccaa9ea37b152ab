"""The site of an assessment: made from its content, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from hna.assessment.record import Assessment
from hna.publish import wording
from hna.publish.compose import make_content
from hna.publish.content import Content, Footnote, Paragraph
from hna.publish.folder import check_folder, staged
from hna.publish.links import address, licence, reference
from hna.publish.outputs import describe
from hna.publish.report import Report
from hna.publish.site_content import (
    INDEX,
    METHOD,
    MISSING,
    RECORD,
    REVIEWS,
    SOURCES,
    WORKBOOK,
    Site,
    SitePage,
    SitePart,
    chapter_file,
)
from hna.publish.site_needs import need_page
from hna.publish.site_page import render_page
from hna.publish.site_pages import finding_words, pages
from hna.publish.site_sheets import workbook_content
from hna.publish.tables import json_text, shown
from hna.publish.workbook import write_content

__all__ = ["finding_words", "make_site", "report_of", "write_site"]


_NAMED = (
    ("gap.csv, comparisons.csv and the workbook hold", "The workbook holds"),
    ("gap.csv and the workbook hold", "the workbook holds"),
    ("run.json", RECORD),
)  # fmt: skip
"""Files that a report names, and what stands in their place beside a site."""


def _at_home(held: Any) -> Any:
    """Content of a report with the names of a site's own files."""
    if isinstance(held, str):
        for name, own in _NAMED:
            held = held.replace(name, own)
        return held
    if isinstance(held, tuple):
        return tuple(map(_at_home, held))
    if is_dataclass(held) and not isinstance(held, type):
        return replace(held, **{part.name: _at_home(getattr(held, part.name)) for part in fields(held)})
    return held


def report_of(held: Assessment) -> Report:
    """The answers of an assessment, as a report."""
    return Report(tuple(held.answers.values()), held.arguments, held.notes)


def make_site(held: Assessment) -> tuple[Site, Content]:
    """The site of an assessment, and the content of its workbook."""
    content: Content = _at_home(make_content(report_of(held)))
    needs = {need.id: need for need in content.needs}
    sources, refs = _sources(held, content)
    shell = [*pages(held, content, needs, refs)]
    described = [need_page(held, needs[need], refs) for need in held.answers]
    text = "Everything that this assessment rests on. Numbers are the same on every page."
    part = SitePart("all", "Every source", (Paragraph("In order of first use."),))
    listed = SitePage(SOURCES, "Sources", "Sources", text, (part,))
    menu = (
        ("Key findings", INDEX),
        *((f"{chapter.spec.number}. {shown(chapter.spec.title)}", chapter_file(chapter.spec.id)) for chapter in held.chapters),
        ("Missing data", MISSING), ("Reviews", REVIEWS), ("Method", METHOD), ("Sources", SOURCES),
    )  # fmt: skip
    title = f"Needs assessment: {held.framework.scope} in {wording.name_of(held.area)}"
    site = Site(title, content.banner, (*shell, *described, listed), menu, sources, content.summary_columns)
    return site, workbook_content(held, content, site)


def _sources(held: Assessment, content: Content) -> tuple[tuple[Footnote, ...], dict[str, int]]:
    """Sources of the report, then counts without an estimate, the framework, and corporate evidence."""
    refs = {source.id: n for n, source in enumerate(report_of(held).citations, start=1)}
    found = list(content.sources)

    def add(key: str, text: str, url: str = "", terms: str = "") -> None:
        if key not in refs:
            refs[key] = len(found) + 1
            found.append(Footnote(refs[key], shown(text), url, terms))

    for source in held.population.sources:
        add(source.id, reference(source), address(source), licence(source))
    for chapter in held.chapters:
        for one in chapter.counts:
            add(one.source.id, reference(one.source), address(one.source), licence(one.source))
    add(f"framework:{held.framework.id}", held.framework.words, "", shown(held.framework.citation.licence))
    by_text: dict[str, int] = {}
    for voice in held.voices:
        key = f"{voice.commissioned_by}. {voice.method}, {voice.date} ({voice.n:,} people)."
        if key not in by_text:
            add(f"voice:{voice.id}", key)
            by_text[key] = refs[f"voice:{voice.id}"]
        refs[f"voice:{voice.id}"] = by_text[key]
    return tuple(found), refs


def describe_assessment(held: Assessment) -> dict[str, object]:
    """What assessment.json says: the run, the verdicts, the order and the audit trail."""
    found = held.priorities
    top = found.found.top(found.top).tolist()
    return {
        "assessment": {
            "area": {"code": held.area.code, "name": held.area.name}, "framework": held.framework.id, "kind": held.kind,
            "on": held.on.isoformat(), "faults": [str(fault) for fault in held.faults],
            "warnings": [str(fault) for fault in held.warnings],
        },
        "chapters": {chapter.spec.id: list(chapter.needs) for chapter in held.chapters},
        "priorities": {
            "weights": found.weights.model_dump(mode="json") if found.weights else None, "top": found.top,
            "needs": [
                {"need": need, "chance": round(top[found.found.needs.index(need)], 6), "standing": found.standing[need]}
                for need in found.order
            ],
            "trail": [vars(entry) for entry in found.trail],
        },
        "triangulation": {
            name: {"level": verdict.level, "patterns": list(verdict.patterns), "items": [item.id for item in verdict.items]}
            for name, verdict in held.verdicts.items()
        },
        "missing": [vars(record) for record in held.missing],
        "run": describe(report_of(held)),
    }  # fmt: skip


def write_site(held: Assessment, out: Path) -> list[Path]:
    """Write the pages, the workbook and assessment.json to a folder; pages of an earlier run that are no more are removed.

    Returns
    -------
    the files, the first page first.

    Raises
    ------
    OutputError
        If the folder cannot be written; what stood there still stands.
    """
    check_folder(out)
    site, book = make_site(held)
    writers: dict[str, Callable[[Path], object]] = {}
    for page in site.pages:
        text = render_page(site, page).encode()
        writers[page.file] = lambda path, text=text: path.write_bytes(text)  # type: ignore[misc]
    writers[WORKBOOK] = lambda path: write_content(book, path)
    record = json_text(describe_assessment(held))
    writers[RECORD] = lambda path: path.write_bytes(record.encode())
    with staged(out) as stage:
        for name, write in writers.items():
            write(stage / name)
        for name in writers:
            (stage / name).replace(out / name)
        for pattern in ("need-*.html", "chapter-*.html"):
            for old in out.glob(pattern):
                if old.name not in writers:
                    old.unlink()
    return [out / name for name in writers]
