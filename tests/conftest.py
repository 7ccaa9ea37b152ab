"""What tests share: the repository, the publishers' own files where they lie, and an analyst's workspace."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from ruamel.yaml import YAML

from hna.evidence.shelf import Shelf
from hna.model.spec import Model, read_model

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

_QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("law", deadline=None, derandomize=True, max_examples=40, suppress_health_check=_QUIET)
settings.register_profile("search", deadline=None, max_examples=1000, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HNA_HYPOTHESIS", "law"))

Row = Mapping[str, object]
CITATION: dict[str, object] = {
    "authors": "A. Analyst",
    "year": 2024,
    "title": "Figures of our own",
    "container": "Council paper 7",
    "locator": "Table 1",
    "doi": None,
    "url": None,
    "licence": "own work",
}
STUDY: dict[str, object] = {
    "design": "survey",
    "frame": "both",
    "fieldwork": [2022, 2022],
    "geography": "Mereshire",
    "sample_size": 2000,
    "response_rate": 0.6,
    "exclusions": None,
}
EXACT: dict[str, object] = {"study": 0.0, "transport": 0.0, "staleness": 0.0, "because": "none, to see one thing"}
AREAS = {"N01": "Northmere", "S02": "Southmere"}


@dataclass(frozen=True)
class Workspace:
    """An analyst's folder, written in the formats of the design."""

    root: Path
    exact = EXACT
    areas = AREAS

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.root)

    def shelf_model(self, need: str = "sleeplessness") -> Model:
        return read_model(self.shelf.model_file(need))

    def prevalence(self, name: str = "own-study", rows: Iterable[Row] = (), **fields: Any) -> None:
        record: dict[str, object] = {
            "id": name,
            "kind": "prevalence",
            "condition": "sleeplessness",
            "case_definition": "answers yes to three questions",
            "measure": "point",
            "unit": "percent",
            "decimals": 1,
            "uncertainty": {"given": "interval", "level": 0.95},
            "severity": None,
            "study": STUDY,
            "appraisal": {"tool": "hoy-2012", "overall": "low", "notes": None},
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "prevalence_sources" / name, record | fields, rows)

    def population(self, name: str = "own-people", rows: Iterable[Row] = (), **fields: Any) -> None:
        record: dict[str, object] = {
            "id": name,
            "kind": "population",
            "base": "resident",
            "basis": "estimate",
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "data" / "population" / name, record | fields, rows)

    def population_error(self, rows: Iterable[Row], of: Sequence[str], name: str = "own-errors") -> None:
        record = {
            "id": name,
            "kind": "population-error",
            "of": list(of),
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "data" / "population-error" / name, record, rows)

    def known(self, name: str = "own-register", rows: Iterable[Row] = (), **fields: Any) -> None:
        record: dict[str, object] = {
            "id": name,
            "kind": "known",
            "service": "the sleep service",
            "condition": "sleeplessness",
            "case_definition": "on the caseload",
            "count_kind": "people-point",
            "base": "resident",
            "reference_date": "2024-06-30",
            "disclosure": None,
            "duplicates": "none",
            "covers": "all residents",
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "data" / "known" / name, record | fields, rows)

    def crosswalk(self, name: str = "own-pairs", rows: Iterable[Row] = (), **fields: Any) -> None:
        record: dict[str, object] = {
            "id": name,
            "kind": "crosswalk",
            "condition": "sleeplessness",
            "alternative": {"case_definition": "answers yes to three questions, past year", "measure": "period-12"},
            "reference": {"case_definition": "answers yes to three questions", "measure": "point"},
            "matched": "people",
            "given": "two-by-two",
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "data" / "crosswalks" / name, record | fields, rows)

    def survey(self, name: str = "own-survey", rows: Iterable[Row] = (), **fields: Any) -> None:
        record: dict[str, object] = {
            "id": name,
            "kind": "survey",
            "condition": "sleeplessness",
            "case_definition": "answers yes to three questions",
            "measure": "point",
            "study": STUDY,
            "appraisal": {"tool": "hoy-2012", "overall": "low", "notes": None},
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "data" / "surveys" / name, record | fields, rows)

    def measures(self, name: str = "own-measures", rows: Iterable[Row] = (), **columns: str) -> None:
        record = {
            "id": name,
            "kind": "measures",
            "columns": columns,
            "citation": CITATION,
            "read_from": "primary table",
        }
        _write(self.root / "data" / "measures" / name, record, rows)

    def standard(self, file: str, **numbers: float) -> None:
        """A file of standards that says some numbers otherwise."""
        folder = self.root / "data" / "standards"
        folder.mkdir(parents=True, exist_ok=True)
        text = [f'{name}: {{value: {value}, because: "for a test"}}' for name, value in numbers.items()]
        (folder / f"{file}.yaml").write_text("\n".join(text) + "\n")

    def lookup(self, name: str, rows: Iterable[Row]) -> None:
        record = {"id": name, "kind": "areas", "citation": CITATION, "read_from": "secondary table"}
        _write(self.root / "data" / "areas" / name, record, rows)

    def model(self, need: str = "sleeplessness", **fields: Any) -> Model:
        record: dict[str, object] = {
            "need": need,
            "title": need.replace("-", " ").capitalize(),
            "chapter": "older-people",
            "ages": "65+",
            "prevalence": {"sources": ["own-study"], "errors": EXACT},
            "limits": "Made up for a test.",
        }
        path = self.root / "models" / f"{need}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        _yaml(path, record | fields)
        return read_model(path)

    @staticmethod
    def rates_rows(bands: Sequence[tuple[int, int | None]] = ((65, 74), (75, None)), scale: float = 1.0) -> list[Row]:
        """Per cent by sex and band, with limits that are symmetrical in the logit."""
        printed = {"female": ((4.0, 2.9, 5.5), (9.0, 7.0, 11.5)), "male": ((3.0, 2.1, 4.3), (8.0, 6.0, 10.6))}
        return [
            {"sex": sex, "age_from": low, "age_to": "" if high is None else high, "estimate": round(point * scale, 1),
             "lower": round(least * scale, 1), "upper": round(most * scale, 1)}
            for sex, values in printed.items()
            for (low, high), (point, least, most) in zip(bands, values, strict=True)
        ]  # fmt: skip

    @staticmethod
    def people_rows(
        areas: Mapping[str, str] = AREAS,
        years: Sequence[int] = (2024,),
        bands: Sequence[tuple[int, int | None]] = ((0, 64), (65, 69), (70, 74), (75, 84), (85, None)),
        size: int = 4000,
    ) -> list[Row]:
        """People by area, year, sex and band: more in later areas and years, fewer at later ages, more women."""
        return [
            {"area_code": code, "area_name": name, "year": year, "sex": sex, "age_from": low,
             "age_to": "" if high is None else high, "persons": (size + 900 * a + 40 * y) * (3 + x) // (b + 2)}
            for a, (code, name) in enumerate(areas.items())
            for y, year in enumerate(years)
            for x, sex in enumerate(("male", "female"))
            for b, (low, high) in enumerate(bands)
        ]  # fmt: skip

    @staticmethod
    def count_rows(counts: Mapping[str, object], year: int = 2024, low: int = 65, **more: object) -> list[Row]:
        """One count an area for everybody from an age."""
        return [
            {"area_code": code, "area_name": AREAS.get(code, code), "year": year, "sex": "persons", "age_from": low,
             "age_to": "", "count": count} | more
            for code, count in counts.items()
        ]  # fmt: skip


def _yaml(path: Path, record: Mapping[str, object]) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(dict(record), stream)


def _write(folder: Path, record: Mapping[str, object], rows: Iterable[Row]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _yaml(folder / "source.yaml", record)
    held = list(rows)
    columns = list(dict.fromkeys(name for row in held for name in row))
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(held)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The publishers' own files; skips where they are not."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not here: the publishers' own files cannot be read")
    return SHARED


@pytest.fixture(scope="session")
def shipped_shelf() -> Shelf:
    """The shelf that is shipped."""
    return Shelf()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace, to be written into."""
    (tmp_path / "workspace").mkdir()
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def small(workspace: Workspace) -> Workspace:
    """A workspace with one study, two areas, one register and one model, every error beyond sampling set to nothing."""
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows())
    workspace.known(rows=workspace.count_rows({"N01": 300, "S02": 410}))
    workspace.model(known=[{"source": "own-register"}])
    return workspace
