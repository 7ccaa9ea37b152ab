"""Made-up populations of which everything is known: few asked a place, rare needs, telling measures, weighted samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from hna.errors import ModelError
from hna.model.survey import Spec, fit
from hna.model.survey_check import hold_out

TERMS = "sex + educ + rw(age) + (1 | town)"
DOCS = Path(__file__).parents[2] / "docs" / "survey.md"


def population(seed: int, areas: int, each: int, level: float, spread: float, told: float) -> pd.DataFrame:
    """Everybody: towns differ by `spread` (logit SD), and by `told` times a measure of the town."""
    rng = np.random.default_rng(seed)
    size = np.maximum((each * rng.lognormal(-0.3, 0.8, areas)).astype(int), 50)
    town = np.repeat(np.arange(areas), size)
    measure, effect, old = rng.normal(size=areas), rng.normal(0, spread, areas), rng.normal(0, 0.5, areas)
    people = len(town)
    sex, educ = rng.integers(0, 2, people), rng.choice(3, people, p=[0.3, 0.5, 0.2])
    age = rng.binomial(5, expit(old[town] + rng.normal(0, 0.3, people)))
    eta = level + 0.3 * sex + 0.25 * (age - 2.5) + np.array([0.4, 0, -0.5])[educ] + told * measure[town] + effect[town]
    return pd.DataFrame(
        {
            "town": town, "sex": np.array(["f", "m"])[sex], "educ": np.array(["low", "mid", "high"])[educ],
            "age": age * 10 + 20, "measure": measure[town], "ill": (rng.random(people) < expit(eta)).astype(int),
        }
    )  # fmt: skip


def asked(people: pd.DataFrame, seed: int, number: int, lean: float, missed: int = 12) -> pd.DataFrame:
    """A sample that misses some towns; the ill are exp(lean) times as likely to be in it, and weights make up for it."""
    rng = np.random.default_rng(seed)
    there = ~people["town"].isin(rng.choice(people["town"].unique(), missed, replace=False)).to_numpy()
    chance = there * np.exp(lean * people["ill"] + (rng.normal(0, 0.3, len(people)) if lean else 0.0))
    chance = np.minimum(number * chance / chance.sum(), 1.0)
    chosen = rng.random(len(people)) < chance
    return people[chosen].assign(w=1 / chance[chosen])


# Few asked a town; a rare need; the ill asked more often, with weights that say so.
POPULATIONS = [
    (1, (90, 250, -1.5, 0.4, 0.4), (450, 0.0), f"ill ~ measure + {TERMS}"),
    (2, (60, 800, -4.0, 0.5, 0.0), (3000, 0.0), f"ill ~ {TERMS}"),
    (3, (60, 400, -1.5, 0.5, 0.0), (1200, 0.7), f"ill ~ {TERMS}"),
]


def test_every_town_is_found():
    found = []
    for seed, of, how, formula in POPULATIONS:
        people = population(seed, *of)
        sample = asked(people, seed, *how)
        model = fit(sample, Spec(formula, weights="w" if how[1] else ""), draws=1000, seed=seed)
        assert model.engine == "laplace"
        table = model.poststratify(people.drop(columns="ill")).table().set_index("town")
        truth = people.groupby(people["town"].astype(str))["ill"].mean()
        inside = truth.between(table["lower"], table["upper"])
        sampled = table["sample"] > 0
        direct = (sample["ill"] * sample["w"]).groupby(sample["town"].astype(str)).sum()
        direct = direct / sample["w"].groupby(sample["town"].astype(str)).sum()
        error = (table["estimate"] - truth).abs()
        assert error[sampled].mean() < 0.7 * (direct - truth).abs().mean()
        assert inside.mean() >= 0.85
        assert abs(table["estimate"].mean() - truth.mean()) < 0.03
        found.append(pd.DataFrame({"inside": inside, "sampled": sampled}))
    towns = pd.concat(found)
    assert 0.90 <= towns["inside"].mean() <= 0.98
    assert towns.loc[~towns["sampled"], "inside"].mean() >= 0.80
    assert 0.90 <= towns.loc[towns["sampled"], "inside"].mean() <= 0.98


def test_weights_put_right_whom_the_survey_leaned_to():
    people = population(4, 40, 400, -1.5, 0.3, 0.0)
    sample = asked(people, 4, 1500, 0.7)
    whole = people["ill"].mean()
    found = [
        float(fit(sample, Spec(f"ill ~ {TERMS}", weights=name), draws=500).poststratify(people).total().mean())
        for name in ("", "w")
    ]
    assert found[0] > whole + 0.06
    assert found[1] == pytest.approx(whole, abs=0.025)


def test_towns_left_out_are_predicted():
    people = population(5, 40, 400, -1.5, 0.2, 0.6)
    sample = asked(people, 5, 1200, 0.0, missed=0)
    told = hold_out(sample, f"ill ~ measure + {TERMS}", draws=400)
    assert len(told.table) == 40
    assert told.inside >= 0.85
    assert told.gain < 0.7
    assert "40 areas left out in turn" in told.words
    cells = sample.groupby(["town", "measure"])["ill"].agg(cases="sum", size="size").reset_index()
    assert hold_out(cells, "cases / size ~ (1 | town)", folds=2, draws=400).gain > told.gain
    for bad in ({"folds": 1}, {"folds": 39}):
        with pytest.raises(ModelError):
            hold_out(sample, f"ill ~ {TERMS}", **bad)
    with pytest.raises(ModelError):
        hold_out(sample, Spec(f"ill ~ {TERMS}", weights="w"))


def test_the_page_for_newcomers_runs_as_it_stands(capsys):
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    code = "\n".join(line[4:] for line in lines if line.startswith("    ") or not line)
    names: dict[str, object] = {}
    exec(compile(code, str(DOCS), "exec"), names)  # noqa: S102
    assert "T23" in capsys.readouterr().out
    assert names["areas"].draws.shape == (24, 2000)
