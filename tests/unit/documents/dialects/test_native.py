"""The native dialect: the Dag of a document, and its errors as they are shown."""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.core.model import HealthCheck, OnError, Param, Retry, ServiceContainer, Task
from dagrun.kinds.container import ContainerAction
from dagrun.kinds.shell import ShellAction
from dagrun.kinds.workflow import WorkflowAction
from tests.unit.harness import load, read, reported, shown


def one(line: str) -> Task:
    """The only task of a document whose task says `line` besides its id and action."""
    return read(f"tasks: [{{id: a, run: 'true', {line}}}]").tasks[0]


# --- what a document means ---


def test_a_whole_document() -> None:
    dag = read(
        """
        name: weekly
        description: Every week
        tenant_id: acme
        on_error: continue
        max_parallel: 3
        timeout: 1h
        tasks:
          - id: sweep
            workflow_ref: inbox_drive_sweep
            description: Sweeps
            params: {items: [1, two]}
            timeout: 90s
            working_dir: sub
            continue_on_failure: true
            on_error: stop_all
          - id: report
            depends_on: [sweep]
            commands: [make, make check]
            shell: bash
        """
    )
    assert (dag.name, dag.description, dag.tenant) == ("weekly", "Every week", "acme")
    assert (dag.on_error, dag.max_parallel, dag.timeout) == (OnError.CONTINUE, 3, 3600.0)
    sweep, report = dag.tasks
    assert (sweep.action, sweep.description) == (WorkflowAction("inbox_drive_sweep"), "Sweeps")
    assert (sweep.params, sweep.timeout, sweep.working_dir) == ({"items": [1, "two"]}, 90.0, "sub")
    assert (sweep.continue_on_failure, sweep.on_error) == (True, OnError.STOP_ALL)
    assert (report.action, [need.task for need in report.needs]) == (
        ShellAction(("make", "make check"), "bash"),
        ["sweep"],
    )


def test_missing_keys_have_defaults() -> None:
    dag = read("tasks: [{id: a, run: 'true'}]")
    assert (dag.name, dag.tenant, dag.on_error, dag.timeout) == (
        "my_dag",
        "local-dev",
        OnError.STOP_ALL,
        None,
    )
    assert dag.tasks[0] == Task(id="a", action=ShellAction(("true",)))


def test_a_document_without_a_name_takes_that_of_its_file() -> None:
    assert read("tasks: [{id: a, run: x}]", name="nightly").name == "nightly"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("90.5", 90.5), ("'90'", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("250ms", 0.25)],
)
def test_a_timeout_is_a_duration(written: str, seconds: float) -> None:
    assert one(f"timeout: {written}").timeout == seconds


def test_missing_and_empty_dependencies_are_the_same() -> None:
    assert one("depends_on: []").needs == ()


def test_a_dependency_listed_twice_is_one_dependency() -> None:
    dag = read(
        """
        tasks:
          - {id: a, run: x}
          - {id: b, run: x}
          - {id: c, run: x, depends_on: [b, a, {task: b}, a]}
        """
    )
    assert [need.task for need in dag.tasks[2].needs] == ["b", "a"]


@pytest.mark.parametrize(
    ("written", "retry"),
    [
        ("retries: 2", Retry(retries=2)),
        ("retry: {max_attempts: 3}", Retry(retries=2)),
        ("retries: 1, retry: {initial: 5s}", Retry(retries=1, initial=5)),
        (
            "retry: {max_attempts: 2, factor: 3, max: 1m, jitter: 0}",
            Retry(retries=1, factor=3, max=60, jitter=0),
        ),
        ("retries: 1, retry: {on_exit_codes: [75]}", Retry(retries=1, on_exit_codes=(75,))),
        ("retries: 1, retry: {on_errors: [OSError]}", Retry(retries=1, on_errors=("OSError",))),
    ],
)
def test_retries(written: str, retry: Retry) -> None:
    assert one(written).retry == retry


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("3.10", "3.10"), ("on", "on"), ("yes", "yes"), ("0755", "0755"), ("true", "true"), ("1e3", "1e3"),
        ("", ""), ("~", ""), ("null", ""), ("'null'", "null"), ('"  "', "  "), ("a b", "a b"), ("0x1F", "0x1F"),
        ("2025-10-03", "2025-10-03"), ('"one\\ntwo"', "one\ntwo"),
    ],
)  # fmt: skip
def test_an_environment_value_keeps_the_text_that_was_written(written: str, text: str) -> None:
    dag = read(f"env:\n  X: {written}\ntasks:\n  - id: a\n    run: x\n    env:\n      X: {written}\n")
    assert (dag.env["X"], dag.tasks[0].env["X"]) == (text, text)


