"""Counts of an authority and of its small areas are protected together; expected need by small area hides nobody."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from hna.evidence.shelf import shipped
from hna.run import Request, assess, run

pytestmark = pytest.mark.shared
HALTON = "E06000006"
SOURCE = "qof-dementia-2019-20"
ON = "lt5"
IN_NEED = 0.9765 * 0.935
"""Of a printed count, those of the need's ages who have it: the middles of the model's factors."""


def asked(workspace, **more):
    usual = {"needs": ("dementia",), "areas": ("Halton",), "draws": 200, "workspace": workspace, "by": ()}
    return Request(**(usual | more))


def is_rounded(known):
    """Whether people known are of counts in fives."""
    fives = np.asarray(known) / IN_NEED / 5
    return bool(np.allclose(fives, np.round(fives), atol=1e-6))


def rows(report, quantity):
    table = report.answers[0].figures
    chosen = (table["quantity"] == quantity) & (table["year"] == 2020) & (table["severity"] == "")
    return table[chosen].set_index("area_code")


def test_the_count_is_protected_and_small_areas_are_as_they_are(halton_small_areas):
    by = ("small-area", "deprivation-quintile")
    safe = assess(asked(halton_small_areas, by=by, disclosure=ON))
    bare = assess(asked(halton_small_areas, by=by, keep_draws=True))
    printed, counted = rows(safe, "known").loc[HALTON, "estimate"], rows(bare, "known").loc[HALTON, "estimate"]
    assert is_rounded(printed)
    assert 0 < abs(printed - counted) < 5
    small = [code for code in rows(bare, "need").index if code.startswith("E01") or "IMD2019-Q" in code]
    assert len(small) == 79 + 5
    columns = ["estimate", "lower", "upper"]
    pd.testing.assert_frame_equal(rows(safe, "need").loc[small, columns], rows(bare, "need").loc[small, columns])
    # The gap rests on the printed count and on the draws of the sum over small areas, not on others.
    safe_gap, bare_gap = rows(safe, "gap").loc[HALTON], rows(bare, "gap").loc[HALTON]
    drawn = bare.answers[0].draws["", 2020, HALTON]
    np.testing.assert_array_equal(safe.answers[0].sums[HALTON, 2020][0], drawn)
    for limit in ("lower", "upper"):
        assert safe_gap[limit] == pytest.approx(bare_gap[limit], abs=5)


@pytest.fixture(scope="module")
def counted(halton_small_areas, tmp_path_factory):
    """A register by small area that adds up to its authority's, one of them of three people."""
    root = tmp_path_factory.mktemp("counted") / "workspace"
    shutil.copytree(halton_small_areas, root)
    codes = sorted(rows(assess(asked(root, by=("small-area",), draws=20)), "need").index)
    codes = [code for code in codes if code.startswith("E01")]
    counts = [3, *(7 + n % 9 for n in range(len(codes) - 1))]
    table = pd.DataFrame({"area_code": codes, "area_name": codes, "count": counts})
    table.loc[len(table)] = [HALTON, "Halton", sum(counts)]
    table = table.assign(year=2020, sex="persons", age_from=0, age_to="")
    folder = root / "data" / "known" / SOURCE
    folder.mkdir(parents=True)
    table.to_csv(folder / "table.csv", index=False)
    record = (shipped() / "data" / "known" / SOURCE / "source.yaml").read_text(encoding="utf-8")
    lines = [line for line in record.splitlines() if not line.startswith("sha256")]
    (folder / "source.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root, codes, counts


def test_small_areas_released_after_their_authority_give_nobody_away(counted, tmp_path):
    root, codes, counts = counted
    ledger = tmp_path / "ledger"
    run(asked(root, disclosure=ON, ledger=ledger, years=(2020,)), tmp_path / "above")
    report, _ = run(asked(root, areas=tuple(codes), disclosure=ON, ledger=ledger), tmp_path / "below")
    known = rows(report, "known")["estimate"]
    hidden = sorted(known.index[known.isna()])
    assert codes[0] in hidden
    assert is_rounded(known.dropna().to_numpy())
    # Rounded counts of the others leave the smallest of them wide enough; no figure stands beside what is hidden.
    for quantity in ("gap", "coverage"):
        assert rows(report, quantity).loc[hidden, "estimate"].isna().all()
    assert rows(report, "need")["estimate"].notna().all()
    assert counts[0] == 3


def test_small_areas_alone_hide_their_own_small_counts(counted):
    root, codes, _ = counted
    held = assess(asked(root, areas=tuple(codes[:3]), disclosure=ON))
    known = rows(held, "known")["estimate"]
    assert np.isnan(known[codes[0]])
    assert known[codes[1]] == pytest.approx(5 * IN_NEED)
