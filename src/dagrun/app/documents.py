"""Documents of a project: found by path or name, read, checked, prepared for a run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.app.file_report import FileReport as FileReport
from dagrun.app.linked_documents import CheckedFile, LinkedDocuments, file_stamp
from dagrun.app.run_inputs import GivenParams, RunInputs, evaluate_defaults
from dagrun.core.graph import Graph
from dagrun.core.model import NAME_RULE, Dag, Sla, is_name
from dagrun.core.selection import select
from dagrun.documents import lookup, parameters
from dagrun.documents.cache import CheckedDocument, DocumentCache, fingerprint
from dagrun.documents.yaml import DocumentError, Finding, Limits, Source
from dagrun.errors import NotFoundError, UsageError
from dagrun.kinds import child_of, workflow_of
from dagrun.process.gc_pause import resting
from dagrun.settings import Settings
from dagrun.value import replace

if TYPE_CHECKING:
    from dagrun.core.work import Json
    from dagrun.documents.project_hooks import ProjectHooks
    from dagrun.registry import Registry
    from dagrun.runtime.prepared_run import PreparedRun
    from dagrun.runtime.run_request import RunRequest


class Documents:
    """Answers about documents. Reads the registry, which imports user modules, only for documents that call workflows."""

    def __init__(
        self,
        settings: Settings,
        read_registry: Callable[[], Registry],
        prefetch_registry: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.inputs = RunInputs(settings)
        self._read_registry = read_registry
        self._prefetch_registry = prefetch_registry
        runs_directory = settings.path(settings.runs_dir)
        self._cache = DocumentCache(runs_directory.parent / "cache", settings.document_cache_bytes)
        self._dags: dict[Path, tuple[tuple[int, ...], Dag]] = {}
        self._linked = LinkedDocuments(self._child, self._check)

    # --- finding ---------------------------------------------------------------------------------------------

    def of_project(self) -> list[tuple[Path, str]]:
        """The path and the displayed path of every document and every file of schedules of the project."""
        directories = (self.settings.dags_dir, self.settings.schedules_dir)
        return [
            (path, _displayed(path))
            for directory in directories
            for path in lookup.documents(self.settings.path(directory))
        ]

    def is_schedules_directory(self, directory: Path) -> bool:
        """Whether it is the directory of the project's schedules."""
        return _is_same(directory, self.settings.path(self.settings.schedules_dir))

    def holds_schedules(self, path: Path) -> bool:
        """Whether a file holds schedules: it is one of the project's, or looks like one and not like a document."""
        return self.is_schedules_directory(path.absolute().parent) or lookup.looks_like_schedules(path)

    def find(self, named: str) -> tuple[Path, str]:
        """The path and the displayed path of a DAG: by path (from here, or from the project root) or by name.

        A plain word is a name first, so a directory or another file of that name is no obstacle.
        Raises NotFoundError, also for a name that several documents have.
        """
        here = Path(os.path.expanduser(named))  # noqa: PTH111 - this one leaves `~nobody` as it is
        if here.is_absolute():
            return here, named
        is_word = "/" not in named and not named.endswith(lookup.SUFFIXES)
        if is_word and (found := self._named(named)) is not None:
            return found
        for path in (here, self.settings.path(named)):
            if os.path.exists(path) and not (is_word and os.path.isdir(path)):  # noqa: PTH110, PTH112 - never raise
                return path, named
        if not is_word:
            # A missing file is reported by the code that reads it.
            return (None if "/" in named else self._named(named)) or (here, named)
        directory = self.settings.path(self.settings.dags_dir)
        known = {lookup.declared_name(path) or lookup.stem(path) for path in lookup.documents(directory)}
        raise NotFoundError(
            "DAG", named, known, hint=f"there is none of that name in {self.settings.dags_dir}"
        )

    def _named(self, name: str) -> tuple[Path, str] | None:
        """The document of the DAG directory that has the name. Raises NotFoundError when several have it."""
        found = lookup.named(self.settings.path(self.settings.dags_dir), name)
        if len(found) > 1:
            raise NotFoundError(
                "DAG",
                name,
                hint=f"{', '.join(map(_displayed, found))} all have that name; give the path of one",
            )
        return (found[0], _displayed(found[0])) if found else None

    def at_root(self, named: str) -> tuple[Path, str]:
        """A DAG as a schedule names it: from the project root, not from the current directory. Raises NotFoundError."""
        path = self.settings.path(named)
        if os.path.isfile(path) and ("/" in named or named.endswith(lookup.SUFFIXES)):  # noqa: PTH113 - never raises
            return path, named
        if "/" not in named:
            path, _ = self.find(named)
            if os.path.isfile(path):  # noqa: PTH113
                return path, named
        raise NotFoundError("DAG", named, hint=f"there is no such file below {self.settings.root}")

    def _child(self, named: str) -> tuple[Path, str]:
        """The path and the displayed path of a DAG that a task runs. Raises NotFoundError."""
        path, _ = self.at_root(named)
        return path, _displayed(path.absolute())

    def child_graph(self, named: str) -> tuple[Path, str, Graph]:
        """The document of a DAG that a task runs: its path, its path as it is recorded, its graph.

        One that has not changed is not read again. Raises NotFoundError, and UsageError for one with errors.
        """
        path, displayed = self._child(named)
        report = self._linked.report(path, displayed)
        if report.graph is None:
            errors = [*report.errors, *report.below]
            more = f", and {len(errors) - 1} more" if errors[1:] else ""
            raise UsageError(f"DAG '{named}' cannot run: {errors[0].place}: {errors[0].message}{more}")
        return path.resolve(), self._from_root(path, displayed), report.graph

    def child_graphs(self, graph: Graph) -> Mapping[str, Graph]:
        """The graphs of the DAGs that its tasks run, and that the tasks of these run, by the name or path that is written."""
        found: dict[str, Graph] = {}
        pile = [graph]
        for each in pile:  # grows while it is read
            for task in each.dag.tasks:
                named = child_of(task)
                if named is not None and "${{" not in named and named not in found:
                    found[named] = self.child_graph(named)[2]
                    pile.append(found[named])
        return found

    def path_at_root(self, named: str) -> str:
        """The path of such a DAG as it is recorded. Raises NotFoundError."""
        return self._from_root(*self.at_root(named))

    def _from_root(self, path: Path, displayed: str) -> str:
        """The path to record: one that `resume` finds again from any directory; the displayed one, if that is so."""
        whole = path.absolute()
        if self.settings.path(displayed) == whole:
            return displayed
        root = self.settings.root
        return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)

    # --- reading and checking --------------------------------------------------------------------------------

    def report_of_project_hooks(self) -> FileReport | None:
        """All findings about the hooks of the project; None if it has none."""
        if not self.settings.hooks:
            return None
        found = self.check_project_hooks()
        return FileReport(found.source.path, found.source, found.findings)

    def validate(self, files: Sequence[str]) -> list[FileReport]:
        """All findings in these files."""
        return [self.report(path, displayed, may_write=True) for path, displayed in map(self.find, files)]

    def report(
        self, path: Path, displayed: str, *, calls: bool = True, may_write: bool = False
    ) -> FileReport:
        """All findings in one file. Without `calls` no workflow is checked, and nothing is imported.

        A document that was checked before and has not changed is not parsed again; `may_write`: it is kept for that.
        """
        return self.reports(path, displayed, calls=calls, may_write=may_write)[0]

    def reports(
        self, path: Path, displayed: str, *, calls: bool = True, may_write: bool = False
    ) -> Sequence[FileReport]:
        """The same, and after it all findings in the documents that its tasks run, and so on."""
        first = self._check(path, displayed, calls=calls, may_write=may_write)
        if not first.children:
            return [first.report]
        return self._linked.reports(path, first, calls=calls)

    def _check(
        self, path: Path, displayed: str, *, calls: bool = True, may_write: bool = False
    ) -> CheckedFile:
        """One file by itself."""
        try:
            source = Source.read(path, displayed, Limits(text_bytes=self.settings.max_document_bytes))
        except DocumentError as error:
            return CheckedFile(FileReport(displayed, None, error.findings))
        key = self._cache.key(source.text, lookup.stem(path))
        known = self._cache.find(key, displayed)
        if known is not None and (not calls or self._is_current(known)):
            return CheckedFile(
                FileReport(displayed, source, known.warnings, known.dag, Graph.compile(known.dag))
            )
        checked, registry = self._read(path, source, displayed, calls=calls)
        report = checked.report
        if (
            calls
            and may_write
            and report.graph is not None
            and not _needs_more_than_its_text(report.graph.dag)
        ):
            hashed = None if registry is None else fingerprint(registry)
            self._cache.add(key, CheckedDocument(report.graph.dag, tuple(report.findings), hashed))
        return checked

    def _is_current(self, known: CheckedDocument) -> bool:
        registry = self.registry_for(known.dag)
        return known.registry == (None if registry is None else fingerprint(registry))

    def _read(
        self, path: Path, source: Source, displayed: str, *, calls: bool
    ) -> tuple[CheckedFile, Registry | None]:
        """All findings in a document, and the registry it was checked against."""
        from dagrun.documents.dialects import (
            detect,  # pydantic and YAML, which a document that was checked before needs not
        )
        from dagrun.documents.validation.check import check

        if calls and detect.may_call(source):
            self._prefetch_registry()
        try:
            with resting():
                parsed = detect.to_dag(source.load(), source, lookup.stem(path))
        except DocumentError as error:
            return CheckedFile(FileReport(displayed, source, error.findings)), None
        # Not with a paused collector: this may fork the keeper, and its children would never collect.
        registry = self.registry_for(parsed.dag) if calls else None
        with resting():
            findings = [*parsed.findings, *check(parsed, registry), *self.inputs.check_dotenv(parsed)]
            return CheckedFile.of(displayed, parsed, findings), registry

    def registry_for(self, dag: Dag) -> Registry | None:
        """The registry; None when the DAG calls no workflow."""
        calls = any(workflow_of(task) is not None for task in dag.bodies)
        return self._read_registry() if calls else None

    def dag_at_root(self, named: str) -> Dag:
        """A DAG as a schedule names it, checked except for its workflows; it is read again when its file changes.

        Raises NotFoundError, DocumentError.
        """
        path, displayed = self.at_root(named)
        stamp = file_stamp(path)
        known = self._dags.get(path)
        if known is None or known[0] != stamp:
            report = self.report(path, self._from_root(path, displayed), calls=False)
            if report.graph is None:
                raise report.error()
            known = self._dags[path] = (stamp, report.graph.dag)
        return known[1]

    def graph(self, request: RunRequest) -> Graph:
        """The graph of a run, without its parameters and secrets. Raises DocumentError, NotFoundError, UsageError."""
        graph = self._valid(*self.find(request.dag), may_write=False)
        return graph.of(select(_overridden(graph.dag, request), request.selection))

    def _valid(self, path: Path, displayed: str, *, may_write: bool) -> Graph:
        report = self.report(path, displayed, may_write=may_write)
        if report.graph is None:
            raise report.error()
        return report.graph

    @cached_property
    def project_hooks(self) -> ProjectHooks:
        """The hooks of the project, checked. Only their warnings are in `findings`: raises UsageError for errors."""
        hooks = self.check_project_hooks()
        errors = [each for each in hooks.findings if each.level == "error"]
        if errors:
            raise UsageError("\n".join(_sentence(each) for each in errors))
        return hooks

    def check_project_hooks(self) -> ProjectHooks:
        """The hooks of the project, with everything that is wrong with them."""
        from dagrun.documents import project_hooks

        path, table = self.settings.hooks_path, self.settings.hooks
        assert path is not None
        found = project_hooks.read(table, path, _displayed(path), None)
        if any(workflow_of(hook.task) is not None for hook in found.hooks):
            found = project_hooks.read(table, path, _displayed(path), self._read_registry())
        return found

    def with_project_hooks(self, dag: Dag) -> Dag:
        """A DAG of this project as a run of it ends. Raises UsageError."""
        return self.project_hooks.added_to(dag) if self.settings.hooks else dag

    # --- preparing runs --------------------------------------------------------------------------------------

    def prepare(self, request: RunRequest, *, may_write: bool = True) -> PreparedRun:
        """A run that is ready to begin; `may_write`: its document may be kept in the cache of checked documents.

        Raises DocumentError, NotFoundError, UsageError.
        """
        from dagrun.registry import Registry
        from dagrun.runtime.prepared_run import PreparedRun

        path, displayed = self.find(request.dag)
        graph = self._valid(path, displayed, may_write=may_write)
        selected = select(_overridden(graph.dag, request), request.selection)
        dag = self.with_project_hooks(selected)
        given = GivenParams(params=request.params, params_file=request.params_file)
        values = self.inputs.checked(dag, request.values, given)
        params = parameters.resolve(dag, values)
        secrets = self.inputs.secrets(dag)
        registry = self.registry_for(dag) or Registry()
        prepared = PreparedRun(
            graph.of(dag), self._from_root(path, displayed), params, registry, secrets,
            partial=selected.tasks is not graph.dag.tasks, trigger=request.trigger, schedule_id=request.schedule_id,
            scheduled_at=request.scheduled_at, start_by=_start_by(dag, request), dotenv=self.inputs.dotenv(dag), deferred=parameters.deferred(dag, values),
        )  # fmt: skip
        if prepared.deferred:  # a wrong value is refused before a run is created
            evaluate_defaults(prepared, "run", time.time())
        return prepared

    def recorded(
        self, dag: Dag, path: str, params: Mapping[str, Json], *, partial: bool = False
    ) -> PreparedRun:
        """A recorded DAG, ready to run. Raises UsageError when one of its workflows does not exist any more."""
        from dagrun.registry import Registry
        from dagrun.runtime.prepared_run import PreparedRun

        registry = self.registry_for(dag) or Registry()
        refs = dict.fromkeys(map(workflow_of, dag.bodies))
        missing = [ref for ref in refs if ref is not None and ref not in registry.workflows]
        if missing:
            raise UsageError("\n".join(f"RunnerError: Unknown workflow: {ref}" for ref in missing))
        secrets, dotenv = self.inputs.secrets(dag), self.inputs.dotenv(dag)
        return PreparedRun(Graph.compile(dag), path, params, registry, secrets, partial, dotenv=dotenv)


