"""The truth table, walked whole: every end of two dependencies, every trigger, condition and policy."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dagrun.core.decisions import EvaluateCondition, Skip, Start
from dagrun.core.events import DagStart, Event, TaskCancel, TaskFail, TaskOk, TaskSkip, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Dependency, OnError, Task, Trigger
from dagrun.core.state import RunState
from dagrun.core.work import Blob, Json
from dagrun.kinds.shell import ShellAction
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings

ENDS = (
    "success",
    "unchanged",
    "failed",
    "timed_out",
    "tolerated",
    "skipped",
    "skipped_unchanged",
    "cancelled",
)
CONDITIONS = (
    None,
    "true",
    "false",
    "success()",
    "failure()",
    "always()",
    "cancelled()",
    "tasks.a.status == 'failed'",
)
PAIRS = [(a, b) for a in ENDS for b in ENDS]
NOOP = ShellAction(("true",))


def events_of(task_id: str, end: str) -> list[Event]:
    """The facts of a task that came to such an end."""
    start = TaskStart(timestamp=1, task_id=task_id, attempt=1, kind="shell")
    failed = TaskFail(
        timestamp=2, task_id=task_id, attempt=1, error="boom", error_type="E", timed_out=end == "timed_out"
    )
    match end:
        case "success" | "unchanged":
            return [
                start,
                TaskOk(timestamp=2, task_id=task_id, attempt=1, duration_seconds=1, changed=end == "success"),
            ]
        case "failed" | "timed_out" | "tolerated":
            return [start, failed]
        case "cancelled":
            return [start, TaskCancel(timestamp=2, task_id=task_id, reason="Test")]
    reason = "Unchanged" if end == "skipped_unchanged" else "ConditionFalse"
    return [TaskSkip(timestamp=2, task_id=task_id, reason=reason)]


def decide(
    ends: tuple[str, str],
    trigger: Trigger,
    condition: str | None,
    policy: OnError,
    *,
    only_if_changed: bool = False,
    edges: tuple[Trigger | None, Trigger | None] = (None, None),
) -> str:
    """What becomes of `c`, which depends on `a` and `b`: 'Start', or the reason why it is skipped."""
    tasks = [
        Task(id=name, action=NOOP, continue_on_failure=end == "tolerated")
        for name, end in zip("ab", ends, strict=True)
    ]
    needs = (Dependency("a", edges[0]), Dependency("b", edges[1]))
    tasks.append(
        Task(
            id="c",
            action=NOOP,
            needs=needs,
            trigger=trigger,
            condition=condition,
            only_if_changed=only_if_changed,
        )
    )
    graph = Graph.compile(Dag(name="table", tasks=tuple(tasks), on_error=policy))
    state = RunState(graph)
    state.apply(DagStart(timestamp=0, task_count=3, dag_path="", dag_hash="", max_parallel=9))
    for task_id, end in zip("ab", ends, strict=True):
        for event in events_of(task_id, end):
            state.apply(event)
    bodies = WorkBuilder(
        PreparedRun(graph, "", {}, Registry()), Settings(root=Path()), state, "run", _no_file, environment={}
    )
    decision = state.next(3)
    if isinstance(decision, EvaluateCondition):
        state.answer(decision.node, bodies.condition(decision.node))
        decision = state.next(3)
    if isinstance(decision, Start):
        return "Start"
    assert isinstance(decision, Skip)
    return str(decision.reason)


def _no_file(_: Blob) -> dict[str, Json]:
    raise AssertionError


# --- the same, said again from the contract's words ---------------------------------------------------------------

GOOD = {"success", "unchanged", "tolerated", "skipped_unchanged"}
BAD = {"failed", "timed_out", "cancelled"}


def expected(ends: tuple[str, str], trigger: Trigger, condition: str | None, policy: OnError) -> str:
    failed = any(end in BAD for end in ends)
    looks_back = condition is not None and any(
        word in condition for word in ("failure(", "always(", "cancelled(", ".status")
    )
    stopped = policy is OnError.STOP_ALL and any(end in ("failed", "timed_out") for end in ends)
    calls = condition is not None and any(word in condition for word in ("failure(", "always(", "cancelled("))
    if stopped and trigger not in (Trigger.FAILURE, Trigger.ALWAYS) and not calls:
        return "StopAll"
    holds = {
        None: True, "true": True, "false": False,
        "success()": all(end in GOOD for end in ends), "failure()": failed, "always()": True,
        "cancelled()": "cancelled" in ends, "tasks.a.status == 'failed'": ends[0] in ("failed", "tolerated"),
    }[condition]  # fmt: skip
    by_trigger = {
        Trigger.SUCCESS: "DependencyFailed" if failed else None if all(end in GOOD for end in ends) else "DependencySkipped",
        Trigger.FAILURE: None if failed else "NoFailure",
        Trigger.ALWAYS: None,
        Trigger.NONE_FAILED: "DependencyFailed" if failed else None,
    }[trigger]  # fmt: skip
    if looks_back:
        if not holds:
            return "ConditionFalse"
        return "Start" if trigger is Trigger.SUCCESS else by_trigger or "Start"
    return by_trigger or ("Start" if holds else "ConditionFalse")


@pytest.mark.parametrize("policy", OnError)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_combination_is_as_the_contract_says(trigger: Trigger, policy: OnError) -> None:
    for ends, condition in itertools.product(PAIRS, CONDITIONS):
        told = decide(ends, trigger, condition, policy)
        assert told == expected(ends, trigger, condition, policy), (ends, condition)


@pytest.mark.parametrize("ends", PAIRS)
def test_only_if_changed_runs_when_a_direct_dependency_changed(ends: tuple[str, str]) -> None:
    told = decide(ends, Trigger.ALWAYS, None, OnError.CONTINUE, only_if_changed=True)
    assert told == ("Start" if "success" in ends else "Unchanged")


def test_an_edge_with_its_own_trigger_is_judged_by_that() -> None:
    def told(ends: tuple[str, str], own: Trigger) -> str:
        return decide(ends, Trigger.SUCCESS, None, OnError.CONTINUE, edges=(None, own))

    assert told(("success", "failed"), Trigger.FAILURE) == "Start"
    assert told(("success", "success"), Trigger.FAILURE) == "NoFailure"
    assert told(("failed", "failed"), Trigger.FAILURE) == "DependencyFailed"
    assert told(("success", "failed"), Trigger.ALWAYS) == "Start"
    assert told(("success", "skipped"), Trigger.NONE_FAILED) == "Start"
    assert told(("success", "cancelled"), Trigger.NONE_FAILED) == "DependencyFailed"


def test_a_failure_is_seen_through_tasks_that_were_skipped_for_it() -> None:
    """`failure` looks at all ancestors, not only at direct dependencies."""
    tasks = (
        Task(id="a", action=NOOP),
        Task(id="b", action=NOOP, needs=(Dependency("a"),)),
        Task(id="c", action=NOOP, needs=(Dependency("b"),), trigger=Trigger.FAILURE),
    )
    state = RunState(Graph.compile(Dag(name="far", tasks=tasks, on_error=OnError.CONTINUE)))
    state.apply(DagStart(timestamp=0, task_count=3, dag_path="", dag_hash="", max_parallel=9))
    for event in events_of("a", "failed"):
        state.apply(event)
    skip = state.next(1)
    assert isinstance(skip, Skip)
    assert (skip.node.task.id, skip.reason, skip.detail) == ("b", "DependencyFailed", "a")
    state.apply(TaskSkip(timestamp=2, task_id="b", reason="DependencyFailed", detail="a"))
    start = state.next(3)
    assert isinstance(start, Start)
    assert start.node.task.id == "c"
