"""The native dialect (`tasks:`, S2): its wire models and the way to a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError

from dagrun.dialects import wire
from dagrun.dialects.base import Path, Written
from dagrun.dialects.wire import Duration, Env, Name, Timeout, Variable, Wire
from dagrun.model import (
    LATER_DAG_KEYS,
    LATER_TASK_KEYS,
    NAME_RULE,
    Action,
    Dag,
    Need,
    OnError,
    Param,
    ParamType,
    Retry,
    ShellAction,
    Task,
    Trigger,
    WorkflowAction,
    is_name,
)
from dagrun.source import Finding, Source

_ACTIONS = ("workflow_ref", "run", "commands")
_LATER_ACTIONS = ("image", "dag", "approval", "wait")


class _Retry(Wire):
    max_attempts: int | None = Field(None, ge=1)
    initial: Duration | None = None
    factor: float = Field(2.0, ge=1)
    max: Duration = 60.0
    jitter: float | None = Field(None, ge=0, le=1)
    on_exit_codes: list[int] = Field([])
    on_errors: list[str] = Field([])


_Trigger = Literal["success", "failure", "always", "none_failed"]


class _Edge(Wire):
    task: str
    trigger: _Trigger | None = None


class _Common(Wire):
    """What a task may say and `defaults` may say for it."""

    params: dict[str, Any] = Field({})
    retries: int | None = Field(None, ge=0)
    retry: _Retry | None = None
    timeout: Timeout | None = None
    env: Env = Field({})
    working_dir: str | None = None
    shell: str | None = Field(None, min_length=1)
    continue_on_failure: bool = False
    on_error: Literal["stop_all", "continue"] | None = None


class _Task(_Common):
    id: Name
    description: str = ""
    workflow_ref: str | None = None
    run: str | None = Field(None, min_length=1)
    commands: list[str] | None = Field(None, min_length=1)
    depends_on: list[str | _Edge] = Field([])
    trigger: _Trigger = "success"
    if_: str | bool | None = Field(None, alias="if")
    unless: str | bool | None = None
    only_if_changed: bool = False


class _Declaration(Wire):
    type: ParamType | None = None
    default: Any = None
    enum: list[Any] = Field([])
    required: bool = False
    description: str = ""


class _Document(Wire):
    name: Name | None = None
    description: str = ""
    tenant_id: Name = "local-dev"
    params: dict[str, Any] = Field({})
    env: Env = Field({})
    on_error: Literal["stop_all", "continue"] = "stop_all"
    max_parallel: int | None = Field(None, ge=1)
    timeout: Timeout | None = None
    secrets: list[Variable] = Field([])
    outputs: dict[Name, Any] = Field({})
    defaults: _Common = _Common()
    tasks: Any = None  # each task is read by itself, so that one that is wrong does not hide the others


_TASK_WORDS = wire.words(_Task)
_DOCUMENT_WORDS = wire.words(_Document)
_STUB = ShellAction(("true",))


def to_dag(data: Mapping[str, Any], source: Source, name: str | None) -> Written:
    """Read a native document."""
    reader = _Reader(data, source)
    document = reader.document(name)
    return reader.written(document, name)


class _Places:
    """Where a native document wrote what."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.tasks = data.get("tasks")

    def task(self, task: int) -> Path:
        return ("tasks", task)

    def action(self, task: int) -> Path:
        node = self.tasks[task]  # type: ignore[index] # asked only of tasks that were read
        return (*self.task(task), next(key for key in _ACTIONS if key in node))

    def script(self, task: int, number: int) -> Path:
        path = self.action(task)
        return (*path, number) if path[-1] == "commands" else path

    def edge(self, task: int, need: str) -> Path:
        entries = self.tasks[task]["depends_on"]  # type: ignore[index]
        at = next(
            j
            for j, entry in enumerate(entries)
            if need in (entry, isinstance(entry, dict) and entry.get("task"))
        )
        return (*self.task(task), "depends_on", at)

    def param(self, task: int, name: str) -> Path:
        return (*self.task(task), "params", name)


