"""The only loop: ask the state what to do, do it, record what happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from dagrun.clock import Clock
from dagrun.decisions import Ask, Conclude, Drop, Expand, Finish, Skip, Start, Stop
from dagrun.events import (
    CancelIgnored,
    CancelRequested,
    DagDone,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskSkip,
    TaskStart,
)
from dagrun.expressions import EvaluationError
from dagrun.graph import Node
from dagrun.model import WorkflowAction
from dagrun.outcomes import Reason, RunStatus, Status
from dagrun.runs.base import Request, RunWriter
from dagrun.state import RunState
from dagrun.work import Attempt, Ended, Executor, Json, Outputs, Work


class Bodies(Protocol):
    """What only a run's parameters, environment and earlier outputs can tell. May raise EvaluationError."""

    def work(self, node: Node, attempt: Attempt, upstream: Mapping[str, Outputs]) -> Work:
        """All that an attempt needs."""
        ...

    def condition(self, node: Node) -> bool:
        """Whether the task's `if` and `unless` let it run."""
        ...

    def items(self, node: Node) -> Sequence[Json]:
        """The list of a for_each."""
        ...

    def gathered(self, node: Node) -> Mapping[str, Json]:
        """What a group hands on: of each output a map from variant to value."""
        ...

    def outputs(self) -> dict[str, Json]:
        """The outputs of the run."""
        ...


Listener = Callable[[Event, RunState], None]


