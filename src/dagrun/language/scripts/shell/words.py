"""Reading words, and the blanks and comments before them."""

from __future__ import annotations

import re
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.placeholders import Quoting
from dagrun.language.scripts.shell.cursor import ScanError
from dagrun.language.scripts.shell.pieces import IN_SUBSCRIPT, Pieces

_TEXT: Final = re.compile(r"[^\\'\"`$()<>|&;\s\0]+")
_BLANK: Final = re.compile(r"(?:[ \t]|\\\n)+")
_ARRAY: Final = re.compile(r"([A-Za-z_]\w*)\+?=")
#: The name of an array before its subscript.
_SUBSCRIPTED: Final = re.compile(r"[A-Za-z_]\w*\[")
_EMPTY: Final = re.compile(r"\([ \t]*\)")


class Words(Pieces):
    """Reads words."""

    def gap(self, *, comments: bool = True) -> None:
        """Step over blanks, continued lines and a comment."""
        self.matched(_BLANK)
        if comments and self.sees("#"):
            end = self.find("\n", self.at)
            end = self.end if end < 0 else end
            self.placeholders.quote(self.at, end, Quoting.COMMENT)
            self.at = end

    def word(self) -> Word:
        """Read the next word."""
        word = Word(self.at)
        while self.at < self.end and self._next_piece(word):
            pass
        if self.at == word.start:
            raise ScanError(f"a word is missing on line {self.line(self.at)}")
        if word.in_brackets and self.sees(" ", "\t", "\n") and _SUBSCRIPTED.match(self.text, word.start):
            raise ScanError(f"the brackets on line {self.line(word.start)} are not closed in their word")
        word.close()
        word.end = self.at
        word.raw = self.text[word.start : word.end].replace("\\\n", "")
        word.placeholders = len(self.placeholders.between(word.start, word.end))
        inside = word.raw[word.raw.find("{") : word.raw.rfind("}") + 1] if word.braces else ""
        word.braces = "," in inside or ".." in inside
        if word.braces:
            self.note(word.start, "{1..5}" if ".." in word.raw else "{a,b}")
        return word

    def _next_piece(self, word: Word) -> bool:
        """Read one more piece of a word; False at its end."""
        if text := self.matched(_TEXT):
            word.add(text)
            if "[" in text or "]" in text:
                word.in_brackets = text.rfind("[") > text.rfind("]")
            word.braces |= "{" in text
            return True
        start = self.at
        found = self.special(word, quoted=False) or self._unquoted(word)
        if word.in_brackets:
            # `a[$(..)]=` too: the output of the command is used in arithmetic.
            self.placeholders.refuse(start, self.at, IN_SUBSCRIPT)
        return found

    def _unquoted(self, word: Word) -> bool:
        """Read what is special only outside quotes; False at the end of the word."""
        match self.text[self.at]:
            case "(":
                return self._parenthesis(word)
            case "<" | ">" if self.sees("<(", ">("):
                self.note(self.at, f"{self.text[self.at]}(..)")
                self.at += 2
                self.nested()
                word.fixed = False
            case char if char.isspace() and char not in " \t\n":
                word.add(char)
                self.at += 1
            case _:
                return False
        return True

    def _parenthesis(self, word: Word) -> bool:
        """Read a parenthesis inside a word, an array or a pattern; False at the end of a function's name."""
        array = _ARRAY.fullmatch(self.text, word.start, self.at)
        empty = self.match(_EMPTY)
        if self.at == word.start or (empty and not array):
            return False
        self.descend()
        if empty:
            self.at = empty.end()
        elif array and word.plain and word.fixed:
            self._elements()
        else:
            self._pattern(word)
        if array:
            self.note(word.start, "an array")
            self.variables.arrays.add(array[1])
        self.depth -= 1
        word.fixed = False
        return True

    def _elements(self) -> None:
        self.at += 1
        if self.pending:
            raise ScanError(f"a list comes before the body of the heredoc {self.pending[0].name}")
        while not self.takes(")"):
            self.gap()
            if not self.takes("\n") and not self.sees(")"):
                self.word()

    def _pattern(self, word: Word) -> None:
        start = self.at
        self.at += 1
        while not self.takes(")"):
            if self.ended or self.sees("\n", "#"):
                raise ScanError(f"the parenthesis on line {self.line(start)} is not understood")
            if not self._next_piece(word):
                self.at += 1
        self.placeholders.refuse(start, self.at, "a pattern in parentheses is not understood")
