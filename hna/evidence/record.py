"""What every file of the shelf is checked by: a frozen record, its kinds of fields, and its faults in the analyst's words."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hna.errors import Fault

_CODE = re.compile(r"^([RW]\d{3,4}) ")
_ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _iso_date(text: str) -> str:
    dt.date.fromisoformat(text)
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
    message = item["msg"].removeprefix("Value error, ")
    if message[1:2].islower():
        message = message[:1].lower() + message[1:]
    if kind == "value_error" or len(given) > 80:
        return message, ""
    return f"{message}, not {given}", ""
