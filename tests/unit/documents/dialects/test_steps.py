"""The Kubernetes style: the Dag of an orchestration, and its errors as they are shown."""

from __future__ import annotations

import pytest

from dagrun.core.model import Dag, OnError, Retry, Task, Trigger
from dagrun.kinds.approval import ApprovalAction
from dagrun.kinds.noop import NoAction
from dagrun.kinds.shell import ShellAction
from dagrun.kinds.wait import WaitAction
from dagrun.kinds.workflow import WorkflowAction
from tests.unit.harness import load, read, reported, shown


def one(line: str) -> Task:
    """The only step of a document."""
    return read(f"steps: [{{name: a, {line}}}]").tasks[0]


def needs(dag: Dag) -> dict[str, list[str]]:
    """What each step waits for."""
    return {task.id: [need.task for need in task.needs] for task in dag.tasks}


def test_a_whole_orchestration() -> None:
    dag = read(
        """
        apiVersion: orchestration.example/v1
        kind: Orchestration
        metadata: {name: nightly, namespace: ops, labels: {team: core, v: 3.10}, annotations: {why: because}}
        spec:
          description: Every night
          params: {region: eu}
          entrypoint: fetch
          timeoutSeconds: 600
          steps:
            - name: fetch
              kind: ToolRun
              toolRef: {name: fetcher}
              with: {region: "${{ params.region }}"}
              policyRef: {name: strict}
              timeoutSeconds: 30
            - name: think
              dependsOn: [fetch]
              kind: AgentRun
              agentRef: {name: thinker}
              continueOnFailure: true
            - name: done
              dependsOn: [think]
              kind: Checkpoint
        """,
        name="file",
    )
    assert (dag.name, dag.description, dag.timeout, dag.on_error) == (
        "nightly",
        "Every night",
        600,
        OnError.CONTINUE,
    )
    assert dag.metadata == {
        "namespace": "ops", "labels": {"team": "core", "v": "3.10"}, "annotations": {"why": "because"},
        "policies": {"fetch": "strict"},
    }  # fmt: skip
    fetch, think, done = dag.tasks
    assert (fetch.action, fetch.params) == (WorkflowAction("fetcher"), {"region": "${{ params.region }}"})
    assert (fetch.timeout, think.timeout) == (30, None)
    assert (think.action, think.continue_on_failure, done.action) == (
        WorkflowAction("thinker"),
        True,
        NoAction(),
    )


def test_without_dependencies_the_steps_are_a_sequence() -> None:
    assert needs(read("steps: [{name: c}, {name: a}, {name: b}]")) == {"c": [], "a": ["c"], "b": ["a"]}


def test_with_one_dependency_the_steps_are_no_sequence() -> None:
    dag, findings = load("steps: [{name: a}, {name: b, dependsOn: [a]}, {name: c, dependsOn: []}]", name="d")
    assert findings == ""
    assert dag is not None
    assert needs(dag) == {"a": [], "b": ["a"], "c": []}


def test_a_mixture_is_a_warning() -> None:
    assert reported("steps:\n  - {name: a}\n  - {name: b, dependsOn: [a]}\n  - {name: c, run: x}\n") == shown(
        """
        dag.yaml:4:12: warning: 'c' has no 'dependsOn', so it waits for no step, but other steps have one [mixed-order]
            4 |   - {name: c, run: x}
              |            ^
          help: write `dependsOn: []` if this is intended
        """
    )


@pytest.mark.parametrize(
    ("written", "retry"),
    [
        ("retries: 2", Retry(retries=2)),
        ("retries: 2, retryBackoffSeconds: 90", Retry(retries=2, initial=90, factor=1, max=90, jitter=0)),
        ("retries: 1, retryBackoffSeconds: 0", Retry(retries=1, initial=0, factor=1, max=0, jitter=0)),
        (
            "retryBackoffSeconds: 5, retry: {max_attempts: 3, on_exit_codes: [75]}",
            Retry(retries=2, initial=5, factor=1, max=5, jitter=0, on_exit_codes=(75,)),
        ),
    ],
)
def test_retries(written: str, retry: Retry) -> None:
    assert one(f"run: x, {written}").retry == retry


