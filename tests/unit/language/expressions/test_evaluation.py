"""From an expression to its value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.language.expressions import EvaluationError, Scope, holds, parse, template, truth
from tests.unit.language.expressions.helpers import failed, value
from tests.unit.language.expressions.test_comparing import Tree, comparable, leaves


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'it''s'", "it's"), (r'"a\"\\\n\t"', 'a"\\\n\t'), ("-1", -1), ("1.5", 1.5), ("1e3", 1000.0), ("null", None),
        ("params.region", "eu"), ("params['region']", "eu"), ("params.a-b", 1), ("params.list[1]", "b"),
        ("tasks.test-unit.status == 'success'", True), ("params . region", "eu"), ("params.none.x.y", None),
        ("params[params.none || 'n']", 3), ("env.MISSING", ""), ("env.HOME", "/root"),
        # Values that are alike only in other languages.
        ("1 == 1.0", True), ("1 == true", False), ("null == false", False), ("'a' == 'A'", False),
        ("params.list == fromJSON('[\"a\",\"b\"]')", True), ("fromJSON('[1]') == fromJSON('[true]')", False),
        # How tightly operators bind.
        ("true || false && false", True), ("not true == false", True), ("!true == false", True), ("not 1 == 2", True),
        ("!1 == 2", False), ("not false and false", False), ("1 < 2 and 'a' < 'b'", True), ("!!params.n", True),
        ("true or x.y", True), ("false && x.y", False),
        # The operand that decided.
        ("params.none || 'x'", "x"), ("params.n && 'x'", "x"), ("'' || 0 || null", None),
        # Functions.
        ("success() && !failure()", True), ("changed('test-unit')", True), ("contains('abc', 'b')", True),
        ("contains(params.list, 'a')", True), ("contains(params.map, 'k')", True), ("contains(null, 'a')", False),
        ("startsWith('abc', 'ab') && endsWith('abc', 'bc')", True), ("format('{0}-{1}-{{}}', 1, true)", "1-true-{}"),
        ("join(params.list)", "a,b"), ("join(params.list, ' ')", "a b"), ("toJSON(params.map)", '{"k":1}'),
        ("fromJSON(tasks.test-unit.outputs.text).a[0]", 1), ("default(params.x, 1)", 1), ("default(params.none, 1)", 1),
        ("default(params.n, 1)", 3), ("default(params.x.y, 1)", 1), ("default(env.X, 1)", 1), ("default(params.list[9], 1)", 1),
        ("keys(params.map)", ["k"]), ("values(params.map)", [1]), ("keys(null)", []), ("values(null)", []),
        ("length(params.list)", 2), ("length('abc')", 3), ("length(params.map)", 1), ("length(null)", 0),
        ("date('2026-03-29T00:30:00.000Z', '%Y-%m-%d %H:%M', 'Europe/Berlin')", "2026-03-29 01:30"),
        ("date('2026-03-29T01:30:00Z', '%H:%M%%', 'Europe/Berlin')", "03:30%"),
        ("date('2026-01-31T23:00:00+02:00', '%d.%m.%y %H')", "31.01.26 21"),
        ("date('2026-01-31', '%d.%m.%Y', 'America/New_York')", "31.01.2026"), ("date('0099-01-01', '%Y')", "0099"),
        ("shift('2026-03-01T00:00:00.000Z', '-1d')", "2026-02-28T00:00:00.000Z"), ("shift('2026-03-01', '-1d')", "2026-02-28"),
        ("shift('2026-03-01T12:00:00+02:00', '1h30m')", "2026-03-01T11:30:00.000Z"), ("shift('2024-02-22', '+1w')", "2024-02-29"),
        # Anything may be compared with null; other unlike values are not the same.
        ("null == 'a'", False), ("null != 1", True), ("null < 1", False), ("null >= null", False), ("'a' > null", False),
        ("params.list == 'a'", False), ("params.map == 1", False), ("contains(params.list, 1)", False),
    ],
)  # fmt: skip
def test_an_expression_has_this_value(text: str, expected: Any) -> None:
    assert (value(text), type(value(text))) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("params.x", 7, "params has no 'x'; available: a-b, list, map, n, none, on, region"),
        (
            "1 < 'a'",
            2,
            "'<' does not compare the number 1 with the text 'a': write fromJSON(..) around the text to compare numbers",
        ),
        (
            "params.n == '3'",
            9,
            "'==' does not compare the number 3 with the text '3': put the number in quotes, or write fromJSON(..) around the text to compare numbers",
        ),
        (
            "params.region != true",
            14,
            "'!=' does not compare the text 'eu' with the boolean true: write 'true'",
        ),
        ("true >= false", 5, "'>=' does not compare the boolean true with the boolean false"),
        ("params.list < 1", 12, "'<' does not compare a list with the number 1"),
        (
            "date('2026-01-31', '%Q')",
            0,
            "date(): '%Q' is not supported; write for example %Y-%m-%d %H:%M:%S, and %% for a percent sign",
        ),
        ("date('x', '%Y')", 0, "date(): 'x' is not a time; write for example 2026-01-31T09:00:00Z, or a day"),
        (
            "date('2026-01-31T09:00', '%Y')",
            0,
            "date(): '2026-01-31T09:00' has no time zone; write 2026-01-31T09:00Z, or an offset such as +02:00",
        ),
        ("date(params.n, '%Y')", 0, "date(): takes a time such as run.scheduled_at, not a number"),
        ("date('2026-01-31', params.n)", 0, "date(): takes text, not a number"),
        (
            "date('2026-01-31', '%Y', '../x')",
            0,
            "date(): unknown time zone '../x'; write for example 'Europe/Berlin'",
        ),
        (
            "shift('2026-01-31', '2h')",
            0,
            "shift(): '2026-01-31' is a day: shift it by whole days, such as '-1d'",
        ),
        (
            "shift('2026-01-31', 'soon')",
            0,
            "shift(): 'soon' is not a time difference; write for example '-1d', '2w', '12h' or '1h30m'",
        ),
        (
            "shift('9999-12-31', '1d')",
            0,
            "shift(): '9999-12-31' shifted by '1d' is outside the years 1 to 9999",
        ),
        ("keys(params.list)", 0, "keys(): takes an object, not a list"),
        ("length(params.n)", 0, "length(): takes text, a list or an object, not a number"),
        ("params.region.x", 14, "params.region is text: it has no 'x'"),
        ("params.list['a']", 12, "params.list is a list: its index is a number, not 'a'"),
        ("params.list[2]", 12, "params.list has no [2]; it has 2 items, counted from 0"),
        ("params.list[true]", 12, "params.list cannot be indexed by a boolean"),
        ("fromJSON('NaN')", 0, "fromJSON(): the text is not JSON: NaN is not JSON"),
        (
            "format('{1}', 1)",
            0,
            "format(): there is no value for {1}: values are counted from 0, and this call has 1",
        ),
        ("cancelled()", 0, "cancelled() cannot be used here"),
        (
            "default(params[params.x], 1)",
            22,
            "params has no 'x'; available: a-b, list, map, n, none, on, region",
        ),
    ],
)
def test_an_evaluation_error_says_what_is_missing_or_wrong(text: str, offset: int, message: str) -> None:
    assert failed(text) == (offset, message)


@pytest.mark.parametrize(
    "text", ["[" * 200, "[" * 100_000 + "]" * 100_000, "1e999", '{"a":', "Infinity", "9" * 5000]
)
def test_fromjson_refuses_invalid_or_huge_numbers_and_deep_nesting(text: str) -> None:
    with pytest.raises(EvaluationError):
        parse("fromJSON(params.t)").evaluate(Scope({"params": {"t": text}}))


@pytest.mark.parametrize(
    "text", ["params.__class__", "params.region.upper", "params.list.append", "params.map.items"]
)
def test_no_attribute_is_ever_reached(text: str) -> None:
    failed(text)


def test_deeply_nested_values_are_an_error_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    scope = Scope({"a": deep, "b": [deep]})
    for text in ("a == b", "toJSON(a)", "contains(b, a) && a == b"):
        with pytest.raises(EvaluationError):
            parse(text).evaluate(scope)


def test_empty_values_and_zero_are_false() -> None:
    assert not any(map(truth, (False, None, 0, 0.0, "", [], {})))
    assert all(map(truth, (True, 1, -1, "false", "0", [0], {"a": None})))


@pytest.mark.parametrize("value", ["", "false", False, None, 0, [], {}])
def test_an_empty_value_or_the_text_false_does_not_let_a_task_run(value: Any) -> None:
    assert not holds(value)


@pytest.mark.parametrize("value", ["no", "False", "0", True, 1, ["false"]])
def test_any_other_value_lets_a_task_run(value: Any) -> None:
    assert holds(value)


def combined(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return st.one_of(
        st.tuples(st.sampled_from(["!", "not "]), inner).map(lambda t: (f"({t[0]}{t[1][0]})", not t[1][1])),
        st.tuples(inner, st.sampled_from(["&&", "and"]), inner).map(
            lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", t[0][1] and t[2][1])
        ),
        st.tuples(inner, st.sampled_from(["||", "or"]), inner).map(
            lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", t[0][1] or t[2][1])
        ),
        st.tuples(inner, inner)
        .filter(lambda t: comparable(t[0][1], t[1][1]))
        .map(lambda t: (f"({t[0][0]}=={t[1][0]})", json.dumps(t[0][1]) == json.dumps(t[1][1]))),
        inner.map(lambda t: (f"fromJSON(toJSON({t[0]}))", t[1])),
        st.tuples(inner, inner).map(
            lambda t: (f"default({t[0][0]}, {t[1][0]})", t[1][1] if t[0][1] is None else t[0][1])
        ),
    )


@given(st.recursive(leaves, combined, max_leaves=12))
def test_values_agree_with_a_model_of_the_language(tree: Tree) -> None:
    text, expected = tree
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))
    assert template(f"x${{{{{text}}}}}").placeholders[0].expression.tree is not None


def limited(text: str, /, **params: Any) -> Any:
    """The value where no text may have more than 100 characters."""
    return parse(text).evaluate(Scope({"params": params}, max_text=100))


@pytest.mark.parametrize(
    "text",
    [
        "format('{0}{0}{0}', params.text)",
        "format('{0}', format('{0}{0}', format('{0}', params.text)))",
        "join(params.list, params.text)",
        "join(params.list)",
        "toJSON(toJSON(toJSON(params.quotes)))",
    ],
)
def test_an_expression_cannot_create_a_text_without_limit(text: str) -> None:
    with pytest.raises(EvaluationError, match="the text would have more than 100 characters"):
        limited(text, text="x" * 40, list=["x" * 30] * 4, quotes='"' * 10)


def test_nested_functions_cannot_double_a_text_without_limit() -> None:
    doubled = "params.text"
    for _ in range(45):
        doubled = f"format('{{0}}{{0}}', {doubled})"
    with pytest.raises(EvaluationError, match="more than 100 characters"):
        limited(doubled, text="x")


def test_the_limit_does_not_apply_to_a_value_that_is_passed_on() -> None:
    assert limited("params.text", text="x" * 1_000) == "x" * 1_000
    assert len(limited("format('{0}', params.text)", text="x" * 97)) == 97


def test_a_message_does_not_repeat_a_long_key() -> None:
    with pytest.raises(EvaluationError) as caught:
        limited("params[params.key]", key="x" * 1_000)
    assert str(caught.value) == "params has no '(1,000 characters)'; available: key"
