"""Text with placeholders, and conditions."""

from __future__ import annotations

import pytest

from dagrun.language.expressions import (
    EvaluationError,
    ExpressionError,
    Scope,
    condition,
    references,
    render_all,
    template,
)
from dagrun.language.expressions.templates import MAX_PLACEHOLDERS
from tests.unit.language.expressions.helpers import SCOPE


def test_a_whole_template_keeps_its_type_and_others_are_text() -> None:
    assert template("${{ params.list }}").render(SCOPE) == ["a", "b"]
    whole = template("${{ params.n }}")
    assert whole.is_whole
    assert whole.render(SCOPE) == 3
    text = "n=${{ params.n }} ${{ params.on }} [${{ params.none }}] ${{ params.list }}"
    assert template(text).render(SCOPE) == 'n=3 true [] ["a","b"]'


def test_braces_in_a_text_do_not_close_and_two_dollars_do_not_open() -> None:
    assert template('${{ \'}}\' }}${{ "\\"}}" }} $${{ x }}').render(SCOPE) == '}}"}} ${{ x }}'
    assert template("").render(SCOPE) == ""


def test_offsets_count_in_the_whole_text() -> None:
    placeholder = template("ab ${{ params.n }} c").placeholders[0]
    assert (placeholder.start, placeholder.end, placeholder.expression.references[0].offset) == (3, 18, 7)
    for text, offset in (
        ("ab ${{ a b }}", 9),
        ("ab ${{ a", 3),
        ("ab ${{ 'a }}", 7),
        ("ab ${{ }}", 6),
        ("${{ a ${{ b }}", 6),
    ):
        with pytest.raises(ExpressionError) as caught:
            template(text)
        assert caught.value.offset == offset, text


@pytest.mark.parametrize("text", ["params.on", " params.on\n", "${{ params.on }}", "  ${{ params.on }} \n"])
def test_a_condition_with_or_without_its_wrapper(text: str) -> None:
    parsed = condition(text)
    assert parsed.evaluate(SCOPE) is True
    assert text[parsed.references[0].offset :].startswith("params.on")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "yes please",
        "${{ a }} && ${{ b }}",
        "${{ a }} == 'x'",
        "!${{ a }}",
        "$${{ a }}",
        "${{ }}",
        "${{ a",
    ],
)
def test_any_other_condition_is_an_error_and_never_true(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        condition(text)
    assert 0 <= caught.value.offset <= len(text)


def test_every_text_inside_a_value_is_rendered() -> None:
    value = {"a": ["${{ x }}", "plain", 1], "b": None}
    assert render_all(value, lambda text: len(text)) == {"a": [8, "plain", 1], "b": None}


def test_a_template_cannot_create_a_text_without_limit() -> None:
    scope = Scope({"params": {"x": "x" * 60}}, max_text=100)
    assert len(template("${{ params.x }}").render(scope)) == 60
    with pytest.raises(EvaluationError, match="more than 100 characters"):
        template("${{ params.x }} ${{ params.x }}").render(scope)


def test_all_texts_of_a_value_share_one_limit() -> None:
    with pytest.raises(EvaluationError, match="more than 100 characters"):
        render_all(["${{ x }}"] * 3, lambda _: "x" * 40, max_text=100)


@pytest.mark.slow
def test_the_number_of_placeholders_in_a_text_is_limited() -> None:
    with pytest.raises(ExpressionError, match="a text has at most 100,000") as caught:
        template("${{a}}" * (MAX_PLACEHOLDERS + 1))
    assert caught.value.offset == 6 * MAX_PLACEHOLDERS


def test_a_text_that_cannot_be_parsed_reads_nothing() -> None:
    assert [each.path for each in references("${{ env.A }} ${{ env.B }}")] == [("A",), ("B",)]
    assert references("${{ env.A }} ${{ env") == ()
