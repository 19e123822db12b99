"""From a syntax tree and a scope to a value: lookups in plain data, comparisons, and the functions of the language."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec

from dagrun.language.expressions import comparing, times
from dagrun.language.expressions.comparing import equal, is_number, shown_text
from dagrun.language.expressions.tree import (
    Apply,
    Compare,
    Constant,
    EvaluationError,
    Json,
    Logic,
    Lookup,
    Not,
    Root,
    TreeNode,
)
from dagrun.value import Value, field

Function = Callable[..., Json]
MAX_JSON_DEPTH: Final = 100
#: 256 Mi. Without a limit a short expression could fill the memory: nested format() calls double a text at every level.
MAX_TEXT: Final = 2**28
_NAMED_AT_MOST: Final = 8


class Scope(Value):
    """The data that an expression may read. `roots` may be lazy; `functions` are those about the state of the run."""

    roots: Mapping[str, Json]
    functions: Mapping[str, Function] = field(default_factory=dict)
    #: Roots in which a missing name has the empty text as its value.
    open_roots: frozenset[str] = frozenset({"env", "github"})
    #: The most characters of a text that an expression or a template may create.
    max_text: int = MAX_TEXT


class _Missing(EvaluationError):
    """A lookup that found nothing; default() handles it."""


class _Evaluation(msgspec.Struct):
    """One evaluation, and how many characters its functions may still create."""

    scope: Scope
    room: int


def evaluate(tree: TreeNode, scope: Scope) -> Json:
    """The value of an expression. Raises EvaluationError if there is none."""
    try:
        return _value(tree, _Evaluation(scope, scope.max_text))
    except RecursionError:
        # Data can be nested deeper than any expression.
        raise EvaluationError("a value is nested too deeply", tree.offset) from None


def truth(value: Json) -> bool:
    """Whether a value counts as true: false, null, 0, '', [] and {} do not."""
    return bool(value)


def holds(value: Json) -> bool:
    """Whether a condition with this value lets the task run. Unlike `truth`, the text `false` does not."""
    return truth(value) and value != "false"


def as_text(value: Json) -> str:
    """A value for use in text: text unchanged, null as nothing, other values as compact JSON. Raises ValueError."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return _json(value)


# --- nodes ---


def _value(node: TreeNode, run: _Evaluation) -> Json:
    match node:
        case Constant():
            return node.value
        case Root():
            return _root(node, run)
        case Lookup():
            return _lookup(node, run)
        case Not():
            return not truth(_value(node.operand, run))
        case Logic():
            return _logic(node, run)
        case Compare():
            return _compare(node, _value(node.left, run), _value(node.right, run))
        case Apply():
            return _apply(node, run)


def _root(root: Root, run: _Evaluation) -> Json:
    try:
        return run.scope.roots[root.name]
    except KeyError:
        raise _Missing(
            f"'{root.name}' does not exist here{_there_is(run.scope.roots)}", root.offset
        ) from None


def _logic(node: Logic, run: _Evaluation) -> Json:
    value: Json = None
    for operand in node.operands:
        value = _value(operand, run)
        if truth(value) == (node.operator == "||"):
            break
    return value


def _lookup(node: Lookup, run: _Evaluation, *, strict: bool = False) -> Json:
    """`strict`: a name that is missing in an open root is missing, not empty."""
    value = _root(node.base, run) if isinstance(node.base, Root) else _inner(node.base, run)
    shown = node.base.name if isinstance(node.base, Root) else "the value"
    lenient = isinstance(node.base, Root) and node.base.name in run.scope.open_roots and not strict
    for step in node.steps:
        key = _inner(step, run)
        if value is None:
            return None
        try:
            value = _step(value, key, shown, step.offset)
        except _Missing:
            if lenient:
                return ""
            raise
        shown, lenient = f"{shown}.{shown_text(key)}", False
    return value


def _inner(node: TreeNode, run: _Evaluation) -> Json:
    """A value that a lookup needs. If it is missing, that is an error even inside default()."""
    try:
        return _value(node, run)
    except _Missing as missing:
        raise EvaluationError(missing.message, missing.offset) from None


def _step(value: Json, key: Json, shown: str, at: int) -> Json:
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise EvaluationError(f"{shown} cannot be indexed by {_type(key)}", at)
    if isinstance(value, Mapping):
        try:
            return value[str(key)]
        except KeyError:
            raise _Missing(f"{shown} has no '{shown_text(key)}'{_there_is(value)}", at) from None
    if isinstance(value, list | tuple):
        if not isinstance(key, int):
            raise EvaluationError(f"{shown} is a list: its index is a number, not '{shown_text(key)}'", at)
        if not 0 <= key < len(value):
            raise _Missing(f"{shown} has no [{key}]; it has {len(value)} items, counted from 0", at)
        return value[key]
    raise EvaluationError(f"{shown} is {_type(value)}: it has no '{shown_text(key)}'", at)


def _there_is(names: Mapping[str, Json]) -> str:
    known = sorted(map(shown_text, names))
    if not known:
        return "; it is empty"
    more = f" and {len(known) - _NAMED_AT_MOST} more" if len(known) > _NAMED_AT_MOST else ""
    return f"; available: {', '.join(known[:_NAMED_AT_MOST])}{more}"


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


def _type(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if is_number(value):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list | tuple) else "an object"


# --- functions ---


