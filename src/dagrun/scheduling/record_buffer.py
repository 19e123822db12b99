"""Writes lines to the state store in order, and keeps those that cannot be written for later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.errors import RecordError

MAX_PENDING = 10_000  # lines that are kept while nothing can be written; beyond that the oldest are dropped


class RecordBuffer:
    """Lines on their way to the state store. A full disk loses none of them and stops nothing, since claims are the truth.

    `notify` receives every line at once, whether it can be written or not.
    """

    def __init__(
        self, write: Callable[[Mapping[str, Json]], None], report: Callable[[str], None],
        now: Callable[[], float], notify: Callable[[Mapping[str, Json]], None],
    ) -> None:  # fmt: skip
        self._write = write
        self._report = report
        self._now = now
        self._notify = notify
        self._lines: deque[Mapping[str, Json]] = deque()
        self._dropped = 0
        self._problem = ""

    @property
    def is_empty(self) -> bool:
        """Whether everything is written."""
        return not self._lines and not self._dropped

    def record(self, line: Mapping[str, Json]) -> None:
        """Write a line, or keep it for later."""
        if len(self._lines) >= MAX_PENDING:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append({"timestamp": to_rfc3339(self._now()), **line})
        self._notify(line)
        self.flush()

    def flush(self) -> None:
        """Write the lines that were kept, as far as possible."""
        while self._lines:
            try:
                self._write(self._lines[0])
                self._problem = ""
            except RecordError as error:
                self._report_once(error)
                return
            except ValueError as error:  # this line can never be written
                self._report_once(error)
            self._lines.popleft()
        if self._dropped:
            self._report(f"Error: {self._dropped} lines of the state store are lost: it could not be written")
            self._dropped = 0

    def _report_once(self, error: Exception) -> None:
        if self._problem != str(error):
            self._problem = str(error)
            self._report(f"Error: {error}")
