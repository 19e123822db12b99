"""Documents of a project: found by path or name, read, checked, made ready to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun import catalog, parameters
from dagrun.check import check
from dagrun.collector import resting
from dagrun.dialects import detect
from dagrun.dialects.base import Written
from dagrun.errors import NotFoundError, UsageError
from dagrun.graph import Graph
from dagrun.masking import SHORTEST
from dagrun.model import NAME_RULE, Dag, OnError, WorkflowAction, is_name
from dagrun.selection import EVERYTHING, Selection, select
from dagrun.settings import Settings
from dagrun.source import DocumentError, Finding, Limits, Source

if TYPE_CHECKING:
    from dagrun.prepared import Prepared
    from dagrun.registry import Registry
    from dagrun.work import Json


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one file. `graph` is there when there was no error."""

    path: str
    source: Source | None
    findings: Sequence[Finding]
    dag: Dag | None = None
    graph: Graph | None = None
    #: Of a file of schedules: their ids.
    schedules: Sequence[str] | None = None

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the document invalid."""
        return [finding for finding in self.findings if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that do not."""
        return [finding for finding in self.findings if finding.level == "warning"]

    def strict(self) -> FileReport:
        """The same, with every warning as an error."""
        findings = [replace(finding, level="error") for finding in self.findings]
        return replace(self, findings=findings, graph=None if findings else self.graph)

    def error(self) -> DocumentError:
        """All that is wrong, to be raised."""
        return DocumentError(self.findings, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One wish for a run. `params` are given values; None: what the document says."""

    dag: str
    #: Values as they are, not as somebody typed them.
    given: Mapping[str, Json] = field(default_factory=dict)
    params: Sequence[str] = ()
    params_file: Path | None = None
    tenant: str | None = None
    max_parallel: int | None = None
    on_error: OnError | None = None
    selection: Selection = EVERYTHING
    trigger: str = "manual"
    schedule_id: str | None = None
    scheduled_at: str | None = None


class Documents:
    """Answers about documents; reads the registry only for those that call workflows."""

    def __init__(
        self,
        settings: Settings,
        read_registry: Callable[[], Registry],
        foresee_registry: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.read_registry = read_registry
        self.foresee_registry = foresee_registry
        self._dags: dict[Path, tuple[tuple[int, ...], Dag]] = {}

    def validate(self, files: Sequence[str]) -> list[FileReport]:
        """All findings of all files."""
        return [self.report(path, shown) for path, shown in (self.find(file) for file in files)]

    def of_project(self) -> list[tuple[Path, str]]:
        """Every document, and every file of schedules, of the project."""
        directories = (self.settings.dags_dir, self.settings.schedules_dir)
        return [
            (path, _shown(path))
            for directory in directories
            for path in catalog.documents(self.settings.path(directory))
        ]

    def is_schedules_directory(self, directory: Path) -> bool:
        """Whether the project's schedules lie there."""
        return _is_same(directory, self.settings.path(self.settings.schedules_dir))

    def holds_schedules(self, path: Path) -> bool:
        """Whether a file holds schedules: it lies among the project's, or looks like one and not like a document."""
        return self.is_schedules_directory(path.absolute().parent) or catalog.looks_like_schedules(path)

    def report(self, path: Path, shown: str, *, calls: bool = True) -> FileReport:
        """All findings of one file; without `calls` those about workflows are left out, and nothing is imported."""
        try:
            source = Source.read(path, shown, Limits(text_bytes=self.settings.max_document_bytes))
        except DocumentError as error:
            return FileReport(shown, None, error.findings)
        if calls and detect.may_call(source):
            self.foresee_registry()
        try:
            with resting():
                written = detect.to_dag(source.load(), source, catalog.stem(path))
        except DocumentError as error:
            return FileReport(shown, source, error.findings)
        # Not while the collector rests: this may fork the keeper, whose children would never collect.
        registry = self._registry_for(written.dag) if calls else None
        with resting():
            return self._checked(written, registry, shown)

    def _checked(self, written: Written, registry: Registry | None, shown: str) -> FileReport:
        findings = sorted(
            [*written.findings, *check(written, registry)],
            key=lambda finding: (finding.place.line, finding.place.column),
        )
        report = FileReport(shown, written.source, findings, written.dag)
        if report.errors:
            return report
        return replace(report, graph=Graph.compile(written.dag))

    def _registry_for(self, dag: Dag) -> Registry | None:
        """The registry, if the DAG asks for it: reading it imports user modules."""
        calls = any(isinstance(task.action, WorkflowAction) for task in dag.tasks)
        return self.read_registry() if calls else None

    def find(self, named: str) -> tuple[Path, str]:
        """A DAG by path (from here, or from the project root) or by name (in the DAG directory)."""
        here = Path(named).expanduser()
        if here.exists() or here.is_absolute():
            return here, named
        if (below := self.settings.path(named)).exists():
            return below, named
        if "/" not in named:
            for path, shown in self._known():
                if named in (path.name, catalog.stem(path), catalog.declared_name(path)):
                    return path, shown
            if not named.endswith(catalog.SUFFIXES):
                known = {catalog.declared_name(path) or catalog.stem(path) for path, _ in self._known()}
                raise NotFoundError(
                    "DAG", named, known, hint=f"there is none of that name in {self.settings.dags_dir}"
                )
        return here, named  # reading it says that it is missing

    def _known(self) -> Iterator[tuple[Path, str]]:
        directory = self.settings.path(self.settings.dags_dir)
        return ((path, _shown(path)) for path in catalog.documents(directory))

    def params(self, dag: Dag, given: Mapping[str, Json]) -> dict[str, Json]:
        """The values of a DAG's parameters. Raises UsageError that lists all that is wrong."""
        return parameters.resolve(dag, given)

    def at_root(self, named: str) -> tuple[Path, str]:
        """A DAG as a schedule names it, from the project root whatever directory we are in. Raises NotFoundError."""
        path = self.settings.path(named)
        if path.is_file():
            return path, named
        if "/" not in named:
            path, _ = self.find(named)
            if path.is_file():
                return path, named
        raise NotFoundError("DAG", named, hint=f"there is no such file below {self.settings.root}")

    def path_at_root(self, named: str) -> str:
        """The path of such a DAG as it is recorded. Raises NotFoundError."""
        return self._from_root(*self.at_root(named))

    def dag_at_root(self, named: str) -> Dag:
        """A DAG as a schedule names it, valid for all that is known without its workflows; read again when it changes.

        Raises NotFoundError, DocumentError.
        """
        path, shown = self.at_root(named)
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
        known = self._dags.get(path)
        if known is None or known[0] != stamp:
            report = self.report(path, self._from_root(path, shown), calls=False)
            if report.graph is None:
                raise report.error()
            known = self._dags[path] = (stamp, report.graph.dag)
        return known[1]

    def prepare(self, request: RunRequest) -> Prepared:
        """Everything that can be known before the run begins. Raises DocumentError, NotFoundError, UsageError."""
        from dagrun.prepared import Prepared
        from dagrun.registry import Registry

        path, shown = self.find(request.dag)
        report = self.report(path, shown)
        if report.graph is None:
            raise report.error()
        dag = select(_overridden(report.graph.dag, request), request.selection)
        given = dict(request.given)
        given |= self._params_file(request.params_file) if request.params_file else {}
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
        registry = self._registry_for(dag) or Registry()
        partial = dag.tasks is not report.graph.dag.tasks
        return Prepared(
            report.graph.of(dag), self._from_root(path, shown), params, registry, secrets, partial,
            request.trigger, request.schedule_id, request.scheduled_at,
        )  # fmt: skip

    def _from_root(self, path: Path, shown: str) -> str:
        """The path to record, which `resume` must find again from wherever it is asked: as it was shown, if that does."""
        whole = path.absolute()
        if self.settings.path(shown) == whole:
            return shown
        root = self.settings.root
        return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)

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

    def graph(self, request: RunRequest) -> Graph:
        """What a run would run, before its parameters and secrets are known. Raises DocumentError, NotFoundError."""
        report = self.report(*self.find(request.dag))
        if report.graph is None:
            raise report.error()
        return report.graph.of(select(_overridden(report.graph.dag, request), request.selection))

    def recorded(self, dag: Dag, path: str, params: Mapping[str, Json], *, partial: bool = False) -> Prepared:
        """A recorded DAG ready to run. Raises UsageError when a workflow of it is gone."""
        from dagrun.prepared import Prepared
        from dagrun.registry import Registry

        registry = self._registry_for(dag) or Registry()
        refs = [task.action.ref for task in dag.tasks if isinstance(task.action, WorkflowAction)]
        gone = [ref for ref in dict.fromkeys(refs) if ref not in registry.workflows]
        if gone:
            raise UsageError("\n".join(f"RunnerError: Unknown workflow: {ref}" for ref in gone))
        return Prepared(Graph.compile(dag), path, params, registry, self._secrets(dag), partial)


def _overridden(dag: Dag, request: RunRequest) -> Dag:
    if request.tenant is not None and not is_name(request.tenant):
        raise UsageError(f"'{request.tenant}' cannot name a tenant: {NAME_RULE}")
    return replace(
        dag,
        tenant=request.tenant or dag.tenant,
        max_parallel=request.max_parallel or dag.max_parallel,
        on_error=request.on_error or dag.on_error,
    )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
