"""The benchmarks as a command: what they write, and what is asked wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


def _called(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(RUN), *words], capture_output=True, text=True, check=False)


def test_every_measurement_is_an_object_with_what_is_promised(tmp_path):
    file = tmp_path / "new" / "found.json"
    done = _called("--quick", "--only", "keyed", "--json", str(file))
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    assert rows
    for row in rows:
        assert row["name"] in done.stdout
        assert all(row[name] > 0 for name in ("seconds", "peak_mb", "limit_seconds", "ratio"))


def test_an_unknown_case_is_refused_with_those_that_there_are():
    done = _called("--only", "nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr
    assert "england_shared" in done.stderr
    assert "Traceback" not in done.stderr
