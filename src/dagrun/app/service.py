"""The application: every question that the command line, and later HTTP and MCP, may ask. Returns data, never prints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.app.run_queries import RunQueries
from dagrun.clock import Clock
from dagrun.core.events import CancelIgnored, DagStart, Event
from dagrun.core.executor_protocol import Executor
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.outcomes import FINAL, RunStatus
from dagrun.core.record import RunRecord, replay
from dagrun.core.requests import Request
from dagrun.core.resume import needed_files, resumption, reuse, usable
from dagrun.core.selection import Selection, names, part
from dagrun.core.state import RunState
from dagrun.core.work import Json
from dagrun.errors import DagrunError, DamagedError, NotFoundError, NotOwnedError, RefusedError, UsageError
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.signals import held
from dagrun.storage.run_store import RunStore, RunWriter, new_run_id
from dagrun.views.status import DamagedRun, RunView, view_of

if TYPE_CHECKING:
    from dagrun.app.documents import Documents, Given
    from dagrun.scheduling.open_runs import OpenRun
    from dagrun.scheduling.run_control import DagInfo
    from dagrun.scheduling.schedule import Schedule
    from dagrun.scheduling.schedule_queries import CheckedFiles, Preview, ScheduleView


class RunObserver:
    """What a face wants to hear of a run while it runs; this one wants nothing."""

    def announce(self, run_id: str, runs: RunStore) -> None:
        """The run has an id."""

    def event(self, event: Event, state: RunState) -> None:
        """A fact was recorded."""

    def tick(self) -> None:
        """A tenth of a second has passed."""


@dataclass(frozen=True)
class RunResult:
    """A run as it ended in this process, and the signal that ended it, if one did."""

    run_id: str
    state: RunState
    signal: int | None

    @property
    def status(self) -> RunStatus:
        """How it ended."""
        return self.state.status

    @cached_property
    def view(self) -> RunView:
        """The run as people see it; it costs as much as the run has tasks."""
        return view_of(self.state, self.run_id)


class Service(RunQueries):
    """A project's runs, past and to come. Made by `wiring`; holds no state of its own."""

    def __init__(
        self,
        settings: Settings,
        runs: RunStore,
        clock: Clock,
        executor: Callable[[], Executor],
        read_registry: Callable[[], Registry],
        end_bodies: Callable[[str], None] = lambda _: None,
        foresee_registry: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(runs, clock)
        self.settings = settings
        self.executor = executor
        self.read_registry = read_registry
        self.end_bodies = end_bodies
        self.foresee_registry = foresee_registry

    @cached_property
    def documents(self) -> Documents:
        """Answers about documents."""
        from dagrun.app.documents import Documents  # YAML and the wire models, 80 ms that no look back needs

        return Documents(self.settings, self.read_registry, self.foresee_registry)

    def run(
        self, prepared: PreparedRun, run_id: str | None = None, shown: RunObserver | None = None
    ) -> RunResult:
        """Run to the end. Raises RefusedError for an id that is taken, RecordError when it can no longer be recorded."""
        with held():  # from here on a signal is a cancel, which is recorded
            if prepared.deferred:
                now = self.clock.now()
                run_id = run_id or new_run_id(now)
                prepared = _with_defaults(prepared, run_id, now)
            writer = self._create(prepared, run_id)
            return self._drive(prepared, writer, shown, lambda: [self._start(prepared, writer)])

    def foresee(self, prepared: PreparedRun, run_id: str | None = None) -> PreparedRun:
        """What a run that began now would have for its parameters. Raises UsageError."""
        now = self.clock.now()
        return _with_defaults(prepared, run_id or new_run_id(now), now)

    def _create(self, prepared: PreparedRun, run_id: str | None) -> RunWriter:
        """A new run."""
        return self.runs.create(_recorded(prepared), self.clock.now(), run_id)

    def _start(
        self, prepared: PreparedRun, writer: RunWriter, trigger: str | None = None, parent: str | None = None
    ) -> DagStart:
        return DagStart(
            timestamp=self.clock.now(),
            task_count=prepared.graph.task_count,
            dag_path=prepared.path,
            dag_hash=writer.dag_hash,
            params=prepared.recorded_params,
            max_parallel=prepared.max_parallel,
            trigger=trigger or prepared.trigger,
            schedule_id=prepared.schedule_id,
            scheduled_at=prepared.scheduled_at,
            parent_run_id=parent,
            partial=prepared.partial or None,
            masked_params=prepared.masked_params or None,
        )

    def _drive(
        self,
        prepared: PreparedRun,
        writer: RunWriter,
        shown: RunObserver | None,
        first: Callable[[], Sequence[Event]],
        state: RunState | None = None,
    ) -> RunResult:
        """One stretch of a run that this process owns, begun by the facts `first`."""
        shown = shown or RunObserver()
        with held() as signals:
            try:
                import asyncio

                from dagrun.runtime.driver import RunDriver

                shown.announce(writer.run_id, self.runs)
                drive = RunDriver(
                    prepared,
                    self.settings,
                    writer,
                    self.executor(),
                    self.clock,
                    shown.event,
                    shown.tick,
                    state,
                )
                with self._in_hand(writer.run_id, prepared):
                    state = asyncio.run(drive.run(*first(), held=signals))
            finally:
                writer.close()
        return RunResult(writer.run_id, state, drive.signal)

    # --- runs that something happened to -------------------------------------------------------------------

    def cancel(self, named: str, by: str, reason: str = "") -> RunView:
        """Ask for a run to end, and see it end (CONTRACT 7.2): the run as it then is.

        A run that has ended keeps its state; an interrupted one is ended here. Raises NotFoundError.
        """
        run_id = self._any_id(named)
        if (queued := self._queued(run_id)) is not None:
            self._begin_queued(queued)
        if reason:
            reason = self._masked(run_id, reason)
        self.runs.send(run_id, Request("cancel", by, {"reason": reason}))
        deadline = time.monotonic() + self.settings.cancel_timeout_ms / 1000 + 5
        while time.monotonic() < deadline:
            try:
                writer = self.runs.take_over(run_id)
            except NotOwnedError:
                raise
            except RefusedError:  # somebody drives it, and takes the request
                time.sleep(0.02)
                continue
            try:
                self._settle(writer)
            finally:
                writer.close()
            break
        return self.status(run_id)

    def _masked(self, run_id: str, text: str) -> str:
        """A text for a run's records without those of its secrets that are known here."""
        try:
            dag = self.runs.dag(run_id)
        except NotFoundError:  # it cannot be read, but it can be ended
            return text
        return self.documents.masker(dag).text(text) if dag.secrets else text

    def _settle(self, writer: RunWriter) -> None:
        """As the owner of a run that nobody drives: end what it left, turn every request into what it comes to."""
        from dagrun.runtime.engine import close_interrupted  # asyncio, which only a cancel needs

        self.end_bodies(writer.run_id)
        state = replay(self.runs.read(writer.run_id))
        writer.begin()
        for request in writer.requests():
            close_interrupted(state, writer, request, self.clock)

    def resume(
        self, named: str, *, use_current: bool = False, given: Given | None = None, shown: RunObserver | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> RunResult | None:  # fmt: skip
        """Go on with a run: what ended well is kept, the rest runs (CONTRACT 7.3). None: nothing is left to do.

        `given` are values for parameters, from now on. `notice` is told when the document has changed since. Raises
        NotFoundError, UsageError, DamagedError, and RefusedError when the run is live or a value of it was not recorded;
        then nothing was changed.
        """
        writer = self.runs.take_over(self.run_id(named))
        try:
            record = self.runs.read(
                writer.run_id
            )  # as the owner: what has happened until now is all that has
            dag = self._resumed_dag(record, use_current, notice)
            state = replay(record, dag)
            if state.status is RunStatus.SUCCESS and all(task.status in FINAL for task in state.tasks):
                writer.close()
                return None
            prepared = self._resumed(record, dag, state.start, given)
            for task_id, blob in needed_files(state):
                with usable(writer.run_id, task_id):
                    writer.read_outputs(blob)
            self.end_bodies(writer.run_id)
            writer.begin(None if dag == record.dag else _recorded(prepared))
            for request in writer.requests():  # a cancel of a run that was interrupted: it is resumed now
                late = CancelIgnored(timestamp=self.clock.now(), by=request.by, reason="the run was resumed")
                writer.append(late)
                writer.flush()
        except BaseException:
            writer.close()
            raise

        def first() -> Sequence[Event]:
            begun = [] if state.start else [self._start(prepared, writer)]
            if not record.events:
                return begun
            resumed = resumption(state, writer.dag_hash, prepared.max_parallel, self.clock.now())
            if given:
                resumed = replace(
                    resumed, params=prepared.recorded_params, masked_params=prepared.masked_params or None
                )
            return [*begun, resumed]

        return self._drive(prepared, writer, shown, first, state)

    def _resumed(
        self, record: RunRecord, dag: Dag, start: DagStart | None, given: Given | None
    ) -> PreparedRun:
        """What a resumed run runs, with the values that its parameters had, or are given now. Raises UsageError, RefusedError."""
        params: Mapping[str, Json] = start.params if start else {}
        known = params
        if dag != record.dag:
            declared = {param.name for param in dag.params}
            params = {name: value for name, value in params.items() if name in declared}
        if start is None or dag != record.dag or given or _masked_params(record, start):
            known = self._params_again(record, dag, start, params, given)
            params = self.documents.params(dag, known)
        else:
            # Parameters that a resume with another document brought are its defaults.
            params = {**{param.name: param.default for param in dag.params}, **params}
        partial = start is not None and bool(start.partial)
        prepared = self.documents.recorded(dag, start.dag_path if start else "", params, partial=partial)
        prepared = _fired_as(prepared, start)
        if dag == record.dag:
            return prepared
        # The document has parameters that the run had not.
        from dagrun.documents.parameters import deferred

        new = replace(prepared, deferred=deferred(dag, known))
        return _with_defaults(new, record.run_id, start.timestamp if start else self.clock.now())

    def _params_again(
        self,
        record: RunRecord,
        dag: Dag,
        start: DagStart | None,
        recorded: Mapping[str, Json],
        given: Given | None,
    ) -> Mapping[str, Json]:
        """The values of the parameters of a run: those that are given now, else those that were recorded."""
        values = self.documents.given(dag, given) if given else {}
        declared = {param.name for param in dag.params}
        missing = [name for name in _masked_params(record, start) if name in declared and name not in values]
        kept = given.kept if given is not None else {}
        values |= {name: kept[name] for name in missing if name in kept}
        _refuse_masked(record.run_id, [name for name in missing if name not in kept])
        return {**recorded, **values}

    def _resumed_dag(self, record: RunRecord, use_current: bool, notice: Callable[[str], None]) -> Dag:
        start = next((event for event in record.events if isinstance(event, DagStart)), None)
        path = self.settings.path(start.dag_path) if start and start.dag_path else None
        if start is None or path is None or not path.is_file():
            if use_current:
                raise NotFoundError("document", str(path or "of the run"))
            return record.dag
        report = self.documents.report(path, start.dag_path)
        current = report.graph.dag if report.graph else None
        if current is not None and start.partial:
            recorded = names(record.dag)
            current = part(current, recorded & names(current, recorded))
        if use_current:
            if current is None:
                raise report.error()
            return replace(current, tenant=record.dag.tenant)
        if current is None or current.tasks != record.dag.tasks:
            notice(
                f"{start.dag_path} has changed since; the recorded DAG is used (--use-current takes the new one)"
            )
        return record.dag

    def rerun(
        self, named: str, again: Selection, run_id: str | None = None, shown: RunObserver | None = None,
        given: Given | None = None,
    ) -> RunResult:  # fmt: skip
        """A new run of an earlier one's DAG and parameters that takes over its results but for what `again` selects.

        `given` are values for parameters. Raises NotFoundError, UsageError, and RefusedError when the id is taken or a
        value was not recorded.
        """
        record = self.record(named)
        reused = reuse(record, record.dag, again)
        state = replay(record)
        params = state.start.params if state.start else {}
        params = self._params_again(record, record.dag, state.start, params, given)
        prepared = self.documents.recorded(
            reused.dag,
            state.start.dag_path if state.start else "",
            self.documents.params(record.dag, params),
            partial=reused.dag is not record.dag or bool(state.start and state.start.partial),
        )
        prepared = replace(_fired_as(prepared, state.start), trigger="rerun")
        with held():  # from here on a signal is a cancel, which is recorded
            writer = self._create(prepared, run_id)
            try:
                for task_id, blob in reused.files:
                    with usable(record.run_id, task_id):
                        writer.reuse_outputs(record.run_id, blob)
                writer.reuse_artifacts(record.run_id, reused.task_ids)
            except BaseException:
                writer.discard()
                raise

            def first() -> Sequence[Event]:
                start = self._start(prepared, writer, "rerun", record.run_id)
                return [start, *reused.facts(record.run_id, self.clock.now())]

            return self._drive(prepared, writer, shown, first)

    # --- schedules -----------------------------------------------------------------------------------------

    @property
    def claims_directory(self) -> Path:
        """Where the claims of schedules are: beside the state store."""
        return self.settings.path(self.settings.state_path).parent / "schedules"

    @contextmanager
    def _in_hand(self, run_id: str, prepared: PreparedRun) -> Iterator[None]:
        """Let schedulers know, for as long as the block lasts, that a run of a schedule is at work: `overlap` counts it.

        A run that ends interrupted stays in hand.
        """
        if prepared.schedule_id is None or prepared.scheduled_at is None:
            yield
            return
        from dagrun.clock import from_rfc3339
        from dagrun.scheduling.open_runs import OpenRun, OpenRuns
        from dagrun.scheduling.schedule import minute_text

        open_runs = OpenRuns(self.claims_directory / ".open")
        if open_runs.get(run_id) is not None:  # a scheduler has it in hand
            yield
            return
        dag = prepared.graph.dag
        run = OpenRun(
            schedule_id=prepared.schedule_id, minute=minute_text(int(from_rfc3339(prepared.scheduled_at) // 60)),
            run_id=run_id, dag=prepared.path, tenant=dag.tenant,
            trigger=prepared.trigger, dag_name=dag.name,
        )  # fmt: skip
        open_runs.put(run)
        yield
        open_runs.drop(run_id)

    def _queue(self) -> Sequence[OpenRun]:
        """The runs that schedules have fired and that have not begun, the newest first."""
        try:
            names = os.listdir(self.claims_directory / ".open")  # noqa: PTH208 - names are all that is asked
        except OSError:
            return []
        ids = sorted((name.removesuffix(".json") for name in names if name.endswith(".json")), reverse=True)
        return [run for run_id in ids if (run := self._queued(run_id)) is not None]

    def _queued(self, run_id: str) -> OpenRun | None:
        """A run that a schedule has fired, if it has not begun."""
        path = self.claims_directory / ".open" / f"{run_id}.json"
        if not path.exists():
            return None
        try:
            self.runs.dag(run_id)
        except NotFoundError:
            from dagrun.scheduling.open_runs import OpenRun

            return OpenRun.read(path)
        return None

    def _begin_queued(self, queued: OpenRun) -> None:
        """Make a run of one that is queued, so that it can be cancelled. Its id decides whether a scheduler is quicker."""
        try:
            dag, path = self.documents.dag_at_root(queued.dag), self.documents.path_at_root(queued.dag)
        except DagrunError:
            path = queued.dag
            dag = Dag(name=queued.dag_name or Path(queued.dag).stem, tasks=())
        dag = replace(dag, tenant=queued.tenant or dag.tenant)
        params = {param.name: param.default for param in dag.params} | dict(queued.params)
        prepared = PreparedRun(
            Graph.compile(dag), path, params, Registry(), {}, trigger=queued.trigger,
            schedule_id=queued.schedule_id, scheduled_at=queued.scheduled_at,
        )  # fmt: skip
        try:
            writer = self._create(prepared, queued.run_id)
        except RefusedError:  # it has just begun
            return
        try:
            writer.append(self._start(prepared, writer))
        finally:
            writer.close()

    def status(self, named: str = "latest") -> RunView:
        """One run as people see it; one that is queued too."""
        run_id = self._any_id(named)
        queued = self._queued(run_id)
        return super().status(run_id) if queued is None else _queued_view(queued)

    def run_id(self, named: str) -> str:
        """The id of a run that somebody named. Raises RefusedError for one that is queued: there is nothing of it yet."""
        try:
            return super().run_id(named)
        except NotFoundError:
            queued = [run.run_id for run in self._queue() if named and run.run_id.startswith(named)]
            if not queued:
                raise
            hint = f"`dagrun status {queued[0]}` says what it waits for"
            raise RefusedError(f"run '{queued[0]}' is queued: it has not begun", hint=hint) from None

    def _any_id(self, named: str) -> str:
        """The id of a run that somebody named, of one that is queued too."""
        queued = [] if named in ("", "latest") else [run.run_id for run in self._queue()]
        matches = [run_id for run_id in queued if run_id.startswith(named)]
        if named in matches:
            return named
        try:
            begun = [RunQueries.run_id(self, named)]
        except NotFoundError:
            if not matches:
                raise
            begun = []
        if begun == [named] or not matches:
            return begun[0]
        if len(matches) + len(begun) > 1:
            hint = "the newest: " + ", ".join([*matches, *begun][:3])
            raise RefusedError(f"'{named}' names {len(matches) + len(begun)} runs", hint=hint)
        return matches[0]

    def history(
        self, *, dag: str | None = None, status: str | None = None, tenant: str | None = None,
        since: float | None = None, limit: int = 20, offset: int = 0,
    ) -> list[RunView | DamagedRun]:  # fmt: skip
        """Runs, the newest first; before all others those that are queued."""
        queued = [
            view
            for view in map(_queued_view, self._queue())
            if dag in (None, view.dag.name)
            and status in (None, view.status)
            and tenant in (None, view.tenant)
        ]
        shown = queued[offset : offset + limit]
        rest = super().history(
            dag=dag, status=status, tenant=tenant, since=since, limit=limit - len(shown),
            offset=max(0, offset - len(queued)),
        )  # fmt: skip
        return [*shown, *rest]

    def reset_schedule(self, schedule_id: str, now: float, known: Iterable[str]) -> str:
        """Move the watermark of a schedule back to now: where it was, or empty where it is not ahead.

        Raises NotFoundError, RecordError.
        """
        from dagrun.scheduling.claims import Claims
        from dagrun.scheduling.schedule import minute_text

        claims, this, names = Claims(self.claims_directory), minute_text(int(now // 60)), list(known)
        if not claims.path(schedule_id).exists():
            if schedule_id not in names:
                raise NotFoundError("schedule", schedule_id, names, hint="`dagrun schedules` lists them")
            return ""
        with claims.hold(schedule_id, now) as held:
            before = held.state.settled_until
            if before <= this:
                return ""
            held.reset(this)
            return before

    def schedule_files(self, directory: Path | None = None) -> CheckedFiles:
        """The project's schedules, or those of another directory."""
        from dagrun.scheduling.schedule_files import ScheduleFiles
        from dagrun.scheduling.schedule_queries import CheckedFiles

        shown = self.settings.schedules_dir if directory is None else str(directory)
        path = self.settings.path(shown) if directory is None else directory.absolute()
        return CheckedFiles(ScheduleFiles(path, shown), self.documents.dag_at_root)

    def schedules(self, found: Iterable[Schedule], now: float, count: int = 1) -> list[ScheduleView]:
        """Schedules with their next fires and how their last runs ended."""
        from dagrun.scheduling.claims import Claims
        from dagrun.scheduling.schedule_queries import views

        def look(run_id: str) -> RunView | None:
            try:
                return self.status(run_id)
            except (NotFoundError, DamagedError):
                return None

        return views(found, Claims(self.claims_directory), look, now, count)

    def preview_schedules(
        self, found: Iterable[Schedule], now: float, minute: str | None = None
    ) -> list[Preview]:
        """What a tick would fire and skip, now or in a minute that somebody named."""
        from dagrun.scheduling.claims import Claims
        from dagrun.scheduling.schedule_queries import preview

        return preview(found, Claims(self.claims_directory), self.documents.dag_at_root, now, minute)

    def known_dag(self, schedule: Schedule) -> DagInfo:
        """What a schedule runs, as far as it can be told without its workflows. Raises DagProblem."""
        from dagrun.scheduling.run_control import DagInfo
        from dagrun.scheduling.schedule_queries import known_dag

        dag = known_dag(schedule, self.documents.dag_at_root)
        return DagInfo(dag.name, dag.tenant)

    def workflows(self) -> Registry:
        """Every registered workflow."""
        return self.read_registry()


def _recorded(prepared: PreparedRun) -> Dag:
    """The DAG to record: this run's parameters are its defaults, so that they are known even if no fact is."""
    dag, values = prepared.graph.dag, prepared.recorded_params
    params = tuple(replace(param, default=values.get(param.name)) for param in dag.params)
    return replace(dag, params=params, masked_params=prepared.masked_params)


def _masked_params(record: RunRecord, start: DagStart | None) -> Sequence[str]:
    """The parameters whose values were not recorded, because they held a secret."""
    if start is None:
        return record.dag.masked_params
    later = (name for name in record.dag.masked_params if name not in start.params)
    return (*(start.masked_params or ()), *later)


def _refuse_masked(run_id: str, names: Sequence[str]) -> None:
    """Raises RefusedError when there are such parameters."""
    if names:
        said = f"parameter '{names[0]}'" if len(names) == 1 else f"parameters {', '.join(map(repr, names))}"
        again = " ".join(f"-p {name}=VALUE" for name in names)
        raise RefusedError(
            f"run '{run_id}' cannot be repeated as it was: the value of {said} held a secret and was not recorded",
            hint=f"give it again: {again}",
        )


def _with_defaults(prepared: PreparedRun, run_id: str, now: float) -> PreparedRun:
    from dagrun.runtime.default_params import with_defaults  # what runs bodies: a look back needs none of it

    try:
        return with_defaults(prepared, run_id, now)
    except UsageError as error:
        raise UsageError(prepared.masker.text(error.message)) from None


def _queued_view(run: OpenRun) -> RunView:
    """A run that has not begun, as people see it."""
    after = f", after {', '.join(run.after)}" if run.after else ""
    return RunView(
        run_id=run.run_id, dag=Dag(name=run.dag_name or Path(run.dag).stem, tasks=()), tenant=run.tenant or "",
        status=str(RunStatus.PENDING), reason=f"queued by schedule '{run.schedule_id}', {run.minute} UTC{after}",
        params=dict(run.params), outputs={}, started_at=None, finished_at=None, duration=None, tasks=(),
    )  # fmt: skip


def _fired_as(prepared: PreparedRun, start: DagStart | None) -> PreparedRun:
    """A run that continues or repeats another keeps the schedule and the minute that the other was fired for."""
    if start is None:
        return prepared
    return replace(
        prepared, trigger=start.trigger, schedule_id=start.schedule_id, scheduled_at=start.scheduled_at
    )
