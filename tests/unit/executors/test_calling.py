"""Calling a workflow: parameters by name and converted, whatever it returns made into outputs."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from dagrun.core.work import Result, TaskContext
from dagrun.executors.calling import BadCall, call, encode_outputs, outputs_of, takes_context

CONTEXT = TaskContext("run", "task", 1, None, logging.getLogger("test"), Path("artifacts"))


def called(function: Callable[..., Any], **params: Any) -> Any:
    return call(function, params, CONTEXT)


def refusal(function: Callable[..., Any], **params: Any) -> str:
    with pytest.raises(BadCall) as caught:
        called(function, **params)
    return str(caught.value)


# --- binding ---


def test_one_params_receives_everything() -> None:
    def f(params: dict[str, Any]) -> dict[str, Any]:
        return params

    assert called(f, a=1, up__k=[2]) == {"a": 1, "up__k": [2]}


def test_what_it_receives_is_its_own() -> None:
    def f(params: dict[str, Any]) -> None:
        params.clear()

    params = {"a": 1}
    call(f, params, CONTEXT)
    assert params == {"a": 1}


def test_parameters_go_by_name() -> None:
    def f(a: int, *, b: str = "x") -> tuple[int, str]:
        return a, b

    assert called(f, a=1) == (1, "x")
    assert called(f, b="y", a=2) == (2, "y")


def test_what_nobody_asked_for_stays_behind() -> None:
    def f(a: int) -> int:
        return a

    assert called(f, a=1, up__rows=9) == 1


def test_extra_takes_the_rest() -> None:
    def f(a: int, **extra: Any) -> dict[str, Any]:
        return extra

    assert called(f, a=1, b=2, c=3) == {"b": 2, "c": 3}


def test_a_context_is_given_whatever_it_is_called() -> None:
    def f(me: TaskContext, a: int, **extra: Any) -> tuple[TaskContext, int, dict[str, Any]]:
        return me, a, extra

    assert called(f, a=1, me="mine") == (CONTEXT, 1, {})


def test_a_context_may_stand_beside_params() -> None:
    def f(params: dict[str, Any], ctx: TaskContext) -> tuple[dict[str, Any], str]:
        return params, ctx.task_id

    assert called(f, a=1) == ({"a": 1}, "task")


def test_only_a_function_with_a_context_looks_at_cancelled() -> None:
    def looks(ctx: TaskContext) -> None: ...
    def does_not() -> None: ...

    assert (takes_context(looks), takes_context(does_not)) == (True, False)


def test_a_coroutine_runs_to_its_end() -> None:
    async def f(a: int) -> int:
        await asyncio.sleep(0)
        return a + 1

    assert called(f, a=1) == 2


def test_every_missing_parameter_is_named() -> None:
    def f(a: int, b: int, c: int = 0) -> None: ...

    assert refusal(f) == "parameter 'a' is missing; parameter 'b' is missing"


def test_what_the_function_raises_passes_through() -> None:
    def f() -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        called(f)


# --- conversion ---


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Mail(BaseModel):
    sender: str
    size: int = 0


CONVERSIONS: list[tuple[Any, Any, Any]] = [
    (int, "3", 3),
    (float, 3, 3.0),
    (bool, "yes", True),
    (str, "x", "x"),
    (list[int], ["1", 2], [1, 2]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (set[str], ["a", "a"], {"a"}),
    (dict[str, int], {"a": "1"}, {"a": 1}),
    (datetime.date, "2025-10-03", datetime.date(2025, 10, 3)),
    (Path, "a/b", Path("a/b")),
    (Colour, "red", Colour.RED),
    (Literal["a", "b"], "b", "b"),
    (int | None, None, None),
    (Annotated[int, Field(ge=1)], 1, 1),
    (Point, {"x": "1"}, Point(1)),
    (Mail, {"sender": "ann"}, Mail(sender="ann")),
    (Any, {"as": "it is"}, {"as": "it is"}),
    (object, 3, 3),
]


@pytest.mark.parametrize(("hint", "given", "expected"), CONVERSIONS, ids=lambda part: str(part)[:30])
def test_a_value_becomes_what_the_annotation_says(hint: Any, given: Any, expected: Any) -> None:
    def f(value: Any) -> Any:
        return value

    f.__annotations__ = {"value": hint}
    found = called(f, value=given)
    assert found == expected
    assert type(found) is type(expected)


def test_without_an_annotation_a_value_stays_as_it_is() -> None:
    def f(value):  # type: ignore[no-untyped-def]
        return value

    given = ["3"]
    assert called(f, value=given) is given


def test_what_does_not_fit_is_told_with_the_value() -> None:
    def f(n: int, day: datetime.date) -> None: ...

    assert refusal(f, n="many", day="soon") == (
        "parameter 'n': Input should be a valid integer, unable to parse string as an integer (got 'many'); "
        "parameter 'day': Input should be a valid date or datetime, input is too short (got 'soon')"
    )


def test_what_does_not_fit_inside_a_value_is_told_with_its_place() -> None:
    def f(mails: list[Mail]) -> None: ...

    assert refusal(f, mails=[{"sender": "ann"}, {"sender": 5}]) == (
        "parameter 'mails': [1]['sender'] Input should be a valid string (got 5)"
    )


def test_a_long_value_is_cut_in_the_message() -> None:
    def f(n: int) -> None: ...

    assert len(refusal(f, n="x" * 1000)) < 200


def test_a_class_that_nothing_converts_to_is_told_in_a_sentence() -> None:
    def f(lock: threading.Event) -> None: ...

    message = refusal(f, lock="x")
    assert message.startswith("parameter 'lock' cannot be converted to its annotation: ")
    assert "\n" not in message


def test_a_default_is_not_converted() -> None:
    def f(n: int = "none") -> Any:  # type: ignore[assignment]
        return n

    assert called(f) == "none"


# --- outputs ---


@pytest.mark.parametrize(
    ("value", "outputs"),
    [
        (None, {}),
        ({"k": 1}, {"k": 1}),
        (5, {"result": 5}),
        ("text", {"result": "text"}),
        ([1, 2], {"result": [1, 2]}),
        (False, {"result": False}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Mail(sender="ann"), {"sender": "ann", "size": 0}),
        (RootModel[list[int]]([1]), {"result": [1]}),
    ],
)
def test_what_a_workflow_returns_becomes_outputs(value: Any, outputs: dict[str, Any]) -> None:
    assert outputs_of(value) == (outputs, True)


def test_a_result_says_whether_anything_was_changed() -> None:
    assert outputs_of(Result({"path": "x"}, changed=False)) == ({"path": "x"}, False)
    assert outputs_of(Result()) == ({}, True)


def test_a_result_may_hold_whatever_may_be_returned() -> None:
    assert outputs_of(Result(Point(1), changed=False)) == ({"x": 1, "y": 0}, False)  # type: ignore[arg-type]
    assert outputs_of(Result(None)) == ({}, True)  # type: ignore[arg-type]


def test_outputs_are_written_as_json() -> None:
    assert encode_outputs({"k": ["ä", 1]}) == '{"k":["ä",1]}'.encode()


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_how_deep_outputs_may_be_nested_depends_on_no_interpreter() -> None:
    assert encode_outputs({"deep": nested(500)}) == b'{"deep":' + b"[" * 500 + b"1" + b"]" * 500 + b"}"
    with pytest.raises(BadCall, match="output 'deep' is not JSON-serialisable: it is nested too deeply"):
        encode_outputs({"deep": nested(501)})


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"fine": 1, "when": {1}}, "output 'when' is not JSON-serialisable: Object of type set is not JSON serializable"),
        ({"n": float("nan")}, "output 'n' is not JSON-serialisable: Out of range float values are not JSON compliant"),
        ({"deep": nested(100_000)}, "output 'deep' is not JSON-serialisable: it is nested too deeply"),
        ({"k": {(1, 2): 3}}, "output 'k' is not JSON-serialisable: keys must be str, int, float, bool or None"),
        ({1: 2}, "output key 1 is not a string"),
    ],
    ids=["set", "nan", "deep", "key inside", "key"],
)  # fmt: skip
def test_the_key_that_is_not_serialisable_is_named(outputs: dict[Any, Any], message: str) -> None:
    with pytest.raises(BadCall) as caught:
        encode_outputs(outputs)
    assert str(caught.value).startswith(message)


def test_an_output_that_contains_itself_is_named() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(BadCall, match="output 'ring' is not JSON-serialisable: Circular reference"):
        encode_outputs({"ring": ring})
