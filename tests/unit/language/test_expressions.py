"""The `${{ }}` language: what it means, and how its mistakes are told."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.language.expressions import (
    EvaluationError,
    ExpressionError,
    Known,
    Scope,
    condition,
    holds,
    parse,
    problems,
    template,
    truth,
)

SCOPE = Scope(
    {
        "params": {
            "region": "eu",
            "n": 3,
            "on": True,
            "none": None,
            "list": ["a", "b"],
            "a-b": 1,
            "map": {"k": 1},
        },
        "tasks": {"test-unit": {"status": "success", "outputs": {"files": [1, 2], "text": '{"a": [1]}'}}},
        "env": {"HOME": "/root"},
    },
    {"success": lambda: True, "failure": lambda: False, "changed": lambda task: task == "test-unit"},
)


def value(text: str) -> Any:
    return parse(text).evaluate(SCOPE)


def told(text: str) -> tuple[int, str, str]:
    """Offset, message and advice of the mistake in an expression."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    return caught.value.offset, caught.value.message, caught.value.suggestion


def failed(text: str) -> tuple[int, str]:
    with pytest.raises(EvaluationError) as caught:
        value(text)
    return caught.value.offset, caught.value.message


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
def test_what_an_expression_gives(text: str, expected: Any) -> None:
    assert (value(text), type(value(text))) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "offset", "part"),
    [
        ("", 0, "empty"), ("a b", 2, "unexpected 'b'"), ("a ==", 3, "ends where a value"), ("(a", 0, "never closed"),
        ("a[1", 1, "never closed"), ("f(a", 1, "never closed"), ("a = b", 2, "unexpected '='"), ("'abc", 0, "unexpected '"),
        ("a < b < c", 6, "not chained"), ("a == not b", 5, "'not' cannot stand here"), ("1 + 2", 2, "unexpected '+'"),
        ("success(1)", 0, "takes no arguments"), ("changed()", 0, "takes 1 argument"), ("join()", 0, "takes 1 or 2"),
        (r'"\x"', 1, "not an escape"), ("1a", 0, "neither a number nor a name"), ("1e999", 0, "too large"),
        ("9" * 50, 0, "40 digits"), ("$a", 0, "unexpected '$'"), ("a.", 1, "unexpected '.'"), ("é", 0, "unexpected 'é'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(text: str, offset: int, part: str) -> None:
    at, message, _ = told(text)
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
        ("params.get('a')", "only functions are asked with parentheses, each by its name: contains(a, 'x')"),
        ("a == ‘b’", "a text is written in straight quotes: '..'"),
        ("only on main", "an operator is missing before it, or the quotes around a text"),
    ],
)
def test_what_is_no_expression_is_told_with_what_would_be(text: str, help: str) -> None:
    assert told(text)[2] == help


@pytest.mark.parametrize(
    "part", ["(", "[", "!", "not ", "a[", "f(", "'", "a && ", "a.", "${{", "-", "1 < ", "''"]
)
def test_a_million_characters_are_refused_at_once(part: str) -> None:
    began = time.process_time()
    told(part * 1_000_000)
    told(part * (7_900 // len(part)) + "]")
    with pytest.raises(ExpressionError):
        template("${{" + part * 1_000_000)
    assert time.process_time() - began < 2


def test_a_long_chain_is_no_deep_tree() -> None:
    assert value(" && ".join(["1"] * 1_500)) == 1
    assert told("(" * 51 + "1" + ")" * 51)[1] == "the expression is nested deeper than 50 levels"
    assert value("(" * 49 + "1" + ")" * 49) == 1


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("params.x", 7, "params has no 'x'; there is a-b, list, map, n, none, on, region"),
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
            "date(): '%Q' is not a part of a time; write %Y-%m-%d %H:%M:%S, and %% for a percent sign",
        ),
        ("date('x', '%Y')", 0, "date(): 'x' is not a time; write one such as 2026-01-31T09:00:00Z, or a day"),
        (
            "date('2026-01-31T09:00', '%Y')",
            0,
            "date(): '2026-01-31T09:00' does not say in which zone; write 2026-01-31T09:00Z, or an offset such as +02:00",
        ),
        ("date(params.n, '%Y')", 0, "date(): takes a time such as run.scheduled_at, not a number"),
        ("date('2026-01-31', params.n)", 0, "date(): takes texts, not a number"),
        (
            "date('2026-01-31', '%Y', '../x')",
            0,
            "date(): unknown time zone '../x'; write one such as 'Europe/Berlin'",
        ),
        (
            "shift('2026-01-31', '2h')",
            0,
            "shift(): '2026-01-31' is a day: shift it by whole days, such as '-1d'",
        ),
        (
            "shift('2026-01-31', 'soon')",
            0,
            "shift(): 'soon' is not a shift; write '-1d', '2w', '12h' or '1h30m'",
        ),
        (
            "shift('9999-12-31', '1d')",
            0,
            "shift(): '9999-12-31' shifted by '1d' lies outside the years 1 to 9999",
        ),
        ("keys(params.list)", 0, "keys(): takes an object, not a list"),
        ("length(params.n)", 0, "length(): takes a text, a list or an object, not a number"),
        ("params.region.x", 14, "params.region is a text: it has no 'x'"),
        ("params.list['a']", 12, "params.list is a list: it is indexed by a number, not by 'a'"),
        ("params.list[2]", 12, "params.list has no [2]; it has 2 items, counted from 0"),
        ("params.list[true]", 12, "params.list cannot be indexed by a boolean"),
        ("fromJSON('NaN')", 0, "fromJSON(): the text is not JSON: NaN is not JSON"),
        ("format('{1}', 1)", 0, "format(): {1} has no value: 1 given, counted from 0"),
        ("cancelled()", 0, "cancelled() cannot be asked here"),
        (
            "default(params[params.x], 1)",
            22,
            "params has no 'x'; there is a-b, list, map, n, none, on, region",
        ),
    ],
)
def test_a_value_that_is_not_there(text: str, offset: int, message: str) -> None:
    assert failed(text) == (offset, message)


