"""What evidence synthesis will not do, each with its code, its reason and what to do instead."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import logit

from hna.errors import HnaError, ModelError
from hna.evidence.shelf import Shelf
from hna.evidence.source import PrevalenceSource
from hna.model.crosswalk import rogan_gladen
from hna.model.fit_sampler import Diagnostics, until_passed
from hna.model.local import Ratios, recentre
from hna.model.meta import random_effects
from hna.model.pool import pool
from hna.model.pool_standards import read_pool_standards
from hna.model.projection import trend
from hna.model.rate_trend import yearly_change
from hna.model.rates import make_rates
from hna.model.spatial import neighbours, smooth

DAWBA = "DSM-5 disorder by the Development and Well-Being Assessment with clinical rating"
SDQ = "a probable disorder by the Strengths and Difficulties Questionnaire"


def refused(told: pytest.ExceptionInfo[HnaError], code: str, *words: str) -> None:
    """The code is given, the words are said, and every fault has a remedy."""
    assert code in told.value.codes
    for word in words:
        assert word in str(told.value)
    assert all(fault.remedy for fault in told.value.faults)


def surveys(workspace, *changed: dict):
    """Surveys of one thing in 2017 and 2021 as sources, each with what differs."""
    found = []
    for year, change in zip((2017, 2021), changed, strict=False):
        name = f"survey-{year}"
        workspace.prevalence(name, workspace.rates_rows(), **change)
        record = workspace.shelf.record(PrevalenceSource, name)
        found.append(record.model_copy(update={"study": record.study.model_copy(update={"fieldwork": [year, year]})}))
    return found


def test_lifetime_is_not_pooled_with_point(workspace):
    for n in range(3):
        workspace.prevalence(f"s{n}", workspace.rates_rows(), measure="lifetime" if n == 1 else "point")
    workspace.population(rows=workspace.people_rows())
    model = workspace.model(
        prevalence={
            "sources": ["s0", "s1", "s2"], "combine": "random-effects", "errors": {"staleness": 0.0, "because": "to see it"}
        }
    )  # fmt: skip
    with pytest.raises(HnaError) as told:
        make_rates(model, workspace.shelf, 100, 1)
    refused(told, "R171", "s1: lifetime", "s0: point")


def test_one_instrument_after_another_is_no_trend(workspace):
    rates, errors = logit([0.11, 0.16]), [0.05, 0.05]
    with pytest.raises(ModelError) as told:
        yearly_change(surveys(workspace, {"case_definition": DAWBA}, {"case_definition": SDQ}), rates, errors)
    refused(told, "R301", "case definitions", DAWBA, SDQ, "no trend")
    with pytest.raises(ModelError) as told:
        yearly_change(surveys(workspace, {"measure": "point"}, {"measure": "lifetime"}), rates, errors)
    refused(told, "R301", "measures")


def test_one_series_has_a_trend_with_its_sources(workspace):
    both = surveys(workspace, {"case_definition": SDQ}, {"case_definition": SDQ})
    found = yearly_change(both, logit([0.11, 0.16]), [0.05, 0.05])
    assert found.sources == ("survey-2017", "survey-2021")
    assert found.lower < found.yearly < found.upper
    assert trend(np.array([0.11]), found.yearly, 4.0)[0] == pytest.approx(0.16)
    wide = np.log1p([found.lower, found.upper])
    assert np.diff(wide)[0] == pytest.approx(2 * 1.959964 * np.hypot(0.05, 0.05) / 4)
    for wrong in (both[::-1], both[:1], [both[0], both[0]]):
        with pytest.raises(ModelError) as told:
            yearly_change(wrong, logit([0.11, 0.16]), [0.05, 0.05])
        refused(told, "R302")


def test_two_studies_have_no_knapp_hartung():
    for adjustment in ("modified", "plain"):
        with pytest.raises(ModelError) as told:
            random_effects(logit([0.012, 0.018]), [0.01, 0.01], "reml", adjustment)
        refused(told, "R302", "two" if "two" in str(told.value) else "2")
    found = pool(["a", "b"], logit([0.012, 0.014]), [0.01, 0.01], read_pool_standards(Shelf()))
    assert found.rung == "mixture and envelope"
    with pytest.raises(ModelError) as told:
        _ = found.rate
    refused(told, "R302", "2 studies have no pooled mean")


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.5, 0.5), (0.3, 0.6)])
def test_a_test_that_says_nothing(sensitivity, specificity):
    with pytest.raises(ModelError) as told:
        rogan_gladen(np.full(50, 0.2), np.full(50, sensitivity), np.full(50, specificity))
    refused(told, "R322", "sensitivity and specificity add up to")


@pytest.mark.parametrize(("areas", "kind", "code"), [(9, "recorded", "R432"), (40, "synthetic", "R431")])
def test_maps_that_cannot_be_smoothed(areas, kind, code):
    names = [f"a{n}" for n in range(areas)]
    borders = neighbours(names, list(pairwise(names)))
    with pytest.raises(ModelError) as told:
        smooth(np.ones(areas), np.full(areas, 10.0), borders, kind=kind)
    refused(told, code, *(["9 areas are too few"] if areas == 9 else []))


def test_a_relative_risk_needs_those_whom_it_is_relative_to():
    ratios = Ratios("study", "deprivation", ("1", "5"), (2.0, 1.0), (0.1, 0.0), adjusted_for=frozenset({"age", "sex"}))
    with pytest.raises(ModelError) as told:
        recentre(np.full((3, 10), 0.1), ratios.draw(1, 10), None)
    refused(told, "R412", "reference population")


def test_a_fit_with_divergences_is_run_again_and_then_refused():
    asked = []

    def run(draws: int, accept: float):
        asked.append((draws, round(accept, 4)))
        return {"x": np.zeros(draws)}, Diagnostics(1.001, 900.0, 800.0, 0.02, 4, "nutpie")

    with pytest.raises(ModelError) as told:
        until_passed(run, 500)
    refused(told, "R391", "divergences 4")
    assert asked == [(500, 0.9), (1000, 0.95), (2000, 0.975)]
