"""The native dialect (`tasks:`): its models, and reading them into a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, Field

from dagrun.core.model import LATER_TASK_KEYS, Dependency, OnError, Task, Trigger
from dagrun.documents.dialects import shared_models
from dagrun.documents.dialects.declarations import DeclarationModel
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.dialects.fields import Name, StrictModel, Timeout
from dagrun.documents.dialects.locations import DialectKeys
from dagrun.documents.dialects.reader import DocumentReader
from dagrun.documents.yaml import Source

KEYS = DialectKeys(
    noun="task", id="id", needs=("depends_on",), entry="task", trigger="trigger", params="params",
    later=LATER_TASK_KEYS,
)  # fmt: skip

_Trigger = Literal["success", "failure", "always", "none_failed"]


class _TaskEdgeModel(StrictModel):
    """A dependency with its own trigger."""

    task: str = Field(description="The id of the task that must end first.")
    trigger: _Trigger | None = Field(
        None, description="How that task must have ended, instead of the `trigger` for all dependencies."
    )


class _DefaultsModel(shared_models.CommonModel):
    """Keys of a task that are also allowed in `defaults`."""

    model_config = ConfigDict(json_schema_extra=shared_models.ONE_SPELLING)


class _TaskNodeModel(StrictModel):
    """The id and the dependencies of a task."""

    id: Name = Field(description="The name of the task, which must be unique in the document.")
    depends_on: list[str | _TaskEdgeModel] = Field(
        [], description="The tasks that must end first, each as an id or as `{task: id, trigger: ...}`."
    )
    trigger: _Trigger = Field(
        "success", description="How the dependencies must have ended for the task to run."
    )


class _TaskModel(_DefaultsModel, shared_models.BodyModel, _TaskNodeModel):
    """One task, with exactly one action."""

    model_config = ConfigDict(json_schema_extra=shared_models.task_schema())


class _NativeModel(shared_models.DocumentModel, shared_models.NamedModel):
    """A DAG in the native dialect of dagrun."""

    model_config = ConfigDict(json_schema_extra={"required": ["tasks"]})

    on_error: Literal["stop_all", "continue"] = Field(
        "stop_all",
        description="What a failure that is not tolerated does: end the run (`stop_all`), or let the tasks that do not depend on it continue.",
    )
    timeout: Timeout | None = Field(None, description="The maximum duration of the whole run.")
    defaults: _DefaultsModel = Field(_DefaultsModel(), description="Defaults for all tasks.")
    #: Each task is parsed separately, so that errors in one do not hide errors in others.
    tasks: Any = Field(
        None,
        description="The tasks. Tasks that are ready start in this order.",
        json_schema_extra={"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/_TaskModel"}},
    )


#: The models for `dialects/schema.py`: the document by its top-level key, then the models that it does not refer to.
ROOTS: Mapping[str, type[StrictModel]] = {"tasks": _NativeModel}
PARTS: Sequence[type[StrictModel]] = (_TaskModel, DeclarationModel)


def to_dag(data: Mapping[str, Any], source: Source, name: str | None) -> ParsedDocument:
    """Read a native document."""
    model_type = shared_models.with_kinds(_TaskModel)
    reader = DocumentReader(source, KEYS, model_type)
    document = reader.document(_NativeModel, data)
    name = reader.name(document.name, name)
    nodes = [(("tasks", i), node) for i, node in enumerate(reader.nodes(data, "tasks", list))]
    defaults = {word: data["defaults"][word] for word in document.defaults.model_fields_set}
    reader.check_retry_keys(defaults, ("defaults",))
    whole = [_with_defaults(defaults, node) for _, node in nodes] if defaults else None
    need, trigger = cache(_need), cache(Trigger)  # the same few occur thousands of times

    def task(i: int, model: _TaskModel) -> Task:
        return reader.task(
            i, model, id=model.id, needs=map(need, model.depends_on), trigger=trigger(model.trigger),
            params=model.params, timeout=model.timeout, continue_on_failure=model.continue_on_failure,
        )  # fmt: skip

    return reader.result(
        document, reader.tasks(model_type, nodes, task, whole), name=name, on_error=OnError(document.on_error),
        timeout=document.timeout,
    )  # fmt: skip


def _need(entry: str | _TaskEdgeModel) -> Dependency:
    if isinstance(entry, str):
        return Dependency(entry)
    return Dependency(entry.task, Trigger(entry.trigger) if entry.trigger else None)


def _with_defaults(defaults: Mapping[str, Any], node: Any) -> Any:
    """A task with the defaults merged in. `params` and `env` are merged key by key; `retries` and `retry` together."""
    if not isinstance(node, dict):
        return node
    own = node.keys() | ({"retries", "retry"} if "retries" in node or "retry" in node else set())
    merged = {word: value for word, value in defaults.items() if word not in own} | node
    for word in ("params", "env"):
        if isinstance(node.get(word), dict):
            # The order of the task is kept: a value of `env` may refer to those before it.
            others = {name: value for name, value in defaults.get(word, {}).items() if name not in node[word]}
            merged[word] = {**others, **node[word]}
    return merged
