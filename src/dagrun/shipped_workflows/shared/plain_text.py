"""Plain text: white space, length, counts, cells of tables, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dagrun.shipped_workflows.shared.pattern import Pattern


def squeeze(text: str) -> str:
    """The text with each sequence of white space as one space."""
    return " ".join(text.split())


def shorten(text: str, width: int) -> str:
    """At most `width` characters, cut between words where possible."""
    text = squeeze(text)
    if len(text) <= width:
        return text
    cut = text[: width - 3]
    return (cut.rsplit(" ", 1)[0] if " " in cut[width // 2 :] else cut) + "..."


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 mail`, `2 mails`; `plural` is for nouns whose plural is not made with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def cell(text: str) -> str:
    """The text for one cell of a Markdown table."""
    return squeeze(text).replace("|", "\\|")


_END = Pattern(r"[.!?…]+[\"')\]”’]*(?=\s)")
_NO_END = Pattern(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|ca|no|nos|mr|mrs|ms|dr|prof|st|inc|ltd|fig)|(?<![^\W_])[^\W\d_])\.$",
    re.I,
)


def split_sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yields `(offset, sentence)`; a full stop after an initial or a common abbreviation does not end a sentence."""
    start = 0
    for match in _END.finditer(text):
        if match.group() == "." and _NO_END.search(text[start : match.end()]):
            continue
        yield from _stripped(start, text[start : match.end()])
        start = match.end()
    yield from _stripped(start, text[start:])


def _stripped(start: int, text: str) -> Iterator[tuple[int, str]]:
    if text.strip():
        yield start + len(text) - len(text.lstrip()), text.strip()
