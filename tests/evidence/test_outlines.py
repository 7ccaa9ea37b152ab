"""Outlines and hexagons: of every authority, meeting at borders, from our own file or an analyst's."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest

from hna.checks import check_shelf
from hna.errors import SourceError
from hna.evidence.outlines import Outlines, read_outlines
from hna.evidence.population import areas_and_years
from hna.evidence.shelf import Shelf
from tests.conftest import Workspace

REPOSITORY = Path(__file__).parents[2]
FILES = REPOSITORY.parent / "shared" / "data"
NAMES = ("ltla24-shapes", "ltla23-hexagons")
HALTON, SEFTON, LIVERPOOL, CORNWALL, NORTHUMBERLAND = (
    "E06000006", "E08000014", "E08000012", "E06000052", "E06000057",
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> Outlines:
    return read_outlines(Shelf())


def test_every_authority_of_the_latest_estimate_has_an_outline_and_a_hexagon(drawn: Outlines) -> None:
    counted = {area.code for area in areas_and_years(Shelf(), "ons-mye-2023")[0].areas}
    authorities = {code for code in counted if code.startswith(("E06", "E07", "E08", "E09"))}
    assert set(drawn.rings) == set(drawn.hexagons) == authorities
    assert len(authorities) == 296


def test_neighbours_meet_and_no_two_hexagons_are_in_one_place(drawn: Outlines) -> None:
    corners = {code: {point for ring in rings for point in ring} for code, rings in drawn.rings.items()}
    assert len(corners[SEFTON] & corners[LIVERPOOL]) > 2
    assert not corners[HALTON] & corners[SEFTON]
    assert len(set(drawn.hexagons.values())) == len(drawn.hexagons)


def test_north_is_up_and_places_are_where_they_are(drawn: Outlines) -> None:
    def middle(code: str) -> tuple[float, float]:
        x, y = zip(*drawn.rings[code][0], strict=True)
        return (min(x) + max(x)) / 20, (min(y) + max(y)) / 20

    # Kilometres of the National Grid: Runcorn is at about 352, 383; Bodmin at about 207, 67.
    assert math.dist(middle(HALTON), (352, 383)) < 10
    assert math.dist(middle(CORNWALL), (207, 67)) < 50
    assert drawn.hexagons[NORTHUMBERLAND][1] > drawn.hexagons[CORNWALL][1]


def test_an_analysts_own_outline_is_used(workspace: Workspace) -> None:
    workspace.lookup("our-shapes", [{"area_code": "N01", "points": "0 0 10 0 0 10"}])
    workspace.lookup("our-hexagons", [{"area_code": "N01", "column": 3, "row": -2}])
    found = read_outlines(workspace.shelf)
    assert found.rings["N01"] == (((0, 0), (10, 0), (10, 10)),)
    assert found.hexagons["N01"] == (3, -2)
    assert HALTON in found.rings
    few = found.of(["N01", "nowhere"])
    assert (set(few.rings), set(few.hexagons)) == ({"N01"}, {"N01"})


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("our-shapes", {"area_code": "N01", "points": "0 0 10 0 0"}, "points"),
        ("our-shapes", {"area_code": "N01", "points": "0 0 10 0"}, "points"),
        ("our-shapes", {"area_code": "N01", "points": "0 0 1.5 0 0 1"}, "points"),
        ("our-shapes", {"area_code": "", "points": "0 0 10 0 0 10"}, "area_code"),
        ("our-hexagons", {"area_code": "N01", "column": "east", "row": 1}, "column"),
    ],
)
def test_what_cannot_be_drawn_is_refused(workspace: Workspace, name: str, row: dict[str, object], column: str) -> None:
    workspace.lookup(name, [row])
    with pytest.raises(SourceError) as error:
        read_outlines(workspace.shelf)
    assert error.value.faults[0].field == column
    assert any(name in str(fault) for fault in check_shelf(workspace.shelf).faults)


@pytest.mark.shared
@pytest.mark.skipif(not FILES.is_dir(), reason="the publishers' files (../shared/data) are not here")
def test_compiled_again_the_bytes_are_the_same(tmp_path: Path) -> None:
    compiler = module()
    compiler.outlines(FILES, tmp_path)
    compiler.hexagons(FILES, tmp_path)
    for name in NAMES:
        for file in ("table.csv", "source.yaml"):
            assert (tmp_path / "areas" / name / file).read_bytes() == (
                REPOSITORY / "data" / "areas" / name / file
            ).read_bytes()


def test_outlines_are_small() -> None:
    held = sum((REPOSITORY / "data" / "areas" / name / "table.csv").stat().st_size for name in NAMES)
    assert held < 150_000


def test_a_line_is_thinned_the_same_from_either_side() -> None:
    compiler = module()
    shared = [(0.0, 0.0), (1000.0, 400.0), (2000.0, 900.0), (3000.0, 0.0)]
    left, right = (*shared, (1500.0, 9000.0)), (*reversed(shared), (1500.0, -9000.0))
    borders = compiler.Borders([left, right])
    kept = [{point for point in borders.ring(ring) if point in shared} for ring in (left, right)]
    assert kept[0] == kept[1] == {shared[0], shared[2], shared[3]}


def module() -> Any:
    spec = importlib.util.spec_from_file_location("compile_boundaries", REPOSITORY / "data" / "compile_boundaries.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
