"""The attempts of a run: with its executor, running or prefetched, or child runs; and what is reported about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, auto

from dagrun.core.executor_protocol import Executor, Prefetching
from dagrun.core.graph import Node
from dagrun.core.outcomes import Reason
from dagrun.core.work import Attempt, AttemptResult, Work
from dagrun.runtime.child_runs import ChildRuns, PreparedChild


class PrefetchReport(Enum):
    """What can happen to a prefetched attempt before it ends."""

    BEGUN = auto()
    RETURNED = auto()


AttemptReport = AttemptResult | PrefetchReport


class AttemptListener:
    """Receives what the executor reports about one attempt."""

    __slots__ = ("attempts", "node", "number")

    def __init__(self, attempts: ActiveAttempts, node: Node, number: int) -> None:
        self.attempts = attempts
        self.node = node
        self.number = number

    def begun(self) -> None:
        self.attempts.report(self, PrefetchReport.BEGUN)

    def returned(self) -> None:
        self.attempts.report(self, PrefetchReport.RETURNED)

    def ended(self, ended: AttemptResult) -> None:
        self.attempts.report(self, ended)


class ActiveAttempts:
    """Passes attempts to an executor, or child runs to what drives them, and keeps the reports until the engine takes them.

    `wake` is called whenever there is a new report.
    """

    def __init__(
        self, executor: Executor, wake: Callable[[], None], children: ChildRuns | None = None
    ) -> None:
        self._executor = executor
        self._children = children
        self._prefetching = executor if isinstance(executor, Prefetching) else None
        self._wake = wake
        self._running: dict[int, Attempt] = {}
        self._prefetched: dict[int, Attempt] = {}
        self._child_runs: dict[int, Attempt] = {}
        # Those that the executor gets at the end of the turn.
        self._to_start: list[tuple[Work, AttemptListener]] = []
        self._to_prefetch: list[tuple[Work, AttemptListener]] = []
        self._to_open: list[tuple[PreparedChild, AttemptListener]] = []
        self._room: dict[str, int] = {}  # by workflow, in this turn
        self._reports: deque[tuple[AttemptListener, AttemptReport]] = deque()

    def __bool__(self) -> bool:
        """Whether any attempt is with the executor."""
        return bool(self._running or self._prefetched)

    @property
    def can_prefetch(self) -> bool:
        """Whether the executor takes attempts in advance."""
        return self._prefetching is not None

    def expects_end_soon(self) -> bool:
        """Whether the end of an attempt is worth polling for."""
        return self._prefetching is not None and self._prefetching.expects_end_soon()

    # --- from the engine to the executor -------------------------------------------------------------------

    def start(self, node: Node, work: Work) -> None:
        """Start an attempt at the next `launch`."""
        self._running[node.index] = work.attempt
        self._to_start.append((work, AttemptListener(self, node, work.attempt.number)))

    def start_child(self, node: Node, child: PreparedChild) -> None:
        """Start a child run at the next `launch`."""
        self._child_runs[node.index] = child.attempt
        self._to_open.append((child, AttemptListener(self, node, child.attempt.number)))

    def has_room(self, workflow: str | None) -> bool:
        """Whether the executor would take one more call of this workflow in advance."""
        if workflow is None or self._prefetching is None:
            return False
        if workflow not in self._room:
            self._room[workflow] = self._prefetching.room(workflow)
        return len(self._to_prefetch) < self._room[workflow]

    def prefetch(self, node: Node, work: Work) -> None:
        """Pass on an attempt in advance, at the next `launch`."""
        self._prefetched[node.index] = work.attempt
        self._to_prefetch.append((work, AttemptListener(self, node, work.attempt.number)))

    def launch(self) -> None:
        """Pass on to the executor what was started and prefetched since the last time."""
        starts, self._to_start = self._to_start, []
        for work, listener in starts:
            self._executor.start(work, listener.ended)
        if self._to_prefetch and self._prefetching is not None:
            prefetched, self._to_prefetch = self._to_prefetch, []
            self._prefetching.prefetch(prefetched)
        self._room.clear()
        if self._to_open and self._children is not None:
            opened, self._to_open = self._to_open, []
            for child, listener in opened:
                self._children.start(child, listener.ended, self._wake)

    def stop(self, node: Node, why: Reason | None = None) -> None:
        """Ask a task's attempt to end, for this reason."""
        if node.index in self._child_runs and self._children is not None:
            self._children.stop(self._child_runs[node.index], why)
        else:
            self._executor.stop(self._running.get(node.index) or self._prefetched[node.index])

    def kill(self) -> None:
        """End every running attempt at once."""
        for attempt in list(self._running.values()):
            self._executor.stop(attempt, now=True)
        for attempt in list(self._child_runs.values()):
            if self._children is not None:
                self._children.stop(attempt, None, now=True)

    def forget_child(self, node: Node) -> None:
        """The child run is paused: nothing will be reported about it."""
        self._child_runs.pop(node.index, None)

    def abandon(self) -> list[Attempt]:
        """Kill every attempt and ignore whatever is reported about it from now on; returns these attempts.

        Child runs are left alone: each of them abandons its own.
        """
        attempts = [*self._running.values(), *self._prefetched.values()]
        self._running.clear()
        self._prefetched.clear()
        for attempt in attempts:
            self._executor.stop(attempt, now=True)
        return attempts

    # --- from the executor to the engine -------------------------------------------------------------------

    def report(self, listener: AttemptListener, report: AttemptReport) -> None:
        """Keep a report of the executor."""
        self._reports.append((listener, report))
        self._wake()

    def reports(self) -> Iterator[tuple[Node, int, AttemptReport]]:
        """The reports that have come since the last time, in order, each with the task's node and the number of the attempt."""
        while self._reports:
            listener, report = self._reports.popleft()
            index = listener.node.index
            if isinstance(report, AttemptResult):
                is_active = (self._running.pop(index, None) or self._child_runs.pop(index, None)) is not None
            elif is_active := index in self._prefetched:
                attempt = self._prefetched.pop(index)
                if report is PrefetchReport.BEGUN:
                    self._running[index] = attempt
            if is_active:  # else it was abandoned
                yield listener.node, listener.number, report
