"""A parsed expression, as the rest of dagrun uses it."""

from __future__ import annotations

from functools import cached_property

from dagrun.language.expressions.evaluation import Scope, evaluate
from dagrun.language.expressions.parsing import parse_tree
from dagrun.language.expressions.tree import FunctionCall, Json, Reference, TreeNode, calls, references
from dagrun.value import Value


class Expression(Value, dict=True):
    """The content of one `${{ }}`. Offsets count in the text from which the expression was read."""

    text: str
    tree: TreeNode

    def evaluate(self, scope: Scope) -> Json:
        """The value. Raises EvaluationError if there is none."""
        return evaluate(self.tree, scope)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """The values that it reads, in the order of the text."""
        return tuple(references(self.tree))

    @cached_property
    def calls(self) -> tuple[FunctionCall, ...]:
        """Its function calls, in the order of the text."""
        return tuple(calls(self.tree))


def parse(text: str, shift: int = 0) -> Expression:
    """Parse the content of a `${{ }}`. `shift` is its offset in the text of the user. Raises ExpressionError."""
    return Expression(text.strip(), parse_tree(text, shift))
