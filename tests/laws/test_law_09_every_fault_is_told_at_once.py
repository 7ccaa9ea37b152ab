"""Law 9. Every fault of a file is told at once, with file, field, offending rows (at most five) and remedy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hna.errors import HnaError, ModelError, SourceError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.prevalence import read_prevalence
from hna.model.spec import read_model
from hna.run import Request, assess

SPOILS = {
    "text in a number": (0, {"estimate": "four"}, "is not a number"),
    "above 100 per cent": (1, {"estimate": 140, "upper": 150}, "R102"),
    "limits crossed": (2, {"lower": 9.5}, "R101"),
    "unknown sex": (3, {"sex": "women"}, "is not a sex"),
}


@settings(max_examples=16)
@given(st.sets(st.sampled_from(sorted(SPOILS)), min_size=1))
def test_all_faults_of_a_table_come_together(small, spoils):
    rows = small.rates_rows()
    for name in spoils:
        row, change, _ = SPOILS[name]
        rows[row] = rows[row] | change
    small.prevalence("spoiled", rows=rows)
    with pytest.raises(SourceError) as caught:
        read_prevalence(small.shelf, "spoiled")
    said = str(caught.value)
    assert all(SPOILS[name][2] in said for name in spoils), said
    assert all("spoiled/table.csv" in fault.file and fault.remedy and fault.rows for fault in caught.value.faults)


def test_all_faults_of_a_record_come_together(small):
    small.prevalence(
        "spoiled", rows=small.rates_rows(), measure="sometimes", unit="pints", decimals=-1, colour="red", appraisal=None
    )
    with pytest.raises(SourceError) as caught:
        read_prevalence(small.shelf, "spoiled")
    fields = {fault.field for fault in caught.value.faults}
    assert {"measure", "unit", "decimals", "colour", "appraisal"} <= fields
    assert all("source.yaml:" in fault.file for fault in caught.value.faults if fault.field != "appraisal")


def test_all_faults_of_a_model_come_together(small):
    path = small.root / "models" / "sleeplessness.yaml"
    path.write_text(
        "need: sleeplessness\ntitle: Sleeplessness\nchapter: Older People\nages: 65+\n"
        "prevalence: {sources: [], errors: {study: 0.1}}\ntarget: {coverage: 2, source: NHS}\n",
        encoding="utf-8",
    )
    with pytest.raises(ModelError) as caught:
        read_model(path)
    fields = " ".join(fault.field for fault in caught.value.faults)
    for field in ("chapter", "prevalence.sources", "prevalence.errors", "target.coverage"):
        assert field in fields


@pytest.mark.parametrize("wrong", [1, 5, 6, 20])
def test_at_most_five_rows_are_shown_and_the_rest_are_counted(small, wrong):
    rows = [row | ({"persons": -1} if n < wrong else {}) for n, row in enumerate(small.people_rows())]
    small.population("spoiled", rows=rows)
    with pytest.raises(SourceError) as caught:
        read_population(small.shelf, "spoiled")
    (fault,) = caught.value.faults
    shown = str(fault).partition("[")[2].partition("]")[0]
    assert shown.count("row ") == min(wrong, 5)
    assert (f"and {wrong - 5} more" in shown) == (wrong > 5)


def test_faults_of_several_files_come_together(small):
    small.prevalence(rows=[row | {"sex": "women"} for row in small.rates_rows()])
    small.known(rows=small.count_rows({"N01": -4, "S02": 10}))
    with pytest.raises(HnaError) as caught:
        assess(Request(workspace=small.root, draws=20))
    said = str(caught.value)
    assert "own-study" in said
    assert "own-register" in said


def test_faults_of_several_models_come_together(small):
    for name in ("one", "two"):
        (small.root / "models" / f"{name}.yaml").write_text(f"need: {name}\ntitle: T\n", encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        assess(Request(workspace=small.root, draws=20))
    assert {"one.yaml", "two.yaml"} <= {
        fault.file.rpartition("/")[2].partition(":")[0] for fault in caught.value.faults
    }


def test_all_faults_of_arguments_come_together(small):
    request = Request(workspace=small.root, draws=0, level=1.5, seed=-1, by=("moon",), disclosure="maybe")
    with pytest.raises(HnaError) as caught:
        assess(request)
    said = str(caught.value)
    for part in ("draws is 0", "level is 1.5", "seed is -1", "moon", "maybe"):
        assert part in said


def test_two_unknown_areas_come_together_with_the_nearest(small):
    with pytest.raises(HnaError) as caught:
        assess(Request(workspace=small.root, areas=("Nothmere", "Suthmere"), draws=20))
    said = str(caught.value)
    assert "Northmere (N01)" in said
    assert "Southmere (S02)" in said


@pytest.mark.parametrize("value", ["4.5", "many", "-3"])
def test_a_count_that_is_no_count_names_its_file_field_and_row(small, value):
    small.known("spoiled", rows=small.count_rows({"N01": value, "S02": 10}))
    with pytest.raises(SourceError) as caught:
        read_known(small.shelf, "spoiled")
    fault = caught.value.faults[0]
    assert fault.file.endswith("spoiled/table.csv")
    assert fault.field == "count"
    assert any("N01" in str(row) or value in str(row) for row in fault.rows)
