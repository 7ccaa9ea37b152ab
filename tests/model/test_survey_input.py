"""What a survey model takes: tables however their columns are named and typed; and what it refuses, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from hna.errors import HnaError, ModelError, SourceError
from hna.model.rules import rules
from hna.model.survey import Spec, fit
from hna.model.survey_cells import labels
from hna.model.survey_formula import Formula
from hna.model.survey_prepare import prepare

FORMULA = "ill ~ sex + rw(age) + (1 | town)"
QUICK = {"draws": 200, "seed": 1}


def tables(areas: int = 12, asked: int = 240) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A sample of persons in towns 1 to `areas`, and a frame of cells with two towns more."""
    rng = np.random.default_rng(5)
    effect = rng.normal(0, 0.5, areas + 2)
    sample = pd.DataFrame(
        {
            "town": rng.integers(1, areas + 1, asked),
            "sex": rng.choice(["f", "m"], asked),
            "age": rng.choice([20, 40, 60], asked),
        }
    )
    sample["ill"] = (rng.random(asked) < expit(-1 + effect[sample["town"]] + sample["age"] / 100)).astype(int)
    frame = pd.MultiIndex.from_product(
        [range(1, areas + 3), ["f", "m"], [20, 40, 60]], names=["town", "sex", "age"]
    ).to_frame(index=False)
    frame["people"] = rng.integers(50, 500, len(frame))
    return sample, frame


@pytest.fixture(scope="module")
def plain():
    sample, frame = tables()
    return fit(sample, FORMULA, **QUICK).poststratify(frame)


def same(found, plain) -> bool:
    return found.labels == plain.labels and np.array_equal(found.draws, plain.draws)


def test_shapes(plain):
    table = plain.table()
    assert list(table.columns) == ["town", "estimate", "lower", "upper", "direct", "sample", "own_data", "people"]
    assert plain.draws.shape == (14, 200)
    assert set(plain.labels) == {str(n) for n in range(1, 15)}
    assert ((table["lower"] < table["estimate"]) & (table["estimate"] < table["upper"])).all()
    unasked = table["town"].isin(["13", "14"])
    assert table.loc[unasked, "direct"].isna().all()
    assert (table.loc[unasked, ["sample", "own_data"]] == 0).all(axis=None)


@pytest.mark.parametrize("change", ["float", "text", "category", "object", "padded"])
def test_one_label_however_it_is_typed(plain, change):
    sample, frame = tables()
    typed = {
        "float": lambda column: column.astype(float),
        "text": lambda column: column.astype(str),
        "category": lambda column: column.astype("category"),
        "object": lambda column: column.astype(object),
        "padded": lambda column: " " + column.astype(str) + " ",
    }[change]
    for both in (False, True):
        asked = sample.assign(town=typed(sample["town"]), age=typed(sample["age"])) if both else sample
        frame_too = frame.assign(
            town=typed(frame["town"]), sex=typed(frame["sex"]) if change != "float" else frame["sex"]
        )
        assert same(fit(asked, FORMULA, **QUICK).poststratify(frame_too), plain)


def test_any_names_of_columns(plain):
    sample, frame = tables()
    names = {"town": "size", "sex": "cases", "age": "Age group", "ill": "fixed"}
    formula = "fixed ~ cases + rw(`Age group`) + (1 | size)"
    model = fit(sample.rename(columns=names), formula, **QUICK)
    found = model.poststratify(frame.rename(columns={**names, "people": "N.2021"}), people="N.2021")
    assert found.by == "size"
    assert np.allclose(found.draws.mean(axis=1), plain.draws.mean(axis=1), atol=0.03)
    assert list(found.table()["size"]) == list(plain.labels)


def test_persons_cells_and_a_frame_of_persons_agree(plain):
    sample, frame = tables()
    counted = sample.groupby(["town", "sex", "age"])["ill"].agg(cases="sum", asked="size").reset_index()
    counted.loc[len(counted)] = [1, "f", 20, 0, 0]
    model = fit(counted, FORMULA.replace("ill", "cases / asked"), **QUICK)
    assert np.allclose(model.poststratify(frame).draws.mean(axis=1), plain.draws.mean(axis=1), atol=0.03)
    persons = frame.loc[frame.index.repeat(frame["people"])].drop(columns="people")
    assert same(fit(sample, FORMULA, **QUICK).poststratify(persons.sample(frac=1, random_state=1)), plain)
    assert same(fit(sample, FORMULA, **QUICK).poststratify(persons, people=None), plain)


def test_a_big_frame_is_worked_through_in_blocks(plain, monkeypatch):
    sample, frame = tables()
    monkeypatch.setattr("hna.model.survey._BLOCK", 1000)
    found = fit(sample, FORMULA, **QUICK).poststratify(frame)
    assert np.allclose(found.draws, plain.draws, atol=1e-12)


