"""Comparisons: paired finds what overlapping intervals hide, and nothing is found that rests on rates alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hna.answers.answer import Answer, answer
from hna.answers.comparators import ENGLAND, Surroundings, unplaced
from hna.answers.comparison import COLUMNS, Comparisons, compare_areas, signals
from hna.answers.gap import use_of
from hna.answers.known_people import known_people, rows_for
from hna.answers.need import people_in_bands
from hna.answers.paired import expected_by_area, paired, word_of
from hna.answers.plan import gap_years, people_for, plan
from hna.errors import QuantityError, SourceError
from hna.evidence.known import Known, read_known
from hna.evidence.population import read_population
from hna.evidence.shelf import Shelf
from hna.indicators.benchmark import VERDICTS
from hna.measure.areas import Area
from hna.measure.draws import normal
from hna.model.people_error import with_error
from hna.model.rates import Rates, make_rates
from hna.model.spec import Model, read_model

HALTON, SEFTON, NORTH_WEST = "E06000006", "E08000014", "E12000002"
DRAWS = 400


@dataclass
class Made:
    rates: Rates
    known: list[Known]
    found: Answer
    compared: Comparisons

    def row(self, area: str, quantity: str, comparator: str) -> Any:
        table = self.compared.table
        chosen = table[(table.area_code == area) & (table.quantity == quantity) & (table.comparator == comparator)]
        assert len(chosen) == 1
        return chosen.iloc[0]


def make(
    shelf: Shelf,
    need: str | Model,
    areas: Sequence[str] = ("Halton", "Sefton"),
    known: Sequence[Known] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Made:
    model = read_model(shelf.model_file(need)) if isinstance(need, str) else need
    counts = list(known) if known is not None else [read_known(shelf, use.source) for use in model.known]
    rates = make_rates(model, shelf, draws, 1)
    chosen = plan(shelf, areas)
    pairs, extended = gap_years(shelf, chosen, counts, None)
    people = people_for(shelf, extended, rates)
    found = answer(rates, people, counts, (), level, pairs)
    return Made(rates, counts, found, compare_areas(found, people, pairs, shelf, level))


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def dementia(shelf: Shelf) -> Made:
    return make(shelf, "dementia")


def with_errors(model: Model, **errors: float) -> Model:
    changed = model.prevalence.model_dump() | {"errors": {"because": "to see one thing", **errors}}
    return Model.model_validate(model.model_dump() | {"prevalence": changed})


# ---- the methods' own example (§7.5)


def _example(transport: float, shared: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Coverages of 66 and 59 per cent whose intervals run from 49 to 91 and from 43 to 81."""
    size, study = 20_000, np.sqrt(0.1575**2 - 0.08**2)
    common = [study * normal(1, name, size) for name in ("study", "study" if shared else "another study")]
    own = [transport * normal(1, f"place {n}", size) for n in (1, 2)]
    return tuple(cover * np.exp(a + b) for cover, a, b in zip((0.664, 0.591), common, own, strict=True))  # type: ignore[return-value]


def test_shared_errors_cancel_between_areas() -> None:
    first, second = _example(0.08)
    assert np.quantile(first, [0.025, 0.975]) == pytest.approx([0.49, 0.91], abs=0.01)
    assert np.quantile(second, [0.025, 0.975]) == pytest.approx([0.43, 0.81], abs=0.01)
    assert paired(first - second, first - second, 0.95).p_least == pytest.approx(0.84, abs=0.01)
    first, second = _example(0.08, shared=False)
    assert paired(first - second, first - second, 0.95).p_least == pytest.approx(0.70, abs=0.01)
    first, second = _example(0.0)
    assert paired(first - second, first - second, 0.95).p_least == 1.0


def test_paired_finds_a_difference_that_overlapping_intervals_hide() -> None:
    first, second = _example(0.02)
    found = paired(first - second, first - second, 0.95)
    assert np.quantile(second, 0.975) > np.quantile(first, 0.5)
    assert word_of(0.07, found, "high-is-good", 0.95) == "sig_better"
    assert word_of(0.07, found, "none", 0.95) == "sig_higher"
    assert word_of(-0.07, paired(second - first, second - first, 0.95), "high-is-good", 0.95) == "sig_worse"


