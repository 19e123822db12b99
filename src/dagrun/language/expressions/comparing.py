"""Comparison without conversion: which values can be compared, and the messages for those that cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from dagrun.language.expressions.tree import (
    Apply,
    Compare,
    Constant,
    Json,
    Logic,
    Lookup,
    Not,
    Root,
    TreeNode,
)

#: The types of scalars. Text never equals a number or a boolean, so comparing them is a mistake.
ScalarType = Literal["text", "number", "boolean"]
#: The types of values that are known before the run, by root and name.
ScalarTypes = Mapping[tuple[str, str], ScalarType]

#: The longest value that a message shows. A longer one is not shortened: the masker could not recognise a part of a secret.
SHOWN_AT_MOST: Final = 200
_TEXT_ROOTS: Final = frozenset({"env", "github"})
_SCALARS: Final[Mapping[str, ScalarType]] = {"text": "text", "number": "number", "boolean": "boolean"}
_TASK_FIELDS: Final[Mapping[str, ScalarType]] = {"status": "text", "changed": "boolean"}
_RESULTS: Final[Mapping[str, ScalarType]] = {
    **dict.fromkeys(("contains", "startsWith", "endsWith"), "boolean"),
    **dict.fromkeys(("success", "failure", "always", "cancelled", "changed"), "boolean"),
    **dict.fromkeys(("format", "join", "toJSON", "date", "shift"), "text"),
    "length": "number",
}


def equal(left: Json, right: Json) -> bool:
    """Whether two values are equal. Values of different types are not, and a boolean is not a number."""
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
    """Why two values cannot be compared; empty if they can. Null can be compared with everything."""
    if left is None or right is None:
        return ""
    types = _type(left), _type(right)
    if _differ(*types):
        kind, other = (types[1], right) if types[0] == "text" else (types[0], left)
        advice = _advice(operator, kind, as_written(other))
        return f"'{operator}' does not compare {described(left)} with {described(right)}: {advice}"
    if operator in ("==", "!="):
        return ""
    if types[0] == types[1] and types[0] in ("text", "number"):
        return ""
    return f"'{operator}' does not compare {described(left)} with {described(right)}"


def certain_problem(node: Compare, types: ScalarTypes) -> tuple[str, str] | None:
    """The same before the run, if the types of both sides are certain: the message and the advice."""
    left, right = type_of(node.left, types), type_of(node.right, types)
    if not _differ(left, right):
        return None
    message = f"'{node.operator}' compares a {left} with a {right}, which are never equal"
    text, other = (node.left, node.right) if left == "text" else (node.right, node.left)
    if not isinstance(other, Constant) and isinstance(text, Constant):
        return message, "remove the quotes"
    literal = as_written(other.value) if isinstance(other, Constant) else ""
    return message, _advice(node.operator, right if left == "text" else left, literal)


def _advice(operator: str, kind: str | None, literal: str) -> str:
    """Advice for comparing text with another type of value; `literal` is that value if it is a literal."""
    convert = f"write fromJSON(..) around the text to compare {kind}s"
    if operator not in ("==", "!="):
        return convert
    if kind == "boolean":
        return f"write {_quoted(literal)}" if literal else convert
    return f"put the number in quotes, or {convert}" if literal else convert


def type_of(node: TreeNode, types: ScalarTypes) -> ScalarType | None:
    """The type of the value of a node, if it is certain before the run."""
    match node:
        case Constant():
            return _SCALARS.get(_type(node.value))
        case Not() | Compare():
            return "boolean"
        case Apply():
            return _RESULTS.get(node.name) if node.name != "default" else _common(node.arguments, types)
        case Logic():
            return _common(node.operands, types)
        case Lookup(base=Root(name=root)):
            return _of_lookup(root, node.steps, types)
        case _:
            return None


def _common(nodes: tuple[TreeNode, ...], types: ScalarTypes) -> ScalarType | None:
    """The type that all nodes have, if it is the same."""
    found = {type_of(each, types) for each in nodes}
    return found.pop() if len(found) == 1 else None


def _of_lookup(root: str, steps: tuple[TreeNode, ...], types: ScalarTypes) -> ScalarType | None:
    path = [step.value if isinstance(step, Constant) else None for step in steps]
    if root in _TEXT_ROOTS:
        return "text" if len(path) == 1 else None
    if root in ("tasks", "jobs", "steps"):
        return _TASK_FIELDS.get(str(path[1])) if len(path) == 2 else None
    return types.get((root, str(path[0]))) if len(path) == 1 else None


def _differ(left: str | None, right: str | None) -> bool:
    return left != right and {left, right} in ({"text", "number"}, {"text", "boolean"})


def _type(value: Json) -> str:
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
    """A value for a message: its type, and the value itself if that is short."""
    kind = _type(value)
    if kind == "null":
        return kind
    if kind in ("list", "object"):
        return f"{'an' if kind == 'object' else 'a'} {kind}"
    written = as_written(value)
    if len(written) > SHOWN_AT_MOST:
        return f"a {kind} of {len(written):,} characters"
    return f"the {kind} {_quoted(written) if kind == 'text' else written}"


def shown_text(value: Any) -> str:
    """A key or a text for a message; only the length of one that is too long."""
    text = str(value)
    return text if len(text) <= SHOWN_AT_MOST else f"({len(text):,} characters)"


def as_written(value: Any) -> str:
    """A scalar as a literal of an expression, without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
