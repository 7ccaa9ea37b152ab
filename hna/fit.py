"""Fit ahead what is too slow for a run, and keep it beside what it was fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from hna.errors import Fault, HnaError, ModelError
from hna.evidence.shelf import Shelf
from hna.model.defaults import read_defaults
from hna.model.fit_store import FOLDER, keep, recall
from hna.model.pool_ages_part import Asked, curves_asked
from hna.model.rates_parts import make_part
from hna.model.spec import Model

FITTED = "hierarchical-by-age"
"""The way of combining sources that may need a fit."""


@dataclass(frozen=True)
class Fitted:
    """What was done for one model.

    Parameters
    ----------
    need : of the model.
    what : the sex whose curve it is; blank where there is nothing to fit.
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
    """Fit each model that needs it, one curve at a time, and store draws with fingerprint and diagnostics.

    A model whose nested Laplace may be trusted is left to the run, which takes less than a second for it. A fit of the
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
        if model.prevalence.combine != FITTED:
            yield Fitted(model.need, "", "nothing to fit: solved exactly in every run")
            continue
        defaults = read_defaults(shelf)
        parts = [make_part(model, shelf, used, draws, seed, defaults) for used in model.prevalence.sources]
        for asked in curves_asked(model, shelf, parts, draws, seed, defaults):
            yield _fitted(model, shelf, asked, draws, seed, sampler, again)


def _fitted(model: Model, shelf: Shelf, asked: Asked, draws: int, seed: int, sampler: str, again: bool) -> Fitted:
    wanted = model.prevalence.pool.sampler if model.prevalence.pool else "laplace"
    if wanted == "laplace":
        try:
            curve = asked.laplace(seed, draws)
        except HnaError as error:
            if "R391" not in error.codes:
                raise
        else:
            return Fitted(model.need, asked.sex, f"left to the run: nested Laplace, Pareto k̂ {curve.khat:.2f}")
    folder, name = shelf.roots[0] / FOLDER, f"{model.need}-{asked.sex}.{asked.key}"
    held = None if again else recall(folder, name)
    if held is not None and held[1].get("passed") is True:
        return Fitted(model.need, asked.sex, f"stored already: {held[1].get('words', '')}")
    from hna.model.pool_ages_nuts import fit_ages

    try:
        arrays, diagnostics = fit_ages(asked, draws, seed, sampler)
    except ImportError as error:
        remedy = "Install hna with the bayes extra: pip install 'hna[bayes]'"
        raise ModelError(Fault(f"{error.name} is not installed", remedy)) from None
    record = {"need": model.need, "sex": asked.sex, "draws": draws, "seed": seed, **asdict(diagnostics)}
    record |= {"passed": diagnostics.passed, "words": diagnostics.words}
    try:
        path = keep(folder, name, arrays, record)
    except OSError as error:
        remedy = "Give --workspace a folder that can be written"
        raise ModelError(Fault(f"fits cannot be stored: {error.strerror}", remedy, file=str(folder))) from None
    for old in folder.glob(f"{model.need}-{asked.sex}.*.npz"):
        if old != path:
            old.unlink()
    return Fitted(model.need, asked.sex, diagnostics.words, diagnostics.passed)
