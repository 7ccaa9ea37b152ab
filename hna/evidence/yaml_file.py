"""Read the analyst's YAML safely, keeping line numbers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from hna.errors import Fault, SourceError

MAX_BYTES = 2_000_000
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of .xlsx and .xls files."""
_REMEDIES = {
    "'\\t'": "Indent with spaces: YAML takes no tabs",
    "mapping values are not allowed": "Put quotes around text that holds a colon",
}
Path_ = tuple[str | int, ...]


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Path_, int]]:
    """A YAML mapping as plain values, and the line on which each field stands.

    YAML 1.2: ``no`` is text, a repeated key is an error, and tags are refused.

    Raises
    ------
    SourceError
        If the file is missing, empty, too large, not UTF-8, not YAML, or not a mapping.
    """
    text = read_text(path, MAX_BYTES)
    if not text.strip():
        raise SourceError(Fault("the file is empty", "Write the fields that `hna schema` lists", file=str(path)))
    loader = YAML(typ="rt", pure=True)
    loader.allow_duplicate_keys = False
    try:
        content = loader.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        what = str(error.problem or error.context).split("\n")[0]
        remedy = next((said for sign, said in _REMEDIES.items() if sign in what), "Mend that line")
        raise SourceError(Fault(f"not readable as YAML: {what}", remedy, file=f"{path}{line}")) from None
    except (YAMLError, ValueError) as error:
        what = str(error).split("\n")[0]
        raise SourceError(Fault(f"not readable as YAML: {what}", "Mend the file", file=str(path))) from None
    if not isinstance(content, CommentedMap):
        raise SourceError(
            Fault("the file is not a mapping of fields", "Write one `field: value` a line", file=str(path))
        )
    lines: dict[Path_, int] = {}
    faults: list[Fault] = []
    plain = _plain(content, (), lines, faults, str(path))
    if faults:
        raise SourceError(faults)
    return plain, lines


def read_text(path: Path, max_bytes: int) -> str:
    """A UTF-8 text file, refused with a reason if it cannot be one."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            remedy = f"The limit is {max_bytes // 1_000_000} MB: is this the right file?"
            raise SourceError(Fault(f"the file has {size:,} bytes", remedy, file=str(path)))
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.object.startswith(_WORKBOOKS):
            remedy = "Save it from the spreadsheet as CSV UTF-8 (comma delimited)"
            raise SourceError(Fault("the file is a workbook, not text", remedy, file=str(path))) from None
        remedy = "Save the file as UTF-8; from a spreadsheet, as CSV UTF-8"
        raise SourceError(Fault(f"byte {error.start} is not UTF-8 text", remedy, file=str(path))) from None
    except OSError as error:
        raise SourceError(Fault(f"cannot be read: {error.strerror}", "Check the path", file=str(path))) from None


def _plain(value: Any, at: Path_, lines: dict[Path_, int], faults: list[Fault], file: str) -> Any:
    tag = getattr(getattr(value, "tag", None), "value", None)
    if tag is not None and (isinstance(value, TaggedScalar) or not str(tag).startswith("tag:yaml.org,2002:")):
        field = ".".join(map(str, at))
        faults.append(Fault(f"tag {tag} is not allowed", "Write plain values", file=file, field=field))
        return None
    if isinstance(value, CommentedMap):
        plain = {}
        for key, item in value.items():
            place = (*at, str(key))
            lines[place] = value.lc.key(key)[0] + 1 if value.lc.data and key in value.lc.data else 0
            plain[str(key)] = _plain(item, place, lines, faults, file)
        return plain
    if isinstance(value, CommentedSeq):
        return [_plain(item, (*at, n), lines, faults, file) for n, item in enumerate(value)]
    if isinstance(value, ScalarBoolean):
        return bool(value)
    if isinstance(value, ScalarInt):
        return int(value)
    if isinstance(value, ScalarFloat):
        return float(value)
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    field = ".".join(map(str, at))
    faults.append(
        Fault(
            f"a value of kind {type(value).__name__} is not allowed",
            "Write plain values",
            file=file,
            field=field,
        )
    )
    return None