def _needs_more_than_its_text(dag: Dag) -> bool:
    """Whether the findings depend on other files than those of the registered workflows, or on the time."""
    return bool(dag.dotenv) or any(
        task.dotenv or task.action.has_own_run or task.action.has_moment for task in dag.bodies
    )


def _sentence(finding: Finding) -> str:
    suggestion = f" ({finding.suggestion})" if finding.suggestion else ""
    return f"{finding.place}: {finding.message}{suggestion}"


def _overridden(dag: Dag, request: RunRequest) -> Dag:
    if request.tenant is not None and not is_name(request.tenant):
        raise UsageError(f"'{request.tenant}' cannot name a tenant: {NAME_RULE}")
    return replace(
        dag,
        tenant=request.tenant or dag.tenant,
        max_parallel=request.max_parallel or dag.max_parallel,
        on_error=request.on_error or dag.on_error,
        sla=_sla(dag, request),
    )


def _sla(dag: Dag, request: RunRequest) -> Sla | None:
    """When the run is late: what the schedule says, else what the document says."""
    own = dag.sla or Sla()
    within, start_by = request.finish_within or own.finish_within, request.start_by or own.start_by
    return Sla(finish_within=within, start_by=start_by) if within or start_by else None


def _start_by(dag: Dag, request: RunRequest) -> str | None:
    """The moment by which a scheduled run should begin: on the day of its fire, in the time zone of its schedule."""
    if dag.sla is None or dag.sla.start_by is None or request.scheduled_at is None:
        return None
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from dagrun.clock import to_rfc3339

    fire = datetime.fromisoformat(request.scheduled_at).astimezone(ZoneInfo(request.timezone or "UTC"))
    hour, minute = map(int, dag.sla.start_by.split(":"))
    return to_rfc3339(fire.replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp())


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _displayed(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
