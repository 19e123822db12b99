"""The parameters of a DAG: declarations, given values, and whether they match."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.model import Dag, Param, ParamType
from dagrun.documents.parameters import (
    deferred,
    env_beyond_defaults,
    evaluated,
    from_file,
    from_flag,
    problem_with_default,
    problems,
    resolve,
)
from dagrun.documents.yaml import Source
from dagrun.errors import UsageError
from dagrun.language.expressions import Scope


def dag(*params: Param) -> Dag:
    return Dag(name="daily", tasks=(), params=params)


def refusal(given: dict[str, Any], *params: Param) -> str:
    with pytest.raises(UsageError) as caught:
        resolve(dag(*params), given)
    return caught.value.message


REGION = Param(name="region", default="eu")


def test_without_a_value_the_default_applies() -> None:
    assert resolve(dag(REGION), {}) == {"region": "eu"}


def test_a_given_value_overrides() -> None:
    assert resolve(dag(REGION), {"region": "us"}) == {"region": "us"}


def test_a_parameter_without_a_default_is_null() -> None:
    assert resolve(dag(Param(name="note", type="string")), {}) == {"note": None}


def test_all_problems_are_reported_at_once() -> None:
    day, size = Param(name="day", required=True), Param(name="size", type="integer")
    assert refusal({"regoin": "us", "size": "big"}, REGION, day, size) == "\n".join(
        (
            "DAG 'daily' has no parameter 'regoin' (did you mean 'region'?)",
            "parameter 'day' is required: give it with --param day=...",
            "parameter 'size' must be of type integer, not string 'big'",
        )
    )


def test_an_unknown_parameter_without_a_similar_one_lists_all() -> None:
    assert refusal({"x": 1}, REGION) == "DAG 'daily' has no parameter 'x' (it has: region)"
    assert refusal({"x": 1}) == "DAG 'daily' has no parameter 'x' (it has none)"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", ""), ("integer", 3), ("number", 3), ("number", 3.5), ("boolean", False), ("list", []),
        ("object", {}), (None, None), (None, [1]),
    ],
)  # fmt: skip
def test_a_value_of_the_declared_type_fits(kind: ParamType | None, value: Any) -> None:
    assert resolve(dag(Param(name="p", type=kind)), {"p": value}) == {"p": value}


@pytest.mark.parametrize(
    ("kind", "value", "called"),
    [
        ("string", 3, "integer 3; put it in quotes"), ("integer", 3.5, "number 3.5"), ("integer", True, "boolean true"),
        ("number", True, "boolean true"), ("boolean", 1, "integer 1"), ("list", {}, "object {}"), ("object", [], "list []"),
        ("string", None, "null"), ("integer", "ü", "string 'ü'"), ("integer", "x" * 201, "string of 203 characters"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(kind: ParamType, value: Any, called: str) -> None:
    message = f"parameter 'p' must be of type {kind}, not {called}"
    assert refusal({"p": value}, Param(name="p", type=kind)) == message


def test_a_value_outside_the_choices_is_refused() -> None:
    param = Param(name="region", enum=("eu", "us"))
    assert refusal({"region": "mars"}, param) == "parameter 'region' must be one of eu, us, not string 'mars'"


@pytest.mark.parametrize("value", [float("inf"), float("nan"), [float("-inf")], {"a": [float("nan")]}])
def test_a_number_that_json_does_not_have_is_refused(value: Any) -> None:
    message = "parameter 'p' contains a number that JSON does not have: .inf or .nan"
    assert refusal({"p": value}, Param(name="p")) == message


@pytest.mark.parametrize("value", ["\udcff", ["a\ud800"], {"\udcff": 1}])
def test_text_that_is_not_utf_8_is_refused(value: Any) -> None:
    assert refusal({"p": value}, Param(name="p")).startswith(
        "parameter 'p' contains bytes that are not UTF-8 text: string '"
    )


def test_a_default_that_does_not_fit_its_declaration_is_reported() -> None:
    param = Param(name="n", type="integer", default="many")
    assert (
        problem_with_default(param)
        == "the default of parameter 'n' must be of type integer, not string 'many'"
    )
    assert problem_with_default(Param(name="n", type="integer")) is None
    choices = Param(name="v", type="string", enum=("1", 2))
    assert problem_with_default(choices) == (
        "a choice of parameter 'v' must be of type string, not integer 2; put it in quotes"
    )


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("region=us", ("region", "us")), ("n=3", ("n", 3)), ("on=true", ("on", True)), ("x=", ("x", "")),
        ("eq=a=b", ("eq", "a=b")), ("list=[1, a]", ("list", [1, "a"])), ("map={a: 1}", ("map", {"a": 1})),
        ("none=null", ("none", None)), ("word=no", ("word", "no")), ("t='3'", ("t", "3")),
    ],
)  # fmt: skip
def test_a_flag_is_a_name_and_a_yaml_value(flag: str, expected: tuple[str, Any]) -> None:
    assert from_flag(dag().params, flag) == expected


@pytest.mark.parametrize("param", [Param(name="v", type="string"), Param(name="v", enum=("3.10", "3.11"))])
def test_a_text_parameter_takes_the_text_as_it_is(param: Param) -> None:
    assert from_flag(dag(param).params, "v=3.10") == ("v", "3.10")


@pytest.mark.parametrize("flag", ["region", "=us", ""])
def test_a_flag_without_a_name_or_a_value_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match=f"--param '{flag}' does not have the form name=value"):
        from_flag(dag().params, flag)


def test_a_value_that_is_not_yaml_is_refused_with_advice() -> None:
    with pytest.raises(UsageError) as caught:
        from_flag(dag().params, "x=[1")
    assert caught.value.message == "--param x=[1 is not a YAML value: '[' is never closed"
    assert "declare the parameter as `type: string`" in caught.value.hint


@pytest.mark.parametrize("flag", ["x='a': b", "x='a' b", 'x="a', "x={a", "x=[1] 2"])
def test_a_value_that_starts_like_quoted_text_or_a_collection_must_be_one(flag: str) -> None:
    with pytest.raises(UsageError, match=r"^--param x="):
        from_flag(dag().params, flag)


@pytest.mark.parametrize(
    "text", ["fix: typo", "*.csv", "# 5", "a # b", "- x", "!tag", "&a", "%x", "@x", "| x", "1:30", " x "]
)
def test_a_plain_value_is_a_scalar_whatever_characters_it_has(text: str) -> None:
    assert from_flag(dag().params, f"x={text}") == ("x", text)


@given(st.text())
def test_any_text_arrives_unchanged(text: str) -> None:
    for param in (Param(name="v", type="string"), REGION, Param(name="v", enum=("eu",))):
        assert from_flag(dag(param).params, f"{param.name}={text}") == (param.name, text)


@given(st.text())
def test_a_plain_value_is_itself_or_a_json_scalar(text: str) -> None:
    try:
        _, value = from_flag(dag().params, f"x={text}")
    except UsageError:
        assert text.lstrip()[:1] in tuple("[{\"'")
        return
    if isinstance(value, str) and text.lstrip()[:1] not in tuple("[{\"'"):
        assert value == text


def test_a_file_of_values_keeps_types_and_the_text_of_text_parameters() -> None:
    source = Source.inline("s: 3.10\nregion: 0644\non: true\nn: 3.10\nl: [1.10]\n", "values.yaml")
    declared = dag(
        Param(name="s", type="string"), REGION, Param(name="on", default="off"), Param(name="n"), Param(name="l")
    )  # fmt: skip
    assert from_file(declared, source) == {"s": "3.10", "region": "0644", "on": "true", "n": 3.1, "l": [1.1]}


def test_a_file_without_a_mapping_is_refused() -> None:
    with pytest.raises(UsageError, match=r"values\.yaml must contain a mapping of parameters"):
        from_file(dag(), Source.inline("- 1", "values.yaml"))


def test_a_choice_is_compared_without_conversion() -> None:
    assert (
        refusal({"n": True}, Param(name="n", enum=(1, 2)))
        == "parameter 'n' must be one of 1, 2, not boolean true"
    )


def test_the_caller_decides_how_a_missing_value_is_given() -> None:
    assert problems(dag(Param(name="day", required=True)), {}, give="add it to 'params'") == [
        "parameter 'day' is required: add it to 'params'"
    ]


# --- defaults that are expressions ---

SCOPE = Scope({"env": {"HOME": "/root", "N": "3"}, "run": {"id": "r1"}, "github": {}})


def evaluate(*params: Param, values: dict[str, Any] | None = None) -> dict[str, Any]:
    declared, values = dag(*params), values or {}
    return evaluated(declared, resolve(declared, values), deferred(declared, values), SCOPE)


def test_a_default_may_be_an_expression() -> None:
    assert evaluate(
        Param(name="home", default="${{ env.HOME }}/x"),
        Param(name="n", type="integer", default="${{ fromJSON(env.N) }}"),
        Param(name="deep", default={"a": ["${{ run.id }}", 1]}),
        Param(name="literal", default="$${{ x }}"),
    ) == {"home": "/root/x", "n": 3, "deep": {"a": ["r1", 1]}, "literal": "${{ x }}"}


def test_a_given_value_is_never_evaluated() -> None:
    assert evaluate(REGION, Param(name="x", default="${{ run.id }}"), values={"x": "${{ run.id }}"}) == {
        "region": "eu",
        "x": "${{ run.id }}",
    }


def test_a_default_with_a_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(
            Param(name="n", type="integer", default="${{ env.N }}"),
            Param(name="m", default="${{ fromJSON(env.HOME) }}"),
        )
    first, second = caught.value.message.splitlines()
    assert first == "the default of parameter 'n' must be of type integer, not string '3'"
    assert second.startswith("the default of parameter 'm': fromJSON(): the text is not JSON")


def test_a_default_cannot_read_variables_that_depend_on_parameters_or_secrets() -> None:
    env = {
        "A": "${{ params.x }}", "B": "${{ env.A }}", "C": "${{ env.HOME }}", "D": "${{ secrets.S }}", "E": "${{ env.E }}",
    }  # fmt: skip
    assert env_beyond_defaults(Dag(name="d", tasks=(), env=env)) == {"A", "B", "D"}
