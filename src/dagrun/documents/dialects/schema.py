"""The models of a dialect as a JSON Schema for editors: draft-07, which all editors understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dagrun.documents.dialects import jobs, native, steps
from dagrun.documents.dialects.hook_models import HOOKS, HookModel, with_hook_kinds
from dagrun.documents.dialects.shared_models import BodyModel, with_kinds
from dagrun.errors import NotFoundError
from dagrun.value import Value

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
#: For each dialect the models of its documents by top-level key, and the models that these do not refer to.
_MODELS: Final[Mapping[str, tuple[Mapping[str, type[BaseModel]], Sequence[type[BaseModel]]]]] = {
    "native": (native.ROOTS, native.PARTS),
    "steps": (steps.ROOTS, steps.PARTS),
    "jobs": (jobs.ROOTS, jobs.PARTS),
}

_ONE: Final = ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else")
_SEVERAL: Final = ("anyOf", "oneOf", "allOf")
_NAMED: Final = ("properties", "patternProperties", "definitions")

Schema = dict[str, Any]


class Dialect(Value):
    """A dialect and its top-level keys."""

    name: str
    keys: tuple[str, ...]


def dialects() -> list[Dialect]:
    """Every dialect."""
    return [Dialect(name, tuple(roots)) for name, (roots, _) in _MODELS.items()]


def schema(dialect: str) -> Schema:
    """The schema of a dialect's documents. Raises NotFoundError."""
    if dialect not in _MODELS:
        raise NotFoundError("dialect", dialect, _MODELS, hint=f"available: {', '.join(_MODELS)}")
    roots, models = _MODELS[dialect]
    parts = [_with_kinds(model) for model in (*models, *HOOKS)]
    _, whole = models_json_schema(
        [(model, "validation") for model in (*roots.values(), *parts)], ref_template="#/definitions/{model}"
    )
    definitions = {_plain(name): _draft07(node) for name, node in whole["$defs"].items()}
    (_, first), *others = ((key, _plain(model.__name__)) for key, model in roots.items())
    root: Schema = definitions.pop(first)
    for (
        key,
        name,
    ) in others:  # the top-level key decides which model applies; without one it is the first
        root = {"if": {"required": [key]}, "then": {"$ref": f"#/definitions/{name}"}, "else": root}
    return {
        "$schema": DRAFT,
        "title": f"dagrun, {dialect} dialect",
        **root,
        "definitions": dict(sorted(definitions.items())),
    }


def _with_kinds(model: type[BaseModel]) -> type[BaseModel]:
    """The model with the keys that kinds add."""
    if issubclass(model, BodyModel):
        return with_kinds(model)
    return with_hook_kinds(model) if issubclass(model, HookModel) else model


def _plain(name: str) -> str:
    """The name of a model in the schema: `Task` for `_TaskModel`."""
    return name.lstrip("_").removesuffix("Model")


def _draft07(node: Any) -> Any:
    """A schema in draft-07, without the additions of pydantic."""
    if not isinstance(node, dict):  # true and false are schemas too
        return node
    new: Schema = {}
    for word, value in _simplified(node).items():
        if word in _ONE:
            new[word] = _draft07(value)
        elif word in _SEVERAL:
            new[word] = [_draft07(each) for each in value]
        elif word in _NAMED:
            new[word] = {name: _draft07(each) for name, each in value.items()}
        elif word == "$ref":
            folder, _, name = value.rpartition("/")
            new[word] = f"{folder}/{_plain(name)}"
        elif word != "title" and not (
            word == "default" and (value is None or isinstance(value, dict | list))
        ):
            new[word] = value
    if "patternProperties" in new:
        new.setdefault("additionalProperties", False)
    if "$ref" in new and len(new) > 1:  # draft-07 ignores all keys next to a $ref
        new["allOf"] = [{"$ref": new.pop("$ref")}]
    return new


def _simplified(node: Schema) -> Schema:
    """A node without the null of optional keys, and with plain types in one list."""
    members = node.get("anyOf", [])
    if node.get("default", ...) is None:
        members = [member for member in members if member != {"type": "null"}]
    rest = {word: value for word, value in node.items() if word != "anyOf"}
    if len(members) == 1:
        return {**rest, **members[0]}
    if members and all(set(member) == {"type"} for member in members):
        return {**rest, "type": [member["type"] for member in members]}
    return node
