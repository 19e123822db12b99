"""An expression as the rest of dagrun holds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dagrun.language.expressions.evaluation import Scope, evaluate
from dagrun.language.expressions.parsing import parse_tree
from dagrun.language.expressions.tree import Call, Json, Node, Reference, calls, references


@dataclass(frozen=True)
class Expression:
    """What stands inside `${{ }}`. Offsets count in the text that the expression was read from."""

    text: str
    tree: Node

    def evaluate(self, scope: Scope) -> Json:
        """The value; EvaluationError says why there is none."""
        return evaluate(self.tree, scope)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """What it reads, in the order it is written."""
        return tuple(references(self.tree))

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The functions it asks, in the order they are written."""
        return tuple(calls(self.tree))


def parse(text: str, shift: int = 0) -> Expression:
    """The inside of a `${{ }}`; `shift` is where it begins in what the user wrote."""
    return Expression(text.strip(), parse_tree(text, shift))
