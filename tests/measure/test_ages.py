import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.errors import AxisError, QuantityError
from hna.measure.ages import OLDEST, AgeAxis, AgeBand, common_refinement, sum_bands
from hna.measure.graduate import graduate_people, graduate_rates


@pytest.mark.parametrize(
    ("text", "low", "high", "label"),
    [
        ("65-69", 65, 69, "65-69"),
        ("65 - 69", 65, 69, "65-69"),
        ("65–69", 65, 69, "65-69"),
        ("65 to 69", 65, 69, "65-69"),
        ("0-4", 0, 4, "0-4"),
        ("90+", 90, None, "90+"),
        ("90 plus", 90, None, "90+"),
        ("90 and over", 90, None, "90+"),
        ("90 AND OVER", 90, None, "90+"),
        ("90 & over", 90, None, "90+"),
        ("under 5", 0, 4, "0-4"),
        ("Under 1", 0, 0, "0"),
        ("7", 7, 7, "7"),
        (7, 7, 7, "7"),
        ("all", 0, None, "all"),
        ("All ages", 0, None, "all"),
        (" 16+ ", 16, None, "16+"),
    ],
)
def test_a_label_is_read_and_written_one_way(text, low, high, label):
    band = AgeBand.parse(text)
    assert band == AgeBand(low, high)
    assert band.label == label
    assert AgeBand.parse(band.label) == band


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("05-Sep", "5-9"),
        ("Oct-14", "10-14"),
        ("09-May", "5-9"),
        ("14-Oct", "10-14"),
        ("May-09", "5-9"),
        ("04 Jan", "1-4"),
        ("Sep/05", "5-9"),
        ("05-september", "5-9"),
    ],
)
def test_a_band_that_a_spreadsheet_made_a_date_is_refused_with_its_likely_original(text, likely):
    with pytest.raises(AxisError) as caught:
        AgeBand.parse(text)
    assert caught.value.codes == ("R104",)
    assert repr(likely) in str(caught.value)
    assert "column as text" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old",
        "65-",
        "-69",
        "69-65",
        "5.5",
        "-1",
        "65-69-74",
        "160+",
        "0-200",
        "1e2",
        "under 0",
        "65 or 69",
        "nan",
        "4-Foo",
    ],
)
def test_what_is_no_band_is_refused(text):
    with pytest.raises(AxisError) as caught:
        AgeBand.parse(text)
    assert caught.value.codes == ("R104",)


@given(st.integers(0, OLDEST), st.integers(0, OLDEST))
def test_every_band_that_can_be_written_can_be_read(a, b):
    low, high = sorted((a, b))
    for band in (AgeBand(low, high), AgeBand(low, None)):
        assert AgeBand.parse(band.label) == band


@pytest.mark.parametrize(
    ("inner", "outer", "inside", "meets"),
    [
        ((65, 69), (65, 74), True, True),
        ((65, None), (65, None), True, True),
        ((70, None), (65, None), True, True),
        ((65, None), (65, 150), False, True),
        ((64, 69), (65, 74), False, True),
        ((60, 64), (65, 74), False, False),
        ((75, 80), (65, 74), False, False),
    ],
)
def test_nesting_and_meeting(inner, outer, inside, meets):
    assert (AgeBand(*inner) in AgeBand(*outer)) == inside
    assert AgeBand(*inner).meets(AgeBand(*outer)) == AgeBand(*outer).meets(AgeBand(*inner)) == meets


@pytest.mark.parametrize(
    ("band", "words"),
    [
        ((65, None), "aged 65 and over"),
        ((0, None), "of all ages"),
        ((5, 16), "aged 5 to 16"),
        ((4, 4), "aged 4"),
        ((0, 0), "aged under 1"),
    ],
)
def test_a_band_in_words(band, words):
    assert AgeBand(*band).words == words


def _axis(*labels):
    return AgeAxis(tuple(AgeBand.parse(label) for label in labels))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("65-69", "69-74"), "overlap"),
        (("65-69", "65-69"), "overlap or repeat"),
        (("65-69", "71-74"), "gap"),
        (("65+", "70-74"), "overlap"),
        ((), "at least one band"),
    ],
)
def test_bands_that_do_not_follow_each_other_are_no_axis(labels, said):
    with pytest.raises(AxisError, match=said):
        _axis(*labels)


def test_an_axis_is_cut_to_a_span_and_never_stretched():
    axis = _axis("60-69", "70-79", "80+")
    assert axis.within(AgeBand(65, 74)).labels == ["65-69", "70-74"]
    assert axis.within(AgeBand(70, None)).labels == ["70-79", "80+"]
    assert axis.within(AgeBand(85, None)).labels == ["85+"]
    for span in (AgeBand(59, None), AgeBand(0, 65), AgeBand(0, None)):
        with pytest.raises(AxisError) as caught:
            axis.within(span)
        assert caught.value.codes == ("R201",)
    with pytest.raises(AxisError):
        _axis("60-69").within(AgeBand(60, None))


