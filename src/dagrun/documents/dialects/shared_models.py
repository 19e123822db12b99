"""The keys that documents and tasks have in every dialect, as pydantic models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.config import JsonDict, JsonValue

from dagrun import kinds
from dagrun.documents.dialects.declarations import DECLARATIONS
from dagrun.documents.dialects.fields import (
    AXIS,
    Axis,
    Called,
    CommandLine,
    Condition,
    Duration,
    Env,
    ExitCode,
    Mount,
    Name,
    Plain,
    Port,
    StrictModel,
    TimeOfDay,
    Timeout,
    Value,
    Variable,
)
from dagrun.documents.dialects.wait_models import ApprovalModel, WaitModel

#: The path of a file of variables.
DotEnv = Annotated[Plain, Field(min_length=1)]

# --- parts of a task ---


class RetryModel(StrictModel):
    """The retry options of a task."""

    max_attempts: int | None = Field(
        None, ge=1, description="The maximum number of attempts: 3 is the same as `retries: 2`."
    )
    initial: Duration | None = Field(
        None,
        description="The delay before the first retry (default: the setting RETRY_BASE_MS, 400 ms).",
    )
    factor: float = Field(
        2.0, ge=1, allow_inf_nan=False, description="The factor by which each further delay grows."
    )
    max: Duration = Field(60.0, description="The maximum delay.")
    jitter: float | None = Field(
        None,
        ge=0,
        le=1,
        description="The random variation of a delay, as a fraction of it (default: the setting RETRY_JITTER_PCT, 0.2).",
    )
    on_exit_codes: list[int] = Field(
        [], description="Retry only after these exit codes, or after one of `on_errors`."
    )
    on_errors: list[str] = Field(
        [],
        description="Retry only after errors of these types, such as `Timeout` or `ConnectionError`, or after one of `on_exit_codes`.",
    )


class MatrixModel(StrictModel):
    """Run a task once for every combination of values. Each key except these two is an axis with its values."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"propertyNames": {"pattern": AXIS}})
    __pydantic_extra__: dict[Axis, Annotated[list[Value], Field(min_length=1)]]

    exclude: list[dict[Axis, Value]] = Field(
        [], description="Combinations to leave out, each given by some of its values."
    )
    include: list[dict[Axis, Value]] = Field(
        [], description="Values to add to the combinations that match, or further combinations."
    )


class HealthCheckModel(StrictModel):
    """How to find out that a service is ready."""

    test: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)] = Field(
        description="The command that succeeds when the service is ready: text for a shell, or a list of words."
    )
    interval: Timeout = Field(5.0, description="The time between two tries.")
    timeout: Timeout = Field(5.0, description="The maximum duration of one try.")
    retries: int = Field(
        5, ge=1, description="The number of consecutive failed tries after which the service has failed."
    )


class ServiceModel(StrictModel):
    """A container that runs during a task."""

    image: str = Field(min_length=1, description="The image of the container.")
    env: Env = Field({}, description="Its environment variables.")
    ports: list[Port] = Field(
        [], description="The ports that it listens on; the task gets the first in a variable."
    )
    health_check: HealthCheckModel | None = Field(None, description="How to find out that it is ready.")


def _whole(value: object) -> object:
    text = value.strip() if isinstance(value, str) else ""
    if not isinstance(value, list) and not (text.startswith("${{") and text.endswith("}}")):
        raise ValueError("must be a list, or one ${{ }} whose value is a list")
    return value


#: Text that consists of one expression.
Whole = Annotated[
    str, BeforeValidator(_whole), WithJsonSchema({"type": "string", "pattern": r"^\s*\$\{\{[\s\S]*\}\}\s*$"})
]


# --- a task ---


class ToleratedModel(StrictModel):
    """Failures that are tolerated."""

    exit_codes: Annotated[list[ExitCode], Field(min_length=1)] = Field(
        description="The exit codes of tolerated failures; any other failure is not tolerated."
    )


