"""The result of checking one command, and the sentences that the rules share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from dagrun.language.scripts.parts import Word
from dagrun.value import field

CODE: Final = "{} executes it as code"
NAME: Final = "{} reads it as the name of a variable, which may contain code"
OPTION: Final = "{} could read the value as an option that takes code"
CALCULATES: Final = "it is read as arithmetic, which may execute parts of a value"
COMMAND: Final = "it would be the name of a command"


class CommandCheck(msgspec.Struct):
    """What the rules found out about one simple command."""

    refused: list[tuple[Word, str]] = field(default_factory=list)
    #: Whether it executes what it reads from its standard input.
    executes_input: bool = False
    #: Whether it writes its arguments to its standard output.
    prints_arguments: bool = False
    #: Why the scanner cannot read what follows; empty if it can.
    changes_parsing: str = ""

    def refuse(self, words: Iterable[Word], why: str) -> None:
        """No value is allowed in these words."""
        self.refused += [(word, why) for word in words if word.placeholders]


def name_set(text: str) -> frozenset[str]:
    """The names in a text, separated by blanks."""
    return frozenset(text.split())
