"""Comparison of values, and their descriptions in messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.language.expressions import equal
from dagrun.language.expressions.comparing import described, problem
from tests.unit.language.expressions.helpers import SCOPE, failed, value

Tree = tuple[str, Any]  # its text, fully in parentheses, and what it is worth


leaves: st.SearchStrategy[Tree] = st.one_of(
    st.integers(-99, 99).map(lambda n: (str(n), n)),
    st.booleans().map(lambda b: (json.dumps(b), b)),
    st.just(("null", None)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5).map(
        lambda t: ("'" + t.replace("'", "''") + "'", t)
    ),
    st.sampled_from(["region", "n", "on", "none"]).map(
        lambda name: (f"params.{name}", SCOPE.roots["params"][name])
    ),
)


def comparable(left: Any, right: Any) -> bool:
    """Whether two scalars can be compared: a text with a text alone, and anything with null."""
    return left is None or right is None or isinstance(left, str) == isinstance(right, str)


@given(leaves, leaves, st.sampled_from(["==", "!="]))
def test_text_is_compared_only_with_text_and_null(left: Tree, right: Tree, operator: str) -> None:
    text = f"{left[0]} {operator} {right[0]}"
    if comparable(left[1], right[1]):
        same = json.dumps(left[1]) == json.dumps(right[1])
        assert value(text) is (same if operator == "==" else not same)
    else:
        _, message = failed(text)
        assert "does not compare" in message


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1.0, True),
        (1, True, False),
        ([1], [True], False),
        ([1, {"a": 2}], (1, {"a": 2.0}), True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (None, None, True),
        ("1", 1, False),
    ],
)
def test_values_of_different_types_are_not_equal(left: Any, right: Any, expected: bool) -> None:
    assert equal(left, right) is expected


def test_null_can_be_compared_with_everything() -> None:
    assert problem("<", None, "a") == problem("==", 1, None) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("it's", "the text 'it''s'"),
        (3, "the number 3"),
        (True, "the boolean true"),
        (None, "null"),
        ([1], "a list"),
        ({}, "an object"),
        ("x" * 201, "a text of 201 characters"),
    ],
)
def test_a_message_shows_a_value_only_if_it_is_short(value: Any, expected: str) -> None:
    assert described(value) == expected
