"""The state of a run, folded from its events."""

from __future__ import annotations

import pytest

from dagrun.core.events import (
    CancelIgnored,
    CancelRequested,
    DagDone,
    DagResume,
    DagStart,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Task
from dagrun.core.outcomes import Outcome, RunStatus, Status
from dagrun.core.state import RunState
from tests.unit.harness import chain, task

START = DagStart(timestamp=10.0, task_count=1, dag_path="", dag_hash="", max_parallel=2, params={"x": 1})
DONE = DagDone(
    timestamp=20.0, status="success", reason="Completed", tasks_succeeded=1, tasks_failed=0, tasks_skipped=0,
    tasks_cancelled=0, duration_seconds=10.0, outputs={"k": 1},
)  # fmt: skip


def began(task_id: str = "a", attempt: int = 1, at: float = 11.0) -> TaskStart:
    return TaskStart(timestamp=at, task_id=task_id, attempt=attempt, kind="shell")


def ok(task_id: str = "a", summary: str | None = None) -> TaskOk:
    return TaskOk(timestamp=13.0, task_id=task_id, attempt=1, duration_seconds=2.0, outputs={"n": 1}, summary=summary)  # fmt: skip


def folded(*events: Event, dag: Dag | None = None) -> RunState:
    state = RunState(Graph.compile(dag or chain("a; b<-a")))
    for event in events:
        state.apply(event)
    return state


def dag_of(*tasks: Task) -> Dag:
    return Dag(name="d", tasks=tasks)


def test_a_run_is_pending_until_its_first_event() -> None:
    state = folded()
    assert (state.status, state.has_ended, state.stretch_is_over) == (RunStatus.PENDING, False, False)


def test_the_start_of_a_run_gives_it_its_limit_and_its_time() -> None:
    state = folded(START)
    assert (state.status, state.started_at, state.frontier.max_parallel) == (RunStatus.RUNNING, 10.0, 2)


def test_an_attempt_that_runs_takes_a_slot() -> None:
    state = folded(START, began())
    assert (state.tasks[0].status, state.tasks[0].attempt, state.frontier.running) == (Status.RUNNING, 1, 1)


def test_a_success_has_outputs_and_gives_its_slot_back() -> None:
    state = folded(START, began(), ok())
    done = state.tasks[0]
    assert (done.status, done.reason, done.outputs, done.duration) == (
        Status.SUCCESS,
        "Completed",
        {"n": 1},
        2.0,
    )
    assert (state.frontier.running, state.outcome(0)) == (0, Outcome.GOOD)


def test_a_retry_is_due_after_its_delay() -> None:
    retry = TaskRetry(timestamp=12.0, task_id="a", attempt=1, error="e", error_type="E", delay_seconds=0.4)
    state = folded(START, began(), retry)
    assert (state.tasks[0].status, state.tasks[0].retry_at) == (Status.RETRYING, 12.4)


@pytest.mark.parametrize(("timed_out", "status"), [(False, Status.FAILED), (True, Status.TIMED_OUT)])
def test_a_failure_stops_the_run_and_is_its_cause(timed_out: bool, status: Status) -> None:
    fail = TaskFail(timestamp=12.0, task_id="a", attempt=1, error="e", error_type="E", timed_out=timed_out)
    state = folded(START, began(), fail)
    assert (state.tasks[0].status, state.frontier.cause, list(state.failures())) == (status, "a", ["a"])
    assert state.failed_above(1)


def test_a_skip_and_a_cancel_keep_their_reasons() -> None:
    skip = TaskSkip(timestamp=12.0, task_id="a", reason="ConditionFalse", detail="if: x")
    cancel = TaskCancel(timestamp=12.0, task_id="b", reason="Cancelled")
    state = folded(START, skip, cancel)
    assert [(each.status, each.reason) for each in state.tasks] == [
        (Status.SKIPPED, "ConditionFalse"),
        (Status.CANCELLED, "Cancelled"),
    ]


def test_the_list_of_a_for_each_adds_variants_before_their_group() -> None:
    dag = dag_of(task("list"), task("each", "list", for_each="x"), task("after", "each"))
    state = folded(START, TaskExpand(timestamp=12.0, task_id="each", count=2, items=[7, 8]), dag=dag)
    names = [state.nodes[i].task.id for i in state.in_file_order()]
    assert names == ["list", "each[0]", "each[1]", "each", "after"]
    assert state.summary(state.nodes[1]) == "0/2 passed"


def test_only_a_for_each_can_be_expanded() -> None:
    with pytest.raises(ValueError, match="no for_each"):
        folded(START, TaskExpand(timestamp=12.0, task_id="a", count=2))


def test_the_end_of_a_group_does_not_fit_a_plain_task() -> None:
    with pytest.raises(ValueError, match="has become one"):
        folded(START, ok(summary="1/1 passed"))


def test_an_event_of_an_unknown_task_does_not_fit() -> None:
    with pytest.raises(LookupError):
        folded(START, began("nobody"))


def test_the_end_of_a_run_has_its_outputs() -> None:
    state = folded(START, began(), ok(), DONE)
    assert (state.status, state.outputs, state.duration) == (RunStatus.SUCCESS, {"k": 1}, 10.0)
    assert state.has_ended
    assert state.stretch_is_over


def test_a_run_that_waits_has_not_ended_though_its_stretch_is_over() -> None:
    state = folded(START)
    state.status = RunStatus.WAITING
    assert (state.stretch_is_over, state.has_ended) == (True, False)


def test_a_resume_keeps_what_succeeded_and_continues_the_numbers_of_attempts() -> None:
    fail = TaskFail(timestamp=14.0, task_id="b", attempt=1, error="e", error_type="E")
    resume = DagResume(
        timestamp=30.0, reused=["a"], rerun=["b"], dag_hash="", max_parallel=3, params={"x": 2}
    )
    state = folded(
        START, began(), ok(), began("b"), fail, CancelRequested(timestamp=15.0, by="me"), DONE, resume
    )
    assert [each.status for each in state.tasks] == [Status.SUCCESS, Status.PENDING]
    assert (state.tasks[1].attempt, state.tasks[1].attempts_before) == (1, 1)
    assert (state.status, state.stretch_started_at, state.cancel) == (RunStatus.RUNNING, 30.0, None)
    assert state.start is not None
    assert state.start.params == {"x": 2}


def test_an_event_after_the_end_means_that_the_line_of_a_resume_is_damaged() -> None:
    state = folded(START, began(), ok(), DONE, began("b"))
    assert (state.status, state.has_ended) == (RunStatus.RUNNING, False)


def test_requests_to_cancel_are_kept() -> None:
    first, late = CancelRequested(timestamp=12.0, by="me"), CancelIgnored(timestamp=21.0, by="you")
    state = folded(START, first, CancelRequested(timestamp=13.0, by="you"), DONE, late)
    assert (state.cancel, state.cancel_ignored) == (first, late)


def test_counts_are_of_tasks_and_variants_not_of_groups() -> None:
    dag = dag_of(task("each", for_each="x"))
    state = folded(START, TaskExpand(timestamp=12.0, task_id="each", count=2), began("each[0]"), dag=dag)
    assert state.counts() == {Status.RUNNING: 1, Status.PENDING: 1}
