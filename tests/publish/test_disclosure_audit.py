"""The attacker against tables that are small enough to be counted out, and what is hidden against every other choice."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource
from hna.measure.areas import Nesting
from hna.publish.disclosure_audit import Attacker, audit, breaches, suppress
from hna.publish.disclosure_cells import Cell, Release, families, system_of
from hna.publish.disclosure_presets import DisclosureError, Rule, read_presets

NOWHERE = Nesting({})
PRESETS = read_presets(Shelf())
SOURCE = Shelf().record(KnownSource, "qof-dementia-2019-20")
HES, ONS, DFE = (PRESETS.rule(name, SOURCE) for name in ("nhs_hes", "ons_births_deaths", "dfe"))
Table = dict[tuple[str, str], int]
SEXES, BANDS = ("female", "male"), ((65, 75), (75, 150))


def cell(sex: str = "persons", low: int = 65, end: int = 150, area: str = "N01") -> Cell:
    return Cell("sleep", area, sex, "", low, end)


def release(of: Cell, count: float, rule: Rule) -> Release:
    found = Release(of, count, count, largest=rule.threshold, truth=count)
    if count == 0:
        return found
    if rule.small(count):
        return Release(of, 0, np.inf, True, True, rule.threshold, truth=count)
    return Release(of, *rule.range_of(rule.rounded(count)), largest=rule.threshold, truth=count)


def two_by_two(counts: tuple[int, int, int, int]) -> dict[Cell, int]:
    """Sex × age with every margin."""
    inner = {(sex, band): counts[2 * x + b] for x, sex in enumerate(SEXES) for b, band in enumerate(BANDS)}
    found = {cell(sex, *band): count for (sex, band), count in inner.items()}
    found |= {cell(sex): sum(inner[sex, band] for band in BANDS) for sex in SEXES}
    found |= {cell("persons", *band): sum(inner[sex, band] for sex in SEXES) for band in BANDS}
    return found | {cell(): sum(inner.values())}


def possible(releases: list[Release], most: int, marks: bool = True) -> np.ndarray:
    """Every 2 × 2 table that agrees with the prints, by trying them all."""
    grid = np.indices((most + 1,) * 4).reshape(4, -1).T
    keep = np.ones(len(grid), dtype=bool)
    for one in releases:
        lower, upper = (1, one.largest) if marks and one.small else (one.lower, one.upper)
        value = values(one.cell, grid)
        keep &= (value >= lower) & (value <= upper)
    return grid[keep]


def values(of: Cell, tables: np.ndarray) -> np.ndarray:
    columns = [
        2 * x + b for x, sex in enumerate(SEXES) for b, (low, end) in enumerate(BANDS)
        if of.sex in ("persons", sex) and of.low <= low and end <= of.end
    ]  # fmt: skip
    return tables[:, columns].sum(axis=1)


small_tables = st.tuples(*[st.integers(0, 11)] * 4)


@given(small_tables, st.sampled_from([HES, ONS, DFE]))
@settings(max_examples=25)
def test_the_attacker_finds_what_counting_out_finds(counts: tuple[int, int, int, int], rule: Rule) -> None:
    releases = [release(of, count, rule) for of, count in sorted(two_by_two(counts).items())]
    attacker = Attacker(system_of(releases, NOWHERE), marks=True)
    tables = possible(releases, 16)
    for n, one in enumerate(releases):
        bound = attacker.bound(attacker.system.rows[n])
        seen = values(one.cell, tables)
        assert (bound.least, bound.most) == (seen.min(), seen.max()), one.cell


@given(small_tables, st.sampled_from([HES, ONS, DFE]))
@settings(max_examples=25)
def test_no_hidden_count_can_be_counted_out(counts: tuple[int, int, int, int], rule: Rule) -> None:
    releases = [release(of, count, rule) for of, count in sorted(two_by_two(counts).items())]
    safe = suppress(releases, rule, NOWHERE)
    tables = possible(safe, 24 if rule is ONS else 18)
    marked = possible([one for one in safe if one.small or one.upper == 0], 18)
    for one in safe:
        if one.hidden:
            seen = np.unique(values(one.cell, tables))
            told = np.unique(values(one.cell, marked))
            assert seen[-1] - seen[0] + 1 >= rule.values or seen[0] > rule.threshold or seen.tolist() == told.tolist()
        elif one.truth == 0:
            assert (one.lower, one.upper) == (0, 0)
    assert not audit(safe, lambda _: rule, NOWHERE)
    assert [one.cell for one in safe if one.hidden and one.truth == 0] == []
    assert suppress(releases, rule, NOWHERE) == safe


def test_the_plain_table_gives_the_count_away() -> None:
    releases = [release(of, count, ONS) for of, count in sorted(two_by_two((2, 20, 12, 15)).items())]
    system = system_of(releases, NOWHERE)
    hidden = next(n for n, one in enumerate(releases) if one.hidden)
    bound = Attacker(system, marks=False).bound(system.rows[hidden])
    assert (bound.least, bound.most) == (2, 2)
    found = breaches(system, ONS)
    assert any("exactly 2" in str(breach) for breach in found)


@pytest.mark.parametrize("counts", [(2, 20, 12, 15), (1, 1, 30, 40), (2, 9, 0, 14)])
def test_what_is_hidden_is_the_cheapest_that_is_safe(counts: tuple[int, int, int, int]) -> None:
    releases = [release(of, count, ONS) for of, count in sorted(two_by_two(counts).items())]
    safe = suppress(releases, ONS, NOWHERE)
    paid = sum(1 + (one.truth or 0) for one, was in zip(safe, releases, strict=True) if one.hidden and not was.hidden)
    free = [n for n, one in enumerate(releases) if not one.hidden and one.truth]
    system = system_of(releases, NOWHERE)
    for size in range(len(free) + 1):
        for chosen in combinations(free, size):
            if sum(1 + (releases[n].truth or 0) for n in chosen) < paid:
                tried = [one.withheld() if n in chosen else one for n, one in enumerate(releases)]
                assert breaches(
                    type(system)(tuple(tried), system.rows, system.equal, system.cells, system.implied), ONS
                )


@given(small_tables, st.integers(0, 2**9 - 1))
@settings(max_examples=25)
def test_a_part_of_a_release_never_says_more(counts: tuple[int, int, int, int], mask: int) -> None:
    releases = [release(of, count, HES) for of, count in sorted(two_by_two(counts).items())]
    kept = [one for n, one in enumerate(releases) if mask >> n & 1]
    whole = system_of(releases, NOWHERE)
    part = type(whole)(
        tuple(kept), whole.rows[[n for n in range(9) if mask >> n & 1]], whole.equal, whole.cells, whole.implied
    )
    everything, some = Attacker(whole, marks=True), Attacker(part, marks=True)
    for row in whole.rows:
        all_told, part_told = everything.bound(row), some.bound(row)
        assert part_told.least <= all_told.least
        assert part_told.most >= all_told.most


WARDS = Nesting({f"E0500000{n}": ("E06000001",) for n in (1, 2, 3)})


def wards(rule: Rule, counts: dict[str, int]) -> list[Release]:
    return [release(cell(area=area), count, rule) for area, count in sorted(counts.items())]


def test_an_authority_less_its_wards_is_the_ward_that_is_left_out() -> None:
    releases = wards(ONS, {"E06000001": 99, "E05000001": 40, "E05000002": 57})
    found = audit(releases, lambda _: ONS, WARDS)
    assert any(str(breach).endswith("exactly 2") for breach in found)
    safe = suppress(releases, ONS, WARDS)
    assert [one.cell.area for one in safe if one.hidden] == ["E05000001"]
    assert not audit(safe, lambda _: ONS, WARDS)


def test_rounding_alone_protects_a_ward_that_is_left_out() -> None:
    releases = wards(HES, {"E06000001": 100, "E05000001": 40, "E05000002": 57})
    assert suppress(releases, HES, WARDS) == releases
    hidden = suppress(wards(HES, {"E06000001": 100, "E05000001": 40, "E05000002": 57, "E05000003": 3}), HES, WARDS)
    assert [one.cell.area for one in hidden if one.hidden] == ["E05000003"]


def test_two_bandings_differ_by_one_year_of_age() -> None:
    releases = [release(cell(low=0, end=end), count, ONS) for end, count in ((18, 60), (19, 62))]
    found = audit(releases, lambda _: ONS, NOWHERE)
    assert any("exactly 2" in str(breach) for breach in found)
    safe = suppress(releases, ONS, NOWHERE)
    assert [one.hidden for one in safe] == [True, False]


def test_bands_that_cross_are_cut_at_every_limit() -> None:
    releases = [
        release(cell(low=low, end=end), count, ONS) for low, end, count in ((0, 18, 60), (10, 25, 30), (0, 25, 88), (18, 25, 28))
    ]  # fmt: skip
    assert any("10-17" in str(breach) for breach in audit(releases, lambda _: ONS, NOWHERE))
    assert not audit(suppress(releases, ONS, NOWHERE), lambda _: ONS, NOWHERE)


def test_what_is_out_already_cannot_be_taken_back() -> None:
    releases = [replace(one, public=True) for one in wards(ONS, {"E06000001": 99, "E05000001": 40, "E05000002": 57})]
    with pytest.raises(DisclosureError, match="R1003") as told:
        suppress(releases, ONS, WARDS)
    assert "exactly 2" in str(told.value)


def test_prints_that_contradict_each_other_are_told() -> None:
    releases = [
        release(cell(low=0, end=18), 60, ONS),
        release(cell(low=0, end=10), 80, ONS),
        release(cell(low=10, end=18), 1, ONS),
    ]
    attacker = Attacker(system_of(releases, NOWHERE), marks=True)
    assert not attacker.possible()
    with pytest.raises(ValueError, match="contradicts"):
        attacker.bound(attacker.system.rows[0])


def test_families_are_of_one_register_and_of_areas_in_each_other() -> None:
    releases = [*wards(HES, {"E06000001": 100, "E05000001": 40}), release(cell(area="S02"), 30, HES)]
    other = release(Cell("eyes", "N01", "persons", "", 65, 150), 30, HES)
    assert sorted(len(family) for family in families([*releases, other], WARDS)) == [1, 1, 2]


def test_people_of_neither_sex_are_a_group_of_their_own() -> None:
    counts = {cell(): 50, cell("female"): 20, cell("male"): 28}
    releases = [release(of, count, ONS) for of, count in sorted(counts.items())]
    assert any("exactly 2" in str(breach) for breach in audit(releases, lambda _: ONS, NOWHERE))
    safe = suppress(releases, ONS, NOWHERE)
    assert [one.cell.sex for one in safe if one.hidden] == ["female"]


def test_authorities_of_every_kind_make_up_a_region() -> None:
    region = Nesting({"E06000001": ("E12000001",), "E08000037": ("E12000001",), "E06000002": ("E12000001",)})
    counts = {"E12000001": 99, "E06000001": 40, "E08000037": 57}
    releases = [release(cell(area=area), count, ONS) for area, count in sorted(counts.items())]
    assert any("exactly 2" in str(breach) for breach in audit(releases, lambda _: ONS, region))
