"""What is assumed where a source and a model say nothing: read from the shelf, never written in code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from hna.errors import SourceError
from hna.evidence.record import Record, faults_of
from hna.evidence.shelf import Shelf
from hna.evidence.yaml_file import read_yaml

FILE = "data/standards/defaults.yaml"


class _Value(Record):
    value: float = Field(ge=0)
    because: str


class _ByRisk(Record):
    low: float = Field(ge=0)
    moderate: float = Field(ge=0)
    high: float = Field(ge=0)
    because: str


class _Fields(Record):
    study_error: _ByRisk
    transport_error: _Value
    staleness_error: _Value
    design_effect: _Value
    realised_below: _Value
    old_evidence: _Value
    long_projection: _Value
    reference_lag_months: _Value
    publication_lag: _Value
    communal_left_out: _Value
    steady_volume: _Value


@dataclass(frozen=True)
class Defaults:
    """Default error terms (logit SDs) and thresholds."""

    study: dict[str, float]
    transport: float
    staleness: float
    design_effect: float
    realised_below: float
    old_evidence: float
    long_projection: float
    reference_lag_months: float
    publication_lag: float
    communal_left_out: float
    steady_volume: float
    because: dict[str, str]


Fields = TypeVar("Fields", bound=Record)


def read_standard(shelf: Shelf, file: str, fields: type[Fields]) -> Fields:
    """A file of defaults on the shelf, the analyst's own first.

    Parameters
    ----------
    file : under a workspace or the shipped shelf.
    fields : what it holds.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    path = next(root / file for root in shelf.roots if (root / file).is_file())
    values, lines = read_yaml(path)
    try:
        return fields.model_validate(values)
    except ValidationError as error:
        raise SourceError(faults_of(error, str(path), lines)) from None


def read_defaults(shelf: Shelf) -> Defaults:
    """The defaults on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    fields = read_standard(shelf, FILE, _Fields)
    because: dict[str, Any] = {name: getattr(fields, name).because for name in _Fields.model_fields}
    return Defaults(
        study={name: getattr(fields.study_error, name) for name in ("low", "moderate", "high")},
        transport=fields.transport_error.value,
        staleness=fields.staleness_error.value,
        design_effect=fields.design_effect.value,
        realised_below=fields.realised_below.value,
        old_evidence=fields.old_evidence.value,
        long_projection=fields.long_projection.value,
        reference_lag_months=fields.reference_lag_months.value,
        publication_lag=fields.publication_lag.value,
        communal_left_out=fields.communal_left_out.value,
        steady_volume=fields.steady_volume.value,
        because=because,
    )
