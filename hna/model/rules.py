"""Limits at which a number is refused, flagged or not trusted: the same for everybody, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from hna.evidence.shelf import Shelf
from hna.model.defaults import Count, Some, read_values

FILE = "data/standards/rules.yaml"


@dataclass(frozen=True)
class Rules:
    """Limits; what each means stands beside it in the file.

    Parameters
    ----------
    because : reason of each, by its name.
    """

    khat_below: Some
    rhat_below: Some
    effective_above: Some
    monotone_least: Some
    mean_within: Some
    mean_errors: Some
    logit_like: Some
    poor_fit: Count
    wide_band: Some
    fewest_pooled: Count
    outside_test: Some
    map_areas: Count
    aic_within: Some
    known_near: Some
    known_above: Some
    neighbours_missing: Count
    neighbours_of: Count
    steep: Some
    steep_bands: Count
    conditioned_least: Some
    alone_effective: Some
    alone_wide: Some
    alone_narrow: Some
    alone_relative: Some
    because: dict[str, str]


@cache
def rules() -> Rules:
    """The shipped limits. A workspace has none of its own: what is refused is lifted by evidence, not by a setting."""
    return read_values(Shelf(), FILE, Rules)


def missing_share() -> float:
    """The neighbours' rule for a region or England: share of the people who may live where there is no count."""
    return rules().neighbours_missing / rules().neighbours_of


def off_mean(mean: ArrayLike, spread: ArrayLike, draws: int, headline: ArrayLike) -> NDArray[np.bool_]:
    """Whether the mean of draws is not the headline: ``|m − h| > max(k·s/√S, w·h)``.

    k is the point of Student's t with S − 1 degrees of freedom beyond which lies as much as beyond `Rules.mean_errors` of a
    normal: the spread of a handful of draws says little. Of one draw nothing can be said.

    Parameters
    ----------
    mean, spread : mean m and standard deviation s of the draws, any shape.
    draws : S.
    headline : h, of that shape; w is `Rules.mean_within`.
    """
    held = rules()
    off = np.abs(np.subtract(mean, headline))
    if draws < 2:
        return np.zeros(np.shape(off), dtype=bool)
    errors = -stdtrit(draws - 1, ndtr(-held.mean_errors))
    found: NDArray[np.bool_] = off > np.maximum(
        errors * np.asarray(spread) / np.sqrt(draws), held.mean_within * np.asarray(headline)
    )
    return found
