"""Other needs: the shipped rates on the shipped populations, beside the number that was printed."""

import numpy as np
import pytest

from hna.answers.need import need
from hna.errors import ModelError
from hna.evidence.population import read_population
from hna.evidence.prevalence import read_prevalence
from hna.model.rates import make_rates
from hna.model.spec import read_model


def _headline(shelf, model, population, area, years=None):
    rates = make_rates(read_model(shelf.model_file(model)), shelf, 20, 1)
    people = read_population(shelf, population, [area], years)
    found = need(rates, people)
    return found.headline.item(), float(found.population.people.sum())


def test_hypertension_in_england_mid_2020(shipped_shelf):
    """Health Survey for England 2022 on mid-2020: 12,942,261, which is 28.3 % of people of 16 and over."""
    found, people = _headline(shipped_shelf, "hypertension", "ons-mye-2020", "England")
    assert found == pytest.approx(12_942_261, abs=1)
    assert 100 * found / people == pytest.approx(28.3, abs=0.05)


def test_hypertension_strata_disagree_with_their_totals_as_printed(shipped_shelf):
    """Whole percents: the three strata give 12,968,514; the totals 12,942,261; some cells differ by a point, none by more."""
    table = read_prevalence(shipped_shelf, "hse-2022-hypertension")
    people = read_population(shipped_shelf, "ons-mye-2020", ["England"])
    axis = table.axis("", "female")
    banded = people.on(("female", "male"), axis).people[0, 0]
    added = off = 0.0
    for x, sex in enumerate(("female", "male")):
        strata = sum(table.estimate[table.rows(name, sex)] for name in table.strata if name)
        added += float(strata @ banded[x])
        difference = strata - table.estimate[table.rows("", sex)]
        off = max(off, float(np.abs(difference).max()))
    assert added == pytest.approx(12_968_514, abs=1)
    assert off == pytest.approx(0.01)


def test_hypertension_strata_add_up_in_the_engine(shipped_shelf):
    """What is printed apart is drawn as a total and its division."""
    rates = make_rates(read_model(shipped_shelf.model_file("hypertension")), shipped_shelf, 50, 1)
    parts = rates.draws.sel(severity=["treated-controlled", "treated-uncontrolled", "untreated"]).sum("severity")
    np.testing.assert_allclose(parts.values, rates.draws.sel(severity="", drop=True).transpose(*parts.dims).values)


PANSI = {2023: 188_271, 2025: 185_268, 2030: 176_230, 2035: 182_124, 2040: 196_488}


@pytest.mark.parametrize("year", PANSI)
def test_learning_disability_at_25_to_34_as_pansi_printed_it(shipped_shelf, workspace, year):
    """PANSI, England: 2.49 % of the 2018-based projection. Rounding of the shipped projection: 2 people."""
    model = workspace.model(
        "learning", ages="25-34",
        prevalence={"sources": ["emerson-hatton-2004-learning-disability-25-34"],
                    "judged": {"relative": [0.9, 1.1], "because": "only the point is used"}},
    )  # fmt: skip
    rates = make_rates(model, workspace.shelf, 20, 1)
    found = need(rates, read_population(shipped_shelf, "ons-snpp-2018", ["England"], [year]))
    assert found.headline.item() == pytest.approx(PANSI[year], abs=2)


def test_opiate_and_crack_use_in_england(shipped_shelf):
    """341,032 people of 15 to 64 in 2019-20, 9.5 per 1,000; 336,531 a year before, whose rate is the shipped one."""
    table = read_prevalence(shipped_shelf, "ohid-2023-opiate-crack-use")
    found, people = _headline(shipped_shelf, "opiate-crack-use", "ons-mye-2020", "England")
    assert people == 35_871_635
    assert 1000 * 341_032 / people == pytest.approx(9.5, abs=0.05)
    assert table.lower[0] < 341_032 / people < table.upper[0]
    # The population of 2018-19 was 0.6 % smaller than that of mid-2020.
    assert found == pytest.approx(336_531, rel=0.01)


@pytest.mark.parametrize(
    ("year", "number", "per_1000"), [(2017, 324_840, 9.2), (2018, 336_531, 9.4), (2020, 341_032, 9.5)]
)
def test_opiate_and_crack_use_implies_one_population(shipped_shelf, year, number, per_1000):
    """Each printed number over its printed rate implies 35.3 to 35.9 million people of 15 to 64."""
    _, people = _headline(shipped_shelf, "opiate-crack-use", "ons-mye-2020", "England")
    assert number / per_1000 * 1000 == pytest.approx(people, rel=0.02)