def test_each_fine_band_lies_in_one_coarse_band():
    coarse, fine = _axis("60-69", "70+"), _axis("60-64", "65-69", "70-74", "75+")
    assert coarse.index_of(fine).tolist() == [0, 0, 1, 1]
    with pytest.raises(AxisError, match="do not nest"):
        fine.index_of(coarse)


@given(st.lists(st.sets(st.integers(1, 99), max_size=6), min_size=1, max_size=4))
def test_the_common_refinement_nests_in_every_axis_and_is_no_finer_than_needed(cuts):
    axes = [
        AgeAxis(tuple(AgeBand(a, b) for a, b in zip([0, *sorted(cut)], [*(c - 1 for c in sorted(cut)), None], strict=True)))
        for cut in cuts
    ]  # fmt: skip
    fine = common_refinement(axes)
    assert all(len(axis.index_of(fine)) == len(fine.bands) for axis in axes)
    assert {band.low for band in fine.bands} == {0}.union(*cuts)


def test_axes_over_different_ages_have_no_common_refinement():
    with pytest.raises(AxisError, match="different ages"):
        common_refinement([_axis("0-9", "10+"), _axis("5-9", "10+")])


def test_people_are_summed_over_leading_axes():
    fine, coarse = _axis("0-4", "5-9", "10-14", "15+"), _axis("5-14", "15+")
    people = np.arange(24.0).reshape(2, 3, 4)
    found = sum_bands(people, fine, coarse)
    np.testing.assert_array_equal(found[..., 0], people[..., 1] + people[..., 2])
    np.testing.assert_array_equal(found[..., 1], people[..., 3])


@pytest.mark.parametrize("labels", [("0-6", "7+"), ("0-4", "5-9", "10-11"), ("15-19",), ("0-4", "5-20")])
def test_a_sum_that_would_cut_a_band_is_refused(labels):
    with pytest.raises(AxisError, match="cannot be summed"):
        sum_bands(np.ones(4), _axis("0-4", "5-9", "10-14", "15+"), _axis(*labels))


def test_an_open_last_band_is_never_spread():
    years, axis = graduate_people(np.array([500.0, 400.0, 77.0]), _axis("75-79", "80-84", "85+"))
    assert axis.labels[-1] == "85+"
    assert years[-1] == 77
    assert len(years) == 11
    only, same = graduate_people(np.array([9.0]), _axis("85+"))
    assert (only.tolist(), same.labels) == ([9.0], ["85+"])


def test_graduation_follows_the_slope():
    years, _ = graduate_people(np.array([500.0, 400.0, 300.0]), _axis("65-69", "70-74", "75-79"))
    assert (np.diff(years) < 0).all()


def test_even_people_stay_even():
    years, _ = graduate_people(np.array([500.0, 500.0, 1000.0]), _axis("65-69", "70-74", "75-84"))
    np.testing.assert_allclose(years, 100.0)


def test_a_rate_that_smoothing_would_push_out_of_range_stays_constant():
    bands = _axis("0-4", "5-9", "10-14")
    single = AgeAxis(tuple(AgeBand(age, age) for age in range(15)))
    rates = np.array([0.999, 1.0, 0.999])
    smooth = graduate_rates(rates, bands, np.full(15, 10.0), single)
    assert smooth.max() <= 1
    np.testing.assert_allclose(smooth.reshape(3, 5).mean(axis=1), rates)


def test_rates_are_not_smoothed_over_nobody():
    bands = _axis("0-4", "5-9")
    single = AgeAxis(tuple(AgeBand(age, age) for age in range(10)))
    with pytest.raises(QuantityError, match="no one in these bands"):
        graduate_rates(np.array([0.1, 0.2]), bands, np.array([1.0] * 5 + [0.0] * 5), single)


def test_graduation_reduces_the_error_of_a_steep_rate_in_an_older_place():
    """Methods 2: prevalence doubling every 5.5 years, the place tilted by 3 % a year; PCHIP errs far less than a step."""
    ages = np.arange(65, 100)
    single = AgeAxis(tuple(AgeBand(int(age), int(age)) for age in ages))
    bands = AgeAxis(tuple(AgeBand(low, low + 4) for low in range(65, 100, 5)))
    true = 0.01 * 2 ** ((ages - 65) / 5.5)
    study = 1000 * np.exp(-0.08 * (ages - 65))
    older = study * np.exp(0.03 * (ages - 65))
    rate = sum_bands(true * study, single, bands) / sum_bands(study, single, bands)
    truth = (true * older).sum()
    step = rate[bands.index_of(single)] @ older / truth - 1
    smooth = graduate_rates(rate, bands, study, single) @ older / truth - 1
    assert step < -0.005
    assert abs(smooth) < 0.4 * abs(step)
