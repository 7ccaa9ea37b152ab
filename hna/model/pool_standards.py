"""Priors and thresholds for combining studies: read from the shelf, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from hna.evidence.shelf import Shelf
from hna.model.defaults import Some, read_values

FILE = "data/standards/pooling.yaml"


@dataclass(frozen=True)
class PoolStandards:
    """How several studies are combined.

    Parameters
    ----------
    between_study_scale, sensitivity_scale : of the half-normal prior of the between-study standard deviation, logit scale.
    conflict_warn, conflict_refuse : standardised differences between one study and the others.
    vacuous_odds_ratio : of a prediction interval's upper to its lower odds, above which it says nothing.
    because : reason of each, by its name.
    """

    between_study_scale: Some
    sensitivity_scale: Some
    conflict_warn: Some
    conflict_refuse: Some
    vacuous_odds_ratio: Some
    because: dict[str, str]


def read_pool_standards(shelf: Shelf) -> PoolStandards:
    """The standards on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    return read_values(shelf, FILE, PoolStandards)
