"""Data that expressions of these tests read, and how they are evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.language.expressions import EvaluationError, Scope, parse

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


def failed(text: str) -> tuple[int, str]:
    with pytest.raises(EvaluationError) as caught:
        value(text)
    return caught.value.offset, caught.value.message
