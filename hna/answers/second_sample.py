"""Every error of a rate drawn a second time, also where a sampler made its draws ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hna.errors import ModelError
from hna.evidence.shelf import Shelf
from hna.measure.draws import stream
from hna.model.rates import Rates, carry, make_rates
from hna.model.rates_parts import Part

UNFITTED = "R393"


def two_samples(rates: Rates, shelf: Shelf, seed: int, area: str) -> tuple[Rates, Rates]:
    """A rate and the same with all its errors drawn anew; both of one place where they are found in places.

    A fit made ahead is of one seed: its draws in another order are a second sample of the same posterior, since they are
    independent of the order of every other error.

    Parameters
    ----------
    rates : the first sample.
    shelf : to draw the second from.
    seed : of the second.
    area : code.
    """
    first = rates.in_place(area) if rates.found_in_places else rates
    try:
        second = make_rates(rates.model, shelf, rates.size, seed)
    except ModelError as error:
        if UNFITTED not in error.codes:
            raise
        return first, _reordered(first, shelf, seed)
    return first, second.in_place(area) if second.found_in_places else second


def _reordered(rates: Rates, shelf: Shelf, seed: int) -> Rates:
    order = stream(seed, f"fit:{rates.model.need}").permutation(rates.size)
    groups = tuple(tuple(_taken(part, order) for part in group) for group in rates.groups)
    found = replace(rates, groups=groups, seed=seed, local=None)
    return found if rates.local is None else carry(found, shelf)


def _taken(part: Part, order: NDArray[np.int64]) -> Part:
    held = part.layers
    shares = None if held.shares is None else held.shares[..., order]
    return replace(part, layers=replace(held, draws=held.draws[..., order], shares=shares))
