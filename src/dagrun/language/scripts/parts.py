"""What the scanner reads: words with as much of their text as is known before the script runs, heredocs, commands."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from dagrun.value import field

#: Expansions that may result in no word at all even in double quotes: `"$@"`, `"${a[@]}"`, and with flags in zsh.
_LISTS: Final = re.compile(r"@|\$\{[(=]|\$=")


class Word(msgspec.Struct):
    """One word of a command, from `start` to `end` in the script.

    `value` is its text without quotes, None when a part of it is known only at run time. `lead` is the text before the
    first such part; `known` is all known text, as if every such part were empty. `plain` says that nothing in it was quoted.
    `placeholders` counts the `${{ }}` in it, including those in nested commands; `has_own_placeholder` says that one is in
    the word itself, so that the word cannot expand to nothing.
    """

    start: int
    raw: str = ""
    end: int = 0
    lead: str = ""
    known: str = ""
    fixed: bool = True
    plain: bool = True
    placeholders: int = 0
    has_own_placeholder: bool = False
    #: Whether the shell may make several words of it before it expands anything: `{sh,-c}`.
    braces: bool = False
    #: Whether some of it is written as escapes that are not decoded.
    escapes: bool = False
    #: Whether an unquoted `[` is open at the scanner's position.
    in_brackets: bool = False
    _texts: list[str] = field(default_factory=list)
    _lead: int = 0

    @property
    def value(self) -> str | None:
        """The whole text, if it is known."""
        return self.known if self.fixed else None

    @property
    def starts_with_placeholder(self) -> bool:
        """Whether a `${{ }}` decides how the word begins, so that it could be an option."""
        return self.placeholders > 0 and not self.lead

    @property
    def may_expand_to_nothing(self) -> bool:
        """Whether it may result in no word at all, so that the next word takes its place: `$SUDO`, `"$@"`."""
        if self.fixed or self.has_own_placeholder or self.known:
            return False
        return self.plain or _LISTS.search(self.raw) is not None

    def add(self, text: str) -> None:
        """Append known text; `lead` and `known` include it once the word is closed."""
        self._texts.append(text)
        if self.fixed:
            self._lead = len(self._texts)

    def close(self) -> None:
        """End the word."""
        self.known = self.lead = "".join(self._texts)
        if self._lead != len(self._texts):
            self.lead = "".join(self._texts[: self._lead])


class Heredoc(msgspec.Struct):
    """A heredoc: the offset of its operator, how it ends, and its body once that has been read."""

    at: int
    delimiter: str
    quoted: bool
    strip_tabs: bool
    body: tuple[int, int] | None = None
    #: Why no value is allowed in it; empty if values are allowed.
    refused: str = ""

    @property
    def name(self) -> str:
        """The delimiter, quoted for a message. It may be of any length, and a message is repeated for each placeholder."""
        return f"'{shortened(self.delimiter)}'"


def shortened(text: str) -> str:
    """A part of a script, short enough for a message."""
    return text if len(text) <= 40 else text[:39] + "…"


class ScriptCommand(msgspec.Struct):
    """One command of a pipeline; a compound one has no words."""

    start: int
    words: list[Word] = field(default_factory=list)
    inputs: list[Word] = field(default_factory=list)
    heredocs: list[Heredoc] = field(default_factory=list)
    end: int = 0
    #: Whether it executes what it reads from its standard input.
    executes_input: bool = False
