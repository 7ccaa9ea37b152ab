"""Priors of the Bayesian models: read from the shelf once, each with its reason, and passed as one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

from hna.evidence.shelf import Shelf
from hna.model.defaults import Some, read_values

FILE = "data/standards/priors.yaml"


@dataclass(frozen=True)
class Priors:
    """Standard deviations and scales, on the logit scale (on the log scale for a map of ratios).

    Parameters
    ----------
    survey_intercept, survey_coefficient : standard deviations of normal priors, of standardised covariates.
    survey_groups : scale of the half-normal priors of the standard deviations of groupings and walks.
    survey_areas : scale (and mode) of the Rayleigh prior of the areas' standard deviation.
    map_intercept, map_coefficient : as for a survey.
    map_effect : scale of the half-normal prior of the standard deviation of areas' effects.
    map_share : both parameters of the Beta prior of the spatial share of their variance.
    curve_level, curve_slope : standard deviations of normal priors of a curve by age.
    curve_bends : scale of the half-normal prior of the standard deviation of its bends.
    because : reason of each, by its name.
    """

    survey_intercept: Some
    survey_coefficient: Some
    survey_groups: Some
    survey_areas: Some
    map_intercept: Some
    map_coefficient: Some
    map_effect: Some
    map_share: Some
    curve_level: Some
    curve_slope: Some
    curve_bends: Some
    because: dict[str, str]

    def of(self, model: Literal["survey", "map", "curve"]) -> dict[str, float]:
        """Those of one model by name: part of the fingerprint of its fits, so that a change of prior makes them anew."""
        return {name: value for name, value in asdict(self).items() if name.startswith(f"{model}_")}


def read_priors(shelf: Shelf) -> Priors:
    """The priors on the shelf, the analyst's own first.

    Raises
    ------
    SourceError
        If the file is wrong.
    """
    return read_values(shelf, FILE, Priors)


@cache
def shipped_priors() -> Priors:
    """The shipped priors, for functions that are given no shelf."""
    return read_priors(Shelf())
