"""The scanner's position in a script, and the steps it can take from there."""

from __future__ import annotations

import re
from typing import Final

from dagrun.language.scripts.parts import Heredoc, Word
from dagrun.language.scripts.placeholders import Placeholders
from dagrun.language.scripts.rules.assignments import ScriptVariables

MAX_NESTING: Final = 40


class ScanError(Exception):
    """The scanner cannot tell how the shell would read the rest."""


class Cursor:
    """Reads a script from its beginning to its end."""

    def __init__(self, text: str, shell: str) -> None:
        self.text = text
        self.shell = shell
        self.at = 0
        #: The end of the text being read: of the script, or of the body of a heredoc.
        self.end = len(text)
        self.depth = 0
        self.placeholders = Placeholders(text)
        self.heredocs: list[Heredoc] = []
        #: The end and the start of each command that writes its arguments to its standard output.
        self.printed: list[tuple[int, int]] = []
        #: Heredocs whose body begins on the next line.
        self.pending: list[Heredoc] = []
        #: What is known about the script's variables.
        self.variables = ScriptVariables()
        #: Everything before this offset has been read completely.
        self.settled = 0
        #: Syntax that `sh` does not read as bash does, each with its offset.
        self.bashisms: list[tuple[int, str]] = []

    @property
    def ended(self) -> bool:
        """Whether no text is left."""
        return self.at >= self.end

    def sees(self, *what: str) -> bool:
        """Whether one of these comes next."""
        return self.text.startswith(what, self.at, self.end)

    def takes(self, what: str) -> bool:
        """Whether this comes next; if so, step over it."""
        found = self.text.startswith(what, self.at, self.end)
        if found:
            self.at += len(what)
        return found

    def matched(self, pattern: re.Pattern[str]) -> str:
        """Step over the text that a pattern matches here and return it; empty if the pattern does not match."""
        match = self.match(pattern)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match of a pattern here."""
        return pattern.match(self.text, self.at, self.end)

    def find(self, what: str, start: int) -> int:
        """The offset of the next occurrence; negative if there is none."""
        return self.text.find(what, start, self.end)

    def note(self, at: int, what: str) -> None:
        """Record syntax that only bash and similar shells understand."""
        self.bashisms.append((at, what))

    def line(self, at: int) -> int:
        """The number of the line at an offset, counted from 1."""
        return self.text.count("\n", 0, at) + 1

    def unexpected(self, what: str) -> ScanError:
        """The error for text that is not allowed here."""
        return ScanError(f"unexpected '{what}' on line {self.line(self.at)}")

    def refuse(self, word: Word, why: str) -> None:
        """No value is allowed in this word."""
        self.placeholders.refuse(word.start, word.end, why)

    def descend(self) -> None:
        """Enter one more level of nesting. Raises ScanError at the limit."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ScanError(f"it is nested more than {MAX_NESTING} levels deep")
