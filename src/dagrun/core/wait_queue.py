"""The waiting tasks of a stretch, by what ends them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from typing import Final

from dagrun.core.events import TaskWait
from dagrun.core.outcomes import Status
from dagrun.core.task_state import TaskState

#: Seconds between two looks at a file.
FILE_INTERVAL: Final = 0.5

#: What is compared to see whether a file has changed; None: there is no file.
Fingerprint = tuple[int, ...] | None


class WaitQueue:
    """What waiting tasks wait for. Every change costs O(log tasks).

    The heaps may hold tasks that do not wait any more: they are dropped when their turn comes.
    """

    def __init__(self, tasks: Sequence[TaskState]) -> None:
        """The waits of a new stretch: those of the tasks that wait already."""
        self._tasks = tasks
        self._moments: list[tuple[float, int, int]] = []  # with the number of the attempt
        self._checks: list[tuple[float, int, int]] = []
        self._ended: deque[int] = deque()
        self._seen: dict[int, tuple[Fingerprint, float]] = {}  # and since when it is so
        self._come: set[int] = set()  # waits whose file is there
        self._signals: dict[str, set[int]] = {}
        #: How many waits only a person or another program ends, and how many a moment or a file.
        self.for_someone = 0
        self.for_something = 0
        for i, task in enumerate(tasks):
            if task.status is Status.WAITING:
                self.begin(i)

    def begin(self, i: int) -> None:
        """The task waits. Raises ValueError for a damaged moment."""
        task = self._tasks[i]
        wait = task.wait
        assert wait is not None
        moments = [moment for moment in (wait.ends_at, wait.fails_at) if moment is not None]
        self._count(wait, 1)
        if wait.signal is not None:
            self._signals.setdefault(wait.signal, set()).add(i)
        if moments:
            heapq.heappush(self._moments, (min(moments), i, task.attempt))
        if wait.file is not None:
            self._seen.pop(i, None)
            self._come.discard(i)
            heapq.heappush(self._checks, (wait.timestamp, i, task.attempt))
        if task.answer is not None:
            self._ended.append(i)

    def leave(self, i: int) -> None:
        """The task does not wait any more."""
        wait = self._tasks[i].wait
        if wait is not None:
            self._count(wait, -1)
            self._signals.get(wait.signal or "", set()).discard(i)

    def end(self, i: int) -> None:
        """What the task waits for has come."""
        self._ended.append(i)

    def for_signal(self, name: str) -> list[int]:
        """The tasks that wait for this signal."""
        return sorted(self._signals.get(name, ()))

    def file_checked(self, i: int, fingerprint: Fingerprint, now: float) -> None:
        """How the file of a wait looks now."""
        heapq.heappop(self._checks)
        task = self._tasks[i]
        settle = (task.wait.settle_seconds or 0.0) if task.wait else 0.0
        known, since = self._seen.get(i, (None, now))
        since = since if fingerprint == known else now
        self._seen[i] = fingerprint, since
        if fingerprint is not None and now - since >= settle:
            self._ended.append(i)
            self._come.add(i)
            return
        left = since + settle - now if fingerprint is not None else FILE_INTERVAL
        heapq.heappush(self._checks, (round(now + min(FILE_INTERVAL, left), 3), i, task.attempt))

    def has_come(self, i: int) -> bool:
        """Whether the file that the task waits for is there, and has settled."""
        return i in self._come

    def ended(self) -> int | None:
        """A task whose wait has ended, and that has not."""
        while self._ended:
            if self._tasks[self._ended[0]].status is Status.WAITING:
                return self._ended[0]
            self._ended.popleft()
        return None

    def due(self, now: float) -> int | None:
        """A task whose wait ends or fails because of the time."""
        return self._first(self._moments, now)

    def to_check(self, now: float) -> int | None:
        """A task whose file is to be looked at."""
        return self._first(self._checks, now)

    def wake_at(self) -> float | None:
        """The next moment at which something is due."""
        heaps = (self._moments, self._checks)
        return min(
            (heap[0][0] for heap in heaps if self._first(heap, float("inf")) is not None), default=None
        )

    def _count(self, wait: TaskWait, change: int) -> None:
        if wait.is_for_someone:
            self.for_someone += change
        else:
            self.for_something += change

    def _first(self, heap: list[tuple[float, int, int]], now: float) -> int | None:
        while heap and heap[0][0] <= now:
            _, i, attempt = heap[0]
            task = self._tasks[i]
            if task.status is Status.WAITING and task.attempt == attempt:
                return i
            heapq.heappop(heap)
        return None
