"""Priors and thresholds for combining studies: read from the shelf, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from hna.evidence.record import Record
from hna.evidence.shelf import Shelf
from hna.model.defaults import read_standard

FILE = "data/standards/pooling.yaml"


class _Value(Record):
    value: float = Field(gt=0)
    because: str


class _Fields(Record):
    between_study_scale: _Value
    sensitivity_scale: _Value
    conflict_warn: _Value
    conflict_refuse: _Value
    vacuous_odds_ratio: _Value


@dataclass(frozen=True)
class PoolStandards:
    """How several studies are combined.

    Parameters
    ----------
    scale, sensitivity : of the half-normal prior of the between-study standard deviation, logit scale.
    warn, refuse : standardised differences between one study and the others.
    vacuous : ratio of a prediction interval's upper to its lower odds above which it says nothing.
    because : reason of each, by its name in the file.
    """

    scale: float
    sensitivity: float
    warn: float
    refuse: float
    vacuous: float
    because: dict[str, str]


def read_pool_standards(shelf: Shelf) -> PoolStandards:
    """The standards on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    fields = read_standard(shelf, FILE, _Fields)
    return PoolStandards(
        fields.between_study_scale.value, fields.sensitivity_scale.value, fields.conflict_warn.value,
        fields.conflict_refuse.value, fields.vacuous_odds_ratio.value,
        {name: getattr(fields, name).because for name in _Fields.model_fields},
    )  # fmt: skip
