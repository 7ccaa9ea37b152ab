"""Fingertips indicator 90284, hospital admissions for injuries at 0 to 14, as published."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hna.indicators import benchmark, rates

PATH = (
    Path(__file__).parents[2].parent
    / "shared" / "data" / "indicators" / "ft90284_injury_admissions_0_14_utla_2010_2023.csv.gz"
)  # fmt: skip

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PATH.is_file(), reason="the publisher's file is not in ../shared/data/indicators"),
]

NAMES = {
    "Area Code": "area",
    "Sex": "sex",
    "Category Type": "category",
    "Time period": "period",
    "Value": "value",
    "Lower CI 95.0 limit": "lower",
    "Upper CI 95.0 limit": "upper",
    "Lower CI 99.8 limit": "lower_998",
    "Upper CI 99.8 limit": "upper_998",
    "Count": "count",
    "Denominator": "people",
    "Compared to England value or percentiles": "colour",
}


@pytest.fixture(scope="module")
def published():
    table = pd.read_csv(PATH, usecols=list(NAMES), low_memory=False).rename(columns=NAMES)
    # England's rows stand once for every geography it is the parent of.
    table = table[table["category"].isna() & table["value"].notna()].drop_duplicates(["area", "sex", "period"])
    england = table[table["area"] == "E92000001"].set_index(["sex", "period"])["value"]
    return table.join(england.rename("england"), on=["sex", "period"])


def test_colouring_is_reproduced_in_every_row_that_carries_one(published):
    coloured = published[published["colour"].isin(["Better", "Similar", "Worse"]) & (published["area"] != "E92000001")]
    words = benchmark.compare(
        coloured["value"], coloured["lower"], coloured["upper"], coloured["england"], "low-is-good"
    )
    colours = {"sig_better": "Better", "sig_worse": "Worse", "ns_higher": "Similar", "ns_lower": "Similar"}
    ours = pd.Series(words, index=coloured.index).map({**colours, "similar": "Similar"})
    assert len(coloured) == 5701
    assert (ours == coloured["colour"]).all()


def test_byar_limits_are_reproduced_where_counts_are_exact(published):
    exact = published[published["period"].isin(["2010/11", "2011/12"])]
    assert (exact["count"] % 5 != 0).mean() > 0.7
    found = rates.crude_rate(exact["count"], exact["people"], per=10_000)
    np.testing.assert_allclose(found.value, exact["value"], rtol=1e-7)
    np.testing.assert_allclose(found.lower, exact["lower"], rtol=1e-6)
    np.testing.assert_allclose(found.upper, exact["upper"], rtol=1e-6)


def test_rounded_counts_cannot_give_the_limits_back(published):
    rounded = published[~published["period"].isin(["2010/11", "2011/12"]) & (published["area"] != "E92000001")]
    printed, people = rounded["count"].to_numpy(), rounded["people"].to_numpy()
    assert (printed % 5 == 0).all()
    # The value printed is that of the rounded count, and the limits are those of another count.
    found = rates.crude_rate(printed, people, per=10_000)
    np.testing.assert_allclose(found.value, rounded["value"], rtol=1e-6)
    assert np.mean(np.abs(found.lower - rounded["lower"]) > 1e-4 * rounded["lower"]) > 0.75
    # Of the five counts that round to the printed one, exactly one has the published limits, each about as often.
    could_be = rates.crude_rate(printed[:, np.newaxis] + np.arange(-2, 3), people[:, np.newaxis], per=10_000)
    lower, upper = (rounded[[end]].to_numpy() for end in ("lower", "upper"))
    is_it = (np.abs(could_be.lower - lower) < 1e-6 * lower) & (np.abs(could_be.upper - upper) < 1e-6 * upper)
    np.testing.assert_array_equal(is_it.sum(axis=1), 1)
    np.testing.assert_allclose(is_it.mean(axis=0), 0.2, atol=0.02)
    # With that count the 99.8 % limits follow too.
    count = printed + np.arange(-2, 3)[is_it.argmax(axis=1)]
    given = rounded["lower_998"].notna().to_numpy()
    assert given.sum() > 3000
    wide = rates.crude_rate(count[given], people[given], per=10_000, level=0.998)
    np.testing.assert_allclose(wide.lower, rounded.loc[given, "lower_998"], rtol=1e-6)
    np.testing.assert_allclose(wide.upper, rounded.loc[given, "upper_998"], rtol=1e-6)
