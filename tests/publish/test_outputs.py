"""What a run leaves in its folder, beside the page and the workbook."""

from __future__ import annotations

import dataclasses

from hna.publish.outputs import describe
from hna.publish.report import Report


def test_codes_raised_by_comparisons_stand_in_the_record(shipped: Report) -> None:
    compared = {code for found in shipped.answers for flags in found.comparisons["flags"] for code in flags.split()}
    assert "R401" in compared
    assert compared <= set(describe(shipped)["flags"])  # type: ignore[call-overload]
    bare = dataclasses.replace(
        shipped,
        answers=tuple(dataclasses.replace(found, comparisons=found.comparisons[:0]) for found in shipped.answers),
    )
    assert "R401" not in bare.flags
