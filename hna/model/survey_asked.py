"""A survey named in a model file, read and checked: whom it asked, what its formula names, and who lives where by that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hna.errors import AxisError, Fault, HnaError, ModelError, SourceError
from hna.evidence.composition import Composition, composition_for
from hna.evidence.shelf import Shelf
from hna.evidence.survey import AGE, AREA, SEX, SPLIT, Measures, Survey, read_measures, read_survey
from hna.measure.ages import AgeAxis
from hna.model.correction import check_cases
from hna.model.places import check_placed
from hna.model.priors import read_priors
from hna.model.spec import Model
from hna.model.spec_places import SurveyUse
from hna.model.survey_formula import Formula
from hna.model.survey_prepare import Prepared, Spec, prepare

Array = NDArray[np.float64]

SURVEY_FIELD = "prevalence.survey"
_OUTCOME = ("cases", "sample")


@dataclass(frozen=True, eq=False)
class AskedSurvey:
    """A survey, read and checked, ready to be fitted.

    Parameters
    ----------
    use : of the model file.
    survey : rows of the ages and sex assessed.
    ready : cells and coding.
    sexes, ages : of the rates.
    values : by area code, columns of whole areas that the formula names.
    measures, composition : where the formula names any.
    """

    use: SurveyUse
    survey: Survey
    ready: Prepared
    sexes: tuple[str, ...]
    ages: AgeAxis
    values: pd.DataFrame
    measures: Measures | None
    composition: Composition | None

    @property
    def factor(self) -> str:
        """What else people are divided by; blank for nothing."""
        return self.composition.source.factor if self.composition else ""

    @property
    def levels(self) -> tuple[object, ...]:
        """Its levels, as the survey has them; one that means everybody where there is no factor."""
        if self.composition is None:
            return ("",)
        named = self.composition.source.levels
        if self.factor == "ethnicity":
            return tuple(named)
        return tuple(range(1, (self.survey.source.deprivation_levels or len(named)) + 1))

    def shares(self, place: str) -> Array:
        """How people of each sex and age are divided by level, shape (sex, age, level); as all are, where nobody is."""
        if self.composition is None:
            return np.ones((len(self.sexes), len(self.ages.bands), 1))
        people = self.composition.of(place, self.sexes, self.ages)
        merge = np.repeat(np.eye(len(self.levels)), people.shape[2] // len(self.levels), axis=0)
        people = people @ merge
        share: Array = np.where(people.sum(axis=2, keepdims=True) > 0, people, people.sum(axis=(0, 1)))
        found: Array = share / share.sum(axis=2, keepdims=True)
        return found


def asked_survey(model: Model, shelf: Shelf) -> AskedSurvey:
    """The survey of a model, read and checked.

    Raises
    ------
    HnaError
        As `survey_part`.
    """
    use = model.prevalence.survey
    if use is None:
        remedy = "Name the survey and its formula under prevalence.survey"
        raise ModelError(Fault("there is no survey", remedy, field=SURVEY_FIELD))
    check_placed(model, SURVEY_FIELD)
    survey = read_survey(shelf, use.sample)
    check_cases(survey.source)
    weights = "weight" if use.weighted and "weight" in survey.table else ""
    spec = Spec(use.formula, area=AREA, weights=weights, priors=read_priors(shelf))
    names = _columns(use)
    sexes, survey = _sexes(model, survey, SEX in names)
    ages, survey = _ages(model, survey, AGE in names)
    factors = [name for name in SPLIT if name in names]
    if len(factors) > 1:
        remedy = "Name one of them: nothing on the shelf holds people by both together"
        raise ModelError(Fault("the formula divides people by deprivation and ethnicity", remedy,
                               field=f"{SURVEY_FIELD}.formula", code="R415"))  # fmt: skip
    composition = composition_for(shelf, factors[0], use.composition) if factors else None
    measures = read_measures(shelf, use.measures) if use.measures else None
    table, values = _with_values(survey, measures, [name for name in names if name not in (AREA, SEX, AGE, *SPLIT)])
    try:
        ready = prepare(table, spec)
    except HnaError as error:
        where = f"{SURVEY_FIELD}.formula"
        raise type(error)([replace(fault, file=fault.file or f"data/surveys/{use.sample}", field=where)
                           for fault in error.faults]) from None  # fmt: skip
    asked = AskedSurvey(use, survey, ready, sexes, ages, values, measures, composition)
    _check_levels(asked)
    return asked


def _columns(use: SurveyUse) -> tuple[str, ...]:
    """Columns that the formula names, its outcome checked."""
    try:
        formula = Formula.read(use.formula)
    except ModelError as error:
        raise ModelError([replace(fault, field=f"{SURVEY_FIELD}.formula") for fault in error.faults]) from None
    if (formula.cases, formula.size) not in (_OUTCOME, (_OUTCOME[0], "")):
        remedy = "Write cases / sample ~ …; a survey of one person a row has a sample of 1 in every row"
        what = f"the outcome is {' / '.join(name for name in (formula.cases, formula.size) if name)}"
        raise ModelError(Fault(what, remedy, field=f"{SURVEY_FIELD}.formula"))
    return formula.columns


def _sexes(model: Model, survey: Survey, by_sex: bool) -> tuple[tuple[str, ...], Survey]:
    """Sexes of the rate, and the rows of them."""
    held = set(survey.table[SEX])
    together = held == {"persons"}
    if together and (by_sex or model.sex != "persons"):
        remedy = "Give the table a column sex" if by_sex else "Use a survey that says who is which sex"
        what = f"{survey.source.id} does not say the sex of those asked"
        raise ModelError(Fault(what, remedy, field=SURVEY_FIELD))
    if model.sex != "persons":
        if model.sex not in held:
            raise ModelError(Fault(f"{survey.source.id} asked no {model.sex}", "Use another survey", field="sex"))
        return (model.sex,), survey.take((survey.table[SEX] == model.sex).to_numpy())
    if by_sex and len(held) < 2:
        remedy = f"Write sex: {min(held)} in the model file, or use a survey of both"
        raise ModelError(Fault(f"{survey.source.id} asked one sex", remedy, field="sex"))
    return (("female", "male") if by_sex else ("persons",)), survey


def _ages(model: Model, survey: Survey, by_age: bool) -> tuple[AgeAxis, Survey]:
    """Ages of the rate, and the rows of them."""
    bands = sorted(set(survey.bands), key=lambda band: band.low)
    inside = [band for band in bands if band in model.band]
    crossing = [band for band in bands if band.meets(model.band) and band not in model.band]
    if crossing or not inside or inside[0].low != model.band.low or inside[-1].end != model.band.end:
        remedy = "Nothing is extrapolated outside a survey's ages: assess ages that its bands add up to"
        what = f"the bands of {survey.source.id} do not add up to ages {model.band.label}"
        raise AxisError(Fault(what, remedy, field="ages", rows=[band.label for band in bands], code="R201"))
    kept = survey.take(np.array([band in model.band for band in survey.bands]))
    return AgeAxis(tuple(inside) if by_age else (model.band,)), kept


def _with_values(survey: Survey, measures: Measures | None, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The survey with the measures of its areas, and the values of whole areas that the formula names, by code."""
    where = f"{SURVEY_FIELD}.formula"
    measured = [] if measures is None else [name for name in names if name in measures.table]
    answered = [name for name in names if name in survey.source.columns]
    faults = []
    unknown = [name for name in names if name not in (*measured, *answered)]
    if unknown:
        held = [AREA, SEX, AGE, *survey.source.columns, *([] if measures is None else measures.table)]
        remedy = f"The survey and the measures named have: {', '.join(held)}; put measures of areas under data/measures"
        faults.append(Fault("the formula names columns that nothing holds", remedy, field=where, rows=unknown))
    twice = [name for name in measured if name in answered]
    if twice:
        remedy = "Leave them out of one"
        faults.append(Fault("columns stand in the survey and in the measures", remedy, field=where, rows=twice))
    by_area = survey.table.groupby(AREA, sort=True)
    within = [name for name in answered if survey.table[[AREA, name]].drop_duplicates()[AREA].duplicated().any()]
    if within:
        remedy = "Use sex, age, deprivation or ethnicity, by which people are counted, or what is the same throughout an area"
        what = "people of one area differ in columns by which nobody counts everybody"
        faults.append(Fault(what, remedy, field=where, rows=within))
    if faults:
        raise ModelError(faults)
    values = by_area[answered].first()
    if measures is None or not measured:
        return survey.table, values
    local = measures.of(survey.areas, measured, f"{SURVEY_FIELD}.measures")
    table = survey.table.join(local, on=AREA)
    return table, values.join(measures.table[measured], how="outer")


def _check_levels(asked: AskedSurvey) -> None:
    """Refuse levels of a factor that do not fit those by which people are counted."""
    if asked.composition is None:
        return
    named, source = asked.composition.source.levels, asked.survey.source
    field = f"{SURVEY_FIELD}.composition"
    if asked.factor == "ethnicity":
        strange = sorted(set(asked.survey.table["ethnicity"].astype(str)) - set(named))
        if strange:
            remedy = f"Name groups as it does: {', '.join(named)}"
            what = f"{asked.composition.source.id} does not count groups that the survey names"
            raise SourceError(Fault(what, remedy, field=field, rows=strange))
    elif len(named) % len(asked.levels):
        what = (
            f"{source.id} has {len(asked.levels)} levels of deprivation and {asked.composition.source.id} {len(named)}"
        )
        raise AxisError(Fault(what, "The finer must add up to the coarser", field=field))
