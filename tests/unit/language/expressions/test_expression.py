"""A parsed expression."""

from __future__ import annotations

from dagrun.language.expressions import Scope, parse


def test_an_expression_keeps_its_text_without_blanks_around_it() -> None:
    assert parse("  params.x ").text == "params.x"


def test_offsets_count_in_the_text_around_the_expression() -> None:
    (reference,) = parse(" params.x", shift=10).references
    assert (reference.offset, reference.offsets) == (11, (18,))


def test_an_expression_is_evaluated_as_often_as_needed() -> None:
    expression = parse("params.x == 1")
    assert [expression.evaluate(Scope({"params": {"x": x}})) for x in (1, 2)] == [True, False]