def _apply(node: Apply, run: _Evaluation) -> Json:
    if node.name == "default":
        return _default(node, run)
    function = run.scope.functions.get(node.name) or _FUNCTIONS.get(node.name)
    creates = _TEXT_FUNCTIONS.get(node.name)
    if function is None and creates is None:
        raise EvaluationError(f"{node.name}() cannot be used here", node.offset)
    arguments = [_value(argument, run) for argument in node.arguments]
    try:
        if function is not None:
            return function(*arguments)
        assert creates is not None
        text = creates(run, *arguments)
    except _BadArgument as error:
        raise EvaluationError(f"{node.name}(): {error}", node.offset) from None
    run.room -= len(text)
    return text


class _BadArgument(ValueError):
    """Arguments that a function does not accept."""


def _default(node: Apply, run: _Evaluation) -> Json:
    """Only the lookup of the first argument itself may find nothing; an error inside its parts stays an error."""
    wanted, fallback = node.arguments
    try:
        value = _lookup(wanted, run, strict=True) if isinstance(wanted, Lookup) else _inner(wanted, run)
    except _Missing:
        value = None
    return _value(fallback, run) if value is None else value


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
        raise _BadArgument(f"cannot look for {_type(part)} in {_type(text)}")
    return True


_FORMAT_PART: Final = re.compile(r"\{\{|\}\}|\{([0-9]{1,4})\}|[{}]")


def format_problem(text: str, given: int) -> str:
    """Why a format cannot take this number of values; empty if it can."""
    for part in _FORMAT_PART.finditer(text):
        if part[0] in "{}":
            return f"write '{part[0] * 2}' for a plain '{part[0]}'; {{0}} stands for the first value"
        if part[1] and int(part[1]) >= given:
            return f"there is no value for {part[0]}: values are counted from 0, and this call has {given}"
    return ""


def too_long(most: int) -> str:
    """The message for a text that an expression must not create."""
    return f"the text would have more than {most:,} characters"


def _check_room(run: _Evaluation, size: int) -> None:
    if size > run.room:
        raise _BadArgument(too_long(run.scope.max_text))


def _format(run: _Evaluation, text: Json, *values: Json) -> str:
    if not isinstance(text, str):
        raise _BadArgument(f"the format must be text, not {_type(text)}")
    if problem := format_problem(text, len(values)):
        raise _BadArgument(problem)
    texts: dict[str, str] = {}
    size = 0
    for number in (part[1] for part in _FORMAT_PART.finditer(text) if part[1]):
        if number not in texts:
            texts[number] = _text(values[int(number)])
        size += len(texts[number])
    _check_room(run, size + len(text))
    return _FORMAT_PART.sub(lambda part: texts[part[1]] if part[1] else part[0][0], text)


def _join(run: _Evaluation, items: Json, separator: Json = ",") -> str:
    if items is None:
        return ""
    if not isinstance(items, list | tuple) or not isinstance(separator, str):
        raise _BadArgument("takes a list, and the text to write between its items")
    texts = list(map(_text, items))
    _check_room(run, sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _text(value: Json) -> str:
    try:
        return as_text(value)
    except ValueError as error:
        raise _BadArgument(str(error)) from None


def _to_json(run: _Evaluation, value: Json) -> str:
    try:
        text = _json(value)
    except ValueError as error:
        raise _BadArgument(str(error)) from None
    _check_room(run, len(text))
    return text


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
        raise _BadArgument(f"takes text, not {_type(text)}")
    depth = 0
    for part in _JSON_NESTING.finditer(text):
        depth += 1 if part[0] in "[{" else -1 if part[0] in "]}" else 0
        if depth > MAX_JSON_DEPTH:
            raise _BadArgument(f"the JSON is nested more than {MAX_JSON_DEPTH} levels deep")
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _BadArgument(f"the text is not JSON: {error}") from None


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
        raise _BadArgument(f"takes an object, not {_type(value)}")
    return value


def _length(value: Json) -> int:
    if value is None:
        return 0
    if not isinstance(value, str | list | tuple | Mapping):
        raise _BadArgument(f"takes text, a list or an object, not {_type(value)}")
    return len(value)


def _date(time: Json, pattern: Json, zone: Json = "UTC") -> str:
    return _timed(times.format_time, time, pattern, zone)


def _shift(time: Json, by: Json) -> str:
    return _timed(times.shift_time, time, by)


def _timed(function: Callable[..., str], time: Json, *rest: Json) -> str:
    if not isinstance(time, str):
        raise _BadArgument(f"takes a time such as run.scheduled_at, not {_type(time)}")
    for argument in rest:
        if not isinstance(argument, str):
            raise _BadArgument(f"takes text, not {_type(argument)}")
    try:
        return function(time, *rest)
    except ValueError as error:
        raise _BadArgument(str(error)) from None


def argument_problem(name: str, arguments: Sequence[Json]) -> tuple[int, str] | None:
    """The index of an argument that is always wrong, and why. Arguments that are not literals are None."""
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
    "fromJSON": _from_json,
    "keys": _keys,
    "values": _values,
    "length": _length,
    "date": _date,
    "shift": _shift,
}
#: Functions that may create a text much longer than their arguments.
_TEXT_FUNCTIONS: Final[Mapping[str, Callable[..., str]]] = {
    "format": _format,
    "join": _join,
    "toJSON": _to_json,
}
