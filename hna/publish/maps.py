"""Where: the assessed areas among the authorities of their region, as maps and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hna.answers.layers import Layer, Spread
from hna.answers.spread import AUTHORITIES
from hna.evidence.citation import Citation
from hna.evidence.source import KnownSource
from hna.measure.areas import Area
from hna.publish import wording
from hna.publish.atlas import LABELS, NOTHING, Atlas, Shade
from hna.publish.classes import Classes
from hna.publish.content import Block, Cell, Column, Paragraph, Picture, Pictures, Table
from hna.publish.facts import NeedFacts
from hna.publish.figures import ABSENT, ids, text
from hna.publish.rounding import Value, plain, rounded, step_of
from hna.publish.tables import shown

THOUSAND, LAKH = 1000.0, 100_000.0
HUNDRED = 100.0
COUNTY = "E10"
NO_FIGURE = "no figure"
BARE = ("England", "London", "Yorkshire and The Humber")
"""Places that are named without an article."""
EXPECTED_ONLY = (
    "The map shows where people who may have the need live, so that services can be planned. It does not show hot spots, and "
    "must not be used to judge how a place performs (R401)."
)
COUNTED = (
    "These are single values without their intervals. Coverage may differ because of how people are recorded, what services there "
    "are, or how many people truly have the need: the map does not say which, nor whether a difference is more than chance."
)


@dataclass(frozen=True)
class _Drawn:
    """One layer, ready to be drawn: a number for each authority, its classes, and how it is said."""

    layer: Layer
    values: tuple[float, ...]
    classes: Classes
    per: str
    sign: str

    def say(self, value: float) -> str:
        """A number as printed."""
        return f"{plain(value, self.classes.step)}{self.sign}"

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Classes, the highest first."""
        return [(n, self.classes.words(n, self.sign)) for n in range(self.classes.count, 0, -1)]


def where(facts: NeedFacts, refs: Mapping[str, int], atlas: Atlas) -> Iterator[Block]:
    """Maps of expected need and of coverage, the tables behind them, or why there is none."""
    spread = facts.answer.spread
    if spread is None:
        return
    need, coverage = _need(facts, spread), _coverage(facts, spread)
    boundaries = tuple(refs[source.id] for source in spread.outlines.sources if source.id in refs)
    if need is not None:
        cited = (*ids(facts, refs), *boundaries)
        yield Paragraph(_expected(facts, spread, need), cited)
        yield Paragraph(_same_rates(facts), (), "note")
        yield _pictures(facts, spread, atlas, need, f"Expected {need.per}, {wording.middle(need.layer.year)}")
        yield _table(facts, spread, need, cited)
    else:
        why = spread.why_no_need or "to the accuracy of the estimate, the share expected is the same in every place"
        yield Paragraph(f"There is no map of expected need: {shown(why)}.", (), "note")
    if coverage is not None:
        cited = (*((refs[coverage.layer.source],) if coverage.layer.source in refs else ()), *boundaries)
        yield Paragraph(_known(facts, spread, coverage), cited)
        yield Paragraph(COUNTED, (), "note")
        title = f"{_called(facts)}, need of {wording.middle(coverage.layer.year)}"
        yield _pictures(facts, spread, atlas, coverage, title)
        yield _table(facts, spread, coverage, cited)
    elif spread.why_no_coverage:
        yield Paragraph(f"There is no map of coverage: {shown(spread.why_no_coverage)}.", (), "note")


