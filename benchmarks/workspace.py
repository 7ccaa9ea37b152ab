"""A workspace to measure on: England's small areas in shape, with people and rates that stand for nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.evidence.source import PopulationSource, fingerprint
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.areas import Area
from hna.model.rates import Rates, make_rates
from hna.model.spec import read_model

LSOAS, AUTHORITIES, YEARS = 33_755, 309, tuple(range(2018, 2044))
BANDS = AgeAxis((*(AgeBand(low, low + 4) for low in range(0, 90, 5)), AgeBand(90, None)))
SEXES = ("female", "male")
"""Nineteen bands and two sexes: 38 cells."""

_SOURCE = """\
id: {name}
kind: prevalence
condition: made up
case_definition: made up for a measurement of speed
measure: point
unit: percent
decimals: 3
uncertainty: {{given: sample-size}}
severity: null
study:
  {{design: survey, frame: both, fieldwork: [2014, 2014], geography: nowhere, sample_size: 38000, response_rate: null,
   exclusions: null}}
appraisal: {{tool: hoy-2012, overall: low, notes: made up}}
citation:
  {{authors: made up, year: 2026, title: Made up, container: null, locator: null, doi: null, url: null, licence: CC0-1.0}}
read_from: primary table
sha256: {sha256}
"""
_MODEL = """\
need: {name}
title: Made up
chapter: made-up
ages: all
prevalence:
  sources: [{name}]
  errors: {{study: 0.15, transport: {transport}, staleness: {staleness}, because: made up}}
limits: made up
"""


def write_need(folder: Path, name: str, level: float, transport: float, staleness: float = 0.01) -> None:
    """A need in a workspace: 38 rates that rise with age, in per cent, up to `level`."""
    at = folder / "prevalence_sources" / name
    at.mkdir(parents=True, exist_ok=True)
    rows = ["sex,age_from,age_to,estimate,sample"]
    for s, sex in enumerate(SEXES):
        for n, band in enumerate(BANDS.bands):
            rate = level * (0.05 + 0.95 * (n / 18) ** 2) * (1.1 - 0.2 * s)
            rows.append(f"{sex},{band.low},{'' if band.high is None else band.high},{rate:.3f},1000")
    (at / "table.csv").write_text("\n".join(rows) + "\n")
    (at / "source.yaml").write_text(_SOURCE.format(name=name, sha256=fingerprint(at / "table.csv")))
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / f"{name}.yaml").write_text(_MODEL.format(name=name, transport=transport, staleness=staleness))


def rates_of(folder: Path, name: str, draws: int, seed: int = 1) -> Rates:
    """Draws of a need's rates."""
    shelf = Shelf(folder)
    return make_rates(read_model(shelf.model_file(name)), shelf, draws=draws, seed=seed)


def people_of(areas: int, years: int, size: float, seed: int = 1) -> Population:
    """People in the rates' bands: `size` in each area, about, ageing from year to year; whole numbers."""
    generator = np.random.default_rng(seed)
    cells = len(SEXES) * len(BANDS.bands)
    pattern = generator.gamma(8.0, 1.0, (areas, 1, cells)) * np.linspace(1.2, 0.4, len(BANDS.bands)).repeat(2)
    drift = 1 + 0.01 * np.arange(years)[None, :, None] * np.linspace(-0.3, 1.0, cells)[None, None, :]
    people: NDArray[np.float64] = np.empty((areas, years, cells))
    for start in range(0, areas, 2048):
        part = pattern[start : start + 2048] * drift
        people[start : start + 2048] = np.round(part * (size / part.sum(axis=2).mean()))
    record = PopulationSource.model_construct(id="made-up", base="resident", basis="estimate")
    named = tuple(Area(f"E{1_000_000 + n:08d}", f"Area {n}") for n in range(areas))
    shaped = people.reshape(areas, years, len(SEXES), len(BANDS.bands))
    return Population((record,), named, YEARS[:years], SEXES, BANDS, shaped)
