"""RunState: a run, folded from its events. No I/O, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from dagrun.clock import from_rfc3339
from dagrun.core.events import (
    Answer,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    CancelIgnored,
    CancelRequested,
    DagDone,
    DagPause,
    DagResume,
    DagStart,
    Event,
    HookEnd,
    HooksStart,
    HookStart,
    RunLate,
    SignalReceived,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
    TaskWait,
)
from dagrun.core.frontier import Frontier
from dagrun.core.graph import Graph, Node
from dagrun.core.hook_states import HookStates
from dagrun.core.hooks import due, due_late, node_of
from dagrun.core.model import OnError, RetryDefaults
from dagrun.core.outcomes import FAILED, STOPS, Outcome, Reason, RunStatus, Status
from dagrun.core.task_state import TaskState, summary_of
from dagrun.core.variants import item_numbers
from dagrun.core.work import Blob, Json
from dagrun.value import replace


class RunState:
    """The state of a run after its events. `apply` folds one event in and costs O(edges of its task).

    `nodes` and `index` are those of the graph, and grow when the list of a for_each is known: read them here, not there.
    `frontier` has what is needed to decide what comes next; it is new with every stretch.
    """

    def __init__(self, graph: Graph, defaults: RetryDefaults | None = None) -> None:
        self.graph = graph
        self.defaults = defaults or RetryDefaults()
        self.nodes = list(graph.nodes)
        self.index = dict(graph.index) if graph.grows else graph.index
        self.items: dict[int, Sequence[Json] | Blob] = {}  # of each for_each whose list is known
        self.tasks = [TaskState() for _ in graph.nodes]
        self.status = RunStatus.PENDING
        self.reason = ""
        self.started_at: float | None = None
        self.stretch_started_at: float | None = None  # when the present stretch began
        self.finished_at: float | None = None
        self.duration: float | None = None
        self.outputs: Mapping[str, Json] = {}
        self.cancel: CancelRequested | None = None  # of the present stretch
        self.cancel_ignored: CancelIgnored | None = None
        self.start: DagStart | None = None
        self.signals: dict[str, SignalReceived] = {}  # the last one of each name
        self.hooks = HookStates()
        self.late: RunLate | None = None
        self.late_at: float | None = None  # when the run is late
        self.frontier = Frontier(self.nodes, self.tasks, 1)

    @property
    def has_ended(self) -> bool:
        """Whether the end of the run is recorded. A resume may begin another stretch."""
        return self.finished_at is not None

    @property
    def may_be_late(self) -> bool:
        """Whether it can become late: it was not yet, and some task has not ended."""
        return self.late is None and self.late_at is not None and self.frontier.unended > 0

    @property
    def stretch_is_over(self) -> bool:
        """Whether no process has anything to do for the run: it has ended, or it waits for a person."""
        return self.has_ended or self.status is RunStatus.WAITING

    # --- the fold ------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Fold one event in.

        Raises LookupError or ValueError for an event that does not fit the DAG.
        """
        self.frontier.steps += 1
        match event:
            case TaskStart():
                self._start(event)
            case TaskWait():
                self._wait(event)
            case ApprovalGranted() | ApprovalRejected() | ApprovalExpired():
                self._answer(self.index[event.task_id], event)
            case SignalReceived():
                self.signals[event.signal] = event
                for i in self.frontier.waits.for_signal(event.signal):
                    if self.tasks[i].answer is None:
                        self._answer(i, event)
            case TaskOk():
                self._ok(event)
            case TaskRetry():
                self._retry(event)
            case TaskFail():
                self._fail(event)
            case TaskSkip():
                self._skip(event)
            case TaskCancel():
                i = self._index(event.task_id)
                self.frontier.leave(i)
                self.tasks[i].duration = event.duration_seconds
                self._close(i, event.timestamp, Status.CANCELLED, event.reason, event.detail)
            case TaskExpand():
                self._expand(event)
            case DagStart():
                self.start = event
                self.status = RunStatus.RUNNING
                self.started_at = event.timestamp
                self.frontier.max_parallel = event.max_parallel
                self.late_at = self._late_at(event)
                self._begin_stretch(event.timestamp)
            case DagResume():
                self._resume(event)
            case CancelIgnored():
                self.cancel_ignored = event
            case CancelRequested():
                if self.status is RunStatus.WAITING:
                    self._continue()
                if self.hooks:
                    self.hooks.cancel_all(event)
                    return
                self.cancel = self.cancel or event
                self.stop(Reason.CANCELLED)
            case RunLate():
                if self.late is None:
                    self.late = event
                    self.hooks.late(due_late(self.graph.dag))
            case HooksStart():
                if self.frontier.unended:
                    raise ValueError("not all tasks have ended")
                self.hooks.begin(event)
            case HookStart():
                self.hooks.start(event, node_of(self.graph.dag, event.hook).task.timeout)
            case HookEnd():
                self.hooks.end(event)
            case DagPause():
                self.status = RunStatus.WAITING
                self.duration = event.duration_seconds
                self.frontier.pause(event.timestamp)
            case DagDone():
                self.status = RunStatus(event.status)
                self.reason = event.reason
                self.finished_at = event.timestamp
                self.duration = event.duration_seconds
                self.outputs = event.outputs or {}
            case _:
                assert_never(event)

    def _late_at(self, start: DagStart) -> float | None:
        sla = self.graph.dag.sla
        if start.start_by is not None and start.timestamp > from_rfc3339(start.start_by):
            return start.timestamp
        within = None if sla is None else sla.finish_within
        return None if within is None else start.timestamp + within

    def _index(self, task_id: str) -> int:
        """The index of the task of an event."""
        if self.stretch_is_over:  # the line that began this stretch is damaged
            self.hooks.resume((), goes_on=False)
            self._continue()
        return self.index[task_id]

    def _begin_stretch(self, now: float) -> None:
        self.stretch_started_at = now
        if self.graph.dag.timeout is not None:
            self.frontier.deadline = now + self.graph.dag.timeout

    def _resume(self, event: DagResume) -> None:
        """A new stretch: what runs again is as if it had never run, but the numbers of attempts continue.

        After a pause everything is as it was, a stop too.
        """
        is_paused = self.status is RunStatus.WAITING
        for i in (self.index[task_id] for task_id in event.rerun if task_id in self.index):
            attempts = self.tasks[i].attempt
            goes_on = is_paused and self.tasks[i].status is Status.WAITING  # a child run, which is driven on
            if goes_on:
                self.frontier.leave(i)
            child = self.tasks[i].child_run_id
            self.tasks[i] = TaskState(attempt=attempts, attempts_before=attempts, child_run_id=child)
            if goes_on:
                self.frontier.may_start(i)
        if self.start is not None and event.params is not None:
            self.start = replace(self.start, params=event.params, masked_params=event.masked_params)
        self.cancel = None
        outcome = self.hooks.outcome
        self.hooks.resume(
            due(self.graph.dag, outcome.status) if outcome else (),
            goes_on=not (self.has_ended or event.rerun),
        )
        if is_paused:
            self.frontier.unpause(event.timestamp, event.max_parallel)
            self.stretch_started_at = event.timestamp
        else:
            self.frontier = Frontier(self.nodes, self.tasks, event.max_parallel)
            self._begin_stretch(event.timestamp)
        self._continue()

    def _continue(self) -> None:
        self.status, self.reason, self.duration, self.finished_at = RunStatus.RUNNING, "", None, None

    def _start(self, event: TaskStart) -> None:
        i = self._index(event.task_id)
        task = self.tasks[i]
        self.frontier.reopen(i)
        self.frontier.leave(i)  # if the line that ended its last attempt is damaged
        task.status = Status.RUNNING
        task.attempt = event.attempt
        task.started_at = event.timestamp
        task.retry_at = None
        task.child_run_id = event.child_run_id
        self.frontier.start(i, event.timestamp, event.attempt)

    def _wait(self, event: TaskWait) -> None:
        if not event.is_valid:
            raise ValueError(f"'{event.task_id}' waits for nothing")
        i = self._index(event.task_id)
        task = self.tasks[i]
        self.frontier.reopen(i)
        self.frontier.leave(i)
        task.status = Status.WAITING
        task.attempt = event.attempt
        task.started_at = event.timestamp
        task.retry_at = None
        task.wait, task.answer = event, self.signals.get(event.signal or "")
        task.child_run_id = event.child_run_id
        self.frontier.wait(i)

    def _answer(self, i: int, event: Answer) -> None:
        """What ends the wait of a task has come. Its own end is recorded by the next stretch, or by this one."""
        task = self.tasks[i]
        attempt = task.attempt if isinstance(event, SignalReceived) else event.attempt
        if task.status is not Status.WAITING or task.answer is not None or task.attempt != attempt:
            raise ValueError(f"'{self.nodes[i].task.id}' does not wait for this")
        task.answer = event
        self.frontier.waits.end(i)

    def _ok(self, event: TaskOk) -> None:
        i = self._index(event.task_id)
        task, node = self.tasks[i], self.nodes[i]
        is_group = node.members is not None
        if is_group is (event.summary is None) or (node.each is not None and not is_group):
            raise ValueError(f"'{event.task_id}' was a group when this was recorded, or has become one")
        self.frontier.leave(i)
        task.outputs = event.result
        task.changed = event.changed
        task.duration = event.duration_seconds
        task.error = task.error_type = task.exit_code = None
        reason = Reason.REUSED if event.reused_from else Reason.COMPLETED
        self._close(i, event.timestamp, Status.SUCCESS, reason)

    def _retry(self, event: TaskRetry) -> None:
        i = self._index(event.task_id)
        self.frontier.leave(i)
        self.frontier.reopen(i)
        self._failure(i, event)
        task = self.tasks[i]
        task.status = Status.RETRYING
        task.retry_at = round(event.timestamp + event.delay_seconds, 3)
        self.frontier.retry(i, task.retry_at)

    def _fail(self, event: TaskFail) -> None:
        i = self._index(event.task_id)
        self.frontier.leave(i)
        self._failure(i, event)
        self.tasks[i].outputs = event.result
        status, reason = Status.FAILED, Reason.TASK_FAILED
        if event.timed_out:
            status, reason = Status.TIMED_OUT, Reason.TIMED_OUT
        self._close(i, event.timestamp, status, reason)
        if self.nodes[i].members is not None:  # the failures of its variants have stopped what they stop
            return
        task = self.nodes[i].task
        policy = task.on_error or self.graph.dag.on_error
        if not task.tolerates(event.exit_code) and policy is OnError.STOP_ALL:
            if self.frontier.stopping is None:
                self.frontier.cause = event.task_id
            self.stop(Reason.STOP_ALL)

    def _skip(self, event: TaskSkip) -> None:
        i = self._index(event.task_id)
        if event.attempt is not None:
            self.frontier.leave(i)
            self.tasks[i].duration, self.tasks[i].exit_code = event.duration_seconds, event.exit_code
        self._close(i, event.timestamp, Status.SKIPPED, event.reason, event.detail)

    def _failure(self, i: int, event: TaskRetry | TaskFail) -> None:
        task = self.tasks[i]
        task.error, task.error_type, task.exit_code = event.error, event.error_type, event.exit_code
        task.duration = event.duration_seconds

    def _close(self, i: int, now: float, status: Status, reason: str, detail: str = "") -> None:
        task, node = self.tasks[i], self.nodes[i]
        self.frontier.reopen(i)
        if node.members is not None:
            task.changed = task.changed or any(self.tasks[member].changed for member in node.members) or None
        task.status, task.reason, task.detail = status, reason, detail
        task.finished_at = now
        task.retry_at = None
        self.frontier.close(i)
        if status in (Status.SKIPPED, Status.CANCELLED) and reason in STOPS:
            self.stop(Reason(reason))

    def _expand(self, event: TaskExpand) -> None:
        """The list of a for_each is known: add its variants."""
        group = self._index(event.task_id)
        node = self.nodes[group]
        if node.each is None:
            raise ValueError(f"'{event.task_id}' is no for_each")
        if node.members is not None:
            return
        numbers = item_numbers(node.task, event.count)
        members = range(len(self.nodes), len(self.nodes) + len(numbers))
        self.items[group] = event.items_file or event.items or ()
        self.nodes.extend(node.expanded(numbers, members))
        self.nodes[group] = replace(node, needs=tuple(members) or node.needs, members=members)
        self.index.update((self.nodes[i].task.id, i) for i in members)
        self.tasks.extend(TaskState() for _ in members)
        for dep in node.needs if members else ():
            above = self.nodes[dep]
            others = (i for i in above.dependents if i != group)
            self.nodes[dep] = replace(above, dependents=(*others, *members))
        self.frontier.expand(group, members)

    def stop(self, why: Reason) -> None:
        """Let nothing new start, and end what has not ended, for one of `outcomes.STOPS`."""
        self.frontier.stop(why, self.in_file_order())

    # --- readers -------------------------------------------------------------------------------------------

    def outcome(self, i: int) -> Outcome:
        """What the end of the task counts as for its dependents."""
        return self.frontier.outcome(i)

    def failed_above(self, i: int) -> bool:
        """Whether some ancestor of the task failed."""
        return bool(self.frontier.failed_above[i])

    def failures(self) -> Iterator[str]:
        """The tasks that failed and were not tolerated, in file order; of a group its variants."""
        for i in self.in_file_order():
            node, task = self.nodes[i], self.tasks[i]
            if task.status in FAILED and node.members is None and not node.task.tolerates(task.exit_code):
                yield node.task.id

    def status_of_group(self, node: Node) -> Status:
        """The status of a group whose variants have begun, and have not all ended."""
        found = {self.tasks[i].status for i in node.members or ()}
        waits = Status.WAITING in found and found.isdisjoint((Status.RUNNING, Status.RETRYING))
        return Status.WAITING if waits else Status.RUNNING

    def counts(self) -> dict[Status, int]:
        """The number of tasks with each status that occurs; variants count, their group does not."""
        counts: dict[Status, int] = {}
        for node, task in zip(self.nodes, self.tasks, strict=True):
            if node.members is None:
                counts[task.status] = counts.get(task.status, 0) + 1
        return counts

    def in_file_order(self) -> Iterable[int]:
        """All nodes in file order: variants come right before their group."""
        if len(self.nodes) == len(self.graph.nodes):
            return range(len(self.nodes))
        return (
            i
            for node in self.nodes[: len(self.graph.nodes)]
            for i in (*((node.members or ()) if node.each is not None else ()), node.index)
        )

    def summary(self, node: Node) -> str:
        """How many of the variants of a group have succeeded: `4/6 passed`."""
        return summary_of([self.tasks[i] for i in node.members or ()])
