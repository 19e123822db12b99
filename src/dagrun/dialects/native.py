"""The native dialect (`tasks:`, S2): its wire models and the way to a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic.config import JsonDict

from dagrun.dialects import wire
from dagrun.dialects.base import Path, Written
from dagrun.dialects.wire import CommandLine, Duration, Env, Name, Plain, Timeout, Variable, Wire
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
#: A parameter that is a mapping with one of these keys is a declaration, not a default.
_DECLARING = ("type", "default", "enum", "required")


class _Retry(Wire):
    """When and how a failed attempt is tried again."""

    max_attempts: int | None = Field(
        None, ge=1, description="How many attempts there are at most: 3 is the same as `retries: 2`."
    )
    initial: Duration | None = Field(
        None,
        description="The delay before the first retry; without a word the setting RETRY_BASE_MS, 400 ms.",
    )
    factor: float = Field(2.0, ge=1, description="What each further delay is multiplied by.")
    max: Duration = Field(60.0, description="The longest delay.")
    jitter: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How far a delay may stray by chance, as a share of it; without a word the setting RETRY_JITTER_PCT, 0.2.",
    )
    on_exit_codes: list[int] = Field(
        [], description="Retry only after these exit codes, or one of `on_errors`."
    )
    on_errors: list[str] = Field(
        [],
        description="Retry only after errors of these types, such as `Timeout` or `ConnectionError`, or one of `on_exit_codes`.",
    )


_Trigger = Literal["success", "failure", "always", "none_failed"]


class _Edge(Wire):
    """A dependency with a trigger of its own."""

    task: str = Field(description="The id of the task that must end first.")
    trigger: _Trigger | None = Field(
        None, description="How that task must have ended, in place of what `trigger` says for all."
    )


#: A mapping is told as an edge, anything else as an id: never both complaints for one mistake.
_Need = Annotated[
    Annotated[str, Tag("str")] | Annotated[_Edge, Tag("_Edge")],
    Discriminator(lambda entry: "_Edge" if isinstance(entry, dict | _Edge) else "str"),
]


# What `_Reader` asks beyond the keys' own types, as the schema says it.
_ONE_SPELLING: JsonDict = {
    "not": {"required": ["retries", "retry"], "properties": {"retry": {"required": ["max_attempts"]}}}
}


class _Common(Wire):
    """What a task may say and `defaults` may say for it."""

    model_config = ConfigDict(json_schema_extra=_ONE_SPELLING)

    params: dict[str, Any] = Field(
        {}, description="Parameters by name; every `${{ }}` in their texts is evaluated."
    )
    retries: int | None = Field(None, ge=0, description="How often a failed attempt is tried again.")
    retry: _Retry | None = Field(None, description="When and how a failed attempt is tried again.")
    timeout: Timeout | None = Field(None, description="How long one attempt may take.")
    env: Env = Field(
        {},
        description="Environment variables; a value keeps the text that is written, so `3.10` stays `3.10`.",
    )
    working_dir: Plain | None = Field(
        None, description="The directory to run in, seen from the project root."
    )
    shell: CommandLine | None = Field(
        None,
        description="What runs the script: `sh` (the default), `bash`, or any program with its flags, such as `python3 -c`.",
    )
    continue_on_failure: bool = Field(
        False,
        description="Tolerate a failure: dependents run all the same, and the run can still be a success.",
    )
    on_error: Literal["stop_all", "continue"] | None = Field(
        None,
        description="What a failure of the task does to the rest of the run; without a word what the document says.",
    )


class _Task(_Common):
    """One task, which does exactly one thing."""

    model_config = ConfigDict(
        json_schema_extra={
            **_ONE_SPELLING,
            "oneOf": [
                {"required": ["workflow_ref"], "properties": {"shell": False}},
                {"required": ["run"]},
                {"required": ["commands"]},
            ],
        }
    )

    id: Name = Field(description="The task's name, which no other task of the document has.")
    description: str = Field("", description="What the task is for, in words.")
    workflow_ref: Plain | None = Field(None, description="Call the registered Python function of this name.")
    run: str | None = Field(None, min_length=1, description="Run this script.")
    commands: list[str] | None = Field(
        None,
        min_length=1,
        description="Run these commands in order in one shell; the first that fails ends the task.",
    )
    depends_on: list[_Need] = Field(
        [], description="The tasks that must end first, each by its id or as `{task: id, trigger: ...}`."
    )
    trigger: _Trigger = Field(
        "success", description="How the dependencies must have ended for the task to run."
    )
    if_: str | bool | None = Field(None, alias="if", description="Run only if this expression is true.")
    unless: str | bool | None = Field(None, description="Run only if this expression is false.")
    only_if_changed: bool = Field(False, description="Run only if a direct dependency changed something.")


class _Declaration(Wire):
    """A declared parameter of the run."""

    type: ParamType | None = Field(None, description="What the value must be; without a word anything.")
    default: Any = Field(None, description="The value when none is given.")
    enum: list[Any] = Field([], description="The only values that are allowed.")
    required: bool = Field(False, description="Whether a value must be given when there is no default.")
    description: str = Field("", description="What the parameter is for, in words.")


class _Document(Wire):
    """A DAG in dagrun's native dialect."""

    name: Name | None = Field(
        None, description="The DAG's name; without a word the file's, without its ending."
    )
    description: str = Field("", description="What the DAG is for, in words.")
    tenant_id: Name = Field("local-dev", description="On whose behalf it runs.")
    params: dict[str, Any] = Field(
        {},
        description="Parameters of a run by name, each with its default or its declaration.",
        json_schema_extra={
            "additionalProperties": {
                "if": {"type": "object", "anyOf": [{"required": [word]} for word in _DECLARING]},
                "then": {"$ref": "#/definitions/_Declaration"},
            }
        },
    )
    env: Env = Field(
        {}, description="Environment variables of every task; a value keeps the text that is written."
    )
    on_error: Literal["stop_all", "continue"] = Field(
        "stop_all",
        description="What a failure that is not tolerated does: end the run, or leave the tasks that do not depend on it alone.",
    )
    max_parallel: int | None = Field(
        None,
        ge=1,
        description="How many attempts run at once; without a word as many as there are CPUs, at least 4.",
    )
    timeout: Timeout | None = Field(None, description="How long the whole run may take.")
    secrets: list[Variable] = Field(
        [], description="Names that are read from the environment or `.env` and masked everywhere."
    )
    outputs: dict[Name, Any] = Field({}, description="What the run gives back, evaluated when it ends well.")
    defaults: _Common = Field(_Common(), description="What holds for every task that does not say otherwise.")
    #: Each task is read by itself, so that one that is wrong does not hide the others.
    tasks: Any = Field(
        description="The tasks, in the order in which those that are ready start.",
        json_schema_extra={"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/_Task"}},
    )


