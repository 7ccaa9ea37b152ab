"""Multilevel regression and poststratification: against a population that is known, and against what it must refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from hna.errors import HnaError, ModelError, SourceError
from hna.model.fit_store import keep, recall
from hna.model.laplace import Problem, pareto_khat, solve
from hna.model.survey import Spec, fit
from hna.model.survey_cells import cells
from hna.model.survey_formula import Formula, random_walk

FORMULA = "ill ~ sex + rw(age) + (1 | region) + (1 | area)"
LIKED = pd.CategoricalDtype(["65+", "16-29", "30-44", "45-64"], ordered=True)


def people(seed: int = 2, areas: int = 40, asked: int = 500):
    """A population by area, sex and age with known rates, and a survey of it that misses the last four areas."""
    rng = np.random.default_rng(seed)
    frame = pd.MultiIndex.from_product(
        [[f"A{n:02d}" for n in range(areas)], ["female", "male"], ["16-29", "30-44", "45-64", "65+"]],
        names=["area", "sex", "age"],
    ).to_frame(index=False)
    where = frame["area"].str[1:].astype(int).to_numpy()
    frame["region"] = np.array(["N", "S", "E", "W", "M"])[where % 5]
    frame["people"] = rng.integers(200, 3000, len(frame))
    effect = rng.normal(0, 0.5, areas)[where] + rng.normal(0, 0.3, 5)[where % 5]
    age = frame["age"].map({"16-29": -0.6, "30-44": 0.0, "45-64": 0.4, "65+": 0.9}).to_numpy()
    frame["rate"] = expit(-1.8 + 0.3 * (frame["sex"] == "female") + age + effect)
    inside = np.flatnonzero(where < areas - 4)
    chance = frame["people"].to_numpy(dtype=float)[inside]
    drawn = rng.choice(inside, asked, p=chance / chance.sum())
    sample = frame.iloc[drawn][["area", "region", "sex", "age"]].reset_index(drop=True)
    sample["ill"] = (rng.random(asked) < frame["rate"].to_numpy()[drawn]).astype(int)
    truth = (frame["rate"] * frame["people"]).groupby(frame["area"]).sum() / frame.groupby("area")["people"].sum()
    return sample, frame.drop(columns="rate"), truth


@pytest.fixture(scope="module")
def fitted():
    sample, frame, truth = people()
    return fit(sample, FORMULA, seed=1), frame, truth


def test_areas_are_recovered(fitted):
    model, frame, truth = fitted
    assert model.engine == "laplace"
    assert model.posterior.khat < 0.7
    found = model.poststratify(frame, realised=False)
    table = found.table().set_index("area")
    sampled = table["sample"] > 0
    error, direct = (table["estimate"] - truth).abs(), (table["direct"] - truth).abs()
    assert error[sampled].mean() < 0.7 * direct[sampled].mean()
    inside = (table["lower"] <= truth) & (truth <= table["upper"])
    assert inside.mean() >= 0.9
    assert (~sampled).sum() == 4
    assert inside[~sampled].all()
    width = table["upper"] - table["lower"]
    assert width[~sampled].min() > width[sampled].median()
    assert (table.loc[~sampled, "own_data"] == 0).all()
    assert table.loc[sampled, "own_data"].between(0, 1).all()
    assert found.table()["people"].sum() == frame["people"].sum()


def test_anything_in_the_frame_can_be_asked_for(fitted):
    model, frame, _ = fitted
    by = model.poststratify(frame, by="sex", realised=False)
    assert by.labels == ("female", "male")
    areas = model.poststratify(frame, realised=False)
    assert by.total() == pytest.approx(areas.total(), rel=1e-9)
    crossed = model.poststratify(frame, by=["sex", "age"], realised=False)
    assert len(crossed.labels) == 8
    known = np.full(crossed.draws.shape[1], 0.25)
    assert areas.benchmarked(known).total() == pytest.approx(known, rel=1e-9)


def test_who_is_there_adds_chance_where_few_live(fitted):
    model, frame, _ = fitted
    few = frame[frame["area"] > "A35"].assign(people=frame["people"] / 100)  # where nobody was asked
    wide, narrow = (model.poststratify(few, realised=flag).draws.std(axis=1) for flag in (True, False))
    assert (wide > narrow).all()
    many = frame.assign(people=frame["people"] * 1000)
    wide, narrow = (model.poststratify(many, realised=flag).draws.std(axis=1) for flag in (True, False))
    assert wide == pytest.approx(narrow, rel=0.01)


def one_of(frame: pd.DataFrame, area: str) -> pd.DataFrame:
    return frame[frame["area"] == area]


def test_whole_people_are_there_and_perhaps_nobody(fitted):
    """A place of few people where the need is rare most often has nobody: its interval begins at nothing, not above it."""
    model, frame, _ = fitted
    few = frame.assign(people=np.where(frame["age"] == "65+", 2, 4))
    found, rate = (model.poststratify(few, realised=flag) for flag in (True, False))
    people = found.draws * found.people[:, None]
    assert people == pytest.approx(np.rint(people), abs=1e-9)
    assert found.draws.mean(axis=1)[36:] == pytest.approx(rate.draws.mean(axis=1)[36:], abs=0.02)
    # Against the sum, over the cells of one place, of binomial numbers of people.
    one = few[few["area"] == "A38"]
    chance, size = model.rates(one), one["people"].to_numpy()
    counted = np.random.default_rng(1).binomial(size[:, None], chance).sum(axis=0)
    mine = people[found.labels.index("A38")]  # where nobody was asked
    assert (mine.mean(), mine.std()) == pytest.approx((counted.mean(), counted.std()), rel=0.05)
    assert (mine < 0.5).mean() == pytest.approx((counted == 0).mean(), abs=0.02)
    assert found.table()["lower"].min() == 0
    # Those who were asked have answered: no draw has fewer cases than they are, nor fewer who are none.
    cells = model.cells
    mine = (cells.table["area"] == "A03").to_numpy()
    assert cells.asked[mine].max() <= 50
    crowded = model.poststratify(one_of(frame, "A03").assign(people=50.0))
    counted = np.rint(crowded.draws[0] * crowded.people[0])
    assert counted.min() >= cells.found[mine].sum()
    assert counted.max() <= crowded.people[0] - (cells.asked - cells.found)[mine].sum()
    everybody = cells.table[mine].assign(people=cells.asked[mine])
    assert np.ptp(model.poststratify(everybody).draws) == 0
    settled = found.benchmarked(0.3)
    assert np.isfinite(settled.draws).all()
    assert settled.total() == pytest.approx(0.3)


def test_the_same_answer_again_and_from_cells(fitted):
    model, frame, _ = fitted
    sample, _, _ = people()
    again = fit(sample.sample(frac=1, random_state=2), FORMULA, seed=1)
    assert np.array_equal(again.posterior.columns, model.posterior.columns)
    counted = sample.groupby(["area", "region", "sex", "age"])["ill"].agg(["sum", "size"]).reset_index()
    counted = counted.rename(columns={"sum": "cases", "size": "asked"})
    other = fit(counted, FORMULA.replace("ill", "cases / asked"), seed=1)
    rate = [one.poststratify(frame, realised=False).draws.mean(axis=1) for one in (other, model)]
    assert rate[0] == pytest.approx(rate[1], abs=0.02)


def test_equal_weights_change_nothing_and_unequal_ones_cost_precision():
    sample, _, _ = people()
    formula = Formula.read(FORMULA)

    def summed(table: pd.DataFrame, weights: str = ""):
        return cells(table, formula.columns, ("ill", ""), "area", weights)

    plain = summed(sample)
    same = summed(sample.assign(w=3.0), "w")
    assert plain.effect == 1
    assert same.effect == pytest.approx(1)
    assert np.allclose(plain.cases, same.cases)
    weight = np.random.default_rng(1).uniform(0.2, 3, len(sample))
    uneven = summed(sample.assign(w=weight), "w")
    assert uneven.effect > 1.1
    where = sample["area"].to_numpy()
    for area in ("A00", "A07"):
        inside, mine = where == area, uneven.table["area"].to_numpy() == area
        w, ill = weight[inside], sample["ill"].to_numpy()[inside]
        assert uneven.size[mine].sum() == pytest.approx(w.sum() ** 2 / (w**2).sum())
        assert uneven.cases[mine].sum() / uneven.size[mine].sum() == pytest.approx((w * ill).sum() / w.sum())


def test_formulas_are_read():
    found = Formula.read("cases / n ~ 1 + sex + mean_age + rw(age) + (1 | sex:age) + (1|area)")
    assert (found.cases, found.size) == ("cases", "n")
    assert (found.plain, found.groups, found.walks) == (("sex", "mean_age"), ("sex:age", "area"), ("age",))
    for text in ("ill", "ill ~ (sex | area)", "a / b / c ~ x", "ill ~ sex * age"):
        with pytest.raises(ModelError):
            Formula.read(text)


def test_a_random_walk_is_scaled():
    basis = random_walk(7)
    assert basis.shape == (7, 6)
    assert np.exp(np.log((basis**2).sum(axis=1)).mean()) == pytest.approx(1)
    step = np.diff(basis, axis=0)
    covariance = step @ step.T
    assert np.allclose(covariance, np.eye(6) * covariance[0, 0])


def test_what_does_not_fit_is_told():
    sample, frame, _ = people(asked=300)
    for bad, formula in (
        (sample, "ill ~ wealth + (1 | area)"),
        (sample.assign(ill=2), FORMULA),
        (sample.assign(sex=None), FORMULA),
        (sample, "ill ~ sex"),
        (sample, Spec(FORMULA, area="town")),
    ):
        with pytest.raises(HnaError):
            fit(bad, formula)
    model = fit(sample, FORMULA, draws=200)
    with pytest.raises(SourceError, match="not in the frame"):
        model.poststratify(frame.drop(columns="sex"))
    with pytest.raises(SourceError, match="nobody at some levels"):
        model.poststratify(frame.assign(age="0-15"))


def test_a_stored_fit_is_used_again_and_only_for_the_same_inputs(tmp_path):
    sample, _, _ = people(asked=300)
    first = fit(sample, FORMULA, draws=200, seed=1, store=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    stamp = file.stat().st_mtime_ns
    again = fit(sample, FORMULA, draws=200, seed=1, store=tmp_path)
    assert np.array_equal(again.posterior.areas, first.posterior.areas)
    assert (again.words, file.stat().st_mtime_ns) == (first.words, stamp)
    fit(sample.assign(ill=1 - sample["ill"]), FORMULA, draws=200, seed=1, store=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    fit(sample.assign(age=sample["age"].astype(LIKED)), FORMULA, draws=200, seed=1, store=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3, "the order of a walk's levels is an input"
    file.write_bytes(b"not a fit")
    with pytest.raises(SourceError, match="cannot be read"):
        fit(sample, FORMULA, draws=200, seed=1, store=tmp_path)


def test_a_stored_fit_whose_diagnostics_fail_is_refused(tmp_path):
    sample, _, _ = people(asked=300)
    fit(sample, FORMULA, draws=200, seed=1, store=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    arrays, record = recall(tmp_path, file.stem)
    bad = {"rhat": 1.2, "bulk": 30.0, "tail": 30.0, "mcse": 0.2, "divergences": 4, "sampler": "nutpie"}
    keep(tmp_path, file.stem, arrays, record | {"diagnostics": bad})
    with pytest.raises(ModelError) as told:
        fit(sample, FORMULA, draws=200, seed=1, store=tmp_path)
    assert told.value.codes == ("R391",)


def test_pareto_khat_knows_heavy_tails():
    rng = np.random.default_rng(1)
    assert pareto_khat(rng.normal(0, 0.3, 4000))[1] < 0.5
    for shape in (0.5, 1.0):
        log = -shape * np.log(rng.random(20_000))
        assert pareto_khat(log)[1] == pytest.approx(shape, abs=0.2)


def one_area_problem() -> Problem:
    rng = np.random.default_rng(4)
    area = np.repeat(np.arange(12), 3)
    size = rng.integers(3, 30, 36).astype(float)
    cases = rng.binomial(size.astype(int), expit(-1 + 0.7 * rng.normal(size=12)[area])).astype(float)
    return Problem(
        cases,
        size,
        np.ones((36, 1)),
        np.zeros(1, dtype=np.intp),
        np.array([5.0]),
        area,
        12,
        np.array([1.0]),
        np.zeros(1),
    )


def test_laplace_agrees_with_brute_force_integration():
    """Twelve areas, one mean, one standard deviation: the posterior on a fine grid."""
    problem = one_area_problem()
    found = solve(problem, 4000, 1, "x")
    mean, log_sigma = np.linspace(-3, 1, 161), np.linspace(-5, 1.5, 131)
    z, dz = np.linspace(-7, 7, 141, retstep=True)
    cases, size = (np.bincount(problem.area, values) for values in (problem.cases, problem.size))
    log = np.empty((len(mean), len(log_sigma)))
    for j, sigma in enumerate(np.exp(log_sigma)):
        eta = mean[:, None] + sigma * z
        like = cases[:, None, None] * eta - size[:, None, None] * np.logaddexp(0, eta) - 0.5 * z**2
        top = like.max(axis=2, keepdims=True)
        inner = np.log(np.exp(like - top).sum(axis=2) * dz) + top[:, :, 0]
        log[:, j] = inner.sum(axis=0) - 0.5 * (mean / 5) ** 2 - 0.5 * sigma**2 + log_sigma[j]
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for drawn, grid, axis in ((found.columns[:, 0], mean, 1), (found.sigma[:, 0], np.exp(log_sigma), 0)):
        margin = weight.sum(axis=axis)
        centre = margin @ grid
        spread = np.sqrt(margin @ (grid - centre) ** 2)
        assert drawn.mean() == pytest.approx(centre, abs=0.06 * spread)
        assert drawn.std() == pytest.approx(spread, rel=0.06)


def test_many_areas_need_no_sampler():
    """Where one Gaussian at the joint mode has a k̂ of 1.0: its intercept lies half a standard deviation off."""
    rng = np.random.default_rng(200)
    areas = 150
    area = np.repeat(np.arange(areas), 8)
    group = np.array([0] * 4 + [1] * 4 + [2] * 4 + [3] * 6)
    levels = [rng.integers(0, size, len(area)) for size in (4, 4, 6)]
    design = np.column_stack(
        [
            np.ones(len(area)),
            rng.normal(size=(len(area), 3)),
            *(np.eye(n)[k] for n, k in zip((4, 4, 6), levels, strict=True)),
        ]
    )
    size = rng.integers(1, 9, len(area)).astype(float)
    effect = sum(rng.normal(0, 0.4, n)[k] for n, k in zip((4, 4, 6), levels, strict=True))
    chance = expit(-2.0 + effect + 0.5 * rng.normal(size=areas)[area])
    cases = rng.binomial(size.astype(int), chance).astype(float)
    scale, power = np.array([0.5, 1, 1, 1]), np.array([1.0, 0, 0, 0])
    problem = Problem(cases, size, design, group, np.full(len(group), 2.5), area, areas, scale, power)
    for name in ("a", "b", "c"):
        found = solve(problem, 1000, 1, name)
        assert found.khat < 0.5
        assert found.effective > 600


FEW = ("cash", "age_ben", "unempl_ben", "eqsize")
MORE = ("self_empl", "cap_inv", "tax_adj", "fam_allow", "rent")
"""Measures of districts: their means."""


@pytest.fixture(scope="module")
def districts(shared):
    """emdi's synthetic EU-SILC: 25,000 people of 94 districts, and a sample of 1,945 of 70 of them, with five incomes as outcomes."""
    population = pd.read_csv(shared / "microdata" / "emdi_eusilcA_pop.csv.gz")
    sample = pd.read_csv(shared / "microdata" / "emdi_eusilcA_smp.csv")
    middle = population["eqIncome"].median()
    areas = population.groupby("district")[[*FEW, *MORE]].mean().add_prefix("m_")
    yes = {True: "yes", False: "no"}

    def coded(table: pd.DataFrame) -> pd.DataFrame:
        income = table["eqIncome"] / middle
        below = {f"below_{share}": (income < share / 100).astype(int) for share in (40, 50, 60, 75, 100)}
        return table.assign(
            **below, rich=(income > 2).astype(int), works=(table["cash"] > 0).map(yes),
            unemployed=(table["unempl_ben"] > 0).map(yes),
            size=pd.cut(table["eqsize"], [0, 1, 1.5, 2, 9], labels=["1", "1.5", "2", "more"]).astype(str),
        ).join(areas, on="district")  # fmt: skip

    return coded(sample), coded(population)


