"""The closed list of sentences in which a report says its numbers."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence

from hna.answers.comparison import Signals
from hna.answers.ledger import Ledger
from hna.evidence.source import KnownSource, PrevalenceSource
from hna.measure.areas import Area
from hna.measure.estimate import Universe
from hna.model.spec import MissingCoreData, Target
from hna.publish.facts import Comparison, Refused
from hna.publish.rounding import Value, plain, say, say_chance, say_percent
from hna.publish.tables import shown

UNPROTECTED = (
    "Unprotected: not for publication. No disclosure control has been applied, and small numbers may identify people."
)
CONTINUE = "if today's age-specific rates continue"
CLOSE = "Numbers known are close to or above the estimate."
NO_SUPPORT = "The estimate does not support a gap: check the definition, residence, duplicates and whether the rate is out of date."
KNOWN_PART = "People on the list, after what is allowed for: they live here and have the need."
APPARENT_PART = "People on the list. Some of them may not have the need, so the gap is an apparent one."
HIDDEN_PART = (
    "Those estimated, less those known. They may be known to another service, be undiagnosed, or not want or need help."
)
CONTACT_PART = (
    "Not known. The count does not say who was offered help that meets the standard, so no number of people with a met need is "
    "stated. Being known is not being helped."
)
NOT_ADDED = "Strata overlap: one person may be in several, so they are never added up."
_NAME = 80
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_COUNTED = {"people-point": "on one day", "episodes": "episodes in a period", "referrals": "referrals in a period"}
_MEASURES = {"point": "at one time", "lifetime": "at any time in life", "proportion-of-cases": "share of cases"}


def banner_of(arguments: Mapping[str, object]) -> str:
    """What must stand on every page and sheet of a report made with some arguments, or nothing."""
    return UNPROTECTED if arguments.get("disclosure") == "none" else ""


def name_of(area: Area) -> str:
    """An area's name, short enough to be printed."""
    return shortened(area.name)


