"""Redirections, and the line breaks after which the bodies of heredocs stand."""

from __future__ import annotations

import re
from typing import Final

from dagrun.scripts.parts import Command, Heredoc, Word
from dagrun.scripts.shell.cursor import Lost
from dagrun.scripts.shell.words import Words

_OPERATOR: Final = re.compile(r"(?:[0-9]+|\{\w+\})?(<<<|<<-|<<|<&|<>|>>|>&|>\||<(?!\()|>(?!\()|&>>|&>)")
_IN_BODY: Final = re.compile(r"[^\\`$\0]+")


class Redirections(Words):
    """Reads redirections and heredocs."""

    def redirections(self, command: Command) -> None:
        """All that are here, and the gap after them."""
        self.gap()
        while (match := _OPERATOR.match(self.text, self.at)) and not (
            match[1].startswith("&") and self.shell in ("sh", "dash")
        ):
            self.at = match.end()
            self.gap()
            if match[1] in ("<<", "<<-"):
                command.heredocs.append(self._heredoc(match.start(), strip_tabs=match[1] == "<<-"))
            else:
                target = self.word()
                if match[1].startswith("<"):
                    command.inputs.append(target)
            self.gap()

    def gaps(self, *, comments: bool = True) -> None:
        """What lies between words, over several lines."""
        self.gap(comments=comments)
        while self.sees("\n"):
            self.at += 1
            if self.pending:
                self._bodies()
            self.gap(comments=comments)

    def refuse_heredoc(self, heredoc: Heredoc, why: str) -> None:
        """No value may stand in it, whether or not its body has been read."""
        heredoc.refused = why
        if heredoc.body:
            self.holes.refuse(*heredoc.body, why)

    def _heredoc(self, at: int, *, strip_tabs: bool) -> Heredoc:
        word = self.word()
        if word.holes or word.value is None or set(word.raw) & set("$`()\n"):
            raise Lost(f"the end of the heredoc on line {self.line(at)} cannot be told")
        heredoc = Heredoc(at, word.value, not word.plain, strip_tabs)
        self.pending.append(heredoc)
        self.heredocs.append(heredoc)
        return heredoc

    def _bodies(self) -> None:
        waiting, self.pending = self.pending, []
        for heredoc in waiting:
            start = self.at
            end, after = self._end_of(heredoc)
            heredoc.body = (start, end)
            if heredoc.quoted:
                self.holes.refuse(start, end, "a quoted heredoc is taken as it is written")
            else:
                self._expanding(end)
            if heredoc.refused:
                self.holes.refuse(start, end, heredoc.refused)
            self.at = after

    def _end_of(self, heredoc: Heredoc) -> tuple[int, int]:
        """Where the body ends and where the script goes on."""
        at = self.at
        continued = False
        while at < len(self.text):
            newline = self.text.find("\n", at)
            end = len(self.text) if newline < 0 else newline
            line = self.text[at:end]
            if (line.lstrip("\t") if heredoc.strip_tabs else line) == heredoc.delimiter:
                if continued:
                    raise Lost(f"the line above the end of the heredoc on line {self.line(at)} goes on")
                return at, min(end + 1, len(self.text))
            continued = not heredoc.quoted and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            at = end + 1
        raise Lost(f"the heredoc '{heredoc.delimiter}' has no end")

    def _expanding(self, end: int) -> None:
        """The body of an unquoted heredoc: quotes are text, `$` and backticks are not."""
        whole, self.text = self.text, self.text[:end]
        try:
            while self.at < end:
                self.piece(Word(self.at), _IN_BODY, quoted=True)
        finally:
            self.text = whole
