"""Tree and scope to value: look-ups in plain data, comparisons and the functions that need nothing else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from dagrun.language.expressions import comparing, times
from dagrun.language.expressions.comparing import equal, is_number
from dagrun.language.expressions.tree import (
    Apply,
    Compare,
    Constant,
    EvaluationError,
    Json,
    Logic,
    Lookup,
    Node,
    Not,
    Root,
)

Function = Callable[..., Json]
MOST_JSON_DEPTH: Final = 100
_NAMED_AT_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may read and ask. `roots` may be lazy; `functions` are those that ask about the run."""

    roots: Mapping[str, Json]
    functions: Mapping[str, Function] = field(default_factory=dict)
    #: Roots in which a name that is missing is the empty text.
    open_roots: frozenset[str] = frozenset({"env", "github"})


class _Missing(EvaluationError):
    """A look-up that found nothing; default() takes it."""


def evaluate(tree: Node, scope: Scope) -> Json:
    """The value of an expression; EvaluationError says why there is none."""
    try:
        return _value(tree, scope)
    except RecursionError:
        # Data can be nested deeper than any expression.
        raise EvaluationError("a value is nested too deep to be looked at", tree.offset) from None


def truth(value: Json) -> bool:
    """Whether a value counts as true: false, null, 0, '', [] and {} do not."""
    return bool(value)


def holds(value: Json) -> bool:
    """Whether a condition that comes to this value lets the task run: the text `false` does not."""
    return truth(value) and value != "false"


def as_text(value: Json) -> str:
    """A value inside text: text as it is, null as nothing, lists and objects as compact JSON; ValueError if it cannot be."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return _json(value)


# --- nodes ---


def _value(node: Node, scope: Scope) -> Json:
    match node:
        case Constant():
            return node.value
        case Root():
            return _root(node, scope)
        case Lookup():
            return _lookup(node, scope)
        case Not():
            return not truth(_value(node.operand, scope))
        case Logic():
            return _logic(node, scope)
        case Compare():
            return _compare(node, _value(node.left, scope), _value(node.right, scope))
        case Apply():
            return _apply(node, scope)


def _root(root: Root, scope: Scope) -> Json:
    try:
        return scope.roots[root.name]
    except KeyError:
        raise _Missing(f"there is no '{root.name}' here{_there_is(scope.roots)}", root.offset) from None


def _logic(node: Logic, scope: Scope) -> Json:
    value: Json = None
    for operand in node.operands:
        value = _value(operand, scope)
        if truth(value) == (node.operator == "||"):
            break
    return value


def _lookup(node: Lookup, scope: Scope, *, strict: bool = False) -> Json:
    """`strict` finds nothing even in an open root."""
    value = _root(node.base, scope) if isinstance(node.base, Root) else _inner(node.base, scope)
    shown = node.base.name if isinstance(node.base, Root) else "the value"
    lenient = isinstance(node.base, Root) and node.base.name in scope.open_roots and not strict
    for step in node.steps:
        key = _inner(step, scope)
        if value is None:
            return None
        try:
            value = _step(value, key, shown, step.offset)
        except _Missing:
            if lenient:
                return ""
            raise
        shown, lenient = f"{shown}.{key}", False
    return value


def _inner(node: Node, scope: Scope) -> Json:
    """A value that a look-up needs; what is missing in it is none of a default()'s business."""
    try:
        return _value(node, scope)
    except _Missing as missing:
        raise EvaluationError(missing.message, missing.offset) from None


def _step(value: Json, key: Json, shown: str, at: int) -> Json:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise EvaluationError(f"{shown} cannot be indexed by {_kind(key)}", at)
    if isinstance(value, Mapping):
        try:
            return value[str(key)]
        except KeyError:
            raise _Missing(f"{shown} has no '{key}'{_there_is(value)}", at) from None
    if isinstance(value, list | tuple):
        if not isinstance(key, int):
            raise EvaluationError(f"{shown} is a list: it is indexed by a number, not by '{key}'", at)
        if not 0 <= key < len(value):
            raise _Missing(f"{shown} has no [{key}]; it has {len(value)} items, counted from 0", at)
        return value[key]
    raise EvaluationError(f"{shown} is {_kind(value)}: it has no '{key}'", at)


def _there_is(names: Mapping[str, Json]) -> str:
    known = sorted(map(str, names))
    if not known:
        return "; it is empty"
    more = f" and {len(known) - _NAMED_AT_MOST} more" if len(known) > _NAMED_AT_MOST else ""
    return f"; there is {', '.join(known[:_NAMED_AT_MOST])}{more}"


# --- comparisons ---


def _compare(node: Compare, left: Json, right: Json) -> bool:
    if problem := comparing.problem(node.operator, left, right):
        raise EvaluationError(problem, node.offset)
    match node.operator:
        case "==":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
    if left is None or right is None:
        return False
    match node.operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if is_number(value):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list | tuple) else "an object"


# --- functions ---


def _apply(node: Apply, scope: Scope) -> Json:
    if node.name == "default":
        return _default(node, scope)
    function = scope.functions.get(node.name) or _FUNCTIONS.get(node.name)
    if function is None:
        raise EvaluationError(f"{node.name}() cannot be asked here", node.offset)
    arguments = [_value(argument, scope) for argument in node.arguments]
    try:
        return function(*arguments)
    except _Unfit as unfit:
        raise EvaluationError(f"{node.name}(): {unfit}", node.offset) from None


class _Unfit(ValueError):
    """Arguments that a function cannot work on."""


