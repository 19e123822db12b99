"""What a parsed expression is made of, and the two errors that the language knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Json = Any  # data that json.dumps takes


class ExpressionError(ValueError):
    """An expression that cannot be right. `offset` counts characters from 0 in the text that was given."""

    def __init__(self, message: str, offset: int, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        #: What to do about it: "did you mean 'params'?".
        self.suggestion = suggestion


class EvaluationError(ValueError):
    """An expression that has no value here and now: an output that is missing, types that do not compare."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is written out."""

    value: str | int | float | bool | None
    offset: int


@dataclass(frozen=True, slots=True)
class Root:
    """A name that stands first: `params`."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """Steps into a value, outermost first: `.outputs`, `['x']`, `[0]`."""

    base: Node
    steps: tuple[Node, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A function and its arguments."""

    name: str
    arguments: tuple[Node, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of an operand's truth."""

    operand: Node
    offset: int


Comparison = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """Two operands; `offset` is the operator's."""

    operator: Comparison
    left: Node
    right: Node
    offset: int


@dataclass(frozen=True, slots=True)
class Logic:
    """Two or more operands of one level; flat, so that a long chain is not a deep tree."""

    operator: Literal["&&", "||"]
    operands: tuple[Node, ...]
    offset: int


Node = Constant | Root | Lookup | Apply | Not | Compare | Logic


@dataclass(frozen=True, slots=True)
class Reference:
    """What an expression reads: a root and the steps that are known before it is evaluated."""

    root: str
    path: tuple[str | int, ...]
    offset: int
    #: Where each step of `path` stands.
    offsets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function that an expression asks; an argument that is not written out is None."""

    name: str
    arguments: tuple[str | int | float | bool | None, ...]
    offset: int
    #: Where each argument stands, and whether it is written out.
    offsets: tuple[int, ...] = ()
    literal: tuple[bool, ...] = ()


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below one, in the order they are written."""
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


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, in the order they are written."""
    yield node
    for child in children(node):
        yield from walk(child)


def references(tree: Node) -> Iterator[Reference]:
    """Every root that is read, with its known steps."""
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


def calls(tree: Node) -> Iterator[Call]:
    """Every function that is asked, with the arguments that are written out."""
    for node in walk(tree):
        if isinstance(node, Apply):
            yield Call(
                node.name,
                tuple(each.value if isinstance(each, Constant) else None for each in node.arguments),
                node.offset,
                tuple(each.offset for each in node.arguments),
                tuple(isinstance(each, Constant) for each in node.arguments),
            )
