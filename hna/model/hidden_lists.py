"""Capture–recapture in a model file: people on overlapping lists, and on none of them, as a rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hna.errors import Fault, ModelError
from hna.evidence.known import Known, read_known
from hna.evidence.population import read_population
from hna.evidence.prevalence import Prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource, PopulationSource, PrevalenceSource
from hna.evidence.study import Appraisal, Study, Uncertainty
from hna.measure.ages import AgeAxis
from hna.model.defaults import Defaults
from hna.model.hidden import Envelope, Unseen, several_lists, two_lists
from hna.model.hidden_part import counted, one_cell
from hna.model.pool_grid import mean_kept
from hna.model.rates_parts import Part
from hna.model.spec import Model
from hna.model.spec_rate import Lists

Array = NDArray[np.float64]

_FIELD = "prevalence.lists"
_JOIN = "+"


def listed_parts(
    model: Model, shelf: Shelf, draws: int, seed: int, defaults: Defaults
) -> tuple[tuple[Part, ...], tuple[KnownSource | PopulationSource, ...]]:
    """The rate ``N/P``: everybody N, on the lists and on none, over people P of the same area, year, ages and sex.

    Two lists give Chapman's estimate. Three or more give every hierarchical log-linear model that the counts support
    about as well as the best: the rate rests on the best, and the lowest and the highest are whole runs beside it.
    Draws are log-normal in those on no list, moved so that their mean is the headline.

    Returns
    -------
    parts with one cell, the first the one that the figures rest on; and the sources.

    Raises
    ------
    ModelError
        R623 where the lists cannot say how many people are on none of them; R604 for lists of episodes; R602 where a
        count is hidden; R624 if more people are estimated than live there.

    References
    ----------
    As `hna.model.hidden.two_lists` and `hna.model.hidden.several_lists`.
    """
    use = model.prevalence.lists
    if use is None or model.prevalence.sources:
        remedy = "Leave prevalence.sources empty ([]) and name the lists under prevalence.lists"
        raise ModelError(Fault("capture-recapture rests on lists alone", remedy, field=_FIELD))
    counts = read_known(shelf, use.known, [use.area])
    if not counts.source.count_kind.startswith("people"):
        what = f"{use.known} counts {counts.source.count_kind}, not people"
        raise ModelError(Fault(what, "Use lists of people", field=_FIELD, code="R604"))
    living = read_population(shelf, use.population, [use.area], [use.year])
    people = float(living.on((model.sex,), AgeAxis((model.band,))).people.sum())
    names, patterns = _patterns(model, counts, use)
    found, said = _solved(names, patterns)
    flags = () if use.validated else ("W621",)
    borne = f"borne out by {use.validated}" if use.validated else "not checked against other evidence"
    parts = []
    for one in found:
        rate = one.total / people
        if not 0 < rate < 1:
            what = f"{one.total:,.0f} people are estimated and {people:,.0f} live there"
            raise ModelError(Fault(what, "Do the lists and the population cover one place?", field=_FIELD, code="R624"))
        drawn = one.draw(seed, use.known, draws) / people
        low, high = one.interval()
        note = (
            f"{one.observed:,.0f} people on {len(names)} lists ({use.known}, {use.year}) and about {one.unseen:,.0f} on none, "
            f"{one.total:,.0f} in all ({low:,.0f} to {high:,.0f}; {one.model}), among {people:,.0f} people ({use.population}); "
            f"{borne}; {use.because}"
        )
        held = mean_kept(logit(np.clip(drawn, 1e-12, 1 - 1e-9)), rate)
        table = _table(counts.source, use, model)
        parts.append(one_cell(model, table, rate, held, (note, *said), flags, defaults, study_name=use.known))
    return tuple(parts), (counts.source, living.source)


def _solved(names: list[str], patterns: dict[tuple[int, ...], int]) -> tuple[list[Unseen], tuple[str, ...]]:
    """The model that the figures rest on, then the lowest and highest that fit about as well."""
    if len(names) < 2:
        remedy = "Give two lists or more, and the people on both"
        raise ModelError(Fault("one list cannot say who is on none", remedy, field=_FIELD, rows=names, code="R623"))
    if len(names) == 2:
        both = patterns.get((1, 1), 0)
        if not both:
            what = "nobody is on both lists"
            raise ModelError(Fault(what, "Two lists that do not meet say nothing", field=_FIELD, code="R623"))
        first, second = patterns.get((1, 0), 0) + both, patterns.get((0, 1), 0) + both
        return [two_lists(first, second, both)], ("the two lists are taken to be independent",)
    envelope: Envelope = several_lists(patterns, names)
    best = envelope.near[0]
    ends = sorted(envelope.near, key=lambda one: one.total)
    return [best, *(one for one in (ends[0], ends[-1]) if one is not best)], (envelope.words,)


def _patterns(model: Model, counts: Known, use: Lists) -> tuple[list[str], dict[tuple[int, ...], int]]:
    labels = [str(label) for label in dict.fromkeys(counts.service.tolist())]
    split = {label: frozenset(part.strip() for part in label.split(_JOIN)) for label in labels}
    names = list(dict.fromkeys(part.strip() for label in labels for part in label.split(_JOIN)))
    patterns: dict[tuple[int, ...], int] = {}
    for label, on in split.items():
        cell = tuple(int(name in on) for name in names)
        if cell in patterns or "" in on:
            remedy = "Write each set of lists once, as in treatment, police, treatment+police"
            raise ModelError(Fault(f"{use.known} names the lists {label!r} twice or not at all", remedy, field=_FIELD))
        held = counts.take(np.array([str(one) == label for one in counts.service]))
        patterns[cell] = round(counted(model, held, use.area, use.year, _FIELD))
    return names, patterns


def _table(source: KnownSource, use: Lists, model: Model) -> Prevalence:
    """The lists as a prevalence record, so that condition, case definition, date and citation are carried on."""
    kind = source.count_kind
    record = PrevalenceSource(
        id=source.id, kind="prevalence", condition=source.condition, case_definition=source.case_definition,
        measure="point" if kind == "people-point" else kind.removeprefix("people-"), unit="proportion", decimals=9,
        uncertainty=Uncertainty(given="none"), severity=None, citation=source.citation, read_from=source.read_from,
        study=Study(
            design="capture-recapture", frame="other", fieldwork=[use.year, use.year], geography=use.area,
            sample_size=None, response_rate=None, exclusions=None,
        ),
        appraisal=Appraisal(tool=None, overall=None, notes=None), sha256=source.sha256, title=source.title,
    )  # fmt: skip
    blank = np.full(1, np.nan)
    nothing = np.array([""], dtype=object)
    sex = np.array([model.sex], dtype=object)
    return Prevalence(record, nothing, sex, (model.band,), blank, blank, blank, blank, blank, blank)