def test_a_parameter_is_a_default_or_a_declaration() -> None:
    dag = read(
        """
        params:
          region: eu
          day: {type: string, required: true, description: Which day}
          size: {type: integer, default: 3, enum: [3, 5]}
          options: {depth: 2}
        tasks: [{id: a, run: x}]
        """
    )
    assert dag.params == (
        Param(name="region", default="eu"),
        Param(name="day", type="string", required=True, description="Which day"),
        Param(name="size", type="integer", default=3, enum=(3, 5)),
        Param(name="options", default={"depth": 2}),
    )


DEFAULTS = """
defaults:
  retries: 1
  timeout: 5m
  shell: bash
  on_error: continue
  continue_on_failure: true
  working_dir: sub
  env: {A: default, B: default}
  params: {a: default, b: default}
tasks:
  - {id: silent, run: x}
  - id: loud
    run: x
    retries: 0
    timeout: 10s
    shell: zsh
    on_error: stop_all
    continue_on_failure: false
    working_dir: other
    env: {B: own}
    params: {b: own}
"""


def test_defaults_apply_to_a_task_without_the_key() -> None:
    silent = read(DEFAULTS).tasks[0]
    assert (silent.retry.retries, silent.timeout, silent.action) == (1, 300.0, ShellAction(("x",), "bash"))
    assert (silent.on_error, silent.continue_on_failure) == (OnError.CONTINUE, True)
    assert silent.working_dir == "sub"


def test_the_keys_of_a_task_win_over_the_defaults() -> None:
    loud = read(DEFAULTS).tasks[1]
    assert (loud.retry.retries, loud.timeout, loud.action) == (0, 10.0, ShellAction(("x",), "zsh"))
    assert (loud.on_error, loud.continue_on_failure) == (OnError.STOP_ALL, False)
    assert loud.working_dir == "other"


def test_environment_and_parameters_merge_with_the_defaults() -> None:
    silent, loud = read(DEFAULTS).tasks
    assert silent.env == {"A": "default", "B": "default"}
    assert (loud.env, loud.params) == ({"A": "default", "B": "own"}, {"a": "default", "b": "own"})


@pytest.mark.parametrize(
    ("document", "tolerated", "skipping"),
    [
        ("tasks: [{id: a, run: x, continue_on_failure: {exit_codes: [1, 2, 1]}}]", (1, 2), ()),
        ("tasks: [{id: a, run: x, skip_on_exit_codes: [99]}]", (), (99,)),
        ("defaults: {skip_on_exit_codes: [99]}\ntasks: [{id: a, run: x}]", (), (99,)),
        ("jobs: {a: {run: x, continue_on_failure: {exit_codes: [1]}, skip_on_exit_codes: [9]}}", (1,), (9,)),
        (
            "steps: [{name: a, run: x, continueOnFailure: {exit_codes: [1]}, skip_on_exit_codes: [9]}]",
            (1,),
            (9,),
        ),
    ],
)
def test_exit_codes_may_be_tolerated_or_skip_the_task(
    document: str, tolerated: tuple[int, ...], skipping: tuple[int, ...]
) -> None:
    (task,) = read(document).tasks
    assert (task.continue_on_failure, task.tolerated_exit_codes) == (False, tolerated)
    assert task.skip_on_exit_codes == skipping


def test_the_retry_of_a_task_replaces_the_retries_of_the_defaults() -> None:
    dag = read("defaults: {retries: 4}\ntasks: [{id: a, run: x, retry: {max_attempts: 2}}]")
    assert dag.tasks[0].retry == Retry(retries=1)


# --- what a person reads when a document is wrong ---

