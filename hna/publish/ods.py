"""The workbook in the open format, made by LibreOffice where it is present."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from hna.errors import Fault
from hna.publish.drawing import DocumentError
from hna.publish.zipped import settle

PROGRAMS = ("soffice", "libreoffice")
_SECONDS = 300
_PAGE = r"<style:master-page .*?</style:master-page>"
_MOMENT = "2000-01-01T00:00:00"


def converter() -> str:
    """LibreOffice's program.

    Raises
    ------
    DocumentError
        If it is not on this computer; says what to do instead.
    """
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        remedy = "Install LibreOffice Calc, or open report.xlsx in a spreadsheet program and save it as .ods"
        raise DocumentError(
            Fault("LibreOffice is not on this computer, and --ods needs its program soffice", remedy, field="--ods")
        )
    return found


def write_ods(workbook: Path, path: Path) -> None:
    """Write the open format of a workbook.

    Parameters
    ----------
    workbook : the .xlsx file.
    path : of the .ods file.

    Raises
    ------
    DocumentError
        If LibreOffice is not there, or does not convert the file.
    """
    program = converter()
    with tempfile.TemporaryDirectory(prefix="hna-ods-") as folder:
        profile = (Path(folder) / "profile").as_uri()
        source = Path(folder) / f"{path.stem}.xlsx"
        shutil.copyfile(workbook, source)
        command = [
            program, f"-env:UserInstallation={profile}", "--headless", "--norestore", "--convert-to", "ods", "--outdir", folder,
            str(source),
        ]  # fmt: skip
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DocumentError(Fault(f"LibreOffice did not convert the workbook: {error}", "Try again")) from None
        made = source.with_suffix(".ods")
        if ran.returncode or not made.is_file():
            said = (ran.stderr or ran.stdout).strip()[-300:]
            raise DocumentError(Fault(f"LibreOffice did not convert the workbook: {said}", "Try again without --ods"))
        settle(made, _same)
        shutil.copyfile(made, path)


def _same(name: str, part: bytes) -> bytes:
    """A part with what differs every time made the same: the moment, the length of editing, the order of page styles."""
    text = part.decode("utf-8", "surrogateescape") if name in ("meta.xml", "styles.xml") else ""
    if name == "meta.xml":
        text = re.sub(r"(<(?:dc:date|meta:creation-date|meta:print-date)>)[^<]*", rf"\g<1>{_MOMENT}", text)
        text = re.sub(r"(<meta:editing-duration>)[^<]*", r"\g<1>PT0S", text)
    elif name == "styles.xml":
        text = re.sub(r"<text:(date|time)[^>]*>[^<]*</text:\1>", "", text)
        pages = re.findall(_PAGE, text)
        if pages:
            head, _, rest = text.partition(pages[0])
            text = head + "".join(sorted(pages)) + re.sub(_PAGE, "", rest)
    return text.encode("utf-8", "surrogateescape") if text else part