@pytest.mark.parametrize(
    "text", ["[" * 200, "[" * 100_000 + "]" * 100_000, "1e999", '{"a":', "Infinity", "9" * 5000]
)
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError):
        parse("fromJSON(params.t)").evaluate(Scope({"params": {"t": text}}))


@pytest.mark.parametrize(
    "text", ["params.__class__", "params.region.upper", "params.list.append", "params.map.items"]
)
def test_no_attribute_is_ever_reached(text: str) -> None:
    failed(text)


def test_values_nested_too_deep_are_an_error_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    scope = Scope({"a": deep, "b": [deep]})
    for text in ("a == b", "toJSON(a)", "contains(b, a) && a == b"):
        with pytest.raises(EvaluationError):
            parse(text).evaluate(scope)


def test_what_counts_as_true() -> None:
    assert not any(map(truth, (False, None, 0, 0.0, "", [], {})))
    assert all(map(truth, (True, 1, -1, "false", "0", [0], {"a": None})))


# --- templates and conditions ---


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
    hole = template("ab ${{ params.n }} c").holes[0]
    assert (hole.start, hole.end, hole.expression.references[0].offset) == (3, 18, 7)
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


# --- what is known before anything runs ---

KNOWN = Known(
    roots={"params", "env", "tasks", "jobs", "run"},
    params=["region"],
    tasks=["build", "test-unit", "a.b"],
    ancestors=["build"],
    functions={"success", "changed"},
)


@pytest.mark.parametrize(
    ("text", "offset", "message", "suggestion"),
    [
        ("parms.x", 0, "unknown name 'parms'", "did you mean 'params'?"),
        ("needs.x.outputs.y", 0, "unknown name 'needs'", "here it is 'jobs'"),
        ("inputs.x", 0, "unknown name 'inputs'", "here it is 'params'"),
        ("True", 0, "unknown name 'True'", "did you mean 'true'?"),
        ("always", 0, "unknown name 'always'", "the function is always(), the text 'always'"),
        ("params.region == west", 17, "unknown name 'west'", "a text is written in quotes: 'west'"),
        ("secrets.X", 0, "'secrets' can be read only in 'env'", ""),
        ("params.regoin", 7, "undeclared parameter 'regoin'", "did you mean 'region'?"),
        ("run.idd", 4, "'run' has no field 'idd'", "did you mean 'id'?"),
        ("tasks.biuld.status", 6, "unknown task 'biuld'", "did you mean 'build'?"),
        ("tasks.build.ouputs", 12, "a task has no field 'ouputs'", "did you mean 'outputs'?"),
        ("tasks.a.b.status", 6, "unknown task 'a'", "write tasks['a.b']"),
        (
            "md5('a')",
            0,
            "unknown function 'md5'",
            "there is always, cancelled, changed, contains, date, default, endsWith, failure, format, fromJSON, join, keys, length, shift, startsWith, success, toJSON, values",
        ),
        ("len('a')", 0, "unknown function 'len'", "did you mean 'length'?"),
        ("sucess()", 0, "unknown function 'sucess'", "did you mean 'success'?"),
        ("fromjson('1')", 0, "unknown function 'fromjson'", "did you mean 'fromJSON'?"),
        ("always()", 0, "always() can be asked only in 'if' and 'unless'", ""),
        ("changed('x')", 8, "unknown task 'x'", "there is a.b, build, test-unit"),
        ("changed(1)", 8, "changed() takes the id of a task, in quotes", ""),
        ("format('{1}', 1)", 7, "format(): {1} has no value: 1 given, counted from 0", ""),
        (
            "jobs.test-unit.status",
            5,
            "'test-unit' is not an ancestor of this task: its result is not known when it starts",
            "add 'test-unit' to what this task depends on",
        ),
    ],
)
def test_what_is_wrong_before_anything_runs(text: str, offset: int, message: str, suggestion: str) -> None:
    (problem,) = problems(parse(text), KNOWN)
    assert (problem.offset, problem.message, problem.suggestion) == (offset, message, suggestion)