def test_numbers_may_be_categories():
    sample, frame = tables()
    model = fit(sample, "ill ~ C(age) + sex + (1 | town)", **QUICK)
    assert model.coding.names == ("intercept", "sex: m", "age: 40", "age: 60")
    assert len(model.poststratify(frame).labels) == 14
    assert fit(sample, "ill ~ age + (1 | town)", **QUICK).coding.names == ("intercept", "age")


def test_the_area_is_the_group_with_most_levels():
    sample, frame = tables()
    for formula in (
        "ill ~ (1 | town) + (1 | sex)",
        "ill ~ (1 | sex) + (1 | town)",
        "ill ~ (1 | sex:town) + (1 | town)",
    ):
        model = fit(sample, formula, **QUICK)
        assert (model.area, model.poststratify(frame).by) == ("town", "town")
    model = fit(sample, Spec("ill ~ (1 | town) + (1 | sex)", area="sex"), **QUICK)
    assert model.poststratify(frame).labels == ("f", "m")


@pytest.mark.parametrize("outcome", [0, 1])
def test_nobody_or_everybody_is_a_case(outcome):
    sample, frame = tables()
    table = fit(sample.assign(ill=outcome), FORMULA, **QUICK).poststratify(frame).table()
    assert ((table["estimate"] > 0) & (table["estimate"] < 1)).all()
    assert (table["estimate"] - outcome).abs().max() < 0.1
    assert (table["upper"] > table["lower"]).all()


def test_levels_of_the_sample_may_be_missing_from_the_frame(plain):
    sample, frame = tables()
    model = fit(sample, FORMULA, **QUICK)
    some = model.poststratify(frame[(frame["town"] != 3) & (frame["age"] != 60)])
    assert "3" not in some.labels
    alone = model.poststratify(frame[frame["town"] == 7])
    at = plain.labels.index("7")
    assert np.allclose(alone.draws[0], plain.draws[at])


def test_an_area_measure_in_both_tables():
    sample, frame = tables()
    measure = pd.Series(np.linspace(-1, 1, 14), index=range(1, 15), name="deprived")
    model = fit(sample.join(measure, on="town"), FORMULA.replace("sex", "sex + deprived"), **QUICK)
    assert len(model.poststratify(frame.join(measure, on="town")).labels) == 14
    with pytest.raises(SourceError, match=r"frame has empty cells.*deprived: 6 of 84 rows"):
        model.poststratify(frame.join(measure.drop(14), on="town"))
    with pytest.raises(SourceError, match="deprived is not a finite number in 6 rows of the frame"):
        model.poststratify(frame.join(measure.astype(object).replace({1.0: "high"}), on="town"))


def test_an_age_between_two_that_were_asked_is_on_the_line_between_them():
    sample, frame = tables()
    one = {"town": [3] * 4, "sex": ["f"] * 4, "age": ["20-24", "25-29", "30-34", "40-44"]}
    written = sample.assign(age=sample["age"].map({20: "20-24", 40: "40-44", 60: "60-64"}))
    model = fit(written, FORMULA, draws=4000, seed=1)
    rate = logit(model.rates(pd.DataFrame(one)))
    assert rate.mean(axis=1)[1:3] == pytest.approx(np.interp([25, 30], [20, 40], rate.mean(axis=1)[[0, 3]]), abs=0.02)
    # A walk pinned at both ends: the variance open at the middle is a quarter of a step's, and symmetrical in the ends.
    line = 0.5 * (rate[0] + rate[3])
    basis, sigma = model.coding.bases["age"], model.posterior.sigma[:, 1]
    step = float(((basis[1] - basis[0]) ** 2).sum())
    assert (rate[2] - line).var() == pytest.approx(step / 4 * (sigma**2).mean(), rel=0.1)
    cells = frame.assign(age=frame["age"].map({20: "20-24", 40: "35-39", 60: "60-64"}))
    assert len(model.poststratify(cells).labels) == 14


SAMPLE, FRAME = tables()


