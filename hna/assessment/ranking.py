"""Needs in order: scores from the engine's draws and from analysts, weights agreed or not, and an audit trail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from hna.answers.answer import Answer
from hna.assessment.findings import measured, scored
from hna.assessment.priorities import Acceptability, acceptability, drawn_weights, standing, unknown_scores
from hna.assessment.programme import Score, Weights
from hna.assessment.standards import Anchored, Criteria
from hna.assessment.triangulate import Verdict
from hna.measure.areas import Area
from hna.measure.draws import stream

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """A need on a criterion: the scores that its draws take, and where they come from.

    Parameters
    ----------
    need, criterion : which.
    median, low, high : of the draws, and their 2.5 % and 97.5 % points.
    given_by : ``engine``, ``analyst`` or ``not known``.
    because : the measured value in words, or the analyst's reason.
    """

    need: str
    criterion: str
    median: float
    low: float
    high: float
    given_by: str
    because: str


@dataclass(frozen=True)
class Entry:
    """A line of the audit trail: when, who, what and why."""

    when: str
    who: str
    what: str
    why: str


@dataclass(frozen=True, eq=False)
class Priorities:
    """Needs in order of priority.

    Parameters
    ----------
    found : how often each takes each rank, under the weights agreed; under every weighting alike where none was.
    even : the same under every weighting alike.
    criteria : that weigh.
    left_out : criteria of which nothing is known of any need, or that do not weigh.
    weights : agreed; None where none was.
    standing : by need, robust, sensitive or lower.
    scores : every need on every criterion.
    trail : audit trail, in order.
    top, library : settings.
    """

    found: Acceptability
    even: Acceptability
    criteria: tuple[Anchored, ...]
    left_out: tuple[Anchored, ...]
    weights: Weights | None
    standing: Mapping[str, str]
    scores: tuple[Scored, ...]
    trail: tuple[Entry, ...]
    top: int
    library: Criteria

    @property
    def order(self) -> tuple[str, ...]:
        """Needs, the likeliest among the first named first."""
        return tuple(self.found.needs[n] for n in self.found.order(self.top))

    def chance(self, need: str) -> float:
        """Chance that a need stands among the first."""
        return float(self.found.top(self.top)[self.found.needs.index(need)])


def prioritise(
    answers: Mapping[str, Answer],
    area: Area,
    verdicts: Mapping[str, Verdict],
    asked: bool,
    library: Criteria,
    weights: Weights | None,
    given: Sequence[Score],
    seed: int,
) -> Priorities:
    """Put needs in order, with the chance of each rank.

    Parameters
    ----------
    answers : by need, their draws kept.
    area : the area assessed.
    verdicts : how many constituencies speak of each need.
    asked : whether corporate evidence was gathered at all.
    library : criteria and settings.
    weights : agreed; None draws every weighting alike, over the criteria of which something is known.
    given : scores of analysts.
    seed : of the streams.
    """
    needs = tuple(answers)
    draws = next(iter(answers.values())).rates.size
    told = {(one.need, one.criterion): one for one in given}
    columns: dict[str, dict[str, Array]] = {}
    cells: list[Scored] = []
    for criterion in library.criteria:
        for need in needs:
            drawn, cell = _scores(criterion, need, answers[need], area, verdicts, asked, told, library, seed, draws)
            columns.setdefault(criterion.id, {})[need] = drawn
            cells.append(cell)
    known = {cell.criterion for cell in cells if cell.given_by != "not known"}
    weighing = {name for name, value in weights.weights.items() if value > 0} if weights else known
    used = tuple(one for one in library.criteria if one.id in weighing)
    ids = [one.id for one in used]
    scores = np.stack([np.stack([columns[name][need] for name in ids]) for need in needs])
    agreed = weights.weights if weights else None
    found = acceptability(needs, ids, scores, drawn_weights(ids, agreed, library.concentration, seed, draws))
    even = acceptability(needs, ids, scores, drawn_weights(ids, None, library.concentration, seed, draws))
    top = max(1, min(weights.top if weights and weights.top else library.top, int(len(needs) * library.share)))
    chances = dict(zip(needs, found.top(top).tolist(), strict=True))
    held = {need: standing(chance, library.robust, library.open) for need, chance in chances.items()}
    chosen = tuple(cell for cell in cells if cell.criterion in ids)
    trail = tuple(_trail(weights, given, chosen, top, seed, draws, library))
    rest = tuple(one for one in library.criteria if one.id not in ids)
    return Priorities(found, even, used, rest, weights, held, chosen, trail, top, library)


def _scores(
    criterion: Anchored,
    need: str,
    found: Answer,
    area: Area,
    verdicts: Mapping[str, Verdict],
    asked: bool,
    told: Mapping[tuple[str, str], Score],
    library: Criteria,
    seed: int,
    draws: int,
) -> tuple[Array, Scored]:
    score = told.get((need, criterion.id))
    if criterion.scored_by != "analyst":
        voices = len(verdicts[need].breadth) if asked and need in verdicts else None
        values = measured(criterion, found, area, voices, library.horizon)
        if values is not None:
            drawn = scored(criterion, values)
            return drawn, _cell(need, criterion, drawn, "engine", criterion.anchors[int(np.median(drawn))])
    elif score is not None:
        drawn = stream(seed, f"score:{criterion.id}:{need}").uniform(score.low, score.high, draws)
        return drawn, _cell(
            need, criterion, drawn, "analyst", f"{score.because} ({score.scored_by}, {score.scored_on})"
        )
    drawn = unknown_scores(need, criterion.id, seed, draws)
    return drawn, _cell(
        need, criterion, drawn, "not known", "Nothing is known of it, so that any score from 0 to 4 is alike"
    )


def _cell(need: str, criterion: Anchored, drawn: Array, given_by: str, because: str) -> Scored:
    low, median, high = np.quantile(drawn, [0.025, 0.5, 0.975])
    return Scored(need, criterion.id, float(median), float(low), float(high), given_by, because)


def _trail(
    weights: Weights | None,
    given: Sequence[Score],
    cells: Sequence[Scored],
    top: int,
    seed: int,
    draws: int,
    library: Criteria,
) -> Iterator[Entry]:
    if weights:
        said = ", ".join(f"{name} {value:g}" for name, value in weights.weights.items())
        yield Entry(weights.agreed_on, weights.agreed_by, f"Weights agreed: {said}", weights.because)
    else:
        yield Entry("not dated", "nobody", "No weights were agreed", "Every weighting of the criteria is drawn alike.")
    for one in sorted(given, key=lambda score: (score.scored_on, score.need, score.criterion)):
        yield Entry(
            one.scored_on,
            one.scored_by,
            f"{one.need} scored {one.low:g} to {one.high:g} on {one.criterion}",
            one.because,
        )
    engine = sum(cell.given_by == "engine" for cell in cells)
    unknown = sum(cell.given_by == "not known" for cell in cells)
    text = json.dumps([[c.need, c.criterion, c.median, c.low, c.high, c.given_by] for c in cells])
    stamp = hashlib.sha256(text.encode()).hexdigest()
    yield Entry(
        "at this run", f"hna {version('hna')}",
        f"{engine} scores made from the estimates' own draws; {unknown} scores not known and drawn from 0 to 4; the first "
        f"{top} of the needs taken; {draws:,} draws, seed {seed}; scores have fingerprint {stamp[:16]}",
        f"{library.because}",
    )  # fmt: skip
