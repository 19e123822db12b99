"""Documents of a project: found by path or name, read, checked, made ready to run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun import encoding
from dagrun.core.graph import Graph
from dagrun.core.model import NAME_RULE, Dag, OnError, is_name
from dagrun.core.selection import EVERYTHING, Selection, select
from dagrun.documents import lookup, parameters
from dagrun.documents.dialects import detect
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.validation.check import check
from dagrun.documents.yaml import DocumentError, Finding, Limits, Source
from dagrun.errors import NotFoundError, UsageError
from dagrun.gc_pause import resting
from dagrun.kinds import workflow_of
from dagrun.masking import SHORTEST, Masker
from dagrun.settings import Settings

if TYPE_CHECKING:
    from dagrun.core.work import Json
    from dagrun.registry import Registry
    from dagrun.runtime.prepared_run import PreparedRun


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
class Given:
    """Values for parameters as somebody typed them: `name=value` and a file of them."""

    params: Sequence[str] = ()
    params_file: Path | None = None
    #: Where the run's values are kept besides, should its record lack one.
    kept: Mapping[str, Json] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any are given anew."""
        return bool(self.params) or self.params_file is not None


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
            for path in lookup.documents(self.settings.path(directory))
        ]

    def is_schedules_directory(self, directory: Path) -> bool:
        """Whether the project's schedules lie there."""
        return _is_same(directory, self.settings.path(self.settings.schedules_dir))

    def holds_schedules(self, path: Path) -> bool:
        """Whether a file holds schedules: it lies among the project's, or looks like one and not like a document."""
        return self.is_schedules_directory(path.absolute().parent) or lookup.looks_like_schedules(path)

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
                written = detect.to_dag(source.load(), source, lookup.stem(path))
        except DocumentError as error:
            return FileReport(shown, source, error.findings)
        # Not while the collector rests: this may fork the keeper, whose children would never collect.
        registry = self._registry_for(written.dag) if calls else None
        with resting():
            return self._checked(written, registry, shown)

    def _checked(self, written: ParsedDocument, registry: Registry | None, shown: str) -> FileReport:
        findings = sorted(
            [*written.findings, *check(written, registry), *self._check_dotenv(written)],
            key=lambda finding: (finding.place.line, finding.place.column),
        )
        report = FileReport(shown, written.source, findings, written.dag)
        if report.errors:
            return report
        return replace(report, graph=Graph.compile(written.dag))

    def _registry_for(self, dag: Dag) -> Registry | None:
        """The registry, if the DAG asks for it: reading it imports user modules."""
        calls = any(workflow_of(task) is not None for task in dag.tasks)
        return self.read_registry() if calls else None

    def find(self, named: str) -> tuple[Path, str]:
        """A DAG by path (from here, or from the project root) or by name (in the DAG directory).

        A plain word is a name first: a directory, or a file that is no document, is never in its way.
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
            # What is not there either is said by who reads it.
            return (None if "/" in named else self._named(named)) or (here, named)
        directory = self.settings.path(self.settings.dags_dir)
        known = {lookup.declared_name(path) or lookup.stem(path) for path in lookup.documents(directory)}
        raise NotFoundError(
            "DAG", named, known, hint=f"there is none of that name in {self.settings.dags_dir}"
        )

    def _named(self, name: str) -> tuple[Path, str] | None:
        """The one document of the DAG directory that has the name."""
        found = lookup.named(self.settings.path(self.settings.dags_dir), name)
        if len(found) > 1:
            raise NotFoundError(
                "DAG", name, hint=f"{', '.join(map(_shown, found))} all have that name; give the path of one"
            )
        return (found[0], _shown(found[0])) if found else None

    def params(self, dag: Dag, given: Mapping[str, Json]) -> dict[str, Json]:
        """The values of a DAG's parameters. Raises UsageError that lists all that is wrong, without secrets."""
        return parameters.resolve(dag, self._values(dag, given, Given()))

    def given(self, dag: Dag, given: Given) -> dict[str, Json]:
        """Values as they were typed, made what the parameters take. Raises UsageError that lists all that is wrong."""
        values, problems = self._read(dag, given)
        if problems:
            raise UsageError(self.masker(dag).text("\n".join(problems)))
        return values

    def _values(self, dag: Dag, values: Mapping[str, Json], given: Given) -> dict[str, Json]:
        """Every value that is given for a parameter. Raises UsageError that lists all that is wrong, without secrets."""
        read, problems = self._read(dag, given)
        found = {**values, **read}
        problems += parameters.problems(dag, found)
        if problems:
            raise UsageError(self.masker(dag).text("\n".join(problems)))
        return found

    def _read(self, dag: Dag, given: Given) -> tuple[dict[str, Json], list[str]]:
        """The values, and what is wrong with them; what `name=value` says counts more than the file."""
        values = self._params_file(dag, given.params_file) if given.params_file else {}
        flags, problems = parameters.from_flags(
            dag, [encoding.from_command_line(text) for text in given.params]
        )
        return values | flags, problems

    def at_root(self, named: str) -> tuple[Path, str]:
        """A DAG as a schedule names it, from the project root whatever directory we are in. Raises NotFoundError."""
        path = self.settings.path(named)
        if os.path.isfile(path) and ("/" in named or named.endswith(lookup.SUFFIXES)):  # noqa: PTH113 - never raises
            return path, named
        if "/" not in named:
            path, _ = self.find(named)
            if os.path.isfile(path):  # noqa: PTH113
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

    def prepare(self, request: RunRequest) -> PreparedRun:
        """Everything that can be known before the run begins. Raises DocumentError, NotFoundError, UsageError."""
        from dagrun.registry import Registry
        from dagrun.runtime.prepared_run import PreparedRun

        path, shown = self.find(request.dag)
        report = self.report(path, shown)
        if report.graph is None:
            raise report.error()
        dag = select(_overridden(report.graph.dag, request), request.selection)
        given = self._values(
            dag, request.given, Given(params=request.params, params_file=request.params_file)
        )
        params = parameters.resolve(dag, given)
        secrets = self._secrets(dag)
        registry = self._registry_for(dag) or Registry()
        partial = dag.tasks is not report.graph.dag.tasks
        prepared = PreparedRun(
            report.graph.of(dag), self._from_root(path, shown), params, registry, secrets, partial,
            request.trigger, request.schedule_id, request.scheduled_at, self._dotenv(dag), parameters.deferred(dag, given),
        )  # fmt: skip
        if prepared.deferred:  # what they come to is refused before a run is created
            from dagrun.runtime.default_params import with_defaults

            try:
                with_defaults(prepared, "run", time.time())
            except UsageError as error:
                raise UsageError(prepared.masker.text(error.message)) from None
        return prepared

    def _from_root(self, path: Path, shown: str) -> str:
        """The path to record, which `resume` must find again from wherever it is asked: as it was shown, if that does."""
        whole = path.absolute()
        if self.settings.path(shown) == whole:
            return shown
        root = self.settings.root
        return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)

    def _secrets(self, dag: Dag) -> Mapping[str, str]:
        """The declared secrets' values, from the environment or `.env`. Raises UsageError for all that are unfit."""
        values = self._known_secrets(dag)
        problems = [
            f"the secret '{name}' {problem}" for name, value in values.items() if (problem := _unfit(value))
        ]
        if problems:
            raise UsageError("\n".join(problems))
        return values

    def _known_secrets(self, dag: Dag) -> Mapping[str, str]:
        """The same, fit or not; empty where there is none."""
        if not dag.secrets:
            return {}
        own: Mapping[str, str] = {}
        if self.settings.path(".env").exists():
            own, findings = self._variables(".env")
            # What another tool reads from the file is not looked at, as long as it is text.
            if unreadable := [each for each in findings if each.code != "invalid-variable"]:
                raise UsageError("\n".join(f"{each.place}: {each.message}" for each in unreadable))
        known = {**own, **encoding.environment()}
        return {name: known.get(name) or "" for name in dag.secrets}

    def masker(self, dag: Dag) -> Masker:
        """What takes those of a DAG's secrets that can be found out of a message."""
        return Masker(value for value in self._known_secrets(dag).values() if not _unfit(value))

    def _params_file(self, dag: Dag, path: Path) -> dict[str, Json]:
        try:
            return parameters.from_file(dag, Source.read(path))
        except DocumentError as error:
            if not dag.secrets:
                raise
            first = error.findings[0]  # without the line itself: a secret may be in it
            raise UsageError(self.masker(dag).text(f"{first.place}: {first.message}")) from None

    def _dotenv(self, dag: Dag) -> Mapping[str, Mapping[str, str]]:
        """What the files of variables say, by path. Raises UsageError for all that is wrong with them."""
        from dagrun.documents import dotenv

        values: dict[str, Mapping[str, str]] = {}
        problems: list[Finding] = []
        for path in dotenv.paths(dag):
            values[path], found = self._variables(path)
            problems += found
        if problems:
            raise UsageError("\n".join(f"{each.place}: {each.message}" for each in problems))
        return values

    def _variables(self, path: str) -> tuple[Mapping[str, str], Sequence[Finding]]:
        """What one of them says, and what is wrong with it."""
        from dagrun.documents import dotenv

        try:
            read = dotenv.read(self.settings.path(path), path)
        except DocumentError as error:
            return {}, error.findings
        return read.values, read.findings

    def _check_dotenv(self, written: ParsedDocument) -> Iterator[Finding]:
        """A finding for each file of variables that cannot be read, at its entry in the document."""
        dag, places = written.dag, written.locations
        if places is None:
            return
        entries = [((*places.document("dotenv"), n), path) for n, path in enumerate(dag.dotenv)]
        for i, task in enumerate(dag.tasks):
            if task.dotenv:
                entries += [((*places.option(i, "dotenv"), n), path) for n, path in enumerate(task.dotenv)]
        read: dict[str, Sequence[Finding]] = {}
        for at, path in entries:
            if path not in read:
                read[path] = self._variables(path)[1]
            for problem in read[path]:
                where = "" if problem.code == "missing-file" else f", line {problem.place.line}"
                message = f"{path}{where}: {problem.message}"
                yield Finding(written.source.place(at), message, problem.code, problem.suggestion)

    def graph(self, request: RunRequest) -> Graph:
        """What a run would run, before its parameters and secrets are known. Raises DocumentError, NotFoundError."""
        report = self.report(*self.find(request.dag))
        if report.graph is None:
            raise report.error()
        return report.graph.of(select(_overridden(report.graph.dag, request), request.selection))

    def recorded(
        self, dag: Dag, path: str, params: Mapping[str, Json], *, partial: bool = False
    ) -> PreparedRun:
        """A recorded DAG ready to run. Raises UsageError when a workflow of it is gone."""
        from dagrun.registry import Registry
        from dagrun.runtime.prepared_run import PreparedRun

        registry = self._registry_for(dag) or Registry()
        refs = dict.fromkeys(map(workflow_of, dag.tasks))
        gone = [ref for ref in refs if ref is not None and ref not in registry.workflows]
        if gone:
            raise UsageError("\n".join(f"RunnerError: Unknown workflow: {ref}" for ref in gone))
        return PreparedRun(
            Graph.compile(dag), path, params, registry, self._secrets(dag), partial, dotenv=self._dotenv(dag)
        )


def _unfit(secret: str) -> str:
    """Why a secret cannot be used, if so."""
    if not secret:
        return "is not set: export it, or put it into .env"
    if len(secret) < SHORTEST:
        return f"has fewer than {SHORTEST} characters, too few to be masked"
    return "is nothing but white space, which cannot be masked" if secret.isspace() else ""


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
