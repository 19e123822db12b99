"""The only loop: ask the state what to do, do it, record what happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum, auto

from dagrun.clock import Clock
from dagrun.core.decisions import (
    Cancel,
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
    CancelRequested,
    DagDone,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskSkip,
    TaskStart,
    masked,
)
from dagrun.core.executor_protocol import Executor, Prefetching
from dagrun.core.graph import Node
from dagrun.core.outcomes import Reason, RunStatus, Status
from dagrun.core.requests import Request, event_of
from dagrun.core.state import RunState
from dagrun.core.work import Attempt, AttemptResult, Json, Work
from dagrun.kinds import workflow_of
from dagrun.language.expressions import EvaluationError
from dagrun.masking import Masker
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.storage.run_store import RunWriter

LOOKS = 20  # turns of the loop, some ten microseconds each, in which the end of a tiny body is looked out for
Listener = Callable[[Event, RunState], None]


class _News(Enum):
    """What becomes of a queued attempt before it ends."""

    BEGUN = auto()
    RETURNED = auto()


class _AttemptListener:
    """What the executor tells of one attempt, whatever becomes of it; taken in at the loop's next turn."""

    __slots__ = ("engine", "node", "number")

    def __init__(self, engine: Engine, node: Node, number: int) -> None:
        self.engine = engine
        self.node = node
        self.number = number

    def begun(self) -> None:
        self.engine.hear(self, _News.BEGUN)

    def returned(self) -> None:
        self.engine.hear(self, _News.RETURNED)

    def ended(self, ended: AttemptResult) -> None:
        self.engine.hear(self, ended)


