"""The words that documents and tasks have in every dialect, as wire models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.config import JsonDict, JsonValue

from dagrun import kinds
from dagrun.core.model import ParamType
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
    Timeout,
    Value,
    Variable,
)

#: A parameter that is a mapping with one of these keys is a declaration, not a default.
DECLARING = ("type", "default", "enum", "required")


#: The path of a file of variables.
DotEnv = Annotated[Plain, Field(min_length=1)]

# --- parts of a task ---


class RetryModel(StrictModel):
    """What is said about trying again."""

    max_attempts: int | None = Field(
        None, ge=1, description="How many attempts there are at most: 3 is the same as `retries: 2`."
    )
    initial: Duration | None = Field(
        None,
        description="The delay before the first retry; without a word the setting RETRY_BASE_MS, 400 ms.",
    )
    factor: float = Field(
        2.0, ge=1, allow_inf_nan=False, description="What each further delay is multiplied by."
    )
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


class MatrixModel(StrictModel):
    """A task once for every combination of values; each key but these two is an axis with its values."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"propertyNames": {"pattern": AXIS}})
    __pydantic_extra__: dict[Axis, Annotated[list[Value], Field(min_length=1)]]

    exclude: list[dict[Axis, Value]] = Field(
        [], description="Combinations that are left out, each named by some of its values."
    )
    include: list[dict[Axis, Value]] = Field(
        [], description="Values for the combinations that agree with them, or combinations of their own."
    )


class HealthCheckModel(StrictModel):
    """How to know that a service is ready."""

    test: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)] = Field(
        description="The command that succeeds when it is: a text for a shell, or a list of words."
    )
    interval: Timeout = Field(5.0, description="How long to wait between two tries.")
    timeout: Timeout = Field(5.0, description="How long one try may take.")
    retries: int = Field(5, ge=1, description="After how many failed tries in a row the service is given up.")


class ServiceModel(StrictModel):
    """A container beside the task."""

    image: str = Field(min_length=1, description="What it is made of.")
    env: Env = Field({}, description="Its environment variables.")
    ports: list[Port] = Field([], description="Ports that it listens on; the first is announced to the task.")
    health_check: HealthCheckModel | None = Field(None, description="How to know that it is ready.")


def _whole(value: object) -> object:
    text = value.strip() if isinstance(value, str) else ""
    if not isinstance(value, list) and not (text.startswith("${{") and text.endswith("}}")):
        raise ValueError("must be a list, or one whole ${{ }} that gives one")
    return value


#: Text that is one expression.
Whole = Annotated[
    str, BeforeValidator(_whole), WithJsonSchema({"type": "string", "pattern": r"^\s*\$\{\{[\s\S]*\}\}\s*$"})
]


# --- a task ---


class ToleratedModel(StrictModel):
    """Which failures are tolerated."""

    exit_codes: Annotated[list[ExitCode], Field(min_length=1)] = Field(
        description="The exit codes of attempts whose failure is tolerated; any other failure is not."
    )


class SharedModel(StrictModel):
    """What a task may say in every dialect, and a document for all of its tasks where it has `defaults`."""

    retries: int | None = Field(None, ge=0, description="How often a failed attempt is tried again.")
    retry: RetryModel | None = Field(None, description="When and how a failed attempt is tried again.")
    env: Env | None = Field(
        None,
        description="Environment variables; a value keeps the text that is written, so `3.10` stays `3.10`.",
    )
    dotenv: list[DotEnv] | None = Field(
        None,
        description="Files of variables, each line `NAME=value`, seen from the project root; `env` wins over them.",
    )
    working_dir: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The directory to run in, seen from the project root."
    )
    shell: CommandLine | None = Field(
        None,
        description="What runs the script: `sh` (the default), `bash`, or any program with its flags, such as `python3 -u`.",
    )
    skip_on_exit_codes: Annotated[list[ExitCode], Field(min_length=1)] | None = Field(
        None,
        description="Exit codes of a script that mean that there was nothing to do: the task ends as skipped, with no retry.",
    )
    on_error: Literal["stop_all", "continue"] | None = Field(
        None,
        description="What a failure of the task does to the rest of the run; without a word what the document says.",
    )


class CommonModel(SharedModel):
    """The same, with the words that the Kubernetes style spells in a way of its own."""

    params: dict[str, Any] | None = Field(
        None, description="Parameters by name; every `${{ }}` in their texts is evaluated."
    )
    timeout: Timeout | None = Field(None, description="How long one attempt may take.")
    continue_on_failure: bool | ToleratedModel = Field(
        False,
        description="Tolerate a failure, or one with certain exit codes (`{exit_codes: [1, 2]}`): dependents run all the same, and the run can still be a success.",
    )


