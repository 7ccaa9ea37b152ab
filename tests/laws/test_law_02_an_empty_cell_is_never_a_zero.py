"""Law 2. An empty cell is never a zero; a suppressed cell is an interval."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from hna.answers.gap import gap
from hna.answers.need import need
from hna.answers.residents import read_counts
from hna.errors import QuantityError, SourceError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.prevalence import read_prevalence
from hna.measure.ages import AgeBand
from hna.measure.estimate import Estimate, Universe
from hna.model.rates import make_rates
from hna.model.spec import KnownUse
from hna.run import Request, assess
from tests.answers.test_residents import flows

UNIVERSE = Universe("sleeplessness", "three questions", AgeBand(65, None))
HIDDEN = {"suppressed": "*", "range": [1, 7], "rounded_to": 5}


@given(st.integers(0, 5), st.booleans(), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_no_estimate_holds_a_missing_or_infinite_number(where, in_draws, value):
    headline = xr.DataArray(np.ones((2, 3)), dims=("area", "age"), coords={"area": ["a", "b"], "age": ["1", "2", "3"]})
    draws = headline.expand_dims(draw=4).copy()
    Estimate(headline, draws, "need", "people", UNIVERSE)
    spoiled = draws.copy() if in_draws else headline.copy()
    spoiled.values.flat[where] = value
    pair = (headline, spoiled) if in_draws else (spoiled, draws)
    with pytest.raises(QuantityError, match="missing or infinite"):
        Estimate(*pair, "need", "people", UNIVERSE)


@given(st.integers(0, 9))
def test_a_population_without_one_of_its_cells_is_refused(small, row):
    rows = small.people_rows()
    del rows[row]
    small.population("holed", rows=rows)
    with pytest.raises(SourceError, match=r"cells are missing|leave a gap|gap between"):
        read_population(small.shelf, "holed")


@pytest.mark.parametrize(
    ("kind", "column", "read"),
    [
        ("population", "persons", read_population),
        ("known", "count", read_known),
        ("prevalence", "estimate", read_prevalence),
        ("prevalence", "lower", read_prevalence),
    ],
)
def test_a_blank_is_refused_and_not_filled(small, kind, column, read):
    rows = {
        "population": small.people_rows(),
        "known": small.count_rows({"N01": 30, "S02": 40}),
        "prevalence": small.rates_rows(),
    }[kind]
    rows[1] = rows[1] | {column: ""}
    getattr(small, kind)("blank", rows=rows)
    with pytest.raises(SourceError, match="blank"):
        read(small.shelf, "blank")


@pytest.mark.parametrize("mark", ["*", "c", "-", "<8", "NaN", "n/a"])
def test_a_mark_that_was_not_declared_is_no_number(small, mark):
    small.known("marked", rows=small.count_rows({"N01": mark, "S02": 40}))
    with pytest.raises(SourceError):
        read_known(small.shelf, "marked")


def test_an_undeclared_suppression_mark_has_its_code(small):
    small.known("marked", rows=small.count_rows({"N01": "*", "S02": 40}))
    with pytest.raises(SourceError) as caught:
        read_known(small.shelf, "marked")
    assert "R602" in caught.value.codes


@pytest.mark.parametrize("least", [0, 1, 3])
@pytest.mark.parametrize("most", [4, 7])
def test_a_suppressed_count_is_the_interval_that_the_publisher_gives(small, least, most):
    hidden = HIDDEN | {"range": [least, most]}
    small.known("hidden", rows=small.count_rows({"N01": "*", "S02": 410}), disclosure=hidden)
    held = read_known(small.shelf, "hidden")
    assert np.isnan(held.count[0])
    assert (held.lower[0], held.upper[0]) == (least, most)
    assert (held.lower[1], held.upper[1]) == (408, 412)


def test_the_interval_of_a_suppressed_count_reaches_the_gap(small):
    small.known("hidden", rows=small.count_rows({"N01": "*", "S02": 410}), disclosure=HIDDEN)
    model = small.model()
    rates = make_rates(model, small.shelf, 400, 1)
    found = gap(need(rates, read_population(small.shelf, "own-people")), read_known(small.shelf, "hidden"))
    table = found.interval().set_index(["area", "quantity"])
    known, net, whole = (table.loc[("N01", name)] for name in ("known", "gap", "need"))
    assert np.isnan(known.estimate)
    assert np.isnan(net.estimate)
    assert (known.lower, known.upper) == (1, 7)
    assert net.lower == pytest.approx(whole.lower - 7, abs=1e-9)
    assert net.upper == pytest.approx(whole.upper - 1, abs=1e-9)
    assert table.loc[("S02", "known")].estimate == 410


def test_the_table_of_a_run_leaves_a_hidden_estimate_empty_and_prints_its_range(small):
    small.known(rows=small.count_rows({"N01": "*", "S02": 410}), disclosure=HIDDEN)
    (found,) = assess(Request(workspace=small.root, draws=200)).answers
    rows = found.figures[found.figures.area_code == "N01"].set_index("quantity")
    for name in ("known", "gap", "gap_positive", "coverage"):
        assert np.isnan(float(rows.loc[name, "estimate"] if rows.loc[name, "estimate"] is not None else np.nan)), name
        assert rows.loc[name, "lower"] < rows.loc[name, "upper"]
    assert "N602" in rows.loc["known", "flags"].split()


def test_a_suppressed_count_of_a_practice_stays_an_interval_wherever_its_patients_live(small):
    small.known(rows=small.count_rows({"P1": "*", "P2": 100}), base="registered", disclosure=HIDDEN)
    flows(small, {("P1", "N01"): 60_000, ("P1", "S02"): 20_000, ("P2", "S02"): 60_000})
    use = KnownUse.model_validate({"source": "own-register", "residents": {"flows": "own-flows", "because": "a test"}})
    found = read_counts(small.shelf, use)
    assert np.isnan(found.count).all()
    np.testing.assert_allclose(found.lower, [0.75 * 1, 0.25 * 1 + 98])
    np.testing.assert_allclose(found.upper, [0.75 * 7, 0.25 * 7 + 102])
