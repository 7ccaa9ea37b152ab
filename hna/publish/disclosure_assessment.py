"""Disclosure control of a needs assessment: its answers and the counts in its chapters, protected as one release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hna.answers.answer import Answer
from hna.assessment.guard import Guard, Guarded, unguarded
from hna.evidence.known import Known
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.publish.disclosure import protected
from hna.publish.disclosure_ledger import PublicationLedger
from hna.publish.disclosure_presets import NONE
from hna.publish.report import Report


def guard(preset: str, ledger: PublicationLedger | None = None) -> Guard:
    """What protects an assessment by a rule.

    Parameters
    ----------
    preset : a rule by name, ``default``, or ``none``.
    ledger : everything released before; the cells of the assessment are staged in it.
    """
    if preset == NONE:
        return unguarded

    def protect_all(
        answers: Sequence[Answer], people: Mapping[str, Sequence[Population]], counts: Sequence[Known], shelf: Shelf
    ) -> Guarded:
        found = protected(
            Report(tuple(answers), {"disclosure": NONE}), preset, ledger, shelf=shelf, populations=people, counts=counts
        )
        return Guarded(
            found.report.answers, found.counts, str(found.report.arguments["disclosure"]), found.report.notes
        )

    return protect_all
