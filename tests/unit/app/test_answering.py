"""Answers through the process that drives a run. (Where there is none: tests/unit/test_waits.py.)"""

from __future__ import annotations

import threading
import time

import pytest

from dagrun.core.events import ApprovalGranted, DagResume, TaskOk
from dagrun.core.model import Dag
from dagrun.core.record import replay
from dagrun.core.requests import event_of
from dagrun.errors import RefusedError
from dagrun.kinds.approval import ApprovalAction
from tests.unit.harness import task
from tests.unit.lives import Life


@pytest.fixture
def life() -> Life:
    """A run that waits for an approval, and that a process drives."""
    life = Life(Dag(name="d", tasks=(task("gate", action=ApprovalAction("go on?")),)))
    life.begin()
    life.run.begin()
    life.run.append(DagResume(timestamp=1.0, reused=[], rerun=[], waiting=["gate"], dag_hash=""))
    life.run.flush()
    life.run.live = True
    return life


def taking(life: Life, *first: ApprovalGranted) -> threading.Thread:
    """The process that drives the run: it records `first`, then takes requests until there was one."""

    def take() -> None:
        while not life.run.pending_requests:
            time.sleep(0.001)
        for event in first:
            life.run.append(event)
        life.run.flush()
        for request in life.run.requests():
            if (answer := event_of(request, replay(life.runs.read("r")), 2.0)) is not None:
                life.run.append(answer)
                life.run.append(TaskOk(timestamp=2.0, task_id="gate", attempt=1, duration_seconds=1.0))
        life.run.flush()

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_the_owner_of_the_run_records_the_answer(life: Life) -> None:
    thread = taking(life)
    answered = life.service.answers.approve("r", "gate", "ann", {})
    thread.join()
    assert answered.live
    (granted,) = [event for event in life.events if isinstance(event, ApprovalGranted)]
    assert granted.by == "ann"


def test_an_answer_that_came_second_is_refused_with_who_was_first(life: Life) -> None:
    thread = taking(life, ApprovalGranted(timestamp=1.0, task_id="gate", attempt=1, by="bob"))
    with pytest.raises(RefusedError, match="'gate' is already decided: it was approved by bob"):
        life.service.answers.approve("r", "gate", "ann", {})
    thread.join()
