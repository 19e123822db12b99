"""The CI style: the Dag of a workflow of jobs, and its errors as they are shown."""

from __future__ import annotations

import pytest

from dagrun.core.model import Dag, Dependency, OnError, Task, Trigger
from dagrun.kinds.container import ContainerAction
from dagrun.kinds.shell import ShellAction
from tests.unit.harness import load, read, reported, shown


def needs(text: str) -> dict[str, list[Dependency]]:
    """What each job waits for."""
    return {task.id: list(task.needs) for task in read(text).tasks}


def job(line: str) -> Task:
    """The first job of a workflow."""
    return read(f"jobs: {{a: {{{line}}}, b: {{run: x}}, c: {{run: x}}}}").tasks[0]


def test_a_whole_workflow() -> None:
    dag = read(
        """
        name: ci
        description: Build and test
        env: {VERSION: 1.10}
        params: {region: eu}
        cleanup_policy: keep
        jobs:
          build:
            image: builder:1
            commands: [make, make check]
            artifacts: [dist/*.whl]
            timeout: 600
          test:
            requires: [build]
            run: pytest
            shell: bash
            params: {region: "${{ params.region }}"}
            retries: 1
            if: "${{ jobs.build.status == 'success' }}"
        """
    )
    assert (dag.name, dag.description, dag.env) == ("ci", "Build and test", {"VERSION": "1.10"})
    assert (dag.on_error, dag.timeout, dag.cleanup) == (OnError.CONTINUE, 3600, "keep")
    build, test = dag.tasks
    assert build.action == ContainerAction("builder:1", ("make", "make check"))
    assert (build.artifacts, build.timeout, test.timeout) == (("dist/*.whl",), 600, 300)
    assert (test.action, test.retry.retries) == (ShellAction(("pytest",), "bash"), 1)
    assert (test.needs, test.condition) == ((Dependency("build"),), "${{ jobs.build.status == 'success' }}")


def test_an_image_alone_runs_its_own_command() -> None:
    assert job("image: alpine").action == ContainerAction("alpine")


def test_a_condition_applies_to_its_own_dependency() -> None:
    assert job("run: x, requires: [b, {job: c, condition: failure}]").needs == (
        Dependency("b"), Dependency("c", Trigger.FAILURE),
    )  # fmt: skip


def test_after_is_order_only_and_requires_wins() -> None:
    assert job("run: x, after: [b, c], requires: [b]").needs == (
        Dependency("b"),
        Dependency("c", Trigger.ALWAYS),
    )


def test_a_finaliser_waits_for_all_jobs_that_are_not_finalisers() -> None:
    text = """
        jobs:
          report: {run: x, on_complete: always}
          build: {run: x}
          test: {run: x, requires: [build]}
          alert: {run: x, on_complete: failure, requires: []}
          clean: {run: x, on_complete: always, after: [build]}
    """
    expected = [Dependency("build"), Dependency("test"), Dependency("clean")]
    assert (needs(text)["report"], needs(text)["alert"]) == (expected, expected)
    assert [str(task.trigger) for task in read(text).tasks] == [
        "always",
        "success",
        "success",
        "failure",
        "always",
    ]


def test_exclude_and_include_are_inside_or_next_to_the_matrix() -> None:
    inside = job("run: x, matrix: {v: [3.9, 3.10], exclude: [{v: 3.10}], include: [{v: 3.11}]}")
    beside = job("run: x, matrix: {v: [3.9, 3.10]}, exclude: [{v: 3.10}], include: [{v: 3.11}]")
    assert inside.matrix == beside.matrix
    assert beside.matrix is not None
    assert beside.matrix.exclude == ({"v": "3.10"},)


def test_jobs_can_run_in_parallel() -> None:
    assert job("run: x, parallel_with: [b, c, b]").parallel_with == ("b", "c")


def test_a_workflow_takes_its_name_from_its_file() -> None:
    assert read("jobs: {a: {run: x}}", name="ci").name == "ci"


def test_others_can_require_a_job_with_errors() -> None:
    dag, findings = load("jobs: {a: {run: 5}, b: {run: x, requires: [a]}}", name="d")
    assert findings.count("error:") == 1
    assert isinstance(dag, Dag)
    assert [task.id for task in dag.tasks] == ["a", "b"]


