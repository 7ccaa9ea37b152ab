"""Fit ahead what is too slow for a run, and keep it beside what it was fitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hna.errors import Fault, HnaError, ModelError
from hna.evidence.shelf import Shelf
from hna.model.defaults import read_defaults
from hna.model.fit_sampler import Diagnostics
from hna.model.fit_store import FOLDER, Task, keep, recall
from hna.model.map_part import map_task
from hna.model.pool_ages_part import Asked, curves_asked
from hna.model.rates_parts import make_part
from hna.model.spec import Model
from hna.model.survey_part import survey_task

_UNTRUSTED = {"R391", "R392"}


@dataclass(frozen=True)
class Fitted:
    """What was done for one model.

    Parameters
    ----------
    need : of the model.
    what : the sex whose curve it is, survey or map; blank where there is nothing to fit.
    words : diagnostics, or why nothing was fitted.
    passed : whether a run may use it.
    """

    need: str
    what: str
    words: str
    passed: bool = True


def fit_models(
    models: Sequence[Model], shelf: Shelf, draws: int, seed: int, sampler: str = "nutpie", again: bool = False
) -> Iterator[Fitted]:
    """Fit each model that needs it, one curve, survey or map at a time, and store draws with fingerprint and diagnostics.

    A model whose nested Laplace may be trusted is left to the run, which takes about a second for it. A fit of the
    same inputs, draws and seed that passed is kept as it is.

    Parameters
    ----------
    models : to fit.
    shelf : fits are stored under ``fits/`` in its first root: the workspace, else the shipped shelf.
    draws, seed : of the run that is to use the fit.
    sampler : nutpie, or pymc.
    again : fit even what is stored.

    Raises
    ------
    HnaError
        What is wrong with a model, or a folder that cannot be written.
    """
    for model in models:
        tasks = _TASKS.get(model.prevalence.combine)
        if tasks is None:
            yield Fitted(model.need, "", "nothing to fit: solved exactly in every run")
            continue
        for task in tasks(model, shelf, draws, seed):
            yield _fitted(model, shelf, task, draws, seed, sampler, again)


def _curves(model: Model, shelf: Shelf, draws: int, seed: int) -> Iterator[Task]:
    """Curves by age of studies pooled, one a sex."""
    defaults = read_defaults(shelf)
    parts = [make_part(model, shelf, used, draws, seed, defaults) for used in model.prevalence.sources]
    ahead = model.prevalence.pool is not None and model.prevalence.pool.sampler == "nuts"
    for asked in curves_asked(model, shelf, parts, draws, seed, defaults):
        yield Task(
            asked.sex, asked.key, ahead, partial(_curve_khat, asked, draws, seed), partial(_curve, asked, draws, seed)
        )


def _curve_khat(asked: Asked, draws: int, seed: int) -> float:
    return asked.laplace(seed, draws).khat


def _curve(asked: Asked, draws: int, seed: int, sampler: str) -> tuple[Mapping[str, NDArray[np.float64]], Diagnostics]:
    from hna.model.pool_ages_nuts import fit_ages

    return fit_ages(asked, draws, seed, sampler)


def _survey(model: Model, shelf: Shelf, draws: int, seed: int) -> Iterator[Task]:
    yield survey_task(model, shelf, draws, seed)


def _map(model: Model, shelf: Shelf, draws: int, seed: int) -> Iterator[Task]:
    yield map_task(model, shelf, draws, seed)


_TASKS: dict[str, Callable[[Model, Shelf, int, int], Iterator[Task]]] = {
    "hierarchical-by-age": _curves,
    "survey": _survey,
    "map": _map,
}
"""By how rates are combined: what of it may be slow. All else is solved exactly in every run."""


def _fitted(model: Model, shelf: Shelf, task: Task, draws: int, seed: int, sampler: str, again: bool) -> Fitted:
    if not task.ahead:
        try:
            khat = task.quick()
        except HnaError as error:
            if not _UNTRUSTED.intersection(error.codes):
                raise
        else:
            return Fitted(model.need, task.what, f"left to the run: nested Laplace, Pareto k̂ {khat:.2f}")
    folder, stem = shelf.roots[0] / FOLDER, f"{model.need}-{task.what}"
    name = f"{stem}.{task.key}"
    held = None if again else recall(folder, name)
    if held is not None and held[1].get("passed") is True:
        return Fitted(model.need, task.what, f"stored already: {held[1].get('words', '')}")
    try:
        arrays, diagnostics = task.sample(sampler)
    except ImportError as error:
        remedy = "Install hna with the bayes extra: pip install 'hna[bayes]'"
        raise ModelError(Fault(f"{error.name} is not installed", remedy)) from None
    record = {"need": model.need, "of": task.what, "draws": draws, "seed": seed, **asdict(diagnostics)}
    record |= {"passed": diagnostics.passed, "words": diagnostics.words}
    try:
        path = keep(folder, name, arrays, record)
    except OSError as error:
        remedy = "Give --workspace a folder that can be written"
        raise ModelError(Fault(f"fits cannot be stored: {error.strerror}", remedy, file=str(folder))) from None
    for old in folder.glob(f"{stem}.*.npz"):
        if old != path:
            old.unlink()
    return Fitted(model.need, task.what, diagnostics.words, diagnostics.passed)
