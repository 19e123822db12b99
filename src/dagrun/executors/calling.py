"""Calls a workflow: binds parameters by name and converts them, and turns the return value into outputs."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from dagrun import registry
from dagrun.core.work import Json, Result, TaskContext
from dagrun.value import Value

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
#: How deeply outputs may be nested: little enough for every JSON reader.
MAX_NESTING = 500
#: Types whose values are JSON, whatever they are; a number with a point may be NaN.
_FLAT = frozenset({str, int, bool, type(None)})
_PLAIN = (str, int, float, bool, dict, list)
_CONTAINERS = (Mapping, list, tuple)


class BadCall(ValueError):
    """The parameters do not fit the function, or its return value cannot become outputs."""


class _BoundParameter(Value):
    """One parameter of a function, and the conversion of its value."""

    name: str
    required: bool
    convert: Callable[[Any], Any]


class _CallSignature(Value):
    """The parameters of a function, in the ways in which they are bound."""

    takes_mapping: bool  # all parameters as one mapping
    parameters: tuple[_BoundParameter, ...]
    takes_keywords: bool  # `**kwargs`
    contexts: tuple[str, ...]  # names of the parameters that get the TaskContext


def call(
    function: Callable[..., Any],
    params: Mapping[str, Json],
    context: TaskContext | None,
    mask: Callable[[str], str] = str,
) -> Any:
    """Call a workflow, sync or async, with its parameters by name, and return what it returns.

    `mask` masks values before they are shortened for a message. Raises BadCall when the parameters do not fit, and
    everything that the function raises.
    """
    value = function(**_bind(_signature(function), params, context, mask))
    if not inspect.isawaitable(value):
        return value
    import asyncio

    return asyncio.run(_await(value))


async def _await(value: Any) -> Any:
    return await value


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether the function has a parameter for the TaskContext, and so can check `cancelled`."""
    return bool(_signature(function).contexts)


def _bind(
    signature: _CallSignature,
    params: Mapping[str, Json],
    context: TaskContext | None,
    mask: Callable[[str], str],
) -> dict[str, Any]:
    bound: dict[str, Any] = dict.fromkeys(signature.contexts, context)
    if signature.takes_mapping:
        return {**bound, "params": dict(params)}
    problems = []
    for parameter in signature.parameters:
        if parameter.name in params:
            try:
                bound[parameter.name] = parameter.convert(params[parameter.name])
            except ValueError as error:  # pydantic's errors are ValueErrors
                problems.append(f"parameter '{parameter.name}': {_message(error, mask)}")
            except Exception as error:  # pydantic cannot make a value of this class
                why = str(error).partition("\n")[0]
                problems.append(f"parameter '{parameter.name}' cannot be converted to its annotation: {why}")
        elif parameter.required:
            problems.append(f"parameter '{parameter.name}' is missing")
    if problems:
        raise BadCall("; ".join(problems))
    if signature.takes_keywords:
        bound.update({name: value for name, value in params.items() if name not in bound})
    return bound


def _message(error: ValueError, mask: Callable[[str], str]) -> str:
    details = getattr(error, "errors", None)
    if not callable(details):
        return str(error)
    return "; ".join(
        f"{''.join(f'[{part!r}]' for part in detail['loc'])}{' ' if detail['loc'] else ''}"
        f"{detail['msg']} (got {_short(detail['input'], mask)})"
        for detail in details()
    )


def _short(value: object, mask: Callable[[str], str]) -> str:
    text = mask(repr(value))
    return text if len(text) <= 80 else text[:77] + "..."


@lru_cache(maxsize=256)
def _signature(function: Callable[..., Any]) -> _CallSignature:
    parameters = inspect.signature(function).parameters
    annotations = registry.hints(function)
    contexts = tuple(name for name in parameters if annotations.get(name) is TaskContext)
    named = [
        p for p in parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in contexts
    ]  # fmt: skip
    return _CallSignature(
        takes_mapping=registry.takes_everything(parameters, annotations),
        parameters=tuple(
            _BoundParameter(p.name, p.default is p.empty, _converter(annotations.get(p.name, Any)))
            for p in named
        ),
        takes_keywords=any(p.kind is p.VAR_KEYWORD for p in parameters.values()),
        contexts=contexts,
    )


def _converter(hint: Any) -> Callable[[Any], Any]:
    """The conversion of a JSON value to its annotation. pydantic is imported only for a value that needs it."""
    if hint is Any or hint is object:
        return lambda value: value
    adapters: list[Any] = []

    def convert(value: Any) -> Any:
        if hint in _PLAIN and type(value) is hint:
            return value
        if not adapters:
            from pydantic import TypeAdapter

            adapters.append(TypeAdapter(hint))
        return adapters[0].validate_python(value)

    return convert


def outputs_of(value: Any) -> tuple[dict[str, Json], bool]:
    """The return value of a workflow as outputs, and whether the workflow has changed anything."""
    if isinstance(value, Result):
        return outputs_of(value.outputs)[0], bool(value.changed)
    if value is None:
        return {}, True
    if isinstance(value, Mapping):
        return dict(value), True
    if hasattr(type(value), "model_dump"):
        data = value.model_dump(mode="json")
        return (data if isinstance(data, dict) else {"result": data}), True
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value), True
    return {"result": value}, True


def encode_outputs(outputs: Mapping[Any, Json]) -> bytes:
    """Outputs as JSON. Raises BadCall with the key that cannot be serialised."""
    for key in outputs:
        if not isinstance(key, str):
            raise BadCall(f"output key {key!r} is not a string")
    try:
        return _encoded(outputs)
    except (TypeError, ValueError, RecursionError):
        for key, value in outputs.items():
            try:
                _encoded({key: value})
            except (TypeError, ValueError, RecursionError) as error:
                raise BadCall(f"output '{key}' is not JSON-serialisable: {_json_error(error)}") from None
        raise


def _encoded(value: Mapping[Any, Json]) -> bytes:
    """A mapping as JSON. Raises RecursionError if it is nested more deeply than MAX_NESTING, whatever the interpreter allows."""
    if all(type(each) in _FLAT for each in value.values()):
        return msgspec.json.encode(value)  # mostly a few short texts, or a large one
    text = _encode(value)  # first, as it refuses a value that contains itself
    level: list[Any] = [value]
    for _ in range(MAX_NESTING + 1):
        inside = (each.values() if isinstance(each, Mapping) else each for each in level)
        level = [item for items in inside for item in items if isinstance(item, _CONTAINERS)]
        if not level:
            return text.encode()
    raise RecursionError


def _json_error(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it has half a surrogate pair, which is not a character"
    return str(error)
