"""From one way of finding cases to another: screening tests, and definitions measured on the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, expit, logit

from hna.errors import Fault, ModelError, QuantityError
from hna.measure.draws import normal, uniform
from hna.model.meta import random_effects
from hna.model.pool_grid import Posterior, solve
from hna.model.rules import rules

Array = NDArray[np.float64]

_INSIDE = (1e-12, 1 - 1e-9)


def rogan_gladen(
    positive: ArrayLike, sensitivity: ArrayLike, specificity: ArrayLike, cells: Sequence[str] = ()
) -> tuple[Array, float]:
    """True prevalence from the share positive on a test: ``p = (q + Sp − 1)/(Se + Sp − 1)``.

    Parameters
    ----------
    positive : shape (..., draw), share positive.
    sensitivity, specificity : shape (draw,), draws of each.
    cells : labels of the leading cells, for messages.

    Returns
    -------
    array like `positive`, and the largest share of draws, over cells, in which fewer were positive than false positives
    alone would be, or more than the test finds of everybody; those are 0, and 1.

    Raises
    ------
    ModelError
        R322 if sensitivity + specificity is one or less in any draw (the test says nothing), or if in some cell more
        draws than `Rules.outside_test` would be outside 0 to 1.

    References
    ----------
    Rogan WJ, Gladen B. Am J Epidemiol 1978;107:71-76. doi 10.1093/oxfordjournals.aje.a112510.
    """
    q, se, sp = (np.asarray(values, dtype=float) for values in (positive, sensitivity, specificity))
    for name, values in (("share positive", q), ("sensitivity", se), ("specificity", sp)):
        if not ((values >= 0) & (values <= 1)).all():
            raise QuantityError(f"{name} is outside 0 to 1")
    gain = se + sp - 1
    if (gain <= 0).any():
        remedy = "Such a test says nothing about who is a case: use another source"
        what = f"sensitivity and specificity add up to {float((se + sp).min()):.3g}, not to more than one"
        raise ModelError(Fault(what, remedy, code="R322"))
    # A share that only rounding takes outside is inside.
    low, high = (np.atleast_1d(wrong.mean(axis=-1)).ravel() for wrong in (q < 1 - sp - 1e-12, q > se + 1e-12))
    for share, said, why in (
        (low, "fewer are positive than false positives alone would be", "The specificity cannot be that low"),
        (high, "more are positive than the test would find if everybody had the need", "The sensitivity is too low"),
    ):
        if share.max() > rules().outside_test:
            where = np.flatnonzero(share > rules().outside_test).tolist() if len(cells) else []
            rows = [f"{cells[n]}: {share[n]:.0%}" for n in where]
            what = f"in {share.max():.0%} of draws {said}"
            remedy = f"{why} in this population: find one measured among such people, or leave these ages out"
            raise ModelError(Fault(what, remedy, rows=rows, code="R322"))
    found: Array = np.clip((q + sp - 1) / gain, 0.0, 1.0)
    return found, float(max(low.max(), high.max()))


@dataclass(frozen=True)
class Accuracy:
    """Sensitivity or specificity, drawn from a Beta.

    Parameters
    ----------
    key : of its stream: what it was read from, so that all needs that use it share its error.
    mean : proportion.
    size : sum of the Beta's parameters; infinite for a share known without error.
    flags : diagnostic codes.
    """

    key: str
    mean: float
    size: float
    flags: tuple[str, ...] = ()

    @property
    def spread(self) -> float:
        """Standard deviation."""
        return float(np.sqrt(self.mean * (1 - self.mean) / (self.size + 1)))

    def draw(self, seed: int, draws: int) -> Array:
        """Draws, shape (draw,)."""
        if np.isinf(self.size):
            return np.full(draws, self.mean)
        points = uniform(seed, self.key, draws)
        drawn: Array = betaincinv(self.size * self.mean, self.size * (1 - self.mean), points)
        return drawn

    @property
    def words(self) -> str:
        """The share and its 95 % limits."""
        if np.isinf(self.size):
            return f"{self.mean:.1%}"
        low, high = betaincinv(self.size * self.mean, self.size * (1 - self.mean), [0.025, 0.975])
        return f"{self.mean:.1%} ({low:.1%} to {high:.1%})"


@dataclass(frozen=True)
class TestErrors:
    """A screening test's errors, for which the share positive is corrected (`rogan_gladen`).

    Parameters
    ----------
    sensitivity, specificity : independent, since they are measured among different people.
    """

    sensitivity: Accuracy
    specificity: Accuracy

    __test__ = False

    @property
    def flags(self) -> tuple[str, ...]:
        """Diagnostic codes."""
        return tuple(sorted({*self.sensitivity.flags, *self.specificity.flags}))

    @property
    def words(self) -> str:
        """What was done."""
        return (
            f"corrected for the test's errors (Rogan–Gladen): sensitivity {self.sensitivity.words}, specificity "
            f"{self.specificity.words}"
        )

    @property
    def own(self) -> float:
        """Standard deviation of what varies between settings: none is known."""
        return 0.0

    def point(self, rate: ArrayLike) -> Array:
        """Corrected rates at the printed sensitivity and specificity, inside (0, 1)."""
        gain = self.sensitivity.mean + self.specificity.mean - 1
        found: Array = np.clip((np.asarray(rate) + self.specificity.mean - 1) / gain, *_INSIDE)
        return found

    def drawn(self, rate: Array, seed: int, survey: str, cells: Sequence[str] = ()) -> Array:  # noqa: ARG002
        """Corrected draws, shape (..., draw); both errors are one draw, shared by all cells and studies."""
        draws = rate.shape[-1]
        found, _ = rogan_gladen(rate, self.sensitivity.draw(seed, draws), self.specificity.draw(seed, draws), cells)
        return np.asarray(np.clip(found, *_INSIDE), dtype=float)

    def slope(self, rate: ArrayLike) -> Array:
        """Derivative of the corrected logit by the logit of the share positive: ``q(1 − q)/((Se + Sp − 1)·p(1 − p))``."""
        q, p = np.asarray(rate, dtype=float), self.point(rate)
        gain = self.sensitivity.mean + self.specificity.mean - 1
        return np.asarray(q * (1 - q) / (gain * p * (1 - p)), dtype=float)

    def loadings(self, rate: ArrayLike) -> dict[str, Array]:
        """What one standard deviation of each error does to the corrected logit, by stream.

        ``−1/((Se + Sp − 1)(1 − p))`` a unit of sensitivity, ``1/((Se + Sp − 1)p)`` a unit of specificity.
        """
        p, gain = self.point(rate), self.sensitivity.mean + self.specificity.mean - 1
        return {
            self.sensitivity.key: -self.sensitivity.spread / (gain * (1 - p)),
            self.specificity.key: self.specificity.spread / (gain * p),
        }

    def scores(self, seed: int, draws: int) -> dict[str, Array]:
        """Draws of each error in standard deviations, by stream."""
        return {
            one.key: (one.draw(seed, draws) - one.mean) / one.spread if one.spread > 0 else np.zeros(draws)
            for one in (self.sensitivity, self.specificity)
        }


@dataclass(frozen=True, eq=False)
class Crosswalk:
    """The difference between an alternative and the reference definition, on the logit scale.

    Parameters
    ----------
    name : keys the streams.
    beta : mean of alternative less reference.
    error : its standard error.
    between : standard deviation of the difference between settings.
    pairs : how many.
    posterior : of mean and spread, where there are pairs enough; None where the spread is judged.
    flags : diagnostic codes.
    """

    name: str
    beta: float
    error: float
    between: float
    pairs: int
    posterior: Posterior | None = None
    flags: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was done."""
        judged = "" if self.posterior is not None else " (judged)"
        return (
            f"carried to another case definition by {self.pairs} {'pair' if self.pairs == 1 else 'pairs'} ({self.name}): odds "
            f"divided by {np.exp(self.beta):.3g} (logit {self.beta:.3f}, SE {self.error:.3f}, between-setting SD "
            f"{self.between:.3f}{judged})"
        )

    @property
    def own(self) -> float:
        """Standard deviation of what varies between settings."""
        return self.between

    @property
    def key(self) -> str:
        """Of the stream of the mean difference."""
        return f"crosswalk:{self.name}"

    def draw(self, seed: int, draws: int) -> tuple[Array, Array]:
        """Draws of the mean difference, and of its spread between settings; shapes (draw,).

        One draw each, shared by every estimate that the crosswalk touches, in all needs.
        """
        score = normal(seed, self.key, draws)
        if self.posterior is None:
            return self.beta + self.error * score, np.full(draws, self.between)
        points = uniform(seed, f"{self.key}:spread", draws)
        return self.posterior.draw(points, score, None), self.posterior.tau_quantile(points)

    def point(self, rate: ArrayLike) -> Array:
        """Rates at the mean difference: ``logit p − β``."""
        found: Array = expit(logit(np.clip(rate, *_INSIDE)) - self.beta)
        return found

    def drawn(self, rate: Array, seed: int, survey: str, cells: Sequence[str] = ()) -> Array:  # noqa: ARG002
        """Draws of the alternative definition, shape (..., draw), as draws of the reference: ``logit p − β − γz``.

        β is one draw for all; z is one for a survey, whose difference is that of its setting.
        """
        draws = rate.shape[-1]
        mean, spread = self.draw(seed, draws)
        setting = spread * normal(seed, f"{self.key}:{survey}", draws)
        found: Array = expit(logit(np.clip(rate, *_INSIDE)) - mean - setting)
        return found

    def slope(self, rate: ArrayLike) -> Array:
        """Derivative of the carried logit by the logit: one."""
        return np.ones_like(np.asarray(rate, dtype=float))

    def loadings(self, rate: ArrayLike) -> dict[str, Array]:
        """What one standard deviation of the mean difference does to the carried logit."""
        return {self.key: np.full_like(np.asarray(rate, dtype=float), -self.error)}

    def scores(self, seed: int, draws: int) -> dict[str, Array]:
        """Draws of the mean difference in standard deviations, by stream."""
        mean, _ = self.draw(seed, draws)
        return {self.key: (mean - self.beta) / self.error if self.error > 0 else np.zeros(draws)}


