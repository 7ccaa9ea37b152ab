"""Publishers' own files in, our tables out: one named layout a file as published."""

from __future__ import annotations

import inspect
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from hna.errors import Fault, SourceError
from hna.evidence.layout_dfe import read_cin, read_cla, read_ehcp, read_lait, read_neighbours
from hna.evidence.layout_lsoa import read_lsoa_syoa
from hna.evidence.layout_nhs import read_qof_ccg, read_qof_icb, read_qof_lad
from hna.evidence.layout_ons import (
    read_mye_tidy,
    read_mye_workbook,
    read_nomis_syoa,
    read_snpp_5yr,
    read_snpp_csv,
)
from hna.evidence.layout_read import Reading
from hna.evidence.source import fingerprint

CSV_LIMIT = 1_000_000
"""A table whose CSV would be larger is written as Parquet."""

Option = str | int | Path | None
_FOLDERS = ("population", "known", "areas", "prevalence_sources", "data", "models")
_WHOLE = ("year", "age_from", "age_to", "persons")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WRITTEN = ("table.csv", "table.parquet", "source.yaml")


@dataclass(frozen=True)
class Layout:
    """How one publisher lays out one kind of file.

    Parameters
    ----------
    title : what the file is, in the publisher's words.
    kind : population, known or areas: what our table holds.
    reader : reads and checks the file.
    """

    title: str
    kind: str
    reader: Callable[..., Reading]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that choose among what the file holds."""
        return tuple(inspect.signature(self.reader).parameters)[1:]

    def reading(self, path: Path, **options: Option) -> Reading:
        """The table, and the fields of its ``source.yaml``.

        Raises
        ------
        SourceError
            Names every fault of the file, or an option the layout does not have.
        """
        path = Path(path)
        given = {name: value for name, value in options.items() if value is not None}
        if unknown := sorted(set(given) - set(self.options)):
            has = f"has {', '.join(self.options)}" if self.options else "has none"
            raise SourceError(Fault(f"no option {', '.join(unknown)}", f"{self.title} {has}", file=path.name))
        if isinstance(year := given.get("year"), str):
            if not year.isdecimal():
                raise SourceError(Fault(f"{year!r} is not a year", "Write four digits", file=path.name, field="year"))
            given["year"] = int(year)
        return self.reader(path, **given)

    def read(self, path: Path, **options: Option) -> pd.DataFrame:
        """The publisher's figures in our columns, sorted."""
        return self.reading(path, **options).table


LAYOUTS: dict[str, Layout] = {
    "ons-mye-xlsx": Layout("ONS mid-year estimates, Excel workbook (sheets MYE2)", "population", read_mye_workbook),
    "ons-mye-xls": Layout("ONS mid-year estimates, Excel 97 workbook (sheets MYE2)", "population", read_mye_workbook),
    "ons-mye-tidy": Layout("ONS mid-year estimates, tidy CSV of several years", "population", read_mye_tidy),
    "ons-snpp-csv": Layout("ONS subnational population projections, CSV or zip of CSVs", "population", read_snpp_csv),
    "snpp-5yr-persons-csv": Layout("Subnational projections by five-year band, tidy CSV", "population", read_snpp_5yr),
    "nomis-syoa": Layout("Nomis extract of projections by sex and single year of age", "population", read_nomis_syoa),
    "ons-lsoa-syoa": Layout("ONS small-area estimates by single year of age", "population", read_lsoa_syoa),
    "qof-ccg": Layout("QOF registers by clinical commissioning group", "known", read_qof_ccg),
    "qof-icb": Layout("QOF registers by integrated care board", "known", read_qof_icb),
    "qof-lad-hocl": Layout("QOF registers by authority, House of Commons Library", "known", read_qof_lad),
    "dfe-ehcp": Layout("DfE education, health and care plans by age (SEN2)", "known", read_ehcp),
    "dfe-cin": Layout("DfE children in need on 31 March (B1)", "known", read_cin),
    "dfe-cla": Layout("DfE children looked after on 31 March", "known", read_cla),
    "dfe-lait": Layout("DfE Local Authority Interactive Tool, one counted measure", "known", read_lait),
    "dfe-neighbours": Layout("DfE statistical neighbours of each authority", "areas", read_neighbours),
}
"""Every layout, by the name that `hna import` takes."""