def _default(node: Apply, scope: Scope) -> Json:
    """Only what the first argument itself looks up may be missing; a mistake deeper inside stays one."""
    wanted, fallback = node.arguments
    try:
        value = _lookup(wanted, scope, strict=True) if isinstance(wanted, Lookup) else _inner(wanted, scope)
    except _Missing:
        value = None
    return _value(fallback, scope) if value is None else value


def _contains(haystack: Json, needle: Json) -> bool:
    if haystack is None:
        return False
    if isinstance(haystack, list | tuple):
        return any(equal(item, needle) for item in haystack)
    if isinstance(haystack, Mapping):
        return isinstance(needle, str) and needle in haystack
    return _texts(haystack, needle) and needle in haystack


def _starts_with(text: Json, start: Json) -> bool:
    return text is not None and _texts(text, start) and bool(text.startswith(start))


def _ends_with(text: Json, end: Json) -> bool:
    return text is not None and _texts(text, end) and bool(text.endswith(end))


def _texts(text: Json, part: Json) -> bool:
    if not (isinstance(text, str) and isinstance(part, str)):
        raise _Unfit(f"cannot look for {_kind(part)} in {_kind(text)}")
    return True


_FORMAT_PART: Final = re.compile(r"\{\{|\}\}|\{([0-9]{1,4})\}|[{}]")


def format_problem(text: str, given: int) -> str:
    """Why a format text cannot be filled with so many values; empty if it can."""
    for part in _FORMAT_PART.finditer(text):
        if part[0] in "{}":
            return f"a '{part[0]}' that is meant as text is written twice; a place is written {{0}}"
        if part[1] and int(part[1]) >= given:
            return f"{part[0]} has no value: {given} given, counted from 0"
    return ""


def _format(text: Json, *values: Json) -> str:
    if not isinstance(text, str):
        raise _Unfit(f"the format is {_kind(text)}, not a text")
    if problem := format_problem(text, len(values)):
        raise _Unfit(problem)
    return _FORMAT_PART.sub(lambda part: _text(values[int(part[1])]) if part[1] else part[0][0], text)


def _join(items: Json, separator: Json = ",") -> str:
    if items is None:
        return ""
    if not isinstance(items, list | tuple) or not isinstance(separator, str):
        raise _Unfit("takes a list and a text to put between its items")
    return separator.join(map(_text, items))


def _text(value: Json) -> str:
    try:
        return as_text(value)
    except ValueError as error:
        raise _Unfit(str(error)) from None


def _to_json(value: Json) -> str:
    try:
        return _json(value)
    except ValueError as error:
        raise _Unfit(str(error)) from None


def _json(value: Json) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the value is not JSON: {error}") from None


def _plain(value: Any) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON data")


_JSON_NESTING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def _from_json(text: Json) -> Json:
    if not isinstance(text, str):
        raise _Unfit(f"reads a text, not {_kind(text)}")
    depth = 0
    for part in _JSON_NESTING.finditer(text):
        depth += 1 if part[0] in "[{" else -1 if part[0] in "]}" else 0
        if depth > MOST_JSON_DEPTH:
            raise _Unfit(f"the JSON is nested deeper than {MOST_JSON_DEPTH} levels")
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _Unfit(f"the text is not JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError("a number is too large")
    return number


def _keys(value: Json) -> list[Json]:
    return list(map(str, _mapping(value)))


def _values(value: Json) -> list[Json]:
    return list(_mapping(value).values())


def _mapping(value: Json) -> Mapping[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _Unfit(f"takes an object, not {_kind(value)}")
    return value


def _length(value: Json) -> int:
    if value is None:
        return 0
    if not isinstance(value, str | list | tuple | Mapping):
        raise _Unfit(f"takes a text, a list or an object, not {_kind(value)}")
    return len(value)


def _date(time: Json, pattern: Json, zone: Json = "UTC") -> str:
    return _timed(times.format_time, time, pattern, zone)


def _shift(time: Json, by: Json) -> str:
    return _timed(times.shift_time, time, by)


def _timed(function: Callable[..., str], time: Json, *rest: Json) -> str:
    if not isinstance(time, str):
        raise _Unfit(f"takes a time such as run.scheduled_at, not {_kind(time)}")
    for argument in rest:
        if not isinstance(argument, str):
            raise _Unfit(f"takes texts, not {_kind(argument)}")
    try:
        return function(time, *rest)
    except ValueError as error:
        raise _Unfit(str(error)) from None


def argument_problem(name: str, arguments: Sequence[Json]) -> tuple[int, str] | None:
    """Which argument of a function can never be right, and why; those that are not written out are None."""
    try:
        for number, argument in enumerate(arguments):
            if not isinstance(argument, str):
                continue
            match name, number:
                case "format", 0:
                    if problem := format_problem(argument, len(arguments) - 1):
                        return number, problem
                case "date", 1:
                    if problem := times.pattern_problem(argument):
                        return number, problem
                case "date", 2:
                    times.find_zone(argument)
                case "shift", 1:
                    times.read_shift(argument)
    except ValueError as error:
        return number, str(error)
    return None


_FUNCTIONS: Final[Mapping[str, Function]] = {
    "contains": _contains,
    "startsWith": _starts_with,
    "endsWith": _ends_with,
    "format": _format,
    "join": _join,
    "toJSON": _to_json,
    "fromJSON": _from_json,
    "keys": _keys,
    "values": _values,
    "length": _length,
    "date": _date,
    "shift": _shift,
}
