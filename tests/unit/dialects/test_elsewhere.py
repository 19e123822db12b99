"""Words that people bring from elsewhere: each is told with what it is here, and once."""

from __future__ import annotations

import pytest

from tests.unit.harness import shown, told

ONE = {
    "tasks": "tasks:\n  - id: a\n    run: x\n    {}",
    "steps": "steps:\n  - name: a\n    run: x\n    {}",
    "jobs": "jobs:\n  a:\n    run: x\n    {}",
}


@pytest.mark.parametrize(
    ("dialect", "word", "help"),
    [
        ("tasks", "dependsOn", "here it is 'depends_on'"),
        ("tasks", "requires", "here it is 'depends_on'"),
        ("tasks", "on_complete", "here it is 'trigger'"),
        ("tasks", "timeoutSeconds", "here it is 'timeout'"),
        ("tasks", "toolRef", "here it is 'workflow_ref'"),
        ("tasks", "loop", "here it is 'for_each'"),
        ("steps", "depends_on", "here it is 'dependsOn'"),
        ("steps", "params", "here it is 'with'"),
        ("steps", "when", "here it is 'if'"),
        ("steps", "timeout", "here it is 'timeoutSeconds'"),
        ("steps", "withItems", "here it is 'for_each'"),
        ("jobs", "needs", "here it is 'requires'"),
        ("jobs", "script", "here it is 'commands'"),
        ("jobs", "steps", "here it is 'commands'"),
        ("jobs", "strategy", "here it is 'matrix'"),
        ("jobs", "when", "here it is 'on_complete'"),
        ("jobs", "allow_failure", "here it is 'continue_on_failure'"),
        ("jobs", "continue-on-error", "here it is 'continue_on_failure'"),
        ("jobs", "timeout-minutes", "here it is 'timeout'"),
        ("jobs", "runs-on", "it runs on this machine, or with 'image' in a container"),
        ("jobs", "stage", "the order follows from what waits for what"),
        ("jobs", "retrys", "did you mean 'retry'?"),
    ],
)
def test_a_word_from_elsewhere_is_told_with_what_it_is_here(dialect: str, word: str, help: str) -> None:
    assert told(ONE[dialect].format(f"{word}: 1")) == shown(
        f"""
        dag.yaml:4:5: error: unknown key '{word}' [unknown-key]
            4 |     {word}: 1
              |     ^
          help: {help}
        """
    )


@pytest.mark.parametrize(
    ("document", "word", "help"),
    [
        ("tasks:\n  - name: a\n    run: x\n  - id: b\n    run: x\n    depends_on: [a]", "name", "here it is 'id'"),
        ("steps:\n  - id: a\n    run: x\n  - name: b\n    dependsOn: [a]", "id", "here it is 'name'"),
        ("jobs:\n  a:\n    script: [x]", "script", "here it is 'commands'"),
        ("jobs:\n  a:\n    command: x", "command", "did you mean 'commands'?"),
        ("jobs:\n  a:\n    uses: x", "uses", "there are no actions to use: say with 'run' what it does"),
        ("jobs:\n  a: {run: x}\n  b: {run: x, requires: [{task: a}]}", "task", "here it is 'job'"),
        ("tasks:\n  - {id: a, run: x}\n  - {id: b, run: x, depends_on: [{job: a}]}", "job", "here it is 'task'"),
        ("job:\n  a: {run: x}", "job", "did you mean 'jobs'?"),
        ("step:\n  - {name: a}", "step", "did you mean 'steps'?"),
        ("spec:\n  tasks: [{name: a}]", "tasks", "here it is 'steps'"),
        ("name: d\nspec: {steps: [{name: a}]}", "name", "here it is 'metadata'"),
        ("on: push\njobs: {a: {run: x}}", "on", "what starts a run by itself stands in configs/schedules/"),
    ],
)  # fmt: skip
def test_one_mistake_is_told_once(document: str, word: str, help: str) -> None:
    error, *_, advice = told(document).splitlines()
    assert error.endswith(f"error: unknown key '{word}' [unknown-key]")
    assert advice == f"  help: {help}"
    assert told(document).count("error:") == 1


@pytest.mark.parametrize(
    ("document", "error", "help"),
    [
        ("steps: [{name: a, toolRef: sweep}]", "'toolRef' must be a mapping", "write {name: sweep}"),
        ("steps: [{name: a, timeoutSeconds: 10m}]", "'timeoutSeconds' must be a number", "write it in seconds: 600"),
        ("steps: [{name: a, timeoutSeconds: soon}]", "'timeoutSeconds' must be a number", ""),
        ("jobs: {a: {run: x, on_complete: allways}}", "'on_complete' must be 'success', 'failure' or 'always'", "did you mean 'always'?"),
        ("jobs: {a: {run: x, on_complete: true}}", "'on_complete' must be 'success', 'failure' or 'always'", ""),
        ("jobs: {a: {run: x, matrix: [1]}}", "'matrix' must be a mapping", "give it an axis: `os: [ubuntu, alpine]`"),
        ("jobs: {a: {run: x, matrix: {v: '${{ params.v }}'}}}", "'v' must be a list", "a list that only the run knows stands in 'for_each'"),
        ("tasks: [{id: a, run: x, for_each: params.v}]", "'for_each' must be a list, or one whole ${{ }} that gives one", "write ${{ params.v }}, or a list"),
    ],
)  # fmt: skip
def test_a_value_of_another_shape_is_told_with_the_right_one(document: str, error: str, help: str) -> None:
    lines = told(document).splitlines()
    assert f"error: {error} [invalid-value]" in lines[0]
    assert lines[3:] == ([f"  help: {help}"] if help else [])