WRONG: dict[str, tuple[str, str]] = {
    "exit codes where true or false is expected": (
        """
        tasks:
          - {id: a, run: x, continue_on_failure: 2}
        """,
        """
        dag.yaml:2:42: error: 'continue_on_failure' must be true or false [invalid-value]
            2 |   - {id: a, run: x, continue_on_failure: 2}
              |                                          ^
          help: to tolerate only certain exit codes write {exit_codes: [2]}
        """,
    ),
    "an exit code that no command has": (
        """
        tasks:
          - {id: a, run: x, skip_on_exit_codes: [0]}
        """,
        """
        dag.yaml:2:42: error: an entry of 'skip_on_exit_codes' must be at least 1 [invalid-value]
            2 |   - {id: a, run: x, skip_on_exit_codes: [0]}
              |                                          ^
        """,
    ),
    "exit codes of what has none": (
        """
        tasks:
          - {id: a, workflow_ref: w, skip_on_exit_codes: [9]}
        """,
        """
        dag.yaml:2:30: error: 'skip_on_exit_codes' needs 'run', 'commands' or 'image' [misplaced-key]
            2 |   - {id: a, workflow_ref: w, skip_on_exit_codes: [9]}
              |                              ^
        """,
    ),
    "an unknown key with a near miss": (
        """
        tasks:
          - id: a
            run: x
            dependson: [b]
        """,
        """
        dag.yaml:4:5: error: unknown key 'dependson' [unknown-key]
            4 |     dependson: [b]
              |     ^
          help: did you mean 'depends_on'?
        """,
    ),
    "an unknown key that is near nothing": (
        """
        colour: blue
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:1: error: unknown key 'colour' [unknown-key]
            1 | colour: blue
              | ^
        """,
    ),
    "a misspelt `tasks`": (
        """
        taks: []
        """,
        """
        dag.yaml:1:1: error: unknown key 'taks' [unknown-key]
            1 | taks: []
              | ^
          help: did you mean 'tasks'?
        """,
    ),
    "a number for text": (
        """
        tasks:
          - {id: a, run: 5}
        """,
        """
        dag.yaml:2:18: error: 'run' must be text [invalid-value]
            2 |   - {id: a, run: 5}
              |                  ^
          help: put it in quotes
        """,
    ),
    "text for a number": (
        """
        tasks:
          - {id: a, run: x, retries: many}
        """,
        """
        dag.yaml:2:30: error: 'retries' must be a whole number [invalid-value]
            2 |   - {id: a, run: x, retries: many}
              |                              ^
        """,
    ),
    "a number that is too small": (
        """
        tasks:
          - {id: a, run: x, retries: -1}
        """,
        """
        dag.yaml:2:30: error: 'retries' must be at least 0 [invalid-value]
            2 |   - {id: a, run: x, retries: -1}
              |                              ^
        """,
    ),
    "text for a list": (
        """
        tasks:
          - {id: a, run: x, depends_on: b}
        """,
        """
        dag.yaml:2:33: error: 'depends_on' must be a list [invalid-value]
            2 |   - {id: a, run: x, depends_on: b}
              |                                 ^
          help: write a list: [b]
        """,
    ),
    "a missing id": (
        """
        tasks:
          - {run: x}
        """,
        """
        dag.yaml:2:5: error: missing key 'id' [missing-key]
            2 |   - {run: x}
              |     ^
        """,
    ),
    "an id that is no name": (
        """
        tasks:
          - {id: ../x, run: x}
        """,
        """
        dag.yaml:2:10: error: '../x' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters [invalid-value]
            2 |   - {id: ../x, run: x}
              |          ^
        """,
    ),
    "no action": (
        """
        tasks:
          - id: a
        """,
        """
        dag.yaml:2:5: error: the task has no action [no-action]
            2 |   - id: a
              |     ^
          help: give it one of 'workflow_ref', 'run', 'commands', 'image', 'approval', 'wait', 'dag'
        """,
    ),
    "two actions": (
        """
        tasks:
          - id: a
            run: x
            workflow_ref: w
        """,
        """
        dag.yaml:3:5: error: a task has one action, but this one has 'workflow_ref' and 'run' [two-actions]
            3 |     run: x
              |     ^
        """,
    ),
    "two spellings": (
        """
        tasks:
          - id: a
            run: x
            retries: 2
            retry: {max_attempts: 3}
        """,
        """
        dag.yaml:4:5: error: 'retries' and 'retry.max_attempts' mean the same; keep one [two-spellings]
            4 |     retries: 2
              |     ^
        """,
    ),
    "no duration": (
        """
        tasks:
          - {id: a, run: x, timeout: soon}
        """,
        """
        dag.yaml:2:30: error: 'timeout': not a duration; write a number of seconds, or text such as '90s', '10m' or '1h30m' [invalid-value]
            2 |   - {id: a, run: x, timeout: soon}
              |                              ^
        """,
    ),
    "no time at all": (
        """
        timeout: 0
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:10: error: 'timeout' must be more than 0 seconds [invalid-value]
            1 | timeout: 0
              |          ^
        """,
    ),
    "no such choice": (
        """
        on_error: ignore
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:11: error: 'on_error' must be 'stop_all' or 'continue' [invalid-value]
            1 | on_error: ignore
              |           ^
        """,
    ),
    "no boolean": (
        """
        tasks:
          - {id: a, run: x, continue_on_failure: "yes"}
        """,
        """
        dag.yaml:2:42: error: 'continue_on_failure' must be true or false [invalid-value]
            2 |   - {id: a, run: x, continue_on_failure: "yes"}
              |                                          ^
          help: write true
        """,
    ),
    "tasks as a map": (
        """
        tasks: {a: {run: x}}
        """,
        """
        dag.yaml:1:8: error: 'tasks' must be a list of tasks [invalid-value]
            1 | tasks: {a: {run: x}}
              |        ^
          help: begin each with `- id:`
        """,
    ),
    "a task that is text": (
        """
        tasks:
          - hello
        """,
        """
        dag.yaml:2:5: error: a task must be a mapping with an 'id' [invalid-value]
            2 |   - hello
              |     ^
        """,
    ),
    "a key for another kind of task": (
        """
        tasks:
          - {id: a, workflow_ref: w, shell: bash}
        """,
        """
        dag.yaml:2:30: error: 'shell' needs 'run' or 'commands' [misplaced-key]
            2 |   - {id: a, workflow_ref: w, shell: bash}
              |                              ^
        """,
    ),
    "an environment value that is a list": (
        """
        env: {A: [1]}
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:10: error: 'A' must be text [invalid-value]
            1 | env: {A: [1]}
              |          ^
        """,
    ),
    "a default for what cannot have one": (
        """
        defaults: {id: x}
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:12: error: unknown key 'id' [unknown-key]
            1 | defaults: {id: x}
              |            ^
          help: it belongs to each task
        """,
    ),
    "a key with nothing after it": (
        """
        tasks:
          - {id: a, run: }
        """,
        """
        dag.yaml:2:18: error: 'run' must have a value; remove the key if it is not needed [invalid-value]
            2 |   - {id: a, run: }
              |                  ^
        """,
    ),
    "a misspelt key of an edge": (
        """
        tasks:
          - {id: a, run: x, depends_on: [{task: b, triger: always}]}
        """,
        """
        dag.yaml:2:44: error: unknown key 'triger' [unknown-key]
            2 |   - {id: a, run: x, depends_on: [{task: b, triger: always}]}
              |                                            ^
          help: did you mean 'trigger'?
        """,
    ),
    "a misspelt key of a retry": (
        """
        tasks:
          - {id: a, run: x, retry: {initail: 5s}}
        """,
        """
        dag.yaml:2:29: error: unknown key 'initail' [unknown-key]
            2 |   - {id: a, run: x, retry: {initail: 5s}}
              |                             ^
          help: did you mean 'initial'?
        """,
    ),
    "an expression where none is evaluated": (
        """
        tasks:
          - {id: a, run: x, shell: "${{ params.x }}"}
        """,
        """
        dag.yaml:2:28: error: 'shell' must not contain ${{ }}, which is not evaluated here [invalid-value]
            2 |   - {id: a, run: x, shell: "${{ params.x }}"}
              |                            ^
        """,
    ),
    "a shell that is no command line": (
        """
        tasks:
          - {id: a, run: x, shell: "'"}
        """,
        """
        dag.yaml:2:28: error: 'shell' must be a command line: no closing quotation [invalid-value]
            2 |   - {id: a, run: x, shell: "'"}
              |                            ^
        """,
    ),
    "a variable that cannot be one": (
        """
        env: {3X: y}
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:7: error: '3X' is not a valid name of an environment variable [invalid-value]
            1 | env: {3X: y}
              |       ^
        """,
    ),
    "retries in two spellings in the defaults": (
        """
        defaults: {retries: 1, retry: {max_attempts: 2}}
        tasks: [{id: a, run: x}]
        """,
        """
        dag.yaml:1:12: error: 'retries' and 'retry.max_attempts' mean the same; keep one [two-spellings]
            1 | defaults: {retries: 1, retry: {max_attempts: 2}}
              |            ^
        """,
    ),
    "a duplicate key": (
        """
        tasks:
          - {id: a, run: x, run: y}
        """,
        """
        dag.yaml:2:21: error: key 'run' is written twice, first on line 2 [duplicate-key]
            2 |   - {id: a, run: x, run: y}
              |                     ^
        """,
    ),
}


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_an_error_is_shown_at_its_place(document: str, expected: str) -> None:
    assert reported(document) == shown(expected)


