"""Corporate evidence: what professionals, users, carers and the public say, in a file that an analyst fills."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hna.assessment.standards import Vocabulary
from hna.errors import Fault, SourceError
from hna.evidence.yaml_file import read_text, read_yaml

FOLDER = "data/corporate"
MAX_BYTES = 5_000_000
REQUIRED = (
    "need", "constituency", "method", "date", "n", "commissioned_by", "finding", "direction", "strength", "confidence", "coder",
)  # fmt: skip
OPTIONAL = ("approach", "need_type", "recruitment", "datasets", "second_coder", "second_direction")
APPROACHES = ("corporate", "comparative", "epidemiological")
_CODE = re.compile(r"[a-z0-9]+([ -][a-z0-9]+)*|[A-Z]{1,3}\d*")
_CONTACT = re.compile(r"\S+@\S+\.\S+|\b\d{3}[ -]?\d{3}[ -]?\d{4}\b|\b0\d{3,4}[ -]?\d{3}[ -]?\d{3,4}\b")
_NAMED = re.compile(r"[A-Z][a-z'’-]+(?: [A-Z]\.?)?(?: [A-Z][a-z'’-]+){1,2}")


@dataclass(frozen=True)
class Voice:
    """One finding of a workshop, survey, complaint log or interview.

    Parameters
    ----------
    id : the file and row it stands in.
    need : model or topic it is about.
    approach : corporate, or one of the others where an analyst brings a local indicator.
    constituency : who speaks; blank where the approach is not corporate.
    method, date, n, commissioned_by, recruitment : how, when, how many, for whom, and how they were found.
    finding : what they said.
    direction : present, greater or less.
    strength : how strongly.
    confidence : how far it can be relied on.
    need_type : Bradshaw's kind of need.
    coder, second_coder, second_direction : who coded it, and what a second coder made of it.
    datasets : identifiers of the data it rests on.
    """

    id: str
    need: str
    approach: str
    constituency: str
    method: str
    date: str
    n: int
    commissioned_by: str
    finding: str
    direction: str
    strength: str
    confidence: str
    need_type: str
    coder: str
    recruitment: str = ""
    second_coder: str = ""
    second_direction: str = ""
    datasets: tuple[str, ...] = ()

    @property
    def disputed(self) -> bool:
        """Whether two coders disagree."""
        return bool(self.second_direction) and self.second_direction != self.direction

    @property
    def words(self) -> str:
        """The reference, as a reader would find it."""
        return f"{self.commissioned_by}. {self.method}, {self.date} ({self.n:,} people). {self.id}."


def corporate_files(roots: Sequence[Path]) -> list[Path]:
    """Files of corporate evidence in a workspace; the shipped example is never read."""
    return [path for root in roots for path in sorted((root / FOLDER).glob("*")) if path.suffix in (".csv", ".yaml")]


def read_corporate(path: Path, needs: Sequence[str], vocabulary: Vocabulary, on: dt.date | None = None) -> list[Voice]:
    """The findings in a CSV or YAML file.

    Parameters
    ----------
    path : a CSV file with one row a finding, or a YAML file with a list ``findings``.
    needs : models and topics that may be spoken of.
    vocabulary : the words that may be used.
    on : the day of the assessment; a later date is a fault. None to allow any.

    Raises
    ------
    SourceError
        Every fault of the file at once: unknown or repeated columns, unknown needs, a missing constituency, a number that
        is none, a date that is none or lies ahead, personal names or contact details.
    """
    rows = _yaml_rows(path) if path.suffix == ".yaml" else _csv_rows(path)
    reader = _Reader(str(path), needs, vocabulary, on)
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    faults = list(reader.columns(columns))
    if faults:
        raise SourceError(faults)
    found = [reader.voice(path.stem, place, row) for place, row in rows]
    if reader.faults:
        raise SourceError([Fault(*key, rows=held) for key, held in reader.faults.items()])
    return [voice for voice in found if voice is not None]


def _csv_rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    text = read_text(path, MAX_BYTES)
    held = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    remedy = f"The columns are {', '.join(REQUIRED)} (and optionally {', '.join(OPTIONAL)})"
    if len(held) < 2:
        raise SourceError(
            Fault("there is no finding", f"Write a header line, then one row a finding. {remedy}", str(path))
        )
    header = [name.strip() for name in held[0]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SourceError(Fault("columns are repeated", remedy, file=str(path), rows=twice))
    uneven = [f"row {n}" for n, row in enumerate(held[1:], start=2) if len(row) != len(header)]
    if uneven:
        what = "rows do not have as many fields as the header"
        raise SourceError(Fault(what, "Quote text that holds a comma", file=str(path), rows=uneven))
    return [
        (f"row {n}", {name: cell.strip() for name, cell in zip(header, row, strict=True)})
        for n, row in enumerate(held[1:], start=2)
    ]


def _yaml_rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    fields, _ = read_yaml(path)
    held = fields.get("findings")
    if not isinstance(held, list) or not held or list(fields) != ["findings"]:
        raise SourceError(Fault("there is no list of findings", "Write `findings:` and one entry a finding", str(path)))
    if not all(isinstance(entry, dict) for entry in held):
        raise SourceError(Fault("a finding is not a list of fields", "Write one `field: value` a line", str(path)))
    rows = []
    for n, entry in enumerate(held, start=1):
        cells = {
            str(key): "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            for key, value in entry.items()
        }
        rows.append((f"finding {n}", cells))
    return rows


class _Reader:
    """Rows become findings; faults are gathered by what is wrong."""

    def __init__(self, file: str, needs: Sequence[str], vocabulary: Vocabulary, on: dt.date | None) -> None:
        self.file, self.needs, self.words, self.on = file, sorted(needs), vocabulary, on
        self.faults: dict[tuple[str, str, str, str], list[str]] = {}
        titles = "|".join(map(re.escape, vocabulary.personal_titles))
        self.titled = re.compile(rf"\b(?:{titles})\.? [A-Z][a-z]+")

    def columns(self, names: Sequence[str]) -> Iterator[Fault]:
        """Faults of the header."""
        expected = f"The columns are {', '.join(REQUIRED)} (and optionally {', '.join(OPTIONAL)})"
        plain = {name: name.strip().lower().replace(" ", "_") for name in names}
        persons = [name for name in names if plain[name] in self.words.name_columns]
        if persons:
            remedy = "Take the column out: the file holds who spoke as a constituency, never as a person"
            yield Fault("columns would hold who somebody is", remedy, file=self.file, rows=persons)
        extra = [name for name in names if name not in (*REQUIRED, *OPTIONAL) and name not in persons]
        if extra:
            yield Fault("unknown columns", expected, file=self.file, rows=extra)
        missing = [name for name in REQUIRED if name not in names and name != "constituency"]
        if missing:
            yield Fault("columns are missing", expected, file=self.file, rows=missing)
        if "constituency" not in names:
            remedy = f"Say who speaks: {', '.join(self.words.constituencies)}"
            yield Fault("the constituency is missing", remedy, file=self.file, field="constituency")

    def note(self, field: str, what: str, remedy: str, row: str) -> None:
        """Keep a fault with the row that has it."""
        self.faults.setdefault((what, remedy, self.file, field), []).append(row)

    def voice(self, stem: str, place: str, row: Mapping[str, str]) -> Voice | None:
        """One finding; None where something in it is wrong."""
        before = sum(map(len, self.faults.values()))
        get = {name: row.get(name, "") for name in (*REQUIRED, *OPTIONAL)}
        approach = get["approach"] or "corporate"
        self._choice("approach", approach, APPROACHES, place)
        for name in ("method", "finding", "commissioned_by"):
            if not get[name]:
                self.note(name, "is blank", "Fill it in", place)
        self._need(get["need"], place)
        if approach == "corporate":
            if not get["constituency"]:
                remedy = f"Say who speaks: {', '.join(self.words.constituencies)}"
                self.note("constituency", "the constituency is missing", remedy, place)
            else:
                self._choice("constituency", get["constituency"], list(self.words.constituencies), place)
        elif not get["datasets"]:
            self.note("datasets", "an indicator names no dataset", "Name what it rests on", place)
        self._choice("direction", get["direction"], list(self.words.directions), place)
        self._choice("strength", get["strength"], self.words.strengths, place)
        self._choice("confidence", get["confidence"], self.words.confidence, place)
        if get["need_type"]:
            self._choice("need_type", get["need_type"], list(self.words.need_types), place)
        if get["second_direction"]:
            self._choice("second_direction", get["second_direction"], list(self.words.directions), place)
        if bool(get["second_direction"]) != bool(get["second_coder"]):
            what = "a second coder and a second direction go together"
            self.note("second_coder", what, "Give both, or neither", place)
        self._date(get["date"], place)
        count = self._count(get["n"], place)
        self._nobody(get, place)
        if sum(map(len, self.faults.values())) > before:
            return None
        spoken = self.words.constituencies.get(get["constituency"])
        default = "comparative" if approach == "comparative" else spoken.need_type if spoken else "normative"
        datasets = tuple(dict.fromkeys(part.strip() for part in re.split(r"[;,]", get["datasets"]) if part.strip()))
        return Voice(
            f"{stem}, {place}", get["need"], approach, get["constituency"] if approach == "corporate" else "",
            get["method"], get["date"], count, get["commissioned_by"], get["finding"], get["direction"], get["strength"],
            get["confidence"], get["need_type"] or default, get["coder"], get["recruitment"], get["second_coder"],
            get["second_direction"], datasets,
        )  # fmt: skip

    def _need(self, name: str, place: str) -> None:
        if name not in self.needs:
            near = difflib.get_close_matches(name, self.needs, 1, 0.5)
            remedy = "`hna models` lists the needs; a framework lists its topics"
            self.note(
                "need", "the need is unknown", remedy, f"{place}: {name}{f' (nearest: {near[0]})' if near else ''}"
            )

    def _choice(self, field: str, value: str, allowed: Sequence[str], place: str) -> None:
        if value not in allowed:
            self.note(field, "is not one of the words", f"Write one of {', '.join(allowed)}", f"{place}: {value!r}")

    def _date(self, text: str, place: str) -> None:
        try:
            day = dt.date.fromisoformat(text)
        except ValueError:
            self.note("date", "is not a date", "Write it as 2026-03-31", f"{place}: {text!r}")
            return
        if self.on is not None and day > self.on:
            self.note("date", "lies ahead of the assessment", "Mend the date", f"{place}: {text}")

    def _count(self, text: str, place: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            self.note(
                "n", "is not a number of people", "Write how many took part, as a whole number", f"{place}: {text!r}"
            )
            return 0
        return int(text)

    def _nobody(self, get: Mapping[str, str], place: str) -> None:
        """No names of people, and nothing by which they could be reached."""
        remedy = "Write a role, a body or a code such as coder-1, never a person"
        for field in ("coder", "second_coder"):
            if field == "coder" and not get[field]:
                self.note(field, "is blank", remedy, place)
            elif get[field] and not _CODE.fullmatch(get[field]):
                self.note(field, "looks like a person's name", remedy, place)
        for field in ("commissioned_by", "recruitment", "method", "finding"):
            if self.titled.search(get[field]):
                self.note(field, "holds what looks like a person's name", remedy, place)
            if _CONTACT.search(get[field]):
                self.note(field, "holds an address or number of a person", "Take it out", place)
        body = get["commissioned_by"]
        words = {word.strip("'’s,.&").lower() for word in body.split()} | {word.lower() for word in body.split()}
        if _NAMED.fullmatch(body) and not words.intersection(self.words.body_words):
            self.note("commissioned_by", "looks like a person's name", "Name the body or the role", place)
