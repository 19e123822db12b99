"""The text of a document: its lines, the places in it, and the error that carries it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from dagrun.documents.yaml.values import Finding, Place
from dagrun.errors import DagrunError

#: The line ends of YAML, which its reader counts lines by.
_LINE_ENDS: Final = "\r\n\x85\u2028\u2029"
_LINE_END: Final = f"\r\n|[{_LINE_ENDS}]"


class SourceText:
    """A text and its name. Lines are counted when the first place is requested."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text.removeprefix("\ufeff")
        self.path = path

    def line(self, number: int) -> str:
        """One line, counted from 1, without its end; empty if there is no such line."""
        start, end = self.bounds(number)
        return self.text[start:end]

    def bounds(self, number: int) -> tuple[int, int]:
        """The start and the end of a line, counted from 1, without its line end; the same if there is no such line."""
        starts = self._line_starts
        if not 1 <= number <= len(starts):
            return 0, 0
        start = starts[number - 1]
        end = starts[number] if number < len(starts) else len(self.text)
        while end > start and self.text[end - 1] in _LINE_ENDS:
            end -= 1
        return start, end

    def at(self, index: int) -> Place:
        """The place of the character at `index`, counted from 0."""
        from bisect import bisect_right

        starts = self._line_starts
        row = bisect_right(starts, index)
        return Place(self.path, row, index - starts[row - 1] + 1)

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        from array import array  # a list would take ten times the memory; most runs need neither

        starts = array("L", [0])
        starts.extend(match.end() for match in re.finditer(_LINE_END, self.text))
        return starts


class DocumentError(DagrunError):
    """A document has errors. `findings` are all of them, `source` is its text if there is one."""

    def __init__(self, findings: Iterable[Finding], source: SourceText | None = None) -> None:
        self.findings = tuple(findings)
        self.source = source
        super().__init__("\n".join(finding.message for finding in self.findings))