@pytest.mark.parametrize("document", ["tasks: []", "tasks:"])
def test_a_dag_needs_a_task(document: str) -> None:
    assert reported(document) == shown(
        f"""
        dag.yaml:1:1: error: ValidationError: DAG must have at least one task [no-tasks]
            1 | {document}
              | ^
        """
    )


@pytest.mark.parametrize("document", ["name: d", "defaults: {}"])
def test_a_similar_key_gets_the_right_one_as_advice(document: str) -> None:
    assert reported(document) == shown(
        f"""
        dag.yaml:1:1: error: ValidationError: DAG must have at least one task [no-tasks]
            1 | {document}
              | ^
          help: write the tasks under 'tasks:'
        """
    )


def test_an_inline_document_needs_a_name() -> None:
    assert reported("tasks: [{id: a, run: x}]", name=None) == shown(
        """
        dag.yaml:1:1: error: the DAG needs a name: text without a file has no default name [missing-name]
            1 | tasks: [{id: a, run: x}]
              | ^
          help: add `name: my_dag`
        """
    )


def test_an_invalid_file_name_is_reported() -> None:
    assert reported("tasks: [{id: a, run: x}]", name="my dag").startswith(
        "dag.yaml:1:1: error: the DAG needs a name: 'my dag' is not a valid name: letters, digits"
    )


