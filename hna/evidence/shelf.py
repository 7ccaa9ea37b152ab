"""Find and read any source or model: the analyst's workspace first, then the shipped shelf."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from hna.errors import Fault, SourceError
from hna.evidence.source import (
    AreasSource,
    CompositionSource,
    CrosswalkSource,
    ErrorSource,
    FlowsSource,
    KnownSource,
    MeasuresSource,
    PopulationSource,
    PrevalenceSource,
    Source,
    SurveySource,
    fingerprint,
    read_record,
)

FOLDERS: dict[type[Source], str] = {
    PrevalenceSource: "prevalence_sources",
    PopulationSource: "data/population",
    KnownSource: "data/known",
    AreasSource: "data/areas",
    CompositionSource: "data/composition",
    CrosswalkSource: "data/crosswalks",
    FlowsSource: "data/flows",
    ErrorSource: "data/population-error",
    SurveySource: "data/surveys",
    MeasuresSource: "data/measures",
}
_RECORD = "source.yaml"
TABLES = ("table.csv", "table.parquet")
WORKSPACE_FOLDERS = ("models", "prevalence_sources", "data")

AnySource = TypeVar(
    "AnySource",
    PrevalenceSource,
    PopulationSource,
    KnownSource,
    AreasSource,
    CompositionSource,
    CrosswalkSource,
    FlowsSource,
    ErrorSource,
    SurveySource,
    MeasuresSource,
)
Result = TypeVar("Result")


def shipped() -> Path:
    """The shipped shelf: inside an installed wheel, or the repository's own folders."""
    package = Path(__file__).parent.parent
    carried = package / "_shelf"
    return carried if carried.is_dir() else package.parent


