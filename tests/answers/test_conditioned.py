"""A conditioned gap: draws below the people known are left out, by a choice in the model file, and refused where hardly any is left."""

import numpy as np
import pytest

import hna
from hna.answers.gap import figures, gap, not_below
from hna.answers.known_people import KnownPeople
from hna.answers.need import need
from hna.errors import AlignmentError, HnaError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.measure.draws import normal
from hna.model.rates import make_rates
from hna.run import Request, run

SURE = {"in_need": 1.0, "because": "each was examined"}


def _known(people, draws):
    same = np.full(draws, float(people))
    return KnownPeople(float(people), same, same, (people, people))


def _run(small, tmp_path, counts, mode="conditioned", **more):
    small.known(rows=small.count_rows(counts))
    small.model(known=[{"source": "own-register", "factors": SURE, "gap": mode}], **more)
    report, _ = run(Request(workspace=small.root, draws=2000), tmp_path / mode)
    return report.answers[0], (tmp_path / mode / "report.html").read_text(encoding="utf-8")


def _row(answer, quantity, area="N01"):
    rows = answer.figures.query(
        "quantity == @quantity and area_code == @area and sex == 'persons' and age_band == 'all'"
    )
    return rows.iloc[0]


def test_the_published_comparison_of_the_three_ways():
    """K = N and a coefficient of variation of 0.2, lognormal: signed 0, conditioned 171 per 1,000 (methods 7.4)."""
    scale = np.sqrt(np.log(1.04))
    drawn = 1000 * np.exp(scale * normal(1, "need", 400_000) - scale**2 / 2)
    known = _known(1000, len(drawn))
    keep = not_below(drawn, known)
    signed, kept = (figures(1000, drawn, known, 0.95, None, one) for one in (None, keep))
    assert signed["gap"].estimate == 0
    assert kept["gap"].estimate == pytest.approx(171, abs=2)
    assert kept["gap"].estimate * keep.mean() == pytest.approx(79, abs=1)  # what clipping would call unmet
    assert kept["gap"].lower >= 0
    assert kept["coverage"].upper <= 1
    assert kept["p_known_exceeds_need"] == signed["p_known_exceeds_need"]


def test_a_run_conditions_where_the_model_file_says_so(small, tmp_path):
    counts = {"N01": 1500, "S02": 10}
    signed, _ = _run(small, tmp_path, counts, "signed")
    answer, page = _run(small, tmp_path, counts)
    point = _row(signed, "need")
    exceeds = _row(signed, "p_known_exceeds_need")["estimate"]
    assert 0.2 < exceeds < 0.95
    one, other = _row(signed, "gap"), _row(answer, "gap")
    assert one["lower"] < 0 <= other["lower"]
    assert one["estimate"] == pytest.approx(point["estimate"] - 1500)
    assert other["estimate"] > max(one["estimate"], 0)
    assert other["probability"] == 1
    assert _row(answer, "coverage")["upper"] <= 1
    assert _row(answer, "p_known_exceeds_need")["estimate"] == exceeds
    assert _row(answer, "need")["estimate"] == point["estimate"]
    assert "N721" in other["flags"].split()
    assert "N721" not in one["flags"].split()
    assert "left out" in page
    for quantity in ("estimate", "lower", "upper"):  # hardly any draw of the other area lies below its count
        assert _row(answer, "gap", "S02")[quantity] == pytest.approx(_row(signed, "gap", "S02")[quantity], rel=0.01)


def test_evidence_in_conflict_is_refused_and_listed_side_by_side(small, tmp_path):
    answer, page = _run(small, tmp_path, {"N01": 9000, "S02": 10})
    ours = answer.figures.query("area_code == 'N01'")
    assert "gap" not in set(ours["quantity"])
    assert {"R711", "R721"} <= set(_row(answer, "known")["flags"].split())
    assert "gap" in set(answer.figures.query("area_code == 'S02'")["quantity"])
    (fault,) = answer.refusals
    assert "R721" in str(fault)
    assert "contradict each other" in str(fault)
    assert "R721" in page
    signed, _ = _run(small, tmp_path, {"N01": 9000, "S02": 10}, "signed")
    assert not signed.refusals
    assert "W723" in _row(signed, "gap")["flags"].split()


def test_subgroups_keep_the_draws_of_everybody_and_add_up(small, tmp_path):
    rows = [
        {
            "area_code": "N01",
            "area_name": "Northmere",
            "year": 2024,
            "sex": sex,
            "age_from": low,
            "age_to": high,
            "count": count,
        }
        for sex, counts in {"female": (380, 520), "male": (220, 360)}.items()
        for (low, high), count in zip(((65, 74), (75, "")), counts, strict=True)
    ]
    small.known(rows=rows)
    small.model(known=[{"source": "own-register", "factors": SURE, "gap": "conditioned"}])
    figures_ = hna.run(workspace=small.root, draws=2000, out=tmp_path / "by").answers[0].figures
    gaps = figures_.query("quantity == 'gap'").set_index(["sex", "age_band"])["estimate"]
    cells = sum(gaps[sex, age] for sex in ("female", "male") for age in ("65-74", "75+"))
    assert cells == pytest.approx(gaps["persons", "all"], rel=0.02)  # chance in small subgroups is their own


def test_python_conditions_too(small):
    rates = make_rates(
        small.model(known=[{"source": "own-register", "factors": SURE, "gap": "conditioned"}]), small.shelf, 2000, 1
    )
    estimated = need(rates, read_population(small.shelf, "own-people"))
    before = estimated.draws.values.copy()
    small.known("sure", rows=small.count_rows({"N01": 1500, "S02": 10}))
    use = rates.model.known[0].model_copy(update={"source": "sure"})
    found = gap(estimated, read_known(small.shelf, "sure"), use)
    table = found.interval().set_index(["area", "quantity"])
    assert (found.to_xarray() >= 0).all()
    assert "N721" in found.flags
    assert found.net.headline.sel(area="N01").item() == pytest.approx(table.loc[("N01", "gap"), "estimate"], rel=0.1)
    assert table.loc[("N01", "gap"), "lower"] >= 0
    np.testing.assert_array_equal(estimated.draws.values, before)
    small.known("many", rows=small.count_rows({"N01": 9000, "S02": 10}))
    with pytest.raises(AlignmentError, match="R721"):
        gap(estimated, read_known(small.shelf, "many"), use.model_copy(update={"source": "many"}))


@pytest.mark.parametrize(
    ("known", "match"),
    [
        ([{"source": "own-register", "gap": "conditioned"}], "factors.in_need"),
        (
            [{"source": "own-register", "gap": "conditioned", "factors": {"resident": 0.9, "because": "x"}}],
            "factors.in_need",
        ),
        ([{"source": "own-register", "gap": "clipped"}], "signed"),
        ([{"source": "own-register", "gap": "conditioned", "factors": SURE}, {"source": "second"}], "one count"),
    ],
)
def test_conditioning_without_its_ground_is_refused(small, known, match):
    with pytest.raises(HnaError, match=match):
        small.model(known=known)


def test_under_disclosure_a_conditioned_gap_stays_one(small, tmp_path):
    small.known(rows=small.count_rows({"N01": 1500, "S02": 1700}))
    small.model(known=[{"source": "own-register", "factors": SURE, "gap": "conditioned"}])
    report = hna.run(workspace=small.root, draws=500, disclosure="nhs_hes", out=tmp_path / "safe")
    row = _row(report.answers[0], "gap")
    assert row["lower"] >= 0
    assert "N721" in row["flags"].split()