LATER: list[tuple[str, Any, str]] = [
    ("target", "_any", "executors on many machines"),
]


@pytest.mark.parametrize(("key", "value", "feature"), LATER)
def test_a_key_of_a_later_version_is_refused_by_name(key: str, value: str, feature: str) -> None:
    assert reported(f"tasks:\n  - id: a\n    run: x\n    {key}: {value}\n") == shown(
        f"""
        dag.yaml:4:5: error: '{key}' ({feature}) is not supported yet [not-supported-yet]
            4 |     {key}: {value}
              |     ^
        """
    )


@pytest.mark.parametrize(
    "key", ["image: alpine", "dag: other", "approval: {prompt: ok}", "wait: {seconds: 1}"]
)
def test_an_action_of_a_later_version_counts_as_an_action(key: str) -> None:
    assert "[no-action]" not in reported(f"tasks: [{{id: a, {key}}}]")


def test_one_error_does_not_hide_another() -> None:
    findings = reported(
        """
        on_eror: continue
        tasks:
          - {id: a, run: 5}
          - {id: b}
          - {id: c, run: x, depends_on: [d]}
          - {id: c, run: x}
        """
    )
    assert [line.rpartition(" [")[2] for line in findings.splitlines() if ": error: " in line] == [
        "unknown-key]", "invalid-value]", "no-action]", "unknown-task]", "duplicate-id]",
    ]  # fmt: skip


def test_others_can_depend_on_a_task_with_errors() -> None:
    dag, findings = load("name: d\ntasks: [{id: a, run: 5}, {id: b, run: x, depends_on: [a]}]")
    assert findings.count("error:") == 1
    assert dag is not None
    assert [task.id for task in dag.tasks] == ["a", "b"]


# --- containers, services, artifacts, for_each ---


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("image: alpine", ContainerAction("alpine")),
        ("image: alpine, run: x, shell: bash", ContainerAction("alpine", ("x",), "bash")),
        ("image: a, commands: [x, y]", ContainerAction("a", ("x", "y"))),
        ("image: a, mount: ['.:/w', 'x:/y:ro'], pull: never", ContainerAction("a", mount=(".:/w", "x:/y:ro"), pull="never")),
    ],
)  # fmt: skip
def test_an_image_makes_a_container(line: str, action: ContainerAction) -> None:
    assert read(f"tasks: [{{id: a, {line}}}]").tasks[0].action == action


def test_services_in_a_list_have_the_names_of_their_images() -> None:
    services = one(
        "services: [postgres:15, 'ghcr.io/org/redis@sha256:1f', 'db:5000/mysql', 'pg:${{ run.id }}']"
    ).services
    assert [(service.name, service.image) for service in services] == [
        ("postgres", "postgres:15"), ("redis", "ghcr.io/org/redis@sha256:1f"), ("mysql", "db:5000/mysql"),
        ("pg", "pg:${{ run.id }}"),
    ]  # fmt: skip