@dataclass(frozen=True)
class Shelf:
    """Every source and model that can be used.

    Parameters
    ----------
    workspace : the analyst's folder, read before the shipped one; None for the shipped shelf alone.

    Raises
    ------
    SourceError
        If the workspace is not a folder that holds any of ``models/``, ``prevalence_sources/``, ``data/``.
    """

    workspace: Path | None = None
    _read: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.workspace is None:
            return
        remedy = f"A workspace is a folder with some of {', '.join(WORKSPACE_FOLDERS)}; `hna init DIR` makes one"
        if not self.workspace.is_dir():
            raise SourceError(Fault("no such folder", remedy, file=str(self.workspace)))
        if not any((self.workspace / folder).is_dir() for folder in WORKSPACE_FOLDERS):
            raise SourceError(Fault("the folder is not a workspace", remedy, file=str(self.workspace)))

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """Folders in the order in which they are read."""
        here = shipped()
        if self.workspace is None or self.workspace.resolve() == here.resolve():
            return (here,)
        return (self.workspace, here)

    def once(self, key: Hashable, read: Callable[[], Result]) -> Result:
        """What `read` gives, read once: a shelf is one look at the files."""
        if key not in self._read:
            self._read[key] = read()
        found: Result = self._read[key]
        return found

    def folders(self, kind: type[AnySource]) -> dict[str, Path]:
        """Folder of each source of a kind, the workspace's hiding the shipped one of the same name."""
        found: dict[str, Path] = {}
        for root in reversed(self.roots):
            place = root / FOLDERS[kind]
            if not place.is_dir():
                continue
            inside = sorted(place.iterdir())
            bare = [folder for folder in inside if not (folder / _RECORD).is_file() and _holds_a_table(folder)]
            if bare:
                remedy = f"Write {_RECORD} beside the table: without it the folder would be passed over"
                raise SourceError([Fault(f"there is no {_RECORD}", remedy, file=str(folder)) for folder in bare])
            found |= {folder.name: folder for folder in inside if (folder / _RECORD).is_file()}
        return dict(sorted(found.items()))

    def models(self) -> dict[str, Path]:
        """File of each model, the workspace's hiding the shipped one of the same name."""
        found: dict[str, Path] = {}
        misnamed = sorted(file for root in self.roots for file in (root / "models").glob("*.yml"))
        if misnamed:
            raise SourceError([Fault("a model's file ends in .yaml", "Rename it", file=str(file)) for file in misnamed])
        for root in reversed(self.roots):
            found |= {file.stem: file for file in sorted((root / "models").glob("*.yaml"))}
        return dict(sorted(found.items()))

    def own(self, path: Path) -> bool:
        """Whether a file is the analyst's."""
        return self.workspace is not None and path.is_relative_to(self.workspace)

    def model_file(self, need: str) -> Path:
        """The file of a model.

        Raises
        ------
        SourceError
            Lists the nearest names if there is none.
        """
        models = self.models()
        if need not in models:
            raise SourceError(_absent("model", need, models, "`hna models` lists all"))
        return models[need]

    def folder(self, kind: type[AnySource], name: str) -> Path:
        """The folder of a source."""
        folders = self.folders(kind)
        if name not in folders:
            what = FOLDERS[kind].rpartition("/")[2].replace("_", " ").removesuffix("s")
            what = "count of people known" if what == "known" else what
            raise SourceError(_absent(what, name, folders, "`hna sources` lists all"))
        return folders[name]

    def record(self, kind: type[AnySource], name: str) -> AnySource:
        """The record of a source.

        Raises
        ------
        SourceError
            If it is absent, wrong, of another kind, or its table does not have the recorded fingerprint.
        """
        return self.once((kind, name), lambda: self._record(kind, name))

    def _record(self, kind: type[AnySource], name: str) -> AnySource:
        folder = self.folder(kind, name)
        record = read_record(folder / "source.yaml")
        if not isinstance(record, kind):
            remedy = f"{FOLDERS[kind]}/ holds sources of one kind"
            raise SourceError(Fault(f"kind is {record.kind!r}", remedy, file=str(folder / "source.yaml"), field="kind"))
        table = table_file(folder)
        check_fingerprint(record, table, required=not self.own(folder))
        return record if record.sha256 else record.model_copy(update={"sha256": fingerprint(table)})

    def records(self, kind: type[AnySource]) -> Iterator[AnySource]:
        """Every record of a kind, by name."""
        for name in self.folders(kind):
            yield self.record(kind, name)


def _holds_a_table(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TABLES)


def table_file(folder: Path) -> Path:
    """The table beside a source's record.

    Raises
    ------
    SourceError
        If there is none, or one of each form.
    """
    found = [folder / name for name in TABLES if (folder / name).is_file()]
    if len(found) != 1:
        what = "there is no table" if not found else "there are two tables"
        others = sorted(
            file.name for file in folder.iterdir() if not found and file.is_file() and file.name != "source.yaml"
        )
        remedy = f"Keep one of {' or '.join(TABLES)} beside source.yaml"
        raise SourceError(Fault(what, remedy, file=str(folder), rows=others))
    return found[0]


def check_fingerprint(record: Source, table: Path, *, required: bool) -> None:
    """Refuse a table that is not the one recorded."""
    remedy = "Look at what changed, then `hna check --fix-fingerprints` records the new one"
    if record.sha256 is None:
        if required:
            raise SourceError(
                Fault("sha256 is missing", remedy, file=str(table.parent / "source.yaml"), field="sha256")
            )
        return
    found = fingerprint(table)
    if found != record.sha256:
        what = f"the table's fingerprint is {found[:12]}… and source.yaml records {record.sha256[:12]}…"
        raise SourceError(Fault(what, remedy, file=str(table), field="sha256"))


def _absent(what: str, name: str, known: dict[str, Path], remedy: str) -> Fault:
    near = difflib.get_close_matches(name, known, 5, 0.5) or [text for text in known if name in text][:5]
    return Fault(f"no {what} is called {name!r}", f"Nearest are listed; {remedy}" if near else remedy, rows=near)
