"""A run followed from another process: its state and the output of its tasks. Reads only what is new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dagrun.clock import Clock
from dagrun.core import event_lines
from dagrun.core.events import (
    Event,
    HookEnd,
    HookStart,
    TaskCancel,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.core.graph import Graph
from dagrun.core.hooks import id_of
from dagrun.core.record import fold, mark_interrupted
from dagrun.core.state import RunState
from dagrun.core.variants import is_of
from dagrun.storage.run_store import RunStore
from dagrun.storage.tail import Follower
from dagrun.value import Value
from dagrun.views.status import RunView, view_of

if TYPE_CHECKING:
    from dagrun.core.work import Json


LONGEST_LINE = 1 << 20  # bytes; a longer line of a log is split


class Watch:
    """The state of one run, updated from its journal."""

    def __init__(self, runs: RunStore, run_id: str, clock: Clock) -> None:
        self.run_id = run_id
        self.state = RunState(Graph.compile(runs.dag(run_id)))
        #: Whether a process drove the run at the last poll; if not, nothing more will come.
        self.live = True
        self._runs = runs
        self.clock = clock
        self._tail = runs.events(run_id)
        self._invalid = 0

    @property
    def bytes_read(self) -> int:
        """How much of the journal was read."""
        return self._tail.bytes_read

    def poll(self) -> list[Event]:
        """The events since the last poll, which are part of `state` now."""
        # Before the journal is read: so the end of a run that ends in between is not missed.
        live = self._runs.is_live(self.run_id)
        recorded: list[Event] = []
        while found := self._tail.poll():
            recorded.extend(self._decoded(found))
        if not live:
            recorded.extend(self._decoded(self._tail.finish()))
        self._invalid += fold(self.state, recorded)
        if not live:
            mark_interrupted(self.state)
        self.live = live
        return recorded

    def view(self) -> RunView:
        """The run as people see it."""
        return view_of(self.state, self.run_id, self.clock.now(), self._tail.corrupt + self._invalid)

    def close(self) -> None:
        """Close the journal."""
        self._tail.close()

    def _decoded(self, found: list[dict[str, Json]]) -> Iterator[Event]:
        for line in found:
            try:
                event = event_lines.decode(line)
            except (KeyError, TypeError, ValueError):
                self._invalid += 1
                continue
            if event is not None:
                yield event


class LogLine(Value):
    """One line of the output of an attempt."""

    task_id: str
    attempt: int
    text: str


class LogFollower:
    """The output of the attempts of a run and of its child runs, as they start and print.

    `prefix` comes before the names of tasks: those of child runs are named `task/task`.
    """

    def __init__(self, runs: RunStore, watch: Watch, task_id: str | None = None, prefix: str = "") -> None:
        self._runs = runs
        self._watch = watch
        self._task_id = task_id
        self._prefix = prefix
        self._children: dict[str, LogFollower] = {}  # by the task
        self._to_follow: dict[str, str] = {}  # child runs that have not begun, by the task
        self._running: dict[tuple[str, int], Follower] = {}
        self._ended: dict[tuple[str, int], Follower] = {}

    @property
    def live(self) -> bool:
        """Whether more may come."""
        return self._watch.live

    @property
    def bytes_read(self) -> int:
        """How much of all logs was read."""
        logs = sum(log.bytes_read for log in [*self._running.values(), *self._ended.values()])
        return logs + sum(child.bytes_read for child in self._children.values())

    def poll(self) -> Iterator[LogLine]:
        """The lines since the last poll."""
        for event in self._watch.poll():
            if isinstance(event, TaskStart) and (
                self._task_id is None or is_of(event.task_id, self._task_id)
            ):
                if event.child_run_id is not None:
                    self._to_follow[event.task_id] = event.child_run_id
                self._begin(event.task_id, event.attempt)
            elif isinstance(event, HookStart) and self._task_id in (None, id_of(event.hook)):
                self._begin(id_of(event.hook), event.attempt)
            elif isinstance(event, HookEnd) and event.attempt is not None:
                yield from self._end(id_of(event.hook), event.attempt)
            elif (
                isinstance(event, TaskOk | TaskRetry | TaskFail | TaskSkip | TaskCancel)
                and event.attempt is not None
            ):
                yield from self._poll_children(event.task_id)
                yield from self._end(event.task_id, event.attempt)
        yield from self._poll_children()
        for key, log in self._running.items():
            yield from self._new(key, log)
        if not self.live:
            yield from self._last()

    def close(self) -> None:
        """Close all files."""
        for log in self._running.values():
            log.close()
        for child in self._children.values():
            child.close()
        self._watch.close()

    def _poll_children(self, ended: str | None = None) -> Iterator[LogLine]:
        """The lines of child runs; of one that has `ended`, the last ones."""
        for task_id, run_id in list(self._to_follow.items()):
            if self._runs.has(run_id):
                watch = Watch(self._runs, run_id, self._watch.clock)
                self._children[task_id] = LogFollower(self._runs, watch, prefix=f"{self._prefix}{task_id}/")
                del self._to_follow[task_id]
        for task_id, child in list(self._children.items()):
            if ended in (None, task_id):
                yield from child.poll()
            if task_id == ended or not child.live:
                child.close()
                del self._children[task_id]

    def _begin(self, task_id: str, attempt: int) -> None:
        path = self._runs.log_path(self._watch.run_id, task_id, attempt)
        self._running[task_id, attempt] = Follower(path, LONGEST_LINE)

    def _end(self, task_id: str, attempt: int) -> Iterator[LogLine]:
        key = task_id, attempt
        log = self._running.pop(key, None)
        if log is not None:
            yield from self._new(key, log, last=True)
            log.close()
            self._ended[key] = log

    def _last(self) -> Iterator[LogLine]:
        """The rest: output of attempts without a recorded end, and output after the end, by processes left running."""
        for key, log in [*self._ended.items(), *self._running.items()]:
            yield from self._new(key, log, last=True)
            log.close()

    def _new(self, key: tuple[str, int], log: Follower, *, last: bool = False) -> Iterator[LogLine]:
        named = self._prefix + key[0], key[1]
        while found := log.poll():
            yield from _as_text(named, found)
        if last:
            yield from _as_text(named, log.finish())


def _as_text(key: tuple[str, int], found: list[bytes]) -> Iterator[LogLine]:
    for line in found:
        for text in line.decode("utf-8", "replace").splitlines() or [""]:
            yield LogLine(*key, text)
