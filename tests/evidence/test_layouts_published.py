"""Importers on the publishers' own files, which give the shipped tables in every cell."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from hna.evidence.layouts import LAYOUTS, import_file
from hna.evidence.source import fingerprint, read_record
from hna.evidence.yaml_file import read_yaml

REPOSITORY = Path(__file__).parents[2]
FILES = REPOSITORY.parent / "shared" / "data"
SHIPPED = REPOSITORY / "data"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FILES.is_dir(), reason="the publishers' files (../shared/data) are not here"),
]

CODES = FILES / "known" / "b1_children_in_need_2013_to_2025.csv"
IMPORTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ons-mye-2020": ("ons-mye-xls", "population/ukpopestimatesmid2020on2021geography.xls", {}),
    "ons-mye-2022": ("ons-mye-tidy", "population/ons_mye_2020_2022_2023_england.csv.gz", {"year": 2022}),
    "ons-mye-2023": ("ons-mye-xlsx", "population/mye23tablesew.xlsx", {}),
    "ons-snpp-2018": ("snpp-5yr-persons-csv", "projections/snpp2018_persons_5yr_england_las.csv.gz", {}),
    "qof-dementia-2019-20-ccg": ("qof-ccg", "known/qof_2018_19_2019_20_ccg_registers.csv", {"register": "DEM"}),
    "qof-diabetes-2019-20": (
        "qof-lad-hocl",
        "known/hocl_qof_2019_20_lad_modelled.csv",
        {"register": "DM", "ages": "17+"},
    ),
    "dfe-ehcp-2022": ("dfe-ehcp", "known/sen2_age_caseload.csv.gz", {}),
    "dfe-children-in-need-2025": ("dfe-cin", "known/b1_children_in_need_2013_to_2025.csv", {}),
    "dfe-looked-after-children-2025": ("dfe-cla", "known/cla_number_and_rate_per_10k_children.csv", {}),
    "dfe-ehcp-2025-halton-sefton": (
        "dfe-lait",
        "known/lait_needs_measures_halton_sefton_neighbours.csv.gz",
        {"measure": "SEN_CASES_JAN", "year": 2025, "ages": "0-25", "codes": CODES},
    ),
    "dfe-2025-neighbours": ("dfe-neighbours", "known/sn_model_2025_wide.csv", {"codes": CODES}),
}
NOT_SHIPPED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nomis": ("nomis-syoa", "projections/nomis_snpp_sex_syoa_hartlepool_darlington_durham.csv", {}),
    "lsoa": ("ons-lsoa-syoa", "small_areas/lsoa11_population_mid2020_persons_syoa_england.csv.gz", {}),
    "icb": ("qof-icb", "known/qof_2024_25_icb_registers.csv", {"register": "DEM", "ages": "all"}),
}


def read_table(folder: Path) -> pd.DataFrame:
    if (folder / "table.parquet").is_file():
        return pd.read_parquet(folder / "table.parquet")
    return pd.read_csv(folder / "table.csv", dtype={"count": str})


def shipped(name: str) -> pd.DataFrame:
    return read_table(next(SHIPPED.glob(f"*/{name}")))


def cells(table: pd.DataFrame) -> pd.Series:
    """Figures by label, names aside: regions have another name on the shelf."""
    if "child" in table:
        return table.set_index(["child", "parent", "vintage"])["best_fit"].sort_index()
    figure = "persons" if "persons" in table else "count"
    keys = ["area_code", "year", "sex", "age_from"]
    plain = table.assign(**{key: table[key].astype(str) for key in keys}, figure=table[figure].astype(str))
    return plain.set_index(keys)["figure"].sort_index()


@pytest.mark.parametrize("name", IMPORTS)
def test_the_publishers_file_gives_the_shipped_table_in_every_cell(name: str) -> None:
    layout, file, options = IMPORTS[name]
    ours, theirs = cells(shipped(name)), cells(LAYOUTS[layout].read(FILES / file, **options))
    assert ours.index.is_unique
    pd.testing.assert_series_equal(ours, theirs)


@pytest.mark.parametrize("name", [*IMPORTS, "nomis", "icb"])
def test_importing_the_publishers_file_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    layout, file, options = {**IMPORTS, **NOT_SHIPPED}[name]
    folders = [import_file(layout, FILES / file, tmp_path / part / name, **options) for part in ("a", "b")]
    written = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert written[0] == written[1]
    record = read_record(folders[0] / "source.yaml")
    assert fingerprint(FILES / file) in str(record.notes)


@pytest.mark.parametrize("year", [2020, 2023])
def test_the_tidy_estimates_equal_the_workbooks_in_every_cell(year: int) -> None:
    tidy = LAYOUTS["ons-mye-tidy"].read(FILES / "population" / "ons_mye_2020_2022_2023_england.csv.gz", year=year)
    pd.testing.assert_series_equal(cells(tidy), cells(shipped(f"ons-mye-{year}")))


def test_small_areas_sum_to_the_shipped_authorities() -> None:
    _, file, options = NOT_SHIPPED["lsoa"]
    table = LAYOUTS["ons-lsoa-syoa"].read(FILES / file, **options)
    codes = pd.read_csv(FILES / file, usecols=["lsoa11_code", "ltla21_code"], dtype=str)
    authority = table["area_code"].map(codes.set_index("lsoa11_code")["ltla21_code"])
    ours = table["persons"].groupby([authority, table["age_from"]]).sum()
    estimate = shipped("ons-mye-2020").groupby(["area_code", "age_from"])["persons"].sum()
    assert len(ours) == 309 * 91
    assert (ours.to_numpy() == estimate.loc[ours.index].to_numpy()).all()


def test_projected_people_stay_within_one_of_the_printed_figure() -> None:
    printed = pd.read_csv(FILES / "projections" / "snpp2018_persons_5yr_england_las.csv.gz")
    ours = shipped("ons-snpp-2018")
    by_band = printed[printed["age_group"] != "All ages"].copy()
    by_band["age_from"] = by_band["age_group"].str.extract(r"^(\d+)")[0].astype(int)
    keys = ["area_code", "year", "age_from"]
    both = by_band.set_index(keys)["population"].to_frame("printed").join(ours.set_index(keys)["persons"])
    assert len(both) == len(ours) == 369 * 26 * 19
    assert (both["persons"] - both["printed"]).abs().max() < 1
    total = printed[printed["age_group"] == "All ages"].set_index(["area_code", "year"])["population"]
    summed = ours.groupby(["area_code", "year"])["persons"].sum()
    assert (summed - total).abs().max() <= 0.5


def test_nomis_extract_is_read_whole() -> None:
    _, file, options = NOT_SHIPPED["nomis"]
    table = LAYOUTS["nomis-syoa"].read(FILES / file, **options)
    raw = pd.read_csv(FILES / file)
    assert len(table) == len(raw) == 7_644
    assert table["persons"].sum() == raw["population"].sum()
    assert table.loc[table["age_to"].isna(), "age_from"].unique().tolist() == [90]


def test_compiling_again_gives_what_is_shipped(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("compile_shipped", SHIPPED / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Compiler(FILES, tmp_path).everything()
    made = {str(path.parent.relative_to(tmp_path)): path.parent for path in tmp_path.glob("*/*/source.yaml")}
    assert len(made) == 31
    for name, folder in made.items():
        pd.testing.assert_frame_equal(read_table(folder), read_table(SHIPPED / name))
        fields, held = (read_yaml(where / "source.yaml")[0] for where in (folder, SHIPPED / name))
        parquet = folder / "table.parquet"
        if parquet.is_file() and _writer(parquet) != _writer(SHIPPED / name / "table.parquet"):
            fields["sha256"] = held["sha256"]
        assert fields == held, name


def test_compiling_what_services_count_gives_what_is_shipped(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("compile_services", SHIPPED / "compile_services.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.everything(FILES, tmp_path)
    made = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert len(made) == 14
    assert {name: (SHIPPED / name).read_bytes() == content for name, content in made.items()} == dict.fromkeys(
        made, True
    )


def _writer(path: Path) -> str:
    return str(pq.read_metadata(path).created_by)
