"""How a curve by age leans on each rate that it was pooled from: what an error shared by several studies does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hna.model.laplace import net
from hna.model.pool_ages import AgeProblem

Array = NDArray[np.float64]

_POINTS = 96
_LOW, _HIGH = np.log(0.02), np.log(3.0)


def lean(problem: AgeProblem, scale: float) -> Array:
    """Derivative of the curve's logit at each age by the logit of each reported rate, at the most likely spreads.

    With J the derivative of the reported bands by the coefficients, V the covariance of the rates and P the prior's precision:
    ``B (J′V⁻¹J + P)⁻¹ J′V⁻¹``. If all rates move alike, so does the curve.

    Parameters
    ----------
    problem : what is known.
    scale : of the prior of the between-study standard deviation.

    Returns
    -------
    array of shape (age, row).
    """
    theta = _LOW + (_HIGH - _LOW) * net(_POINTS, 2)
    b, _, log = problem.mode(theta, np.array([scale, 1.0]))
    best = int(np.argmax(log))
    rate = expit(problem.basis @ b[best])
    mean = problem.weight @ rate
    slope = (problem.weight * (rate * (1 - rate))) @ problem.basis / (mean * (1 - mean))[:, None]
    inverse = np.linalg.inv(problem.covariance(np.exp(theta[best : best + 1, 0]))[0])
    turned = slope.T @ inverse
    hessian = turned @ slope + np.diag(1 / problem.spread(theta[best : best + 1])[0] ** 2)
    found: Array = problem.basis @ np.linalg.solve(hessian, turned)
    return found


def shared_shift(
    problem: AgeProblem, scale: float, loadings: Sequence[Mapping[str, float]], scores: Mapping[str, Array]
) -> Array:
    """What errors that rates share do to the curve, shape (age, draw), logit scale.

    Parameters
    ----------
    problem, scale : as in `lean`.
    loadings : for each rate, what one standard deviation of each error does to its logit.
    scores : draws of each error in standard deviations, shape (draw,).
    """
    loading = np.array([[one.get(name, 0.0) for name in scores] for one in loadings])
    found: Array = lean(problem, scale) @ loading @ np.stack(list(scores.values()))
    return found