class Engine:
    """Drives one run from its first fact to its last. Owns the loop, and nothing else."""

    def __init__(
        self,
        *,
        state: RunState,
        writer: RunWriter,
        executor: Executor,
        clock: Clock,
        bodies: Bodies,
        chance: Callable[[], float],
        listener: Listener | None = None,
        cancel_timeout: float = 10.0,
    ) -> None:
        self.state = state
        self.writer = writer
        self.executor = executor
        self.clock = clock
        self._bodies = bodies
        self._chance = chance
        self._listener = listener
        self._cancel_timeout = cancel_timeout
        self._wake = asyncio.Event()
        self._ended: deque[tuple[Node, Ended]] = deque()
        self._requests: deque[Request] = deque()
        self._wished = False
        self._given_up: list[str] = []
        self._attempts: dict[int, Attempt] = {}
        self._launches: list[tuple[Node, Work]] = []

    async def run(self, *first: Event) -> RunState:
        """Run to the end of this stretch, which `first` begins.

        Raises RecordError when a fact cannot be recorded; the caller closes the executor.
        """
        for event in first:
            self.record(event)
        await self.executor.open(self.writer.bodies_lock)
        while True:
            self._decide()
            self.writer.flush()  # what follows must never be known to the world before it is known to the journal
            if self.state.finished_at is not None:
                return self.state
            self._launch()
            await self.clock.wait(self._wake, self._wake_at())
            self._wake.clear()
            self._take_in()
            if self._bound is not None and self.clock.now() >= self._bound:
                self._give_up()

    def cancel(self, by: str, reason: str = "") -> None:
        """Ask for the run to end; may be called from a signal handler of the loop."""
        self.ask(Request("cancel", by, {"reason": reason}))

    def ask(self, request: Request) -> None:
        """Take a wish; it becomes a fact at the loop's next turn."""
        self._requests.append(request)
        self._wake.set()

    def look(self) -> None:
        """See, at the loop's next turn, what others want of the run."""
        self._wished = True
        self._wake.set()

    def take_requests(self) -> None:
        """Turn what others want of the run into facts; each is known before its request is gone."""
        self._take_signals()
        for request in self.writer.requests():
            self.record(fact_of_request(self.state, request, self.clock.now()))
            self.writer.flush()

    def kill(self) -> None:
        """End every running attempt at once."""
        for attempt in list(self._attempts.values()):
            self.executor.stop(attempt, now=True)

    def _wake_at(self) -> float | None:
        moments = [moment for moment in (self.state.wake_at(), self._bound) if moment is not None]
        return min(moments, default=None)

    @property
    def _bound(self) -> float | None:
        """When a cancel counts as done whatever still runs."""
        cancel = self.state.cancel
        return cancel.timestamp + self._cancel_timeout if cancel and self._attempts else None

    # --- the three parts of a turn -------------------------------------------------------------------------

    def _decide(self) -> None:
        while (decision := self.state.next(self.clock.now())) is not None:
            now = self.clock.now()
            match decision:
                case Start(node, attempt):
                    self._begin(node, attempt, now)
                case Skip(node, reason, detail):
                    self.record(
                        TaskSkip(timestamp=now, task_id=node.task.id, reason=str(reason), detail=detail)
                    )
                case Drop(node, reason):
                    self.record(
                        TaskCancel(
                            timestamp=now, task_id=node.task.id, reason=str(reason), detail=self.state.cause,
                            attempt=self.state.tasks[node.index].attempt or None,
                        )
                    )  # fmt: skip
                case Stop(node):
                    self.state.note(decision)
                    self.executor.stop(self._attempts[node.index])
                case Ask(node):
                    self._ask(node, now)
                case Expand(node):
                    self._expand(node, now)
                case Conclude(node):
                    self.record(self.state.conclusion(node, now))
                case Finish():
                    self._finish(decision, now)

    def _launch(self) -> None:
        launches, self._launches = self._launches, []
        for node, work in launches:
            self.executor.start(work, partial(self._end, node))

    def _take_in(self) -> None:
        self._take_signals()
        if self._wished:
            self._wished = False
            self.take_requests()
        while self._ended:
            node, ended = self._ended.popleft()
            if self._attempts.pop(node.index, None) is None:
                continue  # given up before it ended
            self.record(self.state.fact_of(node, ended, self.clock.now(), self._chance()))

    def _take_signals(self) -> None:
        while self._requests:
            self.record(fact_of_request(self.state, self._requests.popleft(), self.clock.now()))

    # --- what the parts are made of ------------------------------------------------------------------------

    def _begin(self, node: Node, number: int, now: float) -> None:
        task = node.task
        attempt = self.writer.attempt(task.id, number, task.timeout)
        try:
            work = self._bodies.work(node, attempt, self._upstream(node))
        except EvaluationError as error:
            self._fail_unbegun(node, error, now)
            return
        self._attempts[node.index] = attempt
        self._launches.append((node, work))
        ref = task.action.ref if isinstance(task.action, WorkflowAction) else None
        self.record(
            TaskStart(timestamp=now, task_id=task.id, attempt=number, kind=task.kind, workflow_ref=ref)
        )

    def _upstream(self, node: Node) -> dict[str, Outputs]:
        """What the dependencies hand on: a task its outputs if it succeeded, a group those of its variants that did."""
        upstream: dict[str, Outputs] = {}
        for i in node.needs:
            above = self.state.nodes[i]
            if above.members is not None:
                upstream[above.task.id] = self._bodies.gathered(above)
            elif self.state.tasks[i].status is Status.SUCCESS:
                upstream[above.task.id] = self.state.tasks[i].outputs
        return upstream

    def _expand(self, node: Node, now: float) -> None:
        try:
            items = self._bodies.items(node)
        except EvaluationError as error:
            self._fail_unbegun(node, error, now)
            return
        task_id, large = node.task.id, self.writer.store_items(node.task.id, items)
        small = None if large else items
        self.record(
            TaskExpand(timestamp=now, task_id=task_id, count=len(items), items=small, items_file=large)
        )

    def _ask(self, node: Node, now: float) -> None:
        try:
            self.state.answer(node, self._bodies.condition(node))
        except EvaluationError as error:
            self._fail_unbegun(node, error, now)

    def _fail_unbegun(self, node: Node, error: EvaluationError, now: float) -> None:
        """An expression of the task cannot be evaluated: it fails before it begins, and trying again would not help."""
        self.record(
            TaskFail(timestamp=now, task_id=node.task.id, error=str(error), error_type="ExpressionError")
        )

    def _end(self, node: Node, ended: Ended) -> None:
        """An attempt ended: called by the executor, outside the attempt, whatever became of it."""
        self._ended.append((node, ended))
        self._wake.set()

    def _finish(self, finish: Finish, now: float) -> None:
        outputs = None
        if finish.status is RunStatus.SUCCESS and self.state.graph.dag.outputs:
            try:
                outputs = self._bodies.outputs()
            except EvaluationError as error:
                finish = Finish(RunStatus.FAILED, f"{Reason.OUTPUTS_FAILED}: {error}")
        if self._given_up:
            names = ", ".join(self._given_up[:10]) + ", ..." * (len(self._given_up) > 10)
            finish = Finish(
                finish.status, f"{finish.reason}: {names} did not end within {self._cancel_timeout:g}s"
            )
        self.record(ending(self.state, finish, now, outputs))

    # --- what outlasts the wish to end -------------------------------------------------------------------

    def _give_up(self) -> None:
        """A cancel has a bound: past it, what has not ended is recorded as cancelled all the same (CONTRACT 7.2)."""
        now = self.clock.now()
        for index, attempt in list(self._attempts.items()):
            self._attempts.pop(index)
            self._given_up.append(attempt.task_id)
            self.executor.stop(attempt, now=True)
            self.record(
                TaskCancel(
                    timestamp=now,
                    task_id=attempt.task_id,
                    reason=str(Reason.CANCELLED),
                    detail=f"did not end within {self._cancel_timeout:g}s",
                    attempt=attempt.number,
                )
            )

    def record(self, event: Event) -> None:
        """A fact: folded, taken down, told."""
        self.state.apply(event)
        self.writer.append(event)
        if self._listener is not None:
            self._listener(event, self.state)


