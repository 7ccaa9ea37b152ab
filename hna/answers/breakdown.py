"""Need by subgroup: who the people are, by severity, sex and age, and what share of all they make up."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hna.answers.rows import COLUMNS as FIGURE_COLUMNS

QUANTITIES = ("population", "need", "prevalence")
SHARE = "share"
COLUMNS = (*FIGURE_COLUMNS[: FIGURE_COLUMNS.index("unit")], SHARE, *FIGURE_COLUMNS[FIGURE_COLUMNS.index("unit") :])
"""Of need_by_subgroup.csv: those of gap.csv, and the share."""
_PROJECTED = "N511"
_TOTAL = ["need", "severity", "area_code", "year", "quantity"]


def need_by_subgroup(figures: pd.DataFrame, years: Sequence[int] = ()) -> pd.DataFrame:
    """Population, need and prevalence of every subgroup, with its total.

    Expected people of the parts of a total add up to it: rate × people is summed, and never split. Limits do not add up,
    because errors are shared between subgroups. Where an estimate was rounded for disclosure control, figures may not sum.

    Parameters
    ----------
    figures : rows in the columns of gap.csv.
    years : those that were asked for; empty for the latest estimate of the population of each area, or the first
        projected year where there is none.

    Returns
    -------
    table with the columns `COLUMNS`
        ``share`` is the part of everybody of the same severity, area and year: expected people over expected people on
        need, people over people on population; empty on prevalence.
    """
    held = figures[figures["quantity"].isin(QUANTITIES)]
    held = held[held["year"].isin(years)] if years else held[_latest(held)]
    # The total of a need of one sex is of that sex.
    everybody = held[held["age_band"] == "all"].sort_values("sex", key=lambda sex: sex != "persons", kind="stable")
    totals = everybody.drop_duplicates(_TOTAL).set_index(_TOTAL)["estimate"]
    keys = pd.MultiIndex.from_frame(held[_TOTAL])
    whole = pd.to_numeric(pd.Series(totals.reindex(keys).to_numpy(), index=held.index))
    people = held["quantity"] != "prevalence"
    share = (pd.to_numeric(held["estimate"]) / whole).where(people & (whole > 0))
    return held.assign(**{SHARE: share})[list(COLUMNS)].reset_index(drop=True)


def _latest(held: pd.DataFrame) -> pd.Series:
    """Rows of the latest estimate of population of their need and area; of the first year where all are projected."""
    need = held[held["quantity"] == "need"].drop_duplicates(["need", "area_code", "year"])
    projected = need["flags"].astype(str).str.split().map(lambda codes: _PROJECTED in codes).astype(bool)
    place = ["need", "area_code"]
    first = need.groupby(place)["year"].min()
    last = need[~projected].groupby(place)["year"].max().reindex(first.index).fillna(first)
    at = last.reindex(pd.MultiIndex.from_frame(held[place])).to_numpy()
    return pd.Series(held["year"].to_numpy() == at, index=held.index)
