"""A survey model in a line of text, and the columns that it makes of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault, ModelError, SourceError

Array = NDArray[np.float64]

_TERM = re.compile(r"^(?:\(\s*1\s*\|\s*(?P<group>[\w:]+)\s*\)|rw\(\s*(?P<walk>\w+)\s*\)|(?P<plain>\w+))$")
_HELP = "Write outcome ~ covariate + (1 | group) + rw(age) + (1 | area); outcome is a 0/1 column, or cases / size"


@dataclass(frozen=True)
class Formula:
    """What a line says.

    Parameters
    ----------
    cases, size : columns of the outcome; size is blank for a 0/1 outcome.
    plain : covariates, numbers or categories.
    groups : columns whose effects are drawn from one normal each; ``a:b`` crosses two.
    walks : ordered columns whose effects follow a random walk.
    """

    cases: str
    size: str
    plain: tuple[str, ...]
    groups: tuple[str, ...]
    walks: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Formula:
        """The formula in a line.

        Raises
        ------
        ModelError
            If it is no such line.
        """
        left, found, right = text.partition("~")
        outcome = [part.strip() for part in left.split("/")]
        if not found or len(outcome) > 2 or not all(part.isidentifier() for part in outcome):
            raise ModelError(Fault(f"{text!r} is no formula", _HELP, field="formula"))
        plain: list[str] = []
        groups: list[str] = []
        walks: list[str] = []
        for term in re.split(r"\+(?![^()]*\))", right):
            if term.strip() in ("", "1"):
                continue
            matched = _TERM.match(term.strip())
            if matched is None:
                raise ModelError(Fault(f"{term.strip()!r} is no term of a formula", _HELP, field="formula"))
            for name, held in (("plain", plain), ("group", groups), ("walk", walks)):
                if matched[name]:
                    held.append(matched[name])
        return cls(outcome[0], outcome[1] if len(outcome) == 2 else "", tuple(plain), tuple(groups), tuple(walks))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a table of people must have."""
        names = [*self.plain, *(part for group in self.groups for part in group.split(":")), *self.walks]
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, eq=False)
class Coding:
    """How columns become numbers, learnt from the sample and used alike on the frame.

    Parameters
    ----------
    formula : the model.
    centre, scale : of numeric covariates.
    levels : of categories, walks and groups, in order; a category's first is the one compared with.
    bases : shape (level, column) of each walk.
    """

    formula: Formula
    centre: dict[str, float]
    scale: dict[str, float]
    levels: dict[str, tuple[str, ...]]
    bases: dict[str, Array]

    @classmethod
    def learn(cls, formula: Formula, table: pd.DataFrame, area: str) -> Coding:
        """From the sample."""
        centre, scale, levels, bases = {}, {}, {}, {}
        for name in formula.plain:
            if pd.api.types.is_numeric_dtype(table[name]):
                values = table[name].to_numpy(dtype=float)
                centre[name], scale[name] = float(values.mean()), float(values.std()) or 1.0
            else:
                levels[name] = tuple(sorted(set(table[name].astype(str))))
        for name in formula.walks:
            levels[name] = tuple(sorted(set(table[name].astype(str)), key=_order))
            bases[name] = random_walk(len(levels[name]))
        for name in formula.groups:
            levels[name] = tuple(sorted(set(labels(table, name))))
        if area not in levels:
            raise ModelError(Fault(f"the formula has no (1 | {area})", _HELP, field="formula"))
        return cls(formula, centre, scale, levels, bases)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        names = ["intercept"]
        for name in self.formula.plain:
            names += [name] if name in self.centre else [f"{name}: {level}" for level in self.levels[name][1:]]
        return tuple(names)

    def fixed(self, table: pd.DataFrame) -> Array:
        """Shape (row, coefficient): a one, standardised covariates, and a column a further level of a category.

        Raises
        ------
        SourceError
            If a category has a level that the sample has not.
        """
        held = [np.ones(len(table))]
        for name in self.formula.plain:
            if name in self.centre:
                held.append((table[name].to_numpy(dtype=float) - self.centre[name]) / self.scale[name])
            else:
                at = self.positions(table, name, known=True)
                held += [(at == n).astype(float) for n in range(1, len(self.levels[name]))]
        return np.column_stack(held)

    def walk(self, table: pd.DataFrame, name: str) -> Array:
        """Shape (row, column of the basis)."""
        basis: Array = self.bases[name][self.positions(table, name, known=True)]
        return basis

    def positions(self, table: pd.DataFrame, name: str, *, known: bool) -> NDArray[np.intp]:
        """Position of each row's level, shape (row,); −1 for one that the sample has not, unless it must be known."""
        at = {level: n for n, level in enumerate(self.levels[name])}
        found = np.array([at.get(level, -1) for level in labels(table, name)], dtype=np.intp)
        if known and (found < 0).any():
            rows = sorted({level for level in labels(table, name) if level not in at})
            remedy = "Group levels until the sample holds each, or make it a group: (1 | …)"
            raise SourceError(Fault(f"the sample has nobody at some levels of {name}", remedy, field=name, rows=rows))
        return found


