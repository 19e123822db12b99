"""Reading redirections, and the line breaks that the bodies of heredocs follow."""

from __future__ import annotations

import re
from typing import Final

from dagrun.language.scripts.parts import Heredoc, ScriptCommand, Word
from dagrun.language.scripts.shell.cursor import ScanError
from dagrun.language.scripts.shell.words import Words

_OPERATOR: Final = re.compile(r"(?:[0-9]+|\{\w+\})?(<<<|<<-|<<|<&|<>|>>|>&|>\||<(?!\()|>(?!\()|&>>|&>)")
_DESCRIPTOR: Final = re.compile(r"[0-9]+|-|[\"']?\$.*", re.DOTALL)
_IN_BODY: Final = re.compile(r"[^\\`$\0]+")


class Redirections(Words):
    """Reads redirections and heredocs."""

    def redirections(self, command: ScriptCommand) -> None:
        """Read all redirections that come next, and the gap after them."""
        self.gap()
        while (match := self.match(_OPERATOR)) and not (
            match[1].startswith("&") and self.shell in ("sh", "dash")
        ):
            self.at = match.end()
            self.gap()
            if match[1] in ("<<", "<<-"):
                command.heredocs.append(self._heredoc(match.start(), strip_tabs=match[1] == "<<-"))
            else:
                self._target(match, command)
            self.gap()

    def _target(self, operator: re.Match[str], command: ScriptCommand) -> None:
        target = self.word()
        sign = operator[1]
        if sign in ("<&", ">&"):
            self.refuse(target, f"after '{sign}' it could be read as the number of a file descriptor")
        if sign == "<<<":
            command.inputs.append(target)
        if sign in ("<<<", "&>", "&>>"):
            self.note(operator.start(), sign)
        elif sign == ">&" and not _DESCRIPTOR.fullmatch(target.raw):
            self.note(operator.start(), ">& with a file")
        elif operator[0].startswith("{"):
            self.note(operator.start(), "{name} before a redirection")

    def gaps(self, *, comments: bool = True) -> None:
        """Step over what is between words, on several lines."""
        self.gap(comments=comments)
        while self.sees("\n"):
            self.at += 1
            if self.pending:
                self._bodies()
            self.gap(comments=comments)

    def refuse_heredoc(self, heredoc: Heredoc, why: str) -> None:
        """No value is allowed in it, whether or not its body has been read."""
        heredoc.refused = why
        if heredoc.body:
            self.placeholders.refuse(*heredoc.body, why)

    def _heredoc(self, at: int, *, strip_tabs: bool) -> Heredoc:
        word = self.word()
        if word.placeholders or word.value is None or set(word.raw) & set("$`()\n"):
            raise ScanError(f"the end of the heredoc on line {self.line(at)} is not certain")
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
                self.placeholders.refuse(start, end, "the shell expands nothing in a quoted heredoc")
            else:
                self._expanding(end)
            if heredoc.refused:
                self.placeholders.refuse(start, end, heredoc.refused)
            self.at = after

    def _end_of(self, heredoc: Heredoc) -> tuple[int, int]:
        """The end of the body, and the offset of what follows the heredoc."""
        at = self.at
        continued = False
        while at < self.end:
            newline = self.find("\n", at)
            end = self.end if newline < 0 else newline
            line = self.text[at:end]
            if (line.lstrip("\t") if heredoc.strip_tabs else line) == heredoc.delimiter:
                if continued:
                    raise ScanError(
                        f"a backslash continues the line above the end of the heredoc on line {self.line(at)}"
                    )
                return at, min(end + 1, self.end)
            continued = not heredoc.quoted and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            at = end + 1
        raise ScanError(f"the heredoc {heredoc.name} has no end")

    def _expanding(self, end: int) -> None:
        """Read the body of an unquoted heredoc: quotes are plain text there, `$` and backticks are not."""
        whole, self.end = self.end, end
        word = Word(self.at)
        try:
            while self.at < end:
                self.piece(word, _IN_BODY, quoted=True)
        finally:
            self.end = whole