def test_no_difference_is_similar_and_hidden_counts_must_agree() -> None:
    nothing = np.zeros(DRAWS)
    assert word_of(0.0, paired(nothing, nothing, 0.95), "none", 0.95) == "similar"
    apart = paired(nothing - 1, nothing + 1, 0.95)
    assert (apart.p_least, apart.p_most) == (0.0, 1.0)
    assert word_of(0.5, apart, "none", 0.95) == "ns_higher"
    with pytest.raises(QuantityError):
        paired(nothing, nothing, 95)


# ---- the draws of the comparator


@pytest.mark.parametrize("need", ["dementia", "heart-failure", "adhd"])
@pytest.mark.parametrize("transport", [0.0, 0.3])
def test_the_fast_path_has_the_draws_of_the_rate(shelf: Shelf, need: str, transport: float) -> None:
    model = with_errors(read_model(shelf.model_file(need)), study=0.2, staleness=0.01, transport=transport)
    _same_draws(shelf, make_rates(model, shelf, 200, 3))


def test_alternatives_have_the_draws_of_the_rate(shelf: Shelf, small) -> None:
    small.prevalence("lower", rows=small.rates_rows(scale=0.2))
    _same_draws(
        shelf,
        make_rates(
            small.model(prevalence={"sources": ["own-study", "lower"], "combine": "mixture"}), small.shelf, 200, 3
        ),
    )


def _same_draws(shelf: Shelf, rates: Rates) -> None:
    people = people_in_bands(rates, read_population(shelf, "ons-mye-2020", [HALTON, SEFTON, "E06000001"], [2020]))
    codes = [area.code for area in people.areas]
    found = expected_by_area(rates, codes, people.people[:, 0], 2020)
    slow = [
        np.tensordot(here, rates.at(code, 2020)[0], axes=2)
        for code, here in zip(codes, people.people[:, 0], strict=True)
    ]
    np.testing.assert_allclose(found, slow, rtol=1e-9)


def test_the_region_is_the_sum_of_its_authorities_draw_by_draw(shelf: Shelf, dementia: Made) -> None:
    rates, counts = dementia.rates, dementia.known[0]
    pool = Surroundings(shelf).pool(Surroundings(shelf).of(HALTON)[0], HALTON, set(counts.area_code.tolist()))
    assert HALTON in pool.members
    assert len(pool.members) == 39
    people = with_error(shelf, people_in_bands(rates, read_population(shelf, "ons-mye-2020", pool.members, [2020])))
    need = {
        area.code: np.tensordot(here[0], rates.at(area.code, 2020)[0], axes=2)
        * people.error.factors(area.code, 2020, rates.seed, rates.size)[0]
        for area, here in zip(people.areas, people.people, strict=True)
    }
    use = use_of(rates.model, counts.source.id)

    def known(codes: Sequence[str]) -> np.ndarray:
        held = counts.take(np.isin(counts.area_code.astype(str), codes))
        rows = rows_for(held, rates.model.band, "persons", bridged=True)
        return known_people(held, rows, use, rates.seed, rates.size).low

    own = known([HALTON]) / need[HALTON]
    rest = [code for code in pool.members if code != HALTON]
    everyone = known(pool.members) / sum(need.values())
    others = known(rest) / sum(need[code] for code in rest)
    row = dementia.row(HALTON, "coverage", "region")
    assert row.comparator_value == pytest.approx(np.median(everyone), rel=1e-9)
    assert [row.difference_lower, row.difference_upper] == pytest.approx(
        np.quantile(own - everyone, [0.025, 0.975]), rel=1e-9
    )
    # Taking the area out of the comparator changes the size of the difference in a draw, never its sign.
    np.testing.assert_array_equal(own > everyone, own > others)
    np.testing.assert_allclose(own - everyone, (1 - need[HALTON] / sum(need.values())) * (own - others), rtol=1e-9)
    assert row.p_higher == pytest.approx((own > others).mean())


def test_the_gap_is_beside_the_gap_at_the_comparators_coverage(dementia: Made) -> None:
    for comparator in ("region", "england", "statistical-neighbours"):
        gap, coverage = (dementia.row(SEFTON, quantity, comparator) for quantity in ("gap", "coverage"))
        assert gap.estimate - gap.comparator_value == pytest.approx(gap.difference)
        assert coverage.estimate - coverage.comparator_value == pytest.approx(coverage.difference)
        assert gap.p_higher == pytest.approx(1 - coverage.p_higher)
        assert gap.difference_lower <= gap.difference <= gap.difference_upper
        assert gap.polarity == "low-is-good"
        assert coverage.polarity == "high-is-good"
        assert gap.unit == "people"