def crosswalk(
    name: str,
    difference: ArrayLike,
    variance: ArrayLike,
    scale: float,
    *,
    matched: bool = True,
    between: float | None = None,
) -> Crosswalk:
    """A crosswalk from pairs of prevalences by two definitions, measured on the same people.

    Each pair gives ``d = logit p(alternative) − logit p(reference)`` with its sampling variance. Three pairs or more are
    pooled by random effects: β by REML, and draws from the exact posterior with the between-pair standard deviation half-normal,
    as studies are pooled. What is carried takes on the error of β and the spread between pairs. Fewer pairs cannot show
    that spread: it is judged, and β is the mean with weights ``1/(variance + between²)``.

    Parameters
    ----------
    difference, variance : shape (pair,), logit scale.
    scale : of the half-normal prior of the between-pair standard deviation.
    matched : whether both were measured on the same people or population; if not, W321, since the difference between
        studies is then taken for that between definitions.
    between : judged standard deviation between settings, for fewer than three pairs.

    Raises
    ------
    ModelError
        R321 without pairs; R302 for fewer than three and no judged spread, or for a judged spread of three or more.

    References
    ----------
    Zheng P, Barber R, Sorensen RJD, Murray CJL, Aravkin AY. J Comput Graph Stat 2021;30:544-556.
    doi 10.1080/10618600.2020.1868303.
    """
    d, v = np.atleast_1d(np.asarray(difference, dtype=float)), np.atleast_1d(np.asarray(variance, dtype=float))
    if not d.size:
        remedy = "Use pairs measured on the same people, or run each definition alone (envelope)"
        raise ModelError(Fault("a crosswalk rests on no pairs", remedy, code="R321"))
    warned = () if matched else ("W321",)
    if len(d) >= rules().fewest_pooled:
        if between is not None:
            remedy = "Leave `between` out: it is for fewer than three pairs"
            raise ModelError(Fault(f"{len(d)} pairs of {name} show how far they differ", remedy, code="R302"))
        found, posterior = random_effects(d, v, "reml", "none"), solve(d, v, scale)
        error, whole = posterior.moments(new=False)[1], posterior.moments(new=True)[1]
        return Crosswalk(name, found.mean, error, float(np.sqrt(whole**2 - error**2)), len(d), posterior, warned)
    if between is None:
        remedy = (
            "Add pairs, or judge how far the difference varies between settings (between: a standard deviation on the logit "
            "scale, with its reason under because)"
        )
        said = "one pair" if len(d) == 1 else "two pairs"
        raise ModelError(Fault(f"{said} of {name} cannot show how far settings differ", remedy, code="R302"))
    weight = 1 / (v + between**2)
    return Crosswalk(
        name, float((weight * d).sum() / weight.sum()), float(1 / np.sqrt(weight.sum())), between, len(d),
        flags=(*warned, "W131"),
    )  # fmt: skip
