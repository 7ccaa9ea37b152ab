"""People and rates by single year of age, drawn smoothly through bands whose totals are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from hna.errors import Fault, QuantityError
from hna.measure.ages import AgeAxis, AgeBand


def graduate_people(people: NDArray[np.float64], bands: AgeAxis) -> tuple[NDArray[np.float64], AgeAxis]:
    """Banded people at single years, every band's total kept.

    A monotone cubic (PCHIP) through the cumulative count at the limits of the bands, differenced at single years. An
    open-ended last band stays one cell: nothing says how people are spread inside it.

    Parameters
    ----------
    people : shape (..., age), in people.
    bands : the axis of the last dimension.

    Returns
    -------
    array of shape (..., age) in people, never negative; and its axis of single years.

    References
    ----------
    Fritsch FN, Carlson RE. Monotone piecewise cubic interpolation. SIAM J Numer Anal 1980;17:238-246.
    doi 10.1137/0717021.
    """
    closed = [n for n, band in enumerate(bands.bands) if band.high is not None]
    if not closed:
        return people.copy(), bands
    edges = np.array([bands.bands[0].low] + [bands.bands[n].end for n in closed], dtype=float)
    single = np.arange(edges[0], edges[-1] + 1)
    counts = people[..., closed]
    cumulative = np.concatenate([np.zeros((*counts.shape[:-1], 1)), np.cumsum(counts, axis=-1)], axis=-1)
    years = np.diff(PchipInterpolator(edges, cumulative, axis=-1)(single), axis=-1)
    years = np.maximum(years, 0.0)
    starts = (edges[:-1] - edges[0]).astype(int)
    widths = np.diff(edges).astype(int)
    totals = np.add.reduceat(years, starts, axis=-1)
    ratio = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    years = years * np.repeat(ratio, widths, axis=-1)
    axis = tuple(AgeBand(int(age), int(age)) for age in single[:-1])
    if len(closed) < len(bands.bands):
        years = np.concatenate([years, people[..., -1:]], axis=-1)
        axis = (*axis, bands.bands[-1])
    return years, AgeAxis(axis)


def graduate_rates(
    rates: NDArray[np.float64], bands: AgeAxis, reference: NDArray[np.float64], single: AgeAxis
) -> NDArray[np.float64]:
    """Rates by single year whose mean over the reference population is each band's rate.

    Expected cases are accumulated over the reference population, a monotone cubic (PCHIP) is drawn through the totals
    at the limits of the bands, and its rise over each year is divided by that year's people. Where this leaves
    [0, 1], the band falls back to its constant rate.

    Parameters
    ----------
    rates : shape (..., age) on `bands`, proportions.
    bands : axis of the rates.
    reference : shape (age,) on `single`, people of the study or nation.
    single : finer axis that nests in `bands`.

    Returns
    -------
    array of shape (..., age) on `single`, proportions.

    Raises
    ------
    QuantityError
        If the reference population has no one in a band.

    References
    ----------
    Fritsch FN, Carlson RE. Monotone piecewise cubic interpolation. SIAM J Numer Anal 1980;17:238-246.
    doi 10.1137/0717021.
    """
    where = bands.index_of(single)
    people = np.bincount(where, weights=reference, minlength=len(bands.bands))
    if (people <= 0).any():
        empty = [bands.labels[n] for n in np.flatnonzero(people <= 0)]
        raise QuantityError(Fault("the reference population has no one in these bands", rows=empty))
    total = np.concatenate([[0.0], np.cumsum(people)])
    cases = np.concatenate([np.zeros((*rates.shape[:-1], 1)), np.cumsum(rates * people, axis=-1)], axis=-1)
    at = np.concatenate([[0.0], np.cumsum(reference)])
    rise = np.diff(PchipInterpolator(total, cases, axis=-1)(at), axis=-1)
    constant = rates[..., where]
    smooth = np.divide(rise, reference, out=constant.copy(), where=reference > 0)
    bad = (smooth < 0) | (smooth > 1)
    starts = np.flatnonzero(np.diff(where, prepend=-1))
    bad_band = np.logical_or.reduceat(bad, starts, axis=-1)
    return np.where(bad_band[..., where], constant, smooth)
