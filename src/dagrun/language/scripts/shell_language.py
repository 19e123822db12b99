"""Bash syntax in a script for `sh`: dash and other shells read it differently, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from dagrun.language.expressions import PlaceholderSpan, split
from dagrun.language.scripts.placeholders import PLACEHOLDER
from dagrun.language.scripts.shell.grammar import Grammar
from dagrun.value import Value


class Bashism(Value):
    """One piece of bash syntax and its offset."""

    offset: int
    what: str


def bashisms(text: str) -> Iterator[Bashism]:
    """The first of each kind in a script, in the order of the text."""
    grammar = Grammar(_without_expressions(text), "bash")
    grammar.run()
    seen = set[str]()
    for offset, what in sorted(grammar.bashisms):
        if what not in seen:
            seen.add(what)
            yield Bashism(offset, what)


def _without_expressions(text: str) -> str:
    """The script with every `${{ }}` replaced by text of the same length."""
    if "${{" not in text:
        return text
    parts: list[str] = []
    at = 0
    for piece in split(text):
        if isinstance(piece, PlaceholderSpan):
            parts += (text[at : piece.start], PLACEHOLDER.ljust(piece.end - piece.start, "_"))
            at = piece.end
    return "".join(parts) + text[at:]
