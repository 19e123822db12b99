"""A dialect's wire models as a JSON Schema for editors: draft-07, which all of them understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dagrun.dialects import native
from dagrun.dialects.detect import DIALECTS
from dagrun.errors import NotFoundError, RefusedError

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_MODELS: Final[Mapping[str, Sequence[type[BaseModel]]]] = {"native": native.MODELS}

_ONE: Final = ("items", "additionalProperties", "propertyNames", "not", "if", "then")
_SEVERAL: Final = ("anyOf", "oneOf", "allOf")
_NAMED: Final = ("properties", "patternProperties", "definitions")

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A dialect, the top-level key that tells it, and whether there is a schema of it."""

    name: str
    key: str
    supported: bool


def dialects() -> list[Dialect]:
    """Every dialect."""
    return [Dialect(name, key, name in _MODELS) for key, (name, _) in DIALECTS.items()]


def schema(dialect: str) -> Schema:
    """The schema of a dialect's documents. Raises NotFoundError, RefusedError for a dialect of a later version."""
    known = [each.name for each in dialects()]
    if dialect not in known:
        raise NotFoundError("dialect", dialect, known, hint=f"there is {', '.join(known)}")
    if dialect not in _MODELS:
        raise RefusedError(
            f"the dialect '{dialect}' is not supported yet", hint="`dagrun schema` lists the dialects"
        )
    document, *_ = models = _MODELS[dialect]
    _, whole = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/definitions/{model}"
    )
    definitions = {_plain(name): _draft07(node) for name, node in whole["$defs"].items()}
    root = definitions.pop(_plain(document.__name__))
    return {
        "$schema": DRAFT,
        "title": f"dagrun, {dialect} dialect",
        **root,
        "definitions": dict(sorted(definitions.items())),
    }


def _plain(name: str) -> str:
    """`_Task` as people are to see it."""
    return name.lstrip("_")


def _draft07(node: Any) -> Any:
    """One schema without what only pydantic says, in the words of draft-07."""
    if not isinstance(node, dict):  # true and false are schemas too
        return node
    new: Schema = {}
    for word, value in _said(node).items():
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
    if "$ref" in new and len(new) > 1:  # draft-07 looks at nothing that stands beside a $ref
        new["allOf"] = [{"$ref": new.pop("$ref")}]
    return new


def _said(node: Schema) -> Schema:
    """A node without the null that only stands for a key that is left out, and with plain types in one list."""
    members = node.get("anyOf", [])
    if node.get("default", ...) is None:
        members = [member for member in members if member != {"type": "null"}]
    rest = {word: value for word, value in node.items() if word != "anyOf"}
    if len(members) == 1:
        return {**rest, **members[0]}
    if members and all(set(member) == {"type"} for member in members):
        return {**rest, "type": [member["type"] for member in members]}
    return node