def labels(table: pd.DataFrame, name: str) -> list[str]:
    """Labels of a column, or of two crossed, as text."""
    parts = [table[part].astype(str) for part in name.split(":")]
    return [":".join(values) for values in zip(*parts, strict=True)]


def random_walk(levels: int) -> Array:
    """A basis whose independent standard normal weights make a random walk over levels, shape (level, level − 1).

    Eigenvectors of the walk's precision over the roots of its eigenvalues, without the constant; scaled so that the
    geometric mean of the marginal variances is one.

    References
    ----------
    Sorbye SH, Rue H. Spat Stat 2014;8:39-51 (scaling). doi 10.1016/j.spasta.2013.06.004.
    """
    if levels < 2:
        raise ModelError(Fault("a random walk needs two levels or more", _HELP, field="formula"))
    step = np.diff(np.eye(levels), axis=0)
    value, vector = np.linalg.eigh(step.T @ step)
    basis = vector[:, 1:] / np.sqrt(value[1:])
    scaled: Array = basis / np.exp(0.5 * np.log((basis**2).sum(axis=1)).mean())
    return scaled


def _order(label: str) -> tuple[float, str]:
    number = re.search(r"-?\d+(\.\d+)?", label)
    return (float(number[0]) if number else float("inf"), label)


def cells(table: pd.DataFrame, formula: Formula, weights: str) -> tuple[pd.DataFrame, float]:
    """A survey's rows summed into cells of everything the formula names.

    With weights, a cell's share of cases is the weighted one and its size the number asked over the design effect
    ``n·Σw²/(Σw)²``, so that the weights' cost in precision is paid.

    Parameters
    ----------
    table : one row a person with a 0/1 outcome, or a row a cell with cases and size.
    weights : column of design weights, or blank.

    Returns
    -------
    one row a cell with the formula's columns, ``cases`` and ``size``; and the design effect.

    Raises
    ------
    SourceError
        If a column is absent, has gaps, or the outcome is not 0 or 1.
    """
    needed = [
        *formula.columns,
        formula.cases,
        *([formula.size] if formula.size else []),
        *([weights] if weights else []),
    ]
    absent = [name for name in needed if name not in table]
    if absent:
        raise SourceError(Fault("columns are not in the sample", rows=absent, remedy="Mend the formula or the table"))
    if table[needed].isna().to_numpy().any():
        gaps = [name for name in needed if table[name].isna().any()]
        raise SourceError(Fault("the sample has empty cells", "Leave the rows out by a named act", rows=gaps))
    case = table[formula.cases].to_numpy(dtype=float)
    size = table[formula.size].to_numpy(dtype=float) if formula.size else np.ones(len(table))
    if (case < 0).any() or (case > size).any() or (not formula.size and not np.isin(case, (0, 1)).all()):
        raise SourceError(Fault("the outcome is not 0 or 1, or cases exceed size", field=formula.cases))
    weight = table[weights].to_numpy(dtype=float) if weights else np.ones(len(table))
    if (weight <= 0).any():
        raise SourceError(Fault("a weight is not positive", field=weights))
    effect = float((size.sum() * (size * weight**2).sum()) / (size * weight).sum() ** 2)
    keep = table[list(formula.columns)].copy()
    keep["_asked"], keep["_weight"], keep["_case"] = size, weight * size, weight * case
    summed = keep.groupby(list(formula.columns), observed=True, sort=True).sum().reset_index()
    summed["size"] = summed["_asked"] / effect
    summed["cases"] = summed["size"] * summed["_case"] / summed["_weight"]
    return summed.drop(columns=["_asked", "_weight", "_case"]), effect
