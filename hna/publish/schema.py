"""What the columns of the open tables are: one definition, from which metadata and the data dictionary are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hna.indicators.benchmark import POLARITIES, VERDICTS

TEXT, NUMBER, COUNT, YEAR, CODES = "string", "number", "integer", "gYear", "codes"
_DIMENSION = "http://purl.org/linked-data/sdmx/2009/dimension#"
_MEASURE = "http://purl.org/linked-data/sdmx/2009/measure#"
_ATTRIBUTE = "http://purl.org/linked-data/sdmx/2009/attribute#"


@dataclass(frozen=True)
class Field:
    """A column of an open table.

    Parameters
    ----------
    name : its heading in the file.
    title : in words.
    about : what it holds, and what an empty cell means.
    kind : string, number, integer, gYear, or diagnostic codes with a space between them.
    unit : of its numbers, where it is the same in every row.
    values : every value that it may hold, with its meaning; empty where they are not a closed list.
    required : whether no cell is empty.
    property : address of the property in a public vocabulary, where there is one.
    """

    name: str
    title: str
    about: str
    kind: str = TEXT
    unit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    property: str = ""


@dataclass(frozen=True, eq=False)
class TableSchema:
    """An open table.

    Parameters
    ----------
    file : its name.
    title : in words.
    about : what a row is.
    fields : columns, in order.
    key : columns that tell rows apart.
    """

    file: str
    title: str
    about: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(each.name for each in self.fields)


QUANTITIES = {
    "population": "people who live there (or are registered, or on a school roll: see the sources)",
    "need": "people expected to have the need: published rates by age and sex, times people",
    "known": "people known to services, counted",
    "gap": "need less known, keeping its sign",
    "gap_positive": "the gap added up over only those subgroups in which need exceeds known",
    "coverage": "known over need",
    "prevalence": "need over population",
    "p_known_exceeds_need": "chance that known exceeds need",
    "target_shortfall": "people who would have to be known to reach the model's target, less those known",
}
UNITS = {
    "people": "a number of people",
    "proportion": "a share of one",
    "probability": "a chance, from nought to one",
}
SEXES = {"persons": "everybody", "female": "women and girls", "male": "men and boys"}
COMPARATORS = {
    "region": "the English region in which the area lies",
    "england": "England",
    "statistical-neighbours": "the area's statistical neighbours together",
}
_POLARITY = dict(
    zip(
        POLARITIES,
        ("a lower value is better", "a higher value is better", "neither is better: no model states which"),
        strict=True,
    )
)
_VERDICTS = {
    word: text.format(benchmark="[comparator]", side="Above or below", reason="[reason]")
    for word, text in VERDICTS.items()
}

_NEED = Field("need", "Need", "Identifier of the need: the name of its model.", required=True)
_SEVERITY = Field("severity", "Severity", "Stratum of severity as the model names it; empty for all strata together.")
_AREA = (
    Field("area_code", "Area code", "Code of the area as the Office for National Statistics or the analyst gives it.",
          required=True, property=f"{_DIMENSION}refArea"),
    Field("area_name", "Area", "Name of the area.", required=True),
)  # fmt: skip
_YEAR = Field(
    "year", "Year", "Year of the population, at its middle.", YEAR, required=True, property=f"{_DIMENSION}refPeriod"
)
_GROUP = (
    Field("sex", "Sex", "Sex; persons marks the total of a need of both sexes.", TEXT, "", SEXES, True, f"{_DIMENSION}sex"),
    Field("age_band", "Ages", "Ages in completed years, such as 65-69 or 90+; all marks the total.", required=True,
          property=f"{_DIMENSION}age"),
)  # fmt: skip
_LEVEL = Field("level", "Level", "Confidence level of the limits.", NUMBER, "proportion", required=True)
_UNIT = Field("unit", "Unit", "Unit of estimate and limits.", TEXT, "", UNITS, True, f"{_ATTRIBUTE}unitMeasure")
_FLAGS = Field(
    "flags",
    "Flags",
    "Diagnostic codes, a space between them: W warns, N notes, R refuses. Their meanings are listed below.",
    CODES,
)


def _quantity(*names: str) -> Field:
    said = {name: QUANTITIES[name] for name in names or QUANTITIES}
    return Field("quantity", "Quantity", "What the figure is.", TEXT, "", said, True)


def _limits(what: str, prefix: str = "") -> tuple[Field, ...]:
    said = "{} limit of the interval of " + what.lower() + "; empty where there is none."
    return tuple(
        Field(f"{prefix}{side}", f"{what}, {side} limit", said.format(side.capitalize()), NUMBER)
        for side in ("lower", "upper")
    )


_ESTIMATE = (
    Field("estimate", "Estimate", "The figure, unrounded unless disclosure control applies; empty where it is hidden or there is none. "
          "A count that is hidden has its range in lower and upper.", NUMBER, property=f"{_MEASURE}obsValue"),
    *_limits("Estimate"),
)  # fmt: skip
_PROBABILITY = Field(
    "probability", "Probability", "Chance that a gap or a shortfall is above nought; empty on other rows.", NUMBER, "probability"
)  # fmt: skip
_KEY = ("need", "severity", "area_code", "year", "sex", "age_band", "quantity")

GAP = TableSchema(
    "gap.csv", "Estimated need, people known to services and the gap",
    "One row a figure: every need, area, year, subgroup and quantity.",
    (_NEED, _SEVERITY, *_AREA, _YEAR, *_GROUP, _quantity(), *_ESTIMATE, _LEVEL, _PROBABILITY, _UNIT, _FLAGS), _KEY,
)  # fmt: skip

SUBGROUPS = TableSchema(
    "need_by_subgroup.csv", "Estimated need by severity, sex and age",
    "One row a figure: population, need and prevalence of every subgroup and its total, for the years that were asked for or "
    "the latest estimate of population. Expected people add up to their total; limits do not, because errors are shared.",
    (_NEED, _SEVERITY, *_AREA, _YEAR, *_GROUP, _quantity("population", "need", "prevalence"), *_ESTIMATE, _LEVEL,
     replace(_PROBABILITY, about="Always empty: this table has no gaps. It is kept so that the columns are those of gap.csv."),
     Field("share", "Share", "Part of everybody with the need (on need rows) or of the population (on population rows) of the same "
           "severity, area and year; empty on prevalence rows.", NUMBER, "proportion"), _UNIT, _FLAGS), _KEY,
)  # fmt: skip

COMPARISONS = TableSchema(
    "comparisons.csv", "Each area beside its region, England and its statistical neighbours",
    "One row a need, area, quantity and comparator.",
    (
        _NEED, _SEVERITY, *_AREA, _YEAR, _quantity("prevalence", "coverage", "gap"), *_ESTIMATE,
        Field("comparator", "Comparator", "What the area is set beside.", TEXT, "", COMPARATORS, True),
        Field("comparator_name", "Name of comparator", "Name of the region or group.", required=True),
        Field("comparator_value", "Comparator's value", "Value of the comparator, the area in it where it is part of it; for the gap, the "
              "gap that the area would have at the comparator's coverage.", NUMBER),
        *_limits("Comparator's value", "comparator_"),
        Field("difference", "Difference", "The area's value less the comparator's.", NUMBER), *_limits("Difference", "difference_"),
        Field("people", "Difference in people", "The difference as a number of people in the area.", NUMBER, "people"),
        Field("p_higher", "Chance that the area is higher", "Chance that the area's value is above that of the rest of the comparator.",
              NUMBER, "probability"),
        Field("n", "n", "People on whom the area's value rests: its estimated need, or its population for prevalence.", NUMBER, "people"),
        Field("members", "Authorities pooled", "Number of authorities whose people or counts make up the comparator.", COUNT),
        Field("missing", "Neighbours without a count", "Number of listed neighbours left out because they have none.", COUNT),
        Field("covered", "Share covered", "Share of the comparator's people who live in the authorities pooled.", NUMBER, "proportion"),
        Field("period", "Period", "Dates of need and of count.", required=True),
        Field("polarity", "Which way is good", "Whether more or less of the quantity is good.", TEXT, "", _POLARITY, True),
        _UNIT,
        Field("verdict", "Verdict", "How the area compares, in the closed vocabulary.", TEXT, "", _VERDICTS, True),
        Field("sentence", "Sentence", "The verdict as a sentence.", required=True),
        Field("method", "Method", "How the difference was tested, or that it was not.", required=True), _LEVEL, _FLAGS,
    ), ("need", "severity", "area_code", "year", "quantity", "comparator"),
)  # fmt: skip

OUTCOMES = TableSchema(
    "outcomes.csv", "Outcomes: each indicator, its value and how the area is doing",
    "One row an indicator and area, as a joint strategic needs assessment prints it: text, rounded, ready to be read.",
    (
        Field("indicator", "Indicator", "The need and what is measured of it.", required=True), *_AREA,
        Field("period", "Period", "Dates of need and of count."),
        Field("value", "Value", "The area's value, in its unit."), Field("interval", "Interval", "Its interval."),
        Field("n", "n", "People on whom the value rests, with commas."),
        Field("region", "Region", "Value of the region."), Field("england", "England", "Value of England."),
        Field("statistical_neighbours", "Statistical neighbours", "Value of the statistical neighbours."),
        Field("how", "How the area is doing", "The sentence on each comparator, in the closed vocabulary.", required=True),
        Field("benchmark", "Benchmark", "The comparator that was tested; empty where none was."),
        Field("people", "Difference in people", "How many people the difference is, where it is significant."),
        Field("method", "Method", "How it was tested, or that it was not."), _FLAGS,
    ), ("indicator", "area_code"),
)  # fmt: skip

SCENARIOS = TableSchema(
    "scenarios.csv", "Whole runs beside the headline",
    "One row a figure of each scenario: the need resting on another source alone, or with a rate that changes from year to year. The "
    "headline is in gap.csv; nothing is averaged, and no scenario is in its interval.",
    (_NEED,
     Field("scenario", "Scenario", "Which run: the source that it rests on; trend, for a changing rate; or lists-2, lists-3, for another "
           "model of overlapping lists.", required=True),
     _SEVERITY, *_AREA, _YEAR, *_GROUP, _quantity(), *_ESTIMATE, _LEVEL, _PROBABILITY, _UNIT, _FLAGS),
    ("need", "scenario", *_KEY[1:]),
)  # fmt: skip

SCHEMAS = (GAP, SUBGROUPS, COMPARISONS, OUTCOMES, SCENARIOS)
