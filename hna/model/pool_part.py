"""Random effects in a model file: the studies of every cell pooled, as one part of the rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.shelf import Shelf
from hna.evidence.source import PrevalenceSource
from hna.measure.ages import common_refinement
from hna.measure.draws import normal, uniform
from hna.model.correction import WHOLE, Correcting
from hna.model.defaults import Defaults
from hna.model.distribution import Sampling, sampling_of
from hna.model.pool import Pooled, gate, pool
from hna.model.pool_grid import mean_kept
from hna.model.pool_rare import Counted, Rare, pool_counts
from hna.model.pool_standards import PoolStandards, read_pool_standards
from hna.model.rates_parts import Part
from hna.model.rules import rules
from hna.model.spec import Model
from hna.model.strata import Layers

Array = NDArray[np.float64]

_FIELD = "prevalence.sources"
_TOLD = 4
_TO_JOIN = 2


def pooled_part(
    model: Model,
    shelf: Shelf,
    parts: list[Part],
    draws: int,
    seed: int,
    defaults: Defaults,
    how: Correcting = WHOLE,
) -> Part:
    """The studies of a model pooled by random effects, as a part whose draws are those of a new setting.

    In every cell of age and sex each study is an estimate on the logit scale with variance ``1/(n·p·(1 − p)) + σ²``: its
    sampling variance and the square of its study error, so that a study at higher risk of bias weighs less. The
    headline is the pooled rate; the draws are those of a new setting, moved so that their mean is the headline. One
    stream for τ, one for the mean and one for the setting serve every cell, area and year. The spread between
    settings takes the place of the transport error. Studies that were corrected are pooled as corrected, with the errors
    of the correction in their covariance: one that several share does not average out between them. A cell in which a
    study found nobody, or everybody, is pooled by counts (`pool_counts`): no half case is added.

    Parameters
    ----------
    parts : one a source, as `make_part` gives them.
    how : which corrections move them.

    Returns
    -------
    Part whose members are the studies.

    Raises
    ------
    ModelError
        R301 to R304 from the gate; R302 for fewer than three studies; R303 for two tables of one survey; R311 if a
        transport error is stated as well; R332 if the studies conflict.

    References
    ----------
    Turner RM, Spiegelhalter DJ, Smith GCS, Thompson SG. Bias modelling in evidence synthesis. J R Stat Soc A
    2009;172:21-47. doi 10.1111/j.1467-985X.2008.00547.x.
    """
    check_pool(model, parts)
    axis = common_refinement([part.layers.ages for part in parts])
    sexes = parts[0].layers.sexes
    standards = read_pool_standards(shelf)
    if not how.whole:  # studies that agree only once they are corrected are shown before that
        standards = replace(standards, conflict_refuse=np.inf)
    judged = model.prevalence.judged
    span = None if judged is None else (judged.relative[0], judged.relative[1])
    tables = [sampling_of(part.layers.table, defaults.design_effect, span) for part in parts]
    names = [part.source.id for part in parts]
    key = f"pool:{model.need}"
    streams = uniform(seed, f"{key}:tau", draws), normal(seed, f"{key}:mean", draws), normal(seed, key, draws)
    scores = {name: score for part in parts for name, score in part.corrections.scores(seed, draws, how).items()}
    mean = np.empty((1, len(sexes), len(axis.bands)))
    drawn = np.empty((*mean.shape, draws))
    made: dict[tuple[int, ...], tuple[Pooled | Rare, float, Array]] = {}
    told: dict[str, None] = {}
    flags: dict[str, None] = {}
    for x, sex in enumerate(sexes):
        rows = [part.layers.table.rows("", sex)[part.layers.table.axis("", sex).index_of(axis)] for part in parts]
        for a in range(len(axis.bands)):
            cell = tuple(int(held[a]) for held in rows)
            if cell not in made:
                rare = _rare(tables, cell, parts)
                made[cell] = (
                    _counted(rare, streams, standards)
                    if rare
                    else _solved(names, _studies(tables, cell, parts, how), streams, scores, standards)
                )
                found = made[cell][0]
                where = f"{sex} {axis.labels[a]}: " if len(sexes) * len(axis.bands) > 1 else ""
                told |= dict.fromkeys((f"{where}{found.words}", f"{where}{found.extremes}"))
                flags |= dict.fromkeys(found.flags)
            _, mean[0, x, a], drawn[0, x, a] = made[cell]
    notes = [*told][: 2 * _TOLD]
    if len(told) > len(notes):
        notes.append(f"{(len(told) - len(notes)) // 2} more cells pooled in the same way")
    source = pooled_source(model, parts)
    layers = Layers(
        replace(parts[0].layers.table, source=source), ("",), sexes, axis, mean, drawn, notes=tuple(notes),
        flags=tuple(sorted(flags)),
    )  # fmt: skip
    return as_one(parts, layers, key)


def as_one(parts: list[Part], layers: Layers, key: str) -> Part:
    """Studies as one part: their own errors are in its layers, so that only its age is added to them.

    Parameters
    ----------
    parts : the studies that were pooled.
    layers : what they were pooled to.
    key : of the stream of what they share.
    """
    why = {
        "study": "in the variance of each study before pooling",
        "transport": "the spread between studies takes its place",
        "staleness": parts[0].reasons["staleness"],
    }
    members = tuple(
        replace(part, transport=0.0, reasons=part.reasons | why | {"study": part.reasons["study"]}) for part in parts
    )
    dates = [part.studied for part in parts if part.studied is not None]
    assumed = sum(dates) / len(dates) if dates else None
    return Part(layers, 0.0, 0.0, parts[0].staleness, why, key, members, assumed)


def check_pool(model: Model, parts: list[Part], *, same_ages: bool = True) -> None:
    """Refuse studies that cannot be pooled.

    Parameters
    ----------
    same_ages : whether all must cover the same ages; else two studies will do, for they are joined by a curve.

    Raises
    ------
    ModelError, AxisError
        R301 to R304 from the gate; R201 for other ages; R302 for too few; R303 for two tables of one survey; R311 if a
        transport error is stated as well.
    """
    said = model.prevalence.pool
    spans = [part.layers.ages.span for part in parts]
    same = said.same_definition if said else None
    faults = list(gate([part.source for part in parts], spans, same, chained=not same_ages))
    if model.prevalence.errors.transport:
        what = "the spread between studies already carries the difference between places"
        remedy = "Leave out prevalence.errors.transport, or use combine: single or mixture"
        faults.append(Fault(what, remedy, field="prevalence.errors.transport", code="R311"))
    surveys = [part.survey for part in parts]
    twice = sorted({name for name in surveys if surveys.count(name) > 1})
    if twice:
        faults.append(Fault("one survey is pooled twice", "Use one table of it", field=_FIELD, rows=twice, code="R303"))
    if len(parts) < _TO_JOIN and not same_ages:
        remedy = "Use combine: single, with rates graduated by age"
        faults.append(
            Fault("pooling by age needs two studies or more", remedy, field="prevalence.combine", code="R302")
        )
    elif len(parts) < rules().fewest_pooled and same_ages:
        remedy = "Use combine: single for one study, mixture or envelope for two"
        what = f"random effects of {len(parts)} {'study' if len(parts) == 1 else 'studies'}: Knapp–Hartung needs three"
        faults.append(Fault(what, remedy, field="prevalence.combine", code="R302"))
    if any(part.layers.strata or part.layers.names != ("",) for part in parts):
        faults.append(Fault("studies divided by severity cannot be pooled", "Pool all cases together", field=_FIELD))
    if model.prevalence.ages == "graduate":
        faults.append(Fault("graduated rates cannot be pooled", "Use ages: step", field="prevalence.ages"))
    if len({part.layers.sexes for part in parts}) > 1:
        rows = [f"{part.source.id}: {', '.join(part.layers.sexes)}" for part in parts]
        remedy = "A rate for persons is no study of each sex: use sources that divide alike"
        faults.append(
            Fault("the sources divide people differently by sex", remedy, field=_FIELD, rows=rows, code="R301")
        )
    if faults:
        raise ModelError(faults)
    if same_ages and len(set(spans)) > 1:
        rows = [f"{part.source.id}: {span.label}" for part, span in zip(parts, spans, strict=True)]
        remedy = "Say which ages to take from each ({source: …, ages: …}); a study says nothing outside its ages"
        raise AxisError(Fault("the studies cover different ages", remedy, field=_FIELD, rows=rows, code="R201"))


def _studies(
    tables: list[Sampling], cell: tuple[int, ...], parts: list[Part], how: Correcting
) -> tuple[Array, Array, list[dict[str, float]]]:
    """Each study's estimate and variance on the logit scale, and what the errors of its correction do to it."""
    y, v, shared = np.empty(len(cell)), np.empty(len(cell)), []
    for k, (table, row, part) in enumerate(zip(tables, cell, parts, strict=True)):
        y[k], slope, own, errors = part.corrections.logits(float(table.mean[row]), how)
        v[k] = slope**2 * logit_variance(table, row) + part.study**2 + own
        shared.append(errors)
    return y, v, shared