def test_a_timeout_of_zero_means_no_limit() -> None:
    assert one("run: x, timeoutSeconds: 0").timeout is None
    assert read("spec: {timeoutSeconds: 0, steps: [{name: a}]}").timeout is None


def test_other_keys_are_those_of_the_native_dialect() -> None:
    words = "run: x, if: params.x, trigger: always, env: {A: 3.10}, shell: bash"
    (task,) = read(f"spec: {{params: {{x: 1}}, steps: [{{name: a, {words}}}]}}").tasks
    assert (task.action, task.trigger, task.condition, task.env) == (
        ShellAction(("x",), "bash"), Trigger.ALWAYS, "params.x", {"A": "3.10"},
    )  # fmt: skip


def test_a_fragment_has_a_name_or_takes_that_of_its_file() -> None:
    assert read("steps: [{name: a}]", name="night").name == "night"
    assert read("name: day\nsteps: [{name: a}]", name="night").name == "day"


WRONG: dict[str, tuple[str, str]] = {
    "no such kind of document": (
        "kind: Orchestra\nspec: {steps: [{name: a}]}",
        """
        dag.yaml:1:7: error: 'kind' must be 'Orchestration' [invalid-value]
            1 | kind: Orchestra
              |       ^
          help: did you mean 'Orchestration'?
        """,
    ),
    "no such kind of step": (
        "steps:\n  - {name: a, kind: ToolRn}",
        """
        dag.yaml:2:21: error: 'kind' must be one of ToolRun, AgentRun, SubOrchestration, ApprovalGate, SignalWait, Checkpoint, MemoryOp [invalid-value]
            2 |   - {name: a, kind: ToolRn}
              |                     ^
          help: did you mean 'ToolRun'?
        """,
    ),
    "a child run without a DAG": (
        "steps:\n  - {name: a, kind: SubOrchestration}",
        """
        dag.yaml:2:21: error: a step of the kind 'SubOrchestration' needs 'orchestrationRef' or 'dag' [missing-key]
            2 |   - {name: a, kind: SubOrchestration}
              |                     ^
        """,
    ),
    "two words for one child run": (
        "steps:\n  - {name: a, orchestrationRef: {name: b}, dag: b}",
        """
        dag.yaml:2:44: error: 'orchestrationRef' and 'dag' mean the same; keep one [two-spellings]
            2 |   - {name: a, orchestrationRef: {name: b}, dag: b}
              |                                            ^
        """,
    ),
    "a kind that contradicts the action": (
        "steps:\n  - {name: a, kind: Checkpoint, run: x}",
        """
        dag.yaml:2:33: error: a step of the kind 'Checkpoint' has no action, but this one has 'run' [misplaced-key]
            2 |   - {name: a, kind: Checkpoint, run: x}
              |                                 ^
        """,
    ),
    "a kind without its action": (
        "steps:\n  - {name: a, kind: ToolRun}",
        """
        dag.yaml:2:21: error: a step of the kind 'ToolRun' needs 'toolRef' or 'workflow_ref' [missing-key]
            2 |   - {name: a, kind: ToolRun}
              |                     ^
        """,
    ),
    "two names of a function": (
        "steps:\n  - {name: a, workflow_ref: w, toolRef: {name: w}}",
        """
        dag.yaml:2:32: error: 'workflow_ref' and 'toolRef' mean the same; keep one [two-spellings]
            2 |   - {name: a, workflow_ref: w, toolRef: {name: w}}
              |                                ^
        """,
    ),
    "two delays": (
        "steps:\n  - {name: a, run: x, retryBackoffSeconds: 3, retry: {initial: 5s}}",
        """
        dag.yaml:2:47: error: 'retryBackoffSeconds' and 'retry.initial' mean the same; keep one [two-spellings]
            2 |   - {name: a, run: x, retryBackoffSeconds: 3, retry: {initial: 5s}}
              |                                               ^
        """,
    ),
    "a word of another dialect": (
        "steps:\n  - {name: a, depends_on: [b]}",
        """
        dag.yaml:2:15: error: unknown key 'depends_on' [unknown-key]
            2 |   - {name: a, depends_on: [b]}
              |               ^
          help: here it is 'dependsOn'
        """,
    ),
    "no such entrypoint": (
        "spec:\n  entrypoint: bild\n  steps: [{name: build}]",
        """
        dag.yaml:2:15: error: there is no step 'bild' [unknown-task]
            2 |   entrypoint: bild
              |               ^
          help: did you mean 'build'?
        """,
    ),
    "a step that does not exist": (
        "steps:\n  - {name: a, dependsOn: [b]}",
        """
        dag.yaml:2:27: error: ValidationError: Task 'a' depends on non-existent task 'b' [unknown-task]
            2 |   - {name: a, dependsOn: [b]}
              |                           ^
        """,
    ),
    "a step twice": (
        "steps:\n  - {name: a}\n  - {name: a}",
        """
        dag.yaml:3:12: error: ValidationError: Duplicate task IDs found: a [duplicate-id]
            3 |   - {name: a}
              |            ^
          help: the first one is on line 2
        """,
    ),
    "a circle": (
        "steps:\n  - {name: a, dependsOn: [b]}\n  - {name: b, dependsOn: [a]}",
        """
        dag.yaml:2:27: error: CycleDetectedError: Cycle detected in DAG 'my_dag': a -> b -> a [cycle]
            2 |   - {name: a, dependsOn: [b]}
              |                           ^
          help: each task depends on the next; remove one of these dependencies
        """,
    ),
    "a parameter that nobody declared": (
        "steps:\n  - {name: a, run: x, with: {b: '${{ params.c }}'}}",
        """
        dag.yaml:2:45: error: undeclared parameter 'c' [invalid-expression]
            2 |   - {name: a, run: x, with: {b: '${{ params.c }}'}}
              |                                             ^
          help: declare it in 'params' of the document
        """,
    ),
    "no steps": (
        "spec: {}",
        """
        dag.yaml:1:1: error: ValidationError: DAG must have at least one task [no-tasks]
            1 | spec: {}
              | ^
          help: write the steps under 'steps:'
        """,
    ),
    "a specification that is none": (
        "spec: 5",
        """
        dag.yaml:1:7: error: 'spec' must be a mapping [invalid-value]
            1 | spec: 5
              |       ^
          help: write the steps under 'steps' in it
        """,
    ),
    "a step that is text": (
        "steps:\n  - hello",
        """
        dag.yaml:2:5: error: a step must be a mapping with a 'name' [invalid-value]
            2 |   - hello
              |     ^
        """,
    ),
}


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_an_error_is_shown_at_its_place(document: str, expected: str) -> None:
    assert reported(document) == shown(expected)


def test_an_orchestration_needs_a_name() -> None:
    assert reported("spec: {steps: [{name: a}]}", name=None).endswith("help: add `metadata: {name: my-dag}`")


def test_a_gate_asks_with_its_description_and_a_wait_has_the_signal_of_its_own_name() -> None:
    dag = read("""
        steps:
          - {name: gate, kind: ApprovalGate, description: Deploy?}
          - {name: other, kind: ApprovalGate, approval: {prompt: Sure?, required_role: Admin}}
          - {name: deployed, kind: SignalWait, timeoutSeconds: 60}
          - {name: later, kind: SignalWait, wait: {signal: go}}
    """)
    actions: list[object] = [step.action for step in dag.tasks]
    assert actions == [
        ApprovalAction("Deploy?"), ApprovalAction("Sure?", "Admin"), WaitAction(signal_name="deployed"), WaitAction(signal_name="go"),
    ]  # fmt: skip
    assert dag.tasks[2].timeout == 60.0


def test_a_kind_of_step_allows_its_own_action_alone() -> None:
    assert "a step of the kind 'ApprovalGate' needs 'approval', not 'wait' [misplaced-key]" in reported(
        "steps: [{name: a, kind: ApprovalGate, wait: {seconds: 1}}]"
    )
