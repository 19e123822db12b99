"""Requests of other processes, and the events that record them."""

from __future__ import annotations

import pytest

from dagrun.clock import to_rfc3339
from dagrun.core.events import (
    ApprovalGranted,
    ApprovalRejected,
    CancelIgnored,
    CancelRequested,
    DagDone,
    DagPause,
    DagResume,
    DagStart,
    Event,
    SignalReceived,
    TaskOk,
    TaskWait,
)
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.requests import Request, event_of, goes_on, refusal
from dagrun.core.state import RunState
from dagrun.kinds.approval import ApprovalAction
from dagrun.kinds.wait import WaitAction
from tests.unit.harness import graph, task


def state(*, ended: bool) -> RunState:
    made = RunState(graph("a"))
    made.apply(DagStart(timestamp=0, task_count=1, dag_path="", dag_hash="", max_parallel=1))
    if ended:
        made.apply(
            DagDone(
                timestamp=1, status="failed", reason="", tasks_succeeded=0, tasks_failed=1, tasks_skipped=0,
                tasks_cancelled=0, duration_seconds=1,
            )
        )  # fmt: skip
    return made


def test_a_cancel_is_recorded_with_who_asked_and_why() -> None:
    event = event_of(Request("cancel", "me", {"reason": "enough"}), state(ended=False), 2.0)
    assert event == CancelRequested(timestamp=2.0, by="me", reason="enough")


def test_a_cancel_of_a_run_that_has_ended_is_recorded_as_ignored() -> None:
    event = event_of(Request("cancel", "me", {}), state(ended=True), 2.0)
    assert event == CancelIgnored(timestamp=2.0, by="me", reason="")


# --- approvals and signals ---

APPROVE = Request("approve", "ann", {"task": "gate", "inputs": {"n": 1}, "request_id": "x"})
REJECT = Request("reject", "bob", {"task": "gate", "reason": "no"})


def gated(*events: Event, ends: bool = False) -> RunState:
    """A run with a gate that waits until moment 100, a task after it, and one that waits for the signal `go` then."""
    tasks = (
        task("gate", action=ApprovalAction()),
        task("next", "gate", action=WaitAction(signal_name="go")),
        task("other"),
    )
    made = RunState(Graph.compile(Dag(name="d", tasks=tasks)))
    made.apply(DagStart(timestamp=0, task_count=3, dag_path="", dag_hash="", max_parallel=1))
    made.apply(
        TaskWait(
            timestamp=0.0, task_id="gate", attempt=1, kind="approval", prompt="?", required_role="Operator",
            expires_at=to_rfc3339(100.0),
        )
    )  # fmt: skip
    for event in (*events, *([ENDED] if ends else [])):
        made.apply(event)
    return made


ENDED = DagDone(
    timestamp=1, status="failed", reason="", tasks_succeeded=0, tasks_failed=1, tasks_skipped=0, tasks_cancelled=0,
    duration_seconds=1,
)  # fmt: skip


def test_an_answer_is_recorded_with_who_gave_it() -> None:
    assert event_of(APPROVE, gated(), 2.0) == ApprovalGranted(
        timestamp=2.0, task_id="gate", attempt=1, by="ann", inputs={"n": 1}, request_id="x"
    )
    assert event_of(REJECT, gated(), 2.0) == ApprovalRejected(
        timestamp=2.0, task_id="gate", attempt=1, by="bob", reason="no"
    )


@pytest.mark.parametrize(
    ("state", "now", "why"),
    [
        (gated(ApprovalRejected(timestamp=1.0, task_id="gate", attempt=1, by="bob")), 2.0, "'gate' is already decided: it was rejected by bob"),
        (gated(ApprovalGranted(timestamp=1.0, task_id="gate", attempt=1, by="bob"), ends=True), 2.0, "'gate' is already decided: it was approved by bob"),
        (gated(ends=True), 2.0, "the run has ended: failed"),
        (gated(CancelRequested(timestamp=1.0, by="me")), 2.0, "the run is being cancelled"),
        (gated(), 100.0, "the approval of 'gate' expired at 1970-01-01T00:01:40.000Z"),
    ],
)  # fmt: skip
def test_an_answer_that_comes_too_late_is_refused(state: RunState, now: float, why: str) -> None:
    for request in (APPROVE, REJECT):
        assert refusal(request, state, now) == why
        assert event_of(request, state, now) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [("other", "'other' is no approval"), ("next", "'next' is no approval"), ("nothing", "there is no task 'nothing'")],
)  # fmt: skip
def test_what_is_no_approval_cannot_be_approved(name: str, why: str) -> None:
    assert refusal(Request("approve", "ann", {"task": name}), gated(), 2.0) == why


def test_an_approval_that_nobody_is_asked_for_yet_cannot_be_given() -> None:
    made = RunState(
        Graph.compile(Dag(name="d", tasks=(task("a"), task("gate", "a", action=ApprovalAction()))))
    )
    assert refusal(APPROVE, made, 2.0) == "'gate' does not wait for an approval yet: pending"


def test_a_signal_is_taken_before_its_wait_begins() -> None:
    signal = Request("signal", "ci", {"signal": "go", "inputs": {"v": 2}})
    assert event_of(signal, gated(), 2.0) == SignalReceived(
        timestamp=2.0, signal="go", by="ci", inputs={"v": 2}
    )


def test_a_signal_that_nothing_waits_for_is_refused() -> None:
    why = refusal(Request("signal", "ci", {"signal": "gone"}), gated(), 2.0)
    assert why == "nothing in the run waits for the signal 'gone'; it waits for go"


def test_a_run_goes_on_once_a_process_has_acted_on_its_answers() -> None:
    pause = DagPause(timestamp=1.0, waiting_for=["gate"], duration_seconds=1.0)
    granted = ApprovalGranted(timestamp=2.0, task_id="gate", attempt=1, by="ann")
    resumed = DagResume(timestamp=3.0, reused=[], rerun=[], waiting=["gate"], dag_hash="")
    ended = TaskOk(timestamp=3.0, task_id="gate", attempt=1, duration_seconds=3.0)
    found = [goes_on(gated(*events)) for events in (
        [pause], [pause, granted], [pause, granted, resumed], [pause, granted, resumed, ended], [granted], [granted, ended],
    )]  # fmt: skip
    assert found == [False, False, False, True, False, True]
