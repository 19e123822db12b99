"""The schema of a dialect: editors and dagrun agree about a document's shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from dagrun.dialects.detect import to_dag
from dagrun.dialects.schema import dialects, schema
from dagrun.errors import NotFoundError, RefusedError
from dagrun.model import LATER_DAG_KEYS, LATER_TASK_KEYS, seconds
from dagrun.source import Source

SCHEMA = schema("native")
VALIDATOR = Draft7Validator(SCHEMA)
LATER_DRAFTS = {
    "$defs",
    "prefixItems",
    "unevaluatedProperties",
    "dependentRequired",
    "dependentSchemas",
    "$anchor",
}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of the schema."""
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from nodes(each)
    elif isinstance(node, list):
        for each in node:
            yield from nodes(each)


def agreed(text: str) -> bool:
    """Whether a document is right, about which dagrun and the schema must say the same."""
    source = Source.inline(text, "dag.yaml")
    data = source.load()
    taken = not to_dag(data, source, "my_dag").findings
    assert VALIDATOR.is_valid(data) == taken, text
    return taken


def test_it_is_a_draft_07_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    for node in nodes(SCHEMA):
        assert not LATER_DRAFTS & set(node)
        assert "$ref" not in node or len(node) == 1


def test_every_key_says_what_it_is_for() -> None:
    keys = [
        (name, key)
        for node in nodes(SCHEMA)
        for name, key in node.get("properties", {}).items()
        if isinstance(key, dict) and node.get("additionalProperties") is False
    ]
    assert len(keys) > 40
    assert [name for name, key in keys if not key.get("description", "").endswith(".")] == []


def test_words_of_later_versions_are_not_in_it() -> None:
    task, document = SCHEMA["definitions"]["Task"]["properties"], SCHEMA["properties"]
    assert not set(LATER_TASK_KEYS) & set(task)
    assert not set(LATER_DAG_KEYS) & set(document)


TASK = "tasks: [{id: a, run: 'true', %s}]"

RIGHT = [
    "tasks: [{id: a, run: 'true'}]",
    "tasks: [{id: a, workflow_ref: w, params: {x: [1, {y: null}]}}]",
    "tasks: [{id: a, commands: [x, y], shell: bash -eu}]",
    TASK % "timeout: 90, env: {A: 3.10, B: on, C: , D: '${{ params.x }}'}",
    TASK % "timeout: 1h30m, retry: {max_attempts: 2, initial: 0, max: 5s, jitter: 0.5, on_exit_codes: [75]}",
    TASK % "retries: 2, retry: {factor: 3, on_errors: [Timeout]}",
    TASK % "if: '${{ params.x }}', unless: false, trigger: none_failed, only_if_changed: true",
    "tasks: [{id: a, run: x}, {id: b, run: x, depends_on: [a, {task: a, trigger: always}]}]",
    "tasks: [{id: a, run: x, on_error: continue, continue_on_failure: true, working_dir: sub, description: A}]",
    "name: n\ndescription: D\ntenant_id: t\nmax_parallel: 1\ntimeout: 0.5\nsecrets: [A]\noutputs: {a: [1]}\n"
    "params: {a: 1, b: {type: list, default: []}, c: {depth: 2}, d: }\ntasks: [{id: a, run: x}]",
    "defaults: {retries: 1, env: {A: b}, shell: bash, timeout: 1m}\ntasks: [{id: a, run: x}]",
]  # fmt: skip

WRONG = [
    "{}",
    "tasks: []",
    "tasks: {a: {run: x}}",
    "tasks: [{run: x}]",
    "tasks: [{id: a}]",
    "tasks: [{id: a b, run: x}]",
    "tasks: [{id: a, run: }]",
    "tasks: [{id: a, run: [x]}]",
    "tasks: [{id: a, commands: x}]",
    "tasks: [{id: a, run: x, commands: [x]}]",
    "tasks: [{id: a, run: x, workflow_ref: w}]",
    "tasks: [{id: a, workflow_ref: w, shell: bash}]",
    "tasks: [{id: a, workflow_ref: w, image: alpine}]",
    "hooks: {}\ntasks: [{id: a, run: x}]",
    "tasks: [{id: a, run: x, depends_on: a}]",
    "tasks: [{id: a, run: x, depends_on: [{task: a, triger: always}]}]",
    "defaults: {run: x}\ntasks: [{id: a, run: x}]",
    "defaults: {retries: 1, retry: {max_attempts: 2}}\ntasks: [{id: a, run: x}]",
    "params: {a: {default: 1, typ: integer}}\ntasks: [{id: a, run: x}]",
    "params: {a: {type: text}}\ntasks: [{id: a, run: x}]",
    "max_parallel: 0\ntasks: [{id: a, run: x}]",
    "secrets: A\ntasks: [{id: a, run: x}]",
    "secrets: [A-B]\ntasks: [{id: a, run: x}]",
    "timeout: 0s\ntasks: [{id: a, run: x}]",
    *(
        TASK % line
        for line in (
            "dependson: []", "trigger: sucess", "timeout: soon", "timeout: 0", "timeout: -1", "timeout: ", "retries: '2'",
            "retries: -1", "retries: 1, retry: {max_attempts: 2}", "retry: {factor: 0.5}", "retry: {jitter: 2}",
            "only_if_changed: 'yes'", "env: {3X: y}", "env: {X: [y]}", "env: ", "on_error: stop", "shell: ' '",
            "working_dir: '${{ params.x }}'", "if: 5",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("text", RIGHT)
def test_both_take_what_is_right(text: str) -> None:
    assert agreed(text)


@pytest.mark.parametrize("text", WRONG)
def test_both_refuse_what_is_wrong(text: str) -> None:
    assert not agreed(text)


@given(st.from_regex(r" ?[0-9.]{0,3}(h|m|s|ms)?[0-9]{0,2}(m|s|ms)? ?", fullmatch=True))
def test_both_read_the_same_durations(text: str) -> None:
    try:
        taken = seconds(text) > 0
    except ValueError:
        taken = False
    document = {"tasks": [{"id": "a", "run": "x", "timeout": text}]}
    assert VALIDATOR.is_valid(document) == taken


def test_the_dialects_are_listed_and_those_of_later_versions_refused_by_name() -> None:
    assert {each.name: each.supported for each in dialects()} == {
        "native": True,
        "steps": False,
        "jobs": False,
    }
    with pytest.raises(RefusedError, match="the dialect 'jobs' is not supported yet"):
        schema("jobs")
    with pytest.raises(NotFoundError, match="dialect 'nativ' not found"):
        schema("nativ")
