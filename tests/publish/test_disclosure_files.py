"""Every file that leaves the engine is a function of the printed counts: two registers that print alike leave the same bytes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path

from hna.answers.comparators import Surroundings
from hna.checks import record_fingerprints
from hna.evidence.population import areas_and_years
from hna.evidence.shelf import Shelf
from hna.run import Request, run
from tests.conftest import Workspace

HALTON, SEFTON, KNOWSLEY = "E06000006", "E08000014", "E08000011"
NORTH_WEST = "E12000002"
DRAWS = 200


def authorities(shelf: Shelf) -> list[str]:
    """Every authority of the North West among the people of mid-2023."""
    nesting = Surroundings(shelf).nesting(HALTON)
    return [
        area.code
        for area in areas_and_years(shelf, "ons-mye-2023")[0].areas
        if NORTH_WEST in nesting.ancestors(area.code)
    ]


def register(space: Workspace, shelf: Shelf, counts: Mapping[str, object]) -> None:
    """An analyst's own register of dementia, nothing hidden, for every authority of the region."""
    rows = [
        {"area_code": code, "area_name": code, "year": 2023, "sex": "persons", "age_from": 65, "age_to": "",
         "count": counts.get(code, 900 + 15 * n)}
        for n, code in enumerate(authorities(shelf))
    ]  # fmt: skip
    space.known(
        "own-register", rows=rows, condition="dementia", reference_date="2023-06-30", service="the memory service"
    )
    space.model(
        "memory", prevalence={"sources": ["cfas-ii-dementia"]}, known=[{"source": "own-register"}],
        target={"coverage": 0.6, "source": "the council"}, compare={"areas": ["region", "statistical-neighbours"]},
    )  # fmt: skip
    record_fingerprints(space.root)


def left(space: Workspace, out: Path, disclosure: str, **more: object) -> dict[str, bytes]:
    request = Request(
        areas=("Halton", "Sefton"), years=(2023,), draws=DRAWS, workspace=space.root, disclosure=disclosure,
        population="ons-mye-2023", **more,  # type: ignore[arg-type]
    )  # fmt: skip
    run(request, out)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


ALIKE: tuple[dict[str, object], ...] = (
    {HALTON: 413, SEFTON: 3, KNOWSLEY: 2},
    {HALTON: 417, SEFTON: 6, KNOWSLEY: 7},
)


def both(tmp_path: Path, shelf: Shelf, disclosure: str) -> list[dict[str, bytes]]:
    """What two registers that print alike leave, from one place, since run.json names the place."""
    found = []
    space = Workspace(tmp_path / "space")
    for n, counts in enumerate(ALIKE):
        register(space, shelf, counts)
        found.append(left(space, tmp_path / f"{disclosure}-{n}", disclosure))
    return found


def test_counts_that_print_alike_leave_the_same_bytes(tmp_path: Path, shipped_shelf: Shelf) -> None:
    open_, protected = (both(tmp_path, shipped_shelf, name) for name in ("none", "nhs_hes"))
    assert {name for name in open_[0] if open_[0][name] != open_[1][name]} >= {
        "gap.csv", "comparisons.csv", "outcomes.csv", "report.html", "report.xlsx", "run.json",
    }  # fmt: skip
    assert sorted(protected[0]) == sorted(open_[0])
    assert {name for name in protected[0] if protected[0][name] != protected[1][name]} == set()


def test_comparisons_are_made_of_printed_counts(tmp_path: Path, shipped_shelf: Shelf) -> None:
    space = Workspace(tmp_path / "space")
    register(space, shipped_shelf, ALIKE[0])
    left(space, tmp_path / "out", "nhs_hes")
    with (tmp_path / "out" / "comparisons.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (tmp_path / "out" / "gap.csv").open(encoding="utf-8", newline="") as stream:
        figures = {
            (row["area_code"], row["quantity"]): row
            for row in csv.DictReader(stream)
            if row["age_band"] == "all" and row["sex"] == "persons" and row["severity"] == ""
        }
    coverage = {(row["area_code"], row["comparator"]): row for row in rows if row["quantity"] == "coverage"}
    halton = coverage[HALTON, "region"]
    assert halton["estimate"] == figures[HALTON, "coverage"]["estimate"] != ""
    assert halton["comparator_value"]
    assert {"N1005", "W861"} <= set(halton["flags"].split())
    # Two authorities of the region are hidden, so that their counts are in no pool.
    left(space, tmp_path / "open", "none")
    with (tmp_path / "open" / "comparisons.csv").open(encoding="utf-8", newline="") as stream:
        plain = {(row["area_code"], row["comparator"], row["quantity"]): row for row in csv.DictReader(stream)}
    assert int(halton["members"]) == int(plain[HALTON, "region", "coverage"]["members"]) - 2
    hidden = coverage[SEFTON, "region"]
    assert hidden["verdict"] == "not_comparable"
    assert "N1004" in hidden["flags"].split()
    assert not any(
        hidden[name] for name in hidden if name.startswith(("estimate", "lower", "upper", "difference", "p_", "people"))
    )


def test_a_region_s_own_total_does_not_give_a_hidden_authority_away(tmp_path: Path, shipped_shelf: Shelf) -> None:
    """The region printed beside its authorities: what is hidden in one of them could be had by subtraction."""
    space = Workspace(tmp_path / "space")
    counts: dict[str, object] = {HALTON: 413, SEFTON: 3}
    path = space.root / "data" / "known" / "own-register" / "table.csv"
    found = []
    for more in (0, 40):
        register(space, shipped_shelf, counts)
        lines = path.read_text(encoding="utf-8").splitlines()
        total = sum(int(line.rpartition(",")[2]) for line in lines[1:]) + more
        path.write_text(
            "\n".join([*lines, f"{NORTH_WEST},North West,2023,persons,65,,{total}"]) + "\n", encoding="utf-8"
        )
        record_fingerprints(space.root)
        found.append(left(space, tmp_path / f"without-{more}", "ons_births_deaths"))
    # Without a ledger the region's own total is not read at all.
    assert found[0] == found[1]
    left(space, tmp_path / "with", "nhs_hes", ledger=tmp_path / "ledger")
    released = [json.loads(line) for line in (tmp_path / "ledger" / "released.jsonl").read_text().splitlines()]
    printed = {line["area"]: line for line in released}
    assert printed[SEFTON]["hidden"]
    assert printed[NORTH_WEST]["upper"] is None or printed[NORTH_WEST]["upper"] > printed[NORTH_WEST]["lower"]


def test_no_count_stands_in_any_file(tmp_path: Path, shipped_shelf: Shelf) -> None:
    """A count that is rounded is nowhere to be read as it is: 413 is printed as 415."""
    space = Workspace(tmp_path / "space")
    register(space, shipped_shelf, {HALTON: 7411, SEFTON: 3})
    open_ = left(space, tmp_path / "open", "none")
    held = left(space, tmp_path / "held", "nhs_hes")
    count = re.compile(rb"(?<![\d.])7,?411(?![\d])")
    assert {name for name, text in open_.items() if count.search(text)} >= {"gap.csv", "report.html"}
    assert {name for name, text in held.items() if count.search(text)} == set()
    assert b"7,410" in held["report.html"] or b"7,400" in held["report.html"]
    assert b"Verdicts rest on unrounded numbers" in open_["report.html"]
    assert b"Verdicts rest on counts as they are printed" in held["report.html"]
