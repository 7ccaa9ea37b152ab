"""Whether each need and chapter holds what it must, or says what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hna.answers.answer import Answer
from hna.answers.comparison import Comparisons
from hna.assessment.corporate import Voice
from hna.assessment.findings import gapped, whole_rows, withheld
from hna.assessment.framework import ChapterSpec, Framework, MissingRecord, Placed
from hna.assessment.programme import KindName, Programme
from hna.assessment.standards import Kinds
from hna.errors import Fault
from hna.evidence.known import Known
from hna.evidence.source import PrevalenceSource
from hna.measure.areas import Area
from hna.model.spec import Model

SERVICES = "Current services"
"""Item of a chapter whose needs have no list of services."""


@dataclass(frozen=True)
class Held:
    """What an assessment of one need holds.

    Parameters
    ----------
    need : name of the model.
    claimed : kind of assessment claimed.
    reached : deepest kind whose contents it holds; blank if none.
    has : by content, whether it is there.
    lacking : contents of the claimed kind that are not there.
    considered : by content, what an analyst looked into instead.
    """

    need: str
    claimed: KindName
    reached: str
    has: Mapping[str, bool]
    lacking: tuple[str, ...]
    considered: Mapping[str, str]


@dataclass(frozen=True)
class Met:
    """Something that a chapter must hold: what is there, or the record of why it is not.

    Parameters
    ----------
    item : what.
    there : whether it is there.
    where : what an analyst says of it, if it stands in another document.
    missing : the record that stands in its place, if it is not there.
    """

    item: str
    there: bool
    where: str = ""
    missing: MissingRecord | None = None


def held_of(
    found: Answer,
    compared: Comparisons,
    area: Area,
    kinds: Kinds,
    programme: Programme,
    voices: Sequence[Voice],
    weighed: bool,
) -> Held:
    """Which contents an assessment of a need has.

    Parameters
    ----------
    found, compared : the answer and its comparisons.
    area : the area assessed.
    kinds : what each kind must hold.
    programme : which kind is claimed, and what was looked into.
    voices : corporate evidence.
    weighed : whether priorities were made under weights that were agreed.
    """
    model, need = found.model, found.model.need
    sources = [source for source in found.citations if isinstance(source, PrevalenceSource)]
    used = {one.source for one in model.prevalence.named}
    gap = gapped(found, area)
    services = {ledger.known for ledger in found.ledgers if ledger.area.code == area.code and ledger.aligned}
    has = {
        "population": bool(whole_rows(found, area, "population")),
        "comparators": bool((compared.table["area_code"] == area.code).any()),
        "appraised-source": any(one.id in used and one.appraisal.overall for one in sources),
        "known-count": gap is not None,
        "signed-gap": gap is not None,
        "two-sources": len(used) > 1,
        "local-adjustment": bool(model.local) or found.rates.found_in_places,
        "overlap": len(services) == 1 or (len(services) > 1 and bool(model.overlaps)),
        "sensitivity": len(found.waterfall) > 1,
        "corporate-evidence": any(voice.need == need and voice.approach == "corporate" for voice in voices),
        "best-practice": bool(model.best_practice),
        "priorities": weighed,
    }
    considered = {one.content: one.because for one in programme.considered if one.need == need}
    own = programme.of(need)
    claimed: KindName = (own.kind if own else None) or programme.kind or "profile"
    full = {name for name, there in has.items() if there} | set(considered)
    reached = ""
    for kind in kinds.kinds:
        if full.issuperset(kind.contents):
            reached = kind.id
    lacking = tuple(name for name in kinds.kind(claimed).contents if name not in full)
    return Held(need, claimed, reached, has, lacking, considered)


def missing_of(
    found: Answer, compared: Comparisons, area: Area, chapter: str, programme: Programme
) -> Iterator[tuple[str, MissingRecord]]:
    """Records of what is missing from one need, each with the content that it stands for.

    Those of the model file, those of the analyst, and those that the engine can state itself: a count that does not count
    the same people, one without a figure for the place, an area of which no comparators are on the shelf.
    """
    model = found.model
    for record in model.missing_core_data:
        yield (
            "known-count",
            MissingRecord(record.item, chapter, record.why, record.effect, model.need, record.since, record.owner),
        )
    for lack in programme.missing:
        if lack.need == model.need:
            held = MissingRecord(lack.item, chapter, lack.why, lack.effect, model.need, lack.since, lack.owner)
            yield lack.content or "known-count", held
    refused = [ledger for ledger in found.ledgers if ledger.area.code == area.code and not ledger.aligned]
    for ledger in refused:
        differs = ", ".join(entry.item for entry in ledger.differences)
        yield "known-count", MissingRecord(
            "A count of the same people as the estimate", chapter,
            f"{ledger.known} is no such count: {ledger.apart}" if ledger.apart else f"{ledger.known} differs from it in {differs}.",
            "No gap is stated.", model.need,
        )  # fmt: skip
    here = {ledger.known for ledger in found.ledgers if ledger.area.code == area.code}
    for use in model.known:
        if use.source not in here:
            yield "known-count", MissingRecord(
                "People known to services in this place", chapter, f"{use.source} has no figure for {area.name}.",
                "No gap is stated.", model.need,
            )  # fmt: skip
    if any(withheld(row) for row in whole_rows(found, area, "gap")):
        yield "known-count", MissingRecord(
            "People known to services in this place", chapter, "The count is hidden for disclosure control (N1004).",
            "No gap is stated.", model.need,
        )  # fmt: skip
    if not (compared.table["area_code"] == area.code).any():
        why = "; ".join(compared.notes) or "no region, nation or neighbours of the area are on the shelf"
        yield "comparators", MissingRecord(
            "Comparators", chapter, f"{why[0].upper()}{why[1:]}.", "Nothing is said of how the place stands beside others.", model.need
        )  # fmt: skip


def check_contents(
    held: Held, model: Model, kinds: Kinds, records: Sequence[tuple[str, MissingRecord]]
) -> Iterator[Fault]:
    """R901 for each content of the claimed kind that is not there and of which no record says why."""
    stands = {content for content, _ in records}
    if "known-count" in stands:
        stands |= {"signed-gap", "overlap"}
    for name in held.lacking:
        if name not in stands:
            kind = kinds.kind(held.claimed).title.lower()
            yield Fault(
                f"{model.title}: this {kind} lacks {kinds.contents[name][0].lower()}{kinds.contents[name][1:]}",
                f"Supply it, or record why it is missing (need: {model.need}, content: {name})", code="R901",
            )  # fmt: skip


def met_of(
    spec: ChapterSpec,
    placed: Placed,
    programme: Programme,
    counts: Sequence[Known],
    voices: Sequence[Voice],
    answered: Sequence[str],
    left: bool,
) -> Iterator[Met]:
    """What a chapter must hold, and whether it is there.

    Parameters
    ----------
    spec, placed, programme, counts, voices : of the chapter.
    answered : needs that were assessed.
    left : whether models of this chapter are on the shelf and were not asked for.
    """
    own = programme.of(spec.id)
    supplied = {one.item: one.where for one in own.supplied} if own else {}
    there = {
        "population": True,
        "findings": bool(answered),
        "needs": any(need in answered for need in placed.needs(spec.id)),
        "counts": bool(counts),
        "corporate": any(voice.approach == "corporate" for voice in voices),
        "analyst": False,
    }
    for required in spec.requires:
        where = supplied.get(required.item, "")
        record = None
        if not (there[required.given_by] or where):
            lack = next(
                (one for one in programme.missing if one.chapter == spec.id and one.item == required.item), None
            )
            absent = lack or required.missing
            if absent is not None:
                record = MissingRecord(
                    required.item, spec.id, absent.why, absent.effect, "", absent.since, absent.owner
                )
            elif required.given_by == "needs" and left:
                why = "This assessment was asked for other needs only; models of this chapter are on the shelf."
                record = MissingRecord(required.item, spec.id, why, "The chapter describes no need.")
        yield Met(required.item, there[required.given_by] or bool(where), where, record)
    described = [need for need in placed.needs(spec.id) if need in answered]
    unserved = sorted(set(described).difference(one.need for one in programme.services))
    if unserved:
        whose = "these needs" if len(unserved) == len(described) else f"{len(unserved)} of these {len(described)} needs"
        absent_services = MissingRecord(
            SERVICES, spec.id, f"No list of the services that there are now has been given for {whose}.",
            "What is provided, by whom and for how many people, cannot be set beside the need.", "", None,
            "Local authority; the integrated care board",
        )  # fmt: skip
        yield Met(SERVICES, False, "", absent_services)
    for lack in programme.missing:
        if lack.chapter == spec.id and lack.item not in {one.item for one in spec.requires}:
            held = MissingRecord(lack.item, spec.id, lack.why, lack.effect, lack.need or "", lack.since, lack.owner)
            yield Met(lack.item, False, "", held)


def check_chapter(spec: ChapterSpec, met: Sequence[Met], framework: Framework) -> Iterator[Fault]:
    """R901 for each required item of a chapter that is empty and of which no record says why."""
    for one in met:
        if not one.there and one.missing is None:
            yield Fault(
                f"chapter {spec.number}, {spec.title}: {one.item[0].lower()}{one.item[1:]} is empty, and no record says why",
                f"Supply it, or record it as missing core data of chapter {spec.id}", file=framework.id, code="R901",
            )  # fmt: skip
