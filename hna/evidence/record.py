"""What every file of the shelf is checked by: a frozen record, its kinds of fields, and its faults in the analyst's words."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hna.errors import Fault

_CODE = re.compile(r"^([RW]\d{3,4}) ")
_LONGEST = 80
_NOT_NUMBERS = {"float_parsing": "number", "int_parsing": "whole number", "int_from_float": "whole number"}
_MONTHS = r"[1-9]\d*"
_ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _iso_date(text: str) -> str:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date: write it as 2020-03-31") from None
    return text


Id = Annotated[str, Field(pattern=_ID, max_length=80)]
Proportion = Annotated[float, Field(ge=0, le=1)]
Date = Annotated[str, AfterValidator(_iso_date)]


class Record(BaseModel):
    """A frozen record in which an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, strict=False)


def faults_of(error: ValidationError, file: str, lines: dict[tuple[str | int, ...], int]) -> list[Fault]:
    """All of a validation's faults, in the analyst's words.

    Parameters
    ----------
    error : what pydantic found.
    file : name of the file for the message.
    lines : line number of each field that stands in the file.
    """
    faults = []
    for item in error.errors():
        where = tuple(item["loc"])
        field = ".".join(str(part) for part in where)
        line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
        what, remedy = _in_words(item)
        coded = _CODE.match(what)
        code = coded.group(1) if coded else ""
        faults.append(
            Fault(what.removeprefix(f"{code} "), remedy, f"{file}:{line}" if line else file, field, code=code)
        )
    return faults


def _in_words(item: Any) -> tuple[str, str]:
    kind = item["type"]
    if kind == "missing":
        return "required field is missing", "Add it; write null where the source says nothing"
    if kind == "extra_forbidden":
        return (
            "unknown field",
            "Remove it, or mend its spelling (`hna schema model` and `hna schema source` list the fields)",
        )
    given = repr(item.get("input"))
    if kind in _NOT_NUMBERS and len(given) <= _LONGEST:
        return f"{given} is not a {_NOT_NUMBERS[kind]}", "Write digits, with a point for decimals"
    if kind == "string_pattern_mismatch" and len(given) <= _LONGEST:
        return f"{given} is not of the form asked for", _form(item["ctx"]["pattern"])
    message = item["msg"].removeprefix("Value error, ")
    if message[1:2].islower():
        message = message[:1].lower() + message[1:]
    if kind == "value_error" or len(given) > _LONGEST:
        return message, ""
    return f"{message}, not {given}", ""


def _form(pattern: str) -> str:
    """What a pattern asks for, in words."""
    if pattern == _ID:
        return "Write small letters, digits and single hyphens, such as older-people"
    inside = pattern.removeprefix("^(").removesuffix(")$")
    if inside.replace(_MONTHS, "").replace("|", "").replace("-", "").isalpha():
        return f"Write one of {', '.join(inside.replace(_MONTHS, '12').split('|'))}"
    return f"It must match {pattern}"
