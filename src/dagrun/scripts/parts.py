"""What the scanner reads: words with as much of their text as is known before the script runs, heredocs, commands."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Word:
    """One word of a command, from `start` to `end` in the script.

    `value` is its text without quotes, None when a part of it is known only at run time; `lead` is what is known
    before the first such part, `known` all that is, as if every such part were empty. `plain` says that nothing in it
    was quoted. `holes` counts the `${{ }}` in it, those in nested commands too.
    """

    start: int
    raw: str = ""
    end: int = 0
    lead: str = ""
    known: str = ""
    fixed: bool = True
    plain: bool = True
    holes: int = 0
    #: Whether an unquoted `[` is open where the scanner stands.
    in_brackets: bool = False

    @property
    def value(self) -> str | None:
        """The whole text, if it is known."""
        return self.lead if self.fixed else None

    @property
    def is_open(self) -> bool:
        """Whether a `${{ }}` decides how it begins, so that it could be an option."""
        return self.holes > 0 and not self.lead

    def add(self, text: str) -> None:
        """More known text."""
        self.known += text
        if self.fixed:
            self.lead += text


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
    #: Whether it runs what it reads from its standard input.
    runs_input: bool = False