def _rare(tables: list[Sampling], cell: tuple[int, ...], parts: list[Part]) -> list[Counted]:
    """Counts of a cell's studies, where nobody or everybody was found by one of them; none where they are not all counts."""
    found, extreme = [], False
    for table, row, part in zip(tables, cell, parts, strict=True):
        rate, size = float(part.layers.table.estimate[row]), float(table.effective[row])
        if part.corrections.steps or not np.isfinite(size):
            return []
        none = rate <= 0 or rate >= 1
        extreme = extreme or none
        size -= none  # Jeffreys' one more
        found.append(Counted(part.source.id, min(max(rate, 0.0), 1.0) * size, size, part.study))
    return found if extreme else []


def _counted(
    studies: list[Counted], streams: tuple[Array, Array, Array], standards: PoolStandards
) -> tuple[Rare, float, Array]:
    found = pool_counts(studies, standards)
    return found, found.rate, mean_kept(found.draw(*streams), found.rate)


def _solved(
    names: list[str],
    studies: tuple[Array, Array, list[dict[str, float]]],
    streams: tuple[Array, Array, Array],
    scores: dict[str, Array],
    standards: PoolStandards,
) -> tuple[Pooled, float, Array]:
    y, v, shared = studies
    errors = None
    if scores:
        loading = np.array([[one.get(name, 0.0) for name in scores] for one in shared])
        errors = loading, np.stack(list(scores.values()))
        v = np.diag(v) + loading @ loading.T
    found = pool(names, y, v, standards)
    if found.posterior is None:
        raise ModelError("fewer than three studies were pooled")
    rate = found.rate
    return found, rate, mean_kept(found.posterior.draw(*streams, errors), rate)


def logit_variance(table: Sampling, row: int) -> float:
    """Sampling variance of a row on the logit scale: ``1/(n·p·(1 − p))``, or the mean of both sides' squares."""
    p, size = float(table.mean[row]), float(table.effective[row])
    if np.isfinite(size):
        return 1 / (size * p * (1 - p))
    return float((table.low[row] ** 2 + table.high[row] ** 2) / 2) if np.isnan(size) else 1e-12


def pooled_source(model: Model, parts: list[Part]) -> PrevalenceSource:
    """A record for the pooled rate: its studies' fieldwork, and no citation of its own beyond theirs."""
    works = [part.source.study.fieldwork for part in parts if part.source.study.fieldwork]
    middle = [round(float(np.mean([work[n] for work in works]))) for n in (0, 1)] if works else None
    first = parts[0].source
    return first.model_copy(
        update={"id": f"pool-{model.need}", "study": first.study.model_copy(update={"fieldwork": middle})}
    )
