"""RunState: the one fold of a run's facts, and what to do next. No I/O, no clock, no randomness."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dagrun.decisions import Ask, Conclude, Decision, Drop, Expand, Finish, Queue, Skip, Start, Stop
from dagrun.events import (
    CancelIgnored,
    CancelRequested,
    DagDone,
    DagResume,
    DagStart,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.graph import Graph, Node
from dagrun.model import OnError, Retry, Task, Trigger
from dagrun.outcomes import EDGES, FINAL, LASTING, End, Reason, RunStatus, Status, end_of
from dagrun.work import Blob, Ended, Json, Outputs

#: What stops a run, each stronger than those before it: a later, stronger one also ends what the first had spared.
_STOPS = (Reason.STOP_ALL, Reason.RUN_TIMEOUT, Reason.CANCELLED)
_WORSE = (Reason.DEPENDENCY_SKIPPED, Reason.DEPENDENCY_FAILED)  # the second is the one to tell
_FAILED = (Status.FAILED, Status.TIMED_OUT)
_MAY_START = (Status.PENDING, Status.RETRYING)
_MOST_NAMES = 5  # of variants, in one sentence


@dataclass(slots=True)
class TaskState:
    """One task of a run, as its facts say. Moments in seconds since the epoch, durations in seconds."""

    status: Status = Status.PENDING
    reason: str = ""
    detail: str = ""
    attempt: int = 0
    attempts_before: int = 0  # those of earlier stretches, which count for no retry
    changed: bool | None = None
    started_at: float | None = None
    finished_at: float | None = None
    duration: float | None = None
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None
    retry_at: float | None = None
    outputs: Outputs = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryDefaults:
    """The settings behind a task's `retry`: the first delay in seconds and the jitter as a share of a delay."""

    initial: float = 0.4
    jitter: float = 0.2

    def delay(self, retry: Retry, attempt: int, chance: float) -> float:
        """Seconds to wait after failed attempt number `attempt`; `chance` in [0, 1) places it within the jitter."""
        initial = self.initial if retry.initial is None else retry.initial
        jitter = self.jitter if retry.jitter is None else retry.jitter
        # Past the cap the power no longer matters; bounding it keeps 2 ** 5000 from overflowing.
        base = min(initial * retry.factor ** min(attempt - 1, 64), retry.max)
        return round(max(0.0, base * (1 + jitter * (2 * chance - 1))), 3)


def _condition_text(task: Task) -> str:
    parts = [
        f"{word}: {text}"
        for word, text in (("if", task.condition), ("unless", task.unless))
        if text is not None
    ]
    return ", ".join(parts)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


@dataclass(slots=True)
class _Lane:
    """The variants of one group that may start, and how many run: at most `most` at once.

    In the queue of all tasks the group stands for the first of them, while one could start.
    """

    most: int | None
    ready: list[int] = field(default_factory=list)
    running: int = 0
    queued: bool = False

    @property
    def is_open(self) -> bool:
        """Whether one more may start, as far as the group is concerned."""
        return bool(self.ready) and (self.most is None or self.running < self.most)