def test_the_lookups_are_cited(dementia: Made) -> None:
    assert [one.id for one in dementia.compared.citations] == ["ltla-utla-region-england", "dfe-2025-neighbours"]
    assert all(one.words for one in dementia.compared.citations)


def test_estimates_are_those_of_the_answer(dementia: Made) -> None:
    figures = dementia.found.figures.query("severity == '' and sex == 'persons' and age_band == 'all'")
    own = figures.set_index(["area_code", "year", "quantity"])
    for row in dementia.compared.table.itertuples():
        printed = own.loc[(row.area_code, row.year, row.quantity)]
        assert (row.estimate, row.lower, row.upper) == (printed.estimate, printed.lower, printed.upper)


# ---- what may be said


def test_every_row_is_in_the_vocabulary(dementia: Made) -> None:
    table = dementia.compared.table
    assert list(table.columns) == list(COLUMNS)
    assert set(table.verdict) <= set(VERDICTS)
    assert len(table) == 2 * 3 * 3
    heads = tuple(text.partition("{")[0].strip() for text in VERDICTS.values() if not text.startswith("{"))
    for text in table.sentence:
        assert text.startswith((*heads, "Above", "Below"))


def test_expected_prevalence_is_never_tested(shelf: Shelf) -> None:
    for need in ("dementia", "adhd"):
        table = make(shelf, need).compared.table
        rates_alone = table[table.quantity == "prevalence"]
        assert len(rates_alone) == 6
        assert set(rates_alone.verdict) == {"not_tested"}
        assert rates_alone["p_higher"].isna().all()
        assert rates_alone["flags"].str.contains("R401").all()
        assert rates_alone["sentence"].str.contains("not statistically compared because").all()


def _counted(made: Made, shelf: Shelf, share: Mapping[str, float] | float) -> Known:
    """Counts that are a share of what the published rates alone would give."""
    counts, rates = made.known[0], made.rates
    people = people_in_bands(rates, read_population(shelf, "ons-mye-2020", None, [2020]))
    expected = dict(
        zip([a.code for a in people.areas], (people.people[:, 0] * rates.mean()[0]).sum(axis=(1, 2)), strict=True)
    )
    told = [
        round(expected.get(code, 0.0) * (share if isinstance(share, float) else share.get(code, 0.6)))
        for code in counts.area_code.tolist()
    ]
    whole = np.array(told, dtype=float)
    return replace(counts, count=whole, lower=whole, upper=whole)


@pytest.mark.parametrize("share", [0.15, 0.4, 0.667, 0.95, 1.3])
def test_nothing_is_found_where_counts_follow_the_rates(dementia: Made, shelf: Shelf, share: float) -> None:
    """Areas differ in age and sex, so in expected prevalence; where that is all, no test finds a difference."""
    made = make(shelf, "dementia", known=[_counted(dementia, shelf, share)], draws=100)
    tested = made.compared.table[made.compared.table.quantity != "prevalence"]
    assert not tested.verdict.str.startswith("sig_").any()
    assert not tested.verdict.isin(["not_tested", "not_comparable"]).any()


def test_a_place_that_knows_more_is_found(dementia: Made, shelf: Shelf) -> None:
    made = make(shelf, "dementia", known=[_counted(dementia, shelf, {HALTON: 0.9, SEFTON: 0.4})])
    up, down = made.row(HALTON, "coverage", "england"), made.row(SEFTON, "gap", "region")
    assert (up.verdict, up.sentence) == ("sig_better", "Significantly better than the England average")
    assert (down.verdict, down.sentence) == ("sig_worse", "Significantly worse than the North West average")
    assert up.lower < up.comparator_upper, "the two intervals overlap"
    assert up.people == pytest.approx(up.difference * up.n)
    found = signals(made.compared.table, 0.95)
    assert found.tested == 6
    assert found.significant == 6
    assert found.expected == pytest.approx(0.3)


def test_nothing_known_anywhere_is_similar(dementia: Made, shelf: Shelf) -> None:
    made = make(shelf, "dementia", known=[_counted(dementia, shelf, 0.0)])
    assert set(made.compared.table.query("quantity != 'prevalence'").verdict) == {"similar"}


