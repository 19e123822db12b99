"""What a script for `sh` says in bash: dash and others run it as something else, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dagrun.language.expressions import Span, spans
from dagrun.language.scripts.placeholders import HOLE
from dagrun.language.scripts.shell.grammar import Grammar


@dataclass(frozen=True, slots=True)
class Bashism:
    """One piece of bash syntax, and where it is."""

    offset: int
    what: str


def bashisms(text: str) -> Iterator[Bashism]:
    """The first of each kind in a script, in order."""
    grammar = Grammar(_without_expressions(text), "bash")
    grammar.run()
    told = set[str]()
    for offset, what in sorted(grammar.bashisms):
        if what not in told:
            told.add(what)
            yield Bashism(offset, what)


def _without_expressions(text: str) -> str:
    """The script with text of the same length for every `${{ }}`."""
    if "${{" not in text:
        return text
    parts: list[str] = []
    at = 0
    for piece in spans(text):
        if isinstance(piece, Span):
            parts += (text[at : piece.start], HOLE.ljust(piece.end - piece.start, "_"))
            at = piece.end
    return "".join(parts) + text[at:]
