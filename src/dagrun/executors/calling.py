"""Calling a workflow: parameters bound by name and converted, whatever it returns made into outputs."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dagrun import registry
from dagrun.core.work import Json, Result, TaskContext

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
#: How deep lists and mappings of outputs may be nested; every interpreter can read that, with stack to spare.
MOST_NESTING = 500
_PLAIN = (str, int, float, bool, dict, list)
_CONTAINERS = (Mapping, list, tuple)


class BadCall(ValueError):
    """The parameters do not fit the function, or what it returned is no set of outputs."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Slot:
    """One parameter of a function and how its value is converted."""

    name: str
    required: bool
    convert: Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    """What a function takes."""

    everything: bool
    slots: tuple[_Slot, ...]
    rest: bool
    contexts: tuple[str, ...]


def call(
    function: Callable[..., Any],
    params: Mapping[str, Json],
    context: TaskContext | None,
    mask: Callable[[str], str] = str,
) -> Any:
    """Call a workflow, sync or async, with its parameters by name (S2); its return value, whatever that is.

    `mask` takes secrets out of a value before it is shortened for a message. Raises BadCall when the parameters do not fit; whatever the function raises passes through.
    """
    value = function(**_bind(_shape(function), params, context, mask))
    if not inspect.isawaitable(value):
        return value
    import asyncio

    return asyncio.run(_await(value))


async def _await(value: Any) -> Any:
    return await value


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether the function looks at its own attempt, and so at `cancelled`."""
    return bool(_shape(function).contexts)


def _bind(
    shape: _Shape, params: Mapping[str, Json], context: TaskContext | None, mask: Callable[[str], str]
) -> dict[str, Any]:
    bound: dict[str, Any] = dict.fromkeys(shape.contexts, context)
    if shape.everything:
        return {**bound, "params": dict(params)}
    problems = []
    for slot in shape.slots:
        if slot.name in params:
            try:
                bound[slot.name] = slot.convert(params[slot.name])
            except ValueError as error:  # pydantic's is one
                problems.append(f"parameter '{slot.name}': {_sentence(error, mask)}")
            except Exception as error:  # pydantic has no idea how to make a value of this class
                why = str(error).partition("\n")[0]
                problems.append(f"parameter '{slot.name}' cannot be made what its annotation says: {why}")
        elif slot.required:
            problems.append(f"parameter '{slot.name}' is missing")
    if problems:
        raise BadCall("; ".join(problems))
    if shape.rest:
        bound.update({name: value for name, value in params.items() if name not in bound})
    return bound


def _sentence(error: ValueError, mask: Callable[[str], str]) -> str:
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
def _shape(function: Callable[..., Any]) -> _Shape:
    parameters = inspect.signature(function).parameters
    annotations = registry.hints(function)
    contexts = tuple(name for name in parameters if annotations.get(name) is TaskContext)
    named = [
        p for p in parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in contexts
    ]  # fmt: skip
    return _Shape(
        everything=registry.takes_everything(parameters, annotations),
        slots=tuple(
            _Slot(p.name, p.default is p.empty, _converter(annotations.get(p.name, Any))) for p in named
        ),
        rest=any(p.kind is p.VAR_KEYWORD for p in parameters.values()),
        contexts=contexts,
    )


def _converter(hint: Any) -> Callable[[Any], Any]:
    """How a JSON value becomes what the annotation says; pydantic is imported only for a value that does not yet."""
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
    """What a workflow returned, as outputs, and whether it says that it changed anything (CONTRACT 3)."""
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
    """Outputs as JSON; raises BadCall naming the key that is not serialisable."""
    for key in outputs:
        if not isinstance(key, str):
            raise BadCall(f"output key {key!r} is not text")
    try:
        return _encoded(outputs)
    except (TypeError, ValueError, RecursionError):
        for key, value in outputs.items():
            try:
                _encoded({key: value})
            except (TypeError, ValueError, RecursionError) as error:
                raise BadCall(f"output '{key}' is not JSON-serialisable: {_why_not(error)}") from None
        raise


def _encoded(value: Mapping[Any, Json]) -> bytes:
    """As JSON. Raises RecursionError for what is nested so deep that not every reader could follow.

    How deep that is does not depend on the interpreter, or on how much of its stack is in use.
    """
    text = _encode(value)  # first: it refuses what contains itself
    level: list[Any] = [value]
    for _ in range(MOST_NESTING + 1):
        inside = (each.values() if isinstance(each, Mapping) else each for each in level)
        level = [item for items in inside for item in items if isinstance(item, _CONTAINERS)]
        if not level:
            return text.encode()
    raise RecursionError


def _why_not(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a surrogate pair, which is no character"
    return str(error)