def import_file(layout: str, file: Path, to: Path, *, id: str | None = None, **options: Option) -> Path:  # noqa: A002
    """The folder that now holds a publisher's file as our table and its ``source.yaml``.

    Importing the same file again changes nothing. The folder appears whole or not at all.

    Parameters
    ----------
    layout : a name in `LAYOUTS`.
    file : the publisher's file as published; gzip is read transparently.
    to : the table's folder in a workspace, such as ``data/population/ons-mye-2024``; its last part is the id.
    id : folder to make inside `to` instead.
    **options : what to take from a file that holds several things: see `Layout.options`.

    Raises
    ------
    SourceError
        If the layout is unknown, the file does not follow it, or the folder holds another table already.
    """
    if layout not in LAYOUTS:
        raise SourceError(Fault(f"no layout is named {layout!r}", f"Name one of {', '.join(LAYOUTS)}"))
    file, folder = Path(file), Path(to)
    folder = (folder / id if id else folder).resolve()
    _check_id(folder, LAYOUTS[layout].kind)
    table, fields = LAYOUTS[layout].reading(file, **options)
    return write_source(folder, table, fields)


def _check_id(folder: Path, kind: str) -> None:
    if folder.name in _FOLDERS:
        remedy = f"Name the table's own folder, such as {folder / 'my-table'}"
        raise SourceError(Fault(f"the folder {folder.name} holds many tables", remedy, file=str(folder)))
    if not _ID.fullmatch(folder.name):
        what = f"{folder.name!r} cannot be the id of a {kind} table"
        raise SourceError(Fault(what, "Use small letters, digits and hyphens", file=str(folder)))


def write_source(folder: Path, table: pd.DataFrame, fields: Mapping[str, Any], *, replace: bool = False) -> Path:
    """A folder with a table and its ``source.yaml``, written whole or not at all.

    Parameters
    ----------
    folder : its name becomes the id.
    table : in our columns, sorted.
    fields : those of ``source.yaml``, without id and fingerprint.
    replace : write over another table; otherwise it is refused.

    Raises
    ------
    SourceError
        If the folder holds something else, or cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritten(folder, error) from None
    try:
        fresh.chmod(0o755)
        name = _write_table(fresh, table)
        record = {"id": folder.name, **fields, "sha256": fingerprint(fresh / name)}
        _write_yaml(
            fresh / "source.yaml",
            {key: value for key, value in record.items() if value not in (None, []) or key in _NULLABLE},
        )
        _put(fresh, folder, replace=replace)
    except OSError as error:
        raise _unwritten(folder, error) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


_NULLABLE = ("disclosure", "duplicates", "covers")


def _unwritten(folder: Path, error: OSError) -> SourceError:
    remedy = "Choose a folder that can be written and has room; nothing was changed"
    return SourceError(Fault(f"cannot be written: {error.strerror or error}", remedy, file=str(folder)))


def _put(fresh: Path, folder: Path, *, replace: bool) -> None:
    held = {name: (folder / name).read_bytes() for name in _WRITTEN if (folder / name).is_file()}
    if held == {path.name: path.read_bytes() for path in fresh.iterdir()}:
        return
    if held and not replace:
        what = "the folder already holds another table"
        raise SourceError(Fault(what, "Choose another folder, or move this one away first", file=str(folder)))
    if folder.is_dir() and any(folder.iterdir()):
        for name in set(held) - {path.name for path in fresh.iterdir()}:
            (folder / name).unlink()
        for path in sorted(fresh.iterdir(), reverse=True):
            path.replace(folder / path.name)
        return
    fresh.replace(folder)


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV with line feeds."""
    text = io.StringIO()
    yes_no = {str(name): table[name].map({True: "true", False: "false"}) for name in table if _is_bool(table[name])}
    table.assign(**yes_no).to_csv(text, index=False, lineterminator="\n")
    return text.getvalue().encode("utf-8")


def _write_table(folder: Path, table: pd.DataFrame) -> str:
    content = csv_bytes(table) if table.size <= CSV_LIMIT else None  # a cell is a byte at least
    if content is not None and len(content) <= CSV_LIMIT:
        (folder / "table.csv").write_bytes(content)
        return "table.csv"
    columns = {
        name: pa.Array.from_pandas(table[name], type=pa.int64() if name in _WHOLE else _kind(table[name]))
        for name in table
    }
    with (folder / "table.parquet").open("wb") as stream:
        pq.write_table(pa.table(columns), stream, compression="zstd", version="2.6", store_schema=False)
    return "table.parquet"


def _is_bool(values: pd.Series) -> bool:
    return bool(pd.api.types.is_bool_dtype(values))


def _kind(values: pd.Series) -> pa.DataType:
    if _is_bool(values):
        return pa.bool_()
    return pa.int64() if pd.api.types.is_integer_dtype(values) else pa.string()


def _write_yaml(path: Path, record: Mapping[str, Any]) -> None:
    writer = YAML()
    writer.width = 110
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    text = io.StringIO()
    writer.dump(dict(record), text)
    path.write_bytes(text.getvalue().encode("utf-8"))
