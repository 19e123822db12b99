"""The loop that drives a run: carry out what the state decides, record what happened."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import assert_never

from dagrun.clock import Clock
from dagrun.core.completion import attempt_end, group_end, hook_cancelled, hook_end, wait_end
from dagrun.core.decide import decide, wake_at
from dagrun.core.decisions import (
    Cancel,
    CancelHook,
    CheckFile,
    Decision,
    EndGroup,
    EndWait,
    EvaluateCondition,
    Expand,
    Expire,
    Finish,
    Late,
    Pause,
    Prefetch,
    Skip,
    Start,
    StartHook,
    Stop,
    StopHook,
)
from dagrun.core.events import (
    ApprovalExpired,
    Event,
    HookEnd,
    HooksStart,
    HookStart,
    RunLate,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskSkip,
    TaskWait,
    masked,
)
from dagrun.core.executor_protocol import Executor
from dagrun.core.graph import Node
from dagrun.core.hooks import due, is_hook, name_of_id, node_of
from dagrun.core.outcomes import Reason, RunStatus, Status
from dagrun.core.requests import Request, event_of
from dagrun.core.state import RunState
from dagrun.core.wait_queue import Fingerprint
from dagrun.core.work import Attempt, AttemptResult, Json, Work
from dagrun.kinds import workflow_of
from dagrun.kinds.kind import Wait
from dagrun.masking import Masker
from dagrun.runtime.active_attempts import ActiveAttempts, PrefetchReport
from dagrun.runtime.child_runs import ChildRuns, ChildWork, PreparedChild
from dagrun.runtime.engine_events import message_of, start_event, type_of, wait_event
from dagrun.runtime.run_end import end_event, pause_event
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.storage.run_store import RunWriter
from dagrun.value import replace

#: Turns of the event loop, some ten microseconds each, during which the end of a very short body is polled for.
POLLS = 20
Listener = Callable[[Event, RunState], None]


class Engine:
    """Drives one run from its first event to its last.

    Each turn decides everything there is to decide, writes the events, and only then starts attempts: an attempt is on
    record before it can have an effect. `chance` gives numbers from 0 to 1 for the jitter of retries; `listener` is called
    with each event and the state after it. `cancel_timeout`: seconds after a request to cancel in which attempts must end.
    `children` drives child runs. A child run has `on_idle`, which is called with whether only a person or another program
    can continue it: such a run is paused by the run above it.
    """

    def __init__(
        self,
        *,
        state: RunState,
        writer: RunWriter,
        executor: Executor,
        clock: Clock,
        bodies: WorkBuilder,
        chance: Callable[[], float],
        listener: Listener | None = None,
        cancel_timeout: float = 10.0,
        masker: Masker | None = None,
        children: ChildRuns | None = None,
        on_idle: Callable[[bool], None] | None = None,
    ) -> None:
        self.state = state
        self.writer = writer
        self.executor = executor
        self.clock = clock
        self._bodies = bodies
        self._chance = chance
        self._listener = listener
        self._cancel_timeout = cancel_timeout
        self._masker = masker or Masker(())
        self._wake = asyncio.Event()
        self._attempts = ActiveAttempts(executor, self._wake.set, children)
        self._children = children
        self._on_idle = on_idle
        self._shares = (
            (children.slots.share(self._wake.set), children.live.share(self._wake.set)) if children else None
        )
        self._own_requests: deque[Request] = deque()
        self._inbox_is_due = False
        self._abandoned: list[str] = []
        self._is_killed = False

    async def run(self, *first: Event) -> RunState:
        """Drive the run to the end of this stretch, which the events `first` begin.

        Raises RecordError when an event cannot be recorded. The caller closes the executor.
        """
        try:
            for event in first:
                self.record(event)
            await self.executor.open(self.writer.directory, self.writer.bodies_lock)
            return await self._turns()
        finally:
            for share in self._shares or ():
                share.close()

    async def _turns(self) -> RunState:
        while True:
            self._decide()
            self.writer.flush()
            if self.state.stretch_is_over:
                return self.state
            self._attempts.launch()
            if self._attempts.expects_end_soon():
                await self._poll()
            await self.clock.wait(self._wake, self._wake_at())
            self._wake.clear()
            self._record_own_requests()
            if self._inbox_is_due:
                self._inbox_is_due = False
                self.take_requests()
            self._record_reports()
            if self._deadline is not None and self.clock.now() >= self._deadline:
                self._abandon_attempts()

    def cancel(self, by: str, reason: str = "") -> None:
        """Ask for the run to end; may be called from a signal handler of the loop."""
        self.request(Request("cancel", by, {"reason": reason}))

    def request(self, request: Request) -> None:
        """Make a request, which is taken at the next turn."""
        self._own_requests.append(request)
        self._wake.set()

    def kill(self) -> None:
        """End every running attempt at once, and start no hook."""
        self._is_killed = True
        self._attempts.kill()

    def look(self) -> None:
        """Read the run's inbox at the next turn."""
        self._inbox_is_due = True
        self._wake.set()

    def take_requests(self) -> bool:
        """Record every request; whether there was one. One from the inbox is deleted after its event is durable."""
        found = bool(self._own_requests)
        self._record_own_requests()
        for request in self.writer.requests():
            found = True
            self._record_request(request)
            self.writer.flush()
        return found

    def take_tree_requests(self) -> bool:
        """The same for this run and all runs below it."""
        found = self.take_requests()
        found = (self._children is not None and self._children.take_requests()) or found
        if found:
            self._wake.set()
        return found

    def pause(self) -> None:
        """End the stretch of a child run that is idle."""
        now = self.clock.now()
        if isinstance(decision := self._next_decision(now), Pause):
            self._pause(decision, now)
            self.writer.flush()
            self._wake.set()

    def record(self, event: Event) -> None:
        """Write an event to the journal, fold it into the state, pass it to the listener; its secrets are masked first."""
        if self._masker:
            event = masked(event, self._masker)
        self.writer.append(event)
        self.state.apply(event)
        if self._shares is not None:
            slots, live = self._shares
            slots.update(self.state.frontier.running)
            live.update(self.state.frontier.child_runs)
        if self._listener is not None:
            self._listener(event, self.state)

    # --- waiting -------------------------------------------------------------------------------------------

    def _wake_at(self) -> float | None:
        moments = [moment for moment in (wake_at(self.state), self._deadline) if moment is not None]
        return min(moments, default=None)

    @property
    def _deadline(self) -> float | None:
        """When attempts that have not ended after a request to cancel are abandoned."""
        cancel = self.state.hooks.cancel if self.state.hooks else self.state.cancel
        return cancel.timestamp + self._cancel_timeout if cancel and self._attempts else None

    async def _poll(self) -> None:
        """Give the event loop a few turns: sleeping and waking up takes longer than a very short body."""
        for _ in range(POLLS):
            if self._wake.is_set():
                return
            await asyncio.sleep(0)

    # --- decisions -----------------------------------------------------------------------------------------

    def _decide(self) -> None:
        # With one attempt at a time the order is that of the file, and a prefetched one would come before what gets ready first.
        frontier = self.state.frontier
        frontier.may_prefetch = (
            self._attempts.can_prefetch and frontier.max_parallel > 1 and self._children is None
        )
        while (decision := self._next_decision(now := self.clock.now())) is not None:
            match decision:
                case Start():
                    self._start(decision, now)
                case Prefetch(node):
                    self._prefetch(decision, now)
                case Skip(node, reason, detail):
                    self.record(
                        TaskSkip(timestamp=now, task_id=node.task.id, reason=str(reason), detail=detail)
                    )
                case Cancel(node, reason):
                    self.record(
                        TaskCancel(
                            timestamp=now, task_id=node.task.id, reason=str(reason), detail=frontier.cause,
                            attempt=self.state.tasks[node.index].attempt or None,
                        )
                    )  # fmt: skip
                case Stop(node, reason):
                    frontier.stop_requested(node.index, reason)
                    self._attempts.stop(node, reason)
                case EvaluateCondition(node):
                    self._evaluate_condition(node, now)
                case Expand(node):
                    self._expand(node, now)
                case EndGroup(node):
                    self.record(group_end(self.state, node, now))
                case CheckFile(node):
                    wait = self.state.tasks[node.index].wait
                    assert wait is not None
                    frontier.waits.file_checked(node.index, fingerprint(wait.file or ""), now)
                case Expire(node):
                    self._expire(node, now)
                case EndWait(node):
                    self.record(wait_end(self.state, node, now, self._chance()))
                case Pause() if self._on_idle is not None:
                    self._on_idle(True)
                    return
                case Pause():
                    if not self.take_tree_requests():
                        self._pause(decision, now)
                case Late(reason):
                    self.record(RunLate(timestamp=now, reason=reason))
                case StartHook():
                    self._start_hook(decision, now)
                case StopHook(name, reason):
                    self.state.hooks.stop_requested(reason)
                    self._attempts.stop(node_of(self.state.graph.dag, name))
                case CancelHook(name):
                    self.record(hook_cancelled(name, now, "cancelled"))
                case Finish():
                    self._finish(decision, now)
                case _:
                    assert_never(decision)
        if self._on_idle is not None:
            self._on_idle(False)

    def _pause(self, pause: Pause, now: float) -> None:
        """End the stretch, those of the child runs first: their tasks wait from now on."""
        paused = {} if self._children is None else self._children.pause()
        for task_id, run_id in paused.items():
            node = self.state.nodes[self.state.index[task_id]]
            self._attempts.forget_child(node)
            self.record(
                TaskWait(
                    timestamp=now, task_id=task_id, attempt=self.state.tasks[node.index].attempt, kind=node.task.kind,
                    child_run_id=run_id,
                )
            )  # fmt: skip
        self.record(pause_event(self.state, pause, now))

    def _next_decision(self, now: float) -> Decision | None:
        """What to do next. Of shared slots only those can be taken that are free for this run."""
        if self._shares is None:
            return decide(self.state, now)
        slots, live = self._shares
        frontier = self.state.frontier
        frontier.has_slot, frontier.may_open_run = slots.is_free, live.is_free
        frontier.idle_child_runs = self._children.idle if self._children is not None else 0
        decision = decide(self.state, now)
        if decision is None:
            slots.settle(wants=frontier.wants_slot())
            live.settle(wants=frontier.wants_to_open_run())
        return decision

    def _start(self, start: Start, now: float) -> None:
        node = start.node
        match self._prepare(node, start.attempt, now):
            case Work() as work:
                self._attempts.start(node, work)
                self.record(start_event(node, start.attempt, now, start.waited_for))
            case PreparedChild() as child:
                self._attempts.start_child(node, child)
                self.record(start_event(node, start.attempt, now, start.waited_for, child.run_id))
            case Wait() as wait:
                self.record(wait_event(start, wait, now))

    def _expire(self, node: Node, now: float) -> None:
        task = self.state.tasks[node.index]
        assert task.wait is not None
        expires_at = task.wait.expires_at or ""
        self.record(
            ApprovalExpired(timestamp=now, task_id=node.task.id, attempt=task.attempt, expires_at=expires_at)
        )

    def _prefetch(self, prefetch: Prefetch, now: float) -> None:
        """Prefetch an attempt, if the executor has room; else this one and those after it wait for their turn."""
        node = prefetch.node
        if not self._attempts.has_room(workflow_of(node.task)):
            self.state.frontier.may_prefetch = False
            return
        work = self._prepare(node, prefetch.attempt, now)
        if isinstance(work, Work):
            self.state.frontier.prefetched(node.index)
            self._attempts.prefetch(node, work)

    def _prepare(self, node: Node, number: int, now: float) -> Work | PreparedChild | Wait | None:
        """The work of an attempt, or what the task waits for; None when it cannot be built, which fails the task."""
        task = node.task
        try:
            attempt = Attempt(run_id=self.writer.run_id, task_id=task.id, number=number, timeout=task.timeout)
            work = self._bodies.start(node, attempt, now)
            return self._child(node, work) if isinstance(work, ChildWork) else work
        except Exception as error:
            self._fail_before_start(node, error, now)
            return None

    def _child(self, node: Node, work: ChildWork) -> PreparedChild:
        """The child run of an attempt: the first one of a stretch continues that of the stretch before."""
        assert self._children is not None
        task = self.state.tasks[node.index]
        is_first = work.attempt.number == task.attempts_before + 1
        return self._children.prepare(work, task.child_run_id if is_first else None)

    def _expand(self, node: Node, now: float) -> None:
        task_id = node.task.id
        try:
            items = self._bodies.items(node)
            file = self.writer.store_items(task_id, items)
        except Exception as error:
            self._fail_before_start(node, error, now)
            return
        inline = None if file else items
        self.record(
            TaskExpand(timestamp=now, task_id=task_id, count=len(items), items=inline, items_file=file)
        )

    def _evaluate_condition(self, node: Node, now: float) -> None:
        try:
            holds = self._bodies.condition(node)
        except Exception as error:
            self._fail_before_start(node, error, now)
            return
        self.state.frontier.condition_evaluated(node.index, holds)

    def _fail_before_start(self, node: Node, error: Exception, now: float) -> None:
        """Fail a task whose expressions have no value. A retry would give the same, so there is none."""
        self.record(
            TaskFail(timestamp=now, task_id=node.task.id, error=message_of(error), error_type=type_of(error))
        )

    def _finish(self, finish: Finish, now: float) -> None:
        """Begin the hooks, if the outcome has some; when they have ended, or there are none, end the stretch."""
        hooks = self.state.hooks
        if hooks:
            self.record(end_event(self.state, finish, now, hooks.outputs))
            return
        finish, outputs = self._outcome(finish)
        names = due(self.state.graph.dag, finish.status)
        if names and not self._is_killed:
            self.record(
                HooksStart(
                    timestamp=now, status=str(finish.status), reason=str(finish.reason), hooks=names, outputs=outputs
                )
            )  # fmt: skip
        else:
            self.record(end_event(self.state, finish, now, outputs))

    def _outcome(self, finish: Finish) -> tuple[Finish, Mapping[str, Json] | None]:
        """How the run ends, and its outputs: those of a run that failed are not evaluated."""
        outputs = None
        if finish.status is RunStatus.SUCCESS and self.state.graph.dag.outputs:
            try:
                outputs = self._bodies.outputs()
            except Exception as error:
                why = self._masker.text(message_of(error))
                finish = Finish(RunStatus.FAILED, f"{Reason.OUTPUTS_FAILED}: {why}")
        if self._abandoned:
            names = ", ".join(self._abandoned[:10]) + ", ..." * (len(self._abandoned) > 10)
            finish = Finish(
                finish.status, f"{finish.reason}: {names} did not end within {self._cancel_timeout:g}s"
            )
        return finish, outputs

    def _start_hook(self, start: StartHook, now: float) -> None:
        name, number = start.name, start.attempt
        if self._is_killed:
            self.record(hook_cancelled(name, now, "cancelled"))
            return
        try:
            node = node_of(self.state.graph.dag, name)
            attempt = Attempt(
                run_id=self.writer.run_id, task_id=node.task.id, number=number, timeout=node.task.timeout
            )
            work = self._bodies.start(node, attempt, now)
            assert isinstance(work, Work)
        except Exception as error:
            self.record(
                HookEnd(
                    timestamp=now, hook=name, status=str(Status.FAILED), error=message_of(error),
                    error_type=type_of(error),
                )
            )  # fmt: skip
            return
        self._attempts.start(node, work)
        self.record(HookStart(timestamp=now, hook=name, attempt=number, kind=node.task.kind))

    # --- what happened meanwhile ---------------------------------------------------------------------------

    def _record_own_requests(self) -> None:
        while self._own_requests:
            self._record_request(self._own_requests.popleft())

    def _record_request(self, request: Request) -> None:
        """Record a request, unless the run refuses it: the process that has made it sees that by the state of the run."""
        if (event := event_of(request, self.state, self.clock.now())) is not None:
            self.record(event)

    def _record_reports(self) -> None:
        now = self.clock.now()
        for node, number, report in self._attempts.reports():
            match report:
                case AttemptResult():
                    self._record_end(node, report, now)
                case PrefetchReport.BEGUN:
                    waited_for = self.state.frontier.waited_for(node.index)
                    self.record(start_event(node, number, now, waited_for))
                case PrefetchReport.RETURNED:
                    self.state.frontier.returned(node.index)

    def _record_end(self, node: Node, ended: AttemptResult, now: float) -> None:
        """Record the end of an attempt. One whose outputs cannot be recorded has failed."""
        if is_hook(node.task.id):
            self.record(hook_end(self.state, name_of_id(node.task.id), node, ended, now))
            return
        chance = self._chance()
        try:
            self.record(attempt_end(self.state, node, ended, now, chance))
        except (RecursionError, TypeError, ValueError) as error:
            why = f"its outputs cannot be recorded: {message_of(error)}"
            failed = replace(ended, outputs={}, error=why, error_type="BadOutput")
            self.record(attempt_end(self.state, node, failed, now, chance))

    def _abandon_attempts(self) -> None:
        """Record as cancelled what has not ended in time, so that a run always ends after a request to cancel."""
        now = self.clock.now()
        late = f"did not end within {self._cancel_timeout:g}s"
        for attempt in self._attempts.abandon():
            if is_hook(attempt.task_id):
                name = name_of_id(attempt.task_id)
                self.record(hook_cancelled(name, now, late, attempt.number))
                continue
            self._abandoned.append(attempt.task_id)
            self.record(
                TaskCancel(
                    timestamp=now,
                    task_id=attempt.task_id,
                    reason=str(Reason.CANCELLED),
                    detail=late,
                    attempt=attempt.number,
                )
            )


def fingerprint(file: str) -> Fingerprint:
    """What changes when a file does; None if there is none that can be seen."""
    try:
        found = os.stat(file)  # noqa: PTH116 - never a Path
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