def fact_of_request(state: RunState, request: Request, now: float) -> Event:
    """What a wish comes to."""
    reason = str(request.facts.get("reason", ""))
    if state.finished_at is not None:
        return CancelIgnored(timestamp=now, by=request.by, reason=reason)
    return CancelRequested(timestamp=now, by=request.by, reason=reason)


def close_interrupted(state: RunState, writer: RunWriter, request: Request, clock: Clock) -> None:
    """Cancel a run whose process died: nothing runs any more, so every fact can be recorded at once."""

    def record(event: Event) -> None:
        state.apply(event)
        writer.append(event)

    fact = fact_of_request(state, request, clock.now())
    record(fact)
    while isinstance(fact, CancelRequested) and (decision := state.next(clock.now())) is not None:
        now = clock.now()
        match decision:
            case Stop(node) | Drop(node) | Skip(node):
                record(
                    TaskCancel(
                        timestamp=now, task_id=node.task.id, reason=str(Reason.CANCELLED),
                        attempt=state.tasks[node.index].attempt or None,
                    )
                )  # fmt: skip
            case Conclude(node):
                record(state.conclusion(node, now))
            case Finish():
                record(ending(state, finish=decision, now=now))
    writer.flush()


def ending(state: RunState, finish: Finish, now: float, outputs: Mapping[str, Json] | None = None) -> DagDone:
    """The fact that ends a stretch."""
    counts = state.counts()
    return DagDone(
        timestamp=now,
        status=str(finish.status),
        reason=str(finish.reason),
        outputs=outputs,
        tasks_succeeded=counts.get(Status.SUCCESS, 0),
        tasks_failed=counts.get(Status.FAILED, 0) + counts.get(Status.TIMED_OUT, 0),
        tasks_skipped=counts.get(Status.SKIPPED, 0),
        tasks_cancelled=counts.get(Status.CANCELLED, 0),
        duration_seconds=round(now - (state.stretch_started_at or now), 3),
    )
