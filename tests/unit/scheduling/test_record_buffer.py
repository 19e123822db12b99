"""Lines for the state store: in order, once, and kept while they cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagrun.errors import RecordError
from dagrun.scheduling import record_buffer as module
from dagrun.scheduling.record_buffer import RecordBuffer


class Store:
    """A state store on a disk that a test fills and frees."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reports: list[str] = []
        self.notified: list[str] = []
        self.is_full = False

    def write(self, line: Mapping[str, Any]) -> None:
        if self.is_full:
            raise RecordError("cannot write it: no space")
        if line["event"] == "bad":
            raise ValueError("an event of the state store must be JSON")
        self.lines.append(line["event"])

    def buffer(self) -> RecordBuffer:
        return RecordBuffer(
            self.write, self.reports.append, lambda: 0.0, lambda line: self.notified.append(line["event"])
        )


def test_what_cannot_be_written_is_written_later_in_order_but_notified_at_once() -> None:
    store = Store()
    buffer = store.buffer()
    store.is_full = True
    for event in ("a", "b"):
        buffer.record({"event": event})
    assert (store.lines, store.notified, buffer.is_empty) == ([], ["a", "b"], False)
    store.is_full = False
    buffer.record({"event": "c"})
    assert (store.lines, buffer.is_empty) == (["a", "b", "c"], True)
    assert store.reports == ["Error: cannot write it: no space"]


def test_a_line_that_can_never_be_written_holds_up_no_other() -> None:
    store = Store()
    buffer = store.buffer()
    for event in ("a", "bad", "b"):
        buffer.record({"event": event})
    assert (store.lines, buffer.is_empty) == (["a", "b"], True)
    assert store.reports == ["Error: an event of the state store must be JSON"]


def test_it_keeps_so_many_lines_and_says_how_many_are_lost(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 2)
    store = Store()
    buffer = store.buffer()
    store.is_full = True
    for event in ("a", "b", "c", "d"):
        buffer.record({"event": event})
    store.is_full = False
    buffer.flush()
    assert store.lines == ["c", "d"]
    assert "2 lines of the state store are lost" in store.reports[-1]
