"""How a rate changed from one survey to the next: only between surveys that measured the same thing in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from hna.errors import Fault, ModelError
from hna.evidence.source import PrevalenceSource

_FIELD = "prevalence.trend.sources"


@dataclass(frozen=True)
class YearlyChange:
    """A constant relative change of the odds a year, for a scenario (`hna.model.projection.trend`).

    Parameters
    ----------
    yearly : relative change a year: −0.012 for 1.2 % fewer.
    lower, upper : its 95 % limits, from the sampling errors of both surveys.
    sources : ids of the surveys, earlier first.
    """

    yearly: float
    lower: float
    upper: float
    sources: tuple[str, str]


def yearly_change(
    sources: Sequence[PrevalenceSource], log_odds: Sequence[float], errors: Sequence[float]
) -> YearlyChange:
    """The yearly change between two surveys of one series.

    With x years between the middles of fieldwork, ``yearly = exp((logit p₂ − logit p₁)/x) − 1``; on the log scale its
    variance is ``(s₁² + s₂²)/x²``.

    Parameters
    ----------
    sources : the earlier and the later survey.
    log_odds, errors : logit of the rate of each in the same people, and its standard error.

    Raises
    ------
    ModelError
        R301 if they differ in condition, measure or case definition (another instrument, another threshold): a break
        in method is no trend. R302 if there are not two, with dates a year or more apart.
    """
    if len(sources) != 2:
        what = f"a change is between two surveys, and {len(sources)} are given"
        raise ModelError(Fault(what, "Name the earlier and the later survey", field=_FIELD, code="R302"))
    first, later = sources
    faults = []
    for name, words in (
        ("condition", "conditions"), ("measure", "measures"), ("case_definition", "case definitions"),
    ):  # fmt: skip
        held = [" ".join(str(getattr(source, name)).split()) for source in sources]
        if held[0] != held[1]:
            rows = [f"{source.id}: {value}" for source, value in zip(sources, held, strict=True)]
            remedy = "A break in method is no trend: use surveys of one instrument, or hold the rate constant"
            faults.append(Fault(f"the surveys have different {words}", remedy, field=_FIELD, rows=rows, code="R301"))
    if faults:
        raise ModelError(faults)
    begun, ended = first.study.mid_fieldwork, later.study.mid_fieldwork
    if begun is None or ended is None or ended - begun < 1:
        remedy = "Name the earlier survey first, with years of fieldwork"
        raise ModelError(Fault("the surveys are not a year or more apart", remedy, field=_FIELD, code="R302"))
    apart = ended - begun
    slope = (log_odds[1] - log_odds[0]) / apart
    reach = float(ndtri(0.975)) * float(np.hypot(errors[0], errors[1])) / apart
    low, mid, high = (float(np.expm1(value)) for value in (slope - reach, slope, slope + reach))
    return YearlyChange(mid, low, high, (first.id, later.id))
