"""Streamed need is need: the same draws, the same limits, alone or among all, and groups add up in every draw."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from hna.answers import realised, rows, stream
from hna.answers.blocks import Carrier
from hna.answers.expansion import REACH, TOLERANCE, Course, expansion
from hna.answers.need import blocks, need
from hna.answers.nest import Grouping, Nest
from hna.answers.stream import summarise
from hna.errors import AxisError, ModelError, QuantityError
from hna.measure.areas import Area
from hna.model.rates import Rates
from hna.run import Request, assess

MODELS = ("dementia", "hypertension", "adhd", "alcohol-dependence", "young-onset-dementia", "perinatal-depression")
WORST = 1e-9


def _grouping(of, name):
    count = int(of.max()) + 1
    return Grouping(tuple(Area(f"{name}{n}", f"{name} {n}") for n in range(count)), np.arange(len(of)), of)


@pytest.mark.parametrize("size", [1700, 60_000])
@pytest.mark.parametrize("name", MODELS)
def test_draws_and_limits_are_those_of_need(rates_for, small_areas, name, size):
    rates, population = rates_for(name), small_areas(12, size)
    whole = need(rates, population)
    drawn = whole.draws.transpose("area", "year", "draw").values
    found = summarise(rates, population, keep_draws=True)
    np.testing.assert_allclose(found.draws[0], drawn, rtol=WORST)
    lower, upper = np.quantile(drawn, [0.025, 0.975], axis=-1)
    for told, wanted in (("lower", lower), ("upper", upper), ("mean", drawn.mean(-1)), ("sd", drawn.std(-1))):
        np.testing.assert_allclose(found.values[told][0], wanted, rtol=WORST, err_msg=told)
    np.testing.assert_allclose(found.values["estimate"][0], whole.headline.values, rtol=1e-13)


@pytest.mark.parametrize("errors", [{"transport": 0.0}, {"transport": 0.0, "staleness": 0.0}, {"transport": 0.6}])
def test_shared_rates_and_wide_errors_too(rates_for, small_areas, errors):
    rates, population = rates_for("hypertension", **errors), small_areas(10, 30_000)
    drawn = need(rates, population).draws.transpose("area", "year", "draw").values
    found = summarise(rates, population)
    np.testing.assert_allclose(found.values["lower"][0], np.quantile(drawn, 0.025, axis=-1), rtol=WORST)
    np.testing.assert_allclose(found.values["sd"][0], drawn.std(-1), rtol=1e-8)


@pytest.mark.parametrize("size", [1700, 60_000])
def test_subgroups_are_those_of_need_and_add_up(dementia, small_areas, size):
    population = small_areas(5, size)
    found = summarise(dementia, population, by=("severity", "sex", "age"))
    named = list(rows.cuts_of(dementia, ("sex", "age")))
    assert len(found.cuts) == len(named) == 4 * 3 * 7
    drawn = np.array(
        [[rows.people_drawn(dementia, block, cut) for block in blocks(dementia, population)] for cut in named]
    )
    wanted = np.quantile(drawn, [0.025, 0.975], axis=-1).reshape(2, len(named), 5, 2)
    np.testing.assert_allclose(found.values["lower"], wanted[0], rtol=WORST, atol=1e-9)
    np.testing.assert_allclose(found.values["upper"], wanted[1], rtol=WORST, atol=1e-9)
    assert [(cut.label, cut.sex, cut.age) for cut in found.cuts] == [(cut.severity, cut.sex, cut.age) for cut in named]
    estimates = found.values["estimate"]
    by_sex = [n for n, cut in enumerate(found.cuts) if cut.severity == 0 and cut.sex != "persons" and cut.age == "all"]
    np.testing.assert_allclose(estimates[by_sex].sum(axis=0), estimates[0], rtol=1e-12)


@pytest.mark.parametrize("transport", [0.0, 0.11])
def test_chunks_and_order_change_nothing(rates_for, small_areas, transport):
    rates, population = rates_for("dementia", transport=transport), small_areas(70)
    first = summarise(rates, population, chunk=64, threads=1)
    order = np.random.default_rng(1).permutation(70)
    shuffled = replace(population, areas=tuple(population.areas[n] for n in order), people=population.people[order])
    second = summarise(rates, shuffled, chunk=9, threads=3)
    alone = summarise(rates, replace(population, areas=population.areas[3:4], people=population.people[3:4]))
    for name in ("lower", "upper", "mean", "sd"):
        np.testing.assert_allclose(second.values[name][0], first.values[name][0, order], rtol=1e-11)
        np.testing.assert_allclose(alone.values[name][0, 0], first.values[name][0, 3], rtol=1e-11)


@pytest.mark.parametrize("transport", [0.0, 0.11])
@pytest.mark.parametrize("size", [1700, 60_000])
def test_groups_nest_in_every_draw(rates_for, small_areas, transport, size):
    rates, population = rates_for("dementia", transport=transport), small_areas(60, size)
    ward = np.arange(60) // 4
    levels = [
        _grouping(of, name) for of, name in ((ward, "W"), (ward // 5, "A"), (ward * 0, "E"), (np.arange(60) % 10, "D"))
    ]
    found = summarise(rates, population, groups=levels, chunk=16, keep_draws=True)
    drawn = found.draws[0]
    areas, wards, authorities, england, tenths = np.split(drawn, [60, 75, 78, 79])
    own = need(rates, population).draws.transpose("area", "year", "draw").values
    np.testing.assert_allclose(areas, own, rtol=WORST)
    np.testing.assert_allclose(wards, own.reshape(15, 4, *own.shape[1:]).sum(axis=1), rtol=WORST)
    np.testing.assert_allclose(authorities.sum(axis=0), england[0], rtol=WORST)
    np.testing.assert_allclose(wards.sum(axis=0), england[0], rtol=WORST)
    np.testing.assert_allclose(tenths.sum(axis=0), england[0], rtol=WORST)
    np.testing.assert_allclose(own.sum(axis=0), england[0], rtol=WORST)
    np.testing.assert_allclose(found.values["upper"][0], np.quantile(drawn, 0.975, axis=-1), rtol=WORST)
    np.testing.assert_allclose(
        found.values["estimate"][0, :60].sum(axis=0), found.values["estimate"][0, 78], rtol=1e-12
    )


def test_sums_over_groups_are_those_of_their_areas_however_areas_lie():
    draws = np.random.default_rng(1).gamma(5.0, 20.0, (12, 50))
    pairs = {
        "each in groups of its own": (np.arange(12), np.arange(12) // 3, 4),
        "together in one group": (np.arange(12), np.zeros(12, dtype=int), 1),
        "some in none": (np.arange(7), np.arange(7) % 2, 2),
    }
    crossed = [(np.arange(12), np.arange(12) % 4, 4), (np.arange(12), np.arange(12) // 4, 3)]
    for held in (*([pair] for pair in pairs.values()), crossed):
        part = Nest.of(held, 12, 12).part(0, 12)
        wanted = [draws[child[parent == n]].sum(axis=0) for child, parent, count in held for n in range(count)]
        np.testing.assert_allclose(part.sums(draws, 2.0**-40), wanted, rtol=1e-12)
        np.testing.assert_array_equal(part.sums(draws, 2.0**-10) % 2.0**-10, 0.0)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_years_side_by_side_are_those_one_after_another(rates_for, small_areas, threads, monkeypatch):
    rates, population = rates_for("dementia"), small_areas(40, years=tuple(range(2020, 2046)))
    wanted = summarise(rates, population, chunk=8, threads=1)
    abreast, side_by_side = stream._abreast, []
    monkeypatch.setattr("hna.answers.memory.SPARE", 20_000_000)
    monkeypatch.setattr(stream, "_abreast", lambda *given: side_by_side.append(1) or abreast(*given))
    found = summarise(rates, population, chunk=8, threads=threads)
    assert side_by_side
    for name, values in wanted.values.items():
        np.testing.assert_array_equal(found.values[name], values, err_msg=name)


def test_what_goes_wrong_in_one_chunk_is_told_and_stops_the_others(rates_for, small_areas, monkeypatch):
    rates, population = rates_for("dementia"), small_areas(40, years=tuple(range(2020, 2046)))
    monkeypatch.setattr("hna.answers.memory.SPARE", 20_000_000)
    begun = []

    def wrong(running):
        begun.append(running)
        raise MemoryError("no room")

    monkeypatch.setattr(stream, "advance", wrong)
    with pytest.raises(MemoryError, match="no room"):
        summarise(rates, population, chunk=8, threads=2)
    assert len(begun) <= 2


def test_an_area_in_several_groups_and_in_none(dementia, small_areas):
    population = small_areas(6, 60_000)
    held_by = {"L00000": ["X", "Y"], "L00001": ["X"], "L00005": ["Y"]}
    group = Grouping.of(population.areas, held_by, {"X": "Ex"})
    found = summarise(dementia, population, groups=[group], chunk=2, keep_draws=True)
    assert [str(place) for place in found.places[6:]] == ["Ex (X)", "Y (Y)"]
    np.testing.assert_allclose(found.draws[0][6], found.draws[0][0] + found.draws[0][1], rtol=WORST)
    np.testing.assert_allclose(found.draws[0][7], found.draws[0][0] + found.draws[0][5], rtol=WORST)
    twice = Grouping(group.areas, np.array([0, 0]), np.array([1, 1]))
    with pytest.raises(AxisError, match="in the same group twice"):
        summarise(dementia, population, groups=[twice])


def test_small_areas_that_share_an_authoritys_error_add_up_to_it(dementia, small_areas):
    population = small_areas(8, 60_000)
    above = replace(population, areas=(Area("A0", "Authority"),), people=population.people.sum(axis=0, keepdims=True))
    group = _grouping(np.zeros(8, dtype=int), "A")
    found = summarise(
        dementia, population, groups=[group], errors_of={area.code: "A0" for area in population.areas}, keep_draws=True
    )
    np.testing.assert_allclose(found.draws[0][8], need(dementia, above).draws.values[0], rtol=WORST)


def test_independent_areas_would_make_the_nation_too_sure(dementia, small_areas):
    population = small_areas(60, 60_000)
    found = summarise(dementia, population, groups=[_grouping(np.zeros(60, dtype=int), "E")])
    together, apart = found.values["sd"][0, 60, 0], np.sqrt((found.values["sd"][0, :60, 0] ** 2).sum())
    assert together > 4 * apart


class _Local(Rates):
    """Rates that differ between areas by more than their transport error."""

    def at(self, area, year, terms=("study", "staleness", "transport")):
        found = super().at(area, year, terms)
        return found[..., ::-1] if area.endswith("1") else found


@pytest.mark.parametrize("transport", [0.0, 0.11])
def test_areas_with_rates_of_their_own_are_asked_one_by_one(rates_for, small_areas, transport):
    plain = rates_for("dementia", transport=transport)
    local = _Local(**vars(plain))
    population = small_areas(6, 60_000)
    own = np.stack([
        (local.at(area.code, 2023)[0] * people[0][None].reshape(2, -1, 1)).sum(axis=(0, 1))
        for area, people in zip(population.areas, population.on(local.sexes, local.ages).people, strict=True)
    ])  # fmt: skip
    found = summarise(local, population, keep_draws=True)
    np.testing.assert_allclose(found.draws[0][:, 0], own, rtol=WORST)


@pytest.mark.parametrize(("what", "remedy"), [({"keep_draws": True}, "without draws"), ({}, "fewer")])
def test_what_would_not_fit_is_refused_before_it_starts(dementia, small_areas, what, remedy, monkeypatch):
    monkeypatch.setattr(Carrier, "errors", lambda *_: pytest.fail("it started"))
    monkeypatch.setattr(Carrier, "check", lambda *_: None)
    allowed = 20_000_000 if what else 1_000_000
    with pytest.raises(QuantityError, match=r"MB (of memory, and|are allowed)") as raised:
        summarise(dementia, small_areas(4000), memory=allowed, **what)
    assert remedy in str(raised.value)
    assert "memory=" in str(raised.value)


def test_memory_does_not_grow_with_the_draws_of_all_areas(dementia, small_areas):
    peaks = {}
    for count in (300, 1200):
        population = small_areas(count, years=(2023,))
        summarise(dementia, population, chunk=64, threads=1)
        tracemalloc.start()
        summarise(dementia, population, chunk=64, threads=1)
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    draws = 900 * dementia.size * 8
    assert peaks[1200] - peaks[300] < draws / 4


def test_draws_that_would_not_fit_are_refused_before_anything_is_read():
    with pytest.raises(QuantityError, match=r"50,000,000 draws of .* GB are allowed.* Ask for [\d,]+ draws or fewer"):
        assess(Request(("dementia",), draws=50_000_000))


def test_an_unknown_subgroup_is_refused(dementia, small_areas):
    with pytest.raises(AxisError, match="Use severity, sex, age"):
        summarise(dementia, small_areas(2), by=("ward",))


def test_errors_too_wide_to_keep_the_mean_are_refused(rates_for, small_areas):
    with pytest.raises(ModelError, match="do not have the estimate as their mean"):
        summarise(rates_for("dementia", 2000, transport=2.5), small_areas(3, 60_000))


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("most", [0.02, 0.3, 0.9])
def test_the_expansion_is_within_its_bound_of_the_direct_sum(sigma, most):
    low, high = np.floor(np.log(1e-4)), np.log(most / (1 - most))
    found = expansion(sigma, float(low), float(high))
    assert found is not None
    generator = np.random.default_rng(2)
    eta = generator.uniform(low, high, 300)
    h = generator.uniform(-REACH * sigma, REACH * sigma, 300)
    truth = 1 / (1 + np.exp(-eta[:, None] - h))
    assert np.abs(found.values(eta, h) / truth - 1).max() <= 1.05 * TOLERANCE


@pytest.mark.parametrize("mean", [0.05, 0.5, 2.0, 3.9, 4.0, 7.0, 30.0, 400.0])
@pytest.mark.parametrize("size", [800.0, 6000.0])
def test_whole_people_have_the_mean_and_spread_of_the_binomial(mean, size):
    points = (np.arange(100_000) + 0.5) / 100_000
    scores = realised.Scores(ndtri(points)[None])
    found = realised.whole_people(np.full((1, 100_000), mean), np.array([size]), scores)[0]
    assert ((found == np.floor(found)) & (found >= 0) & (found <= size)).all()
    assert found.mean() == pytest.approx(mean, rel=1e-3)
    assert found.std() == pytest.approx(np.sqrt(mean * (1 - mean / size)), rel=5e-3)


def test_whole_people_may_take_the_place_of_those_expected():
    expected = np.linspace([0.1, 2.0, 40.0, 790.0], [0.3, 6.0, 60.0, 800.0], 5000).T.copy()
    size, scores = np.full(4, 800.0), realised.Scores(np.random.default_rng(1).standard_normal((4, 5000)))
    wanted = realised.whole_people(expected.copy(), size, scores)
    assert realised.whole_people(expected, size, scores, out=expected) is expected
    np.testing.assert_array_equal(expected, wanted)


def test_more_expected_people_are_never_fewer_people_there(rates_for, small_areas):
    rates = rates_for("young-onset-dementia")
    population = small_areas(4)
    more = replace(population, people=population.people * 1.2)
    drawn = [summarise(rates, people, keep_draws=True).draws[0] for people in (population, more)]
    assert (drawn[1] >= drawn[0]).mean() > 0.999


def test_inversion_in_need_is_inversion_in_the_stream(rates_for, small_areas):
    rates, population = rates_for("young-onset-dementia"), small_areas(6)
    drawn = need(rates, population).draws.transpose("area", "year", "draw").values
    np.testing.assert_array_equal(summarise(rates, population, keep_draws=True).draws[0], drawn)


@pytest.mark.parametrize("name", ["dementia", "hypertension", "adhd", "diabetes"])
@pytest.mark.parametrize("years", [tuple(range(2020, 2046)), tuple(range(2004, 2020)), (2023, 2035)])
def test_a_rate_in_any_year_is_the_rate_asked_for(rates_for, name, years):
    rates = rates_for(name)
    course = Course(rates, years)
    for year in years[::3]:
        wanted = rates.at("", year, terms=("study", "staleness"))
        np.testing.assert_allclose(course.at(year), wanted.reshape(len(wanted), -1, rates.size), rtol=1e-11)
