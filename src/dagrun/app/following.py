"""A run that is seen from outside while it runs: its state and its tasks' output, reading only what is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagrun.clock import Clock
from dagrun.core import events
from dagrun.core.events import Event, TaskCancel, TaskFail, TaskOk, TaskRetry, TaskSkip, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.record import fold, mark_interrupted
from dagrun.core.state import RunState
from dagrun.core.variants import is_of
from dagrun.storage.run_store import RunStore
from dagrun.storage.tail import Follower
from dagrun.views.status import RunView, view_of

if TYPE_CHECKING:
    from dagrun.core.work import Json


LONGEST_LINE = 1 << 20  # bytes of a log's line that are handed out at once


class Watch:
    """The fold of one run's facts, carried on by what is added to its journal."""

    def __init__(self, runs: RunStore, run_id: str, clock: Clock) -> None:
        self.run_id = run_id
        self.state = RunState(Graph.compile(runs.dag(run_id)))
        #: Whether somebody drove the run at the last look; when nobody does, nothing more will come.
        self.live = True
        self._runs = runs
        self._clock = clock
        self._tail = runs.events(run_id)
        self._misfits = 0

    @property
    def bytes_read(self) -> int:
        """What was read of the journal."""
        return self._tail.bytes_read

    def poll(self) -> list[Event]:
        """The facts since the last look; they are in `state` now."""
        # Asked before the journal is read: a run that ends in between is seen with its end.
        live = self._runs.is_live(self.run_id)
        facts: list[Event] = []
        while found := self._tail.poll():
            facts.extend(self._facts(found))
        if not live:
            facts.extend(self._facts(self._tail.finish()))
        self._misfits += fold(self.state, facts)
        if not live:
            mark_interrupted(self.state)
        self.live = live
        return facts

    def view(self) -> RunView:
        """The run as it stands."""
        return view_of(self.state, self.run_id, self._clock.now(), self._tail.corrupt + self._misfits)

    def close(self) -> None:
        """Let go of the journal."""
        self._tail.close()

    def _facts(self, found: list[dict[str, Json]]) -> Iterator[Event]:
        for line in found:
            try:
                event = events.decode(line)
            except (KeyError, TypeError, ValueError):
                self._misfits += 1
                continue
            if event is not None:
                yield event


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that an attempt has printed."""

    task_id: str
    attempt: int
    text: str


class LogFollower:
    """What the attempts of a run print, as it comes; attempts join as they start."""

    def __init__(self, runs: RunStore, watch: Watch, task_id: str | None = None) -> None:
        self._runs = runs
        self._watch = watch
        self._task_id = task_id
        self._running: dict[tuple[str, int], Follower] = {}
        self._ended: dict[tuple[str, int], Follower] = {}

    @property
    def live(self) -> bool:
        """Whether more may come."""
        return self._watch.live

    @property
    def bytes_read(self) -> int:
        """What was read of all logs."""
        return sum(log.bytes_read for log in [*self._running.values(), *self._ended.values()])

    def poll(self) -> Iterator[LogLine]:
        """The lines since the last look. It ends when there are none for now."""
        for fact in self._watch.poll():
            if isinstance(fact, TaskStart) and (self._task_id is None or is_of(fact.task_id, self._task_id)):
                path = self._runs.log_path(self._watch.run_id, fact.task_id, fact.attempt)
                self._running[fact.task_id, fact.attempt] = Follower(path, LONGEST_LINE)
            elif (
                isinstance(fact, TaskOk | TaskRetry | TaskFail | TaskSkip | TaskCancel)
                and fact.attempt is not None
            ):
                yield from self._end(fact.task_id, fact.attempt)
        for key, log in self._running.items():
            yield from _new(key, log)
        if not self.live:
            yield from self._last()

    def close(self) -> None:
        """Let go of all files."""
        for log in self._running.values():
            log.close()
        self._watch.close()

    def _end(self, task_id: str, attempt: int) -> Iterator[LogLine]:
        key = task_id, attempt
        log = self._running.pop(key, None)
        if log is not None:
            yield from _new(key, log, last=True)
            log.close()
            self._ended[key] = log

    def _last(self) -> Iterator[LogLine]:
        """What is left: of attempts without a recorded end, and what was printed late (by what a body left behind)."""
        for key, log in [*self._ended.items(), *self._running.items()]:
            yield from _new(key, log, last=True)
            log.close()


def _new(key: tuple[str, int], log: Follower, *, last: bool = False) -> Iterator[LogLine]:
    while found := log.poll():
        yield from _as_text(key, found)
    if last:
        yield from _as_text(key, log.finish())


def _as_text(key: tuple[str, int], found: list[bytes]) -> Iterator[LogLine]:
    for line in found:
        for text in line.decode("utf-8", "replace").splitlines() or [""]:
            yield LogLine(*key, text)