class _Reader:
    """One document on its way to a Dag; collects every finding."""

    def __init__(self, data: Mapping[str, Any], source: Source) -> None:
        self.data = data
        self.source = source
        self.findings: list[Finding] = []
        self.broken: set[int] = set()

    def document(self, name: str | None) -> _Document:
        """The document without its tasks. Keys that are wrong are told and left out."""
        good = dict(self.data)
        good["tasks"] = None
        while True:
            try:
                document = _Document.model_validate(good)
                break
            except ValidationError as error:
                self.findings += wire.findings(error, self.source, (), _DOCUMENT_WORDS, LATER_DAG_KEYS)
                for detail in error.errors():
                    good.pop(str(detail["loc"][0]), None)
        if document.name is None and not (name and is_name(name)):
            why = (
                f"'{name}' cannot be one: {NAME_RULE}" if name else "text without a file has none of its own"
            )
            self._tell((), f"the DAG needs a name: {why}", "missing-name", suggestion="add `name: my_dag`")
        return document

    def written(self, document: _Document, name: str | None) -> Written:
        """The Dag with everything that could be read."""
        tasks = self._tasks(document)
        dag = Dag(
            name=document.name or name or "unnamed",
            description=document.description,
            tenant=document.tenant_id,
            params=tuple(self._param(key, value) for key, value in document.params.items()),
            env=wire.env_text(document.env, self.source, ("env",)),
            on_error=OnError(document.on_error),
            max_parallel=document.max_parallel,
            timeout=document.timeout,
            secrets=tuple(dict.fromkeys(document.secrets)),
            outputs=document.outputs,
            tasks=tuple(tasks),
        )
        return Written(dag, tuple(self.findings), self.source, _Places(self.data), frozenset(self.broken))

    # --- parameters ----------------------------------------------------------------------------------------

    def _param(self, name: str, value: Any) -> Param:
        if not _is_declaration(value):
            return Param(name=name, default=value)
        try:
            declared = _Declaration.model_validate(value)
        except ValidationError as error:
            path = ("params", name)
            self.findings += wire.findings(error, self.source, path, wire.words(_Declaration), {})
            return Param(name=name)
        return Param(
            name=name, type=declared.type, default=declared.default, enum=tuple(declared.enum),
            required=declared.required, description=declared.description,
        )  # fmt: skip

    # --- tasks ---------------------------------------------------------------------------------------------

    def _tasks(self, document: _Document) -> list[Task]:
        raw = self.data.get("tasks")
        if not raw and (raw is None or isinstance(raw, list)):
            self._tell(("tasks",), "ValidationError: DAG must have at least one task", "no-tasks", key=True)
            return []
        if not isinstance(raw, list):
            self._tell(
                ("tasks",),
                "'tasks' must be a list of tasks",
                "invalid-value",
                suggestion="begin each with `- id:`",
            )
            return []
        defaults = self.data.get("defaults")
        known_defaults = defaults if isinstance(defaults, dict) else {}
        tasks: list[Task] = []
        for i, node in enumerate(raw):
            task = self._task(node, ("tasks", i), known_defaults, document.defaults)
            if task is None:
                self.broken.add(len(tasks))
                task = _stub(node, i)
            tasks.append(task)
        return tasks

    def _task(self, node: Any, path: Path, defaults: Mapping[str, Any], common: _Common) -> Task | None:
        before = len(self.findings)
        if not isinstance(node, dict):
            self._tell(path, "a task must be a mapping with an 'id'", "invalid-value")
            return None
        try:
            wired = _Task.model_validate(node)
        except ValidationError as error:
            self.findings += wire.findings(error, self.source, path, _TASK_WORDS, LATER_TASK_KEYS)
            self._actions(node, path)
            return None
        actions = self._actions(node, path)
        if "retries" in node and wired.retry and wired.retry.max_attempts is not None:
            self._tell(
                (*path, "retries"),
                "'retries' and 'retry.max_attempts' say the same thing; keep one",
                "two-spellings",
                key=True,
            )
        if "shell" in node and actions == ["workflow_ref"]:
            self._tell(
                (*path, "shell"), "'shell' is for tasks with 'run' or 'commands'", "misplaced-key", key=True
            )
        if len(self.findings) > before:
            return None
        return self._build(wired, node, path, defaults, common)

    def _actions(self, node: Mapping[str, Any], path: Path) -> list[str]:
        actions = wire.one_of(node, _ACTIONS)
        if not actions and not wire.one_of(node, _LATER_ACTIONS):
            self._tell(
                path, "the task does nothing", "no-action",
                suggestion="give it one of 'workflow_ref', 'run', 'commands'",
            )  # fmt: skip
        elif len(actions) > 1:
            both = " and ".join(f"'{key}'" for key in actions)
            self._tell(
                (*path, actions[1]),
                f"a task does one thing, but this one has {both}",
                "two-actions",
                key=True,
            )
        return actions

    def _build(
        self, wired: _Task, node: Mapping[str, Any], path: Path, defaults: Mapping[str, Any], common: _Common
    ) -> Task:
        def says(key: str) -> Any:
            """The task's own word, or else the defaults'."""
            return getattr(wired, key) if key in node or key not in defaults else getattr(common, key)

        own_retry = "retries" in node or "retry" in node
        env = wire.env_text(common.env, self.source, ("defaults", "env")) if common.env else {}
        if wired.env:
            env |= wire.env_text(wired.env, self.source, (*path, "env"))
        on_error = says("on_error")
        return Task(
            id=wired.id,
            action=_action(wired, says("shell")),
            description=wired.description,
            needs=_needs(wired.depends_on),
            trigger=Trigger(wired.trigger),
            condition=_condition(wired.if_),
            unless=_condition(wired.unless),
            only_if_changed=wired.only_if_changed,
            params={**common.params, **wired.params},
            env=env,
            retry=_retry(wired if own_retry else common),
            timeout=says("timeout"),
            working_dir=says("working_dir"),
            continue_on_failure=says("continue_on_failure"),
            on_error=OnError(on_error) if on_error else None,
        )

    def _tell(self, path: Path, message: str, code: str, *, suggestion: str = "", key: bool = False) -> None:
        self.findings.append(Finding(self.source.place(path, key=key), message, code, suggestion))


