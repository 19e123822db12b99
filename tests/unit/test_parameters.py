"""A DAG's parameters: declared, given, and whether the two fit."""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.errors import UsageError
from dagrun.model import Dag, Param, ParamType
from dagrun.parameters import from_flag, problem_with_default, resolve


def dag(*params: Param) -> Dag:
    return Dag(name="daily", tasks=(), params=params)


def refusal(given: dict[str, Any], *params: Param) -> str:
    with pytest.raises(UsageError) as caught:
        resolve(dag(*params), given)
    return caught.value.message


REGION = Param(name="region", default="eu")


def test_without_a_value_the_default_holds() -> None:
    assert resolve(dag(REGION), {}) == {"region": "eu"}


def test_a_given_value_overrides() -> None:
    assert resolve(dag(REGION), {"region": "us"}) == {"region": "us"}


def test_a_parameter_without_a_default_is_null() -> None:
    assert resolve(dag(Param(name="note", type="string")), {}) == {"note": None}


def test_all_that_is_wrong_is_told_at_once() -> None:
    day, size = Param(name="day", required=True), Param(name="size", type="integer")
    assert refusal({"regoin": "us", "size": "big"}, REGION, day, size) == "\n".join(
        (
            "DAG 'daily' has no parameter 'regoin' (did you mean 'region'?)",
            "parameter 'day' is required: give it with --param day=...",
            "parameter 'size' must be of type integer, not string",
        )
    )


def test_an_unknown_parameter_without_a_near_one_lists_those_there_are() -> None:
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
        ("string", 3, "integer"), ("integer", 3.5, "number"), ("integer", True, "boolean"),
        ("number", True, "boolean"), ("boolean", 1, "integer"), ("list", {}, "object"), ("object", [], "list"),
        ("string", None, "null"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(kind: ParamType, value: Any, called: str) -> None:
    message = f"parameter 'p' must be of type {kind}, not {called}"
    assert refusal({"p": value}, Param(name="p", type=kind)) == message


def test_a_value_outside_the_choices_is_refused() -> None:
    param = Param(name="region", enum=("eu", "us"))
    assert refusal({"region": "mars"}, param) == "parameter 'region' must be one of eu, us, not 'mars'"


@pytest.mark.parametrize("value", [float("inf"), float("nan"), [float("-inf")], {"a": [float("nan")]}])
def test_a_number_that_json_cannot_write_is_refused(value: Any) -> None:
    message = "parameter 'p' holds a number that JSON cannot write: .inf or .nan"
    assert refusal({"p": value}, Param(name="p")) == message


def test_a_declaration_whose_default_does_not_fit_is_told() -> None:
    param = Param(name="n", type="integer", default="many")
    assert problem_with_default(param) == "the default of parameter 'n' must be of type integer, not string"
    assert problem_with_default(Param(name="n", type="integer")) is None


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("region=us", ("region", "us")), ("n=3", ("n", 3)), ("on=true", ("on", True)), ("x=", ("x", "")),
        ("eq=a=b", ("eq", "a=b")), ("list=[1, a]", ("list", [1, "a"])), ("map={a: 1}", ("map", {"a": 1})),
        ("none=null", ("none", None)), ("word=no", ("word", "no")), ("t='3'", ("t", "3")),
    ],
)  # fmt: skip
def test_a_flag_is_a_name_and_a_yaml_value(flag: str, expected: tuple[str, Any]) -> None:
    assert from_flag(dag(), flag) == expected


@pytest.mark.parametrize("param", [Param(name="v", type="string"), Param(name="v", enum=("3.10", "3.11"))])
def test_where_only_text_fits_the_text_stays_as_it_is(param: Param) -> None:
    assert from_flag(dag(param), "v=3.10") == ("v", "3.10")


@pytest.mark.parametrize("flag", ["region", "=us", ""])
def test_a_flag_without_a_name_or_a_value_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match=f"--param '{flag}' is not of the form name=value"):
        from_flag(dag(), flag)


def test_a_value_that_is_no_yaml_is_refused_with_advice() -> None:
    with pytest.raises(UsageError) as caught:
        from_flag(dag(), "x=[1")
    assert caught.value.message.startswith("--param x: ")
    assert caught.value.hint == "quote the value for YAML as well"
