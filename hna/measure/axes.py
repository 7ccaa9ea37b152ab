"""Dimension names, their order, and the two things done with labelled arrays: match labels exactly, and contract."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import xarray as xr

from hna.errors import AxisError, Fault

DIMENSIONS = ("draw", "severity", "area", "year", "sex", "age")
"""The only dimension names, in canonical order."""

SEXES = ("female", "male", "persons")


def canonical(array: xr.DataArray) -> xr.DataArray:
    """The same array with its dimensions in canonical order.

    Raises
    ------
    AxisError
        If a dimension has a name that is not the project's.
    """
    unknown = [str(dim) for dim in array.dims if dim not in DIMENSIONS]
    if unknown:
        raise AxisError(Fault("unknown dimensions", f"Use {', '.join(DIMENSIONS)}", rows=unknown))
    return array.transpose(*(dim for dim in DIMENSIONS if dim in array.dims))


def labels(array: xr.DataArray, dim: str) -> list[Hashable]:
    """Labels along a dimension as plain Python values."""
    return list(array.coords[dim].values.tolist())


def match(left: xr.DataArray, right: xr.DataArray, dims: Sequence[str] | None = None) -> None:
    """Nothing, if both arrays have the same labels in the same order on the dimensions that they share.

    Raises
    ------
    AxisError
        Shows the labels of both sides that the other lacks.
    """
    shared = [str(dim) for dim in left.dims if dim in right.dims] if dims is None else dims
    faults = []
    for dim in shared:
        ours, theirs = labels(left, dim), labels(right, dim)
        if ours == theirs:
            continue
        only_left = [label for label in ours if label not in theirs]
        only_right = [label for label in theirs if label not in ours]
        if only_left or only_right:
            rows = [f"left only: {label}" for label in only_left[:3]] + [
                f"right only: {label}" for label in only_right[:3]
            ]
            faults.append(Fault(f"labels on {dim!r} differ", "Bring both to the same labels by name", rows=rows))
        else:
            faults.append(Fault(f"labels on {dim!r} are in a different order", "Sort both the same way", rows=ours[:5]))
    if faults:
        raise AxisError(faults)


def contract(left: xr.DataArray, right: xr.DataArray, over: Sequence[str]) -> xr.DataArray:
    """Sum of products over some dimensions, with labels matched exactly: the one place where arrays are multiplied up.

    Parameters
    ----------
    left, right : arrays that both have every dimension in `over`.
    over : dimensions to sum away.

    Returns
    -------
    array over the remaining dimensions in canonical order.

    Raises
    ------
    AxisError
        If a dimension is absent from one side, or labels differ.
    """
    absent = [dim for dim in over if dim not in left.dims or dim not in right.dims]
    if absent:
        raise AxisError(Fault("dimensions to contract are not on both sides", rows=absent))
    match(left, right)
    batch = [dim for dim in left.dims if dim in right.dims and dim not in over]
    if batch:
        return canonical(xr.dot(left, right, dim=list(over)))
    keep_left = [dim for dim in left.dims if dim not in over]
    keep_right = [dim for dim in right.dims if dim not in over]
    product = np.tensordot(
        left.transpose(*keep_left, *over).values,
        right.transpose(*over, *keep_right).values,
        axes=(list(range(len(keep_left), left.ndim)), list(range(len(over)))),
    )
    coords = {dim: left.coords[dim] for dim in keep_left} | {dim: right.coords[dim] for dim in keep_right}
    return canonical(xr.DataArray(product, dims=[*keep_left, *keep_right], coords=coords))
