"""The schema of a dialect: editors and dagrun accept the same documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from dagrun.core.model import LATER_DAG_KEYS, LATER_TASK_KEYS, seconds
from dagrun.documents.dialects.detect import to_dag
from dagrun.documents.dialects.schema import dialects, schema
from dagrun.documents.yaml import Source
from dagrun.errors import NotFoundError

SCHEMAS = {dialect.name: schema(dialect.name) for dialect in dialects()}
VALIDATORS = {name: Draft7Validator(each) for name, each in SCHEMAS.items()}
SCHEMA = SCHEMAS["native"]
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
    taken = not [each for each in to_dag(data, source, "my_dag").findings if each.level == "error"]
    dialect = next((each.name for each in dialects() for key in each.keys if key in data), "native")
    assert VALIDATORS[dialect].is_valid(data) == taken, text
    return taken


@pytest.mark.parametrize("dialect", SCHEMAS)
def test_it_is_a_draft_07_schema(dialect: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[dialect])
    assert SCHEMAS[dialect]["$schema"] == "http://json-schema.org/draft-07/schema#"
    for node in nodes(SCHEMAS[dialect]):
        assert not LATER_DRAFTS & set(node)
        assert "$ref" not in node or len(node) == 1


@pytest.mark.parametrize("dialect", SCHEMAS)
def test_every_key_has_a_description(dialect: str) -> None:
    keys = [
        (name, key)
        for node in nodes(SCHEMAS[dialect])
        for name, key in node.get("properties", {}).items()
        if isinstance(key, dict) and node.get("additionalProperties") is False
    ]
    assert len(keys) > 40
    assert [name for name, key in keys if not key.get("description", "").endswith(".")] == []


def test_keys_of_later_versions_are_not_in_the_schema() -> None:
    task, document = SCHEMA["definitions"]["Task"]["properties"], SCHEMA["properties"]
    assert not set(LATER_TASK_KEYS) & set(task)
    assert not set(LATER_DAG_KEYS) & set(document)


TASK = "tasks: [{id: a, run: 'true', %s}]"

RIGHT = [
    "tasks: [{id: a, run: 'true'}]",
    "tasks: [{id: a, workflow_ref: w, params: {x: [1, {y: null}]}}]",
    "tasks: [{id: a, commands: [x, y], shell: bash -eu}]",
    "tasks: [{id: a, dag: '${{ params.x }}', params: {y: 1}, for_each: [1], max_parallel: 2, retries: 1, timeout: 5}]",
    "steps: [{name: a, kind: SubOrchestration, orchestrationRef: {name: x.yaml}, with: {y: 1}}, {name: b, dag: x}]",
    "jobs: {a: {dag: x, on_complete: always}}",
    TASK % "timeout: 90, env: {A: 3.10, B: on, C: , D: '${{ params.x }}'}",
    TASK % "timeout: 1h30m, retry: {max_attempts: 2, initial: 0, max: 5s, jitter: 0.5, on_exit_codes: [75]}",
    TASK % "retries: 2, retry: {factor: 3, on_errors: [Timeout]}",
    TASK % "if: '${{ params.x }}', unless: false, trigger: none_failed, only_if_changed: true",
    "tasks: [{id: a, run: x}, {id: b, run: x}, {id: c, run: x, depends_on: [b, {task: a, trigger: always}]}]",
    "tasks: [{id: a, run: x, on_error: continue, continue_on_failure: true, working_dir: sub, description: A}]",
    "{dotenv: [.env], tasks: [{id: a, run: x, dotenv: [a.env], working_dir: '${{ env.D }}'}]}",
    "name: n\ndescription: D\ntenant_id: t\nmax_parallel: 1\ntimeout: 0.5\nsecrets: [A]\noutputs: {a: [1]}\n"
    "params: {a: 1, b: {type: list, default: []}, c: {depth: 2}, d: }\ntasks: [{id: a, run: x}]",
    "defaults: {retries: 1, env: {A: b}, shell: bash, timeout: 1m}\ntasks: [{id: a, run: x}]",
    TASK % "matrix: {v: [3.10, on, true], exclude: [{v: on}], include: [{v: 4, os: a}]}, max_parallel: 2",
    TASK % "for_each: [1, {a: b}], max_parallel: 2",
    TASK % "for_each: ' ${{ params.x }} ', artifacts: [a, b/*.txt], services: [postgres:15, redis]",
    "tasks: [{id: a, image: alpine}, {id: b, image: alpine, commands: [x], shell: bash, pull: never, mount: ['.:/w:ro']}]",
    TASK % "services: {pg: {image: p, env: {A: 1}, ports: [5432, '80:80', 53/udp], health_check: {test: [CMD, x]}}}",
    TASK % "services: {pg: {image: p, health_check: {test: x, interval: 1s, timeout: 2, retries: 3}}}",
    "tasks: [{id: a, approval: {}}, {id: b, approval: {prompt: P, required_role: Admin, expires: 1h, inputs: {a: 1, b: {type: string}}}}]",
    "tasks: [{id: a, wait: {seconds: 0}}, {id: b, wait: {until: 09:30, timezone: UTC}}, {id: c, wait: {file: x, settle: 1s, timeout: 5}}]",
    "steps: [{name: a, kind: ApprovalGate}, {name: b, kind: SignalWait}, {name: c, kind: SignalWait, wait: {signal: go}, timeoutSeconds: 5}]",
    "jobs: {a: {approval: {prompt: P}}, b: {wait: {signal: go}, requires: [a]}}",
    "steps: [{name: a}, {name: b, run: x}, {name: c, kind: ToolRun, toolRef: {name: t}, with: {x: [1]}}]",
    "apiVersion: v1\nkind: Orchestration\nmetadata: {name: n, namespace: s, labels: {a: 1}}\n"
    "spec: {entrypoint: a, params: {x: 1}, timeoutSeconds: 0, steps: [{name: a, kind: Checkpoint}]}",
    "spec: {steps: [{name: a, agentRef: {name: t}, kind: AgentRun, retries: 1, retryBackoffSeconds: 0.5}]}",
    "steps: [{name: a, workflow_ref: t, kind: AgentRun, timeoutSeconds: 0}, {name: b, dependsOn: [a], image: x}]",
    "jobs: {a: {image: x}, b: {image: x}, c: {requires: [b, {job: a, condition: always}], run: x, on_complete: failure}}",
    "name: n\ncleanup_policy: keep\ntimeout: 10m\njobs: {a: {run: x, matrix: {os: [a, b]}, exclude: [{os: a}]}}",
    "jobs: {a: {workflow_ref: w, params: {x: 1}}, b: {run: x, after: [a], parallel_with: [c]}, c: {run: x}}",
    "hooks: {}\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: {run: x, timeout: 10s, params: {a: 1}, env: {A: 1}, shell: bash, working_dir: d}}\ntasks: [{id: a, run: x}]",
    "hooks: {on_failure: [{notify: 'https://x'}, {notify: [mailto://x]}, {notify: {url: [a://b], title: t, body: b}}]}\njobs: {a: {run: x}}",
    "spec: {hooks: {on_success: {commands: [x]}, on_cancel: {workflow_ref: w}}, steps: [{name: a}]}",
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
    "tasks: [{id: a, workflow_ref: ''}]",
    "tasks: [{id: a, workflow_ref: w, shell: bash}]",
    "tasks: [{id: a, workflow_ref: w, image: alpine}]",
    "hooks: [{run: x}]\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: {}}\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: []}\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: {run: x, notify: 'https://x'}}\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: {run: x, retries: 1}}\ntasks: [{id: a, run: x}]",
    "hooks: {on_end: {run: x}}\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: {notify: []}}\ntasks: [{id: a, run: x}]",
    "hooks: {on_exit: {notify: {title: x}}}\ntasks: [{id: a, run: x}]",
    "tasks: [{id: a, notify: 'https://x'}]",
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
            "dotenv: ['${{ params.x }}']", "dotenv: .env", "working_dir: ''", "if: 5", "max_parallel: 2", "mount: ['.:/w']", "pull: always", "matrix: 5",
            "matrix: {os: []}", "matrix: {os: a}", "matrix: {3x: [a]}", "matrix: {os: [[a]]}", "matrix: {os: ['${{ x }}']}",
            "matrix: {os: [a]}, for_each: [1]", "for_each: x", "services: 5", "services: [5]", "services: {a: {}}",
            "services: {a: {image: x, ports: [0]}}", "services: {a: {image: x, ports: [1:2:3]}}", "artifacts: ['']",
            "services: {a: {image: x, health_check: {}}}", "services: {a: {image: x, health_check: {test: []}}}",
        )
    ),
    "tasks: [{id: a, image: alpine, shell: bash}]",
    "tasks: [{id: a, image: alpine, mount: ['.:w']}]",
    "tasks: [{id: a, workflow_ref: w, services: [x]}]",
    "tasks: [{id: a, image: alpine, pull: sometimes}]",
    "tasks: [{id: a, dag: ''}]",
    "tasks: [{id: a, dag: x, run: y}]",
    "tasks: [{id: a, dag: x, shell: bash}]",
    *(f"tasks: [{{id: a, dag: x, {line}}}]" for line in ("env: {A: b}", "dotenv: [x]", "working_dir: x", "artifacts: [x]")),
    "spec: {}",
    "spec: [{name: a}]",
    "spec: {steps: []}",
    "spec: {steps: {a: {}}}",
    "kind: Orchestra\nspec: {steps: [{name: a}]}",
    "metadata: {nam: x}\nspec: {steps: [{name: a}]}",
    "metadata: {name: a b}\nspec: {steps: [{name: a}]}",
    "colour: blue\nsteps: [{name: a}]",
    *(
        f"steps: [{{name: a, {line}}}]"
        for line in (
            "depends_on: []", "kind: ToolRun", "kind: Checkpoint, run: x", "kind: Tool", "kind: SignalWait, run: x", "kind: ApprovalGate, wait: {seconds: 1}", "run: x, toolRef: {name: x}",
            "toolRef: {name: x}, workflow_ref: x", "toolRef: x", "toolRef: {}", "toolRef: {name: ''}", "timeout: 5", "timeoutSeconds: -1", "timeoutSeconds: .inf", "timeoutSeconds: 5s",
            "with: 5", "dependsOn: a", "dependsOn: [{task: a}]", "shell: bash", "services: [x]", "kind: AgentRun, toolRef: {name: x}",
            "retryBackoffSeconds: 5, retry: {initial: 5}", "orchestrationRef: x", "orchestrationRef: {name: x}, env: {A: b}", "kind: SubOrchestration", "continueOnFailure: 1", "pull: always",
        )
    ),
    "jobs: {}",
    "jobs: [a]",
    "jobs: {a: }",
    "jobs: {a b: {run: x}}",
    "cleanup_policy: no\njobs: {a: {run: x}}",
    *(
        f"jobs: {{a: {{{line}}}}}"
        for line in (
            "", "depends_on: [b], run: x", "run: x, commands: [x]", "run: x, requires: b", "run: x, requires: [{task: b}]",
            "run: x, after: [{job: b}]", "run: x, on_complete: none_failed", "run: x, exclude: [{os: a}]", "run: x, parallel_with: b",
            "run: x, matrix: {os: [a], exclude: []}, exclude: []", "run: x, timeout: 0", "image: x, approval: {}",
            "approval: ok", "approval: {required_role: Boss}", "approval: {inputs: [a]}", "approval: {expires: 0}", "wait: {}",
            "wait: {seconds: 1, file: x}", "wait: {seconds: soon}", "wait: {settle: 1, seconds: 1}", "wait: {signal: x, timezone: UTC}",
            "wait: {file: ''}", "run: x, wait: {seconds: 1}", "approval: {inputs: {a: {type: date}}}",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("text", RIGHT)
def test_schema_and_reader_accept_correct_documents(text: str) -> None:
    assert agreed(text)


@pytest.mark.parametrize("text", WRONG)
def test_schema_and_reader_refuse_wrong_documents(text: str) -> None:
    assert not agreed(text)


@given(st.from_regex(r" ?[0-9.]{0,3}(h|m|s|ms)?[0-9]{0,2}(m|s|ms)? ?", fullmatch=True))
def test_schema_and_reader_accept_the_same_durations(text: str) -> None:
    try:
        taken = seconds(text) > 0
    except ValueError:
        taken = False
    document = {"tasks": [{"id": "a", "run": "x", "timeout": text}]}
    assert VALIDATORS["native"].is_valid(document) == taken


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ({}, {"apiVersion", "kind", "metadata", "spec"}),
        ({"apiVersion": "v1"}, {"apiVersion", "kind", "metadata", "spec"}),
        ({"steps": []}, {"name", "env", "entrypoint", "steps"}),
    ],
)
def test_the_schema_offers_keys_for_an_incomplete_document(begun: dict[str, Any], offered: set[str]) -> None:
    whole = SCHEMAS["steps"]
    branch = whole["then"] if Draft7Validator(whole["if"]).is_valid(begun) else whole["else"]
    name = branch.get("$ref", "").removeprefix("#/definitions/")
    assert offered <= set((whole["definitions"][name] if name else branch)["properties"])


def test_the_dialects_are_listed() -> None:
    assert {each.name: each.keys for each in dialects()} == {
        "native": ("tasks",), "steps": ("spec", "steps"), "jobs": ("jobs",),
    }  # fmt: skip
    with pytest.raises(NotFoundError, match="dialect 'nativ' not found"):
        schema("nativ")