class SharedModel(StrictModel):
    """Keys of a task in every dialect, and of the `defaults` of a document."""

    retries: int | None = Field(None, ge=0, description="How often a failed attempt is tried again.")
    retry: RetryModel | None = Field(None, description="When and how a failed attempt is tried again.")
    env: Env | None = Field(
        None,
        description="Environment variables; a value keeps its text, so `3.10` stays `3.10`.",
    )
    dotenv: list[DotEnv] | None = Field(
        None,
        description="Files of variables with lines `NAME=value`, relative to the project root; `env` takes precedence.",
    )
    working_dir: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The directory to run in, relative to the project root."
    )
    shell: CommandLine | None = Field(
        None,
        description="The program that runs the script: `sh` (default), `bash`, or any program with its flags, such as `python3 -u`.",
    )
    skip_on_exit_codes: Annotated[list[ExitCode], Field(min_length=1)] | None = Field(
        None,
        description="Exit codes with which a script says that there was nothing to do: the task ends as skipped, without a retry.",
    )
    on_error: Literal["stop_all", "continue"] | None = Field(
        None,
        description="What a failure of the task does to the rest of the run (default: `on_error` of the document).",
    )


class CommonModel(SharedModel):
    """The same, and the keys that have other names in the Kubernetes style."""

    params: dict[str, Any] | None = Field(
        None, description="Parameters by name; every `${{ }}` in their texts is evaluated."
    )
    timeout: Timeout | None = Field(None, description="The maximum duration of one attempt.")
    continue_on_failure: bool | ToleratedModel = Field(
        False,
        description="Tolerate a failure, or only failures with certain exit codes (`{exit_codes: [1, 2]}`): dependents still run, and the run can still succeed.",
    )


class BodyModel(SharedModel):
    """Keys of a task in every dialect that are not allowed in `defaults`: its action, its variants, its conditions."""

    description: str = Field("", description="What the task is for.")
    workflow_ref: Called | None = Field(
        None, description="Call the registered Python function with this name."
    )
    run: str | None = Field(None, min_length=1, description="Run this script.")
    commands: list[str] | None = Field(
        None,
        min_length=1,
        description="Run these commands in order in one shell; the first that fails ends the task.",
    )
    image: str | None = Field(
        None,
        min_length=1,
        description="Run the script in a container of this image; without a script, the image's own command.",
    )
    mount: list[Mount] | None = Field(
        None, description="Directories of this machine for the container, each as `source:/target`."
    )
    pull: Literal["missing", "always", "never"] | None = Field(
        None, description="When to pull the image (default: if it is missing)."
    )
    approval: ApprovalModel | None = Field(
        None, description="Ask a person, and continue when the answer is yes."
    )
    wait: WaitModel | None = Field(
        None, description="Wait for a time, a file or a signal; nothing is occupied meanwhile."
    )
    services: list[Annotated[str, Field(min_length=1)]] | dict[Name, ServiceModel] | None = Field(
        None,
        description="Containers that run during the task: a list of images, or a mapping of names to services.",
    )
    artifacts: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        description="Files and directories to store after the task; patterns such as `*.csv` are allowed.",
    )
    if_: Condition | None = Field(None, alias="if", description="Run only if this expression is true.")
    unless: Condition | None = Field(None, description="Run only if this expression is false.")
    only_if_changed: bool = Field(False, description="Run only if a direct dependency changed something.")
    matrix: MatrixModel | None = Field(
        None, description="Run once for every combination of these values, as `${{ matrix.<axis> }}`."
    )
    for_each: Whole | list[Any] | None = Field(
        None, description="Run once for every item of this list, as `${{ item }}`."
    )
    max_parallel: int | None = Field(
        None, ge=1, description="How many variants of a `matrix` or a `for_each` run at the same time."
    )


AnyBodyModel = TypeVar("AnyBodyModel", bound=BodyModel)
AnyNodeModel = TypeVar("AnyNodeModel", bound=StrictModel)


def with_kinds(model_type: type[AnyBodyModel]) -> type[AnyBodyModel]:
    """The model of a task in a dialect, with the keys that kinds add."""
    return extended(model_type, tuple(kind.fields for kind in kinds.KINDS.values() if kind.is_for_tasks))


@cache
def extended(
    model_type: type[AnyNodeModel], fields: tuple[Callable[[], Mapping[str, Any]], ...]
) -> type[AnyNodeModel]:
    added = {key: field for each in fields for key, field in each().items()}
    if not added:
        return model_type
    return create_model(model_type.__name__, __base__=model_type, __module__=model_type.__module__, **added)


# --- a document ---


class SlaModel(StrictModel):
    """When a run is late."""

    finish_within: Timeout | None = Field(
        None, description="The time after its start in which a run should have ended."
    )
    start_by: TimeOfDay | None = Field(
        None,
        description="The time of day, as `HH:MM` in the time zone of the schedule, by which a scheduled run should have begun.",
    )


class NamedModel(StrictModel):
    """A document with its name at the top level."""

    name: Name | None = Field(
        None, description="The name of the DAG (default: the name of the file without its suffix)."
    )


