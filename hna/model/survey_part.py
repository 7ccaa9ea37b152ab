"""A survey in a model file: answers of people in some places become a rate for every place.

Multilevel regression and poststratification, the people those of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, ModelError
from hna.evidence.prevalence import Prevalence
from hna.evidence.shelf import Shelf
from hna.evidence.source import CompositionSource, MeasuresSource, PopulationSource, PrevalenceSource
from hna.evidence.study import Uncertainty
from hna.evidence.survey import AGE, AREA, SEX
from hna.model.defaults import Defaults
from hna.model.fit_sampler import Diagnostics
from hna.model.fit_store import LEAST, TUNE, Task, cut, usable
from hna.model.laplace import Draws
from hna.model.places import Places, Told, ground_of, part_of
from hna.model.rates_parts import Part, by_severity
from hna.model.spec import Model
from hna.model.strata import Layers
from hna.model.survey import Fit
from hna.model.survey_asked import SURVEY_FIELD, AskedSurvey, asked_survey

Array = NDArray[np.float64]

_FEWEST = 1000
"""Posterior draws that are made even where fewer are asked for: Pareto k̂ cannot be told from a handful."""
_LISTED = 8
_EVEN = 1.005


@dataclass(frozen=True, eq=False)
class SurveyPlaces(Places):
    """Rates of places from a fitted survey.

    Parameters
    ----------
    asked : what was fitted.
    fit : draws of its posterior.
    direct : by area code: the survey's own share, and how many answers it is worth.
    settled : by area code: share of the area's effect that its own answers settle.
    """

    asked: AskedSurvey
    fit: Fit
    direct: Mapping[str, tuple[float, float]]
    settled: Mapping[str, float]

    def _own(self, places: Sequence[str]) -> Array:
        asked = self.asked
        cells = [(sex, age, level) for sex in self.sexes for age in self.ages.labels for level in asked.levels]
        frame = pd.DataFrame(cells * len(places), columns=[SEX, AGE, asked.factor or "all"])
        frame[AREA] = np.repeat(np.array(places, dtype=object), len(cells))
        for name in map(str, asked.values):
            values = asked.values[name].reindex(list(places))
            absent = values.index[values.isna()].tolist()
            if absent:
                remedy = "Give its value under data/measures, in the table that the model file names under measures"
                what = f"nothing says what {name} is in {absent[0]}, where nobody was asked"
                raise AxisError(Fault(what, remedy, field=f"{SURVEY_FIELD}.measures"))
            frame[name] = np.repeat(values.to_numpy(), len(cells))
        rate = self.fit.rates(frame)
        shape = (len(places), len(self.sexes), len(self.ages.bands), len(asked.levels))
        share = np.stack([asked.shares(place) for place in places])
        found: Array = np.einsum("pxal,pxald->pxad", share, rate.reshape(*shape, -1))
        return found

    def told(self, area: str) -> Told:
        """Answers there, their own share, and how far the rate is drawn to what other places say."""
        if area not in self.direct:
            return self.shared_told(area) or Told(0.0, None, 1.0)
        share, people = self.direct[area]
        return Told(people, share, 1.0 - self.settled[area])


def survey_part(
    model: Model, shelf: Shelf, draws: int, seed: int, defaults: Defaults
) -> tuple[Part, Places, tuple[CompositionSource | MeasuresSource | PopulationSource, ...]]:
    """The rate of every place by sex and age: ``Σ_level share(level | place, sex, age)·π(place, sex, age, level)``.

    π is a multilevel logistic regression of the answers; a place's own effect is drawn to that of places like it by as much
    as its own answers leave open, and a place where nobody was asked has that of one more place. So the difference between
    places is in the rates, and no transport error is added (R311). The errors of the whole study and of its age are.

    Headline rates are posterior means. The rate that belongs to no place is that of the surveyed places together, weighed
    by their people.

    Returns
    -------
    part for the surveyed places together, the rates of places, and further sources.

    Raises
    ------
    ModelError
        R311 where a transport error is stated; R411 where a local step is; R393 where a sampler's draws are needed and
        none are stored; R391 where their diagnostics failed; R201 for ages that the survey has not.
    SourceError
        What is wrong with the survey or its measures.

    References
    ----------
    As `hna.model.survey.fit`.
    """
    asked = asked_survey(model, shelf)
    source = asked.survey.source
    held, words = _posterior(model, shelf, asked, draws, seed)
    fit = Fit.of(asked.ready, held, "laplace", None, seed, source.id)
    ground = ground_of(
        shelf, asked.survey.areas, asked.sexes, asked.ages, source.study.mid_fieldwork, name=asked.use.population,
        group=model.group, field=f"{SURVEY_FIELD}.population",
    )  # fmt: skip
    places = SurveyPlaces(asked.sexes, asked.ages, ground, asked, fit, fit.direct([AREA]), fit.own_data())
    whole = places.whole()[None]
    notes = _notes(asked, places, words)
    flags = ("N441",) if len(ground.places) > len(ground.found) else ()
    layers = Layers(
        _record(asked), ("",), asked.sexes, asked.ages, whole.mean(axis=-1), whole, notes=notes, flags=flags
    )
    layers = by_severity(model, shelf, layers, seed, defaults)
    part = part_of(model, layers, source.appraisal.overall, defaults, source.id)
    also = [one.source for one in (asked.measures, asked.composition) if one is not None]
    return part, places, (*also, ground.source)


def survey_task(model: Model, shelf: Shelf, draws: int, seed: int) -> Task:
    """What `hna fit` does for the survey of a model."""
    asked = asked_survey(model, shelf)

    def sampled(sampler: str) -> tuple[Mapping[str, Array], Diagnostics]:
        held, diagnostics = asked.ready.sampled(
            "pymc" if sampler == "pymc" else "nutpie", max(draws, LEAST), TUNE, seed
        )
        arrays = {"columns": held.columns, "areas": held.areas, "sigma": held.sigma}
        return {name: cut(drawn, draws) for name, drawn in arrays.items()}, diagnostics

    def quick() -> float:
        return asked.ready.run("laplace", max(draws, _FEWEST), 0, seed, asked.survey.source.id)[0].khat

    return Task("survey", _key(asked, draws, seed), asked.use.sampler == "nuts", quick, sampled)


def _key(asked: AskedSurvey, draws: int, seed: int) -> str:
    return asked.ready.fingerprint("nuts", draws, seed)


def _posterior(model: Model, shelf: Shelf, asked: AskedSurvey, draws: int, seed: int) -> tuple[Draws, str]:
    """Draws by nested Laplace where it may be trusted, else those that `hna fit` has stored."""
    if asked.use.sampler == "laplace":
        try:
            held, _, _ = asked.ready.run("laplace", max(draws, _FEWEST), 0, seed, asked.survey.source.id)
        except ModelError as error:
            if "R392" not in error.codes:
                raise
        else:
            words = f"nested Laplace, Pareto k̂ {held.khat:.2f}, effective draws {held.effective:,.0f}"
            return replace(
                held, columns=held.columns[:draws], areas=held.areas[:draws], sigma=held.sigma[:draws]
            ), words
    arrays, words = usable(shelf.roots, f"{model.need}-survey", _key(asked, draws, seed))
    return Draws(arrays["columns"], arrays["areas"], arrays["sigma"], float("nan"), float(draws)), words


def _record(asked: AskedSurvey) -> Prevalence:
    """The survey as a prevalence record, so that condition, definition, fieldwork and citation are carried on."""
    source = asked.survey.source
    size = float(asked.survey.table["sample"].sum())
    study = source.study.model_copy(update={"sample_size": source.study.sample_size or round(size)})
    record = PrevalenceSource(
        id=source.id, kind="prevalence", condition=source.condition, case_definition=source.case_definition,
        measure=source.measure, unit="proportion", decimals=9, uncertainty=Uncertainty(given="counts"), severity=None,
        study=study, appraisal=source.appraisal, applicability=source.applicability, citation=source.citation,
        read_from=source.read_from, sha256=source.sha256, title=source.title, notes=source.notes,
        corrections=source.corrections,
    )  # fmt: skip
    cases = np.array([float(asked.survey.table["cases"].sum())])
    blank, nothing = np.full(1, np.nan), np.array([""], dtype=object)
    sex = np.array([asked.sexes[0] if len(asked.sexes) == 1 else "persons"], dtype=object)
    share = cases / size
    return Prevalence(record, nothing, sex, (asked.ages.span,), share, blank, blank, cases, np.array([size]), blank)


def _notes(asked: AskedSurvey, places: SurveyPlaces, words: str) -> tuple[str, ...]:
    held = asked.ready
    size, effect = float(asked.survey.table["sample"].sum()), held.cells.effect
    weighed = f", worth {size / effect:,.0f} by their weights" if effect > _EVEN else ""
    settled = np.array(list(places.settled.values()))
    found, ground = places.ground.found, places.ground
    notes = [
        f"{size:,.0f} people asked in {len(found)} areas{weighed}; {asked.use.formula} ({words}); {asked.use.because}",
        (
            f"areas differ by a standard deviation of {np.median(places.fit.posterior.sigma[:, 0]):.2f} (logit) beyond that; "
            f"their own answers settle from {settled.min():.0%} to {settled.max():.0%} of an area's difference (median "
            f"{np.median(settled):.0%}), and the rest is drawn from areas like it (shrinkage)"
        ),
        (
            f"the rate that belongs to no one place is that of the areas asked together, weighed by people of {ground.source.id} "
            f"({ground.year})"
        ),
    ]
    alone = [code for code in ground.places if code not in found]
    if alone:
        named = ", ".join(ground.names.get(code, code) for code in alone[:_LISTED])
        more = f" and {len(alone) - _LISTED} more" if len(alone) > _LISTED else ""
        notes.append(
            f"{len(alone)} of {len(ground.places)} areas of {ground.source.id} have no answers of their own, and their rates "
            f"are predicted from the others: {named}{more}"
        )
    if asked.composition is not None:
        notes.append(f"people by {asked.factor} are those of {asked.composition.source.id} ({asked.composition.year})")
    if asked.survey.source.weights and not asked.ready.spec.weights:
        notes.append("the survey's weights are not used")
    return tuple(notes)