def test_services_in_a_mapping_have_names() -> None:
    (service,) = one("services: {db: {image: postgres, env: {V: 1.10}, ports: [5432, '80:80']}}").services
    assert service == ServiceContainer(
        name="db", image="postgres", env={"V": "1.10"}, ports=("5432", "80:80")
    )


@pytest.mark.parametrize(
    ("written", "test"),
    [
        ("pg_isready -q", ("CMD-SHELL", "pg_isready -q")),
        ("[pg_isready, -q]", ("CMD", "pg_isready", "-q")),
        ("[CMD, pg_isready]", ("CMD", "pg_isready")),
        ("[CMD-SHELL, pg_isready -q]", ("CMD-SHELL", "pg_isready -q")),
    ],
)
def test_a_health_check_is_text_or_a_list_of_words(written: str, test: tuple[str, ...]) -> None:
    (service,) = one(
        f"services: {{db: {{image: x, health_check: {{test: {written}, interval: 1m}}}}}}"
    ).services
    assert service.health_check == HealthCheck(test=test, interval=60)


def test_for_each_is_an_expression_or_a_list() -> None:
    assert (
        one("for_each: '${{ fromJSON(env.LIST) }}', max_parallel: 2").for_each == "${{ fromJSON(env.LIST) }}"
    )
    assert one("for_each: [1, {a: [b]}, 3.5]").for_each == (1, {"a": ["b"]}, 3.5)


WRONG_VARIANTS: dict[str, tuple[str, str]] = {
    "both": ("matrix: {os: [a]}, for_each: [1]", "40: error: a task has 'matrix' or 'for_each', not both [two-spellings]"),
    "a number": ("for_each: 3", "31: error: 'for_each' must be a list, or one ${{ }} whose value is a list [invalid-value]"),
    "a mapping": ("for_each: {a: b}", "31: error: 'for_each' must be a list, or one ${{ }} whose value is a list [invalid-value]"),
    "a list in text": ("for_each: a b", "31: error: 'for_each' must be a list, or one ${{ }} whose value is a list [invalid-value]"),
    "two expressions": ("for_each: '${{ 1 }} ${{ 2 }}'", "32: error: write one ${{ }} whose value is a list, without text around it [invalid-expression]"),
    "an item of no kind": ("for_each: [.inf]", "31: error: the list contains .inf or .nan, which cannot be recorded [invalid-value]"),
    "its own item": ("for_each: '${{ item }}'", "36: error: 'item' exists only in a task with 'for_each' [invalid-expression]"),
    "no variants": ("max_parallel: 2", "21: error: 'max_parallel' needs 'matrix' or 'for_each' [misplaced-key]"),
    "no container to mount to": ("mount: ['.:/w']", "21: error: 'mount' needs 'image' [misplaced-key]"),
    "no image to pull": ("pull: always", "21: error: 'pull' needs 'image' [misplaced-key]"),
    "two services of one name": ("services: [a/x:1, b/x:2]", "39: error: two services would have the name 'x' [name-collision]"),
    "a service without a name": ("services: ['${{ env.X }}']", "32: error: '${{ env.X }}' gives the service no name [invalid-value]"),
    "a port that is none": ("services: {a: {image: x, ports: [0]}}", "54: error: an entry of 'ports' must be a port, such as 5432 or '8080:80' [invalid-value]"),
    "artifacts of one name": ("artifacts: [out/a, ./out/a]", "40: error: 'out/a' and './out/a' would both be stored as 'out/a' [name-collision]"),
    "an artifact elsewhere": ("artifacts: [a/../../b]", "33: error: 'a/../../b' is not in the working directory [invalid-value]"),
    "a matrix that lacks the axis": ("matrix: {os: [a]}, env: {A: '${{ matrix.so }}'}", "61: error: the matrix has no key 'so' [invalid-expression]"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), WRONG_VARIANTS.values(), ids=WRONG_VARIANTS)
def test_an_error_about_variants_or_containers_is_shown_at_its_place(line: str, expected: str) -> None:
    assert reported(f"tasks:\n  - {{id: a, run: x, {line}}}").splitlines()[0] == f"dag.yaml:2:{expected}"
