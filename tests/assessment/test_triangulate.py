"""Three approaches: levels, codes, patterns, and what never raises a level."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hna.assessment.triangulate import APPROACHES, Approach, Direction, EvidenceItem, code_of, sources_of, triangulate

LEVELS = {"T0": 0, "T1c": 1, "T1": 1, "T2": 2, "T3": 3}


def item(
    n: int, approach: Approach = "epidemiological", datasets: tuple[str, ...] = (), direction: Direction = "present",
    strength: str = "strong", constituency: str = "",
) -> EvidenceItem:  # fmt: skip
    return EvidenceItem(f"i{n}", "sleep", approach, direction, strength, "normative", "…", datasets, "", constituency)


ITEMS = st.lists(
    st.tuples(
        st.sampled_from(APPROACHES),
        st.sets(st.sampled_from("abcdef"), max_size=2),
        st.sampled_from(("present", "greater", "less")),
    ),
    max_size=7,
).map(lambda rows: [item(n, one, tuple(sorted(names)), said) for n, (one, names, said) in enumerate(rows)])  # type: ignore[arg-type]


@given(ITEMS, st.sampled_from(APPROACHES), st.sampled_from(("present", "greater")), st.data())
def test_an_item_of_the_same_dataset_never_raises_a_level(
    items: list[EvidenceItem], approach: Approach, said: Direction, data: st.DataObject
) -> None:
    before = triangulate("sleep", items, True)
    used = sorted({name for source in before.sources for name in source.datasets})
    if not used:
        return
    names = data.draw(st.sets(st.sampled_from(used), min_size=1, max_size=2))
    after = triangulate("sleep", [*items, item(99, approach, tuple(names), said)], True)
    assert LEVELS[after.level] <= LEVELS[before.level]


@given(ITEMS)
def test_silence_is_never_dissonance_nor_agreement(items: list[EvidenceItem]) -> None:
    found = triangulate("sleep", items, True)
    for pair in found.pairs:
        spoken = [any(one.approach == name for one in items) for name in (pair.first, pair.second)]
        assert (pair.code == "silence") == (not all(spoken))


@given(ITEMS)
def test_every_verdict_names_its_items(items: list[EvidenceItem]) -> None:
    found = triangulate("sleep", items, True)
    assert sorted(one for source in found.sources for one in source.items) == sorted(
        one.id for one in items if one.affirms
    )
    assert found.items == tuple(items)


@given(ITEMS)
def test_sources_share_no_dataset(items: list[EvidenceItem]) -> None:
    for one, other in combinations(sources_of(items), 2):
        assert not set(one.datasets) & set(other.datasets)


@pytest.mark.parametrize(
    ("items", "level"),
    [
        ([], "T0"),
        ([item(1)], "T1"),
        ([item(1, "corporate")], "T1c"),
        ([item(1, "corporate"), item(2, "corporate", constituency="carers")], "T1c"),
        ([item(1), item(2, "comparative")], "T2"),
        ([item(1, datasets=("a",)), item(2, "comparative", ("a",))], "T1"),
        ([item(1, datasets=("a",)), item(2, "comparative", ("a",)), item(3, "corporate")], "T2"),
        ([item(1, datasets=("a",)), item(2, "comparative", ("b",)), item(3, "corporate", ("c",))], "T3"),
        # An admissions rate used for both is one source, and a third finding that rests on both ties them together.
        ([item(1, datasets=("a",)), item(2, "comparative", ("b",)), item(3, "corporate", ("a", "b"))], "T1"),
        ([item(1), item(2, "comparative", direction="less")], "T1"),
    ],
)
def test_levels(items: list[EvidenceItem], level: str) -> None:
    assert triangulate("sleep", items, True).level == level


def test_codes() -> None:
    here, more, less = item(1), item(2, direction="greater"), item(3, direction="less")
    assert code_of([here], [here]) == "agreement"
    assert code_of([here], [more]) == "partial agreement"
    assert code_of([here], [less]) == "dissonance"
    assert code_of([less], [less]) == "agreement"
    assert code_of([here], []) == "silence"
    assert code_of([], [less]) == "silence"


def test_hidden_need_only_where_somebody_was_asked() -> None:
    items = [item(1, datasets=("a",)), item(2, "comparative", ("b",))]
    assert triangulate("sleep", items, True).patterns == ("hidden need",)
    assert triangulate("sleep", items, False).patterns == ()
    assert triangulate("sleep", [*items, item(3, "corporate")], True).patterns == ()


def test_voiced_but_unmeasured() -> None:
    assert triangulate("sleep", [item(1, "corporate")], True).patterns == ("voiced but unmeasured",)
    assert triangulate("sleep", [item(1, "corporate", strength="weak")], True).patterns == ()


def test_contested_is_told_and_not_averaged() -> None:
    found = triangulate("sleep", [item(1), item(2, "corporate", direction="less")], True)
    assert "contested" in found.patterns
    assert found.level == "T1"
    assert {pair.code for pair in found.pairs} == {"dissonance", "silence"}


def test_constituencies_make_breadth_not_height() -> None:
    items = [item(n, "corporate", constituency=who) for n, who in enumerate(("carers", "public", "vcs"))]
    found = triangulate("sleep", items, True)
    assert (found.level, found.breadth) == ("T1c", ("carers", "public", "vcs"))


def test_findings_of_other_needs_are_left_out() -> None:
    assert triangulate("waking", [item(1)], True).level == "T0"
