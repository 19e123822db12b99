"""Child runs: prepared from their documents or records, driven on the loop of the run whose tasks they are."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.app.run_inputs import evaluate_defaults
from dagrun.app.stretch import Cancellation, RunObserver, Stretches, TreePlace, take_over
from dagrun.clock import Clock
from dagrun.core.events import DagStart, Event
from dagrun.core.executor_protocol import Executor
from dagrun.core.model import Dag
from dagrun.core.outcomes import FINAL, Reason, RunStatus, Status
from dagrun.core.payloads import merged_params
from dagrun.core.record import RunRecord, replay
from dagrun.core.resume import needed_files, reuse, usable
from dagrun.core.selection import Selection
from dagrun.core.state import RunState
from dagrun.core.work import Attempt, AttemptResult, Blob, Json, Outputs
from dagrun.documents import parameters
from dagrun.documents.validation.child_documents import MAX_DEPTH, given_to
from dagrun.errors import NotFoundError, UsageError
from dagrun.registry import Registry
from dagrun.runtime.child_runs import ChildWork, PreparedChild, RepeatedChild
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.shared_slots import SharedSlots
from dagrun.settings import Settings
from dagrun.storage.run_store import RunStore, RunWriter, new_run_id
from dagrun.value import Value, field, replace

if TYPE_CHECKING:
    from dagrun.app.documents import Documents
    from dagrun.app.repeating import Repeating
    from dagrun.runtime.driver import RunDriver

MAX_LIVE = 64  # child runs at one level of a tree that are driven at once, if enough files may be open
_FILES_EACH = 8  # of the files that may be open, for each of these
_FILES_SPARED = 100
_MAX_NAMED = 5  # failed tasks, in one sentence

#: What became of the task whose child run is cancelled.
_WHY: Mapping[Reason | None, str] = {
    Reason.TIMED_OUT: "timed out",
    Reason.STOP_ALL: "was stopped because another task failed",
    Reason.RUN_TIMEOUT: "was stopped because its run timed out",
    Reason.CANCELLED: "was cancelled",
    None: "was killed",
}


class RunTree(Value):
    """What all runs of one tree share."""

    settings: Settings
    runs: RunStore
    clock: Clock
    documents: Documents
    repeating: Repeating
    stretches: Stretches
    executor: Executor
    slots: SharedSlots
    #: Whether runs that are continued take their documents as they are now.
    use_current: bool
    #: By level.
    live: dict[int, SharedSlots] = field(default_factory=dict)
    #: The ids of the child runs that were begun.
    ids: set[str] = field(default_factory=set)

    def live_at(self, level: int) -> SharedSlots:
        """The slots for live child runs of that level. Each level has its own: a run never waits for one above it."""
        if level not in self.live:
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            affordable = (files - _FILES_SPARED) // _FILES_EACH
            most = MAX_LIVE if files == resource.RLIM_INFINITY else max(2, min(MAX_LIVE, affordable))
            self.live[level] = SharedSlots(most)
        return self.live[level]

    def new_id(self) -> str:
        """An id for a child run."""
        while True:
            run_id = new_run_id(self.clock.now())
            if run_id not in self.ids and not self.runs.has(run_id):
                self.ids.add(run_id)
                return run_id


def root_place(
    prepared: PreparedRun,
    writer: RunWriter,
    executor: Executor,
    settings: Settings,
    runs: RunStore,
    clock: Clock,
    documents: Documents,
    repeating: Repeating,
    stretches: Stretches,
    observer: RunObserver | None,
    repeated: Mapping[str, RepeatedChild],
    *,
    use_current: bool,
) -> TreePlace:
    """The place of a run above which there is none."""
    slots = SharedSlots(prepared.max_parallel)
    tree = RunTree(
        settings, runs, clock, documents, repeating, stretches, executor, slots, use_current=use_current
    )
    chain = ((settings.path(prepared.path).resolve(), prepared.graph.dag.name),)
    children = ChildRunDriver(tree, prepared, writer, chain, observer or RunObserver(), repeated)
    return TreePlace(executor, children)


class ChildRunDriver:
    """Drives the child runs of one run. `chain` are the documents of the runs from the root to this one, with their names."""

    def __init__(
        self,
        tree: RunTree,
        parent: PreparedRun,
        writer: RunWriter,
        chain: tuple[tuple[Path, str], ...],
        observer: RunObserver,
        repeated: Mapping[str, RepeatedChild],
    ) -> None:
        """`repeated` are the child runs of an earlier run that those of this run repeat, by task."""
        self.slots = tree.slots
        self.live = tree.live_at(len(chain))
        self._tree = tree
        self._parent = parent
        self._writer = writer
        self._chain = chain
        self._observer = observer
        self._repeated = repeated
        self._children: dict[str, _LiveChild] = {}  # by the task

    # --- preparing -----------------------------------------------------------------------------------------

    def prepare(self, work: ChildWork, earlier: str | None) -> PreparedChild:
        """Prepare a child run; an earlier one is continued unless it runs another document or has other parameters."""
        upstream = merged_params({}, {name: self._read(each) for name, each in work.upstream.items()})
        continued = self._continued(work, upstream, earlier) if earlier is not None else None
        repeated = self._repeated.get(work.attempt.task_id)
        if continued is None and repeated is not None:
            continued = self._repetition(work, upstream, repeated)
        return continued or self._new(work, upstream)

    def _repetition(
        self, work: ChildWork, upstream: Mapping[str, Json], repeated: RepeatedChild
    ) -> PreparedChild | None:
        """A new child run that reuses results of an earlier one; None if that is not possible: a whole one runs."""
        known = self._continued(work, upstream, repeated.run_id)
        if known is None:
            return None
        record = self._tree.runs.read(repeated.run_id)
        own, inner = repeated.again.split()
        reused = reuse(record, record.dag, own)
        run_id = self._tree.new_id()
        prepared = replace(
            known.prepared, graph=known.prepared.graph.of(replace(known.prepared.graph.dag, tasks=reused.dag.tasks)),
            partial=known.prepared.partial or reused.dag is not record.dag,
        )  # fmt: skip
        below = repeated_children(replay(record), inner)
        return PreparedChild(
            work.attempt, run_id, prepared, repeats=repeated.run_id, reused=reused, below=below
        )

    def _read(self, outputs: Outputs) -> Mapping[str, Json]:
        return self._writer.read_outputs(outputs) if isinstance(outputs, Blob) else outputs

    def _new(self, work: ChildWork, upstream: Mapping[str, Json]) -> PreparedChild:
        documents = self._tree.documents
        path, recorded_path, graph = documents.child_graph(work.dag)
        self._check_chain(path, graph.dag.name)
        dag = replace(graph.dag, tenant=self._parent.graph.dag.tenant)
        values = self._values(dag, work.params, upstream)
        run_id = self._tree.new_id()
        prepared = PreparedRun(
            graph.of(dag), recorded_path, parameters.resolve(dag, values), documents.registry_for(dag) or Registry(),
            documents.inputs.secrets(dag), trigger="dag", scheduled_at=self._parent.scheduled_at,
            dotenv=documents.inputs.dotenv(dag), deferred=parameters.deferred(dag, values),
            foreign_secrets=self._foreign_secrets(),
        )  # fmt: skip
        return PreparedChild(
            work.attempt, run_id, evaluate_defaults(prepared, run_id, self._tree.clock.now())
        )

    def _check_chain(self, path: Path, name: str) -> None:
        names = " -> ".join((*(each for _, each in self._chain), name))
        if any(path == above for above, _ in self._chain):
            raise UsageError(f"DAG '{name}' would run itself: {names}")
        if len(self._chain) > MAX_DEPTH:
            raise UsageError(f"child runs are nested too deeply, and {MAX_DEPTH} levels are allowed: {names}")

    def _values(self, dag: Dag, params: Mapping[str, Json], upstream: Mapping[str, Json]) -> dict[str, Json]:
        values = given_to(dag, params, upstream)
        if found := parameters.problems(dag, values, give="the task must give it in its parameters"):
            raise UsageError(self._parent.masker.text(f"DAG '{dag.name}': {'; '.join(found)}"))
        return values

    def _foreign_secrets(self) -> Mapping[str, str]:
        return {**self._parent.foreign_secrets, **self._parent.secrets}

    def _continued(self, work: ChildWork, upstream: Mapping[str, Json], earlier: str) -> PreparedChild | None:
        """The child run of an earlier stretch, from its recorded DAG; None if a new one has to begin."""
        tree = self._tree
        try:
            record = tree.runs.read(earlier)
        except NotFoundError:  # it never began, or was removed
            return None
        start = next((event for event in record.events if isinstance(event, DagStart)), None)
        if start is None or self._names_other_document(work.dag, start.dag_path):
            return None
        dag = tree.repeating.dag_to_resume(record, True, _ignore) if tree.use_current else record.dag
        values = self._values(dag, work.params, upstream)
        recorded = {param.name: param.default for param in dag.params} | {
            name: value
            for name, value in start.params.items()
            if any(name == each.name for each in dag.params)
        }
        prepared = replace(
            tree.documents.recorded(dag, start.dag_path, {**recorded, **values}),
            trigger=start.trigger, scheduled_at=start.scheduled_at, foreign_secrets=self._foreign_secrets(),
            deferred=parameters.deferred(dag, {**start.params, **values}),
        )  # fmt: skip
        given = prepared.masker.values(values)
        if any(given[name] != start.params.get(name) for name in given):
            return None
        if any(name not in given for name in start.masked_params or ()):
            return None
        return PreparedChild(
            work.attempt, earlier, evaluate_defaults(prepared, earlier, start.timestamp), continues=True
        )

    def _names_other_document(self, named: str, recorded: str) -> bool:
        try:
            return self._tree.documents.path_at_root(named) != recorded
        except NotFoundError:  # it has disappeared since: what is recorded runs
            return False

    # --- driving -------------------------------------------------------------------------------------------

    def start(
        self, child: PreparedChild, done: Callable[[AttemptResult], None], wake: Callable[[], None]
    ) -> None:
        """Drive a child run."""
        task_id = child.attempt.task_id
        live = self._children[task_id] = _LiveChild(self._writer.run_id, task_id, child.run_id, wake)
        live.driving = asyncio.get_running_loop().create_task(self._drive(child, live, done))

    def stop(self, attempt: Attempt, why: Reason | None, *, now: bool = False) -> None:
        """Cancel a child run."""
        live = self._children.get(attempt.task_id)
        if live is not None:
            live.stop(_WHY[why], now=now)

    @property
    def idle(self) -> int:
        """How many child runs only a person or another program can continue."""
        return sum(live.is_idle for live in self._children.values())

    def take_requests(self) -> bool:
        """Record the requests of all runs below."""
        found = [live.take_requests() for live in self._children.values()]  # of all of them
        return any(found)

    def pause(self) -> Mapping[str, str]:
        """Pause the idle child runs: their ids by task."""
        idle = {task_id: live for task_id, live in self._children.items() if live.is_idle}
        for live in idle.values():
            live.pause()
        return {task_id: live.run_id for task_id, live in idle.items()}

    async def close(self) -> None:
        """Interrupt the child runs that are still driven, except for those that are paused."""
        driving = [live for live in self._children.values() if live.driving is not None]
        for live in driving:
            if live.driving is not None and not live.is_paused:
                live.driving.cancel()
        await asyncio.gather(*(live.driving for live in driving if live.driving), return_exceptions=True)

    async def _drive(
        self, child: PreparedChild, live: _LiveChild, done: Callable[[AttemptResult], None]
    ) -> None:
        clock = self._tree.clock
        began = clock.now()
        try:
            state = await self._run(child, live)
            ended = self._result(child, state)
        except Exception as error:
            why = f"child run {child.run_id}: {str(error) or type(error).__name__}"
            ended = AttemptResult(duration=0.0, error=why, error_type=type(error).__name__)
        finally:
            self._children.pop(child.attempt.task_id, None)
        if not live.is_paused:
            done(replace(ended, duration=max(0.0, round(clock.now() - began, 3))))

    async def _run(self, child: PreparedChild, live: _LiveChild) -> RunState:
        """Drive the run, or the rest of it, to its end."""
        tree, prepared = self._tree, child.prepared
        stretches, state = tree.stretches, None
        if child.continues:
            writer = tree.runs.take_over(child.run_id)
            try:
                record = tree.runs.read(child.run_id)
                state = replay(record, prepared.graph.dag)
                if _is_done(state):
                    writer.close()
                    return state
                first = self._again(writer, record, prepared, state)
            except BaseException:
                writer.close()
                raise
        else:
            writer = stretches.create(prepared, child.run_id)
            start = stretches.start_event(prepared, writer, self._writer.run_id)
            reused = child.reused
            if reused is not None:
                take_over(writer, child.repeats, reused)

            def first() -> Sequence[Event]:
                results = () if reused is None else reused.events(child.repeats, tree.clock.now())
                return [start, *results]

        path = tree.settings.path(prepared.path).resolve()
        chain = (*self._chain, (path, prepared.graph.dag.name))
        observer = self._observer.child(child.attempt.task_id, prepared.graph)
        children = ChildRunDriver(tree, prepared, writer, chain, observer, child.below)
        place = TreePlace(tree.executor, children, live.on_idle)
        return (await stretches.drive(prepared, writer, first, observer, live, state, place)).state

    def _again(
        self, writer: RunWriter, record: RunRecord, prepared: PreparedRun, state: RunState
    ) -> Callable[[], Sequence[Event]]:
        for task_id, blob in needed_files(state):
            with usable(writer.run_id, task_id):
                writer.read_outputs(blob)
        return self._tree.stretches.begin_again(writer, record, prepared, state)

    def _result(self, child: PreparedChild, state: RunState) -> AttemptResult:
        """The end of the task: the outputs of a child run that succeeded, else why it did not."""
        attempt = child.attempt
        if state.status is not RunStatus.SUCCESS:
            error, error_type = _failure(child.run_id, state)
            return AttemptResult(duration=0.0, error=error, error_type=error_type)
        changed = any(task.status is Status.SUCCESS and task.changed for task in state.tasks)
        outputs: Outputs = state.outputs
        blob = self._writer.store_outputs(attempt.task_id, attempt.number, state.outputs)
        most = self._tree.settings.max_output_bytes
        if blob is not None and blob.size > most:
            why = f"the outputs of child run {child.run_id} are {blob.size} bytes; at most {most} are allowed"
            return AttemptResult(duration=0.0, error=f"{why} (max_output_bytes)", error_type="BadOutput")
        return AttemptResult(duration=0.0, outputs=blob or outputs, changed=changed)


class _LiveChild(Cancellation):
    """A child run that is driven now."""

    def __init__(self, parent_id: str, task_id: str, run_id: str, wake: Callable[[], None]) -> None:
        super().__init__()
        self.run_id = run_id
        #: Whether only a person or another program can continue it; and whether its stretch has ended for that.
        self.is_idle = False
        self.is_paused = False
        self._wake = wake
        self.driving: asyncio.Task[None] | None = None
        self._by = f"run {parent_id}"
        self._task_id = task_id
        self._reason = ""  # once it was asked to end
        self._is_killed = False

    def attach(self, driver: RunDriver) -> None:
        """It can be cancelled; perhaps it was already asked to end."""
        super().attach(driver)
        if self._reason:
            self.cancel(self._by, self._reason)
        if self._is_killed:
            self.kill()

    def on_idle(self, is_idle: bool) -> None:
        """Whether it is idle has perhaps changed."""
        if is_idle is not self.is_idle:
            self.is_idle = is_idle
            self._wake()

    def take_requests(self) -> bool:
        """Record the requests of it and all runs below; whether there was one."""
        return self._driver is not None and self._driver.take_requests()

    def pause(self) -> None:
        """End its stretch."""
        if self._driver is not None:
            self.is_paused = True
            self._driver.pause()

    def stop(self, why: str, *, now: bool) -> None:
        """Cancel it once; with `now` kill its bodies too."""
        if not self._reason:
            self._reason = f"task '{self._task_id}' {why}"
            self.cancel(self._by, self._reason)
        if now:
            self._is_killed = True
            self.kill()


def repeated_children(state: RunState, inner: Mapping[str, Selection]) -> Mapping[str, RepeatedChild]:
    """The child runs of an earlier run in which only a part runs again, by task."""
    return {
        task: RepeatedChild(run_id, again)
        for task, again in inner.items()
        if (run_id := state.tasks[state.index[task]].child_run_id) is not None
    }


def _is_done(state: RunState) -> bool:
    return state.status is RunStatus.SUCCESS and all(task.status in FINAL for task in state.tasks)


def _failure(run_id: str, state: RunState) -> tuple[str, str]:
    """Why a child run did not succeed, and the type of that error."""
    if state.status is RunStatus.CANCELLED:
        reason = f": {state.cancel.reason}" if state.cancel is not None and state.cancel.reason else ""
        return f"child run {run_id} was cancelled{reason}", "ChildRunCancelled"
    failed = [*state.failures()]
    names = ", ".join(failed[:_MAX_NAMED]) + (
        f" and {len(failed) - _MAX_NAMED} more" if failed[_MAX_NAMED:] else ""
    )
    why = str(state.reason)
    if failed and why == Reason.TASK_FAILED:
        first = state.tasks[state.index[failed[0]]].error
        why = f"{names} failed" + (f" ({first})" if first and len(failed) == 1 else "")
    word = "ended partially" if state.status is RunStatus.PARTIAL else "failed"
    return f"child run {run_id} {word}: {why}", "ChildRunFailed"


def _ignore(_: str) -> None:
    pass
