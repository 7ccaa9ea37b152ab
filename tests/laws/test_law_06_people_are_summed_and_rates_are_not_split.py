"""Law 6. People are summed into the rates' bands; rates are split only by a named method; nothing is extrapolated."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hna.answers.need import need
from hna.errors import AxisError, ModelError
from hna.evidence.population import read_population
from hna.measure.ages import AgeAxis, AgeBand, sum_bands
from hna.measure.graduate import graduate_people, graduate_rates
from hna.model.rates import make_rates

LIMITS = st.lists(st.integers(1, 99), min_size=1, max_size=12, unique=True).map(sorted)


def _axis(limits, open_ended=True):
    lows = [0, *limits]
    last = AgeBand(lows[-1], None if open_ended else lows[-1] + 9)
    return AgeAxis((*(AgeBand(a, b - 1) for a, b in itertools.pairwise(lows)), last))


@settings(max_examples=15)
@given(st.lists(st.integers(66, 99), max_size=6, unique=True).map(sorted))
def test_splitting_a_cell_of_people_at_a_constant_rate_changes_nothing(small, cuts):
    """Refinement invariance: the same people, written in finer bands, give the same need in every draw."""
    coarse = [(65, 74), (75, None)]
    lows = sorted({65, 75, *cuts})
    ends = [*(low - 1 for low in lows[1:]), None]
    generator = np.random.default_rng(7)
    whole = {}
    fine_rows = []
    for sex in ("female", "male"):
        for low, end in zip(lows, ends, strict=True):
            persons = int(generator.integers(20_000, 40_000))
            fine_rows.append(_row(sex, low, end, persons))
            key = (sex, 65 if low < 75 else 75)
            whole[key] = whole.get(key, 0) + persons
    coarse_rows = [_row(sex, low, dict(coarse)[low], persons) for (sex, low), persons in whole.items()]
    small.population("fine", rows=fine_rows)
    small.population("coarse", rows=coarse_rows)
    rates = make_rates(small.model(), small.shelf, 20, 1)
    fine, plain = (need(rates, read_population(small.shelf, name)) for name in ("fine", "coarse"))
    np.testing.assert_allclose(fine.draws, plain.draws, rtol=1e-9)
    np.testing.assert_allclose(fine.headline, plain.headline, rtol=1e-9)


def _row(sex, low, high, persons):
    return {
        "area_code": "N01", "area_name": "Northmere", "year": 2024, "sex": sex, "age_from": low,
        "age_to": "" if high is None else high, "persons": persons,
    }  # fmt: skip


@given(LIMITS, st.data())
def test_people_summed_into_coarser_bands_are_all_there(limits, data):
    fine = _axis(limits)
    kept = sorted(data.draw(st.sets(st.sampled_from(limits))))
    coarse = _axis(kept)
    people = np.random.default_rng(len(limits)).integers(0, 10_000, (3, len(fine.bands))).astype(float)
    summed = sum_bands(people, fine, coarse)
    np.testing.assert_allclose(summed.sum(axis=-1), people.sum(axis=-1))
    where = coarse.index_of(fine)
    for band in range(len(coarse.bands)):
        np.testing.assert_allclose(summed[..., band], people[..., where == band].sum(axis=-1))


@given(LIMITS, LIMITS)
def test_a_band_that_crosses_a_limit_is_never_cut(fine, coarse):
    a, b = _axis(fine), _axis(coarse)
    people = np.ones(len(a.bands))
    if set(coarse) <= set(fine):
        assert sum_bands(people, a, b).sum() == len(a.bands)
    else:
        with pytest.raises(AxisError):
            sum_bands(people, a, b)


@given(LIMITS, st.integers(0, 2**32 - 1))
def test_graduated_people_keep_every_band_and_are_never_negative(limits, seed):
    axis = _axis(limits)
    generator = np.random.default_rng(seed)
    people = generator.integers(0, 50_000, (2, len(axis.bands))).astype(float)
    people[generator.random(people.shape) < 0.2] = 0
    years, single = graduate_people(people, axis)
    assert (years >= 0).all()
    np.testing.assert_allclose(sum_bands(years, single, axis), people, rtol=1e-9, atol=1e-9)


@given(LIMITS, st.integers(0, 2**32 - 1))
def test_graduated_rates_keep_every_band_over_the_reference_and_stay_proportions(limits, seed):
    axis = _axis(limits)
    single = AgeAxis((*(AgeBand(age, age) for age in range(axis.bands[-1].low)), axis.bands[-1]))
    generator = np.random.default_rng(seed)
    rates = generator.random((4, len(axis.bands))) ** 3
    reference = generator.integers(1, 9_000, len(single.bands)).astype(float)
    smooth = graduate_rates(rates, axis, reference, single)
    assert ((smooth >= 0) & (smooth <= 1)).all()
    people = sum_bands(reference, single, axis)
    cases = sum_bands(smooth * reference, single, axis)
    np.testing.assert_allclose(cases, rates * people, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_graduation_of_rising_rates_rises(seed):
    axis = _axis([50, 60, 70, 80])
    single = AgeAxis((*(AgeBand(age, age) for age in range(80)), AgeBand(80, None)))
    rates = np.sort(np.random.default_rng(seed).random(5)) * 0.3
    smooth = graduate_rates(rates, axis, np.full(81, 1000.0), single)
    means = sum_bands(smooth * 1000.0, single, axis) / sum_bands(np.full(81, 1000.0), single, axis)
    assert (np.diff(means) >= -1e-12).all()


@pytest.mark.parametrize("ages", ["60+", "64+", "0-74", "all"])
def test_ages_outside_the_source_are_refused(small, ages):
    with pytest.raises((AxisError, ModelError)) as caught:
        make_rates(small.model(ages=ages), small.shelf, 10, 1)
    assert "R201" in caught.value.codes


def test_ages_inside_the_source_use_its_bands_as_they_are(small):
    rates = make_rates(small.model(ages="70-79"), small.shelf, 10, 1)
    assert rates.ages.labels == ["70-74", "75-79"]
    whole = make_rates(small.model(), small.shelf, 10, 1)
    np.testing.assert_array_equal(rates.headline.values, whole.headline.values)


def test_a_banded_population_that_crosses_is_graduated_openly(small):
    bands = [(0, 59), (60, 69), (70, 79), (80, None)]
    small.population("crossing", rows=small.people_rows(bands=bands, size=100_000))
    rates = make_rates(small.model(), small.shelf, 10, 1)
    people = read_population(small.shelf, "crossing")
    assert people.bridges == ()
    found = need(rates, people).population
    assert any("PCHIP" in said for said in found.bridges)
    inside = people.people[..., 2:].sum()
    assert inside < found.people.sum() < inside + people.people[..., 1].sum()


def test_rates_are_smoothed_only_when_the_model_says_so(small):
    stepped = make_rates(small.model(), small.shelf, 10, 1)
    assert len(stepped.ages.bands) == 2
    prevalence = {"sources": ["own-study"], "errors": dict(small.exact), "ages": "graduate"}
    smooth = make_rates(small.model(prevalence=prevalence), small.shelf, 10, 1)
    assert smooth.ages.widest == 1
    assert any("graduated" in note for note in smooth.notes)
    assert smooth.headline.sel(sex="female", age="66").item() < smooth.headline.sel(sex="female", age="73").item()
