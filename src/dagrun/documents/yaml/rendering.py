"""Findings as text: the line, a caret under it, and no control characters for the terminal."""

from __future__ import annotations

from typing import Final

from dagrun.documents.yaml.text import SourceText
from dagrun.documents.yaml.values import Finding, Place

#: How many characters of a line are shown, and how many of them after the caret when both sides are shortened.
_ROOM: Final = 100
_ROOM_RIGHT: Final = 40


def render(finding: Finding, source: SourceText | None) -> str:
    """A finding's place and message, the line with a caret, and what to do."""
    place = finding.place
    parts = [_printable(f"{place}: {finding.level}: {finding.message} [{finding.code}]")]
    # A finding may be about another file; a line of the wrong file would mislead.
    if source is not None and source.path == place.path:
        parts.append(excerpt(source, place))
    if finding.suggestion:
        parts.append(_printable(f"  help: {finding.suggestion}"))
    return "\n".join(parts)


def excerpt(text: SourceText, place: Place) -> str:
    """The line at `place`, shortened to a part around it, and a caret under it."""
    # Only the part that is shown is copied: a line may have millions of characters, and many findings.
    start, end = text.bounds(place.line)
    caret = min(start + place.column - 1, end)
    last = min(end, max(caret + _ROOM_RIGHT, start + _ROOM))
    first = max(start, last - _ROOM)
    left = "…" * (first > start) + _printable(text.text[first:caret].replace("\t", "    "))
    right = _printable(text.text[caret:last].replace("\t", "    ")) + "…" * (last < end)
    quoted = f"{place.line:>5} | {left}{right}".rstrip()
    return f"{quoted}\n{'|':>7} {' ' * _columns(left)}^"


def _printable(text: str) -> str:
    """Text with escapes in place of characters that could move the cursor, ring a bell or hide text in a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _columns(text: str) -> int:
    """The number of columns that a text takes in a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import (
        category,
        east_asian_width,
    )  # rarely needed, and not free to import

    return sum(
        0 if category(char) in ("Mn", "Me") else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )
