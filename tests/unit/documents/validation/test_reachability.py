"""Warnings for tasks that can never start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.core.decide import decide
from dagrun.core.decisions import Cancel, EvaluateCondition, Finish, Skip, Start, Stop
from dagrun.core.events import DagStart, TaskCancel, TaskFail, TaskOk, TaskSkip, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.model import Action, Dag, Dependency, OnError, Task, Trigger
from dagrun.core.outcomes import Status
from dagrun.core.state import RunState
from dagrun.core.work import Blob, Json
from dagrun.documents.dialects.locations import NodeLocations
from dagrun.documents.dialects.native import KEYS
from dagrun.documents.validation.reachability import never_starting
from dagrun.kinds.noop import NoAction
from dagrun.kinds.shell import ShellAction
from dagrun.language.expressions import EvaluationError
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings
from tests.unit.harness import reported, shown

WRONG: dict[str, tuple[str, str]] = {
    "a condition that is false": (
        "tasks:\n  - {id: a, run: x, if: false}",
        """
        dag.yaml:2:25: warning: 'a' can never start: 'if' is always false [unreachable]
            2 |   - {id: a, run: x, if: false}
              |                         ^
        """,
    ),
    "an `unless` that is true": (
        "tasks:\n  - {id: a, run: x, unless: true}",
        """
        dag.yaml:2:29: warning: 'a' can never start: 'unless' is always true [unreachable]
            2 |   - {id: a, run: x, unless: true}
              |                             ^
        """,
    ),
    "a failure of nothing": (
        "tasks:\n  - {id: a, run: x, trigger: failure}",
        """
        dag.yaml:2:30: warning: 'a' can never start: it runs after a failure, but it has no dependency [unreachable]
            2 |   - {id: a, run: x, trigger: failure}
              |                              ^
        """,
    ),
    "a failure of nothing, asked for": (
        "tasks:\n  - {id: a, run: x, if: failure()}",
        """
        dag.yaml:2:25: warning: 'a' can never start: it runs after a failure, but it has no dependency [unreachable]
            2 |   - {id: a, run: x, if: failure()}
              |                         ^
        """,
    ),
    "a finaliser of nothing": (
        "jobs:\n  alert: {run: x, on_complete: failure}",
        """
        dag.yaml:2:32: warning: 'alert' can never start: it runs after a failure, but it has no dependency [unreachable]
            2 |   alert: {run: x, on_complete: failure}
              |                                ^
        """,
    ),
    "a failure of what cannot fail": (
        "steps:\n  - {name: a, dependsOn: []}\n  - {name: b, dependsOn: [a], run: x, trigger: failure}",
        """
        dag.yaml:3:48: warning: 'b' can never start: it runs after a failure, but no task above it can fail [unreachable]
            3 |   - {name: b, dependsOn: [a], run: x, trigger: failure}
              |                                                ^
        """,
    ),
    "an edge that waits for a failure of what cannot fail": (
        "jobs:\n  a: {run: x, continue_on_failure: true}\n  b: {run: x}\n  c: {run: x, requires: [b, {job: a, condition: failure}]}",
        """
        dag.yaml:4:29: warning: 'c' can never start: it waits for a failure of 'a', which cannot fail [unreachable]
            4 |   c: {run: x, requires: [b, {job: a, condition: failure}]}
              |                             ^
        """,
    ),
    "a change of nothing": (
        "tasks:\n  - {id: a, run: x, only_if_changed: true}",
        """
        dag.yaml:2:38: warning: 'a' can never start: it waits for a change, but it has no dependency [unreachable]
            2 |   - {id: a, run: x, only_if_changed: true}
              |                                      ^
        """,
    ),
    "two ends that exclude each other": (
        "jobs:\n  a: {run: x}\n  b: {run: x, requires: [{job: a, condition: failure}]}\n  c: {run: x, requires: [a, b]}",
        """
        dag.yaml:4:29: warning: 'c' can never start: 'b' runs only if 'a' fails, but this task needs both to succeed [unreachable]
            4 |   c: {run: x, requires: [a, b]}
              |                             ^
        """,
    ),
    "only the first of a chain": (
        "tasks:\n  - {id: a, run: x, if: false}\n  - {id: b, run: x, depends_on: [a]}\n  - {id: c, run: x, depends_on: [b]}",
        """
        dag.yaml:2:25: warning: 'a' can never start: 'if' is always false [unreachable]
            2 |   - {id: a, run: x, if: false}
              |                         ^
        """,
    ),
}


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_a_task_that_can_never_start_says_why(document: str, expected: str) -> None:
    assert reported(document) == shown(expected)


@pytest.mark.parametrize(
    "document",
    [
        "tasks: [{id: a, run: x}, {id: b, run: x, trigger: failure, depends_on: [a]}]",
        "tasks: [{id: a, run: x, if: env.X == 'y'}]",
        "tasks: [{id: a, run: x, only_if_changed: true, depends_on: [b]}, {id: b, run: x}]",
        "jobs: {a: {run: x}, b: {run: x, on_complete: failure}, c: {run: x, on_complete: always}}",
        "steps: [{name: a, if: env.X}, {name: b, run: x, trigger: failure}]",
    ],
)
def test_a_task_that_can_start_is_not_reported(document: str) -> None:
    assert reported(document) == ""


def test_reachability_is_checked_only_without_errors() -> None:
    """Where a dependency is missing nobody knows what can start."""
    assert "[unreachable]" not in reported("tasks: [{id: a, run: x, if: false, depends_on: [b]}]")


# --- what is reported never happens: small DAGs, driven through the real fold in every way ---

CONDITIONS = [
    None, None, None, "failure()", "success()", "cancelled()", "always()", "true", "false", "!failure()",
    "failure() && success()", "failure() || cancelled()", "params.x", "!success() && params.x", "false && params.x",
]  # fmt: skip


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Any small DAG."""
    names = [f"t{i}" for i in range(draw(st.integers(1, 6)))]
    return Dag(
        name="any",
        tasks=tuple(draw(tasks(names[:i], name)) for i, name in enumerate(names)),
        on_error=draw(st.sampled_from(OnError)),
    )


@st.composite
def tasks(draw: st.DrawFn, above: list[str], name: str) -> Task:
    needs = draw(st.lists(st.sampled_from(above), unique=True, max_size=3)) if above else []
    actions: list[Action] = [ShellAction(("true",)), ShellAction(("true",)), NoAction()]
    return Task(
        id=name,
        action=(action := draw(st.sampled_from(actions))),
        tolerated_exit_codes=draw(st.sampled_from([(), (), (2,)])),
        skip_on_exit_codes=draw(st.sampled_from([(), (), (9,)])) if isinstance(action, ShellAction) else (),
        needs=tuple(Dependency(need, draw(st.sampled_from([None, None, *Trigger]))) for need in needs),
        trigger=draw(st.sampled_from([Trigger.SUCCESS, Trigger.SUCCESS, *Trigger])),
        condition=draw(st.sampled_from(CONDITIONS)),
        unless=draw(st.sampled_from([None, None, None, "failure()", "params.x", "true"])),
        only_if_changed=draw(st.sampled_from([False, False, False, True])),
        continue_on_failure=draw(st.sampled_from([False, False, True])),
        on_error=draw(st.sampled_from([None, None, *OnError])),
    )


def started(dag: Dag, draw: st.DataObject) -> set[str]:
    """The tasks that start in one run, in which chance decides how and when each ends."""
    graph = Graph.compile(dag)
    state = RunState(graph)
    state.apply(DagStart(timestamp=0, task_count=len(dag.tasks), dag_path="", dag_hash="", max_parallel=9))
    ever: set[str] = set()
    while True:
        match decide(state, 1):
            case Start(node, attempt, _):
                ever.add(node.task.id)
                state.apply(
                    TaskStart(timestamp=1, task_id=node.task.id, attempt=attempt, kind=node.task.kind)
                )
                if isinstance(node.task.action, NoAction):
                    state.apply(
                        TaskOk(
                            timestamp=1,
                            task_id=node.task.id,
                            attempt=attempt,
                            duration_seconds=0,
                            changed=True,
                        )
                    )
            case Skip(node, reason, detail):
                state.apply(TaskSkip(timestamp=1, task_id=node.task.id, reason=str(reason), detail=detail))
            case Cancel(node, reason) | Stop(node, reason):
                state.apply(TaskCancel(timestamp=1, task_id=node.task.id, reason=str(reason)))
            case EvaluateCondition(node):
                answer = condition(state, graph, node.index, draw)
                if answer is None:
                    state.apply(
                        TaskFail(
                            timestamp=1, task_id=node.task.id, attempt=1, error="no value", error_type="E"
                        )
                    )
                else:
                    state.frontier.condition_evaluated(node.index, answer)
            case Finish():
                return ever
            case None:
                running = [
                    task
                    for task, each in zip(dag.tasks, state.tasks, strict=True)
                    if each.status is Status.RUNNING
                ]
                end(state, draw.draw(st.sampled_from(running)), draw.draw(st.sampled_from("OUF29")))


def end(state: RunState, task: Task, how: str) -> None:
    """An attempt ends well, having changed something or not; or it fails, perhaps with an exit code."""
    if how in "OU":
        state.apply(TaskOk(timestamp=1, task_id=task.id, attempt=1, duration_seconds=1, changed=how == "O"))
        return
    code = int(how) if how.isdecimal() else None
    if code in task.skip_on_exit_codes:
        state.apply(TaskSkip(timestamp=1, task_id=task.id, reason="ExitCode", attempt=1, exit_code=code))
    else:
        state.apply(
            TaskFail(timestamp=1, task_id=task.id, attempt=1, error="boom", error_type="E", exit_code=code)
        )


def condition(state: RunState, graph: Graph, i: int, draw: st.DataObject) -> bool | None:
    """What the condition says, with a parameter that may hold anything or be missing; None: it has no value."""
    params = draw.draw(st.sampled_from([{"x": True}, {"x": False}, {}]))
    prepared = PreparedRun(graph, "", params, Registry())
    try:
        return WorkBuilder(prepared, Settings(root=Path()), state, "run", no_file, environment={}).condition(
            graph.nodes[i]
        )
    except EvaluationError:
        return None


def no_file(_: Blob) -> dict[str, Json]:
    raise AssertionError


@pytest.mark.slow
@settings(max_examples=100)
@given(dags(), st.data())
def test_a_reported_task_never_starts(dag: Dag, draw: st.DataObject) -> None:
    unreachable = {
        dag.tasks[i].id for i in never_starting(dag, NodeLocations(KEYS, [((), {})] * len(dag.tasks)))
    }
    assert not unreachable & started(dag, draw)
