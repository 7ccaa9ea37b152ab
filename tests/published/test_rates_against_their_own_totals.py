"""Rates printed by sex or age, on the shipped people, beside the total that the same publication prints."""

from __future__ import annotations

import pytest

from hna.answers.need import need
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.model.rates import make_rates
from hna.model.spec import read_model


def of_england(shelf: Shelf, model: str, population: str) -> tuple[float, float]:
    """People with the need in England, and the people of its ages."""
    rates = make_rates(read_model(shelf.model_file(model)), shelf, 20, 1)
    found = need(rates, read_population(shelf, population, ["England"]))
    return found.headline.item(), float(found.population.people.sum())


@pytest.mark.parametrize(
    ("model", "population", "printed", "tolerance"),
    [
        # Nacul 2007: men 6.8 and women 3.9 at 45 and over are 5.3 together.
        ("copd", "ons-mye-2020", 5.3, 0.05),
        # Crime Survey to March 2023: women 5.7 and men 3.2 at 16 and over are 4.4 together, each rounded.
        ("domestic-abuse", "ons-mye-2022", 4.4, 0.1),
    ],
)
def test_sexes_make_the_printed_rate_of_both(
    shipped_shelf: Shelf, model: str, population: str, printed: float, tolerance: float
) -> None:
    found, people = of_england(shipped_shelf, model, population)
    assert 100 * found / people == pytest.approx(printed, abs=tolerance)


def test_domestic_abuse_is_near_the_printed_numbers(shipped_shelf: Shelf) -> None:
    """2.1 million people in England and Wales, rounded; England is most of it and cannot be more."""
    found, _ = of_england(shipped_shelf, "domestic-abuse", "ons-mye-2022")
    assert 0.9 * 2_050_000 < found < 2_150_000


def test_young_carers_are_the_printed_number_to_its_rounding(shipped_shelf: Shelf) -> None:
    """About 120,000, and 1.4 %, which is 1.35 to 1.45 % of children of 5 to 17."""
    found, people = of_england(shipped_shelf, "young-carers", "ons-mye-2022")
    assert abs(found - 120_000) <= 0.0005 * people


def test_hearing_loss_by_age_agrees_with_its_printed_totals(shipped_shelf: Shelf) -> None:
    """13 % of all adults, few of them under 55; at 65 and over 50 % of men and 38 % of women."""
    found, _ = of_england(shipped_shelf, "hearing-loss", "ons-mye-2020")
    adults = read_population(shipped_shelf, "ons-mye-2020", ["England"])
    assert 0.12 < found / float(adults.people[..., 16:].sum()) < 0.135
    rates = make_rates(read_model(shipped_shelf.model_file("hearing-loss")), shipped_shelf, 20, 1)
    at_65 = need(rates, adults, by=["age"]).headline.sel(age=["65-74", "75-84", "85+"]).values.sum()
    assert 0.38 < at_65 / float(adults.people[..., 65:].sum()) < 0.50


def test_downs_syndrome_lies_by_another_methods_number(shipped_shelf: Shelf) -> None:
    """Births and survival gave 0.66 per 1,000 of England and Wales in 2011 (Wu and Morris 2013)."""
    found, people = of_england(shipped_shelf, "downs-syndrome", "ons-mye-2020")
    assert 1000 * found / people == pytest.approx(0.66, abs=0.03)