def maps_of(held: Sequence[NeedFacts]) -> Table:
    """Every number behind the maps, unrounded, for the workbook."""
    rows = []
    for facts in held:
        spread = facts.answer.spread
        for layer in (spread.need, spread.coverage) if spread else ():
            if layer is None:
                continue
            own = {code for codes in spread.marked.values() for code in codes} if spread else set()
            for n, area in enumerate(layer.areas):
                known = (layer.known[n], layer.coverage[n]) if layer.known else (None, None)
                expected = float(layer.expected[n])
                rows.append((
                    text(facts.model.title), text("coverage" if layer.known else "expected need"), text(wording.name_of(area)),
                    text(area.code), _stored(layer.year), text("yes" if own.issuperset(layer.shapes[n]) else "no"),
                    _stored(float(layer.people[n])), _stored(expected), _stored(expected / float(layer.people[n])),
                    *map(_stored, known),
                ))  # fmt: skip
    columns = (
        *(Column(name) for name in ("Need", "Map", "Area", "Area code")), Column("Year", "", True), Column("Assessed"),
        Column("Population", "people", True), Column("Estimated", "people", True), Column("Prevalence", "proportion", True),
        Column("Known", "people", True), Column("Coverage", "proportion", True),
    )  # fmt: skip
    return Table("maps", "The numbers behind the maps", columns, tuple(rows), 4)


def _stored(value: float | None) -> Cell:
    return Cell(ABSENT) if value is None else Cell(f"{value:,.6g}", value)


def _need(facts: NeedFacts, spread: Spread) -> _Drawn | None:
    """Expected need per 1,000 people of its ages, or fewer where it is rare; None where all authorities have the same."""
    layer = spread.need
    if layer is None:
        return None
    shares = layer.expected / layer.people
    scale = THOUSAND if shares.max() * THOUSAND >= 1 else LAKH
    values = [float(share) * scale for share in shares]
    own = [facts.value(place.area, layer.year, "prevalence") for place in facts.areas]
    steps = [step_of(_times(one, scale)) for one in own if one is not None and one.estimate]
    classes = Classes.of(values, min(steps, default=step_of(Value(max(values), None, None))))
    if classes.count == 1:
        return None
    return _Drawn(layer, tuple(values), classes, f"per {scale:,.0f} {shown(facts.answer.rates.universe.words)}", "")


def _times(value: Value, scale: float) -> Value:
    parts = [None if part is None else part * scale for part in (value.estimate, value.lower, value.upper)]
    return Value(parts[0], parts[1], parts[2])


def _coverage(facts: NeedFacts, spread: Spread) -> _Drawn | None:
    layer = spread.coverage
    if layer is None:
        return None
    values = [HUNDRED * share for share in layer.coverage]
    own = [facts.value(place.area, layer.year, "coverage") for place in facts.areas]
    steps = [step_of(_times(one, HUNDRED)) for one in own if one is not None and one.estimate]
    return _Drawn(layer, tuple(values), Classes.of(values, min(steps, default=1.0)), "per cent", "%")


def _called(facts: NeedFacts) -> str:
    apparent = any(found.apparent for place in facts.areas for found in place.comparisons)
    return "Apparent coverage" if apparent else "Coverage"


def _expected(facts: NeedFacts, spread: Spread, drawn: _Drawn) -> str:
    universe = facts.answer.rates.universe
    low, high, _ = _ends(drawn)
    if facts.answer.rates.found_in_places:
        return (
            f"We estimate that from {low} to {high} {drawn.per} meet the definition of {shown(universe.condition)}, in "
            f"{wording.middle(drawn.layer.year)}, across {_authorities(drawn, spread)}.{_standing(facts, spread, drawn)}"
        )
    return (
        f"Given the characteristics of the local populations we would expect from {low} to {high} {drawn.per} to meet the "
        f"definition of {shown(universe.condition)}, in {wording.middle(drawn.layer.year)}, across {_authorities(drawn, spread)}."
        f"{_standing(facts, spread, drawn)}"
    )


def _same_rates(facts: NeedFacts) -> str:
    if facts.answer.rates.found_in_places:
        return "Each place has a rate of its own, drawn to what was found in other places where little was found there."
    factors = ["age"] if facts.model.sex != "persons" or len(facts.answer.rates.sexes) < 2 else ["age", "sex"]
    factors += [step.factor.replace("ethnicity", "ethnic group") for step in facts.model.factors]
    return (
        f"Differences between places come from {wording.listed(dict.fromkeys(factors))} alone: the same published rates are "
        f"applied to the people of each. {EXPECTED_ONLY}"
    )