#: What `dialects/schema.py` makes a schema of: the document, then what it does not name by itself.
MODELS = (_Document, _Task, _Declaration)

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
        return self._given(task, "params", name)

    def variable(self, task: int, name: str) -> Path:
        return self._given(task, "env", name)

    def _given(self, task: int, word: str, name: str) -> Path:
        own = name in self.tasks[task].get(word, {})  # type: ignore[index]
        return (*(self.task(task) if own else ("defaults",)), word, name)


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
                self.findings += wire.findings(error, self.source, (), _Document, LATER_DAG_KEYS)
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
            self.findings += wire.findings(error, self.source, path, _Declaration, {})
            return Param(name=name)
        return Param(
            name=name, type=declared.type, default=declared.default, enum=tuple(declared.enum),
            required=declared.required, description=declared.description,
        )  # fmt: skip

    # --- tasks ---------------------------------------------------------------------------------------------

    def _tasks(self, document: _Document) -> list[Task]:
        raw = self.data.get("tasks")
        if "tasks" not in self.data and any("'tasks'" in finding.suggestion for finding in self.findings):
            return []  # a misspelt key was told of already
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
        self._one_spelling(document.defaults, ("defaults",))
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
            self.findings += wire.findings(error, self.source, path, _Task, LATER_TASK_KEYS)
            misspelt = _unknown_keys(error)
            if misspelt is None or not misspelt.isdisjoint(LATER_TASK_KEYS):
                self._actions(node, path)
                return None
            # All else is as it should be: a misspelt key hides no other mistake of the task.
            return self._task({k: v for k, v in node.items() if k not in misspelt}, path, defaults, common)
        actions = self._actions(node, path)
        self._one_spelling(wired, path)
        if "shell" in node and actions == ["workflow_ref"]:
            self._tell(
                (*path, "shell"), "'shell' is for tasks with 'run' or 'commands'", "misplaced-key", key=True
            )
        if len(self.findings) > before:
            return None
        return self._build(wired, node, path, defaults, common)

    def _one_spelling(self, common: _Common, path: Path) -> None:
        if common.retries is not None and common.retry and common.retry.max_attempts is not None:
            self._tell(
                (*path, "retries"),
                "'retries' and 'retry.max_attempts' say the same thing; keep one",
                "two-spellings",
                key=True,
            )

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


def _unknown_keys(error: ValidationError) -> set[str] | None:
    """The node's own keys that nobody knows, if nothing else is wrong with it."""
    details = error.errors(include_url=False)
    if any(detail["type"] != "extra_forbidden" or len(detail["loc"]) != 1 for detail in details):
        return None
    return {str(detail["loc"][0]) for detail in details}


def _is_declaration(value: Any) -> bool:
    """Whether a param's value declares it: a mapping of the declaring words, one that says more than a description."""
    return isinstance(value, dict) and not value.keys().isdisjoint(_DECLARING)


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
