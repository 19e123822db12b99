"""The parts of words: quotes, escapes, and everything that begins with a dollar sign."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.placeholders import PLACEHOLDER, Quoting
from dagrun.language.scripts.rules.assignments import CALCULATING
from dagrun.language.scripts.shell.cursor import Cursor, ScanError

IN_ARITHMETIC: Final = "arithmetic may execute parts of a value"
IN_SUBSCRIPT: Final = "a subscript is arithmetic, which may execute parts of a value"

_IN_ARITHMETIC: Final = re.compile(r"[^\\'\"`$\0();]+")
_IN_QUOTES: Final = re.compile(r'[^\\"`$\0]+')
_IN_BRACES: Final = re.compile(r"[^\\'\"`$\0{}]+")
_BACKTICKS: Final = re.compile(r"`[^`\\]*(?:\\.[^`\\]*)*`", re.DOTALL)
_ANSI: Final = re.compile(r"\$'[^\\']*(?:\\.[^\\']*)*'", re.DOTALL)
#: Escapes that all shells with `$'..'` read in the same way; the last alternative matches those that they do not.
_ESCAPE: Final = re.compile(
    r"\\(?:([\\'\"?abefnrtvE])|x([0-9A-Fa-f]{1,2})(?![0-9A-Fa-f{])|u([0-9A-Fa-f]{4})(?![0-9A-Fa-f])|([0-7]{3})|.)",
    re.DOTALL,
)
_ESCAPES: Final = dict(zip("abefnrtvE", "\a\b\x1b\f\n\r\t\v\x1b", strict=True))
CONTINUED_PARENTHESIS: Final = re.compile(r"(?:\\\n)+\(")
#: The forms of `${..}` that POSIX defines.
_POSIX_BRACES: Final = re.compile(r"\$\{(?:#?(?:\w+|[@*#?$!-])\}|(?:\w+|[@*#?$!-])(?::?[-=?+]|##?|%%?))")
_NOT_IN_BRACKETS: Final = re.compile(r"[\\'\"`$(\[\n]")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ZSH_NAME: Final = re.compile(r"[+^=~#]*[A-Za-z0-9_]+\[")
_BASH_BRACES: Final = re.compile(r"\$\{!?\w*(?:\[|\^\^?|,,?|//?|:|@)?")


class Pieces(Cursor, ABC):
    """Reads a word piece by piece."""

    @abstractmethod
    def statements(self, stops: frozenset[str] = frozenset()) -> None:
        """Read statements up to a reserved word of `stops`, a closing parenthesis, the end of a case branch, or the end."""

    def piece(self, word: Word, text: re.Pattern[str], *, quoted: bool) -> bool:
        """Read one more piece, `text` or special; False if neither comes next."""
        if plain := self.matched(text):
            word.add(plain)
            return True
        return self.special(word, quoted=quoted)

    def special(self, word: Word, *, quoted: bool) -> bool:
        """Read the piece that a special character begins; False if none comes next."""
        start = self.at
        match self.text[start]:
            case "$":
                self.descend()
                self._dollar(word, quoted=quoted)
                self.depth -= 1
            case '"':
                self._double(word)
            case "'":
                self._single(word)
            case "`":
                self._backticks(word)
            case "\0":
                self.placeholders.quote(start, start + 1, Quoting.DOUBLE if quoted else Quoting.BARE)
                word.fixed = False
                word.has_own_placeholder = True
                self.at += 1
            case "\\":
                # A continued line is no break.
                self._backslash(word)
                return True
            case _:
                return False
        self._no_break(start)
        return True

    def nested(self) -> None:
        """Read commands inside a word, after the opening parenthesis. Quoting starts anew there."""
        start = self.at
        if self.match(CONTINUED_PARENTHESIS):
            raise ScanError(f"shells read the parentheses on line {self.line(start)} differently")
        waiting, self.pending = self.pending, []
        self.statements()
        if self.pending or not self.takes(")"):
            raise ScanError(f"the parenthesis on line {self.line(start)} is not closed")
        self.pending = waiting
        self._no_break(start)

    def arithmetic(self) -> None:
        """Read up to the `))` that ends it. What could also be a command in a subshell is an error, not a guess."""
        start = self.at
        depth = 0
        word = Word(start)
        while depth or not self.takes("))"):
            if self.ended or self.sees("'", "\\", ";;") or (not depth and self.sees(")")):
                raise ScanError(f"the arithmetic on line {self.line(start)} is not understood")
            if self.matched(_IN_ARITHMETIC):
                continue
            if not self.special(word, quoted=True):
                depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
                self.at += 1
        self.placeholders.refuse(start, self.at, IN_ARITHMETIC)
        if self.shell in CALCULATING:
            self.variables.calculated(self.text[start : self.at])
        self._no_break(start)

    def _no_break(self, start: int) -> None:
        """A line break inside a word while a heredoc waits for its body: shells disagree about where the body begins."""
        if self.pending and "\n" in self.text[start : self.at]:
            raise ScanError(
                f"a line break in quotes comes before the body of the heredoc {self.pending[0].name}"
            )

    # --- quotes ---

    def _backslash(self, word: Word) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if following == PLACEHOLDER:
            self.placeholders.refuse(self.at, self.at + 2, "the backslash before it would escape the quote")
        if following != "\n":
            word.add(following)
            word.plain = False
        self.at = min(self.at + 2, self.end)

    def _single(self, word: Word) -> None:
        start = self.at + 1
        end = self.find("'", start)
        if end < 0:
            raise ScanError(f"the quote ' on line {self.line(start)} is never closed")
        self.placeholders.quote(start, end, Quoting.SINGLE)
        before, placeholder, _ = self.text[start:end].partition(PLACEHOLDER)
        word.add(before)
        word.fixed = word.fixed and not placeholder
        word.has_own_placeholder |= bool(placeholder)
        word.plain = False
        self.at = end + 1

    def _double(self, word: Word) -> None:
        start = self.at
        word.plain = False
        self.at += 1
        while not self.takes('"'):
            if self.ended:
                raise ScanError(f'the quote " on line {self.line(start)} is never closed')
            self.piece(word, _IN_QUOTES, quoted=True)

    def _backticks(self, word: Word) -> None:
        start = self.at
        if not self.matched(_BACKTICKS):
            raise ScanError(f"the backtick on line {self.line(start)} is never closed")
        self.placeholders.refuse(start, self.at, "backticks parse their text twice; write $(..)")
        word.fixed = False

    def _ansi(self, word: Word) -> None:
        start = self.at
        quoted = self.matched(_ANSI)
        if not quoted or (self.shell in ("sh", "dash") and quoted.count("'") > 2):
            raise ScanError(
                f"$'..' on line {self.line(start)} is never closed, or shells read it differently"
            )
        self.placeholders.refuse(start, self.at, "$'..' cannot contain a reference to a variable")
        self.note(start, "$'..'")
        word.plain = False
        self._decode(quoted[2:-1], word)

    def _decode(self, text: str, word: Word) -> None:
        """Add the known text of `$'..'`. In `sh` none of it is certain; shells read some escapes differently."""
        if self.shell in ("sh", "dash"):
            word.fixed = False
        at = 0
        for escape in _ESCAPE.finditer(text):
            word.add(text[at : escape.start()])
            at = escape.end()
            letter, *codes = escape.groups()
            if letter:
                word.add(_ESCAPES.get(letter, letter))
            elif code := next(filter(None, codes), ""):
                word.add(chr(int(code, 8 if escape[4] else 16)))
            else:
                word.fixed = False
                word.escapes = True
        word.add(text[at:])

    # --- what a dollar begins ---

    def _dollar(self, word: Word, *, quoted: bool) -> None:
        if self.sees("$\\\n"):
            raise ScanError(f"line {self.line(self.at)} ends in a dollar sign that the next line continues")
        if not quoted and self.sees("$'"):
            self._ansi(word)
        elif not quoted and self.sees('$"'):
            self.at += 1
        elif self._expansion(quoted=quoted):
            word.fixed = False
        else:
            self.placeholders.refuse(self.at, self.at + 2, "the dollar sign before it would change the quote")
            word.add("$")
            self.at += 1

    def _expansion(self, *, quoted: bool) -> bool:
        """Read an expansion, whose result is known only at run time; False if the dollar sign is plain text."""
        start = self.at
        following = self.text[start + 1 : start + 2]
        if self.takes("$(("):
            self.arithmetic()
        elif self.takes("$("):
            self.nested()
        elif self.takes("${"):
            self._braces(quoted=quoted)
        elif following == "[":
            self.note(start, "$[..]")
            self._brackets(start + 1, IN_ARITHMETIC)
        elif self.shell == "zsh" and (name := _ZSH_NAME.match(self.text, start + 1, self.end)):
            self._brackets(name.end() - 1, IN_SUBSCRIPT)
        elif following and (following in "#?$!@*-" or following.isdigit()):
            self.at += 2
        elif name := _NAME.match(self.text, start + 1, self.end):
            self.at = name.end()
        else:
            return False
        return True

    def _brackets(self, opening: int, why: str) -> None:
        """Read a subscript or `$[..]`, from its opening bracket. Quotes inside it are an error, not a guess."""
        end = self.find("]", opening)
        if end < 0 or _NOT_IN_BRACKETS.search(self.text, opening + 1, end):
            raise ScanError(f"the brackets on line {self.line(opening)} are not understood")
        self.placeholders.refuse(opening, end, why)
        self.at = end + 1

    def _braces(self, *, quoted: bool) -> None:
        start = self.at
        if not _POSIX_BRACES.match(self.text, start - 2, self.end) and (
            bash := _BASH_BRACES.match(self.text, start - 2, self.end)
        ):
            self.note(start - 2, f"{bash[0]}..}}")
        if self.sees(" ", "\t", "\n", "|"):
            raise ScanError(f"'${{' on line {self.line(start)} is not understood")
        while not self.takes("}"):
            at = self.at
            # Shells disagree about quotes in braces inside double quotes.
            if self.ended or self.sees("{") or (quoted and self.sees("'")):
                raise ScanError(f"'${{' on line {self.line(start)} is never closed, or not understood")
            self.piece(Word(at), _IN_BRACES, quoted=quoted)
            if quoted and self.text[at] == '"' and "}" in self.text[at : self.at]:
                raise ScanError(f"the quotes in '${{' on line {self.line(start)} are not understood")
        self.placeholders.refuse(start, self.at, "inside ${..} a value would become part of the expansion")
