"""Compile the small areas of Sefton from the publisher's file: run again, the same bytes.

Run as ``python notebooks/sefton/compile.py [PUBLISHER'S FILE]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hna.answers.subgroups import read_nesting
from hna.evidence.layout_read import publishers_file
from hna.evidence.layouts import LAYOUTS, write_source
from hna.evidence.shelf import Shelf

HERE = Path(__file__).parent
FILE = HERE.parents[2] / "shared/data/small_areas/lsoa11_population_mid2020_persons_syoa_england.csv.gz"
SEFTON = "E08000014"


def compile_sefton(file: Path, to: Path) -> Path:
    """The small areas of Sefton, as ``hna import ons-lsoa-syoa`` lays them out."""
    table, fields = LAYOUTS["ons-lsoa-syoa"].reading(file)
    inside = read_nesting(Shelf(), "lsoa11-ltla22").parents
    rows = table[[SEFTON in inside[code] for code in table["area_code"]]].reset_index(drop=True)
    said = {
        "title": "Small areas of Sefton (LSOA 2011), mid-2020, persons by single year of age",
        "notes": f"Rows of Sefton only. {publishers_file(file)}",
    }
    return write_source(to / "data/population/ons-lsoa-2020-sefton", rows, {**fields, **said}, replace=True)


if __name__ == "__main__":
    print(compile_sefton(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE, HERE))
