"""What the engine's own numbers find: items of evidence, and scores on criteria, from the same draws as the estimates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hna.answers.answer import Answer
from hna.answers.comparison import Comparisons
from hna.answers.gap import use_of
from hna.answers.known_people import KnownPeople, known_people, rows_for, union_known
from hna.answers.ledger import bridged, nearest
from hna.assessment.corporate import Voice
from hna.assessment.standards import Anchored, Triangulation
from hna.assessment.triangulate import Direction, EvidenceItem
from hna.evidence.source import PrevalenceSource
from hna.measure.areas import Area

Array = NDArray[np.float64]

_LOWER, _HIGHER = ("sig_lower", "sig_worse"), ("sig_higher", "sig_better")
_WEAK = "weak"


@dataclass(frozen=True)
class Gapped:
    """The gap of one need in the area, as gap.csv has it.

    Parameters
    ----------
    year : of the estimate it is formed with.
    probability : that it is above nought; None where only bounds are known.
    exceeds : chance that numbers known exceed the estimate, at most.
    known : identifiers of the counts.
    """

    year: int
    probability: float | None
    exceeds: float
    known: tuple[str, ...]


def whole_rows(found: Answer, area: Area, quantity: str) -> list[dict[str, object]]:
    """Rows of gap.csv for everybody with the need in an area."""
    table = found.figures
    rows = table[
        (table["area_code"] == area.code)
        & (table["quantity"] == quantity)
        & (table["severity"] == found.rates.severities[0])
        & (table["sex"] == found.model.sex)
        & (table["age_band"] == "all")
    ]
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def withheld(row: Mapping[str, object]) -> bool:
    """Whether a figure is withheld beside a count that disclosure control hides."""
    return "N1004" in str(row["flags"]).split()


def gapped(found: Answer, area: Area) -> Gapped | None:
    """The gap of a need, or None where none is stated, or it is withheld beside a hidden count."""
    rows = whole_rows(found, area, "gap")
    if not rows or withheld(rows[-1]):
        return None
    year = int(str(rows[-1]["year"]))
    chance = next(row for row in whole_rows(found, area, "p_known_exceeds_need") if row["year"] == year)
    names = tuple(ledger.known for ledger in found.ledgers if ledger.area.code == area.code and ledger.aligned)
    return Gapped(year, _number(rows[-1]["probability"]), _number(chance["upper"]) or 0.0, names)


def _number(value: object) -> float | None:
    number = float("nan") if value is None else float(str(value))
    return None if np.isnan(number) else number


def own_items(
    found: Answer, compared: Comparisons, area: Area, words: Mapping[str, str], standard: Triangulation
) -> Iterator[EvidenceItem]:
    """The epidemiological and the comparative findings of one need.

    An estimate alone says that the need is present. A gap that is likely says that it is greater than services know; numbers
    known that exceed the estimate say that it is less. A place is set apart from others only by a significant difference of
    coverage: a difference that is not significant says nothing, and is silence.

    Parameters
    ----------
    found, compared : the answer and its comparisons.
    area : the area assessed.
    words : the finding as a sentence, by ``estimate`` and ``gap``.
    standard : thresholds.
    """
    need = found.model.need
    sources = [source for source in found.citations if isinstance(source, PrevalenceSource)]
    rests = tuple(source.id for source in sources)
    if whole_rows(found, area, "need"):
        held = gapped(found, area)
        # The number of all cases does not rest on the source that divides them by severity.
        bias = {source.appraisal.overall for source in sources if source.id != found.model.prevalence.severity}
        if held is None:
            strength = "moderate" if bias <= {"low", "moderate"} else _WEAK
            yield EvidenceItem(
                f"{need}: estimate", need, "epidemiological", "present", strength, "normative", words["estimate"], rests
            )
        else:
            direction, strength = _reading(held, standard)
            yield EvidenceItem(
                f"{need}: gap",
                need,
                "epidemiological",
                direction,
                strength,
                "normative",
                words["gap"],
                (*rests, *held.known),
            )
    table = compared.table
    for row in table[(table["area_code"] == area.code) & (table["quantity"] == "coverage")].to_dict("records"):
        verdict = str(row["verdict"])
        if verdict not in (*_LOWER, *_HIGHER):
            continue
        side: Direction = "greater" if verdict in _LOWER else "less"
        known = tuple(ledger.known for ledger in found.ledgers if ledger.area.code == area.code and ledger.aligned)
        yield EvidenceItem(
            f"{need}: beside {row['comparator_name']}", need, "comparative", side, "strong", "comparative",
            str(row["sentence"]), (*rests, *known),
        )  # fmt: skip


def _reading(held: Gapped, standard: Triangulation) -> tuple[Direction, str]:
    if held.exceeds > standard.unlikely.value:
        return "less", "moderate"
    if held.probability is not None and held.probability >= standard.likely.value:
        return "greater", "strong"
    return "present", _WEAK


def voiced_items(voices: Sequence[Voice]) -> Iterator[EvidenceItem]:
    """The findings of a file of corporate evidence; those of one workshop or survey rest on it alike."""
    for voice in voices:
        spoken = voice.approach == "corporate"
        event = f"{voice.method}, {voice.date}, for {voice.commissioned_by}"
        yield EvidenceItem(
            voice.id, voice.need, voice.approach, voice.direction, voice.strength, voice.need_type, voice.finding,  # type: ignore[arg-type]
            (*voice.datasets, event) if spoken else voice.datasets, voice.confidence, voice.constituency,
        )  # fmt: skip


def known_draws(found: Answer, area: Area, held: Gapped) -> KnownPeople:
    """People known in the area, on the streams on which the gap was formed."""
    rates = found.rates
    services: dict[str, KnownPeople] = {}
    ledgers = {ledger.known: ledger for ledger in found.ledgers if ledger.area.code == area.code}
    for counts in found.known:
        if counts.source.id not in held.known:
            continue
        here = counts.take(counts.area_code == area.code)
        _, year = nearest([held.year], here.years)
        here = here.take(here.year == year)
        over = bridged(ledgers[counts.source.id])
        rows = rows_for(here, rates.model.band, rates.model.sex, over)
        use = use_of(rates.model, counts.source.id)
        services[counts.source.id] = known_people(here, rows, use, rates.seed, rates.size)
    if len(services) == 1:
        return next(iter(services.values()))
    overlaps = {
        frozenset(one.services): float(one.people) for one in rates.model.overlaps if one.area in (None, area.code)
    }
    return union_known(services, overlaps)


def need_draws(found: Answer, area: Area, year: int) -> Array | None:
    """People with the need in one year, as kept by the answer; None where it was not kept."""
    return found.draws.get((found.rates.severities[0], year, area.code))


def base_year(found: Answer, area: Area) -> int:
    """The latest year that is an estimate, or the first of a projection."""
    rows = whole_rows(found, area, "need")
    counted = [int(str(row["year"])) for row in rows if "N511" not in str(row["flags"]).split()]
    return max(counted) if counted else min(int(str(row["year"])) for row in rows)


def measured(criterion: Anchored, found: Answer, area: Area, voices: int | None, horizon: int) -> Array | None:
    """What a criterion measures of a need, draw by draw, before it is scored; None where nothing is known.

    Parameters
    ----------
    criterion : scored by numbers, growth, reach or voices.
    found : the answer, its draws kept.
    area : the area assessed.
    voices : constituencies that say the need is there; None where nobody was asked.
    horizon : years over which growth is taken.
    """
    if criterion.scored_by == "voices":
        return None if voices is None else np.full(found.rates.size, float(voices))
    first = base_year(found, area)
    people = need_draws(found, area, first)
    if people is None:
        return None
    if criterion.scored_by == "numbers":
        return people
    if criterion.scored_by == "growth":
        later = [year for _, year, code in found.draws if code == area.code and year > first]
        if not later:
            return None
        then = need_draws(found, area, min(later, key=lambda year: (abs(year - first - horizon), year)))
        return None if then is None else then / np.maximum(people, 1.0) - 1.0
    held = gapped(found, area)
    at = None if held is None else need_draws(found, area, held.year)
    if held is None or at is None:
        return None
    known = known_draws(found, area, held)
    reached: Array = (known.low + known.high) / 2 / np.maximum(at, 1.0)
    return reached


def scored(criterion: Anchored, values: Array) -> Array:
    """Scores from 0 to 4: how many of the criterion's values are reached."""
    steps = np.asarray(criterion.scores_from, dtype=float)
    reached = values[..., None] <= steps if criterion.falling else values[..., None] >= steps
    found: Array = reached.sum(axis=-1).astype(float)
    return found
