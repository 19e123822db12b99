"""The key `hooks`: what it may hold, in every dialect, and every mistake with its place."""

from __future__ import annotations

import pytest

from tests.unit.harness import read, reported

DIALECTS = {
    "native": "tasks: [{{id: a, run: x}}]\nhooks: {hooks}",
    "jobs": "jobs: {{a: {{run: x}}}}\nhooks: {hooks}",
    "steps": "spec: {{steps: [{{name: a, run: x}}], hooks: {hooks}}}",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_has_the_same_hooks(dialect: str) -> None:
    hooks = "{on_failure: [{run: x, timeout: 10s}, {workflow_ref: w, params: {n: 1}}], on_exit: {commands: [a, b], env: {A: 1.10}}}"
    dag = read(DIALECTS[dialect].format(hooks=hooks))
    assert [(hook.on, hook.task.id, hook.task.kind, hook.task.timeout) for hook in dag.hooks] == [
        ("on_failure", "hook:on_failure", "shell", 10.0),
        ("on_failure", "hook:on_failure.2", "workflow", 300.0),
        ("on_exit", "hook:on_exit", "shell", 300.0),
    ]
    assert dag.hooks[2].task.env == {"A": "1.10"}


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        ("5", "'hooks' must be a mapping"),
        ("{on_end: {run: x}}", "unknown key 'on_end'"),
        ("{run: x}", "help: write it below on_failure or another key"),
        ("{on_exit: x}", "help: write `run: x`"),
        ("{on_exit: []}", "'on_exit' has no hook"),
        ("{on_exit: {}}", "the hook has no action"),
        ("{on_exit: {run: x, workflow_ref: w}}", "a hook has one action, but this one has"),
        ("{on_exit: {run: x, if: 'true'}}", "help: the key above says when it runs"),
        ("{on_exit: {dag: x}}", "help: a hook cannot wait: use a task"),
        ("{on_exit: {run: x, pull: always}}", "'pull' needs 'image'"),
        ("{on_exit: {notify: 'https://x', env: {A: b}}}", "'env' has no effect with 'notify'"),
        ("{on_exit: {run: 'echo ${{ tasks.b.error }}'}}", "unknown task 'b'"),
        ("{on_exit: {run: 'echo ${{ secrets.S }}'}}", "'secrets' can be read only in 'env'"),
        ("{on_interrupted: {run: x}}", "unknown key 'on_interrupted'"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(hooks: str, message: str) -> None:
    assert message in reported(DIALECTS["native"].format(hooks=hooks))


def test_one_wrong_hook_does_not_hide_another() -> None:
    lines = reported(
        """
        tasks: [{id: a, run: x}]
        hooks:
          on_failure: [{run: x, retries: 1}, {run: "echo ${{ params.x }}"}]
          on_exit: {}
        """
    ).splitlines()
    assert [line for line in lines if line.startswith("dag.yaml:")] == [
        "dag.yaml:3:25: error: unknown key 'retries' [unknown-key]",
        "dag.yaml:4:12: error: the hook has no action [no-action]",
        "dag.yaml:3:61: error: undeclared parameter 'x' [invalid-expression]",
    ]


def test_a_hook_reads_the_outcome_and_every_task() -> None:
    text = "echo ${{ run.status }} ${{ run.failed }} ${{ tasks.a.log_tail }} ${{ tasks.a.error }}"
    assert reported(DIALECTS["native"].format(hooks=f"{{on_exit: {{run: '{text}'}}}}")) == ""
