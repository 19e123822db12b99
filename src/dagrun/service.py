"""The application: every question that the command line, and later HTTP and MCP, may ask. Returns data, never prints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dagrun import parameters
from dagrun.check import check
from dagrun.clock import Clock
from dagrun.dialects import detect
from dagrun.errors import NotFoundError, RefusedError, UsageError
from dagrun.events import Event
from dagrun.graph import Graph
from dagrun.masking import SHORTEST, Masker
from dagrun.model import NAME_RULE, Dag, OnError, WorkflowAction, is_name
from dagrun.prepared import Prepared
from dagrun.registry import Registry
from dagrun.runs.base import RunRecord, RunStore
from dagrun.selection import Selection, select
from dagrun.settings import Settings
from dagrun.source import DocumentError, Finding, Limits, Source
from dagrun.state import RunState
from dagrun.views.status import RunView, view, view_of
from dagrun.work import Executor, Json

Listener = Callable[[Event, RunState], None]

SUFFIXES = (".yaml", ".yml")


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
    selection: Selection = Selection()


class Service:
    """Answers over one project. Made by `wiring`; holds no state of its own."""

    def __init__(
        self,
        settings: Settings,
        runs: RunStore,
        clock: Clock,
        executor: Callable[[], Executor],
        read_registry: Callable[[], Registry],
    ) -> None:
        self.settings = settings
        self.runs = runs
        self.clock = clock
        self.executor = executor
        self.read_registry = read_registry

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
        findings = [*written.findings, *check(written, self._registry_for(written.dag))]
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

    def run(
        self,
        prepared: Prepared,
        run_id: str | None = None,
        *,
        announce: Callable[[str, RunStore], None] | None = None,
        listener: Listener | None = None,
        ticker: Callable[[], None] | None = None,
    ) -> tuple[RunView, int | None]:
        """Run to the end: the run as it ended, and the signal that ended it, if one did.

        `announce` is told the run's id before its first fact, `listener` every fact, `ticker` that time passes.
        Raises RefusedError for an id that is taken, RecordError when the run can no longer be recorded.
        """
        import asyncio

        from dagrun.running import Drive

        mask = Masker(prepared.secrets.values()).text
        writer = self.runs.create(prepared.graph.dag, self.clock.now(), run_id, mask)
        try:
            if announce is not None:
                announce(writer.run_id, self.runs)
            drive = Drive(prepared, self.settings, writer, self.executor(), self.clock, listener, ticker)
            state = asyncio.run(drive.run())
        finally:
            writer.close()
        return view_of(state, writer.run_id), drive.signal

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

    def logs(self, named: str, task_id: str | None = None) -> Iterator[tuple[str, int, Path]]:
        """A run's log files: task, attempt, path; tasks in the DAG's order."""
        record = self.record(named)
        ids = [task.id for task in record.dag.tasks]
        if task_id is not None and task_id not in ids:
            raise NotFoundError("task", task_id, ids, hint=f"run {record.run_id} has: {', '.join(ids[:10])}")
        for each in ids if task_id is None else [task_id]:
            for attempt, path in self.runs.logs(record.run_id, each):
                yield each, attempt, path

    def workflows(self) -> Registry:
        """Every registered workflow."""
        return self.read_registry()


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
