"""What stands between an assessment and its readers: counts are protected before anything is made of them.

Disclosure control lives with publication, a floor above; an assessment is handed the function that protects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from hna.answers.answer import Answer
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf


class Guarded(NamedTuple):
    """What may be published.

    Parameters
    ----------
    answers : as handed in, on printed counts.
    counts : counts that stand by themselves, as printed.
    disclosure : the rules used, in words.
    notes : what a reader must know of them.
    """

    answers: tuple[Answer, ...]
    counts: tuple[Known, ...]
    disclosure: str
    notes: tuple[str, ...] = ()


Guard = Callable[[Sequence[Answer], Mapping[str, Sequence[Population]], Sequence[Known], Shelf], Guarded]
"""Protects answers, of which the people are given by need, and counts that stand by themselves, all of one release."""


def unguarded(
    answers: Sequence[Answer], people: Mapping[str, Sequence[Population]], counts: Sequence[Known], shelf: Shelf
) -> Guarded:
    """Everything as it is: not for publication."""
    del people, shelf
    return Guarded(tuple(answers), tuple(counts), "none")
