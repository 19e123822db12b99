"""Types of values, and validation errors in the words of the author."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dagrun.documents.dialects import fields
from dagrun.documents.dialects.fields import (
    CommandLine,
    Duration,
    Env,
    Mount,
    Name,
    Plain,
    StrictModel,
    Timeout,
)
from dagrun.documents.yaml import Source


class Part(StrictModel):
    """A node inside another."""

    test: str


class Node(StrictModel):
    """A node with a value of every type."""

    name: Name | None = None
    timeout: Timeout | None = None
    delay: Duration | None = None
    shell: CommandLine | None = None
    path: Plain | None = None
    mount: Mount | None = None
    env: Env | None = None
    retries: int | None = None
    part: Part | None = None


def errors(text: str) -> list[str]:
    """The findings of a node: place, message, advice."""
    source = Source.inline(text, "x")
    with pytest.raises(ValidationError) as caught:
        Node.model_validate(source.load())
    found = fields.findings(
        caught.value, source, (), Node, {"wait": "waiting"}, {"image": "it belongs to a task"}
    )
    return [f"{each.place.column} {each.message} [{each.suggestion}]" for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a b", "7 'a b' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128"
         " characters [write a-b]"),
        ("timeout: 0", "10 'timeout' must be more than 0 seconds []"),
        ("shell: ''", "8 'shell' must be a command line, such as 'bash' or 'python3 -c' []"),
        ("path: ${{ x }}", "7 'path' must not contain ${{ }}, which is not evaluated here []"),
        ("mount: here", "8 'here' is not a valid mount; write 'source:/target', or 'source:/target:ro' for read-only []"),
        ("env: {1a: b}", "7 '1a' is not a valid name of an environment variable []"),
        ("env: [a]", "6 'env' must be a mapping [write `name: value`, without `-`]"),
        ("retries: '3'", "10 'retries' must be a whole number [remove the quotes]"),
        ("retries:", "9 'retries' must have a value; remove the key if it is not needed []"),
        ("nmae: x", "1 unknown key 'nmae' [did you mean 'name'?]"),
        ("image: x", "1 unknown key 'image' [it belongs to a task]"),
        ("wait: x", "1 'wait' (waiting) is not supported yet []"),
        ("part: {}", "7 missing key 'test' []"),
        ("part: {tset: x}", "8 unknown key 'tset' [did you mean 'test'?]"),
    ],
)  # fmt: skip
def test_an_error_says_what_is_wrong_and_what_to_write(text: str, expected: str) -> None:
    assert errors(text) == [expected]


def test_all_errors_of_a_node_are_reported() -> None:
    assert len(errors("{retries: x, name: a b, nmae: c}")) == 3


@pytest.mark.parametrize(("value", "seconds"), [(90, 90), ("1h30m", 5400), ("10m", 600), ("0.5", 0.5)])
def test_a_duration_is_a_number_of_seconds_or_has_units(value: Any, seconds: float) -> None:
    assert Node.model_validate({"delay": value}).delay == seconds
