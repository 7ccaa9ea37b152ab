"""How one source's rates are corrected: for a test's errors, to another case definition, for people not reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, ndtri

from hna.errors import Fault, ModelError
from hna.evidence.crosswalk import Pairs, read_pairs
from hna.evidence.shelf import Shelf
from hna.evidence.source import CrosswalkSource, Definition, PrevalenceSource, SurveySource
from hna.model.communal import Communal
from hna.model.crosswalk import Accuracy, Crosswalk, TestErrors, crosswalk
from hna.model.defaults import read_defaults
from hna.model.distribution import fit_beta, jeffreys_size
from hna.model.pool_grid import mean_kept
from hna.model.pool_standards import read_pool_standards
from hna.model.spec_correction import CommunalUse, CrosswalkUse, Screening, Share
from hna.model.spec_rate import UsedSource
from hna.model.strata import Layers

Array = NDArray[np.float64]

Step = TestErrors | Crosswalk | Communal
STEPS = ("screening", "crosswalk", "communal")
"""Corrections, in the order in which they are made."""

_POSITIVE = re.compile(
    r"screen\w*[ -]positive|positive[ -]screen|positive (on|by|in|at|to|after) (an? |the )?(\w+ ){0,2}screen",
    re.IGNORECASE,
)
_EXAMINED = re.compile(
    r"(diagnos|assess|interview|examin|confirm)\w*\b.*\b(who|of|after|among)\b.*screen"
    r"|screen.*\b(then|followed by|confirmed|and (were )?(diagnos|assess|interview|examin))",
    re.IGNORECASE,
)
"""Words of a case definition by which those who screened positive were looked at again."""


@dataclass(frozen=True)
class Correcting:
    """Which corrections move the numbers: all, but where one step is shown beside another.

    Parameters
    ----------
    steps : corrections made; the records are those of all of them, so that the same gates are passed.
    moving : of those, the ones with their own error; the rest as if they were known exactly.
    seed : of their streams; None for the seed of everything else.
    """

    steps: tuple[str, ...] = STEPS
    moving: tuple[str, ...] = STEPS
    seed: int | None = None

    @property
    def whole(self) -> bool:
        """Whether this is the rate that is reported."""
        return self.steps == self.moving == STEPS and self.seed is None


WHOLE = Correcting()


def before_each(sources: Sequence[UsedSource]) -> list[tuple[str, Correcting, Correcting]]:
    """Each correction of some sources: without it and what comes after it; and with both, but as if known without error."""
    names = tuple(name for name in STEPS if any(getattr(used, name) for used in sources))
    return [(name, Correcting(names[:n], names[:n]), Correcting(STEPS, names[:n])) for n, name in enumerate(names)]


@dataclass(frozen=True, eq=False)
class Corrections:
    """What is done to one source's rates.

    Parameters
    ----------
    steps : each by its name, in order.
    cited : records of the shelf that they rest on.
    notes : what is done and why, in words.
    flags : diagnostic codes.
    """

    steps: tuple[tuple[str, Step], ...] = ()
    cited: tuple[CrosswalkSource, ...] = ()
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[tuple[str, str], ...]:
        """Each correction by its name, in words."""
        return tuple((name, note) for (name, _), note in zip(self.steps, self.notes, strict=True))

    def moved(
        self, mean: Array, drawn: Array, how: Correcting, seed: int, survey: str, cells: Sequence[str] = ()
    ) -> tuple[Array, Array]:
        """Headline and draws after the corrections: the headline corrected, and the draws moved to have it as their mean.

        Parameters
        ----------
        mean, drawn : shapes (cell,) and (cell, draw), proportions.
        seed : of the streams, unless `how` has one.
        survey : whose rates they are.
        cells : labels, for messages.
        """
        for name, step in self.steps:
            if name not in how.steps:
                continue
            if isinstance(step, TestErrors):
                _possible(step, mean, cells)
            known = seed if how.seed is None else how.seed
            drawn = step.drawn(drawn, known, survey, cells) if name in how.moving else step.point(drawn)
            mean = step.point(mean)
            drawn = np.stack([mean_kept(logit(row), float(point)) for row, point in zip(drawn, mean, strict=True)])
        return mean, drawn

    def logits(self, rate: float, how: Correcting) -> tuple[float, float, float, dict[str, float]]:
        """One rate corrected, on the logit scale.

        Parameters
        ----------
        rate : as printed, a proportion.

        Returns
        -------
        logit of the corrected rate; its derivative by the logit of the printed one; the variance of what varies between
        settings; and what one standard deviation of each shared error does to it, by stream.
        """
        at, slope, own, shared = np.array(rate), 1.0, 0.0, dict[str, float]()
        for name, step in self.steps:
            if name not in how.steps:
                continue
            if isinstance(step, TestErrors):
                _possible(step, np.atleast_1d(at), ())
            here = float(step.slope(at))
            shared = {key: here * value for key, value in shared.items()}
            own *= here**2
            if name in how.moving:
                shared |= {key: shared.get(key, 0.0) + float(value) for key, value in step.loadings(at).items()}
                own += step.own**2
            slope, at = slope * here, step.point(at)
        return float(logit(at)), slope, own, shared

    def scores(self, seed: int, draws: int, how: Correcting) -> dict[str, Array]:
        """Draws of each shared error in standard deviations, by stream."""
        found: dict[str, Array] = {}
        for name, step in self.steps:
            if name in how.steps and name in how.moving:
                found |= step.scores(seed if how.seed is None else how.seed, draws)
        return found


NO_CORRECTIONS = Corrections()


def _possible(step: TestErrors, rate: Array, cells: Sequence[str]) -> None:
    """Refuse a share positive that such a test cannot give."""
    low, high = 1 - step.specificity.mean, step.sensitivity.mean
    wrong = np.flatnonzero((rate <= low) | (rate >= high))
    if low >= high:
        what = f"sensitivity and specificity add up to {high + 1 - low:.3g}, not to more than one"
        raise ModelError(Fault(what, "Such a test says nothing about who is a case: use another source", code="R322"))
    if wrong.size:
        what = f"such a test finds between {low:.3g} and {high:.3g} of any people positive, and the source has others"
        rows = [f"{f'{cells[n]}: ' if len(cells) else ''}{rate[n]:.3g}" for n in wrong.tolist()]
        remedy = "Find sensitivity and specificity measured among such people, or leave these ages out"
        raise ModelError(Fault(what, remedy, rows=rows, code="R322"))


def corrected(layers: Layers, what: Corrections, how: Correcting, seed: int, survey: str) -> Layers:
    """A source's rates after its corrections.

    Raises
    ------
    ModelError
        R322 where a test's errors leave nothing to be said; or if the source divides its own cases by severity.
    """
    if not what.steps:
        return layers
    finds = any(name != "communal" for name, _ in what.steps)
    if finds and (layers.strata or layers.names != ("",)):
        remedy = "Divide cases by another source's shares of diagnosed cases (prevalence.severity), or use a source of all cases"
        told = f"{layers.table.source.id} divides by severity the people found by it, not those who have the need"
        raise ModelError(Fault(told, remedy))
    shape = layers.draws.shape
    cells = [f"{sex} {band}" for _, sex, band in product(layers.names, layers.sexes, layers.ages.labels)]
    mean, drawn = what.moved(layers.mean.reshape(-1), layers.draws.reshape(-1, shape[-1]), how, seed, survey, cells)
    return replace(
        layers, mean=mean.reshape(shape[:-1]), draws=drawn.reshape(shape), notes=(*layers.notes, *what.notes),
        flags=tuple(dict.fromkeys((*layers.flags, *what.flags))),
    )  # fmt: skip


@contextmanager
def told_of(need: str, source: str) -> Iterator[None]:
    """Faults found within name the model file, and the source whose correction they are about."""
    try:
        yield
    except ModelError as error:
        file, field = f"models/{need}.yaml", f"prevalence.sources.{source}"
        faults = [replace(fault, file=fault.file or file, field=fault.field or field) for fault in error.faults]
        raise ModelError(faults) from None


def corrections_of(used: UsedSource, source: PrevalenceSource, shelf: Shelf) -> tuple[Corrections, PrevalenceSource]:
    """What a model file does to a source's rates, and the source's record with the definition that they then have.

    Raises
    ------
    ModelError
        R301 where a crosswalk starts from something else than the source measured; R171 for one from lifetime
        prevalence; R302 for too few pairs; R322 for a test that says nothing; R411 where people of communal establishments
        were reached already, R522 where too much of the need would be left out with them.
    """
    if used.screening is None and used.crosswalk is None:
        check_cases(source)
        if used.communal is None:
            return Corrections(), source
    steps: list[tuple[str, Step]] = []
    cited: dict[str, CrosswalkSource] = {}
    notes: list[str] = []
    if used.screening is not None:
        test, held = _test(used.screening, used.source, shelf)
        steps.append(("screening", test))
        cited |= {one.id: one for one in held}
        notes.append(f"{test.words}; {_said(used.screening.because, used.screening.citation)}")
        source = source.model_copy(update={"case_definition": used.screening.to})
    if used.crosswalk is not None:
        pairs = read_pairs(shelf, used.crosswalk.source)
        _joined(used.crosswalk, used.source, source, pairs.source)
        try:
            made = crosswalk(
                pairs.source.id, pairs.difference, pairs.variance, read_pool_standards(shelf).between_study_scale,
                matched=pairs.source.matched != "studies", between=used.crosswalk.between,
            )  # fmt: skip
        except ModelError as error:
            field = f"prevalence.sources.{used.source}.crosswalk"
            raise ModelError([replace(fault, field=field) for fault in error.faults]) from None
        steps.append(("crosswalk", made))
        cited[pairs.source.id] = pairs.source
        notes.append(f"{made.words}; {_said(used.crosswalk.because, None)}")
        source = source.model_copy(update=pairs.source.reference.model_dump())
    if used.communal is not None:
        added = _communal(used.communal, used.source, source, shelf)
        if not used.communal.left_out:
            steps.append(("communal", added))
            notes.append(f"{added.words}; {_said(used.communal.because, used.communal.citation)}")
            source = source.model_copy(update={"study": source.study.model_copy(update={"frame": "both"})})
    flags = tuple(sorted({flag for _, step in steps for flag in step.flags}))
    return Corrections(tuple(steps), tuple(cited.values()), tuple(notes), flags), source


def check_cases(source: PrevalenceSource | SurveySource) -> None:
    """Refuse a record whose cases are by its own words those who screened positive, and whose condition is said to be the need.

    Raises
    ------
    ModelError
        R322, unless the condition is the positive screen itself, which is then compared with its like alone.
    """
    said = source.case_definition
    if not _POSITIVE.search(said) or _EXAMINED.search(said) or _POSITIVE.search(source.condition):
        return
    what = f"{source.id} counts people who screened positive ({said}), and not those who have {source.condition}"
    remedy = (
        "Give the test's sensitivity and specificity (screening), or pairs of test and diagnosis (crosswalk); or, where positives are "
        "themselves what is to be counted, say so in the condition"
    )
    raise ModelError(Fault(what, remedy, field="case_definition", code="R322"))


def _communal(use: CommunalUse, name: str, source: PrevalenceSource, shelf: Shelf) -> Communal:
    field = f"prevalence.sources.{name}.communal"
    if source.study.frame != "household":
        what = f"{name} is not of households alone (study.frame: {source.study.frame})"
        raise ModelError(Fault(what, "Leave communal out: its people would be counted twice", field=field, code="R411"))
    made = Communal(use.citation, (use.share[0], use.share[1]), (use.relative[0], use.relative[1]))
    allowed = read_defaults(shelf).communal_left_out
    if use.left_out and made.most > allowed:
        what = (
            f"leaving out communal establishments could move the need by {made.most:.0%}, and {allowed:.0%} is allowed"
        )
        remedy = "Take left_out away, so that they are added, or use a source that reached them"
        raise ModelError(Fault(what, remedy, field=field, code="R522"))
    return made


def _said(because: str, citation: str | None) -> str:
    return "; ".join(text.rstrip(".") for text in (because, citation) if text)


def _test(use: Screening, name: str, shelf: Shelf) -> tuple[TestErrors, list[CrosswalkSource]]:
    held: list[CrosswalkSource] = []
    found = []
    for which in ("sensitivity", "specificity"):
        share: Share = getattr(use, which)
        key = f"{which}:{use.citation}"
        if share.source is not None:
            pairs = read_pairs(shelf, share.source)
            held.append(pairs.source)
            share, key = _counted(share, pairs, which, name), f"{which}:{share.source}:{share.pair or ''}"
        found.append(_accuracy(share, key))
    test = TestErrors(*found)
    _possible(test, np.empty(0), ())
    return test, held


def _counted(share: Share, pairs: Pairs, which: str, name: str) -> Share:
    """The people of a validation study whom a test put right, and all of them who have the need, or have it not."""
    field = f"prevalence.sources.{name}.screening.{which}"
    if pairs.people is None:
        remedy = "Name one with given: two-by-two, or write cases and sample"
        what = f"{pairs.source.id} does not count the same people by both definitions"
        raise ModelError(Fault(what, remedy, field=field))
    rows = [n for n, label in enumerate(pairs.names) if share.pair in (None, label)]
    if len(rows) != 1:
        remedy = "Write pair: the label of one row"
        what = f"{pairs.source.id} has {len(rows)} such pairs"
        raise ModelError(Fault(what, remedy, field=field, rows=pairs.names))
    both, only, missed, neither = (int(count) for count in pairs.people[rows[0]])
    right, wrong = (both, missed) if which == "sensitivity" else (neither, only)
    return Share(cases=right, sample=right + wrong)


def _accuracy(share: Share, key: str) -> Accuracy:
    """The Beta of a share: on its counts, or with the printed mean and the limits nearest to those printed."""
    if share.cases is not None and share.sample is not None:
        if 0 < share.cases < share.sample:
            return Accuracy(f"{key}:{share.cases}/{share.sample}", share.cases / share.sample, float(share.sample))
        mean = (share.cases + 0.5) / (share.sample + 1)
        return Accuracy(f"{key}:{share.cases}/{share.sample}", mean, float(share.sample + 1), ("W114",))
    point, low, high = (float(one or 0.0) for one in (share.estimate, share.lower, share.upper))
    named = f"{key}:{point:g} ({low:g} to {high:g})"
    if low == high:
        return Accuracy(named, point, np.inf)
    tail = 0.5 + share.level / 2
    if point in (0.0, 1.0):
        size = jeffreys_size(high if point == 0 else 1 - low, tail)
        mean = 0.5 / (size + 1)
        return Accuracy(named, mean if point == 0 else 1 - mean, size + 1, ("W114",))
    inside = max(low, point * 1e-3), min(high, 1 - (1 - point) * 1e-3)
    return Accuracy(named, point, fit_beta(point, *inside, float(ndtri(tail))))


def _joined(use: CrosswalkUse, name: str, source: PrevalenceSource, pairs: CrosswalkSource) -> None:
    """Refuse a crosswalk that does not start where the source ends."""
    field = f"prevalence.sources.{name}.crosswalk"
    faults = []
    here = Definition(case_definition=source.case_definition, measure=source.measure)
    for what, ours, theirs, same in (
        ("conditions", source.condition, pairs.condition, None),
        ("measures", here.measure, pairs.alternative.measure, None),
        ("case definitions", here.case_definition, pairs.alternative.case_definition, use.same_definition),
    ):
        if " ".join(ours.split()) != " ".join(theirs.split()) and not same:
            remedy = "Use pairs whose alternative is what the source measured"
            remedy += "; or say under same_definition why they are one" if what == "case definitions" else ""
            told = f"{name} and the alternative of {pairs.id} have different {what}"
            faults.append(
                Fault(told, remedy, field=field, rows=[f"{name}: {ours}", f"{pairs.id}: {theirs}"], code="R301")
            )
    if pairs.alternative.measure == "lifetime" != pairs.reference.measure:
        remedy = "No transform turns a lifetime prevalence into people who have the need now: use another source"
        faults.append(Fault(f"{pairs.id} starts from lifetime prevalence", remedy, field=field, code="R171"))
    if faults:
        raise ModelError(faults)