@pytest.mark.parametrize(
    ("sample", "formula", "said"),
    [
        (SAMPLE.assign(ill=2), FORMULA, "ill is not 0 or 1"),
        (SAMPLE.assign(ill="yes"), FORMULA, "ill is not a finite number in 240 rows of the sample"),
        (SAMPLE.assign(ill=np.where(SAMPLE.index < 3, np.nan, 1)), FORMULA, "empty cells.*ill: 3 of 240 rows"),
        (SAMPLE.assign(sex=None), FORMULA, "empty cells.*sex: 240 of 240 rows"),
        (SAMPLE.drop(columns="sex"), FORMULA, "columns of the formula are not in the sample.*sex"),
        (SAMPLE.assign(x=np.inf), "ill ~ x + (1 | town)", "x is not a finite number"),
        (SAMPLE[:0], FORMULA, "the sample has no rows"),
        (SAMPLE.assign(town="A"), FORMULA, "one level in the sample.*town"),
        (SAMPLE.assign(n=0), "ill / n ~ (1 | town)", "exceed their size"),
        (SAMPLE.assign(ill=0, n=0), "ill / n ~ (1 | town)", "nobody was asked"),
        (SAMPLE, "ill ~ sex", "no .1 | area."),
        (SAMPLE, "ill ~ sex + sex + (1 | town)", "twice.*sex"),
        (SAMPLE, "ill ~ sex + ill + (1 | town)", "its outcome as a term"),
        (SAMPLE, "ill ~ sex * age + (1 | town)", "no term of a formula"),
        (SAMPLE, Spec(FORMULA, area="sex"), "no .1 | sex."),
        (SAMPLE, Spec(FORMULA, weights="w"), "not in the sample.*w"),
        (SAMPLE.assign(w=0.0), Spec(FORMULA, weights="w"), "a weight is not positive"),
        (SAMPLE.assign(age=20), FORMULA, "two levels or more"),
        (SAMPLE.assign(age=SAMPLE["age"].map({20: "low", 40: "mid", 60: "high"})), FORMULA, "no order.*high; low; mid"),
        (pd.concat([SAMPLE, SAMPLE["sex"]], axis=1), FORMULA, "two columns of one name.*sex"),
    ],
)
def test_a_sample_that_will_not_do_is_told(sample, formula, said):
    with pytest.raises(HnaError, match=f"(?s){said}"):
        fit(sample, formula, **QUICK)


def test_levels_of_a_walk_are_in_order():
    words = {20: "low", 40: "mid", 60: "high"}
    said = pd.CategoricalDtype(["none", "low", "mid", "high"], ordered=True)
    for table, expected in (
        (
            SAMPLE.assign(age=SAMPLE["age"].map({20: "under 40", 40: "40-59", 60: "age-60"})),
            ("under 40", "40-59", "age-60"),
        ),
        (SAMPLE.assign(age=SAMPLE["age"].map(words).astype(said)), ("low", "mid", "high")),
        (SAMPLE.assign(age=SAMPLE["age"].map({20: "<5", 40: "5-9", 60: "10+"})), ("<5", "5-9", "10+")),
    ):
        assert prepare(table, FORMULA).coding.levels["age"] == expected


@pytest.mark.parametrize("options", [{"method": "mcmc"}, {"draws": 0}])
def test_a_way_of_fitting_that_is_none_is_told(options):
    with pytest.raises(HnaError, match=f"{options.get('method', 'draws is 0')}"):
        fit(SAMPLE, FORMULA, **QUICK | options)


@pytest.fixture(scope="module")
def model():
    return fit(SAMPLE, FORMULA, **QUICK)


@pytest.mark.parametrize(
    ("frame", "options", "said"),
    [
        (FRAME.drop(columns="sex"), {}, "not in the frame.*sex"),
        (FRAME.assign(age=FRAME["age"] + 1), {}, "nobody at some levels of age.*61"),
        (FRAME.assign(age=FRAME["age"] - 1), {}, "nobody at some levels of age.*19"),
        (FRAME.assign(age="all"), {}, "nobody at some levels of age.*all"),
        (FRAME.assign(sex=FRAME["sex"].str.upper()), {}, "levels of sex are written differently.*F .sample: f."),
        (FRAME.assign(town=FRAME["town"].map("{:03d}".format)), {}, "levels of town are written differently"),
        (FRAME.assign(people=-1), {}, "people are negative"),
        (FRAME.assign(people=0), {}, "there are none"),
        (FRAME.assign(people=np.nan), {}, "empty cells.*people"),
        (FRAME.rename(columns={"people": "N"}), {}, "no column people.*people='N'"),
        (FRAME.rename(columns={"people": "weight"}), {}, "no column people.*people='weight'"),
        (FRAME, {"people": "adults"}, "no column adults"),
        (FRAME, {"by": "county"}, "not in the frame.*county"),
        (FRAME[:0], {}, "no rows"),
    ],
)
def test_a_frame_that_will_not_do_is_told(model, frame, options, said):
    with pytest.raises(SourceError, match=f"(?s){said}"):
        model.poststratify(frame, **options)


def test_names_between_back_ticks_and_crossed():
    found = Formula.read("`is ill` / `n asked` ~ `a + b` + C(code.2) + (1 | `x y` : z) + rw( age )")
    assert (found.cases, found.size) == ("is ill", "n asked")
    assert (found.plain, found.categories) == (("a + b", "code.2"), ("code.2",))
    assert (found.groups, found.walks) == (("x y:z",), ("age",))
    table = pd.DataFrame({"x y": [1.0, 2.0], "z": ["a", "b"]})
    assert labels(table, "x y:z").tolist() == ["1:a", "2:b"]


def test_laplace_insisted_on_is_refused_where_it_may_not_be_trusted(monkeypatch):
    monkeypatch.setattr("hna.model.laplace.rules", lambda: replace(rules(), khat_below=-1.0))
    with pytest.raises(ModelError) as told:
        fit(SAMPLE, FORMULA, method="laplace", **QUICK)
    assert told.value.codes == ("R392",)
