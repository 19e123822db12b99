"""What to do next in a run, decision by decision."""

from __future__ import annotations

from dagrun.core.decide import decide, wake_at
from dagrun.core.decisions import (
    Cancel,
    EndGroup,
    EvaluateCondition,
    Expand,
    Finish,
    Prefetch,
    Skip,
    Start,
    Stop,
)
from dagrun.core.events import (
    CancelRequested,
    DagStart,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskStart,
)
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Hook, OnError, Task
from dagrun.core.outcomes import Reason, RunStatus, Status
from dagrun.core.state import RunState
from dagrun.testing import HANG
from tests.unit.harness import played, task


def run_of(*tasks: Task, max_parallel: int = 2, **more: float | OnError) -> RunState:
    """A run that has begun at the moment 0."""
    state = RunState(Graph.compile(Dag(name="d", tasks=tasks, **more)))  # type: ignore[arg-type]
    state.apply(DagStart(timestamp=0.0, task_count=1, dag_path="", dag_hash="", max_parallel=max_parallel))
    return state


def began(task_id: str, attempt: int = 1) -> TaskStart:
    return TaskStart(timestamp=1.0, task_id=task_id, attempt=attempt, kind="shell")


def ok(task_id: str) -> TaskOk:
    return TaskOk(timestamp=2.0, task_id=task_id, attempt=1, duration_seconds=1.0)


def fail(task_id: str) -> TaskFail:
    return TaskFail(timestamp=2.0, task_id=task_id, attempt=1, error="e", error_type="E")


def after(state: RunState, *events: Event) -> RunState:
    for event in events:
        state.apply(event)
    return state


def test_a_task_that_can_start_is_decided_until_its_start_is_applied() -> None:
    state = run_of(task("a"))
    assert decide(state, 0.0) == decide(state, 0.0) == Start(state.nodes[0], 1)
    assert decide(after(state, began("a")), 1.0) is None


def test_no_more_tasks_start_than_there_are_slots() -> None:
    state = after(run_of(task("a"), task("b"), max_parallel=1), began("a"))
    assert decide(state, 1.0) is None


def test_without_a_slot_a_task_is_prefetched_if_the_executor_has_room() -> None:
    state = after(run_of(task("a"), task("b"), max_parallel=1), began("a"))
    state.frontier.may_prefetch = True
    assert decide(state, 1.0) == Prefetch(state.nodes[1], 1)
    state.frontier.prefetched(1)
    assert decide(state, 1.0) is None
    state.frontier.returned(1)
    assert decide(state, 1.0) == Prefetch(state.nodes[1], 1)


def test_a_condition_is_evaluated_once() -> None:
    state = run_of(task("a", condition="params.x"))
    assert decide(state, 0.0) == EvaluateCondition(state.nodes[0])
    state.frontier.condition_evaluated(0, False)
    assert decide(state, 0.0) == Skip(state.nodes[0], Reason.CONDITION_FALSE, "if: params.x")


def test_a_list_is_evaluated_then_its_group_ends_with_its_variants() -> None:
    state = run_of(task("each", for_each="x"))
    assert decide(state, 0.0) == Expand(state.nodes[0])
    after(state, TaskExpand(timestamp=1.0, task_id="each", count=1), began("each[0]"), ok("each[0]"))
    assert decide(state, 2.0) == EndGroup(state.nodes[0])


def test_a_retry_starts_when_its_delay_is_over() -> None:
    retry = TaskRetry(timestamp=2.0, task_id="a", attempt=1, error="e", error_type="E", delay_seconds=3.0)
    state = after(run_of(task("a")), began("a"), retry)
    assert (decide(state, 4.9), wake_at(state)) == (None, 5.0)
    assert decide(state, 5.0) == Start(state.nodes[0], 2)


def test_an_attempt_that_takes_too_long_is_stopped_once() -> None:
    state = after(run_of(task("a", timeout=4.0)), began("a"))
    assert (decide(state, 4.9), wake_at(state)) == (None, 5.0)
    assert decide(state, 5.0) == Stop(state.nodes[0], Reason.TIMED_OUT)
    state.frontier.stop_requested(0, Reason.TIMED_OUT)
    assert decide(state, 5.0) is None


def test_the_timeout_of_the_run_ends_everything() -> None:
    state = after(run_of(task("a"), task("b", "a"), timeout=9.0), began("a"))
    assert wake_at(state) == 9.0
    assert decide(state, 9.0) == Stop(state.nodes[0], Reason.RUN_TIMEOUT)
    state.frontier.stop_requested(0, Reason.RUN_TIMEOUT)
    assert decide(state, 9.0) == Skip(state.nodes[1], Reason.RUN_TIMEOUT)


def test_a_cancel_ends_tasks_that_run_that_wait_and_that_have_not_started() -> None:
    state = after(run_of(task("a"), task("b"), task("c", "a")), began("a"), began("b"))
    state.tasks[1].status = Status.WAITING
    after(state, CancelRequested(timestamp=2.0, by="me"))
    assert decide(state, 2.0) == Stop(state.nodes[0], Reason.CANCELLED)
    state.frontier.stop_requested(0, Reason.CANCELLED)
    assert decide(state, 2.0) == Cancel(state.nodes[1], Reason.CANCELLED)
    after(state, TaskCancel(timestamp=2.0, task_id="b", reason="Cancelled"))
    assert decide(state, 2.0) == Cancel(state.nodes[2], Reason.CANCELLED)


def test_a_failure_skips_what_has_not_started() -> None:
    state = after(run_of(task("a"), task("b")), began("a"), fail("a"))
    assert decide(state, 2.0) == Skip(state.nodes[1], Reason.STOP_ALL, "a")


def test_a_waiting_task_keeps_the_run_from_ending_and_holds_no_slot() -> None:
    state = run_of(task("a"), task("b"), max_parallel=1)
    state.tasks[0].status = Status.WAITING
    assert decide(state, 0.0) == Start(state.nodes[1], 1)
    assert decide(after(state, began("b"), ok("b")), 2.0) is None


def test_a_run_in_which_all_is_well_succeeds() -> None:
    state = after(run_of(task("a")), began("a"), ok("a"))
    assert decide(state, 2.0) == Finish(RunStatus.SUCCESS, Reason.COMPLETED)


def test_a_run_in_which_something_failed_is_partial_or_failed() -> None:
    one, both = (
        after(run_of(task("a"), task("b"), on_error=OnError.CONTINUE), began("a"), fail("a"), began("b"))
        for _ in range(2)
    )
    assert decide(after(one, ok("b")), 2.0) == Finish(RunStatus.PARTIAL, Reason.TASK_FAILED)
    assert decide(after(both, fail("b")), 2.0) == Finish(RunStatus.FAILED, Reason.TASK_FAILED)


def test_while_hooks_run_the_timeout_of_the_run_wakes_nobody() -> None:
    """Else the engine would turn all the time once it has passed."""
    outcome = played(
        task("a"), timeout=5.0, bodies={"hook:on_exit": lambda _: HANG},
        hooks=(Hook(on="on_exit", task=task("hook:on_exit", timeout=60.0)),),
    )  # fmt: skip
    assert [event.name for event in outcome.events()][-2:] == ["hook_end", "dag_done"]
    assert outcome.view.hooks[0].status == "timed_out"
