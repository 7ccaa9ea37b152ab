"""Law 1. Labels match exactly or the operation raises."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.need import need
from hna.errors import AxisError, SourceError
from hna.evidence.population import read_population
from hna.measure.ages import AgeBand
from hna.measure.axes import DIMENSIONS, contract, match
from hna.measure.estimate import Estimate, Universe
from hna.model.rates import make_rates

LABELS = st.lists(st.sampled_from(["65-69", "70-74", "75-79", "80-84", "85+"]), min_size=1, max_size=5, unique=True)


def _array(labels, dim="age", seed=0):
    values = np.random.default_rng(seed).random(len(labels))
    return xr.DataArray(values, dims=(dim,), coords={dim: labels})


@given(LABELS, LABELS)
def test_a_sum_of_products_needs_the_same_labels_in_the_same_order(left, right):
    a, b = _array(left, seed=1), _array(right, seed=2)
    if left == right:
        assert contract(a, b, ["age"]).item() == pytest.approx(float(a.values @ b.values), rel=1e-12)
    else:
        with pytest.raises(AxisError):
            contract(a, b, ["age"])


@given(LABELS, LABELS)
def test_the_error_shows_what_each_side_lacks(left, right):
    lacking = [label for label in left if label not in right] + [label for label in right if label not in left]
    if left == right:
        match(_array(left), _array(right))
        return
    with pytest.raises(AxisError) as caught:
        match(_array(left), _array(right))
    shown = str(caught.value)
    assert "different order" in shown if not lacking else any(label in shown for label in lacking)


def test_what_the_library_would_do_by_default_is_wrong_and_refused():
    people = xr.DataArray([100.0, 50.0], dims="age", coords={"age": ["0-64", "65 and over"]})
    rate = xr.DataArray([0.01, 0.2], dims="age", coords={"age": ["0-64", "65+"]})
    assert float((people * rate).sum()) == 1.0  # everybody over 65 has gone
    with pytest.raises(AxisError, match=r"65 and over.*65\+|65\+.*65 and over"):
        contract(rate, people, ["age"])


def test_two_spellings_of_one_band_are_one_label_once_read():
    assert AgeBand.parse("65 and over").label == AgeBand.parse("65+").label == "65+"


@given(st.permutations(["area", "year", "sex", "age"]))
def test_the_order_of_dimensions_does_not_matter(order):
    sizes = {"area": 2, "year": 3, "sex": 2, "age": 4}
    coords = {dim: list(range(size)) for dim, size in sizes.items()}
    generator = np.random.default_rng(3)
    people = xr.DataArray(generator.random(tuple(sizes.values())), dims=tuple(sizes), coords=coords)
    rate = xr.DataArray(
        generator.random((2, 4, 6)), dims=("sex", "age", "draw"), coords={dim: coords[dim] for dim in ("sex", "age")}
    )
    found = contract(rate, people.transpose(*order), ["sex", "age"])
    expected = np.einsum("aysg,sgd->day", people.values, rate.values)
    assert found.dims == tuple(dim for dim in DIMENSIONS if dim in found.dims) == ("draw", "area", "year")
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)


def test_shared_dimensions_that_are_not_summed_must_match_too():
    left = xr.DataArray(np.ones((2, 3)), dims=("sex", "age"), coords={"sex": ["female", "male"], "age": [1, 2, 3]})
    right = left.assign_coords(sex=["male", "female"])
    with pytest.raises(AxisError, match="different order"):
        contract(left, right, ["age"])
    assert contract(left, left, ["age"]).dims == ("sex",)


def test_a_dimension_that_one_side_lacks_is_refused():
    with pytest.raises(AxisError, match="not on both sides"):
        contract(_array(["65+"]), _array(["female"], "sex"), ["age"])


def test_an_estimate_and_its_draws_have_the_same_labels():
    headline = xr.DataArray([1.0, 2.0], dims="area", coords={"area": ["a", "b"]})
    draws = xr.DataArray(np.ones((2, 3)), dims=("area", "draw"), coords={"area": ["b", "a"]})
    universe = Universe("sleeplessness", "three questions", AgeBand(65, None))
    with pytest.raises(AxisError, match="different order"):
        Estimate(headline, draws, "need", "people", universe)


def test_people_who_lack_a_sex_or_an_age_of_the_rate_are_refused(small):
    rates = make_rates(small.model(), small.shelf, 10, 1)
    men = [row for row in small.people_rows() if row["sex"] == "male"]
    small.population("men", rows=men)
    with pytest.raises(AxisError, match=r"has male, not female, male"):
        need(rates, read_population(small.shelf, "men"))
    small.population("young", rows=[row for row in small.people_rows() if row["age_from"] < 85])
    with pytest.raises(AxisError, match="R201"):
        need(rates, read_population(small.shelf, "young"))


def test_two_vintages_of_areas_in_one_table_are_refused(small):
    rows = small.people_rows()
    renamed = [row | {"area_name": "Northmere and Overmere", "year": 2025} for row in rows if row["area_code"] == "N01"]
    small.population("mixed", rows=[*rows, *renamed])
    with pytest.raises(SourceError, match="several names"):
        read_population(small.shelf, "mixed")
