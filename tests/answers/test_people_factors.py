"""The error of the number of people: nested exactly, the same in every need, in blocks and in streams alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hna.answers.need import blocks, need
from hna.answers.people_factors import group_shares
from hna.answers.stream import summarise
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.measure.ages import AgeAxis, AgeBand
from hna.model.people_error import with_error
from hna.model.rates import make_rates
from hna.model.spec import read_model

SHELF = Shelf()
PLACES = ["E06000006", "E08000014"]


def rates_of(name, draws=2000):
    return make_rates(read_model(SHELF.model_file(name)), SHELF, draws, 1)


def people(source, areas=PLACES, years=None):
    return with_error(SHELF, read_population(SHELF, source, areas, years))


@pytest.fixture(scope="module")
def dementia():
    return rates_of("dementia")


@pytest.mark.parametrize(("source", "years"), [("ons-mye-2023", None), ("ons-snpp-2018", (2018, 2028, 2043))])
def test_blocks_and_streams_have_the_same_draws(dementia, source, years):
    here = people(source, years=years)
    if here.sexes == ("persons",):
        rates = replace_persons(dementia, here)
        here = rates[1]
    found = need(dementia, here)
    streamed = summarise(dementia, here, keep_draws=True)
    drawn = found.draws.transpose("area", "year", "draw").values
    np.testing.assert_allclose(streamed.draws[0], drawn, rtol=1e-8)
    assert np.allclose(found.headline.values, need(dementia, replace(here, error=None)).headline.values)


def replace_persons(rates, persons):
    """Projections are for persons: halved by sex here, which no test depends on."""
    both = np.repeat(persons.people / 2, 2, axis=2)
    return rates, replace(persons, sexes=("female", "male"), people=both)


def test_intervals_widen_and_headlines_stay(dementia):
    here = people("ons-mye-2023")
    bare = replace(here, error=None)
    widths = [
        np.ptp(np.quantile(need(dementia, one).draws.values, [0.025, 0.975], axis=-1), axis=0) for one in (here, bare)
    ]
    # Small beside the error of the rate: the draws' own noise is larger.
    assert widths[0] == pytest.approx(widths[1], rel=0.03)
    sd = here.error.sd("E06000006", 2023)
    assert sd == pytest.approx(0.006 + 0.0014 * 2)
    drawn = here.error.factors("E06000006", 2023, 1, 20_000)
    assert drawn.shape == (1, 20_000)
    assert np.log(drawn).std() == pytest.approx(sd, rel=0.03)
    assert drawn.mean() == pytest.approx(1, abs=4 * sd / np.sqrt(20_000))


def test_errors_grow_with_the_horizon_and_lean_on_the_year_before():
    error = people("ons-snpp-2018", years=(2018, 2028, 2038)).error
    logs = {year: np.log(error.factors("E06000006", year, 1, 20_000)) for year in (2018, 2028, 2038)}
    totals = [error.sd("E06000006", year) for year in (2018, 2028, 2038)]
    assert totals[0] < totals[1] < totals[2]
    assert totals[1] == pytest.approx(np.hypot(totals[0], 0.044))
    old, young = logs[2028][-1].std(), logs[2028][2].std()
    assert totals[1] < old < young
    assert np.corrcoef(logs[2028][-1], logs[2038][-1])[0, 1] > 0.3
    alone = people("ons-snpp-2018", PLACES[:1], (2038,)).error.factors("E06000006", 2038, 1, 20_000)
    assert np.array_equal(np.log(alone), logs[2038])
    assert not np.array_equal(error.factors("E08000014", 2028, 1, 100), error.factors("E06000006", 2028, 1, 100))


def test_one_error_serves_every_need(dementia):
    here = people("ons-mye-2023")
    mental = rates_of("child-mental-disorder")
    for rates in (dementia, mental):
        moved, still = (next(blocks(rates, one)) for one in (here, replace(here, error=None)))
        if not moved.realised:
            ratio = moved.draws[0].sum(axis=(0, 1)) / still.draws[0].sum(axis=(0, 1))
            np.testing.assert_allclose(ratio, here.error.factors("E06000006", 2023, 1, rates.size)[0], rtol=1e-9)


def test_a_region_is_the_sum_of_its_authorities_in_every_draw():
    region = people("ons-mye-2023", ["E12000002"])
    inside = region.error.parts["E12000002"]
    assert "E06000006" in inside
    lower = people("ons-mye-2023", list(inside))
    whole = region.people.sum(axis=(2, 3))[0, 0] * region.error.factors("E12000002", 2023, 1, 500)
    by_area = np.stack([
        (here.sum(axis=0) @ np.repeat(lower.error.factors(code, 2023, 1, 500), here.shape[-1], axis=0))
        for code, here in zip(inside, lower.people[:, 0], strict=True)
    ])  # fmt: skip
    # The region has a factor for each group of ages: its people by group, not all of them alike.
    by_group = region.people[0, 0].sum(axis=0)
    at = [next(n for n, group in enumerate(region.error.groups.bands) if band in group) for band in region.ages.bands]
    summed = by_group @ region.error.factors("E12000002", 2023, 1, 500)[at]
    np.testing.assert_allclose(summed, by_area.sum(axis=0), rtol=1e-9)
    assert whole.shape == (len(region.error.groups.bands), 500)


def test_ages_are_divided_among_the_groups_that_share_an_error():
    here = people("ons-mye-2023", PLACES[:1])
    bands = AgeAxis((AgeBand(0, 4), AgeBand(5, 15), AgeBand(16, 24), AgeBand(25, None)))
    banded = replace(here, error=None).on(("female", "male"), bands)
    shares = group_shares(here, banded)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    assert shares[0, 0, 0, 0].tolist() == [1, 0, 0, 0]
    fine = replace(here, error=None).people[0, 0, 0]
    assert shares[1, 0, 0, 0, 2] == pytest.approx(fine[16:20].sum() / fine[16:25].sum())


def test_registered_people_and_censuses_are_taken_as_they_are(small):
    small.population("gp-list", small.people_rows(), base="registered")
    assert with_error(small.shelf, read_population(small.shelf, "gp-list")).error is None


def test_an_authority_beside_its_region_is_as_it_is_alone(dementia):
    both = people("ons-mye-2023", [*PLACES[:1], "E12000002"])
    drawn = need(dementia, both).draws.transpose("area", "year", "draw").values
    streamed = summarise(dementia, both, keep_draws=True)
    np.testing.assert_allclose(streamed.draws[0], drawn, rtol=1e-8)
    alone = summarise(dementia, people("ons-mye-2023", PLACES[:1]), keep_draws=True)
    np.testing.assert_allclose(streamed.draws[0][0], alone.draws[0][0], rtol=1e-12)