def _known(facts: NeedFacts, spread: Spread, drawn: _Drawn) -> str:
    source = next((one.source for one in facts.answer.known if one.source.id == drawn.layer.source), None)
    low, high, _ = _ends(drawn)
    whom = (
        f"people known to {shown(source.service)} on {wording.day(source.reference_date)}" if source else "people known"
    )
    protected = isinstance(source, KnownSource) and source.disclosure is not None
    also = " Counts are as protected for publication." if protected else ""
    return (
        f"{_called(facts)} is {whom}, as a share of those expected in {wording.middle(drawn.layer.year)}. It runs from {low} to "
        f"{high} across {_authorities(drawn, spread)}.{_standing(facts, spread, drawn)}{also}"
    )


def _standing(facts: NeedFacts, spread: Spread, drawn: _Drawn) -> str:
    """The numbers of the areas assessed, where they are few."""
    numbers = {area.code: value for area, value in zip(drawn.layer.areas, drawn.values, strict=True)}
    said = [
        f"in {wording.name_of(place.area)} it is {drawn.say(numbers[place.area.code])}"
        for place in facts.areas if place.area.code in spread.marked and place.area.code in numbers
    ]  # fmt: skip
    return f" {wording.sentence(', '.join(said))}" if 0 < len(said) <= LABELS else ""


def _authorities(drawn: _Drawn, spread: Spread) -> str:
    places = wording.listed(shown(name) if name in BARE else f"the {shown(name)}" for name in spread.places)
    return f"{len(drawn.values)} {_areas(drawn.layer)} of {places}"


def _areas(layer: Layer) -> str:
    """What the areas drawn are called."""
    return "authorities" if all(area.code.startswith((*AUTHORITIES, COUNTY)) for area in layer.areas) else "areas"


def _ends(drawn: _Drawn) -> tuple[str, str, str]:
    """The lowest and the highest value as printed, and whose they are."""
    held = list(zip(drawn.values, drawn.layer.areas, strict=True))
    (low, lowest), (high, highest) = min(held, key=lambda one: one[0]), max(held, key=lambda one: one[0])
    names = f"{wording.name_of(lowest)} has the lowest, {wording.name_of(highest)} the highest"
    return drawn.say(low), drawn.say(high), names


def _pictures(facts: NeedFacts, spread: Spread, atlas: Atlas, drawn: _Drawn, title: str) -> Pictures:
    shades = _shades(spread, drawn)
    bare = sum(shade.number == NOTHING for shade in shades.values())
    legend = [*drawn.legend, *([(NOTHING, NO_FIGURE.capitalize())] if bare else [])]
    names = {place.area.code: place.area for place in facts.areas}
    marked = {names[code]: codes for code, codes in spread.marked.items() if code in names}
    alt = _alt(spread, drawn, marked, title, bare)
    pictures = [
        Picture(title, f"Map. {alt}", atlas.choropleth(shades, marked, legend, f"Map. {alt}"), outlines=atlas.outlines)
    ]
    if atlas.has_hexagons:
        said = f"Map of hexagons. {alt}"
        again = f"{title}: one hexagon each"
        pictures.append(Picture(again, said, atlas.cartogram(shades, marked, legend, said), outlines=atlas.outlines))
    credit = "; ".join(_credit(source.citation) for source in reversed(spread.outlines.sources))
    outlined = "Areas assessed are outlined. " if marked else ""
    missing = f"Dashed: {bare} without a figure, since none is printed or boundaries have changed. " if bare else ""
    return Pictures(tuple(pictures), f"{outlined}{missing}{_classes(drawn.classes.count)} Boundaries: {credit}.")


def _classes(count: int) -> str:
    if count == 1:
        return "Number 1 is the only class."
    return f"Numbers 1 {'and' if count == 2 else 'to'} {count} are the classes."


