"""What is on the shelf, as tables."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter

from hna.evidence.composition import composition_for
from hna.evidence.population import areas_and_years
from hna.evidence.shelf import FOLDERS, Shelf
from hna.evidence.source import (
    CrosswalkSource,
    ErrorSource,
    FlowsSource,
    KnownSource,
    PopulationSource,
    PrevalenceSource,
    Source,
)
from hna.model.cited import data_of, found_in_places
from hna.model.spec import Model, json_schema, read_model


def list_sources(shelf: Shelf) -> list[dict[str, Any]]:
    """One row a source: kind, id, what it is, citation."""
    rows = []
    for kind in FOLDERS:
        for name, folder in shelf.folders(kind).items():  # type: ignore[type-var]
            record = shelf.record(kind, name)  # type: ignore[type-var]
            what = getattr(record, "condition", None) or record.title or record.citation.title
            rows.append(
                {"kind": record.kind, "id": record.id, "condition": what, "from": record.citation.short,
                 "workspace": "own" if shelf.own(folder) else ""}
            )  # fmt: skip
    return rows


def list_models(shelf: Shelf) -> list[dict[str, Any]]:
    """One row a need: id, title, chapter, ages, sources, known counts."""
    rows = []
    for file in shelf.models().values():
        model = read_model(file)
        rows.append(
            {"need": model.need, "title": model.title, "chapter": model.chapter, "ages": model.ages,
             "sources": ", ".join([*(used.source for used in model.prevalence.named), *data_of(model)]),
             "known": ", ".join(use.source for use in model.known)}
        )  # fmt: skip
    return rows


def list_areas(shelf: Shelf, name: str | None = None) -> list[dict[str, Any]]:
    """One row an area: code, name, populations that count it."""
    found: dict[tuple[str, str], list[str]] = {}
    for population in shelf.folders(PopulationSource):
        for area in areas_and_years(shelf, population)[0].areas:
            found.setdefault((area.code, area.name), []).append(population)
    wanted = (name or "").casefold()
    return [
        {"code": code, "name": label, "populations": ", ".join(held)}
        for (code, label), held in sorted(found.items())
        if wanted in code.casefold() or wanted in label.casefold()
    ]


def schemas() -> dict[str, dict[str, object]]:
    """JSON Schema of a model file and of a source file."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"model": json_schema(Model), "source": {"$schema": draft, **TypeAdapter(Source).json_schema()}}


def bibtex(shelf: Shelf, need: str) -> str:
    """BibTeX entries of every source that a need rests on."""
    model = read_model(shelf.model_file(need))
    records: list[Source] = [shelf.record(PrevalenceSource, used.source) for used in model.prevalence.named]
    records += [shelf.record(PrevalenceSource, used.pattern.source) for used in model.prevalence.named if used.pattern]
    corrected = dict.fromkeys(name for used in model.prevalence.named for name in used.corrected_by)
    records += [shelf.record(CrosswalkSource, name) for name in corrected]
    hidden = [one for one in (model.prevalence.multiplier, model.prevalence.lists) if one is not None]
    records += [shelf.record(KnownSource, one.known) for one in hidden]
    records += found_in_places(shelf, model)
    if model.prevalence.severity:
        records.append(shelf.record(PrevalenceSource, model.prevalence.severity))
    for step in model.local:
        counted = step.source in shelf.folders(KnownSource) and step.source not in shelf.folders(PrevalenceSource)
        records.append(
            shelf.record(KnownSource, step.source) if counted else shelf.record(PrevalenceSource, step.source)
        )
    changed = model.prevalence.trend.sources if model.prevalence.trend else None
    records += [shelf.record(PrevalenceSource, name) for name in changed or ()]
    if model.factors:
        together = [step.factor for step in model.factors]
        records.append(composition_for(shelf, together, model.factors[0].composition).source)
    records += [shelf.record(KnownSource, use.source) for use in model.known]
    records += [shelf.record(FlowsSource, use.residents.flows) for use in model.known if use.residents]
    records += [shelf.record(PopulationSource, name) for name in shelf.folders(PopulationSource)]
    records += [shelf.record(ErrorSource, name) for name in shelf.folders(ErrorSource)]
    printed = [
        f"@misc{{{used.source}-screening,\n  note = {{{_escape(used.screening.citation)}}}\n}}"
        for used in model.prevalence.sources if used.screening and used.screening.citation
    ] + [
        f"@misc{{{used.source}-communal,\n  note = {{{_escape(used.communal.citation)}}}\n}}"
        for used in model.prevalence.sources if used.communal
    ]  # fmt: skip
    trend = model.prevalence.trend
    if trend is not None and trend.citation:
        printed.append(f"@misc{{{need}-trend,\n  note = {{{_escape(trend.citation)}}}\n}}")
    return "\n\n".join([*(_entry(record) for record in records), *printed])


def _entry(record: Source) -> str:
    cited = record.citation
    kind = "article" if cited.doi and cited.container else "misc"
    fields = {
        "author": cited.authors,
        "title": f"{{{cited.title}}}",
        "year": cited.year,
        "journal" if kind == "article" else "howpublished": cited.container,
        "doi": cited.doi,
        "url": cited.url,
        "note": "; ".join(part for part in (cited.locator, cited.licence) if part),
    }
    lines = [f"  {name} = {{{_escape(str(value))}}}" for name, value in fields.items() if value]
    return f"@{kind}{{{record.id},\n" + ",\n".join(lines) + "\n}"


def _escape(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)
