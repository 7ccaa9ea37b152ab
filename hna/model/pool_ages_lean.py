"""How a curve by age leans on what it was pooled from: on each rate, and on each study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from hna.model.pool_ages import FIRST_LOOK, AgeProblem

Array = NDArray[np.float64]

_RIDGE = 1e-9


def leant(problem: AgeProblem, scale: float, curve: Array, scores: Array, *, monotone: bool = False) -> Array:
    """Draws of a curve, of which the part that comes from errors shared between rates is made of those errors' own draws.

    With J the derivative of the reported bands by the coefficients, V the covariance of the rates, L what the errors do to them,
    P the prior's precision: coefficients move with the errors by ``K = (J′V⁻¹J + P)⁻¹J′V⁻¹L``, at the most likely
    spreads. Draws with mean m and covariance S become ``m + A(b − m) + Kz``, with ``A S A′ = S − KK′``: the same mean and
    covariance as before, and whatever else an error moves, moves with the curve. This is `Posterior.draw` of pooling for
    many coefficients.

    Parameters
    ----------
    problem, scale : what is known, and the scale of the prior of the between-study standard deviation.
    curve : shape (age, draw), logit.
    scores : shape (error, draw), draws of the errors in standard deviations.
    monotone : whether draws only rise, or only fall: where the move would turn one, it stays level.

    Returns
    -------
    array of shape (age, draw).

    References
    ----------
    Rue H, Held L. Gaussian Markov random fields. Chapman & Hall/CRC, 2005 (a Gaussian given some of its parts). doi 10.1201/9780203492024.
    """
    b, theta, hessian = _best(problem, scale)
    _, slope = _bands(problem, b)
    inverse = np.linalg.inv(problem.covariance(np.exp(theta[:1]))[0])
    moved = np.linalg.solve(hessian, slope.T @ inverse @ problem.shared)
    columns = np.linalg.lstsq(problem.basis, curve, rcond=None)[0]
    mean = columns.mean(axis=1, keepdims=True)
    away = columns - mean
    covariance = away @ away.T / away.shape[1]
    root = np.linalg.cholesky(covariance + _RIDGE * np.diag(np.diag(covariance)))
    value, vector = np.linalg.eigh(np.eye(len(root)) - _outer(np.linalg.solve(root, moved)))
    narrowed = vector @ (np.sqrt(np.maximum(value, 0.0))[:, None] * (vector.T @ np.linalg.solve(root, away)))
    found: Array = problem.basis @ (mean + root @ narrowed + moved @ scores)
    if not monotone:
        return found
    rises = curve[-1].mean() > curve[0].mean()
    return np.maximum.accumulate(found) if rises else np.minimum.accumulate(found)


def _outer(values: Array) -> Array:
    found: Array = values @ values.T
    return found


def _best(problem: AgeProblem, scale: float) -> tuple[Array, Array, Array]:
    """Coefficients, logs of the spreads, and the coefficients' precision, at the likeliest of a set of spreads."""
    b, root, log = problem.mode(FIRST_LOOK, np.array([scale, problem.bends]))
    best = int(np.argmax(log))
    return b[best], FIRST_LOOK[best], root[best] @ root[best].T


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


def left_out(problem: AgeProblem, scale: float, studies: Sequence[str]) -> tuple[LeftOutOfCurve, ...]:
    """The curve without each study in turn, at its likeliest, and each study's conflict with the others.

    The study's rates less those that the others predict, with the covariance of both (its own errors, the setting's and the
    curve's), have a weighted mean d with variance 1/(1′C⁻¹1): the conflict is ``|d|·√(1′C⁻¹1)``.

    Parameters
    ----------
    problem : of two studies or more.
    scale : of the prior of the between-study standard deviation.
    studies : names, in the order of the problem's.

    References
    ----------
    Presanis AM, Ohlssen D, Spiegelhalter DJ, De Angelis D. Stat Sci 2013;28:376-397. doi 10.1214/13-STS426.
    """
    whole, _, _ = _best(problem, scale)
    rows = []
    for k, name in enumerate(studies):
        own, rest = np.flatnonzero(problem.at == k), np.flatnonzero(problem.at != k)
        others, alone = problem.only(rest), problem.only(own)
        b, theta, hessian = _best(others, scale)
        mean, slope = _bands(alone, b)
        inverse = np.linalg.inv(others.covariance(np.exp(theta[:1]))[0])
        # What a study has in common with the rest sets it no further from them.
        moved = np.linalg.solve(hessian, _bands(others, b)[1].T @ inverse @ others.shared)
        common = alone.shared @ (slope @ moved).T
        covariance = (
            alone.covariance(np.exp(theta[:1]))[0] + slope @ np.linalg.solve(hessian, slope.T) - common - common.T
        )
        pull = np.linalg.solve(covariance, np.ones(len(own)))
        far = abs(float(pull @ (alone.y - mean))) / float(np.sqrt(pull.sum()))
        people = problem.people * (others.weight.sum(axis=0) > 0)
        without, within = (float(people @ expit(problem.basis @ one)) for one in (b, whole))
        rows.append(LeftOutOfCurve(name, without / within, far))
    return tuple(rows)