class RunState:
    """Folds facts with `apply`, says with `next` what is to be done now.

    Every fact costs O(the task's edges), every decision O(log tasks): the sets below are kept, never searched.
    `next` changes nothing a fact could tell; a decision stands until the fact that follows from it is applied
    (or, for a Stop or a Queue, until `note` says that it is done, and for an Ask until `answer` is called).

    `nodes` and `index` are the graph's, and grow where a for_each learns its list: read them here, not there.
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
        self.cancel_ignored: CancelIgnored | None = None
        self.start: DagStart | None = None
        self.steps = 0  # how much work the fold has done; a test holds it to O(tasks + edges)
        self._begin_stretch(1)

    def _begin_stretch(self, max_parallel: int) -> None:
        """Build from the tasks' states everything that `next` looks at. Of what has ended, all has ended well."""
        nodes = self.nodes
        ended = [task.status in FINAL for task in self.tasks]
        self.cancel: CancelRequested | None = None
        self.stopping: Reason | None = None
        self.cause = ""  # the task whose failure stopped the run
        self.running = 0
        self.max_parallel = max_parallel
        self._unended = ended.count(False)
        self._missing = [len(node.needs) for node in nodes]
        # What ended in an earlier stretch counts for its dependents only when all above it has ended too: they may ask
        # whether something above them failed.
        over = [i for i, missing in enumerate(self._missing) if not missing and ended[i]]
        for i in over:  # it grows meanwhile
            for dependent in nodes[i].dependents:
                self._missing[dependent] -= 1
                if not self._missing[dependent] and ended[dependent]:
                    over.append(dependent)
        self._held = {i for i, missing in enumerate(self._missing) if missing and ended[i]}
        free = [i for i, missing in enumerate(self._missing) if not missing and not ended[i]]
        self._settled = deque(i for i in free if nodes[i].members is None)
        self._whole = deque(
            i for i in free if nodes[i].members is not None
        )  # groups whose variants have ended
        self._ready: list[int] = []  # tasks, and groups that have a variant which may start
        self._lanes: dict[int, _Lane] = {}
        self._retries: list[tuple[float, int]] = []
        self._deadlines: list[tuple[float, int, int]] = []
        self._deadline: float | None = None
        self._sweep: deque[int] = deque()
        self._told: dict[int, Reason] = {}
        self._queued: set[int] = set()  # handed to a worker, and not begun
        self.ahead = False  # whether more may be queued; the engine knows
        self._answers: dict[int, bool] = {}
        self._failed_above = bytearray(len(nodes))  # whether some ancestor failed

    # --- facts ---------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Fold one fact in."""
        self.steps += 1
        if self.finished_at is not None and hasattr(event, "task_id"):
            self._go_on()  # the line that began this stretch was damaged
        match event:
            case TaskStart():
                self._start(event)
            case TaskOk():
                self._ok(event)
            case TaskRetry():
                self._retry(event)
            case TaskFail():
                self._fail(event)
            case TaskSkip():
                i = self.index[event.task_id]
                self._close(i, event, Status.SKIPPED, event.reason, event.detail)
            case TaskCancel():
                i = self.index[event.task_id]
                self._leave_running(i)
                self.tasks[i].duration = event.duration_seconds
                self._close(i, event, Status.CANCELLED, event.reason, event.detail)
            case TaskExpand():
                self._expand(event)
            case DagStart():
                self._begin(event)
            case DagResume():
                self._resume(event)
            case CancelIgnored():
                self.cancel_ignored = event
            case CancelRequested():
                self.cancel = self.cancel or event
                self._stop(Reason.CANCELLED)
            case DagDone():
                self.status = RunStatus(event.status)
                self.reason = event.reason
                self.finished_at = event.timestamp
                self.duration = event.duration_seconds
                self.outputs = event.outputs or {}
            case _:
                raise TypeError(f"no fold for {event!r}")

    def _begin(self, event: DagStart) -> None:
        self.start = event
        self.status = RunStatus.RUNNING
        self.started_at = self.stretch_started_at = event.timestamp
        self.max_parallel = event.max_parallel
        if self.graph.dag.timeout is not None:
            self._deadline = event.timestamp + self.graph.dag.timeout

    def _resume(self, event: DagResume) -> None:
        """A new stretch: what did not end well is as if it had never been, but for its attempts' numbers."""
        rerun = {self.index[task_id] for task_id in event.rerun if task_id in self.index}
        for i in rerun:
            attempts = self.tasks[i].attempt
            self.tasks[i] = TaskState(attempt=attempts, attempts_before=attempts)
        self._begin_stretch(event.max_parallel)
        self._go_on()
        self.stretch_started_at = event.timestamp
        if self.graph.dag.timeout is not None:
            self._deadline = event.timestamp + self.graph.dag.timeout

    def _go_on(self) -> None:
        self.status, self.reason, self.duration, self.finished_at = RunStatus.RUNNING, "", None, None

    def _start(self, event: TaskStart) -> None:
        i = self.index[event.task_id]
        task = self.tasks[i]
        self._reopen(i)
        task.status = Status.RUNNING
        task.attempt = event.attempt
        task.started_at = event.timestamp
        task.retry_at = None
        self.running += 1
        self._queued.discard(i)
        node = self.nodes[i]
        ready = self._ready
        if node.variant is not None:
            lane = self._lane(node.variant.group)
            lane.running += 1
            ready = lane.ready
        if ready and ready[0] == i:  # else it would still lie there when the task waits for a retry
            heapq.heappop(ready)
        timeout = node.task.timeout
        if timeout is not None:
            heapq.heappush(self._deadlines, (event.timestamp + timeout, i, event.attempt))

    def _ok(self, event: TaskOk) -> None:
        i = self.index[event.task_id]
        task, node = self.tasks[i], self.nodes[i]
        is_group = node.members is not None
        if is_group is (event.summary is None) or (node.each is not None and not is_group):
            raise ValueError(f"'{event.task_id}' was a group when this was recorded, or has become one")
        self._leave_running(i)
        task.outputs = event.result
        task.changed = event.changed
        task.duration = event.duration_seconds
        task.error = task.error_type = task.exit_code = None
        self._close(i, event, Status.SUCCESS, Reason.REUSED if event.reused_from else Reason.COMPLETED)

    def _retry(self, event: TaskRetry) -> None:
        i = self.index[event.task_id]
        self._leave_running(i)
        self._reopen(i)
        self._failure(i, event)
        task = self.tasks[i]
        task.status = Status.RETRYING
        task.retry_at = round(event.timestamp + event.delay_seconds, 3)
        heapq.heappush(self._retries, (task.retry_at, i))
        if self.stopping:  # it was told too late to be swept with the others
            self._sweep.append(i)

    def _fail(self, event: TaskFail) -> None:
        i = self.index[event.task_id]
        self._leave_running(i)
        self._failure(i, event)
        status = Status.TIMED_OUT if event.timed_out else Status.FAILED
        self._close(i, event, status, Reason.TIMED_OUT if event.timed_out else Reason.TASK_FAILED)
        if self.nodes[i].members is not None:  # its variants have stopped what their failures stop
            return
        node = self.nodes[i].task
        policy = node.on_error or self.graph.dag.on_error
        if not node.continue_on_failure and policy is OnError.STOP_ALL:
            if self.stopping is None:
                self.cause = event.task_id
            self._stop(Reason.STOP_ALL)

    def _reopen(self, i: int) -> None:
        """A fact about a task that has ended: the line that began its new stretch was damaged, and is not missed here."""
        if self.tasks[i].status in FINAL:
            self._unended += 1
            if i in self._held:
                self._held.discard(i)
                return
            for dependent in self.nodes[i].dependents:
                self._missing[dependent] += 1

    def _failure(self, i: int, event: TaskRetry | TaskFail) -> None:
        task = self.tasks[i]
        task.error, task.error_type, task.exit_code = event.error, event.error_type, event.exit_code
        task.duration = event.duration_seconds

    def _leave_running(self, i: int) -> None:
        if self.tasks[i].status is Status.RUNNING:
            self.running -= 1
            variant = self.nodes[i].variant
            if variant is not None:
                lane = self._lane(variant.group)
                lane.running -= 1
                self._queue(variant.group, lane)
        self._told.pop(i, None)

    def _close(self, i: int, event: Event, status: Status, reason: str, detail: str = "") -> None:
        task, node = self.tasks[i], self.nodes[i]
        self._reopen(i)
        if node.members is not None:
            task.changed = task.changed or any(self.tasks[member].changed for member in node.members) or None
        task.status, task.reason, task.detail = status, reason, detail
        task.finished_at = event.timestamp
        task.retry_at = None
        self._unended -= 1
        self._tell_dependents(i)
        if status in (Status.SKIPPED, Status.CANCELLED) and reason in _STOPS:
            self._stop(Reason(reason))

    def _tell_dependents(self, i: int) -> None:
        over = [i]
        for each in over:  # it grows where a dependent had ended in an earlier stretch
            failed = self._failed_above[each] or self.end(each) is End.FAILED
            for dependent in self.nodes[each].dependents:
                self.steps += 1
                self._failed_above[dependent] |= failed
                self._missing[dependent] -= 1
                if self._missing[dependent]:
                    continue
                if dependent in self._held:
                    self._held.discard(dependent)
                    over.append(dependent)
                elif self.nodes[dependent].members is None:
                    self._settled.append(dependent)
                else:
                    self._whole.append(dependent)

    def _stop(self, why: Reason) -> None:
        """From now on nothing starts; what has not ended is swept, in the file's order, each task once."""
        if self.stopping is None or _STOPS.index(why) > _STOPS.index(self.stopping):
            self._sweep = deque(self.places())
            self.steps += len(self.tasks)
            self.stopping = why
            if why is not Reason.STOP_ALL:
                self.cause = ""

    # --- decisions -----------------------------------------------------------------------------------------

    def next(self, now: float) -> Decision | None:
        """What to do at the moment `now`; None when there is nothing to do before `wake_at` or the next fact."""
        if self._overdue(now):
            self._stop(Reason.RUN_TIMEOUT)
        return (
            self._next_swept()
            or self._next_conclusion()
            or self._next_timeout(now)
            or (self._next_start(now) if self.stopping in (None, Reason.STOP_ALL) else None)
            or self._next_finish()
        )

    def _overdue(self, now: float) -> bool:
        return (
            self._deadline is not None
            and now >= self._deadline
            and self.stopping in (None, Reason.STOP_ALL)
            and self._unended > 0
        )

    def _next_swept(self) -> Decision | None:
        while self._sweep:
            self.steps += 1
            i = self._sweep[0]
            status = self.tasks[i].status
            decision = None if self._spared(i) else self._swept(self.nodes[i], status)
            if decision is not None:
                return decision
            self._sweep.popleft()
        return None

    def _spared(self, i: int) -> bool:
        """A failure stops the run, but not the tasks that are there for failures."""
        return self.stopping is Reason.STOP_ALL and self.nodes[i].survives

    def _swept(self, node: Node, status: Status) -> Decision | None:
        assert self.stopping is not None
        if node.members is not None:  # its variants are swept, and then it ends by its own rule
            return None
        if status is Status.RUNNING or node.index in self._queued:
            return Stop(node, self.stopping) if node.index not in self._told else None
        if status is Status.RETRYING or (status is Status.PENDING and self.stopping is Reason.CANCELLED):
            return Drop(node, self.stopping)
        return Skip(node, self.stopping, self.cause) if status is Status.PENDING else None

    def _next_timeout(self, now: float) -> Decision | None:
        while self._deadlines and self._deadlines[0][0] <= now:
            _, i, attempt = self._deadlines[0]
            task = self.tasks[i]
            if task.status is Status.RUNNING and task.attempt == attempt and i not in self._told:
                return Stop(self.nodes[i], Reason.TIMED_OUT)
            heapq.heappop(self._deadlines)
        return None

    def _next_start(self, now: float) -> Decision | None:
        while self._settled:
            self.steps += 1
            i = self._settled[0]
            if self.tasks[i].status is Status.PENDING and self.nodes[i].members is None:
                verdict = self._judge(self.nodes[i])
                if verdict is not None:
                    return verdict
                self._make_ready(i)
            self._settled.popleft()
        while self._retries and self._retries[0][0] <= now:
            at, i = heapq.heappop(self._retries)
            if self.tasks[i].status is Status.RETRYING and self.tasks[i].retry_at == at:
                self._make_ready(i)
        while self._ready and (self.running < self.max_parallel or self.ahead):
            first: int | None = self._ready[0]
            if self.nodes[self._ready[0]].members is not None:
                first = self._first_variant(self._ready[0])
            if first is None or not self._may_start(first):
                heapq.heappop(self._ready)
            elif self.running < self.max_parallel:
                return Start(self.nodes[first], self.tasks[first].attempt + 1)
            elif self._is_bounded(first):
                return None
            else:
                return Queue(self.nodes[first], self.tasks[first].attempt + 1)
        return None

    def _may_start(self, i: int) -> bool:
        return self.tasks[i].status in _MAY_START and i not in self._queued

    def _is_bounded(self, i: int) -> bool:
        """Whether it is a variant that its group may keep from starting, so that it cannot be queued."""
        variant = self.nodes[i].variant
        return variant is not None and self._lane(variant.group).most is not None

    def _judge(self, node: Node) -> Skip | Ask | Expand | None:
        """What becomes of a task whose dependencies have all ended; None: it may start (CONTRACT 5, top to bottom)."""
        self.steps += len(node.needs)
        task = node.task
        skip, implied = self._trigger(node)
        if skip is not None and not node.looks_back:
            return skip
        if task.condition is not None or task.unless is not None:
            if node.index not in self._answers:
                return Ask(node)
            if not self._answers[node.index]:
                return Skip(node, Reason.CONDITION_FALSE, _condition_text(task))
            if skip is not None and not implied:
                return skip
        if task.only_if_changed and not any(self.tasks[dep].changed for dep in node.needs):
            return Skip(node, Reason.UNCHANGED)
        return None if node.each is None else Expand(node)

    def _trigger(self, node: Node) -> tuple[Skip | None, bool]:
        """Whether the trigger skips the task, and whether it is the trigger `success` alone that does.

        A condition that looks back takes the place of `success`, which is what a task asks without a word;
        `failure` and `none_failed` are the author's own words and hold beside it.
        """
        implied: Skip | None = None
        for need, dep in zip(node.task.needs, node.needs, strict=True):
            trigger = need.trigger or node.task.trigger
            if trigger is Trigger.FAILURE and need.trigger is None:
                continue  # a task's own `failure` looks at all ancestors together, below
            reason = EDGES[trigger, self.end(dep)]
            if reason is None or (trigger is Trigger.FAILURE and self._failed_above[dep]):
                continue
            skip = Skip(node, reason, self.nodes[dep].task.id)
            if trigger is not Trigger.SUCCESS:
                return skip, False
            if implied is None or (implied.reason, reason) == _WORSE:
                implied = skip
        if node.task.trigger is Trigger.FAILURE and not self._failed_above[node.index]:
            return Skip(node, Reason.NO_FAILURE), False
        return implied, True

    def _next_finish(self) -> Decision | None:
        if self._unended or self.finished_at is not None:
            return None
        match self.stopping:
            case Reason.CANCELLED:
                return Finish(RunStatus.CANCELLED, Reason.CANCELLED)
            case Reason.RUN_TIMEOUT:
                return Finish(RunStatus.FAILED, Reason.RUN_TIMEOUT)
            case Reason.STOP_ALL:
                return Finish(RunStatus.FAILED, Reason.TASK_FAILED)
        if next(self.failures(), None) is None:
            return Finish(RunStatus.SUCCESS, Reason.COMPLETED)
        some = Status.SUCCESS in self.counts()
        return Finish(RunStatus.PARTIAL if some else RunStatus.FAILED, Reason.TASK_FAILED)

    def wake_at(self) -> float | None:
        """The next moment at which `next` may have something new to say without a new fact."""
        moments = []
        if self.stopping in (None, Reason.STOP_ALL) and self._deadline is not None:
            moments.append(self._deadline)
        if self.stopping in (None, Reason.STOP_ALL) and self._retries:
            moments.append(self._retries[0][0])
        if self._deadlines:
            moments.append(self._deadlines[0][0])
        return min(moments, default=None)

    # --- groups --------------------------------------------------------------------------------------------

    def _expand(self, event: TaskExpand) -> None:
        """A for_each has its variants: they take over its edges, and it waits for them."""
        group = self.index[event.task_id]
        node = self.nodes[group]
        if node.each is None:
            raise ValueError(f"'{event.task_id}' is no for_each")
        if node.members is not None:
            return
        members = range(len(self.nodes), len(self.nodes) + event.count)
        self.steps += event.count * (1 + len(node.needs))
        self.items[group] = event.items_file or event.items or ()
        self.nodes.extend(node.expanded(members))
        self.nodes[group] = replace(node, needs=tuple(members), members=members)
        self.index.update((self.nodes[i].task.id, i) for i in members)
        self.tasks.extend(TaskState() for _ in members)
        for dep in node.needs:
            above = self.nodes[dep]
            others = (i for i in above.dependents if i != group)
            self.nodes[dep] = replace(above, dependents=(*others, *members))
        missing = sum(self.tasks[dep].status not in FINAL or dep in self._held for dep in node.needs)
        self._missing.extend([missing] * event.count)
        self._missing[group] = event.count
        self._failed_above.extend([self._failed_above[group]] * event.count)
        self._unended += event.count
        if not missing:
            self._settled.extend(members)
        if not members:
            self._whole.append(group)
        if self.stopping:  # it was told too late to be swept with the others
            self._sweep.extend(members)

    def _lane(self, group: int) -> _Lane:
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = _Lane(self.nodes[group].task.max_parallel)
        return lane

    def _make_ready(self, i: int) -> None:
        variant = self.nodes[i].variant
        if variant is None:
            heapq.heappush(self._ready, i)
        else:
            lane = self._lane(variant.group)
            heapq.heappush(lane.ready, i)
            self._queue(variant.group, lane)

    def _queue(self, group: int, lane: _Lane) -> None:
        if lane.is_open and not lane.queued:
            lane.queued = True
            heapq.heappush(self._ready, group)

    def _first_variant(self, group: int) -> int | None:
        """The variant for which the group stands in the queue; None when there is none any more."""
        lane = self._lane(group)
        while lane.is_open:
            self.steps += 1
            if self._may_start(lane.ready[0]):
                return lane.ready[0]
            heapq.heappop(lane.ready)
        lane.queued = False
        return None

    def _next_conclusion(self) -> Decision | None:
        while self._whole:
            i = self._whole[0]
            if not self._missing[i] and self.tasks[i].status not in FINAL:
                return Conclude(self.nodes[i])
            self._whole.popleft()
        return None

    def conclusion(self, node: Node, now: float) -> Event:
        """The fact that ends a group whose variants have all ended.

        One that failed fails it, one that was cancelled cancels it. One that the end of the run kept from starting has it
        skipped, so that it is not taken for whole; it is skipped also when all of them were.
        """
        assert node.members is not None
        self.steps += len(node.members)
        mine = [self.tasks[i] for i in node.members]
        task_id, summary = node.task.id, self.summary(node)
        since = self.stretch_started_at or 0.0
        begun = [task.started_at for task in mine if task.started_at is not None and task.started_at >= since]
        took = round(now - min(begun, default=now), 3)
        failed = [self.nodes[i].task.id for i in node.members if self.tasks[i].status in _FAILED]
        if failed:
            return TaskFail(
                timestamp=now, task_id=task_id, error=f"{_named(failed)} failed", error_type="VariantsFailed",
                duration_seconds=took, summary=summary,
            )  # fmt: skip
        cancelled = next((task for task in mine if task.status is Status.CANCELLED), None)
        if cancelled is not None:
            return TaskCancel(
                timestamp=now, task_id=task_id, reason=cancelled.reason, detail=cancelled.detail,
                duration_seconds=took, summary=summary,
            )  # fmt: skip
        skipped = [task for task in mine if task.status is Status.SKIPPED]
        kept = next((task for task in skipped if task.reason in _STOPS), None)
        if kept is None and skipped and len(skipped) == len(mine):
            kept = next((task for task in skipped if task.reason != Reason.UNCHANGED), skipped[0])
        if kept is not None:
            return TaskSkip(
                timestamp=now, task_id=task_id, reason=kept.reason, detail=kept.detail, summary=summary
            )
        changed = any(task.changed for task in mine)
        return TaskOk(timestamp=now, task_id=task_id, duration_seconds=took, changed=changed, summary=summary)

    # --- what follows from an attempt's end ----------------------------------------------------------------

    def note(self, decision: Stop | Queue) -> None:
        """Remember that the attempt has been told to end, and why; or that it is queued."""
        if isinstance(decision, Stop):
            self._told[decision.node.index] = decision.reason
        else:
            self._queued.add(decision.node.index)

    def take_back(self, node: Node) -> None:
        """The attempt was queued and has not begun: it is to be decided upon again."""
        self._queued.discard(node.index)
        self._told.pop(node.index, None)
        if self.stopping:
            self._sweep.append(node.index)
        self._make_ready(node.index)

    def answer(self, node: Node, holds: bool) -> None:
        """Remember what the task's condition says; the fact that follows from it records it."""
        self._answers[node.index] = holds

    def fact_of(self, node: Node, ended: Ended, now: float, chance: float) -> Event:
        """The fact to record for an attempt that ended; `chance` in [0, 1) is the retry's share of the jitter."""
        task_id, attempt = node.task.id, self.tasks[node.index].attempt
        if ended.error is None:
            large = ended.outputs if isinstance(ended.outputs, Blob) else None
            small = None if isinstance(ended.outputs, Blob) else ended.outputs
            return TaskOk(
                timestamp=now, task_id=task_id, attempt=attempt, duration_seconds=ended.duration,
                changed=ended.changed, outputs=small, outputs_file=large,
            )  # fmt: skip
        why = self._told.get(node.index)
        if why in _STOPS:
            return TaskCancel(
                timestamp=now, task_id=task_id, attempt=attempt, reason=str(why), detail=self.cause,
                duration_seconds=ended.duration,
            )  # fmt: skip
        timed_out = why is Reason.TIMED_OUT
        error, error_type = ended.error, ended.error_type or "Error"
        if timed_out:
            error, error_type = f"timed out after {node.task.timeout:g}s", "Timeout"
        may_start = self.stopping is None or self._spared(node.index)
        tries = attempt - self.tasks[node.index].attempts_before
        if may_start and self._tries_again(node.task.retry, tries, error_type, ended.exit_code):
            return TaskRetry(
                timestamp=now, task_id=task_id, attempt=attempt, error=error, error_type=error_type,
                delay_seconds=self.defaults.delay(node.task.retry, tries, chance), timed_out=timed_out,
                duration_seconds=ended.duration, exit_code=ended.exit_code,
            )  # fmt: skip
        return TaskFail(
            timestamp=now, task_id=task_id, attempt=attempt, error=error, error_type=error_type,
            duration_seconds=ended.duration, exit_code=ended.exit_code, timed_out=timed_out,
        )  # fmt: skip

    def _tries_again(self, retry: Retry, attempt: int, error_type: str, exit_code: int | None) -> bool:
        if attempt > retry.retries or error_type in LASTING:  # `attempt` counts within this stretch
            return False
        if not retry.on_exit_codes and not retry.on_errors:
            return True
        return exit_code in retry.on_exit_codes or error_type in retry.on_errors

    # --- readers -------------------------------------------------------------------------------------------

    def end(self, i: int) -> End:
        """What the task, which has ended, counts as for its dependents."""
        task = self.tasks[i]
        return end_of(task.status, task.reason, tolerated=self.nodes[i].task.continue_on_failure)

    def failed_above(self, i: int) -> bool:
        """Whether some ancestor of the task failed."""
        return bool(self._failed_above[i])

    def failures(self) -> Iterator[str]:
        """The tasks that failed and were not tolerated, in the file's order; of a group its variants."""
        for i in self.places():
            node, status = self.nodes[i], self.tasks[i].status
            if status in _FAILED and node.members is None and not node.task.continue_on_failure:
                yield node.task.id

    def counts(self) -> dict[Status, int]:
        """How many tasks stand in each state that occurs; variants count, their group does not."""
        counts: dict[Status, int] = {}
        for node, task in zip(self.nodes, self.tasks, strict=True):
            if node.members is None:
                counts[task.status] = counts.get(task.status, 0) + 1
        return counts

    def places(self) -> Iterable[int]:
        """Every node in the file's order: variants stand where their group stands."""
        return self._grown_places() if len(self.nodes) > len(self.graph.nodes) else range(len(self.nodes))

    def _grown_places(self) -> Iterator[int]:
        for node in self.nodes[: len(self.graph.nodes)]:
            if node.each is not None and node.members is not None:
                yield from node.members
            yield node.index

    def summary(self, node: Node) -> str:
        """How many of a group's variants have succeeded: `4/6 passed`."""
        members = node.members or ()
        passed = sum(1 for i in members if self.tasks[i].status is Status.SUCCESS)
        return f"{passed}/{len(members)} passed"
