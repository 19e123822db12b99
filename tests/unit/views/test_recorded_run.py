"""A recorded run with the events of each task."""

from __future__ import annotations

from dagrun.core.events import DagResume, DagStart, Event, TaskCancel, TaskFail, TaskOk, TaskSkip, TaskStart
from dagrun.core.outcomes import Status
from dagrun.core.record import RunRecord
from dagrun.views.recorded_run import RecordedRun, end_in_words
from tests.unit.harness import chain

START = DagStart(timestamp=0.0, task_count=2, dag_path="", dag_hash="", max_parallel=4)
BEGAN = TaskStart(timestamp=1.0, task_id="a", attempt=1, kind="shell")
FAIL = TaskFail(timestamp=2.0, task_id="a", attempt=1, error="e", error_type="E")
RESUME = DagResume(timestamp=3.0, reused=[], rerun=["a"], dag_hash="", max_parallel=2)
OK = TaskOk(timestamp=5.0, task_id="a", attempt=2, duration_seconds=1.0)


def run_of(*events: Event, live: bool = True) -> RecordedRun:
    return RecordedRun(RunRecord("r", chain("a; b<-a"), events, live))


def test_the_end_of_a_task_is_the_one_before_a_position() -> None:
    run = run_of(START, BEGAN, FAIL, RESUME, BEGAN, OK)
    ends = [run.end_before("a", position) for position in (2, 3, 9)]
    assert [end and end.event for end in ends] == [None, FAIL, OK]


def test_each_stretch_has_its_slots() -> None:
    run = run_of(START, BEGAN, FAIL, RESUME, BEGAN)
    assert (run.slots(0), run.slots(1), run.slots(4)) == (1, 4, 2)


def test_events_of_unknown_tasks_are_left_out() -> None:
    unknown = TaskStart(timestamp=1.0, task_id="nobody", attempt=1, kind="shell")
    assert run_of(START, unknown, BEGAN).size == 2


def test_a_run_without_an_end_and_a_process_is_interrupted() -> None:
    assert run_of(START, live=False).is_interrupted
    assert not run_of(START, live=True).is_interrupted


def test_the_status_of_a_task_that_runs() -> None:
    run = run_of(START, BEGAN)
    assert run.status(run.node("a")) is Status.RUNNING
    assert run.is_running(0)


def test_ends_in_words() -> None:
    skip = TaskSkip(timestamp=1.0, task_id="a", reason="Unchanged")
    cancel = TaskCancel(timestamp=1.0, task_id="a", reason="Cancelled")
    assert [end_in_words(event) for event in (OK, FAIL, skip, cancel)] == [
        "succeeded", "failed", "was skipped: Unchanged", "was cancelled: Cancelled",
    ]  # fmt: skip
