"""The values that callers hold: a place, a finding there, and how much a document may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    #: The file's name as the user wrote it, or "<inline>".
    path: str
    #: Counted from 1.
    line: int
    #: Counted from 1, in characters.
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell about a document."""

    place: Place
    #: One sentence without its final period.
    message: str
    #: Kebab-case, for machines: "duplicate-key".
    code: str
    #: What to do about it: "did you mean 'depends_on'?".
    suggestion: str = ""
    level: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may ask for; beyond it the text is refused before it costs memory."""

    text_bytes: int = 32 * MIB
    #: Collections inside each other, counted through aliases too.
    depth: int = 64
    #: Nodes that aliases add to those which were written.
    extra_nodes: int = 1_000_000


def brief(text: str) -> str:
    """A user's text, short enough to be quoted in a message."""
    return text if len(text) <= 60 else text[:59] + "…"
