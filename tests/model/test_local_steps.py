"""Rates brought to a known total: what is held, what stays, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from hna.answers.need import need
from hna.answers.sensitivity import sensitivity
from hna.answers.waterfall import waterfall
from hna.errors import HnaError
from hna.evidence.population import areas_and_years, read_population
from hna.model.local_steps import move, shifts
from hna.model.local_total import Total
from hna.model.rates import make_rates
from tests.model.test_local_part import FIFTHS, SOURCE, STEP, model, workspace

ENGLAND, HALTON = "E92000001", "E06000006"
HELD = {"method": "benchmark", "source": "total", "benchmark": "england", "because": "a test"}
HEAD = "sex,age_from,age_to,cases,sample"
WHOLE = ["persons,16,,3000,10000"]


def with_total(folder, rows=WHOLE, head=HEAD, given="counts", **changed):
    shelf = workspace(folder)
    place = folder / "prevalence_sources" / "total"
    place.mkdir()
    record = SOURCE.format(name="total", given=given)
    for old, new in changed.items():
        record = record.replace(
            *{"definition": ("30 or more", new), "measure": ("measure: point", f"measure: {new}")}[old]
        )
    (place / "source.yaml").write_text(record)
    (place / "table.csv").write_text("\n".join([head, *rows]) + "\n")
    return shelf


def count(folder, base="resident", kind="people-point"):
    place = folder / "data" / "known" / "everybody"
    place.mkdir(parents=True)
    (place / "source.yaml").write_text(
        f"id: everybody\nkind: known\nservice: a census\ncondition: obesity\ncase_definition: measured\ncount_kind: {kind}\n"
        f"base: {base}\nreference_date: 2020-06-30\ndisclosure: null\nduplicates: none\ncovers: all\n"
        "citation: {authors: A, year: 2022, title: T, container: J, locator: null, doi: null, url: null, licence: none}\n"
        "read_from: primary table\n"
    )
    (place / "table.csv").write_text(
        f"area_code,area_name,year,sex,age_from,age_to,count\n{ENGLAND},England,2020,persons,16,,14000000\n"
    )


def made_up(cells, levels, draws, seed):
    random = np.random.default_rng(seed)
    rates = expit(random.normal(-1.5, 1, (cells, levels, draws)))
    return rates, random.uniform(10, 1000, (cells, levels)), random


@given(st.integers(1, 5), st.integers(1, 4), st.floats(0.3, 2.0), st.integers(0, 2**32 - 1), st.booleans())
def test_the_total_holds_in_every_draw_and_twice_is_once(cells, levels, times, seed, odds):
    scale = "odds" if odds else "proportional"
    rates, people, random = made_up(cells, levels, 30, seed)
    split = np.arange(cells) % 2 == 0
    groups = tuple(rows for rows in (np.flatnonzero(split), np.flatnonzero(~split)) if len(rows))
    now = np.stack([(rates[rows] * people[rows][..., None]).sum(axis=(0, 1)) for rows in groups])
    most = np.array([people[rows].sum() for rows in groups])[:, None]
    top = np.stack([rates[rows].max(axis=(0, 1)) for rows in groups])
    drawn = np.minimum(now * times * random.uniform(0.9, 1.1, now.shape), 0.9 * np.minimum(most, now / top))
    total = Total("X", 2020, groups, people.sum(axis=1), drawn.mean(axis=1), drawn, (), (), ())
    lean = np.zeros((cells, levels))
    found = move(rates, lean, shifts(rates, lean, people, total, scale), total, scale)
    for rows, target in zip(groups, drawn, strict=True):
        np.testing.assert_allclose((found[rows] * people[rows][..., None]).sum(axis=(0, 1)), target, rtol=1e-9)
    again = move(found, lean, shifts(found, lean, people, total, scale), total, scale)
    np.testing.assert_allclose(again, found, rtol=1e-9)
    order = np.argsort(rates[groups[0]].reshape(-1, 30), axis=0)
    assert np.array_equal(order, np.argsort(found[groups[0]].reshape(-1, 30), axis=0)), "who has more keeps more"


@pytest.mark.parametrize(("scale", "before"), [("odds", [STEP]), ("proportional", [])])
def test_areas_add_up_to_the_total_in_every_draw(tmp_path, scale, before):
    shelf = with_total(tmp_path)
    rates = make_rates(model(*before, HELD | {"scale": scale}), shelf, 100, 3)
    codes = [area.code for area in areas_and_years(shelf, "ons-mye-2020")[0].areas]
    lower = [code for code in codes if code[:3] in ("E06", "E07", "E08", "E09")]
    people = read_population(shelf, "ons-mye-2020", lower).on(rates.sexes, rates.ages).people[:, 0]
    total = rates.local.total.drawn.sum(axis=0)
    for terms in ((), ("study", "staleness")):
        held = sum(
            (rates.at(code, 2020, terms)[0] * here[..., None]).sum((0, 1))
            for code, here in zip(lower, people, strict=True)
        )
        assert np.abs(held / total - 1).max() < 1e-9
    england = need(rates, read_population(shelf, "ons-mye-2020", [ENGLAND]))
    assert np.abs(england.draws.values.ravel() / total - 1).max() < 1e-9, "with every error, and none of its own"
    assert england.headline.item() == pytest.approx(0.3 * people.sum(), rel=1e-9)
    drawn, point = rates.at(HALTON, 2026)[0], rates.mean(HALTON)[0]
    assert np.abs(drawn.mean(axis=-1) / point - 1).max() < 0.03
    assert rates.mean(HALTON).mean() > (1.05 if before else 0.99) * rates.mean(ENGLAND).mean()


def test_only_the_level_moves_and_a_total_held_already_changes_nothing(tmp_path):
    plain = make_rates(model(), workspace(tmp_path / "plain"), 500, 3)
    people = (
        read_population(with_total(tmp_path / "a"), "ons-mye-2020", [ENGLAND]).on(plain.sexes, plain.ages).people[0, 0]
    )
    now = float((plain.mean()[0] * people).sum() / people.sum())
    rows = [f"persons,16,,{round(now * 1e9)},1000000000"]
    rates = make_rates(model(HELD | {"study": 0}), with_total(tmp_path / "b", rows), 500, 3)
    assert np.abs(rates.mean(HALTON) / plain.mean() - 1).max() < 1e-8
    moved = make_rates(model(HELD), with_total(tmp_path / "c"), 500, 3)
    odds = [rate / (1 - rate) for rate in (moved.mean(HALTON), plain.mean())]
    assert np.ptp(odds[0] / odds[1]) < 1e-9


def test_each_sex_may_have_its_own_total(tmp_path):
    shelf = with_total(tmp_path, ["female,16,,3500,10000", "male,16,,2500,10000"])
    rates = make_rates(model(HELD | {"study": 0}), shelf, 300, 3)
    people = read_population(shelf, "ons-mye-2020", [ENGLAND]).on(rates.sexes, rates.ages).people[0, 0]
    by_sex = (rates.mean(ENGLAND)[0] * people).sum(axis=1) / people.sum(axis=1)
    np.testing.assert_allclose(by_sex, [0.35, 0.25], rtol=1e-9)


def test_the_interval_is_that_of_the_total(tmp_path):
    rows, head = ["persons,16,,30.0,28.0,32.0"], "sex,age_from,age_to,estimate,lower,upper"
    shelf = with_total(tmp_path, rows, head, "interval, level: 0.95")
    rates = make_rates(model(HELD | {"study": 0}), shelf, 4000, 3)
    people = read_population(shelf, "ons-mye-2020", [ENGLAND])
    share = need(rates, people).draws.values.ravel() / people.on(rates.sexes, rates.ages).people.sum()
    np.testing.assert_allclose(np.quantile(share, [0.025, 0.975]), [0.28, 0.32], atol=0.001)
    assert "W421" not in rates.flags


@pytest.mark.parametrize(("names", "shared"), [(("gb-2020", "gb-2020"), 1.0), (("gb-2020", None), 0.0)])
def test_a_total_of_the_same_survey_shares_its_study_error(tmp_path, names, shared):
    """The rate of one need and the total of another, read from two tables of one survey: one error, draw by draw."""
    shelf = with_total(tmp_path, ["persons,16,,300000000,1000000000"])
    errors = {"study": 0.2, "transport": 0, "staleness": 0, "because": "test"}
    rate = model(HELD | {"study": 0.3, "survey": names[1]}, errors=errors)
    rate = rate.model_copy(
        update={"prevalence": rate.prevalence.model_copy(
            update={"sources": [rate.prevalence.sources[0].model_copy(update={"study": names[0]})]}
        )}
    )  # fmt: skip
    rates = make_rates(rate, shelf, 2000, 3)
    england = need(rates, read_population(shelf, "ons-mye-2020", [ENGLAND])).draws.values.ravel()
    share = england / rates.local.total.people.sum()
    bare = make_rates(rate.model_copy(update={"local": []}), shelf, 2000, 3)
    moved, plain = (logit(bare.at("", 2020, terms)[0][0, 0]) for terms in (("study",), ()))
    assert np.corrcoef(logit(share), moved - plain)[0, 1] == pytest.approx(shared, abs=0.005 if shared else 0.06)
    assert logit(share).std() == pytest.approx(0.3, rel=0.02)
    assert any("of one survey with it (gb-2020)" in note for note in rates.notes) is bool(shared)


def test_a_count_may_have_an_error_of_its_own(tmp_path):
    shelf = with_total(tmp_path)
    count(tmp_path)
    counted = HELD | {"source": "everybody", "same_definition": "measured by the same instrument in everybody"}
    rates = make_rates(model(counted | {"study": 0.1}), shelf, 2000, 3)
    assert "W421" not in rates.flags
    england = need(rates, read_population(shelf, "ons-mye-2020", [ENGLAND]))
    share = england.draws.values.ravel() / rates.local.total.people.sum()
    assert logit(share).std() == pytest.approx(0.1, rel=0.02)
    assert england.headline.item() == pytest.approx(14_000_000, rel=1e-6)
    assert any("people in England in 2020" in note for note in rates.notes)


def test_the_analysts_own_people_are_used_before_those_shipped(tmp_path):
    shelf = with_total(tmp_path)
    place = tmp_path / "data" / "population" / "people"
    place.mkdir(parents=True)
    (place / "source.yaml").write_text(
        "id: people\nkind: population\nbase: resident\nbasis: estimate\nread_from: primary table\n"
        "citation: {authors: A, year: 2022, title: T, container: J, locator: null, doi: null, url: null, licence: none}\n"
    )
    rows = [
        f"{ENGLAND},England,2022,{sex},{ages},5000" for sex in ("female", "male") for ages in ("0,15", "16,44", "45,")
    ]
    (place / "table.csv").write_text("\n".join(["area_code,area_name,year,sex,age_from,age_to,persons", *rows]) + "\n")
    assert make_rates(model(HELD), shelf, 20, 3).local.total.people.tolist() == [5000.0] * 4
    named = make_rates(model(HELD | {"population": "ons-mye-2020"}), shelf, 20, 3)
    assert named.local.total.people.sum() > 40_000_000


def test_a_total_without_error_is_said_to_be(tmp_path):
    shelf = with_total(tmp_path, ["persons,16,,30.0"], "sex,age_from,age_to,estimate", "none")
    rates = make_rates(model(HELD | {"study": 0}), shelf, 200, 3)
    assert "W421" in rates.flags
    assert any("printed without error" in note for note in rates.notes)
    count(tmp_path)
    counted = HELD | {"source": "everybody", "same_definition": "measured by the same instrument in everybody"}
    rates = make_rates(model(counted), shelf, 200, 3)
    assert "W421" in rates.flags
    england = need(rates, read_population(shelf, "ons-mye-2020", [ENGLAND]))
    np.testing.assert_allclose(england.draws, 14_000_000, rtol=1e-9)


@pytest.mark.parametrize(
    ("steps", "staleness"), [([STEP], 0.02), ([HELD], 0.02), ([STEP, HELD], 0.02), ([STEP, HELD], 0.0)]
)
def test_the_waterfall_and_the_exact_shares_agree(tmp_path, steps, staleness):
    shelf = with_total(tmp_path, ["persons,16,,300,1000"])
    errors = {"study": 0.1, "transport": 0.1, "staleness": staleness, "because": "test"}
    rates = make_rates(model(*steps, errors=errors), shelf, 2000, 3)
    people = read_population(shelf, "ons-mye-2023", [HALTON])
    ours = {step.step: step.share for step in waterfall(rates, people, 0.95)}
    exact = sensitivity(rates, shelf, people, HALTON, 2023, realised=False)
    shares = dict(zip(exact.table.group, exact.table.share, strict=True))
    first = dict(zip(exact.table.group, exact.table["first"], strict=True))
    assert set(ours) - set(shares) == ({"staleness"} if staleness == 0 else set())
    for step, share in ours.items():
        if step not in shares:
            assert share == 0
            continue
        assert shares[step] == pytest.approx(share, abs=0.03), step
        assert first[step] == pytest.approx(share, abs=0.07), step
    drawn = need(rates, people).draws.values.ravel()
    assert [exact.lower, exact.upper] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=1e-6)
    assert exact.estimate == pytest.approx(need(rates, people).headline.item(), rel=1e-3)
    if HELD in steps:
        assert shares["study"] < 0.001, "the level is the total's"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([HELD, HELD], "R411"),
        ([HELD, STEP], "benchmark last"),
        ([HELD | {"source": "rate"}], "R411"),
        ([HELD | {"benchmark": "X99"}], "R423"),
        ([HELD | {"source": "nowhere"}], "nowhere"),
        ([HELD | {"source": "ratio"}], "further"),
        ([HELD | {"source": "everybody"}], "R301"),
    ],
)
def test_what_is_refused(tmp_path, steps, words):
    shelf = with_total(tmp_path)
    count(tmp_path)
    with pytest.raises(HnaError, match=words):
        make_rates(model(*steps), shelf, 50)


@pytest.mark.parametrize(
    ("rows", "changed", "words"),
    [
        (["persons,0,,3000,10000"], {}, "R201"),
        (["persons,16,44,3000,10000"], {}, "R201"),
        (["persons,16,,5000,10000", "female,16,,3000,10000", "male,16,,3000,10000"], {}, "R422"),
        (WHOLE, {"definition": "28 or more"}, "R301"),
        (WHOLE, {"measure": "lifetime"}, "R301"),
    ],
)
def test_totals_of_something_else_are_refused(tmp_path, rows, changed, words):
    with pytest.raises(HnaError, match=words):
        make_rates(model(HELD), with_total(tmp_path, rows, **changed), 50)


def test_counts_that_are_no_total_are_refused(tmp_path):
    counted = HELD | {"source": "everybody", "same_definition": "measured by the same instrument in everybody"}
    for n, (base, kind, words) in enumerate((("registered", "people-point", "R301"), ("resident", "episodes", "R604"))):
        shelf = with_total(tmp_path / str(n))
        count(tmp_path / str(n), base, kind)
        with pytest.raises(HnaError, match=words):
            make_rates(model(counted), shelf, 50)
    shelf = with_total(tmp_path / "there")
    count(tmp_path / "there")
    with pytest.raises(HnaError, match="no count for"):
        make_rates(model(counted | {"benchmark": HALTON}), shelf, 50)


def test_a_factor_above_one_is_refused():
    rates, people, _ = made_up(2, 1, 5, 1)
    total = Total(
        "X",
        2020,
        (np.arange(2),),
        people[:, 0],
        people.sum(keepdims=True)[0],
        np.full((1, 5), people.sum() * 0.99),
        (),
        (),
        (),
    )
    with pytest.raises(HnaError, match="R414"):
        move(
            rates,
            np.zeros((2, 1)),
            shifts(rates, np.zeros((2, 1)), people, total, "proportional"),
            total,
            "proportional",
        )
    with pytest.raises(HnaError, match="R422"):
        shifts(rates, np.zeros((2, 1)), people / 2, total, "odds")


def test_ratios_by_level_are_kept(tmp_path):
    assert len(FIFTHS) == 5
    before = make_rates(model(STEP), workspace(tmp_path / "a"), 50, 3)
    after = make_rates(model(STEP, HELD), with_total(tmp_path / "b"), 50, 3)
    odds = [one / (1 - one) for one in (before.local.headline, after.local.headline)]
    ratio = odds[1] / odds[0]
    assert np.ptp(ratio) / ratio.mean() < 1e-9
