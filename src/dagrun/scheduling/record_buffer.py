"""What a scheduler tells the state store: in order, and kept until it can be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.errors import RecordError

MAX_PENDING = 10_000  # lines that are kept while nothing can be written; then the oldest are given up


class RecordBuffer:
    """Writes lines one after the other, and tells each to whoever listens. A disk that is full loses none of them and stops nobody: claims are the truth."""

    def __init__(
        self, write: Callable[[Mapping[str, Json]], None], report: Callable[[str], None],
        now: Callable[[], float], tell: Callable[[Mapping[str, Json]], None],
    ) -> None:  # fmt: skip
        self._write = write
        self._report = report
        self._now = now
        self._record = tell
        self._lines: deque[Mapping[str, Json]] = deque()
        self._given_up = 0
        self._trouble = ""

    @property
    def is_empty(self) -> bool:
        """Whether all is written."""
        return not self._lines and not self._given_up

    def record(self, line: Mapping[str, Json]) -> None:
        """Write a line, or keep it for later."""
        if len(self._lines) >= MAX_PENDING:
            self._lines.popleft()
            self._given_up += 1
        self._lines.append({"timestamp": to_rfc3339(self._now()), **line})
        self._record(line)
        self.flush()

    def flush(self) -> None:
        """Write what was kept, as far as that is possible."""
        while self._lines:
            try:
                self._write(self._lines[0])
            except (RecordError, ValueError) as error:
                if isinstance(error, ValueError):  # it will never be written
                    self._lines.popleft()
                if self._trouble != str(error):
                    self._trouble = str(error)
                    self._report(f"Error: {error}")
                if isinstance(error, ValueError):
                    continue
                return
            self._lines.popleft()
            self._trouble = ""
        if self._given_up:
            self._report(
                f"Error: {self._given_up} lines of the state store are lost: it could not be written"
            )
            self._given_up = 0
