"""A run over small areas: they add up in every draw, by deprivation too, and each is the same alone or among all."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from hna.answers import answer as answers
from hna.errors import AxisError, QuantityError
from hna.evidence.lookup import pairs_of
from hna.evidence.shelf import Shelf
from hna.run import Request, assess, run

pytestmark = pytest.mark.shared
HALTON = "E06000006"
EVERYTHING = ("small-area", "authority", "region", "deprivation-quintile")


@pytest.fixture(scope="module")
def workspace(halton_small_areas):
    """A workspace with the small areas of Halton, as the analyst imports them."""
    return halton_small_areas


def _asked(workspace, **more):
    return Request(**{"needs": ("dementia",), "areas": ("Halton",), "draws": 200, "workspace": workspace, **more})


@pytest.fixture(scope="module")
def report(workspace):
    """Halton by its small areas, with draws."""
    return assess(_asked(workspace, by=EVERYTHING, keep_draws=True))


def _need(report, year=2020):
    figures = report.answers[0].figures
    chosen = (figures["quantity"] == "need") & (figures["year"] == year) & (figures["severity"] == "")
    return figures[chosen & (figures["age_band"] == "all") & (figures["sex"] == "persons")].set_index("area_code")


def test_small_areas_and_fifths_add_up_to_the_authority_in_every_draw(report):
    draws = report.answers[0].draws
    for severity in report.answers[0].rates.severities:
        of = {code: drawn for (stratum, year, code), drawn in draws.items() if (stratum, year) == (severity, 2020)}
        small = [drawn for code, drawn in of.items() if code.startswith("E01")]
        fifths = [drawn for code, drawn in of.items() if "-IMD2019-Q" in code]
        assert (len(small), len(fifths)) == (79, 5)
        np.testing.assert_allclose(np.sum(small, axis=0), of[HALTON], rtol=1e-9)
        np.testing.assert_allclose(np.sum(fifths, axis=0), of[HALTON], rtol=1e-9)
    need = _need(report)
    lower, upper = np.quantile(draws["", 2020, HALTON], [0.025, 0.975])
    assert (need.loc[HALTON, "lower"], need.loc[HALTON, "upper"]) == pytest.approx((lower, upper))
    assert "Halton, fifth 1 of 5 (most deprived), IMD 2019" in set(need["area_name"])


def test_small_areas_of_2011_add_up_to_wards_and_these_to_the_authority(workspace):
    held = assess(_asked(workspace, by=("ward", "small-area"), keep_draws=True))
    drawn = {
        code: draws for (severity, year, code), draws in held.answers[0].draws.items() if (severity, year) == ("", 2020)
    }
    wards = [code for code in drawn if code.startswith("E05")]
    assert len(wards) == 18, "Halton's, of 2024"
    np.testing.assert_allclose(np.sum([drawn[code] for code in wards], axis=0), drawn[HALTON], rtol=1e-9)
    parent = dict(pairs_of(Shelf(None), "lsoa11-ward24"))
    of_first = [draws for code, draws in drawn.items() if parent.get(code) == wards[0]]
    assert len(of_first) > 1
    np.testing.assert_allclose(np.sum(of_first, axis=0), drawn[wards[0]], rtol=1e-9)


def test_the_authority_is_what_it_is_without_small_areas(report, workspace):
    plain = assess(_asked(workspace, years=(2020,), population="ons-mye-2020", by=()))
    with_small, without = _need(report).loc[HALTON], _need(plain).loc[HALTON]
    assert with_small["estimate"] == pytest.approx(without["estimate"], rel=1e-12)
    assert with_small["upper"] == pytest.approx(without["upper"], rel=0.05)  # who is there is chance in small areas
    figures = report.answers[0].figures
    here = (figures["area_code"] == HALTON) & (figures["year"] == 2020) & (figures["severity"] == "")
    beside = figures[here].set_index("quantity")
    assert beside.loc["gap", "estimate"] == pytest.approx(with_small["estimate"] - beside.loc["known", "estimate"])
    drawn = report.answers[0].draws["", 2020, HALTON]
    assert beside.loc["gap", "probability"] == pytest.approx((drawn > beside.loc["known", "estimate"]).mean(), abs=0.05)
    assert sorted(figures.loc[figures["area_code"] == HALTON, "year"].unique())[-1] > 2023


def test_a_small_area_is_the_same_alone_or_among_all(report, workspace):
    code = "E01012367"
    alone = _need(assess(_asked(workspace, areas=(code,), by=()))).loc[code]
    among = _need(report).loc[code]
    assert alone[["estimate", "lower", "upper"]].tolist() == pytest.approx(
        among[["estimate", "lower", "upper"]].tolist()
    )
    assert alone["flags"] == among["flags"]


def test_a_level_is_shown_only_whole(report, workspace):
    assert "One area of level region is not shown" in " ".join(report.notes)
    some = assess(_asked(workspace, areas=("E01012367", "E01012368"), by=("authority", "deprivation-decile")))
    assert HALTON not in set(_need(some).index)
    assert any(code.startswith("IMD2019-D") for code in _need(some).index)
    tenths = [code for code in _need(assess(_asked(workspace, by=("deprivation-decile",)))).index if "-D" in code]
    assert tenths == [f"{HALTON}-IMD2019-D{n}" for n in range(1, 11)]
    assert "authority" in " ".join(some.notes)


def test_more_areas_than_a_page_shows_go_to_gap_csv(report, workspace, tmp_path, monkeypatch):
    shown = tmp_path / "shown"
    run(_asked(workspace, by=EVERYTHING), shown)
    monkeypatch.setattr(answers, "SHOWN", 10)
    monkeypatch.setattr(answers, "_ROWS", 7)
    streamed, _ = run(_asked(workspace, by=EVERYTHING), tmp_path / "streamed")
    assert not streamed.answers[0].figures["area_code"].str.startswith("E01").any()
    both = [sorted((folder / "gap.csv").read_text().splitlines()) for folder in (shown, tmp_path / "streamed")]
    assert both[0] == both[1]


def _population_of(folder, table):
    """The people of a table, as a workspace's own population."""
    to = folder / "data" / "population" / "own"
    to.mkdir(parents=True)
    table.to_csv(to / "table.csv", index=False, float_format="%.0f")
    (to / "source.yaml").write_text(
        "{id: own, kind: population, base: resident, basis: estimate, read_from: primary table, citation: {authors: us, "
        "year: 2024, title: Own, container: null, locator: null, doi: null, url: null, licence: CC0-1.0}}"
    )


