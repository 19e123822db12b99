"""Where the scanner stands in a script, and the steps it can take from there."""

from __future__ import annotations

import re
from typing import Final

from dagrun.language.scripts.parts import Heredoc, Word
from dagrun.language.scripts.placeholders import Holes
from dagrun.language.scripts.rules.assignments import Variables

MOST_NESTING: Final = 40


class Lost(Exception):
    """The scanner cannot tell how the shell reads on."""


class Cursor:
    """A script that is read from its beginning to its end."""

    def __init__(self, text: str, shell: str) -> None:
        self.text = text
        self.shell = shell
        self.at = 0
        #: Where what is read ends: the script, or the body of a heredoc.
        self.end = len(text)
        self.depth = 0
        self.holes = Holes(text)
        self.heredocs: list[Heredoc] = []
        #: Where commands end and begin that write their arguments to their standard output.
        self.printed: list[tuple[int, int]] = []
        #: Heredocs whose body begins with the next line.
        self.pending: list[Heredoc] = []
        #: What is known of the script's variables.
        self.variables = Variables()
        #: Everything before this is understood for good.
        self.settled = 0
        #: What `sh` reads in another way than bash does, each with its place.
        self.bashisms: list[tuple[int, str]] = []

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= self.end

    def sees(self, *what: str) -> bool:
        """Whether the script goes on with one of these."""
        return self.text.startswith(what, self.at, self.end)

    def takes(self, what: str) -> bool:
        """Whether the script goes on with this, which is stepped over."""
        found = self.text.startswith(what, self.at, self.end)
        if found:
            self.at += len(what)
        return found

    def matched(self, pattern: re.Pattern[str]) -> str:
        """The text that a pattern matches here, which is stepped over; empty if it does not."""
        match = self.match(pattern)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What a pattern matches here."""
        return pattern.match(self.text, self.at, self.end)

    def find(self, what: str, start: int) -> int:
        """Where this begins next; negative if it does not come."""
        return self.text.find(what, start, self.end)

    def note(self, at: int, what: str) -> None:
        """Something that only bash and its like read so."""
        self.bashisms.append((at, what))

    def line(self, at: int) -> int:
        """The number of a line."""
        return self.text.count("\n", 0, at) + 1

    def unexpected(self, what: str) -> Lost:
        """What to raise when this stands where nothing like it may."""
        return Lost(f"unexpected '{what}' on line {self.line(self.at)}")

    def refuse(self, word: Word, why: str) -> None:
        """No value may stand in this word."""
        self.holes.refuse(word.start, word.end, why)

    def descend(self) -> None:
        """One level of nesting deeper."""
        self.depth += 1
        if self.depth > MOST_NESTING:
            raise Lost(f"it is nested deeper than {MOST_NESTING} levels")
