"""Comparison without conversion: what may be compared, what it comes to, and what is told of the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from dagrun.language.expressions.tree import Apply, Compare, Constant, Json, Logic, Lookup, Node, Not, Root

#: The kinds of scalars. Text is never equal to one of the others, so comparing them is a mistake.
Kind = Literal["text", "number", "boolean"]
#: The kinds of what is known before the run: by root and name.
Kinds = Mapping[tuple[str, str], Kind]

#: Values up to this length are shown in a message. A longer one is not cut, for a cut could hide a secret from the masker.
_SHOWN_AT_MOST: Final = 200
_TEXT_ROOTS: Final = frozenset({"env", "github"})
_SCALARS: Final[Mapping[str, Kind]] = {"text": "text", "number": "number", "boolean": "boolean"}
_TASK_FIELDS: Final[Mapping[str, Kind]] = {"status": "text", "changed": "boolean"}
_RESULTS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("contains", "startsWith", "endsWith"), "boolean"),
    **dict.fromkeys(("success", "failure", "always", "cancelled", "changed"), "boolean"),
    **dict.fromkeys(("format", "join", "toJSON", "date", "shift"), "text"),
    "length": "number",
}


def equal(left: Json, right: Json) -> bool:
    """Whether two values are the same; unlike types never are, and a boolean is no number."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def is_number(value: Json) -> bool:
    """Whether a value is a number; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def problem(operator: str, left: Json, right: Json) -> str:
    """Why two values cannot be compared; empty if they can. Everything can be compared with null."""
    if left is None or right is None:
        return ""
    kinds = _kind(left), _kind(right)
    if _clash(*kinds):
        kind, other = (kinds[1], right) if kinds[0] == "text" else (kinds[0], left)
        advice = _advice(operator, kind, as_written(other))
        return f"'{operator}' does not compare {described(left)} with {described(right)}: {advice}"
    if operator in ("==", "!="):
        return ""
    if kinds[0] == kinds[1] and kinds[0] in ("text", "number"):
        return ""
    return f"'{operator}' does not compare {described(left)} with {described(right)}"


def certain_problem(node: Compare, kinds: Kinds) -> tuple[str, str] | None:
    """The same before the run, where the kinds of both sides are certain: the message, and what to do."""
    left, right = kind_of(node.left, kinds), kind_of(node.right, kinds)
    if not _clash(left, right):
        return None
    message = f"'{node.operator}' compares a {left} with a {right}, which are never alike"
    text, other = (node.left, node.right) if left == "text" else (node.right, node.left)
    if not isinstance(other, Constant) and isinstance(text, Constant):
        return message, "leave the quotes out"
    literal = as_written(other.value) if isinstance(other, Constant) else ""
    return message, _advice(node.operator, right if left == "text" else left, literal)


def _advice(operator: str, kind: str | None, literal: str) -> str:
    """How to compare text with another kind of value, which may be written out."""
    convert = f"write fromJSON(..) around the text to compare {kind}s"
    if operator not in ("==", "!="):
        return convert
    if kind == "boolean":
        return f"write {_quoted(literal)}" if literal else convert
    return f"put the number in quotes, or {convert}" if literal else convert


def kind_of(node: Node, kinds: Kinds) -> Kind | None:
    """The kind of a node's value, where it is certain before the run."""
    match node:
        case Constant():
            return _SCALARS.get(_kind(node.value))
        case Not() | Compare():
            return "boolean"
        case Apply():
            return _RESULTS.get(node.name) if node.name != "default" else _common(node.arguments, kinds)
        case Logic():
            return _common(node.operands, kinds)
        case Lookup(base=Root(name=root)):
            return _of_lookup(root, node.steps, kinds)
        case _:
            return None


def _common(nodes: tuple[Node, ...], kinds: Kinds) -> Kind | None:
    """The kind that all nodes have."""
    found = {kind_of(each, kinds) for each in nodes}
    return found.pop() if len(found) == 1 else None


def _of_lookup(root: str, steps: tuple[Node, ...], kinds: Kinds) -> Kind | None:
    path = [step.value if isinstance(step, Constant) else None for step in steps]
    if root in _TEXT_ROOTS:
        return "text" if len(path) == 1 else None
    if root in ("tasks", "jobs", "steps"):
        return _TASK_FIELDS.get(str(path[1])) if len(path) == 2 else None
    return kinds.get((root, str(path[0]))) if len(path) == 1 else None


def _clash(left: str | None, right: str | None) -> bool:
    return left != right and {left, right} in ({"text", "number"}, {"text", "boolean"})


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if is_number(value):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list | tuple) else "object"


def described(value: Json) -> str:
    """A value for a sentence: its kind, and the value itself where that is short."""
    kind = _kind(value)
    if kind == "null":
        return kind
    if kind in ("list", "object"):
        return f"{'an' if kind == 'object' else 'a'} {kind}"
    written = as_written(value)
    if len(written) > _SHOWN_AT_MOST:
        return f"a {kind} of {len(written):,} characters"
    return f"the {kind} {_quoted(written) if kind == 'text' else written}"


def as_written(value: Any) -> str:
    """A scalar as an expression would write it, without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
