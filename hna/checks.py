"""Every source and model read, and all faults told at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hna.errors import Fault, HnaError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.prevalence import read_prevalence
from hna.evidence.shelf import FOLDERS, TABLES, Shelf
from hna.evidence.source import KnownSource, PopulationSource, PrevalenceSource, fingerprint, read_record
from hna.model.rates import make_rates
from hna.model.spec import read_model

_FEW = 50
_SHA = re.compile(r"^sha256:.*$", re.MULTILINE)


@dataclass
class Findings:
    """What a check found."""

    sources: int = 0
    models: int = 0
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, error: HnaError) -> None:
        """Keep the faults of an error, each once."""
        self.faults.extend(fault for fault in error.faults if str(fault) not in map(str, self.faults))


def check_shelf(shelf: Shelf) -> Findings:
    """Faults and warnings of every source and model on a shelf.

    With a workspace, its own files are checked, and the shipped ones that they use; without, the shipped shelf.
    """
    found = Findings()
    used: set[str] = set()
    for name, file in shelf.models().items():
        if shelf.workspace is not None and not shelf.own(file):
            continue
        found.models += 1
        try:
            model = read_model(file)
            used |= {source.source for source in model.prevalence.sources} | {model.prevalence.severity or ""}
            for use in model.known:
                read_known(shelf, use.source)
            make_rates(model, shelf, _FEW)
        except HnaError as error:
            found.note(error)
            continue
        if not model.limits:
            found.warnings.append(f"models/{name}.yaml states no limits")
        if not model.known and not model.missing_core_data:
            found.warnings.append(f"models/{name}.yaml has no known count and no missing_core_data to say why")
    _check_sources(shelf, found, used)
    return found


def _check_sources(shelf: Shelf, found: Findings, used: set[str]) -> None:
    for kind in FOLDERS:
        for name, folder in shelf.folders(kind).items():  # type: ignore[type-var]
            if shelf.workspace is not None and not shelf.own(folder):
                continue
            found.sources += 1
            try:
                record = shelf.record(kind, name)  # type: ignore[type-var]
                if kind is PrevalenceSource:
                    read_prevalence(shelf, name)
                elif kind is PopulationSource:
                    read_population(shelf, name)
                elif kind is KnownSource:
                    read_known(shelf, name)
            except HnaError as error:
                found.note(error)
                continue
            if read_record(folder / "source.yaml").sha256 is None:
                found.warnings.append(f"{folder / 'source.yaml'} has no sha256: --fix-fingerprints writes it")
            if isinstance(record, PrevalenceSource) and name not in used and not record.unused:
                found.warnings.append(f"{folder / 'source.yaml'} is used by no model: say why under `unused`")


def record_fingerprints(root: Path) -> list[str]:
    """Write the fingerprint of every table under a folder into its source.yaml; names of those that changed."""
    changed = []
    for record in sorted(path for place in FOLDERS.values() for path in (root / place).glob("*/source.yaml")):
        tables = [record.parent / name for name in TABLES if (record.parent / name).is_file()]
        if len(tables) != 1:
            continue
        text = record.read_text(encoding="utf-8")
        line = f'sha256: "{fingerprint(tables[0])}"'
        written = _SHA.sub(line, text) if _SHA.search(text) else f"{text.rstrip()}\n{line}\n"
        if written != text:
            record.write_text(written, encoding="utf-8")
            changed.append(record.parent.name)
    return changed
