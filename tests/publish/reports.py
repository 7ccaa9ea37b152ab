"""Reports to be read by tests: the shipped needs, an analyst's own with every kind of count, and one of hostile text."""

from __future__ import annotations

from pathlib import Path

from hna.publish.report import Report
from hna.run import Request, assess
from tests.conftest import CITATION, Workspace

DRAWS = 200
SCRIPT = "<script>alert(1)</script>"
FORMULA = "=cmd|' /C calc'!A0"
TURNED = "abc\u202edef\u200bghi"
LONG = "Mere" * 2500


def shipped() -> Report:
    """Dementia, mental disorder in children and language disorder, for Halton and Sefton."""
    return assess(Request(needs=("dementia", "child-mental-disorder", "speech-language"), draws=DRAWS))


def own(root: Path) -> Report:
    """An analyst's own: a gap, a count above the estimate, a hidden count, a count of other ages, and no count."""
    workspace = Workspace(root)
    workspace.prevalence(rows=workspace.rates_rows())
    workspace.population(rows=workspace.people_rows())
    workspace.known("register", rows=workspace.count_rows({"N01": 150, "S02": 180}))
    workspace.known("overfull", rows=workspace.count_rows({"N01": 3000, "S02": 3600}))
    workspace.known(
        "hidden", rows=workspace.count_rows({"N01": "*", "S02": 180}),
        disclosure={"suppressed": "*", "range": [1, 7], "rounded_to": None},
    )  # fmt: skip
    workspace.known("younger", rows=workspace.count_rows({"N01": 900, "S02": 950}, low=0))
    for need in ("register", "overfull", "hidden", "younger"):
        workspace.model(need, known=[{"source": need}])
    missing = {"item": "People known to the sleep service", "why": "It keeps no list.", "effect": "No gap is stated."}
    workspace.model("nobody", missing_core_data=[missing])
    return assess(Request(workspace=root, draws=DRAWS))


def hostile(root: Path) -> Report:
    """Names, titles and citations that try to be script, formulas, another direction, and very long."""
    workspace = Workspace(root)
    areas = {"N01": SCRIPT, "S02": FORMULA, "T03": TURNED, "U04": LONG}
    citation = CITATION | {"title": f"{SCRIPT} [a](b) [c](d) $$note$$", "url": "javascript:alert(1)"}
    workspace.prevalence(rows=workspace.rates_rows(), citation=citation, case_definition=f"{FORMULA} {LONG}")
    workspace.population(rows=workspace.people_rows(areas=areas), citation=CITATION | {"title": "--- === ---"})
    rows = [
        dict(row) | {"area_name": areas[str(row["area_code"])]}
        for row in workspace.count_rows({"N01": 300, "S02": 410})
    ]
    workspace.known(rows=rows, service=f"+{SCRIPT}")
    practice = [{"body": "@SUM(A1)", "ref": SCRIPT, "year": 2020, "url": "javascript:alert(2)", "title": "x" * 10_000}]
    workspace.model(
        known=[{"source": "own-register"}], title=f"{SCRIPT}{TURNED}", limits=f"</style>{SCRIPT}", best_practice=practice,
        missing_core_data=[{"item": "===", "why": "-1+1", "effect": "北京", "owner": None}],
    )  # fmt: skip
    return assess(Request(workspace=root, draws=DRAWS))
