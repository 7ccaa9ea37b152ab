"""The table of a prevalence source, checked against its record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault
from hna.evidence.shelf import Shelf, table_file
from hna.evidence.source import PrevalenceSource
from hna.evidence.tables import Reader, read_columns, tiling_fault
from hna.measure.ages import AgeAxis, AgeBand

COLUMNS = ("severity", "sex", "age_from", "age_to", "estimate", "lower", "upper", "cases", "sample")
ALSO = ("ethnicity", "deprivation", "standard_error")
NEEDED = {
    "interval": ("lower", "upper"),
    "counts": ("cases", "sample"),
    "standard-error": ("standard_error",),
    "sample-size": ("sample",),
    "none": (),
}


@dataclass(frozen=True)
class Prevalence:
    """A published table as proportions.

    Parameters
    ----------
    source : its record.
    severity, sex : label of each row; severity is blank for all cases together.
    bands : age band of each row.
    estimate, lower, upper, cases, sample, standard_error : shape (row,), proportions or people; NaN where not printed.
    split : by column, such as deprivation, the group of each row.
    """

    source: PrevalenceSource
    severity: NDArray[np.object_]
    sex: NDArray[np.object_]
    bands: tuple[AgeBand, ...]
    estimate: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    cases: NDArray[np.float64]
    sample: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    split: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)

    @property
    def split_by(self) -> tuple[str, ...]:
        """Further columns that divide people."""
        return tuple(self.split)

    def rows(self, severity: str, sex: str) -> NDArray[np.intp]:
        """Positions of the rows of a stratum and sex, by age."""
        found = np.flatnonzero((self.severity == severity) & (self.sex == sex))
        return found[np.argsort([self.bands[n].low for n in found], kind="stable")]

    def axis(self, severity: str, sex: str) -> AgeAxis:
        """Age bands of a stratum and sex."""
        return AgeAxis(tuple(self.bands[n] for n in self.rows(severity, sex)))

    @property
    def span(self) -> AgeBand:
        """All ages in the table."""
        top = max(self.bands, key=lambda band: band.end)
        return AgeBand(min(band.low for band in self.bands), top.high)

    @property
    def sex_missing(self) -> str:
        """Which sex is not there, or not of all ages, where the study does not say why; blank where both or all are."""
        if self.source.study.exclusions:
            return ""
        for severity in self.strata:
            held = [sex for sex in ("female", "male") if len(self.rows(severity, sex))]
            if len(held) == 1 and not len(self.rows(severity, "persons")):
                return f"rates are of {held[0]} only"
            spans = {sex: self.axis(severity, sex).span.label for sex in held}
            if len(set(spans.values())) > 1:
                return " and ".join(f"{sex} rates are of ages {span}" for sex, span in spans.items())
        return ""

    @property
    def strata(self) -> list[str]:
        """Strata of severity in the table, blank for all cases together first."""
        declared = ["", *(self.source.severity.strata if self.source.severity else [])]
        return [name for name in declared if (self.severity == name).any()]

    @property
    def sexes(self) -> list[str]:
        """Sexes in the table, in canonical order."""
        return [sex for sex in ("female", "male", "persons") if (self.sex == sex).any()]


def read_prevalence(shelf: Shelf, name: str) -> Prevalence:
    """A source's table as proportions.

    Raises
    ------
    SourceError
        Names every fault of the table at once.
    """
    record = shelf.record(PrevalenceSource, name)
    return shelf.once(("table", name), lambda: check_table(record, table_file(shelf.folder(PrevalenceSource, name))))


def check_table(record: PrevalenceSource, path: Path) -> Prevalence:
    """The table in a file, checked against a record."""
    needed = NEEDED[record.uncertainty.given]
    required = ["estimate", *needed] if record.uncertainty.given != "counts" else list(needed)
    table = read_columns(path, required, [name for name in (*COLUMNS, *ALSO) if name not in required])
    read = Reader(table, str(path))
    size = len(table)

    def column(name: str, *, blank: bool, whole: bool = False) -> NDArray[np.float64]:
        return read.numbers(name, blank=blank, whole=whole) if name in table else np.full(size, math.nan)

    scale = record.scale
    cases = column("cases", blank="cases" not in needed, whole=False)
    sample = column("sample", blank="sample" not in needed, whole=False)
    if "estimate" in table:
        estimate = column("estimate", blank=record.uncertainty.given == "counts") / scale
    else:
        estimate = np.full(size, math.nan)
    lower, upper = (column(name, blank=name not in needed) / scale for name in ("lower", "upper"))
    error = column("standard_error", blank="standard_error" not in needed) / scale
    severity = table["severity"].astype(object).to_numpy() if "severity" in table else np.full(size, "", dtype=object)
    sex = read.sexes()
    bands = read.bands()
    _check_values(read, record, estimate, lower, upper, cases, sample, error)
    _check_strata(read, record, severity)
    read.unique(["severity", "sex", "age_from", "age_to", "ethnicity", "deprivation"], "cells")
    if not read.faults:
        _check_bands(read, severity, sex, bands)
    read.done()
    derived = np.divide(cases, sample, out=np.full(size, math.nan), where=sample > 0)
    estimate = np.where(np.isnan(estimate), derived, estimate)
    others = {name: read.text(name) for name in ("ethnicity", "deprivation") if name in table}
    return Prevalence(record, severity, sex, tuple(bands), estimate, lower, upper, cases, sample, error, others)


def _check_values(
    read: Reader,
    record: PrevalenceSource,
    estimate: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    cases: NDArray[np.float64],
    sample: NDArray[np.float64],
    error: NDArray[np.float64],
) -> None:
    rounding = 10.0**-record.decimals / record.scale
    for name, values in (
        ("estimate", estimate),
        ("lower", lower),
        ("upper", upper),
        ("standard_error", error),
    ):
        outside = (values < 0) | (values > 1)
        remedy = f"unit is {record.unit}: write values from 0 to {record.scale:g}, or mend the unit"
        read.fault(f"a prevalence is outside 0 to {record.scale:g}", remedy, name, outside, "R102")
    tolerance = rounding / 2 + 1e-12
    crossed = (lower > estimate + tolerance) | (estimate > upper + tolerance) | (lower > upper)
    read.fault(
        "the estimate is not between its limits",
        "Write lower ≤ estimate ≤ upper",
        "estimate",
        crossed,
        "R101",
    )
    for name, values in (("cases", cases), ("sample", sample)):
        read.fault("a count is negative", "Counts start at 0", name, values < 0)
    read.fault("nobody was examined", "Leave the row out", "sample", sample == 0)
    more = cases > sample
    read.fault("there are more cases than people examined", "Mend cases or sample", "cases", more, "R102")
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(cases / sample - estimate) > 2 * rounding
    remedy = f"unit is {record.unit} with {record.decimals} decimals: check for a percent or per-1,000 slip"
    read.fault("cases over sample disagree with the estimate", remedy, "estimate", off & ~more, "R102")


def _check_strata(read: Reader, record: PrevalenceSource, severity: NDArray[np.object_]) -> None:
    declared = set(record.severity.strata) if record.severity else set()
    unknown = np.array([value != "" and value not in declared for value in severity])
    remedy = "Declare it under severity.strata in source.yaml, or leave the cell blank for all cases together"
    read.fault("a stratum of severity is not declared", remedy, "severity", unknown)
    absent = sorted(declared - set(severity))
    if absent:
        read.faults.append(
            Fault(
                "declared strata have no rows",
                "Add them, or remove them from severity.strata",
                file=read.file,
                rows=absent,
            )
        )


def _check_bands(read: Reader, severity: NDArray[np.object_], sex: NDArray[np.object_], bands: list[AgeBand]) -> None:
    others = [name for name in ("ethnicity", "deprivation") if name in read.table]
    keys = pd.DataFrame({"severity": severity, "sex": sex} | {name: read.table[name].to_numpy() for name in others})
    for rows in keys.groupby(list(keys.columns), sort=True, observed=True).groups.values():
        wrong = tiling_fault([bands[n] for n in rows])
        if wrong:
            first = read.row(int(rows[0]))
            read.faults.append(
                Fault(
                    f"age bands {wrong}",
                    "Bands of one sex and stratum follow each other",
                    file=read.file,
                    rows=[first],
                    code="W103",
                )
            )
