"""What a script for `sh` says in bash: dash and others run it as something else, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dagrun.expressions import Span, spans
from dagrun.scripts.holes import HOLE
from dagrun.scripts.shell.grammar import Grammar

#: Scripts without any of these need no look.
_CANDIDATES: Final = re.compile(
    r"\[\[|\(\(|[&|]>|\|&|;;?&|<<<|[<>]\(|>&|=\(|\+=|\]=|==|\$'|\$\[|\$\{[!\w]*[\[/^,:@]|\$\{!|\{[^\s{}]*(?:,|\.\.)|\{\w+\}[<>]|pipefail"
    r"|\b(?:function|source|local|declare|typeset|let|shopt|mapfile|readarray|pushd|popd|dirs|enable|builtin|caller|compgen"
    r"|complete|disown|select|coproc|echo|read|printf|test|exec|wait|type|export|readonly|trap)\b"
)


@dataclass(frozen=True, slots=True)
class Bashism:
    """One piece of bash syntax, and where it is."""

    offset: int
    what: str


def bashisms(text: str) -> Iterator[Bashism]:
    """The first of each kind in a script, in order."""
    if not _CANDIDATES.search(text):
        return
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
