"""One stretch of a run: created or taken over, driven to its end in this process, and seen by an observer meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dagrun.clock import Clock
from dagrun.core.events import CancelIgnored, DagStart, Event, masked
from dagrun.core.executor_protocol import Executor
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.outcomes import RunStatus
from dagrun.core.record import RunRecord
from dagrun.core.requests import event_of
from dagrun.core.resume import Reuse, resumption, usable
from dagrun.core.state import RunState
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.run_store import RunStore, RunWriter
from dagrun.value import Value, replace
from dagrun.views.status import RunView, view_of

if TYPE_CHECKING:
    from dagrun.app.queued_runs import QueuedRuns
    from dagrun.runtime.child_runs import ChildRuns
    from dagrun.runtime.driver import RunDriver


class RunObserver:
    """Callbacks while a run is driven, all on its event loop. The methods of this class do nothing."""

    def begin(self, run_id: str, runs: RunStore) -> None:
        """The run has an id."""

    def event(self, event: Event, state: RunState) -> None:
        """An event was recorded, and is part of `state` now."""

    def tick(self) -> None:
        """Called about ten times per second; for a child run, twice."""

    def child(self, task_id: str, graph: Graph) -> RunObserver:
        """The observer of a child run, which is the attempt of a task that begins."""
        return RunObserver()


class Cancellation:
    """Ends a run early. Pass one to `Service.run`, `resume` or `rerun`, and use it on the event loop of that run."""

    def __init__(self) -> None:
        self._driver: RunDriver | None = None

    def commit(self) -> None:
        """Called right before the run is created or changed: from here on it should end by `cancel`, not by an exception."""

    def attach(self, driver: RunDriver) -> None:
        """Called when the run can be cancelled, before control returns to the loop after `commit`."""
        self._driver = driver

    def cancel(self, by: str, reason: str = "") -> None:
        """Ask the run to end, as the user `by`. Does nothing before it has begun, or after its end."""
        if self._driver is not None:
            self._driver.cancel(by, reason)

    def kill(self) -> None:
        """End every running attempt of the run with SIGKILL."""
        if self._driver is not None:
            self._driver.kill()


class RunResult(Value, dict=True):
    """A run at the end of a stretch."""

    run_id: str
    state: RunState

    @property
    def status(self) -> RunStatus:
        """How it ended."""
        return self.state.status

    @cached_property
    def view(self) -> RunView:
        """The run as people see it. Costs as much as the run has tasks."""
        return view_of(self.state, self.run_id)


class TreePlace(Value):
    """Where a run stands in a tree of runs: what drives its child runs, and the executor that all runs of the tree share."""

    executor: Executor
    children: ChildRuns
    #: Of a child run: called with whether only a person or another program can continue it.
    on_idle: Callable[[bool], None] | None = None


class Stretches:
    """Creates runs, and drives their stretches in this process."""

    def __init__(
        self,
        settings: Settings,
        runs: RunStore,
        clock: Clock,
        executor: Callable[[], Executor],
        queue: QueuedRuns,
    ) -> None:
        self._settings = settings
        self._runs = runs
        self._clock = clock
        self._executor = executor
        self._queue = queue

    def create(self, prepared: PreparedRun, run_id: str | None) -> RunWriter:
        """A new run. Raises RefusedError when the id is taken, UsageError when it is not valid."""
        return self._runs.create(recorded_dag_of(prepared), self._clock.now(), run_id)

    def start_event(self, prepared: PreparedRun, writer: RunWriter, parent: str | None = None) -> DagStart:
        """The first event of a run; `parent` is the run that it repeats, or whose task it is."""
        return DagStart(
            timestamp=self._clock.now(),
            task_count=prepared.graph.task_count,
            dag_path=prepared.path,
            dag_hash=writer.dag_hash,
            params=prepared.recorded_params,
            max_parallel=prepared.max_parallel,
            trigger=prepared.trigger,
            schedule_id=prepared.schedule_id,
            scheduled_at=prepared.scheduled_at,
            parent_run_id=parent,
            start_by=prepared.start_by,
            partial=prepared.partial or None,
            masked_params=prepared.masked_params or None,
        )

    def begin_again(
        self,
        writer: RunWriter,
        record: RunRecord,
        prepared: PreparedRun,
        state: RunState,
        *,
        given: bool = False,
    ) -> Callable[[], Sequence[Event]]:
        """Prepare a run that was taken over to be driven on; returns what makes the first events of the new stretch.

        Requests that the last process has not taken are recorded. `given`: values of parameters were given again.
        """
        writer.begin(None if prepared.graph.dag == record.dag else recorded_dag_of(prepared))
        for request in writer.requests():
            event: Event | None = CancelIgnored(
                timestamp=self._clock.now(), by=request.by, reason="the run was resumed"
            )
            if request.kind != "cancel":
                event = event_of(request, state, self._clock.now())
            if event is not None:
                event = masked(event, prepared.masker)
                state.apply(event)
                writer.append(event)
                writer.flush()

        def first() -> Sequence[Event]:
            start = [] if state.start else [self.start_event(prepared, writer)]
            if not record.events:
                return start
            resumed = resumption(state, writer.dag_hash, prepared.max_parallel, self._clock.now())
            if given:
                resumed = replace(
                    resumed, params=prepared.recorded_params, masked_params=prepared.masked_params or None
                )
            return [*start, resumed]

        return first

    async def drive(
        self,
        prepared: PreparedRun,
        writer: RunWriter,
        first: Callable[[], Sequence[Event]],
        observer: RunObserver | None = None,
        cancellation: Cancellation | None = None,
        state: RunState | None = None,
        place: TreePlace | None = None,
    ) -> RunResult:
        """Drive a run that this process owns, and release it. The stretch begins with the events that `first` returns.

        `place` is where it stands in a tree of runs; a run that has no child runs, and is none, needs none. When the coroutine is cancelled, the processes of the run are ended and the run is `interrupted`.
        """
        from dagrun.runtime.driver import RunDriver  # asyncio, which a query does not need

        observer = observer or RunObserver()
        try:
            observer.begin(writer.run_id, self._runs)
            executor = self._executor() if place is None else place.executor
            driver = RunDriver(
                prepared, self._settings, writer, executor, self._clock, observer.event, observer.tick, state,
                None if place is None else place.children, None if place is None else place.on_idle,
            )  # fmt: skip
            if cancellation is not None:
                cancellation.attach(driver)
            with self._queue.in_flight(writer.run_id, prepared, lambda: driver.state.has_ended):
                await driver.run(*first())
        finally:
            writer.close()
        return RunResult(writer.run_id, driver.state)


def take_over(writer: RunWriter, run_id: str, reused: Reuse) -> None:
    """Link the files of the results that a new run reuses. When that fails, the new run is deleted."""
    try:
        for task_id, blob in reused.files:
            with usable(run_id, task_id):
                writer.reuse_outputs(run_id, blob)
        writer.reuse_artifacts(run_id, reused.task_ids)
    except BaseException:
        writer.discard()
        raise


def recorded_dag_of(prepared: PreparedRun) -> Dag:
    """The DAG to record: the parameters of this run are its defaults, so that they are known before the first event."""
    dag, values = prepared.graph.dag, prepared.recorded_params
    params = tuple(replace(param, default=values.get(param.name)) for param in dag.params)
    return replace(dag, params=params, masked_params=prepared.masked_params)