def test_without_an_error_of_places_nothing_is_tested(shelf: Shelf) -> None:
    model = with_errors(read_model(shelf.model_file("dementia")), study=0.2, staleness=0.0, transport=0.0)
    row = make(shelf, model).row(SEFTON, "coverage", "england")
    assert row.verdict == "not_tested"
    assert row.p_higher < 0.02, "nearly every draw agrees: that is the assumption speaking"
    assert "W731" in row["flags"]
    assert "the model allows places no error of their own" in row.sentence


def test_an_assumed_error_of_places_is_flagged(shelf: Shelf, dementia: Made) -> None:
    model = read_model(shelf.model_file("dementia"))
    bare = Model.model_validate(
        model.model_dump() | {"prevalence": model.prevalence.model_dump() | {"errors": {"study": 0.2, "because": "so"}}}
    )
    assert "W731" in make(shelf, bare).row(SEFTON, "coverage", "england")["flags"]
    assert "W731" not in dementia.row(SEFTON, "coverage", "england")["flags"]


def test_polarity_comes_from_a_target(shelf: Shelf) -> None:
    row = make(shelf, "chronic-kidney-disease").row(SEFTON, "coverage", "england")
    assert row.polarity == "none"
    assert row.verdict in {"sig_higher", "sig_lower", "ns_higher", "ns_lower", "similar"}


def test_few_draws_test_nothing(shelf: Shelf) -> None:
    row = make(shelf, "dementia", draws=39).row(SEFTON, "coverage", "england")
    assert row.verdict == "not_tested"
    assert "too few draws" in row.sentence


# ---- whose counts are pooled


def _without(counts: Known, codes: Sequence[str]) -> Known:
    hidden = np.isin(counts.area_code.astype(str), codes)
    return replace(
        counts, count=np.where(hidden, np.nan, counts.count), lower=np.where(hidden, 1.0, counts.lower),
        upper=np.where(hidden, 7.0, counts.upper),
    )  # fmt: skip


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_neighbours_follow_the_halton_rules(dementia: Made, shelf: Shelf, gone: int) -> None:
    group = [code for code in next(iter(Surroundings(shelf).groups(HALTON))).group if code != HALTON][:gone]
    row = make(shelf, "dementia", known=[_without(dementia.known[0], group)]).row(
        HALTON, "coverage", "statistical-neighbours"
    )
    assert row.missing == gone
    assert ("W861" in row["flags"]) == (gone in (1, 2))
    assert ("R862" in row["flags"]) == (gone == 3)
    assert (row.verdict == "not_comparable") == (gone == 3)
    assert pd.isna(row.comparator_value) == (gone == 3)
    if gone < 3:
        assert row.members == 10 - gone


def test_a_region_with_few_counts_is_not_comparable(dementia: Made, shelf: Shelf) -> None:
    counts = dementia.known[0]
    own = counts.take(np.isin(counts.area_code.astype(str), [HALTON, SEFTON]))
    made = make(shelf, "dementia", known=[own])
    for comparator in ("region", "england", "statistical-neighbours"):
        row = made.row(HALTON, "coverage", comparator)
        assert row.verdict == "not_comparable"
        assert row.sentence == "Not statistically comparable"
        assert "R862" in row["flags"]
        assert pd.isna(row.comparator_value)


def test_a_printed_total_stands_for_a_region(dementia: Made, shelf: Shelf) -> None:
    counts = dementia.known[0]
    members = (
        Surroundings(shelf).pool(Surroundings(shelf).of(HALTON)[0], HALTON, set(counts.area_code.tolist())).members
    )
    total = float(counts.count[np.isin(counts.area_code.astype(str), members)].sum())
    two = counts.take(np.isin(counts.area_code.astype(str), [HALTON, SEFTON]))
    names = two.area_code.copy()
    names[list(names).index(SEFTON)] = NORTH_WEST
    value = np.where(names == NORTH_WEST, total, two.count)
    printed = replace(two, area_code=names, count=value, lower=value, upper=value)
    made = make(shelf, "dementia", areas=["Halton"], known=[printed])
    row, summed = made.row(HALTON, "coverage", "region"), dementia.row(HALTON, "coverage", "region")
    assert row.comparator_value == pytest.approx(summed.comparator_value, rel=0.01)
    # Halton lies so near its region that which side it falls on is chance: neither differs.
    assert {row.verdict, summed.verdict} <= {"ns_lower", "ns_higher", "similar"}


