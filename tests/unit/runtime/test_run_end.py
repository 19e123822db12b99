"""The event that ends a stretch: its status, its counts and its duration."""

from __future__ import annotations

from dagrun.core.decisions import Finish
from dagrun.core.events import DagStart, TaskFail, TaskOk
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, OnError
from dagrun.core.outcomes import Reason, RunStatus
from dagrun.core.state import RunState
from dagrun.runtime.run_end import end_event
from tests.unit.harness import task

DONE = Finish(RunStatus.PARTIAL, Reason.TASK_FAILED)


def ended(started_at: float = 100.0) -> RunState:
    tasks = (task("a"), task("b"), task("c"))
    state = RunState(Graph.compile(Dag(name="d", tasks=tasks, on_error=OnError.CONTINUE)))
    state.apply(DagStart(timestamp=started_at, task_count=3, dag_path="", dag_hash="", max_parallel=1))
    state.apply(TaskOk(timestamp=101.0, task_id="a", attempt=1, duration_seconds=1.0))
    state.apply(TaskFail(timestamp=102.0, task_id="b", attempt=1, error="no", error_type="E"))
    state.apply(TaskFail(timestamp=103.0, task_id="c", attempt=1, error="no", error_type="E", timed_out=True))
    return state


def test_every_task_is_counted_once() -> None:
    event = end_event(ended(), DONE, 104.0)
    assert (event.tasks_succeeded, event.tasks_failed) == (1, 2), "a timeout is a failure"
    assert (event.tasks_skipped, event.tasks_cancelled) == (0, 0)


def test_the_duration_is_that_of_the_stretch() -> None:
    assert end_event(ended(), DONE, 104.25).duration_seconds == 4.25


def test_the_duration_is_never_negative() -> None:
    assert end_event(ended(started_at=200.0), DONE, 104.0).duration_seconds == 0.0


def test_the_decision_is_recorded_as_text() -> None:
    event = end_event(ended(), DONE, 104.0, {"rows": 3})
    assert (event.status, event.reason, event.outputs) == ("partial", "TaskFailed", {"rows": 3})
