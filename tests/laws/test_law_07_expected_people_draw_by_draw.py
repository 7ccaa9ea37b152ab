"""Law 7. Expected people, draw by draw: summarised last, limits never added, distributions mean-matched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hna.answers.gap import figures, gap, leverage
from hna.answers.known_people import KnownPeople
from hna.answers.need import blocks, need
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.model.rates import make_rates

EVERYTHING = ["area", "year", "severity", "sex", "age"]
WIDE = {"study": 0.2, "transport": 0.15, "staleness": 0.01, "because": "so that every term is at work"}
STRATA = {"kind": "exclusive", "strata": ["mild", "severe"]}


@pytest.fixture
def stratified(small):
    """A study that divides cases, with two years and every error at work."""
    rows = [
        {"severity": name, "sex": sex, "age_from": low, "age_to": high, "cases": cases, "sample": 400}
        for name, scale in (("mild", 3), ("severe", 1))
        for sex in ("female", "male")
        for low, high, cases in ((65, 74, 6 * scale), (75, "", 13 * scale))
    ]
    small.prevalence("strata", rows=rows, severity=STRATA, uncertainty={"given": "counts"})
    small.model("sleeplessness", prevalence={"sources": ["strata"], "errors": WIDE})
    return small


def _needed(workspace, size=400_000, draws=300):
    workspace.population(rows=workspace.people_rows(years=(2024, 2030), size=size))
    rates = make_rates(workspace.shelf_model("sleeplessness"), workspace.shelf, draws, 1)
    return rates, read_population(workspace.shelf, "own-people")


@pytest.mark.parametrize("size", [1500, 400_000])
def test_cells_add_up_to_every_total_in_every_draw(stratified, size):
    """Strata, sexes, ages and areas; with the chance of who is there and without."""
    rates, people = _needed(stratified, size)
    cells = need(rates, people, EVERYTHING)
    for by in (["area", "year"], ["area", "year", "sex"], ["area", "year", "age"], ["year"], []):
        total = need(rates, people, by)
        whole = cells.draws.sel(severity="", drop=True)
        summed = whole.sum([dim for dim in EVERYTHING if dim not in (*by, "severity")])
        np.testing.assert_allclose(summed.transpose(*total.draws.dims), total.draws, rtol=1e-9)
    parts = cells.draws.sel(severity=["mild", "severe"]).sum("severity")
    np.testing.assert_allclose(parts, cells.draws.sel(severity="", drop=True), rtol=1e-9, atol=1e-9)
    plug = cells.headline.sel(severity=["mild", "severe"]).sum("severity")
    np.testing.assert_allclose(plug, cells.headline.sel(severity="", drop=True), rtol=1e-9)


def test_a_step_taken_by_hand_gives_the_headline(small):
    """Published rate times people, cell by cell, as on a spreadsheet."""
    rates = make_rates(small.model(), small.shelf, 10, 1)
    found = need(rates, read_population(small.shelf, "own-people"))
    printed = {(row["sex"], row["age_from"]): row["estimate"] / 100 for row in small.rates_rows()}
    for code in small.areas:
        by_hand = sum(
            row["persons"] * printed[row["sex"], 65 if row["age_from"] < 75 else 75]
            for row in small.people_rows()
            if row["area_code"] == code and row["age_from"] >= 65
        )
        assert found.headline.sel(area=code, year=2024).item() == pytest.approx(by_hand, rel=1e-12)


@settings(max_examples=10)
@given(st.integers(2, 50))
def test_c_times_the_people_give_c_times_the_need_in_every_draw(small, c):
    rates = make_rates(small.model(), small.shelf, 30, 1)
    rows = small.people_rows(size=100_000)
    small.population("once", rows=rows)
    small.population("often", rows=[row | {"persons": row["persons"] * c} for row in rows])
    once, often = (need(rates, read_population(small.shelf, name)) for name in ("once", "often"))
    np.testing.assert_allclose(often.draws, c * once.draws, rtol=1e-12)
    np.testing.assert_allclose(often.headline, c * once.headline, rtol=1e-12)


@settings(max_examples=10)
@given(st.floats(1.05, 3.0))
def test_higher_rates_never_give_less_need(small, times):
    people = read_population(small.shelf, "own-people")
    low = need(make_rates(small.model(), small.shelf, 200, 1), people)
    small.prevalence("higher", rows=small.rates_rows(scale=times))
    model = small.model("higher", prevalence={"sources": ["higher"], "errors": small.exact})
    high = need(make_rates(model, small.shelf, 200, 1), people)
    assert (high.headline >= low.headline).all()
    assert (high.draws.mean("draw") > low.draws.mean("draw")).all()


@given(st.integers(0, 5000), st.integers(1, 5000), st.integers(0, 2**32 - 1))
def test_more_known_is_a_smaller_gap_and_more_coverage_in_every_draw(known, more, seed):
    draws = np.random.default_rng(seed).gamma(30, 100, 400)
    less, most = (figures(3000.0, draws, _fixed(count, 400), 0.95, 0.667) for count in (known, known + more))
    for part in ("estimate", "lower", "upper"):
        assert getattr(most["gap"], part) < getattr(less["gap"], part)
        assert getattr(most["target_shortfall"], part) < getattr(less["target_shortfall"], part)
        assert getattr(most["coverage"], part) > getattr(less["coverage"], part)
    assert most["gap"].probability <= less["gap"].probability
    assert most["p_known_exceeds_need"].estimate >= less["p_known_exceeds_need"].estimate


def _fixed(count, draws):
    same = np.full(draws, float(count))
    return KnownPeople(float(count), same, same, (float(count), float(count)))


@given(st.floats(10, 1e5), st.floats(0, 2e5), st.integers(0, 2**32 - 1))
def test_identities_of_need_known_and_gap(need_point, known, seed):
    draws = need_point * np.random.default_rng(seed).lognormal(0, 0.3, 500)
    found = figures(need_point, draws, _fixed(known, 500), 0.95, None)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found["gap"].estimate == pytest.approx(need_point - known, abs=1e-6)
    assert found["gap"].lower == pytest.approx(low - known, abs=1e-6)
    assert found["gap"].upper == pytest.approx(high - known, abs=1e-6)
    assert found["coverage"].estimate == pytest.approx(np.median(known / draws))
    assert found["gap"].probability + found["p_known_exceeds_need"].estimate == pytest.approx(1)
    if need_point > known:
        assert leverage(need_point, known) == pytest.approx(1 / (1 - known / need_point))
    else:
        assert leverage(need_point, known) is None


def test_the_interval_of_a_total_is_not_the_sum_of_limits(small):
    rates = make_rates(small.model(), small.shelf, 4000, 1)
    small.population(rows=small.people_rows(size=400_000))
    people = read_population(small.shelf, "own-people")
    cells = need(rates, people, ["area", "year", "sex", "age"]).interval()
    total = need(rates, people).interval()
    added = cells[cells.area == "N01"][["lower", "upper"]].sum()
    whole = total[total.area == "N01"].iloc[0]
    assert whole.upper - whole.lower < 0.75 * (added.upper - added.lower)
    np.testing.assert_allclose(cells[cells.area == "N01"].estimate.sum(), whole.estimate)


def test_areas_that_share_a_rate_are_not_independent(small):
    small.population(rows=small.people_rows(size=400_000))
    rates = make_rates(small.model(), small.shelf, 4000, 1)
    people = read_population(small.shelf, "own-people")
    apart, together = need(rates, people), need(rates, people, [])
    deviation = apart.draws.isel(year=0).std("draw")
    assert together.draws.std("draw").item() == pytest.approx(float(deviation.sum()), rel=0.01)


def test_gap_and_coverage_are_formed_draw_by_draw(small):
    rates = make_rates(small.model(prevalence={"sources": ["own-study"], "errors": WIDE}), small.shelf, 500, 1)
    found = need(rates, read_population(small.shelf, "own-people"))
    formed = gap(found, read_known(small.shelf, "own-register"))
    counts = np.array([300.0, 410.0])[:, None, None]
    np.testing.assert_allclose(formed.net.draws, found.draws - counts)
    np.testing.assert_allclose(formed.coverage.draws, counts / found.draws)
    np.testing.assert_allclose(formed.to_xarray().transpose("area", "year", "draw"), found.draws - counts)


def test_no_error_in_gives_no_width_out(small):
    """Counts so large that sampling error is nothing, and no other error: the draws are the spreadsheet."""
    rows = [
        {"sex": sex, "age_from": 65, "age_to": "", "cases": cases * 10**10, "sample": 10**12}
        for sex, cases in (("female", 7), ("male", 5))
    ]
    small.prevalence("census", rows=rows, uncertainty={"given": "counts"}, decimals=0)
    small.population(rows=small.people_rows(size=400_000))
    rates = make_rates(small.model(prevalence={"sources": ["census"], "errors": small.exact}), small.shelf, 500, 1)
    found = need(rates, read_population(small.shelf, "own-people"))
    spread = (found.draws.max("draw") - found.draws.min("draw")) / found.headline
    assert float(spread.max()) < 1e-4
    np.testing.assert_allclose(found.draws.mean("draw"), found.headline, rtol=1e-5)


@pytest.mark.parametrize("term", ["study", "transport", "staleness"])
def test_widening_any_error_never_narrows_the_interval(small, term):
    people = read_population(small.shelf, "own-people")
    widths = []
    for value in (0.0, 0.05, 0.1, 0.2):
        errors = small.exact | {term: value}
        rates = make_rates(small.model(prevalence={"sources": ["own-study"], "errors": errors}), small.shelf, 4000, 1)
        table = need(rates, people).interval()
        widths.append(float((table.upper - table.lower).iloc[0]))
    assert widths == sorted(widths)
    assert widths[-1] > 1.2 * widths[0]


@pytest.mark.parametrize("study", [0.0, 0.2, 0.35])
@pytest.mark.parametrize("transport", [0.0, 0.2])
def test_the_mean_of_the_draws_is_the_headline(small, study, transport):
    errors = {"study": study, "transport": transport, "staleness": 0.01, "because": "one after the other"}
    rates = make_rates(small.model(prevalence={"sources": ["own-study"], "errors": errors}), small.shelf, 20_000, 1)
    small.population(rows=small.people_rows(years=(2024, 2043), size=400_000))
    for block in blocks(rates, read_population(small.shelf, "own-people")):
        drawn = block.draws[0].sum(axis=(0, 1))
        point = block.headline[0].sum()
        assert abs(drawn.mean() / point - 1) < max(0.005, 4 * drawn.std() / point / np.sqrt(20_000))


@settings(max_examples=10)
@given(st.permutations(range(4)), st.permutations(range(20)))
def test_the_order_of_rows_in_a_file_does_not_matter(small, rates_order, people_order):
    plain = need(make_rates(small.model(), small.shelf, 40, 1), read_population(small.shelf, "own-people"))
    rates_rows, people_rows = small.rates_rows(), small.people_rows()
    small.prevalence(rows=[rates_rows[n] for n in rates_order])
    small.population(rows=[people_rows[n] for n in people_order])
    again = need(make_rates(small.model(), small.shelf, 40, 1), read_population(small.shelf, "own-people"))
    np.testing.assert_array_equal(again.draws.values, plain.draws.values)


def test_sources_for_different_ages_may_be_named_in_any_order(small):
    rows = small.rates_rows()
    small.prevalence("young", rows=[row for row in rows if row["age_from"] == 65])
    small.prevalence("old", rows=[row for row in rows if row["age_from"] == 75])
    people = read_population(small.shelf, "own-people")
    used = [{"source": "young", "ages": "65-74"}, {"source": "old", "ages": "75+"}]
    found = [
        need(make_rates(small.model(prevalence={"sources": names, "errors": WIDE}), small.shelf, 60, 1), people)
        for names in (used, used[::-1])
    ]
    np.testing.assert_array_equal(found[0].draws.values, found[1].draws.values)


def test_areas_add_up_to_a_known_total_in_every_draw_and_it_keeps_its_own_interval(small):
    rows = small.people_rows(size=400_000)
    whole = [
        one | {"area_code": "W01", "area_name": "Mereshire", "persons": one["persons"] + two["persons"]}
        for one, two in zip(*([row for row in rows if row["area_code"] == code] for code in small.areas), strict=True)
    ]
    small.population(rows=[*rows, *whole])
    limits = {"sex": "persons", "age_from": 65, "age_to": "", "estimate": 9.0, "lower": 8.0, "upper": 10.1}
    small.prevalence("total", rows=[limits])
    step = {"method": "benchmark", "source": "total", "benchmark": "W01", "study": 0, "because": "a test"}
    for scale in ("odds", "proportional"):
        model = small.model(
            prevalence={"sources": ["own-study"], "errors": WIDE | {"transport": 0.0}}, local=[step | {"scale": scale}]
        )
        found = need(make_rates(model, small.shelf, 2000, 1), read_population(small.shelf, "own-people"))
        held = found.draws.sel(area="W01", drop=True)
        np.testing.assert_allclose(found.draws.sel(area=list(small.areas)).sum("area"), held, rtol=1e-9)
        people = sum(row["persons"] for row in whole if row["age_from"] >= 65)
        np.testing.assert_allclose(np.quantile(held / people, [0.025, 0.975]), [0.08, 0.101], atol=0.001)
        assert found.headline.sel(area="W01").item() == pytest.approx(0.09 * people, rel=1e-9)