class DocumentModel(StrictModel):
    """Keys of a document in every dialect."""

    description: str = Field("", description="What the DAG is for.")
    tenant_id: Name = Field("local-dev", description="The tenant for whom it runs.")
    params: dict[str, Any] = Field(
        {},
        description="Parameters of a run by name, each with its default or its declaration.",
        json_schema_extra=DECLARATIONS,
    )
    env: Env = Field({}, description="Environment variables of every task; a value keeps its text.")
    dotenv: list[DotEnv] = Field(
        [],
        description="Files of variables for every task, with lines `NAME=value`, relative to the project root; `env` takes precedence.",
    )
    max_parallel: int | None = Field(
        None,
        ge=1,
        description="How many attempts run at the same time (default: the number of CPUs, at least 4).",
    )
    secrets: list[Variable] = Field(
        [],
        description="Names of secrets, which are read from the environment or `.env` and masked everywhere.",
    )
    outputs: dict[Name, Any] = Field({}, description="The outputs of the run, evaluated when it succeeds.")
    sla: SlaModel | None = Field(None, description="When a run is late: its hooks `on_late` run.")
    #: Each hook is parsed separately, so that errors in one do not hide errors in others.
    hooks: Any = Field(
        None,
        description="What runs after the last task: clean-up and messages.",
        json_schema_extra={"allOf": [{"$ref": "#/definitions/HooksModel"}]},
    )


#: Action keys of one dialect, with those of all dialects that mean the same.
_SAME_ACTION: Mapping[str, str] = {
    "toolRef": "workflow_ref",
    "agentRef": "workflow_ref",
    "orchestrationRef": "dag",
}


def action_key(key: str) -> str:
    """The action key of all dialects that means the same as this one."""
    return _SAME_ACTION.get(key, key)


@cache
def meaningless_with(action: str) -> tuple[str, ...]:
    """The keys of a task that have no effect with this action key."""
    own = action_key(action)
    return next((kind.meaningless for kind in kinds.KINDS.values() if own in kind.keys), ())


# --- which keys can be combined, for the schema; `DocumentReader` checks the same and reports places ---

ONE_SPELLING: JsonDict = {
    "not": {"required": ["retries", "retry"], "properties": {"retry": {"required": ["max_attempts"]}}}
}
_FOR_VARIANTS: JsonDict = {"anyOf": [{"required": ["matrix"]}, {"required": ["for_each"]}]}


def task_schema(
    *calls: str, idle: bool = False, dependencies: JsonDict | None = None, **more: JsonValue
) -> Callable[[JsonDict], None]:  # fmt: skip
    """The rules for keys of a task, of all dialects and of one, for `json_schema_extra`.

    `calls`, `idle`: as in `DialectKeys`. The keys of the kinds are known only when the schema is created.
    """

    def add(schema: JsonDict) -> None:
        every: JsonDict = {
            "mount": ["image"],
            "pull": ["image"],
            "max_parallel": _FOR_VARIANTS,
            "matrix": {"properties": {"for_each": False}},
        }
        choices = _one_action(*calls, idle=idle)
        schema.update(
            {**ONE_SPELLING, "dependencies": {**every, **(dependencies or {})}, "oneOf": choices, **more}
        )

    return add


def _one_action(*calls: str, idle: bool) -> list[JsonValue]:
    """A task has one action: a call, a script (in an image or not), the command of an image, that of another kind; or none."""

    scripts = ("shell", "services", "skip_on_exit_codes")
    choices, every = choices_of((*kinds.action_keys(), *calls), scripts)
    return [*choices, _without(*every)] if idle else choices


def choices_of(keys: Sequence[str], of_scripts: Sequence[str]) -> tuple[list[JsonValue], Sequence[str]]:
    """One choice for each action key, and all keys that an action excludes. `of_scripts` are keys that only scripts have."""
    scripts = ("run", "commands")
    alone = tuple(key for key in keys if key not in (*scripts, "image"))
    every = (*alone, *scripts, "image", *of_scripts)
    choices: list[JsonValue] = [
        {"required": ["run"], **_without(*alone, "commands")},
        {"required": ["commands"], **_without(*alone, "run")},
        {"required": ["image"], **_without(*alone, *scripts, "shell")},
    ]
    for key in alone:
        others = (each for each in every if each != key)
        choices.append({"required": [key], **_without(*others, *meaningless_with(key))})
    return choices, every


def _without(*others: str) -> JsonDict:
    return {"properties": dict.fromkeys(others, False)}