class BodyModel(SharedModel):
    """What only a task can say, in every dialect: what it does, how often, and on which condition."""

    description: str = Field("", description="What it is for, in words.")
    workflow_ref: Called | None = Field(None, description="Call the registered Python function of this name.")
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
        None, description="What the container sees of this machine, each as `source:/target`."
    )
    pull: Literal["missing", "always", "never"] | None = Field(
        None, description="When the image is fetched; without a word when it is missing."
    )
    services: list[Annotated[str, Field(min_length=1)]] | dict[Name, ServiceModel] | None = Field(
        None, description="Containers that run beside the task: images, or a mapping of names to services."
    )
    artifacts: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, description="Files and directories to keep when the task has run; globs are fine."
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
        None, ge=1, description="How many variants of a `matrix` or a `for_each` run at once."
    )


AnyBodyModel = TypeVar("AnyBodyModel", bound=BodyModel)


def with_kinds(model_type: type[AnyBodyModel]) -> type[AnyBodyModel]:
    """A dialect's model of a task, with the keys that kinds add to it."""
    return _extended(model_type, tuple(kind.fields for kind in kinds.KINDS.values()))


@cache
def _extended(
    model_type: type[AnyBodyModel], fields: tuple[Callable[[], Mapping[str, Any]], ...]
) -> type[AnyBodyModel]:
    added = {key: field for each in fields for key, field in each().items()}
    if not added:
        return model_type
    return create_model(model_type.__name__, __base__=model_type, __module__=model_type.__module__, **added)


# --- a document ---


class DeclarationModel(StrictModel):
    """A declared parameter of the run."""

    type: ParamType | None = Field(None, description="What the value must be; without a word anything.")
    default: Any = Field(None, description="The value when none is given.")
    enum: list[Any] = Field([], description="The only values that are allowed.")
    required: bool = Field(False, description="Whether a value must be given when there is no default.")
    description: str = Field("", description="What the parameter is for, in words.")


class NamedModel(StrictModel):
    """A document that says its name at its top."""

    name: Name | None = Field(
        None, description="The DAG's name; without a word the file's, without its ending."
    )


class DocumentModel(StrictModel):
    """What a document says about the whole run, in every dialect."""

    description: str = Field("", description="What the DAG is for, in words.")
    tenant_id: Name = Field("local-dev", description="On whose behalf it runs.")
    params: dict[str, Any] = Field(
        {},
        description="Parameters of a run by name, each with its default or its declaration.",
        json_schema_extra={
            "additionalProperties": {
                "if": {"type": "object", "anyOf": [{"required": [word]} for word in DECLARING]},
                "then": {"$ref": "#/definitions/DeclarationModel"},
            }
        },
    )
    env: Env = Field(
        {}, description="Environment variables of every task; a value keeps the text that is written."
    )
    dotenv: list[DotEnv] = Field(
        [],
        description="Files of variables for every task, each line `NAME=value`, seen from the project root; `env` wins over them.",
    )
    max_parallel: int | None = Field(
        None,
        ge=1,
        description="How many attempts run at once; without a word as many as there are CPUs, at least 4.",
    )
    secrets: list[Variable] = Field(
        [], description="Names that are read from the environment or `.env` and masked everywhere."
    )
    outputs: dict[Name, Any] = Field({}, description="What the run gives back, evaluated when it ends well.")


# --- what the words ask of one another, as the schema says it; `Reader` tells the same with places ---

ONE_SPELLING: JsonDict = {
    "not": {"required": ["retries", "retry"], "properties": {"retry": {"required": ["max_attempts"]}}}
}
_FOR_VARIANTS: JsonDict = {"anyOf": [{"required": ["matrix"]}, {"required": ["for_each"]}]}


def task_schema(
    *calls: str, idle: bool = False, dependencies: JsonDict | None = None, **more: JsonValue
) -> Callable[[JsonDict], None]:  # fmt: skip
    """What a task's words ask of one another in every dialect and in one of them, for `json_schema_extra`.

    `calls`, `idle`: as in `Spelling`. What the kinds ask is only known when the schema is made.
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
    """A task does one thing: a call, a script (in an image or not), an image's own command, what another kind does; or nothing."""

    def without(*others: str) -> JsonDict:
        return {"properties": dict.fromkeys(others, False)}

    scripts = ("run", "commands")
    alone = (*(key for key in kinds.action_keys() if key not in (*scripts, "image")), *calls)
    every = (*alone, *scripts, "image", "shell", "services", "skip_on_exit_codes")
    choices: list[JsonValue] = [
        {"required": ["run"], **without(*alone, "commands")},
        {"required": ["commands"], **without(*alone, "run")},
        {"required": ["image"], **without(*alone, *scripts, "shell")},
    ]
    for key in alone:
        choices.append({"required": [key], **without(*(each for each in every if each != key))})
    return [*choices, without(*every)] if idle else choices
