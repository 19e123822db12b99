"""The models of hooks, which few documents have: `hooks` in every dialect and in `dagrun.toml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from dagrun import kinds
from dagrun.documents.dialects.fields import Called, CommandLine, Env, Mount, StrictModel, Timeout
from dagrun.documents.dialects.notify_model import NotifyModel, Urls
from dagrun.documents.dialects.shared_models import AnyNodeModel, DotEnv, choices_of, extended


def with_hook_kinds(model_type: type[AnyNodeModel]) -> type[AnyNodeModel]:
    """The model of a hook, with the keys that kinds add."""
    return extended(model_type, tuple(kind.fields for kind in kinds.KINDS.values() if kind.is_for_hooks))


def _hook_rules() -> JsonDict:
    """The rules for keys of a hook."""
    choices, _ = choices_of(kinds.hook_keys(), ("shell",))
    return {"dependencies": {"mount": ["image"], "pull": ["image"]}, "oneOf": choices}


class HookModel(StrictModel):
    """One hook, with exactly one action."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(_hook_rules()))

    description: str = Field("", description="What the hook is for.")
    workflow_ref: Called | None = Field(
        None, description="Call the registered Python function with this name."
    )
    run: str | None = Field(None, min_length=1, description="Run this script.")
    commands: list[str] | None = Field(
        None, min_length=1, description="Run these commands in order in one shell."
    )
    shell: CommandLine | None = Field(None, description="The program that runs the script.")
    image: str | None = Field(None, min_length=1, description="Run the script in a container of this image.")
    mount: list[Mount] | None = Field(None, description="Directories of this machine for the container.")
    pull: Literal["missing", "always", "never"] | None = Field(None, description="When to pull the image.")
    notify: Urls | NotifyModel | None = Field(
        None,
        description="Send a message about the run to these addresses: webhooks (`https://`), or any service that Apprise knows.",
    )
    params: dict[str, Any] | None = Field(
        None, description="Parameters by name; every `${{ }}` in their texts is evaluated."
    )
    env: Env | None = Field(None, description="Environment variables.")
    dotenv: list[DotEnv] | None = Field(None, description="Files of variables, relative to the project root.")
    working_dir: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The directory to run in, relative to the project root."
    )
    timeout: Timeout = Field(300.0, description="The maximum duration.")


_HOOKS: JsonDict = {
    "anyOf": [
        {"$ref": "#/definitions/HookModel"},
        {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/HookModel"}},
    ]
}


class HooksModel(StrictModel):
    """What runs after the last task, whatever happened. Each key has one hook or a list of them."""

    on_success: Any = Field(None, description="After a success.", json_schema_extra=_HOOKS)
    on_failure: Any = Field(
        None,
        description="After a failure, a partial success or a timeout of the run.",
        json_schema_extra=_HOOKS,
    )
    on_cancel: Any = Field(None, description="After a cancel.", json_schema_extra=_HOOKS)
    on_exit: Any = Field(
        None, description="After every end, when the others have run.", json_schema_extra=_HOOKS
    )
    on_late: Any = Field(
        None,
        description="Once, while the run goes on, when it is late by its `sla`.",
        json_schema_extra=_HOOKS,
    )


class ProjectHooksModel(HooksModel):
    """The hooks of a project, which are also for events without a run of their own."""

    on_interrupted: Any = Field(
        None, description="When a scheduler finds that a run was interrupted.", json_schema_extra=_HOOKS
    )
    on_schedule_error: Any = Field(
        None, description="When a fire of a schedule could not become a run.", json_schema_extra=_HOOKS
    )


#: For the schema: a document does not refer to them.
HOOKS: tuple[type[StrictModel], ...] = (HooksModel, HookModel)
