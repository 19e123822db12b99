"""Places, findings, and the limits of a document."""

from __future__ import annotations

from typing import Final, Literal

from dagrun.value import Value

MIB: Final = 1024 * 1024


class Place(Value):
    """A position in a document."""

    #: The file's name as the user wrote it, or "<inline>".
    path: str
    #: Counted from 1.
    line: int
    #: Counted from 1, in characters.
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Finding(Value):
    """One error or warning about a document."""

    place: Place
    #: One sentence without a final full stop.
    message: str
    #: Kebab-case, for machines: "duplicate-key".
    code: str
    #: What to do about it: "did you mean 'depends_on'?".
    suggestion: str = ""
    level: Literal["error", "warning"] = "error"


class Limits(Value):
    """How large a document may be. Beyond these limits it is refused before it costs memory."""

    text_bytes: int = 32 * MIB
    #: Nesting of lists and mappings, counted through aliases too.
    depth: int = 64
    #: Values that aliases add to the written ones. A long text counts as one value for each 256 characters.
    extra_nodes: int = 1_000_000


def brief(text: str, most: int = 60) -> str:
    """Text of a user, short enough for a message."""
    return text if len(text) <= most else text[: most - 1] + "…"