def test_alcohol_dependence_by_severity(shipped_shelf):
    """England 2014: 313,753 + 173,399 + 107,979 = 595,131; 52.7, 29.1 and 18.1 %, which sum to 99.9."""
    rates = make_rates(read_model(shipped_shelf.model_file("alcohol-dependence")), shipped_shelf, 20, 1)
    whole = rates.headline.sel(severity="", drop=True)
    shares = {name: float((rates.headline.sel(severity=name, drop=True) / whole).mean()) for name in rates.strata}
    for name, number in zip(("mild", "moderate", "severe"), (313_753, 173_399, 107_979), strict=True):
        assert 595_131 * shares[name] == pytest.approx(number, abs=595_131 * 0.001)
    assert sum(shares.values()) == pytest.approx(1)


def test_the_rate_of_alcohol_dependence_in_2019_20_is_of_an_earlier_population(shipped_shelf):
    """608,416 people are 1.37 % of ONS mid-2020 adults, and 1.38 % was printed: the two do not fit."""
    table = read_prevalence(shipped_shelf, "ohid-2024-alcohol-dependence")
    found, people = _headline(shipped_shelf, "alcohol-dependence", "ons-mye-2020", "England")
    assert people == 44_456_850
    assert table.estimate[0] == pytest.approx(0.0138)
    assert round(100 * 608_416 / people, 2) == 1.37
    assert found - 608_416 > 0.00005 * people


STRATA = {
    "evans-2002-visual-impairment": ({"": (1803, 14_600), "low vision": (1501, 14_600), "blindness": (302, 14_600)}),
    "davies-2001-heart-failure": ({"": (124, 3_960), "definite": (92, 3_960), "probable": (32, 3_960)}),
}


@pytest.mark.parametrize("source", STRATA)
def test_printed_strata_add_up_to_the_printed_total(shipped_shelf, source):
    """Percents in the table are the printed cases over the printed sample, to a tenth, and strata sum exactly."""
    table = read_prevalence(shipped_shelf, source)
    printed = {str(name): float(p) for name, p in zip(table.severity, table.estimate, strict=True)}
    for name, (cases, sample) in STRATA[source].items():
        # Evans: weighted percents; half a tenth beside rounding.
        assert printed[name] == pytest.approx(cases / sample, abs=0.001)
    assert sum(p for name, p in printed.items() if name) == pytest.approx(printed[""], abs=1e-12)


def test_language_disorder_is_the_sum_of_its_kinds(shipped_shelf):
    """Norbury 2016: 7.58 of unknown origin and 2.34 with a known condition are 9.92 %."""
    rates = make_rates(read_model(shipped_shelf.model_file("speech-language")), shipped_shelf, 50, 1)
    parts = {name: float(rates.headline.sel(severity=name).item()) for name in rates.strata}
    assert parts == {
        "of unknown origin": pytest.approx(0.0758, abs=1e-9),
        "with a known condition": pytest.approx(0.0234, abs=1e-9),
    }


def test_types_of_childrens_disorder_overlap_and_are_never_added(shipped_shelf):
    """Green 2005: types add up to more than any disorder in every cell, since a child may have several."""
    rates = make_rates(read_model(shipped_shelf.model_file("child-mental-disorder")), shipped_shelf, 50, 1)
    types = rates.headline.sel(severity=[name for name in rates.severities if name]).sum("severity")
    whole = rates.headline.sel(severity="", drop=True)
    assert (types > whole).all()
    assert rates.strata == ()
    with pytest.raises(Exception, match="R152"):
        need(rates, read_population(shipped_shelf, "ons-mye-2020", ["Halton"]), ["area", "severity"]).sum("severity")


def test_support_tiers_of_kurtz_are_overlapping_and_need_a_judged_range(workspace):
    """15, 7, 1.85 and 0.075 % of children: 1,500, 700, 185 and 7.5 of 10,000; consensus, so no interval without judgement."""
    tiers = {"tier 1": 15, "tier 2": 7, "tier 3": 1.85, "tier 4": 0.075}
    rows = [{"severity": name, "age_from": 0, "age_to": 17, "estimate": value} for name, value in tiers.items()]
    workspace.prevalence(
        "tiers", rows=rows, decimals=3, uncertainty={"given": "none"},
        severity={"kind": "overlapping", "strata": list(tiers)},
    )  # fmt: skip
    workspace.population(
        "children",
        rows=[{"area_code": "N01", "area_name": "Northmere", "year": 2024, "sex": "persons", "age_from": 0, "age_to": 17,
               "persons": 10_000}],
    )  # fmt: skip
    plain = workspace.model("tiers", ages="0-17", prevalence={"sources": ["tiers"]})
    with pytest.raises((ModelError, ValueError), match="R113"):
        make_rates(plain, workspace.shelf, 20, 1)
    judged = {"sources": ["tiers"], "judged": {"relative": [0.7, 1.4], "because": "consensus of 1996"}}
    rates = make_rates(workspace.model("tiers", ages="0-17", prevalence=judged), workspace.shelf, 20, 1)
    found = need(rates, read_population(workspace.shelf, "children"), ["area", "year", "severity"])
    assert found.headline.values.ravel().tolist() == pytest.approx([1500, 700, 185, 7.5])
    assert {"R152", "W131"} <= set(rates.flags)
