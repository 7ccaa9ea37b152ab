"""Law 3. Uncertainty travels only as draws, and one component has one stream, keyed by seed and name."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.need import blocks, need
from hna.evidence.population import read_population
from hna.measure.draws import normal, stream, uniform
from hna.model.rates import make_rates
from hna.run import Request, assess

NAMES = st.text("abcdefgh:-0123456789", min_size=1, max_size=12)


@given(st.integers(0, 2**63), st.lists(NAMES, min_size=2, max_size=6, unique=True), st.randoms())
def test_a_stream_depends_on_seed_and_name_and_not_on_the_order_of_asking(seed, names, random):
    first = {name: uniform(seed, name, 8).tolist() for name in names}
    shuffled = list(names)
    random.shuffle(shuffled)
    assert {name: uniform(seed, name, 8).tolist() for name in shuffled} == first
    assert all(first[a] != first[b] for a, b in itertools.combinations(names, 2))


@given(st.integers(0, 2**40))
def test_seeds_give_different_streams(seed):
    assert stream(seed, "study:x").random() != stream(seed + 1, "study:x").random()


def test_names_that_run_together_are_different_streams():
    # seed 1, name "2:x" and seed 12, name ":x" must not meet.
    assert stream(1, "2:x").random() != stream(12, ":x").random()


def test_streams_are_uncorrelated():
    scores = np.stack([normal(1, f"transport:study:{n}", 4000) for n in range(40)])
    off = np.corrcoef(scores)[np.triu_indices(40, 1)]
    assert np.abs(off).max() < 4.5 / np.sqrt(4000)
    assert off.std() == pytest.approx(1 / np.sqrt(4000), rel=0.15)


@pytest.mark.parametrize("draws", [1, 2, 7, 100, 5000])
def test_a_latin_hypercube_has_one_point_in_every_stratum(draws):
    points = uniform(3, "sampling:study", draws)
    assert ((points > 0) & (points < 1)).all()
    assert sorted((points * draws).astype(int).tolist()) == list(range(draws))


def test_the_same_rate_draw_serves_every_area_year_and_subgroup(small):
    small.population(rows=small.people_rows(years=(2024, 2030, 2040), size=400_000))
    rates = make_rates(small.model(), small.shelf, 300, 1)
    found = [block.draws[0] / block.people[:, :, None] for block in blocks(rates, small_people(small))]
    assert len(found) == 6
    for rate in found[1:]:
        np.testing.assert_allclose(rate, found[0], rtol=1e-12)
    np.testing.assert_allclose(found[0], rates.draws.transpose("sex", "age", "draw").values, rtol=1e-12)


def small_people(small):
    return read_population(small.shelf, "own-people")


def test_one_place_keeps_its_error_in_every_year_and_two_places_have_their_own(small):
    small.population(rows=small.people_rows(years=(2024, 2030), size=400_000))
    rates = make_rates(small.model(prevalence=_errors(transport=0.3)), small.shelf, 2000, 1)
    drawn = need(rates, small_people(small)).draws
    log = np.log(drawn)
    same = np.corrcoef(log.sel(area="N01", year=2024), log.sel(area="N01", year=2030))[0, 1]
    apart = np.corrcoef(log.sel(area="N01", year=2024), log.sel(area="S02", year=2024))[0, 1]
    assert same > 0.9999
    assert 0 < apart < 0.5  # what they share is the study's own sampling error


def _errors(**terms):
    errors = {"study": 0.0, "transport": 0.0, "staleness": 0.0, "because": "to see one thing"} | terms
    return {"sources": ["own-study"], "errors": errors}


def test_the_error_of_a_study_is_one_for_all_cells(small):
    rates = make_rates(small.model(prevalence=_errors(study=0.5)), small.shelf, 2000, 1)
    bare = make_rates(small.model(), small.shelf, 2000, 1)
    moved = np.log(rates.at("N01", 2024)[0]) - np.log(bare.at("N01", 2024)[0])
    flat = moved.reshape(-1, 2000)
    assert np.corrcoef(flat).min() > 0.999


def test_staleness_grows_with_years_since_fieldwork_and_keeps_its_sign(small):
    rates = make_rates(small.model(prevalence=_errors(staleness=0.02)), small.shelf, 4000, 1)
    odds = {year: np.log(rates.at("N01", year)[0, 0, 0]) for year in (2023, 2033, 2043)}
    bare = np.log(make_rates(small.model(), small.shelf, 4000, 1).at("N01", 2023)[0, 0, 0])
    spread = {year: (odds[year] - bare).std() for year in odds}
    assert spread[2033] / spread[2043] == pytest.approx(11 / 21, rel=0.05)
    assert np.corrcoef(odds[2033] - bare, odds[2043] - bare)[0, 1] > 0.999


def test_change_between_years_carries_no_error_of_its_own(small):
    small.population(rows=small.people_rows(years=(2024, 2030), size=400_000))
    rates = make_rates(small.model(), small.shelf, 2000, 1)
    found = need(rates, small_people(small))
    change = found.draws.sel(year=2030) - found.draws.sel(year=2024)
    growth = found.headline.sel(year=2030) / found.headline.sel(year=2024) - 1
    level = found.draws.sel(year=2024)
    np.testing.assert_allclose(change.std("draw"), level.std("draw") * growth, rtol=0.02)


def test_adding_a_need_leaves_the_others_bit_identical(small):
    alone = assess(Request(needs=("sleeplessness",), workspace=small.root, draws=300)).answers[0]
    small.prevalence("other-study", rows=small.rates_rows(scale=0.5), condition="falls")
    small.model("falls", prevalence={"sources": ["other-study"]})
    small.model("a-first-need", prevalence={"sources": ["other-study"]})
    both = {found.model.need: found for found in assess(Request(workspace=small.root, draws=300)).answers}
    assert sorted(both) == ["a-first-need", "falls", "sleeplessness"]
    assert both["sleeplessness"].figures.equals(alone.figures)


def test_two_needs_that_rest_on_one_study_share_its_draws(small):
    small.model("half", ages="75+")
    whole = make_rates(small.model(), small.shelf, 500, 1)
    part = make_rates(small.model("half", ages="75+"), small.shelf, 500, 1)
    np.testing.assert_array_equal(whole.draws.sel(age=["75+"]).values, part.draws.values)


@pytest.mark.parametrize("year", [2025, 2030])
def test_the_chance_of_who_is_there_is_the_same_in_every_year(small, year):
    """Binomial noise drawn afresh a year would be the very fault that the law forbids, on a smaller scale."""
    small.population(rows=small.people_rows(years=(2024, year), size=1200))
    rates = make_rates(small.model(), small.shelf, 4000, 1)
    people = small_people(small)
    held = list(blocks(rates, people))
    here = [block for block in held if block.area.code == "N01"]
    assert all(block.realised for block in here)
    noise = [
        block.draws[0].sum(axis=(0, 1))
        - (rates.at("N01", block.year)[0] * block.people[:, :, None]).sum(axis=(0, 1))
        for block in here
    ]  # fmt: skip
    assert np.corrcoef(noise)[0, 1] > 0.9


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_another_seed_moves_the_limits_and_not_the_headline(small, seed):
    one = assess(Request(workspace=small.root, draws=300, seed=seed)).answers[0].figures
    two = assess(Request(workspace=small.root, draws=300, seed=seed + 1)).answers[0].figures
    needs = one.quantity == "need"
    assert (one.estimate[needs] == two.estimate[needs]).all()
    assert (one.lower[needs] != two.lower[needs]).any()