def found_in(districts, outcome: str, means: tuple[str, ...] = FEW) -> tuple[pd.DataFrame, pd.Series]:
    sample, population = districts
    measures = " + ".join(f"m_{name}" for name in means)
    formula = f"{outcome} ~ gender + works + unemployed + {measures} + (1 | size) + (1 | state) + (1 | district)"
    found = fit(sample, formula, seed=1)
    assert found.engine == "laplace"
    table = found.poststratify(population).table().set_index("district")
    return table, population.groupby("district")[outcome].mean().reindex(table.index)


@pytest.mark.shared
def test_a_published_population_of_districts(districts):
    """Poverty in 94 districts against all 25,000 people."""
    table, truth = found_in(districts, "below_60")
    sampled = table["sample"] > 0
    error = (table["estimate"] - truth).abs()
    direct = (table["direct"] - truth).abs()
    assert error[sampled].mean() < 0.7 * direct[sampled].mean()
    inside = truth.between(table["lower"], table["upper"])
    assert 0.90 <= inside.mean() <= 0.98
    assert inside[~sampled].mean() >= 0.85


@pytest.mark.shared
def test_other_samples_of_the_same_districts_are_covered_as_often_as_said(districts):
    """Nine measures of districts: 93 of 94 are covered from the sample given, which is more than the level; not from others."""
    given, population = districts
    rows = {district: np.flatnonzero(population["district"] == district) for district in given["district"].unique()}
    asked = given.groupby("district").size()
    rng = np.random.default_rng(11)
    held = []
    for n in range(9):
        drawn = np.concatenate([rng.choice(rows[district], size, replace=False) for district, size in asked.items()])
        sample = population.iloc[drawn] if n else given
        table, truth = found_in((sample, population), "below_60", (*FEW, *MORE))
        sampled = table["sample"] > 0
        error, direct = ((table[name] - truth).abs()[sampled].mean() for name in ("estimate", "direct"))
        assert error < 0.7 * direct
        held.append(truth.between(table["lower"], table["upper"]).mean())
    assert min(held) >= 0.90, held
    assert 0.92 <= np.mean(held[1:]) <= 0.98, held


@pytest.mark.shared
def test_districts_where_nobody_is_a_case_are_covered(districts):
    """Of the rich there are none in 54 of 94 districts, though no rate is nothing; common outcomes as before."""
    covered = {}
    for outcome in ("rich", "below_40", "below_75", "below_100"):
        table, truth = found_in(districts, outcome)
        inside = truth.between(table["lower"], table["upper"])
        covered[outcome] = inside.mean()
        if outcome == "rich":
            assert (truth == 0).sum() == 54
            assert inside[truth == 0].mean() > 0.95
    assert min(covered.values()) >= 0.89, covered
    assert 0.92 <= np.mean([*covered.values()]) <= 0.98
