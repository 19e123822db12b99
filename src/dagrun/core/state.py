"""RunState: the one fold of a run's facts, and what to do next. No I/O, no clock, no randomness."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dagrun.core.completion import Circumstances, RetryDefaults, TaskState, conclusion, fact_of, summary_of
from dagrun.core.decisions import (
    Cancel,
    Decision,
    EndGroup,
    EvaluateCondition,
    Expand,
    Finish,
    Prefetch,
    Skip,
    Start,
    Stop,
)
from dagrun.core.events import (
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
from dagrun.core.graph import Graph, Node
from dagrun.core.model import OnError, Task, Trigger
from dagrun.core.outcomes import EDGES, FAILED, FINAL, STOPS, Outcome, Reason, RunStatus, Status, outcome_of
from dagrun.core.ready_queue import ReadyQueue
from dagrun.core.variants import item_numbers
from dagrun.core.work import AttemptResult, Blob, Json

_WORSE = (Reason.DEPENDENCY_SKIPPED, Reason.DEPENDENCY_FAILED)  # the second is the one to tell


def _condition_text(task: Task) -> str:
    parts = [
        f"{word}: {text}"
        for word, text in (("if", task.condition), ("unless", task.unless))
        if text is not None
    ]
    return ", ".join(parts)


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
        self._ready = ReadyQueue(nodes, self._waits)
        self._retries: list[tuple[float, int]] = []
        self._deadlines: list[tuple[float, int, int]] = []
        self._deadline: float | None = None
        self._sweep: deque[int] = deque()
        self._told: dict[int, Reason] = {}
        self.ahead = False  # whether more may be queued; the engine knows
        self._answers: dict[int, bool] = {}
        self._failed_above = bytearray(len(nodes))  # whether some ancestor failed
        self._ending: set[int] = (
            set()
        )  # attempts that a failure ends: they count as failed from that moment on

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
                self._skip(event)
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
        if self.start is not None and event.params is not None:
            self.start = replace(self.start, params=event.params, masked_params=event.masked_params)
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
        if task.status is Status.RUNNING:
            self._leave_running(i)  # the line that ended its last attempt was damaged
        task.status = Status.RUNNING
        task.attempt = event.attempt
        task.started_at = event.timestamp
        task.retry_at = None
        self.running += 1
        self._ready.begin(i)
        if self.stopping is Reason.STOP_ALL:  # it was queued
            self._count_as_failed(i)
        timeout = self.nodes[i].task.timeout
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
        self.tasks[i].outputs = event.result
        status = Status.TIMED_OUT if event.timed_out else Status.FAILED
        self._close(i, event, status, Reason.TIMED_OUT if event.timed_out else Reason.TASK_FAILED)
        if self.nodes[i].members is not None:  # its variants have stopped what their failures stop
            return
        node = self.nodes[i].task
        policy = node.on_error or self.graph.dag.on_error
        if not node.tolerates(event.exit_code) and policy is OnError.STOP_ALL:
            if self.stopping is None:
                self.cause = event.task_id
            self._stop(Reason.STOP_ALL)

    def _skip(self, event: TaskSkip) -> None:
        i = self.index[event.task_id]
        if event.attempt is not None:
            self._leave_running(i)
            self.tasks[i].duration, self.tasks[i].exit_code = event.duration_seconds, event.exit_code
        self._close(i, event, Status.SKIPPED, event.reason, event.detail)

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
            self._ready.leave(i)
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
        if status in (Status.SKIPPED, Status.CANCELLED) and reason in STOPS:
            self._stop(Reason(reason))

    def _tell_dependents(self, i: int) -> None:
        over = [i]
        for each in over:  # it grows where a dependent had ended in an earlier stretch
            failed = self._failed_above[each] or self.end(each) is Outcome.FAILED
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
        if self.stopping is None or STOPS.index(why) > STOPS.index(self.stopping):
            self._sweep = deque(self.places())
            self.steps += len(self.tasks)
            self.stopping = why
            if why is not Reason.STOP_ALL:
                self.cause = ""
                return
            for i, task in enumerate(self.tasks):
                if task.status in (Status.RUNNING, Status.RETRYING):
                    self._count_as_failed(i)

    def _count_as_failed(self, i: int) -> None:
        """The stop ends this attempt. What may still start shall not depend on when it has ended, or how."""
        if self.nodes[i].members is not None or self._spared(i):
            return
        self._ending.add(i)
        below = [i]
        for each in below:  # it grows
            for dependent in self.nodes[each].dependents:
                self.steps += 1
                if not self._failed_above[dependent]:
                    self._failed_above[dependent] = True
                    below.append(dependent)

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
        if status is Status.RUNNING or node.index in self._ready.queued:
            return Stop(node, self.stopping) if node.index not in self._told else None
        if status is Status.RETRYING or (status is Status.PENDING and self.stopping is Reason.CANCELLED):
            return Cancel(node, self.stopping)
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
                self._ready.add(i)
            self._settled.popleft()
        while self._retries and self._retries[0][0] <= now:
            at, i = heapq.heappop(self._retries)
            if self.tasks[i].status is Status.RETRYING and self.tasks[i].retry_at == at:
                self._ready.add(i)
        if self.running < self.max_parallel:
            first = self._ready.first()
            return None if first is None else Start(self.nodes[first], self.tasks[first].attempt + 1)
        if self.ahead and (first := self._ready.first()) is not None and self._ready.may_be_queued(first):
            return Prefetch(self.nodes[first], self.tasks[first].attempt + 1)
        return None

    def _waits(self, i: int) -> bool:
        self.steps += 1
        return self.tasks[i].status in (Status.PENDING, Status.RETRYING)

    def _judge(self, node: Node) -> Skip | EvaluateCondition | Expand | None:
        """What becomes of a task whose dependencies have all ended; None: it may start (CONTRACT 5, top to bottom)."""
        self.steps += len(node.needs)
        task = node.task
        skip, implied = self._trigger(node)
        if skip is not None and not node.looks_back:
            return skip
        if task.condition is not None or task.unless is not None:
            if node.index not in self._answers:
                return EvaluateCondition(node)
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
                why = f": {self.cancel.reason}" if self.cancel and self.cancel.reason else ""
                return Finish(RunStatus.CANCELLED, f"{Reason.CANCELLED}{why}")
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
        numbers = item_numbers(node.task, event.count)
        members = range(len(self.nodes), len(self.nodes) + len(numbers))
        self.steps += len(numbers) * (1 + len(node.needs))
        self.items[group] = event.items_file or event.items or ()
        if not numbers:  # nobody takes over its edges
            self.nodes[group] = replace(node, members=members)
            if not self._missing[group]:
                self._whole.append(group)
            return
        self.nodes.extend(node.expanded(numbers, members))
        self.nodes[group] = replace(node, needs=tuple(members), members=members)
        self.index.update((self.nodes[i].task.id, i) for i in members)
        self.tasks.extend(TaskState() for _ in members)
        for dep in node.needs:
            above = self.nodes[dep]
            others = (i for i in above.dependents if i != group)
            self.nodes[dep] = replace(above, dependents=(*others, *members))
        missing = sum(self.tasks[dep].status not in FINAL or dep in self._held for dep in node.needs)
        self._missing.extend([missing] * len(numbers))
        self._missing[group] = len(numbers)
        self._failed_above.extend([self._failed_above[group]] * len(numbers))
        self._unended += len(numbers)
        if not missing:
            self._settled.extend(members)
        if self.stopping:  # it was told too late to be swept with the others
            self._sweep.extend(members)

    def _next_conclusion(self) -> Decision | None:
        while self._whole:
            i = self._whole[0]
            if not self._missing[i] and self.tasks[i].status not in FINAL:
                return EndGroup(self.nodes[i])
            self._whole.popleft()
        return None

    # --- what follows from an attempt's end ----------------------------------------------------------------

    def note(self, decision: Stop | Prefetch) -> None:
        """Remember that the attempt has been told to end, and why; or that it is queued."""
        if isinstance(decision, Stop):
            self._told[decision.node.index] = decision.reason
        else:
            self._ready.queued.add(decision.node.index)

    def take_back(self, node: Node) -> None:
        """The attempt was queued and has not begun: it is to be decided upon again."""
        self._ready.queued.discard(node.index)
        self._told.pop(node.index, None)
        if self.stopping:
            self._sweep.append(node.index)
        self._ready.add(node.index)

    def answer(self, node: Node, holds: bool) -> None:
        """Remember what the task's condition says; the fact that follows from it records it."""
        self._answers[node.index] = holds

    def fact_of(self, node: Node, ended: AttemptResult, now: float, chance: float) -> Event:
        """The fact to record for an attempt that ended; `chance` in [0, 1) is the retry's share of the jitter."""
        given = Circumstances(
            why=self._told.get(node.index), cause=self.cause, defaults=self.defaults,
            may_start=self.stopping is None or self._spared(node.index),
        )  # fmt: skip
        return fact_of(node, self.tasks[node.index], ended, given, now, chance)

    def conclusion(self, node: Node, now: float) -> Event:
        """The fact to record for a group whose variants have all ended."""
        members = node.members or ()
        self.steps += len(members)
        names = [self.nodes[i].task.id for i in members]
        mine = [self.tasks[i] for i in members]
        return conclusion(node, names, mine, self.stretch_started_at or 0.0, now)

    # --- readers -------------------------------------------------------------------------------------------

    def end(self, i: int) -> Outcome:
        """What the task, which has ended, counts as for its dependents."""
        if i in self._ending:
            return Outcome.FAILED
        task = self.tasks[i]
        return outcome_of(task.status, task.reason, tolerated=self.nodes[i].task.tolerates(task.exit_code))

    def failed_above(self, i: int) -> bool:
        """Whether some ancestor of the task failed."""
        return bool(self._failed_above[i])

    def failures(self) -> Iterator[str]:
        """The tasks that failed and were not tolerated, in the file's order; of a group its variants."""
        for i in self.places():
            node, task = self.nodes[i], self.tasks[i]
            if task.status in FAILED and node.members is None and not node.task.tolerates(task.exit_code):
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
        return summary_of([self.tasks[i] for i in node.members or ()])
