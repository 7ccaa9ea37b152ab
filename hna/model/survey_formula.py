"""A survey model in a line of text, and the columns that it makes of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import Fault, ModelError, SourceError
from hna.model.survey_cells import labels, numbers

Array = NDArray[np.float64]

_NAME = r"(?:`[^`]+`|[\w.]+)"
_OUTCOME = re.compile(rf"^\s*({_NAME})\s*(?:/\s*({_NAME})\s*)?$")
_TERM = re.compile(
    rf"^(?:\(\s*1\s*\|\s*(?P<group>{_NAME}(?:\s*:\s*{_NAME})*)\s*\)|rw\(\s*(?P<walk>{_NAME})\s*\)"
    rf"|C\(\s*(?P<category>{_NAME})\s*\)|(?P<plain>{_NAME}))$"
)
_PLUS = re.compile(r"\+(?=(?:[^`]*`[^`]*`)*[^`]*$)")
_HELP = (
    "Write outcome ~ covariate + C(category) + (1 | group) + rw(age) + (1 | area); outcome is a 0/1 column, or "
    "cases / size; names with blanks go between back-ticks"
)


@dataclass(frozen=True)
class Formula:
    """What a line says.

    Parameters
    ----------
    cases, size : columns of the outcome; size is blank for a 0/1 outcome.
    plain : covariates, numbers or categories.
    categories : those of them that are categories even where they are written as numbers, ``C(name)``.
    groups : columns whose effects are drawn from one normal each; ``a:b`` crosses two.
    walks : ordered columns whose effects follow a random walk.
    """

    cases: str
    size: str
    plain: tuple[str, ...]
    groups: tuple[str, ...]
    walks: tuple[str, ...]
    categories: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Formula:
        """The formula in a line.

        Raises
        ------
        ModelError
            If it is no such line.
        """
        left, found, right = text.partition("~")
        outcome = _OUTCOME.match(left)
        if not found or outcome is None:
            raise ModelError(Fault(f"{text!r} is no formula", _HELP, field="formula"))
        held: dict[str, list[str]] = {"plain": [], "category": [], "group": [], "walk": []}
        for term in _PLUS.split(right):
            if term.strip() in ("", "1"):
                continue
            matched = _TERM.match(term.strip())
            if matched is None:
                raise ModelError(Fault(f"{term.strip()!r} is no term of a formula", _HELP, field="formula"))
            for kind, names in held.items():
                if matched[kind]:
                    names.append(re.sub(r"\s*:\s*", ":", matched[kind]).replace("`", ""))
        cases, size = (name.strip("`") for name in (outcome[1], outcome[2] or ""))
        plain = [*held["plain"], *held["category"]]
        terms = [*plain, *held["group"], *held["walk"]]
        twice = sorted({name for name in terms if terms.count(name) > 1 or name in (cases, size)})
        if twice:
            what = "the formula names a column twice, or its outcome as a term"
            raise ModelError(Fault(what, _HELP, field="formula", rows=twice))
        return cls(cases, size, tuple(plain), tuple(held["group"]), tuple(held["walk"]), tuple(held["category"]))

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
    def learn(cls, formula: Formula, table: pd.DataFrame) -> Coding:
        """From the sample.

        Raises
        ------
        ModelError
            If a group has one level in the sample, or a walk has, or nothing tells the order of a walk's levels.
        """
        centre, scale, levels, bases = {}, {}, {}, {}
        for name in formula.plain:
            if pd.api.types.is_numeric_dtype(table[name]) and name not in formula.categories:
                values = numbers(table, name, "sample")
                centre[name], scale[name] = float(values.mean()), float(values.std()) or 1.0
            else:
                levels[name] = tuple(sorted(set(labels(table, name)), key=_order))
        for name in formula.walks:
            levels[name] = _walked(table, name)
            bases[name] = random_walk(len(levels[name]))
        for name in formula.groups:
            levels[name] = tuple(sorted(set(labels(table, name))))
        single = [name for name in formula.groups if len(levels[name]) < 2]
        if single:
            what = "groups have one level in the sample, which says nothing of how levels differ"
            raise ModelError(Fault(what, "Leave them out of the formula", field="formula", rows=single))
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
                held.append((numbers(table, name, "frame") - self.centre[name]) / self.scale[name])
            else:
                at = self.positions(table, name, known=True)
                held += [(at == n).astype(float) for n in range(1, len(self.levels[name]))]
        return np.column_stack(held)

    def walk(self, table: pd.DataFrame, name: str) -> tuple[Array, Array]:
        """A walk's columns, shape (row, column of the basis), and what they leave open, shape (row,).

        A level between two sampled ones is on the line between them, by the first number in each, with the standard
        deviation of a walk pinned at both (as a share of the walk's); sampled levels leave nothing open.

        Raises
        ------
        SourceError
            If a level that the sample has not does not lie between two that it has.
        """
        basis, count = self.bases[name], len(self.levels[name])
        at = self.positions(table, name, known=False)
        numbered = [_order(level)[0] for level in self.levels[name]]
        found, left = basis[np.maximum(at, 0)], np.zeros(len(at))
        written = labels(table, name)
        for level in sorted(set(written[at < 0])):
            number, rows = _order(level)[0], written == level
            after = int(np.searchsorted(numbered, number))
            if not 0 < after < count or not number < numbered[after] < float("inf"):
                self.positions(table[rows], name, known=True)
            low, high = numbered[after - 1 : after + 1]
            share = (number - low) / (high - low)
            step = basis[after] - basis[after - 1]
            found[rows] = basis[after - 1] + share * step
            left[rows] = np.sqrt(share * (1 - share) * (step @ step))
        return found, left

    def positions(self, table: pd.DataFrame, name: str, *, known: bool) -> NDArray[np.intp]:
        """Position of each row's level, shape (row,); −1 for one that the sample has not, unless it must be known.

        Raises
        ------
        SourceError
            If a level must be known and is not, or one is the same as a sampled one but for how it is written.
        """
        at = {level: n for n, level in enumerate(self.levels[name])}
        written = labels(table, name)
        found = np.array([at.get(level, -1) for level in written], dtype=np.intp)
        unknown = sorted(set(written[found < 0]))
        alike = {_bare(level): level for level in set(at) - set(written)}
        rows = [f"{level} (sample: {alike[_bare(level)]})" for level in unknown if _bare(level) in alike]
        if rows:
            remedy = "Write them alike in both tables"
            raise SourceError(Fault(f"levels of {name} are written differently", remedy, field=name, rows=rows))
        if known and unknown:
            remedy = "Group levels until the sample holds each, leave the rows out of the frame, or use (1 | …)"
            what = f"the sample has nobody at some levels of {name} that the frame has"
            raise SourceError(Fault(what, remedy, field=name, rows=unknown))
        return found


def _bare(label: str) -> str:
    """A label without what two tables may write differently: case, blanks, marks, leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[^\w:]|_", "", label.casefold()))


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


def _walked(table: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Levels of a walk in order: that of an ordered category, else by the first number in each.

    Raises
    ------
    ModelError
        If several have no number: the alphabet is no order.
    """
    kind = table[name].dtype
    held = set(labels(table, name))
    if isinstance(kind, pd.CategoricalDtype) and kind.ordered:
        written = labels(pd.DataFrame({name: kind.categories}), name).tolist()
        return tuple(level for level in written if level in held)
    plain = sorted(level for level in held if _order(level)[0] == float("inf"))
    if len(plain) > 1:
        remedy = "Write levels with a number, such as 16-24, make the column an ordered category, or use (1 | …)"
        raise ModelError(Fault(f"levels of rw({name}) have no order", remedy, field="formula", rows=plain))
    return tuple(sorted(held, key=_order))


def _order(label: str) -> tuple[float, str]:
    number = re.search(r"(?:(?<!\w)-)?\d+(\.\d+)?", label)
    if not number:
        return (float("inf"), label)
    # What ends below a number comes before what begins at it.
    below = re.match(r"\s*(<|under\b|below\b|less than\b)", label.casefold()) and "=" not in label
    return (float(np.nextafter(float(number[0]), -np.inf)) if below else float(number[0]), label)
