import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hna.errors import AxisError, QuantityError, SourceError
from hna.indicators import labelled, standardise
from hna.indicators.standards import read_standard

ESP = Path(__file__).parents[2] / "data" / "standards" / "esp-2013"


@pytest.fixture
def standard():
    return read_standard(ESP)


@pytest.fixture
def table(standard):
    rng = np.random.default_rng(9)
    index = pd.MultiIndex.from_product([["E06000006", "E08000014"], standard.bands], names=["area_code", "age_band"])
    people = rng.integers(2000, 9000, len(index))
    return pd.DataFrame({"events": rng.poisson(people * 0.004), "population": people}, index=index).reset_index()


def test_european_standard_population(standard):
    assert standard.bands[0] == "0-4"
    assert standard.bands[-1] == "90+"
    assert standard.weights.size == 19
    assert standard.weights.sum() == 100_000
    assert standard.weights[9] == 7000
    assert standard.citation["doi"] == "10.2785/11470"


def test_rows_may_come_in_any_order(table, standard):
    found = labelled.directly_standardised(table, standard)
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(labelled.directly_standardised(shuffled, standard).loc[found.index], found)
    events = table["events"].to_numpy().reshape(2, 19)
    plain = standardise.direct(events, table["population"].to_numpy().reshape(2, 19), standard.weights)
    np.testing.assert_allclose(found["upper"], plain.upper)
    assert found.columns.tolist() == ["value", "lower", "upper", "flags"]


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda t: pd.concat([t, t.iloc[[5]]]), AxisError, "stands more than once [E06000006 25-29]"),
        (lambda t: t.drop(index=[20, 21]), AxisError, "is missing [E08000014 5-9; E08000014 10-14]"),
        (lambda t: t.replace({"age_band": {"90+": "90 up"}}), AxisError, "is not one of the groups [90 up]"),
        (lambda t: t.rename(columns={"events": "deaths"}), AxisError, "the table has no such column [events]"),
        (lambda t: t.assign(area_code=[None, *t["area_code"][1:]]), AxisError, "area_code: is empty"),
        (lambda t: t.assign(events=[-1, *t["events"][1:]]), QuantityError, "events: is negative [E06000006 0-4]"),
        (lambda t: t.assign(events=["*", *t["events"][1:]]), QuantityError, "is missing or not a number [E06000006"),
        (
            lambda t: t.assign(population=[0, *t["population"][1:]]),
            QuantityError,
            "population: is zero where there are events [E06000006 0-4]",
        ),
    ],
)  # fmt: skip
def test_labels_match_exactly_or_the_call_raises(table, standard, spoil, error, message):
    with pytest.raises(error) as caught:
        labelled.directly_standardised(spoil(table), standard)
    assert message in str(caught.value)


def test_indirect_ratios(table, standard):
    reference = pd.Series(0.004, index=list(standard.bands))
    found = labelled.indirectly_standardised(table, reference, per=100)
    assert found.loc["E06000006", "value"] == pytest.approx(100, rel=0.2)
    with pytest.raises(AxisError, match=r"reference: stands more than once \[0-4\]"):
        labelled.indirectly_standardised(table, pd.concat([reference, reference[:1]]))


def test_one_row_an_area():
    one = pd.DataFrame({"area_code": ["a", "b"], "cases": [5, 7], "n": [50, 60]})
    assert labelled.proportions(one, per=100).loc["a", "value"] == pytest.approx(10)
    rates = labelled.crude_rates(one, events="cases", person_years="n", per=1)
    assert rates.index.tolist() == ["a", "b"]
    with pytest.raises(AxisError, match=r"area_code: stands more than once \[a\]"):
        labelled.proportions(pd.concat([one, one[:1]]))
    with pytest.raises(QuantityError, match=r"cases: has more cases than people \[b 70 of 60\]"):
        labelled.proportions(one.assign(cases=[5, 70]))


def test_a_standard_without_its_citation_is_not_read(tmp_path):
    with pytest.raises(SourceError, match=r"source\.yaml: is not there"):
        read_standard(tmp_path)
    (tmp_path / "table.csv").write_bytes(b"age_from,age_to,weight\n0,4,10\n6,9,-1\n10,,5\n")
    (tmp_path / "source.yaml").write_text("id: own\nkind: standard\nread_from: primary table\nsha256: 00\n")
    with pytest.raises(SourceError) as caught:
        read_standard(tmp_path)
    told = str(caught.value)
    assert "source.yaml, citation: is missing" in told
    assert "sha256" in told
    assert "leaves a gap or overlaps the band before [6-9]" in told
    assert "weight that is not above 0 [6-9]" in told


def test_a_standard_of_ones_own(tmp_path):
    text = b"age_from,age_to,weight\n18,18,10\n19,64,30\n65,,20\n"
    (tmp_path / "table.csv").write_bytes(text)
    mark = hashlib.sha256(text).hexdigest()
    record = f"id: own\nkind: standard\ncitation: {{title: Own}}\nread_from: primary table\nsha256: {mark}\n"
    (tmp_path / "source.yaml").write_text(record)
    assert read_standard(tmp_path).bands == ("18", "19-64", "65+")
