"""The application: every question that the command line, and later HTTP and MCP, may ask. Returns data, never prints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun import parameters
from dagrun.check import check
from dagrun.clock import Clock
from dagrun.dialects import detect
from dagrun.errors import NotFoundError, RefusedError, UsageError, did_you_mean
from dagrun.events import EVENTS, CancelIgnored, DagStart, Event
from dagrun.following import LogFollower, Watch
from dagrun.graph import Graph
from dagrun.masking import SHORTEST, Masker
from dagrun.model import NAME_RULE, Dag, OnError, WorkflowAction, is_name
from dagrun.prepared import Prepared, at_once
from dagrun.recovery import fold, resumption, reuse
from dagrun.registry import Registry
from dagrun.runs.base import Request, RunRecord, RunStore, RunWriter, Tail
from dagrun.runs.ends import log_end
from dagrun.selection import EVERYTHING, Selection, select
from dagrun.settings import Settings
from dagrun.source import DocumentError, Finding, Limits, Source
from dagrun.state import RunState, RunStatus
from dagrun.views.status import RunView, view, view_of
from dagrun.work import Executor, Json

if TYPE_CHECKING:
    from dagrun.views.estimate import Estimate
    from dagrun.views.why import Why

SUFFIXES = (".yaml", ".yml")
MOST_RUNS_LOOKED_AT = 50  # for an estimate: what it costs does not grow with the history


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one file. `graph` is there when there was no error."""

    path: str
    source: Source | None
    findings: Sequence[Finding]
    dag: Dag | None = None
    graph: Graph | None = None

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the document invalid."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that do not."""
        return [finding for finding in self.findings if finding.level == "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One wish for a run. `params` are given values; None: what the document says."""

    dag: str
    params: Sequence[str] = ()
    params_file: Path | None = None
    tenant: str | None = None
    max_parallel: int | None = None
    on_error: OnError | None = None
    selection: Selection = EVERYTHING


class Shown:
    """What a face wants to hear of a run while it runs; this one wants nothing."""

    def announce(self, run_id: str, runs: RunStore) -> None:
        """The run has an id."""

    def event(self, event: Event, state: RunState) -> None:
        """A fact was recorded."""

    def tick(self) -> None:
        """A tenth of a second has passed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run as it ended in this process, and the signal that ended it, if one did."""

    view: RunView
    signal: int | None


class Service:
    """Answers over one project. Made by `wiring`; holds no state of its own."""

    def __init__(
        self,
        settings: Settings,
        runs: RunStore,
        clock: Clock,
        executor: Callable[[], Executor],
        read_registry: Callable[[], Registry],
        end_bodies: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.runs = runs
        self.clock = clock
        self.executor = executor
        self.read_registry = read_registry
        self.end_bodies = end_bodies

    # --- documents -----------------------------------------------------------------------------------------

    def validate(self, files: Sequence[str]) -> list[FileReport]:
        """All findings of all files."""
        return [self._report(path, shown) for path, shown in (self._find_document(file) for file in files)]

    def _report(self, path: Path, shown: str) -> FileReport:
        try:
            source = Source.read(path, shown, Limits(text_bytes=self.settings.max_document_bytes))
        except DocumentError as error:
            return FileReport(shown, None, error.findings)
        try:
            data = source.load()
        except DocumentError as error:
            return FileReport(shown, source, error.findings)
        written = detect.to_dag(data, source, _stem(path))
        findings = sorted(
            [*written.findings, *check(written, self._registry_for(written.dag))],
            key=lambda finding: (finding.place.line, finding.place.column),
        )
        report = FileReport(shown, source, findings, written.dag)
        if report.errors:
            return report
        return FileReport(shown, source, findings, written.dag, Graph.compile(written.dag))

    def _registry_for(self, dag: Dag) -> Registry | None:
        """The registry, if the DAG asks for it: reading it imports user modules."""
        calls = any(isinstance(task.action, WorkflowAction) for task in dag.tasks)
        return self.read_registry() if calls else None

    def _find_document(self, named: str) -> tuple[Path, str]:
        """A DAG by path (from here, or from the project root) or by name (in the DAG directory)."""
        here = Path(named).expanduser()
        if here.exists() or here.is_absolute():
            return here, named
        if (below := self.settings.path(named)).exists():
            return below, named
        if "/" not in named:
            for path, shown in self._known_documents():
                if named in (path.name, _stem(path), _declared_name(path)):
                    return path, shown
            if not named.endswith(SUFFIXES):
                known = {_declared_name(path) or _stem(path) for path, _ in self._known_documents()}
                raise NotFoundError(
                    "DAG", named, known, hint=f"there is none of that name in {self.settings.dags_dir}"
                )
        return here, named  # reading it says that it is missing

    def _known_documents(self) -> Iterator[tuple[Path, str]]:
        directory = self.settings.path(self.settings.dags_dir)
        for suffix in SUFFIXES:
            for path in sorted(directory.glob(f"*{suffix}")):
                yield path, _shown(path)

    # --- runs ----------------------------------------------------------------------------------------------

    def prepare(self, request: RunRequest) -> Prepared:
        """Everything that can be known before the run begins. Raises DocumentError, NotFoundError, UsageError."""
        path, shown = self._find_document(request.dag)
        report = self._report(path, shown)
        if report.graph is None:
            raise DocumentError(report.findings, report.source)
        dag = select(_overridden(report.graph.dag, request), request.selection)
        given = dict(self._params_file(request.params_file)) if request.params_file else {}
        problems = []
        for text in request.params:
            try:
                name, value = parameters.from_flag(dag, text)
                given[name] = value
            except UsageError as error:
                problems.append(error.message)
        try:
            params = parameters.resolve(dag, given)
        except UsageError as error:
            problems.append(error.message)
        if problems:
            raise UsageError("\n".join(problems))
        secrets = self._secrets(dag)
        return Prepared(Graph.compile(dag), shown, params, self._registry_for(dag) or Registry(), secrets)

    def _secrets(self, dag: Dag) -> Mapping[str, str]:
        """The declared secrets' values, from the environment or `.env`. Raises UsageError for all that are unfit."""
        if not dag.secrets:
            return {}
        from dotenv import dotenv_values

        known = {**dotenv_values(self.settings.path(".env"), interpolate=False), **os.environ}
        values = {name: known.get(name) or "" for name in dag.secrets}
        problems = [
            f"the secret '{name}' is not set: export it, or put it into .env"
            if not value
            else f"the secret '{name}' has fewer than {SHORTEST} characters, too few to be masked"
            for name, value in values.items()
            if len(value) < SHORTEST
        ]
        if problems:
            raise UsageError("\n".join(problems))
        return values

    def _params_file(self, path: Path) -> Mapping[str, Json]:
        data = Source.read(path).load()
        if not isinstance(data, dict):
            raise UsageError(f"{path} must hold a mapping of parameters")
        return data

    def run(self, prepared: Prepared, run_id: str | None = None, shown: Shown | None = None) -> Ended:
        """Run to the end. Raises RefusedError for an id that is taken, RecordError when it can no longer be recorded."""
        writer = self.runs.create(prepared.graph.dag, self.clock.now(), run_id, _mask(prepared))
        return self._drive(prepared, writer, shown, lambda: [self._start(prepared, writer)])

    def _start(
        self, prepared: Prepared, writer: RunWriter, trigger: str = "manual", parent: str | None = None
    ) -> DagStart:
        return DagStart(
            timestamp=self.clock.now(),
            task_count=len(prepared.graph.nodes),
            dag_path=prepared.path,
            dag_hash=writer.dag_hash,
            params=prepared.params,
            max_parallel=prepared.max_parallel,
            trigger=trigger,
            parent_run_id=parent,
        )

    def _drive(
        self,
        prepared: Prepared,
        writer: RunWriter,
        shown: Shown | None,
        first: Callable[[], Sequence[Event]],
        state: RunState | None = None,
    ) -> Ended:
        """One stretch of a run that this process owns, begun by the facts `first`."""
        import asyncio

        from dagrun.running import Drive

        shown = shown or Shown()
        try:
            shown.announce(writer.run_id, self.runs)
            drive = Drive(
                prepared, self.settings, writer, self.executor(), self.clock, shown.event, shown.tick, state
            )
            state = asyncio.run(drive.run(*first()))
        finally:
            writer.close()
        return Ended(view_of(state, writer.run_id), drive.signal)

    # --- runs that something happened to -------------------------------------------------------------------

    def cancel(self, named: str, by: str, reason: str = "") -> RunView:
        """Ask for a run to end, and see it end (CONTRACT 7.2): the run as it then is.

        A run that has ended keeps its state; an interrupted one is ended here. Raises NotFoundError.
        """
        run_id = self.run_id(named)
        request = Request("cancel", by, {"reason": reason})
        self.runs.ask(run_id, request)
        deadline = time.monotonic() + self.settings.cancel_timeout_ms / 1000 + 5
        while time.monotonic() < deadline:
            try:
                writer = self.runs.own(run_id)
            except RefusedError:  # somebody drives it, and takes the request
                time.sleep(0.05)
                if self._has_ended(run_id):
                    break
                continue
            try:
                self._settle(run_id, writer)
            finally:
                writer.close()
            break
        return self.status(run_id)

    def _settle(self, run_id: str, writer: RunWriter) -> None:
        """As the owner of a run that nobody drives: turn every request into what it comes to."""
        from dagrun.engine import close_interrupted  # asyncio, which only a cancel needs

        state = fold(self.runs.read(run_id))
        for request in writer.requests():
            if state.finished_at is None:
                self.end_bodies(run_id)
            close_interrupted(state, writer, request, self.clock)

    def _has_ended(self, run_id: str) -> bool:
        return self.status(run_id).finished_at is not None

    def resume(
        self, named: str, *, use_current: bool = False, shown: Shown | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> Ended | None:  # fmt: skip
        """Go on with a run: what ended well is kept, the rest runs (CONTRACT 7.3). None: nothing is left to do.

        `notice` is told when the document has changed since. Raises NotFoundError, UsageError, and RefusedError when
        the run is live.
        """
        run_id = self.run_id(named)
        record = self.runs.read(run_id)
        if record.live:
            raise RefusedError(f"run '{run_id}' is being run by another process")
        dag = self._resumed_dag(record, use_current, notice)
        state = fold(record, dag)
        if state.status is RunStatus.SUCCESS and dag == record.dag:
            return None
        params = dict(state.start.params) if state.start else parameters.resolve(dag, {})
        path = state.start.dag_path if state.start else ""
        prepared = self._recorded(dag, path, params)
        writer = self.runs.own(run_id, None if dag == record.dag else dag, _mask(prepared))
        try:
            self.end_bodies(run_id)
            # Read again as the owner: what happened until then is all that will.
            state = fold(self.runs.read(run_id), dag)
            for request in writer.requests():  # a cancel of a run that was interrupted: it is resumed now
                writer.append(
                    CancelIgnored(timestamp=self.clock.now(), by=request.by, reason="the run was resumed")
                )
        except BaseException:
            writer.close()
            raise

        def first() -> Sequence[Event]:
            now = self.clock.now()
            if state.start is None:
                return [self._start(prepared, writer)]
            return [resumption(state, writer.dag_hash, prepared.max_parallel, now)]

        return self._drive(prepared, writer, shown, first, state)

    def _resumed_dag(self, record: RunRecord, use_current: bool, notice: Callable[[str], None]) -> Dag:
        start = next((event for event in record.events if isinstance(event, DagStart)), None)
        path = self.settings.path(start.dag_path) if start else None
        if path is None or not path.is_file():
            if use_current:
                raise NotFoundError("document", str(path or "of the run"))
            return record.dag
        report = self._report(path, start.dag_path if start else "")
        current = report.graph.dag if report.graph else None
        if use_current:
            if current is None:
                raise DocumentError(report.findings, report.source)
            return current
        if current is None or current.tasks != record.dag.tasks:
            notice(
                f"{start.dag_path if start else path} has changed since; the recorded DAG is used (--use-current takes the new one)"
            )
        return record.dag

    def rerun(
        self, named: str, again: Selection, run_id: str | None = None, shown: Shown | None = None
    ) -> Ended:
        """A new run of an earlier one's DAG and parameters that takes over its results but for what `again` selects."""
        record = self.record(named)
        chosen = frozenset(task.id for task in select(record.dag, again).tasks)
        reused = reuse(record, record.dag, chosen)
        state = fold(record)
        prepared = self._recorded(
            reused.dag,
            state.start.dag_path if state.start else "",
            dict(state.start.params) if state.start else {},
        )
        writer = self.runs.create(prepared.graph.dag, self.clock.now(), run_id, _mask(prepared))
        for result in reused.results:
            if result.outputs_file is not None:
                writer.adopt_outputs(record.run_id, result.outputs_file)

        def first() -> Sequence[Event]:
            start = self._start(prepared, writer, "rerun", record.run_id)
            return [start, *reused.facts(record.run_id, self.clock.now())]

        return self._drive(prepared, writer, shown, first)

    def _recorded(self, dag: Dag, path: str, params: Mapping[str, Json]) -> Prepared:
        """A recorded DAG ready to run. Raises UsageError when a workflow of it is gone."""
        registry = self._registry_for(dag) or Registry()
        refs = [task.action.ref for task in dag.tasks if isinstance(task.action, WorkflowAction)]
        gone = [ref for ref in dict.fromkeys(refs) if ref not in registry.workflows]
        if gone:
            raise UsageError("\n".join(f"RunnerError: Unknown workflow: {ref}" for ref in gone))
        return Prepared(Graph.compile(dag), path, params, registry, self._secrets(dag))

    # --- history -------------------------------------------------------------------------------------------

    def record(self, named: str = "latest") -> RunRecord:
        """A run by its id, a unique prefix, or `latest`. Raises NotFoundError, RefusedError for an ambiguous prefix."""
        return self.runs.read(self.run_id(named))

    def run_id(self, named: str) -> str:
        """The id of a run that somebody named."""
        if named == "latest":
            newest = next(self.runs.ids(), None)
            if newest is None:
                raise NotFoundError("run", named, hint="nothing has been run here yet")
            return newest
        matches = []
        for run_id in self.runs.ids():
            if run_id == named:
                return run_id
            if named and run_id.startswith(named):
                matches.append(run_id)
        if len(matches) > 1:
            raise RefusedError(
                f"'{named}' names {len(matches)} runs", hint="the newest: " + ", ".join(matches[:3])
            )
        if not matches:
            raise NotFoundError("run", named, hint="`dagrun runs` lists them")
        return matches[0]

    def graph_of(self, named: str = "latest") -> Graph:
        """What one run runs."""
        return Graph.compile(self.runs.dag(self.run_id(named)))

    def status(self, named: str = "latest") -> RunView:
        """One run as people see it."""
        return view(self.record(named), self.clock.now())

    def history(
        self, *, dag: str | None = None, status: str | None = None, tenant: str | None = None,
        since: float | None = None, limit: int = 20, offset: int = 0,
    ) -> list[RunView]:  # fmt: skip
        """Runs, newest first. Without a filter only those that are shown are read."""
        return list(islice(self._matching(dag, status, tenant, since), offset, offset + limit))

    def _matching(
        self, dag: str | None, status: str | None, tenant: str | None, since: float | None
    ) -> Iterator[RunView]:
        now = self.clock.now()
        for run_id in self.runs.ids():
            try:
                run = view(self.runs.read(run_id), now)
            except NotFoundError:  # a directory that is no run, or one that is being born or removed just now
                continue
            if since is not None and run.started_at is not None and run.started_at < since:
                return
            if dag in (None, run.dag.name) and status in (None, run.status) and tenant in (None, run.tenant):
                yield run

    def graph(self, request: RunRequest) -> Graph:
        """What a run would run, before its parameters and secrets are known. Raises DocumentError, NotFoundError."""
        report = self._report(*self._find_document(request.dag))
        if report.graph is None:
            raise DocumentError(report.findings, report.source)
        return Graph.compile(select(_overridden(report.graph.dag, request), request.selection))

    def estimate(self, graph: Graph, params: Mapping[str, Json] | None = None) -> Estimate:
        """What to expect of a run, from this DAG's newest runs; `params` None: their defaults.

        Reads runs until every task has 20 successes, and never more than the newest 50 runs of all DAGs.
        """
        from dagrun.views.estimate import History, estimate

        history = History(graph)
        for run_id in islice(self.runs.ids(), MOST_RUNS_LOOKED_AT):
            if history.is_enough:
                break
            try:
                record = self.runs.read(run_id)
            except NotFoundError:  # a directory that is no run, or one that is being born or removed just now
                continue
            if record.dag.name == graph.dag.name:
                history.add(record.events)
        return estimate(graph, history, at_once(graph.dag), params)

    def why(self, named: str, task_id: str) -> Why:
        """Why a task of a run is as it is, back to the first cause. Raises NotFoundError."""
        from dagrun.views.why import explain

        run_id = self.run_id(named)
        self._task_ids(run_id, task_id)
        record = self.runs.read(run_id)
        return explain(
            record, task_id, self.clock.now(),
            lambda task, attempt: log_end(self.runs.log_path(record.run_id, task, attempt)),
        )  # fmt: skip

    def logs(self, named: str, task_id: str | None = None) -> Iterator[tuple[str, int, Path]]:
        """A run's log files: task, attempt, path; tasks in the DAG's order."""
        run_id = self.run_id(named)
        for each in self._task_ids(run_id, task_id):
            for attempt, path in self.runs.logs(run_id, each):
                yield each, attempt, path

    def events(self, named: str | None = None, names: Sequence[str] = ()) -> Tail:
        """The events of one run, or of all runs, as they were recorded; with `names` only those. Raises UsageError."""
        for name in names:
            if name not in EVENTS:
                raise UsageError(
                    f"there is no event '{name}': it is one of {', '.join(EVENTS)}",
                    hint=did_you_mean(name, EVENTS),
                )
        return self.runs.events(None if named is None else self.run_id(named), names)

    def is_live(self, run_id: str) -> bool:
        """Whether some process drives the run now. Asked often, so it takes an id and looks up no name."""
        return self.runs.is_live(run_id)

    def watch(self, named: str = "latest") -> Watch:
        """One run, followed: its state as its facts come."""
        return Watch(self.runs, self.run_id(named), self.clock)

    def follow_logs(self, named: str, task_id: str | None = None) -> LogFollower:
        """What a run's tasks print, followed. Raises NotFoundError."""
        run_id = self.run_id(named)
        self._task_ids(run_id, task_id)
        return LogFollower(self.runs, self.watch(run_id), task_id)

    def _task_ids(self, run_id: str, task_id: str | None) -> list[str]:
        """The tasks of a run, or the one that is asked for."""
        ids = [task.id for task in self.runs.dag(run_id).tasks]
        if task_id is None:
            return ids
        if task_id not in ids:
            raise NotFoundError("task", task_id, ids, hint=f"run {run_id} has: {', '.join(ids[:10])}")
        return [task_id]

    def workflows(self) -> Registry:
        """Every registered workflow."""
        return self.read_registry()


def _mask(prepared: Prepared) -> Callable[[str], str]:
    return Masker(prepared.secrets.values()).text


def _overridden(dag: Dag, request: RunRequest) -> Dag:
    from dataclasses import replace

    if request.tenant is not None and not is_name(request.tenant):
        raise UsageError(f"'{request.tenant}' cannot name a tenant: {NAME_RULE}")
    return replace(
        dag,
        tenant=request.tenant or dag.tenant,
        max_parallel=request.max_parallel or dag.max_parallel,
        on_error=request.on_error or dag.on_error,
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".yaml").removesuffix(".yml")


def _declared_name(path: Path) -> str | None:
    """The `name:` of a document, without reading it as YAML: names are looked for in many files."""
    import re

    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(64 * 1024)
    except OSError:
        return None
    match = re.search(
        r"^name:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9_.-]*)[\"']?[ \t]*(?:#.*)?$", head, re.MULTILINE
    )
    return match[1] if match else None


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
