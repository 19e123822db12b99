"""The offset in the document of one character of a scalar."""

from __future__ import annotations

_ESCAPED = {"\n": "n", "\t": "t", "\r": "r", "\0": "0", '"': '"', "\\": "\\"}


class ScalarOffsets:
    """Offsets in `text` of the characters of the scalar `value`, which is written at `start`.

    Both texts are walked in parallel: quotes, indentation, escapes and the header of a block exist only in the document,
    and a folded line end is a blank in the value. The result is exact, except after rare escapes in double quotes, where
    it is close.
    """

    def __init__(self, text: str, start: int, value: str) -> None:
        self.text = text
        self.start = start
        self.value = value
        self._offset = 0
        self._at = _content(text, start)

    def position(self, offset: int) -> int:
        """The index in the document of character number `offset`. Continues from the last position, if it can."""
        if offset < self._offset:
            self._offset, self._at = 0, _content(self.text, self.start)
        for char in self.value[self._offset : offset]:
            self._at = _after(self.text, self._at, char)
        self._offset = min(offset, len(self.value))
        return _found(self.text, self._at, self.value[offset]) if offset < len(self.value) else self._at


def _content(text: str, start: int) -> int:
    """The offset of the first character of a scalar: after its quote, or below the header of its block."""
    if text[start : start + 1] in ("|", ">"):
        end = text.find("\n", start)
        return len(text) if end < 0 else end + 1
    return start + 1 if text[start : start + 1] in ("'", '"') else start


def _after(text: str, at: int, char: str) -> int:
    """The index after the next text that represents `char`."""
    found = _found(text, at, char)
    if text[found : found + 1] == "\\" and text[found + 1 : found + 2] == _ESCAPED.get(char):
        return found + 2
    if char == "'" and text[found : found + 2] == "''":
        return found + 2
    return found + 1


def _found(text: str, at: int, char: str) -> int:
    while at < len(text):
        here = text[at]
        if here == char and not (
            here == "\\" and text[at + 1 : at + 2] == "\\" and _ESCAPED.get(char) != "\\"
        ):
            return at
        if here == "\\" and text[at + 1 : at + 2] == _ESCAPED.get(char):
            return at
        if char == " " and here == "\n":  # a folded line
            return at
        at += 1
    return len(text)
