"""What is assumed where a source and a model say nothing: read from the shelf, never written in code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from pydantic import Field, ValidationError, create_model

from hna.errors import SourceError
from hna.evidence.record import Record, faults_of
from hna.evidence.shelf import Shelf
from hna.evidence.yaml_file import read_yaml

FILE = "data/standards/defaults.yaml"

Fields = TypeVar("Fields", bound=Record)
Values = TypeVar("Values")
Kind = TypeVar("Kind")
Some = Annotated[float, Field(gt=0)]
"""A number above 0."""
Size = Annotated[float, Field(ge=0)]
"""A number, or 0."""
Count = Annotated[int, Field(gt=0)]
"""A whole number above 0."""


class _Reasoned(Record, Generic[Kind]):
    value: Kind
    because: str


class _ByRisk(Record):
    low: Size
    moderate: Size
    high: Size
    because: str

    @property
    def value(self) -> dict[str, float]:
        return {"low": self.low, "moderate": self.moderate, "high": self.high}


@dataclass(frozen=True)
class Defaults:
    """Default error terms (logit SDs) and thresholds.

    Parameters
    ----------
    study_error : by risk of bias.
    because : reason of each, by its name.
    """

    study_error: dict[str, float]
    transport_error: Size
    staleness_error: Size
    design_effect: Size
    realised_below: Size
    old_evidence: Size
    long_projection: Size
    reference_lag_months: Size
    publication_lag: Size
    communal_left_out: Size
    steady_volume: Size
    because: dict[str, str]


def read_standard(shelf: Shelf, file: str, fields: type[Fields]) -> Fields:
    """A file of defaults on the shelf, each field from the first folder whose file has it: the analyst's own may be a part.

    Parameters
    ----------
    file : under a workspace or the shipped shelf.
    fields : what it holds.

    Raises
    ------
    SourceError
        If a file is wrong.
    """
    held: dict[str, Any] = {}
    paths = [path for root in shelf.roots if (path := root / file).is_file()]
    for path in reversed(paths):
        values, lines = read_yaml(path)
        held |= values
    try:
        return fields.model_validate(held)
    except ValidationError as error:
        raise SourceError(faults_of(error, str(path), lines)) from None


def read_values(shelf: Shelf, file: str, kind: type[Values]) -> Values:
    """Numbers of a file of defaults, each with its reason.

    Parameters
    ----------
    file : as in `read_standard`.
    kind : a dataclass of numbers named as in the file, and ``because``.

    Raises
    ------
    SourceError
        If a file is wrong, or a number outside its bounds.
    """
    names = {name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name != "because"}
    fields: dict[str, Any] = {
        name: (_ByRisk if hint == dict[str, float] else _Reasoned[hint], ...)  # type: ignore[valid-type]
        for name, hint in names.items()
    }
    read = read_standard(shelf, file, create_model(kind.__name__, __base__=Record, **fields))
    held = {name: getattr(read, name) for name in names}
    made: dict[str, Any] = {name: one.value for name, one in held.items()}
    made["because"] = {name: one.because for name, one in held.items()}
    return kind(**made)


def read_defaults(shelf: Shelf) -> Defaults:
    """The defaults on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    return read_values(shelf, FILE, Defaults)