def test_a_hidden_count_of_the_area_itself_is_not_comparable(dementia: Made, shelf: Shelf) -> None:
    row = make(shelf, "dementia", known=[_without(dementia.known[0], [HALTON])]).row(HALTON, "coverage", "england")
    assert row.verdict == "not_comparable"
    assert pd.isna(row.estimate)


def test_haltons_own_group_counts_halton_among_eleven(shelf: Shelf) -> None:
    latest, halton = Surroundings(shelf).groups(HALTON)
    assert (latest.code, len(latest.group), latest.includes_self) == ("dfe-2025-neighbours", 10, False)
    assert (halton.code, len(halton.group), halton.includes_self) == ("halton-2014-neighbours", 11, True)


def test_a_county_among_neighbours_is_its_districts(shelf: Shelf) -> None:
    around = Surroundings(shelf)
    group = next(around.groups(SEFTON))
    counties = [code for code in group.group if code.startswith("E10")]
    districts = set(around.nesting(counties[0]).children(counties[0]))
    pool = around.pool(group, SEFTON, districts | (set(group.group) - set(counties)))
    assert districts <= set(pool.members)
    assert counties[0] not in pool.members
    assert set(pool.missing) == set(counties[1:])
    partial = around.pool(group, SEFTON, set(sorted(districts)[1:]))
    assert counties[0] in partial.missing


def test_england_counts_a_county_or_its_districts_never_both(shelf: Shelf) -> None:
    around = Surroundings(shelf)
    held = {area.code for area in read_population(shelf, "ons-mye-2020", None, [2020]).areas}
    pool = around.pool(around.of(HALTON, ["england"])[0], HALTON, held)
    for code in pool.members:
        assert not set(around.nesting(code).ancestors(code)) & set(pool.members)
    assert not any(code.startswith(("E12", "E92")) for code in pool.members)
    assert around.of(ENGLAND) == []


def test_a_group_of_mixed_vintages_is_refused(workspace: Any) -> None:
    rows = [{"child": f"E0600000{n}", "parent": HALTON, "vintage": 2020 + n, "best_fit": "false"} for n in (1, 2)]
    _areas(workspace, "own-neighbours", rows)
    with pytest.raises(SourceError, match="several vintages"):
        Surroundings(workspace.shelf).of(HALTON)


def test_the_analysts_own_group_comes_first(workspace: Any) -> None:
    rows = [{"child": f"E0600000{n}", "parent": HALTON, "vintage": 2001, "best_fit": "false"} for n in (1, 2)]
    _areas(workspace, "own-neighbours", rows)
    assert Surroundings(workspace.shelf).of(HALTON)[-1].group == ("E06000001", "E06000002")


def _areas(workspace: Any, name: str, rows: list[dict[str, object]]) -> None:
    import csv

    from ruamel.yaml import YAML

    folder = workspace.root / "data" / "areas" / name
    folder.mkdir(parents=True)
    citation = {
        "authors": "A. Analyst", "year": 2024, "title": "Group", "container": "Council", "locator": None, "doi": None,
        "url": None, "licence": "own work",
    }  # fmt: skip
    with (folder / "source.yaml").open("w") as stream:
        YAML(typ="safe", pure=True).dump(
            {"id": name, "kind": "areas", "citation": citation, "read_from": "primary table"}, stream
        )
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_places_in_no_lookup_are_said_and_not_compared(small: Any) -> None:
    made = make(small.shelf, "sleeplessness", areas=())
    assert made.compared.table.empty
    assert "Northmere (N01)" in made.compared.notes[0]
    assert "in no lookup that gives their region, nation or statistical neighbours" in made.compared.notes[0]


def test_areas_that_nothing_stands_beside_are_told_together() -> None:
    areas = [Area(f"T{n:02d}", f"Town {n}") for n in range(7)]
    one, many = unplaced({("region",): areas[:1], ("england", "statistical-neighbours"): areas})
    assert one == "Town 0 (T00) is in no lookup that gives its region"
    assert many.startswith("7 areas are in no lookup that gives their nation or statistical neighbours: Town 0 (T00), ")
    assert many.endswith("Town 4 (T04) and 2 more")
