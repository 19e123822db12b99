"""Why a task started, from journals with and without a recorded reason. (All sentences: test_why.)"""

from __future__ import annotations

from dagrun.core.events import DagResume, DagStart, Event, TaskOk, TaskStart
from dagrun.core.record import RunRecord
from dagrun.views.recorded_run import RecordedRun
from dagrun.views.start_reason import start_reason
from tests.unit.harness import chain

START = DagStart(timestamp=0.0, task_count=3, dag_path="", dag_hash="", max_parallel=1)
AFTER_A = "a succeeded (its only dependency)"


def began(at: float, task_id: str, waited_for: str | None = None) -> TaskStart:
    return TaskStart(timestamp=at, task_id=task_id, attempt=1, kind="shell", waited_for=waited_for)


def ok(at: float, task_id: str) -> TaskOk:
    return TaskOk(timestamp=at, task_id=task_id, attempt=1, duration_seconds=1.0)


def reason(task_id: str, *events: Event) -> str:
    run = RecordedRun(RunRecord("r", chain("a; z; b<-a"), [START, *events], live=True))
    return start_reason(run, run.node(task_id), run.last(task_id))


def test_with_the_run() -> None:
    assert reason("a", began(0, "a")) == "started with the run: it depends on nothing"


def test_with_the_resumed_run() -> None:
    resume = DagResume(timestamp=9.0, reused=["a"], rerun=["b", "z"], dag_hash="")
    events = (began(0, "a"), ok(1, "a"), resume, began(9, "b"))
    assert reason("b", *events) == "started with the resumed run: all that it depends on had ended"


def test_after_a_dependency() -> None:
    assert (
        reason("b", began(0, "a"), ok(1, "a"), began(1, "b", "dependency:a")) == f"started because {AFTER_A}"
    )


def test_after_a_slot_was_freed() -> None:
    events = (began(0, "a"), ok(1, "a"), began(1, "z"), ok(4, "z"), began(4, "b", "slot:z"))
    assert reason("b", *events) == f"started when z freed a slot, 3.00s after {AFTER_A}; max_parallel is 1"


def test_in_a_journal_of_an_earlier_version_after_the_last_dependency() -> None:
    events = (began(0, "a"), ok(1, "a"), began(1, "z"), ok(4, "z"), began(4, "b"))
    assert reason("b", *events) == f"started because {AFTER_A}"
