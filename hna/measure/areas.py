"""Areas: found by name or code, nested in larger ones."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hna.errors import AxisError, Fault

_SUGGESTIONS = 5


@dataclass(frozen=True)
class Area:
    """A place with its code and name."""

    code: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


def _key(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("&", "and")
    return " ".join(folded.replace(".", "").replace("-", " ").replace(",", "").split())


class Gazetteer:
    """The areas that can be asked for.

    Parameters
    ----------
    areas : code and name of each; a code keeps the first name it is given.
    """

    def __init__(self, areas: Iterable[Area]) -> None:
        self._by_code: dict[str, Area] = {}
        self._by_name: dict[str, list[Area]] = {}
        for area in areas:
            if area.code not in self._by_code:
                self._by_code[area.code] = area
            named = self._by_name.setdefault(_key(area.name), [])
            if all(known.code != area.code for known in named):
                named.append(self._by_code[area.code])

    def __len__(self) -> int:
        return len(self._by_code)

    def __contains__(self, code: object) -> bool:
        """Whether an area has this code."""
        return code in self._by_code

    @property
    def areas(self) -> list[Area]:
        """All areas by code."""
        return [self._by_code[code] for code in sorted(self._by_code)]

    def has(self, text: str) -> bool:
        """Whether a name or code means an area here."""
        wanted = text.strip()
        return wanted in self._by_code or wanted.upper() in self._by_code or _key(wanted) in self._by_name

    def find(self, text: str) -> Area:
        """The area that a name or code means.

        Raises
        ------
        AxisError
            If no area or several have the name; the nearest are listed.
        """
        wanted = text.strip()
        if wanted in self._by_code or wanted.upper() in self._by_code:
            return self._by_code.get(wanted) or self._by_code[wanted.upper()]
        named = self._by_name.get(_key(wanted), [])
        if len(named) == 1:
            return named[0]
        if named:
            raise AxisError(
                Fault(f"{wanted!r} is the name of {len(named)} areas", "Give the code", rows=named, field="area")
            )
        near = [
            self._by_name[name][0] for name in difflib.get_close_matches(_key(wanted), self._by_name, _SUGGESTIONS, 0.6)
        ]
        near += [
            found[0]
            for name, found in sorted(self._by_name.items())
            if _key(wanted) and _key(wanted) in name and found[0] not in near
        ]
        remedy = (
            "Nearest are listed; `hna areas` lists all" if near else "`hna areas` lists the areas that can be asked for"
        )
        raise AxisError(Fault(f"no area is called {wanted!r}", remedy, rows=near[:_SUGGESTIONS], field="area"))

    def find_all(self, texts: Iterable[str], otherwise: Gazetteer | None = None) -> list[Area]:
        """The areas meant, each once, with every fault told at once; those not here are looked for in another gazetteer."""
        found: dict[str, Area] = {}
        faults: list[Fault] = []
        for text in texts:
            try:
                area = (self if otherwise is None or self.has(text) else otherwise).find(text)
            except AxisError as error:
                faults.extend(error.faults)
            else:
                found.setdefault(area.code, area)
        if faults:
            raise AxisError(faults)
        return list(found.values())


@dataclass(frozen=True)
class Nesting:
    """Which areas lie in which.

    Parameters
    ----------
    parents : for each child code, the codes of the areas that directly hold it.
    """

    parents: Mapping[str, tuple[str, ...]]

    def ancestors(self, code: str) -> list[str]:
        """All areas that hold an area, nearest first.

        Raises
        ------
        AxisError
            If the nesting runs in a circle.
        """
        found: list[str] = []
        front = list(self.parents.get(code, ()))
        while front:
            parent = front.pop(0)
            if parent == code:
                raise AxisError(Fault("areas lie in each other in a circle", "Mend the lookup", rows=[code, *found]))
            if parent not in found:
                found.append(parent)
                front.extend(self.parents.get(parent, ()))
        return found

    def children(self, parent: str) -> list[str]:
        """Areas that lie directly in one, by code."""
        return sorted(child for child, parents in self.parents.items() if parent in parents)