def shortened(text: str, most: int = _NAME) -> str:
    """Text on one line, cut where it would break a heading or a chart."""
    line = shown(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def sentence(text: str) -> str:
    """Text as a sentence: a capital first and a full stop last."""
    line = shown(text).rstrip()
    if not line:
        return ""
    line = line[0].upper() + line[1:]
    return line if line[-1] in ".!?" else line + "."


def listed(parts: Iterable[str]) -> str:
    """``a, b and c``."""
    held = list(parts)
    return held[0] if len(held) == 1 else f"{', '.join(held[:-1])} and {held[-1]}" if held else ""


def verb(number: int, one: str, several: str) -> str:
    """The word that goes with a number of things: ``rests`` with one, ``rest`` with several."""
    return one if number == 1 else several


def day(date: str) -> str:
    """``31 March 2020``."""
    found = dt.date.fromisoformat(date)
    return f"{found.day} {found:%B %Y}"


def dated(text: str) -> str:
    """Text with its dates as people write them: ``known 31 March 2020``."""
    return _ISO.sub(lambda found: day(found.group()), text)


def middle(year: int) -> str:
    """``mid-2023``."""
    return f"mid-{year}"


def measure(text: str) -> str:
    """A prevalence measure in words."""
    if text.startswith("period-"):
        months = text.removeprefix("period-")
        return "at any time in a month" if months == "1" else f"at any time in {months} months"
    return _MEASURES.get(text, text)


def expected(place: Area, universe: Universe, year: int, need: Value, level: float) -> str:
    """The synthetic estimate: what would be expected of such a population."""
    people = say(need)
    limits = f", {say_percent(level)} interval {people.interval}" if people.interval else ""
    return (
        f"Given the characteristics of the local population of {name_of(place)} we would expect about {people.number} "
        f"{shown(universe.words)} to meet the definition of {shown(universe.condition)} in {middle(year)}{limits}."
    )


def found(place: Area, universe: Universe, year: int, need: Value, level: float, *, answers: bool, here: bool) -> str:
    """The estimate of a place whose rate was found in places, by answers or by counts: here, or only elsewhere."""
    people = say(need)
    limits = f", {say_percent(level)} interval {people.interval}" if people.interval else ""
    what = "answers given" if answers else "counts"
    named = name_of(place)
    rest = f"{shown(universe.words)} meet the definition of {shown(universe.condition)} in {middle(year)}{limits}."
    if here:
        like = "in places like it" if answers else "in the places around it"
        return f"From {what} in {named} and {like} we estimate that about {people.number} {rest}"
    return f"Nobody was asked in {named}. From {what} in other places we would expect that about {people.number} {rest}"


def recorded(compared: Comparison, said: int | None = None) -> str:
    """How many were known, to whom, when; the estimate again unless that of its year was just said."""
    services = listed(dict.fromkeys(shown(source.service) for source in compared.sources))
    dates = listed(dict.fromkeys(day(source.reference_date) for source in compared.sources))
    known = compared.figures["known"]
    need = say(compared.figures["need"])
    again = f"In {middle(compared.year)}, the year compared with the count, the estimate is {need.bare}. "
    opening = "" if compared.year == said else again
    if known.estimate is None:
        many = f"between {say(known).lower} and {say(known).upper} people, a range because small counts are hidden or services overlap,"
        return f"{opening}{many[0].upper()}{many[1:]} were recorded by {services} on {dates}."
    people = say(known)
    number = people.words[0].upper() + people.words[1:]
    taken = ""
    if len(compared.counted) == 1 and compared.counted[0] is not None and not known.exact:
        taken = f" (allowing for what is listed below; {plain(compared.counted[0])} were counted)"
    whom = "" if compared.apparent else " of them"
    return f"{opening}{number}{whom} were recorded by {services} on {dates}{taken}."


def gap(compared: Comparison) -> str:
    """The gap, how sure, and what error in the prevalence would do to it; what the numbers known allow is said first."""
    figures = compared.figures
    exceeds = figures["p_known_exceeds_need"]
    chance = f"the chance that numbers known exceed the estimate is {chance_of(exceeds)}"
    if "W723" in compared.flags:
        return f"{NO_SUPPORT} {chance[0].upper()}{chance[1:]}."
    label = "apparent gap" if compared.apparent else "gap"
    value = figures["gap"]
    people = say(value)
    if value.estimate is None:
        text = f"The {label} lies between {people.lower} and {people.upper} people; {chance}."
    else:
        text = f"The {label} is {people.words} people; {chance}."
    if "W722" in compared.flags:
        text += f" {CLOSE}"
    return text + (f" {leverage(compared.leverage)}" if compared.leverage else "")


def leverage(times: float) -> str:
    """What an error of a tenth in the prevalence would do to the gap."""
    return f"A 10% error in the prevalence would change the gap by {plain(10 * times)}%."


def chance_of(exceeds: Value) -> str:
    """The chance that numbers known exceed the estimate; a range where a count is hidden."""
    if exceeds.estimate is None and exceeds.lower is not None and exceeds.upper is not None:
        low, high = say_chance(exceeds.lower), say_chance(exceeds.upper)
        return low if low == high else f"between {low} and {high}"
    return say_chance(exceeds.estimate)


def target(compared: Comparison, goal: Target) -> str:
    """Numbers known against the share that should be known."""
    short = compared.figures["target_shortfall"]
    opening = f"The target is that {100 * goal.coverage:g}% of them should be known ({shown(goal.source)})."
    people = say(short)
    if short.estimate is None:
        return f"{opening} The shortfall lies between {people.lower} and {people.upper} people."
    return (
        f"{opening} The chance that numbers known fall short of it is {say_chance(short.probability)}; the shortfall is "
        f"{people.words} people, where a negative number means that the target is passed."
    )


def not_comparable(side: Refused, said: int | None = None) -> str:
    """Two numbers side by side, and what differs between them; the estimate unless that of its year was just said."""
    who = shown(side.source.service) if side.source else side.ledger.known
    when = f" on {day(side.source.reference_date)}" if side.source else ""
    known = say(side.known)
    unit = shown(unit_of(side.source))
    own = side.ledger.apart
    why = f". {sentence(own)}" if own else f", because they differ in {differences(side.ledger)}."
    again = "" if side.year == said else f"About {say(side.need).bare} people are estimated in {middle(side.year)}; "
    number = known.bare or f"{'a' if again else 'A'} hidden number of"
    return f"{again}{number} {unit} were recorded by {who}{when}. The two are not comparable{why}"


def unit_of(source: KnownSource | None) -> str:
    """What a count counts: people, episodes or referrals."""
    return "people" if source is None or source.count_kind.startswith("people") else source.count_kind


def differences(ledger: Ledger) -> str:
    """What differs, and how."""
    return listed(
        f"{entry.item} (estimate: {aligned(entry.item, entry.need)}; count: {aligned(entry.item, entry.known)})"
        for entry in ledger.differences
    )


def aligned(item: str, said: str) -> str:
    """One side of a line of the ledger, its codes and dates in words."""
    if item == "time basis":
        return _COUNTED.get(said) or measure(said.removeprefix("people-"))
    if item == "reference date" and said[:1].isdigit():
        return day(said)
    if item == "age range" and said == "all":
        return "all ages"
    return shown(said)


def no_gap(
    missing: Sequence[MissingCoreData],
    refused: Sequence[Refused],
    used: bool,
    sources: Sequence[str],
    hidden: bool = False,
) -> str:
    """Why no gap is stated."""
    if hidden:
        return "No gap is stated, because the number known is hidden to protect people."
    if refused:
        names = listed(dict.fromkeys(_title(side) for side in refused))
        return f"No gap is stated, because the count to hand ({names}) does not count the same people as the estimate."
    if used:
        names = listed(sources)
        return f"No gap is stated, because the counts that the model names ({names}) have no figure for this place."
    known = next((record for record in missing if _about_counts(record)), missing[0] if missing else None)
    if known is not None:
        item = shown(known.item)
        return f"No gap is stated, because this is not to hand: {sentence(item)}"
    return "No gap is stated, because no count of people known to services has been given."


def _title(side: Refused) -> str:
    return shown((side.source.title if side.source else None) or side.ledger.known)


def _about_counts(record: MissingCoreData) -> bool:
    words = f"{record.item} {record.effect}".casefold()
    return "gap" in words or "known" in words


def projection(
    place: Area, first: tuple[int, Value], last: tuple[int, Value], people: tuple[Value, Value] | None
) -> str:
    """What follows for later years, with the condition said first."""
    then, now = say(last[1]), say(first[1])
    text = (
        f"{name_of(place)}: {CONTINUE}, {then.words} would be expected in {middle(last[0])}, against {now.bare} in "
        f"{middle(first[0])}"
    )
    before, after = first[1].estimate, last[1].estimate
    if before and after is not None:
        text += f": {change(before, after)}"
    if people and people[0].estimate and people[1].estimate is not None:
        text += f"; the population of these ages is projected to be {change(people[0].estimate, people[1].estimate)}"
    return text + "."


def change(before: float, after: float) -> str:
    """``12% more`` or ``3% fewer``."""
    percent = plain(abs(after / before - 1) * 100)
    if percent == "0":
        return "about the same"
    return f"{percent}% {'more' if after > before else 'fewer'}"


def sureness(need: Value, level: float) -> str:
    """How wide the interval is beside the estimate."""
    if not need.estimate or need.lower is None or need.upper is None:
        return "The width of the interval is not known."
    return f"The true number could be {either_way(need)} ({say_percent(level)} interval)."


def either_way(need: Value) -> str:
    """How far the interval reaches: ``41% lower or 56% higher``."""
    if not need.estimate or need.lower is None or need.upper is None:
        return ""
    below, above = 1 - need.lower / need.estimate, need.upper / need.estimate - 1
    return f"{say_percent(max(0.0, below))} lower or {say_percent(max(0.0, above))} higher"


def evidence(source: PrevalenceSource) -> str:
    """Fieldwork, place and risk of bias in one line."""
    study = source.study
    parts = []
    if study.fieldwork:
        first, last = study.fieldwork
        parts.append(f"fieldwork {first}" if first == last else f"fieldwork {first} to {last}")
    if study.sample_size:
        parts.append(f"{study.sample_size:,} people")
    overall = source.appraisal.overall
    parts.append(f"{overall} risk of bias" if overall else "risk of bias not appraised")
    return ", ".join(parts)


def verdict(
    comparisons: Sequence[tuple[Area, Comparison]], refused: Sequence[Refused], otherwise: str, most: int = 3
) -> str:
    """What a report says of one need, in one sentence."""
    if not comparisons:
        if refused:
            return (
                "Estimated and counted people are listed side by side and are not comparable, because they differ in "
                f"{listed(dict.fromkeys(entry.item for side in refused for entry in side.ledger.differences))}."
            )
        return otherwise
    against = [(area, found) for area, found in comparisons if "W723" in found.flags]
    close = [(area, found) for area, found in comparisons if "W722" in found.flags]
    more = [(area, found) for area, found in comparisons if not {"W722", "W723"} & set(found.flags)]
    parts = []
    if more:
        parts.append(f"More people are estimated to have this need than services know{_likely(more, most)}")
    if close:
        parts.append(f"numbers known are close to or above the estimate in {_where(close, most)}")
    if against:
        parts.append(f"the estimate does not support a gap in {_where(against, most)}")
    return sentence("; ".join(parts))


def signals(found: Signals, level: float) -> str:
    """How many tests were made, how many differ, and how many would if no place did."""
    many, more = f"{found.tested} {verb(found.tested, 'test', 'tests')}", found.significant
    return (
        f"This report holds {many} of an area's coverage against its region, England or statistical neighbours, at the "
        f"{100 * level:g}% level: {more or 'none'} {verb(more, 'is', 'are')} significant, and {found.expected:.1f} would be expected "
        "to be by chance if no area differed. The gap is judged by the same test."
    )


def _where(found: Sequence[tuple[Area, Comparison]], most: int) -> str:
    return f"{len(found)} areas" if len(found) > most else listed(name_of(area) for area, _ in found)


def _likely(found: Sequence[tuple[Area, Comparison]], most: int) -> str:
    chances = [compared.figures["gap"].probability for _, compared in found]
    if len(found) > most or any(chance is None for chance in chances):
        return f" in {_where(found, most)}"
    said = listed(
        f"{say_chance(chance)} likely in {name_of(area)}" for (area, _), chance in zip(found, chances, strict=True)
    )
    return f": {said}"
