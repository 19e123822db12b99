"""The placeholders (`${{ }}`) of a script: where each is, and how a reference must be quoted there."""

from __future__ import annotations

import re
from bisect import bisect_left
from enum import Enum, auto
from typing import Final

from dagrun.value import Value

#: Replaces each `${{ }}` in the text that is scanned; no script can contain it.
PLACEHOLDER: Final = "\0"


class Quoting(Enum):
    """How a reference must be written."""

    BARE = auto()
    DOUBLE = auto()
    SINGLE = auto()
    COMMENT = auto()
    REFUSED = auto()


class Context(Value):
    """What surrounds one placeholder; `reason` says why it is refused."""

    quoting: Quoting
    reason: str = ""


class Placeholders:
    """All placeholders of a text, and what is known about each so far. The first statement about one wins."""

    def __init__(self, text: str) -> None:
        self._all = [match.start() for match in re.finditer(PLACEHOLDER, text)]
        self._quoted: dict[int, Context] = {}
        self._refused: dict[int, Context] = {}

    def between(self, start: int, end: int) -> list[int]:
        """The offsets of the placeholders from `start` up to `end`."""
        return self._all[bisect_left(self._all, start) : bisect_left(self._all, end)]

    def quote(self, start: int, end: int, quoting: Quoting) -> None:
        """References in this part are quoted like this, unless they are refused."""
        for placeholder in self.between(start, end):
            self._quoted.setdefault(placeholder, Context(quoting))

    def refuse(self, start: int, end: int, reason: str) -> None:
        """No value is allowed in this part."""
        for placeholder in self.between(start, end):
            self._refused.setdefault(placeholder, Context(Quoting.REFUSED, reason))

    def contexts(self, unknown: str) -> list[Context]:
        """The context of every placeholder, in order; one about which nothing is known is refused because of `unknown`."""
        known = self._quoted | self._refused
        return [known.get(placeholder, Context(Quoting.REFUSED, unknown)) for placeholder in self._all]
