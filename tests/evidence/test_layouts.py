"""Importers: small files in each publisher's layout, and every way such a file can be wrong."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hna.errors import SourceError
from hna.evidence import layout_read
from hna.evidence.layout_read import tidy_name, whole_people
from hna.evidence.layouts import LAYOUTS, import_file, write_source
from hna.evidence.source import fingerprint, read_record

AGES = [*map(str, range(90)), "90+"]
PLACES = [
    ("K04000001", "ENGLAND AND WALES", "Country"),
    ("E92000001", "ENGLAND", "Country"),
    ("E12000002", "NORTH WEST", "Region"),
    ("E06000006", "Halton", "Unitary Authority"),
    ("E08000014", "Sefton\xa0", "Metropolitan District"),
    ("W06000022", "Newport", "Unitary Authority"),
]
Rows = list[list[Any]]


def mye_sheets() -> dict[str, Rows]:
    one = {"Females": np.arange(91) + 1, "Males": np.arange(91) + 2}
    one["Persons"] = one["Females"] + one["Males"]
    times = {"E06000006": 1, "E08000014": 2, "W06000022": 1, "E12000002": 3, "E92000001": 3, "K04000001": 4}
    sheets: dict[str, Rows] = {
        "Cover sheet": [
            ["Mid-Year Population Estimates, England and Wales, June 2023"],
            ["The data tables in this spreadsheet were originally published at 9.30am 15 July 2024."],
        ]
    }
    for sex, people in one.items():
        rows: Rows = [
            [f"MYE2: {sex} by single year of age, mid-2023"],
            ["Code", "Name", "Geography", "All ages", *AGES],
        ]
        for code, name, kind in PLACES:
            rows.append([code, name, kind, int(people.sum()) * times[code], *(int(n) * times[code] for n in people)])
        sheets[f"MYE2 - {sex}"] = rows
    return sheets


def workbook(path: Path, sheets: dict[str, Rows]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    book.close()
    return path


def csv(path: Path, heading: str, *rows: str) -> Path:
    path.write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    return path


SNPP_HEADING = "AREA_CODE,AREA_NAME,COMPONENT,SEX,AGE_GROUP,2022,2023"


def snpp_rows(sex: str, factor: float = 1.0, component: str = "Population") -> list[str]:
    ages = [*map(str, range(90)), "90 and over"]
    people = {"2022": [round((n % 7 + 1.5) * factor, 3) for n in range(91)]}
    people["2023"] = [round(n * 1.01, 3) for n in people["2022"]]
    rows = [
        f"E06000006,Halton,{component},{sex},{age},{people['2022'][n]},{people['2023'][n]}"
        for n, age in enumerate(ages)
    ]
    total = [round(sum(values), 3) for values in people.values()]
    return [*rows, f"E06000006,Halton,{component},{sex},All ages,{total[0]},{total[1]}"]


def snpp(path: Path) -> Path:
    return csv(path / "2022 SNPP Population females.csv", SNPP_HEADING, *snpp_rows("females"))


def five_years(path: Path) -> Path:
    rows = [
        f"2018-based principal,{code},{name},Persons,{age},{year},{people}"
        for code, name, by_age in (
            ("E06000006", "Halton", {"0-4": "7676.4", "5-89": "8488.3", "90+": "0.3", "All ages": "16165.0"}),
            ("E12000006", "East", {"0-4": "1.0", "5-89": "2.0", "90+": "3.0", "All ages": "6.0"}),
        )
        for year in (2018, 2019)
        for age, people in by_age.items()
    ]
    return csv(path / "snpp.csv", "projection,area_code,area_name,sex,age_group,year,population", *rows)


def nomis(path: Path) -> Path:
    rows = [
        f"E06000005,Darlington,{year},{sex},{age},{age + 1}"
        for year in (2016, 2017)
        for sex in ("Males", "Females")
        for age in range(91)
    ]
    return csv(path / "nomis.csv", "area_code,area_name,year,sex,age,population", *rows)


def lsoas(path: Path) -> Path:
    head = "lsoa11_code,lsoa11_name,ltla21_code,ltla21_name,total_population," + ",".join(AGES)
    rows = [f"E0101194{n},Hartlepool 00{n}A,E06000001,Hartlepool,91," + ",".join(["1"] * 91) for n in (9, 8)]
    return csv(path / "lsoa_mid2020.csv", head, *rows)


def tidy(path: Path) -> Path:
    rows = [
        f"{year},{code},{name},Region,{sex},{age},{people}"
        for year in (2020, 2022)
        for code, name in (("E12000003", "YORKSHIRE AND THE HUMBER"), ("E06000014", "York"))
        for sex, people in (("Persons", 3), ("Males", 1), ("Females", 2))
        for age, people in [*((age, people) for age in AGES), ("All ages", 91 * people)]
    ]
    return csv(path / "mye.csv", "year,area_code,area_name,geography,sex,age,population", *rows)


def qof_ccg(path: Path) -> Path:
    head = "year,group,table,ccg_ods,ccg_ons,ccg_name,list_label,practices,list_size,register,prevalence_pct"
    return csv(
        path / "qof.csv",
        head,
        "2018-19,DEM,Table 17,01F,E38000068,NHS Halton CCG,List size,14,133000,990,0.7",
        "2019-20,DEM,Table 17,01F,E38000068,NHS Halton CCG,List size,14,133419,999,0.7",
        "2019-20,DM,Table 15,01F,E38000068,NHS Halton CCG,List size ages 17+,14,106604,8924,8.4",
    )


def qof_icb(path: Path) -> Path:
    return csv(
        path / "icb.csv",
        "year,code,name,type,practices,group,register,denominator,percent",
        "2024-25,ENG,England,National,2,DEM,30,300,10",
        "2024-25,QYG,Cheshire and Merseyside,ICB,1,DEM,10,100,10",
        "2024-25,QOP,Greater Manchester,ICB,1,DEM,20,200,10",
    )


def qof_lad(path: Path) -> Path:
    return csv(
        path / "hocl_qof_2019_20.csv",
        "lad_code,lad_name,group_code,register,list,prevalence",
        "E06000006,Halton,DEM,1018.1306604812371,135907.2,0.0075",
        "E08000014,Sefton,DEM,2400.5,280000,0.0086",
        "W06000002,Gwynedd,DEM,1.2,100,0.01",
        "E06000006,Halton,DM,9046.4,108625.6,0.08",
    )


DFE_HEADING = (
    "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
    "new_la_code,la_name"
)
ENGLAND = "National,E92000001,England,,,,,"
NORTH_WEST = "Regional,E92000001,England,E12000002,North West,,,"
INNER_LONDON = "Regional,E92000001,England,E13000001,Inner London,,,"
HALTON = "Local authority,E92000001,England,E12000002,North West,876,E06000006,Halton"
SEFTON = "Local authority,E92000001,England,E12000002,North West,343,E08000014,Sefton"


def ehcp(path: Path) -> Path:
    ages = ("Under 5", "Age 5 to 10", "Age 11 to 15", "Age 16 to 19", "Age 20 to 25")
    rows = [
        f"{year},Calendar year,{place},{age},z,{count},{count}"
        for year in (2021, 2022)
        for place, times in ((ENGLAND, 2), (NORTH_WEST, 2), (HALTON, 1), (SEFTON, 1))
        for age, count in [("Total", 15 * times), *((age, (n + 1) * times) for n, age in enumerate(ages))]
    ]
    return csv(path / "sen2.csv", f"{DFE_HEADING},characteristic_age,Total_st,Total_ehc,Total_all", *rows)


def cin(path: Path) -> Path:
    return csv(
        path / "b1.csv",
        f"{DFE_HEADING},category,At31_episodes",
        f"2025,Reporting year,{ENGLAND},Children in Need,1210",
        f"2025,Reporting year,{INNER_LONDON},Children in Need,20",
        f"2025,Reporting year,{NORTH_WEST},Children in Need,1210",
        f"2025,Reporting year,{HALTON},Children in Need,1201",
        f"2025,Reporting year,{SEFTON},Children in Need,c",
        f"2024,Reporting year,{HALTON},Children in Need,1118",
        f"2024,Reporting year,{SEFTON},Children in Need,u",
    )


def cla(path: Path) -> Path:
    there, ceasing = "Children looked after on 31 March each year", "Children ceasing to be looked after each year"
    return csv(
        path / "cla.csv",
        f"{DFE_HEADING},population_type,children_count",
        f"2025,Reporting year,{ENGLAND},{there},370",
        f"2025,Reporting year,{HALTON},{there},367",
        f"2025,Reporting year,{HALTON},{ceasing},127",
        f"2025,Reporting year,{SEFTON},{there},c",
    )


def lait(path: Path) -> Path:
    return csv(
        path / "lait.csv",
        "Topic,measure_code,Measure,Polarity,period,area,LA Number,Region,value",
        "SEN,SEN_CASES_JAN,Total number of cases (as at January),-,2025,Halton,876.0,North West,1712",
        "SEN,SEN_CASES_JAN,Total number of cases (as at January),-,2025,North West,981.0,,92839",
        "SEN,SEN_CASES_JAN,Total number of cases (as at January),-,2024,Halton,876.0,North West,1524",
        "SEN,CIN,Children in need rate,-,2025,Halton,876.0,North West,433.0",
    )


def neighbours(path: Path) -> Path:
    heading = "old_la_code,la_name," + ",".join(f"SN_{n},SN_{n}P" for n in range(1, 11))
    return csv(path / "sn_2025.csv", heading, "876,Halton," + ",".join(f"{n},Close " for n in range(1, 11)))


def codes(path: Path) -> Path:
    rows = [
        f"2025,Reporting year,Local authority,E92000001,England,E12000001,North East,{n},E080000{n:02},Place {n}"
        for n in range(1, 11)
    ]
    rows += [f"2025,Reporting year,{place}" for place in (NORTH_WEST, HALTON, SEFTON)]
    return csv(path / "codes.csv", DFE_HEADING, *rows)


MADE: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "ons-mye-xlsx": (lambda path: workbook(path / "mye23.xlsx", mye_sheets()), {}),
    "ons-mye-tidy": (tidy, {"year": 2022}),
    "ons-snpp-csv": (snpp, {}),
    "snpp-5yr-persons-csv": (five_years, {}),
    "nomis-syoa": (nomis, {}),
    "ons-lsoa-syoa": (lsoas, {}),
    "qof-ccg": (qof_ccg, {"register": "dm"}),
    "qof-icb": (qof_icb, {"register": "DEM", "ages": "all"}),
    "qof-lad-hocl": (qof_lad, {"register": "DEM", "ages": "all"}),
    "dfe-ehcp": (ehcp, {}),
    "dfe-cin": (cin, {}),
    "dfe-cla": (cla, {}),
    "dfe-lait": (lait, {"measure": "SEN_CASES_JAN", "year": 2025, "ages": "0-25", "codes": codes}),
    "dfe-neighbours": (neighbours, {"codes": codes}),
}
UNREAD = {
    "ons-mye-tidy": {"geography"},
    "ons-snpp-csv": set(),
    "snpp-5yr-persons-csv": set(),
    "nomis-syoa": set(),
    "ons-lsoa-syoa": set(),
    "qof-ccg": {"table", "ccg_ods", "practices", "prevalence_pct"},
    "qof-icb": {"practices", "percent"},
    "qof-lad-hocl": {"prevalence"},
    "dfe-ehcp": {"time_identifier", "Total_st", "Total_all"},
    "dfe-cin": {"time_identifier"},
    "dfe-cla": {"time_identifier"},
    "dfe-lait": {"Topic", "Polarity", "Region"},
    "dfe-neighbours": {f"SN_{n}P" for n in range(1, 11)},
}
COLUMNS = {
    "population": ["area_code", "area_name", "year", "sex", "age_from", "age_to", "persons"],
    "known": ["area_code", "area_name", "year", "sex", "age_from", "age_to", "count"],
    "areas": ["child", "parent", "vintage", "best_fit"],
}


def made(layout: str, path: Path) -> tuple[Path, dict[str, Any]]:
    make, options = MADE[layout]
    return make(path), {name: value(path) if callable(value) else value for name, value in options.items()}


def read(layout: str, path: Path) -> pd.DataFrame:
    file, options = made(layout, path)
    return LAYOUTS[layout].read(file, **options)


def refused(layout: str, file: Path, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        LAYOUTS[layout].reading(file, **options)
    assert all(fault.what and fault.remedy and fault.file for fault in caught.value.faults)
    return str(caught.value)


def edit(file: Path, old: str, new: str, count: int = 1) -> Path:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, count), encoding="utf-8")
    return file


# Every layout


def test_every_layout_is_tried() -> None:
    assert set(LAYOUTS) - set(MADE) == {"ons-mye-xls"}


@pytest.mark.parametrize("layout", MADE)
def test_a_file_becomes_a_table_with_a_record_that_validates(layout: str, tmp_path: Path) -> None:
    file, options = made(layout, tmp_path)
    folder = import_file(layout, file, tmp_path / "data" / "my-table", **options)
    record = read_record(folder / "source.yaml")
    assert record.id == "my-table"
    assert record.kind == LAYOUTS[layout].kind
    assert record.sha256 == fingerprint(folder / "table.csv")
    assert record.citation.authors
    assert record.citation.licence
    assert f"{file.name}, sha256 {fingerprint(file)}" in str(record.notes)
    content = (folder / "table.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    table = pd.read_csv(folder / "table.csv")
    assert list(table) == COLUMNS[record.kind]
    assert not table.duplicated().any()
    assert len(table) == len(LAYOUTS[layout].read(file, **options))


@pytest.mark.parametrize("layout", MADE)
def test_importing_twice_gives_the_same_bytes(layout: str, tmp_path: Path) -> None:
    file, options = made(layout, tmp_path)
    folders = [import_file(layout, file, tmp_path / part / "t", **options) for part in ("a", "b", "a")]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1] == files[2]
    assert set(files[0]) == {"table.csv", "source.yaml"}


@pytest.mark.parametrize("layout", [name for name in MADE if name != "ons-mye-xlsx"])
def test_gzip_is_read_as_the_file_itself(layout: str, tmp_path: Path) -> None:
    file, options = made(layout, tmp_path)
    zipped = file.with_name(file.name + ".gz")
    zipped.write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    pd.testing.assert_frame_equal(LAYOUTS[layout].read(zipped, **options), LAYOUTS[layout].read(file, **options))


@pytest.mark.parametrize("layout", MADE)
def test_missing_empty_damaged_and_foreign_files_are_refused(layout: str, tmp_path: Path) -> None:
    options = made(layout, tmp_path)[1]
    bad = tmp_path / f"bad-2025-26{'.xlsx' if 'xlsx' in layout else '.csv'}"
    assert "cannot be read" in refused(layout, bad, **options)
    assert "cannot be read" in refused(layout, tmp_path, **options)
    bad.write_bytes(b"  \n")
    assert "empty" in refused(layout, bad, **options)
    bad.write_bytes(gzip.compress(b"a,b\n" * 5000, mtime=0)[:-20])
    assert "cut short or damaged" in refused(layout, bad, **options)
    bad.write_bytes(b"a,b\n1,2\n")
    text = refused(layout, bad, **options)
    assert "missing" in text or "not readable as a workbook" in text
    if "xlsx" not in layout:
        bad.write_bytes("Bezirk Köln,1\n".encode("latin-1"))
        assert "not UTF-8" in refused(layout, bad, **options)
        bad.write_bytes(b"a,b\n1,2,3,4\n")
        assert "not readable as a CSV" in refused(layout, bad, **options)
        bad.write_bytes(b"a,b\0\n")
        assert "not a text file" in refused(layout, bad, **options)


@pytest.mark.parametrize("layout", [name for name in MADE if name != "ons-mye-xlsx"])
def test_each_column_that_a_layout_reads_is_missed(layout: str, tmp_path: Path) -> None:
    file, options = made(layout, tmp_path)
    heading, rest = file.read_text(encoding="utf-8").split("\n", 1)
    columns = heading.split(",")
    for n, name in enumerate(columns):
        file.write_text(",".join([*columns[:n], f"{name}_new", *columns[n + 1 :]]) + "\n" + rest, encoding="utf-8")
        if name in UNREAD[layout]:
            LAYOUTS[layout].reading(file, **options)
        else:
            text = refused(layout, file, **options)
            assert name in text or "not years" in text


def test_an_enormous_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_read, "MAX_BYTES", 50)
    assert "more than" in refused("nomis-syoa", nomis(tmp_path))


def test_options_are_those_of_the_layout(tmp_path: Path) -> None:
    assert LAYOUTS["qof-lad-hocl"].options == ("register", "year", "ages")
    assert LAYOUTS["nomis-syoa"].options == ()
    assert "no option register" in refused("nomis-syoa", nomis(tmp_path), register="DEM")
    assert "not a year" in refused("ons-mye-tidy", tidy(tmp_path), year="last")
    assert len(LAYOUTS["ons-mye-tidy"].read(tidy(tmp_path), year="2020")) == 2 * 2 * 91


def test_an_unknown_layout_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="qof-ccg"):
        import_file("qof", qof_ccg(tmp_path), tmp_path / "t")


# Writing


@pytest.mark.parametrize("name", ["Upper", "with space", "under_score", "-", "x" * 5 + "-"])
def test_an_id_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be the id"):
        import_file("nomis-syoa", nomis(tmp_path), tmp_path / name)


def test_the_folder_of_all_tables_is_not_a_table(tmp_path: Path) -> None:
    file = nomis(tmp_path)
    with pytest.raises(SourceError, match="holds many tables"):
        import_file("nomis-syoa", file, tmp_path / "data" / "population")
    folder = import_file("nomis-syoa", file, tmp_path / "data" / "population", id="mine")
    assert folder == (tmp_path / "data" / "population" / "mine").resolve()
    assert read_record(folder / "source.yaml").id == "mine"


def test_another_table_is_never_written_over(tmp_path: Path) -> None:
    file = nomis(tmp_path)
    folder = import_file("nomis-syoa", file, tmp_path / "mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    edit(file, "Darlington,2016,Males,0,1", "Darlington,2016,Males,0,2")
    with pytest.raises(SourceError, match="already holds another table"):
        import_file("nomis-syoa", file, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_analysts_notes_beside_a_table_stay(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.md").write_text("asked on Monday")
    import_file("nomis-syoa", nomis(tmp_path), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.md", "source.yaml", "table.csv"]


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file")
    for to in (tmp_path / "mine", tmp_path / "mine" / "deeper"):
        with pytest.raises(SourceError, match="cannot be written"):
            import_file("nomis-syoa", nomis(tmp_path), to)
    assert (tmp_path / "mine").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    file = nomis(tmp_path)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(SourceError, match="cannot be written"):
        import_file("nomis-syoa", file, locked / "mine")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = nomis(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SourceError, match="No space left"):
        import_file("nomis-syoa", file, tmp_path / "out" / "mine")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_large_table_is_parquet_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    table = LAYOUTS["nomis-syoa"].read(nomis(tmp_path))
    large = pd.concat([table.assign(area_code=f"E{n:08}") for n in range(80)], ignore_index=True)
    fields = LAYOUTS["nomis-syoa"].reading(nomis(tmp_path)).fields
    folders = [write_source(tmp_path / part / "big", large, fields) for part in ("a", "b")]
    assert [path.name for path in sorted(folders[0].iterdir())] == ["source.yaml", "table.parquet"]
    assert fingerprint(folders[0] / "table.parquet") == fingerprint(folders[1] / "table.parquet")
    back = pd.read_parquet(folders[0] / "table.parquet")
    assert back["persons"].tolist() == large["persons"].tolist()
    assert back["age_to"].isna().sum() == large["age_to"].isna().sum() > 0
    small = write_source(folders[0], table, fields, replace=True)
    assert [path.name for path in sorted(small.iterdir())] == ["source.yaml", "table.csv"]


# Mid-year estimates


def test_a_workbook_gives_english_areas_by_sex(tmp_path: Path) -> None:
    reading = LAYOUTS["ons-mye-xlsx"].reading(workbook(tmp_path / "m.xlsx", mye_sheets()))
    table = reading.table
    assert sorted(table["area_name"].unique()) == ["England", "Halton", "North West", "Sefton"]
    assert set(table["year"]) == {2023}
    assert set(table["sex"]) == {"female", "male"}
    assert len(table) == 4 * 2 * 91
    oldest = table[(table["area_code"] == "E08000014") & (table["age_from"] == 90)]
    assert oldest["age_to"].isna().all()
    assert oldest.set_index("sex")["persons"].to_dict() == {"female": 182, "male": 184}
    assert reading.fields["citation"]["year"] == 2024


def _sheet(name: str, row: int, column: int, value: object) -> Callable[[dict[str, Rows]], None]:
    def change(sheets: dict[str, Rows]) -> None:
        sheets[name][row][column] = value

    return change


MYE_FAULTS: dict[str, tuple[Callable[[dict[str, Rows]], object], str]] = {
    "no sheet": (lambda s: s.pop("MYE2 - Males"), "sheets are missing: MYE2 - Males"),
    "renamed column": (_sheet("MYE2 - Males", 1, 1, "Area"), "column is missing: Name"),
    "no heading": (_sheet("MYE2 - Males", 1, 0, "GSS"), "no heading row starts with Code"),
    "mangled band": (_sheet("MYE2 - Males", 1, 9, "05-Sep"), "likely from '5-9'"),
    "repeated age": (_sheet("MYE2 - Males", 1, 9, "4"), "columns repeat"),
    "missing age": (_sheet("MYE2 - Males", 1, 9, None), "gap"),
    "text": (_sheet("MYE2 - Males", 5, 9, "many"), "text or a blank"),
    "blank": (_sheet("MYE2 - Males", 5, 9, None), "text or a blank"),
    "negative": (_sheet("MYE2 - Males", 5, 9, -7), "negative people"),
    "fraction": (_sheet("MYE2 - Males", 5, 9, 7.5), "counted whole"),
    "total": (_sheet("MYE2 - Males", 5, 3, 12), "ages do not add up to All ages"),
    "two years": (_sheet("MYE2 - Males", 0, 0, "MYE2: mid-2022"), "name years [2022, 2023]"),
    "no year": (lambda s: [rows[0].__setitem__(0, "MYE2") for rows in s.values()], "name years []"),
    "other areas": (_sheet("MYE2 - Males", 5, 0, "E06000007"), "areas or ages differ"),
    "repeated area": (lambda s: s["MYE2 - Males"].append(s["MYE2 - Males"][5]), "rows repeat"),
    "no English area": (lambda s: s.update({"MYE2 - Males": s["MYE2 - Males"][:3]}), "no row has an English area code"),
}


@pytest.mark.parametrize("fault", MYE_FAULTS)
def test_a_workbook_out_of_layout_is_refused(fault: str, tmp_path: Path) -> None:
    change, told = MYE_FAULTS[fault]
    sheets = mye_sheets()
    change(sheets)
    assert told in refused("ons-mye-xlsx", workbook(tmp_path / "m.xlsx", sheets))


def test_sexes_and_authorities_must_add_up(tmp_path: Path) -> None:
    sheets = mye_sheets()
    sheets["MYE2 - Males"][5][9] += 1
    sheets["MYE2 - Males"][5][3] += 1
    assert "females and males do not add up" in refused("ons-mye-xlsx", workbook(tmp_path / "m.xlsx", sheets))
    sheets = mye_sheets()
    for sex, more in (("Persons", 2), ("Males", 1), ("Females", 1)):
        sheets[f"MYE2 - {sex}"][5][9] += more
        sheets[f"MYE2 - {sex}"][5][3] += more
    assert "authorities do not add up to England" in refused("ons-mye-xlsx", workbook(tmp_path / "m.xlsx", sheets))


def test_tidy_estimates_need_a_year_and_exact_totals(tmp_path: Path) -> None:
    table = read("ons-mye-tidy", tmp_path)
    assert set(table["sex"]) == {"female", "male"}
    assert set(table["year"]) == {2022}
    assert "Yorkshire and The Humber" in set(table["area_name"])
    file = tidy(tmp_path)
    assert "several years" in refused("ons-mye-tidy", file)
    assert "2021 is not in the file" in refused("ons-mye-tidy", file, year=2021)
    edit(file, "2022,E06000014,York,Region,Males,All ages,91", "2022,E06000014,York,Region,Males,All ages,92")
    assert "do not add up" in refused("ons-mye-tidy", file, year=2022)


# Projections


def test_a_projection_is_made_whole_within_its_total(tmp_path: Path) -> None:
    reading = LAYOUTS["ons-snpp-csv"].reading(snpp(tmp_path))
    table = reading.table
    assert set(table["sex"]) == {"female"}
    assert sorted(table["year"].unique()) == [2022, 2023]
    printed = pd.read_csv(tmp_path / "2022 SNPP Population females.csv").set_index("AGE_GROUP")
    for year in (2022, 2023):
        rows = table[table["year"] == year]
        assert rows["persons"].sum() == round(printed.loc["All ages", str(year)])
        cells = printed.loc[printed.index != "All ages", str(year)].to_numpy()
        assert np.abs(rows["persons"].to_numpy() - cells).max() < 1
    assert "largest remainder" in reading.fields["corrections"][0]


def test_other_components_are_told(tmp_path: Path) -> None:
    file = csv(tmp_path / "snpp.csv", SNPP_HEADING, *snpp_rows("males"), *snpp_rows("males", component="Births"))
    reading = LAYOUTS["ons-snpp-csv"].reading(file)
    assert "Births (92)" in reading.fields["corrections"][-1]
    assert len(reading.table) == 2 * 91
    file = csv(tmp_path / "snpp.csv", SNPP_HEADING, *snpp_rows("males", component="Births"))
    assert "no row is of component Population" in refused("ons-snpp-csv", file)


def test_a_zip_of_sexes_gives_both_held_against_persons(tmp_path: Path) -> None:
    def zipped(persons: float) -> Path:
        path = tmp_path / "snpp.zip"
        with zipfile.ZipFile(path, "w") as folder:
            for sex, factor in (("females", 1), ("males", 2), ("persons", persons)):
                folder.writestr(f"Population {sex}.csv", "\n".join([SNPP_HEADING, *snpp_rows(sex, factor)]))
            folder.writestr("readme.txt", "about")
        return path

    table = LAYOUTS["ons-snpp-csv"].read(zipped(3))
    assert table.groupby("sex").size().to_dict() == {"female": 182, "male": 182}
    assert "females and males do not add up to persons" in refused("ons-snpp-csv", zipped(3.5))
    content = zipped(3).read_bytes()
    (tmp_path / "snpp.zip").write_bytes(content[: len(content) // 2])
    assert "zip is damaged" in refused("ons-snpp-csv", tmp_path / "snpp.zip")
    with zipfile.ZipFile(tmp_path / "snpp.zip", "w") as folder:
        folder.writestr("readme.txt", "about")
    assert "holds no CSV" in refused("ons-snpp-csv", tmp_path / "snpp.zip")


SNPP_FAULTS = {
    "mangled band": (",5,", ",05-May,", "a date that a spreadsheet made"),
    "unknown sex": ("females,7,", "girls,7,", "unknown sex"),
    "text": ("females,7,1.5", "females,7,some", "text or a blank"),
    "separator": ("females,7,1.5", 'females,7,"1,500"', "text or a blank"),
    "negative": ("females,7,1.5", "females,7,-1.5", "negative people"),
    "blank code": ("E06000006,Halton,Population,females,7,", ",Halton,Population,females,7,", "area code is blank"),
    "repeated row": (
        "E06000006,Halton,Population,females,7,1",
        "E06000006,Halton,Population,females,7,1.5,1.5\nE06000006,Halton,Population,females,7,1",
        "rows repeat",
    ),
    "missing age": ("E06000006,Halton,Population,females,7,1.5,1.515\n", "", "gap"),
    "area cut short": (
        "E06000006,Halton,Population,females,7,",
        "E06000007,Halton,Population,females,7,",
        "ages are missing",
    ),
    "total": ("All ages,", "All ages,9", "ages do not add up to All ages"),
    "not a year": ("2022,2023", "2022,mid-2023", "not years"),
}


@pytest.mark.parametrize("fault", SNPP_FAULTS)
def test_a_projection_out_of_layout_is_refused(fault: str, tmp_path: Path) -> None:
    old, new, told = SNPP_FAULTS[fault]
    assert told in refused("ons-snpp-csv", edit(snpp(tmp_path), old, new))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    file = edit(edit(snpp(tmp_path), "females,7,1.5", "females,7,some"), "females,9,", "females,9,-")
    text = refused("ons-snpp-csv", file)
    assert "row 9: 'some'" in text
    assert "negative people" in text


def test_an_area_without_one_of_the_sexes_is_refused(tmp_path: Path) -> None:
    rows = [row.replace("E06000006", code) for code in ("E06000006", "E06000007") for row in snpp_rows("males")]
    file = csv(tmp_path / "snpp.csv", SNPP_HEADING, *rows, *snpp_rows("females"))
    assert "lack a year or a sex" in refused("ons-snpp-csv", file)


def test_five_year_bands_keep_their_total(tmp_path: Path) -> None:
    table = read("snpp-5yr-persons-csv", tmp_path)
    halton = table[(table["area_code"] == "E06000006") & (table["year"] == 2018)]
    assert halton["persons"].tolist() == [7677, 8488, 0]
    assert halton["age_to"].tolist()[:2] == [4, 89]
    file = edit(five_years(tmp_path), "2018-based principal,", "2018-based high migration,")
    assert "several projections" in refused("snpp-5yr-persons-csv", file)


def test_nomis_oldest_age_is_open_and_a_cut_extract_is_refused(tmp_path: Path) -> None:
    reading = LAYOUTS["nomis-syoa"].reading(nomis(tmp_path))
    assert reading.table["age_to"].isna().sum() == 4
    assert reading.fields["corrections"] == ["The oldest age, printed 90, is read as 90 and over."]
    file = nomis(tmp_path)
    kept = [row for row in file.read_text().splitlines() if not row.split(",")[4].startswith(("8", "9"))]
    file.write_text("\n".join(kept))
    assert "gap" in refused("nomis-syoa", file) or "not all ages" in refused("nomis-syoa", file)


def test_small_areas_take_their_year_from_the_name(tmp_path: Path) -> None:
    table = read("ons-lsoa-syoa", tmp_path)
    assert table["area_code"].tolist()[0] == "E01011948"
    assert set(table["year"]) == {2020}
    file = lsoas(tmp_path)
    assert "does not say its year" in refused("ons-lsoa-syoa", file.rename(tmp_path / "lsoa.csv"))
    file = edit(lsoas(tmp_path), "Hartlepool,91,", "Hartlepool,92,")
    assert "do not add up" in refused("ons-lsoa-syoa", file)


def test_small_areas_are_of_2011_or_2021_and_of_england(tmp_path: Path) -> None:
    file = edit(lsoas(tmp_path), "lsoa11", "lsoa21", 2)
    reading = LAYOUTS["ons-lsoa-syoa"].reading(file)
    assert "LSOAs (2021)" in reading.fields["title"]
    file = edit(lsoas(tmp_path), "E01011948", "W01001948")
    reading = LAYOUTS["ons-lsoa-syoa"].reading(file)
    assert set(reading.table["area_code"]) == {"E01011949"}
    assert reading.fields["corrections"] == ["LSOAs outside England are left out."]
    file = edit(file, "E01011949", "W01001949")
    assert "no row is an English LSOA" in refused("ons-lsoa-syoa", file)
    file = edit(edit(lsoas(tmp_path), "E01011948", " "), "E01011949", "S01011949")
    assert "[row 2: 'S01011949'; row 3: '']" in refused("ons-lsoa-syoa", file)


def test_every_fault_of_small_areas_is_told_at_once(tmp_path: Path) -> None:
    file = lsoas(tmp_path)
    head, first, second = file.read_text().splitlines()
    spoilt = [first.replace("91,1,1,", "91,,-2,"), second.replace("E01011948", "X")]
    file.write_text("\n".join([head, *spoilt]))
    said = refused("ons-lsoa-syoa", file)
    assert all(part in said for part in ("age 0: text or a blank", "age 1: negative", "not codes of LSOAs"))


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 20)),
        elements=st.integers(0, 10**6).map(lambda n: n / 10),
    )
)
def test_people_made_whole_stay_within_one_and_keep_the_total(values: np.ndarray) -> None:
    whole = whole_people(values, values.sum(axis=1))
    assert (np.abs(whole - values) < 1).all()
    assert np.abs(whole.sum(axis=1) - values.sum(axis=1)).max() <= 0.5 + 1e-6
    assert (whole >= 0).all()


@pytest.mark.parametrize(
    ("printed", "ours"),
    [
        ("ENGLAND", "England"),
        ("YORKSHIRE AND THE HUMBER", "Yorkshire and The Humber"),
        ("West X\xa0", "West X"),
        ("St. Helens", "St. Helens"),
    ],
)
def test_names_in_capitals_become_title_case(printed: str, ours: str) -> None:
    assert tidy_name(printed) == ours


# Registers


def test_a_register_has_the_ages_of_its_list(tmp_path: Path) -> None:
    table = read("qof-ccg", tmp_path)
    assert table["count"].tolist() == [8924]
    assert table["age_from"].tolist() == [17]
    assert table["age_to"].isna().all()
    latest = LAYOUTS["qof-ccg"].reading(qof_ccg(tmp_path), register="DEM")
    assert latest.table[["year", "count"]].to_numpy().tolist() == [[2020, 999]]
    assert latest.fields["condition"] == "dementia"
    assert latest.fields["reference_date"] == "2020-03-31"
    assert LAYOUTS["qof-ccg"].read(qof_ccg(tmp_path), register="DEM", year=2019)["count"].tolist() == [990]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",999,", ",nine,", "text or a blank"),
        (",999,", ",999.5,", "counted whole"),
        (",999,", ",999999,", "more people on the register than on the list"),
        ("2019-20,DEM", "FY20,DEM", "not a financial year"),
        ("CCG,List size,14,133419", "CCG,Patients,14,133419", "does not name the ages"),
        ("CCG,List size,14,133419", "CCG,List size ages 05-Sep,14,133419", "a date that a spreadsheet made"),
        ("2018-19,DEM", "2019-20,DEM", "rows repeat"),
    ],
)
def test_a_register_out_of_layout_is_refused(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert told in refused("qof-ccg", edit(qof_ccg(tmp_path), old, new), register="DEM", year=2020)


def test_registers_are_chosen_by_name(tmp_path: Path) -> None:
    assert "several registers" in refused("qof-ccg", qof_ccg(tmp_path))
    assert "DEM, DM" in refused("qof-ccg", qof_ccg(tmp_path), register="dementia")
    assert "31 March 2031" in refused("qof-ccg", qof_ccg(tmp_path), register="DEM", year=2031)


def test_ages_that_a_file_does_not_print_must_be_named(tmp_path: Path) -> None:
    assert "option ages" in refused("qof-icb", qof_icb(tmp_path), register="DEM")
    assert "option ages" in refused("qof-lad-hocl", qof_lad(tmp_path), register="DEM")
    assert "not an age band" in refused("qof-lad-hocl", qof_lad(tmp_path), register="DEM", ages="grown-ups")


def test_boards_must_add_up_to_england(tmp_path: Path) -> None:
    assert read("qof-icb", tmp_path)["area_code"].tolist() == ["ENG", "QOP", "QYG"]
    file = edit(qof_icb(tmp_path), "National,2,DEM,30", "National,2,DEM,31")
    assert "boards do not add up" in refused("qof-icb", file, register="DEM", ages="all")


def test_apportioned_registers_are_rounded_and_said_so(tmp_path: Path) -> None:
    reading = LAYOUTS["qof-lad-hocl"].reading(qof_lad(tmp_path), register="DEM", ages="all")
    assert reading.table["count"].tolist() == [1018, 2401]
    assert reading.fields["base"] == "resident"
    assert "rounded to the nearest whole person" in reading.fields["corrections"][0]
    assert reading.fields["corrections"][1].startswith("1 authorities outside England")
    assert "modelled bridge" in reading.fields["notes"]


# Children


def test_plans_by_age_add_up_and_hold_region_and_england(tmp_path: Path) -> None:
    table = read("dfe-ehcp", tmp_path)
    assert set(table["year"]) == {2022}
    assert sorted(table["area_name"].unique()) == ["England", "Halton", "North West", "Sefton"]
    assert table[["age_from", "age_to"]].drop_duplicates().to_numpy().tolist() == [
        [0, 4],
        [5, 10],
        [11, 15],
        [16, 19],
        [20, 25],
    ]
    file = edit(ehcp(tmp_path), f"2022,Calendar year,{HALTON},Total,z,15", f"2022,Calendar year,{HALTON},Total,z,16")
    assert "ages do not add up" in refused("dfe-ehcp", file)
    assert "level" in refused(
        "dfe-ehcp", edit(ehcp(tmp_path), "2022,Calendar year,Local authority", "2022,Calendar year,Ward")
    )


def test_a_hidden_count_stays_hidden_and_rounded_rows_are_left_out(tmp_path: Path) -> None:
    reading = LAYOUTS["dfe-cin"].reading(cin(tmp_path))
    assert reading.table.set_index("area_name")["count"].to_dict() == {"Halton": "1201", "Sefton": "c"}
    assert reading.fields["disclosure"] == {"suppressed": "c", "range": [1, 5], "rounded_to": None}
    earlier = LAYOUTS["dfe-cin"].reading(cin(tmp_path), year=2024)
    assert earlier.table["area_name"].tolist() == ["Halton"]
    assert "Rows printed u (of low reliability) are left out: Sefton." in earlier.fields["corrections"]
    assert "2012 is not in the file" in refused("dfe-cin", cin(tmp_path), year=2012)
    assert "text or a blank" in refused("dfe-cin", edit(cin(tmp_path), "Need,1201", "Need,k"))


def test_children_looked_after_are_under_18(tmp_path: Path) -> None:
    reading = LAYOUTS["dfe-cla"].reading(cla(tmp_path))
    assert reading.table[["area_name", "age_from", "age_to", "count"]].to_numpy().tolist() == [["Halton", 0, 17, "367"]]
    assert any("Sefton" in line for line in reading.fields["corrections"])


def test_a_measure_of_the_interactive_tool_takes_codes_from_another_file(tmp_path: Path) -> None:
    table = read("dfe-lait", tmp_path)
    assert table.set_index("area_code")["count"].to_dict() == {"E06000006": "1712", "E12000002": "92839"}
    file, options = made("dfe-lait", tmp_path)
    assert "Name a measure_code" in refused("dfe-lait", file)
    assert "is not a period" in refused("dfe-lait", file, **{**options, "year": 2001})
    assert "option ages" in refused("dfe-lait", file, **{**options, "ages": None})
    assert "no code" in refused("dfe-lait", edit(file, "Halton,876.0", "Halton,999.0", 3), **options)


def test_neighbours_are_mapped_to_gss_codes(tmp_path: Path) -> None:
    table = read("dfe-neighbours", tmp_path)
    assert set(table["parent"]) == {"E06000006"}
    assert table["child"].tolist() == [f"E080000{n:02}" for n in range(1, 11)]
    assert set(table["vintage"]) == {2025}
    file, options = made("dfe-neighbours", tmp_path)
    assert "option codes" in refused("dfe-neighbours", file)
    assert "no GSS code" in refused("dfe-neighbours", edit(file, ",7,Close", ",707,Close"), **options)
