"""A document: its data, and the place of each value in its text."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dagrun.documents.yaml.offsets import ScalarOffsets
from dagrun.documents.yaml.reading import check_size, read_text
from dagrun.documents.yaml.text import DocumentError, SourceText
from dagrun.documents.yaml.values import Finding, Limits, Place

# The modules that import PyYAML are imported where a text is parsed: a document that was checked before needs none of them.
if TYPE_CHECKING:
    from dagrun.documents.yaml.building import Entry

_DEFAULT_LIMITS: Final = Limits()


class Source(SourceText):
    """One document's text.

    `load` is quick and keeps no positions. The first request for a position reads the text once more and keeps all
    positions, so a document without findings never pays for them.
    """

    def __init__(self, text: str, path: str, limits: Limits = _DEFAULT_LIMITS) -> None:
        super().__init__(text, path)
        self.limits = limits
        #: Whether the loaded data has a number whose text differs from the one in the document, such as 3.10.
        self.changes_numbers = False
        #: Those of the scalar whose characters were last located: there may be many findings in one.
        self._offsets: ScalarOffsets | None = None

    @classmethod
    def read(cls, path: Path, shown: str | None = None, limits: Limits = _DEFAULT_LIMITS) -> Source:
        """Read a file. Raises DocumentError if it is missing, too large, or not UTF-8."""
        shown = str(path) if shown is None else shown
        return cls(read_text(path, shown, limits.text_bytes), shown, limits)

    @classmethod
    def inline(cls, text: str, shown: str = "<inline>", limits: Limits = _DEFAULT_LIMITS) -> Source:
        """Use a text given directly. Raises DocumentError if it is too large."""
        check_size(text, shown, limits.text_bytes)
        return cls(text, shown, limits)

    @staticmethod
    def scalar(text: str) -> Any:
        """The value of an unquoted scalar: `3` is a number, `true` a boolean, `a: b` text."""
        from dagrun.documents.yaml.scalars import plain

        return plain(text)

    def load(self) -> Any:
        """The document as dicts, lists, str, int, float, bool and None. Raises DocumentError with all findings."""
        from dagrun.documents.yaml.building import Builder, Halt
        from dagrun.documents.yaml.syntax import UNREADABLE

        builder = Builder(self.limits)
        try:
            data = builder.build(self.text)
            self.changes_numbers = builder.changes_numbers
            return data
        except (Halt, *UNREADABLE):
            pass
        # Raised outside the handler: as the context of another error, the half-built data would stay in memory. The
        # second, slower reading knows the places and continues after the first finding.
        raise DocumentError(self._survey[1], self)

    def place(self, path: tuple[str | int, ...], key: bool = False) -> Place:
        """The place of the value at `path` (or of its key), or of its nearest parent that exists.

        The place of an alias is where it is used; the place of a value inside it is where its anchor was written.
        """
        (key_at, value_at, _), _ = self._find(path)
        return self.at(key_at if key else value_at)

    def place_within(self, path: tuple[str | int, ...], offset: int) -> Place:
        """The place of character number `offset` of the scalar at `path`."""
        (_, value_at, value), found = self._find(path)
        if not found or not isinstance(value, str):
            return self.at(value_at)
        if self._offsets is None or self._offsets.start != value_at:
            self._offsets = ScalarOffsets(self.text, value_at, value)
        return self.at(self._offsets.position(offset))

    def written(self, path: tuple[str | int, ...]) -> str | None:
        """The text of the scalar at `path` as written in the document ("3.10", "on", "~"); None if there is no scalar."""
        (_, _, value), found = self._find(path)
        return value if found and isinstance(value, str) else None

    @cached_property
    def _survey(self) -> tuple[list[Any], list[Finding]]:
        """The second reading, which keeps places and collects all findings: the root in a list, and the findings."""
        from dagrun.documents.yaml.building import Builder, Halt
        from dagrun.documents.yaml.syntax import UNREADABLE, syntax_finding

        # The builder itself is not kept: it refers to this object, and a cycle would stay in memory for a while.
        builder = Builder(self.limits, self.at)
        try:
            builder.build(self.text)
        except Halt:
            pass
        except UNREADABLE as error:
            builder.findings.append(syntax_finding(self, error))
        return builder.top, builder.findings

    def _find(self, path: tuple[str | int, ...]) -> tuple[Entry, bool]:
        """The entry at `path` and True, or that of the nearest parent and False."""
        entry: Entry = (0, 0, self._survey[0])
        for step in (0, *path):
            inner = _child(entry[2], step)
            if inner is None:
                return entry, False
            entry = inner
        return entry, True


def _child(node: Any, step: str | int) -> Entry | None:
    inner: Entry | None = None
    if isinstance(node, dict):
        inner = node.get(step)
    elif isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        inner = node[step]
    return inner