KINDS = replace(KNOWN, matrix=["os", "slow"], roots={*KNOWN.roots, "matrix", "github"}, kinds={
    ("params", "region"): "text", ("matrix", "os"): "text", ("matrix", "slow"): "boolean",
})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "offset", "message", "suggestion"),
    [
        ("env.X == true", 6, "'==' compares a text with a boolean, which are never alike", "write 'true'"),
        ("1 != github.run_number", 2, "'!=' compares a number with a text, which are never alike",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("env.X > 5", 6, "'>' compares a text with a number, which are never alike",
         "write fromJSON(..) around the text to compare numbers"),
        ("matrix.os == 3.10", 10, "'==' compares a text with a number, which are never alike",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("matrix.slow == 'true'", 12, "'==' compares a boolean with a text, which are never alike", "leave the quotes out"),
        ("params.region == 3", 14, "'==' compares a text with a number, which are never alike",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("length(env.X) == env.Y", 14, "'==' compares a number with a text, which are never alike",
         "write fromJSON(..) around the text to compare numbers"),
        ("tasks.build.status == 1", 19, "'==' compares a text with a number, which are never alike",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("date(run.started_at, '%Q')", 21,
         "date(): '%Q' is not a part of a time; write %Y-%m-%d %H:%M:%S, and %% for a percent sign", ""),
        ("shift(run.started_at, 'x')", 22, "shift(): 'x' is not a shift; write '-1d', '2w', '12h' or '1h30m'", ""),
    ],
)  # fmt: skip
def test_what_can_never_be_compared_is_told_before(
    text: str, offset: int, message: str, suggestion: str
) -> None:
    (problem,) = problems(parse(text), KINDS)
    assert (problem.offset, problem.message, problem.suggestion) == (offset, message, suggestion)


@pytest.mark.parametrize(
    "text",
    ["env.X == '5'", "tasks.build.outputs.n == 3", "matrix.slow == true", "env.X == null", "fromJSON(env.X) > 5", "params.region == null",
     "(env.X || 5) == 5", "tasks.build.changed == true", "tasks.build.error == 3"],
)  # fmt: skip
def test_what_may_be_compared_is_left_to_the_run(text: str) -> None:
    assert problems(parse(text), KINDS) == []


@pytest.mark.parametrize("value", ["", "false", False, None, 0, [], {}])
def test_a_condition_that_comes_to_nothing_or_false_does_not_hold(value: Any) -> None:
    assert not holds(value)


@pytest.mark.parametrize("value", ["no", "False", "0", True, 1, ["false"]])
def test_a_condition_that_comes_to_anything_else_holds(value: Any) -> None:
    assert holds(value)


def test_what_is_right_has_no_problems() -> None:
    text = "success() && tasks.build.outputs.x == params.region && env.ANY && run.id && changed('build') && toJSON(tasks)"
    assert problems(parse(text), KNOWN) == []
    assert [each.name for each in parse(text).calls] == ["success", "changed", "toJSON"]
    assert parse(text).references[0].path == ("build", "outputs", "x")


def test_all_problems_are_told_at_once_in_order() -> None:
    assert [each.offset for each in problems(parse("a.b == c() && params.x"), KNOWN)] == [0, 7, 21]


# --- any text, any tree ---


@given(st.one_of(st.text(), st.text(st.sampled_from("ab01.-'\"\\[](),!=<>&| ntorf{}$"), max_size=40)))
def test_any_text_is_parsed_or_refused_in_place(text: str) -> None:
    for read in (parse, template, condition):
        offset = 0
        try:
            read(text)
        except ExpressionError as error:
            offset = error.offset
        assert 0 <= offset <= len(text)


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
def test_a_text_is_compared_with_texts_and_null_alone(left: Tree, right: Tree, operator: str) -> None:
    text = f"{left[0]} {operator} {right[0]}"
    if comparable(left[1], right[1]):
        same = json.dumps(left[1]) == json.dumps(right[1])
        assert value(text) is (same if operator == "==" else not same)
    else:
        _, message = failed(text)
        assert "does not compare" in message


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
def test_values_agree_with_another_way_to_find_them(tree: Tree) -> None:
    text, expected = tree
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))
    assert template(f"x${{{{{text}}}}}").holes[0].expression.tree is not None


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
