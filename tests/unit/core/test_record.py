"""Recorded runs, folded again: what does not fit is counted and left out."""

from __future__ import annotations

from dagrun.core.events import DagResume, DagStart, TaskOk, TaskStart
from dagrun.core.outcomes import RunStatus, Status
from dagrun.core.record import RunRecord, fold, mark_interrupted, replay
from dagrun.core.state import RunState
from tests.unit.harness import chain, graph

START = DagStart(timestamp=0.0, task_count=1, dag_path="", dag_hash="one")
BEGAN = TaskStart(timestamp=1.0, task_id="a", attempt=1, kind="shell")
OK = TaskOk(timestamp=2.0, task_id="a", attempt=1, duration_seconds=1.0)
UNKNOWN = TaskStart(timestamp=1.0, task_id="nobody", attempt=1, kind="shell")


def test_a_recorded_run_is_replayed() -> None:
    state = replay(RunRecord("r", chain("a"), [START, BEGAN, OK], live=False))
    assert state.tasks[0].status is Status.SUCCESS


def test_it_can_be_replayed_with_another_dag() -> None:
    state = replay(RunRecord("r", chain("a"), [START, BEGAN, OK], live=False), chain("a; b<-a"))
    assert [task.status for task in state.tasks] == [Status.SUCCESS, Status.PENDING]


def test_events_that_do_not_fit_are_counted() -> None:
    state = RunState(graph("a"))
    assert fold(state, [START, UNKNOWN, BEGAN]) == 1
    assert state.tasks[0].status is Status.RUNNING


def test_events_about_a_dag_that_was_replaced_are_not_counted() -> None:
    resume = DagResume(timestamp=3.0, reused=[], rerun=["a"], dag_hash="two")
    assert fold(RunState(graph("a")), [START, UNKNOWN, resume, BEGAN]) == 0


def test_a_run_that_has_something_to_do_and_no_process_was_interrupted() -> None:
    state = RunState(graph("a"))
    fold(state, [START])
    mark_interrupted(state)
    assert state.status is RunStatus.INTERRUPTED


def test_a_run_that_waits_for_a_person_needs_no_process() -> None:
    state = RunState(graph("a"))
    fold(state, [START])
    state.status = RunStatus.WAITING
    mark_interrupted(state)
    assert state.status is RunStatus.WAITING
