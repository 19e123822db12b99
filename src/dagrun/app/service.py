"""The application: every use case of the command line, and later of HTTP and MCP. Returns data, never prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from dagrun.app.queued_runs import QueuedRuns
from dagrun.app.run_queries import RunQueries
from dagrun.app.stretch import Cancellation, RunObserver, RunResult, Stretches, take_over
from dagrun.clock import Clock
from dagrun.core.events import DagStart, Event
from dagrun.core.executor_protocol import Executor
from dagrun.core.model import Dag
from dagrun.core.outcomes import FINAL, RunStatus
from dagrun.core.record import RunRecord, replay
from dagrun.core.requests import Request, goes_on
from dagrun.core.resume import needed_files, reuse, usable
from dagrun.core.selection import Selection
from dagrun.core.state import RunState
from dagrun.errors import DagrunError, NotFoundError, NotOwnedError, RefusedError
from dagrun.masking import Masker
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.run_store import RunStore, RunWriter, new_run_id
from dagrun.value import replace
from dagrun.views.status import RunView

if TYPE_CHECKING:
    from dagrun.app.answering import Answering
    from dagrun.app.documents import Documents
    from dagrun.app.repeating import Repeating
    from dagrun.app.run_inputs import GivenParams
    from dagrun.app.schedules import Schedules
    from dagrun.runtime.child_runs import RepeatedChild
    from dagrun.runtime.launcher import Launcher
    from dagrun.runtime.run_request import RunRequest

LOCK_POLL_INTERVAL = 0.02  # seconds
ACKNOWLEDGE_TIMEOUT = 5.0  # seconds that a cancel may take longer than its own timeout


class Service(RunQueries):
    """The runs, documents and schedules of one project. Made by `wiring`.

    May be used by several threads, and may drive any number of runs at once, each thread on its own event loop.
    """

    def __init__(
        self,
        settings: Settings,
        runs: RunStore,
        clock: Clock,
        executor: Callable[[], Executor],
        read_registry: Callable[[], Registry],
        end_bodies: Callable[[str], None] = lambda _: None,
        prefetch_registry: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        #: The claims of schedules, beside the state store.
        self.claims_directory = settings.path(settings.state_path).parent / "schedules"
        super().__init__(runs, clock, QueuedRuns(runs, self.claims_directory))
        self.workflows = read_registry
        self._prefetch_registry = prefetch_registry
        self._end_bodies = end_bodies
        self._launcher: Launcher | None = None
        self._executor = executor
        self._stretches = Stretches(settings, runs, clock, executor, self.queue)

    @cached_property
    def documents(self) -> Documents:
        """Answers about documents."""
        from dagrun.app.documents import Documents  # YAML and pydantic, 80 ms that a query does not need

        return Documents(self.settings, self.workflows, self._prefetch_registry)

    @cached_property
    def schedules(self) -> Schedules:
        """Answers about schedules."""
        from dagrun.app.schedules import Schedules

        return Schedules(self.documents, self.claims_directory, self.status)

    @cached_property
    def _repeating(self) -> Repeating:
        from dagrun.app.repeating import Repeating

        return Repeating(self.documents)

    @cached_property
    def answers(self) -> Answering:
        """Records answers to runs that wait: approvals, rejections, signals."""
        from dagrun.app.answering import Answering

        return Answering(
            self.runs, self.clock, self.settings.user_rbac_role, self._masker, self._settle_wholly
        )

    # --- driving runs in this process ------------------------------------------------------------------------

    async def run(
        self,
        prepared: PreparedRun,
        run_id: str | None = None,
        observer: RunObserver | None = None,
        cancellation: Cancellation | None = None,
    ) -> RunResult:
        """Run to the end. Raises RefusedError for an id that is taken, RecordError when an event cannot be recorded."""
        cancellation = cancellation or Cancellation()
        cancellation.commit()
        if prepared.deferred:
            run_id = run_id or new_run_id(self.clock.now())
            prepared = self.evaluated(prepared, run_id)
        writer = self._stretches.create(prepared, run_id)

        def first() -> Sequence[Event]:
            return [self._stretches.start_event(prepared, writer)]

        return await self._drive(prepared, writer, first, observer, cancellation)

    def evaluated(self, prepared: PreparedRun, run_id: str | None = None) -> PreparedRun:
        """The run with the parameter values that it would get if it began now. Raises UsageError."""
        from dagrun.app.run_inputs import evaluate_defaults

        now = self.clock.now()
        return evaluate_defaults(prepared, run_id or new_run_id(now), now)

    async def resume(
        self,
        named: str,
        *,
        use_current: bool = False,
        given: GivenParams | None = None,
        observer: RunObserver | None = None,
        cancellation: Cancellation | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> RunResult | None:
        """Continue a run: tasks that succeeded are kept, the rest runs. None when nothing is left to do.

        `given` are new values for parameters. `notice` is called with a message when the document has changed since.
        Raises NotFoundError, UsageError, DamagedError, and RefusedError when the run is live or a value of it was not
        recorded; then nothing was changed.
        """
        writer = self.runs.take_over(self.run_id(named))
        return await self._resume(writer, use_current, given, observer, cancellation, notice)

    async def go_on(
        self,
        run_id: str,
        given: GivenParams | None = None,
        observer: RunObserver | None = None,
        cancellation: Cancellation | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> RunResult | None:
        """Continue a run that has been answered; of a child run, the run above all. None when another process does, or has
        ended it.

        Raises as `resume` does.
        """
        import asyncio

        run_id = self.root_of(run_id)
        while True:
            try:
                writer = self.runs.take_over(run_id)
            except NotOwnedError:
                raise
            except RefusedError:  # another process drives it; or also answers, and holds it for a moment
                if goes_on(replay(self.runs.read(run_id))):
                    return None
                await asyncio.sleep(LOCK_POLL_INTERVAL)
            else:
                return await self._resume(writer, False, given, observer, cancellation, notice, answered=True)

    async def _resume(
        self, writer: RunWriter, use_current: bool, given: GivenParams | None, observer: RunObserver | None,
        cancellation: Cancellation | None, notice: Callable[[str], None], *, answered: bool = False,
    ) -> RunResult | None:  # fmt: skip
        """As its owner; with `answered` a run that has ended is left as it is."""
        cancellation = cancellation or Cancellation()
        try:
            record = self.runs.read(writer.run_id)  # read by the owner: nobody else adds to it now
            self._refuse_part_of_live_run(record)
            dag = self._repeating.dag_to_resume(record, use_current, notice)
            state = replay(record, dag)
            is_complete = state.status is RunStatus.SUCCESS and all(
                task.status in FINAL for task in state.tasks
            )
            if is_complete or (answered and state.has_ended):
                writer.close()
                return None
            prepared = self._repeating.resumed(record, dag, state.start, given)
            prepared = replace(prepared, foreign_secrets=self._secrets_above(record))
            for task_id, blob in needed_files(state):
                with usable(writer.run_id, task_id):
                    writer.read_outputs(blob)
            cancellation.commit()
            self._end_bodies(writer.run_id)
            events = self._stretches.begin_again(writer, record, prepared, state, given=bool(given))
        except BaseException:
            writer.close()
            raise

        return await self._drive(
            prepared, writer, events, observer, cancellation, state, use_current=use_current
        )

    async def _drive(
        self,
        prepared: PreparedRun,
        writer: RunWriter,
        first: Callable[[], Sequence[Event]],
        observer: RunObserver | None,
        cancellation: Cancellation | None,
        state: RunState | None = None,
        *,
        use_current: bool = False,
        repeated: Mapping[str, RepeatedChild] = MappingProxyType({}),
    ) -> RunResult:
        """Drive a stretch of a run, and of the runs below it."""
        place = None
        if any(task.action.has_own_run for task in prepared.graph.dag.tasks):
            from dagrun.app.child_run_driver import root_place

            place = root_place(
                prepared, writer, self._executor(), self.settings, self.runs, self.clock, self.documents,
                self._repeating, self._stretches, observer, repeated, use_current=use_current,
            )  # fmt: skip
        return await self._stretches.drive(prepared, writer, first, observer, cancellation, state, place)

    async def rerun(
        self,
        named: str,
        again: Selection,
        run_id: str | None = None,
        *,
        given: GivenParams | None = None,
        observer: RunObserver | None = None,
        cancellation: Cancellation | None = None,
    ) -> RunResult:
        """A new run of an earlier one's DAG and parameters; it reuses the results of all tasks that `again` does not select.

        `given` are new values for parameters. Raises NotFoundError, UsageError, and RefusedError when the id is taken
        or a value was not recorded.
        """
        cancellation = cancellation or Cancellation()
        record = self.record(named)
        own, inner = again.split()
        for name in (*again.only, *again.start):
            self.named(record.run_id, name)
        reused = reuse(record, record.dag, own)
        prepared = self._repeating.rerun(record, reused.dag, replay(record).start, given)
        cancellation.commit()
        writer = self._stretches.create(prepared, run_id)
        take_over(writer, record.run_id, reused)

        def first() -> Sequence[Event]:
            start = self._stretches.start_event(prepared, writer, record.run_id)
            return [start, *reused.events(record.run_id, self.clock.now())]

        return await self._drive(
            prepared, writer, first, observer, cancellation, repeated=self._repeated(record, inner)
        )

    def _repeated(self, record: RunRecord, inner: Mapping[str, Selection]) -> Mapping[str, RepeatedChild]:
        if not inner:
            return {}
        from dagrun.app.child_run_driver import repeated_children

        return repeated_children(replay(record), inner)

    def _runs_above(self, record: RunRecord) -> Iterator[str]:
        """Of a child run the runs above it, from its parent to the root, as far as they still exist."""
        start = next((event for event in record.events if isinstance(event, DagStart)), None)
        parent = start.parent_run_id if start is not None and start.trigger == "dag" else None
        if parent is not None and self.runs.has(parent):
            yield parent
            yield from self._runs_above(self.runs.read(parent))

    def _refuse_part_of_live_run(self, record: RunRecord) -> None:
        for run_id in self._runs_above(record):
            if self.runs.is_live(run_id):
                raise RefusedError(
                    f"run '{record.run_id}' is a task of run '{run_id}', which another process drives",
                    hint="wait until that run has ended; resuming it continues this one too",
                )

    def _secrets_above(self, record: RunRecord) -> dict[str, str]:
        """The secrets of the runs above a child run, which are hidden from it."""
        above = [self.runs.dag(run_id) for run_id in self._runs_above(record)]
        return {
            name: value
            for dag in above
            if dag.secrets
            for name, value in self.documents.inputs.secrets(dag).items()
        }

    # --- runs in processes of their own ----------------------------------------------------------------------

    def launch(self, request: RunRequest, run_id: str | None = None, options: Sequence[str] = ()) -> str:
        """Start a process that drives a new run, and return the id once the run has begun. The process outlives this one.

        `options` are further options of `dagrun run`. Raises DocumentError, NotFoundError, UsageError, RefusedError,
        EnvironmentFailure, NotStartedError.
        """
        from dagrun.app.launching import launch
        from dagrun.runtime.launcher import Launcher

        path = self.documents.prepare(request).path  # a wrong request is refused here
        params_file = request.params_file and request.params_file.absolute()
        request = replace(request, dag=path, params_file=params_file)
        run_id = run_id or new_run_id(self.clock.now())
        self._launcher = self._launcher or Launcher(self.runs, self.settings.root)
        launch(self._launcher, self.settings, request, run_id, options)
        return run_id

    def close(self) -> None:
        """Release what this service holds. Launched runs continue."""
        if self._launcher is not None:
            self._launcher.close()

    # --- cancelling ------------------------------------------------------------------------------------------

    def cancel(self, named: str, by: str, reason: str = "") -> RunView:
        """Request the end of a run, and wait for it: the run as it is then. May take as long as the cancel timeout.

        A run that has ended keeps its state; a queued or an interrupted one is ended here. Raises NotFoundError.
        """
        run_id = self.any_run_id(named)
        if (queued := self.queue.get(run_id)) is not None:
            self._record_start(self._repeating.queued(queued), run_id)
        if reason:
            reason = self._masked(run_id, reason)
        self.runs.send(run_id, Request("cancel", by, {"reason": reason}))
        deadline = time.monotonic() + self.settings.cancel_timeout_ms / 1000 + ACKNOWLEDGE_TIMEOUT
        while time.monotonic() < deadline:
            try:
                writer = self.runs.take_over(run_id)
            except NotOwnedError:
                raise
            except RefusedError:  # a live process drives it, and takes the request
                time.sleep(LOCK_POLL_INTERVAL)
                continue
            try:
                state = self._settle(writer)
            except BaseException:
                writer.close()
                raise
            self._run_hooks_left(state, writer)
            break
        return self.status(run_id)

    def _run_hooks_left(self, state: RunState, writer: RunWriter) -> None:
        """Run the hooks of a run that was cancelled here and has some, and release it."""
        import asyncio

        if state.has_ended or not (state.cancel or state.hooks.cancel):
            writer.close()
            return
        from dagrun.runtime.interrupted import end_without_hooks

        try:
            record = self.runs.read(writer.run_id)
            prepared = self._repeating.resumed(record, record.dag, state.start, None)
            prepared = replace(prepared, foreign_secrets=self._secrets_above(record))
        except DagrunError as error:
            try:
                end_without_hooks(state, writer, f"not run: {error.message}", self.clock)
            finally:
                writer.close()
            return
        asyncio.run(self._stretches.drive(prepared, writer, tuple, state=state))

    def _record_start(self, prepared: PreparedRun, run_id: str) -> None:
        """Make a run of a queued one, so that it can be cancelled, unless a scheduler starts it first."""
        try:
            writer = self._stretches.create(prepared, run_id)
        except RefusedError:  # its process has just created it
            return
        try:
            writer.append(self._stretches.start_event(prepared, writer))
        finally:
            writer.close()

    def _masked(self, run_id: str, text: str) -> str:
        """A text to record, without those secrets of the run that are known here."""
        try:
            dag = self.runs.dag(run_id)
        except NotFoundError:  # it cannot be read, but it can be ended
            return text
        return self._masker(dag).text(text)

    def _masker(self, dag: Dag) -> Masker:
        """Masks those secrets of a run that are known here."""
        return self.documents.inputs.masker(dag) if dag.secrets else Masker(())

    def _settle(self, writer: RunWriter) -> RunState:
        """As the owner of a run that no process drives: end its processes, and record the outcome of every request.

        Returns the state of the run.
        """
        from dagrun.runtime.interrupted import cancel_interrupted, end_cancelled

        record = self.runs.read(writer.run_id)
        if not any(map(self.runs.is_live, self._runs_above(record))):
            self._end_bodies(writer.run_id)
        state = replay(record)
        writer.begin()
        for request in writer.requests():
            cancel_interrupted(state, writer, request, self.clock)
        if (
            state.cancel is not None and not state.has_ended
        ):  # its process may have died in the middle of that
            end_cancelled(state, writer, self.clock)
        if state.cancel is not None:
            self._cancel_below(state, writer.run_id)
        return state

    def _settle_wholly(self, writer: RunWriter) -> RunState:
        """The same; a run that was cancelled ends without its hooks."""
        from dagrun.runtime.interrupted import end_without_hooks

        state = self._settle(writer)
        if state.cancel is not None and not state.has_ended:
            end_without_hooks(state, writer, "not run: the cancel was found by an answer", self.clock)
        return state

    def _cancel_below(self, state: RunState, run_id: str) -> None:
        """Cancel the child runs of a cancelled run that have not ended: no process drives them."""
        from dagrun.runtime.interrupted import cancel_interrupted

        request = Request("cancel", f"run {run_id}", {"reason": f"run {run_id} was cancelled"})
        for child in [task.child_run_id for task in state.tasks if task.child_run_id is not None]:
            try:
                writer = self.runs.take_over(child)
            except (NotFoundError, RefusedError):
                continue
            try:
                below = replay(self.runs.read(child))
                if not below.has_ended:
                    writer.begin()
                    cancel_interrupted(below, writer, request, self.clock)
                    self._cancel_below(below, child)
            except BaseException:
                writer.close()
                raise
            self._run_hooks_left(below, writer)

    def root_of(self, run_id: str) -> str:
        """The run above which there is none: of a child run the one that started it, or the one that started that."""
        return [run_id, *self._runs_above(self.runs.read(run_id))][-1]
