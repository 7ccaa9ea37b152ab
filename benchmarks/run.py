"""Speed and memory, as ratios to this machine's own limit and to what people use instead, in one run.

Run as ``python benchmarks/run.py [--quick] [--only CASE ...] [--json FILE]``. Machines differ and are shared: read the
ratios, never the seconds. The limit of a case is its bare matrix product and one pass of sorting or partitioning,
whichever is faster here, on all processors; of ``hna run``, that with its imports, reading the shelf and writing its
bytes. Limit and work are done in turn, and ratios are medians over the turns; where other work shares the machine, the
ratio in processor time says more. Beside it stands the ratio to a floor that no exact program can pass: it is told
beforehand where each limit lies. A ratio to the limit under 1 means that only the draws beyond a sampled bound are put
in order, which numpy's sort and partition do not do. The peak of memory is that of the work, or of all processes of a case
where work has none of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ALL = "england_shared england_own england_groups authorities against scaling keyed start_up default_run"


def main() -> int:
    """Measure, print a table, write JSON."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--quick", action="store_true", help="less of everything, in under a minute")
    reading.add_argument("--json", type=Path, help="file to write")
    reading.add_argument("--only", nargs="+", choices=ALL.split(), default=ALL.split(), help="cases to measure")
    reading.add_argument("--case", help=argparse.SUPPRESS)
    asked = reading.parse_args()
    if asked.case:
        from cases import CASES

        found = CASES[asked.case](asked.quick)
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e3
        print(json.dumps([{"peak_mb": peak, **row} for row in found]))
        return 0
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    failed = []
    print(
        f"{'':72} {'seconds':>10} {'limit':>10} {'ratio':>9} {'in CPU':>7} {'floor':>7} {'peak MB':>9} {'above input':>12}"
    )
    for name in asked.only:
        words = [sys.executable, str(HERE / "run.py"), "--case", name, *(["--quick"] if asked.quick else [])]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            failed.append(name)
            print(f"{name}: failed\n{done.stderr[-2000:]}", file=sys.stderr)
            continue
        for found in json.loads(done.stdout.splitlines()[-1]):
            rows.append(row := found)
            print(
                f"{row['name']:72} {_number(row['seconds'], '10.4f')} {_number(row['limit_seconds'], '10.4f')} "
                f"{_number(row['ratio'], '9.2f')} {_number(row.get('cpu_ratio'), '7.2f')} "
                f"{_number(row.get('known_bound_cpu_ratio'), '7.2f')} "
                f"{_number(row['peak_mb'], '9.0f')} {_number(row.get('above_input_mb'), '12.0f')}",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _number(value: object, form: str) -> str:
    width = int(form.split(".", maxsplit=1)[0])
    return format(value, form) if isinstance(value, int | float) else " " * width


if __name__ == "__main__":
    sys.exit(main())
