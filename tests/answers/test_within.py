"""Small areas of Sefton add up to Sefton, by themselves and by how deprived they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from hna.answers.within import need_within
from hna.errors import AxisError
from hna.evidence.shelf import shipped

SEFTON = shipped() / "notebooks/sefton"
WHOLE = "quantity == 'need' and severity == '' and sex == 'persons' and age_band == 'all'"


def test_small_areas_and_fifths_add_up_to_the_authority(rates_for) -> None:
    table = need_within(rates_for("dementia", 100), "Sefton", persons="ons-lsoa-2020-sefton", workspace=SEFTON)
    need = table.query(WHOLE)
    (sefton,) = need.query("kind == 'authority'")["estimate"]
    assert sefton == pytest.approx(4_432.38, abs=0.01)
    for kind, count in (("small-area", 189), ("deprivation-quintile", 5)):
        held = need[need["kind"] == kind]
        assert len(held) == count
        assert held["estimate"].sum() == pytest.approx(sefton, rel=1e-9)
    assert (need["lower"] < need["estimate"]).all()
    assert (need["estimate"] < need["upper"]).all()


def test_an_authority_whose_small_areas_are_not_there(rates_for) -> None:
    with pytest.raises(AxisError, match="hna import ons-lsoa-syoa"):
        need_within(rates_for("dementia", 10), "Halton", persons="ons-lsoa-2020-sefton", workspace=SEFTON)


@pytest.mark.shared
def test_the_small_areas_are_the_publishers(shared: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("compile_sefton", SEFTON / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    file = shared / "small_areas/lsoa11_population_mid2020_persons_syoa_england.csv.gz"
    made = module.compile_sefton(file, tmp_path)
    for name in ("source.yaml", "table.csv"):
        assert (made / name).read_bytes() == (SEFTON / "data/population/ons-lsoa-2020-sefton" / name).read_bytes()
