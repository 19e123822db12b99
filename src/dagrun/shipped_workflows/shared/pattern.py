"""Regular expressions that are compiled at first use: `dagrun validate` imports the workflows without running them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property


class Pattern:
    """As `re.compile(text, flags)`, but compiled at first use; with the methods that the workflows need."""

    def __init__(self, text: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self._text = text
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._text, self._flags)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """As `re.Pattern.match`."""
        return self._compiled.match(text, start)

    def search(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.search`."""
        return self._compiled.search(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """As `re.Pattern.finditer`."""
        return self._compiled.finditer(text)

    def split(self, text: str) -> list[str]:
        """The parts between matches, for a pattern without groups."""
        return [piece for piece in self._compiled.split(text) if piece is not None]

    def sub(self, replacement: str, text: str, count: int = 0) -> str:
        """As `re.Pattern.sub`."""
        return self._compiled.sub(replacement, text, count=count)


def phrases(table: str, *, opening: bool = False) -> Pattern:
    """A pattern that matches any of the phrases, one per line, in upper or lower case.

    Each line is a regular expression in which a space matches any white space and an apostrophe is optional.
    With `opening`, the phrase must begin the sentence, except for fillers such as "well" and "okay".
    """
    lines = (line.strip() for line in table.splitlines())
    options = "|".join(line.replace("'", "['’]?").replace(" ", r"\s+") for line in lines if line)
    head = rf"^(?:{_FILLER}[,.!\s]+)*" if opening else r"(?<!\w)"
    return Pattern(rf"{head}(?:{options})(?!\w)", re.IGNORECASE)


_FILLER = (
    r"(?:um+|uh|oh|ah|hm+|well|right|and|so|then|but|lovely|perfect|great|good|nice|cool|excellent|ok(?:ay)?)"
)
