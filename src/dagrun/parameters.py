"""A DAG's parameters: what was declared, what was given, and whether the two fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagrun.errors import UsageError, did_you_mean
from dagrun.model import Dag, Param
from dagrun.source import DocumentError, Source

if TYPE_CHECKING:
    from dagrun.work import Json

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


def resolve(dag: Dag, given: Mapping[str, Json]) -> dict[str, Json]:
    """Every parameter's value: the given one, else its default. Raises UsageError that lists all that is wrong."""
    declared = {param.name: param for param in dag.params}
    problems = []
    for name in given:
        if name not in declared:
            hint = did_you_mean(name, declared) or (
                f"it has: {', '.join(declared)}" if declared else "it has none"
            )
            problems.append(f"DAG '{dag.name}' has no parameter '{name}' ({hint})")
    values: dict[str, Json] = {}
    for param in dag.params:
        if param.name in given:
            values[param.name] = given[param.name]
            problem = _problem(param, given[param.name])
            if problem:
                problems.append(problem)
        elif param.required and param.default is None:
            problems.append(f"parameter '{param.name}' is required: give it with --param {param.name}=...")
        else:
            values[param.name] = param.default
    if problems:
        raise UsageError("\n".join(problems))
    return values


def problem_with_default(param: Param) -> str | None:
    """What is wrong with a declaration itself."""
    return None if param.default is None else _problem(param, param.default, "the default of ")


def _problem(param: Param, value: Json, which: str = "") -> str | None:
    if param.type is not None:
        fits = isinstance(value, _TYPES[param.type])
        if not fits or (isinstance(value, bool) and param.type != "boolean"):
            return f"{which}parameter '{param.name}' must be of type {param.type}, not {_kind(value)}"
    if not _is_json(value):
        return f"{which}parameter '{param.name}' holds a number that JSON cannot write: .inf or .nan"
    if param.enum and value not in param.enum:
        choices = ", ".join(str(choice) for choice in param.enum)
        return f"{which}parameter '{param.name}' must be one of {choices}, not {value!r}"
    return None


def _is_text(param: Param) -> bool:
    """Whether only text can fit: then `3.10` is meant as it is written."""
    choices = param.enum if param.type is None else ()
    return param.type == "string" or bool(choices and all(isinstance(choice, str) for choice in choices))


def _is_json(value: Any) -> bool:
    """Whether all numbers in a value read from YAML are finite: parameters are recorded as JSON."""
    pile = [value]
    while pile:
        value = pile.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if isinstance(value, dict):
            pile.extend(value.values())
        elif isinstance(value, list):
            pile.extend(value)
    return True


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return next(name for name, types in _TYPES.items() if isinstance(value, types))


def from_flag(dag: Dag, text: str) -> tuple[str, Json]:
    """`region=us` as a name and a value: a YAML scalar or flow value; text where text is declared.

    Raises UsageError when it is none of these.
    """
    name, equals, written = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--param {text!r} is not of the form name=value")
    declared = next((param for param in dag.params if param.name == name), None)
    if not written or (declared and _is_text(declared)):
        return name, written
    try:
        return name, Source.inline(written, f"--param {name}").load()
    except DocumentError as error:
        problem = error.findings[0].message
        raise UsageError(f"--param {name}: {problem}", hint="quote the value for YAML as well") from None