def _is_declaration(value: Any) -> bool:
    """Whether a param's value declares it: a mapping of the declaring words, one that says more than a description."""
    return isinstance(value, dict) and not value.keys().isdisjoint({"type", "default", "enum", "required"})


def _needs(edges: Sequence[str | _Edge]) -> tuple[Need, ...]:
    """Each dependency once; the first word about its trigger counts."""
    needs: dict[str, Need] = {}
    for edge in edges:
        name, trigger = (edge, None) if isinstance(edge, str) else (edge.task, edge.trigger)
        needs.setdefault(name, Need(name, Trigger(trigger) if trigger else None))
    return tuple(needs.values())


def _condition(written: str | bool | None) -> str | None:
    """A condition as text; YAML's own true and false are conditions too."""
    return str(written).lower() if isinstance(written, bool) else written


def _action(wired: _Task, shell: str | None) -> Action:
    if wired.workflow_ref is not None:
        return WorkflowAction(wired.workflow_ref)
    commands = wired.commands if wired.run is None else [wired.run]
    return ShellAction(tuple(commands or ()), shell or "sh")


def _retry(wired: _Common) -> Retry:
    fine = wired.retry or _Retry()
    retries = wired.retries if wired.retries is not None else (fine.max_attempts or 1) - 1
    return Retry(
        retries=retries, initial=fine.initial, factor=fine.factor, max=fine.max, jitter=fine.jitter,
        on_exit_codes=tuple(fine.on_exit_codes), on_errors=tuple(fine.on_errors),
    )  # fmt: skip


def _stub(node: Any, index: int) -> Task:
    """What is known of a task that could not be read: enough for others to depend on it."""
    raw = node if isinstance(node, dict) else {}
    task_id, edges = raw.get("id"), raw.get("depends_on")
    names = [edge for edge in edges if isinstance(edge, str)] if isinstance(edges, list) else []
    return Task(id=task_id if isinstance(task_id, str) else f"#{index}", action=_STUB, needs=_needs(names))
