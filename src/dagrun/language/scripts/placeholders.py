"""The `${{ }}` of a script: where each stands, and how a reference must be written there."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

#: Stands for a `${{ }}` in the text that is scanned; no script can hold it.
HOLE: Final = "\0"


class Fit(Enum):
    """How a reference must be written."""

    BARE = auto()
    DOUBLE = auto()
    SINGLE = auto()
    COMMENT = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """Where one `${{ }}` stands; `why` says why it is refused."""

    fit: Fit
    why: str = ""


class Holes:
    """All HOLEs of a text, and what is known of each so far; what was said first of one stays."""

    def __init__(self, text: str) -> None:
        self._all = [match.start() for match in re.finditer(HOLE, text)]
        self._fits: dict[int, Place] = {}
        self._refused: dict[int, Place] = {}

    def within(self, start: int, end: int) -> list[int]:
        """Where the holes of a part stand."""
        return self._all[bisect_left(self._all, start) : bisect_left(self._all, end)]

    def fit(self, start: int, end: int, fit: Fit) -> None:
        """A reference in this part is written so, unless it is refused."""
        for hole in self.within(start, end):
            self._fits.setdefault(hole, Place(fit))

    def refuse(self, start: int, end: int, why: str) -> None:
        """No value may stand in this part."""
        for hole in self.within(start, end):
            self._refused.setdefault(hole, Place(Fit.REFUSED, why))

    def places(self, unknown: str) -> list[Place]:
        """The place of every hole, in order; one of which nothing is known is refused as `unknown`."""
        known = self._fits | self._refused
        return [known.get(hole, Place(Fit.REFUSED, unknown)) for hole in self._all]
