import numpy as np
import pytest
import xarray as xr

from hna.errors import AxisError, QuantityError
from hna.measure.ages import AgeBand
from hna.measure.axes import canonical, contract, labels
from hna.measure.estimate import Estimate, Universe

UNIVERSE = Universe("sleeplessness", "three questions", AgeBand(65, None))


def _estimate(shape=(2, 3), unit="people", draws=200):
    dims, names = ("area", "sex")[: len(shape)], (["a", "b"], ["female", "male", "persons"])
    coords = {dim: names[n][: shape[n]] for n, dim in enumerate(dims)}
    headline = xr.DataArray(np.arange(1.0, np.prod(shape) + 1).reshape(shape), dims=dims, coords=coords)
    drawn = headline * xr.DataArray(np.linspace(0.5, 1.5, draws), dims="draw")
    return Estimate(headline, drawn, "need", unit, UNIVERSE)


def test_a_table_has_a_row_a_cell_with_equal_tailed_limits():
    table = _estimate().interval(0.9)
    assert list(table.columns) == ["area", "sex", "estimate", "lower", "upper"]
    assert len(table) == 6
    np.testing.assert_allclose(table.lower, 0.55 * table.estimate)
    np.testing.assert_allclose(table.upper, 1.45 * table.estimate)


def test_a_single_number_has_a_table_of_one_row():
    whole = _estimate().sum(["area", "sex"])
    table = whole.interval()
    assert list(table.columns) == ["estimate", "lower", "upper"]
    assert table.estimate.item() == 21


def test_limits_of_a_sum_come_from_the_sum_of_draws():
    table = _estimate().sum("sex").interval(0.9)
    np.testing.assert_allclose(table.estimate, [6, 15])
    np.testing.assert_allclose(table.upper, [1.45 * 6, 1.45 * 15])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_missing_value_is_refused_and_placed(value):
    good = _estimate()
    spoiled = good.headline.copy()
    spoiled[1, 2] = value
    with pytest.raises(QuantityError, match=r"\[1, 2\]"):
        Estimate(spoiled, good.draws, "need", "people", UNIVERSE)


def test_draws_over_other_dimensions_are_refused():
    good = _estimate()
    with pytest.raises(AxisError):
        Estimate(good.headline, good.draws.isel(sex=0, drop=True), "need", "people", UNIVERSE)
    with pytest.raises(AxisError):
        Estimate(good.headline, good.headline, "need", "people", UNIVERSE)


@pytest.mark.parametrize("unit", ["proportion", "probability"])
def test_only_people_are_added_up(unit):
    with pytest.raises(QuantityError, match="only people"):
        _estimate(unit=unit).sum("sex")


def test_strata_of_severity_are_not_added_up():
    headline = xr.DataArray([1.0, 2.0], dims="severity", coords={"severity": ["mild", "severe"]})
    found = Estimate(headline, headline.expand_dims(draw=3), "need", "people", UNIVERSE)
    with pytest.raises(QuantityError) as caught:
        found.sum("severity")
    assert caught.value.codes == ("R152",)


def test_an_unknown_dimension_is_refused():
    with pytest.raises(AxisError, match="geog"):
        canonical(xr.DataArray(np.ones(2), dims="geog"))


def test_the_draws_are_handed_over_in_order_and_named():
    found = _estimate().to_xarray()
    assert found.dims == ("draw", "area", "sex")
    assert found.name == "need"
    assert labels(found, "area") == ["a", "b"]


def test_contraction_over_a_batch_keeps_both_sides():
    left, right = _estimate().headline, _estimate().draws
    found = contract(left, right, ["sex"])
    assert found.dims == ("draw", "area")
    np.testing.assert_allclose(found.isel(draw=0), 0.5 * (left**2).sum("sex"))


@pytest.mark.parametrize(
    ("sex", "stands_for", "words"),
    [
        ("persons", None, "people aged 65 and over"),
        ("female", None, "females aged 65 and over"),
        ("persons", "women giving birth in a year", "women giving birth in a year"),
    ],
)
def test_the_universe_in_words(sex, stands_for, words):
    assert Universe("x", "y", AgeBand(65, None), sex, stands_for=stands_for).words == words
