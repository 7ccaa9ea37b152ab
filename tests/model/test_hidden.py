"""People on no list: published and closed-form answers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hna.answers.need import need
from hna.errors import HnaError, ModelError, QuantityError
from hna.evidence.population import read_population
from hna.model.hidden import _hierarchical, multiplier, several_lists, two_lists
from hna.model.rates import make_rates
from hna.model.spec_local import Benchmark

# Spina bifida in upstate New York by birth certificate, death certificate and rehabilitation file (Hook, Albright and
# Cross 1980, Am J Epidemiol 112:750-758).
SPINA_BIFIDA = {
    (1, 0, 0): 60, (0, 1, 0): 49, (1, 1, 0): 4, (0, 0, 1): 247, (1, 0, 1): 112, (0, 1, 1): 142, (1, 1, 1): 12,
}  # fmt: skip
NAMES = ("birth", "death", "rehabilitation")


def test_two_lists_as_the_methods_page_has_them():
    found = two_lists(200, 150, 60)
    assert found.total == pytest.approx(496.6, abs=0.05)
    assert found.interval() == pytest.approx((431, 593), abs=0.6)
    draws = found.draw(1, "x", 20_000)
    assert draws.mean() == pytest.approx(found.total, rel=2e-3)
    assert draws.min() > found.observed
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx(found.interval(), rel=0.02)


def test_two_lists_that_are_one():
    found = two_lists(50, 50, 50)
    assert (found.total, found.interval()) == (50, (50, 50))
    with pytest.raises(QuantityError):
        two_lists(10, 5, 6)


def test_the_number_of_hierarchical_models():
    assert [len(list(_hierarchical(lists))) for lists in (3, 4, 5)] == [8, 113, 1024]


def test_log_linear_models_have_their_closed_forms():
    found = several_lists(SPINA_BIFIDA, NAMES)
    everything = {model.model: model for model in found.near}
    n = SPINA_BIFIDA
    pairs = n[1, 1, 1] * n[1, 0, 0] * n[0, 1, 0] * n[0, 0, 1] / (n[1, 1, 0] * n[1, 0, 1] * n[0, 1, 1])
    full = "birth×death + birth×rehabilitation + death×rehabilitation"
    if full in everything:
        assert everything[full].unseen == pytest.approx(pairs, rel=1e-6)
    assert found.flags == ("W621",)
    assert len(found.near) + found.others + len(found.failed) == 8
    assert found.near[0].observed == 626
    low, high = found.span()
    assert low < min(model.total for model in found.near) <= max(model.total for model in found.near) < high
    assert "cannot choose" in found.words


def test_independent_lists_are_recovered():
    share, people = (0.5, 0.4, 0.3), 10_000
    counts = {
        cell: round(people * np.prod([p if on else 1 - p for p, on in zip(share, cell, strict=True)]))
        for cell in SPINA_BIFIDA
    }
    found = several_lists(counts, NAMES)
    assert found.near[0].model == "independent"
    assert found.near[0].total == pytest.approx(people, rel=1e-3)


def test_models_that_fit_alike_differ_widely_and_the_best_may_be_wrong():
    """As in Bristol (Jones et al 2014): people of two kinds, 3,000 in all, on four lists; the best model misses them."""
    kinds = ((0.7, (0.12, 0.10, 0.06, 0.05)), (0.3, (0.45, 0.35, 0.20, 0.25)))
    counts = {
        cell: round(
            sum(
                3000 * share * np.prod([p if on else 1 - p for p, on in zip(chances, cell, strict=True)])
                for share, chances in kinds
            )
        )
        for cell in product((0, 1), repeat=4)
        if any(cell)
    }
    found = several_lists(counts, ("a", "b", "c", "d"))
    totals = [model.total for model in found.near]
    assert len(totals) > 10
    assert max(totals) - min(totals) > 500
    assert found.near[0].interval()[1] < 3000
    low, high = found.span()
    assert low < 3000 < high
    assert found.flags == ("W621",)


def test_too_few_lists_or_strange_patterns_are_refused():
    with pytest.raises(ModelError) as told:
        several_lists({(1, 0): 5}, ("a", "b"))
    assert told.value.codes == ("R623",)
    with pytest.raises(QuantityError):
        several_lists({(0, 0, 0): 5}, NAMES)


def test_multiplier_as_the_methods_page_has_it():
    found = multiplier(300, 50, 200, 1, "x", 50_000)
    assert found.point == 1200
    assert found.draws.mean() == pytest.approx(1218, abs=1)
    assert found.interval() == pytest.approx((961, 1556), abs=4)
    with pytest.raises(QuantityError):
        multiplier(300, 0, 200, 1, "x", 10)


# --- the model file -------------------------------------------------------------------------------------------------


def reached(small, **changed):
    """A register of 300 in one place, a survey in which 50 of 200 with the need were on it, and a model of both."""
    share = {"measure": "proportion-of-cases", "uncertainty": {"given": "counts"}} | changed.get("share", {})
    small.prevalence("share-known", [{"cases": 50, "sample": 200}], **share)
    errors = {"study": 0.0, "transport": 0.0, "staleness": 0.0, "because": "none, to see one thing"}
    use = {
        "known": "own-register",
        "population": "own-people",
        "area": "N01",
        "year": 2024,
        "because": "one definition",
    }
    prevalence = {"sources": ["share-known"], "combine": "multiplier", "errors": errors}
    return small.model("reached", prevalence=prevalence | {"multiplier": use | changed.get("use", {})})


def test_a_multiplier_runs_from_a_model_file(small):
    rates = make_rates(reached(small), small.shelf, 5000, 1)
    people = need(rates, read_population(small.shelf, "own-people", ["N01"], [2024]))
    assert float(people.headline.sum()) == pytest.approx(1200)
    assert float(people.draws.mean("draw").sum()) == pytest.approx(1200, rel=0.01)
    table = people.interval()
    assert (float(table["lower"].iloc[0]), float(table["upper"].iloc[0])) == pytest.approx((945, 1535), rel=0.03)
    assert {source.id for source in rates.citations} == {"share-known", "own-register", "own-people"}
    assert any("300 people known" in note for note in rates.notes)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"share": {"condition": "wakefulness"}}, "R624"),
        ({"share": {"measure": "point"}}, "R624"),
        ({"use": {"year": 2023}}, ""),
    ],
)
def test_a_multiplier_of_different_things_is_refused(small, changed, code):
    with pytest.raises(HnaError) as told:
        make_rates(reached(small, **changed), small.shelf, 100, 1)
    assert told.value.codes == ((code,) if code else ())


def listed(small, patterns, **changed):
    """Lists of one place, each row those on exactly the lists named, and a model of them."""
    rows = [
        {"area_code": "N01", "area_name": "Northmere", "year": 2024, "sex": "persons", "age_from": 65, "age_to": "",
         "service": on, "count": count}
        for on, count in patterns.items()
    ]  # fmt: skip
    small.known("own-lists", rows, **changed.get("known", {}))
    use = {
        "known": "own-lists",
        "population": "own-people",
        "area": "N01",
        "year": 2024,
        "because": "matched by number",
    }
    errors = {"study": 0.0, "transport": 0.0, "staleness": 0.0, "because": "none, to see one thing"}
    prevalence = {"sources": [], "combine": "capture-recapture", "errors": errors, **changed.get("prevalence", {})}
    return small.model("listed", prevalence=prevalence | {"lists": use | changed.get("use", {})})


def test_two_lists_run_from_a_model_file(small):
    rates = make_rates(listed(small, {"a": 140, "b": 90, "a+b": 60}), small.shelf, 5000, 1)
    people = need(rates, read_population(small.shelf, "own-people", ["N01"], [2024]))
    assert float(people.headline.sum()) == pytest.approx(496.6, abs=0.1)
    assert float(people.draws.mean("draw").sum()) == pytest.approx(496.6, rel=0.01)
    table = people.interval()
    assert (float(table["lower"].iloc[0]), float(table["upper"].iloc[0])) == pytest.approx((431, 593), rel=0.05)
    assert "W621" in rates.flags
    assert {source.id for source in rates.citations} == {"own-lists", "own-people"}
    checked = make_rates(
        listed(small, {"a": 140, "b": 90, "a+b": 60}, use={"validated": "deaths, Smith 2020"}), small.shelf, 100, 1
    )
    assert "W621" not in checked.flags


def test_many_lists_are_an_envelope(small):
    names = {n: "+".join(name for name, on in zip(NAMES, n, strict=True) if on) for n in SPINA_BIFIDA}
    rates = make_rates(listed(small, {names[n]: k for n, k in SPINA_BIFIDA.items()}), small.shelf, 500, 1)
    envelope = several_lists(SPINA_BIFIDA, NAMES)
    held = [float(one.mean().sum()) for one in (rates, *rates.scenarios)]
    people = read_population(small.shelf, "own-people", ["N01"], [2024]).on(("persons",), rates.ages).people.sum()
    totals = [model.total for model in envelope.near]
    assert held[0] * people == pytest.approx(envelope.near[0].total)
    assert min(held) * people == pytest.approx(min(totals))
    assert max(held) * people == pytest.approx(max(totals))
    assert {"W301", "W621"} <= set(rates.flags)


def test_other_models_of_the_lists_are_carried_to_places_too(small):
    names = {n: "+".join(name for name, on in zip(NAMES, n, strict=True) if on) for n in SPINA_BIFIDA}
    small.prevalence("everybody", small.rates_rows())
    held = {
        "method": "benchmark", "source": "everybody", "benchmark": "N01", "population": "own-people", "year": 2024,
        "same_definition": "both are of this made-up need", "because": "a test",
    }  # fmt: skip
    named = listed(small, {names[n]: k for n, k in SPINA_BIFIDA.items()})
    rates = make_rates(named.model_copy(update={"local": [Benchmark.model_validate(held)]}), small.shelf, 200, 1)
    assert len(rates.scenarios) > 1
    here = rates.mean("N01").item()
    assert here != pytest.approx(rates.mean().item(), rel=0.01)
    for one in rates.scenarios:
        assert one.mean("N01").item() == pytest.approx(here, rel=1e-6), "one total, whatever the lists say"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"combine": "single", "sources": ["own-study"]}, "lists would not be used: write combine: capture-recapture"),
        ({"severity": "split"}, "severity would not be used under combine: capture-recapture"),
        ({"pool": {"monotone": True}}, "pool would not be used: write combine: random-effects or hierarchical-by-age"),
    ],
)
def test_what_lists_do_not_use_is_told(small, changed, words):
    with pytest.raises(HnaError, match=words):
        listed(small, {"a": 140, "b": 90, "a+b": 60}, prevalence=changed)


def test_lists_fitted_here_are_those_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    cells = np.array(list(SPINA_BIFIDA), dtype=float)
    y = np.array(list(SPINA_BIFIDA.values()), dtype=float)
    design = np.column_stack([np.ones(7), cells, cells[:, 0] * cells[:, 1]])
    fitted = sm.GLM(y, design, family=sm.families.Poisson()).fit(tol=1e-12)
    mine = next(one for one in several_lists(SPINA_BIFIDA, NAMES).near if one.model == "birth×death")
    assert mine.unseen == pytest.approx(np.exp(fitted.params[0]), rel=1e-9)
    assert mine.aic == pytest.approx(fitted.aic, abs=1e-6)
    assert mine.variance == pytest.approx(mine.unseen**2 * fitted.bse[0] ** 2 + mine.unseen, rel=1e-6)


@pytest.mark.parametrize(
    ("patterns", "changed", "code"),
    [
        ({"a": 10}, {}, "R623"),
        ({"a": 140, "b": 90}, {}, "R623"),
        ({"a": 140, "b": 90, "a+b": 60}, {"known": {"count_kind": "episodes"}}, "R604"),
        ({"a": 100_000, "b": 90_000, "a+b": 60}, {}, "R624"),
    ],
)
def test_lists_that_say_nothing_are_refused(small, patterns, changed, code):
    with pytest.raises(HnaError) as told:
        make_rates(listed(small, patterns, **changed), small.shelf, 100, 1)
    assert told.value.codes == (code,)


def test_a_model_without_sources_is_refused(small):
    with pytest.raises(HnaError, match="name one source or more"):
        small.model("listed", prevalence={"sources": []})
