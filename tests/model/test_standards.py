"""Numbers of the field stand on the shelf with their reasons: a workspace may say otherwise, save of what is refused."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from hna.checks import check_shelf
from hna.errors import SourceError
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeBand
from hna.model.defaults import read_defaults
from hna.model.pool_ages import AgeProblem, Reported, solve_ages
from hna.model.pool_standards import read_pool_standards
from hna.model.priors import read_priors, shipped_priors
from hna.model.rules import off_mean, rules
from hna.model.spatial import map_problem, neighbours
from hna.model.survey import Spec
from hna.model.survey_prepare import prepare

READ = {
    "defaults": read_defaults,
    "pooling": read_pool_standards,
    "priors": read_priors,
    "rules": lambda _: rules(),
}


def told(root, name: str, text: str) -> Shelf:
    """A workspace with a file of its own."""
    folder = root / "data" / "standards"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text(text)
    return Shelf(root)


@pytest.mark.parametrize("name", READ)
def test_every_number_has_its_reason_and_a_judgement_says_so(name):
    because = READ[name](Shelf()).because
    assert set(because) == set(asdict(READ[name](Shelf()))) - {"because"}
    source = re.compile(
        r"doi 10\.\d+/|\b(19|20)\d\d\b|Judgement|project's methods|Empirical|As \w+|Decision:|Median over"
    )
    assert [field for field, why in because.items() if not source.search(why)] == []


@pytest.mark.parametrize("name", ["defaults", "pooling", "priors"])
def test_a_workspace_says_a_part_and_the_rest_stays(name, tmp_path):
    shipped = READ[name](Shelf())
    field = next(one for one in asdict(shipped) if one not in ("because", "study_error"))
    found = READ[name](told(tmp_path, name, f'{field}: {{value: 0.7, because: "ours"}}\n'))
    assert found == replace(shipped, **{field: 0.7}, because=shipped.because | {field: "ours"})


def test_a_wrong_number_is_told_with_its_line(tmp_path):
    text = 'survey_areas: {value: 0, because: "none"}\nmap_effekt: {value: 1, because: "a slip"}\n'
    with pytest.raises(SourceError, match=r"priors\.yaml:1.*survey_areas.*greater than 0") as fault:
        read_priors(told(tmp_path, "priors", text))
    assert "priors.yaml:2" in str(fault.value)
    assert "unknown field" in str(fault.value)


def test_a_check_reads_the_standards_of_a_workspace(tmp_path):
    shelf = told(tmp_path, "priors", 'survey_areas: {value: 0, because: "none"}\n')
    (tmp_path / "data" / "standards" / "rules.yaml").write_text('map_areas: {value: 3, because: "ours are few"}\n')
    found = check_shelf(shelf)
    assert ["survey_areas.value" in str(fault) for fault in found.faults] == [True]
    assert any("rules.yaml: not read" in said for said in found.warnings)


def test_rules_are_the_same_in_every_workspace(tmp_path, monkeypatch):
    held = rules()
    told(tmp_path, "rules", 'map_areas: {value: 3, because: "ours are few"}\n')
    monkeypatch.chdir(tmp_path)
    rules.cache_clear()
    assert rules() == held


def test_priors_reach_each_model_and_what_its_fit_is_stored_under():
    one = shipped_priors()
    other = replace(one, survey_areas=0.9, map_share=0.7, curve_bends=0.4)
    for model in ("survey", "map", "curve"):
        assert one.of(model) != other.of(model)
    sample = pd.DataFrame({"ill": [0, 1, 1, 0], "town": list("abab")})
    plain, moved = (prepare(sample, Spec("ill ~ (1 | town)", priors=priors)) for priors in (one, other))
    assert moved.problem.scale[0] == 0.9
    assert plain.fingerprint() != moved.fingerprint()
    assert plain.fingerprint() == prepare(sample, "ill ~ (1 | town)").fingerprint()
    names = [f"a{n}" for n in range(rules().map_areas)]
    borders = neighbours(names, list(pairwise(names)))
    counts = np.ones(len(names)), np.full(len(names), 9.0), borders
    assert map_problem(*counts, kind="recorded", priors=other).mixing == 0.7
    held = [Reported(name, AgeBand(low, low + 9), -1.0, 0.01) for name in "ab" for low in (20, 30, 40)]
    found = [
        solve_ages(AgeProblem.of(held, ["a", "b"], 90, None, priors=priors), 0.5, 400, 1, "x")
        for priors in (one, other)
    ]
    assert abs(found[0].columns[:, 2:]).mean() > 1.2 * abs(found[1].columns[:, 2:]).mean()


def test_a_mean_is_the_headline_within_its_error():
    limits = rules()
    error = limits.mean_errors * 0.5 / np.sqrt(100)
    wide, narrow = np.array([1 + 0.9 * error, 1 + 1.1 * error]), np.array([1.004, 1.006])
    assert off_mean(wide, 0.5, 100, 1.0).tolist() == [False, True]
    assert off_mean(narrow, 0.0, 100, 1.0).tolist() == [False, True]
    # Of one draw nothing can be said, and two may lie close together by chance.
    assert not off_mean(2.0, 0.0, 1, 1.0)
    assert not off_mean(2.0, 0.001, 2, 1.0)
    assert off_mean(2.0, 0.001, 10, 1.0)


def test_a_handful_of_draws_is_rarely_refused():
    drawn = np.random.default_rng(7).normal(100.0, 20.0, (4000, 5))
    assert off_mean(drawn.mean(axis=1), drawn.std(axis=1), 5, 100.0).sum() <= 2
