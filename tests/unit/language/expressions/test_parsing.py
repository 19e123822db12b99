"""From text to a syntax tree, and the errors on the way."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.language.expressions import ExpressionError, condition, parse, template
from tests.unit.language.expressions.helpers import value


def error_of(text: str) -> tuple[int, str, str]:
    """Offset, message and advice of the mistake in an expression."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    return caught.value.offset, caught.value.message, caught.value.suggestion


@pytest.mark.parametrize(
    ("text", "offset", "part"),
    [
        ("", 0, "empty"), ("a b", 2, "unexpected 'b'"), ("a ==", 3, "ends where a value"), ("(a", 0, "never closed"),
        ("a[1", 1, "never closed"), ("f(a", 1, "never closed"), ("a = b", 2, "unexpected '='"), ("'abc", 0, "unexpected '"),
        ("a < b < c", 6, "not chained"), ("a == not b", 5, "'not' is not allowed here"), ("1 + 2", 2, "unexpected '+'"),
        ("success(1)", 0, "takes no arguments"), ("changed()", 0, "takes 1 argument"), ("join()", 0, "takes 1 or 2"),
        (r'"\x"', 1, "not a known escape"), ("1a", 0, "neither a number nor a name"), ("1e999", 0, "too large"),
        ("9" * 50, 0, "40 digits"), ("$a", 0, "unexpected '$'"), ("a.", 1, "unexpected '.'"), ("é", 0, "unexpected 'é'"),
    ],
)  # fmt: skip
def test_an_error_has_the_offset_of_its_cause(text: str, offset: int, part: str) -> None:
    at, message, _ = error_of(text)
    assert at == offset
    assert part in message


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("{{ github.ref }}", "write ${{ .. }} around the expression, or nothing"),
        ("a AND b", "write '&&' or 'and'"),
        ("a is 'b'", "'==' compares"),
        ("'a' in b", "write contains(list, value)"),
        ("'a' if b else c", "write a && b || c"),
        ("a ? b : c", "write a && b || c"),
        ("params.get('a')", "only functions are called with parentheses, by their names: contains(a, 'x')"),
        ("a == ‘b’", "write text in straight quotes: '..'"),
        ("only on main", "add an operator before it, or quotes around text"),
    ],
)
def test_an_error_suggests_what_to_write(text: str, help: str) -> None:
    assert error_of(text)[2] == help


@pytest.mark.parametrize(
    "part", ["(", "[", "!", "not ", "a[", "f(", "'", "a && ", "a.", "${{", "-", "1 < ", "''"]
)
def test_a_million_characters_are_refused_at_once(part: str) -> None:
    began = time.process_time()
    error_of(part * 1_000_000)
    error_of(part * (7_900 // len(part)) + "]")
    with pytest.raises(ExpressionError):
        template("${{" + part * 1_000_000)
    assert time.process_time() - began < 2


def test_a_long_chain_is_not_a_deep_tree() -> None:
    assert value(" && ".join(["1"] * 1_500)) == 1
    assert error_of("(" * 51 + "1" + ")" * 51)[1] == "the expression is nested more than 50 levels deep"
    assert value("(" * 49 + "1" + ")" * 49) == 1


@given(st.one_of(st.text(), st.text(st.sampled_from("ab01.-'\"\\[](),!=<>&| ntorf{}$"), max_size=40)))
def test_any_text_is_parsed_or_refused_with_an_offset_inside_it(text: str) -> None:
    for read in (parse, template, condition):
        offset = 0
        try:
            read(text)
        except ExpressionError as error:
            offset = error.offset
        assert 0 <= offset <= len(text)


chains = st.lists(st.booleans(), min_size=2, max_size=8).flatmap(
    lambda values: st.tuples(st.just(values), st.lists(st.sampled_from(["and", "or"]), min_size=len(values) - 1, max_size=len(values) - 1))
)  # fmt: skip


@given(chains)
def test_and_binds_tighter_than_or_in_any_chain(chain: tuple[list[bool], list[str]]) -> None:
    values, operators = chain
    groups = [[values[0]]]
    for operator, each in zip(operators, values[1:], strict=True):
        if operator == "and":
            groups[-1].append(each)
        else:
            groups.append([each])
    words = [json.dumps(values[0])]
    for operator, each in zip(operators, values[1:], strict=True):
        words += [operator, json.dumps(each)]
    assert value(" ".join(words)) is any(all(group) for group in groups)
