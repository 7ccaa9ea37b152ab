"""Does a survey model predict areas that it has not seen? Areas are left out in turn and predicted from the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hna.errors import Fault, ModelError
from hna.measure.draws import stream
from hna.model.survey import Spec, fit, mapped
from hna.model.survey_cells import labels
from hna.model.survey_formula import Formula

_NEAR = 1e-9


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Areas predicted by a model that had not seen them.

    Parameters
    ----------
    table : one row an area: area, asked, direct (the survey's share), predicted (mean), lower, upper (of what a survey of
        as many would find), inside (whether it did).
    """

    table: pd.DataFrame

    @property
    def inside(self) -> float:
        """Share of areas inside their interval."""
        return float(self.table["inside"].mean())

    @property
    def gain(self) -> float:
        """Mean squared error against the survey's shares, as a share of that of one rate for all areas; weighted by asked."""
        asked, direct, predicted = (self.table[name].to_numpy(dtype=float) for name in ("asked", "direct", "predicted"))
        same = np.average(direct, weights=asked)
        return float((asked * (direct - predicted) ** 2).sum() / (asked * (direct - same) ** 2).sum())

    @property
    def words(self) -> str:
        """One sentence for the report."""
        return (
            f"{len(self.table)} areas left out in turn: {self.inside:.0%} of surveys fell inside the 95 % interval "
            f"predicted for them; squared error {self.gain:.0%} of that of one rate for all"
        )


def hold_out(sample: pd.DataFrame, spec: str | Spec, *, folds: int = 5, draws: int = 1000, seed: int = 0) -> HeldOut:
    """Leave areas out in turn, predict what the survey found there.

    Parameters
    ----------
    sample, spec : as for `fit`; without weights.
    folds : sets of areas that are left out together, at random.
    draws, seed : of each fit.

    Raises
    ------
    ModelError
        If there are fewer areas than would leave two in every fit, or weights are named: who was asked in an area is
        taken as given here, and a weighted share of them has no binomial error.
    """
    chosen = Spec(spec) if isinstance(spec, str) else spec
    formula = Formula.read(chosen.formula)
    area = mapped(formula, sample, chosen.area)
    where = labels(sample, area)
    areas = np.array(sorted(set(where)), dtype=object)
    if chosen.weights or folds < 2 or len(areas) < folds + 2:
        what = f"{len(areas)} areas cannot be left out in {folds} sets: too few areas, fewer than two sets, or weights"
        raise ModelError(Fault(what, "Name fewer sets, or leave the weights out of the check", field="folds"))
    shuffled = areas[stream(seed, "hold out").permutation(len(areas))]
    rows = []
    for fold in range(folds):
        out = np.isin(where, shuffled[fold::folds])
        model = fit(sample[~out], replace(chosen, area=area), draws=draws, seed=seed)
        asked = sample[out].copy()
        count = formula.size or "people"
        if not formula.size:
            asked[count] = 1.0
        found = model.poststratify(asked, people=count)
        table = found.table().rename(columns={area: "area", "people": "asked", "estimate": "predicted"})
        size = asked[count].astype(float).groupby(labels(asked, area)).sum()
        cases = asked[formula.cases].astype(float).groupby(labels(asked, area)).sum()
        table["direct"] = (cases / size).reindex(table["area"]).to_numpy()
        rows.append(table[["area", "asked", "direct", "predicted", "lower", "upper"]])
    table = pd.concat(rows).sort_values("area").reset_index(drop=True)
    table["inside"] = table["direct"].between(table["lower"] - _NEAR, table["upper"] + _NEAR)
    return HeldOut(table)
