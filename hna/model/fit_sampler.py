"""Run a sampler and say whether its result may be used: one adapter for every version of the Bayesian libraries."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, ModelError
from hna.model.rules import rules


@dataclass(frozen=True)
class Diagnostics:
    """Whether chains agree and carry enough information.

    Parameters
    ----------
    rhat : the largest over reported quantities; 1 when chains agree.
    bulk, tail : the smallest effective sample sizes.
    mcse : the largest Monte Carlo error of a mean, in posterior standard deviations.
    divergences : transitions that left the posterior.
    sampler : its name.
    """

    rhat: float
    bulk: float
    tail: float
    mcse: float
    divergences: int
    sampler: str

    @property
    def passed(self) -> bool:
        """Whether r̂ and both effective sample sizes keep the limits of `Rules`, and nothing diverged."""
        limits = rules()
        enough = min(self.bulk, self.tail) > limits.effective_above
        return self.rhat < limits.rhat_below and enough and self.divergences == 0

    @property
    def words(self) -> str:
        """One line."""
        return (
            f"{self.sampler}: r̂ {self.rhat:.3f}, effective draws {self.bulk:,.0f} (bulk) and {self.tail:,.0f} (tail), "
            f"Monte Carlo error {self.mcse:.3f} SD, divergences {self.divergences}"
        )

    def require(self) -> None:
        """Refuse a result that may not be used.

        Raises
        ------
        ModelError
            R391, with what failed.
        """
        if not self.passed:
            remedy = "Raise draws or tune, simplify the model, or look for a cell that the data do not inform"
            raise ModelError(Fault(f"the sampler's diagnostics fail ({self.words})", remedy, code="R391"))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep the libraries' notices of future changes and progress out of an analyst's run."""
    loggers = [logging.getLogger(name) for name in ("pymc", "pytensor", "arviz")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def sample_model(
    pm: Any,
    az: Any,
    model: Any,
    names: Sequence[str],
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    sampler: str,
    target_accept: float = 0.9,
    told: Sequence[str] = (),
) -> tuple[Mapping[str, NDArray[np.float64]], Diagnostics]:
    """Posterior draws of named quantities, and the sampler's diagnostics.

    Parameters
    ----------
    pm, az : the PyMC and ArviZ modules; the caller imports them, so that nothing else does.
    model : a PyMC model.
    names : quantities to keep.
    told : those of them that are reported, and diagnosed; empty for all.
    draws, tune, chains, seed, sampler, target_accept : always passed on, never left to a default.

    Returns
    -------
    arrays of shape (draw, ...) by name, chains one after another; and diagnostics over those that are reported.
    """
    with quietly(), model:
        options: dict[str, Any] = {"target_accept": target_accept} if sampler != "pymc" else {}
        if sampler == "pymc":
            options = {"target_accept": target_accept, "cores": min(2, chains)}
        result = pm.sample(
            draws=draws, tune=tune, chains=chains, random_seed=seed, nuts_sampler=sampler, progressbar=False,
            compute_convergence_checks=False, **options,
        )  # fmt: skip
        posterior = result["posterior"]
        posterior = posterior.to_dataset() if hasattr(posterior, "to_dataset") else posterior
        kept = posterior[list(names)]
        stats = result["sample_stats"]
        diverging = int(np.asarray(stats["diverging"]).sum()) if "diverging" in stats else 0
        judged = kept[list(told)] if told else kept
        measures = [az.rhat(judged), az.ess(judged, method="bulk"), az.ess(judged, method="tail")]
        error = az.mcse(judged)
    told = told or names
    worst = [_each(measure, told) for measure in measures]
    scale = {name: np.asarray(kept[name].std(("chain", "draw"))) for name in told}
    mcse = max(
        float(np.nanmax(np.asarray(error[name]) / np.where(scale[name] > 0, scale[name], np.inf))) for name in told
    )
    found = Diagnostics(
        float(np.nanmax(worst[0])), float(np.nanmin(worst[1])), float(np.nanmin(worst[2])), mcse, diverging, sampler
    )
    arrays = {}
    for name in names:
        values = kept[name].transpose("chain", "draw", ...).values
        arrays[name] = values.reshape(-1, *values.shape[2:])
    return arrays, found


def _each(measure: Any, names: Sequence[str]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(measure[name], dtype=float).ravel() for name in names])


def until_passed(
    run: Callable[[int, float], tuple[Mapping[str, NDArray[np.float64]], Diagnostics]],
    draws: int,
    *,
    require: bool = True,
) -> tuple[Mapping[str, NDArray[np.float64]], Diagnostics]:
    """A sampler run again, with twice the draws and shorter steps, until its diagnostics pass; three times at most.

    Parameters
    ----------
    run : called with draws and target acceptance.
    draws : of the first run.
    require : whether to refuse a third failure.

    Raises
    ------
    ModelError
        R391 if the third fails too.
    """
    accept = 0.9
    for _ in range(3):
        arrays, found = run(draws, accept)
        if found.passed:
            break
        draws, accept = 2 * draws, 1 - (1 - accept) / 2
    if require:
        found.require()
    return arrays, found
