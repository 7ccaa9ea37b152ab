"""An answer with its comparisons: each area beside its region, England and its statistical neighbours, and on a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hna.answers.answer import Answer
from hna.answers.comparison import compare_areas
from hna.answers.spread import spread
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf


def beside(
    found: Answer,
    populations: Sequence[Population],
    gap_year: Mapping[tuple[str, str], int],
    shelf: Shelf,
    level: float = 0.95,
) -> Answer:
    """The answer, how each of its areas compares, and where it lies among others, on the counts that it holds.

    Of a protected answer those are the counts as they are printed, so that comparisons say no more of a count than the
    figures do. Needs of a group of people are not compared: nobody on the shelf counts the group elsewhere.

    Parameters
    ----------
    found : the answer.
    populations : the people it was made from.
    gap_year : for each source of counts and area code, the year of need that it is compared with.
    shelf : where the comparators' people and the lookups are.
    level : confidence level of intervals and tests.
    """
    found = replace(found, spread=spread(found, populations, gap_year, shelf))
    if found.model.population:
        return found
    compared = compare_areas(found, populations, gap_year, shelf, level)
    drawn = found.spread.outlines.sources if found.spread else ()
    cited = {source.id: source for source in (*found.citations, *compared.citations, *drawn)}
    return replace(
        found, comparisons=compared.table, notes=(*found.notes, *compared.notes), citations=tuple(cited.values())
    )
