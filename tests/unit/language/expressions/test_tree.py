"""The syntax tree: what an expression reads and calls."""

from __future__ import annotations

from dagrun.language.expressions import FunctionCall, Reference, parse
from dagrun.language.expressions.tree import Constant, walk


def test_a_reference_has_the_steps_that_are_known() -> None:
    expression = parse("tasks.a['b'][0] && params[env.NAME].x")
    assert expression.references == (
        Reference("tasks", ("a", "b", 0), 0, (6, 8, 13)),
        Reference("params", (), 19),
        Reference("env", ("NAME",), 26, (30,)),
    )


def test_a_call_has_its_literal_arguments() -> None:
    (call,) = parse("contains(params.list, 'a')").calls
    assert call == FunctionCall("contains", (None, "a"), 0, (9, 22), (False, True))


def test_a_walk_visits_nodes_in_the_order_of_the_text() -> None:
    constants = [node.value for node in walk(parse("1 < 2 || f(3, !4)").tree) if isinstance(node, Constant)]
    assert constants == [1, 2, 3, 4]
