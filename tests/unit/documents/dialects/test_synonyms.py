"""Keys of other tools and dialects: each gets the equivalent as advice, once."""

from __future__ import annotations

import pytest

from tests.unit.harness import reported, shown

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
        ("jobs", "steps", "list the scripts of the steps under 'commands'"),
        ("jobs", "strategy", "here it is 'matrix'"),
        ("jobs", "when", "here it is 'on_complete'"),
        ("jobs", "allow_failure", "here it is 'continue_on_failure'"),
        ("jobs", "continue-on-error", "here it is 'continue_on_failure'"),
        ("jobs", "timeout-minutes", "here it is 'timeout'"),
        ("jobs", "runs-on", "tasks run on this machine, or with 'image' in a container"),
        ("jobs", "stage", "the order follows from the dependencies"),
        ("jobs", "retrys", "here it is 'retries'"),
        (
            "tasks",
            "retryPolicy",
            "write the number of retries as 'retries', and the delay as `retry: {initial: 5}`",
        ),
        ("tasks", "preconditions", "write an expression in 'if' or 'unless'"),
        ("tasks", "output", "a script writes its outputs to the file $DAGRUN_OUTPUT, as lines `key=value`"),
        ("steps", "dir", "here it is 'working_dir'"),
        ("jobs", "name", "the key above is the name of the job"),
        ("jobs", "secrets", "it belongs to the document, next to 'jobs'"),
        ("jobs", "outputs", "the outputs of a script are the lines that it writes to $DAGRUN_OUTPUT"),
        ("jobs", "container", "here it is 'image'"),
        ("jobs", "environment", "here it is 'env'"),
        ("jobs", "fail-fast", "'on_error' decides what a failure does to other tasks"),
        ("steps", "entrypoint", "it belongs to the document, next to 'steps'"),
        ("steps", "template", "there are no templates: write a script under 'run'"),
        ("tasks", "trigger_rule", "here it is 'trigger'"),
        ("tasks", "kind", "only documents with 'spec:' have it; remove it"),
        ("tasks", "schedule", "schedules are files in configs/schedules/"),
    ],
)
def test_a_key_of_another_tool_gets_the_equivalent_as_advice(dialect: str, word: str, help: str) -> None:
    assert reported(ONE[dialect].format(f"{word}: 1")) == shown(
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
        ("jobs:\n  a:\n    command: x", "command", "here it is 'run'"),
        ("tasks: [{id: a, command: [echo, a b]}]", "command", "write it as one line: `run: echo 'a b'`"),
        ("tasks: [{id: a, cmd: x}]", "cmd", "here it is 'run'"),
        ("jobs: {a: {run: x, steps: [{uses: y}]}}", "steps", "list the scripts of the steps under 'commands'"),
        ("tasks: [{id: a, run: x, continueOn: {failure: true}}]", "continueOn", "write `continue_on_failure: true`"),
        ("handlerOn: {}\ntasks: [{id: a, run: x}]", "handlerOn", "here it is 'hooks', with the keys on_success, on_failure, on_cancel and on_exit"),
        ("jobs:\n  a:\n    uses: x", "uses", "there are no reusable actions: write a script under 'run'"),
        ("jobs:\n  a: {run: x}\n  b: {run: x, requires: [{task: a}]}", "task", "here it is 'job'"),
        ("tasks:\n  - {id: a, run: x}\n  - {id: b, run: x, depends_on: [{job: a}]}", "job", "here it is 'task'"),
        ("job:\n  a: {run: x}", "job", "did you mean 'jobs'?"),
        ("Jobs:\n  a: {run: x}", "Jobs", "did you mean 'jobs'?"),
        ("stpes:\n  - {name: a}", "stpes", "did you mean 'steps'?"),
        ("Spec:\n  steps: [{name: a}]", "Spec", "did you mean 'spec'?"),
        ("kind: Orchestration\nsteps: [{name: a}]", "kind", "only documents with 'spec:' have it; remove it"),
        ("step:\n  - {name: a}", "step", "did you mean 'steps'?"),
        ("spec:\n  tasks: [{name: a}]", "tasks", "here it is 'steps'"),
        ("name: d\nspec: {steps: [{name: a}]}", "name", "here it is 'metadata'"),
        ("env: {A: b}\nspec: {steps: [{name: a}]}", "env", "it belongs below 'spec'"),
        ("defaults: {run: x}\ntasks: [{id: a, run: x}]", "run", "it belongs to each task"),
        ("tasks:\n- id: a\nrun: x", "run", "it belongs to each task"),
        ("image: x\njobs: {a: {run: x}}", "image", "it belongs to each job"),
        ("spec: {entrypoint: a, templates: [{name: a}]}", "templates", "there are no templates: list the tasks under 'steps', each with its script"),
        ("spec: {entrypoint: a, step: [{name: a}]}", "step", "did you mean 'steps'?"),
        ("tasks: [{task_id: a, run: x}]", "task_id", "here it is 'id'"),
        ("tasks: [{a: {run: x}}]", "a", "'id' is missing: write {id: a}"),
        ("steps: [{name: a}, {name: b, dependsOn: [a]}, {name: c, dependson: [b]}]", "dependson", "did you mean 'dependsOn'?"),
        ("jobs: {a: {run: x}, b: {run: x, requires: [{a: failure}]}}", "a", "'job' is missing: write {job: a}"),
        ("tasks: [{id: a, run: x}, {id: b, run: x, depends_on: [{id: a}]}]", "id", "here it is 'task'"),
        ("jobs: {a: {run: x}, b: {run: x, requires: [{name: a}]}}", "name", "here it is 'job'"),
        (".base: &b {retries: 1}\njobs: {a: {<<: *b, run: x}}", ".base", "define the anchor where its value is first used"),
        ("on: push\njobs: {a: {run: x}}", "on", "schedules are files in configs/schedules/"),
    ],
)  # fmt: skip
def test_one_error_is_reported_once(document: str, word: str, help: str) -> None:
    error, *_, advice = reported(document).splitlines()
    assert error.endswith(f"error: unknown key '{word}' [unknown-key]")
    assert advice == f"  help: {help}"
    assert reported(document).count("error:") == 1


