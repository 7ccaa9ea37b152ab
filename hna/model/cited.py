"""What a model whose rates are found in places rests on, read without making them."""

from __future__ import annotations

from hna.evidence.composition import composition_for
from hna.evidence.shelf import Shelf
from hna.evidence.source import AreasSource, KnownSource, MeasuresSource, Source, SurveySource
from hna.evidence.survey import SPLIT
from hna.model.spec import Model
from hna.model.survey_formula import Formula


def data_of(model: Model) -> tuple[str, ...]:
    """The survey or the counts in which a model's rates are found; nothing where they are published rates."""
    held = model.prevalence
    return tuple(name for name in (held.survey and held.survey.sample, held.map and held.map.known) if name)


def found_in_places(shelf: Shelf, model: Model) -> list[Source]:
    """Records of the survey or counts, and of all that goes with them but the people.

    Raises
    ------
    SourceError
        If one is not on the shelf.
    """
    survey, counts = model.prevalence.survey, model.prevalence.map
    found: list[Source] = []
    if survey is not None:
        found.append(shelf.record(SurveySource, survey.sample))
        factors = [name for name in SPLIT if name in Formula.read(survey.formula).columns]
        found += [composition_for(shelf, name, survey.composition).source for name in factors]
    if counts is not None:
        found.append(shelf.record(KnownSource, counts.known))
        found += [shelf.record(AreasSource, counts.borders)] if counts.borders else []
    for use in (survey, counts):
        if use is not None and use.measures:
            found.append(shelf.record(MeasuresSource, use.measures))
    return found