def _credit(cited: Citation) -> str:
    """Who drew the boundaries, with what must be said of them."""
    return shown(", ".join(str(part) for part in (cited.authors, cited.year, cited.locator) if part))


def _shades(spread: Spread, drawn: _Drawn) -> dict[str, Shade]:
    """Every outline, by code: that of an authority without a number too."""
    named = {
        code: area for layer in (spread.need, drawn.layer) if layer for area, codes in _pairs(layer) for code in codes
    }
    shades = {code: Shade(NOTHING, f"{_name(named, code)}: {NO_FIGURE}") for code in spread.outlines.rings}
    for (area, codes), value in zip(_pairs(drawn.layer), drawn.values, strict=True):
        shade = Shade(drawn.classes.number(value), f"{wording.name_of(area)}: {drawn.say(value)}")
        shades |= dict.fromkeys(codes, shade)
    return shades


def _pairs(layer: Layer) -> Iterator[tuple[Area, tuple[str, ...]]]:
    return zip(layer.areas, layer.shapes, strict=True)


def _name(named: Mapping[str, Area], code: str) -> str:
    return wording.name_of(named[code]) if code in named else code


def _alt(spread: Spread, drawn: _Drawn, marked: Mapping[Area, Sequence[str]], title: str, bare: int) -> str:
    """What the map says: its range, and where the areas assessed stand in it."""
    low, high, names = _ends(drawn)
    said = [f"{title}, {_authorities(drawn, spread)}: from {low} to {high}. {names}."]
    numbers = {area.code: value for area, value in zip(drawn.layer.areas, drawn.values, strict=True)}
    for area in marked:
        if area.code in numbers:
            value = numbers[area.code]
            number = drawn.classes.number(value)
            of = f"class {number} of {drawn.classes.count}, {drawn.classes.words(number, drawn.sign)}"
            said.append(f"{wording.name_of(area)}: {drawn.say(value)}, in {of}.")
        else:
            said.append(f"{wording.name_of(area)}: outlined.")
    said += [f"{bare} without a figure."] if bare else []
    return " ".join([*said, "The table holds every number."])


def _table(facts: NeedFacts, spread: Spread, drawn: _Drawn, cited: tuple[int, ...]) -> Table:
    """The areas by name: not by value, since these are no ranks."""
    layer, counted = drawn.layer, bool(drawn.layer.known)
    own = {code for codes in spread.marked.values() for code in codes}
    rows = []
    for n, (area, codes) in enumerate(_pairs(layer)):
        value, number = drawn.values[n], drawn.classes.number(drawn.values[n])
        rows.append((
            text(wording.name_of(area)), text("yes" if own.issuperset(codes) else "no"), _people(float(layer.people[n])),
            _people(float(layer.expected[n])), *([_people(layer.known[n])] if counted else []),
            Cell(drawn.say(value), value), Cell(str(number), float(number)),
        ))  # fmt: skip
    what = _called(facts).lower() if counted else "people expected"
    columns = (
        Column("Area"), Column("Assessed here"), Column("Population", "people", True), Column("Estimated", "people", True),
        *([Column("Known", "people", True)] if counted else []),
        Column("Coverage" if counted else "Estimated", "per cent" if counted else drawn.per, True), Column("Class", "", True),
    )  # fmt: skip
    return Table(
        f"{facts.model.need}-where-{'coverage' if counted else 'need'}",
        f"{shown(facts.model.title)}: {what}, place by place, {wording.middle(layer.year)}", columns, tuple(rows), 1,
        f"Population is {shown(facts.answer.rates.universe.words)}. Published rates × people, without intervals, to three figures."
        f"{' Coverage is the median of known over estimated, draw by draw.' if counted else ''}", cited, folded=True, filters=True,
    )  # fmt: skip


def _people(number: float) -> Cell:
    """Three figures of a number of people."""
    step = step_of(Value(number, None, None), 1.0)
    return Cell(plain(rounded(number, step), step), number)
