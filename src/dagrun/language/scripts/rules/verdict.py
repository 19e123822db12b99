"""What the rules say about one command, and the sentences that they share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dagrun.language.scripts.parts import Word

CODE: Final = "{} reads it as code"
NAME: Final = "{} takes it for the name of a variable, which may hold code"
OPTION: Final = "{} could take the value for an option that holds code"
CALCULATES: Final = "it is read as arithmetic, which runs what it finds in a value"
COMMAND: Final = "it would be the name of a command"


@dataclass(slots=True)
class Verdict:
    """What is to be said about one simple command."""

    refused: list[tuple[Word, str]] = field(default_factory=list)
    #: Whether it runs what it reads from its standard input.
    runs_input: bool = False
    #: Whether it writes its arguments to its standard output.
    hands_on: bool = False
    #: Why what follows cannot be read any more; empty if it can.
    rereads: str = ""

    def refuse(self, words: Iterable[Word], why: str) -> None:
        """No value may stand in these words."""
        self.refused += [(word, why) for word in words if word.holes]


def names(text: str) -> frozenset[str]:
    """The names in a text."""
    return frozenset(text.split())
