"""Every source and model read, all faults told at once, and the evidence behind each need."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from hna.answers.residents import read_counts
from hna.assessment.check import check_assessment
from hna.errors import Fault, HnaError
from hna.evidence.composition import read_composition
from hna.evidence.crosswalk import read_pairs
from hna.evidence.flows import read_flows
from hna.evidence.known import read_known
from hna.evidence.outlines import HEXAGONS, SHAPES, read_hexagons, read_rings
from hna.evidence.population import read_population
from hna.evidence.prevalence import read_prevalence
from hna.evidence.shelf import FOLDERS, TABLES, Shelf
from hna.evidence.source import (
    CompositionSource,
    CrosswalkSource,
    ErrorSource,
    FlowsSource,
    KnownSource,
    MeasuresSource,
    PopulationSource,
    PrevalenceSource,
    SurveySource,
    fingerprint,
    read_record,
)
from hna.evidence.survey import read_measures, read_survey
from hna.model import rules
from hna.model.cited import data_of
from hna.model.defaults import read_defaults
from hna.model.error_table import read_error_table
from hna.model.pool_standards import read_pool_standards
from hna.model.priors import read_priors
from hna.model.projection import read_population_error
from hna.model.rates import make_rates
from hna.model.spec import Model, read_model
from hna.publish.disclosure_presets import read_presets

_FEW = 50
_UNFITTED = "R393"
_SHA = re.compile(r"^sha256:.*$", re.MULTILINE)


@dataclass(frozen=True)
class StudyLine:
    """One source of a need's rate, as a reader of evidence judges it.

    Parameters
    ----------
    id, words : of the source.
    fieldwork : first and last year; None where the source does not say.
    age : years from the middle of the fieldwork to the middle of the year of the check.
    bias : overall risk of bias, or blank where it was not appraised.
    tool : checklist used, or blank.
    part : ``rate``; ``pattern`` where only its shape by age is used; ``answers`` of a survey from which rates are found;
        ``severity`` where only the split into strata rests on it; ``crosswalk`` where a correction does.
    """

    id: str
    words: str
    fieldwork: tuple[int, int] | None
    age: float | None
    bias: str
    tool: str
    part: str


@dataclass(frozen=True)
class EvidenceLine:
    """The evidence behind one need.

    Parameters
    ----------
    need, title, chapter : of the model.
    studies : sources of the rate and of its split.
    known : identifiers of the counts of people known to services.
    missing : what is missing: what the model records, then what it does not have at all.
    """

    need: str
    title: str
    chapter: str
    studies: tuple[StudyLine, ...]
    known: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass
class Findings:
    """What a check found."""

    sources: int = 0
    models: int = 0
    frameworks: int = 0
    evidence: list[EvidenceLine] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, error: HnaError, file: str = "") -> None:
        """Keep the faults of an error, each once; those that name no file are of this one."""
        faults = [fault if fault.file else replace(fault, file=file) for fault in error.faults]
        self.faults.extend(fault for fault in faults if str(fault) not in map(str, self.faults))


def check_shelf(shelf: Shelf, year: int | None = None) -> Findings:
    """Faults and warnings of every source, model and file of an assessment on a shelf, and the evidence behind each need.

    With a workspace, its own files are checked, and the shipped ones that they use; without, the shipped shelf.

    Parameters
    ----------
    shelf : what to check.
    year : by which the age of fieldwork is told; None for this year.
    """
    found = Findings()
    now = year or dt.datetime.now(tz=dt.UTC).year
    used: set[str] = set()
    for name, file in shelf.models().items():
        if shelf.workspace is not None and not shelf.own(file):
            continue
        found.models += 1
        try:
            model = read_model(file)
            used |= {source.source for source in model.prevalence.named} | {model.prevalence.severity or ""}
            used |= {source.pattern.source for source in model.prevalence.named if source.pattern}
            used |= {step.source for step in model.local}
            used |= set((model.prevalence.trend.sources if model.prevalence.trend else None) or ())
            used |= set(data_of(model))
            for use in model.known:
                read_counts(shelf, use)
            make_rates(model, shelf, _FEW)
            found.evidence.append(evidence_of(shelf, model, now))
        except HnaError as error:
            if error.codes == (_UNFITTED,):  # of the run's own draws and seed: nothing is wrong with the files
                found.warnings.append(f"models/{name}.yaml rests on draws made ahead: `hna fit {name}` makes them")
                continue
            found.note(error, f"models/{name}.yaml")
            continue
        if not model.limits:
            found.warnings.append(f"models/{name}.yaml states no limits")
        if not model.known and not model.missing_core_data:
            found.warnings.append(f"models/{name}.yaml has no known count and no missing_core_data to say why")
    _check_sources(shelf, found, used)
    _check_standards(shelf, found)
    assessed = check_assessment(shelf, dt.datetime.now(tz=dt.UTC).date())
    found.frameworks = assessed.frameworks
    found.faults += [fault for fault in assessed.faults if str(fault) not in map(str, found.faults)]
    found.warnings += [str(fault) for fault in assessed.warnings]
    return found


def evidence_of(shelf: Shelf, model: Model, year: int) -> EvidenceLine:
    """The evidence behind one need, with fieldwork aged to the middle of a year."""
    parts = [(source.source, "rate") for source in model.prevalence.named]
    parts += [(model.prevalence.severity, "severity")] if model.prevalence.severity else []
    parts += [(source.pattern.source, "pattern") for source in model.prevalence.named if source.pattern]
    parts += [(model.prevalence.survey.sample, "answers")] if model.prevalence.survey else []
    studies = []
    for name, part in parts:
        record = shelf.record(SurveySource, name) if part == "answers" else shelf.record(PrevalenceSource, name)
        study, middle = record.study, record.study.mid_fieldwork
        studies.append(
            StudyLine(
                name, record.citation.short, None if study.fieldwork is None else (study.fieldwork[0], study.fieldwork[1]),
                None if middle is None else year + 0.5 - middle, record.appraisal.overall or "", record.appraisal.tool or "", part,
            )
        )  # fmt: skip
    for name in dict.fromkeys(name for source in model.prevalence.named for name in source.corrected_by):
        cited = shelf.record(CrosswalkSource, name).citation.short
        studies.append(StudyLine(name, cited, None, None, "", "", "crosswalk"))
    examined = [study for study in studies if study.part not in {"severity", "crosswalk", "pattern"}]
    lacks = (
        ("No record of an appraisal", any(not study.bias for study in examined)),
        ("No date of fieldwork", any(study.fieldwork is None for study in examined)),
        ("No national guidance listed", not model.best_practice),
    )
    missing = (*(one.item for one in model.missing_core_data), *(text for text, true in lacks if true))
    known = tuple(dict.fromkeys(use.source for use in model.known))
    return EvidenceLine(model.need, model.title, model.chapter, tuple(studies), known, missing)


def _check_standards(shelf: Shelf, found: Findings) -> None:
    for read in (read_defaults, read_pool_standards, read_priors, read_population_error, read_presets):
        try:
            read(shelf)
        except HnaError as error:
            found.note(error)
    if len(shelf.roots) > 1 and (ours := shelf.roots[0] / rules.FILE).is_file():
        found.warnings.append(f"{ours}: not read, since limits at which a number is refused are the same for everybody")


def _check_sources(shelf: Shelf, found: Findings, used: set[str]) -> None:
    for kind in FOLDERS:
        for name, folder in shelf.folders(kind).items():  # type: ignore[type-var]
            if shelf.workspace is not None and not shelf.own(folder):
                continue
            found.sources += 1
            try:
                record = shelf.record(kind, name)  # type: ignore[type-var]
                if kind is PrevalenceSource:
                    missing = read_prevalence(shelf, name).sex_missing
                    if missing:
                        said = f"W103 {folder / 'table.csv'}: {missing}: say who was left out under study.exclusions"
                        found.warnings.append(said)
                elif kind is PopulationSource:
                    read_population(shelf, name)
                elif kind is KnownSource:
                    read_known(shelf, name)
                elif kind is FlowsSource:
                    read_flows(shelf, name)
                elif kind is ErrorSource:
                    read_error_table(shelf, name, read_population_error(shelf).types)
                elif kind is CompositionSource:
                    read_composition(shelf, name)
                elif kind is CrosswalkSource:
                    read_pairs(shelf, name)
                elif kind is SurveySource:
                    read_survey(shelf, name)
                elif kind is MeasuresSource:
                    read_measures(shelf, name)
                elif name.endswith(SHAPES):
                    read_rings(shelf, name)
                elif name.endswith(HEXAGONS):
                    read_hexagons(shelf, name)
            except HnaError as error:
                found.note(error)
                continue
            if read_record(folder / "source.yaml").sha256 is None:
                found.warnings.append(f"{folder / 'source.yaml'} has no sha256: --fix-fingerprints writes it")
            if isinstance(record, PrevalenceSource | SurveySource) and name not in used and not record.unused:
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
