"""The error of the number of people: nested exactly, the same in every need, in blocks and in streams alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import hna
from hna.answers.need import blocks, need
from hna.answers.people_factors import group_shares
from hna.answers.sensitivity import sensitivity
from hna.answers.stream import summarise
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource
from hna.evidence.split_sex import split_sex
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.areas import Area
from hna.model.people_error import with_error, words
from hna.model.rates import make_rates
from hna.model.spec import read_model
from hna.run import Request, assess

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
    inside = [region.error.authorities[n] for n in region.error.parts["E12000002"]]
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


def test_authorities_errors_add_up_to_the_countrys_in_every_draw():
    """The country's path is drawn first: its estimate has no error of its own, and what exponents leave is a hundredth."""
    error = people("ons-mye-2023").error
    weights = error.living[0].sum(axis=1) / error.living[0].sum()
    logs = np.log([error.factors(code, 2023, 1, 300)[0] for code in error.authorities])
    assert (weights @ logs).std() < 1e-12
    country = error.factors("E92000001", 2023, 1, 300)
    shares = error.living[0].sum(axis=0) / error.living[0].sum()
    assert (shares @ country).std() < 1e-5
    alone = [np.exp(0.0088 * np.random.default_rng(n).standard_normal(300)) for n in range(len(weights))]
    assert (weights @ alone).std() > 40 * (shares @ country).std()


def test_the_country_projected_is_out_by_its_own_path():
    error = people("ons-snpp-2018", years=(2028,)).error
    drawn = np.log(error.factors("E92000001", 2028, 1, 500)).std(axis=1)
    assert drawn == pytest.approx(error.error.ages("E06000006", 7, 10)[0], rel=0.12)
    assert error.whole


def small_ones(count=6):
    """Small areas of Halton, its people divided among them."""
    lookup = pd.read_parquet(SHELF.folder(AreasSource, "lsoa11-ltla22") / "table.parquet")
    codes = lookup.loc[lookup["parent"] == PLACES[0], "child"].tolist()[:count]
    halton = read_population(SHELF, "ons-mye-2020", PLACES[:1])
    parts = np.random.default_rng(1).dirichlet(np.ones(count), halton.people.shape[2:])
    shared = halton.people[0, 0][..., None] * parts
    below = tuple(Area(code, code) for code in codes)
    return halton, replace(halton, areas=below, people=np.moveaxis(shared, -1, 0)[:, None])


def test_small_areas_move_with_their_authority(dementia):
    """People, and expected need, of small areas add up to the authority's own draws, not to others."""
    halton, below = small_ones()
    above, below = with_error(SHELF, halton), with_error(SHELF, below)
    ours = above.error.factors(PLACES[0], 2020, 1, 500)
    for area in below.areas:
        assert np.array_equal(below.error.factors(area.code, 2020, 1, 500), ours)
    assert below.error.sd(below.areas[0].code, 2020) == above.error.sd(PLACES[0], 2020)
    assert "for its authority of" in words([below])
    exact = replace(dementia, defaults=replace(dementia.defaults, realised_below=0.0))
    errors_of = dict.fromkeys((area.code for area in below.areas), PLACES[0])
    whole = need(exact, above).draws.values.ravel()
    summed = summarise(exact, below, errors_of=errors_of, keep_draws=True).draws[0].sum(axis=0).ravel()
    np.testing.assert_allclose(summed, whole, rtol=1e-9)
    bare = need(exact, halton).draws.values.ravel()
    assert np.abs(whole / bare - 1).max() > 0.01


def test_a_small_area_without_a_known_authority_is_exact(small):
    small.population("own-wards", small.people_rows({"E05999999": "Nowhere"}))
    found = with_error(small.shelf, read_population(small.shelf, "own-wards"))
    assert found.error is None
    assert "taken as exact" in found.bridges[-1]


def test_both_doors_give_the_same_interval():
    """`hna run` and the functions of Python answer one question alike; `error=False` takes people as exact."""
    report = assess(
        Request(needs=("dementia",), areas=("Halton",), years=(2028,), population="ons-snpp-2018", draws=1000, by=())
    )
    table = report.answers[0].figures
    row = table[(table["quantity"] == "need") & (table["severity"] == "") & (table["year"] == 2028)].iloc[0]
    rates = hna.rates("dementia", draws=1000)
    by_sex = hna.population("ons-mye-2023", "Halton")

    def interval(**more):
        persons = hna.population("ons-snpp-2018", "Halton", 2028, **more)
        return hna.need(rates, split_sex(persons, by_sex)).interval().iloc[0]

    found, exact = interval(), interval(error=False)
    assert [found[name] for name in ("estimate", "lower", "upper")] == pytest.approx(
        [row[name] for name in ("estimate", "lower", "upper")], rel=1e-9
    )
    assert exact["estimate"] == pytest.approx(row["estimate"])
    assert np.log(exact["upper"] / exact["lower"]) < 0.995 * np.log(row["upper"] / row["lower"])


def test_the_error_of_people_is_a_group_of_the_sensitivity(dementia):
    here = people("ons-snpp-2018", PLACES[:1], (2043,))
    halved = replace_persons(dementia, here)[1]
    with_people = sensitivity(dementia, SHELF, halved, PLACES[0], 2043).table.set_index("group")["share"]
    assert with_people["population"] > 0.05
    still = sensitivity(dementia, SHELF, replace(halved, error=None), PLACES[0], 2043).table
    assert "population" not in set(still["group"])


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