def test_unchanged_codes_are_of_the_vintage_of_their_year(workspace, tmp_path):
    imported = pd.read_csv(workspace / "data" / "population" / "halton-2020" / "table.csv")
    kept = imported[imported["area_code"].isin(["E01012367", "E01012368"])]
    both = pd.concat([kept.assign(sex=sex, year=2023) for sex in ("female", "male")])
    _population_of(tmp_path, both)
    some = assess(_asked(tmp_path, areas=("E01012367", "E01012368"), by=("deprivation-quintile", "ward")))
    assert any(code.startswith("IMD2025-Q") for code in _need(some, 2023).index)
    assert "level ward" in " ".join(some.notes)


def _lookup(folder, name, rows):
    to = folder / "data" / "areas" / name
    to.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{child},{parent},2020,false\n" for child, parent in rows)
    (to / "table.csv").write_text("child,parent,vintage,best_fit\n" + text)
    (to / "source.yaml").write_text(
        f"{{id: {name}, kind: areas, read_from: primary table, citation: {{authors: us, year: 2020, title: Own, container: null, "
        "locator: null, doi: null, url: null, licence: CC0-1.0}}"
    )


def test_small_areas_are_gathered_by_any_lookup(report, workspace, tmp_path):
    shutil.copytree(workspace / "data", tmp_path / "data")
    codes = [code for code in _need(report).index if code.startswith("E01")]
    sides = [(code, ("north", "south")[n % 2]) for n, code in enumerate(codes)] + [(codes[0], "south")]
    _lookup(
        tmp_path,
        "sides",
        [*sides, ("E01000001", "city"), (codes[3], "city"), ("E01999999", "lost"), (codes[4], "lost")],
    )
    _lookup(tmp_path, "near-neighbours", [(HALTON, HALTON), ("E06000007", "E06000007")])
    found = assess(_asked(tmp_path, by=("sides", "near-neighbours"), keep_draws=True))
    drawn, each = found.answers[0].draws, report.answers[0].draws
    for side in ("north", "south"):
        of = sum(each["", 2020, code] for code, where in sides if where == side)
        np.testing.assert_allclose(drawn["", 2020, side], of, rtol=1e-9)
    np.testing.assert_allclose(drawn["", 2020, f"near-neighbours-{HALTON}"], each["", 2020, HALTON], rtol=1e-9)
    need = _need(found)
    assert need.loc[f"near-neighbours-{HALTON}", "area_name"] == "Halton (near-neighbours)"
    assert not {"city", "lost"} & set(need.index)
    assert "2 areas of sides are not shown" in " ".join(found.notes)
    _lookup(tmp_path, "elsewhere", [("E01000001", "city")])
    with pytest.raises(AxisError, match="elsewhere groups none of the areas asked for"):
        assess(_asked(tmp_path, by=("elsewhere",)))


def test_what_cannot_be_given_is_said(workspace, tmp_path):
    with pytest.raises(AxisError, match="hna import ons-lsoa-syoa"):
        assess(_asked(None, by=("deprivation-quintile",)))
    imported = pd.read_csv(workspace / "data" / "population" / "halton-2020" / "table.csv")
    _population_of(tmp_path / "strange", imported.replace({"area_code": {"E01012367": "E01999999"}}))
    with pytest.raises(AxisError, match=r"in no lookup.*\[Halton 007A \(E01999999\)\]"):
        assess(_asked(tmp_path / "strange", by=("small-area",)))
    with pytest.raises(AxisError, match="does not hold the small areas of these"):
        assess(_asked(workspace, areas=("Sefton",), by=("deprivation-quintile",)))
    with pytest.raises(AxisError, match="deprivation-decile"):
        assess(_asked(workspace, by=("postcode",)))
    with pytest.raises((QuantityError, ValueError), match="of memory, and"):
        assess(_asked(workspace, by=("small-area", "sex", "age"), memory=5_000_000))
