"""What the scanner reads: words with as much of their text as is known before the script runs, heredocs, commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

#: Expansions that may come to no word at all even in double quotes: `"$@"`, `"${a[@]}"`, and with flags in zsh.
_LISTS: Final = re.compile(r"@|\$\{[(=]|\$=")


@dataclass(slots=True)
class Word:
    """One word of a command, from `start` to `end` in the script.

    `value` is its text without quotes, None when a part of it is known only at run time; `lead` is what is known
    before the first such part, `known` all that is, as if every such part were empty. `plain` says that nothing in it
    was quoted. `holes` counts the `${{ }}` in it, those in nested commands too; `is_piece` says that one stands in the
    word itself, so that the word cannot expand to nothing.
    """

    start: int
    raw: str = ""
    end: int = 0
    lead: str = ""
    known: str = ""
    fixed: bool = True
    plain: bool = True
    holes: int = 0
    is_piece: bool = False
    #: Whether the shell may make several words of it before it expands anything: `{sh,-c}`.
    braces: bool = False
    #: Whether some of it is written in escapes that are not decoded.
    escapes: bool = False
    #: Whether an unquoted `[` is open where the scanner stands.
    in_brackets: bool = False
    _texts: list[str] = field(default_factory=list)
    _lead: int = 0

    @property
    def value(self) -> str | None:
        """The whole text, if it is known."""
        return self.known if self.fixed else None

    @property
    def is_open(self) -> bool:
        """Whether a `${{ }}` decides how it begins, so that it could be an option."""
        return self.holes > 0 and not self.lead

    @property
    def may_vanish(self) -> bool:
        """Whether it may expand to no word at all, so that the next one takes its place: `$SUDO`, `"$@"`."""
        if self.fixed or self.is_piece or self.known:
            return False
        return self.plain or _LISTS.search(self.raw) is not None

    def add(self, text: str) -> None:
        """More known text; it counts when the word is closed."""
        self._texts.append(text)
        if self.fixed:
            self._lead = len(self._texts)

    def close(self) -> None:
        """The word has ended."""
        self.known = self.lead = "".join(self._texts)
        if self._lead != len(self._texts):
            self.lead = "".join(self._texts[: self._lead])


@dataclass(slots=True)
class Heredoc:
    """A heredoc: where its operator stands, how it ends, and its body once that has been read."""

    at: int
    delimiter: str
    quoted: bool
    strip_tabs: bool
    body: tuple[int, int] | None = None
    #: Why no value may stand in it.
    refused: str = ""


@dataclass(slots=True)
class Command:
    """One command of a pipeline; a compound one has no words."""

    start: int
    words: list[Word] = field(default_factory=list)
    inputs: list[Word] = field(default_factory=list)
    heredocs: list[Heredoc] = field(default_factory=list)
    end: int = 0
    #: Whether it runs what it reads from its standard input.
    runs_input: bool = False
