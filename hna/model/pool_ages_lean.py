"""How a curve by age leans on what it was pooled from: on each rate, and on each study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

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
    b, theta, hessian = _best(problem, scale)
    _, slope = _bands(problem, b)
    inverse = np.linalg.inv(problem.covariance(np.exp(theta[:1]))[0])
    found: Array = problem.basis @ np.linalg.solve(hessian, slope.T @ inverse)
    return found


def _best(problem: AgeProblem, scale: float) -> tuple[Array, Array, Array]:
    """Coefficients, logs of the spreads, and the coefficients' precision, at the likeliest of a set of spreads."""
    theta = _LOW + (_HIGH - _LOW) * net(_POINTS, 2)
    b, root, log = problem.mode(theta, np.array([scale, 1.0]))
    best = int(np.argmax(log))
    return b[best], theta[best], root[best] @ root[best].T


def _bands(problem: AgeProblem, b: Array) -> tuple[Array, Array]:
    """Logit of the curve's mean over each reported band, shape (row,), and its derivative, shape (row, column)."""
    rate = expit(problem.basis @ b)
    mean = problem.weight @ rate
    slope = (problem.weight * (rate * (1 - rate))) @ problem.basis / (mean * (1 - mean))[:, None]
    return logit(mean), slope


@dataclass(frozen=True)
class LeftOutOfCurve:
    """The curve without one study.

    Parameters
    ----------
    study : what was left out.
    times : rate over people of the ages that the others reach, over the same with the study.
    conflict : how far the study's level is from what the others predict for a new setting, in standard deviations.
    """

    study: str
    times: float
    conflict: float


def left_out(problem: AgeProblem, scale: float, studies: Sequence[str], loading: Array) -> tuple[LeftOutOfCurve, ...]:
    """The curve without each study in turn, at its likeliest, and each study's conflict with the others.

    The study's rates less those that the others predict, with the covariance of both (its own errors, the setting's and the
    curve's), have a weighted mean d with variance 1/(1′C⁻¹1): the conflict is ``|d|·√(1′C⁻¹1)``.

    Parameters
    ----------
    problem : of two studies or more.
    scale : of the prior of the between-study standard deviation.
    studies : names, in the order of the problem's.
    loading : shape (row, error), what one standard deviation of each shared error does to each rate; no errors, no columns.
    """
    whole, _, _ = _best(problem, scale)
    rows = []
    for k, name in enumerate(studies):
        own, rest = np.flatnonzero(problem.at == k), np.flatnonzero(problem.at != k)
        others, alone = (
            replace(problem, y=problem.y[at], v=problem.v[at], at=problem.at[at], weight=problem.weight[at])
            for at in (rest, own)
        )
        b, theta, hessian = _best(others, scale)
        mean, slope = _bands(alone, b)
        inverse = np.linalg.inv(others.covariance(np.exp(theta[:1]))[0])
        # What a study has in common with the rest sets it no further from them.
        apart = loading[own] - slope @ np.linalg.solve(hessian, _bands(others, b)[1].T @ inverse @ loading[rest])
        covariance = (
            alone.covariance(np.exp(theta[:1]))[0] + slope @ np.linalg.solve(hessian, slope.T) + apart @ apart.T
        )
        pull = np.linalg.solve(covariance, np.ones(len(own)))
        far = abs(float(pull @ (alone.y - mean))) / float(np.sqrt(pull.sum()))
        people = problem.people * (others.weight.sum(axis=0) > 0)
        without, within = (float(people @ expit(problem.basis @ one)) for one in (b, whole))
        rows.append(LeftOutOfCurve(name, without / within, far))
    return tuple(rows)