@pytest.mark.parametrize(
    ("document", "error", "help"),
    [
        ("steps: [{name: a, toolRef: sweep}]", "'toolRef' must be a mapping", "write {name: sweep}"),
        ("steps: [{name: a, timeoutSeconds: 10m}]", "'timeoutSeconds' must be a number", "write it in seconds: 600"),
        ("steps: [{name: a, timeoutSeconds: soon}]", "'timeoutSeconds' must be a number", ""),
        ("jobs: {a: {run: x, on_complete: allways}}", "'on_complete' must be 'success', 'failure' or 'always'", "did you mean 'always'?"),
        ("jobs: {a: {run: x, on_complete: true}}", "'on_complete' must be 'success', 'failure' or 'always'", ""),
        ("jobs: {a: {run: x, matrix: [1]}}", "'matrix' must be a mapping", "give it an axis: `os: [ubuntu, alpine]`"),
        ("jobs: {a: {run: x, matrix: {v: '${{ params.v }}'}}}", "'v' must be a list", "use 'for_each' for a list that is known only during the run"),
        ("tasks: [{id: a, run: x, for_each: {a: b}}]", "'for_each' must be a list, or one ${{ }} whose value is a list", ""),
        ("tasks: [{id: a, run: x, env: [A=b]}]", "'env' must be a mapping", "write `name: value`, without `-`"),
        ("tasks: [{id: a, run: [x]}]", "'run' must be text", "write a list of commands under 'commands'"),
        ("tasks: [{id: “a”, run: x}]", "'“a”' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters", "write straight quotes"),
        ("params: A=b C='d e'\ntasks: [{id: a, run: x}]", "'params' must be a mapping", "write a mapping: {A: b, C: 'd e'}"),
        ("tasks: [{id: a b, run: x}]", "'a b' is not a valid name: letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters", "write a-b"),
        ("tasks: [{id: a, run: x, for_each: 'a,b'}]", "'for_each' must be a list, or one ${{ }} whose value is a list", "write a list: [a, b]"),
        ("tasks: [{id: a, run: x, retry: 3}]", "'retry' must be a mapping", "for the number of retries write `retries: 3`"),
        ("tasks: [{id: a, run: x, retries: '3'}]", "'retries' must be a whole number", "remove the quotes"),
        ("tasks: [{id: a, run: x, retry: {factor: .inf}}]", "'factor' must be a finite number", ""),
        ("tasks: [{id: a, run: x, only_if_changed: on}]", "'only_if_changed' must be true or false", "write true"),
        ("tasks: [{id: a, run: x, services: postgres}]", "'services' must be a list or a mapping", "write a list: [postgres]"),
        ("tasks: [{id: a, run: x, services: {pg: 'pg:15'}}]", "'pg' must be a mapping", "write {image: pg:15}"),
        ("tasks: [{id: a, run: x, services: [{image: pg}]}]", "an entry of 'services' must be text", "write `services` as a mapping of names"),
        ("tasks: [{id: a, run: x, services: {pg: {image: x, ports: 5432}}}]", "'ports' must be a list", "write a list: [5432]"),
        ("tasks: [{id: a, run: x, depends_on: [5]}]", "an entry of 'depends_on' must be text or a mapping", "put it in quotes"),
        ("tasks: [{id: a, run: x, depends_on: [~]}]", "an entry of 'depends_on' must have a value; remove the key if it is not needed", ""),
        ("tasks: [{id: a, run: x, depends_on: {b: failure}}]", "'depends_on' must be a list", "write a list: begin each entry with `- `"),
        ("steps: [{name: a, dependsOn: [{name: b}]}]", "an entry of 'dependsOn' must be text", "write only the name"),
        ("jobs: {a: {commands: [{echo: x}]}}", "an entry of 'commands' must be text", "put text that contains ': ' in quotes"),
        ("steps: [{name: a, timeoutSeconds: .inf}]", "'timeoutSeconds' must be less than 10,000,000,000", ""),
        ("spec: [{name: a}]", "'spec' must be a mapping", "write the steps under 'steps' in it"),
        ("tasks: [{id: a, run: x, for_each: params.v}]", "'for_each' must be a list, or one ${{ }} whose value is a list", "write ${{ params.v }}, or a list"),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_gets_the_right_form_as_advice(document: str, error: str, help: str) -> None:
    lines = reported(document).splitlines()
    assert f"error: {error} [invalid-value]" in lines[0]
    assert lines[3:] == ([f"  help: {help}"] if help else [])


@pytest.mark.parametrize(
    ("document", "mistakes"),
    [
        ("secrets: {A: b}\ntasks: [{id: a, run: x, env: {T: '${{ secrets.A }}'}}]", ["1:10"]),
        ("params: [p]\ntasks: [{id: a, run: 'echo ${{ params.p }}'}]", ["1:9"]),
        ("jobs: {a: {run: 'echo ${{ params.p }}', timeout: no, shell: 5, retry: 2}}", ["1:34", "1:50", "1:61", "1:71"]),
        ("tasks: [{id: 1, run: x}, {id: b, run: x, depends_on: ['1']}]", ["1:14"]),
        ("tasks: [{task_id: a, run: x}, {id: b, run: 'echo ${{ tasks.a.outputs.x }}', depends_on: [a]}]", ["1:10"]),
        ("tasks: [{id: a, run: x}, {id: b, run: 'echo ${{ tasks.a.outputs.x }}', depends_on: [z]}]", ["1:85"]),
        ("tasks: [{id: a, run: x}, {id: b, run: 'echo ${{ tasks.a.outputs.x }}', dependsOn: [a]}]", ["1:72"]),
        ("tasks: [{id: a, run: x, matrix: {os: b}}, {id: b, run: x, depends_on: ['a[os=b]']}]", ["1:38"]),
        ("tasks: [{id: a, run: x}, {id: b, run: x, depends_on: [a]}, {id: a, run: x, depends_on: [b]}]", ["1:65"]),
        ("secret: [A]\ntasks: [{id: a, run: x, env: {T: '${{ secrets.A }}'}}]", ["1:1"]),
        ("jobs: {a: {run: 'echo ${{ matrix.os }}', strategy: {matrix: {os: [a]}}}}", ["1:42"]),
        ("jobs: {a: {run: 'echo ${{ item }}', withItems: [1]}}", ["1:37"]),
        ("jobs: {a: {run: x}, b: {run: 'echo ${{ jobs.a.status }}', on_complete: alwys}}", ["1:72"]),
        ("steps: [{name: a}, {nmae: b}, {name: c, if: steps.a.status == 'success'}]", ["1:21"]),
        ("tasks: [{id: a, shell: bash}]", ["1:9"]),
        ("defaults: {params: {p: '${{ tasks.b.status }}'}}\ntasks: [{id: a, run: x}, {id: b, run: x}]", ["1:35"]),
        ("steps: [{name: 1e3}, {name: 2e3}, {name: a, dependsOn: [b]}, {name: b}]", ["1:16", "1:29"]),
        ("tasks: [{id: a, run: 'echo ${{ params.p }}', pull: always}]", ["1:39", "1:46"]),
    ],
)  # fmt: skip
def test_all_errors_are_reported_but_not_their_consequences(document: str, mistakes: list[str]) -> None:
    lines = [line for line in reported(document).splitlines() if ": error: " in line]
    assert sorted(line.removeprefix("dag.yaml:").split(": ")[0] for line in lines) == mistakes


def test_a_dependency_with_two_triggers_is_reported() -> None:
    document = (
        "tasks:\n  - {id: a, run: x}\n  - {id: b, run: x, depends_on: [a, {task: a, trigger: failure}]}"
    )
    assert reported(document) == shown(
        """
        dag.yaml:3:37: error: 'a' is listed twice, with different triggers [contradiction]
            3 |   - {id: b, run: x, depends_on: [a, {task: a, trigger: failure}]}
              |                                     ^
          help: keep one of the entries
        """
    )


def test_a_job_with_two_conditions_is_reported() -> None:
    document = "jobs:\n  a: {run: x}\n  b: {run: x, requires: [{job: a, condition: always}, a]}"
    assert reported(document) == shown(
        """
        dag.yaml:3:55: error: 'a' is listed twice, with different triggers [contradiction]
            3 |   b: {run: x, requires: [{job: a, condition: always}, a]}
              |                                                       ^
          help: keep one of the entries
        """
    )


@pytest.mark.parametrize(
    "document",
    [
        "tasks: [{id: a, run: x}, {id: b, run: x, depends_on: [a, {task: a, trigger: success}, a]}]",
        "jobs: {a: {run: x}, b: {run: x, requires: [a], after: [a]}}",
    ],
)
def test_a_dependency_listed_twice_with_one_trigger_is_one_dependency(document: str) -> None:
    assert reported(document) == ""
