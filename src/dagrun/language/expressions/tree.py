"""The syntax tree of an expression, and the two errors of the language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from dagrun.value import Value

Json = Any  # data that json.dumps takes


class ExpressionError(ValueError):
    """An expression that is wrong whatever the data is. `offset` counts characters from 0 in the given text."""

    def __init__(self, message: str, offset: int, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        #: What to do about it: "did you mean 'params'?".
        self.suggestion = suggestion


class EvaluationError(ValueError):
    """An expression without a value for the current data: an output is missing, or types cannot be compared."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Constant(Value):
    """A literal value."""

    value: str | int | float | bool | None
    offset: int


class Root(Value):
    """The first name of a lookup: `params`."""

    name: str
    offset: int


class Lookup(Value):
    """Steps into a value, outermost first: `.outputs`, `['x']`, `[0]`."""

    base: TreeNode
    steps: tuple[TreeNode, ...]
    offset: int


class Apply(Value):
    """A function and its arguments."""

    name: str
    arguments: tuple[TreeNode, ...]
    offset: int


class Not(Value):
    """The negation of an operand."""

    operand: TreeNode
    offset: int


Comparison = Literal["==", "!=", "<", "<=", ">", ">="]


class Compare(Value):
    """A comparison; `offset` is that of the operator."""

    operator: Comparison
    left: TreeNode
    right: TreeNode
    offset: int


class Logic(Value):
    """A chain of two or more operands; flat, so that a long chain is not a deep tree."""

    operator: Literal["&&", "||"]
    operands: tuple[TreeNode, ...]
    offset: int


TreeNode = Constant | Root | Lookup | Apply | Not | Compare | Logic


class Reference(Value):
    """A value that an expression reads: a root, and the steps that are known before evaluation."""

    root: str
    path: tuple[str | int, ...]
    offset: int
    #: The offset of each step of `path`.
    offsets: tuple[int, ...] = ()


class FunctionCall(Value):
    """A function call in an expression; an argument that is not a literal is None."""

    name: str
    arguments: tuple[str | int | float | bool | None, ...]
    offset: int
    #: The offset of each argument, and whether it is a literal.
    offsets: tuple[int, ...] = ()
    literal: tuple[bool, ...] = ()


def children(node: TreeNode) -> tuple[TreeNode, ...]:
    """The direct children of a node, in the order of the text."""
    match node:
        case Constant() | Root():
            return ()
        case Lookup():
            return (node.base, *node.steps)
        case Apply():
            return node.arguments
        case Not():
            return (node.operand,)
        case Compare():
            return (node.left, node.right)
        case Logic():
            return node.operands


def walk(node: TreeNode) -> Iterator[TreeNode]:
    """A node and all its descendants, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def references(tree: TreeNode) -> Iterator[Reference]:
    """Every value that is read."""
    stepped: set[int] = set()
    for node in walk(tree):
        if isinstance(node, Lookup) and isinstance(node.base, Root):
            stepped.add(id(node.base))
            known = _known_steps(node)
            path = tuple(value for value, _ in known)
            yield Reference(node.base.name, path, node.base.offset, tuple(at for _, at in known))
        elif isinstance(node, Root) and id(node) not in stepped:
            yield Reference(node.name, (), node.offset)


def _known_steps(lookup: Lookup) -> list[tuple[str | int, int]]:
    known: list[tuple[str | int, int]] = []
    for step in lookup.steps:
        if not isinstance(step, Constant) or isinstance(step.value, bool | float | None):
            break
        known.append((step.value, step.offset))
    return known


def calls(tree: TreeNode) -> Iterator[FunctionCall]:
    """Every function call."""
    for node in walk(tree):
        if isinstance(node, Apply):
            yield FunctionCall(
                node.name,
                tuple(each.value if isinstance(each, Constant) else None for each in node.arguments),
                node.offset,
                tuple(each.offset for each in node.arguments),
                tuple(isinstance(each, Constant) for each in node.arguments),
            )
