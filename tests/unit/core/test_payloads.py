"""How parameters reach a script: which are variables, which lie in files, which only stand among all of them."""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.core.payloads import (
    ParameterVariables,
    parameter_variable,
    parameter_variables,
    variables_named_in,
)

MOST = 32 * 1024
ROOM = 256 * 1024


def hands(
    params: dict[str, Any], upstream: dict[str, dict[str, Any]] | None = None, script: str = "", room: int = ROOM
) -> ParameterVariables:  # fmt: skip
    return parameter_variables(params, upstream or {}, variables_named_in(script), room, 100)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("region", "DAGRUN_PARAM_REGION"),
        ("a-b.c_D", "DAGRUN_PARAM_A_B_C_D"),
        ("up__k", "DAGRUN_PARAM_UP__K"),
        ("", None),
        ("two words", None),
        ("größe", None),
        ("a=b", None),
        ("a\0b", None),
        ("n" * 2000, None),
    ],
)
def test_a_name_gives_a_variable_or_none(name: str, variable: str | None) -> None:
    assert parameter_variable(name) == variable


def test_an_output_of_a_variant_has_one_too() -> None:
    assert parameter_variable("k", "test[os=x,py=3.9]") == "DAGRUN_PARAM_TEST_OS_X_PY_3_9___K"


@pytest.mark.parametrize(
    ("params", "upstream", "variables"),
    [
        ({"a-b": 1, "a.b": 2, "c": 3}, {}, {"DAGRUN_PARAM_C"}),
        ({"x": 1, "X": 2}, {}, set()),
        ({}, {"up": {"a-b": 1, "a.b": 2, "c": 3}}, {"DAGRUN_PARAM_UP__C"}),
        ({}, {"up": {"K": 1, "k": 2}}, set()),
        ({}, {"u-p": {"k": 1}, "u.p": {"k": 2}}, set()),
        ({}, {"up": {"": 1, "two words": 2, "ü": 3, "k": 4}}, {"DAGRUN_PARAM_UP__K"}),
        ({"up__a_b": 1}, {"up": {"a-b": 2}}, {"DAGRUN_PARAM_UP__A_B"}),
        ({"up__k": 1}, {"up": {"k": 2}}, {"DAGRUN_PARAM_UP__K"}),
    ],
)
def test_a_variable_that_several_would_be_is_the_tasks_own_or_none(
    params: dict[str, Any], upstream: dict[str, dict[str, Any]], variables: set[str]
) -> None:
    assert set(hands(params, upstream).variables) == variables


def test_the_tasks_own_value_is_in_the_variable_that_an_output_would_be_too() -> None:
    assert hands({"up__a_b": "own"}, {"up": {"a-b": "its"}}).variables == {"DAGRUN_PARAM_UP__A_B": b"own"}


def test_a_value_over_32_kib_lies_in_a_file() -> None:
    given = hands({"page": "x" * (MOST + 1), "small": "x" * MOST})
    assert set(given.variables) == {"DAGRUN_PARAM_SMALL"}
    assert set(given.files) == {"DAGRUN_PARAM_PAGE_FILE"}
    assert given.left_out == {"DAGRUN_PARAM_PAGE": MOST + 1}


def test_a_parameter_that_is_named_like_the_file_keeps_its_variable() -> None:
    given = hands({"page": "x" * (MOST + 1), "page_file": "mine"})
    assert given.variables == {"DAGRUN_PARAM_PAGE_FILE": b"mine"}
    assert given.files == {}


def test_the_largest_values_are_left_out_first() -> None:
    given = hands({f"p{size}": "x" * size for size in (10, 300, 200, 100)}, room=400)
    assert set(given.variables) == {"DAGRUN_PARAM_P10", "DAGRUN_PARAM_P100", "DAGRUN_PARAM_P200"}


def test_of_equal_values_the_last_are_left_out() -> None:
    given = hands({f"p{i}": "x" * 100 for i in range(4)}, room=300)
    assert set(given.variables) == {"DAGRUN_PARAM_P0", "DAGRUN_PARAM_P1"}


def test_what_the_script_names_is_left_out_last() -> None:
    given = hands({f"p{size}": "x" * size for size in (300, 200, 100)}, script="$DAGRUN_PARAM_P300", room=400)
    assert set(given.variables) == {"DAGRUN_PARAM_P300"}


@pytest.mark.parametrize(("many", "size"), [(2000, 1000), (100, 100_000), (50_000, 10)])
def test_however_many_values_there_are_they_take_no_more_than_their_room(many: int, size: int) -> None:
    given = hands({}, {"up": {f"k{i}": "x" * size for i in range(many)}})
    assert sum(len(name) + len(data) for name, data in given.variables.items()) < ROOM
    assert sum(len(name) + 100 for name in given.files) < ROOM
    assert len(given.variables) + len(given.left_out) == many


def test_a_file_that_the_script_names_is_there_whatever_else_there_is() -> None:
    upstream = {"up": {f"k{i}": "x" * 1000 for i in range(5000)}}
    given = hands({}, upstream, "cat $DAGRUN_PARAM_UP__K7_FILE $DAGRUN_PARAM_UP__K4999_FILE")
    assert {"DAGRUN_PARAM_UP__K7_FILE", "DAGRUN_PARAM_UP__K4999_FILE"} <= given.files.keys()


def test_a_script_names_variables_in_any_language() -> None:
    script = """echo "${DAGRUN_PARAM_A:-}" $DAGRUN_PARAM_B; python3 -c 'os.environ["DAGRUN_PARAM_C"]'; printenv DAGRUN_PARAM_D_FILE"""
    assert variables_named_in(script) == {
        "DAGRUN_PARAM_A",
        "DAGRUN_PARAM_B",
        "DAGRUN_PARAM_C",
        "DAGRUN_PARAM_D_FILE",
    }