class Engine:
    """Drives one run from its first fact to its last. Owns the loop, and nothing else."""

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
    ) -> None:
        self.state = state
        self.writer = writer
        self.executor = executor
        self._prefetching = executor if isinstance(executor, Prefetching) else None
        self.clock = clock
        self._bodies = bodies
        self._chance = chance
        self._listener = listener
        self._cancel_timeout = cancel_timeout
        self._masker = masker or Masker(())
        self._wake = asyncio.Event()
        self._news: deque[tuple[_AttemptListener, AttemptResult | _News]] = deque()
        self._requests: deque[Request] = deque()
        self._wished = False
        self._given_up: list[str] = []
        self._attempts: dict[int, Attempt] = {}
        self._launches: list[tuple[Work, _AttemptListener]] = []
        self._queue: list[tuple[Work, _AttemptListener]] = []
        self._queued: dict[int, Attempt] = {}
        self._room: dict[str, int] = {}  # by workflow, in this turn

    async def run(self, *first: Event) -> RunState:
        """Run to the end of this stretch, which `first` begins.

        Raises RecordError when a fact cannot be recorded; the caller closes the executor.
        """
        for event in first:
            self.record(event)
        await self.executor.open(self.writer.directory, self.writer.bodies_lock)
        while True:
            self._decide()
            self.writer.flush()  # what follows must never be known to the world before it is known to the journal
            if self.state.finished_at is not None:
                return self.state
            self._launch()
            if self._prefetching is not None and self._prefetching.expects_end_soon():
                await self._look_out()
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
            self.record(event_of(request, self.state, self.clock.now()))
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
        in_hand = self._attempts or self._queued
        return cancel.timestamp + self._cancel_timeout if cancel and in_hand else None

    async def _look_out(self) -> None:
        """A few turns of the loop: to sleep and be woken takes longer than a tiny body."""
        for _ in range(LOOKS):
            if self._wake.is_set():
                return
            await asyncio.sleep(0)

    # --- the three parts of a turn -------------------------------------------------------------------------

    def _decide(self) -> None:
        # With one attempt at a time the order is the file's, and what is queued would come before what gets ready first.
        self.state.ahead = self._prefetching is not None and self.state.max_parallel > 1
        self._room.clear()
        while (decision := self.state.next(now := self.clock.now())) is not None:
            match decision:
                case Start(node, attempt):
                    self._begin(node, attempt, now)
                case Prefetch(node):
                    self._queue_up(decision, now)
                case Skip(node, reason, detail):
                    self.record(
                        TaskSkip(timestamp=now, task_id=node.task.id, reason=str(reason), detail=detail)
                    )
                case Cancel(node, reason):
                    self.record(
                        TaskCancel(
                            timestamp=now, task_id=node.task.id, reason=str(reason), detail=self.state.cause,
                            attempt=self.state.tasks[node.index].attempt or None,
                        )
                    )  # fmt: skip
                case Stop(node):
                    self.state.note(decision)
                    self.executor.stop(self._attempts.get(node.index) or self._queued[node.index])
                case EvaluateCondition(node):
                    self._ask(node, now)
                case Expand(node):
                    self._expand(node, now)
                case EndGroup(node):
                    self.record(self.state.conclusion(node, now))
                case Finish():
                    self._finish(decision, now)

    def _launch(self) -> None:
        launches, self._launches = self._launches, []
        for work, attempt in launches:
            self.executor.start(work, attempt.ended)
        if self._queue and self._prefetching is not None:
            queue, self._queue = self._queue, []
            self._prefetching.prefetch(queue)

    def _take_in(self) -> None:
        self._take_signals()
        if self._wished:
            self._wished = False
            self.take_requests()
        now = self.clock.now()
        while self._news:
            attempt, news = self._news.popleft()
            node = attempt.node
            match news:
                case AttemptResult():
                    if self._attempts.pop(node.index, None) is not None:  # else given up before it ended
                        self._record_end(node, news, now)
                case _ if node.index not in self._queued:  # given up before this was told
                    pass
                case _News.BEGUN:
                    self._attempts[node.index] = self._queued.pop(node.index)
                    self.record(_start(node, attempt.number, now))
                case _News.RETURNED:
                    del self._queued[node.index]
                    self.state.take_back(node)

    def _take_signals(self) -> None:
        while self._requests:
            self.record(event_of(self._requests.popleft(), self.state, self.clock.now()))

    # --- what the parts are made of ------------------------------------------------------------------------

    def _begin(self, node: Node, number: int, now: float) -> None:
        work = self._work(node, number, now)
        if work is not None:
            self._attempts[node.index] = work.attempt
            self._launches.append((work, _AttemptListener(self, node, number)))
            self.record(_start(node, number, now))

    def _queue_up(self, queue: Prefetch, now: float) -> None:
        """Hand the attempt over in advance, if the executor has room; else it, and what stands after it, waits its turn."""
        assert self._prefetching is not None
        node, ref = queue.node, workflow_of(queue.node.task)
        if ref is not None and ref not in self._room:
            self._room[ref] = self._prefetching.room(ref)
        if ref is None or self._room[ref] <= len(self._queue):
            self.state.ahead = False
            return
        work = self._work(node, queue.attempt, now)
        if work is None:
            return
        self.state.note(queue)
        self._queued[node.index] = work.attempt
        self._queue.append((work, _AttemptListener(self, node, queue.attempt)))

    def _work(self, node: Node, number: int, now: float) -> Work | None:
        """All that the attempt needs; None when that cannot be told, and the task has failed for it."""
        task = node.task
        try:
            attempt = Attempt(run_id=self.writer.run_id, task_id=task.id, number=number, timeout=task.timeout)
            return self._bodies.work(node, attempt)
        except Exception as error:
            self._fail_unbegun(node, error, now)
            return None

    def _expand(self, node: Node, now: float) -> None:
        task_id = node.task.id
        try:
            items = self._bodies.items(node)
            large = self.writer.store_items(task_id, items)
        except Exception as error:
            self._fail_unbegun(node, error, now)
            return
        small = None if large else items
        self.record(
            TaskExpand(timestamp=now, task_id=task_id, count=len(items), items=small, items_file=large)
        )

    def _ask(self, node: Node, now: float) -> None:
        try:
            holds = self._bodies.condition(node)
        except Exception as error:
            self._fail_unbegun(node, error, now)
            return
        self.state.answer(node, holds)

    def _fail_unbegun(self, node: Node, error: Exception, now: float) -> None:
        """What the task needs cannot be had: it fails before it begins, and trying again would not help."""
        error_type = "ExpressionError" if isinstance(error, EvaluationError) else type(error).__name__
        self.record(
            TaskFail(timestamp=now, task_id=node.task.id, error=_sentence(error), error_type=error_type)
        )

    def hear(self, attempt: _AttemptListener, news: AttemptResult | _News) -> None:
        """Something became of an attempt: called by the executor, outside the attempt."""
        self._news.append((attempt, news))
        self._wake.set()

    def _finish(self, finish: Finish, now: float) -> None:
        outputs = None
        if finish.status is RunStatus.SUCCESS and self.state.graph.dag.outputs:
            try:
                outputs = self._bodies.outputs()
            except Exception as error:
                why = self._masker.text(_sentence(error))
                finish = Finish(RunStatus.FAILED, f"{Reason.OUTPUTS_FAILED}: {why}")
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
        given_up = [*self._attempts.values(), *self._queued.values()]
        self._attempts.clear()
        self._queued.clear()
        for attempt in given_up:
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

    def _record_end(self, node: Node, ended: AttemptResult, now: float) -> None:
        """An attempt ended. One whose outputs cannot be recorded has failed for it."""
        chance = self._chance()
        try:
            self.record(self.state.fact_of(node, ended, now, chance))
        except (RecursionError, TypeError, ValueError) as error:
            why = f"its outputs cannot be recorded: {_sentence(error)}"
            failed = replace(ended, outputs={}, error=why, error_type="BadOutput")
            self.record(self.state.fact_of(node, failed, now, chance))

    def record(self, event: Event) -> None:
        """A fact: taken down, folded, told. So nobody ever sees a secret that a body or a person has put into one."""
        if self._masker:
            event = masked(event, self._masker)
        self.writer.append(event)
        self.state.apply(event)
        if self._listener is not None:
            self._listener(event, self.state)


def _sentence(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, RecursionError):
        return "a value is nested too deeply"
    return str(error) or type(error).__name__


def _start(node: Node, number: int, now: float) -> TaskStart:
    task = node.task
    return TaskStart(
        timestamp=now, task_id=task.id, attempt=number, kind=task.kind, workflow_ref=workflow_of(task)
    )


def close_interrupted(state: RunState, writer: RunWriter, request: Request, clock: Clock) -> None:
    """Cancel a run whose process died: nothing runs any more, so every fact can be recorded at once."""

    def record(event: Event) -> None:
        state.apply(event)
        writer.append(event)

    event = event_of(request, state, clock.now())
    record(event)
    while isinstance(event, CancelRequested) and (decision := state.next(clock.now())) is not None:
        now = clock.now()
        match decision:
            case Stop(node) | Cancel(node) | Skip(node):
                record(
                    TaskCancel(
                        timestamp=now, task_id=node.task.id, reason=str(Reason.CANCELLED),
                        attempt=state.tasks[node.index].attempt or None,
                    )
                )  # fmt: skip
            case EndGroup(node):
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
        duration_seconds=max(
            0.0, round(now - (state.stretch_started_at or now), 3)
        ),  # another process began it
    )