WRONG: dict[str, tuple[str, str]] = {
    "no action": (
        "jobs:\n  a: {requires: [b]}\n  b: {run: x}",
        """
        dag.yaml:2:6: error: the job has no action [no-action]
            2 |   a: {requires: [b]}
              |      ^
          help: give it one of 'workflow_ref', 'run', 'commands', 'image', 'approval', 'wait', 'dag'
        """,
    ),
    "a job that is text": (
        "jobs:\n  a: make",
        """
        dag.yaml:2:6: error: a job must be a mapping [invalid-value]
            2 |   a: make
              |      ^
          help: write `run: make`
        """,
    ),
    "jobs as a list": (
        "jobs:\n  - name: a",
        """
        dag.yaml:2:3: error: 'jobs' must be a mapping of jobs [invalid-value]
            2 |   - name: a
              |   ^
          help: begin each with `my-job:`
        """,
    ),
    "no jobs": (
        "jobs: {}",
        """
        dag.yaml:1:1: error: ValidationError: DAG must have at least one task [no-tasks]
            1 | jobs: {}
              | ^
        """,
    ),
    "a name that is none": (
        "jobs:\n  a b: {run: x}",
        """
        dag.yaml:2:3: error: 'a b' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters [invalid-value]
            2 |   a b: {run: x}
              |   ^
        """,
    ),
    "a job that does not exist": (
        "jobs:\n  build: {run: x}\n  test: {run: x, requires: [{job: biuld, condition: always}]}",
        """
        dag.yaml:3:29: error: ValidationError: Task 'test' depends on non-existent task 'biuld' [unknown-task]
            3 |   test: {run: x, requires: [{job: biuld, condition: always}]}
              |                             ^
          help: did you mean 'build'?
        """,
    ),
    "an ordering after nothing": (
        "jobs:\n  a: {run: x, after: [b]}",
        """
        dag.yaml:2:23: error: ValidationError: Task 'a' depends on non-existent task 'b' [unknown-task]
            2 |   a: {run: x, after: [b]}
              |                       ^
        """,
    ),
    "a circle": (
        "jobs:\n  a: {run: x, requires: [b]}\n  b: {run: x, after: [a]}",
        """
        dag.yaml:2:26: error: CycleDetectedError: Cycle detected in DAG 'my_dag': a -> b -> a [cycle]
            2 |   a: {run: x, requires: [b]}
              |                          ^
          help: each task depends on the next; remove one of these dependencies
        """,
    ),
    "a finaliser that something waits for": (
        "jobs:\n  a: {run: x, requires: [end]}\n  end: {run: x, on_complete: always}",
        """
        dag.yaml:2:26: error: CycleDetectedError: Cycle detected in DAG 'my_dag': a -> end -> a [cycle]
            2 |   a: {run: x, requires: [end]}
              |                          ^
          help: 'end' has no dependencies of its own, so it waits for all other jobs: give it 'requires' or 'after'
        """,
    ),
    "a misspelt condition": (
        "jobs:\n  a: {run: x}\n  b: {run: x, requires: [{job: a, conditon: always}]}",
        """
        dag.yaml:3:35: error: unknown key 'conditon' [unknown-key]
            3 |   b: {run: x, requires: [{job: a, conditon: always}]}
              |                                   ^
          help: did you mean 'condition'?
        """,
    ),
    "no such condition": (
        "jobs:\n  a: {run: x, on_complete: never}",
        """
        dag.yaml:2:28: error: 'on_complete' must be 'success', 'failure' or 'always' [invalid-value]
            2 |   a: {run: x, on_complete: never}
              |                            ^
        """,
    ),
    "excludes in both places": (
        "jobs:\n  a: {run: x, matrix: {os: [a, b], exclude: [{os: a}]}, exclude: [{os: b}]}",
        """
        dag.yaml:2:57: error: 'exclude' and 'matrix.exclude' mean the same; keep one [two-spellings]
            2 |   a: {run: x, matrix: {os: [a, b], exclude: [{os: a}]}, exclude: [{os: b}]}
              |                                                         ^
        """,
    ),
    "an exclude of no matrix": (
        "jobs:\n  a: {run: x, exclude: [{os: b}]}",
        """
        dag.yaml:2:15: error: 'exclude' needs 'matrix' [misplaced-key]
            2 |   a: {run: x, exclude: [{os: b}]}
              |               ^
        """,
    ),
    "an exclude beside the matrix that matches nothing": (
        "jobs:\n  a:\n    run: x\n    matrix: {os: [a, b]}\n    exclude:\n      - os: c",
        """
        dag.yaml:6:9: error: no combination of the matrix has os=c [no-such-variant]
            6 |       - os: c
              |         ^
          help: 'os' has: a, b
        """,
    ),
    "a word of another dialect": (
        "jobs:\n  a: {run: x}\n  b: {run: x, depends_on: [a]}",
        """
        dag.yaml:3:15: error: unknown key 'depends_on' [unknown-key]
            3 |   b: {run: x, depends_on: [a]}
              |               ^
          help: here it is 'requires'
        """,
    ),
    "a job that is no ancestor": (
        "jobs:\n  a: {run: x}\n  b: {run: x, if: jobs.a.status == 'success'}",
        """
        dag.yaml:3:24: error: 'a' is not an ancestor of this task: its result may not exist when this task starts [invalid-expression]
            3 |   b: {run: x, if: jobs.a.status == 'success'}
              |                        ^
          help: add 'a' to what this task depends on
        """,
    ),
    "no such policy": (
        "cleanup_policy: never\njobs: {a: {run: x}}",
        """
        dag.yaml:1:17: error: 'cleanup_policy' must be 'remove_on_completion', 'keep' or 'keep_on_failure' [invalid-value]
            1 | cleanup_policy: never
              |                 ^
        """,
    ),
}


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_an_error_is_shown_at_its_place(document: str, expected: str) -> None:
    assert reported(document) == shown(expected)
